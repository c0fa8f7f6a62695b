"""A person's own measurements of training: they move the step and the peak memory of like builds and narrow their intervals.

Like builds have the same card, the same framework and the same kind of sharing: one GPU, data alone, tensors, a pipeline.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal

from engine.calibration import own as fit
from engine.figures.records import NamedTuple
from engine.parts.own import WORDS, OwnRatio, Residual, Scatter, residual
from engine.scenario import Layout, Scenario

Sharing = Literal["one", "data", "tensor", "pipeline"]
SHARINGS: Final[tuple[Sharing, ...]] = ("one", "data", "tensor", "pipeline")
OTHER: Final = {"train_tokens_per_s": "train_step"}
"""The figure that is the inverse of another."""


class OwnShares(NamedTuple):
    """Factors of a person's measurements on a figure, by the kind of sharing; 1 where nothing was measured."""

    one: float
    data: float
    tensor: float
    pipeline: float

    def of(self, layout: Layout) -> float:
        """The factor of a layout."""
        shared = sharing_of(layout)
        if shared == "one":
            return self.one
        if shared == "data":
            return self.data
        return self.tensor if shared == "tensor" else self.pipeline


def sharing_of(layout: Layout) -> Sharing:
    """How the GPUs of a layout share the work: what runs of one kind have in common."""
    if layout.pp > 1:
        return "pipeline"
    if layout.tp > 1:
        return "tensor"
    return "one" if layout.gpus == 1 else "data"


def own_of(figure: str, every: Sequence[OwnRatio], framework: str, sharing: str) -> tuple[OwnRatio, ...]:
    """The person's measurements that speak of a figure, as ratios of it. figure: train_tokens_per_s or train_peak."""
    alike = [one for one in every if one.engine == framework and one.sharing == sharing]
    found = [one for one in alike if one.figure == figure]
    told = {(one.source, one.model) for one in found}
    inverse = [one for one in alike if one.figure == OTHER.get(figure) and (one.source, one.model) not in told]
    turned = (
        OwnRatio(one.accelerator, one.engine, one.model, figure, 1 / one.ratio, one.source, one.sharing)
        for one in inverse
    )
    return (*found, *turned)


def residual_of(figure: str, every: Sequence[OwnRatio], framework: str, sharing: str, model: str) -> Residual | None:
    """What the measurements make of a figure; None without any."""
    found = own_of(figure, every, framework, sharing)
    return residual(found, model, Scatter(*fit.SCATTER[figure])) if found else None


def own_factors(figure: str, every: Sequence[OwnRatio], framework: str, model: str) -> OwnShares | None:
    """The factors on a figure of a model under a framework; None without a measurement."""
    found = [residual_of(figure, every, framework, sharing, model) for sharing in SHARINGS]
    if not any(found):
        return None
    return OwnShares(*(1.0 if one is None else one.factor for one in found))


def left_of(figure: str, every: Sequence[OwnRatio], framework: str, model: str) -> OwnShares | None:
    """The powers by which the measurements narrow the interval of a figure; None without a measurement."""
    found = [residual_of(figure, every, framework, sharing, model) for sharing in SHARINGS]
    if not any(found):
        return None
    return OwnShares(*(1.0 if one is None else one.left ** fit.NARROWS[figure] for one in found))


def model_name(scenario: Scenario) -> str:
    """The model by which measurements are told apart."""
    return scenario.model.id or scenario.model.name


def narrowed(spread: tuple[float, float], figure: str, scenario: Scenario, layout: Layout) -> tuple[float, float]:
    """Factors around a figure as the person's measurements leave them; as they are without any."""
    every = scenario.hardware.accelerator.own
    left = left_of(figure, every, scenario.workload.framework, model_name(scenario)) if every else None
    if left is None:
        return spread
    low, high = spread
    kept = left.of(layout)
    return low**kept, high**kept


def told(figure: str, scenario: Scenario, layout: Layout) -> str:
    """What a working says of the person's measurements; empty without any."""
    if not scenario.hardware.accelerator.own:
        return ""
    every, framework = scenario.hardware.accelerator.own, scenario.workload.framework
    found = own_of(figure, every, framework, sharing_of(layout))
    left = residual_of(figure, every, framework, sharing_of(layout), model_name(scenario))
    if left is None:
        return ""
    mean = math.exp(sum(math.log(one.ratio) for one in found) / len(found))
    names = ", ".join(dict.fromkeys(one.source for one in found if one.source))
    count = f"{len(found)} measurements" if len(found) > 1 else "A measurement"
    limit = "nothing is faster than the card" if figure != "train_peak" else "nothing is less than what is counted"
    return (
        f"{count} of yours on this card, framework and kind of sharing found {mean:.2f} times the catalog's "
        f"{WORDS[figure]}{f' ({names})' if names else ''}; so many count for {left.factor:.2f} times, and {limit}."
    )
