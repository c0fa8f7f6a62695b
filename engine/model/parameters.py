"""Exact parameter counts of an architecture."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from engine.figures.records import dataclass
from engine.model.architecture import Architecture, Layer, Part, Tensor


@dataclass(frozen=True, slots=True)
class ParameterCounts:
    """Tensor elements of the main model; multi-token-prediction layers are not counted.

    total: every parameter, towers included, tied embeddings once. active: total less towers and the routed
    experts that a token does not select. active_excl_input_embedding: active less the input table when it is
    not tied. vision_audio: the towers.
    """

    total: int
    active: int
    active_excl_input_embedding: int
    embedding: int
    lm_head: int
    vision_audio: int


def elements(tensors: Iterable[Tensor], part: Part | None = None) -> int:
    """Parameters of `tensors`, or of those of one part."""
    return sum(tensor.elements for tensor in tensors if part is None or tensor.part == part)


@lru_cache(maxsize=512)
def layer_elements(layer: Layer) -> int:
    """Parameters of one block."""
    return elements(layer.tensors)


def idle_elements(layer: Layer, experts_per_token: int) -> int:
    """Parameters of the routed experts of one block that a token does not visit."""
    return sum(
        tensor.rows * tensor.cols * (tensor.copies - min(experts_per_token, tensor.copies))
        for tensor in layer.tensors
        if tensor.part == "routed_expert"
    )


@lru_cache(maxsize=256)
def count_parameters(arch: Architecture) -> ParameterCounts:
    """Count the parameters of `arch`; exact, from its tensors."""
    embedding = elements(arch.embedding, "embedding")
    lm_head = elements(arch.head, "lm_head")
    towers = elements(arch.towers)
    total = elements(arch.embedding) + elements(arch.head) + towers
    idle = 0
    for layer, count in arch.layer_runs():
        total += count * layer_elements(layer)
        idle += count * idle_elements(layer, arch.experts_per_token)
    active = total - towers - idle - elements(arch.embedding, "table")
    return ParameterCounts(
        total=total,
        active=active,
        active_excl_input_embedding=active if arch.tied else active - embedding,
        embedding=embedding,
        lm_head=lm_head,
        vision_audio=towers,
    )
