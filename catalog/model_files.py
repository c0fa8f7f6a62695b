"""A model from a file of a person's own: a Hugging Face config.json or a GGUF file, told apart by the name."""

from __future__ import annotations

from pathlib import Path

from catalog.hf_config import read_architecture
from engine.model.architecture import Architecture


def read_model_file(path: Path | str) -> Architecture:
    """The architecture that a config.json or the header of a GGUF file describes.

    Raises CatalogError naming the file, and the key or tensor when one is at fault.
    """
    path = Path(path)
    if path.suffix.lower() == ".gguf":
        from catalog.gguf import read_gguf  # here, since few sessions name one and start-up pays for each import

        return read_gguf(path).architecture
    return read_architecture(path)
