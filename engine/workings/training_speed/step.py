"""One optimizer step: what its collectives add, the bubble of the pipeline and the optimizer."""

from __future__ import annotations

from collections.abc import Callable

from engine.links.traffic import Span, message_s
from engine.training.traffic import training_traffic
from engine.workings.case import Case
from engine.workings.record import Sheet, Working
from engine.workings.training_speed.shared import (
    MODEL,
    batch_in,
    error_of,
    fitted_words,
    hidden_shares,
    put_compute_each,
    put_slots,
    run_of,
    step_in,
    workload_of,
)


def _exposed_each(case: Case, sheet: Sheet) -> str:
    """Communication of one micro-batch that does not hide, as arithmetic."""
    made, (tp, ep, _) = step_in(case), hidden_shares(case)
    pinned = workload_of(case).overlap is not None
    terms = []
    for name, seconds, share, figure in (
        ("tp", made.tp_each_s, tp, "tp_communication_s"),
        ("ep", made.ep_each_s, ep, "ep_communication_s"),
        ("pp", made.pp_each_s, made.hidden_pp, "pp_communication_s"),
    ):
        if seconds:
            total = sheet.see(name, seconds * made.micro_batches, "s", f"training.{figure}")
            count = sheet.see("micro_batches", made.micro_batches, "", "training.micro_batches", "counted")
            source = "entered" if pinned and name != "pp" else fitted_words(case, f"overlap.{name}")
            overlap = sheet.put(f"{name}_hidden", share, "", source, "entered" if pinned and name != "pp" else "fitted")
            terms.append(f"{total} / {count} * (1 - {overlap})")
    return " + ".join(terms) or "0"


def _exposed_dp(case: Case, sheet: Sheet, each: str) -> str:
    made, (_, _, dp) = step_in(case), hidden_shares(case)
    if not made.dp_s:
        return "0"
    total = sheet.see("dp", made.dp_s, "s", "training.dp_communication_s")
    pinned = workload_of(case).overlap is not None
    source = "entered" if pinned else fitted_words(case, "overlap.dp")
    hidden = sheet.put("dp_hidden", dp, "", source, "entered" if pinned else "fitted")
    window = sheet.put("window", made.window, "micro-batches", f"{workload_of(case).sharding} can hide behind so many")
    return f"max({total} * (1 - {hidden}), {total} - ({each}) * {window})"


def _step_s(case: Case) -> Working:
    sheet, run = Sheet(), run_of(case)
    each = f"{put_compute_each(case, sheet)} + {_exposed_each(case, sheet)}"
    tail = sheet.see("optimizer", run.optimizer_s, "s", "training.optimizer_s")
    return sheet.working(
        "training.step_s",
        "One optimizer step",
        run.step_s,
        "s",
        "(kernels + exposed links of a micro-batch) x (micro-batches + bubble) + exposed data-parallel links + optimizer",
        f"({each}) * {put_slots(case, sheet)} + {_exposed_dp(case, sheet, each)} + {tail}",
        "fitted",
        f"{MODEL}; {error_of(case)}",
    )


def _exposed(case: Case) -> Working:
    sheet, run = Sheet(), run_of(case)
    exposed = _exposed_each(case, sheet)
    each = f"{put_compute_each(case, sheet)} + {exposed}"
    return sheet.working(
        "training.exposed_communication_s",
        "In links, exposed, one step",
        run.exposed_communication_s,
        "s",
        "what of the collectives does not hide behind compute",
        f"({exposed}) * {put_slots(case, sheet)} + {_exposed_dp(case, sheet, each)}",
        "fitted",
        MODEL,
    )


def _span(name: str, spans: tuple[Span, ...], words: str) -> Callable[[Case], Working]:
    """Collectives along one dimension of the layout: count x seconds of each message of the step."""

    def make(case: Case) -> Working:
        sheet, run = Sheet(), run_of(case)
        hardware, layout = case.scenario.hardware, case.layout
        value: float = getattr(run, f"{name}_communication_s")
        across = f" and {hardware.inter_link.name}" if hardware.nodes > 1 else ""
        source = (
            f"engine.links.collectives over {hardware.intra_link.name}{across} "
            f"({hardware.intra_link.source or 'catalog'}): alpha-beta curves fitted on measured collectives"
        )
        terms = []
        for message in training_traffic(case.arch, workload_of(case), layout, hardware.gpus_per_node):
            if message.span in spans:
                sent = f"{message.op.replace('_', ' ')} of {message.payload_bytes:,.0f} bytes, {message.ranks} ranks"
                named = f"{message.op}_{message.span}"
                count = sheet.put(f"{named}_count", message.count, "", f"{sent}, in one step: engine.training.traffic")
                each = sheet.put(f"{named}_s", message_s(message, layout, hardware), "s", f"{sent}: {source}", "fitted")
                terms.append(f"{count} * {each}")
        return sheet.working(
            f"training.{name}_communication_s",
            words,
            value,
            "s",
            "messages of one step x seconds of each, hidden or not",
            " + ".join(terms) or "0",
            "fitted",
            MODEL,
        )

    return make


