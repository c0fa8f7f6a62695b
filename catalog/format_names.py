"""From names as people and tools write them to weight formats: what a repository's name states, never a guess in its place."""

from __future__ import annotations

import re
from typing import Final

from engine.model.formats import FORMATS

# What a repository's name tells of how its weights are stored, first match wins. Words are lower case, one blank between.
_FORMATS: Final = (
    (r"nvidia qwen3 [678].* nvfp4|mixed nvfp4 fp8", "nvfp4-fp8"),  # ModelOpt's mixed files of 2026
    (r"nvfp4(?:a16)?|fp4", "nvfp4"),
    (r"w?mxfp4", "mxfp4"),
    (r"mlx.* 4 ?bits?|(?<!bnb )4 ?bits?(?: dwq)?", "mlx-4bit"),
    (r"mlx.* 6 ?bits?|6 ?bits?", "mlx-6bit"),
    (r"mlx.* 8 ?bits?|(?<!bnb )8 ?bits?", "mlx-8bit"),
    (r"(?:gptq|autoround|awq)(?: \w+)* (?:int8|8 ?bits?|w8a16)|int8 w8a16|w8a16", "int8-gptq"),
    (r"awq", "int4-awq"),
    (r"gptq|autoround", "int4-gptq"),
    (r"w4a16|w4a8(?: ?fp8)?|w4afp8", "w4a16"),
    (r"int4", "int4-gptq"),
    (r"bnb 4 ?bits?|nf4", "nf4-double"),
    (r"w8a8 ?fp8|fp8 w8a8|float8", "fp8"),
    (r"w8a8|int8|bnb 8 ?bits?", "int8"),
    # llm-compressor's; of models without recurrent mixers it is FP8 and nothing else
    (r"(?:qwen3 (?:[568]|next|coder next)|granite 4|kimi linear|nemotron)(?: \w+)* fp8 dynamic", "fp8-dynamic"),
    (r"fp8", "fp8"),
    (r"bf16|16 ?bits?", "bf16"),
    (r"fp16|f16|float16", "fp16"),
)
# Formats that names state and nothing here can size; a quantizer's name with a number of bits is one beside it.
_UNSIZED: Final = re.compile(
    r"(?<![^ ])(exl[23]|aqlm|hqq|quip|eetq|mxfp8|torchao|vptq|qtip|higgs|spqr|ggml|onnx|openvino|ov|bitnet|coreml|int8 int4"
    r"|int4 int8mix|int8mix|(?:mx)?fp[356]|w\d+a[2-7]|qx\d+\w*|\d+(?: \d+)? ?bpw|(?:awq|gptq|mlx|autoround)(?: \w+)* (?:int)?[23] ?bits?"
    r"|(?:awq|gptq|mlx|autoround)(?: \w+)* int[23]|[235] ?bits?|w[23]a16|int[23])(?![^ ])"
)
_STATED: Final = re.compile(r"(?<![^ ])(w\d+a\d+\w*|\w*fp\d+|float\d+|u?int\d+|nf\d|\d+ ?bits?)(?![^ ])")
"""Whatever else looks like a format: a checkpoint's own in its place would be another one."""
_GGUF_MIX: Final = re.compile(r"(?<![^ ])((?:i?q|tq)\d(?: (?:[01kpsml]|nl|xxs|xs|xl|k[slt]|kss|r[48]))*)(?![^ ])")
"""A mix and all its parts, those of forks too: what is left of a name that is cut short would be another mix."""
_SAME_MIX: Final = {"q3_k": "q3_k_m", "q4_k": "q4_k_m", "q5_k": "q5_k_m"}
"""Names that llama-quantize takes for another."""
GGUF_DEFAULT: Final = "gguf-q4_k_m"
"""The mix that llama.cpp downloads of a repository whose quantization nobody names (common/download.cpp)."""


_OLLAMA: Final = re.compile(r"[a-z0-9][\w.-]*:[\w.-]+")
"""A name and a tag without an organisation: Ollama's, which serves Q4_K_M unless the tag says otherwise."""


class UnsizedFormat(ValueError):
    """A weight format that a name states and that nothing here can size; the text is the format."""


def format_of_name(text: str) -> str | None:
    """The weight format that a published name tells ("Qwen3-32B-AWQ"), or None: the checkpoint's own.

    Raises UnsizedFormat for a format that is stated and cannot be sized: the checkpoint's own would be another one.
    """
    broken = re.search(r"\d+\.\d+[ -]?bits?\b", text.casefold())
    if broken:
        raise UnsizedFormat(broken.group())
    words = " ".join(re.sub(r"[^a-z0-9]+", " ", text.casefold()).split())
    if _OLLAMA.fullmatch(text.strip().casefold()):
        words += " gguf"
        if not _GGUF_MIX.search(words) and _has("gpt oss .*", words):
            return "gguf-mxfp4-f16"
        if not _GGUF_MIX.search(words) and _has("gemma3 .*qat.*", words):
            return "gguf-q4_0-f16"
    native = re.search(r"(?<![^ ])mxfp4 q([48])(?![^ ])", words)
    if native:  # mlx_lm, of models whose experts are published in MXFP4
        return f"mlx-mxfp4-q{native.group(1)}"
    if _has("unquantized", words):  # weights trained for a format that they are not stored in
        return "bf16"
    mixed = _GGUF_MIX.search(words)
    if mixed:
        mix = mixed.group(1).replace(" ", "_")
        name = f"gguf-{_SAME_MIX.get(mix, mix)}"
        if _has("ud", words) and f"gguf-ud-{mix}" in FORMATS:
            name = f"gguf-ud-{mix}"
        if mix == "q4_0" and _has("google", words) and _has("qat", words):
            name = "gguf-q4_0-f16"  # Google's own files of weights trained for it
        if name not in FORMATS:
            raise UnsizedFormat(mix.upper())
        return name
    if _has("gguf", words):
        if _has("f32|fp32", words):
            raise UnsizedFormat("F32")
        if _has("mxfp4|gpt oss", words):  # whose experts are published in it alone, in GGUF files too
            return "gguf-mxfp4-f16" if _has("b?f(?:p)?16", words) else "gguf-mxfp4"
        plain = next(
            (found for pattern, found in (("bf16", "bf16"), ("f16|fp16", "fp16")) if _has(pattern, words)), None
        )
        return plain or GGUF_DEFAULT
    few = re.search(r"^mlx(?: .*)? ([235]) ?bits?(?! ?\w*gptq)(?![^ ])", words)
    if few:
        return f"mlx-{few.group(1)}bit"
    unsized = _UNSIZED.search(words)
    if unsized:
        raise UnsizedFormat(unsized.group(1))
    if _has("mlx", words):
        floats = re.search(r"(?<![^ ])(mxfp4|nvfp4)(?![^ ])", words)
        if floats:
            return f"mlx-{floats.group(1)}"
        if bits := re.search(r"(?<![^ ])(?:int)?([468]) ?bits?(?![^ ])", words):
            return f"mlx-{bits.group(1)}bit"
    if _has("gptq|autoround|awq", words) and (bits := re.search(r"(?<![^ ])(?:int)?([48]) ?bits?(?![^ ])", words)):
        return "int8-gptq" if bits.group(1) == "8" else "int4-awq" if _has("awq", words) else "int4-gptq"
    known = next((found for pattern, found in _FORMATS if _has(pattern, words)), None)
    stated = _STATED.search(words) if known is None else None
    if stated:
        raise UnsizedFormat(stated.group(1))
    return known


def _has(pattern: str, words: str) -> bool:
    return re.search(rf"(?<![^ ])(?:{pattern})(?![^ ])", words) is not None
