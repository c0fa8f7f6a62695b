"""The stepwise decision: one GPU, one node, one node at INT4, replicas, a cluster, or the frontier.

The order and the questions follow the decision flow of tests/reference/seed_claims.toml ([[decision_step]]), with
step 0 (one GPU) in front. The first yes ends it; every later step still says what it would have said.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from engine.attempts import Attempt, attempt, cluster, one_node
from engine.checks import MAX_NODES
from engine.formats import FORMATS
from engine.parameters import count_parameters
from engine.plan import Plan
from engine.scenario import Scenario
from engine.sizing import Answer, Build, Evidence, Step, Verdict
from engine.units import GIB

# The share of a card that weights should leave for KV and everything else: seed_claims.toml, rule.weights_share.
WEIGHTS_RULE = (0.60, 0.70)
# Below this projected efficiency a cluster has the wrong shape: seed_claims.toml, efficiency_floor.
EFFICIENCY_FLOOR = 0.60
# 70B+ from scratch is the frontier (seed_claims.toml, decision_step 5); the class is called 70B from about 65e9 on.
FRONTIER_PARAMETERS = 65e9
# What a frontier run is planned for when nobody gave a deadline, days.
FRONTIER_DAYS = 90.0
INT4_FORMAT = "int4"
# From this many replicas on, a router that keeps a session where its prefix is cached pays for itself:
# seed_claims.toml, must_scale_out, "prefix-cache-aware router".
PREFIX_ROUTER_REPLICAS = 4
# How often a tenth is added to the nodes before a deadline is given up: 1.1^16 is about five times as many.
DEADLINE_TRIES = 16
KIND_WORDS = {
    "serve": "serving",
    "batch": "batch inference",
    "lora": "LoRA",
    "qlora": "QLoRA",
    "full-finetune": "full fine-tune",
    "pretrain": "pretraining",
}
SHARDING_WORDS = {"ddp": "DDP", "zero1": "ZeRO-1", "zero2": "ZeRO-2", "zero3": "ZeRO-3"}

EVIDENCE_FIGURES = {
    "weights on the worst GPU": "memory.weights_share",
    "KV asked / that fits": "memory.kv_capacity_tokens",
    "peak on the worst GPU": "memory.peak_bytes",
    "speed": "serving.tokens_per_s_user",
    "run": "training.days",
}
"""The figure that a line of evidence rests on, by what the line is about: an id of `engine.workings`."""


@dataclass(frozen=True, slots=True)
class _Finding:
    """What one step found. attempt: the build it rests on."""

    number: int
    question: str
    yes: bool
    clause: str
    attempt: Attempt | None = None
    replicas: int = 1
    evidence: tuple[Evidence, ...] = ()

    def as_step(self, reached: bool) -> Step:
        """The step as it is shown."""
        return Step(
            self.number,
            self.question,
            f"{'yes' if self.yes else 'no'}: {self.clause}",
            self.yes,
            reached,
            self.evidence,
        )


def _findings(scenario: Scenario, high: Scenario, entered: Plan) -> list[_Finding]:
    """What each step found, in order."""
    inference = scenario.workload.is_inference
    frontier = _is_frontier(scenario)
    one_gpu = attempt(scenario, 1)
    node = one_node(high)
    int4 = one_node(_with_weights(scenario, INT4_FORMAT)) if inference else None
    findings = [
        _Finding(0, "Does one GPU carry it?", one_gpu.carries, _why(one_gpu), one_gpu, evidence=_evidence(one_gpu)),
        _node_step(high, node, frontier),
        _int4_step(scenario, int4),
        _load_step(scenario, node if node.holds or int4 is None else int4, frontier),
    ]
    findings.append(_cluster_step(high, frontier, any(finding.yes for finding in findings)))
    findings.append(_frontier_step(scenario, frontier, findings[4].attempt, entered))
    return findings


def step_plan(scenario: Scenario, entered: Plan, number: int) -> Plan | None:
    """The build that the evidence of a verdict's step is about; None where the step looked at none."""
    findings = _findings(scenario, _at_high_precision(scenario), entered)
    if not 0 <= number < len(findings):
        return None
    found = findings[number].attempt
    return found.plan if found is not None else None


