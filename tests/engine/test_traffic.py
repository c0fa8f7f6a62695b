"""The messages of a step, against what the parallelism papers say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import catalog
from engine.parameters import count_parameters
from engine.scenario import Layout
from engine.traffic import (
    Message,
    communication_s,
    decode_traffic,
    message_s,
    prefill_traffic,
    ranks_per_node,
    training_traffic,
)
from tests.engine.builds import build

LLAMA = catalog.load().model("llama-3.1-70b").architecture
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


@pytest.mark.parametrize(("sharding", "elements"), [("ddp", 1.0), ("zero1", 2.0), ("zero2", 2.0), ("zero3", 3.0)])
def test_data_parallel_volume_follows_zero(sharding: str, elements: float) -> None:
    parameters = count_parameters(LLAMA).total
    layout = Layout(dp=8)
    messages = training_traffic(LLAMA, layout, 4096, sharding=sharding, parameters=parameters)
    # an all-reduce counts once here and travels twice: ddp's psi is the 2 psi of the paper
    assert total(messages, "dp") == pytest.approx(elements * 2 * parameters, rel=1e-6)


def test_adapters_reduce_only_their_own_gradients() -> None:
    parameters = count_parameters(LLAMA).total
    full = training_traffic(LLAMA, Layout(dp=8), 4096, sharding="ddp", parameters=parameters)
    lora = training_traffic(
        LLAMA, Layout(dp=8), 4096, sharding="ddp", parameters=parameters, trainable_parameters=parameters / 100
    )
    assert total(lora, "dp") == pytest.approx(total(full, "dp") / 100)


def test_recomputation_repeats_the_forward_messages() -> None:
    def reduces(recompute: bool) -> int:
        messages = training_traffic(LLAMA, Layout(tp=8), 4096, micro_batches=4, parameters=1e9, recompute=recompute)
        return of(messages, "all_reduce")[0].count

    assert reduces(False) == 4 * 2 * 2 * 80
    assert reduces(True) == 4 * 3 * 2 * 80


def test_stages_split_the_layers() -> None:
    one = training_traffic(LLAMA, Layout(tp=8), 4096, parameters=1e9)
    four = training_traffic(LLAMA, Layout(tp=8, pp=4), 4096, micro_batches=8, parameters=1e9)
    assert of(four, "all_reduce")[0].count == of(one, "all_reduce")[0].count * 8 / 4
    assert of(four, "send_recv")[0].count == 2 * 8


@given(st.sampled_from([1, 2, 4, 8]), st.sampled_from([1, 2, 4]), st.sampled_from([1, 2, 4]), st.integers(1, 16))
def test_a_node_never_holds_more_of_a_group_than_it_has_gpus(tp: int, pp: int, dp: int, per_node: int) -> None:
    layout = Layout(tp=tp, pp=pp, dp=dp)
    for span, size in (("tp", tp), ("pp", pp), ("dp", dp)):
        for order in ("serving", "training"):
            within = ranks_per_node(layout, span, per_node, order)
            assert 1 <= within <= max(1, min(size, per_node))


def test_megatron_counts_data_parallelism_before_the_pipeline() -> None:
    layout = Layout(tp=4, pp=2, dp=2)
    assert ranks_per_node(layout, "pp", 8, "serving") == 2
    assert ranks_per_node(layout, "dp", 8, "serving") == 1
    assert ranks_per_node(layout, "pp", 8, "training") == 1
    assert ranks_per_node(layout, "dp", 8, "training") == 2


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
