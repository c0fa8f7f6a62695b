"""What files and tools of other people may say: pydantic models with limits on range, length, size and depth.

Imported only when such a file is read (pydantic costs 90 ms); what the program ships with is checked by its tests. The
entries of a catalog file are the engine's records, key by key; the limits of a key follow from the unit in its name.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    RootModel,
    ValidationError,
    create_model,
    model_validator,
)

from catalog.bounded import DEEPEST
from catalog.errors import CatalogError
from catalog.schema import explain, first_error, keys_of, tupled
from engine.figures.text import LONGEST_NAME, NAME_ALLOWED, nameable

Record = TypeVar("Record")


class Boundary(BaseModel):
    """What a file may hold: its keys alone, in their types, and finite numbers."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)


def _named(text: str) -> str:
    if not nameable(text):
        raise ValueError(NAME_ALLOWED)
    return text


def _identity(text: str) -> str:
    if not nameable(text) or text.startswith("-"):  # a command takes a word with a dash first for an option
        raise ValueError(f"{NAME_ALLOWED}, no dash first")
    return text


Name = Annotated[str, AfterValidator(_named)]
Identity = Annotated[str, AfterValidator(_identity)]
Place = Annotated[str, Field(min_length=1, max_length=1024)]
Prose = Annotated[str, Field(max_length=4000)]
_IDENTITIES: Final = frozenset({"id", "hf_id", "model_id", "accelerator", "platform", "link"})
_PROSE: Final = re.compile(
    r"notes?|text|source|\w+_(?:note|conditions)|p2p|gpu_link|topology|storage|cooling|circuit|part|item"
)
LONGEST_LIST: Final = 256

# Limits of a number by the unit in its key, the first that matches; each bound is far beyond anything that is built.
_RANGES: Final[tuple[tuple[str, float, float, bool], ...]] = (
    # pattern on the key, least, most, whether the least itself is refused
    (r"\w*usd\w*|\w*_eur", 0, 1e9, False),
    (r"\w*efficiency\w*|\w*uncertainty", 0, 1, True),
    (r"\w*(?:tflops|tops)\w*", 0, 1e6, True),
    (r"\w*(?:gb|gbit)_s\w*", 0, 1e6, True),
    (r"memory_mib\w*", 0, 2**30, True),
    (r"\w*_(?:gb|gib)(?:_\w+)?", 0, 2**30, True),
    (r"\w*_w(?:_\w+)?|\w*power\w*_w\w*", 0, 1e8, False),
    (r"\w*_(?:us|ns)(?:_\w+)?", 0, 1e9, False),
    (r"value\w*", -1e12, 1e12, False),
    (r"\w*_by_bytes", 0, 1e15, False),
)
_OTHER_FLOAT: Final = (0.0, 1e12, False)
_OTHER_INT: Final = (0, 2**31, False)
_COUNTS: Final = re.compile(r"gpus|nodes|max_gpus\w*|nics_per_node")


def _number(key: str, kind: type) -> Any:
    low, high, exclusive = _OTHER_INT if kind is int else _OTHER_FLOAT
    if _COUNTS.fullmatch(key):
        low, high, exclusive = 1, 2**20, False
    for pattern, least, most, open_end in _RANGES:
        if re.fullmatch(pattern, key):
            low, high, exclusive = least, most, open_end
            break
    return Annotated[kind, Field(gt=low, le=high) if exclusive else Field(ge=low, le=high)]


def _limited(key: str, hint: Any) -> Any:
    """The type of a key with its limits. Raises TypeError for a type that no file can hold."""
    if hint is str:
        if key in _IDENTITIES:
            return Identity
        if key == "config":
            return Place
        return Prose if _PROSE.fullmatch(key) else Name
    if hint in (int, float):
        return _number(key, hint)
    if hint in (bool, NoneType):
        return hint
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Literal:
        return hint
    if origin in (Union, UnionType):
        return Union[tuple(_limited(key, part) for part in parts)]  # noqa: UP007 # of parts that are made here
    if origin is tuple:
        inner = tuple(part if part is Ellipsis else _limited(key, part) for part in parts)
        return Annotated[tuple[inner], Field(max_length=LONGEST_LIST)]  # type: ignore[valid-type] # made at run time
    raise TypeError(f"{hint} has no place in a file")


