"""What a session file may hold: validators whose types are the engine's records and whose ranges are the one table's.

They are built on pydantic's core, as the catalog's are: importing pydantic would add 60 ms to every `report`.
"""

from __future__ import annotations

import math

from pydantic_core import SchemaValidator, core_schema

from catalog.schema import validator_of
from engine.figures.records import dataclass
from engine.scenario.fields import BY_KEY
from engine.scenario.fields.field import LONGEST_ID


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts above all tables."""

    title: str = ""
    notes: str = ""


def _limited(key: str, kind: type) -> core_schema.CoreSchema:
    """A value of a key within the limits of its field; `drift.FIGURES` has those of a [catalog] table."""
    entry = BY_KEY.get(key)
    if kind is str:
        return core_schema.str_schema(max_length=entry.longest if entry is not None else LONGEST_ID)
    if kind is bool:
        return core_schema.bool_schema()
    bounds = (entry.low, entry.high) if entry is not None else (-math.inf, math.inf)
    low, high = (bound if math.isfinite(bound) else None for bound in bounds)
    if kind is int:
        return core_schema.int_schema(ge=None if low is None else int(low), le=None if high is None else int(high))
    return core_schema.float_schema(ge=low, le=high)


_VALIDATORS: dict[str, SchemaValidator] = {}


def table_validator(table: str, record: type) -> SchemaValidator:
    """The validator of a table of a session that fills a record: its keys alone, in their types, within limits.

    table: its name, or nothing for the texts above all tables.
    """
    if table not in _VALIDATORS:
        prefix = f"{table}." if table else ""
        _VALIDATORS[table] = validator_of(record, lambda key, kind: _limited(f"{prefix}{key}", kind))
    return _VALIDATORS[table]
