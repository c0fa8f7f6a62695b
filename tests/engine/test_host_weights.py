"""llama.cpp's own accounting, and weights that stay in host memory."""

from __future__ import annotations

from typing import Any

import pytest

import catalog
from engine.decide.advice import advice
from engine.decide.size import size
from engine.figures.sentences import text_of
from engine.figures.units import GIB, MIB
from engine.scenario import Runtime, Scenario, Workload
from engine.scenario.change import change
from engine.serving.buffers import compute_buffer_bytes
from engine.serving.settings import engine_settings


def build(model: str, weights: str, card: str, gpus: int = 1, kv: str = "bf16", **settings: Any) -> Scenario:
    return catalog.build_scenario(
        model,
        weights,
        card,
        gpus,
        kv_cache=kv,
        workload=Workload(concurrency=1, input_tokens=2000, output_tokens=500),
        runtime=Runtime(engine="llama.cpp", **settings),
    )


def test_a_large_gpt_oss_weighs_what_its_file_does() -> None:
    # published: 59.02 GiB; as other engines hold it, 60.8
    weighs = size(build("gpt-oss-120b", "mxfp4", "rtx-pro-6000-server")).model.weight_bytes / GIB
    assert weighs == pytest.approx(59.02, rel=0.01)


def test_cells_and_states_are_those_of_a_log() -> None:
    # Qwen3-Coder-Next, four sequences in 131,072 cells: 3,072 MiB of KV and 301.5 of states
    scenario = build("qwen3-next-80b-a3b", "gguf-q3_k_m", "rtx-pro-6000-server", max_model_len=131072)
    long = change(scenario, {"workload.input_tokens": 131000, "workload.output_tokens": 72})
    one = size(long).memory.per_gpu[0].kv_bytes
    assert one / MIB == pytest.approx(3072 + 301.5 / 4, rel=0.001)
    drafts = size(change(long, {"runtime.speculative": "ngram", "runtime.speculative_tokens": 2})).memory
    assert (drafts.per_gpu[0].kv_bytes - one) / MIB == pytest.approx(2 * 301.5 / 4, rel=0.01)


@pytest.mark.parametrize(("tokens", "mib"), [(512, 142.1), (2048, 568.5)])
def test_the_compute_buffer_is_that_of_two_logs(tokens: int, mib: float) -> None:
    scenario = build("qwen3.5-27b", "gguf-q4_k_m", "rtx-3090", max_model_len=8192, max_num_batched_tokens=tokens)
    settings = engine_settings(scenario, size(scenario).layout)
    buffers = settings.rules.buffers
    assert buffers is not None
    assert compute_buffer_bytes(scenario.model.architecture, settings, buffers) / MIB == pytest.approx(mib, rel=0.03)


def test_experts_on_the_host_make_room_and_take_time() -> None:
    whole, spared = (size(build("qwen3-30b-a3b", "gguf-q4_k_m", "rtx-4090", n_cpu_moe=layers)) for layers in (None, 24))
    assert whole.serving is not None
    assert spared.serving is not None
    moved = whole.memory.per_gpu[0].weights_bytes - spared.memory.per_gpu[0].weights_bytes
    assert moved == spared.memory.host_bytes > 7 * GIB
    assert whole.power.host_memory_gib_min is not None
    assert spared.power.host_memory_gib_min == pytest.approx(whole.power.host_memory_gib_min + moved / GIB)
    assert spared.serving.tokens_per_s_user < whole.serving.tokens_per_s_user
    faster = size(change(spared.scenario, {"runtime.host_gb_s": 400.0})).serving
    assert faster is not None
    assert faster.tokens_per_s_user > spared.serving.tokens_per_s_user


def test_layers_on_the_host_take_their_kv_along() -> None:
    scenario = build("llama-3.1-70b", "gguf-q4_k_m", "rtx-4090", n_gpu_layers=40)
    half = size(scenario).memory
    assert half.starts
    assert not size(build("llama-3.1-70b", "gguf-q4_k_m", "rtx-4090")).memory.starts
    tokens = half.per_gpu[0].kv_capacity_bytes / half.kv_capacity_tokens
    assert tokens == pytest.approx(40 * 8 * 128 * 2 * 2, rel=0.01)


