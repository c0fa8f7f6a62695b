"""What a step needs in all, what PyTorch and nvidia-smi show, and what the host holds."""

from __future__ import annotations

from collections.abc import Callable

from engine.calibration import training_memory as fitted
from engine.figures.units import GB
from engine.sizing import TrainingPhase
from engine.workings.case import Case
from engine.workings.groups import group_bytes, memory_id
from engine.workings.record import Sheet, Working
from engine.workings.training_memory.activations import step_terms
from engine.workings.training_memory.shared import CALIBRATION, STATES, peak_of, put_tokens, rank_cost_of


def context_terms(case: Case, sheet: Sheet) -> str:
    """The CUDA context and what lives beside PyTorch, as a sum."""
    context = sheet.put("context_gb", fitted.CONTEXT_GB, "GB", CALIBRATION, "fitted")
    gb = sheet.put("bytes_per_gb", GB, "bytes", "by definition")
    if case.layout.gpus > 1:
        context = f"({context} + {sheet.put('communicators_gb', fitted.COMMUNICATORS_GB, 'GB', CALIBRATION, 'fitted')})"
    return f"{context} * {gb}"


def _runtime(case: Case, index: int) -> Working:
    group, sheet = case.group(index), Sheet()
    cost, _ = rank_cost_of(case, index)
    stuck = sheet.put("stuck_share", fitted.STUCK_SHARE, "", CALIBRATION, "fitted")
    cache = sheet.put("cache_share", cost.cache_share, "", CALIBRATION, "fitted")
    step = sheet.see("activations", group.activation_bytes, "bytes", memory_id(index, "activation_bytes"))
    buffers = sheet.put("buffers", cost.buffers, "bytes", "buckets and gathered ends, which are never freed")
    return group_bytes(
        case,
        index,
        sheet,
        "runtime_bytes",
        "Context and cache that cannot be returned",
        "CUDA context and communicators, and the part of the allocator's cache that stays under pressure",
        f"round({context_terms(case, sheet)} + {stuck} * {cache} * ({step} - {buffers}))",
        "fitted",
        CALIBRATION,
    )


def _allocated(sheet: Sheet, index: int, phase: TrainingPhase) -> str:
    weights = sheet.see("weights", phase.weights_bytes, "bytes", memory_id(index, "weights_bytes"), "counted")
    gradients = sheet.see("gradients", phase.gradient_bytes, "bytes", memory_id(index, "gradient_bytes"), "counted")
    states = sheet.see("optimizer", phase.optimizer_bytes, "bytes", memory_id(index, "optimizer_bytes"), "counted")
    activations = sheet.see("activations", phase.activation_bytes, "bytes", memory_id(index, "activation_bytes"))
    return f"{weights} + {gradients} + {states} + {activations}"


def _peak_bytes(case: Case) -> Working:
    memory, sheet = case.plan.memory, Sheet()
    worst = peak_of(case, 0).worst
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
    sheet, peak = Sheet(), peak_of(case, 0)
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
    sheet, peak = Sheet(), peak_of(case, 0)
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


def phase_bytes(case: Case, number: int) -> Working:
    """memory.phase_N_bytes: one moment of a step on the fullest GPU, numbered from 1."""
    peak = peak_of(case, 0)
    if not 1 <= number <= len(peak.phases):
        raise KeyError(f"memory.phase_{number}_bytes")
    phase, sheet = peak.phases[number - 1], Sheet()
    weights = sheet.see("weights", phase.weights_bytes, "bytes", "memory.weights_bytes", "counted")
    states = sheet.see("optimizer", phase.optimizer_bytes, "bytes", "memory.optimizer_bytes", "counted")
    gradients = sheet.put("gradients", phase.gradient_bytes, "bytes", f"that are there at {phase.name}: {STATES}")
    cost, _ = rank_cost_of(case, 0)
    fixed, grows = step_terms(case, 0, sheet, phase.name, put_tokens(case, sheet))
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
    peak, (cost, _) = peak_of(case, index), rank_cost_of(case, index)
    group = case.group(index)
    allocated = f"({_allocated(sheet, index, peak.worst)})"
    cache = sheet.put("cache_share", cost.cache_share, "", CALIBRATION, "fitted")
    step = f"({sheet.see('activations', group.activation_bytes, 'bytes', memory_id(index, 'activation_bytes'))} - "
    step += f"{sheet.put('buffers', cost.buffers, 'bytes', 'buckets and gathered ends, never freed')})"
    cached = f"{cache} * {step}"
    if cost.overlap_share:
        share = sheet.put("other_phase", cost.overlap_share, "", CALIBRATION, "fitted")
        smaller = min(cost.loss, cost.working)
        other = sheet.put("smaller_phase", smaller, "bytes a token", "of the loss and the backward")
        cached += f" + {share} * {other} * {put_tokens(case, sheet)}"
    runtime = sheet.see("runtime", group.runtime_bytes, "bytes", memory_id(index, "runtime_bytes"))
    usable = sheet.see("usable", group.usable_bytes, "bytes", memory_id(index, "usable_bytes"), "measured")
    room = f"max({allocated} + {runtime}, {usable}) - {context_terms(case, sheet)}"
    return f"max({allocated}, min({allocated} + {cached}, {room}))"


def _nvidia_smi(case: Case) -> Working:
    memory, sheet = case.plan.memory, Sheet()
    index = max(range(len(memory.per_gpu)), key=lambda at: peak_of(case, at).shown_bytes)
    reserved = _reserved_expression(case, sheet, index)
    return sheet.working(
        "memory.nvidia_smi_bytes",
        "What nvidia-smi will show",
        memory.nvidia_smi_bytes,
        "bytes",
        "allocated, and the allocator's cache while the card has room for it, and the context",
        f"round({reserved} + {context_terms(case, sheet)})",
        "fitted",
        CALIBRATION,
    )


def _host(case: Case) -> Working:
    memory, sheet = case.plan.memory, Sheet()
    index = max(range(len(memory.per_gpu)), key=lambda at: peak_of(case, at).host_bytes)
    cost, held = rank_cost_of(case, index)
    fixed = sheet.put("states", cost.host_fixed, "bytes", "states, weights and gradients of one GPU that offload moves")
    expression = fixed
    if cost.host_token:
        token = sheet.put("activations", cost.host_token, "bytes a token", "checkpoints kept in host memory")
        expression += f" + {token} * {put_tokens(case, sheet)}"
        if held > 1:
            expression += f" * {sheet.put('in_flight', held, '', 'micro-batches held at once: engine.training.batch')}"
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


GROUP: dict[str, Callable[[Case, int], Working]] = {
    "runtime_bytes": _runtime,
}
WHOLE: dict[str, Callable[[Case], Working]] = {
    "peak_bytes": _peak_bytes,
    "nvidia_smi_bytes": _nvidia_smi,
    "allocated_bytes": _allocated_bytes,
    "torch_reserved_bytes": _torch_reserved,
    "host_bytes": _host,
}
