"""Parameter counts against the reference configs, published counts, and arithmetic done by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import catalog
from catalog.errors import CatalogError
from catalog.hf_config import architecture_from_config
from engine.model.architecture import Tensor, dense_decoder
from engine.model.parameters import count_parameters, elements

REFERENCE = Path(__file__).parents[1] / "reference"


def rows(name: str) -> list[dict[str, Any]]:
    """One reference file."""
    return [json.loads(line) for line in (REFERENCE / name).read_text().splitlines()]


def by_hf_id() -> dict[str, str]:
    """Catalog ids by Hugging Face id."""
    return {model.hf_id: model.id for model in catalog.load().models}


EXPECTED = rows("models_expected.jsonl")


def test_every_reference_model_is_in_the_catalog() -> None:
    known = by_hf_id()
    assert len(EXPECTED) == 74
    assert [row["id"] for row in EXPECTED if row["id"] not in known] == []


@pytest.mark.parametrize("row", EXPECTED, ids=lambda row: row["id"])
def test_reference_counts_are_equal(row: dict[str, Any]) -> None:
    arch = catalog.load().model(by_hf_id()[row["id"]]).architecture
    counts = count_parameters(arch)
    assert counts.total == row["params_total"]
    assert counts.active == row["params_active"]
    assert counts.active_excl_input_embedding == row["params_active_excl_input_embedding"]
    assert counts.embedding == row["params_embedding"]
    assert counts.lm_head == row["params_lm_head"]
    assert counts.vision_audio == row["params_vision_audio"]
    assert arch.tied == row["tie_word_embeddings"]


BUILT = {row["config"]["model_type"]: row for row in rows("models_built.jsonl")}
ATTEND_NOWHERE = ("bamba", "granitemoehybrid")
"""Hybrids whose class builds no layer that attends unless the config lists some: published ones do."""


@pytest.mark.parametrize("model_type", ATTEND_NOWHERE)
def test_a_hybrid_that_attends_nowhere_is_refused(model_type: str) -> None:
    with pytest.raises(CatalogError, match="has no layer that attends"):
        architecture_from_config(BUILT[model_type]["config"], model_type)


@pytest.mark.parametrize(
    "row",
    [row for name, row in BUILT.items() if name not in ATTEND_NOWHERE],
    ids=lambda row: row["config"]["model_type"],
)
def test_counts_equal_the_modules_that_transformers_builds(row: dict[str, Any]) -> None:
    """params_total: parameters and saved buffers of the model that transformers 5.23 builds from the config."""
    arch = architecture_from_config(row["config"], row["config"]["model_type"])
    assert count_parameters(arch).total == row["params_total"]


@pytest.mark.parametrize("row", rows("models_published.jsonl"), ids=lambda row: row["id"])
def test_counts_equal_the_published_ones(row: dict[str, Any]) -> None:
    arch = catalog.load().model(row["id"]).architecture
    assert count_parameters(arch).total == row["params_total"]


def test_every_catalog_model_can_be_counted() -> None:
    for model in catalog.load().models:
        counts = count_parameters(model.architecture)
        assert 0 < counts.active <= counts.total, model.id
        assert elements(model.architecture.mtp) < counts.total / 10, model.id


def test_a_dense_decoder_by_hand() -> None:
    arch = dense_decoder(
        hidden_size=64, layers=3, intermediate_size=160, heads=4, kv_heads=2, head_dim=16, vocab_size=1000
    )
    block = 64 * 64 + 2 * 32 * 64 + 64 * 64 + 3 * 64 * 160 + 2 * 64
    counts = count_parameters(arch)
    assert counts.total == 3 * block + 2 * 1000 * 64 + 64
    assert counts.active == counts.total
    assert counts.active_excl_input_embedding == counts.total - 1000 * 64


def test_unselected_experts_are_not_active() -> None:
    arch = dense_decoder(
        hidden_size=64, layers=2, heads=4, kv_heads=2, head_dim=16, vocab_size=500,
        intermediate_size=128, experts=8, experts_per_token=2,
    )  # fmt: skip
    counts = count_parameters(arch)
    assert counts.total - counts.active == 2 * (8 - 2) * 3 * 64 * 128


def test_prediction_layers_are_apart() -> None:
    """DeepSeek-V3's checkpoint holds 685B: 671B and one prediction layer with its own copy of both vocabularies."""
    arch = catalog.load().model("deepseek-v3").architecture
    both_vocabularies = 2 * 129280 * 7168
    published = 684.5e9  # 685B, as the model card rounds it
    assert count_parameters(arch).total + elements(arch.mtp) + both_vocabularies == pytest.approx(published, rel=1e-3)


@pytest.mark.parametrize("model_id", [model.id for model in catalog.load().models])
def test_tensors_can_be_sharded(model_id: str) -> None:
    """Units divide what they split, experts are copies, vectors are never row-split."""
    arch = catalog.load().model(model_id).architecture
    seen: set[Tensor] = set()
    for layer in set(arch.layers):
        seen.update(layer.tensors)
        experts = [tensor for tensor in layer.tensors if tensor.part == "routed_expert"]
        assert all(tensor.shard == "expert" and tensor.copies == arch.experts for tensor in experts)
        assert bool(experts) == (layer.ffn == "moe")
    for tensor in seen | {*arch.embedding, *arch.head}:
        axis = tensor.cols if tensor.shard == "row" else tensor.rows
        assert tensor.units == 0 or axis % tensor.units == 0, tensor
        assert tensor.shard != "row" or tensor.cols > 1, tensor
        if tensor.part in ("embedding", "lm_head"):
            assert tensor.shard == "vocab"
    assert elements(arch.head, "lm_head") == 0 or not arch.tied


def test_equal_layers_are_one_object() -> None:
    arch = catalog.load().model("llama-3.1-405b").architecture
    assert len({id(layer) for layer in arch.layers}) == 1
    assert len(catalog.load().model("deepseek-v3").architecture.layer_runs()) == 2


def test_what_has_one_row_or_column_is_a_vector() -> None:
    shapes = ((1, 1), (4, 1), (1, 4), (2, 2), (4, 2), (2, 4))
    assert [Tensor("t", "attention", many, wide).is_matrix for many, wide in shapes] == [False] * 3 + [True] * 3
