"""Commands that leave weights with the host, or pictures out: as a session, or said to be not modelled."""

from __future__ import annotations

import time

import pytest

from engine.scenario.change import value_of
from tests.tui.test_import import read
from tui.paste.overrides import EVERY_LAYER, experts_on_host

LLAMA = "llama-server -m Qwen3-30B-A3B-Q4_K_M.gguf -c 32768 -ngl 99 "


@pytest.mark.parametrize(
    ("options", "layers"),
    [
        ("--cpu-moe", EVERY_LAYER),
        ("-cmoe", EVERY_LAYER),
        ("--n-cpu-moe 12", 12),
        ("-ot exps=CPU", EVERY_LAYER),
        ('-ot ".ffn_.*_exps.=CPU"', EVERY_LAYER),
        (r'-ot "blk\.(2[0-9]|3[0-9])\.ffn_.*_exps\.=CPU"', 20),
        (r'--override-tensor "blk\.[0-7]\.ffn_(up|down|gate)_exps=CPU"', 8),
        (r'-ot "blk\.1\..*exps=CPU" -ot "blk\.2\..*exps=CPU,blk\.3\..*exps=CPU"', 3),
    ],
)
def test_experts_that_stay_with_the_host_are_counted_in_layers(options: str, layers: int) -> None:
    found, scenario = read(LLAMA + options)
    assert not found.unknown
    assert value_of(scenario, "runtime.n_cpu_moe") == layers


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("exps=CUDA1", "which card"),
        ("ffn_up_exps=CPU", "part of a layer"),
        (r"blk\.5\.attn.*=CPU", "names no experts"),
        ("exps", "PATTERN=PLACE"),
        ("(exps=CPU", "not a pattern"),
        ("(e+)+$=CPU", "long to match"),
        (".*.*.*.*.*x=CPU", "long to match"),
    ],
)
def test_other_overrides_are_said_and_change_nothing(pattern: str, why: str) -> None:
    began = time.monotonic()
    said = experts_on_host(pattern)
    assert isinstance(said, str)
    assert why in said
    assert time.monotonic() - began < 1
    found, scenario = read(f"{LLAMA} -ot '{pattern}'")
    assert any(why in one for one in found.unknown)
    assert value_of(scenario, "runtime.n_cpu_moe") is None


@pytest.mark.parametrize(
    ("limit", "text_only"),
    [
        ('\'{"image":0,"video":0}\'', True),
        ('\'{"image":0,"video":0,"audio":0}\'', True),
        ("image=0,video=0", True),
        ('\'{"image":0,"audio":0}\'', False),
        ('\'{"image":2,"video":0}\'', False),
    ],
)
def test_no_picture_and_no_video_is_text_alone(limit: str, text_only: bool) -> None:
    found, scenario = read(f"vllm serve google/gemma-3-27b-it --limit-mm-per-prompt {limit}")
    assert not found.unknown
    assert value_of(scenario, "runtime.text_only") == text_only


def test_weights_that_sglang_leaves_with_the_host_are_off_the_card() -> None:
    found, scenario = read("python -m sglang.launch_server --model-path Qwen/Qwen3-32B --cpu-offload-gb 20")
    assert not found.unknown
    assert value_of(scenario, "runtime.cpu_offload_gb") == 20
    assert scenario.runtime.rules.host == "copied"


@pytest.mark.parametrize(
    "option", ["--kt-cpuinfer 60", "--enable-hierarchical-cache", "--hicache-ratio 2", "--kt-method AMXINT4"]
)
def test_options_that_nothing_is_sized_by_are_called_not_modelled(option: str) -> None:
    found, _ = read(f"python -m sglang.launch_server --model-path Qwen/Qwen3-30B-A3B {option}")
    assert found.unknown == [f"{option}: not modelled"]


@pytest.mark.parametrize(
    ("command", "key", "value"),
    [
        ("vllm serve Qwen/Qwen3-8B --kv-cache-memory-bytes 20g", "runtime.kv_cache_gib", 20e9 / 2**30),
        ("vllm serve Qwen/Qwen3-8B --kv-cache-memory-bytes 20G", "runtime.kv_cache_gib", 20.0),
        ("vllm serve Qwen/Qwen3.5-27B --mamba-ssm-cache-dtype float16", "runtime.state_dtype", "bf16"),
        ("vllm serve Qwen/Qwen3.5-27B --skip-mm-profiling", "runtime.skip_mm_profiling", True),
        ("python -m sglang.launch_server --model-path Qwen/Qwen3.5-27B --mamba-ssm-dtype float32", "runtime.state_dtype", "fp32"),
        ("python -m sglang.launch_server --model-path Qwen/Qwen3.5-27B --max-mamba-cache-size 21", "runtime.state_slots", 21),
        ("python -m sglang.launch_server --model-path Qwen/Qwen3-30B-A3B --kt-num-gpu-experts 32", "runtime.kt_gpu_experts", 32),
        ("mlx_lm.server --model mlx-community/Qwen3-8B-4bit --decode-concurrency 4", "runtime.max_num_seqs", 4),
        ("python -m mlx_lm.server --model mlx-community/Qwen3-8B-4bit --kv-bits 8", "model.kv_cache", "q8_0"),
        ("mlx_lm.server --model mlx-community/Qwen3-8B-4bit --port 8080", "model.weights", "mlx-4bit"),
    ],
)  # fmt: skip
def test_what_an_engine_is_told_of_its_memory_is_read(command: str, key: str, value: object) -> None:
    found, scenario = read(command)
    assert not found.unknown
    assert value_of(scenario, key) == (pytest.approx(value) if isinstance(value, float) else value)
