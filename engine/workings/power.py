"""Workings of power: draw, supplies, circuits, heat, racks, lanes, host memory and disks."""

from __future__ import annotations

from collections.abc import Callable

from engine.figures.units import GB, GIB
from engine.money.boxes import usable_units
from engine.money.disks import CHECKPOINT_BYTES_PER_PARAMETER, COPIES, checkpoint_bytes
from engine.money.power import (
    BOARD_SHARE,
    BOARD_W_PER_GPU,
    BTU_H_PER_W,
    CONTINUOUS,
    EFFICIENCY,
    HOST_W,
    PSU_LOAD,
    RACK_CIRCUITS,
    RACK_SHARE,
    american,
    circuit_words,
    host_of,
    stated_w,
    supply_kind,
)
from engine.sizing import FigureKind, Power
from engine.workings.case import Case
from engine.workings.record import Sheet, Working, unknown

MODEL = "engine.money.power"
NO_POWER = "the card's power is not published"
NO_RACK = "it does not stand in a rack of its own choosing: a tower, or a rack that is sold whole"


def _power(case: Case) -> Power:
    if case.sizing is None:
        raise KeyError("power")
    return case.sizing.power


def _no_power(name: str, title: str, unit: str) -> Working:
    return unknown(f"power.{name}", title, unit, NO_POWER)


def _gpu_w(case: Case) -> Working:
    power, sheet = _power(case), Sheet()
    if power.gpu_w is None:
        return _no_power("gpu_w", "One GPU", "W")
    watts = sheet.put("power_limit", power.gpu_w, "W", case.sheet, "data sheet")
    return sheet.working(
        "power.gpu_w", "One GPU", power.gpu_w, "W", "the card's power limit", watts, "data sheet", case.sheet
    )


def _host_w(case: Case) -> Working:
    power, sheet = _power(case), Sheet()
    if power.host_w is None:
        return unknown("power.host_w", "A node without its cards", "W", "it is in what is stated for the whole node")
    watts = sheet.put("host_w", power.host_w, "W", f"{power.host}: engine.money.power.HOST_W", "rule of thumb")
    return sheet.working(
        "power.host_w",
        "A node without its cards",
        power.host_w,
        "W",
        "CPU, board, RAM, fans and disks of such a box at full load",
        watts,
        "rule of thumb",
        MODEL,
    )


def _load_w(case: Case) -> Working:
    power, sheet, hardware = _power(case), Sheet(), case.scenario.hardware
    title, host = "What the supplies deliver", host_of(case.scenario.hardware)
    if power.load_w is None or power.node_w is None:
        return _no_power("load_w", title, "W")
    kind = supply_kind(host)
    if stated_w(hardware) is not None or host == "rack":
        watts = sheet.see("node_w", power.node_w, "W", "power.node_w", "data sheet")
        share = sheet.put("efficiency", EFFICIENCY[kind], "", "80 PLUS, at half load", "rule of thumb")
        formula, expression = "power of a node x efficiency of its supplies", f"{watts} * {share}"
    else:
        expression = _cards(case, sheet)
        formula = "cards at their power limit + CPU, board, RAM, fans and disks"
        if host == "board":
            fans = sheet.put("board_share", BOARD_SHARE, "", "fans and regulators: engine.money.power", "fitted")
            each = sheet.put(
                "board_w_each", BOARD_W_PER_GPU, "W", "its network card and switch: engine.money.power", "fitted"
            )
            gpus = sheet.put("gpus_of_a_node", hardware.gpus_per_node, "GPUs", "entered", "entered")
            expression = f"({expression}) * (1 + {fans}) + {gpus} * {each}"
            formula = "modules with fans and regulators + network and switches of each + CPU, RAM and disks"
        fixed = sheet.see("host_w", HOST_W[host], "W", "power.host_w", "rule of thumb")
        expression = f"{expression} + {fixed}"
    return sheet.working("power.load_w", title, power.load_w, "W", formula, expression, "rule of thumb", MODEL)


def _cards(case: Case, sheet: Sheet) -> str:
    """Power limits of a node's cards, as an expression."""
    hardware = case.scenario.hardware
    if not hardware.mixed:
        watts = sheet.see("gpu_w", case.card.tdp_w or 0.0, "W", "power.gpu_w", "data sheet")
        return f"{watts} * {sheet.put('gpus', hardware.gpus_per_node, 'GPUs', 'entered', 'entered')}"
    terms = []
    for card, count in hardware.mixed:
        watts = sheet.put(
            "power_limit", card.tdp_w or 0.0, "W", f"{card.name}: {card.source or 'catalog'}", "data sheet"
        )
        terms.append(f"{watts} * {sheet.put('gpus', count, 'GPUs', 'entered', 'entered')}")
    return " + ".join(terms)


