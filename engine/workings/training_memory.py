"""Workings of training memory: the states that a GPU holds and the worst moment of a step."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from engine.calibration import training_memory as fitted
from engine.sizing import TrainingPhase
from engine.training_memory.advice import SEQUENCE_STEP
from engine.training_memory.core import Card, Costs, plan_recipe, rank_tokens, sequence_ranks, stage_costs
from engine.training_memory.elements import adapter_widths, stage_elements
from engine.training_memory.peak import FIRST, LAST, LOSS, STEP, RankCost, RankPeak, logit_bytes
from engine.training_memory.recipe import Recipe
from engine.units import GB
from engine.workings.case import Case
from engine.workings.record import Sheet, Working

CALIBRATION = (
    "engine.calibration.training_memory, fitted on measured runs (scripts/calibrate_training_memory.py); "
    f"80 % of unseen runs lie within {fitted.INTERVAL_LOW:g} to {fitted.INTERVAL_HIGH:g} of the estimate"
)
STATES = "engine.training_memory.recipe: ZeRO (Rajbhandari et al. 2020, section 3.1) and the framework's own types"
MOMENTS = (FIRST, LAST, STEP, LOSS)


def _id(index: int, name: str) -> str:
    return f"memory.{index}.{name}" if index else f"memory.{name}"


def _where(case: Case, index: int) -> str:
    groups = case.plan.memory.per_gpu
    return f", {groups[index].rank_group}" if len(groups) > 1 else ""


def _card(case: Case) -> Card:
    return Card(case.card.memory_bytes, case.scenario.hardware.gpus_per_node)


def _cost(case: Case, index: int) -> tuple[RankCost, int]:
    return stage_costs(case.arch, case.scenario.workload, case.layout, _card(case))[case.stage(index)]


def _peak(case: Case, index: int) -> RankPeak:
    cost, held = _cost(case, index)
    return cost.peak(rank_tokens(case.scenario.workload, case.layout), held, _card(case).usable_bytes)


def _recipe(case: Case) -> Recipe:
    return plan_recipe(case.scenario.workload, case.layout, _card(case))


def _total(case: Case, index: int) -> Working:
    from engine.workings import serving_memory

    return serving_memory.GROUP["total_bytes"](case, index)


def _driver(case: Case, index: int) -> Working:
    sheet, group = Sheet(), case.group(index)
    total = sheet.see("card", group.total_bytes, "bytes", _id(index, "total_bytes"), "data sheet")
    share = sheet.put("driver_share", fitted.DRIVER_SHARE, "", CALIBRATION, "measured")
    return sheet.working(
        _id(index, "reserved_bytes"),
        "Kept by the driver",
        group.reserved_bytes,
        "bytes",
        "card x the share that the driver keeps",
        f"round({total} * {share})",
        "measured",
        CALIBRATION,
    )


def _usable(case: Case, index: int) -> Working:
    sheet, group = Sheet(), case.group(index)
    total = sheet.see("card", group.total_bytes, "bytes", _id(index, "total_bytes"), "data sheet")
    kept = sheet.see("kept", group.reserved_bytes, "bytes", _id(index, "reserved_bytes"), "measured")
    return sheet.working(
        _id(index, "usable_bytes"),
        "Memory a process can take",
        group.usable_bytes,
        "bytes",
        "card - what the driver keeps",
        f"{total} - {kept}",
        "measured",
        CALIBRATION,
    )


# --- states ------------------------------------------------------------------------------------


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
    group, sheet, plan = case.group(index), Sheet(), _recipe(case)
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
    return sheet.working(
        _id(index, "weights_bytes"),
        "Weights on one GPU" + _where(case, index),
        group.weights_bytes,
        "bytes",
        formula,
        expression,
        "counted",
        STATES,
    )


def _base(case: Case) -> str:
    work = case.scenario.workload
    return work.base_format if work.kind == "qlora" else "16 bits"


def _states(case: Case, index: int) -> Working:
    group, sheet, plan = case.group(index), Sheet(), _recipe(case)
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
    return sheet.working(
        _id(index, "optimizer_bytes"),
        "Optimizer states on one GPU" + _where(case, index),
        group.optimizer_bytes,
        "bytes",
        formula,
        expression,
        "counted",
        STATES,
    )


def _gradients(case: Case, index: int) -> Working:
    group, sheet, plan = case.group(index), Sheet(), _recipe(case)
    work = case.scenario.workload
    cost, _ = _cost(case, index)
    worst = _peak(case, index).worst
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
    return sheet.working(
        _id(index, "gradient_bytes"),
        "Gradients on one GPU" + _where(case, index),
        group.gradient_bytes,
        "bytes",
        formula,
        expression,
        "counted",
        STATES,
    )


# --- the moment --------------------------------------------------------------------------------


def _tokens(case: Case, sheet: Sheet) -> str:
    work = case.scenario.workload
    micro = sheet.entered("micro_batch", work.micro_batch, "sequences")
    length = sheet.entered("sequence_length", work.sequence_length, "tokens")
    ranks = sequence_ranks(work, case.layout.dp)
    if ranks > 1:
        return f"{micro} * {length} / {sheet.entered('context_parallel', ranks, 'ranks')}"
    return f"{micro} * {length}"


def _step_terms(case: Case, index: int, sheet: Sheet, moment: str, tokens: str) -> tuple[str, str]:
    """(fixed bytes, bytes that grow with the tokens) of one moment, buffers left out, as arithmetic."""
    cost, held = _cost(case, index)
    if moment == STEP:
        return sheet.put("step_copy", cost.temporary, "bytes", "temporary of an unfused optimizer"), "0"
    fixed = "0"
    if moment != LOSS:
        fixed = sheet.put("layer_copies", cost.fixed, "bytes", "one layer gathered, its gradient, unpacked matrices")
        working = sheet.see("working", cost.working, "bytes a token", _id(index, "working_bytes_per_token"))
        grows = f"{working} * {tokens}"
        if moment == LAST:
            return fixed, grows
        if cost.lingering:
            lasting = sheet.put("lingering", cost.lingering, "bytes a token", "hidden states FSDP1 keeps of each layer")
            grows += f" + {lasting} * {tokens} * {sheet.put('in_flight', held, '', 'micro-batches held: 1F1B')}"
    else:
        loss = sheet.see("loss", cost.loss, "bytes a token", _id(index, "loss_bytes_per_token"))
        grows = f"{loss} * {tokens}"
    kept = sheet.see("kept", cost.kept, "bytes a token", _id(index, "kept_bytes_per_token"))
    times = 1 if cost.offloads_kept else held
    if times > 1:
        kept += f" * {sheet.put('in_flight', times, '', 'micro-batches held by this stage: 1F1B')}"
    return fixed, f"{kept} * {tokens} + {grows}"


def _activation(case: Case, index: int) -> Working:
    group, sheet = case.group(index), Sheet()
    cost, _ = _cost(case, index)
    worst = _peak(case, index).worst
    fixed, grows = _step_terms(case, index, sheet, worst.name, _tokens(case, sheet))
    buffers = sheet.put("buffers", cost.buffers, "bytes", "buckets and gathered ends of the model")
    return sheet.working(
        _id(index, "activation_bytes"),
        "Activations, loss and buffers at the peak" + _where(case, index),
        group.activation_bytes,
        "bytes",
        f"what a step allocates and frees at its worst moment, {worst.name}",
        f"round({fixed} + {grows} + {buffers})",
        "fitted",
        CALIBRATION,
    )


def _loss(case: Case, index: int) -> Working:
    sheet, layout, work = Sheet(), case.layout, case.scenario.workload
    cost, _ = _cost(case, index)
    if not cost.last:
        raise KeyError(_id(index, "loss_bytes_per_token"))
    vocabulary = sheet.put("vocabulary", case.arch.vocab_size, "tokens", case.config)
    tp = sheet.put("tp", layout.tp, "ranks", "layout")
    each = sheet.put("bytes_a_logit", logit_bytes(work), "bytes", f"loss {work.loss}: {CALIBRATION}", "fitted")
    copies = sheet.put("loss_hidden", fitted.LOSS_HIDDEN, "hidden states", CALIBRATION, "fitted")
    hidden = sheet.put("hidden_size", case.arch.hidden_size, "elements", case.config)
    expression = f"{vocabulary} / {tp} * {each} + 2 * {copies} * {hidden} / {tp}"
    if layout.tp > 1:
        expression += f" + 4 * {hidden}"
    return sheet.working(
        _id(index, "loss_bytes_per_token"),
        "Loss buffers of one token",
        cost.loss,
        "bytes a token",
        "vocabulary x bytes a logit, and hidden states beside it",
        expression,
        "fitted",
        CALIBRATION,
    )


def _element(case: Case, sheet: Sheet) -> str:
    if _recipe(case).residual > 2.0:
        what = "what an fp32 residual stream makes of a layer's activations"
        return f"2 * {sheet.put('residual_fp32', fitted.RESIDUAL_FP32, '', what, 'rule of thumb')}"
    return "2"


def _kept(case: Case, index: int) -> Working:
    """Bytes a token that all layers keep until their backward; with full recomputation only their inputs."""
    sheet, layout, work = Sheet(), case.layout, case.scenario.workload
    cost, _ = _cost(case, index)
    plan = _recipe(case)
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
        _id(index, "kept_bytes_per_token"),
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
            "other", rest, "bytes a token", "attention scores or adapter inputs kept: engine.training_memory.peak"
        )
        return replace(made, expression=f"{expression} + {more}", inputs=tuple(sheet.inputs.values()))
    return made


def _working(case: Case, index: int) -> Working:
    """Bytes a token that one layer's backward takes beside what is kept."""
    sheet, layout, work = Sheet(), case.layout, case.scenario.workload
    cost, _ = _cost(case, index)
    plan = _recipe(case)
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
        _id(index, "working_bytes_per_token"),
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
        more = sheet.put("other", rest, "bytes a token", "attention scores kept: engine.training_memory.peak")
        return replace(made, expression=f"{expression} + {more}", inputs=tuple(sheet.inputs.values()))
    return made


