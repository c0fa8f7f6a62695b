"""Figures in words for the pages: short, with units, never more digits than the figure deserves."""

from __future__ import annotations

from engine.prices import OLD_DAYS
from engine.sizing import Interval
from engine.units import SECONDS_PER_DAY, digits
from engine.units import duration as seconds

__all__ = [
    "GIB",
    "count",
    "dated",
    "days",
    "digits",
    "gib",
    "interval",
    "kilowatts",
    "old",
    "percent",
    "rate",
    "seconds",
    "seconds_interval",
    "size",
    "usd",
    "usd_per_hour",
    "users",
]

GIB = 2**30


def count(value: float) -> str:
    """A count with k, M, B or T: 950, 8k, 262k, 1.25M, 70.6B."""
    size = abs(value)
    for limit, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if size >= limit * 0.9995:
            scaled = value / limit
            text = f"{scaled:.3g}" if abs(scaled) < 1000 else f"{scaled:.0f}"
            return text + letter
    return f"{value:.0f}" if value == round(value) or size >= 100 else f"{value:.3g}"


def gib(value_bytes: float) -> str:
    """Bytes as GiB without the unit, one decimal: 70.4."""
    return f"{value_bytes / GIB:,.1f}"


def size(value_bytes: float) -> str:
    """Bytes with the unit that suits: GiB, or KiB for the small ones."""
    amount = abs(value_bytes)
    if amount >= 0.1 * GIB:
        return f"{value_bytes / GIB:,.1f} GiB"
    if amount >= 2**20:
        return f"{value_bytes / 2**20:,.0f} MiB"
    return f"{value_bytes / 2**10:,.1f} KiB"


def percent(share: float) -> str:
    """A share as whole percent; under one percent says so."""
    if 0 < share < 0.005:
        return "<1 %"
    return f"{share * 100:.0f} %"


def usd(value: float) -> str:
    """Dollars: cents under ten, whole above."""
    if abs(value) < 10:
        return f"${value:,.2f}"
    return f"${value:,.0f}"


def old(age_days: int | None) -> bool:
    """Whether a price is old enough to say its age."""
    return age_days is not None and age_days > OLD_DAYS


def dated(as_of: str, age_days: int | None) -> str:
    """A price's date, with its age where it is old: 2026-03-29, 237 days old."""
    return f"{as_of}, {age_days} days old" if old(age_days) else as_of


def usd_per_hour(value: float) -> str:
    """An hourly price, which people compare to the cent."""
    return f"${value:,.2f}"


def days(value: float) -> str:
    """The length of a run in the unit that suits, days from two on."""
    return seconds(value * SECONDS_PER_DAY)


def kilowatts(watts: float) -> str:
    """An electrical draw: 5.76 kW, and 300 W below one."""
    return f"{digits(watts / 1000)} kW" if watts >= 1000 else f"{digits(watts)} W"


def users(fit: int) -> str:
    """Users whose KV fits; room for less than one is said in words."""
    return count(fit) if fit else "not one"


def rate(value: float) -> str:
    """A rate in three figures, with k above ten thousand."""
    return count(value) if abs(value) >= 10_000 else digits(value)


def interval(between: Interval, scale: float = 1.0) -> str:
    """An interval, low–high, in the unit of the figure beside it."""
    return f"{digits(between.low * scale, 2)}–{digits(between.high * scale, 2)}"


def seconds_interval(between: Interval) -> str:
    """An interval of durations in one unit, chosen by its upper end."""
    if between.high < 0.001:
        return f"{interval(between, 1e6)} µs"
    if between.high < 1:
        return f"{interval(between, 1e3)} ms"
    if between.high < 120:
        return f"{interval(between)} s"
    return f"{interval(between, 1 / 60)} min"
