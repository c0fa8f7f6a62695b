"""Workings of two figures held against each other: `ratio(A,B)` is A / B, `difference(A,B)` is A - B."""

from __future__ import annotations

from collections.abc import Callable

from engine.figures.number import Number
from engine.figures.opening import opening
from engine.figures.working import Working, unknown

SIGNS = {"ratio": "/", "difference": "-"}
SOURCE = "two figures of this build, each with a working of its own below"


def is_compound(figure: str) -> bool:
    """Whether an id names two figures held against each other."""
    return figure.endswith(")") and figure.partition("(")[0] in SIGNS


def compound(figure: str, opened: Callable[[str], Working]) -> Working:
    """The working of `ratio(A,B)` or `difference(A,B)`; opened gives those of A and B. Raises KeyError."""
    kind, _, rest = figure.partition("(")
    first, second = _parts(rest[:-1], figure)
    one, other = opened(first), opened(second)
    title = f"{one.title} {SIGNS[kind]} {_inside(other.title)}"
    if one.value is None or other.value is None:
        return unknown(figure, title, "", (one if one.value is None else other).formula)
    if kind == "ratio" and not other.value:
        raise KeyError(figure)
    left, right = _held(one), _held(other)
    unit = one.unit
    if kind == "ratio":
        unit = "" if one.unit == other.unit else " a ".join(part for part in (one.unit, other.unit.rstrip("s")) if part)
    ids = {id(left): first, id(right): second}
    root = left / right if kind == "ratio" else left - right
    return opening(figure, root, title, unit, lambda part: ids[id(part)], SOURCE)


def _held(made: Working) -> Number:
    """A figure as an input of another: what it rests on stands in its own working, its kind is that of the figure."""
    assert made.value is not None
    leaf = Number(made.value, label="the figure", kind=made.kind, source=SOURCE)
    return Number(made.value, "float", (leaf,), made.title, made.unit)


def _inside(title: str) -> str:
    """A title in the middle of a sentence: its first letter small, unless it starts a name in capitals."""
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]


def _parts(text: str, figure: str) -> tuple[str, str]:
    """The two ids between the parentheses; each may hold parentheses of its own."""
    depth = 0
    for at, char in enumerate(text):
        depth += {"(": 1, ")": -1}.get(char, 0)
        if char == "," and not depth:
            return text[:at], text[at + 1 :]
    raise KeyError(figure)
