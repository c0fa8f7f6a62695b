"""How training scales: common shapes of build, time and money against GPUs, and the smallest build that is in time.

Efficiency is `engine.training.speed.efficiency_of`: tokens a second and GPU against one imagined GPU of the kind. The floor
of 60 %, and the eight rows of the article that the table is held against, are [efficiency_floor] and [[efficiency]]
of tests/reference/seed_claims.toml.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from engine.decide.plan import Plan, layout_words, plan, resized
from engine.figures.errors import ScenarioError
from engine.figures.units import SECONDS_PER_DAY, TERA
from engine.model.architecture import Architecture, dense_decoder
from engine.money.prices import usd_per_gpu_hour as gpu_hour_price
from engine.parts.hardware import Accelerator, Facts, Link
from engine.scenario import Hardware, Layout, LayoutChoice, Scenario, Sharding, ShardingGroup, Workload
from engine.sizing import ScalingRow
from engine.training.batch import context_ranks, keeps_batch, useful_tokens
from engine.training.speed import (
    OPTIMIZER_STATE_BYTES,
    Constants,
    Kernels,
    Step,
    assemble,
    body,
    efficiency_of,
    goodput,
    kernels,
    rates,
    serial_share,
    single_gpu_tokens_per_s,
    step,
)
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


@lru_cache(maxsize=256)
def _with_sharding(workload: Workload, sharding: Sharding, group: ShardingGroup) -> Workload:
    if workload.sharding == sharding and workload.sharding_group == group:
        return workload
    return replace(workload, sharding=sharding, sharding_group=group)


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
    weight = NF4_BYTES if workload.kind == "qlora" else 2.0
    states = 0.0 if workload.offload != "none" else OPTIMIZER_STATE_BYTES[workload.optimizer]
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


class _Shape(NamedTuple):
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


@lru_cache(maxsize=64)
def _shapes(hardware: Hardware, facts: Facts, heads: int, layers: int) -> tuple[_Shape, ...]:
    found: list[_Shape] = []
    for nodes, per_node in SHAPES:
        fabrics: list[Link] = [hardware.inter_link]
        if (nodes, per_node) == OTHER_FABRICS_SHAPE:
            fabrics += _other_fabrics(facts, hardware.inter_link)
        for inter in fabrics:
            build = Hardware(hardware.accelerator, per_node, nodes, hardware.intra_link, inter, hardware.platform)
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
                    _Shape(nodes, per_node, name, layout, sharding, group, build, other, words, fabric, article)
                )
    return tuple(found)


class _Rated(NamedTuple):
    """A shape with its efficiency, before it is told which shape is better."""

    shape: _Shape
    efficiency: float
    fits: bool


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
    hardware, architecture = scenario.hardware, scenario.model.architecture
    b = body(architecture, workload.sequence_length)
    r = rates(hardware.accelerator, workload.compute_dtype, workload.software)
    tokens = float(workload.micro_batch * workload.sequence_length)
    usable = USABLE_SHARE * hardware.accelerator.memory_bytes
    of_tp: dict[tuple[int, int, int], Kernels] = {}
    alone = single_gpu_tokens_per_s(architecture, hardware, workload)
    rated: list[_Rated] = []
    for shape in _with_own(scenario, layout, _shapes(hardware, scenario.facts, architecture.heads or 64, b.layers)):
        split = shape.layout
        key = (split.tp, context_ranks(workload, split.dp), split.ep)
        known = of_tp.get(key)
        if known is None:
            known = of_tp[key] = kernels(b, r, workload, tokens / key[1], split.tp, split.ep)
        made = assemble(architecture, b, r, known, shape.build, workload, split, (shape.sharding, shape.group))
        fits = state_bytes(made.held, workload, shape.sharding) <= usable
        rated.append(_Rated(shape, efficiency_of(made.tokens_per_s / split.gpus, alone), fits))
    holding = [one for one in rated if one.fits]
    # what a row under the floor is pointed to: shapes over it, else whatever is better
    good = [one for one in holding if one.efficiency >= FLOOR] or holding
    return tuple(_row(one, good) for one in rated)


def _with_own(scenario: Scenario, layout: Layout, shapes: tuple[_Shape, ...]) -> list[_Shape]:
    """The shapes with the build in use as it is: in place of its kind, else behind the others of its size."""
    hardware, workload = scenario.hardware, scenario.workload
    found, at = list(shapes), 0
    own = _Shape(
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


def _row(one: _Rated, good: Sequence[_Rated]) -> ScalingRow:
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
        better=_better(one, good) if below else "",
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


def _better(row: _Rated, good: Sequence[_Rated]) -> str:
    """The better shape of a row under the floor, among `good` ones that hold the training state.

    First another parallelism of the same nodes, then fewer GPUs, then more.
    """
    able = [other for other in good if other.efficiency > row.efficiency]
    if not able:
        return NO_BETTER
    best = max(
        able,
        key=lambda other: (
            other.shape.build is row.shape.build,
            other.shape.layout.gpus <= row.shape.layout.gpus,
            other.efficiency,
        ),
    )
    word = best.shape.words if best.efficiency >= FLOOR else f"at best {best.shape.words}"
    return f"{word}: {best.efficiency:.2f}"


def row_step(scenario: Scenario, row: ScalingRow, in_use: Layout) -> tuple[Step, Layout]:
    """The optimizer step behind a row of the scenario's scaling table, and its layout. in_use: the build's own.

    Raises KeyError for a row of another table.
    """
    hardware, workload, architecture = scenario.hardware, scenario.workload, scenario.model.architecture
    if row.in_use:
        return step(architecture, hardware, workload, in_use), in_use
    per_node = row.gpus // row.nodes
    b = body(architecture, workload.sequence_length)
    plans = {known[0]: known for known in _plans(row.nodes, per_node, architecture.heads or 64, b.layers)}
    _, layout, sharding, group = plans[row.parallelism]
    fabrics = {link.name: link for link in (*_fabric_links(scenario.facts), hardware.inter_link)}
    inter = fabrics.get(row.fabric, hardware.inter_link)
    build = Hardware(hardware.accelerator, per_node, row.nodes, hardware.intra_link, inter, hardware.platform)
    return step(architecture, build, _with_sharding(workload, sharding, group), layout), layout


def _same(one: Layout, other: Layout) -> bool:
    return one.tp == other.tp and one.pp == other.pp and one.dp == other.dp


@lru_cache(maxsize=32)
def _fabric_links(facts: Facts) -> tuple[Link, ...]:
    return tuple(link for link in facts.links if link.id in OTHER_FABRICS)


def _other_fabrics(facts: Facts, in_use: Link) -> list[Link]:
    return [link for link in _fabric_links(facts) if link.id != in_use.id]


# ---------------------------------------------------------------- the article's world


@dataclass(frozen=True, slots=True)
class ArticleWorld:
    """The one set of assumptions under which the article's efficiencies follow, bar one row.

    A 70B decoder, full recomputation, 32 micro-batches of one 2,048-token sequence. executed_tflops: what a GPU
    executes, recomputed products included. overlap_*: share of communication behind compute. Shapes of the mixed rows
    and the sources of each figure: docs/training-speed.md.
    """

    executed_tflops: float = 150.0
    overlap_tp: float = 0.50
    overlap_fsdp: float = 0.85
    micro_batches: int = 32
    sequence_length: int = 2048


ARTICLE_WORLD = ArticleWorld()
ARTICLE_TOLERANCE = 0.04
"""How far, in efficiency, our row of the article's world may lie from the article's."""
ARTICLE_EXCEPTION = ARTICLE_ROWS[5][0]
"""The row that cannot follow from the article's own: it lies above TP 8 in one node, to which a pipeline only adds."""

