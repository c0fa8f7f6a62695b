"""How far a speed may be off: factors that hold 80 % of what sources left out of the fit observed."""

from __future__ import annotations

from engine.calibration import serving_speed as fit
from engine.scenario import Scenario
from engine.serving.own import narrowed
from engine.serving.shapes import gpu_class
from engine.sizing import Interval

MEASURED = ("ampere", "ada", "hopper", "blackwell", "blackwell-ultra", "blackwell-gddr")
"""Classes of cards whose kernels were measured one by one; others take the curve of the class nearest to them."""
LOADED_USERS = 8
"""Users of an engine from which on a first token waits for others to speak of."""


def class_of(figure: str, scenario: Scenario) -> str:
    """The class of figures whose errors a figure shares: by kind of model, and whether its kernels were measured.

    figure: `ttft`, `ttft loaded`, `inter_token` or `tokens_per_s`.
    """
    mixture = "moe" if scenario.model.architecture.experts else "dense"
    card = scenario.hardware.accelerator
    near = gpu_class(card) in MEASURED and scenario.runtime.rules.kernels_measured and not card.unified_memory
    return f"{figure}, {mixture}, {'measured' if near else 'new'}"


def spread_of(figure: str, scenario: Scenario) -> tuple[float, float]:
    """Factors around a figure that hold 80 % of what the fit had not seen: `class_of`."""
    return fit.SPREADS[class_of(figure, scenario)]


def interval(value: float, figure: str, scenario: Scenario) -> Interval:
    """A figure with those factors around it."""
    low, high = narrowed(spread_of(figure, scenario), figure, scenario)
    return Interval(value * low, value * high)
