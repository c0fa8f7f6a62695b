"""Cards of other makers: from the text that rocm-smi, amd-smi, xpu-smi and neuron-ls print."""

from __future__ import annotations

import json
import re

from catalog.nvidia_smi import MOST_LINES, DetectedGpu, DetectError
from engine.figures.text import LONGEST_NAME

_ROCM = re.compile(r"GPU\[(?P<gpu>\d+)\]\s*:\s*(?P<key>[^:]+?)\s*:\s*(?P<value>.*?)\s*")
"""A line of rocm-smi: `GPU[0]   : Card Series:   AMD Instinct MI300X`."""
_XPU_NAME = re.compile(r"\|\s*(?P<gpu>\d+)?\s*\|\s*Device Name:\s*(?P<value>.*?)\s*\|")
"""A line of `xpu-smi discovery`: `| 0 | Device Name: Intel(R) Arc(TM) Pro B60 Graphics |`."""
_XPU_MEMORY = re.compile(r"\|.*\bMemory Physical Size:\s*(?P<mib>\d{1,9})(?:\.\d+)? MiB\s*\|")
_AMD_GPU = re.compile(r"GPU: (?P<gpu>\d{1,4})")
_AMD = re.compile(r"(?P<key>MARKET_NAME|SIZE): (?P<value>.+)")
"""Lines of `amd-smi static`: `GPU: 0`, and below it `MARKET_NAME: AMD Instinct MI300X`, and of VRAM `SIZE: 196288 MB`."""
_NEURON_TYPE = re.compile(r"instance-type: (?P<value>\S+)")
_NEURON = re.compile(r"\|\s*(?P<device>\d{1,4})\s*\|\s*(?P<cores>\d{1,3})\s*\|.*?\|\s*(?P<gib>\d{1,4}) GB\s*\|.*")
"""A device of `neuron-ls`: `| 0 | 8 | 4 | 96 GB | 12, 3, 4, 1 | cc:00.0 |`; above the table, `instance-type: trn2.48xlarge`."""
_NEURON_CHIPS = {(8, 96): "Trainium2", (8, 144): "Trainium3"}
"""Chips by cores and memory, where no instance is named: two cores and 32 GB are of Trainium and of Inferentia2."""
_NAMES = ("card series", "card model", "product name")
_MEMORY = "vram total memory (b)"


def parse_other(text: str) -> list[DetectedGpu]:
    """The cards of these tools' text; none where it is of none of them. Raises DetectError for one that never ends.

    rocm-smi: `--showproductname --showmeminfo vram`; a name that is a number only is passed over for the next one.
    """
    lines = _lines_of_json(text) or text.splitlines()
    found: dict[str, dict[str, str]] = {}
    last = instance = ""
    for number, line in enumerate(lines):
        if number >= 64 * MOST_LINES:
            raise DetectError(f"{len(lines):,} lines are no machine's GPUs")
        rocm = _ROCM.fullmatch(line.strip())
        if rocm is not None:
            found.setdefault(rocm["gpu"], {}).setdefault(rocm["key"].casefold(), rocm["value"])
        xpu = _XPU_NAME.fullmatch(line.strip())
        if xpu is not None:
            last = f"xpu {xpu['gpu'] or len(found)}"
            found.setdefault(last, {})["product name"] = _plain(xpu["value"])
        held = _XPU_MEMORY.fullmatch(line.strip())
        if held is not None and last in found:
            found[last][_MEMORY] = str(int(held["mib"]) * 2**20)
        typed = _NEURON_TYPE.fullmatch(line.strip())
        instance = typed["value"] if typed is not None else instance
        neuron = _NEURON.fullmatch(line.strip())
        if neuron is not None:
            chip = _NEURON_CHIPS.get((int(neuron["cores"]), int(neuron["gib"])))
            said = instance or chip or f"Neuron device of {neuron['cores']} cores"
            found[f"neuron {neuron['device']}"] = {"product name": said, _MEMORY: str(int(neuron["gib"]) * 2**30)}
        amd = _AMD_GPU.fullmatch(line.strip())
        if amd is not None:
            last = f"amd {amd['gpu']}"
            found.setdefault(last, {})
        told = _AMD.fullmatch(line.strip())
        if told is not None and last.startswith("amd"):
            if told["key"] == "MARKET_NAME":
                found[last].setdefault("product name", told["value"])
            elif re.fullmatch(r"\d{1,9} MB", told["value"]):
                found[last].setdefault(_MEMORY, str(int(told["value"][:-3]) * 2**20))
    made = []
    for said in found.values():
        names = [said[key] for key in _NAMES if said.get(key) and not re.fullmatch(r"0x[0-9a-f]+|n/a", said[key], re.I)]
        if names:
            size = said.get(_MEMORY, "")
            mib = int(size) // 2**20 if size.isdigit() and len(size) < 18 else None
            made.append(DetectedGpu(names[0][: 2 * LONGEST_NAME], mib or None))
    return made


def _plain(name: str) -> str:
    return re.sub(r"\((R|TM)\)", "", name, flags=re.I)


_CARD = re.compile(r"card(\d{1,4})")
_MOST_JSON = 2**18


def _lines_of_json(text: str) -> list[str]:
    """rocm-smi's --json as its lines without it would be; empty for any other text."""
    if not text.lstrip().startswith('{"card') or len(text) > _MOST_JSON:
        return []
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return []
    cards = ((match.group(1), part) for name, part in said.items() if (match := _CARD.fullmatch(name)))
    return [f"GPU[{n}] : {key}: {value}" for n, part in cards if isinstance(part, dict) for key, value in part.items()]
