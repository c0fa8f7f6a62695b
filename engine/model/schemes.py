"""How one matrix is stored: bits an element, and what its scales take beside them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from engine.figures.records import dataclass


@dataclass(frozen=True, slots=True)
class Scheme:
    """How one matrix is stored: `bits` an element, and `scale_bytes` for each block of scale_rows x scale_cols.

    A scale_rows or scale_cols of 0 means the whole axis. Scales cover scale factors, zero points and block minima.
    flat: blocks run on over the end of a row, as bitsandbytes counts them; scale_rows is 1 then.
    """

    name: str
    bits: int
    scale_bytes: int = 0
    scale_rows: int = 1
    scale_cols: int = 0
    flat: bool = False

    def matrix_bytes(self, rows: int, cols: int) -> int:
        """Bytes of one rows x cols matrix; partial blocks take a whole scale."""
        size = -(-rows * cols * self.bits // 8)
        if self.flat:
            return size + -(-rows * cols // self.scale_cols) * self.scale_bytes
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


@dataclass(frozen=True, slots=True)
class ZeroPointScheme(Scheme):
    """A 2-byte scale and a packed zero point of `bits` bits for each group of scale_cols inputs (0: all of a row)."""

    def matrix_bytes(self, rows: int, cols: int) -> int:
        """Bytes of one rows x cols matrix."""
        groups = rows * (-(-cols // self.scale_cols) if self.scale_cols else 1)
        return -(-rows * cols * self.bits // 8) + 2 * groups + -(-groups * self.bits // 8)

    @property
    def bits_per_weight(self) -> float:
        """Bits an element with scale and zero point."""
        return self.bits + ((16 + self.bits) / self.scale_cols if self.scale_cols else 0.0)


# Sources: the storage layouts that the engines and quantizers document.
#   FP8: one fp32 scale per output channel (compressed-tensors) or per 128 x 128 block (DeepSeek-V3 report, section 3.3).
#   INT4 g128: fp16 scale and a 4-bit zero point per 128 inputs (AutoGPTQ and AutoAWQ checkpoints).
#   NVFP4: an FP8 scale per 16, one fp32 scale a tensor. MXFP4: an E8M0 scale per 32 (OCP MX specification 1.0).
#   GGUF: block structs of ggml-common.h in ggml-org/llama.cpp; k-quants hold 256 weights a block.
#   NF4: an fp32 absmax per 64, or 8-bit absmax plus fp32 per 256 of those (QLoRA, Dettmers et al. 2023, section 3).
#   MLX: a 16-bit scale and a 16-bit bias per 64 inputs (mlx.core.quantize, affine mode).
BF16 = Scheme("bf16", 16)
FP32 = Scheme("fp32", 32)
FP8_CHANNEL = Scheme("fp8", 8, 4)
FP8_BLOCK = Scheme("fp8-block", 8, 4, 128, 128)
INT8_CHANNEL = Scheme("int8", 8, 4)
INT4_G32 = Scheme("int4-g32", 4, 2, 1, 32)
INT4_G32_ZERO_POINT = ZeroPointScheme("int4-g32-zero-point", 4, 0, 1, 32)
INT4_G128 = ZeroPointScheme("int4-g128", 4, 0, 1, 128)
INT4_G128_SYMMETRIC = Scheme("int4-g128-symmetric", 4, 2, 1, 128)
INT8_G128 = ZeroPointScheme("int8-g128", 8, 0, 1, 128)
NVFP4 = Scheme("nvfp4", 4, 1, 1, 16)
MXFP4 = Scheme("mxfp4", 4, 1, 1, 32)
MXFP8 = Scheme("mxfp8", 8, 1, 1, 32)
NF4 = Scheme("nf4", 4, 4, 1, 64, flat=True)
NF4_DOUBLE = Scheme("nf4-double", 4, 260, 1, 16384, flat=True)
MLX_2 = Scheme("mlx-2bit", 2, 4, 1, 64)
MLX_3 = Scheme("mlx-3bit", 3, 4, 1, 64)
MLX_4 = Scheme("mlx-4bit", 4, 4, 1, 64)
MLX_4_G32 = Scheme("mlx-4bit-g32", 4, 4, 1, 32)
MLX_8_G32 = Scheme("mlx-8bit-g32", 8, 4, 1, 32)
MLX_5 = Scheme("mlx-5bit", 5, 4, 1, 64)
MLX_6 = Scheme("mlx-6bit", 6, 4, 1, 64)
MLX_8 = Scheme("mlx-8bit", 8, 4, 1, 64)
IQ1_S = Scheme("iq1_s", 1, 18, 1, 256)
IQ1_M = Scheme("iq1_m", 1, 24, 1, 256)
TQ1_0 = Scheme("tq1_0", 1, 22, 1, 256)
TQ2_0 = Scheme("tq2_0", 2, 2, 1, 256)
IQ2_XXS = Scheme("iq2_xxs", 2, 2, 1, 256)
IQ2_XS = Scheme("iq2_xs", 2, 10, 1, 256)
IQ2_S = Scheme("iq2_s", 2, 18, 1, 256)
Q2_K = Scheme("q2_k", 2, 20, 1, 256)
IQ3_XXS = Scheme("iq3_xxs", 3, 2, 1, 256)
IQ3_S = Scheme("iq3_s", 3, 14, 1, 256)
Q3_K = Scheme("q3_k", 3, 14, 1, 256)
IQ4_XS = Scheme("iq4_xs", 4, 8, 1, 256)
IQ4_NL = Scheme("iq4_nl", 4, 2, 1, 32)
Q4_0 = Scheme("q4_0", 4, 2, 1, 32)
Q4_1 = Scheme("q4_1", 4, 4, 1, 32)
Q4_K = Scheme("q4_k", 4, 16, 1, 256)
Q5_0 = Scheme("q5_0", 5, 2, 1, 32)
Q5_1 = Scheme("q5_1", 5, 4, 1, 32)
Q5_K = Scheme("q5_k", 5, 16, 1, 256)
Q6_K = Scheme("q6_k", 6, 18, 1, 256)
Q8_0 = Scheme("q8_0", 8, 2, 1, 32)

# tensor_type_fallback of llama-quant.cpp: what takes the place of blocks that a row does not fill.
FALLBACKS: Mapping[Scheme, Scheme] = MappingProxyType(
    {
        **dict.fromkeys((TQ1_0, TQ2_0), Q4_0),
        **dict.fromkeys((IQ1_S, IQ1_M, IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS, IQ3_S, IQ4_XS, Q2_K, Q3_K), IQ4_NL),
        Q4_K: Q5_0,
        Q5_K: Q5_1,
        Q6_K: Q8_0,
    }
)


@dataclass(frozen=True, slots=True)
class Stored:
    """How one checkpoint stores each of its tensors, where its file says so.

    outside: by the name of a tensor outside the layers; layers: for each layer, its kind in `kinds`, which lists the
    schemes by the name of the tensor. A tensor that is not listed has 16 bits.
    """

    outside: tuple[tuple[str, Scheme], ...]
    layers: tuple[int, ...]
    kinds: tuple[tuple[tuple[str, Scheme], ...], ...]

    def scheme(self, name: str, layer_index: int | None) -> Scheme:
        """The scheme of a tensor; layer_index None outside the layers."""
        listed = self.outside if layer_index is None else self.kinds[self.layers[layer_index]]
        return next((scheme for known, scheme in listed if known == name), BF16)
