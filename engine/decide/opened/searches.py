"""Searches on numbers that remember: the result, and the equation that it satisfies, not the rounds that found it.

Each runs the engine's own search on the plain numbers and computes what it was looking for once more at its result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any

from engine.figures.number import Number, expression, node, plain
from engine.figures.replay import Search

Function = Callable[..., Any]


def plainly(value: Any) -> Any:
    """Any value with plain numbers in it, of the classes that the engine's caches know."""
    if isinstance(value, Number):
        return value.value
    if isinstance(value, tuple):
        made = tuple(map(plainly, value))
        return type(value).__mro__[1](*made) if hasattr(value, "_fields") else made
    if isinstance(value, list):
        return [plainly(entry) for entry in value]
    if is_dataclass(value) and not isinstance(value, type):
        record = next(kind for kind in type(value).__mro__ if "__dataclass_fields__" in vars(kind))
        made_of = {entry.name: plainly(getattr(value, entry.name)) for entry in fields(value) if entry.init}
        return record(**made_of)
    return value


def sought(value: Any, label: str, unit: str) -> Number:
    """The number that a search looks for, inside the equation that it satisfies."""
    return Number(plain(value), label=label, unit=unit, kind="sought", source="the number that is looked for")


def most(value: Any, held: Any, limit: Any, words: str) -> Number:
    """The result of a search: the most for which held <= limit; or none, where not even the least does."""
    made = Number(plain(value), "most", (node(held), node(limit)))
    made.equation = words
    return made


def beyond(value: Any, held: Any, limit: Any, words: str) -> Number:
    """The result of a search: the first value for which held > limit."""
    made = Number(plain(value), "beyond", (node(held), node(limit)))
    made.equation = words
    return made


def longest(remembering: Function, original: Function) -> Function:
    """`KvPool.longest`: the longest sequence whose blocks fit."""

    def search(pool: Any, room: Any, limit: Any, batched: Any) -> Any:
        found = plainly(pool).longest(plain(room), plain(limit), plain(batched))
        if pool.uniform or not pool.groups or found == plain(limit):
            return remembering(pool, room, limit, batched)
        tokens = sought(found, "tokens of the sequence", "tokens")
        return most(found, pool.sequence_bytes(tokens, batched), room, "the longest sequence whose blocks fit the room")

    return search


def best_load(remembering: Function, original: Function) -> Function:
    """`_best`: the most users inside the targets for latency."""

    def search(asked: Any, rates: Any, each: Any, full: Any, engines: Any) -> Any:
        arguments = (asked, rates, each, full, engines)
        first, each_user = asked.first_s, asked.user
        users, _tokens_per_s = original(*map(plainly, arguments))
        none = first is None and each_user is None
        if none or users in (0.0, plain(full.running)):
            return remembering(*arguments)
        under = remembering.__globals__["_under"]
        whole = round(users * plain(engines))
        found = sought(whole, "users of all replicas", "users")
        state = under(rates, each, found / engines, full.running)
        held, limit, words = state.first_at(asked.first_at), first, "the most users whose first token comes in time"
        if each_user is not None:
            beyond = original.__globals__["_under"]
            more = beyond(plainly(rates), plainly(each), (whole + 1) / plain(engines), plain(full.running))
            if first is None or more.token_at(asked.user_at) * plain(each_user) > 1.0:
                held, limit, words = (
                    state.token_at(asked.user_at) * each_user,
                    1.0,
                    "the most users who each get their tokens/s",
                )
        return most(whole, held, limit, words) / engines, state.tokens_per_s

    return search


def _binding(costs: Any, tokens: Any) -> Any:
    """The needs of the stage that needs most."""
    return max((cost.needs(tokens, held) for cost, held in costs.stages), key=plain)


def largest_units(remembering: Function, original: Function) -> Function:
    """`_largest`: the most units of tokens that every rank holds."""

    def search(costs: Any, usable: Any, each: Any, limit: Any) -> Any:
        found = original(plainly(costs), plain(usable), plain(each), plain(limit))
        if found == plain(limit) and found:
            return limit
        words = "the most for which a step fits" if found else "none: one alone needs more than there is"
        units = sought(max(found, 1), "units that are tried", "")
        return most(found, _binding(costs, units * each), usable, words)

    return search


def longest_sequence(remembering: Function, original: Function) -> Function:
    """`longest_sequence`, where attention scores grow with the square of the length."""

    def search(architecture: Any, workload: Any, layout: Any, card: Any) -> Any:
        if workload.flash_attention:
            return remembering(architecture, workload, layout, card)
        space = remembering.__globals__
        step = space["SEQUENCE_STEP"]
        found = original(architecture.digest.counted, plainly(workload), plainly(layout), plainly(card)) // plain(step)
        steps = sought(max(found, 1), "steps of the length", "")
        trial = replace(workload, sequence_length=steps * step)
        costs = space["stage_costs"](architecture, trial, layout, card)
        needs = _binding(costs, space["batch_of"](trial, layout.dp).rank_tokens)
        words = (
            "the most steps for which a training step fits" if found else "none: the shortest needs more than there is"
        )
        return most(found, needs, card.usable_bytes, words) * step

    return search


def in_flight(remembering: Function, original: Function) -> Function:
    """`in_flight`, of a stage that is known by its place."""

    def held(stage: int, pp: Any, micro_batches: Any) -> Any:
        place: Any = stage
        if stage > 1:
            place = Number(stage, label="stages before this one", kind="counted", source="the pipeline")
        return remembering(place, pp, micro_batches)

    return held


def first_month(remembering: Function, original: Function) -> Function:
    """`break_even_months`, where the use grows and each month is tried."""

    def search(per_month: Any, rates: Any, money: Any) -> Any:
        tried = money.growth_percent_per_month is not None and plain(money.growth_percent_per_month)
        found = original(plain(per_month), plainly(rates), plainly(money)) if tried else None
        if found is None:
            return remembering(per_month, rates, money)
        months = sought(int(found), "months", "months")
        spent = remembering.__globals__["spent"]
        own, rent = spent(months, per_month, rates.buy_usd, rates.rent_usd_per_hour, rates, money)
        return most(found, own, rent, "the first month after which owning has cost no more than renting")

    return search


def grown(remembering: Function, original: Function) -> Function:
    """`grown_hours` and its like: a sum over months that keeps what it sums, not each month of it."""

    def summed(months: Any, per_month: Any, growth: Any) -> Any:
        arguments = (months, per_month, growth)
        return expression(original.__name__, original(*map(plain, arguments)), *map(node, arguments))

    return summed


SEARCHES: dict[str, Search] = {
    "engine.training.batch.in_flight": in_flight,
    "engine.serving.kv_pool.KvPool.longest": longest,
    "engine.serving.speed._best": best_load,
    "engine.money.use.break_even_months": first_month,
    "engine.money.use.grown_hours": grown,
    "engine.money.use.grown_builds": grown,
    "engine.money.use.grown_build_months": grown,
    "engine.training.memory.advice._largest": largest_units,
    "engine.training.memory.advice.longest_sequence": longest_sequence,
    # what is told beside the figures, in words
    "engine.training.memory.advice.settings": lambda remembering, original: lambda *arguments: (),
    "engine.training.memory.advice.suggestions": lambda remembering, original: lambda *arguments: (),
    "engine.training.memory.assumptions.lines": lambda remembering, original: lambda *arguments: (),
    "engine.training.memory.assumptions.rule_note": lambda remembering, original: lambda *arguments: (),
}
"""By qualified name, what stands in for a function that searches, or that is told a place."""
