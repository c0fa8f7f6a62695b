"""Which layer does what: the many ways in which configs spell a pattern over layers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal

from catalog.hf.families import Family
from catalog.hf.reader import Config

MixerKind = Literal["full", "sliding", "chunked", "linear", "conv", "none"]
FfnKind = Literal["dense", "moe", "none"]

_MIXER_NAMES: Final[Mapping[str, MixerKind]] = MappingProxyType(
    {
        "full_attention": "full",
        "attention": "full",
        "global": "full",
        "global_attention": "full",
        "hybrid": "full",
        "deepseek_sparse_attention": "full",
        "qwen_sparse_attention": "full",
        "hybrid_indexed": "full",
        "indexed_attention": "full",
        "compressed_sparse_attention": "full",
        "heavily_compressed_attention": "full",
        "sliding_attention": "sliding",
        "sliding_window": "sliding",
        "local_attention": "sliding",
        "local": "sliding",
        "chunked_attention": "chunked",
        "linear_attention": "linear",
        "mamba": "linear",
        "mamba2": "linear",
        "recurrent": "linear",
        "conv": "conv",
        "moe": "none",
        "mlp": "none",
    }
)


# The deepest published model has 126 layers; a number far beyond is damage, and would only fill memory.
MOST_LAYERS: Final = 4096


def layer_count(config: Config) -> int:
    """How many layers the model has."""
    layers = config.positive("num_hidden_layers")
    if layers > MOST_LAYERS:
        raise config.error("num_hidden_layers", f"must be at most {MOST_LAYERS}, is {layers}")
    return layers


def mixer_kinds(config: Config, family: Family) -> list[MixerKind]:
    """The mixer of each layer, windows that never bind already taken as full attention."""
    layers = layer_count(config)
    kinds = _spelled_out(config, layers) or _implied(config, family, layers)
    if len(kinds) != layers:
        raise config.error("num_hidden_layers", f"is {layers}, but the layer pattern lists {len(kinds)} layers")
    return [_bound(config, kind) for kind in kinds]


def window_of(config: Config, kind: MixerKind) -> int:
    """Tokens that a layer of this kind sees; 0 for all."""
    if kind == "sliding":
        return config.integer("sliding_window", 0) or (
            config.integer("window_size", 0) if config.has("attention_layers") else 0
        )
    if kind == "chunked":
        return config.integer("attention_chunk_size", 0)
    return 0


def _bound(config: Config, kind: MixerKind) -> MixerKind:
    """A window that is absent, or at least as long as the longest position, is full attention."""
    if kind not in ("sliding", "chunked"):
        return kind
    window = window_of(config, kind)
    longest = config.integer("max_position_embeddings", 0)
    return "full" if not window or (longest and window >= longest) else kind


def _spelled_out(config: Config, layers: int) -> list[MixerKind] | None:
    """A pattern that lists every layer."""
    for key in ("layer_types", "layers_block_type", "attention_layers"):
        names = config.items(key)
        if names is not None:
            if config.raw("use_sliding_window") is False:
                names = ["full_attention" if name == "sliding_attention" else name for name in names]
            return [_named(config, key, name) for name in names[:layers]]
    pattern = config.text("hybrid_override_pattern")
    if pattern:
        letters: Mapping[str, MixerKind] = {"M": "linear", "*": "full", "-": "none", "E": "none"}
        return [_letter(config, "hybrid_override_pattern", letters, letter) for letter in pattern]
    switches = config.integers("hybrid_layer_pattern")  # MiMo: 1 for a layer with a window
    if switches is not None:
        return ["sliding" if item else "full" for item in switches]
    types = config.integers("attn_type_list")
    if types is not None:
        if len(types) != layers:
            raise config.error("attn_type_list", f"lists {len(types)} of the {layers} layers")
        return ["full" if item == 1 else "linear" for item in types]
    return None


def _named(config: Config, key: str, name: Any) -> MixerKind:
    if not isinstance(name, str) or name not in _MIXER_NAMES:
        raise config.error(key, f"holds {name!r}; known: {', '.join(sorted(_MIXER_NAMES))}")
    return _MIXER_NAMES[name]


def _letter(config: Config, key: str, letters: Mapping[str, MixerKind], letter: str) -> MixerKind:
    if letter not in letters:
        raise config.error(key, f"holds {letter!r}; known: {' '.join(letters)}")
    return letters[letter]


def _implied(config: Config, family: Family, layers: int) -> list[MixerKind]:
    """A pattern that follows from a period, an offset or the class."""
    indices = config.integers("attn_layer_indices")
    if indices is not None:
        return ["full" if index in indices else "linear" for index in range(layers)]
    if family.recurrent != "none" and not config.has("attn_layer_period") and not config.has("full_attention_interval"):
        return ["linear"] * layers
    period = config.integer("full_attention_interval", 0)
    if period:
        return ["full" if (index + 1) % period == 0 else "linear" for index in range(layers)]
    period = config.integer("attn_layer_period", 0)
    if period:
        offset = config.integer("attn_layer_offset", 0)
        return ["full" if index % period == offset else "linear" for index in range(layers)]
    if config.raw("use_sliding_window") is False:
        return ["full"] * layers
    if config.raw("use_sliding_window") is True and config.has("max_window_layers"):
        first = config.integer("max_window_layers", layers)
        return ["full" if index < first else "sliding" for index in range(layers)]
    repeating = _repeating_pattern(config, family, layers)
    if repeating:
        return [repeating[index % len(repeating)] for index in range(layers)]
    return ["sliding" if config.has("sliding_window") else "full"] * layers


def _repeating_pattern(config: Config, family: Family, layers: int) -> list[MixerKind]:
    """One period of windows and full layers: a number (the last of each N is full), letters (L, G), or the class's."""
    value = config.raw("sliding_window_pattern")
    if isinstance(value, str):
        letters: Mapping[str, MixerKind] = {"L": "sliding", "G": "full"}
        return [_letter(config, "sliding_window_pattern", letters, letter) for letter in value]
    if value is not None:
        period = config.positive("sliding_window_pattern")
        local: list[MixerKind] = ["sliding"] * min(period - 1, layers)
        return [*local, "full"]
    return [_named_kind(name) for name in family.implicit_pattern.split()]