def _context_terms(case: Case, sheet: Sheet) -> str:
    context = sheet.put("context_gb", fitted.CONTEXT_GB, "GB", CALIBRATION, "fitted")
    gb = sheet.put("bytes_per_gb", GB, "bytes", "by definition")
    if case.layout.gpus > 1:
        context = f"({context} + {sheet.put('communicators_gb', fitted.COMMUNICATORS_GB, 'GB', CALIBRATION, 'fitted')})"
    return f"{context} * {gb}"


def _runtime(case: Case, index: int) -> Working:
    group, sheet = case.group(index), Sheet()
    cost, _ = _cost(case, index)
    stuck = sheet.put("stuck_share", fitted.STUCK_SHARE, "", CALIBRATION, "fitted")
    cache = sheet.put("cache_share", cost.cache_share, "", CALIBRATION, "fitted")
    step = sheet.see("activations", group.activation_bytes, "bytes", _id(index, "activation_bytes"))
    buffers = sheet.put("buffers", cost.buffers, "bytes", "buckets and gathered ends, which are never freed")
    return sheet.working(
        _id(index, "runtime_bytes"),
        "Context and cache that cannot be returned" + _where(case, index),
        group.runtime_bytes,
        "bytes",
        "CUDA context and communicators, and the part of the allocator's cache that stays under pressure",
        f"round({_context_terms(case, sheet)} + {stuck} * {cache} * ({step} - {buffers}))",
        "fitted",
        CALIBRATION,
    )


