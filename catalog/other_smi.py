"""GPUs of other makers: from the text that rocm-smi and xpu-smi print."""

from __future__ import annotations

import re

from catalog.nvidia_smi import MOST_LINES, DetectedGpu, DetectError
from engine.figures.text import LONGEST_NAME

_ROCM = re.compile(r"GPU\[(?P<gpu>\d+)\]\s*:\s*(?P<key>[^:]+?)\s*:\s*(?P<value>.*?)\s*")
"""A line of rocm-smi: `GPU[0]   : Card Series:   AMD Instinct MI300X`."""
_XPU_NAME = re.compile(r"\|\s*(?P<gpu>\d+)?\s*\|\s*Device Name:\s*(?P<value>.*?)\s*\|")
"""A line of `xpu-smi discovery`: `| 0 | Device Name: Intel(R) Arc(TM) Pro B60 Graphics |`."""
_NAMES = ("card series", "card model", "product name")
_MEMORY = "vram total memory (b)"


def parse_other(text: str) -> list[DetectedGpu]:
    """The GPUs of rocm-smi's or xpu-smi's text; none where it is neither. Raises DetectError for one that never ends.

    rocm-smi: `--showproductname --showmeminfo vram`; a name that is a number only is passed over for the next one.
    """
    lines = text.splitlines()
    found: dict[str, dict[str, str]] = {}
    for number, line in enumerate(lines):
        if number >= 64 * MOST_LINES:
            raise DetectError(f"{len(lines):,} lines are no machine's GPUs")
        rocm = _ROCM.fullmatch(line.strip())
        if rocm is not None:
            found.setdefault(rocm["gpu"], {}).setdefault(rocm["key"].casefold(), rocm["value"])
        xpu = _XPU_NAME.fullmatch(line.strip())
        if xpu is not None:
            found.setdefault(f"xpu {xpu['gpu'] or len(found)}", {})["product name"] = _plain(xpu["value"])
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
