"""How a checkpoint stores each tensor, from its `quantization_config`: groups, bits, and the modules left out.

Key names: compressed-tensors (config_groups, ignore), ModelOpt (quant_algo, quantized_layers, exclude_modules), GPTQ
and AWQ (bits, group_size, modules_to_not_convert, dynamic), bitsandbytes (llm_int8_skip_modules).
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from catalog.hf.reader import Config
from engine.figures.text import shown
from engine.model.architecture import Architecture, Part, Tensor
from engine.model.formats import SMALLEST_SIDE
from engine.model.schemes import (
    FP8_BLOCK,
    FP8_CHANNEL,
    INT4_G128,
    INT8_CHANNEL,
    MXFP4,
    MXFP8,
    NF4,
    NF4_DOUBLE,
    NVFP4,
    Scheme,
    Stored,
    ZeroPointScheme,
)

_LINEAR: Final[frozenset[Part]] = frozenset(
    {"attention", "mlp", "routed_expert", "shared_expert", "recurrent", "indexer"}
)
_PREFIXES: Final = ("model.", "model.language_model.", "language_model.model.", "", "transformer.", "backbone.")
# What published modules call the tensors that have other names here.
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "kv_a_proj": ("kv_a_proj_with_mqa", "fused_qkv_a_proj_with_mqa"),
    "qk_proj": ("in_proj_qkv", "in_proj_qkvz"),
    "vz_proj": ("in_proj_z", "in_proj_qkvz"),
    "ba_proj": ("in_proj_a", "in_proj_b", "in_proj_ba"),
    "in_proj_zx": ("in_proj",),
    "in_proj_bc": ("in_proj",),
    "in_proj_dt": ("in_proj",),
    "gate_proj": ("gate_proj", "w1", "gate_up_proj"),
    "up_proj": ("up_proj", "w3", "gate_up_proj"),
    "down_proj": ("down_proj", "w2"),
}
_PLACES: Final[Mapping[str, tuple[str, ...]]] = {
    "attention": ("self_attn", "attn", "attention", "mixer"),
    "indexer": ("self_attn.indexer", "attn.indexer"),
    "recurrent": ("linear_attn", "mixer", "mamba", "conv", "self_attn"),
    "mlp": ("mlp", "feed_forward", "ffn", "mixer"),
    "routed_expert": (
        "mlp.experts.0", "mlp.experts", "block_sparse_moe.experts.0", "block_sparse_moe.experts",
        "feed_forward.experts.0", "feed_forward.experts", "ffn.experts.0", "ffn.experts", "mixer.experts.0", "experts",
        "experts.0", "moe",
    ),
    "shared_expert": (
        "mlp.shared_experts", "mlp.shared_expert", "feed_forward.shared_expert", "ffn.shared_experts",
        "mixer.shared_experts", "share_expert",
    ),
}  # fmt: skip

# A pattern of a person's file must not take exponential time: no repeated group, few repetitions, no great length.
_LONGEST_PATTERN: Final = 400
_MOST_REPEATS: Final = 12
_REPEATED_GROUP: Final = re.compile(r"\)[*+?{]")


class Modules:
    """Names and patterns of modules: `re:` before a regular expression, * in a glob, else a part of the dotted path."""

    def __init__(self, patterns: Iterable[Any], config: Config, key: str) -> None:
        self.everything = False
        self.parts: set[tuple[str, ...]] = set()
        expressions: list[str] = []
        for pattern in patterns:
            if not isinstance(pattern, str) or len(pattern) > _LONGEST_PATTERN:
                raise config.error(key, f"holds {shown(pattern)}, which is not a module's name")
            if pattern == "Linear":
                self.everything = True
            elif pattern.startswith("re:"):
                expressions.append(_safe(pattern[3:], config, key))
            elif any(mark in pattern for mark in "*?["):
                expressions.append(_safe(fnmatch.translate(pattern.replace("[", "[[]")), config, key))
            else:
                self.parts.add(tuple(pattern.split(".")))
        self.expressions = [re.compile(f"(?:{text})") for text in dict.fromkeys(expressions)]

    def named(self, names: Iterable[str]) -> bool:
        """Whether one of the names is meant by a name or a pattern, not as any linear layer."""
        return any(self._meant(name) for name in names)

    def _meant(self, name: str) -> bool:
        if self.parts:
            path = name.split(".")
            for start in range(len(path)):
                for end in range(start + 1, len(path) + 1):
                    if tuple(path[start:end]) in self.parts:
                        return True
        return any(expression.match(name) for expression in self.expressions)


def _safe(text: str, config: Config, key: str) -> str:
    repeats = sum(text.count(mark) for mark in "*+{")
    if repeats > _MOST_REPEATS or _REPEATED_GROUP.search(text.replace("(?s:", "(").replace(")\\Z", "")):
        raise config.error(key, f"holds the pattern {shown(text)}, which repeats too much to be read")
    try:
        re.compile(text)
    except re.error as problem:
        raise config.error(key, f"holds the pattern {shown(text)}: {problem}") from None
    return text


def _names_of(tensor: Tensor, index: int | None, beside: bool = False) -> Iterator[str]:
    """What the checkpoint may call the module of a tensor. beside: whether a dense MLP stands beside the layer's experts.

    There `mlp` is the dense one's (Gemma 4), and a name that leaves it out says nothing of experts.
    """
    if tensor.part == "lm_head":
        yield from ("lm_head", "language_model.lm_head")
        return
    if tensor.part == "table":
        yield "model.embed_tokens_per_layer"
        return
    if tensor.part == "embedding":
        yield from ("model.embed_tokens", "language_model.model.embed_tokens")
        return
    last = tensor.name.rpartition(".")[2]
    where = "mtp.layers.0." if index is None else f"layers.{index}."
    for place in _PLACES.get(tensor.part, ()):
        if beside and tensor.part == "routed_expert" and place.startswith("mlp"):
            continue
        for name in _NAMES.get(last, (last,)):
            for prefix in _PREFIXES:
                yield f"{prefix}{where}{place}.{name}"


class Rules:
    """Which scheme a tensor has: `groups` in order, the first whose modules name it; `plain` for any other linear."""

    def __init__(
        self,
        groups: list[tuple[Modules, Scheme]],
        plain: Scheme | None,
        ignored: Modules,
        rest: Scheme | None = None,
        tables: bool = False,
    ) -> None:
        self.groups, self.plain, self.ignored, self.rest = groups, plain, ignored, rest
        self.quantized = _LINEAR | {"embedding", "table", "lm_head"} if tables else _LINEAR

    def scheme(self, tensor: Tensor, index: int | None, beside: bool = False) -> Scheme | None:
        """The scheme of a tensor, None for 16 bits."""
        if min(tensor.rows, tensor.cols) < SMALLEST_SIDE or tensor.part not in (*self.quantized, "lm_head"):
            return None
        names = list(_names_of(tensor, index, beside))
        if self.ignored.named(names):
            return self.rest if tensor.part in self.quantized else None
        for modules, scheme in self.groups:
            if modules.named(names):
                return scheme
        return self.plain if tensor.part in self.quantized else None


def stored_by(rules: Rules, arch: Architecture) -> tuple[Stored, Scheme | None]:
    """Every tensor's scheme, and the scheme that most weights have; None when all have 16 bits."""
    held: dict[Scheme, int] = {}

    def listed(tensors: Iterable[Tensor], index: int | None) -> tuple[tuple[str, Scheme], ...]:
        found: dict[str, Scheme] = {}
        tensors = tuple(tensors)
        parts = {tensor.part for tensor in tensors}
        for tensor in tensors:
            scheme = rules.scheme(tensor, index, {"mlp", "routed_expert"} <= parts)
            if scheme is not None:
                found[tensor.name] = scheme
                held[scheme] = held.get(scheme, 0) + tensor.elements
        return tuple(found.items())

    outside = listed(arch.embedding + arch.head + arch.mtp, None)
    kinds: dict[tuple[tuple[str, Scheme], ...], int] = {}
    layers = tuple(
        kinds.setdefault(listed(layer.tensors, index), len(kinds)) for index, layer in enumerate(arch.layers)
    )
    most = max(held, key=lambda scheme: held[scheme]) if held else None
    return Stored(outside, layers, tuple(kinds)), most