def _allocated(sheet: Sheet, index: int, phase: TrainingPhase) -> str:
    weights = sheet.see("weights", phase.weights_bytes, "bytes", _id(index, "weights_bytes"), "counted")
    gradients = sheet.see("gradients", phase.gradient_bytes, "bytes", _id(index, "gradient_bytes"), "counted")
    states = sheet.see("optimizer", phase.optimizer_bytes, "bytes", _id(index, "optimizer_bytes"), "counted")
    activations = sheet.see("activations", phase.activation_bytes, "bytes", _id(index, "activation_bytes"))
    return f"{weights} + {gradients} + {states} + {activations}"


def _peak_bytes(case: Case) -> Working:
    memory, sheet = case.plan.memory, Sheet()
    worst = _peak(case, 0).worst
    runtime = sheet.see("runtime", memory.worst.runtime_bytes, "bytes", "memory.runtime_bytes")
    detail = memory.training
    return sheet.working(
        "memory.peak_bytes",
        "What a step needs on the fullest GPU",
        memory.peak_bytes,
        "bytes",
        "weights + gradients + optimizer states + activations at the worst moment + runtime",
        f"{_allocated(sheet, 0, worst)} + {runtime}",
        "fitted",
        CALIBRATION,
        detail.interval if detail is not None else None,
    )


