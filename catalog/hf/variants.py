"""Decoders whose blocks differ from the plain one in more than sizes and switches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from catalog.hf.decoder import Decoder
from catalog.hf.families import Family
from catalog.hf.feedforward import MoeShape, dense_mlp, mixture_of_experts
from catalog.hf.gemma4 import Gemma4
from catalog.hf.mixers import (
    NO_MIXER,
    AttentionShape,
    CompressedShape,
    Mixer,
    attention,
    compressed_attention,
    gated_recurrence,
    kimi_delta_attention,
    lightning_attention,
)
from catalog.hf.patterns import FfnKind, MixerKind
from catalog.hf.reader import Config
from catalog.hf.streams import Glm5Next, Qwen4Exp, hyper_connections
from catalog.hf.tensors import linear, norm, vector
from catalog.hf.text_encoder import TEXT_ENCODERS, TextEncoder
from catalog.hf.uneven import GatedHeads, Step3
from engine.model.architecture import Tensor

LARGEST_RATIO: Final = 65536
"""Tokens that one compressed entry may stand for: DeepSeek V4 has 4 and 128."""


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
        """The most KV heads of any block."""
        groups = [self._part(index, "attention").integer("n_heads_in_group", 0) for index in range(len(self.blocks))]
        return max((self.heads // group for group in groups if group), default=self.heads)

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
        if not block.has("ffn_mult"):
            raise block.error("ffn_mult", "is missing, and this block cannot be sized without it")
        wanted = int(2 * block.number("ffn_mult", 1.0) * self.hidden_size / 3)
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


class DeepseekV4(Decoder):
    """DeepSeek-V4: compressed attention, hyper-connections between blocks, hash-routed first layers."""

    def mixer(self, index: int) -> Mixer:
        return self._compressed(self._ratio(index))

    def prediction_mixer(self, last: int) -> Mixer:
        """What the file lists after the last block, which is a window alone in every published one."""
        ratios = self.config.integers("compress_ratios") or []
        return self._compressed(ratios[last + 1] if len(ratios) > last + 1 else 0)

    def prediction_layers(self) -> list[Tensor]:
        count = self.config.integer("mtp_layers", 0)
        return super().prediction_layers() + self._stream_head() * count

    def _compressed(self, ratio: int) -> Mixer:
        config = self.config
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

    def _ratio(self, index: int) -> int:
        """Tokens per compressed entry: listed by layer, or by the layer's type in files of newer libraries."""
        ratios = self.config.integers("compress_ratios")
        if ratios is None:
            types = self.config.items("layer_types")
            if types is None:
                raise self.config.error("compress_ratios", "is missing, and this model cannot be sized without it")
            rates = self.config.section("compress_rates")
            return rates.integer(types[index], 0)
        if len(ratios) < len(self.mixers):
            raise self.config.error("compress_ratios", f"lists {len(ratios)} of {len(self.mixers)} layers")
        if max(ratios, default=0) > LARGEST_RATIO:
            raise self.config.error("compress_ratios", f"holds {max(ratios)}; allowed: up to {LARGEST_RATIO}")
        return ratios[index]

    def feed_forward(self, index: int, kind: FfnKind) -> list[Tensor]:
        types = self.config.items("mlp_layer_types")
        hashed = types[index] == "hash_moe" if types else index < self.config.integer("num_hash_layers", 0)
        shape = MoeShape(
            self.hidden_size, self.experts, self.expert_width, self.shared_width, score_correction=not hashed
        )
        tensors = mixture_of_experts(shape)
        if hashed:  # a table from token to experts instead of a learned choice
            tensors.append(Tensor("router.token_to_expert", "router", self.vocab_size, self.experts_per_token))
        return tensors

    def extras(self, index: int) -> list[Tensor]:
        return hyper_connections(self.hidden_size, self.config.integer("hc_mult", 0))

    def head(self, tied: bool) -> list[Tensor]:
        return super().head(tied) + self._stream_head()

    def _stream_head(self) -> list[Tensor]:
        streams = self.config.integer("hc_mult", 0)
        if not streams:
            return []
        made = linear("head_hyper_connection", "other", streams, streams * self.hidden_size)
        return made + vector("head_hyper_connection.base", "other", streams + 1)


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


