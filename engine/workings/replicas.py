"""Workings of the load that one node takes, and of the replicas that the whole of it takes."""

from __future__ import annotations

from engine.decide.plan import Plan
from engine.decide.replicas import node_capacity
from engine.figures.sentences import text_of
from engine.sizing import Sizing
from engine.workings.record import Sheet, Working

SEARCH = "engine.decide.verdict: most users inside the targets and below the preemption line, found by halving"


def replicas(sizing: Sizing) -> Working:
    """`verdict.replicas`: nodes side by side that the deciding step asks for."""
    sheet, verdict = Sheet(), sizing.verdict
    count = sheet.put("replicas", verdict.replicas, "", f"the step that decides: {text_of(verdict.reason)}", "fitted")
    what = "the fewest nodes side by side that take the users and the requests of the load, or meet the deadline"
    title = "Replicas of one node"
    return sheet.working(
        "verdict.replicas", title, verdict.replicas, "", what, count, "fitted", "engine.decide.verdict"
    )


def node(sizing: Sizing, one: Plan, name: str) -> Working:
    """`node.users`, `node.requests_per_s`, `node.left` or `node.keep_all` of one node as planned. Raises KeyError."""
    sheet, work, count = Sheet(), one.scenario.workload, sizing.verdict.replicas
    if name == "keep_all":
        replicas = sheet.see("replicas", count, "", "verdict.replicas")
        what = "replicas + one to spare"
        title = "Nodes that keep all when one is lost"
        return sheet.working("node.keep_all", title, count + 1, "nodes", what, f"{replicas} + 1", "fitted", SEARCH)
    if not work.is_inference:
        raise KeyError(f"node.{name}")
    users, rate = node_capacity(one)
    wanted_rate = work.rate_asked or 0.0
    by_rate = bool(wanted_rate and rate > 0 and users and wanted_rate / rate > work.concurrency / users)
    if name == "users":
        held = sheet.put("users", users, "users", SEARCH, "fitted")
        what = "the most users that meet the targets with memory below the preemption line"
        return sheet.working("node.users", "Users that one node serves", users, "users", what, held, "fitted", SEARCH)
    if name == "requests_per_s":
        speed = sheet.put("tokens_s", rate * work.counted_tokens, "tokens/s", f"at its best load: {SEARCH}", "fitted")
        answer = sheet.entered("answer", work.counted_tokens, "tokens")
        title, what = "Requests a second of one node", "tokens a second at the best load / tokens of an answer"
        return sheet.working(
            "node.requests_per_s", title, rate, "requests/s", what, f"{speed} / {answer}", "fitted", SEARCH
        )
    if name != "left":
        raise KeyError(f"node.{name}")
    asked = wanted_rate if by_rate else float(work.concurrency)
    unit = "requests/s" if by_rate else "users"
    served = sheet.put("served", rate if by_rate else float(users), unit, f"by one node: {SEARCH}", "fitted")
    wanted = sheet.entered("asked", asked, unit)
    replicas = sheet.see("replicas", count, "", "verdict.replicas")
    return sheet.working(
        "node.left",
        "Left when one node is lost",
        min(1.0, (count - 1) * (rate if by_rate else users) / asked),
        "",
        "(replicas - 1) x what one serves / what is asked",
        f"min(1, ({replicas} - 1) * {served} / {wanted})",
        "fitted",
        SEARCH,
    )
