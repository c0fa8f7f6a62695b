"""A decoder put together: embedding, layers, head and prediction layers of one text config."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from catalog.hf.families import Bias, Family
from catalog.hf.feedforward import MoeShape, dense_mlp, mixture_of_experts
from catalog.hf.mixers import (
    NO_MIXER,
    AttentionShape,
    DeltaNetShape,
    LatentShape,
    Mamba2Shape,
    MambaShape,
    Mixer,
    attention,
    gated_delta_net,
    latent_attention,
    mamba,
    mamba2,
    short_convolution,
)
from catalog.hf.patterns import FfnKind, MixerKind, ffn_kinds, mixer_kinds, window_of
from catalog.hf.reader import Config
from catalog.hf.tensors import linear, norm
from engine.model.architecture import Layer, Tensor

ATTENTION_KINDS: Final = frozenset({"full", "sliding", "chunked"})


def switched(config: Config, rule: Bias) -> bool:
    """Whether a bias is there: always, never, or as one of its keys says."""
    if isinstance(rule, bool):
        return rule
    return any(config.flag(key) for key in rule if isinstance(config.raw(key), bool))


class Decoder:
    """The text model of one config, read once; its methods build the parts."""

    def __init__(self, config: Config, family: Family) -> None:
        self.config = config
        self.family = family
        self.hidden_size = config.positive("hidden_size")
        self.vocab_size = config.positive("vocab_size")
        self.mixers = mixer_kinds(config, family)
        self.ffns = ffn_kinds(config)
        self.norm_bias = switched(config, family.norm_bias)
        has_attention = any(kind in ATTENTION_KINDS for kind in self.mixers)
        self.heads = config.positive("num_attention_heads") if has_attention else 0
        self.kv_heads = self._kv_heads() if has_attention else 0
        self.head_dim = self._head_dim() if has_attention else 0
        self.experts = config.integer("experts", 0) if "moe" in self.ffns else 0
        self.experts_per_token = config.positive("experts_per_token") if self.experts else 0
        self.expert_width = self._expert_width() if self.experts else 0
        self.shared_width = self._shared_width() if self.experts else 0

    # sizes -----------------------------------------------------------------------------------------------------

    def _kv_heads(self) -> int:
        config = self.config
        kv_heads = config.positive("num_key_value_heads", self.heads)
        if self.heads % kv_heads:
            raise config.error("num_key_value_heads", f"{kv_heads} does not divide the {self.heads} heads")
        return kv_heads

    def _head_dim(self) -> int:
        if self.family.attention == "latent":  # a head_dim key is not of the heads here
            return self.config.positive("qk_nope_head_dim") + self.config.integer("qk_rope_head_dim")
        if self.config.has("head_dim"):
            return self.config.positive("head_dim")
        if self.config.has("kv_channels"):
            return self.config.positive("kv_channels")
        if self.heads > self.hidden_size:
            raise self.config.error("num_attention_heads", f"{self.heads} heads share {self.hidden_size} features")
        return self.hidden_size // self.heads

    def mlp_width(self, index: int) -> int:
        """Features inside the dense feed-forward of block `index`."""
        config = self.config
        if config.has("intermediate_size_mlp"):
            return config.positive("intermediate_size_mlp")
        if not config.has("intermediate_size") and not self.family.gated:
            return config.positive("expansion_ratio", 4) * self.hidden_size
        return config.positive("intermediate_size")

    def _expert_width(self) -> int:
        if self.config.has("expert_intermediate_size"):
            return self.config.positive("expert_intermediate_size")
        return self.config.positive("intermediate_size")

    def _shared_width(self) -> int:
        config = self.config
        if config.has("interleave_moe_layer_step"):  # Llama 4: one shared expert beside the routed ones
            return self.expert_width
        if config.has("shared_expert_intermediate_size"):
            count = max(1, config.integer("shared_experts", 1))
            width = config.integer("shared_expert_intermediate_size")
            return width * (count if config.has("moe_shared_expert_intermediate_size") else 1)
        return config.integer("shared_experts", 0) * self.expert_width

    # parts -----------------------------------------------------------------------------------------------------

    def embedding(self) -> list[Tensor]:
        """The token table and learned positions."""
        tensors = [Tensor("embed_tokens", "embedding", self.vocab_size, self.hidden_size, shard="vocab")]
        if self.family.positions is not None:
            rows = self.config.positive("max_position_embeddings") + self.family.positions
            tensors.append(Tensor("embed_positions", "other", rows, self.hidden_size))
        if self.family.embedding_norm:
            tensors += norm("embedding_norm", self.hidden_size, bias=True)
        return tensors

    def head(self, tied: bool) -> list[Tensor]:
        """The final norm and, when it is not the token table, the output matrix."""
        tensors = self._norm("final_norm")
        if not tied:
            bias = switched(self.config, self.family.lm_head_bias)
            tensors += linear("lm_head", "lm_head", self.vocab_size, self.hidden_size, bias=bias, shard="vocab")
        return tensors

    def layers(self) -> tuple[Layer, ...]:
        """Every block in order; equal blocks are one object."""
        seen: dict[Layer, Layer] = {}
        made = []
        for index in range(len(self.mixers)):
            layer = self.layer(index)
            made.append(seen.setdefault(layer, layer))
        return tuple(made)

    def layer(self, index: int) -> Layer:
        """Block `index`: norms, mixer, feed-forward."""
        mixer = self.mixer(index)
        ffn = self.ffns[index]
        tensors = [*self.block_norms(index), *mixer.tensors, *self.feed_forward(index, ffn), *self.extras(index)]
        return Layer(
            mixer.kind,
            ffn,
            tuple(tensors),
            mixer.caches,
            mixer.score_heads,
            mixer.qk_width,
            mixer.v_width,
            mixer.span,
        )

    def _norm(self, name: str) -> list[Tensor]:
        return norm(name, self.hidden_size, bias=self.norm_bias) if self.family.learned_norm else []

    def block_norms(self, index: int) -> list[Tensor]:
        """The norms of hidden width in block `index`."""
        rule = self.family.block_norms
        count = rule if isinstance(rule, int) else rule(self.config)
        return [tensor for number in range(count) for tensor in self._norm(f"norm_{number}")]

    def extras(self, index: int) -> list[Tensor]:
        """What block `index` holds beside norms, mixer and feed-forward."""
        return []

    def mixer(self, index: int) -> Mixer:
        """The mixer of block `index`."""
        kind = self.mixers[index]
        if kind == "none":
            return NO_MIXER
        if kind not in ATTENTION_KINDS:
            return self.recurrent_mixer(index)
        if self.family.attention == "latent":
            return self.latent_mixer(index)
        return attention(self.attention_shape(index, kind))

    def attention_shape(self, index: int, kind: MixerKind) -> AttentionShape:
        """The attention of block `index`."""
        family, config = self.family, self.config
        normed = config.flag(family.qk_norm_key) if family.qk_norm_key else True
        return AttentionShape(
            self.hidden_size,
            self.heads,
            self.kv_heads,
            self.head_dim,
            config.positive("v_head_dim", self.head_dim),
            qkv_bias=switched(config, family.qkv_bias),
            o_bias=switched(config, family.o_bias),
            qk_norm=family.qk_norm if normed else "none",
            qk_norm_bias=family.qk_norm_bias,
            output_gate=config.flag("attn_output_gate", family.output_gate),
            sinks=family.sinks,
            inner_norm=family.inner_norm,
            window=window_of(config, kind),
            chunked=kind == "chunked",
        )

    def _indexes(self, index: int) -> bool:
        """Whether block `index` has an indexer of its own: by `indexer_types`, or the letters of `index_topk_pattern`.

        Without either, the first `index_skip_topk_offset` blocks have one, and of the others the last of each
        `index_topk_freq` counted from there (GLM-5.2 states both: 21 of 78).
        """
        kinds = self.config.items("indexer_types")
        every, first = self.config.integer("index_topk_freq", 1), self.config.integer("index_skip_topk_offset", 0)
        pattern = self.config.raw("index_topk_pattern")
        if kinds is None and isinstance(pattern, str):
            kinds = ["full" if letter.upper() == "F" else "shared" for letter in pattern]
        if kinds is None:
            return every <= 1 or index < first or (index - first + 1) % every == 0
        if len(kinds) != len(self.mixers) or not set(kinds) <= {"full", "shared"}:
            raise self.config.error("indexer_types", f"must say full or shared of each of {len(self.mixers)} layers")
        return bool(kinds[index] == "full")

    def latent_mixer(self, index: int, indexes: bool | None = None) -> Mixer:
        """Latent attention, with its indexer when the config has one and this block does."""
        config = self.config
        return latent_attention(
            LatentShape(
                self.hidden_size,
                self.heads,
                config.integer("q_lora_rank", 0),
                config.positive("kv_lora_rank"),
                config.positive("qk_nope_head_dim"),
                config.integer("qk_rope_head_dim"),  # none in GLM-5.3-Flash
                config.positive("v_head_dim"),
                switched(config, self.family.qkv_bias),
                config.integer("index_n_heads", 0),
                config.integer("index_head_dim", 0),
                config.integer("index_topk", 0),
                self._indexes(index) if indexes is None else indexes,
            )
        )

    def recurrent_mixer(self, index: int) -> Mixer:
        """The mixer of block `index` when it keeps a state instead of keys and values."""
        builders = {
            "delta-net": self._delta_net,
            "mamba": self._first_mamba,
            "mamba2": self._second_mamba,
            "short-conv": self._short_convolution,
        }
        kind = self.family.recurrent
        if kind not in builders:
            raise self.config.error("layer_types", f"block {index} keeps a state, but its kind is not known")
        mixer = builders[kind]()
        wide = "float32" in (self.config.text("mamba_ssm_dtype"), self.config.text("mamba_ssm_cache_dtype"))
        return replace(mixer, caches=tuple(replace(cache, state_bytes=4) for cache in mixer.caches)) if wide else mixer

    def _delta_net(self) -> Mixer:
        config = self.config
        return gated_delta_net(
            DeltaNetShape(
                self.hidden_size,
                config.positive("linear_num_key_heads"),
                config.positive("linear_num_value_heads"),
                config.positive("linear_key_head_dim"),
                config.positive("linear_value_head_dim"),
                config.positive("linear_conv_kernel_dim"),
            )
        )

    def _short_convolution(self) -> Mixer:
        return short_convolution(self.hidden_size, self.config.positive("conv_L_cache"))

    def _second_mamba(self) -> Mixer:
        config = self.config
        return mamba2(
            Mamba2Shape(
                self.hidden_size,
                self._first("mamba_n_heads", "mamba_num_heads", "num_heads"),
                self._first("mamba_d_head", "mamba_head_dim", "head_dim"),
                self._first("mamba_d_state", "ssm_state_size", "state_size"),
                self._first("mamba_n_groups", "n_groups"),
                self._first("mamba_d_conv", "conv_kernel"),
                config.flag("mamba_conv_bias", config.flag("use_conv_bias", True)),
                config.flag("mamba_proj_bias", config.flag("use_bias")),
                config.flag("mamba_rms_norm", True),
            )
        )

    def _first_mamba(self) -> Mixer:
        config = self.config
        automatic = -(-self.hidden_size // 16)
        rank = config.raw("mamba_dt_rank") or config.raw("time_step_rank")
        if config.has("mamba_expand") or not config.has("intermediate_size"):
            inner = self._first("mamba_expand", "expand") * self.hidden_size
        else:
            inner = config.positive("intermediate_size")
        return mamba(
            MambaShape(
                self.hidden_size,
                inner,
                self._first("mamba_d_state", "state_size"),
                rank if isinstance(rank, int) else automatic,
                self._first("mamba_d_conv", "conv_kernel"),
                config.flag("mamba_conv_bias", config.flag("use_conv_bias", True)),
                config.flag("mamba_proj_bias", config.flag("use_bias")),
                inner_norms=config.text("model_type") == "jamba",
            )
        )

    def _first(self, *keys: str) -> int:
        """The first of these keys that the config has; an error names the first of all."""
        for key in keys:
            if self.config.has(key):
                return self.config.positive(key)
        return self.config.positive(keys[0])

    def feed_forward(self, index: int, kind: FfnKind) -> list[Tensor]:
        """The feed-forward of block `index`."""
        config, family = self.config, self.family
        if kind == "none":
            return []
        if kind == "dense":
            bias = switched(config, family.mlp_bias)
            return dense_mlp(
                self.hidden_size,
                self.mlp_width(index),
                gated=family.gated,
                bias=bias,
                inner_norm=family.inner_norm,
            )
        correction = switched(config, family.score_correction) or config.text("topk_method") == "noaux_tc"
        return mixture_of_experts(
            MoeShape(
                self.hidden_size,
                self.experts,
                self.expert_width,
                self.shared_width,
                family.shared_gate,
                switched(config, family.router_bias),
                correction,
                switched(config, family.expert_bias),
                family.gated,
                config.integer("moe_latent_size", 0),
                config.integer("zero_expert_num", 0),
            )
        )

    def widest_mlp(self) -> int:
        """Features inside the widest dense feed-forward; 0 when every layer is a mixture of experts, or has none."""
        return max((self.mlp_width(index) for index, kind in enumerate(self.ffns) if kind == "dense"), default=0)

    def prediction_layers(self) -> list[Tensor]:
        """Multi-token-prediction layers (DeepSeek-V3, arXiv 2412.19437, section 2.2): two norms, a projection of
        both inputs, one more block like the last, and a norm; embedding and head are the main model's."""
        # Qwen3-Next's checkpoints carry one that their config.json does not name (vllm/model_executor/models/qwen3_next_mtp.py)
        count = self.config.integer("mtp_layers", 1 if self.config.text("model_type") == "qwen3_next" else 0)
        if not count:
            return []
        if count > len(self.mixers):
            raise self.config.error("num_nextn_predict_layers", f"is {count}, more than the model has layers")
        hidden, last = self.hidden_size, len(self.mixers) - 1
        one = [
            *self._norm("mtp.embedding_norm"),
            *self._norm("mtp.hidden_norm"),
            *linear("mtp.projection", "other", hidden, 2 * hidden),
            *self.block_norms(last),
            *self.prediction_mixer(last).tensors,
            *self.feed_forward(last, self.ffns[last]),
            *self.extras(last),
            *self._norm("mtp.final_norm"),
        ]
        return one * count

    def prediction_mixer(self, last: int) -> Mixer:
        """The mixer of a prediction layer: that of block `last`; one that indexes has an index of its own (GLM-5.2)."""
        return self.latent_mixer(last, indexes=True) if self.family.attention == "latent" else self.mixer(last)