def _named_kind(name: str) -> MixerKind:
    kinds: Mapping[str, MixerKind] = {"sliding": "sliding", "chunked": "chunked", "full": "full"}
    return kinds[name]


def ffn_kinds(config: Config) -> list[FfnKind]:
    """The feed-forward of each layer."""
    layers = layer_count(config)
    kinds = _ffn_pattern(config, layers)
    if len(kinds) != layers:
        raise config.error("num_hidden_layers", f"is {layers}, but the feed-forward pattern lists {len(kinds)}")
    return kinds


def _ffn_pattern(config: Config, layers: int) -> list[FfnKind]:
    named = config.items("mlp_layer_types")
    if named is not None:
        return ["moe" if name in ("sparse", "moe", "hash_moe") else "dense" for name in named[:layers]]
    blocks = config.items("layers_block_type")
    if blocks is not None and {"moe", "mlp"} & {name for name in blocks if isinstance(name, str)}:
        only: Mapping[Any, FfnKind] = {"moe": "moe", "mlp": "dense"}
        return [only.get(name, "none") for name in blocks]
    pattern = config.text("hybrid_override_pattern")
    if pattern:
        letters: Mapping[str, FfnKind] = {"M": "none", "*": "none", "-": "dense", "E": "moe"}
        return [letters.get(letter, "none") for letter in pattern]
    if config.integer("experts", 0) < 2:
        return ["dense"] * layers
    listed = config.integers("moe_layers")
    if listed:
        return ["moe" if index in listed else "dense" for index in range(layers)]
    frequency = config.integers("moe_layer_freq") if isinstance(config.raw("moe_layer_freq"), list) else None
    if frequency is not None:
        if len(frequency) != layers:
            raise config.error("moe_layer_freq", f"lists {len(frequency)} of the {layers} layers")
        return ["moe" if item else "dense" for item in frequency]
    return ["moe" if _is_moe(config, index, layers) else "dense" for index in range(layers)]


def _is_moe(config: Config, index: int, layers: int) -> bool:
    if index < config.integer("first_dense_layers", 0):
        return False
    if index in (config.integers("mlp_only_layers") or ()):
        return False
    for key in ("decoder_sparse_step", "interleave_moe_layer_step"):
        step = config.integer(key, 0)
        if step and (index + 1) % step:
            return False
    step = config.integer("moe_layer_freq", 0)
    if step and index % step:
        return False
    period = config.integer("expert_layer_period", 0)
    if period and index % period != config.integer("expert_layer_offset", 0):
        return False
    start, end = config.integer("moe_layer_start_index", 0), config.integer("moe_layer_end_index", layers - 1)
    interval = config.integer("moe_layer_interval", 0)
    return not interval or (start <= index <= end and (index + 1) % interval == 0)
