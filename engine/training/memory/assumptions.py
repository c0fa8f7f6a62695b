"""What a claim about training memory takes for granted, with this plan's own figures beside it."""

from __future__ import annotations

from engine.figures.units import GB, TB
from engine.model.architecture import Architecture
from engine.model.parameters import count_parameters
from engine.scenario import Layout, Scenario, Workload
from engine.sizing import Memory
from engine.training.memory.core import Card, plan_recipe
from engine.training.memory.elements import adapter_widths, stage_elements
from engine.training.memory.recipe import BASE_BITS, PEFT_KINDS

RULES = (
    (16.0, "bf16 weights and gradients, fp32 master copy and AdamW states (ZeRO paper, section 3.1)"),
    (18.0, "the same with fp32 gradients (Megatron-LM)"),
    (20.0, "the same with 16-bit gradients and their fp32 sum (DeepSpeed)"),
)
WITHOUT = ((8.0, "bf16 weights, gradients and states, no master copy"), (6.0, "bf16 with an 8-bit optimizer"))


def _size(size_bytes: float) -> str:
    return f"{size_bytes / TB:,.2f} TB" if size_bytes >= 0.9995 * TB else f"{size_bytes / GB:,.0f} GB"


def _billions(parameters: float) -> str:
    return f"{parameters / 1e9:,.1f}B" if parameters < 1e11 else f"{parameters / 1e9:,.0f}B"


def frozen_base(architecture: Architecture, workload: Workload) -> tuple[int, int, float]:
    """Elements of a PEFT run's frozen base in projections, the other elements, and bits of one in a projection."""
    stage = stage_elements(architecture, 1, 1, 1)[0]
    if workload.kind == "qlora":
        return stage.linear, stage.all - stage.linear, BASE_BITS[workload.base_format]
    return count_parameters(architecture).total, 0, 16.0


def lines(architecture: Architecture, workload: Workload, layout: Layout, card: Card, name: str) -> tuple[str, ...]:
    """The assumptions behind a claim about this plan, one sentence each."""
    parameters = count_parameters(architecture).total
    gpus = layout.gpus
    room = _size(card.total_bytes * gpus)
    plan = plan_recipe(workload, layout, card)
    on = f"{gpus} GPU{'s' if gpus > 1 else ''} with {room}"
    if workload.kind in PEFT_KINDS:
        linear, loose, bits = frozen_base(architecture, workload)
        width = adapter_widths(architecture, workload.lora_targets, 1, 1, 1)[0]
        adapters = width * workload.lora_rank
        trained = f"adapters of rank {workload.lora_rank} train {adapters / 1e6:,.0f}M parameters"
        states = f"{trained} at {plan.bytes_per_parameter:g} bytes: {_size(adapters * plan.bytes_per_parameter)}"
        base = linear * bits / 8.0 + loose * 2.0
        what = "16 bits a weight"
        if workload.kind == "qlora":
            what = f"{bits:g} bits a weight in the projections, 16 in embeddings, head and norms"
        shared = "split over the GPUs" if plan.weight_shard > 1 else "whole on every data-parallel rank"
        return (
            f"The frozen base of {name} is {_size(base)}: {what}; {shared}, on {on}.",
            f"LoRA needs no master copy: {states}.",
            f"Training every weight instead takes {_size(parameters * 16.0)} of states at 16 bytes a parameter.",
        )
    with_master = "; ".join(f"{each:g} bytes, {_size(parameters * each)}: {what}" for each, what in RULES)
    without = "; ".join(f"{each:g} bytes, {_size(parameters * each)}: {what}" for each, what in WITHOUT)
    most = card.usable_bytes
    return (
        f"States of {name} ({_billions(parameters)} parameters) with a master copy: {with_master}.",
        f"Without one: {without}.",
        f"This plan counts {plan.bytes_per_parameter:.3g} bytes a parameter, {_size(parameters * plan.bytes_per_parameter)}, "
        f"on {on}.",
        f"One such card holds the states of at most {_billions(most / 16.0)} parameters at 16 bytes, "
        f"{_billions(most / 8.0)} at 8 and {_billions(most / 6.0)} at 6, before activations.",
    )


def assumption_lines(scenario: Scenario, layout: Layout) -> tuple[str, ...]:
    """What claims about a plan like this assume, with its own figures: for the screen and the report."""
    card = Card(scenario.hardware.accelerator.memory_bytes, scenario.hardware.gpus_per_node)
    return lines(scenario.model.architecture, scenario.workload, layout, card, scenario.model.name)


def rule_note(architecture: Architecture, workload: Workload, layout: Layout, card: Card, memory: Memory) -> str:
    """The 16-bytes rule beside the count, and which decides."""
    if workload.kind in PEFT_KINDS:
        return ""
    parameters = count_parameters(architecture).total
    ruled = parameters * 16.0 / layout.gpus
    says = "yes" if ruled <= card.total_bytes else "no"
    counted = "yes" if memory.fits else "no"
    agree = "agree" if says == counted else "disagree"
    return (
        f"Rule of thumb: {says}, 16 bytes a parameter are {_size(parameters * 16.0)}, {_size(ruled)} a GPU. "
        f"Bytes: {counted}, {memory.headroom_reason.partition(';')[0]}. They {agree}; the bytes decide: they count this optimizer, "
        "sharding and the activations."
    )
