"""How far a speed may be off: factors that hold 80 % of what the fit had not seen."""

from __future__ import annotations

from engine.calibration import serving_speed as fit
from engine.scenario import Scenario
from engine.serving.own import narrowed
from engine.sizing import Interval


def spread_of(figure: str, scenario: Scenario) -> tuple[float, float]:
    """Factors around `ttft`, `inter_token` or `tokens_per_s` that hold 80 % of what the fit had not seen.

    Narrow where the fit saw this model on this card under this engine, wider where it saw them apart, else widest.
    """
    engine = "vllm" if scenario.runtime.engine == "vllm-earlier" else scenario.runtime.engine
    place = f"{engine} on {scenario.hardware.accelerator.id}"
    known = "new"
    if f"{scenario.model.id}: {place}" in fit.SEEN_PAIRS:
        known = "measured"
    elif place in fit.SEEN_PLACES and scenario.model.id in fit.SEEN_MODELS:
        known = "seen"
    mixture = "moe" if scenario.model.architecture.experts else "dense"
    return fit.SPREADS[f"{figure}, {mixture}, {known}"]


def interval(value: float, figure: str, scenario: Scenario) -> Interval:
    """A figure with those factors around it."""
    low, high = narrowed(spread_of(figure, scenario), figure, scenario)
    return Interval(value * low, value * high)
