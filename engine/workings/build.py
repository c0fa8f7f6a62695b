"""A build on numbers that remember: memory and speed by the engine's own functions, and each figure of them opened."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property
from typing import Any, Final

from engine.decide.plan import Plan
from engine.decide.size import model_facts
from engine.decide.verdict import FRONTIER_DAYS
from engine.figures.number import Number, node, plain
from engine.figures.replay import Replay, Run
from engine.serving import memory as serving_memory
from engine.serving import speed as serving_speed
from engine.training import speed as training_speed
from engine.training.memory import training_memory
from engine.workings import facts
from engine.workings.constants import constant
from engine.workings.names import hooks
from engine.workings.opening import below, opening
from engine.workings.record import Working
from engine.workings.searches import SEARCHES
from engine.workings.titles import INTERVALS, NOTES, SOURCES, TITLES
from engine.workings.words import field_words

REPLAY: Final = Replay(constant, field_words, hooks, SEARCHES, {"Counter": facts.Tally})
"""The formulas of memory and speed among names that remember."""
STEP: Final = "#"
"""Between a figure and the place of what it rests on: `serving.ttft_s#3`."""


class Build:
    """A build's figures as numbers that remember, each computed when it is first asked for."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._run = Run()
        self._scenario = facts.scenario(REPLAY.copied, plan.scenario)
        self._layout = facts.layout(REPLAY.copied, plan.layout, plan.scenario.layout)
        self._order: dict[str, list[Number]] = {}
        self._places: dict[str, dict[int, int]] = {}

    @cached_property
    def _memory(self) -> Any:
        function = serving_memory.serving_memory if self.plan.scenario.workload.is_inference else training_memory
        with self._run:
            return REPLAY(function)(self._scenario, self._layout)

    @cached_property
    def _model(self) -> Any:
        with self._run:
            return REPLAY(model_facts)(self._scenario)

    @cached_property
    def _step(self) -> Any:
        scenario, model = self._scenario, self._scenario.model
        with self._run:
            return REPLAY(training_speed.step)(model.architecture, scenario.hardware, scenario.workload, self._layout)

    @cached_property
    def _speed(self) -> Any:
        scenario, layout, memory = self._scenario, self._layout, self._memory
        if scenario.workload.is_inference:
            if self.plan.serving is None:
                raise KeyError("serving")
            with self._run:
                return REPLAY(serving_speed.serving_speed)(scenario, layout, memory)
        if self.plan.training is None:
            raise KeyError("training")
        step = self._step
        with self._run:
            return REPLAY(training_speed.training_speed)(scenario, layout, memory, step)

    def _complete(self) -> None:
        """Compute all there is before anything is opened: what a number is called is known when all formulas have run."""
        inference = self.plan.scenario.workload.is_inference
        if (
            self._model is not None
            and self._memory is not None
            and (self.plan.serving if inference else self.plan.training) is not None
        ):
            _ = self._speed  # computed here, kept by the property

    # --- figures ----------------------------------------------------------------------------------------------

    def number(self, figure: str) -> Number:
        """The number of `model.NAME`, `memory.NAME`, `memory.N.NAME`, `serving.NAME` or `training.NAME`. Raises KeyError."""
        section, _, name = figure.partition(".")
        inference = self.plan.scenario.workload.is_inference
        value: Any = None
        if section == "memory":
            value = self._of_memory(name)
        elif section == "model":
            value = getattr(self._model, name, None)
        elif section == ("serving" if inference else "training"):
            derived = DERIVED.get(figure)
            with self._run:
                value = derived(self) if derived is not None else getattr(self._speed, name, None)
        if value is None or isinstance(value, (bool, str)) or not isinstance(value, (Number, int, float)):
            raise KeyError(figure)
        return node(value)

    def _of_memory(self, name: str) -> Any:
        index, _, rest = name.partition(".")
        with self._run:
            derived = DERIVED.get(f"memory.{name}")
            if derived is not None:
                return derived(self)
            groups = self._memory.per_gpu
            if index.isdigit():
                return getattr(groups[int(index)], rest, None) if int(index) < len(groups) else None
            if name.startswith("phase_"):
                number = name.removeprefix("phase_").removesuffix("_bytes")
                phases = self._memory.training.phases if self._memory.training is not None else ()
                return (
                    phases[int(number) - 1].allocated_bytes if number.isdigit() and int(number) <= len(phases) else None
                )
            held = getattr(groups[0], name, None)
            return held if held is not None else getattr(self._memory, name, None)

    def working(self, figure: str) -> Working:
        """A figure opened one step; `FIGURE#N`: something that it rests on. Raises KeyError."""
        top, _, place = figure.partition(STEP)
        self._complete()
        root = self.number(top)
        if place:
            order = self._below(top, root)
            if not place.isdigit() or int(place) >= len(order):
                raise KeyError(figure)
            return opening(figure, order[int(place)], "", "", self._identify(top, root), self._source(top))
        index, _, rest = top.removeprefix("memory.").partition(".")
        name = f"memory.{rest}" if top.startswith("memory.") and index.isdigit() else top
        title, unit = self._title(name)
        groups = self.plan.memory.per_gpu
        if top.startswith("memory.") and len(groups) > 1 and name in STAGED:
            title += f", {groups[int(index) if index.isdigit() else 0].rank_group}"
        interval = INTERVALS.get(name)
        note = NOTES.get(name)
        return opening(
            figure,
            root,
            title,
            unit,
            self._identify(top, root),
            self._source(name),
            None if interval is None else interval(self.plan),
            "" if note is None else note(self.plan),
        )

    def _title(self, name: str) -> tuple[str, str]:
        if name.startswith("memory.phase_"):
            number = int(name.removeprefix("memory.phase_").removesuffix("_bytes"))
            return f"Allocated at {self._memory.training.phases[number - 1].name}", "bytes"
        return TITLES.get(name) or (name.partition(".")[2].replace("_", " "), "")

    def _source(self, name: str) -> str:
        inference = self.plan.scenario.workload.is_inference
        return SOURCES[f"{name.partition('.')[0]}{'' if inference else ' of training'}"]

    def _below(self, top: str, root: Number) -> list[Number]:
        known = self._order.get(top)
        if known is None:
            known = self._order[top] = list(below(root))
        return known

    def _identify(self, top: str, root: Number) -> Callable[[Number], str]:
        places = self._places.get(top)
        if places is None:
            places = self._places[top] = {id(one): place for place, one in enumerate(self._below(top, root))}
        return lambda one: f"{top}{STEP}{places[id(one)]}"


