"""How first tokens and times per token spread over the requests of a load: the median, and what 95 or 99 of 100 stay below.

A load's first token is a wait and what follows it. Waits have three forms, each as often as `engine.serving.mix` has it:

- in a queue: a share rho of the prompts waits at all, those exponentially long (exact for M/M/1; the limit of M/G/1 under
  load: Kingman 1961, "The single server queue in heavy traffic"), so that p of all wait less than
  wait / rho x ln(rho / (1 - p)), and the mean is that of `mix.wait_of`; users who wait for answers never wait for more than all others;
- at a run's start: one prompt after another, evenly up to all others;
- read in one pass: all alike.

The quantiles of the forms are averaged with their shares, which keeps the mean. A token's time differs with the prompts of others
that fall between the tokens of a request: each of them falls there or before the first one (binomial), or at random (Poisson) where
requests arrive so. Lengths that differ, and drafts that are kept or not, are left out: the spread is that of the load alone.
"""

from __future__ import annotations

import math

from engine.scenario import Statistic
from engine.serving.mix import Mix, left_of, pass_of, together_of, waits_of

HALF = 0.5
BELOW_95, BELOW_99 = 0.95, 0.99
DEVIATIONS_95, DEVIATIONS_99 = 1.6449, 2.3263


def below(at: Statistic) -> float:
    """The share of the requests that stay below a statistic."""
    return BELOW_99 if at == "p99" else BELOW_95 if at == "p95" else HALF


def deviations(at: Statistic) -> float:
    """Standard deviations of a normal distribution above its mean."""
    return DEVIATIONS_99 if at == "p99" else DEVIATIONS_95 if at == "p95" else 0.0


def waited_s(mix: Mix, step_s: float, share_s: float, at: Statistic) -> float:
    """Seconds that so many of the prompts wait at most for those of others."""
    others = mix.others * share_s
    if others <= 0.0:
        return 0.0
    waits, share = waits_of(mix, step_s, share_s), below(at)
    # as many as one pass reads end together; the others follow one by one
    alike = 2.0 * mix.half - 1.0
    middle = others * mix.half if mix.burst >= 1.0 else waits.started_s
    started = middle * (alike + share * (1.0 - alike)) / mix.half
    queue = 0.0
    if waits.queued > 1.0 - share:
        queue = waits.queue_s / waits.queued * math.log(waits.queued / (1.0 - share))
    if not mix.arriving:
        queue = min(queue, others)
    return mix.burst * started + (1.0 - mix.burst) * (waits.kept * waits.again_s + (1.0 - waits.kept) * queue)


def first_extra_s(mix: Mix, step_s: float, share_s: float, wait_s: float, place_s: float, at: Statistic) -> float:
    """What is added to the mean first token for a statistic, seconds; negative where that is sooner.

    wait_s: the mean wait for others' prompts. place_s: the mean wait for a place, which at a run's start is even up to twice it.
    """
    share = below(at)
    step = (1.0 - together_of(mix, step_s, share_s)) * step_s * (share - HALF)
    place = mix.burst * 2.0 * place_s * (share - HALF) if mix.burst == 1.0 else 0.0
    return waited_s(mix, step_s, share_s, at) - wait_s + step + place


def token_extra_s(mix: Mix, share_s: float, wait_s: float, at: Statistic) -> float:
    """What is added to the mean time per token of a request for a statistic, seconds."""
    if not mix.after or mix.others <= 0.0:
        return 0.0
    if mix.burst >= 1.0:
        # what is read behind a user, evenly from nothing to twice the mean, but no longer than the answer lasts
        behind = 2.0 * below(at) * (mix.others * share_s - wait_s)
        return (min(behind, mix.after * pass_of(mix, share_s)) - left_of(mix, wait_s, share_s)) / mix.after
    prompts = mix.others - wait_s / share_s
    part = prompts / mix.others
    variance = prompts if mix.arriving else prompts * (1.0 - part)
    started = mix.burst * mix.others * (1.0 - mix.half) * 2.0 * (below(at) - HALF)
    more = started + (1.0 - mix.burst) * deviations(at) * math.sqrt(max(0.0, variance))
    if not mix.arriving:
        more = min(more, mix.others - prompts)
    return more * share_s / mix.after
