"""Flip points are true, and more load never takes fewer machines."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from engine.decide.answer import holds
from engine.decide.flips import flip_points, verdict_at
from engine.decide.size import size
from engine.figures.sentences import text_of
from engine.scenario import Scenario
from engine.sizing import Flip, Verdict
from tests.engine.builds import build

SCENARIOS: dict[str, dict[str, Any]] = {
    "small model, one card": {
        "model": "llama-3.1-8b",
        "weights": "bf16",
        "accelerator": "rtx-4090",
        "gpus_per_node": 1,
    },
    "70B on one node": {"concurrency": 32},
    "70B, replicas": {"concurrency": 1000},
    "70B on cards without FP8": {"accelerator": "a100-sxm4-80gb", "gpus_per_node": 4, "concurrency": 32},
    "405B in 16 bit": {"model": "llama-3.1-405b", "weights": "bf16", "accelerator": "h100-sxm", "concurrency": 8},
    "671B on two nodes": {"model": "deepseek-v3", "accelerator": "h100-sxm", "nodes": 2, "input_tokens": 4000},
    "two small nodes": {"accelerator": "rtx-5090", "gpus_per_node": 4, "nodes": 2, "concurrency": 16},
    "requests a second": {
        "accelerator": "h100-sxm",
        "concurrency": 64,
        "requests_per_s": 20.0,
        "input_tokens": 1000,
        "output_tokens": 300,
    },
    "a target for the first token": {"concurrency": 16, "ttft_target_s": 2.0, "tokens_per_s_user_target": 15.0},
    "a speed nobody reaches": {"model": "llama-3.1-405b", "concurrency": 8, "tokens_per_s_user_target": 200.0},
    "LoRA on one card": {
        "model": "llama-3.1-8b",
        "weights": "bf16",
        "accelerator": "rtx-4090",
        "gpus_per_node": 1,
        "kind": "lora",
    },
    "a run with a deadline": {
        "model": "llama-3.1-8b",
        "weights": "bf16",
        "accelerator": "rtx-4090",
        "gpus_per_node": 2,
        "kind": "lora",
        "total_tokens": 50_000_000_000,
        "deadline_days": 7.0,
    },
    "a run with a budget": {
        "model": "llama-3.1-8b",
        "weights": "bf16",
        "accelerator": "h100-sxm",
        "kind": "pretrain",
        "total_tokens": 20_000_000_000,
        "budget_usd": 5000.0,
    },
    "a fine-tune across nodes": {"weights": "bf16", "nodes": 2, "kind": "full-finetune"},
}


def _field(flip: Flip) -> str:
    return flip.field.partition(".")[2]


def _same(one: Verdict | None, other: Verdict | None) -> bool:
    """Whether two verdicts say the same build."""
    assert one is not None
    assert other is not None
    return (one.answer, one.replicas, one.recommended) == (other.answer, other.replicas, other.recommended)


@pytest.mark.parametrize("name", SCENARIOS)
def test_at_a_flip_the_verdict_is_another_and_just_before_it_is_not(name: str) -> None:
    scenario = build(**SCENARIOS[name])
    here = size(scenario).verdict
    for flip in flip_points(scenario):
        field, entered = _field(flip), getattr(scenario.workload, _field(flip))
        there = verdict_at(scenario, field, int(flip.at) if isinstance(entered, int) else flip.at)
        assert there is not None
        assert there.answer == flip.to
        assert not _same(here, there)
        up = flip.at > entered
        before = int(flip.at) + (-1 if up else 1) if isinstance(entered, int) else flip.at * (0.99 if up else 1.01)
        if (before - entered) * (1 if up else -1) < 0:
            continue  # the flip lies nearer to what was entered than it is looked for
        just = verdict_at(scenario, field, before)
        assert just is not None
        if field in ("sequence_length", "micro_batch"):  # no load: the number of replicas alone is no flip
            assert just.answer == here.answer
        else:
            assert _same(here, just) or here.answer == just.answer == "does-not-fit"


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_words_of_a_flip_are_ordered_and_say_two_things(name: str) -> None:
    scenario = build(**SCENARIOS[name])
    for flip in flip_points(scenario):
        up = flip.at > getattr(scenario.workload, _field(flip))
        edge, _, answers = text_of(flip.words).partition(": ")
        assert edge.startswith("Up to " if up else "Down to ")
        here, _, beyond = answers.partition("; above: " if up else "; below: ")
        assert beyond
        assert here != beyond
        assert not re.search(r"one node(?! of \d+ GPU)", answers)
        assert " 1 sequences" not in text_of(flip.words)


def _machines(verdict: Verdict | None) -> int:
    assert verdict is not None
    assert verdict.recommended is not None
    build_ = verdict.recommended
    return 10**9 if verdict.answer == "does-not-fit" else build_.gpus_per_node * build_.nodes


SERVING = [name for name in SCENARIOS if SCENARIOS[name].get("kind", "serve") == "serve"]


@pytest.mark.parametrize("name", SERVING)
@pytest.mark.parametrize("field", ["concurrency", "requests_per_s"])
def test_more_load_never_takes_fewer_gpus(name: str, field: str) -> None:
    scenario: Scenario = build(**SCENARIOS[name])
    loads = [1, 2, 3, 5, 7, 8, 12, 16, 23, 32, 50, 64, 100, 150, 190, 205, 215, 231, 300, 450, 700, 1000, 2000, 5000]
    if field == "requests_per_s" and scenario.workload.requests_per_s is None:
        scenario = replace(scenario, workload=replace(scenario.workload, requests_per_s=1.0, concurrency=8))
    counts = [_machines(verdict_at(scenario, field, load if field == "concurrency" else load / 10)) for load in loads]
    assert counts == sorted(counts), list(zip(loads, counts, strict=True))


def test_a_longer_run_never_takes_fewer_nodes_and_a_later_deadline_never_more() -> None:
    scenario = build(**SCENARIOS["a run with a deadline"])
    tokens = [int(50e9 * step / 20) for step in range(10, 60, 3)]
    by_tokens = [_machines(verdict_at(scenario, "total_tokens", count)) for count in tokens]
    assert by_tokens == sorted(by_tokens)
    by_days = [_machines(verdict_at(scenario, "deadline_days", days / 2)) for days in range(8, 40)]
    assert by_days == sorted(by_days, reverse=True)


def test_a_budget_decides_and_says_what_the_run_costs() -> None:
    fields: dict[str, Any] = {
        "model": "llama-3.1-8b",
        "weights": "bf16",
        "accelerator": "h100-sxm",
        "kind": "pretrain",
    }
    run = build(**fields, total_tokens=100_000_000_000, budget_usd=1000.0)
    verdict = size(run).verdict
    assert verdict.answer == "does-not-fit"
    assert text_of(verdict.headline).startswith("Over budget")
    assert "budget of $1,000" in text_of(verdict.reason)
    assert size(build(**fields, total_tokens=100_000_000_000, budget_usd=1e6)).verdict.answer != "does-not-fit"


def test_a_layout_that_several_flips_take_is_named_once() -> None:
    def points(*layouts: str) -> list[Flip]:
        fields = ("workload.concurrency", "workload.input_tokens", "workload.output_tokens")
        return [
            Flip(field, 101.0, "multi-node", (), 100.0, where) for field, where in zip(fields, layouts, strict=True)
        ]

    def told(*layouts: str) -> list[str]:
        return [text_of(words) for words in holds(points(*layouts))]

    assert told("PP 8", "PP 8", "PP 8") == [
        "100 users as PP 8", "likewise prompts of 100 tokens", "likewise answers of 100 tokens",
    ]  # fmt: skip
    assert told("", "PP 8", "PP 2") == ["100 users", "prompts of 100 tokens as PP 8", "answers of 100 tokens as PP 2"]
    assert told("PP 8", "", "PP 8")[1:] == ["prompts of 100 tokens", "answers of 100 tokens as PP 8"]
