"""Traps of a training run that its framework and its model set: layouts it has not, lengths the model was not made for."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from engine.decide.host_notices import host_short
from engine.decide.offers import no_worse, offer
from engine.decide.plan import Plan
from engine.figures.sentences import Figure, Sentence
from engine.runtimes.frameworks import STAND_INS, Optimizer
from engine.scenario import LayoutChoice
from engine.scenario.change import FREE_LAYOUT
from engine.scenario.frameworks import SPLIT_WORDS, framework_of, framework_words, software_of, unsupported
from engine.sizing import Notice, Suggestion
from engine.training.memory.elements import WITH_EXPERTS, adapter_widths, leaves_out_experts

SHARDING_WORDS = {
    "ddp": "replicas that share nothing (DDP)",
    "zero1": "optimizer sharding (ZeRO-1)",
    "zero2": "gradient sharding (ZeRO-2)",
    "zero3": "full sharding (ZeRO-3, FSDP)",
}


def framework(plan: Plan) -> Iterator[Notice]:
    """What the plan does and its framework cannot: a pinned split, a sharding."""
    scenario = plan.scenario
    if scenario.workload.is_inference:
        return
    workload, entry = scenario.workload, framework_of(scenario.workload)
    odd = unsupported(workload, plan.layout)
    if odd:
        words = " and ".join(SPLIT_WORDS[one] for one in odd)
        under = f" over a {workload.base_format} base" if workload.trains == "qlora" else ""
        if workload.trains == "lora" and any(one in entry.splits for one in odd):
            under = " for adapters"
        yield Notice(
            "framework-layout",
            "warning",
            (
                f"{framework_words(workload)} has no {words}{under}: this layout is sized as pinned, and would have to be written for it.",
            ),
            _freed(plan) if scenario.layout != LayoutChoice() else None,
        )
    if plan.layout.dp > 1 and workload.sharding not in entry.shardings:
        has = ", ".join(entry.shardings)
        yield Notice(
            "framework-sharding",
            "warning",
            (
                f"{framework_words(workload)} has no {SHARDING_WORDS[workload.sharding]}: it has {has}. Sized as entered.",
            ),
        )


def optimizer(plan: Plan) -> Iterator[Notice]:
    """An optimizer that the framework does not step by."""
    workload = plan.scenario.workload
    entry = framework_of(workload)
    if workload.is_inference or entry.optimizers is None or entry.steps_by(workload.optimizer):
        return
    yield Notice(
        "framework-optimizer",
        "warning",
        (
            f"{framework_words(workload)} has no {workload.optimizer}: it steps by {', '.join(entry.optimizers)}. Sized as entered.",
        ),
        partial(_stepped, plan, entry.optimizers[0]),
    )


def _stepped(plan: Plan, name: Optimizer) -> Suggestion | None:
    """The framework's own optimizer, where that leaves the build no worse off."""
    made = offer(plan.scenario, {"workload.optimizer": name}, no_worse(plan))
    return None if made is None else made.suggestion((f"{name}, which it has",), (name,))


def offloaded(plan: Plan) -> Iterator[Notice]:
    """What a run keeps in host memory, where the host has less."""
    scenario = plan.scenario
    if not scenario.workload.is_inference and (short := host_short(scenario, plan.memory.host_bytes)):
        yield Notice("host-offload-short", "warning", (*short, "."))


def padded(plan: Plan) -> Iterator[Notice]:
    """Samples that are padded in the place of packed, whose padding no figure counts."""
    workload = plan.scenario.workload
    if workload.is_inference or workload.packing or workload.kind == "pretrain" or workload.rolls_out:
        return
    yield Notice(
        "padding",
        "info",
        (
            "Samples are padded, not packed: every sequence is priced as ",
            Figure(f"{workload.sequence_length:,}", "load.sequence_length"),
            " useful tokens. What padding takes of a run is priced nowhere: count it among the tokens of the run, or pack.",
        ),
    )


def stands_in(plan: Plan) -> Iterator[Notice]:
    """Which framework stands in for one that has no entry, and why that one."""
    workload = plan.scenario.workload
    other = STAND_INS.get(workload.framework)
    if workload.is_inference or other is None:
        return
    yield Notice(
        "framework-stands-in",
        "info",
        (
            f"{other.label} is sized as {framework_of(workload).name}, by which it trains unless it is told otherwise "
            f"({other.source}): its layouts, shardings, loss and kernels are taken for the same.",
        ),
    )