def _allocated_bytes(case: Case) -> Working:
    sheet, peak = Sheet(), _peak(case, 0)
    return sheet.working(
        "memory.allocated_bytes",
        "What torch says is allocated at most",
        peak.allocated_bytes,
        "bytes",
        "weights + gradients + optimizer states + activations at the worst moment",
        _allocated(sheet, 0, peak.worst),
        "fitted",
        CALIBRATION,
    )


def _torch_reserved(case: Case) -> Working:
    sheet, peak = Sheet(), _peak(case, 0)
    expression = f"round({_reserved_expression(case, sheet, 0)})"
    return sheet.working(
        "memory.torch_reserved_bytes",
        "What torch says is reserved at most",
        peak.reserved_bytes,
        "bytes",
        "allocated, and the allocator's cache while the card has room for it",
        expression,
        "fitted",
        CALIBRATION,
    )


def _phase(case: Case, number: int) -> Working:
    """memory.phase_N_bytes: one moment of a step on the fullest GPU, numbered from 1."""
    peak = _peak(case, 0)
    if not 1 <= number <= len(peak.phases):
        raise KeyError(f"memory.phase_{number}_bytes")
    phase, sheet = peak.phases[number - 1], Sheet()
    weights = sheet.see("weights", phase.weights_bytes, "bytes", "memory.weights_bytes", "counted")
    states = sheet.see("optimizer", phase.optimizer_bytes, "bytes", "memory.optimizer_bytes", "counted")
    gradients = sheet.put("gradients", phase.gradient_bytes, "bytes", f"that are there at {phase.name}: {STATES}")
    cost, _ = _cost(case, 0)
    fixed, grows = _step_terms(case, 0, sheet, phase.name, _tokens(case, sheet))
    buffers = sheet.put("buffers", cost.buffers, "bytes", "buckets and gathered ends of the model")
    return sheet.working(
        f"memory.phase_{number}_bytes",
        f"Allocated at {phase.name}",
        phase.allocated_bytes,
        "bytes",
        "weights + optimizer states + gradients + what the step allocates then",
        f"{weights} + {states} + {gradients} + round({fixed} + {grows} + {buffers})",
        "fitted",
        CALIBRATION,
    )


def _reserved_expression(case: Case, sheet: Sheet, index: int) -> str:
    """What torch reserves on a GPU of a group, before rounding, as arithmetic."""
    peak, (cost, _) = _peak(case, index), _cost(case, index)
    group = case.group(index)
    allocated = f"({_allocated(sheet, index, peak.worst)})"
    cache = sheet.put("cache_share", cost.cache_share, "", CALIBRATION, "fitted")
    step = f"({sheet.see('activations', group.activation_bytes, 'bytes', _id(index, 'activation_bytes'))} - "
    step += f"{sheet.put('buffers', cost.buffers, 'bytes', 'buckets and gathered ends, never freed')})"
    cached = f"{cache} * {step}"
    if cost.overlap_share:
        share = sheet.put("other_phase", cost.overlap_share, "", CALIBRATION, "fitted")
        smaller = min(cost.loss, cost.working)
        other = sheet.put("smaller_phase", smaller, "bytes a token", "of the loss and the backward")
        cached += f" + {share} * {other} * {_tokens(case, sheet)}"
    runtime = sheet.see("runtime", group.runtime_bytes, "bytes", _id(index, "runtime_bytes"))
    usable = sheet.see("usable", group.usable_bytes, "bytes", _id(index, "usable_bytes"), "measured")
    room = f"max({allocated} + {runtime}, {usable}) - {_context_terms(case, sheet)}"
    return f"max({allocated}, min({allocated} + {cached}, {room}))"


