"""Builds side by side without a terminal, how two differ, and how far one field of a build may go."""

from __future__ import annotations

from collections.abc import Sequence

from engine.decide.answer import STATUS_WORDS
from engine.decide.solve import Edge, Solved, Tried
from engine.figures.sentences import text_of
from engine.figures.text import clipped, harmless, printable
from engine.scenario import Scenario
from engine.scenario.change import value_of
from engine.scenario.fields import BY_KEY
from engine.sizing import Sizing
from tui.files.fields import value_words
from tui.pages.compare import ROWS
from tui.pages.glyphs import UNICODE
from tui.shell.blocks import json_line
from tui.shell.listing import aligned
from tui.shell.report_data import data_of

LONGEST = 28
NOTHING = UNICODE.dash


def rows_of(sizings: Sequence[Sizing]) -> list[tuple[str, list[str]]]:
    """The compared figures, those that none of the builds has left out."""
    found = [("answer", [STATUS_WORDS[one.answer.status] for one in sizings])]
    found += [(row.label, [row.words(one, UNICODE) for one in sizings]) for row in ROWS]
    return [(label, cells) for label, cells in found if any(cell != NOTHING for cell in cells)]


def table(names: Sequence[str], sizings: Sequence[Sizing]) -> str:
    """The builds as columns, a figure a row."""
    heads = [clipped(printable(name), LONGEST) for name in names]
    rows = [("", *heads), *((label, *cells) for label, cells in rows_of(sizings))]
    return harmless("\n".join(aligned(rows, (True, *(False for _ in heads)))) + "\n")


def fields_that_differ(one: Scenario, other: Scenario) -> list[tuple[str, str, str]]:
    """The fields of a session that two builds have otherwise: key, and both values in words."""
    found = []
    for key in BY_KEY:
        values = [value_of(scenario, key) for scenario in (one, other)]
        if values[0] != values[1]:
            first, second = (clipped(printable(value_words(key, value)), 60) for value in values)
            found.append((key, first, second))
    return found


def differences(names: tuple[str, str], sizings: tuple[Sizing, Sizing], form: str) -> tuple[bool, str]:
    """Whether two builds differ in what was entered, and how: fields, then figures."""
    fields = fields_that_differ(*(one.scenario for one in sizings))
    figures = [(label, *cells) for label, cells in rows_of(sizings) if cells[0] != cells[1]]
    if form == "json":
        data = {
            "fields": [{"field": key, "a": first, "b": second} for key, first, second in fields],
            "figures": [{"figure": label, "a": first, "b": second} for label, first, second in figures],
        }
        return bool(fields), json_line(data)
    if not fields:
        return False, ""
    heads = [clipped(printable(name), LONGEST) for name in names]
    rows = [("", *heads), *fields, ("", "", ""), *figures] if figures else [("", *heads), *fields]
    return True, harmless("\n".join(aligned(rows, (True, False, False))) + "\n")


def solved(found: Solved, form: str) -> str:
    """How far a field may go, in a few lines."""
    if form == "json":
        return json_line(_data(found))
    key, unit = found.field.key, f" {found.field.unit}" if found.field.unit else ""
    if found.tried:
        lines = [f"{key}:"]
        for one in found.tried:
            mark = " (as entered)" if one.value == found.here.value else ""
            lines.append(f"  {value_words(key, one.value)}{mark}: {_came(one)}")
        return harmless("\n".join(lines) + "\n")
    lines = []
    if not found.here.runs:
        lines.append(f"{key} = {value_words(key, found.here.value)}{unit}: {_came(found.here)}")
    lines += [_edge(edge, key, unit, found.here.runs) for edge in found.edges]
    if not found.edges:
        lines.append(f"{key}: no value that was tried makes it run")
    return harmless("\n".join(lines) + "\n")


def _edge(edge: Edge, key: str, unit: str, here: bool) -> str:
    last = f"{value_words(key, edge.last)}{unit}"
    end = "largest" if edge.up else "smallest"
    if edge.beyond is None:
        return f"{key}: nothing stops it {'up' if edge.up else 'down'} to {last}"
    side = f"the {end} that still runs" if here else f"the {end} that runs"
    return f"{key} = {last}: {side}; at {value_words(key, edge.beyond.value)}{unit} {_came(edge.beyond)}"


def _came(one: Tried) -> str:
    if one.runs:
        return STATUS_WORDS[one.status] if one.status is not None else ""
    word = STATUS_WORDS[one.status] if one.status is not None else "IMPOSSIBLE"
    why = clipped(printable(text_of(one.why)), 200)
    return f"{word}: {why}" if why else word


def _data(found: Solved) -> dict[str, object]:
    def tried(one: Tried) -> dict[str, object]:
        return {"value": data_of(one.value), "status": one.status, "why": text_of(one.why)}

    return {
        "field": found.field.key,
        "here": tried(found.here),
        "edges": [
            {
                "end": "largest" if edge.up else "smallest",
                "last": data_of(edge.last),
                "beyond": tried(edge.beyond) if edge.beyond else None,
            }
            for edge in found.edges
        ],
        "tried": [tried(one) for one in found.tried],
    }
