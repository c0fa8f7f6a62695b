"""Small makers of tensors that every builder uses."""

from __future__ import annotations

from engine.model.architecture import Part, Shard, Tensor


def linear(
    name: str,
    part: Part,
    rows: int,
    cols: int,
    *,
    bias: bool = False,
    shard: Shard = "replicated",
    units: int = 0,
    copies: int = 1,
) -> list[Tensor]:
    """A projection of `cols` inputs to `rows` outputs, and its bias.

    The bias of a row-sharded projection is added once, after the sum, so every rank holds it.
    """
    made = [Tensor(name, part, rows, cols, copies, shard, units)]
    if bias:
        bias_shard: Shard = "replicated" if shard == "row" else shard
        made.append(Tensor(f"{name}.bias", part, rows, 1, copies, bias_shard, 0 if shard == "row" else units))
    return made


def norm(name: str, width: int, *, bias: bool = False, copies: int = 1, part: Part = "norm") -> list[Tensor]:
    """A normalisation of `width` features: RMSNorm, or LayerNorm with its bias."""
    made = [Tensor(name, part, width, 1, copies)]
    if bias:
        made.append(Tensor(f"{name}.bias", part, width, 1, copies))
    return made


def vector(name: str, part: Part, length: int, *, shard: Shard = "replicated", units: int = 0) -> list[Tensor]:
    """A vector of learned values; nothing when it has no length."""
    return [Tensor(name, part, length, 1, 1, shard, units)] if length else []
