"""Drafts, states, shared caches, adapters and shared memory: what an engine holds beside a model's own layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import catalog
from engine.decide.size import size
from engine.decide.whole import whole
from engine.figures.errors import ScenarioError
from engine.figures.sentences import text_of
from engine.figures.units import GIB
from engine.scenario import Layout, LayoutChoice, Runtime, Scenario, Speculation, Workload
from engine.scenario.change import change
from engine.scenario.fields import Value
from engine.serving.draft import draft_of, sixteen_bit_bytes, tokens_a_step
from engine.serving.ranks import loaded
from engine.serving.settings import visible_bytes
from engine.sizing import Memory


def build(model: str, weights: str, card: str, gpus: int = 1, **fields: Value) -> Scenario:
    scenario = catalog.build_scenario(
        model, weights, card, gpus, workload=Workload(concurrency=1, input_tokens=8000, output_tokens=100)
    )
    return change(scenario, {key.replace("__", "."): value for key, value in fields.items()})


def memory(scenario: Scenario) -> Memory:
    return size(scenario).memory


def bytes_a_token(found: Memory) -> float:
    return found.per_gpu[0].kv_capacity_bytes / found.kv_capacity_tokens


def test_a_prediction_layer_keeps_kv_of_its_own() -> None:
    pinned = replace(build("glm-4.6", "fp8", "h200-sxm", 8), layout=LayoutChoice(8, 1, 1))
    plain, drafting = memory(pinned), memory(change(pinned, {"runtime.speculative": "mtp"}))
    layers = len(pinned.model.architecture.layers)
    assert bytes_a_token(drafting) / bytes_a_token(plain) == pytest.approx((layers + 1) / layers, rel=1e-3)
    assert drafting.per_gpu[0].weights_bytes > plain.per_gpu[0].weights_bytes


def test_tokens_drafted_ahead_cost_states_of_a_recurrent_model() -> None:
    # vLLM 0.2x on two Arc B70: 583 blocks of 832 tokens hold 1.83 sequences of 262,144; 475 with five drafts ahead 1.42
    asked: dict[str, Any] = {"runtime__max_model_len": 262144, "runtime__prefix_caching": False, "layout__tp": 2}
    plain = memory(build("qwen3.5-27b", "fp8", "arc-pro-b70", 2, **asked))
    drafts = memory(
        build(
            "qwen3.5-27b", "fp8", "arc-pro-b70", 2, runtime__speculative="mtp", runtime__speculative_tokens=5, **asked
        )
    )
    assert plain.state_blocks is not None
    assert plain.state_blocks / plain.reported_concurrency == pytest.approx(583 / 1.83, rel=0.01)
    assert drafts.state_blocks is not None
    assert drafts.state_blocks / drafts.reported_concurrency == pytest.approx(475 / 1.42, rel=0.01)


def test_a_cached_prefix_keeps_a_second_state() -> None:
    # vLLM 0.23 on a GB10, FP8 KV: 999 blocks of 1,568 tokens hold 5.74 sequences of 262,144
    found = memory(build("qwen3.5-27b", "nvfp4", "gb10", model__kv_cache="fp8", runtime__max_model_len=262144))
    assert found.state_blocks is not None
    assert found.state_blocks / found.reported_concurrency == pytest.approx(999 / 5.74, rel=0.01)


@pytest.mark.parametrize(("model", "card"), [("qwen3.5-27b", "h100-sxm"), ("qwen3.5-35b-a3b", "a100-pcie-80gb")])
def test_a_recurrent_model_wants_a_block_for_each_sequence(model: str, card: str) -> None:
    sizing = size(build(model, "fp8", card, runtime__max_num_seqs=4096))
    assert not sizing.memory.starts
    assert "max_num_seqs" in text_of(sizing.memory.headroom_reason)
    fewer = next(fix for fix in whole(sizing).memory.suggestions if fix.field == "runtime.max_num_seqs")
    assert memory(change(sizing.scenario, dict(fewer.changes))).starts
    assert memory(change(sizing.scenario, {"runtime.engine": "vllm-earlier"})).starts
    assert memory(change(sizing.scenario, {"runtime.cuda_graphs": False})).starts


def test_fewer_sequences_are_a_round_number_where_that_holds_the_users_and_all_that_start_elsewhere() -> None:
    blocks = memory(build("qwen3.5-27b", "fp8", "h100-sxm", runtime__max_num_seqs=4096)).state_blocks
    assert blocks is not None
    rounded = 1 << (blocks.bit_length() - 1)
    for users, offered in ((rounded, rounded), (rounded + 1, blocks)):
        load: dict[str, Any] = {"workload__concurrency": users, "workload__input_tokens": 200}
        asked = build("qwen3.5-27b", "fp8", "h100-sxm", runtime__max_num_seqs=4096, workload__output_tokens=50, **load)
        found = [fix.value for fix in whole(size(asked)).memory.suggestions if fix.field == "runtime.max_num_seqs"]
        assert found == [offered]


def test_ranks_that_hold_the_same_cache_may_share_its_tokens() -> None:
    tp = build("deepseek-v3.2", "fp8", "h200-sxm", 8, layout__tp=8, layout__pp=1, layout__dp=1)
    shared = change(tp, {"layout.dcp": 4})
    assert memory(shared).kv_capacity_tokens == pytest.approx(4 * memory(tp).kv_capacity_tokens, rel=0.01)
    with pytest.raises(ScenarioError, match="same KV cache"):
        size(build("llama-3.1-70b", "fp8", "h200-sxm", 8, layout__tp=8, layout__dcp=2))
    assert memory(build("glm-4.5-air", "fp8", "h200-sxm", 8, layout__tp=8, layout__dcp=1)).starts


def test_adapters_take_slots_by_their_rank() -> None:
    plain = memory(build("llama-3.1-8b", "bf16", "l40s")).per_gpu[0].weights_bytes
    four, eight = (
        memory(build("llama-3.1-8b", "bf16", "l40s", runtime__max_loras=4, runtime__max_lora_rank=rank)).per_gpu[0]
        for rank in (16, 32)
    )
    assert eight.weights_bytes - plain == 2 * (four.weights_bytes - plain)
    assert 0.1 < (four.weights_bytes - plain) / GIB < 0.5  # 41.9M parameters of rank 16, four times


@pytest.mark.parametrize(
    ("weights", "length", "ahead", "share", "cached", "graphs", "tokens"),
    [
        ("w4a16", 8192, None, 0.9, False, True, 338392),
        ("int8", 16384, 3, 0.9, False, False, 183808),
        ("int8", 253952, 3, 0.9, True, True, 275312),
    ],
)
def test_two_intel_cards_take_no_buffers_to_talk(
    weights: str, length: int, ahead: int | None, share: float, cached: bool, graphs: bool, tokens: int
) -> None:
    asked = build("qwen3.5-27b", weights, "arc-pro-b70", 2, layout__tp=2, runtime__max_model_len=length)
    asked = change(
        asked,
        {
            "runtime.memory_utilization": share,
            "runtime.prefix_caching": cached,
            "runtime.cuda_graphs": graphs,
            "runtime.speculative": "mtp" if ahead else None,
            "runtime.speculative_tokens": ahead,
            "runtime.max_num_seqs": 8 if ahead else None,
        },
    )
    assert memory(asked).reported_concurrency * length == pytest.approx(tokens, rel=0.02)


@pytest.mark.parametrize(("batch", "mib", "draft"), [(512, 142.13, 130.02), (2048, 568.53, 520.06)])
def test_llama_cpp_gives_a_drafter_a_buffer(batch: int, mib: float, draft: float) -> None:
    # Qwen3.8 27B with its MTP layer at 8,192 tokens, on an R9700 and an RTX 3090
    asked = build("qwen3.5-27b", "gguf-q4_k_m", "rtx-3090", runtime__engine="llama.cpp", runtime__max_model_len=8192)
    asked = change(asked, {"runtime.max_num_batched_tokens": batch})
    plain, drafting = memory(asked), memory(change(asked, {"runtime.speculative": "mtp"}))
    assert plain.per_gpu[0].activation_bytes / 2**20 == pytest.approx(mib, rel=0.02)
    assert drafting.per_gpu[0].activation_bytes / 2**20 == pytest.approx(mib + draft, rel=0.02)


@pytest.mark.parametrize(("seqs", "running"), [(None, 48), (4, 4)])
@pytest.mark.parametrize("tp", [1, 2])
def test_sglang_reserves_states_that_drafts_may_take_back(seqs: int | None, running: int, tp: int) -> None:
    asked = build(
        "qwen3.5-27b", "fp8", "h100-sxm", tp, layout__tp=tp, runtime__engine="sglang", runtime__max_num_seqs=seqs
    )
    drafting = change(asked, {"runtime.speculative": "ngram", "runtime.speculative_tokens": 3})
    plain, reserved = (loaded(scenario, Layout(tp=tp)).ranks[0] for scenario in (asked, drafting))
    # 48 layers: 48 heads of 128 x 128 in 32 bits, and three tokens of 10,240 in 16
    state = 48 * (48 * 128 * 128 * 4 + 3 * 10240 * 2) // tp
    assert plain.room - reserved.room == reserved.runtime - plain.runtime == 4 * running * state
    dense = build("qwen3-8b", "bf16", "h100-sxm", runtime__engine="sglang", runtime__speculative="ngram")
    bare = change(dense, {"runtime.speculative": None})
    assert loaded(dense, Layout()).ranks[0].room == loaded(bare, Layout()).ranks[0].room


@pytest.mark.parametrize(("engine", "tp", "held"), [("vllm", 1, True), ("vllm", 4, True), ("vllm-earlier", 1, False)])
def test_every_expert_has_a_slot_for_adapters(engine: str, tp: int, held: bool) -> None:
    asked = build("qwen3-30b-a3b", "bf16", "h100-sxm", tp, layout__tp=tp, layout__ep=1, runtime__engine=engine)
    plain, slots = (
        memory(scenario).per_gpu[0].weights_bytes
        for scenario in (asked, change(asked, {"runtime.max_loras": 2, "runtime.max_lora_rank": 16}))
    )
    inner = 768 // tp
    experts = 2 * 16 * 2 * 48 * 128 * (2 * (inner + 2048) + 2048 + inner)
    heads, kv = 4096 // tp, 512 // tp
    attention = 2 * 16 * 2 * 48 * (heads + 2048 + 2 * (kv + 2048) + 2048 + heads)
    assert slots - plain == attention + (experts if held else 0)


@pytest.mark.parametrize("card", ["gb10", "jetson-t5000"])
def test_a_shared_memory_is_not_all_the_engine_s(card: str) -> None:
    asked = build("qwen3-8b", "bf16", card, runtime__memory_utilization=0.95)
    assert not memory(asked).starts
    assert "host" in text_of(memory(asked).headroom_reason)
    assert memory(change(asked, {"runtime.memory_utilization": 0.8})).starts
    assert memory(change(asked, {"runtime.memory_utilization": None})).starts
    assert memory(change(asked, {"runtime.host_reserve_gib": 2.0})).starts


def test_gaudi_shares_out_what_the_weights_leave() -> None:
    found = memory(build("llama-3.1-70b", "fp8", "gaudi-3", runtime__memory_utilization=0.5))
    group = found.per_gpu[0]
    left = group.total_bytes - group.weights_bytes - group.activation_bytes
    assert group.kv_capacity_bytes == pytest.approx(0.45 * left, rel=0.05)


def test_a_start_by_a_hair_is_said() -> None:
    scenario = build("qwen3-30b-a3b", "int4-awq", "rtx-5090")
    longest = memory(scenario).longest_context_tokens
    near = change(scenario, {"runtime.max_model_len": min(longest - 512, 40960)})
    warned = {notice.id for notice in size(near).warnings}
    assert ("start-margin" in warned) == (memory(near).reported_concurrency < 1.12)
    tight = build("llama-3.1-8b", "bf16", "rtx-3090")
    tight = change(tight, {"runtime.max_model_len": memory(tight).longest_context_tokens - 512})
    assert "start-margin" in {notice.id for notice in size(tight).warnings}
    assert "start-margin" not in {notice.id for notice in size(build("llama-3.1-8b", "bf16", "l40s")).warnings}


@pytest.mark.parametrize(
    ("model", "weights", "card", "gpus", "field"),
    [
        ("llama-3.1-8b", "bf16", "rtx-3090", 1, "max_model_len"),
        ("qwen3-coder-30b-a3b", "int4-awq", "rtx-5090", 1, "max_model_len"),
        ("gemma-3-27b", "int4-awq", "rtx-4090", 1, "max_model_len"),
        ("qwen3.5-27b", "fp8", "h100-sxm", 1, "max_num_seqs"),
        ("qwen3.5-35b-a3b", "fp8", "a100-sxm4-80gb", 1, "max_num_seqs"),
    ],
)
def test_a_refusal_by_a_hair_is_said(model: str, weights: str, card: str, gpus: int, field: str) -> None:
    asked = build(model, weights, card, gpus, layout__tp=gpus)
    found = memory(asked)
    line = found.longest_context_tokens
    if field == "max_num_seqs":
        for _ in range(6):  # more sequences leave fewer blocks
            found = memory(change(asked, {"runtime.max_num_seqs": found.state_blocks}))
        line = found.state_blocks or 0
    told = {}
    for share in (0.98, 1.03, 1.6):
        sizing = size(change(asked, {f"runtime.{field}": int(line * share)}))
        told[sizing.memory.starts, share] = {one.id: text_of(one.message) for one in sizing.warnings}
    assert "start-margin" in told[True, 0.98]
    assert "it may start" in told[False, 1.03]["no-start"]
    assert "it may start" not in told[False, 1.6]["no-start"]


@pytest.mark.parametrize("weights", ["fp8", "nvfp4"])
def test_a_hybrid_near_its_default_of_sequences_is_no_plain_yes(weights: str) -> None:
    # vllm-project/recipes 831: neither starts on one RTX PRO 6000 with the 1,024 sequences that nobody asked for
    sizing = size(build("qwen3.5-27b", weights, "rtx-pro-6000-max-q"))
    assert "start-margin" in {one.id for one in sizing.warnings}
    fewer = size(change(sizing.scenario, {"runtime.max_num_seqs": 256}))
    assert "start-margin" not in {one.id for one in fewer.warnings}


def test_drafting_needs_layers_that_predict() -> None:
    with pytest.raises(ScenarioError, match="predict ahead"):
        size(build("llama-3.1-8b", "bf16", "l40s", runtime__speculative="mtp"))
    assert memory(build("gemma-4-31b", "int4-awq", "l40s", runtime__speculative="mtp")).starts


@pytest.mark.parametrize("method", ["eagle", "dflash", "dflash2"])
def test_a_drafter_of_its_own_weighs_and_keeps_kv(method: str) -> None:
    plain = memory(build("qwen3-8b", "bf16", "l40s"))
    drafting = memory(build("qwen3-8b", "bf16", "l40s", runtime__speculative=method))
    assert drafting.per_gpu[0].weights_bytes > plain.per_gpu[0].weights_bytes + 0.2 * GIB
    assert bytes_a_token(drafting) > bytes_a_token(plain)
    grams = memory(build("qwen3-8b", "bf16", "l40s", runtime__speculative="ngram"))
    assert grams.per_gpu[0].weights_bytes == plain.per_gpu[0].weights_bytes
    assert bytes_a_token(grams) == pytest.approx(bytes_a_token(plain), rel=1e-3)
    assert grams.per_gpu[0].activation_bytes > plain.per_gpu[0].activation_bytes  # two rows of logits a sequence


def test_the_defaults_of_a_runtime_draft_nothing() -> None:
    assert Runtime().speculative is None


def test_drafts_that_are_kept_make_one_user_faster_and_refused_ones_slower() -> None:
    cases: tuple[dict[str, Any], ...] = (
        {},
        {"runtime__speculative": "mtp", "runtime__speculative_tokens": 2, "runtime__speculative_accepted": 0.9},
        {"runtime__speculative": "mtp", "runtime__speculative_tokens": 2, "runtime__speculative_accepted": 0.0},
    )
    plain, kept, refused = (
        size(build("glm-4.6", "fp8", "h200-sxm", 8, layout__tp=8, **fields)).serving for fields in cases
    )
    assert plain is not None
    assert kept is not None
    assert refused is not None
    assert plain.tokens_per_s_user < kept.tokens_per_s_user < 2.71 * plain.tokens_per_s_user
    assert refused.tokens_per_s_user < plain.tokens_per_s_user


def test_tokens_of_a_step_are_a_geometric_sum() -> None:
    assert tokens_a_step(0, 0.8) == 1.0
    assert tokens_a_step(3, 0.5) == 1.875
    assert tokens_a_step(4, 1.0) == 5.0


def test_a_dflash_drafter_has_groups_and_longer_convolutions() -> None:
    # vLLM main on a GB10, 15 ahead: blocks of 1,168 tokens; 63.23 GiB hold 4.77 sequences of 262,144
    found = memory(
        build(
            "qwen3.5-35b-a3b",
            "nvfp4",
            "gb10",
            runtime__max_model_len=262144,
            runtime__speculative="dflash",
            runtime__speculative_tokens=15,
        )
    )
    gib = found.per_gpu[0].kv_capacity_bytes / GIB
    assert found.reported_concurrency / gib == pytest.approx(4.77 / 63.23, rel=0.01)


@pytest.mark.parametrize(
    ("weights", "kv", "length", "gib", "blocks", "each"),
    [
        ("int4-gptq", "bf16", 204800, 16.01, 2017, 1102),
        ("fp8", "bf16", 65536, 11.15, 1405, 430),
        ("fp8", "fp8", 147456, 11.15, 1418, 463),
    ],
)
def test_dflash2_keeps_windows_in_groups_of_five(
    weights: str, kv: str, length: int, gib: float, blocks: int, each: int
) -> None:
    # vLLM of August 2026 on two RTX 5090: 374,847 tokens are 2017 / 1102 of 204,800, 214,135 are 1405 / 430 of 65,536, 451,603
    # are 1418 / 463 of 147,456 (club-3090, issues 1084 to 1086); a step of 16,384 tokens closes all three
    asked = build("qwen3.5-27b", weights, "rtx-5090", 2, model__kv_cache=kv, runtime__speculative="dflash2")
    (rank,) = loaded(asked, Layout(tp=2)).ranks
    pool = rank.pool
    assert [group.count for group in pool.groups] == [4, 1, 10]
    assert gib * GIB / pool.block_bytes == pytest.approx(blocks, rel=0.001)
    assert pool.blocks(length, 16384) == each


@pytest.mark.parametrize("kv", ["bf16", "fp8"])
def test_a_drafter_that_sees_all_in_one_layer_cuts_groups_of_one(kv: str) -> None:
    # 8 KV heads x 128 x 2 are as many elements a token as 4 x 256 x 2: a page holds as many of either
    asked = build("qwen3.5-27b", "fp8", "h200-sxm", model__kv_cache=kv, runtime__speculative="dflash")
    (rank,) = loaded(asked, Layout()).ranks
    full, short, last, state = rank.pool.groups
    assert (full.count, short.count, last.count, state.count) == (16, 4, 1, 48)
    assert short.spec.window == 2048
    assert full.block == short.block == last.block
    assert full.block * full.spec.bytes_each == rank.pool.block_bytes


@pytest.mark.parametrize(
    ("model", "method", "gb"),
    [
        ("gemma-4-26b-a4b", "dflash", 0.86),
        ("gemma-4-31b", "dflash", 2.94),
        ("qwen3.5-35b-a3b", "dflash", 0.945),
        ("qwen3.5-27b", "dflash2", 3.85),
    ],
)
def test_published_drafters_weigh_what_their_files_do(model: str, method: Speculation, gb: float) -> None:
    tensors = draft_of(build(model, "bf16", "h200-sxm", 8).model.architecture, method).tensors
    assert sixteen_bit_bytes(tensors, Layout()) / 1e9 == pytest.approx(gb, rel=0.05)


def test_long_steps_of_recurrent_models_take_what_their_kernels_hold() -> None:
    # vLLM 0.23 on a GB10 at 0.70, 65,536 tokens a step: 19.78 GiB of weights leave 47.84 GiB for KV
    found = memory(
        build(
            "qwen3.5-27b",
            "nvfp4-fp8",
            "gb10",
            model__kv_cache="fp8",
            runtime__memory_utilization=0.7,
            runtime__max_num_batched_tokens=65536,
            runtime__max_num_seqs=8,
        )
    )
    assert found.per_gpu[0].kv_capacity_bytes / GIB == pytest.approx(47.84, rel=0.03)


def test_mixtures_take_more_of_a_shared_memory() -> None:
    # vLLM 0.20 on GB10 at 0.80, 4,096 tokens a step: 48.5 GiB of weights leave 40.61 for KV
    asked = build(
        "gemma-4-26b-a4b",
        "bf16",
        "gb10",
        runtime__memory_utilization=0.8,
        runtime__max_num_batched_tokens=4096,
        runtime__max_model_len=8192,
    )
    assert memory(asked).per_gpu[0].kv_capacity_bytes / GIB == pytest.approx(40.61, rel=0.02)
    for engine in ("vllm", "sglang"):
        dense, mixture = (
            loaded(build(model, "bf16", "gb10", runtime__engine=engine), Layout()).ranks[0]
            for model in ("qwen3-8b", "qwen3-30b-a3b")
        )
        more = mixture.runtime - dense.runtime
        assert (more > 3.5 * GIB) == (engine == "vllm")


def test_two_sparks_hold_what_joins_them() -> None:
    # eugr/spark-vllm-docker, issue 396: 28.74 GiB and 240,816 tokens at 0.85, 22.5 of 23.25 GiB at 0.80
    asked = build("minimax-m2.7", "int4-awq", "gb10", layout__tp=2, layout__pp=1, runtime__max_model_len=196608)
    asked = change(asked, {"hardware.nodes": 2, "runtime.memory_utilization": 0.85})
    assert memory(asked).kv_capacity_tokens == pytest.approx(240816, rel=0.05)
    assert not memory(change(asked, {"runtime.memory_utilization": 0.8})).starts
    plain = change(asked, {"runtime.engine": "sglang"})
    assert memory(plain).kv_capacity_tokens > 300000


@pytest.mark.parametrize("card", ["gb10", "strix-halo-128gb"])
def test_llama_cpp_leaves_the_host_its_part_of_a_shared_memory(card: str) -> None:
    asked = build("qwen3-8b", "gguf-q8_0", card, runtime__engine="llama.cpp")
    plain, bare = memory(asked), memory(change(asked, {"runtime.host_reserve_gib": 0.0}))
    held = bare.per_gpu[0].usable_bytes - plain.per_gpu[0].usable_bytes
    assert 6 < held / GIB < 10.8  # 10.7 GiB, of which 3 % were left free before
    more = memory(change(asked, {"runtime.host_reserve_gib": 32.0}))
    assert (plain.per_gpu[0].total_bytes - more.per_gpu[0].usable_bytes) / GIB == pytest.approx(32, abs=0.1)


@pytest.mark.parametrize(
    ("card", "mib"),
    [("apple-m4-16gb", 10922), ("apple-m4-24gb", 16384), ("apple-m2-max-32gb", 21845), ("apple-m2-max-96gb", 73728)],
)
def test_metal_hands_out_two_thirds_of_a_small_mac(card: str, mib: int) -> None:
    assert visible_bytes(catalog.load().accelerator(card)) // 2**20 == mib


def test_a_mac_keeps_a_quarter_and_what_is_entered_past_it() -> None:
    asked = build("qwen3-8b", "gguf-q8_0", "apple-m4-max-128gb", runtime__engine="llama.cpp")
    assert memory(asked).per_gpu[0].usable_bytes / GIB <= 96
    fuller = memory(change(asked, {"runtime.host_reserve_gib": 48.0}))
    assert fuller.per_gpu[0].usable_bytes / GIB == pytest.approx(80, abs=0.1)


@pytest.mark.parametrize(
    ("weights", "share", "blocks"), [("fp8", None, 939), ("nvfp4", None, 1011), ("bf16", 0.95, 556)]
)
def test_a_profile_run_that_drafts_samples_twice_the_rows(weights: str, share: float | None, blocks: int) -> None:
    # vllm-project/recipes 831: a 27B hybrid at 1,024 sequences on one RTX PRO 6000 names the blocks that it has
    found = memory(
        build(
            "qwen3.5-27b",
            weights,
            "rtx-pro-6000-max-q",
            runtime__speculative="mtp",
            runtime__max_num_seqs=1024,
            runtime__memory_utilization=share,
        )
    )
    assert found.state_blocks == pytest.approx(blocks, rel=0.05)


def test_what_a_drafter_reads_is_held_through_the_pass() -> None:
    asked = build("qwen3.5-35b-a3b", "fp8", "h200-sxm", 1, runtime__max_num_batched_tokens=65536)
    asked = change(asked, {"runtime.max_num_seqs": 16})
    plain, drafting = memory(asked), memory(change(asked, {"runtime.speculative": "dflash"}))
    hidden = asked.model.architecture.hidden_size
    held = drafting.per_gpu[0].activation_bytes - plain.per_gpu[0].activation_bytes
    assert held == pytest.approx(8 * 65536 * hidden * 2, rel=0.01)  # eight layers hand their states on


@pytest.mark.parametrize(("model", "tp", "heads", "width"), [("llama-3.1-8b", 1, 8, 128), ("qwen3-32b", 4, 2, 128)])
def test_an_int8_cache_has_a_scale_for_each_token_and_head(model: str, tp: int, heads: int, width: int) -> None:
    asked = build(model, "int4-awq", "l40s", tp, model__kv_cache="int8")
    layers = len(asked.model.architecture.layers)
    plain = 16 * layers * heads * 2 * width
    for engine, scales in (("vllm", 16 * layers * heads * 2 * 4), ("trtllm", 0)):
        (rank,) = loaded(change(asked, {"runtime.engine": engine}), Layout(tp=tp)).ranks
        assert rank.pool.block_bytes == plain + scales
    (rank,) = loaded(build(model, "bf16", "tpu-v6e", tp, model__kv_cache="int8"), Layout(tp=tp)).ranks
    assert rank.pool.block_bytes == plain


def test_layers_of_other_widths_keep_their_tokens_beside_such_scales() -> None:
    # vLLM 0.22 on two RTX 3090: 447,199 tokens of a 31B; a sliding layer's page of 16 tokens holds 32 of a global one's
    asked = build("gemma-4-31b", "int4-gptq", "rtx-3090", 2, model__kv_cache="int8")
    (rank,) = loaded(asked, Layout(tp=2)).ranks
    assert [(group.spec.kind, group.block) for group in rank.pool.groups] == [("sliding", 16), ("full", 32)]
    assert rank.pool.block_bytes == 10 * 16 * 8 * 2 * (256 + 4)