def decide(scenario: Scenario, entered: Plan) -> Verdict:
    """The verdict for a scenario whose own build is already planned."""
    high = _at_high_precision(scenario)
    findings = _findings(scenario, high, entered)
    end = next((finding for finding in findings if finding.yes), None)
    answer, headline, build = _say(scenario, high, end)
    deciding = end or findings[4]
    return Verdict(
        step=deciding.number if end is not None else 5,
        answer=answer,
        headline=headline,
        reason=deciding.clause[:1].upper() + deciding.clause[1:],
        build=build.words,
        steps=tuple(f.as_step(reached=end is None or f.number <= end.number) for f in findings),
        assumed=_assumed(scenario),
        replicas=build.replicas,
        carried=entered.carries,
        recommended=build,
    )


# ---------------------------------------------------------------- steps


def _node_step(high: Scenario, node: Attempt, frontier: bool) -> _Finding:
    inference = high.workload.is_inference
    label = FORMATS[high.model.weights].label
    question = f"Does one node carry it at {label}?" if inference else "Does one node hold the whole training state?"
    if frontier:
        return _Finding(1, question, False, "pretraining at this size is step 5", node, evidence=_evidence(node))
    return _Finding(1, question, node.carries, _why(node), node, evidence=_evidence(node))


def _int4_step(scenario: Scenario, int4: Attempt | None) -> _Finding:
    question = "Does one node carry it at INT4?"
    if int4 is None:
        own = scenario.workload.kind == "qlora"
        clause = "QLoRA already counts as itself" if own else "INT4 weights carry no gradients"
        return _Finding(2, question, False, clause)
    return _Finding(2, question, int4.carries, _why(int4), int4, evidence=_evidence(int4))


def _load_step(scenario: Scenario, holder: Attempt, frontier: bool) -> _Finding:
    question = "Is it the load, not the model, that does not fit?"

    def no(clause: str) -> _Finding:
        return _Finding(3, question, False, clause, holder, evidence=_evidence(holder))

    one = holder.plan
    if one is None or not holder.holds:
        return no("the model itself does not fit one node")
    if holder.carries:
        return no("one node carries the load")
    if frontier:
        return no("from scratch at this size it is both")
    if one.serving is not None and one.serving.meets_targets is False and one.serving.best_concurrency < 1:
        return no(f"no load on one node meets the targets: {'; '.join(one.serving.missed)}")
    count = _replicas_needed(scenario, one)
    if count == 0:
        return no("one node holds the model, and no number of it meets the targets")
    clause = _replica_words(scenario, one, count)
    return _Finding(3, question, True, clause, holder, count, _evidence(holder))


def _cluster_step(high: Scenario, frontier: bool, ended: bool) -> _Finding:
    question = "Must it run across nodes?"
    if ended:
        return _Finding(4, question, False, "a step before this one carries it")
    found = cluster(high)
    why = _efficiency(found) if found.carries else _why(found)
    clause = f"{found.build} over {high.hardware.inter_link.name}: {why}"
    return _Finding(4, question, found.carries and not frontier, clause, found, evidence=_evidence(found))


def _frontier_step(scenario: Scenario, frontier: bool, spread: Attempt | None, entered: Plan) -> _Finding:
    question = "Is it a 70B+ model trained from scratch?"
    if not frontier:
        return _Finding(5, question, False, f"{KIND_WORDS[scenario.workload.kind]} of {scenario.model.name} is not")
    found = spread.plan if spread is not None and spread.plan is not None else entered
    if found.training is None:
        return _Finding(5, question, True, "no layout of this card trains it: plan SXM nodes on NDR", spread)
    days = scenario.workload.deadline_days or FRONTIER_DAYS
    gpus = math.ceil(found.training.gpu_hours / 24.0 / days)
    tokens = scenario.workload.total_tokens / 1e12
    card = scenario.hardware.accelerator.label
    clause = f"about {gpus:,} {card} for {tokens:,.3g}T tokens in {days:,.0f} days, on NDR InfiniBand or SXM"
    return _Finding(5, question, True, clause, spread)


# ---------------------------------------------------------------- replicas


def _served_by_one(one: Plan) -> float:
    """Users that one node serves inside the targets."""
    users = one.memory.max_concurrency
    if one.serving is not None and one.serving.meets_targets is False:
        users = min(users, one.serving.best_concurrency)
    return users


def _replicas_needed(scenario: Scenario, one: Plan) -> int:
    """Replicas of one node that the load takes: by users, by requests, or by the deadline; 0 when none is enough."""
    needs: list[float] = []
    workload = scenario.workload
    if workload.is_inference:
        served = _served_by_one(one)
        if served < 1:
            return 0
        needs.append(workload.concurrency / served)
        if workload.requests_per_s is not None and one.serving is not None:
            asked = workload.requests_per_s * workload.output_tokens
            needs.append(asked / one.serving.best_tokens_per_s_total)
    elif one.training is not None and workload.deadline_days:
        return _nodes_for_deadline(scenario, one)
    return max(2, math.ceil(max(needs))) if needs else 0


