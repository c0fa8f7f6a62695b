"""Power, what feeds it and where it stands: builds whose figures are published, and the laws between the figures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.decide.size import size
from engine.figures.sentences import text_of
from engine.money.power import host_of, supplies
from engine.scenario import Money, Scenario
from engine.sizing import Power
from tests.engine.builds import build


def small(accelerator: str, gpus: int, nodes: int = 1, **money: Any) -> Scenario:
    return replace(build("llama-3.1-8b", "fp8", accelerator, gpus, nodes), money=Money(**money))


def drawn(accelerator: str, gpus: int, nodes: int = 1, **money: Any) -> Power:
    return size(small(accelerator, gpus, nodes, **money)).power


@pytest.mark.parametrize(
    ("card", "asked_w"), [("rtx-3090", 750), ("rtx-4090", 850), ("rtx-5090", 1000)], ids=["3090", "4090", "5090"]
)
def test_a_pc_has_the_supply_that_the_cards_maker_asks_for(card: str, asked_w: float) -> None:
    power = drawn(card, 1)
    assert power.psu_w is not None
    assert asked_w <= power.psu_w <= asked_w * 1.25
    assert (power.supplies, power.supplies_spare, power.supply) == (1, 0, "ATX")


def test_two_cards_of_600_w_are_not_1440_w() -> None:
    power = drawn("rtx-pro-6000-workstation", 2)
    assert power.node_w is not None
    assert power.node_w > 0.8 * 15 * 120
    # 80 % of 15 A does not do; 80 % of 20 A does
    assert (power.circuits_per_node, power.circuit, power.feeds) == (1, "120 V, 20 A", 1)
    assert power.psu_w is not None
    assert 1600 <= power.psu_w <= 2000  # the article's supply for two such cards


@pytest.mark.parametrize(
    ("card", "watts"),
    [("a100-sxm4-80gb", 6500), ("h100-sxm", 10200), ("b200-sxm", 14300), ("b300-sxm", 14400)],
)
def test_a_node_with_a_board_draws_what_its_maker_states(card: str, watts: float) -> None:
    assert drawn(card, 8).node_w == pytest.approx(watts, rel=0.045)


@pytest.mark.parametrize(
    ("card", "low", "high"), [("rtx-pro-6000-server", 5500, 6000), ("rtx-pro-6000-max-q", 3000, 3500)]
)
def test_a_server_of_eight_cards_draws_what_was_measured_at_the_wall(card: str, low: float, high: float) -> None:
    watts = drawn(card, 8).node_w
    assert watts is not None
    assert low <= watts <= high


def test_four_600_w_cards_in_a_server_have_the_supplies_of_one_that_is_sold() -> None:
    power = drawn("rtx-pro-6000-server", 4)
    assert (power.supplies, power.supplies_spare, power.supply_w) == (2, 1, 2000)  # 3x 2000 W CRPS in the catalog
    assert power.psu_w is not None
    assert 4000 <= power.psu_w <= 5000  # the article: 4-5 kW of power delivery


def test_a_stated_node_counts_as_stated() -> None:
    facts = small("h100-sxm", 8).facts
    platform = next(one for one in facts.platforms if one.id == "dgx-h100")
    scenario = small("h100-sxm", 8)
    power = size(replace(scenario, hardware=replace(scenario.hardware, platform=platform))).power
    assert power.node_w == pytest.approx(10200)
    assert power.host_w is None
    assert power.cooling == "air"


def test_a_rack_that_is_sold_whole_draws_its_share_and_stands_in_no_other() -> None:
    eight, whole = drawn("gb200", 8), drawn("gb200", 72)
    assert whole.node_w is not None
    assert whole.node_w == pytest.approx(120_000, rel=0.03)
    assert eight.node_w == pytest.approx(whole.node_w * 8 / 72)
    assert eight.racks is None
    assert eight.cooling == "liquid"
    assert eight.supplies is None


def test_a_computer_of_its_own_has_its_own_supply() -> None:
    power = drawn("gb10", 1)
    assert power.supplies is None
    assert power.psu_w == 240  # DGX Spark
    assert power.slots == "on the board, no slots"


def test_mains_follow_the_region() -> None:
    here, there = drawn("rtx-4090", 1), drawn("rtx-4090", 1, region="europe")
    assert here.circuit == "120 V, 15 A"
    assert there.circuit == "230 V, 16 A"
    assert drawn("h100-sxm", 8, region="europe").circuit == "400 V, 32 A, three-phase"
    assert drawn("h100-sxm", 8, region="north-america") == drawn("h100-sxm", 8)


def test_the_price_of_power_follows_the_region_and_the_hall() -> None:
    def month(**money: Any) -> float:
        usd = size(small("h100-sxm", 8, **money)).cost.electricity_usd_per_month
        assert usd is not None
        return usd

    assert month(region="europe") / month(region="asia") == pytest.approx(0.204 / 0.107)
    assert month(region="europe", electricity_usd_per_kwh=0.1) == month(electricity_usd_per_kwh=0.1)
    assert month(pue=1.5) / month(pue=1.2) == pytest.approx(1.5 / 1.2)
    assert month(pue=1.2) == month()  # the planning value


def test_a_rack_takes_what_its_height_and_its_power_allow() -> None:
    by_power = drawn("rtx-pro-6000-server", 8, 4)
    assert (by_power.nodes_per_rack, by_power.racks) == (2, 2)  # 5.9 kW each, of 17.3 kW
    by_height = drawn("rtx-pro-6000-server", 8, 4, rack_kw=100)
    assert (by_height.nodes_per_rack, by_height.racks) == (10, 1)
    assert "liquid" in by_height.cooling  # ten of them are more than air cools in one rack
    assert drawn("rtx-4090", 1, 2).racks is None


def test_a_node_that_no_rack_feeds_is_warned_of() -> None:
    sizing = size(small("h100-sxm", 8, rack_kw=8))
    assert sizing.power.nodes_per_rack == 0
    assert sizing.power.racks == 1
    assert "rack-short" in [notice.id for notice in sizing.warnings]
    assert "rack-short" not in [notice.id for notice in size(small("h100-sxm", 8, rack_kw=11)).warnings]


def test_cards_reach_the_cpu_by_slots_splits_or_switches() -> None:
    assert drawn("rtx-4090", 1).slots == "one x16 slot"
    assert "no risers" in drawn("rtx-4090", 4).slots
    assert drawn("rtx-4090", 4).pcie_lanes_board == 128
    assert "bifurcation" in drawn("rtx-pro-6000-server", 12).slots  # 192 lanes of 160
    assert drawn("h100-sxm", 8).pcie_lanes_board is None


def test_a_pc_has_no_lanes_for_a_network_card_beside_its_card() -> None:
    two = size(small("rtx-4090", 1, 2))
    notice = next(notice for notice in two.warnings if notice.id == "lanes-short")
    assert "32 PCIe lanes; a PC has 20" in text_of(notice.message)
    assert "lanes-short" not in [notice.id for notice in size(small("rtx-4090", 1)).warnings]


def test_disks_hold_two_copies_of_the_weights_and_of_a_checkpoint() -> None:
    served = size(build("llama-3.1-70b", "fp8"))
    assert served.power.nvme_bytes_min == 2 * served.model.weight_bytes
    trained = size(build("llama-3.1-70b", "bf16", kind="full-finetune"))
    assert trained.power.nvme_bytes_min == 2 * (trained.model.weight_bytes + trained.cost.checkpoint_bytes)


def test_supplies_grow_with_the_load_and_never_fall_short() -> None:
    before = 0.0
    for load in range(200, 30_000, 137):
        for host in ("workstation", "server"):
            found = supplies(host, load)
            assert found is not None
            assert found.each_w * found.count >= load / 0.8
        total = supplies("server", load)
        assert total is not None
        assert total.count * 3300 >= before
        before = load / 0.8
    assert supplies("rack", 1000.0) is None


def test_more_cards_never_draw_less() -> None:
    for card in ("rtx-4090", "rtx-pro-6000-workstation", "l40s", "h100-sxm"):
        watts = [drawn(card, gpus).node_w or 0.0 for gpus in (1, 2, 4, 8)]
        assert watts == sorted(watts)
        assert host_of(small(card, 8).hardware) in ("server", "board")


def test_a_card_without_a_published_power_has_lanes_and_memory_still() -> None:
    scenario = small("l40s", 8)
    card = replace(scenario.hardware.accelerator, id="unheard-of", tdp_w=None)
    power = size(replace(scenario, hardware=replace(scenario.hardware, accelerator=card))).power
    assert power.node_w is None
    assert power.circuits == ()
    assert power.pcie_lanes_needed == 128
    assert power.nodes_per_rack == 10  # by its height
