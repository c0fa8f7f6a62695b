"""A run that nobody set a date for: what more GPUs buy is time, and what fewer save is often no money."""

from __future__ import annotations

from engine.decide.plan import Plan
from engine.figures.records import NamedTuple
from engine.figures.sentences import Figure, Sentence
from engine.figures.units import SECONDS_PER_DAY, digits, duration

SOONER = 0.9
"""Of the smaller build's days: from here on the larger one is said to be sooner."""
SAME_COST = 0.05
"""How far two rents may differ and be called the same."""


class TimeForMoney(NamedTuple):
    """What the GPUs of a build buy that a smaller one also finishes on, where nobody said by when.

    alone_days: of the smaller one. days: of the build. dearer: its rent over that of the smaller one, 1.0 the same.
    words: one clause about the build. figure: the id of its days.
    """

    alone_days: float
    days: float
    dearer: float
    words: Sentence
    figure: str


def time_for_money(small: Plan, entered: Plan) -> TimeForMoney | None:
    """What an entered build that carries a run buys over a smaller one; None with a deadline, or where it buys no time.

    GPUs are rented for as long as the run takes, so that their price an hour does not matter here.
    """
    work, hardware = entered.scenario.workload, entered.scenario.hardware
    alone, days = small.run_days, entered.run_days
    alone_hours, hours = small.run_gpu_hours, entered.run_gpu_hours
    if not work.is_run or work.deadline_days is not None or not (small.carries and entered.carries):
        return None
    if alone is None or days is None or not alone_hours or hours is None or days > SOONER * alone:
        return None
    if small.scenario.hardware.gpus >= hardware.gpus:
        return None
    dearer = hours / alone_hours
    of = "training" if entered.training is not None else "serving"
    cost: Sentence = (" for the same cost",)
    if abs(dearer - 1.0) > SAME_COST:
        times = Figure(digits(dearer), f"ratio({of}.gpu_hours,verdict.{of}.gpu_hours)")
        cost = (" for ", times, " times the cost")
    build = f"{hardware.gpus:,}" if hardware.nodes == 1 else f"{hardware.nodes:,} nodes of {hardware.gpus_per_node}"
    many, length = Figure(build, "build.gpus"), Figure(duration(days * SECONDS_PER_DAY), f"{of}.days")
    return TimeForMoney(alone, days, dearer, (many, " finish in ", length, *cost), f"{of}.days")
