"""Figures in words for the pages: short, with units, never more digits than the figure deserves."""

from __future__ import annotations

from collections.abc import Iterator

from engine.figures.sentences import Figure, Sentence
from engine.figures.units import GIB, count, days, digits, gib, kilowatts, percent, rate, size, usd, usd_per_hour
from engine.figures.units import duration as seconds
from engine.money.bill import lacking
from engine.money.prices import OLD_DAYS
from engine.sizing import Advised, Cost, Interval, Power, Sizing

__all__ = [
    "GIB",
    "advised_rows",
    "advised_words",
    "buy_row",
    "count",
    "dated",
    "days",
    "digits",
    "gib",
    "interval",
    "kilowatts",
    "old",
    "pays_after",
    "percent",
    "rate",
    "seconds",
    "seconds_interval",
    "size",
    "supply_words",
    "usd",
    "usd_per_hour",
    "users",
]

UNKNOWN = "unknown"


def old(age_days: int | None) -> bool:
    """Whether a price is old enough to say its age."""
    return age_days is not None and age_days > OLD_DAYS


def dated(as_of: str, age_days: int | None) -> str:
    """A price's date, with its age where it is old: 2026-03-29, 237 days old."""
    return f"{as_of}, {age_days} days old" if old(age_days) else as_of


def users(number: int) -> str:
    """So many users, the noun with them; room for less than one is said in words."""
    return f"{count(number) if number else 'not one'} user{'s' * (number > 1)}"


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


def supply_words(power: Power) -> str:
    """How a node's supplies are bought: 2 of 2,000 W and a spare."""
    if power.supplies is None or power.supply_w is None:
        return "of its own"
    spare = " and a spare" if power.supplies_spare else ""
    return f"{power.supplies} of {power.supply_w:,.0f} W{spare}"


WAYS = (("own", "own"), ("rent", "rent"), ("reserved", "reserved"), ("spot", "spot"), ("api", "API"))
"""Ways of having the work done over a horizon: the start of the figure's name, and the word for it."""


def ways(cost: Cost) -> tuple[tuple[str, str], ...]:
    """The ways that have a price over any horizon; own and rent stand where one of them has."""
    known = [(way, word) for way, word in WAYS if any(getattr(h, f"{way}_usd") is not None for h in cost.horizons)]
    return tuple(pair for pair in WAYS if pair in known or (known and pair[0] in ("own", "rent")))


def use_words(sizing: Sizing) -> Sentence:
    """What the horizons count, in one sentence."""
    money, cost = sizing.scenario.money, sizing.cost
    hours = Figure(digits(cost.hours_per_month), "cost.hours_per_month")
    if sizing.training is None:
        use: Sentence = (hours, " hours of a month")
    elif money.runs_per_month is None:
        use = ("one run of ", hours, " hours")
    else:
        use = (hours, " hours of a month, the runs entered")
    grown = ", growing as entered" if money.growth_percent_per_month else ""
    resold = "" if money.resale_percent is None else ", less what it sells for"
    reserved = "; reserved pays for all hours" if any(h.reserved_usd is not None for h in cost.horizons) else ""
    return ("In use ", *use, f"{grown}. Owning is purchase and electricity{resold}{reserved}.")


def pays_after(cost: Cost) -> str:
    """After how many months or runs buying has paid; empty where it does not, or nobody knows."""
    if cost.break_even_months is not None:
        return f"{digits(cost.break_even_months)} months"
    if cost.break_even_runs is not None and cost.buy_usd is not None:
        runs = cost.break_even_runs
        return f"{count(runs)} such runs" if runs > 1 else f"{digits(runs)} of such a run"
    return ""


def buy_row(cost: Cost) -> tuple[str, str]:
    """What buying costs, whether that is all of it, and the one figure to ask for and enter where it is not."""
    enter = f" (enter {cost.ask})" if cost.ask else ""
    if cost.buy_usd is None:
        return "buy", f"{UNKNOWN}{enter}"
    if cost.whole_usd is not None:
        return "buy, all-in", usd(cost.buy_usd)
    return "buy", f"{usd(cost.buy_usd)} without {lacking(cost.lines)}{enter}"


def advised_rows(named: Advised) -> Iterator[tuple[str, str, str]]:
    """(what, the figure's name in cost.advised, value) of what the verdict's build costs beside its purchase."""
    if named.rent_usd_per_month is not None:
        yield "rent", "rent_usd_per_month", f"{usd(named.rent_usd_per_month)} a month"
    if named.electricity_usd_per_month is not None:
        yield "electricity", "electricity_usd_per_month", f"{usd(named.electricity_usd_per_month)} a month"
    if named.break_even_months is not None:
        yield "buying pays after", "break_even_months", f"{digits(named.break_even_months)} months"


def advised_words(named: Advised) -> str:
    """What the verdict's build costs, in one sentence."""
    price = UNKNOWN if named.buy_usd is None else usd(named.buy_usd)
    if named.buy_usd is not None and named.whole_usd is None:
        price += f" without {lacking(named.lines)}"
    price += f" (enter {named.ask})" if named.ask else ""
    return ", ".join([f"{named.words}: {price}", *(f"{what} {value}" for what, _, value in advised_rows(named))])


def short_usd(value: float) -> str:
    """Money in as few characters as an axis has room for: $1.5M, $640, $7.5."""
    return f"${count(float(f'{value:.3g}'))}" if value >= 1000 else f"${value:.0f}" if value >= 10 else f"${value:.2g}"