def _node_w(case: Case) -> Working:
    power, sheet, hardware = _power(case), Sheet(), case.scenario.hardware
    if power.node_w is None or power.load_w is None:
        return _no_power("node_w", "One node", "W")
    stated, host, platform = stated_w(hardware), host_of(hardware), hardware.platform
    if stated is not None and platform is not None:
        expression = sheet.put("system_w", stated, "W", f"{platform.name}: {platform.source}", "data sheet")
        formula = "what the maker states for the whole node"
    elif host == "rack":
        share = sheet.put(
            "rack_share", RACK_SHARE, "", "CPUs, switches and pumps of NVL72 racks: engine.money.power", "data sheet"
        )
        expression, formula = f"{_cards(case, sheet)} * (1 + {share})", "GPUs x power limit x whole rack over its GPUs"
    else:
        load = sheet.see("load_w", power.load_w, "W", "power.load_w", "rule of thumb")
        source = "80 PLUS: Gold at 115 V, Platinum at 230 V, at half load"
        share = sheet.put("efficiency", EFFICIENCY[supply_kind(host)], "", source, "rule of thumb")
        expression, formula = f"{load} / {share}", "what the supplies deliver / their efficiency"
    kind: FigureKind = "data sheet" if stated is not None else "rule of thumb"
    return sheet.working("power.node_w", "One node", power.node_w, "W", formula, expression, kind, MODEL)


def _total_w(case: Case) -> Working:
    power, sheet = _power(case), Sheet()
    if power.total_w is None or power.node_w is None:
        return _no_power("total_w", "All nodes", "W")
    watts = sheet.see("node_w", power.node_w, "W", "power.node_w", "data sheet")
    nodes = sheet.put("nodes", case.scenario.hardware.nodes, "nodes", "entered", "entered")
    return sheet.working(
        "power.total_w",
        "All nodes",
        power.total_w,
        "W",
        "nodes x power of one",
        f"{watts} * {nodes}",
        "rule of thumb",
        MODEL,
    )


def _heat(case: Case) -> Working:
    power, sheet = _power(case), Sheet()
    if power.heat_btu_h is None or power.total_w is None:
        return _no_power("heat_btu_h", "Heat", "BTU/h")
    watts = sheet.see("total_w", power.total_w, "W", "power.total_w", "data sheet")
    each = sheet.put("btu_h_per_w", BTU_H_PER_W, "BTU/h", "1 W = 3.412 BTU/h")
    return sheet.working(
        "power.heat_btu_h",
        "Heat",
        power.heat_btu_h,
        "BTU/h",
        "all power becomes heat",
        f"{watts} * {each}",
        "rule of thumb",
        MODEL,
    )


def _supplies(case: Case) -> Working:
    power, sheet = _power(case), Sheet()
    if power.supplies is None or power.supply_w is None or power.load_w is None:
        why = NO_POWER if power.load_w is None else "its supplies come with it"
        return unknown("power.supplies", "Supplies that carry a node", "", why)
    load = sheet.see("load_w", power.load_w, "W", "power.load_w", "rule of thumb")
    share = sheet.put("load", PSU_LOAD, "", "supplies run best below this share of their rating", "rule of thumb")
    each = sheet.put("rating", power.supply_w, "W", f"{power.supply} supplies as they are sold", "data sheet")
    return sheet.working(
        "power.supplies",
        "Supplies that carry a node",
        power.supplies,
        "",
        "what they deliver / load / rating of one, rounded up",
        f"ceil({load} / {share} / {each})",
        "rule of thumb",
        MODEL,
        note="in servers one more stands by (N+1)" if power.supplies_spare else "",
    )


def _psu(case: Case) -> Working:
    power, sheet = _power(case), Sheet()
    if power.psu_w is None or power.load_w is None:
        return _no_power("psu_w", "Supplies of a node", "W")
    if power.supplies is None or power.supply_w is None:
        load = sheet.see("load_w", power.load_w, "W", "power.load_w", "rule of thumb")
        return sheet.working(
            "power.psu_w", "Supplies of a node", power.psu_w, "W", "its own supplies", load, "rule of thumb", MODEL
        )
    count = sheet.see("supplies", power.supplies, "", "power.supplies", "rule of thumb")
    each = sheet.put("rating", power.supply_w, "W", f"{power.supply} supplies as they are sold", "data sheet")
    return sheet.working(
        "power.psu_w",
        "Supplies of a node",
        power.psu_w,
        "W",
        "supplies that carry it x rating of one; the spare one apart",
        f"{count} * {each}",
        "rule of thumb",
        MODEL,
    )


