"""What if: one input swept over its range with all else kept, and the values at which the verdict changes.

Every point is a whole plan with its verdict, so a sweep says what `size` would say at that value, and what taking it makes.
Sweeping the number of GPUs leaves the layout to be chosen anew.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Literal

from engine.decide.flips import ANSWER_WORDS
from engine.decide.plan import Plan, plan
from engine.decide.verdict import decide
from engine.figures.errors import ScenarioError
from engine.figures.records import dataclass
from engine.money.cost import cost
from engine.money.power import power
from engine.parts.hardware import Link
from engine.scenario import Scenario
from engine.scenario.change import FREE_LAYOUT, Changes, change
from engine.scenario.checks import check_scenario
from engine.sizing import Answer, Verdict

Value = int | str
SPAN = 32
"""How far from the entered number a sweep reaches, as a ratio to either side: five doublings."""
PER_DOUBLING = 4
"""Points for each doubling: the doublings of the entered value itself are always among them."""
FEWEST_TOKENS = 128
GPU_COUNTS = (1, 2, 4, 6, 8, 10, 12, 16)
NODE_COUNTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
_SERVING = ("workload.concurrency", "workload.input_tokens", "workload.output_tokens")
_TRAINING = ("workload.sequence_length", "workload.micro_batch")
_HARDWARE = ("hardware.gpus_per_node", "hardware.nodes", "hardware.intra_link", "hardware.inter_link")
_COUNTS = ("hardware.gpus_per_node", "hardware.nodes")
LINK_FIELDS = ("hardware.intra_link", "hardware.inter_link")

Figure = Literal[
    "tokens_per_s_total",
    "tokens_per_s_user",
    "ttft_s",
    "max_users",
    "memory_share",
    "usd_per_million_tokens",
    "tokens_per_s_gpu",
    "days",
    "mfu",
    "run_usd",
]
SERVING_FIGURES: tuple[Figure, ...] = (
    "tokens_per_s_total",
    "tokens_per_s_user",
    "ttft_s",
    "max_users",
    "memory_share",
    "usd_per_million_tokens",
)
CORPUS_FIGURES: tuple[Figure, ...] = ("days", "run_usd")
"""Beside those of serving, for a batch with a corpus."""
TRAINING_FIGURES: tuple[Figure, ...] = (
    "tokens_per_s_total",
    "tokens_per_s_gpu",
    "days",
    "mfu",
    "memory_share",
    "run_usd",
)


@dataclass(frozen=True, slots=True)
class SweepPoint:
    """The build at one value. answer None: impossible there, and why.

    memory_share: of the memory that may be used, on the fullest GPU, 1.0 is full. max_users: that fit at this length.
    """

    value: Value
    answer: Answer | None
    carries: bool = False
    replicas: int = 1
    reason: str = ""
    memory_share: float | None = None
    max_users: float | None = None
    tokens_per_s_total: float | None = None
    tokens_per_s_user: float | None = None
    ttft_s: float | None = None
    usd_per_million_tokens: float | None = None
    tokens_per_s_gpu: float | None = None
    days: float | None = None
    mfu: float | None = None
    run_usd: float | None = None

    def figure(self, name: Figure) -> float | None:
        """One figure by its name; None where there is none."""
        value: float | None = getattr(self, name)
        return value

    @property
    def verdict(self) -> str:
        """The verdict in words, or why the value is impossible."""
        if self.answer is None:
            return self.reason
        return f"{self.replicas} replicas" if self.answer == "replicas" else ANSWER_WORDS[self.answer]

    @property
    def words(self) -> str:
        """The verdict, and whether the build as it is carries the workload there."""
        told = self.carries or self.answer in (None, "does-not-fit")
        return self.verdict if told else f"{self.verdict}, not this build"


@dataclass(frozen=True, slots=True)
class SweepFlip:
    """Where the verdict changes: the last value of the old one, the first of the new one, and both in words."""

    last: Value
    first: Value
    before: str
    after: str


def figures(scenario: Scenario) -> tuple[Figure, ...]:
    """The figures of a sweep of this kind of work: a batch with a corpus has days and a rent, as a run has."""
    if not scenario.workload.is_inference:
        return TRAINING_FIGURES
    return (*CORPUS_FIGURES, *SERVING_FIGURES) if scenario.workload.is_run else SERVING_FIGURES


def fields(scenario: Scenario) -> tuple[str, ...]:
    """Dotted keys that a sweep makes sense of for this workload and build."""
    work: tuple[str, ...] = _SERVING if scenario.workload.is_inference else _TRAINING
    if scenario.workload.corpus_tokens is not None:
        work = tuple(field for field in work if field != "workload.concurrency")  # the corpus fills the build
    hardware = scenario.hardware
    left_out = []
    if hardware.gpus_per_node == 1:
        left_out.append("hardware.intra_link")
    if hardware.nodes == 1:
        left_out.append("hardware.inter_link")
    return work + tuple(field for field in _HARDWARE if field not in left_out)


def entered(scenario: Scenario, field: str) -> Value:
    """The value that the scenario has now: a number, or the id of a link."""
    section, _, name = field.partition(".")
    value = getattr(getattr(scenario, section), name)
    return value.id if isinstance(value, Link) else int(value)


def values(scenario: Scenario, field: str, per_doubling: int = PER_DOUBLING) -> tuple[Value, ...]:
    """The values to sweep, in order, the entered one and its doublings among them; links from the widest down."""
    now = entered(scenario, field)
    hardware = scenario.hardware
    if field in LINK_FIELDS:
        return _links(scenario, field)
    assert isinstance(now, int)
    if field == "hardware.gpus_per_node":
        most = hardware.accelerator.max_gpus_per_node or GPU_COUNTS[-1]
        return tuple(sorted({now, *(count for count in GPU_COUNTS if count <= most)}))
    if field == "hardware.nodes":
        return tuple(sorted({now, *(count for count in NODE_COUNTS if count <= max(16, 2 * now))}))
    low, high = max(1, now // SPAN), now * SPAN
    if field in ("workload.input_tokens", "workload.sequence_length"):
        beside = scenario.workload.answer_tokens if scenario.workload.is_inference else 0
        high = max(now, min(high, scenario.model.architecture.max_position - beside))
        low = min(now, max(FEWEST_TOKENS, low))
    reach = SPAN.bit_length() * per_doubling
    found = {now, high}
    for step in range(-reach, reach + 1):
        value = now * 2.0 ** (step / per_doubling)
        found.add(round(value) if step % per_doubling == 0 else _round(value))
    return tuple(sorted(value for value in found if low <= value <= high))


def _round(value: float) -> int:
    """To two figures: people read 140, not 139."""
    if value < 100:
        return max(1, round(value))
    unit = 10 ** (math.floor(math.log10(value)) - 1)
    return int(round(value / unit) * unit)


def _links(scenario: Scenario, field: str) -> tuple[Value, ...]:
    hardware = scenario.hardware
    scope = "intra-node" if field == "hardware.intra_link" else "inter-node"
    now = hardware.intra_link if field == "hardware.intra_link" else hardware.inter_link
    gpus = hardware.gpus_per_node if scope == "intra-node" else 1
    fitting = [link for link in scenario.facts.links if link.max_gpus is None or link.max_gpus >= gpus]
    links = {link.id: link for link in fitting if link.scope == scope and not link.status}
    links[now.id] = now
    ordered = sorted(links.values(), key=lambda link: (-link.peak_gb_s_unidir, link.id))
    return tuple(link.id for link in ordered)


def changes_to(scenario: Scenario, field: str, value: Value) -> Changes:
    """The changes that take the swept input to a value: with another count of GPUs the layout is left to choose."""
    if value == entered(scenario, field):
        return {}
    return {field: value, **(FREE_LAYOUT if field in _COUNTS else {})}


def at(scenario: Scenario, field: str, value: Value) -> Scenario:
    """The scenario with the swept input at a value. Raises ScenarioError for a link that the catalog does not have."""
    return change(scenario, changes_to(scenario, field, value))


def point(scenario: Scenario, field: str, value: Value) -> SweepPoint:
    """The build at one value; impossible values say why."""
    try:
        there = at(scenario, field, value)
        check_scenario(there)
        found = plan(there)
        verdict = decide(there, found)
    except ScenarioError as error:
        return SweepPoint(value, None, reason=error.reason)
    return _figures(value, found, verdict)


def _figures(value: Value, found: Plan, verdict: Verdict) -> SweepPoint:
    money = cost(found, power(found.scenario))
    worst = found.memory.worst
    serving, training = found.serving, found.training
    rate = serving.tokens_per_s_total if serving is not None else None
    if training is not None:
        rate = training.tokens_per_s_total
    return SweepPoint(
        value,
        verdict.answer,
        found.carries,
        verdict.replicas,
        "",
        worst.fill,
        float(found.memory.users_that_fit) if found.scenario.workload.is_inference else None,
        rate,
        serving.tokens_per_s_user if serving is not None else None,
        serving.ttft_s if serving is not None else None,
        money.usd_per_million_tokens,
        training.tokens_per_s_gpu if training is not None else None,
        found.run_days,
        training.mfu if training is not None else None,
        money.run_usd,
    )


def sweep(scenario: Scenario, field: str, over: Sequence[Value] | None = None) -> Iterator[SweepPoint]:
    """One point after another, so that a caller can draw what there is and stop."""
    for value in values(scenario, field) if over is None else over:
        yield point(scenario, field, value)


def _state(found: SweepPoint) -> tuple[Answer | None, bool]:
    return found.answer, found.carries


def flips(scenario: Scenario, field: str, points: Sequence[SweepPoint]) -> Iterator[SweepFlip]:
    """Every change of the verdict along the points, workload numbers narrowed down to the first value by halving.

    The number of replicas alone is no change: it grows with every step of the load.
    """
    exact = field.startswith("workload.")  # between two counts of GPUs lie boxes that nobody builds
    for left, right in itertools.pairwise(points):
        if _state(left) == _state(right):
            continue
        last, first = left, right
        while exact and isinstance(last.value, int) and isinstance(first.value, int) and first.value - last.value > 1:
            middle = point(scenario, field, (last.value + first.value) // 2)
            if _state(middle) == _state(last):
                last = middle
            else:
                first = middle
        yield SweepFlip(last.value, first.value, last.words, first.words)
