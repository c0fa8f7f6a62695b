"""A person's own logs of training: they move the step and the peak of like runs, say so, and leave no trace."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import catalog
from catalog import build_scenario, loading
from engine.decide import beside
from engine.decide.opened.build import Build
from engine.decide.plan import plan
from engine.decide.size import size
from engine.figures.units import GIB, TERA
from engine.parts.own import OwnRatio
from engine.scenario import Kind, LayoutChoice, Scenario, Workload
from engine.sizing import Sizing
from engine.training.flops import training_flops_per_token
from engine.training.own import sharing_of
from tests.accuracy.own import memory_summary, trainer
from tests.tui.test_measured import leaves_of, width, written
from tui.cli import main


def run(model: str = "llama-3.1-8b", gpus: int = 1, tp: int | None = None, **changes: Any) -> Scenario:
    """LoRA of a model on H100s, each with its own data unless tp splits them."""
    work = Workload(kind="lora", sequence_length=4096, micro_batch=1, gradient_accumulation=8, **changes)
    made = build_scenario(model, "bf16", "h100-sxm", gpus, workload=work)
    choice = LayoutChoice(tp or 1, 1, gpus // (tp or 1))
    return replace(made, layout=choice)


def sized(scenario: Scenario) -> Sizing:
    sizing = size(scenario)
    assert sizing.training is not None
    assert sizing.memory.training is not None
    return sizing


def step_s(scenario: Scenario) -> float:
    training = sized(scenario).training
    assert training is not None
    return training.step_s


OPTIONS = [
    *("--model", "llama-3.1-8b", "--accelerator", "h100-sxm", "--kind", "lora", "--gpus", "1"),
    *(
        "--set",
        "workload.sequence_length=4096",
        "--set",
        "workload.micro_batch=1",
        "--set",
        "workload.gradient_accumulation=8",
    ),
]


def keep(folder: Path, **texts: str) -> None:
    assert main(["measured", *written(folder, **texts), *OPTIONS, "--keep"]) == 0
    loading.reload()


def test_a_log_moves_the_step_and_the_peak_of_like_runs_and_leaves_no_trace(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alike, other, shared = run(), run("qwen3-8b"), run(gpus=4)
    before = [sized(one) for one in (alike, other, shared)]
    first = before[0]
    assert first.training is not None
    assert first.memory.training is not None
    measured_s, measured_gib = 1.3 * first.training.step_s, 1.02 * first.memory.training.allocated_bytes / GIB
    keep(tmp_path, trainer=trainer(measured_s), torch=memory_summary(measured_gib))
    told = capsys.readouterr().out
    assert "optimizer step" in told
    assert "peak allocated" in told
    after = sized(run())
    assert after.training is not None
    assert after.memory.training is not None
    assert first.training.step_s < after.training.step_s < measured_s
    assert after.training.step_s > (first.training.step_s + measured_s) / 2
    assert first.memory.training.allocated_bytes < after.memory.training.allocated_bytes < measured_gib * GIB
    assert first.memory.peak_bytes < after.memory.peak_bytes
    assert after.memory.worst.weights_bytes == first.memory.worst.weights_bytes
    # all that follows follows: days and money, while what links keep of a step is the catalog's
    assert after.training.days / first.training.days == pytest.approx(after.training.step_s / first.training.step_s)
    assert after.training.efficiency == pytest.approx(first.training.efficiency)
    assert after.memory.longest_sequence_tokens <= first.memory.longest_sequence_tokens
    # narrower for the same model, less so for another, untouched for another kind of sharing
    assert width(after.training.interval) < width(first.training.interval)
    assert width(after.memory.training.interval) < width(first.memory.training.interval)
    assert before[1].training is not None
    assert before[1].training.step_s < step_s(run("qwen3-8b")) < 1.1 * before[1].training.step_s
    again = sized(run(gpus=4))
    assert (again.training, again.memory) == (before[2].training, before[2].memory)
    elsewhere, catalogs = run(framework="torchtitan"), replace(run().hardware.accelerator, own=())
    bare = replace(elsewhere, hardware=replace(elsewhere.hardware, accelerator=catalogs))
    assert elsewhere.hardware.accelerator.own
    assert (sized(elsewhere).training, sized(elsewhere).memory) == (sized(bare).training, sized(bare).memory)
    for file in own.iterdir():
        file.unlink()
    loading.reload()
    restored = [sized(one) for one in (run(), run("qwen3-8b"), run(gpus=4))]
    for one, as_it_was in zip(restored, before, strict=True):
        assert (one.training, one.memory) == (as_it_was.training, as_it_was.memory)


def test_every_working_of_a_run_says_what_is_the_persons(own: Path, tmp_path: Path) -> None:
    first = sized(run())
    assert first.memory.training is not None
    assert first.training is not None
    peak_gib = 1.02 * first.memory.training.allocated_bytes / GIB
    keep(tmp_path, trainer=trainer(1.3 * first.training.step_s), torch=memory_summary(peak_gib))
    build = Build(plan(run()))
    for figure, name in (
        ("training.step_s", "tokens a second in training"),
        ("training.tokens_per_s_gpu", "tokens a second in training"),
        ("training.days", "tokens a second in training"),
        ("memory.peak_bytes", "peak memory"),
        ("memory.allocated_bytes", "peak memory"),
        ("memory.activation_bytes", "peak memory"),
    ):
        working = build.working(figure)
        assert "A measurement of yours on this card, framework and kind of sharing" in working.note, figure
        assert name in working.note, figure
        assert any(leaf.kind == "measured" and ".log" in leaf.source for leaf in leaves_of(build.number(figure))), (
            figure
        )
        assert float(build.number(figure).value) == pytest.approx(_plain(figure), rel=1e-12), figure
    assert "yours" not in Build(plan(run(gpus=4))).working("training.step_s").note


def _plain(figure: str) -> float:
    sizing = sized(run())
    section, _, name = figure.partition(".")
    if section == "training":
        return float(getattr(sizing.training, name))
    if name == "allocated_bytes":
        assert sizing.memory.training is not None
        return sizing.memory.training.allocated_bytes
    return float(getattr(sizing.memory, name, None) or getattr(sizing.memory.worst, name))


def with_ratio(scenario: Scenario, figure: str, ratio: float, count: int = 1) -> Scenario:
    """The build with so many measurements of one figure of its kind."""
    hardware, sharing = scenario.hardware, sharing_of(sized(scenario).layout)
    one = OwnRatio(
        hardware.accelerator.id, scenario.workload.framework, scenario.model.id, figure, ratio, "a log", sharing
    )
    return replace(scenario, hardware=replace(hardware, accelerator=replace(hardware.accelerator, own=(one,) * count)))


@pytest.mark.parametrize("gpus", [1, 4])
@pytest.mark.parametrize("kind", ["lora", "qlora", "full-finetune"])
def test_no_measurement_beats_the_card_or_what_is_counted(gpus: int, kind: Kind) -> None:
    scenario = run(gpus=gpus)
    scenario = replace(scenario, workload=replace(scenario.workload, kind=kind, sharding="zero3"))
    fast = sized(with_ratio(scenario, "train_tokens_per_s", 90.0, 30)).training
    assert fast is not None
    assert fast.mfu == pytest.approx(1.0)
    peak = fast.tokens_per_s_gpu * training_flops_per_token(scenario.model.architecture, scenario.workload)
    card = scenario.hardware.accelerator
    assert card.tflops_bf16_dense is not None
    assert peak <= card.tflops_bf16_dense * TERA * (1 + 1e-9)
    small = sized(with_ratio(scenario, "train_peak", 0.02, 30)).memory
    worst = small.worst
    assert worst.activation_bytes == 0
    assert small.training is not None
    assert small.training.allocated_bytes == worst.weights_bytes + worst.gradient_bytes + worst.optimizer_bytes


def test_parts_of_a_step_still_make_the_step_and_the_fabric_table_agrees() -> None:
    scenario = run(gpus=8)
    before, after = sized(scenario), sized(with_ratio(scenario, "train_tokens_per_s", 0.8, 200))
    first, moved = before.training, after.training
    assert first is not None
    assert moved is not None
    assert moved.step_s / first.step_s == pytest.approx(1.25, rel=2e-3)
    for name in ("compute_s", "communication_s", "exposed_communication_s", "optimizer_s", "dp_communication_s"):
        assert getattr(moved, name) == pytest.approx(getattr(first, name) * moved.step_s / first.step_s), name
    assert moved.bubble_share == pytest.approx(first.bubble_share)
    assert moved.efficiency == pytest.approx(first.efficiency)
    build = Build(plan(with_ratio(scenario, "train_tokens_per_s", 0.8, 200)))
    assert float(build.number("training.step_s").value) == moved.step_s


def test_a_step_alone_speaks_of_tokens_a_second() -> None:
    scenario = run()
    slower = step_s(with_ratio(scenario, "train_step", 2.0))
    assert slower == step_s(with_ratio(scenario, "train_tokens_per_s", 0.5)) > step_s(scenario)


def test_a_peak_is_held_against_what_torch_counts() -> None:
    sizing = sized(run())
    detail = sizing.memory.training
    assert detail is not None
    for key, counted in (("peak_gib", detail.allocated_bytes), ("reserved_gib", detail.reserved_bytes)):
        row = beside.row_of(key, 30.0, sizing)
        assert row is not None
        assert row.predicted == counted / GIB
        assert row.low is not None
        assert row.low < row.predicted
    assert catalog.load().accelerator("h100-sxm").own == ()
