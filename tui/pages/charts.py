"""Charts of lines in plain glyphs: axes with units, a mark for each series at its points, and what the marks mean. Pure.

A chart draws figures that the engine gives; between two of them it draws a straight line and says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from engine.figures.records import NamedTuple
from tui.pages.doc import NBSP, Line, Span, flow, line
from tui.pages.glyphs import Glyphs
from tui.pages.look import Look

HEIGHT, LOW_HEIGHT = 9, 6
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bits of a Braille cell, by row and column of its dots."""
Cells = list[list[tuple[str, str]]]


class Series(NamedTuple):
    """One line. mark: drawn at its points, which tell it from the others without colour; empty for a line alone.

    opens: what its name opens in the legend.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    style: str
    mark: str = ""
    opens: str = ""


class Axis(NamedTuple):
    """One axis, from low to high. words: a value with its unit where it needs one; ticks: what is written along it."""

    name: str
    low: float
    high: float
    words: Callable[[float], str]
    ticks: tuple[float, ...]
    log: bool = False

    def at(self, value: float, cells: int) -> float:
        """The place of a value among so many cells."""
        low, high, now = (
            (math.log2(self.low), math.log2(self.high), math.log2(value)) if self.log else (self.low, self.high, value)
        )
        return (now - low) / max(1e-9, high - low) * (cells - 1)


class Wall(NamedTuple):
    """A line across the chart: upright at a value of x, or lying at one of y. opens: what its name opens."""

    name: str
    at: float
    upright: bool
    style: str
    opens: str = ""


def chart(series: Sequence[Series], x: Axis, y: Axis, look: Look, walls: Sequence[Wall] = ()) -> list[Line]:
    """The series between two axes. Values off the axes are not drawn."""
    glyphs = look.glyphs
    height = LOW_HEIGHT if look.low else HEIGHT
    wide = max(len(y.words(value)) for value in y.ticks)
    across = max(12, look.width - wide - 4)
    cells: Cells = [[(" ", "")] * across for _ in range(height)]

    def place(point: tuple[float, float]) -> tuple[float, float]:
        return x.at(point[0], across), height - 1 - y.at(point[1], height)

    for wall in walls:
        if wall.upright and x.low <= wall.at <= x.high:
            for row in cells:
                row[round(x.at(wall.at, across))] = (glyphs.column, wall.style)
        elif not wall.upright and y.low <= wall.at <= y.high:
            at = height - 1 - round(y.at(wall.at, height))
            cells[at] = [(glyphs.rule, wall.style)] * across
    for one in series:
        draw(cells, [place(point) for point in one.points], one.style, glyphs)
    for one in reversed(series):  # where two meet, the first of them is seen
        for point in one.points if one.mark else ():
            column, height_of = place(point)
            cells[round(height_of)][round(column)] = (one.mark, one.style)
    labels = {height - 1 - round(y.at(value, height)): y.words(value) for value in y.ticks}
    lines: list[Line] = [line((f" {y.name}", "dim"))]
    for number, drawn in enumerate(cells):
        spans = [Span(char, style) for char, style in drawn]
        lines.append(joined([Span(f" {labels.get(number, ''):>{wide}} ", "dim"), Span(glyphs.column, "rule"), *spans]))
    lines.append(line((" " * (wide + 2) + ("└" if glyphs.unicode else "+") + glyphs.rule * across, "rule")))
    lines += scale(x, wide + 3, across)
    marks = [(one.mark, one.style, one.name, one.opens) for one in series if one.mark]
    marks += [(glyphs.column if wall.upright else glyphs.rule, wall.style, wall.name, wall.opens) for wall in walls]
    return [*lines, *legend(marks, look)]


def scale(x: Axis, indent: int, across: int) -> list[Line]:
    """The ticks of an axis under it, those left out that would touch; what it counts before them, or below at the end."""
    row = [" "] * across
    free = 0
    for value in x.ticks:
        text = x.words(value)
        at = min(max(0, round(x.at(value, across)) - len(text) // 2), across - len(text))
        if at >= free:
            row[at : at + len(text)] = text
            free = at + len(text) + 2
    text = "".join(row).rstrip()
    if len(x.name) < indent:
        return [line((f"{x.name:>{indent - 1}} {text}", "dim"))]
    return [line((" " * indent + text, "dim")), line((f"{x.name:>{indent + across}}", "dim"))]


def legend(marks: Sequence[tuple[str, str, str, str]], look: Look) -> list[Line]:
    """What the marks of a chart mean: mark, style, words and what they open of each, wrapped between them."""
    spans = [Span(" ")]
    for mark, style, words, opens in marks:
        spans += [Span(mark, style), Span(f" {words}".replace(" ", NBSP), "dim", opens), Span("   ")]
    return flow(spans, look.width)


def draw(cells: Cells, path: Sequence[tuple[float, float]], style: str, glyphs: Glyphs) -> None:
    """A line through the places, in Braille dots where there are any: eight to a cell."""
    dots: dict[tuple[int, int], int] = {}
    for (x, y), (to_x, to_y) in pairwise(path):
        steps = max(1, round(max(abs(to_x - x) * 2, abs(to_y - y) * 4)))
        for step in range(steps + 1):
            # a place names the middle of its cell
            dot_x = round((x + (to_x - x) * step / steps) * 2 + 0.5)
            dot_y = round((y + (to_y - y) * step / steps) * 4 + 1.5)
            at = (min(len(cells) - 1, dot_y // 4), min(len(cells[0]) - 1, dot_x // 2))
            dots[at] = dots.get(at, 0) | _DOTS[dot_y % 4][dot_x % 2]
    for (row, column), bits in dots.items():
        before = cells[row][column]
        if style != "rest" or before[1] == "":
            cells[row][column] = (chr(0x2800 + bits) if glyphs.unicode else ".", style)


def joined(spans: Sequence[Span]) -> Line:
    """Neighbours of one style and action as one span."""
    found: list[Span] = []
    for span in spans:
        if found and found[-1].style == span.style and found[-1].action == span.action:
            found[-1] = found[-1]._replace(text=found[-1].text + span.text)
        else:
            found.append(span)
    return tuple(found)


def nice_top(value: float) -> float:
    """The next round number at or above a value: 1, 2, 2.5 or 5 times a power of ten."""
    if value <= 0:
        return 1.0
    size = 10.0 ** math.floor(math.log10(value))
    return next(step * size for step in (1, 2, 2.5, 5, 10) if step * size >= value * (1 - 1e-9))
