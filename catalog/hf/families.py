"""What a config.json leaves unsaid: for each `model_type`, the class's defaults and the choices its code makes.

A row describes structure, never sizes of one model: sizes come from the file, and where a class of Hugging Face
transformers (5.23, the file configuration_NAME.py of each model) has a default for an absent key it is listed here.
A `model_type` without a row is read as a plain decoder by the names of its keys (`GENERIC`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, replace
from types import MappingProxyType
from typing import Any, Final, Literal

from catalog.hf.mixers import QkNorm
from catalog.hf.reader import Config
from catalog.hf.sizes import GEMMA3_SIZES, GEMMA4_SIZES, LLAMA_SIZES, MISTRAL_SIZES, MLLAMA_SIZES, QWEN2_SIZES
from engine.figures.records import dataclass

Attention = Literal["plain", "latent"]
Recurrent = Literal["delta-net", "kda", "lightning", "mamba", "mamba2", "rg-lru", "short-conv", "none"]
# A bias is always there, never there, or switched by one of these keys.
Bias = bool | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """How one `model_type` is built where its config does not say.

    defaults: class defaults by key. sizes: class defaults of sizes, used only inside a nested text_config (a
    top-level config that lacks them is damaged, not terse). block_norms: norms of hidden width in a block.
    qk_norm_key: the key that switches qk_norm, when one does. positions: rows that a learned position table has
    beyond max_position_embeddings, None for rotary or ALiBi positions.
    """

    attention: Attention = "plain"
    recurrent: Recurrent = "none"
    defaults: Mapping[str, Any] = field(default_factory=dict)
    sizes: Mapping[str, Any] = field(default_factory=dict)
    tied: bool = False
    qkv_bias: Bias = ("attention_bias", "qkv_bias", "use_qkv_bias", "add_qkv_bias", "use_bias", "bias")
    o_bias: Bias = ("attention_bias", "attention_out_bias", "use_bias", "bias")
    mlp_bias: Bias = ("mlp_bias", "use_mlp_bias", "use_bias", "bias")
    expert_bias: Bias = False
    router_bias: Bias = False
    lm_head_bias: Bias = False
    gated: bool = True
    qk_norm: QkNorm = "none"
    qk_norm_key: str = ""
    qk_norm_bias: bool = False
    block_norms: int | Callable[[Config], int] = 2
    norm_bias: Bias = False
    learned_norm: bool = True
    output_gate: bool = False
    sinks: bool = False
    inner_norm: bool = False
    score_correction: Bias = False
    shared_gate: bool = False
    positions: int | None = None
    embedding_norm: bool = False
    implicit_pattern: str = ""


def _family(base: Family | None = None, **changes: Any) -> Family:
    return replace(base or Family(), **changes)


GENERIC: Final = Family()
_NO_BIAS: Final = _family(qkv_bias=False, o_bias=False, mlp_bias=False)
_LAYER_NORM: Final = _family(norm_bias=True, gated=False)

_LLAMA: Final = _family(
    qkv_bias=("attention_bias",), o_bias=("attention_bias",), mlp_bias=("mlp_bias",), sizes=LLAMA_SIZES
)
_MISTRAL: Final = _family(_NO_BIAS, defaults={"num_key_value_heads": 8}, sizes=MISTRAL_SIZES)
_MINISTRAL3: Final = _MISTRAL
_QWEN2: Final = _family(
    _NO_BIAS, qkv_bias=True, defaults={"num_key_value_heads": 32, "use_sliding_window": False}, sizes=QWEN2_SIZES
)
_QWEN2_MOE: Final = _family(_QWEN2, shared_gate=True, defaults={"use_sliding_window": False})
_QWEN3: Final = _family(
    _NO_BIAS,
    qkv_bias=("attention_bias",),
    o_bias=("attention_bias",),
    qk_norm="head",
    defaults={"head_dim": 128, "use_sliding_window": False},
    sizes={**QWEN2_SIZES, "num_key_value_heads": 32},
)
_QWEN3_MOE: Final = _family(_QWEN3, defaults={"use_sliding_window": False, "num_key_value_heads": 4})
_QWEN3_NEXT: Final = _family(
    _QWEN3,
    recurrent="delta-net",
    output_gate=True,
    shared_gate=True,
    defaults={"head_dim": 256, "full_attention_interval": 4, "linear_conv_kernel_dim": 4},
)
_DEEPSEEK: Final = _family(
    _NO_BIAS,
    attention="latent",
    qkv_bias=("attention_bias",),
    defaults={"first_k_dense_replace": 0, "q_lora_rank": 1536, "kv_lora_rank": 512},
)
LATENT: Final = _family(_NO_BIAS, attention="latent", qkv_bias=("attention_bias",))
_DEEPSEEK_V3: Final = _family(
    _DEEPSEEK,
    score_correction=True,
    defaults={
        "first_k_dense_replace": 3,
        "n_routed_experts": 256,
        "num_experts_per_tok": 8,
        "moe_intermediate_size": 2048,
        "n_shared_experts": 1,
        "q_lora_rank": 1536,
        "kv_lora_rank": 512,
        "qk_nope_head_dim": 128,
        "qk_rope_head_dim": 64,
        "v_head_dim": 128,
    },
)
_GEMMA: Final = _family(
    _NO_BIAS,
    qkv_bias=("attention_bias",),
    o_bias=("attention_bias",),
    tied=True,
    defaults={"head_dim": 256},
)
_GEMMA2: Final = _family(
    _GEMMA,
    block_norms=4,
    implicit_pattern="sliding full",
    defaults={"head_dim": 256, "sliding_window": 4096},
)
_GEMMA3: Final = _family(
    _GEMMA2,
    qk_norm="head",
    implicit_pattern="sliding sliding sliding sliding sliding full",
    sizes=GEMMA3_SIZES,
)
_GEMMA4: Final = _family(_GEMMA3, sizes=GEMMA4_SIZES)
_GLM4_MOE: Final = _family(
    _NO_BIAS,
    qkv_bias=("attention_bias",),
    qk_norm="head",
    qk_norm_key="use_qk_norm",
    score_correction=True,
    defaults={"first_k_dense_replace": 1},
)
_OLMO2: Final = _family(_NO_BIAS, qkv_bias=("attention_bias",), o_bias=("attention_bias",), qk_norm="width")
_COHERE: Final = _family(
    _NO_BIAS,
    qkv_bias=("attention_bias",),
    o_bias=("attention_bias",),
    tied=True,
    block_norms=1,
    qk_norm="width",
    qk_norm_key="use_qk_norm",
)
_GRANITE_HYBRID: Final = _family(_LLAMA, recurrent="mamba2")
_NEMOTRON_H: Final = _family(
    _NO_BIAS,
    recurrent="mamba2",
    gated=False,
    block_norms=1,
    qkv_bias=("attention_bias",),
    o_bias=("attention_bias",),
    mlp_bias=("mlp_bias",),
    score_correction=True,
)
_GPT2: Final = _family(_LAYER_NORM, qkv_bias=True, o_bias=True, mlp_bias=True, tied=True, positions=0)
_GPTJ: Final = _family(_LAYER_NORM, qkv_bias=False, o_bias=False, mlp_bias=True, block_norms=1, lm_head_bias=True)
_PHI: Final = _family(
    _LAYER_NORM,
    qkv_bias=True,
    o_bias=True,
    mlp_bias=True,
    block_norms=1,
    lm_head_bias=True,
    qk_norm="head",
    qk_norm_key="qk_layernorm",
    qk_norm_bias=True,
)
# Both published models have 96 heads in windows; files that engines trim leave the setting out.
_STEP3: Final = _family(
    _NO_BIAS,
    qk_norm="head",
    score_correction=("use_moe_router_bias",),
    defaults={"use_head_wise_attn_gate": True, "first_k_dense_replace": 3, "num_sliding_attention_heads": 96},
)
_GLM: Final = _family(_NO_BIAS, qkv_bias=("attention_bias",), defaults={"attention_bias": True, "head_dim": 128})
_ERNIE: Final = _family(qkv_bias=("use_bias",), o_bias=("use_bias",), mlp_bias=("use_bias",), tied=True)
_HUNYUAN: Final = _family(
    _NO_BIAS,
    qkv_bias=("attention_bias",),
    o_bias=("attention_bias",),
    qk_norm="head",
    qk_norm_key="use_qk_norm",
    defaults={"use_qk_norm": True},
)
_BAILING: Final = _family(
    _NO_BIAS,
    qkv_bias=("use_qkv_bias",),
    o_bias=("use_bias",),
    qk_norm="head",
    qk_norm_key="use_qk_norm",
    score_correction=("moe_router_enable_expert_bias",),
)
_LFM2: Final = _family(
    _NO_BIAS,
    recurrent="short-conv",
    qk_norm="head",
    tied=True,
    score_correction=("use_expert_bias",),
    defaults={"num_key_value_heads": 8, "conv_L_cache": 3, "use_expert_bias": True},
)


_BERT: Final = _family(
    qkv_bias=True,
    o_bias=True,
    mlp_bias=True,
    gated=False,
    norm_bias=True,
    sizes={},
    defaults={"type_vocab_size": 2},
)


def _falcon_norms(config: Config) -> int:
    """Parallel blocks share one norm, except that the new decoder has one for each branch unless it says otherwise."""
    if config.flag("new_decoder_architecture"):
        return config.integer("num_ln_in_parallel_attn", 2)
    return 1 if config.flag("parallel_attn", True) else 2


def _stablelm_norms(config: Config) -> int:
    return 1 if config.flag("use_parallel_residual") else 2


FAMILIES: Final[Mapping[str, Family]] = MappingProxyType(
    {
        "bert": _BERT,
        "camembert": _BERT,
        "modernbert": _family(
            qkv_bias=("attention_bias",), o_bias=("attention_bias",), mlp_bias=("mlp_bias",), norm_bias=("norm_bias",)
        ),
        "mpnet": _family(_BERT, defaults={}),
        "new": _family(_BERT, gated=True, mlp_bias=False),
        "nomic_bert": _family(
            qkv_bias=("qkv_proj_bias",), o_bias=("qkv_proj_bias",), mlp_bias=("mlp_fc1_bias",), norm_bias=True
        ),
        "roberta": _BERT,
        "xlm-roberta": _BERT,
        "llama": _LLAMA,
        "mistral": _MISTRAL,
        "ministral3": _MINISTRAL3,
        "mixtral": _family(_NO_BIAS, defaults={"num_key_value_heads": 8}),
        "qwen2": _QWEN2,
        "qwen2_vl_text": _QWEN2,
        "qwen2_5_vl": _QWEN2,
        "qwen2_5_vl_text": _QWEN2,
        "qwen2_vl": _QWEN2,
        "qwen2_moe": _QWEN2_MOE,
        "qwen3": _QWEN3,
        "qwen3_moe": _QWEN3_MOE,
        "qwen3_vl_text": _QWEN3,
        "qwen3_vl_moe_text": _QWEN3_MOE,
        "qwen3_next": _QWEN3_NEXT,
        "qwen3_5_text": _QWEN3_NEXT,
        "qwen3_5_moe_text": _QWEN3_NEXT,
        "qwen4_exp_text": _QWEN3_NEXT,
        "glm5_next_text": _family(
            _DEEPSEEK_V3,
            recurrent="kda",
            defaults={"full_attention_interval": 4, "index_head_dim": 128, "index_n_heads": 32},
        ),
        "deepseek_v2": _DEEPSEEK,
        "deepseek_v3": _DEEPSEEK_V3,
        "deepseek_v32": _DEEPSEEK_V3,
        "kimi_k2": _DEEPSEEK_V3,
        "glm_moe_dsa": _DEEPSEEK_V3,
        "deepseek_v4": _family(_NO_BIAS),
        "gemma": _GEMMA,
        "gemma2": _GEMMA2,
        "gemma3_text": _GEMMA3,
        "gemma4_text": _GEMMA4,
        "gemma4_unified_text": _GEMMA4,
        "phi3": _NO_BIAS,
        "phi4mm": _NO_BIAS,
        "gpt_oss": _family(
            qkv_bias=("attention_bias",),
            o_bias=("attention_bias",),
            mlp_bias=False,
            expert_bias=True,
            router_bias=True,
            sinks=True,
            implicit_pattern="sliding full",
            defaults={"attention_bias": True, "head_dim": 64, "num_key_value_heads": 8, "sliding_window": 128},
        ),
        "glm4_moe": _GLM4_MOE,
        "minimax_m2": _family(
            _NO_BIAS,
            qk_norm="width",
            qk_norm_key="use_qk_norm",
            score_correction=True,
            defaults={"use_qk_norm": True},
        ),
        "nemotron-nas": _LLAMA,
        "nemotron_h": _NEMOTRON_H,
        "nemotron": _family(
            _LLAMA, gated=False, norm_bias=True, qkv_bias=("attention_bias",), o_bias=("attention_bias",)
        ),
        "falcon": _family(
            qkv_bias=("bias",),
            o_bias=("bias",),
            mlp_bias=("bias",),
            gated=False,
            norm_bias=True,
            tied=True,
            block_norms=_falcon_norms,
            defaults={"max_position_embeddings": 2048},
        ),
        "mamba2": _family(recurrent="mamba2", block_norms=1),
        "cohere": _COHERE,
        "cohere2": _family(
            _COHERE,
            qk_norm="none",
            implicit_pattern="sliding sliding sliding full",
            defaults={"head_dim": 128, "sliding_window": 4096},
        ),
        "jamba": _family(_NO_BIAS, recurrent="mamba", defaults={"num_key_value_heads": 8}),
        "granite": _LLAMA,
        "granitemoehybrid": _GRANITE_HYBRID,
        "gpt_neox": _family(
            _LAYER_NORM,
            qkv_bias=("attention_bias",),
            o_bias=("attention_bias",),
            mlp_bias=True,
            defaults={"attention_bias": True},
        ),
        "opt": _family(
            _LAYER_NORM,
            qkv_bias=("enable_bias",),
            o_bias=("enable_bias",),
            mlp_bias=("enable_bias",),
            tied=True,
            positions=2,
            defaults={"enable_bias": True},
        ),
        "starcoder2": _family(_LAYER_NORM, tied=True, defaults={"use_bias": True}),
        "olmo": _family(_NO_BIAS, qkv_bias=("attention_bias",), o_bias=("attention_bias",), learned_norm=False),
        "olmo2": _OLMO2,
        "olmo3": _family(_OLMO2, implicit_pattern="sliding sliding sliding full", defaults={"sliding_window": 4096}),
        "olmoe": _OLMO2,
        "flex_olmo": _OLMO2,
        "gpt2": _GPT2,
        "gpt_bigcode": _GPT2,
        "gpt_neo": _family(_GPT2, qkv_bias=False),
        "gptj": _GPTJ,
        "codegen": _GPTJ,
        "bloom": _family(
            _LAYER_NORM,
            qkv_bias=True,
            o_bias=True,
            mlp_bias=True,
            tied=True,
            embedding_norm=True,
            defaults={"max_position_embeddings": 2048},
        ),
        "mpt": _family(_NO_BIAS, gated=False, tied=True, defaults={"max_seq_len": 2048}),
        "dbrx": _family(_NO_BIAS, norm_bias=False),
        "phi": _PHI,
        "phimoe": _family(
            norm_bias=True,
            qkv_bias=("attention_bias",),
            o_bias=("attention_bias",),
            mlp_bias=False,
            lm_head_bias=("lm_head_bias",),
        ),
        "persimmon": _family(_PHI, block_norms=2, lm_head_bias=False, defaults={"qk_layernorm": True}),
        "stablelm": _family(
            _NO_BIAS,
            qkv_bias=("use_qkv_bias",),
            norm_bias=True,
            block_norms=_stablelm_norms,
            qk_norm="width",
            qk_norm_key="qk_layernorm",
        ),
        "stablelm_epoch": _family(_NO_BIAS, qkv_bias=("use_qkv_bias",), norm_bias=True, block_norms=_stablelm_norms),
        "glm": _GLM,
        "glm4": _family(_GLM, block_norms=4),
        "glm4_moe_lite": _family(_DEEPSEEK_V3, defaults={"first_k_dense_replace": 1}),
        "glm4v_text": _family(_GLM, block_norms=4),
        "glm4v_moe_text": _family(_GLM4_MOE, defaults={"first_k_dense_replace": 1, "attention_bias": True}),
        "chatglm": _family(_NO_BIAS, qkv_bias=("add_qkv_bias",), o_bias=("add_bias_linear",)),
        "exaone": _NO_BIAS,
        "exaone4": _family(_NO_BIAS, qk_norm="head"),
        "exaone_moe": _family(_NO_BIAS, qk_norm="head", score_correction=True),
        "seed_oss": _family(
            qkv_bias=("attention_bias",),
            o_bias=("attention_out_bias",),
            mlp_bias=("mlp_bias",),
            defaults={"attention_bias": True, "head_dim": 128, "num_key_value_heads": 8},
        ),
        "ernie4_5": _family(_ERNIE, defaults={"head_dim": 128, "num_key_value_heads": 2}),
        "ernie4_5_moe": _family(
            _ERNIE,
            score_correction=True,
            defaults={
                "moe_layer_start_index": 1,
                "moe_layer_interval": 1,
                "moe_num_shared_experts": 2,
                "moe_num_experts": 64,
                "moe_k": 6,
            },
        ),
        "hunyuan_v1_dense": _HUNYUAN,
        "hunyuan_v1_moe": _HUNYUAN,
        "hy_v3": _family(_HUNYUAN, score_correction=True, defaults={"first_k_dense_replace": 1, "use_qk_norm": True}),
        "bailing_moe": _BAILING,
        "bailing_moe_v2": _family(_BAILING, defaults={"use_qk_norm": True, "moe_router_enable_expert_bias": True}),
        "internlm": _family(_NO_BIAS, qkv_bias=("bias",), o_bias=("bias",), defaults={"bias": True}),
        "internlm2": _family(_NO_BIAS, qkv_bias=("bias",), o_bias=("bias",), mlp_bias=("bias",)),
        "internlm3": _family(_NO_BIAS, qkv_bias=("qkv_bias",), o_bias=("bias",), mlp_bias=("bias",)),
        "qwen": _family(_NO_BIAS, qkv_bias=True),
        "qwen3_omni_moe_text": _QWEN3_MOE,
        "qwen2_5_omni_text": _QWEN2,
        "baichuan": _NO_BIAS,
        "aquila": _NO_BIAS,
        "xverse": _NO_BIAS,
        "yi": _NO_BIAS,
        "Yi": _NO_BIAS,
        "orion": _family(_NO_BIAS, norm_bias=True),
        "minicpm": _family(_NO_BIAS, tied=True),
        "minicpm3": _family(_DEEPSEEK, tied=True),
        "deepseek": _NO_BIAS,
        "axk1": _family(_DEEPSEEK_V3, defaults={"first_k_dense_replace": 1}),
        "youtu": _family(_DEEPSEEK, tied=True),
        "mistral4": _family(_DEEPSEEK, score_correction=False),
        "dots1": _family(
            _NO_BIAS, qkv_bias=("attention_bias",), o_bias=("attention_bias",), qk_norm="head", score_correction=True
        ),
        "solar_open": _family(_NO_BIAS, score_correction=True, defaults={"n_shared_experts": 1}),
        "smollm3": _family(_LLAMA, tied=True, defaults={"num_key_value_heads": 4, "use_sliding_window": False}),
        "arcee": _family(_LLAMA, gated=False),
        "bitnet": _family(_NO_BIAS, inner_norm=True),
        "apertus": _family(_LLAMA, gated=False, qk_norm="head"),
        "helium": _LLAMA,
        "granitemoe": _LLAMA,
        "granitemoeshared": _LLAMA,
        "bamba": _family(_LLAMA, recurrent="mamba2", defaults={"num_key_value_heads": 8, "attn_layer_indices": []}),
        "falcon_h1": _family(_LLAMA, recurrent="mamba2", mlp_bias=("mlp_bias",), defaults={"num_key_value_heads": 8}),
        "falcon_mamba": _family(recurrent="mamba", block_norms=1, tied=True),
        "mamba": _family(recurrent="mamba", block_norms=1, tied=True),
        "kimi_linear": _family(
            _DEEPSEEK_V3,
            recurrent="kda",
            defaults={"first_k_dense_replace": 0, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128},
        ),
        "minimax": _family(_NO_BIAS, recurrent="lightning", defaults={"num_key_value_heads": 8}),
        "minimax_text_01": _family(_NO_BIAS, recurrent="lightning", defaults={"num_key_value_heads": 8}),
        "minimax_m1": _family(_NO_BIAS, recurrent="lightning", defaults={"num_key_value_heads": 8}),
        "lfm2": _LFM2,
        "lfm2_moe": _family(_LFM2, defaults={**_LFM2.defaults, "num_dense_layers": 2}),
        "longcat_flash": _family(_DEEPSEEK_V3),
        "mimo": _QWEN2,
        "mimo_v2_flash": _family(_NO_BIAS, qkv_bias=("attention_bias",), score_correction=True),
        "recurrent_gemma": _family(
            _NO_BIAS,
            recurrent="rg-lru",
            qkv_bias=("attention_bias",),
            o_bias=True,
            mlp_bias=True,
            tied=True,
            defaults={"attention_window_size": 2048, "conv1d_width": 4},
        ),
        "gemma3n_text": _family(
            _GEMMA3, implicit_pattern="sliding sliding sliding sliding full", sizes={"vocab_size": 262400}
        ),
        "mllama_text_model": _family(_NO_BIAS, defaults={"num_key_value_heads": 8}, sizes=MLLAMA_SIZES),
        "cohere2_moe": _family(_COHERE, qk_norm="none", defaults={"head_dim": 128, "sliding_window": 4096}),
        "laguna": _family(_GLM4_MOE, qk_norm_key="", defaults={}),
        "step3p5": _STEP3,
        "step3p7": _STEP3,
        "afmoe": _family(_NO_BIAS, block_norms=4, qk_norm="head", score_correction=True),
        "llama4_text": _family(
            _LLAMA,
            implicit_pattern="chunked chunked chunked full",
            defaults={"head_dim": 128, "num_key_value_heads": 8, "attention_chunk_size": 8192},
        ),
    }
)
