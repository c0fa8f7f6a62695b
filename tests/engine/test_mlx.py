"""MLX on Macs: its cells, its budget, what it reads, and what its speeds are said to rest on."""

from __future__ import annotations

import pytest

import catalog
from engine.decide.size import size
from engine.figures.errors import ScenarioError
from engine.figures.units import GIB
from engine.model.parameters import count_parameters
from engine.scenario import Scenario, Workload
from engine.scenario.change import change
from engine.serving.settings import visible_bytes
from engine.sizing import Memory

MAC = "apple-m4-max-128gb"


def build(model: str = "qwen3-8b", weights: str = "mlx-4bit", card: str = MAC, tokens: int = 8000) -> Scenario:
    scenario = catalog.build_scenario(
        model, weights, card, workload=Workload(concurrency=1, input_tokens=tokens - 100, output_tokens=100)
    )
    return change(scenario, {"runtime.engine": "mlx"})


def memory(scenario: Scenario) -> Memory:
    return size(scenario).memory


def test_weights_are_four_bits_and_half_a_bit_of_scale_and_bias() -> None:
    # mlx.core.quantize, affine: 16 bits each for 64 weights; mlx-community/Qwen3-8B-4bit is 4.61 GB
    scenario = build()
    counted = count_parameters(scenario.model.architecture).total
    found = memory(scenario).worst.weights_bytes
    assert found == pytest.approx(counted * 4.5 / 8, rel=0.005)
    assert found == pytest.approx(4.61e9, rel=0.01)


@pytest.mark.parametrize(("tokens", "held"), [(256, 256), (257, 512), (8000, 8192)])
def test_a_sequence_grows_by_256_tokens(tokens: int, held: int) -> None:
    # mlx_lm/models/cache.py: KVCache.step
    scenario = build(tokens=tokens)
    each = 36 * 2 * 8 * 128 * 2
    assert memory(scenario).worst.kv_bytes == held * each
    packed = memory(change(scenario, {"model.kv_cache": "q8_0"})).worst.kv_bytes
    assert packed == pytest.approx(held * each * 8.5 / 16, rel=1e-3)


def test_windows_and_states_are_kept_as_they_are() -> None:
    gemma = memory(build("gemma-3-27b", tokens=32000)).worst.kv_bytes
    full = memory(build("qwen3-32b", tokens=32000)).worst.kv_bytes
    assert full == 32000 // 256 * 256 * 64 * 2 * 8 * 128 * 2
    assert gemma < 0.7 * full
    hybrid = build("qwen3.5-27b", tokens=256)
    states = 48 * (48 * 128 * 128 * 4 + 3 * 10240 * 2)
    assert memory(hybrid).worst.kv_bytes == pytest.approx(256 * 16 * 4 * 256 * 2 * 2 + states, rel=0.01)


def test_it_fills_what_metal_wires() -> None:
    scenario = build("llama-3.3-70b")
    found = memory(scenario)
    assert found.starts
    assert found.worst.usable_bytes == visible_bytes(scenario.hardware.accelerator) == 96 * GIB
    assert not memory(build("llama-3.3-70b", "bf16")).starts
    assert memory(change(scenario, {"runtime.host_reserve_gib": 64.0})).kv_capacity_tokens < found.kv_capacity_tokens


def test_towers_are_not_loaded() -> None:
    seen = build("qwen3-vl-8b")
    assert memory(seen).worst.weights_bytes == pytest.approx(memory(build("qwen3-8b")).worst.weights_bytes, rel=0.02)


def test_it_runs_on_macs_and_reads_its_own_files() -> None:
    with pytest.raises(ScenarioError, match="MLX on"):
        size(change(catalog.build_scenario("qwen3-8b", "mlx-4bit", "rtx-4090"), {"runtime.engine": "mlx"}))
    other = change(build(), {"runtime.engine": "llama.cpp"})
    warned = {notice.id: notice for notice in size(other).warnings}
    fix = warned["mlx-engine"].fix
    assert fix is not None
    assert dict(fix.changes) == {"runtime.engine": "mlx"}
    assert "mlx-engine" not in {notice.id for notice in size(build()).warnings}


def test_no_row_narrows_its_speed() -> None:
    # the same bytes over the same bandwidth as llama.cpp; its interval is wider, since no row of it was there
    mlx, cpp = (size(change(build(weights="mlx-8bit"), {"runtime.engine": engine})) for engine in ("mlx", "llama.cpp"))
    assert mlx.serving is not None
    assert cpp.serving is not None
    assert mlx.serving.inter_token_s == pytest.approx(cpp.serving.inter_token_s, rel=0.1)
    wide, narrow = mlx.serving.inter_token_interval, cpp.serving.inter_token_interval
    assert wide.high / wide.low > narrow.high / narrow.low
    assert mlx.serving.inter_token_s > mlx.memory.worst.weights_bytes / (546e9)
