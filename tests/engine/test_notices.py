"""Each trap of the market is named when it applies, and only then."""

from __future__ import annotations

from typing import Any

import pytest

from engine.plan import plan
from engine.recommend import changed
from engine.scenario import LayoutChoice
from engine.size import size
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
    "kv-replicated": (
        {"model": "llama-3.1-70b", "gpus_per_node": 16, "layout": LayoutChoice(tp=16)},
        {"model": "llama-3.1-70b", "layout": LayoutChoice(tp=8)},
    ),
    "int4-training": ({"weights": "int4", "kind": "lora"}, {"weights": "bf16", "kind": "lora"}),
    "spare-gpus": (
        {"model": "llama-3.1-8b", "weights": "bf16", "gpus_per_node": 2, "concurrency": 1},
        {"model": "llama-3.1-8b", "weights": "bf16", "gpus_per_node": 1, "concurrency": 1},
    ),
    "cluster-for-replicas": (
        {"nodes": 2, "concurrency": 400, "layout": LayoutChoice(tp=8, pp=2)},
        {"nodes": 2, "concurrency": 400},
    ),
    "circuit-short": ({"accelerator": "h100-sxm"}, {"gpus_per_node": 4}),
    "no-start": ({"model": "llama-3.1-405b", "weights": "bf16"}, {"model": "llama-3.1-405b", "weights": "fp8"}),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_is_named_where_it_applies_and_only_there(trap: str) -> None:
    applies, does_not = TRAPS[trap]
    assert trap in {notice.id for notice in size(build(**applies)).warnings}
    assert trap not in {notice.id for notice in size(build(**does_not)).warnings}


def test_ram_below_vram_is_named_with_its_platform() -> None:
    import catalog

    scenario = catalog.build_scenario(
        "llama-3.1-70b", "fp8", "rtx-pro-6000-max-q", 8, platform="rtxpro6000-mq-8x-dual-genoa"
    )
    assert "ram-below-vram" in {notice.id for notice in size(scenario).warnings}


def test_errors_come_first() -> None:
    order = {"error": 0, "warning": 1, "info": 2}
    severities = [order[n.severity] for n in size(build("mixtral-8x22b", "bf16", "rtx-5090")).warnings]
    assert severities == sorted(severities)
    assert severities[0] == 0


def test_two_small_nodes_show_both_speeds() -> None:
    sizing = size(build("llama-3.1-405b", gpus_per_node=4, nodes=2, concurrency=4))
    notice = next(n for n in sizing.warnings if n.id == "two-small-nodes")
    assert "tokens/s a GPU in one node" in notice.message
    assert "split over 2" in notice.message


def test_the_change_to_one_node_carries_the_workload() -> None:
    for fields in (
        {"model": "llama-3.1-405b", "gpus_per_node": 4, "nodes": 2, "concurrency": 4},
        {"model": "deepseek-v3", "accelerator": "h100-sxm", "nodes": 2},
        {"nodes": 2},
    ):
        scenario = build(**fields)
        fix = next(n.fix for n in size(scenario).warnings if n.id in ("two-small-nodes", "int4-saves-nodes"))
        assert fix is not None
        for field, value in (*fix.also, (fix.field, fix.value)):
            scenario = changed(scenario, field, value)
        assert scenario.hardware.nodes == 1
        assert plan(scenario).carries
