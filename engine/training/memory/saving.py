"""What a change of optimizer or precision saves, taken apart: bytes of a parameter, and what they come to on a GPU."""

from __future__ import annotations

from typing import Final

from engine.figures.sentences import HERE, Figure, Sentence, joined
from engine.figures.units import count, digits, gib
from engine.model.architecture import Architecture
from engine.model.parameters import count_parameters
from engine.scenario import Layout
from engine.sizing import Memory, MemoryGroup

PARTS: Final = (
    ("weights", "weights_bytes"),
    ("gradients", "gradient_bytes"),
    ("states", "optimizer_bytes"),
    ("activations", "activation_bytes"),
    ("buffers", "runtime_bytes"),
)
"""What a step needs, part by part: their differences are that of the whole."""


def saving_words(now: Memory, then: Memory, architecture: Architecture, layout: Layout, shard: int) -> Sentence:
    """How a run comes to need less: bytes of each trained parameter, and each part of the fullest GPU that they change.

    now, then: before and after the change. layout: after it; shard: over how many data-parallel ranks states are split there.
    Empty where a parameter takes the same bytes in both.
    """
    before, after = now.training, then.training
    if before is None or after is None or before.bytes_per_parameter == after.bytes_per_parameter:
        return ()
    each = Figure(digits(after.bytes_per_parameter), "states.bytes_per_parameter")
    was = Figure(digits(before.bytes_per_parameter), f"{HERE}states.bytes_per_parameter")
    of = Figure(count(count_parameters(architecture).total), "model.params_total")
    gpus, ranks = layout.gpus, layout.tp * layout.pp * shard
    over: Sentence = (", states over ", Figure(f"{gpus}", "build.gpus"), " GPUs") if ranks == gpus > 1 else ()
    parts = joined((_part(name, field, now.worst, then.worst) for name, field in PARTS), ", ")
    return (each, " bytes for each of ", of, " parameters instead of ", was, *over, "; on the fullest GPU ", *parts)


def _part(name: str, field: str, now: MemoryGroup, then: MemoryGroup) -> Sentence:
    """One part after and before; empty where it reads the same."""
    after, before = gib(getattr(then, field)), gib(getattr(now, field))
    if after == before:
        return ()
    return (f"{name} ", Figure(f"{after} GiB", f"memory.{field}"), " for ", Figure(before, f"{HERE}memory.{field}"))
