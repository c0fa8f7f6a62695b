"""What towers are built of: a block of an encoder, patches, projectors, norms.

Shapes follow the modules of Hugging Face transformers 5.23 (modeling_NAME.py of each tower).
"""

from __future__ import annotations

from itertools import pairwise

from catalog.hf.reader import Config
from catalog.hf.tensors import linear, norm
from engine.figures.records import dataclass
from engine.model.architecture import Part, Shard, Tensor


@dataclass(frozen=True, slots=True)
class Towers:
    """The towers of a model, and the tokens that its largest picture or video becomes (0 when the config does not say).

    patches_per_token: that a tower sees for each token it hands on. whole: tokens of a picture attend to each other both
    ways, so that no engine cuts it over two steps.
    """

    tensors: tuple[Tensor, ...] = ()
    largest_item_tokens: int = 0
    patches_per_token: int = 4  # most towers merge 2 x 2
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Encoder:
    """A stack of `depth` equal transformer blocks without causality.

    norms: of hidden width in a block. head_norms: query and key norms of head_dim. scales: learned vectors of
    hidden width or single values beyond norms, for each block. replicated: engines do not shard it (vLLM's
    pixtral.py uses plain linears).
    """

    depth: int
    hidden_size: int
    intermediate_size: int
    heads: int
    head_dim: int = 0
    kv_heads: int = 0
    qkv_bias: bool = True
    o_bias: bool = True
    mlp_bias: bool = True
    gated: bool = False
    norms: int = 2
    norm_bias: bool = True
    head_norms: int = 0
    scales: int = 0
    gates: int = 0
    replicated: bool = False

    def tensors(self, part: Part = "vision", name: str = "vision") -> list[Tensor]:
        """The parameters of all blocks."""
        hidden, heads, depth = self.hidden_size, self.heads, self.depth
        head_dim = self.head_dim or hidden // heads
        kv_heads = self.kv_heads or heads

        def matrix(label: str, rows: int, cols: int, bias: bool, row: bool = False, units: int = 0) -> list[Tensor]:
            shard: Shard = "replicated" if self.replicated else "row" if row else "column"
            return linear(f"{name}.{label}", part, rows, cols, bias=bias, shard=shard, units=units, copies=depth)

        made = matrix("q_proj", heads * head_dim, hidden, self.qkv_bias, units=heads)
        made += matrix("k_proj", kv_heads * head_dim, hidden, self.qkv_bias, units=kv_heads)
        made += matrix("v_proj", kv_heads * head_dim, hidden, self.qkv_bias, units=kv_heads)
        made += matrix("o_proj", hidden, heads * head_dim, self.o_bias, row=True, units=heads)
        if self.gated:
            made += matrix("gate_proj", self.intermediate_size, hidden, self.mlp_bias)
        made += matrix("up_proj", self.intermediate_size, hidden, self.mlp_bias)
        made += matrix("down_proj", hidden, self.intermediate_size, self.mlp_bias, row=True)
        for number in range(self.norms):
            made += norm(f"{name}.norm_{number}", hidden, bias=self.norm_bias, copies=depth, part=part)
        for number in range(self.head_norms):
            made += norm(f"{name}.head_norm_{number}", head_dim, copies=depth, part=part)
        for number in range(self.scales):
            made += norm(f"{name}.scale_{number}", hidden, copies=depth, part=part)
        for number in range(self.gates):
            made += norm(f"{name}.gate_{number}", 1, copies=depth, part=part)
        return made


def patches(config: Config, hidden: int, *, bias: bool, channels: int = 3, temporal: int = 1) -> list[Tensor]:
    """The patch projection: a convolution whose kernel is its stride, so a matrix."""
    patch = config.positive("patch_size", 14)
    return linear("patch_embed", "vision", hidden, channels * temporal * patch * patch, bias=bias)


def table(name: str, rows: int, cols: int) -> list[Tensor]:
    """A learned table: embeddings of positions, of a class, of tiles."""
    return [Tensor(name, "vision", rows, cols)]


def mlp_projector(name: str, sizes: tuple[int, ...], *, bias: bool = True) -> list[Tensor]:
    """Matrices that lead from each of the sizes to the next."""
    made: list[Tensor] = []
    for number, (cols, rows) in enumerate(pairwise(sizes)):
        made += linear(f"{name}.linear_{number}", "vision", rows, cols, bias=bias)
    return made


def layer_norm(name: str, width: int, bias: bool) -> list[Tensor]:
    """A norm outside the blocks."""
    return norm(name, width, bias=bias, part="vision")


def pair(config: Config, key: str, default: int) -> int:
    """A side length that may be written as [height, width]."""
    if not isinstance(config.raw(key), list):
        return config.positive(key, default)
    sides = config.integers(key, 2) or [default]
    if sides[0] < 1:
        raise config.error(key, f"must be at least 1, is {sides[0]}")
    return sides[0]
