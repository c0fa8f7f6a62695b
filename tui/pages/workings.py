"""The working of a figure as lines: words, arithmetic, inputs with their origin, and the same for what they rest on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from engine.decide.opened import Input, Working, working
from engine.figures.units import MIB
from engine.sizing import Sizing
from tui.pages.doc import BLANK, Line, Span, heading, line, paragraphs, shorten
from tui.pages.glyphs import Glyphs
from tui.pages.words import GIB, digits

SUBSTITUTED_WIDTH = 400  # longer arithmetic is shown with names alone


def working_lines(sizing: Sizing, figure: str, width: int, glyphs: Glyphs, whose: str = "") -> Sequence[Line]:
    """A working as lines to read: the figure, then what it was worked out from, each opened one step.

    An input that was itself worked out opens in turn: its name carries the action `figure:ID`. whose: which build the
    sizing is of, where it is not the one at hand.
    """
    try:
        opened = working(sizing, figure)
        made = [working(sizing, below) for below in dict.fromkeys(e.figure for e in opened.inputs if e.figure)]
    except KeyError:
        return [BLANK, *paragraphs(f"{figure} is not a figure of this build any more.", width, "", " ", " ")]
    titles = {below.figure: below.title for below in made}
    lines: list[Line] = [BLANK]
    if whose:
        lines += [
            *paragraphs(glyphs.text(f"{whose.rstrip('.')}. Not the build at hand."), width, "warn", " ", " "),
            BLANK,
        ]
    lines += [*_title(opened, width), *_body(opened, width, glyphs)]
    if opened.inputs:
        lines += [BLANK, heading("FROM", width, glyphs.rule), *_inputs(opened, width, titles)]
    for below in made:
        title = shorten(glyphs.text(below.title), width - len(below.kind) - 3, glyphs.ellipsis)
        lines += [BLANK, heading(title, width, glyphs.rule, below.kind, "kind"), *_arithmetic(below, width)]
        lines += _inputs(below, width, {})
    return [tuple(span._replace(text=glyphs.text(span.text)) for span in row) for row in lines]


_SCALES: dict[str, tuple[tuple[float, str, float], ...]] = {
    "s": ((1e-3, "µs", 1e6), (1.0, "ms", 1e3)),
    "FLOP/s": ((math.inf, "TFLOP/s", 1e-12),),
    "FLOPs": ((1e9, "MFLOP", 1e-6), (1e12, "GFLOP", 1e-9), (math.inf, "TFLOP", 1e-12)),
    "bytes/s": ((math.inf, "GB/s", 1e-9),),
    "s/byte": ((math.inf, "ms/GB", 1e12),),
}
"""Units people read: (below so much, unit, times)."""


def amount(value: float, unit: str) -> str:
    """A number with a unit that people read, exact enough to calculate with: 80.00 GiB (85,899,345,920 bytes), 12.3 ms."""
    size = abs(value)
    for limit, other, factor in _SCALES.get(unit, ()):
        if 0 < size < limit:
            return f"{_number(value * factor)} {other}"
    words = f"{_number(value)} {unit}".rstrip()
    whole = _whole_bytes(value) if unit == "bytes" else ""
    return f"{whole} ({words})" if whole else words


def _whole_bytes(value: float) -> str:
    """Bytes in the unit that people read them in; empty of a few."""
    if abs(value) >= 0.1 * GIB:
        return f"{value / GIB:,.2f} GiB"
    return f"{value / MIB:,.2f} MiB" if abs(value) >= MIB else ""


def _number(value: float) -> str:
    size = abs(value)
    if value == round(value) and size < 1e15:
        return f"{value:,.0f}"
    if size >= 1e15 or size < 1e-4:
        return f"{value:.6g}"
    if size < 1000:
        text = digits(value, 6)
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{value:,.2f}" if size < 1e5 else f"{value:,.0f}"


def _short(value: float, unit: str) -> str:
    """A number inside an arithmetic, with its unit where a sum of seconds or bytes is read by it."""
    if unit == "bytes":
        return _whole_bytes(value) or amount(value, unit)
    return amount(value, unit) if unit == "s" else _number(value)


def _title(opened: Working, width: int) -> list[Line]:
    value = "unknown" if opened.value is None else amount(opened.value, opened.unit)
    if len(opened.title) + len(value) + len(opened.kind) + 6 <= width:
        return [line((opened.title, "strong"), "   ", (value, "figure"), ("   " + opened.kind, "kind"))]
    return [
        *paragraphs(opened.title, width, "strong"),
        *paragraphs(value, width, "figure"),
        line((opened.kind, "kind")),
    ]


def _body(opened: Working, width: int, glyphs: Glyphs) -> list[Line]:
    lines: list[Line] = [BLANK, heading("HOW IT COMES ABOUT", width, glyphs.rule), *_arithmetic(opened, width)]
    if opened.interval is not None:
        low, high = amount(opened.interval.low, opened.unit), amount(opened.interval.high, opened.unit)
        lines += paragraphs(f"80 % interval: {low} to {high}", width, "", "   ", " ")
    if opened.note:
        lines += paragraphs(opened.note, width, "", "   ", " ")
    return lines + paragraphs(f"Source: {opened.source}", width, "dim", "   ", " ")


def _arithmetic(opened: Working, width: int) -> list[Line]:
    """The formula in words, the numbers put in where that stays readable, the result."""
    lines = paragraphs(opened.formula, width, "", " ", " ")
    shown = {entry.name: _short(entry.value, entry.unit) for entry in opened.inputs}
    numbers = "".join(shown[term] if place % 2 else term for place, term in enumerate(opened.arithmetic))
    if len(shown) > 1 and len(numbers) <= SUBSTITUTED_WIDTH:
        lines += paragraphs(numbers, width, "dim", "     ", " = ")
    if opened.value is not None:
        lines += paragraphs(amount(opened.value, opened.unit), width, "figure", "     ", " = ")
    return lines


def _inputs(opened: Working, width: int, titles: Mapping[str, str]) -> list[Line]:
    lines: list[Line] = []
    for entry in opened.inputs:
        lines += _input(entry, width, titles)
    return lines


def _input(entry: Input, width: int, titles: Mapping[str, str]) -> list[Line]:
    """One input: its name and value, then its kind and origin, beside them where there is room."""
    name = entry.label or entry.name
    action = f"figure:{entry.figure}" if entry.figure else ""
    shown = Span(name, "link" if action else "", action)
    origin = entry.source
    if entry.figure:
        title = titles.get(entry.figure, name)
        origin = "opens" if title == name else f"below: {title}"
    tail = origin if entry.figure or origin == entry.kind else f"{entry.kind}: {origin}"
    value = amount(entry.value, entry.unit)
    used = len(name) + len(value) + 6
    if used + len(tail) <= width:
        return [line("   ", shown, " ", (value, "figure"), (f"  {tail}", "dim"))]
    if used <= width:
        return [line("   ", shown, " ", (value, "figure")), *paragraphs(tail, width, "dim", "       ", "     ")]
    return [
        *(line(span) for span in _wrapped(shown, width - 3)),
        *paragraphs(value, width, "figure", "       ", "     "),
        *paragraphs(tail, width, "dim", "       ", "     "),
    ]


def _wrapped(name: Span, width: int) -> list[Span]:
    """A name over as many rows as it takes, indented."""
    rows = paragraphs(name.text, width + 3, "", "     ", "   ")
    return [span._replace(style=name.style, action=name.action) for row in rows for span in row]
