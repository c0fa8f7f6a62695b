"""Money and power of a build: arithmetic, dates, and what is said to be unknown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.decide.size import size
from engine.figures.sentences import text_of
from engine.money.use import HORIZONS_MONTHS, HOURS_PER_MONTH, WRITE_OFF_MONTHS
from engine.scenario import Money
from tests.engine.builds import build


def test_a_bill_adds_up_and_each_known_price_has_a_date_or_was_entered() -> None:
    cost = size(build(accelerator="h100-sxm")).cost
    known = [line for line in cost.lines if line.usd is not None]
    assert cost.buy_usd == sum(line.usd or 0.0 for line in known)
    assert all(line.as_of or line.source == "entered" for line in known)
    assert cost.lines[0].quantity == 8


def test_unknown_prices_are_named_and_never_zero() -> None:
    cost = size(build(accelerator="h100-nvl", gpus_per_node=2)).cost
    assert cost.buy_usd is None
    assert "H100 NVL" in cost.unknown
    assert cost.break_even_months is None
    assert all(horizon.own_usd is None for horizon in cost.horizons)


def test_a_price_of_a_sister_edition_is_labelled_as_such() -> None:
    line = size(build(accelerator="rtx-pro-6000-server")).cost.lines[0]
    assert line.usd_each is not None
    assert "sister" in line.source
    assert "Workstation Edition" in line.source


def test_a_network_price_of_ones_own_is_a_nodes_and_is_added_for_each() -> None:
    scenario = replace(build(accelerator="rtx-5090", gpus_per_node=8, nodes=2), money=Money(network_price_usd=3000.0))
    line = next(line for line in size(scenario).cost.lines if line.part == "network")
    assert line.usd == 6000.0
    assert line.source == "entered"


def test_a_persons_own_entry_of_a_card_beats_the_street() -> None:
    scenario = build(accelerator="h100-sxm")
    own = replace(scenario.hardware.accelerator, price_usd=24_500.0, price_as_of="2026-11-20", origin="user")
    scenario = replace(scenario, hardware=replace(scenario.hardware, accelerator=own))
    assert size(scenario).cost.lines[0].usd_each == 24_500.0


def test_a_price_of_ones_own_beats_the_catalog() -> None:
    scenario = replace(build(), money=Money(gpu_price_usd=9000.0, host_price_usd=20000.0, usd_per_gpu_hour=1.5))
    cost = size(scenario).cost
    assert cost.buy_usd == 8 * 9000.0 + 20000.0
    assert cost.rent_usd_per_hour == 12.0
    assert cost.rent_note == "entered"
    assert cost.unknown == ()


def test_months_of_owning_and_renting() -> None:
    scenario = replace(build(), money=Money(gpu_price_usd=9000.0, host_price_usd=20000.0, usd_per_gpu_hour=1.5))
    sizing = size(scenario)
    cost = sizing.cost
    assert cost.rent_usd_per_month == pytest.approx(12.0 * HOURS_PER_MONTH)
    assert cost.electricity_usd_per_month is not None
    assert cost.buy_usd is not None
    saved = (cost.rent_usd_per_month or 0.0) - cost.electricity_usd_per_month
    assert cost.break_even_months == pytest.approx(cost.buy_usd / saved)
    assert cost.own_usd_per_month == pytest.approx(cost.buy_usd / WRITE_OFF_MONTHS + cost.electricity_usd_per_month)
    assert tuple(h.months for h in cost.horizons) == HORIZONS_MONTHS
    for horizon in cost.horizons:
        assert horizon.rent_usd == pytest.approx(horizon.months * (cost.rent_usd_per_month or 0.0))
        assert horizon.own_usd == pytest.approx(cost.buy_usd + horizon.months * cost.electricity_usd_per_month)


def test_a_platform_that_is_sold_whole_is_billed_whole() -> None:
    import catalog

    sizing = size(catalog.build_scenario("llama-3.1-70b", "fp8", "b200-sxm", 8, platform="dgx-b200"))
    assert [line.item for line in sizing.cost.lines] == ["DGX B200, hardware kit"]
    assert sizing.cost.buy_usd == 485000


def test_cost_of_tokens_follows_rent_and_speed() -> None:
    sizing = size(build(accelerator="h100-sxm"))
    assert sizing.serving is not None
    rent = sizing.cost.rent_usd_per_hour
    assert rent is not None
    expected = rent / 3600.0 / sizing.serving.tokens_per_s_total * 1e6
    assert sizing.cost.usd_per_million_tokens == pytest.approx(expected)


def test_an_api_price_counts_the_prompt_too() -> None:
    cost = size(build("llama-3.1-70b", input_tokens=7000, output_tokens=1000)).cost
    assert cost.api_usd_per_million_tokens == pytest.approx(0.4 + 7 * 0.4)
    assert "OpenRouter" in text_of(cost.api_note)


def test_added_nodes_cost_people() -> None:
    one, two = size(build()).cost, size(build(nodes=2)).cost
    assert one.operations_factor == 1.0
    assert two.operations_factor == pytest.approx(5.5)
    assert "4-5 times" in text_of(two.operations_note)


def test_a_training_checkpoint_holds_the_optimizer() -> None:
    assert size(build(weights="bf16", kind="full-finetune")).cost.checkpoint_bytes == 14 * 70_553_706_496
    assert size(build(weights="bf16", kind="lora")).cost.checkpoint_bytes == 0


def test_electricity_feeds_the_hall_too() -> None:
    sizing = size(build(accelerator="h100-sxm"))
    watts = sizing.power.total_w
    assert watts is not None
    facts = sizing.scenario.facts
    price, hall = facts.rule("electricity-planning").value, facts.rule("pue-planning").value
    assert price is not None
    assert hall is not None
    assert sizing.cost.electricity_usd_per_month == pytest.approx(watts / 1000 * HOURS_PER_MONTH * price * hall)


def test_what_is_offloaded_comes_on_top_of_the_ram_that_matches_the_cards() -> None:
    run: dict[str, Any] = {
        "model": "llama-3.1-8b",
        "weights": "bf16",
        "accelerator": "rtx-4090",
        "kind": "full-finetune",
    }
    plain, offloaded = size(build(**run)), size(build(**run, offload="optimizer"))
    assert plain.power.host_memory_gib_min is not None
    assert offloaded.power.host_memory_gib_min is not None
    more = offloaded.power.host_memory_gib_min - plain.power.host_memory_gib_min
    assert more == pytest.approx(offloaded.memory.host_bytes / 2**30)
    assert more > 0
