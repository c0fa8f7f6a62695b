"""How long a collective takes: message size, GPU count, topology in; seconds out.

Alpha-beta with three protocols, the fastest counts: `time = base + hop x steps + bytes x factor / bandwidth`
with a latency-bound, a middle and a bandwidth-bound line (NCCL's LL, LL128 and Simple; its own cost model in
src/graph/tuning.cc has this form). A ring all-reduce takes 2(n-1) steps and moves 2(n-1)/n of the buffer,
all-gather, reduce-scatter and all-to-all n-1 and (n-1)/n (nccl-tests doc/PERFORMANCE.md). Where a switch reduces
(NVLink 4 and later, five GPUs and more), a large all-reduce beats the ring. On an xGMI mesh a group of n uses n - 1
of each GPU's links.

No PCIe link is faster than the slot of the card. Through a CPU's root complex a ring of more than two GPUs meets an
absolute ceiling, however wide the slots; under switches it does not. Without peer access traffic is staged through
host memory; a driver patched for peer access widens only what is bound by bandwidth.

Across nodes latencies add (the in-node phases, then the network, whose steps grow with the logarithm of the nodes)
and bandwidths overlap: the slower one counts. A flat ring takes (n-1)/n of the payload out of every node through all
its cards; where the node's switch reduces first, only the node's own share leaves it.

Constants per class of link: engine.calibration.collectives, which `python -m tests.calibration collectives` fits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Literal

from engine.calibration import collectives as fit
from engine.figures.kept import keep
from engine.figures.units import GB, MICROSECOND
from engine.links.curves import Curve, floored, lower_envelope
from engine.parts.hardware import Accelerator, Link
from engine.parts.own import OwnCurve

Op = Literal["all_reduce", "all_gather", "reduce_scatter", "all_to_all", "send_recv"]
Kernel = Literal["nccl", "nccl-tuned", "nccl-ring", "nccl-tree", "vllm", "trtllm", "mscclpp", "one-shot"]

SWITCH_FROM_GPUS = 5
"""Up to four GPUs NCCL stays on the ring (link fact nvls_from_gpus: 5 on 8x H200, 6 on 8x B200)."""

ENGINE_WAIT_S = 10e-6
ENGINE_BANDWIDTH_FACTOR = 1.1
"""What a collective costs inside a running engine over its benchmark: ranks do not arrive together, each call waits
for the last: about 10 us makes the 4 to 7 us of an NVLink kernel 2 to 4 times as long, which is what engines show
(2 to 4.5 times: tests/reference, collectives). The wait does not grow with the link: slow ones suffer less of it."""
ENGINE_WAIT_ACROSS_S = 80e-6
"""The same across nodes, where proxies and schedulers of several hosts must meet: it makes the 35 us of 16 H100 over
InfiniBand 3.3 times as long, the middle of that range. DeepSeek-R1 over two nodes of eight H100 at TP 16 takes 33 ms a
token in vLLM and 52 ms in SGLang (sgl-project/sglang issue 3656), of which 122 such calls are most."""

VIRTUAL_FLOOR_S = 60e-6
"""The least that a collective takes between GPUs of a virtual machine that are virtual functions: eight MI300X take 54
to 66 us for every payload up to 4 MiB, and as long as on the bare machine from where that takes more (ROCm/rccl issue
1562). An engine's own kernels were not measured there, and keep theirs."""

GEN3_LANE_GB_S = 15.75 / 16
"""One way through a lane of PCIe Gen3: 8 GT/s x 128/130 / 8; each generation doubles it."""

# The slots of boards that an NVLink bridge joins: Gen3 for the Turing pairs, Gen4 for the GA102 ones, Gen5 for H100 NVL
# and H200 NVL.
_SLOT_GEN3 = Link("pcie3-slot", "PCIe Gen3 x16", "intra-node", "pcie", 15.75)
_SLOT_GEN4 = Link("pcie4-slot", "PCIe Gen4 x16", "intra-node", "pcie", 31.5)
_SLOT_GEN5 = Link("pcie5-slot", "PCIe Gen5 x16", "intra-node", "pcie", 63.0)

