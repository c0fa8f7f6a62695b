"""Laws of the first token on GPUs that share the host's memory, where users arrive at once: compute is short, waits are long."""

from __future__ import annotations

from dataclasses import replace

import pytest

import catalog
from catalog.scenarios import build_scenario
from engine.decide.size import size
from engine.model.flops import matmul_flops_per_token
from engine.runtimes.engine import ServingEngine
from engine.scenario import Runtime, Scenario, Workload
from engine.sizing import Serving

USERS, PROMPT, ANSWER = 8, 2048, 128
UNIFIED = tuple(card.id for card in catalog.load().facts.accelerators if card.unified_memory)
SPARKS = ("gb10", "jetson-t5000", "jetson-orin-64gb", "strix-halo-128gb", "apple-m3-ultra", "apple-m4-max-128gb")
"""One of each family, which serve several users."""
BUILDS: tuple[tuple[str, str, ServingEngine], ...] = (
    ("qwen3-8b", "bf16", "vllm"),
    ("qwen3-8b", "gguf-q4_k_m", "llama.cpp"),
    ("llama-3.1-8b", "fp8", "vllm"),
)
"""Dense models, whose prompts are arithmetic: those of a mixture share the reading of its experts, and wait less for each other."""


def asked(card: str, model: str, weights: str, engine: ServingEngine, users: int, requests: int | None) -> Scenario:
    work = Workload(kind="serve", concurrency=users, input_tokens=PROMPT, output_tokens=ANSWER, requests=requests)
    slots = USERS if engine == "llama.cpp" else None
    return build_scenario(model, weights, card, 1, workload=work, runtime=Runtime(engine=engine, max_num_seqs=slots))


def served(scenario: Scenario) -> Serving:
    serving = size(scenario).serving
    assert serving is not None
    return serving


def fastest_s(scenario: Scenario) -> float:
    """Seconds of a prompt's matrix products at the highest rate that the card's sheet states."""
    card = scenario.hardware.accelerator
    sixteen = card.tflops_bf16_dense or card.tflops_fp16_dense or 0.0
    best = max(sixteen, card.tflops_fp8_dense or 0.0, card.tops_int8_dense or 2 * sixteen)
    if scenario.model.weights == "bf16":
        best = sixteen
    return PROMPT * matmul_flops_per_token(scenario.model.architecture, False) / (best * 1e12)


def test_the_laws_concern_every_family() -> None:
    assert set(SPARKS) <= set(UNIFIED)
    assert len(UNIFIED) > 30


@pytest.mark.parametrize("card", SPARKS)
@pytest.mark.parametrize(("model", "weights", "engine"), BUILDS)
def test_users_who_arrive_at_once_wait_for_half_of_each_other(
    card: str, model: str, weights: str, engine: ServingEngine
) -> None:
    """Eight prompts that are sent together are read one after another or together: the mean is half of all eight at the least."""
    alone = served(asked(card, model, weights, engine, 1, 1)).ttft_s
    burst = served(asked(card, model, weights, engine, USERS, USERS)).ttft_s
    run = served(asked(card, model, weights, engine, USERS, 10 * USERS)).ttft_s
    steady = served(asked(card, model, weights, engine, USERS, None)).ttft_s
    assert 4 * alone <= burst <= USERS * alone
    # a longer run starts with the same burst and then comes apart
    assert alone < steady <= run < burst


@pytest.mark.parametrize("card", SPARKS)
def test_prompts_of_a_mixture_share_the_reading_of_its_experts(card: str) -> None:
    alone, burst = (served(asked(card, "gpt-oss-20b", "mxfp4", "vllm", users, users)).ttft_s for users in (1, USERS))
    assert 2 * alone < burst < USERS * alone


@pytest.mark.parametrize("card", UNIFIED)
def test_no_first_token_comes_before_its_prompts_at_the_card_s_peak(card: str) -> None:
    one = asked(card, "llama-3.2-1b", "bf16", "vllm", 1, 1)
    if catalog.load().accelerator(card).vendor == "Apple":
        one = asked(card, "llama-3.2-1b", "gguf-q8_0", "llama.cpp", 1, 1)
    work = replace(one.workload, concurrency=USERS, requests=USERS)
    assert served(one).ttft_s >= fastest_s(one)
    assert served(replace(one, workload=work)).ttft_s >= (USERS + 1) / 2 * fastest_s(one)


def test_a_published_burst_on_a_jetson_thor_lies_in_the_interval() -> None:
    """0.97 s for eight users of Qwen3 8B (wangjunjian.com, Jetson Thor LLM benchmarking, 2025-10-12); 0.3 s in a steady state."""
    burst = served(asked("jetson-t5000", "qwen3-8b", "bf16", "vllm", USERS, USERS))
    assert burst.ttft_interval.low < 0.97 < burst.ttft_interval.high
