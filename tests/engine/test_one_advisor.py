"""One advisor for all: what a person owns first, whole bills, what can be bought, and nothing that was not sized."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

import catalog
from engine.decide.advice import CARRIES, CATALOG, Advice, advice, bigger_card, ended, line
from engine.decide.answer import status_of
from engine.decide.attempts import largest_node
from engine.decide.builds import Limits, options, recommend
from engine.decide.plan import plan
from engine.decide.size import size
from engine.decide.whole import with_changes
from engine.figures.sentences import text_of
from engine.money.bill import whole_usd
from engine.scenario import LayoutChoice, Scenario
from engine.scenario.change import change
from tests.engine.builds import build
from tui.pages.studies import Counsel
from tui.shell import builds, report_data

KNOWN = catalog.load()
LONG: dict[str, Any] = {"input_tokens": 31_000, "output_tokens": 1000}
BUILDS: dict[str, Scenario] = {
    "a working pair of boxes": build("qwen3-235b-a22b", "int4", "rtx-5090", 4, 2, concurrency=10, **LONG),
    "16 bits on one card": build("llama-3.1-70b", "bf16", "rtx-4090", 1, concurrency=4),
    "16 bits, eight cards": build("llama-3.1-70b", "bf16", "rtx-4090", 2, concurrency=4),
    "a load for one node": build("llama-3.1-405b", "int4", "rtx-5090", 8, concurrency=32, input_tokens=4000),
    "a model past the node": build("deepseek-r1", "fp8", "h100-sxm", 8, concurrency=32),
    "pinned copies": build("llama-3.1-70b", "fp8", "h100-sxm", 2, concurrency=8, layout=LayoutChoice(1, 1, 2)),
    "one Mac": build("llama-3.1-405b", "int4", "apple-m3-ultra", 1, concurrency=2),
    "over the budget": build("llama-3.1-8b", "bf16", "l40s", 4, concurrency=4, input_tokens=2000, budget_usd=30_000.0),
    "a run on too few": build("llama-3.1-8b", "bf16", "rtx-4090", 2, kind="full-finetune"),
}
FOUND: dict[str, Advice] = {}


def found(name: str) -> Advice:
    """The advice on a build, searched once, with the catalog's models."""
    if name not in FOUND:
        FOUND[name] = advice(BUILDS[name], KNOWN)
    return FOUND[name]


@pytest.mark.parametrize("name", BUILDS)
def test_everything_found_is_sized_as_it_is_applied(name: str) -> None:
    for cure in found(name).found:
        applied = change(BUILDS[name], dict(cure.changes), KNOWN)
        assert applied == cure.scenario
        after = size(applied)
        assert after.answer.status == cure.status in CARRIES
        assert after.verdict.carried
        assert "does not fit" not in text_of(line(cure))
        assert applied.hardware.gpus_per_node <= largest_node(applied.hardware)
        if cure.usd is not None:
            assert after.cost.whole_usd == pytest.approx(cure.usd)


@pytest.mark.parametrize("name", BUILDS)
def test_banner_report_recommend_and_notices_say_the_same(name: str) -> None:
    scenario, advised = BUILDS[name], found(name)
    counsel = Counsel()
    for _ in counsel.steps(scenario):
        pass
    assert counsel.of(scenario) == advised
    sizing = size(scenario)
    data = report_data.as_data(sizing)
    fixes = [report_data.suggestion_data(fix) for fix in advised.fixes]
    assert data["fixes"] == fixes
    told = advised.cure
    assert (data["answer"]["cure"] or {}).get("headline") == (text_of(told.headline) if told is not None else None)
    short = [notice for notice in data["warnings"] if notice["id"] in ("no-start", "over-memory")]
    for notice in short:
        assert not fixes or notice["fix"]["changes"] == fixes[0]["changes"]
    searched = builds.Found(scenario, Limits(), advised, ())
    assert [fix["effect"] for fix in builds.as_data(searched)["fixes"]] == [fix["effect"] for fix in fixes]