_SOURCE = "tests/reference seed claims and hardware/interconnects.toml"
_ROOT = Link("pcie5-root", "PCIe Gen5", "intra-node", "pcie", 63.0, source=_SOURCE)
_SWITCH = Link("pcie5-switch", "PCIe Gen5, switched", "intra-node", "pcie", 63.0, source=_SOURCE)
_HDR = Link("ib-hdr", "InfiniBand HDR 200", "inter-node", "infiniband", 25.0, nics_per_node=1, source=_SOURCE)
_NDR = Link("ib-ndr", "InfiniBand NDR 400", "inter-node", "infiniband", 50.0, nics_per_node=1, source=_SOURCE)
_ROCE = Link("roce-100", "RoCE v2, 100 GbE", "inter-node", "roce", 12.5, nics_per_node=1, source=_SOURCE)
_ARTICLE_LAYOUTS: dict[str, tuple[Link, Link, Layout, ShardingGroup]] = {
    ARTICLE_ROWS[0][0]: (_SWITCH, _HDR, Layout(), "all"),
    ARTICLE_ROWS[1][0]: (_ROOT, _HDR, Layout(tp=4), "all"),
    ARTICLE_ROWS[2][0]: (_SWITCH, _HDR, Layout(tp=8), "all"),
    ARTICLE_ROWS[3][0]: (_SWITCH, _HDR, Layout(dp=8), "all"),
    ARTICLE_ROWS[4][0]: (_SWITCH, _HDR, Layout(tp=8), "all"),
    ARTICLE_ROWS[5][0]: (_SWITCH, _HDR, Layout(tp=8, pp=2), "all"),
    ARTICLE_ROWS[6][0]: (_SWITCH, _NDR, Layout(tp=8, pp=2, dp=2), "all"),
    ARTICLE_ROWS[7][0]: (_SWITCH, _ROCE, Layout(dp=16), "node"),
}


