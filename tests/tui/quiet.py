"""Waiting until the app has dealt with everything, without guessing from the processor's load.

A pilot holds an app for idle when its process took less than a millisecond of a fiftieth of a second. That costs
twenty milliseconds at the least, a second on a busy machine, and says nothing about what the loop has yet to run.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

SOON_S = 0.025
"""A timer due within this belongs to what is under way: a list that filters as one types waits 20 ms."""
TURNS = 3
"""So many turns of the loop without anything to run are quiet: a thread or the terminal may answer in between."""


async def until_quiet(min_sleep: float = 0.0, max_sleep: float = 1.0) -> None:
    """Wait until the running loop has nothing to run now or soon; takes the place of Textual's `wait_for_idle`."""
    loop: Any = asyncio.get_running_loop()
    started = time.monotonic()
    turns = 0
    while turns < TURNS and time.monotonic() - started < max_sleep:
        await asyncio.sleep(0)
        due = [timer.when() for timer in loop._scheduled if not timer.cancelled()]
        wait = min(due, default=float("inf")) - loop.time()
        if loop._ready:
            turns = 0
        elif wait < SOON_S:
            turns = 0
            await asyncio.sleep(max(0.0, wait))
        else:
            turns += 1


@pytest.fixture(autouse=True, scope="session")
def quiet() -> Iterator[None]:
    """Every pilot waits so, and a search starts as soon as a test rests: a person's fifth of a second is nothing to see."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("textual.pilot.wait_for_idle", until_quiet)
        patch.setattr("textual.app.wait_for_idle", until_quiet)
        patch.setattr("textual.screen.UPDATE_PERIOD", 0.001)  # a pilot waits for the next frame after every key
        patch.setattr("tui.app.screens.study.PAUSE_S", 0.01)
        yield