def test_a_notice_that_it_does_not_fit_ends_by_the_first_change() -> None:
    sizing, advised = with_changes(size(BUILDS["16 bits on one card"])), found("16 bits on one card")
    notice = next(one for one in sizing.warnings if one.id in ("no-start", "over-memory"))
    assert advised.cure is not None
    assert ended(notice, advised).fix == advised.cure.suggestion
    other = next(one for one in sizing.warnings if one.id not in ("no-start", "over-memory"))
    assert ended(other, advised) == other


def test_a_build_that_works_is_not_changed_into_one_that_does_not_start() -> None:
    assert status_of(plan(BUILDS["a working pair of boxes"])) in CARRIES
    advised = found("a working pair of boxes")
    assert advised.fixes == ()
    for cure in advised.found:
        assert cure.status == "runs"
    assert advised.cure is None or not advised.cure.far, "next to nothing left of the model is no first advice"


def test_more_cards_in_the_node_come_before_more_nodes() -> None:
    kinds = [cure.kind for cure in found("16 bits on one card").found]
    assert kinds.index("gpus") < kinds.index("nodes")
    cure = found("16 bits on one card").cure
    assert cure is not None
    assert cure.scenario.hardware.nodes == 1


@pytest.mark.parametrize(
    ("card", "gpus", "nodes"),
    [("gb10", 1, 1), ("gb10", 1, 2), ("apple-m3-ultra", 1, 1), ("h100-sxm", 8, 1), ("l40s", 8, 2)],
)
def test_no_box_holds_more_than_it_takes(card: str, gpus: int, nodes: int) -> None:
    scenario = build("llama-3.1-70b", "fp8", card, gpus, nodes, concurrency=900)
    most = scenario.hardware.accelerator.max_gpus_per_node or 8
    for cure in advice(scenario, KNOWN).found:
        hardware = cure.scenario.hardware
        assert hardware.gpus_per_node <= (hardware.accelerator.max_gpus_per_node or 8)
        if hardware.accelerator.id == card:
            assert hardware.gpus_per_node <= max(gpus, min(8, most))
    recommended_build = size(scenario).verdict.recommended
    assert recommended_build is not None
    assert recommended_build.gpus_per_node <= max(gpus, min(8, most))


def test_an_automatic_layout_pipelines_inside_the_node() -> None:
    auto = build("qwen3-235b-a22b", "int4", "rtx-5090", 8, concurrency=10, **LONG)
    free, pinned = size(auto), size(replace(auto, layout=LayoutChoice(4, 2, 1)))
    assert free.layout.pp > 1
    assert free.verdict.carried
    assert pinned.verdict.carried
    assert free.serving is not None
    assert pinned.serving is not None
    assert free.serving.tokens_per_s_user >= pinned.serving.tokens_per_s_user
    assert free.serving.ttft_s <= pinned.serving.ttft_s


def test_a_pinned_layout_stays_where_it_carries_and_is_repinned_by_name_where_not() -> None:
    scenario = BUILDS["pinned copies"]
    for cure in found("pinned copies").found:
        if cure.kind in CATALOG:
            continue
        changed = {key for key, _ in cure.changes if key.startswith("layout.")}
        assert all(value is not None for key, value in cure.changes if key in changed)
        if changed:
            assert cure.layout is not None
        else:
            assert cure.scenario.layout == scenario.layout
    reason = text_of(size(scenario).verdict.reason)
    assert "as pinned; yes with TP 2" in reason


def test_the_smallest_cluster_is_found_in_the_format_that_was_entered() -> None:
    two = build("llama-3.1-405b", "int4", "rtx-5090", 8, 2, concurrency=32, input_tokens=4000, output_tokens=1000)
    verdict = size(two).verdict
    assert verdict.carried
    assert verdict.recommended is not None
    assert verdict.recommended.gpus_per_node * verdict.recommended.nodes <= 16
    one = size(change(two, {"hardware.nodes": 1})).verdict.recommended
    assert one is not None
    assert one.nodes == 2