NOTHING = Curve(((math.inf, 0.0, 0.0),))
"""The curve of a rank that speaks to nobody."""
_curves: dict[tuple[object, ...], tuple[Link, Link | None, Curve]] = {}
MOST_CURVES = 2048
"""How many curves are kept, half a kB each: a fabric table takes some hundred, an edit some ten more."""


def forget() -> None:
    """Drop every cached curve: after a change of constants."""
    _curves.clear()


def link_class(link: Link) -> str:
    """The class whose constants a link takes, from its family, generation and topology."""
    family = link.family
    if family == "nvlink":
        if "bridge" in link.id or link.max_gpus == 2:
            return "nvlink-bridge"
        peak = link.peak_gb_s_unidir
        return "nvlink-3" if peak <= 350 else "nvlink-4" if peak <= 600 else "nvlink-5"
    if family == "pcie":
        if not link.peer_access:
            return "pcie-host"
        if "cross-socket" in link.id:
            return "pcie-cross"
        return "pcie-switch" if "switch" in link.id else "pcie-root"
    if link.scope == "intra-node":
        return family if family == "xgmi" else "scale-up"
    if family == "roce" and "untuned" in link.id:
        return "roce-untuned"
    if link.id.startswith("gcp-tcpx"):
        return "tcpx"
    return family if family in fit.CLASSES else "fabric"


def slot_gb_s(card: Accelerator) -> float | None:
    """One-way rate of the slot that a card is made for, by generation and lanes; None where nobody states them."""
    if card.pcie_gen is None or card.pcie_lanes is None:
        return None
    return GEN3_LANE_GB_S * 2.0 ** (card.pcie_gen - 3) * card.pcie_lanes


def class_in_use(link: Link, peer_access: bool) -> str:
    """The class of a link between cards whose stock driver grants peer access, or does not.

    A link with peer access between cards without it is that of a patched driver: notice `peer-access-patched`.
    """
    name = link_class(link)
    if not peer_access and name in ("pcie-switch", "pcie-root", "pcie-cross"):
        return "pcie-driver"
    return name


