"""What the entered build costs to buy, to rent, to feed and to run. Unknown prices are None and named, never 0.

A price that the person entered beats the catalog's. Of the catalog's rentals the median on-demand price of a GPU-hour
is taken, since the cheapest offer is rarely the one that is available.
"""

from __future__ import annotations

from functools import lru_cache

from engine.bill import MAIN_PARTS, bill, known_usd, whole_usd
from engine.hardware import ApiPrice, Facts, Rental
from engine.parameters import count_parameters
from engine.plan import Plan
from engine.prices import age_days, dated, rentals_of, usd_per_gpu_hour
from engine.scenario import Hardware
from engine.sizing import Cost, Horizon, Offer, Power, PriceLine

HOURS_PER_MONTH = 730.0  # 8,760 hours a year over 12
HORIZONS_MONTHS = (12, 24, 36)  # seed_claims.toml, buy_against_rent.horizons_months
WRITE_OFF_MONTHS = 36  # the longest of them: what a month of ownership is counted over
ELECTRICITY_RULE = "electricity-planning"
PUE_RULE = "pue-planning"  # what cooling and distribution draw beside the machines, where somebody pays for it
# Each added node costs 4 to 5 times the engineering time of running one: seed_claims.toml, operational_tax.
OPERATIONS_FACTOR_PER_NODE = (4.0, 5.0)
# A resumable checkpoint: 16-bit weights, fp32 master copy and two Adam moments (ZeRO, Rajbhandari et al. 2020, 3.1).
CHECKPOINT_BYTES_PER_PARAMETER = 14


@lru_cache(maxsize=64)
def _electricity(facts: Facts) -> float | None:
    return next((rule.value for rule in facts.rules if rule.id == ELECTRICITY_RULE), None)


@lru_cache(maxsize=64)
def facility_ratio(facts: Facts) -> float:
    """Power of the whole facility over that of the machines in it, for planning; 1 where no rule says."""
    return next((rule.value for rule in facts.rules if rule.id == PUE_RULE and rule.value is not None), 1.0)


@lru_cache(maxsize=256)
def _api_price(facts: Facts, model_id: str) -> ApiPrice | None:
    found = [price for price in facts.api_prices if price.model_id == model_id]
    return min(found, key=lambda price: price.usd_per_million_output) if found else None


@lru_cache(maxsize=512)
def _offers(facts: Facts, hardware: Hardware) -> tuple[Offer, ...]:
    cheapest: dict[tuple[str, str], Rental] = {}
    if hardware.mixed:
        return ()
    for rental in rentals_of(facts, hardware.accelerator.id):
        cheapest.setdefault((rental.provider, rental.billing), rental)
    return tuple(
        Offer(r.provider, r.billing, r.usd_per_gpu_hour * hardware.gpus, r.as_of, age_days(r.as_of, facts.as_of))
        for r in cheapest.values()
    )


def _api(plan: Plan) -> tuple[float | None, str]:
    """What an API asks per million output tokens at this workload's ratio of prompt to answer."""
    scenario = plan.scenario
    price = _api_price(scenario.facts, scenario.model.id)
    if price is None or not scenario.workload.is_inference:
        return None, ""
    prompts = scenario.workload.input_tokens / scenario.workload.output_tokens
    total = price.usd_per_million_output + prompts * price.usd_per_million_input
    return (
        total,
        f"{price.provider}, {dated(price.as_of, scenario.facts.as_of)}: {prompts:,.3g} prompt tokens for each of the answer",
    )


def cost(plan: Plan, power: Power) -> Cost:
    """Purchase, rent, electricity, unit costs and break-even of the entered build in USD."""
    scenario = plan.scenario
    nodes, gpus = scenario.hardware.nodes, scenario.hardware.gpus
    lines = bill(scenario)
    unknown = [line.item for line in lines if line.usd is None]
    known = [line for line in lines if line.usd is not None]
    buy = known_usd(lines)
    buy_note = "; ".join(f"{line.item}: {line.source or 'catalog'} {line.as_of}".strip() for line in known)
    if known and unknown:
        buy_note += f"; without {', '.join(unknown)}"
    hourly, rent_note = usd_per_gpu_hour(plan.scenario)
    rent = hourly * gpus if hourly is not None else None
    month = rent * HOURS_PER_MONTH if rent is not None else None
    if rent is None:
        unknown.append("rental price")
    price_kwh = scenario.money.electricity_usd_per_kwh or _electricity(scenario.facts)
    electricity = None
    if price_kwh is not None and power.total_w is not None:
        kilowatts = power.total_w / 1000.0 * facility_ratio(scenario.facts)
        electricity = kilowatts * HOURS_PER_MONTH * price_kwh
    else:
        unknown.append("electricity")
    per_million = None
    if rent is not None and plan.serving is not None and plan.serving.tokens_per_s_total > 0:
        per_million = rent / 3600.0 / plan.serving.tokens_per_s_total * 1e6
    saved = month - (electricity or 0.0) if month is not None else None
    break_even = buy / saved if buy is not None and saved is not None and saved > 0 else None
    api, api_note = _api(plan)
    added = nodes - 1
    low, high = OPERATIONS_FACTOR_PER_NODE
    operations = (
        f"{added} added node{'s' if added > 1 else ''}: {low:.0f}-{high:.0f} times the engineering time each; shared "
        "storage and its network, sharded checkpoints, NIC and NCCL tuning, monitoring, failures in proportion"
        if added
        else "one node: no shared storage, no fabric to tune"
    )
    checkpoint = 0
    if not scenario.workload.is_inference and scenario.workload.kind in ("full-finetune", "pretrain"):
        checkpoint = CHECKPOINT_BYTES_PER_PARAMETER * count_parameters(scenario.model.architecture).total
    return Cost(
        buy_usd=buy,
        buy_note=buy_note,
        lines=lines,
        rent_usd_per_hour=rent,
        rent_note=rent_note,
        rent_usd_per_month=month,
        offers=_offers(scenario.facts, scenario.hardware),
        own_usd_per_month=buy / WRITE_OFF_MONTHS + (electricity or 0.0) if buy is not None else None,
        horizons=tuple(
            Horizon(
                months,
                buy + months * (electricity or 0.0) if buy is not None else None,
                months * month if month is not None else None,
            )
            for months in HORIZONS_MONTHS
        ),
        usd_per_million_tokens=per_million,
        api_usd_per_million_tokens=api,
        api_note=api_note,
        run_usd=plan.run_usd,
        break_even_months=break_even,
        electricity_usd_per_month=electricity,
        checkpoint_bytes=checkpoint,
        operations_factor=1.0 + added * (low + high) / 2,
        operations_note=operations,
        unknown=tuple(unknown),
        whole_usd=whole_usd(lines),
        ask=_ask(lines),
    )


def _ask(lines: tuple[PriceLine, ...]) -> str:
    """The one figure that a bill without its main part lacks, and where it is entered."""
    main = next((line for line in lines if line.usd is None and line.part in MAIN_PARTS), None)
    return "" if main is None else f"{main.key}: what one {main.item.partition(';')[0]} costs"
