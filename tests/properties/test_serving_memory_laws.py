"""What a serving engine holds on each GPU, against sums by hand over a model's published widths."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.decide.size import size
from engine.scenario import LayoutChoice, Runtime, Scenario
from engine.sizing import MemoryGroup
from tests.engine.builds import build

BLOCK = 16


def worst(scenario: Scenario) -> MemoryGroup:
    """The fullest group of a sizing."""
    return size(scenario).memory.worst


def serve(
    model: str, weights: str, card: str = "h100-sxm", gpus: int = 8, layout: LayoutChoice | None = None, **load: Any
) -> Scenario:
    """A serving scenario; load keys as in a session file, kv_cache among them."""
    kv_cache = load.pop("kv_cache", "bf16")
    scenario = build(model, weights, card, gpus, 1, layout, **load)
    return replace(scenario, model=replace(scenario.model, kv_cache=kv_cache))


def with_engine(scenario: Scenario, **settings: Any) -> Scenario:
    """The same with other engine settings."""
    return replace(scenario, runtime=replace(scenario.runtime, **settings))


def up(tokens: int, block: int = BLOCK) -> int:
    """Tokens in whole blocks."""
    return -(-tokens // block) * block


@pytest.mark.parametrize(("tp", "heads"), [(1, 8), (2, 4), (4, 2), (8, 1)])
@pytest.mark.parametrize(("kv_cache", "element"), [("bf16", 2), ("fp8", 1)])
def test_keys_and_values_of_the_heads_on_a_rank(tp: int, heads: int, kv_cache: str, element: int) -> None:
    # Llama 3.1 8B: 32 layers, 8 KV heads of 128; 1,001 tokens take 63 blocks of 16
    load = {"concurrency": 12, "input_tokens": 901, "output_tokens": 100, "kv_cache": kv_cache}
    scenario = serve("llama-3.1-8b", "bf16", "h100-sxm", tp, LayoutChoice(tp=tp), **load)
    assert worst(scenario).kv_bytes == 12 * up(1001) * 32 * 2 * heads * 128 * element


def test_keys_and_values_are_repeated_where_ranks_outnumber_heads() -> None:
    # Qwen3 30B has 4 KV heads: at TP 8 every rank still holds one
    load = {"concurrency": 16, "input_tokens": 3000, "output_tokens": 200}
    four, eight = (worst(serve("qwen3-30b-a3b", "bf16", "h100-sxm", tp, LayoutChoice(tp=tp), **load)) for tp in (4, 8))
    assert four.kv_bytes == eight.kv_bytes == 16 * up(3200) * 48 * 2 * 1 * 128 * 2


def test_replicas_share_the_users() -> None:
    load = {"concurrency": 30, "input_tokens": 700, "output_tokens": 100}
    scenario = serve("llama-3.1-8b", "bf16", "h100-sxm", 8, LayoutChoice(tp=1), **load)
    assert worst(scenario).kv_bytes == 4 * up(800) * 131072  # 30 users over 8 replicas: 4 on the fullest


def test_a_latent_cache_is_whole_on_every_rank() -> None:
    # DeepSeek V3: 61 layers of 512 + 64 values, blocks of 64 tokens
    load = {"concurrency": 8, "input_tokens": 3000, "output_tokens": 500}
    for tp in (8, 16):
        scenario = build("deepseek-v3", "fp8", "h200-sxm", 8, tp // 8, LayoutChoice(tp=tp, pp=1), **load)
        assert worst(scenario).kv_bytes == 8 * up(3500, 64) * 61 * 576 * 2


def test_latents_under_data_parallel_attention_are_split_by_users() -> None:
    load = {"concurrency": 64, "input_tokens": 3000, "output_tokens": 500}
    layout = LayoutChoice(tp=1, pp=1, dp=8, ep=8, dp_attention=True)
    scenario = build("deepseek-v3", "fp8", "h200-sxm", 8, 1, layout, **load)
    assert worst(scenario).kv_bytes == 8 * up(3500, 64) * 61 * 576 * 2


@pytest.mark.parametrize("twice", ["concurrency", "tokens"])
def test_twice_the_load_needs_twice_the_cache(twice: str) -> None:
    one = serve("llama-3.1-70b", "fp8", concurrency=10, input_tokens=1600, output_tokens=320)
    more = replace(one.workload, concurrency=20)
    if twice == "tokens":
        more = replace(one.workload, input_tokens=3200, output_tokens=640)
    two = size(replace(one, workload=more)).memory
    once = size(one).memory
    assert two.kv_needed_tokens == 2 * once.kv_needed_tokens
    if once.per_gpu[0].gpus == two.per_gpu[0].gpus == 8:
        assert two.worst.kv_bytes == 2 * once.worst.kv_bytes


def test_a_window_keeps_its_tokens_and_a_block_that_it_starts_in() -> None:
    # Mistral 7B v0.1: every layer a window of 4,096. Past it a user holds (4,096 - 1) tokens in blocks, and one more
    # block where the window starts in the middle of one; of the prompts in one step's prefill 8,192 tokens come on top.
    users, block_bytes = 10, BLOCK * 32 * 2 * 8 * 128 * 2
    load: dict[str, Any] = {"concurrency": users, "input_tokens": 20000, "output_tokens": 1000}
    held = worst(serve("mistral-7b-v0.1", "bf16", "h100-sxm", 1, **load)).kv_bytes
    assert held == (users * (up(4096 - 1) // BLOCK + 1) + 8192 // BLOCK) * block_bytes


def test_a_chunk_of_prefill_comes_on_top_of_windows_once() -> None:
    load: dict[str, Any] = {"concurrency": 10, "input_tokens": 20000, "output_tokens": 1000}
    scenario = serve("mistral-7b-v0.1", "bf16", "h100-sxm", 1, **load)
    some, more = (worst(with_engine(scenario, max_num_batched_tokens=n)).kv_bytes for n in (4096, 8192))
    assert more - some == 4096 * 32 * 2 * 8 * 128 * 2


def test_layers_of_two_kinds_stop_growing_where_their_window_ends() -> None:
    # Gemma 3 27B: of 62 layers 10 see everything, with 16 KV heads of 128; past the window only those grow
    load = {"concurrency": 6, "output_tokens": 1024}
    at = [
        worst(serve("gemma-3-27b", "bf16", "h100-sxm", 2, LayoutChoice(tp=2), input_tokens=tokens, **load)).kv_bytes
        for tokens in (15 * 1024, 31 * 1024, 63 * 1024)
    ]
    each = 10 * 2 * 16 // 2 * 128 * 2
    assert [at[1] - at[0], at[2] - at[1]] == [6 * 16 * 1024 * each, 6 * 32 * 1024 * each]


def test_a_recurrent_state_is_one_a_user_whatever_the_length() -> None:
    # Codestral Mamba has no attention: its cache does not know the length
    load: dict[str, Any] = {"concurrency": 16, "output_tokens": 500}
    short, long = (
        worst(serve("mamba-codestral-7b", "bf16", "h100-sxm", 1, input_tokens=tokens, **load)).kv_bytes
        for tokens in (1000, 100_000)
    )
    assert short == long
    twice = serve("mamba-codestral-7b", "bf16", "h100-sxm", 1, input_tokens=1000, **(load | {"concurrency": 32}))
    assert worst(twice).kv_bytes == 2 * short


def test_capacity_is_the_room_in_whole_blocks_of_the_poorest_stage() -> None:
    memory = size(serve("llama-3.1-70b", "fp8", "h100-sxm", 8, LayoutChoice(tp=4, pp=2))).memory
    each = 80 // 2 * 2 * 2 * 128 * 2  # 40 layers of a stage, 2 KV heads on a rank
    rooms = [group.kv_capacity_bytes // (BLOCK * each) * BLOCK for group in memory.per_gpu]
    assert memory.kv_capacity_tokens == min(rooms)
    assert memory.max_concurrency == pytest.approx(min(rooms) / up(8000))


def test_every_group_fills_the_card_to_the_last_byte() -> None:
    for layout in (LayoutChoice(tp=8), LayoutChoice(tp=2, pp=4), LayoutChoice(tp=4, pp=2)):
        for group in size(serve("llama-3.1-70b", "fp8", layout=layout)).memory.per_gpu:
            parts = (group.weights_bytes, group.kv_bytes, group.activation_bytes, group.runtime_bytes)
            assert sum(parts) + group.free_bytes == group.total_bytes == 81559 * 2**20
            assert group.kv_capacity_bytes == group.usable_bytes - sum(parts) + group.kv_bytes


def test_a_rotary_table_holds_each_position_once() -> None:
    scenario = serve("llama-3.1-8b", "bf16", gpus=1, concurrency=1, input_tokens=1000, output_tokens=100)
    architecture = scenario.model.architecture
    half = replace(architecture, max_position=architecture.max_position // 2)
    shorter = replace(scenario, model=replace(scenario.model, architecture=half))
    # 131,072 positions of 128 widths (cosine and sine of 64) in 16 bits, whatever the TP
    assert worst(scenario).weights_bytes - worst(shorter).weights_bytes == 65536 * 128 * 2
    assert worst(scenario).weights_bytes == 2 * 8_030_261_248 + 131072 * 128 * 2


def test_a_rotary_table_of_latent_attention_is_as_wide_as_its_rotary_part() -> None:
    scenario = build("deepseek-v3", "fp8", "h200-sxm", 8, 1, LayoutChoice(tp=8), concurrency=1)
    architecture = scenario.model.architecture
    half = replace(architecture, max_position=architecture.max_position // 2)
    shorter = replace(scenario, model=replace(scenario.model, architecture=half))
    assert worst(scenario).weights_bytes - worst(shorter).weights_bytes == architecture.max_position // 2 * 64 * 2


def activations(scenario: Scenario, **settings: Any) -> int:
    """Bytes of the engine's profile run."""
    return worst(with_engine(scenario, **settings)).activation_bytes


