"""A training run on other counts of its GPUs, on numbers that remember: the curve, one GPU against many, the smallest in time.

Each count is planned in full, by the plain functions; its speed is then that of the layout found.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from engine.decide.opened.base import REPLAY, Base, Found
from engine.decide.opened.constants import constant
from engine.decide.opened.searches import most
from engine.decide.plan import Plan
from engine.decide.prospects import Prospects, growing, instance_usd_per_gpu_hour, prospects
from engine.decide.scaling import FLOOR
from engine.decide.training_scaling import (
    LongOrShort,
    StrongScaling,
    Timed,
    compared,
    hourly_usd,
    option,
    planned_at,
    point_of,
    useful_speed,
)
from engine.figures.number import Number, expression, node
from engine.scenario import leaves
from engine.training.speed import serial_share

CURVE: Final = "the same run and global batch on other counts of its GPUs, the fastest layout that fits at each: docs/training-speed.md"
SMALLEST: Final = "counts of whole nodes, each planned in full: docs/training-speed.md"
COUNT: Final = "a count of GPUs that was tried"
NO_PRICE: Final = "nobody in the catalog rents this GPU, and no price is entered"

POINT: Final[dict[str, tuple[str, str, str]]] = {
    "tokens_per_s": ("tokens_per_s_total", "Useful tokens a second {}", "tokens/s"),
    "days": ("days", "The run {}", "days"),
    "gpu_hours": ("gpu_hours", "GPU-hours {}", "GPU-hours"),
    "cost_usd": ("cost_usd", "Rent {}", "USD"),
    "efficiency": ("efficiency", "Speed of a GPU against one alone {}", ""),
    "marginal": ("marginal", "What the last added GPUs do of their full work {}", ""),
}
"""(field, title, unit) of a point of the curve."""
OF_CURVE: Final[dict[str, tuple[str, str]]] = {
    "serial_share": ("Amdahl's serial share up to the largest point", ""),
    "least_days": ("The shortest run, however many GPUs", "days"),
    "stops_paying": ("Where adding GPUs stops paying", "GPUs"),
    "usd_per_gpu_hour": ("A GPU-hour", "USD"),
}
OF_CHOICE: Final[dict[str, tuple[str, str]]] = {
    "times_faster": ("How many times faster", ""),
    "days_saved": ("Days saved", "days"),
    "premium": ("How many times the money", ""),
    "usd_saved": ("Money saved", "USD"),
    "usd_per_day_saved": ("For each day saved", "USD"),
}
OF_OPTION: Final[dict[str, tuple[str, str]]] = {
    "days": ("The run on {}", "days"),
    "usd_per_gpu_hour": ("A GPU-hour, {}", "USD"),
    "cost_usd": ("Cost of the run on {}", "USD"),
}


def _prospects(build: Base) -> Prospects:
    if build.plan.scenario.workload.is_inference:
        raise KeyError("curve")
    return build.keep("prospects", lambda: prospects(build.plan.scenario))


def _alias(value: Any, label: str, unit: str) -> Number:
    """A number under the name that it has here."""
    held = node(value)
    return expression("float", held.value, held).named(label, unit)


def _words(count: int) -> str:
    return f"on {count} GPU{'s' * (count != 1)}"


def _planned(build: Base, count: int) -> Plan:
    return build.keep(f"planned.{count}", lambda: planned_at(growing(build.plan.scenario), count))


def _useful(build: Base, count: int) -> Number:
    """Useful tokens a second on so many GPUs."""

    def made() -> Number:
        other = build.other(_planned(build, count), COUNT)
        value = other.run(useful_speed, other.scenario.workload, other.layout, other.speed)
        return _alias(value, f"useful tokens a second {_words(count)}", "tokens/s")

    return build.keep(f"useful.{count}", made)


def _price(build: Base) -> Any:
    return build.keep("hourly", lambda: build.run(hourly_usd, build.scenario))


def _point(build: Base, count: int) -> Any:
    """The point of the curve on so many GPUs."""

    def made() -> Any:
        points = _prospects(build).curve.points
        place = next((place for place, one in enumerate(points) if one.gpus == count), None)
        if place is None and count != 1:
            raise KeyError(f"curve.{count}")
        plan = _planned(build, count)
        before: tuple[Any, ...] = ()
        if place:
            last = points[place - 1]
            speed = _useful(build, last.gpus)
            gpus = Number(last.gpus, label="GPUs of the point before", unit="GPUs", kind="counted", source=COUNT)
            before = (last.__class__(**{**_fields(last), "tokens_per_s_total": speed, "gpus": gpus}),)
        wide = plan.scenario.hardware
        hardware = leaves.counted(REPLAY.copied, build.scenario.hardware, wide.nodes, wide.gpus_per_node, COUNT)
        timed = Timed(_useful(build, count), plan.layout, plan.memory.fits)  # type: ignore[arg-type]
        return build.run(point_of, build.scenario, hardware, timed, _useful(build, 1), before, _price(build))

    return build.keep(f"point.{count}", made)


def _fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


def curve(build: Base, name: str) -> Found:
    """`curve.GPUS.FIELD` or `curve.FIELD`; GPUS may be `last`. Raises KeyError."""
    count, _, field = name.partition(".")
    points = _prospects(build).curve.points
    if count == "last":
        count = str(points[-1].gpus)
    if not count.isdigit():
        return _of_curve(build, name)
    if int(count) not in {one.gpus for one in points}:
        raise KeyError(f"curve.{name}")
    attribute, title, unit = POINT[field]
    plan = _planned(build, int(count))
    layout = plan.layout
    where = f"on {count} GPUs as TP {layout.tp}, PP {layout.pp}, DP {layout.dp}"
    value = getattr(_point(build, int(count)), attribute)
    return Found(value, title.format(where), unit, CURVE, why="" if value is not None else NO_PRICE)


def _of_curve(build: Base, name: str) -> Found:
    title, unit = OF_CURVE[name]
    found = _prospects(build).curve
    if name == "usd_per_gpu_hour":
        return Found(_price(build), title, unit, CURVE, why=NO_PRICE)
    if name == "stops_paying":
        return Found(_stops(build), title, unit, CURVE)
    last = _point(build, found.points[-1].gpus)
    share = build.run(serial_share, last.efficiency, last.gpus)
    if isinstance(share, Number):
        share.named("serial share")
    record: Callable[..., Any] = REPLAY.record(StrongScaling)
    with build.within:
        made = record((_point(build, found.points[0].gpus),), None, share, ())
        return Found(getattr(made, name), title, unit, CURVE)


def _stops(build: Base) -> Any:
    """The last count of GPUs before an added one does less than the floor, or the largest."""
    found = _prospects(build).curve
    if found.stops_paying is None:
        largest = found.points[-1].gpus
        source = "the largest count tried: no added GPU does less than the floor up to here"
        return Number(largest, label="GPUs", unit="GPUs", kind="counted", source=source)
    floor = constant("engine.decide.scaling", "FLOOR", FLOOR)
    words = "the last count of GPUs before an added one does less than the floor of its work"
    return most(found.stops_paying, floor, _point(build, found.stops_paying).marginal, words)


def _options(build: Base) -> tuple[Any, Any]:
    """The run on one GPU and on those of the build, each at its own price."""

    def made() -> tuple[Any, Any]:
        counts = (1, growing(build.plan.scenario).hardware.gpus)
        return tuple(
            build.run(option, _point(build, count), build.run(instance_usd_per_gpu_hour, build.scenario, single))
            for count, single in zip(counts, (True, False), strict=True)
        )

    return build.keep("options", made)


def choice(build: Base, name: str) -> Found:
    """`choice.one.FIELD`, `choice.many.FIELD` or `choice.FIELD`. Raises KeyError."""
    if _prospects(build).choice is None:
        raise KeyError(f"choice.{name}")
    one, many = _options(build)
    who, _, field = name.partition(".")
    if field:
        which = {"one": one, "many": many}[who]
        title, unit = OF_OPTION[field]
        count = which.gpus.value
        return Found(getattr(which, field), title.format(f"{count} GPU{'s' * (count != 1)}"), unit, CURVE)
    title, unit = OF_CHOICE[name]
    record: Callable[..., Any] = REPLAY.record(LongOrShort)
    with build.within:
        made = record(one, many, *build.run(compared, one, many), ())
        return Found(getattr(made, name), title, unit, CURVE)


def smallest(build: Base, name: str) -> Found:
    """`smallest.gpus`, `smallest.days`, `smallest.cost_usd` or `smallest.payable_days`. Raises KeyError."""
    least = _prospects(build).smallest
    if least is None or least.plan is None or least.plan.training is None:
        raise KeyError(f"smallest.{name}")
    other = build.other(least.plan, "found by search: the fewest that hold the training and keep the limits")
    hardware, layout = least.plan.scenario.hardware, least.plan.layout
    where = f"{hardware.nodes} x {hardware.gpus_per_node} GPUs as TP {layout.tp}, PP {layout.pp}, DP {layout.dp}"
    note = "" if least.found else "No build keeps the limits; this is the closest."
    if name == "gpus":
        return Found(other.scenario.hardware.gpus, "The smallest build in time", "GPUs", SMALLEST, note)
    if name == "days":
        return Found(other.speed.days, f"The run on {where}", "days", SMALLEST, note)
    if name == "payable_days" and least.payable is not None and least.payable.training is not None:
        within = build.other(least.payable, "found by search: the fastest within the budget")
        wide = least.payable.scenario.hardware
        title = f"The run on {wide.nodes} x {wide.gpus_per_node} GPUs, the fastest within the budget"
        return Found(within.speed.days, title, "days", SMALLEST)
    if name != "cost_usd":
        raise KeyError(f"smallest.{name}")
    price = _price(build)
    value = None if price is None else other.speed.gpu_hours * price
    return Found(value, f"Rent of {where}", "USD", SMALLEST, note, why="nobody in the catalog rents this GPU")


def figures(build: Base) -> list[str]:
    """The ids of all figures of the curve, the choice and the smallest build of a training run."""
    found = _prospects(build)
    ids = [f"curve.{point.gpus}.{field}" for point in found.curve.points for field in POINT]
    ids += [f"curve.{field}" for field in OF_CURVE]
    if found.choice is not None:
        ids += [f"choice.{who}.{field}" for who in ("one", "many") for field in OF_OPTION]
        ids += [f"choice.{name}" for name in OF_CHOICE if name != "usd_per_day_saved"]
        ids += ["choice.usd_per_day_saved"] if found.choice.one.days > found.choice.many.days else []
    if found.smallest is not None and found.smallest.plan is not None:
        ids += ["smallest.gpus", "smallest.days", "smallest.cost_usd"]
        ids += ["smallest.payable_days"] if found.smallest.payable is not None else []
    return ids
