"""Each private of Textual that the app stands on, tried against the installed release; and that there are no others."""

from __future__ import annotations

import ast
import asyncio
import importlib
import pkgutil
from pathlib import Path

import pytest
from rich.text import Text
from textual import events
from textual.app import App, ComposeResult
from textual.containers import Vertical
from textual.drivers.headless_driver import HeadlessDriver
from textual.events import Callback
from textual.geometry import Size
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, Static

import tui.app
from tui.app import textual_privates as privates

HERE = Path(tui.app.__file__).parent
OURS = privates.__name__


class Watched(Vertical, privates.Still):
    resizes = 0

    def on_size_updated(self, resized: bool) -> None:
        self.resizes += resized


class Tried(privates.OwnEnding):
    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def compose(self) -> ComposeResult:
        with Watched(id="box"):
            yield Static("one")
            yield Input(id="typed")

    def before_defect(self) -> None:
        self.told.append("kept")

    def words_of_defect(self) -> Text | None:
        return Text("a defect, in words")


async def test_a_still_widget_hears_of_its_size_before_it_is_painted() -> None:
    app = Tried()
    async with app.run_test(size=(60, 20)) as pilot:
        box = app.query_one(Watched)
        before = box.resizes
        assert before
        await pilot.resize_terminal(80, 24)
        assert box.resizes == before + 1
        assert box.outer_size == Size(80, 24)


async def test_a_still_widget_keeps_the_styles_of_the_widget_it_is_mixed_into() -> None:
    app = Tried()
    async with app.run_test():
        assert str(app.query_one(Watched).styles.layout) == "<vertical>"
        assert app.query_one(Watched).styles.overflow_y == "hidden"


async def test_a_screen_is_laid_out_at_once() -> None:
    app = Tried()
    async with app.run_test(size=(60, 20)):
        assert privates.laid_out_for(app.screen) == Size(60, 20)
        privates.lay_out(app.screen, Size(50, 18))
        assert privates.laid_out_for(app.screen) == Size(50, 18)
        assert app.query_one(Watched).outer_size == Size(50, 18)


async def test_the_rows_of_a_widget_are_forgotten() -> None:
    app = Tried()
    async with app.run_test():
        shown = app.query_one(Static)
        shown.render_lines(shown.size.region)
        assert shown._styles_cache._cache
        privates.forget_rows(shown)
        assert not shown._styles_cache._cache


async def test_the_focus_stays_while_another_window_is_in_front() -> None:
    app = Tried()
    async with app.run_test() as pilot:
        app.query_one(Input).focus()
        await pilot.pause()
        app.post_message(events.AppBlur())
        await pilot.pause()
        assert app.focused is app.query_one(Input)
        app.post_message(events.AppFocus())
        await pilot.pause()
        assert app.focused is app.query_one(Input)


async def _run_into_a_defect(app: Tried) -> None:
    def defect() -> None:
        raise ZeroDivisionError

    async with app.run_test() as pilot:
        app.post_message(Callback(callback=defect))
        await pilot.pause()


async def test_a_defect_is_told_in_the_apps_own_words(capsys: pytest.CaptureFixture[str]) -> None:
    app = Tried()
    with pytest.raises(ZeroDivisionError):
        await _run_into_a_defect(app)
    assert app.told == ["kept"]
    assert capsys.readouterr().err.strip() == "a defect, in words"
    assert app.return_code == 1


class Threaded(privates.OwnInput, HeadlessDriver):
    def run_input_thread(self) -> None:
        raise LookupError("of the input thread")


async def test_a_driver_reaches_its_app_from_another_thread() -> None:
    app = Tried()
    heard: list[str] = []
    async with app.run_test() as pilot:
        assert privates.driver_of(app) is not None
        driver = Threaded(app, size=(80, 24))
        assert privates.app_of(driver) is app
        await asyncio.to_thread(privates.call_in_app, driver, heard.append, "called")
        posted = Callback(callback=lambda: heard.append("posted"))
        sent = await asyncio.to_thread(privates.post_from_thread, driver, posted)
        assert await asyncio.wrap_future(sent)
        await pilot.pause()
    assert sorted(heard) == ["called", "posted"]


async def _run_into_a_defect_of_the_thread(app: Tried) -> None:
    async with app.run_test() as pilot:
        await asyncio.to_thread(Threaded(app, size=(80, 24))._run_input_thread)
        await pilot.pause()


async def test_a_defect_of_the_input_thread_ends_the_app() -> None:
    app = Tried()
    with pytest.raises(LookupError):
        await _run_into_a_defect_of_the_thread(app)
    assert app.told == ["kept"]


async def test_a_driver_of_a_loop_that_has_ended_calls_nothing() -> None:
    app = Tried()
    async with app.run_test():
        driver = Threaded(app, size=(80, 24))
        loop = asyncio.new_event_loop()
        loop.close()
        driver._loop = loop
        called: list[int] = []
        privates.call_in_app(driver, called.append, 1)
        assert not called


async def test_what_waits_in_a_queue_is_counted() -> None:
    app = Tried()
    async with app.run_test():
        before = privates.waiting(app)
        for _ in range(3):  # nothing is dealt with until this coroutine gives way
            app.post_message(Callback(callback=lambda: None))
        assert privates.waiting(app) == before + 3


def test_the_parser_turns_what_a_terminal_sends_into_events() -> None:
    parser = privates.XTermParser(debug=False)
    keys = [event.key for event in parser.feed("a\x1b[A") if isinstance(event, events.Key)]
    assert keys == ["a", "up"]
    assert issubclass(privates.ParseError, Exception)


def _house_classes() -> list[type]:
    found = []
    for module in pkgutil.walk_packages(tui.app.__path__, "tui.app."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and value.__module__ == module.name and module.name != OURS:
                found.append(value)
    return found


def test_no_class_of_the_app_has_a_private_name_of_textuals() -> None:
    machinery = {name for base in (App, Screen, Widget, HeadlessDriver) for name in vars(type("Plain", (base,), {}))}
    shadowed = []
    for made in _house_classes():
        theirs = {name for base in made.__mro__ if base.__module__.startswith("textual") for name in vars(base)}
        own = {name for name in vars(made) if name.startswith("_") and not name.startswith("__")}
        own -= {f"_default_{name}" for name in vars(made)}  # a reactive's first value, set beside its public name
        shadowed += [f"{made.__qualname__}.{name}" for name in own & theirs - machinery]
    assert not shadowed


RECORDS = {"_replace", "_asdict", "_fields"}
"""Documented names of named tuples."""


def test_no_other_module_uses_a_private_name_of_textuals() -> None:
    used, defined = [], set(RECORDS)
    for path in HERE.rglob("*.py"):
        if path.stem == "textual_privates":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("textual"):
                assert "._" not in (node.module or ""), f"{path} imports {node.module}"
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                defined.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                defined.add(node.id)
            elif isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
                if isinstance(node.ctx, ast.Store):
                    defined.add(node.attr)
                else:
                    used.append((path.name, node.lineno, node.attr))
    assert not [place for place in used if place[2] not in defined]
