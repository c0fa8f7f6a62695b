"""What a training layout's GPUs say to each other in one optimizer step.

The one list of a step's collectives: the speed model prices it on the build's links, the fabric table on every link.

Tensor parallelism sums behind every mixer and every feed-forward, forward, backward and recomputed (Shoeybi et al. 2019,
arXiv 1909.08053, section 3); with sequence parallelism the all-reduce becomes a reduce-scatter and an all-gather of the
same bytes (Korthikanti et al. 2022, arXiv 2205.05198, section 4.2). Whole experts on other ranks take an all-to-all
before and one after them in their place (Lepikhin et al. 2020, arXiv 2006.16668). Ranks that share a sequence gather
each other's keys and values. Pipeline stages pass hidden states on and gradients back, once for each chunk of layers
(Narayanan et al. 2021, arXiv 2104.04473, section 2.2). Data parallelism follows ZeRO (Rajbhandari et al. 2019, arXiv
1910.02054, section 7): gradients alone, gradients and parameters, or parameters gathered before every use. Ranks that
hold other experts have nothing of them to share: expert weights and gradients travel among the copies of each expert.
"""

from __future__ import annotations

from functools import lru_cache

from engine.figures.records import NamedTuple
from engine.links.collectives import Op
from engine.links.traffic import ACTIVATION_BYTES, Message, Span
from engine.model.architecture import Architecture, routed_width
from engine.runtimes.frameworks import ACCOUNTS, Sharding
from engine.scenario import Layout, ShardingGroup, Workload
from engine.scenario.frameworks import framework_of, stops_early
from engine.training.batch import Batch, batch_of, context_ranks, shard_ranks, stage_chunks
from engine.training.memory.elements import adapter_widths

NF4_BYTES = 0.53
"""NF4 with double quantization: 4.127 bits a parameter (Dettmers et al. 2023, arXiv 2305.14314) and unquantized norms."""
GRADIENT_BYTES = 2.0
"""Gradients are reduced in 16 bit, where the framework does not sum them in 32."""
FP32_GRADIENT_BYTES = 4.0
"""Gradients in fp32, as a framework reduces them that says so (`engine.runtimes.frameworks.Framework.reduces_fp32`)."""


class Parts(NamedTuple):
    """Counts of a model that its training traffic follows from.

    mixers, dense, moe: blocks of each kind. held: parameters of the blocks; experts: the routed ones of them; outer:
    embedding and head. kv_width: keys and values of a token, elements, of the layer that has most.
    """

    layers: int
    mixers: int
    dense: int
    moe: int
    held: int
    experts: int
    outer: int
    kv_width: int


@lru_cache(maxsize=1024)
def parts_of(arch: Architecture) -> Parts:
    """The counts of a model, without vision towers and MTP layers. Cached."""
    mixers = dense = moe = held = experts = kv_width = 0
    for layer, count in arch.layer_runs():
        mixers += count * (layer.mixer != "none")
        dense += count * (layer.ffn == "dense")
        moe += count * (layer.ffn == "moe")
        held += count * sum(tensor.elements for tensor in layer.tensors)
        experts += count * sum(tensor.elements for tensor in layer.tensors if tensor.part == "routed_expert")
        kv_width = max(kv_width, sum(cache.elements_per_token for cache in layer.caches))
    outer = sum(tensor.elements for tensor in (*arch.embedding, *arch.head))
    return Parts(len(arch.layers), mixers, dense, moe, held, experts, outer, kv_width)


class Held(NamedTuple):
    """Parameters of one rank, and how many data-parallel ranks hold the same.

    shared: all but routed experts; experts: the routed ones. trained, trained_experts: what of them has gradients.
    group: ranks that ZeRO shards over; copies: ranks of that group that hold the same experts.
    """

    shared: float
    experts: float
    trained: float
    trained_experts: float
    group: int
    copies: int

    @property
    def all(self) -> float:
        """Every parameter of the rank."""
        return self.shared + self.experts

    @property
    def all_trained(self) -> float:
        """Every parameter of the rank that learns."""
        return self.trained + self.trained_experts


ONE_FORWARD = 1.0
"""The unit in which passes of a micro-batch are counted."""


def passes_of(workload: Workload) -> float:
    """How often a micro-batch passes the layers: forward, backward, forward again when all is recomputed, and for scores."""
    learns = (3 if workload.recompute == "full" else 2) * workload.trained_models
    scores = workload.scoring_passes
    return learns if not scores else learns + scores * ONE_FORWARD


