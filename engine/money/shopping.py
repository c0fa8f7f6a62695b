"""The shopping list of a build: what a seller quotes, what its boxes must hold, and what the place must give.

Prices are the bill's; what nobody prices is asked for. Supplies, memory, disks and slots come with the boxes, so that they
are conditions of those and not bought again.
"""

from __future__ import annotations

import math
from typing import Literal

from engine.figures.records import dataclass
from engine.figures.units import GB, count, kilowatts
from engine.layout.candidates import works_alone
from engine.money.bill import RACK_GPUS, bill, bought, bought_gpus, known_usd, whole_usd
from engine.money.boxes import in_rack
from engine.money.cost import named_build, names_replicas
from engine.money.power import SUPPLY_NAMES, power
from engine.scenario import Scenario
from engine.sizing import Power, PriceLine, Sizing

Section = Literal["to buy", "in the nodes", "at the site", "each year"]
SECTIONS: tuple[Section, ...] = ("to buy", "in the nodes", "at the site", "each year")
NODE_PARTS = ("host", "kit")  # the lines of a bill that are whole boxes, with what stands in them


@dataclass(frozen=True, slots=True)
class Part:
    """One line of a shopping list.

    usd_each None: in the price of the box where `included`, else to be asked for. key: the session key that takes the price.
    """

    section: Section
    item: str
    quantity: int
    usd_each: float | None = None
    as_of: str = ""
    age_days: int | None = None
    source: str = ""
    key: str = ""
    included: bool = False

    @property
    def usd(self) -> float | None:
        """The whole line in USD; None where nobody knows, or where it is in another price."""
        return None if self.usd_each is None else self.usd_each * self.quantity


@dataclass(frozen=True, slots=True)
class Shopping:
    """All that one build takes. known_usd: of the lines with a price; None without the main one. whole: all have one.

    power, nodes: of what the place feeds, a whole rack where that is how the build is bought.
    """

    name: str
    why: str
    parts: tuple[Part, ...]
    known_usd: float | None
    whole: bool
    power: Power
    nodes: int

    @property
    def total_w(self) -> float | None:
        """Power of all nodes at the wall, watts."""
        return self.power.total_w


def build_words(scenario: Scenario) -> str:
    """A build by its count: 2 nodes of 8x H100 SXM."""
    hardware = scenario.hardware
    cards = " and ".join(f"{n}x {card.label}" for card, n in hardware.mixed) if hardware.mixed else ""
    cards = cards or f"{hardware.gpus_per_node}x {hardware.accelerator.label}"
    return f"{hardware.nodes} nodes of {cards}" if hardware.nodes > 1 else cards


def shopping(scenario: Scenario, why: str, host_bytes: int = 0, alone: bool = False) -> Shopping:
    """The shopping list of a build as it stands. host_bytes: RAM that a run keeps in each node beside the cards' size.
    alone: whether each of several nodes answers by itself."""
    lines, draw, site = bill(scenario, alone), power(scenario, host_bytes), _fed(scenario)
    fed = draw if site is scenario else power(site)
    parts = (
        *_to_buy(lines),
        *_in_nodes(scenario, lines, draw if site.hardware.gpus_per_node == RACK_GPUS else fed),
        *_at_site(site.hardware.nodes, lines, fed, alone),
        *_each_year(scenario, lines),
    )
    whole = whole_usd(lines) is not None
    return Shopping(build_words(scenario), why, parts, known_usd(lines), whole, fed, site.hardware.nodes)


def _fed(scenario: Scenario) -> Scenario:
    """What the place feeds and cools: the build, or the whole boards and racks that it is bought as."""
    if not in_rack(scenario.hardware):
        whole = bought_gpus(scenario)
        same = whole == scenario.hardware.gpus_per_node
        return scenario if same else bought(scenario, whole, scenario.hardware.nodes)
    return bought(scenario, RACK_GPUS, math.ceil(scenario.hardware.gpus / RACK_GPUS))


def shopping_of(sizing: Sizing) -> tuple[Shopping, ...]:
    """Of the entered build, and of the one that the verdict names where that is another one that somebody orders."""
    scenario, build, money = sizing.scenario, sizing.verdict.recommended, sizing.cost
    alone = works_alone(scenario, sizing.layout)
    lists = [shopping(scenario, "as entered", sizing.memory.host_bytes, alone)]
    other = named_build(scenario, sizing.verdict)
    if money.advised is not None and other is not None and build is not None:
        why = f"the verdict: {money.advised.words}"
        lists.append(shopping(other, why, sizing.memory.host_bytes, names_replicas(other, build)))
    return tuple(lists)


