"""The run: tokens a second, days, GPU-hours and cost."""

from __future__ import annotations

from collections.abc import Callable

from engine.figures.units import GB, SECONDS_PER_DAY, SECONDS_PER_HOUR
from engine.sizing import Interval
from engine.training.speed import CHECKPOINT_WRITE_GB_S_PER_NODE, GPU_HOURS_BETWEEN_FAILURES, RESTART_S
from engine.workings.case import Case
from engine.workings.price import put_hourly
from engine.workings.record import Sheet, Working
from engine.workings.training_speed.shared import MODEL, batch_in, body_in, error_of, run_of, workload_of


def _total(case: Case) -> Working:
    sheet, run = Sheet(), run_of(case)
    tokens = sheet.see("step_tokens", run.step_tokens, "tokens", "training.step_tokens", "counted")
    whole = sheet.see("step", run.step_s, "s", "training.step_s")
    return sheet.working(
        "training.tokens_per_s_total",
        "Tokens a second, whole build",
        run.tokens_per_s_total,
        "tokens/s",
        "tokens of a step / its seconds",
        f"{tokens} / {whole}",
        "fitted",
        MODEL,
    )


def _per_gpu(case: Case) -> Working:
    sheet, run = Sheet(), run_of(case)
    total = sheet.see("tokens_s", run.tokens_per_s_total, "tokens/s", "training.tokens_per_s_total")
    gpus = sheet.put("gpus", case.layout.gpus, "GPUs", "layout")
    return sheet.working(
        "training.tokens_per_s_gpu",
        "Tokens a second per GPU",
        run.tokens_per_s_gpu,
        "tokens/s",
        "tokens a second of the build / GPUs",
        f"{total} / {gpus}",
        "fitted",
        f"{MODEL}; {error_of(case)}",
        run.interval,
    )


def _days(case: Case) -> Working:
    sheet, run = Sheet(), run_of(case)
    tokens = sheet.entered("total_tokens", workload_of(case).run_tokens, "tokens")
    speed = sheet.see("tokens_s", run.tokens_per_s_total, "tokens/s", "training.tokens_per_s_total")
    keep = sheet.see("goodput", run.goodput, "", "training.goodput", "rule of thumb")
    between = run.interval
    slow_fast = None
    if between.low > 0 and between.high > 0:
        slow_fast = Interval(*(run.days * run.tokens_per_s_gpu / bound for bound in (between.high, between.low)))
    day = sheet.put("seconds_a_day", SECONDS_PER_DAY, "s", "by definition")
    return sheet.working(
        "training.days",
        "Length of the run",
        run.days,
        "days",
        "tokens / tokens a second / goodput / seconds a day",
        f"{tokens} / {speed} / {keep} / {day}",
        "fitted",
        MODEL,
        slow_fast,
    )


def _step_tokens(case: Case) -> Working:
    sheet, run, work = Sheet(), run_of(case), workload_of(case)
    count = sheet.see("micro_batches", run.micro_batches, "", "training.micro_batches", "counted")
    micro = sheet.entered("micro_batch", work.micro_batch, "sequences")
    length = sheet.entered("sequence_length", work.sequence_length, "tokens")
    replicas = sheet.put("replicas", batch_in(case).replicas, "", "data-parallel ranks / context ranks")
    shape = (
        f"{run.micro_batches} micro-batches of {work.micro_batch} x {work.sequence_length:,} tokens on "
        f"{case.layout.dp} data-parallel ranks"
    )
    return sheet.working(
        "training.step_tokens",
        "Tokens of one step",
        run.step_tokens,
        "tokens",
        "micro-batches x sequences x their length x replicas",
        f"{count} * {micro} * {length} * {replicas}",
        "counted",
        "engine.training.batch",
        note=f"{shape[:1].upper()}{shape[1:]}.",
    )


def _gpu_hours(case: Case) -> Working:
    sheet, run = Sheet(), run_of(case)
    days = sheet.see("days", run.days, "days", "training.days")
    hours = sheet.put("hours_a_day", 24, "h", "by definition")
    gpus = sheet.put("gpus", case.scenario.hardware.gpus, "GPUs", "entered", "entered")
    return sheet.working(
        "training.gpu_hours",
        "GPU-hours",
        run.gpu_hours,
        "GPU-hours",
        "days x 24 x GPUs",
        f"{days} * {hours} * {gpus}",
        "fitted",
        MODEL,
    )


