"""The messages of a step, against what the parallelism papers say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import catalog
from engine.links.traffic import (
    Message,
    communication_s,
    decode_traffic,
    message_s,
    prefill_traffic,
)
from engine.model.architecture import Architecture, routed_width
from engine.model.parameters import count_parameters
from engine.scenario import Layout, Workload
from engine.training.traffic import training_traffic
from tests.engine.builds import build

LLAMA = catalog.load().model("llama-3.1-70b").architecture
MIXTRAL = catalog.load().model("mixtral-8x7b").architecture
DEEPSEEK = catalog.load().model("deepseek-v3").architecture


def of(messages: tuple[Message, ...], op: str) -> list[Message]:
    return [message for message in messages if message.op == op]


def test_tensor_parallel_decoding_reduces_twice_a_layer() -> None:
    reduce, gather = decode_traffic(LLAMA, Layout(tp=8), 32)
    assert (reduce.op, reduce.count, reduce.ranks, reduce.span) == ("all_reduce", 2 * 80 + 1, 8, "tp")
    assert reduce.payload_bytes == 32 * 8192 * 2
    assert (gather.op, gather.payload_bytes) == ("all_gather", 32 * 128256 * 2)


def test_a_replica_on_one_gpu_sends_nothing() -> None:
    assert decode_traffic(LLAMA, Layout(dp=8), 32) == ()
    assert prefill_traffic(LLAMA, Layout(), 8192) == ()


def test_pipeline_stages_pass_the_hidden_state_on() -> None:
    borders = of(decode_traffic(LLAMA, Layout(tp=8, pp=4), 16), "send_recv")
    assert [(m.count, m.payload_bytes, m.span) for m in borders] == [(3, 2 * 16 * 8192 * 2 / 8, "pp")]


def test_experts_inside_the_tensor_group_need_no_all_to_all() -> None:
    plain = decode_traffic(DEEPSEEK, Layout(tp=8), 16)
    assert decode_traffic(DEEPSEEK, Layout(tp=8, ep=8), 16) == plain
    assert not of(plain, "all_to_all")


@pytest.mark.parametrize("layout", [Layout(tp=8, ep=8, dp_attention=True), Layout(dp=8, ep=8, dp_attention=True)])
def test_data_parallel_attention_exchanges_tokens_with_experts(layout: Layout) -> None:
    (exchange,) = of(decode_traffic(DEEPSEEK, layout, 16), "all_to_all")
    assert exchange.count == 2 * 58
    assert exchange.ranks == 8
    assert exchange.payload_bytes == 16 * 7168 * 2 * 8 / layout.tp


def test_prefill_scales_with_tokens_but_gathers_logits_of_sequences_only() -> None:
    reduce, gather = prefill_traffic(LLAMA, Layout(tp=4), 4096, sequences=2)
    assert reduce.payload_bytes == 4096 * 8192 * 2
    assert gather.payload_bytes == 2 * 128256 * 2


def total(messages: tuple[Message, ...], span: str) -> float:
    return sum(message.total_bytes for message in messages if message.span == span)


def sent(layout: Layout, architecture: Architecture = LLAMA, per_node: int = 8, **change: Any) -> tuple[Message, ...]:
    """The messages of a step of one whole micro-batch on every replica, changed."""
    options: dict[str, Any] = {"kind": "pretrain", "micro_batch": 1, "gradient_accumulation": 1, **change}
    return training_traffic(architecture, Workload(**options), layout, per_node)


@pytest.mark.parametrize(("framework", "gradient_bytes"), [("deepspeed", 2), ("fsdp2", 4)])
@pytest.mark.parametrize(("sharding", "weights"), [("ddp", 0), ("zero1", 1), ("zero2", 1), ("zero3", 2)])
def test_data_parallel_volume_follows_zero(sharding: str, weights: int, framework: str, gradient_bytes: int) -> None:
    parameters = count_parameters(LLAMA).total
    messages = sent(Layout(dp=8), sharding=sharding, framework=framework)
    # gradients travel as they are summed, weights in 16 bits; an all-reduce counts once here and travels twice: ddp's psi is
    # the 2 psi of the paper
    assert total(messages, "dp") == pytest.approx((gradient_bytes + 2 * weights) * parameters, rel=1e-3)


def test_adapters_reduce_only_their_own_gradients() -> None:
    full, lora = (total(sent(Layout(dp=8), kind=kind, sharding="ddp"), "dp") for kind in ("pretrain", "lora"))
    assert lora < full / 100
    assert total(sent(Layout(dp=8), kind="lora", lora_rank=64, sharding="ddp"), "dp") == pytest.approx(4 * lora)


def test_only_sharded_gradients_are_reduced_in_every_micro_batch() -> None:
    def reduced(sharding: str, times: int) -> float:
        messages = sent(Layout(dp=8), sharding=sharding, gradient_accumulation=times)
        return sum(message.total_bytes for message in of(messages, "reduce_scatter"))

    assert reduced("zero1", 4) == reduced("zero1", 1)
    for sharding in ("zero2", "zero3"):
        assert reduced(sharding, 4) == pytest.approx(4 * reduced(sharding, 1))


def test_recomputation_repeats_the_forward_messages() -> None:
    def reduces(recompute: str, framework: str) -> float:
        asked: dict[str, Any] = {"gradient_accumulation": 4, "recompute": recompute, "framework": framework}
        return of(sent(Layout(tp=8), **asked), "all_reduce")[0].count

    for framework in ("fsdp2", "megatron"):
        assert reduces("none", framework) == 4 * 2 * 2 * 80
    assert reduces("full", "megatron") == 4 * 3 * 2 * 80
    # PyTorch's checkpoint stops before the last product of a layer, whose sum no backward pass reads
    assert reduces("full", "fsdp2") == 4 * (3 * 2 - 1) * 80


def test_stages_split_the_layers() -> None:
    one, four = sent(Layout(tp=8)), sent(Layout(tp=8, pp=4), gradient_accumulation=8)
    assert of(four, "all_reduce")[0].count == of(one, "all_reduce")[0].count * 8 / 4
    assert of(four, "send_recv")[0].count == 2 * 8
    chunked = sent(Layout(tp=8, pp=4), pipeline_schedule="interleaved", virtual_stages=5)
    assert of(chunked, "send_recv")[0].count == 2 * 5


def test_experts_of_other_ranks_are_sent_tokens_and_share_nothing_else() -> None:
    alone, spread = sent(Layout(dp=8), MIXTRAL), sent(Layout(dp=8, ep=8), MIXTRAL)
    (exchange,) = of(spread, "all_to_all")
    assert (exchange.count, exchange.ranks) == (2 * 32 * 3, 8)
    assert exchange.payload_bytes == 4096 * 4096 * 2 * 2
    assert not of(alone, "all_to_all")
    experts = sum(t.elements for layer in MIXTRAL.layers for t in layer.tensors if t.part == "routed_expert")
    assert total(alone, "dp") - total(spread, "dp") == pytest.approx((2 * 2 + 4) * experts, rel=1e-6)


def test_copies_of_an_expert_lie_as_far_apart_as_its_group_is_wide() -> None:
    messages = sent(Layout(dp=32, ep=8), MIXTRAL)
    assert {(m.ranks, m.within(8)) for m in of(messages, "all_gather")} == {(32, 8), (4, 1)}


def test_ranks_of_a_sequence_gather_keys_and_values() -> None:
    (gather,) = [m for m in sent(Layout(dp=8), context_parallel=4) if m.span == "cp"]
    assert (gather.op, gather.ranks, gather.count) == ("all_gather", 4, 3 * 80)
    assert gather.payload_bytes == 4096 * 2 * 8 * 128 * 2


def test_a_hybrid_group_gathers_inside_and_sums_its_shards_across() -> None:
    everywhere, hybrid = sent(Layout(dp=32)), sent(Layout(dp=32), sharding_group="node")
    assert {m.ranks for m in everywhere} == {32}
    (across,) = of(hybrid, "all_reduce")
    assert (across.ranks, across.within(8)) == (4, 1)
    assert across.payload_bytes == pytest.approx(4 * count_parameters(LLAMA).total / 8, rel=1e-3)
    assert {(m.ranks, m.within(8)) for m in of(hybrid, "all_gather")} == {(8, 8)}


@pytest.mark.parametrize("sharding", ["zero1", "zero2"])
def test_states_sharded_inside_a_node_gather_inside_and_sum_across(sharding: str) -> None:
    hybrid = sent(Layout(dp=32), sharding=sharding, sharding_group="node", framework="deepspeed")
    parameters = 2 * count_parameters(LLAMA).total
    kinds = [(m.op, m.ranks, m.within(8)) for m in hybrid]
    assert kinds == [("all_reduce", 4, 1), ("reduce_scatter", 8, 8), ("all_gather", 8, 8)]
    assert [m.total_bytes / parameters for m in hybrid] == pytest.approx([1 / 8, 1, 1], rel=1e-3)


def test_pytorch_sends_the_parameters_that_each_rank_stepped_by_themselves() -> None:
    flat, turns = (sent(Layout(dp=64), sharding="zero1", framework=name) for name in ("deepspeed", "fsdp2"))
    (once,), (each,) = of(flat, "all_gather"), of(turns, "all_gather")
    assert (once.count, each.count) == (1, 64)
    assert once.total_bytes == pytest.approx(each.total_bytes, rel=1e-9)


def test_latent_experts_are_sent_the_latent() -> None:
    model = catalog.load().model("nemotron-3-super-120b-a12b").architecture
    assert (routed_width(model), model.hidden_size) == (1024, 4096)
    (exchange,) = of(sent(Layout(dp=8, ep=8), model, sequence_length=1000), "all_to_all")
    assert exchange.payload_bytes == 1000 * 1024 * 2 * model.experts_per_token
    (served,) = of(prefill_traffic(model, Layout(tp=8, ep=8, dp_attention=True), 1000), "all_to_all")
    assert served.payload_bytes == 1000 * 1024 * 2 * model.experts_per_token / 8


@given(st.sampled_from([1, 2, 4, 8]), st.sampled_from([1, 2, 4]), st.sampled_from([1, 2, 4]), st.integers(1, 16))
def test_a_node_never_holds_more_of_a_group_than_it_has_gpus(tp: int, pp: int, dp: int, per_node: int) -> None:
    layout = Layout(tp=tp, pp=pp, dp=dp)
    messages = (*sent(layout, per_node=per_node), *decode_traffic(LLAMA, layout, 16))
    for message in messages:
        assert 1 <= message.within(per_node) <= min(message.ranks, per_node)


def test_megatron_counts_data_parallelism_before_the_pipeline() -> None:
    layout = Layout(tp=4, pp=2, dp=2)
    (serving,) = of(decode_traffic(LLAMA, layout, 16), "send_recv")
    messages = sent(layout)
    assert serving.within(8) == 2
    assert of(messages, "send_recv")[0].within(8) == 1
    assert {m.within(8) for m in messages if m.span == "dp"} == {2}


def test_a_pipeline_across_nodes_beats_a_tensor_group_across_nodes() -> None:
    hardware = build(accelerator="h100-sxm", nodes=2).hardware
    pipeline, tensor = Layout(tp=8, pp=2), Layout(tp=16)
    inside = communication_s(decode_traffic(LLAMA, pipeline, 16), pipeline, hardware, in_engine=True)
    across = communication_s(decode_traffic(LLAMA, tensor, 32), tensor, hardware, in_engine=True)
    assert inside < 0.5 * across


def test_without_peer_access_messages_are_staged() -> None:
    geforce = build(accelerator="rtx-5090").hardware
    layout = Layout(tp=8)
    reduce = decode_traffic(LLAMA, layout, 32)[0]
    direct = catalog.load().link("pcie5-switch")
    pro = build(accelerator="rtx-pro-6000-server").hardware
    assert message_s(reduce, layout, geforce, intra=direct) > 1.5 * message_s(reduce, layout, pro, intra=direct)
