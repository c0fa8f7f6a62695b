"""A batch with a corpus: what it counts, how long it takes and for how much, its date and budget, over models and cards."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.decide.advice import advice
from engine.decide.corpus import corpus_curve, corpus_point
from engine.decide.flips import flip_points
from engine.decide.opened import chain, figure_ids, working
from engine.decide.plan import plan
from engine.decide.size import size
from engine.figures.errors import ScenarioError
from engine.figures.sentences import text_of
from engine.scenario import Scenario
from engine.scenario.change import change
from engine.sizing import Sizing
from tests.arithmetic import computed
from tests.engine.builds import build

BILLION = 10**9
CARDS = [
    ("llama-3.1-70b", "fp8", "rtx-pro-6000-server", 8),
    ("llama-3.1-8b", "bf16", "l4", 4),
    ("qwen3-32b", "fp8", "h100-sxm", 4),
    ("gpt-oss-120b", "mxfp4", "h200-sxm", 2),
    ("mixtral-8x7b", "fp8", "a100-sxm4-80gb", 4),
]


def corpus(
    model: str = "llama-3.1-8b", weights: str = "bf16", card: str = "l4", gpus: int = 4, **work: Any
) -> Scenario:
    fields: dict[str, Any] = {"input_tokens": 2000, "output_tokens": 500, "total_tokens": 2 * BILLION}
    return build(model, weights, card, gpus, kind="batch", **(fields | work))


def days_of(scenario: Scenario) -> float:
    serving = plan(scenario).serving
    assert serving is not None
    assert serving.days is not None
    return serving.days


def ids(sizing: Sizing) -> list[str]:
    return [notice.id for notice in sizing.warnings]


@pytest.mark.parametrize("row", CARDS, ids=lambda row: f"{row[0]} on {row[3]}x {row[2]}")
def test_days_are_the_requests_of_the_corpus_over_requests_a_second(row: tuple[str, str, str, int]) -> None:
    scenario = corpus(*row)
    sizing = size(scenario)
    serving = sizing.serving
    assert serving is not None
    assert serving.corpus_requests == 2 * BILLION / 2500
    assert serving.days is not None
    assert serving.days == pytest.approx(2 * BILLION / 2500 / serving.requests_per_s / 86400)
    assert serving.gpu_hours == pytest.approx(serving.days * 24 * row[3])
    hourly = sizing.cost.rent_usd_per_hour
    assert hourly is not None
    assert sizing.cost.run_usd == pytest.approx(serving.days * 24 * hourly)


@pytest.mark.parametrize("row", CARDS, ids=lambda row: f"{row[0]} on {row[3]}x {row[2]}")
def test_a_date_decides_on_either_side_of_what_the_corpus_takes(row: tuple[str, str, str, int]) -> None:
    free = corpus(*row)
    takes = days_of(free)
    late, early = (size(change(free, {"workload.deadline_days": takes * factor})) for factor in (0.3, 1.05))
    assert not late.verdict.carried
    assert late.answer.status == "misses"
    (miss,) = late.answer.misses
    assert miss.target == "workload.deadline_days"
    assert miss.got == pytest.approx(takes, rel=1e-3)
    assert late.verdict.answer != "one-gpu"
    assert late.verdict.recommended is not None
    assert late.verdict.recommended.nodes * late.verdict.recommended.gpus_per_node > row[3]
    assert early.verdict.carried
    assert early.answer.status == "runs"
    assert "spare-gpus" not in ids(early), "the date needs these cards"


def test_twice_the_corpus_takes_twice_the_days_and_twice_the_replicas_half() -> None:
    one = corpus("llama-3.1-70b", "fp8", "rtx-pro-6000-server", 8)
    takes = days_of(one)
    assert days_of(change(one, {"workload.total_tokens": 4 * BILLION})) == pytest.approx(2 * takes)
    two = change(one, {"hardware.nodes": 2})
    assert days_of(two) == pytest.approx(takes / 2)
    assert plan(two).run_usd == pytest.approx(plan(one).run_usd)


def test_users_named_beside_a_corpus_change_nothing_of_its_speed() -> None:
    few, many = (corpus(concurrency=users) for users in (1, 4096))
    assert days_of(few) == pytest.approx(days_of(many))
    assert "workload.concurrency" not in {flip.field for flip in flip_points(corpus(deadline_days=1.0))}


def test_fewer_requests_than_the_build_runs_at_once_are_all_that_run() -> None:
    serving = plan(corpus("llama-3.1-8b", "bf16", "h100-sxm", 1, total_tokens=25_000)).serving
    assert serving is not None
    assert serving.served_concurrency == 10


def test_a_batch_without_a_corpus_has_no_days_and_its_date_is_not_held() -> None:
    sizing = size(corpus(total_tokens=None, deadline_days=0.001))
    assert sizing.serving is not None
    assert (sizing.serving.days, sizing.serving.gpu_hours, sizing.cost.run_usd) == (None, None, None)
    assert sizing.verdict.carried
    assert any("no corpus is entered" in text_of(words) for words in sizing.verdict.assumed)
    served = size(replace_kind(corpus(), "serve")).serving
    assert served is not None
    assert served.days is None
    with pytest.raises(ScenarioError, match="total_tokens"):
        corpus_curve(corpus(total_tokens=None))


def replace_kind(scenario: Scenario, kind: Any) -> Scenario:
    return replace(scenario, workload=replace(scenario.workload, kind=kind))


def test_a_budget_holds_the_rent_of_the_corpus_not_the_purchase() -> None:
    free = corpus()
    rent = plan(free).run_usd
    assert rent is not None
    within, over = (size(change(free, {"workload.budget_usd": rent * factor})) for factor in (1.01, 0.5))
    assert within.verdict.carried, "the cards cost more to buy than that"
    assert [miss.target for miss in over.answer.misses] == ["workload.budget_usd"]
    assert over.answer.misses[0].got == pytest.approx(rent)


@pytest.mark.parametrize("row", CARDS[:3], ids=lambda row: f"{row[0]} on {row[3]}x {row[2]}")
def test_what_is_offered_for_a_date_keeps_it_when_it_is_applied(row: tuple[str, str, str, int]) -> None:
    free = corpus(*row)
    late = change(free, {"workload.deadline_days": days_of(free) / 2.5})
    offered = advice(late).fixes
    assert offered
    for fix in offered:
        assert plan(change(late, dict(fix.changes))).carries, text_of(fix.effect)
    found = advice(late)
    assert found.first is not None
    assert found.first.plan.carries


def test_fewer_cards_are_only_offered_where_the_date_still_holds() -> None:
    free = corpus("llama-3.1-70b", "fp8", "rtx-pro-6000-server", 8)
    takes = days_of(free)
    assert advice(change(free, {"workload.deadline_days": takes * 1.2})).smaller is None
    loose = advice(change(free, {"workload.deadline_days": takes * 2.5})).smaller
    assert loose is not None
    assert loose.plan.carries
    assert loose.scenario.hardware.gpus == 4
    assert advice(free).smaller is None, "without a date more cards are sooner for the same money"


def test_the_smallest_build_in_time_is_carried_and_one_less_is_late() -> None:
    free = corpus("llama-3.1-70b", "fp8", "rtx-pro-6000-server", 8)
    asked = change(free, {"workload.deadline_days": days_of(free) / 4.5})
    curve = corpus_curve(asked)
    assert curve.smallest is not None
    assert (curve.smallest.nodes, curve.smallest.gpus_per_node) == (5, 8)
    assert plan(change(asked, {"hardware.nodes": 5})).carries
    assert not plan(change(asked, {"hardware.nodes": 4})).carries
    assert size(asked).verdict.replicas == 5, "the verdict counts as many"
    lengths = [point.days for point in curve.points]
    assert lengths == sorted(lengths, reverse=True)
    eight, sixteen = (corpus_point(asked, 8, nodes) for nodes in (1, 2))
    assert eight is not None
    assert sixteen is not None
    assert sixteen.days == pytest.approx(eight.days / 2)
    assert sixteen.usd == pytest.approx(eight.usd)
    assert plan(change(asked, {"hardware.nodes": 2})).run_days == pytest.approx(sixteen.days)


def test_a_budget_under_the_rent_has_no_smallest_build() -> None:
    curve = corpus_curve(corpus(deadline_days=1.0, budget_usd=1.0))
    assert curve.smallest is None
    assert "over the $1" in text_of(curve.words)


def test_the_flip_points_of_a_corpus_are_its_tokens_and_its_date() -> None:
    free = corpus()
    deadline = days_of(free) * 1.2
    found = {
        (flip.field, flip.at > flip.last): flip
        for flip in flip_points(change(free, {"workload.deadline_days": deadline}))
    }
    longer, earlier = found["workload.total_tokens", True], found["workload.deadline_days", False]
    assert longer.to == earlier.to
    assert longer.last / (2 * BILLION) == pytest.approx(deadline / earlier.last, rel=0.02), (
        "so much more is so much later"
    )


def test_every_figure_of_a_corpus_has_a_working_that_comes_to_it() -> None:
    sizing = size(corpus(deadline_days=3.0))
    found = figure_ids(sizing)
    assert {"serving.days", "serving.gpu_hours", "serving.corpus_requests"} <= set(found)
    assert sizing.serving is not None
    for figure, value in (("serving.days", sizing.serving.days), ("cost.run_usd", sizing.cost.run_usd)):
        made = working(sizing, figure)
        assert made.value == value
        assert computed(made) == pytest.approx(value, rel=1e-6)
    for figure in found:
        if figure.startswith(("serving.", "cost.")):
            made = working(sizing, figure)
            assert made.value is None or computed(made) == pytest.approx(made.value, rel=1e-6), figure


@pytest.mark.parametrize("name", ["replicas", "joined", "one card"])
def test_the_corpus_against_gpus_opens_to_workings_that_come_to_it(name: str) -> None:
    scenario = {
        "replicas": lambda: corpus(deadline_days=3.0),
        "joined": lambda: corpus("deepseek-v3.2", "fp8", "a100-sxm4-80gb", 8),
        "one card": lambda: corpus("llama-3.1-8b", "bf16", "rtx-4090", 1),
    }[name]()
    sizing, found = size(scenario), corpus_curve(scenario)
    assert found.points
    ids = figure_ids(sizing)
    for point in found.points:
        for field, value in (("days", point.days), ("gpu_hours", point.gpu_hours), ("usd", point.usd)):
            assert f"corpus.{point.gpus}.{field}" in ids
            opened = chain(sizing, f"corpus.{point.gpus}.{field}")
            assert opened[0].value == value
            for made in opened:
                assert made.value is None or computed(made) == pytest.approx(made.value, rel=1e-6), made.figure
    if found.smallest is not None:
        assert computed(working(sizing, "corpus.smallest.days")) == pytest.approx(found.smallest.days)
        assert computed(working(sizing, "corpus.smallest.gpus")) == found.smallest.gpus


# ---------------------------------------------------------------- runs without a date

RUNS: dict[str, dict[str, Any]] = {
    "full": {"model": "llama-3.2-1b", "weights": "bf16", "accelerator": "h100-sxm", "kind": "full-finetune"},
    "pretraining": {"model": "llama-3.2-1b", "weights": "bf16", "accelerator": "h200-sxm", "kind": "pretrain"},
    "adapters": {"model": "llama-3.1-8b", "weights": "bf16", "accelerator": "a100-sxm4-80gb", "kind": "lora"},
    "a corpus": {
        "model": "llama-3.1-8b",
        "weights": "bf16",
        "accelerator": "h100-sxm",
        "kind": "batch",
        "total_tokens": 5 * BILLION,
    },
}


@pytest.mark.parametrize("name", RUNS)
def test_cards_of_a_run_without_a_date_are_time_for_money_and_not_spare(name: str) -> None:
    sizing = size(build(**RUNS[name]))
    assert sizing.verdict.answer == "one-gpu"
    assert "spare-gpus" not in ids(sizing)
    assert "time-for-money" in ids(sizing)
    assert "spare" not in text_of(sizing.verdict.headline)
    assert "8 finish in" in text_of(sizing.verdict.headline)
    assert advice(sizing.scenario).smaller is None


@pytest.mark.parametrize("name", RUNS)
def test_with_a_date_that_one_card_keeps_the_others_are_spare(name: str) -> None:
    sizing = size(build(**RUNS[name], deadline_days=100_000.0))
    assert sizing.verdict.answer == "one-gpu"
    assert "spare-gpus" in ids(sizing)
    assert "time-for-money" not in ids(sizing)
