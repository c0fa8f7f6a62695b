"""Typed reads of a config.json under the many names that its keys go by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar, overload

from catalog.errors import CatalogError
from engine.figures.text import shown

T = TypeVar("T")

# The canonical name first; the others are what published configs of other authors call the same thing.
ALIASES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "hidden_size": ("hidden_size", "n_embd", "d_model", "dim", "model_dim"),
        "num_hidden_layers": ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "num_transformer_layers"),
        "num_attention_heads": ("num_attention_heads", "n_head", "n_heads", "num_heads"),
        "num_key_value_heads": (
            "num_key_value_heads",
            "num_kv_heads",
            "n_head_kv",
            "n_kv_heads",
            "kv_n_heads",
            "num_attention_groups",
        ),
        "intermediate_size": ("intermediate_size", "ffn_dim", "n_inner", "ffn_hidden_size", "hidden_dim"),
        "vocab_size": ("vocab_size", "padded_vocab_size"),
        "max_position_embeddings": (
            "max_position_embeddings",
            "n_positions",
            "max_seq_len",
            "seq_length",
            "max_sequence_length",
            "model_max_length",
        ),
        "experts": (
            "n_routed_experts",
            "num_local_experts",
            "num_experts",
            "moe_num_experts",
            "num_routed_experts",
            "n_experts",
            "num_moe_experts",
        ),
        "experts_per_token": (
            "num_experts_per_tok",
            "num_experts_per_token",
            "top_k_experts",
            "experts_per_token",
            "moe_topk",
            "moe_k",
            "moe_top_k",
        ),
        "expert_intermediate_size": ("moe_intermediate_size", "expert_ffn_hidden_size", "moe_ffn_hidden_size"),
        "shared_experts": ("n_shared_experts", "num_shared_experts", "num_shared_expert", "moe_num_shared_experts"),
        "shared_expert_intermediate_size": (
            "shared_expert_intermediate_size",
            "moe_shared_expert_intermediate_size",
            "shared_intermediate_size",
            "share_expert_dim",
        ),
        "first_dense_layers": ("first_k_dense_replace", "num_dense_layers", "n_dense_layers"),
        "mtp_layers": ("num_nextn_predict_layers", "mtp_num_hidden_layers", "num_mtp_modules", "mtp_num_layers"),
        "head_dim": ("head_dim", "attention_head_dim"),
        "hidden_act": ("hidden_act", "hidden_activation", "activation_function", "mlp_hidden_act"),
        "sliding_window_pattern": ("sliding_window_pattern", "_sliding_window_pattern"),
        "chunk_size": ("attention_chunk_size", "chunk_size"),
    }
)

# A count beyond this is a damaged file, not a model: the largest vocabularies are below 2**19, the widest layers below 2**17.
LARGEST_COUNT: Final = 1 << 31

_REQUIRED: Final = object()
_SWITCHES: Final = re.compile(
    r"gate|gating|double|share|cross|latent|memory|expert|moe|mlp|index|sparse|hyper|gram|conv|state|tower|window|loop|recur"
)
"""Words in the names of switches that decide tensors or caches."""
_PATTERNS: Final = re.compile(r"pattern|type|layout|block|order|layer|enum|schedule")
"""Words in the names of texts that say which layer is what."""
_HARMLESS: Final = re.compile(
    r"token_id|_token$|token_index|dropout|drop$|norm(?!.*(?:layers|types))|init|rope|rotary|router_(?!.*(?:rank|dim))|loss|scal|(?<!st)eps|_cls|"
    r"classifier|dtype|aux|bias|logit|capping|limit|"
    r"chunk_size|batch|torch|problem|label|return_|output_(?!gate)|tie_|use_cache|pretraining|seq|position|n_group|topk_group|"
    r"norm_topk|topk_method|transformers|vision|image|video|audio|vision_|capacity|pruned|max_window_layers|attn_impl|quant|ep_size|"
    r"moe_layer_freq|_freq$|patch|adapter|architectures|auto_map|length|beam|penalty|^top_[kp]$|multiplier|jitter|time_step|"
    r"activation|_act$|kernels|mambapy|fp32|ngram_size|prefix|temperature|sinkhorn|n_ctx|scan|version|name|overlap|theta|"
    r"sparsity|partial_|clip|implementation|generation|template|^task"
)
"""Words in names of keys that decide neither: training, numerics, generation, towers, which are read apart."""


_IDLE: Final = frozenset(
    [
        "hidden_act",
        "qk_head_dim",
        "head_dim",
        "intermediate_size",
        "intermediate_size_mlp",
        "sliding_window",
        "word_embed_proj_dim",
        "layer_switch",
        "order_of_interleaved_layers",
        "time_step_rank",
        "vocab_size_per_layer_input",
        "mtp_hybrid_override_pattern",
        "mtp_layers_block_type",
        "expand",
        "mamba_expand",
        "mamba_d_ssm",
        "dim_model_base",
        "index_share_for_mtp_iteration",
        "use_gated_activation",
        "use_embedding_sharing",
        "num_kv_heads",
        "window_size",
        "conv_L_cache",
        "projection_dim",
        "projection_hidden_size",
    ]
)
"""Keys that decide nothing in the models that leave them unread: names of functions, widths of layers that there are none of,
windows that a switch turns off."""
_RESTATED: Final[Mapping[str, str]] = {
    "full_attention_interval": "layer_types",
    "global_attn_every_n_layers": "layer_types",
    "sliding_window_pattern": "layer_types",
    "_sliding_window_pattern": "layer_types",
    "prefix_dense_sliding_window_pattern": "layer_types",
    "attention_types": "attention_layers",
    "first_k_dense_replace": "mlp_layer_types",
    "mlp_only_layers": "mlp_layer_types",
}
"""Keys that say once more what another key of the same file says for every layer."""
_WIDTHS: Final = frozenset(["hidden_size", "d_model", "width", "embed_dim", "hidden_dim"])
_DEPTHS: Final = frozenset(["num_hidden_layers", "encoder_layers", "depth", "layers", "num_layers", "n_layers"])


def _says_something(key: str, value: Any) -> bool:
    """Whether a value could change what is built: a number above 1, a switch, a list or pattern of several, an object with one."""
    if isinstance(value, bool):
        return value and bool(_SWITCHES.search(key))
    if isinstance(value, int):
        return value > 1
    if isinstance(value, str):
        return len(value) > 1 and bool(_PATTERNS.search(key)) and (not value.isalpha() or value.isupper())
    if isinstance(value, Mapping):
        inner = ((name, item) for name, item in value.items() if not isinstance(item, str))
        return any(not _HARMLESS.search(name) and _says_something(name, item) for name, item in inner)
    return isinstance(value, list | tuple) and len(value) > 1 and not all(isinstance(item, float) for item in value)


def _is_tower(value: Any) -> bool:
    return isinstance(value, Mapping) and not _WIDTHS.isdisjoint(value) and not _DEPTHS.isdisjoint(value)


class Config:
    """One JSON object of a config, read by canonical key.

    A key that is absent takes the class default of the family; a key that is an explicit null has none, so
    the caller's own default (or an error naming file and key) applies.
    """

    __slots__ = ("data", "defaults", "path", "read", "where")

    def __init__(
        self,
        data: Mapping[str, Any],
        where: str,
        path: str = "",
        defaults: Mapping[str, Any] | None = None,
        read: set[str] | None = None,
    ) -> None:
        self.data = data
        self.where = where
        self.path = path
        self.defaults: Mapping[str, Any] = defaults if defaults is not None else {}
        self.read = read if read is not None else set()

    def with_defaults(self, defaults: Mapping[str, Any]) -> Config:
        """The same object where `defaults` speak for the keys it leaves out."""
        return Config(self.data, self.where, self.path, {**defaults, **self.defaults}, self.read)

    def error(self, key: str, reason: str) -> CatalogError:
        """An error about one key of this object, under the name that the file has for it."""
        name = next((name for name in ALIASES.get(key, ()) if name in self.data), key)
        return CatalogError(self.where, f"{self.path}{name}", reason)

    def has(self, key: str) -> bool:
        """Whether the key is there, under any of its names, with a value that is not null."""
        return self._find(key)[1] not in (None, _REQUIRED)

    def mentions(self, key: str) -> bool:
        """Whether the file itself has the key, even as null."""
        names = ALIASES.get(key, (key,))
        self.read.update(names)
        return any(name in self.data for name in names)

    def unread(self) -> tuple[str, ...]:
        """Keys of this object that say how a model is built and that nobody has asked for, in order.

        A key counts unless its name is known to decide nothing; an object with a width and a depth of its own always does.
        """
        return tuple(
            key
            for key, value in self.data.items()
            if key not in self.read
            and (
                _is_tower(value)
                or (
                    key not in _IDLE
                    and _RESTATED.get(key) not in self.data
                    and not _HARMLESS.search(key)
                    and _says_something(key, self._not_raised(key, value))
                )
            )
        )

    def _not_raised(self, key: str, value: Any) -> Any:
        """MPT's and DBRX's objects without the keys that this one has, too: those were raised from them."""
        if key not in ("attn_config", "ffn_config") or not isinstance(value, Mapping):
            return value
        return {name: item for name, item in value.items() if name not in self.data}

    def _find(self, key: str) -> tuple[str, Any]:
        names = ALIASES.get(key, (key,))
        self.read.update(names)
        null = ""
        for name in names:
            if name in self.data:
                if self.data[name] is not None:
                    return name, self.data[name]
                null = null or name
        if null:
            return null, None
        for name in names:
            if name in self.defaults:
                return name, self.defaults[name]
        return names[0], _REQUIRED

    @overload
    def integer(self, key: str) -> int: ...
    @overload
    def integer(self, key: str, default: T) -> int | T: ...
    def integer(self, key: str, default: Any = _REQUIRED) -> Any:
        """A whole number of at least 0. Raises CatalogError when it is missing, or is not one."""
        name, value = self._find(key)
        if value is None or value is _REQUIRED:
            if default is not _REQUIRED:
                return default
            raise self.error(name, "is missing, and this model cannot be sized without it")
        if isinstance(value, list) and value and all(item == value[0] for item in value):
            layers = self.data.get("num_hidden_layers")
            if isinstance(layers, int) and name != "num_hidden_layers" and 1 < len(value) < layers:
                raise self.error(name, f"lists {len(value)} values for {layers} layers")
            value = value[0]  # one value for every layer
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.error(name, f"must be a whole number, is {shown(value)}")
        if not 0 <= value <= LARGEST_COUNT:
            raise self.error(name, f"must be between 0 and {LARGEST_COUNT}, is {shown(value)}")
        return value

    def positive(self, key: str, default: int | None = None) -> int:
        """A whole number of at least 1."""
        value = self.integer(key) if default is None else self.integer(key, default)
        if value < 1:
            raise self.error(self._find(key)[0], f"must be at least 1, is {value}")
        return value

    def number(self, key: str, default: float) -> float:
        """A number above 0, whole or not."""
        name, value = self._find(key)
        if value is None or value is _REQUIRED:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error(name, f"must be a number, is {shown(value)}")
        if not 0 < value <= LARGEST_COUNT:  # false for NaN too
            raise self.error(name, f"must be above 0 and finite, is {shown(value)}")
        return float(value)

    def flag(self, key: str, default: bool = False) -> bool:
        """True or false."""
        name, value = self._find(key)
        if value is None or value is _REQUIRED:
            return default
        if not isinstance(value, bool):
            raise self.error(name, f"must be true or false, is {shown(value)}")
        return value

    def text(self, key: str, default: str = "") -> str:
        """A string."""
        name, value = self._find(key)
        if value is None or value is _REQUIRED:
            return default
        if not isinstance(value, str):
            raise self.error(name, f"must be text, is {shown(value)}")
        return value

    def items(self, key: str) -> list[Any] | None:
        """A list, or None when the key is absent or null."""
        name, value = self._find(key)
        if value is None or value is _REQUIRED:
            return None
        if not isinstance(value, list | tuple):
            raise self.error(name, f"must be a list, is {shown(value)}")
        return list(value)

    def integers(self, key: str, length: int | None = None) -> list[int] | None:
        """A list of whole numbers, of this length when one is given; None when the key is absent or null."""
        items = self.items(key)
        if items is None:
            return None
        name = self._find(key)[0]
        for item in items:
            if isinstance(item, bool) or not isinstance(item, int) or not 0 <= item <= LARGEST_COUNT:
                raise self.error(name, f"must hold whole numbers, holds {shown(item)}")
        if length is not None and len(items) != length:
            raise self.error(name, f"must hold {length} numbers, holds {len(items)}")
        return items

    def raw(self, key: str) -> Any:
        """The value whatever its type; None when absent."""
        value = self._find(key)[1]
        return None if value is _REQUIRED else value

    def section(self, key: str, defaults: Mapping[str, Any] | None = None) -> Config:
        """The nested object `key`; an empty one when it is absent."""
        value = self.raw(key)
        if value is None:
            value = {}
        if not isinstance(value, Mapping):
            raise self.error(key, f"must be an object, is {shown(value)}")
        return Config(value, self.where, f"{self.path}{key}.", defaults, self.read)
