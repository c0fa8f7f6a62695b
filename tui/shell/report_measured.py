"""What a session's logs measured beside what is predicted, as blocks of a report and as data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from engine.decide.beside import beside
from engine.sizing import Sizing
from tui.pages import beside as words
from tui.shell.blocks import Block, Bullets, Heading, Paragraph, Table


def measured_blocks(sizing: Sizing, level: int = 2) -> Iterator[Block]:
    """A table for each log; nothing without any."""
    found = beside(sizing)
    if not found:
        return
    yield Heading("Measured beside predicted", level)
    for one in found:
        yield Paragraph(words.title(one))
        if one.rows:
            yield Table(words.HEAD, tuple(map(words.cells, one.rows)), left=(0, 5))
        off = words.off(one.rows)
        if off:
            yield Bullets(tuple((line, ()) for line in off))


def measured_data(sizing: Sizing, number: Callable[[Any], Any]) -> list[dict[str, Any]]:
    """The same under stable names; figures of another build stand alone. number: how a report writes one."""
    made = []
    for one in beside(sizing):
        said = one.measurement
        predicted = {row.key: row for row in one.rows}
        rows = []
        for name, measured in said.figures:
            row = predicted.get(name)
            interval = (
                None if row is None or row.low is None or row.high is None else [number(row.low), number(row.high)]
            )
            rows.append(
                {
                    "figure": name,
                    "measured": number(measured),
                    "predicted": None if row is None else number(row.predicted),
                    "interval": interval,
                    "inside": None if row is None else row.inside,
                }
            )
        told = {"tool": said.tool, "source": said.source, "build": said.build, "this_build": not one.other}
        made.append({**told, "load": dict(said.load), "figures": rows})
    return made
