"""The card: what the driver keeps, and what a process can allocate."""

from __future__ import annotations

from collections.abc import Callable

from engine.calibration import training_memory as fitted
from engine.workings.case import Case
from engine.workings.groups import memory_id
from engine.workings.record import Sheet, Working
from engine.workings.training_memory.shared import CALIBRATION


def _driver(case: Case, index: int) -> Working:
    sheet, group = Sheet(), case.group(index)
    total = sheet.see("card", group.total_bytes, "bytes", memory_id(index, "total_bytes"), "data sheet")
    share = sheet.put("driver_share", fitted.DRIVER_SHARE, "", CALIBRATION, "measured")
    return sheet.working(
        memory_id(index, "reserved_bytes"),
        "Kept by the driver",
        group.reserved_bytes,
        "bytes",
        "card x the share that the driver keeps",
        f"round({total} * {share})",
        "measured",
        CALIBRATION,
    )


def _usable(case: Case, index: int) -> Working:
    sheet, group = Sheet(), case.group(index)
    total = sheet.see("card", group.total_bytes, "bytes", memory_id(index, "total_bytes"), "data sheet")
    kept = sheet.see("kept", group.reserved_bytes, "bytes", memory_id(index, "reserved_bytes"), "measured")
    return sheet.working(
        memory_id(index, "usable_bytes"),
        "Memory a process can take",
        group.usable_bytes,
        "bytes",
        "card - what the driver keeps",
        f"{total} - {kept}",
        "measured",
        CALIBRATION,
    )


GROUP: dict[str, Callable[[Case, int], Working]] = {
    "usable_bytes": _usable,
    "reserved_bytes": _driver,
}
