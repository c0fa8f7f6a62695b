"""Gemma 4: its decoder, and what stands beside it in the models that have no encoder."""

from __future__ import annotations

from dataclasses import replace

from catalog.hf.decoder import Decoder
from catalog.hf.encoder import Towers, layer_norm, mlp_projector, table
from catalog.hf.families import Family
from catalog.hf.feedforward import MoeShape, dense_mlp, mixture_of_experts
from catalog.hf.mixers import AttentionShape, Mixer
from catalog.hf.patterns import FfnKind, MixerKind
from catalog.hf.reader import Config
from catalog.hf.tensors import linear, norm, vector
from engine.model.architecture import Tensor


class Gemma4(Decoder):
    """Gemma 4: wider heads and keys that are values in global layers, per-layer embeddings, experts beside an MLP.

    Late layers read the cache of earlier ones; the published files hold key and value matrices of theirs all the same.
    """

    def __init__(self, config: Config, family: Family) -> None:
        super().__init__(config, family)
        if not config.flag("enable_moe_block"):
            self.experts = self.experts_per_token = self.expert_width = 0
            self.ffns = ["dense"] * len(self.mixers)
        self.per_layer_size = config.integer("hidden_size_per_layer_input", 256)
        self.first_sharing = len(self.mixers) - config.integer("num_kv_shared_layers", 0)

    def attention_shape(self, index: int, kind: MixerKind) -> AttentionShape:
        config = self.config
        shape = super().attention_shape(index, kind)
        if kind != "full":
            return shape
        own = config.section("per_layer_config")
        said = next((own.section(name) for name in (str(index), f"{index:02}") if own.has(name)), own)
        dim = said.positive("head_dim", config.positive("global_head_dim", 512))
        same = config.flag("attention_k_eq_v")
        kv_heads = config.positive("num_global_key_value_heads", self.kv_heads) if same else self.kv_heads
        return replace(shape, head_dim=dim, v_head_dim=dim, kv_heads=kv_heads, value_is_key=same)

    def mixer(self, index: int) -> Mixer:
        mixer = super().mixer(index)
        return replace(mixer, caches=()) if index >= self.first_sharing else mixer

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
            tensors.append(Tensor("embed_tokens_per_layer", "table", rows, width, shard="vocab"))
            tensors += linear("per_layer_model_projection", "other", width, self.hidden_size)
            tensors += norm("per_layer_projection_norm", size)
        return tensors


def unified_tower(whole: Config, vision: Config, text_hidden: int) -> Towers:
    """Gemma 4 12B (transformers, gemma4_unified): patches of 48 x 48 pixels and frames of 640 samples go straight into the model."""
    width = vision.positive("mm_embed_dim", text_hidden)
    patch = 3 * (vision.positive("patch_size", 16) * vision.positive("pooling_kernel_size", 3)) ** 2
    made = [*layer_norm("patch_norm", patch, True), *mlp_projector("patch_embed", (patch, width))]
    made += [
        *layer_norm("embed_norm", width, True),
        *table("pos_embed", vision.positive("mm_posemb_size", 1120), 2 * width),
    ]
    made += [*layer_norm("pos_norm", width, True), *linear("projector", "vision", text_hidden, width)]
    if whole.has("audio_config"):
        frame = whole.section("audio_config").positive("audio_embed_dim", 640)
        made += linear("audio.projector", "audio", text_hidden, frame)
    return Towers(tuple(made), whole.integer("vision_soft_tokens_per_image", 280))
