"""Weight and KV-cache formats: how many bytes each tensor takes, scales and zero points included.

A format says which tensors it quantizes and how; everything else stays 16-bit, as in the published checkpoints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

from engine.figures.errors import ScenarioError
from engine.model.architecture import Architecture, Part, Tensor
from engine.parts.hardware import Accelerator

Compute = Literal["bf16", "fp16", "fp8", "int8", "fp4"]
"""The arithmetic that a format runs in where the accelerator has it; otherwise BF16."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """How one matrix is stored: `bits` an element, and `scale_bytes` for each block of scale_rows x scale_cols.

    A scale_rows or scale_cols of 0 means the whole axis. Scales cover scale factors, zero points and block minima.
    """

    name: str
    bits: int
    scale_bytes: int = 0
    scale_rows: int = 1
    scale_cols: int = 0

    def matrix_bytes(self, rows: int, cols: int) -> int:
        """Bytes of one rows x cols matrix; partial blocks take a whole scale."""
        size = -(-rows * cols * self.bits // 8)
        if self.scale_bytes:
            down = 1 if self.scale_rows == 0 else -(-rows // self.scale_rows)
            across = 1 if self.scale_cols == 0 else -(-cols // self.scale_cols)
            size += down * across * self.scale_bytes
        return size

    @property
    def bits_per_weight(self) -> float:
        """Bits an element with scales, for a large matrix."""
        block = self.scale_rows * self.scale_cols
        return self.bits + (8 * self.scale_bytes / block if block else 0.0)


# Sources: the storage layouts that the engines and quantizers document.
#   FP8: one fp32 scale per output channel (compressed-tensors) or per 128 x 128 block (DeepSeek-V3 report, section 3.3).
#   INT4 g128: fp16 scale and a 4-bit zero point per 128 inputs (AutoGPTQ and AutoAWQ checkpoints).
#   NVFP4: an FP8 scale per 16, one fp32 scale a tensor. MXFP4: an E8M0 scale per 32 (OCP MX specification 1.0).
#   GGUF: block structs of ggml-common.h in ggml-org/llama.cpp; k-quants hold 256 weights a block.
#   NF4: an fp32 absmax per 64, or 8-bit absmax plus fp32 per 256 of those (QLoRA, Dettmers et al. 2023, section 3).
BF16 = Scheme("bf16", 16)
FP32 = Scheme("fp32", 32)
FP8_CHANNEL = Scheme("fp8", 8, 4)
FP8_BLOCK = Scheme("fp8-block", 8, 4, 128, 128)
INT8_CHANNEL = Scheme("int8", 8, 4)
INT4_G32 = Scheme("int4-g32", 4, 2, 1, 32)
NVFP4 = Scheme("nvfp4", 4, 1, 1, 16)
MXFP4 = Scheme("mxfp4", 4, 1, 1, 32)
NF4 = Scheme("nf4", 4, 4, 1, 64)
NF4_DOUBLE = Scheme("nf4-double", 4, 260, 1, 16384)
Q2_K = Scheme("q2_k", 2, 20, 1, 256)
Q3_K = Scheme("q3_k", 3, 14, 1, 256)
IQ4_XS = Scheme("iq4_xs", 4, 8, 1, 256)
Q4_0 = Scheme("q4_0", 4, 2, 1, 32)
Q4_K = Scheme("q4_k", 4, 16, 1, 256)
Q5_0 = Scheme("q5_0", 5, 2, 1, 32)
Q5_K = Scheme("q5_k", 5, 16, 1, 256)
Q6_K = Scheme("q6_k", 6, 18, 1, 256)
Q8_0 = Scheme("q8_0", 8, 2, 1, 32)


@dataclass(frozen=True, slots=True)
class Int4Scheme(Scheme):
    """INT4 with a 2-byte scale and a packed 4-bit zero point per group: 2.5 bytes, so halves are rounded up once."""

    def matrix_bytes(self, rows: int, cols: int) -> int:
        """Bytes of one rows x cols matrix."""
        groups = rows * -(-cols // self.scale_cols)
        return -(-rows * cols // 2) + 2 * groups + -(-groups // 2)

    @property
    def bits_per_weight(self) -> float:
        """Bits an element with scale and zero point."""
        return self.bits + 20 / self.scale_cols


INT4_G128 = Int4Scheme("int4-g128", 4, 0, 1, 128)

SMALLEST_SIDE = 64
"""Matrices with a shorter side (gates, convolutions) stay 16-bit: they hold less than a block of any format."""

_LINEAR: tuple[Part, ...] = ("attention", "mlp", "routed_expert", "shared_expert", "recurrent", "indexer")
_EXPERTS: tuple[Part, ...] = ("routed_expert",)


@dataclass(frozen=True, slots=True)
class WeightFormat:
    """A way to store a model's weights.

    scheme: of the tensors in `parts`; other matrices take `overrides` of their part, or 16 bits. finer: projections
    that a GGUF mix gives more bits, as (end of the tensor's name, scheme, whether in all layers or in about half).
    training_only: not a format that an engine serves from.
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


def _gguf(id_: str, label: str, scheme: Scheme, head: Scheme, finer: _Finer = ()) -> WeightFormat:
    everything: dict[Part, Scheme] = {"embedding": scheme, "lm_head": head}
    return WeightFormat(
        id_,
        label,
        scheme,
        "bf16",
        overrides=MappingProxyType(everything),
        finer=finer,
        source="ggml-org/llama.cpp: ggml-common.h (block sizes), src/llama-quant.cpp (which tensors)",
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
    WeightFormat("int8", "INT8 (W8A8)", INT8_CHANNEL, "int8", source="compressed-tensors w8a8 checkpoints"),
    WeightFormat("int4", "INT4 g128", INT4_G128, "bf16", source="weight-only INT4 in groups of 128: AWQ or GPTQ"),
    WeightFormat("int4-awq", "INT4 AWQ g128", INT4_G128, "bf16", source="AutoAWQ GEMM checkpoints"),
    WeightFormat("int4-gptq", "INT4 GPTQ g128", INT4_G128, "bf16", source="AutoGPTQ and AutoRound checkpoints"),
    WeightFormat(
        "nvfp4",
        "NVFP4",
        NVFP4,
        "fp4",
        source="ModelOpt and llm-compressor NVFP4 checkpoints: MLA attention and recurrent input projections stay 16-bit",
    ),
    WeightFormat("mxfp4", "MXFP4 (experts)", MXFP4, "fp4", _EXPERTS, source="openai/gpt-oss model card"),
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
    WeightFormat("nf4", "NF4", NF4, "bf16", source="QLoRA (Dettmers et al. 2023); bitsandbytes, blocks of 64"),
    WeightFormat("nf4-double", "NF4, double quantization", NF4_DOUBLE, "bf16", source="QLoRA, section 3"),
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
    gguf = weights.id.startswith("gguf")
    if not weights.is_quantized or min(tensor.rows, tensor.cols) < SMALLEST_SIDE:
        return FP32 if gguf and tensor.part == "norm" else BF16
    if tensor.part in weights.overrides:
        if gguf and arch.tied and tensor.part == "embedding":
            return weights.overrides["lm_head"]
        return weights.overrides[tensor.part]
    if tensor.part not in weights.parts:
        # FP4 experts in a checkpoint that is FP8 otherwise (DeepSeek-V4) leave the rest in FP8 blocks.
        return FP8_BLOCK if weights.id == "mxfp4" and arch.fp8_blocks and tensor.part in _LINEAR else BF16
    if arch.model_type == "llama4" and not gguf and weights.id not in _TRAINED and _wide_in_llama4(tensor, arch):
        return BF16
    if weights.id.startswith("int4") and arch.checkpoint_format == "int4":
        # Models trained for INT4 (Kimi-K2-Thinking, K2.5): routed experts only, symmetric groups of 32.
        return INT4_G32 if tensor.part == "routed_expert" else BF16
    if weights.id == "nvfp4" and _stays_wide(tensor, arch):
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


@lru_cache(maxsize=512)
def model_weight_bytes(arch: Architecture, format_id: str, mtp: bool = False) -> int:
    """Bytes of the whole model in one copy, scales included, tied heads once."""
    weights = weight_format(format_id)
    total = 0
    outside = arch.embedding + arch.head + arch.towers + (arch.mtp if mtp else ())
    for tensor in outside:
        total += tensor_bytes(tensor, tensor_scheme(tensor, weights, arch, None))
    for index, layer in enumerate(arch.layers):
        for tensor in layer.tensors:
            total += tensor_bytes(tensor, tensor_scheme(tensor, weights, arch, index))
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
