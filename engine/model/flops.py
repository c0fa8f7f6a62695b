"""Forward FLOPs of an architecture: matrix products of the active parameters, and attention over the context.

A multiply and an add count as two. A training step costs three forwards (the backward pass is two: one for the
activations' gradients, one for the weights'), and one more where activations are recomputed:
`engine.training.kernels` composes that. Everything is summed once per architecture and cached, so that a search
pays a dictionary look-up.

Sources: the 2 * parameters rule of Kaplan et al. 2020, section 2.1, with attention added as in Korthikanti et al.
2022, appendix A, except that a causal or windowed layer is charged only for the pairs that it scores.
"""

from __future__ import annotations

from functools import lru_cache

from engine.figures.records import dataclass
from engine.model.architecture import Architecture, Layer

# A linear-attention or state-space update touches each state element three times a token: decay, write, read.
RECURRENT_FLOPS_PER_STATE_ELEMENT = 6


@dataclass(frozen=True, slots=True)
class ActiveElements:
    """Matrix elements that multiply one token's activations, by where they sit.

    attention: projections of all mixers (attention, MLA, linear), with sparse indexers. dense: MLPs and shared
    experts. routed: the experts that one token visits. router: routing matrices. head: the output matrix, also
    when it is tied to the embedding. state: recurrent state elements updated for each token. mtp: extra
    prediction layers.
    """

    attention: int
    dense: int
    routed: int
    router: int
    head: int
    state: int
    mtp: int

    @property
    def blocks(self) -> int:
        """All elements between the embedding and the head."""
        return self.attention + self.dense + self.routed + self.router

    @property
    def total(self) -> int:
        """All elements that one token meets, without MTP layers."""
        return self.blocks + self.head


@dataclass(frozen=True, slots=True)
class LayerFlops:
    """Matrix elements of one layer that a token meets, and the recurrent `state` elements it updates."""

    attention: int
    dense: int
    routed: int
    router: int
    state: int

    @property
    def elements(self) -> int:
        """All matrix elements that a token meets in the layer."""
        return self.attention + self.dense + self.routed + self.router


@lru_cache(maxsize=1024)
def layer_elements(layer: Layer, experts_per_token: int) -> LayerFlops:
    """Matrix elements that a token meets in one layer; of the routed experts it visits `experts_per_token`."""
    attention = dense = routed = router = 0
    for tensor in layer.tensors:
        if not tensor.is_matrix:
            continue
        if tensor.part == "routed_expert":
            routed += tensor.rows * tensor.cols * min(tensor.copies, experts_per_token)
        elif tensor.part == "router":
            router += tensor.elements
        elif tensor.part in ("mlp", "shared_expert"):
            dense += tensor.elements
        elif tensor.part in ("attention", "indexer", "recurrent"):
            attention += tensor.elements
    state = sum(cache.recurrent_elements for cache in layer.caches)
    return LayerFlops(attention, dense, routed, router, state)


@lru_cache(maxsize=1024)
def active_elements(architecture: Architecture) -> ActiveElements:
    """Matrix elements that one token meets on its way through the model, exact. Cached."""
    attention = dense = routed = router = state = 0
    for layer, count in architecture.layer_runs():
        part = layer_elements(layer, architecture.experts_per_token)
        attention += count * part.attention
        dense += count * part.dense
        routed += count * part.routed
        router += count * part.router
        state += count * part.state
    if architecture.tied:
        head = architecture.vocab_size * architecture.hidden_size
    else:
        head = sum(tensor.elements for tensor in architecture.head if tensor.part == "lm_head")
    mtp = 0
    for tensor in architecture.mtp:
        if tensor.is_matrix and tensor.part != "embedding":
            copies = (
                min(tensor.copies, architecture.experts_per_token) if tensor.part == "routed_expert" else tensor.copies
            )
            mtp += tensor.rows * tensor.cols * copies
    return ActiveElements(attention, dense, routed, router, head, state, mtp)


def scored_keys(layer: Layer, sequence_length: int, causal: bool = True) -> float:
    """Keys that an average query of a sequence scores in this layer.

    Full causal attention sees half of the sequence, a window at most its width, a chunk half of itself.
    """
    if layer.score_heads == 0:
        return 0.0
    span = layer.span
    if not causal:
        return float(min(span, sequence_length) if span else sequence_length)
    if span == 0 or span >= sequence_length:
        return (sequence_length + 1) / 2
    if any(cache.kind == "chunked" for cache in layer.caches):
        whole, rest = divmod(sequence_length, span)
        return (whole * span * (span + 1) / 2 + rest * (rest + 1) / 2) / sequence_length
    return span - span * (span - 1) / (2 * sequence_length)


@lru_cache(maxsize=2048)
def attention_flops_per_token(architecture: Architecture, sequence_length: int, causal: bool = True) -> float:
    """Forward FLOPs of scores and weighted values in all layers, for an average token of such a sequence."""
    total = 0.0
    for layer, count in architecture.layer_runs():
        keys = scored_keys(layer, sequence_length, causal)
        total += count * 2.0 * layer.score_heads * (layer.qk_width + layer.v_width) * keys
    return total


@lru_cache(maxsize=2048)
def decode_attention_flops(architecture: Architecture, context: int) -> float:
    """FLOPs of scores and weighted values for one new token that sees `context` tokens, all layers.

    MLA decodes in its latent space, as serving engines do: every head scores the shared latent of
    `kv_lora_rank + qk_rope_head_dim` and sums its `kv_lora_rank` part (DeepSeek-V2, section 2.1).
    """
    total = 0.0
    for layer, count in architecture.layer_runs():
        if layer.score_heads == 0:
            continue
        keys = min(layer.span, context) if layer.span else context
        widths = layer.qk_width + layer.v_width
        if layer.mixer == "mla":
            latent = max((cache.latent_width for cache in layer.caches), default=0)
            widths = 2 * latent if latent else widths
        total += count * 2.0 * layer.score_heads * widths * keys
    return total


@lru_cache(maxsize=2048)
def matmul_flops_per_token(architecture: Architecture, head: bool = True, mtp: bool = False) -> float:
    """Forward FLOPs of all matrix products with parameters for one token, recurrent updates included.

    head: whether the output matrix is multiplied (a prefill needs it for the last token only).
    """
    active = active_elements(architecture)
    elements = active.blocks + (active.head if head else 0) + (active.mtp if mtp else 0)
    return 2.0 * elements + RECURRENT_FLOPS_PER_STATE_ELEMENT * active.state


def forward_flops_per_token(
    architecture: Architecture, sequence_length: int, *, head: bool = True, mtp: bool = False
) -> float:
    """Forward FLOPs for an average token of a causal sequence: matrix products and attention."""
    attention = attention_flops_per_token(architecture, sequence_length)
    return matmul_flops_per_token(architecture, head, mtp) + attention
