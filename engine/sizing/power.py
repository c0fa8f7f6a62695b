"""What a build draws, and what it takes to feed, house and cool it."""

from __future__ import annotations

from engine.figures.records import dataclass


@dataclass(frozen=True, slots=True)
class Circuit:
    """One usual circuit: the watts that it gives for long, and how many of it feed one node."""

    name: str
    volts: float
    amperes: float
    phases: int
    usable_w: float
    per_node: int


@dataclass(frozen=True, slots=True)
class Power:
    """Electrical draw, and what it takes to feed, house and cool it; None is unknown, or nothing that this build has."""

    gpu_w: float | None = None
    node_w: float | None = None  # at the wall
    total_w: float | None = None
    heat_btu_h: float | None = None
    psu_w: float | None = None  # rating of a node's supplies, without the spare one
    circuits_per_node: int | None = None
    circuit: str = ""
    pcie_lanes_needed: int | None = None
    host_memory_gib_min: float | None = None
    note: str = ""
    host: str = ""  # what a node is, in words
    host_w: float | None = None  # CPU, board, RAM, fans and disks of a node
    load_w: float | None = None  # what the supplies of a node deliver
    supply: str = ""  # ATX or CRPS; empty where they come with the box
    supply_w: float | None = None  # rating of one
    supplies: int | None = None  # of a node, that carry the load
    supplies_spare: int | None = None
    circuits: tuple[Circuit, ...] = ()  # the usual ones, the one to ask for first
    feeds: int = 1  # 2: A and B, each of circuits_per_node
    rack_units: int | None = None  # of a node
    rack_w: float | None = None  # what a rack may draw
    nodes_per_rack: int | None = None  # 0: a node is more than a rack may draw
    racks: int | None = None
    cooling: str = ""
    noise: str = ""
    pcie_lanes_board: int | None = None
    slots: str = ""
    nvme_bytes_min: int | None = None  # of a node
