"""Where the verdict changes: for each number that a person entered, the nearest value that gives another answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from functools import lru_cache

from engine.decide.answer import RUNGS
from engine.decide.layouts import layout_words
from engine.decide.plan import plan
from engine.decide.verdict import decide
from engine.figures.errors import ScenarioError
from engine.figures.records import NamedTuple
from engine.figures.sentences import Figure, text_of
from engine.figures.units import FLEET
from engine.model.formats import FORMATS
from engine.scenario import Scenario
from engine.scenario.change import change
from engine.scenario.checks import check_scenario
from engine.sizing import Answer, Flip, Verdict, flip_id

ANSWER_WORDS: dict[Answer, str] = RUNGS | {"does-not-fit": "no build carries it"}
"""Answers at another value than the entered one."""
# How far from the entered value is looked: past 4,000 times it the question is another one.
FARTHEST_RATIO = 4096
# Fields that change how long a step takes but are no load: the number of replicas they take is no flip of its own.
_NO_LOAD = ("workload.sequence_length", "workload.micro_batch")
FIELD_UNITS = {
    "workload.concurrency": "users",
    "workload.input_tokens": "prompt tokens",
    "workload.output_tokens": "answer tokens",
    "workload.sequence_length": "tokens a sequence",
    "workload.micro_batch": "sequences a micro-batch",
    "workload.requests_per_s": "requests/s",
    "workload.tokens_per_s_user_target": "tokens/s a user",
    "workload.ttft_target_s": "s to the first token",
    "workload.total_tokens": "tokens",
    "workload.deadline_days": "days",
    "workload.budget_usd": "USD",
}
"""The unit of each field that may flip the verdict, as its words end."""
_SINGULAR = {
    "workload.concurrency": "user",
    "workload.input_tokens": "prompt token",
    "workload.output_tokens": "answer token",
    "workload.micro_batch": "sequence a micro-batch",
    "workload.requests_per_s": "request/s",
    "workload.deadline_days": "day",
}
CLOSE = 0.005
"""How near the first value of a field with decimals is found, as a share of it."""


def _fields(scenario: Scenario) -> tuple[str, ...]:
    workload = scenario.workload
    if workload.is_inference:
        # a corpus fills the build, whatever number of users stands beside it
        names = ["concurrency"] if workload.corpus_tokens is None else []
        names += ["input_tokens"] if workload.embeds else ["input_tokens", "output_tokens"]
        if workload.corpus_tokens is not None and (workload.deadline_days or workload.budget_usd) is not None:
            names += ["total_tokens"]
        targets = ["requests_per_s", "tokens_per_s_user_target", "ttft_target_s", "budget_usd"]
        targets += ["deadline_days"] if workload.corpus_tokens is not None else []
        names += [n for n in targets if getattr(workload, n) is not None]
    else:
        names = ["sequence_length", "micro_batch"]
        if workload.deadline_days is not None or workload.budget_usd is not None:
            names += ["total_tokens"]
        names += [n for n in ("deadline_days", "budget_usd") if getattr(workload, n) is not None]
    return tuple(names)


def verdict_at(scenario: Scenario, field: str, value: float) -> Verdict | None:
    """The verdict with one field of the workload changed; None where that value is impossible."""
    try:
        changed = change(scenario, {f"workload.{field}": value})
        check_scenario(changed)
        return decide(changed, plan(changed))
    except ScenarioError:
        return None


def _most(scenario: Scenario, field: str) -> float:
    """The largest value of a field that the model's context allows."""
    limit = scenario.model.architecture.max_position or math.inf
    if field == "input_tokens":
        return limit - scenario.workload.answer_tokens
    if field == "output_tokens":
        return limit - scenario.workload.input_tokens
    return limit if field == "sequence_length" else math.inf


