"""What the entered build costs to buy, to rent, to feed and to run. Unknown prices are None and named, never 0.

A price that the person entered beats the catalog's. Of the catalog's rentals the median on-demand price of a GPU-hour
is taken, since the cheapest offer is rarely the one that is available.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

from engine.figures.sentences import Figure, Sentence, text_of
from engine.figures.units import FLEET, MILLION, MONTHS_PER_YEAR, SECONDS_PER_HOUR, W_PER_KW, digits
from engine.layout.candidates import works_alone
from engine.model.formats import FORMATS
from engine.money.bill import MAIN_PARTS, bill, bought, known_usd, whole_usd
from engine.money.disks import checkpoint_bytes
from engine.money.power import power
from engine.money.prices import age_days, billed_usd_per_gpu_hour, dated, rentals_of, usd_per_gpu_hour
from engine.money.use import (
    HORIZONS_MONTHS,
    WRITE_OFF_MONTHS,
    Rates,
    break_even_months,
    break_even_runs,
    capital_share_per_month,
    horizon,
    hours_per_month,
    resale_share,
    run_hours,
)
from engine.parts.hardware import ApiPrice, Facts, Rental, Rule
from engine.scenario import Hardware, Layout, Money, Region, Scenario
from engine.sizing import Advised, Build, Cost, Horizon, Offer, Power, PriceLine, Serving, Training, Verdict

ELECTRICITY_RULE = "electricity-planning"
PUE_RULE = "pue-planning"  # what cooling and distribution draw beside the machines, where somebody pays for it
# Each added node costs 4 to 5 times the engineering time of running one: seed_claims.toml, operational_tax.
OPERATIONS_FACTOR_PER_NODE = (4.0, 5.0)
# The articles' builds end at four nodes of eight; nobody states what a node adds beyond, so that the factor ends there.
OPERATIONS_NODES = 4

NO_FABRIC: Sentence = (
    "No fabric is bought: each node answers by itself and takes a port of an Ethernet switch. "
    "money.network_price_usd adds one.",
)


@lru_cache(maxsize=64)
def electricity_rule(facts: Facts, region: Region | None) -> Rule | None:
    """The rule that states a price of electricity: of the region where one is entered, else for planning; None unknown."""
    wanted = ELECTRICITY_RULE if region is None else f"electricity-{region}"
    return next((rule for rule in facts.rules if rule.id == wanted and rule.value is not None), None)


@lru_cache(maxsize=64)
def facility_rule(facts: Facts) -> Rule | None:
    """The rule that states the power of a facility over that of the machines in it, for planning; None unknown."""
    return next((rule for rule in facts.rules if rule.id == PUE_RULE and rule.value is not None), None)


def usd_per_kwh(scenario: Scenario) -> float | None:
    """The price of electricity: as entered, else the catalog's, of the region entered."""
    rule = electricity_rule(scenario.facts, scenario.money.region)
    return scenario.money.electricity_usd_per_kwh or (rule.value if rule is not None else None)


def facility_ratio(scenario: Scenario) -> float:
    """Power of the whole facility over that of the machines in it: as entered, else for planning; 1 where no rule says."""
    rule = facility_rule(scenario.facts)
    return scenario.money.pue or (rule.value if rule is not None and rule.value is not None else 1.0)


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


class Sized(Protocol):
    """What a bill needs of a plan (`engine.decide.plan.Plan`): a build, how it works, and what a run of it takes."""

    @property
    def scenario(self) -> Scenario: ...
    @property
    def layout(self) -> Layout: ...
    @property
    def serving(self) -> Serving | None: ...
    @property
    def training(self) -> Training | None: ...
    @property
    def run_gpu_hours(self) -> float | None: ...
    @property
    def run_usd(self) -> float | None: ...


def _api(plan: Sized) -> tuple[float | None, Sentence]:
    """What an API asks per million output tokens at this workload's ratio of prompt to answer."""
    scenario = plan.scenario
    price = _api_price(scenario.facts, scenario.model.id)
    if price is None or not scenario.workload.is_inference or scenario.workload.embeds:
        return None, ()
    prompts = scenario.workload.input_tokens / scenario.workload.output_tokens
    total = price.usd_per_million_output + prompts * price.usd_per_million_input
    ratio = Figure(digits(prompts), "ratio(load.input_tokens,load.output_tokens)")
    asked = f"{price.provider}, {dated(price.as_of, scenario.facts.as_of)}: "
    return total, (asked, ratio, " prompt tokens for each of the answer")


