"""What was measured beside what is predicted, in the words of reports and pages."""

from __future__ import annotations

from collections.abc import Sequence

from engine.decide.beside import Beside, Row, beside
from engine.figures.text import printable
from engine.sizing import Sizing
from tui.pages.doc import Line, Span, heading, line, shorten, wrap
from tui.pages.look import Look

HEAD = ("", "measured", "predicted", "80 % between", "off by", "")
WIDE_OFF = 0.05
"""How far a figure without an interval is off before its term is named."""


def value(row: Row, number: float | None) -> str:
    """A figure of a row with its unit; empty without one."""
    if number is None:
        return ""
    if row.unit == "s":
        scale, unit = (1e6, "µs") if number < 1e-3 else (1e3, "ms") if number < 1.0 else (1.0, "s")
        return f"{number * scale:.3g} {unit}" if number * scale < 1000 else f"{number * scale:,.0f} {unit}"
    if row.unit == "GiB":
        return f"{number:.2f} GiB"
    return f"{number:,.0f} {row.unit}" if number >= 100 else f"{number:.3g} {row.unit}"


def cells(row: Row) -> tuple[str, ...]:
    """A row under `HEAD`."""
    bounds = row.low is not None and row.high is not None
    between = f"{value(row, row.low)} – {value(row, row.high)}" if bounds else ""
    verdict = {True: "inside", False: "outside", None: ""}[row.inside]
    off = f"{100 * (row.ratio - 1):+.1f} %"
    return (row.label, value(row, row.measured), value(row, row.predicted), between, off, verdict)


def off(rows: Sequence[Row]) -> list[str]:
    """Which term is off, of figures outside their interval, or far off without one."""
    found = [row for row in rows if row.term]
    far = [row for row in found if row.inside is False or (row.inside is None and abs(row.ratio - 1) > WIDE_OFF)]
    return [f"off: {row.label}, {100 * (row.ratio - 1):+.0f} %: {row.term}" for row in far]


def title(one: Beside) -> str:
    """Where a measurement comes from, and under which load."""
    said = one.measurement
    load = dict(said.load)
    said_tool = printable(said.tool) + (f", {printable(said.source)}" if said.source else "")
    units = {"concurrency": "users", "input_tokens": "tokens in", "output_tokens": "out", "requests": "requests"}
    units |= {
        "requests_per_s": "requests/s",
        "max_model_len": "tokens at most",
        "cached_share": "of the prompts cached",
    }
    parts = [said_tool, ", ".join(f"{load[name]:,.10g} {unit}" for name, unit in units.items() if name in load)]
    if one.other:
        parts.append(f"of another build: {printable(said.build)}")
    return "; ".join(filter(None, parts))


def section(sizing: Sizing, look: Look) -> list[Line]:
    """What the session's logs measured, as a section of a page; nothing without any."""
    found = beside(sizing)
    if not found:
        return []
    lines = [heading("MEASURED", look.width, look.glyphs.rule, "beside predicted", "dim")]
    for one in found:
        lines += [line((part, "dim")) for part in wrap(look.glyphs.text(f" {title(one)}"), look.width)]
        table = [cells(row) for row in one.rows]
        kept = (0, 1, 2, 3, 4, 5) if look.width >= WIDE else (0, 1, 2, 4)
        widths = [max(len(row[column]) for row in (HEAD, *table)) for column in kept]
        for row, figure in zip(table, one.rows, strict=True):
            told = "  ".join(
                row[column].rjust(size) if column in (1, 2, 3, 4) else row[column].ljust(size)
                for column, size in zip(kept, widths, strict=True)
            )
            style = "bad" if figure.inside is False else ""
            lines.append((Span(shorten(look.glyphs.text(f" {told}"), look.width, look.glyphs.ellipsis), style),))
        lines += [
            line((shorten(look.glyphs.text(f" {words}"), look.width, look.glyphs.ellipsis), "dim"))
            for words in off(one.rows)
        ]
    return lines


WIDE = 92
"""Columns from which on the interval stands in the table as well."""
