"""Workings of a batch's corpus on other counts of its GPUs: days, GPU-hours, rent, and the smallest build in time."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from engine.decide.corpus import CorpusCurve, CorpusPoint, corpus_curve
from engine.figures.units import HOURS_PER_DAY
from engine.scenario import Scenario
from engine.workings.case import Case
from engine.workings.price import put_hourly
from engine.workings.record import Sheet, Working, unknown

SOURCE = "engine.decide.corpus: nodes that hold the model work alone, each on its part of the corpus"
SMALLEST = "smallest"


@lru_cache(maxsize=16)
def _curve(scenario: Scenario) -> CorpusCurve:
    return corpus_curve(scenario)


def _found(case: Case) -> CorpusCurve:
    if case.scenario.workload.corpus_tokens is None:
        raise KeyError("corpus")
    return _curve(case.scenario)


def _point(case: Case, name: str) -> CorpusPoint:
    """The point of that count of GPUs, or the smallest in time. Raises KeyError."""
    found = _found(case)
    if name == SMALLEST and found.smallest is not None:
        return found.smallest
    for point in found.points:
        if str(point.gpus) == name:
            return point
    raise KeyError(f"corpus.{name}")


def _days(name: str, point: CorpusPoint) -> Working:
    sheet, title = Sheet(), f"The corpus on {point.build}"
    alone = point.replicas and point.nodes > 1
    node = point.days * point.nodes if alone else point.days
    planned = f"if.gpus.{point.gpus_per_node if alone else point.gpus}.serving.days"
    days = sheet.see("days_of_node" if alone else "days", node, "days", planned)
    if not alone:
        return sheet.working(f"corpus.{name}.days", title, point.days, "days", "as planned", days, "fitted", SOURCE)
    nodes = sheet.put("nodes", point.nodes, "nodes", "of this point")
    what = "days of one node alone / nodes, each with an equal part"
    return sheet.working(f"corpus.{name}.days", title, point.days, "days", what, f"{days} / {nodes}", "fitted", SOURCE)


def _gpu_hours(name: str, point: CorpusPoint) -> Working:
    sheet = Sheet()
    days = sheet.see("days", point.days, "days", f"corpus.{name}.days")
    hours = sheet.put("hours_a_day", HOURS_PER_DAY, "h", "by definition")
    gpus = sheet.put("gpus", point.gpus, "GPUs", "of this point")
    return sheet.working(
        f"corpus.{name}.gpu_hours",
        f"GPU-hours of the corpus on {point.build}",
        point.gpu_hours,
        "GPU-hours",
        "days x 24 x GPUs",
        f"{days} * {hours} * {gpus}",
        "fitted",
        SOURCE,
    )


def _usd(case: Case, name: str, point: CorpusPoint) -> Working:
    sheet, figure, title = Sheet(), f"corpus.{name}.usd", f"Rent for the corpus on {point.build}"
    if point.usd is None:
        return unknown(figure, title, "USD", "nobody in the catalog rents this GPU, and no price is entered")
    hours = sheet.see("gpu_hours", point.gpu_hours, "GPU-hours", f"corpus.{name}.gpu_hours")
    expression = f"{hours} * {put_hourly(case, sheet)}"
    return sheet.working(figure, title, point.usd, "USD", "GPU-hours x price of one", expression, "fitted", SOURCE)


def _gpus(case: Case, name: str, point: CorpusPoint) -> Working:
    sheet = Sheet()
    what = "the fewest that keep the date, the budget and every other target" if name == SMALLEST else "of this point"
    each = sheet.put("gpus_per_node", point.gpus_per_node, "GPUs", "of a node")
    nodes = sheet.put("nodes", point.nodes, "nodes", f"{what}: {SOURCE}")
    title = f"GPUs of {point.build}"
    return sheet.working(f"corpus.{name}.gpus", title, point.gpus, "GPUs", what, f"{nodes} * {each}", "fitted", SOURCE)


_FIELDS: dict[str, Callable[[Case, str, CorpusPoint], Working]] = {
    "gpus": _gpus,
    "days": lambda _, name, point: _days(name, point),
    "gpu_hours": lambda _, name, point: _gpu_hours(name, point),
    "usd": _usd,
}


def corpus(case: Case, name: str) -> Working:
    """The working of `corpus.GPUS.FIELD` or `corpus.smallest.FIELD`. Raises KeyError."""
    which, _, field = name.partition(".")
    return _FIELDS[field](case, which, _point(case, which))


def figures(case: Case) -> list[str]:
    """The ids of all figures of a corpus against GPUs; none without a corpus."""
    if case.scenario.workload.corpus_tokens is None:
        return []
    found = _found(case)
    names = [str(point.gpus) for point in found.points] + ([SMALLEST] if found.smallest is not None else [])
    return [f"corpus.{name}.{field}" for name in names for field in _FIELDS]


__all__ = ["corpus", "figures"]
