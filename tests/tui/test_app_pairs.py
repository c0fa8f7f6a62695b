"""Two events in one turn of the loop, as a slow line delivers them: every dialog is answered once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from textual import events

from tests.tui.builds import BUILDS
from tests.tui.driver import Driver, app_of, dealt_with, running
from tui.app import SizeupApp
from tui.app.screens import study
from tui.app.screens.dialog import Dialog
from tui.files import session

CHARACTERS = {"enter": "\r", "escape": "\x1b", "question_mark": "?"}


def key(name: str) -> events.Key:
    return events.Key(name, name if len(name) == 1 else CHARACTERS.get(name))


async def at_once(driver: Driver, posted: Iterable[events.Event]) -> None:
    """Post events without giving the loop a turn between them, and wait until all are dealt with."""
    for event in posted:
        event.set_sender(driver.app)
        driver.app.post_message(event)
    for _ in range(2):
        await dealt_with(driver.app)
    await driver.pilot.pause()


def dialogs(app: SizeupApp) -> int:
    return sum(isinstance(screen, Dialog) for screen in app.screen_stack)


OPENERS: dict[str, tuple[str, ...]] = {
    "picker": ("enter",),
    "palette": ("ctrl+p",),
    "help": ("f1",),
    "open": ("ctrl+o",),
    "save as": ("f12",),
    "report": ("ctrl+e",),
    "file of a report": ("ctrl+e", "end", "down", "down", "down", "enter"),
    "working": ("ctrl+t", "enter"),
    "limits": ("ctrl+t", "6", "w"),
    "value of a limit": ("ctrl+t", "6", "w", "enter"),
    "rename": ("ctrl+t", "9", "down", "r"),
    "pinned build": ("ctrl+t", "9", "down", "enter"),
    "quit question": ("tab", "tab", "tab", "tab", "right", "ctrl+q"),
}
PAIRS = (("enter", "enter"), ("escape", "escape"), ("enter", "escape"), ("c", "c"), ("q", "q"), ("ctrl+q", "enter"))


@pytest.mark.parametrize("opener", OPENERS)
async def test_two_keys_in_one_turn_close_a_dialog_once(
    opener: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(study, "PAUSE_S", 3600.0)  # nothing is searched for meanwhile
    left = list(PAIRS)
    while left:
        async with running(app_of(BUILDS["llama70b"](), tmp_path / "session.toml")) as driver:
            await driver.press("ctrl+t", "p", "ctrl+t")
            while left and not driver.app._exit:
                await driver.press(*OPENERS[opener])
                assert dialogs(driver.app) == 1
                await at_once(driver, map(key, left.pop()))
                if not driver.app._exit:
                    for _ in range(4):  # a save asks for a name, a file in the way for leave to replace it
                        await driver.press("escape")
                    assert dialogs(driver.app) == 0


async def _save_over(driver: Driver, path: Path) -> None:
    other = path.with_name("other.toml")
    other.write_text("theirs")
    await driver.press("f12", "ctrl+u")
    await driver.type(str(other))
    await driver.press("enter")


async def _save_changed(driver: Driver, path: Path) -> None:
    path.write_text("theirs")
    await driver.press("ctrl+s")


async def _save_gone(driver: Driver, path: Path) -> None:
    path.unlink()
    await driver.press("ctrl+s")


async def _report_over(driver: Driver, path: Path) -> None:
    await driver.press("ctrl+e")
    await driver.type("write json")
    await driver.press("enter", "ctrl+u")
    await driver.type(str(path))
    await driver.press("enter")


async def _open_unsaved(driver: Driver, _path: Path) -> None:
    await driver.press("ctrl+o")


async def _new_unsaved(driver: Driver, _path: Path) -> None:
    await driver.press("ctrl+n")


async def _news(driver: Driver, _path: Path) -> None:
    await driver.press("ctrl+g")


async def _kept_work(_driver: Driver, _path: Path) -> None:
    """It is asked at the start."""


QUESTIONS: dict[str, tuple[Callable[[Driver, Path], Awaitable[None]], str]] = {
    "over a file": (_save_over, "r"),
    "over a change": (_save_changed, "r"),
    "a file that is gone": (_save_gone, "w"),
    "a report over a file": (_report_over, "r"),
    "unsaved work before another session": (_open_unsaved, "d"),
    "unsaved work before a new session": (_new_unsaved, "s"),
    "news": (_news, "d"),
    "kept work": (_kept_work, "o"),
}


@pytest.mark.parametrize("question", QUESTIONS)
async def test_two_keys_in_one_turn_answer_a_question_once(
    question: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(study, "PAUSE_S", 3600.0)
    path, state = tmp_path / "session.toml", tmp_path / "state" / "sizeup"
    state.mkdir(parents=True)
    ask, letter = QUESTIONS[question]
    for pair in ((letter, letter), ("enter", "enter"), ("escape", letter)):
        session.save(BUILDS["llama70b"](), path)
        if question == "kept work":
            (state / "unsaved-0.toml").write_text(session.dump(BUILDS["llama70b"]()))
        set_aside = ("a file of yours was damaged",) if question == "news" else ()
        async with running(app_of(BUILDS["llama70b"](), path, set_aside=set_aside)) as driver:
            if question not in ("news", "kept work"):
                driver.app.store.edit(replace(BUILDS["llama70b"](), title="edited"))
            await ask(driver, path)
            assert dialogs(driver.app) == 1
            await at_once(driver, map(key, pair))
            for _ in range(3):  # a list of sessions or a name may be asked for next
                await driver.press("escape")
            assert dialogs(driver.app) == 0
            await driver.press("f1")
            assert "EVERYWHERE" in driver.text("#dialog-text")


async def test_a_dialog_asked_for_twice_in_one_turn_opens_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(study, "PAUSE_S", 3600.0)
    async with running(app_of(BUILDS["llama70b"]())) as driver:
        for pressed in ("enter", "ctrl+p", "f1", "ctrl+o", "f12", "ctrl+e", "question_mark"):
            await at_once(driver, [key(pressed), key(pressed)])
            assert dialogs(driver.app) == 1, pressed
            await driver.press("escape")
            assert dialogs(driver.app) == 0, pressed


async def test_what_is_typed_in_one_turn_goes_on_where_it_ended() -> None:
    async with running(app_of(BUILDS["llama70b"]())) as driver:
        await driver.go_to("workload.concurrency")
        await at_once(driver, map(key, "12"))
        await driver.press("8")
        assert driver.app.store.scenario.workload.concurrency == 128
        await at_once(driver, map(key, "xy"))
        await driver.press("backspace", "backspace", "0")
        assert driver.app.store.scenario.workload.concurrency == 1280


async def test_quick_clicks_beside_a_dialog_close_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "PAUSE_S", 3600.0)
    async with running(app_of(BUILDS["llama70b"]())) as driver:
        await driver.press("f1")
        click = [kind(None, 0, 0, 0, 0, 1, False, False, False, 0, 0) for kind in (events.MouseDown, events.MouseUp)]
        again = [kind(None, 0, 0, 0, 0, 1, False, False, False, 0, 0) for kind in (events.MouseDown, events.MouseUp)]
        await at_once(driver, [*click, *again])
        assert dialogs(driver.app) == 0
        await driver.press("f1")
        assert dialogs(driver.app) == 1


@pytest.mark.parametrize("size", [(1, 1), (120, 36)])
@pytest.mark.parametrize("button", [1, 3])
async def test_a_double_click_on_a_dialog_selects_no_text(
    size: tuple[int, int], button: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no text to select, and painting such a selection of a dialog's screen ended the app."""
    monkeypatch.setattr(study, "PAUSE_S", 3600.0)
    async with running(app_of(BUILDS["llama70b"]())) as driver:
        for opened in ("f1", "f12", "ctrl+p"):
            await driver.press(opened)
            await driver.pilot.resize_terminal(*size)
            for _ in range(3):
                place = (0, 0, 0, 0, button, False, False, False, 0, 0)
                await at_once(driver, [kind(None, *place) for kind in (events.MouseDown, events.MouseUp)])
                assert not driver.app.screen.selections
            driver.app.screen.refresh()
            await driver.pilot.resize_terminal(120, 36)
            await driver.press("escape", "escape")
