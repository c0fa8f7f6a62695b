"""What a value of a file may be: checks made of checks, which hand on the value or say what is wrong with it.

The words for what is wrong are those of pydantic's errors, so that one `schema.explain` has the sentences of both:
pydantic checks what people write and takes 90 ms to import, these check what every start reads.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NotRequired, TypedDict

Check = Callable[[Any], Any]
"""A value as it stands in a file, to the value as a record holds it. Raises Refused."""


class Fault(TypedDict):
    """One thing that is wrong, in pydantic's words: its kind, the keys down to it, what was given, and the limit."""

    type: str
    loc: tuple[int | str, ...]
    msg: str
    input: Any
    ctx: NotRequired[dict[str, Any]]


class Refused(ValueError):
    """A value that a file may not hold."""

    def __init__(self, kind: str, given: Any, place: tuple[int | str, ...] = (), **context: Any) -> None:
        self.fault = Fault(type=kind, loc=place, msg=kind, input=given, ctx=context)
        super().__init__(kind)

    def under(self, key: int | str) -> Refused:
        """The same, of a value that stands below a key."""
        fault = self.fault
        return Refused(fault["type"], fault["input"], (key, *fault["loc"]), **fault["ctx"])


def text(longest: int | None = None) -> Check:
    """A text of up to `longest` characters."""

    def check(value: Any) -> str:
        if not isinstance(value, str):
            raise Refused("string_type", value)
        if longest is not None and len(value) > longest:
            raise Refused("string_too_long", value, max_length=longest)
        return value

    return check


def flag(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise Refused("bool_type", value)
    return value


def _out_of(value: Any, low: float | None, high: float | None, above: float | None) -> Refused:
    """Which limit a value breaks that breaks one."""
    if isinstance(value, float) and not math.isfinite(value):
        return Refused("finite_number", value)
    if high is not None and value > high:
        return Refused("less_than_equal", value, le=high)
    if low is not None and value < low:
        return Refused("greater_than_equal", value, ge=low)
    if above is not None and value <= above:
        return Refused("greater_than", value, gt=above)
    return Refused("finite_number", value)  # a whole number that no float can hold


def whole(low: int | None = None, high: int | None = None, above: int | None = None) -> Check:
    """A whole number, from `low` to `high`, more than `above`."""
    least = low if low is not None else -math.inf
    most = high if high is not None else math.inf

    def check(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise Refused("int_type", value)
        if not least <= value <= most or (above is not None and value <= above):
            raise _out_of(value, low, high, above)
        return value

    return check


def number(low: float | None = None, high: float | None = None, above: float | None = None) -> Check:
    """A finite number, from `low` to `high`, more than `above`; a whole one becomes a float."""
    least = low if low is not None else -sys.float_info.max
    most = high if high is not None else sys.float_info.max

    def check(value: Any) -> float:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise Refused("float_type", value)
        if not least <= value <= most or (above is not None and value <= above):
            raise _out_of(value, low, high, above)
        return float(value)

    return check


def one_of(words: Iterable[str]) -> Check:
    """One of these words."""
    known = tuple(words)
    *most, last = map(repr, known)
    expected = f"{', '.join(most)} or {last}" if most else last

    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in known:
            raise Refused("literal_error", value, expected=expected)
        return value

    return check


def optional(inner: Check) -> Check:
    """Nothing, or what `inner` takes."""

    def check(value: Any) -> Any:
        return None if value is None else inner(value)

    return check


def several(inner: Check) -> Check:
    """A list of any length, as a tuple."""

    def check(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple)):
            raise Refused("tuple_type", value)
        found: list[Any] = []
        try:
            for entry in value:
                found.append(inner(entry))
        except Refused as problem:
            raise problem.under(len(found)) from None
        return tuple(found)

    return check


def exactly(*inner: Check) -> Check:
    """A list of as many values as there are checks, as a tuple."""

    def check(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple)):
            raise Refused("tuple_type", value)
        if len(value) < len(inner):
            raise Refused("too_short", value)
        if len(value) > len(inner):
            raise Refused("too_long", value, max_length=len(inner))
        found: list[Any] = []
        try:
            for one, entry in zip(inner, value, strict=True):
                found.append(one(entry))
        except Refused as problem:
            raise problem.under(len(found)) from None
        return tuple(found)

    return check


class Table:
    """The keys of a table with their checks; `required` are those that it must have."""

    def __init__(self, checks: Mapping[str, Check], required: Iterable[str] = ()) -> None:
        self._checks = dict(checks)
        self._required = tuple(required)

    def __call__(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The values by key. Raises Refused: a key that nothing has, before what is written wrong, before what is missing.

        A misspelt key often is also why another one is missing.
        """
        checks = self._checks
        if not given.keys() <= checks.keys():
            key = next(key for key in given if key not in checks)
            raise Refused("extra_forbidden", given[key], (key,))
        found = {}
        try:
            for key, value in given.items():
                found[key] = checks[key](value)
        except Refused as problem:
            raise problem.under(key) from None
        for key in self._required:
            if key not in found:
                raise Refused("missing", dict(given), (key,))
        return found
