"""How much of the cards a run makes use of, and how many more of them are worth it."""

from __future__ import annotations

import math
from collections.abc import Callable

from engine.decide.verdict import FRONTIER_DAYS
from engine.figures.units import TERA
from engine.model.flops import RECURRENT_FLOPS_PER_STATE_ELEMENT, active_elements, attention_flops_per_token
from engine.scenario import Layout
from engine.training.speed import ADAPTER_KINDS, OVERLAP_RANGE, step
from engine.workings.case import Case
from engine.workings.record import Sheet, Working
from engine.workings.training_speed.shared import (
    MODEL,
    fitted_words,
    put_compute_each,
    put_slots,
    rates_in,
    run_of,
    step_in,
    workload_of,
)

ONE_GPU = Layout()


_FROZEN_WORDS = (
    "3 x (2 x elements a token meets + attention), one forward, two backward, less 2 x elements: frozen weights need no "
    "gradient; nothing recomputed"
)


def _flops(case: Case) -> Working:
    sheet, run, active = Sheet(), run_of(case), active_elements(case.arch)
    elements = sheet.put("elements", active.total, "elements", f"matrix elements that a token meets: {case.config}")
    attention = sheet.put(
        "attention",
        attention_flops_per_token(case.arch, workload_of(case).sequence_length),
        "FLOP",
        "scores and weighted values of an average token, causal (engine.model.flops)",
    )
    frozen = workload_of(case).kind in ADAPTER_KINDS
    expression = f"2 * {elements}"
    if active.state:
        state = sheet.put("state_elements", active.state, "elements", case.config)
        each = sheet.put(
            "flops_a_state", RECURRENT_FLOPS_PER_STATE_ELEMENT, "FLOP", "decay, write, read: engine.model.flops"
        )
        expression += f" + {each} * {state}"
    return sheet.working(
        "training.flops_per_token",
        "FLOPs of one token",
        run.flops_per_token,
        "FLOP",
        _FROZEN_WORDS
        if frozen
        else "3 x (2 x elements a token meets + attention): one forward, two backward; nothing recomputed",
        f"3 * ({expression} + {attention})" + (f" - 2 * {elements}" if frozen else ""),
        "counted",
        "engine.model.flops: Kaplan et al. 2020, section 2.1; Korthikanti et al. 2022, appendix A",
    )


def _achieved(case: Case) -> Working:
    sheet, run = Sheet(), run_of(case)
    speed = sheet.see("tokens_s", run.tokens_per_s_gpu, "tokens/s", "training.tokens_per_s_gpu")
    flops = sheet.see("flops", run.flops_per_token, "FLOP", "training.flops_per_token", "counted")
    tera = sheet.put("tera", TERA, "", "by definition")
    return sheet.working(
        "training.achieved_tflops",
        "Useful TFLOP/s per GPU",
        run.achieved_tflops,
        "TFLOP/s",
        "tokens a second per GPU x FLOPs of a token",
        f"{speed} * {flops} / {tera}",
        "fitted",
        MODEL,
    )


def _mfu(case: Case) -> Working:
    sheet, run, r = Sheet(), run_of(case), rates_in(case)
    speed = sheet.see("tokens_s", run.tokens_per_s_gpu, "tokens/s", "training.tokens_per_s_gpu")
    flops = sheet.see("flops", run.flops_per_token, "FLOP", "training.flops_per_token", "counted")
    peak = sheet.put("peak", r.peak, "FLOP/s", f"dense {r.dtype}: {case.sheet}", "data sheet")
    return sheet.working(
        "training.mfu",
        "MFU",
        run.mfu,
        "",
        "tokens a second per GPU x FLOPs of a token / dense data-sheet rate",
        f"{speed} * {flops} / {peak}",
        "fitted",
        MODEL,
    )


def _alone(case: Case) -> Working:
    sheet, run, work = Sheet(), run_of(case), workload_of(case)
    made = step(case.arch, case.scenario.hardware, work, ONE_GPU)
    tokens = made.micro_batches * work.micro_batch * work.sequence_length
    expression = (
        f"{sheet.put('tokens', tokens, 'tokens', 'of one step: the same global batch on one GPU')} / "
        f"{sheet.put('step_alone', tokens / run.one_gpu_tokens_per_s, 's', f'the same step without collectives: {MODEL}', 'fitted')}"
    )
    return sheet.working(
        "training.one_gpu_tokens_per_s",
        "Tokens a second of one GPU",
        run.one_gpu_tokens_per_s,
        "tokens/s",
        "one GPU of the kind, imagined with memory enough: tokens of a step / its seconds",
        expression,
        "fitted",
        MODEL,
    )


def _efficiency(case: Case) -> Working:
    sheet, run = Sheet(), run_of(case)
    speed = sheet.see("tokens_s", run.tokens_per_s_gpu, "tokens/s", "training.tokens_per_s_gpu")
    alone = sheet.see("alone", run.one_gpu_tokens_per_s, "tokens/s", "training.one_gpu_tokens_per_s")
    return sheet.working(
        "training.efficiency",
        "Efficiency per GPU",
        run.efficiency,
        "",
        "tokens a second per GPU / those of one GPU, at most 1",
        f"min(1, {speed} / {alone})",
        "fitted",
        MODEL,
    )