def one_card_a_gpu(intra: Link, inter: Link) -> bool:
    """Whether a node is taken to have a network card for each GPU when nobody said how many it has.

    NVLink and xGMI nodes are sold that way; PCIe boxes, and sockets over Ethernet, come with one.
    """
    return intra.family in ("nvlink", "xgmi") and inter.family != "tcp"


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
    slot_gb_s: float | None = None,
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
        slot_gb_s,
    )
    known = _curves.get(key)
    if known is not None:
        return known[2]
    made = _make(
        op,
        ranks,
        ranks_per_node,
        intra,
        inter,
        in_engine,
        kernel,
        peer_access,
        groups_per_node,
        nics_per_node,
        slot_gb_s,
    )
    # the links are kept beside the curve so that their identities stay taken
    return keep(_curves, key, (intra, inter, made), MOST_CURVES)[2]


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
    slot_gb_s: float | None = None,
) -> float:
    """Seconds that one collective takes; 0 for one rank.

    payload_bytes: nccl-tests' size (all_gather: the gathered, reduce_scatter and all_reduce: the whole buffer,
    all_to_all: what one rank sends in all). ranks_per_node: ranks of this group that share a node.
    in_engine: as a serving engine pays it: the fastest of its own kernels and NCCL, plus what ranks lose that do
    not arrive together. kernel: what a benchmark ran: NCCL, NCCL with more channels (which lifts the loss on PCIe
    trees), NCCL without in-switch reduction, NCCL told to take trees, or an engine's own all-reduce. peer_access False: the stock driver of the
    cards grants none, so that a PCIe link with it is that of a patched driver.
    groups_per_node: groups of a node that speak at the same time and share its network cards. nics_per_node:
    cards of the node; by default the link's own number, or one a GPU on NVLink and xGMI nodes and one a node
    elsewhere. slot_gb_s: one-way rate of the cards' slot (`slot_gb_s`), which no PCIe link between them exceeds. accelerator_id is accepted for callers that price one accelerator; links carry all that counts.
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
        slot_gb_s=slot_gb_s,
    ).seconds(payload_bytes)


Lines = list[tuple[float, float]]
"""Lines of a cost: (seconds, seconds a byte)."""


def _shape(op: Op, ranks: int) -> tuple[int, float]:
    """Latency steps of a ring, and the share of the payload that each GPU sends."""
    if op == "send_recv":
        return 1, 1.0
    if op == "all_reduce":
        return 2 * (ranks - 1), 2 * (ranks - 1) / ranks
    return ranks - 1, (ranks - 1) / ranks


def _ring_share(name: str, ranks: int) -> float:
    """What is left of the two-GPU ring rate when `ranks` GPUs share a PCIe tree; log-linear between 2, 4 and 8."""
    shares = fit.RING_SHARE.get(name)
    if shares is None or ranks <= 2:
        return 1.0
    four, eight = shares["at_4"], shares["at_8"]
    if ranks <= 4:
        return float(four ** (math.log2(ranks) - 1.0))
    return float(four * (eight / four) ** (math.log2(min(ranks, 8)) - 2.0))


def _through_root(gb_s: float, ranks: int) -> float:
    """Rate of a ring whose GPUs meet in a CPU's root complex: the root's ceiling from four GPUs on, half way at three."""
    ceiling = fit.SHARED["root_gb_s"]
    if ranks <= 2 or gb_s <= ceiling:
        return gb_s
    return math.sqrt(gb_s * ceiling) if ranks == 3 else ceiling


MESH_GPUS = 8
"""GPUs of a mesh whose size nobody published."""


def _mesh_share(link: Link, name: str, ranks: int) -> float:
    """Share of its links that a GPU of a mesh uses in a group of `ranks`; 1 on other topologies."""
    if name != "xgmi":
        return 1.0
    return min(1.0, (ranks - 1) / ((link.max_gpus or MESH_GPUS) - 1))


def _peak_gb_s(link: Link, slot_gb_s: float | None) -> float:
    """One-way peak of a link between cards of such a slot; staged through host memory: half a slot."""
    if link.family != "pcie" or slot_gb_s is None:
        return link.peak_gb_s_unidir
    return min(link.peak_gb_s_unidir, slot_gb_s if link.peer_access else slot_gb_s / 2)


def _wire_gb_s(link: Link, c: Mapping[str, float], slot_gb_s: float | None = None) -> float:
    """One-way rate that a ring reaches on large payloads: the class's share of the peak, at most what was measured."""
    rate = _peak_gb_s(link, slot_gb_s) * c["wire"]
    if link.family == "tcp":
        rate = min(rate, fit.SHARED["socket_gb_s"])
    if link.achieved_gb_s_unidir is not None:
        rate = min(rate, link.achieved_gb_s_unidir)
    return rate


def _latency_scale(link: Link) -> float:
    """Latency of a link against its class, where its generation was measured on its own."""
    for prefix, scale in fit.LATENCY_SCALE.items():
        if link.id.startswith(prefix):
            return scale
    return 1.0


