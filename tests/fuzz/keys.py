"""Random keys, clicks, pastes and resizes, two at a time in one turn of the loop: the app neither ends nor freezes.

`python -m tests.fuzz.keys --seed 7 --keys 2000` runs one seed by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from textual import events
from textual.pilot import Pilot

from tests.fuzz import WAITING, within
from tests.tui import driver
from tests.tui.builds import BUILDS
from tui.app import SizeupApp
from tui.app.screens.dialog import Dialog

FROZEN_S = 30.0
"""Of the processor: an app that has not dealt with a key by then never will. The slowest search steps take a second."""
NAMED = {
    "enter": "\r",
    "escape": "\x1b",
    "tab": "\t",
    "shift+tab": None,
    "space": " ",
    "backspace": "\x7f",
    **dict.fromkeys(("up", "down", "left", "right", "home", "end", "pageup", "pagedown", "delete")),
    **dict.fromkeys(f"ctrl+{letter}" for letter in "cegloprstuwyz"),
    **dict.fromkeys(("ctrl+n", "ctrl+q", "f1", "f2", "f3", "f4", "f9", "f12")),
    "full_stop": ".",
    "comma": ",",
    "question_mark": "?",
    "minus": "-",
    "slash": "/",
    "tilde": "~",
}
OFTEN = ("up", "down", "enter", "tab", "escape", "left", "right", "shift+tab", "ctrl+t", "ctrl+z", "ctrl+y", "ctrl+o")
LETTERS = "0123456789abcdefghijklmnopqrstuvwxyzé"
PASTES = (
    *("8k", "-1", "1e400", "", "\n\n", "70b\t8", "x" * 5000, "\x1b[31m", "9" * 400, "../..", "~/", "/dev/null/x"),
    *("n" * 300, "a/" * 60, "\u202eabc", "大規模", "0.5\r\n", "none", "$2,000.50"),
)
SIZES = ((120, 36), (80, 24), (60, 20), (59, 19), (170, 50), (20, 5), (200, 60), (100, 30), (1, 1))


def press(name: str) -> events.Key:
    """A key by its name, as the driver tells it."""
    return events.Key(name, NAMED.get(name, name))


def an_event(draw: random.Random, size: tuple[int, int]) -> list[events.Event]:
    """One thing that a person or a terminal does, as the driver would tell it."""
    what = draw.random()
    if what < 0.45:
        return [press(draw.choice(OFTEN))]
    if what < 0.60:
        return [press(draw.choice(list(NAMED)))]
    if what < 0.85:
        return [press(draw.choice(LETTERS))]
    if what < 0.92:
        x, y = draw.randrange(size[0]), draw.randrange(size[1])
        place = (x, y, 0, 0, draw.choice((1, 1, 1, 3)), False, False, False, x, y)
        return [kind(None, *place) for kind in (events.MouseDown, events.MouseUp)]
    if what < 0.95:
        x, y = draw.randrange(size[0]), draw.randrange(size[1])
        return [
            draw.choice((events.MouseScrollDown, events.MouseScrollUp))(None, x, y, 0, 1, 0, False, False, False, x, y)
        ]
    return [events.Paste(draw.choice(PASTES))]


async def dealt_with(app: SizeupApp) -> None:
    """Wait until every widget has dealt with what was posted. Raises Failure for an app that is frozen or spins."""
    with within(FROZEN_S, "the app is frozen"):
        await driver.dealt_with(app, WAITING * FROZEN_S)


def kept_alive(app: SizeupApp) -> bool:
    """Whether the app goes on; False after it was asked to leave. Raises what ended it."""
    if app._exception is not None:
        raise app._exception
    return not app._exit


async def _played(draw: random.Random, stop: Callable[[], bool], most: int, counts: Counter[str]) -> None:
    """One run of the app, until it leaves, the keys are used up or it is time to stop."""
    app = driver.app_of(draw.choice(list(BUILDS.values()))())
    size = draw.choice(SIZES[:3])
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        while counts["cases"] < most and not stop():
            posted = [event for _ in range(draw.choice((1, 1, 2, 2, 3))) for event in an_event(draw, size)]
            if draw.random() < 0.02:
                size = draw.choice(SIZES)
                await pilot.resize_terminal(*size)
                counts["resizes"] += 1
            for event in posted:
                event.set_sender(app)
                app.post_message(event)
            counts["cases"] += len(posted)
            await dealt_with(app)
            if not kept_alive(app):
                counts["left"] += 1
                return
            depth = sum(isinstance(screen, Dialog) for screen in app.screen_stack)
            assert depth <= 3, f"{depth} dialogs, one above another"
        await _still_heard(app, pilot)


async def _still_heard(app: SizeupApp, pilot: Pilot[int]) -> None:
    """After all that, Escape leads back and a digit opens a page."""
    await pilot.resize_terminal(120, 36)
    for name in ("escape",) * 6 + ("ctrl+t",):
        pressed = press(name)
        pressed.set_sender(app)
        app.post_message(pressed)
        await dealt_with(app)
    await pilot.pause()
    assert app.workbench.focused is not None, "no panel has the keys"
    kept_alive(app)


@contextmanager
def somewhere_else() -> Iterator[None]:
    """A fresh working folder and fresh folders of a person: what is saved and remembered is nobody's."""
    before, variables = Path.cwd(), ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")
    stated = {name: os.environ.get(name) for name in variables}
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update({name: str(Path(folder, name.lower())) for name in variables})
        work = Path(folder, "work")
        work.mkdir()
        os.chdir(work)
        try:
            yield
        finally:
            os.chdir(before)
            for name, value in stated.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})


def run(seed: int, stop: Callable[[], bool], most: int = 10**9) -> Counter[str]:
    """Play random keys until `stop` or `most` events; how many, and how many runs they left the app by its own ways.

    Raises what ended the app, or AssertionError for a frozen one.
    """
    draw = random.Random(seed)
    counts: Counter[str] = Counter()
    with somewhere_else():
        while counts["cases"] < most and not stop():
            asyncio.run(_played(draw, stop, most, counts))
            counts["runs"] += 1
    return counts


def main() -> None:
    """One seed, or several, by themselves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    parser.add_argument("--keys", type=int, default=2000, help="events of each")
    options = parser.parse_args()
    total: Counter[str] = Counter()
    for seed in range(options.seed, options.seed + options.seeds):
        counts = run(seed, lambda: False, options.keys)
        total += counts
        print(f"seed {seed}: {dict(counts)}", flush=True)
    print(f"in all: {dict(total)}")


if __name__ == "__main__":
    main()
