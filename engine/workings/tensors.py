"""Sums over tensors: parameters and bytes of one part of a model, or of what a rank holds of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from engine.layout.sharding import attention_ranks, expert_split, shard_tensor, stage_range
from engine.model.architecture import Architecture, Part, Tensor
from engine.model.formats import Scheme, tensor_scheme, weight_format
from engine.scenario import Layout
from engine.workings.record import Sheet

PART_WORDS: dict[Part, str] = {
    "embedding": "input embedding",
    "lm_head": "output matrix",
    "attention": "attention projections",
    "indexer": "sparse-attention indexers",
    "recurrent": "recurrent mixers",
    "mlp": "dense feed-forward",
    "routed_expert": "routed experts",
    "shared_expert": "shared experts",
    "router": "routers",
    "norm": "norms",
    "vision": "vision tower",
    "audio": "audio tower",
    "other": "other tensors",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """`copies` equal matrices of rows x cols that one tensor leaves on a rank, or in the whole model."""

    name: str
    part: Part
    rows: int
    cols: int
    copies: int
    scheme: Scheme

    @property
    def size_bytes(self) -> int:
        """Bytes of all copies."""
        return self.copies * self.scheme.matrix_bytes(self.rows, self.cols)


def model_pieces(arch: Architecture, weights: str) -> Iterator[Piece]:
    """Every tensor of the whole model, layer by layer."""
    form = weight_format(weights)
    for tensor in arch.embedding + arch.head + arch.towers:
        scheme = tensor_scheme(tensor, form, arch, None)
        yield Piece(tensor.name, tensor.part, tensor.rows, tensor.cols, tensor.copies, scheme)
    for index, layer in enumerate(arch.layers):
        for tensor in layer.tensors:
            scheme = tensor_scheme(tensor, form, arch, index)
            yield Piece(tensor.name, tensor.part, tensor.rows, tensor.cols, tensor.copies, scheme)


def rank_pieces(arch: Architecture, weights: str, layout: Layout, stage: int, mtp: bool) -> Iterator[Piece]:
    """What one rank of a pipeline stage holds; the ends of the model as `engine.layout.sharding` places them."""
    form = weight_format(weights)
    ranks, experts = attention_ranks(layout), expert_split(layout)
    first, last = stage == 0, stage == layout.pp - 1
    outside: tuple[Tensor, ...] = ()
    if first:
        outside += arch.embedding + arch.towers
    elif last and arch.tied:
        outside += tuple(tensor for tensor in arch.embedding if tensor.shard == "vocab")
    if last:
        outside += arch.head + (arch.mtp if mtp else ())

    def piece(tensor: Tensor, index: int | None) -> Piece:
        held = shard_tensor(tensor, layout.tp, ranks, experts)
        scheme = tensor_scheme(tensor, form, arch, index)
        return Piece(tensor.name, tensor.part, held.rows, held.cols, held.copies, scheme)

    for tensor in outside:
        yield piece(tensor, None)
    for index in stage_range(len(arch.layers), layout.pp, stage):
        for tensor in arch.layers[index].tensors:
            yield piece(tensor, index)


def counted(pieces: Iterable[Piece], part: str) -> dict[Piece, int]:
    """The pieces of one part, and how often each occurs."""
    found: dict[Piece, int] = {}
    for piece in pieces:
        if piece.part == part:
            found[piece] = found.get(piece, 0) + 1
    return found


def parts_of(pieces: Iterable[Piece]) -> dict[Part, int]:
    """Bytes by part, in the order in which parts first occur."""
    sums: dict[Part, int] = {}
    for piece in pieces:
        sums[piece.part] = sums.get(piece.part, 0) + piece.size_bytes
    return sums


def elements_expression(sheet: Sheet, found: dict[Piece, int], source: str) -> str:
    """Parameters: pieces x rows x columns."""
    terms = []
    for piece, count in found.items():
        pieces = sheet.put(f"{piece.name}_count", count * piece.copies, "", source)
        rows = sheet.put(f"{piece.name}_rows", piece.rows, "", source)
        columns = f" * {sheet.put(f'{piece.name}_columns', piece.cols, '', source)}" if piece.cols > 1 else ""
        terms.append(f"{pieces} * {rows}{columns}")
    return " + ".join(terms) or "0"


def bytes_expression(sheet: Sheet, found: dict[Piece, int], source: str, format_source: str) -> str:
    """Bytes: pieces x (rows x columns x bits / 8 + scales)."""
    terms = []
    for piece, count in found.items():
        scheme = piece.scheme
        pieces = sheet.put(f"{piece.name}_count", count * piece.copies, "", source)
        rows = sheet.put(f"{piece.name}_rows", piece.rows, "", source)
        columns = f" * {sheet.put(f'{piece.name}_columns', piece.cols, '', source)}" if piece.cols > 1 else ""
        bits = sheet.put(f"{scheme.name}_bits", scheme.bits, "bits", format_source)
        plain = piece.rows * piece.cols * scheme.bits / 8
        rest = scheme.matrix_bytes(piece.rows, piece.cols) - plain
        if rest:
            scales = sheet.put(f"{piece.name}_scales", rest, "bytes", "scales and zero points of one matrix")
            terms.append(f"{pieces} * ({rows}{columns} * {bits} / 8 + {scales})")
        else:
            terms.append(f"{pieces} * {rows}{columns} * {bits} / 8")
    return " + ".join(terms) or "0"
