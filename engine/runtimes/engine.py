"""What one serving engine does and takes: the questions that sizing asks of each, whatever its name.

The formulas stand in `engine.serving`, `engine.layout` and `engine.decide`; they ask an entry and never for its name.
"""

from __future__ import annotations

from dataclasses import field
from typing import Literal, TypeAlias

from engine.figures.records import dataclass

ServingEngine: TypeAlias = Literal["vllm", "vllm-earlier", "sglang", "trtllm", "llama.cpp", "mlx"]


@dataclass(frozen=True, slots=True)
class ByCard:
    """Settings that an engine fills in by the size of the card. `*_large`: on large cards (`engine.serving.settings`).

    utilization: of the memory that a process sees. tokens: of a pass; sequences: at once.
    """

    utilization: float
    tokens: int
    tokens_large: int
    sequences: int
    sequences_large: int


@dataclass(frozen=True, slots=True)
class ByMemory:
    """Settings that an engine computes from the memory of the card, and what it keeps back of it, MiB.

    batches: (cards of less than so many MiB, chunk of a prompt, largest batch captured, the same from `wide_tp` on).
    fixed, chunk_token, graph_entry, group_of_eight: what is kept whatever is asked, for a token of a chunk (of `least_chunk`
    at least), for a captured batch entry, and for eight GPUs of a group. rank, rank_large: for a captured entry and rank
    where attention is data parallel, the second from batches of more than `large_batch` on. large: kept at least on cards of
    more than `large_card`. least_fraction: what is left in any case. prefill_sizes: (up to so many tokens, step) of the
    lengths of prompt that are captured too; prefill_entry: for each of them, prefill_latent: for all where attention is latent.
    """

    batches: tuple[tuple[float, int, int, int], ...]
    wide_tp: int
    fixed: float
    least_chunk: int
    chunk_token: float
    graph_entry: float
    group_of_eight: float
    rank: float
    rank_large: float
    large_batch: int
    large: float
    large_card: float
    least_fraction: float
    prefill_sizes: tuple[tuple[int, int], ...] = ()
    prefill_entry: float = 0.0
    prefill_latent: float = 0.0


@dataclass(frozen=True, slots=True)
class Computed:
    """Buffers that an engine computes beforehand, where others measure them in a profile run.

    copies: fp32 copies of the states and feed-forward of a token that its compute buffer holds. mask_bytes: of an entry of
    the attention mask, which is tokens of a pass by cells. context_gib: what its process takes beside its buffers. draft: the
    buffer of a drafter's context against the model's.
    """

    copies: float
    mask_bytes: int
    context_gib: float
    draft: float = 0.0


Budget: TypeAlias = Literal["share", "share, graphs after", "static", "what is free", "what is left"]
"""How the memory of a card is shared out. share: weights, activations, graphs and KV in a share of the card. share, graphs
after: the same, and graphs are captured once KV has taken what is left. static: of what is free when the process has
started, weights and KV get a fraction, everything else the rest. what is free: all of it, buffers computed beforehand. what is left: KV gets a share of what weights and a profiled pass leave."""
KvLayout: TypeAlias = Literal["blocks", "pools", "cells"]
"""blocks: of one size for groups of layers. pools: one for each kind of layer, in proportion. cells: one a token and layer."""
Host: TypeAlias = Literal["layers", "copied", "none"]
"""Weights in host memory. layers: whole layers or experts, multiplied by the CPU. copied: over the slot in every step."""


