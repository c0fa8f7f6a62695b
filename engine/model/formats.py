"""Weight and KV-cache formats: how many bytes each tensor takes, scales and zero points included.

A format says which tensors it quantizes and how; everything else stays 16-bit, as in the published checkpoints.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from engine.figures.errors import ScenarioError
from engine.figures.records import dataclass
from engine.model.architecture import Architecture, Tensor
from engine.model.schemes import (
    BF16,
    FALLBACKS,
    FP8_BLOCK,
    FP8_CHANNEL,
    FP32,
    INT4_G32,
    MXFP4,
    Scheme,
)  # fmt: skip
from engine.model.weight_formats import EXPERTS, FORMATS, LINEAR, Compute, WeightFormat
from engine.parts.hardware import Accelerator

__all__ = ["FORMATS", "KV_FORMATS", "SMALLEST_SIDE", "Compute", "KvFormat", "WeightFormat"]

SMALLEST_SIDE = 64
"""Matrices with a shorter side (gates, convolutions) stay 16-bit: they hold less than a block of any format."""


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


@lru_cache(maxsize=256)
def _latent_experts(arch: Architecture) -> bool:
    """Whether experts read a narrower projection of the stream (Nemotron 3 Super and Ultra)."""
    return any(tensor.name == "latent_down_proj" for layer in arch.layers for tensor in layer.tensors)


def _of_hybrid(tensor: Tensor, weights: WeightFormat) -> Scheme:
    """NVFP4 of Nemotron 3 Super and Ultra: routed experts alone; shared ones and the mixers' in and out projections in FP8.

    NVIDIA-NeMo/Nemotron, docs/nemotron/ultra3/quantization.md; NVIDIA/Model-Optimizer, super-nvfp4-max-calib.yaml.
    """
    if tensor.part == "routed_expert":
        return weights.scheme
    eight = tensor.part == "shared_expert" or (tensor.part == "recurrent" and "_proj" in tensor.name)
    return FP8_CHANNEL if eight else BF16


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
    scheme = _meant_scheme(tensor, weights, arch, layer_index)
    return _in_gguf(scheme, tensor, arch) if is_gguf(weights.id) and tensor.is_matrix else scheme


def is_gguf(format_id: str) -> bool:
    """Whether a weight format is one of llama.cpp's files."""
    return format_id.startswith("gguf")


def _in_gguf(scheme: Scheme, tensor: Tensor, arch: Architecture) -> Scheme:
    """What llama-quantize stores a matrix in that a mix wants in `scheme`: rows fill whole blocks.

    Experts that are published in MXFP4 are kept so by every mix of more bits: their files hold nothing finer.
    """
    if scheme.scale_cols and tensor.cols % scheme.scale_cols:
        scheme = FALLBACKS.get(scheme, BF16)
        scheme = BF16 if tensor.cols % scheme.scale_cols else scheme
    native = tensor.part == "routed_expert" and arch.checkpoint_format == "mxfp4"
    return MXFP4 if native and scheme.bits_per_weight > MXFP4.bits_per_weight else scheme


_FUSED_QKV = frozenset(["bloom", "chatglm", "dbrx", "falcon", "gpt_bigcode", "gpt_neox", "mpt", "phi3", "qwen"])
"""Models whose query, key and value projections are one tensor in llama.cpp (gguf-py, tensor_mapping.py: attn_qkv)."""


def _meant_scheme(tensor: Tensor, weights: WeightFormat, arch: Architecture, layer_index: int | None) -> Scheme:
    """What the format's own rule says of a tensor."""
    gguf = is_gguf(weights.id)
    if not weights.is_quantized or min(tensor.rows, tensor.cols) < SMALLEST_SIDE:
        return FP32 if gguf and tensor.part == "norm" else BF16
    if weights.mixture is not None and arch.experts and tensor.part in (*weights.parts, *weights.overrides):
        experts, down, rest = weights.mixture
        return rest if tensor.part != "routed_expert" else down if tensor.name.endswith("down_proj") else experts
    if tensor.part in weights.overrides and (arch.experts or weights.parts != EXPERTS):
        if gguf and arch.tied and tensor.part == "embedding":
            return weights.overrides["lm_head"]
        return weights.overrides[tensor.part]
    if tensor.part not in weights.parts:
        # FP4 experts in a checkpoint that is FP8 otherwise (DeepSeek-V4) leave the rest in FP8 blocks.
        if weights.parts == EXPERTS and not arch.experts and tensor.part in LINEAR:
            return weights.scheme  # a dense model has nothing but these to store so
        return FP8_BLOCK if weights.id == "mxfp4" and arch.fp8_blocks and tensor.part in LINEAR else BF16
    if arch.model_type == "llama4" and not gguf and weights.id not in _TRAINED and _wide_in_llama4(tensor, arch):
        return BF16
    if weights.id.startswith("int4") and arch.checkpoint_format == "int4" and arch.experts:
        # Models trained for INT4 (Kimi-K2-Thinking, K2.5): routed experts only, symmetric groups of 32.
        return INT4_G32 if tensor.part == "routed_expert" else BF16
    if weights.id == "nvfp4" and _latent_experts(arch):
        return _of_hybrid(tensor, weights)
    if weights.id == "nvfp4" and _stays_wide(tensor, arch):
        return BF16
    if weights.id in _COMPRESSED and tensor.part == "recurrent" and _attends(arch):
        return BF16
    if (
        weights.fused_qkv is not None
        and arch.model_type in _FUSED_QKV
        and tensor.name in ("q_proj", "k_proj", "v_proj")
    ):
        return weights.fused_qkv
    if layer_index is not None:
        for ending, scheme, everywhere in weights.finer:
            if tensor.name.endswith(ending) and (everywhere or finer_layer(layer_index, len(arch.layers))):
                return scheme
    return FP8_BLOCK if stored_in_blocks(arch, weights) else weights.scheme


def stored_in_blocks(arch: Architecture, weights: WeightFormat) -> bool:
    """Whether FP8 weights have a scale for each block of 128 x 128: as the model's own checkpoint stores them."""
    return weights.scheme is FP8_CHANNEL and arch.fp8_blocks


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
    """Bytes of the whole model in one copy, scales included, tied heads once; of a GGUF without towers, which are a file
    of their own."""
    weights = weight_format(format_id)
    total = 0
    towers = () if is_gguf(format_id) else arch.towers
    outside = arch.embedding + arch.head + towers + (arch.mtp if mtp else ())
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
