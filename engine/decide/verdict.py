"""The stepwise decision: one GPU, one node, one node at INT4, replicas, a cluster, or the frontier.

The order and the questions follow the decision flow of tests/reference/seed_claims.toml ([[decision_step]]), with
step 0 (one GPU) in front. The first yes ends it; every later step still says what it would have said.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

from engine.decide.answer import LAST_STEP
from engine.decide.attempts import Attempt, attempt, cluster, one_node, roomier
from engine.decide.evidence import (
    KIND_WORDS,
    WEIGHTS_RULE,
    alone,
    efficiency,
    evidence,
    missed,
    over_budget,
    shape_words,
    why,
)
from engine.decide.plan import Plan, resized
from engine.decide.replicas import (
    node_capacity,
    nodes_for_deadline,
    replica_words,
    replicas_needed,
    router,
)
from engine.decide.time_for_money import TimeForMoney, time_for_money
from engine.figures.sentences import Figure, Part, Sentence, about, capital, said
from engine.figures.units import FLEET, SECONDS_PER_DAY, duration, fleet
from engine.model.formats import FORMATS
from engine.model.parameters import count_parameters
from engine.money.bill import buy_usd
from engine.money.prices import usd_per_gpu_hour
from engine.scenario import Layout, LayoutChoice, Scenario
from engine.scenario.change import change
from engine.sizing import Answer, Build, Evidence, Step, Verdict

# 70B+ from scratch is the frontier (seed_claims.toml, decision_step 5); the class is called 70B from about 65e9 on.
FRONTIER_PARAMETERS = 65e9
# What a frontier run is planned for when nobody gave a deadline, days.
FRONTIER_DAYS = 90.0
INT4_FORMAT = "int4"
# Replicas need no fabric, which is worth some nodes; a rule of thumb of ours says as many again.
WORTH_JOINING = 2
FRONTIER_RUN: Sentence = ("pretraining at this size is step 5",)
EIGHT_BITS = 9.0
"""From this many bits a weight on, FP8 is a real saving; INT8 and FP8 with their scales are below it."""


@dataclass(frozen=True, slots=True)
class _Finding:
    """What one step found. attempt: the build it rests on. replicas: nodes of a load, GPUs of a frontier run."""

    number: int
    question: str
    yes: bool
    clause: Sentence
    attempt: Attempt | None = None
    replicas: int = 1

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """The figures of the build that it rests on; those of a frontier run stand in its clause."""
        if self.attempt is None or self.number == LAST_STEP:
            return ()
        return tuple(replace(item, figure=self.told(item.figure)) for item in evidence(self.attempt))

    def told(self, sentence: Sentence) -> Sentence:
        """A sentence whose figures are of the build that it looked at."""
        return about(sentence, f"verdict.{self.number}.")

    def as_step(self, reached: bool) -> Step:
        """The step as it is shown."""
        answer = self.told((f"{'yes' if self.yes else 'no'}: ", *self.clause))
        return Step(self.number, self.question, answer, self.yes, reached, self.evidence)


def _findings(scenario: Scenario, high: Scenario, entered: Plan) -> Iterator[_Finding]:
    """What each step finds, in order, each worked out when it is asked for: the first yes ends the flow."""
    inference = scenario.workload.is_inference
    frontier = _is_frontier(scenario)
    one_gpu = attempt(scenario, 1)
    yield _Finding(0, "Does one GPU carry it?", one_gpu.carries, why(one_gpu), one_gpu)
    node = one_node(high)
    eight = _at_eight_bits(high, node) if not node.carries else None
    int4 = _at_few_bits(scenario) if inference and high is not scenario else None
    if _more_cards_for_bits(scenario, high, node, int4):
        node = attempt(high, scenario.hardware.gpus_per_node)
    in_node = _node_step(high, node, eight, frontier)
    yield in_node
    if inference and int4 is None:
        int4 = _at_few_bits(scenario)
    in_few_bits = _int4_step(scenario, int4)
    yield in_few_bits
    holders = [found for found in (node, eight, int4) if found is not None]
    holder = next((found for found in holders if found.holds), holders[-1])
    load = _load_step(scenario, holder, frontier)
    together = _together(scenario, load)
    if together is not None:
        instead = f"{load.replicas} replicas would take it, {together.nodes} nodes joined take it too: "
        load = replace(load, yes=False, clause=(instead, *load.clause), replicas=1)
    yield load
    ended = one_gpu.carries or in_node.yes or in_few_bits.yes or load.yes
    across = _cluster_step(scenario, holder, frontier, ended, together, entered)
    yield across
    yield _frontier_step(scenario, frontier, across.attempt, entered)


def _flow(scenario: Scenario, high: Scenario, entered: Plan, whole: bool) -> list[_Finding]:
    """The findings up to the first yes, or all of them."""
    findings: list[_Finding] = []
    ended = False
    for finding in _findings(scenario, high, entered):
        findings.append(finding)
        ended = ended or finding.yes
        if ended and not whole:
            return findings
    if entered.carries and not ended:
        _as_entered(findings, entered)
    return findings


def _steps(scenario: Scenario, high: Scenario, entered: Plan) -> tuple[Step, ...]:
    """Every step as it is shown; those after the first yes say what they would have said."""
    findings = _flow(scenario, high, entered, whole=True)
    end = next((finding.number for finding in findings if finding.yes), LAST_STEP)
    return tuple(finding.as_step(reached=finding.number <= end) for finding in findings)


def _as_entered(findings: list[_Finding], entered: Plan) -> None:
    """Let the entered build answer where the searches, which try common shapes only, found none that carries it."""
    hardware = entered.scenario.hardware
    own = Attempt(hardware.gpus_per_node, hardware.nodes, entered)
    number = 4 if hardware.nodes > 1 else 1
    clause = (f"{own.build}, as entered: ", *why(own))
    findings[number] = _Finding(number, findings[number].question, True, clause, own)


def _at_few_bits(scenario: Scenario) -> Attempt:
    """The smallest single node at the format that step 2 asks about."""
    return one_node(_with_weights(scenario, _few_bits(scenario)))


def _few_bits(scenario: Scenario) -> str:
    """The format that step 2 asks about: the person's own where it has so few bits, else INT4."""
    own = scenario.model.weights
    return own if FORMATS[own].bits_per_weight < FORMATS[INT4_FORMAT].bits_per_weight + 1 else INT4_FORMAT


