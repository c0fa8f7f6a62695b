"""A budget decides for what serves, too; and answers that are no builds are said as what they are."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from engine.decide.advice import advice
from engine.decide.flips import flip_points
from engine.decide.size import size
from engine.figures.errors import ScenarioError
from engine.figures.sentences import text_of
from engine.figures.units import fleet
from engine.money.bill import known_usd
from engine.scenario import Money
from engine.scenario.change import change
from engine.sizing import Verdict
from tests.engine.builds import build

SERVERS = [("llama-3.1-70b", "rtx-pro-6000-server", 4), ("llama-3.1-8b", "l40s", 2), ("qwen3-32b", "h200-sxm", 8)]


@pytest.mark.parametrize(("model", "card", "gpus"), SERVERS)
def test_a_build_over_the_budget_does_not_carry(model: str, card: str, gpus: int) -> None:
    load: dict[str, Any] = {"concurrency": 8, "input_tokens": 2000, "output_tokens": 500}
    free = size(build(model, accelerator=card, gpus_per_node=gpus, **load))
    assert free.verdict.carried
    price = free.cost.buy_usd
    assert price is not None
    for share, carried in ((0.3, False), (0.99, False), (1.01, True)):
        sizing = size(build(model, accelerator=card, gpus_per_node=gpus, budget_usd=share * price, **load))
        assert sizing.verdict.carried is carried
        named = sizing.verdict.recommended
        if named is not None and named.nodes:
            hardware = replace(sizing.scenario.hardware, gpus_per_node=named.gpus_per_node, nodes=named.nodes)
            cheaper = size(replace(sizing.scenario, hardware=hardware))
            assert (known_usd(cheaper.cost.lines) or 0.0) <= share * price


def test_what_it_costs_is_said_beside_the_budget() -> None:
    sizing = size(build(gpus_per_node=4, concurrency=8, input_tokens=2000, output_tokens=500, budget_usd=20_000.0))
    assert text_of(sizing.verdict.headline).startswith("Over budget")
    assert f"${sizing.cost.buy_usd:,.0f} to buy against a budget of $20,000" in text_of(sizing.verdict.reason)
    (miss,) = sizing.answer.misses
    assert (miss.target, miss.asked, miss.got) == ("workload.budget_usd", 20_000.0, sizing.cost.buy_usd)
    assert any(getattr(part, "figure", "") == "cost.buy_usd" for part in sizing.answer.why)


def test_a_smaller_build_within_the_budget_is_the_change_that_carries() -> None:
    scenario = build(gpus_per_node=4, concurrency=8, input_tokens=2000, output_tokens=500, budget_usd=50_000.0)
    offered = advice(scenario).fixes
    assert offered
    for one in offered:
        assert size(change(scenario, dict(one.changes))).verdict.carried


def test_a_budget_flips_the_verdict_at_the_price() -> None:
    scenario = build(gpus_per_node=1, concurrency=4, input_tokens=2000, output_tokens=500, budget_usd=20_000.0)
    price = size(scenario).cost.buy_usd or 0.0
    (flip,) = [flip for flip in flip_points(scenario) if flip.field == "workload.budget_usd"]
    assert flip.at == pytest.approx(price, rel=0.01)
    assert re.search(r"\$[\d,]+", text_of(flip.words))
    assert "USD" not in text_of(flip.words)


def test_a_budget_without_a_price_is_not_held_and_that_is_said() -> None:
    sizing = size(build("llama-3.1-8b", accelerator="h100-nvl", gpus_per_node=1, concurrency=4, budget_usd=100.0))
    assert sizing.verdict.carried
    assert any("budget is not held" in text_of(words) for words in sizing.verdict.assumed)
    owned = replace(sizing.scenario, money=Money(gpu_price_usd=0.0))
    assert not size(owned).verdict.carried  # the host alone is over it


def test_replicas_count_against_the_budget() -> None:
    load: dict[str, Any] = {"concurrency": 900, "input_tokens": 7000, "output_tokens": 1000}
    free = size(build(**load)).verdict
    assert free.answer == "replicas"
    held = size(build(**load, budget_usd=200_000.0)).verdict
    assert held.answer != "replicas"
    assert any("against a budget" in text_of(step.answer) for step in held.steps)


def test_a_budget_is_above_zero() -> None:
    with pytest.raises(ScenarioError, match="budget_usd"):
        size(build(budget_usd=-5.0))


def _fleet() -> Verdict:
    return size(build("llama-3.1-405b", concurrency=2_000_000, input_tokens=2000, requests_per_s=100_000.0)).verdict


def test_a_very_large_answer_is_a_fleet_in_round_numbers() -> None:
    verdict = _fleet()
    assert text_of(verdict.headline).startswith("Not a build, a fleet: about ")
    assert str(verdict.replicas) not in text_of(verdict.headline)
    assert f"{verdict.replicas:,}" not in text_of(verdict.build)
    assert [fleet(count) for count in (999, 1000, 1449, 173_854)] == [
        "999",
        "about 1,000",
        "about 1,400",
        "about 170,000",
    ]


def test_a_fleet_flips_to_a_build_and_not_to_another_fleet() -> None:
    scenario = build("llama-3.1-405b", concurrency=2_000_000, input_tokens=2000)
    words = [text_of(flip.words) for flip in flip_points(scenario)]
    assert words
    assert all(text.count("fleet") == 1 for text in words)


def test_no_number_of_an_answer_has_an_exponent() -> None:
    verdict = _fleet()
    texts = [
        text_of(verdict.headline),
        text_of(verdict.reason),
        text_of(verdict.build),
        *(text_of(flip.words) for flip in verdict.flips),
    ]
    for step in verdict.steps:
        texts += [text_of(step.answer), *(text_of(line.figure) for line in step.evidence)]
    assert not [text for text in texts if re.search(r"\d[eE]\+?\d", text)]


def test_a_fleet_has_no_bill_of_its_own_and_is_held_to_a_budget() -> None:
    load: dict[str, Any] = {"concurrency": 2_000_000, "input_tokens": 2000, "requests_per_s": 100_000.0}
    assert size(build("llama-3.1-405b", **load)).cost.advised is None
    held = size(build("llama-3.1-405b", **load, budget_usd=1_000_000.0))
    assert held.verdict.answer != "replicas"
