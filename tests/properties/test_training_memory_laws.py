"""What a training step holds on each GPU, against sums by hand over a model's published widths."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from engine.decide.size import size
from engine.scenario import LayoutChoice, Scenario
from engine.sizing import MemoryGroup
from tests.engine.builds import build

# Llama 3.1 70B, from its config.json
HIDDEN, LAYERS, HEADS, KV_HEADS, HEAD, INNER, VOCAB = 8192, 80, 64, 8, 128, 28672, 128256
QUERY, KEYS = HEADS * HEAD, KV_HEADS * HEAD
LAYER_WEIGHTS = HIDDEN * QUERY * 2 + HIDDEN * KEYS * 2 + 3 * HIDDEN * INNER
NORMS = 2 * HIDDEN
TABLE = VOCAB * HIDDEN
SEQUENCE = 4096


def pretrain(pp: int = 4, nodes: int = 4, **workload: Any) -> Scenario:
    """A 70B pre-trained by Megatron with TP 8 and pipeline stages over H100 nodes."""
    chosen: dict[str, Any] = {
        "kind": "pretrain",
        "sequence_length": SEQUENCE,
        "global_batch_tokens": SEQUENCE * 64,
        "recompute": "full",
        "sharding": "zero1",
        "framework": "megatron",
        "software": "tuned",
    }
    layout = LayoutChoice(tp=8, pp=pp)
    return build("llama-3.1-70b", "bf16", "h100-sxm", 8, nodes, layout, **chosen | workload)


def stages(scenario: Scenario) -> list[MemoryGroup]:
    """The groups of a sizing in the order of the pipeline."""
    return sorted(size(scenario).memory.per_gpu, key=lambda group: int(group.rank_group.split()[1]))


def kept_each(scenario: Scenario) -> float:
    """Bytes that one micro-batch leaves behind on a middle stage, for each token and layer."""
    _, second, third, _ = stages(scenario)
    held = second.activation_bytes - third.activation_bytes
    return held / (scenario.workload.micro_batch * SEQUENCE) / (LAYERS // 4)


def test_a_stage_of_1f1b_holds_as_many_micro_batches_as_stages_follow() -> None:
    # stage s of p, from 0, has p - s micro-batches on the way: each stage holds one less than the one before it
    first, second, third, _ = stages(pretrain())
    micro_batch = 2 * HIDDEN / 8 * (LAYERS / 4) * SEQUENCE  # a 16-bit hidden state a layer, split by TP
    assert first.activation_bytes - second.activation_bytes == micro_batch
    assert second.activation_bytes - third.activation_bytes == micro_batch


@pytest.mark.parametrize("pp", [2, 4, 8, 16])
def test_all_stages_together_hold_what_1f1b_has_on_the_way(pp: int) -> None:
    groups = stages(pretrain(pp, nodes=pp))
    middle = groups[1:-1]
    micro_batch = 2 * HIDDEN // 8 * (LAYERS // pp) * SEQUENCE
    steps = [one.activation_bytes - two.activation_bytes for one, two in pairwise(middle)]
    assert steps == [micro_batch] * max(0, len(middle) - 1)


def test_full_recomputation_keeps_the_hidden_state_of_each_layer() -> None:
    assert kept_each(pretrain()) == 2 * HIDDEN / 8


def test_selective_recomputation_keeps_hidden_states_and_every_second_product() -> None:
    # the layer's input and the one of its feed-forward, attention's output, half of Q, K, V and of gate and up
    hand = 2 * HIDDEN + 2 * HIDDEN + 2 * QUERY + (QUERY + 2 * KEYS) + 2 * INNER
    assert kept_each(pretrain(recompute="selective", framework="fsdp2")) == hand / 8


def test_no_recomputation_keeps_more_than_selective_and_that_more_than_full() -> None:
    kept = [kept_each(pretrain(recompute=how, framework="fsdp2")) for how in ("full", "selective", "none")]
    assert kept[0] < 0.2 * kept[1] < 0.1 * kept[2]


@pytest.mark.parametrize("recompute", ["full", "selective", "none"])
@pytest.mark.parametrize("twice", ["micro_batch", "sequence_length"])
def test_twice_the_tokens_of_a_micro_batch_keep_twice_the_activations(recompute: str, twice: str) -> None:
    one = pretrain(recompute=recompute)
    two = replace(one, workload=replace(one.workload, **{twice: 2 * getattr(one.workload, twice)}))

    def kept(scenario: Scenario) -> int:
        _, second, third, _ = stages(scenario)
        return second.activation_bytes - third.activation_bytes

    assert kept(two) == pytest.approx(2 * kept(one), abs=2)


def test_weights_of_a_stage_are_its_layers_and_its_ends() -> None:
    first, second, third, last = stages(pretrain())
    body = LAYERS // 4 * (LAYER_WEIGHTS / 8 + NORMS)
    assert second.weights_bytes == third.weights_bytes == 2 * body
    assert first.weights_bytes == 2 * (body + TABLE / 8)
    assert last.weights_bytes == 2 * (body + TABLE / 8 + HIDDEN)


def full(sharding: str, dp: int, **workload: Any) -> Scenario:
    """An 8B trained whole by plain data parallelism or ZeRO over dp H200."""
    chosen: dict[str, Any] = {"kind": "full-finetune", "sharding": sharding, "global_batch_tokens": SEQUENCE * 64}
    return build("llama-3.1-8b", "bf16", "h200-sxm", dp, 1, LayoutChoice(dp=dp), **chosen | workload)


EIGHT = 8_030_261_248  # parameters of Llama 3.1 8B


@pytest.mark.parametrize(
    ("sharding", "weights", "gradients", "states"),
    [("zero1", 1, 1, 8), ("zero2", 1, 8, 8), ("zero3", 8, 8, 8)],
)
def test_each_zero_stage_splits_one_state_more(sharding: str, weights: int, gradients: int, states: int) -> None:
    # mixed precision (ZeRO, section 3.1): 2 bytes of weight, 2 of gradient, 12 of states; DeepSpeed keeps it so
    memory = size(full(sharding, 8, framework="deepspeed")).memory
    assert memory.training is not None
    last = next(phase for phase in memory.training.phases if phase.name == "the optimizer step")
    assert last.weights_bytes == pytest.approx(2 * EIGHT / weights, abs=8)
    assert last.gradient_bytes == pytest.approx(2 * EIGHT / gradients, abs=8)
    assert last.optimizer_bytes == pytest.approx(12 * EIGHT / states, abs=8)


def test_plain_data_parallelism_splits_nothing() -> None:
    # FSDP's type of parameters, fp32: 4 + 4 + 8 bytes, on one rank as on eight
    one, eight = (size(full("ddp", dp)).memory.worst for dp in (1, 8))
    for name in ("weights_bytes", "optimizer_bytes"):
        assert getattr(one, name) == getattr(eight, name)
    assert one.weights_bytes == 4 * EIGHT
    assert one.optimizer_bytes == 8 * EIGHT


def test_offloaded_states_move_to_the_host_to_the_last_byte() -> None:
    here, there = (size(full("zero1", 8, framework="deepspeed", offload=offload)) for offload in ("none", "optimizer"))
    assert there.memory.worst.optimizer_bytes == 0
    moved = here.memory.worst.optimizer_bytes * 8  # every rank of the node
    # with the buffers that DeepSpeed pins for them: its own estimate takes half as much again
    assert there.memory.host_bytes - here.memory.host_bytes == pytest.approx(1.5 * moved, abs=64)


def test_checkpoints_in_host_memory_are_those_that_left_the_card() -> None:
    there = size(full("zero3", 8, activation_offload=True))
    assert there.memory.host_bytes == 8 * 2 * 4096 * 32 * SEQUENCE  # ranks x 16 bits x hidden x layers x tokens


def test_hybrid_sharding_splits_over_a_node_only() -> None:
    two = build("llama-3.1-8b", "bf16", "h200-sxm", 8, 2, LayoutChoice(dp=16), kind="full-finetune")
    inside = replace(two, workload=replace(two.workload, sharding_group="node"))
    whole, hybrid = (size(one).memory.worst for one in (two, inside))
    assert hybrid.optimizer_bytes == pytest.approx(2 * whole.optimizer_bytes, abs=16)


def adapters(**workload: Any) -> Any:
    """Adapters of an 8B on one H200."""
    chosen: dict[str, Any] = {"kind": "lora", "global_batch_tokens": SEQUENCE * 8}
    return size(build("llama-3.1-8b", "bf16", "h200-sxm", 1, **chosen | workload)).memory


def test_adapters_take_their_inputs_and_outputs_times_the_rank() -> None:
    # Llama 3.1 8B: hidden 4096, keys 1024, inner 14336; q and o, k and v, gate, up and down
    widths = {
        "attention-qv": (4096 + 4096) + (4096 + 1024),
        "attention": 2 * (4096 + 4096) + 2 * (4096 + 1024),
        "mlp": 3 * (4096 + 14336),
        "all-linear": 2 * (4096 + 4096) + 2 * (4096 + 1024) + 3 * (4096 + 14336),
    }
    for targets, width in widths.items():
        memory = adapters(lora_targets=targets, lora_rank=24)
        assert memory.training.trainable_parameters == 32 * 24 * width
    assert memory.worst.weights_bytes == 2 * EIGHT + 4 * 32 * 24 * widths["all-linear"]
    assert memory.worst.optimizer_bytes == 8 * 32 * 24 * widths["all-linear"]


@pytest.mark.parametrize(("form", "bits"), [("nf4", 4.5), ("nf4-double", 4 + 8 / 64 + 32 / (64 * 256)), ("int8", 8)])
def test_a_quantized_base_takes_its_bits(form: str, bits: float) -> None:
    # QLoRA, section 3: one fp32 scale for 64 weights; quantized again, 8 bits for 64 and fp32 for 256 of those
    linear = 32 * (2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14336)
    rest = EIGHT - linear
    memory = adapters(kind="qlora", base_format=form, lora_rank=1, residual_precision="bf16")
    trained = memory.training.trainable_parameters
    assert memory.worst.weights_bytes == pytest.approx(linear * bits / 8 + 2 * rest + 4 * trained, rel=2e-3)


def test_experts_are_spread_over_their_ranks() -> None:
    # Mixtral 8x7B: eight experts of 3 x 4096 x 14336 in each of 32 layers; EP 8 leaves one of them on a rank
    def weights(ep: int) -> int:
        work: dict[str, Any] = {"kind": "pretrain", "sharding": "zero1", "framework": "megatron"}
        scenario = build("mixtral-8x7b", "bf16", "h200-sxm", 8, 1, LayoutChoice(tp=1, pp=1, ep=ep), **work)
        return size(scenario).memory.worst.weights_bytes

    assert weights(1) - weights(8) == 2 * 32 * 7 * 3 * 4096 * 14336
    assert weights(4) - weights(8) == 2 * 32 * 1 * 3 * 4096 * 14336


def test_context_parallelism_splits_the_activations_of_a_sequence() -> None:
    def activations(ranks: int) -> int:
        work: dict[str, Any] = {"sequence_length": 65536, "global_batch_tokens": 65536 * 8, "recompute": "full"}
        scenario = build("llama-3.1-8b", "bf16", "h200-sxm", 8, 1, LayoutChoice(dp=8), kind="pretrain", **work)
        memory = size(replace(scenario, workload=replace(scenario.workload, context_parallel=ranks))).memory
        assert memory.training is not None
        phase = next(phase for phase in memory.training.phases if phase.name == "the first backward layer")
        return phase.activation_bytes

    one, two, four = (activations(ranks) for ranks in (1, 2, 4))
    assert one - two == pytest.approx(2 * (two - four), rel=1e-6)