def _more_cards_for_bits(scenario: Scenario, high: Scenario, node: Attempt, int4: Attempt | None) -> bool:
    """Whether FP8, which the person did not ask for, would take more cards than the format that was chosen."""
    if int4 is None or high is scenario or not int4.carries:
        return False
    return node.carries and node.gpus_per_node > int4.gpus_per_node


def _at_eight_bits(high: Scenario, node: Attempt) -> Attempt | None:
    """The smallest single node at FP8, where the person asked for more bits; None where FP8 changes nothing."""
    if not high.workload.is_inference or FORMATS[high.model.weights].bits_per_weight < EIGHT_BITS:
        return None
    found = one_node(_with_weights(high, "fp8"))
    return found if found.carries or (found.holds and not node.holds) else None


def step_plan(scenario: Scenario, entered: Plan, number: int) -> Plan | None:
    """The build that the evidence of a verdict's step is about; None where the step looked at none."""
    findings = _flow(scenario, _at_high_precision(scenario), entered, whole=True)
    if not 0 <= number < len(findings):
        return None
    found = findings[number].attempt
    return found.plan if found is not None else None


def decide(scenario: Scenario, entered: Plan) -> Verdict:
    """The verdict for a scenario whose own build is already planned."""
    high = _at_high_precision(scenario)
    findings = _flow(scenario, high, entered, whole=False)
    end = next((finding for finding in findings if finding.yes), None)
    answer, headline, build = _say(scenario, high, findings, end, entered)
    deciding = end or _closest(findings)
    return Verdict(
        step=deciding.number if end is not None else LAST_STEP,
        answer=answer,
        headline=headline,
        reason=said(deciding.told(capital(deciding.clause)), _room_elsewhere(end)),
        build=build.words,
        steps=partial(_steps, scenario, high, entered),
        assumed=_assumed(scenario),
        replicas=build.replicas,
        carried=entered.carries,
        recommended=build,
    )


