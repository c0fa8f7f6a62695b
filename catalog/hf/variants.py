"""Decoders whose blocks differ from the plain one in more than sizes and switches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from catalog.hf.decoder import Decoder
from catalog.hf.families import Family
from catalog.hf.feedforward import MoeShape, dense_mlp, mixture_of_experts
from catalog.hf.mixers import (
    NO_MIXER,
    AttentionShape,
    CompressedShape,
    Mixer,
    attention,
    compressed_attention,
)
from catalog.hf.patterns import FfnKind, MixerKind
from catalog.hf.reader import Config
from catalog.hf.tensors import linear, norm, vector
from engine.architecture import Layer, Tensor


class RecurrentOnly(Decoder):
    """Mamba and Mamba-2 models: blocks are a norm and a mixer, nothing else."""

    def __init__(self, config: Config, family: Family) -> None:
        super().__init__(config, family)
        self.ffns = ["none"] * len(self.mixers)


class PerBlock(Decoder):
    """Models found by architecture search (Nemotron NAS): `block_configs` gives each block its own shape.

    A block may lack its attention or its feed-forward, with the norm before it, or hold one matrix in its place.
    """

    def __init__(self, config: Config, family: Family) -> None:
        self.blocks = [item for item in config.items("block_configs") or [] if isinstance(item, Mapping)]
        if not self.blocks:
            raise config.error("block_configs", "must list the shape of each block")
        super().__init__(config, family)
        if len(self.blocks) != len(self.mixers):
            reason = f"lists {len(self.blocks)} blocks, but num_hidden_layers is {len(self.mixers)}"
            raise config.error("block_configs", reason)

    def _part(self, index: int, part: str) -> Config:
        block = Config(self.blocks[index], self.config.where, f"{self.config.path}block_configs[{index}].")
        return block.section(part)

    def _kept(self, index: int, part: str) -> bool:
        return not self._part(index, part).flag("no_op")

    def _kv_heads(self) -> int:
        return self.heads

    def mixer(self, index: int) -> Mixer:
        block = self._part(index, "attention")
        if block.flag("no_op"):
            return NO_MIXER
        if block.flag("replace_with_linear"):
            matrix = linear("attention_linear", "attention", self.hidden_size, self.hidden_size, shard="row")
            return Mixer("none", matrix)
        shape = self.attention_shape(index, "full")
        window = block.integer("window_length", 0)
        kv_heads = self.heads // block.positive("n_heads_in_group")
        return attention(replace(shape, kv_heads=kv_heads, window=window))

    def mlp_width(self, index: int) -> int:
        block = self._part(index, "ffn")
        if block.has("intermediate_size"):
            return block.positive("intermediate_size")
        wanted = int(2 * block.number("ffn_mult", 0.0) * self.hidden_size / 3)
        return -(-wanted // 256) * 256

    def feed_forward(self, index: int, kind: FfnKind) -> list[Tensor]:
        block = self._part(index, "ffn")
        if block.flag("no_op"):
            return []
        if block.flag("replace_with_linear"):
            return linear("mlp_linear", "mlp", self.hidden_size, self.hidden_size, shard="row")
        return super().feed_forward(index, kind)

    def block_norms(self, index: int) -> list[Tensor]:
        kept = [part for part in ("attention", "ffn") if self._kept(index, part)]
        return [tensor for part in kept for tensor in self._norm(f"{part}_norm")]


class Gemma4(Decoder):
    """Gemma 4: wider heads and keys that are values in global layers, per-layer embeddings, experts beside an MLP."""

    def __init__(self, config: Config, family: Family) -> None:
        super().__init__(config, family)
        if not config.flag("enable_moe_block"):
            self.experts = self.experts_per_token = self.expert_width = 0
            self.ffns = ["dense"] * len(self.mixers)
        self.per_layer_size = config.integer("hidden_size_per_layer_input", 256)
        self.first_sharing = len(self.mixers) - config.integer("num_kv_shared_layers", 0)

    def attention_shape(self, index: int, kind: MixerKind) -> AttentionShape:
        config = self.config
        shape = replace(super().attention_shape(index, kind), shares_kv=index >= self.first_sharing)
        if kind != "full":
            return shape
        dim = config.positive("global_head_dim", 512)
        same = config.flag("attention_k_eq_v")
        kv_heads = config.positive("num_global_key_value_heads", self.kv_heads) if same else self.kv_heads
        return replace(shape, head_dim=dim, v_head_dim=dim, kv_heads=kv_heads, value_is_key=same)

    def mlp_width(self, index: int) -> int:
        wide = self.config.flag("use_double_wide_mlp") and index >= self.first_sharing
        return super().mlp_width(index) * (2 if wide else 1)

    def feed_forward(self, index: int, kind: FfnKind) -> list[Tensor]:
        tensors = dense_mlp(self.hidden_size, self.mlp_width(index))
        if kind == "moe":
            tensors += mixture_of_experts(MoeShape(self.hidden_size, self.experts, self.expert_width))
            tensors += vector("router.scale", "router", self.hidden_size)
            tensors += vector("router.per_expert_scale", "router", self.experts)
        return tensors

    def extras(self, index: int) -> list[Tensor]:
        hidden, size = self.hidden_size, self.per_layer_size
        tensors = vector("layer_scalar", "other", 1)
        if self.ffns[index] == "moe":
            for name in ("post_mlp_norm", "pre_experts_norm", "post_experts_norm"):
                tensors += self._norm(name)
        if size:
            tensors += linear("per_layer_gate", "other", size, hidden)
            tensors += linear("per_layer_projection", "other", hidden, size)
            tensors += self._norm("per_layer_norm")
        return tensors

    def embedding(self) -> list[Tensor]:
        tensors, size = super().embedding(), self.per_layer_size
        if size:
            width = len(self.mixers) * size
            rows = self.config.positive("vocab_size_per_layer_input", self.vocab_size)
            tensors.append(Tensor("embed_tokens_per_layer", "other", rows, width, shard="vocab"))
            tensors += linear("per_layer_model_projection", "other", width, self.hidden_size)
            tensors += norm("per_layer_projection_norm", size)
        return tensors


class DeepseekV4(Decoder):
    """DeepSeek-V4: compressed attention, hyper-connections between blocks, hash-routed first layers."""

    def mixer(self, index: int) -> Mixer:
        config = self.config
        ratios = config.items("compress_ratios") or []
        ratio = ratios[index] if index < len(ratios) else 0
        if isinstance(ratio, bool) or not isinstance(ratio, int) or ratio < 0:
            raise config.error("compress_ratios", f"must hold whole numbers, holds {ratio!r}")
        return compressed_attention(
            CompressedShape(
                self.hidden_size,
                self.heads,
                self.head_dim,
                config.positive("q_lora_rank"),
                config.positive("o_groups"),
                config.positive("o_lora_rank"),
                config.positive("sliding_window"),
                ratio,
                config.integer("index_n_heads", 0),
                config.integer("index_head_dim", 0),
                config.integer("index_topk", 0),
            )
        )

    def feed_forward(self, index: int, kind: FfnKind) -> list[Tensor]:
        hashed = index < self.config.integer("num_hash_layers", 0)
        shape = MoeShape(
            self.hidden_size, self.experts, self.expert_width, self.shared_width, score_correction=not hashed
        )
        tensors = mixture_of_experts(shape)
        if hashed:  # a table from token to experts instead of a learned choice
            tensors.append(Tensor("router.token_to_expert", "router", self.vocab_size, self.experts_per_token))
        return tensors

    def extras(self, index: int) -> list[Tensor]:
        streams = self.config.integer("hc_mult", 0)
        mixed = (2 + streams) * streams
        made: list[Tensor] = []
        for name in ("attention", "ffn") if streams else ():
            made += linear(f"{name}_hyper_connection", "other", mixed, streams * self.hidden_size)
            made += vector(f"{name}_hyper_connection.base", "other", mixed + 3)
        return made

    def head(self, tied: bool) -> list[Tensor]:
        streams = self.config.integer("hc_mult", 0)
        made = super().head(tied)
        if streams:
            made += linear("head_hyper_connection", "other", streams, streams * self.hidden_size)
            made += vector("head_hyper_connection.base", "other", streams + 1)
        return made


class Falcon(Decoder):
    """Falcon: width and KV heads follow from switches."""

    def _kv_heads(self) -> int:
        config = self.config
        if config.flag("new_decoder_architecture"):
            return super()._kv_heads()
        return 1 if config.flag("multi_query", True) else self.heads


class GroupedQueries(Decoder):
    """Models that say `multi_query` instead of a number of KV heads (GPT-BigCode, ChatGLM)."""

    def _kv_heads(self) -> int:
        config = self.config
        if not config.flag("multi_query", config.flag("multi_query_attention", True)):
            return self.heads
        return config.positive("multi_query_group_num", 1)


DECODERS: Final[Mapping[str, type[Decoder]]] = MappingProxyType(
    {
        "deepseek_v4": DeepseekV4,
        "falcon": Falcon,
        "chatglm": GroupedQueries,
        "gpt_bigcode": GroupedQueries,
        "falcon_mamba": RecurrentOnly,
        "gemma4_text": Gemma4,
        "mamba": RecurrentOnly,
        "mamba2": RecurrentOnly,
        "nemotron-nas": PerBlock,
    }
)


def decoder_for(config: Config, family: Family) -> Decoder:
    """The decoder of a text config: its model type's own, or the plain one."""
    return DECODERS.get(config.text("model_type"), Decoder)(config, family)
