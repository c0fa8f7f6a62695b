"""Bills: things are bought as they are sold, an unknown main price is a question, and small boxes have their price."""

from __future__ import annotations

from dataclasses import replace

import pytest

import catalog
from engine.decide.size import size
from engine.figures.sentences import joined, text_of
from engine.money import shopping as parts_lists
from engine.money.bill import bill, fabric_switches, known_usd, whole_usd
from engine.money.prices import age_days, dated
from engine.scenario import Money, Scenario
from engine.scenario.change import change
from engine.sizing import PriceLine
from tests.engine.builds import build


def parts(scenario: Scenario, part: str) -> list[PriceLine]:
    """The lines of a build's bill of one part."""
    return [line for line in bill(scenario) if line.part == part]


UNKNOWN_CARDS = [
    card.id
    for card in catalog.load().facts.accelerators
    if card.price_usd is None and not card.status and "rack" not in card.segment and card.segment != "cloud only"
]


@pytest.mark.parametrize("accelerator", UNKNOWN_CARDS)
def test_a_bill_without_its_cards_is_unknown_and_asks_for_one_figure(accelerator: str) -> None:
    scenario = build("llama-3.1-8b", accelerator=accelerator, gpus_per_node=1)
    cost = size(scenario).cost
    assert cost.buy_usd is None
    assert cost.whole_usd is None
    assert cost.own_usd_per_month is None
    assert cost.break_even_months is None
    assert all(horizon.own_usd is None for horizon in cost.horizons)
    assert cost.ask.startswith("money.gpu_price_usd: ")
    answered = replace(scenario, money=Money(gpu_price_usd=9000.0))
    assert size(answered).cost.ask == ""
    assert size(answered).cost.buy_usd is not None


def test_a_rack_is_bought_as_a_rack_and_needs_no_fabric_inside() -> None:
    for gpus_per_node, nodes, racks in ((8, 1, 1), (4, 18, 1), (4, 19, 2), (72, 1, 1)):
        scenario = build("llama-3.1-405b", accelerator="gb200", gpus_per_node=gpus_per_node, nodes=nodes)
        lines = bill(scenario)
        assert lines[0].quantity == racks
        assert lines[0].usd_each == 4_600_000
        assert [line for line in lines if line.part == "host"] == []
        assert bool(parts(scenario, "network")) == (racks > 1)
        assert not any("network card" in line.item for line in lines)


@pytest.mark.parametrize(
    ("accelerator", "gpus", "nodes", "used", "sold"),
    [
        ("gb200", 8, 1, "8 of 72 GPUs used", "$4.60M all-in for 72, sold as a rack of 72"),
        ("h100-sxm", 4, 1, "4 of 8 GPUs used", "$240k all-in for 8, sold in eights"),
        ("h100-sxm", 4, 2, "8 of 16 GPUs used", "$482k all-in for 16, sold in eights"),
        ("b200-sxm", 1, 1, "1 of 8 GPUs used", "$485k all-in for 8, sold in eights"),
        ("h200-sxm", 2, 1, "2 of 4 GPUs used", "$205k all-in for 4, sold in fours and eights"),
    ],
)
def test_what_is_bought_and_not_used_is_said_with_the_reason(
    accelerator: str, gpus: int, nodes: int, used: str, sold: str
) -> None:
    sizing = size(build("llama-3.1-8b", accelerator=accelerator, gpus_per_node=gpus, nodes=nodes))
    assert sizing.cost.lines[0].item.endswith(f"; {used}")
    assert text_of(sizing.answer.price[0]) == sold


def test_what_is_used_whole_is_only_priced() -> None:
    for gpus, price in ((8, "$342k all-in"), (4, "$205k all-in")):
        assert text_of(size(build("llama-3.1-8b", accelerator="h200-sxm", gpus_per_node=gpus)).answer.price[0]) == price
    own = replace(build("llama-3.1-8b", accelerator="h100-sxm", gpus_per_node=4), money=Money(gpu_price_usd=9000.0))
    assert "sold" not in text_of(size(own).answer.price[0])


@pytest.mark.parametrize(("accelerator", "kit"), [("b200-sxm", 485_000), ("b300-sxm", 615_000)])
def test_a_kit_beats_its_parts_in_a_box_without_a_name(accelerator: str, kit: float) -> None:
    for nodes in (1, 2):
        lines = bill(build(accelerator=accelerator, nodes=nodes))
        assert (lines[0].part, lines[0].quantity, lines[0].usd_each) == ("kit", nodes, kit)
        assert not any(line.part == "host" or "network card" in line.item for line in lines)


def test_a_share_of_a_server_has_its_host_and_a_board_has_not() -> None:
    assert parts(build(accelerator="h100-sxm"), "host") == []
    boards = bill(build(accelerator="h200-sxm"))
    assert (boards[0].quantity, boards[0].usd_each) == (1, 311_500)
    assert boards[1].part == "host"
    four = bill(build(accelerator="h200-sxm", gpus_per_node=4))
    assert (four[0].quantity, four[0].usd_each) == (1, 175_000)