def _nvidia_smi(case: Case) -> Working:
    memory, sheet = case.plan.memory, Sheet()
    index = max(range(len(memory.per_gpu)), key=lambda at: _peak(case, at).shown_bytes)
    reserved = _reserved_expression(case, sheet, index)
    return sheet.working(
        "memory.nvidia_smi_bytes",
        "What nvidia-smi will show",
        memory.nvidia_smi_bytes,
        "bytes",
        "allocated, and the allocator's cache while the card has room for it, and the context",
        f"round({reserved} + {_context_terms(case, sheet)})",
        "fitted",
        CALIBRATION,
    )


def _host(case: Case) -> Working:
    memory, sheet = case.plan.memory, Sheet()
    index = max(range(len(memory.per_gpu)), key=lambda at: _peak(case, at).host_bytes)
    cost, held = _cost(case, index)
    fixed = sheet.put("states", cost.host_fixed, "bytes", "states, weights and gradients of one GPU that offload moves")
    expression = fixed
    if cost.host_token:
        token = sheet.put("activations", cost.host_token, "bytes a token", "checkpoints kept in host memory")
        expression += f" + {token} * {_tokens(case, sheet)}"
        if held > 1:
            expression += f" * {sheet.put('in_flight', held, '', 'micro-batches held: 1F1B')}"
    gpus = sheet.put("gpus", min(case.scenario.hardware.gpus_per_node, case.layout.gpus), "", "GPUs of a node")
    return sheet.working(
        "memory.host_bytes",
        "Host memory that offload needs, per node",
        memory.host_bytes,
        "bytes",
        "what one GPU keeps in host memory x GPUs of a node",
        f"round({expression}) * {gpus}",
        "counted",
        STATES,
    )


def _binding(case: Case, per_unit: float, work_cost: Costs) -> tuple[float, int, str]:
    """(units that fit, stage, moment) of the stage and moment that bind first."""
    usable = _card(case).usable_bytes
    best = (math.inf, 0, FIRST)
    for stage, (cost, held) in enumerate(work_cost):
        at_zero = {name: (grad, step) for name, grad, step in cost.moments(0.0, held)}
        at_one = {name: step for name, _, step in cost.moments(1.0, held)}
        factor = 1.0 + fitted.STUCK_SHARE * cost.cache_share
        for name, (gradients, fixed) in at_zero.items():
            slope = at_one[name] - fixed
            resident = cost.weights + cost.states + cost.buffers + cost.context + gradients
            left = usable - resident - factor * fixed
            units = math.inf if slope <= 0 and left >= 0 else left / (factor * max(slope, 1e-300) * per_unit)
            if units < best[0]:
                best = (units, stage, name)
    return best


def _group_of_stage(case: Case, stage: int) -> int:
    groups = range(len(case.plan.memory.per_gpu))
    return next((at for at in groups if case.stage(at) == stage), 0)


def _largest(case: Case) -> Working:
    memory, work, sheet = case.plan.memory, case.scenario.workload, Sheet()
    costs = stage_costs(case.arch, work, case.layout, _card(case))
    one = rank_tokens(replace(work, micro_batch=1), case.layout)
    expression, formula = _fit_expression(case, sheet, costs, one, "sequences", "sequence")
    return sheet.working(
        "memory.largest_micro_batch",
        "Largest micro-batch",
        memory.largest_micro_batch,
        "sequences",
        formula,
        f"min({expression}, {sheet.put('search_limit', 1 << 20, 'sequences', 'no farther is looked')})",
        "fitted",
        CALIBRATION,
    )


