"""How long a collective takes: message size, GPU count, topology in; seconds out.

Alpha-beta with three protocols, the fastest counts: `time = base + hop x steps + bytes x factor / bandwidth`
with a latency-bound, a middle and a bandwidth-bound line (NCCL's LL, LL128 and Simple; its own cost model in
src/graph/tuning.cc has this form). A ring all-reduce takes 2(n-1) steps and moves 2(n-1)/n of the buffer,
all-gather, reduce-scatter and all-to-all n-1 and (n-1)/n (nccl-tests doc/PERFORMANCE.md). Where a switch reduces
(NVLink 4 and later), a large all-reduce beats the ring. Across nodes the in-node phases and the network phase
overlap: the slower bandwidth counts, the latencies add.

Constants per class of link: engine.calibration.collectives, which scripts/calibrate_collectives.py fits.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from engine.calibration import collectives as fit
from engine.hardware import Link
from engine.sizing import FigureKind
from engine.units import GB

Op = Literal["all_reduce", "all_gather", "reduce_scatter", "all_to_all", "send_recv"]
Kernel = Literal["nccl", "custom"]


@dataclass(frozen=True, slots=True)
class Curve:
    """Time of one collective by its size: rising line segments, the least of its protocols everywhere.

    segments: (largest payload in bytes that the line serves, seconds, seconds a byte), by payload.
    """

    segments: tuple[tuple[float, float, float], ...]

    def seconds(self, payload_bytes: float) -> float:
        """Seconds for a payload, nccl-tests' size."""
        for limit, alpha, beta in self.segments:
            if payload_bytes <= limit:
                return alpha + payload_bytes * beta
        return math.inf

    @property
    def latency_s(self) -> float:
        """Seconds of the smallest message."""
        return self.segments[0][1]


def lower_envelope(lines: Iterable[tuple[float, float]]) -> Curve:
    """The curve that takes the least of some (seconds, seconds a byte) lines at every payload."""
    ordered = sorted(lines)
    chosen: list[tuple[float, float]] = [ordered[0]]
    starts = [0.0]
    for alpha, beta in ordered[1:]:
        if beta >= chosen[-1][1]:
            continue
        while True:
            start = (alpha - chosen[-1][0]) / (chosen[-1][1] - beta)
            if start > starts[-1] or len(chosen) == 1:
                break
            chosen.pop()
            starts.pop()
        chosen.append((alpha, beta))
        starts.append(start)
    limits = [*starts[1:], math.inf]
    return Curve(tuple((limit, alpha, beta) for limit, (alpha, beta) in zip(limits, chosen, strict=True)))


_ZERO = Curve(((math.inf, 0.0, 0.0),))
_curves: dict[tuple[object, ...], tuple[Link, Link | None, Curve]] = {}


def link_class(link: Link) -> str:
    """The class whose constants a link takes, from its family, generation and topology."""
    family = link.family
    if family == "nvlink":
        if "bridge" in link.id or link.max_gpus == 2:
            return "nvlink-bridge"
        peak = link.peak_gb_s_unidir
        return "nvlink-3" if peak <= 350 else "nvlink-4" if peak <= 600 else "nvlink-5"
    if family == "pcie":
        if not link.peer_access or "no-p2p" in link.id:
            return "pcie-host"
        if "switch" in link.id:
            return "pcie-switch"
        return "pcie-cross" if "cross" in link.id else "pcie-root"
    return family if family in fit.CLASSES else "fabric"


def evidence_kind(link: Link) -> FigureKind:
    """Where a link's times come from: measured on it, fitted on links of its class, or from its data sheet."""
    if link.id in fit.MEASURED_LINKS:
        return "measured"
    return "fitted" if link_class(link) in fit.FITTED_CLASSES else "data sheet"


