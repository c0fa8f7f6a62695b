"""The build that a working is about, and the words for where its inputs come from."""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.decide.plan import Plan
from engine.model.architecture import Architecture
from engine.parts.hardware import Accelerator
from engine.scenario import Layout, Scenario
from engine.serving.settings import EngineSettings, engine_settings, plain_layout
from engine.sizing import MemoryGroup, Sizing


@dataclass(frozen=True, slots=True)
class Case:
    """A sized build. plan: scenario, layout, memory and speed. sizing: the whole answer, for the entered build only."""

    plan: Plan
    sizing: Sizing | None = None

    @property
    def scenario(self) -> Scenario:
        """What was asked."""
        return self.plan.scenario

    @property
    def arch(self) -> Architecture:
        """The model."""
        return self.plan.scenario.model.architecture

    @property
    def card(self) -> Accelerator:
        """The accelerator."""
        return self.plan.scenario.hardware.accelerator

    @property
    def layout(self) -> Layout:
        """The layout, without its reason."""
        return plain_layout(self.plan.layout)

    @property
    def settings(self) -> EngineSettings:
        """The engine's settings with defaults filled in."""
        return engine_settings(self.plan.scenario, self.plan.layout)

    @property
    def config(self) -> str:
        """Where the model's dimensions come from."""
        model = self.scenario.model
        return f"{model.config or 'config.json'} of {model.name}"

    @property
    def sheet(self) -> str:
        """Where the card's figures come from."""
        who = "your catalog" if self.card.origin == "user" else "catalog"
        return f"{self.card.name}: {self.card.source or who}"

    def group(self, index: int) -> MemoryGroup:
        """The memory group of that place, worst first. Raises KeyError."""
        groups = self.plan.memory.per_gpu
        if not 0 <= index < len(groups):
            raise KeyError(f"memory.{index}")
        return groups[index]

    def stage(self, index: int) -> int:
        """The first pipeline stage, from 0, of a memory group: group labels count stages from 1."""
        if self.layout.pp == 1:
            return 0
        found = re.search(r"\d+", self.group(index).rank_group)
        return int(found.group()) - 1 if found else 0

    def setting(self, name: str) -> str:
        """Where an engine setting comes from: the person, or the engine's default for this card."""
        runtime = self.scenario.runtime
        if getattr(runtime, name, None) is not None:
            return "entered"
        return f"the default of {runtime.engine} for this card, from its sources (engine.serving.settings)"


def case_of(sizing: Sizing) -> Case:
    """The case of a whole sizing."""
    plan = Plan(sizing.scenario, sizing.layout, sizing.memory, sizing.serving, sizing.training)
    return Case(plan, sizing)
