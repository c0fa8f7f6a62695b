"""The weight formats: which tensors of a checkpoint each stores in what, and the GGUF mixes of llama.cpp among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Literal

from engine.figures.records import dataclass
from engine.model.architecture import Part
from engine.model.schemes import (
    BF16,
    FP8_CHANNEL,
    INT4_G32_ZERO_POINT,
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
    MLX_4_G32,
    MLX_5,
    MLX_6,
    MLX_8,
    MLX_8_G32,
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

Compute = Literal["bf16", "fp16", "fp8", "int8", "fp4"]
"""The arithmetic that a format runs in where the accelerator has it; otherwise BF16."""


LINEAR: tuple[Part, ...] = ("attention", "mlp", "routed_expert", "shared_expert", "recurrent", "indexer")
EXPERTS: tuple[Part, ...] = ("routed_expert",)


@dataclass(frozen=True, slots=True)
class WeightFormat:
    """A way to store a model's weights.

    scheme: of the tensors in `parts`; other matrices take `overrides` of their part, or 16 bits. finer: projections
    that a GGUF mix gives more bits, as (end of the tensor's name, scheme, whether in all layers or in about half); one
    that is fused with others takes what they take together, `fused_qkv`. mixture: what a mixture of experts holds instead:
    (experts, their down projections, all else).
    training_only: not a format that an engine serves from. brief: the label without the details, where it has any.
    """

    id: str
    label: str
    scheme: Scheme
    compute: Compute
    parts: tuple[Part, ...] = LINEAR
    overrides: Mapping[Part, Scheme] = field(default_factory=lambda: MappingProxyType({}))
    finer: tuple[tuple[str, Scheme, bool], ...] = ()
    fused_qkv: Scheme | None = None
    mixture: tuple[Scheme, Scheme, Scheme] | None = None
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


def _beside_experts(scheme: Scheme) -> Mapping[Part, Scheme]:
    """One scheme for every part but the routed experts, tables and head among them."""
    parts: tuple[Part, ...] = (*LINEAR, "embedding", "table", "lm_head")
    return MappingProxyType({part: scheme for part in parts if part != "routed_expert"})


def _half(scheme: Scheme) -> _Finer:
    return (("v_proj", scheme, False), ("down_proj", scheme, False))


def _everywhere(*finer: tuple[str, Scheme]) -> _Finer:
    return tuple((ending, scheme, True) for ending, scheme in finer)


_UNSLOTH = (
    "Unsloth's dynamic files: the sizes of its lists for DeepSeek-R1-0528, DeepSeek-V3.1, Kimi-K2 and Qwen3-30B-A3B; in mixtures "
    "of experts these alone have the name's bits"
)


def _gguf(
    id_: str,
    label: str,
    scheme: Scheme,
    head: Scheme,
    finer: _Finer = (),
    table: Scheme | None = None,
    fused_qkv: Scheme | None = None,
    mixture: tuple[Scheme, Scheme, Scheme] | None = None,
) -> WeightFormat:
    everything: dict[Part, Scheme] = {"embedding": table or scheme, "table": table or scheme, "lm_head": head}
    return WeightFormat(
        id_,
        label,
        scheme,
        "bf16",
        overrides=MappingProxyType(everything),
        finer=finer,
        fused_qkv=fused_qkv,
        mixture=mixture,
        source=_UNSLOTH
        if mixture
        else "ggml-org/llama.cpp: ggml-common.h (block sizes), src/llama-quant.cpp (which tensors)",
    )


def _mlx(name: str, label: str, scheme: Scheme) -> WeightFormat:
    everything: dict[Part, Scheme] = {"embedding": scheme, "table": scheme, "lm_head": scheme}
    return WeightFormat(
        f"mlx-{name}",
        f"MLX {label}",
        scheme,
        "bf16",
        overrides=MappingProxyType(everything),
        source="mlx_lm.convert: groups of 64 unless named (affine), 32 (mxfp4) or 16 (nvfp4), token table and head included",
    )


_Q2_OF_K = (("v_proj", Q4_K), ("o_proj", Q3_K), ("down_proj", Q3_K))
_Q3_M = _everywhere(("v_proj", Q4_K), ("o_proj", Q4_K), ("down_proj", Q4_K))
_Q3_L = _everywhere(("v_proj", Q5_K), ("o_proj", Q5_K), ("down_proj", Q5_K))
_IQ1 = _everywhere(("v_proj", Q4_K), ("o_proj", IQ2_XXS))
_IQ2_M = _everywhere(("v_proj", Q4_K), ("o_proj", IQ3_S))
_IQ3_XXS = _everywhere(("v_proj", Q4_K), ("o_proj", IQ3_S), ("q_proj", IQ2_S), ("k_proj", IQ2_S))
# The mixes that llama-quantize names beside the best known: the layers' first eighth, which some give more, is not
# told apart (at most 1 % of a file). `_XL` and `UD`: Unsloth's dynamic mixes, of a dense model sized as the K_M or the
# plain mix of the name (within 2 % of the files of eight models).
_MORE_GGUF = (
    _gguf("gguf-tq1_0", "GGUF TQ1_0", TQ1_0, Q6_K, table=Q4_K, mixture=(IQ1_S, IQ2_XS, Q6_K)),
    _gguf("gguf-tq2_0", "GGUF TQ2_0", TQ2_0, Q6_K, table=Q4_K),
    _gguf("gguf-iq1_s", "GGUF IQ1_S", IQ1_S, Q5_K, _IQ1, Q2_K),
    _gguf("gguf-iq1_m", "GGUF IQ1_M", IQ1_M, Q5_K, _IQ1, Q2_K),
    _gguf("gguf-iq2_xxs", "GGUF IQ2_XXS", IQ2_XXS, Q5_K, _everywhere(("v_proj", Q4_K)), Q2_K),
    _gguf("gguf-iq2_xs", "GGUF IQ2_XS", IQ2_XS, Q5_K, _everywhere(("v_proj", Q4_K)), Q2_K),
    _gguf("gguf-iq2_s", "GGUF IQ2_S", IQ2_XS, Q5_K, _IQ2_M, IQ3_S),
    _gguf("gguf-iq2_m", "GGUF IQ2_M", IQ2_S, Q5_K, _IQ2_M, IQ3_S),
    _gguf("gguf-q2_k_s", "GGUF Q2_K_S", Q2_K, Q6_K, _everywhere(("v_proj", Q4_K))),
    _gguf("gguf-iq3_xxs", "GGUF IQ3_XXS", IQ3_XXS, Q5_K, _IQ3_XXS, IQ3_S),
    _gguf(
        "gguf-iq3_xs",
        "GGUF IQ3_XS",
        IQ3_S,
        Q6_K,
        (
            *_everywhere(("v_proj", Q4_K), ("q_proj", IQ3_XXS), ("k_proj", IQ3_XXS), ("gate_proj", IQ3_XXS)),
            ("up_proj", IQ3_XXS, False),
        ),
    ),
    _gguf("gguf-iq3_s", "GGUF IQ3_S", IQ3_S, Q6_K, _everywhere(("v_proj", Q4_K))),
    _gguf("gguf-iq3_m", "GGUF IQ3_M", IQ3_S, Q6_K, _everywhere(("v_proj", Q4_K), ("o_proj", Q4_K))),
    _gguf("gguf-q3_k_s", "GGUF Q3_K_S", Q3_K, Q6_K),
    _gguf("gguf-q3_k_l", "GGUF Q3_K_L", Q3_K, Q6_K, _Q3_L, fused_qkv=Q4_K),
    _gguf("gguf-iq4_nl", "GGUF IQ4_NL", IQ4_NL, Q6_K, _everywhere(("v_proj", Q5_K))),
    _gguf("gguf-q4_1", "GGUF Q4_1", Q4_1, Q6_K),
    _gguf("gguf-q4_k_s", "GGUF Q4_K_S", Q4_K, Q6_K),
    _gguf("gguf-q5_1", "GGUF Q5_1", Q5_1, Q6_K),
    _gguf("gguf-q5_k_s", "GGUF Q5_K_S", Q5_K, Q6_K),
    _gguf("gguf-q2_k_l", "GGUF Q2_K_L", Q2_K, Q8_0, _everywhere(*_Q2_OF_K), Q8_0),
    _gguf("gguf-q2_k_xl", "GGUF Q2_K_XL", Q2_K, Q6_K, _everywhere(*_Q2_OF_K), Q4_K, mixture=(Q2_K, Q3_K, Q6_K)),
    _gguf("gguf-q3_k_xl", "GGUF Q3_K_XL", Q3_K, Q8_0, _Q3_L, Q8_0, Q4_K),
    _gguf("gguf-ud-q3_k_xl", "GGUF UD-Q3_K_XL", Q3_K, Q6_K, _Q3_M, mixture=(Q3_K, Q3_K, Q6_K)),
    _gguf("gguf-q4_k_l", "GGUF Q4_K_L", Q4_K, Q8_0, _half(Q6_K), Q8_0, Q5_K),
    _gguf("gguf-q4_k_xl", "GGUF Q4_K_XL", Q4_K, Q6_K, _half(Q6_K), None, Q5_K, (Q4_K, Q4_K, Q6_K)),
    _gguf("gguf-q5_k_l", "GGUF Q5_K_L", Q5_K, Q8_0, _half(Q6_K), Q8_0, Q6_K),
    _gguf("gguf-q5_k_xl", "GGUF Q5_K_XL", Q5_K, Q6_K, _half(Q6_K), None, Q6_K, (Q5_K, Q5_K, Q8_0)),
    _gguf("gguf-q6_k_l", "GGUF Q6_K_L", Q6_K, Q8_0, (), Q8_0),
    _gguf("gguf-q6_k_xl", "GGUF Q6_K_XL", Q6_K, Q8_0, _half(Q8_0), Q8_0, None, (Q6_K, Q6_K, Q8_0)),
    *(
        _gguf(f"gguf-ud-{mix}", f"GGUF UD-{mix.upper()}", scheme, Q5_K, finer, table, None, mixture)
        for mix, scheme, finer, table, mixture in (
            ("iq1_s", IQ1_S, _IQ1, Q2_K, (IQ1_S, IQ3_XXS, Q6_K)),
            ("iq1_m", IQ1_M, _IQ1, Q2_K, (IQ1_M, IQ3_S, Q6_K)),
            ("iq2_xxs", IQ2_XXS, _everywhere(("v_proj", Q4_K)), Q2_K, (IQ2_XXS, IQ3_S, Q6_K)),
            ("iq2_m", IQ2_S, _IQ2_M, IQ3_S, (IQ2_XS, IQ3_S, Q6_K)),
            ("iq3_xxs", IQ3_XXS, _IQ3_XXS, IQ3_S, (IQ3_XXS, IQ3_S, Q6_K)),
        )
    ),
    _gguf("gguf-q4_0-f16", "GGUF Q4_0, token table F16", Q4_0, BF16, (), BF16),
    WeightFormat(
        "gguf-mxfp4",
        "GGUF MXFP4 (experts)",
        MXFP4,
        "bf16",
        EXPERTS,
        _beside_experts(Q8_0),
        source="ggml-org/llama.cpp: llama-quantize MXFP4_MOE, experts in MXFP4 and the rest in Q8_0",
    ),
    WeightFormat(
        "gguf-mxfp4-f16",
        "GGUF MXFP4 experts, the rest 16-bit",
        MXFP4,
        "bf16",
        EXPERTS,
        source="GGUF files named F16 or BF16 of models published with MXFP4 experts (unsloth/gpt-oss-20b-GGUF)",
    ),
    *(
        WeightFormat(
            f"mlx-mxfp4-q{bits}",
            f"MLX MXFP4 experts, the rest {bits}-bit",
            MXFP4,
            "bf16",
            EXPERTS,
            _beside_experts(scheme),
            source="mlx-community/gpt-oss-20b-MXFP4-Q8: experts as published, all else affine in groups of 64",
        )
        for bits, scheme in ((8, MLX_8), (4, MLX_4))
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
        "int4-gptq-mlp",
        "INT4 GPTQ g128, attention 16-bit",
        INT4_G128,
        "bf16",
        ("mlp", "routed_expert"),
        source="Qwen's GPTQ-Int4 files of Qwen3.5: `dynamic` leaves attention, recurrent mixers and shared experts out",
        brief="INT4",
    ),
    WeightFormat(
        "int4-g32",
        "INT4 g32",
        INT4_G32_ZERO_POINT,
        "bf16",
        source="AWQ and GPTQ checkpoints in groups of 32",
        brief="INT4",
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
    WeightFormat("mxfp4", "MXFP4 (experts)", MXFP4, "fp4", EXPERTS, source="openai/gpt-oss model card", brief="MXFP4"),
    _gguf("gguf-q2_k", "GGUF Q2_K", Q2_K, Q6_K, _everywhere(*_Q2_OF_K)),
    _gguf("gguf-q3_k_m", "GGUF Q3_K_M", Q3_K, Q6_K, _Q3_M, fused_qkv=Q4_K),
    _gguf("gguf-iq4_xs", "GGUF IQ4_XS", IQ4_XS, Q6_K),
    _gguf("gguf-q4_0", "GGUF Q4_0", Q4_0, Q6_K),
    _gguf("gguf-q4_k_m", "GGUF Q4_K_M", Q4_K, Q6_K, _half(Q6_K), fused_qkv=Q5_K),
    _gguf("gguf-q5_0", "GGUF Q5_0", Q5_0, Q6_K),
    _gguf("gguf-q5_k_m", "GGUF Q5_K_M", Q5_K, Q6_K, _half(Q6_K), fused_qkv=Q6_K),
    _gguf("gguf-q6_k", "GGUF Q6_K", Q6_K, Q6_K),
    _gguf("gguf-q8_0", "GGUF Q8_0", Q8_0, Q8_0),
    *_MORE_GGUF,
    *(
        _mlx(f"{bits}bit", f"{bits}-bit g64", scheme)
        for bits, scheme in ((4, MLX_4), (6, MLX_6), (8, MLX_8), (5, MLX_5), (3, MLX_3), (2, MLX_2))
    ),
    _mlx("4bit-g32", "4-bit g32", MLX_4_G32),
    _mlx("8bit-g32", "8-bit g32", MLX_8_G32),
    _mlx("mxfp4", "MXFP4", MXFP4),
    _mlx("nvfp4", "NVFP4", NVFP4),
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
