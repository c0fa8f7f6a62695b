"""Figures in words for the pages: short, with units, never more digits than the figure deserves."""

from __future__ import annotations

from engine.prices import OLD_DAYS
from engine.sizing import Interval
from engine.units import GIB, count, days, digits, gib, kilowatts, percent, rate, size, usd, usd_per_hour
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


def old(age_days: int | None) -> bool:
    """Whether a price is old enough to say its age."""
    return age_days is not None and age_days > OLD_DAYS


def dated(as_of: str, age_days: int | None) -> str:
    """A price's date, with its age where it is old: 2026-03-29, 237 days old."""
    return f"{as_of}, {age_days} days old" if old(age_days) else as_of


def users(fit: int) -> str:
    """Users whose KV fits; room for less than one is said in words."""
    return count(fit) if fit else "not one"


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
