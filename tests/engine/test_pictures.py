"""Models that see: what the profile run of their towers takes, items that one step must take whole, and text alone."""

from __future__ import annotations

import pytest

import catalog
from engine.decide.size import size
from engine.decide.whole import with_changes
from engine.figures.sentences import text_of
from engine.scenario.change import change
from tests.engine.test_drafts import build, memory


def test_a_step_takes_a_video_whole() -> None:
    # "max_tokens_per_mm_item (2496) is larger than max_num_batched_tokens (2048)": vLLM at its own default on 24 GB cards
    found = with_changes(size(build("gemma-4-31b", "int4", "rtx-3090", 2)))
    assert found.resolved.max_num_batched_tokens == 4096
    assert found.memory.starts
    text = with_changes(size(build("gemma-4-31b", "int4", "rtx-3090", 2, runtime__text_only=True)))
    assert text.resolved.max_num_batched_tokens == 2048
    large = with_changes(size(build("gemma-4-31b", "int4", "h100-sxm", 1)))
    assert large.resolved.max_num_batched_tokens == 8192


def test_a_step_that_cannot_take_it_is_refused_and_the_cure_starts() -> None:
    asked = build("gemma-4-31b", "int4", "rtx-3090", 2, runtime__max_num_batched_tokens=2048)
    found = with_changes(size(asked))
    assert not found.memory.starts
    assert "2,496 tokens must fit one step" in text_of(found.memory.headroom_reason)
    offered = [one for one in found.memory.suggestions if one.field == "runtime.max_num_batched_tokens"]
    assert [one.value for one in offered] == [4096]
    assert memory(change(asked, dict(offered[0].changes))).starts
    assert memory(change(asked, {"runtime.text_only": True})).starts


@pytest.mark.parametrize("model", ["qwen2.5-vl-7b", "qwen3.5-27b"])
def test_other_models_take_a_picture_in_pieces(model: str) -> None:
    found = with_changes(
        size(build(model, "int4", "rtx-3090", 1, runtime__max_num_batched_tokens=1024, runtime__max_num_seqs=8))
    )
    assert found.memory.starts


@pytest.mark.parametrize("model", ["gemma-4-31b", "qwen3.5-27b", "gemma-3-27b"])
def test_text_alone_leaves_the_towers_away(model: str) -> None:
    asked = build(model, "bf16", "h100-sxm", 1)
    seen, text = memory(asked), memory(change(asked, {"runtime.text_only": True}))
    towers = sum(tensor.elements for tensor in asked.model.architecture.towers)
    assert seen.per_gpu[0].weights_bytes - text.per_gpu[0].weights_bytes == 2 * towers
    assert text.per_gpu[0].activation_bytes <= seen.per_gpu[0].activation_bytes
    assert text.kv_capacity_tokens > seen.kv_capacity_tokens


def test_a_model_without_towers_is_as_it_was() -> None:
    asked = build("llama-3.1-8b", "bf16", "h100-sxm", 1)
    assert memory(change(asked, {"runtime.text_only": True})) == memory(asked)


@pytest.mark.parametrize(
    ("model", "patches"), [("gemma-3-27b", 16), ("gemma-4-31b", 9), ("qwen3.5-27b", 4), ("llava-1.6-mistral-7b", 1)]
)
def test_patches_that_a_tower_sees_for_a_token(model: str, patches: float) -> None:
    assert catalog.load().model(model).architecture.patches_per_token == patches
