"""How serving scales: tokens a second and GPU on common shapes of build, by TP and by replicas.

A training step is held against one GPU that is imagined to hold everything; serving cannot be, since memory decides how
many users run at once. So each shape is held against the best of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from engine.decide.layouts import layout_words
from engine.decide.plan import Plan, plan, resized
from engine.figures.errors import ScenarioError
from engine.figures.records import dataclass
from engine.scenario import Layout, LayoutChoice, Scenario
from engine.sizing import ScalingRow

NODE_SHAPES = (1, 2, 4, 8)
"""GPUs in one node; the person's own count joins them."""
WIDTHS = (1, 2, 4, 8, 16, 32)
"""Widths of TP that are tried on each shape, as far as its GPUs go."""


@dataclass(frozen=True, slots=True)
class ServingShape:
    """One shape of build in one layout.

    best_*: the best load inside the person's targets, as in `Serving`; 0 where the model does not fit or one user
    already misses them. asked_*: under the asked load. in_use: the person's own GPUs and layout.
    """

    gpus: int
    nodes: int
    layout: Layout
    fits: bool
    best_tokens_per_s_total: float
    best_concurrency: int
    asked_tokens_per_s_total: float
    asked_tokens_per_s_user: float
    in_use: bool

    @property
    def tokens_per_s_gpu(self) -> float:
        """Output tokens a second and GPU under the best load."""
        return self.best_tokens_per_s_total / self.gpus

    @property
    def per_node(self) -> int:
        """GPUs in a node."""
        return self.gpus // self.nodes

    @property
    def words(self) -> str:
        """The layout in short, as reasons name it."""
        return layout_words(self.layout)


def serving_scaling(scenario: Scenario, layout: Layout) -> Iterator[ServingShape]:
    """The shapes one after another: one node of 1, 2, 4, 8 GPUs and two of the largest, each at every width of TP.

    layout: the one in use. Each is planned in full, a few milliseconds. Raises ScenarioError for training.
    """
    if not scenario.workload.is_inference:
        raise ScenarioError("workload.kind", "is training: engine.decide.scaling holds its table", "serve, batch")
    hardware = scenario.hardware
    inside = sorted({*NODE_SHAPES, hardware.gpus_per_node})
    inside = [count for count in inside if count <= max(8, hardware.gpus_per_node)]
    shapes = [(1, count) for count in inside] + sorted({(2, inside[-1]), (hardware.nodes, hardware.gpus_per_node)})
    seen: set[tuple[int, int]] = set()
    for nodes, per_node in shapes:
        if (nodes, per_node) in seen:
            continue
        seen.add((nodes, per_node))
        own = (nodes, per_node) == (hardware.nodes, hardware.gpus_per_node)
        layouts: list[Layout] = []
        for choice in _choices(nodes * per_node, layout if own else None):
            made = _planned(scenario, per_node, nodes, choice)
            if made is None or any(_same(made.layout, other) for other in layouts):
                continue
            layouts.append(made.layout)
            yield _shape(made, nodes, nodes * per_node, own and _same(made.layout, layout))


@lru_cache(maxsize=64)
def serving_rows(scenario: Scenario, layout: Layout) -> tuple[ScalingRow, ...]:
    """The rows of `serving_scaling`, in the shape of those of training: see `ScalingRow`.

    layout: the one in use. Raises ScenarioError for training.
    """
    shapes = tuple(serving_scaling(scenario, layout))
    best = best_shape(shapes)
    ordered = sorted(shapes, key=lambda one: (one.nodes, one.gpus, one.layout.tp, one.layout.pp))
    return tuple(_row(scenario, shape, best) for shape in ordered)


def _row(scenario: Scenario, shape: ServingShape, best: ServingShape | None) -> ScalingRow:
    size = f"{shape.nodes}x{shape.per_node} GPU" if shape.nodes > 1 else f"{shape.gpus} GPU"
    return ScalingRow(
        configuration=f"{size}, {shape.words}",
        gpus=shape.gpus,
        parallelism=shape.words,
        fabric=fabric_of(scenario, shape),
        efficiency=share_of(shape, best) if best is not None else 0.0,
        source="fitted",
        fits=shape.fits,
        nodes=shape.nodes,
        in_use=shape.in_use,
        tokens_per_s_gpu=shape.tokens_per_s_gpu,
        tokens_per_s_total=shape.best_tokens_per_s_total,
        users=shape.best_concurrency,
    )


def fabric_of(scenario: Scenario, shape: ServingShape) -> str:
    """The name of the slowest kind of link that a shape has; empty for one GPU."""
    hardware = scenario.hardware
    return hardware.inter_link.name if shape.nodes > 1 else hardware.intra_link.name if shape.gpus > 1 else ""


def best_shape(shapes: Sequence[ServingShape]) -> ServingShape | None:
    """The shape with most tokens a second and GPU, the smallest of equals; None where none serves inside the targets."""
    able = [shape for shape in shapes if shape.best_concurrency]
    return max(able, key=lambda shape: (round(shape.tokens_per_s_gpu), -shape.gpus), default=None)


def widest_shape(shapes: Sequence[ServingShape]) -> ServingShape | None:
    """Of the shapes that serve inside the targets the one of the widest TP on the most GPUs."""
    able = [shape for shape in shapes if shape.best_concurrency]
    return max(able, key=lambda shape: (shape.layout.tp, shape.gpus), default=None)


def share_of(shape: ServingShape, best: ServingShape) -> float:
    """Tokens a second and GPU of a shape against those of another."""
    return shape.tokens_per_s_gpu / best.tokens_per_s_gpu


def _choices(gpus: int, in_use: Layout | None) -> list[LayoutChoice]:
    choices = [LayoutChoice(tp=width) for width in WIDTHS if width <= gpus]
    if in_use is not None:
        own = LayoutChoice(in_use.tp, in_use.pp, in_use.dp, in_use.ep, in_use.dp_attention or None)
        choices.insert(0, own)
    return choices


def shape_plan(scenario: Scenario, nodes: int, per_node: int, tp: int) -> Plan | None:
    """The plan behind a shape that is not in use; None where this width of TP does not divide the model."""
    return _planned(scenario, per_node, nodes, LayoutChoice(tp=tp))


def _planned(scenario: Scenario, per_node: int, nodes: int, choice: LayoutChoice) -> Plan | None:
    try:
        return plan(replace(resized(scenario, per_node, nodes), layout=choice))
    except ScenarioError:  # this width does not divide the model
        return None


def _same(one: Layout, other: Layout) -> bool:
    return (one.tp, one.pp, one.dp, one.ep, one.dp_attention) == (
        other.tp,
        other.pp,
        other.dp,
        other.ep,
        other.dp_attention,
    )


def _shape(made: Plan, nodes: int, gpus: int, in_use: bool) -> ServingShape:
    serving, fits = made.serving, made.memory.starts
    best = fits and serving is not None
    return ServingShape(
        gpus=gpus,
        nodes=nodes,
        layout=made.layout,
        fits=fits,
        best_tokens_per_s_total=serving.best_tokens_per_s_total if best and serving is not None else 0.0,
        best_concurrency=serving.best_concurrency if best and serving is not None else 0,
        asked_tokens_per_s_total=serving.tokens_per_s_total if best and serving is not None else 0.0,
        asked_tokens_per_s_user=serving.tokens_per_s_user if best and serving is not None else 0.0,
        in_use=in_use,
    )