def test_a_price_of_ones_own_is_a_cards_and_brings_the_host_back() -> None:
    for accelerator in ("b200-sxm", "h100-sxm"):
        lines = bill(replace(build(accelerator=accelerator), money=Money(gpu_price_usd=9000.0)))
        assert (lines[0].quantity, lines[0].usd_each, lines[0].source) == (8, 9000.0, "entered")
        assert lines[1].part == "host"


ON_SALE = [
    card.id
    for card in catalog.load().facts.accelerators
    if card.price_usd is not None and not card.status and card.form_factor.startswith("PCIe")
]


@pytest.mark.parametrize("accelerator", ON_SALE)
@pytest.mark.parametrize(("small", "large"), [(4, 8), (2, 4)])
def test_two_small_boxes_never_cost_less_than_one_large(accelerator: str, small: int, large: int) -> None:
    two = bill(build("llama-3.1-8b", accelerator=accelerator, gpus_per_node=small, nodes=2))
    one = bill(build("llama-3.1-8b", accelerator=accelerator, gpus_per_node=large))
    assert whole_usd(one) is not None
    assert (known_usd(two) or 0.0) > (known_usd(one) or 0.0)
    hosts = [line for line in two if line.part == "host"]
    assert [line.quantity for line in hosts] == [2]
    assert hosts[0].usd is not None


def test_hosts_grow_with_what_they_take() -> None:
    for accelerator in ("rtx-5090", "rtx-pro-6000-workstation", "l40s"):
        each = []
        for gpus in (1, 2, 3, 4, 8):
            (host,) = parts(build("llama-3.1-8b", accelerator=accelerator, gpus_per_node=gpus), "host")
            assert host.usd_each is not None
            assert host.as_of
            assert host.source
            each.append(host.usd_each)
        assert each == sorted(each)
    (none,) = parts(build("llama-3.1-8b", accelerator="l40s", gpus_per_node=16), "host")
    assert none.usd is None
    assert none.key == "money.host_price_usd"


def test_a_computer_with_its_gpu_inside_has_no_host() -> None:
    lines = bill(build("llama-3.1-8b", accelerator="gb10", gpus_per_node=1))
    assert [line.part for line in lines] == ["cards"]


def test_a_network_has_the_cards_that_the_fabric_counts() -> None:
    boards, slots = build(accelerator="h100-sxm", nodes=2), build(accelerator="rtx-5090", nodes=2)
    cards = [next(line for line in parts(one, "network") if "network card" in line.item) for one in (boards, slots)]
    assert [line.quantity for line in cards] == [16, 2]  # one a GPU in an NVLink node, one a node with slots
    assert next(line for line in parts(boards, "network") if "switch" in line.item).quantity == 1
    many = parts(build(accelerator="h100-sxm", nodes=16), "network")
    assert next(line for line in many if "switch" in line.item).quantity == 6


def test_the_smallest_switch_that_joins_them_is_bought() -> None:
    def switch(nodes: int) -> PriceLine:
        found = parts(build("llama-3.1-8b", accelerator="rtx-5090", gpus_per_node=2, nodes=nodes), "network")
        return next(line for line in found if "switch" in line.item)

    assert (switch(2).quantity, switch(4).item) == (1, switch(2).item)
    assert switch(8).item != switch(2).item
    assert (switch(32).quantity, switch(33).quantity) == (1, 5)


@pytest.mark.parametrize(
    ("ports", "joins", "tiers", "switches"),
    [(64, 64, 1, 1), (65, 64, 2, 5), (2048, 64, 2, 96), (2049, 64, 3, 163), (65_536, 64, 3, 5120), (41, 40, 2, 5)],
)
def test_a_large_network_is_a_fat_tree(ports: int, joins: int, tiers: int, switches: int) -> None:
    assert fabric_switches(ports, joins) == (tiers, switches)


def test_each_tier_has_its_cables() -> None:
    def cables(nodes: int) -> int:
        found = parts(build(accelerator="h100-sxm", nodes=nodes), "network")
        return next(line.quantity for line in found if "cable" in line.item)

    assert [cables(nodes) for nodes in (8, 16, 256, 512)] == [64, 2 * 128, 2 * 2048, 3 * 4096]


def test_several_servers_stand_in_racks() -> None:
    assert parts(build(accelerator="h100-sxm"), "rack") == []
    six = build(accelerator="h100-sxm", nodes=6)
    # a three-phase feed gives 17.3 kW, one node of 10.1 kW; with 45 kW four of them, which the height takes too
    assert [line.quantity for line in parts(six, "rack")] == [6]
    assert [line.quantity for line in parts(replace(six, money=Money(rack_kw=45.0)), "rack")] == [2]
    assert parts(build(accelerator="rtx-5090", gpus_per_node=2, nodes=2), "rack") == []


def test_a_bill_with_an_unknown_line_is_not_whole() -> None:
    lines = bill(build("llama-3.1-8b", accelerator="l40s", gpus_per_node=16))
    assert known_usd(lines) is not None
    assert whole_usd(lines) is None


