"""Tables for spreadsheets: the shapes of Scaling, and the builds of `recommend`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from engine.figures.text import printable
from engine.sizing import Sizing
from tui.shell.builds import Found, as_data

SCALING = (
    "session", "configuration", "gpus", "parallelism", "fabric", "efficiency", "tokens_per_s_gpu", "tokens_per_s_total", "users",
    "in_use", "below_floor", "source",
)  # fmt: skip


def written(rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV; a cell that a spreadsheet would take for a formula gets an apostrophe before it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return out.getvalue()


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int):
        return value
    text = printable(str(value))
    return f"'{text}" if text[:1] in "=+-@\t" and text[:1] else text


def scaling(sizings: Iterable[tuple[str, Sizing]]) -> str:
    """The shapes of the Scaling tables, one a row, under their names."""
    rows: list[Sequence[object]] = [SCALING]
    for name, sizing in sizings:
        rows += [(name, *(getattr(row, key, None) for key in SCALING[1:])) for row in sizing.scaling]
    return written(rows)


def builds(found: Found) -> str:
    """The builds of a search, one a row: its plain data, nested keys joined by a dot."""
    listed = [_flat(one) for one in as_data(found)["recommendations"]]
    heads = list(dict.fromkeys(key for one in listed for key in one))
    return written([heads, *([one.get(key) for key in heads] for one in listed)])


def _flat(value: dict[str, object], before: str = "") -> dict[str, object]:
    made: dict[str, object] = {}
    for key, item in value.items():
        if isinstance(item, dict):
            made |= _flat(item, f"{before}{key}.")
        elif isinstance(item, list):
            made[f"{before}{key}"] = "; ".join(str(one) for one in item if not isinstance(one, dict))
        else:
            made[f"{before}{key}"] = item
    return made
