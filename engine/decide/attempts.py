"""Builds that the verdict asks about: the same workload on one GPU, one node, several nodes of the same card."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from engine.decide.measures import Try, measured
from engine.decide.plan import Choice, Plan, choice, resized
from engine.decide.scaling import FLOOR
from engine.figures.errors import ScenarioError
from engine.figures.records import dataclass
from engine.figures.sentences import text_of
from engine.scenario import Hardware, LayoutChoice, Scenario
from engine.training.memory import may_fit
from engine.training.speed import least_days

# The largest box in common use; bigger single nodes (NVL72) are taken as entered.
COMMON_NODE_GPUS = 8
# Nodes tried when no single node holds the model.
MOST_TIMES = 4
"""Nodes looked at for a more efficient run, over those that carry it."""
CLUSTER_NODES = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)


@dataclass(frozen=True)
class Attempt:
    """The workload on `nodes` of `gpus_per_node` cards, planned when somebody asks for more than whether there is room.

    choice: None where no layout is valid; why_not: the reason. pinned: the entered build in its pinned layout, where that
    does not carry the workload and the plan, in another layout of the same GPUs, does. measure: what the run changes of itself
    to be carried.
    """

    gpus_per_node: int
    nodes: int
    choice: Choice | None
    why_not: str = ""
    pinned: Plan | None = None
    measure: Try | None = None

    @property
    def plan(self) -> Plan | None:
        """None where no layout is valid."""
        return None if self.choice is None else self.choice.plan

    @property
    def gpus(self) -> int:
        """GPUs over all nodes."""
        return self.gpus_per_node * self.nodes

    @property
    def carries(self) -> bool:
        """Whether it fits with no target missed."""
        return self.choice is not None and self.choice.carries

    @property
    def holds(self) -> bool:
        """Whether the model is up: the engine starts (inference), or the whole training state fits."""
        return self.choice is not None and self.choice.starts

    @property
    def ends(self) -> bool:
        """Whether no larger build is worth a look: it carries the workload, or it fits and costs too much."""
        return self.carries or (self.choice is not None and self.choice.fits and self.choice.over_budget)

    @property
    def build(self) -> str:
        """The build in words, with what the run changes of itself there."""
        return self.cards if self.measure is None else f"{self.cards} with {text_of(self.measure.what)}"

    @property
    def cards(self) -> str:
        """The build in words."""
        if self.choice is None:
            return f"{self.nodes} x {self.gpus_per_node} GPUs"
        card = f"{self.gpus_per_node}x {self.choice.scenario.hardware.accelerator.label}"
        return f"{self.nodes} nodes of {card}" if self.nodes > 1 else card


def entered_as(plan: Plan) -> Attempt:
    """The entered build as it was planned."""
    hardware = plan.scenario.hardware
    return Attempt(hardware.gpus_per_node, hardware.nodes, Choice(plan.scenario, plan))


def attempt(scenario: Scenario, gpus_per_node: int, nodes: int = 1) -> Attempt:
    """The workload on a build; one without a valid layout is a no with its reason.

    The entered build keeps its pinned layout, unless only another one carries the workload; other builds are free to
    take any.
    """
    hardware, pinned = scenario.hardware, None
    try:
        if scenario.layout != LayoutChoice() and (gpus_per_node, nodes) == (hardware.gpus_per_node, hardware.nodes):
            pinned = choice(scenario)
            if pinned.carries:
                return Attempt(gpus_per_node, nodes, pinned)
        found = choice(resized(scenario, gpus_per_node, nodes))
        if found.carries or pinned is None:
            return Attempt(gpus_per_node, nodes, found, pinned=None if pinned is None else pinned.plan)
    except ScenarioError as error:
        return Attempt(gpus_per_node, nodes, pinned, error.reason)
    return Attempt(gpus_per_node, nodes, pinned)


def measured_as(found: Attempt) -> Attempt:
    """The same build under what its run may change of itself, where only that carries it; as it was where nothing does."""
    measure = None if found.plan is None or found.carries else measured(found.plan)
    if measure is None:
        return found
    return replace(found, choice=Choice(measure.made.plan.scenario, measure.made.plan), measure=measure.option)


def _first(attempts: Iterable[Attempt]) -> Attempt:
    """The first that carries, else the last: the largest build is the closest to a yes.

    A run that fits and costs too much ends the search, since more GPUs cost no less.
    """
    last: Attempt | None = None
    for last in attempts:
        if last.ends:
            return last
    if last is None:
        raise ValueError("no build to attempt")
    return last


def largest_node(hardware: Hardware) -> int:
    """GPUs of the largest box in common use that this card is sold in and this link joins."""
    limits = (COMMON_NODE_GPUS, hardware.intra_link.max_gpus, hardware.accelerator.max_gpus_per_node)
    return min(limit for limit in limits if limit is not None)


def node_sizes(scenario: Scenario) -> tuple[int, ...]:
    """GPUs one node may have: the entered count, then larger boxes up to the largest common one."""
    entered = scenario.hardware.gpus_per_node
    larger = tuple(n for n in (2, 4, 8) if entered < n <= largest_node(scenario.hardware))
    return (entered, *larger) if entered > 1 else larger or (1,)


def one_node(scenario: Scenario) -> Attempt:
    """The smallest single node, from the entered one up, that carries the workload; else the largest."""
    return _first(attempt(scenario, gpus) for gpus in node_sizes(scenario))


def cluster(scenario: Scenario, most_nodes: int = CLUSTER_NODES[-1]) -> Attempt:
    """The smallest cluster of full nodes, up to so many, that carries the workload; else the largest tried."""
    gpus_per_node = node_sizes(scenario)[-1]
    tried = [nodes for nodes in CLUSTER_NODES if nodes <= most_nodes] or CLUSTER_NODES[:1]
    worth = (nodes for nodes in tried if nodes == tried[-1] or _may_carry(scenario, gpus_per_node * nodes))
    return _first(attempt(scenario, gpus_per_node, nodes) for nodes in worth)


def fewer_measured(scenario: Scenario, below: float) -> Attempt | None:
    """The smallest cluster of fewer GPUs than so many that carries a run which changes of itself what gives it room or time; of
    nodes as entered, else of larger ones; None where none does."""
    entered = scenario.hardware
    for per_node in dict.fromkeys((entered.gpus_per_node, node_sizes(scenario)[-1])):
        for nodes in CLUSTER_NODES:
            if entered.gpus < per_node * nodes < below and (per_node, nodes) != (entered.gpus_per_node, entered.nodes):
                found = measured_as(attempt(scenario, per_node, nodes))
                if found.carries:
                    return found
    return None


def under_floor(found: Attempt) -> bool:
    """Whether it carries a run whose GPUs wait for each other more than the efficiency floor allows."""
    run = found.plan.training if found.plan is not None else None
    return found.carries and run is not None and run.efficiency < FLOOR


def above_floor(scenario: Scenario, found: Attempt) -> Attempt | None:
    """The next larger cluster, up to the entered one or MOST_TIMES as many nodes, that carries the run above the floor."""
    most = max(scenario.hardware.nodes, MOST_TIMES * found.nodes)
    for nodes in CLUSTER_NODES:
        if found.nodes < nodes <= most:
            wider = attempt(scenario, found.gpus_per_node, nodes)
            if wider.carries and not under_floor(wider):
                return wider
    return None


def _may_carry(scenario: Scenario, gpus: int) -> bool:
    """Whether planning a run on so many GPUs is worth while: False only where no layout of theirs ends the search."""
    workload = scenario.workload
    if workload.is_inference:
        return True
    if not may_fit(scenario, gpus):
        return False
    # over a budget a build that is late ends the search as well
    return (
        not workload.deadline_days or bool(workload.budget_usd) or least_days(scenario, gpus) <= workload.deadline_days
    )


def roomier(scenario: Scenario, tight: Attempt) -> Attempt | None:
    """The next larger build that carries the workload and is not marginal: a larger node, or more of them."""
    if tight.nodes > 1:
        sizes = ((tight.gpus_per_node, nodes) for nodes in CLUSTER_NODES if nodes > tight.nodes)
    else:
        limit = largest_node(scenario.hardware)
        sizes = ((gpus, 1) for gpus in (2, 4, 8) if tight.gpus_per_node < gpus <= limit)
    for gpus_per_node, nodes in sizes:
        found = attempt(scenario, gpus_per_node, nodes)
        if found.carries and found.choice is not None and found.choice.headroom != "marginal":
            return found
    return None
