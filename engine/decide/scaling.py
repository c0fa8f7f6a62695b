"""How training scales over shapes of build: the per-GPU efficiency of each, and which is better.

Efficiency is `engine.training.speed.efficiency_of`: tokens a second and GPU against one imagined GPU of the kind. The floor
of 60 %, and the article's eight figures that stand beside the table, are [efficiency_floor] and [[efficiency]] of
tests/reference/seed_claims.toml.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from engine.decide.layouts import layout_words
from engine.figures.records import NamedTuple
from engine.figures.sentences import Figure, Sentence
from engine.parts.hardware import Facts, Link
from engine.runtimes.frameworks import Sharding
from engine.scenario import Hardware, Layout, Scenario, ShardingGroup, Workload
from engine.scenario.frameworks import software_of
from engine.sizing import ScalingRow
from engine.training.batch import context_ranks
from engine.training.body import Body, body
from engine.training.kernels import Kernels, kernels
from engine.training.memory.recipe import kept_bytes
from engine.training.rates import Rates, rates
from engine.training.speed import efficiency_of, single_gpu_tokens_per_s
from engine.training.step import assemble
from engine.training.traffic import NF4_BYTES, Held

FLOOR = 0.60
"""Below this per-GPU efficiency a build has the wrong shape."""

SHAPES = ((1, 1), (1, 4), (1, 8), (2, 4), (2, 8), (4, 8))
"""(nodes, GPUs a node) of the table, as the article lists them."""

OTHER_FABRICS = ("ib-ndr", "roce-100")
"""Fabrics that the two-node shape is also shown on: the fast one and the cheap one of the article."""
OTHER_FABRICS_SHAPE = (2, 8)
OTHER_FABRICS_PLANS = ("TP across nodes", "TP inside, PP across", "FSDP", "hybrid FSDP")
"""On those fabrics: what sends most across, and least."""

USABLE_SHARE = 0.92
"""Share of a card that weights, gradients and optimizer states may fill; the rest is context and activations."""

ARTICLE_ROWS: tuple[tuple[str, int, int, str, float], ...] = (
    ("1 GPU", 1, 1, "one GPU", 1.00),
    ("4 GPU, one node, PCIe Gen5, TP", 1, 4, "TP", 0.82),
    ("8 GPU, one node, PCIe Gen5 switched, TP", 1, 8, "TP", 0.73),
    ("8 GPU, one node, FSDP / data parallel", 1, 8, "FSDP", 0.88),
    ("2 nodes x 4 GPU, 200 Gb/s IB, cross-node TP", 2, 4, "TP across nodes", 0.65),
    ("2 nodes x 8 GPU, 200 Gb/s IB, TP inside, PP across", 2, 8, "TP inside, PP across", 0.74),
    ("4 nodes x 8 GPU, 400 Gb/s NDR, mixed TP/PP/DP", 4, 8, "TP, PP and DP", 0.62),
    ("2 nodes x 8 GPU, 100 GbE RoCE, data parallel only", 2, 8, "hybrid FSDP", 0.84),
)
"""The article's table: its words, nodes, GPUs a node, our name of the parallelism, its per-GPU efficiency."""

_ARTICLE = {(nodes, per_node, name): figure for _, nodes, per_node, name, figure in ARTICLE_ROWS}


