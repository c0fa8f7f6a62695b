"""Power, supplies, circuits, racks, host memory and disks on numbers that remember."""

from __future__ import annotations

from typing import Any, Final

from engine.decide.opened.base import Base, Found
from engine.money.power import power
from engine.sizing import Power

SOURCE: Final = "a node at full load, its supplies, circuits and racks: docs/power.md"
NO_POWER: Final = "the card's power is not published"
NO_RACK: Final = "it does not stand in a rack of its own choosing: a tower, or a rack that is sold whole"

TITLES: Final[dict[str, tuple[str, str, str]]] = {
    "gpu_w": ("One GPU", "W", NO_POWER),
    "host_w": ("A node without its cards", "W", "it is in what is stated for the whole node"),
    "load_w": ("What the supplies deliver", "W", NO_POWER),
    "node_w": ("One node", "W", NO_POWER),
    "total_w": ("All nodes", "W", NO_POWER),
    "heat_btu_h": ("Heat", "BTU/h", NO_POWER),
    "supplies": ("Supplies that carry a node", "", "its supplies come with it"),
    "psu_w": ("Supplies of a node", "W", NO_POWER),
    "circuits_per_node": ("Circuits of a node", "", NO_POWER),
    "rack_units": ("Height of a node", "U", NO_RACK),
    "rack_w": ("Power of a rack", "W", NO_RACK),
    "nodes_per_rack": ("Nodes in a rack", "", NO_RACK),
    "racks": ("Racks", "", NO_RACK),
    "pcie_lanes_needed": ("PCIe lanes of a node", "lanes", "the card states no lanes"),
    "pcie_lanes_board": ("PCIe lanes of the board", "lanes", "its modules do not stand in slots"),
    "host_memory_gib_min": ("Host memory of a node, at least", "GiB", NO_POWER),
    "nvme_bytes_min": ("Disks of a node, at least", "bytes", NO_POWER),
}
"""(title, unit, why nobody knows it) by the field of `Power`."""


def power_of(build: Base) -> Any:
    """The power of the build."""
    return build.keep("power", lambda: build.run(power, build.scenario, build.memory.host_bytes))


def found(build: Base, name: str) -> Found:
    """`power.FIELD`. Raises KeyError."""
    title, unit, why = TITLES[name]
    made = power_of(build)
    value = getattr(made, name)
    if name == "supplies" and made.load_w is None:
        why = NO_POWER
    return Found(value, title, unit, SOURCE, "" if value is None else _note(made, name), why=why)


def _note(made: Power, name: str) -> str:
    if name == "supplies":
        return f"{made.supply} supplies as they are sold" + (
            "; in servers one more stands by (N+1)" if made.supplies_spare else ""
        )
    if name == "circuits_per_node" and made.feeds > 1:
        return "Each of the feeds A and B has as many, since either carries all when the other fails."
    if name == "nodes_per_rack" and not made.nodes_per_rack:
        return "A node draws more than a rack may: it takes a rack with more power."
    if name == "host_w":
        return f"It is {made.host}."
    return made.slots if name.startswith("pcie_lanes") else ""
