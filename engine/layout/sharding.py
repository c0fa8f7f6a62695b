"""What one GPU of a layout holds: tensors by TP, layers by PP, experts by EP, attention by DP.

Sources: vLLM vllm/distributed/utils.py (`get_pp_indices`), vllm/model_executor/layers/{linear,
vocab_parallel_embedding}.py and fused_moe/config.py for the splits.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from engine.figures.errors import ScenarioError
from engine.figures.records import dataclass
from engine.model.architecture import Architecture, Cache, Part, Tensor
from engine.model.formats import layer_kinds, tensor_scheme, weight_format
from engine.model.schemes import Scheme
from engine.scenario import Layout

VOCAB_MULTIPLE = 64
"""Vocabulary rows are padded to this (DEFAULT_VOCAB_PADDING_SIZE, vLLM vocab_parallel_embedding.py)."""


@lru_cache(maxsize=1024)
def stage_layers(layers: int, pp: int) -> tuple[int, ...]:
    """Layers of each pipeline stage by vLLM's rule: what is left over goes to the stages before the last.

    Raises ScenarioError when there are more stages than layers.
    """
    if pp > layers:
        raise ScenarioError("layout.pp", f"{pp} stages for {layers} layers", f"1 to {layers}", layers)
    share, left = divmod(layers, pp)
    counts = [share] * pp
    # One each from the last but one backwards; the last stage also holds the head, so it gets none.
    for position in range(2, left + 2):
        counts[-position] += 1
    return tuple(counts)


def stage_range(layers: int, pp: int, stage: int) -> range:
    """Indices of the layers that a stage holds."""
    counts = stage_layers(layers, pp)
    start = sum(counts[:stage])
    return range(start, start + counts[stage])


def attention_ranks(layout: Layout) -> int:
    """GPUs that split one copy of the attention weights and of a sequence's KV heads.

    With DP attention on a layout without data parallelism (SGLang's form) every rank holds all of it.
    """
    return 1 if layout.dp_attention and layout.dp == 1 else layout.tp


def expert_group(layout: Layout) -> int:
    """GPUs that together hold one copy of the routed experts: over the replicas too when EP is wider than TP."""
    return layout.tp * layout.dp if layout.dp_attention or layout.ep > layout.tp else layout.tp


def expert_split(layout: Layout) -> tuple[int, int]:
    """(ranks that whole experts are spread over, ranks that split each expert)."""
    group = expert_group(layout)
    whole = min(layout.ep, group)
    return whole, max(1, group // whole)


def kv_copies(layout: Layout) -> int:
    """Independent KV caches of the layout: how many times the KV of one rank group counts."""
    return layout.gpus // layout.pp // attention_ranks(layout)


def split(amount: int, ranks: int, units: int = 0) -> int:
    """The largest share of `amount` over `ranks`, in whole units when there are any."""
    if ranks == 1:
        return amount
    if units:
        return amount // units * -(-units // ranks)
    return -(-amount // ranks)


def padded_vocabulary(rows: int, tp: int) -> int:
    """Vocabulary rows on one rank."""
    padded = -(-rows // VOCAB_MULTIPLE) * VOCAB_MULTIPLE
    return -(-padded // tp)


@dataclass(frozen=True, slots=True)
class Shard:
    """The piece of a tensor on one rank: `copies` matrices of rows x cols."""

    rows: int
    cols: int
    copies: int


def shard_tensor(tensor: Tensor, tp: int, attention_tp: int, experts: tuple[int, int]) -> Shard:
    """The largest piece of a tensor that one rank holds. experts: see `expert_split`."""
    rows, cols, copies = tensor.rows, tensor.cols, tensor.copies
    ranks = attention_tp if tensor.part in ("attention", "recurrent", "indexer") else tp
    if tensor.shard == "column":
        rows = split(rows, ranks, tensor.units)
    elif tensor.shard == "row":
        cols = split(cols, ranks, tensor.units)
    elif tensor.shard == "kv":
        # A KV head lives on several ranks when there are fewer heads than ranks.
        rows = split(rows, min(ranks, tensor.units) if tensor.units else ranks, tensor.units)
    elif tensor.shard == "vocab":
        rows = padded_vocabulary(rows, ranks)
    elif tensor.shard == "expert":
        whole, inner = experts
        copies = -(-copies // whole)
        if "down" in tensor.name:
            cols = split(cols, inner)
        else:
            rows = split(rows, inner)
    return Shard(rows, cols, copies)


@dataclass(frozen=True, slots=True)
class StageWeights:
    """Weights on one GPU of a pipeline stage. parts: bytes by part. elements: parameters held."""

    total_bytes: int
    elements: int
    parts: Mapping[Part, int]
    layers: int


@lru_cache(maxsize=1024)
def _stage_weights(
    arch: Architecture,
    format_id: str,
    tp: int,
    attention_tp: int,
    experts: tuple[int, int],
    pp: int,
    stage: int,
    mtp: bool,
) -> StageWeights:
    first, last = stage == 0, stage == pp - 1
    outside: tuple[Tensor, ...] = ()
    if first:
        outside += arch.embedding + arch.towers
    elif last and arch.tied:
        # The head reads the input table, so the last stage keeps its own copy.
        outside += tuple(tensor for tensor in arch.embedding if tensor.shard == "vocab")
    if last:
        outside += arch.head + (arch.mtp if mtp else ())
    kinds = stage_kinds(arch, format_id, pp, stage)
    held_parts, elements = _held(arch, format_id, outside, None, tp, attention_tp, experts)
    parts = dict(held_parts)
    for index in dict.fromkeys(kinds):
        number = kinds.count(index)
        of_layer, held_elements = _layer_weights(arch, format_id, index, tp, attention_tp, experts)
        elements += number * held_elements
        for part, size in of_layer.items():
            parts[part] = parts.get(part, 0) + number * size
    return StageWeights(
        sum(parts.values()), elements, MappingProxyType(parts), stage_layers(len(arch.layers), pp)[stage]
    )


def stage_kinds(arch: Architecture, format_id: str, pp: int, stage: int) -> tuple[int, ...]:
    """The layers of a stage in order, each as the first layer of the model that is the same as it."""
    held = stage_range(len(arch.layers), pp, stage)
    return layer_kinds(arch, format_id)[held.start : held.stop]


@lru_cache(maxsize=1024)
def _layer_weights(
    arch: Architecture, format_id: str, index: int, tp: int, attention_tp: int, experts: tuple[int, int]
) -> tuple[Mapping[Part, int], int]:
    """What one rank holds of a layer: most layers of a model are alike, and so are most stages of its layouts."""
    return _held(arch, format_id, arch.layers[index].tensors, index, tp, attention_tp, experts)


def layer_weights(arch: Architecture, format_id: str, index: int, layout: Layout) -> Mapping[Part, int]:
    """Bytes by part that one rank holds of layer `index`."""
    first = layer_kinds(arch, format_id)[index]
    return _layer_weights(arch, format_id, first, layout.tp, attention_ranks(layout), expert_split(layout))[0]


def piece_bytes(tensor: Tensor, piece: Shard, scheme: Scheme) -> int:
    """Bytes of the piece of a tensor on one rank, in that scheme."""
    return piece.copies * scheme.matrix_bytes(piece.rows, piece.cols)


def _held(
    arch: Architecture,
    format_id: str,
    tensors: tuple[Tensor, ...],
    layer_index: int | None,
    tp: int,
    attention_tp: int,
    experts: tuple[int, int],
) -> tuple[Mapping[Part, int], int]:
    """(bytes by part, parameters) of the pieces of tensors on one rank. layer_index: None outside the layers."""
    weights = weight_format(format_id)
    parts: dict[Part, int] = {}
    elements = 0
    for tensor in tensors:
        piece = shard_tensor(tensor, tp, attention_tp, experts)
        scheme = tensor_scheme(tensor, weights, arch, layer_index)
        parts[tensor.part] = parts.get(tensor.part, 0) + piece_bytes(tensor, piece, scheme)
        elements += piece.copies * piece.rows * piece.cols
    return MappingProxyType(parts), elements


def stage_weights(
    arch: Architecture, format_id: str, layout: Layout, stage: int = 0, mtp: bool = False
) -> StageWeights:
    """Weights on one GPU of `stage`, bytes by part with scales. Cached. Raises ScenarioError for too many stages."""
    return _stage_weights(
        arch, format_id, layout.tp, attention_ranks(layout), expert_split(layout), layout.pp, stage, mtp
    )


def kv_heads_on_rank(cache: Cache, ranks: int) -> int:
    """KV heads that a rank caches: fewer heads than ranks are replicated."""
    return max(1, -(-cache.kv_heads // ranks))