class Pattern(NamedTuple):
    """Collectives that a step repeats, whatever the length of its micro-batches.

    bytes_a_token, fixed_bytes: of one collective. each: collectives of a micro-batch; once: of the step. The rest as of
    `Message`.
    """

    op: Op
    span: Span
    ranks: int
    stride: int
    bytes_a_token: float
    fixed_bytes: float
    each: float
    once: float

    def message(self, batch: Batch) -> Message:
        """The message of a step of that batch."""
        payload = self.bytes_a_token * batch.rank_tokens + self.fixed_bytes
        count = self.each * batch.micro_batches + self.once
        return Message(self.op, payload, count, self.ranks, self.span, self.stride)


class Traffic(NamedTuple):
    """What a layout's ranks hold and say to each other."""

    held: Held
    patterns: tuple[Pattern, ...]


def traffic_of(
    arch: Architecture,
    workload: Workload,
    layout: Layout,
    gpus_per_node: int,
    sharding: Sharding,
    reach: ShardingGroup,
) -> Traffic:
    """The collectives of a layout as one rank of the busiest pipeline stage meets them, under a sharding and its reach."""
    adapters = workload.trains != "full"
    return _traffic(
        arch,
        layout.tp,
        layout.pp,
        layout.dp,
        layout.ep,
        shard_ranks(layout, "all" if sharding == "ddp" else reach, gpus_per_node),
        context_ranks(workload, layout.dp),
        sharding,
        ACCOUNTS[framework_of(workload).family].broadcasts,
        FP32_GRADIENT_BYTES if framework_of(workload).reduces_fp32 else GRADIENT_BYTES,
        stage_chunks(workload, len(arch.layers), layout.pp),
        passes_of(workload),
        workload.trained_models if workload.recompute == "full" and stops_early(workload) else 0,
        NF4_BYTES if workload.trains == "qlora" else ACTIVATION_BYTES,
        workload.lora_targets if adapters else "",
        workload.lora_rank,
    )


