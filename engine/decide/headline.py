"""What the verdict says first: the answer, its headline, and the build that is recommended."""

from __future__ import annotations

import math
from dataclasses import replace

from engine.decide.attempts import Attempt, above_floor, roomier, under_floor
from engine.decide.evidence import (
    KIND_WORDS,
    shape_words,
)
from engine.decide.plan import Plan
from engine.decide.replicas import (
    router,
)
from engine.decide.scaling import FLOOR
from engine.decide.steps import INT4_FORMAT, Finding, rounded
from engine.decide.time_for_money import TimeForMoney, time_for_money
from engine.figures.sentences import Figure, Sentence, about
from engine.figures.units import FLEET, SECONDS_PER_DAY, duration, fleet
from engine.model.formats import FORMATS
from engine.scenario import Layout, LayoutChoice, Scenario
from engine.sizing import Answer, Build


def _no_build(findings: list[Finding]) -> str:
    """Why nothing carries the workload: its memory, its budget or its targets."""
    tried = [
        found.attempt.choice for found in findings if found.attempt is not None and found.attempt.choice is not None
    ]
    if not any(choice.fits for choice in tried):
        return "Does not fit"
    return "Over budget" if any(choice.over_budget for choice in tried) else "Misses its targets"


def room_elsewhere(end: Finding | None) -> str:
    """The next build with headroom, where the one of the verdict only just fits."""
    found = end.attempt if end is not None and end.number != 3 else None
    if found is None or found.choice is None or not found.carries or found.choice.headroom != "marginal":
        return ""
    if found.measure is not None:  # what carries it unchanged is told
        return ""
    better = roomier(found.choice.scenario, found)
    return f"; {better.build} {'has' if better.nodes == 1 else 'have'} room" if better is not None else ""


def _only_just(found: Attempt) -> str:
    """The word that goes with a build that fits without headroom."""
    marginal = found.choice is not None and found.choice.headroom == "marginal"
    return " (marginal)" if marginal else ""


def _wasteful(scenario: Scenario, found: Attempt) -> Sentence:
    """What is said of a run under the efficiency floor: how far, and what is above it, or that nothing near is."""
    if not under_floor(found) or found.plan is None or found.plan.training is None:
        return ()
    share = Figure(f"{100 * found.plan.training.efficiency:.0f} %", "verdict.4.training.efficiency")
    wider = above_floor(scenario, found)
    more = f"{wider.build} are above it" if wider is not None else "no larger cluster of these is above it"
    return ("; efficiency ", share, f", under the {100 * FLOOR:.0f} % floor: {more}")


def _other_layout(scenario: Scenario, found: Attempt) -> Layout | None:
    """The layout of a build that is not carried as entered: where a pinned one is not kept, or the run is changed."""
    if found.choice is None:
        return None
    pinned = scenario.layout != LayoutChoice() and found.choice.scenario.layout != scenario.layout
    if not pinned and found.measure is None:
        return None
    layout = found.choice.layout
    return replace(layout, reason=about(layout.reason, "verdict."))


def say(
    scenario: Scenario, high: Scenario, findings: list[Finding], end: Finding | None, entered: Plan
) -> tuple[Answer, Sentence, Build]:
    """Answer, headline and the recommended build for the step that ended the flow."""
    hardware, model = scenario.hardware, scenario.model
    card, at = hardware.accelerator.label, _what(scenario)
    if end is None:
        none = Build(("none",), 0, 0, model.weights)
        return "does-not-fit", (f"{_no_build(findings)}: {at} on any {card} build tried",), none
    found = end.attempt
    if end.number == 5:
        spread = found or Attempt(hardware.gpus_per_node, hardware.nodes, None)
        nodes = max(spread.nodes, math.ceil(end.replicas / spread.gpus_per_node))
        head: Sentence = (f"The frontier: {model.name} from scratch",)
        if end.replicas > 1:
            head = (
                *head,
                ", about ",
                Figure(f"{rounded(end.replicas):,}", "verdict.training.frontier_gpus"),
                f" {card}",
            )
        return "frontier", head, Build(("NDR InfiniBand or SXM cluster",), spread.gpus_per_node, nodes, model.weights)
    assert found is not None
    weights = found.choice.scenario.model.weights if found.choice is not None else model.weights
    build = Build((found.cards,), found.gpus_per_node, found.nodes, weights, layout=_other_layout(scenario, found))
    if found.measure is not None:
        build = replace(build, changes=tuple(found.measure.changes.items()), measure=found.measure.what)
    if end.number == 0:
        head = (f"One GPU{_only_just(found)}: {at} on {found.build}", *_to_spare(hardware.gpus - 1, found, entered))
        return "one-gpu", head, build
    if end.number == 4:
        shape = shape_words(scenario, found)
        head = (
            f"A cluster{_only_just(found)}: {found.build}, {shape}, {hardware.inter_link.name}",
            *_wasteful(scenario, found),
        )
        return "multi-node", head, build
    if end.number == 3:
        return "replicas", *_side_by_side(scenario, end.replicas, build, found.build)
    return "one-node" if end.number == 1 else "one-node-int4", _one_node_words(scenario, end, found, entered), build


