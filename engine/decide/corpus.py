"""A corpus by its date: time, GPU-hours and rent against the GPUs that do it, and the smallest build that is in time.

Replicas before fabric: a node that holds the model takes a part of the corpus as every other does, so that twice the nodes
take half the time for the same rent. Only a model that no node holds is spread over several.
"""

from __future__ import annotations

import math

from engine.decide.attempts import CLUSTER_NODES, Attempt, attempt
from engine.decide.plan import Plan
from engine.decide.prospects import curve_counts, growing
from engine.decide.training_scaling import hourly_usd
from engine.figures.errors import ScenarioError
from engine.figures.records import NamedTuple, dataclass
from engine.figures.sentences import Figure, Sentence
from engine.figures.units import HOURS_PER_DAY, days, fleet, usd
from engine.money.prices import run_usd
from engine.scenario import Scenario
from engine.scenario.fields import MAX_NODES

MORE_NODES = 3
"""How many nodes past the first guess are tried: replicas take equal parts, and the layout of a node does not change."""


class CorpusPoint(NamedTuple):
    """The corpus on so many GPUs. gpu_hours: of all of them. usd: their rent, None without a price. in_time: whether the
    deadline, where there is one, is met. replicas: whether each node works alone."""

    gpus_per_node: int
    nodes: int
    days: float
    gpu_hours: float
    usd: float | None
    in_time: bool
    replicas: bool

    @property
    def gpus(self) -> int:
        """GPUs over all nodes."""
        return self.gpus_per_node * self.nodes

    @property
    def build(self) -> str:
        """The build in words."""
        if self.nodes > 1:
            return f"{fleet(self.nodes)} nodes of {self.gpus_per_node} GPUs"
        return f"{self.gpus_per_node} GPUs" if self.gpus_per_node > 1 else "1 GPU"


@dataclass(frozen=True, slots=True)
class CorpusCurve:
    """The corpus on other counts of its GPUs.

    points: of the counts that hold the model, the fewest GPUs first. smallest: the fewest GPUs that keep the deadline, the
    budget and every other target; None where none of those tried does. words: that build, or why there is none.
    """

    per_node: int
    points: tuple[CorpusPoint, ...]
    usd_per_gpu_hour: float | None
    smallest: CorpusPoint | None
    words: Sentence


def corpus_curve(scenario: Scenario) -> CorpusCurve:
    """Time and rent of a batch's corpus against GPUs. Raises ScenarioError without a corpus."""
    if scenario.workload.corpus_tokens is None:
        raise ScenarioError("workload.total_tokens", "is needed: the corpus of a batch", "tokens above 0")
    grown = growing(scenario)
    per_node = grown.hardware.gpus_per_node
    points = []
    for gpus in curve_counts(grown.hardware):
        whole = gpus >= per_node
        point = corpus_point(grown, per_node if whole else gpus, gpus // per_node if whole else 1)
        if point is not None:
            points.append(point)
    smallest = _smallest(grown)
    return CorpusCurve(per_node, tuple(points), hourly_usd(grown), smallest, _words(grown, smallest, points))


def corpus_point(scenario: Scenario, gpus_per_node: int, nodes: int) -> CorpusPoint | None:
    """The corpus on nodes of so many GPUs; None where they do not hold the model."""
    found = _planned(scenario, gpus_per_node, nodes)
    alone = nodes > 1 and found.nodes == 1
    length = found.plan.run_days if found.plan is not None and found.holds else None
    if length is None:
        return None
    return point_of(scenario, gpus_per_node, nodes, length, alone)


def point_of(scenario: Scenario, gpus_per_node: int, nodes: int, planned: float, alone: bool) -> CorpusPoint:
    """The point of a build. planned: days as planned; alone: of one node, each working on its part of the corpus."""
    length = planned / nodes if alone else planned
    hours = length * HOURS_PER_DAY * gpus_per_node * nodes
    deadline = scenario.workload.deadline_days
    in_time = deadline is None or length <= deadline
    return CorpusPoint(gpus_per_node, nodes, length, hours, run_usd(scenario, hours), in_time, nodes == 1 or alone)


def _planned(scenario: Scenario, gpus_per_node: int, nodes: int) -> Attempt:
    """What is planned: a node alone where it holds the model, else all of them joined."""
    one = attempt(scenario, gpus_per_node)
    return one if nodes == 1 or one.holds else attempt(scenario, gpus_per_node, nodes)


def corpus_plan(scenario: Scenario, gpus: int) -> Plan | None:
    """The plan behind the point of so many GPUs, in nodes that the build grows by: of one node where nodes work alone.

    None where they do not hold the model, or no nodes make that count.
    """
    grown = growing(scenario)
    per_node = grown.hardware.gpus_per_node
    if gpus < 1 or (gpus > per_node and gpus % per_node):
        return None
    found = _planned(grown, min(gpus, per_node), max(1, gpus // per_node))
    return found.plan if found.holds else None


def _smallest(scenario: Scenario) -> CorpusPoint | None:
    """The fewest GPUs that carry the corpus; None where none of those tried does."""
    per_node = scenario.hardware.gpus_per_node
    inside = [gpus for gpus in curve_counts(scenario.hardware) if gpus < per_node]
    for gpus in (*inside, per_node):
        found = attempt(scenario, gpus)
        if found.carries:
            return corpus_point(scenario, gpus, 1)
    for nodes in _more_nodes(scenario, attempt(scenario, per_node)):
        if attempt(scenario, per_node, nodes).carries:
            return corpus_point(scenario, per_node, nodes)
    return None


def _more_nodes(scenario: Scenario, one: Attempt) -> range | tuple[int, ...]:
    """Counts of nodes that may be in time: from what equal parts take where a node holds the model, else clusters."""
    deadline = scenario.workload.deadline_days
    length = one.plan.run_days if one.plan is not None and one.holds else None
    if length is None:
        return CLUSTER_NODES
    first = max(2, math.ceil(length / deadline)) if deadline is not None else 2
    return range(first, min(first + MORE_NODES, MAX_NODES) + 1)


def _words(scenario: Scenario, found: CorpusPoint | None, points: list[CorpusPoint]) -> Sentence:
    work = scenario.workload
    if found is not None:
        name, of = Figure(found.build, "corpus.smallest.gpus"), "corpus.smallest"
        length = Figure(days(found.days), f"{of}.days")
        rent = () if found.usd is None else (", ", Figure(usd(found.usd), f"{of}.usd"), " rented")
        return (name, ": ", length, *rent)
    if not points:
        return ("No: none of the builds tried holds the model.",)
    cheapest, rent_of = min(((point.usd, point.gpus) for point in points if point.usd is not None), default=(None, 0))
    if work.budget_usd is not None and cheapest is not None and cheapest > work.budget_usd:
        least, budget = Figure(usd(cheapest), f"corpus.{rent_of}.usd"), Figure(usd(work.budget_usd), "load.budget_usd")
        return ("No: the rent is ", least, " at the least, over the ", budget, "; more GPUs cost no less.")
    fastest = min(points, key=lambda point: point.days)
    if work.deadline_days is not None and fastest.days > work.deadline_days:
        of, asked = f"corpus.{fastest.gpus}", Figure(days(work.deadline_days), "load.deadline_days")
        build, length = Figure(fastest.build, f"{of}.gpus"), Figure(days(fastest.days), f"{of}.days")
        return ("No: ", build, " take ", length, ", ", asked, " are asked.")
    return ("No: none of the builds tried meets every target.",)


__all__ = ["CorpusCurve", "CorpusPoint", "corpus_curve", "corpus_plan", "corpus_point"]
