"""The figures of a build on numbers that remember: the number of an id, and its working, one step at a time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from engine.decide.opened import corpus, fabric, flips, growth, load, money, power, replicas, scaling, states
from engine.decide.opened.base import REPLAY, Base, Found
from engine.decide.opened.constants import constant
from engine.decide.opened.titles import INTERVALS, NOTES, SOURCES, TITLES
from engine.decide.plan import Plan
from engine.decide.steps import FRONTIER_DAYS, frontier_gpus
from engine.figures.number import Number, node
from engine.figures.opening import Below, opening
from engine.figures.working import Working, unknown
from engine.parts import mixed
from engine.serving import memory as serving_memory
from engine.sizing.memory import stage_spread_bytes

STEP: Final = "#"
"""Between a figure and the place of what it rests on: `serving.ttft_s#3`."""


class Build(Base):
    """A build's figures."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._known: dict[str, Found] = {}
        self._under: dict[str, Below] = {}

    def number(self, figure: str) -> Number:
        """The number of a figure. Raises KeyError where the build has none, or nobody knows it."""
        value = self._found(figure).value
        if value is None or isinstance(value, (bool, str)) or not isinstance(value, (Number, int, float)):
            raise KeyError(figure)
        return node(value)

    def _found(self, figure: str) -> Found:
        known = self._known.get(figure)
        if known is None:
            section, _, name = figure.partition(".")
            find = SECTIONS.get(section)
            if find is None:
                raise KeyError(figure)
            known = self._known[figure] = find(self, name)
        return known

    def working(self, figure: str) -> Working:
        """A figure opened one step; `FIGURE#N`: something that it rests on. Raises KeyError."""
        top, _, place = figure.partition(STEP)
        # what a number is called is known when all formulas have run
        _ = self.model, self.memory, self.timed and self.speed
        found = self._found(top)
        if found.value is None and found.why and not place:
            return unknown(figure, found.title, found.unit, found.why)
        root = self.number(top)
        under = self._under.get(top)
        if under is None:
            under = self._under[top] = Below(root)

        def identify(part: Number) -> str:
            return f"{top}{STEP}{under.place(part)}"

        if place:
            part = under.at(int(place)) if place.isdigit() else None
            if part is None:
                raise KeyError(figure)
            return opening(figure, part, "", "", identify, found.source)
        return opening(figure, root, found.title, found.unit, identify, found.source, found.interval, found.note)


def _frontier(build: Build) -> Any:
    """GPUs of this kind that finish in the wall time asked, or in the one that is planned for."""
    days = build.scenario.workload.deadline_days or constant("engine.decide.steps", "FRONTIER_DAYS", FRONTIER_DAYS)
    return build.run(frontier_gpus, build.speed.gpu_hours, days, build.scenario.hardware.gpus)


DERIVED: Final[dict[str, Callable[[Build], Any]]] = {
    "memory.marginal_users": lambda build: REPLAY(serving_memory.marginal_users)(build.memory.users_that_fit),
    "memory.allocated_bytes": lambda build: build.memory.training and build.memory.training.allocated_bytes,
    "memory.torch_reserved_bytes": lambda build: build.memory.training and build.memory.training.reserved_bytes,
    "memory.stage_spread_bytes": lambda build: build.run(stage_spread_bytes, build.memory),
    "memory.pool_bytes": lambda build: build.run(mixed.pooled_bytes, build.scenario.hardware.mixed),
    "memory.pool_lost_bytes": lambda build: build.run(mixed.pooled_bytes_lost, build.scenario.hardware.mixed),
    "training.frontier_gpus": _frontier,
    "training.none_hidden_tokens_per_s": lambda build: build.speed.overlap_range.low,
    "training.most_hidden_tokens_per_s": lambda build: build.speed.overlap_range.high,
}
"""Figures that no record has a field for."""
STAGED: Final = frozenset(
    f"memory.{name}_bytes" for name in ("weights", "kv", "activation", "runtime", "usable", "reserved", "kv_capacity")
)
"""Figures that differ by pipeline stage."""


def _of_model(build: Build, name: str) -> Found:
    return _told(build, f"model.{name}", getattr(build.model, name, None))


def _of_speed(section: str) -> Callable[[Build, str], Found]:
    def find(build: Build, name: str) -> Found:
        if section != ("serving" if build.plan.scenario.workload.is_inference else "training"):
            raise KeyError(f"{section}.{name}")
        derived = DERIVED.get(f"{section}.{name}")
        with build.within:
            value = derived(build) if derived is not None else getattr(build.speed, name, None)
        return _told(build, f"{section}.{name}", value)

    return find


def _of_memory(build: Build, name: str) -> Found:
    """`memory.NAME`, `memory.N.NAME` of the N-th group, or `memory.phase_N_bytes` of a training step."""
    index, _, rest = name.partition(".")
    groups, derived = build.memory.per_gpu, DERIVED.get(f"memory.{name}")
    if index.isdigit() and int(index) >= len(groups):
        raise KeyError(f"memory.{name}")
    with build.within:
        if derived is not None:
            value = derived(build)
        elif index.isdigit():
            value = getattr(groups[int(index)], rest, None)
        elif name.startswith("phase_"):
            return _of_phase(build, name)
        else:
            held = getattr(groups[0], name, None)
            value = held if held is not None else getattr(build.memory, name, None)
    found = _told(build, f"memory.{rest if index.isdigit() else name}", value)
    if len(groups) > 1 and f"memory.{rest if index.isdigit() else name}" in STAGED:
        place = int(index) if index.isdigit() else 0
        return found._replace(title=f"{found.title}, {build.plan.memory.per_gpu[place].rank_group}")
    return found


def _of_phase(build: Build, name: str) -> Found:
    number = name.removeprefix("phase_").removesuffix("_bytes")
    phases = build.memory.training.phases if build.memory.training is not None else ()
    if not number.isdigit() or not 1 <= int(number) <= len(phases):
        raise KeyError(f"memory.{name}")
    phase = phases[int(number) - 1]
    return Found(phase.allocated_bytes, f"Allocated at {phase.name}", "bytes", SOURCES["memory of training"])


def _told(build: Build, figure: str, value: Any) -> Found:
    title, unit = TITLES.get(figure) or (figure.partition(".")[2].replace("_", " "), "")
    source = f"{figure.partition('.')[0]}{'' if build.plan.scenario.workload.is_inference else ' of training'}"
    interval, note = INTERVALS.get(figure), NOTES.get(figure)
    return Found(
        value,
        title,
        unit,
        SOURCES[source],
        "" if note is None else note(build.plan),
        None if interval is None else interval(build.plan),
    )


SECTIONS: Final[dict[str, Callable[[Build, str], Found]]] = {
    "model": _of_model,
    "memory": _of_memory,
    "serving": _of_speed("serving"),
    "training": _of_speed("training"),
    "load": load.load,
    "build": load.gpus,
    "layout": load.rival,
    "states": states.found,
    "replicas": replicas.replicas,
    "node": replicas.node,
    "flip": flips.found,
    "fabric": fabric.found,
    "scaling": scaling.found,
    "curve": growth.curve,
    "choice": growth.choice,
    "smallest": growth.smallest,
    "corpus": corpus.found,
    "power": power.found,
    "cost": money.found,
}
"""What finds the figures of a section by what follows its name; each raises KeyError for one that the build has not."""

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
    _builds.move_to_end(key)
    return known[1]
