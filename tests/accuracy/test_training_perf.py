"""Training speed against the reference rows: prints the tables; bias and intervals."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.accuracy import bars, training_perf
from tests.accuracy.harness import REFERENCE, Evaluation, load_rows, render, stats

ASIDE_BAR = 0.2


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    made = bars.evaluation("training_perf")
    print()
    print(render("training_perf", made))
    return made


def test_tokens_per_second_have_no_bias(evaluation: Evaluation) -> None:
    assert abs(stats(evaluation.cases).bias) <= 0.05


def test_the_intervals_hold(evaluation: Evaluation) -> None:
    # an 80 % interval of unseen frameworks, cards and models: rows that the fit has seen lie inside more often
    found = stats(evaluation.cases)
    assert found.inside is not None
    assert found.inside >= 0.75


def test_few_rows_are_set_aside(evaluation: Evaluation) -> None:
    assert len(evaluation.set_aside) <= ASIDE_BAR * evaluation.rows_read
    assert all(reason for _, reason in evaluation.set_aside)


def test_a_row_that_cannot_be_written_is_set_aside_with_the_reason() -> None:
    row = next(r for r in load_rows(REFERENCE / "training_perf.jsonl") if r["id"] == "C0001")
    made = training_perf.evaluate(
        [row | {"id": "a", "gpu": "No-Such-GPU"}, row | {"id": "b", "model": "no such model"}, row | {"id": "c"}]
    )
    assert [row_id for row_id, _ in made.set_aside] == ["a", "b"]
    assert [case.row_id for case in made.cases] == ["c"]


@pytest.mark.parametrize(
    ("name", "least"), [("training_perf", 0.94), ("training_perf_public", 0.93), ("training_perf_wave2", 0.93)]
)
def test_what_ran_fits_with_the_recomputation_that_it_needed(name: str, least: float) -> None:
    needed = []
    for row in load_rows(REFERENCE / f"{name}.jsonl"):
        written = training_perf.scenario_of(row)
        if not isinstance(written, str):
            needed.append(training_perf.that_fits(*written[:2]))
    counts = dict(Counter(needed))
    print(f"{name}: recomputation that published runs need to fit: {counts}")
    assert sum(word is not None for word in needed) >= least * len(needed)