def _overlapped(name: str, at: int, title: str) -> Callable[[Case], Working]:
    """Tokens/s of a GPU with the least and the most communication hidden."""

    def make(case: Case) -> Working:
        sheet, run, made, share = Sheet(), run_of(case), step_in(case), OVERLAP_RANGE[at]
        count = sheet.see("micro_batches", made.micro_batches, "", "training.micro_batches", "counted")
        hidden = sheet.put(
            "hidden", share, "", "of in-node collectives, worst to best measured: engine.training.speed", "measured"
        )
        each = put_compute_each(case, sheet)
        for span, seconds in (("tp", made.tp_each_s), ("ep", made.ep_each_s), ("pp", made.pp_each_s)):
            if seconds:
                total = sheet.see(span, seconds * made.micro_batches, "s", f"training.{span}_communication_s")
                behind = (
                    sheet.put("pp_hidden", made.hidden_pp, "", fitted_words(case, "overlap.pp"), "fitted")
                    if span == "pp"
                    else hidden
                )
                each += f" + {total} / {count} * (1 - {behind})"
        spent = f"({each}) * {put_slots(case, sheet)}"
        if made.dp_s:
            total = sheet.see("dp", made.dp_s, "s", "training.dp_communication_s")
            window = sheet.put(
                "window", made.window, "micro-batches", f"{workload_of(case).sharding} can hide behind so many"
            )
            spent += f" + max({total} * (1 - {hidden}), {total} - ({each}) * {window})"
        tail = sheet.see("optimizer", run.optimizer_s, "s", "training.optimizer_s")
        tokens = sheet.put("tokens", made.tokens, "tokens", "of one step")
        gpus = sheet.put("gpus", case.layout.gpus, "GPUs", "layout")
        return sheet.working(
            f"training.{name}",
            title,
            (run.overlap_range.low, run.overlap_range.high)[at],
            "tokens/s",
            "tokens of a step / its seconds with that share of the collectives hidden / GPUs",
            f"{tokens} / ({spent} + {tail}) / {gpus}",
            "fitted",
            MODEL,
        )

    return make


def _serial(case: Case) -> Working:
    sheet, run = Sheet(), run_of(case)
    expression = "0"
    if case.layout.gpus > 1:
        share = sheet.see("efficiency", run.efficiency, "", "training.efficiency")
        gpus = sheet.put("gpus", case.layout.gpus, "GPUs", "layout")
        expression = f"max(0, (1 / {share} - 1) / ({gpus} - 1))"
    return sheet.working(
        "training.serial_share",
        "Serial share (Amdahl)",
        run.serial_share,
        "",
        "(1 / efficiency - 1) / (GPUs - 1)",
        expression,
        "fitted",
        "Amdahl 1967, solved for the serial share",
    )


def _worth(case: Case) -> Working:
    sheet, run = Sheet(), run_of(case)
    share = sheet.see("efficiency", run.efficiency, "", "training.efficiency")
    gpus = sheet.see("gpus", case.scenario.hardware.gpus, "GPUs", "build.gpus", "entered")
    return sheet.working(
        "training.gpus_worth",
        "GPUs that would do the same if nothing were lost",
        run.efficiency * case.scenario.hardware.gpus,
        "GPUs",
        "speed of a GPU against one alone x GPUs",
        f"{share} * {gpus}",
        "fitted",
        MODEL,
    )


def _frontier(case: Case) -> Working:
    """GPUs of this kind that finish in the wall time asked, or in the one that is planned for."""
    sheet, run = Sheet(), run_of(case)
    hours = sheet.see("gpu_hours", run.gpu_hours, "GPU-hours", "training.gpu_hours")
    deadline = workload_of(case).deadline_days
    days = sheet.put(
        "days",
        deadline or FRONTIER_DAYS,
        "days",
        "entered" if deadline else "planned for where no deadline is given: engine.decide.verdict",
        "entered" if deadline else "rule of thumb",
    )
    value = math.ceil(run.gpu_hours / 24.0 / (deadline or FRONTIER_DAYS))
    return sheet.working(
        "training.frontier_gpus",
        "GPUs that finish in time",
        value,
        "GPUs",
        "GPU-hours of the run / 24 / days, up; at the speed of this plan's GPUs",
        f"ceil({hours} / 24 / {days})",
        "fitted",
        MODEL,
        note=f"For {workload_of(case).run_tokens / 1e12:,.3g}T tokens.",
    )


def _most_worth(case: Case) -> Working:
    sheet, run = Sheet(), run_of(case)
    if not run.serial_share:
        raise KeyError("training.most_gpus_worth")
    share = sheet.see("serial_share", run.serial_share, "", "training.serial_share")
    return sheet.working(
        "training.most_gpus_worth",
        "GPUs whose work no number of them exceeds",
        1 / run.serial_share,
        "GPUs",
        "1 / Amdahl's serial share",
        f"1 / {share}",
        "fitted",
        MODEL,
    )


FIGURES: dict[str, Callable[[Case], Working]] = {
    "mfu": _mfu,
    "gpus_worth": _worth,
    "efficiency": _efficiency,
    "flops_per_token": _flops,
    "achieved_tflops": _achieved,
    "none_hidden_tokens_per_s": _overlapped("none_hidden_tokens_per_s", 0, "Tokens/s per GPU, nothing hidden"),
    "most_hidden_tokens_per_s": _overlapped("most_hidden_tokens_per_s", 1, "Tokens/s per GPU, the most hidden"),
    "one_gpu_tokens_per_s": _alone,
    "serial_share": _serial,
}
SOMETIMES: dict[str, Callable[[Case], Working]] = {
    "most_gpus_worth": _most_worth,
    "frontier_gpus": _frontier,
}
