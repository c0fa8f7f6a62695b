"""How many nodes a load or a deadline takes, and what is left of it when one of them is lost."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from engine.decide.attempts import attempt
from engine.decide.plan import Plan, resized
from engine.decide.served import taken_by_users
from engine.figures.errors import ScenarioError
from engine.figures.sentences import Figure, Sentence
from engine.figures.units import FLEET, days, digits, fleet
from engine.scenario import Money, Scenario, Workload
from engine.scenario.fields import MAX_NODES
from engine.serving.targets import corpus_days

# From this many replicas on, a router that keeps a session where its prefix is cached pays for itself:
# seed_claims.toml, must_scale_out, "prefix-cache-aware router".
PREFIX_ROUTER_REPLICAS = 4
# How many times the nodes that full efficiency takes are tried before a deadline is given up.
DEADLINE_REACH = 6
LADDER = 32
MOST_USERS = 10_000_000
"""Where the search for what a node takes ends, for models whose state does not grow."""


def without_load(scenario: Scenario) -> Scenario:
    """The scenario for one user, without a rate and what serving does not read: what a node takes depends on neither."""
    work = scenario.workload
    alone = Workload(
        kind=work.kind,
        concurrency=1,
        input_tokens=work.input_tokens,
        output_tokens=work.output_tokens,
        ttft_target_at=work.ttft_target_at,
        tokens_per_s_user_target_at=work.tokens_per_s_user_target_at,
        cached_share=work.cached_share,
        cached_by=work.cached_by,
        ttft_target_s=work.ttft_target_s,
        tokens_per_s_user_target=work.tokens_per_s_user_target,
    )
    return replace(scenario, workload=alone, money=Money(), title="", notes="")


@lru_cache(maxsize=256)
def _node_capacity(one: Scenario) -> tuple[int, float]:
    """Users that one node serves inside the targets and below the preemption line, and requests/s at its best.

    one: a single node without its load, so that twice the load never takes fewer nodes. The most users are found by
    halving between the KV that fits and none, to one part in a hundred.
    """
    try:
        taken = taken_by_users(resized(one, one.hardware.gpus_per_node))
    except ScenarioError:
        return 0, 0.0

    full = taken(1)
    if full is None or not full.carries:
        return 0, 0.0
    low, high = 1, max(2, math.ceil(full.room.max_concurrency))
    while high <= MOST_USERS and (more := taken(high)) is not None and more.with_room:
        low, high, full = high, math.ceil(high * 1.25), more
    while high - low > max(1, low // 100):
        middle = (low + high) // 2
        tried = taken(middle)
        if tried is not None and tried.with_room:
            low, full = middle, tried
        else:
            high = middle
    return low, requests_per_s(one.workload, full.best_tokens_per_s_total)


def requests_per_s(workload: Workload, tokens_per_s: float) -> float:
    """Requests a second that so many tokens a second are."""
    return tokens_per_s / workload.counted_tokens


def node_capacity(one: Scenario) -> tuple[int, float]:
    """Users, and requests/s, that one node serves inside the targets: what step 3 counts replicas by."""
    return _node_capacity(without_load(one))


def replicas_needed(scenario: Scenario, users: int, rate: float) -> int:
    """Replicas of one node that the users and the requests take, at least two."""
    workload = scenario.workload
    asked = workload.rate_asked
    by_rate = asked is not None and rate > 0
    needs = [] if by_rate and workload.kind == "batch" else [workload.concurrency / users]
    if asked is not None and rate > 0:
        needs.append(asked / rate)
    return max(2, math.ceil(max(needs)))


@lru_cache(maxsize=256)
def _days(run: Scenario, nodes: int) -> float:
    """Days that a billion tokens of a run take on so many nodes; infinite where it does not fit them."""
    found = attempt(run, run.hardware.gpus_per_node, nodes).plan
    if found is None or found.training is None or not found.memory.fits:
        return math.inf
    return found.training.days


def nodes_for_deadline(scenario: Scenario, one: Plan) -> int:
    """The fewest nodes in data parallel that meet the deadline; 0 when none of those tried does."""
    workload = scenario.workload
    assert one.training is not None
    deadline = workload.deadline_days or math.inf
    unit = 1_000_000_000
    run = replace(one.scenario, workload=replace(workload, total_tokens=unit, deadline_days=None, budget_usd=None))
    billions = workload.run_tokens / unit

    def in_time(nodes: int) -> bool:
        return _days(run, nodes) * billions <= deadline

    least = max(1, math.ceil(one.training.days / deadline) - 1)  # fewer than full efficiency takes are never in time
    most = min(MAX_NODES, math.ceil((least + 1) * DEADLINE_REACH))
    return next((nodes for nodes in _counts(least, most) if in_time(nodes)), 0)


def _counts(above: int, most: int) -> Iterator[int]:
    """Counts of nodes past one and up to another, of a fixed ladder: every one to 32, then every thirty-second part.

    The ladder is the same for every run. A batch is cut evenly over some counts only, so that more nodes are not always
    faster; the first of one ladder that is in time is then still never fewer for a longer run.
    """
    count, step = 1, 1
    while count <= most:
        if count > above:
            yield count
        count += step
        if count >= 2 * LADDER * step:
            step *= 2


def asked_of_nodes(workload: Workload, users: int, rate: float) -> tuple[float, float, bool]:
    """(what is asked, what one node serves of it, whether that is requests/s): of users and rate what takes more nodes.

    users, rate: that one node serves.
    """
    asked_rate = workload.rate_asked
    by_rate = workload.kind == "batch" or (asked_rate or 0.0) * users > workload.concurrency * rate
    if asked_rate is not None and rate > 0 and by_rate:
        return asked_rate, rate, True
    return float(workload.concurrency), float(users), False


def left_of(count: int, served: float, asked: float) -> float:
    """The share of what is asked that so many replicas still serve when one of them is lost."""
    return min(1.0, (count - 1) * served / asked)


def replica_words(scenario: Scenario, users: int, rate: float, count: int) -> Sentence:
    """What one node takes of the load, and what is left when one of them is lost."""
    workload = scenario.workload
    if workload.corpus_requests is not None and workload.deadline_days is not None and rate > 0:
        return _corpus_words(workload, rate, count)
    asked, served, by_rate = asked_of_nodes(workload, users, rate)
    unit = "requests/s" if by_rate else "users"
    if by_rate:
        shown = Figure(digits(served), "node.requests_per_s"), Figure(digits(asked), "load.requests_per_s")
    else:
        shown = Figure(f"{users:,}", "node.users"), Figure(f"{workload.concurrency:,}", "load.concurrency")
    head: Sentence = ("one node holds the model and serves ", shown[0], " of ", shown[1], f" {unit}; ")
    left = left_of(count, served, asked)
    if left >= 1.0:
        return (*head, "a lost node leaves enough for all")
    if count >= FLEET:
        return (*head, "in a fleet some nodes are always lost, so plan for spare ones")
    share, keep = Figure(f"{min(99, round(100.0 * left))} %", "node.left"), Figure(f"{count + 1}", "node.keep_all")
    return (*head, "a lost node leaves ", share, ", ", keep, " nodes keep all of it")


def _corpus_words(workload: Workload, rate: float, count: int) -> Sentence:
    """What one node takes for the corpus, so many nodes, and those that are left when one is lost."""
    alone, deadline = corpus_days(workload, rate) or 0.0, workload.deadline_days or 0.0
    head: Sentence = (
        f"one node holds the model and takes {days(alone)} for the corpus, ",
        Figure(days(deadline), "load.deadline_days"),
        f" are asked; {fleet(count)} of them take {days(alone / count)}",
    )
    left = alone / (count - 1)
    if left <= deadline:
        return (*head, ", and are in time without one of them")
    return head if count >= FLEET else (*head, f", {days(left)} if one is lost from the start")


def router(count: int) -> str:
    """What stands in front of so many replicas."""
    return "a prefix-cache-aware router" if count >= PREFIX_ROUTER_REPLICAS else "a load balancer"
