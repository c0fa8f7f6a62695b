"""Weight and KV-cache formats: how many bytes each tensor takes, scales and zero points included.

A format says which tensors it quantizes and how; everything else stays 16-bit, as in the published checkpoints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

from engine.figures.errors import ScenarioError
from engine.figures.records import dataclass
from engine.model.architecture import Architecture, Part, Tensor
from engine.model.schemes import (
    BF16,
    FP8_BLOCK,
    FP8_CHANNEL,
    FP32,
    INT4_G32,
    INT4_G128,
    INT4_G128_SYMMETRIC,
    INT8_CHANNEL,
    INT8_G128,
    IQ1_M,
    IQ1_S,
    IQ2_S,
    IQ2_XS,
    IQ2_XXS,
    IQ3_S,
    IQ3_XXS,
    IQ4_NL,
    IQ4_XS,
    MLX_2,
    MLX_3,
    MLX_4,
    MLX_5,
    MLX_6,
    MLX_8,
    MXFP4,
    NF4,
    NF4_DOUBLE,
    NVFP4,
    Q2_K,
    Q3_K,
    Q4_0,
    Q4_1,
    Q4_K,
    Q5_0,
    Q5_1,
    Q5_K,
    Q6_K,
    Q8_0,
    TQ1_0,
    TQ2_0,
    Scheme,
)  # fmt: skip
from engine.parts.hardware import Accelerator

Compute = Literal["bf16", "fp16", "fp8", "int8", "fp4"]
"""The arithmetic that a format runs in where the accelerator has it; otherwise BF16."""


SMALLEST_SIDE = 64
"""Matrices with a shorter side (gates, convolutions) stay 16-bit: they hold less than a block of any format."""

_LINEAR: tuple[Part, ...] = ("attention", "mlp", "routed_expert", "shared_expert", "recurrent", "indexer")
_EXPERTS: tuple[Part, ...] = ("routed_expert",)


@dataclass(frozen=True, slots=True)
class WeightFormat:
    """A way to store a model's weights.

    scheme: of the tensors in `parts`; other matrices take `overrides` of their part, or 16 bits. finer: projections
    that a GGUF mix gives more bits, as (end of the tensor's name, scheme, whether in all layers or in about half).
    training_only: not a format that an engine serves from. brief: the label without the details, where it has any.
    """

    id: str
    label: str
    scheme: Scheme
    compute: Compute
    parts: tuple[Part, ...] = _LINEAR
    overrides: Mapping[Part, Scheme] = field(default_factory=lambda: MappingProxyType({}))
    finer: tuple[tuple[str, Scheme, bool], ...] = ()
    training_only: bool = False
    source: str = ""
    brief: str = ""

    @property
    def short(self) -> str:
        """The label without its details: INT4."""
        return self.brief or self.label

    @property
    def is_quantized(self) -> bool:
        """Whether any tensor is stored in fewer than 16 bits."""
        return self.scheme.bits < 16

    @property
    def bits_per_weight(self) -> float:
        """Bits of a quantized weight, scales included."""
        return self.scheme.bits_per_weight


_Finer = tuple[tuple[str, Scheme, bool], ...]


def _half(scheme: Scheme) -> _Finer:
    return (("v_proj", scheme, False), ("down_proj", scheme, False))


def _everywhere(*finer: tuple[str, Scheme]) -> _Finer:
    return tuple((ending, scheme, True) for ending, scheme in finer)


def _gguf(
    id_: str, label: str, scheme: Scheme, head: Scheme, finer: _Finer = (), table: Scheme | None = None
) -> WeightFormat:
    everything: dict[Part, Scheme] = {"embedding": table or scheme, "table": table or scheme, "lm_head": head}
    return WeightFormat(
        id_,
        label,
        scheme,
        "bf16",
        overrides=MappingProxyType(everything),
        finer=finer,
        source="ggml-org/llama.cpp: ggml-common.h (block sizes), src/llama-quant.cpp (which tensors)",
    )


def _mlx(bits: int, scheme: Scheme) -> WeightFormat:
    everything: dict[Part, Scheme] = {"embedding": scheme, "table": scheme, "lm_head": scheme}
    return WeightFormat(
        f"mlx-{bits}bit",
        f"MLX {bits}-bit g64",
        scheme,
        "bf16",
        overrides=MappingProxyType(everything),
        source="mlx_lm.convert: affine, groups of 64, token table and head included",
    )


_Q2_OF_K = (("v_proj", Q4_K), ("o_proj", Q3_K), ("down_proj", Q3_K))
# The mixes that llama-quantize names beside the best known: the layers' first eighth, which some give more, is not
# told apart (at most 1 % of a file). `_XL`: Unsloth's dynamic mixes, which differ by model, sized as the K_M of the name.
_MORE_GGUF = (
    _gguf("gguf-tq1_0", "GGUF TQ1_0", TQ1_0, Q6_K, table=Q4_K),
    _gguf("gguf-tq2_0", "GGUF TQ2_0", TQ2_0, Q6_K, table=Q4_K),
    _gguf("gguf-iq1_s", "GGUF IQ1_S", IQ1_S, Q5_K, _everywhere(("v_proj", Q4_K), ("o_proj", IQ2_XXS)), Q2_K),
    _gguf("gguf-iq1_m", "GGUF IQ1_M", IQ1_M, Q5_K, _everywhere(("v_proj", Q4_K), ("o_proj", IQ2_XXS)), Q2_K),
    _gguf("gguf-iq2_xxs", "GGUF IQ2_XXS", IQ2_XXS, Q5_K, _everywhere(("v_proj", Q4_K)), Q2_K),
    _gguf("gguf-iq2_xs", "GGUF IQ2_XS", IQ2_XS, Q5_K, _everywhere(("v_proj", Q4_K)), Q2_K),
    _gguf("gguf-iq2_s", "GGUF IQ2_S", IQ2_XS, Q5_K, _everywhere(("v_proj", Q4_K), ("o_proj", IQ3_S)), IQ3_S),
    _gguf("gguf-iq2_m", "GGUF IQ2_M", IQ2_S, Q5_K, _everywhere(("v_proj", Q4_K), ("o_proj", IQ3_S)), IQ3_S),
    _gguf("gguf-q2_k_s", "GGUF Q2_K_S", Q2_K, Q6_K, _everywhere(("v_proj", Q4_K))),
    _gguf(
        "gguf-iq3_xxs",
        "GGUF IQ3_XXS",
        IQ3_XXS,
        Q5_K,
        _everywhere(("v_proj", Q4_K), ("o_proj", IQ3_S), ("q_proj", IQ2_S), ("k_proj", IQ2_S)),
        IQ3_S,
    ),
    _gguf(
        "gguf-iq3_xs",
        "GGUF IQ3_XS",
        IQ3_S,
        Q6_K,
        (*_everywhere(("v_proj", Q4_K), ("q_proj", IQ3_XXS), ("k_proj", IQ3_XXS)), ("gate_proj", IQ3_XXS, False)),
    ),
    _gguf("gguf-iq3_s", "GGUF IQ3_S", IQ3_S, Q6_K, _everywhere(("v_proj", Q4_K))),
    _gguf("gguf-iq3_m", "GGUF IQ3_M", IQ3_S, Q6_K, _everywhere(("v_proj", Q4_K), ("o_proj", Q4_K))),
    _gguf("gguf-q3_k_s", "GGUF Q3_K_S", Q3_K, Q6_K),
    _gguf(
        "gguf-q3_k_l",
        "GGUF Q3_K_L",
        Q3_K,
        Q6_K,
        _everywhere(("v_proj", Q5_K), ("o_proj", Q5_K), ("down_proj", Q5_K)),
    ),
    _gguf("gguf-iq4_nl", "GGUF IQ4_NL", IQ4_NL, Q6_K, _everywhere(("v_proj", Q5_K))),
    _gguf("gguf-q4_1", "GGUF Q4_1", Q4_1, Q6_K),
    _gguf("gguf-q4_k_s", "GGUF Q4_K_S", Q4_K, Q6_K),
    _gguf("gguf-q5_1", "GGUF Q5_1", Q5_1, Q6_K),
    _gguf("gguf-q5_k_s", "GGUF Q5_K_S", Q5_K, Q6_K),
    _gguf("gguf-q2_k_l", "GGUF Q2_K_L", Q2_K, Q8_0, _everywhere(*_Q2_OF_K), Q8_0),
    _gguf("gguf-q2_k_xl", "GGUF Q2_K_XL", Q2_K, Q6_K, _everywhere(*_Q2_OF_K), Q4_K),
    _gguf(
        "gguf-q3_k_xl", "GGUF Q3_K_XL", Q3_K, Q6_K, _everywhere(("v_proj", Q4_K), ("o_proj", Q4_K), ("down_proj", Q4_K))
    ),
    _gguf("gguf-q4_k_l", "GGUF Q4_K_L", Q4_K, Q8_0, _half(Q6_K), Q8_0),
    _gguf("gguf-q4_k_xl", "GGUF Q4_K_XL", Q4_K, Q6_K, _half(Q6_K)),
    _gguf("gguf-q5_k_l", "GGUF Q5_K_L", Q5_K, Q8_0, _half(Q6_K), Q8_0),
    _gguf("gguf-q5_k_xl", "GGUF Q5_K_XL", Q5_K, Q6_K, _half(Q6_K)),
    _gguf("gguf-q6_k_l", "GGUF Q6_K_L", Q6_K, Q8_0, (), Q8_0),
    _gguf("gguf-q6_k_xl", "GGUF Q6_K_XL", Q6_K, Q8_0, _half(Q8_0), Q8_0),
    WeightFormat(
        "gguf-mxfp4",
        "GGUF MXFP4 (experts)",
        MXFP4,
        "bf16",
        _EXPERTS,
        MappingProxyType(
            {part: Q8_0 for part in (*_LINEAR, "embedding", "table", "lm_head") if part != "routed_expert"}
        ),
        source="ggml-org/llama.cpp: llama-quantize MXFP4_MOE, experts in MXFP4 and the rest in Q8_0",
    ),
)

_ALL = (
    WeightFormat("bf16", "BF16", BF16, "bf16", (), source="two bytes an element"),
    WeightFormat("fp16", "FP16", BF16, "fp16", (), source="two bytes an element"),
    WeightFormat(
        "fp8",
        "FP8",
        FP8_CHANNEL,
        "fp8",
        source="compressed-tensors FP8-dynamic checkpoints; 128 x 128 blocks where the model is published so",
    ),
    WeightFormat(
        "fp8-dynamic",
        "FP8, recurrent mixers 16-bit",
        FP8_CHANNEL,
        "fp8",
        source="llm-compressor FP8-dynamic checkpoints of hybrids (RedHatAI/Qwen3.5-35B-A3B-FP8-dynamic)",
        brief="FP8",
    ),
    WeightFormat(
        "int8", "INT8 (W8A8)", INT8_CHANNEL, "int8", source="compressed-tensors w8a8 checkpoints", brief="INT8"
    ),
    WeightFormat(
        "int4", "INT4 g128", INT4_G128, "bf16", source="weight-only INT4 in groups of 128: AWQ or GPTQ", brief="INT4"
    ),
    WeightFormat("int4-awq", "INT4 AWQ g128", INT4_G128, "bf16", source="AutoAWQ GEMM checkpoints", brief="INT4"),
    WeightFormat(
        "int4-gptq", "INT4 GPTQ g128", INT4_G128, "bf16", source="AutoGPTQ and AutoRound checkpoints", brief="INT4"
    ),
    WeightFormat(
        "w4a16",
        "INT4 W4A16 g128",
        INT4_G128_SYMMETRIC,
        "bf16",
        source="llm-compressor W4A16 and W4A8 checkpoints: symmetric groups of 128, recurrent mixers left 16-bit",
        brief="INT4",
    ),
    WeightFormat(
        "nvfp4",
        "NVFP4",
        NVFP4,
        "fp4",
        source="ModelOpt and llm-compressor NVFP4 checkpoints: MLA attention and recurrent input projections stay 16-bit",
    ),
    WeightFormat(
        "nvfp4-fp8",
        "NVFP4, attention in FP8",
        NVFP4,
        "fp4",
        overrides=MappingProxyType({"attention": FP8_CHANNEL, "recurrent": FP8_CHANNEL, "lm_head": NVFP4}),
        source="ModelOpt's mixed checkpoints of 2026 (nvidia/Qwen3.6-35B-A3B-NVFP4): MLPs and head NVFP4, attention FP8",
        brief="NVFP4",
    ),
    WeightFormat("mxfp4", "MXFP4 (experts)", MXFP4, "fp4", _EXPERTS, source="openai/gpt-oss model card", brief="MXFP4"),
    _gguf(
        "gguf-q2_k",
        "GGUF Q2_K",
        Q2_K,
        Q6_K,
        (("v_proj", Q4_K, True), ("o_proj", Q3_K, True), ("down_proj", Q3_K, True)),
    ),
    _gguf(
        "gguf-q3_k_m",
        "GGUF Q3_K_M",
        Q3_K,
        Q6_K,
        (("v_proj", Q4_K, True), ("o_proj", Q4_K, True), ("down_proj", Q4_K, True)),
    ),
    _gguf("gguf-iq4_xs", "GGUF IQ4_XS", IQ4_XS, Q6_K),
    _gguf("gguf-q4_0", "GGUF Q4_0", Q4_0, Q6_K),
    _gguf("gguf-q4_k_m", "GGUF Q4_K_M", Q4_K, Q6_K, _half(Q6_K)),
    _gguf("gguf-q5_0", "GGUF Q5_0", Q5_0, Q6_K),
    _gguf("gguf-q5_k_m", "GGUF Q5_K_M", Q5_K, Q6_K, _half(Q6_K)),
    _gguf("gguf-q6_k", "GGUF Q6_K", Q6_K, Q6_K),
    _gguf("gguf-q8_0", "GGUF Q8_0", Q8_0, Q8_0),
    *_MORE_GGUF,
    *(_mlx(bits, scheme) for bits, scheme in ((4, MLX_4), (6, MLX_6), (8, MLX_8), (5, MLX_5), (3, MLX_3), (2, MLX_2))),
    WeightFormat(
        "int8-gptq",
        "INT8 GPTQ g128",
        INT8_G128,
        "bf16",
        source="weight-only INT8 in groups of 128: GPTQ, w8a16",
        brief="INT8",
    ),
    WeightFormat("nf4", "NF4", NF4, "bf16", source="QLoRA (Dettmers et al. 2023); bitsandbytes, blocks of 64"),
    WeightFormat("nf4-double", "NF4, double quantization", NF4_DOUBLE, "bf16", source="QLoRA, section 3", brief="NF4"),
)
FORMATS: Mapping[str, WeightFormat] = MappingProxyType({entry.id: entry for entry in _ALL})
"""Weight formats by id."""


@dataclass(frozen=True, slots=True)
class KvFormat:
    """How the KV cache is stored. bits: an element. scale_bits: the share of block scales an element."""

    id: str
    label: str
    bits: int
    scale_bits: float = 0.0

    @property
    def bytes_each(self) -> float:
        """Bytes of one cached element with its share of the scales."""
        return (self.bits + self.scale_bits) / 8


_KV = (
    KvFormat("bf16", "BF16", 16),
    KvFormat("fp16", "FP16", 16),
    KvFormat("fp8", "FP8", 8),
    KvFormat("int8", "INT8", 8),
    KvFormat("nvfp4", "NVFP4", 4, 0.5),
    KvFormat("q8_0", "GGUF Q8_0", 8, 0.5),
    KvFormat("q4_0", "GGUF Q4_0", 4, 0.5),
)
KV_FORMATS: Mapping[str, KvFormat] = MappingProxyType({entry.id: entry for entry in _KV})
"""KV-cache formats by id."""


def weight_format(format_id: str) -> WeightFormat:
    """The weight format of that id. Raises ScenarioError naming `model.weights`."""
    found = FORMATS.get(format_id)
    if found is None:
        raise ScenarioError("model.weights", f"unknown weight format {format_id!r}", ", ".join(FORMATS))
    return found


def kv_format(format_id: str) -> KvFormat:
    """The KV-cache format of that id. Raises ScenarioError naming `model.kv_cache`."""
    found = KV_FORMATS.get(format_id)
    if found is None:
        raise ScenarioError("model.kv_cache", f"unknown KV-cache format {format_id!r}", ", ".join(KV_FORMATS))
    return found


@lru_cache(maxsize=256)
def _is_latent(arch: Architecture) -> bool:
    return any(layer.mixer == "mla" for layer in arch.layers)


def _stays_wide(tensor: Tensor, arch: Architecture) -> bool:
    """Whether NVFP4 checkpoints keep this linear 16-bit.

    MLA attention, the input projections of recurrent mixers, and all attention of Gemma 4 (nvidia/Gemma-4-31B-IT-NVFP4).
    """
    if tensor.part == "recurrent":
        return "out" not in tensor.name
    return tensor.part == "attention" and (_is_latent(arch) or arch.model_type.startswith("gemma4"))


_TRAINED: tuple[str, ...] = ("nf4", "nf4-double")
"""Formats made while loading, from a 16-bit checkpoint: no list of layers left out."""


@lru_cache(maxsize=256)
def _has_dense_layers(arch: Architecture) -> bool:
    return any(layer.ffn == "dense" for layer in arch.layers)


_COMPRESSED: tuple[str, ...] = ("w4a16", "int8", "fp8-dynamic")
"""Formats of llm-compressor, whose recipes leave recurrent mixers out (vllm-project/llm-compressor, examples for Qwen3-Next
and Qwen3.5: `re:.*linear_attn.*`); a W4A16 and a W8A8 checkpoint of a 27B hybrid weigh 24.12 and 33.39 GiB so. Publishers' own
FP8 files of such models have these mixers in FP8 too."""


@lru_cache(maxsize=256)
def _attends(arch: Architecture) -> bool:
    return any(layer.mixer in ("attention", "mla") for layer in arch.layers)


def _wide_in_llama4(tensor: Tensor, arch: Architecture) -> bool:
    """Whether Llama 4's quantized checkpoints keep this linear 16-bit.

    Scout's leave attention out (RedHatAI's FP8 and w4a16 files), Maverick's all but the routed experts (Meta's FP8).
    """
    if _has_dense_layers(arch):
        return tensor.part != "routed_expert"
    return tensor.part == "attention"


def finer_layer(layer_index: int, layers: int) -> bool:
    """Whether llama.cpp's _M mixes give this layer's value and down projections more bits (llama-quant.cpp)."""
    eighth = layers // 8
    return layer_index < eighth or layer_index >= 7 * layers // 8 or (layer_index - eighth) % 3 == 2


def tensor_scheme(tensor: Tensor, weights: WeightFormat, arch: Architecture, layer_index: int | None) -> Scheme:
    """How `weights` stores one tensor of `arch`. layer_index: None outside the layers."""
    if arch.stored is not None and weights.id == arch.checkpoint_format:
        return arch.stored.scheme(tensor.name, layer_index)
    gguf = weights.id.startswith("gguf")
    if not weights.is_quantized or min(tensor.rows, tensor.cols) < SMALLEST_SIDE:
        return FP32 if gguf and tensor.part == "norm" else BF16
    if tensor.part in weights.overrides and (arch.experts or weights.parts != _EXPERTS):
        if gguf and arch.tied and tensor.part == "embedding":
            return weights.overrides["lm_head"]
        return weights.overrides[tensor.part]
    if tensor.part not in weights.parts:
        # FP4 experts in a checkpoint that is FP8 otherwise (DeepSeek-V4) leave the rest in FP8 blocks.
        if weights.parts == _EXPERTS and not arch.experts and tensor.part in _LINEAR:
            return weights.scheme  # a dense model has nothing but these to store so
        return FP8_BLOCK if weights.id == "mxfp4" and arch.fp8_blocks and tensor.part in _LINEAR else BF16
    if arch.model_type == "llama4" and not gguf and weights.id not in _TRAINED and _wide_in_llama4(tensor, arch):
        return BF16
    if weights.id.startswith("int4") and arch.checkpoint_format == "int4" and arch.experts:
        # Models trained for INT4 (Kimi-K2-Thinking, K2.5): routed experts only, symmetric groups of 32.
        return INT4_G32 if tensor.part == "routed_expert" else BF16
    if weights.id == "nvfp4" and _stays_wide(tensor, arch):
        return BF16
    if weights.id in _COMPRESSED and tensor.part == "recurrent" and _attends(arch):
        return BF16
    if layer_index is not None:
        for ending, scheme, everywhere in weights.finer:
            if tensor.name.endswith(ending) and (everywhere or finer_layer(layer_index, len(arch.layers))):
                return scheme
    if weights.scheme is FP8_CHANNEL and arch.fp8_blocks:
        return FP8_BLOCK
    return weights.scheme


def tensor_bytes(tensor: Tensor, scheme: Scheme) -> int:
    """Bytes of all copies of a whole tensor in that scheme."""
    return tensor.copies * scheme.matrix_bytes(tensor.rows, tensor.cols)


def layer_kinds(arch: Architecture, format_id: str) -> tuple[int, ...]:
    """For each layer, the first one that is stored the same. Equal layers of a model are one object."""
    return _layer_kinds(arch, bool(weight_format(format_id).finer), format_id == arch.checkpoint_format)


@lru_cache(maxsize=128)
def _layer_kinds(arch: Architecture, mixed: bool, own: bool) -> tuple[int, ...]:
    """mixed: whether the format gives some layers of a model more bits than others. own: whether it is the checkpoint's."""
    first: dict[tuple[int, bool, int], int] = {}
    layers = len(arch.layers)
    stored = arch.stored.layers if own and arch.stored is not None else (0,) * layers
    return tuple(
        first.setdefault((id(layer), mixed and finer_layer(index, layers), stored[index]), index)
        for index, layer in enumerate(arch.layers)
    )


