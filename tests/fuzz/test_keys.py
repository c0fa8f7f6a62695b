"""A short round of random keys in the suite, and what they found."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.fuzz import after, keys
from tests.tui.builds import BUILDS
from tests.tui.driver import app_of, dealt_with, running
from tui.app.screens.list_dialog import ItemList, ListDialog


@pytest.mark.parametrize("seed", [2, 12])
def test_random_keys_neither_end_nor_freeze_the_app(seed: int) -> None:
    counts = keys.run(seed, after(10**6), most=150)
    assert counts["cases"] >= 150


async def test_an_app_that_leaves_while_it_is_waited_for_is_not_frozen() -> None:
    async with running(app_of(BUILDS["llama70b"]())) as driver:
        driver.app.exit()  # the end of the app's queue comes before what it is asked next, which it never hears
        await keys.dealt_with(driver.app)
        assert not keys.kept_alive(driver.app)


async def test_a_widget_that_never_answers_is_named() -> None:
    async with running(app_of(BUILDS["llama70b"]())) as driver:
        held = asyncio.Event()
        driver.app.workbench.form.call_later(held.wait)
        try:
            with pytest.raises(TimeoutError, match="Form"):
                await dealt_with(driver.app, timeout_s=0.2)
        finally:
            held.set()


async def test_a_click_on_a_row_that_the_filter_took_away_is_no_answer() -> None:
    async with running(app_of(BUILDS["llama70b"]())) as driver:
        await driver.press("ctrl+p")
        dialog = driver.app.screen
        assert isinstance(dialog, ListDialog)
        drawn = len(dialog.list.items)
        await driver.type("undo")
        dialog.list.post_message(ItemList.Picked(drawn - 1))
        await driver.press("x")
        assert driver.app.screen is dialog


async def test_a_target_that_an_edit_takes_away_has_no_flip_point() -> None:
    scenario = replace(BUILDS["llama70b"](), workload=replace(BUILDS["llama70b"]().workload, requests_per_s=1.0))
    async with running(app_of(scenario)) as driver:
        await driver.settle()
        assert any(flip.field == "workload.requests_per_s" for flip in driver.app.studies.flips.points)
        driver.app.store.edit(replace(scenario, workload=replace(scenario.workload, requests_per_s=None)))
        assert driver.app.studies.flips.points
        assert "requests/s" not in driver.text("#verdict")


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (200, 2)])
async def test_no_terminal_is_too_small_to_say_so(size: tuple[int, int]) -> None:
    async with running(app_of(BUILDS["llama70b"]())) as driver:
        for opened in ("f1", "ctrl+p", "ctrl+o", "f12", "ctrl+e"):
            await driver.press(opened)
            await driver.pilot.resize_terminal(*size)
            await driver.press("escape")
            await driver.pilot.resize_terminal(120, 36)
        await driver.press("f1")
        assert "EVERYWHERE" in driver.text("#dialog-text")
