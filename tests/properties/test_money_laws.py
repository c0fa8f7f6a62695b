"""What a build costs and draws, against sums by hand over prices that the test itself enters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.decide.size import size
from engine.scenario import Money, Scenario
from engine.sizing import Cost, Sizing
from tests.engine.builds import build

ENTERED = Money(
    gpu_price_usd=10_000.0,
    host_price_usd=6_000.0,
    network_price_usd=1_500.0,
    usd_per_gpu_hour=2.0,
    electricity_usd_per_kwh=0.2,
)
LOAD: dict[str, Any] = {"concurrency": 8, "input_tokens": 2000, "output_tokens": 400}


def priced(gpus: int = 8, nodes: int = 1, money: Money = ENTERED, **load: Any) -> Scenario:
    """A build whose every price is entered."""
    return replace(build("llama-3.1-8b", "bf16", "l40s", gpus, nodes, **LOAD | load), money=money)


def cost(scenario: Scenario) -> Cost:
    """The money of a scenario."""
    return size(scenario).cost


def speed(sizing: Sizing) -> float:
    """Tokens/s in all."""
    assert sizing.serving is not None
    return sizing.serving.tokens_per_s_total


@pytest.mark.parametrize(("gpus", "nodes"), [(1, 1), (8, 1), (8, 2), (4, 3)])
def test_a_bill_is_cards_hosts_and_what_joins_the_nodes(gpus: int, nodes: int) -> None:
    scenario = priced(gpus, nodes)
    rack = next(part.usd for part in scenario.facts.purchases if part.id == "rack-42u")
    assert rack is not None
    joins = 1_500.0 * nodes + rack if nodes > 1 else 0.0
    money = cost(scenario)
    assert money.buy_usd == 10_000.0 * gpus * nodes + 6_000.0 * nodes + joins
    assert money.buy_usd == sum(line.usd or 0.0 for line in money.lines)


def test_rent_is_by_the_hour_of_each_card() -> None:
    for gpus, nodes in ((1, 1), (8, 1), (8, 4)):
        money = cost(priced(gpus, nodes))
        assert money.rent_usd_per_hour == 2.0 * gpus * nodes
        assert money.rent_usd_per_month == pytest.approx(2.0 * gpus * nodes * 8760 / 12)


def test_a_million_tokens_cost_the_hours_that_they_take() -> None:
    sizing = size(priced())
    hours = 1e6 / speed(sizing) / 3600
    assert sizing.cost.usd_per_million_tokens == pytest.approx(16.0 * hours)


def test_electricity_is_kilowatt_hours_at_their_price() -> None:
    one, dear = (cost(priced(money=replace(ENTERED, electricity_usd_per_kwh=price))) for price in (0.2, 0.4))
    assert one.electricity_usd_per_month is not None
    assert dear.electricity_usd_per_month == pytest.approx(2 * one.electricity_usd_per_month)
    sizing = size(priced())
    assert sizing.power.total_w is not None
    # what a site adds for cooling and losses is a planning factor between 1 and 2
    bare = sizing.power.total_w / 1000 * 8760 / 12 * 0.2
    assert bare <= one.electricity_usd_per_month < 2 * bare


def test_owning_is_the_bill_and_the_electricity_of_the_months() -> None:
    money = cost(priced())
    assert money.buy_usd is not None
    assert money.electricity_usd_per_month is not None
    assert [span.months for span in money.horizons] == [12, 24, 36]
    for span in money.horizons:
        assert span.own_usd == pytest.approx(money.buy_usd + span.months * money.electricity_usd_per_month)
        assert span.rent_usd == pytest.approx(span.months * 16.0 * 730)
    assert money.own_usd_per_month == pytest.approx(money.buy_usd / 36 + money.electricity_usd_per_month)


def test_buying_pays_when_the_rent_it_saves_has_paid_the_bill() -> None:
    money = cost(priced())
    assert money.break_even_months is not None
    assert money.buy_usd is not None
    assert money.electricity_usd_per_month is not None
    saved = money.break_even_months * (16.0 * 730 - money.electricity_usd_per_month)
    assert saved == pytest.approx(money.buy_usd)
    # nothing is saved where power costs more than the rent
    never = cost(priced(money=replace(ENTERED, usd_per_gpu_hour=0.01, electricity_usd_per_kwh=2.0)))
    assert never.break_even_months is None


def test_a_checkpoint_is_weights_master_copy_and_two_moments() -> None:
    trained = priced(kind="full-finetune")
    assert cost(trained).checkpoint_bytes == (2 + 4 + 4 + 4) * 8_030_261_248
    assert cost(priced()).checkpoint_bytes == 0


def test_each_added_node_takes_four_to_five_times_the_work() -> None:
    assert [cost(priced(8, nodes)).operations_factor for nodes in (1, 2, 3)] == [1.0, 1.0 + 4.5, 1.0 + 9.0]


def test_unknown_prices_are_named_and_never_nothing() -> None:
    card = replace(
        build("llama-3.1-8b", "bf16", "l40s", 8, **LOAD).hardware.accelerator,
        id="unheard-of", price_usd=None, price_usd_low=None, price_usd_high=None,
    )  # fmt: skip
    scenario = build("llama-3.1-8b", "bf16", "l40s", 8, **LOAD)
    unknown = replace(scenario, hardware=replace(scenario.hardware, accelerator=card))
    money = cost(unknown)
    assert money.rent_usd_per_hour is None
    assert money.break_even_months is None
    assert money.usd_per_million_tokens is None
    assert money.unknown


@pytest.mark.parametrize(("gpus", "nodes"), [(1, 1), (4, 1), (8, 2)])
def test_power_is_the_cards_and_a_fixed_term_of_their_box(gpus: int, nodes: int) -> None:
    power = size(priced(gpus, nodes)).power
    assert power.gpu_w == 350.0
    assert power.node_w is not None
    assert power.load_w is not None
    assert power.host_w is not None
    assert power.load_w == pytest.approx(350.0 * gpus + power.host_w)
    assert 0.85 * power.node_w < power.load_w < 0.97 * power.node_w  # the supplies lose the rest
    assert power.total_w is not None
    assert power.total_w == pytest.approx(nodes * power.node_w)
    assert power.heat_btu_h == pytest.approx(3.412 * power.total_w)
    assert power.pcie_lanes_needed == 16 * gpus


def test_each_card_in_the_same_box_adds_its_own_power() -> None:
    four, eight = size(priced(4)).power, size(priced(8)).power
    assert four.load_w is not None
    assert eight.load_w is not None
    assert eight.load_w - four.load_w == pytest.approx(4 * 350.0)


def test_supplies_carry_the_load_at_four_fifths_and_one_stands_by() -> None:
    for gpus in (1, 2, 8):
        power = size(priced(gpus)).power
        assert power.psu_w is not None
        assert power.load_w is not None
        assert power.supply_w is not None
        assert power.supplies is not None
        assert power.psu_w == power.supplies * power.supply_w
        assert power.psu_w >= power.load_w / 0.8
        assert (power.supplies - 1) * 3300 < power.load_w / 0.8  # one less, of the largest, does not
        assert power.supplies_spare == 1


def test_a_circuit_carries_four_fifths_of_its_breaker() -> None:
    for gpus in (1, 8, 16):
        scenario = replace(build("llama-3.1-8b", "bf16", "rtx-pro-6000-server", gpus, **LOAD), money=ENTERED)
        power = size(scenario).power
        assert power.node_w is not None
        for circuit in power.circuits:
            usable = 0.8 * circuit.volts * circuit.amperes * (3**0.5 if circuit.phases == 3 else 1)
            assert circuit.usable_w == pytest.approx(usable)
            assert (circuit.per_node - 1) * usable < power.node_w <= circuit.per_node * usable
        assert power.circuits_per_node == min(circuit.per_node for circuit in power.circuits)
        assert power.feeds == 2


def test_a_host_holds_at_least_as_much_memory_as_its_cards() -> None:
    assert size(priced(8)).power.host_memory_gib_min == pytest.approx(8 * 48e9 / 2**30)
