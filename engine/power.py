"""Electrical power, heat, PCIe lanes and host RAM of the entered build."""

from __future__ import annotations

import math
from functools import lru_cache

from engine.hardware import Accelerator, Facts
from engine.scenario import Scenario
from engine.sizing import Power
from engine.units import GB, GIB

BTU_H_PER_W = 3.412  # 1 W = 3.412 BTU/h
# Wall power over the GPUs' own, where no platform states it: the catalog's rules, by the kind of box, and the middle of
# each rule's range for a catalog without them (voipmonitor/rtx6kpro; DGX H100: 10,200 W against 8 x 700 W).
OVERHEAD_RULES = {"sxm": ("system-overhead-dgx-h100", 1.82), "600w": ("system-overhead-600w", 1.20)}
# Supplies run best, and share a fault, below this share of their rating: two 600 W cards (1,440 W with the host) then
# take the 1,600 to 2,000 W supply of seed_claims.toml, power.psu_for_dual_600w_w.
PSU_LOAD = 0.8
CIRCUIT_RULE = "circuit-240v-30a"  # 5,760 W continuous: 80 % of 30 A at 240 V
CIRCUIT_WORDS = "240 V, 30 A"
LOW_POWER_RULE = ("system-overhead-300w", 1.355)
LOW_POWER_CARD_W = 400.0


@lru_cache(maxsize=64)
def _rule(facts: Facts, rule_id: str) -> float | None:
    for rule in facts.rules:
        if rule.id == rule_id:
            if rule.value is not None:
                return rule.value
            if rule.value_range is not None:
                return sum(rule.value_range) / 2
    return None


def overhead_ratio(facts: Facts, accelerator: Accelerator) -> float:
    """Wall power of a whole node over the sum of its GPUs' power limits."""
    if "sxm" in accelerator.form_factor.lower() or "oam" in accelerator.form_factor.lower():
        rule_id, fallback = OVERHEAD_RULES["sxm"]
    elif (accelerator.tdp_w or 0.0) < LOW_POWER_CARD_W:
        rule_id, fallback = LOW_POWER_RULE
    else:
        rule_id, fallback = OVERHEAD_RULES["600w"]
    return _rule(facts, rule_id) or fallback


def power(scenario: Scenario, host_bytes: int = 0) -> Power:
    """Power of the entered build in watts at full load; None where the card's power is unknown.

    host_bytes: RAM that a training run keeps in each node beside what the cards hold.
    """
    hardware = scenario.hardware
    accelerator, platform = hardware.accelerator, hardware.platform
    lanes = accelerator.pcie_lanes * hardware.gpus_per_node if accelerator.pcie_lanes else None
    ram_gib = hardware.gpus_per_node * accelerator.memory_gb_marketed * GB / GIB + host_bytes / GIB
    if accelerator.tdp_w is None:
        return Power(pcie_lanes_needed=lanes, host_memory_gib_min=ram_gib, note="the card's power is not published")
    gpu_w = accelerator.tdp_w
    same = platform is not None and platform.gpus == hardware.gpus_per_node
    if platform is not None and same and platform.system_power_w is not None:
        node_w, note = platform.system_power_w, f"whole node, {platform.id}"
    else:
        ratio = overhead_ratio(scenario.facts, accelerator)
        node_w, note = gpu_w * hardware.gpus_per_node * ratio, f"{ratio:.2f} x the GPUs' own draw"
    total = node_w * hardware.nodes
    circuit_w = _rule(scenario.facts, CIRCUIT_RULE)
    stated = platform.circuit if platform is not None and same else ""
    return Power(
        gpu_w=gpu_w,
        node_w=node_w,
        total_w=total,
        heat_btu_h=total * BTU_H_PER_W,
        psu_w=math.ceil(node_w / PSU_LOAD / 100.0) * 100.0,
        circuits_per_node=math.ceil(node_w / circuit_w) if circuit_w else None,
        circuit=stated or (CIRCUIT_WORDS if circuit_w else ""),
        pcie_lanes_needed=lanes,
        host_memory_gib_min=ram_gib,
        note=note,
    )
