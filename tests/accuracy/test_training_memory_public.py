"""Training memory on published runs that no constant was fitted on."""

from __future__ import annotations

import pytest

from tests.accuracy import bars, harness


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
