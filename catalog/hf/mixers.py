"""Token mixers, one builder per idea: attention, latent attention, its compressed successor, linear attention, SSM.

Each returns a Mixer: the tensors, what the layer caches, and the widths that attention FLOPs need.
"""

from __future__ import annotations

from typing import Literal

from catalog.hf.tensors import linear, norm, vector
from engine.figures.records import dataclass
from engine.model.architecture import Cache, CacheKind, Tensor

QkNorm = Literal["none", "head", "width"]


@dataclass(frozen=True, slots=True)
class Mixer:
    """A built mixer. kind, score_heads, qk_width, v_width and span as in `engine.model.architecture.Layer`."""

    kind: Literal["attention", "mla", "recurrent", "none"]
    tensors: list[Tensor]
    caches: tuple[Cache, ...] = ()
    score_heads: int = 0
    qk_width: int = 0
    v_width: int = 0
    span: int = 0


NO_MIXER = Mixer("none", [])


@dataclass(frozen=True, slots=True)
class AttentionShape:
    """Grouped-query attention of one layer.

    head_dim is of queries and keys, v_head_dim of values. window: tokens seen, 0 for all; chunked windows start
    anew at each multiple. output_gate doubles the query projection; shares_kv: the layer reads an earlier
    layer's keys and values, so it has no projections for them and caches nothing.
    """

    hidden_size: int
    heads: int
    kv_heads: int
    head_dim: int
    v_head_dim: int
    qkv_bias: bool = False
    o_bias: bool = False
    qk_norm: QkNorm = "none"
    qk_norm_bias: bool = False
    output_gate: bool = False
    sinks: bool = False
    value_is_key: bool = False
    shares_kv: bool = False
    inner_norm: bool = False
    window: int = 0
    chunked: bool = False


def attention(shape: AttentionShape) -> Mixer:
    """Multi-head, grouped-query or multi-query attention (Ainslie et al. 2023, arXiv 2305.13245)."""
    hidden, heads, kv_heads = shape.hidden_size, shape.heads, shape.kv_heads
    q_width, k_width, v_width = heads * shape.head_dim, kv_heads * shape.head_dim, kv_heads * shape.v_head_dim
    o_width = heads * shape.v_head_dim
    q_rows = q_width * (2 if shape.output_gate else 1)
    bias = shape.qkv_bias
    tensors = linear("q_proj", "attention", q_rows, hidden, bias=bias, shard="column", units=heads)
    if not shape.shares_kv:
        tensors += linear("k_proj", "attention", k_width, hidden, bias=bias, shard="kv", units=kv_heads)
        if not shape.value_is_key:
            tensors += linear("v_proj", "attention", v_width, hidden, bias=bias, shard="kv", units=kv_heads)
    tensors += linear("o_proj", "attention", hidden, o_width, bias=shape.o_bias, shard="row", units=heads)
    if shape.qk_norm != "none":
        whole = shape.qk_norm == "width"
        tensors += norm("q_norm", q_width if whole else shape.head_dim, bias=shape.qk_norm_bias)
        if not shape.shares_kv:
            tensors += norm("k_norm", k_width if whole else shape.head_dim, bias=shape.qk_norm_bias)
    if shape.inner_norm:
        tensors += norm("attention_sub_norm", o_width)
    if shape.sinks:
        tensors += vector("sinks", "attention", heads, shard="column", units=heads)
    kind: CacheKind = "full" if not shape.window else "chunked" if shape.chunked else "sliding"
    cache = Cache(kind, kv_heads=kv_heads, k_width=shape.head_dim, v_width=shape.v_head_dim, window=shape.window)
    return Mixer(
        "attention",
        tensors,
        () if shape.shares_kv else (cache,),
        heads,
        shape.head_dim,
        shape.v_head_dim,
        shape.window,
    )


