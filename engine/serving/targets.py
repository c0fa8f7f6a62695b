"""What a workload asks of a serving build, and what of it is missed."""

from __future__ import annotations

from typing import Final

from engine.figures.records import NamedTuple
from engine.figures.sentences import Figure, Sentence
from engine.figures.units import SECONDS_PER_DAY, digits, duration
from engine.scenario import Statistic, Workload
from engine.sizing import Miss


class Latency(NamedTuple):
    """What is asked of each user's wait and speed: seconds to the first token, tokens/s, and of which requests."""

    first_s: float | None = None
    user: float | None = None
    first_at: Statistic = "mean"
    user_at: Statistic = "mean"


def latency_of(work: Workload) -> Latency:
    """The latency targets of a workload."""
    return Latency(
        work.ttft_target_s, work.tokens_per_s_user_target, work.ttft_target_at, work.tokens_per_s_user_target_at
    )


SAID: Final[dict[Statistic, str]] = {"mean": "", "p50": " (p50)", "p95": " (p95)", "p99": " (p99)"}
"""A statistic behind a figure; the mean goes without saying."""


def first_figure(work: Workload) -> str:
    """The id of the first token that a target is held against."""
    return "serving.ttft_s" if work.ttft_target_at == "mean" else f"serving.ttft_{work.ttft_target_at}_s"


def user_figure(work: Workload) -> str:
    """The id of the speed of a user that a target is held against."""
    at = work.tokens_per_s_user_target_at
    return "serving.tokens_per_s_user" if at == "mean" else f"serving.tokens_per_s_user_{at}"


def corpus_days(work: Workload, requests_per_s: float) -> float | None:
    """Days that the corpus of a batch takes at so many requests a second; None without a corpus."""
    requests = work.corpus_requests
    return None if requests is None else requests / requests_per_s / SECONDS_PER_DAY


def has_targets(work: Workload) -> bool:
    """Whether a wait, a speed, a rate or the end of a corpus is asked for."""
    if work.corpus_tokens is not None and work.deadline_days is not None:
        return True
    return not (work.ttft_target_s is work.tokens_per_s_user_target is work.requests_per_s is None)


def misses_of(
    work: Workload, ttft_s: float, inter_token_s: float, most_requests_per_s: float, requests_per_s: float
) -> tuple[Miss, ...]:
    """The targets that a load misses: of the first token, of tokens/s per user, of requests/s, and a corpus its deadline.

    most_requests_per_s: of all engines at their best load; 0 has none. requests_per_s: of all engines under this load.
    """
    first, user, rate = work.ttft_target_s, work.tokens_per_s_user_target, work.requests_per_s
    found = []
    if first is not None and ttft_s > first:
        found.append(Miss("workload.ttft_target_s", first, ttft_s))
    if user is not None and 1 / inter_token_s < user:
        found.append(Miss("workload.tokens_per_s_user_target", user, 1 / inter_token_s))
    if rate is not None and 0.0 < most_requests_per_s < rate:
        found.append(Miss("workload.requests_per_s", rate, most_requests_per_s))
    length, deadline = corpus_days(work, requests_per_s), work.deadline_days
    if length is not None and deadline is not None and length > deadline:
        found.append(Miss("workload.deadline_days", deadline, length))
    return tuple(found)


def missed(miss: Miss, work: Workload) -> Sentence:
    """A target that is missed: what the build does, and what was asked."""
    if miss.target == "workload.ttft_target_s":
        wait, asked = Figure(duration(miss.got), first_figure(work)), Figure(duration(miss.asked), "load.ttft_target_s")
        return ("first token after ", wait, f"{SAID[work.ttft_target_at]}, target ", asked)
    if miss.target == "workload.tokens_per_s_user_target":
        asked, at = Figure(f"{miss.asked:g}", "load.tokens_per_s_user_target"), work.tokens_per_s_user_target_at
        return (Figure(digits(miss.got), user_figure(work)), f" tokens/s per user{SAID[at]}, target ", asked)
    if miss.target == "workload.requests_per_s":
        most, asked = (
            Figure(digits(miss.got), "serving.best_requests_per_s"),
            Figure(f"{miss.asked:g}", "load.requests_per_s"),
        )
        return ("at most ", most, " requests/s, target ", asked)
    length = Figure(duration(miss.got * SECONDS_PER_DAY), "serving.days")
    return (
        "the corpus takes ",
        length,
        " against a deadline of ",
        Figure(digits(miss.asked), "load.deadline_days"),
        " days",
    )
