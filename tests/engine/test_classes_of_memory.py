"""Kinds of builds that people asked about, each with several of other models, cards and numbers, by arithmetic and by order."""

from __future__ import annotations

import pytest

from engine.decide.size import size
from engine.figures.units import GIB
from engine.scenario import Layout
from engine.scenario.change import change
from engine.serving.ranks import loaded
from tests.engine.test_drafts import build, memory


@pytest.mark.parametrize(
    ("model", "weights", "kv", "card", "context", "starts"),
    [
        ("qwen3-8b", "gguf-q4_k_m", "bf16", "rtx-4060", 8192, True),
        ("qwen3-8b", "gguf-q8_0", "bf16", "rtx-4060", 8192, False),
        ("gemma-3-27b", "gguf-q4_k_m", "q8_0", "rtx-3090", 32768, True),
        ("llama-3.1-70b", "gguf-q4_k_m", "bf16", "rtx-3090", 4096, False),
        ("gpt-oss-20b", "mxfp4", "bf16", "rtx-4070-ti-super", 32768, True),
        ("gpt-oss-120b", "mxfp4", "bf16", "rtx-a6000", 8192, False),
    ],
)
def test_llama_cpp_starts_by_file_cells_and_buffer(
    model: str, weights: str, kv: str, card: str, context: int, starts: bool
) -> None:
    asked = build(model, weights, card, model__kv_cache=kv, runtime__engine="llama.cpp", runtime__max_model_len=context)
    found = memory(change(asked, {"workload.input_tokens": 1000}))
    assert found.starts == starts
    held = found.per_gpu[0]
    assert held.runtime_bytes < 0.3 * GIB  # nothing is captured or profiled beside the computed buffer


@pytest.mark.parametrize(
    ("model", "weights", "card", "gpus"),
    [
        ("qwen3.5-27b", "bf16", "h100-sxm", 1),
        ("qwen3.5-27b", "fp8", "h100-sxm", 1),
        ("qwen3.5-35b-a3b", "bf16", "rtx-pro-6000-server", 1),
        ("qwen3-next-80b-a3b", "fp8", "h100-sxm", 2),
        ("qwen3.5-122b-a10b", "fp8", "h200-sxm", 1),
    ],
)
def test_a_hybrid_at_its_default_of_sequences(model: str, weights: str, card: str, gpus: int) -> None:
    sizing = size(build(model, weights, card, gpus, layout__tp=gpus))
    assert sizing.resolved.max_num_seqs == 1024
    blocks = sizing.memory.state_blocks
    assert blocks is not None
    assert sizing.memory.starts == (blocks >= 1024)
    told = {one.id for one in sizing.warnings}
    assert bool(told & {"no-start", "start-margin"}) == (blocks < 1.25 * 1024)
    assert memory(change(sizing.scenario, {"runtime.max_num_seqs": 16})).starts


@pytest.mark.parametrize(
    ("model", "layers"), [("deepseek-r1", 61), ("glm-4.6", 92), ("glm-4.5-air", 46), ("qwen3.5-27b", 64)]
)
def test_a_prediction_layer_weighs_and_keeps(model: str, layers: int) -> None:
    asked = build(model, "fp8", "b200-sxm", 8, layout__tp=8, layout__pp=1, layout__dp=1)
    assert len(asked.model.architecture.layers) == layers
    plain, drafting = (loaded(one, Layout(tp=8)).ranks[0] for one in (asked, change(asked, {"model.mtp": True})))
    assert drafting.weights > plain.weights
    sequence = plain.pool.sequence_bytes(100_000, 8192)
    assert drafting.pool.sequence_bytes(100_000, 8192) > sequence


