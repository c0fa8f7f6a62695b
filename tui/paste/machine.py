"""What a machine says of itself, as the hardware of a session."""

from __future__ import annotations

import catalog
from catalog.machine_text import Topology, parse_lspci, parse_table, parse_topology
from catalog.nvidia_smi import DetectedGpu, DetectError, grouped, parse
from catalog.other_smi import parse_other
from engine.figures.text import shown
from engine.parts.hardware import Accelerator
from tui.paste.found import Found

_BRIDGES = {"Ampere GA102": "nvlink-3-bridge", "Ampere GA100": "nvlink-4-bridge", "Hopper GH100": "nvlink-4-bridge"}
_SLOTS = {3: "pcie3-x16", 4: "pcie4-x16", 5: "pcie5-root", 6: "pcie6-x16"}


def gpus_in(text: str) -> tuple[list[DetectedGpu], list[str], str]:
    """The GPUs that a text lists, lines of cards without a name, and which tool printed it."""
    try:
        other = parse_other(text)
    except DetectError:
        other = []
    if other:
        return other, [], "rocm-smi or xpu-smi"
    table = parse_table(text)
    if table:
        return table, [], "nvidia-smi"
    listed, nameless = parse_lspci(text)
    if listed or nameless:
        return listed, nameless, "lspci"
    first = text.lstrip("\ufeff \n").partition("\n")[0]
    if ("name" in first and "," in first) or first.startswith("GPU 0:"):
        try:
            return parse(text), [], "nvidia-smi"
        except DetectError:
            return [], [], ""
    return [], [], ""


def read(text: str, found: Found) -> bool:
    """Read what a machine says of itself; whether it said anything."""
    gpus, nameless, tool = gpus_in(text)
    topology = parse_topology(text)
    found.unknown += nameless
    known = catalog.load().facts.accelerators
    groups = grouped(gpus, known)
    card: Accelerator | None = None
    for group in groups:
        if group.accelerator is None:
            found.unknown.append(f"{group.count} x {shown(group.gpu.name)}: not in the catalog")
        elif card is None:
            card = group.accelerator
            found.say(f"{group.count} x {group.gpu.name}", "hardware.accelerator", card.id)
            found.gpus = group.count
        elif found.value("hardware.second_accelerator") is None:
            found.say(f"{group.count} x {group.gpu.name}", "hardware.second_accelerator", group.accelerator.id)
            found.say(f"{group.count} x {group.gpu.name}", "hardware.second_gpus", group.count)
            found.gpus = (found.gpus or 0) + group.count
        else:
            found.unknown.append(
                f"{group.count} x {shown(group.gpu.name)}: two kinds of card at most are sized together"
            )
    if groups:
        found.kinds.append(tool)
        found.say(f"{found.gpus} GPUs listed", "hardware.gpus_per_node", found.gpus)
    if topology is not None:
        found.kinds.append("nvidia-smi topo -m")
        found.gpus = found.gpus or topology.gpus
        found.say(f"{topology.gpus} GPUs in the matrix", "hardware.gpus_per_node", topology.gpus)
        _ways(topology, card, found)
    return bool(groups or nameless or topology)


def _ways(topology: Topology, card: Accelerator | None, found: Found) -> None:
    ways = ", ".join(sorted(topology.ways))
    if topology.network_cards:
        found.passed.append(f"{topology.network_cards} network cards in the matrix")
    if card is None:
        found.assumed.append(
            f"the link: the matrix says {ways} between GPUs; paste `nvidia-smi` beside it, for which cards"
        )
        return
    link = link_of(topology, card)
    if link is None:
        found.passed.append(f"ways between GPUs: {ways}")
        return
    found.say(f"ways between GPUs: {ways}", "hardware.intra_link", link)
    if link == "pcie-no-p2p":
        found.assumed.append("the stock driver, which gives these cards no peer access; a patched one is a PCIe link")


def link_of(topology: Topology, card: Accelerator) -> str | None:
    """The catalog's link for the ways of a machine; None where the card's usual one says it already."""
    if topology.nvlink == "all" and not card.default_intra_link.startswith("pcie"):
        return None
    if topology.nvlink:
        if "H200 NVL" in card.name:
            return "nvlink-4-bridge-4way"
        return _BRIDGES.get(card.architecture)
    if not card.peer_access:
        return "pcie-no-p2p"
    if card.pcie_gen is None or card.pcie_lanes is None:
        return None
    if topology.ways <= {"PIX", "PXB"} and card.pcie_gen >= 5:
        return "pcie5-switch"
    if card.pcie_gen == 4 and "SYS" in topology.ways and topology.gpus > 2:
        return "pcie4-cross-socket"
    return "pcie5-x8" if card.pcie_gen == 5 and card.pcie_lanes == 8 else _SLOTS.get(card.pcie_gen)
