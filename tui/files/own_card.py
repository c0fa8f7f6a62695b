"""A card that nobody described, in a few words: `acme-x1 96GB 1800GB/s 500TF 450W`, and the catalog file it becomes.

Units are the house's: GB = 10^9 bytes and GiB = 2^30 bytes, bandwidth of the memory in GB/s, dense BF16 TFLOPS, watts.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from engine.figures.records import dataclass
from engine.figures.units import GB, GIB, MIB
from tui.files import disk, paths

EXAMPLE: Final = "my-card 48GB 900GB/s 180TF 300W"
_FIGURE: Final = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)\s*([a-z]+(?:/s)?)(?![\w/])", re.I)
_KEYS: Final[dict[str, tuple[str, float]]] = {
    "gb": ("memory_gb_marketed", 1.0),
    "gib": ("memory_mib_reported", 1024.0),
    "mib": ("memory_mib_reported", 1.0),
    "gb/s": ("bandwidth_gb_s", 1.0),
    "tb/s": ("bandwidth_gb_s", 1000.0),
    "tf": ("tflops_bf16_dense", 1.0),
    "tflops": ("tflops_bf16_dense", 1.0),
    "tflop/s": ("tflops_bf16_dense", 1.0),
    "w": ("tdp_w", 1.0),
    "kw": ("tdp_w", 1000.0),
}
_WHOLE: Final = ("memory_mib_reported",)


class CardError(ValueError):
    """A card that cannot be kept; the text says why."""


@dataclass(frozen=True, slots=True)
class OwnCard:
    """A card of one's own. figures: by the keys of a catalog file, in the order in which they were typed."""

    id: str
    name: str
    figures: tuple[tuple[str, float], ...]

    @property
    def memory_gib(self) -> float:
        """Its memory in GiB."""
        figures = dict(self.figures)
        mib = figures.get("memory_mib_reported")
        return figures["memory_gb_marketed"] * GB / GIB if mib is None else mib * MIB / GIB

    @property
    def toml(self) -> str:
        """The catalog file that describes it."""
        lines = ["schema = 1", "", "[[accelerator]]", f'id = "{self.id}"', f'name = "{self.name}"']
        lines += [f"{key} = {int(value) if key in _WHOLE else f'{value:g}'}" for key, value in self.figures]
        return "\n".join([*lines, 'source = "entered in the app"', ""])


def read(text: str) -> OwnCard | None:
    """The card that words describe; None where they lack its name, its memory or its bandwidth, or name a figure twice."""
    figures: dict[str, float] = {}
    rest = text
    for found in _FIGURE.finditer(text):
        key, times = _KEYS.get(found.group(2).casefold(), ("", 0.0))
        if not key:
            continue
        if key in figures:
            return None
        figures[key] = float(found.group(1)) * times
        rest = rest.replace(found.group(0), " ", 1)
    name = " ".join(rest.replace(",", " ").split())
    identity = re.sub(r"[^a-z0-9.]+", "-", name.casefold()).strip("-.")
    memory = figures.keys() & {"memory_gb_marketed", "memory_mib_reported"}
    if not identity or not name.isprintable() or len(name) > 60 or not memory or "bandwidth_gb_s" not in figures:
        return None
    if any(value <= 0 for value in figures.values()):
        return None
    return OwnCard(identity, re.sub(r'["\\]', "", name), tuple(figures.items()))


def keep(card: OwnCard) -> Path:
    """Write the card among a person's own catalog files; where. Raises CardError, and where a file is there already."""
    folder = paths.config_folder() / "catalog"
    target = folder / f"card-{card.id}.toml"
    try:
        if target.exists():
            raise CardError(f"{target} is there already: change it there, or give the card another name")
        disk.write(paths.created(folder) / target.name, card.toml.encode())
    except (OSError, disk.DiskError) as problem:
        raise CardError(f"cannot write {target}: {disk.reason_of(problem)}") from None
    return target
