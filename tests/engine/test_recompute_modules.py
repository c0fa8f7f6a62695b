"""Parts of a layer that are computed again alone, a dataset with its epochs."""

from __future__ import annotations

from typing import Any

import pytest

from engine.decide.advice import advice
from engine.decide.size import size
from engine.figures.errors import ScenarioError
from engine.scenario import LayoutChoice, Scenario
from engine.scenario.change import change
from tests.engine.builds import build


def experts(**work: Any) -> Scenario:
    return build(
        "qwen3-30b-a3b", "bf16", "b200-sxm", 8, layout=LayoutChoice(1, 1, 8, 8), kind="pretrain", framework="megatron",
        sequence_length=4096, micro_batch=4, global_batch_tokens=2097152, sharding="zero1", loss="fused", **work,
    )  # fmt: skip


def peak(modules: str) -> int:
    return size(experts(recompute="selective", recompute_modules=modules)).memory.peak_bytes


def test_the_more_parts_are_computed_again_the_less_is_kept() -> None:
    nothing, everything = (size(experts(recompute=kept)).memory.peak_bytes for kept in ("none", "full"))
    assert peak("core_attn") == pytest.approx(nothing, rel=0.001)
    assert nothing > peak("moe_act") > peak("moe") > peak("layernorm+moe") > everything


def test_experts_computed_again_take_their_time() -> None:
    times = []
    for work in ({"recompute": "none"}, {"recompute": "selective", "recompute_modules": "moe"}, {"recompute": "full"}):
        run = size(experts(**work)).training
        assert run is not None
        times.append(run.compute_s)
    assert times == sorted(times)
    assert times[0] < times[1] < times[2]


def test_an_unknown_part_is_named_with_those_that_there_are() -> None:
    with pytest.raises(ScenarioError, match="attention") as found:
        change(experts(), {"workload.recompute_modules": "attention"})
    assert "moe_act" in found.value.allowed


def test_a_dataset_and_its_epochs_make_the_run_where_its_tokens_are_open() -> None:
    scenario = change(
        build("llama-3.1-8b", "bf16", "h100-sxm", 8, kind="lora"),
        {"workload.dataset_tokens": 20_000_000, "workload.epochs": 3},
    )
    assert scenario.workload.run_tokens == 60_000_000
    entered = change(scenario, {"workload.total_tokens": 5_000_000})
    assert entered.workload.run_tokens == 5_000_000
    short, long = size(entered).training, size(scenario).training
    assert short is not None
    assert long is not None
    assert long.days == pytest.approx(12 * short.days)


def compute_s(framework: str, recompute: str, modules: str = "framework") -> float:
    run = size(
        build(
            "llama-3.1-8b", "bf16", "h100-sxm", 8, layout=LayoutChoice(1, 1, 8, 1), kind="pretrain", framework=framework,
            sequence_length=8192, micro_batch=1, recompute=recompute, recompute_modules=modules,
        )
    ).training  # fmt: skip
    assert run is not None
    return run.compute_s


def test_every_second_product_once_more_takes_its_share_of_a_forward_pass() -> None:
    nothing, some, everything = (compute_s("torchtitan", kept) for kept in ("none", "selective", "full"))
    # of an 8B layer: keys, output and up projection, 79.7 of 218 million elements, and neither attention nor most traffic
    assert 0.2 < (some - nothing) / (everything - nothing) < 0.365


def test_megatrons_own_set_is_its_attention() -> None:
    assert compute_s("megatron", "selective") == compute_s("megatron", "selective", "core_attn")
    assert compute_s("megatron", "none") < compute_s("megatron", "selective") < compute_s("megatron", "full")
    own, named, nothing = (
        size(experts(recompute=kept, recompute_modules=modules)).memory.peak_bytes
        for kept, modules in (("selective", "framework"), ("selective", "core_attn"), ("none", "framework"))
    )
    assert own == named == pytest.approx(nothing, rel=0.001)  # flash attention keeps no scores to begin with


def test_parts_named_together_take_the_time_of_each() -> None:
    nothing = compute_s("megatron", "selective", "layernorm")
    assert compute_s("megatron", "selective", "mlp") > nothing
    assert compute_s("megatron", "selective", "mlp") < compute_s("megatron", "full")


def test_a_run_that_recomputes_attention_alone_is_told_of_feed_forwards() -> None:
    scenario = build(
        "llama-3.1-405b", "bf16", "h100-sxm", 8, 2048, LayoutChoice(8, 16, 128, 1), kind="pretrain", framework="megatron",
        sequence_length=8192, micro_batch=1, global_batch_tokens=16_777_216, sharding="zero1", recompute="selective",
    )  # fmt: skip
    assert not size(scenario).memory.fits
    cure = advice(scenario).cure
    assert cure is not None
    assert dict(cure.changes) == {"workload.recompute_modules": "mlp"}
    assert size(change(scenario, dict(cure.changes))).memory.fits
