"""What a machine says of itself, as the hardware of a session."""

from __future__ import annotations

import catalog
from catalog.host_text import narrow, parse_memory, parse_nvlinks, slot_link, slot_of
from catalog.machine_text import Machine, Topology, bridge_of, bridged, link_of, machine_of, parse_topology
from catalog.nvidia_smi import DetectedGpu, DetectError, grouped, limit_of
from engine.figures.text import shown
from engine.parts.hardware import Accelerator
from tui.paste.found import Found


def read(text: str, found: Found) -> bool:
    """Read what a machine says of itself; whether it said anything."""
    try:
        said = machine_of(text)
    except DetectError:
        said = Machine(())
    topology = parse_topology(text)
    found.unknown += said.nameless
    known = catalog.load().facts.accelerators
    groups = grouped(said.gpus, known)
    card: Accelerator | None = None
    seen: DetectedGpu | None = None
    for group in groups:
        if group.accelerator is None:
            found.strangers.append(f"{group.count} x {shown(group.gpu.name)}: not in the catalog")
        elif card is None:
            card, seen = group.accelerator, group.gpu
            found.say(f"{group.count} x {group.gpu.name}", "hardware.accelerator", card.id)
            found.gpus = group.count
            limit = limit_of(group.gpu, card)
            if limit is not None:
                found.say(f"a power limit of {limit:g} W", "hardware.power_limit_w", limit)
        elif found.value("hardware.second_accelerator") is None:
            found.say(f"{group.count} x {group.gpu.name}", "hardware.second_accelerator", group.accelerator.id)
            found.say(f"{group.count} x {group.gpu.name}", "hardware.second_gpus", group.count)
            found.gpus = (found.gpus or 0) + group.count
        else:
            found.unknown.append(
                f"{group.count} x {shown(group.gpu.name)}: two kinds of card at most are sized together"
            )
    if groups:
        found.kinds.append(said.tool)
        found.gpus = found.gpus if card is not None else groups[0].count
        found.say(f"{found.gpus} GPUs listed", "hardware.gpus_per_node", found.gpus)
    if topology is not None:
        found.kinds.append("nvidia-smi topo -m")
        found.gpus = found.gpus or topology.gpus
        found.say(f"{topology.gpus} GPUs in the matrix", "hardware.gpus_per_node", topology.gpus)
        _ways(topology, card, seen, found)
    elif card is not None and seen is not None:
        _slot(text, card, seen, found)
    memory = parse_memory(text)
    if memory is not None and card is not None and card.unified_memory:
        found.passed.append(f"{memory:,.0f} GiB of memory, which card and host share")
    elif memory is not None:
        found.kinds.append("host memory")
        found.say(f"{memory:,.0f} GiB of host memory", "runtime.host_ram_gib", round(memory, 1))
    return bool(groups or said.nameless or topology or memory is not None)


def _slot(text: str, card: Accelerator, seen: DetectedGpu, found: Found) -> None:
    """The link by NVLink's status, or by a slot that is narrower than the card."""
    links, slot = parse_nvlinks(text), slot_of(seen, card)
    if links is not None:
        found.kinds.append("nvidia-smi nvlink")
        words = f"NVLink up on {links.joined} of {links.gpus} GPUs"
        if bridged(text, card):
            found.say(words, "hardware.intra_link", bridge_of(card))
            return
        found.passed.append(f"{words}, {links.gb_s:,.0f} GB/s each" if links.joined else words)
        if links.joined and not card.default_intra_link.startswith("pcie"):
            return
    if slot is not None and narrow(seen, card):
        link = slot_link(slot) if card.peer_access else "pcie-no-p2p"
        words = f"PCIe {slot[0]} x{slot[1]}, of a card with PCIe {card.pcie_gen} x{card.pcie_lanes}"
        if link is None:
            found.unknown.append(f"{words}: no link of the catalog is as slow")
        elif card.default_intra_link.startswith("pcie"):
            found.say(words, "hardware.intra_link", link)
        else:
            found.passed.append(words)


def _ways(topology: Topology, card: Accelerator | None, seen: DetectedGpu | None, found: Found) -> None:
    ways = ", ".join(sorted(topology.ways))
    if topology.network_cards:
        found.passed.append(f"{topology.network_cards} network cards in the matrix")
    if card is None:
        found.assumed.append(
            f"the link: the matrix says {ways} between GPUs; paste `nvidia-smi` beside it, for which cards"
        )
        return
    link = link_of(topology, card, seen)
    if link is None:
        found.passed.append(f"ways between GPUs: {ways}")
        return
    found.say(f"ways between GPUs: {ways}", "hardware.intra_link", link)
    if link == "pcie-no-p2p":
        found.assumed.append("the stock driver, which gives these cards no peer access; a patched one is a PCIe link")
