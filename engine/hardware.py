"""Hardware facts as the engine takes them: accelerators, links, platforms, prices.

The catalog reads them from data files and hands over these frozen records. A figure that nobody published is
None, never 0. Every record keeps the source of its figures in words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.units import GB, MIB

Origin = Literal["built-in", "user"]
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
    default_intra_link: str = ""
    price_usd: float | None = None
    price_as_of: str = ""
    price_note: str = ""
    notes: str = ""
    source: str = ""
    origin: Origin = "built-in"

    @property
    def memory_bytes(self) -> int:
        """What the driver reports, bytes; where nobody published it, the marketed GB."""
        if self.memory_mib_reported is not None:
            return self.memory_mib_reported * MIB
        return round(self.memory_gb_marketed * GB)


@dataclass(frozen=True, slots=True)
class Link:
    """A link inside a node or between nodes.

    peak_gb_s_unidir: one way, per GPU inside a node, per NIC port between nodes.
    achieved_gb_s_unidir: measured, where somebody did. nics_per_node: ports that share the traffic, if the
    link is sold as a set. peer_access False: traffic passes through host memory.
    """

    id: str
    name: str
    scope: Literal["intra-node", "inter-node"]
    family: LinkFamily
    peak_gb_s_unidir: float
    peak_gb_s_bidir: float | None = None
    achieved_gb_s_unidir: float | None = None
    latency_us: float | None = None
    latency_us_range: tuple[float, float] | None = None
    allreduce_busbw_gb_s: float | None = None
    allreduce_busbw_2gpu_gb_s: float | None = None
    allreduce_small_us: float | None = None
    max_gpus: int | None = None
    nics_per_node: int | None = None
    line_gbit_s: float | None = None
    peer_access: bool = True
    status: str = ""
    notes: str = ""
    source: str = ""
    origin: Origin = "built-in"


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
    cpu_sockets: int | None = None
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
    source: str = ""
    origin: Origin = "built-in"

    @property
    def usd_per_gpu_hour(self) -> float:
        """Hourly price of one GPU of the instance."""
        return self.usd_per_hour / self.gpus


@dataclass(frozen=True, slots=True)
class Purchase:
    """A price to buy a card, a kit or a part."""

    id: str
    item: str
    usd: float | None
    as_of: str
    accelerator: str = ""
    platform: str = ""
    gpus: int | None = None
    note: str = ""
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
    source: str = ""
    origin: Origin = "built-in"


@dataclass(frozen=True, slots=True)
class Rule:
    """A planning rule or site figure: power overhead, circuit ratings, RAM, electricity."""

    id: str
    text: str
    value: float | None = None
    value_range: tuple[float, float] | None = None
    unit: str = ""
    as_of: str = ""
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
    as_of: str = ""

    def link(self, link_id: str) -> Link:
        """The link of that id. Raises KeyError."""
        for link in self.links:
            if link.id == link_id:
                return link
        raise KeyError(link_id)