def plain_format(said: Config, method: str) -> str:
    """The format id (`engine.model.formats`) that a method names where no rule of single modules says more."""
    if method in ("fp8", "mxfp4", "nvfp4"):
        return method
    if method == "compressed-tensors" and said.text("format").startswith(("nvfp4", "mxfp4")):
        return said.text("format")[:5]
    if method == "awq":
        return "int4-awq"
    if method in ("gptq", "auto-round"):
        return "int4-gptq" if said.integer("bits", 4) == 4 else "int8-gptq"
    if method == "bitsandbytes":
        if not said.flag("load_in_4bit"):
            return "int8" if said.flag("load_in_8bit") else "bf16"
        return "nf4-double" if said.flag("bnb_4bit_use_double_quant") else "nf4"
    if method == "modelopt" and said.has("quant_algo"):
        scheme = _ALGORITHMS.get(said.text("quant_algo").upper())
        return format_of(scheme, method) if scheme is not None else "bf16"
    return "bf16"


def rules_of(config: Config, method: str) -> Rules | None:
    """The rules of a quantization_config; None where its method says all there is to say. Raises CatalogError."""
    sparse = config.section("sparsity_config").text("format", "dense")
    if sparse != "dense":
        raise config.error("sparsity_config", f"stores weights as {shown(sparse)}, whose files cannot be sized")
    if config.text("format").startswith("marlin-24"):
        raise config.error("format", f"is {shown(config.text('format'))}, whose files cannot be sized")
    ignored = Modules(_left_out(config), config, "ignore")
    if isinstance(config.raw("config_groups"), Mapping) or isinstance(config.raw("quantized_layers"), Mapping):
        rest = FP8_BLOCK if method == "fp8" else None
        return _grouped(config, ignored, rest)
    if method in ("gptq", "awq", "auto-round"):
        return _weight_only(config, ignored)
    some = ignored.parts or ignored.expressions
    if method == "modelopt" and config.has("quant_algo"):
        scheme = _ALGORITHMS.get(config.text("quant_algo").upper())
        if scheme is None:
            known = f"known: {', '.join(_ALGORITHMS)}"
            raise config.error("quant_algo", f"is {shown(config.text('quant_algo'))}, which is not known; {known}")
        return Rules([], scheme, ignored) if some else None
    if method == "bitsandbytes" and config.flag("load_in_4bit") and ignored.parts - {("lm_head",)}:
        double = config.flag("bnb_4bit_use_double_quant")
        return Rules([], NF4_DOUBLE if double else NF4, ignored)
    if method == "bitsandbytes" and config.flag("load_in_8bit") and some:
        return Rules([], INT8_CHANNEL, ignored)
    if method == "fp8" and some:
        return Rules([], FP8_BLOCK if config.has("weight_block_size") else FP8_CHANNEL, ignored)
    if method in _OTHERS:
        return _OTHERS[method](config, ignored)
    return None


