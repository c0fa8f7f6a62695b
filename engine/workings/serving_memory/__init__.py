"""Workings of serving memory: what one GPU holds, what is left for the KV cache, and how many users that is."""

from __future__ import annotations

from collections.abc import Callable

from engine.workings.case import Case
from engine.workings.record import Working
from engine.workings.serving_memory import card, kv_cache, runtime, users, weights

GROUP: dict[str, Callable[[Case, int], Working]] = card.GROUP | weights.GROUP | runtime.GROUP | kv_cache.GROUP
"""Figures of one memory group, by the name of the field of `MemoryGroup`."""
WHOLE: dict[str, Callable[[Case], Working]] = card.WHOLE | weights.WHOLE | runtime.WHOLE | kv_cache.WHOLE | users.WHOLE
"""Figures of the whole build, by the name of the field of `Memory`, then what these are worked out from."""


def found(case: Case, name: str, index: int) -> Working:
    """The working of `memory.NAME` of a serving build; index: the memory group, worst first. Raises KeyError."""
    if name.startswith("weights."):
        return weights.weights_part(case, index, name.removeprefix("weights."))
    if name in ("blocks_steady", "blocks_prefilling"):
        return kv_cache.blocks_of_sequence(case, index, name)
    if name in GROUP:
        return GROUP[name](case, index)
    return WHOLE[name](case)
