"""GGUF files: the architecture from the metadata of their header, and how each tensor is stored.

Layout and block sizes: docs/gguf.md and include/ggml.h of ggml-org/ggml. Only the header is read, never the weights.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, Final

from pydantic import BaseModel, ValidationError

from catalog.boundary import GgufCounts, GgufShape
from catalog.bounded import Unusable, regular
from catalog.errors import CatalogError
from catalog.hf_config import architecture_from_config
from catalog.schema import explain, first_error
from engine.figures.records import dataclass
from engine.figures.text import shown
from engine.model.architecture import Architecture, Tensor
from engine.model.formats import FORMATS
from engine.model.parameters import count_parameters
from engine.model.schemes import FP32, Scheme, Stored

MAGIC: Final = b"GGUF"
VERSIONS: Final = (2, 3)
# Beyond these a header is damaged: the longest known string is a chat template of some hundred kB, the longest array
# a vocabulary or its merges, some hundred thousand; the largest whole header is some 20 MiB.
LONGEST_STRING: Final = 1 << 22
LONGEST_ARRAY: Final = 1 << 21
LARGEST_HEADER: Final = 64 << 20
MOST_STRINGS: Final = 1 << 22
KEPT: Final = 1 << 13
"""Values of an array that are kept, one a layer say; of a longer one only the number is needed."""
MOST_PARTS: Final = 512

# Value types that are numbers, in struct's letters.
_NUMBERS: Final[Mapping[int, str]] = MappingProxyType(
    {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
)
# Tensor types: name, elements in a block, bytes of a block.
TENSOR_TYPES: Final[Mapping[int, tuple[str, int, int]]] = MappingProxyType(
    {
        0: ("F32", 1, 4),
        1: ("F16", 1, 2),
        2: ("Q4_0", 32, 18),
        3: ("Q4_1", 32, 20),
        6: ("Q5_0", 32, 22),
        7: ("Q5_1", 32, 24),
        8: ("Q8_0", 32, 34),
        9: ("Q8_1", 32, 36),
        10: ("Q2_K", 256, 84),
        11: ("Q3_K", 256, 110),
        12: ("Q4_K", 256, 144),
        13: ("Q5_K", 256, 176),
        14: ("Q6_K", 256, 210),
        15: ("Q8_K", 256, 292),
        16: ("IQ2_XXS", 256, 66),
        17: ("IQ2_XS", 256, 74),
        18: ("IQ3_XXS", 256, 98),
        19: ("IQ1_S", 256, 50),
        20: ("IQ4_NL", 32, 18),
        21: ("IQ3_S", 256, 110),
        22: ("IQ2_S", 256, 82),
        23: ("IQ4_XS", 256, 136),
        24: ("I8", 1, 1),
        25: ("I16", 1, 2),
        26: ("I32", 1, 4),
        27: ("I64", 1, 8),
        28: ("F64", 1, 8),
        29: ("IQ1_M", 256, 56),
        30: ("BF16", 1, 2),
        34: ("TQ1_0", 256, 54),
        35: ("TQ2_0", 256, 66),
        39: ("MXFP4", 32, 17),
    }
)

# The weight format of `engine.model.formats` nearest to what most of a file's elements are stored in.
_FORMATS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "F32": "bf16",
        "F16": "fp16",
        "BF16": "bf16",
        "Q2_K": "gguf-q2_k",
        "Q3_K": "gguf-q3_k_m",
        "Q4_0": "gguf-q4_0",
        "Q4_1": "gguf-q4_1",
        "IQ4_NL": "gguf-iq4_nl",
        "IQ4_XS": "gguf-iq4_xs",
        "Q4_K": "gguf-q4_k_m",
        "Q5_0": "gguf-q5_0",
        "Q5_1": "gguf-q5_1",
        "Q5_K": "gguf-q5_k_m",
        "Q6_K": "gguf-q6_k",
        "Q8_0": "gguf-q8_0",
        "MXFP4": "gguf-mxfp4",
    }
)

# general.architecture in llama.cpp's words -> model_type in transformers'. One that is not here is tried as it is.
_MODEL_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "command-r": "cohere",
        "deepseek": "deepseek",
        "deepseek2": "deepseek_v2",
        "ernie4_5-moe": "ernie4_5_moe",
        "exaone-moe": "exaone_moe",
        "falcon-h1": "falcon_h1",
        "gemma3": "gemma3_text",
        "glm4moe": "glm4_moe",
        "gpt-oss": "gpt_oss",
        "gptneox": "gpt_neox",
        "granitehybrid": "granitemoehybrid",
        "granitemoe": "granitemoe",
        "hunyuan-dense": "hunyuan_v1_dense",
        "hunyuan-moe": "hunyuan_v1_moe",
        "lfm2moe": "lfm2_moe",
        "llama4": "llama4_text",
        "minimax-m2": "minimax_m2",
        "phi2": "phi",
        "qwen2moe": "qwen2_moe",
        "qwen2vl": "qwen2",
        "qwen3moe": "qwen3_moe",
        "qwen3next": "qwen3_next",
        "qwen3vl": "qwen3",
        "qwen3vlmoe": "qwen3_moe",
    }
)

# Config key -> key under the architecture's prefix.
_KEYS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "hidden_size": "embedding_length",
        "num_hidden_layers": "block_count",
        "intermediate_size": "feed_forward_length",
        "num_attention_heads": "attention.head_count",
        "num_key_value_heads": "attention.head_count_kv",
        "head_dim": "attention.key_length",
        "v_head_dim": "attention.value_length",
        "max_position_embeddings": "context_length",
        "sliding_window": "attention.sliding_window",
        "num_experts": "expert_count",
        "num_experts_per_tok": "expert_used_count",
        "moe_intermediate_size": "expert_feed_forward_length",
        "n_shared_experts": "expert_shared_count",
        "shared_expert_intermediate_size": "expert_shared_feed_forward_length",
        "first_k_dense_replace": "leading_dense_block_count",
        "interleave_moe_layer_step": "interleave_moe_layer_step",
        "q_lora_rank": "attention.q_lora_rank",
        "kv_lora_rank": "attention.kv_lora_rank",
        "qk_rope_head_dim": "rope.dimension_count",
        "conv_L_cache": "shortconv.l_cache",
        "num_nextn_predict_layers": "nextn_predict_layers",
    }
)


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """One tensor of the file: its shape (inputs first, as GGUF writes it) and its storage type."""

    name: str
    shape: tuple[int, ...]
    type_name: str
    size_bytes: int

    @property
    def elements(self) -> int:
        """Number of values."""
        count = 1
        for side in self.shape:
            count *= side
        return count


@dataclass(frozen=True, slots=True)
class GgufModel:
    """What a GGUF file says. weights: the nearest format id of `engine.model.formats`; mix: elements by storage type."""

    name: str
    architecture: Architecture
    tensors: tuple[GgufTensor, ...]
    weights: str
    mix: Mapping[str, int]

    @property
    def parameters(self) -> int:
        """Values in all tensors."""
        return sum(tensor.elements for tensor in self.tensors)

    @property
    def weight_bytes(self) -> int:
        """Bytes of all tensors."""
        return sum(tensor.size_bytes for tensor in self.tensors)

    @property
    def bits_per_weight(self) -> float:
        """Mean bits a value over the whole file, scales included."""
        return 8 * self.weight_bytes / max(1, self.parameters)


@dataclass(frozen=True, slots=True)
class Skipped:
    """An array of the metadata that nothing here needs but for its length: a vocabulary, its scores, its merges."""

    length: int


def _check(model: type[BaseModel], values: Mapping[str, Any], where: str, key: str = "") -> None:
    """Raise CatalogError when numbers of a header are not within the limits of `catalog.boundary`."""
    try:
        model.model_validate(values)
    except ValidationError as problem:
        name, reason = explain(first_error(problem), values)
        raise CatalogError(where, key, f"{name}: {reason}: the header is damaged") from None


class _Header:
    """A reader over the header of one file; every failure is a CatalogError that names it."""

    def __init__(self, stream: BinaryIO, where: str) -> None:
        self.stream = stream
        self.where = where
        self.left = LARGEST_HEADER
        self.strings = MOST_STRINGS

    def bytes(self, count: int) -> bytes:
        self.left -= count
        if self.left < 0:
            size = LARGEST_HEADER >> 20
            raise CatalogError(self.where, "", f"has a header of more than {size} MiB: the file is damaged")
        data = self.stream.read(count)
        if len(data) != count:
            raise CatalogError(self.where, "", "ends inside its header: the file is cut short")
        return data

    def number(self, code: str) -> Any:
        return struct.unpack("<" + code, self.bytes(struct.calcsize(code)))[0]

    def text(self) -> str:
        length = self.number("Q")
        if length > LONGEST_STRING:
            raise CatalogError(self.where, "", f"holds a string of {length} bytes: the header is damaged")
        self.strings -= 1
        if self.strings < 0:
            raise CatalogError(self.where, "", f"holds more than {MOST_STRINGS:,} strings: the header is damaged")
        return self.bytes(length).decode("utf-8", errors="replace")

    def value(self, kind: int, key: str) -> Any:
        if kind in _NUMBERS:
            return self.number(_NUMBERS[kind])
        if kind == 8:
            return self.text()
        if kind != 9:
            raise CatalogError(self.where, key, f"has the unknown value type {kind}")
        inner, count = self.number("I"), self.number("Q")
        if count > LONGEST_ARRAY or inner == 9:
            raise CatalogError(self.where, key, f"is an array of {count}: the header is damaged")
        if inner in _NUMBERS:
            form = f"<{count}{_NUMBERS[inner]}"
            data = self.bytes(struct.calcsize(form))
            return list(struct.unpack(form, data)) if count <= KEPT else Skipped(count)
        if inner != 8:
            raise CatalogError(self.where, key, f"holds values of the unknown type {inner}")
        for _ in range(count):
            self.text()
        return Skipped(count)

    def tensor(self) -> GgufTensor:
        name, sides = self.text(), self.number("I")
        if sides > 4:
            raise CatalogError(self.where, name, f"has {sides} dimensions: the header is damaged")
        shape = tuple(self.number("Q") for _ in range(sides))
        _check(GgufShape, {"name": name, "shape": shape}, self.where, name)
        kind, _offset = self.number("I"), self.number("Q")
        if kind not in TENSOR_TYPES:
            raise CatalogError(self.where, name, f"has the unknown storage type {kind}")
        type_name, block, block_bytes = TENSOR_TYPES[kind]
        elements = 1
        for side in shape:
            elements *= side
        return GgufTensor(name, shape, type_name, elements // block * block_bytes)


def read_gguf(path: Path | str) -> GgufModel:
    """Read the header of a GGUF file, of every part when it is split.

    Raises CatalogError naming the file, and the key or tensor when one is at fault: not a GGUF file, cut short, a
    part missing, a key missing, or tensors that do not add up to the architecture that the keys describe.
    """
    return _read(Path(path))


@lru_cache(maxsize=64)
def _read(path: Path) -> GgufModel:
    metadata, tensors = _header(path)
    parts = metadata.get("split.count", 1)
    if isinstance(parts, int) and not isinstance(parts, bool) and parts > 1:
        if parts > MOST_PARTS:
            raise CatalogError(str(path), "split.count", f"says {shown(parts)} parts; allowed: up to {MOST_PARTS}")
        tensors = [tensor for part in _parts(path, parts) for tensor in _header(part)[1]]
    where = str(path)
    config = config_from_gguf(metadata, tensors, where)
    architecture = architecture_from_config(config, where)
    held = sum(tensor.elements for tensor in tensors)
    counted = count_parameters(architecture).total
    # The file may add small helper tensors (rope_freqs) or prediction layers, never a tenth of a model.
    if not 0.98 * counted <= held <= 1.1 * counted:
        reason = (
            f"{held} values, but the keys describe a model of {counted}: this architecture is not known well enough"
        )
        raise CatalogError(where, "tensors", reason)
    mix: dict[str, int] = {}
    for tensor in tensors:
        mix[tensor.type_name] = mix.get(tensor.type_name, 0) + tensor.elements
    widest = max(mix, key=lambda name: mix[name])
    weights = _FORMATS.get(widest, f"gguf-{widest.lower()}")
    if weights not in FORMATS:
        raise CatalogError(where, "tensors", f"most are stored in {widest}, which no weight format has")
    architecture = replace(
        architecture, checkpoint_format=weights, stored=_stored(architecture, tensors, _scheme(widest))
    )
    name = metadata.get("general.name")
    return GgufModel(
        name=name if isinstance(name, str) and name else path.stem,
        architecture=architecture,
        tensors=tuple(tensors),
        weights=weights,
        mix=MappingProxyType(mix),
    )


# Tensors as llama.cpp names them (gguf-py/gguf/constants.py), by the names that `catalog.hf` gives them.
_TENSORS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "embed_tokens": "token_embd",
        "embed_tokens_per_layer": "per_layer_token_embd",
        "lm_head": "output",
        "q_proj": "attn_q",
        "k_proj": "attn_k",
        "v_proj": "attn_v",
        "o_proj": "attn_output",
        "q_a_proj": "attn_q_a",
        "q_b_proj": "attn_q_b",
        "kv_a_proj": "attn_kv_a_mqa",
        "kv_b_proj": "attn_kv_b",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
        "experts.gate_proj": "ffn_gate_exps",
        "experts.up_proj": "ffn_up_exps",
        "experts.down_proj": "ffn_down_exps",
        "shared_expert.gate_proj": "ffn_gate_shexp",
        "shared_expert.up_proj": "ffn_up_shexp",
        "shared_expert.down_proj": "ffn_down_shexp",
        "router": "ffn_gate_inp",
        "out_proj": "ssm_out",
    }
)


def _scheme(type_name: str) -> Scheme:
    """The scheme of a storage type: whole bits an element, and what its block holds beside them."""
    block, size = next((block, size) for name, block, size in TENSOR_TYPES.values() if name == type_name)
    bits = 8 * size // block
    return Scheme(type_name.lower(), bits, size - block * bits // 8, 1, block if block > 1 else 0)


def _stored(arch: Architecture, tensors: list[GgufTensor], usual: Scheme) -> Stored:
    """Each tensor in the type that the file has it in; one that the file calls otherwise in the usual type."""
    types = {tensor.name.removesuffix(".weight"): tensor.type_name for tensor in tensors}

    def listed(made: tuple[Tensor, ...], prefix: str) -> tuple[tuple[str, Scheme], ...]:
        found: dict[str, Scheme] = {}
        for tensor in made:
            name = f"{prefix}{_TENSORS.get(tensor.name, tensor.name)}"
            fused = f"{prefix}attn_qkv" if tensor.part == "attention" else name
            known = types.get(name) or types.get(fused)
            if known is not None:
                found[tensor.name] = _scheme(known)
            else:
                found[tensor.name] = usual if tensor.is_matrix else FP32
        return tuple(found.items())

    kinds: dict[tuple[tuple[str, Scheme], ...], int] = {}
    layers = tuple(
        kinds.setdefault(listed(layer.tensors, f"blk.{index}."), len(kinds)) for index, layer in enumerate(arch.layers)
    )
    return Stored(listed(arch.embedding + arch.head + arch.towers + arch.mtp, ""), layers, tuple(kinds))


def _header(path: Path) -> tuple[dict[str, Any], list[GgufTensor]]:
    where = str(path)
    try:
        regular(path)
    except Unusable as problem:
        raise CatalogError(where, "", str(problem)) from None
    try:
        with path.open("rb") as stream:
            header = _Header(stream, where)
            if stream.read(4) != MAGIC:
                raise CatalogError(where, "", "is not a GGUF file")
            version = header.number("I")
            if version not in VERSIONS:
                raise CatalogError(where, "", f"is GGUF version {version}; known: {VERSIONS[0]} and {VERSIONS[1]}")
            tensors, pairs = header.number("Q"), header.number("Q")
            _check(GgufCounts, {"version": version, "tensors": tensors, "pairs": pairs}, where)
            metadata: dict[str, Any] = {}
            for _ in range(pairs):
                key = header.text()
                metadata[key] = header.value(header.number("I"), key)
            return metadata, [header.tensor() for _ in range(tensors)]
    except OSError as error:
        raise CatalogError(where, "", f"cannot be read: {error.strerror or error}") from error


def _parts(path: Path, count: int) -> list[Path]:
    """The files of a split model, which llama.cpp names NAME-00001-of-00003.gguf."""
    match = re.fullmatch(r"(.*)-\d{5}-of-\d{5}", path.stem)
    if match is None:
        raise CatalogError(str(path), "split.count", f"says {count} parts, but the file is not named as one of them")
    found = [path.with_name(f"{match.group(1)}-{number:05}-of-{count:05}.gguf") for number in range(1, count + 1)]
    for part in found:
        if not part.is_file():
            raise CatalogError(str(path), "split.count", f"says {count} parts; {part.name} is not beside this one")
    return found


def config_from_gguf(metadata: Mapping[str, Any], tensors: list[GgufTensor], where: str) -> dict[str, Any]:
    """The keys of a config.json that this metadata stands for."""
    kind = metadata.get("general.architecture")
    if not isinstance(kind, str):
        raise CatalogError(where, "general.architecture", "is missing, and nothing can be sized without it")
    shapes = {tensor.name: tensor.shape for tensor in tensors}
    config: dict[str, Any] = {"model_type": _model_type(kind, metadata)}
    for key, suffix in _KEYS.items():
        value = metadata.get(f"{kind}.{suffix}")
        if value is not None:
            config[key] = value
    config["vocab_size"] = _vocabulary(kind, metadata, shapes, where)
    config["tie_word_embeddings"] = "output.weight" not in shapes
    config["attention_bias"] = "blk.0.attn_q.bias" in shapes
    if config.get("expert_count", config.get("num_experts")) == 0:
        config.pop("num_experts", None)
    if kind == "deepseek2":
        _latent_keys(kind, metadata, config)
    elif kind in ("gpt-oss", "gemma3", "llama4", "glm4moe"):
        config.pop("v_head_dim", None)
    return config


def _model_type(kind: str, metadata: Mapping[str, Any]) -> str:
    if kind == "llama" and metadata.get("llama.expert_count"):
        return "mixtral"
    if kind == "deepseek2" and metadata.get("deepseek2.expert_gating_func") == 2:
        return "deepseek_v3"  # sigmoid gating: V3 and its kin
    return _MODEL_TYPES.get(kind, kind)


def _vocabulary(kind: str, metadata: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], where: str) -> int:
    table = shapes.get("token_embd.weight")
    if table is not None and len(table) == 2:
        return table[1]
    size = metadata.get(f"{kind}.vocab_size")
    tokens = metadata.get("tokenizer.ggml.tokens")
    if isinstance(size, int):
        return size
    if isinstance(tokens, Skipped):
        return tokens.length
    raise CatalogError(where, f"{kind}.vocab_size", "is missing, and there is no token table")


def _latent_keys(kind: str, metadata: Mapping[str, Any], config: dict[str, Any]) -> None:
    """Newer files give the widths of a head before compression under `_mla`, older ones under the plain names."""
    key = metadata.get(f"{kind}.attention.key_length_mla", metadata.get(f"{kind}.attention.key_length"))
    value = metadata.get(f"{kind}.attention.value_length_mla", metadata.get(f"{kind}.attention.value_length"))
    rope = config.get("qk_rope_head_dim")
    if isinstance(key, int) and isinstance(rope, int):
        config["qk_nope_head_dim"] = key - rope
    if isinstance(value, int):
        config["v_head_dim"] = value
    config.setdefault("q_lora_rank", None)
