"""Terminals that change their size: whoever had the keys has them again."""

from __future__ import annotations

import pytest
from textual.widget import Widget

from tests.tui.builds import BUILDS
from tests.tui.driver import app_of, running
from tui.app.screens import study


@pytest.mark.parametrize("small", [(50, 12), (120, 19), (59, 40)])
@pytest.mark.parametrize("results", [False, True])
async def test_the_keys_work_again_once_the_terminal_has_grown_back(
    small: tuple[int, int], results: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study, "PAUSE_S", 3600.0)
    async with running(app_of(BUILDS["llama70b"]())) as driver:
        bench = driver.app.workbench
        await driver.go_to("workload.concurrency")
        if results:
            await driver.press("ctrl+t")
        await driver.pilot.resize_terminal(*small)
        await driver.pilot.pause()
        await driver.press("7")  # nobody sees a field now
        await driver.pilot.resize_terminal(120, 36)
        await driver.pilot.pause()
        assert bench.focused is (bench.results if results else bench.form)
        await driver.press("4")
        assert (bench.results.page == "Speed") is results
        assert (driver.app.store.scenario.workload.concurrency == 4) is not results


async def test_the_keys_work_after_the_focused_column_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "PAUSE_S", 3600.0)
    async with running(app_of(BUILDS["llama70b"]()), 170, 48) as driver:
        bench = driver.app.workbench

        def focused() -> Widget | None:
            return bench.focused

        await driver.press("ctrl+t", "2")
        bench.set_focus(bench.detail)
        await driver.pilot.resize_terminal(90, 30)
        await driver.pilot.pause()
        assert focused() is bench.results
        await driver.press("3", "escape")
        assert focused() is bench.form


async def test_the_keys_work_after_a_dialog_in_a_terminal_that_shrank(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "PAUSE_S", 3600.0)
    async with running(app_of(BUILDS["llama70b"]())) as driver:
        await driver.press("f1")
        await driver.pilot.resize_terminal(50, 12)
        await driver.pilot.resize_terminal(80, 24)
        await driver.press("escape")
        assert driver.app.workbench.focused is driver.app.workbench.form
