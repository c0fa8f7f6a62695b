"""Workings of training memory: the states that a GPU holds and the worst moment of a step."""

from __future__ import annotations

from collections.abc import Callable

from engine.workings.case import Case
from engine.workings.record import Working
from engine.workings.serving_memory.card import total_bytes
from engine.workings.serving_memory.weights import weights_share
from engine.workings.training_memory import activations, card, largest, peak, states

GROUP: dict[str, Callable[[Case, int], Working]] = (
    {"total_bytes": total_bytes} | card.GROUP | states.GROUP | activations.GROUP | peak.GROUP
)
"""Figures of one memory group, by the name of the field of `MemoryGroup`, then what these are worked out from."""
WHOLE: dict[str, Callable[[Case], Working]] = peak.WHOLE | largest.WHOLE | {"weights_share": weights_share}
"""Figures of the whole build, by the name of the field of `Memory`."""


def found(case: Case, name: str, index: int) -> Working:
    """The working of `memory.NAME` of a training build; index: the memory group, fullest first. Raises KeyError."""
    if name in GROUP:
        return GROUP[name](case, index)
    number = name.removeprefix("phase_").removesuffix("_bytes")
    if name == f"phase_{number}_bytes" and number.isdigit():
        return peak.phase_bytes(case, int(number))
    return WHOLE[name](case)
