"""What a session file may hold: pydantic models whose types are the engine's records and whose ranges are the one table's.

Imported only when a person's file is read: pydantic costs 90 ms, and nothing else of a start needs it.
"""

from __future__ import annotations

import dataclasses
import math
from types import NoneType
from typing import Annotated, Any, Union, get_args, get_type_hints

from pydantic import Field, create_model

from catalog.boundary import Boundary
from engine.scenario.fields import BY_KEY
from engine.scenario.fields import Field as Entry
from engine.scenario.fields.field import LONGEST_ID


class Texts(Boundary):
    """The texts above all tables."""

    title: Annotated[str, Field(max_length=BY_KEY["title"].longest)] = ""
    notes: Annotated[str, Field(max_length=BY_KEY["notes"].longest)] = ""


def _limited(kind: Any, entry: Entry | None) -> Any:
    """The type of a key, without None, within the limits of its field; `drift.FIGURES` has those of a [catalog] table."""
    if kind is str:
        return Annotated[str, Field(max_length=entry.longest if entry is not None else LONGEST_ID)]
    if kind is bool or kind not in (int, float) or entry is None:
        return kind
    low, high = (kind(bound) if math.isfinite(bound) else None for bound in (entry.low, entry.high))
    return Annotated[kind, Field(ge=low, le=high)]


_MADE: dict[str, type[Boundary]] = {}


def table_model(table: str, record: type) -> type[Boundary]:
    """The pydantic model of a table of a session that fills a record: its keys alone, in their types, within limits."""
    if table not in _MADE:
        _MADE[table] = _made(table, record)
    return _MADE[table]


def _made(table: str, record: type) -> type[Boundary]:
    hints = get_type_hints(record)
    keys: dict[str, Any] = {}
    for field in dataclasses.fields(record):
        hint, entry = hints[field.name], BY_KEY.get(f"{table}.{field.name}")
        parts = [part for part in get_args(hint) if part is not NoneType] if NoneType in get_args(hint) else [hint]
        kinds = tuple(_limited(part, entry) for part in parts)
        if NoneType in get_args(hint):
            kinds = (*kinds, NoneType)
        keys[field.name] = (Union[kinds], ... if field.default is dataclasses.MISSING else field.default)  # noqa: UP007
    made: type[Boundary] = create_model(f"{table.capitalize()}Table", __base__=Boundary, **keys)
    return made
