"""What another optimizer saves is told part by part, and by hand it comes to the same."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from engine.decide.advice import Cure, advice
from engine.decide.opened import working
from engine.decide.plan import plan
from engine.decide.size import size
from engine.decide.suggestions import advised
from engine.figures.sentences import Figure, figures_of, text_of
from engine.figures.units import GIB, digits
from engine.model.parameters import count_parameters
from engine.scenario import LayoutChoice
from engine.scenario.change import change
from engine.sizing import Sizing
from tests.engine.builds import build

EIGHT_BIT = 2 + 2 + 2 + 8 / 256
"""Bytes of a parameter by hand: weights and gradients in 16 bits, two states of 8 bits, an fp32 scale for 256 of each."""
WITH_MASTER = EIGHT_BIT + 4
"""The same where an fp32 partition is stepped whatever the optimizer."""

CASES: dict[str, tuple[str, str, int, dict[str, Any], float]] = {
    "FSDP2, an 8B": ("llama-3.1-8b", "rtx-4090", 4, {}, EIGHT_BIT),
    "one card": ("llama-3.1-8b", "h100-sxm", 1, {}, EIGHT_BIT),
    "DeepSpeed, a 14B": ("qwen3-14b", "rtx-pro-6000-server", 2, {"framework": "deepspeed"}, WITH_MASTER),
    "torchtune, a 14B": ("qwen3-14b", "rtx-6000-ada", 4, {"framework": "torchtune"}, EIGHT_BIT),
}


def cured(case: str) -> tuple[Sizing, Cure]:
    model, card, gpus, keys, _ = CASES[case]
    scenario = build(model, "bf16", card, gpus, kind="full-finetune", **keys)
    found = next(
        cure for cure in advice(scenario).found if dict(cure.changes).get("workload.optimizer") == "adamw-8bit"
    )
    return size(scenario), found


@pytest.mark.parametrize("case", CASES)
def test_the_parts_that_change_are_the_whole_saving(case: str) -> None:
    entered, cure = cured(case)
    told = cure.saving(entered.memory)
    words = text_of(told)
    parts = re.findall(r"([\d.]+) GiB for ([\d.]+)", words)
    assert parts
    saved = sum(float(now) - float(then) for then, now in parts)
    assert saved == pytest.approx((entered.memory.peak_bytes - cure.plan.memory.peak_bytes) / GIB, abs=0.1 * len(parts))


@pytest.mark.parametrize("case", CASES)
def test_by_hand_bytes_times_parameters_over_gpus_are_what_a_gpu_keeps(case: str) -> None:
    entered, cure = cured(case)
    words = text_of(cure.saving(entered.memory))
    gpus, left = CASES[case][2], CASES[case][4]
    parameters = count_parameters(entered.scenario.model.architecture).total
    assert words.startswith(f"{digits(left)} bytes for each of {parameters / 1e9:.3g}B parameters instead of 16.0")
    assert (f"states over {gpus} GPUs" in words) == (gpus > 1)
    for memory, each in ((entered.memory, 16.0), (cure.plan.memory, left)):
        worst = memory.worst
        kept = worst.weights_bytes + worst.gradient_bytes + worst.optimizer_bytes
        assert kept == pytest.approx(each * parameters / gpus, rel=0.01)


def test_optimizer_states_alone_are_split_by_zero1() -> None:
    scenario = build(
        "llama-3.1-8b", "bf16", "rtx-6000-ada", 8, kind="full-finetune", framework="deepspeed", sharding="zero1"
    )
    entered = size(replace(scenario, layout=LayoutChoice(tp=1, dp=8)))
    eight = size(change(entered.scenario, {"workload.optimizer": "adamw-8bit"}))
    parameters = count_parameters(scenario.model.architecture).total
    saved = entered.memory.worst.optimizer_bytes - eight.memory.worst.optimizer_bytes
    assert saved == pytest.approx((8 - 2 - 8 / 256) * parameters / 8, rel=0.01)
    suggested = advised(plan(entered.scenario)).memory.suggestions
    offered = next(one for one in suggested if one.field == "workload.optimizer")
    assert "; 10.0 bytes for each of 8.03B parameters instead of 16.0, states over 8 GPUs" in text_of(offered.effect)


@pytest.mark.parametrize(
    ("framework", "each"), [("deepspeed", 10.03), ("megatron", 12.03), ("fsdp2", 6.03), ("trl", 6.03)]
)
def test_a_master_copy_stays_where_the_framework_steps_one(framework: str, each: float) -> None:
    scenario = build(
        "qwen3-8b", "bf16", "h200-sxm", 8, kind="full-finetune", framework=framework, optimizer="adamw-8bit"
    )
    detail = plan(scenario).memory.training
    assert detail is not None
    assert detail.bytes_per_parameter == pytest.approx(each, abs=0.01)
    without = plan(change(scenario, {"workload.master_weights": False})).memory.training
    assert without is not None
    assert without.bytes_per_parameter == pytest.approx(6.03, abs=0.01)


def test_its_figures_open_in_both_builds() -> None:
    entered, cure = cured("one card")
    made = size(change(entered.scenario, dict(cure.changes)))
    for part in cure.saving(entered.memory):
        if isinstance(part, Figure):
            here = part.figure.removeprefix("here:")
            assert working(entered if here != part.figure else made, here).value is not None, part
    assert len(figures_of(cure.saving(entered.memory))) > 6


def test_what_leaves_a_parameter_its_bytes_saves_nothing_so() -> None:
    entered, _ = cured("FSDP2, an 8B")
    others = [cure for cure in advice(entered.scenario).found if "workload.optimizer" not in dict(cure.changes)]
    assert others
    assert not any(cure.saving(entered.memory) for cure in others)