# ---------------------------------------------------------------- steps


def _node_step(high: Scenario, node: Attempt, eight: Attempt | None, frontier: bool) -> _Finding:
    inference = high.workload.is_inference
    label = FORMATS[high.model.weights].label
    question = f"Does one node carry it at {label}?" if inference else "Does one node hold the whole training state?"
    if frontier:
        return _Finding(1, question, False, FRONTIER_RUN, node)
    if eight is not None:
        question = f"Does one node carry it at {label}, or at FP8?"
        clause = (f"{label}: ", *why(node), "; FP8: ", *why(eight))
        return _Finding(1, question, eight.carries, clause, eight)
    return _Finding(1, question, node.carries, why(node), node)


def _int4_step(scenario: Scenario, int4: Attempt | None) -> _Finding:
    label = "INT4" if _few_bits(scenario) == INT4_FORMAT else FORMATS[_few_bits(scenario)].label
    question = f"Does one node carry it at {label}?"
    if int4 is None:
        own = scenario.workload.trains == "qlora" and not scenario.workload.is_inference
        clause = "QLoRA already counts as itself" if own else "INT4 weights carry no gradients"
        return _Finding(2, question, False, (clause,))
    return _Finding(2, question, int4.carries, why(int4), int4)


def _load_step(scenario: Scenario, holder: Attempt, frontier: bool) -> _Finding:
    question = "Is it the load, not the model, that does not fit?"

    def no(*clause: Part | Sentence) -> _Finding:
        return _Finding(3, question, False, said(*clause), holder)

    one = holder.plan
    if one is None or not holder.holds:
        return no("the model itself does not fit one node")
    if holder.carries:
        return no("one node carries the load")
    if frontier:
        return no("from scratch at this size it is both")
    if one.over_budget:
        return no(missed(one), "; more nodes cost no less")
    if scenario.workload.is_inference:
        users, rate = node_capacity(one)
        if users < 1:
            return no("no load on one node meets the targets: ", alone(one.scenario))
        count = replicas_needed(scenario, users, rate)
        clause = replica_words(scenario, users, rate, count)
        node = resized(scenario, one.scenario.hardware.gpus_per_node)
        # a bill, not a build that anybody enters: it may be of more nodes than a scenario holds
        bought = replace(node, hardware=replace(node.hardware, nodes=count))
        price = (
            None if scenario.workload.is_run else buy_usd(bought, alone=True)
        )  # more nodes of a run are rented for less long
        if price is not None and scenario.workload.budget_usd is not None and price > scenario.workload.budget_usd:
            return no(f"{fleet(count)} nodes are ", over_budget(scenario, price))
    else:
        count = nodes_for_deadline(scenario, one)
        if count == 0:
            return no("one node holds the state, and no number of them is in time")
        if attempt(scenario, one.scenario.hardware.gpus_per_node, count).plan is None:
            return no("no layout spreads the run")
        link = scenario.hardware.inter_link.name
        needed = Figure(f"{count}", "replicas")
        clause = ("one node holds the state; the deadline takes ", needed, f" of them, data parallel over {link}")
    return _Finding(3, question, True, clause, holder, count)