def curve(
    op: Op,
    ranks: int,
    ranks_per_node: int,
    intra: Link,
    inter: Link | None,
    *,
    in_engine: bool = False,
    kernel: Kernel = "nccl",
    peer_access: bool = True,
    groups_per_node: int = 1,
    nics_per_node: int | None = None,
) -> Curve:
    """The time curve of one collective, cached per combination; arguments as of `collective_s`."""
    key = (
        op,
        ranks,
        ranks_per_node,
        id(intra),
        id(inter),
        in_engine,
        kernel,
        peer_access,
        groups_per_node,
        nics_per_node,
    )
    known = _curves.get(key)
    if known is not None:
        return known[2]
    made = _make(
        op, ranks, ranks_per_node, intra, inter, in_engine, kernel, peer_access, groups_per_node, nics_per_node
    )
    if len(_curves) > 20000:
        _curves.clear()
    # the links are kept beside the curve so that their identities stay taken
    _curves[key] = (intra, inter, made)
    return made


def collective_s(
    op: Op,
    payload_bytes: float,
    ranks: int,
    ranks_per_node: int,
    intra: Link,
    inter: Link | None,
    *,
    in_engine: bool = False,
    accelerator_id: str = "",
    kernel: Kernel = "nccl",
    peer_access: bool = True,
    groups_per_node: int = 1,
    nics_per_node: int | None = None,
) -> float:
    """Seconds that one collective takes.

    payload_bytes: nccl-tests' size (all_gather: the gathered, reduce_scatter and all_reduce: the whole buffer,
    all_to_all: what one rank sends in all). ranks_per_node: ranks of this group that share a node.
    in_engine: as a serving engine pays it: its own kernels, and ranks that do not arrive together.
    kernel: `custom` for the one-shot kernels of serving engines. peer_access False: the accelerator's driver
    stages PCIe traffic through host memory. groups_per_node: groups of a node that speak at the same time and
    share its network cards. nics_per_node: cards of the node; by default the link's, or one for each rank on
    NVLink and xGMI nodes and one for the node elsewhere.
    """
    if ranks <= 1:
        return 0.0
    return curve(
        op,
        ranks,
        ranks_per_node,
        intra,
        inter,
        in_engine=in_engine,
        kernel=kernel,
        peer_access=peer_access,
        groups_per_node=groups_per_node,
        nics_per_node=nics_per_node,
    ).seconds(payload_bytes)


def _shape(op: Op, ranks: int) -> tuple[int, float]:
    """Latency steps of a ring, and the share of the payload that each GPU sends."""
    if op == "send_recv":
        return 1, 1.0
    if op == "all_reduce":
        return 2 * (ranks - 1), 2 * (ranks - 1) / ranks
    return ranks - 1, (ranks - 1) / ranks


def _ring_share(name: str, ranks: int) -> float:
    shares = fit.RING_SHARE.get(name)
    if shares is None or ranks <= 2:
        return 1.0
    four, eight = shares
    if ranks <= 4:
        return 1.0 + (four - 1.0) * (ranks - 2) / 2
    return max(min(four, eight), four + (eight - four) * (ranks - 4) / 4) if ranks < 8 else eight


def _make(
    op: Op,
    ranks: int,
    ranks_per_node: int,
    intra: Link,
    inter: Link | None,
    in_engine: bool,
    kernel: Kernel,
    peer_access: bool,
    groups: int,
    nics: int | None,
) -> Curve:
    if ranks <= 1:
        return _ZERO
    within = min(ranks, max(1, ranks_per_node))
    nodes = math.ceil(ranks / within)
    lines = _intra_lines(op, ranks, within, intra, peer_access, kernel if nodes == 1 else "nccl")
    if in_engine and nodes == 1:
        lines = lines + _custom_lines(op, ranks, intra, peer_access)
    if nodes > 1:
        lines = _inter_lines(op, ranks, within, nodes, intra, inter or intra, lines, groups, nics)
    if in_engine:
        lines = [(a * fit.ENGINE_LATENCY_FACTOR, b * fit.ENGINE_BANDWIDTH_FACTOR) for a, b in lines]
    return lower_envelope(lines)


