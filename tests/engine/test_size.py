"""What a whole sizing says: the laws that hold for any scenario, and the refusals."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.decide.size import size
from engine.figures.errors import ScenarioError
from engine.scenario import LayoutChoice, Runtime
from engine.sizing import MemoryGroup
from tests.engine.builds import build

MODELS = (
    "llama-3.1-8b",
    "llama-3.1-70b",
    "mixtral-8x22b",
    "deepseek-v3",
    "gemma-3-27b",
    "qwen3-30b-a3b",
    "gpt-oss-120b",
)
CARDS = ("h100-sxm", "rtx-pro-6000-server", "rtx-5090", "a100-sxm4-80gb", "l40s", "mi300x")
FORMATS = ("bf16", "fp8", "int4")

serving = st.fixed_dictionaries(
    {
        "model": st.sampled_from(MODELS),
        "accelerator": st.sampled_from(CARDS),
        "weights": st.sampled_from(FORMATS),
        "gpus_per_node": st.sampled_from((1, 2, 4, 8)),
        "nodes": st.sampled_from((1, 2)),
        "concurrency": st.integers(1, 2000),
        "input_tokens": st.integers(1, 24000),
        "output_tokens": st.integers(1, 4000),
        "kind": st.sampled_from(("serve", "batch")),
    }
)
training = st.fixed_dictionaries(
    {
        "model": st.sampled_from(("llama-3.1-8b", "llama-3.1-70b", "qwen3-30b-a3b")),
        "accelerator": st.sampled_from(CARDS),
        "gpus_per_node": st.sampled_from((1, 2, 8)),
        "nodes": st.sampled_from((1, 2)),
        "kind": st.sampled_from(("lora", "qlora", "full-finetune", "pretrain")),
        "sequence_length": st.integers(128, 16384),
        "micro_batch": st.integers(1, 8),
        "recompute": st.sampled_from(("none", "selective", "full")),
        "sharding": st.sampled_from(("ddp", "zero1", "zero2", "zero3")),
    }
)
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def adds_up(group: MemoryGroup) -> bool:
    """Whether the parts of a group are exactly its card."""
    parts = (
        group.weights_bytes
        + group.kv_bytes
        + group.activation_bytes
        + group.runtime_bytes
        + group.optimizer_bytes
        + group.gradient_bytes
        + group.free_bytes
    )
    return parts == group.total_bytes


@quick
@given(st.one_of(serving, training))
def test_memory_adds_up_to_the_card(fields: dict[str, Any]) -> None:
    sizing = size(build(**fields))
    assert all(adds_up(group) for group in sizing.memory.per_gpu)
    assert all(
        group.total_bytes == sizing.scenario.hardware.accelerator.memory_bytes for group in sizing.memory.per_gpu
    )
    assert sum(group.gpus for group in sizing.memory.per_gpu) == sizing.layout.gpus
    frees = [group.free_bytes for group in sizing.memory.per_gpu]
    assert frees[0] == min(frees), "the worst group comes first"


@quick
@given(st.one_of(serving, training))
def test_the_first_yes_ends_the_verdict(fields: dict[str, Any]) -> None:
    verdict = size(build(**fields)).verdict
    assert [step.number for step in verdict.steps] == [0, 1, 2, 3, 4, 5]
    yes = [step.number for step in verdict.steps if step.yes]
    if verdict.answer == "does-not-fit":
        assert not yes
    else:
        assert verdict.step == yes[0]
    assert all(step.reached == (not yes or step.number <= yes[0]) for step in verdict.steps)
    assert verdict.headline
    assert all(step.answer for step in verdict.steps)


@quick
@given(serving)
def test_intervals_contain_their_estimate(fields: dict[str, Any]) -> None:
    sizing = size(build(**fields))
    if sizing.serving is None:
        assert not sizing.memory.starts
        return
    s = sizing.serving
    assert s.ttft_interval.low <= s.ttft_s <= s.ttft_interval.high
    assert s.inter_token_interval.low <= s.inter_token_s <= s.inter_token_interval.high
    assert s.tokens_per_s_interval.low <= s.tokens_per_s_total <= s.tokens_per_s_interval.high
    assert 0.0 <= s.communication_share <= 1.0
    assert 0 < s.served_concurrency <= fields["concurrency"]


@quick
@given(serving, st.integers(2, 6))
def test_ttft_rises_with_the_prompt(fields: dict[str, Any], factor: int) -> None:
    pinned = {
        **fields,
        "kind": "serve",
        "input_tokens": min(fields["input_tokens"], 20000 // factor),
        "concurrency": 1,
    }
    short = size(build(**pinned))
    layout = LayoutChoice(short.layout.tp, short.layout.pp, short.layout.dp)
    longer = size(build(**{**pinned, "input_tokens": pinned["input_tokens"] * factor}, layout=layout))
    if short.serving and longer.serving:
        assert longer.serving.ttft_s >= short.serving.ttft_s


@pytest.mark.parametrize("model", MODELS)
def test_more_gpus_never_raise_weights_per_gpu(model: str) -> None:
    shares = [
        size(build(model, gpus_per_node=gpus, layout=LayoutChoice(tp=gpus, pp=1, dp=1))).memory.worst.weights_bytes
        for gpus in (1, 2, 4, 8)
    ]
    assert shares == sorted(shares, reverse=True)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"concurrency": 0}, "workload.concurrency"),
        ({"input_tokens": 0}, "workload.input_tokens"),
        ({"input_tokens": 131072}, "workload.input_tokens"),
        ({"output_tokens": 200_000}, "workload.output_tokens"),
        ({"ttft_target_s": 0.0}, "workload.ttft_target_s"),
        ({"kind": "lora", "lora_rank": 0}, "workload.lora_rank"),
        ({"gpus_per_node": 0}, "hardware.gpus_per_node"),
        ({"nodes": 0}, "hardware.nodes"),
        ({"layout": LayoutChoice(tp=3)}, "layout.tp"),
        ({"layout": LayoutChoice(tp=16)}, "layout.tp"),
        ({"layout": LayoutChoice(pp=100)}, "layout.pp"),
        ({"layout": LayoutChoice(tp=8, pp=2)}, "layout.pp"),
        ({"layout": LayoutChoice(ep=2)}, "layout.ep"),
        ({"weights": "fp7"}, "model.weights"),
    ],
)
def test_impossible_scenarios_name_their_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        size(build(**change))
    assert caught.value.field == field
    assert caught.value.reason


def test_an_invalid_tp_names_the_nearest_valid_one() -> None:
    with pytest.raises(ScenarioError) as caught:
        size(build(layout=LayoutChoice(tp=7)))
    assert caught.value.nearest == 8
    with pytest.raises(ScenarioError) as caught:
        size(build(layout=LayoutChoice(tp=3)))
    assert caught.value.nearest in (2, 4)


def test_an_engine_with_a_context_below_the_request_starts_and_takes_none() -> None:
    scenario = build(input_tokens=7000, output_tokens=1000)
    found = size(replace(scenario, runtime=Runtime(max_model_len=4096)))
    assert found.memory.starts
    assert found.memory.users_that_fit == 0
    assert found.answer.status == "overloaded"


def test_the_same_scenario_gives_the_same_sizing() -> None:
    assert size(build()) == size(build())


@pytest.mark.clock
def test_one_sizing_is_fast_enough_to_follow_typing() -> None:
    """The budget is 1 ms on an idle core (scripts/measure.py prints it); 5 ms of the processor for a busy one."""
    scenario = build()
    size(scenario)
    samples = []
    for users in range(40, 70):
        changed = replace(scenario, workload=replace(scenario.workload, concurrency=users))
        start = time.process_time()
        size(changed)
        samples.append(time.process_time() - start)
    assert min(samples) < 0.005


def test_an_overloaded_node_runs_small_replicas_rather_than_one_wide_one() -> None:
    sizing = size(build("llama-3.1-8b", "bf16", "h100-sxm", concurrency=5000))
    assert not sizing.memory.fits
    assert (sizing.layout.tp, sizing.layout.dp) == (1, 8)


def test_llama_cpp_gives_each_gpu_whole_layers() -> None:
    scenario = build("llama-3.3-70b", "gguf-q4_k_m", "rtx-3090", 2, concurrency=1, input_tokens=2000, output_tokens=500)
    layered = size(replace(scenario, runtime=replace(scenario.runtime, engine="llama.cpp")))
    assert (layered.layout.tp, layered.layout.pp) == (1, 2)
    assert layered.serving is not None
    # one GPU reads while the other waits: never faster than all weights over one card's bandwidth
    limit = scenario.hardware.accelerator.bandwidth_gb_s * 1e9 / layered.model.weight_bytes
    assert layered.serving.tokens_per_s_user < limit