_MODELS: dict[type, type[Boundary]] = {}


def entry_model(record: type) -> type[Boundary]:
    """The pydantic model of a record of the catalog: each of its keys, within limits. Made once."""
    if record in _MODELS:
        return _MODELS[record]
    hints = get_type_hints(record)
    fields: dict[str, Any] = {}
    for entry in dataclasses.fields(record):
        if entry.name not in keys_of(record):  # measured by the person
            continue
        required = entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING
        fields[entry.name] = (_limited(entry.name, hints[entry.name]), ... if required else entry.default)
    _MODELS[record] = create_model(f"{record.__name__}Entry", __base__=Boundary, **fields)
    return _MODELS[record]


def entry(record: type[Record], raw: Mapping[str, Any], file: str, name: str) -> Record:
    """A record from one entry of a person's file. Raises CatalogError naming file, entry and key."""
    try:
        taken = entry_model(record).model_validate({key: tupled(value) for key, value in raw.items()})
    except ValidationError as problem:
        key, reason = explain(first_error(problem), keys_of(record))
        raise CatalogError(f"{file}, {name}", key, reason) from None
    return record(**{key: getattr(taken, key) for key in keys_of(record)})


# config.json

MOST_VALUES: Final = 500_000
"""Values of a config.json: the largest published one, with the names of its quantized modules, has some 50,000."""
LARGEST_NUMBER: Final = 2.0**63


class PublishedConfig(RootModel[dict[str, JsonValue]]):
    """A config.json as its publisher wrote it: one object, not deep, not endless. Its keys are read by `hf.reader`."""

    model_config = ConfigDict(strict=True)

    @model_validator(mode="after")
    def bounded(self) -> PublishedConfig:
        """Refuse what nests or goes on without end, and numbers that no machine has."""
        level: list[Any] = [self.root]
        values = 0
        for _ in range(DEEPEST + 1):
            values += len(level)
            if values > MOST_VALUES:
                raise ValueError(f"holds more than {MOST_VALUES:,} values")
            below: list[Any] = []
            for value in level:
                if isinstance(value, dict):
                    if any(len(key) > 10 * LONGEST_NAME for key in value):
                        raise ValueError(f"has a key of more than {10 * LONGEST_NAME:,} characters")
                    below += value.values()
                elif isinstance(value, list):
                    below += value
                elif isinstance(value, int) and abs(value) > LARGEST_NUMBER:
                    raise ValueError("holds a number of more than 63 bits")
            if not below:
                return self
            level = below
        raise ValueError(f"is nested too deeply; allowed: {DEEPEST} levels")


def published_config(data: Any, where: str) -> dict[str, Any]:
    """The object of a config.json within limits. Raises CatalogError."""
    try:
        return PublishedConfig.model_validate(data).root
    except ValidationError as problem:
        first = problem.errors()[0]
        if first["type"] == "value_error":
            reason = str(first["ctx"]["error"])
        else:
            reason = "must hold one JSON object" if len(first["loc"]) == 0 else "holds what JSON has no word for"
        raise CatalogError(where, "", reason) from None


# GGUF


class GgufCounts(Boundary):
    """The first numbers of a GGUF file. No model has a hundred thousand tensors, no header a thousand keys."""

    version: Annotated[int, Field(ge=2, le=3)]
    tensors: Annotated[int, Field(ge=0, le=2**17)]
    pairs: Annotated[int, Field(ge=0, le=2**12)]


class GgufShape(Boundary):
    """Name and sides of a tensor, as ggml has them: up to four, none of them beyond 2^40."""

    name: Annotated[str, Field(max_length=LONGEST_NAME)]
    shape: Annotated[tuple[Annotated[int, Field(ge=0, le=2**40)], ...], Field(max_length=4)]


# nvidia-smi


class GpuRow(Boundary):
    """One GPU as the driver's tool tells it; None is what it does not say."""

    name: Annotated[Name, Field(min_length=1)]
    memory_mib: Annotated[int, Field(ge=0, le=2**30)] | None = None
    power_limit_w: Annotated[float, Field(ge=0, le=1e6)] | None = None
    pcie_gen: Annotated[int, Field(ge=0, le=100)] | None = None
    pcie_lanes: Annotated[int, Field(ge=0, le=1024)] | None = None
    compute_capability: Name = ""
    driver: Name = ""
