"""The app: starts the workbench, thins out what is sent, and leaves without losing work."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import traceback
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from tui.app.base import SizeupBase
from tui.app.screens.workbench import Workbench
from tui.app.textual_privates import driver_of

EACH = (700, 10, 10)
"""Objects between collections of garbage, by generation, as Python starts: a start waits longer, the app must not."""


class SizeupApp(SizeupBase, inherit_bindings=False):
    """Sizes one build live: the workbench, and what happens when the terminal goes away."""

    CSS_PATH = "sizeup.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "leave", "Quit", priority=True, show=False, id="quit"),
        Binding("ctrl+c", "how_to_leave", show=False),
    ]

    _ahead: list[events.Key] | None = None

    @property
    def workbench(self) -> Workbench:
        """The one main screen."""
        return next(screen for screen in self.screen_stack if isinstance(screen, Workbench))

    def get_default_screen(self) -> Workbench:
        """The workbench is the default screen: no blank one is painted before it."""
        return Workbench()

    def on_load(self) -> None:
        """Keep what is typed ahead, and take the person's own keys."""
        self._ahead = []
        if self.keymap.own:
            self.set_keymap({command: ",".join(keys) for command, keys in self.keymap.own.items()})

    def on_mount(self) -> None:
        """Thin out what is sent, and save the work when the terminal goes away."""
        driver = driver_of(self)
        if driver is not None and not self.is_headless:
            write = driver.write
            setattr(driver, "write", lambda data: write(self.wire.thrifty(data)))  # noqa: B010  # drivers have no hook for this
        loop = asyncio.get_running_loop()
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
            try:
                loop.add_signal_handler(number, self.cut_off, number)
            except (NotImplementedError, RuntimeError, ValueError):  # not the main thread, or no such signals
                return

    def on_ready(self) -> None:
        """Collect garbage from now on, but not what the start has made: that stays."""
        gc.freeze()
        gc.set_threshold(*EACH)
        gc.enable()

    async def on_event(self, event: events.Event) -> None:
        """Keys that come before the first frame wait for it."""
        if self._ahead is not None and isinstance(event, events.Key):
            self._ahead.append(event)
        else:
            await super().on_event(event)

    def on_workbench_begun(self, event: Workbench.Begun) -> None:
        """Deal with keys typed ahead, unless they would answer a question that nobody has read."""
        ahead, self._ahead = self._ahead or [], None
        for key in ahead if not event.asks else ():
            self.post_message(key)

    def on_resize(self, event: events.Resize) -> None:
        """A terminal that changes its size may show anything."""
        self.wire.forget()

    def before_defect(self) -> None:
        """Keep unsaved work before a defect ends the program; the next start offers it."""
        with contextlib.suppress(Exception):  # the first defect is the one to tell
            self.keeper.keep(self.store)

    def words_of_defect(self) -> Text | None:
        """Say what happened in a few lines; SIZEUP_DEBUG=1 gives Textual's full page."""
        if os.environ.get("SIZEUP_DEBUG") or self.is_headless:
            return None
        kept = ""
        if self.store.dirty:
            kept = self._lost() if self.keeper.problem else "Unsaved work is kept and offered at the next start.\n"
        return Text(f"{traceback.format_exc(limit=-6)}\nsizeup: a defect. {kept}")

    def cut_off(self, number: int = signal.SIGHUP) -> None:
        """The terminal has gone away, or the program is to end: keep the work and leave as a shell reports a signal."""
        kept = self.keeper.keep(self.store)
        code = 128 + number
        self.exit(code, return_code=code, message=None if kept else Text(f"sizeup: {self._lost().strip()}"))

    def _lost(self) -> str:
        return f"Unsaved work could not be kept: {self.keeper.problem}\n"

    def action_leave(self) -> None:
        """Quit; dialogs are left first, and the workbench asks about unsaved work."""
        while isinstance(self.screen, ModalScreen):
            self.screen.dismiss(None)
        self.workbench.action_quit()

    def action_how_to_leave(self) -> None:
        """Ctrl+C does not lose work."""
        self.workbench.say(f"{self.keymap.shown('quit')} quits.")
