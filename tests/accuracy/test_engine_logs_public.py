"""The bars of serving memory on public start-up logs that no constant was fitted on."""

from __future__ import annotations

import pytest

from tests.accuracy import engine_logs, harness


@pytest.fixture(scope="module")
def evaluation() -> harness.Evaluation:
    return engine_logs.evaluate(engine_logs.check_rows())


def test_every_row_has_a_source_and_says_what_it_is_for() -> None:
    rows = harness.load_rows(harness.REFERENCE / "engine_logs_public.jsonl")
    assert all(str(row["source"]).startswith("https://") for row in rows)
    assert {row["used_for"] for row in rows} == {"fit", "check"}
    assert len(engine_logs.check_rows()) >= 50
    ours = {row["source"] for row in harness.load_rows(harness.REFERENCE / "engine_logs.jsonl")}
    assert not ours & {row["source"] for row in rows}


def test_none_is_set_aside(evaluation: harness.Evaluation) -> None:
    print(harness.render("engine_logs", evaluation))
    assert evaluation.set_aside == []


@pytest.mark.parametrize(
    ("metric", "median", "p90"),
    [(engine_logs.WEIGHTS, 0.01, 0.04), (engine_logs.KV_SPACE, 0.03, 0.10), (engine_logs.KV_TOKENS, 0.03, 0.10)],
)
def test_bars(evaluation: harness.Evaluation, metric: str, median: float, p90: float) -> None:
    found = harness.stats(harness.by_metric(evaluation.cases)[metric])
    assert found.median <= median
    assert found.p90 <= p90


def test_every_start_is_right(evaluation: harness.Evaluation) -> None:
    assert all(outcome.observed == outcome.predicted for outcome in evaluation.outcomes)
