"""A widget that paints lines of spans and sends only the cells that changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import groupby
from operator import attrgetter

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui.app.base import SizeupBase, sizeup_of
from tui.app.textual_privates import Still, forget_rows
from tui.app.theme import GROUNDS, PALETTES
from tui.pages.doc import Line, Span, changed_cells


@lru_cache(maxsize=512)
def rich_style(theme: str, name: str) -> Style:
    """The Rich style of a named role in a theme."""
    ground = GROUNDS[theme][0]
    base = Style.parse("none" if ground == "default" else f"on {ground}")
    return base + Style.parse(PALETTES[theme].get(name) or PALETTES[theme].get("", "") or "none")


def cell_by_cell(text: str) -> str:
    """Text that cannot steer the terminal, in as many characters, since lines are laid out already.

    Elsewhere `engine.figures.text.harmless` says what stood there."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else " " if char.isspace() else "?" for char in text)


class Transient(Widget):
    """A widget whose painted rows go when it goes.

    Textual remembers the caches of 1,024 widgets as arguments of `StylesCache.get_inner_outer`, long after the widgets
    are gone, and each cache held its rows with every part that was ever cut out of them: 0.1 MB a dialog.
    """

    def on_unmount(self) -> None:
        """Forget the rows."""
        forget_rows(self)


