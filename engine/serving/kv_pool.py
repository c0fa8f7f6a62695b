"""The KV cache of one GPU as engines lay it out: blocks, groups of layers, padding.

vLLM hands out blocks of one size. Models with several kinds of layers get groups of equally many layers that share
the same memory; short groups are padded, and the block of attention layers grows until a recurrent state fits one
(vllm/v1/core/kv_cache_utils.py: `get_kv_cache_groups`, `get_max_concurrency_for_kv_cache_config`;
vllm/v1/kv_cache_interface.py: `max_memory_usage_bytes` of each spec; vllm/model_executor/models/config.py:
`HybridAttentionMambaModelConfig`). SGLang keeps one pool for each kind
(sglang/srt/model_executor/model_runner_kv_cache_mixin.py).
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from functools import lru_cache
from typing import Literal

from engine.figures.records import dataclass
from engine.layout.sharding import kv_heads_on_rank, stage_range
from engine.model.architecture import Architecture, Cache
from engine.model.formats import kv_format
from engine.runtimes import ENGINES
from engine.runtimes.engine import Engine, ServingEngine

BLOCK_ALIGNMENT = 16
"""Blocks that grow to hold a recurrent state stay a multiple of this (vLLM models/config.py)."""
LATENT_BLOCK = 64
"""MLA kernels want at least this many tokens a block (vllm/platforms/cuda.py)."""
GROUP_SLACK = 1.5
"""Groups take the larger layer count while it is below this many times the smaller (kv_cache_utils.py)."""
PACKED_BLOCK = 256
"""Tokens a block of the compressed caches of DeepSeek-V4 stands for (vLLM's recipe for it)."""
PACKED_WINDOW_BLOCK = 64
"""Tokens a block of its sliding windows (vllm/models/deepseek_v4)."""
PACKED_ALIGNMENT = 576
"""Bytes that pages of DeepSeek-V4's caches are a multiple of (vllm/models/deepseek_v4/compressor.py)."""
PACKED_PADDING = 1.16
"""Blocks of DeepSeek-V4 against their pages: groups of unlike layers are padded to equal numbers. From the concurrency
that two start-up logs print for a known KV space (37.93 GiB for 9.76 x 256,000 tokens, 32.08 for 8.30 x 262,144)."""
HEAD_SCALE_BYTES = 2 * 4
"""Bytes of the scales of a token's keys and values in one head of an INT8 cache, fp32 each (vllm/v1/kv_cache_interface.py,
int8_per_token_head)."""
SCALES_APART = 1 / 32
"""Layers whose widths differ from whole multiples by their scales alone, less than this, are padded to them: an INT8 page of 16
tokens of Gemma 4's sliding layers holds 32 of its global ones (vllm-project/vllm, pull request 40391; 447,199 tokens so)."""
INDEX_SCALE_WIDTH = 128
"""Elements of an index key that share an fp32 scale (vLLM deepseek_v2.py)."""
OVERLAPPING_RATIO = 4
"""Compression at which DeepSeek-V4's compressor keeps two windows, one over the other."""

SpecKind = Literal["full", "sliding", "chunked", "state"]


@dataclass(frozen=True, slots=True)
class Spec:
    """What one layer keeps on one rank: bytes an entry, or of a whole state.

    window: tokens that a sliding or chunked layer can see. compression: tokens that one entry stands for.
    """

    kind: SpecKind
    bytes_each: float
    window: int = 0
    compression: int = 1
    latent: bool = False
    own_block: int = 0  # tokens or entries a block, where it is not the engine's
    held: int = 1  # of a state: how many a sequence keeps
    apart: bool = False  # of a drafter whose layers form groups of their own

    def entries(self, tokens: int, batched: int) -> int:
        """Cache entries that a sequence of `tokens` holds at most, while `batched` tokens are being prefilled."""
        if self.kind == "state":
            return 1
        if self.kind == "sliding":
            tokens = min(self.window - 1 + batched, tokens)
        elif self.kind == "chunked":
            tokens = min(self.window + batched, tokens)
        return -(-tokens // self.compression)


@dataclass(frozen=True, slots=True)
class Group:
    """Layers that share a block table: `count` groups of this spec, `block` entries a block."""

    spec: Spec
    count: int
    block: int

    def blocks(self, tokens: int, batched: int) -> int:
        """Blocks that one sequence holds in these groups while `batched` of its tokens are being prefilled."""
        if self.spec.kind == "state":
            return self.count * self.spec.held
        held = -(-self.spec.entries(tokens, batched) // self.block)
        # A window may start in the middle of a block, which then stays.
        return self.count * (held + 1 if self.spec.kind == "sliding" else held)

    def shared_blocks(self, tokens: int) -> int:
        """Whole blocks of so many first tokens, which sequences that begin alike hold once; windows and states are each one's own."""
        if self.spec.kind != "full":
            return 0
        return self.count * (tokens // (self.block * self.spec.compression))

    def prefill_blocks(self, batched: int) -> int:
        """Blocks past the windows that one step's prefill adds, over all sequences together."""
        if self.spec.kind not in ("sliding", "chunked"):
            return 0
        return self.count * -(-batched // (self.block * self.spec.compression))


@dataclass(frozen=True, slots=True)
class KvPool:
    """The cache of one rank: blocks of `block_bytes`, handed out to `groups`.

    uniform: every layer keeps every token, so a token count alone says what fits. waste: share of a block that is
    padding.
    """

    block_bytes: int
    groups: tuple[Group, ...]
    uniform: bool
    waste: float = 0.0

    @property
    def block_tokens(self) -> int:
        """Tokens that one block of the first group holds."""
        return self.groups[0].block * self.groups[0].spec.compression if self.groups else 1

    def blocks(self, tokens: int, batched: int) -> int:
        """Blocks of one sequence of `tokens`."""
        held = 0
        for group in self.groups:
            held += group.blocks(tokens, batched)
        return held

    def shared_blocks(self, tokens: int) -> int:
        """Blocks of so many first tokens that all sequences begin with, held once."""
        held = 0
        for group in self.groups:
            held += group.shared_blocks(tokens)
        return held

    def states(self, room_bytes: int) -> float:
        """Blocks of a room of so many bytes that states can take; infinite for a model that keeps none."""
        if not any(group.spec.kind == "state" for group in self.groups):
            return math.inf
        return room_bytes // self.block_bytes

    def _prefill_blocks(self, batched: int) -> int:
        added = 0
        for group in self.groups:
            added += group.prefill_blocks(batched)
        return added

    def sequence_bytes(self, tokens: int, batched: int) -> int:
        """Bytes that one sequence of `tokens` takes, rounded up to blocks."""
        return self.blocks(tokens, batched) * self.block_bytes

    def reported_concurrency(self, room_bytes: int, tokens: int, batched: int) -> float:
        """Sequences of `tokens` by vLLM's start-up line, as if each one were prefilling a whole step on its own."""
        blocks = self.blocks(tokens, batched)
        if not blocks:
            return math.inf
        return max(0, room_bytes // self.block_bytes) / blocks

    def needed_bytes(self, users: int, tokens: int, batched: int, shared: int = 0) -> int:
        """Bytes that `users` sequences of `tokens` need at once: windows for all, one step's prefill among them.

        shared: of the tokens, the first that all begin with.
        """
        if shared:
            once = self.shared_blocks(shared)
            return self.needed_bytes(users, tokens, batched) - (users - 1) * once * self.block_bytes
        steady = users * self.blocks(tokens, 0)
        if self.uniform:  # no window: a prefill takes what the sequence keeps
            return steady * self.block_bytes
        prefill = self._prefill_blocks(min(batched, users * tokens))
        return min(steady + prefill, users * self.blocks(tokens, batched)) * self.block_bytes

    def concurrency(self, room_bytes: int, tokens: int, batched: int, shared: int = 0) -> float:
        """Sequences of `tokens` that fit in `room_bytes` at once; infinite for a model that keeps nothing.

        Never below the reported figure: for few sequences both count the same prefill. shared: as of `needed_bytes`.
        """
        steady = self.blocks(tokens, 0)
        if not steady:
            return math.inf
        room = max(0, room_bytes // self.block_bytes)
        if shared:
            once = self.shared_blocks(shared)
            left = max(0, room - once)
            prefill, whole = self._prefill_blocks(batched), self.blocks(tokens, batched) - once
            return max((left - prefill) / (steady - once), left / whole)
        if self.uniform:
            return room / steady
        prefill = self._prefill_blocks(batched)
        return max((room - prefill) / steady, room / self.blocks(tokens, batched))

    def longest(self, room_bytes: int, limit: int, batched: int) -> int:
        """The longest single sequence that fits in `room_bytes`, at most `limit` tokens."""
        if not self.groups:
            return limit
        if self.uniform:
            return min(limit, max(0, room_bytes // self.block_bytes) * self.block_tokens)
        low, high = 0, limit
        if self.sequence_bytes(limit, batched) <= room_bytes:
            return limit
        while low < high - 1:
            middle = (low + high) // 2
            if self.sequence_bytes(middle, batched) <= room_bytes:
                low = middle
            else:
                high = middle
        return low


def cache_specs(
    cache: Cache,
    kv: str,
    ranks: int,
    engine: ServingEngine = "vllm",
    plain_latent: bool = False,
    states: int = 1,
    ahead: int = 0,
    scales: bool = False,
    state_each: int = 0,
) -> list[Spec]:
    """What one `Cache` of a layer keeps on a rank when `ranks` GPUs split the KV heads. states: of a sequence, `states_held`.

    ahead: tokens drafted in a step, by which vLLM's window of a convolution is longer (vllm/model_executor/layers/mamba/
    mamba_utils.py: conv_kernel - 1 + num_spec): blocks of 1,168 tokens of a 35B hybrid that drafts 15, 1,056 without.
    plain_latent: FP8 latents of sparse attention take a byte an element, as on Blackwell's kernels; elsewhere their
    rotary part stays 16-bit beside fp32 scales. scales: an INT8 cache has them for each token and head. state_each: bytes of
    an element of a state as asked for; 0: the engine's own.
    """
    store = kv_format(kv)
    rules = ENGINES[engine]
    if cache.kind == "recurrent":
        split = math.gcd(ranks, cache.state_heads) if cache.state_heads else ranks
        # The convolution window is kept in the compute type whatever the cache format. The state: vLLM goes by the
        # config (vllm/model_executor/layers/mamba/mamba_utils.py), other engines keep fp32.
        each = state_each or (cache.state_bytes if rules.mamba_spec else 4)
        conv = cache.conv_elements
        if rules.mamba_spec and cache.conv_window:
            conv += ahead * (conv // cache.conv_window)
        size = (conv * rules.window_bytes + cache.recurrent_elements * each) // split
        return [Spec("state", size, held=states)]
    latent = cache.kind == "latent"
    if latent:
        width = cache.latent_width * store.bytes_each
        if store.id == "fp8" and cache.index_width and not plain_latent:
            # vLLM's fp8_ds_mla: FP8 latents, 4 fp32 scales, the 64 rotary values in 16 bits.
            width += 16 + 64
    else:
        width = kv_heads_on_rank(cache, ranks) * (cache.k_width + cache.v_width) * store.bytes_each
        if store.id == "fp8" and not cache.v_width:
            # DeepSeek-V4 keeps one vector for keys and values: 64 rotary values in 16 bits, 8 bytes of scales.
            width += 64 + 8
        if store.id == "int8" and scales:
            width += kv_heads_on_rank(cache, ranks) * HEAD_SCALE_BYTES
    if cache.compression > 1 and rules.packs:
        return _compressed_specs(cache, width)
    if cache.index_width:
        # Index keys are FP8 with an fp32 scale per 128, in every cache format (vLLM deepseek_v2.py).
        width += cache.index_width + 4 * -(-cache.index_width // INDEX_SCALE_WIDTH)
    if cache.window and cache.kind in ("sliding", "chunked"):
        kind: SpecKind = "sliding" if cache.kind == "sliding" else "chunked"
        return [Spec(kind, width, cache.window, cache.compression, latent)]
    return [Spec("full", width, 0, cache.compression, latent)]


def _compressed_specs(cache: Cache, width: float) -> list[Spec]:
    """A compressed history, its index keys, and the fp32 windows that the compressors gather new entries in.

    vLLM admits a request by those windows token by token (vllm/models/deepseek_v4/compressor.py).
    """
    ratio = cache.compression
    windows = 2 if ratio == OVERLAPPING_RATIO else 1
    block = PACKED_BLOCK // ratio
    gather = OVERLAPPING_RATIO if windows == 2 else 2 * OVERLAPPING_RATIO
    specs = [
        Spec("full", width, 0, ratio, own_block=block),
        Spec("sliding", 2 * windows * cache.kv_heads * cache.k_width * 4, windows * ratio, own_block=gather),
    ]
    if cache.index_width:
        keys = cache.index_width + 4 * -(-cache.index_width // INDEX_SCALE_WIDTH)
        specs.append(Spec("full", keys, 0, ratio, own_block=block))
        specs.append(Spec("sliding", 2 * windows * cache.index_width * 4, windows * ratio, own_block=gather))
    return specs


def _packed(counts: dict[Spec, int]) -> KvPool:
    """Pages of their own size for each kind of layer, counted in units of `PACKED_ALIGNMENT` bytes."""
    groups = []
    for spec, layers in counts.items():
        block = spec.own_block or PACKED_WINDOW_BLOCK
        units = math.ceil(spec.bytes_each * block / PACKED_ALIGNMENT)
        groups.append(Group(spec, math.ceil(layers * units * PACKED_PADDING), block))
    return KvPool(PACKED_ALIGNMENT, tuple(groups), False, 1 - 1 / PACKED_PADDING)


def _paged(counts: dict[Spec, int], block: int, alignment: int) -> KvPool:
    """vLLM's layout of layers counted by spec. alignment: tokens that blocks which hold states are a multiple of."""
    if not counts:
        return KvPool(1, (), True)
    if any(spec.own_block for spec in counts):
        return _packed(counts)
    if any(spec.latent for spec in counts):
        block = max(block, LATENT_BLOCK)
    kinds = {(spec.kind, spec.window, spec.compression) for spec in counts}
    if len(kinds) == 1:
        kind = next(iter(kinds))[0]
        tokens = 1 if kind == "state" else block
        size = sum(math.ceil(spec.bytes_each * tokens) * layers for spec, layers in counts.items())
        return KvPool(size, (Group(next(iter(counts)), 1, tokens),), kind == "full")
    attention = [spec for spec in counts if spec.kind != "state"]
    states = [spec.bytes_each for spec in counts if spec.kind == "state"]
    # blocks are cut for the model's own layers; a drafter's hold as many tokens as a page of theirs takes
    own = [spec for spec in attention if not spec.apart] or attention
    widest = max((spec.bytes_each for spec in own), default=0.0)
    if states and widest:
        # Attention blocks grow until a page holds a state; the state is then padded to the page.
        needed = math.ceil(max(states) / widest)
        block = max(block, -(-needed // alignment) * alignment)
    page = max([math.ceil(widest * block), *(math.ceil(size) for size in states)])
    least, most = min(counts.values()), max(counts.values())
    size = most if most < GROUP_SLACK * least else least
    groups = []
    used = 0.0
    for spec, layers in sorted(counts.items(), key=lambda pair: pair[0].kind == "state"):
        held = 1
        if spec.kind != "state":
            ratio = widest / spec.bytes_each
            held = block * int(ratio) if ratio - int(ratio) < SCALES_APART else block
            if spec.bytes_each * held > page:
                held = max(1, int(page / spec.bytes_each) // BLOCK_ALIGNMENT) * BLOCK_ALIGNMENT
        count = -(-layers // size)
        groups.append(Group(spec, count, held))
        used += layers * min(page, spec.bytes_each * held)
    whole = sum(group.count for group in groups) * size * page
    return KvPool(page * size, tuple(groups), False, 1 - used / whole)


@dataclass(frozen=True, slots=True)
class Beside:
    """What the KV pool holds beside the model's own layers, and how it is cut.

    first: the first layer that is held here. draft: what the layers of a drafter keep. apart: whether these form groups of
    their own. states: that a sequence keeps of each recurrent layer. ahead: tokens drafted in a step. shared: ranks that share
    the tokens of one cache. alignment: as of `_paged`. scales, state_each: as of `cache_specs`. counted: whether states lie in
    a pool of so many.
    """

    draft: tuple[Cache, ...] = ()
    states: int = 1
    shared: int = 1
    alignment: int = BLOCK_ALIGNMENT
    first: int = 0
    ahead: int = 0
    apart: bool = False
    scales: bool = False
    state_each: int = 0
    counted: bool = False


ALONE = Beside()


def states_held(engine: ServingEngine, prefix_caching: bool, ahead: int) -> int:
    """States that a sequence keeps of each recurrent layer: one for each token drafted ahead may have to be taken back.

    vLLM's MambaSpec (vllm/v1/kv_cache_interface.py); llama.cpp holds 1 + drafts of each sequence (two of its logs).
    """
    return (ENGINES[engine].prefix_states if prefix_caching else 1) + ahead


@lru_cache(maxsize=256)
def state_bytes(arch: Architecture, ranks: int, pp: int, stage: int, engine: ServingEngine, each: int = 0) -> int:
    """Bytes of the recurrent states of one sequence on one GPU of a pipeline stage; 0 of models that keep none. each: as asked for."""
    total = 0.0
    for index in stage_range(len(arch.layers), pp, stage):
        for cache in arch.layers[index].caches:
            if cache.kind == "recurrent":
                total += sum(spec.bytes_each for spec in cache_specs(cache, "bf16", ranks, engine, state_each=each))
    return math.ceil(total)


def _pooled(counts: dict[Spec, int], rules: Engine) -> KvPool:
    """SGLang's layout: pools in proportion, one token a page."""
    full = sum(spec.bytes_each / spec.compression * layers for spec, layers in counts.items() if spec.kind == "full")
    windowed = sum(
        spec.bytes_each / spec.compression * layers
        for spec, layers in counts.items()
        if spec.kind in ("sliding", "chunked")
    )
    states = any(spec.kind == "state" for spec in counts)
    share = full + (rules.pool_of_windows if full else 1.0) * windowed
    if states and share:
        share *= 1 + rules.pool_of_states
    elif states:
        size = sum(spec.bytes_each * layers for spec, layers in counts.items())
        return KvPool(math.ceil(size), (Group(next(iter(counts)), 1, 1),), False)
    if not share:
        return KvPool(1, (), True)
    return KvPool(math.ceil(share), (Group(Spec("full", share), 1, 1),), True)


def _cells(counts: dict[Spec, int], step: int) -> KvPool:
    """llama.cpp's layout: a cell a token and layer, windows and states of their own, nothing padded. step: cells by which a
    sequence's grow, as MLX's do by 256."""
    groups = tuple(
        Group(spec, math.ceil(spec.bytes_each * (1 if spec.kind == "state" else step)) * layers, step)
        for spec, layers in counts.items()
    )
    if len(groups) == 1 and groups[0].spec.kind == "full" and groups[0].spec.compression == 1:
        return KvPool(groups[0].count, (Group(groups[0].spec, 1, step),), True)
    return KvPool(1, groups, not groups)


@lru_cache(maxsize=1024)
def kv_pool(
    arch: Architecture,
    kv: str,
    ranks: int,
    pp: int,
    stage: int,
    engine: ServingEngine = "vllm",
    block: int = 16,
    plain_latent: bool = False,
    beside: Beside = ALONE,
) -> KvPool:
    """The KV pool of one GPU of a pipeline stage. ranks: GPUs that split the KV heads. plain_latent: `cache_specs`."""
    counts: Counter[Spec] = Counter()
    known: dict[int, list[Spec]] = {}
    for index in stage_range(len(arch.layers), pp, stage):
        if index < beside.first:
            continue
        layer = arch.layers[index]
        specs = known.get(id(layer))
        if specs is None:
            specs = _specs(layer.caches, kv, ranks, engine, plain_latent, beside)
            known[id(layer)] = specs
        counts.update(specs)
    if stage == pp - 1:
        drafted = _specs(beside.draft, kv, ranks, engine, plain_latent, beside)
        counts.update(replace(spec, apart=beside.apart) for spec in drafted)
    rules = ENGINES[engine]
    if beside.counted:
        counts = Counter({spec: layers for spec, layers in counts.items() if spec.kind != "state"})
    if rules.kv_layout == "cells":
        return _cells(counts, rules.cell_tokens)
    return _pooled(counts, rules) if rules.kv_layout == "pools" else _paged(counts, block, beside.alignment)


def _specs(
    caches: tuple[Cache, ...], kv: str, ranks: int, engine: ServingEngine, plain_latent: bool, beside: Beside
) -> list[Spec]:
    """What the caches of a layer keep on a rank; where ranks share its tokens, an entry stands for one of each."""
    specs = [
        spec
        for cache in caches
        for spec in cache_specs(
            cache, kv, ranks, engine, plain_latent, beside.states, beside.ahead, beside.scales, beside.state_each
        )
    ]
    if beside.shared == 1:
        return specs
    return [
        spec if spec.kind == "state" else replace(spec, compression=spec.compression * beside.shared) for spec in specs
    ]
