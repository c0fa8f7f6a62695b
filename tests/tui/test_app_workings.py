"""Every figure that a page offers to open has a working whose arithmetic gives it, and the app shows it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.decide.opened import Working, working
from engine.decide.size import size
from engine.scenario import Scenario
from engine.sizing import Sizing
from tests.arithmetic import opened
from tests.engine.builds import SCENARIOS, priced
from tests.tui.builds import BUILDS
from tests.tui.driver import Driver, app_of, running
from tui.app import elsewhere
from tui.pages.contents import PAGES
from tui.pages.doc import plain
from tui.pages.glyphs import ASCII, UNICODE
from tui.pages.look import Look
from tui.pages.studies import Studies
from tui.pages.workings import amount, working_lines

ALL: dict[str, Callable[[], Scenario]] = {
    **BUILDS,
    **SCENARIOS,
    "priced": lambda: priced(BUILDS["llama70b"]()),
    "priced run": lambda: priced(BUILDS["finetune"]()),
}
WIDTHS = (58, 79, 118)


def offered(sizing: Sizing) -> set[str]:
    """The figures that any page opens at any width."""
    return {
        span.action.removeprefix("figure:")
        for page in PAGES.values()
        for width in WIDTHS
        for row in page(sizing, Look(width, UNICODE))
        for span in row
        if span.action.startswith("figure:")
    }


@pytest.mark.parametrize("name", ALL)
def test_every_figure_of_the_pages_opens(name: str) -> None:
    sizing = size(ALL[name]())
    figures = offered(sizing)
    assert len(figures) > 15
    done: dict[str, Working] = {}
    for figure in sorted(figures):
        found = elsewhere.opened(figure, sizing, Studies(size))
        assert found is not None, figure
        made = working(found.sizing, found.figure)
        opened(found.sizing, made.figure, done if found.sizing is sizing else {})


@pytest.mark.parametrize("name", ["llama70b", "deepseek", "finetune"])
@pytest.mark.parametrize("width", [40, 60, 100])
def test_a_working_is_read_without_scrolling_sideways(name: str, width: int) -> None:
    sizing = size(BUILDS[name]())
    for figure in sorted(offered(sizing)):
        found = elsewhere.opened(figure, sizing, Studies(size))
        assert found is not None
        for row in working_lines(found.sizing, found.figure, width, ASCII, found.whose):
            assert len(plain(row)) <= width, (figure, plain(row))


def test_a_working_shows_the_arithmetic_its_inputs_and_what_they_rest_on() -> None:
    sizing = size(BUILDS["llama70b"]())
    text = "\n".join(plain(row) for row in working_lines(sizing, "memory.kv_needed_tokens", 100, UNICODE))
    assert "users x tokens of a request" in text
    assert "prompt + answer" in text
    assert "7,000 + 1,000" in text
    assert "= 256,000 tokens" in text
    assert "entered" in text
    opened = working(sizing, "serving.inter_token_s")
    assert opened.formula == "decode step + prompts of others"
    step = next(entry for entry in opened.inputs if entry.label == "decode step")
    deep = "\n".join(plain(row) for row in working_lines(sizing, step.figure, 100, UNICODE))
    for words in ("max(reading KV, attention)", "opens", "ms"):
        assert words in deep
    for label in ("reading dense weights", "weight rate"):
        step = next(entry for entry in working(sizing, step.figure).inputs if entry.label == label)
    sheet = "\n".join(plain(row) for row in working_lines(sizing, step.figure, 100, UNICODE))
    assert sizing.scenario.hardware.accelerator.source[:30] in sheet
    assert "engine." not in deep + sheet


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (85_899_345_920, "bytes", "80.00 GiB (85,899,345,920 bytes)"),
        (0.0123, "s", "12.3 ms"),
        (1.8, "", "1.8"),
        (8192.0, "tokens", "8,192 tokens"),
        (4.1e-07, "s", "0.41 µs"),
    ],
)
def test_amounts(value: float, unit: str, words: str) -> None:
    assert amount(value, unit) == words


async def choose(app: Driver, figure: str) -> None:
    """Step through the figures of the page until one is chosen."""
    seen: list[str] = []
    while (chosen := app.app.workbench.results.chosen) != f"figure:{figure}":
        seen.append(chosen)
        assert len(seen) < 500, f"{figure} is not among {sorted(set(seen))}"
        await app.press("full_stop")


async def test_the_app_opens_the_figure_that_is_chosen() -> None:
    async with running(app_of(BUILDS["llama70b"]()), 120, 36) as app:
        await app.press("ctrl+t")
        await choose(app, "memory.weights_bytes")
        await app.press("enter")
        shown = app.text("#dialog-text")
        assert "Weights on one GPU" in shown
        assert "HOW IT COMES ABOUT" in shown
        assert "attention" in shown


async def test_up_and_down_keep_to_a_column_of_figures() -> None:
    async with running(app_of(BUILDS["llama70b"]()), 120, 36) as app:
        await app.press("ctrl+t", "5")
        results = app.app.workbench.results
        await app.press("m")  # every link of the catalog
        await choose(app, "fabric.nvlink-5.seconds")
        await app.press("down")
        assert results.chosen == "figure:fabric.nvlink-5-nvl72.seconds"
        await app.press("full_stop")
        assert results.chosen == "figure:fabric.nvlink-5-nvl72.prefill_seconds"
        await app.press("up", "comma")
        assert results.chosen == "figure:fabric.nvlink-5.seconds"


async def test_a_figure_of_a_pinned_build_opens_to_that_build() -> None:
    async with running(app_of(BUILDS["llama70b"]()), 120, 36) as app:
        await app.press("ctrl+t", "p", "escape")
        await app.go_to("hardware.gpus_per_node")
        await app.type("4")
        await app.press("ctrl+t", "9")
        await choose(app, "pin:A@power.total_w")
        await app.press("enter")
        shown = app.text("#dialog-text")
        assert "Pinned build A: 8 x " in shown
        assert "Not the build at hand." in " ".join(shown.split())
        await app.press("escape", "u")
        assert not app.app.store.pins, "u means the build whose figure is chosen"


async def test_what_a_figure_rests_on_opens_in_turn() -> None:
    async with running(app_of(BUILDS["llama70b"]()), 120, 36) as app:
        await app.press("ctrl+t")
        await choose(app, "memory.weights_bytes")
        await app.press("enter")
        top = app.text("#dialog-text")
        assert "Weights on one GPU" in top
        await app.press("full_stop", "enter")
        below = app.text("#dialog-text")
        assert below != top
        assert "HOW IT COMES ABOUT" in below
        assert "Weights on one GPU" not in below
        await app.press("escape")
        assert app.text("#dialog-text") == top
        await app.press("escape")
        assert app.app.screen is app.app.workbench
