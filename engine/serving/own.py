"""A person's own measurements of a card under an engine: they shift and narrow the interval of like builds."""

from __future__ import annotations

import math

from engine.parts.own import OwnRatio
from engine.scenario import Scenario

SAME_MODEL, OTHER_MODEL = 0.06, 0.15
"""How far one measurement of a build lies from the next like it (standard deviation of the logarithm): of the same model,
and of another one on the same card under the same engine."""
REACH_80 = 1.2816
"""Standard deviations on either side of the middle that hold 80 %."""


def own_of(figure: str, scenario: Scenario) -> tuple[OwnRatio, ...]:
    """The person's measurements that speak of a figure of this build."""
    name = figure.partition(" ")[0]
    engine = scenario.runtime.engine
    return tuple(one for one in scenario.hardware.accelerator.own if (one.figure, one.engine) == (name, engine))


def narrowed(spread: tuple[float, float], figure: str, scenario: Scenario) -> tuple[float, float]:
    """Factors around a figure after the person's measurements of its card and engine; as they are without any.

    The factors count as a normal distribution of the logarithm; each measurement updates it with its own scatter.
    """
    found = own_of(figure, scenario)
    if not found:
        return spread
    low, high = (math.log(factor) for factor in spread)
    middle, width = (low + high) / 2, (high - low) / 2 / REACH_80
    weight, total = 1 / width**2, middle / width**2
    least = OTHER_MODEL
    for one in found:
        scatter = SAME_MODEL if one.model == (scenario.model.id or scenario.model.name) else OTHER_MODEL
        least = min(least, scatter)
        weight += 1 / scatter**2
        total += math.log(one.ratio) / scatter**2
    # however many measurements there are, the next one scatters as they do
    reach = REACH_80 * min(width, math.sqrt(1 / weight + least**2))
    return math.exp(total / weight - reach), math.exp(total / weight + reach)


def told(figure: str, scenario: Scenario) -> str:
    """What a working says of the person's measurements; empty without any."""
    found = own_of(figure, scenario)
    if not found:
        return ""
    ratio = math.exp(sum(math.log(one.ratio) for one in found) / len(found))
    names = ", ".join(dict.fromkeys(one.source for one in found if one.source))
    count = f"{len(found)} measurements" if len(found) > 1 else "a measurement"
    return f"The interval rests on {count} of yours, {ratio:.2f} times the predicted{f' ({names})' if names else ''}."
