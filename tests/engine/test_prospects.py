"""A training run on other counts of its GPUs, as the Scaling page and the report say it."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

import catalog
from engine.decide.prospects import curve_counts, growing, instance_usd_per_gpu_hour, prospects
from engine.decide.scaling import FLOOR
from engine.decide.size import size
from engine.decide.training_scaling import strong_scaling_curve
from engine.figures.errors import ScenarioError
from engine.figures.sentences import text_of
from engine.scenario import Hardware, Scenario
from tests.engine.builds import build

RUN: dict[str, Any] = {
    "kind": "pretrain",
    "sequence_length": 4096,
    "global_batch_tokens": 1 << 22,
    "total_tokens": 200_000_000_000,
}


def run(gpus: int = 8, nodes: int = 4, **change: Any) -> Scenario:
    """A pretraining of an 8B."""
    return build("llama-3.1-8b", "bf16", "h100-sxm", gpus, nodes, **(RUN | change))


@pytest.mark.parametrize(("gpus", "nodes"), [(1, 1), (2, 1), (3, 2), (4, 2), (8, 1), (6, 5), (8, 64)])
def test_the_counts_fill_nodes_and_hold_the_build(gpus: int, nodes: int) -> None:
    hardware: Hardware = run(gpus, nodes).hardware
    counts = curve_counts(hardware)
    assert counts[0] == 1
    assert hardware.gpus in counts
    assert list(counts) == sorted(set(counts))
    assert all(count < gpus or count % gpus == 0 for count in counts)


def test_the_curve_says_of_the_build_what_its_sizing_says() -> None:
    made = run()
    found = prospects(made)
    own = next(point for point in found.curve.points if point.gpus == made.hardware.gpus)
    sizing = size(made)
    assert sizing.training is not None
    assert own.days == pytest.approx(sizing.training.days, rel=1e-6)
    assert own.fits is sizing.memory.fits


def test_no_point_of_the_curve_takes_more_than_the_global_batch() -> None:
    made = run(global_batch_tokens=1 << 18)  # 64 sequences
    points = strong_scaling_curve(made, curve_counts(made.hardware)).points
    assert all(after.days < before.days * 1.01 for before, after in itertools.pairwise(points))
    assert points[-1].marginal < FLOOR


def test_the_smallest_build_is_asked_for_with_a_deadline_or_a_budget() -> None:
    open_ended = prospects(run())
    assert open_ended.smallest is None
    assert "deadline" in open_ended.no_smallest
    found = prospects(run(deadline_days=30.0))
    assert found.smallest is not None
    assert found.smallest.found
    assert found.smallest.gpus == 16
    never = prospects(run(deadline_days=0.001))
    assert never.smallest is not None
    assert text_of(never.smallest.words).startswith("No:")


def test_a_budget_without_a_price_says_what_it_lacks() -> None:
    made = run(budget_usd=1000.0)
    unpriced = replace(made, facts=replace(made.facts, rentals=()))
    found = prospects(unpriced)
    assert found.smallest is None
    assert "price" in found.no_smallest
    assert found.choice is None
    assert found.usd_per_gpu_hour is None


def test_long_and_short_are_each_at_their_own_price() -> None:
    made = run()
    found = prospects(made)
    assert found.choice is not None
    assert found.choice.one.usd_per_gpu_hour == instance_usd_per_gpu_hour(made, single=True)
    assert found.choice.many.usd_per_gpu_hour == instance_usd_per_gpu_hour(made, single=False)
    entered = replace(made, money=replace(made.money, usd_per_gpu_hour=2.0))
    choice = prospects(entered).choice
    assert choice is not None
    assert choice.one.usd_per_gpu_hour == choice.many.usd_per_gpu_hour == 2.0


def test_one_gpu_grows_in_nodes_of_eight() -> None:
    alone = run(1, 1)
    assert growing(alone).hardware.gpus_per_node == 8
    assert growing(run(2, 1)).hardware.gpus_per_node == 2
    assert prospects(alone).per_node == 8


def test_inference_has_no_run() -> None:
    with pytest.raises(ScenarioError):
        prospects(build())


def test_the_facts_are_those_of_the_catalog() -> None:
    assert run().facts == catalog.load().facts
