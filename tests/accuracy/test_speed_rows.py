"""What is checked of rows of speed before anything is fitted on them: no copy, no impossible rate, the load stated."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import Any

import pytest

from tests.accuracy import bars, harness, inference_perf
from tests.accuracy.harness import Row
from tests.accuracy.rows import UnreadableRow, readable
from tests.accuracy.speed_loads import Unusable

FITTED = ("inference_perf", "inference_perf_wave2")
FILES = (*FITTED, "inference_perf_public")
BUILD = ("gpu", "n_gpus", "model", "quant", "engine", "isl", "osl", "concurrency", "tp", "pp", "dp")
FIGURES = ("output_tok_s", "ttft_ms", "tpot_ms", "decode_tok_s_per_user")
SET_ASIDE = 0.1
"""Share of a set's rows that may be set aside."""


@cache
def rows(file: str) -> tuple[dict[str, Any], ...]:
    return tuple(harness.load_rows(harness.REFERENCE / f"{file}.jsonl"))


def read(file: str) -> list[tuple[Row, inference_perf.Prepared]]:
    """The rows of a file that can be compared, as they are read."""
    found = []
    for raw in rows(file):
        try:
            row = readable(raw)
            found.append((row, inference_perf.prepare(row)))
        except (Unusable, UnreadableRow, ValueError):
            continue
    return found


def test_no_row_is_a_copy_of_another() -> None:
    by_figures: dict[tuple[object, ...], list[str]] = defaultdict(list)
    for row in (row for file in FITTED for row in rows(file)):
        # of two submitters of MLPerf the same machine may score the same: their engine names them
        by_figures[tuple(str(row.get(key)) for key in (*BUILD, *FIGURES))].append(row["id"])
    assert not [ids for ids in by_figures.values() if len(ids) > 1]


def test_a_row_that_nothing_is_fitted_on_is_none_of_the_fitted() -> None:
    """Of the same cards, model and load no figure is the same: names of engines, formats and modes are written freely."""
    loads: dict[tuple[object, ...], list[dict[str, Any]]] = defaultdict(list)

    def load(row: dict[str, Any]) -> tuple[object, ...]:
        return tuple(row[key] for key in ("gpu", "n_gpus", "model", "isl", "osl", "concurrency"))

    def same(row: dict[str, Any], other: dict[str, Any]) -> bool:
        return any(row[key] and other[key] and abs(row[key] / other[key] - 1) < 0.005 for key in FIGURES)

    for file in FITTED:
        for row in rows(file):
            loads[load(row)].append(row)
    public = rows("inference_perf_public")
    assert not [row["id"] for row in public if any(same(row, other) for other in loads[load(row)])]


@pytest.mark.parametrize("file", FILES)
def test_no_row_takes_more_arithmetic_than_its_cards_have(file: str) -> None:
    prepared = read(file)
    assert len(prepared) > 50
    shares = [(inference_perf.share_of_peak(one), inference_perf.doubt_of(row, one)) for row, one in prepared]
    assert max(share for share, _ in shares) <= 1.0
    assert all(doubt for share, doubt in shares if share > inference_perf.DOUBTFUL_OF_PEAK)


def test_a_row_of_three_times_the_peak_is_set_aside() -> None:
    row = next(row for row in rows("inference_perf") if row["output_tok_s"] and "closed" in str(row["mode"]))
    wrong = inference_perf.evaluate([{**row, "ttft_ms": 10.0, "tpot_ms": 0.01, "isl": 8192}])
    assert not wrong.cases
    assert "arithmetic" in wrong.set_aside[0][1]


@pytest.mark.parametrize("file", FITTED)
def test_users_of_a_closed_loop_are_those_that_its_times_and_rate_make(file: str) -> None:
    """Little's law: users = requests a second times the seconds of a request; a burst is no closed loop."""
    checked = 0
    for row, _ in read(file):
        users, answer, total = row["concurrency"], row["osl"], row["output_tok_s"]
        if not (users and answer and total and row["ttft_ms"] and row["tpot_ms"]):
            continue
        if str(row["mode"]).startswith("burst"):
            continue
        checked += 1
        each = (row["ttft_ms"] + row["tpot_ms"] * (answer - 1)) / 1e3
        assert 0.6 < total / answer * each / users < 1.5, row
    assert checked > 20


@pytest.mark.parametrize("file", [*FILES, "collectives", "training_perf", "training_perf_wave2", "training_memory"])
def test_at_most_a_tenth_of_a_set_is_set_aside(file: str) -> None:
    evaluation = bars.evaluation(file)
    assert len(evaluation.set_aside) <= SET_ASIDE * evaluation.rows_read
