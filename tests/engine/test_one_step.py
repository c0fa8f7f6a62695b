"""A quantity that is shown more than once is one quantity: over models, cards and layouts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.decide.size import size
from engine.figures.sentences import text_of
from engine.scenario import LayoutChoice
from engine.scenario.change import change
from engine.sizing import Sizing
from engine.training.batch import batch_of, keeps_batch
from tests.engine.builds import build


def trained(model: str = "llama-3.1-8b", **change: Any) -> Sizing:
    """A full fine-tune on one node of H100, changed."""
    options: dict[str, Any] = {"kind": "full-finetune", "sequence_length": 4096, "micro_batch": 1, **change}
    shape = {key: options.pop(key, default) for key, default in (("accelerator", "h100-sxm"), ("nodes", 1))}
    per_node = options.pop("gpus_per_node", 8)
    return size(build(model, "bf16", shape["accelerator"], per_node, shape["nodes"], **options))


@pytest.mark.parametrize("card", ["h100-sxm", "rtx-4090", "mi300x"])
@pytest.mark.parametrize("kind", ["lora", "full-finetune"])
def test_a_run_has_one_cost(card: str, kind: str) -> None:
    found = trained(accelerator=card, kind=kind)
    assert found.training is not None
    assert found.training.cost_usd == found.cost.run_usd
    if found.cost.rent_usd_per_hour is not None:
        each = found.cost.rent_usd_per_hour / found.scenario.hardware.gpus
        assert found.training.cost_usd == pytest.approx(each * found.training.gpu_hours)


# ---------------------------------------------------------------- one list of messages

SPLITS: dict[str, dict[str, Any]] = {
    "TP": {"layout": LayoutChoice(8, 1, 1)},
    "TP and DP": {"layout": LayoutChoice(4, 1, 4), "nodes": 2, "sharding": "zero1"},
    "PP": {"layout": LayoutChoice(8, 2, 1), "nodes": 2},
    "PP, interleaved": {"layout": LayoutChoice(4, 4, 1), "nodes": 2, "pipeline_schedule": "interleaved"},
    "EP": {"model": "mixtral-8x7b", "layout": LayoutChoice(1, 1, 8, 8)},
    "EP wider than TP": {"model": "mixtral-8x7b", "layout": LayoutChoice(2, 1, 16, 8), "nodes": 4},
    "CP": {"layout": LayoutChoice(1, 1, 8), "context_parallel": 4, "sequence_length": 32768},
    "CP and TP": {"layout": LayoutChoice(2, 1, 8), "nodes": 2, "context_parallel": 8, "sequence_length": 32768},
    "ddp": {"layout": LayoutChoice(1, 1, 16), "nodes": 2, "sharding": "ddp"},
    "zero1": {"layout": LayoutChoice(1, 1, 16), "nodes": 2, "sharding": "zero1"},
    "zero2": {"layout": LayoutChoice(1, 1, 16), "nodes": 2, "sharding": "zero2"},
    "zero3": {"layout": LayoutChoice(1, 1, 16), "nodes": 2, "sharding": "zero3"},
    "hybrid": {"layout": LayoutChoice(1, 1, 16), "nodes": 2, "sharding": "zero3", "sharding_group": "node"},
    "offload": {"layout": LayoutChoice(1, 1, 8), "offload": "optimizer"},
    "LoRA": {"layout": LayoutChoice(1, 1, 8), "kind": "lora"},
    "QLoRA": {"layout": LayoutChoice(2, 1, 8), "nodes": 2, "kind": "qlora"},
    "batch entered as steps": {"layout": LayoutChoice(1, 1, 8), "gradient_accumulation": 3},
    "cards without peers": {"layout": LayoutChoice(4, 1, 2), "accelerator": "rtx-4090"},
}


@pytest.mark.parametrize("name", SPLITS)
def test_the_link_in_use_moves_what_the_step_communicates(name: str) -> None:
    found = trained(**SPLITS[name])
    assert found.training is not None
    used = [row for row in found.fabric if row.in_use]
    assert len(used) == min(2, found.scenario.hardware.nodes)
    for row in used:
        assert row.seconds == pytest.approx(found.training.communication_s, rel=1e-9)
        assert row.share == pytest.approx(found.training.exposed_communication_s / found.training.step_s, rel=1e-9)


@pytest.mark.parametrize("name", ["TP and DP", "PP", "EP wider than TP", "CP and TP", "zero2", "hybrid", "QLoRA"])
@pytest.mark.parametrize(("place", "link"), [("inter_link", "eth-100-tcp"), ("intra_link", "pcie5-switch")])
def test_a_training_build_on_another_link_is_as_fast_as_its_row_says(name: str, place: str, link: str) -> None:
    assert_row_is_the_build(trained(**SPLITS[name]), place, link)


SERVED: dict[str, dict[str, Any]] = {
    "TP": {"layout": LayoutChoice(8, 1, 1)},
    "TP and replicas": {"layout": LayoutChoice(4, 1, 4), "nodes": 2},
    "TP inside, PP across": {"layout": LayoutChoice(8, 2, 1), "nodes": 2},
    "TP across": {"layout": LayoutChoice(16, 1, 1), "nodes": 2},
    "uneven stages": {"model": "deepseek-r1", "weights": "fp8", "layout": LayoutChoice(8, 2, 1), "nodes": 2},
    "DP attention": {"model": "deepseek-r1", "weights": "fp8", "layout": LayoutChoice(1, 1, 16, 16, True), "nodes": 2},
    "one user": {"layout": LayoutChoice(8, 2, 1), "nodes": 2, "concurrency": 1},
    "a finite run": {"layout": LayoutChoice(8, 1, 1), "requests": 40},
}


def served(model: str = "llama-3.1-70b", weights: str = "fp8", nodes: int = 1, **change: Any) -> Sizing:
    """Users on nodes of eight H100, changed."""
    return size(build(model, weights, "h100-sxm", 8, nodes, **{"input_tokens": 4000, "output_tokens": 500, **change}))


@pytest.mark.parametrize("name", SERVED)
def test_the_link_in_use_moves_what_a_token_communicates(name: str) -> None:
    found = served(**SERVED[name])
    assert found.serving is not None
    for row in found.fabric:
        if row.in_use:
            assert row.seconds == pytest.approx(found.serving.communication_s, rel=1e-9)


@pytest.mark.parametrize("name", SERVED)
@pytest.mark.parametrize(
    ("place", "link"), [("inter_link", "eth-100-tcp"), ("inter_link", "eth-10-tcp"), ("intra_link", "pcie5-switch")]
)
def test_a_serving_build_on_another_link_is_as_fast_as_its_row_says(name: str, place: str, link: str) -> None:
    if place == "intra_link" or SERVED[name].get("nodes", 1) > 1:
        assert_row_is_the_build(served(**SERVED[name]), place, link)


def assert_row_is_the_build(found: Sizing, place: str, link: str) -> None:
    """The row of a link leaves of the speed what sizing the build on that link does."""
    hardware = found.scenario.hardware
    changed: dict[str, Any] = {place: found.scenario.facts.link(link)}
    other = size(replace(found.scenario, hardware=replace(hardware, **changed)))
    rows = {row.link: row.relative_speed for row in found.fabric}
    home = getattr(hardware, place).id

    def speed(sizing: Sizing) -> float:
        if sizing.serving is not None:
            return sizing.serving.tokens_per_s_user
        assert sizing.training is not None
        return sizing.training.tokens_per_s_total

    assert rows[link] / rows[home] == pytest.approx(speed(other) / speed(found), rel=1e-4)


# ---------------------------------------------------------------- one batch

BATCHES: tuple[dict[str, Any], ...] = (
    {"global_batch_tokens": 32_768},
    {"global_batch_tokens": 45_000},
    {"global_batch_tokens": 45_000, "context_parallel": 4},
    {"global_batch_tokens": 45_000, "micro_batch": 2},
    {"global_batch_tokens": 4_096},
    {"gradient_accumulation": 4},
    {"gradient_accumulation": 4, "context_parallel": 8},
    {"global_batch_tokens": 100_000, "layout": LayoutChoice(2, 2, 2)},
)


@pytest.mark.parametrize("asked", BATCHES)
def test_a_step_has_one_batch(asked: dict[str, Any]) -> None:
    found = trained(**{"layout": LayoutChoice(1, 1, 8), "sharding": "zero2", **asked})
    work, layout, run = found.scenario.workload, found.layout, found.training
    assert run is not None
    batch = batch_of(work, layout.dp)
    each = work.micro_batch * work.sequence_length * batch.replicas
    assert batch.replicas * batch.context == layout.dp
    assert run.micro_batches == batch.micro_batches == found.resolved.gradient_accumulation
    assert run.step_tokens == run.micro_batches * each
    assert run.step_s * run.tokens_per_s_total == pytest.approx(run.step_tokens)
    if work.gradient_accumulation is None:
        assert run.step_tokens - each < work.batch_tokens <= run.step_tokens
        assert run.asked_step_tokens == work.batch_tokens
    else:
        assert run.micro_batches == work.gradient_accumulation
        assert run.asked_step_tokens == run.step_tokens
    # memory keeps a second set of gradients only where a step has a second micro-batch
    whole = replace(work, gradient_accumulation=run.micro_batches)
    assert found.memory.peak_bytes == size(replace(found.scenario, workload=whole)).memory.peak_bytes


def test_memory_holds_no_more_micro_batches_than_a_step_has() -> None:
    def peak(count: int) -> int:
        split = {"nodes": 4, "layout": LayoutChoice(8, 4, 1), "recompute": "none"}
        found = trained("llama-3.1-70b", **split, gradient_accumulation=count)
        return found.memory.peak_bytes

    peaks = [peak(count) for count in (1, 2, 3, 4, 5, 8)]
    assert peaks[0] < peaks[1] < peaks[2] < peaks[3] == peaks[4] == peaks[5]


# ---------------------------------------------------------------- one efficiency


@pytest.mark.parametrize("name", SPLITS)
def test_a_shape_has_one_efficiency(name: str) -> None:
    found = trained(**SPLITS[name])
    run = found.training
    assert run is not None
    (own,) = [row for row in found.scaling if row.in_use]
    assert own.efficiency == pytest.approx(run.efficiency, rel=1e-9)
    assert run.efficiency == pytest.approx(min(1.0, run.tokens_per_s_gpu / run.one_gpu_tokens_per_s), rel=1e-9)
    assert own.gpus == found.layout.gpus


@pytest.mark.parametrize(("per_node", "nodes"), [(1, 1), (2, 1), (6, 1), (8, 1), (4, 2), (8, 3), (8, 8)])
def test_a_build_of_any_size_stands_among_its_kind(per_node: int, nodes: int) -> None:
    found = trained("qwen3-30b-a3b", accelerator="h200-sxm", gpus_per_node=per_node, nodes=nodes)
    assert found.training is not None
    sizes = [row.gpus for row in found.scaling]
    assert sizes == sorted(sizes)
    (own,) = [row for row in found.scaling if row.in_use]
    assert own.efficiency == pytest.approx(found.training.efficiency, rel=1e-9)
    assert (own.nodes, own.gpus) == (nodes, per_node * nodes)


# ---------------------------------------------------------------- the batch that was entered


@pytest.mark.parametrize("model", ["llama-3.1-8b", "llama-3.1-70b", "qwen3-30b-a3b"])
@pytest.mark.parametrize(
    ("nodes", "batch", "length"),
    [(64, 1 << 19, 4096), (16, 1 << 17, 8192), (256, 1 << 22, 8192), (3, 96 * 4096, 4096), (2048, 1 << 24, 4096)],
)
def test_a_layout_that_nobody_pinned_keeps_the_batch(model: str, nodes: int, batch: int, length: int) -> None:
    found = trained(model, kind="pretrain", nodes=nodes, global_batch_tokens=batch, sequence_length=length)
    run = found.training
    assert run is not None
    assert keeps_batch(found.scenario.workload, found.layout.dp)
    assert run.step_tokens == pytest.approx(batch, rel=0.05)
    assert run.step_s * run.tokens_per_s_total == pytest.approx(run.step_tokens)
    assert "batch-outgrown" not in {notice.id for notice in found.warnings}


@pytest.mark.parametrize(
    ("nodes", "batch"), [(1, 1 << 19), (8, 1 << 19), (16, 1 << 20), (64, 1 << 22), (256, 1 << 24), (4096, 1 << 24)]
)
def test_a_batch_that_nobody_entered_grows_with_the_build(nodes: int, batch: int) -> None:
    found = trained(kind="pretrain", nodes=nodes)
    assert found.training is not None
    assert found.scenario.workload.global_batch_tokens is None
    assert found.scenario.workload.batch_tokens == found.training.asked_step_tokens == batch
    assert found.training.step_tokens == pytest.approx(batch, rel=0.05)
    entered = change(found.scenario, {"workload.global_batch_tokens": 3 << 20})
    assert entered.workload.batch_tokens == 3 << 20
    grown = change(found.scenario, {"hardware.nodes": 64})
    assert grown.workload.batch_tokens == 1 << 22


def test_replicas_without_work_are_told() -> None:
    pinned = trained(nodes=8, global_batch_tokens=16 * 4096, layout=LayoutChoice(1, 1, 64))
    assert pinned.training is not None
    assert pinned.training.step_tokens == 64 * 4096
    assert pinned.training.asked_step_tokens == 16 * 4096
    (told,) = [notice for notice in pinned.warnings if notice.id == "batch-outgrown"]
    for figure in ("64 replicas", "262,144", "65,536", "16 of them"):
        assert figure in text_of(told.message)
    # steps that were entered are the batch, however many replicas take them
    steps = trained(nodes=8, gradient_accumulation=1, layout=LayoutChoice(1, 1, 64))
    assert "batch-outgrown" not in {notice.id for notice in steps.warnings}
