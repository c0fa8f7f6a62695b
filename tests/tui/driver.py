"""The app under a pilot, with what tests ask of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from textual import events
from textual.app import App
from textual.message_pump import MessagePump
from textual.pilot import Pilot
from textual.worker import WorkerCancelled

from catalog import load
from engine.decide.size import size
from engine.scenario import Scenario
from tui.app import SizeupApp
from tui.app.screens import study
from tui.app.widgets.canvas import Canvas
from tui.files import disk, folds
from tui.pages.doc import plain
from tui.pages.glyphs import UNICODE


def app_of(scenario: Scenario, path: Path | None = None, **options: Any) -> SizeupApp:
    """The app on a scenario, dark and in Unicode unless told otherwise."""
    usual: dict[str, Any] = {"theme": "dark", "glyphs": UNICODE, "stamp": disk.stamp_now(path) if path else ""}
    return SizeupApp(scenario, path, catalog=load(), size=size, **(usual | options))


async def settle(app: App[Any]) -> None:
    """Wait until everything is found that is searched for beside the sizing: flip points, builds, sweeps."""
    while searching := [worker for worker in app.workers if worker.group == study.GROUP and not worker.is_finished]:
        with suppress(WorkerCancelled):  # an edit gives a search up, and the next begins
            await app.workers.wait_for_complete(searching)


async def dealt_with(app: SizeupApp, timeout_s: float = 30.0) -> None:
    """Wait until every widget on screen has dealt with what was posted and what followed from it, or the app has ended.

    A pilot's own wait asks the app too, and where the app leaves meanwhile waits on for an answer that cannot come: what
    stands behind the end of a queue is never read. Raises TimeoutError.
    """
    assert app._task is not None
    for _ in range(3):
        if app._task.done():
            return
        pumps = (app, *app.screen.walk_children(with_self=True))
        answers = {pump: answer for pump in pumps if (answer := _asked(pump)) is not None}
        over = [asyncio.create_task(done) for done in (_all(answers.values()), app._exception_event.wait())]
        first, _ = await asyncio.wait((*over, app._task), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        silent = ", ".join(str(pump) for pump, answer in answers.items() if not answer.done())
        for waiting in over:
            waiting.cancel()
        if not first:
            raise TimeoutError(f"no answer within {timeout_s:g} s from {silent}")


def _asked(pump: MessagePump) -> asyncio.Future[None] | None:
    """A future that is done when the widget has dealt with all that it was sent; None where it is closed."""
    answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def done() -> None:
        if not answer.done():
            answer.set_result(None)

    return answer if pump.call_later(done) else None


async def _all(answers: Iterable[asyncio.Future[None]]) -> None:
    for answer in answers:
        await answer


class Driver:
    """Keys in, text out."""

    def __init__(self, app: SizeupApp, pilot: Pilot[int]) -> None:
        self.app = app
        self.pilot = pilot

    async def press(self, *keys: str) -> None:
        """Press keys one after another, each when the one before has been dealt with.

        A pilot's own press waits for the processor to be idle, which takes a tenth of a second a key.
        """
        for key in keys:
            char = key if len(key) == 1 else _CHARACTERS.get(key)
            await self.send(events.Key(key, char))
        await self.pilot.pause()

    async def send(self, event: events.Event) -> None:
        """Hand an event to the app and wait until every widget has dealt with what follows."""
        event.set_sender(self.app)
        self.app.post_message(event)
        await dealt_with(self.app)

    async def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size."""
        await self.pilot.resize_terminal(columns, rows)
        await self.pilot.pause()

    async def settle(self) -> None:
        """Wait for what is searched for beside the sizing."""
        await settle(self.app)
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        """Type text."""
        await self.press(*(_NAMES.get(char, char) for char in text))

    async def go_to(self, key: str) -> None:
        """Tab to a field, opening the heading that it stands under on the way."""
        form = self.app.workbench.form
        for _ in range(80):
            if form.key == key:
                return
            fold = form.fold
            inside = fold is not None and any(
                field.key == key and folds.fold_of(field) is fold for field in form.fields
            )
            await self.press("enter" if inside and fold is not None and fold.key not in form.opened else "tab")
        raise AssertionError(f"no way to {key}")

    async def click(self, selector: str, words: str, skip: int = 0) -> None:
        """Turn the wheel until the words are in view, and click them. skip: so many characters into them."""
        canvas = self.app.screen.query_one(selector, Canvas)
        row = next(number for number, spans in enumerate(canvas.lines) if words in plain(spans))
        for _ in range(100):
            if canvas.top <= row < canvas.top + canvas.size.height:
                break
            turned = events.MouseScrollDown if row > canvas.top else events.MouseScrollUp
            canvas.post_message(turned(canvas, 1, 1, 0, 1, 0, False, False, False))
            await self.pilot.pause()
        column = plain(canvas.lines[row]).index(words) + skip
        await self.pilot.click(selector, offset=(column, row - canvas.top))
        await self.pilot.pause()

    def text(self, selector: str = "") -> str:
        """What is on screen, or in one part of it, line by line."""
        if selector:
            canvas = self.app.screen.query_one(selector, Canvas)
            return "\n".join(plain(row) for row in canvas.lines)
        width, height = self.app.size
        rows = self.app.screen._compositor.render_strips(self.app.size)
        return "\n".join(strip.text[:width] for strip in rows[:height])


FIRST_PAGE = {(80, 24): 160, (120, 36): 200}
"""Words that the answer and the first page of results stay under, by the size of the terminal."""


def words_in_sight(app: Driver) -> int:
    """Words that are in sight on the results' side: those of the answer and of the page."""
    seen = ""
    for selector in ("#verdict", "#results"):
        canvas = app.app.screen.query_one(selector, Canvas)
        rows = canvas.lines[canvas.top : canvas.top + canvas.size.height]
        seen += " ".join(plain(row) for row in rows) + " "
    return len([word for word in seen.split() if re.search(r"\w", word)])


_NAMES = {" ": "space", ".": "full_stop", "/": "slash", "-": "minus", "_": "underscore", "~": "tilde"}
_CHARACTERS = {name: char for char, name in _NAMES.items()} | {"question_mark": "?"}


@asynccontextmanager
async def running(app: SizeupApp, columns: int = 120, rows: int = 36) -> AsyncIterator[Driver]:
    """Run the app in a terminal of that size."""
    async with app.run_test(size=(columns, rows)) as pilot:
        await pilot.pause()
        while app._ahead is not None:  # keys wait for the first frame until then
            await pilot.pause()
        yield Driver(app, pilot)
