"""The working of a figure: what it is, how it comes about, and from what."""

from __future__ import annotations

from engine.sizing import Sizing
from tui.app.screens.dialog import Reader
from tui.pages.workings import working_lines


class Working(Reader):
    """Opens one figure. whose: which build it belongs to, where that is not the one at hand."""

    def __init__(self, sizing: Sizing, figure: str, whose: str = "") -> None:
        super().__init__("Working", lambda width: working_lines(sizing, figure, width, self.sizeup.glyphs, whose))
