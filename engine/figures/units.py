"""Byte and rate units, and figures in words. GiB is 2**30 bytes, GB is 10**9 bytes; no figure mixes them."""

from typing import Final

KIB: Final = 2**10
MIB: Final = 2**20
GIB: Final = 2**30
MB: Final = 10**6
GB: Final = 10**9
TB: Final = 10**12
TERA: Final = 10**12
MICROSECOND: Final = 1e-6
MICROSECONDS_PER_SECOND: Final = 1e6
SECONDS_PER_HOUR: Final = 3600
SECONDS_PER_DAY: Final = 86400
HOURS_PER_DAY: Final = 24
MONTHS_PER_YEAR: Final = 12
W_PER_KW: Final = 1000.0
MILLION: Final = 1e6
PERCENT: Final = 100.0


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


def duration(value_s: float, minutes: str = "min", of_days: str = "days") -> str:
    """A duration in the unit people use for it, from microseconds to days. minutes, of_days: how these are written."""
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
        return f"{digits(value_s / 60, 2)} {minutes}"
    if size < 172800:
        return f"{digits(value_s / 3600)} h"
    return f"{digits(value_s / 86400)} {of_days}"


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
    """Dollars: cents under ten, whole above, millions with one decimal from a hundred of them on."""
    if abs(value) < 10:
        return f"${value:,.2f}"
    if abs(value) >= 1e8:
        return f"${value / 1e6:,.1f}M"
    return f"${value:,.0f}"


def rate(value: float) -> str:
    """A rate in three figures, with k above ten thousand."""
    return count(value) if abs(value) >= 10_000 else digits(value)


def usd_per_hour(value: float) -> str:
    """An hourly price, which people compare to the cent."""
    return f"${value:,.2f}"


def days(value: float) -> str:
    """The length of a run in the unit that suits, days from two on."""
    return duration(value * SECONDS_PER_DAY)


def kilowatts(watts: float) -> str:
    """An electrical draw: 5.76 kW, and 300 W below one."""
    return f"{digits(watts / 1000)} kW" if watts >= 1000 else f"{digits(watts)} W"


def thousands_usd(amount: float) -> str:
    """Dollars of a purchase, in thousands from ten thousand on and in millions from one million on."""
    if amount >= 999_500:
        return f"${digits(amount / 1e6)}M"
    return f"${digits(amount / 1e3)}k" if amount >= 1e4 else usd(amount)
