"""The card: what a process can take of it, and what the engine may use."""

from __future__ import annotations

from collections.abc import Callable

from engine.figures.units import GB, GIB, MIB
from engine.serving.memory import graph_bytes, visible_bytes
from engine.workings.case import Case
from engine.workings.groups import group_bytes, memory_id
from engine.workings.record import Sheet, Working
from engine.workings.serving_memory.shared import ACCOUNT, kind_of_setting, non_torch_value


def total_bytes(case: Case, index: int) -> Working:
    """The working of the memory of one card."""
    card, sheet = case.card, Sheet()
    if card.memory_mib_reported is not None:
        mib = sheet.put("reported_mib", card.memory_mib_reported, "MiB", case.sheet, "data sheet")
        expression = f"{mib} * {sheet.put('bytes_per_mib', MIB, 'bytes', 'by definition')}"
        formula = "what the driver reports"
    else:
        gb = sheet.put("marketed_gb", card.memory_gb_marketed, "GB", case.sheet, "data sheet")
        expression = f"round({gb} * {sheet.put('bytes_per_gb', GB, 'bytes', 'by definition')})"
        formula = "the marketed size, since nobody published what the driver reports"
    value = case.group(index).total_bytes
    return sheet.working(
        memory_id(index, "total_bytes"),
        "Memory of one card",
        value,
        "bytes",
        formula,
        expression,
        "data sheet",
        case.sheet,
    )


def _visible(case: Case) -> Working:
    card, sheet = case.card, Sheet()
    total = sheet.see("card", card.memory_bytes, "bytes", "memory.total_bytes", "data sheet")
    source = "engine.serving.memory.visible_bytes: nvidia-smi totals against torch totals on eight cards"
    if card.vendor.upper() == "APPLE":
        expression, formula = f"{total} * 3 // 4", "Metal lets a process take three quarters"
    elif visible_bytes(card) == card.memory_bytes:
        expression, formula = total, "all that the driver reports"
    else:
        fixed = sheet.put("driver_gib", 0.33, "GiB", source, "measured")
        share = sheet.put("driver_share", 0.002, "", source, "measured")
        gib = sheet.put("bytes_per_gib", GIB, "bytes", "by definition")
        expression = f"{total} - floor({fixed} * {gib} + {share} * {total})"
        formula = "what the driver reports, less what it keeps for itself"
    return sheet.working(
        "memory.visible_bytes",
        "Memory a process can take",
        visible_bytes(card),
        "bytes",
        formula,
        expression,
        "measured",
        source,
    )


def _usable(case: Case, index: int) -> Working:
    group, sheet, settings = case.group(index), Sheet(), case.settings
    visible = sheet.see("visible", visible_bytes(case.card), "bytes", "memory.visible_bytes", "measured")
    share = sheet.put(
        "utilization",
        settings.utilization,
        "",
        case.setting("memory_utilization"),
        kind_of_setting(case, "memory_utilization"),
    )
    layers = case.group(index).layers
    if settings.engine == "sglang":
        start = sheet.see("start", non_torch_value(case), "bytes", "memory.non_torch_bytes")
        graphs = sheet.see("graphs", graph_bytes(layers, settings), "bytes", memory_id(index, "graph_bytes"))
        activation = sheet.see("activations", group.activation_bytes, "bytes", memory_id(index, "activation_bytes"))
        expression = f"floor(({visible} - {start}) * {share}) + {start} + {graphs} + {activation}"
        formula = "static fraction of what is free before loading, and what lives beside it"
    elif settings.engine == "vllm-earlier":
        graphs = sheet.see("graphs", graph_bytes(layers, settings), "bytes", memory_id(index, "graph_bytes"))
        expression = f"floor({visible} * {share}) + min({graphs}, {visible} - floor({visible} * {share}))"
        formula = "visible memory x utilization; graphs come out of the rest"
    else:
        expression, formula = f"floor({visible} * {share})", "visible memory x utilization"
    return group_bytes(
        case, index, sheet, "usable_bytes", "Memory the engine may use", formula, expression, "entered", ACCOUNT
    )


def _reserved(case: Case, index: int) -> Working:
    group, sheet = case.group(index), Sheet()
    total = sheet.see("card", group.total_bytes, "bytes", memory_id(index, "total_bytes"), "data sheet")
    usable = sheet.see("usable", group.usable_bytes, "bytes", memory_id(index, "usable_bytes"), "entered")
    return group_bytes(
        case,
        index,
        sheet,
        "reserved_bytes",
        "Kept from the engine",
        "card - usable",
        f"{total} - {usable}",
        "entered",
        ACCOUNT,
    )


GROUP: dict[str, Callable[[Case, int], Working]] = {
    "total_bytes": total_bytes,
    "usable_bytes": _usable,
    "reserved_bytes": _reserved,
}
WHOLE: dict[str, Callable[[Case], Working]] = {
    "visible_bytes": _visible,
}
