"""Workings of a training run on other counts of its GPUs: the curve, one GPU against many, the smallest build in time."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from engine.decide.prospects import Prospects, prospects
from engine.decide.training_scaling import RunOption, ScalingPoint
from engine.figures.units import SECONDS_PER_DAY
from engine.scenario import Scenario
from engine.sizing import FigureKind
from engine.training.batch import batch_of, keeps_batch, useful_tokens
from engine.training.speed import serial_share
from engine.workings.case import Case
from engine.workings.record import Sheet, Working, unknown

CURVE = "engine.decide.training_scaling.strong_scaling_curve: the same run and global batch, the fastest layout that fits at each count"
CHOICE = "engine.decide.training_scaling.long_or_short"
SMALLEST = "engine.decide.training_scaling.smallest_build: counts of whole nodes, each planned in full"


@lru_cache(maxsize=16)
def _prospects(scenario: Scenario) -> Prospects:
    return prospects(scenario)


def _found(case: Case) -> Prospects:
    if case.scenario.workload.is_inference:
        raise KeyError("curve")
    return _prospects(case.scenario)


def _price(case: Case, sheet: Sheet) -> str:
    entered = case.scenario.money.usd_per_gpu_hour is not None
    kind: FigureKind = "entered" if entered else "data sheet"
    words = "entered" if entered else "median on-demand offer of the catalog"
    return sheet.put("usd_per_gpu_hour", _found(case).usd_per_gpu_hour or 0.0, "USD", words, kind)


# --- the curve


def _point(case: Case, count: int) -> tuple[ScalingPoint, ScalingPoint | None]:
    """The point of that count of GPUs, and the one before it. Raises KeyError."""
    points = _found(case).curve.points
    for at, point in enumerate(points):
        if point.gpus == count:
            return point, points[at - 1] if at else None
    raise KeyError(f"curve.{count}")


def _where(point: ScalingPoint) -> str:
    layout = point.layout
    return f"on {point.gpus} GPUs as TP {layout.tp}, PP {layout.pp}, DP {layout.dp}"


def _speed(case: Case, point: ScalingPoint) -> Working:
    sheet, work = Sheet(), case.scenario.workload
    figure, title = f"curve.{point.gpus}.tokens_per_s", f"Useful tokens a second {_where(point)}"
    if keeps_batch(work, point.layout.dp):
        planned = f"if.gpus.{point.gpus}.training.tokens_per_s_total"
        expression = sheet.see("tokens_s", point.tokens_per_s_total, "tokens/s", planned)
        formula = "as planned: a step takes no more than the global batch"
    else:
        asked = useful_tokens(work, batch_of(work, point.layout.dp).tokens)
        batch = sheet.entered("global_batch", asked, "tokens")
        seconds = asked / point.tokens_per_s_total
        made = sheet.put("step_s", seconds, "s", f"a step {_where(point)}: engine.training.speed", "fitted")
        expression, formula = f"{batch} / {made}", "tokens of the global batch that was asked / seconds of a step"
    return sheet.working(figure, title, point.tokens_per_s_total, "tokens/s", formula, expression, "fitted", CURVE)


def _days(case: Case, point: ScalingPoint) -> Working:
    sheet, work = Sheet(), case.scenario.workload
    tokens = sheet.entered("tokens", work.run_tokens, "tokens")
    speed = sheet.see("tokens_s", point.tokens_per_s_total, "tokens/s", f"curve.{point.gpus}.tokens_per_s")
    keep = work.run_tokens / point.tokens_per_s_total / SECONDS_PER_DAY / point.days
    good = sheet.put("goodput", keep, "", "share left by failures and checkpoints: engine.training.speed", "fitted")
    day = sheet.put("seconds_a_day", SECONDS_PER_DAY, "s", "by definition")
    return sheet.working(
        f"curve.{point.gpus}.days",
        f"The run {_where(point)}",
        point.days,
        "days",
        "tokens of the run / useful tokens a second / goodput",
        f"{tokens} / {speed} / {good} / {day}",
        "fitted",
        CURVE,
    )


def _gpu_hours(case: Case, point: ScalingPoint) -> Working:
    sheet = Sheet()
    days = sheet.see("days", point.days, "days", f"curve.{point.gpus}.days")
    gpus = sheet.put("gpus", point.gpus, "GPUs", "of this point")
    return sheet.working(
        f"curve.{point.gpus}.gpu_hours",
        f"GPU-hours {_where(point)}",
        point.gpu_hours,
        "GPU-hours",
        "days x 24 x GPUs",
        f"{days} * 24 * {gpus}",
        "fitted",
        CURVE,
    )


def _cost(case: Case, point: ScalingPoint) -> Working:
    sheet = Sheet()
    figure, title = f"curve.{point.gpus}.cost_usd", f"Rent {_where(point)}"
    if point.cost_usd is None:
        return unknown(figure, title, "USD", "nobody in the catalog rents this GPU, and no price is entered")
    hours = sheet.see("gpu_hours", point.gpu_hours, "GPU-hours", f"curve.{point.gpus}.gpu_hours")
    expression = f"{hours} * {_price(case, sheet)}"
    return sheet.working(figure, title, point.cost_usd, "USD", "GPU-hours x price of one", expression, "fitted", CURVE)


def _efficiency(case: Case, point: ScalingPoint) -> Working:
    sheet = Sheet()
    base = _found(case).curve.points[0]
    alone = _alone(case)
    speed = sheet.see("tokens_s", point.tokens_per_s_total, "tokens/s", f"curve.{point.gpus}.tokens_per_s")
    gpus = sheet.put("gpus", point.gpus, "GPUs", "of this point")
    if base.gpus == 1:
        one = sheet.see("one_gpu", alone, "tokens/s", "curve.1.tokens_per_s")
    else:
        one = sheet.put("one_gpu", alone, "tokens/s", "the same run on one GPU: engine.training.speed", "fitted")
    return sheet.working(
        f"curve.{point.gpus}.efficiency",
        f"Speed of a GPU against one alone {_where(point)}",
        point.efficiency,
        "",
        "tokens a second / GPUs, against one GPU, at most 1",
        f"min(1, {speed} / {one} / {gpus})",
        "fitted",
        CURVE,
    )


def _alone(case: Case) -> float:
    point = _found(case).curve.points[-1]
    return point.tokens_per_s_total / point.speedup


def _marginal(case: Case, point: ScalingPoint, before: ScalingPoint | None) -> Working:
    sheet = Sheet()
    figure, title = f"curve.{point.gpus}.marginal", f"What the last added GPUs do of their full work {_where(point)}"
    if before is None:
        what = "the first point: nothing was added"
        return sheet.working(figure, title, point.marginal, "", what, "1", "counted", CURVE)
    speed = sheet.see("tokens_s", point.tokens_per_s_total, "tokens/s", f"curve.{point.gpus}.tokens_per_s")
    was = sheet.see("before", before.tokens_per_s_total, "tokens/s", f"curve.{before.gpus}.tokens_per_s")
    gpus = sheet.put("gpus", point.gpus, "GPUs", "of this point")
    fewer = sheet.put("gpus_before", before.gpus, "GPUs", "of the point before")
    return sheet.working(
        figure,
        title,
        point.marginal,
        "",
        "speed gained / GPUs added, each as a share of the point before; above 1 where they free memory",
        f"({speed} / {was} - 1) / ({gpus} / {fewer} - 1)",
        "fitted",
        CURVE,
    )


def _serial(case: Case) -> Working:
    """`curve.serial_share`: Amdahl's, from the largest point."""
    sheet, found = Sheet(), _found(case)
    last = found.curve.points[-1]
    efficiency = sheet.see("efficiency", last.efficiency, "", f"curve.{last.gpus}.efficiency")
    gpus = sheet.put("gpus", last.gpus, "GPUs", "of the largest point")
    value = serial_share(last.efficiency, last.gpus)
    # 1 / (s + (1 - s) / n) = e n, solved for s
    expression = f"(1 / {efficiency} - 1) / ({gpus} - 1)" if last.gpus > 1 else "0"
    return sheet.working(
        "curve.serial_share",
        "Amdahl's serial share up to the largest point",
        value,
        "",
        "(1 / efficiency - 1) / (GPUs - 1)",
        expression,
        "fitted",
        CURVE,
    )