def rollout(plan: Plan) -> Iterator[Notice]:
    """What the generation of answers asks beside this build, and what it takes of a step."""
    workload, run = plan.scenario.workload, plan.training
    if not workload.rolls_out or run is None:
        return
    took = Figure(f"{100 * run.generation_s / run.step_s:.0f} %", "ratio(training.generation_s,training.step_s)")
    if workload.rollout == "apart":
        many = Figure(f"{plan.layout.gpus:,}", "build.gpus")
        waits = " of a step waits for answers of an engine on other cards: "
        words: Sentence = (waits, many, " more like these, which are not in the bill.")
    else:
        share = Figure(f"{100 * workload.rollout_share:.0f} %", "load.rollout_share")
        same = " of a step goes to answers of an engine on the same cards, which takes "
        words = (same, share, " of each for it.")
    yield Notice("rollout", "info", (took, *words))


ONE_BY_ONE = 9.5
"""A step of Qwen3 30B-A3B on 16 A800: 91.2 s under DeepSpeed's ZeRO-3, whose modules run and gather experts one by one, 9.6 s under
Megatron-LM (modelscope/ms-swift, docs/source_en/Megatron-SWIFT/Quick-start.md)."""


def experts(plan: Plan) -> Iterator[Notice]:
    """Experts that Hugging Face's modules run one after another, where the figures are not of that."""
    scenario, run = plan.scenario, plan.training
    workload, entry = scenario.workload, framework_of(scenario.workload)
    if workload.is_inference or run is None or not scenario.model.architecture.experts:
        return
    if (
        not entry.experts_in_turn
        or workload.sharding != "zero3"
        or plan.layout.dp == 1
        or software_of(workload) != "standard"
    ):
        return
    yield Notice(
        "experts-in-turn",
        "warning",
        (
            f"{framework_words(workload)} runs experts one after another before transformers 5, and gathers each by itself under full sharding: "
            f"a published run took {ONE_BY_ONE:g} times as long as under Megatron-LM. The estimate is of experts that go together; with software eager it counts the turns.",
        ),
    )


def adapted(plan: Plan) -> Iterator[Notice]:
    """Experts that adapters by the names of modules pass by, and what adapters on them as well would take."""
    model, workload = plan.scenario.model, plan.scenario.workload
    if workload.is_inference or workload.trains == "full":
        return
    if workload.lora_targets == "attention" or not leaves_out_experts(model.architecture, workload.lora_targets):
        return
    reached, wider = (
        adapter_widths(model.architecture, targets, 1, 1, 1)[0] * workload.lora_rank
        for targets in (workload.lora_targets, WITH_EXPERTS)
    )
    yield Notice(
        "experts-unadapted",
        "info",
        (
            f"Adapters pass by the experts of {model.name}, which are no linear modules of it: they train ",
            Figure(f"{reached / 1e6:,.0f}M", "states.adapters"),
            f" parameters; with lora_targets {WITH_EXPERTS} (PEFT's target_parameters) {wider / 1e6:,.0f}M.",
        ),
    )


def length(plan: Plan) -> Iterator[Notice]:
    """Sequences past the model's positions: trained all the same, by stretching its rotary embedding."""
    scenario = plan.scenario
    limit, asked = scenario.model.architecture.max_position, scenario.workload.sequence_length
    if scenario.workload.is_inference or not limit or asked <= limit:
        return
    yield Notice(
        "past-context",
        "info",
        (
            "Sequences of ",
            Figure(f"{asked:,}", "load.sequence_length"),
            f" tokens are past the {limit:,} positions of {scenario.model.name}: the run stretches its rotary embedding "
            f"(YaRN, a factor of {asked / limit:.1f}) or teaches it the length, and the config has to say so.",
        ),
    )


def _freed(plan: Plan) -> Suggestion | None:
    """The layout left to choose, where that leaves the build no worse off."""
    made = offer(plan.scenario, FREE_LAYOUT, no_worse(plan))
    return None if made is None else made.suggestion(("a layout that the framework has",), ("a layout that it has",))
