"""A flip point on numbers that remember: the first value with another verdict, and the condition that decides it."""

from __future__ import annotations

from typing import Any, Final

from engine.decide.answer import edge
from engine.decide.flips import FIELD_UNITS, flip_points, verdict_at
from engine.decide.opened.base import Base, Found
from engine.decide.opened.limits import Limit, binding, limits
from engine.decide.opened.replicas import replicas, under
from engine.decide.opened.searches import beyond, most
from engine.decide.plan import Plan, plan
from engine.decide.verdict import step_plan
from engine.figures.errors import ScenarioError
from engine.figures.number import Number
from engine.figures.sentences import text_of
from engine.scenario import Scenario
from engine.scenario.change import change
from engine.sizing import Flip, Verdict

SEARCH: Final = "doubling, then halving, the build decided anew by the six steps at each value: docs/verdict.md"
COUNT: Final = "the verdict on the other side of the value"


def found(build: Base, name: str) -> Found:
    """`flip.FIELD.up` or `flip.FIELD.down` of a field of the workload. Raises KeyError where nothing flips."""
    scenario = build.plan.scenario
    flip = next((one for one in flip_points(scenario) if one.figure == f"flip.{name}"), None)
    if flip is None:
        raise KeyError(f"flip.{name}")
    field = flip.field.partition(".")[2]
    there = verdict_at(scenario, field, flip.at)
    value = build.keep(f"flip.{name}", lambda: _value(scenario, flip, field, there))
    note = f"{_sentence(text_of(flip.words))} There: {_told(there)} Until {text_of(edge(flip))} it is the same."
    return Found(value, "Where the verdict changes", FIELD_UNITS[flip.field], SEARCH, note)


def _value(scenario: Scenario, flip: Flip, field: str, there: Verdict | None) -> Number:
    """The first value with another verdict, with the condition of the smaller build that decides it."""
    whole = isinstance(_held(scenario, field), int)
    at: Any = int(flip.at) if whole else flip.at
    here = verdict_at(scenario, field, flip.last)
    bound = None if here is None or there is None else _bound(scenario, field, flip, here, there)
    if bound is None:
        words = f"first value with another verdict than {flip.last:,g}"
        return Number(at, label=words, unit=FIELD_UNITS[flip.field], kind="sought", source=SEARCH)
    ours, theirs, kept_there = bound
    if kept_there:
        return most(at, ours.held, ours.limit, f"the first value for which {ours.words}")
    return beyond(at, theirs.held, theirs.limit, f"the first value at which it no longer holds that {theirs.words}")


def _bound(
    scenario: Scenario, field: str, flip: Flip, here: Verdict, there: Verdict
) -> tuple[Limit, Limit, bool] | None:
    """The condition that the smaller build keeps on one side and breaks on the other, and whether it keeps it there."""
    sizes = tuple(_size(one, scenario.model.weights) for one in (here, there))
    kept_there = sizes[1] < sizes[0]
    value, other, verdict = (flip.at, flip.last, there) if kept_there else (flip.last, flip.at, here)
    asked = _changed(scenario, field, value)
    small = step_plan(asked, plan(asked), verdict.step)
    if small is None or sizes[0] == sizes[1]:
        return None
    try:
        loaded = plan(_changed(small.scenario, field, other))
    except ScenarioError:
        return None
    if verdict.answer == "replicas":
        found = binding(*(_enough(one, field, verdict.replicas) for one in (small, loaded)))
        found = found or binding(*(limits(under(one, 1, field)) for one in (small, loaded)))
    else:
        found = binding(*(limits(Base(one, sought=field)) for one in (small, loaded)))
    return None if found is None else (*found, kept_there)


def _enough(one: Plan, field: str, count: int) -> dict[str, Limit]:
    """That so many replicas of a node are enough; empty where none would be."""
    try:
        needed = replicas(Base(one, sought=field), "").value
    except KeyError:
        return {}
    words = f"{count:,} replicas are enough"
    return {words: Limit(words, needed, Number(count, label="replicas of the verdict", kind="counted", source=COUNT))}


def _size(verdict: Verdict, entered: str) -> tuple[int, int, int, bool]:
    """What orders the builds of two verdicts. entered: the format of the weights."""
    build = verdict.recommended
    if build is None:
        return (verdict.step, 0, verdict.replicas, False)
    other = build.weights != entered or bool(build.changes)
    return (verdict.step, build.nodes * build.gpus_per_node, verdict.replicas, other)


def _held(scenario: Scenario, field: str) -> Any:
    return scenario.workload.run_tokens if field == "total_tokens" else getattr(scenario.workload, field)


def _changed(scenario: Scenario, field: str, value: float) -> Scenario:
    whole = isinstance(_held(scenario, field), int)
    return change(scenario, {f"workload.{field}": int(value) if whole else value})


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:].rstrip('.')}."


def _told(verdict: Verdict | None) -> str:
    """A verdict in words."""
    return "no verdict" if verdict is None else f"{text_of(verdict.headline)}: {text_of(verdict.reason)}."