def test_vllm_copies_weights_over_the_slot() -> None:
    scenario = change(build("llama-3.1-70b", "fp8", "h100-sxm"), {"runtime.engine": "vllm"})
    assert not size(change(scenario, {"model.weights": "bf16"})).memory.starts
    offloaded = size(change(scenario, {"runtime.cpu_offload_gb": 20.0}))
    assert offloaded.memory.starts
    assert offloaded.memory.host_bytes == 20 * GIB
    assert offloaded.serving is not None
    assert offloaded.serving.single_stream_tokens_per_s < 3.2  # 21.5 GB over some 53 GB/s


def test_rows_leave_the_whole_cache_on_the_first_card() -> None:
    # tools/server/README.md of llama.cpp: with --split-mode row, intermediate results and KV are on --main-gpu
    asked = catalog.build_scenario(
        "llama-3.1-8b",
        "gguf-q4_k_m",
        "rtx-3090",
        2,
        workload=Workload(concurrency=4, input_tokens=8000, output_tokens=100),
    )
    asked = change(asked, {"runtime.engine": "llama.cpp"})
    layers = size(change(asked, {"layout.pp": 2, "layout.tp": 1})).memory
    rows = size(change(asked, {"layout.tp": 2, "layout.pp": 1})).memory
    one = size(change(asked, {"hardware.gpus_per_node": 1})).memory
    by_label = {group.rank_group: group for group in rows.per_gpu}
    first, others = by_label["the first GPU"], by_label["the others"]
    assert (first.gpus, others.gpus) == (1, 1)
    assert first.kv_bytes == one.per_gpu[0].kv_bytes == sum(group.kv_bytes for group in layers.per_gpu)
    assert others.kv_bytes == 0
    assert first.weights_bytes == others.weights_bytes
    # what one card's room holds, not what two hold
    assert one.kv_capacity_tokens < rows.kv_capacity_tokens < 0.75 * layers.kv_capacity_tokens


def moved(scenario: Scenario) -> tuple[str, float]:
    """Key and value of the one setting that keeps experts in host memory among the changes on offer."""
    pairs = [dict(cure.changes) for cure in advice(scenario).found if cure.kind == "runtime"]
    (found,) = [pair for pair in pairs if set(pair) & {"runtime.n_cpu_moe", "runtime.kt_gpu_experts"}]
    ((key, value),) = found.items()
    assert isinstance(value, int)
    return key, value


@pytest.mark.parametrize("entered", [None, 14])
def test_a_mixture_that_a_card_has_no_room_for_is_offered_experts_in_host_memory(entered: int | None) -> None:
    scenario = build("gpt-oss-120b", "mxfp4", "rtx-5090", n_cpu_moe=entered)
    assert not size(scenario).memory.starts
    key, layers = moved(scenario)
    assert key == "runtime.n_cpu_moe"
    assert layers > (entered or 0)
    assert size(change(scenario, {key: layers})).memory.fits
    assert not size(change(scenario, {key: layers - 3})).memory.fits  # and no more than it takes
    short = change(scenario, {"runtime.host_ram_gib": 16})
    assert not any("runtime.n_cpu_moe" in dict(cure.changes) for cure in advice(short).found)
    dense = build("llama-3.1-70b", "gguf-q4_k_m", "rtx-5090")
    assert not any("runtime.n_cpu_moe" in dict(cure.changes) for cure in advice(dense).found)


def test_ktransformers_is_offered_fewer_experts_on_the_cards() -> None:
    on_cards: dict[str, Any] = {"runtime.engine": "sglang", "runtime.kt_gpu_experts": 30, "layout.tp": 2}
    scenario = change(build("kimi-k2.5", "int4", "rtx-5090", 2), on_cards)
    assert not size(scenario).memory.starts
    key, experts = moved(scenario)
    assert key == "runtime.kt_gpu_experts"
    assert experts < 30
    assert size(change(scenario, {key: experts})).memory.starts


def test_the_first_line_tells_of_a_host_that_has_less_memory_than_stays_there() -> None:
    scenario = build("gpt-oss-120b", "mxfp4", "rtx-5090", n_cpu_moe=36)
    short = size(change(scenario, {"runtime.host_ram_gib": 16}))
    assert "host memory, and a node has 16 GiB" in text_of(short.answer.why)
    first = advice(short.scenario).first
    assert first is not None
    assert dict(first.changes) == {"runtime.host_ram_gib": 64.0}
    assert "host memory" not in text_of(size(first.scenario).answer.why)
    enough: tuple[int | None, ...] = (512, None)
    for ram in enough:
        assert "host memory" not in text_of(size(change(scenario, {"runtime.host_ram_gib": ram})).answer.why)
