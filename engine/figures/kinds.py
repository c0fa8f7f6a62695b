"""How a figure is known, and how far its estimate may be off."""

from __future__ import annotations

from typing import Literal

from engine.figures.records import dataclass

FigureKind = Literal["counted", "measured", "fitted", "data sheet", "rule of thumb", "entered"]
"""What is shown with every figure."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An 80 % interval of an estimate: the spread of the model's error on cases it had not seen."""

    low: float
    high: float
