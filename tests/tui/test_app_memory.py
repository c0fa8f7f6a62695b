"""What the app keeps in memory while one works with it: not what is closed."""

from __future__ import annotations

import gc

import pytest
from textual.strip import Strip

from tests.tui.builds import BUILDS
from tests.tui.driver import app_of, running


def _painted_rows() -> int:
    gc.collect()
    return sum(type(thing) is Strip for thing in gc.get_objects())


@pytest.mark.parametrize("key", ["ctrl+p", "ctrl+o", "f12", "f1", "ctrl+g"])
async def test_the_rows_of_a_closed_dialog_are_forgotten(key: str) -> None:
    async with running(app_of(BUILDS["llama70b"]())) as driver:
        await driver.press(key, "escape")  # what stays on screen is cut anew around the dialog, once
        before = _painted_rows()
        for _ in range(4):
            await driver.press(key, "escape")
        assert _painted_rows() < before + 40, "rows of four dialogs are kept"
