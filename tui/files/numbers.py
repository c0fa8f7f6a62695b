"""Numbers as people type them: 8k, 1.5T, 256Ki, 90 %, 500 ms. Pure; the displaying side is `tui.pages.words`."""

from __future__ import annotations

import math
import re
from decimal import Decimal, InvalidOperation

# k is 1,000: model makers and price lists mean that. Ki, Mi and Gi are there for powers of two.
_FACTORS = {
    "": 1,
    "k": 10**3,
    "m": 10**6,
    "b": 10**9,
    "g": 10**9,
    "t": 10**12,
    "ki": 2**10,
    "mi": 2**20,
    "gi": 2**30,
    "ti": 2**40,
}
_SECONDS = {
    "": Decimal(1),
    "s": Decimal(1),
    "ms": Decimal("0.001"),
    "us": Decimal("0.000001"),
    "µs": Decimal("0.000001"),
    "min": Decimal(60),
    "h": Decimal(3600),
}
_DAYS = {"": Decimal(1), "d": Decimal(1), "day": Decimal(1), "days": Decimal(1), "h": Decimal(1) / Decimal(24)}
_DAYS |= {"w": Decimal(7), "week": Decimal(7), "weeks": Decimal(7)}
_SHAPE = r"([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d{1,3})?)\s*([a-zµ%$/]*)"
_GROUPED = r"\d{1,3}(?:[, _'\u00a0\u202f]\d{3})+(?=\D|$)"
"""Compiled at first use: a start reads no number that somebody typed."""
MAX_LENGTH = 64
LARGEST = 2**63 - 1
"""What TOML can hold as a whole number."""


class NumberError(ValueError):
    """Text that is no number of the kind asked for. The message is a reason, one clause without the field."""


def _parts(text: str, allowed: str) -> tuple[Decimal, str]:
    plain = text.strip()
    if not plain:
        raise NumberError(f"nothing entered; allowed: {allowed}")
    if len(plain) > MAX_LENGTH:
        raise NumberError(f"too long for a number; allowed: {allowed}")
    plain = re.sub(_GROUPED, lambda found: re.sub(r"\D", "", found.group()), plain.lstrip("$"))
    shape = re.fullmatch(_SHAPE, plain.replace("_", ""), re.IGNORECASE)
    if shape is None:
        raise NumberError(f"{text.strip()!r} is not a number; allowed: {allowed}")
    try:
        return Decimal(shape.group(1)), shape.group(2)
    except InvalidOperation:
        raise NumberError(f"{text.strip()!r} is not a number; allowed: {allowed}") from None


def _finite(value: Decimal, text: str, allowed: str) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise NumberError(f"{text.strip()!r} is too large; allowed: {allowed}")
    return number


def whole(text: str) -> int:
    """A whole number: ``8192``, ``8k``, ``1.5T``, ``2M``, ``256Ki``, ``7,000``, ``1e9``. Raises NumberError."""
    allowed = "a whole number such as 8192, 8k or 1.5T"
    value, suffix = _parts(text, allowed)
    factor = _FACTORS.get(suffix.lower())
    if factor is None:
        raise NumberError(f"{suffix!r} is no unit of a count; allowed: k, M, B, T, Ki, Mi")
    value *= factor
    if abs(value) > LARGEST:
        raise NumberError(f"{text.strip()!r} is too large; allowed: up to {LARGEST:,}")
    if value != value.to_integral_value():
        raise NumberError(f"{text.strip()!r} is not whole; allowed: {allowed}")
    return int(value)


def decimal(text: str) -> float:
    """A number with a fraction: ``0.5``, ``1.5k``, ``$2.99``. Raises NumberError."""
    allowed = "a number such as 20 or 0.5"
    value, suffix = _parts(text, allowed)
    factor = _FACTORS.get(suffix.lower().rstrip("$"))
    if factor is None:
        raise NumberError(f"{suffix!r} is no unit here; allowed: {allowed}")
    return _finite(value * factor, text, allowed)


def share(text: str) -> float:
    """A share of one: ``0.9``, ``90%`` or ``90 %``. Raises NumberError."""
    allowed = "a share such as 0.9 or 90 %"
    value, suffix = _parts(text, allowed)
    if suffix not in ("", "%"):
        raise NumberError(f"{suffix!r} is no unit of a share; allowed: {allowed}")
    return _finite(value / 100 if suffix == "%" else value, text, allowed)


def seconds(text: str) -> float:
    """A duration in seconds: ``2``, ``2s``, ``500 ms``, ``1.5min``. Raises NumberError."""
    return _scaled(text, _SECONDS, "a time such as 2 s or 500 ms")


def days(text: str) -> float:
    """A duration in days: ``30``, ``36h``, ``2 weeks``. Raises NumberError."""
    return _scaled(text, _DAYS, "a time such as 30 days or 36 h")


def _scaled(text: str, units: dict[str, Decimal], allowed: str) -> float:
    value, suffix = _parts(text, allowed)
    factor = units.get(suffix.lower())
    if factor is None:
        raise NumberError(f"{suffix!r} is no unit of time; allowed: {allowed}")
    return _finite(value * factor, text, allowed)


def typed(value: float | None) -> str:
    """A number as a person would type it into a field, read back to the same value: 8000 as 8k, 8192 as 8192."""
    if value is None:
        return ""
    if isinstance(value, float) and not value.is_integer():
        return f"{value!r}"
    count = int(value)
    for factor, letter in ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k")):
        if factor <= abs(count) < 1000 * factor and count * 10 % factor == 0:
            scaled = Decimal(count) / factor
            return f"{scaled.normalize():f}{letter}"
    return str(count)
