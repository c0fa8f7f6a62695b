"""`training_memory`: the Memory of a training scenario in one layout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial

from engine.model.architecture import Architecture
from engine.scenario import Layout, Scenario, Workload
from engine.sizing import Memory, Suggestion
from engine.training.memory.advice import largest_micro_batch, longest_sequence, settings, suggestions
from engine.training.memory.assumptions import lines, rule_note
from engine.training.memory.core import Card, check, needed_bytes, resident_floor, sized
from engine.training.memory.recipe import method_of
from engine.training.memory.states import card_of


def training_memory(scenario: Scenario, layout: Layout, *, suggest: bool = True) -> Memory:
    """Memory per GPU of a training scenario in one layout, fullest pipeline stage first, bytes.

    peak_bytes is what a step needs and decides whether it fits; nvidia_smi_bytes is what nvidia-smi will show, with
    the cache that PyTorch's allocator would give back under pressure. host_bytes: RAM a node needs for what is
    offloaded. suggest False leaves out the largest micro-batch and sequence, the suggestions and the assumptions:
    for searches over layouts. Raises ScenarioError for a workload that cannot run.
    """
    card = card_of(scenario)
    architecture, workload = scenario.model.architecture, scenario.workload
    layout = layout if not layout.reason else replace(layout, reason=())
    if not suggest:
        return sized(architecture, workload, layout, card)
    return _advised(architecture, workload, layout, card, scenario.model.name)


def training_settings(scenario: Scenario, layout: Layout) -> tuple[Suggestion, ...]:
    """Changes of how a run is done, none of what is trained, that make it fit in a layout, or give it room there."""
    memory = detailed_memory(scenario, layout)
    return settings(scenario.model.architecture, scenario.workload, layout, card_of(scenario), memory)


def detailed_memory(scenario: Scenario, layout: Layout) -> Memory:
    """`training_memory` without its suggestions, each of which is a plan sized again; the rest waits for its readers."""
    layout = layout if not layout.reason else replace(layout, reason=())
    return _detailed(scenario.model.architecture, scenario.workload, layout, card_of(scenario), scenario.model.name)


def training_spare(scenario: Scenario) -> Callable[[Layout], float]:
    """By layout, the bytes that a step leaves on the fullest GPU, negative when it does not fit: for searches.

    Raises what `training_memory` does.
    """
    architecture, workload, card = scenario.model.architecture, scenario.workload, card_of(scenario)
    check(workload)
    method, usable = method_of(workload), card.usable_bytes
    return lambda layout: usable - needed_bytes(architecture, workload, layout, card, method)


def may_fit(scenario: Scenario, gpus: int) -> bool:
    """Whether so many GPUs of the scenario's kind may hold the training state in some layout; False is certain."""
    usable = card_of(scenario).usable_bytes
    return resident_floor(scenario.model.architecture, scenario.workload, gpus) <= usable


@lru_cache(maxsize=64)
def _advised(architecture: Architecture, workload: Workload, layout: Layout, card: Card, name: str) -> Memory:
    memory = _detailed(architecture, workload, layout, card, name)
    return replace(memory, suggestions=suggestions(architecture, workload, layout, card, memory))


@lru_cache(maxsize=64)
def _detailed(architecture: Architecture, workload: Workload, layout: Layout, card: Card, name: str) -> Memory:
    memory = sized(architecture, workload, layout, card)
    assert memory.training is not None
    plan = architecture, workload, layout, card
    return replace(
        memory,
        largest_micro_batch=partial(largest_micro_batch, *plan),
        longest_sequence_tokens=partial(longest_sequence, *plan),
        rule_note=partial(rule_note, *plan, memory),
        training=replace(memory.training, lines=partial(lines, *plan, name)),
    )