@lru_cache(maxsize=512)
def _plans(
    nodes: int, per_node: int, heads: int, layers: int
) -> tuple[tuple[str, Layout, Sharding, ShardingGroup], ...]:
    """The parallelisms that a shape allows: name, layout, sharding and how far it reaches."""
    gpus = nodes * per_node
    if gpus == 1:
        return (("one GPU", Layout(), "ddp", "all"),)
    inside = heads % per_node == 0
    found: list[tuple[str, Layout, Sharding, ShardingGroup]] = []
    if nodes == 1:
        if inside:
            found.append(("TP", Layout(tp=per_node), "ddp", "all"))
        found.append(("FSDP", Layout(dp=gpus), "zero3", "all"))
        found.append(("DDP", Layout(dp=gpus), "ddp", "all"))
        return tuple(found)
    if heads % gpus == 0 and gpus <= 16:
        found.append(("TP across nodes", Layout(tp=gpus), "ddp", "all"))
    if inside:
        if layers >= nodes:
            found.append(("TP inside, PP across", Layout(tp=per_node, pp=nodes), "ddp", "all"))
        if nodes > 2 and nodes % 2 == 0 and layers >= 2:
            found.append(("TP, PP and DP", Layout(tp=per_node, pp=2, dp=nodes // 2), "zero1", "all"))
        found.append(("TP inside, DP across", Layout(tp=per_node, dp=nodes), "zero1", "all"))
    found.append(("FSDP", Layout(dp=gpus), "zero3", "all"))
    found.append(("hybrid FSDP", Layout(dp=gpus), "zero3", "node"))
    found.append(("DDP", Layout(dp=gpus), "ddp", "all"))
    return tuple(found)


def state_bytes(held: Held, workload: Workload, sharding: Sharding) -> float:
    """Weights, gradients and optimizer states on one GPU, bytes: what no recomputation can shrink.

    2 bytes each for weights and gradients, 12 for AdamW's fp32 copy and moments (Rajbhandari et al. 2019, section
    3.1); adapters train only their own parameters.
    """
    weight = NF4_BYTES if workload.trains == "qlora" else 2.0
    states = 0.0 if workload.offload != "none" else kept_bytes(workload)
    total = 0.0
    for weights, trained, ranks in (
        (held.shared, held.trained, held.group),
        (held.experts, held.trained_experts, held.copies),
    ):
        total += trained * states / (1 if sharding == "ddp" else ranks)
        total += trained * 2.0 / (ranks if sharding in ("zero2", "zero3") else 1)
        if sharding != "zero3":
            total += weights * weight
        elif workload.offload != "parameters":
            total += weights * weight / ranks
    return total


class Shape(NamedTuple):
    """One shape of the table in words and in numbers, before anything is timed.

    build: its hardware. article: the efficiency that the article gives it. in_use: the entered build as it is.
    """

    nodes: int
    per_node: int
    name: str
    layout: Layout
    sharding: Sharding
    group: ShardingGroup
    build: Hardware
    other_fabric: bool
    words: str
    fabric: str
    article: float | None
    in_use: bool = False


def _size_words(nodes: int, per_node: int) -> str:
    return f"{nodes} nodes x {per_node} GPU" if nodes > 1 else f"{per_node} GPU"


@lru_cache(maxsize=16)
def _shapes(hardware: Hardware, facts: Facts, heads: int, layers: int) -> tuple[Shape, ...]:
    found: list[Shape] = []
    for nodes, per_node in SHAPES:
        fabrics: list[Link] = [hardware.inter_link]
        if (nodes, per_node) == OTHER_FABRICS_SHAPE:
            fabrics += _other_fabrics(facts, hardware.inter_link)
        for inter in fabrics:
            links = hardware.intra_link, inter, hardware.platform
            limit = hardware.power_limit_w
            build = Hardware(hardware.accelerator, per_node, nodes, *links, power_limit_w=limit)
            other = inter is not hardware.inter_link
            for name, layout, sharding, group in _plans(nodes, per_node, heads, layers):
                if other and name not in OTHER_FABRICS_PLANS:
                    continue
                words, fabric = "1 GPU", ""
                if layout.gpus > 1:
                    words = f"{_size_words(nodes, per_node)}, {name}{f', {inter.name}' if other else ''}"
                    fabric = hardware.intra_link.name if nodes == 1 else inter.name
                article = _ARTICLE.get((nodes, per_node, name))
                found.append(
                    Shape(nodes, per_node, name, layout, sharding, group, build, other, words, fabric, article)
                )
    return tuple(found)


class Rated(NamedTuple):
    """A shape with its efficiency, before it is told which shape is better."""

    shape: Shape
    efficiency: float
    fits: bool


class Common(NamedTuple):
    """What the rows of a table share: sums of the model, rates of the card, the tokens of a micro-batch, what a card holds of
    states, and the speed of one GPU alone."""

    body: Body
    rates: Rates
    tokens: float
    usable: float
    alone: float


def common_of(scenario: Scenario) -> Common:
    """What the rows of a scenario's table share."""
    hardware, workload, architecture = scenario.hardware, scenario.workload, scenario.model.architecture
    return Common(
        body(architecture, workload.sequence_length),
        rates(hardware.working, workload.compute_dtype, software_of(workload)),
        float(workload.micro_tokens),
        USABLE_SHARE * hardware.accelerator.memory_bytes,
        single_gpu_tokens_per_s(architecture, hardware, workload),
    )


def shapes_of(scenario: Scenario, layout: Layout) -> list[Shape]:
    """The shapes of a scenario's table, the build in use among them."""
    hardware, architecture = scenario.hardware, scenario.model.architecture
    layers = body(architecture, scenario.workload.sequence_length).layers
    return _with_own(scenario, layout, _shapes(hardware, scenario.facts, architecture.heads or 64, layers))


def rate(scenario: Scenario, common: Common, shape: Shape, of_tp: dict[tuple[int, int, int], Kernels]) -> Rated:
    """The efficiency of the run on one shape. of_tp: kernels of the shapes before it, by how they split a layer."""
    workload, split = scenario.workload, shape.layout
    key = (split.tp, context_ranks(workload, split.dp), split.ep)
    known = of_tp.get(key)
    if known is None:
        known = of_tp[key] = kernels(common.body, common.rates, workload, common.tokens / key[1], split.tp, split.ep)
    architecture, how = scenario.model.architecture, (shape.sharding, shape.group)
    made = assemble(architecture, common.body, common.rates, known, shape.build, workload, split, how)
    fits = state_bytes(made.held, workload, shape.sharding) <= common.usable
    return Rated(shape, efficiency_of(made.tokens_per_s / split.gpus, common.alone), fits)


def scaling_table(scenario: Scenario, layout: Layout) -> tuple[ScalingRow, ...]:
    """Per-GPU efficiency of the common shapes of build for the person's model, card, links and batch.

    Every parallelism that a shape allows, over the links in use, and two nodes of eight also over a fast and a cheap
    fabric. The row in use is the entered build in its layout and sharding, so that its efficiency is the run's own; it
    stands among its kind, or as a row more. Rows under the floor name the better shape; rows whose state alone is over
    the card say so. Empty for inference: the table is about a training step.
    """
    workload = scenario.workload
    if workload.is_inference:
        return ()
    common, of_tp = common_of(scenario), dict[tuple[int, int, int], Kernels]()
    rated = [rate(scenario, common, shape, of_tp) for shape in shapes_of(scenario, layout)]
    holding = [(place, one) for place, one in enumerate(rated) if one.fits]
    # what a row under the floor is pointed to: shapes over it, else whatever is better
    good = [(place, one) for place, one in holding if one.efficiency >= FLOOR] or holding
    return tuple(_row(one, good) for one in rated)


def _with_own(scenario: Scenario, layout: Layout, shapes: tuple[Shape, ...]) -> list[Shape]:
    """The shapes with the build in use as it is: in place of its kind, else behind the others of its size."""
    hardware, workload = scenario.hardware, scenario.workload
    found, at = list(shapes), 0
    own = Shape(
        nodes=hardware.nodes,
        per_node=hardware.gpus_per_node,
        name=layout_words(layout),
        layout=layout,
        sharding=workload.sharding,
        group=workload.sharding_group,
        build=hardware,
        other_fabric=False,
        words=f"{_size_words(hardware.nodes, hardware.gpus_per_node)}, {layout_words(layout)}",
        fabric=hardware.intra_link.name if hardware.nodes == 1 else hardware.inter_link.name,
        article=None,
        in_use=True,
    )
    for number, shape in enumerate(shapes):
        if (shape.nodes * shape.per_node, shape.nodes) <= (own.nodes * own.per_node, own.nodes):
            at = number + 1
        if shape.other_fabric or (shape.nodes, shape.per_node) != (own.nodes, own.per_node):
            continue
        if _same(shape.layout, layout) and shape.name in _sharded_as(workload, shape.nodes, shape.name):
            named = own._replace(name=shape.name, words=shape.words, fabric=shape.fabric, article=shape.article)
            found[number] = named
            return found
    found.insert(at, own)
    return found


def _row(one: Rated, good: _Placed) -> ScalingRow:
    shape = one.shape
    below = one.efficiency < FLOOR
    return ScalingRow(
        configuration=shape.words,
        gpus=shape.layout.gpus,
        parallelism=shape.name,
        fabric=shape.fabric,
        efficiency=one.efficiency,
        source="fitted",
        below_floor=below,
        better=_better(one, good) if below else (),
        article_efficiency=shape.article,
        fits=one.fits,
        nodes=shape.nodes,
        in_use=shape.in_use,
    )


def _sharded_as(workload: Workload, nodes: int, name: str) -> tuple[str, ...]:
    """The names that a layout may go by: of replicas alone, only that of the workload's own sharding."""
    if name not in ("FSDP", "hybrid FSDP", "DDP"):
        return (name,)
    if workload.sharding != "zero3":
        return ("DDP",)
    return ("hybrid FSDP",) if nodes > 1 and workload.sharding_group == "node" else ("FSDP",)


NO_BETTER = "none of these: faster links, a larger micro-batch or SXM-class hardware"
_Placed = Sequence[tuple[int, Rated]]
"""Shapes with their places in the table, by which their figures open."""


def _better(row: Rated, good: _Placed) -> Sentence:
    """The better shape of a row under the floor, among `good` ones that hold the training state.

    First another parallelism of the same nodes, then fewer GPUs, then more.
    """
    able = [(place, other) for place, other in good if other.efficiency > row.efficiency]
    if not able:
        return (NO_BETTER,)
    place, best = max(
        able,
        key=lambda placed: (
            placed[1].shape.build is row.shape.build,
            placed[1].shape.layout.gpus <= row.shape.layout.gpus,
            placed[1].efficiency,
        ),
    )
    word = best.shape.words if best.efficiency >= FLOOR else f"at best {best.shape.words}"
    return (f"{word}: ", Figure(f"{best.efficiency:.2f}", f"scaling.{place}"))


def _same(one: Layout, other: Layout) -> bool:
    return one.tp == other.tp and one.pp == other.pp and one.dp == other.dp


@lru_cache(maxsize=32)
def _fabric_links(facts: Facts) -> tuple[Link, ...]:
    return tuple(link for link in facts.links if link.id in OTHER_FABRICS)


def _other_fabrics(facts: Facts, in_use: Link) -> list[Link]:
    return [link for link in _fabric_links(facts) if link.id != in_use.id]