def _of_quark(config: Config, ignored: Modules) -> Rules:
    """AMD Quark: one scheme for all, others for patterns of modules, and modules left out."""
    plain = _quark_scheme(config.section("global_quant_config"))
    single = config.section("layer_quant_config")
    groups = [
        (Modules([pattern], config, "layer_quant_config"), scheme)
        for pattern in single.data
        if (scheme := _quark_scheme(single.section(pattern))) is not None
    ]
    return Rules(groups, plain, ignored)


def _quark_scheme(said: Config) -> Scheme | None:
    """How Quark stores the weights of one object; of several steps the first (INT4 that is computed in FP8)."""
    held = said.raw("weight")
    if isinstance(held, list) and held and isinstance(held[0], Mapping):
        weight = Config(held[0], said.where, f"{said.path}weight[0].", None, said.read)
    elif isinstance(held, Mapping):
        weight = said.section("weight")
    else:
        return None
    kind, group = weight.text("dtype").lower(), weight.integer("group_size", 0)
    if kind.startswith("fp8"):
        return FP8_CHANNEL
    if kind in ("fp4", "mxfp4") and group in (0, 32):
        return MXFP4
    if kind in ("int8", "uint8") and not group:
        return INT8_CHANNEL
    if kind in ("int4", "uint4", "int8", "uint8"):
        return grouped_integers(8 if "8" in kind else 4, group, symmetric=not kind.startswith("u"))
    raise weight.error(
        "dtype", f"is {shown(kind)} in groups of {group}; known: fp8, fp4 in groups of 32, int8 and int4"
    )


def _of_torchao(config: Config, ignored: Modules) -> Rules:
    """torchao: the name of a recipe, as a word or as the class of an object, and a group size."""
    said = config.raw("quant_type")
    recipe = said.get("default") if isinstance(said, Mapping) else said
    name = str(recipe.get("_type") if isinstance(recipe, Mapping) else recipe).lower()
    data = recipe.get("_data") if isinstance(recipe, Mapping) else config.raw("quant_type_kwargs")
    size = data.get("group_size", 128) if isinstance(data, Mapping) else 128
    group = size if isinstance(size, int) and 0 < size <= 2**16 else 128
    if "intx" in name or "uintx" in name:
        raise config.error("quant_type", f"is {shown(name)}, whose bits of a weight are not known")
    if "int4" in name:
        return Rules([], grouped_integers(4, group, symmetric=False), ignored)
    if "int8" in name:
        return Rules([], INT8_CHANNEL, ignored)
    if "float8" in name:
        return Rules([], FP8_CHANNEL, ignored)
    raise config.error("quant_type", f"is {shown(name)}; known: recipes of int4, int8 and float8 weights")


