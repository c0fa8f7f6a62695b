"""Checkpoints as their quantization_config stores them: bits, groups, mixes and modules left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import catalog
from catalog.errors import CatalogError
from catalog.hf_config import architecture_from_config, read_config
from engine.layout.sharding import stage_weights
from engine.model.architecture import Architecture
from engine.model.formats import model_weight_bytes
from engine.model.parameters import count_parameters
from engine.scenario import Layout
from engine.scenario.change import change
from tui.files.session import load

LLAMA_8B: dict[str, Any] = {
    "model_type": "llama", "vocab_size": 128256, "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8, "intermediate_size": 14336, "max_position_embeddings": 131072, "tie_word_embeddings": False,
}  # fmt: skip
LINEAR = 32 * (2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14336)
ATTENTION = 32 * (2 * 4096 * 4096 + 2 * 4096 * 1024)
WIDE = 2 * (2 * 128256 * 4096 + 65 * 4096)


def packed(group: int, ignore: list[str], bits: int = 4, symmetric: bool = True) -> dict[str, Any]:
    weights = {"num_bits": bits, "type": "int", "symmetric": symmetric, "group_size": group, "strategy": "group"}
    groups = {"group_0": {"targets": ["Linear"], "weights": weights}}
    return {"quant_method": "compressed-tensors", "format": "pack-quantized", "config_groups": groups, "ignore": ignore}


def gptq(**keys: Any) -> dict[str, Any]:
    return {"quant_method": "gptq", "bits": 4, "group_size": 128, **keys}


NVFP4_WEIGHTS = {"num_bits": 4, "type": "float", "group_size": 16}
FP8_WEIGHTS = {"num_bits": 8, "type": "float"}
MIXED = {
    "quant_method": "modelopt",
    "quant_algo": "MIXED_PRECISION",
    "config_groups": {
        "group_0": {"targets": [f"model.layers.{n}.self_attn.{p}_proj" for n in range(32) for p in "qkvo"], "weights": FP8_WEIGHTS},
        "group_1": {"targets": [f"model.layers.{n}.mlp.{p}_proj" for n in range(32) for p in ("gate", "up", "down")],
                    "weights": NVFP4_WEIGHTS},
    },
    "ignore": ["lm_head"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("said", "format_id", "quantized_bytes"),
    [
        (packed(128, ["lm_head"]), "int4", LINEAR * 4.125 / 8),
        (packed(32, ["lm_head", "re:.*self_attn.*"]), "int4", (LINEAR - ATTENTION) * 4.5 / 8 + 2 * ATTENTION),
        (packed(128, ["lm_head"], symmetric=False), "int4", LINEAR * 4.15625 / 8),
        (packed(128, ["lm_head"], bits=8), "int8-gptq", LINEAR * 8.125 / 8),
        (gptq(), "int4-gptq", LINEAR * 4.15625 / 8),
        (gptq(group_size=32), "int4-gptq", LINEAR * 4.625 / 8),
        (gptq(bits=8), "int8-gptq", LINEAR * 8.1875 / 8),
        (gptq(dynamic={"-:.*self_attn.*": {}}), "int4-gptq", (LINEAR - ATTENTION) * 4.15625 / 8 + 2 * ATTENTION),
        (gptq(modules_to_not_convert=["self_attn"]), "int4-gptq", (LINEAR - ATTENTION) * 4.15625 / 8 + 2 * ATTENTION),
        ({"quant_method": "awq", "w_bit": 4, "q_group_size": 64}, "int4-awq", LINEAR * 4.3125 / 8),
        ({"quant_method": "auto-round", "bits": 4, "group_size": 32, "data_type": "mx_fp"}, "mxfp4", LINEAR * 4.25 / 8),
        ({"quant_method": "auto-round", "bits": 4, "group_size": 16, "data_type": "nv_fp"}, "nvfp4", LINEAR * 4.5 / 8),
        (MIXED, "nvfp4", (LINEAR - ATTENTION) * 4.5 / 8 + ATTENTION),
        (
            {"quant_method": "modelopt", "quant_algo": "NVFP4", "exclude_modules": ["lm_head", "*self_attn*"]},
            "nvfp4",
            (LINEAR - ATTENTION) * 4.5 / 8 + 2 * ATTENTION,
        ),
        (
            {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_use_double_quant": True,
             "llm_int8_skip_modules": ["lm_head", "self_attn"]},
            "nf4-double",
            (LINEAR - ATTENTION) * 4.126953125 / 8 + 2 * ATTENTION,
        ),
    ],
)  # fmt: skip
def test_weights_are_stored_as_the_file_says(said: dict[str, Any], format_id: str, quantized_bytes: float) -> None:
    arch = architecture_from_config({**LLAMA_8B, "quantization_config": said}, "config.json")
    assert arch.checkpoint_format == format_id
    assert model_weight_bytes(arch, format_id) == pytest.approx(WIDE + quantized_bytes, rel=0.001)


def test_experts_beside_a_dense_mlp_are_not_left_out_by_its_name() -> None:
    """nvidia/Gemma-4-26B-A4B-NVFP4 leaves `mlp` and attention in 16 bits: 14.39e9 elements of packed experts and the rest."""
    gemma = dict(read_config(catalog.load().model("gemma-4-26b-a4b").config))
    ignored = ["lm_head", "model.embed_vision*", "model.vision_tower*"]
    for index in range(30):
        ignored += [f"model.language_model.layers.{index}.{part}*" for part in ("mlp", "router", "self_attn")]
    weights = {"dynamic": False, "num_bits": 4, "type": "float", "group_size": 16}
    said = {"config_groups": {"group_0": {"weights": weights, "targets": ["Linear"]}}, "ignore": ignored}
    arch = architecture_from_config(
        {**gemma, "quantization_config": {**said, "quant_method": "modelopt"}}, "config.json"
    )
    assert arch.checkpoint_format == "nvfp4"
    assert model_weight_bytes(arch, "nvfp4") / 2**30 == pytest.approx(17.5, rel=0.01)


def test_a_layer_left_in_16_bits_weighs_on_its_stage_alone() -> None:
    said = packed(
        128, ["lm_head", "model.layers.0.mlp.gate_proj", "model.layers.0.mlp.up_proj", "model.layers.0.mlp.down_proj"]
    )
    arch = architecture_from_config({**LLAMA_8B, "quantization_config": said}, "config.json")
    first, second = (stage_weights(arch, "int4", Layout(tp=1, pp=32), stage).total_bytes for stage in (1, 2))
    assert first == second
    whole = sum(stage_weights(arch, "int4", Layout(tp=1, pp=2), stage).total_bytes for stage in (0, 1))
    assert whole == pytest.approx(model_weight_bytes(arch, "int4"), rel=1e-3)


@pytest.mark.parametrize(
    ("said", "key"),
    [
        (gptq(bits=3), "bits"),
        (packed(128, ["re:(a+)+$"]), "ignore"),
        (packed(128, ["re:(((" ]), "ignore"),
        (packed(128, [], bits=3), "num_bits"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_names_its_key(said: dict[str, Any], key: str) -> None:
    with pytest.raises(CatalogError, match=key):
        architecture_from_config({**LLAMA_8B, "quantization_config": said}, "config.json")


def test_a_model_that_attends_keeps_keys_of_some_layer() -> None:
    hybrid = {**LLAMA_8B, "model_type": "unseen", "sliding_window": 128}
    with pytest.raises(CatalogError, match="sliding_window"):
        architecture_from_config(hybrid, "config.json")
    pattern = [0 if n % 6 == 0 else 1 for n in range(32)]
    arch = architecture_from_config({**hybrid, "hybrid_layer_pattern": pattern}, "config.json")
    assert sum(1 for layer in arch.layers if not layer.caches[0].window) == 6


HEAD = 128256 * 4096
QUARK_FP4 = {"weight": {"dtype": "fp4", "qscheme": "per_group", "group_size": 32}}
QUARK_FP8 = {"weight": {"dtype": "fp8_e4m3", "qscheme": "per_tensor"}}


@pytest.mark.parametrize(
    ("said", "format_id", "expected"),
    [
        ({"quant_method": "fp8", "weight_block_size": [128, 128], "modules_to_not_convert": ["self_attn"]}, "fp8",
         WIDE + LINEAR - ATTENTION + 2 * ATTENTION),
        ({"quant_method": "fbgemm_fp8", "modules_to_not_convert": [f"model.layers.{n}.self_attn" for n in range(32)]}, "fp8",
         WIDE + LINEAR + ATTENTION),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True, "llm_int8_skip_modules": ["self_attn"]}, "int8",
         WIDE + LINEAR + ATTENTION),
        ({"_load_in_4bit": True, "quant_method": "bitsandbytes"}, "nf4", WIDE + LINEAR * 4.5 / 8),
        (gptq(lm_head=True), "int4-gptq", WIDE - 2 * HEAD + (LINEAR + HEAD) * 4.15625 / 8),
        ({"quant_method": "gptq_marlin", "bits": 4, "group_size": 64}, "int4-gptq", WIDE + LINEAR * (4 + 20 / 64) / 8),
        ({"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "NVFP4", "exclude_modules": ["lm_head"]}}, "nvfp4",
         WIDE + LINEAR * 4.5 / 8),
        ({"quant_method": "modelopt_fp4", "quant_algo": "NVFP4", "ignore": "lm_head"}, "nvfp4", WIDE + LINEAR * 4.5 / 8),
        ({"quant_method": "quark", "global_quant_config": QUARK_FP4, "exclude": ["lm_head"]}, "mxfp4", WIDE + LINEAR * 4.25 / 8),
        ({"quant_method": "quark", "global_quant_config": QUARK_FP4, "exclude": ["lm_head"],
          "layer_quant_config": {"*self_attn*": QUARK_FP8}}, "mxfp4", WIDE + (LINEAR - ATTENTION) * 4.25 / 8 + ATTENTION),
        ({"quant_method": "torchao", "quant_type": "int4_weight_only", "quant_type_kwargs": {"group_size": 64}}, "int4",
         WIDE + LINEAR * (4 + 20 / 64) / 8),
        ({"quant_method": "torchao", "quant_type": {"default": {"_type": "Float8WeightOnlyConfig"}}}, "fp8", WIDE + LINEAR),
        ({"group_size": 64, "bits": 4}, "mlx-4bit", 2 * 65 * 4096 + (LINEAR + 2 * HEAD) * 4.5 / 8),
        ({"group_size": 64, "bits": 3, "lm_head": {"group_size": 64, "bits": 6}}, "mlx-3bit",
         2 * 65 * 4096 + (LINEAR + HEAD) * 3.5 / 8 + HEAD * 6.5 / 8),
        ({"group_size": 32, "bits": 4, "mode": "mxfp4", "lm_head": False}, "mxfp4",
         2 * 65 * 4096 + (LINEAR + HEAD) * 4.25 / 8 + 2 * HEAD),
    ],
)  # fmt: skip
def test_each_tool_s_words_are_read(said: dict[str, Any], format_id: str, expected: float) -> None:
    arch = architecture_from_config({**LLAMA_8B, "quantization_config": said}, "config.json")
    assert arch.checkpoint_format == format_id
    assert model_weight_bytes(arch, format_id) == pytest.approx(expected, rel=0.002)


@pytest.mark.parametrize("key", ["quantization_config", "compression_config", "quantization"])
def test_the_section_has_three_names(key: str) -> None:
    arch = architecture_from_config({**LLAMA_8B, key: packed(128, ["lm_head"])}, "config.json")
    assert model_weight_bytes(arch, "int4") == pytest.approx(WIDE + LINEAR * 4.125 / 8, rel=0.001)


@pytest.mark.parametrize(
    "said",
    [
        *({"quant_method": name} for name in ("hqq", "aqlm", "exl2", "exl3", "quip", "eetq", "bitnet", "vptq", "of-our-own")),
        gptq(bits=3),
        packed(64, ["lm_head"], bits=2),
        {"quant_method": "modelopt", "quant_algo": "INT3_OURS"},
        {"quant_method": "quark", "global_quant_config": {"weight": {"dtype": "int3"}}},
        {"quant_method": "torchao", "quant_type": "uintx_weight_only"},
        {"bits": 7, "group_size": 64},
    ],
)  # fmt: skip
def test_a_method_that_cannot_be_sized_is_refused_and_named(said: dict[str, Any]) -> None:
    with pytest.raises(CatalogError, match=r"quantization_config.*known"):
        architecture_from_config({**LLAMA_8B, "quantization_config": said}, "config.json")


@pytest.mark.parametrize(
    ("said", "cache"),
    [
        ({**packed(128, ["lm_head"]), "kv_cache_scheme": {"num_bits": 8, "type": "float"}}, "fp8"),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4", "kv_cache_quant_algo": "FP8"}, "fp8"),
        (packed(128, ["lm_head"]), "bf16"),
    ],
)
def test_the_cache_that_a_checkpoint_has_scales_for_is_the_usual_one(
    said: dict[str, Any], cache: str, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({**LLAMA_8B, "quantization_config": said}))
    (tmp_path / "s.toml").write_text(
        'schema = 1\n[model]\nconfig = "config.json"\n[hardware]\naccelerator = "h100-sxm"\n'
    )
    assert load(tmp_path / "s.toml").model.kv_cache == cache
    start = catalog.build_scenario("llama-3.1-8b")
    assert change(start, {"model.config": str(tmp_path / "config.json")}, catalog.load()).model.kv_cache == cache


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("quantization_config", {**packed(128, ["lm_head"]), "sparsity_config": {"format": "sparse-24-bitmask"}}),
        ("quantization_config", {**packed(128, ["lm_head"]), "format": "marlin-24"}),
        ("quantization_config", {"quant_method": "torchao", "quant_type": "int8_dynamic_activation_intx_weight"}),
        ("quantization_config", {"dense_quant_type": "block_wise_fp8", "moe_quant_type": "block_wise_fp8"}),
        ("quant_config", {"weight_quant_params": {"nbits": 4, "group_size": 64}}),
    ],
)
def test_a_way_of_storing_that_is_stated_and_not_known_is_refused(section: str, said: dict[str, Any]) -> None:
    with pytest.raises(CatalogError):
        architecture_from_config({**LLAMA_8B, section: said}, "config.json")


def shipped(model: str) -> dict[str, Any]:
    return read_config(catalog.load().model(model).config)


def read(config: dict[str, Any]) -> Architecture:
    return architecture_from_config(config, "config.json")


@pytest.mark.parametrize("method", ["gptq", "awq", "auto-round"])
def test_groups_of_no_weights_are_refused_with_what_is_allowed(method: str) -> None:
    config = LLAMA_8B | {"quantization_config": {"quant_method": method, "bits": 4, "group_size": 0}}
    with pytest.raises(CatalogError, match=r"group_size.*is 0; known: -1 for whole rows, and 1 to 65,536"):
        read(config)
    whole = read({**config, "quantization_config": {"quant_method": method, "bits": 4, "group_size": -1}})
    assert model_weight_bytes(whole, whole.checkpoint_format) < model_weight_bytes(read(LLAMA_8B), "int4")


@pytest.mark.parametrize(
    ("model", "key"), [("granite-4.0-h-small", "layer_types"), ("qwen3-next-80b-a3b", "layer_types")]
)
def test_a_hybrid_none_of_whose_layers_attends_is_refused(model: str, key: str) -> None:
    config = shipped(model)
    kind = "mamba" if model.startswith("granite") else "linear_attention"
    with pytest.raises(CatalogError, match=f"{key}.*has no layer that attends"):
        read({**config, key: [kind] * config["num_hidden_layers"]})


def test_a_hybrid_carries_the_layer_that_predicts_ahead_though_its_config_does_not_name_it() -> None:
    # vllm/model_executor/models/qwen3_next_mtp.py: one layer that attends, of 512 experts
    arch = read(shipped("qwen3-next-80b-a3b"))
    experts = sum(one.rows * one.cols * one.copies for one in arch.mtp if one.part == "routed_expert")
    assert experts == 512 * 3 * 2048 * 512
    assert any(one.name.endswith("k_proj") for one in arch.mtp)
    assert (
        count_parameters(arch).total
        == count_parameters(read({**shipped("qwen3-next-80b-a3b"), "num_nextn_predict_layers": 0})).total
    )


PHI4MM: dict[str, Any] = {
    "model_type": "phi4mm", "architectures": ["Phi4MMForCausalLM"], "hidden_size": 3072, "intermediate_size": 8192,
    "num_hidden_layers": 32, "num_attention_heads": 24, "num_key_value_heads": 8, "vocab_size": 200064,
    "max_position_embeddings": 131072, "tie_word_embeddings": True, "sliding_window": 262144,
    "speech_lora": {"r": 320, "lora_alpha": 640}, "vision_lora": {"r": 256, "lora_alpha": 512},
    "audio_processor": {"config": {"attention_dim": 1024, "num_blocks": 24, "linear_units": 1536, "input_size": 80}},
}  # fmt: skip


def test_phi_4_multimodal_counts_its_adapters_and_towers() -> None:
    counted = count_parameters(read(PHI4MM))
    assert counted.total == pytest.approx(5_574_460_384, rel=0.01)  # the total of its safetensors index
    text = count_parameters(read(PHI4MM | {"speech_lora": None, "vision_lora": None})).total
    assert text == 3_836_021_760  # Phi-4-mini
    # both factors of qkv, o, gate and up, and down: 45,056 features each layer
    half = count_parameters(read(PHI4MM | {"vision_lora": {"r": 128}})).total
    assert counted.total - half == 128 * 32 * (3072 + 5120 + 3072 + 3072 + 3072 + 16384 + 8192 + 3072)
