"""How much one `size()` does after an edit, in calls of functions: a budget that a busy machine does not move."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import Any

import pytest

from engine.decide.attempts import CLUSTER_NODES, attempt, cluster
from engine.decide.size import size
from engine.layout.candidates import candidate_layouts
from engine.scenario import Scenario
from engine.training.memory import training_memory
from engine.training.memory.core import resident_floor
from engine.training.speed import least_days, training_speed
from tests.engine.builds import build

BUILDS: dict[str, tuple[Callable[[], Scenario], int]] = {
    "one card": (lambda: build("llama-3.1-8b", "bf16", "rtx-4090", 1, concurrency=8), 1360),
    "one node": (lambda: build("llama-3.1-70b", "fp8", "rtx-pro-6000-server", 8, concurrency=32), 1120),
    "two nodes": (lambda: build("deepseek-v3", "fp8", "h100-sxm", 8, 2, concurrency=32), 1780),
    "a fine-tune": (
        lambda: build("llama-3.1-70b", "bf16", "h100-sxm", 8, 2, kind="full-finetune", total_tokens=500_000_000),
        2360,
    ),
}
"""By name: the build, and the most calls that an edit of it may take; a third above what it takes."""


def work_of(run: Callable[[], object]) -> Counter[str]:
    """How often each function of the engine is called in a run, by its module and name."""
    found: Counter[str] = Counter()

    def count(frame: FrameType, event: str, _: object) -> None:
        module = str(frame.f_globals.get("__name__", ""))
        if event == "call" and module.startswith("engine."):
            found[f"{module}.{frame.f_code.co_name}"] += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        run()
    finally:
        sys.setprofile(before)
    return found


def after_an_edit(scenario: Scenario) -> Counter[str]:
    """The work of sizing one more user, or a longer sequence, where the build itself was sized before."""
    size(scenario)
    work = scenario.workload
    more = replace(work, concurrency=work.concurrency + 1)
    if not work.is_inference:
        more = replace(work, sequence_length=work.sequence_length + 16)
    edited = replace(scenario, workload=more)
    return work_of(lambda: size(edited))


@pytest.mark.parametrize("name", BUILDS)
def test_an_edit_costs_a_bounded_number_of_calls(name: str) -> None:
    make, most = BUILDS[name]
    work = after_an_edit(make())
    assert sum(work.values()) <= most, work.most_common(20)


@pytest.mark.parametrize("name", BUILDS)
def test_tables_and_later_steps_wait_for_their_readers(name: str) -> None:
    scenario = BUILDS[name][0]()
    sizing = size(replace(scenario, title="read once"))
    tables: dict[str, Callable[[], object]] = {
        "engine.decide.fabric.fabric_table": lambda: sizing.fabric,
        "engine.decide.scaling.scaling_table": lambda: sizing.scaling,
        "engine.decide.verdict._steps": lambda: sizing.verdict.steps,
        "engine.decide.verdict._reason": lambda: sizing.verdict.reason,
    }
    work = after_an_edit(scenario)
    for table, read in tables.items():
        assert not work[table]
        assert work_of(read)[table] == 1
        assert not work_of(read)[table], "read a second time it is there"


def test_a_build_that_one_card_carries_plans_no_other() -> None:
    scenario = build("llama-3.1-8b", "bf16", "h100-sxm", 1, concurrency=8)
    work = after_an_edit(scenario)
    assert work["engine.decide.steps._int4_step"] == 0
    assert len(size(scenario).verdict.steps) == 6


RUNS: dict[str, tuple[str, int, dict[str, Any], int]] = {
    "a dense model from scratch": ("llama-3.1-405b", 64, {}, 6_110),
    "a mixture from scratch": ("deepseek-v3", 64, {}, 12_140),
    "one with a date": ("llama-3.1-405b", 64, {"deadline_days": 90.0}, 1_780),
    "one on few nodes": ("llama-3.1-70b", 2, {"deadline_days": 365.0}, 12_650),
}
"""By name: model, nodes, what is asked, and the most calls of an edit; a third above what it takes."""


@pytest.mark.parametrize("name", RUNS)
def test_a_run_from_scratch_costs_a_bounded_number_of_calls(name: str) -> None:
    model, nodes, work, most = RUNS[name]
    run = build(model, "bf16", "h100-sxm", 8, nodes, kind="pretrain", total_tokens=15_000_000_000_000, **work)
    calls = after_an_edit(run)
    assert sum(calls.values()) <= most, calls.most_common(20)
    assert calls["engine.decide.trained.trained_layouts"] <= 12


STATES: dict[str, dict[str, Any]] = {
    "zero3": {"sharding": "zero3"},
    "zero1": {"sharding": "zero1"},
    "hybrid": {"sharding": "zero3", "sharding_group": "node"},
    "muon": {"optimizer": "muon", "sharding": "zero3"},
    "eight bits": {"optimizer": "adamw-8bit", "sharding": "zero3", "framework": "fsdp2"},
    "fsdp1": {"framework": "fsdp1", "sharding": "zero3"},
    "megatron": {"framework": "megatron", "sharding": "zero1"},
    "deepspeed": {"framework": "deepspeed", "sharding": "zero2"},
    "no master weights": {"master_weights": False, "sharding": "zero3"},
    "in backward": {"optimizer_in_backward": True, "sharding": "zero3"},
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(
    ("model", "gpus", "nodes"), [("llama-3.1-8b", 8, 1), ("mixtral-8x7b", 8, 3), ("deepseek-v3", 8, 32)]
)
def test_no_layout_keeps_less_than_the_floor_of_a_state(state: str, model: str, gpus: int, nodes: int) -> None:
    """What a search leaves out unplanned: the floor is under the resident bytes of every layout of the build."""
    run = build(model, "bf16", "h100-sxm", gpus, nodes, kind="full-finetune", **STATES[state])
    floor = resident_floor(run.model.architecture, run.workload, gpus * nodes)
    assert floor > 0.0
    layouts = candidate_layouts(run)
    least = min(training_memory(run, layout, suggest=False).per_gpu[0].used_bytes for layout in layouts)
    assert floor <= least
    # and a state cut over all GPUs comes near it, so that it tells something
    if state == "zero3":
        kept = (group for one in layouts for group in training_memory(run, one, suggest=False).per_gpu[:1])
        assert floor > 0.7 * min(group.weights_bytes + group.gradient_bytes + group.optimizer_bytes for group in kept)


@pytest.mark.parametrize("kind", ["full-finetune", "lora"])
@pytest.mark.parametrize("card", ["h100-sxm", "rtx-4090"])
def test_no_layout_is_faster_than_the_least_days(kind: str, card: str) -> None:
    for model in ("llama-3.1-8b", "mixtral-8x7b"):
        run = build(model, "bf16", card, 8, kind=kind, total_tokens=1_000_000_000)
        least = least_days(run, 8)
        for layout in candidate_layouts(run):
            assert training_speed(run, layout, training_memory(run, layout, suggest=False)).days > least > 0.0


@pytest.mark.parametrize("work", [{}, {"deadline_days": 60.0}, {"deadline_days": 60.0, "budget_usd": 1e6}])
@pytest.mark.parametrize("model", ["llama-3.1-70b", "mixtral-8x22b"])
def test_a_cluster_is_the_one_that_planning_every_count_finds(model: str, work: dict[str, Any]) -> None:
    run = build(model, "bf16", "h100-sxm", 8, kind="pretrain", total_tokens=200_000_000_000, **work)
    found = cluster(run)
    every = [attempt(run, 8, nodes) for nodes in CLUSTER_NODES]
    ends = [one for one in every if one.carries or (one.plan is not None and one.plan.fits and one.plan.over_budget)]
    assert found.nodes == (ends or every[-1:])[0].nodes
    assert found.plan == (ends or every[-1:])[0].plan
