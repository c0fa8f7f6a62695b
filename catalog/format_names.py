"""From names as people and tools write them to weight formats: what a repository's name states, never a guess in its place."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from engine.figures.records import NamedTuple
from engine.model.architecture import Architecture
from engine.model.formats import FORMATS, model_weight_bytes

GGUF_DEFAULT: Final = "gguf-q4_k_m"
"""The mix that llama.cpp downloads of a repository whose quantization nobody names (common/download.cpp)."""


class UnsizedFormat(ValueError):
    """A weight format that a name states and that nothing here can size; the text is the format."""


class _Rule(NamedTuple):
    """What a name means that has all of these patterns, each as whole words; the last one's groups fill `means`, a format's id.

    means: a function of the last match where no id says it; `_unsized` refuses what the match states.
    """

    patterns: tuple[str, ...]
    means: str | Callable[[re.Match[str]], str]


def _unsized(match: re.Match[str]) -> str:
    raise UnsizedFormat(match.group(1))


_SAME_MIX: Final = {"q3_k": "q3_k_m", "q4_k": "q4_k_m", "q5_k": "q5_k_m"}
"""Names that llama-quantize takes for another."""


def _mix(match: re.Match[str]) -> str:
    """The GGUF format of a mix; Unsloth's own where its name begins with UD and such a mix is another one."""
    mix = re.sub(r"^q(\d)k([sml]?)$", r"q\1 k \2", match.group(1)).strip().replace(" ", "_")
    own = f"gguf-ud-{mix}"
    name = own if "ud" in match.string.split() and own in FORMATS else f"gguf-{_SAME_MIX.get(mix, mix)}"
    if name not in FORMATS:
        raise UnsizedFormat(mix.upper())
    return name


_GGUF_MIX: Final = r"((?:i?q|tq)\d(?:k[sml]?|(?: (?:[01kpsml]|nl|xxs|xs|xl|k[slt]|kss|r[48]))*))"
"""A mix and all its parts, those of forks too: what is left of a name that is cut short would be another mix."""

_BITS: Final = "(?:int)?{} ?bits?"
_QUANTIZERS: Final = "gptq|autoround|awq"
# Formats that names state and nothing here can size; a quantizer's name with a number of bits is one beside it.
_UNSIZED: Final = (
    r"(exl[23]|aqlm|hqq|quip|eetq|mxfp8|torchao|vptq|qtip|higgs|spqr|ggml|onnx|openvino|ov|bitnet|coreml|int8 int4"
    r"|int4 int8mix|int8mix|(?:mx)?fp[356]|w\d+a[2-7]|qx\d+\w*|\d+(?: \d+)? ?bpw|(?:awq|gptq|mlx|autoround)(?: \w+)* (?:int)?[23] ?bits?"
    r"|(?:awq|gptq|mlx|autoround)(?: \w+)* int[23]|[235] ?bits?|w[23]a16|int[23])"
)
# Recurrent mixers in 16 bits are told apart by the name of the model.
_HYBRIDS: Final = r"(?:qwen3 (?:[568]|next|coder next)|granite 4|kimi linear|nemotron)(?: \w+)*"

