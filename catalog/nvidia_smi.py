"""This machine's GPUs from `nvidia-smi --query-gpu=... --format=csv`, mapped to the catalog."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from catalog.names import resolve_accelerator
from engine.figures.records import dataclass
from engine.figures.text import LONGEST_NAME, shown
from engine.parts.hardware import Accelerator

FIELDS = (
    "name",
    "memory.total",
    "power.limit",
    "pcie.link.gen.max",
    "pcie.link.width.max",
    "compute_cap",
    "driver_version",
)
ESSENTIAL_FIELDS = ("name", "memory.total")
"""What even old drivers can be asked for."""

LONGEST_LINE = 4000
MOST_LINES = 1024
LONGEST_NUMBER = 18
# A card of the same memory is within this of what the catalog says; ECC takes up to 6.25 % of GDDR memory.
MEMORY_TOLERANCE = 0.07


class DetectError(ValueError):
    """Output that is not nvidia-smi's CSV."""


@dataclass(frozen=True, slots=True)
class DetectedGpu:
    """One GPU as the driver describes it; None is what it did not say."""

    name: str
    memory_mib: int | None = None
    power_limit_w: float | None = None
    pcie_gen: int | None = None
    pcie_lanes: int | None = None
    compute_capability: str = ""
    driver: str = ""


@dataclass(frozen=True, slots=True)
class DetectedGroup:
    """Equal GPUs of a machine. accelerator is None when the catalog has nothing like them."""

    gpu: DetectedGpu
    count: int
    accelerator: Accelerator | None


def command(fields: Sequence[str] = FIELDS) -> tuple[str, ...]:
    """The command whose output `parse` reads."""
    return ("nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv")


_HEAD = re.compile(r"\s*(?P<name>[\w.]+)\s*(?:\[(?P<unit>[^\]]*)\])?\s*")
_FIRST_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


def _number(text: str) -> float | None:
    found = _FIRST_NUMBER.match(text.strip())
    if found is None:
        return None
    if len(found.group()) > LONGEST_NUMBER:
        raise DetectError(f"nvidia-smi says {shown(text)}: no number has {LONGEST_NUMBER} digits")
    return float(found.group())


def _whole(text: str) -> int | None:
    number = _number(text)
    return int(number) if number is not None else None


def _gpu(**said: Any) -> DetectedGpu:
    """One GPU of what the tool said. Raises DetectError for what no GPU has."""
    from pydantic import ValidationError  # here: 90 ms that only an answer of the tool pays

    from catalog.boundary import GpuRow
    from catalog.schema import explain, first_error

    try:
        row = GpuRow.model_validate(said)
    except ValidationError as problem:
        key, reason = explain(first_error(problem), said)
        raise DetectError(f"not the CSV of nvidia-smi: {key}: {reason}") from None
    return DetectedGpu(**{key: getattr(row, key) for key in said})


_LISTED = re.compile(r"GPU \d+: (?P<name>.+?) \(UUID: [^)]*\)\s*")
_MIG_LISTED = re.compile(r"\s+MIG .*")
_SIZE_CELL = re.compile(r"\d+(?: MiB)?|\[.*\]")


def parse(text: str) -> list[DetectedGpu]:
    """The GPUs of nvidia-smi's CSV output, units in its head or in its cells, or of `nvidia-smi -L`.

    Without a head the columns are those of ESSENTIAL_FIELDS. Raises DetectError.
    """
    listed = [line for line in text.lstrip("\ufeff").splitlines() if line.strip() and not _MIG_LISTED.fullmatch(line)]
    if len(listed) > MOST_LINES:
        raise DetectError(f"{len(listed):,} lines are no machine's GPUs; allowed: up to {MOST_LINES:,}")
    if any(len(line) > LONGEST_LINE for line in listed):
        raise DetectError(f"not the CSV of nvidia-smi: a line of more than {LONGEST_LINE:,} characters")
    named = [_LISTED.fullmatch(line) for line in listed]
    if named and all(named):
        return [_gpu(name=found.group("name")[: 2 * LONGEST_NAME]) for found in named if found]
    rows = [row for row in csv.reader(text.lstrip("\ufeff").splitlines(), skipinitialspace=True) if row]
    if not rows:
        raise DetectError("nvidia-smi printed nothing")
    if len(rows) > MOST_LINES:
        raise DetectError(f"{len(rows):,} lines are no machine's GPUs; allowed: up to {MOST_LINES:,}")
    head = [match.group("name") if (match := _HEAD.fullmatch(cell)) else "" for cell in rows[0]]
    if "name" not in head and all(len(row) == 2 and _SIZE_CELL.fullmatch(row[1].strip()) for row in rows):
        head = list(ESSENTIAL_FIELDS)
        rows.insert(0, head)
    if "name" not in head:
        if rows[0][0].startswith(("NVIDIA-SMI has failed", "Failed to initialize NVML", "No devices were found")):
            raise DetectError(f"the driver does not answer: {shown(', '.join(rows[0]), 120)}")
        raise DetectError(f"not the CSV of nvidia-smi: no column 'name' in {shown(', '.join(rows[0]), 80)}")
    gpus = []
    for row in rows[1:]:
        if len(row) != len(head):
            raise DetectError(f"not the CSV of nvidia-smi: {len(row)} cells under {len(head)} columns")
        cells = dict(zip(head, (cell.strip() for cell in row), strict=True))
        gpus.append(
            _gpu(
                name=cells["name"],
                memory_mib=_whole(cells.get("memory.total", "")),
                power_limit_w=_number(cells.get("power.limit", "")),
                pcie_gen=_whole(cells.get("pcie.link.gen.max", "")),
                pcie_lanes=_whole(cells.get("pcie.link.width.max", "")),
                compute_capability=_said(cells.get("compute_cap", "")),
                driver=_said(cells.get("driver_version", "")),
            )
        )
    return gpus