def test_a_workspace_of_latent_attention_holds_64k_tokens_of_keys_and_values() -> None:
    # what does not grow with the batch: 65,536 tokens x 128 heads / TP x (128 + 128) x 2 bytes
    for tp in (4, 8):
        scenario = build("deepseek-v3", "int4", "b300-sxm", 8, 1, LayoutChoice(tp=tp, pp=1), concurrency=1)
        one, two = (activations(scenario, max_num_batched_tokens=n, max_num_seqs=8) for n in (8192, 16384))
        assert 2 * one - two == pytest.approx(65536 * 128 / tp * 256 * 2, abs=4)


def test_a_layer_buffers_the_products_of_its_feed_forward() -> None:
    # Llama 3.1 8B at TP n: gate, up and their product of 14,336 / n widths, 16-bit, beside hidden states that TP keeps
    def body(tp: int) -> int:
        scenario = serve("llama-3.1-8b", "bf16", "h100-sxm", tp, LayoutChoice(tp=tp), concurrency=1)
        return activations(scenario, max_num_batched_tokens=16384, max_num_seqs=8)

    assert body(1) - body(2) == pytest.approx(16384 * 3 * 14336 / 2 * 2, abs=4)
    assert body(2) - body(4) == pytest.approx(16384 * 3 * 14336 / 4 * 2, abs=4)


