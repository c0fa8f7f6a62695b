"""What else a training run could assume on the same layout: other software, other recomputation."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any, get_args

from engine.decide.plan import Plan
from engine.figures.records import dataclass
from engine.runtimes.frameworks import Software
from engine.scenario import Layout, Recompute, Scenario
from engine.training.memory import training_memory
from engine.training.speed import training_speed

CHOICES: dict[str, tuple[str, ...]] = {
    "software": tuple(tier for tier in get_args(Software) if tier != "auto"),
    "recompute": get_args(Recompute),
}
"""Fields of a training workload, and their values, that are compared on one layout."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a field on the layout in use: tokens a second and GPU, and whether its memory fits."""

    field: str
    value: str
    tokens_per_s_gpu: float
    fits: bool


@lru_cache(maxsize=16)  # one plan for all figures of a choice that are opened: what explains it knows it by identity
def chosen(scenario: Scenario, layout: Layout, field: str, value: str) -> Plan:
    """The run with one field of `CHOICES` changed, on the same layout."""
    change: dict[str, Any] = {field: value}
    other = replace(scenario, workload=replace(scenario.workload, **change))
    memory = training_memory(other, layout, suggest=False)
    return Plan(other, layout, memory, None, training_speed(other, layout, memory))


@lru_cache(maxsize=32)
def training_choices(scenario: Scenario, layout: Layout) -> tuple[Choice, ...]:
    """Every value of every field of `CHOICES`, the one in use among them."""
    found = []
    for field, values in CHOICES.items():
        for value in values:
            plan = chosen(scenario, layout, field, value)
            assert plan.training is not None
            found.append(Choice(field, value, plan.training.tokens_per_s_gpu, plan.memory.fits))
    return tuple(found)
