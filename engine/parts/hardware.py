"""Hardware facts as the engine takes them: accelerators, links, platforms, prices.

The catalog reads them from data files and hands over these frozen records. A figure that nobody published is
None, never 0. Every record keeps the source of its figures in words.
"""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from engine.figures.records import dataclass
from engine.figures.units import GB, MIB
from engine.parts.own import OwnCurve, OwnRatio

Origin = Literal["built-in", "user"]
LinkScope = Literal["intra-node", "inter-node", "host"]
NOT_OFFERED = ("cloud only", "embedded", "desktop")
"""Segments that nobody is advised to buy for serving many people: rented inside one provider's own stack, or too small."""
Box = Literal["consumer", "workstation", "server", "hgx"]
"""What cards stand in: a desktop PC, a Threadripper PRO or the like, a rack server with PCIe slots, one with a board."""
LinkFamily = Literal["nvlink", "xgmi", "pcie", "infiniband", "roce", "efa", "tcp", "other"]


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One GPU or other accelerator. Bandwidth is peak; TFLOPS are dense with fp32 accumulation."""

    id: str
    name: str
    vendor: str
    architecture: str
    segment: str
    form_factor: str
    memory_gb_marketed: float
    memory_mib_reported: int | None
    bandwidth_gb_s: float
    tflops_bf16_dense: float | None = None
    tflops_fp16_dense: float | None = None
    tflops_fp8_dense: float | None = None
    tflops_fp4_dense: float | None = None
    tops_int8_dense: float | None = None
    measured_tflops_bf16: float | None = None
    measured_tflops_fp8: float | None = None
    supports_bf16: bool = True
    supports_fp8: bool = False
    supports_fp4: bool = False
    tdp_w: float | None = None
    pcie_gen: int | None = None
    pcie_lanes: int | None = None
    compute_capability: str = ""
    peer_access: bool = True  # False: the stock driver stages GPU-to-GPU traffic through host memory
    default_intra_link: str = ""  # empty: the part is never joined in a node
    default_inter_link: str = ""
    price_usd: float | None = None
    price_as_of: str = ""
    price_note: str = ""
    notes: str = ""
    source: str = ""
    origin: Origin = "built-in"
    memory_type: str = ""
    unified_memory: bool = False  # shared with the CPU: the operating system keeps a part
    bandwidth_gb_s_under_load: float | None = None
    tflops_fp16_fp16acc_dense: float | None = None
    tflops_fp8_fp16acc_dense: float | None = None
    power_limit_min_w: float | None = None
    power_limit_max_w: float | None = None
    gpu_link: str = ""  # how the part can be joined to its like, in words
    gpu_link_gb_s_unidir: float | None = None  # NVLink, xGMI, on-chip RoCE or ICI, to all peers together
    p2p: str = ""
    cpu_link_gb_s_unidir: float | None = None
    host_memory_gb: float | None = None
    max_gpus_per_node: int | None = None
    price_usd_low: float | None = None
    price_usd_high: float | None = None
    release_date: str = ""
    status: str = ""  # empty: on sale
    derived: tuple[str, ...] = ()  # keys computed from another figure
    unverified: tuple[str, ...] = ()  # keys known from one sheet only
    short_name: str = ""
    own: tuple[OwnRatio, ...] = field(
        default=(), metadata={"own": True}
    )  # what a person measured, against the predicted

    def __hash__(self) -> int:
        return hash(self.id)  # equal records have equal ids, and caches ask often

    @property
    def label(self) -> str:
        """The name for headlines and bars: short where the catalog gives one."""
        return self.short_name or self.name

    @property
    def memory_bytes(self) -> int:
        """What the driver reports, bytes; where nobody published it, the marketed GB."""
        if self.memory_mib_reported is not None:
            return self.memory_mib_reported * MIB
        return round(self.memory_gb_marketed * GB)


@dataclass(frozen=True, slots=True)
class Link:
    """A link inside a node, between nodes, or (scope `host`) from a CPU to a GPU.

    peak_gb_s_unidir: one way, per GPU inside a node, per NIC port between nodes.
    achieved_gb_s_unidir: measured, per GPU or per port likewise, where somebody did. nics_per_node: ports that
    share the traffic, if the link is sold as a set; a node then moves `nics_per_node` times the port's rate.
    peer_access False: traffic passes through host memory. allreduce_busbw_by_bytes: nccl-tests bus bandwidth. own_curves: what a
    person measured on it, which counts before any other figure; no key of a catalog file.
    """

    id: str
    name: str
    scope: LinkScope
    family: LinkFamily
    peak_gb_s_unidir: float
    peak_gb_s_bidir: float | None = None
    achieved_gb_s_unidir: float | None = None
    latency_us: float | None = None
    latency_us_range: tuple[float, float] | None = None
    max_gpus: int | None = None
    nics_per_node: int | None = None
    line_gbit_s: float | None = None
    peer_access: bool = True
    status: str = ""
    notes: str = ""
    source: str = ""
    origin: Origin = "built-in"
    per_peer_gb_s_unidir: float | None = None  # a mesh: what one pair of GPUs gets
    achieved_gb_s_unidir_range: tuple[float, float] | None = None
    nvls_from_gpus: int | None = None  # least GPUs at which the switch reduces
    allreduce_busbw_by_bytes: tuple[tuple[int, float], ...] = ()
    derived: tuple[str, ...] = ()
    unverified: tuple[str, ...] = ()
    own_curves: tuple[OwnCurve, ...] = field(default=(), metadata={"own": True})

    @property
    def short(self) -> str:
        """The name alone: in the catalog, what the link is found on follows it in brackets."""
        return self.name.partition(" (")[0]

    def __hash__(self) -> int:
        return hash(self.id)


@dataclass(frozen=True, slots=True)
class Platform:
    """A node, rack or cloud instance that a plan can be placed on."""

    id: str
    name: str
    kind: str
    accelerator: str
    gpus: int
    provider: str = ""
    cpu: str = ""
    pcie_lanes: int | None = None  # of all sockets together
    pcie_lanes_per_gpu: int | None = None
    host_memory_gb: float | None = None
    intra_link: str = ""
    intra_link_cross: str = ""
    inter_link: str = ""
    nics: int | None = None
    nic_gbit_s: float | None = None
    network_gbit_s_per_node: float | None = None
    gpu_power_w: float | None = None
    system_power_w: float | None = None
    circuit: str = ""
    notes: str = ""
    source: str = ""
    origin: Origin = "built-in"
    instance: str = ""
    vcpus: int | None = None
    host_memory_gib: float | None = None  # as stated, where the maker counts 2^30; host_memory_gb then follows it
    board: str = ""
    host_link: str = ""  # CPU to GPU
    intra_link_patched_driver: str = ""
    pcie_gen: int | None = None
    pcie_switches: int | None = None
    topology: str = ""
    nodes: int = 1  # boxes that are sold together; every other figure is of one
    cooling: str = ""
    storage: str = ""
    unified_memory: bool = False
    derived: tuple[str, ...] = ()
    unverified: tuple[str, ...] = ()

    def __hash__(self) -> int:
        return hash(self.id)


@dataclass(frozen=True, slots=True)
class Rental:
    """An hourly price for a whole instance of `gpus` accelerators at one provider."""

    id: str
    provider: str
    instance: str
    accelerator: str
    gpus: int
    billing: str
    usd_per_hour: float
    as_of: str
    platform: str = ""
    region: str = ""
    notes: str = ""
    as_of_exact: bool = True  # False: known to the month or the year
    unverified: tuple[str, ...] = ()
    source: str = ""
    origin: Origin = "built-in"

    @property
    def usd_per_gpu_hour(self) -> float:
        """Hourly price of one GPU of the instance."""
        return self.usd_per_hour / self.gpus


@dataclass(frozen=True, slots=True)
class Purchase:
    """A price to buy a card, a kit or a part.

    one card's share of what is sold whole; with more, a board of so many, or (with_host) the whole server. gpus alone:
    the host of a node of up to so many, in a box of that kind (empty: of any). link and part (nic, switch for so many
    nics, cable): what a fabric is built from; part alone (rack, storage): what stands beside the nodes.
    """

    id: str
    item: str
    as_of: str
    usd: float | None = None
    accelerator: str = ""
    platform: str = ""
    gpus: int | None = None
    uncertainty: float | None = None
    link: str = ""
    part: str = ""
    nics: int | None = None
    box: Box | Literal[""] = ""
    with_host: bool = False  # CPUs, memory, chassis and power are in the price
    usd_per_tb: float | None = None
    rack_units: int | None = None  # usable height of a rack
    notes: str = ""
    as_of_exact: bool = True
    derived: tuple[str, ...] = ()
    unverified: tuple[str, ...] = ()
    source: str = ""
    origin: Origin = "built-in"


@dataclass(frozen=True, slots=True)
class ApiPrice:
    """What a hosted API asks per million tokens."""

    model: str
    provider: str
    kind: str
    usd_per_million_input: float
    usd_per_million_output: float
    as_of: str
    model_id: str = ""  # the catalog's model, where it is one of these
    source: str = ""
    origin: Origin = "built-in"


@dataclass(frozen=True, slots=True)
class Rule:
    """A planning rule or site figure: power overhead, circuit ratings, RAM, electricity."""

    id: str
    text: str
    value: float | None = None
    value_range: tuple[float, float] | None = None
    values: tuple[float, ...] = ()
    unit: str = ""
    as_of: str = ""
    as_of_exact: bool = True
    derived: tuple[str, ...] = ()
    unverified: tuple[str, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """All the hardware facts that a sizing may compare with. Compared by identity: it is loaded once."""

    accelerators: tuple[Accelerator, ...] = ()
    links: tuple[Link, ...] = ()
    platforms: tuple[Platform, ...] = ()
    rentals: tuple[Rental, ...] = ()
    purchases: tuple[Purchase, ...] = ()
    api_prices: tuple[ApiPrice, ...] = ()
    rules: tuple[Rule, ...] = ()
    host_links: tuple[Link, ...] = ()  # CPU to GPU; never part of a fabric
    as_of: str = ""

    def rule(self, rule_id: str) -> Rule:
        """The rule of that id. Raises KeyError."""
        for rule in self.rules:
            if rule.id == rule_id:
                return rule
        raise KeyError(rule_id)

    def link(self, link_id: str) -> Link:
        """The link of that id. Raises KeyError."""
        for link in self.links:
            if link.id == link_id:
                return link
        raise KeyError(link_id)
