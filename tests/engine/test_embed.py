"""Embedders and rerankers: texts are read, nothing is written or kept."""

from __future__ import annotations

import pytest

import catalog
from engine.decide.size import size
from engine.figures.errors import ScenarioError
from engine.figures.sentences import text_of
from engine.model.parameters import count_parameters
from engine.scenario import Scenario, Workload
from engine.scenario.change import change
from engine.serving.settings import engine_settings


def build(model: str, card: str, gpus: int = 1, concurrency: int = 64, tokens: int = 512) -> Scenario:
    work = Workload(kind="embed", concurrency=concurrency, input_tokens=tokens)
    return catalog.build_scenario(model, "bf16", card, gpus, workload=work)


@pytest.mark.parametrize(("model", "card"), [("qwen3-0.6b", "l4"), ("qwen3-4b", "l40s"), ("qwen3-8b", "h100-sxm")])
@pytest.mark.parametrize("tokens", [64, 512, 4096])
def test_it_reads_below_the_peak_of_its_card(model: str, card: str, tokens: int) -> None:
    """Two operations for each weight of the layers and token, at most 85 % of the dense rate: what kernels reach."""
    scenario = build(model, card, tokens=tokens)
    speed, arch = size(scenario).serving, scenario.model.architecture
    assert speed is not None
    layers = count_parameters(arch).total - sum(tensor.elements for tensor in (*arch.embedding, *arch.head))
    peak = scenario.hardware.accelerator.tflops_bf16_dense
    assert peak is not None
    assert 0 < speed.requests_per_s * tokens * 2 * layers <= 0.85 * peak * 1e12
    assert speed.tokens_per_s_total == pytest.approx(speed.requests_per_s * tokens)
    # in a closed loop the requests at once are those a second by the time of each
    assert speed.requests_per_s * speed.ttft_s == pytest.approx(64, rel=0.05)


def test_nothing_is_kept_and_the_head_is_not_loaded() -> None:
    embeds = size(build("qwen3-8b", "l40s")).memory
    writes = size(change(build("qwen3-8b", "l40s"), {"workload.kind": "serve"})).memory
    head = 151936 * 4096 * 2
    assert writes.worst.weights_bytes - embeds.worst.weights_bytes == head
    assert embeds.kv_needed_tokens == embeds.kv_capacity_tokens == embeds.worst.kv_bytes == 0
    assert embeds.fits
    assert "nothing is kept" in text_of(embeds.headroom_reason)


def test_more_requests_at_once_wait_and_more_cards_read_more() -> None:
    one, many = size(build("qwen3-4b", "l40s", concurrency=8)), size(build("qwen3-4b", "l40s", concurrency=512))
    two = size(build("qwen3-4b", "l40s", 2, concurrency=512))
    assert one.serving is not None
    assert many.serving is not None
    assert two.serving is not None
    assert many.serving.ttft_s > one.serving.ttft_s
    assert many.serving.requests_per_s >= one.serving.requests_per_s
    assert 1.8 < two.serving.requests_per_s / many.serving.requests_per_s < 2.05


def test_targets_are_held_in_requests() -> None:
    scenario = build("qwen3-4b", "l4")
    found = size(scenario)
    assert found.serving is not None
    more = change(scenario, {"workload.requests_per_s": 2 * found.serving.requests_per_s})
    assert size(more).answer.status == "misses"
    assert found.answer.status == "runs"
    assert "requests/s" in text_of(found.answer.speed[0])


def test_nobody_drafts_for_it_and_texts_stay_within_the_context() -> None:
    with pytest.raises(ScenarioError, match="embedder"):
        size(change(build("qwen3-4b", "l4"), {"runtime.speculative": "ngram"}))
    with pytest.raises(ScenarioError, match="context"):
        size(build("qwen3-4b", "l4", tokens=50_000))
    assert engine_settings(build("qwen3-4b", "l4"), size(build("qwen3-4b", "l4")).layout).max_model_len == 512
