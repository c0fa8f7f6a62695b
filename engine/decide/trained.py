"""Which layout trains: of those that fit the fastest, and first those that keep the global batch."""

from __future__ import annotations

from functools import lru_cache

from engine.decide.layouts import NOTHING_FITS, Why, tiers, why
from engine.figures.records import NamedTuple
from engine.scenario import Layout, Scenario, Workload
from engine.training.batch import keeps_batch, useful_tokens
from engine.training.memory import training_spare
from engine.training.own import model_name
from engine.training.step import Step, step, steps

KEEPS_BATCH = "keeps the global batch, which more replicas outgrow"
NEARLY_BYTES = 64.0
"""The bytes of a step are rounded where they are shown: a layout that is over by fewer is planned to find out."""
Ranked = list[tuple[Step, Layout]]
"""Layouts with their steps, the one to take first before the others."""


class Trained(NamedTuple):
    """The layout that trains, its step, and why it is this one. near: whether it fits, or is over by a rounding."""

    step: Step
    layout: Layout
    why: Why
    near: bool


@lru_cache(maxsize=64)
def trained_layouts(scenario: Scenario, besides: bool) -> Ranked:
    """The layouts to try, or those besides, with their steps, as `ranked` orders them: by `whatever_load`."""
    layouts = tiers(scenario)[int(besides)]
    made = steps(scenario.model.architecture, scenario.hardware, scenario.workload, layouts, model=model_name(scenario))
    return ranked(scenario.workload, list(zip(made, layouts, strict=True)))


def useful_tokens_per_s(workload: Workload, made: Step) -> float:
    """Tokens a second that rank training layouts: of the batch that was asked, over the seconds of a step."""
    return useful_tokens(workload, made.tokens) / made.seconds


def ranked(workload: Workload, timed: Ranked) -> Ranked:
    """Layouts that keep the global batch before those that outgrow it, the fastest first."""

    def key(pair: tuple[Step, Layout]) -> tuple[bool, float]:
        made, layout = pair
        return not keeps_batch(workload, layout.dp), -useful_tokens_per_s(workload, made)

    return sorted(timed, key=key)


def may_hold(scenario: Scenario, plain: Scenario) -> bool:
    """Whether some layout may hold a step; False is certain. Steps are not timed for it. plain: by `whatever_load`."""
    left_by = training_spare(scenario)
    return any(left_by(layout) > -NEARLY_BYTES for layouts in tiers(plain) for layout in reversed(layouts))


def trained(scenario: Scenario, timed: Ranked) -> Trained:
    """The first of the ranked layouts that fits, sized in order until two do; else the one least over the card.

    Layouts whose replicas have no work in every step come only where none of the others fits: the batch that a person
    enters is kept. A step's time does not depend on its memory.
    """
    workload = scenario.workload
    spare: list[tuple[float, Step, Layout]] = []
    fitting: Ranked = []
    left_by = training_spare(scenario)
    for made, layout in timed:
        if fitting and not keeps_batch(workload, layout.dp):
            break
        left = left_by(layout)
        spare.append((left, made, layout))
        if left >= 0.0:
            fitting.append((made, layout))
            if len(fitting) == 2:
                break
    if not fitting:
        left, made, layout = max(spare, key=lambda entry: entry[0])
        return Trained(made, layout, Why((NOTHING_FITS,)), left > -NEARLY_BYTES)
    made, layout = fitting[0]
    told = why(scenario, len(timed), [(useful_tokens_per_s(workload, one), other) for one, other in fitting])
    if keeps_batch(workload, layout.dp) and not keeps_batch(workload, timed[-1][1].dp):
        told = told._replace(reason=(*told.reason, f", {KEEPS_BATCH}"))
    return Trained(made, layout, told, True)


def ranked_by(scenario: Scenario, layout: Layout) -> float:
    """The tokens a second that rank a layout among those that fit: see `useful_tokens_per_s`."""
    made = step(scenario.model.architecture, scenario.hardware, scenario.workload, layout, model=model_name(scenario))
    return useful_tokens_per_s(scenario.workload, made)
