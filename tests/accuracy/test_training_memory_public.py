"""Training memory on published runs that no constant was fitted on."""

from __future__ import annotations

import math

import pytest

from engine.calibration import training_memory as fitted
from tests.accuracy import bars, harness
from tests.calibration import folds
from tests.calibration import training_memory as calibration


@pytest.fixture(scope="module")
def evaluation() -> harness.Evaluation:
    return bars.evaluation("training_memory_public")


def test_the_rows_are_others_than_the_fitted_ones() -> None:
    def runs(name: str) -> set[tuple[object, ...]]:
        keys = "source model method quant lora_targets framework sharding dp micro_batch seq_len loss_impl observed_gib"
        rows = harness.load_rows(harness.REFERENCE / name)
        return {tuple(row.get(key) for key in keys.split()) for row in rows}

    public = runs("training_memory_public.jsonl")
    assert len(public) >= 90
    assert not public & runs("training_memory.jsonl")


def test_none_is_set_aside(evaluation: harness.Evaluation) -> None:
    print(harness.render("training_memory", evaluation))
    assert evaluation.set_aside == []


def test_every_outcome_is_right(evaluation: harness.Evaluation) -> None:
    assert sum(outcome.observed for outcome in evaluation.outcomes) >= 7
    assert all(outcome.observed == outcome.predicted for outcome in evaluation.outcomes)


def test_intervals_are_cut_from_sources_that_the_constants_never_saw() -> None:
    told = calibration.told(calibration.current(), folds.read("training_memory"))
    assert set(fitted.INTERVALS) == {group for group, _, _ in told}
    for group, (low, high) in folds.cut(told).items():
        assert fitted.INTERVALS[group] == pytest.approx((low, high), rel=0.02)
        inside = [low <= math.exp(-error) <= high for name, _, error in told if name == group]
        assert 0.70 <= sum(inside) / len(inside) <= 0.95, group


@pytest.mark.parametrize(("name", "least"), [("training_memory_public", 0.75), ("training_memory_wave2", 0.70)])
def test_intervals_hold_on_rows_that_nothing_is_fitted_on(name: str, least: float) -> None:
    peaks = harness.by_metric(bars.evaluation(name).cases)["peak memory"]
    inside = harness.stats(peaks).inside
    assert inside is not None
    assert least <= inside <= 0.95
