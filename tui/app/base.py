"""What every widget may ask of the app: the store, the catalog, the studies, the glyphs and the theme."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from textual import constants
from textual.app import App
from textual.dom import DOMNode
from textual.driver import Driver
from textual.theme import Theme

from catalog import Catalog
from engine.scenario import Scenario
from engine.sizing import Sizing
from tui.app import theme as themes
from tui.app.recovery import Keeper
from tui.app.store import Store
from tui.app.textual_privates import OwnEnding
from tui.app.wire import Wire
from tui.files import own_keys, settings
from tui.pages import glyphs as glyph_sets
from tui.pages.contents import PAGES
from tui.pages.doc import Line
from tui.pages.glyphs import Glyphs
from tui.pages.look import Look
from tui.pages.studies import Studies

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


class SizeupBase(OwnEnding, inherit_bindings=False):
    """The state of the app. `size` and `catalog` are given, so that tests can stand in for them."""

    # Nothing shows a selection of Textual's, and painting one of a dialog's own screen is a KeyError.
    ALLOW_SELECT = False

    TITLE = "sizeup"

    def __init__(
        self,
        scenario: Scenario,
        path: Path | None = None,
        *,
        stamp: str = "",
        set_aside: Sequence[str] = (),
        catalog: Catalog,
        size: Callable[[Scenario], Sizing],
        theme: str = "",
        glyphs: Glyphs | None = None,
        first: bool = False,
    ) -> None:
        super().__init__(ansi_color=True, driver_class=driver_class())
        self.animation_level = "none"
        self.catalog = catalog
        self.glyphs = glyphs or glyph_sets.for_this_terminal()
        self.store = Store(scenario, size, path, stamp)
        self.keeper = Keeper()
        self.first = first
        """Whether this person starts the program for the first time, with nothing asked for."""
        self.set_aside = tuple(set_aside)  # damaged files, in words
        self.keymap, self.key_problems = own_keys.read()
        self.wire = Wire()
        self.studies = Studies(size, lambda: self.store.pins)
        preferred = themes.for_this_terminal()
        if preferred != "mono":  # NO_COLOR and poor terminals are not argued with
            stored = settings.read(tuple(themes.PALETTES))
            preferred = stored.theme or preferred
            self.set_aside += (stored.damaged,) if stored.damaged else ()
        self.theme_name = theme or preferred
        for name in themes.PALETTES:
            self.register_theme(_textual_theme(name))
        # Set without its watcher, which would have the style sheets parsed twice before the first frame.
        self.set_reactive(App.theme, self.theme_name)
        self.stylesheet.set_variables(self.get_css_variables())

    def export_screenshot(self, *, title: str | None = None, simplify: bool = False) -> str:
        """The screen as SVG that stands alone: no font from the network, and its spaces kept by every viewer."""
        svg = super().export_screenshot(title=title, simplify=simplify)
        return _FONT_FACE.sub("", svg).replace("<svg ", '<svg xml:space="preserve" ', 1)

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


def driver_class() -> type[Driver] | None:
    """The driver with an input thread of our own; None leaves the choice to Textual, as where one was asked for."""
    if constants.DRIVER is not None or sys.platform == "win32":
        return None
    from tui.app.driver import SizeupDriver  # a module that Windows cannot import

    return SizeupDriver


def sizeup_of(node: DOMNode) -> SizeupBase:
    """The app that a widget or a screen is in, with its type. Raises TypeError in any other app."""
    app = node.app
    if not isinstance(app, SizeupBase):
        raise TypeError(f"{type(node).__name__} belongs to sizeup, not to {type(app).__name__}")
    return app
