"""Each trap of the market is named when it applies, and only then."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import catalog
from engine.decide.plan import plan
from engine.decide.size import size
from engine.figures.errors import ScenarioError
from engine.figures.sentences import text_of
from engine.figures.units import GIB
from engine.scenario import LayoutChoice, Scenario
from engine.scenario.change import change
from engine.sizing import Notice
from tests.engine.builds import build

TRAPS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    # id: (a build it applies to, one it does not)
    "two-small-nodes": (
        {"model": "llama-3.1-405b", "gpus_per_node": 4, "nodes": 2, "concurrency": 4},
        {"model": "llama-3.1-405b", "gpus_per_node": 8, "concurrency": 4},
    ),
    "int4-saves-nodes": (
        {"model": "deepseek-v3", "accelerator": "h100-sxm", "nodes": 2},
        {"model": "deepseek-v3", "accelerator": "h200-sxm", "nodes": 2},
    ),
    "fp8-saves-nodes": (
        {"model": "llama-3.1-405b", "weights": "bf16", "accelerator": "h100-sxm", "nodes": 2, "concurrency": 16},
        {"model": "llama-3.1-405b", "accelerator": "h100-sxm", "nodes": 2, "concurrency": 16},
    ),
    "dp-attention-without-mla": (
        {"layout": LayoutChoice(tp=1, dp=8, dp_attention=True)},
        {"model": "deepseek-v3", "accelerator": "h200-sxm", "layout": LayoutChoice(tp=1, dp=8, dp_attention=True)},
    ),
    "moe-active": ({"model": "mixtral-8x22b"}, {"model": "llama-3.1-70b"}),
    "tp-across-nodes": (
        {"gpus_per_node": 4, "nodes": 2, "layout": LayoutChoice(tp=8)},
        {"gpus_per_node": 8, "layout": LayoutChoice(tp=8)},
    ),
    "no-peer-access": (
        {"accelerator": "rtx-5090", "layout": LayoutChoice(tp=8)},
        {"accelerator": "h100-sxm", "layout": LayoutChoice(tp=8)},
    ),
    "weight-only": ({"accelerator": "a100-sxm4-80gb"}, {"accelerator": "h100-sxm"}),
    "gguf-engine": ({"model": "llama-3.1-8b", "weights": "gguf-q4_k_m"}, {"model": "llama-3.1-8b", "weights": "int4"}),
    "kv-replicated": (
        {"model": "llama-3.1-70b", "gpus_per_node": 16, "layout": LayoutChoice(tp=16)},
        {"model": "llama-3.1-70b", "layout": LayoutChoice(tp=8)},
    ),
    "int4-training": ({"weights": "int4", "kind": "lora"}, {"weights": "bf16", "kind": "lora"}),
    "batch-outgrown": (
        {
            "kind": "pretrain",
            "weights": "bf16",
            "nodes": 64,
            "layout": LayoutChoice(1, 1, 512),
            "global_batch_tokens": 524288,
        },
        {"kind": "pretrain", "weights": "bf16", "nodes": 64, "global_batch_tokens": 524288},
    ),
    "spare-gpus": (
        {"model": "llama-3.1-8b", "weights": "bf16", "gpus_per_node": 2, "concurrency": 1},
        {"model": "llama-3.1-8b", "weights": "bf16", "gpus_per_node": 1, "concurrency": 1},
    ),
    "cluster-for-replicas": (
        {"nodes": 2, "concurrency": 400, "layout": LayoutChoice(tp=8, pp=2)},
        {"nodes": 2, "concurrency": 400},
    ),
    "circuit-short": ({"accelerator": "h100-sxm"}, {"gpus_per_node": 4}),
    "two-small-nodes of replicas": (
        {"accelerator": "rtx-5090", "gpus_per_node": 4, "nodes": 2, "concurrency": 15, "input_tokens": 4000},
        {"accelerator": "rtx-5090", "gpus_per_node": 4, "concurrency": 15, "input_tokens": 4000},
    ),
    "bigger-card": (
        # eight cards with a copy each cost more than one card that holds the load
        {
            "model": "llama-3.1-8b",
            "weights": "bf16",
            "accelerator": "rtx-4090",
            "concurrency": 60,
            "input_tokens": 2000,
        },
        # two do not
        {
            "model": "llama-3.1-8b",
            "weights": "bf16",
            "accelerator": "rtx-4090",
            "gpus_per_node": 2,
            "concurrency": 20,
            "input_tokens": 2000,
        },
    ),
    "batch-waits": (
        {"kind": "batch", "accelerator": "l40s", "gpus_per_node": 4, "concurrency": 256},
        {"kind": "batch", "accelerator": "l40s", "gpus_per_node": 4, "concurrency": 16},
    ),
    "over-memory": (
        {"accelerator": "l40s", "gpus_per_node": 4, "concurrency": 256},
        {"kind": "batch", "accelerator": "l40s", "gpus_per_node": 4, "concurrency": 256},
    ),
    "no-start": ({"model": "llama-3.1-405b", "weights": "bf16"}, {"model": "llama-3.1-405b", "weights": "fp8"}),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_is_named_where_it_applies_and_only_there(trap: str) -> None:
    applies, does_not = TRAPS[trap]
    trap = trap.split(" ")[0]
    assert trap in {notice.id for notice in size(build(**applies)).warnings}
    assert trap not in {notice.id for notice in size(build(**does_not)).warnings}


def _on(platform: str, **change: Any) -> Scenario:
    place = catalog.load().platform(platform)
    scenario = catalog.build_scenario("llama-3.1-70b", "fp8", place.accelerator, place.gpus, platform=place.id)
    hardware = replace(scenario.hardware, platform=replace(place, **change))
    return replace(scenario, hardware=hardware)


def _ids(scenario: Scenario) -> set[str]:
    return {notice.id for notice in size(scenario).warnings}


def test_ram_below_vram_is_named_with_its_platform() -> None:
    assert "ram-below-vram" in _ids(_on("rtxpro6000-mq-8x-dual-genoa"))
    assert "ram-below-vram" not in _ids(_on("rtxpro6000-mq-8x-dual-genoa", host_memory_gb=768.0))


def test_short_lanes_are_named_where_no_switch_makes_up_for_them() -> None:
    short = {"pcie_lanes": 64, "intra_link": "pcie5-root"}
    assert "lanes-short" in _ids(_on("rtxpro6000-mq-8x-dual-genoa", **short))
    enough = _on("rtxpro6000-mq-8x-dual-genoa", **(short | {"pcie_lanes": 128}))
    assert "lanes-short" not in _ids(enough)
    assert "lanes-short" in _ids(replace(enough, hardware=replace(enough.hardware, nodes=2))), (
        "network cards take lanes"
    )
    assert "lanes-short" not in _ids(_on("rtxpro6000-mq-8x-dual-genoa", **(short | {"intra_link": "pcie5-switch"})))


def test_mixed_cards_count_as_the_poorer_and_the_pool_that_is_lost_is_named() -> None:
    def mixed(second: str) -> Scenario:
        return catalog.build_scenario("llama-3.1-8b", "bf16", "rtx-5090", 4, second_accelerator=second, second_gpus=2)

    known = catalog.load()
    sizing = size(mixed("rtx-4090"))
    notice = next(n for n in sizing.warnings if n.id == "mixed-cards")
    lost = 2 * (known.accelerator("rtx-5090").memory_bytes - known.accelerator("rtx-4090").memory_bytes)
    assert f"{lost / GIB:,.1f} of" in text_of(notice.message)
    assert "waits for the RTX 4090" in text_of(notice.message)
    alike = size(catalog.build_scenario("llama-3.1-8b", "bf16", "rtx-4090", 4))
    assert sizing.memory.worst.total_bytes == alike.memory.worst.total_bytes
    assert sizing.serving is not None
    assert alike.serving is not None
    assert sizing.serving.tokens_per_s_total <= alike.serving.tokens_per_s_total * 1.001
    assert [line.quantity for line in sizing.cost.lines[:2]] == [2, 2]
    assert sizing.cost.rent_usd_per_hour is None
    assert "mixed-cards" not in _ids(mixed("rtx-5090"))


def test_as_many_of_the_second_kind_as_there_are_is_refused() -> None:
    with pytest.raises(ScenarioError) as refused:
        size(catalog.build_scenario("llama-3.1-8b", "bf16", "rtx-5090", 4, second_accelerator="l4", second_gpus=4))
    assert refused.value.field == "hardware.second_gpus"


def test_replicas_that_need_no_fabric_are_not_called_split() -> None:
    def told(**fields: Any) -> Notice:
        return next(n for n in size(build(**fields)).warnings if n.id == "two-small-nodes")

    alone = told(accelerator="rtx-5090", gpus_per_node=4, nodes=2, concurrency=15, input_tokens=4000)
    assert alone.severity == "info"
    assert "no fabric" in text_of(alone.message)
    split = told(model="llama-3.1-405b", gpus_per_node=4, nodes=2, concurrency=4)
    assert split.severity == "warning"
    assert "split a budget" in text_of(split.message)


def test_the_change_to_replicas_names_as_many_nodes_as_carry_the_load() -> None:
    scenario = build(nodes=4, concurrency=1000)
    sizing = size(scenario)
    notice = next(n for n in sizing.warnings if n.id == "cluster-for-replicas")
    assert notice.fix is not None
    assert (notice.fix.field, notice.fix.value) == ("hardware.nodes", sizing.verdict.replicas)
    after = replace(scenario, hardware=replace(scenario.hardware, nodes=sizing.verdict.replicas))
    assert plan(replace(after, layout=LayoutChoice(pp=1))).carries


def test_errors_come_first() -> None:
    order = {"error": 0, "warning": 1, "info": 2}
    severities = [order[n.severity] for n in size(build("mixtral-8x22b", "bf16", "rtx-5090")).warnings]
    assert severities == sorted(severities)
    assert severities[0] == 0


def test_two_small_nodes_show_both_speeds() -> None:
    sizing = size(build("llama-3.1-405b", gpus_per_node=4, nodes=2, concurrency=4))
    notice = next(n for n in sizing.warnings if n.id == "two-small-nodes")
    assert "tokens/s a GPU in one node" in text_of(notice.message)
    assert "split over 2" in text_of(notice.message)


def test_the_change_to_one_node_carries_the_workload() -> None:
    for fields in (
        {"model": "llama-3.1-405b", "gpus_per_node": 4, "nodes": 2, "concurrency": 4},
        {"model": "deepseek-v3", "accelerator": "h100-sxm", "nodes": 2},
        {"nodes": 2},
    ):
        scenario = build(**fields)
        fix = next(n.fix for n in size(scenario).warnings if n.id in ("two-small-nodes", "int4-saves-nodes"))
        assert fix is not None
        scenario = change(scenario, dict(fix.changes))
        assert scenario.hardware.nodes == 1
        assert plan(scenario).carries
