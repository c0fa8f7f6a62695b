"""What would still fit, and which single change makes a failing plan fit. Everything offered is sized again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from engine.figures.sentences import HERE, Figure, Sentence
from engine.figures.units import GIB
from engine.model.architecture import Architecture
from engine.scenario import TUNED_KINDS, Layout, Workload
from engine.scenario.frameworks import framework_of, loss_of, modules_of
from engine.sizing import Memory, Suggestion
from engine.training.batch import batch_of, context_ranks
from engine.training.memory.core import Card, Costs, costs_of, headroom_word, stage_costs
from engine.training.memory.recipe import Method, keeps_master, method_of

SEARCH_STEPS = 20
MOST_SEQUENCES = 1 << SEARCH_STEPS
SEQUENCE_STEP = 256
MAX_SUGGESTIONS = 6
MOST_GPUS = 4096
LONG_SEQUENCE = 32768
"""From here on a tile of the sequence (as many tokens as the hidden size) is a small part of it."""


def fit(costs: Costs, tokens: float, usable_bytes: int) -> bool:
    """Whether every stage holds micro-batches of so many tokens."""
    for cost, held in costs.fullest:  # noqa: SIM110 - asked forty times a plan, where a generator would double the time
        if cost.needs(tokens, held) > usable_bytes:
            return False
    return True


def _largest(costs: Costs, usable_bytes: int, tokens_each: float, most: int) -> int:
    """The most units of `tokens_each` tokens that every rank holds, up to `most`.

    Needs grow with the tokens, faster never slower, so a bisection between 0 and a bound finds it.
    """

    def fits(units: int) -> bool:
        return fit(costs, units * tokens_each, usable_bytes)

    if most < 1 or not fits(1):
        return 0
    low, high = 1, 2
    while high <= most and fits(high):
        low, high = high, high * 2
    high = min(high, most + 1)
    for _ in range(SEARCH_STEPS):
        if high - low <= 1:
            break
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def largest_micro_batch(architecture: Architecture, workload: Workload, layout: Layout, card: Card) -> int:
    """The largest micro-batch that fits at this sequence length; 0 when not even one sequence does."""
    costs = stage_costs(architecture, workload, layout, card)
    one = workload.sequence_length * workload.sample_sequences / context_ranks(workload, layout.dp)
    return _largest(costs, card.usable_bytes, one, MOST_SEQUENCES)


def longest_sequence(architecture: Architecture, workload: Workload, layout: Layout, card: Card) -> int:
    """The longest sequence that fits at this micro-batch, tokens, in steps of 256, at most the model's positions.

    A sequence that is entered past them is a limit in their place.
    """
    most = max(architecture.max_position, workload.sequence_length) // SEQUENCE_STEP or 1
    if workload.flash_attention:
        costs = stage_costs(architecture, workload, layout, card)
        each = workload.micro_batch * workload.sample_sequences * SEQUENCE_STEP / context_ranks(workload, layout.dp)
        return _largest(costs, card.usable_bytes, each, most) * SEQUENCE_STEP
    low, high = 0, most + 1  # scores grow with the square of the length: each length has its own cost
    while high - low > 1:
        middle = (low + high) // 2
        trial = replace(workload, sequence_length=middle * SEQUENCE_STEP)
        tokens = batch_of(trial, layout.dp).rank_tokens
        holds = fit(stage_costs(architecture, trial, layout, card), tokens, card.usable_bytes)
        low, high = (middle, high) if holds else (low, middle)
    return low * SEQUENCE_STEP


_Change = tuple[str, str | int | bool, str]
"""One key of the workload, what to try there, and what that is in words."""


PARTS = {False: (("mlp", "feed-forwards"),), True: (("moe", "experts"), ("layernorm+moe", "norms and experts"))}
"""What Megatron-LM's selective recomputation is told to compute again first, by whether a model has experts."""


