"""Training on the pages: scaling, a step and its memory taken apart; and how serving scales."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from catalog import build_scenario
from engine.decide.opened import workings
from engine.decide.prospects import prospects
from engine.decide.serving_scaling import serving_scaling
from engine.decide.size import size
from engine.figures.sentences import text_of
from engine.scenario import Scenario, Workload
from engine.sizing import Sizing
from tests.tui.builds import BUILDS
from tests.tui.driver import Driver, app_of, running
from tests.tui.figures import Pages
from tui.files import session
from tui.pages.contents import PAGES
from tui.pages.doc import Line, plain
from tui.pages.glyphs import ASCII, UNICODE, Glyphs
from tui.pages.look import Look
from tui.pages.scaling_study import ScalingStudy
from tui.pages.studies import Studies
from tui.shell import report

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "full-finetune-70b.toml"
WORK = Workload(kind="full-finetune", sequence_length=4096, total_tokens=500_000_000)
PRETRAIN: dict[str, Any] = {"kind": "pretrain", "total_tokens": 200 * 10**9, "global_batch_tokens": 1 << 22}


def lora() -> Scenario:
    """LoRA of an 8B on four workstation cards."""
    work = replace(WORK, kind="lora")
    return build_scenario("llama-3.1-8b", "bf16", "rtx-pro-6000-server", 4, workload=work)


def pretrain(**change: Any) -> Scenario:
    """Pretraining of an 8B on four H100 nodes."""
    return build_scenario("llama-3.1-8b", "bf16", "h100-sxm", 8, 4, workload=replace(WORK, **PRETRAIN, **change))


def too_small() -> Scenario:
    """A full fine-tune that one gaming card does not hold."""
    return build_scenario(
        "llama-3.1-8b", "bf16", "rtx-5090", 1, workload=replace(WORK, deadline_days=0.01, budget_usd=10.0)
    )


def tensor_parallel() -> Scenario:
    """A pipeline across nodes."""
    work = replace(WORK, sharding="ddp", deadline_days=30.0)
    return build_scenario("llama-3.1-70b", "bf16", "h100-sxm", 8, 2, workload=work)


TRAININGS = {
    "full": lambda: session.load(EXAMPLE),
    "lora": lora,
    "pretrain": lambda: pretrain(deadline_days=30.0, budget_usd=100_000.0),
    "too small": too_small,
    "pipeline": tensor_parallel,
}


def sized(name: str) -> Sizing:
    """One of the trainings, sized."""
    return size(TRAININGS[name]())


def lines(sizing: Sizing, page: str, width: int = 76, glyphs: Glyphs = UNICODE) -> list[Line]:
    """A page with everything beside it worked out."""
    studies = Studies(size)
    for _ in studies.scaling.steps(sizing.scenario):
        pass
    return PAGES[page](sizing, Look(width, glyphs, None, studies))


def text(sizing: Sizing, page: str, width: int = 76, glyphs: Glyphs = UNICODE) -> str:
    """The same as text."""
    return "\n".join(glyphs.text(plain(row)) for row in lines(sizing, page, width, glyphs))


def flat(words: str) -> str:
    """Text with its line breaks taken out."""
    return " ".join(words.split())


@pytest.mark.parametrize("page", ["Scaling", "Speed", "Memory"])
@pytest.mark.parametrize("width", [56, 66, 76, 110, 150])
@pytest.mark.parametrize("name", TRAININGS)
def test_no_line_is_wider_than_the_page(name: str, width: int, page: str) -> None:
    for glyphs in (UNICODE, ASCII):
        wide = [row for row in text(sized(name), page, width, glyphs).splitlines() if len(row.rstrip()) > width]
        assert not wide


@pytest.mark.parametrize("page", ["Scaling", "Speed", "Memory"])
@pytest.mark.parametrize("name", TRAININGS)
def test_every_figure_that_opens_has_a_working(name: str, page: str) -> None:
    sizing = sized(name)
    pages = Pages(sizing, Studies(size))
    for row in lines(sizing, page):
        for span in row:
            kind, _, figure = span.action.partition(":")
            if kind == "figure":
                assert pages.opened(figure).title


def test_the_points_of_the_curve_open_to_what_they_say() -> None:
    for name in TRAININGS:
        sizing = sized(name)
        known = workings(sizing)
        points = {point.gpus: point for point in prospects(sizing.scenario).curve.points}
        opened = {span.action for row in lines(sizing, "Scaling") for span in row if ":curve." in span.action}
        opened = {action for action in opened if action.count(".") == 2 and ".last." not in action}
        assert {action.rpartition(".")[2] for action in opened} >= {"days", "efficiency", "marginal", "gpu_hours"}
        for action in opened:
            _, gpus, field = action.split(".")
            value = known[action.removeprefix("figure:")].value
            assert value == pytest.approx(getattr(points[int(gpus)], field)), action


# --- the Scaling page


def test_every_shape_stands_with_its_efficiency_and_the_articles_figure() -> None:
    sizing = sized("full")
    shown = text(sizing, "Scaling", 110)
    for row in sizing.scaling:
        assert any(row.parallelism in line and f"{row.efficiency:.2f}" in line for line in shown.splitlines()), (
            row.configuration
        )
    assert shown.count("article 0.") == sum(
        row.article_efficiency is not None and row.article_efficiency < 1 for row in sizing.scaling
    )


def test_shapes_under_the_floor_name_the_better_one() -> None:
    sizing = sized("lora")
    shown = flat(text(sizing, "Scaling"))
    below = [row for row in sizing.scaling if row.below_floor]
    assert below
    assert all(text_of(row.better) in shown for row in below)


def test_the_own_shape_is_marked_once() -> None:
    shown = text(sized("full"), "Scaling").split("SHAPES OF BUILD")[1]
    assert [row.split()[1] for row in shown.splitlines() if row.startswith(" ▸ ")] == ["FSDP"]


def test_the_curve_is_drawn_with_a_mark_cost_and_row_for_each_count() -> None:
    sizing = sized("pretrain")
    found = prospects(sizing.scenario)
    shown = text(sizing, "Scaling")
    chart = re.split(r"\n +GPUs  \d", shown.split("TIME AGAINST GPUS")[1])[0]
    assert chart.count("●") == sum(point.fits for point in found.curve.points)
    for point in found.curve.points:
        assert re.search(rf"^ [ ▸] +{point.gpus} ", shown, re.M)
    assert f"${found.curve.points[-1].cost_usd:,.0f}" in shown
    for point in found.curve.points:  # what does not hold the training has no time and no cost
        row = next(row for row in shown.splitlines() if re.match(rf"^ [ ▸] +{point.gpus} ", row))
        assert ("too small" in row) != bool(re.search(r"\$| h | days ", row))
        assert ("too small" in row) == (not point.fits)
    assert flat(text_of(found.curve.words)) in flat(shown)
    assert "Amdahl's serial share" in shown


def test_where_adding_gpus_stops_paying_is_a_wall_in_the_chart() -> None:
    sizing = sized("lora")
    stop = prospects(sizing.scenario).curve.stops_paying
    assert stop is not None
    shown = text(sizing, "Scaling")
    assert "adding GPUs stops paying" in shown
    assert f"Beyond {stop} GPUs" in shown
    chart = shown.split("TIME AGAINST GPUS")[1].splitlines()[1:10]
    assert sum(row.count("│") >= 2 for row in chart) >= 6


def test_the_smallest_build_in_time_or_a_clear_no() -> None:
    in_time = flat(text(sized("pretrain"), "Scaling"))
    assert "✓ 2 nodes of 8 GPUs" in in_time
    assert "✗ No: " in flat(text(sized("too small"), "Scaling"))
    assert "No deadline and no budget is set" in flat(text(sized("full"), "Scaling"))


def test_one_gpu_for_long_or_many_for_short() -> None:
    sizing = sized("full")
    choice = prospects(sizing.scenario).choice
    assert choice is not None
    shown = flat(text(sizing, "Scaling"))
    assert flat(text_of(choice.words)) in shown
    assert "too small" in shown
    assert "The fewest of the curve that hold it are 16 GPUs" in shown


@pytest.mark.parametrize("name", ["llama70b", "deepseek", "mixtral"])
def test_serving_scales_by_tp_and_replicas(name: str) -> None:
    sizing = size(BUILDS[name]())
    shown = text(sizing, "Scaling", 66)
    assert "8 GPU" in shown
    assert shown.count("▸") == 2  # the row in use, and its legend
    assert "Fabric page" in flat(shown)
    assert all(len(row.rstrip()) <= 66 for row in shown.splitlines())


@pytest.mark.parametrize("name", ["llama70b", "deepseek"])
def test_the_shapes_open_to_what_they_say(name: str) -> None:
    sizing = size(BUILDS[name]())
    known = workings(sizing)
    shapes = {
        (shape.nodes, shape.gpus // shape.nodes, shape.layout.tp): shape
        for shape in serving_scaling(sizing.scenario, sizing.layout)
        if not shape.in_use
    }
    actions = {
        span.action
        for row in lines(sizing, "Scaling")
        for span in row
        if span.action.startswith("figure:if.shape.") and ".serving." in span.action and "(" not in span.action
    }
    assert len(actions) >= 4
    for action in actions:
        _, _, place, _, field = action.split(".")
        nodes, per_node, tp = map(int, place.split("x"))
        value = known[action.removeprefix("figure:")].value
        assert value == pytest.approx(getattr(shapes[nodes, per_node, tp], field)), action


# --- the Speed page


def test_the_parts_of_a_step_add_up_to_it() -> None:
    for name in TRAININGS:
        run = sized(name).training
        assert run is not None
        parts = run.compute_s + run.bubble_share * run.step_s + run.exposed_communication_s + run.optimizer_s
        assert parts == pytest.approx(run.step_s)


def test_a_step_taken_apart_what_hides_and_what_is_assumed() -> None:
    sizing = sized("pretrain")
    shown = text(sizing, "Speed")
    for words in ("computing", "pipeline bubble", "in links, exposed", "optimizer", "none hidden", "Goodput", "MFU"):
        assert words in shown
    assert re.search(r"▸ standard", shown)
    assert re.search(r"▸ full", shown)
    assert "in time" in shown
    assert "kept" in shown


def test_recomputation_that_would_not_fit_says_so() -> None:
    assert "does not fit" in text(sized("full"), "Speed")


def test_a_run_that_does_not_fit_has_no_speed() -> None:
    assert "No speed" in text(sized("too small"), "Speed")
    assert "tok/s" not in text(sized("too small"), "Speed")


# --- the Memory page


def test_peak_moments_and_assumptions_of_training_memory() -> None:
    sizing = sized("full")
    detail = sizing.memory.training
    assert detail is not None
    shown = text(sizing, "Memory")
    for words in ("a step needs", "torch reserved", "nvidia-smi", *(phase.name for phase in detail.phases)):
        assert words in shown
    assert f"▸ {detail.phase}" in shown
    assert all(flat(text_of(words)) in flat(shown.replace("•", "")) for words in detail.lines)
    assert "16 bytes" in shown


def test_a_plan_that_does_not_fit_offers_what_gives_room() -> None:
    scenario = too_small()
    sizing = size(replace(scenario, workload=replace(scenario.workload, deadline_days=None, budget_usd=None)))
    studies = Studies(size)
    look = Look(100, UNICODE, studies=studies)

    def actions() -> set[str]:
        return {span.action for row in PAGES["Memory"](sizing, look) for span in row}

    assert not any(action.startswith("cure:") for action in actions())
    assert "Looking for what to do" in "".join(span.text for row in PAGES["Memory"](sizing, look) for span in row)
    for _ in studies.counsel.steps(sizing.scenario):
        pass
    found = studies.counsel.of(sizing.scenario)
    assert found is not None
    assert found.offered
    assert {f"cure:{number}" for number in range(len(found.offered))} <= actions()


def test_serving_pages_say_nothing_of_training() -> None:
    sizing = size(BUILDS["llama70b"]())
    assert "MOMENTS" not in text(sizing, "Memory")
    assert "ONE STEP" not in text(sizing, "Speed")


# --- the study behind the page, and the app


def test_what_was_found_stands_until_the_next_is_found() -> None:
    growth = ScalingStudy()
    first, second = pretrain(), pretrain(deadline_days=30.0)
    assert growth.stale(first)
    list(growth.steps(first))
    held = growth.prospects
    assert held is not None
    assert not growth.stale(first)
    assert not growth.stale(replace(first, title="another title"))
    assert growth.stale(second)
    job = growth.steps(second)
    next(job)
    assert growth.prospects is held
    list(job)
    assert growth.prospects is not held


async def settled(app: Driver) -> str:
    """The Scaling page once it has worked everything out."""
    for _ in range(60):
        await app.pilot.pause(0.05)
        if "about to" not in app.text("#results"):
            break
    return app.text("#results")


async def to_scaling(app: Driver) -> None:
    await app.press("f2")
    for _ in range(len(PAGES)):
        if app.app.workbench.results.page == "Scaling":
            return
        await app.press("right")


async def test_the_page_works_it_out_once_the_edits_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    pause = "tui.app.screens.study.PAUSE_S"
    async with running(app_of(pretrain())) as app:
        await to_scaling(app)
        shown = await settled(app)
        assert "log-log" in shown
        assert "No deadline and no budget is set" in flat(shown)
        await app.press("escape")
        await app.go_to("workload.deadline_days")
        monkeypatch.setattr(pause, 30.0)  # the edits do not rest
        await app.type("3")
        assert "about to work it out" in app.text("#results"), "the curve of before stays, and says so"
        assert re.search(r"GPUs  \d", app.text("#results"))
        monkeypatch.setattr(pause, 0.0)
        await app.type("0")
        assert "✓ 2 nodes of 8 GPUs" in await settled(app)


async def test_a_serving_build_has_a_scaling_page_too() -> None:
    async with running(app_of(BUILDS["llama70b"]()), 80, 24) as app:
        await to_scaling(app)
        assert "Most for a GPU" in await settled(app)


async def test_an_efficiency_opens_to_its_working() -> None:
    async with running(app_of(pretrain())) as app:
        await to_scaling(app)
        await settled(app)
        await app.press("enter")
        assert "Efficiency" in app.text()


# --- the report


def test_the_report_carries_the_curve_the_smallest_build_and_the_choice() -> None:
    sizing = sized("pretrain")
    found = prospects(sizing.scenario)
    assert found.smallest is not None
    assert found.choice is not None
    for form in ("text", "markdown"):
        told = flat(report.render(sizing, "text" if form == "text" else "markdown"))
        for words in (found.curve.words, found.smallest.words, found.choice.words, "Amdahl's serial share"):
            assert flat(words if isinstance(words, str) else text_of(words)) in told
    assert "Time and money against GPUs" not in report.render(size(BUILDS["llama70b"]()), "text")
