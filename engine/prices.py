"""Prices of the catalog that need no plan: what a GPU-hour is rented for."""

from __future__ import annotations

import statistics
from functools import lru_cache

from engine.hardware import Facts, Rental
from engine.scenario import Scenario


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
        return median, f"the only on-demand offer, {offers[0].provider}, {dates[0]}"
    return median, f"median of {len(offers)} on-demand offers, {dates[0]} to {dates[-1]}"


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
