"""Single changes that would help a serving build with little room, each sized again before it is offered."""

from __future__ import annotations

from dataclasses import replace

from engine.formats import kv_format, weight_format
from engine.kv_pool import kv_pool
from engine.layout import valid_tp
from engine.scenario import Layout, Scenario
from engine.serving_memory import engine_settings, headroom_of, plain_latent, plain_layout, serving_rooms
from engine.sharding import attention_ranks, kv_copies
from engine.sizing import Memory, Suggestion

# Formats to move down to, with the bits above which that saves anything worth the trouble.
SMALLER_WEIGHTS = (("fp8", 8.5), ("int4", 5.0))
LARGEST_NODE = 8
"""GPUs in the largest node that most makers sell; beyond it a suggestion adds nodes."""


def with_suggestions(scenario: Scenario, layout: Layout, memory: Memory) -> Memory:
    """`memory` of that scenario and layout with suggestions, where it is not comfortable already.

    Those that make the load fit come first; changes of the build come before changes of the load.
    """
    if memory.headroom in ("comfortable", "fits"):
        return memory
    return replace(memory, suggestions=_suggestions(scenario, plain_layout(layout), memory))


def _suggestions(scenario: Scenario, layout: Layout, now: Memory) -> tuple[Suggestion, ...]:
    found: list[tuple[bool, Suggestion]] = []
    for field, value, changed, shape, what in _changes(scenario, layout, now):
        rooms = serving_rooms(changed, shape)
        after = rooms.at(changed.workload.concurrency)
        if after.starts and (after.fits or after.max_concurrency > now.max_concurrency):
            users = after.users_that_fit
            room = f"{users:,} user{'' if users == 1 else 's'} at {changed.workload.tokens_per_request:,} tokens"
            word = headroom_of(rooms, after)[0]
            found.append((after.fits, Suggestion(field, value, f"{what}: {word}, room for {room}", layout=shape)))
    found.sort(key=lambda pair: not pair[0])
    return tuple(suggestion for _, suggestion in found)


_Change = tuple[str, str | int, Scenario, Layout, str]


def _changes(scenario: Scenario, layout: Layout, now: Memory) -> list[_Change]:
    model, workload = scenario.model, scenario.workload
    changes: list[_Change] = []
    bits = weight_format(model.weights).bits_per_weight
    for format_id, above in SMALLER_WEIGHTS:
        if bits > above:
            smaller = replace(scenario, model=replace(model, weights=format_id))
            label = f"{weight_format(format_id).label} weights"
            changes.append(("model.weights", format_id, smaller, layout, label))
    if kv_format(model.kv_cache).bits > 8:
        smaller = replace(scenario, model=replace(model, kv_cache="fp8"))
        changes.append(("model.kv_cache", "fp8", smaller, layout, f"{kv_format('fp8').label} KV cache"))
    changes += _more_gpus(scenario, layout, now.starts)
    prompt = _longest_prompt(scenario, layout, now)
    if prompt:
        shorter = replace(scenario, workload=replace(workload, input_tokens=prompt))
        changes.append(("workload.input_tokens", prompt, shorter, layout, f"prompts of {prompt:,} tokens"))
    fewer = now.users_that_fit
    if now.starts and 1 <= fewer < workload.concurrency:
        lighter = replace(scenario, workload=replace(workload, concurrency=fewer))
        changes.append(
            ("workload.concurrency", fewer, lighter, layout, f"{fewer:,} user{'' if fewer == 1 else 's'} at once")
        )
    return changes


def _more_gpus(scenario: Scenario, layout: Layout, starts: bool) -> list[_Change]:
    """Twice the GPUs: a wider TP while the node has room for it, otherwise twice the nodes.

    starts: whether the nodes hold the model as they are; then more of them are replicas, else twice the pipeline.
    """
    arch, hardware = scenario.model.architecture, scenario.hardware
    gpus = 2 * hardware.gpus_per_node
    if layout.dp_attention:
        wider = [replace(layout, dp=2 * layout.dp)]
    else:
        wider = [
            replace(layout, tp=tp, dp=2 * layout.gpus // (tp * layout.pp))
            for tp in valid_tp(arch, gpus)
            if tp > layout.tp and 2 * layout.gpus % (tp * layout.pp) == 0
        ]
    if gpus <= LARGEST_NODE and wider:
        more = replace(scenario, hardware=replace(hardware, gpus_per_node=gpus))
        return [("hardware.gpus_per_node", gpus, more, wider[-1], f"{gpus} GPUs in the node")]
    nodes = 2 * hardware.nodes
    more = replace(scenario, hardware=replace(hardware, nodes=nodes))
    if starts and not layout.dp_attention:
        return [("hardware.nodes", nodes, more, replace(layout, dp=2 * layout.dp), f"{nodes} nodes")]
    if 2 * layout.pp <= len(arch.layers):
        return [("hardware.nodes", nodes, more, replace(layout, pp=2 * layout.pp), f"{nodes} nodes")]
    return []


def _longest_prompt(scenario: Scenario, layout: Layout, now: Memory) -> int:
    """The longest prompt, in whole KiB tokens, at which the asked users fit; 0 when that is no shorter prompt."""
    model, workload = scenario.model, scenario.workload
    settings = engine_settings(scenario, layout)
    users = -(-workload.concurrency // kv_copies(layout))
    room = min(group.kv_capacity_bytes for group in now.per_gpu)
    pools = {
        kv_pool(
            model.architecture,
            model.kv_cache,
            attention_ranks(layout),
            layout.pp,
            stage,
            settings.engine,
            settings.block_size,
            plain_latent(scenario.hardware.accelerator, settings.engine),
        )
        for stage in range(layout.pp)
    }

    def fits(prompt_kib: int) -> bool:
        tokens = prompt_kib * 1024 + workload.output_tokens
        return all(pool.needed_bytes(users, tokens, settings.max_num_batched_tokens) <= room for pool in pools)

    low, high = 0, (workload.input_tokens - 1) // 1024
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low * 1024
