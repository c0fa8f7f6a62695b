"""What one rank of a training layout holds, in elements: counted from the architecture, cached per layout.

Tensor parallelism splits what `Tensor.shard` says, pipeline stages take consecutive layers, expert parallelism
places whole experts. Nothing here knows bytes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from engine.figures.records import dataclass
from engine.model.architecture import Architecture, Layer, Tensor

BODY_PARTS = frozenset({"attention", "indexer", "recurrent", "mlp", "routed_expert", "shared_expert"})


@dataclass(frozen=True, slots=True)
class LayerElements:
    """One decoder layer on one rank.

    linear: elements of the projections that a weight format may quantize; expert: the routed experts among them.
    other: norms, biases, routers. *_width: elements a token that the layer's activations are made of: qkv (all
    outputs of the input projections of the mixer), attention (input of its output projection), up (all outputs of
    the input projections of the feed-forward), routed_width (those of routed experts of it). expert_up_width: what one routed
    expert's turn is of up_width, when experts run one after the other. routed_copies: hidden states a token that
    routing keeps: each chosen expert's output, and the same weighted.
    """

    linear: int
    expert: int
    other: int
    largest_matrix: int
    qkv_width: int
    attention_width: int
    up_width: int
    routed_width: int
    expert_up_width: int
    routed_copies: int
    score_heads: int

    @property
    def all(self) -> int:
        """Every element of the layer on this rank."""
        return self.linear + self.other


@dataclass(frozen=True, slots=True)
class StageElements:
    """One pipeline stage on one rank: sums over its layers and its ends of the model."""

    layers: int
    linear: int
    expert: int
    other: int
    embedding: int
    head: int
    towers: int
    biggest: LayerElements  # by parameters
    widest: LayerElements  # by activations
    qkv_width: int  # summed over the layers
    attention_width: int
    up_width: int
    routed_width: int
    routed_copies: int
    score_heads: int
    first: bool
    last: bool

    @property
    def ends(self) -> int:
        """Embedding and output matrix on this stage."""
        return self.embedding + self.head

    @property
    def all(self) -> int:
        """Every element of the stage on this rank."""
        return self.linear + self.other + self.embedding + self.head + self.towers


def stage_layer_counts(layers: int, stages: int) -> tuple[int, ...]:
    """Layers of each pipeline stage: even, the remainder on the stages before the last, which holds the head."""
    base, extra = divmod(layers, stages)
    counts = [base] * stages
    for position in range(extra):
        counts[(stages - 2 - position) % stages] += 1
    return tuple(counts)


def _split(units: int, size: int, tp: int) -> int:
    """Rows or columns on the fullest rank: whole units when there are units, else an even split."""
    if tp == 1:
        return size
    if units:
        return size // units * max(1, -(-units // tp))
    return -(-size // tp)


def _on_rank(tensor: Tensor, tp: int, ep: int) -> tuple[int, int, int]:
    """(rows, cols, copies) of a tensor on one rank."""
    rows, cols, copies = tensor.rows, tensor.cols, tensor.copies
    if tensor.shard == "expert" and ep > 1:
        return rows, cols, -(-copies // ep)
    if tensor.shard in ("column", "kv", "vocab"):
        return _split(tensor.units, rows, tp), cols, copies
    if tensor.shard == "row":
        return rows, _split(tensor.units, cols, tp), copies
    if tensor.shard == "expert" and tp > 1:
        if "down" in tensor.name:
            return rows, -(-cols // tp), copies
        return -(-rows // tp), cols, copies
    return rows, cols, copies


def _total(tensors: tuple[Tensor, ...], tp: int, ep: int = 1) -> int:
    total = 0
    for tensor in tensors:
        rows, cols, copies = _on_rank(tensor, tp, ep)
        total += rows * cols * copies
    return total


@lru_cache(maxsize=1024)
def layer_elements(layer: Layer, experts: int, experts_per_token: int, tp: int, ep: int) -> LayerElements:
    """One layer on one rank of TP and EP."""
    linear = expert = other = largest = 0
    qkv = attention = up = routed_up = 0
    for tensor in layer.tensors:
        rows, cols, copies = _on_rank(tensor, tp, ep)
        elements = rows * cols * copies
        if tensor.part not in BODY_PARTS or not tensor.is_matrix:
            other += elements
            continue
        linear += elements
        largest = max(largest, rows * cols)
        if tensor.part == "routed_expert":
            expert += elements
        uses = experts_per_token if tensor.part == "routed_expert" else tensor.copies
        closing = tensor.shard == "row" or (tensor.part == "routed_expert" and "down" in tensor.name)
        if tensor.part in ("attention", "indexer", "recurrent"):
            if closing:
                attention += cols
            else:
                qkv += rows
        elif not closing:
            up += rows * uses
            routed_up += rows * uses if tensor.part == "routed_expert" else 0
    heads = -(-layer.score_heads // tp)
    turn = routed_up // max(1, experts)
    copies_kept = 2 * experts_per_token if routed_up else 0
    return LayerElements(
        linear, expert, other, largest, qkv, attention, up, routed_up, up - routed_up + turn, copies_kept, heads
    )


@lru_cache(maxsize=256)
def stage_elements(architecture: Architecture, tp: int, pp: int, ep: int) -> tuple[StageElements, ...]:
    """Every pipeline stage on one rank, in order."""
    counts = stage_layer_counts(len(architecture.layers), pp)
    stages: list[StageElements] = []
    start = 0
    for index, count in enumerate(counts):
        per_layer = [
            layer_elements(layer, architecture.experts, architecture.experts_per_token, tp, ep)
            for layer in architecture.layers[start : start + count]
        ]
        start += count
        first, last = index == 0, index == pp - 1
        ends_other = sum(t.elements for t in architecture.head if t.part == "norm") if last else 0
        head = _total(tuple(t for t in architecture.head if t.part == "lm_head"), tp) if last else 0
        embedding = _total(architecture.embedding, tp) if first else 0
        if last and architecture.tied and not first:
            head = _total(architecture.embedding, tp)
        stages.append(
            StageElements(
                layers=count,
                linear=sum(e.linear for e in per_layer),
                expert=sum(e.expert for e in per_layer),
                other=sum(e.other for e in per_layer) + ends_other,
                embedding=embedding,
                head=head,
                towers=_total(architecture.towers, tp) if first else 0,
                biggest=max(per_layer, key=lambda e: e.all),
                widest=max(per_layer, key=lambda e: e.qkv_width + e.attention_width + 2 * e.up_width),
                qkv_width=sum(e.qkv_width for e in per_layer),
                attention_width=sum(e.attention_width for e in per_layer),
                up_width=sum(e.up_width for e in per_layer),
                routed_width=sum(e.routed_width for e in per_layer),
                routed_copies=sum(e.routed_copies for e in per_layer),
                score_heads=sum(e.score_heads for e in per_layer),
                first=first,
                last=last,
            )
        )
    return tuple(stages)


NOT_LINEAR = ("conv1d", "A_log", "bias")


PACKED_EXPERTS: Final = frozenset(
    {
        "gpt_oss",
        "llama4",
        "llama4_text",
        "dbrx",
        "granitemoe",
        "granitemoeshared",
        "granitemoehybrid",
        "qwen3_vl_moe",
    }
)
"""Models whose experts are parameters of three dimensions and no linear modules (transformers, models/gpt_oss/modeling_gpt_oss.py:
GptOssExperts, and its like): targets by the names of modules do not reach them (huggingface.co/docs/peft, LoraConfig:
target_parameters)."""
WITH_EXPERTS: Final = "all-linear-and-experts"


def leaves_out_experts(architecture: Architecture, targets: str) -> bool:
    """Whether adapters of these targets pass by the routed experts of a model, which are no linear modules of it."""
    return architecture.model_type in PACKED_EXPERTS and architecture.experts > 0 and targets != WITH_EXPERTS


def _adapted(tensor: Tensor, targets: str, modules_only: bool) -> bool:
    """Whether LoRA of these targets wraps this projection. modules_only: routed experts are not reached."""
    if modules_only and tensor.part == "routed_expert":
        return False
    if not tensor.is_matrix or tensor.part not in BODY_PARTS or any(word in tensor.name for word in NOT_LINEAR):
        return False
    mixer = tensor.part in ("attention", "recurrent")
    mlp = tensor.part in ("mlp", "routed_expert", "shared_expert")
    closing = tensor.shard == "row"
    if targets == "attention":
        return mixer
    if targets == "attention-qv":
        return mixer and not closing and not tensor.name.startswith("k_")
    if targets == "mlp":
        return mlp
    if targets == "attention-qkv-mlp":
        return mlp or (mixer and not closing)
    if targets == "attention-qvo-mlp":
        return mlp or (mixer and not tensor.name.startswith("k_"))
    return mixer or mlp


@lru_cache(maxsize=2048)
def adapter_inputs(architecture: Architecture, targets: str, tp: int, ep: int) -> int:
    """Elements a token that the adapted projections of the widest layer read, on one rank."""
    widest, modules_only = 0, leaves_out_experts(architecture, targets)
    for layer, _ in architecture.layer_runs():
        total = 0
        for tensor in layer.tensors:
            if _adapted(tensor, targets, modules_only):
                uses = architecture.experts_per_token if tensor.part == "routed_expert" else tensor.copies
                total += _on_rank(tensor, tp, ep)[1] * uses
        widest = max(widest, total)
    return widest


@lru_cache(maxsize=2048)
def adapter_widths(architecture: Architecture, targets: str, tp: int, pp: int, ep: int) -> tuple[int, ...]:
    """Adapter elements a unit of LoRA rank (inputs plus outputs of each target), on a rank of each stage."""
    counts = stage_layer_counts(len(architecture.layers), pp)
    widths: list[int] = []
    modules_only = leaves_out_experts(architecture, targets)
    start = 0
    per_layer: dict[int, int] = {}
    for index, count in enumerate(counts):
        total = 0
        for layer in architecture.layers[start : start + count]:
            key = id(layer)
            if key not in per_layer:
                per_layer[key] = 0
                for tensor in layer.tensors:
                    if _adapted(tensor, targets, modules_only):
                        rows, cols, copies = _on_rank(tensor, tp, ep)
                        per_layer[key] += (rows + cols) * copies
            total += per_layer[key]
        start += count
        if targets == "all-linear-and-head" and index == pp - 1:
            total += architecture.hidden_size + -(-architecture.vocab_size // tp)
        widths.append(total)
    return tuple(widths)
