"""The load of an engine as a person's own measurements move it, and never faster than the card.

Every kernel is priced at `MOST_OF_PEAK` of a peak at most, so that this share of a priced time is never less than what the
data sheet's bandwidth and arithmetic allow.
"""

from __future__ import annotations

from engine.figures.records import NamedTuple
from engine.serving.passes import MOST_OF_PEAK, DecodeStep, Prompt, Rates


class Times(NamedTuple):
    """Of one request: the first token with its wait, the first token once it is served, a token, and all of it. Seconds."""

    ttft_s: float
    served_s: float
    token_s: float
    cycle_s: float


def least_token_s(r: Rates, step: DecodeStep) -> float:
    """The least that a token can take: what its step reads, and what it multiplies."""
    return MOST_OF_PEAK * max(step.weight_s + step.kv_s, step.compute_s + step.attention_s) / r.given


def least_first_s(r: Rates, prompt: Prompt) -> float:
    """The least that a first token can take: the products of its prompt."""
    return MOST_OF_PEAK * prompt.products_s / r.stages


def own_token_s(r: Rates, step: DecodeStep) -> float:
    """Seconds between a user's tokens where no prompt is read between them, for rates with a person's measurements."""
    token = step.seconds / r.given
    return token if r.own is None else max(r.own.token * token, least_token_s(r, step))


def own_times(r: Rates, step: DecodeStep, prompt: Prompt, running: float, after: int, priced: Times) -> Times:
    """A request's times from the priced ones, for rates with a person's measurements.

    running: sequences at once. after: tokens after the first. While a request is served, its tokens read what they read, one
    prompt of each of those is read and all tokens are multiplied: it takes as long as that takes at the card's peak.
    """
    if r.own is None:
        return priced
    least, least_token = least_first_s(r, prompt), least_token_s(r, step)
    served = max(r.own.first * priced.served_s, least)
    token = max(r.own.token * priced.token_s, least_token)
    arithmetic = after * (step.compute_s + step.attention_s) / r.given + running * prompt.products_s / r.stages
    cycle = max(priced.cycle_s / r.own.total, MOST_OF_PEAK * arithmetic, least + least_token * after)
    waited = priced.ttft_s - priced.served_s
    return Times(served + max(0.0, r.own.first * waited), served, token, cycle)
