"""One schema for records and their files: checks made from the types of the engine's records, and words for errors."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin

from catalog import checked, twin
from catalog.bounded import Unusable, read_file, toml_of
from catalog.checked import Check, Fault, Refused, Table
from catalog.errors import CatalogError
from catalog.ids import nearest
from engine.figures.text import clipped, shown

if TYPE_CHECKING:
    from pydantic import ValidationError

MAX_FILE_BYTES = 4 * 2**20
_SCALARS: Mapping[type, Check] = {
    str: checked.text(),
    int: checked.whole(),
    float: checked.number(),
    bool: checked.flag,
}

Record = TypeVar("Record")
_KEYS: dict[type, tuple[str, ...]] = {}


def keys_of(record: type) -> tuple[str, ...]:
    """The keys that an entry of this record may have, in order: not what is the record's own, found or measured."""
    if record not in _KEYS:
        _KEYS[record] = tuple(field.name for field in dataclasses.fields(record) if "own" not in field.metadata)
    return _KEYS[record]


Limits = Callable[[str, type], Check]
"""What a single value of a key must look like, by the key and its type."""


_TABLES: dict[tuple[type, Limits], Table] = {}


def unlimited(_: str, kind: type) -> Check:
    """Any value of the type."""
    return _SCALARS[kind]


def _check_of(key: str, hint: Any, limits: Limits) -> Check:
    """What a value of this type must look like in a file. Raises TypeError for a type that no file can hold."""
    if hint in _SCALARS:
        return limits(key, hint)
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Literal:
        return checked.one_of(parts)
    if origin in (Union, UnionType):
        others = [part for part in parts if part is not NoneType]
        if len(others) > 1 and all(get_origin(part) is Literal for part in others):
            inner = checked.one_of(word for part in others for word in get_args(part))
        elif len(others) == 1:
            inner = _check_of(key, others[0], limits)
        else:
            raise TypeError(f"{hint} has no place in a file")
        return checked.optional(inner) if len(others) < len(parts) else inner
    if origin is tuple:
        items = [_check_of(key, part, limits) for part in parts if part is not Ellipsis]
        return checked.several(items[0]) if parts[-1] is Ellipsis else checked.exactly(*items)
    raise TypeError(f"{hint} has no place in a file")


@lru_cache(maxsize=512)
def _hint(module: str, text: str) -> Any:
    """The type that an annotation of a module names. `typing.get_type_hints` compiles each of them anew: 2 ms a start."""
    return eval(text, dict(vars(sys.modules[module])))


def table_of(record: type, limits: Limits = unlimited) -> Table:
    """The check of a record's fields as a table: strict types, finite numbers, nothing extra."""
    known = [field for field in dataclasses.fields(record) if field.name in keys_of(record)]
    return Table(
        {field.name: _check_of(field.name, _hint(record.__module__, str(field.type)), limits) for field in known},
        required=[
            field.name
            for field in known
            if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        ],
    )


def check(record: type[Record], raw: Mapping[str, Any], limits: Limits = unlimited) -> Record:
    """A record from plain data; a list stands for a tuple. Raises Refused."""
    table = _TABLES.get((record, limits))
    if table is None:
        table = _TABLES[record, limits] = table_of(record, limits)
    return record(**table(raw))


def explain(error: Fault, known: Iterable[str]) -> tuple[str, str]:
    """(key, reason) of one fault, in words for people: what is wrong and what is allowed."""
    key, reason, allowed = explained(error, known)
    return key, f"{reason}; allowed: {allowed}" if allowed else reason


def explained(error: Fault, known: Iterable[str]) -> tuple[str, str, str]:
    """(key, what is wrong, what is allowed) of one fault, the last empty where the second says all."""
    key = ".".join(str(part) for part in error["loc"])
    kind, context = error["type"], error.get("ctx", {})
    given = shown(error.get("input"))
    if kind == "extra_forbidden":
        near = nearest(key, known, 1)
        return key, "unknown key" + (f"; the nearest known one is {near[0]}" if near else ""), ""
    if kind == "missing":
        return key, "this key is required", ""
    if kind == "literal_error":
        return key, f"{given} is not accepted", context.get("expected", "")
    if kind == "value_error":
        return key, f"{given} is not accepted", str(context.get("error", ""))
    bounds = {
        "greater_than": "above {gt:,.15g}",
        "greater_than_equal": "{ge:,.15g} or more",
        "less_than_equal": "up to {le:,.15g}",
        "string_too_long": "up to {max_length:,} characters",
        "too_long": "up to {max_length:,} values",
        "string_too_short": "some text",
    }
    if kind in bounds and context:
        return key, f"{given} is not accepted", bounds[kind].format(**context)
    expected = {
        "string_type": "text in quotes",
        "int_type": "a whole number",
        "int_from_float": "a whole number",
        "float_type": "a number",
        "bool_type": "true or false",
        "finite_number": "a finite number",
        "tuple_type": "a list",
        "too_short": "a longer list",
        "dict_type": "a table",
    }.get(kind)
    if expected is None:
        return key, clipped(f"{given} is not accepted: {error['msg']}", 200), ""
    return key, f"{'nothing' if given == 'None' else given} is not accepted", expected


def first_error(problem: ValidationError) -> Fault:
    """The error of pydantic to tell first: a misspelt key, which often is also why another one is missing, then what is written."""
    rank = {"extra_forbidden": 0, "missing": 2}
    return min(problem.errors(), key=lambda error: rank.get(error["type"], 1))


def tupled(value: Any) -> Any:
    """Lists as tuples, also inside each other: what a frozen record holds."""
    return tuple(tupled(item) for item in value) if isinstance(value, list) else value


def build(record: type[Record], raw: Mapping[str, Any], file: str, entry: str, limits: Limits = unlimited) -> Record:
    """A record from one entry of a file. Raises CatalogError naming file, entry and key."""
    try:
        return check(record, raw, limits)
    except Refused as problem:
        key, reason = explain(problem.fault, keys_of(record))
        raise CatalogError(f"{file}, {entry}", key, reason) from None


PARSED = twin.DATA / twin.NAME


@lru_cache(maxsize=1)
def _parsed() -> dict[str, Any]:
    try:
        stored = json.loads(PARSED.read_bytes())
    except (OSError, ValueError):  # it is only a shortcut: the TOML files are what counts
        return {}
    return stored if isinstance(stored, dict) else {}


def read_shipped(path: Path) -> dict[str, Any]:
    """A TOML file of the package, from its JSON twin while that is of the same state. Raises CatalogError."""
    stored = _parsed().get(path.name, {})
    try:
        if stored and stored["of"] == twin.fingerprint(path.read_bytes()):
            data: dict[str, Any] = stored["data"]
            return data
    except OSError:
        pass  # read_toml says what is wrong
    return read_toml(path)


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as plain data. Raises CatalogError when it cannot be read or is not TOML."""
    try:
        return toml_of(read_file(path, MAX_FILE_BYTES, "catalog file").decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise CatalogError(str(path), "", "not UTF-8 text") from None
    except Unusable as problem:
        raise CatalogError(f"{path}:{problem.line}" if problem.line else str(path), "", str(problem)) from None
