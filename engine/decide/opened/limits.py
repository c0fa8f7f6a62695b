"""What bounds a build, on numbers that remember: the first condition that it keeps and a little more load breaks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from engine.decide.opened.base import Base
from engine.decide.opened.constants import constant
from engine.figures.number import plain
from engine.figures.records import NamedTuple
from engine.serving.memory import PREEMPTION_LINE
from engine.serving.targets import first_figure, user_figure

_LINE: Final = constant("engine.serving.memory", "PREEMPTION_LINE", PREEMPTION_LINE)


class Limit(NamedTuple):
    """A condition, held <= limit, and how it is told of a build that keeps it."""

    words: str
    held: Any
    limit: Any


def _of_memory(build: Base, with_room: bool) -> Iterator[Limit]:
    memory, kind = build.memory, build.plan.scenario.workload.kind
    if not build.plan.scenario.workload.is_inference:
        yield Limit("a step fits the card", memory.peak_bytes, memory.per_gpu[0].usable_bytes)
        return
    yield Limit("one sequence fits", 1, memory.reported_concurrency)
    if kind != "batch":
        yield Limit("the KV of all fits", build.scenario.workload.concurrency, memory.users_that_fit)
    if with_room:
        fullest = max(memory.per_gpu, key=lambda group: plain(group.used_bytes) / plain(group.usable_bytes))
        words = "memory stays below the line where engines preempt"
        yield Limit(words, fullest.used_bytes / fullest.usable_bytes, _LINE)


def _of_speed(build: Base) -> Iterator[Limit]:
    work, speed = build.scenario.workload, build.speed
    if build.plan.serving is not None:
        first, user = first_figure(build.plan.scenario.workload), user_figure(build.plan.scenario.workload)
        yield Limit("the first token comes in time", getattr(speed, first.partition(".")[2]), work.ttft_target_s)
        yield Limit(
            "each user gets the tokens/s", work.tokens_per_s_user_target, getattr(speed, user.partition(".")[2])
        )
        yield Limit("the requests/s are served", work.requests_per_s, speed.best_requests_per_s)
    if work.deadline_days is not None:
        yield Limit("the work is done in time", build.planned.run_days, work.deadline_days)
    if work.budget_usd is not None:
        yield Limit("the money suffices", build.planned.spend_usd, work.budget_usd)


def limits(build: Base, with_room: bool = False) -> dict[str, Limit]:
    """The conditions of a build by their words, in the order in which they are asked for.

    with_room: whether the memory may not be filled past the line where engines preempt.
    """
    with build.within:
        found = (*_of_memory(build, with_room), *(_of_speed(build) if build.timed else ()))
    return {one.words: one for one in found if one.held is not None and one.limit is not None}


def binding(kept: Mapping[str, Limit], broken: Mapping[str, Limit]) -> tuple[Limit, Limit] | None:
    """The first condition that one build keeps and another breaks, as it is of each; None where there is none."""
    for words, one in kept.items():
        other = broken.get(words)
        if other is not None and plain(one.held) <= plain(one.limit) and plain(other.held) > plain(other.limit):
            return one, other
    return None
