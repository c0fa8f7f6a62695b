"""A model as the engine sees it: tensors, layers and caches, not a marketing number.

`catalog.hf_config` derives these from a Hugging Face config.json; `engine.model.parameters` counts them,
`engine.model.kv_cache` sizes their caches, and the memory and speed models shard them. Nothing here knows
a model family: a family is a way to fill these records.
"""

from __future__ import annotations

from dataclasses import field
from functools import lru_cache
from typing import Literal

from engine.figures.records import dataclass
from engine.model.schemes import Stored

Part = Literal[
    "embedding",  # input token table (and learned positions)
    "table",  # embeddings beside it, of which a token reads one row a layer (Gemma's per-layer ones)
    "lm_head",  # separate output matrix
    "attention",  # projections of an attention or MLA mixer
    "indexer",  # sparse-attention index projections
    "recurrent",  # projections and parameters of a linear-attention or SSM mixer
    "mlp",  # dense feed-forward
    "routed_expert",
    "shared_expert",
    "router",
    "norm",
    "vision",
    "audio",
    "other",
]
Shard = Literal[
    "replicated",  # every TP rank holds all of it
    "column",  # split along rows (output features), in whole `units`
    "row",  # split along columns (input features), in whole `units`
    "kv",  # split by KV head, replicated when TP exceeds the KV heads
    "vocab",  # split along the vocabulary, padded to the engine's multiple
    "expert",  # split inside each expert by TP, or whole experts by EP
]


@dataclass(frozen=True, slots=True)
class Tensor:
    """One parameter tensor, or `copies` equal ones (the experts of a layer).

    rows, cols: output and input features; a vector has cols 1.
    units: indivisible pieces along the sharded axis (heads, KV heads); 0 means any split.
    """

    name: str
    part: Part
    rows: int
    cols: int = 1
    copies: int = 1
    shard: Shard = "replicated"
    units: int = 0

    @property
    def elements(self) -> int:
        """Number of parameters over all copies."""
        return self.rows * self.cols * self.copies

    @property
    def is_matrix(self) -> bool:
        """Whether a weight format may quantize it: vectors never are."""
        return self.cols > 1 and self.rows > 1


CacheKind = Literal["full", "sliding", "chunked", "latent", "recurrent"]


@dataclass(frozen=True, slots=True)
class Cache:
    """What one layer keeps per sequence. A layer may keep several (a window and a compressed history).

    full, sliding, chunked: `kv_heads` x (`k_width` + `v_width`) elements a token, up to `window` tokens
    when window > 0, one entry for `compression` tokens.
    latent: `latent_width` elements a token, the same on every TP rank (MLA).
    recurrent: `conv_elements` in the compute dtype and `recurrent_elements` in fp32, per sequence. vLLM keeps the
    latter in `state_bytes` each: the compute dtype unless the config or the kernel asks for fp32. `conv_window`: tokens
    that the convolution looks back, of which the former hold `conv_elements / conv_window` each.
    index_width: sparse-indexer key elements a token, kept beside the cache.
    """

    kind: CacheKind
    kv_heads: int = 0
    k_width: int = 0
    v_width: int = 0
    latent_width: int = 0
    window: int = 0
    compression: int = 1
    index_width: int = 0
    conv_elements: int = 0
    conv_window: int = 0
    recurrent_elements: int = 0
    state_bytes: int = 2
    state_heads: int = 0  # how many heads a recurrent state splits into under TP

    @property
    def elements_per_token(self) -> int:
        """Cached elements that one token adds, before compression and without the indexer."""
        if self.kind == "latent":
            return self.latent_width
        return self.kv_heads * (self.k_width + self.v_width)


