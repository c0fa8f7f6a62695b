"""How an optimizer step is cut: what memory, speed, fabric, workings and pages all say of its batch.

Trainers sum whole micro-batches. A data-parallel rank, or the ranks that share a sequence under context parallelism,
take one at a time until the global batch is reached; every replica takes as many. Megatron-LM refuses a global batch
that its micro-batches do not divide (megatron/core/num_microbatches_calculator.py); other trainers are given a number
of accumulation steps. A batch that does not divide is therefore rounded up to whole micro-batches on every replica,
and `Batch.tokens` says what the step really takes.
"""

from __future__ import annotations

import math

from engine.figures.records import NamedTuple
from engine.scenario import Layout, ShardingGroup, Workload

VIRTUAL_STAGES = 2
"""Chunks of layers that a pipeline rank holds when interleaved and nobody entered how many."""


class Batch(NamedTuple):
    """One optimizer step's batch in one layout.

    context: data-parallel ranks that share a sequence. replicas: groups of such ranks, each with its own sequences.
    micro_batches: that every replica takes, one after the other. rank_tokens: of a micro-batch on one rank.
    tokens: of the step over all replicas.
    """

    context: int
    replicas: int
    micro_batches: int
    rank_tokens: float
    tokens: int


def context_ranks(workload: Workload, dp: int) -> int:
    """Data-parallel ranks that share one sequence: as asked, as far as dp divides by it."""
    shared = workload.context_parallel
    return 1 if shared == 1 else math.gcd(shared, dp)


def batch_of(workload: Workload, dp: int) -> Batch:
    """The batch of a step on dp data-parallel ranks: as many micro-batches as entered, or as the global batch needs."""
    context = 1 if workload.context_parallel == 1 else context_ranks(workload, dp)
    replicas = dp // context
    each = workload.micro_tokens
    count = workload.gradient_accumulation
    if count is None:
        count = -(-workload.batch_tokens // (each * replicas))
    count = max(1, count)
    return Batch(context, replicas, count, each / context, count * each * replicas)


def asked_tokens(workload: Workload, dp: int) -> int:
    """Tokens of a step as the person asked for them: accumulation steps, where entered, decide over the global batch."""
    if workload.gradient_accumulation is not None:
        return batch_of(workload, dp).tokens
    return workload.batch_tokens


def keeps_batch(workload: Workload, dp: int) -> bool:
    """Whether dp ranks have work in every step: one micro-batch on each replica is no more than the global batch."""
    if workload.gradient_accumulation is not None:
        return True
    replicas = dp if workload.context_parallel == 1 else dp // context_ranks(workload, dp)
    each = workload.micro_tokens
    return replicas == 1 or replicas * each <= workload.batch_tokens


def useful_tokens(workload: Workload, step_tokens: int) -> int:
    """Of a step's tokens those that were asked for: what whole micro-batches add to the batch is nothing wanted."""
    if workload.gradient_accumulation is not None:
        return step_tokens
    least = workload.micro_tokens
    return min(step_tokens, max(workload.batch_tokens, least))


def stage_chunks(workload: Workload, layers: int, pp: int) -> int:
    """Chunks of consecutive layers that a pipeline rank holds: 1, or more when the schedule interleaves them."""
    if pp == 1 or workload.pipeline_schedule != "interleaved":
        return 1
    return max(1, min(workload.virtual_stages or VIRTUAL_STAGES, layers // pp))


def in_flight(stage: int, pp: int, micro_batches: int) -> int:
    """Micro-batches whose activations a stage, counted from 0, holds at once: no more than a step has.

    1F1B: as many as there are stages from it on (Narayanan et al. 2021, arXiv 2104.04473, section 2.2). An interleaved
    schedule counts alike (docs/training-memory.md).
    """
    return min(pp - stage, micro_batches)


def shard_ranks(layout: Layout, group: ShardingGroup, gpus_per_node: int) -> int:
    """Data-parallel ranks that ZeRO shards over: all, or those of one node, which hybrid sharding replicates."""
    if group == "all":
        return layout.dp
    return math.gcd(layout.dp, max(1, gpus_per_node // layout.tp))