def test_a_price_says_how_old_it_is_on_the_catalogs_day() -> None:
    assert age_days("2026-07-24", "2026-11-21") == 120
    assert age_days("2026-07", "2026-11-21") == 113  # at least: of a month its last day counts
    assert age_days("2025", "2026-11-21") == 325
    assert age_days("2026", "2026-11-21") == 0
    assert [age_days(text, "2026-11-21") for text in ("", "soon", "2026-13-01", "2026-1-2-3")] == [None] * 4
    assert dated("2026-07-24", "2026-11-21") == "2026-07-24"
    assert dated("2026-07-23", "2026-11-21") == "2026-07-23, 121 days old"
    for line in bill(build(accelerator="h100-sxm", nodes=2)):
        assert line.age_days == age_days(line.as_of, "2026-11-21")
    assert parts(replace(build(), money=Money(host_price_usd=1.0)), "host")[0].age_days is None


def test_nodes_that_answer_by_themselves_buy_no_fabric() -> None:
    alone, spread = build("llama-3.1-70b", "fp8", "h100-sxm", 8, 4), build("llama-3.1-405b", "bf16", "h100-sxm", 8, 2)
    found = size(alone).cost
    assert not [line for line in found.lines if line.part == "network"]
    assert found.network_note
    assert [line for line in size(spread).cost.lines if line.part == "network"]
    assert not size(spread).cost.network_note
    priced = size(replace(alone, money=Money(network_price_usd=800.0))).cost
    assert [line.usd for line in priced.lines if line.part == "network"] == [3200.0]


def test_the_bill_of_replicas_is_the_same_before_and_after_they_are_entered() -> None:
    asked = build("llama-3.1-405b", "fp8", "h100-sxm", 8, concurrency=128)
    named = size(asked).cost.advised
    best = size(asked).verdict.recommended
    assert named is not None
    assert best is not None
    assert best.replicas > 1
    entered = size(build("llama-3.1-405b", "fp8", "h100-sxm", 8, best.nodes, concurrency=128)).cost
    assert entered.lines == named.lines
    assert entered.electricity_usd_per_month == pytest.approx(named.electricity_usd_per_month)
    assert entered.break_even_months == pytest.approx(named.break_even_months)


def test_the_verdicts_build_is_priced_in_its_own_format() -> None:
    sizing = size(build("llama-3.1-405b", "bf16", "h100-sxm", 8, 2))
    named = sizing.cost.advised
    assert named is not None
    assert named.words == "8x H100 SXM at FP8"
    disks = [
        next(part.item for part in one.parts if part.item.startswith("NVMe")) for one in parts_lists.shopping_of(sizing)
    ]
    assert disks == ["NVMe, at least 1,624 GB a node", "NVMe, at least 821 GB a node"]


@pytest.mark.parametrize("link", ["roce-200", "roce-400", "roce-800", "ib-xdr", "eth-25-tcp", "eth-10-tcp"])
def test_a_network_that_nobody_prices_is_counted_and_asked_for(link: str) -> None:
    asked = change(build("llama-3.1-405b", "bf16", "h100-sxm", 8, 2), {"hardware.inter_link": link}, catalog.load())
    sizing = size(asked)
    lines = [line for line in sizing.cost.lines if line.part == "network"]
    assert len(lines) == 3
    known = sum(line.usd or 0.0 for line in lines)
    assert [line for line in lines if line.usd is None]
    assert lines[0].quantity == lines[1].quantity >= 2
    assert {line.key for line in lines if line.usd is None} == {"money.network_price_usd"}
    assert sizing.cost.ask == "money.network_price_usd: what the network costs for each node"
    assert sizing.cost.whole_usd is None
    assert "without the network" in text_of(joined(sizing.answer.price, ", "))
    answered = size(replace(asked, money=Money(network_price_usd=5000.0)))
    assert answered.cost.ask == ""
    assert "all-in" in text_of(joined(answered.answer.price, ", "))
    assert answered.cost.buy_usd == pytest.approx((sizing.cost.buy_usd or 0.0) - known + 10_000.0)


def test_two_computers_of_their_own_are_joined_by_one_cable() -> None:
    two, three = (parts(build("llama-3.1-8b", "bf16", "gb10", 1, nodes), "network") for nodes in (2, 3))
    assert [(line.quantity, "cable" in line.item) for line in two] == [(1, True)]
    assert not [line for line in three if "network card" in line.item], "their port is built in"
    assert [line for line in three if "switch" in line.item]


def test_what_is_only_rented_has_no_host() -> None:
    assert [line.part for line in bill(build("llama-3.1-8b", "bf16", "tpu-v6e", 8))] == ["cards"]


def test_a_place_feeds_the_whole_board_that_is_bought() -> None:
    two, eight = (parts_lists.shopping(build("llama-3.1-8b", "bf16", "b200-sxm", gpus), "") for gpus in (2, 8))
    assert two.known_usd == eight.known_usd
    assert two.total_w == eight.total_w
    held = [[part for part in one.parts if part.section != "to buy"] for one in (two, eight)]
    assert held[0] == held[1]
