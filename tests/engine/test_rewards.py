"""Training by preferences and rewards: what it holds beside the trained model, and what a step does beside the update."""

from __future__ import annotations

from typing import Any

import pytest

from engine.decide.plan import plan
from engine.decide.size import size
from engine.figures.units import GIB
from engine.model.parameters import count_parameters
from engine.scenario import TUNED_KINDS, Scenario
from engine.scenario.change import change
from engine.sizing import Sizing
from tests.engine.builds import build


def run(kind: str, **work: Any) -> Scenario:
    usual: dict[str, Any] = {"sequence_length": 4096, "micro_batch": 1, "loss": "fused"}
    return build("qwen2.5-7b", "bf16", "h100-sxm", 8, kind=kind, **(usual | work))


def peak(scenario: Scenario) -> float:
    return size(scenario).memory.peak_bytes / GIB


def test_grpo_of_32b_on_eight_h20_is_not_comfortable() -> None:
    # out of memory at the actor's update in public (verl, issue 3124)
    scenario = build("qwen2.5-32b", "bf16", "h20", 8, kind="grpo", sequence_length=8192, micro_batch=1)
    assert size(scenario).memory.headroom in ("tight", "marginal", "does not fit")


def test_a_reference_is_a_frozen_copy_unless_adapters_are_switched_off() -> None:
    scenario = run("dpo")
    copy = 2.0 * count_parameters(scenario.model.architecture).total / 8
    with_it = size(scenario).memory.worst.weights_bytes
    without = size(change(scenario, {"workload.reference_model": "none"})).memory.worst.weights_bytes
    assert with_it - without == pytest.approx(copy, rel=0.02)
    for loss in ("orpo", "simpo"):
        assert size(change(scenario, {"workload.preference": loss})).memory.worst.weights_bytes == without
    adapters = change(scenario, {"workload.tuning": "lora"})
    free = change(adapters, {"workload.reference_model": "none"})
    assert size(adapters).memory.worst.weights_bytes == size(free).memory.worst.weights_bytes
    assert peak(adapters) < peak(scenario)


def test_pairs_are_two_sequences() -> None:
    assert run("dpo").workload.micro_tokens == 2 * 4096 == run("reward").workload.micro_tokens
    assert run("dpo", preference="kto").workload.micro_tokens == 4096 == run("grpo").workload.micro_tokens


def test_a_reward_model_has_no_vocabulary() -> None:
    eager = {"loss": "eager", "sequence_length": 8192}
    assert peak(run("reward", **eager)) < peak(run("dpo", reference_model="none", **eager)) - 10


def test_ppo_trains_a_value_model_and_keeps_a_reward_model() -> None:
    grpo, ppo = (size(run(kind, rollout="apart")) for kind in ("grpo", "ppo"))
    states = [one.memory.worst.optimizer_bytes for one in (grpo, ppo)]
    assert states[1] == pytest.approx(2 * states[0], rel=0.01)
    assert ppo.memory.worst.weights_bytes > 1.5 * grpo.memory.worst.weights_bytes


def test_an_engine_beside_the_trainer_takes_its_share_and_gives_it_back_asleep() -> None:
    apart, asleep, awake = (peak(run("grpo", **work)) for work in (
        {"rollout": "apart"}, {"rollout_share": 0.3}, {"rollout_share": 0.3, "rollout_sleeps": False},
    ))  # fmt: skip
    assert apart <= asleep < awake
    assert awake - apart == pytest.approx(0.3 * 80, abs=3.0)


def times(scenario: Scenario) -> Sizing:
    return size(change(scenario, {"workload.global_batch_tokens": 4096 * 512}))


def test_answers_take_their_time_in_the_step() -> None:
    short, long = (times(run("grpo", response_tokens=tokens)).training for tokens in (512, 2048))
    assert short is not None
    assert long is not None
    assert 0 < short.generation_s < long.generation_s < long.step_s
    assert long.step_s - short.step_s == pytest.approx(long.generation_s - short.generation_s, rel=0.05)
    assert long.generation_s == pytest.approx(4 * short.generation_s, rel=0.4)


def test_no_answer_comes_faster_than_weights_are_read() -> None:
    training = times(run("grpo", response_tokens=1024)).training
    assert training is not None
    read = 2 * 7.6e9 / 3.35e12  # every card of its own holds all weights, and reads them for each token
    assert training.generation_s > 1024 * read


def test_scores_of_a_reference_take_a_forward_pass() -> None:
    with_it, without = (size(run("dpo", reference_model=kept)).training for kept in ("resident", "none"))
    assert with_it is not None
    assert without is not None
    assert 1.1 < with_it.compute_s / without.compute_s < 1.35


@pytest.mark.parametrize("kind", TUNED_KINDS)
@pytest.mark.parametrize("tuning", ["full", "lora", "qlora"])
def test_every_kind_is_sized_in_every_way(kind: str, tuning: str) -> None:
    sizing = size(run(kind, tuning=tuning))
    assert sizing.training is not None
    assert sizing.training.step_s > 0


@pytest.mark.parametrize("kind", ["dpo", "reward", "grpo"])
def test_the_largest_micro_batch_fits_and_the_next_does_not(kind: str) -> None:
    pinned = {"layout.tp": 1, "layout.pp": 1, "layout.dp": 8}
    scenario = change(run(kind, loss="eager", gradient_accumulation=2, rollout="apart"), pinned)
    most = size(scenario).memory.largest_micro_batch
    assert size(change(scenario, {"workload.micro_batch": most})).memory.fits
    assert not size(change(scenario, {"workload.micro_batch": most + 1})).memory.fits


def test_an_engine_takes_no_less_than_its_weights() -> None:
    """14B is 29.5 GB in 16 bits: three tenths of an 80 GB card do not hold it."""
    peaks = [
        plan(
            build("qwen2.5-14b", "bf16", "h100-sxm", 1, kind="grpo", tuning="lora", rollout_share=share)
        ).memory.peak_bytes
        for share in (0.3, 0.5)
    ]
    assert peaks[0] >= 2 * 29.5e9
    assert peaks[1] > peaks[0]
