"""One build evaluated: the layout, its memory and its speed. The verdict, the flips and the searches compare these."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, lru_cache

from engine.decide import served, trained
from engine.decide.layouts import Why, whatever_load
from engine.figures.records import dataclass
from engine.layout.candidates import check_choice, works_alone
from engine.money.bill import buy_usd
from engine.money.prices import run_usd
from engine.parts.hardware import Facts
from engine.scenario import Layout, LayoutChoice, Scenario
from engine.scenario.change import recounted
from engine.serving.memory import Room, headroom_of, serving_memory
from engine.serving.speed import serving_speed
from engine.serving.targets import has_targets
from engine.sizing import Headroom, Memory, Serving, Training
from engine.training.batch import keeps_batch
from engine.training.memory import training_memory
from engine.training.speed import training_speed
from engine.training.step import Step

_FREE = LayoutChoice()


@dataclass(frozen=True, slots=True)
class Plan:
    """A scenario with its layout decided and its memory and speed known.

    rivals: the layouts that the reason of the chosen one names, in its order.
    """

    scenario: Scenario
    layout: Layout
    memory: Memory
    serving: Serving | None
    training: Training | None
    rivals: tuple[Layout, ...] = ()

    @property
    def run_usd(self) -> float | None:
        """What a training run, or the corpus of a batch, costs at the hourly price of its GPUs; None for a use that goes
        on and without a price."""
        if self.serving is not None and self.serving.gpu_hours is not None:
            return run_usd(self.scenario, self.serving.gpu_hours)
        return None if self.training is None else self.training.cost_usd

    @property
    def spend_usd(self) -> float | None:
        """What a budget holds: the rent of a run, the purchase of a build that serves; None unknown."""
        if self.scenario.workload.is_run:
            return self.run_usd
        return buy_usd(self.scenario, works_alone(self.scenario, self.layout))

    @property
    def run_gpu_hours(self) -> float | None:
        """GPU-hours of a training run, or of the corpus of a batch; None for a use that goes on."""
        if self.training is not None:
            return self.training.gpu_hours
        return None if self.serving is None else self.serving.gpu_hours

    @property
    def run_days(self) -> float | None:
        """How long a training run, or the corpus of a batch, takes; None for a use that goes on."""
        if self.training is not None:
            return self.training.days
        return None if self.serving is None else self.serving.days

    @property
    def tokens_per_s_gpu(self) -> float:
        """Tokens/s of each GPU of the layout; 0 without a speed."""
        if self.serving is not None:
            return self.serving.tokens_per_s_total / self.layout.gpus
        return self.training.tokens_per_s_gpu if self.training is not None else 0.0

    @property
    def over_budget(self) -> bool:
        """Whether the run, or the build, is known to cost more than its budget."""
        budget = self.scenario.workload.budget_usd
        return budget is not None and (self.spend_usd or 0.0) > budget

    @property
    def meets_targets(self) -> bool:
        """Whether no target that the person set is missed; true when none was set."""
        if self.over_budget or (self.serving is not None and self.serving.meets_targets is False):
            return False
        return self.training is None or self.training.meets_deadline is not False

    @property
    def fits(self) -> bool:
        """Whether the workload fits the memory. Offline sequences may wait for room; people and gradients may not."""
        return fits(self.scenario, self.memory)

    @property
    def carries(self) -> bool:
        """Whether the build carries the workload: it fits, with no target missed."""
        return self.fits and self.meets_targets


def fits(scenario: Scenario, memory: Memory | Room) -> bool:
    """Whether a memory holds the workload; batch inference asks only that the engine starts, since nobody waits."""
    return memory.fits or (scenario.workload.kind == "batch" and memory.starts)


def memory_of(scenario: Scenario, layout: Layout) -> Memory:
    """Memory per GPU of a scenario in one layout, without the suggestions that `advised` adds."""
    if scenario.workload.is_inference:
        return serving_memory(scenario, layout)
    return training_memory(scenario, layout, suggest=False)


@dataclass(frozen=True)
class Choice:
    """What a scenario comes to. Its plan is made when somebody first asks for what the room of its layouts does not tell.

    made: the plan, where it is known already.
    """

    scenario: Scenario
    made: Plan | None = None

    @cached_property
    def _plain(self) -> Scenario:
        return whatever_load(self.scenario)

    @cached_property
    def plan(self) -> Plan:
        """The scenario in the best valid layout. Raises ScenarioError for an impossible scenario or layout."""
        if self.made is not None:
            return self.made
        scenario, choice = self.scenario, self.scenario.layout
        if _pinned(choice):
            check_choice(scenario)
            tp, pp, dp = choice.tp or 1, choice.pp or 1, choice.dp or 1
            layout = Layout(tp, pp, dp, choice.ep or 1, bool(choice.dp_attention), dcp=choice.dcp or 1)
            return _planned(scenario, layout, Why(("pinned",)))
        return _served(scenario, self._served) if scenario.workload.is_inference else _trained(scenario, self._plain)

    @cached_property
    def _room(self) -> tuple[bool, bool]:
        """(whether it starts, whether it fits) as far as room tells, else as planned. Raises what `plan` does."""
        if self.made is None and not _pinned(self.scenario.layout):
            if self.scenario.workload.is_inference:
                return served.room_for(self.scenario, self._plain)
            if not trained.may_hold(self.scenario, self._plain):
                return False, False
        return self.plan.memory.starts, self.plan.fits

    @property
    def starts(self) -> bool:
        """Whether the engine starts (inference), or the whole training state fits."""
        return self._room[0]

    @property
    def fits(self) -> bool:
        """As `Plan.fits`."""
        return self._room[1]

    @property
    def over_budget(self) -> bool:
        """As `Plan.over_budget`."""
        return self.scenario.workload.budget_usd is not None and self.plan.over_budget

    @cached_property
    def _served(self) -> served.Served:
        return served.served(self.scenario, self._plain)

    @property
    def _light(self) -> bool:
        """Whether it is a load whose layout is known before its figures."""
        return self.made is None and not _pinned(self.scenario.layout) and self.scenario.workload.is_inference

    @property
    def layout(self) -> Layout:
        """As `Plan.layout`."""
        if not self._light:
            return self.plan.layout
        return replace(self._served.layout, reason=self._served.why(self.scenario).reason)

    @property
    def headroom(self) -> Headroom:
        """As of the memory of its plan."""
        return headroom_of(self._served.rooms, self._served.room)[0] if self._light else self.plan.memory.headroom

    @cached_property
    def carries(self) -> bool:
        """As `Plan.carries`. Of a load its layout tells; the rent of a run is known with its plan."""
        work = self.scenario.workload
        if not (self.fits and asks(self.scenario)):
            return self.fits
        if not self._light or work.is_run:
            return self.plan.carries
        return served.carries(self.scenario, self._served)


def asks(scenario: Scenario) -> bool:
    """Whether more is asked of a build than to fit: a target, an end or a budget."""
    work = scenario.workload
    return work.deadline_days is not None or work.budget_usd is not None or (work.is_inference and has_targets(work))


def _pinned(choice: LayoutChoice) -> bool:
    return choice.tp is not None and choice.pp is not None and choice.dp is not None


def _served(scenario: Scenario, found: served.Served) -> Plan:
    """The plan of a load. An engine that does not start has no speed."""
    memory = serving_memory(scenario, found.layout, found.rooms, found.room)
    speed = serving_speed(scenario, found.layout, memory, found.server) if memory.starts else None
    told = found.why(scenario)
    return Plan(scenario, replace(found.layout, reason=told.reason), memory, speed, None, told.rivals)


def _trained(scenario: Scenario, plain: Scenario) -> Plan:
    """The plan of a run; layouts that are tried besides come where none of the first carries it and keeps its batch."""
    timed = trained.trained_layouts(plain, False)
    found = trained.trained(scenario, timed)
    kept = keeps_batch(scenario.workload, found.layout.dp)
    plan = _planned(scenario, found.layout, found.why, found.step) if found.near and kept else None
    if plan is not None and plan.carries:
        return plan
    if rest := trained.trained_layouts(plain, True):
        other = trained.trained(scenario, trained.ranked(scenario.workload, timed + rest))
        if other.near:
            wider = _planned(scenario, other.layout, other.why, other.step)
            if wider.fits and (not found.near or (not kept and keeps_batch(scenario.workload, wider.layout.dp))):
                return wider
            plan = plan or _planned(scenario, found.layout, found.why, found.step)
            if wider.carries or (wider.fits, wider.memory.starts) > (plan.fits, plan.memory.starts):
                return wider
    return plan or _planned(scenario, found.layout, found.why, found.step)


def _planned(scenario: Scenario, layout: Layout, why: Why, made: Step | None = None) -> Plan:
    """The plan in one layout, which says why it is this one. A serving engine that does not start has no speed.

    made: the training step of the layout, where it is known already.
    """
    memory = memory_of(scenario, layout)
    serving = training = None
    if not scenario.workload.is_inference:
        # a run that is over the card is still timed: what it would do with room is a figure people compare
        training = training_speed(scenario, layout, memory, made)
    elif memory.starts:
        serving = serving_speed(scenario, layout, memory)
    return Plan(scenario, replace(layout, reason=why.reason), memory, serving, training, why.rivals)


@lru_cache(maxsize=192)
def _choice(scenario: Scenario, facts: Facts) -> Choice:
    """The choice of a scenario under what its catalog knows, which is not part of what makes two scenarios equal."""
    return Choice(scenario)


def choice(scenario: Scenario) -> Choice:
    """What a scenario comes to."""
    return _choice(scenario, scenario.facts)


def plan(scenario: Scenario) -> Plan:
    """The scenario with the best valid layout. Raises ScenarioError for an impossible scenario or layout."""
    return choice(scenario).plan


def resized(scenario: Scenario, gpus_per_node: int, nodes: int = 1) -> Scenario:
    """The same workload on another count of the same card, with the layout left to choose.

    Raises ScenarioError for a count that no node has.
    """
    hardware = recounted(scenario.hardware, gpus_per_node, nodes, scenario.facts)
    if hardware is scenario.hardware and scenario.layout == _FREE:
        return scenario
    return replace(scenario, hardware=hardware, layout=_FREE)