@lru_cache(maxsize=512)
def _traffic(
    arch: Architecture,
    tp: int,
    pp: int,
    dp: int,
    ep: int,
    group: int,
    context: int,
    sharding: Sharding,
    broadcasts: bool,
    gradient_bytes: float,
    chunks: int,
    passes: float,
    unread: int,
    weight_bytes: float,
    adapters: str,
    rank: int,
) -> Traffic:
    parts = parts_of(arch)
    held = _held(arch, parts, tp, pp, ep, group, adapters, rank)
    hidden = arch.hidden_size * ACTIVATION_BYTES
    # layers of the busiest stage over all of them: what it meets of every kind of block
    often = -(-parts.layers // pp) / max(1, parts.layers) * passes
    spread = parts.moe > 0 and ep > 1
    found: list[Pattern] = []
    if tp > 1:
        sums = float(parts.mixers + parts.dense + (0 if spread else parts.moe))
        # no backward pass reads what a layer that is computed again would put out (`stops_early`)
        sums -= parts.dense * unread / passes
        found.append(Pattern("all_reduce", "tp", tp, 1, hidden, 0.0, sums * often, 0.0))
    if spread:
        sent = routed_width(arch) * ACTIVATION_BYTES / tp * max(1, arch.experts_per_token)
        found.append(Pattern("all_to_all", "ep", ep, 1, sent, 0.0, 2 * parts.moe * often, 0.0))
    if context > 1:
        gathered = context * parts.kv_width * ACTIVATION_BYTES / tp
        found.append(Pattern("all_gather", "cp", context, tp, gathered, 0.0, parts.mixers * often, 0.0))
    if pp > 1:
        found.append(Pattern("send_recv", "pp", pp, tp * dp, hidden / tp, 0.0, 2 * chunks, 0.0))
    if dp > 1:
        wide = max(tp, ep)
        if sharding == "zero3":
            found += _sharded(held, tp, dp, wide, weight_bytes, gradient_bytes, max(1.0, parts.layers / pp))
        else:
            found += _replicated(held, tp, dp, wide, sharding, broadcasts, gradient_bytes)
    return Traffic(held, tuple(found))


def _held(arch: Architecture, parts: Parts, tp: int, pp: int, ep: int, group: int, adapters: str, rank: int) -> Held:
    """What one rank of an even pipeline stage holds; adapters as on the fullest stage."""
    wide = max(tp, ep)
    shared = (parts.held - parts.experts + parts.outer) / (tp * pp)
    experts = parts.experts / (wide * pp)
    copies = max(1, group * tp // wide)
    if adapters:
        widths = adapter_widths(arch, adapters, tp, pp, ep)
        return Held(shared, experts, float(max(widths) * rank), 0.0, group, copies)
    return Held(shared, experts, shared, experts, group, copies)


def _replicated(
    held: Held, tp: int, dp: int, wide: int, sharding: Sharding, broadcasts: bool, gradient_bytes: float
) -> list[Pattern]:
    """Gradients, and under ZeRO the stepped parameters, among the replicas and among the copies of each expert.

    zero2 keeps no whole gradient, so it reduces in every micro-batch; ddp and zero1 once (DeepSpeed,
    runtime/zero/stage_1_and_2.py). Of states that are sharded inside a node the nodes sum each shard's gradients. broadcasts:
    under zero1 every rank gets the sums of all gradients (PyTorch's ZeroRedundancyOptimizer stands beside DDP; InternEvo,
    hybrid_zero_optim.py: reduce_rank None), and sends the parameters that it stepped by a broadcast of its own (PyTorch,
    optim/zero_redundancy_optimizer.py: _sync_params), n rings in turn where an all-gather is one.
    """
    found: list[Pattern] = []
    whole = broadcasts and sharding == "zero1"
    for trained, ranks, copies, stride in (
        (held.trained, dp, held.group, tp),
        (held.trained_experts, max(1, dp * tp // wide), held.copies, wide),
    ):
        if ranks == 1 or not trained:
            continue
        size = trained * gradient_bytes
        if sharding == "ddp":
            found.append(Pattern("all_reduce", "dp", ranks, stride, 0.0, size, 0.0, 1.0))
            continue
        every, once = (1.0, 0.0) if sharding == "zero2" else (0.0, 1.0)
        if whole:
            found.append(Pattern("all_reduce", "dp", ranks, stride, 0.0, size, every, once))
        elif copies < ranks:
            found.append(Pattern("all_reduce", "dp", ranks // copies, stride * copies, 0.0, size / copies, every, once))
        if copies == 1:
            continue
        if not whole:
            found.append(Pattern("reduce_scatter", "dp", copies, stride, 0.0, size, every, once))
        turns = copies if whole else 1
        stepped = trained * ACTIVATION_BYTES / turns
        found.append(Pattern("all_gather", "dp", copies, stride, 0.0, stepped, 0.0, float(turns)))
    return found


def _sharded(
    held: Held, tp: int, dp: int, wide: int, weight_bytes: float, gradient_bytes: float, layers: float
) -> list[Pattern]:
    """ZeRO-3: weights gathered forward and backward, gradients scattered, layer by layer in every micro-batch.

    layers: of a stage. A hybrid group sums its shards of the gradients with those of the other nodes once a step.
    """
    found: list[Pattern] = []
    for weights, trained, ranks, stride in (
        (held.shared, held.trained, held.group, tp),
        (held.experts, held.trained_experts, held.copies, wide),
    ):
        size, gradients = weights * weight_bytes / layers, trained * gradient_bytes / layers
        if ranks > 1 and size:
            found.append(Pattern("all_gather", "dp", ranks, stride, 0.0, size, 2 * layers, 0.0))
        if ranks > 1 and gradients:
            found.append(Pattern("reduce_scatter", "dp", ranks, stride, 0.0, gradients, layers, 0.0))
        if held.group < dp and trained:
            shard = trained * gradient_bytes / ranks
            found.append(Pattern("all_reduce", "dp", dp // held.group, tp * held.group, 0.0, shard, 0.0, 1.0))
    return found


def training_traffic(arch: Architecture, workload: Workload, layout: Layout, gpus_per_node: int) -> tuple[Message, ...]:
    """Every collective of one optimizer step, as one rank of the busiest pipeline stage meets them.

    Those of the spans tp, ep, cp and pp lie on the path of every micro-batch, those of dp travel beside it.
    """
    batch = batch_of(workload, layout.dp)
    made = traffic_of(arch, workload, layout, gpus_per_node, workload.sharding, workload.sharding_group)
    return tuple(pattern.message(batch) for pattern in made.patterns)