def _of_mlx(config: Config, ignored: Modules) -> Rules:
    """mlx_lm: every linear, the token table and the head, and single modules with bits of their own or none (false)."""
    groups: list[tuple[Modules, Scheme]] = []
    for name, said in config.data.items():
        if said is False:
            ignored.parts.add(tuple(name.split(".")))
        elif isinstance(said, Mapping) and "bits" in said:
            groups.append((Modules([name], config, name), _mlx_scheme(config.section(name))))
    return Rules(groups, _mlx_scheme(config), ignored, tables=True)


def _mlx_scheme(said: Config) -> Scheme:
    bits, group = said.integer("bits"), said.positive("group_size", 64)
    mode = said.text("mode", "affine")
    floats = {("mxfp4", 4): MXFP4, ("nvfp4", 4): NVFP4, ("mxfp8", 8): MXFP8}
    if (mode, bits) in floats:
        return floats[mode, bits]
    if mode != "affine" or bits not in (2, 3, 4, 5, 6, 8):
        raise said.error(
            "bits", f"is {bits} in mode {shown(mode)}; known: affine with 2 to 6 and 8, mxfp4, nvfp4, mxfp8"
        )
    return Scheme(f"mlx-{bits}bit", bits, 4, 1, group)


def _of_w4afp8(config: Config, ignored: Modules) -> Rules:
    """SGLang's W4AFP8: routed experts in INT4 of groups, every other linear in FP8 blocks."""
    experts = Modules(["experts"], config, "w4afp8")
    return Rules([(experts, Scheme("int4-group", 4, 2, 1, config.positive("group_size", 128)))], FP8_BLOCK, ignored)


_OTHERS: Final[Mapping[str, Callable[[Config, Modules], Rules]]] = {
    "quark": _of_quark,
    "torchao": _of_torchao,
    "mlx": _of_mlx,
    "w4afp8": _of_w4afp8,
}


_ALGORITHMS: Final[Mapping[str, Scheme]] = {
    "FP8": FP8_CHANNEL, "FP8_PB_WO": FP8_BLOCK, "NVFP4": NVFP4, "NVFP4_AWQ": NVFP4, "W4A16_NVFP4": NVFP4,
    "W4A16_AWQ": INT4_G128, "W4A8_AWQ": INT4_G128, "INT8": INT8_CHANNEL, "W8A8_SQ_PER_CHANNEL": INT8_CHANNEL,
    "MXFP4": MXFP4, "W4A8_MXFP4_FP8": MXFP4, "MXFP8": MXFP8, "FP8_PER_CHANNEL_PER_TOKEN": FP8_CHANNEL,
    "W4A8_NVFP4_FP8": NVFP4,
}  # fmt: skip


def _left_out(config: Config) -> list[Any]:
    keys = ("ignore", "ignored_layers", "modules_to_not_convert", "exclude_modules", "llm_int8_skip_modules", "exclude")
    listed = [[config.text(key)] if isinstance(config.raw(key), str) else config.items(key) or [] for key in keys]
    return [name for names in listed for name in names]


def _grouped(config: Config, ignored: Modules, rest: Scheme | None) -> Rules:
    groups: list[tuple[Modules, Scheme]] = []
    plain: Scheme | None = None
    mixed = config.raw("quantized_layers")
    if isinstance(mixed, Mapping):
        by_algorithm: dict[Scheme, list[str]] = {}
        for module, said in mixed.items():
            algorithm = said.get("quant_algo") if isinstance(said, Mapping) else said
            scheme = _ALGORITHMS.get(str(algorithm).upper())
            if scheme is None:
                raise config.error(
                    "quantized_layers", f"stores {shown(module)} in {shown(algorithm)}, which is not known"
                )
            by_algorithm.setdefault(scheme, []).append(module)
        groups += [(Modules(names, config, "quantized_layers"), scheme) for scheme, names in by_algorithm.items()]
        return Rules(groups, None, ignored, rest)
    listed = config.section("config_groups")
    for name, group in listed.data.items():
        weights = group.get("weights") if isinstance(group, Mapping) else None
        if not isinstance(weights, Mapping):
            continue
        said = listed.section(name)
        layout = said.text("format") or config.text("format")
        scheme = _scheme(said.section("weights"), layout, group.get("input_activations") is not None)
        modules = Modules(said.items("targets") or ["Linear"], config, "config_groups")
        plain = plain or (scheme if modules.everything else None)
        groups.append((modules, scheme))
    return Rules(groups, plain, ignored, rest)


