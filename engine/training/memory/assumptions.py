"""What a claim about training memory takes for granted, with this plan's own figures beside it."""

from __future__ import annotations

from engine.figures.sentences import Figure, Sentence, joined
from engine.figures.units import GB, TB
from engine.model.architecture import Architecture
from engine.scenario import Layout, Scenario, Workload
from engine.sizing import Memory
from engine.training.memory.core import Card, needs_words, plan_recipe
from engine.training.memory.states import RULES, WITHOUT, States, card_of, states_of


def _size(size_bytes: float) -> str:
    return f"{size_bytes / TB:,.2f} TB" if size_bytes >= 0.9995 * TB else f"{size_bytes / GB:,.0f} GB"


def _billions(parameters: float) -> str:
    return f"{parameters / 1e9:,.1f}B" if parameters < 1e11 else f"{parameters / 1e9:,.0f}B"


def lines(
    architecture: Architecture, workload: Workload, layout: Layout, card: Card, name: str
) -> tuple[Sentence, ...]:
    """The assumptions behind a claim about this plan, one sentence each."""
    plan = plan_recipe(workload, layout, card)
    states = states_of(architecture, workload, layout, card)
    gpus, room = Figure(f"{layout.gpus}", "build.gpus"), Figure(_size(states.room_bytes), "states.room")
    on: Sentence = (gpus, f" GPU{'s' if layout.gpus > 1 else ''} with ", room)
    if workload.trains != "full":
        base = Figure(_size(states.base_bytes), "states.base")
        what = " bits a weight"
        if workload.trains == "qlora":
            what = " bits a weight in the projections, 16 in embeddings, head and norms"
        shared = "split over the GPUs" if plan.weight_shard > 1 else "whole on every data-parallel rank"
        frozen = (f"The frozen base of {name} is ", base, ": ", Figure(f"{states.base_bits:g}", "states.base"), what)
        trained = Figure(f"{states.trained / 1e6:,.0f}M", "states.adapters")
        each = Figure(f"{states.bytes_per_parameter:g}", "states.bytes_per_parameter")
        kept = Figure(_size(states.plan_bytes), "states.plan")
        train = f"LoRA needs no master copy: adapters of rank {workload.lora_rank} train "
        every = Figure(_size(states.at(16.0)), "states.16")
        return (
            (*frozen, f"; {shared}, on ", *on, "."),
            (train, trained, " parameters at ", each, " bytes: ", kept, "."),
            (
                "Training every weight instead takes ",
                every,
                " of states at ",
                Figure("16", "states.16"),
                " bytes a parameter.",
            ),
        )
    held = [_held(states, each) for each in (16.0, 8.0, 6.0)]
    return (
        (
            f"States of {name} (",
            Figure(_billions(states.parameters), "model.params_total"),
            " parameters) with a master copy: ",
            *joined((_states(states, each, what) for each, what in RULES), "; "),
            ".",
        ),
        ("Without one: ", *joined((_states(states, each, what) for each, what in WITHOUT), "; "), "."),
        (
            "This plan counts ",
            Figure(f"{states.bytes_per_parameter:.3g}", "states.bytes_per_parameter"),
            " bytes a parameter, ",
            Figure(_size(states.plan_bytes), "states.plan"),
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


def _states(states: States, each: float, what: str) -> Sentence:
    """States of all parameters at so many bytes each, of what they consist."""
    figure = f"states.{each:g}"
    return (Figure(f"{each:g}", figure), " bytes, ", Figure(_size(states.at(each)), figure), f": {what}")


def _held(states: States, each: float) -> tuple[Figure, Figure]:
    """Parameters whose states one card holds at so many bytes each, and these bytes."""
    figure = f"states.held.{each:g}"
    return Figure(_billions(states.held(each)), figure), Figure(f"{each:g}", figure)


def assumption_lines(scenario: Scenario, layout: Layout) -> tuple[Sentence, ...]:
    """What claims about a plan like this assume, with its own figures: for the screen and the report."""
    return lines(scenario.model.architecture, scenario.workload, layout, card_of(scenario), scenario.model.name)


def rule_note(architecture: Architecture, workload: Workload, layout: Layout, card: Card, memory: Memory) -> Sentence:
    """The 16-bytes rule beside the count, and which decides."""
    if workload.trains != "full":
        return ()
    states = states_of(architecture, workload, layout, card)
    ruled = states.on_a_gpu(16.0)
    says = "yes" if ruled <= card.total_bytes else "no"
    counted = "yes" if memory.fits else "no"
    agree = "agree" if says == counted else "disagree"
    return (
        f"Rule of thumb: {says}, ",
        Figure("16", "states.16"),
        " bytes a parameter are ",
        Figure(_size(states.at(16.0)), "states.16"),
        ", ",
        Figure(_size(ruled), "states.16.each"),
        f" a GPU. Bytes: {counted}, ",
        *needs_words(memory.peak_bytes, memory.worst),
        f". They {agree}; the bytes decide: they count this optimizer, sharding and the activations.",
    )
