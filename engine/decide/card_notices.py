"""Traps of the cards: replicas on small ones where one larger card would do, and two kinds of card in one node."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache, partial

from engine.decide.builds import caveats_of, readable
from engine.decide.offers import Offer, fix_of, taken_up
from engine.decide.plan import Plan, choice
from engine.figures.errors import ScenarioError
from engine.figures.sentences import Figure, Sentence, capital, said
from engine.figures.units import GIB
from engine.layout.candidates import works_alone
from engine.model.formats import model_weight_bytes
from engine.money.bill import bill, card_price, sold_in
from engine.parts.hardware import NOT_OFFERED, Accelerator, Facts
from engine.parts.mixed import pooled_bytes, pooled_bytes_lost
from engine.scenario import Scenario
from engine.scenario.change import FREE_LAYOUT, Changes, change
from engine.serving.attention import known_kernels
from engine.serving.prefix import cached_tokens
from engine.sizing import Notice, Verdict

BIGGER_CARDS_TRIED = 3
"""Larger cards that are sized before it is given up: the cheapest that could hold the load come first."""


def bigger_card(plan: Plan, verdict: Verdict) -> Iterator[Notice]:
    """Replicas on small cards where one larger card carries the load for no more money."""
    scenario, layout = plan.scenario, plan.layout
    hardware = scenario.hardware
    cards = layout.gpus if plan.carries and layout.dp > 1 and not layout.dp_attention else 0
    if verdict.answer == "replicas" and verdict.recommended is not None:
        cards = verdict.recommended.gpus_per_node * verdict.replicas
    if cards < 2 or not scenario.workload.is_inference or verdict.answer == "one-gpu" or hardware.mixed:
        return
    need = model_weight_bytes(scenario.model.architecture, scenario.model.weights)
    need += sum(group.kv_bytes * group.gpus for group in plan.memory.per_gpu)
    each = card_price(scenario.facts, hardware.accelerator).usd_each
    budget = math.inf if each is None else each * cards
    tried = 0
    for price, card in _cards_by_price(scenario.facts):
        if card.memory_bytes < max(need, hardware.accelerator.memory_bytes + 1):
            continue
        if price > budget or tried == BIGGER_CARDS_TRIED:
            return
        tried += 1
        try:
            one = choice(change(scenario, _one_of(card)))
            if not one.carries:
                continue
        except ScenarioError:
            continue
        found = one.plan
        if not caveats_of(found) and readable(found):
            fix = taken_up(plan, Offer(_one_of(card), found), f"one {card.label}")
            there = f"fix:{fix.field}={fix.value}@" if fix is not None else ""
            message = said(
                f"{cards} cards run replicas here where one {card.label} carries the load by itself",
                _for_cards(plan, found, price, budget, there),
                ", without a router in front",
                _speeds(plan, found, there),
                ".",
            )
            yield Notice("bigger-card", "info", message, fix)
            return


def _for_cards(here: Plan, there: Plan, price: float, budget: float, of: str) -> Sentence:
    """What the one card costs against those here; in figures where the bills have just these lines."""
    if budget == math.inf:
        return ()
    ours, theirs = (bill(one.scenario, works_alone(one.scenario, one.layout))[0].usd for one in (here, there))
    if not of or (ours, theirs) != (budget, price):
        return (", for no more money in cards",)
    one, all_of_them = Figure(f"${price:,.0f}", f"{of}cost.item_1_usd"), Figure(f"${budget:,.0f}", "cost.item_1_usd")
    return (", ", one, " against ", all_of_them, " of cards")


def _speeds(here: Plan, there: Plan, of: str) -> Sentence:
    """What a user gets on both. of: what the ids of the other build's figures start with; empty where they do not open."""
    if here.serving is None or there.serving is None or not of:
        return ()
    then = Figure(f"{there.serving.tokens_per_s_user:,.0f}", f"{of}serving.tokens_per_s_user")
    now = Figure(f"{here.serving.tokens_per_s_user:,.0f}", "serving.tokens_per_s_user")
    return ("; a user gets ", then, " tokens/s there, ", now, " here")


