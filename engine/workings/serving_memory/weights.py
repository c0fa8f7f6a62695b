"""The weights that one GPU holds."""

from __future__ import annotations

from collections.abc import Callable

from engine.calibration import serving_memory as fitted
from engine.figures.units import GIB
from engine.layout.sharding import stage_weights
from engine.model.formats import weight_format
from engine.serving.memory import engine_extra_bytes, expert_tile
from engine.workings.case import Case
from engine.workings.groups import group_bytes, memory_id, where
from engine.workings.record import Sheet, Working
from engine.workings.serving_memory.shared import error_of, is_rocm
from engine.workings.tensors import bytes_expression, counted, parts_of, rank_pieces


def _engine(case: Case) -> str:
    return case.settings.engine


def _weights(case: Case, index: int) -> Working:
    model, sheet, stage = case.scenario.model, Sheet(), case.stage(index)
    held = stage_weights(case.arch, model.weights, case.layout, stage, model.mtp)
    names = [
        sheet.see(part, size, "bytes", memory_id(index, f"weights.{part}"), "counted")
        for part, size in held.parts.items()
    ]
    extra = engine_extra_bytes(case.arch, model.weights, case.layout, held.layers, expert_tile(case.card))
    if extra:
        what = "rotary table, absorbed latent projections and padding: engine.serving.memory.engine_extra_bytes"
        names.append(sheet.put("engine_extra", extra, "bytes", what))
    expression = " + ".join(names)
    if is_rocm(case) and _engine(case) != "sglang":
        rows = sheet.put("rocm_padding", fitted.ROCM_WEIGHTS, "", error_of("ROCM_WEIGHTS"), "fitted")
        expression = f"floor(({expression}) * {rows})"
    if _engine(case) == "sglang":
        load = sheet.put("loading_gib", fitted.SGLANG_LOAD_GIB, "GiB", error_of("SGLANG_LOAD_GIB"), "fitted")
        expression += f" + floor({load} * {sheet.put('bytes_per_gib', GIB, 'bytes', 'by definition')})"
    layout = case.layout
    return group_bytes(
        case,
        index,
        sheet,
        "weights_bytes",
        "Weights on one GPU",
        f"the parts that this rank holds under TP {layout.tp}, PP {layout.pp}, EP {layout.ep}, in {model.weights}",
        expression,
        "counted",
        "engine.layout.sharding: tensors cut as vLLM cuts them; scales included",
    )


def weights_part(case: Case, index: int, part: str) -> Working:
    """The working of one part of the weights of a memory group."""
    model, sheet = case.scenario.model, Sheet()
    pieces = list(rank_pieces(case.arch, model.weights, case.layout, case.stage(index), model.mtp))
    sums = {str(name): size for name, size in parts_of(pieces).items()}
    if part not in sums:
        raise KeyError(memory_id(index, f"weights.{part}"))
    form = weight_format(model.weights)
    source = f"{case.config}, cut by TP {case.layout.tp}, PP {case.layout.pp}, EP {case.layout.ep}"
    expression = bytes_expression(sheet, counted(pieces, part), source, f"{form.label}: {form.source}")
    return sheet.working(
        memory_id(index, f"weights.{part}"),
        f"Weights on one GPU: {part.replace('_', ' ')}{where(case, index)}",
        sums[part],
        "bytes",
        "matrices on this rank x (rows x columns x bits / 8 + scales)",
        expression,
        "counted",
        "engine.layout.sharding and engine.model.formats",
    )


def weights_share(case: Case) -> Working:
    """The working of the share of the card that weights take."""
    memory, sheet = case.plan.memory, Sheet()
    index = max(range(len(memory.per_gpu)), key=lambda at: memory.per_gpu[at].weights_bytes)
    group = memory.per_gpu[index]
    weights = sheet.see("weights", group.weights_bytes, "bytes", memory_id(index, "weights_bytes"), "counted")
    total = sheet.see("card", group.total_bytes, "bytes", memory_id(index, "total_bytes"), "data sheet")
    return sheet.working(
        "memory.weights_share",
        "Weights as a share of the card",
        memory.weights_share,
        "",
        "weights of the GPU that holds most / memory of the card; the planning rule wants 60-70 % at most",
        f"{weights} / {total}",
        "counted",
        "engine.serving.memory" if case.scenario.workload.is_inference else "engine.training.memory",
    )


GROUP: dict[str, Callable[[Case, int], Working]] = {
    "weights_bytes": _weights,
}
WHOLE: dict[str, Callable[[Case], Working]] = {
    "weights_share": weights_share,
}
