"""Traps of the machine around the cards: host memory, PCIe lanes, power supplies and circuits."""

from __future__ import annotations

from collections.abc import Iterator

from engine.figures.sentences import Figure, Part, Sentence
from engine.figures.units import GB, GIB
from engine.money.bill import network_cards
from engine.money.power import HOST_WORDS, board_lanes, host_of
from engine.scenario import Hardware, Layout, Scenario
from engine.serving.host import host_weights, keeps_on_host
from engine.sizing import Notice, Power

NIC_LANES = 16  # a 200 or 400 Gb/s card takes a whole x16 slot (NVIDIA ConnectX-6 and -7 data sheets)


def host(scenario: Scenario, layout: Layout) -> Iterator[Notice]:
    platform, hardware = scenario.hardware.platform, scenario.hardware
    yield from memory(scenario, layout)
    if platform is None or platform.intra_link != "pcie5-switch":
        yield from lanes(hardware)


def host_ram_gb(scenario: Scenario) -> float | None:
    """Memory of the host of each node, GB: as entered, else as the platform has it; None where nobody says."""
    platform, entered = scenario.hardware.platform, scenario.runtime.host_ram_gib
    if entered is not None:
        return entered * GIB / GB
    return platform.host_memory_gb if platform is not None else None


def weights_on_host(scenario: Scenario, layout: Layout) -> int:
    """Bytes of the weights that a serving engine keeps in the host memory of a node."""
    arch, weights, runtime = scenario.model.architecture, scenario.model.weights, scenario.runtime
    if not keeps_on_host(runtime):
        return 0
    kept = max(host_weights(arch, weights, layout, stage, runtime).total for stage in range(layout.pp))
    return kept * scenario.hardware.gpus_per_node


def host_short(scenario: Scenario, kept_bytes: float) -> Sentence:
    """That a build keeps more in the host memory of a node than the node has; empty where it has as much, or nobody says.

    Weights and states on unified memory are the card's own.
    """
    ram_gb = host_ram_gb(scenario)
    if ram_gb is None or scenario.hardware.accelerator.unified_memory or kept_bytes <= ram_gb * GB:
        return ()
    kept: Part = f"{kept_bytes / GIB:,.0f} GiB"
    if not scenario.workload.is_inference:
        kept = Figure(f"{kept_bytes / GIB:,.0f} GiB", "memory.host_bytes")
    what = "of weights stay" if scenario.workload.is_inference else "of the run stay"
    return (kept, f" {what} in host memory, and a node has {ram_gb * GB / GIB:,.0f} GiB of it: it will swap or abort")


def memory(scenario: Scenario, layout: Layout) -> Iterator[Notice]:
    """Host memory, as entered or as the platform has it, that is less than the cards' or than the weights that stay there."""
    hardware, ram_gb = scenario.hardware, host_ram_gb(scenario)
    if ram_gb is None or hardware.accelerator.unified_memory:
        return
    if scenario.workload.is_inference and (short := host_short(scenario, weights_on_host(scenario, layout))):
        yield Notice("host-weights-short", "warning", (*short, "."))
    vram_gb = hardware.gpus_per_node * hardware.accelerator.memory_gb_marketed
    if ram_gb < vram_gb:
        words = f"{ram_gb:,.0f} GB of host RAM is below {vram_gb:,.0f} GB of VRAM: plan at least as much."
        yield Notice("ram-below-vram", "warning", (words,))


def lanes(hardware: Hardware) -> Iterator[Notice]:
    """Cards and network cards that take more lanes than the CPUs of the node have."""
    have, platform = board_lanes(hardware), hardware.platform
    needed, what = (hardware.accelerator.pcie_lanes or 0) * hardware.gpus_per_node, f"{hardware.gpus_per_node} GPUs"
    what = what if hardware.gpus_per_node > 1 else "1 GPU"
    if hardware.nodes > 1:
        nics = network_cards(hardware)
        needed += NIC_LANES * nics
        what += f" and {nics} network card{'s' if nics > 1 else ''}"
    if have is None or needed <= have or hardware.intra_link.id == "pcie5-switch":
        return
    whose = (
        f"{HOST_WORDS[host_of(hardware)]} has"
        if platform is None or platform.pcie_lanes is None
        else "the platform has"
    )
    yield Notice("lanes-short", "warning", (f"{what} take {needed} PCIe lanes; {whose} {have}.",))


def supply(power: Power) -> Iterator[Notice]:
    """What the mains and the rack have to give, where that is more than usual."""
    if power.circuits_per_node is None or power.node_w is None or not power.circuits:
        return
    chosen = power.circuits[0]
    least = min(power.circuits, key=lambda circuit: circuit.usable_w)
    draws = Figure(f"{power.node_w / 1000:,.1f} kW", "power.node_w")
    if chosen.per_node > 1 or chosen != least:
        many = "s" if chosen.per_node > 1 else ""
        feeds = " on each of the feeds A and B" if power.feeds > 1 else ""
        each = Figure(f"{chosen.per_node}", "power.circuits_per_node")
        asked = f" circuit{many} of {chosen.name}{feeds}, where one of {least.name} is too little."
        yield Notice("circuit-short", "info", ("A node draws ", draws, ": ", each, asked))
    if power.nodes_per_rack == 0 and power.rack_w is not None:
        given = Figure(f"{power.rack_w / 1000:,.1f} kW", "power.rack_w")
        message = (
            "One node draws ",
            draws,
            ", a rack gives ",
            given,
            ": it takes racks with more power (money.rack_kw).",
        )
        yield Notice("rack-short", "warning", message)