@pytest.mark.parametrize(
    ("model", "tp", "dcp"), [("deepseek-v3", 8, 8), ("deepseek-r1", 8, 2), ("kimi-k2", 16, 8), ("glm-4.5-air", 8, 1)]
)
def test_ranks_share_the_tokens_of_a_cache(model: str, tp: int, dcp: int) -> None:
    asked = build(model, "fp8", "b200-sxm", 8, layout__tp=tp, layout__pp=1, layout__dp=1)
    asked = change(asked, {"hardware.nodes": tp // 8})
    plain, shared = memory(asked), memory(change(asked, {"layout.dcp": dcp}))
    assert shared.kv_capacity_tokens == pytest.approx(dcp * plain.kv_capacity_tokens, rel=0.01)
    assert shared.per_gpu[0].weights_bytes == plain.per_gpu[0].weights_bytes


@pytest.mark.parametrize(
    ("card", "share", "starts"),
    [
        ("gb10", 0.95, False),
        ("gb10", 0.85, True),
        ("jetson-t5000", 0.99, False),
        ("strix-halo-128gb", 0.97, False),
        ("strix-halo-128gb", 0.8, True),
    ],
)
def test_the_host_has_its_part_of_a_shared_memory(card: str, share: float, starts: bool) -> None:
    asked = build("llama-3.1-8b", "bf16", card, runtime__memory_utilization=share)
    assert memory(asked).starts == starts
    assert memory(change(asked, {"runtime.host_reserve_gib": 0.0})).starts


@pytest.mark.parametrize(
    ("model", "card", "gpus", "share"),
    [
        ("llama-3.1-70b", "gaudi-2", 2, 0.9),
        ("llama-3.1-8b", "gaudi-3", 1, 0.5),
        ("qwen3-32b", "gaudi-2", 1, 0.7),
        ("minimax-m2.7", "gaudi-2", 4, 0.9),
    ],
)
def test_gaudi_s_share_is_of_what_is_left(model: str, card: str, gpus: int, share: float) -> None:
    asked = build(model, "fp8", card, gpus, layout__tp=gpus, layout__pp=1, runtime__memory_utilization=share)
    whole, half = (memory(change(asked, {"runtime.memory_utilization": one})).per_gpu[0] for one in (share, share / 2))
    assert whole.kv_capacity_bytes == pytest.approx(2 * half.kv_capacity_bytes, rel=1e-6)
    assert whole.kv_capacity_bytes < share * (whole.total_bytes - whole.weights_bytes)
    assert memory(asked).starts


@pytest.mark.parametrize(
    ("engine", "model", "weights", "card", "keys"),
    [
        ("vllm", "llama-3.1-70b", "bf16", "h100-sxm", {"runtime.cpu_offload_gb": 75.0}),
        ("sglang", "llama-3.1-70b", "fp8", "h100-sxm", {"runtime.cpu_offload_gb": 20.0}),
        ("sglang", "qwen3-32b", "bf16", "l40s", {"runtime.cpu_offload_gb": 30.0}),
        ("llama.cpp", "gpt-oss-120b", "mxfp4", "rtx-4090", {"runtime.n_cpu_moe": 28}),
        ("llama.cpp", "llama-3.1-70b", "gguf-q4_k_m", "rtx-3090", {"runtime.n_gpu_layers": 36}),
    ],
)
def test_what_the_host_holds_the_card_does_not(
    engine: str, model: str, weights: str, card: str, keys: dict[str, float]
) -> None:
    asked = change(build(model, weights, card), {"runtime.engine": engine, "runtime.max_model_len": 4096})
    asked = change(asked, {"workload.input_tokens": 2000})
    whole, spared = size(asked), size(change(asked, dict(keys)))
    assert not whole.memory.starts
    assert spared.memory.starts
    moved = whole.memory.per_gpu[0].weights_bytes - spared.memory.per_gpu[0].weights_bytes
    assert moved == spared.memory.host_bytes > 10 * GIB
    assert spared.serving is not None
    reads = moved / (60e9 if engine == "llama.cpp" else 63e9)
    sparse = asked.model.architecture.experts
    assert sparse or spared.serving.single_stream_tokens_per_s < 1 / reads