# First match wins. Words are lower case, one blank between; `ollama` and `gguf` stand behind an Ollama name.
_RULES: Final = (
    _Rule(("mxfp4 q([48])",), "mlx-mxfp4-q{}"),  # mlx_lm, of models whose experts are published in MXFP4
    _Rule(("unquantized",), "bf16"),  # weights trained for a format that they are not stored in
    _Rule(("google", "qat", "q4 0"), "gguf-q4_0-f16"),  # Google's own files of weights trained for it
    _Rule((_GGUF_MIX,), _mix),
    _Rule(("ollama", "gpt oss .*"), "gguf-mxfp4-f16"),
    _Rule(("ollama", "gemma3 .*qat.*"), "gguf-q4_0-f16"),
    _Rule(("gguf", "(f32|fp32)"), _unsized),
    # experts that are published in MXFP4 alone stay so in GGUF files, too
    _Rule(("gguf", "mxfp4|gpt oss", "b?f(?:p)?16"), "gguf-mxfp4-f16"),
    _Rule(("gguf", "mxfp4|gpt oss"), "gguf-mxfp4"),
    _Rule(("gguf", "bf16"), "bf16"),
    _Rule(("gguf", "f16|fp16"), "fp16"),
    _Rule(("gguf", "ggml org|google", "qat"), "gguf-q4_0"),  # a repository of that file alone
    _Rule(("gguf",), GGUF_DEFAULT),
    _Rule((r"(?<!.)mlx(?: .*)? ([235]) ?bits?(?! ?\w*gptq)",), "mlx-{}bit"),
    _Rule((_UNSIZED,), _unsized),
    _Rule(("mlx", "(mxfp4|nvfp4)"), "mlx-{}"),
    _Rule(("mlx", _BITS.format("([468])")), "mlx-{}bit"),
    _Rule((_QUANTIZERS, f"int8|{_BITS.format(8)}"), "int8-gptq"),
    # attention and shared experts left out by `dynamic` of their quantization_config (Qwen/Qwen3.5-27B-GPTQ-Int4)
    _Rule((r"(?<!.)qwen qwen3 [5-9](?: \w+)* gptq int4",), "int4-gptq-mlp"),
    _Rule(("awq", _BITS.format("4")), "int4-awq"),
    _Rule((_QUANTIZERS, _BITS.format("4")), "int4-gptq"),
    _Rule((r"nvidia qwen3 [678].* nvfp4|mixed nvfp4 fp8",), "nvfp4-fp8"),  # ModelOpt's mixed files of 2026
    _Rule((r"nvfp4(?:a16)?|fp4",), "nvfp4"),
    _Rule((r"w?mxfp4",), "mxfp4"),
    _Rule((r"(?<!bnb )([468]) ?bits?(?: dwq)?",), "mlx-{}bit"),
    _Rule((rf"(?:{_QUANTIZERS})(?: \w+)* w8a16|int8 w8a16|w8a16",), "int8-gptq"),
    _Rule(("awq",), "int4-awq"),
    _Rule(("gptq|autoround",), "int4-gptq"),
    _Rule((r"w4a16|w4a8(?: ?fp8)?|w4afp8",), "w4a16"),
    _Rule(("int4",), "int4-gptq"),
    _Rule((r"bnb 4 ?bits?|nf4",), "nf4-double"),
    _Rule((r"w8a8 ?fp8|fp8 w8a8|float8",), "fp8"),
    _Rule((r"w8a8|int8|bnb 8 ?bits?",), "int8"),
    # llm-compressor's; of models without recurrent mixers it is FP8 and nothing else
    _Rule((rf"{_HYBRIDS} fp8 dynamic",), "fp8-dynamic"),
    _Rule(("fp8",), "fp8"),
    _Rule((r"bf16|16 ?bits?",), "bf16"),
    _Rule(("fp16|f16|float16",), "fp16"),
    # whatever else looks like a format: a checkpoint's own in its place would be another one
    _Rule((r"(w\d+a\d+\w*|\w*fp\d+|float\d+|u?int\d+|nf\d|\d+ ?bits?)",), _unsized),
)
_COMPILED: Final = tuple(
    (tuple(re.compile(rf"(?<![^ ])(?:{pattern})(?![^ ])") for pattern in rule.patterns), rule.means) for rule in _RULES
)

_GROUPED: Final = r"(?:g|gs|group ?(?:size ?)?)(16|32|64|128|256)|(16|32|64|128|256)g"
_GROUP: Final = re.compile(rf"(?<![^ ])(?:{_GROUPED})(?![^ ])")
_USUAL_GROUP: Final = {"int4-awq": 128, "int4-gptq": 128, "w4a16": 128, "int8-gptq": 128} | {
    f"mlx-{bits}bit": 64 for bits in (2, 3, 4, 5, 6, 8)
}
_OTHER_GROUPS: Final = {
    ("int4-awq", 32): "int4-g32",
    ("int4-gptq", 32): "int4-g32",
    ("w4a16", 32): "int4-g32",
    ("mlx-4bit", 32): "mlx-4bit-g32",
    ("mlx-8bit", 32): "mlx-8bit-g32",
}

_OLLAMA: Final = re.compile(r"[a-z0-9][\w.-]*:[\w.-]+")
"""A name and a tag without an organisation: Ollama's, which serves Q4_K_M unless the tag says otherwise."""


def format_of_name(text: str) -> str | None:
    """The weight format that a published name tells ("Qwen3-32B-AWQ"), or None: the checkpoint's own.

    Raises UnsizedFormat for a format that is stated and cannot be sized: the checkpoint's own would be another one.
    """
    broken = re.search(r"\d+\.\d+[ -]?bits?\b", text.casefold())
    if broken:
        raise UnsizedFormat(broken.group())
    words = _words(text)
    for patterns, means in _COMPILED:
        found = [pattern.search(words) for pattern in patterns]
        if all(found) and (last := found[-1]) is not None:
            return _grouped(means.format(*last.groups()) if isinstance(means, str) else means(last), words)
    return None


