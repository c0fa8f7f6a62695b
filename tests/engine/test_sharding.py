"""What one GPU of a layout holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import catalog
from engine.figures.errors import ScenarioError
from engine.layout.candidates import valid_tp
from engine.layout.sharding import (
    attention_ranks,
    expert_split,
    kv_copies,
    kv_heads_on_rank,
    stage_layers,
    stage_range,
    stage_weights,
)
from engine.model.architecture import Cache, dense_decoder
from engine.scenario import Layout

MODELS = [entry.id for entry in catalog.load().models]


def test_leftover_layers_go_to_the_stages_before_the_last() -> None:
    assert stage_layers(61, 2) == (31, 30)
    assert stage_layers(126, 4) == (31, 32, 32, 31)
    assert stage_layers(7, 4) == (2, 2, 2, 1)


@given(layers=st.integers(1, 200), pp=st.integers(1, 64))
def test_stages_hold_every_layer_once(layers: int, pp: int) -> None:
    if pp > layers:
        with pytest.raises(ScenarioError, match=r"layout\.pp"):
            stage_layers(layers, pp)
        return
    counts = stage_layers(layers, pp)
    assert sum(counts) == layers
    assert max(counts) - min(counts) <= 1
    assert counts[-1] == min(counts)
    assert [i for stage in range(pp) for i in stage_range(layers, pp, stage)] == list(range(layers))


@pytest.mark.parametrize("model", MODELS)
def test_one_rank_holds_the_whole_model_but_for_vocabulary_padding(model: str) -> None:
    from engine.model.formats import model_weight_bytes

    arch = catalog.load().model(model).architecture
    whole, rank = model_weight_bytes(arch, "bf16"), stage_weights(arch, "bf16", Layout()).total_bytes
    assert 0 <= rank - whole <= 2 * 2 * 64 * arch.hidden_size


@pytest.mark.parametrize("model", MODELS)
def test_tp_never_raises_the_weights_of_a_gpu_and_never_beats_an_even_split(model: str) -> None:
    arch = catalog.load().model(model).architecture
    whole = stage_weights(arch, "bf16", Layout()).total_bytes
    before = whole
    for tp in (t for t in (1, 2, 4, 8, 16) if t in valid_tp(arch, 16)):
        now = stage_weights(arch, "bf16", Layout(tp=tp)).total_bytes
        assert now <= before
        assert now * tp >= whole * 0.999
        before = now


@pytest.mark.parametrize("model", ["llama-3.1-70b", "deepseek-r1", "gemma-3-27b", "qwen3-next-80b-a3b"])
@pytest.mark.parametrize("pp", [2, 4])
def test_stages_add_up_to_the_model_and_a_tied_table_twice(model: str, pp: int) -> None:
    arch = catalog.load().model(model).architecture
    parts = [stage_weights(arch, "fp8", Layout(pp=pp), stage).total_bytes for stage in range(pp)]
    table = stage_weights(arch, "fp8", Layout()).total_bytes - sum(parts)
    again = sum(2 * tensor.elements for tensor in arch.embedding if tensor.shard == "vocab") if arch.tied else 0
    assert -table == pytest.approx(again, rel=1e-3, abs=1e6)


def test_first_stage_has_the_embedding_last_the_head() -> None:
    arch = catalog.load().model("llama-3.1-70b").architecture
    first, middle, last = (stage_weights(arch, "bf16", Layout(pp=4), stage).parts for stage in (0, 1, 3))
    held = [{"embedding", "lm_head"} & set(parts) for parts in (first, middle, last)]
    assert held == [{"embedding"}, set(), {"lm_head"}]


def test_kv_heads_fewer_than_ranks_are_replicated() -> None:
    cache = Cache("full", kv_heads=8, k_width=128, v_width=128)
    assert [kv_heads_on_rank(cache, ranks) for ranks in (1, 2, 4, 8, 16)] == [8, 4, 2, 1, 1]
    arch = dense_decoder(
        hidden_size=4096, layers=2, intermediate_size=8192, heads=32, kv_heads=4, head_dim=128, vocab_size=32000
    )
    at4, at8 = (stage_weights(arch, "bf16", Layout(tp=tp)).parts["attention"] for tp in (4, 8))
    assert at8 > at4 / 2


def test_expert_parallelism_keeps_whole_experts() -> None:
    arch = catalog.load().model("deepseek-r1").architecture
    tensor_parallel = stage_weights(arch, "fp8", Layout(tp=8)).parts["routed_expert"]
    expert_parallel = stage_weights(arch, "fp8", Layout(tp=8, ep=8)).parts["routed_expert"]
    assert expert_parallel == pytest.approx(tensor_parallel, rel=0.01)
    assert expert_split(Layout(tp=8, ep=8)) == (8, 1)
    assert expert_split(Layout(tp=8, ep=2)) == (2, 4)
    assert expert_split(Layout(tp=4, dp=2, ep=8)) == (8, 1)
    assert expert_split(Layout(tp=4, dp=2)) == (1, 4)


def test_data_parallel_attention_replicates_attention_and_spreads_experts() -> None:
    arch = catalog.load().model("deepseek-r1").architecture
    plain, spread = Layout(tp=8), Layout(tp=1, dp=8, ep=8, dp_attention=True)
    assert attention_ranks(spread) == 1
    assert kv_copies(plain) == 1
    assert kv_copies(spread) == 8
    parts, wide = stage_weights(arch, "fp8", plain).parts, stage_weights(arch, "fp8", spread).parts
    assert wide["attention"] > 4 * parts["attention"]
    assert wide["routed_expert"] == pytest.approx(parts["routed_expert"], rel=0.01)
