"""The builds that a verdict names: boxes that are sold, layouts that carry, formats and pins that were entered."""

from __future__ import annotations

from dataclasses import replace

import pytest

import catalog
from engine.decide.plan import plan
from engine.decide.size import size
from engine.decide.verdict import decide
from engine.figures.sentences import text_of
from engine.layout.candidates import candidate_layouts
from engine.parts.hardware import Accelerator
from engine.scenario import LayoutChoice, Scenario
from engine.scenario.change import change
from tests.engine.builds import build

KNOWN = catalog.load()
BOXED = [card for card in KNOWN.facts.accelerators if card.max_gpus_per_node is not None and not card.status]


@pytest.mark.parametrize("card", BOXED, ids=lambda card: card.id)
def test_no_verdict_puts_more_cards_into_a_box_than_it_takes(card: Accelerator) -> None:
    for users in (1, 200, 20_000):
        scenario = build("llama-3.1-70b", "fp8", card.id, 1, concurrency=users)
        verdict = decide(scenario, plan(scenario))
        if verdict.recommended is not None and verdict.recommended.nodes:
            assert verdict.recommended.gpus_per_node <= (card.max_gpus_per_node or 0), users


def test_boards_of_eight_refuse_a_box_of_sixteen() -> None:
    with pytest.raises(Exception, match="16 x H100 SXM in one box") as refused:
        size(build("llama-3.1-70b", "fp8", "h100-sxm", 16))
    assert "1 to 8" in str(refused.value)


def pinned(scenario: Scenario, tp: int, pp: int, dp: int, ep: int) -> Scenario:
    return replace(scenario, layout=LayoutChoice(tp, pp, dp, ep))


@pytest.mark.parametrize(
    ("model", "weights", "card", "gpus", "users", "prompt"),
    [
        ("qwen3-235b-a22b", "int4", "rtx-5090", 8, 10, 31_000),
        ("qwen3-235b-a22b", "fp8", "rtx-6000-ada", 8, 8, 16_000),
        ("qwen3-30b-a3b", "bf16", "rtx-4090", 4, 4, 32_000),
        ("glm-4.5-air", "int4", "rtx-4090", 4, 6, 32_000),
        ("llama-3.1-70b", "int4", "rtx-3090", 4, 8, 16_000),
        ("gpt-oss-120b", "mxfp4", "rtx-5090", 4, 16, 32_000),
    ],
)
def test_the_automatic_layout_carries_whatever_a_pinned_one_carries(
    model: str, weights: str, card: str, gpus: int, users: int, prompt: int
) -> None:
    scenario = build(model, weights, card, gpus, concurrency=users, input_tokens=prompt, output_tokens=1000)
    carried = [
        layout
        for layout in candidate_layouts(scenario)
        if plan(pinned(scenario, layout.tp, layout.pp, layout.dp, layout.ep)).carries
    ]
    assert plan(scenario).carries == bool(carried)


def test_qwen_235b_on_eight_rtx_5090_takes_a_pipeline_inside_the_node() -> None:
    sizing = size(build("qwen3-235b-a22b", "int4", "rtx-5090", 8, concurrency=10, input_tokens=31_000))
    assert sizing.layout.pp > 1
    assert sizing.verdict.carried
    assert sizing.verdict.recommended is not None
    assert sizing.verdict.recommended.nodes == 1


@pytest.mark.parametrize(
    ("model", "weights", "card", "per_node", "nodes", "users", "prompt"),
    [
        ("llama-3.1-405b", "int4", "rtx-5090", 8, 2, 32, 4000),
        ("llama-3.1-405b", "int4", "rtx-6000-ada", 4, 2, 8, 4000),
        ("deepseek-v3", "fp8", "h100-sxm", 8, 2, 32, 7000),
        ("qwen3-235b-a22b", "int4", "gb10", 1, 2, 1, 500),
        ("deepseek-v3", "int4", "a100-sxm4-80gb", 4, 2, 8, 4000),
    ],
)
def test_nodes_that_carry_as_entered_are_not_told_to_be_more(
    model: str, weights: str, card: str, per_node: int, nodes: int, users: int, prompt: int
) -> None:
    verdict = size(
        build(model, weights, card, per_node, nodes, concurrency=users, input_tokens=prompt, output_tokens=256)
    ).verdict
    assert verdict.carried
    assert verdict.recommended is not None
    assert verdict.recommended.gpus_per_node * verdict.recommended.nodes <= per_node * nodes


def lora_on_four(layout: LayoutChoice) -> Scenario:
    return build(
        "llama-3.1-8b",
        "bf16",
        "l40s",
        4,
        layout=layout,
        kind="lora",
        sequence_length=16384,
        micro_batch=2,
        framework="nemo",
    )


def test_a_pinned_layout_that_does_not_fit_is_told_and_the_one_that_does_is_named() -> None:
    verdict = size(lora_on_four(LayoutChoice(tp=1, pp=1, dp=4))).verdict
    assert not verdict.carried
    assert "as pinned" in text_of(verdict.reason)
    assert verdict.recommended is not None
    assert verdict.recommended.layout is not None
    named = verdict.recommended.layout
    assert plan(pinned(lora_on_four(LayoutChoice()), named.tp, named.pp, named.dp, named.ep)).carries


@pytest.mark.parametrize("layout", [LayoutChoice(), LayoutChoice(tp=1, pp=1, dp=4)], ids=["auto", "pinned"])
def test_a_run_that_only_a_change_carries_is_named_with_the_change_and_its_layout(layout: LayoutChoice) -> None:
    as_entered = lora_on_four(layout)
    scenario = replace(as_entered, workload=replace(as_entered.workload, framework="deepspeed", sharding="zero3"))
    verdict = size(scenario).verdict
    named = verdict.recommended
    assert not verdict.carried
    assert named is not None
    assert named.changes
    assert named.layout is not None
    cards = {"hardware.gpus_per_node": named.gpus_per_node, "hardware.nodes": named.nodes}
    changed = change(scenario, {**cards, **dict(named.changes)})
    assert plan(pinned(changed, named.layout.tp, named.layout.pp, named.layout.dp, named.layout.ep)).carries


def test_a_pinned_layout_that_carries_is_the_verdicts_own() -> None:
    scenario = build("llama-3.1-70b", "fp8", "h100-sxm", 4, layout=LayoutChoice(tp=4, pp=1, dp=1), concurrency=8)
    verdict = size(scenario).verdict
    assert verdict.carried
    assert verdict.recommended is not None
    assert verdict.recommended.layout is None
    assert any("TP 4, PP 1, DP 1" in text_of(line.figure) for line in verdict.steps[1].evidence)


def test_without_a_pin_no_layout_is_named() -> None:
    for users in (1, 64, 5000):
        build_named = size(build(concurrency=users)).verdict.recommended
        assert build_named is not None
        assert build_named.layout is None
