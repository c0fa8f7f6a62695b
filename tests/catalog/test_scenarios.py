"""Scenarios from ids."""

from __future__ import annotations

from typing import Any

import pytest

import catalog
from engine.scenario import Workload


def test_links_are_the_usual_ones_of_the_card() -> None:
    scenario = catalog.build_scenario("llama-3.1-70b", "fp8", "h100-sxm", 8, 2)
    assert scenario.hardware.intra_link.id == "nvlink-4"
    assert scenario.hardware.inter_link.id == "ib-ndr"
    assert scenario.hardware.gpus == 16
    assert scenario.facts is catalog.load().facts


def test_a_bridge_joins_no_more_cards_than_it_can() -> None:
    pair = catalog.build_scenario("llama-3.1-8b", "bf16", "h100-nvl", 2)
    eight = catalog.build_scenario("llama-3.1-8b", "bf16", "h100-nvl", 8)
    assert pair.hardware.intra_link.id == "nvlink-4-bridge"
    assert eight.hardware.intra_link.family == "pcie"


def test_a_platform_brings_its_links() -> None:
    aws = catalog.build_scenario("llama-3.1-8b", "bf16", "h100-sxm", 8, 2, platform="aws-p5")
    assert (aws.hardware.intra_link.id, aws.hardware.inter_link.id) == ("nvlink-4", "efa-v2")
    own = catalog.build_scenario("llama-3.1-8b", "bf16", "h100-sxm", 8, 2, platform="aws-p5", inter_link="roce-100")
    assert own.hardware.inter_link.id == "roce-100"
    four = catalog.build_scenario("llama-3.1-8b", "bf16", "h200-nvl", 4, platform="h200nvl-8x-xe7745")
    eight = catalog.build_scenario("llama-3.1-8b", "bf16", "h200-nvl", 8, platform="h200nvl-8x-xe7745")
    assert four.hardware.intra_link.id == "nvlink-4-bridge-4way"
    assert eight.hardware.intra_link.family == "pcie"


def test_weights_default_to_what_is_published() -> None:
    assert catalog.build_scenario("llama-3.1-8b").model.weights == "bf16"
    assert catalog.build_scenario("deepseek-v3", "", "h200-sxm", 8).model.weights.startswith("fp8")
    assert catalog.build_scenario("gpt-oss-120b", "", "h100-sxm", 1).model.weights == "mxfp4"


def test_equal_ids_give_equal_scenarios() -> None:
    first = catalog.build_scenario("llama-3.1-8b", workload=Workload(concurrency=4))
    second = catalog.build_scenario("llama-3.1-8b", workload=Workload(concurrency=4))
    assert first == second
    assert first != catalog.build_scenario("llama-3.1-8b", workload=Workload(concurrency=5))


@pytest.mark.parametrize(
    "arguments",
    [
        {"model_id": "llama-9"},
        {"model_id": "llama-3.1-8b", "accelerator_id": "h1000"},
        {"model_id": "llama-3.1-8b", "intra_link": "warp"},
        {"model_id": "llama-3.1-8b", "inter_link": "warp"},
        {"model_id": "llama-3.1-8b", "platform": "deck"},
    ],
)
def test_unknown_ids(arguments: dict[str, Any]) -> None:
    with pytest.raises(catalog.UnknownId):
        catalog.build_scenario(**arguments)