def _communication(case: Case) -> Working:
    sheet, run = Sheet(), run_of(case)
    names = [
        sheet.see(name, getattr(run, f"{name}_communication_s"), "s", f"training.{name}_communication_s")
        for name in ("tp", "ep", "pp", "dp")
    ]
    return sheet.working(
        "training.communication_s",
        "In links, all of one step",
        run.communication_s,
        "s",
        "collectives along each dimension of the layout, hidden or not",
        " + ".join(names),
        "fitted",
        MODEL,
    )


def _optimizer(case: Case) -> Working:
    sheet, run, work = Sheet(), run_of(case), workload_of(case)
    parts = sheet.put(
        "optimizer_s",
        run.optimizer_s,
        "s",
        f"bytes that {work.optimizer} moves for each parameter / memory rate, and what offload streams: {error_of(case)}",
        "fitted",
    )
    return sheet.working(
        "training.optimizer_s",
        "Optimizer",
        run.optimizer_s,
        "s",
        "one update of the trained parameters",
        parts,
        "fitted",
        MODEL,
    )


def _micro_batches(case: Case) -> Working:
    sheet, run, work = Sheet(), run_of(case), workload_of(case)
    if work.gradient_accumulation is not None:
        expression = f"max(1, {sheet.entered('gradient_accumulation', work.gradient_accumulation)})"
        formula = "as entered"
    else:
        batch = sheet.entered("global_batch", work.global_batch_tokens, "tokens")
        replicas = sheet.put("replicas", batch_in(case).replicas, "", "data-parallel ranks / context ranks")
        micro = sheet.entered("micro_batch", work.micro_batch, "sequences")
        length = sheet.entered("sequence_length", work.sequence_length, "tokens")
        expression = f"max(1, ceil({batch} / ({length} * {micro} * {replicas})))"
        formula = "global batch / (sequence x micro-batch x replicas), up to whole ones"
    return sheet.working(
        "training.micro_batches",
        "Micro-batches of one step",
        run.micro_batches,
        "",
        formula,
        expression,
        "counted",
        "engine.training.batch",
    )


def _bubble(case: Case) -> Working:
    sheet, run, made = Sheet(), run_of(case), step_in(case)
    expression = "0"
    if made.bubble_slots:
        slots = sheet.put("bubble_slots", made.bubble_slots, "micro-batches", f"(PP {case.layout.pp} - 1) / chunks")
        whole = sheet.see("step", run.step_s, "s", "training.step_s")
        expression = f"{slots} * ({put_compute_each(case, sheet)}) / {whole}"
    return sheet.working(
        "training.bubble_share",
        "Pipeline bubble",
        run.bubble_share,
        "",
        "idle micro-batch times x kernels of one / the step",
        expression,
        "fitted",
        "Narayanan et al. 2021 (arXiv 2104.04473), section 2.2",
    )


def _bubble_s(case: Case) -> Working:
    sheet, run = Sheet(), run_of(case)
    share = sheet.see("bubble", run.bubble_share, "", "training.bubble_share")
    whole = sheet.see("step", run.step_s, "s", "training.step_s")
    value = run.bubble_s
    return sheet.working(
        "training.bubble_s",
        "Pipeline bubble of one step",
        value,
        "s",
        "share x step",
        f"{share} * {whole}",
        "fitted",
        MODEL,
    )


def _hidden_communication(case: Case) -> Working:
    sheet, run = Sheet(), run_of(case)
    links = sheet.see("links", run.communication_s, "s", "training.communication_s")
    exposed = sheet.see("exposed", run.exposed_communication_s, "s", "training.exposed_communication_s")
    return sheet.working(
        "training.hidden_communication_s",
        "In links, hidden behind compute",
        run.hidden_communication_s,
        "s",
        "all collectives - the exposed ones",
        f"max(0, {links} - {exposed})",
        "fitted",
        MODEL,
    )


FIGURES: dict[str, Callable[[Case], Working]] = {
    "step_s": _step_s,
    "communication_s": _communication,
    "exposed_communication_s": _exposed,
    "bubble_share": _bubble,
    "bubble_s": _bubble_s,
    "hidden_communication_s": _hidden_communication,
    "tp_communication_s": _span("tp", ("tp",), "Tensor-parallel collectives of one step"),
    "ep_communication_s": _span("ep", ("ep", "cp"), "Expert- and context-parallel collectives of one step"),
    "pp_communication_s": _span("pp", ("pp",), "Pipeline messages of one step"),
    "dp_communication_s": _span("dp", ("dp",), "Data-parallel collectives of one step"),
    "optimizer_s": _optimizer,
    "micro_batches": _micro_batches,
}
