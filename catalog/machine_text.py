"""What a machine says of itself in other words: nvidia-smi's table, `nvidia-smi topo -m`, lspci."""

from __future__ import annotations

import re

from catalog.nvidia_smi import MOST_LINES, DetectedGpu
from engine.figures.records import dataclass
from engine.figures.text import LONGEST_NAME

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
    found, nameless = [], []
    for line in text.splitlines()[: 64 * MOST_LINES]:
        match = _CONTROLLER.match(line.strip())
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
        found.append(DetectedGpu(f"{maker} {named[-1].split('/')[0]}"[: 2 * LONGEST_NAME]))
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
        if row != column and re.fullmatch(r"NV\d+|PIX|PXB|PHB|NODE|SYS", cell)
    }
    return Topology(len(rows), frozenset(ways), len(cards)) if ways else None