def _search(
    at: Callable[[float], Verdict | None],
    start: float,
    whole: bool,
    up: bool,
    told: Callable[[Verdict], _Told],
    now: _Told,
    most: float,
) -> Generator[None, None, tuple[float, float, Verdict] | None]:
    """The last value with this verdict, the first beyond it with another, and that one; by doubling, then halving.

    Yields after each value that was tried.
    """
    same, ratio = start, 2.0
    other: float | None = None
    found: Verdict | None = None
    while ratio <= FARTHEST_RATIO:
        value = start * ratio if up else start / ratio
        if whole:
            value = float(round(value))
        value = min(most, max(value, 1.0 if whole else 1e-3))
        if value == same:
            return None
        verdict = at(int(value) if whole else value)
        yield
        if verdict is None:
            return None
        if told(verdict) != now:
            other, found = value, verdict
            break
        same, ratio = value, ratio * 2
    if other is None or found is None:
        return None
    close = 1.0 if whole else CLOSE * abs(other)
    while abs(other - same) > close:
        middle = float((int(same) + int(other)) // 2) if whole else (same + other) / 2
        if middle in (same, other):
            break
        verdict = at(int(middle) if whole else middle)
        yield
        if verdict is None:
            return None
        if told(verdict) == now:
            same = middle
        else:
            other, found = middle, verdict
    return same, other, found


def _amount(value: float, whole: bool, up: bool) -> str:
    """A value in three figures, rounded towards the side on which the verdict still holds."""
    if whole:
        for size, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
            if value >= size:
                return f"{_three(value / size, up):,.3g}{unit}"
        return f"{value:,.0f}"
    near = _three(value, up)
    return f"{near:,.0f}" if near >= 1000 else f"{near:.4g}"


def _three(value: float, down: bool) -> float:
    step = 10.0 ** (math.floor(math.log10(value)) - 2)
    return (math.floor if down else math.ceil)(value / step + (1e-9 if down else -1e-9)) * step


def _with_unit(amount: str, field: str) -> str:
    unit = FIELD_UNITS[field]
    if unit == "USD":
        return f"${amount}"
    if amount == "1":
        unit = _SINGULAR.get(field, unit)
    return f"{amount} {unit}"


class _Told(NamedTuple):
    """What is told of a verdict: two verdicts are one when these are. size: of the build: its replicas, its nodes, or the
    GPUs of its one node; 0 of other answers. weights: in fewer bits than entered. measure: what a run changes of itself
    there."""

    answer: Answer
    size: int = 0
    weights: str = ""
    measure: str = ""

    def words(self, scenario: Scenario) -> str:
        """The same in a few words."""
        return f"{self._build(scenario)} with {self.measure}" if self.measure else self._build(scenario)

    def _build(self, scenario: Scenario) -> str:
        if self.answer == "replicas":
            what = "replicas" if scenario.workload.is_inference else "nodes in data parallel"
            return what if not self.size else f"a fleet of {what}" if self.size >= FLEET else f"{self.size:,} {what}"
        if self.answer == "multi-node" and self.size:
            return f"a cluster of {self.size} nodes"
        of = f" of {self.size} GPU{'' if self.size == 1 else 's'}"
        if self.answer == "one-node-int4":
            return f"one node{of} at INT4"
        if self.answer == "one-node":
            return f"one node{of}{f' at {FORMATS[self.weights].label}' if self.weights else ''}"
        return ANSWER_WORDS[self.answer]


def _told(verdict: Verdict, scenario: Scenario, counted: bool = True) -> _Told:
    """What is told of a verdict. counted: whether the number of replicas belongs to it."""
    build, answer = verdict.recommended, verdict.answer
    if build is None:
        return _Told(answer)
    told = _Told(answer, measure=text_of(build.measure))
    if answer == "replicas":
        return told._replace(size=min(verdict.replicas, FLEET) if counted else 0)
    if answer == "multi-node":
        return told._replace(size=build.nodes)
    if answer not in ("one-node", "one-node-int4"):
        return told
    fewer = FORMATS[build.weights].bits_per_weight < FORMATS[scenario.model.weights].bits_per_weight
    weights = build.weights if answer == "one-node" and fewer else ""
    return told._replace(size=build.gpus_per_node, weights=weights)


def _relaid(scenario: Scenario, here: Verdict, name: str, value: float, whole: bool) -> str:
    """In which layout the entered build holds the last value, where that is another one than now; else empty.

    What is shown beside it, such as the users whose KV fits, is of the layout in use.
    """
    build, hardware = here.recommended, scenario.hardware
    entered = (hardware.gpus_per_node, hardware.nodes, scenario.model.weights)
    if build is None or (build.gpus_per_node, build.nodes, build.weights) != entered:
        return ""
    there = plan(change(scenario, {f"workload.{name}": int(value) if whole else value}))
    now = plan(scenario)
    if not (now.carries and there.carries) or replace(there.layout, reason=()) == replace(now.layout, reason=()):
        return ""
    return layout_words(there.layout)


def flip_steps(scenario: Scenario) -> Iterator[Flip | None]:
    """The flip points one by one, and None after each value that was tried: for a caller that must not block.

    Raises ScenarioError for a scenario that has no verdict.
    """
    check_scenario(scenario)
    here = decide(scenario, plan(scenario))
    for name in _fields(scenario):
        entered = scenario.workload.run_tokens if name == "total_tokens" else getattr(scenario.workload, name)
        whole = isinstance(entered, int)

        def at(value: float, name: str = name) -> Verdict | None:
            return verdict_at(scenario, name, value)

        field = f"workload.{name}"

        def told(verdict: Verdict, field: str = field) -> _Told:
            return _told(verdict, scenario, field not in _NO_LOAD)

        for up in (True, False):
            hit = None
            search = _search(at, float(entered), whole, up, told, told(here), _most(scenario, name))
            while True:
                try:
                    next(search)
                except StopIteration as end:
                    hit = end.value
                    break
                yield None
            if hit is None:
                continue
            last, value, verdict = hit
            bound, beyond = ("Up to", "above") if up else ("Down to", "below")
            figure = flip_id(field, value, last)
            layout = _relaid(scenario, here, name, last, whole) if up else ""
            words = (
                f"{bound} ",
                Figure(_with_unit(_amount(last, whole, up), field), figure),
                f"{f' as {layout}' if layout else ''}: ",
                Figure(told(here).words(scenario), figure),
                f"; {beyond}: ",
                Figure(told(verdict).words(scenario), figure),
            )
            yield Flip(field, value, verdict.answer, words, last, layout)


@lru_cache(maxsize=16)
def flip_points(scenario: Scenario) -> tuple[Flip, ...]:
    """For each entered workload number, the nearest value above and below it at which the verdict changes.

    `at` is the first value with the new verdict. Raises ScenarioError for a scenario that has none.
    """
    return tuple(flip for flip in flip_steps(scenario) if flip is not None)
