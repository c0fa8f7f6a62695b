"""Kinds of keys in configs: per-layer indexers, classes and objects without a known model type, keys that nobody reads."""

from __future__ import annotations

from typing import Any

import pytest

import catalog
from catalog.errors import CatalogError
from catalog.hf_config import architecture_from_config, read_config
from engine.decide.size import size
from engine.figures.sentences import text_of

GLM = dict(read_config(catalog.load().model("glm-5").config))
V4 = dict(read_config(catalog.load().model("deepseek-v4-flash").config))
PLAIN: dict[str, Any] = {
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "tie_word_embeddings": False,
    "model_type": "newest",
}


def index_layers(config: dict[str, Any]) -> int:
    arch = architecture_from_config(config, "config.json")
    return sum(1 for layer in arch.layers for cache in layer.caches if cache.index_width)


def test_layers_that_share_an_index_keep_no_keys_of_it() -> None:
    layers = GLM["num_hidden_layers"]
    kinds = ["full" if index % 4 == 0 else "shared" for index in range(layers)]
    assert index_layers(GLM) == layers
    assert index_layers({**GLM, "indexer_types": kinds}) == kinds.count("full")
    letters = "".join("F" if kind == "full" else "S" for kind in kinds)
    assert index_layers({**GLM, "index_topk_pattern": letters}) == kinds.count("full")
    with pytest.raises(CatalogError, match="indexer_types"):
        index_layers({**GLM, "indexer_types": kinds[1:]})


def test_every_fourth_layer_indexes_where_the_config_says_so_by_number() -> None:
    """GLM-5.2's file lists its layers and says the same by number: 21 of 78 keep keys."""
    listed = dict(read_config(catalog.load().model("glm-5.2").config))
    numbered = {key: value for key, value in listed.items() if key != "indexer_types"}
    assert index_layers(listed) == index_layers(numbered) == listed["indexer_types"].count("full")


def test_a_class_names_what_a_model_type_does_not() -> None:
    known = architecture_from_config(V4, "config.json")
    renamed = {**V4, "model_type": "a_copy", "architectures": ["DeepseekV4ForCausalLM"]}
    assert architecture_from_config(renamed, "config.json").layers == known.layers
    with pytest.raises(CatalogError):
        architecture_from_config({**renamed, "architectures": ["SomethingElse"]}, "config.json")


def test_a_text_object_without_a_type_takes_that_around_it() -> None:
    inner = {key: value for key, value in GLM.items() if key not in ("model_type", "architectures")}
    nested = {"model_type": "glm_moe_dsa", "text_config": inner}
    assert architecture_from_config(nested, "config.json").layers == architecture_from_config(GLM, "c").layers


@pytest.mark.parametrize("key", ["latent_cache_layers", "moe_latent_expert_dim", "sparse_block_index_size"])
def test_a_structural_key_that_nobody_reads_is_said(key: str) -> None:
    assert architecture_from_config(PLAIN, "config.json").unread == ()
    read = architecture_from_config({**PLAIN, key: 4}, "config.json")
    assert read.unread == (key,)
    scenario = catalog.build_scenario("own", "bf16", "h100-sxm", architecture=read, config="m/config.json")
    assert key in next(text_of(notice.message) for notice in size(scenario).warnings if notice.id == "config-keys")


def test_no_config_of_the_catalog_has_an_unread_key() -> None:
    known = catalog.load()
    assert not [
        model.id for model in known.models if architecture_from_config(read_config(model.config), model.id).unread
    ]
