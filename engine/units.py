"""Byte and rate units, and figures in words. GiB is 2**30 bytes, GB is 10**9 bytes; no figure mixes them."""

from typing import Final

KIB: Final = 2**10
MIB: Final = 2**20
GIB: Final = 2**30
KB: Final = 10**3
MB: Final = 10**6
GB: Final = 10**9
TB: Final = 10**12
TERA: Final = 10**12
MICROSECOND: Final = 1e-6
SECONDS_PER_HOUR: Final = 3600
SECONDS_PER_DAY: Final = 86400


def digits(value: float, significant: int = 3) -> str:
    """A number with about `significant` figures and no exponent: 0.0123, 1.23, 12.3, 123, 1,230."""
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    if size >= 100:
        return f"{value:.{max(0, significant - 3)}f}"
    if size >= 10:
        return f"{value:.{max(0, significant - 2)}f}"
    if size >= 1:
        return f"{value:.{max(0, significant - 1)}f}"
    if size == 0:
        return "0"
    places = significant
    while places < 9 and round(size, places) < 10 ** (significant - 1 - places):
        places += 1
    return f"{value:.{places}f}".rstrip("0").rstrip(".")


FLEET = 1000
"""So many nodes are no build that somebody orders but a fleet, and its number is no more exact than its speed."""


def fleet(count: int) -> str:
    """A count of nodes as it is told: exact for a build, and from a thousand up about so many, in two figures."""
    if count < FLEET:
        return f"{count:,}"
    step = 10 ** (len(str(count)) - 2)
    return f"about {round(count / step) * step:,}"


def duration(value_s: float) -> str:
    """A duration in the unit people use for it, from microseconds to days."""
    size = abs(value_s)
    if size == 0:
        return "0"
    if size < 0.001:
        return f"{digits(value_s * 1e6)} µs"
    if size < 1:
        return f"{digits(value_s * 1e3)} ms"
    if size < 120:
        return f"{digits(value_s)} s"
    if size < 7200:
        return f"{digits(value_s / 60, 2)} min"
    if size < 172800:
        return f"{digits(value_s / 3600)} h"
    return f"{digits(value_s / 86400)} days"
