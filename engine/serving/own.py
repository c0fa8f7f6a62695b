"""A person's own measurements of a card under an engine: they move the figures of like builds and narrow their intervals.

Three figures are moved: a first token, the time per token, and tokens a second of all users. A log that tells only one of the last
two speaks of the other as its inverse. Embedders are left out: what they read is none of these.
"""

from __future__ import annotations

import math

from engine.calibration import own as fit
from engine.figures.records import NamedTuple
from engine.parts.own import WORDS, OwnRatio, Residual, Scatter, residual
from engine.scenario import Scenario

OTHER = {"inter_token": "tokens_per_s", "tokens_per_s": "inter_token"}
"""The figure that is the inverse of another."""


class OwnFactors(NamedTuple):
    """Factors of a person's measurements on a first token, on the time per token and on tokens a second."""

    first: float
    token: float
    total: float


def own_of(figure: str, scenario: Scenario) -> tuple[OwnRatio, ...]:
    """The person's measurements that speak of a figure of this build, as ratios of it."""
    if not scenario.hardware.accelerator.own or scenario.workload.kind == "embed":
        return ()
    engine, name = scenario.runtime.engine, figure.partition(" ")[0]
    every = [one for one in scenario.hardware.accelerator.own if one.engine == engine]
    found = [one for one in every if one.figure == name]
    told = {(one.source, one.model) for one in found}
    inverse = [one for one in every if one.figure == OTHER.get(name) and (one.source, one.model) not in told]
    return (
        *found,
        *(OwnRatio(one.accelerator, one.engine, one.model, name, 1 / one.ratio, one.source) for one in inverse),
    )


def residual_of(figure: str, scenario: Scenario) -> Residual | None:
    """What the measurements make of a figure of this build; None without any."""
    found = own_of(figure, scenario)
    if not found:
        return None
    scatter = Scatter(*fit.SCATTER[figure.partition(" ")[0]])
    return residual(found, scenario.model.id or scenario.model.name, scatter)


def own_factors(scenario: Scenario) -> OwnFactors | None:
    """The factors on the figures of this build; None without a measurement."""
    first, token, total = (residual_of(name, scenario) for name in ("ttft", "inter_token", "tokens_per_s"))
    if first is token is total is None:
        return None
    return OwnFactors(*(1.0 if one is None else one.factor for one in (first, token, total)))


def narrowed(spread: tuple[float, float], figure: str, scenario: Scenario) -> tuple[float, float]:
    """Factors around a figure as the person's measurements leave them; as they are without any."""
    left = residual_of(figure, scenario)
    if left is None:
        return spread
    low, high = spread
    kept = left.left ** fit.NARROWS["serving"]
    return low**kept, high**kept


def told(figure: str, scenario: Scenario) -> str:
    """What a working says of the person's measurements; empty without any."""
    found, left = own_of(figure, scenario), residual_of(figure, scenario)
    if left is None:
        return ""
    mean = math.exp(sum(math.log(one.ratio) for one in found) / len(found))
    names = ", ".join(dict.fromkeys(one.source for one in found if one.source))
    count = f"{len(found)} measurements" if len(found) > 1 else "A measurement"
    return (
        f"{count} of yours on this card and engine found {mean:.2f} times the catalog's {WORDS[found[0].figure]}"
        f"{f' ({names})' if names else ''}; so many count for {left.factor:.2f} times, and nothing is faster than the card."
    )
