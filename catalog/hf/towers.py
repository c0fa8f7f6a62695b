"""Vision and audio towers, by structural idea."""

from __future__ import annotations

from catalog.hf.reader import Config
from engine.architecture import Tensor


def towers(config: Config, text_hidden_size: int) -> tuple[tuple[Tensor, ...], int]:
    """The towers of a multimodal config and the tokens of the largest item. Nothing for a text model."""
    return (), 0
