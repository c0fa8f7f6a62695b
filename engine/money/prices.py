"""Prices of the catalog that need no plan: what a GPU-hour is rented for, and how old a price is.

The engine has no clock: the age of a price is counted to the date of the catalog.
"""

from __future__ import annotations

import statistics
from datetime import date, timedelta
from functools import lru_cache

from engine.parts.hardware import Facts, Rental
from engine.scenario import Scenario

OLD_DAYS = 120
"""A price older than this says its age: memory and cards moved by tens of per cent within such a time in 2025-2026."""


@lru_cache(maxsize=1024)
def age_days(as_of: str, today: str) -> int | None:
    """Days from a price's date to the catalog's, at least: of a month or a year its last day counts. None undated."""
    then, now = _last_day(as_of), _last_day(today)
    return None if then is None or now is None else max(0, (now - then).days)


def _last_day(text: str) -> date | None:
    parts = text.split("-")
    if not all(part.isdigit() for part in parts) or not 1 <= len(parts) <= 3:
        return None
    year, month = int(parts[0]), int(parts[1]) if len(parts) > 1 else 12
    try:
        if len(parts) > 2:
            return date(year, month, int(parts[2]))
        first = date(year, month, 1)
        return date(first.year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
    except ValueError:  # a person's file may say any date
        return None


def dated(as_of: str, today: str) -> str:
    """A price's date in words, with its age where it is old."""
    age = age_days(as_of, today)
    return f"{as_of}, {age} days old" if age is not None and age > OLD_DAYS else as_of


@lru_cache(maxsize=256)
def rentals_of(facts: Facts, accelerator_id: str) -> tuple[Rental, ...]:
    """Every rental of an accelerator, the cheapest GPU-hour first."""
    offers = [r for r in facts.rentals if r.accelerator == accelerator_id]
    return tuple(sorted(offers, key=lambda r: r.usd_per_gpu_hour))


@lru_cache(maxsize=256)
def on_demand_usd_per_gpu_hour(facts: Facts, accelerator_id: str) -> tuple[float | None, str]:
    """The catalog's median on-demand price of a GPU-hour and where it comes from; None when there is no such offer."""
    offers = [offer for offer in rentals_of(facts, accelerator_id) if offer.billing == "on-demand"]
    if not offers:
        return None, "no on-demand price in the catalog"
    dates = sorted(offer.as_of for offer in offers)
    median = statistics.median(offer.usd_per_gpu_hour for offer in offers)
    if len(offers) == 1:
        return median, f"the only on-demand offer, {offers[0].provider}, {dated(dates[0], facts.as_of)}"
    oldest = age_days(dates[0], facts.as_of) or 0
    old = f", the oldest {oldest} days old" if oldest > OLD_DAYS else ""
    return median, f"median of {len(offers)} on-demand offers, {dates[0]} to {dates[-1]}{old}"


@lru_cache(maxsize=512)
def billed_usd_per_gpu_hour(facts: Facts, accelerator_id: str, billing: str) -> float | None:
    """The catalog's median price of a GPU-hour under a way of billing, such as `spot` or any of `reserved`; None: none."""
    offers = [r.usd_per_gpu_hour for r in rentals_of(facts, accelerator_id) if r.billing.startswith(billing)]
    return statistics.median(offers) if offers else None


def usd_per_gpu_hour(scenario: Scenario) -> tuple[float | None, str]:
    """What one GPU of a scenario costs an hour and where that comes from: as entered, else the catalog's median."""
    entered = scenario.money.usd_per_gpu_hour
    if entered is not None:
        return entered, "entered"
    if scenario.hardware.mixed:
        return None, "nobody rents out a node of two kinds of card"
    return on_demand_usd_per_gpu_hour(scenario.facts, scenario.hardware.accelerator.id)


def run_usd(scenario: Scenario, gpu_hours: float) -> float | None:
    """What so many GPU-hours of a scenario's card cost, USD: the one cost of a training run; None without a price."""
    hourly = usd_per_gpu_hour(scenario)[0]
    return None if hourly is None else hourly * gpu_hours
