"""The working of a figure as lines: words, arithmetic, inputs with their origin, and the same for what they rest on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from engine.sizing import Sizing
from engine.workings import Input, Working, chain
from tui.pages.doc import BLANK, Line, heading, line, paragraphs, shorten
from tui.pages.glyphs import Glyphs
from tui.pages.words import GIB, digits

SUBSTITUTED_WIDTH = 400  # longer arithmetic is shown with names alone
_NAME = re.compile(r"[A-Za-z_]\w*")


def working_lines(sizing: Sizing, figure: str, width: int, glyphs: Glyphs, whose: str = "") -> Sequence[Line]:
    """A working as lines to read: the figure itself, then every figure that it was worked out from.

    whose: which build the sizing is of, where it is not the one at hand.
    """
    try:
        made = chain(sizing, figure)
    except KeyError:
        return [BLANK, *paragraphs(f"{figure} is not a figure of this build any more.", width, "", " ", " ")]
    titles = {below.figure: below.title for below in made}
    opened = made[0]
    lines: list[Line] = [BLANK]
    if whose:
        lines += [
            *paragraphs(glyphs.text(f"{whose.rstrip('.')}. Not the build at hand."), width, "warn", " ", " "),
            BLANK,
        ]
    lines += [*_title(opened, width), *_body(opened, width, glyphs)]
    if opened.inputs:
        lines += [BLANK, heading("FROM", width, glyphs.rule), *_inputs(opened, width, titles)]
    for below in made[1:]:
        title = shorten(below.title, width - len(below.kind) - 3, glyphs.ellipsis)
        lines += [BLANK, heading(title, width, glyphs.rule, below.kind, "kind"), *_arithmetic(below, width)]
        lines += _inputs(below, width, titles)
    return lines


def amount(value: float, unit: str) -> str:
    """A number with its unit, exact enough to calculate with: 85,899,345,920 bytes (80.00 GiB), 0.0123 s."""
    size = abs(value)
    if value == round(value) and size < 1e15:
        text = f"{value:,.0f}"
    elif size >= 1e15 or size < 1e-4:
        text = f"{value:.6g}"
    elif size < 1000:
        text = digits(value, 6)
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        text = f"{value:,.2f}" if size < 1e5 else f"{value:,.0f}"
    words = f"{text} {unit}".rstrip()
    return f"{words} ({value / GIB:,.2f} GiB)" if unit == "bytes" and size >= 0.1 * GIB else words


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
    """The formula in words, the expression by name, with the numbers put in where that stays readable, the result."""
    lines = paragraphs(opened.formula, width, "", " ", " ")
    values = {entry.name: entry for entry in opened.inputs}

    def number(match: re.Match[str]) -> str:
        found = values.get(match.group())
        return match.group() if found is None else amount(found.value, "")

    if values:
        lines += paragraphs(opened.expression, width, "", "     ", " = ")
        numbers = _NAME.sub(number, opened.expression)
        if len(values) > 1 and len(numbers) <= SUBSTITUTED_WIDTH:
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
    origin = f"below: {titles[entry.figure]}" if entry.figure in titles else entry.source
    tail = origin if entry.figure or origin == entry.kind else f"{entry.kind}: {origin}"
    value = amount(entry.value, entry.unit)
    used = len(entry.name) + len(value) + 6
    if used + len(tail) <= width:
        return [line(f"   {entry.name} ", (value, "figure"), (f"  {tail}", "dim"))]
    if used <= width:
        return [line(f"   {entry.name} ", (value, "figure")), *paragraphs(tail, width, "dim", "       ", "     ")]
    return [
        line(f"   {entry.name}"),
        *paragraphs(value, width, "figure", "       ", "     "),
        *paragraphs(tail, width, "dim", "       ", "     "),
    ]
