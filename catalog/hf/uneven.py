"""Decoders whose layers have head counts of their own, and gates on what a head says (Step 3, Laguna)."""

from __future__ import annotations

from dataclasses import replace

from catalog.hf.decoder import Decoder
from catalog.hf.families import Family
from catalog.hf.feedforward import dense_mlp
from catalog.hf.mixers import AttentionShape, attention
from catalog.hf.patterns import MixerKind
from catalog.hf.reader import Config
from catalog.hf.tensors import linear
from engine.model.architecture import Tensor


class GatedHeads(Decoder):
    """Laguna: `num_attention_heads_per_layer`, and a gate for each head or for each of its features (`gating`)."""

    def __init__(self, config: Config, family: Family) -> None:
        super().__init__(config, family)
        self.heads_of = config.integers("num_attention_heads_per_layer", len(self.mixers)) or self._heads_of()
        self.features_gated = 0
        gating = config.raw("gating")
        if gating in ("per-head", "per_head", True) or config.flag("use_head_wise_attn_gate"):
            self.features_gated = 1
        elif isinstance(gating, str) and gating:
            self.features_gated = self.head_dim
        for kind in config.items("gating_types") or []:
            if str(kind).replace("_", "-") != "per-head":
                raise config.error("gating_types", f"holds {kind!r}; known: per_head")

    def _heads_of(self) -> list[int]:
        return [self.heads] * len(self.mixers)

    def attention_shape(self, index: int, kind: MixerKind) -> AttentionShape:
        heads = self.heads_of[index]
        if heads < 1 or heads % self.kv_heads:
            raise self.config.error("num_attention_heads_per_layer", f"{self.kv_heads} KV heads do not divide {heads}")
        return replace(super().attention_shape(index, kind), heads=heads)

    def _gate(self, heads: int) -> list[Tensor]:
        if not self.features_gated:
            return []
        rows = heads * self.features_gated
        return linear("g_proj", "attention", rows, self.hidden_size, shard="column", units=heads)

    def extras(self, index: int) -> list[Tensor]:
        return self._gate(self.heads_of[index])


class Step3(GatedHeads):
    """Step 3.5 and 3.7: windows with more heads (`attention_other_setting`), the layers that are mixtures listed in a text."""

    def __init__(self, config: Config, family: Family) -> None:
        listed = {}
        enumerated = config.raw("moe_layers_enum")
        if enumerated is not None and not config.has("mlp_layer_types"):
            layers = range(config.positive("num_hidden_layers"))
            named = enumerated if isinstance(enumerated, list) else str(enumerated).split(",")
            moe = {str(item).strip() for item in named}
            if not moe <= {str(index) for index in layers}:
                raise config.error("moe_layers_enum", f"names layers that are not among the {len(layers)} of the model")
            listed["mlp_layer_types"] = ["sparse" if str(index) in moe else "dense" for index in layers]
        super().__init__(config.with_defaults(listed), family)

    def _heads_of(self) -> list[int]:
        said = self.config.section("attention_other_setting")
        self.window_heads = said.positive(
            "num_attention_heads", self.config.positive("num_sliding_attention_heads", self.heads)
        )
        return [self.window_heads if kind == "sliding" else self.heads for kind in self.mixers]

    def prediction_layers(self) -> list[Tensor]:
        """Layers that follow the last: a window of attention, a dense MLP, and a norm and head of their own."""
        count, hidden = self.config.integer("mtp_layers", 0), self.hidden_size
        if not count:
            return []
        shape = replace(super().attention_shape(0, "sliding"), heads=self.window_heads)
        one = [
            *self._norm("mtp.embedding_norm"),
            *self._norm("mtp.hidden_norm"),
            *linear("mtp.projection", "other", hidden, 2 * hidden),
            *self.block_norms(0),
            *attention(shape).tensors,
            *self._gate(self.window_heads),
            *dense_mlp(hidden, self.mlp_width(0)),
            *self._norm("mtp.final_norm"),
            *linear("mtp.head", "other", self.vocab_size, hidden, shard="vocab"),
        ]
        return one * count