def _together(scenario: Scenario, load: _Finding) -> Attempt | None:
    """The cluster to take instead of replicas that hold a model and next to none of the load; None where there is none.

    A node whose weights are past the rule has little room for the cache. Where its replicas would be more than twice
    the nodes that joined ones take, each holding its part of the model once, it is the model that does not fit.
    """
    one = load.attempt.plan if load.yes and load.attempt is not None else None
    most = (load.replicas - 1) // WORTH_JOINING
    if one is None or not scenario.workload.is_inference or most < 2 or one.memory.weights_share <= WEIGHTS_RULE[1]:
        return None
    found = cluster(scenario, most)
    return found if found.carries else None


def _cluster_step(
    scenario: Scenario, holder: Attempt, frontier: bool, ended: bool, together: Attempt | None, entered: Plan
) -> _Finding:
    """The cluster of full nodes, in the format entered; the entered one where that carries it with no more GPUs."""
    question = "Must it run across nodes?"
    if ended:
        return _Finding(4, question, False, ("a step before this one carries it",))
    if holder.holds and not frontier and together is None:
        inference = scenario.workload.is_inference
        reason = "a fabric only adds latency" if inference else "more nodes are data parallel, which step 3 counts"
        return _Finding(4, question, False, (f"the model fits one node: {reason}",), holder)
    if frontier:
        spread = cluster(scenario)
        return _Finding(4, question, False, FRONTIER_RUN, spread)
    found = together or cluster(scenario)
    own = Attempt(scenario.hardware.gpus_per_node, scenario.hardware.nodes, entered)
    if own.nodes > 1 and own.carries and (not found.carries or own.gpus <= found.gpus):
        found = own
    build = f"{found.build}{_needed(scenario, found)} over {scenario.hardware.inter_link.name}: "
    clause = (build, *(efficiency(found) if found.carries else why(found)))
    return _Finding(4, question, found.carries, clause, found)


def _needed(scenario: Scenario, found: Attempt) -> str:
    """What is needed against what was entered, where those are different numbers of the same node."""
    entered = scenario.hardware
    if not found.carries or entered.nodes == found.nodes or entered.gpus_per_node != found.gpus_per_node:
        return ""
    were = "was" if entered.nodes == 1 else "were"
    return f" {'suffice' if entered.nodes > found.nodes else 'are needed'}, {entered.nodes} {were} entered;"


def _frontier_step(scenario: Scenario, frontier: bool, spread: Attempt | None, entered: Plan) -> _Finding:
    question = "Is it a 70B+ model trained from scratch?"
    if not frontier:
        return _Finding(5, question, False, (f"{KIND_WORDS[scenario.workload.kind]} of {scenario.model.name} is not",))
    found = spread.plan if spread is not None and spread.plan is not None else entered
    if found.training is None:
        return _Finding(5, question, True, ("no layout of this card trains it: plan SXM nodes on NDR",), spread)
    days = scenario.workload.deadline_days or FRONTIER_DAYS
    tokens = scenario.workload.run_tokens
    amount = f"{tokens / 1e12:,.3g}T" if tokens >= 1e12 else f"{tokens / 1e9:,.3g}B"
    card = scenario.hardware.accelerator.label
    gpus = _frontier_gpus(scenario, found)
    if spread is not None:
        gpus = max(gpus, spread.gpus)  # fewer would not hold the state, and these not always
    many, told, length = (
        Figure(words, "training.frontier_gpus") for words in (f"{_rounded(gpus):,}", amount, f"{days:,.0f}")
    )
    clause = ("about ", many, f" {card} for ", told, " tokens in ", length, " days, on NDR InfiniBand or SXM")
    return _Finding(5, question, True, clause, spread, gpus)


