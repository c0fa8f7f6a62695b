"""Electrical power of the entered build and what feeds, houses and cools it: supplies, circuits, racks, lanes, RAM, disks.

A node's load is its cards at their power limit and a fixed term of the box that they stand in; what comes out of the
wall is that over the efficiency of the supplies. Where a maker states the power of the whole node, that counts.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from typing import Literal

from engine.figures.records import dataclass
from engine.figures.units import GB, GIB, W_PER_KW
from engine.money.boxes import RACK_UNITS, box_of, computer_of_its_own, in_rack, usable_units
from engine.money.disks import nvme_bytes
from engine.parts.hardware import Platform
from engine.parts.power_limit import limited
from engine.scenario import Hardware, Scenario, Site
from engine.sizing import Circuit, Power

BTU_H_PER_W = 3.412  # 1 W = 3.412 BTU/h
Host = Literal["pc", "workstation", "small server", "server", "board", "rack", "own"]
"""A PC with one card, a Threadripper or the like, a server with one and with two sockets, a server with a board of SXM or
OAM modules, a rack that is sold whole, and a card that is its own computer."""

HOST_W: dict[Host, float] = {
    "pc": 300.0,
    "workstation": 400.0,
    "small server": 450.0,
    "server": 700.0,
    "board": 700.0,
    "rack": 0.0,
    "own": 100.0,
}
"""The fixed term: CPU, board, RAM, fans and disks at full load, in watts that the supplies deliver.

