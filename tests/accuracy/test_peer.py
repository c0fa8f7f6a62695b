"""The table beside aiconfigurator: from its stored answers, row by row, without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.accuracy import inference_perf, peer
from tests.accuracy.speed_loads import Unusable

ROWS = {row["id"]: (row, prepared) for row, prepared in peer.prepared_rows()}
STORED = peer.read()


def test_nearly_every_row_that_can_be_asked_was() -> None:
    asked = {row_id for row_id, (_, one) in ROWS.items() if peer.has_figure(one) and not peer.reason_of(one)}
    told = STORED["answers"].keys() | STORED["refused"].keys()
    assert not STORED["answers"].keys() & STORED["refused"].keys()
    assert told <= ROWS.keys()
    assert len(asked - told) <= 0.02 * len(asked)
    assert all(len(answer) == 3 and min(answer) > 0 for answer in STORED["answers"].values())


def test_what_has_an_answer_can_be_asked() -> None:
    said = [peer.question_of(ROWS[row_id][1]) for row_id in STORED["answers"]]
    assert all(Path(one.arguments["model_path"]).is_file() for one in said)
    dense = next(one for one in said if one.arguments["gemm_quant_mode"] == "fp8" and not one.best)
    assert dense.batches[0] >= dense.batches[-1] >= 1
    without = [one for _, one in ROWS.values() if one.scenario.runtime.engine == "llama.cpp"]
    with pytest.raises(Unusable, match=r"llama\.cpp"):
        peer.question_of(without[0])


def test_a_prompt_that_was_read_before_the_clock_started_is_asked_as_cached() -> None:
    read = [one for row_id, (_, one) in ROWS.items() if one.cached_prompt and row_id in STORED["answers"]]
    assert read
    assert all(peer.question_of(one).arguments["prefix"] == one.scenario.workload.input_tokens - 1 for one in read)


def test_the_table_is_of_the_stored_answers_and_of_ours() -> None:
    every = peer.pairs(STORED)
    lines = peer.table(STORED, every)
    assert {one.figure for one in every} == set(peer.FIGURES)
    for figure in peer.FIGURES:
        others = [one for one in every if one.figure == figure and not one.own and one.unseen is not None]
        row = next(line for line in lines if line.startswith(f"| {figure} | others |"))
        assert f"| {len(others)} | {peer.errors([o.measured for o in others], [o.theirs for o in others])} |" in row
    own = {one.own for one in every if one.figure == inference_perf.MAXIMUM}
    assert own == {False}
    told = peer.nearer(every)
    assert all(figure in told for figure in peer.FIGURES)
