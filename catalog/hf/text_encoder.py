"""Encoders of text: embedders and rerankers of BERT's kin, which read a text at once and keep nothing of it.

Shapes follow the modules of Hugging Face transformers 5.23 (modeling_bert.py, modeling_modernbert.py and their like) and of the
published repositories' own code (nomic-ai/nomic-bert-2048, Alibaba-NLP/new-impl).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from catalog.hf.decoder import Decoder
from catalog.hf.mixers import Mixer
from catalog.hf.patterns import FfnKind
from catalog.hf.tensors import linear, norm, vector
from engine.model.architecture import Tensor

TEXT_ENCODERS: Final = frozenset(
    {"bert", "camembert", "modernbert", "mpnet", "new", "nomic_bert", "roberta", "xlm-roberta"}
)
"""Types that a reader here knows."""
_LEARNED_POSITIONS: Final = frozenset({"bert", "camembert", "mpnet", "roberta", "xlm-roberta"})


class TextEncoder(Decoder):
    """Attention both ways over a whole text, no cache, and a pooler or a classifier in place of a head."""

    def mixer(self, index: int) -> Mixer:
        every = self.config.integer(
            "global_attn_every_n_layers", 1
        )  # ModernBERT: the others see a window of both sides
        local = self.config.integer("local_attention", 0) if index % max(1, every) else 0
        return replace(super().mixer(index), caches=(), span=local)

    def block_norms(self, index: int) -> list[Tensor]:
        made = super().block_norms(index)
        return made[1:] if self.config.text("model_type") == "modernbert" and index == 0 else made

    def embedding(self) -> list[Tensor]:
        config, hidden = self.config, self.hidden_size
        kind = config.text("model_type")
        tensors = [Tensor("embed_tokens", "embedding", self.vocab_size, hidden, shard="vocab")]
        if kind in _LEARNED_POSITIONS and config.text("position_embedding_type", "absolute") == "absolute":
            tensors.append(Tensor("embed_positions", "other", config.positive("max_position_embeddings"), hidden))
        types = config.integer("type_vocab_size", 0)
        if types:
            tensors.append(Tensor("embed_types", "other", types, hidden))
        if kind == "mpnet":
            buckets = config.positive("relative_attention_num_buckets", 32)
            tensors.append(Tensor("relative_positions", "other", buckets, self.heads))
        return tensors + norm("embedding_norm", hidden, bias=self.norm_bias)

    def head(self, tied: bool) -> list[Tensor]:
        hidden, kind = self.hidden_size, self.config.text("model_type")
        names = self.config.items("architectures") or [""]
        scores = isinstance(names[0], str) and names[0].endswith("ForSequenceClassification")
        made = norm("final_norm", hidden) if kind == "modernbert" else []
        if scores or kind in _LEARNED_POSITIONS:  # a classifier's first matrix is as large as a pooler
            made += linear("pooler", "other", hidden, hidden, bias=kind != "modernbert")
        if scores and kind == "modernbert":
            made += norm("pooler_norm", hidden)
        if scores:
            made += [*linear("classifier", "other", 1, hidden), *vector("classifier.bias", "other", 1)]
        return made

    def feed_forward(self, index: int, kind: FfnKind) -> list[Tensor]:
        made = super().feed_forward(index, kind)
        if self.config.text("model_type") == "new":  # gate and up together have no bias, down has one
            made += vector("mlp.down_proj.bias", "mlp", self.hidden_size)
        return made

    def prediction_layers(self) -> list[Tensor]:
        return []
