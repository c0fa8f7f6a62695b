"""Activations of mixtures of experts, as public runs had them."""

from __future__ import annotations

from typing import Any

import pytest

from engine.decide.size import size
from engine.figures.units import GIB
from engine.scenario import LayoutChoice, Scenario
from engine.scenario.change import change
from tests.engine.builds import build


def experts(layout: LayoutChoice, **work: Any) -> Scenario:
    return build("qwen3-30b-a3b", "bf16", "b200-sxm", 8, layout=layout, kind="pretrain", software="tuned", **work)


def test_selective_recomputation_keeps_nothing_of_the_experts() -> None:
    # torchtitan's log of 8x B200, micro-batch 8 of 8,192: 141.8 GiB reserved
    scenario = experts(
        LayoutChoice(1, 1, 8, 1), sequence_length=8192, micro_batch=8, gradient_accumulation=1, recompute="selective",
        compile=True, loss="chunked",
    )  # fmt: skip
    memory = size(scenario).memory
    assert memory.peak_bytes / GIB == pytest.approx(141.8, rel=0.1)


def test_a_run_without_recomputation_that_ran_fits() -> None:
    # Megatron-Bridge's own recipe: EP 8, micro-batch 4 of 4,096, no recomputation, 552 TFLOP/s a GPU
    scenario = experts(
        LayoutChoice(1, 1, 8, 8), sequence_length=4096, micro_batch=4, global_batch_tokens=2097152, recompute="none",
        sharding="zero1", framework="megatron", loss="fused",
    )  # fmt: skip
    memory = size(scenario).memory
    assert memory.fits
    other = size(change(scenario, {"workload.software": "standard"})).memory
    assert other.peak_bytes > memory.peak_bytes


def test_a_frozen_base_in_fp32_takes_twice_the_room() -> None:
    scenario = build("qwen3-4b", "bf16", "h100-sxm", 1, kind="lora", loss="fused", sequence_length=1024)
    weights = size(scenario).memory.worst.weights_bytes
    assert size(change(scenario, {"workload.base_precision": "fp32"})).memory.worst.weights_bytes == pytest.approx(
        2 * weights, rel=0.02
    )
