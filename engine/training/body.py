"""What of a model sets the time of a training step: sums over its layers at one sequence length."""

from __future__ import annotations

from functools import lru_cache

from engine.figures.records import dataclass
from engine.model.architecture import Architecture, routed_width
from engine.model.flops import active_elements, attention_flops_per_token
from engine.training.traffic import parts_of

LATENT_TO_WIDTH = ("q_b_proj", "kv_b_proj")
"""The projections that Megatron-LM's mla_up_proj names."""


@dataclass(frozen=True, slots=True)
class Body:
    """Sums over a model at one sequence length. Elements are matrix elements that a token meets.

    attention_flops: forward, an average token, all layers. score_pairs: query-key pairs a token. streams: element-wise
    elements a token in all layers, of the hidden state (norms, residuals: every tensor-parallel rank may repeat
    them) and of what lies inside the blocks (which tensor parallelism splits). permuted: those that routing to
    experts and back moves. held: parameters of the blocks, outer: of embedding and head. dense: of the projections those of feed-forwards
    that every token meets, unpacked: those that bring MLA's latents to full width, alternate: every second one of a layer, last: the one that ends it, unless experts do.
    """

    layers: int
    moe_layers: int
    projections: int
    routed: int
    head: int
    attention_flops: float
    score_pairs: float
    streams_hidden: int
    streams_inner: int
    permuted: int
    hidden: int
    head_dim: int
    expert_width: int
    vocabulary: int
    experts: int
    per_token: int
    held: int
    outer: int
    dense: int = 0
    unpacked: int = 0
    alternate: int = 0
    last: int = 0

    @property
    def parameters(self) -> int:
        """All parameters, without vision towers and MTP layers."""
        return self.held + self.outer


@lru_cache(maxsize=1024)
def body(architecture: Architecture, sequence_length: int) -> Body:
    """The sums of a model at a sequence length. Cached."""
    active = active_elements(architecture)
    parts = parts_of(architecture)
    hidden_streams = inner_streams = 0
    pairs = 0.0
    unpacked = alternate = last = 0
    hidden = architecture.hidden_size
    for layer, count in architecture.layer_runs():
        inner = 0
        matrices = [t for t in layer.tensors if t.is_matrix and t.part not in ("routed_expert", "router")]
        alternate += count * sum(tensor.elements for tensor in matrices[1::2])
        if layer.ffn != "moe" and matrices:
            last += count * matrices[-1].elements
        unpacked += count * sum(tensor.elements for tensor in matrices if tensor.name in LATENT_TO_WIDTH)
        for tensor in layer.tensors:
            if tensor.part == "routed_expert":
                copies = min(tensor.copies, architecture.experts_per_token)
            else:
                copies = tensor.copies
            if tensor.is_matrix and tensor.part != "router" and hidden in (tensor.rows, tensor.cols):
                inner += max(tensor.rows, tensor.cols) * copies if tensor.rows != tensor.cols else hidden
        # norms and residuals read and write the hidden state; every product writes and rereads its inner side
        hidden_streams += count * 8 * hidden
        inner_streams += count * 2 * inner
        if layer.score_heads:
            pairs += count * layer.score_heads * (sequence_length + 1) / 2
    return Body(
        layers=parts.layers,
        moe_layers=parts.moe,
        projections=active.attention + active.dense + active.router,
        routed=active.routed,
        head=active.head,
        attention_flops=attention_flops_per_token(architecture, sequence_length),
        score_pairs=pairs,
        streams_hidden=hidden_streams,
        streams_inner=inner_streams,
        permuted=parts.moe * 4 * routed_width(architecture) * max(1, architecture.experts_per_token),
        hidden=hidden,
        head_dim=architecture.head_dim,
        expert_width=architecture.expert_intermediate_size,
        vocabulary=architecture.vocab_size,
        experts=architecture.experts,
        per_token=max(1, architecture.experts_per_token),
        held=parts.held,
        outer=parts.outer,
        dense=active.dense,
        unpacked=unpacked,
        alternate=alternate,
        last=last,
    )
