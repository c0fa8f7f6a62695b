"""Which architecture a log row's model is: catalog entries by alias, and published dimensions of a few more.

A fine-tune, distillation or quantization has the architecture of what it was made from. A name without a rule gives
None: the row is then set aside, never guessed.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import catalog
from catalog.hf_config import architecture_from_config, read_config
from catalog.names import resolve_name
from engine.model.architecture import Architecture

# (pattern on the lower-case name, catalog id or key of CONFIGS). The first match counts.
RULES: tuple[tuple[str, str], ...] = (
    (r"deepseek-?r1-distill-llama-?8b", "llama-3.1-8b"),
    (r"deepseek-?r1-distill-llama-?70b", "llama-3.3-70b"),
    (r"deepseek-?r1-distill-qwen-?1\.5b", "qwen2.5-math-1.5b"),
    (r"deepseek-?r1-distill-qwen-?7b", "qwen2.5-math-7b"),
    (r"deepseek-?r1-distill-qwen-?14b", "qwen2.5-14b"),
    (r"deepseek-?r1-distill-qwen-?32b", "deepseek-r1-distill-qwen-32b"),
    (r"deepseek-?r1-0528-qwen3-8b", "qwen3-8b"),
    (r"deepseek-?v4-?flash", "deepseek-v4-flash"),
    (r"deepseek-?v4-?pro", "deepseek-v4-pro"),
    (r"deepseek-?v4", ""),
    (r"deepseek-?v3\.2", "deepseek-v3.2"),
    (r"deepseek-?r1[:-](1\.5|7|8|14|32|70)b", ""),
    (r"deepseek-?(v3|r1)", "deepseek-r1"),
    (r"deepseek-?(coder-)?v2-?lite", "deepseek-v2-lite"),
    (r"deepseek-?(coder-)?v2", "deepseek-v2"),
    (r"deepseek-coder-6\.?7b", "deepseek-coder-6.7b"),
    (r"deepseek-coder-33b", "deepseek-coder-33b"),
    (r"deepseek-llm-7b", "deepseek-llm-7b"),
    (r"llama-?3\.2.*11b", "llama-3.2-11b-vision"),
    (r"llama-?3\.2.*90b", ""),
    (r"llama-?3\.2.*3b", "llama-3.2-3b"),
    (r"llama-?3\.2.*1b", "llama-3.2-1b"),
    (r"nemotron-super-49b", "nemotron-super-49b"),
    (r"nemotron-?3-nano", "nemotron-3-nano-30b-a3b"),
    (r"nemotron-?3-puzzle", "nemotron-3-super-120b-a12b"),  # its mixers are those of what it was cut from
    (r"nemotron-?3-super", "nemotron-3-super-120b-a12b"),
    (r"nemotron-?4-340b", "nemotron-4-340b"),
    (r"llama-?3(\.[013])?-?.*405b|hermes-3.*405b", "llama-3.1-405b"),
    (r"llama-?3-(8|70)b", "llama-3-{1}b"),
    (r"(llama-?3(\.[0123])?|llama3(\.[0123])?|nemotron|hermes-[34]|tulu-3).*70b", "llama-3.3-70b"),
    (r"(llama-?3(\.[01])?|llama3(\.[01])?|hermes-3|tulu-3|nemotron-nano).*8b", "llama-3.1-8b"),
    (r"llama-?4-scout", "llama-4-scout"),
    (r"llama-?4-maverick", "llama-4-maverick"),
    (r"solar-10\.7b", "solar-10.7b"),
    (r"codellama-?34b|codellama.*34b", "codellama-34b"),
    (r"(llama-?2|llama2|codellama).*70b", "llama-2-70b"),
    (r"(llama-?2|llama2|codellama|vicuna).*13b", "llama-2-13b"),
    (r"(llama-?2|llama2|codellama|vicuna).*7b", "llama-2-7b"),
    (r"tinyllama", "tinyllama-1.1b"),
    (r"llava.*1\.?6.*mistral.*7b", "llava-1.6-mistral-7b"),
    (r"qwq-32b", "qwen2.5-32b"),
    (r"qwen3\.[568]-27b", "qwen3.5-27b"),
    (r"qwen-agentworld-35b", "qwen3.5-35b-a3b"),
    (r"qwen3\.[568]-35b", "qwen3.5-35b-a3b"),
    (r"qwen3\.[568]-122b", "qwen3.5-122b-a10b"),
    (r"qwen3\.[568]-397b", "qwen3.5-397b-a17b"),
    (r"qwen3\.8-flash-next", "qwen3.8-flash-next"),
    (r"qwen3-next", "qwen3-next-80b-a3b"),
    (r"qwen3-coder-next", "qwen3-next-80b-a3b"),
    (r"qwen3-coder-480b", "qwen3-coder-480b-a35b"),
    (r"qwen3-vl-235b", "qwen3-vl-235b-a22b"),
    (r"qwen3-vl-8b", "qwen3-vl-8b"),
    (r"qwen3-vl-(4b|30b|32b)", "qwen3-vl-{1}"),
    (r"qwen3-vl", ""),
    (r"qwen3-coder-30b", "qwen3-coder-30b-a3b"),
    (r"qwen3-30b", "qwen3-30b-a3b"),
    (r"qwen3-235b", "qwen3-235b-a22b"),
    (r"qwen3-(\d+(\.\d)?b)", "qwen3-{1}"),
    (r"qwen2\.5-vl-7b", "qwen2.5-vl-7b"),
    (r"qwen2-vl-7b", "qwen2-vl-7b"),
    (r"qwen2\.5-vl-(3b|32b|72b)", "qwen2.5-vl-{1}"),
    (r"qwen2(\.5)?-vl", ""),
    (r"qwen2\.?5-(coder-|math-)?(\d+(\.\d)?b)", "qwen2.5-{2}"),
    (r"qwen2-(\d+(\.\d)?b)", "qwen2.5-{1}"),
    (r"qwen1\.5-moe", "qwen1.5-moe-a2.7b"),
    (r"mixtral-?8x22b", "mixtral-8x22b"),
    (r"mixtral-?8x7b", "mixtral-8x7b"),
    (r"devstral-small-2(?!\d)", "devstral-small-2-24b"),
    (r"mistral-small-3\.[12]|mistral-small-.*-250[36]|magistral-small-2509", "mistral-small-3.2-24b"),
    (r"mistral-small.*22b|mistral-small-.*2409", "mistral-small-22b"),
    (r"mistral-small|devstral-small|magistral-small", "mistral-small-24b"),
    (r"mistral-nemo", "mistral-nemo-12b"),
    (r"mistral-large-?(2|instruct-24)", "mistral-large-123b"),
    (r"mistral-7b.*v0\.3", "mistral-7b-v0.3"),
    (r"mistral-7b.*v0\.2", "mistral-7b-v0.2"),
    (r"ministral-3-14b", "ministral-3-14b"),
    (r"mistral-7b|zephyr-7b", "mistral-7b-v0.1"),
    (r"ministral-8b", "ministral-8b"),
    (r"gemma-?(2b|7b)", "gemma-{1}"),
    (r"gemma-?2-2b", "gemma-2-2b"),
    (r"gemma-?2-9b", "gemma-2-9b"),
    (r"gemma-?2-27b", "gemma-2-27b"),
    (r"gemma-?3-1b", "gemma-3-1b"),
    (r"gemma-?3-4b", "gemma-3-4b"),
    (r"gemma-?3-12b", "gemma-3-12b"),
    (r"gemma-?3-27b", "gemma-3-27b"),
    (r"gemma-?4-26b", "gemma-4-26b-a4b"),
    (r"gemma-?4-31b", "gemma-4-31b"),
    (r"phi-?3\.5-moe", "phi-3.5-moe"),
    (r"phi-?2", "phi-2"),
    (r"phi-?3\.5-mini|phi-?3-mini", "phi-3.5-mini"),
    (r"phi-?3-medium", "phi-3-medium"),
    (r"phi-?4-mini", "phi-4-mini"),
    (r"phi-?4", "phi-4"),
    (r"gpt-oss-20b", "gpt-oss-20b"),
    (r"gpt-oss-120b", "gpt-oss-120b"),
    (r"glm-4\.[567]-air", "glm-4.5-air"),
    (r"glm-4\.[567]-?flash|glm-4\.[567]v", ""),
    (r"glm-4\.[567]", "glm-4.6"),
    (r"glm-?5\.2", "glm-5.2"),
    (r"glm-?5\.3-flash", "glm-5.3-flash"),
    (r"glm-?5\.3", ""),
    (r"glm-?5", "glm-5"),
    (r"kimi-k2\.[567]", "kimi-k2.5"),
    (r"kimi-k2", "kimi-k2"),
    (r"minimax-m2", "minimax-m2.7"),
    (r"falcon-7b", "falcon-7b"),
    (r"falcon-40b", "falcon-40b"),
    (r"falcon-180b", "falcon-180b"),
    (r"command-r7b", "command-r7b"),
    (r"dbrx", "dbrx"),
    (r"glm-4-9b", "glm-4-9b"),
    (r"seed-oss-36b", "seed-oss-36b"),
    (r"exaone-4.*32b", "exaone-4.0-32b"),
    (r"smollm3", "smollm3-3b"),
    (r"internlm2\.5-7b", "internlm2.5-7b"),
    (r"minimax-(text-01|m1)", "minimax-text-01"),
    (r"kimi-linear", "kimi-linear-48b-a3b"),
    (r"mpt-7b", "mpt-7b"),
    (r"mpt-30b", "mpt-30b"),
    (r"gpt-j", "gpt-j-6b"),
    (r"bloom(z)?$|bloom-176b", "bloom-176b"),
    (r"command-r-?plus|c4ai-command-r-plus", "command-r-plus-104b"),
    (r"command-r", "command-r-35b"),
    (r"command-a", "command-a-111b"),
    (r"jamba.*mini", "jamba-mini-1.5"),
    (r"granite-3\.[0-3]-8b", "granite-3.3-8b"),
    (r"granite-4.*small", "granite-4.0-h-small"),
    (r"gpt-neox-20b", "gpt-neox-20b"),
    (r"opt-(6\.7|13|30|66)b", "opt-{1}b"),
    (r"starcoder2-(3|7)b", "starcoder2-{1}b"),
    (r"olmo-2.*7b", "olmo-2-7b"),
    (r"olmo-2.*13b", "olmo-2-13b"),
    (r"olmo-2.*32b", "olmo-2-32b"),
    (r"olmoe", "olmoe-1b-7b"),
    (r"yi-(1\.5-)?34b", "yi-34b"),
    (r"yi-(1\.5-)?6b", "yi-6b"),
    (r"yi-(1\.5-)?9b", "yi-9b"),
)


def _decoder(
    model_type: str,
    hidden: int,
    inner: int,
    layers: int,
    heads: int,
    kv: int,
    vocab: int,
    positions: int,
    tied: bool = False,
) -> dict[str, Any]:
    return {
        "model_type": model_type,
        "hidden_size": hidden,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv,
        "vocab_size": vocab,
        "max_position_embeddings": positions,
        "tie_word_embeddings": tied,
    }


def _qwen_vl(text: dict[str, Any], vision_inner: int) -> dict[str, Any]:
    vision = {
        "depth": 32,
        "hidden_size": 1280,
        "intermediate_size": vision_inner,
        "num_heads": 16,
        "in_chans": 3,
        "out_hidden_size": text["hidden_size"],
        "patch_size": 14,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "window_size": 112,
    }
    return {**text, "vision_config": vision, "use_sliding_window": False}


def _like(known: str, top: dict[str, Any], text: dict[str, Any], vision: dict[str, Any]) -> dict[str, Any]:
    """The config of a catalog model with some of its sizes changed."""
    config = read_config(catalog.load().model(known).config)
    merged = {"text_config": {**config["text_config"], **text}, "vision_config": {**config["vision_config"], **vision}}
    return {**config, **top, **merged}


_QWEN3_4B = {
    "hidden_size": 2560,
    "intermediate_size": 9728,
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
}
_QWEN3_VL_SMALL = {"out_hidden_size": 2560, "depth": 24, "hidden_size": 1024, "intermediate_size": 4096}
_QWEN3_30B = {
    "hidden_size": 2048,
    "intermediate_size": 6144,
    "moe_intermediate_size": 768,
    "num_hidden_layers": 48,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
}
_QWEN3_32B = {
    "hidden_size": 5120,
    "intermediate_size": 25600,
    "num_hidden_layers": 64,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
}

_MINISTRAL_14B = {
    "hidden_size": 5120,
    "intermediate_size": 16384,
    "num_hidden_layers": 40,
    "max_position_embeddings": 262144,
}
_QWEN35_122B = {
    "hidden_size": 3072,
    "moe_intermediate_size": 1024,
    "shared_expert_intermediate_size": 1024,
    "num_hidden_layers": 48,
    "num_attention_heads": 32,
    "linear_num_value_heads": 64,
    "layer_types": [*["linear_attention"] * 3, "full_attention"] * 12,
}
_DEEPSEEK_V4_PRO = {
    "hidden_size": 7168,
    "moe_intermediate_size": 3072,
    "n_routed_experts": 384,
    "num_attention_heads": 128,
    "num_hidden_layers": 61,
    "o_groups": 16,
    "q_lora_rank": 1536,
    "index_topk": 1024,
    "compress_ratios": [128, 128, *[4, 128] * 29, 4, 0],
}

# transformers' configuration_qwen4_exp.py and configuration_glm5_next.py, with the sizes that those who serve them state
QWEN_FLASH_NEXT = {
    "model_type": "qwen4_exp_text",
    "hidden_size": 2560,
    "num_hidden_layers": 48,
    "num_attention_heads": 24,
    "num_key_value_heads": 2,
    "head_dim": 256,
    "vocab_size": 248320,
    "max_position_embeddings": 262144,
    "full_attention_interval": 4,
    "linear_num_key_heads": 16,
    "linear_num_value_heads": 48,
    "linear_key_head_dim": 128,
    "linear_value_head_dim": 128,
    "linear_conv_kernel_dim": 4,
    "mamba_ssm_dtype": "float32",
    "num_experts": 512,
    "num_experts_per_tok": 10,
    "moe_intermediate_size": 640,
    "shared_expert_intermediate_size": 640,
    "indexer_n_heads": 4,
    "indexer_kv_heads": 1,
    "indexer_head_dim": 128,
    "indexer_budget": 2048,
    "indexer_compress_ratio": 4,
    "hc_count": 4,
    "hc_lowrank": 320,
    "ple_layer_ids": [2],
    "mtp_num_hidden_layers": 1,
    "attn_output_gate": True,
}
GLM_FLASH = {
    "model_type": "glm5_next_text",
    "hidden_size": 4096,
    "intermediate_size": 12288,
    "moe_intermediate_size": 2048,
    "num_hidden_layers": 45,
    "num_attention_heads": 64,
    "num_key_value_heads": 64,
    "vocab_size": 154880,
    "n_routed_experts": 288,
    "num_experts_per_tok": 8,
    "n_shared_experts": 1,
    "kv_lora_rank": 512,
    "q_lora_rank": 1536,
    "qk_rope_head_dim": 0,
    "qk_nope_head_dim": 256,
    "v_head_dim": 256,
    "index_topk": 2048,
    "index_kpool": 4,
    "first_k_dense_replace": 3,
    "max_position_embeddings": 1048576,
    "num_nextn_predict_layers": 1,
}

# Models that the catalog does not have: the dimensions that each publisher's config.json on Hugging Face states.
CONFIGS: dict[str, dict[str, Any]] = {
    "qwen3.8-flash-next": QWEN_FLASH_NEXT,
    "glm-5.3-flash": GLM_FLASH,
    "yi-9b": _decoder("llama", 4096, 11008, 48, 32, 4, 64000, 4096),
    "qwen2.5-math-1.5b": _decoder("qwen2", 1536, 8960, 28, 12, 2, 151936, 131072),
    "qwen2.5-math-7b": _decoder("qwen2", 3584, 18944, 28, 28, 4, 152064, 131072),
    "phi-4-mini": _decoder("phi3", 3072, 8192, 32, 24, 8, 200064, 131072, True),
    "qwen2.5-vl-3b": _qwen_vl(_decoder("qwen2_5_vl", 2048, 11008, 36, 16, 2, 151936, 128000, True), 3420),
    "qwen2.5-vl-32b": _qwen_vl(_decoder("qwen2_5_vl", 5120, 27648, 64, 40, 8, 152064, 128000), 3456),
    "qwen2.5-vl-72b": _qwen_vl(_decoder("qwen2_5_vl", 8192, 29568, 80, 64, 8, 152064, 128000), 3456),
    "mistral-7b-v0.2": _decoder("mistral", 4096, 14336, 32, 32, 8, 32000, 32768),
    "ministral-3-14b": _like("mistral-small-3.2-24b", {}, _MINISTRAL_14B, {}),
    "qwen3.5-122b-a10b": _like("qwen3.5-35b-a3b", {}, _QWEN35_122B, {"out_hidden_size": 3072}),
    "deepseek-v4-pro": {**read_config(catalog.load().model("deepseek-v4-flash").config), **_DEEPSEEK_V4_PRO},
    "qwen3-vl-4b": _like("qwen3-vl-8b", {"tie_word_embeddings": True}, _QWEN3_4B, _QWEN3_VL_SMALL),
    "qwen3-vl-30b": _like("qwen3-vl-235b-a22b", {}, _QWEN3_30B, {"out_hidden_size": 2048}),
    "qwen3-vl-32b": _like("qwen3-vl-8b", {}, _QWEN3_32B, {"out_hidden_size": 5120}),
}


def key_of(*names: str) -> str:
    """The catalog id or CONFIGS key that a row's names stand for; empty when no rule knows them.

    The rules here come first: they know the dimensions of models that the catalog does not have.
    """
    for name in names:
        plain = name.lower().replace("_", "-").split("/")[-1]
        for pattern, key in RULES:
            found = re.search(pattern, plain)
            if found:
                for number in range(1, (found.re.groups or 0) + 1):
                    key = key.replace(f"{{{number}}}", found.group(number) or "")
                return key
    return next((found for found in map(resolve_name, names) if found), "")


@lru_cache(maxsize=256)
def architecture_of(*names: str) -> Architecture | None:
    """The architecture that a row's names stand for, most telling name first; None when no rule knows it."""
    key = key_of(*names)
    if key in CONFIGS:
        return architecture_from_config(CONFIGS[key], key)
    for model_id in (key, *filter(None, map(resolve_name, names))):
        try:
            return catalog.load().model(model_id).architecture
        except catalog.UnknownId:
            continue
    return None
