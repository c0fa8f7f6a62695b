"""What 50, 95 and 99 of 100 requests stay below, against a queue that is played through and on sizings of which one thing differs."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pytest

from engine.decide.opened.build import Build
from engine.decide.plan import plan
from engine.decide.size import size
from engine.figures.sentences import Figure, text_of
from engine.scenario import LayoutChoice, Statistic
from engine.serving.mix import Mix, busy_of, wait_of
from engine.serving.spread import waited_s
from engine.sizing import Serving, Sizing
from tests.engine.builds import build
from tui.shell.report_words import workload_line

AT: tuple[Statistic, ...] = ("p50", "p95", "p99")


def sized(**load: Any) -> Sizing:
    """A 70B on four cards under 32 users unless told otherwise."""
    usual = {"concurrency": 32, "input_tokens": 7000, "output_tokens": 500}
    return size(build("llama-3.1-70b", "fp8", "h100-sxm", 4, 1, LayoutChoice(tp=4), **usual | load))


def speed(**load: Any) -> Serving:
    """Its speed."""
    serving = sized(**load).serving
    assert serving is not None
    return serving


def played(load: float, requests: int = 200_000) -> list[float]:
    """Waits of requests that come at random to one server that takes a second for each (Lindley's recursion), sorted."""
    chance, wait, found = random.Random(7), 0.0, []
    for _ in range(requests):
        found.append(wait)
        wait = max(0.0, wait + 1.0 - chance.expovariate(load))
    return sorted(found)


@pytest.mark.parametrize("load", [0.6, 0.8, 0.9])
def test_waits_are_those_of_a_queue_that_is_played_through(load: float) -> None:
    # so many users that none is missed in the queue; as many steps as keep the server busy for that share
    users, after = 10_000, 20_000
    step = users * 1.0 * (1 / load - 1) / after
    mix = Mix(users, users - 1.0, after, 1, 0.0, 0.0, 0.0, 1.0, 1.0, 0.5, 1.0, arriving=True)
    assert busy_of(mix, step, 1.0) == pytest.approx(load)
    waits = played(load)
    assert wait_of(mix, step, 1.0) == pytest.approx(sum(waits) / len(waits), rel=0.05)
    for at, share in (("p95", 0.95), ("p99", 0.99)):
        measured = waits[int(share * len(waits))]
        assert waited_s(mix, step, 1.0, at) == pytest.approx(measured, rel=0.15)  # type: ignore[arg-type] # p95, p99


@pytest.mark.parametrize(
    "load",
    [{}, {"requests": 32}, {"requests_per_s": 2.5}, {"output_tokens": 20}, {"concurrency": 300}, {"requests": 96}],
)
def test_more_of_the_requests_stay_below_more(load: dict[str, Any]) -> None:
    found = speed(**load)
    for name in ("ttft", "inter_token"):
        values = [getattr(found, f"{name}_{at}_s") for at in AT]
        assert values == sorted(values)
        assert values[0] <= getattr(found, f"{name}_s") * 1.001 <= values[1] * 1.001
    assert found.tokens_per_s_user_p95 == 1 / found.inter_token_p95_s


def test_who_is_alone_waits_for_nobody() -> None:
    alone = speed(concurrency=1)
    assert {alone.ttft_p50_s, alone.ttft_p95_s, alone.ttft_p99_s} == {alone.ttft_s}
    assert {alone.inter_token_p50_s, alone.inter_token_p99_s} == {alone.inter_token_s}


def test_in_a_burst_prompts_are_read_one_by_one() -> None:
    # evenly from the first to the last: the 95th of 100 waits for nine tenths more than the middle one
    burst, alone = speed(requests=32), speed(concurrency=1)
    middle, last = burst.ttft_p50_s - alone.ttft_s, burst.ttft_p95_s - alone.ttft_s
    assert last / middle == pytest.approx(0.95 / 0.5, rel=0.05)
    assert burst.ttft_p50_s == pytest.approx(burst.ttft_s)


@pytest.mark.parametrize("after", [0, 1, 100])
@pytest.mark.parametrize("step_s", [0.001, 0.1, 10.0])
def test_who_starts_with_all_others_waits_for_no_queue(after: int, step_s: float) -> None:
    burst = Mix(64.0, 63.0, after, 1, 1.0, 0.0, 0.0, 1.0, 1.0, 0.5, 1.0)
    middle = wait_of(burst, step_s, 0.2)
    assert middle == pytest.approx(63 * 0.2 / 2)
    assert waited_s(burst, step_s, 0.2, "p50") == pytest.approx(middle)
    assert waited_s(burst, step_s, 0.2, "p99") == pytest.approx(63 * 0.2 * 0.99)


def test_what_arrives_at_random_spreads_farther_between_tokens() -> None:
    kept, random_ = speed(), speed(requests_per_s=2.5)
    assert random_.inter_token_p95_s / random_.inter_token_s > kept.inter_token_p95_s / kept.inter_token_s


@pytest.mark.parametrize("at", AT)
@pytest.mark.parametrize(
    ("target", "figure"), [("ttft_target", "ttft_{}_s"), ("tokens_per_s_user_target", "tokens_per_s_user_{}")]
)
def test_a_target_of_so_many_is_missed_just_past_theirs(target: str, figure: str, at: str) -> None:
    key = "ttft_target_s" if target == "ttft_target" else target
    got = getattr(speed(), figure.format(at))
    ease = 1.001 if key == "ttft_target_s" else 0.999
    kept, missing = (sized(**{key: value, f"{target}_at": at}) for value in (got * ease, got / ease))
    assert kept.serving is not None
    assert missing.serving is not None
    assert (kept.serving.meets_targets, missing.serving.meets_targets) == (True, False)
    assert missing.serving.misses[0].got == got
    assert f"({at})" in text_of(missing.serving.missed[0])
    ids = {part.figure for part in missing.serving.missed[0] if isinstance(part, Figure)}
    assert f"serving.{figure.format(at)}" in ids
    assert f"({at})" in text_of(missing.answer.why)


def test_the_best_load_keeps_the_target_of_so_many() -> None:
    best = []
    for at in ("mean", *AT[1:]):
        found = sized(concurrency=1, ttft_target_s=0.9, ttft_target_at=at).serving
        assert found is not None
        best.append(found.best_concurrency)
        inside, past = (
            speed(concurrency=users, ttft_target_s=0.9, ttft_target_at=at).meets_targets
            for users in (found.best_concurrency, found.best_concurrency + 1)
        )
        assert (inside, past) == (True, False)
    assert all(more > fewer for more, fewer in pairwise(best))


def test_its_figures_open_and_their_intervals_are_wider() -> None:
    sizing = sized(ttft_target_s=2.0, ttft_target_at="p95", requests_per_s=2.5)
    found, opened = sizing.serving, Build(plan(sizing.scenario))
    assert found is not None
    for figure in ("ttft_p95_s", "ttft_p99_s", "inter_token_p95_s", "tokens_per_s_user_p99", "best_concurrency"):
        assert opened.number(f"serving.{figure}").value == pytest.approx(getattr(found, figure), abs=0)
    working = opened.working("serving.ttft_p95_s")
    assert "by a rule" in working.note
    assert working.interval is not None
    mean = found.ttft_interval
    assert working.interval.high / found.ttft_p95_s == pytest.approx((mean.high / found.ttft_s) ** 1.5)
    assert "first token within 2 s (p95)" in workload_line(sizing.scenario)
