"""What cards stand in: the kind of box, its height in a rack, and how many of them a rack takes."""

from __future__ import annotations

from functools import lru_cache

from engine.parts.hardware import Box, Facts
from engine.scenario import Hardware

NEXT_BOX: dict[Box, Box | None] = {"consumer": "workstation", "workstation": "server", "server": None, "hgx": None}
"""Where a box takes no more cards, what they stand in instead."""
RACK_UNITS: dict[Box, int] = {"server": 4, "hgx": 8}
"""Height of a node: PCIe servers such as ASUS ESC8000A-E13 4U; DGX H100 8U. Towers stand beside the rack."""
USABLE_UNITS = 40  # of a rack of 42; two are left for a switch


def box_of(hardware: Hardware) -> Box:
    """What the cards of a node stand in: the chosen platform's kind, else what such cards are made for."""
    card, kind = hardware.accelerator, hardware.platform.kind if hardware.platform is not None else ""
    if card.form_factor.startswith(("SXM", "OAM")) or kind in ("hgx", "dgx"):
        return "hgx"
    if kind in ("workstation", "server"):
        return "workstation" if kind == "workstation" else "server"
    if card.segment in ("consumer", "workstation"):
        return "consumer" if card.segment == "consumer" else "workstation"
    return "server"


def in_rack(hardware: Hardware) -> bool:
    """Whether the accelerator is sold as a part of a whole rack."""
    return "rack" in hardware.accelerator.segment


def computer_of_its_own(hardware: Hardware) -> bool:
    """Whether the accelerator and its computer are one thing, with its own supply: DGX Spark, Mac Studio, Jetson."""
    return hardware.accelerator.unified_memory and hardware.accelerator.segment in ("desktop", "embedded")


@lru_cache(maxsize=64)
def usable_units(facts: Facts) -> int:
    """Height of a rack that nodes may take: of the rack that the catalog prices."""
    racks = [p for p in facts.purchases if p.part == "rack" and p.rack_units]
    own = max(racks, key=lambda p: p.origin == "user", default=None)
    return own.rack_units if own is not None and own.rack_units else USABLE_UNITS
