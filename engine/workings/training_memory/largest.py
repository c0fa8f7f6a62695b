"""The largest micro-batch and the longest sequence that still fit."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from engine.calibration import training_memory as fitted
from engine.training.batch import batch_of, context_ranks
from engine.training.memory.advice import SEQUENCE_STEP
from engine.training.memory.core import Costs, stage_costs
from engine.training.memory.peak import FIRST
from engine.workings.case import Case
from engine.workings.groups import memory_id
from engine.workings.record import Sheet, Working
from engine.workings.training_memory.peak import context_terms
from engine.workings.training_memory.shared import CALIBRATION, card_of


def _binding(case: Case, per_unit: float, work_cost: Costs) -> tuple[float, int, str]:
    """(units that fit, stage, moment) of the stage and moment that bind first."""
    usable = card_of(case).usable_bytes
    best = (math.inf, 0, FIRST)
    for stage, (cost, held) in enumerate(work_cost):
        at_zero = {name: (grad, step) for name, grad, step in cost.moments(0.0, held)}
        at_one = {name: step for name, _, step in cost.moments(1.0, held)}
        factor = 1.0 + fitted.STUCK_SHARE * cost.cache_share
        for name, (gradients, fixed) in at_zero.items():
            slope = at_one[name] - fixed
            resident = cost.weights + cost.states + cost.buffers + cost.context + gradients
            left = usable - resident - factor * fixed
            units = math.inf if slope <= 0 and left >= 0 else left / (factor * max(slope, 1e-300) * per_unit)
            if units < best[0]:
                best = (units, stage, name)
    return best


def _group_of_stage(case: Case, stage: int) -> int:
    groups = range(len(case.plan.memory.per_gpu))
    return next((at for at in groups if case.stage(at) == stage), 0)


def _largest(case: Case) -> Working:
    memory, work, sheet = case.plan.memory, case.scenario.workload, Sheet()
    costs = stage_costs(case.arch, work, case.layout, card_of(case))
    one = batch_of(replace(work, micro_batch=1), case.layout.dp).rank_tokens
    expression, formula = _fit_expression(case, sheet, costs, one, "sequences", "sequence")
    return sheet.working(
        "memory.largest_micro_batch",
        "Largest micro-batch",
        memory.largest_micro_batch,
        "sequences",
        formula,
        f"min({expression}, {sheet.put('search_limit', 1 << 20, 'sequences', 'no farther is looked')})",
        "fitted",
        CALIBRATION,
    )


def _fit_expression(case: Case, sheet: Sheet, costs: Costs, per_unit: float, unit: str, word: str) -> tuple[str, str]:
    """How many units of so many tokens fit, as arithmetic, at the stage and moment that bind."""
    _, stage, moment = _binding(case, per_unit, costs)
    cost, held = costs[stage]
    gradients, fixed = next((g, s) for name, g, s in cost.moments(0.0, held) if name == moment)
    slope = next(s for name, _, s in cost.moments(1.0, held) if name == moment) - fixed
    factor = 1.0 + fitted.STUCK_SHARE * cost.cache_share
    resident = cost.weights + cost.states + cost.buffers + gradients
    index = _group_of_stage(case, stage)
    usable = sheet.see("usable", card_of(case).usable_bytes, "bytes", memory_id(index, "usable_bytes"), "measured")
    states = sheet.put("resident", resident, "bytes", f"weights, states, buffers and gradients at {moment}")
    still = sheet.put("fixed", fixed, "bytes", f"what {moment} takes whatever the tokens")
    grows = sheet.put("per_token", slope, "bytes a token", f"what {moment} takes for each token", "fitted")
    share = sheet.put("with_cache", factor, "", f"allocator cache that stays: {CALIBRATION}", "fitted")
    tokens = sheet.put("tokens_each", per_unit, "tokens", f"tokens of one {word} on one rank")
    left = f"{usable} - {context_terms(case, sheet)} - {states} - {share} * {still}"
    expression = f"max(0, floor(({left}) / ({share} * {grows} * {tokens})))"
    if not slope:
        # nothing grows with the tokens at this moment: it is over the card with none
        expression = f"max(0, min(0, {left}))"
    formula = f"room beside states and context / bytes of one {word} at {moment}, the moment that binds"
    return expression, formula + (f" (stage {stage + 1})" if case.layout.pp > 1 else "")


def _longest(case: Case) -> Working:
    memory, work, sheet = case.plan.memory, case.scenario.workload, Sheet()
    most = case.arch.max_position // SEQUENCE_STEP or 1
    value = memory.longest_sequence_tokens
    step = sheet.put("step", SEQUENCE_STEP, "tokens", "searched in steps of so many tokens")
    limit = sheet.put("model_limit", most, "steps", case.config)
    if work.flash_attention:
        costs = stage_costs(case.arch, work, case.layout, card_of(case))
        each = work.micro_batch * SEQUENCE_STEP / context_ranks(work, case.layout.dp)
        fits, formula = _fit_expression(case, sheet, costs, each, "steps", "step of the sequence")
        expression = f"min({fits}, {limit}) * {step}"
    else:
        steps = sheet.put(
            "steps", value // SEQUENCE_STEP, "steps", "found by halving: attention scores grow with the square"
        )
        expression, formula = f"min({steps}, {limit}) * {step}", "the longest that fits, by halving"
    return sheet.working(
        "memory.longest_sequence_tokens",
        "Longest sequence",
        value,
        "tokens",
        formula,
        expression,
        "fitted",
        CALIBRATION,
    )


WHOLE: dict[str, Callable[[Case], Working]] = {
    "largest_micro_batch": _largest,
    "longest_sequence_tokens": _longest,
}