def _to_buy(lines: tuple[PriceLine, ...]) -> tuple[Part, ...]:
    return tuple(
        Part("to buy", line.item, line.quantity, line.usd_each, line.as_of, line.age_days, line.source, line.key)
        for line in lines
    )


def _in_nodes(scenario: Scenario, lines: tuple[PriceLine, ...], draw: Power) -> tuple[Part, ...]:
    """What each box must hold; in its price where it has one."""
    nodes = scenario.hardware.nodes
    included = any(line.part in NODE_PARTS and line.usd is not None for line in lines) or not any(
        line.part in NODE_PARTS for line in lines
    )
    parts: list[Part] = []

    def put(item: str, quantity: int) -> None:
        parts.append(Part("in the nodes", item, quantity, included=included))

    if draw.supplies is not None and draw.supply_w is not None:
        spare = draw.supplies_spare or 0
        carry = "carries" if draw.supplies == 1 else "carry"
        kept = f"; {draw.supplies} {carry} a node, {spare} stands by" if spare else ""
        put(f"power supply {draw.supply_w:,.0f} W, {SUPPLY_NAMES[draw.supply]}{kept}", (draw.supplies + spare) * nodes)
    if draw.host_memory_gib_min is not None:
        put(f"memory, at least {count(math.ceil(draw.host_memory_gib_min))} GiB a node", nodes)
    if draw.nvme_bytes_min is not None:
        put(f"NVMe, at least {math.ceil(draw.nvme_bytes_min / GB):,} GB a node", nodes)
    if draw.slots:
        lanes = (
            f"{draw.pcie_lanes_needed} PCIe lanes for the cards: "
            if draw.pcie_lanes_board and draw.pcie_lanes_needed
            else ""
        )
        put(f"{lanes or 'cards '}{draw.slots}", nodes)
    return tuple(parts)


def _each_year(scenario: Scenario, lines: tuple[PriceLine, ...]) -> tuple[Part, ...]:
    """Support, by the share that the person entered; else to be asked for."""
    share, known = scenario.money.support_percent_per_year, known_usd(lines)
    usd = None if share is None or known is None else known * share / 100.0
    source = "" if usd is None else "entered"
    return (
        Part(
            "each year", "support and spare parts, a year", 1, usd, source=source, key="money.support_percent_per_year"
        ),
    )


def _at_site(nodes: int, lines: tuple[PriceLine, ...], draw: Power, alone: bool) -> tuple[Part, ...]:
    """Circuits, strips and room; nobody prices them for a place that is not known."""
    parts: list[Part] = []
    if alone:
        parts.append(Part("at the site", "port of an Ethernet switch: each node answers by itself, no fabric", nodes))
    if any(line.part == "network" for line in lines):
        parts.append(Part("at the site", "power of the network's switches, not among the nodes'", 1))
    if draw.circuits_per_node is not None:
        feeds = ", half on feed A and half on feed B" if draw.feeds > 1 else ""
        parts.append(Part("at the site", f"circuit {draw.circuit}{feeds}", draw.circuits_per_node * draw.feeds * nodes))
    if draw.racks is not None and draw.rack_units is not None and draw.rack_w is not None:
        many = "s" if draw.nodes_per_rack != 1 else ""
        parts.append(
            Part(
                "at the site",
                f"rack with {kilowatts(draw.rack_w)} on each feed, room for {draw.nodes_per_rack} node{many} of "
                f"{draw.rack_units} U",
                draw.racks,
                included=any(line.part == "rack" for line in lines),
            )
        )
        parts.append(Part("at the site", f"power strip (PDU) for {kilowatts(draw.rack_w)}", draw.racks * draw.feeds))
    if draw.total_w is not None and draw.heat_btu_h is not None:
        heat = f"cooling for {kilowatts(draw.total_w)}, {count(draw.heat_btu_h)} BTU/h: {draw.cooling}"
        parts.append(Part("at the site", heat, 1))
    parts.append(Part("at the site", f"noise, dB(A): {draw.noise}; nobody states a figure", nodes))
    return tuple(parts)
