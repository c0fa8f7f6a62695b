"""Single changes that might help a serving build with little room; `engine.decide.suggestions` sizes and offers them."""

from __future__ import annotations

from collections.abc import Iterator

from engine.figures.records import NamedTuple
from engine.layout.sharding import attention_ranks, kv_copies
from engine.model.formats import kv_format, weight_format
from engine.scenario import Layout, Scenario
from engine.scenario.change import Changes
from engine.serving.buffers import plain_latent
from engine.serving.kv_pool import kv_pool
from engine.serving.memory import NEAR_STATES, wants_states
from engine.serving.prefix import shared_tokens
from engine.serving.ranks import beside_of
from engine.serving.settings import engine_settings, plain_layout, whole_step
from engine.sizing import Memory

# Formats to move down to, with the bits above which that saves anything worth the trouble.
SMALLER_WEIGHTS = (("fp8", 8.5), ("int4", 5.0))
LARGEST_NODE = 8
"""GPUs in the largest node that most makers sell; beyond it a suggestion adds nodes."""


class Candidate(NamedTuple):
    """Changes to try, and what they are in words. alternative: only where a larger build was not offered before it."""

    changes: Changes
    what: str
    alternative: bool = False


def candidates(scenario: Scenario, layout: Layout, now: Memory) -> Iterator[Candidate]:
    """The single changes that a person would try, those of the build first. now: the memory of that layout."""
    model, workload, layout = scenario.model, scenario.workload, plain_layout(layout)
    bits = weight_format(model.weights).bits_per_weight
    for format_id, above in SMALLER_WEIGHTS:
        if bits > above:
            yield Candidate({"model.weights": format_id}, f"{weight_format(format_id).label} weights")
    if kv_format(model.kv_cache).bits > 8:
        yield Candidate({"model.kv_cache": "fp8"}, f"{kv_format('fp8').label} KV cache")
    yield from settings_to_start(scenario, layout, now)
    gpus, nodes = 2 * scenario.hardware.gpus_per_node, 2 * scenario.hardware.nodes
    if gpus <= LARGEST_NODE:
        yield Candidate({"hardware.gpus_per_node": gpus}, f"{gpus} GPUs in the node")
    yield Candidate({"hardware.nodes": nodes}, f"{nodes} nodes", alternative=True)
    prompt = _longest_prompt(scenario, layout, now)
    if prompt:
        yield Candidate({"workload.input_tokens": prompt}, f"prompts of {prompt:,} tokens")
    fewer = now.users_that_fit
    if now.starts and 1 <= fewer < workload.concurrency:
        yield Candidate({"workload.concurrency": fewer}, f"{fewer:,} user{'' if fewer == 1 else 's'} at once")


def settings_to_start(scenario: Scenario, layout: Layout, now: Memory) -> Iterator[Candidate]:
    """Settings with which an engine that does not start may: no more sequences than it has blocks of state for, in a round
    number where that holds the users, and a step that takes a whole picture. now: the memory of that layout."""
    if now.starts and not now.may_not_start:
        return
    settings, blocks = engine_settings(scenario, plain_layout(layout)), now.state_blocks
    if blocks and blocks < NEAR_STATES * settings.max_num_seqs and wants_states(settings, scenario):
        sure = blocks if blocks < settings.max_num_seqs else int(blocks / NEAR_STATES)
        round_number = 1 << (sure.bit_length() - 1)
        asked = -(-scenario.workload.concurrency // kv_copies(layout))
        sequences = round_number if round_number >= asked else sure
        yield Candidate({"runtime.max_num_seqs": sequences}, f"at most {sequences:,} sequences at once")
    step = whole_step(scenario.model.architecture, scenario.runtime)
    if settings.max_num_batched_tokens < step:
        yield Candidate({"runtime.max_num_batched_tokens": step}, f"{step:,} tokens a step")


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
            beside_of(scenario, layout),
        )
        for stage in range(layout.pp)
    }

    def fits(prompt_kib: int) -> bool:
        tokens = prompt_kib * 1024 + workload.answer_tokens
        shared = min(shared_tokens(scenario), max(0, prompt_kib * 1024 - 1))
        batched = settings.max_num_batched_tokens
        return all(pool.needed_bytes(users, tokens, batched, shared) <= room for pool in pools)

    low, high = 0, (workload.input_tokens - 1) // 1024
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low * 1024
