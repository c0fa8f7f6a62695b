"""Intervals and rows of serving speed on the repository's own rows, through `size()`."""

from __future__ import annotations

import importlib.util
import math
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from engine.calibration import serving_speed as fit
from tests.accuracy import bars, harness, inference_perf


@pytest.fixture(scope="module")
def calibration() -> Iterator[ModuleType]:
    """The calibration script as a module."""
    path = harness.REFERENCE.parent.parent / "scripts" / "calibrate_serving_speed.py"
    spec = importlib.util.spec_from_file_location("calibrate_serving_speed", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def evaluation() -> harness.Evaluation:
    return bars.evaluation("inference_perf")


def test_table(evaluation: harness.Evaluation) -> None:
    print(harness.render("inference_perf", evaluation))
    used = {case.row_id for case in evaluation.cases}
    assert len(used) + len(evaluation.set_aside) == evaluation.rows_read


def test_few_rows_are_set_aside_each_with_a_reason(evaluation: harness.Evaluation) -> None:
    assert len(evaluation.set_aside) <= evaluation.rows_read / 5
    assert all(reason for _, reason in evaluation.set_aside)


def test_intervals_hold_four_of_five(evaluation: harness.Evaluation) -> None:
    inside = harness.stats(evaluation.cases).inside
    assert inside is not None
    assert 0.75 <= inside <= 0.88


def test_unknown_names_are_set_aside() -> None:
    row = harness.load_rows(harness.REFERENCE / "inference_perf.jsonl")[0]
    for key, value in (("gpu", "H900-SXM"), ("model", "Nobody-7B"), ("quant", "fp3")):
        changed = inference_perf.evaluate([{**row, key: value}])
        assert not changed.cases
        assert changed.set_aside
        assert value in changed.set_aside[0][1]


def test_the_script_fits_the_constants_that_ship(calibration: ModuleType) -> None:
    assert set(calibration.PRIORS) == set(fit.CONSTANTS)
    assert all(0 < value < 10 for value in fit.CONSTANTS.values())


def test_the_script_and_size_predict_the_same(calibration: ModuleType, evaluation: harness.Evaluation) -> None:
    rows = harness.load_rows(harness.REFERENCE / "inference_perf.jsonl")[::40]
    said = {(case.row_id, case.metric): case.predicted for case in evaluation.cases}
    points = calibration.points_of(rows)
    assert len(points) > 30
    for point in points:
        ours = calibration.predict(point, fit.CONSTANTS)
        if (point.row_id, point.metric) in said:
            assert math.isclose(ours, said[(point.row_id, point.metric)], rel_tol=1e-6), point.row_id