def test_experts_buffer_each_chosen_pair() -> None:
    # Mixtral 8x7B, top 2, one node at TP n: gate and up of 14,336 / n, and their product, for both experts of a token
    def body(tp: int) -> int:
        scenario = serve("mixtral-8x7b", "bf16", "h200-sxm", tp, LayoutChoice(tp=tp, ep=1), concurrency=1)
        return activations(scenario, max_num_batched_tokens=16384, max_num_seqs=8)

    assert body(1) - body(2) == pytest.approx(16384 * 2 * 2 * 3 * 14336 / 2, abs=4)


def test_the_sampler_takes_sequences_times_the_vocabulary_on_the_last_stage() -> None:
    scenario = serve("gemma-2-2b", "bf16", gpus=1, concurrency=1, input_tokens=1000, output_tokens=100)
    some, more, most = (activations(scenario, max_num_seqs=n, max_num_batched_tokens=4096) for n in (512, 1024, 2048))
    assert most - more == pytest.approx(2 * (more - some), abs=4)
    # the sampler sees no more sequences than the batch has tokens
    assert activations(scenario, max_num_seqs=8192, max_num_batched_tokens=4096) == activations(
        scenario, max_num_seqs=4096, max_num_batched_tokens=4096
    )


def graphs(scenario: Scenario, **settings: Any) -> int:
    """Bytes of captured CUDA graphs."""
    with_, without = (with_engine(scenario, cuda_graphs=on, **settings) for on in (True, False))
    return worst(with_).runtime_bytes - worst(without).runtime_bytes


