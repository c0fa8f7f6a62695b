"""What claims about training memory rest on, on numbers that remember: states of all parameters at so many bytes each."""

from __future__ import annotations

from typing import Any, Final

from engine.decide.opened.base import Base, Found
from engine.figures.number import Number
from engine.training.memory.states import RULES, WITHOUT, planned_states

SOURCE: Final = "parameters x bytes of each, before sharding and activations: docs/training-memory.md"
EACH: Final = {f"{each:g}": (each, words) for each, words in (*RULES, *WITHOUT)}

TITLES: Final[dict[str, tuple[str, str, str]]] = {
    "room": ("room_bytes", "Memory of all cards", "bytes"),
    "bytes_per_parameter": ("bytes_per_parameter", "Bytes of one trained parameter", "bytes"),
    "plan": ("plan_bytes", "States of this plan", "bytes"),
    "adapters": ("trained", "Adapters", "parameters"),
    "base": ("base_bytes", "The frozen base", "bytes"),
}
"""(field of `States`, title, unit)."""
_OF_ADAPTERS: Final = ("adapters", "base")


def found(build: Base, name: str) -> Found:
    """`states.BYTES` and `states.BYTES.each` of a GPU, `states.held.BYTES` by a card, or `states.NAME`. Raises KeyError."""
    plan = build.plan
    if plan.scenario.workload.is_inference or (name in _OF_ADAPTERS and plan.scenario.workload.trains == "full"):
        raise KeyError(f"states.{name}")
    if name == "trainable":
        return _trainable(build)
    made = build.keep("states", lambda: build.run(planned_states, build.scenario, build.layout))
    with build.within:
        if name in TITLES:
            field, title, unit = TITLES[name]
            return Found(getattr(made, field), title, unit, SOURCE)
        if name.startswith("held."):
            each, words = _each(name.removeprefix("held."))
            title = f"Parameters whose states one card holds, at {words} bytes"
            return Found(made.held(each), title, "parameters", SOURCE)
        number, _, of = name.partition(".")
        each, words = _each(number)
        title = f"States at {words} bytes a parameter"
        if not of:
            return Found(made.at(each), title, "bytes", SOURCE)
        if of != "each":
            raise KeyError(f"states.{name}")
        return Found(made.on_a_gpu(each), f"{title}, on one GPU", "bytes", SOURCE)


def _each(words: str) -> tuple[Any, str]:
    """Bytes of one parameter by a rule, and the same in words. Raises KeyError."""
    each, source = EACH[words]
    return Number(each, label="bytes a parameter", unit="bytes", kind="rule of thumb", source=source), words


def _trainable(build: Base) -> Found:
    """What the fullest rank trains, before sharding over data-parallel ranks."""
    value = build.memory.training.trainable_parameters
    return Found(value, "Trained on one rank", "parameters", SOURCE)
