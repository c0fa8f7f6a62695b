"""A batch's corpus on other counts of its GPUs, on numbers that remember: days, GPU-hours, rent, the smallest build in time."""

from __future__ import annotations

from typing import Any, Final

from engine.decide.corpus import CorpusCurve, CorpusPoint, corpus_curve, corpus_plan, point_of
from engine.decide.opened.base import REPLAY, Base, Found
from engine.scenario import leaves

SOURCE: Final = "nodes that hold the model work alone, each on its part of the corpus: docs/serving-speed.md"
COUNT: Final = "a count of GPUs that was tried"
FEWEST: Final = "the fewest that keep the date, the budget and every other target"
SMALLEST: Final = "smallest"
FIELDS: Final[dict[str, tuple[str, str]]] = {
    "gpus": ("GPUs of {}", "GPUs"),
    "days": ("The corpus on {}", "days"),
    "gpu_hours": ("GPU-hours of the corpus on {}", "GPU-hours"),
    "usd": ("Rent for the corpus on {}", "USD"),
}
"""(title, unit) by the field of a point."""


def _curve(build: Base) -> CorpusCurve:
    if build.plan.scenario.workload.corpus_tokens is None:
        raise KeyError("corpus")
    return build.keep("corpus", lambda: corpus_curve(build.plan.scenario))


def _named(build: Base, name: str) -> CorpusPoint:
    """The point of that count of GPUs, or the smallest in time. Raises KeyError."""
    curve = _curve(build)
    if name == SMALLEST and curve.smallest is not None:
        return curve.smallest
    for point in curve.points:
        if str(point.gpus) == name:
            return point
    raise KeyError(f"corpus.{name}")


def _point(build: Base, which: str) -> Any:
    point = _named(build, which)
    plan = corpus_plan(build.plan.scenario, point.gpus)
    if plan is None:
        raise KeyError(f"corpus.{which}")
    source = FEWEST if which == SMALLEST else COUNT
    alone = point.replicas and point.nodes > 1
    other = build.other(plan, COUNT)
    hardware = leaves.counted(REPLAY.copied, build.scenario.hardware, point.nodes, point.gpus_per_node, source)
    return build.run(point_of, build.scenario, hardware.gpus_per_node, hardware.nodes, other.speed.days, alone)


def found(build: Base, name: str) -> Found:
    """`corpus.GPUS.FIELD` or `corpus.smallest.FIELD`. Raises KeyError."""
    which, _, field = name.partition(".")
    title, unit = FIELDS[field]
    point = build.keep(f"corpus.{which}", lambda: _point(build, which))
    why = "nobody in the catalog rents this GPU, and no price is entered"
    return Found(getattr(point, field), title.format(_named(build, which).build), unit, SOURCE, why=why)


def figures(build: Base) -> list[str]:
    """The ids of all figures of a corpus against GPUs; none without a corpus."""
    if build.plan.scenario.workload.corpus_tokens is None:
        return []
    curve = _curve(build)
    names = [str(point.gpus) for point in curve.points] + ([SMALLEST] if curve.smallest is not None else [])
    return [f"corpus.{name}.{field}" for name in names for field in FIELDS]