def _what(scenario: Scenario) -> str:
    """The model in its format, or with what is done to it."""
    model, work = scenario.model, scenario.workload
    return f"{model.name} {FORMATS[model.weights].label if work.is_inference else KIND_WORDS[work.kind]}"


def _to_spare(spare: int, found: Attempt, entered: Plan) -> Sentence:
    """What more than one GPU buys, where one carries the workload: time, or nothing."""
    trade = _trade(found, entered)
    if trade is not None:
        return _traded(trade)
    if spare < 2:
        return ("; the other is spare",) if spare else ()
    return ("; the other ", Figure(f"{spare}", "difference(build.gpus,verdict.build.gpus)"), " are spare")


def _trade(found: Attempt, entered: Plan) -> TimeForMoney | None:
    """What the entered build buys over one that is found, of a run."""
    if not entered.scenario.workload.is_run or found.plan is None:
        return None
    return time_for_money(found.plan, entered)


def _traded(trade: TimeForMoney) -> Sentence:
    """How long the smaller build takes, and what the entered one buys."""
    alone = Figure(duration(trade.alone_days * SECONDS_PER_DAY), f"verdict.{trade.figure}")
    return (" (", alone, "); ", *trade.words)


def _side_by_side(scenario: Scenario, replicas: int, one: Build, told: str) -> tuple[Sentence, Build]:
    """The headline of replicas of a build, and all of them as one build. told: one of them, with what a run changes there."""
    many = Figure(fleet(replicas), "verdict.replicas")
    build = replace(one, words=(many, " replicas of ", *one.words), nodes=replicas, replicas=replicas)
    head = "Replicas: " if replicas < FLEET else "Not a build, a fleet: "
    if not scenario.workload.is_inference:
        link = scenario.hardware.inter_link.name
        return (head, many, f" nodes of {told}, data parallel over {link}"), build
    if scenario.workload.corpus_tokens is not None:
        return (head, *build.words, ", each with its part of the corpus, no fabric"), build
    return (head, *build.words, f", {router(replicas)} in front, no fabric"), build


def _one_node_words(scenario: Scenario, end: Finding, found: Attempt, entered: Plan) -> Sentence:
    """The headline of a single node, at other bits than entered where it has those."""
    hardware, model, just = scenario.hardware, scenario.model, _only_just(found)
    weights = found.choice.scenario.model.weights if found.choice is not None else model.weights
    label = FORMATS[weights].label
    even = FORMATS[weights].bits_per_weight > FORMATS[model.weights].bits_per_weight
    if end.number == 2:
        few = "INT4" if weights == INT4_FORMAT else label
        head = f"One node at {few}{just}: {model.name} on {found.build}"
    elif not scenario.workload.is_inference or weights == model.weights:
        head = f"One node{just}: {_what(scenario)} on {found.build}"
    elif even:
        head = f"One node{just}: {model.name} on {found.build}, even at {label}"
    else:
        head = f"One node at {label}{just}: {model.name} on {found.build}"
    trade = _trade(found, entered)
    if trade is not None:
        return (head, *_traded(trade))
    if hardware.nodes > 1:
        return (f"{head}, not {hardware.nodes} nodes of {hardware.gpus_per_node}",)
    if found.gpus_per_node > hardware.gpus:
        return (
            f"{head}; ",
            Figure(f"{hardware.gpus}", "build.gpus"),
            f" {'is' if hardware.gpus == 1 else 'are'} too few",
        )
    return (head,)
