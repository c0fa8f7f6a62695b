"""Speeds that others published and no constant was fitted on: an out-of-sample check, kept apart from the fitted rows.

The rows name GPUs, models, engines and layouts that the fitted rows lack, or hold in other combinations.
"""

from __future__ import annotations

import pytest

from tests.accuracy import bars, harness, inference_perf
from tests.accuracy.harness import Row

FILES = ("inference_perf", "training_perf", "collectives")


def _rows(name: str) -> list[Row]:
    return harness.load_rows(harness.REFERENCE / f"{name}_public.jsonl")


@pytest.fixture(scope="module")
def serving() -> harness.Evaluation:
    return bars.evaluation("inference_perf_public")


@pytest.fixture(scope="module")
def training() -> harness.Evaluation:
    return bars.evaluation("training_perf_public")


@pytest.mark.parametrize("name", FILES)
def test_each_row_is_sourced_and_none_is_fitted(name: str) -> None:
    fitted = {row["id"] for row in harness.load_rows(harness.REFERENCE / f"{name}.jsonl")}
    rows = _rows(name)
    assert all(str(row["source"]["url"]).startswith("https://") for row in rows)
    assert len({row["id"] for row in rows} | fitted) == len(rows) + len(fitted)


def test_few_rows_are_set_aside(serving: harness.Evaluation, training: harness.Evaluation) -> None:
    for evaluation in (serving, training):
        assert len(evaluation.set_aside) <= evaluation.rows_read / 5
        assert all(reason for _, reason in evaluation.set_aside)


@pytest.mark.parametrize(
    ("metric", "bias"),
    [
        (inference_perf.TPOT_DENSE, 0.15),
        (inference_perf.MAXIMUM, 0.20),
        (inference_perf.LOADED, 0.28),
        (inference_perf.TTFT_LOW, 0.30),
    ],
)
def test_serving_has_little_bias(serving: harness.Evaluation, metric: str, bias: float) -> None:
    assert abs(harness.stats(harness.by_metric(serving.cases)[metric]).bias) <= bias


def test_serving_intervals(serving: harness.Evaluation) -> None:
    inside = harness.stats(serving.cases).inside
    assert inside is not None
    assert inside >= 0.70
