"""Speeds that people published of builds that no constant was fitted on, and laws that arithmetic sets, as sizings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.decide.size import size
from engine.scenario import LayoutChoice, Runtime
from engine.sizing import Serving
from tests.engine.builds import build

TP8, ONE_RANK = LayoutChoice(8, 1, 1), LayoutChoice(1, 1, 8, dp_attention=True)
MILLION = {"input_tokens": 1_048_000, "output_tokens": 64}
LONG = Runtime(memory_utilization=0.95, max_num_batched_tokens=8192, max_num_seqs=256, max_model_len=1_048_576)


def served(
    model: str,
    weights: str,
    card: str,
    gpus: int = 1,
    layout: LayoutChoice | None = None,
    runtime: Runtime | None = None,
    kv_cache: str = "bf16",
    **asked: Any,
) -> Serving:
    """The serving figures of a build."""
    scenario = build(model, weights, card, gpus, 1, layout, **asked)
    scenario = replace(scenario, runtime=runtime or scenario.runtime, model=replace(scenario.model, kv_cache=kv_cache))
    found = size(scenario).serving
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("model", "weights", "card", "gpus", "asked", "observed"),
    [
        # https://www.millstoneai.com/inference-benchmark/gpt-oss-20b-mxfp4-1x-rtx-pro-6000-blackwell
        ("gpt-oss-20b", "mxfp4", "rtx-pro-6000-server", 1, {"input_tokens": 1024, "output_tokens": 1024}, 250),
        # https://jetsonhacks.com/wp-content/uploads/2025/10/spark-llamacpp-bench.html
        # 35B-A3B under llama.cpp on an RTX 3090 held to 220 W: 123 tokens/s after 8,200 tokens
        (
            "qwen3.5-35b-a3b",
            "gguf-q4_k_m",
            "rtx-3090",
            1,
            {"input_tokens": 8200, "output_tokens": 105, "runtime": Runtime(engine="llama.cpp")},
            123,
        ),
        (
            "gpt-oss-20b",
            "mxfp4",
            "gb10",
            1,
            {"input_tokens": 2048, "output_tokens": 32, "runtime": Runtime(engine="llama.cpp")},
            79.7,
        ),
        # https://setupai.cc/update/minimax-m27-nvfp4-2ba03556
        (
            "minimax-m2.7",
            "nvfp4",
            "rtx-pro-6000-workstation",
            2,
            {
                "input_tokens": 1000,
                "output_tokens": 1000,
                "runtime": Runtime(engine="sglang"),
                "layout": LayoutChoice(2),
            },
            127.7,
        ),
    ],
)
def test_a_mixture_for_one_user(
    model: str, weights: str, card: str, gpus: int, asked: dict[str, Any], observed: float
) -> None:
    found = served(model, weights, card, gpus, concurrency=1, **asked)
    assert found.tokens_per_s_user == pytest.approx(observed, rel=0.25)


@pytest.mark.parametrize("card", ["gb10", "strix-halo-128gb", "jetson-t5000", "apple-m3-ultra", "apple-m4-max-64gb"])
@pytest.mark.parametrize(("model", "weights"), [("gpt-oss-20b", "mxfp4"), ("qwen3-30b-a3b", "gguf-q4_k_m")])
def test_a_mixture_on_slow_memory_is_slower_than_reading_and_not_by_far(model: str, weights: str, card: str) -> None:
    """What a token reads by hand: of gpt-oss 20B 2.4 GB in 16 bits and 1.3 of experts, of the 30B 1.9 GB in Q4."""
    read_gb = {"gpt-oss-20b": 3.7, "qwen3-30b-a3b": 1.9}[model]
    asked: dict[str, Any] = {"concurrency": 1, "input_tokens": 256, "output_tokens": 256}
    scenario = build(model, weights, card, 1, **asked)
    found = served(model, weights, card, runtime=Runtime(engine="llama.cpp"), **asked)
    reading = scenario.hardware.accelerator.bandwidth_gb_s / read_gb
    assert 0.2 * reading <= found.tokens_per_s_user <= reading


def test_three_tokens_ahead() -> None:
    # 135 tokens/s of a 27B hybrid in NVFP4 on an RTX PRO 6000
    runtime = Runtime(speculative="mtp", speculative_tokens=3, max_num_seqs=8)
    asked: dict[str, Any] = {"concurrency": 1, "input_tokens": 2000, "output_tokens": 500}
    found = served("qwen3.5-27b", "nvfp4", "rtx-pro-6000-workstation", runtime=runtime, **asked)
    assert found.tokens_per_s_user == pytest.approx(135, rel=0.25)


@pytest.mark.parametrize("model", ["deepseek-v3.2", "glm-5"])
def test_an_indexer_reads_every_key(model: str) -> None:
    short, long = (
        served(model, "fp8", "h200-sxm", 8, TP8, concurrency=1, input_tokens=tokens, output_tokens=100).ttft_s
        for tokens in (8000, 128_000)
    )
    assert long >= 1.3 * 16 * short


@pytest.mark.parametrize(("layout", "users", "observed"), [(ONE_RANK, 1, 65), (TP8, 8, 314.6), (ONE_RANK, 8, 84.7)])
def test_a_million_tokens(layout: LayoutChoice, users: int, observed: float) -> None:
    # DeepSeek V4 Flash on 8x B200: https://github.com/vllm-project/vllm/issues/51454
    found = served(
        "deepseek-v4-flash", "mxfp4", "b200-sxm", 8, layout, kv_cache="fp8", concurrency=users, runtime=LONG, **MILLION
    )
    assert found.ttft_s == pytest.approx(observed, rel=0.5)


@pytest.mark.parametrize(
    ("model", "card"),
    [
        ("deepseek-v3", "h200-sxm"),
        ("kimi-k2", "b300-sxm"),
        ("deepseek-v3.2", "b200-sxm"),
        ("glm-4.6", "b200-sxm"),
        ("minimax-m2.7", "h200-sxm"),
    ],
)
def test_a_lone_prompt_is_read_by_one_rank_of_data_parallel_attention(model: str, card: str) -> None:
    asked: dict[str, Any] = {"concurrency": 1, "input_tokens": 8000, "output_tokens": 100}
    one, eight = (served(model, "fp8", card, 8, layout, **asked).ttft_s for layout in (ONE_RANK, TP8))
    assert one >= eight


@pytest.mark.parametrize(
    ("model", "weights", "card", "billions", "peak"),
    [
        ("llama-3.1-8b", "bf16", "h100-sxm", 7.0, 990),
        ("llama-3.1-8b", "fp8", "h100-sxm", 7.0, 1979),
        ("qwen3-14b", "bf16", "a100-sxm4-80gb", 13.2, 312),
        ("qwen3-8b", "nvfp4", "b200-sxm", 7.0, 9000),
    ],
)
def test_prompts_alone_are_no_faster_than_the_card(
    model: str, weights: str, card: str, billions: float, peak: float
) -> None:
    for tokens in (100, 1000, 8000):
        for users in (1, 64, 1024):
            found = served(model, weights, card, kind="batch", concurrency=users, input_tokens=tokens, output_tokens=1)
            assert found.requests_per_s * tokens * 2e9 * billions <= 0.85 * peak * 1e12
