"""The app: holds the store, the theme and the glyphs; the workbench does the rest."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import signal
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import App
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.theme import Theme

from catalog import Catalog
from engine.scenario import Scenario
from engine.sizing import Sizing
from tui import glyphs as glyph_sets
from tui import settings
from tui import theme as themes
from tui.doc import Line
from tui.glyphs import Glyphs
from tui.pages import PAGES
from tui.pages.sections import Look
from tui.screens.workbench import Workbench
from tui.store import Store
from tui.studies import Studies
from tui.wire import Wire

_FONT_FACE = re.compile(r"@font-face\s*\{[^}]*\}\s*")

_EDGES = {
    "dark": "#585858",
    "light": "#8a8a8a",
    "sixteen": "ansi_bright_black",
    "mono": "ansi_default",
}


def _textual_theme(name: str) -> Theme:
    _, background, text = themes.GROUNDS[name]
    edge = _EDGES[name]
    return Theme(
        name=name,
        primary=edge,
        foreground=text,
        background=background,
        surface=background,
        panel=background,
        dark=name != "light",
        ansi=name in ("sixteen", "mono"),
        # Textual's own sheets name the two ansi variables.
        variables={"edge": edge, "ansi-background": background, "ansi-foreground": text},
    )


class SizeupApp(App[int], inherit_bindings=False):
    """Sizes one build live. `size` and `catalog` are given, so that tests can stand in for them."""

    CSS_PATH = "sizeup.tcss"
    TITLE = "sizeup"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "leave", "Quit", priority=True, show=False),
        Binding("ctrl+c", "how_to_leave", show=False),
    ]

    def __init__(
        self,
        scenario: Scenario,
        path: Path | None = None,
        *,
        catalog: Catalog,
        size: Callable[[Scenario], Sizing],
        theme: str = "",
        glyphs: Glyphs | None = None,
    ) -> None:
        super().__init__(ansi_color=True)
        self.animation_level = "none"
        self.catalog = catalog
        self.glyphs = glyphs or glyph_sets.for_this_terminal()
        self.store = Store(scenario, size, path)
        self.wire = Wire()
        self.studies = Studies(size, lambda: self.store.pins)
        preferred = themes.for_this_terminal()
        if preferred != "mono":  # NO_COLOR and poor terminals are not argued with
            preferred = settings.theme(tuple(themes.PALETTES)) or preferred
        self.theme_name = theme or preferred
        for name in themes.PALETTES:
            self.register_theme(_textual_theme(name))
        # Set without its watcher, which would have the style sheets parsed twice before the first frame.
        self.set_reactive(App.theme, self.theme_name)
        self.stylesheet.set_variables(self.get_css_variables())

    @property
    def workbench(self) -> Workbench:
        """The one main screen."""
        return next(screen for screen in self.screen_stack if isinstance(screen, Workbench))

    def get_default_screen(self) -> Workbench:
        """The workbench is the default screen: no blank one is painted before it."""
        return Workbench()

    def export_screenshot(self, *, title: str | None = None, simplify: bool = False) -> str:
        """The screen as SVG that stands alone: no font from the network, and its spaces kept by every viewer."""
        svg = super().export_screenshot(title=title, simplify=simplify)
        return _FONT_FACE.sub("", svg).replace("<svg ", '<svg xml:space="preserve" ', 1)

    def on_mount(self) -> None:
        """Thin out what is sent, and save the work when the terminal goes away."""
        driver = self._driver
        if driver is not None and not self.is_headless:
            write = driver.write
            setattr(driver, "write", lambda data: write(self.wire.thrifty(data)))  # noqa: B010  # drivers have no hook for this
        loop = asyncio.get_running_loop()
        for number in (signal.SIGHUP, signal.SIGTERM):
            try:
                loop.add_signal_handler(number, self._cut_off)
            except (NotImplementedError, RuntimeError, ValueError):  # not the main thread, or no such signals
                return

    def on_ready(self) -> None:
        """Collect garbage from now on, but not what the start has made: that stays."""
        gc.freeze()
        gc.enable()

    def on_resize(self, event: events.Resize) -> None:
        """A terminal that changes its size may show anything."""
        self.wire.forget()

    async def _on_app_blur(self, event: events.AppBlur) -> None:
        """Keep the focus while another window is in front: losing it would repaint both ways."""
        event.prevent_default()

    async def _on_app_focus(self, event: events.AppFocus) -> None:
        """Nothing was lost."""
        event.prevent_default()

    def _handle_exception(self, error: Exception) -> None:
        """Keep unsaved work before a defect ends the program; the next start offers it."""
        self.workbench.keep_work()
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """Say what happened in a few lines; SIZEUP_DEBUG=1 gives Textual's full page."""
        if os.environ.get("SIZEUP_DEBUG") or self.is_headless:
            super()._fatal_error()
            return
        kept = "Unsaved work is kept and offered at the next start.\n" if self.store.dirty else ""
        self._exit_renderables.append(Text(f"{traceback.format_exc(limit=-6)}\nsizeup: a defect. {kept}"))
        self._close_messages_no_wait()

    def _cut_off(self) -> None:
        self.workbench.keep_work()
        self.exit(143, return_code=143)

    def page_lines(self, page: str, sizing: Sizing, look: Look) -> Sequence[Line]:
        """The lines of a page, in the characters of this terminal."""
        lines = PAGES[page](sizing, look)
        if self.glyphs.unicode:
            return lines
        return [tuple(span._replace(text=self.glyphs.text(span.text)) for span in row) for row in lines]

    def next_theme(self) -> str:
        """Switch to the next colour theme; its name in words."""
        names = list(themes.PALETTES)
        self.use_theme(names[(names.index(self.theme_name) + 1) % len(names)])
        return themes.WORDS[self.theme_name]

    def use_theme(self, name: str) -> None:
        """Switch the colour theme, repaint, and remember it."""
        settings.remember_theme(name)
        self.theme_name = name
        self.theme = name
        for screen in self.screen_stack:
            for widget in screen.query("Canvas"):
                widget.refresh()

    def action_leave(self) -> None:
        """Quit; dialogs are left first, and the workbench asks about unsaved work."""
        while isinstance(self.screen, ModalScreen):
            self.screen.dismiss(None)
        self.workbench.action_quit()

    def action_how_to_leave(self) -> None:
        """Ctrl+C does not lose work."""
        self.workbench.say("Ctrl+Q quits.")
