"""A training run on more or fewer of the same GPUs: the curve, long against short, and the smallest build in time."""

from __future__ import annotations

import statistics
from dataclasses import replace
from functools import lru_cache

from engine.decide.training_scaling import (
    LongOrShort,
    SmallestBuild,
    StrongScaling,
    hourly_usd,
    long_or_short,
    smallest_build,
    strong_scaling_curve,
)
from engine.figures.errors import ScenarioError
from engine.figures.records import dataclass
from engine.parts.hardware import Facts
from engine.scenario import Hardware, Scenario

MOST_GPUS = 256
"""How far the curve goes, unless the build itself goes further."""
NODE_OF_ONE = 8
"""GPUs of the node that a build of one GPU is imagined to grow into."""


@dataclass(frozen=True, slots=True)
class Prospects:
    """The run on other counts of its GPUs.

    per_node: GPUs in the nodes of all this. usd_per_gpu_hour: what the costs of the curve are counted at, None when
    unknown. smallest: None without a deadline or a budget, or where a budget has no price to hold it; no_smallest says
    which. choice: the single-GPU long run against the short one; None for want of hourly prices.
    """

    per_node: int
    curve: StrongScaling
    usd_per_gpu_hour: float | None
    choice: LongOrShort | None
    smallest: SmallestBuild | None
    no_smallest: str


def growing(scenario: Scenario) -> Scenario:
    """The scenario in nodes that it can grow by: one GPU alone is taken as a slot of a node of eight."""
    hardware = scenario.hardware
    if hardware.gpus > 1:
        return scenario
    return replace(scenario, hardware=replace(hardware, gpus_per_node=NODE_OF_ONE))


def curve_counts(hardware: Hardware, most: int = MOST_GPUS) -> tuple[int, ...]:
    """Counts of GPUs that whole nodes make, doubling from one to `most` or to the build's own, which is among them."""
    inside = [count for count in (1, 2, 4, 8, 16, 32, 64) if count < hardware.gpus_per_node]
    counts = {*inside, hardware.gpus_per_node, hardware.gpus}
    count = hardware.gpus_per_node
    while count < max(most, hardware.gpus):
        counts.add(count)
        count *= 2
    if count <= most:
        counts.add(count)
    return tuple(sorted(counts))


def prospects(scenario: Scenario) -> Prospects:
    """The curve, the choice between long and short, and the smallest build of a training run.

    Raises ScenarioError for inference.
    """
    grown = growing(scenario)
    curve = strong_scaling_curve(grown, curve_counts(grown.hardware))
    smallest, why = _smallest(grown)
    return Prospects(grown.hardware.gpus_per_node, curve, hourly_usd(grown), _choice(grown), smallest, why)


def _smallest(scenario: Scenario) -> tuple[SmallestBuild | None, str]:
    workload = scenario.workload
    if workload.deadline_days is None and workload.budget_usd is None:
        return None, "No deadline and no budget is set; with either, this is the smallest build that keeps it."
    try:
        return smallest_build(scenario), ""
    except ScenarioError:
        return None, "A budget needs an hourly price: nobody in the catalog rents this GPU, and none is entered."


def _choice(scenario: Scenario) -> LongOrShort | None:
    one = instance_usd_per_gpu_hour(scenario, single=True)
    many = instance_usd_per_gpu_hour(scenario, single=False)
    if one is None or many is None:
        return None
    return long_or_short(scenario, scenario.hardware.gpus, one, many)


def instance_usd_per_gpu_hour(scenario: Scenario, single: bool) -> float | None:
    """What a GPU costs an hour in instances of one, or of several: as entered, else the median on-demand offer.

    Where nobody rents that kind of instance, the median over all of them; None when the GPU is rented nowhere.
    """
    if scenario.money.usd_per_gpu_hour is not None:
        return scenario.money.usd_per_gpu_hour
    found = _median(scenario.facts, scenario.hardware.accelerator.id, single)
    return hourly_usd(scenario) if found is None else found


@lru_cache(maxsize=32)
def _median(facts: Facts, accelerator_id: str, single: bool) -> float | None:
    offers = [
        rental.usd_per_gpu_hour
        for rental in facts.rentals
        if rental.accelerator == accelerator_id and rental.billing == "on-demand" and (rental.gpus == 1) == single
    ]
    return statistics.median(offers) if offers else None