def _least(case: Case) -> Working:
    """`curve.least_days`: what the run cannot fall below, however many GPUs."""
    sheet, found = Sheet(), _found(case)
    first = found.curve.points[0]
    days = sheet.see("days", first.days, "days", f"curve.{first.gpus}.days")
    share = sheet.see("serial_share", found.curve.serial_share, "", "curve.serial_share")
    return sheet.working(
        "curve.least_days",
        "The shortest run, however many GPUs",
        first.days * found.curve.serial_share,
        "days",
        "days of the first point x Amdahl's serial share",
        f"{days} * {share}",
        "fitted",
        CURVE,
    )


def _stops(case: Case) -> Working:
    """`curve.stops_paying`: the last count before added GPUs do too little, or the end of the curve."""
    sheet, curve = Sheet(), _found(case).curve
    value = curve.stops_paying or curve.points[-1].gpus
    ends = (
        "no added GPU does less than the floor up to here"
        if curve.stops_paying is None
        else "the next point is below it"
    )
    last = sheet.put("gpus", value, "GPUs", f"found along the curve: {ends}", "fitted")
    what = "the last count of GPUs before an added one does less than 60 % of its full work"
    return sheet.working(
        "curve.stops_paying", "Where adding GPUs stops paying", value, "GPUs", what, last, "fitted", CURVE
    )


