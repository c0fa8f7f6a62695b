"""What a claim about training memory takes for granted, with this plan's own figures beside it."""

from __future__ import annotations

from engine.figures.sentences import Figure, Sentence, joined
from engine.figures.units import GB, TB
from engine.model.architecture import Architecture
from engine.model.parameters import count_parameters
from engine.scenario import Layout, Scenario, Workload
from engine.sizing import Memory
from engine.training.memory.core import Card, needs_words, plan_recipe
from engine.training.memory.elements import adapter_widths, stage_elements
from engine.training.memory.recipe import BASE_BITS

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
    if workload.trains == "qlora":
        return stage.linear, stage.all - stage.linear, BASE_BITS[workload.base_format]
    return count_parameters(architecture).total, 0, 16.0


def lines(
    architecture: Architecture, workload: Workload, layout: Layout, card: Card, name: str
) -> tuple[Sentence, ...]:
    """The assumptions behind a claim about this plan, one sentence each."""
    parameters = count_parameters(architecture).total
    plan = plan_recipe(workload, layout, card)
    gpus, room = Figure(f"{layout.gpus}", "build.gpus"), Figure(_size(card.total_bytes * layout.gpus), "states.room")
    on: Sentence = (gpus, f" GPU{'s' if layout.gpus > 1 else ''} with ", room)
    if workload.trains != "full":
        linear, loose, bits = frozen_base(architecture, workload)
        width = adapter_widths(architecture, workload.lora_targets, 1, 1, 1)[0]
        adapters = width * workload.lora_rank
        base = Figure(_size(linear * bits / 8.0 + loose * 2.0), "states.base")
        what = " bits a weight"
        if workload.trains == "qlora":
            what = " bits a weight in the projections, 16 in embeddings, head and norms"
        shared = "split over the GPUs" if plan.weight_shard > 1 else "whole on every data-parallel rank"
        frozen = (f"The frozen base of {name} is ", base, ": ", Figure(f"{bits:g}", "states.base"), what)
        trained = Figure(f"{adapters / 1e6:,.0f}M", "states.adapters")
        each = Figure(f"{plan.bytes_per_parameter:g}", "states.bytes_per_parameter")
        states = Figure(_size(adapters * plan.bytes_per_parameter), "states.plan")
        train = f"LoRA needs no master copy: adapters of rank {workload.lora_rank} train "
        every = Figure(_size(parameters * 16.0), "states.16")
        return (
            (*frozen, f"; {shared}, on ", *on, "."),
            (train, trained, " parameters at ", each, " bytes: ", states, "."),
            (
                "Training every weight instead takes ",
                every,
                " of states at ",
                Figure("16", "states.16"),
                " bytes a parameter.",
            ),
        )
    held = [_held(card.usable_bytes, each) for each in (16.0, 8.0, 6.0)]
    return (
        (
            f"States of {name} (",
            Figure(_billions(parameters), "model.params_total"),
            " parameters) with a master copy: ",
            *joined((_states(parameters, each, what) for each, what in RULES), "; "),
            ".",
        ),
        ("Without one: ", *joined((_states(parameters, each, what) for each, what in WITHOUT), "; "), "."),
        (
            "This plan counts ",
            Figure(f"{plan.bytes_per_parameter:.3g}", "states.bytes_per_parameter"),
            " bytes a parameter, ",
            Figure(_size(parameters * plan.bytes_per_parameter), "states.plan"),
            ", on ",
            *on,
            ".",
        ),
        (
            "One such card holds the states of at most ",
            *joined(((held[0][0], " parameters at ", held[0][1], " bytes"), (held[1][0], " at ", held[1][1])), ", "),
            " and ",
            *(held[2][0], " at ", held[2][1], ", before activations."),
        ),
    )


def _states(parameters: float, each: float, what: str) -> Sentence:
    """States of all parameters at so many bytes each, of what they consist."""
    figure = f"states.{each:g}"
    return (Figure(f"{each:g}", figure), " bytes, ", Figure(_size(parameters * each), figure), f": {what}")


def _held(room_bytes: float, each: float) -> tuple[Figure, Figure]:
    """Parameters whose states one card holds at so many bytes each, and these bytes."""
    figure = f"states.held.{each:g}"
    return Figure(_billions(room_bytes / each), figure), Figure(f"{each:g}", figure)


def assumption_lines(scenario: Scenario, layout: Layout) -> tuple[Sentence, ...]:
    """What claims about a plan like this assume, with its own figures: for the screen and the report."""
    card = Card(scenario.hardware.accelerator.memory_bytes, scenario.hardware.gpus_per_node)
    return lines(scenario.model.architecture, scenario.workload, layout, card, scenario.model.name)


def rule_note(architecture: Architecture, workload: Workload, layout: Layout, card: Card, memory: Memory) -> Sentence:
    """The 16-bytes rule beside the count, and which decides."""
    if workload.trains != "full":
        return ()
    parameters = count_parameters(architecture).total
    ruled = parameters * 16.0 / layout.gpus
    says = "yes" if ruled <= card.total_bytes else "no"
    counted = "yes" if memory.fits else "no"
    agree = "agree" if says == counted else "disagree"
    return (
        f"Rule of thumb: {says}, ",
        Figure("16", "states.16"),
        " bytes a parameter are ",
        Figure(_size(parameters * 16.0), "states.16"),
        ", ",
        Figure(_size(ruled), "states.16.each"),
        f" a GPU. Bytes: {counted}, ",
        *needs_words(memory.peak_bytes, memory.worst),
        f". They {agree}; the bytes decide: they count this optimizer, sharding and the activations.",
    )
