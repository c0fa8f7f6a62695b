"""The working of a figure: what it is, how it comes about, and from what, one step at a time."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events

from engine.sizing import Sizing
from tui.app.screens.dialog import Keys, Reader
from tui.pages.doc import Line
from tui.pages.workings import working_lines

NEXT, BEFORE = ("tab", "full_stop", "right"), ("shift+tab", "comma", "left")


class Working(Reader):
    """Opens one figure, and what it rests on in turn. whose: which build it belongs to, where not the one at hand."""

    KEYS = (("Up Down", "scroll", ""), (". ,", "choose", ""), ("Enter", "open", "open"), ("Esc", "back", "back"))

    def __init__(self, sizing: Sizing, figure: str, whose: str = "") -> None:
        super().__init__("Working", self._lines_of)
        self.sizing, self.whose = sizing, whose
        self.path = [figure]
        self.chosen = ""
        self._links: dict[str, int] = {}

    def _lines_of(self, width: int) -> Sequence[Line]:
        lines = working_lines(self.sizing, self.path[-1], width, self.sizeup.glyphs, self.whose)
        self._links = {}
        for number, row in enumerate(lines):
            for span in row:
                if span.action:
                    self._links.setdefault(span.action, number)
        if not self.chosen:
            return lines
        return [
            tuple(span._replace(style="cursor") if span.action == self.chosen else span for span in row)
            for row in lines
        ]

    def on_key(self, event: events.Key) -> None:
        """Choose what the figure rests on, open it, go back; the rest scrolls."""
        if event.key in NEXT or event.key in BEFORE:
            self._choose(1 if event.key in NEXT else -1)
        elif event.key == "enter" and self.chosen:
            self._open(self.chosen)
        elif event.key in ("escape", "backspace") and len(self.path) > 1:
            self._show(self.path[:-1])
        else:
            super().on_key(event)
            return
        event.prevent_default()
        event.stop()

    def on_click(self, event: events.Click) -> None:
        """Open what is clicked."""
        if event.widget is not self.body:
            return
        offset = event.get_content_offset(self.body)
        span = self.body.span_at(offset.x, offset.y)[1] if offset is not None else None
        if span is not None and span.action:
            self._open(span.action)

    def on_keys_clicked(self, event: Keys.Clicked) -> None:
        """The keys by mouse."""
        if event.action == "open" and self.chosen:
            self._open(self.chosen)
        elif event.action == "back" and len(self.path) > 1:
            self._show(self.path[:-1])
        else:
            super().on_keys_clicked(event)

    def _choose(self, step: int) -> None:
        names = list(self._links)
        if not names:
            return
        at = names.index(self.chosen) + step if self.chosen in names else 0 if step > 0 else len(names) - 1
        self.chosen = names[max(0, min(at, len(names) - 1))]
        self.body.update_lines()
        self.body.keep_in_view(self._links[self.chosen])

    def _open(self, action: str) -> None:
        self._show([*self.path, action.removeprefix("figure:")])

    def _show(self, path: list[str]) -> None:
        self.path, self.chosen = path, ""
        self.body.update_lines()
        self.body.scroll_lines(0)
