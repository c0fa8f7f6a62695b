"""Money over months of use: hours, runs, growth, capital, resale, people, and when an API is better."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.decide.size import size
from engine.figures.sentences import text_of
from engine.money.cost import operations_factor
from engine.money.use import HOURS_PER_MONTH, used
from engine.scenario import Money, Scenario
from engine.sizing import Cost
from tests.engine.builds import build

PRICED = {"gpu_price_usd": 9000.0, "host_price_usd": 20000.0, "usd_per_gpu_hour": 1.5}


def money(scenario: Scenario | None = None, **entered: Any) -> Cost:
    """The cost of a build with own prices, and what else is entered."""
    return size(replace(scenario or build(), money=Money(**PRICED | entered))).cost


FINETUNE = build(weights="bf16", accelerator="h100-sxm", kind="lora", total_tokens=20_000_000)


def test_rent_is_paid_for_the_hours_used_and_owning_is_not() -> None:
    whole, part = money(), money(hours_per_day=8.0, days_per_month=20.0)
    assert whole.hours_per_month == pytest.approx(HOURS_PER_MONTH)
    assert part.hours_per_month == 160.0
    for full, some in zip(whole.horizons, part.horizons, strict=True):
        assert some.rent_usd == pytest.approx((full.rent_usd or 0.0) * 160.0 / HOURS_PER_MONTH)
        assert some.own_usd is not None
        assert some.own_usd > 92_000.0
    assert (part.break_even_months or 1e9) > (whole.break_even_months or 0.0)


def test_a_single_run_is_no_case_for_buying() -> None:
    cost = money(FINETUNE)
    assert cost.run_usd is not None
    assert cost.break_even_months is None
    for entry in cost.horizons:
        assert entry.rent_usd == pytest.approx(cost.run_usd)
        assert (entry.own_usd or 0.0) > 10 * cost.run_usd
    assert cost.break_even_runs is not None
    assert cost.break_even_runs * cost.run_usd > (cost.buy_usd or 0.0)


def test_runs_every_month_add_up_and_may_pay() -> None:
    once = money(FINETUNE)
    assert once.break_even_runs is not None
    monthly = money(FINETUNE, runs_per_month=once.break_even_runs / 20)
    assert monthly.break_even_months == pytest.approx(20.0)
    assert monthly.horizons[0].rent_usd == pytest.approx(12 * once.break_even_runs / 20 * (once.run_usd or 0.0))


def test_growth_past_the_hours_of_a_build_takes_more_of_it() -> None:
    hours, builds, build_months = used(3, HOURS_PER_MONTH, Money(growth_percent_per_month=100.0))
    assert hours == pytest.approx(7 * HOURS_PER_MONTH)
    assert (builds, build_months) == (4, 7)
    flat, grown = money(), money(growth_percent_per_month=5.0)
    assert grown.horizons[2].builds > 1
    assert (grown.horizons[2].rent_usd or 0.0) > (flat.horizons[2].rent_usd or 0.0)
    assert (grown.horizons[2].own_usd or 0.0) > (flat.horizons[2].own_usd or 0.0)
    idle = money(growth_percent_per_month=5.0, hours_per_day=1.0)
    assert idle.horizons[2].builds == 1


def test_with_growth_the_break_even_is_the_first_month_in_which_owning_has_cost_less() -> None:
    cost = money(growth_percent_per_month=3.0, hours_per_day=8.0)
    flat = money(hours_per_day=8.0)
    assert cost.break_even_months is not None
    assert cost.break_even_months < (flat.break_even_months or 1e9)


def test_capital_support_and_resale_count_in_owning() -> None:
    plain = money()
    bought = plain.buy_usd or 0.0
    dear = money(capital_percent_per_year=10.0, support_percent_per_year=5.0)
    assert (dear.horizons[1].own_usd or 0.0) - (plain.horizons[1].own_usd or 0.0) == pytest.approx(bought * 0.15 * 2)
    assert (dear.break_even_months or 0.0) > (plain.break_even_months or 0.0)
    sold = money(resale_percent=25.0)
    assert (plain.horizons[2].own_usd or 0.0) - (sold.horizons[2].own_usd or 0.0) == pytest.approx(bought * 0.25)
    assert (plain.horizons[0].own_usd or 0.0) - (sold.horizons[0].own_usd or 0.0) > bought * 0.25
    assert (sold.own_usd_per_month or 0.0) == pytest.approx((sold.horizons[2].own_usd or 0.0) / 36)


def test_reserved_and_spot_stand_apart_from_on_demand() -> None:
    cost = size(build(accelerator="h100-sxm")).cost
    last = cost.horizons[-1]
    assert last.spot_usd is not None
    assert last.reserved_usd is not None
    assert last.spot_usd < (last.rent_usd or 0.0)
    half = size(replace(build(accelerator="h100-sxm"), money=Money(hours_per_day=12.0))).cost.horizons[-1]
    assert half.reserved_usd == pytest.approx(last.reserved_usd)
    assert half.spot_usd == pytest.approx(last.spot_usd / 2)


def test_when_an_api_is_better_is_said_with_its_crossing() -> None:
    cost = size(build(concurrency=4, input_tokens=2000, output_tokens=500)).cost
    crossing, made, price = cost.api_crossing_tokens_per_month, cost.tokens_per_month, cost.api_usd_per_million_tokens
    assert crossing is not None
    assert made is not None
    assert price is not None
    last = cost.horizons[-1]
    ways = [usd for usd in (last.own_usd, last.rent_usd, last.reserved_usd) if usd is not None]
    assert crossing / 1e6 * price == pytest.approx(min(ways) / 36)
    assert (last.api_usd or 0.0) < min(ways)  # four users write less than the crossing
    assert made < crossing
    for word in ("volume", "bursts", "data", "first token"):
        assert word in text_of(cost.api_words)
    assert last.api_usd == pytest.approx(made * 36 / 1e6 * price)


def test_no_horizon_of_an_api_where_there_is_no_price() -> None:
    assert all(entry.api_usd is None for entry in money(build("phi-4")).horizons)
    assert all(entry.api_usd is None for entry in money(FINETUNE).horizons)


@pytest.mark.parametrize(("nodes", "factor"), [(1, 1.0), (2, 5.5), (4, 14.5), (16, 14.5), (1000, 14.5)])
def test_the_tax_of_added_nodes_ends_where_its_source_does(nodes: int, factor: float) -> None:
    assert operations_factor(nodes) == pytest.approx(factor)


def test_people_are_counted_where_they_are_entered() -> None:
    plain, people = money(build(nodes=2)), money(build(nodes=2), engineer_share=0.2, engineer_usd_per_year=150_000.0)
    assert plain.operations_fte is None
    assert plain.operations_usd_per_month is None
    assert people.operations_fte == pytest.approx(0.2 * 5.5)
    assert people.operations_usd_per_month == pytest.approx(0.2 * 5.5 * 150_000 / 12)
    more = (people.horizons[0].own_usd or 0.0) - (plain.horizons[0].own_usd or 0.0)
    assert more == pytest.approx(0.2 * 5.5 * 150_000)
    assert (people.horizons[0].rent_usd or 0.0) - (plain.horizons[0].rent_usd or 0.0) == pytest.approx(more)
    assert people.break_even_months == pytest.approx(plain.break_even_months)
    assert "on call" in text_of(size(build(nodes=16)).cost.operations_note)


def test_the_build_of_the_verdict_is_priced_line_by_line_beside_the_entered_one() -> None:
    sizing = size(build(gpus_per_node=4, nodes=2, concurrency=8, input_tokens=2000, output_tokens=500))
    named = sizing.cost.advised
    assert named is not None
    build_of = sizing.verdict.recommended
    assert build_of is not None
    assert named.words == text_of(build_of.words)
    assert named.lines[0].quantity == build_of.gpus_per_node * build_of.nodes
    assert named.buy_usd == sum(line.usd or 0.0 for line in named.lines)
    assert named.buy_usd < (sizing.cost.buy_usd or 0.0)
    assert size(build(gpus_per_node=1, concurrency=4, input_tokens=2000, output_tokens=500)).cost.advised is None


def test_storage_that_is_asked_for_is_bought() -> None:
    for nodes, each in ((1, 105.0), (2, 250.0)):
        lines = money(build(nodes=nodes), storage_tb=99.5).lines
        (line,) = [line for line in lines if line.part == "storage"]
        assert (line.quantity, line.usd_each) == (100, each)
