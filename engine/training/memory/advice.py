"""What would still fit, and which change, or which two, make a failing plan fit. Everything offered is sized again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
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
MAX_PAIRS = 2
"""Pairs of changes that are told, where single ones leave no room."""
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


ROOMY = ("comfortable", "fits")
"""Words of a memory that asks for no advice."""
PARTS = {False: (("mlp", "feed-forwards"),), True: (("moe", "experts"), ("layernorm+moe", "norms and experts"))}
"""What Megatron-LM's selective recomputation is told to compute again first, by whether a model has experts."""
ONE_OF = (frozenset({"recompute", "recompute_modules"}), frozenset({"optimizer", "offload"}))
"""Keys of which a pair changes one: what is computed again in full has no parts, and states on the host no smaller ones."""


def _same_run(workload: Workload, layout: Layout, largest: int, experts: bool) -> Iterator[_Change]:
    """The single changes of how a run is done that a person would try, what costs least in quality and speed first."""
    peft, entry, method = workload.trains != "full", framework_of(workload), method_of(workload)
    without = "" if peft or method.rules.steps_master else " without a master copy"
    if loss_of(workload) != "fused":
        yield ("loss", "fused", "a fused loss that never holds the logits")
    if not workload.tiled_mlp and workload.sequence_length >= LONG_SEQUENCE:
        yield ("tiled_mlp", True, "feed-forwards a tile of the sequence at a time")
    if "cp" in entry.splits and workload.sequence_length >= LONG_SEQUENCE:
        ways = 2 * workload.context_parallel
        while ways <= layout.dp and layout.dp % ways == 0:
            yield ("context_parallel", ways, f"each sequence over {ways} GPUs (context parallelism)")
            ways *= 2
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
        if entry.steps_by("adamw-8bit"):
            yield ("optimizer", "adamw-8bit", f"an 8-bit optimizer{without}")
        if entry.steps_by("adamw-paged-8bit"):
            yield ("optimizer", "adamw-paged-8bit", "a paged 8-bit optimizer, its states in host memory")
    if not peft and keeps_master(method) and entry.steps_by("adamw-bf16"):
        yield ("optimizer", "adamw-bf16", "16-bit weights and states without a master copy")
    if largest < workload.micro_batch > 1:
        fewest = max(1, largest)
        yield ("micro_batch", fewest, f"a micro-batch of {fewest}")
    if not workload.activation_offload:
        kept = "checkpoints" if workload.recompute == "full" else "activations"
        yield ("activation_offload", True, f"{kept} in host memory")
    if workload.offload == "none" and "optimizer" in entry.offloads:
        yield ("offload", "optimizer", "optimizer states in host memory")
    # partitions of ZeRO-3 go to the host, of one card too
    shards = layout.dp > 1 or (layout.gpus == 1 and workload.sharding == "zero3" and not peft)
    if workload.offload != "parameters" and shards and "parameters" in entry.offloads:
        yield ("offload", "parameters", "weights, gradients and states in host memory")


def _less(workload: Workload, longest: int) -> Iterator[_Change]:
    """The single changes after which less is trained, or something else."""
    if workload.trains != "full" and workload.lora_rank > 8:
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


def _pairs(singles: list[_Change]) -> Iterator[tuple[_Change, _Change]]:
    """Every two changes of different keys that go together, those of the least costly ones first."""
    for after, second in enumerate(singles):
        for first in singles[:after]:
            keys = {first[0], second[0]}
            if len(keys) == 2 and keys not in ONE_OF:
                yield first, second


_METHOD = frozenset(Method._fields)


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


def _all_at_once(singles: list[_Change]) -> dict[str, Any]:
    """Of every key the value that takes least of the card: what does not fit so fits with no two of them."""
    return {name: value for name, value, _ in singles if value != "adamw-bf16"}  # a paged optimizer keeps nothing there


