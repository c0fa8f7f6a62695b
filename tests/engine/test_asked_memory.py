"""What a person tells an engine of its memory: KV in bytes, states in 16 bits, states counted out, towers unprofiled, experts on the CPU."""

from __future__ import annotations

from typing import Any

import pytest

import catalog
from engine.decide.advice import advice
from engine.decide.size import size
from engine.figures.errors import ScenarioError
from engine.figures.sentences import text_of
from engine.figures.units import GIB, MIB
from engine.scenario import Layout, Scenario, Workload
from engine.scenario.change import change
from engine.scenario.fields import Value
from engine.serving.draft import vocabulary_copies
from engine.serving.kv_pool import state_bytes
from engine.serving.ranks import loaded
from engine.sizing import Memory


def build(model: str, weights: str, card: str, gpus: int = 1, **runtime: Any) -> Scenario:
    load = Workload(concurrency=1, input_tokens=8000, output_tokens=100)
    scenario = catalog.build_scenario(model, weights, card, gpus, workload=load)
    return change(scenario, {f"runtime.{key}": value for key, value in runtime.items()})


def memory(scenario: Scenario) -> Memory:
    return size(scenario).memory


def test_kv_asked_for_in_bytes_is_taken_whatever_the_share() -> None:
    # vllm/config/cache.py, kv_cache_memory_bytes
    asked = build("llama-3.1-8b", "bf16", "h100-sxm", kv_cache_gib=20.0, memory_utilization=0.3)
    found = memory(asked)
    assert found.starts
    assert found.worst.kv_capacity_bytes == 20 * GIB
    assert found.kv_capacity_tokens == pytest.approx(20 * GIB / (32 * 8 * 128 * 2 * 2), rel=1e-3)
    much = memory(change(asked, {"runtime.kv_cache_gib": 64.0}))
    assert not much.starts
    assert "the KV cache that is asked for" in text_of(much.headroom_reason)
    # others have no such setting
    other = {"runtime.engine": "sglang", "runtime.memory_utilization": None}
    assert memory(change(asked, other)) == memory(change(asked, {**other, "runtime.kv_cache_gib": None}))


@pytest.mark.parametrize(("kept", "tokens"), [(None, 832), ("fp32", 832), ("bf16", 448)])
def test_states_in_16_bits_shrink_the_blocks(kept: str | None, tokens: int) -> None:
    # blocks that vLLM prints on one and two Arc Pro B70 for a 27B hybrid: 832 tokens, and 448 of a file with 16-bit states
    scenario = build("qwen3.5-27b", "int4", "arc-pro-b70", prefix_caching=False, state_dtype=kept)
    (rank,), _ = loaded(scenario, Layout())
    assert rank.pool.block_tokens == tokens


def test_sglang_gives_up_kv_for_each_state_it_is_told_to_keep() -> None:
    # sgl-project/sglang on two RTX 3090: (182,901 - 158,116) tokens of 17,408 bytes for 11 states, 37.4 MiB each
    few = build("qwen3.5-27b", "fp8", "rtx-3090", 2, engine="sglang", memory_utilization=0.92, state_slots=10)
    few = change(few, {"runtime.state_dtype": "bf16", "layout.tp": 2, "model.kv_cache": "fp8"})
    many = change(few, {"runtime.state_slots": 21})
    each = (memory(few).worst.kv_capacity_bytes - memory(many).worst.kv_capacity_bytes) / 11
    assert each / MIB == pytest.approx((182901 - 158116) * 17 * 2 * 256 * 2 / 11 / MIB, rel=0.02)
    assert each == state_bytes(few.model.architecture, 2, 1, 0, "sglang", 2)


def test_sglang_sizes_its_pool_while_the_draft_holds_a_vocabulary_of_its_own() -> None:
    # sgl-project/sglang, pull request 37155: 2 x 248,320 x 5,120 x 2 bytes over two GPUs are 2.4 GiB of each
    asked = build("qwen3.5-27b", "fp8", "rtx-3090", 2, engine="sglang", speculative="mtp", speculative_tokens=3)
    arch = asked.model.architecture
    assert vocabulary_copies(arch, "mtp", Layout(tp=2)) == 2 * 248320 * 5120 * 2 // 2
    assert vocabulary_copies(arch, None, Layout(tp=2)) == vocabulary_copies(arch, "eagle", Layout(tp=2)) == 0
    found = memory(change(asked, {"layout.tp": 2, "runtime.memory_utilization": 0.92, "model.kv_cache": "fp8"}))
    # two starts of it, their states counted out in 16 bits: 158,116 tokens with 21, 182,901 with 10
    for slots, tokens in ((21, 158116), (10, 182901)):
        held = change(found_scenario(asked), {"runtime.state_slots": slots})
        assert memory(held).kv_capacity_tokens == pytest.approx(tokens, rel=0.25)  # 42 and 48 % more without
    worst = found.worst
    assert (
        worst.weights_bytes + worst.kv_bytes + worst.activation_bytes + worst.runtime_bytes + worst.free_bytes
        == worst.total_bytes
    )


