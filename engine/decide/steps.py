"""The steps of the decision: what each asks of the scenario, and what it finds.

The order and the questions follow the decision flow of tests/reference/seed_claims.toml ([[decision_step]]), with
step 0 (one GPU) in front.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from engine.decide.answer import LAST_STEP
from engine.decide.attempts import (
    CLUSTER_NODES,
    Attempt,
    above_floor,
    attempt,
    cluster,
    entered_as,
    fewer_measured,
    measured_as,
    node_sizes,
    one_node,
    under_floor,
)
from engine.decide.evidence import (
    WEIGHTS_RULE,
    alone,
    efficiency,
    evidence,
    missed,
    over_budget,
    why,
)
from engine.decide.plan import Plan, resized
from engine.decide.replicas import (
    node_capacity,
    nodes_for_deadline,
    replica_words,
    replicas_needed,
)
from engine.figures.records import dataclass
from engine.figures.sentences import HERE, Figure, Part, Sentence, about, said
from engine.figures.units import HOURS_PER_DAY, fleet
from engine.model.formats import FORMATS
from engine.model.parameters import count_parameters
from engine.money.bill import buy_usd
from engine.scenario import Scenario
from engine.scenario.change import change
from engine.sizing import Evidence, Step

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
class Finding:
    """What one step found. attempt: the build it rests on. replicas: nodes of a load, GPUs of a frontier run.

    words: makes the reason, of which most findings are never asked.
    """

    number: int
    question: str
    yes: bool
    words: Callable[[], Sentence]
    attempt: Attempt | None = None
    replicas: int = 1

    @property
    def clause(self) -> Sentence:
        """The reason in one clause."""
        return self.words()

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


def findings_of(scenario: Scenario, high: Scenario, entered: Plan) -> Iterator[Finding]:
    """What each step finds, in order, each worked out when it is asked for: the first yes ends the flow."""
    inference = scenario.workload.is_inference
    frontier = is_frontier(scenario)
    plain = attempt(scenario, 1)
    helped = not (inference or frontier or entered.carries)
    one_gpu = measured_as(plain) if helped and scenario.hardware.gpus == 1 else plain
    yield Finding(
        0, "Does one GPU carry it?", one_gpu.carries, partial(_one_gpu_words, scenario, plain, one_gpu), one_gpu
    )
    node = _measured_node(scenario) if helped else one_node(high)
    eight = _at_eight_bits(high, node) if not node.carries else None
    int4 = _at_few_bits(scenario) if inference and high is not scenario else None
    if _more_cards_for_bits(scenario, high, node, int4):
        node = attempt(high, scenario.hardware.gpus_per_node)
    in_node = _node_step(high, node, eight, frontier, entered)
    yield in_node
    if inference and int4 is None:
        int4 = _at_few_bits(scenario)
    in_few_bits = _int4_step(scenario, int4)
    yield in_few_bits
    own_bits = int4 is not None and _few_bits(scenario) == scenario.model.weights
    holders = [found for found in ((int4, node, eight) if own_bits else (node, eight, int4)) if found is not None]
    holder = next((found for found in holders if found.holds), holders[-1])
    load = _load_step(scenario, holder, frontier, entered)
    together = _together(scenario, load, entered)
    if together is not None:
        instead = f"{fleet(load.replicas)} replicas would take it, {together.nodes} nodes joined take it too: "
        load = replace(load, yes=False, words=partial(said, instead, load.clause), replicas=1)
    yield load
    ended = one_gpu.carries or in_node.yes or in_few_bits.yes or load.yes
    across = _cluster_step(scenario, holder, frontier, ended, together, entered)
    yield across
    yield _frontier_step(scenario, frontier, across.attempt, entered)


def _measured_node(scenario: Scenario) -> Attempt:
    """The single node that carries a run: the entered one as it is, then with what the run may change of itself; then larger ones."""
    entered, found = scenario.hardware, one_node(scenario)
    if entered.nodes > 1 or (found.carries and found.gpus_per_node == entered.gpus_per_node):
        return found
    if entered.gpus_per_node > 1:
        own = measured_as(attempt(scenario, entered.gpus_per_node))
        if own.carries:
            return own
    if found.carries:
        return found
    sizes = (gpus for gpus in node_sizes(scenario) if gpus > entered.gpus_per_node)
    larger = (measured_as(attempt(scenario, gpus)) for gpus in sizes)
    return next((one for one in larger if one.carries), found)


def _one_gpu_words(scenario: Scenario, plain: Attempt, found: Attempt) -> Sentence:
    """What one GPU makes of it; and with what a run that is too large for it would still go on one."""
    if found.measure is not None:
        return _measured_words(scenario, found, plain.plan)
    with_measure = measured_as(plain) if plain.plan is not None and not plain.plan.memory.fits else plain
    if with_measure.measure is None:
        return why(plain)
    return (*why(plain), "; one would do with ", *with_measure.measure.what)


def _measured_words(scenario: Scenario, found: Attempt, entered: Plan | None) -> Sentence:
    """What a build makes of a run that is changed for it, of the entered one what it makes of it as it is, and what carries that.

    entered: the plan of the entered build; None where the build that was found is another one.
    """
    assert found.measure is not None
    told: Sentence = ("with ", *found.measure.what, ": ", *why(found))
    if entered is not None:
        told = (*told, "; as entered ", *about(why(entered_as(entered)), HERE))
    as_it_is = one_node(scenario)
    as_it_is = as_it_is if as_it_is.carries else cluster(scenario)
    if not as_it_is.carries:
        return told
    return (*told, f"; {as_it_is.build} {'carries' if as_it_is.nodes == 1 else 'carry'} it unchanged")


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


def _node_step(high: Scenario, node: Attempt, eight: Attempt | None, frontier: bool, entered: Plan) -> Finding:
    inference = high.workload.is_inference
    label = FORMATS[high.model.weights].label
    question = f"Does one node carry it at {label}?" if inference else "Does one node hold the whole training state?"
    if frontier:
        return Finding(1, question, False, partial(said, FRONTIER_RUN), node)
    if eight is not None:
        question = f"Does one node carry it at {label}, or at FP8?"
        return Finding(1, question, eight.carries, partial(_two_formats, label, node, eight), eight)
    if node.measure is not None:
        own = entered if node.gpus == high.hardware.gpus else None
        return Finding(1, question, node.carries, partial(_measured_words, high, node, own), node)
    return Finding(1, question, node.carries, partial(why, node), node)


def _two_formats(label: str, node: Attempt, eight: Attempt) -> Sentence:
    return (f"{label}: ", *why(node), "; FP8: ", *why(eight))


def _int4_step(scenario: Scenario, int4: Attempt | None) -> Finding:
    label = "INT4" if _few_bits(scenario) == INT4_FORMAT else FORMATS[_few_bits(scenario)].label
    question = f"Does one node carry it at {label}?"
    if int4 is None:
        own = scenario.workload.trains == "qlora" and not scenario.workload.is_inference
        clause = "QLoRA already counts as itself" if own else "INT4 weights carry no gradients"
        return Finding(2, question, False, partial(said, clause))
    return Finding(2, question, int4.carries, partial(why, int4), int4)


def _load_step(scenario: Scenario, holder: Attempt, frontier: bool, entered: Plan) -> Finding:
    question = "Is it the load, not the model, that does not fit?"

    def no(*clause: Part | Sentence) -> Finding:
        return Finding(3, question, False, partial(said, *clause), holder)

    if not holder.holds:
        return no("the model itself does not fit one node")
    if holder.carries:
        return no("one node carries the load")
    if frontier:
        return no("from scratch at this size it is both")
    one = holder.choice
    assert one is not None
    if one.over_budget:
        return no(missed(one.plan), "; more nodes cost no less")
    if scenario.workload.is_inference:
        users, rate = node_capacity(one.scenario)
        if users < 1:  # what one user misses is of the build with one user
            by_itself = alone(one.scenario)
            return Finding(3, question, False, partial(_nobody, by_itself), by_itself or holder)
        count = replicas_needed(scenario, users, rate)
        words = partial(replica_words, scenario, users, rate, count)
        node = resized(scenario, one.scenario.hardware.gpus_per_node)
        # a bill, not a build that anybody enters: it may be of more nodes than a scenario holds
        bought = replace(node, hardware=replace(node.hardware, nodes=count))
        price = (
            None if scenario.workload.is_run else buy_usd(bought, alone=True)
        )  # more nodes of a run are rented for less long
        if price is not None and scenario.workload.budget_usd is not None and price > scenario.workload.budget_usd:
            return no(f"{fleet(count)} nodes are ", over_budget(scenario, price))
    else:
        count = nodes_for_deadline(scenario, one.plan)
        own = entered_as(entered)
        if own.nodes > 1 and not 0 < count <= own.nodes:
            own = measured_as(own)
            if own.measure is not None and own.plan is not None:
                one_of_them = replace(attempt(own.plan.scenario, own.gpus_per_node), measure=own.measure)
                words = partial(_measured_words, scenario, own, entered)
                return Finding(3, question, True, words, one_of_them, own.nodes)
        if count == 0:
            return no("one node holds the state, and no number of them is in time")
        if attempt(scenario, one.scenario.hardware.gpus_per_node, count).plan is None:
            return no("no layout spreads the run")
        link = scenario.hardware.inter_link.name
        needed = Figure(f"{count}", "replicas")
        words = partial(
            said, "one node holds the state; the deadline takes ", needed, f" of them, data parallel over {link}"
        )
    return Finding(3, question, True, words, holder, count)


def _nobody(by_itself: Attempt | None) -> Sentence:
    misses = () if by_itself is None or by_itself.plan is None else ("for one user alone ", *missed(by_itself.plan))
    return ("no load on one node meets the targets: ", *misses)


def _together(scenario: Scenario, load: Finding, entered: Plan) -> Attempt | None:
    """The cluster to take instead of replicas that hold a model and next to none of the load; None where there is none.

    A node whose weights are past the rule has little room for the cache. Where its replicas would be more than twice
    the nodes that joined ones take, each holding its part of the model once, it is the model that does not fit. Nodes
    that are entered joined and carry the load with headroom on fewer GPUs than the replicas have are such a cluster already.
    """
    one = load.attempt if load.yes else None
    most = (load.replicas - 1) // WORTH_JOINING
    if one is None or not scenario.workload.is_inference or one.plan is None:
        return None
    own, layout = entered_as(entered), entered.layout
    fewer = own.gpus < load.replicas * one.gpus_per_node and entered.memory.headroom != "marginal"
    if own.carries and fewer and layout.tp * layout.pp > own.gpus_per_node:
        return own
    if most < 2:
        return None
    if one.plan.memory.weights_share <= WEIGHTS_RULE[1]:
        return None
    found = cluster(scenario, most)
    return found if found.carries else None


def _cluster_step(
    scenario: Scenario, holder: Attempt, frontier: bool, ended: bool, together: Attempt | None, entered: Plan
) -> Finding:
    """The cluster of full nodes, in the format entered; the entered one where that carries it with no more GPUs."""
    question = "Must it run across nodes?"
    if ended:
        return Finding(4, question, False, partial(said, "a step before this one carries it"))
    if holder.holds and not frontier and together is None:
        inference = scenario.workload.is_inference
        reason = "a fabric only adds latency" if inference else "more nodes are data parallel, which step 3 counts"
        return Finding(4, question, False, partial(said, f"the model fits one node: {reason}"), holder)
    if frontier:
        spread = cluster(scenario)
        return Finding(4, question, False, partial(said, FRONTIER_RUN), spread)
    found = together or cluster(scenario)
    if under_floor(found):
        found = above_floor(scenario, found) or found
    own = entered_as(entered)
    if own.nodes > 1 and not own.carries and (not found.carries or own.gpus < found.gpus):
        own = measured_as(own)
    if own.nodes > 1 and own.carries and (not found.carries or own.gpus <= found.gpus):
        found = own
    if not found.carries and not scenario.workload.is_inference:
        shapes = (attempt(scenario, found.gpus_per_node, nodes) for nodes in CLUSTER_NODES if nodes > own.nodes)
        found = next((one for one in map(measured_as, shapes) if one.carries), found)
    if found.measure is not None:
        here = entered if found.gpus == entered.layout.gpus else None
        return Finding(4, question, True, partial(_measured_words, scenario, found, here), found)
    return Finding(4, question, found.carries, partial(_cluster_words, scenario, found, entered), found)


def _cluster_words(scenario: Scenario, found: Attempt, entered: Plan) -> Sentence:
    """What a cluster makes of it, and a smaller one that does for a run that changes of itself what is short."""
    build = (found.build, *_needed(scenario, found), f" over {scenario.hardware.inter_link.name}: ")
    told: Sentence = (*build, *(efficiency(found) if found.carries else why(found)))
    if scenario.workload.is_inference or entered.carries or is_frontier(scenario):
        return told
    fewer = fewer_measured(scenario, found.gpus)
    return (
        told
        if fewer is None
        else (*told, f"; {fewer.cards} would do with ", *(fewer.measure.what if fewer.measure else ()))
    )


def _needed(scenario: Scenario, found: Attempt) -> Sentence:
    """What is needed against what was entered, where those are different numbers of the same node."""
    entered = scenario.hardware
    if not found.carries or entered.nodes == found.nodes or entered.gpus_per_node != found.gpus_per_node:
        return ()
    were = "was" if entered.nodes == 1 else "were"
    many = Figure(f"{entered.nodes}", f"{HERE}build.nodes")
    return (f" {'suffice' if entered.nodes > found.nodes else 'are needed'}, ", many, f" {were} entered;")


def _frontier_step(scenario: Scenario, frontier: bool, spread: Attempt | None, entered: Plan) -> Finding:
    question = "Is it a 70B+ model trained from scratch?"
    if not frontier:
        return Finding(5, question, False, partial(said, "it is not a 70B+ model trained from scratch"))
    found = spread.plan if spread is not None and spread.plan is not None else entered
    if found.training is None:
        return Finding(
            5, question, True, partial(said, "no layout of this card trains it: plan SXM nodes on NDR"), spread
        )
    days = scenario.workload.deadline_days or FRONTIER_DAYS
    tokens = scenario.workload.run_tokens
    amount = f"{tokens / 1e12:,.3g}T" if tokens >= 1e12 else f"{tokens / 1e9:,.3g}B"
    card = scenario.hardware.accelerator.label
    gpus = frontier_gpus(found.training.gpu_hours, days, found.scenario.hardware.gpus)
    many, told, length = (
        Figure(words, "training.frontier_gpus") for words in (f"{rounded(gpus):,}", amount, f"{days:,.0f}")
    )
    words = "about ", many, f" {card} for ", told, " tokens in ", length, " days, on NDR InfiniBand or SXM"
    return Finding(5, question, True, partial(said, *words), spread, gpus)


def rounded(count: int) -> int:
    """To three figures: nobody orders 726,878 GPUs."""
    unit: int = 10 ** max(0, len(str(count)) - 3)
    return -(-count // unit) * unit


def frontier_gpus(gpu_hours: float, days: float, held: int) -> int:
    """GPUs that finish a run in so many days, at the speed of a GPU of the build that takes so many GPU-hours.

    held: the GPUs of that build; fewer would not hold the state, and these not always.
    """
    return max(math.ceil(gpu_hours / HOURS_PER_DAY / days), held)


def is_frontier(scenario: Scenario) -> bool:
    """Whether a model of the 70B class or larger is trained from scratch."""
    large = count_parameters(scenario.model.architecture).total >= FRONTIER_PARAMETERS
    return scenario.workload.kind == "pretrain" and large


def at_high_precision(scenario: Scenario) -> Scenario:
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