def _hour(case: Case) -> Working:
    sheet, price = Sheet(), _found(case).usd_per_gpu_hour
    if price is None:
        return unknown("curve.usd_per_gpu_hour", "A GPU-hour", "USD", "nobody in the catalog rents this GPU")
    held = _price(case, sheet)
    kind = sheet.inputs[held].kind
    return sheet.working(
        "curve.usd_per_gpu_hour", "A GPU-hour", price, "USD", "as known", held, kind, "engine.money.prices"
    )


_OF_POINT: dict[str, Callable[[Case, ScalingPoint], Working]] = {
    "tokens_per_s": _speed,
    "days": _days,
    "gpu_hours": _gpu_hours,
    "cost_usd": _cost,
    "efficiency": _efficiency,
}
_OF_CURVE: dict[str, Callable[[Case], Working]] = {
    "serial_share": _serial,
    "least_days": _least,
    "stops_paying": _stops,
    "usd_per_gpu_hour": _hour,
}


def curve(case: Case, name: str) -> Working:
    """The working of `curve.GPUS.FIELD` or `curve.FIELD`. Raises KeyError."""
    count, _, field = name.partition(".")
    if count == "last":
        count = str(_found(case).curve.points[-1].gpus)
    if not count.isdigit():
        return _OF_CURVE[name](case)
    point, before = _point(case, int(count))
    return _marginal(case, point, before) if field == "marginal" else _OF_POINT[field](case, point)


# --- long or short


def choice(case: Case, name: str) -> Working:
    """The working of `choice.one.FIELD`, `choice.many.FIELD` or `choice.FIELD`. Raises KeyError."""
    found = _found(case).choice
    if found is None:
        raise KeyError(f"choice.{name}")
    who, _, field = name.partition(".")
    if field:
        return _option(case, {"one": found.one, "many": found.many}[who], who, field)
    sheet = Sheet()
    one, many = found.one, found.many
    if name in ("times_faster", "days_saved"):
        slow = sheet.see("days_one", one.days, "days", "choice.one.days")
        fast = sheet.see("days_many", many.days, "days", "choice.many.days")
        if name == "times_faster":
            title, value, unit = "How many times faster", found.times_faster, ""
            return sheet.working(
                f"choice.{name}", title, value, unit, "days / days", f"{slow} / {fast}", "fitted", CHOICE
            )
        title, value = "Days saved", one.days - many.days
        return sheet.working(
            f"choice.{name}", title, value, "days", "days - days", f"{slow} - {fast}", "fitted", CHOICE
        )
    dear = sheet.see("usd_many", many.cost_usd, "USD", "choice.many.cost_usd")
    cheap = sheet.see("usd_one", one.cost_usd, "USD", "choice.one.cost_usd")
    if name == "premium":
        title, value, what = "How many times the money", found.premium, "cost / cost"
        return sheet.working("choice.premium", title, value, "", what, f"{dear} / {cheap}", "fitted", CHOICE)
    if name == "usd_saved":
        title, value, what = "Money saved", one.cost_usd - many.cost_usd, "cost - cost"
        return sheet.working("choice.usd_saved", title, value, "USD", what, f"{cheap} - {dear}", "fitted", CHOICE)
    if name != "usd_per_day_saved":
        raise KeyError(f"choice.{name}")
    saved = sheet.see("days_saved", one.days - many.days, "days", "choice.days_saved")
    return sheet.working(
        "choice.usd_per_day_saved",
        "For each day saved",
        found.usd_per_day_saved,
        "USD",
        "more money / days saved",
        f"({dear} - {cheap}) / {saved}",
        "fitted",
        CHOICE,
    )


