"""Workings of power: draw, supplies, circuits, heat, lanes and host memory."""

from __future__ import annotations

from collections.abc import Callable

from engine.power import BTU_H_PER_W, CIRCUIT_RULE, PSU_LOAD, overhead_ratio
from engine.sizing import Power
from engine.units import GB, GIB
from engine.workings.case import Case
from engine.workings.record import Sheet, Working, unknown


def _power(case: Case) -> Power:
    if case.sizing is None:
        raise KeyError("power")
    return case.sizing.power


def _no_power(name: str, title: str, unit: str) -> Working:
    return unknown(f"power.{name}", title, unit, "the card's power is not published")


def _gpu_w(case: Case) -> Working:
    power, sheet = _power(case), Sheet()
    if power.gpu_w is None:
        return _no_power("gpu_w", "One GPU", "W")
    watts = sheet.put("power_limit", power.gpu_w, "W", case.sheet, "data sheet")
    return sheet.working(
        "power.gpu_w", "One GPU", power.gpu_w, "W", "the card's power limit", watts, "data sheet", case.sheet
    )


def _node_w(case: Case) -> Working:
    power, sheet, hardware = _power(case), Sheet(), case.scenario.hardware
    if power.node_w is None or power.gpu_w is None:
        return _no_power("node_w", "One node", "W")
    platform = hardware.platform
    stated = platform is not None and platform.gpus == hardware.gpus_per_node and platform.system_power_w is not None
    if stated and platform is not None:
        expression = sheet.put("system_w", power.node_w, "W", f"{platform.name}: {platform.source}", "data sheet")
        formula = "what the maker states for the whole node"
    else:
        watts = sheet.see("gpu_w", power.gpu_w, "W", "power.gpu_w", "data sheet")
        gpus = sheet.put("gpus", hardware.gpus_per_node, "GPUs", "entered", "entered")
        rule = "wall power over the GPUs' own: engine.power, by the kind of box"
        ratio = sheet.put("overhead", overhead_ratio(case.scenario.facts, case.card), "", rule, "rule of thumb")
        expression, formula = f"{watts} * {gpus} * {ratio}", "GPUs x power limit x overhead of the box"
    return sheet.working(
        "power.node_w",
        "One node",
        power.node_w,
        "W",
        formula,
        expression,
        "data sheet" if stated else "rule of thumb",
        "engine.power",
    )


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
        "engine.power",
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
        "engine.power",
    )


def _psu(case: Case) -> Working:
    power, sheet = _power(case), Sheet()
    if power.psu_w is None or power.node_w is None:
        return _no_power("psu_w", "Supplies of a node", "W")
    watts = sheet.see("node_w", power.node_w, "W", "power.node_w", "data sheet")
    share = sheet.put("load", PSU_LOAD, "", "supplies run best below this share of their rating", "rule of thumb")
    return sheet.working(
        "power.psu_w",
        "Supplies of a node",
        power.psu_w,
        "W",
        "power of a node / load, up to the next 100 W",
        f"ceil({watts} / {share} / 100) * 100",
        "rule of thumb",
        "engine.power",
    )


def _circuits(case: Case) -> Working:
    power, sheet = _power(case), Sheet()
    if power.circuits_per_node is None or power.node_w is None:
        return unknown("power.circuits_per_node", "Circuits of a node", "", "no power or no circuit rating is known")
    rule = case.scenario.facts.rule(CIRCUIT_RULE)
    rating = rule.value if rule.value is not None else sum(rule.value_range or (0.0, 0.0)) / 2
    watts = sheet.see("node_w", power.node_w, "W", "power.node_w", "data sheet")
    each = sheet.put("circuit_w", rating, "W", f"{rule.text} {rule.source}".strip(), "rule of thumb")
    return sheet.working(
        "power.circuits_per_node",
        "Circuits of a node",
        power.circuits_per_node,
        "",
        "power of a node / continuous rating of a circuit, rounded up",
        f"ceil({watts} / {each})",
        "rule of thumb",
        "engine.power",
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
    offload = sheet.put("offloaded", host, "bytes", "engine.training_memory: what the RAM of a node holds")
    return sheet.working(
        "power.host_memory_gib_min",
        "Host memory of a node, at least",
        power.host_memory_gib_min,
        "GiB",
        "as much RAM as VRAM, and what is offloaded",
        f"{gpus} * {size} * {gb} / {gib} + {offload} / {gib}",
        "rule of thumb",
        "engine.power: RAM below VRAM makes loading and checkpoints swap",
    )


POWER: dict[str, Callable[[Case], Working]] = {
    "gpu_w": _gpu_w,
    "node_w": _node_w,
    "total_w": _total_w,
    "heat_btu_h": _heat,
    "psu_w": _psu,
    "circuits_per_node": _circuits,
    "pcie_lanes_needed": _lanes,
    "host_memory_gib_min": _host,
}