@dataclass(frozen=True, slots=True)
class LatentShape:
    """Multi-head latent attention. q_rank 0: queries are projected directly.

    index_heads, index_dim: the sparse indexer of DeepSeek-V3.2, 0 without one; index_topk: keys it keeps. indexes:
    whether this layer has it; one that does not reads the keys that the layer before it chose.
    """

    hidden_size: int
    heads: int
    q_rank: int
    kv_rank: int
    nope_dim: int
    rope_dim: int
    v_head_dim: int
    bias: bool = False
    index_heads: int = 0
    index_dim: int = 0
    index_topk: int = 0
    indexes: bool = True


def latent_attention(shape: LatentShape) -> Mixer:
    """Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1), with the index of V3.2 when it has one.

    The cache is the compressed latent and one rotary key for all heads, the same on every TP rank.
    """
    hidden, heads = shape.hidden_size, shape.heads
    qk_width = shape.nope_dim + shape.rope_dim
    tensors: list[Tensor] = []
    if shape.q_rank:
        tensors += linear("q_a_proj", "attention", shape.q_rank, hidden, bias=shape.bias)
        tensors += norm("q_a_norm", shape.q_rank)
        tensors += linear("q_b_proj", "attention", heads * qk_width, shape.q_rank, shard="column", units=heads)
    else:
        tensors += linear("q_proj", "attention", heads * qk_width, hidden, shard="column", units=heads)
    tensors += linear("kv_a_proj", "attention", shape.kv_rank + shape.rope_dim, hidden, bias=shape.bias)
    tensors += norm("kv_a_norm", shape.kv_rank)
    kv_rows = heads * (shape.nope_dim + shape.v_head_dim)
    tensors += linear("kv_b_proj", "attention", kv_rows, shape.kv_rank, shard="column", units=heads)
    o_width = heads * shape.v_head_dim
    tensors += linear("o_proj", "attention", hidden, o_width, bias=shape.bias, shard="row", units=heads)
    indexes = bool(shape.index_heads) and shape.indexes
    if indexes:
        tensors += sparse_indexer(hidden, shape.q_rank, shape.index_heads, shape.index_dim)
    cache = Cache(
        "latent",
        latent_width=shape.kv_rank + shape.rope_dim,
        index_width=shape.index_dim if indexes else 0,
    )
    span = shape.index_topk if shape.index_heads else 0
    return Mixer("mla", tensors, (cache,), heads, qk_width, shape.v_head_dim, span)


def sparse_indexer(hidden_size: int, q_rank: int, heads: int, dim: int) -> list[Tensor]:
    """The lightning indexer of DeepSeek-V3.2 (technical report, section 2.1), whole on every rank."""
    return [
        *linear("indexer.q_b_proj", "indexer", heads * dim, q_rank),
        *linear("indexer.k_proj", "indexer", dim, hidden_size),
        *norm("indexer.k_norm", dim, bias=True, part="indexer"),
        *linear("indexer.weights_proj", "indexer", heads, hidden_size),
    ]


@dataclass(frozen=True, slots=True)
class CompressedShape:
    """Attention of DeepSeek-V4: one shared key-value head, a window, and a compressed history.

    ratio: tokens per compressed entry, 0 for a layer with only its window. A layer with ratio 4 compresses
    overlapping blocks (two projections) and picks entries with an indexer.
    """

    hidden_size: int
    heads: int
    head_dim: int
    q_rank: int
    o_groups: int
    o_rank: int
    window: int
    ratio: int
    index_heads: int
    index_dim: int
    index_topk: int


# The ratio at which DeepSeek-V4 compresses with overlap and selects with its indexer (CSA; the wider ratio is HCA).
_OVERLAPPING_RATIO = 4


