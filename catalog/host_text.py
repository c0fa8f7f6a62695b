"""What a machine says of the host around its cards: memory, slots, and what NVLink joins."""

from __future__ import annotations

import re
from dataclasses import replace

from catalog.nvidia_smi import MOST_LINES, DetectedGpu
from engine.figures.records import dataclass
from engine.figures.text import LONGEST_NAME
from engine.parts.hardware import Accelerator

_MEMINFO = re.compile(r"^MemTotal:\s+(\d{1,15}) kB\s*$", re.M)
_FREE = re.compile(r"^[ \t]*total[ \t]+used[ \t]+free\b.*\n[ \t]*Mem:[ \t]+(\d{1,15}(?:\.\d+)?)([KMGT]i?)?B?\b", re.M)
_MEMSIZE = re.compile(r"^hw\.memsize:\s+(\d{1,18})\s*$", re.M)
_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
# `free` prints KiB, and with -m or -g a number without its unit: no machine with a GPU has less than 4 GiB, or 4 TiB and more in MiB.
_LEAST_KIB, _LEAST_MIB = 4 * 2**20, 4 * 2**10


def parse_memory(text: str) -> float | None:
    """GiB of host memory that /proc/meminfo, `free` (also with -h, -m, -g) or `sysctl hw.memsize` states; None where none does."""
    if found := _MEMINFO.search(text):
        return int(found.group(1)) / 2**20
    if found := _FREE.search(text):
        number, unit = float(found.group(1)), (found.group(2) or "")[:1]
        if unit:
            return number * _UNITS[unit] / 2**30
        return number / (2**20 if number >= _LEAST_KIB else 2**10 if number >= _LEAST_MIB else 1)
    found = _MEMSIZE.search(text)
    return int(found.group(1)) / 2**30 if found else None


_SPEEDS = {"2.5": 1, "5": 2, "8": 3, "16": 4, "32": 5, "64": 6}
_CAPABLE = re.compile(r"LnkCap:.*?Speed (?P<speed>[\d.]+)GT/s.*?Width x(?P<lanes>\d{1,2})")
_STATUS = re.compile(r"LnkSta:.*?Width x(?P<lanes>\d{1,2})")


def with_slot(gpu: DetectedGpu, lines: list[str]) -> DetectedGpu:
    """A card of `lspci -vv` with what the indented lines below it say of its slot.

    The generation is what card and port can do (LnkCap): a card that idles runs its link slowly. Lanes are those in use (LnkSta).
    """
    below = "\n".join(lines)
    capable, status = _CAPABLE.search(below), _STATUS.search(below)
    if capable is None:
        return gpu
    lanes = int((status or capable)["lanes"]) or int(capable["lanes"])
    return replace(gpu, pcie_gen=_SPEEDS.get(capable["speed"].removesuffix(".0")), pcie_lanes=lanes or None)


_BLOCK = re.compile(r"^GPU [0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.\d\s*$", re.M)


def parse_query(text: str) -> list[DetectedGpu]:
    """The GPUs of `nvidia-smi -q`: name, memory, power limit, and the slot as card and port can run it; lanes are those in use."""
    driver = _value(text, r"Driver Version")
    made = []
    for block in _BLOCK.split(text)[1 : MOST_LINES + 1]:
        name = _value(block, r"Product Name")
        if not name:
            continue
        memory = re.search(r"FB Memory Usage[ \t]*\n[ \t]*Total[ \t]*:[ \t]*(\d{1,9}) MiB", block)
        ends = [_whole(_value(block, key)) for key in ("Device Max", "Host Max")]
        known = [gen for gen in ends if gen]
        width = re.search(
            r"Link Width[ \t]*\n(?:[ \t]*Max[ \t]*:[ \t]*\d{1,2}x[ \t]*\n)?[ \t]*Current[ \t]*:[ \t]*(\d{1,2})x", block
        )
        made.append(
            DetectedGpu(
                name[: 2 * LONGEST_NAME],
                int(memory.group(1)) if memory else None,
                power_limit_w=_number(_value(block, r"(?:Current )?Power Limit")),
                pcie_gen=min(known) if known else _whole(_value(block, "Max")),
                pcie_lanes=int(width.group(1)) if width else None,
                driver=driver[:40],
            )
        )
    return made


def _value(text: str, key: str) -> str:
    found = re.search(rf"^[ \t]*{key}[ \t]*:[ \t]*(\S.*?)?[ \t]*$", text, re.M)
    value = found.group(1) or "" if found is not None else ""
    return "" if value.startswith(("[", "N/A")) else value


def _number(text: str) -> float | None:
    found = re.match(r"\d{1,6}(?:\.\d+)?", text)
    return float(found.group()) if found else None


def _whole(text: str) -> int | None:
    number = _number(text)
    return None if number is None else int(number)


@dataclass(frozen=True, slots=True)
class NvLinks:
    """What `nvidia-smi nvlink --status` says: GPUs listed, those with a link that is up, and GB/s of the links of one (the fewest)."""

    gpus: int
    joined: int
    gb_s: float


_LINKED = re.compile(r"^GPU \d{1,4}: .*\(UUID: .*\)\s*$")
_LINK = re.compile(r"^\s+Link \d{1,3}: (?P<gb_s>[\d.]{1,12}) GB/s\s*$")


def parse_nvlinks(text: str) -> NvLinks | None:
    """The links of `nvidia-smi nvlink --status`; None where the text has none of its lines."""
    sums: list[float] = []
    said = False
    for line in text.splitlines()[: 64 * MOST_LINES]:
        if _LINKED.match(line):
            sums.append(0.0)
        elif sums and (found := _LINK.match(line)):
            sums[-1] += float(found["gb_s"])
            said = True
        elif sums and re.match(r"\s+Link \d{1,3}: <inactive>|\s*.*all links are inActive", line, re.I):
            said = True
    if not said:
        return None
    up = [each for each in sums if each]
    return NvLinks(len(sums), len(up), min(up, default=0.0))


_SLOT_LINKS = {
    (3, 16): "pcie3-x16", (4, 8): "pcie3-x16", (4, 16): "pcie4-x16", (5, 4): "pcie3-x16", (5, 8): "pcie5-x8",
    (5, 16): "pcie5-root", (6, 8): "pcie5-root", (6, 16): "pcie6-x16",
}  # fmt: skip
"""Catalog links by generation and lanes; half the lanes of a generation carry what all of the one before do."""


def slot_of(gpu: DetectedGpu, card: Accelerator) -> tuple[int, int] | None:
    """Generation and lanes of a card's slot as the machine says, else as its data sheet does."""
    gen, lanes = gpu.pcie_gen or card.pcie_gen, gpu.pcie_lanes or card.pcie_lanes
    return (gen, lanes) if gen is not None and lanes is not None else None


def slot_link(slot: tuple[int, int] | None) -> str | None:
    """The catalog's link for a slot; None where no entry is as fast."""
    return _SLOT_LINKS.get(slot) if slot else None


def narrow(gpu: DetectedGpu, card: Accelerator) -> bool:
    """Whether a card sits in a slot of fewer lanes, or of an earlier generation, than its own."""
    slot = slot_of(gpu, card)
    return slot is not None and (slot[0] < (card.pcie_gen or 0) or slot[1] < (card.pcie_lanes or 0))