def _intra_lines(
    op: Op, ranks: int, within: int, link: Link, peer_access: bool, kernel: Kernel
) -> list[tuple[float, float]]:
    name = link_class(link)
    if name in ("pcie-switch", "pcie-root", "pcie-cross") and not peer_access:
        name = "pcie-host"
    c = fit.CLASSES[name]
    if within <= 1:
        return [(0.0, 0.0)]
    if kernel == "custom":
        return _custom_lines(op, within, link, peer_access)
    steps, share = _shape(op, within)
    if ranks > within:
        # a flat ring through all nodes passes each in-node link with its share of the whole
        share = _shape(op, ranks)[1]
    peak = link.peak_gb_s_unidir or 2 * (link.achieved_gb_s_unidir or 16.0)
    if name == "xgmi":
        # a full mesh: a group of n uses n - 1 of its links
        peer = link.per_peer_gb_s_unidir or peak / 7
        peak = min(peak, peer * (within - 1))
    wire = peak * c["wire"] * _ring_share(name, within) * GB
    alpha = (c["base_us"] + c["hop_us"] * steps) * 1e-6
    bulk = wire * (c["switch"] if op == "all_reduce" and within >= 5 else 1.0)
    return [
        (alpha, share / (wire * c["low"])),
        (alpha + c["mid_us"] * 1e-6, share / (wire * c["mid"])),
        (alpha + c["bulk_us"] * 1e-6, share / bulk),
    ]


def _custom_lines(op: Op, ranks: int, link: Link, peer_access: bool) -> list[tuple[float, float]]:
    name = link_class(link)
    if op != "all_reduce" or name == "pcie-host" or not peer_access:
        return []
    k = fit.CUSTOM
    pcie = name.startswith("pcie")
    wire = link.peak_gb_s_unidir * k["wire"] * GB
    base = k["pcie_base_us"] if pcie else k["base_us"]
    hop = k["pcie_hop_us"] if pcie else k["hop_us"]
    alpha = (base + hop * (ranks - 1)) * 1e-6
    one_shot = (alpha, (ranks - 1) / wire)
    two_shot = (2 * alpha, 2 * (ranks - 1) / ranks / wire)
    return [one_shot, two_shot]


def _inter_lines(
    op: Op,
    ranks: int,
    within: int,
    nodes: int,
    intra: Link,
    inter: Link,
    inside: list[tuple[float, float]],
    groups: int,
    nics: int | None,
) -> list[tuple[float, float]]:
    name = link_class(inter)
    c = fit.CLASSES[name]
    steps = 1 if op == "send_recv" else (2 if op == "all_reduce" else 1) * math.ceil(math.log2(nodes))
    if nics is None:
        nics = inter.nics_per_node or (
            within * groups if intra.family in ("nvlink", "xgmi") and inter.family != "tcp" else 1
        )
    node_rate = inter.peak_gb_s_unidir * c["wire"] * GB * max(1, nics)
    if op == "send_recv":
        rate = min(node_rate / groups, inter.peak_gb_s_unidir * c["wire"] * GB)
        share = 1.0
    else:
        rate = node_rate / groups
        share = _shape(op, ranks)[1]
        if op == "all_to_all":
            share = within * (ranks - within) / ranks
        elif op == "all_reduce" and link_class(intra) in ("nvlink-4", "nvlink-5") and within >= 5:
            # reduced in the node's switch first: each card carries one GPU's share
            share = 2 * (nodes - 1) / nodes
    alpha = (c["base_us"] + c["hop_us"] * steps) * 1e-6
    network = [
        (alpha, share / (rate * c["low"])),
        (alpha + c["mid_us"] * 1e-6, share / (rate * c["mid"])),
        (alpha + c["bulk_us"] * 1e-6, share / rate),
    ]
    if len(inside) == 1:
        inside = inside * 3
    return [(a1 + a2, max(b1, b2)) for (a1, b1), (a2, b2) in zip(inside, network, strict=True)]