def _a_day(case: Case) -> Working:
    sheet, run = Sheet(), run_of(case)
    speed = sheet.see("tokens_s", run.tokens_per_s_total, "tokens/s", "training.tokens_per_s_total")
    keep = sheet.see("goodput", run.goodput, "", "training.goodput", "rule of thumb")
    day = sheet.put("seconds_a_day", SECONDS_PER_DAY, "s", "by definition")
    value = run.tokens_per_s_total * run.goodput * SECONDS_PER_DAY
    return sheet.working(
        "training.tokens_per_day",
        "Tokens a day",
        value,
        "tokens",
        "tokens a second x goodput x seconds a day",
        f"{speed} * {keep} * {day}",
        "fitted",
        MODEL,
    )


def _goodput(case: Case) -> Working:
    sheet, run, hardware = Sheet(), run_of(case), case.scenario.hardware
    parameters = sheet.put("parameters", body_in(case).parameters, "parameters", case.config)
    rate = sheet.put("write_gb_s", CHECKPOINT_WRITE_GB_S_PER_NODE, "GB/s", "a node to shared storage", "rule of thumb")
    nodes = sheet.put("nodes", hardware.nodes, "nodes", "entered", "entered")
    gb = sheet.put("bytes_per_gb", GB, "bytes", "by definition")
    hours = sheet.put(
        "gpu_hours_between_failures",
        GPU_HOURS_BETWEEN_FAILURES,
        "GPU-hours",
        "419 interruptions of 16,384 H100 in 54 days: Llama Team 2024 (arXiv 2407.21783, section 3.3.4)",
        "measured",
    )
    gpus = sheet.put("gpus", hardware.gpus, "GPUs", "entered", "entered")
    hour = sheet.put("seconds_an_hour", SECONDS_PER_HOUR, "s", "by definition")
    restart = sheet.put("restart_s", RESTART_S, "s", "engine.training.speed", "rule of thumb")
    write = f"({parameters} * 14 / ({rate} * {nodes} * {gb}))"
    between = f"({hours} / {gpus} * {hour})"
    every = f"(2 * max({write}, 1) * {between}) ** 0.5"
    return sheet.working(
        "training.goodput",
        "Share of time that makes progress",
        run.goodput,
        "",
        "1 - checkpoints at Young's interval - half an interval and a restart for each failure",
        f"max(0.05, 1 - ({write} / {every} + ({every} / 2 + {restart}) / {between}))",
        "rule of thumb",
        "engine.training.speed.goodput: Young 1974; checkpoints of 14 bytes a parameter",
    )


def _cost(case: Case) -> Working:
    run, sheet = run_of(case), Sheet()
    if run.cost_usd is None:
        raise KeyError("training.cost_usd")
    hours = sheet.see("gpu_hours", run.gpu_hours, "GPU-hours", "training.gpu_hours")
    return sheet.working(
        "training.cost_usd",
        "Rent of the run",
        run.cost_usd,
        "USD",
        "GPU-hours x price",
        f"{hours} * {put_hourly(case, sheet)}",
        "fitted",
        MODEL,
    )


def _peak(case: Case) -> Working:
    sheet, run = Sheet(), run_of(case)
    peak = sheet.see("peak", case.plan.memory.peak_bytes, "bytes", "memory.peak_bytes")
    return sheet.working(
        "training.peak_bytes",
        "Peak memory",
        run.peak_bytes,
        "bytes",
        "what a step needs on the fullest GPU",
        peak,
        "fitted",
        MODEL,
    )


FIGURES: dict[str, Callable[[Case], Working]] = {
    "tokens_per_s_gpu": _per_gpu,
    "tokens_per_s_total": _total,
    "days": _days,
    "step_tokens": _step_tokens,
    "gpu_hours": _gpu_hours,
    "peak_bytes": _peak,
    "cost_usd": _cost,
    "goodput": _goodput,
    "tokens_per_day": _a_day,
}