def _spread(build: Build) -> Any:
    """How far the weights of the fullest pipeline stage lie above those of the emptiest."""
    groups = build._memory.per_gpu
    least = min(groups, key=lambda group: plain(group.weights_bytes))
    fullest = groups[build.plan.memory.per_gpu.index(build.plan.memory.worst)]
    return fullest.weights_bytes - least.weights_bytes


def _worth(build: Build) -> Any:
    return build._speed.efficiency * build._scenario.hardware.gpus


def _most_worth(build: Build) -> Any:
    share = build._speed.serial_share
    return 1 / share if plain(share) else None


def _frontier(build: Build) -> Any:
    """GPUs of this kind that finish in the wall time asked, or in the one that is planned for."""
    days = build._scenario.workload.deadline_days or constant("engine.decide.verdict", "FRONTIER_DAYS", FRONTIER_DAYS)
    return math.ceil(build._speed.gpu_hours / constant("engine.figures.units", "HOURS_PER_DAY", 24) / days)


DERIVED: Final[dict[str, Callable[[Build], Any]]] = {
    "memory.marginal_users": lambda build: REPLAY(serving_memory.marginal_users)(build._memory.users_that_fit),
    "memory.allocated_bytes": lambda build: build._memory.training and build._memory.training.allocated_bytes,
    "memory.torch_reserved_bytes": lambda build: build._memory.training and build._memory.training.reserved_bytes,
    "memory.stage_spread_bytes": _spread,
    "training.gpus_worth": _worth,
    "training.most_gpus_worth": _most_worth,
    "training.frontier_gpus": _frontier,
    "training.none_hidden_tokens_per_s": lambda build: build._speed.overlap_range.low,
    "training.most_hidden_tokens_per_s": lambda build: build._speed.overlap_range.high,
}
"""Figures that no record has a field for."""
STAGED: Final = frozenset(
    f"memory.{name}_bytes" for name in ("weights", "kv", "activation", "runtime", "usable", "reserved", "kv_capacity")
)
"""Figures that differ by pipeline stage."""

_builds: OrderedDict[tuple[int, int], tuple[Plan, Build]] = OrderedDict()
KEPT_BUILDS: Final = 8


def build_of(plan: Plan) -> Build:
    """The build of a plan; the last few are kept while their figures are read one after the other."""
    key = (id(plan.scenario), id(plan.layout))
    known = _builds.get(key)
    if known is None:
        known = _builds[key] = (plan, Build(plan))
        while len(_builds) > KEPT_BUILDS:
            _builds.popitem(last=False)
    return known[1]
