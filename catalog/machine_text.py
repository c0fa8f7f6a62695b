"""What a machine says of itself: its GPUs in any tool's words, nvidia-smi's table, `nvidia-smi topo -m`, lspci."""

from __future__ import annotations

import re
from itertools import takewhile

from catalog.host_text import narrow, parse_nvlinks, parse_query, slot_link, slot_of, with_slot
from catalog.nvidia_smi import MOST_LINES, DetectedGpu, DetectError, parse
from catalog.other_smi import parse_other
from engine.figures.records import dataclass
from engine.figures.text import LONGEST_NAME
from engine.parts.hardware import Accelerator

_ROW = re.compile(r"\|\s*\d{1,3}\s+(?P<name>\S.*?)\s+(?:On|Off|N/A)\s*\|")
"""`|   0  NVIDIA H100 80GB HBM3          On  |   00000000:19:00.0 Off |                    0 |`."""
_MEMORY = re.compile(r"(?:/\s*(?P<watts>\d{1,5})W\s*)?\|\s*\d{1,9}MiB\s*/\s*(?P<mib>\d{1,9})MiB")
_CONTROLLER = re.compile(
    r"(?:[0-9a-f]{4}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]\s+\"?(?:VGA compatible controller|3D controller|Display controller"
    r"|Processing accelerators)\"?(?: \[[0-9a-f]{4}\])?:?\s+(?P<what>.*)"
)
_MAKERS = (
    ("nvidia", "NVIDIA"),
    ("amd/ati", "AMD"),
    ("advanced micro devices", "AMD"),
    ("intel", "Intel"),
    ("habana", "Intel"),
)
_OF_HOSTS = re.compile(
    r"UHD Graphics|HD Graphics|Raphael|Granite Ridge|Phoenix|ASPEED|Matrox|Iris|Rembrandt|Cezanne", re.I
)
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def parse_table(text: str) -> list[DetectedGpu]:
    """The GPUs of the table that nvidia-smi prints; none where it is none. A name that the table cut loses its last word."""
    lines, found = text.splitlines()[: 64 * MOST_LINES], []
    for place, line in enumerate(lines):
        row = _ROW.match(line.strip())
        if row is None:
            continue
        name = row["name"]
        if name.endswith("..."):
            name = name.rpartition(" ")[0]
        below = _MEMORY.search(lines[place + 1]) if place + 1 < len(lines) else None
        if below is None:
            continue
        watts = float(below["watts"]) if below["watts"] else None
        found.append(DetectedGpu(name[: 2 * LONGEST_NAME], int(below["mib"]) or None, watts or None))
    return found


def parse_lspci(text: str) -> tuple[list[DetectedGpu], list[str]]:
    """The GPUs among lspci's lines by the name in brackets, and the lines of cards that it has no name for."""
    found: list[DetectedGpu] = []
    nameless: list[str] = []
    lines = text.splitlines()[: 64 * MOST_LINES]
    for place, line in enumerate(lines):
        match = None if line[:1] in " \t" else _CONTROLLER.match(line.strip())
        if match is None or _OF_HOSTS.search(match["what"]):
            continue
        what = re.sub(r"\s*\(rev [0-9a-f]+\)|\s*\[[0-9a-f]{4}:[0-9a-f]{4}\]", "", match["what"])
        maker = next((name for word, name in _MAKERS if word in what.casefold()), "")
        named = [
            part for part in re.findall(r"\[([^\]]*)\]", what) if part.casefold() not in ("amd/ati", "amd", "intel")
        ]
        if not maker:
            continue
        if not named:
            nameless.append(line.strip()[:120])
            continue
        # "Radeon RX 7900 XT/7900 XTX/7900M": one identifier of several boards; the first is as good as any
        below = list(takewhile(lambda after: after[:1] in (" ", "\t"), lines[place + 1 : place + 200]))
        found.append(with_slot(DetectedGpu(f"{maker} {named[-1].split('/')[0]}"[: 2 * LONGEST_NAME]), below))
    return found, nameless


@dataclass(frozen=True, slots=True)
class Topology:
    """What `nvidia-smi topo -m` says of the ways between GPUs: how many GPUs, and each kind of way."""

    gpus: int
    ways: frozenset[str]
    network_cards: int

    @property
    def nvlink(self) -> str:
        """`all` where NVLink joins every pair, `some` where it joins a few, else empty."""
        linked = {way for way in self.ways if way.startswith("NV")}
        return ("all" if linked == self.ways else "some") if linked else ""