def _in_switch(name: str, within: int, kernel: Kernel) -> bool:
    return name in ("nvlink-4", "nvlink-5") and within >= SWITCH_FROM_GPUS and kernel != "nccl-ring"


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
    slot: float | None,
) -> Curve:
    if ranks <= 1:
        return NOTHING
    within = min(ranks, max(1, ranks_per_node))
    nodes = math.ceil(ranks / within)
    name = class_in_use(intra, peer_access)
    if nodes == 1 and kernel in ("nccl", "nccl-tuned"):
        own = next((one for one in intra.own_curves if (one.op, one.gpus) == (op, ranks)), None)
        if own is not None:
            return _own(own, in_engine)
    lines = []
    island = 1
    if name == "nvlink-bridge":
        rate = slot or intra.peak_gb_s_unidir / 3
        slots = _SLOT_GEN3 if rate < 18.0 else _SLOT_GEN4 if rate < 60.0 else _SLOT_GEN5
        if within > (intra.max_gpus or 2):
            # the ring leaves the bridged island and comes back over the slots
            island, intra, name = intra.max_gpus or 2, slots, "pcie-root"
        elif peer_access and nodes == 1:
            # the smallest messages may as well go through the slot
            lines = _intra_lines(op, ranks, within, slots, "pcie-root", kernel, slot, 1)
    lines += _intra_lines(op, ranks, within, intra, name, kernel, slot, island)
    if nodes > 1:
        lines = _inter_lines(op, ranks, within, nodes, intra, inter or intra, lines, groups, nics, kernel)
    elif op == "all_reduce" and not kernel.startswith("nccl"):
        lines = _kernel_lines(kernel, within, intra, name, lines, slot)
    elif op == "all_reduce" and in_engine and name != "scale-up":
        lines = lines + _kernel_lines("vllm", within, intra, name, lines, slot)
    if in_engine:
        wait = ENGINE_WAIT_ACROSS_S if nodes > 1 and op != "send_recv" else ENGINE_WAIT_S
        lines = [(alpha + wait, beta * ENGINE_BANDWIDTH_FACTOR) for alpha, beta in lines]
    made = lower_envelope(lines)
    if intra.id.endswith("-virtual") and kernel.startswith("nccl") and not (in_engine and op == "all_reduce"):
        return floored(made, VIRTUAL_FLOOR_S)
    return made


def _own(own: OwnCurve, in_engine: bool) -> Curve:
    """The curve of a person's own measurements: straight lines between points, the last rate beyond them."""
    wait, factor = (ENGINE_WAIT_S, ENGINE_BANDWIDTH_FACTOR) if in_engine else (0.0, 1.0)
    points = own.points
    segments = [(points[0][0], points[0][1] + wait, 0.0)]
    for (size, seconds), (above, longer) in pairwise(points):
        beta = (longer - seconds) / (above - size)
        segments.append((above, seconds - size * beta + wait, beta * factor))
    size, seconds = points[-1]
    segments.append((math.inf, wait, seconds / size * factor))
    return Curve(tuple(segments))


def _intra_lines(
    op: Op, ranks: int, within: int, link: Link, name: str, kernel: Kernel, slot: float | None, island: int
) -> Lines:
    """Three protocol lines of the phases inside a node."""
    if within <= 1:
        return [(0.0, 0.0)] * 3
    driver = name == "pcie-driver"
    name = "pcie-host" if driver else name
    c = fit.CLASSES[name]
    steps = _shape(op, within)[0]
    # a flat ring through all nodes passes each in-node link with its share of the whole
    share = _shape(op, ranks)[1]
    if driver:
        # a patched driver's copies are set up as staged ones are; only the widest protocol gains
        wire = _peak_gb_s(link, slot) / 2 * c["wire"]
    else:
        wire = _wire_gb_s(link, c, slot) * _mesh_share(link, name, within)
    if kernel != "nccl-tuned" or name == "pcie-host":
        wire *= _ring_share(name, within)
    bulk = fit.SHARED["driver_gain"] if driver else 1.0
    if island > 1:
        # rings cross between islands at several cards: between one slot's rate and that of a slot a card of the island
        wire *= math.sqrt(island)
    elif kernel != "nccl-tuned" and name in ("pcie-root", "pcie-host"):
        widest = _through_root(wire * bulk, within)
        wire = _through_root(wire, within)
        bulk = widest / wire
    wire *= GB
    low, mid = c["low"], c["mid"]
    if op == "all_reduce" and _in_switch(name, within, kernel):
        low, mid, bulk = low * c["switch_low"], mid * c["switch"], c["switch"]
    alpha = (c["base_us"] + c["hop_us"] * steps) * _latency_scale(link)
    fill = fit.SHARED["send_fill"] if op == "send_recv" else 1.0
    mid_alpha = alpha + fill * c["mid_us"]
    bulk_alpha = alpha + fill * (c["bulk_us"] + c["bulk_hop_us"] * steps)
    return [
        (alpha * MICROSECOND, share / (wire * low)),
        (mid_alpha * MICROSECOND, share / (wire * mid)),
        (bulk_alpha * MICROSECOND, share / (wire * bulk)),
    ]