def _circuits(case: Case) -> Working:
    power, sheet = _power(case), Sheet()
    if power.circuits_per_node is None or power.node_w is None or not power.circuits:
        return unknown("power.circuits_per_node", "Circuits of a node", "", NO_POWER)
    watts = sheet.see("node_w", power.node_w, "W", "power.node_w", "data sheet")
    chosen = power.circuits[0]
    usable = _circuit(sheet, chosen.volts, chosen.amperes, chosen.phases)
    feeds = "each of the feeds A and B has as many, since either carries all when the other fails"
    return sheet.working(
        "power.circuits_per_node",
        "Circuits of a node",
        power.circuits_per_node,
        "",
        "power of a node / what a circuit gives for long, rounded up; the circuit of which it takes the fewest",
        f"ceil({watts} / ({usable}))",
        "rule of thumb",
        MODEL,
        note=feeds if power.feeds > 1 else "",
    )


def _circuit(sheet: Sheet, volts: float, amperes: float, phases: int) -> str:
    """What a circuit gives for as long as it is asked to, as an expression."""
    name = circuit_words(volts, amperes, phases)
    share = sheet.put("continuous", CONTINUOUS, "", "NEC 210.20(A): loads of three hours and more", "rule of thumb")
    parts = [
        share,
        sheet.put("volts", volts, "V", name, "data sheet"),
        sheet.put("amperes", amperes, "A", name, "data sheet"),
    ]
    return " * ".join(parts) + (
        f" * {sheet.put('phases', phases, '', name, 'data sheet')} ** 0.5" if phases > 1 else ""
    )


def _rack_units(case: Case) -> Working:
    power, sheet = _power(case), Sheet()
    if power.rack_units is None:
        return unknown("power.rack_units", "Height of a node", "U", NO_RACK)
    units = sheet.put("height", power.rack_units, "U", "ASUS ESC8000A-E13 4U, DGX H100 8U", "data sheet")
    return sheet.working(
        "power.rack_units",
        "Height of a node",
        power.rack_units,
        "U",
        "height of such a box",
        units,
        "data sheet",
        MODEL,
    )


def _rack_w(case: Case) -> Working:
    power, sheet, entered = _power(case), Sheet(), case.scenario.money.rack_kw
    if power.rack_w is None:
        return unknown("power.rack_w", "Power of a rack", "W", NO_RACK)
    if entered is not None:
        expression, formula = f"{sheet.entered('rack_kw', entered, 'kW')} * 1000", "as entered"
    else:
        expression = _circuit(sheet, *RACK_CIRCUITS[american(case.scenario.site)][-1])
        formula = "what one three-phase feed gives for long; feed B is there for when A fails"
    kind: FigureKind = "entered" if entered is not None else "rule of thumb"
    return sheet.working("power.rack_w", "Power of a rack", power.rack_w, "W", formula, expression, kind, MODEL)


def _per_rack(case: Case) -> Working:
    power, sheet = _power(case), Sheet()
    if power.nodes_per_rack is None or power.rack_units is None or power.rack_w is None:
        return unknown("power.nodes_per_rack", "Nodes in a rack", "", NO_RACK)
    usable = sheet.put("usable_units", usable_units(case.scenario.facts), "U", "of a rack of 42 U", "rule of thumb")
    height = sheet.see("rack_units", power.rack_units, "U", "power.rack_units", "data sheet")
    expression = f"floor({usable} / {height})"
    if power.node_w is not None:
        room = sheet.see("rack_w", power.rack_w, "W", "power.rack_w", "rule of thumb")
        watts = sheet.see("node_w", power.node_w, "W", "power.node_w", "data sheet")
        expression = f"min({expression}, floor({room} / {watts}))"
    return sheet.working(
        "power.nodes_per_rack",
        "Nodes in a rack",
        power.nodes_per_rack,
        "",
        "what its height takes, and what its power feeds, the fewer",
        expression,
        "rule of thumb",
        MODEL,
        note="" if power.nodes_per_rack else "a node draws more than a rack may: it takes a rack with more power",
    )


def _racks(case: Case) -> Working:
    power, sheet = _power(case), Sheet()
    if power.racks is None or power.nodes_per_rack is None:
        return unknown("power.racks", "Racks", "", NO_RACK)
    nodes = sheet.put("nodes", case.scenario.hardware.nodes, "nodes", "entered", "entered")
    each = sheet.see("nodes_per_rack", power.nodes_per_rack, "", "power.nodes_per_rack", "rule of thumb")
    return sheet.working(
        "power.racks",
        "Racks",
        power.racks,
        "",
        "nodes / nodes in a rack, rounded up; one each where a rack has less power than a node",
        f"ceil({nodes} / max(1, {each}))",
        "rule of thumb",
        MODEL,
    )


