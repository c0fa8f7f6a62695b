"""What owning, renting and a hosted API cost over months of use: hours, runs, growth, capital, resale, people.

Growth past the hours that a build has is served by more of the same build. What nobody entered is left out: capital that
costs nothing, hardware that is worth nothing in the end, people that are not counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

from engine.figures.records import dataclass
from engine.figures.units import HOURS_PER_DAY, MILLION, MONTHS_PER_YEAR, PERCENT
from engine.scenario import Money
from engine.sizing import Horizon

DAYS_PER_MONTH = 365.0 / 12
HOURS_PER_MONTH = HOURS_PER_DAY * DAYS_PER_MONTH  # 8,760 hours a year over 12
HORIZONS_MONTHS = (12, 24, 36)  # seed_claims.toml, buy_against_rent.horizons_months
WRITE_OFF_MONTHS = 36  # the longest of them: what a month of ownership is counted over, and the age of a resale price
LONGEST_MONTHS = 120  # a purchase that has not paid within ten years never does: nothing runs that long
NEAR = 1e-9


@dataclass(frozen=True, slots=True)
class Rates:
    """What a build costs: to buy, and an hour to rent or to feed; USD, None unknown. tokens_per_hour: written in use.

    once_hours: of a training run that is done a single time; None for a use that goes on. people_usd: a month.
    """

    buy_usd: float | None
    rent_usd_per_hour: float | None
    electricity_usd_per_hour: float
    reserved_usd_per_hour: float | None = None
    spot_usd_per_hour: float | None = None
    api_usd_per_million: float | None = None
    tokens_per_hour: float = 0.0
    people_usd: float = 0.0
    once_hours: float | None = None


def hours_per_month(money: Money) -> float:
    """Hours of a month in which the build is used, before growth."""
    per_day = HOURS_PER_DAY if money.hours_per_day is None else money.hours_per_day
    days = DAYS_PER_MONTH if money.days_per_month is None else min(money.days_per_month, DAYS_PER_MONTH)
    return per_day * days


def run_hours(money: Money, hours: float) -> tuple[float, float | None]:
    """(hours a month, hours once) of a training run of so many hours: done every month so often, or a single time."""
    return (0.0, hours) if money.runs_per_month is None else (money.runs_per_month * hours, None)


def capital_share_per_month(money: Money) -> float:
    """What a month costs of a purchase beside the purchase: interest on it, and support."""
    return (
        ((money.capital_percent_per_year or 0.0) + (money.support_percent_per_year or 0.0)) / PERCENT / MONTHS_PER_YEAR
    )


def resale_share(money: Money, months: float) -> float:
    """What is left of a price after so many months, when the entered share is left after 36: the same loss each month."""
    left = (money.resale_percent or 0.0) / PERCENT
    return float(left ** (months / WRITE_OFF_MONTHS)) if left > 0 else 0.0


@lru_cache(maxsize=256)
def used(months: int, per_month: float, money: Money, once_hours: float | None = None) -> tuple[float, int, int]:
    """(hours, builds bought by the end, build-months) of so many months of use."""
    if once_hours is not None:
        return once_hours, 1, months
    growth = 1.0 + (money.growth_percent_per_month or 0.0) / PERCENT
    return (
        grown_hours(months, per_month, growth),
        grown_builds(months, per_month, growth),
        grown_build_months(months, per_month, growth),
    )


def grown_hours(months: int, per_month: float, growth: float) -> float:
    """Hours of use in so many months, each so many times the one before."""
    hours = 0.0
    for month in range(months):
        hours += per_month * growth**month
    return hours


def _builds(months: int, per_month: float, growth: float) -> Iterator[int]:
    """Builds that are owned in each month: what its hours take, and never fewer than before."""
    builds = 1
    for month in range(months):
        builds = max(builds, math.ceil(per_month * growth**month / HOURS_PER_MONTH - NEAR))
        yield builds


def grown_builds(months: int, per_month: float, growth: float) -> int:
    """Builds that are bought by the end of so many months."""
    return max(_builds(months, per_month, growth), default=1)


def grown_build_months(months: int, per_month: float, growth: float) -> int:
    """Months of all builds that are owned in so many months."""
    return sum(_builds(months, per_month, growth))


def horizon(months: int, per_month: float, rates: Rates, money: Money) -> Horizon:
    """Every way of having the work done for so many months, USD."""
    hours, builds, build_months = used(months, per_month, money, rates.once_hours)
    people = rates.people_usd * months
    own = None
    if rates.buy_usd is not None:
        own = rates.buy_usd * builds + rates.electricity_usd_per_hour * hours + people
        own += rates.buy_usd * capital_share_per_month(money) * build_months
        own -= rates.buy_usd * builds * resale_share(money, months)
    tokens = rates.tokens_per_hour * hours

    def rented(usd_per_hour: float | None, paid_hours: float) -> float | None:
        return None if usd_per_hour is None else usd_per_hour * paid_hours + people

    return Horizon(
        months=months,
        own_usd=own,
        rent_usd=rented(rates.rent_usd_per_hour, hours),
        reserved_usd=rented(rates.reserved_usd_per_hour, build_months * HOURS_PER_MONTH),
        spot_usd=rented(rates.spot_usd_per_hour, hours),
        api_usd=tokens / MILLION * rates.api_usd_per_million
        if rates.api_usd_per_million is not None and tokens
        else None,
        hours=hours,
        builds=builds,
        build_months=build_months,
        tokens=tokens,
    )


def break_even_months(per_month: float, rates: Rates, money: Money) -> float | None:
    """The months after which owning has cost less than renting, nothing sold; None within ten years, or unknown.

    Without growth it is the purchase over what a month saves; with it the first month is looked for.
    """
    if rates.buy_usd is None or rates.rent_usd_per_hour is None or rates.once_hours is not None:
        return None
    if not money.growth_percent_per_month:
        saved = (rates.rent_usd_per_hour - rates.electricity_usd_per_hour) * per_month
        builds = max(1, math.ceil(per_month / HOURS_PER_MONTH - NEAR))
        saved -= rates.buy_usd * builds * capital_share_per_month(money)
        months = rates.buy_usd * builds / saved if saved > 0 else math.inf
        return months if months <= LONGEST_MONTHS else None
    for months in range(1, LONGEST_MONTHS + 1):
        own, rent = spent(months, per_month, rates.buy_usd, rates.rent_usd_per_hour, rates, money)
        if own <= rent:
            return float(months)
    return None


def spent(
    months: int, per_month: float, buy_usd: float, rent_usd_per_hour: float, rates: Rates, money: Money
) -> tuple[float, float]:
    """What owning, nothing sold, and renting have cost after so many months."""
    hours, builds, build_months = used(months, per_month, money)
    own = buy_usd * (builds + capital_share_per_month(money) * build_months)
    return own + rates.electricity_usd_per_hour * hours, rent_usd_per_hour * hours


def break_even_runs(run_hours: float, rates: Rates) -> float | None:
    """Training runs of so many hours whose rent would have bought the build; None unknown or never."""
    if rates.buy_usd is None or rates.rent_usd_per_hour is None or run_hours <= 0:
        return None
    saved = (rates.rent_usd_per_hour - rates.electricity_usd_per_hour) * run_hours
    return rates.buy_usd / saved if saved > 0 else None
