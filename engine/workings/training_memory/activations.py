"""The worst moment of a step: what is kept for the backward pass, worked with and lost again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from engine.calibration import training_memory as fitted
from engine.training.memory.elements import stage_elements
from engine.training.memory.peak import LAST, LOSS, STEP, logit_bytes
from engine.workings.case import Case
from engine.workings.groups import group_bytes, memory_id
from engine.workings.record import Sheet, Working
from engine.workings.training_memory.shared import CALIBRATION, peak_of, put_tokens, rank_cost_of, recipe_of


def step_terms(case: Case, index: int, sheet: Sheet, moment: str, tokens: str) -> tuple[str, str]:
    """(fixed bytes, bytes that grow with the tokens) of one moment, buffers left out, as arithmetic."""
    cost, held = rank_cost_of(case, index)
    if moment == STEP:
        return sheet.put("step_copy", cost.temporary, "bytes", "temporary of an unfused optimizer"), "0"
    fixed = "0"
    if moment != LOSS:
        fixed = sheet.put("layer_copies", cost.fixed, "bytes", "one layer gathered, its gradient, unpacked matrices")
        working = sheet.see("working", cost.working, "bytes a token", memory_id(index, "working_bytes_per_token"))
        grows = f"{working} * {tokens}"
        if moment == LAST:
            return fixed, grows
        if cost.lingering:
            lasting = sheet.put("lingering", cost.lingering, "bytes a token", "hidden states FSDP1 keeps of each layer")
            grows += f" + {lasting} * {tokens} * {sheet.put('in_flight', held, '', 'micro-batches held at once: engine.training.batch')}"
    else:
        loss = sheet.see("loss", cost.loss, "bytes a token", memory_id(index, "loss_bytes_per_token"))
        grows = f"{loss} * {tokens}"
    kept = sheet.see("kept", cost.kept, "bytes a token", memory_id(index, "kept_bytes_per_token"))
    times = 1 if cost.offloads_kept else held
    if times > 1:
        kept += f" * {sheet.put('in_flight', times, '', 'micro-batches this stage holds: engine.training.batch')}"
    return fixed, f"{kept} * {tokens} + {grows}"


def _activation(case: Case, index: int) -> Working:
    sheet = Sheet()
    cost, _ = rank_cost_of(case, index)
    worst = peak_of(case, index).worst
    fixed, grows = step_terms(case, index, sheet, worst.name, put_tokens(case, sheet))
    buffers = sheet.put("buffers", cost.buffers, "bytes", "buckets and gathered ends of the model")
    return group_bytes(
        case,
        index,
        sheet,
        "activation_bytes",
        "Activations, loss and buffers at the peak",
        f"what a step allocates and frees at its worst moment, {worst.name}",
        f"round({fixed} + {grows} + {buffers})",
        "fitted",
        CALIBRATION,
    )


def _loss(case: Case, index: int) -> Working:
    sheet, layout, work = Sheet(), case.layout, case.scenario.workload
    cost, _ = rank_cost_of(case, index)
    if not cost.last:
        raise KeyError(memory_id(index, "loss_bytes_per_token"))
    vocabulary = sheet.put("vocabulary", case.arch.vocab_size, "tokens", case.config)
    tp = sheet.put("tp", layout.tp, "ranks", "layout")
    each = sheet.put("bytes_a_logit", logit_bytes(work), "bytes", f"loss {work.loss}: {CALIBRATION}", "fitted")
    copies = sheet.put("loss_hidden", fitted.LOSS_HIDDEN, "hidden states", CALIBRATION, "fitted")
    hidden = sheet.put("hidden_size", case.arch.hidden_size, "elements", case.config)
    expression = f"{vocabulary} / {tp} * {each} + 2 * {copies} * {hidden} / {tp}"
    if layout.tp > 1:
        expression += f" + 4 * {hidden}"
    return sheet.working(
        memory_id(index, "loss_bytes_per_token"),
        "Loss buffers of one token",
        cost.loss,
        "bytes a token",
        "vocabulary x bytes a logit, and hidden states beside it",
        expression,
        "fitted",
        CALIBRATION,
    )


def _element(case: Case, sheet: Sheet) -> str:
    if recipe_of(case).residual > 2.0:
        what = "what an fp32 residual stream makes of a layer's activations"
        return f"2 * {sheet.put('residual_fp32', fitted.RESIDUAL_FP32, '', what, 'rule of thumb')}"
    return "2"


def _kept(case: Case, index: int) -> Working:
    """Bytes a token that all layers keep until their backward; with full recomputation only their inputs."""
    sheet, layout, work = Sheet(), case.layout, case.scenario.workload
    cost, _ = rank_cost_of(case, index)
    plan = recipe_of(case)
    hidden = f"{sheet.put('hidden_size', case.arch.hidden_size, 'elements', case.config)}"
    if layout.tp > 1:
        hidden += f" / {sheet.put('tp', layout.tp, 'ranks', 'layout')}"
    layers = sheet.put("layers", cost.layers, "", "layers of this stage")
    stream = sheet.put("residual_bytes", plan.residual, "bytes", "type of the residual stream")
    simple = not work.activation_offload and work.recompute in ("full", "selective")
    stage = stage_elements(case.arch, layout.tp, layout.pp, layout.ep)[case.stage(index)]
    widths = f"summed over this stage's layers: {case.config}"
    if simple:
        expression = f"{stream} * {hidden} * {layers}"
        formula = "the input of each layer"
        if work.recompute == "selective":
            attention = sheet.put("attention_widths", stage.attention_width, "elements", widths)
            qkv = sheet.put("qkv_widths", stage.qkv_width, "elements", widths)
            up = sheet.put("feed_forward_widths", stage.up_width, "elements", widths)
            expression += f" + 2 * {attention} + {qkv} + {up} + 2 * {hidden} * {layers}"
            formula = "the input of each layer, and the products that selective recomputation keeps"
    elif work.activation_offload:
        expression, formula = f"2 * {stream} * {hidden}", "two layers' inputs on their way to the host"
    else:
        attention = sheet.put("attention_widths", stage.attention_width, "elements", widths)
        qkv = sheet.put("qkv_widths", stage.qkv_width, "elements", widths)
        up = sheet.put("feed_forward_widths", stage.up_width, "elements", widths)
        element = _element(case, sheet)
        saved_hidden = sheet.put("saved_hidden", fitted.SAVED_HIDDEN, "", CALIBRATION, "fitted")
        saved_qkv = sheet.put("saved_qkv", fitted.SAVED_QKV, "", CALIBRATION, "fitted")
        saved_mlp = sheet.put("saved_mlp", fitted.SAVED_MLP, "", CALIBRATION, "fitted")
        inner = f"{saved_hidden} * {hidden} * {layers} + {saved_qkv} * {qkv} + {attention} + {saved_mlp} * {up}"
        if not plan.peft:
            inner += f" + 2 * {hidden} * {layers} + 0.5 * {up}"
        if stage.routed_copies:
            inner += f" + {sheet.put('routed_copies', stage.routed_copies, 'hidden states', widths)} * {hidden}"
        expression = f"{element} * ({inner})"
        formula = "widths that each layer keeps for its backward (Korthikanti et al. 2022, flash attention)"
    made = sheet.working(
        memory_id(index, "kept_bytes_per_token"),
        "Activations of one token kept until the backward",
        cost.kept,
        "bytes a token",
        formula,
        expression,
        "fitted",
        CALIBRATION,
    )
    rest = cost.kept - made.computed()
    if abs(rest) > 1e-9 * max(1.0, cost.kept):
        more = sheet.put(
            "other", rest, "bytes a token", "attention scores or adapter inputs kept: engine.training.memory.peak"
        )
        return replace(made, expression=f"{expression} + {more}", inputs=tuple(sheet.inputs.values()))
    return made


def _working(case: Case, index: int) -> Working:
    """Bytes a token that one layer's backward takes beside what is kept."""
    sheet, layout, work = Sheet(), case.layout, case.scenario.workload
    cost, _ = rank_cost_of(case, index)
    plan = recipe_of(case)
    stage = stage_elements(case.arch, layout.tp, layout.pp, layout.ep)[case.stage(index)]
    wide = stage.widest
    whole = sheet.put("hidden_size", case.arch.hidden_size, "elements", case.config)
    hidden = f"{whole} / {sheet.put('tp', layout.tp, 'ranks', 'layout')}" if layout.tp > 1 else whole
    element = _element(case, sheet)
    source = f"widest layer of this stage: {case.config}"
    turn = wide.up_width if work.software == "tuned" else wide.expert_up_width
    turned = sheet.put("feed_forward_turn", turn, "elements", "feed-forward outputs alive at once in the backward")
    back = sheet.put("backward_hidden", fitted.BACKWARD_HIDDEN, "", CALIBRATION, "fitted")
    back_mlp = sheet.put("backward_mlp", fitted.BACKWARD_MLP, "", CALIBRATION, "fitted")
    if work.software != "tuned":
        back = f"({back} + {sheet.put('unfused_hidden', fitted.UNFUSED_HIDDEN, '', CALIBRATION, 'fitted')})"
    working = f"{element} * ({back} * {hidden} + {back_mlp} * {turned})"
    if layout.tp > 1:
        gathered = sheet.put("gathered_hidden", fitted.GATHERED_HIDDEN, "", CALIBRATION, "fitted")
        working += f" + {element} * {gathered} * {whole}"
    expression = working
    if work.recompute != "none":
        qkv = sheet.put("qkv_width", wide.qkv_width, "elements", source)
        attention = sheet.put("attention_width", wide.attention_width, "elements", source)
        up = sheet.put("feed_forward_width", wide.up_width, "elements", source)
        saved = (
            f"{sheet.put('saved_hidden', fitted.SAVED_HIDDEN, '', CALIBRATION, 'fitted')} * {hidden} + "
            f"{sheet.put('saved_qkv', fitted.SAVED_QKV, '', CALIBRATION, 'fitted')} * {qkv} + {attention} + "
            f"{sheet.put('saved_mlp', fitted.SAVED_MLP, '', CALIBRATION, 'fitted')} * {up}"
        )
        if not plan.peft:
            saved += f" + 2 * {hidden} + 0.5 * {up}"
        if wide.routed_copies:
            saved += f" + {sheet.put('routed_copies', wide.routed_copies, 'hidden states', source)} * {hidden}"
        saved = f"{element} * ({saved})"
        if work.recompute == "selective":
            saved = f"max(0, {saved} - (2 * {attention} + {qkv} + {up} + 2 * {hidden}))"
        expression = f"{saved} + {working}"
    made = sheet.working(
        memory_id(index, "working_bytes_per_token"),
        "Working memory of one layer's backward, one token",
        cost.working,
        "bytes a token",
        "what the layer computes again, and its gradients",
        expression,
        "fitted",
        CALIBRATION,
    )
    rest = cost.working - made.computed()
    if abs(rest) > 1e-9 * max(1.0, cost.working):
        more = sheet.put("other", rest, "bytes a token", "attention scores kept: engine.training.memory.peak")
        return replace(made, expression=f"{expression} + {more}", inputs=tuple(sheet.inputs.values()))
    return made


GROUP: dict[str, Callable[[Case, int], Working]] = {
    "activation_bytes": _activation,
    "loss_bytes_per_token": _loss,
    "kept_bytes_per_token": _kept,
    "working_bytes_per_token": _working,
}
