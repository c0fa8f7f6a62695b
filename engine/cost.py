"""What the entered build costs to buy, to rent and to feed. Unknown prices are None and named, never 0.

A price that the person entered beats the catalog's; of the catalog's rentals the median on-demand price a GPU-hour
is taken, since the cheapest offer is rarely the one that is available.
"""

from __future__ import annotations

import statistics
from functools import lru_cache

from engine.hardware import Facts, Rental
from engine.plan import Plan
from engine.sizing import Cost, Power

HOURS_PER_MONTH = 730.0  # 8,760 hours a year over 12
DEFAULT_ELECTRICITY_RULE = "electricity-planning"


@lru_cache(maxsize=256)
def _rentals(facts: Facts, accelerator_id: str) -> tuple[Rental, ...]:
    return tuple(r for r in facts.rentals if r.accelerator == accelerator_id and r.billing == "on-demand")


@lru_cache(maxsize=64)
def _electricity(facts: Facts) -> float | None:
    return next((rule.value for rule in facts.rules if rule.id == DEFAULT_ELECTRICITY_RULE), None)


def rental_usd_per_gpu_hour(plan: Plan) -> tuple[float | None, str]:
    """Hourly price of one GPU and where it comes from; None when nobody in the catalog rents it out."""
    entered = plan.scenario.money.usd_per_gpu_hour
    if entered is not None:
        return entered, "entered"
    offers = _rentals(plan.scenario.facts, plan.scenario.hardware.accelerator.id)
    if not offers:
        return None, "no on-demand price in the catalog"
    prices = [offer.usd_per_gpu_hour for offer in offers]
    dates = sorted(offer.as_of for offer in offers)
    return statistics.median(prices), f"median of {len(offers)} on-demand offers, {dates[0]} to {dates[-1]}"


def _card_price(plan: Plan) -> tuple[float | None, str]:
    entered = plan.scenario.money.gpu_price_usd
    if entered is not None:
        return entered, "entered"
    accelerator = plan.scenario.hardware.accelerator
    if accelerator.price_usd is None:
        return None, ""
    return accelerator.price_usd, f"{accelerator.price_note or 'catalog'}, {accelerator.price_as_of}"


def cost(plan: Plan, power: Power) -> Cost:
    """Purchase, rent, electricity and unit costs of the entered build in USD."""
    scenario = plan.scenario
    gpus = scenario.hardware.gpus
    unknown: list[str] = []
    card, card_note = _card_price(plan)
    host = scenario.money.host_price_usd
    buy = None
    if card is None:
        unknown.append("price of the card")
    else:
        buy = card * gpus + (host or 0.0) * scenario.hardware.nodes
        if host is None:
            unknown.append("price of the host")
            card_note += "; cards only"
    hourly, rent_note = rental_usd_per_gpu_hour(plan)
    rent = hourly * gpus if hourly is not None else None
    if rent is None:
        unknown.append("rental price")
    month = rent * HOURS_PER_MONTH if rent is not None else None
    price_kwh = scenario.money.electricity_usd_per_kwh or _electricity(scenario.facts)
    electricity = None
    if price_kwh is not None and power.total_w is not None:
        electricity = power.total_w / 1000.0 * HOURS_PER_MONTH * price_kwh
    else:
        unknown.append("electricity")
    per_million = None
    if rent is not None and plan.serving is not None and plan.serving.tokens_per_s_total > 0:
        per_million = rent / 3600.0 / plan.serving.tokens_per_s_total * 1e6
    run = None
    if hourly is not None and plan.training is not None:
        run = hourly * plan.training.gpu_hours
    saved = month - (electricity or 0.0) if month is not None else None
    break_even = buy / saved if buy is not None and saved is not None and saved > 0 else None
    return Cost(
        buy_usd=buy,
        buy_note=card_note,
        rent_usd_per_hour=rent,
        rent_note=rent_note,
        rent_usd_per_month=month,
        usd_per_million_tokens=per_million,
        run_usd=run,
        break_even_months=break_even,
        electricity_usd_per_month=electricity,
        unknown=tuple(unknown),
    )