def _scheme(weights: Config, layout: str, activations: bool) -> Scheme:
    """The scheme of one group of compressed-tensors. Raises CatalogError for bits that nothing stores."""
    bits, group = weights.integer("num_bits", 0), weights.integer("group_size", 0)
    kind = weights.text("type", "int")
    if kind == "float":
        if bits == 4:
            return MXFP4 if layout.startswith("mxfp4") or group == 32 else NVFP4
        if bits == 8 and group == 32:
            return MXFP8
        if bits == 8:
            return FP8_BLOCK if weights.text("strategy") == "block" else FP8_CHANNEL
    elif kind == "int" and bits in (4, 8):
        if bits == 8 and activations and not group:
            return INT8_CHANNEL
        return grouped_integers(bits, group, symmetric=weights.flag("symmetric", True))
    raise weights.error("num_bits", f"is {bits} of type {shown(kind)}; known: 4 and 8, int or float")


def grouped_integers(bits: int, group: int, symmetric: bool) -> Scheme:
    """Packed integers with a 16-bit scale for each group of inputs (0: all of a row), and zero points unless symmetric."""
    name = f"int{bits}-g{group}" if group else f"int{bits}-channel"
    return Scheme(name, bits, 2, 1, group) if symmetric else ZeroPointScheme(name, bits, 0, 1, group)


def _weight_only(config: Config, ignored: Modules) -> Rules:
    """GPTQ, AWQ and AutoRound: packed integers with zero points; `dynamic` and `extra_config` for single modules."""
    plain = _packed(config, config)
    groups: list[tuple[Modules, Scheme]] = []
    if config.flag("lm_head"):
        groups.append((Modules(["lm_head"], config, "lm_head"), plain))
    left: list[str] = []
    for pattern in config.section("dynamic").data:
        if pattern.startswith("-:"):
            left.append("re:" + pattern[2:])
        else:
            own = config.section("dynamic").section(pattern)
            groups.append((Modules(["re:" + pattern.removeprefix("+:")], config, "dynamic"), _packed(own, config)))
    for module, said in config.section("extra_config").data.items():
        if not isinstance(said, Mapping):
            continue
        own = config.section("extra_config").section(module)
        if own.integer("bits", 16) >= 16:
            left.append(module)
        else:
            groups.append((Modules([module], config, "extra_config"), _packed(own, config)))
    more = Modules(left, config, "dynamic")
    ignored.parts |= more.parts
    ignored.expressions += more.expressions
    return Rules(groups, plain, ignored)


def _packed(own: Config, config: Config) -> Scheme:
    bits = own.integer("bits", config.integer("bits", config.integer("w_bit", 4)))
    size = next(
        (
            held.raw(key)
            for held in (own, config)
            for key in ("group_size", "q_group_size")
            if held.raw(key) is not None
        ),
        None,
    )
    kind = (own.text("data_type") or config.text("data_type")).lower()
    if kind.startswith(("mx_fp", "nv_fp")):  # AutoRound's floating-point blocks
        floats = {("mx_fp", 4): MXFP4, ("mx_fp", 8): MXFP8, ("nv_fp", 4): NVFP4}
        if (kind[:5], bits) not in floats:
            raise own.error("bits", f"is {bits} of {shown(kind)}; known: mx_fp of 4 and 8, nv_fp of 4")
        return floats[kind[:5], bits]
    group = 128 if size is None else size
    if group == 0:
        raise own.error("group_size", "is 0; known: -1 for whole rows, and 1 to 65,536")
    if bits not in (4, 8) or isinstance(group, bool) or not isinstance(group, int) or not -1 <= group <= 2**16:
        raise own.error("bits", f"is {bits} in groups of {shown(group)}; known: 4 and 8 bits, groups of up to 65,536")
    return INT4_G128 if (bits, group) == (4, 128) else grouped_integers(bits, max(group, 0), symmetric=False)


def format_of(scheme: Scheme, method: str) -> str:
    """The format id that names a checkpoint whose most weights have this scheme."""
    if method == "mlx" and scheme.name.startswith("mlx"):
        return scheme.name
    if scheme.name.startswith("int4"):
        return {"awq": "int4-awq", "gptq": "int4-gptq", "auto-round": "int4-gptq"}.get(method, "int4")
    if scheme.name.startswith("int8"):
        return "int8" if scheme is INT8_CHANNEL else "int8-gptq"
    return "fp8" if scheme.bits == 8 else scheme.name
