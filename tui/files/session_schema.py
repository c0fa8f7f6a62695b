"""What a session file may hold: checks whose types are the engine's records and whose ranges are the one table's."""

from __future__ import annotations

import math

from catalog import checked
from catalog.checked import Check, Table
from catalog.schema import table_of
from engine.figures.records import dataclass
from engine.scenario.fields import BY_KEY
from engine.scenario.fields.field import LONGEST_ID


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts above all tables."""

    title: str = ""
    notes: str = ""


def _limited(key: str, kind: type) -> Check:
    """A value of a key within the limits of its field; `drift.FIGURES` has those of a [catalog] table."""
    entry = BY_KEY.get(key)
    if kind is str:
        return checked.text(entry.longest if entry is not None else LONGEST_ID)
    if kind is bool:
        return checked.flag
    bounds = (entry.low, entry.high) if entry is not None else (-math.inf, math.inf)
    low, high = (bound if math.isfinite(bound) else None for bound in bounds)
    if kind is int:
        return checked.whole(None if low is None else int(low), None if high is None else int(high))
    return checked.number(low, high)


_TABLES: dict[str, Table] = {}


def table_check(table: str, record: type) -> Table:
    """The check of a table of a session that fills a record: its keys alone, in their types, within limits.

    table: its name, or nothing for the texts above all tables.
    """
    if table not in _TABLES:
        prefix = f"{table}." if table else ""
        _TABLES[table] = table_of(record, lambda key, kind: _limited(f"{prefix}{key}", kind))
    return _TABLES[table]
