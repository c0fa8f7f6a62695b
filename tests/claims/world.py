"""The article's eight efficiencies from one set of assumptions, by the engine's own step model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import catalog
from engine.decide.scaling import ARTICLE_ROWS, FLOOR
from engine.figures.units import TERA
from engine.model.architecture import Architecture, dense_decoder
from engine.parts.hardware import Accelerator, Link
from engine.runtimes.frameworks import Sharding
from engine.scenario import Hardware, Layout, ShardingGroup, Workload
from engine.sizing import ScalingRow
from engine.training.body import body
from engine.training.kernels import Kernels
from engine.training.rates import Constants, rates
from engine.training.speed import efficiency_of, single_gpu_tokens_per_s
from engine.training.step import Step, assemble, step
from tests.engine.builds import build


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
        framework="nemo",  # all of a layer is computed again, as the rate executed counts it
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


@lru_cache(maxsize=16)
def by_default(configuration: str) -> float:
    """The efficiency of the same shape as the app has it with nothing entered but the build: a full fine-tune of Llama 3.1 70B."""
    _, nodes, per_node, _, _ = next(row for row in ARTICLE_ROWS if row[0] == configuration)
    intra, inter, layout, group = _ARTICLE_LAYOUTS[configuration]
    scenario = build("llama-3.1-70b", "bf16", "rtx-pro-6000-server", per_node, nodes, kind="full-finetune")
    hardware = replace(
        scenario.hardware, intra_link=catalog.load().link(intra.id), inter_link=catalog.load().link(inter.id)
    )
    architecture, workload = scenario.model.architecture, replace(scenario.workload, sharding_group=group)
    made = step(architecture, hardware, workload, layout)
    return efficiency_of(made.tokens_per_s / layout.gpus, single_gpu_tokens_per_s(architecture, hardware, workload))


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
    from engine.training.rates import FITTED

    values = dict(FITTED.values)
    values["spread"] = 0.0  # no GPU of that world is slower than another
    values["overlap.tp.tuned"] = world.overlap_tp
    values["overlap.dp.tuned"] = world.overlap_fsdp
    return Constants(values, FITTED.intervals)
