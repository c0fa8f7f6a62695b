"""The price of a GPU-hour, as the workings of rent and of runs put it on their sheets."""

from __future__ import annotations

from engine.money.prices import usd_per_gpu_hour
from engine.sizing import FigureKind
from engine.workings.case import Case
from engine.workings.record import Sheet


def put_hourly(case: Case, sheet: Sheet) -> str:
    """What a GPU costs an hour, USD: as entered, else the catalog's."""
    hourly, note = usd_per_gpu_hour(case.scenario)
    entered = case.scenario.money.usd_per_gpu_hour is not None
    kind: FigureKind = "entered" if entered else "data sheet"
    return sheet.put("usd_per_gpu_hour", hourly or 0.0, "USD", note, kind)
