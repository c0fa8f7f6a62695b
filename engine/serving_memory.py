"""Memory of a serving build, per GPU and worst rank first."""

from __future__ import annotations

from functools import lru_cache

from engine.architecture import Architecture
from engine.formats import kv_bytes_per_element
from engine.scenario import Layout, Scenario
from engine.sharding import attention_ranks, kv_copies, kv_heads_on_rank, stage_range, stage_weights
from engine.sizing import Memory, MemoryGroup
from engine.units import GIB


@lru_cache(maxsize=4096)
def _kv_sequence_bytes(
    arch: Architecture, kv: str, ranks: int, pp: int, stage: int, tokens: int
) -> int:
    size = kv_bytes_per_element(kv)
    total = 0.0
    for index in stage_range(len(arch.layers), pp, stage):
        for cache in arch.layers[index].caches:
            if cache.kind == "recurrent":
                split = min(ranks, cache.state_heads or ranks)
                total += (cache.conv_elements * 2 + cache.recurrent_elements * 4) / split
                continue
            held = min(tokens, cache.window) if cache.window else tokens
            held = -(-held // max(1, cache.compression))
            width = cache.latent_width
            if cache.kind != "latent":
                width = kv_heads_on_rank(cache, ranks) * (cache.k_width + cache.v_width)
            total += held * (width + cache.index_width) * size
    return round(total)


def serving_memory(scenario: Scenario, layout: Layout) -> Memory:
    """Memory per GPU of a serving scenario in one layout."""
    arch, work = scenario.model.architecture, scenario.workload
    card = scenario.hardware.accelerator.memory_bytes
    util = scenario.runtime.memory_utilization or 0.92
    usable = int(card * util)
    large = card >= 70 * GIB
    seqs = scenario.runtime.max_num_seqs or (1024 if large else 256)
    batched = scenario.runtime.max_num_batched_tokens or (8192 if large else 2048)
    tokens = work.tokens_per_request
    copies = kv_copies(layout)
    per_copy = -(-work.concurrency // copies)
    groups = []
    users = float("inf")
    starts = True
    ranks = attention_ranks(layout)
    for stage in range(layout.pp):
        held = stage_weights(arch, scenario.model.weights, layout, stage, scenario.model.mtp)
        weights = held.total_bytes
        activation = max(seqs * arch.vocab_size * 38, batched * arch.intermediate_size * 6) + batched * arch.hidden_size * 4
        runtime = int((0.14 if layout.gpus == 1 else 1.2) * GIB) + int(0.5 * GIB)
        one = _kv_sequence_bytes(arch, scenario.model.kv_cache, ranks, layout.pp, stage, tokens)
        need = one * per_copy
        room = max(0, usable - weights - activation - runtime)
        users = min(users, room / one if one else 1e9)
        starts = starts and room >= one
        groups.append(
            MemoryGroup(
                rank_group="all GPUs" if layout.pp == 1 else f"stage {stage + 1}",
                gpus=layout.gpus // layout.pp,
                weights_bytes=weights, kv_bytes=need, activation_bytes=activation, runtime_bytes=runtime,
                optimizer_bytes=0, gradient_bytes=0,
                free_bytes=card - weights - need - activation - runtime,
                usable_bytes=usable, total_bytes=card, reserved_bytes=card - usable, kv_capacity_bytes=room,
                layers=held.layers,
            )
        )
    groups.sort(key=lambda g: g.free_bytes)
    total_users = users * copies
    fits = starts and total_users >= work.concurrency
    share = max(g.weights_bytes / g.total_bytes for g in groups)
    return Memory(
        per_gpu=tuple(groups), weights_share=share, kv_needed_tokens=work.concurrency * tokens,
        kv_capacity_tokens=int(total_users * tokens), max_concurrency=total_users,
        longest_context_tokens=min(arch.max_position, int(users * tokens)), fits=fits, starts=starts,
        headroom="fits" if fits else "does not fit", headroom_reason="KV that fits against KV needed",
    )