def cost(plan: Sized, draw: Power) -> Cost:
    """Purchase, rent, electricity, unit costs and break-even of the entered build in USD."""
    scenario = plan.scenario
    nodes, gpus = scenario.hardware.nodes, scenario.hardware.gpus
    alone = works_alone(scenario, plan.layout)
    lines = bill(scenario, alone)
    unknown = [line.item for line in lines if line.usd is None]
    known = [line for line in lines if line.usd is not None]
    buy = known_usd(lines)
    buy_note = "; ".join(f"{line.item}: {line.source or 'catalog'} {line.as_of}".strip() for line in known)
    if known and unknown:
        buy_note += f"; without {', '.join(unknown)}"
    hourly, rent_note = usd_per_gpu_hour(plan.scenario)
    rent = hourly * gpus if hourly is not None else None
    money = scenario.money
    hours = hours_per_month(money)
    month = rent * hours if rent is not None else None
    if rent is None:
        unknown.append("rental price")
    price_kwh = usd_per_kwh(scenario)
    electricity = None
    if price_kwh is not None and draw.total_w is not None:
        electricity = draw.total_w / W_PER_KW * facility_ratio(scenario) * hours * price_kwh
    else:
        unknown.append("electricity")
    per_million = None
    if rent is not None and plan.serving is not None and plan.serving.tokens_per_s_total > 0:
        per_million = rent / SECONDS_PER_HOUR / plan.serving.tokens_per_s_total * MILLION
    api, api_note = _api(plan)
    factor = operations_factor(nodes)
    fte = None if money.engineer_share is None else money.engineer_share * factor
    people = (
        fte * money.engineer_usd_per_year / MONTHS_PER_YEAR if fte is not None and money.engineer_usd_per_year else None
    )
    once, in_use = None, hours
    spent = plan.run_gpu_hours
    if spent is not None:
        in_use, once = run_hours(money, spent / gpus)
    rates = Rates(
        buy_usd=buy,
        rent_usd_per_hour=rent,
        electricity_usd_per_hour=(electricity or 0.0) / hours,
        reserved_usd_per_hour=_billed(scenario, "reserved"),
        spot_usd_per_hour=_billed(scenario, "spot"),
        api_usd_per_million=api,
        tokens_per_hour=plan.serving.tokens_per_s_total * SECONDS_PER_HOUR if plan.serving is not None else 0.0,
        people_usd=people or 0.0,
        once_hours=once,
    )
    horizons = tuple(horizon(months, in_use, rates, money) for months in HORIZONS_MONTHS)
    # what is done a single time has no month
    crossing = _crossing(horizons, api) if once is None else None
    made = rates.tokens_per_hour * in_use if plan.serving is not None and once is None else None
    return Cost(
        buy_usd=buy,
        buy_note=buy_note,
        lines=lines,
        network_note=NO_FABRIC if alone and scenario.money.network_price_usd is None else (),
        rent_usd_per_hour=rent,
        rent_note=rent_note,
        rent_usd_per_month=month,
        offers=_offers(scenario.facts, scenario.hardware),
        own_usd_per_month=_own_month(horizons) if spent is None else _own_always(buy, electricity, people, money),
        horizons=horizons,
        usd_per_million_tokens=per_million,
        api_usd_per_million_tokens=api,
        api_note=api_note,
        run_usd=plan.run_usd,
        break_even_months=break_even_months(in_use, rates, money),
        electricity_usd_per_month=electricity,
        checkpoint_bytes=checkpoint_bytes(scenario),
        operations_factor=factor,
        operations_note=_operations(nodes),
        unknown=tuple(unknown),
        whole_usd=whole_usd(lines),
        ask=_ask(lines),
        hours_per_month=in_use if once is None else once,
        break_even_runs=break_even_runs(spent / gpus, rates) if spent is not None else None,
        api_crossing_tokens_per_month=crossing,
        api_words=_api_words(plan, made, crossing),
        tokens_per_month=made,
        operations_fte=fte,
        operations_usd_per_month=people,
    )


def tokens_per_usd(tokens_per_s: float, rent_usd_per_hour: float) -> float:
    """Tokens for a dollar of rent."""
    return tokens_per_s * SECONDS_PER_HOUR / rent_usd_per_hour


def operations_factor(nodes: int) -> float:
    """Engineering time of so many nodes against one, at least: what the articles state, as far as their builds go."""
    low, high = OPERATIONS_FACTOR_PER_NODE
    return 1.0 + (min(nodes, OPERATIONS_NODES) - 1) * (low + high) / 2


def _operations(nodes: int) -> Sentence:
    """What the factor covers, in words."""
    if nodes == 1:
        return ("one node: no shared storage, no fabric to tune",)
    low, high = OPERATIONS_FACTOR_PER_NODE
    words = (
        Figure(f"{nodes:,}", "build.nodes"),
        " nodes, each added one ",
        Figure(f"{low:.0f}-{high:.0f}", "cost.operations_factor"),
        " times the engineering time; shared storage and its network, sharded checkpoints, NIC and NCCL tuning, "
        "monitoring, failures in proportion",
    )
    if nodes <= OPERATIONS_NODES:
        return words
    return (
        *words,
        f". Builds of that source end at {OPERATIONS_NODES} nodes, and so does the factor; a larger cluster has a "
        "storage engineer, a network engineer and somebody on call",
    )