def _said(text: str) -> str:
    return "" if text.startswith("[") else text


_NOISE = {"nvidia", "geforce", "tesla", "quadro", "gpu", "graphics", "generation", "edition", "blackwell", "gb", "g"}
_MEMORY_WORD = re.compile(r"(\d+)gb?")


def _words(name: str) -> frozenset[str]:
    """The words of a product name that tell products apart: no maker, no brand, no memory size, SXM4 as SXM."""
    found = set()
    for word in re.split(r"[^a-z0-9]+", name.casefold().replace("max-q", "maxq")):
        if not word or word in _NOISE or _MEMORY_WORD.fullmatch(word):
            continue
        if not word.startswith("hbm"):
            found.add(re.sub(r"^sxm\d$", "sxm", word))
    return frozenset(found)


_BOARDS = {
    "HL-205": "Gaudi",
    "HL-225": "Gaudi 2",
    "HL-225B": "Gaudi 2",
    "HL-325L": "Gaudi 3",
    "HL-328": "Gaudi 3",
    "HL-338": "Gaudi 3",
}
"""Names that hl-smi prints of Intel's accelerators."""


_NOT_A_WHOLE_CARD = re.compile(r"\bmig\b|\bvgpu\b|\bgrid\b|-\d+[qcab]$|\b\dg\.\d+gb", re.I)
_NOT_THE_CARD = re.compile(r"\blaptop\b|\bmobile\b|\bwith max-q\b", re.I)


def is_a_part(gpu: DetectedGpu) -> bool:
    """Whether the name is that of a slice of a card: MIG, or a virtual GPU."""
    return _NOT_A_WHOLE_CARD.search(gpu.name.strip()) is not None


def identify(gpu: DetectedGpu, accelerators: Iterable[Accelerator]) -> Accelerator | None:
    """The catalog's accelerator for a GPU: the same name words as far as both say them, and the same memory."""
    if is_a_part(gpu) or _NOT_THE_CARD.search(gpu.name):
        return None
    wanted = _words(_BOARDS.get(gpu.name.upper().split(" ")[0], gpu.name))
    stated = re.search(r"(?<![a-z0-9])(\d+) ?gb(?![a-z0-9])", gpu.name.casefold())
    best: tuple[float, Accelerator] | None = None
    for accelerator in accelerators:
        if gpu.memory_mib is not None:
            memory = accelerator.memory_bytes / 2**20
            if abs(gpu.memory_mib / memory - 1.0) > MEMORY_TOLERANCE:
                continue
        elif stated is not None and abs(int(stated.group(1)) / accelerator.memory_gb_marketed - 1.0) > MEMORY_TOLERANCE:
            continue
        known = _words(accelerator.name) | _words(accelerator.id.replace("-", " "))
        models = {word for word in wanted if any(letter.isdigit() for letter in word)}
        if not models or not models <= known:
            continue
        score = len(wanted & known) - 0.5 * len(_words(accelerator.name) - wanted)
        if accelerator.compute_capability and accelerator.compute_capability == gpu.compute_capability:
            score += 0.5
        if accelerator.memory_type and accelerator.memory_type.casefold() in gpu.name.casefold().split():
            score += 1.0  # "H100 80GB HBM3" is the SXM part: the PCIe card has HBM2e
        if gpu.power_limit_w is not None and accelerator.tdp_w is not None:
            score -= min(0.4, abs(gpu.power_limit_w / accelerator.tdp_w - 1.0))
        if best is None or score > best[0]:
            best = (score, accelerator)
    return best[1] if best else _so_called(gpu, accelerators)


def _so_called(gpu: DetectedGpu, accelerators: Iterable[Accelerator]) -> Accelerator | None:
    """The card that names of shops and tools mean by this one, such as a TITAN RTX or an instance's chips; its memory fits."""
    named = resolve_accelerator(gpu.name)
    card = next((accelerator for accelerator in accelerators if accelerator.id == named), None)
    if card is None or gpu.memory_mib is None:
        return card
    return card if abs(gpu.memory_mib * 2**20 / card.memory_bytes - 1.0) <= MEMORY_TOLERANCE else None


LIMITED = 0.98
"""Share of a board's power below which a driver's limit is one that somebody set."""


def limit_of(gpu: DetectedGpu, accelerator: Accelerator) -> float | None:
    """The power limit that was set on a card, W; None where it is the board's own."""
    limit, board = gpu.power_limit_w, accelerator.tdp_w
    return limit if limit and board and limit < LIMITED * board else None


def grouped(gpus: Iterable[DetectedGpu], accelerators: Sequence[Accelerator]) -> list[DetectedGroup]:
    """Equal GPUs together, the most numerous first."""
    ordered = sorted(gpus, key=lambda gpu: (gpu.name, gpu.memory_mib or 0))
    groups = []
    for _, equal in groupby(ordered, key=lambda gpu: (gpu.name, gpu.memory_mib)):
        alike = list(equal)
        groups.append(DetectedGroup(alike[0], len(alike), identify(alike[0], accelerators)))
    return sorted(groups, key=lambda group: -group.count)
