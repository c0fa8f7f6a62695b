"""Training with each source left out: every source has its fold, and what a new one is told holds."""

from __future__ import annotations

import pytest

from engine.training import rates
from tests.accuracy import harness, training_left_out
from tests.accuracy.training_left_out import by_framework, memory_cases, speed_cases
from tests.calibration import folds, training_speed


@pytest.fixture(scope="module")
def cases() -> dict[str, list[harness.Case]]:
    return {"memory": memory_cases(), "speed": speed_cases()}


def test_every_source_that_is_fitted_on_has_its_fold() -> None:
    memory, speed = training_left_out.fitted_publishers()
    assert set(folds.read("training_memory")) == memory
    assert set(folds.read("training_speed")) == speed


def test_a_fold_is_fitted_without_its_source() -> None:
    # one fold fitted again: what is kept is what comes out
    name = "AI-Hypercomputer/gpu-recipes"
    rows = training_speed.samples(harness.REFERENCE / "training_perf.jsonl")
    again = training_speed.fit([row for row in rows if row.source != name], sweeps=training_speed.SWEEPS - 4)
    kept = folds.without(folds.read("training_speed"), dict(rates.FITTED.values), name)
    assert kept == pytest.approx(again, rel=2e-3)


@pytest.mark.parametrize(("figure", "median", "p90"), [("memory", 0.05, 0.22), ("speed", 0.15, 0.45)])
def test_what_a_new_source_is_told(
    cases: dict[str, list[harness.Case]], figure: str, median: float, p90: float
) -> None:
    found = harness.stats(cases[figure])
    print(figure, found, harness.one_vote(cases[figure]))
    assert found.median <= median
    assert found.p90 <= p90


@pytest.mark.parametrize("figure", ["memory", "speed"])
def test_intervals_hold_three_of_four_in_all_and_in_every_large_group(
    cases: dict[str, list[harness.Case]], figure: str
) -> None:
    for name, kind, _, found in by_framework(cases[figure]):
        if found.count >= 20:
            assert found.inside is not None
            assert found.inside >= 0.75, (figure, name, kind, found)


def test_a_constant_moves_the_rows_it_names_and_no_others() -> None:
    rows = training_speed.samples(harness.REFERENCE / "training_perf.jsonl")
    values = dict(rates.FITTED.values)
    before = training_speed.log_errors(values, rows)
    for name in values:
        after = training_speed.log_errors(values | {name: values[name] * 1.3}, rows)
        moved = [row for row, one, other in zip(rows, before, after, strict=True) if one != other]
        assert all(training_speed.touches(name, row) for row in moved), name
    rates.forget_rates()
