"""Single changes that would help a build with little room, each sized as it will be applied before it is offered."""

from __future__ import annotations

from dataclasses import replace

from engine.decide.offers import Offer, no_worse, offer
from engine.decide.plan import Choice, Plan
from engine.figures.sentences import Figure, Sentence
from engine.serving.advice import candidates
from engine.sizing import Memory, Suggestion
from engine.sizing.common import ChangeItems
from engine.training.memory import training_memory
from engine.training.memory.advice import ROOMY, needs_words
from engine.training.memory.core import plan_recipe
from engine.training.memory.saving import saving_words
from engine.training.memory.states import card_of

OF_A_PARAMETER = ("workload.optimizer", "workload.master_weights", "workload.gradient_precision")
"""Keys that set the bytes of a trained parameter."""


def roomy(memory: Memory) -> bool:
    """Whether a memory asks for no advice: it has headroom, and its interval does not reach over the card."""
    return memory.headroom in ROOMY and not memory.may_not_fit


def advised(found: Plan) -> Plan:
    """The plan with its memory's suggestions, which the searches leave out since nobody reads them there.

    Those that make the load fit come first; changes of the build come before changes of the load.
    """
    if found.scenario.workload.is_inference:
        memory = found.memory
        if memory.headroom not in ROOMY:
            memory = replace(memory, suggestions=_serving(found))
    else:
        memory = training_memory(found.scenario, found.layout)
        memory = replace(memory, suggestions=tuple(_training(found, memory)))
    return replace(found, memory=memory)


def _serving(found: Plan) -> tuple[Suggestion, ...]:
    now = found.memory
    keeps = no_worse(found)
    offered: list[tuple[bool, Suggestion]] = []
    fields: set[str] = set()

    def helps(after: Choice) -> bool:
        if not (after.starts and keeps(after)):
            return False
        memory = after.plan.memory
        return memory.fits or memory.max_concurrency > now.max_concurrency

    for candidate in candidates(found.scenario, found.layout, now):
        if candidate.alternative and fields & {"hardware.gpus_per_node", "hardware.nodes"}:
            continue
        made = offer(found.scenario, candidate.changes, helps)
        if made is None:
            continue
        memory, load = made.plan.memory, made.plan.scenario.workload
        users = memory.users_that_fit
        effect: Sentence = (
            f"{candidate.what}: {memory.headroom}, room for ",
            Figure(f"{users:,}", "memory.users_that_fit"),
            f" user{'' if users == 1 else 's'} at ",
            Figure(f"{load.tokens_per_request:,}", "load.tokens_per_request"),
            " tokens",
        )
        fields |= made.changes.keys()
        told = replace(_told(made).suggestion((candidate.what,), effect), room=memory.headroom)
        offered.append((memory.fits, told))
    offered.sort(key=lambda pair: not pair[0])
    return tuple(suggestion for _, suggestion in offered)


def _training(found: Plan, memory: Memory) -> list[Suggestion]:
    """The suggestions of the memory, which were sized in the layout at hand, sized in the one that they lead to."""
    keeps = no_worse(found)
    offered = []

    def helps(after: Choice) -> bool:
        if not (after.fits and keeps(after)):
            return False
        return not memory.fits or roomy(after.plan.memory)

    for suggestion in memory.suggestions:
        made = offer(found.scenario, dict(suggestion.changes), helps)
        if made is None:
            continue
        after = made.plan.memory
        effect = needs_words(after.peak_bytes, memory.peak_bytes, after.host_bytes - memory.host_bytes)
        saves = saving(memory, made.plan, suggestion.changes)
        effect = (*effect, "; ", *saves) if saves else effect
        offered.append(_told(made).suggestion(suggestion.what, (*suggestion.what, ": ", *effect)))
    return offered


def saving(now: Memory, then: Plan, changes: ChangeItems) -> Sentence:
    """How a plan comes to need less than `now` after the changes, by the bytes of a parameter; empty where they are the same."""
    if not any(key in OF_A_PARAMETER for key, _ in changes):
        return ()
    scenario, layout = then.scenario, then.layout
    shard = plan_recipe(scenario.workload, layout, card_of(scenario)).state_shard
    return saving_words(now, then.memory, scenario.model.architecture, layout, shard)


def _told(made: Offer) -> Offer:
    """The offer with the layout that it was sized on."""
    return made._replace(layout=replace(made.plan.layout, reason=()))
