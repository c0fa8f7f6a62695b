"""Serving memory: laws that hold for every model, engine rules, headroom words, suggestions."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import catalog
from catalog import build_scenario
from engine.decide.plan import plan
from engine.decide.size import size
from engine.decide.suggestions import advised
from engine.figures.sentences import text_of
from engine.figures.units import GIB
from engine.layout.candidates import valid_tp
from engine.model.formats import FORMATS
from engine.runtimes import ENGINES
from engine.runtimes.engine import ByMemory, ServingEngine
from engine.scenario import Layout, Runtime, Scenario, Workload
from engine.scenario.change import change
from engine.serving.buffers import captured_sizes, engine_extra_bytes, rotary_width
from engine.serving.kv_pool import kv_pool
from engine.serving.memory import HEADROOM_WORDS, serving_memory
from engine.serving.ranks import loaded
from engine.serving.settings import engine_settings, prefill_reserve, prefill_sizes, static_fraction, visible_bytes
from engine.sizing import Memory

MODELS = [entry.id for entry in catalog.load().models]
CARDS = ["h100-sxm", "a100-sxm4-80gb", "rtx-4090", "b200-sxm", "mi300x", "l4"]


@lru_cache(maxsize=512)
def build(
    model: str = "llama-3.1-8b",
    weights: str = "bf16",
    card: str = "h100-sxm",
    gpus: int = 1,
    kv_cache: str = "bf16",
    concurrency: int = 8,
    tokens: int = 4096,
    runtime: Runtime | None = None,
) -> Scenario:
    workload = Workload(concurrency=concurrency, input_tokens=tokens - 256, output_tokens=256)
    return build_scenario(model, weights, card, gpus, kv_cache=kv_cache, workload=workload, runtime=runtime)


def check_sums(memory: Memory) -> None:
    for group in memory.per_gpu:
        parts = (
            group.weights_bytes
            + group.kv_bytes
            + group.activation_bytes
            + group.runtime_bytes
            + group.optimizer_bytes
            + group.gradient_bytes
            + group.free_bytes
        )
        assert parts == group.total_bytes
        assert group.usable_bytes + group.reserved_bytes == group.total_bytes
        assert min(group.weights_bytes, group.kv_bytes, group.activation_bytes, group.runtime_bytes) >= 0
    assert [g.free_bytes for g in memory.per_gpu] == sorted(g.free_bytes for g in memory.per_gpu)


@settings(max_examples=120, deadline=None)
@given(
    model=st.sampled_from(MODELS),
    weights=st.sampled_from(sorted(FORMATS)),
    card=st.sampled_from(CARDS),
    kv=st.sampled_from(["bf16", "fp8"]),
    engine=st.sampled_from(["vllm", "vllm-earlier", "sglang"]),
    pp=st.sampled_from([1, 2, 3]),
    tp_choice=st.integers(0, 7),
    concurrency=st.integers(1, 512),
)
def test_components_sum_to_the_card(
    model: str, weights: str, card: str, kv: str, engine: ServingEngine, pp: int, tp_choice: int, concurrency: int
) -> None:
    scenario = build(model, weights, card, 8, kv, concurrency, 2048, Runtime(engine=engine))
    sizes = valid_tp(scenario.model.architecture, 8)
    memory = serving_memory(scenario, Layout(tp=sizes[tp_choice % len(sizes)], pp=pp))
    check_sums(memory)
    assert memory.fits <= memory.starts
    assert memory.fits == (memory.headroom != "does not fit")
    if memory.fits:
        assert all(group.over_bytes == 0 for group in memory.per_gpu)


@pytest.mark.parametrize("model", ["deepseek-r1", "deepseek-v2-lite", "kimi-k2"])
def test_mla_cache_does_not_shrink_with_tp(model: str) -> None:
    arch = catalog.load().model(model).architecture
    sizes = {kv_pool(arch, "bf16", tp, 1, 0).block_bytes for tp in (1, 2, 4, 8)}
    assert len(sizes) == 1


def test_deepseek_r1_takes_70272_bytes_a_token_on_every_gpu() -> None:
    pool = kv_pool(catalog.load().model("deepseek-r1").architecture, "bf16", 8, 1, 0)
    assert pool.block_bytes / pool.block_tokens == 70272


@settings(max_examples=40, deadline=None)
@given(model=st.sampled_from(MODELS), short=st.integers(512, 60000), more=st.integers(1, 60000))
def test_users_fall_with_context(model: str, short: int, more: int) -> None:
    scenario = build(model, "fp8", "b200-sxm", 8)
    arch = scenario.model.architecture
    layout = Layout(tp=valid_tp(arch, 8)[-1])

    def users(tokens: int) -> float:
        asked = Workload(concurrency=1, input_tokens=tokens, output_tokens=1)
        return serving_memory(replace(scenario, workload=asked), layout).max_concurrency

    assert users(short + more) <= users(short)


@pytest.mark.parametrize("model", ["llama-3.1-8b", "mixtral-8x7b", "deepseek-v2-lite", "qwen3-32b"])
def test_fp8_cache_doubles_the_tokens(model: str) -> None:
    arch = catalog.load().model(model).architecture
    wide, narrow = kv_pool(arch, "bf16", 1, 1, 0), kv_pool(arch, "fp8", 1, 1, 0)
    assert wide.block_bytes == 2 * narrow.block_bytes
    two, one = (serving_memory(build(model, "fp8", kv_cache=kv), Layout()) for kv in ("fp8", "bf16"))
    assert two.kv_capacity_tokens == pytest.approx(2 * one.kv_capacity_tokens, abs=64)


@pytest.mark.parametrize("model", MODELS)
def test_more_memory_utilization_never_holds_less(model: str) -> None:
    low, high = (
        serving_memory(build(model, "fp8", "b200-sxm", 8, runtime=Runtime(memory_utilization=u)), Layout(tp=1))
        for u in (0.8, 0.95)
    )
    assert high.max_concurrency >= low.max_concurrency
    assert high.longest_context_tokens >= low.longest_context_tokens


def test_poorest_stage_decides() -> None:
    scenario = build("llama-3.1-70b", "bf16", "h100-sxm", 4)
    memory = serving_memory(scenario, Layout(pp=4))
    assert len(memory.per_gpu) > 1
    tokens, batched = 4096, engine_settings(scenario, Layout(pp=4)).max_num_batched_tokens
    arch = scenario.model.architecture
    poorest = min(
        kv_pool(arch, "bf16", 1, 4, stage).concurrency(group.kv_capacity_bytes, tokens, batched)
        for group in memory.per_gpu
        for stage in range(4)
        if group.rank_group.endswith(str(stage + 1))
    )
    assert memory.max_concurrency == pytest.approx(poorest)


def test_kv_needed_comes_in_whole_blocks() -> None:
    pool = kv_pool(catalog.load().model("llama-3.1-8b").architecture, "bf16", 1, 1, 0)
    assert pool.sequence_bytes(1, 2048) == pool.sequence_bytes(16, 2048) == 16 * 131072
    assert pool.sequence_bytes(17, 2048) == 32 * 131072


def test_hybrid_groups_match_what_vllm_printed() -> None:
    # Qwen3-Next at TP 2: blocks of 544 tokens, one attention group and three of states (vLLM 0.10.2 log).
    pool = kv_pool(catalog.load().model("qwen3-next-80b-a3b").architecture, "bf16", 2, 1, 0, "vllm-earlier")
    assert pool.block_tokens == 544
    assert sum(group.count for group in pool.groups) == 4
    assert pool.reported_concurrency(int(44.59 * GIB), 262144, 8192) == pytest.approx(14.77, abs=0.01)
    # Gemma 3 27B: 52 sliding layers padded to 60, groups of 10; 89,994 blocks give 50.05 users of 4,096 tokens.
    pool = kv_pool(catalog.load().model("gemma-3-27b").architecture, "bf16", 1, 1, 0, "vllm-earlier")
    assert sum(group.count for group in pool.groups) == 7
    assert pool.waste > 0.05
    assert pool.reported_concurrency(89994 * pool.block_bytes, 4096, 8192) == pytest.approx(50.05, abs=0.01)


def test_sliding_layers_stop_growing() -> None:
    pool = kv_pool(catalog.load().model("gpt-oss-20b").architecture, "bf16", 1, 1, 0)
    at_16k, at_32k, at_64k = (pool.sequence_bytes(n, 2048) for n in (16384, 32768, 65536))
    assert (at_64k - at_32k) == 2 * (at_32k - at_16k)
    full_only = 12 * 2 * 8 * 64 * 2
    assert at_32k - at_16k == 16384 * full_only


def test_sliding_layers_charge_one_step_of_prefill_not_one_for_each_user() -> None:
    scenario = build("gemma-3-27b", "fp8", "h100-sxm", concurrency=16, tokens=8192)
    memory = serving_memory(scenario, Layout())
    assert memory.max_concurrency > 1.5 * memory.reported_concurrency
    pool = kv_pool(scenario.model.architecture, "bf16", 1, 1, 0)
    assert pool.needed_bytes(1, 8192, 8192) <= pool.sequence_bytes(8192, 8192)
    ten, twenty = pool.needed_bytes(10, 8192, 8192), pool.needed_bytes(20, 8192, 8192)
    assert twenty < 2 * ten
    uniform = serving_memory(build(tokens=8192), Layout())
    assert uniform.max_concurrency == uniform.reported_concurrency


@settings(max_examples=60, deadline=None)
@given(model=st.sampled_from(MODELS), users=st.integers(1, 400), tokens=st.integers(300, 40000))
def test_the_users_that_fit_are_those_whose_kv_fits(model: str, users: int, tokens: int) -> None:
    memory = serving_memory(build(model, "fp8", "b200-sxm", 8, concurrency=users, tokens=tokens), Layout())
    worst = memory.worst
    if memory.starts:
        assert memory.fits == (worst.kv_bytes <= worst.kv_capacity_bytes)


def test_longest_context_fits_and_one_block_more_does_not() -> None:
    for model in ("llama-3.1-8b", "gemma-3-27b", "qwen3-next-80b-a3b"):
        scenario = build(model, "int4-awq", "rtx-4090", 4)
        layout = Layout(tp=4)
        memory = serving_memory(scenario, layout)
        pool = kv_pool(scenario.model.architecture, "bf16", 4, 1, 0)
        room, longest = memory.worst.kv_capacity_bytes, memory.longest_context_tokens
        batched = engine_settings(scenario, layout).max_num_batched_tokens
        assert pool.sequence_bytes(longest, batched) <= room
        if longest < scenario.model.architecture.max_position:
            assert pool.sequence_bytes(longest + pool.block_tokens, batched) > room


def test_engine_generations_differ_as_their_rules_say() -> None:
    now, before, sglang = (
        serving_memory(build(runtime=Runtime(engine=engine)), Layout()).worst
        for engine in ("vllm", "vllm-earlier", "sglang")
    )
    visible = visible_bytes(catalog.load().accelerator("h100-sxm"))
    assert now.usable_bytes == int(visible * 0.92)
    assert now.weights_bytes + now.activation_bytes + now.runtime_bytes + now.kv_capacity_bytes == now.usable_bytes
    # Earlier builds took the graphs from outside the budget, so less utilization leaves room for them.
    assert before.usable_bytes > int(visible * 0.90)
    assert sglang.activation_bytes + sglang.runtime_bytes <= sglang.total_bytes - sglang.kv_capacity_bytes


def test_current_builds_sample_without_sorting() -> None:
    engines: tuple[ServingEngine, ...] = ("vllm", "vllm-earlier")
    now, before = (
        serving_memory(build(runtime=Runtime(engine=engine)), Layout()).worst.activation_bytes for engine in engines
    )
    assert (before - now) / (1024 * 128256) == pytest.approx(22.5, abs=0.1)


def test_sglang_starts_with_any_room_and_vllm_with_a_whole_sequence() -> None:
    cases: tuple[tuple[ServingEngine, bool], ...] = (("vllm", False), ("sglang", True))
    for engine, starts in cases:
        runtime = Runtime(engine=engine, max_model_len=131072)
        scenario = build(card="rtx-4090", tokens=131072, runtime=runtime)
        assert serving_memory(scenario, Layout()).starts == starts
        assert not serving_memory(scenario, Layout()).fits


def test_latent_attention_has_a_narrow_rotary_table() -> None:
    architecture = catalog.load().model("deepseek-r1").architecture
    assert rotary_width(architecture) == 64
    assert rotary_width(catalog.load().model("llama-3.1-8b").architecture) == 128


def test_fp8_experts_without_a_gate_are_padded_to_128() -> None:
    architecture = catalog.load().model("nemotron-3-nano-30b-a3b").architecture
    layers = len(architecture.layers)
    extra = engine_extra_bytes(architecture, "fp8", Layout(), layers, "marlin")
    plain = engine_extra_bytes(architecture, "bf16", Layout(), layers, "marlin")
    # 23 layers of 128 experts, two matrices each; 1856 is 64 short of a multiple.
    assert extra - plain == 23 * 128 * 2 * 64 * 2688


def test_pixtral_towers_are_not_sharded() -> None:
    architecture = catalog.load().model("mistral-small-3.2-24b").architecture
    assert all(tensor.shard == "replicated" for tensor in architecture.towers)
    other = catalog.load().model("qwen2.5-vl-7b").architecture
    assert any(tensor.shard == "column" for tensor in other.towers)


def test_defaults_follow_the_class_of_card() -> None:
    def defaults(card: str) -> tuple[int, int]:
        found = engine_settings(build(card=card), Layout())
        return found.max_num_seqs, found.max_num_batched_tokens

    assert defaults("h100-sxm") == defaults("mi300x") == defaults("rtx-pro-6000-server") == (1024, 8192)
    assert defaults("a100-sxm4-80gb") == defaults("l40s") == defaults("rtx-5090") == (256, 2048)


def test_sglang_reserves_by_its_own_heuristic() -> None:
    rules = ENGINES["sglang"].defaults
    assert isinstance(rules, ByMemory)
    assert static_fraction(rules, 24564, Layout(), 2048, 24) == pytest.approx(0.847, abs=0.001)
    assert static_fraction(rules, 81559, Layout(tp=8), 8192, 512) == pytest.approx(0.817, abs=0.002)


def test_sglang_keeps_room_for_captured_prompts() -> None:
    rules = ENGINES["sglang"].defaults
    assert isinstance(rules, ByMemory)
    steps = [
        *range(4, 33, 4),
        *range(48, 257, 16),
        *range(288, 513, 32),
        *range(576, 1025, 64),
        *range(1280, 4097, 256),
    ]
    assert prefill_sizes(rules, 3000) == sum(1 for size in steps if size <= 3000)
    assert prefill_sizes(rules, 8192) == len(steps) + 8
    cards = {card: catalog.load().accelerator(card) for card in ("h200-sxm", "b200-sxm", "mi300x")}
    dense, latent, seeing = (
        catalog.load().model(name).architecture for name in ("llama-3.1-8b", "deepseek-v3", "qwen2.5-vl-7b")
    )
    reserve = partial(prefill_reserve, rules)
    assert reserve(dense, cards["h200-sxm"], Layout(), 8192) == 58 * 8
    assert reserve(latent, cards["h200-sxm"], Layout(tp=8), 8192) == 1536
    # DeepSeek's latent attention by TensorRT-LLM's kernels, towers, AMD and pipelines capture no prompts
    assert reserve(latent, cards["b200-sxm"], Layout(tp=8), 8192) == 0
    assert reserve(seeing, cards["h200-sxm"], Layout(), 8192) == 0
    assert reserve(dense, cards["mi300x"], Layout(), 8192) == 0
    assert reserve(dense, cards["h200-sxm"], Layout(pp=2), 8192) == 0


@pytest.mark.parametrize("share", [None, 0.5])
def test_tensorrt_llm_shares_out_what_weights_leave(share: float | None) -> None:
    runtime = Runtime(engine="trtllm", memory_utilization=share)
    (rank,) = loaded(build("llama-3.1-8b", runtime=runtime), Layout()).ranks
    visible = visible_bytes(catalog.load().accelerator("h100-sxm"))
    scenario = build("llama-3.1-8b", runtime=replace(runtime, cuda_graphs=False))
    (bare,) = loaded(scenario, Layout()).ranks
    left = visible - rank.weights - rank.activation - bare.runtime
    assert rank.room == pytest.approx((share or 0.9) * left, rel=1e-6)
    assert rank.weights + rank.activation + rank.runtime + rank.room <= visible


def test_sglang_leaves_more_for_models_that_see() -> None:
    text, vision = (
        engine_settings(build(model, runtime=Runtime(engine="sglang")), Layout()).utilization
        for model in ("qwen2.5-7b", "qwen2.5-vl-7b")
    )
    assert 0.75 * text < vision < text


def test_graphs_off_frees_their_memory() -> None:
    on, off = (serving_memory(build(runtime=Runtime(cuda_graphs=graphs)), Layout()).worst for graphs in (True, False))
    assert off.runtime_bytes < on.runtime_bytes
    assert off.kv_capacity_bytes > on.kv_capacity_bytes
    assert captured_sizes(engine_settings(build(), Layout())) == 51


def test_what_the_driver_keeps_is_not_usable() -> None:
    for card, seen in (("h100-sxm", 79.18), ("h200-sxm", 139.81), ("rtx-pro-6000-server", 95.01), ("rtx-3090", 23.58)):
        assert visible_bytes(catalog.load().accelerator(card)) / GIB == pytest.approx(seen, abs=0.15)
    mi300x = catalog.load().accelerator("mi300x")
    assert visible_bytes(mi300x) == mi300x.memory_bytes


def test_data_parallel_attention_holds_more_users() -> None:
    scenario = build("deepseek-r1", "fp8", "b200-sxm", 8, concurrency=64)
    plain = serving_memory(scenario, Layout(tp=8))
    spread = serving_memory(scenario, Layout(tp=1, dp=8, ep=8, dp_attention=True))
    assert spread.worst.weights_bytes > plain.worst.weights_bytes
    assert spread.max_concurrency > 4 * plain.max_concurrency


def test_gpt_oss_120b_on_one_h100_is_marginal_in_the_way_the_logs_say() -> None:
    def starts(utilization: float, tokens: int) -> bool:
        runtime = Runtime(engine="vllm-earlier", memory_utilization=utilization, max_model_len=tokens)
        return serving_memory(build("gpt-oss-120b", "mxfp4", concurrency=1, runtime=runtime), Layout()).starts

    assert not starts(0.90, 16000)
    assert starts(0.95, 16000)
    assert not starts(0.95, 131072)


def test_every_headroom_word_is_reached_and_defined() -> None:
    words = {
        serving_memory(build("llama-3.1-70b", "fp8", "h100-sxm", 2, concurrency=n, tokens=8192), Layout(tp=2)).headroom
        for n in range(1, 40)
    }
    words |= {serving_memory(build("llama-3.1-70b", "bf16", "h100-sxm", 2), Layout(tp=2)).headroom}
    words |= {serving_memory(build("llama-3.1-70b", "fp8", "h100-sxm", 1), Layout()).headroom}
    assert words == {word for word, _ in HEADROOM_WORDS}


def test_headroom_worsens_with_load() -> None:
    order = [word for word, _ in HEADROOM_WORDS]
    seen = [order.index(serving_memory(build(concurrency=n, tokens=8192), Layout()).headroom) for n in range(1, 80)]
    assert seen == sorted(seen)


@pytest.mark.parametrize(
    ("model", "card", "tokens", "users"),
    [("llama-3.1-405b", "rtx-pro-6000-server", 8000, 32), ("mixtral-8x22b", "rtx-5090", 8000, 32)],
)
def test_rule_of_thumb_and_bytes_stand_side_by_side(model: str, card: str, tokens: int, users: int) -> None:
    memory = serving_memory(build(model, "fp8", card, 8, concurrency=users, tokens=tokens), Layout(tp=8))
    assert 0.49 < memory.weights_share < 0.6
    assert memory.fits
    assert text_of(memory.rule_note).startswith("Rule of thumb")
    assert "bytes" in text_of(memory.rule_note).lower()
    loaded = serving_memory(build(model, "fp8", card, 8, concurrency=10 * users, tokens=tokens), Layout(tp=8))
    assert loaded.headroom == "does not fit"
    assert "The bytes decide" in text_of(loaded.rule_note)


def test_suggestions_are_single_changes_that_hold_when_applied() -> None:
    scenario = build("llama-3.1-70b", "bf16", "h100-sxm", 2, concurrency=32, tokens=8192)
    memory = advised(plan(scenario)).memory
    assert not memory.fits
    assert {s.field for s in memory.suggestions} >= {"model.weights", "hardware.gpus_per_node"}
    assert memory.suggestions[0].field == "model.weights"
    for suggestion in memory.suggestions:
        after = plan(change(scenario, dict(suggestion.changes))).memory
        assert after.headroom in text_of(suggestion.effect)
        assert f"room for {after.users_that_fit:,} user" in text_of(suggestion.effect)


def test_enough_room_needs_no_suggestion() -> None:
    found = plan(build())
    assert found.memory.headroom == "comfortable"
    assert advised(found) == found


def test_replicas_add_users() -> None:
    scenario = build(gpus=4, concurrency=4)
    one, four = serving_memory(build(), Layout()), serving_memory(scenario, Layout(dp=4))
    assert four.max_concurrency == pytest.approx(4 * one.max_concurrency)
    assert four.kv_capacity_tokens == 4 * one.kv_capacity_tokens


def test_docs_state_the_words_as_the_engine_does() -> None:
    text = (Path(__file__).parents[2] / "docs" / "memory.md").read_text(encoding="utf-8")
    for word, meaning in HEADROOM_WORDS:
        assert f"| {word} | {meaning} |" in text


@pytest.mark.parametrize(("card", "gib"), [("h100-sxm", 64.4), ("a100-sxm4-80gb", 66.0), ("b200-sxm", 68.7)])
def test_mxfp4_experts_are_padded_to_the_kernels_tile(card: str, gib: float) -> None:
    memory = serving_memory(build("gpt-oss-120b", "mxfp4", card), Layout())
    assert memory.worst.weights_bytes / GIB == pytest.approx(gib, rel=0.01)


def test_sglang_pads_no_experts_of_mxfp4_on_cards_without_kernels_of_their_own() -> None:
    """Triton's plain layout pads the expert's side to 64: of gpt-oss nothing, and it starts on one A100 as one did."""
    runtime = Runtime(engine="sglang")
    ampere, hopper = (
        serving_memory(build("gpt-oss-120b", "mxfp4", card, concurrency=1, runtime=runtime), Layout())
        for card in ("a100-sxm4-80gb", "h100-sxm")
    )
    assert ampere.starts
    checkpoint = size(build("gpt-oss-120b", "mxfp4", "h100-sxm", concurrency=1)).model.weight_bytes
    assert 0 <= ampere.worst.weights_bytes - checkpoint < 0.25 * GIB
    assert ampere.worst.weights_bytes < hopper.worst.weights_bytes - 3 * GIB
    # a side of 2,880 over four ranks is no multiple of 64
    shared = serving_memory(
        build("gpt-oss-120b", "mxfp4", "a100-sxm4-80gb", 4, concurrency=1, runtime=runtime), Layout(tp=4)
    )
    assert shared.worst.weights_bytes > checkpoint / 4 * 1.04
