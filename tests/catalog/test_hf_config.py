"""Reading config.json: what files leave unsaid, and what is said about a bad one."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import catalog
from catalog.errors import CatalogError
from catalog.hf_config import LARGEST_CONFIG_BYTES, architecture_from_config, read_architecture
from engine.model.architecture import Architecture
from engine.model.kv_cache import cache_profile
from engine.model.parameters import count_parameters

MODELS = Path(catalog.__file__).parent / "data" / "models"


def shipped(model_id: str) -> dict[str, Any]:
    """The config of a catalog model, to change."""
    config: dict[str, Any] = json.loads((MODELS / f"{model_id}.config.json").read_text())
    return config


def read(config: dict[str, Any]) -> Architecture:
    return architecture_from_config(config, "config.json")


# What goes wrong in real files ----------------------------------------------------------------------------------


def test_head_dim_follows_from_the_heads_only_when_absent() -> None:
    assert read(shipped("llama-3.1-70b")).head_dim == 8192 // 64
    assert read(shipped("qwen3-32b")).head_dim == 128 != 5120 // 64


def test_a_null_is_not_the_class_default() -> None:
    config = shipped("mistral-7b-v0.3")
    assert read({**config, "num_key_value_heads": None}).kv_heads == 32
    del config["num_key_value_heads"]
    assert read(config).kv_heads == 8


def test_tied_embeddings_follow_file_then_class() -> None:
    gemma = shipped("gemma-2-9b")
    gemma.pop("tie_word_embeddings", None)
    assert read(gemma).tied
    assert not read({**gemma, "tie_word_embeddings": False}).tied
    llama = shipped("llama-3.1-8b")
    del llama["tie_word_embeddings"]
    assert not read(llama).tied


def test_a_window_that_never_binds_is_full_attention() -> None:
    config = {**shipped("mistral-7b-v0.3"), "sliding_window": 4096}
    assert cache_profile(read(config)).kv_layers["sliding"] == 32
    for change in ({"sliding_window": 32768}, {"sliding_window": None}, {"use_sliding_window": False}):
        assert cache_profile(read({**config, **change})).kv_layers["full"] == 32


def test_qwen_windows_start_at_max_window_layers() -> None:
    config = {**shipped("qwen2.5-7b"), "use_sliding_window": True, "sliding_window": 4096, "max_window_layers": 20}
    assert cache_profile(read(config)).kv_layers["sliding"] == 28 - 20


@pytest.mark.parametrize(
    ("model", "changes", "key"),
    [
        ("gemma-3-27b", {"layer_types": ["sliding_attention"] * 62}, "layer_types"),
        ("extra/gemma-4-e4b", {"num_kv_shared_layers": 42}, "num_kv_shared_layers"),
        ("deepseek-v4-flash", {"compress_ratios": [0] * 100}, "compress_ratios"),
        ("deepseek-v4-flash", {"compress_ratios": [10**9] * 100}, "compress_ratios"),
        ("nemotron-3-nano-30b-a3b", {"hybrid_override_pattern": ""}, "hybrid_override_pattern"),
        ("llama-3.1-8b", {"num_key_value_heads": [8] * 3}, "num_key_value_heads"),
        ("extra/gemma-4-e4b", {"intermediate_size": [10240] * 3}, "intermediate_size"),
        ("llama-3.1-8b", {"quantization_config": ["gptq"]}, "quantization_config"),
    ],
)
def test_lists_and_patterns_that_make_no_model_name_their_key(model: str, changes: dict[str, Any], key: str) -> None:
    config = shipped(model)
    section = config.get("text_config", config)
    section.update(changes)
    with pytest.raises(CatalogError, match=key):
        read(config)


def test_patterns_by_number_letters_and_list() -> None:
    base = {**shipped("command-a-111b"), "num_hidden_layers": 8}
    for pattern in (4, "LLLG"):
        profile = cache_profile(read({**base, "sliding_window_pattern": pattern}))
        assert (profile.kv_layers["sliding"], profile.kv_layers["full"]) == (6, 2)
    kinds = ["full_attention"] * 3 + ["sliding_attention"] * 5
    assert cache_profile(read({**base, "layer_types": kinds})).kv_layers["sliding"] == 5


def test_nested_text_configs_may_omit_head_counts() -> None:
    arch = read(shipped("gemma-3-4b"))
    assert (arch.heads, arch.kv_heads, arch.head_dim) == (8, 4, 256)


def test_a_top_level_config_may_not_omit_its_sizes() -> None:
    config = shipped("llama-3.1-8b")
    for key in ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "intermediate_size"):
        with pytest.raises(CatalogError, match=f"config.json: {key}: is missing"):
            read({name: value for name, value in config.items() if name != key})


def test_the_literal_infinity_is_read() -> None:
    assert "Infinity" in (MODELS / "nemotron-3-super-120b-a12b.config.json").read_text()
    assert read_architecture(MODELS / "nemotron-3-super-120b-a12b.config.json").experts == 512


def test_an_unknown_type_is_read_by_its_keys() -> None:
    config = {**shipped("llama-3.1-8b"), "model_type": "somebodys_llama"}
    assert count_parameters(read(config)).total == 8030261248


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (None, "bf16"),
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, "fp8"),
        ({"quant_method": "fbgemm_fp8"}, "fp8"),
        ({"quant_method": "mxfp4"}, "mxfp4"),
        ({"quant_method": "awq", "bits": 4, "group_size": 128}, "int4-awq"),
        ({"quant_method": "gptq", "bits": 4, "group_size": 128}, "int4-gptq"),
        ({"quant_method": "gptq", "bits": 8, "group_size": 128}, "int8-gptq"),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "nvfp4"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_use_double_quant": True}, "nf4-double"),
        ({"quant_method": "compressed-tensors", "format": "nvfp4-pack-quantized"}, "nvfp4"),
        (
            {
                "quant_method": "compressed-tensors",
                "format": "float-quantized",
                "config_groups": {"group_0": {"weights": {"num_bits": 8, "type": "float"}}},
            },
            "fp8",
        ),
        (
            {
                "quant_method": "compressed-tensors",
                "config_groups": {"group_0": {"weights": {"num_bits": 4, "type": "int"}}},
            },
            "int4",
        ),
    ],
)
def test_checkpoint_format(config: dict[str, Any] | None, expected: str) -> None:
    assert read({**shipped("llama-3.1-8b"), "quantization_config": config}).checkpoint_format == expected


def test_formats_of_the_index_are_those_of_the_files() -> None:
    for model in catalog.load().models:
        assert model.formats[0] == model.architecture.checkpoint_format, model.id


@pytest.mark.parametrize(
    ("model_id", "tokens"),
    [("llama-3.1-8b", 0), ("gemma-3-27b", 256), ("qwen2.5-vl-7b", 16384), ("devstral-small-2-24b", 3025)],
)
def test_tokens_of_the_largest_picture(model_id: str, tokens: int) -> None:
    assert catalog.load().model(model_id).architecture.vision_tokens_max == tokens


@pytest.mark.parametrize(
    ("model_id", "tokens"),
    [
        ("llama-3.1-70b", 131072),
        ("command-r-35b", 131072),
        ("gpt-oss-120b", 131072),
        ("deepseek-v3", 163840),
        ("gemma-3-27b", 131072),
        ("falcon-7b", 2048),
        ("mamba-codestral-7b", 262144),
    ],
)
def test_longest_context(model_id: str, tokens: int) -> None:
    assert catalog.load().model(model_id).architecture.max_position == tokens


def test_yarn_extends_the_context() -> None:
    rope = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}
    assert read({**shipped("qwen3-32b"), "rope_scaling": rope}).max_position == 131072


# Bad files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_size": "4096"}, "hidden_size: must be a whole number"),
        ({"hidden_size": 4096.5}, "hidden_size: must be a whole number"),
        ({"hidden_size": True}, "hidden_size: must be a whole number"),
        ({"hidden_size": 0}, "hidden_size: must be at least 1"),
        ({"hidden_size": -8}, "hidden_size: must be between"),
        ({"vocab_size": 10**12}, "vocab_size: must be between"),
        ({"num_key_value_heads": 5}, "num_key_value_heads: 5 does not divide the 32 heads"),
        ({"tie_word_embeddings": "no"}, "tie_word_embeddings: must be true or false"),
        ({"layer_types": ["full_attention"]}, "num_hidden_layers: is 32, but the layer pattern lists 1"),
        ({"layer_types": ["odd"] * 32}, "layer_types: holds 'odd'"),
        ({"model_type": 7}, "model_type: must be text"),
        ({"quantization_config": {"quant_method": 3}}, "quantization_config.quant_method: must be text"),
    ],
)
def test_a_bad_value_names_file_and_key(change: dict[str, Any], message: str) -> None:
    with pytest.raises(CatalogError, match=message) as raised:
        read({**shipped("llama-3.1-8b"), **change})
    assert str(raised.value).startswith("config.json: ")


def test_a_bad_nested_value_names_its_path() -> None:
    config = shipped("gemma-3-27b")
    config["text_config"]["hidden_size"] = None
    with pytest.raises(CatalogError, match=r"text_config\.hidden_size"):
        read(config)


def test_files_that_are_no_config(tmp_path: Path) -> None:
    cases = {
        "prose.json": (b"hello", "not JSON"),
        "empty.json": (b"", "not JSON"),
        "list.json": (b"[1]", "must hold one JSON object"),
        "binary.json": (bytes(range(256)), "is not text"),
        "deep.json": (b"[" * 100_000, "nested too deeply|not JSON"),
        "object.json": (b"{}", "hidden_size: is missing"),
    }
    for name, (data, message) in cases.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(CatalogError, match=message) as raised:
            read_architecture(path)
        assert name in str(raised.value)
    huge = tmp_path / "huge.json"
    with huge.open("wb") as stream:
        stream.truncate(LARGEST_CONFIG_BYTES + 1)
    with pytest.raises(CatalogError, match=r"too large for a config\.json; allowed: up to 4 MiB"):
        read_architecture(huge)
    with pytest.raises(CatalogError, match="is a directory"):
        read_architecture(tmp_path)
    with pytest.raises(CatalogError, match="no such file"):
        read_architecture(tmp_path / "absent.json")


def test_encoders_are_refused() -> None:
    whisper = {"model_type": "whisper", "hidden_size": 768, "num_hidden_layers": 12, "vocab_size": 30522}
    with pytest.raises(CatalogError, match=r"model_type: .* generates no text"):
        read(whisper)
    with pytest.raises(CatalogError, match="is_encoder_decoder"):
        read({**shipped("llama-3.1-8b"), "is_encoder_decoder": True})


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=4,
)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["llama-3.1-8b", "deepseek-v3", "gemma-4-26b-a4b", "nemotron-3-nano-30b-a3b", "qwen3.5-27b"]),
    st.data(),
)
def test_no_value_makes_anything_but_an_architecture_or_a_catalog_error(model_id: str, data: st.DataObject) -> None:
    config = shipped(model_id)
    holder = config["text_config"] if "text_config" in config and data.draw(st.booleans()) else config
    holder[data.draw(st.sampled_from(sorted(holder)))] = data.draw(_JSON)
    try:
        arch = read(config)
    except CatalogError:
        return
    assert count_parameters(arch).total > 0


@pytest.mark.parametrize(
    ("model_id", "key", "value", "named"),
    [
        ("llama-3.1-8b", "num_attention_heads", 8192, "num_attention_heads"),
        ("minimax-m2.7", "attn_type_list", [1, 1], "attn_type_list"),
    ],
)
def test_the_key_at_fault_is_named_as_the_file_has_it(model_id: str, key: str, value: object, named: str) -> None:
    config = {**shipped(model_id), key: value}
    if key == "num_attention_heads":
        config.pop("head_dim", None)
    with pytest.raises(CatalogError) as raised:
        read(config)
    assert raised.value.key == named


def test_a_period_longer_than_the_model_is_refused_at_once() -> None:
    started = time.process_time()
    with pytest.raises(CatalogError, match="sliding_window_pattern: leaves no layer that keeps every token"):
        read({**shipped("command-a-111b"), "layer_types": None, "sliding_window_pattern": 10**9})
    assert time.process_time() - started < 1


def test_reading_is_quick() -> None:
    started = time.process_time()
    for path in MODELS.glob("*.config.json"):
        architecture_from_config(json.loads(path.read_text()), path.name)
    assert time.process_time() - started < 5