@lru_cache(maxsize=512)
def model_weight_bytes(arch: Architecture, format_id: str, mtp: bool = False) -> int:
    """Bytes of the whole model in one copy, scales included, tied heads once."""
    weights = weight_format(format_id)
    total = 0
    outside = arch.embedding + arch.head + arch.towers + (arch.mtp if mtp else ())
    for tensor in outside:
        total += tensor_bytes(tensor, tensor_scheme(tensor, weights, arch, None))
    kinds = layer_kinds(arch, format_id)
    for index in dict.fromkeys(kinds):
        each = sum(tensor_bytes(t, tensor_scheme(t, weights, arch, index)) for t in arch.layers[index].tensors)
        total += kinds.count(index) * each
    return total


def compute_type(weights: WeightFormat, accelerator: Accelerator) -> Compute:
    """The arithmetic that matrix products run in on this accelerator: the format's own, or 16-bit."""
    if weights.compute == "fp8" and accelerator.supports_fp8:
        return "fp8"
    if weights.compute == "fp4" and accelerator.supports_fp4:
        return "fp4"
    if weights.compute == "int8" and accelerator.tops_int8_dense:
        return "int8"
    return "bf16" if accelerator.supports_bf16 else "fp16"


def is_native(format_id: str, accelerator: Accelerator) -> bool:
    """Whether the accelerator computes in the format itself; False means weight-only: memory shrinks, speed does not."""
    weights = weight_format(format_id)
    if weights.compute == "bf16":
        return not weights.is_quantized and accelerator.supports_bf16
    if weights.compute == "fp16":
        return True
    return compute_type(weights, accelerator) == weights.compute


def kv_bytes_per_element(format_id: str) -> float:
    """Bytes of one cached element with its share of block scales. Raises ScenarioError naming `model.kv_cache`."""
    return kv_format(format_id).bytes_each