class ParallelHybrid(Decoder):
    """Falcon-H1: attention and Mamba-2 side by side in every block."""

    def __init__(self, config: Config, family: Family) -> None:
        super().__init__(config, replace(family, recurrent="none"))
        self.family = family

    def mixer(self, index: int) -> Mixer:
        beside, state = super().mixer(index), self.recurrent_mixer(index)
        return replace(beside, tensors=beside.tensors + state.tensors, caches=beside.caches + state.caches)


class KimiLinear(Decoder):
    """Kimi Linear: delta attention, and latent attention in the layers that `linear_attn_config` lists from 1."""

    def __init__(self, config: Config, family: Family) -> None:
        self.linear = config.section("linear_attn_config")
        full = self.linear.integers("full_attn_layers")
        listed: dict[str, Any] = {}
        if full is not None and not config.has("layer_types"):
            layers = range(1, config.positive("num_hidden_layers") + 1)
            listed["layer_types"] = ["full_attention" if n in full else "linear_attention" for n in layers]
        super().__init__(config.with_defaults(listed), family)

    def recurrent_mixer(self, index: int) -> Mixer:
        config, linear_part = self.config, self.linear
        heads = linear_part.integer("num_heads", 0) or config.positive("linear_num_heads", self.heads)
        dim = linear_part.integer("head_dim", 0) or config.positive("linear_head_dim", 128)
        kernel = linear_part.integer("short_conv_kernel_size", 0) or config.positive("linear_conv_kernel_dim", 4)
        return kimi_delta_attention(self.hidden_size, heads, dim, kernel)


class LightningHybrid(Decoder):
    """MiniMax-01: lightning attention with a full layer every eighth."""

    def recurrent_mixer(self, index: int) -> Mixer:
        return lightning_attention(self.hidden_size, self.heads, self.head_dim)


class RecurrentGemma(Decoder):
    """Griffin-style blocks: two recurrences, then a window of attention."""

    def __init__(self, config: Config, family: Family) -> None:
        layers = config.positive("num_hidden_layers")
        types = config.items("block_types") or ["recurrent", "recurrent", "attention"]
        named = ["sliding_attention" if name == "attention" else name for name in types]
        window = config.positive("attention_window_size")
        pattern = [named[index % len(named)] for index in range(layers)]
        super().__init__(config.with_defaults({"layer_types": pattern, "sliding_window": window}), family)

    def mlp_width(self, index: int) -> int:
        return super().mlp_width(index) // 2

    def recurrent_mixer(self, index: int) -> Mixer:
        width = self.config.positive("lru_width", self.hidden_size)
        blocks = self.config.positive("num_attention_heads")
        return gated_recurrence(self.hidden_size, width, blocks, self.config.positive("conv1d_width"))


