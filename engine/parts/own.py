"""What a person measured on their own machines: times of collectives, and how figures came out against the predicted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OwnCurve:
    """Times of one collective over one link. points: (payload bytes, seconds), rising in both. gpus: of one node."""

    link: str
    op: str
    gpus: int
    points: tuple[tuple[float, float], ...]
    source: str = ""


@dataclass(frozen=True, slots=True)
class OwnRatio:
    """A figure as measured over the same as predicted, of a card under an engine. figure: ttft, inter_token, tokens_per_s."""

    accelerator: str
    engine: str
    model: str
    figure: str
    ratio: float
    source: str = ""
