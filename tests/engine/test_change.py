"""Changing a scenario: all or nothing, in any order, the same twice, and what is pinned stays pinned."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

import catalog
from engine.decide.size import size
from engine.figures.errors import ScenarioError
from engine.parts.hardware import Facts
from engine.scenario import Layout, LayoutChoice, Scenario
from engine.scenario.change import FREE_LAYOUT, change, pinned_as, value_of
from engine.scenario.checks import check_scenario
from engine.scenario.fields import BY_KEY, FIELDS, check_ranges

KNOWN = catalog.load()
START = catalog.build_scenario("llama-3.1-70b", "fp8", "rtx-pro-6000-server", 8)
PINNED = replace(START, layout=LayoutChoice(tp=4, pp=1, dp=2))
SETS: dict[str, dict[str, Any]] = {
    "card, count and link": {
        "hardware.accelerator": "h100-sxm",
        "hardware.gpus_per_node": 4,
        "hardware.intra_link": "pcie5-switch",
    },
    "platform over card": {"hardware.platform": "dgx-h100", "hardware.nodes": 2, "hardware.inter_link": "ib-hdr"},
    "platform and fewer cards": {
        "hardware.platform": "dgx-h100",
        "hardware.gpus_per_node": 4,
        "hardware.accelerator": "h100-sxm",
    },
    "model and format": {"model.id": "deepseek-v3", "model.weights": "int4", "layout.tp": 8, "workload.concurrency": 4},
    "model alone": {"model.id": "gpt-oss-120b", "title": "x", "runtime.engine": "sglang"},
    "two kinds of card": {
        "hardware.second_accelerator": "l40s",
        "hardware.second_gpus": 2,
        "hardware.accelerator": "rtx-6000-ada",
        "hardware.gpus_per_node": 4,
    },
    "what is usual again": {"hardware.intra_link": None, "model.weights": None, "hardware.nodes": 2},
}


def outcome(scenario: Scenario, changes: dict[str, Any]) -> Scenario:
    return change(scenario, changes, KNOWN)


@pytest.mark.parametrize("changes", SETS.values(), ids=SETS)
@pytest.mark.parametrize("scenario", [START, PINNED], ids=["free", "pinned"])
def test_the_order_of_the_keys_does_not_matter_and_twice_is_once(scenario: Scenario, changes: dict[str, Any]) -> None:
    made = outcome(scenario, changes)
    assert made != scenario
    for order in itertools.permutations(changes.items()):
        assert outcome(scenario, dict(order)) == made
    assert outcome(made, changes) == made
    for key, value in changes.items():
        if value is not None:
            assert value_of(made, key) == value


@pytest.mark.parametrize("changes", SETS.values(), ids=SETS)
def test_what_is_pinned_stays_pinned_unless_it_is_named(changes: dict[str, Any]) -> None:
    made = outcome(PINNED, changes)
    for name in ("tp", "pp", "dp", "ep", "dp_attention"):
        wanted = changes.get(f"layout.{name}", getattr(PINNED.layout, name))
        assert getattr(made.layout, name) == wanted
    assert outcome(PINNED, {**changes, **FREE_LAYOUT}).layout == LayoutChoice()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"workload.concurency": 3}, "workload.concurrency"),
        ({"a.b.c": 1}, "a.b.c: unknown key"),
        ({"workload.tp": 3}, "belongs in"),
        ({"hardware.nodes": 0}, "1 to 4,096"),
        ({"hardware.nodes": True}, "hardware.nodes"),
        ({"hardware.gpus_per_node": 1.5}, "whole"),
        ({"money.gpu_price_usd": -1}, "money.gpu_price_usd"),
        ({"money.usd_per_gpu_hour": 1e308}, "money.usd_per_gpu_hour"),
        ({"money.electricity_usd_per_kwh": float("nan")}, "finite"),
        ({"hardware.accelerator": "h1000"}, "nearest: h100-"),
        ({"hardware.accelerator": "h100\x1b[2J"}, "print"),
        ({"model.id": "x" * 50_000}, "up to 200"),
        ({"model.config": "nowhere/config.json"}, "model.config"),
        ({"hardware.platform": "dgx-h1000"}, "nearest: dgx-h100"),
        ({"hardware.second_gpus": 2}, "one kind of card"),
        ({"hardware.second_accelerator": "l40s", "hardware.second_gpus": 8}, "1 to 7"),
        ({"workload.kind": "serv"}, "nearest: serve"),
        ({"workload.kind": None}, "workload.kind"),
        ({"runtime.cuda_graphs": 1}, "true or false"),
        ({"title": "x" * 10_000}, "title"),
    ],
)
def test_all_or_nothing_and_the_key_at_fault_is_named(wrong: dict[str, Any], says: str) -> None:
    before = replace(START)
    with pytest.raises(ScenarioError, match=says) as found:
        outcome(START, {"workload.concurrency": 5, **wrong, "layout.tp": 2})
    assert next(iter(wrong)) in found.value.field or found.value.field in wrong
    assert len(str(found.value)) < 500
    assert before == START


def test_no_change_is_the_very_same_scenario() -> None:
    assert change(START, {}, KNOWN) is START
    assert change(START, {field.key: value_of(START, field.key) for field in FIELDS}, KNOWN) is START


def test_links_follow_the_card_unless_somebody_chose_them() -> None:
    moved = outcome(START, {"hardware.accelerator": "h100-sxm"})
    assert (moved.hardware.intra_link.id, moved.hardware.inter_link.id) == ("nvlink-4", "ib-ndr")
    chosen = outcome(START, {"hardware.inter_link": "eth-10-tcp", "hardware.intra_link": "pcie5-root"})
    kept = outcome(chosen, {"hardware.accelerator": "rtx-pro-6000-max-q"}).hardware
    assert (kept.intra_link.id, kept.inter_link.id) == ("pcie5-root", "eth-10-tcp")
    # a card without such a link takes its own; the network stays the one that is there
    elsewhere = outcome(chosen, {"hardware.accelerator": "rtx-5090"}).hardware
    assert (elsewhere.intra_link.id, elsewhere.inter_link.id) == ("pcie-no-p2p", "eth-10-tcp")


def test_a_bridge_gives_way_to_slots_where_it_does_not_reach() -> None:
    pair = catalog.build_scenario("llama-3.1-8b", "fp8", "h100-nvl", 2)
    assert pair.hardware.intra_link.id == "nvlink-4-bridge"
    four = outcome(pair, {"hardware.gpus_per_node": 4})
    assert four.hardware.intra_link.id == "pcie5-root"
    assert outcome(four, {"hardware.gpus_per_node": 2}).hardware == pair.hardware


def test_a_platform_goes_when_the_node_no_longer_is_one() -> None:
    placed = outcome(START, {"hardware.platform": "dgx-h100"})
    assert placed.hardware.accelerator.id == "h100-sxm"
    assert outcome(placed, {"hardware.nodes": 2}).hardware.platform == placed.hardware.platform
    assert outcome(placed, {"hardware.gpus_per_node": 4}).hardware.platform is None
    assert outcome(placed, {"hardware.accelerator": "b200-sxm"}).hardware.platform is None


def test_a_published_format_follows_its_model_and_a_chosen_one_stays() -> None:
    published = outcome(START, {"model.weights": None})
    assert published.model.weights == "bf16"
    assert outcome(published, {"model.id": "deepseek-v3"}).model.weights == "fp8"
    assert outcome(START, {"model.id": "llama-3.1-8b"}).model.weights == "fp8"
    assert outcome(START, {"model.id": "gpt-oss-120b"}).model.weights == "mxfp4"


def test_a_scenario_changes_by_its_own_facts_where_no_catalog_is_given() -> None:
    assert change(START, {"hardware.accelerator": "h100-sxm"}) == outcome(START, {"hardware.accelerator": "h100-sxm"})
    with pytest.raises(ScenarioError, match=r"model\.id"):
        change(START, {"model.id": "llama-3.1-8b"})
    bare = replace(START, facts=Facts())
    assert change(bare, {"hardware.gpus_per_node": 4}).hardware.intra_link == bare.hardware.intra_link


def test_only_the_pinned_keys_take_another_layout() -> None:
    shape = Layout(8, 1, 1, 1, True)
    assert pinned_as(PINNED, shape) == {"layout.tp": 8, "layout.pp": 1, "layout.dp": 1}
    assert pinned_as(START, shape) == {}


@pytest.mark.parametrize("field", [f for f in FIELDS if f.kind == "number" and f.name != "second_gpus"], ids=str)
def test_change_and_check_hold_the_same_range(field: Any) -> None:
    """What `change` refuses is what a scenario made in another way is refused for."""
    part = getattr(START, field.table)
    for value in (field.low - 1, field.high * 2 + 1):
        with pytest.raises(ScenarioError, match=field.key):
            change(START, {field.key: value}, KNOWN)
        with pytest.raises(ScenarioError, match=field.key):
            check_ranges(replace(START, **{field.table: replace(part, **{field.name: value})}))
    for value in (field.low, field.high):
        assert value_of(change(START, {field.key: value}, KNOWN), field.key) == value


def test_defaults_are_within_their_own_ranges() -> None:
    for field in FIELDS:
        default = field.default()
        if default not in ("unset", None):
            assert field.checked(default) == default
        assert field.key in BY_KEY
        assert field.kinds


def test_a_changed_scenario_sizes() -> None:
    for changes in SETS.values():
        made = outcome(START, changes)
        check_scenario(made)
        assert size(made).scenario == made


def test_an_embedder_embeds_and_what_follows_it_serves_again() -> None:
    embeds = change(START, {"model.id": "bge-m3"}, KNOWN)
    assert embeds.workload.kind == "embed"
    assert change(embeds, {"model.id": "bge-large-en-v1.5"}, KNOWN).workload.kind == "embed"
    assert change(embeds, {"model.id": "llama-3.1-8b"}, KNOWN).workload.kind == "serve"
    assert change(START, {"model.id": "llama-3.1-8b"}, KNOWN).workload.kind == "serve"
    entered = {"model.id": "qwen3-8b", "workload.kind": "embed"}  # a decoder may embed, where somebody says so
    assert change(change(START, entered, KNOWN), {"model.id": "llama-3.1-8b"}, KNOWN).workload.kind == "embed"