def _words(text: str) -> str:
    words = " ".join(re.sub(r"[^a-z0-9]+", " ", text.casefold()).split())
    return f"{words} ollama gguf" if _OLLAMA.fullmatch(text.strip().casefold()) else words


def _grouped(format_id: str, words: str) -> str:
    """The format in the groups that a name states, where its usual ones are others. Raises UnsizedFormat."""
    stated = _GROUP.search(words)
    usual = _USUAL_GROUP.get(format_id)
    if stated is None or usual is None:
        return format_id
    size = int(stated.group(1) or stated.group(2))
    if size != usual and (format_id, size) not in _OTHER_GROUPS:
        raise UnsizedFormat(f"{FORMATS[format_id].label.rpartition(' ')[0]} in groups of {size}")
    return format_id if size == usual else _OTHER_GROUPS[format_id, size]


class _Doubt(NamedTuple):
    """What a name of a format leaves open. only: format ids; has and lacks: patterns of the words, lacks may be empty; others: what a file may
    hold instead, as (format, words), of which those that weigh otherwise are said; lighter: of which those that weigh less are."""

    only: frozenset[str]
    has: str
    lacks: str
    says: str
    others: tuple[tuple[str, str], ...] = ()
    lighter: bool = False


_GGUF: Final = frozenset(name for name in FORMATS if name.startswith("gguf"))
_GROUPS_OF_32: Final = ("int4-g32", "in groups of 32")
_WIDE_ATTENTION: Final = ("int4-gptq-mlp", "with attention in 16 bits")
_INT4: Final = frozenset(["int4-awq", "int4-gptq", "w4a16", "int4-g32"])
_TOLD: Final = r"(?<!.)(?:qwen|redhatai|neuralmagic|casperhansen|hugging quants)"
"""Publishers whose INT4 files are in groups of 128 in every linear module."""
_DOUBTS: Final = (
    _Doubt(
        frozenset(["nf4-double"]),
        "unsloth bnb 4 ?bit",
        "",
        "modules that Unsloth's dynamic 4-bit keeps in 16 bits are not named: 5 to 13 % more than is sized",
    ),
    _Doubt(
        _GGUF,
        "ud",
        "",
        "Unsloth's dynamic mixes differ by model and release: up to 10 % more than is sized",
    ),
    _Doubt(_GGUF, "mixed", "", "the modules that a mix keeps in more bits are not named: sized without them"),
    _Doubt(
        _INT4,
        "mixed|mix",
        "",
        "the modules that a mix keeps in more bits are not named: sized without them",
        (_WIDE_ATTENTION,),
    ),
    _Doubt(
        _INT4,
        r"\w+",
        rf"{_TOLD}|{_GROUPED}",
        "group size and modules left in 16 bits are not named: sized in groups of 128 without any",
        (_GROUPS_OF_32, _WIDE_ATTENTION),
    ),
    _Doubt(
        frozenset(["nvfp4"]),
        r"\w+",
        "(?<!.)nvidia",
        "which modules stay in 16 bits differs by publisher: sized as NVIDIA's files",
        (("nvfp4-fp8", "with attention in FP8"),),
        lighter=True,
    ),
)
_UNLIKE: Final = 0.02
"""Of another way to store a model, the share of its weights below which nobody is told."""


def doubt_of_name(text: str, format_id: str, arch: Architecture) -> str:
    """What the name of a published checkpoint leaves open of its size, with the range; empty where it leaves nothing.

    format_id: the format that the name states. A name without a publisher is the model's and a word, and leaves nothing open.
    """
    words = _words(text)
    if "/" not in text:
        return ""
    for doubt in _DOUBTS:
        if format_id not in doubt.only or not _has(doubt.has, words) or (doubt.lacks and _has(doubt.lacks, words)):
            continue
        sized = model_weight_bytes(arch, format_id)
        shares = ((told, model_weight_bytes(arch, other) / sized - 1) for other, told in doubt.others)
        apart = [
            f"{told}: {100 * abs(by):.0f} % {'more' if by > 0 else 'less'}"
            for told, by in shares
            if abs(by) > _UNLIKE and not (doubt.lighter and by > 0)
        ]
        if apart or not doubt.others:
            return "; ".join((doubt.says, *apart, "its own files tell, by their path"))
    return ""


def _has(pattern: str, words: str) -> bool:
    return re.search(rf"(?<![^ ])(?:{pattern})(?![^ ])", words) is not None
