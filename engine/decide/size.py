"""`size`: the one way from a Scenario to a Sizing."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from engine.decide.answer import outcome
from engine.decide.fabric import fabric_table
from engine.decide.notices import notices
from engine.decide.plan import Plan, plan
from engine.decide.resolved import resolved
from engine.decide.scaling import scaling_table
from engine.decide.verdict import decide
from engine.model.formats import kv_bytes_per_element, model_weight_bytes
from engine.model.kv_cache import cache_profile
from engine.model.parameters import count_parameters
from engine.money.cost import advised as advised_cost
from engine.money.cost import cost
from engine.money.power import power
from engine.scenario import Scenario
from engine.scenario.checks import check_scenario
from engine.serving.settings import stored_weights
from engine.sizing import ModelFacts, Sizing
from engine.training.memory import detailed_memory


def size(scenario: Scenario) -> Sizing:
    """Size a scenario: memory per GPU, speed, fabric, scaling, verdict, warnings, cost and power.

    What takes further plans is left to those who read it: `engine.decide.whole` adds the flip points and the changes that give
    room, `engine.decide.advice` searches for the one thing to do. Pure: the same scenario gives the same sizing. Raises ScenarioError naming the field when the scenario or its
    pinned layout is impossible.
    """
    check_scenario(scenario)
    chosen = _remembered(plan(scenario))
    parameters = count_parameters(scenario.model.architecture)
    verdict = decide(scenario, chosen)
    draw = power(scenario, chosen.memory.host_bytes)
    money = replace(cost(chosen, draw), advised=advised_cost(scenario, verdict))
    return Sizing(
        scenario=scenario,
        model=model_facts(scenario),
        layout=chosen.layout,
        memory=chosen.memory,
        serving=chosen.serving,
        training=chosen.training,
        verdict=verdict,
        warnings=notices(chosen, verdict, draw, parameters.total, parameters.active),
        cost=money,
        power=draw,
        answer=outcome(chosen, verdict, money, draw),
        resolved=resolved(chosen),
        fabric=partial(fabric_table, scenario, chosen.layout, chosen.serving, chosen.training, chosen.memory),
        scaling=partial(scaling_table, scenario, chosen.layout),
    )


def _remembered(found: Plan) -> Plan:
    """The plan with what the memory of a training run tells beyond its sizes, which the searches leave out."""
    if found.scenario.workload.is_inference:
        return found
    return replace(found, memory=detailed_memory(found.scenario, found.layout))


def _stored(scenario: Scenario) -> str:
    served = scenario.workload.is_inference
    return stored_weights(scenario.model, scenario.runtime) if served else scenario.model.weights


def model_facts(scenario: Scenario) -> ModelFacts:
    """Counted facts of the chosen model in its chosen formats."""
    model = scenario.model
    parameters = count_parameters(model.architecture)
    profile = cache_profile(model.architecture)
    return ModelFacts(
        id=model.id,
        params_total=parameters.total,
        params_active=parameters.active,
        weight_bytes=model_weight_bytes(model.architecture, _stored(scenario)),
        kv_bytes_per_token=round(profile.kv_bytes_per_token_bf16 * kv_bytes_per_element(model.kv_cache) / 2),
        state_bytes_per_sequence=profile.state_bytes_per_seq,
    )