def compressed_attention(shape: CompressedShape) -> Mixer:
    """Windowed attention beside a compressed history, as transformers' DeepseekV4Attention builds it.

    Keys are values: the cache holds one vector of `head_dim` for each window token and each compressed block.
    """
    hidden, heads, dim, groups = shape.hidden_size, shape.heads, shape.head_dim, shape.o_groups
    tensors = [
        *linear("q_a_proj", "attention", shape.q_rank, hidden),
        *norm("q_a_norm", shape.q_rank),
        *linear("q_b_proj", "attention", heads * dim, shape.q_rank, shard="column", units=heads),
        *linear("kv_proj", "attention", dim, hidden),
        *norm("kv_norm", dim),
        *linear("o_a_proj", "attention", groups * shape.o_rank, heads * dim // groups, shard="column", units=groups),
        *linear("o_b_proj", "attention", hidden, groups * shape.o_rank, shard="row", units=groups),
        *vector("sinks", "attention", heads, shard="column", units=heads),
    ]
    caches = [Cache("sliding", kv_heads=1, k_width=dim, window=shape.window)]
    if shape.ratio:
        overlapping = shape.ratio == _OVERLAPPING_RATIO
        wide = 2 if overlapping else 1
        tensors += _compressor("compressor", hidden, dim, wide, shape.ratio)
        if overlapping:
            tensors += _compressor("indexer", hidden, shape.index_dim, wide, shape.ratio)
            index_rows = shape.index_heads * shape.index_dim
            tensors += linear("indexer.q_b_proj", "indexer", index_rows, shape.q_rank)
            tensors += linear("indexer.weights_proj", "indexer", shape.index_heads, hidden)
        index_width = shape.index_dim if overlapping else 0
        caches.append(Cache("full", kv_heads=1, k_width=dim, compression=shape.ratio, index_width=index_width))
    span = shape.window if not shape.ratio else shape.window + shape.index_topk
    return Mixer("mla", tensors, tuple(caches), heads, dim, dim, span)


def _compressor(name: Literal["compressor", "indexer"], hidden: int, dim: int, wide: int, ratio: int) -> list[Tensor]:
    part: Literal["attention", "indexer"] = "indexer" if name == "indexer" else "attention"
    return [
        *linear(f"{name}.kv_proj", part, wide * dim, hidden),
        *linear(f"{name}.gate_proj", part, wide * dim, hidden),
        Tensor(f"{name}.position_bias", part, ratio, wide * dim),
        *norm(f"{name}.kv_norm", dim, part=part),
    ]


@dataclass(frozen=True, slots=True)
class DeltaNetShape:
    """Gated delta net: key heads and value heads of a linear-attention layer, and its short convolution."""

    hidden_size: int
    key_heads: int
    value_heads: int
    key_dim: int
    value_dim: int
    conv_kernel: int


def gated_delta_net(shape: DeltaNetShape) -> Mixer:
    """Gated DeltaNet (Yang et al. 2024, arXiv 2412.06464) as Qwen3-Next builds it: one state matrix per value head."""
    hidden, heads = shape.hidden_size, shape.value_heads
    keys, values = shape.key_heads * shape.key_dim, shape.value_heads * shape.value_dim
    conv = 2 * keys + values
    tensors = [
        *linear("qk_proj", "recurrent", 2 * keys, hidden, shard="column", units=shape.key_heads),
        *linear("vz_proj", "recurrent", 2 * values, hidden, shard="column", units=heads),
        *linear("ba_proj", "recurrent", 2 * heads, hidden, shard="column", units=heads),
        Tensor("conv1d", "recurrent", conv, shape.conv_kernel, 1, "column", shape.key_heads),
        *vector("dt_bias", "recurrent", heads, shard="column", units=heads),
        *vector("A_log", "recurrent", heads, shard="column", units=heads),
        *norm("norm", shape.value_dim),
        *linear("out_proj", "recurrent", hidden, values, shard="row", units=heads),
    ]
    cache = Cache(
        "recurrent",
        conv_elements=conv * (shape.conv_kernel - 1),
        conv_window=shape.conv_kernel - 1,
        recurrent_elements=heads * shape.key_dim * shape.value_dim,
        state_heads=heads,
    )
    return Mixer("recurrent", tensors, (cache,))


@dataclass(frozen=True, slots=True)
class Mamba2Shape:
    """A Mamba-2 layer: heads of head_dim channels, a state of state_size each, B and C shared by groups."""

    hidden_size: int
    heads: int
    head_dim: int
    state_size: int
    groups: int
    conv_kernel: int
    conv_bias: bool = True
    proj_bias: bool = False
    normed: bool = True


def mamba2(shape: Mamba2Shape) -> Mixer:
    """Mamba-2 (Dao and Gu 2024, arXiv 2405.21060). Groups are replicated on the ranks that outnumber them."""
    hidden, heads, groups = shape.hidden_size, shape.heads, shape.groups
    inner = heads * shape.head_dim
    shared = 2 * groups * shape.state_size
    bias = shape.proj_bias
    tensors = [
        *linear("in_proj_zx", "recurrent", 2 * inner, hidden, bias=bias, shard="column", units=heads),
        *linear("in_proj_bc", "recurrent", shared, hidden, bias=bias, shard="kv", units=groups),
        *linear("in_proj_dt", "recurrent", heads, hidden, bias=bias, shard="column", units=heads),
        Tensor("conv1d_x", "recurrent", inner, shape.conv_kernel, 1, "column", heads),
        Tensor("conv1d_bc", "recurrent", shared, shape.conv_kernel, 1, "kv", groups),
        *vector("A_log", "recurrent", heads, shard="column", units=heads),
        *vector("D", "recurrent", heads, shard="column", units=heads),
        *vector("dt_bias", "recurrent", heads, shard="column", units=heads),
        *linear("out_proj", "recurrent", hidden, inner, bias=bias, shard="row", units=heads),
    ]
    if shape.normed:
        tensors += vector("norm", "norm", inner, shard="column", units=heads)
    if shape.conv_bias:
        tensors += vector("conv1d_x.bias", "recurrent", inner, shard="column", units=heads)
        tensors += vector("conv1d_bc.bias", "recurrent", shared, shard="kv", units=groups)
    cache = Cache(
        "recurrent",
        conv_elements=(inner + shared) * (shape.conv_kernel - 1),
        conv_window=shape.conv_kernel - 1,
        recurrent_elements=inner * shape.state_size,
        state_heads=heads,
    )
    return Mixer("recurrent", tensors, (cache,))


@dataclass(frozen=True, slots=True)
class MambaShape:
    """A first-generation Mamba layer of `inner` channels. inner_norms: Jamba normalises dt, B and C."""

    hidden_size: int
    inner: int
    state_size: int
    dt_rank: int
    conv_kernel: int
    conv_bias: bool = True
    proj_bias: bool = False
    inner_norms: bool = False


def mamba(shape: MambaShape) -> Mixer:
    """Mamba (Gu and Dao 2023, arXiv 2312.00752): a state of state_size for each channel."""
    inner, state, rank = shape.inner, shape.state_size, shape.dt_rank
    tensors = [
        *linear("in_proj", "recurrent", 2 * inner, shape.hidden_size, bias=shape.proj_bias, shard="column"),
        Tensor("conv1d", "recurrent", inner, shape.conv_kernel, 1, "column"),
        *linear("x_proj", "recurrent", rank + 2 * state, inner, shard="row"),
        *linear("dt_proj", "recurrent", inner, rank, bias=True, shard="column"),
        Tensor("A_log", "recurrent", inner, state, 1, "column"),
        *vector("D", "recurrent", inner, shard="column"),
        *linear("out_proj", "recurrent", shape.hidden_size, inner, bias=shape.proj_bias, shard="row"),
    ]
    if shape.conv_bias:
        tensors += vector("conv1d.bias", "recurrent", inner, shard="column")
    if shape.inner_norms:
        tensors += [*norm("dt_norm", rank), *norm("b_norm", state), *norm("c_norm", state)]
    cache = Cache(
        "recurrent",
        conv_elements=inner * (shape.conv_kernel - 1),
        conv_window=shape.conv_kernel - 1,
        recurrent_elements=inner * state,
        state_heads=inner,
    )
    return Mixer("recurrent", tensors, (cache,))


def short_convolution(hidden_size: int, kernel: int) -> Mixer:
    """The gated short convolution of LFM2: its only state is the last columns of its input."""
    tensors = [
        *linear("conv.in_proj", "recurrent", 3 * hidden_size, hidden_size, shard="column"),
        Tensor("conv.conv", "recurrent", hidden_size, kernel, 1, "column"),
        *linear("conv.out_proj", "recurrent", hidden_size, hidden_size, shard="row"),
    ]
    cache = Cache(
        "recurrent", conv_elements=hidden_size * (kernel - 1), conv_window=kernel - 1, state_heads=hidden_size
    )
    return Mixer("recurrent", tensors, (cache,))


def lightning_attention(hidden_size: int, heads: int, head_dim: int) -> Mixer:
    """Lightning attention of MiniMax-01 (arXiv 2501.08313, section 2.2): one head_dim x head_dim state a head."""
    width = heads * head_dim
    tensors = [
        *linear("qkv_proj", "recurrent", 3 * width, hidden_size, shard="column", units=heads),
        *linear("output_gate", "recurrent", width, hidden_size, shard="column", units=heads),
        *linear("out_proj", "recurrent", hidden_size, width, shard="row", units=heads),
        *norm("norm", width),
    ]
    cache = Cache("recurrent", recurrent_elements=heads * head_dim * head_dim, state_heads=heads)
    return Mixer("recurrent", tensors, (cache,))


def kimi_delta_attention(hidden_size: int, heads: int, head_dim: int, kernel: int) -> Mixer:
    """Kimi Delta Attention (Kimi Linear, arXiv 2510.26692): a delta rule whose decay is per channel."""
    width = heads * head_dim
    tensors = [
        *linear("qkv_proj", "recurrent", 3 * width, hidden_size, shard="column", units=heads),
        Tensor("conv1d", "recurrent", 3 * width, kernel, 1, "column", heads),
        *linear("f_a_proj", "recurrent", head_dim, hidden_size),
        *linear("f_b_proj", "recurrent", width, head_dim, shard="column", units=heads),
        *linear("g_a_proj", "recurrent", head_dim, hidden_size),
        *linear("g_b_proj", "recurrent", width, head_dim, shard="column", units=heads),
        *linear("b_proj", "recurrent", heads, hidden_size, shard="column", units=heads),
        *vector("dt_bias", "recurrent", width, shard="column", units=heads),
        *vector("A_log", "recurrent", heads, shard="column", units=heads),
        *norm("norm", head_dim),
        *linear("out_proj", "recurrent", hidden_size, width, shard="row", units=heads),
    ]
    cache = Cache(
        "recurrent",
        conv_elements=3 * width * (kernel - 1),
        conv_window=kernel - 1,
        recurrent_elements=heads * head_dim * head_dim,
        state_bytes=4,  # vLLM's kernel keeps it so (mamba_utils.py, kda_state_dtype)
        state_heads=heads,
    )
    return Mixer("recurrent", tensors, (cache,))


def gated_recurrence(hidden_size: int, width: int, blocks: int, kernel: int) -> Mixer:
    """The RG-LRU block of Griffin (De et al. 2024, arXiv 2402.19427, section 2.4): block-diagonal gates."""
    block = width // blocks
    tensors = [
        *linear("linear_y", "recurrent", width, hidden_size, bias=True, shard="column"),
        *linear("linear_x", "recurrent", width, hidden_size, bias=True, shard="column"),
        *linear("linear_out", "recurrent", hidden_size, width, bias=True, shard="row"),
        Tensor("conv_1d", "recurrent", width, kernel, 1, "column"),
        *vector("conv_1d.bias", "recurrent", width, shard="column"),
        *vector("recurrent_param", "recurrent", width, shard="column"),
        *linear("input_gate", "recurrent", width, block, bias=True, shard="column", units=blocks),
        *linear("recurrent_gate", "recurrent", width, block, bias=True, shard="column", units=blocks),
    ]
    cache = Cache("recurrent", conv_elements=width * (kernel - 1), recurrent_elements=width, state_heads=blocks)
    return Mixer("recurrent", tensors, (cache,))