def _lanes(case: Case) -> Working:
    power, sheet = _power(case), Sheet()
    if power.pcie_lanes_needed is None:
        return unknown("power.pcie_lanes_needed", "PCIe lanes of a node", "lanes", "the card states no lanes")
    lanes = sheet.put("lanes", case.card.pcie_lanes or 0, "lanes", case.sheet, "data sheet")
    gpus = sheet.put("gpus", case.scenario.hardware.gpus_per_node, "GPUs", "entered", "entered")
    return sheet.working(
        "power.pcie_lanes_needed",
        "PCIe lanes of a node",
        power.pcie_lanes_needed,
        "lanes",
        "lanes of a card x GPUs",
        f"{lanes} * {gpus}",
        "data sheet",
        case.sheet,
        note=power.slots,
    )


def _board_lanes(case: Case) -> Working:
    power, sheet, platform = _power(case), Sheet(), case.scenario.hardware.platform
    title = "PCIe lanes of the board"
    if power.pcie_lanes_board is None:
        return unknown("power.pcie_lanes_board", title, "lanes", "its modules do not stand in slots")
    source = "seed_claims.toml, lanes; voipmonitor/rtx6kpro (2026-05-04): " + power.host
    if platform is not None and platform.pcie_lanes is not None:
        source = f"{platform.name}: {platform.source}"
    lanes = sheet.put("lanes", power.pcie_lanes_board, "lanes", source, "data sheet")
    return sheet.working(
        "power.pcie_lanes_board",
        title,
        power.pcie_lanes_board,
        "lanes",
        "lanes of its CPUs for devices",
        lanes,
        "data sheet",
        MODEL,
        note=power.slots,
    )


def _host(case: Case) -> Working:
    power, sheet = _power(case), Sheet()
    if power.host_memory_gib_min is None:
        raise KeyError("power.host_memory_gib_min")
    gpus = sheet.put("gpus", case.scenario.hardware.gpus_per_node, "GPUs", "entered", "entered")
    size = sheet.put("memory_gb", case.card.memory_gb_marketed, "GB", case.sheet, "data sheet")
    gb, gib = (
        sheet.put("bytes_per_gb", GB, "bytes", "by definition"),
        sheet.put("bytes_per_gib", GIB, "bytes", "by definition"),
    )
    host = case.plan.memory.host_bytes
    offload = sheet.put("offloaded", host, "bytes", "engine.training.memory: what the RAM of a node holds")
    return sheet.working(
        "power.host_memory_gib_min",
        "Host memory of a node, at least",
        power.host_memory_gib_min,
        "GiB",
        "as much RAM as VRAM, and what is offloaded",
        f"{gpus} * {size} * {gb} / {gib} + {offload} / {gib}",
        "rule of thumb",
        "engine.money.power: RAM below VRAM makes loading and checkpoints swap",
    )


def _nvme(case: Case) -> Working:
    power, sheet = _power(case), Sheet()
    if power.nvme_bytes_min is None or case.sizing is None:
        raise KeyError("power.nvme_bytes_min")
    copies = sheet.put("copies", COPIES, "", "the one in use, and the next or the one being written", "rule of thumb")
    weights = sheet.see("weights", case.sizing.model.weight_bytes, "bytes", "model.weight_bytes", "counted")
    held, formula = weights, "copies x weights"
    if checkpoint_bytes(case.scenario):
        each = sheet.put("bytes_a_parameter", CHECKPOINT_BYTES_PER_PARAMETER, "bytes", "ZeRO, section 3.1")
        parameters = sheet.see("parameters", case.sizing.model.params_total, "", "model.params_total", "counted")
        held, formula = f"({weights} + {each} * {parameters})", "copies x (weights + a checkpoint)"
    return sheet.working(
        "power.nvme_bytes_min",
        "Disks of a node, at least",
        power.nvme_bytes_min,
        "bytes",
        formula,
        f"{copies} * {held}",
        "rule of thumb",
        "engine.money.disks",
    )


POWER: dict[str, Callable[[Case], Working]] = {
    "gpu_w": _gpu_w,
    "host_w": _host_w,
    "load_w": _load_w,
    "node_w": _node_w,
    "total_w": _total_w,
    "heat_btu_h": _heat,
    "supplies": _supplies,
    "psu_w": _psu,
    "circuits_per_node": _circuits,
    "rack_units": _rack_units,
    "rack_w": _rack_w,
    "nodes_per_rack": _per_rack,
    "racks": _racks,
    "pcie_lanes_needed": _lanes,
    "pcie_lanes_board": _board_lanes,
    "host_memory_gib_min": _host,
    "nvme_bytes_min": _nvme,
}
