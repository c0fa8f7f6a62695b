"""The stepwise decision: one GPU, one node, one node at INT4, replicas, a cluster, or the frontier.

The order and the questions follow the decision flow of tests/reference/seed_claims.toml ([[decision_step]]), with
step 0 (one GPU) in front. The first yes ends it; every later step still says what it would have said.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from engine.errors import ScenarioError
from engine.formats import FORMATS
from engine.parameters import count_parameters
from engine.plan import Plan, plan, resized
from engine.scenario import Scenario
from engine.sizing import Answer, Evidence, Memory, Step, Verdict
from engine.units import GIB

# The share of a card that weights should leave for KV and everything else: seed_claims.toml, rule.weights_share.
WEIGHTS_RULE = (0.60, 0.70)
# Below this projected efficiency a cluster has the wrong shape: seed_claims.toml, efficiency_floor.
EFFICIENCY_FLOOR = 0.60
# 70B+ from scratch is the frontier: seed_claims.toml, decision_step 5. Llama "70B" models count 69.5e9 without
# their input table, so the line is drawn where the article's class begins.
FRONTIER_PARAMETERS = 65e9
# The largest box in common use; bigger single nodes (NVL72) are taken as entered.
COMMON_NODE_GPUS = 8
INT4_FORMAT = "int4"
# Nodes tried when no single node holds the model.
CLUSTER_NODES = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
# What a frontier run is planned for when nobody gave a deadline, days.
FRONTIER_DAYS = 90.0


KIND_WORDS = {
    "serve": "serving",
    "batch": "batch inference",
    "lora": "LoRA",
    "qlora": "QLoRA",
    "full-finetune": "full fine-tune",
    "pretrain": "pretraining",
}


@dataclass(frozen=True, slots=True)
class _Try:
    """One build that a step asked about; plan is None where no layout is valid."""

    gpus: int
    nodes: int
    plan: Plan | None
    why_not: str = ""

    @property
    def carries(self) -> bool:
        return self.plan is not None and self.plan.carries

    @property
    def holds(self) -> bool:
        return self.plan is not None and (
            self.plan.memory.starts if self.plan.scenario.workload.is_inference else self.plan.memory.fits
        )


def _try(scenario: Scenario, gpus_per_node: int, nodes: int = 1) -> _Try:
    """Size the workload on a build with a free layout; an impossible one is a no with its reason."""
    try:
        return _Try(gpus_per_node, nodes, plan(resized(scenario, gpus_per_node, nodes)))
    except ScenarioError as error:
        return _Try(gpus_per_node, nodes, None, error.reason)


def node_sizes(scenario: Scenario) -> tuple[int, ...]:
    """GPUs a single node may have for this verdict: the entered one, then larger boxes up to the common eight."""
    entered = scenario.hardware.gpus_per_node
    limit = scenario.hardware.intra_link.max_gpus or COMMON_NODE_GPUS
    larger = tuple(n for n in (2, 4, 8) if entered < n <= min(COMMON_NODE_GPUS, limit))
    return (entered, *larger) if entered > 1 else larger or (1,)


def _card(scenario: Scenario, gpus: int, nodes: int = 1) -> str:
    name = scenario.hardware.accelerator.label
    if nodes > 1:
        return f"{nodes} nodes of {gpus}x {name}"
    return f"{gpus}x {name}"


def _short(memory: Memory) -> str:
    worst = memory.worst
    if worst.over_bytes > 0:
        return f"{worst.over_bytes / GIB:,.1f} GiB over on each GPU"
    if memory.kv_needed_tokens and memory.kv_capacity_tokens < memory.kv_needed_tokens:
        return f"KV for {memory.max_concurrency:,.0f} users of the {_users(memory):,.0f} asked"
    return memory.headroom_reason


def _users(memory: Memory) -> float:
    if not memory.kv_capacity_tokens or not memory.max_concurrency:
        return 0.0
    return memory.kv_needed_tokens / memory.kv_capacity_tokens * memory.max_concurrency


def _missed(plan_: Plan) -> str:
    if plan_.serving is not None and plan_.serving.missed:
        return "; ".join(plan_.serving.missed)
    if plan_.training is not None and plan_.training.meets_deadline is False:
        return f"{plan_.training.days:,.0f} days against a deadline of {plan_.scenario.workload.deadline_days:,.0f}"
    return ""


def _because(attempt: _Try) -> str:
    """Why a build does or does not carry the workload, in one clause."""
    if attempt.plan is None:
        return attempt.why_not
    memory = attempt.plan.memory
    if not memory.fits:
        return _short(memory)
    return _missed(attempt.plan) or memory.headroom_reason


def _evidence(attempt: _Try) -> tuple[Evidence, ...]:
    if attempt.plan is None:
        return (Evidence("layout", attempt.why_not, "counted"),)
    found = attempt.plan
    memory, worst = found.memory, found.memory.worst
    layout = found.layout
    lines = [
        Evidence("build", _card(found.scenario, attempt.gpus, attempt.nodes), "entered"),
        Evidence("layout", f"TP {layout.tp}, PP {layout.pp}, DP {layout.dp}", "fitted"),
        Evidence(
            "weights on the worst GPU",
            f"{worst.weights_bytes / GIB:,.1f} GiB, {100 * memory.weights_share:.0f} % of the card "
            f"(rule: {100 * WEIGHTS_RULE[0]:.0f}-{100 * WEIGHTS_RULE[1]:.0f} %)",
            "counted",
        ),
    ]
    if found.scenario.workload.is_inference:
        lines.append(
            Evidence(
                "KV asked / that fits",
                f"{memory.kv_needed_tokens:,} / {memory.kv_capacity_tokens:,} tokens",
                "fitted",
            )
        )
        if found.serving is not None:
            serving = found.serving
            lines.append(
                Evidence(
                    "speed",
                    f"{serving.tokens_per_s_user:,.0f} tokens/s a user, TTFT {serving.ttft_s:,.2f} s",
                    "fitted",
                )
            )
    else:
        lines.append(Evidence("peak on the worst GPU", f"{memory.peak_bytes / GIB:,.1f} GiB", "fitted"))
        if found.training is not None:
            lines.append(Evidence("run", f"{found.training.days:,.1f} days", "fitted"))
    lines.append(Evidence("headroom", memory.headroom, "fitted"))
    return tuple(lines)


def _best(tries: list[_Try]) -> _Try:
    """The first that carries, else the last: the largest box is the closest to a yes."""
    return next((attempt for attempt in tries if attempt.carries), tries[-1])


def _first_carrying(scenario: Scenario, sizes: tuple[int, ...]) -> _Try:
    tries = []
    for gpus in sizes:
        tries.append(_try(scenario, gpus))
        if tries[-1].carries:
            break
    return _best(tries)


def _bits(scenario: Scenario) -> float:
    return FORMATS[scenario.model.weights].bits_per_weight


def _with_weights(scenario: Scenario, weights: str) -> Scenario:
    return replace(scenario, model=replace(scenario.model, weights=weights))


def _replicas_needed(scenario: Scenario, one: Plan) -> int:
    """Replicas of one node that the asked load takes, from users or requests, whichever is more; 0 when unknown."""
    needs: list[float] = []
    workload = scenario.workload
    if one.scenario.workload.is_inference:
        if one.memory.max_concurrency >= 1:
            needs.append(workload.concurrency / one.memory.max_concurrency)
        serving = one.serving
        if serving is not None:
            if workload.requests_per_s is not None and serving.best_tokens_per_s_total > 0:
                asked = workload.requests_per_s * workload.output_tokens
                needs.append(asked / serving.best_tokens_per_s_total)
            if serving.meets_targets is False and serving.best_concurrency >= 1:
                needs.append(workload.concurrency / serving.best_concurrency)
    elif one.training is not None and workload.deadline_days:
        needs.append(one.training.days / workload.deadline_days / EFFICIENCY_FLOOR)
    return max(2, math.ceil(max(needs))) if needs else 0


def _load_step(scenario: Scenario, node: _Try) -> tuple[bool, str, int]:
    """Step 3: is it the load, not the model? Returns yes, the clause, and how many replicas."""
    if node.plan is None or not node.holds:
        return False, "the model itself does not fit one node", 0
    if node.plan.carries:
        return False, "one node carries the load", 0
    count = _replicas_needed(scenario, node.plan)
    if count == 0:
        return False, "one node holds the model, and no load can be met by more of it", 0
    workload = scenario.workload
    if workload.is_inference:
        per = node.plan.memory.max_concurrency
        if node.plan.serving is not None and node.plan.serving.meets_targets is False:
            per = min(per, node.plan.serving.best_concurrency) or per
            if node.plan.serving.best_concurrency < 1:
                return False, f"no load meets the targets on one node: {_missed(node.plan)}", 0
        return True, f"one node holds the model and serves {per:,.0f} of {workload.concurrency:,} users", count
    return True, f"one node holds the state; the deadline takes {count} of them in data parallel", count


def _cluster(scenario: Scenario, gpus_per_node: int) -> _Try:
    """The smallest cluster of such nodes that carries the workload, else the largest tried."""
    attempt = _Try(gpus_per_node, CLUSTER_NODES[-1], None, "not tried")
    for nodes in CLUSTER_NODES:
        attempt = _try(scenario, gpus_per_node, nodes)
        if attempt.carries:
            return attempt
    return attempt


def _efficiency_words(attempt: _Try) -> str:
    if attempt.plan is None:
        return ""
    found = attempt.plan
    if found.training is not None:
        share = found.training.efficiency
        text = f"projected efficiency {100 * share:.0f} %"
        if share < EFFICIENCY_FLOOR:
            text += f", under the {100 * EFFICIENCY_FLOOR:.0f} % floor: data parallel across nodes, or SXM nodes"
        return text
    if found.serving is not None:
        return f"{100 * found.serving.communication_share:.0f} % of a step in communication"
    return ""


def _is_frontier(scenario: Scenario) -> bool:
    return (
        scenario.workload.kind == "pretrain"
        and count_parameters(scenario.model.architecture).total >= FRONTIER_PARAMETERS
    )


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


def decide(scenario: Scenario, entered: Plan) -> Verdict:
    """The verdict for a scenario whose own build is already planned."""
    workload, hardware = scenario.workload, scenario.hardware
    inference = workload.is_inference
    name, kind = scenario.model.name, workload.kind
    weights = FORMATS[scenario.model.weights]
    high = scenario if _bits(scenario) >= 8 or not inference else _with_weights(scenario, "fp8")
    high_name = FORMATS[high.model.weights].label
    frontier = _is_frontier(scenario)
    sizes = node_sizes(scenario)

    one_gpu = _try(scenario, 1)
    node = _first_carrying(high, sizes)
    int4 = _first_carrying(_with_weights(scenario, INT4_FORMAT), sizes) if inference else None
    holder = node if node.holds or int4 is None else int4
    by_load, load_clause, replicas = _load_step(scenario, holder)

    verdicts: list[tuple[int, str, bool, str, tuple[Evidence, ...]]] = []
    verdicts.append((0, "Does one GPU carry it?", one_gpu.carries, _because(one_gpu), _evidence(one_gpu)))
    box = _card(scenario, node.gpus)
    verdicts.append(
        (
            1,
            f"Does one node carry it at {high_name}?" if inference else "Does one node hold the whole training state?",
            node.carries and not frontier,
            f"{box}: {_because(node)}" if not frontier else f"{box}: pretraining at this size is step 5",
            _evidence(node),
        )
    )
    if int4 is not None:
        verdicts.append(
            (
                2,
                "Does one node carry it at INT4?",
                int4.carries,
                f"{_card(scenario, int4.gpus)}: {_because(int4)}",
                _evidence(int4),
            )
        )
    else:
        clause = "QLoRA already counts as itself" if kind == "qlora" else "INT4 weights carry no gradients"
        verdicts.append((2, "Does one node carry it at INT4?", False, clause, ()))
    verdicts.append(
        (
            3,
            "Is it the load, not the model, that does not fit?",
            by_load and not frontier,
            load_clause,
            _evidence(holder),
        )
    )
    one_node_enough = any(yes for _, _, yes, _, _ in verdicts)
    largest = sizes[-1]
    cluster: _Try | None = None
    if not one_node_enough:
        cluster = _cluster(high if inference else scenario, largest)
        spread = cluster.carries and not frontier
        clause = f"{_card(scenario, cluster.gpus, cluster.nodes)} over {hardware.inter_link.name}: " + (
            _efficiency_words(cluster) if cluster.carries else _because(cluster)
        )
        verdicts.append((4, "Must it run across nodes?", spread, clause, _evidence(cluster)))
    else:
        verdicts.append((4, "Must it run across nodes?", False, "a step before this one carries it", ()))
    verdicts.append(
        (
            5,
            "Is it a 70B+ model trained from scratch?",
            frontier,
            _frontier_clause(scenario, cluster, entered) if frontier else f"{KIND_WORDS[kind]} of {name} is not",
            (),
        )
    )
    ended = next((number for number, _, yes, _, _ in verdicts if yes), None)
    steps = tuple(
        Step(
            number,
            question,
            f"{'yes' if yes else 'no'}: {clause}",
            yes,
            reached=ended is None or number <= ended,
            evidence=evidence,
        )
        for number, question, yes, clause, evidence in verdicts
    )
    reason = next((clause for number, _, _, clause, _ in verdicts if number == ended), "")
    # The headline names the build already; the reason under it starts with the figures.
    reason = reason.split(": ", 1)[-1] if ended in (1, 2) else reason
    reason = reason[:1].upper() + reason[1:]
    answer, headline, build = _say(
        scenario, ended, weights.label, high_name, one_gpu, node, int4, holder, replicas, cluster
    )
    if ended is None:
        reason = verdicts[4][3][:1].upper() + verdicts[4][3][1:]
    return Verdict(
        step=ended if ended is not None else 5,
        answer=answer,
        headline=headline,
        reason=reason,
        build=build,
        steps=steps,
        assumed=_assumed(scenario),
        replicas=replicas if answer == "replicas" else 1,
        carried=entered.carries,
    )


def _frontier_clause(scenario: Scenario, cluster: _Try | None, entered: Plan) -> str:
    found = cluster.plan if cluster is not None and cluster.plan is not None else entered
    if found.training is None:
        return "no layout of this card trains it; plan SXM nodes on NDR"
    days = scenario.workload.deadline_days or FRONTIER_DAYS
    gpus = math.ceil(found.training.gpu_hours / 24.0 / days)
    tokens = scenario.workload.total_tokens / 1e12
    return f"about {gpus:,} of this card for {tokens:,.3g}T tokens in {days:,.0f} days, NDR InfiniBand or SXM"


def _shape_words(scenario: Scenario, cluster: _Try) -> str:
    """How the GPUs of a cluster are joined, in words."""
    if cluster.plan is None:
        return "sharded across"
    layout = cluster.plan.layout
    parts = [f"TP {layout.tp} inside"] if layout.tp > 1 else []
    if layout.pp > 1:
        parts.append(f"PP {layout.pp} across")
    if layout.dp > 1 and scenario.workload.is_inference:
        parts.append(f"{layout.dp} replicas")
    elif layout.dp > 1:
        stage = {"ddp": "DDP", "zero1": "ZeRO-1", "zero2": "ZeRO-2", "zero3": "ZeRO-3"}[scenario.workload.sharding]
        parts.append(f"{stage} over {layout.dp}")
    return ", ".join(parts)


def _say(
    scenario: Scenario,
    ended: int | None,
    format_name: str,
    high_name: str,
    one_gpu: _Try,
    node: _Try,
    int4: _Try | None,
    holder: _Try,
    replicas: int,
    cluster: _Try | None,
) -> tuple[Answer, str, str]:
    """Answer, headline and the build in words for the step that ended the flow."""
    hardware = scenario.hardware
    card = hardware.accelerator.label
    entered = hardware.gpus
    at = format_name if scenario.workload.is_inference else KIND_WORDS[scenario.workload.kind]
    if ended == 0:
        extra = f"; the other {entered - 1} are spare" if entered > 1 else ""
        return "one-gpu", f"One GPU: {scenario.model.name} {at} on 1x {card}{extra}", f"1x {card}"
    if ended in (1, 2):
        attempt, precision = (node, high_name) if ended == 1 else (int4 or node, "INT4")
        build = _card(scenario, attempt.gpus)
        label = precision if scenario.workload.is_inference else KIND_WORDS[scenario.workload.kind]
        answer: Answer = "one-node" if ended == 1 else "one-node-int4"
        head = f"One node{' at INT4' if ended == 2 else ''}: {scenario.model.name} {label} on {build}"
        if attempt.gpus != entered:
            if hardware.nodes > 1:
                head += f", not {hardware.nodes} nodes of {hardware.gpus_per_node}"
            elif attempt.gpus > entered:
                head += f"; {entered} are too few"
        return answer, head, build
    if ended == 3:
        build = f"{replicas} replicas of {_card(scenario, holder.gpus)}"
        return "replicas", f"Replicas: {build}, a router in front, no fabric", build
    if ended == 4 and cluster is not None:
        build = _card(scenario, cluster.gpus, cluster.nodes)
        return "multi-node", f"A cluster: {build}, {_shape_words(scenario, cluster)}, {hardware.inter_link.name}", build
    if ended == 5:
        return "frontier", f"The frontier: {scenario.model.name} from scratch", "NDR InfiniBand or SXM cluster"
    return "does-not-fit", f"Does not fit: {scenario.model.name} {at} on any {card} build tried", "none"
