"""Rows from elsewhere: read as a person would read them, or set aside with a reason; never a crash."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.accuracy import (
    collectives,
    engine_logs,
    harness,
    inference_perf,
    training_memory,
    training_perf,
    training_words,
)
from tests.accuracy.__main__ import main
from tests.accuracy.rows import UnreadableRow, readable

SETS = {
    "engine_logs": engine_logs,
    "training_memory": training_memory,
    "collectives": collectives,
    "inference_perf": inference_perf,
    "training_perf": training_perf,
}
STRANGE: tuple[Any, ...] = (None, "", "abc", "n/a", -3, 1.5, True, [1], {"a": 1}, float("nan"), float("inf"))


def first_row(name: str) -> dict[str, Any]:
    rows: list[dict[str, Any]] = harness.load_rows(harness.REFERENCE / f"{name}.jsonl")
    return rows[0]


@pytest.mark.parametrize("name", SETS)
def test_no_field_of_a_row_stops_the_others(name: str) -> None:
    good = first_row(name)
    rows: list[Any] = [good, [], "text", None, {}]
    for key in good:
        rows.append({other: value for other, value in good.items() if other != key})
        rows += [{**good, key: value} for value in STRANGE]
    found = SETS[name].evaluate(rows)
    used = {case.row_id for case in found.cases} | {outcome.row_id for outcome in found.outcomes}
    assert str(good["id"]) in used
    assert found.set_aside
    assert all(reason and "cannot be compared" not in reason for _, reason in found.set_aside), found.set_aside
    json.dumps(harness.as_json(name, found), allow_nan=False)
    harness.render(name, found)


@pytest.mark.parametrize("name", SETS)
def test_numbers_may_be_text_and_fields_unknown(name: str) -> None:
    good = first_row(name)

    def as_text(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: as_text(held) for key, held in value.items()}
        return str(value) if isinstance(value, int | float) else value

    written = {**as_text(good), "added_later": {"anything": [1, 2]}}
    plain, texts = SETS[name].evaluate([good]), SETS[name].evaluate([written])
    assert [(case.metric, case.observed, case.predicted) for case in texts.cases] == [
        (case.metric, case.observed, case.predicted) for case in plain.cases
    ]


@pytest.mark.parametrize(
    ("key", "value", "read"),
    [
        ("tp", "8", 8),
        ("bytes", "1,048,576", 1048576),
        ("tpot_ms", "12.5 ms", 12.5),
        ("gpu_mem_gb", "80GB", 80),
        ("gpu_memory_utilization", "90%", 0.9),
        ("seq_len", "8k", 8000),
        ("micro_batch", 2.0, 2.0),
        ("nodes", 0, None),
        ("ttft_ms", float("nan"), None),
        ("concurrency", "not stated", None),
        ("spec_decode", "False", False),
        ("gpu", " H100 ", "H100"),
    ],
)
def test_a_field_reads_as_meant(key: str, value: object, read: object) -> None:
    assert readable({key: value})[key] == read


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("tp", -1),
        ("tp", 1.5),
        ("n_gpus", "many"),
        ("ttft_ms", "0.2 s"),
        ("ttft_ms", -4),
        ("gpu", ["H100", 2]),
        ("oom", "x"),
    ],
)
def test_a_field_that_says_nothing_usable_is_named(key: str, value: object) -> None:
    with pytest.raises(UnreadableRow, match=key):
        readable({key: value})


def test_more_nodes_than_gpus_is_no_endless_search() -> None:
    row = {**first_row("training_perf"), "nodes": 100_000}
    assert training_perf.evaluate([row]).rows_read == 1


def test_the_number_of_gpus_may_stand_before_the_name() -> None:
    assert readable({"gpu": "8xH100-80G"}) | {} == {"gpu": "H100-80G", "n_gpus": 8, "gpu_count": 8}
    assert readable({"gpu": "4x A100", "n_gpus": 2})["n_gpus"] == 2


def test_a_file_may_have_a_byte_order_mark_or_be_one_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = first_row("collectives") | {"notes": "a\u2028b"}
    lines, listed, broken = tmp_path / "lines.jsonl", tmp_path / "list.json", tmp_path / "broken.jsonl"
    lines.write_text("\ufeff" + json.dumps(row, ensure_ascii=False) + "\n\n", encoding="utf-8")
    listed.write_text(json.dumps([row]), encoding="utf-8")
    broken.write_text("{}\n{nonsense\n", encoding="utf-8")
    for path in (lines, listed):
        assert main(["collectives", str(path), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["rows_used"] == 1
    assert main(["collectives", str(broken)]) == 2
    assert "line 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("task", "kind"),
    [
        ("Pre-training", "pretrain"),
        ("SFT", "full-finetune"),
        ("Full fine-tuning", "full-finetune"),
        ("LoRA", "lora"),
        ("QLoRA (4-bit)", "qlora"),
        ("inference", None),
    ],
)
def test_a_task_by_its_words(task: str, kind: str | None) -> None:
    assert training_words.kind_of(task) == kind


@pytest.mark.parametrize(
    ("text", "dtype"),
    [("BF16", "bf16"), ("bfloat16", "bf16"), ("FP8 (e4m3)", "fp8"), ("bf16 mixed, fp8 GEMMs", "fp8"), ("fp32", None)],
)
def test_a_dtype_by_its_words(text: str, dtype: str | None) -> None:
    assert training_words.dtype_of(text) == dtype


@pytest.mark.parametrize(
    ("targets", "where"),
    [
        ("qv", "attention-qv"),
        (["q_proj", "v_proj"], "attention-qv"),
        ("q_proj, k_proj, v_proj, o_proj", "attention"),
        ("q_proj k_proj v_proj o_proj gate_proj up_proj down_proj", "all-linear"),
        ("all-linear", "all-linear"),
    ],
)
def test_adapters_by_the_modules_names(targets: object, where: str) -> None:
    qlora = next(row for row in harness.load_rows(harness.REFERENCE / "training_memory.jsonl") if row["in_fit"])
    scenario, _ = training_memory.scenario_of(readable({**qlora, "lora_targets": targets}))
    assert scenario.workload.lora_targets == where
