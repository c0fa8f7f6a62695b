"""One schema for records and their files: pydantic models made from the engine's frozen dataclasses."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic_core import ErrorDetails

from catalog.errors import CatalogError
from catalog.ids import nearest

MAX_FILE_BYTES = 4 * 2**20
_STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

Record = TypeVar("Record")


def keys_of(record: type) -> tuple[str, ...]:
    """The keys that an entry of this record may have, in order."""
    return tuple(field.name for field in dataclasses.fields(record))


_MODELS: dict[type, type[BaseModel]] = {}


def model_of(record: type) -> type[BaseModel]:
    """The pydantic model of a frozen dataclass: the same fields, strict types, nothing extra. Built once."""
    if record in _MODELS:
        return _MODELS[record]
    hints = get_type_hints(record)
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(record):
        default: Any = ...
        if field.default is not dataclasses.MISSING:
            default = field.default
        elif field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        fields[field.name] = (hints[field.name], default)
    made: type[BaseModel] = create_model(record.__name__, __config__=_STRICT, **fields)
    _MODELS[record] = made
    return made


def explain(error: ErrorDetails, known: Iterable[str]) -> tuple[str, str]:
    """(key, reason) of one pydantic error, in words for people."""
    key = ".".join(str(part) for part in error["loc"])
    kind, context = error["type"], error.get("ctx", {})
    given = error.get("input")
    if kind == "extra_forbidden":
        near = nearest(key, known, 1)
        return key, "unknown key" + (f"; the nearest known one is {near[0]}" if near else "")
    if kind == "missing":
        return key, "this key is required"
    if kind == "literal_error":
        return key, f"{given!r} is not accepted; allowed: {context.get('expected', '')}"
    expected = {
        "string_type": "text in quotes",
        "int_type": "a whole number",
        "int_from_float": "a whole number",
        "float_type": "a number",
        "bool_type": "true or false",
        "finite_number": "a finite number",
        "tuple_type": "a list",
        "too_short": "a longer list",
        "too_long": "a shorter list",
        "dict_type": "a table",
    }.get(kind)
    if expected is None:
        return key, str(error["msg"])
    shown = "nothing" if given is None else repr(given)
    return key, f"{shown} is not accepted; allowed: {expected}"


def first_error(problem: ValidationError) -> ErrorDetails:
    """The error to tell first: a misspelt key, which often is also why another one is missing."""
    errors = problem.errors()
    return next((error for error in errors if error["type"] == "extra_forbidden"), errors[0])


def _tupled(value: Any) -> Any:
    return tuple(_tupled(item) for item in value) if isinstance(value, list) else value


def build(record: type[Record], raw: Mapping[str, Any], file: str, entry: str) -> Record:
    """A record from one entry of a file. Raises CatalogError naming file, entry and key."""
    try:
        checked = model_of(record).model_validate({key: _tupled(value) for key, value in raw.items()})
    except ValidationError as problem:
        key, reason = explain(first_error(problem), keys_of(record))
        raise CatalogError(f"{file}, {entry}", key, reason) from None
    return record(**{name: getattr(checked, name) for name in keys_of(record)})


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as plain data. Raises CatalogError when it cannot be read or is not TOML."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise CatalogError(str(path), "", f"larger than {MAX_FILE_BYTES // 2**20} MiB")
        return tomllib.loads(path.read_bytes().decode("utf-8"))
    except OSError as problem:
        raise CatalogError(str(path), "", problem.strerror or "cannot be read") from None
    except UnicodeDecodeError:
        raise CatalogError(str(path), "", "not UTF-8 text") from None
    except tomllib.TOMLDecodeError as problem:
        raise CatalogError(str(path), "", f"not TOML: {problem}") from None
