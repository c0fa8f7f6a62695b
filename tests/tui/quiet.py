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
FRAMES = 8
"""So many frames in a row are no news: a screen below a dialog that has something to paint asks for frames until it is on top."""


async def until_quiet(min_sleep: float = 0.0, max_sleep: float = 1.0) -> None:
    """Wait until the running loop has nothing to run now or soon; takes the place of Textual's `wait_for_idle`."""
    loop: Any = asyncio.get_running_loop()
    started = time.monotonic()
    turns = frames = 0
    while turns < TURNS and time.monotonic() - started < max_sleep:
        await asyncio.sleep(0)
        due = [timer for timer in loop._scheduled if not timer.cancelled()]
        if frames >= FRAMES:
            due = [timer for timer in due if not _is_frame(timer)]
        first = min(due, key=lambda timer: float(timer.when()), default=None)
        wait = first.when() - loop.time() if first is not None else float("inf")
        if loop._ready:
            turns = 0
        elif first is not None and wait < SOON_S:
            turns, frames = 0, frames + 1 if _is_frame(first) else 0
            await asyncio.sleep(max(0.0, wait))
        else:
            turns += 1


def _is_frame(timer: Any) -> bool:
    """Whether a timer of the loop is the sleep of a screen until its next frame."""
    for sleeping in timer._args or ():
        for callback, _ in getattr(sleeping, "_callbacks", None) or ():
            task = getattr(callback, "__self__", None)
            if isinstance(task, asyncio.Task) and task.get_name() == "screen_update":
                return True
    return False


@pytest.fixture(autouse=True, scope="package")
def quiet() -> Iterator[None]:
    """Every pilot waits so, and a search starts as soon as a test rests: a person's fifth of a second is nothing to see."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("textual.pilot.wait_for_idle", until_quiet)
        patch.setattr("textual.app.wait_for_idle", until_quiet)
        patch.setattr("textual.screen.UPDATE_PERIOD", 0.001)  # a pilot waits for the next frame after every key
        patch.setattr("tui.app.screens.study.PAUSE_S", 0.01)
        yield
