"""Feed-forward blocks: a dense MLP, and a mixture of experts with its router and shared experts."""

from __future__ import annotations

from catalog.hf.tensors import linear, norm, vector
from engine.figures.records import dataclass
from engine.model.architecture import Part, Tensor


def dense_mlp(
    hidden_size: int,
    width: int,
    *,
    gated: bool = True,
    bias: bool = False,
    part: Part = "mlp",
    name: str = "mlp",
    inner_norm: bool = False,
) -> list[Tensor]:
    """Up and down projections, with a gate when the activation is gated (Shazeer 2020, arXiv 2002.05202)."""
    tensors: list[Tensor] = []
    if gated:
        tensors += linear(f"{name}.gate_proj", part, width, hidden_size, bias=bias, shard="column")
    tensors += linear(f"{name}.up_proj", part, width, hidden_size, bias=bias, shard="column")
    tensors += linear(f"{name}.down_proj", part, hidden_size, width, bias=bias, shard="row")
    if inner_norm:
        tensors += norm(f"{name}.sub_norm", width)
    return tensors


@dataclass(frozen=True, slots=True)
class MoeShape:
    """A mixture-of-experts feed-forward.

    shared_width: features of all shared experts together, 0 without any; shared_gate: a learned gate scales them.
    score_correction: a bias per expert that only steers the choice. latent_size: experts work on a narrower
    projection of the hidden state. zero_experts: slots of the router that compute nothing.
    """

    hidden_size: int
    experts: int
    expert_width: int
    shared_width: int = 0
    shared_gate: bool = False
    router_bias: bool = False
    score_correction: bool = False
    expert_bias: bool = False
    gated: bool = True
    latent_size: int = 0
    zero_experts: int = 0


def mixture_of_experts(shape: MoeShape) -> list[Tensor]:
    """Router, routed experts and shared experts of one layer."""
    hidden, experts = shape.hidden_size, shape.experts
    expert_in = shape.latent_size or hidden
    slots = experts + shape.zero_experts
    tensors = linear("router", "router", slots, hidden, bias=shape.router_bias)
    if shape.score_correction:
        tensors += vector("router.score_correction", "router", slots)
    names = ("gate_proj", "up_proj") if shape.gated else ("up_proj",)
    for name in names:
        tensors += linear(
            f"experts.{name}",
            "routed_expert",
            shape.expert_width,
            expert_in,
            bias=shape.expert_bias,
            shard="expert",
            copies=experts,
        )
    tensors += linear(
        "experts.down_proj",
        "routed_expert",
        expert_in,
        shape.expert_width,
        bias=shape.expert_bias,
        shard="expert",
        copies=experts,
    )
    if shape.latent_size:
        tensors += linear("latent_down_proj", "mlp", shape.latent_size, hidden)
        tensors += linear("latent_up_proj", "mlp", hidden, shape.latent_size)
    if shape.shared_width:
        tensors += dense_mlp(hidden, shape.shared_width, gated=shape.gated, part="shared_expert", name="shared_expert")
        if shape.shared_gate:
            tensors += linear("shared_expert.gate", "shared_expert", 1, hidden)
    return tensors
