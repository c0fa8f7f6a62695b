"""The load that one node takes, and the replicas that the whole of it takes, on numbers that remember."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from engine.decide.attempts import attempt
from engine.decide.opened.base import Base, Found
from engine.decide.opened.limits import binding, limits
from engine.decide.opened.searches import most
from engine.decide.plan import Plan, plan, resized
from engine.decide.replicas import (
    asked_of_nodes,
    left_of,
    node_capacity,
    nodes_for_deadline,
    replicas_needed,
    requests_per_s,
    without_load,
)
from engine.figures.number import Number
from engine.scenario.leaves import SOUGHT

SOURCE: Final = "one node below the line where engines preempt and inside the targets, times the load: docs/verdict.md"
TRIED: Final = "a count of nodes that was tried"


def replicas(build: Base, name: str) -> Found:
    """`replicas` of the node that a build is, for the whole of its load. Raises KeyError."""
    if name:
        raise KeyError(f"replicas.{name}")
    return Found(_count(build), "Replicas of one node", "", SOURCE)


def node(build: Base, name: str) -> Found:
    """`node.users`, `node.requests_per_s`, `node.left` or `node.keep_all` of the node that a build is. Raises KeyError."""
    if name == "keep_all":
        return Found(_count(build) + 1, "Nodes that keep all when one is lost", "nodes", SOURCE)
    users, rate = _capacity(build)
    if name == "users":
        return Found(users, "Users that one node serves", "users", SOURCE)
    if name == "requests_per_s":
        return Found(rate, "Requests a second of one node", "requests/s", SOURCE)
    if name != "left":
        raise KeyError(f"node.{name}")
    asked, served, _ = build.run(asked_of_nodes, build.scenario.workload, users, rate)
    return Found(build.run(left_of, _count(build), served, asked), "Left when one node is lost", "", SOURCE)


def _capacity(build: Base) -> tuple[Any, Any]:
    """Users that the node serves, and its requests/s at the best load, as the search of the engine finds them."""

    def made() -> tuple[Any, Any]:
        users, _ = node_capacity(build.plan.scenario)
        if not build.plan.scenario.workload.is_inference or users < 1:
            raise KeyError("node.users")
        full, more = under(build.plan, users), under(build.plan, users + max(1, users // 100))
        bound = binding(limits(full, with_room=True), limits(more, with_room=True))
        if bound is None:
            number = Number(users, label="users of one node", unit="users", kind="sought", source=SOUGHT)
        else:
            number = most(users, bound[0].held, bound[0].limit, f"the most users for which {bound[0].words}")
            number.named("users that one node serves", "users")
        best = full.speed.best_tokens_per_s_total
        rate = build.run(requests_per_s, full.scenario.workload, best)
        return number, rate.named("requests a second of one node", "requests/s")

    return build.keep("capacity", made)


def under(one: Plan, users: int, sought: str = "concurrency") -> Base:
    """The node under so many users and no other load. sought: the field that a search looked for."""
    alone = without_load(one.scenario)
    loaded = replace(alone, workload=replace(alone.workload, concurrency=users))
    return Base(plan(resized(loaded, loaded.hardware.gpus_per_node)), sought=sought)


def _count(build: Base) -> Any:
    """The replicas that the load or the deadline takes."""

    def made() -> Any:
        if build.plan.scenario.workload.is_inference:
            users, rate = _capacity(build)
            return build.run(replicas_needed, build.scenario, users, rate).named("replicas")
        count = nodes_for_deadline(build.plan.scenario, build.plan) if build.plan.training is not None else 0
        found = attempt(build.plan.scenario, build.plan.scenario.hardware.gpus_per_node, count).plan if count else None
        if found is None or build.plan.scenario.workload.deadline_days is None:
            raise KeyError("replicas")
        days = Base(found, TRIED).speed.days
        words = "the fewest nodes of those tried for which the run is done in time"
        return most(count, days, build.scenario.workload.deadline_days, words).named("replicas")

    return build.keep("replicas", made)
