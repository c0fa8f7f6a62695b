"""Serving memory on the start-up logs, through `size()`: rows, outcomes, names."""

from __future__ import annotations

from typing import Any

import pytest

from tests.accuracy import bars, engine_logs, harness


@pytest.fixture(scope="module")
def evaluation() -> harness.Evaluation:
    return bars.evaluation("engine_logs")


def test_table(evaluation: harness.Evaluation) -> None:
    print(harness.render("engine_logs", evaluation))
    used = {case.row_id for case in evaluation.cases} | {outcome.row_id for outcome in evaluation.outcomes}
    assert len(used) + len(evaluation.set_aside) == evaluation.rows_read


def test_at_most_a_fifth_is_set_aside_each_with_a_reason(evaluation: harness.Evaluation) -> None:
    assert len(evaluation.set_aside) <= evaluation.rows_read / 5
    assert all(reason for _, reason in evaluation.set_aside)


def test_the_pool_of_other_engines_is_the_bytes_of_their_tokens(evaluation: harness.Evaluation) -> None:
    # too few rows for a bar of their own, and arithmetic at that
    found = harness.stats(harness.by_metric(evaluation.cases)[engine_logs.KV_BYTES])
    assert found.p90 <= 0.04


def test_nine_of_ten_outcomes_are_right(evaluation: harness.Evaluation) -> None:
    right = sum(outcome.observed == outcome.predicted for outcome in evaluation.outcomes)
    assert right >= 0.9 * len(evaluation.outcomes)
    marginal = [outcome for outcome in evaluation.outcomes if "gpt-oss-120b" in outcome.row_id]
    assert marginal
    assert all(outcome.observed == outcome.predicted for outcome in marginal)


def test_unknown_names_are_set_aside_not_guessed() -> None:
    row: dict[str, Any] = {
        "id": "x",
        "engine": "vllm",
        "model": "Llama-3.1-8B",
        "gpu": "H100",
        "weight_dtype": "bf16",
        "observed": {"kv_tokens": 1},
    }
    rows = [
        row | {"id": "gpu", "gpu": "Quantum 9"},
        row | {"id": "model", "model": "Zorblax-3B"},
        row | {"id": "w", "weight_dtype": "ternary"},
        row | {"id": "bare", "observed": None},
    ]
    reasons = dict(engine_logs.evaluate(rows).set_aside)
    assert set(reasons) == {"gpu", "model", "w", "bare"}
    assert "Quantum 9" in reasons["gpu"]
