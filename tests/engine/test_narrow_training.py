"""Products in fewer bits, states on the CPU, fused losses of large vocabularies, tensor parallelism that nothing hides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.decide.plan import plan
from engine.decide.size import size
from engine.scenario import Layout, LayoutChoice
from engine.sizing import Memory
from engine.training.memory.elements import stage_elements
from engine.training.step import Step, step
from tests.engine.builds import build

TOKENS = 2 * 8192
LLAMA = build("llama-3.1-8b").model.architecture
(WHOLE,) = stage_elements(LLAMA, 1, 1, 1)


def needs(framework: str, dtype: str, recompute: str = "none", **keys: Any) -> int:
    """Bytes that a step of an 8B on eight cards needs, in replicas."""
    work = {
        "kind": "pretrain",
        "micro_batch": 2,
        "sequence_length": 8192,
        "loss": "fused",
        "optimizer_fused": True,
        **keys,
    }
    pinned = LayoutChoice(tp=1, pp=1, dp=8)
    return plan(
        build(
            "llama-3.1-8b",
            "bf16",
            "b300-sxm",
            8,
            layout=pinned,
            framework=framework,
            compute_dtype=dtype,
            recompute=recompute,
            **work,
        )
    ).memory.peak_bytes


@pytest.mark.parametrize(("dtype", "bytes_each"), [("fp8", 1.0), ("nvfp4", 0.5625)])
def test_transformer_engine_keeps_inputs_in_the_bits_that_it_multiplies(dtype: str, bytes_each: float) -> None:
    saved = needs("nemo", "bf16", sharding="zero1") - needs("nemo", dtype, sharding="zero1")
    # both norms' outputs and the inner product of the feed-forward shrink; attention reads its output in 16 bits, so that one is beside
    inputs = 2 * LLAMA.hidden_size + LLAMA.intermediate_size
    layers = len(LLAMA.layers)
    expected = TOKENS * layers * ((2.0 - bytes_each) * inputs - bytes_each * LLAMA.heads * LLAMA.head_dim)
    assert saved == pytest.approx(expected, rel=0.1)


def test_quantized_weights_stand_beside_wide_ones_unless_they_are_gathered_so() -> None:
    # under full recomputation hardly an input is kept: what is left are the weights and their transposes
    wide, narrow = (needs("megatron", one, "full", sharding="zero1") for one in ("bf16", "fp8"))
    assert narrow - wide == pytest.approx(2.0 * WHOLE.linear, rel=0.1)
    wide, narrow = (needs("nemo", one, "full", sharding="zero1") for one in ("bf16", "fp8"))
    assert abs(narrow - wide) < 0.1 * WHOLE.linear


@pytest.mark.parametrize("framework", ["torchtitan", "fsdp2", "deepspeed"])
def test_float8_of_pytorch_keeps_16_bit_inputs(framework: str) -> None:
    assert needs(framework, "bf16", sharding="zero3") == needs(framework, "fp8", sharding="zero3")


# ---------------------------------------------------------------- states on the host


def stepped(framework: str, gpus: int, nodes: int = 1, card: str = "h100-sxm", **keys: Any) -> Step:
    work = {"kind": "full-finetune", "sharding": "zero3", "global_batch_tokens": 2**19, **keys}
    made = build("llama-3.1-70b", "bf16", card, gpus, nodes, framework=framework, **work)
    return step(made.model.architecture, made.hardware, made.workload, Layout(dp=gpus * nodes))


def test_a_cpu_that_steps_is_bound_by_its_memory_whatever_the_cards() -> None:
    # 70.6B parameters of 28 bytes over the peak of two sockets are 3.2 s at least
    two, eight = (stepped("deepspeed", gpus, offload="optimizer").tail_s for gpus in (2, 8))
    assert eight >= 70.6e9 * 28 / 614e9
    assert two == pytest.approx(eight, rel=0.01) or two > eight
    assert stepped("deepspeed", 8, 4, offload="optimizer").tail_s == pytest.approx(eight / 4, rel=0.01)


def test_ten_billion_parameters_take_the_cpu_as_long_as_measured() -> None:
    # ZeRO-Offload, arXiv 2101.06840: 2.57 s on a host of 256 GB/s; a host of 614 has 2.4 times that
    assert stepped("deepspeed", 8, offload="optimizer").tail_s * 10e9 / 70.6e9 == pytest.approx(
        2.57 * 256 / 614, rel=0.03
    )


def test_parameters_on_the_host_cross_the_link_in_every_micro_batch() -> None:
    few, many = (stepped("deepspeed", 8, offload="parameters", gradient_accumulation=count) for count in (2, 16))
    states = stepped("deepspeed", 8, offload="optimizer")
    assert many.tail_s - few.tail_s == pytest.approx(7 * (few.tail_s - states.tail_s), rel=0.01)
    # forward and backward read a rank's shard, its gradients go out and are added to
    least = 14 * 70.6e9 / 8 * (2 * 2 + 4) / 64e9
    assert 0.2 * least < many.tail_s - few.tail_s < least


# ---------------------------------------------------------------- fused losses, uncompiled TP

VOCABULARIES = {"qwen2.5-7b": 152_064, "llama-3.1-8b": 128_256, "gemma-3-12b": 262_208}


@pytest.mark.parametrize("model", VOCABULARIES)
def test_a_fused_loss_never_holds_the_logits(model: str) -> None:
    def run(loss: str, tokens: int) -> Memory:
        keys: dict[str, Any] = {
            "kind": "lora",
            "loss": loss,
            "micro_batch": 1,
            "sequence_length": tokens,
            "recompute": "full",
        }
        return size(build(model, "bf16", "h100-sxm", 1, framework="hf-trainer", **keys)).memory

    # eager ones are held in fp32 more than once: what a token adds falls by more than a copy and a half
    long, short = ({loss: run(loss, tokens) for loss in ("eager", "fused")} for tokens in (16_384, 8_192))
    eager, fused = ((long[one].peak_bytes - short[one].peak_bytes) / 8_192 for one in ("eager", "fused"))
    assert eager - fused > 1.5 * 4.0 * VOCABULARIES[model]
    phases = [made.training.phase for made in long.values() if made.training is not None]
    assert phases[0] == "the loss" != phases[1]


def test_tensor_parallelism_that_nothing_compiles_hides_nothing() -> None:
    def run(software: str, tp: int) -> Step:
        made = build(
            "llama-3.1-8b",
            "bf16",
            "h100-sxm",
            8,
            kind="pretrain",
            framework="fsdp2",
            software=software,
            sequence_length=8192,
        )
        made = replace(made, workload=replace(made.workload, micro_batch=1, gradient_accumulation=4))
        return step(made.model.architecture, made.hardware, made.workload, Layout(tp=tp, dp=8 // tp))

    for software, least in (("tuned", 0.1), ("standard", 0.9), ("eager", 0.9)):
        made = run(software, 8)
        shown = made.exposed_s / (made.tp_each_s * made.micro_batches)
        assert (shown > 0.9) == (least > 0.5), software
    slower = {one: run(one, 1).tokens_per_s / run(one, 8).tokens_per_s for one in ("tuned", "eager")}
    assert slower["eager"] > slower["tuned"] > 1.0


def test_samples_that_are_padded_say_that_no_figure_counts_it() -> None:
    def ids(**keys: Any) -> set[str]:
        return {one.id for one in size(build("llama-3.1-8b", "bf16", "h100-sxm", 1, kind="lora", **keys)).warnings}

    assert "padding" in ids(packing=False)
    assert "padding" not in ids()
