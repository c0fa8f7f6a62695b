"""What stands in for Python's own functions where a formula runs on numbers that remember.

On plain numbers each does exactly what the function of its name does. `max` and `min` keep every branch, not only the
one that won; `int` and `float` keep the memory.
"""

from __future__ import annotations

import builtins
import math
from types import SimpleNamespace
from typing import Any

from engine.figures.number import Number, expression, node, plain


def _extreme(name: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
    chosen = getattr(builtins, name)
    values = list(arguments[0]) if len(arguments) == 1 else list(arguments)
    if not values:
        return chosen((), **options)
    options.pop("default", None)
    if options or not any(isinstance(value, Number) for value in values):
        return chosen(values, **options)
    best = chosen(map(plain, values))
    kept = [value for value in values if isinstance(value, Number) or math.isfinite(value)]
    if math.isinf(best) or not kept:
        return best
    return kept[0] if len(kept) == 1 else expression(name, best, *map(node, kept))


def largest(*arguments: Any, **options: Any) -> Any:
    """`max` with all its branches."""
    return _extreme("max", arguments, options)


def smallest(*arguments: Any, **options: Any) -> Any:
    """`min` with all its branches."""
    return _extreme("min", arguments, options)


def whole(value: Any = 0, *base: Any) -> Any:
    """`int` of a number: its whole part."""
    if isinstance(value, Number):
        return value if isinstance(value.value, int) else expression("int", int(value.value), value)
    return int(value, *base)


def real(value: Any = 0.0) -> Any:
    """`float` of a number."""
    if isinstance(value, Number):
        return value if isinstance(value.value, float) else expression("float", float(value.value), value)
    return float(value)


def length(value: Any) -> Any:
    """`len`, which remembers where the things that were counted are a fact of their own."""
    counted = getattr(value, "length", None)
    return counted if isinstance(counted, Number) else len(value)


def _one(name: str) -> Any:
    plainly = getattr(math, name)

    def computed(value: Any) -> Any:
        return expression(name, plainly(value.value), value) if isinstance(value, Number) else plainly(value)

    return computed


def _by_value(name: str) -> Any:
    plainly = getattr(math, name)
    return lambda value: plainly(plain(value))


def divisor(one: Any, other: Any) -> Any:
    """`math.gcd`: the greatest common divisor."""
    value = math.gcd(plain(one), plain(other))
    if isinstance(one, Number) or isinstance(other, Number):
        return expression("gcd", value, node(one), node(other))
    return value


def _clamped_log(value: Any, *base: Any) -> Any:
    return expression("log", math.log(plain(value), *map(plain, base)), node(value), *map(node, base))


MATH = SimpleNamespace(
    **{name: getattr(math, name) for name in ("inf", "nan", "pi", "e", "prod")},
    **{name: _one(name) for name in ("ceil", "floor", "sqrt", "log2", "exp", "isqrt")},
    **{name: _by_value(name) for name in ("isinf", "isfinite", "isnan")},
    gcd=divisor,
    log=_clamped_log,
)
"""`math` of numbers that remember."""

BUILTINS: dict[str, Any] = {"max": largest, "min": smallest, "int": whole, "float": real, "len": length}
"""Python's own functions that would lose a branch or the memory; `sum`, `round` and `abs` lose neither."""