def found_scenario(asked: Scenario) -> Scenario:
    settings: dict[str, Value] = {
        "runtime.memory_utilization": 0.92,
        "runtime.state_dtype": "bf16",
        "runtime.max_num_seqs": 1,
    }
    return change(asked, {**settings, "layout.tp": 2, "model.kv_cache": "fp8"})


def test_a_profile_without_pictures_leaves_their_room_to_the_kv() -> None:
    scenario = build("qwen3.5-27b", "int4", "arc-pro-b70")
    seen, unseen = memory(scenario), memory(change(scenario, {"runtime.skip_mm_profiling": True}))
    text = memory(change(scenario, {"runtime.text_only": True}))
    assert unseen.worst.weights_bytes == seen.worst.weights_bytes > text.worst.weights_bytes  # the tower is loaded
    assert unseen.worst.activation_bytes == text.worst.activation_bytes < seen.worst.activation_bytes
    assert unseen.kv_capacity_tokens > seen.kv_capacity_tokens


def test_ktransformers_experts_are_the_hosts_and_wait_for_its_memory() -> None:
    asked = build("qwen3-30b-a3b", "bf16", "l40s", 1, engine="sglang")
    assert not memory(asked).starts
    spared = size(change(asked, {"runtime.kt_gpu_experts": 32}))
    assert spared.memory.starts
    arch = asked.model.architecture
    routed = 48 * 128 * 3 * 2048 * 768 * 2
    assert spared.memory.host_bytes == pytest.approx(routed * (128 - 32) / 128, rel=1e-6)
    assert arch.experts == 128
    none = size(change(asked, {"runtime.kt_gpu_experts": 0}))
    assert none.memory.host_bytes == pytest.approx(routed, rel=1e-6)
    assert spared.serving is not None
    assert none.serving is not None
    assert spared.serving.tokens_per_s_user > none.serving.tokens_per_s_user
    faster = size(change(none.scenario, {"runtime.host_gb_s": 400.0})).serving
    assert faster is not None
    assert faster.tokens_per_s_user > 2 * none.serving.tokens_per_s_user
    # all of them on the card is the same as not saying it
    assert memory(change(asked, {"runtime.kt_gpu_experts": 128})).per_gpu == memory(asked).per_gpu


def test_dspark_is_three_layers_more_of_deepseek_v4_alone() -> None:
    plain = change(build("deepseek-v4-flash", "mxfp4", "b200-sxm", 2), {"layout.tp": 2, "layout.ep": 1})
    one, three = (memory(change(plain, {"runtime.speculative": method})) for method in ("mtp", "dspark"))
    base = memory(plain).worst.weights_bytes
    assert three.worst.weights_bytes - base == pytest.approx(3 * (one.worst.weights_bytes - base), rel=1e-6)
    assert three.reported_concurrency < memory(plain).reported_concurrency
    with pytest.raises(ScenarioError, match="DSpark"):
        size(change(build("qwen3.5-27b", "fp8", "h100-sxm"), {"runtime.speculative": "dspark"}))


def test_a_start_within_its_error_is_told_first_and_cured() -> None:
    # vllm-project/recipes 831: 939 blocks where 1,132 are said, for the 1,024 sequences that nobody asked for
    sizing = size(build("qwen3.5-27b", "fp8", "rtx-pro-6000-max-q"))
    assert sizing.memory.may_not_start
    assert "may not start" in text_of(sizing.answer.why)
    first = advice(sizing.scenario).first
    assert first is not None
    assert dict(first.changes) == {"runtime.max_num_seqs": 512}
    cured = size(change(sizing.scenario, dict(first.changes)))
    assert not cured.memory.may_not_start
    assert "may not start" not in text_of(cured.answer.why)
    assert (cured.memory.state_blocks or 0) > 1.25 * 512
    assert not memory(build("llama-3.1-8b", "bf16", "h100-sxm")).may_not_start
