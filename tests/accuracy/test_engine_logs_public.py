"""Serving memory on public start-up logs that no constant was fitted on."""

from __future__ import annotations

import pytest

from tests.accuracy import bars, engine_logs, harness


@pytest.fixture(scope="module")
def evaluation() -> harness.Evaluation:
    return bars.evaluation("engine_logs_public")


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


def test_every_start_is_right(evaluation: harness.Evaluation) -> None:
    assert all(outcome.observed == outcome.predicted for outcome in evaluation.outcomes)