def _one_of(card: Accelerator) -> Changes:
    one: Changes = {"hardware.accelerator": card.id, "hardware.gpus_per_node": 1, "hardware.nodes": 1}
    return {**one, **FREE_LAYOUT}


@lru_cache(maxsize=16)
def _cards_by_price(facts: Facts) -> tuple[tuple[float, Accelerator], ...]:
    """Cards on sale one at a time with a known price, the cheapest first."""
    priced = []
    for card in facts.accelerators:
        usd = card_price(facts, card).usd_each
        single = not card.status and card.segment not in NOT_OFFERED and not sold_in(facts, card)
        if usd is not None and single and not card.unified_memory:
            priced.append((usd, card))
    return tuple(sorted(priced, key=lambda pair: pair[0]))


LEAST_TOLD_GIB = 0.05
"""What is told in tenths of a GiB and comes to less is nothing."""


def mixed(scenario: Scenario) -> Iterator[Notice]:
    hardware = scenario.hardware
    if not hardware.mixed:
        return
    lost, least = pooled_bytes_lost(hardware.mixed), min(card.memory_bytes for card, _ in hardware.mixed)
    whole = Figure(f"{pooled_bytes(hardware.mixed) / GIB:,.1f} GiB", "memory.pool_bytes")
    each, out = (
        Figure(f"{amount / GIB:,.1f}{unit}", figure)
        for amount, unit, figure in ((least, " GiB", "memory.total_bytes"), (lost, "", "memory.pool_lost_bytes"))
    )
    kinds = " and ".join(f"{count}x {card.label}" for card, count in hardware.mixed)
    slowest = min((card for card, _ in hardware.mixed), key=lambda card: card.bandwidth_gb_s)
    reached: Sentence = ("no memory is lost",)
    if lost >= LEAST_TOLD_GIB * GIB:
        reached = (out, " of ", whole, " in a node stay out of reach")
    yield Notice(
        "mixed-cards",
        "warning",
        (
            f"{kinds}: equal shares make each card count as the poorer, ",
            each,
            ". ",
            *capital(reached),
            f", and every step waits for the {slowest.label}. Run one engine on each kind, or deal a pipeline's layers by hand.",
        ),
    )


def prefixes(plan: Plan) -> Iterator[Notice]:
    """A cached part of the prompts that the engine, as it is set, does not keep, or does not keep once."""
    scenario = plan.scenario
    work, rules = scenario.workload, scenario.runtime.rules
    if not (scenario.workload.is_inference and work.cached_tokens):
        return
    tokens = Figure(f"{work.cached_tokens:,}", "load.cached_tokens")
    if not cached_tokens(scenario):
        message = ("Prefix caching is off: ", tokens, " tokens of each prompt that could be kept are read again.")
        yield Notice(
            "prefix-off", "warning", message, partial(fix_of, plan, {"runtime.prefix_caching": True}, "prefix caching")
        )
    elif work.cached_by == "everyone" and not rules.shares_prefixes:
        message = (f"{rules.label} keeps the ", tokens, " tokens that all prompts begin with once for each user.")
        yield Notice("prefix-each", "info", message)


def kernels(plan: Plan) -> Iterator[Notice]:
    """A kernel of attention that nothing compares with the engine's own on this card."""
    chosen = plan.scenario.runtime.attention_backend
    if chosen is None or not plan.scenario.workload.is_inference or chosen in (known := known_kernels(plan.scenario)):
        return
    told = f"known here: {', '.join(known)}" if known else "none is told apart here"
    message = f"No table compares attention by {chosen} with the engine's own on this card and model: it counts as that ({told})."
    yield Notice(
        "attention-unknown",
        "info",
        (message,),
        fix_of(plan, {"runtime.attention_backend": None}, "the engine's own kernels"),
    )