@dataclass(frozen=True, slots=True)
class ArticleRow:
    """One row of the article in its own world, with the step that it follows from."""

    row: ScalingRow
    layout: Layout
    step: Step
    tokens_per_s_gpu: float


def article_scaling(world: ArticleWorld = ARTICLE_WORLD) -> tuple[ScalingRow, ...]:
    """Our step model under the article's assumptions, row by row in the article's words."""
    return tuple(entry.row for entry in article_rows(world))


@lru_cache(maxsize=8)
def article_rows(world: ArticleWorld = ARTICLE_WORLD) -> tuple[ArticleRow, ...]:
    """The same with the layout and the step behind each row; the article counts no optimizer in a step."""
    architecture = article_model()
    accelerator = Accelerator(
        id="article-gpu",
        name="96 GB PCIe Gen5 card",
        vendor="NVIDIA",
        architecture="Blackwell GB202",
        segment="datacenter",
        form_factor="PCIe card",
        memory_gb_marketed=96,
        memory_mib_reported=None,
        bandwidth_gb_s=1597.0,
        tflops_bf16_dense=467.8,
        compute_capability="12.0",
        source=_SOURCE,
    )
    b = body(architecture, world.sequence_length)
    own = rates(accelerator, "bf16", "tuned", _article_constants(world))
    # forward, backward (two) and recomputed forward of one token, over what the card executes
    elements = b.projections + b.head
    per_token_s = 4 * (2.0 * elements + b.attention_flops) / (world.executed_tflops * TERA)
    workload = Workload(
        kind="pretrain",
        sequence_length=world.sequence_length,
        micro_batch=1,
        gradient_accumulation=world.micro_batches,
        recompute="full",
        software="tuned",
    )
    rows: list[ArticleRow] = []
    alone = 0.0
    for words, nodes, per_node, name, figure in ARTICLE_ROWS:
        intra, inter, layout, group = _ARTICLE_LAYOUTS[words]
        sharding: Sharding = "zero3" if layout.dp > 1 and layout.tp == 1 else "zero1"
        work = replace(workload, sharding=sharding, sharding_group=group)
        if layout.dp > 1 and layout.pp > 1:
            # the same global batch, split over the replicas
            work = replace(work, gradient_accumulation=world.micro_batches // layout.dp)
        each = Kernels(per_token_s * world.sequence_length / layout.tp, 0.0, 0.0, 3.0)
        build = Hardware(accelerator, per_node, nodes, intra, inter)
        made = assemble(architecture, b, own, each, build, work, layout)
        busy = made.seconds - made.tail_s
        speed = made.tokens / busy / layout.gpus
        alone = alone or speed
        efficiency = speed / alone
        row = ScalingRow(
            configuration=words,
            gpus=layout.gpus,
            parallelism=name,
            fabric=intra.name if nodes == 1 else inter.name,
            efficiency=efficiency,
            source="the article's assumptions",
            below_floor=efficiency < FLOOR,
            article_efficiency=figure,
            nodes=nodes,
        )
        rows.append(ArticleRow(row, layout, made, speed))
    return tuple(rows)


def article_model() -> Architecture:
    """The 70B-class decoder of the article's table: Llama 3's shape."""
    return dense_decoder(
        hidden_size=8192,
        layers=80,
        intermediate_size=28672,
        heads=64,
        kv_heads=8,
        head_dim=128,
        vocab_size=128256,
        model_type="llama",
    )


def _article_constants(world: ArticleWorld) -> Constants:
    from engine.training.speed import FITTED

    values = dict(FITTED.values)
    values["overlap.tp.tuned"] = world.overlap_tp
    values["overlap.dp.tuned"] = world.overlap_fsdp
    return Constants(values, FITTED.intervals)


# ---------------------------------------------------------------- time and money against GPUs


@dataclass(frozen=True, slots=True)
class ScalingPoint:
    """One count of GPUs on the strong-scaling curve: the same run, the same global batch, the fastest layout.

    speedup and efficiency: against one GPU. marginal: speed gained over GPUs added since the point before.
    """

    gpus: int
    nodes: int
    layout: Layout
    days: float
    gpu_hours: float
    cost_usd: float | None
    tokens_per_s_total: float
    speedup: float
    efficiency: float
    marginal: float
    fits: bool


@dataclass(frozen=True, slots=True)
class StrongScaling:
    """Time to finish against GPUs. stops_paying: the last count before added GPUs work below the floor.

    serial_share: Amdahl's, from the largest point. words: one sentence for people.
    """

    points: tuple[ScalingPoint, ...]
    stops_paying: int | None
    serial_share: float
    words: str


DEFAULT_COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


def hourly_usd(scenario: Scenario) -> float | None:
    """What a GPU costs an hour: as entered, else the median on-demand offer of the catalog; None when unknown."""
    return gpu_hour_price(scenario)[0]


def strong_scaling_curve(
    scenario: Scenario, gpus: Sequence[int] = DEFAULT_COUNTS, usd_per_gpu_hour: float | None = None
) -> StrongScaling:
    """Time and cost of the scenario's run on each count of its GPUs, in nodes of the scenario's size.

    The global batch stays: more replicas than the batch has sequences do nothing. usd_per_gpu_hour: None takes what
    `hourly_usd` knows. Raises ScenarioError for an inference workload or a count that nodes cannot make.
    """
    _only_training(scenario)
    price = hourly_usd(scenario) if usd_per_gpu_hour is None else usd_per_gpu_hour
    points: list[ScalingPoint] = []
    base = _fastest(scenario, 1)
    for count in sorted(set(gpus)):
        speed, layout, fits = base if count == 1 else _fastest(scenario, count)
        hardware = _build_of(scenario.hardware, count)
        keep = goodput(hardware, body(scenario.model.architecture, scenario.workload.sequence_length).parameters)
        days = scenario.workload.run_tokens / speed / keep / SECONDS_PER_DAY
        hours = days * 24 * count
        before = points[-1] if points else None
        gained = speed / before.tokens_per_s_total if before else 1.0
        marginal = (gained - 1) / (count / before.gpus - 1) if before else 1.0
        points.append(
            ScalingPoint(
                gpus=count,
                nodes=hardware.nodes,
                layout=layout,
                days=days,
                gpu_hours=hours,
                cost_usd=None if price is None else hours * price,
                tokens_per_s_total=speed,
                speedup=speed / base[0],
                efficiency=efficiency_of(speed / count, base[0]),
                marginal=marginal,
                fits=fits,
            )
        )
    fitting = [point for point in points if point.fits]
    stops: int | None = None
    for before, after in pairwise(fitting):
        if after.marginal < FLOOR:
            stops = before.gpus
            break
    last = points[-1]
    share = serial_share(last.efficiency, last.gpus)
    if not fitting:
        words = "No count of these GPUs holds the training state."
    elif stops is None:
        words = f"Adding GPUs pays up to {last.gpus}: each still does {100 * last.efficiency:.0f} % of one alone."
    else:
        words = f"Beyond {stops} GPUs an added GPU does less than {100 * FLOOR:.0f} % of its work."
    return StrongScaling(tuple(points), stops, share, words)


def _only_training(scenario: Scenario) -> None:
    if scenario.workload.is_inference:
        raise ScenarioError("workload.kind", "has no training run to scale", "lora, qlora, full-finetune, pretrain")


def _build_of(hardware: Hardware, count: int) -> Hardware:
    """Hardware of `count` of the same GPUs in nodes of the same size. Raises ScenarioError when they do not divide."""
    per_node = min(count, max(hardware.gpus_per_node, 1))
    if count % per_node:
        lower = count - count % per_node
        raise ScenarioError("gpus", f"{count} GPUs do not fill nodes of {per_node}", f"multiples of {per_node}", lower)
    return replace(hardware, gpus_per_node=per_node, nodes=count // per_node)


def planned_at(scenario: Scenario, count: int) -> Plan:
    """The run on `count` of its GPUs, in nodes of the same size, in the layout that the curve has it in.

    Raises ScenarioError for a count that nodes cannot make.
    """
    return plan(_at(scenario, count))


def _at(scenario: Scenario, count: int) -> Scenario:
    """The run on `count` of its GPUs, the layout left to choose but for the entered count."""
    hardware = _build_of(scenario.hardware, count)
    choice = scenario.layout if hardware == scenario.hardware else LayoutChoice()
    return replace(scenario, hardware=hardware, layout=choice)


def _fastest(scenario: Scenario, count: int) -> tuple[float, Layout, bool]:
    """Useful tokens/s, layout and whether it fits, on `count` GPUs as planned: of a batch that is outgrown, the asked."""
    planned = planned_at(scenario, count)
    layout, run = planned.layout, planned.training
    if run is None:
        raise ScenarioError("workload.kind", "has no training run to scale")
    if keeps_batch(scenario.workload, layout.dp):
        return run.tokens_per_s_total, layout, planned.memory.fits
    return useful_tokens(scenario.workload, run.step_tokens) / run.step_s, layout, planned.memory.fits


@dataclass(frozen=True, slots=True)
class RunOption:
    """One way to do the run: so many GPUs for so long at an hourly price."""

    gpus: int
    days: float
    usd_per_gpu_hour: float
    cost_usd: float
    fits: bool


@dataclass(frozen=True, slots=True)
class LongOrShort:
    """A long run on one GPU against a short one on several. premium: how many times more the short one costs."""

    one: RunOption
    many: RunOption
    times_faster: float
    premium: float
    usd_per_day_saved: float
    words: str


def long_or_short(
    scenario: Scenario, gpus: int, usd_per_gpu_hour_one: float, usd_per_gpu_hour_many: float
) -> LongOrShort:
    """The single-GPU long run against the multi-GPU short run, each at its own hourly price per GPU.

    Raises ScenarioError for inference, or a count of GPUs that nodes cannot make.
    """
    curve = strong_scaling_curve(scenario, (1, gpus), 1.0).points
    one, many = (
        RunOption(point.gpus, point.days, price, point.gpu_hours * price, point.fits)
        for point, price in zip((curve[0], curve[-1]), (usd_per_gpu_hour_one, usd_per_gpu_hour_many), strict=True)
    )
    faster = one.days / many.days
    premium = many.cost_usd / one.cost_usd if one.cost_usd else float("inf")
    saved = one.days - many.days
    each = (many.cost_usd - one.cost_usd) / saved if saved > 0 else 0.0
    words = f"{gpus} GPUs finish in {_span(many.days)} instead of {_span(one.days)}, {faster:.1f} times faster, "
    if each > 0:
        words += f"for {premium:.2f} times the money: {each:,.0f} USD for each day saved."
    else:
        words += f"for {premium:.2f} times the money: they also save {one.cost_usd - many.cost_usd:,.0f} USD."
    if not one.fits:
        words += " One GPU would not hold the training state."
    return LongOrShort(one, many, faster, premium, each, words)


@dataclass(frozen=True, slots=True)
class SmallestBuild:
    """The smallest build that meets the deadline and the budget, or why there is none.

    plan: that build sized; None when nothing meets both. days, cost_usd: of it, or of the closest.
    """

    found: bool
    plan: Plan | None
    gpus: int
    nodes: int
    days: float
    cost_usd: float | None
    words: str


BUILD_COUNTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
"""Node counts that the search tries once a single node is not enough."""


def smallest_build(
    scenario: Scenario,
    deadline_days: float | None = None,
    budget_usd: float | None = None,
    usd_per_gpu_hour: float | None = None,
    max_gpus: int = 1024,
) -> SmallestBuild:
    """The fewest GPUs of the scenario's kind that finish the run in time and within the budget, or a clear no.

    deadline_days, budget_usd: None takes the workload's own. Each count is planned in full: layout chosen, memory
    checked. Raises ScenarioError for inference, or when there is neither a deadline nor a budget.
    """
    _only_training(scenario)
    workload = scenario.workload
    deadline = workload.deadline_days if deadline_days is None else deadline_days
    budget = workload.budget_usd if budget_usd is None else budget_usd
    if deadline is None and budget is None:
        raise ScenarioError("workload.deadline_days", "is needed to look for the smallest build", "days above 0")
    price = hourly_usd(scenario) if usd_per_gpu_hour is None else usd_per_gpu_hour
    if budget is not None and price is None:
        raise ScenarioError(
            "money.usd_per_gpu_hour", "is needed to hold a budget: nobody in the catalog rents this GPU"
        )
    in_time: tuple[float, float | None, Plan] | None = None
    affordable: tuple[float, float | None, Plan] | None = None
    held = False
    for per_node, nodes in _counts(scenario.hardware.gpus_per_node, max_gpus):
        made = plan(resized(scenario, per_node, nodes))
        if made.training is None or not made.memory.fits:
            continue
        held = True
        days = made.training.days
        cost = None if price is None else made.training.gpu_hours * price
        timely = deadline is None or days <= deadline
        payable = budget is None or (cost is not None and cost <= budget)
        if timely and payable:
            count = per_node * nodes
            words = f"{_count(per_node, nodes)}: {_span(days)}"
            words += "" if cost is None else f", {cost:,.0f} USD"
            return SmallestBuild(True, made, count, nodes, days, cost, words)
        if timely and in_time is None:
            in_time = (days, cost, made)
        if payable and (affordable is None or days < affordable[0]):
            affordable = (days, cost, made)
    return _refusal(held, deadline, budget, in_time, affordable, max_gpus)


def _counts(per_node: int, max_gpus: int) -> list[tuple[int, int]]:
    inside = [(count, 1) for count in (1, 2, 4, 8, 16, 32, 64) if count <= per_node]
    if (per_node, 1) not in inside:
        inside.append((per_node, 1))
    return inside + [(per_node, nodes) for nodes in BUILD_COUNTS[1:] if per_node * nodes <= max_gpus]


def _span(days: float) -> str:
    """A length of time in words, in the unit that people use for it."""
    if days >= 1:
        return f"{days:,.1f} days"
    return f"{days * 24:,.1f} hours" if days >= 1 / 12 else f"{days * 24 * 60:,.1f} minutes"


def _count(per_node: int, nodes: int) -> str:
    if nodes > 1:
        return f"{nodes} nodes of {per_node} GPUs"
    return f"{per_node} GPUs" if per_node > 1 else "1 GPU"


def _refusal(
    held: bool,
    deadline: float | None,
    budget: float | None,
    in_time: tuple[float, float | None, Plan] | None,
    affordable: tuple[float, float | None, Plan] | None,
    max_gpus: int,
) -> SmallestBuild:
    if not held:
        words = f"No: up to {max_gpus:,} of these GPUs, none holds the training state."
        return SmallestBuild(False, None, 0, 0, float("inf"), None, words)
    if in_time is not None and in_time[1] is not None and budget is not None:
        days, cost, made = in_time
        hardware = made.scenario.hardware
        words = (
            f"No: in time is {_count(hardware.gpus_per_node, hardware.nodes)} at the least ({_span(days)}), which "
            f"costs {in_time[1]:,.0f} USD, over the {budget:,.0f}."
        )
        if affordable is not None:
            words += f" Within the budget the fastest takes {_span(affordable[0])}."
        return SmallestBuild(False, made, hardware.gpus, hardware.nodes, days, cost, words)
    if affordable is not None:
        days, cost, made = affordable
        hardware = made.scenario.hardware
        words = (
            f"No: not even {_count(hardware.gpus_per_node, hardware.nodes)} finish in {_span(deadline or 0.0)}; the fastest "
            f"takes {_span(days)}."
        )
        return SmallestBuild(False, made, hardware.gpus, hardware.nodes, days, cost, words)
    words = f"No: no build up to {max_gpus:,} GPUs is in time or within the budget."
    return SmallestBuild(False, None, 0, 0, float("inf"), None, words)
