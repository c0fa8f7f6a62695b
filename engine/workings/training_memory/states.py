"""The states that a GPU holds through a run: weights, gradients and what the optimizer keeps."""

from __future__ import annotations

from collections.abc import Callable

from engine.training.memory.elements import adapter_widths, stage_elements
from engine.training.memory.peak import FIRST, LOSS
from engine.workings.case import Case
from engine.workings.groups import group_bytes
from engine.workings.record import Sheet, Working
from engine.workings.training_memory.shared import STATES, peak_of, rank_cost_of, recipe_of


def _elements(case: Case, index: int, sheet: Sheet, part: str, words: str) -> tuple[str, int, int]:
    """(name of an input, its value, routed experts in it) for the elements of a stage on one rank."""
    layout = case.layout
    stage = stage_elements(case.arch, layout.tp, layout.pp, layout.ep)[case.stage(index)]
    value: int = getattr(stage, part)
    source = f"{words} on one rank of TP {layout.tp}, PP {layout.pp}, EP {layout.ep}: {case.config}"
    return sheet.put(words.replace(" ", "_"), value, "parameters", source), value, stage.expert


def _shared(case: Case, index: int, sheet: Sheet, part: str, words: str, ranks: int) -> str:
    """Elements of a rank when `ranks` data-parallel ranks split them; whole experts already are spread."""
    name, _, experts = _elements(case, index, sheet, part, words)
    if ranks == 1:
        return name
    over = sheet.put("data_parallel", ranks, "ranks", "ranks that split it: layout and sharding")
    if case.layout.ep == 1:
        return f"{name} / {over}"
    expert = sheet.put("expert_parameters", experts, "parameters", f"routed experts on one rank: {case.config}")
    spread = max(1.0, ranks * case.layout.tp / case.layout.ep)
    fewer = sheet.put("expert_ranks", spread, "ranks", "data-parallel ranks x TP / EP, at least 1")
    return f"(({name} - {expert}) / {over} + {expert} / {fewer})"


def _adapters(case: Case, index: int, sheet: Sheet) -> str:
    work, layout = case.scenario.workload, case.layout
    widths = adapter_widths(case.arch, work.lora_targets, layout.tp, layout.pp, layout.ep)[case.stage(index)]
    width = sheet.put("adapter_width", widths, "elements", f"inputs + outputs of {work.lora_targets}: {case.config}")
    return f"{width} * {sheet.entered('lora_rank', work.lora_rank)}"


def _copies(case: Case, index: int, sheet: Sheet) -> str:
    """Trained copies of embeddings and head, or nothing."""
    if not case.scenario.workload.trainable_embeddings:
        return ""
    return _elements(case, index, sheet, "ends", "embedding and head")[0]


def _weights(case: Case, index: int) -> Working:
    sheet, plan = Sheet(), recipe_of(case)
    work = case.scenario.workload
    if work.offload == "parameters":
        expression, formula = "0", "weights stay in host memory"
    elif plan.peft:
        base = _shared(case, index, sheet, "linear", "projections", plan.weight_shard)
        frozen = sheet.put("frozen_bytes", plan.frozen_linear, "bytes", f"base in {_base(case)}: {STATES}")
        ends, _, _ = _elements(case, index, sheet, "ends", "embedding and head")
        other, _, _ = _elements(case, index, sheet, "other", "norms and routers")
        towers, _, _ = _elements(case, index, sheet, "towers", "towers")
        loose = sheet.put(
            "loose_bytes", plan.residual, "bytes", "what is not quantized, in the type of the residual stream"
        )
        own = sheet.put("adapter_bytes", plan.weight, "bytes", f"weight of a trained element: {STATES}")
        over = sheet.put("weight_ranks", plan.weight_shard, "ranks", "ranks that split the weights")
        copies = _copies(case, index, sheet)
        extra = f" + {copies} * 2" if copies else ""
        expression = (
            f"round({base} * {frozen} + (({ends} + {other} + {towers}) * {loose} + "
            f"{_adapters(case, index, sheet)} * {own}{extra}) / {over})"
        )
        formula = "frozen projections, what stays 16-bit, and adapters"
    else:
        each = sheet.put("bytes_each", plan.weight, "bytes", STATES)
        held = _shared(case, index, sheet, "all", "parameters", plan.weight_shard)
        expression, formula = f"round({held} * {each})", "parameters on this GPU x bytes a weight"
    return group_bytes(
        case, index, sheet, "weights_bytes", "Weights on one GPU", formula, expression, "counted", STATES
    )


def _base(case: Case) -> str:
    work = case.scenario.workload
    return work.base_format if work.kind == "qlora" else "16 bits"


def _states(case: Case, index: int) -> Working:
    sheet, plan = Sheet(), recipe_of(case)
    work = case.scenario.workload
    if work.offload != "none":
        expression, formula = "0", "optimizer states stay in host memory"
    else:
        each = sheet.put("bytes_each", plan.state, "bytes", f"{work.optimizer} with its master copy, if any: {STATES}")
        if plan.peft:
            over = sheet.put("state_ranks", plan.state_shard, "ranks", "ranks that split the states")
            copies = _copies(case, index, sheet)
            extra = ""
            if copies:
                wide = sheet.put("copy_bytes", plan.state_16bit, "bytes", "states of a 16-bit trained copy")
                extra = f" + {copies} * {wide}"
            expression = f"round(({_adapters(case, index, sheet)} * {each}{extra}) / {over})"
            formula = "trained adapter elements x bytes of their states"
        else:
            held = _shared(case, index, sheet, "all", "parameters", plan.state_shard)
            expression = f"{held} * {each}"
            if plan.state_matrix_saving:
                saved = sheet.put("saving", plan.state_matrix_saving, "bytes", "Muon keeps one momentum for matrices")
                matrices = _shared(case, index, sheet, "linear", "projections", plan.state_shard)
                expression += f" - {matrices} * {saved}"
            expression, formula = f"round({expression})", "parameters on this GPU x bytes of their states"
    return group_bytes(
        case, index, sheet, "optimizer_bytes", "Optimizer states on one GPU", formula, expression, "counted", STATES
    )


def _gradients(case: Case, index: int) -> Working:
    sheet, plan = Sheet(), recipe_of(case)
    work = case.scenario.workload
    cost, _ = rank_cost_of(case, index)
    worst = peak_of(case, index).worst
    held = cost.early if worst.name in (FIRST, LOSS) else cost.gradients
    formula = f"gradients that are there at the worst moment, {worst.name}"
    if not held:
        expression, formula = "0", formula + ": none yet, or elsewhere"
    else:
        each = sheet.put("bytes_each", plan.gradient, "bytes", STATES)
        whole = plan.gathers and case.layout.pp > 1  # a pipeline keeps them whole until the last micro-batch
        ranks = 1 if whole else plan.gradient_shard
        if plan.peft:
            over = sheet.put("gradient_ranks", plan.gradient_shard, "ranks", "ranks that split the gradients")
            copies = _copies(case, index, sheet)
            extra = f" + {copies} * 2" if copies else ""
            expression = f"round(({_adapters(case, index, sheet)} * {each}{extra}) / {over})"
        else:
            expression = f"round({_shared(case, index, sheet, 'all', 'parameters', ranks)} * {each})"
        formula += ": trained elements x bytes a gradient"
    del work
    return group_bytes(
        case, index, sheet, "gradient_bytes", "Gradients on one GPU", formula, expression, "counted", STATES
    )


GROUP: dict[str, Callable[[Case, int], Working]] = {
    "weights_bytes": _weights,
    "gradient_bytes": _gradients,
    "optimizer_bytes": _states,
}
