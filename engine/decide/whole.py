"""`whole`: a sizing with what a report reads and a screen searches for, or shows another way."""

from __future__ import annotations

from dataclasses import replace

from engine.decide.flips import flip_points
from engine.decide.notices import notices
from engine.decide.plan import Plan
from engine.decide.serving_scaling import serving_rows
from engine.decide.suggestions import advised
from engine.model.parameters import count_parameters
from engine.sizing import Sizing


def with_changes(sizing: Sizing) -> Sizing:
    """The sizing with the changes that give room, and what they do for its warnings; each of them is a whole plan."""
    scenario = sizing.scenario
    found = advised(Plan(scenario, sizing.layout, sizing.memory, sizing.serving, sizing.training))
    parameters = count_parameters(scenario.model.architecture)
    warnings = notices(found, sizing.verdict, sizing.power, parameters.total, parameters.active)
    return replace(sizing, memory=found.memory, warnings=warnings)


def whole(sizing: Sizing) -> Sizing:
    """The sizing `with_changes`, its flip points, some twenty plans each, and how serving scales."""
    scenario, verdict, scaling = sizing.scenario, sizing.verdict, sizing.scaling
    if scenario.workload.is_inference:
        scaling = serving_rows(scenario, sizing.layout)
    flips = verdict.flips or flip_points(scenario)
    return replace(with_changes(sizing), verdict=replace(verdict, flips=flips), scaling=scaling)
