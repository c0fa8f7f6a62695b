"""Models of several residual streams beside recurrent layers: Qwen4-Exp (Qwen3.8-Flash-Next) and GLM-5-Next (GLM-5.3-Flash).

Shapes: modeling_qwen4_exp.py and modeling_glm5_next.py of transformers (2026-09).
"""

from __future__ import annotations

from dataclasses import replace

from catalog.hf.decoder import Decoder
from catalog.hf.mixers import Mixer, kimi_delta_attention
from catalog.hf.tensors import linear, norm, vector
from engine.model.architecture import Tensor


def hyper_connections(hidden: int, streams: int) -> list[Tensor]:
    """What mixes so many residual streams before and after attention and feed-forward (arXiv 2409.19606); nothing for none."""
    mixed, made = (2 + streams) * streams, []
    for name in ("attention", "ffn") if streams else ():
        made += linear(f"{name}_hyper_connection", "other", mixed, streams * hidden)
        made += vector(f"{name}_hyper_connection.base", "other", mixed + 3)
    return made


def _pooled(mixer: Mixer, keys: int, pool: int) -> Mixer:
    """A mixer whose index keeps a key of that width for each so many tokens."""
    return replace(mixer, caches=tuple(replace(one, index_width=-(-keys // pool)) for one in mixer.caches))


class Glm5Next(Decoder):
    """GLM-5-Next: delta attention with a decay per channel, every fourth block latent without positions, its index pooled."""

    def recurrent_mixer(self, index: int) -> Mixer:
        linear_part = (
            self.config.section("linear_attn_config") if self.config.has("linear_attn_config") else self.config
        )
        heads = linear_part.positive("num_heads" if linear_part is not self.config else "linear_num_heads", 64)
        width = linear_part.positive("head_dim" if linear_part is not self.config else "linear_head_dim", 128)
        kernel = self.config.positive("linear_conv_kernel_dim", 4)
        return kimi_delta_attention(self.hidden_size, heads, width, kernel)

    def latent_mixer(self, index: int, indexes: bool | None = None) -> Mixer:
        made = super().latent_mixer(index, indexes)
        return _pooled(made, self.config.integer("index_head_dim", 0), self.config.positive("index_kpool", 16))

    def extras(self, index: int) -> list[Tensor]:
        return hyper_connections(self.hidden_size, self.config.integer("hc_mult", 4))


class Qwen4Exp(Decoder):
    """Qwen4-Exp: Qwen3-Next's layers between gated streams, an index over blocks of keys, a table of hashed n-grams."""

    def mixer(self, index: int) -> Mixer:
        made, config = super().mixer(index), self.config
        heads = config.integer("indexer_n_heads", 0)
        if made.kind != "attention" or not heads:
            return made
        width = config.positive("indexer_head_dim", 128)
        rows = (heads + config.positive("indexer_kv_heads", 1)) * width
        tensors = linear("indexer.qk_proj", "indexer", rows, self.hidden_size)
        tensors += [*norm("indexer.q_norm", width, part="indexer"), *norm("indexer.k_norm", width, part="indexer")]
        indexed = _pooled(made, width, config.positive("indexer_compress_ratio", 4))
        return replace(indexed, tensors=made.tensors + tensors, span=config.integer("indexer_budget", 0))

    def extras(self, index: int) -> list[Tensor]:
        made = self._gated_streams("attention") + self._gated_streams("ffn")
        if index + 1 in (self.config.integers("ple_layer_ids") or []):
            width = self.config.positive("ple_embed_dim", self.hidden_size)
            made += linear("ngram.key", "other", self.hidden_size, width)
            made += linear("ngram.value", "other", self.hidden_size, width)
        return made

    def _gated_streams(self, name: str) -> list[Tensor]:
        streams, rank = self.config.positive("hc_count", 4), self.config.positive("hc_lowrank", 320)
        wide = streams * self.hidden_size
        made = [*norm(f"{name}_streams.norm", wide), *linear(f"{name}_streams.down", "other", rank + streams, wide)]
        return made + linear(f"{name}_streams.up", "other", self.hidden_size, rank)

    def embedding(self) -> list[Tensor]:
        """The token table, and of each block that looks n-grams up the rows of all their heads."""
        config, made = self.config, super().embedding()
        heads = (config.positive("ngram_size", 3) - 1) * config.positive("heads_per_ngram", 8)
        rows = heads * config.positive("ngram_vocab_size_base", 20_000_000)
        width = config.positive("ple_embed_dim", self.hidden_size) // heads
        for _ in config.integers("ple_layer_ids") or []:
            made.append(Tensor("ngram_table", "table", rows, width, shard="vocab"))
        return made

    def head(self, tied: bool) -> list[Tensor]:
        return super().head(tied) + self._gated_streams("head")