@dataclass(frozen=True, slots=True, eq=False)
class Engine:
    """One serving engine, or one release of it that is sized apart. source: where its rules stand.

    Start and memory:
    defaults: settings that it fills in. budget, kv_layout, host: how it shares out a card. buffers: None of a profile run. takes_any_kv: it starts with any
    KV pool and refuses what is longer, where others want room for one whole sequence. refuses_short_kv: whether its start
    is known to refuse by its own count of what the KV holds. states_for_all: whether it wants a block for the state of each
    sequence at once. refuses_held_memory: whether its share is of the whole memory, part of which a host may hold.
    host_experts: whether KTransformers' kernels may multiply its experts on the CPU. kv_by_bytes: whether the KV cache may be
    asked for in bytes. state_slots: whether the recurrent states that it keeps may be counted out.
    whole_items: whether a step must take the whole of a picture whose tokens attend both ways, and towers may be left out.
    logs: starts of it that say what its KV cache holds, on which memory constants rest. rows_keep_kv: split by rows, its first
    card holds the whole KV cache. sampler, together: the fitted constants of
    `engine.calibration.serving_memory` for its sampler and for GPUs that work together. capture_step: of captured batch
    sizes above 256. drafted_rows: rows of logits a sequence that its profile run samples where tokens are drafted.
    drafted_sequences: that run at most where tokens are drafted and nobody says. copied_vocabulary: whether a drafter's copies of
    the embedding and the head, given back later, are there while the KV cache is sized.
    pads_rocm: whether its weights are padded on AMD's cards. marlin: whether MXFP4 experts take Marlin's kernels where no
    others are known. embedding_on_host: whether the input table stays there. towers_apart: whether
    towers for pictures and sound are files that it does not load. makers: of the cards that it runs on; empty: any.
    reads_mlx: whether MLX's files are its own.
    expert_adapters: whether slots for LoRA adapters hold factors of each routed expert.
    stored: formats that its files have in the place of others.

    KV cache:
    prefix_states: states that a sequence keeps of a recurrent layer where prefixes are cached. mamba_spec: whether states
    are of the type that the config says and windows grow with drafted tokens; window_bytes: of an element of a window.
    cell_tokens: by which the cells of a sequence grow. packs: whether compressed caches are kept in pages of their own. plain_latents: whether it has the kernels that keep FP8
    latents a byte an element. head_scales: whether an INT8 cache has scales for each token and head. pool_of_windows, pool_of_states: of pools, tokens or bytes for each one of the full pool.
    attention: the kernels of attention that it takes by itself, by class of card (`engine.serving.attention`).
    shares_prefixes: whether requests that begin alike hold the KV of that beginning once.

    Speed and layout:
    speed: whose fitted constants (`name@engine`) its passes take. mark: what its speeds are known worse by than current vLLM's
    (`engine.serving.intervals.MARKS`). whole_layers: GPUs get whole layers unless told
    otherwise. mixed_passes: a pass reads a piece of a prompt and decodes. chunk_tokens: of a prompt in a pass.
    hop_s: that handing a step from a host to the next one costs it beside the wire.
    held_share: of its answer that an average running request holds. sequence_limit: sequences at once where nobody says,
    if it is bound by its token pool long before. int8_blocks: whether packed blocks are multiplied in INT8.
    kernels_measured: whether the kernels of the catalog's tables are its own. gguf: how it reads GGUF.
    """

    id: ServingEngine
    label: str
    source: str
    defaults: ByCard | ByMemory
    budget: Budget = "share"
    buffers: Computed | None = None
    kv_layout: KvLayout = "blocks"
    host: Host = "none"
    takes_any_kv: bool = False
    refuses_short_kv: bool = False
    states_for_all: bool = False
    refuses_held_memory: bool = False
    host_experts: bool = False
    kv_by_bytes: bool = False
    state_slots: bool = False
    whole_items: bool = False
    logs: int = 0
    rows_keep_kv: bool = False
    sampler: Literal["SAMPLER_BYTES", "SAMPLER_SORTED_BYTES"] = "SAMPLER_BYTES"
    together: Literal["NON_TORCH_TOGETHER_GIB", "NON_TORCH_TOGETHER_EARLIER_GIB"] = "NON_TORCH_TOGETHER_GIB"
    capture_step: int = 16
    drafted_rows: int = 1
    drafted_sequences: int = 0
    copied_vocabulary: bool = False
    pads_rocm: bool = True
    marlin: bool = True
    embedding_on_host: bool = False
    towers_apart: bool = False
    makers: tuple[str, ...] = ()
    reads_mlx: bool = False
    cell_tokens: int = 1
    expert_adapters: bool = False
    stored: dict[str, str] = field(default_factory=dict)
    prefix_states: int = 1
    mamba_spec: bool = False
    window_bytes: int = 2
    packs: bool = False
    plain_latents: bool = True
    head_scales: bool = False
    pool_of_windows: float = 1.0
    pool_of_states: float = 1.0
    shares_prefixes: bool = True
    attention: dict[str, str] = field(default_factory=dict)
    speed: str = ""
    mark: str = ""
    whole_layers: bool = False
    mixed_passes: bool = False
    chunk_tokens: int = 8192
    hop_s: float = 0.0
    held_share: float = 0.6
    sequence_limit: int | None = None
    int8_blocks: bool = False
    kernels_measured: bool = True
    gguf: Literal["own", "as an experiment", "unsaid"] = "unsaid"
