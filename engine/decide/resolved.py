"""What `auto` came to: the settings and prices that a person left open, as the sizing takes them."""

from __future__ import annotations

from functools import lru_cache

from engine.decide.plan import Plan
from engine.money.bill import card_price
from engine.money.cost import electricity_rule
from engine.money.prices import on_demand_usd_per_gpu_hour
from engine.parts.hardware import Accelerator, Facts
from engine.scenario import Layout, Region, Scenario
from engine.scenario.frameworks import attention_of, loss_of, software_of
from engine.serving.draft import drafted_ahead, drafts_kept
from engine.serving.settings import longest_taken, settings_of
from engine.sizing import Resolved
from engine.training.batch import VIRTUAL_STAGES
from engine.training.memory.core import Card, plan_recipe


def resolved(plan: Plan) -> Resolved:
    """The settings of a planned build with every default filled in, and the catalog's prices; None does not apply."""
    scenario, layout = plan.scenario, plan.layout
    prices = _prices(scenario.facts, scenario.hardware.accelerator, scenario.money.region)
    if scenario.workload.is_inference:
        return _serving(scenario, layout, prices)
    return _training(plan, prices)


@lru_cache(maxsize=256)
def _prices(facts: Facts, card: Accelerator, region: Region | None) -> tuple[float | None, float | None, float | None]:
    """Of the catalog: one card, one GPU-hour on demand, one kWh, in dollars."""
    rule = electricity_rule(facts, region)
    kwh = rule.value if rule is not None else None
    return card_price(facts, card).usd_each, on_demand_usd_per_gpu_hour(facts, card.id)[0], kwh


def _serving(scenario: Scenario, layout: Layout, prices: tuple[float | None, float | None, float | None]) -> Resolved:
    settings = settings_of(scenario, layout)
    return Resolved(
        *prices,
        memory_utilization=settings.utilization,
        max_model_len=longest_taken(scenario),
        max_num_seqs=None if settings.rules.sequence_limit else settings.max_num_seqs,
        max_num_batched_tokens=settings.max_num_batched_tokens,
        speculative_tokens=drafted_ahead(scenario.model, scenario.runtime) or None,
        speculative_accepted=drafts_kept(scenario.model, scenario.runtime) or None,
    )


def _training(plan: Plan, prices: tuple[float | None, float | None, float | None]) -> Resolved:
    hardware, work = plan.scenario.hardware, plan.scenario.workload
    made = plan_recipe(work, plan.layout, Card(hardware.accelerator.memory_bytes, hardware.gpus_per_node))
    interleaved = work.pipeline_schedule == "interleaved" and plan.layout.pp > 1
    return Resolved(
        *prices,
        total_tokens=work.run_tokens,
        global_batch_tokens=work.batch_tokens,
        gradient_accumulation=plan.training.micro_batches if plan.training is not None else None,
        lora_precision=_precision(made.weight) if made.peft else None,
        base_precision=_precision(made.frozen_linear) if work.trains == "lora" else None,
        gradient_precision=_precision(made.gradient),
        residual_precision=_precision(made.residual),
        loss=loss_of(work),
        software=software_of(work),
        attention_kernel=attention_of(work),
        virtual_stages=(work.virtual_stages or VIRTUAL_STAGES) if interleaved else None,
    )


def _precision(element_bytes: float) -> str:
    return "bf16" if element_bytes == 2.0 else "fp32"
