"""What a person measured on their own machines: times of collectives, and how figures came out against the predicted."""

from __future__ import annotations

import math
from collections.abc import Sequence

from engine.figures.records import NamedTuple, dataclass


@dataclass(frozen=True, slots=True)
class OwnCurve:
    """Times of one collective over one link. points: (payload bytes, seconds), rising in both. gpus: of one node."""

    link: str
    op: str
    gpus: int
    points: tuple[tuple[float, float], ...]
    source: str = ""


WORDS = {
    "ttft": "first token",
    "inter_token": "time per token",
    "tokens_per_s": "tokens a second",
    "train_tokens_per_s": "tokens a second in training",
    "train_step": "step of training",
    "train_peak": "peak memory of training",
}
"""What the figures of a ratio are called, where they are moved."""


@dataclass(frozen=True, slots=True)
class OwnRatio:
    """A figure as measured over the same as the catalog alone predicts it, of a card under an engine or a framework.

    figure: a key of WORDS. sharing: how the GPUs of a training run share it (`engine.training.own.SHARINGS`); empty for serving.
    """

    accelerator: str
    engine: str
    model: str
    figure: str
    ratio: float
    source: str = ""
    sharing: str = ""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one log or benchmark measured, kept with a session.

    build: what ran, as `engine.decide.beside.build_words` says it. load: keys of a session's workload that the tool ran, where
    they decide its figures. figures: by the names of `engine.decide.beside.FIGURES`.
    """

    tool: str
    build: str
    figures: tuple[tuple[str, float], ...]
    load: tuple[tuple[str, float], ...] = ()
    source: str = ""


class Scatter(NamedTuple):
    """How far the logarithm of a ratio differs (standard deviations): from one person's build to the next, from one model
    to the next on a build, from one run of a model to the next."""

    build: float
    model: float
    run: float


class Residual(NamedTuple):
    """What a person's measurements make of a figure: a factor on it, and what is left of what was not known of it.

    left: standard deviation of the next measurement over the same without any.
    """

    factor: float
    left: float


def residual(found: Sequence[OwnRatio], model: str, scatter: Scatter) -> Residual:
    """The expected ratio of a model on a build, given the person's ratios on it.

    Normal errors of the logarithm at three levels, builds, models and runs (the random-effects model of Laird and Ware
    1982): each group counts by the inverse of its variance, and without measurements nothing is expected to differ. So
    few measurements move a figure part of the way, and those of other models less than its own.
    """
    build, between, run = scatter.build**2, scatter.model**2, scatter.run**2
    weight, total = 1 / build, 0.0
    for name in dict.fromkeys(one.model for one in found):
        if name != model:
            count, mean = _mean(found, name)
            each = 1 / (between + run / count)
            weight, total = weight + each, total + mean * each
    mean, variance = total / weight, 1 / weight + between
    if any(one.model == model for one in found):
        count, same = _mean(found, model)
        each = count / run
        mean = (mean / variance + same * each) / (1 / variance + each)
        variance = 1 / (1 / variance + each)
    return Residual(math.exp(mean), math.sqrt((variance + run) / (build + between + run)))


def _mean(found: Sequence[OwnRatio], model: str) -> tuple[int, float]:
    """How many measurements of a model, and the mean of their logarithms."""
    logs = [math.log(one.ratio) for one in found if one.model == model]
    return len(logs), sum(logs) / len(logs)