@dataclass(frozen=True, slots=True)
class Layer:
    """One transformer block. Equal layers of a model are the same object.

    score_heads, qk_width, v_width: for attention FLOPs: a token pair costs
    2 * score_heads * (qk_width + v_width). span: tokens that a query sees; 0 means all before it.
    """

    mixer: Literal["attention", "mla", "recurrent", "none"]
    ffn: Literal["dense", "moe", "none"]
    tensors: tuple[Tensor, ...]
    caches: tuple[Cache, ...] = ()
    score_heads: int = 0
    qk_width: int = 0
    v_width: int = 0
    span: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Architecture:
    """A whole model. Two architectures are equal when every field is; `digest` is all of them as text, compared and hashed.

    layers: in order. embedding: input side. head: final norm and output matrix. towers: vision and audio,
    held by the first pipeline stage. mtp: multi-token-prediction layers, counted only when asked.
    checkpoint_format: how the published checkpoint stores weights (`bf16`, `fp8`, `mxfp4`). fp8_blocks: what it stores
    in FP8 has a scale for each 128 x 128 block; beside experts in FP4 that is every other linear layer. stored: how the
    checkpoint's own file says each tensor is stored; None where the format says all there is to say.
    cache_format: the KV-cache format that the checkpoint holds scales for, which engines then take.
    file_bytes: what the tensors of its files take, where those were at hand.
    unread: keys of its config that say how it is built and that no reader knows.
    embeds: it reads texts and writes none, an embedder or a reranker.
    """

    model_type: str
    hidden_size: int
    vocab_size: int
    max_position: int
    layers: tuple[Layer, ...]
    embedding: tuple[Tensor, ...]
    head: tuple[Tensor, ...]
    towers: tuple[Tensor, ...] = ()
    mtp: tuple[Tensor, ...] = ()
    tied: bool = False
    heads: int = 0
    kv_heads: int = 0
    head_dim: int = 0
    intermediate_size: int = 0  # widest dense MLP
    gated_mlp: bool = True
    experts: int = 0  # routed, per MoE layer
    experts_per_token: int = 0
    shared_experts: int = 0
    expert_intermediate_size: int = 0
    checkpoint_format: str = "bf16"
    fp8_blocks: bool = False
    stored: Stored | None = None
    cache_format: str = "bf16"
    vision_tokens_max: int = 0  # largest multimodal item of the profile run, tokens; 0 for text models
    patches_per_token: int = 4  # patches that the vision tower sees for each token it hands on
    table_on_host: bool = False  # its table of n-grams is looked up in host memory, whatever the engine
    whole_items: bool = False  # tokens of a picture attend both ways: one step must take the whole of it
    file_bytes: int = 0
    unread: tuple[str, ...] = ()
    embeds: bool = False
    digest: str = field(init=False)
    runs: tuple[tuple[Layer, int], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "runs", tuple(_runs(self.layers)))
        parts = [repr(getattr(self, name)) for name in self.__slots__ if name not in ("digest", "layers", "runs")]
        parts += [f"{count}*{layer!r}" for layer, count in self.runs]
        object.__setattr__(self, "digest", "|".join(parts))

    def __hash__(self) -> int:
        return hash(self.digest)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Architecture) and self.digest == other.digest)

    def layer_runs(self) -> tuple[tuple[Layer, int], ...]:
        """The layers in order as (layer, how many in a row)."""
        return self.runs


@lru_cache(maxsize=512)
def routed_width(architecture: Architecture) -> int:
    """Width of what routed experts read: the hidden size, or a latent that the layer projects it to before routing."""
    widths = [
        tensor.cols
        for layer, _ in architecture.layer_runs()
        for tensor in layer.tensors
        if tensor.part == "routed_expert" and tensor.is_matrix and "down" not in tensor.name
    ]
    return max(widths, default=architecture.hidden_size)


def _runs(layers: tuple[Layer, ...]) -> list[tuple[Layer, int]]:
    runs: list[tuple[Layer, int]] = []
    for layer in layers:
        if runs and (runs[-1][0] is layer or runs[-1][0] == layer):
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((layer, 1))
    return runs


def dense_decoder(
    *,
    hidden_size: int,
    layers: int,
    intermediate_size: int,
    heads: int,
    kv_heads: int,
    head_dim: int,
    vocab_size: int,
    tied: bool = False,
    gated_mlp: bool = True,
    experts: int = 1,
    experts_per_token: int = 1,
    max_position: int = 131072,
    model_type: str = "generic",
) -> Architecture:
    """A plain decoder from its dimensions: for measured rows and what-ifs that have no config.json.

    experts above 1 makes every feed-forward a mixture of `experts` experts of `intermediate_size`.
    """
    q_width, kv_width = heads * head_dim, kv_heads * head_dim
    tensors = [
        Tensor("input_norm", "norm", hidden_size),
        Tensor("q_proj", "attention", q_width, hidden_size, shard="column", units=heads),
        Tensor("k_proj", "attention", kv_width, hidden_size, shard="kv", units=kv_heads),
        Tensor("v_proj", "attention", kv_width, hidden_size, shard="kv", units=kv_heads),
        Tensor("o_proj", "attention", hidden_size, q_width, shard="row", units=heads),
        Tensor("post_norm", "norm", hidden_size),
    ]
    moe = experts > 1
    part: Part = "routed_expert" if moe else "mlp"
    copies = experts if moe else 1
    if moe:
        tensors.append(Tensor("router", "router", experts, hidden_size))
    if gated_mlp:
        tensors.append(Tensor("gate_proj", part, intermediate_size, hidden_size, copies, "expert" if moe else "column"))
    tensors.append(Tensor("up_proj", part, intermediate_size, hidden_size, copies, "expert" if moe else "column"))
    tensors.append(Tensor("down_proj", part, hidden_size, intermediate_size, copies, "expert" if moe else "row"))
    layer = Layer(
        mixer="attention",
        ffn="moe" if moe else "dense",
        tensors=tuple(tensors),
        caches=(Cache("full", kv_heads=kv_heads, k_width=head_dim, v_width=head_dim),),
        score_heads=heads,
        qk_width=head_dim,
        v_width=head_dim,
    )
    head = [Tensor("final_norm", "norm", hidden_size)]
    if not tied:
        head.append(Tensor("lm_head", "lm_head", vocab_size, hidden_size, shard="vocab"))
    return Architecture(
        model_type=model_type,
        hidden_size=hidden_size,
        vocab_size=vocab_size,
        max_position=max_position,
        layers=(layer,) * layers,
        embedding=(Tensor("embed_tokens", "embedding", vocab_size, hidden_size, shard="vocab"),),
        head=tuple(head),
        tied=tied,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        intermediate_size=intermediate_size,
        gated_mlp=gated_mlp,
        experts=experts if moe else 0,
        experts_per_token=experts_per_token if moe else 0,
        expert_intermediate_size=intermediate_size if moe else 0,
    )