def _kernel_lines(kernel: Kernel, ranks: int, link: Link, name: str, nccl: Lines, slot: float | None) -> Lines:
    """A serving engine's own all-reduce: each GPU reads all peers at once (one shot), or in two halves.

    vLLM leaves PCIe groups above two GPUs to NCCL (vllm/distributed/device_communicators/custom_all_reduce.py).
    """
    pcie = name.startswith("pcie")
    k = fit.KERNELS[kernel if not pcie or kernel == "one-shot" else f"{kernel}-pcie"]
    overhead = k["call_us"] * MICROSECOND
    called = [(alpha + overhead, beta) for alpha, beta in nccl]
    if name == "pcie-host" or (pcie and kernel != "one-shot" and ranks > 2):
        return called
    # a kernel of few thread blocks moves only so much, however wide the link
    wire = min(_peak_gb_s(link, slot) * _mesh_share(link, name, ranks) * k["wire"], k["cap_gb_s"]) * GB
    alpha = (k["base_us"] + k["hop_us"] * (ranks - 1)) * MICROSECOND * fit.KERNEL_CLASS.get(name, 1.0)
    one_shot = (alpha, (ranks - 1) / wire)
    if kernel == "one-shot":
        return [one_shot]
    return [one_shot, (alpha * fit.SHARED["two_shot"], 2 * (ranks - 1) / ranks / wire), *called]


RING_HOP_US, RING_HOP_PCIE_US = ((2.7, 1.0), (4.0, 1.9), (14.0, 3.4)), ((2.7, 1.0), (4.0, 2.5), (14.0, 5.7))
"""Microseconds of a step of NCCL's ring by protocol (LL, LL128, Simple): over the network, and inside a node over NVLink or
PCIe, where the network's overhead is the least (hwLat of src/graph/tuning.cc, NVIDIA/nccl 2.18 to 2.28). With several GPUs a
node its all-gather and reduce-scatter have no tree; below a few nodes what was measured is more."""


def _inter_lines(
    op: Op,
    ranks: int,
    within: int,
    nodes: int,
    intra: Link,
    inter: Link,
    inside: Lines,
    groups: int,
    nics: int | None,
    kernel: Kernel,
) -> Lines:
    """The in-node lines with the network's on top: latencies add, the slower bandwidth counts."""
    c = fit.CLASSES[link_class(inter)]
    nics = inter.nics_per_node or nics
    if nics is None:
        nics = within * groups if one_card_a_gpu(intra, inter) else 1
    card = _wire_gb_s(inter, c) * GB
    rate = card * nics / groups
    if op == "send_recv":
        steps, share = 1, 1.0
        rate = min(rate, card * max(1, nics // max(1, within * groups)))
    else:
        steps = (2 if op == "all_reduce" else 1) * math.ceil(math.log2(nodes))
        share = _shape(op, ranks)[1]
        if op == "all_to_all":
            share = within * (ranks - within) / ranks
        elif op == "all_reduce" and (
            inter.family == "efa" or kernel == "nccl-tree" or _in_switch(link_class(intra), within, "nccl")
        ):
            # EFA's tuner takes trees, in-switch reduction sums a node first: only the node's sum leaves it
            share = 2 * (nodes - 1) / nodes
    alpha = (c["base_us"] + c["hop_us"] * steps) * _latency_scale(inter)
    network = [
        (alpha * MICROSECOND, share / (rate * c["low"])),
        ((alpha + c["mid_us"]) * MICROSECOND, share / (rate * c["mid"])),
        ((alpha + c["bulk_us"] + c["bulk_hop_us"] * steps) * MICROSECOND, share / rate),
    ]
    lines = [(a1 + a2, max(b1, b2)) for (a1, b1), (a2, b2) in zip(inside, network, strict=True)]
    if op not in ("all_gather", "reduce_scatter"):
        return lines
    # no tree carries these: what one rank sends passes through every other
    hops = RING_HOP_PCIE_US if link_class(intra).startswith("pcie") else RING_HOP_US
    rings = [((nodes - 1) * out + (ranks - nodes) * hop) * MICROSECOND for out, hop in hops]
    return [(max(alpha, ring), beta) for (alpha, beta), ring in zip(lines, rings, strict=True)]
