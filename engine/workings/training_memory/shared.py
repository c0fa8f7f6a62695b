"""What the workings of training memory share: where their constants come from, and the costs of one rank."""

from __future__ import annotations

from engine.calibration import training_memory as fitted
from engine.training.batch import batch_of, context_ranks
from engine.training.memory.core import Card, plan_recipe, stage_costs
from engine.training.memory.peak import RankCost, RankPeak
from engine.training.memory.recipe import Recipe
from engine.workings.case import Case
from engine.workings.record import Sheet

CALIBRATION = (
    "engine.calibration.training_memory, fitted on measured runs (scripts/calibrate_training_memory.py); "
    f"80 % of unseen runs lie within {fitted.INTERVAL_LOW:g} to {fitted.INTERVAL_HIGH:g} of the estimate"
)
STATES = "engine.training.memory.recipe: ZeRO (Rajbhandari et al. 2020, section 3.1) and the framework's own types"


def card_of(case: Case) -> Card:
    """The card as the memory of training sees it."""
    return Card(case.card.memory_bytes, case.scenario.hardware.gpus_per_node)


def rank_cost_of(case: Case, index: int) -> tuple[RankCost, int]:
    """The cost of one rank of a memory group, and the micro-batches it holds at once."""
    return stage_costs(case.arch, case.scenario.workload, case.layout, card_of(case))[case.stage(index)]


def peak_of(case: Case, index: int) -> RankPeak:
    """The worst moment of a memory group."""
    cost, held = rank_cost_of(case, index)
    return cost.peak(batch_of(case.scenario.workload, case.layout.dp).rank_tokens, held, card_of(case).usable_bytes)


def recipe_of(case: Case) -> Recipe:
    """The bytes an element takes in this case."""
    return plan_recipe(case.scenario.workload, case.layout, card_of(case))


def put_tokens(case: Case, sheet: Sheet) -> str:
    """Tokens of a micro-batch on one rank, as arithmetic over entered lengths."""
    work = case.scenario.workload
    micro = sheet.entered("micro_batch", work.micro_batch, "sequences")
    length = sheet.entered("sequence_length", work.sequence_length, "tokens")
    ranks = context_ranks(work, case.layout.dp)
    if ranks > 1:
        return f"{micro} * {length} / {sheet.entered('context_parallel', ranks, 'ranks')}"
    return f"{micro} * {length}"