def _fit_expression(case: Case, sheet: Sheet, costs: Costs, per_unit: float, unit: str, word: str) -> tuple[str, str]:
    """How many units of so many tokens fit, as arithmetic, at the stage and moment that bind."""
    _, stage, moment = _binding(case, per_unit, costs)
    cost, held = costs[stage]
    gradients, fixed = next((g, s) for name, g, s in cost.moments(0.0, held) if name == moment)
    slope = next(s for name, _, s in cost.moments(1.0, held) if name == moment) - fixed
    factor = 1.0 + fitted.STUCK_SHARE * cost.cache_share
    resident = cost.weights + cost.states + cost.buffers + gradients
    index = _group_of_stage(case, stage)
    usable = sheet.see("usable", _card(case).usable_bytes, "bytes", _id(index, "usable_bytes"), "measured")
    states = sheet.put("resident", resident, "bytes", f"weights, states, buffers and gradients at {moment}")
    still = sheet.put("fixed", fixed, "bytes", f"what {moment} takes whatever the tokens")
    grows = sheet.put("per_token", slope, "bytes a token", f"what {moment} takes for each token", "fitted")
    share = sheet.put("with_cache", factor, "", f"allocator cache that stays: {CALIBRATION}", "fitted")
    tokens = sheet.put("tokens_each", per_unit, "tokens", f"tokens of one {word} on one rank")
    left = f"{usable} - {_context_terms(case, sheet)} - {states} - {share} * {still}"
    expression = f"max(0, floor(({left}) / ({share} * {grows} * {tokens})))"
    if not slope:
        # nothing grows with the tokens at this moment: it is over the card with none
        expression = f"max(0, min(0, {left}))"
    formula = f"room beside states and context / bytes of one {word} at {moment}, the moment that binds"
    return expression, formula + (f" (stage {stage + 1})" if case.layout.pp > 1 else "")


def _longest(case: Case) -> Working:
    memory, work, sheet = case.plan.memory, case.scenario.workload, Sheet()
    most = case.arch.max_position // SEQUENCE_STEP or 1
    value = memory.longest_sequence_tokens
    step = sheet.put("step", SEQUENCE_STEP, "tokens", "searched in steps of so many tokens")
    limit = sheet.put("model_limit", most, "steps", case.config)
    if work.flash_attention:
        costs = stage_costs(case.arch, work, case.layout, _card(case))
        each = work.micro_batch * SEQUENCE_STEP / sequence_ranks(work, case.layout.dp)
        fits, formula = _fit_expression(case, sheet, costs, each, "steps", "step of the sequence")
        expression = f"min({fits}, {limit}) * {step}"
    else:
        steps = sheet.put(
            "steps", value // SEQUENCE_STEP, "steps", "found by halving: attention scores grow with the square"
        )
        expression, formula = f"min({steps}, {limit}) * {step}", "the longest that fits, by halving"
    return sheet.working(
        "memory.longest_sequence_tokens",
        "Longest sequence",
        value,
        "tokens",
        formula,
        expression,
        "fitted",
        CALIBRATION,
    )


def _weights_share(case: Case) -> Working:
    from engine.workings import serving_memory

    return serving_memory.WHOLE["weights_share"](case)


def found(case: Case, name: str, index: int) -> Working:
    """The working of `memory.NAME` of a training build; index: the memory group, fullest first. Raises KeyError."""
    if name in GROUP:
        return GROUP[name](case, index)
    number = name.removeprefix("phase_").removesuffix("_bytes")
    if name == f"phase_{number}_bytes" and number.isdigit():
        return _phase(case, int(number))
    return WHOLE[name](case)


GROUP: dict[str, Callable[[Case, int], Working]] = {
    "total_bytes": _total,
    "usable_bytes": _usable,
    "reserved_bytes": _driver,
    "weights_bytes": _weights,
    "gradient_bytes": _gradients,
    "optimizer_bytes": _states,
    "activation_bytes": _activation,
    "runtime_bytes": _runtime,
    "loss_bytes_per_token": _loss,
    "kept_bytes_per_token": _kept,
    "working_bytes_per_token": _working,
}
WHOLE: dict[str, Callable[[Case], Working]] = {
    "peak_bytes": _peak_bytes,
    "nvidia_smi_bytes": _nvidia_smi,
    "allocated_bytes": _allocated_bytes,
    "torch_reserved_bytes": _torch_reserved,
    "host_bytes": _host,
    "largest_micro_batch": _largest,
    "longest_sequence_tokens": _longest,
    "weights_share": _weights_share,
}
