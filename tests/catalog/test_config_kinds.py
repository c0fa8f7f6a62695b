"""Kinds of keys in configs: per-layer indexers, classes and objects without a known model type, keys that nobody reads."""

from __future__ import annotations

from typing import Any

import pytest

import catalog
from catalog.errors import CatalogError
from catalog.hf_config import architecture_from_config, read_config
from engine.decide.size import size
from engine.figures.sentences import text_of
from engine.model.parameters import count_parameters, elements

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


@pytest.mark.parametrize(
    ("model_id", "published"),
    [
        ("deepseek-v4-flash", 290_944_616_402),
        ("deepseek-v4-pro", 1_598_839_674_782),
        ("glm-5.2", 753_329_940_480),
        ("qwen3.5-397b-a17b", 403_397_928_944),
        ("qwen3.5-122b-a10b", 125_086_497_008),
        ("step-3.7-flash", 201_365_316_160),
    ],
)
def test_prediction_layers_make_up_the_published_count(model_id: str, published: int) -> None:
    arch = catalog.load().model(model_id).architecture
    assert count_parameters(arch).total + elements(arch.mtp) == published


LAGUNA: dict[str, Any] = {
    "model_type": "laguna", "architectures": ["LagunaForCausalLM"], "vocab_size": 1000, "hidden_size": 256,
    "intermediate_size": 512, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 64,
    "max_position_embeddings": 8192, "num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 64,
    "shared_expert_intermediate_size": 64, "sliding_window": 512, "gating": "per-head", "tie_word_embeddings": False,
    "num_attention_heads_per_layer": [4, 6, 6, 6], "mlp_layer_types": ["dense", "sparse", "sparse", "sparse"],
    "layer_types": ["full_attention", "sliding_attention", "sliding_attention", "sliding_attention"],
}  # fmt: skip


def test_layers_have_heads_of_their_own() -> None:
    arch = architecture_from_config(LAGUNA, "config.json")
    heads = [next(t.rows // 64 for t in layer.tensors if t.name == "q_proj") for layer in arch.layers]
    gates = [next(t.rows for t in layer.tensors if t.name == "g_proj") for layer in arch.layers]
    assert heads == gates == [4, 6, 6, 6]
    assert not arch.unread
    with pytest.raises(CatalogError, match="num_attention_heads_per_layer"):
        architecture_from_config({**LAGUNA, "num_attention_heads_per_layer": [4, 5, 6, 6]}, "config.json")


def test_latent_attention_of_an_unknown_type_keeps_a_latent() -> None:
    unknown = {**GLM, "model_type": "something_new", "architectures": ["SomethingNewForCausalLM"]}
    layers = architecture_from_config(unknown, "config.json").layers
    assert {cache.kind for layer in layers for cache in layer.caches} == {"latent"}


STRUCTURAL = {
    "num_attention_heads_per_layer": [32, 48], "num_key_value_heads_per_layer": [8, 4], "attn_layer_ids": [3, 7],
    "hybrid_pattern": "MMM*MMM*", "layer_pattern": "MMMA", "block_pattern": ["rec", "attn"], "mixer_types": ["mamba2", "attn"],
    "attention_other_setting": {"num_attention_heads": 96}, "sparse_attention_config": {"block_size": 64, "topk": 16},
    "engram_config": {"num_tables": 4, "table_size": 100000}, "ngram_vocab_size": 1000000, "moe_latent_dim": 1024,
    "hidden_size_per_layer_input": 256, "vit_config": {"hidden_size": 64, "num_hidden_layers": 4},
    "visual": {"width": 64, "layers": 4}, "audio_config": {"d_model": 64, "encoder_layers": 4},
    "vision_tower_config": {"embed_dim": 64, "depth": 4}, "speech_encoder": {"hidden_size": 64, "num_layers": 24},
    "use_head_wise_attn_gate": True, "gating_types": ["per_head", "per_head"], "hc_mult": 4, "num_memory_tokens": 64,
    "cross_attention_layers": [3, 8], "kv_lora_rank": 512, "num_kv_shared_layers": 18, "yoco_cross_layers": 18,
    "use_double_wide_mlp": True, "num_loops": 4, "total_ut_steps": 4, "num_recurrent_steps": 4, "num_parallel_ffn": 2,
    "canon_kernel": 4, "ssm_state_size": 128, "global_layers": [5, 11], "mtp_depth": 3, "layer_configs": [{"n_kv": 4}, {"n_kv": 8}],
    "moe_num_experts_by_layer": {"3": 64, "4": 128}, "dense_config": {"intermediate_size": 9000},
    "dsa_config": {"index_topk": 2048}, "n_latent_experts": 8, "moe_layers_enum": "3,4,5", "indexer_layers": [0, 4],
}  # fmt: skip


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("key", sorted(STRUCTURAL))
def test_every_structural_key_of_an_unseen_model_is_read_said_or_refused(key: str, nested: bool) -> None:
    inner = {k: v for k, v in PLAIN.items() if k not in ("model_type", "architectures")} | {key: STRUCTURAL[key]}
    outer = {"model_type": "something_new", "architectures": ["SomethingNew"]}
    try:
        arch = architecture_from_config(
            {**outer, "text_config": inner} if nested else {**outer, **inner}, "config.json"
        )
    except CatalogError:
        return
    assert arch.unread == (key,)


def test_a_tower_beside_a_text_config_is_said_under_any_name() -> None:
    for key in ("vit_config", "perception_encoder", "audio_encoder_config"):
        whole = {"model_type": "something_new", "text_config": dict(PLAIN), key: {"width": 64, "layers": 4}}
        assert architecture_from_config(whole, "config.json").unread == (key,)


def test_experts_under_other_names_are_not_left_out() -> None:
    with pytest.raises(CatalogError, match="num_experts_per_tok"):
        architecture_from_config({**PLAIN, "n_experts": 64, "expert_dim": 2048}, "config.json")


def test_a_dense_granite_keeps_no_state_and_has_its_shared_width() -> None:
    dense = dict(read_config(catalog.load().model("granite-4.0-micro").config))
    arch = architecture_from_config({**dense, "shared_intermediate_size": 4096}, "config.json")
    assert arch.intermediate_size == 4096
    assert arch.unread == ()
    assert not any(cache.kind == "recurrent" for layer in arch.layers for cache in layer.caches)
