"""The Builds page: what makes it carry the load, the catalog's builds, their limits, and that a search never blocks typing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from textual import events

from engine.scenario import Scenario
from tests.tui.builds import BUILDS
from tests.tui.driver import Driver, app_of, running
from tests.tui.searched import SEARCH

SIZES = [(60, 20), (80, 24), (120, 36), (160, 48), (200, 50)]


@pytest.fixture
def scenario() -> Scenario:
    return BUILDS["llama70b"]()


@pytest.fixture
def crowded(scenario: Scenario) -> Scenario:
    """More users than the build holds; FP8 for the KV cache is enough."""
    work = replace(scenario.workload, concurrency=256, ttft_target_s=None, tokens_per_s_user_target=None)
    return replace(scenario, workload=work)


async def settle(app: Driver) -> None:
    """Wait for the searches under way."""
    while any(worker.group == "study" and not worker.is_finished for worker in app.app.workers):
        await asyncio.sleep(0.01)
    await app.pilot.pause()


async def choose(app: Driver, start: str) -> str:
    """Go back or on to the first thing on the page whose action starts so."""
    results = app.app.workbench.results
    actions = list(dict.fromkeys(action for _, _, action in results._targets))
    wanted = next((action for action in actions if action.startswith(start)), "")
    assert wanted, f"nothing starts with {start}: {actions}"
    for _ in range(2 * len(actions)):
        if results.chosen == wanted:
            return wanted
        await app.press("comma" if actions.index(results.chosen) > actions.index(wanted) else "full_stop")
    raise AssertionError(f"no way to {wanted}")


async def test_the_first_build_of_each_kind_opens_and_comes_back(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        await app.press("ctrl+t", "8")
        await settle(app)
        shown = app.text("#results")
        for rank in ("cheapest to buy", "cheapest to rent", "least power", "fewest GPUs"):
            assert rank in shown
        await choose(app, "build:0")
        await app.press("enter")
        opened = app.app.store.scenario
        assert opened.hardware != scenario.hardware
        assert opened.title == scenario.title
        assert opened.workload == scenario.workload
        assert app.app.store.sizing is not None
        assert app.app.store.sizing.verdict.carried
        await app.press("ctrl+z")
        assert app.app.store.scenario == scenario


async def test_the_smallest_change_is_applied_by_its_key(crowded: Scenario) -> None:
    async with running(app_of(crowded)) as app:
        await app.press("ctrl+t", "8")
        assert app.app.store.sizing is not None
        assert not app.app.store.sizing.verdict.carried
        await settle(app)
        assert "WHAT MAKES IT CARRY" in app.text("#results")
        await app.press("a")
        assert app.app.store.sizing.verdict.carried
        await settle(app)
        assert "THIS BUILD CARRIES IT" in app.text("#results")
        await app.press("ctrl+z")
        assert app.app.store.scenario == crowded


async def test_limits_narrow_the_search(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        await app.press("ctrl+t", "8")
        await settle(app)
        everything = len(app.app.studies.search.found)
        await choose(app, "limit:vendors")
        await app.press("enter")
        await app.type("amd")
        await app.press("enter")
        await settle(app)
        found = app.app.studies.search.found
        assert 0 < len(found) < everything
        assert {option.scenario.hardware.accelerator.vendor for option in found} == {"AMD"}
        assert "vendor AMD" in app.text("#results")
        await app.press("w")
        await app.type("power")
        await app.press("enter", "ctrl+u")
        await app.type("2.5x")
        await app.press("enter")
        assert "no unit" in app.text()
        await app.press("backspace", "enter")
        await settle(app)
        assert all((option.power_w or 0) <= 2500 for option in app.app.studies.search.found)


async def until(condition: Callable[[], bool]) -> None:
    """Let the app run until the condition holds, a minute at the most."""
    started = time.monotonic()
    while not condition() and time.monotonic() - started < 60:
        await asyncio.sleep(0)


@pytest.fixture
def in_small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that can be caught under way: it starts a moment after the last key, one build a turn of the loop."""
    monkeypatch.setattr("tui.app.screens.study.PAUSE_S", 0.1)
    monkeypatch.setattr("tui.app.screens.study.SLICE_S", 0.0)
    monkeypatch.setattr("engine.decide.builds.option_steps", SEARCH)


@pytest.mark.usefixtures("in_small_slices")
async def test_typing_goes_on_while_a_search_runs(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        await app.press("ctrl+t", "8", "escape")
        await app.go_to("workload.concurrency")
        await settle(app)
        search, store = app.app.studies.search, app.app.store
        app.app.post_message(events.Key("6", "6"))
        await until(lambda: search.running)
        assert store.scenario.workload.concurrency == 6
        assert search.running, "the search follows the edit"
        app.app.post_message(events.Key("4", "4"))
        await until(lambda: store.scenario.workload.concurrency == 64)
        assert store.scenario.workload.concurrency == 64
        assert search.done < search.cards, "the key did not wait for the search"
        await settle(app)
        assert not search.stale(store.scenario), "and this edit"
        assert search.ranked
        assert not search.running


@pytest.mark.usefixtures("in_small_slices")
async def test_a_search_is_stopped_and_started_again(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        await app.press("ctrl+t", "8")
        await until(lambda: app.app.studies.search.done >= 3)
        app.app.workbench.action_stop_search()
        await app.pilot.pause()
        assert "stopped after" in app.text("#results")
        await app.press("x")
        await settle(app)
        assert "found on" in app.text("#results")


async def test_nothing_is_searched_before_the_page_is_open(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        await app.go_to("workload.concurrency")
        await app.type("64")
        await settle(app)
        assert app.app.studies.search.asked is None


@pytest.mark.parametrize("build", ["llama70b", "llama405b", "finetune"])
async def test_no_line_is_wider_than_its_panel(build: str) -> None:
    async with running(app_of(BUILDS[build]()), *SIZES[0]) as app:
        await app.press("ctrl+t", "8")
        for terminal in SIZES:
            await app.resize(*terminal)
            await app.press("8")
            await settle(app)
            bench = app.app.workbench
            panel = bench.detail if bench.detail.page == "Builds" and bench.detail.size.width else bench.results
            assert panel.page == "Builds"
            assert len(panel.lines) > 8
            for row in panel.lines:
                text = "".join(span.text for span in row).rstrip()
                assert len(text) <= panel.inner_width, (terminal, text)


async def test_by_mouse(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        tabs = app.app.screen.query_one("#tabs")
        text = app.text("#tabs")
        await app.pilot.click(tabs, offset=(text.index("8"), 0))
        await settle(app)
        results = app.app.workbench.results
        row, *_ = next(target for target in results._targets if target[2] == "build:0")
        await app.pilot.click(results, offset=(5, row - results.top))
        await app.pilot.pause()
        assert app.app.store.scenario.hardware != scenario.hardware


async def test_in_three_columns_the_page_takes_the_keys(scenario: Scenario) -> None:
    async with running(app_of(scenario), 200, 50) as app:
        await app.press("ctrl+t", "8")
        await settle(app)
        assert app.app.workbench.focused is app.app.workbench.detail
        assert "Within" in app.text("#footer")
        await choose_in_detail(app)
        await app.press("enter")
        assert app.app.store.scenario.hardware != scenario.hardware


async def choose_in_detail(app: Driver) -> None:
    detail = app.app.workbench.detail
    for _ in range(100):
        if detail.chosen.startswith("build:"):
            return
        await app.press("down")
    raise AssertionError("no build of the list can be chosen")