def test_a_line_of_80_columns_says_what_the_change_does_before_its_layout() -> None:
    pinned = build("deepseek-v3", "fp8", "h100-sxm", 8, 2, LayoutChoice(tp=8, pp=2))
    smaller = advice(pinned).smaller
    assert smaller is not None
    whole, short = text_of(line(smaller)), text_of(line(smaller, 76))
    assert "TP 1 x DP attention 8" in whole
    assert whole.startswith("8 of these 16 GPUs at INT4 (costs some quality), ")
    assert re.fullmatch(r"8 of these 16 GPUs at INT4 \(costs some quality\): RUNS, [\d.]+ tok/s a user", short)


def test_another_card_for_less_is_the_headlines_second_sentence() -> None:
    scenario = build("llama-3.1-405b", "fp8", "rtx-pro-6000-server", 8, concurrency=64, ttft_target_s=7.0)
    sizing = size(scenario)
    larger = bigger_card(sizing, advice(scenario, KNOWN))
    assert larger is not None
    headline = report_data.as_data(sizing)["verdict"]["headline"]
    assert headline == f"{text_of(sizing.verdict.headline)}. {text_of(larger.message).removesuffix('.')}"
    assert headline.startswith("Replicas: ")
    assert " replicas of 8x RTX PRO 6000" in headline
    assert "carries the load by itself for $" in headline


@pytest.mark.parametrize("budget", [20_000.0, 60_000.0])
def test_a_budget_holds_the_whole_bill(budget: float) -> None:
    scenario = build("qwen3-235b-a22b", "fp8", "rtx-5090", 4, 2, concurrency=10, **LONG)
    for one in recommend(scenario, Limits(buy_usd=budget)):
        bill = whole_usd(size(one.option.scenario).cost.lines)
        assert bill is not None
        assert one.option.whole_usd == pytest.approx(bill)
        assert bill <= budget


def test_a_budget_decides_for_serving_and_fewer_cards_may_keep_it() -> None:
    scenario = BUILDS["over the budget"]
    assert size(scenario).answer.status == "misses"
    advised = found("over the budget")
    assert advised.cure is not None
    assert advised.cure.kind == "fewer"
    bill = size(advised.cure.scenario).cost.buy_usd
    assert bill is not None
    assert bill <= 30_000.0
    assert all(cure.status == "runs" for cure in advised.found[:1])


def test_a_long_run_on_one_card_stands_beside_what_eight_do_for_the_same_money() -> None:
    run = build("llama-3.1-8b", "bf16", "h100-sxm", 8, kind="lora", total_tokens=10_000_000_000)
    told = text_of(size(run).verdict.headline)
    assert "8 finish in" in told
    assert "the same cost" in told or "times the cost" in told
    assert "spare" not in told


def test_a_smaller_model_of_the_series_and_an_api_are_known() -> None:
    advised = found("a model past the node")
    smaller = next(cure for cure in advised.found if cure.kind == "model")
    assert dict(smaller.changes) == {"model.id": "deepseek-r1-distill-qwen-32b"}
    assert advised.api
    price = size(BUILDS["a model past the node"]).cost
    assert price.api_usd_per_million_tokens is not None
    assert text_of(price.api_note) in text_of(advised.api)
    assert "over an API" in report_data.as_data(size(BUILDS["a model past the node"]))["answer"]["api"]
    kinds = [cure.kind for cure in advised.found]
    assert kinds.index("few bits") < kinds.index("card") < kinds.index("model"), "what is owned comes first"