def _nodes_for_deadline(scenario: Scenario, one: Plan) -> int:
    """The fewest nodes in data parallel that meet the deadline; 0 when none of those tried does.

    Starts at the count that full efficiency would take and grows by a tenth, so that what it says was sized.
    """
    assert one.training is not None
    deadline = scenario.workload.deadline_days or 0.0
    nodes = max(2, math.ceil(one.training.days / deadline))
    for _ in range(DEADLINE_TRIES):
        if nodes > MAX_NODES:
            return 0
        found = attempt(scenario, one.scenario.hardware.gpus_per_node, nodes)
        if found.carries:
            return nodes
        nodes = max(nodes + 1, math.ceil(nodes * 1.1))
    return 0


def _replica_words(scenario: Scenario, one: Plan, count: int) -> str:
    if not scenario.workload.is_inference:
        return f"one node holds the state; the deadline takes {count} of them, data parallel over commodity fabric"
    served, workload = _served_by_one(one), scenario.workload
    lost = f"a lost node leaves {100.0 * (count - 1) / count:.0f} %"
    if served < workload.concurrency or workload.requests_per_s is None or one.serving is None:
        return f"one node holds the model and serves {served:,.0f} of {workload.concurrency:,} users; {lost}"
    rate = one.serving.best_tokens_per_s_total / workload.output_tokens
    return f"one node holds the model and serves {rate:,.2g} of {workload.requests_per_s:,.3g} requests/s; {lost}"


def _router(count: int) -> str:
    return "a prefix-cache-aware router" if count >= PREFIX_ROUTER_REPLICAS else "a load balancer"


# ---------------------------------------------------------------- words


def _why(found: Attempt) -> str:
    """Why a build does or does not carry the workload, in one clause that starts with figures."""
    if found.plan is None:
        return found.why_not
    memory, worst = found.plan.memory, found.plan.memory.worst
    if not memory.fits:
        if not memory.starts and worst.over_bytes > 0:
            return f"{worst.over_bytes / GIB:,.1f} GiB over on each of {found.build}"
        if found.plan.scenario.workload.is_inference:
            return f"KV for {memory.max_concurrency:,.0f} of {found.plan.scenario.workload.concurrency:,} users"
        return f"{worst.over_bytes / GIB:,.1f} GiB over on each of {found.build}"
    return _missed(found.plan) or memory.headroom_reason


def _missed(found: Plan) -> str:
    if found.serving is not None and found.serving.missed:
        return "; ".join(found.serving.missed)
    if found.training is not None and found.training.meets_deadline is False:
        deadline = found.scenario.workload.deadline_days or 0.0
        return f"{found.training.days:,.1f} days against a deadline of {deadline:,.3g}"
    return ""


def _efficiency(found: Attempt) -> str:
    if found.plan is None:
        return found.why_not
    if found.plan.training is not None:
        share = found.plan.training.efficiency
        text = f"projected efficiency {100 * share:.0f} %"
        if share < EFFICIENCY_FLOOR:
            text += f", under the {100 * EFFICIENCY_FLOOR:.0f} % floor: data parallel across nodes, or SXM nodes"
        return text
    if found.plan.serving is not None:
        return f"{100 * found.plan.serving.communication_share:.0f} % of a step in communication"
    return found.plan.memory.headroom_reason


def _evidence(found: Attempt) -> tuple[Evidence, ...]:
    if found.plan is None:
        return (Evidence("layout", found.why_not, "counted"),)
    memory, worst, layout = found.plan.memory, found.plan.memory.worst, found.plan.layout
    low, high = WEIGHTS_RULE
    lines = [
        Evidence("build", found.build, "entered"),
        Evidence("layout", f"TP {layout.tp}, PP {layout.pp}, DP {layout.dp}", "fitted"),
        Evidence(
            "weights on the worst GPU",
            f"{worst.weights_bytes / GIB:,.1f} GiB, {100 * memory.weights_share:.0f} % of the card "
            f"(rule: {100 * low:.0f}-{100 * high:.0f} %)",
            "counted",
        ),
    ]
    serving, training = found.plan.serving, found.plan.training
    if found.plan.scenario.workload.is_inference:
        tokens = f"{memory.kv_needed_tokens:,} / {memory.kv_capacity_tokens:,} tokens"
        lines.append(Evidence("KV asked / that fits", tokens, "fitted"))
    else:
        lines.append(Evidence("peak on the worst GPU", f"{memory.peak_bytes / GIB:,.1f} GiB", "fitted"))
    if serving is not None:
        speed = f"{serving.tokens_per_s_user:,.0f} tokens/s a user, TTFT {serving.ttft_s:,.2f} s"
        lines.append(Evidence("speed", speed, "fitted"))
    if training is not None:
        run = f"{training.days:,.1f} days, {100 * training.efficiency:.0f} % of one GPU's speed per GPU"
        lines.append(Evidence("run", run, "fitted"))
    lines.append(Evidence("headroom", memory.headroom, "fitted"))
    return tuple(lines)


