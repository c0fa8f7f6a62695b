"""What a person measured of training moves the figures of runs that share their GPUs alike, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.decide.size import size
from engine.parts.own import OwnRatio
from engine.scenario import LayoutChoice, Scenario
from engine.sizing import Sizing, Training
from engine.sizing.memory import TrainingDetail
from engine.training.own import SHARINGS
from tests.engine.builds import build

LAYOUTS = {
    "one": LayoutChoice(),
    "data": LayoutChoice(tp=1, pp=1),
    "tensor": LayoutChoice(tp=4),
    "pipeline": LayoutChoice(pp=4),
}


def run(sharing: str) -> Scenario:
    """A fine-tune of an 8B model on H100s that share it so."""
    return build(
        "llama-3.1-8b",
        "bf16",
        "h100-sxm",
        1 if sharing == "one" else 4,
        layout=LAYOUTS[sharing],
        kind="full-finetune",
        framework="megatron",
        sequence_length=2048,
        micro_batch=1,
        optimizer="adamw-8bit",
        sharding="zero1",
        recompute="full",
    )


def measured(scenario: Scenario, figure: str, ratio: float, sharing: str) -> Sizing:
    """The build beside twenty measurements of its card, framework and model under one kind of sharing."""
    card, framework = scenario.hardware.accelerator, scenario.workload.framework
    one = OwnRatio(card.id, framework, scenario.model.id, figure, ratio, "a log", sharing)
    own = replace(scenario.hardware, accelerator=replace(card, own=(one,) * 20))
    return size(replace(scenario, hardware=own))


def training(sizing: Sizing) -> Training:
    assert sizing.training is not None
    return sizing.training


def detail(sizing: Sizing) -> TrainingDetail:
    assert sizing.memory.training is not None
    return sizing.memory.training


@pytest.mark.parametrize("sharing", SHARINGS)
@pytest.mark.parametrize("of", SHARINGS)
def test_only_runs_that_share_alike_are_moved(sharing: str, of: str) -> None:
    plain = training(size(run(sharing)))
    slower = training(measured(run(sharing), "train_tokens_per_s", 0.7, of))
    moved = slower.tokens_per_s_gpu / plain.tokens_per_s_gpu
    if sharing == of:
        assert 0.69 < moved < 0.85
    else:
        assert moved == 1.0


@pytest.mark.parametrize("sharing", ["data", "tensor", "pipeline"])
def test_a_step_is_moved_as_a_whole_and_what_links_keep_of_it_stays(sharing: str) -> None:
    plain = training(size(run(sharing)))
    slower = training(measured(run(sharing), "train_tokens_per_s", 0.7, sharing))
    assert plain.efficiency < 0.999
    assert slower.efficiency == pytest.approx(plain.efficiency, rel=1e-9)


@pytest.mark.parametrize("sharing", SHARINGS)
def test_what_is_not_counted_takes_what_was_measured_more(sharing: str) -> None:
    plain, more = size(run(sharing)), measured(run(sharing), "train_peak", 1.2, sharing)
    before, after = detail(plain), detail(more)
    assert after.allocated_bytes > 1.1 * before.allocated_bytes
    assert max(phase.allocated_bytes for phase in after.phases) == after.allocated_bytes
    for one, other in zip(before.phases, after.phases, strict=True):
        assert other.name == one.name
        assert other.activation_bytes > one.activation_bytes
        assert (other.weights_bytes, other.gradient_bytes, other.optimizer_bytes) == (
            one.weights_bytes,
            one.gradient_bytes,
            one.optimizer_bytes,
        )
