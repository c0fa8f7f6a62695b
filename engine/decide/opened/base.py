"""A build on numbers that remember: its model, memory and speed by the engine's own functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Final, TypeVar

from engine.decide.opened.constants import constant
from engine.decide.opened.names import hooks
from engine.decide.opened.searches import SEARCHES
from engine.decide.plan import Plan
from engine.decide.size import model_facts
from engine.figures.records import NamedTuple
from engine.figures.replay import Replay, Run
from engine.figures.words import field_words
from engine.scenario import leaves
from engine.serving import memory as serving_memory
from engine.serving import speed as serving_speed
from engine.sizing import Interval
from engine.training import speed as training_speed
from engine.training.memory import training_memory

REPLAY: Final = Replay(constant, field_words, hooks, SEARCHES, {"Counter": leaves.Tally})
"""The formulas of memory and speed among names that remember."""


_Made = TypeVar("_Made")


class Found(NamedTuple):
    """A figure: its number, and what stands beside its arithmetic.

    value: None where nobody knows it, and why. source: where its formula comes from.
    """

    value: Any
    title: str
    unit: str
    source: str
    note: str = ""
    interval: Interval | None = None
    why: str = ""


class Base:
    """A build on numbers that remember; each part of it is computed when it is first asked for.

    count: where the number of its GPUs comes from. sought: the field of the workload that a search looked for.
    """

    def __init__(self, plan: Plan, count: str = "entered", sought: str = "") -> None:
        self.plan = plan
        self.within = Run()
        self.kept: dict[str, Any] = {}
        self.scenario = leaves.scenario(REPLAY.copied, plan.scenario, count, sought)
        self.layout = leaves.layout(REPLAY.copied, plan.layout, plan.scenario.layout)

    def keep(self, name: str, make: Callable[[], _Made]) -> _Made:
        """What was made under that name, made when it is first asked for."""
        if name not in self.kept:
            self.kept[name] = make()
        made: _Made = self.kept[name]
        return made

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What the function gives on numbers that remember, in the one run of this build."""
        with self.within:
            return REPLAY(function)(*arguments)

    @cached_property
    def memory(self) -> Any:
        """Memory of each GPU."""
        function = serving_memory.serving_memory if self.plan.scenario.workload.is_inference else training_memory
        return self.run(function, self.scenario, self.layout)

    @cached_property
    def model(self) -> Any:
        """What is counted of the model."""
        return self.run(model_facts, self.scenario)

    @cached_property
    def speed(self) -> Any:
        """Speed of serving or training. Raises KeyError where the plan has none."""
        scenario, layout, memory = self.scenario, self.layout, self.memory
        if scenario.workload.is_inference:
            if self.plan.serving is None:
                raise KeyError("serving")
            return self.run(serving_speed.serving_speed, scenario, layout, memory)
        if self.plan.training is None:
            raise KeyError("training")
        return self.run(training_speed.training_speed, scenario, layout, memory)

    @cached_property
    def planned(self) -> Any:
        """The plan itself."""
        speed, serves = (self.speed if self.timed else None), self.plan.scenario.workload.is_inference
        record: Callable[..., Any] = REPLAY.record(Plan)
        return record(self.scenario, self.layout, self.memory, speed if serves else None, None if serves else speed)

    def other(self, plan: Plan, count: str) -> Base:
        """The build of another plan of the same work, made once."""
        return self.keep(
            f"{plan.scenario.hardware.nodes}x{plan.scenario.hardware.gpus_per_node}", lambda: Base(plan, count)
        )

    @property
    def timed(self) -> bool:
        """Whether the plan has a speed."""
        plan = self.plan
        return (plan.serving if plan.scenario.workload.is_inference else plan.training) is not None
