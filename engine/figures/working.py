"""What a working is: a figure opened one step."""

from __future__ import annotations

from engine.figures.kinds import FigureKind, Interval
from engine.figures.records import dataclass

Number = int | float


@dataclass(frozen=True, slots=True)
class Input:
    """One named number of a working. source: where it comes from, in words. figure: id of its own working, or empty.

    name: as the expression has it; label: as the formula has it in words. unit is empty for counts and shares.
    """

    name: str
    value: Number
    unit: str
    source: str
    kind: FigureKind
    figure: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Working:
    """One figure opened: formula in words, arithmetic over its inputs, result and where the formula comes from.

    expression: Python arithmetic over the inputs' names with max, min, ceil, floor, round and the like; empty when the figure is
    unknown. arithmetic: the same as people write it, words and names of inputs by turns. value: the figure itself, in `unit`; None when unknown.
    """

    figure: str
    title: str
    value: Number | None
    unit: str
    formula: str
    expression: str
    inputs: tuple[Input, ...]
    kind: FigureKind
    source: str
    interval: Interval | None = None
    note: str = ""
    arithmetic: tuple[str, ...] = ()


def unknown(figure: str, title: str, unit: str, why: str) -> Working:
    """The working of a figure that nobody knows."""
    return Working(figure, title, None, unit, why, "", (), "data sheet", why)