class Canvas(Transient, Still):
    """Lines of styled text. `show` compares with what is on screen and refreshes the differing cells alone.

    `get_lines(width)` is asked again when the width changes. A canvas scrolls by itself and paints its own
    scrollbar in its last column: Textual's bars are widgets, and resend themselves with every layout.
    """

    SCROLLS = True
    LEAST_WIDTH = 24
    """Lines are built for no less, and cut off where they are painted: a terminal may be a few cells wide for a moment."""

    class Struck(Message):
        """A key came, before anything is done about it: an answer to an earlier one may go."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: Sequence[Line] = ()
        self._built_width = -1
        self._top = 0
        self._dragging = False

    @property
    def sizeup(self) -> SizeupBase:
        """The app, typed."""
        return sizeup_of(self)

    @property
    def inner_width(self) -> int:
        """Cells across that lines may use."""
        return max(0, self.size.width - 1) if self.SCROLLS else self.size.width

    @property
    def lines(self) -> Sequence[Line]:
        """What is painted now."""
        return self._lines

    @property
    def top(self) -> int:
        """The first line in view."""
        return self._top

    def get_lines(self, width: int) -> Sequence[Line]:
        """The lines for a width; subclasses build them here."""
        return self._lines

    def _built_lines(self) -> Sequence[Line]:
        return self.get_lines(max(self.LEAST_WIDTH, self.inner_width))

    def update_lines(self) -> None:
        """Build the lines again and send what differs."""
        if self.size.width:
            self.show(self._built_lines())
        else:
            self._built_width = -1  # hidden: what it shows next must be built anew

    def show(self, lines: Sequence[Line]) -> None:
        """Replace the lines; refresh only the cells that differ and are in view."""
        old, before = self._lines, self._top
        bar = self._bar()
        self._lines = lines
        self._top = max(0, min(self._top, self._furthest()))
        self._send(old, before, bar)

    def _send(self, old: Sequence[Line], old_top: int, old_bar: tuple[int, int]) -> None:
        lines, top = self._lines, self._top
        regions: list[Region] = []
        for row in range(self.size.height):
            before = old[row + old_top] if row + old_top < len(old) else ()
            after = lines[row + top] if row + top < len(lines) else ()
            if before is not after:
                regions += [
                    _cells_region(before, after, start, end, row) for start, end in changed_cells(before, after)
                ]
        bar = self._bar()
        if bar != old_bar:
            appeared = (bar[1] == 0) != (old_bar[1] == 0)
            rows = {row for row in range(self.size.height) if appeared or _on_bar(bar, row) != _on_bar(old_bar, row)}
            regions += [Region(self.inner_width, first, 1, count) for first, count in _runs(rows)]
        if regions and self.screen.is_current:
            self.refresh(*regions)
        elif regions:  # under a dialog: the whole screen is sent when that closes
            forget_rows(self)

    def on_size_updated(self, resized: bool) -> None:
        """Build the lines for a new size before it is painted, so that no empty frame is ever sent.

        A canvas scrolls by itself: its virtual size is nobody's business and must not ask for another layout.
        """
        if self.outer_size.width and self.is_attached and (resized or self.inner_width != self._built_width):
            self._built_width = self.inner_width
            self._lines = self._built_lines()
            forget_rows(self)  # it may hold rows of before this was hidden
            self._top = max(0, min(self._top, self._furthest()))
            self.laid_out()

    def laid_out(self) -> None:
        """Called when lines were built for a new size and are about to be painted."""

    # --- scrolling

    def _furthest(self) -> int:
        return max(0, len(self._lines) - self.size.height)

    def scroll_lines(self, top: int) -> None:
        """Make `top` the first line in view, as far as there are lines."""
        top = max(0, min(top, self._furthest()))
        if top != self._top:
            before, bar, self._top = self._top, self._bar(), top
            self._send(self._lines, before, bar)

    def keep_in_view(self, line: int, margin: int = 0) -> None:
        """Scroll as little as shows the line."""
        height = self.size.height
        if not height:
            return
        if line - margin < self._top:
            self.scroll_lines(line - margin)
        elif line + margin >= self._top + height:
            self.scroll_lines(line + margin - height + 1)

    def _bar(self) -> tuple[int, int]:
        """First row and length of the scrollbar's thumb; (0, 0) when everything is in view."""
        height, count = self.size.height, len(self._lines)
        if not self.SCROLLS or count <= height or not height:
            return 0, 0
        length = max(1, height * height // count)
        furthest = self._furthest()
        return round(self._top / furthest * (height - length)), length

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Three lines down."""
        self.scroll_lines(self._top + 3)
        event.stop()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Three lines up."""
        self.scroll_lines(self._top - 3)
        event.stop()

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Take the scrollbar."""
        if self._bar()[1] and event.x == self.inner_width:
            self._dragging = True
            self.capture_mouse()
            self._drag_to(event.y)
            event.stop()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Drag the scrollbar."""
        if self._dragging:
            self._drag_to(event.y)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """Let the scrollbar go."""
        if self._dragging:
            self._dragging = False
            self.release_mouse()

    def _drag_to(self, row: int) -> None:
        _, length = self._bar()
        track = max(1, self.size.height - length)
        self.scroll_lines(round((row - length / 2) / track * self._furthest()))

    # --- painting

    def render_line(self, y: int) -> Strip:
        """One row of the screen."""
        at = y + self._top
        theme = self.sizeup.theme_name
        spans: Iterable[Span] = self._lines[at] if 0 <= at < len(self._lines) else ()
        segments: list[Segment] = []
        for style, run in groupby(spans, key=attrgetter("style")):
            text = "".join(span.text for span in run)
            if text:
                segments.append(Segment(cell_by_cell(text), rich_style(theme, style)))
        plain = rich_style(theme, "")
        strip = Strip(segments).adjust_cell_length(self.inner_width, plain)
        if not self.SCROLLS:
            return strip
        bar = self._bar()
        glyph = self.sizeup.glyphs.thumb if _on_bar(bar, y) else self.sizeup.glyphs.track if bar[1] else " "
        return Strip([*strip, Segment(glyph, rich_style(theme, "thumb" if _on_bar(bar, y) else "rule"))])

    def span_at(self, x: int, y: int) -> tuple[int, Span | None]:
        """The line number and the span under a cell of the widget."""
        at = y + self._top
        if not 0 <= at < len(self._lines):
            return at, None
        start = 0
        for span in self._lines[at]:
            end = start + cell_len(span.text)
            if start <= x < end:
                return at, span
            start = end
        return at, None

    # --- focus: Textual's own handlers repaint the whole widget

    def on_focus(self, event: events.Focus) -> None:
        """Mark what is current; only those cells are sent."""
        event.prevent_default()
        self.set_reactive(Widget.has_focus, True)
        if self.parent is not None:
            self.parent.post_message(events.DescendantFocus(self))
        self.focus_changed()

    def on_blur(self, event: events.Blur) -> None:
        """Take the mark away."""
        event.prevent_default()
        self.set_reactive(Widget.has_focus, False)
        if self.parent is not None:
            self.parent.post_message(events.DescendantBlur(self))
        self.focus_changed()

    def focus_changed(self) -> None:
        """Lines that depend on the focus are built again."""
        self.update_lines()


def _on_bar(bar: tuple[int, int], row: int) -> bool:
    return bar[0] <= row < bar[0] + bar[1]


def _runs(rows: Iterable[int]) -> list[tuple[int, int]]:
    """Rows as (first, how many in a row)."""
    runs: list[tuple[int, int]] = []
    for row in sorted(rows):
        if runs and sum(runs[-1]) == row:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((row, 1))
    return runs


def _cells_region(before: Line, after: Line, start: int, end: int, row: int) -> Region:
    """Characters [start, end) as cells; wide characters count double, in either version of the line."""
    texts = ["".join(span.text for span in spans) for spans in (before, after)]
    lefts = [cell_len(text[:start]) for text in texts]
    rights = [cell_len(text[:end]) + max(0, end - len(text)) for text in texts]
    left = min(lefts)
    return Region(left, row, max(rights) - left, 1)
