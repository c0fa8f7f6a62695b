"""Figures of one memory group: their ids, the words for the group, and their workings."""

from __future__ import annotations

from engine.sizing import FigureKind
from engine.workings.case import Case
from engine.workings.record import Sheet, Working


def memory_id(index: int, name: str) -> str:
    """The id of a figure of the memory group of that place, worst first: the worst goes without its number."""
    return f"memory.{index}.{name}" if index else f"memory.{name}"


def where(case: Case, index: int) -> str:
    """The end of a title that says which memory group it is about; empty where there is one only."""
    groups = case.plan.memory.per_gpu
    return f", {groups[index].rank_group}" if len(groups) > 1 else ""


def group_bytes(
    case: Case,
    index: int,
    sheet: Sheet,
    name: str,
    title: str,
    formula: str,
    expression: str,
    kind: FigureKind,
    source: str,
) -> Working:
    """The working of a field of `MemoryGroup` in bytes. title: without the words for the group."""
    value: int = getattr(case.group(index), name)
    return sheet.working(
        memory_id(index, name), title + where(case, index), value, "bytes", formula, expression, kind, source
    )