class _Sized:
    """What changes of a plan would make of it, each sized again in its layout."""

    def __init__(self, architecture: Architecture, workload: Workload, layout: Layout, card: Card, now: Memory) -> None:
        self.architecture, self.workload, self.layout, self.card, self.now = architecture, workload, layout, card, now
        self.method = method_of(workload)

    def needs(self, values: dict[str, Any]) -> tuple[float, float]:
        """What the fullest rank needs of its card and of the host with keys of the workload at other values, bytes."""
        if values.keys() <= _METHOD:
            batch, method = batch_of(self.workload, self.layout.dp), self.method._replace(**values)
            costs = costs_of(self.architecture, self.workload, self.layout, self.card, method, batch)
            return _needs(costs, batch.rank_tokens)
        changed = replace(self.workload, **values)
        costs = stage_costs(self.architecture, changed, self.layout, self.card)
        return _needs(costs, batch_of(changed, self.layout.dp).rank_tokens)

    def suggestion(self, *changes: _Change) -> Suggestion | None:
        """The changes as one suggestion, where they make the plan fit, or give one that fits room."""
        values = {name: value for name, value, _ in changes}
        needs, host = self.needs(values)
        room = headroom_word(needs / self.card.usable_bytes)
        if room == "does not fit" or (self.now.fits and (room not in ROOMY or self.reaches_over(needs))):
            return None
        more = host * min(self.card.per_node, self.layout.gpus) - self.now.host_bytes
        words = " and ".join(words for _, _, words in changes)
        effect = (f"{words}: ", *needs_words(needs, self.now.peak_bytes, more))
        fields = tuple((f"workload.{name}", value) for name, value in values.items())
        return Suggestion(fields, effect, (words,), room=room)

    def reaches_over(self, needs: float) -> bool:
        """Whether the interval of a need reaches over the card, where it is as wide as that of the plan's."""
        now = self.now
        return now.training is not None and needs * now.training.interval.high > now.peak_bytes * self.card.usable_bytes

    def first_of_each(self, changes: Iterable[_Change], most: int) -> Iterator[Suggestion]:
        """The first change of each key that helps, so many at most."""
        told: set[str] = set()
        for change in changes:
            if len(told) == most:
                return
            found = None if change[0] in told else self.suggestion(change)
            if found is not None:
                told.add(change[0])
                yield found


def settings(
    architecture: Architecture, workload: Workload, layout: Layout, card: Card, now: Memory
) -> tuple[Suggestion, ...]:
    """Changes of how a run is done that make a plan fit that does not, two at once where no single one does with room, or give
    a tight one room.

    now: the plan's memory.
    """
    if now.headroom in ROOMY and not now.may_not_fit:
        return ()
    plan = _Sized(architecture, workload, layout, card, now)
    largest = now.largest_micro_batch if workload.micro_batch > 1 else 1
    singles = list(_same_run(workload, layout, largest, architecture.experts > 0))
    if not now.fits and plan.needs(_all_at_once(singles))[0] > card.usable_bytes:
        return ()
    found = list(plan.first_of_each(singles, MAX_SUGGESTIONS))
    if not now.fits and all(one.room == "marginal" for one in found):
        told = len(found)
        both = (plan.suggestion(*pair) for pair in _pairs(singles))
        found += islice((one for one in both if one and (not told or one.room != "marginal")), MAX_PAIRS)
    return tuple(found)


def suggestions(
    architecture: Architecture, workload: Workload, layout: Layout, card: Card, now: Memory
) -> tuple[Suggestion, ...]:
    """`settings`, then changes after which less is trained, or on more nodes, that do the same; each sized again.

    now: the plan's memory.
    """
    if now.headroom in ROOMY and not now.may_not_fit:
        return ()
    found = list(settings(architecture, workload, layout, card, now))
    less = _Sized(architecture, workload, layout, card, now)
    found += less.first_of_each(_less(workload, now.longest_sequence_tokens), max(0, MAX_SUGGESTIONS - len(found)))
    if not now.fits and len(found) < MAX_SUGGESTIONS:
        nodes = _more_nodes(architecture, workload, layout, card)
        if nodes is not None:
            found.append(nodes)
    return tuple(found)