class Lfm2(Decoder):
    """LFM2: short convolutions, and an MLP width that is cut to two thirds and rounded up."""

    def __init__(self, config: Config, family: Family) -> None:
        listed: dict[str, Any] = {}
        full = config.integers("full_attn_idxs")
        if full is not None and not config.has("layer_types"):
            layers = range(config.positive("num_hidden_layers"))
            listed["layer_types"] = ["full_attention" if index in full else "conv" for index in layers]
        super().__init__(config.with_defaults(listed), family)

    def mlp_width(self, index: int) -> int:
        config = self.config
        width = super().mlp_width(index)
        if self.experts or not config.flag("block_auto_adjust_ff_dim", True):
            return width
        width = int(config.number("block_ffn_dim_multiplier", 1.0) * int(2 * width / 3))
        multiple = config.positive("block_multiple_of", 256)
        return -(-width // multiple) * multiple


class ShortcutMoe(Decoder):
    """LongCat-Flash: two attentions and two MLPs in a block, the experts in parallel with the second half."""

    def mixer(self, index: int) -> Mixer:
        one = super().mixer(index)
        return replace(one, tensors=one.tensors * 2, caches=one.caches * 2, score_heads=2 * one.score_heads)

    def block_norms(self, index: int) -> list[Tensor]:
        return super().block_norms(index) * 2

    def feed_forward(self, index: int, kind: FfnKind) -> list[Tensor]:
        return dense_mlp(self.hidden_size, self.mlp_width(index)) * 2 + super().feed_forward(index, "moe")


class TwoSizedAttention(Decoder):
    """MiMo-V2: sliding layers have head counts and widths of their own, and attention sinks."""

    def attention_shape(self, index: int, kind: MixerKind) -> AttentionShape:
        config = self.config
        shape = super().attention_shape(index, kind)
        if kind != "sliding":
            return replace(shape, sinks=config.flag("add_full_attention_sink_bias"))
        return replace(
            shape,
            heads=config.positive("swa_num_attention_heads", shape.heads),
            kv_heads=config.positive("swa_num_key_value_heads", shape.kv_heads),
            head_dim=config.positive("swa_head_dim", shape.head_dim),
            v_head_dim=config.positive("swa_v_head_dim", shape.v_head_dim),
            sinks=config.flag("add_swa_attention_sink_bias", True),
        )


class CrossAttention(Decoder):
    """Llama 3.2 Vision: some layers attend to the picture instead of the text, so no text token is cached there."""

    def __init__(self, config: Config, family: Family) -> None:
        super().__init__(config, family)
        self.crossing = frozenset(config.integers("cross_attention_layers") or ())

    def mixer(self, index: int) -> Mixer:
        if index not in self.crossing:
            return super().mixer(index)
        shape = replace(self.attention_shape(index, "full"), qk_norm="head")
        return replace(attention(shape), caches=(), score_heads=0)

    def extras(self, index: int) -> list[Tensor]:
        return vector("gates", "other", 2) if index in self.crossing else []

    def embedding(self) -> list[Tensor]:
        # Eight rows for picture tokens follow the vocabulary in the input table, but not in the head.
        tensors = super().embedding()
        return [*tensors, Tensor("embed_image_tokens", "other", 8, self.hidden_size)]


class Gemma3n(Decoder):
    """Gemma 3n: per-layer embeddings, alternating updates (AltUp), low-rank residuals (LAuReL), shared late caches."""

    def __init__(self, config: Config, family: Family) -> None:
        widths = config.raw("intermediate_size")
        self.widths = [*widths] if isinstance(widths, list) else None
        super().__init__(config, family)
        if self.widths is not None and len(self.widths) != len(self.mixers):
            reason = f"lists {len(self.widths)} widths for {len(self.mixers)} layers"
            raise config.error("intermediate_size", reason)
        self.first_sharing = len(self.mixers) - config.integer("num_kv_shared_layers", 15)
        self.per_layer_size = config.positive("hidden_size_per_layer_input", 256)
        self.streams = config.positive("altup_num_inputs", 4)

    def attention_shape(self, index: int, kind: MixerKind) -> AttentionShape:
        return replace(super().attention_shape(index, kind), shares_kv=index >= self.first_sharing)

    def mlp_width(self, index: int) -> int:
        if self.widths is None:
            return super().mlp_width(index)
        one = Config({"intermediate_size": self.widths[index]}, self.config.where, self.config.path)
        return one.positive("intermediate_size")

    def extras(self, index: int) -> list[Tensor]:
        hidden, size, streams = self.hidden_size, self.per_layer_size, self.streams
        rank = self.config.positive("laurel_rank", 64)
        return [
            *linear("altup.correction", "other", streams, streams),
            *linear("altup.prediction", "other", streams * streams, streams),
            *linear("altup.router", "other", streams, hidden),
            *self._norm("altup.router_norm"),
            *self._norm("altup.output_scale"),
            *linear("laurel.left", "other", rank, hidden),
            *linear("laurel.right", "other", hidden, rank),
            *self._norm("laurel.norm"),
            *linear("per_layer_gate", "other", size, hidden),
            *linear("per_layer_projection", "other", hidden, size),
            *self._norm("per_layer_norm"),
        ]

    def embedding(self) -> list[Tensor]:
        width = len(self.mixers) * self.per_layer_size
        rows = self.config.positive("vocab_size_per_layer_input", 262144)
        hidden = self.hidden_size
        return [
            *super().embedding(),
            Tensor("embed_tokens_per_layer", "table", rows, width, shard="vocab"),
            *linear("per_layer_model_projection", "other", width, hidden),
            *norm("per_layer_projection_norm", self.per_layer_size),
            Tensor("altup_projections", "other", hidden, hidden, 2 * (self.streams - 1)),
        ]


class FirstQwen(Decoder):
    """Qwen of 2023: `intermediate_size` counts gate and up projection together."""

    def mlp_width(self, index: int) -> int:
        return super().mlp_width(index) // 2


class GraniteHybrid(Decoder):
    """Granite 4: the shared expert is the whole MLP of a dense one, whose files keep the sizes of a mixer they may not have."""

    def __init__(self, config: Config, family: Family) -> None:
        super().__init__(config, family)
        if "linear" not in self.mixers:
            for key in ("mamba_d_conv", "mamba_d_state", "mamba_n_heads", "mamba_d_head", "mamba_n_groups"):
                config.mentions(key)

    def mlp_width(self, index: int) -> int:
        return self.config.positive("shared_expert_intermediate_size", super().mlp_width(index))


class GatedOutput(Decoder):
    """AFMoE: a gate of full width on the attention output."""

    def extras(self, index: int) -> list[Tensor]:
        width = self.heads * self.head_dim
        return linear("attention_gate", "attention", width, self.hidden_size, shard="column", units=self.heads)


class Apertus(Decoder):
    """Apertus: an activation with learned parameters."""

    def extras(self, index: int) -> list[Tensor]:
        return vector("activation", "other", 4)


DECODERS: Final[Mapping[str, type[Decoder]]] = MappingProxyType(
    {
        **dict.fromkeys(TEXT_ENCODERS, TextEncoder),
        "afmoe": GatedOutput,
        "apertus": Apertus,
        "deepseek_v4": DeepseekV4,
        "falcon_h1": ParallelHybrid,
        "gemma3n_text": Gemma3n,
        "glm5_next_text": Glm5Next,
        "granitemoehybrid": GraniteHybrid,
        "kimi_linear": KimiLinear,
        "laguna": GatedHeads,
        "step3p5": Step3,
        "step3p7": Step3,
        "lfm2": Lfm2,
        "lfm2_moe": Lfm2,
        "longcat_flash": ShortcutMoe,
        "mimo_v2_flash": TwoSizedAttention,
        "minimax": LightningHybrid,
        "minimax_m1": LightningHybrid,
        "minimax_text_01": LightningHybrid,
        "mllama_text_model": CrossAttention,
        "qwen": FirstQwen,
        "qwen4_exp_text": Qwen4Exp,
        "recurrent_gemma": RecurrentGemma,
        "falcon": Falcon,
        "chatglm": GroupedQueries,
        "gpt_bigcode": GroupedQueries,
        "falcon_mamba": RecurrentOnly,
        "gemma4_text": Gemma4,
        "gemma4_unified_text": Gemma4,
        "mamba": RecurrentOnly,
        "mamba2": RecurrentOnly,
        "nemotron-nas": PerBlock,
    }
)


def decoder_for(config: Config, family: Family) -> Decoder:
    """The decoder of a text config: its model type's own, or the plain one."""
    return DECODERS.get(config.text("model_type"), Decoder)(config, family)
