"""Workings of what claims about training memory rest on: states of all parameters at so many bytes each."""

from __future__ import annotations

import re
from collections.abc import Callable

from engine.model.parameters import count_parameters
from engine.training.memory.assumptions import frozen_base
from engine.training.memory.core import Card, plan_recipe
from engine.training.memory.elements import adapter_widths
from engine.workings.case import Case
from engine.workings.record import Sheet, Working

SOURCE = "engine.training.memory.assumptions"


def _recipe_bytes(case: Case) -> tuple[float, float, float]:
    """(weight, gradient, state) bytes of one trained parameter."""
    card = Card(case.card.memory_bytes, case.scenario.hardware.gpus_per_node)
    made = plan_recipe(case.scenario.workload, case.layout, card)
    return made.weight, made.gradient, made.state


def _parameters(case: Case, sheet: Sheet) -> str:
    total = count_parameters(case.arch).total
    return sheet.see("parameters", total, "parameters", "model.params_total", "counted")


def _at(case: Case, each: float, gpus: bool) -> Working:
    """`states.16`: all parameters at 16 bytes; `states.16.each`: of them on one GPU."""
    sheet = Sheet()
    total = count_parameters(case.arch).total
    size = sheet.put("bytes_a_parameter", each, "bytes", "as the claim counts them", "rule of thumb")
    expression, value = f"{_parameters(case, sheet)} * {size}", total * each
    name, title = f"states.{each:g}", f"States at {each:g} bytes a parameter"
    if gpus:
        expression += " / " + sheet.see("gpus", case.scenario.hardware.gpus, "GPUs", "build.gpus", "entered")
        name, title, value = f"{name}.each", f"{title}, on one GPU", value / case.scenario.hardware.gpus
    return sheet.working(name, title, value, "bytes", "parameters x bytes of each", expression, "counted", SOURCE)


def _held(case: Case, each: float) -> Working:
    """`states.held.16`: parameters whose states one card holds."""
    sheet = Sheet()
    usable = case.plan.memory.per_gpu[0].usable_bytes
    room = sheet.see("usable", usable, "bytes", "memory.usable_bytes", "data sheet")
    size = sheet.put("bytes_a_parameter", each, "bytes", "as the claim counts them", "rule of thumb")
    return sheet.working(
        f"states.held.{each:g}",
        f"Parameters whose states one card holds, at {each:g} bytes",
        usable / each,
        "parameters",
        "memory that may be used / bytes of each, before activations",
        f"{room} / {size}",
        "rule of thumb",
        SOURCE,
    )


def _room(case: Case) -> Working:
    sheet, total = Sheet(), case.plan.memory.per_gpu[0].total_bytes
    card = sheet.see("card", total, "bytes", "memory.total_bytes", "data sheet")
    gpus = sheet.see("gpus", case.scenario.hardware.gpus, "GPUs", "build.gpus", "entered")
    value = total * case.scenario.hardware.gpus
    what = "GPUs x memory of a card"
    return sheet.working(
        "states.room", "Memory of all cards", value, "bytes", what, f"{card} * {gpus}", "data sheet", SOURCE
    )


def _each(case: Case) -> Working:
    sheet = Sheet()
    weight, gradient, state = _recipe_bytes(case)
    source = "engine.training.memory.recipe, by optimizer, precision and framework"
    names = [
        sheet.put(name, value, "bytes", source)
        for name, value in (("weight", weight), ("gradient", gradient), ("states", state))
    ]
    return sheet.working(
        "states.bytes_per_parameter",
        "Bytes of one trained parameter",
        weight + gradient + state,
        "bytes",
        "weight + gradient + optimizer states, before any sharding",
        " + ".join(names),
        "counted",
        source,
    )


def _plan(case: Case) -> Working:
    """`states.plan`: what is trained, at this plan's bytes."""
    sheet = Sheet()
    each = sum(_recipe_bytes(case))
    size = sheet.see("bytes_a_parameter", each, "bytes", "states.bytes_per_parameter", "counted")
    if case.scenario.workload.trains != "full":
        trained = _adapter_count(case)
        number = sheet.see("adapters", trained, "parameters", "states.adapters", "counted")
    else:
        trained, number = count_parameters(case.arch).total, _parameters(case, sheet)
    what = "trained parameters x bytes of each"
    return sheet.working(
        "states.plan", "States of this plan", trained * each, "bytes", what, f"{number} * {size}", "counted", SOURCE
    )


def _adapter_count(case: Case) -> int:
    work = case.scenario.workload
    return adapter_widths(case.arch, work.lora_targets, 1, 1, 1)[0] * work.lora_rank


def _adapters(case: Case) -> Working:
    sheet, work = Sheet(), case.scenario.workload
    width = sheet.put(
        "width", adapter_widths(case.arch, work.lora_targets, 1, 1, 1)[0], "", f"rows + columns adapted: {case.config}"
    )
    rank = sheet.entered("rank", work.lora_rank)
    what = "rows + columns of every adapted matrix x rank"
    return sheet.working(
        "states.adapters", "Adapters", _adapter_count(case), "parameters", what, f"{width} * {rank}", "counted", SOURCE
    )


def _base(case: Case) -> Working:
    sheet = Sheet()
    linear, loose, bits = frozen_base(case.arch, case.scenario.workload)
    inside = sheet.put("projections", linear, "elements", case.config)
    outside = sheet.put("embeddings_head_norms", loose, "elements", case.config)
    size = sheet.put("bits", bits, "bits", "of a frozen weight, by the base format")
    return sheet.working(
        "states.base",
        "The frozen base",
        linear * bits / 8.0 + loose * 2.0,
        "bytes",
        "projections x their bits + the rest in 16 bits",
        f"{inside} * {size} / 8 + {outside} * 2",
        "counted",
        SOURCE,
    )


def _trainable(case: Case) -> Working:
    """`states.trainable`: what the fullest rank trains, before sharding over data-parallel ranks."""
    sheet, detail = Sheet(), case.plan.memory.training
    if detail is None:
        raise KeyError("states.trainable")
    source = f"tensors of the fullest rank, its TP share and pipeline stage: {case.config}"
    number = sheet.put("trained", detail.trainable_parameters, "parameters", source)
    what = "elements with a gradient on the fullest rank, before ZeRO shards them"
    return sheet.working(
        "states.trainable",
        "Trained on one rank",
        detail.trainable_parameters,
        "parameters",
        what,
        number,
        "counted",
        "engine.training.memory.elements",
    )


_AT = re.compile(r"(\d+)(\.each)?$")


def found(case: Case, name: str) -> Working:
    """The working of `states.NAME`. Raises KeyError."""
    if case.scenario.workload.is_inference:
        raise KeyError(f"states.{name}")
    match = _AT.fullmatch(name)
    if match:
        return _at(case, float(match.group(1)), bool(match.group(2)))
    if name.startswith("held.") and name.removeprefix("held.").isdigit():
        return _held(case, float(name.removeprefix("held.")))
    return FIGURES[name](case)


FIGURES: dict[str, Callable[[Case], Working]] = {
    "room": _room,
    "bytes_per_parameter": _each,
    "plan": _plan,
    "adapters": _adapters,
    "base": _base,
    "trainable": _trainable,
}
"""By name; beside them `states.BYTES`, `states.BYTES.each` and `states.held.BYTES`."""