@pytest.mark.parametrize(
    ("model", "smaller"),
    [
        ("llama-3.1-405b", ("llama-3.1-70b", "llama-3.1-8b")),
        ("gpt-oss-120b", ("gpt-oss-20b",)),
        ("deepseek-r1", ("deepseek-r1-distill-qwen-32b",)),
        ("llama-3.3-70b", ()),
        ("gemma-3-1b", ()),
        ("nobody's", ()),
    ],
)
def test_smaller_models_are_of_the_same_series(model: str, smaller: tuple[str, ...]) -> None:
    assert KNOWN.smaller(model) == smaller
    assert not any("vl" in one or "coder" in one for one in KNOWN.smaller("qwen3-235b-a22b"))


def test_the_cheapest_card_of_the_catalog_is_the_one_on_offer() -> None:
    scenario = BUILDS["a load for one node"]
    other = next(cure for cure in found("a load for one node").found if cure.kind == "card")
    bills = [
        option.whole_usd
        for option in options(scenario)
        if option is not None
        and option.whole_usd is not None
        and option.scenario.hardware.accelerator.id != scenario.hardware.accelerator.id
        and status_of(option.plan) == "runs"
    ]
    assert other.usd == pytest.approx(min(bills))


def test_a_load_that_is_made_smaller_is_called_that_and_comes_last_of_what_is_sound() -> None:
    advised = advice(build(concurrency=2000), KNOWN)
    less = [fix for fix in advised.fixes if text_of(fix.effect).startswith("asking for less")]
    assert less
    assert all(fix.field.startswith("workload.") for fix in less)
    assert advised.cure is not None
    assert not advised.cure.asks_less


def test_a_run_in_time_is_told_of_settings_before_purchases() -> None:
    scenario = replace(BUILDS["a run on too few"])
    cure = advice(scenario, KNOWN).cure
    assert cure is not None
    assert cure.status in CARRIES
    assert size(cure.scenario).training is not None


def test_two_nodes_for_what_one_holds_are_told_so() -> None:
    """405B BF16 on 2x8 H100 runs, and one of these nodes carries it at FP8: line three says so, as the verdict does."""
    two = build("llama-3.1-405b", "bf16", "h100-sxm", 8, 2)
    assert status_of(plan(two)) == "runs"
    smaller = advice(two).smaller
    assert smaller is not None
    assert (smaller.scenario.hardware.gpus, smaller.scenario.hardware.nodes) == (8, 1)
    assert smaller.scenario.model.weights == "fp8"
    assert text_of(smaller.what) == "8 of these 16 GPUs at FP8 (near lossless)"
    assert smaller.status == "runs"


def test_a_run_that_waits_is_told_of_a_sharding_that_waits_less() -> None:
    scenario = build("llama-3.1-405b", "bf16", "h100-sxm", 8, 2048, kind="pretrain", global_batch_tokens=16_777_216)
    before, found = plan(scenario), advice(scenario)
    assert before.training is not None
    assert before.training.efficiency < 0.6
    assert found.first is found.quicker
    assert found.quicker is not None
    again = plan(change(scenario, dict(found.quicker.changes)))  # as its key does it
    assert again.carries
    assert again.training is not None
    assert again.training.days * 1.1 <= before.training.days
    assert again.training.step_s < before.training.step_s


def test_a_run_above_the_floor_is_left_alone() -> None:
    scenario = build(
        "llama-3.1-8b", "bf16", "h100-sxm", 8, 2, kind="pretrain", global_batch_tokens=4_194_304, recompute="none"
    )
    before = plan(scenario)
    assert before.training is not None
    assert before.training.efficiency >= 0.6
    assert advice(scenario).first is None


def test_more_nodes_are_offered_at_the_batch_that_the_run_has() -> None:
    scenario = build(
        "llama-3.1-70b", "bf16", "h100-sxm", 8, 8, kind="pretrain", total_tokens=10_000_000_000, deadline_days=1.0
    )
    nodes = [cure for cure in advice(scenario).found if cure.kind == "nodes"]
    assert nodes
    for cure in nodes:
        assert cure.scenario.hardware.gpus > 64
        assert cure.scenario.workload.batch_tokens == scenario.workload.batch_tokens