def _shape_words(scenario: Scenario, found: Attempt) -> str:
    """How the GPUs of a cluster are joined, in words."""
    if found.plan is None:
        return "sharded across"
    layout = found.plan.layout
    parts = [f"TP {layout.tp} inside"] if layout.tp > 1 else []
    if layout.pp > 1:
        parts.append(f"PP {layout.pp} across")
    if layout.dp > 1 and scenario.workload.is_inference:
        parts.append(f"DP {layout.dp} attention" if layout.dp_attention else f"{layout.dp} replicas")
    elif layout.dp > 1:
        parts.append(f"{SHARDING_WORDS[scenario.workload.sharding]} over {layout.dp}")
    return ", ".join(parts)


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
    return replace(scenario, model=replace(scenario.model, weights=weights))


def _assumed(scenario: Scenario) -> tuple[str, ...]:
    workload = scenario.workload
    assumed: list[str] = []
    if workload.is_inference:
        if workload.ttft_target_s is None and workload.tokens_per_s_user_target is None:
            assumed.append("no latency target: any speed counts as met")
        if workload.requests_per_s is None and workload.kind == "serve":
            assumed.append(f"the load is {workload.concurrency:,} users at once, each always waiting for an answer")
    elif workload.deadline_days is None:
        assumed.append("no deadline: any duration counts as met")
    return tuple(assumed)


def _say(scenario: Scenario, high: Scenario, end: _Finding | None) -> tuple[Answer, str, Build]:
    """Answer, headline and the recommended build for the step that ended the flow."""
    hardware, model = scenario.hardware, scenario.model
    inference = scenario.workload.is_inference
    task = KIND_WORDS[scenario.workload.kind]
    at = f"{model.name} {FORMATS[model.weights].label}" if inference else f"{model.name} {task}"
    card = hardware.accelerator.label
    if end is None:
        return "does-not-fit", f"Does not fit: {at} on any {card} build tried", Build("none", 0, 0, model.weights)
    found = end.attempt
    if end.number == 5:
        spread = found or Attempt(hardware.gpus_per_node, hardware.nodes, None)
        build = Build("NDR InfiniBand or SXM cluster", spread.gpus_per_node, spread.nodes, model.weights)
        return "frontier", f"The frontier: {model.name} from scratch", build
    assert found is not None
    if end.number == 0:
        spare = hardware.gpus - 1
        extra = "" if not spare else "; the other is spare" if spare == 1 else f"; the other {spare} are spare"
        return "one-gpu", f"One GPU: {at} on 1x {card}{extra}", Build(found.build, 1, 1, model.weights)
    if end.number == 4:
        build = Build(found.build, found.gpus_per_node, found.nodes, high.model.weights)
        shape = _shape_words(scenario, found)
        return "multi-node", f"A cluster: {found.build}, {shape}, {hardware.inter_link.name}", build
    weights = found.plan.scenario.model.weights if found.plan is not None else model.weights
    if end.number == 3:
        build = Build(
            f"{end.replicas} replicas of {found.build}", found.gpus_per_node, end.replicas, weights, end.replicas
        )
        front = f"{_router(end.replicas)} in front, no fabric" if inference else "data parallel between them"
        return "replicas", f"Replicas: {build.words}, {front}", build
    head = f"One node{' at INT4' if end.number == 2 else ''}: {at} on {found.build}"
    if inference and weights != model.weights:
        label = FORMATS[weights].label
        even = end.number == 1  # step 1 asked about more bits than the person did
        head = f"One node: {model.name} on {found.build}, even at {label}" if even else head.replace(at, model.name)
    if hardware.nodes > 1:
        head += f", not {hardware.nodes} nodes of {hardware.gpus_per_node}"
    elif found.gpus_per_node > hardware.gpus:
        head += f"; {hardware.gpus} {'is' if hardware.gpus == 1 else 'are'} too few"
    answer: Answer = "one-node" if end.number == 1 else "one-node-int4"
    return answer, head, Build(found.build, found.gpus_per_node, 1, weights)
