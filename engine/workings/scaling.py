"""Workings of the scaling table: steps of other shapes of build, and what the article states beside them."""

from __future__ import annotations

from engine.decide.scaling import row_step
from engine.sizing import ScalingRow
from engine.training.speed import Step, rates
from engine.workings.case import Case
from engine.workings.record import Sheet, Working

CONSTANTS = "engine.calibration.training_speed"
CLAIM = "the article's table: tests/reference/seed_claims.toml, scaling_row"


def found(case: Case, name: str) -> Working:
    """The working of `scaling.N`, by row number from 0, or `scaling.CONFIGURATION`; `.article`: its claim beside it.

    Raises KeyError.
    """
    rows = case.sizing.scaling if case.sizing is not None else ()
    place = name.removesuffix(".article")
    index = next((at for at, row in enumerate(rows) if place in (str(at), row.configuration)), None)
    if index is None:
        raise KeyError(f"scaling.{name}")
    row = rows[index]
    if place == name:
        return _efficiency(case, row, rows[0], index)
    if row.article_efficiency is None:
        raise KeyError(f"scaling.{name}")
    return _claim(f"scaling.{name}", row.configuration, row.article_efficiency)


def _claim(figure: str, configuration: str, value: float) -> Working:
    sheet = Sheet()
    claimed = sheet.put("claimed", value, "", CLAIM, "rule of thumb")
    what = "what the article states for this shape, for one model on cards of its own"
    return sheet.working(
        figure, f"The article's efficiency: {configuration}", value, "", what, claimed, "rule of thumb", CLAIM
    )


def _step(sheet: Sheet, made: Step, hidden: tuple[float, float, float], source: str, shares: str) -> str:
    """Seconds of a step without its optimizer, as arithmetic. hidden: shares of TP, EP and DP behind compute."""
    each = sheet.put("kernels_s", made.compute_each_s, "s", f"one micro-batch on the busiest stage: {source}", "fitted")
    exposed = []
    for dimension, seconds, share in (
        ("tp", made.tp_each_s, hidden[0]),
        ("ep", made.ep_each_s, hidden[1]),
        ("pp", made.pp_each_s, made.hidden_pp),
    ):
        if seconds:
            spent = sheet.put(f"{dimension}_s", seconds, "s", f"collectives of one micro-batch: {source}", "fitted")
            behind = sheet.put(f"{dimension}_hidden", share, "", f"share behind compute: {shares}", "fitted")
            exposed.append(f"{spent} * (1 - {behind})")
    through = " + ".join([each, *exposed])
    count = sheet.put("micro_batches", made.micro_batches, "", "of one step")
    slots = count
    if made.bubble_slots:
        slots = f"({count} + {sheet.put('bubble_slots', made.bubble_slots, '', '(PP - 1) / chunks')})"
    expression = f"({through}) * {slots}"
    if made.dp_s:
        beside = sheet.put("dp_s", made.dp_s, "s", f"gradients and parameters of one step: {source}", "fitted")
        behind = sheet.put("dp_hidden", hidden[2], "", f"share behind compute: {shares}", "fitted")
        window = sheet.put("window", made.window, "micro-batches", "behind which they can hide")
        expression += f" + max({beside} * (1 - {behind}), {beside} - ({through}) * {window})"
    return expression


def _efficiency(case: Case, row: ScalingRow, one: ScalingRow, index: int) -> Working:
    sheet, work = Sheet(), case.scenario.workload
    made, layout = row_step(case.scenario, row, case.layout)
    alone, _ = row_step(case.scenario, one, case.layout)
    tier = rates(case.card, work.compute_dtype, work.software).tier
    hidden = (tier.overlap_tp, tier.overlap_ep, tier.overlap_dp)
    if work.overlap is not None:
        hidden = (work.overlap, work.overlap, work.overlap)
    where = f"TP {layout.tp}, PP {layout.pp}, DP {layout.dp}" + (f", EP {layout.ep}" if layout.ep > 1 else "")
    source = f"engine.training.speed, {where}" + (f" over {row.fabric}" if row.fabric else "")
    tokens = sheet.put("tokens", made.tokens, "tokens", f"of one step: global batch, {where}")
    expression = _step(sheet, made, hidden, source, CONSTANTS)
    tail = sheet.put("optimizer_s", made.tail_s, "s", "optimizer and offload", "fitted")
    gpus = sheet.put("gpus", layout.gpus, "GPUs", "of this shape")
    baseline = sheet.put(
        "one_gpu", alone.tokens_per_s, "tokens/s", "one GPU, imagined with memory enough: the first row", "fitted"
    )
    note = ""
    if row.article_efficiency is not None:
        note = f"The article's figure for this shape: {row.article_efficiency:.2f}."
    return sheet.working(
        f"scaling.{index}",
        f"Efficiency: {row.configuration}",
        row.efficiency,
        "",
        "tokens of a step / its seconds / GPUs, against one GPU, at most 1",
        f"min(1, {tokens} / ({expression} + {tail}) / {gpus} / {baseline})",
        "fitted",
        "engine.decide.scaling: the step model on other shapes of build",
        note=note,
    )