def parse_topology(text: str) -> Topology | None:
    """The matrix of `nvidia-smi topo -m`; None where the text holds none."""
    rows: list[list[str]] = []
    cards = set()
    for line in _ANSI.sub("", text).splitlines()[: 64 * MOST_LINES]:
        cells = line.split()
        if len(cells) > 1 and re.fullmatch(r"GPU\d+", cells[0]) and not re.fullmatch(r"GPU\d+", cells[1]):
            rows.append(cells[1:])
        elif cells and re.fullmatch(r"(?:NIC\d+|mlx5_\d+|roce\w*):?", cells[0]):
            cards.add(cells[0].rstrip(":"))
    if len(rows) < 2 or len(rows) > 128:
        return None
    ways = {
        cell
        for row, cells in enumerate(rows)
        for column, cell in enumerate(cells[: len(rows)])
        if row != column and re.fullmatch(r"NV\d+|PIX|PXB|PHB|NODE|SYS|XGMI|PCIE", cell)
    }
    return Topology(len(rows), frozenset(ways), len(cards)) if ways else None


@dataclass(frozen=True, slots=True)
class Machine:
    """The GPUs that a text lists, lines of cards that it has no name for, and the tools that printed it."""

    gpus: tuple[DetectedGpu, ...]
    nameless: tuple[str, ...] = ()
    tool: str = ""


def machine_of(text: str) -> Machine:
    """The GPUs of one machine in any tool's words, those of NVIDIA and of other makers together.

    lspci counts only where no fuller text is there: it lists the same cards once more. Raises DetectError for a text of
    another maker's tool that never ends.
    """
    others = parse_other(text)
    ours = parse_query(text) or parse_table(text) or _csv(text)
    if ours or others:
        tools = [name for name, gpus in (("nvidia-smi", ours), ("rocm-smi, xpu-smi or neuron-ls", others)) if gpus]
        return Machine((*ours, *others), tool=" and ".join(tools))
    listed, nameless = parse_lspci(text)
    return Machine(tuple(listed), tuple(nameless), "lspci" if listed or nameless else "")


_CSV = re.compile(r"^\ufeff?(?:[\w.]+(?: \[\w+\])?, *)*name *(?:,.*)?$", re.M)
_LIST = re.compile(r"^GPU \d{1,4}: .+ \(UUID: [^)]*\)\s*$", re.M)


def _csv(text: str) -> list[DetectedGpu]:
    """The CSV of nvidia-smi, or its list of cards, in a text with more around it; none where it is neither."""
    head = _CSV.search(text)
    if head is not None:
        columns = head.group().count(",")
        rows = takewhile(lambda line: line.count(",") == columns, text[head.start() :].splitlines())
        try:
            return parse("\n".join(rows))
        except DetectError:
            return []
    named = _LIST.findall(text)
    return parse("\n".join(named)) if named else []


_BRIDGES = {
    "Turing TU102": "nvlink-2-bridge",
    "Turing TU104": "nvlink-2-bridge-x8",
    "Ampere GA102": "nvlink-3-bridge",
    "Ampere GA100": "nvlink-4-bridge",
    "Hopper GH100": "nvlink-4-bridge",
}


def bridge_of(card: Accelerator) -> str | None:
    """The catalog's NVLink bridge of a PCIe card."""
    return "nvlink-4-bridge-4way" if "H200 NVL" in card.name else _BRIDGES.get(card.architecture)


def bridged(text: str, card: Accelerator) -> bool:
    """Whether `nvidia-smi nvlink --status` says of a PCIe card that a bridge joins each of them to another."""
    links = parse_nvlinks(text)
    if links is None or not links.joined or not card.default_intra_link.startswith("pcie"):
        return False
    return links.joined == links.gpus and bridge_of(card) is not None


def link_of(topology: Topology, card: Accelerator, gpu: DetectedGpu | None = None) -> str | None:
    """The catalog's link for the ways of a machine; None where the card's usual one says it already.

    gpu: the card as the machine describes it, whose slot may be narrower than the card's own.
    """
    if topology.nvlink == "all" and not card.default_intra_link.startswith("pcie"):
        return None
    if topology.nvlink:
        return bridge_of(card)
    if not card.peer_access:
        return "pcie-no-p2p"
    seen = gpu or DetectedGpu(card.name)
    slot = slot_of(seen, card)
    if slot is None or topology.ways == {"XGMI"}:
        return None
    if narrow(seen, card):
        return slot_link(slot)
    if topology.ways <= {"PIX", "PXB"} and slot[0] >= 5:
        return "pcie5-switch"
    if slot[0] == 4 and "SYS" in topology.ways and topology.gpus > 2:
        return "pcie4-cross-socket"
    return slot_link(slot)
