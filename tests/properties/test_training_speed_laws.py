"""The time of a training step and what it sends, against arithmetic by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from engine.decide.size import size
from engine.scenario import LayoutChoice, Scenario
from engine.sizing import Sizing, Training
from tests.engine.builds import build

SEQUENCE, MICRO = 8192, 16
TOKENS = SEQUENCE * MICRO
HIDDEN = 4096  # of Llama 3.1 8B and of Mixtral 8x7B, both of 32 layers
EIGHT = 8_030_261_248
SUMMED = 4
"""Bytes of a gradient on its way: Megatron-LM sums in fp32."""
BULK = 2e-3
"""What latencies may add to collectives of a gigabyte."""


def trained(sizing: Sizing) -> Training:
    """The training figures of a sizing."""
    assert sizing.training is not None
    return sizing.training


def run(model: str = "llama-3.1-8b", card: str = "l40s", gpus: int = 4, nodes: int = 1, **asked: Any) -> Scenario:
    """A pre-training on cards on one PCIe tree, where a ring has no help from a switch."""
    layout = LayoutChoice(**{key: asked.pop(key) for key in ("tp", "pp", "dp", "ep") if key in asked})
    work: dict[str, Any] = {
        "kind": "pretrain",
        "sequence_length": SEQUENCE,
        "micro_batch": MICRO,
        "global_batch_tokens": TOKENS * 8,
        "recompute": "none",
        "sharding": "zero1",
        "framework": "megatron",
        "software": "tuned",
    }
    return build(model, "bf16", card, gpus, nodes, layout, **work | asked)


def speed(scenario: Scenario) -> Training:
    """The training figures of a scenario."""
    return trained(size(scenario))


def changed(scenario: Scenario, **work: Any) -> Scenario:
    """The scenario with other workload fields."""
    return replace(scenario, workload=replace(scenario.workload, **work))


def faster_links(scenario: Scenario, factor: float) -> Scenario:
    """The same on a link inside the node of so many times the bandwidth."""
    link = scenario.hardware.intra_link
    achieved = None if link.achieved_gb_s_unidir is None else link.achieved_gb_s_unidir * factor
    wider = replace(
        link, id=f"{link.id}-x{factor}", peak_gb_s_unidir=link.peak_gb_s_unidir * factor, achieved_gb_s_unidir=achieved
    )
    return replace(scenario, hardware=replace(scenario.hardware, intra_link=wider))


def seconds_a_byte(scenario: Scenario) -> float:
    """Seconds that one GPU of the build takes to send a byte to its ring, from the gradients of plain DP over four.

    An all-reduce over n ranks sends 2 (n - 1) / n of its buffer (nccl-tests, PERFORMANCE.md).
    """
    plain = speed(run(dp=4, tp=1, pp=1, sharding="ddp", micro_batch=1, global_batch_tokens=4 * SEQUENCE))
    return plain.dp_communication_s / (2 * 3 / 4 * SUMMED * EIGHT)


@pytest.fixture(scope="module")
def byte_s() -> float:
    return seconds_a_byte(run())


def test_tensor_parallelism_reduces_twice_a_layer_and_pass(byte_s: float) -> None:
    step = speed(run(tp=4, pp=1))
    buffer = TOKENS * HIDDEN * 2
    hand = 8 * 2 * 32 * 2 * (2 * 3 / 4 * buffer)  # micro-batches, reductions, layers, forward and backward
    assert step.tp_communication_s == pytest.approx(hand * byte_s, rel=BULK)
    assert step.ep_communication_s == step.pp_communication_s == step.dp_communication_s == 0.0


def test_full_recomputation_sends_the_forward_once_more() -> None:
    once, again = (speed(run(tp=4, pp=1, recompute=how)).tp_communication_s for how in ("none", "full"))
    assert again == pytest.approx(1.5 * once)


def test_an_all_to_all_sends_each_token_to_its_experts_and_back(byte_s: float) -> None:
    # Mixtral: each rank sends its tokens to two experts each, three quarters of which are elsewhere, and gets them back
    step = speed(run("mixtral-8x7b", tp=1, pp=1, dp=4, ep=4, global_batch_tokens=4 * TOKENS * 8))
    sent = TOKENS * HIDDEN * 2 * 2
    hand = 8 * 2 * 32 * 2 * (3 / 4 * sent)  # micro-batches, there and back, layers, forward and backward
    assert step.ep_communication_s == pytest.approx(hand * byte_s, rel=BULK)
    assert step.tp_communication_s == 0.0


def test_a_pipeline_passes_hidden_states_there_and_gradients_back(byte_s: float) -> None:
    step = speed(run(tp=1, pp=4))
    hand = 8 * 2 * TOKENS * HIDDEN * 2  # micro-batches, there and back, 16-bit
    # two cards have the tree to themselves, four share it: no faster than alone, no slower than together
    assert 0.4 * hand * byte_s < step.pp_communication_s < 1.01 * hand * byte_s


@pytest.mark.parametrize(("sharding", "sends"), [("ddp", 2 * SUMMED), ("zero1", SUMMED + 2), ("zero2", SUMMED + 2)])
def test_zero_sends_gradients_there_and_weights_back(byte_s: float, sharding: str, sends: int) -> None:
    # ZeRO, section 7: a reduce-scatter and an all-gather move what an all-reduce does, and weights come back in 16 bits
    step = speed(run(dp=4, tp=1, pp=1, sharding=sharding, micro_batch=1, global_batch_tokens=4 * SEQUENCE))
    assert step.dp_communication_s == pytest.approx(sends * 3 / 4 * EIGHT * byte_s, rel=BULK)


@pytest.mark.parametrize("micro_batches", [1, 4])
def test_zero3_gathers_weights_twice_and_scatters_gradients_once_a_micro_batch(
    byte_s: float, micro_batches: int
) -> None:
    batch = 4 * SEQUENCE * micro_batches
    step = speed(run(dp=4, tp=1, pp=1, sharding="zero3", micro_batch=1, global_batch_tokens=batch))
    assert step.micro_batches == micro_batches
    assert step.dp_communication_s == pytest.approx(micro_batches * (2 + 2 + SUMMED) * 3 / 4 * EIGHT * byte_s, rel=5e-3)


def test_context_ranks_collect_each_others_keys_and_values(byte_s: float) -> None:
    # Llama 3.1 8B: 2 x 1,024 widths of keys and values a layer, of the whole sequence, three quarters from elsewhere
    long = 65536
    work: dict[str, Any] = {"sequence_length": long, "micro_batch": 4, "context_parallel": 4, "sharding": "ddp"}
    step = speed(run(dp=4, tp=1, pp=1, **work, global_batch_tokens=4 * long))
    hand = 32 * 2 * 3 / 4 * (4 * long * 2 * 1024 * 2)
    assert step.micro_batches == 1
    assert step.ep_communication_s == pytest.approx(hand * byte_s, rel=BULK)


def test_half_the_layers_send_half() -> None:
    scenario = run(tp=4, pp=1)
    arch = scenario.model.architecture
    half = replace(arch, layers=arch.layers[:16])
    whole, less = speed(scenario), speed(replace(scenario, model=replace(scenario.model, architecture=half)))
    assert whole.tp_communication_s == pytest.approx(2 * less.tp_communication_s)


def test_twice_the_bandwidth_halves_what_large_messages_take() -> None:
    # below the slot of the card and the ceiling of the root, which nothing exceeds
    scenario = run(tp=4, pp=1)
    assert speed(scenario).tp_communication_s == pytest.approx(
        speed(faster_links(scenario, 0.5)).tp_communication_s / 2, rel=BULK
    )


def test_a_step_is_the_sum_of_its_parts() -> None:
    for scenario in (run(tp=4, pp=1), run(tp=1, pp=4), run(dp=4, sharding="zero3"), run(tp=2, pp=2)):
        step = speed(scenario)
        bubble = step.bubble_share * step.step_s
        parts = step.compute_s + bubble + step.exposed_communication_s + step.optimizer_s
        assert step.step_s == pytest.approx(parts)
        sent = step.tp_communication_s + step.ep_communication_s + step.pp_communication_s + step.dp_communication_s
        assert step.communication_s == pytest.approx(sent)


@pytest.mark.parametrize("stages", [2, 4])
def test_a_pipeline_idles_for_all_stages_but_one(stages: int) -> None:
    # Narayanan et al. 2021, section 2.2: (p - 1) micro-batches of compute
    step = speed(run(tp=1, pp=stages, gpus=stages))
    assert step.micro_batches == 8
    assert step.bubble_share * step.step_s == pytest.approx((stages - 1) * step.compute_s / 8)


def test_interleaved_chunks_divide_the_bubble() -> None:
    plain = run(tp=1, pp=4)
    for chunks in (2, 4):
        step = speed(changed(plain, pipeline_schedule="interleaved", virtual_stages=chunks))
        assert step.bubble_share * step.step_s == pytest.approx(3 / chunks * step.compute_s / 8)
    assert speed(changed(plain, pipeline_schedule="interleaved")).bubble_share == pytest.approx(
        speed(changed(plain, pipeline_schedule="interleaved", virtual_stages=2)).bubble_share
    )
    # each chunk has a border of its own
    sent = speed(changed(plain, pipeline_schedule="interleaved", virtual_stages=2)).pp_communication_s
    assert sent == pytest.approx(2 * speed(plain).pp_communication_s)


def test_nothing_hides_at_overlap_none_and_everything_that_can_at_overlap_all() -> None:
    scenario = run(tp=4, pp=1)
    none, half = (speed(changed(scenario, overlap=share)) for share in (0.0, 0.5))
    assert none.exposed_communication_s == pytest.approx(none.communication_s)
    assert half.exposed_communication_s == pytest.approx(half.communication_s / 2)
    assert speed(changed(scenario, overlap=1.0)).exposed_communication_s == pytest.approx(0.0, abs=1e-9)


def test_floating_point_operations_a_token_are_six_a_weight_and_attention() -> None:
    # 2 forward and 4 backward for each weight that a token meets; scores and values the same, over the mean of keys
    layer = 2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14336
    head = 128256 * 4096
    keys = (SEQUENCE + 1) / 2
    hand = 6 * (32 * layer + head) + 3 * 32 * 2 * (4096 + 4096) * keys
    assert speed(run(tp=1, pp=1, dp=4)).flops_per_token == pytest.approx(hand, rel=1e-9)


def test_experts_count_as_many_as_a_token_meets() -> None:
    expert = 3 * 4096 * 14336
    attention = 2 * 4096 * 4096 + 2 * 4096 * 1024
    hand = 6.0 * (32 * (attention + 2 * expert + 8 * 4096) + 32000 * 4096)
    hand += 3 * 32 * 2 * (4096 + 4096) * (SEQUENCE + 1) / 2
    assert speed(run("mixtral-8x7b", tp=1, pp=1, dp=4, ep=4)).flops_per_token == pytest.approx(hand, rel=1e-9)


def test_utilization_is_the_share_of_the_data_sheet() -> None:
    scenario = run(tp=2, pp=2)
    step = speed(scenario)
    peak = scenario.hardware.accelerator.tflops_bf16_dense
    assert peak is not None
    assert step.achieved_tflops == pytest.approx(step.tokens_per_s_gpu * step.flops_per_token / 1e12)
    assert step.mfu == pytest.approx(step.achieved_tflops / peak)
    assert step.tokens_per_s_total == pytest.approx(4 * step.tokens_per_s_gpu)
    assert step.tokens_per_s_total * step.step_s == pytest.approx(8 * TOKENS)
    assert step.efficiency == pytest.approx(step.tokens_per_s_gpu / step.one_gpu_tokens_per_s)


def test_twice_the_tokens_take_twice_the_days() -> None:
    scenario = run(tp=4, pp=1, total_tokens=10**9)
    one, two = speed(scenario), speed(changed(scenario, total_tokens=2 * 10**9))
    assert two.days == pytest.approx(2 * one.days)
    assert two.gpu_hours == pytest.approx(2 * one.gpu_hours)
    assert one.gpu_hours == pytest.approx(24 * 4 * one.days)
    assert one.days * 86400 == pytest.approx(10**9 / one.tokens_per_s_total / one.goodput)


def test_a_step_runs_the_batch_that_was_asked() -> None:
    for dp, batches in ((1, 32), (2, 16), (4, 8)):
        scenario = run(tp=1, pp=1, dp=dp, gpus=dp, global_batch_tokens=TOKENS * 32)
        step = speed(scenario)
        assert step.micro_batches == batches
        assert step.tokens_per_s_total * step.step_s == pytest.approx(TOKENS * 32)
    entered = speed(changed(scenario, gradient_accumulation=3))
    assert entered.micro_batches == 3
    assert entered.tokens_per_s_total * entered.step_s == pytest.approx(3 * 4 * TOKENS)


def test_memory_bound_optimizers_take_their_bytes_over_the_bandwidth() -> None:
    scenario = run(tp=1, pp=1, dp=4, sharding="ddp")
    card = scenario.hardware.accelerator
    wide = replace(card, id="wide", bandwidth_gb_s=2 * card.bandwidth_gb_s)
    twice = replace(scenario, hardware=replace(scenario.hardware, accelerator=wide))
    assert speed(twice).optimizer_s == pytest.approx(speed(scenario).optimizer_s / 2)
    # each rank of ZeRO updates its own part
    assert speed(changed(scenario, sharding="zero1")).optimizer_s == pytest.approx(speed(scenario).optimizer_s / 4)


def test_offloaded_updates_take_their_bytes_over_the_slot() -> None:
    scenario = run(tp=1, pp=1, dp=4, offload="optimizer", framework="deepspeed")
    card = scenario.hardware.accelerator
    assert card.pcie_lanes == 16
    assert card.cpu_link_gb_s_unidir is None
    narrow = replace(card, id="narrow", pcie_lanes=8)
    half = replace(scenario, hardware=replace(scenario.hardware, accelerator=narrow))
    assert speed(half).optimizer_s == pytest.approx(2 * speed(scenario).optimizer_s)


def test_failures_and_checkpoints_leave_less_of_a_larger_run() -> None:
    # Young 1974: checkpoints every sqrt(2 c M); 419 interruptions of 16,384 GPUs in 54 days (Llama Team 2024)
    for nodes in (1, 64, 512):
        scenario = build(
            "llama-3.1-70b", "bf16", "h100-sxm", 8, nodes, LayoutChoice(tp=8), kind="pretrain",
            global_batch_tokens=4096 * 1024, recompute="selective", sharding="zero3",
        )  # fmt: skip
        writes = 70_553_706_496 * 14 / (2e9 * nodes)
        between = 16384 * 54 * 24 / 419 / (8 * nodes) * 3600
        every = math.sqrt(2 * max(1.0, writes) * between)
        lost = writes / every + (every / 2 + 900) / between
        assert speed(scenario).goodput == pytest.approx(1 - lost, rel=1e-6)


def test_a_run_costs_its_hours_at_the_price_of_an_hour() -> None:
    scenario = run(tp=4, pp=1)
    priced = replace(scenario, money=replace(scenario.money, usd_per_gpu_hour=2.0))
    sizing = size(priced)
    assert sizing.cost.run_usd == pytest.approx(2.0 * trained(sizing).gpu_hours)
    dearer = size(replace(priced, money=replace(priced.money, usd_per_gpu_hour=4.0)))
    assert dearer.cost.run_usd == pytest.approx(2 * (sizing.cost.run_usd or 0.0))


@pytest.mark.parametrize("days", [0.01, 1000.0])
def test_a_deadline_is_met_when_the_days_are_fewer(days: float) -> None:
    step = speed(run(tp=4, pp=1, deadline_days=days))
    assert step.meets_deadline is (step.days <= days)


def test_serial_share_is_amdahls() -> None:
    step = speed(run(tp=4, pp=1))
    # speed-up of four = 1 / (s + (1 - s) / 4)
    assert 4 * step.efficiency == pytest.approx(1 / (step.serial_share + (1 - step.serial_share) / 4))
