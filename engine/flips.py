"""Where the verdict changes: for each number that a person entered, the nearest value that gives another answer."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

from engine.checks import check_scenario
from engine.errors import ScenarioError
from engine.plan import plan
from engine.scenario import Scenario
from engine.sizing import Answer, Flip, Verdict
from engine.verdict import decide

ANSWER_WORDS: dict[Answer, str] = {
    "one-gpu": "one GPU",
    "one-node": "one node",
    "one-node-int4": "one node at INT4",
    "replicas": "replicas",
    "multi-node": "a cluster",
    "frontier": "the frontier",
    "does-not-fit": "does not fit",
}
# How far from the entered value is looked: past 4,000 times it the question is another one.
FARTHEST_RATIO = 4096
FIELD_UNITS = {
    "workload.concurrency": "users",
    "workload.input_tokens": "prompt tokens",
    "workload.sequence_length": "tokens a sequence",
    "workload.micro_batch": "sequences a micro-batch",
    "workload.requests_per_s": "requests/s",
    "workload.tokens_per_s_user_target": "tokens/s a user",
    "workload.total_tokens": "tokens",
    "workload.deadline_days": "days",
}
"""The unit of each field that may flip the verdict, as its words end."""


def _fields(scenario: Scenario) -> tuple[str, ...]:
    workload = scenario.workload
    if workload.is_inference:
        names = ["concurrency", "input_tokens"]
        names += [n for n in ("requests_per_s", "tokens_per_s_user_target") if getattr(workload, n) is not None]
    else:
        names = ["sequence_length", "micro_batch"]
        if workload.deadline_days is not None:
            names += ["total_tokens", "deadline_days"]
    return tuple(names)


def verdict_at(scenario: Scenario, field: str, value: float) -> Verdict | None:
    """The verdict with one field of the workload changed; None where that value is impossible."""
    change: dict[str, Any] = {field: value}
    changed = replace(scenario, workload=replace(scenario.workload, **change))
    try:
        check_scenario(changed)
        return decide(changed, plan(changed))
    except ScenarioError:
        return None


def _key(verdict: Verdict) -> tuple[object, ...]:
    """What counts as the same verdict: the answer, and how much of it."""
    build = verdict.recommended
    size = (build.gpus_per_node, build.nodes) if build is not None else ()
    return verdict.answer, verdict.replicas, *size


def _search(
    at: Callable[[float], Verdict | None], start: float, whole: bool, up: bool, now: tuple[object, ...]
) -> Generator[None, None, tuple[float, Verdict] | None]:
    """The first value beyond start, in one direction, whose verdict differs; found by doubling, then halving.

    Yields after each value that was tried.
    """
    same, ratio = start, 2.0
    other: float | None = None
    found: Verdict | None = None
    while ratio <= FARTHEST_RATIO:
        value = start * ratio if up else start / ratio
        if whole:
            value = float(round(value))
        if value < (1 if whole else 1e-3):
            value = 1.0 if whole else 1e-3
        verdict = at(int(value) if whole else value)
        yield
        if verdict is None:
            break
        if _key(verdict) != now:
            other, found = value, verdict
            break
        if value <= 1 and whole and not up:
            return None
        same, ratio = value, ratio * 2
    if other is None or found is None:
        return None
    close = 1.0 if whole else 0.005 * abs(other)
    while abs(other - same) > close:
        middle = float((int(same) + int(other)) // 2) if whole else (same + other) / 2
        if middle in (same, other):
            break
        verdict = at(int(middle) if whole else middle)
        yield
        if verdict is None:
            return None
        if _key(verdict) == now:
            same = middle
        else:
            other, found = middle, verdict
    return other, found


def _amount(value: float, whole: bool) -> str:
    if not whole:
        return f"{value:,.3g}"
    for size, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if value >= size:
            return f"{value / size:,.3g}{unit}"
    return f"{value:,.0f}"


def _answer_words(verdict: Verdict, entered_gpus: int) -> str:
    """The answer in a few words, with its size where that is what changes."""
    build = verdict.recommended
    if build is not None:
        if verdict.answer == "replicas":
            return f"{verdict.replicas} replicas"
        if verdict.answer == "multi-node":
            return f"a cluster of {build.nodes} nodes"
        if verdict.answer in ("one-node", "one-node-int4") and build.gpus_per_node != entered_gpus:
            return f"{ANSWER_WORDS[verdict.answer]} of {build.gpus_per_node} GPUs"
    return ANSWER_WORDS[verdict.answer]


def flip_steps(scenario: Scenario) -> Iterator[Flip | None]:
    """The flip points one by one, and None after each value that was tried: for a caller that must not block.

    Raises ScenarioError for a scenario that has no verdict.
    """
    check_scenario(scenario)
    here = decide(scenario, plan(scenario))
    for name in _fields(scenario):
        entered = getattr(scenario.workload, name)
        whole = isinstance(entered, int)

        def at(value: float, name: str = name) -> Verdict | None:
            return verdict_at(scenario, name, value)

        field = f"workload.{name}"
        for up in (True, False):
            hit = None
            search = _search(at, float(entered), whole, up, _key(here))
            while True:
                try:
                    next(search)
                except StopIteration as end:
                    hit = end.value
                    break
                yield None
            if hit is None:
                continue
            value, verdict = hit
            edge = value - 1 if whole and up else value + 1 if whole else value
            bound = "up to" if up else "down to"
            gpus = scenario.hardware.gpus_per_node
            words = (
                f"{_answer_words(here, gpus)} {bound} {_amount(edge, whole)} {FIELD_UNITS[field]}; "
                f"then {_answer_words(verdict, gpus)}"
            )
            yield Flip(field, value, verdict.answer, words)


@lru_cache(maxsize=256)
def flip_points(scenario: Scenario) -> tuple[Flip, ...]:
    """For each entered workload number, the nearest value above and below it at which the verdict changes.

    `at` is the first value with the new verdict. Raises ScenarioError for a scenario that has none.
    """
    return tuple(flip for flip in flip_steps(scenario) if flip is not None)
