"""The results: a row of page names, and the page, whose figures can be chosen and opened."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.message import Message

from tui.app.widgets.canvas import Canvas
from tui.pages.contents import PAGES
from tui.pages.doc import BLANK, Line, Span, flow, line, paragraphs, plain, width_of
from tui.pages.look import Look


class Tabs(Canvas):
    """The page names; the open one is marked. A click opens a page."""

    SCROLLS = False

    class Chosen(Message):
        """A page was clicked."""

        def __init__(self, tabs: Tabs, page: str) -> None:
            super().__init__()
            self.tabs, self.page = tabs, page

    def __init__(self, names: tuple[str, ...], page: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.names = names
        self.page = page

    def _label(self, name: str) -> str:
        """A page by the digit that opens it and its name."""
        return f"{(PAGE_NAMES.index(name) + 1) % 10} {name}"

    def get_lines(self, width: int) -> Sequence[Line]:
        """One line of digits and names; where not all fit, the last pages that are not open keep the digit alone."""
        closed = [name for name in self.names if name != self.page]
        for short in range(len(closed)):
            bare = closed[len(closed) - short :]
            labels = [self._label(name)[0] if name in bare else self._label(name) for name in self.names]
            for gap in ("  ", " "):
                if sum(len(label) + len(gap) for label in labels) + 1 <= width:
                    spans: list[Span] = [Span(" ")]
                    for number, (name, label) in enumerate(zip(self.names, labels, strict=True)):
                        if number:
                            spans.append(Span(gap))
                        spans.append(Span(label, "tab-on" if name == self.page else "tab", name))
                    return [tuple(spans)]
        return self._windowed(width)

    def _windowed(self, width: int) -> Sequence[Line]:
        """As many whole names as fit around the open one, with arrows at the ends."""
        at = self.names.index(self.page)
        first, last = at, at
        while True:
            grown = False
            for new_first, new_last in ((first, last + 1), (first - 1, last)):
                if new_first < 0 or new_last >= len(self.names):
                    continue
                names = self.names[new_first : new_last + 1]
                if sum(len(name) + 1 for name in names) + 4 <= width:
                    first, last, grown = new_first, new_last, True
                    break
            if not grown:
                break
        glyphs = self.sizeup.glyphs
        spans = [Span(f"{glyphs.left} " if first else "  ", "key", self.names[max(0, first - 1)])]
        for name in self.names[first : last + 1]:
            spans += [Span(name, "tab-on" if name == self.page else "tab", name), Span(" ")]
        if last < len(self.names) - 1:
            spans.append(Span(glyphs.right, "key", self.names[last + 1]))
        return [tuple(spans)]

    def on_click(self, event: events.Click) -> None:
        """Open the clicked page."""
        offset = event.get_content_offset(self)
        span = self.span_at(offset.x, offset.y)[1] if offset is not None else None
        if span is not None and span.action:
            self.post_message(self.Chosen(self, span.action))


class Results(Canvas, can_focus=True):
    """One page of the Sizing. Up and Down choose a figure or a change, . and , the one beside it, Enter opens it."""

    class Opened(Message):
        """Enter or a click on a figure or a change: `figure:...` or `apply:...`."""

        def __init__(self, action: str) -> None:
            super().__init__()
            self.action = action

    class Turned(Message):
        """A page is wanted: a step to the side, or one by its number."""

        def __init__(self, step: int = 0, number: int = 0) -> None:
            super().__init__()
            self.step, self.number = step, number

    class Left(Message):
        """Tab or shift+tab leads out of the results."""

        def __init__(self, forward: bool) -> None:
            super().__init__()
            self.forward = forward

    def __init__(self, page: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.page = page
        self.beside = ""
        self.chosen = ""
        self._targets: list[tuple[int, int, str]] = []
        self._column = 0  # that Up and Down keep to
        self.jumping = False

    def get_lines(self, width: int) -> Sequence[Line]:
        """The page for the current Sizing, or what is wrong when there never was one."""
        store, glyphs = self.sizeup.store, self.sizeup.glyphs
        if store.sizing is None:
            key = self.sizeup.keymap.shown("switch")
            words = f"No figures until what is wrong above is mended: {key} leads to the inputs, where {glyphs.no} marks it."
            return [BLANK, *paragraphs(glyphs.text(words), width - 2, "dim", " ", " ")]
        look = Look(
            width - 1, glyphs, store.before, self.sizeup.studies, self.beside, self.size.height, self.sizeup.keymap
        )
        try:
            lines = fitted(self.sizeup.page_lines(self.page, store.sizing, look), width)
        except Exception as error:  # a defect of one page must not end the program with the person's work in it
            words = f"This page could not be drawn, which is a defect: {type(error).__name__}: {error}"
            lines = [BLANK, *paragraphs(words, width - 4, "bad", "   ", f" {glyphs.no} ")]
        self._targets = _targets(lines)
        if not self.has_focus:
            return lines
        if self.chosen not in {action for _, _, action in self._targets}:
            self.chosen = self._first()
            self._column = next((t[1] for t in self._targets if t[2] == self.chosen), 0)
        return [_marked(row, self.chosen) for row in lines]

    def _first(self) -> str:
        """What is chosen on a fresh page: the first thing, or the first that Enter opens where a page offers builds."""
        actions = [action for _, _, action in self._targets]
        offers = (
            [action for action in actions if action.startswith(("cure:", "build:"))] if self.page == "Builds" else []
        )
        return next(iter(offers or actions), "")

    def choose(self, forward: bool, beside: bool = False) -> None:
        """The figure or change in the next row, as nearly below as there is; scrolls when there is none.

        beside: the next one in reading order instead, which may stand in the same row.
        """
        here = [target for target in self._targets if target[2] == self.chosen]
        row = (here[0] if beside or not forward else here[-1])[0] if here else -1
        if beside:
            actions = list(dict.fromkeys(action for _, _, action in self._targets))
            at = actions.index(self.chosen) + (1 if forward else -1) if here else 0
            found = next(t for t in self._targets if t[2] == actions[at]) if 0 <= at < len(actions) else None
        else:
            others = [t for t in self._targets if t[2] != self.chosen and (t[0] > row if forward else t[0] < row)]
            edge = (min if forward else max)((t[0] for t in others), default=-1)
            same = self.chosen.rpartition(".")[2]  # the same figure of the next thing, wherever its digits begin
            found = min(
                (t for t in others if t[0] == edge),
                key=lambda t: (t[2].rpartition(".")[2] != same, abs(t[1] - self._column)),
                default=None,
            )
        if found is None:
            self.scroll_lines(self.top + (3 if forward else -3))
            return
        if beside:
            self._column = found[1]
        self.chosen = found[2]
        self.update_lines()
        self.keep_in_view(found[0], 2)

    def on_key(self, event: events.Key) -> None:
        """Move, turn pages, open."""
        key = event.key
        self.screen.post_message(Canvas.Struck())
        if self.jumping:  # the workbench chooses
            return
        if key in ("up", "down", "k", "j"):
            self.choose(key in ("down", "j"))
        elif key in ("full_stop", "comma", "shift+right", "shift+left"):
            self.choose(key in ("full_stop", "shift+right"), beside=True)
        elif key in ("left", "right", "h", "l"):
            self.post_message(self.Turned(1 if key in ("right", "l") else -1))
        elif key in ("pagedown", "pageup", "space"):
            step = max(1, self.size.height - 2)
            self.scroll_lines(self.top + (-step if key == "pageup" else step))
        elif key in ("home", "end"):
            self.scroll_lines(0 if key == "home" else len(self.lines))
        elif key == "enter":
            if self.chosen:
                self.post_message(self.Opened(self.chosen))
        elif key in ("tab", "shift+tab"):
            self.post_message(self.Left(key == "tab"))
        elif event.character and event.character in "1234567890":
            self.post_message(self.Turned(number=int(event.character) or 10))
        else:
            return
        event.stop()
        event.prevent_default()

    def on_click(self, event: events.Click) -> None:
        """Open a figure or apply a change."""
        offset = event.get_content_offset(self)
        span = self.span_at(offset.x, offset.y)[1] if offset is not None else None
        if span is not None and span.action:
            self.chosen, self._column = span.action, offset.x if offset is not None else 0
            self.update_lines()
            self.post_message(self.Opened(span.action))

    def open_page(self, page: str) -> None:
        """Show another page from its top."""
        if page != self.page:
            self.page = page
            self.chosen = ""
            self.scroll_lines(0)
        self.update_lines()


def fitted(lines: Sequence[Line], width: int) -> Sequence[Line]:
    """The lines, with those that are too wide for the panel wrapped between words."""
    if all(width_of(row) <= width for row in lines):
        return lines
    fit: list[Line] = []
    for row in lines:
        short = plain(row).rstrip()
        fit += [row] if len(short) <= width else flow(row, width, "   ")
    return fit


def _targets(lines: Sequence[Line]) -> list[tuple[int, int, str]]:
    """(row, column, action) of everything that can be chosen, in reading order."""
    found: list[tuple[int, int, str]] = []
    for number, row in enumerate(lines):
        column = 0
        for span in row:
            if span.action:
                found.append((number, column, span.action))
            column += len(span.text)
    return found


def _marked(row: Line, chosen: str) -> Line:
    if not chosen or not any(span.action == chosen for span in row):
        return row
    return tuple(span._replace(style="cursor") if span.action == chosen else span for span in row)


PAGE_NAMES: tuple[str, ...] = tuple(PAGES)


def empty(words: str) -> list[Line]:
    """A page that has nothing to show yet, with the reason."""
    return [BLANK, line((f" {words}", "dim"))]