def _changes(workload: Workload, layout: Layout, largest: int, longest: int, experts: bool) -> Iterator[_Change]:
    """The single changes that a person would try, what costs least in quality and speed first."""
    peft, entry, method = workload.trains != "full", framework_of(workload), method_of(workload)
    without = "" if peft or method.rules.steps_master else " without a master copy"
    if loss_of(workload) != "fused":
        yield ("loss", "fused", "a fused loss that never holds the logits")
    if not workload.tiled_mlp and workload.sequence_length >= LONG_SEQUENCE:
        yield ("tiled_mlp", True, "feed-forwards a tile of the sequence at a time")
    if workload.recompute == "selective" and modules_of(workload) == "core_attn":
        for parts, words in PARTS[experts]:
            yield ("recompute_modules", parts, f"{words} computed again")
    if workload.recompute != "full":
        yield ("recompute", "full", "full recomputation")
    if layout.dp > 1 and workload.sharding != "zero3" and "zero3" in entry.shardings:
        yield ("sharding", "zero3", "sharding weights, gradients and states (ZeRO-3, FSDP)")
    if workload.sharding != "ddp" and workload.sharding_group == "node":
        yield ("sharding_group", "all", "sharding over all nodes instead of inside each")
    if workload.optimizer not in ("adamw-8bit", "adamw-paged-8bit", "adamw-4bit", "adafactor"):
        yield ("optimizer", "adamw-8bit", f"an 8-bit optimizer{without}")
        yield ("optimizer", "adamw-paged-8bit", "a paged 8-bit optimizer, its states in host memory")
    if not peft and keeps_master(method):
        yield ("optimizer", "adamw-bf16", "16-bit weights and states without a master copy")
    if 0 < largest < workload.micro_batch:
        yield ("micro_batch", largest, f"a micro-batch of {largest}")
    if not workload.activation_offload:
        yield ("activation_offload", True, "checkpoints in host memory")
    if workload.offload == "none" and "optimizer" in entry.offloads:
        yield ("offload", "optimizer", "optimizer states in host memory")
    if workload.offload != "parameters" and layout.dp > 1 and "parameters" in entry.offloads:
        yield ("offload", "parameters", "weights, gradients and states in host memory")
    if peft and workload.lora_rank > 8:
        rank = workload.lora_rank // 2
        while rank > 4:
            yield ("lora_rank", rank, f"rank {rank}")
            rank //= 2
    if workload.kind == "lora":
        yield ("kind", "qlora", "QLoRA: the frozen base in 4 bits")
    if workload.kind == "full-finetune":
        yield ("kind", "lora", "LoRA instead of training every weight")
    if workload.kind in TUNED_KINDS and workload.tuning != "qlora":
        peft_words = "LoRA instead of training every weight" if workload.tuning == "full" else "adapters over 4 bits"
        yield ("tuning", "lora" if workload.tuning == "full" else "qlora", peft_words)
    if 0 < longest < workload.sequence_length:
        yield ("sequence_length", longest, f"sequences of {longest:,} tokens")


def _needs(costs: Costs, tokens: float) -> tuple[float, float]:
    """What the fullest rank needs of its card and of the host, bytes."""
    host = max(cost.host_fixed + cost.host_token * tokens * held for cost, held in costs.stages)
    return max(cost.needs(tokens, held) for cost, held in costs.stages), host


def _more_nodes(architecture: Architecture, workload: Workload, layout: Layout, card: Card) -> Suggestion | None:
    """How many nodes of this card it takes when nothing else changes but the data-parallel ranks."""
    if workload.sharding == "ddp" or layout.gpus % card.per_node:
        return None
    nodes = layout.gpus // card.per_node
    for factor in (2, 3, 4, 6, 8, 12, 16, 32, 64):
        wider = replace(layout, dp=layout.dp * factor)
        if wider.gpus > MOST_GPUS:
            return None
        needs, _ = _needs(stage_costs(architecture, workload, wider, card), batch_of(workload, wider.dp).rank_tokens)
        if needs <= card.usable_bytes:
            count = nodes * factor
            what = (f"{count} nodes ({wider.gpus} GPUs)",)
            need = Figure(f"{needs / GIB:,.1f} GiB", "memory.peak_bytes")
            return Suggestion((("hardware.nodes", count),), (*what, ": needs ", need, " a GPU"), what)
    return None


def needs_words(after_bytes: float, now_bytes: float, more_host_bytes: float) -> Sentence:
    """What a changed run needs of its fullest card, what it needs now, and how much more of the host."""
    then = Figure(f"{after_bytes / GIB:,.1f} GiB", "memory.peak_bytes")
    now = Figure(f"{now_bytes / GIB:,.1f}", f"{HERE}memory.peak_bytes")
    words = ("needs ", then, " instead of ", now)
    if more_host_bytes <= GIB:
        return words
    return (*words, ", ", Figure(f"{more_host_bytes / GIB:,.0f} GiB", "memory.host_bytes"), " of host RAM a node")


def suggestions(
    architecture: Architecture,
    workload: Workload,
    layout: Layout,
    card: Card,
    now: Memory,
    largest: int,
    longest: int,
) -> tuple[Suggestion, ...]:
    """Single changes that make a plan fit that does not, or give a tight one room; each sized again.

    now: the plan's memory. largest, longest: the micro-batch and the sequence that would still fit.
    """
    if now.headroom in ("comfortable", "fits"):
        return ()
    found: list[Suggestion] = []
    method = method_of(workload)
    for name, value, words in _changes(workload, layout, largest, longest, architecture.experts > 0):
        field = f"workload.{name}"
        if any(field == earlier.field for earlier in found):
            continue
        change: dict[str, Any] = {name: value}
        if name in Method._fields:
            batch = batch_of(workload, layout.dp)
            costs = costs_of(architecture, workload, layout, card, method._replace(**change), batch)
            needs, host = _needs(costs, batch.rank_tokens)
        else:
            changed = replace(workload, **change)
            costs = stage_costs(architecture, changed, layout, card)
            needs, host = _needs(costs, batch_of(changed, layout.dp).rank_tokens)
        fill = needs / card.usable_bytes
        if fill > 1.0 or (now.fits and headroom_word(fill) not in ("comfortable", "fits")):
            continue
        more = host * min(card.per_node, layout.gpus) - now.host_bytes
        effect = (f"{words}: ", *needs_words(needs, now.peak_bytes, more))
        found.append(Suggestion(((field, value),), effect, (words,)))
        if len(found) == MAX_SUGGESTIONS:
            break
    if not now.fits and len(found) < MAX_SUGGESTIONS:
        nodes = _more_nodes(architecture, workload, layout, card)
        if nodes is not None:
            found.append(nodes)
    return tuple(found)
