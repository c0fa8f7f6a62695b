"""What the app takes of Textual that Textual does not promise: all of it, each with a test of its own.

Textual's minor releases may rename or drop any of these, so `pyproject.toml` admits the tested series only. Nothing else
in `tui.app` touches a private name of Textual; `tests/tui/test_textual_privates.py` holds that and says which of them
a new release has broken.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable
from typing import Any

from rich.text import Text
from textual import events
from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.driver import Driver
from textual.geometry import Size
from textual.message import Message
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.widget import Widget

__all__ = [
    "OwnEnding",
    "OwnInput",
    "ParseError",
    "Still",
    "XTermParser",
    "app_of",
    "call_in_app",
    "driver_of",
    "forget_rows",
    "laid_out_for",
    "lay_out",
    "post_from_thread",
    "waiting",
]


class Still(Widget):
    """A widget in which nothing scrolls by Textual's bars: its layout never asks for the next one.

    It stands after the widget that it is mixed into, whose styles Textual takes from the first base alone.
    """

    def _size_updated(self, size: Size, virtual_size: Size, container_size: Size, layout: bool = True) -> bool:
        resized = super()._size_updated(size, virtual_size, container_size, layout=False)
        self.on_size_updated(resized)
        return resized

    def on_size_updated(self, resized: bool) -> None:
        """Called in a layout, before anything of it is painted; resized: whether the widget's size is another."""


class OwnInput(Driver):
    """A driver whose input thread is the subclass's `run_input_thread`."""

    def run_input_thread(self) -> None:
        """Read until the terminal is gone."""
        raise NotImplementedError

    def _run_input_thread(self) -> None:
        """A defect here ends the app as any other does: work kept, exit code 1."""
        try:
            self.run_input_thread()
        except Exception as error:
            call_in_app(self, self._app._handle_exception, error)


class OwnEnding(App[int], inherit_bindings=False):
    """An app that says by itself how a defect ends it, and that keeps its focus while another window is in front."""

    def before_defect(self) -> None:
        """Called before a defect ends the app."""

    def words_of_defect(self) -> Text | None:
        """What is printed after the app has left because of a defect; None: Textual's own page."""
        return None

    async def _on_app_blur(self, event: events.AppBlur) -> None:
        """Keep the focus: losing it would repaint both ways."""
        event.prevent_default()

    async def _on_app_focus(self, event: events.AppFocus) -> None:
        """Nothing was lost."""
        event.prevent_default()

    def _handle_exception(self, error: Exception) -> None:
        self.before_defect()
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        words = self.words_of_defect()
        if words is None:
            super()._fatal_error()
            return
        self._exit_renderables.append(words)
        self._close_messages_no_wait()


def driver_of(app: App[Any]) -> Driver | None:
    """The driver that an app writes by; None before it runs."""
    return app._driver


def app_of(driver: Driver) -> App[Any]:
    """The app that a driver feeds."""
    return driver._app


def call_in_app(driver: Driver, call: Callable[..., object], *arguments: object) -> None:
    """Have the loop of a driver's app make a call, from another thread; nothing where the loop has ended."""
    if not driver._loop.is_closed():
        driver._loop.call_soon_threadsafe(call, *arguments)


def post_from_thread(driver: Driver, message: Message) -> concurrent.futures.Future[bool]:
    """Hand a message to a driver's app from another thread; done when it stands in the app's queue."""
    return asyncio.run_coroutine_threadsafe(driver._app._post_message(message), loop=driver._loop)


def waiting(pump: MessagePump) -> int:
    """How many messages wait in the queue of an app, a screen or a widget."""
    return pump._message_queue.qsize()


def lay_out(screen: Screen[Any], size: Size) -> None:
    """Lay a screen out for a size at once, without the repaint that a resume brings."""
    screen._refresh_layout(size)


def laid_out_for(screen: Screen[Any]) -> Size:
    """The size that a screen was last laid out for."""
    return screen._size


def forget_rows(widget: Widget) -> None:
    """Drop the painted rows that Textual keeps of a widget."""
    widget._styles_cache.clear()