def _rounded(count: int) -> int:
    """To three figures: nobody orders 726,878 GPUs."""
    unit: int = 10 ** max(0, len(str(count)) - 3)
    return -(-count // unit) * unit


def _frontier_gpus(scenario: Scenario, found: Plan) -> int:
    """GPUs that finish the run in the wall time asked for, or in the planned one, at the speed of a plan's GPU."""
    if found.training is None:
        return 0
    days = scenario.workload.deadline_days or FRONTIER_DAYS
    return math.ceil(found.training.gpu_hours / 24.0 / days)


def _is_frontier(scenario: Scenario) -> bool:
    large = count_parameters(scenario.model.architecture).total >= FRONTIER_PARAMETERS
    return scenario.workload.kind == "pretrain" and large


def _at_high_precision(scenario: Scenario) -> Scenario:
    """What step 1 asks about: the person's format, or FP8 below 8 bits, since INT4 has a step of its own.

    A model that is only published in 4 bits (gpt-oss in MXFP4) is taken as it is: FP8 would be larger and no better.
    """
    model = scenario.model
    native = model.weights == model.architecture.checkpoint_format
    if scenario.workload.is_inference and FORMATS[model.weights].bits_per_weight < 8 and not native:
        return _with_weights(scenario, "fp8")
    return scenario


def _with_weights(scenario: Scenario, weights: str) -> Scenario:
    return change(scenario, {"model.weights": weights})


def _assumed(scenario: Scenario) -> tuple[Sentence, ...]:
    workload = scenario.workload
    assumed: list[Sentence] = []
    if workload.is_inference:
        if workload.ttft_target_s is workload.tokens_per_s_user_target is workload.corpus_tokens is None:
            assumed.append(("no latency target: any speed counts as met",))
        if workload.requests_per_s is None and workload.kind == "serve":
            users = Figure(f"{workload.concurrency:,}", "load.concurrency")
            assumed.append(("the load is ", users, " users at once, each always waiting for an answer"))
        if workload.deadline_days is not None and workload.kind == "batch" and not workload.is_run:
            assumed.append(("the deadline is not held: no corpus is entered, tokens in all",))
        if workload.corpus_tokens is not None and workload.deadline_days is None:
            assumed.append(("no deadline: any duration counts as met",))
        if workload.budget_usd is not None and not workload.is_run and buy_usd(scenario) is None:
            assumed.append(("the budget is not held: nobody states a price of this card, and none is entered",))
    else:
        if workload.deadline_days is None and _is_frontier(scenario):
            assumed.append((f"no deadline: {FRONTIER_DAYS:.0f} days are planned for",))
        elif workload.deadline_days is None:
            assumed.append(("no deadline: any duration counts as met",))
    if workload.is_run and workload.budget_usd is not None and usd_per_gpu_hour(scenario)[0] is None:
        assumed.append(("the budget is not held: nobody rents this GPU out, and no price is entered",))
    return tuple(assumed)


def _closest(findings: list[_Finding]) -> _Finding:
    """The step whose no says most: that of the load where a node holds the model, else that of the cluster."""
    load = findings[3].attempt
    return findings[3] if load is not None and load.holds else findings[4]


def _no_build(findings: list[_Finding]) -> str:
    """Why nothing carries the workload: its memory, its budget or its targets."""
    plans = [found.attempt.plan for found in findings if found.attempt is not None and found.attempt.plan is not None]
    if not any(plan.fits for plan in plans):
        return "Does not fit"
    return "Over budget" if any(plan.over_budget for plan in plans) else "Misses its targets"


def _room_elsewhere(end: _Finding | None) -> str:
    """The next build with headroom, where the one of the verdict only just fits."""
    found = end.attempt if end is not None and end.number != 3 else None
    if found is None or found.plan is None or found.plan.memory.headroom != "marginal" or not found.carries:
        return ""
    better = roomier(found.plan.scenario, found)
    return f"; {better.build} {'has' if better.nodes == 1 else 'have'} room" if better is not None else ""


def _only_just(found: Attempt) -> str:
    """The word that goes with a build that fits without headroom."""
    marginal = found.plan is not None and found.plan.memory.headroom == "marginal"
    return " (marginal)" if marginal else ""


def _other_layout(scenario: Scenario, found: Attempt) -> Layout | None:
    """The layout of a build, where the person pinned one that it does not keep."""
    if scenario.layout == LayoutChoice() or found.plan is None or found.plan.scenario.layout == scenario.layout:
        return None
    return found.plan.layout


def _say(
    scenario: Scenario, high: Scenario, findings: list[_Finding], end: _Finding | None, entered: Plan
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
                Figure(f"{_rounded(end.replicas):,}", "verdict.training.frontier_gpus"),
                f" {card}",
            )
        return "frontier", head, Build(("NDR InfiniBand or SXM cluster",), spread.gpus_per_node, nodes, model.weights)
    assert found is not None
    weights = found.plan.scenario.model.weights if found.plan is not None else model.weights
    build = Build((found.build,), found.gpus_per_node, found.nodes, weights, layout=_other_layout(scenario, found))
    if end.number == 0:
        head = (f"One GPU{_only_just(found)}: {at} on 1x {card}", *_to_spare(hardware.gpus - 1, found, entered))
        return "one-gpu", head, build
    if end.number == 4:
        shape = shape_words(scenario, found)
        head = (f"A cluster{_only_just(found)}: {found.build}, {shape}, {hardware.inter_link.name}",)
        return "multi-node", head, build
    if end.number == 3:
        return "replicas", *_side_by_side(scenario, end.replicas, build)
    return "one-node" if end.number == 1 else "one-node-int4", _one_node_words(scenario, end, found, entered), build


def _what(scenario: Scenario) -> str:
    """The model in its format, or with what is done to it."""
    model, work = scenario.model, scenario.workload
    return f"{model.name} {FORMATS[model.weights].label if work.is_inference else KIND_WORDS[work.kind]}"


def _to_spare(spare: int, found: Attempt, entered: Plan) -> Sentence:
    """What more than one GPU buys, where one carries the workload: time, or nothing."""
    trade = time_for_money(found.plan, entered) if found.plan is not None else None
    if trade is not None:
        return _traded(trade)
    return () if not spare else ("; the other is spare",) if spare == 1 else (f"; the other {spare} are spare",)


def _traded(trade: TimeForMoney) -> Sentence:
    """How long the smaller build takes, and what the entered one buys."""
    alone = Figure(duration(trade.alone_days * SECONDS_PER_DAY), f"verdict.{trade.figure}")
    return (" (", alone, "); ", *trade.words)


def _side_by_side(scenario: Scenario, replicas: int, one: Build) -> tuple[Sentence, Build]:
    """The headline of replicas of a build, and all of them as one build."""
    many = Figure(fleet(replicas), "verdict.replicas")
    build = replace(one, words=(many, " replicas of ", *one.words), nodes=replicas, replicas=replicas)
    head = "Replicas: " if replicas < FLEET else "Not a build, a fleet: "
    if not scenario.workload.is_inference:
        link = scenario.hardware.inter_link.name
        return (head, many, " nodes of ", *one.words, f", data parallel over {link}"), build
    if scenario.workload.corpus_tokens is not None:
        return (head, *build.words, ", each with its part of the corpus, no fabric"), build
    return (head, *build.words, f", {router(replicas)} in front, no fabric"), build


def _one_node_words(scenario: Scenario, end: _Finding, found: Attempt, entered: Plan) -> Sentence:
    """The headline of a single node, at other bits than entered where it has those."""
    hardware, model, just = scenario.hardware, scenario.model, _only_just(found)
    weights = found.plan.scenario.model.weights if found.plan is not None else model.weights
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
    trade = time_for_money(found.plan, entered) if found.plan is not None else None
    if trade is not None:
        return (head, *_traded(trade))
    if hardware.nodes > 1:
        return (f"{head}, not {hardware.nodes} nodes of {hardware.gpus_per_node}",)
    if found.gpus_per_node > hardware.gpus:
        return (f"{head}; {hardware.gpus} {'is' if hardware.gpus == 1 else 'are'} too few",)
    return (head,)
