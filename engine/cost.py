"""What the entered build costs to buy, to rent, to feed and to run. Unknown prices are None and named, never 0.

A price that the person entered beats the catalog's. Of the catalog's rentals the median on-demand price of a GPU-hour
is taken, since the cheapest offer is rarely the one that is available.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from engine.hardware import Accelerator, ApiPrice, Facts, Purchase, Rental
from engine.parameters import count_parameters
from engine.plan import Plan
from engine.prices import rentals_of, usd_per_gpu_hour
from engine.scenario import Hardware, Scenario
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
HOST_ITEM = "host: CPU, board, RAM, chassis, power"
BOARD_GPUS = 8  # GPUs of an HGX board or an OAM universal baseboard
RACK_GPUS = 72  # GPUs of an NVL72 rack
COUNT_WORDS = {4: "fours", 8: "eights"}


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


def card_price(facts: Facts, accelerator: Accelerator) -> PriceLine:
    """The catalog's price of one card: a person's own entry, else what it sells for, else its maker's.

    Of a card that is only sold on boards or in racks it is a share of those, and its item says so.
    """
    street = _street(facts, accelerator.id)
    own = accelerator.origin == "user" and accelerator.price_usd is not None
    if street is not None and street.usd is not None and (street.origin == "user" or not own):
        line = PriceLine(street.item, 1, street.usd, street.as_of, street.source)
    else:
        note = accelerator.price_note if accelerator.price_usd is not None else ""
        line = PriceLine(accelerator.label, 1, accelerator.price_usd, accelerator.price_as_of, note)
    whole = sold_in(facts, accelerator)
    return line if not whole else replace(line, item=f"{line.item}; {sold_words(whole)}")


@lru_cache(maxsize=256)
def _street(facts: Facts, accelerator_id: str) -> Purchase | None:
    found = [p for p in facts.purchases if p.accelerator == accelerator_id and p.gpus == 1]
    return max(found, key=lambda p: p.origin == "user", default=None)


@lru_cache(maxsize=256)
def sold_in(facts: Facts, accelerator: Accelerator) -> tuple[int, ...]:
    """The counts that an accelerator is sold in, where that is not by the card: its boards, or its whole rack.

    SXM and OAM modules come on boards of eight (NVIDIA HGX; OCP's universal baseboard), and of four where the catalog
    has a price of one; superchips of a rack come with the rack. Empty: sold by the card.
    """
    if accelerator.form_factor.startswith(("SXM", "OAM")):
        return tuple(sorted({BOARD_GPUS, *_board_counts(facts, accelerator.id)}))
    if "rack" in accelerator.segment:
        return (RACK_GPUS,)
    return ()


def _board_counts(facts: Facts, accelerator_id: str) -> set[int]:
    return {p.gpus for p in facts.purchases if p.accelerator == accelerator_id and p.gpus is not None and p.gpus > 1}


def sold_words(counts: tuple[int, ...]) -> str:
    """How something that is not sold by the card is sold, in words."""
    if counts == (RACK_GPUS,):
        return f"sold as a rack of {RACK_GPUS}"
    return f"sold in {' and '.join(COUNT_WORDS.get(count, str(count)) for count in counts)}"


def kit_price(scenario: Scenario) -> PriceLine | None:
    """The catalog's price of the entered platform where it is sold whole, and as large as the node; else None."""
    platform = scenario.hardware.platform
    if platform is None or platform.gpus != scenario.hardware.gpus_per_node:
        return None
    for kit in scenario.facts.purchases:
        if kit.platform == platform.id and kit.usd is not None:
            return PriceLine(kit.item, 1, kit.usd, kit.as_of, kit.source)
    return None


def _host(scenario: Scenario) -> PriceLine:
    """One node without its cards: as entered, else what the catalog has for a node of so many GPUs."""
    money, hardware = scenario.money, scenario.hardware
    if money.host_price_usd is not None:
        return PriceLine(HOST_ITEM, hardware.nodes, money.host_price_usd, "", "entered")
    host = host_purchase(scenario.facts, hardware.gpus_per_node)
    if host is None:
        return PriceLine(HOST_ITEM, hardware.nodes, None)
    return PriceLine(_rough(host), hardware.nodes, host.usd, host.as_of, host.source)


@lru_cache(maxsize=64)
def host_purchase(facts: Facts, gpus: int) -> Purchase | None:
    """The catalog's price of a node of so many GPUs without its cards; None where nobody states one."""
    hosts = [p for p in facts.purchases if p.gpus == gpus and not (p.accelerator or p.platform or p.link or p.part)]
    return max(hosts, key=lambda p: p.origin == "user", default=None)


def whole_usd(bill: tuple[PriceLine, ...], scenario: Scenario) -> float | None:
    """A bill for comparing builds: every known line, and for a host of unknown price at most that of an 8-GPU node.

    None where the cards have no price.
    """
    if bill[0].usd is None:
        return None
    total = sum(line.usd or 0.0 for line in bill)
    if any(line.item == HOST_ITEM and line.usd is None for line in bill):
        host = host_purchase(scenario.facts, BOARD_GPUS)
        total += (host.usd or 0.0) * scenario.hardware.nodes if host is not None else 0.0
    return total


def _rough(part: Purchase) -> str:
    return part.item if part.uncertainty is None else f"{part.item} (give or take {100 * part.uncertainty:.0f} %)"


def _network(scenario: Scenario) -> Iterator[PriceLine]:
    """What joins the nodes: as entered, else cards, cables and switches where the catalog prices all of them."""
    money, hardware, link = scenario.money, scenario.hardware, scenario.hardware.inter_link
    if hardware.nodes == 1:
        return
    item = f"network cards and switch, {link.name}"
    if money.network_price_usd is not None:
        yield PriceLine(item, hardware.nodes, money.network_price_usd, "", "entered")
        return
    parts = _fabric_parts(scenario.facts, link.id)
    if not {"nic", "switch", "cable"} <= parts.keys():
        yield PriceLine(item, 1, None)
        return
    platform = hardware.platform
    each = link.nics_per_node or (platform.nics if platform is not None else None) or hardware.gpus_per_node
    ports = each * hardware.nodes
    for kind in ("nic", "cable"):
        part = parts[kind]
        yield PriceLine(_rough(part), ports, part.usd, part.as_of, part.source)
    switch = parts["switch"]
    # one switch while its ports last; beyond it two tiers, of which the leaves give half their ports to the spines
    joins = switch.nics or ports
    leaves = math.ceil(ports / (joins / 2))
    count = 1 if ports <= joins else leaves + math.ceil(leaves / 2)
    yield PriceLine(_rough(switch), count, switch.usd, switch.as_of, switch.source)


@lru_cache(maxsize=64)
def _fabric_parts(facts: Facts, link_id: str) -> dict[str, Purchase]:
    return {p.part: p for p in facts.purchases if p.link == link_id and p.part and p.usd is not None}


def _bill(plan: Plan) -> tuple[PriceLine, ...]:
    """The purchase line by line: a kit where the platform is sold whole, else cards and hosts; then the network."""
    scenario = plan.scenario
    hardware, money, facts = scenario.hardware, scenario.money, scenario.facts
    kit = kit_price(scenario) if money.gpu_price_usd is None else None
    if kit is not None:
        return (replace(kit, quantity=hardware.nodes), *_network(scenario))
    kinds = hardware.mixed or ((hardware.accelerator, hardware.gpus_per_node),)
    cards = []
    for accelerator, count in kinds:
        if money.gpu_price_usd is not None:
            line = PriceLine(accelerator.label, 1, money.gpu_price_usd, "", "entered")
        else:
            line = card_price(facts, accelerator)
        cards.append(replace(line, quantity=count * hardware.nodes))
    return (*cards, _host(scenario), *_network(scenario))


@lru_cache(maxsize=512)
def _offers(facts: Facts, hardware: Hardware) -> tuple[Offer, ...]:
    cheapest: dict[tuple[str, str], Rental] = {}
    if hardware.mixed:
        return ()
    for rental in rentals_of(facts, hardware.accelerator.id):
        cheapest.setdefault((rental.provider, rental.billing), rental)
    return tuple(Offer(r.provider, r.billing, r.usd_per_gpu_hour * hardware.gpus, r.as_of) for r in cheapest.values())


def _api(plan: Plan) -> tuple[float | None, str]:
    """What an API asks per million output tokens at this workload's ratio of prompt to answer."""
    scenario = plan.scenario
    price = _api_price(scenario.facts, scenario.model.id)
    if price is None or not scenario.workload.is_inference:
        return None, ""
    prompts = scenario.workload.input_tokens / scenario.workload.output_tokens
    total = price.usd_per_million_output + prompts * price.usd_per_million_input
    return total, f"{price.provider}, {price.as_of}: {prompts:,.3g} prompt tokens for each of the answer"


def cost(plan: Plan, power: Power) -> Cost:
    """Purchase, rent, electricity, unit costs and break-even of the entered build in USD."""
    scenario = plan.scenario
    nodes, gpus = scenario.hardware.nodes, scenario.hardware.gpus
    lines = _bill(plan)
    unknown = [line.item for line in lines if line.usd is None]
    known = [line for line in lines if line.usd is not None]
    buy = sum(line.usd or 0.0 for line in known) if known else None
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
    )