def test_graphs_are_captured_for_the_sizes_that_the_engine_lists() -> None:
    # vLLM: 1, 2, 4, every 8 up to 256, every 16 up to 512, at most twice max_num_seqs
    scenario = serve("llama-3.1-8b", "bf16", gpus=1, concurrency=1, input_tokens=1000, output_tokens=100)
    listed = {4: 3 + 1, 16: 3 + 4, 64: 3 + 16, 128: 3 + 32, 192: 3 + 32 + 8, 512: 3 + 32 + 16}
    taken = {seqs: graphs(scenario, max_num_seqs=seqs) for seqs in listed}
    each = (taken[16] - taken[4]) / (listed[16] - listed[4])
    for seqs, sizes in listed.items():
        assert taken[seqs] - taken[4] == pytest.approx(each * (sizes - listed[4]), abs=8)
    earlier = replace(scenario, runtime=replace(scenario.runtime, engine="vllm-earlier"))
    more = graphs(earlier, max_num_seqs=512) - graphs(earlier, max_num_seqs=4)
    assert more == pytest.approx(each * (3 + 32 + 32 - 4), abs=8)  # every 8 all the way


def test_communication_buffers_grow_with_each_doubling_up_to_eight() -> None:
    def runtime(gpus: int, nodes: int = 1) -> int:
        layout = LayoutChoice(tp=gpus, pp=nodes)
        scenario = build("llama-3.1-70b", "bf16", "h200-sxm", gpus, nodes, layout, concurrency=1)
        return worst(with_engine(scenario, cuda_graphs=False)).runtime_bytes

    two, four, eight = runtime(2), runtime(4), runtime(8)
    assert four - two == pytest.approx(eight - four, abs=4)
    assert runtime(8, 2) == eight


def test_memory_that_may_be_used_is_the_share_that_was_asked() -> None:
    scenario = serve("llama-3.1-8b", "bf16", gpus=1, concurrency=1, input_tokens=1000, output_tokens=100)
    groups = [worst(with_engine(scenario, memory_utilization=share)) for share in (0.4, 0.8)]
    assert groups[1].usable_bytes == pytest.approx(2 * groups[0].usable_bytes, abs=2)
    assert groups[1].kv_capacity_bytes - groups[0].kv_capacity_bytes == pytest.approx(groups[0].usable_bytes, abs=2)
    assert groups[0].usable_bytes + groups[0].reserved_bytes == groups[0].total_bytes


def test_weights_of_a_format_are_the_bits_it_says() -> None:
    # Llama 3.1 8B: 6,979,321,856 linear weights; the table and head of 128,256 x 4,096 and the norms stay 16-bit
    linear = 32 * (2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14336)
    rest = 2 * (8_030_261_248 - linear)
    rows = 32 * (4096 + 1024 + 1024 + 4096 + 14336 + 14336 + 4096)
    hand = {
        "bf16": 2 * linear,
        "fp8": linear + 4 * rows,
        "nvfp4": linear / 2 + linear / 16,
        "mxfp4": None,
        "int4": linear / 2 + linear / 128 * 2.5,
    }
    for weights, size_bytes in hand.items():
        if size_bytes is not None:
            scenario = serve("llama-3.1-8b", weights, gpus=1, concurrency=1, input_tokens=100, output_tokens=10)
            assert size(scenario).model.weight_bytes == pytest.approx(size_bytes + rest, rel=1e-5)


def test_sglang_keeps_its_static_share_for_weights_and_cache() -> None:
    scenario = serve("llama-3.1-8b", "bf16", gpus=1, concurrency=1, input_tokens=1000, output_tokens=100)
    runtime = Runtime(engine="sglang", memory_utilization=0.6)
    low, high = (worst(replace(scenario, runtime=replace(runtime, memory_utilization=x))) for x in (0.6, 0.7))
    assert high.kv_capacity_bytes > low.kv_capacity_bytes
    assert high.weights_bytes == low.weights_bytes
