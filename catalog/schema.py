"""One schema for records and their files: pydantic validators made from the engine's frozen dataclasses.

The validators are built on pydantic's core itself: the same checks and errors, without the 100 ms that importing
pydantic and creating its model classes would add to every start.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic_core import CoreConfig, ErrorDetails, SchemaValidator, ValidationError, core_schema

from catalog import twin
from catalog.bounded import Unusable, read_file, toml_of
from catalog.errors import CatalogError
from catalog.ids import nearest
from engine.figures.text import clipped, shown

MAX_FILE_BYTES = 4 * 2**20
_STRICT = CoreConfig(extra_fields_behavior="forbid", strict=True, allow_inf_nan=False)
_SCALARS: Mapping[type, core_schema.CoreSchema] = {
    str: core_schema.str_schema(),
    int: core_schema.int_schema(),
    float: core_schema.float_schema(),
    bool: core_schema.bool_schema(),
    NoneType: core_schema.none_schema(),
}

Record = TypeVar("Record")
_VALIDATORS: dict[type, SchemaValidator] = {}
_KEYS: dict[type, tuple[str, ...]] = {}


def keys_of(record: type) -> tuple[str, ...]:
    """The keys that an entry of this record may have, in order."""
    if record not in _KEYS:
        _KEYS[record] = tuple(field.name for field in dataclasses.fields(record) if "own" not in field.metadata)
    return _KEYS[record]


Limits = Callable[[str, type], core_schema.CoreSchema]
"""What a single value of a key must look like, by the key and its type."""


def _unlimited(_: str, kind: type) -> core_schema.CoreSchema:
    return _SCALARS[kind]


def _schema_of(key: str, hint: Any, limits: Limits) -> core_schema.CoreSchema:
    """What a value of this type must look like in a file. Raises TypeError for a type that no file can hold."""
    if hint in _SCALARS:
        return _SCALARS[hint] if hint is NoneType else limits(key, hint)
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Literal:
        return core_schema.literal_schema(list(parts))
    if origin in (Union, UnionType):
        others = [part for part in parts if part is not NoneType]
        choice = (
            _schema_of(key, others[0], limits)
            if len(others) == 1
            else core_schema.union_schema([_schema_of(key, part, limits) for part in others])
        )
        return core_schema.nullable_schema(choice) if len(others) < len(parts) else choice
    if origin is tuple:
        repeated = parts[-1] is Ellipsis
        items = [_schema_of(key, part, limits) for part in parts if part is not Ellipsis]
        return core_schema.tuple_schema(items, variadic_item_index=0 if repeated else None)
    raise TypeError(f"{hint} has no place in a file")


def validator_of(record: type, limits: Limits = _unlimited) -> SchemaValidator:
    """A validator of a frozen dataclass's fields as a table: strict types, finite numbers, nothing extra."""
    hints = get_type_hints(record)
    fields = {
        field.name: core_schema.typed_dict_field(
            _schema_of(field.name, hints[field.name], limits),
            required=field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
        )
        for field in dataclasses.fields(record)
        if field.name in keys_of(record)
    }
    return SchemaValidator(core_schema.typed_dict_schema(fields, config=_STRICT))


def _validator(record: type) -> SchemaValidator:
    if record not in _VALIDATORS:
        _VALIDATORS[record] = validator_of(record)
    return _VALIDATORS[record]


def check(record: type[Record], raw: Mapping[str, Any]) -> Record:
    """A record from plain data; a list stands for a tuple. Raises pydantic's ValidationError."""
    return record(**_validator(record).validate_python({key: tupled(value) for key, value in raw.items()}))


def explain(error: ErrorDetails, known: Iterable[str]) -> tuple[str, str]:
    """(key, reason) of one pydantic error, in words for people: what is wrong and what is allowed."""
    key, reason, allowed = explained(error, known)
    return key, f"{reason}; allowed: {allowed}" if allowed else reason


def explained(error: ErrorDetails, known: Iterable[str]) -> tuple[str, str, str]:
    """(key, what is wrong, what is allowed) of one pydantic error, the last empty where the second says all."""
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


def first_error(problem: ValidationError) -> ErrorDetails:
    """The error to tell first: a misspelt key, which often is also why another one is missing, then what is written."""
    rank = {"extra_forbidden": 0, "missing": 2}
    return min(problem.errors(), key=lambda error: rank.get(error["type"], 1))


def tupled(value: Any) -> Any:
    """Lists as tuples, also inside each other: what a frozen record holds."""
    return tuple(tupled(item) for item in value) if isinstance(value, list) else value


def build(record: type[Record], raw: Mapping[str, Any], file: str, entry: str) -> Record:
    """A record from one entry of a file. Raises CatalogError naming file, entry and key."""
    try:
        return check(record, raw)
    except ValidationError as problem:
        key, reason = explain(first_error(problem), keys_of(record))
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