pc: Core i9-14900K 253 W (Tom's Hardware, 2025) and 47 W beside it. workstation: Threadripper PRO 350 W and 50 W; two 600 W
cards then take the 1,600 to 2,000 W of seed_claims.toml, power.psu_for_dual_600w_w. server: what is left of 5,500-6,000 W
and of 3,000-3,500 W at the wall for eight cards of 600 and of 300 W (voipmonitor/rtx6kpro, 2026-05-04) after the cards and
6 % of loss, 560-840 and 420-890 W. small server: the same with one CPU of 250 W less. own: DGX Spark, 240 W of supply for
a chip of 140 W.
"""
BOARD_W_PER_GPU = 130.0
BOARD_SHARE = 0.39
"""What a board adds to each of its modules, network cards and switches, and the share of their power that fans and
regulators take: least squares of DGX A100, H100, B200 and B300 (6,500, 10,200, 14,300, 14,400 W), within 4 % of each."""
RACK_SHARE = (
    0.365  # GB200 NVL72 120 kW for 86.4 kW of GPUs, GB300 NVL72 135 kW for 100.8 kW: the middle of 0.34 and 0.39
)

EFFICIENCY: dict[str, float] = {"ATX": 0.90, "CRPS": 0.94, "": 0.94}
"""Of supplies at half load: 80 PLUS Gold at 115 V, Platinum at 230 V."""
SUPPLIES_W: dict[str, tuple[float, ...]] = {
    "ATX": (650.0, 750.0, 850.0, 1000.0, 1200.0, 1600.0, 2000.0),
    "CRPS": (1300.0, 1600.0, 2000.0, 2400.0, 3000.0, 3300.0),
}
"""Ratings of single supplies as they are sold: for towers, and redundant ones for servers, which take 200-240 V."""
SUPPLY_NAMES = {"ATX": "ATX", "CRPS": "CRPS, 200-240 V"}
# Supplies run best, and ride out peaks, below this share of their rating: 50 to 80 % (specscalc.com). One RTX 4090 then
# takes more than the 850 W that its maker asks for, an RTX 5090 more than 1,000 W.
PSU_LOAD = 0.8
SPARE_SUPPLIES = 1  # N+1 in servers

CONTINUOUS = 0.8  # of a breaker's rating for a load of three hours and more: NEC 210.20(A), rule circuit-continuous
NORTH_AMERICA = "north-america"
TOWER_CIRCUITS: dict[bool, tuple[tuple[float, float, int], ...]] = {
    True: ((120.0, 15.0, 1), (120.0, 20.0, 1), (240.0, 30.0, 1)),
    False: ((230.0, 16.0, 1), (230.0, 32.0, 1)),
}
RACK_CIRCUITS: dict[bool, tuple[tuple[float, float, int], ...]] = {
    True: ((208.0, 30.0, 1), (208.0, 60.0, 3)),
    False: ((230.0, 32.0, 1), (400.0, 32.0, 3)),
}
"""Volts, amperes and phases of the circuits that towers and racks are fed by, in North America and elsewhere; three phases
give the square root of three of the voltage between two of them."""
TOWERS: tuple[Host, ...] = ("pc", "workstation", "own")
FEEDS = 2  # A and B: each carries the whole node when the other fails
AIR_KW = 30.0  # a rack beyond that is not cooled by air: 25-30 kW (flashgenius.net, data center power guide)

CPU_LANES: dict[Host, int] = {"pc": 20, "workstation": 128, "small server": 128, "server": 160}
"""PCIe lanes of the CPUs: seed_claims.toml, lanes; rules lanes-trpro, lanes-epyc-1p and lanes-epyc-2p. Boards, racks and
computers of their own have theirs on the board."""
BOARD_SLOTS = 7  # of a WRX90 board, ASUS Pro WS WRX90E-SAGE SE
SLOTS_PER_CARD = 2  # width of a card that cools itself
TOWER_CARDS = 4  # double-wide cards that seven slots take, the last one over the edge of the board
HOST_WORDS: dict[Host, str] = {
    "pc": "a PC",
    "workstation": "a Threadripper or like workstation",
    "small server": "a server with one socket",
    "server": "a server with two sockets",
    "board": "a server with a board of modules",
    "rack": "its share of a whole rack",
    "own": "a computer of its own",
}
NOISE_WORDS: dict[Host, str] = {
    "pc": "a tower for a room with people",
    "workstation": "a tower for a room with people, warm and audible",
    "own": "made for a desk",
}
MACHINE_ROOM = "fans of a server: a room of its own"


@dataclass(frozen=True, slots=True)
class Supplies:
    """Supplies of a node: kind, rating of one in watts, how many carry the load, and how many stand by."""

    kind: str
    each_w: float
    count: int
    spare: int


def host_of(hardware: Hardware) -> Host:
    """What a node is, as its power counts it: by the card, how many there are, and the chosen platform."""
    box, gpus = box_of(hardware), hardware.gpus_per_node
    if in_rack(hardware):
        return "rack"
    if computer_of_its_own(hardware):
        return "own"
    if box == "hgx":
        return "board"
    chosen = hardware.platform is not None and hardware.platform.gpus == gpus
    if box in ("consumer", "workstation") and (gpus <= TOWER_CARDS or chosen):
        return "pc" if box == "consumer" and gpus == 1 else "workstation"
    return "small server" if gpus <= SLOTS_PER_CARD else "server"


def cards_w(hardware: Hardware) -> float | None:
    """Power limits of a node's cards together; None where one is not published."""
    cards = hardware.mixed or ((hardware.accelerator, hardware.gpus_per_node),)
    if any(card.tdp_w is None for card, _ in cards):
        return None
    limit = hardware.power_limit_w
    if limit is None:
        return sum((card.tdp_w or 0.0) * count for card, count in cards)
    return sum((limited(card, limit).tdp_w or 0.0) * count for card, count in cards)


def stated_w(hardware: Hardware) -> float | None:
    """What the maker states for the whole of the chosen node; None where nobody does, or it holds other cards or cards of
    limited power."""
    platform: Platform | None = hardware.platform
    if hardware.working.tdp_w != hardware.accelerator.tdp_w:
        return None
    if platform is None or hardware.mixed or platform.gpus != hardware.gpus_per_node:
        return None
    return platform.system_power_w


def supply_kind(host: Host) -> str:
    """The kind of supplies of a box; empty where they come with it."""
    return "" if host in ("rack", "own") else "ATX" if host in TOWERS else "CRPS"


def load_w(hardware: Hardware) -> float | None:
    """What the supplies of a node deliver at full load, watts; None where a card's power is unknown."""
    host, stated, cards = host_of(hardware), stated_w(hardware), cards_w(hardware)
    if stated is not None:
        return stated * EFFICIENCY[supply_kind(host)]
    if cards is None:
        return None
    load = HOST_W[host] + cards
    if host == "board":
        return load + BOARD_W_PER_GPU * hardware.gpus_per_node + BOARD_SHARE * cards
    if host == "rack":
        return cards * (1.0 + RACK_SHARE) * EFFICIENCY[""]
    return load


def supplies(host: Host, load: float) -> Supplies | None:
    """The fewest supplies that carry a load at PSU_LOAD, the smallest that do so, and a spare one in servers.

    None where the supplies come with the box.
    """
    kind = supply_kind(host)
    if not kind:
        return None
    sizes = SUPPLIES_W[kind]
    count = math.ceil(load / PSU_LOAD / sizes[-1])
    each = next(size for size in sizes if size * count >= load / PSU_LOAD)
    return Supplies(kind, each, count, SPARE_SUPPLIES if kind == "CRPS" else 0)


def american(site: Site) -> bool:
    """Whether the mains are those of North America, as where no region is entered."""
    return site.money.region in (None, NORTH_AMERICA)


def circuits(host: Host, node_w: float, north_america: bool) -> tuple[Circuit, ...]:
    """How many of each usual circuit one node takes, the one to ask for first: the fewest, then the smallest."""
    usual = (TOWER_CIRCUITS if host in TOWERS else RACK_CIRCUITS)[north_america]
    rows = []
    for volts, amperes, phases in usual:
        usable = circuit_w(volts, amperes, phases)
        rows.append(
            Circuit(circuit_words(volts, amperes, phases), volts, amperes, phases, usable, math.ceil(node_w / usable))
        )
    return tuple(sorted(rows, key=lambda row: (row.per_node, row.usable_w)))


def circuit_w(volts: float, amperes: float, phases: int) -> float:
    """Watts that a circuit gives for as long as it is asked to."""
    return CONTINUOUS * volts * amperes * (math.sqrt(phases) if phases == 3 else 1.0)


def circuit_words(volts: float, amperes: float, phases: int) -> str:
    """A circuit by its name: 208 V, 60 A, three-phase."""
    return f"{volts:.0f} V, {amperes:.0f} A" + (", three-phase" if phases == 3 else "")


def rack_w(site: Site) -> float:
    """What a rack may draw: as entered, else what its three-phase feed gives, each of A and B alone."""
    if site.money.rack_kw is not None:
        return site.money.rack_kw * W_PER_KW
    return circuit_w(*RACK_CIRCUITS[american(site)][-1])


def rack_units(hardware: Hardware) -> int | None:
    """Height of a node in a rack; None of towers, and of what is a rack or a part of one."""
    return None if host_of(hardware) in (*TOWERS, "rack") else RACK_UNITS.get(box_of(hardware), RACK_UNITS["server"])


def node_w(hardware: Hardware) -> float | None:
    """What a node draws from the wall at full load, watts; None where a card's power is unknown."""
    load = load_w(hardware)
    return None if load is None else load / EFFICIENCY[supply_kind(host_of(hardware))]


def nodes_per_rack(site: Site) -> int | None:
    """Nodes that a rack takes by height and power; 0: not one. None of towers and whole racks; by height where the power
    is unknown."""
    height, draw = rack_units(site.hardware), node_w(site.hardware)
    if height is None:
        return None
    by_height = usable_units(site.facts) // height
    return by_height if draw is None else min(by_height, math.floor(rack_w(site) / draw))


def racks(site: Site) -> int | None:
    """Racks for all nodes; one each where a rack's power is less than a node's. None of towers and whole racks."""
    per_rack = nodes_per_rack(site)
    return None if per_rack is None else math.ceil(site.hardware.nodes / max(1, per_rack))


def cooling(hardware: Hardware, draw: float | None, per_rack: int | None) -> str:
    """Air or liquid: as the platform or the card says, else by what stands in one rack."""
    platform = hardware.platform
    if platform is not None and platform.cooling:
        return platform.cooling
    if in_rack(hardware) or "liquid" in hardware.accelerator.form_factor:
        return "liquid"
    beyond = draw is not None and per_rack is not None and draw * max(1, per_rack) > AIR_KW * W_PER_KW
    return f"air up to {AIR_KW:.0f} kW a rack: fewer nodes in each, or liquid" if beyond else "air"


def board_lanes(hardware: Hardware) -> int | None:
    """PCIe lanes that the CPUs of a node have for cards: the platform's, else of such a box; None on boards of modules."""
    platform = hardware.platform
    if platform is not None and platform.pcie_lanes is not None:
        return platform.pcie_lanes
    return CPU_LANES.get(host_of(hardware))


def slots(hardware: Hardware) -> str:
    """How the cards reach the CPU, in words: slots, bifurcation, risers, switches."""
    host, gpus, have = host_of(hardware), hardware.gpus_per_node, board_lanes(hardware)
    width = hardware.accelerator.pcie_lanes or 16
    if host in ("board", "rack", "own"):
        return "on the board, no slots"
    if hardware.platform is not None and hardware.platform.pcie_switches:
        return "on PCIe switches, which need slots and cables of their own"
    if have is not None and width * gpus > have:
        return f"fewer lanes than {gpus} at x{width}: slots split (x8 and x8 by bifurcation), or a PCIe switch"
    if host == "pc":
        return "one x16 slot"
    if host == "workstation":
        if gpus <= TOWER_CARDS:
            return f"{gpus} x{width} slots, each two wide, of {BOARD_SLOTS}: no risers"
        return f"{gpus} cards of two slots on a board of {BOARD_SLOTS}: risers or a PCIe switch"
    return f"{gpus} x{width} slots on the chassis's own risers"


def power(scenario: Scenario, host_bytes: int = 0) -> Power:
    """Power of the entered build in watts at full load; None where the card's power is unknown.

    host_bytes: RAM that a training run keeps in each node beside what the cards hold.
    """
    return _power(scenario.site, host_bytes, nvme_bytes(scenario))


@lru_cache(maxsize=64)
def _power(site: Site, host_bytes: int, disk_bytes: int | None) -> Power:
    hardware = site.hardware
    cards = hardware.gpus_per_node * hardware.accelerator.memory_gb_marketed * GB / GIB
    return replace(_whatever_runs(site), host_memory_gib_min=cards + host_bytes / GIB, nvme_bytes_min=disk_bytes)


@lru_cache(maxsize=64)
def _whatever_runs(site: Site) -> Power:
    """What a build draws and where it stands, without the memory and the disks that its work takes."""
    hardware, host = site.hardware, host_of(site.hardware)
    accelerator = hardware.accelerator
    lanes = accelerator.pcie_lanes * hardware.gpus_per_node if accelerator.pcie_lanes else None
    draw, load, stated = node_w(hardware), load_w(hardware), stated_w(hardware)
    per_rack = nodes_per_rack(site)
    known = Power(
        pcie_lanes_needed=lanes,
        note="the card's power is not published",
        host=HOST_WORDS[host],
        pcie_lanes_board=board_lanes(hardware),
        slots=slots(hardware),
        feeds=1 if host in TOWERS else FEEDS,
        rack_units=rack_units(hardware),
        nodes_per_rack=per_rack,
        racks=racks(site),
        rack_w=None if per_rack is None else rack_w(site),
        cooling=cooling(hardware, draw, per_rack),
        noise=NOISE_WORDS.get(host, MACHINE_ROOM),
    )
    if draw is None or load is None:
        return known
    fed, of_node = circuits(host, draw, american(site)), supplies(host, load)
    total = draw * hardware.nodes
    platform = hardware.platform
    return replace(
        known,
        gpu_w=hardware.working.tdp_w,
        node_w=draw,
        total_w=total,
        heat_btu_h=total * BTU_H_PER_W,
        load_w=load,
        host_w=None if stated is not None or not HOST_W[host] else HOST_W[host],
        psu_w=load if of_node is None else of_node.each_w * of_node.count,
        supply=of_node.kind if of_node is not None else "",
        supply_w=of_node.each_w if of_node is not None else None,
        supplies=of_node.count if of_node is not None else None,
        supplies_spare=of_node.spare if of_node is not None else None,
        circuits_per_node=fed[0].per_node,
        circuit=fed[0].name,
        circuits=fed,
        note=f"whole node, {platform.id}" if stated is not None and platform is not None else HOST_WORDS[host],
    )