def _option(case: Case, option: RunOption, who: str, field: str) -> Working:
    sheet, figure = Sheet(), f"choice.{who}.{field}"
    name = f"{option.gpus} GPU{'s' * (option.gpus != 1)}"
    if field == "days":
        points = {point.gpus for point in _found(case).curve.points}
        if option.gpus in points:
            days = sheet.see("days", option.days, "days", f"curve.{option.gpus}.days")
        else:
            days = sheet.put("days", option.days, "days", CURVE, "fitted")
        return sheet.working(
            figure, f"The run on {name}", option.days, "days", "as on the curve", days, "fitted", CHOICE
        )
    hourly = option.usd_per_gpu_hour
    entered = case.scenario.money.usd_per_gpu_hour is not None
    kind: FigureKind = "entered" if entered else "data sheet"
    kinds = "one GPU" if option.gpus == 1 else "several GPUs"
    words = (
        "entered"
        if entered
        else f"median on-demand offer of instances with {kinds}, else of all: engine.decide.prospects"
    )
    price = sheet.put("usd_per_gpu_hour", hourly, "USD", words, kind)
    if field == "usd_per_gpu_hour":
        return sheet.working(figure, f"A GPU-hour, {name}", hourly, "USD", "price of a GPU-hour", price, kind, CHOICE)
    if field != "cost_usd":
        raise KeyError(figure)
    run = sheet.see("days", option.days, "days", f"choice.{who}.days")
    gpus = sheet.put("gpus", option.gpus, "GPUs", "of this option")
    expression = f"{run} * 24 * {gpus} * {price}"
    what = "days x 24 x GPUs x price of a GPU-hour"
    return sheet.working(
        figure, f"Cost of the run on {name}", option.cost_usd, "USD", what, expression, "fitted", CHOICE
    )


# --- the smallest build in time


def smallest(case: Case, name: str) -> Working:
    """The working of `smallest.gpus`, `smallest.days` or `smallest.cost_usd`. Raises KeyError."""
    found = _found(case).smallest
    if found is None or found.plan is None or found.plan.training is None:
        raise KeyError(f"smallest.{name}")
    sheet, run = Sheet(), found.plan.training
    hardware, layout = found.plan.scenario.hardware, found.plan.layout
    where = f"{hardware.nodes} x {hardware.gpus_per_node} GPUs as TP {layout.tp}, PP {layout.pp}, DP {layout.dp}"
    if name == "gpus":
        nodes = sheet.put("nodes", hardware.nodes, "nodes", f"found by search: {SMALLEST}", "fitted")
        each = sheet.put("gpus_per_node", hardware.gpus_per_node, "GPUs", "of a node", "entered")
        what = "the fewest that hold the training and keep the deadline and the budget"
        if not found.found:
            what = "no build keeps both; this is the closest"
        title = "The smallest build in time"
        return sheet.working("smallest.gpus", title, found.gpus, "GPUs", what, f"{nodes} * {each}", "fitted", SMALLEST)
    if name == "days":
        tokens = sheet.entered("tokens", case.scenario.workload.run_tokens, "tokens")
        source = f"{where}: engine.training.speed"
        speed = sheet.put("tokens_s", run.tokens_per_s_total, "tokens/s", source, "fitted")
        good = sheet.put("goodput", run.goodput, "", "share left by failures and checkpoints", "fitted")
        day = sheet.put("seconds_a_day", SECONDS_PER_DAY, "s", "by definition")
        what = "tokens of the run / tokens a second / goodput"
        expression = f"{tokens} / {speed} / {good} / {day}"
        return sheet.working(
            "smallest.days", f"The run on {where}", found.days, "days", what, expression, "fitted", SMALLEST
        )
    if name != "cost_usd":
        raise KeyError(f"smallest.{name}")
    if found.cost_usd is None:
        return unknown("smallest.cost_usd", f"Rent of {where}", "USD", "nobody in the catalog rents this GPU")
    days = sheet.see("days", found.days, "days", "smallest.days")
    gpus = sheet.see("gpus", found.gpus, "GPUs", "smallest.gpus")
    expression = f"{days} * 24 * {gpus} * {_price(case, sheet)}"
    what = "days x 24 x GPUs x price of a GPU-hour"
    return sheet.working(
        "smallest.cost_usd", f"Rent of {where}", found.cost_usd, "USD", what, expression, "fitted", SMALLEST
    )


def figures(case: Case) -> list[str]:
    """The ids of all figures of the curve, the choice and the smallest build of a training run."""
    found = _found(case)
    ids = [f"curve.{point.gpus}.{field}" for point in found.curve.points for field in (*_OF_POINT, "marginal")]
    ids += [f"curve.{field}" for field in _OF_CURVE]
    if found.choice is not None:
        ids += [
            f"choice.{who}.{field}" for who in ("one", "many") for field in ("days", "usd_per_gpu_hour", "cost_usd")
        ]
        ids += ["choice.times_faster", "choice.days_saved", "choice.premium", "choice.usd_saved"]
        ids += ["choice.usd_per_day_saved"] if found.choice.one.days > found.choice.many.days else []
    if found.smallest is not None and found.smallest.plan is not None:
        ids += ["smallest.gpus", "smallest.days", "smallest.cost_usd"]
    return ids


__all__ = ["choice", "curve", "figures", "smallest"]