def _billed(scenario: Scenario, billing: str) -> float | None:
    """What the whole build costs an hour under a way of billing; None where nobody offers it."""
    hardware = scenario.hardware
    each = None if hardware.mixed else billed_usd_per_gpu_hour(scenario.facts, hardware.accelerator.id, billing)
    return None if each is None else each * hardware.gpus


def _own_month(horizons: tuple[Horizon, ...]) -> float | None:
    last = horizons[-1]
    return None if last.own_usd is None else last.own_usd / last.months


def _own_always(buy: float | None, electricity: float | None, people: float | None, money: Money) -> float | None:
    """A month of owning a build whose work has an end, whether it works or not."""
    if buy is None:
        return None
    lost = 1.0 - resale_share(money, WRITE_OFF_MONTHS)
    return buy * (lost / WRITE_OFF_MONTHS + capital_share_per_month(money)) + (electricity or 0.0) + (people or 0.0)


def _crossing(horizons: tuple[Horizon, ...], api: float | None) -> float | None:
    """Answer tokens a month below which the API costs less than the cheapest way of having the build, over 36 months."""
    last = horizons[-1]
    ways = [usd for usd in (last.own_usd, last.rent_usd, last.reserved_usd) if usd is not None]
    return min(ways) / last.months / api * MILLION if ways and api else None


def _api_words(plan: Sized, made: float | None, crossing: float | None) -> Sentence:
    """When an API is better: the volume, and what no price says (seed_claims.toml, multinode_deployment)."""
    if not plan.scenario.workload.is_inference:
        return ()
    rest = (
        "An API also suits bursts and work without a place that data must stay in; hardware of one's own suits steady "
        "volume, data that must stay, a first token from nearby, and weights that nobody hosts."
    )
    if crossing is None or made is None:
        return (rest,)
    against = "which is" if made < crossing else "and"
    more = "less" if made < crossing else "more"
    return (
        "By price an API is better below about ",
        Figure(_tokens(crossing), "cost.api_crossing_tokens_per_month"),
        " answer tokens a month; this build writes ",
        Figure(_tokens(made), "cost.tokens_per_month"),
        f" in the hours used, {against} {more}. {rest}",
    )


def _tokens(count: float) -> str:
    for limit, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if count >= limit:
            return f"{digits(count / limit)}{unit}"
    return digits(count)


def advised(scenario: Scenario, verdict: Verdict) -> Advised | None:
    """What the build of the verdict costs; None where that is the entered one, none, or a fleet that nobody orders."""
    build, other = verdict.recommended, named_build(scenario, verdict)
    return None if build is None or other is None else billed(scenario, build, other)


def billed(scenario: Scenario, build: Build, other: Scenario) -> Advised:
    """What another build of a scenario's work costs. other: the scenario on that build."""
    money, lines, hourly = scenario.money, bill(other, names_replicas(other, build)), usd_per_gpu_hour(other)[0]
    rent = hourly * other.hardware.gpus if hourly is not None else None
    hours = hours_per_month(money)
    draw, price_kwh = power(other), usd_per_kwh(other)
    fed = None
    if draw.total_w is not None and price_kwh is not None:
        fed = draw.total_w / W_PER_KW * facility_ratio(other) * price_kwh
    pays = None
    if not scenario.workload.is_run:
        rates = Rates(known_usd(lines), rent, fed or 0.0)
        pays = break_even_months(hours, rates, money)
    words = text_of(build.words)
    if build.weights != scenario.model.weights:
        words += f" at {FORMATS[build.weights].label}"
    return Advised(
        words,
        lines,
        known_usd(lines),
        whole_usd(lines),
        rent,
        rent * hours if rent is not None else None,
        electricity_usd_per_month=fed * hours if fed is not None else None,
        break_even_months=pays,
        power_w=draw.total_w,
        ask=_ask(lines),
    )


def named_build(scenario: Scenario, verdict: Verdict) -> Scenario | None:
    """The build that the verdict names, in its own weights, to be billed and listed; None where that is the entered one,
    none, or a fleet that nobody orders."""
    build, hardware = verdict.recommended, scenario.hardware
    if build is None or not 0 < build.nodes < FLEET or hardware.mixed:
        return None
    if (build.gpus_per_node, build.nodes) == (hardware.gpus_per_node, hardware.nodes):
        return None
    return bought(scenario, build.gpus_per_node, build.nodes, build.weights)


def names_replicas(scenario: Scenario, build: Build) -> bool:
    """Whether the verdict's nodes answer each by itself."""
    return scenario.workload.is_inference and build.replicas > 1


def _ask(lines: tuple[PriceLine, ...]) -> str:
    """The one figure to ask a seller for first, and where it is entered: of the main part, else of the first unknown one."""
    lacks = [line for line in lines if line.usd is None and line.key]
    first = min(lacks, key=lambda line: line.part not in MAIN_PARTS, default=None)
    if first is None:
        return ""
    if first.part == "network":
        return f"{first.key}: what the network costs for each node"
    return f"{first.key}: what one {first.thing} costs"
