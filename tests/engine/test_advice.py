"""What to do: every change on offer is exactly what applying it makes, in the order that costs least."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

import catalog
from engine.decide.advice import OUT_OF_PROPORTION, Advice, advice, advise, bigger_card, line
from engine.decide.answer import status_of
from engine.decide.attempts import largest_node
from engine.decide.builds import Limits, Option, option_steps, options
from engine.decide.plan import plan
from engine.decide.size import size
from engine.figures.sentences import text_of
from engine.scenario import LayoutChoice, Scenario
from engine.scenario.change import change
from tests.engine.builds import build

KNOWN = catalog.load()
QUESTIONS: dict[str, Scenario] = {
    "qlora on one 4090": build("llama-3.1-70b", "bf16", "rtx-4090", 1, kind="qlora"),
    "405b in 16 bit on 8x 96 GB": build("llama-3.1-405b", "bf16", "rtx-pro-6000-server", 8, concurrency=20),
    "too many users": build(concurrency=600),
    "405b is slow": build("llama-3.1-405b", "fp8", "rtx-pro-6000-server", 8, concurrency=60),
    "a first token that is missed": build(gpus_per_node=4, ttft_target_s=2.0),
    "a deadline that does not fit": build(
        "llama-3.1-70b", "bf16", "h100-sxm", 8, kind="full-finetune", deadline_days=3
    ),
    "two boxes of 5090": build("qwen3-235b-a22b", "fp8", "rtx-5090", 4, 2, concurrency=10, input_tokens=31_000),
    "200 users of one Spark": build("llama-3.1-70b", "fp8", "gb10", 1, concurrency=200),
    "pinned to TP 2": build(
        "llama-3.1-70b", "fp8", "h100-sxm", 2, layout=LayoutChoice(2, 1, 1), tokens_per_s_user_target=25.0
    ),
    "more than it takes": build("llama-3.1-8b", "bf16", "h100-sxm", 8, concurrency=4),
    "two nodes for one": build("llama-3.1-70b", "fp8", "rtx-pro-6000-server", 8, 2, concurrency=32),
}
FOUND: dict[str, Advice] = {}


def found(name: str) -> Advice:
    """The advice on a question, searched once."""
    if name not in FOUND:
        FOUND[name] = advice(QUESTIONS[name])
    return FOUND[name]


@pytest.mark.parametrize("name", QUESTIONS)
def test_what_is_offered_is_what_applying_it_makes(name: str) -> None:
    scenario, advised = QUESTIONS[name], found(name)
    offered = [cure for cure in (advised.cure, advised.smaller, *advised.others) if cure is not None]
    assert offered
    for cure in offered:
        applied = change(scenario, dict(cure.changes), KNOWN)
        assert applied == cure.scenario
        sizing = size(applied)
        assert sizing.answer.status == cure.status
        assert sizing.verdict.carried
        assert applied.hardware.gpus_per_node <= max(
            scenario.hardware.gpus_per_node, applied.hardware.accelerator.max_gpus_per_node or 8
        )
        if cure.usd is not None:
            assert sizing.cost.whole_usd == pytest.approx(cure.usd)


def test_a_qlora_that_one_card_does_not_hold_takes_more_of_them_in_the_box() -> None:
    cure = found("qlora on one 4090").cure
    assert cure is not None
    assert dict(cure.changes) == {"hardware.gpus_per_node": 8}
    assert text_of(line(cure)).startswith("8 GPUs in the node: RUNS, ")


def test_formats_come_before_purchases_with_what_they_cost_in_quality() -> None:
    advised = found("405b in 16 bit on 8x 96 GB")
    assert advised.cure is not None
    assert dict(advised.cure.changes) == {"model.weights": "fp8"}
    assert "near lossless" in text_of(advised.cure.what)
    assert any("costs some quality" in text_of(other.what) for other in advised.others)


def test_a_card_that_does_it_for_less_comes_before_more_boxes() -> None:
    advised = found("405b is slow")
    assert advised.cure is not None
    assert "hardware.accelerator" in dict(advised.cure.changes)
    boxes = [other for other in advised.others if other.kind == "nodes"]
    assert all((advised.cure.usd or 0.0) <= (other.usd or 0.0) for other in boxes)


def test_one_box_holds_no_more_than_it_takes() -> None:
    advised = found("200 users of one Spark")
    for cure in (advised.cure, *advised.others):
        if cure is not None and cure.scenario.hardware.accelerator.id == "gb10":
            assert cure.scenario.hardware.gpus_per_node == 1


def test_a_build_that_runs_is_told_how_few_of_its_cards_would_do() -> None:
    advised = found("more than it takes")
    assert advised.cure is None
    assert advised.smaller is not None
    assert text_of(advised.smaller.what) == "1 of these 8 GPUs would do"
    two = found("two nodes for one").smaller
    assert two is not None
    assert two.scenario.hardware.nodes == 1


def test_a_run_without_a_deadline_is_not_told_to_take_longer() -> None:
    run = build("llama-3.1-8b", "bf16", "h100-sxm", 8, kind="lora", recompute="none")
    assert advice(run).first is None
    in_time = replace(run, workload=replace(run.workload, deadline_days=30.0))
    assert advice(in_time).smaller is not None


def test_a_slow_build_is_not_sold_something_out_of_all_proportion() -> None:
    scenario = build("qwen3-235b-a22b", "int4", "rtx-5090", 4, 2, concurrency=10, input_tokens=31_000)
    bill = size(scenario).cost.whole_usd
    advised = advice(scenario)
    assert bill is not None
    for cure in (advised.cure, *advised.others):
        assert cure is None or cure.usd is None or cure.usd <= OUT_OF_PROPORTION * bill


def test_the_same_question_has_the_same_answer_and_yields_after_every_build() -> None:
    scenario = QUESTIONS["too many users"]
    assert advice(scenario) == advice(scenario)
    steps = 0
    search = advise(scenario)
    for _ in search:
        steps += 1
    assert steps > 10


@pytest.mark.parametrize("name", [name for name in QUESTIONS if status_of(plan(QUESTIONS[name])) == "runs"])
def test_fewer_cards_are_the_fewest(name: str) -> None:
    smaller = found(name).smaller
    assert smaller is not None
    scenario, hardware = QUESTIONS[name], smaller.scenario.hardware
    for gpus in range(1, hardware.gpus_per_node):
        if gpus in (1, 2, 4) and gpus <= largest_node(scenario.hardware):
            fewer = change(scenario, {"hardware.gpus_per_node": gpus, "hardware.nodes": 1})
            assert status_of(plan(fewer)) != "runs"


@pytest.mark.parametrize(
    ("model", "weights", "card", "users", "first"),
    [
        ("llama-3.1-405b", "fp8", "rtx-pro-6000-server", 64, 5.0),
        ("llama-3.1-405b", "fp8", "rtx-pro-6000-server", 96, 6.0),
        ("llama-3.1-405b", "int4", "l40s", 48, 8.0),
    ],
)
def test_many_replicas_are_held_against_one_build_of_larger_cards(
    model: str, weights: str, card: str, users: int, first: float
) -> None:
    sizing = size(build(model, weights, card, 8, concurrency=users, ttft_target_s=first))
    named = sizing.verdict.recommended
    assert named is not None
    advised = advice(sizing.scenario)
    told = bigger_card(sizing, advised)
    if named.replicas <= 4:
        assert told is None
        return
    cheaper = [cure for cure in (advised.cure, *advised.others) if cure is not None and cure.kind == "card"]
    assert (told is not None) == bool(cheaper)
    if told is not None and told.fix is not None:
        applied = change(sizing.scenario, dict(told.fix.changes), KNOWN)
        assert size(applied).answer.status == "runs"


def test_405b_under_a_target_is_told_of_the_larger_cards() -> None:
    sizing = size(build("llama-3.1-405b", "fp8", "rtx-pro-6000-server", 8, concurrency=64, ttft_target_s=7.0))
    told = bigger_card(sizing, advice(sizing.scenario))
    assert told is not None
    assert "carries the load by itself" in text_of(told.message)


def test_few_replicas_and_no_dearer_ones_are_held_against_larger_cards() -> None:
    sizing = size(build("llama-3.1-405b", "fp8", "rtx-pro-6000-server", 8, concurrency=64, ttft_target_s=7.0))
    advised = advice(sizing.scenario)
    cure = next(one for one in (advised.cure, *advised.others) if one is not None and one.kind == "card")
    named, priced = sizing.verdict.recommended, sizing.cost.advised
    assert named is not None
    assert priced is not None
    assert cure.usd is not None

    def told(replicas: int, replicas_usd: float | None) -> bool:
        verdict = replace(sizing.verdict, recommended=replace(named, replicas=replicas))
        money = replace(sizing.cost, advised=replace(priced, whole_usd=replicas_usd))
        return bigger_card(replace(sizing, verdict=verdict, cost=money), advised) is not None

    assert [told(replicas, 10 * cure.usd) for replicas in (1, 4, 5, 6)] == [False, False, True, True]
    assert [told(9, dollars) for dollars in (cure.usd, cure.usd + 1, None)] == [False, True, True]


@pytest.mark.parametrize("card", ["gb10", "apple-m3-ultra", "radeon-ai-pro-r9700"])
def test_a_card_that_is_owned_is_recommended_wherever_its_report_says_it_runs(card: str) -> None:
    scenario = build("qwen3-8b", "fp8", card, 1, concurrency=2, input_tokens=500, output_tokens=200)
    runs = size(scenario).answer.status == "runs"
    found = [option for option in options(scenario, Limits(owned=(card,))) if option is not None]
    assert runs == any(option.gpus == 1 for option in found)


@pytest.mark.parametrize("name", ["qlora on one 4090", "too many users", "405b is slow", "two boxes of 5090"])
def test_passing_over_dearer_cards_changes_no_answer(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = 0

    def every_card(scenario: Scenario, limits: Limits, ceiling: object) -> Iterator[Option | str]:
        nonlocal tried
        for step in option_steps(scenario, limits):
            tried += not isinstance(step, str)
            yield step

    monkeypatch.setattr("engine.decide.advice.option_steps", every_card)
    assert advice(QUESTIONS[name]) == found(name)
    assert tried > 5


def test_a_run_that_leaves_its_card_free_is_told_to_recompute_nothing() -> None:
    """Full recomputation computes a forward pass again: four parts of work for three."""
    roomy = build("llama-2-7b", "bf16", "h100-sxm", 8, kind="pretrain", total_tokens=10**11)
    (cure,) = [one for one in advice(roomy).offered if ("workload.recompute", "none") in one.changes]
    assert cure.plan.memory.headroom in ("comfortable", "fits")
    before, after = plan(roomy).training, cure.plan.training
    assert before is not None
    assert after is not None
    assert 1.1 < before.days / after.days < 4 / 3 + 0.05
    full = build("llama-2-7b", "bf16", "h100-sxm", 8, kind="pretrain", total_tokens=10**11, micro_batch=24)
    assert not any(key == "workload.recompute" for one in advice(full).offered for key, _ in one.changes)


def test_a_run_that_is_late_or_dear_is_told_of_less_recomputation_before_more_cards() -> None:
    run = build("llama-2-7b", "bf16", "h100-sxm", 8, 8, kind="pretrain", total_tokens=10**12)
    free = plan(run)
    assert free.training is not None
    assert free.run_usd is not None
    for limit in ({"workload.deadline_days": 0.9 * free.training.days}, {"workload.budget_usd": 0.9 * free.run_usd}):
        limited = change(run, limit)
        assert status_of(plan(limited)) == "misses"
        cure = advice(limited).cure
        assert cure is not None
        assert cure.changes == (("workload.recompute", "none"),)


def test_a_budget_of_rent_is_not_answered_with_a_card_that_nobody_rents_out() -> None:
    run = build(
        "llama-3.1-8b", "bf16", "h100-sxm", 8, kind="full-finetune", total_tokens=1_500_000_000, budget_usd=50.0
    )
    assert status_of(plan(run)) == "misses"
    for cure in advice(run).found:
        assert cure.plan.run_usd is not None
        assert cure.plan.run_usd <= 50.0


@pytest.mark.parametrize(
    ("model", "weights", "card", "gpus"),
    [("llama-3.1-70b", "gguf-q4_k_m", "rtx-3090", 2), ("gpt-oss-20b", "mxfp4", "rtx-5070-ti", 1)],
)
def test_a_file_that_its_engine_has_no_room_for_is_offered_llama_cpp(
    model: str, weights: str, card: str, gpus: int
) -> None:
    """It fills a card up to a GiB: two of 24 GB run a 70B in Q4_K_M for one user, one of 16 GB gpt-oss 20B."""
    entered = build(model, weights, card, gpus, concurrency=1)
    (cure,) = [one for one in advice(entered).offered if one.kind == "engine"]
    assert dict(cure.changes) == {"runtime.engine": "llama.cpp"}
    assert cure.plan.memory.starts
    assert cure.plan.scenario.hardware == entered.hardware
    assert not any(one.kind == "engine" for one in advice(change(entered, {"model.weights": "int4"})).found)
