"""Laws of the step: what must hold for any model, card and layout, whatever the fitted constants are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import catalog
from engine.decide.size import size
from engine.figures.errors import ScenarioError
from engine.model.architecture import dense_decoder
from engine.model.flops import (
    active_elements,
    attention_flops_per_token,
    decode_attention_flops,
    forward_flops_per_token,
    matmul_flops_per_token,
)
from engine.model.parameters import count_parameters
from engine.scenario import Layout, Scenario
from engine.scenario.frameworks import software_of
from engine.training.goodput import goodput
from engine.training.rates import gpu_family, rates
from engine.training.speed import OVERLAP_RANGE, serial_share, single_gpu_tokens_per_s
from engine.training.step import step
from tests.engine.builds import build

TRAINING: dict[str, Any] = {"kind": "pretrain", "sequence_length": 4096, "micro_batch": 1, "software": "tuned"}


def scenario(**change: Any) -> Scenario:
    """A 70B on H100 nodes, changed."""
    shape: dict[str, Any] = {
        "model": "llama-3.1-70b",
        "weights": "bf16",
        "accelerator": "h100-sxm",
        "gpus_per_node": 8,
        "nodes": 4,
    }
    names = [key for key in change if key in shape]
    shape |= {key: change.pop(key) for key in names}
    return build(**shape, **(TRAINING | change))


def seconds(made: Scenario, layout: Layout) -> float:
    """Seconds of a step."""
    return step(made.model.architecture, made.hardware, made.workload, layout).seconds


def per_gpu(made: Scenario, layout: Layout) -> float:
    """Tokens a second and GPU."""
    found = step(made.model.architecture, made.hardware, made.workload, layout)
    return found.tokens_per_s / layout.gpus


# ---------------------------------------------------------------- FLOPs


def test_active_elements_are_the_active_parameters_but_for_the_table_and_vectors() -> None:
    for model in ("llama-3.1-70b", "mixtral-8x7b", "qwen3-235b-a22b", "gpt-oss-120b"):
        architecture = catalog.load().model(model).architecture
        counted = count_parameters(architecture)
        assert active_elements(architecture).total == pytest.approx(counted.active_excl_input_embedding, rel=2e-3)


def test_a_causal_token_scores_half_of_the_sequence() -> None:
    architecture = dense_decoder(
        hidden_size=4096,
        layers=32,
        intermediate_size=11008,
        heads=32,
        kv_heads=32,
        head_dim=128,
        vocab_size=32000,
    )
    full = attention_flops_per_token(architecture, 8192, False)
    assert attention_flops_per_token(architecture, 8192) / full == pytest.approx(0.5, rel=1e-3)
    assert full == 4 * 32 * 4096 * 8192


def test_windows_and_chunks_bound_attention() -> None:
    windowed = catalog.load().model("gemma-3-27b").architecture
    near, far = attention_flops_per_token(windowed, 2048), attention_flops_per_token(windowed, 65536)
    dense = catalog.load().model("qwen2.5-32b").architecture
    assert far / near < attention_flops_per_token(dense, 65536) / attention_flops_per_token(dense, 2048) / 3


def test_a_forward_is_products_and_attention() -> None:
    architecture = catalog.load().model("llama-3.1-8b").architecture
    assert forward_flops_per_token(architecture, 4096) == matmul_flops_per_token(
        architecture
    ) + attention_flops_per_token(architecture, 4096)
    assert decode_attention_flops(architecture, 8192) > decode_attention_flops(architecture, 1024)


# ---------------------------------------------------------------- one step


def test_recomputing_costs_a_forward() -> None:
    one = scenario(gpus_per_node=1, nodes=1)
    none, full = (
        seconds(replace(one, workload=replace(one.workload, recompute=kind)), Layout()) for kind in ("none", "full")
    )
    assert 1.2 < full / none < 1.4


def test_the_bubble_is_the_textbook_one() -> None:
    made = scenario(global_batch_tokens=32 * 4096)
    found = step(made.model.architecture, made.hardware, made.workload, Layout(tp=8, pp=4))
    assert found.micro_batches == 32
    assert found.bubble_s / (found.compute_s + found.bubble_s) == pytest.approx(3 / 35)
    assert found.seconds == pytest.approx(found.compute_s + found.bubble_s + found.exposed_s + found.tail_s)


def test_interleaving_shrinks_the_bubble() -> None:
    made = scenario(global_batch_tokens=16 * 4096)
    plain = seconds(made, Layout(tp=8, pp=4))
    work = replace(made.workload, pipeline_schedule="interleaved", virtual_stages=5)
    assert seconds(replace(made, workload=work), Layout(tp=8, pp=4)) < plain


def test_fp8_is_faster_only_where_the_card_has_it() -> None:
    hopper, ampere = scenario(compute_dtype="fp8"), scenario(compute_dtype="fp8", accelerator="a100-sxm4-80gb")
    for made, faster in ((hopper, True), (ampere, False)):
        plain = replace(made, workload=replace(made.workload, compute_dtype="bf16"))
        layout = Layout(tp=8, pp=4)
        assert (seconds(made, layout) < seconds(plain, layout)) is faster
    assert rates(ampere.hardware.accelerator, "nvfp4", "tuned").dtype == "bf16"


def test_tiers_are_ordered() -> None:
    speeds = [per_gpu(scenario(software=tier), Layout(dp=32)) for tier in ("tuned", "standard", "eager")]
    assert speeds == sorted(speeds, reverse=True)


def test_adapters_are_faster_than_full_training_and_quantized_ones_slower_than_plain() -> None:
    full = per_gpu(scenario(kind="full-finetune", gpus_per_node=1, nodes=1), Layout())
    lora = per_gpu(scenario(kind="lora", gpus_per_node=1, nodes=1), Layout())
    qlora = per_gpu(scenario(kind="qlora", gpus_per_node=1, nodes=1), Layout())
    assert full < qlora < lora


def test_offload_costs_time() -> None:
    base = scenario(model="llama-3.1-8b", gpus_per_node=1, nodes=1, micro_batch=1)
    speeds = [
        per_gpu(replace(base, workload=replace(base.workload, offload=kind)), Layout())
        for kind in ("none", "optimizer", "parameters")
    ]
    assert speeds == sorted(speeds, reverse=True)


def test_slow_fabric_hurts_sharded_parameters_more_than_gradients() -> None:
    layout = Layout(dp=32)
    slow = catalog.load().link("eth-25-tcp")

    def lost(sharding: str, group: str = "all") -> float:
        made = scenario(sharding=sharding, sharding_group=group, global_batch_tokens=1 << 22)
        cheap = replace(made, hardware=replace(made.hardware, inter_link=slow))
        return per_gpu(cheap, layout) / per_gpu(made, layout)

    assert lost("zero3") < lost("zero3", "node") <= 1.0
    assert lost("zero3") < lost("ddp") <= 1.0


def test_tensor_parallelism_across_nodes_is_worse_than_inside() -> None:
    made = scenario()
    assert per_gpu(made, Layout(tp=16, pp=2)) < per_gpu(made, Layout(tp=8, pp=4))


def test_an_overlap_that_a_person_enters_is_taken() -> None:
    made = scenario()
    speeds = [
        per_gpu(replace(made, workload=replace(made.workload, overlap=share)), Layout(tp=8, dp=4))
        for share in (0.0, 0.5, 0.86)
    ]
    assert speeds == sorted(speeds)


def test_the_slowest_link_decides() -> None:
    made = scenario(accelerator="rtx-5090", nodes=1, sharding="ddp")
    switched = replace(made.hardware, intra_link=catalog.load().link("pcie5-switch"))
    open_card = replace(switched, accelerator=replace(switched.accelerator, peer_access=True))
    assert per_gpu(replace(made, hardware=open_card), Layout(tp=8)) > per_gpu(made, Layout(tp=8))


MODELS = ("llama-3.1-8b", "llama-3.1-70b", "mixtral-8x7b", "deepseek-v3", "gemma-3-27b", "granite-4.0-h-small")
CARDS = (
    "h100-sxm",
    "a100-sxm4-80gb",
    "b200-sxm",
    "rtx-pro-6000-server",
    "rtx-4090",
    "mi300x",
    "v100-sxm2-32gb",
    "l4",
)


@settings(max_examples=60, deadline=None)
@given(
    model=st.sampled_from(MODELS),
    card=st.sampled_from(CARDS),
    kind=st.sampled_from(("pretrain", "full-finetune", "lora", "qlora")),
    sharding=st.sampled_from(("ddp", "zero1", "zero2", "zero3")),
    dtype=st.sampled_from(("bf16", "fp8", "nvfp4")),
    software=st.sampled_from(("tuned", "standard", "eager")),
    layout=st.sampled_from(((8, 1, 2), (1, 1, 16), (4, 2, 2), (2, 8, 1), (8, 2, 1))),
)
def test_any_build_trains_below_the_peak_and_no_better_than_one_gpu(
    model: str, card: str, kind: str, sharding: str, dtype: str, software: str, layout: tuple[int, int, int]
) -> None:
    made = build(
        model,
        "bf16",
        card,
        8,
        2,
        kind=kind,
        sharding=sharding,
        compute_dtype=dtype,
        software=software,
        sequence_length=4096,
        global_batch_tokens=1 << 20,
    )
    tp, pp, dp = layout
    split = Layout(tp=tp, pp=pp, dp=dp)
    found = step(made.model.architecture, made.hardware, made.workload, split)
    architecture, hardware, workload = made.model.architecture, made.hardware, made.workload
    peak = rates(hardware.accelerator, workload.compute_dtype, workload.software).peak
    executed = 2.0 if kind in ("lora", "qlora") else 3.0
    speed = found.tokens_per_s / split.gpus
    assert 0 < speed * executed * forward_flops_per_token(architecture, 4096) < peak
    assert found.exposed_s >= 0
    assert found.exposed_s <= found.communication_s * (1 + found.bubble_slots) + 1e-9
    assert found.seconds >= found.compute_s
    alone = single_gpu_tokens_per_s(architecture, hardware, workload)
    assert speed <= alone * 1.35  # sharded optimizers and narrower launches may beat one imagined card a little


@pytest.mark.parametrize(
    ("card", "family"),
    [
        ("a100-sxm4-80gb", "ampere"),
        ("h200-sxm", "hopper"),
        ("b300-sxm", "blackwell"),
        ("gb200", "blackwell"),
        ("v100-sxm2-32gb", "volta"),
        ("l40s", "gddr"),
        ("rtx-pro-6000-server", "gddr"),
        ("rtx-3090", "gddr"),
        ("mi300x", "other"),
        ("gaudi-3", "other"),
    ],
)
def test_cards_are_classed_by_their_kernels(card: str, family: str) -> None:
    assert gpu_family(catalog.load().accelerator(card)) == family


# ---------------------------------------------------------------- the run


def test_a_run_adds_up() -> None:
    sizing = size(scenario(total_tokens=2_000_000_000))
    training = sizing.training
    assert training is not None
    gpus = sizing.scenario.hardware.gpus
    assert training.days == pytest.approx(2e9 / training.tokens_per_s_total / training.goodput / 86400)
    assert training.gpu_hours == pytest.approx(training.days * 24 * gpus)
    assert training.interval.low < training.tokens_per_s_gpu < training.interval.high
    assert training.overlap_range.low <= training.tokens_per_s_gpu
    assert training.tokens_per_s_gpu * gpus == pytest.approx(training.tokens_per_s_total)
    assert 0 < training.mfu < 0.8
    bubble_s = training.bubble_share * training.step_s
    parts = training.compute_s + bubble_s + training.exposed_communication_s + training.optimizer_s
    assert training.step_s == pytest.approx(parts)
    assert OVERLAP_RANGE[0] < OVERLAP_RANGE[1] < 1


def test_a_deadline_is_met_or_missed() -> None:
    easy, hard = (size(scenario(total_tokens=10**9, deadline_days=days)).training for days in (100.0, 0.001))
    assert easy is not None
    assert hard is not None
    assert easy.meets_deadline is True
    assert hard.meets_deadline is False


def test_more_gpus_lose_more_to_failures() -> None:
    small, large = scenario(nodes=1).hardware, scenario(nodes=512).hardware
    assert 0.5 < goodput(large, 70e9) < goodput(small, 70e9) < 1


def test_amdahl_and_efficiency_agree() -> None:
    share = serial_share(0.8, 8)
    assert 1 / (share + (1 - share) / 8) == pytest.approx(0.8 * 8)
    assert serial_share(1.0, 8) == 0
    assert serial_share(0.5, 1) == 0


@pytest.mark.parametrize(("field", "value"), [("overlap", 1.5), ("overlap", -0.1), ("virtual_stages", 0)])
def test_impossible_training_options_name_their_field(field: str, value: float) -> None:
    with pytest.raises(ScenarioError, match=rf"workload\.{field}"):
        size(scenario(**{field: value}))


@pytest.mark.parametrize("kind", ["lora", "qlora", "full-finetune"])
@pytest.mark.parametrize(
    "accelerator", ["rtx-5090", "rtx-pro-6000-server", "h100-sxm", "a100-sxm4-80gb", "b200-sxm", "mi300x"]
)
def test_nothing_trains_faster_than_the_card_computes(kind: str, accelerator: str) -> None:
    """MFU counts what the method needs: frozen weights need no gradient. QLoRA of a 7B on an RTX 5090 said 1.13."""
    scenario = build(
        "qwen2.5-7b", "bf16", accelerator, 1, kind=kind, software="tuned", recompute="none", loss="fused",
        sequence_length=2048, micro_batch=16, global_batch_tokens=2**19,
    )  # fmt: skip
    training = size(scenario).training
    assert training is not None
    assert 0.1 < training.mfu < 0.95


def test_adapters_leave_out_the_gradient_of_frozen_weights() -> None:
    full, adapters = (
        size(build("llama-3.1-8b", "bf16", "h100-sxm", 1, kind=kind, sequence_length=2048)).training
        for kind in ("full-finetune", "lora")
    )
    assert full is not None
    assert adapters is not None
    assert full.flops_per_token / 3 < adapters.flops_per_token < full.flops_per_token * 0.7


@pytest.mark.parametrize("framework", ["deepspeed", "fsdp2", "internevo"])
def test_parameters_that_were_stepped_arrive_when_nothing_is_left_to_hide_behind(framework: str) -> None:
    scenario = build("llama-3.1-8b", "bf16", "h100-sxm", 8, 4, kind="pretrain", sharding="zero1", framework=framework)
    hidden = replace(scenario, workload=replace(scenario.workload, overlap=1.0))
    tuned = replace(
        hidden, workload=replace(hidden.workload, framework="megatron", software=software_of(hidden.workload))
    )
    layout = Layout(dp=32)
    late, ahead = (step(one.model.architecture, one.hardware, one.workload, layout) for one in (hidden, tuned))
    assert 0.0 < late.sent_after_step < 1.0
    assert ahead.sent_after_step == 0.0
    # with everything hidden that can be, what comes after the step is still waited for
    assert late.exposed_s >= late.sent_after_step * late.dp_s > 0.0
    whole = replace(hidden, workload=replace(hidden.workload, sharding="zero3"))
    assert step(whole.model.architecture, whole.hardware, whole.workload, layout).sent_after_step == 0.0
