"""Which architecture a log row's model is: catalog entries by alias, and published dimensions of a few more models.

A fine-tune, distillation or quantization has the architecture of what it was made from. A name without a rule gives
None: the row is then set aside, never guessed.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import catalog
from catalog.hf_config import architecture_from_config
from engine.architecture import Architecture

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
    (r"deepseek-?v4", ""),
    (r"deepseek-?v3\.2", "deepseek-v3.2"),
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
    (r"nemotron-?3-super", "nemotron-3-super-120b-a12b"),
    (r"nemotron-?4-340b", "nemotron-4-340b"),
    (r"llama-?3(\.[013])?-?.*405b|hermes-3.*405b", "llama-3.1-405b"),
    (r"(llama-?3(\.[0123])?|llama3(\.[0123])?|nemotron|hermes-[34]|tulu-3).*70b", "llama-3.3-70b"),
    (r"(llama-?3(\.[01])?|llama3(\.[01])?|hermes-3|tulu-3|nemotron-nano).*8b", "llama-3.1-8b"),
    (r"llama-?4-scout", "llama-4-scout"),
    (r"codellama-?34b|codellama.*34b", "codellama-34b"),
    (r"(llama-?2|llama2|codellama).*70b", "llama-2-70b"),
    (r"(llama-?2|llama2|codellama|vicuna).*13b", "llama-2-13b"),
    (r"(llama-?2|llama2|codellama|vicuna).*7b", "llama-2-7b"),
    (r"tinyllama", "tinyllama-1.1b"),
    (r"llava.*1\.?6.*mistral.*7b", "llava-1.6-mistral-7b"),
    (r"qwq-32b", "qwen2.5-32b"),
    (r"qwen3\.[568]-27b", "qwen3.5-27b"),
    (r"qwen3\.[56]-35b", "qwen3.5-35b-a3b"),
    (r"qwen3\.[56]-397b", "qwen3.5-397b-a17b"),
    (r"qwen3-next", "qwen3-next-80b-a3b"),
    (r"qwen3-coder-next", "qwen3-next-80b-a3b"),
    (r"qwen3-coder-480b", "qwen3-coder-480b-a35b"),
    (r"qwen3-vl-235b", "qwen3-vl-235b-a22b"),
    (r"qwen3-vl-8b", "qwen3-vl-8b"),
    (r"qwen3-vl", ""),
    (r"qwen3-(coder-)?30b", "qwen3-30b-a3b"),
    (r"qwen3-235b", "qwen3-235b-a22b"),
    (r"qwen3-(\d+(\.\d)?b)", "qwen3-{1}"),
    (r"qwen2\.5-vl-7b|qwen2-vl-7b", "qwen2.5-vl-7b"),
    (r"qwen2(\.5)?-vl", ""),
    (r"qwen2\.?5-(coder-|math-)?(\d+(\.\d)?b)", "qwen2.5-{2}"),
    (r"qwen2-(\d+(\.\d)?b)", "qwen2.5-{1}"),
    (r"qwen1\.5-moe", "qwen1.5-moe-a2.7b"),
    (r"mixtral-?8x22b", "mixtral-8x22b"),
    (r"mixtral-?8x7b", "mixtral-8x7b"),
    (r"(mistral-small-3\.[12]|mistral-small-24b-instruct-2503|mistral-small-.*-250[36]|magistral-small-2509|devstral-small-2)",
     "devstral-small-2-24b"),
    (r"mistral-small|devstral-small|magistral-small", "mistral-small-24b"),
    (r"mistral-nemo", "mistral-nemo-12b"),
    (r"mistral-large-?(2|instruct-24)", "mistral-large-123b"),
    (r"mistral-7b.*v0\.3", "mistral-7b-v0.3"),
    (r"mistral-7b|zephyr-7b", "mistral-7b-v0.1"),
    (r"ministral-8b", "ministral-8b"),
    (r"gemma-?2-2b", "gemma-2-2b"),
    (r"gemma-?2-9b", "gemma-2-9b"),
    (r"gemma-?2-27b", "gemma-2-27b"),
    (r"gemma-?3-1b", "gemma-3-1b"),
    (r"gemma-?3-4b", "gemma-3-4b"),
    (r"gemma-?3-12b", "gemma-3-12b"),
    (r"gemma-?3-27b", "gemma-3-27b"),
    (r"gemma-?4-26b", "gemma-4-26b-a4b"),
    (r"gemma-?4-31b", "gemma-4-31b"),
    (r"phi-?3\.5-mini|phi-?3-mini", "phi-3.5-mini"),
    (r"phi-?3-medium", "phi-3-medium"),
    (r"phi-?4-mini", "phi-4-mini"),
    (r"phi-?4", "phi-4"),
    (r"gpt-oss-20b", "gpt-oss-20b"),
    (r"gpt-oss-120b", "gpt-oss-120b"),
    (r"glm-4\.[567]-air", "glm-4.5-air"),
    (r"glm-4\.[567]-?flash|glm-4\.[567]v", ""),
    (r"glm-4\.[567]", "glm-4.6"),
    (r"glm-?5", "glm-5"),
    (r"kimi-k2\.[567]", "kimi-k2.5"),
    (r"kimi-k2", "kimi-k2"),
    (r"minimax-m2", "minimax-m2.7"),
    (r"falcon-7b", "falcon-7b"),
    (r"falcon-40b", "falcon-40b"),
    (r"command-r-?plus|c4ai-command-r-plus", "command-r-plus-104b"),
    (r"command-r", "command-r-35b"),
    (r"command-a", "command-a-111b"),
    (r"jamba.*mini", "jamba-mini-1.5"),
    (r"granite-3\.[0-3]-8b", "granite-3.3-8b"),
    (r"granite-4.*small", "granite-4.0-h-small"),
    (r"gpt-neox-20b", "gpt-neox-20b"),
    (r"opt-66b", "opt-66b"),
    (r"starcoder2-7b", "starcoder2-7b"),
    (r"olmo-2.*7b", "olmo-2-7b"),
    (r"olmo-2.*32b", "olmo-2-32b"),
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
    **more: Any,
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
        **more,
    }


_GEMMA3 = {"head_dim": 256, "sliding_window_pattern": 6}

# The dimensions that each publisher's config.json on Hugging Face states.
CONFIGS: dict[str, dict[str, Any]] = {
    "llama-3.2-3b": _decoder("llama", 3072, 8192, 28, 24, 8, 128256, 131072, True, head_dim=128),
    "llama-2-70b": _decoder("llama", 8192, 28672, 80, 64, 8, 32000, 4096),
    "codellama-34b": _decoder("llama", 8192, 22016, 48, 64, 8, 32000, 16384),
    "tinyllama-1.1b": _decoder("llama", 2048, 5632, 22, 32, 4, 32000, 2048),
    "deepseek-coder-6.7b": _decoder("llama", 4096, 11008, 32, 32, 32, 32256, 16384),
    "deepseek-coder-33b": _decoder("llama", 7168, 19200, 62, 56, 8, 32256, 16384),
    "deepseek-llm-7b": _decoder("llama", 4096, 11008, 30, 32, 32, 102400, 4096),
    "yi-6b": _decoder("llama", 4096, 11008, 32, 32, 4, 64000, 4096),
    "yi-9b": _decoder("llama", 4096, 11008, 48, 32, 4, 64000, 4096),
    "mistral-7b-v0.1": _decoder("mistral", 4096, 14336, 32, 32, 8, 32000, 32768),
    "ministral-8b": _decoder("mistral", 4096, 12288, 36, 32, 8, 131072, 32768, head_dim=128),
    "qwen2.5-0.5b": _decoder("qwen2", 896, 4864, 24, 14, 2, 151936, 32768, True),
    "qwen2.5-1.5b": _decoder("qwen2", 1536, 8960, 28, 12, 2, 151936, 32768, True),
    "qwen2.5-14b": _decoder("qwen2", 5120, 13824, 48, 40, 8, 152064, 131072),
    "qwen2.5-math-1.5b": _decoder("qwen2", 1536, 8960, 28, 12, 2, 151936, 131072),
    "qwen2.5-math-7b": _decoder("qwen2", 3584, 18944, 28, 28, 4, 152064, 131072),
    "qwen3-1.7b": _decoder("qwen3", 2048, 6144, 28, 16, 8, 151936, 40960, True, head_dim=128),
    "qwen3-4b": _decoder("qwen3", 2560, 9728, 36, 32, 8, 151936, 40960, True, head_dim=128),
    "qwen3-14b": _decoder("qwen3", 5120, 17408, 40, 40, 8, 151936, 40960, head_dim=128),
    "gemma-2-2b": _decoder("gemma2", 2304, 9216, 26, 8, 4, 256000, 8192, True, head_dim=256, sliding_window=4096),
    "gemma-3-1b": _decoder("gemma3_text", 1152, 6912, 26, 4, 1, 262144, 32768, True, sliding_window=512, **_GEMMA3),
    "gemma-3-12b": _decoder("gemma3_text", 3840, 15360, 48, 16, 8, 262208, 131072, True, sliding_window=1024, **_GEMMA3),
    "phi-3-medium": _decoder("phi3", 5120, 17920, 40, 40, 10, 32064, 131072),
    "phi-4-mini": _decoder("phi3", 3072, 8192, 32, 24, 8, 200064, 131072, True),
    "deepseek-v2": _decoder(
        "deepseek_v2", 5120, 12288, 60, 128, 128, 102400, 163840, q_lora_rank=1536, kv_lora_rank=512,
        qk_nope_head_dim=128, qk_rope_head_dim=64, v_head_dim=128, n_routed_experts=160, n_shared_experts=2,
        moe_intermediate_size=1536, num_experts_per_tok=6, first_k_dense_replace=1, moe_layer_freq=1,
    ),
    "llava-1.6-mistral-7b": {
        "model_type": "llava_next",
        "text_config": _decoder("mistral", 4096, 14336, 32, 32, 8, 32064, 32768),
        "vision_config": {
            "model_type": "clip_vision_model", "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
            "num_attention_heads": 16, "image_size": 336, "patch_size": 14, "projection_dim": 768, "vocab_size": 32000,
        },
        "tie_word_embeddings": False,
    },
}  # fmt: skip


def key_of(*names: str) -> str:
    """The catalog id or CONFIGS key that a row's names stand for; empty when no rule knows them."""
    for name in names:
        plain = name.lower().replace("_", "-").split("/")[-1]
        for pattern, key in RULES:
            found = re.search(pattern, plain)
            if found:
                for number in range(1, (found.re.groups or 0) + 1):
                    key = key.replace(f"{{{number}}}", found.group(number) or "")
                return key
    return ""


@lru_cache(maxsize=256)
def architecture_of(*names: str) -> Architecture | None:
    """The architecture that a row's names stand for, most telling name first; None when no rule knows it."""
    key = key_of(*names)
    if not key:
        return None
    if key in CONFIGS:
        return architecture_from_config(CONFIGS[key], key)
    try:
        return catalog.load().model(key).architecture
    except catalog.UnknownId:
        return None
