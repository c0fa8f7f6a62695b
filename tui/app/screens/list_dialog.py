"""A list to choose from, with a filter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from textual import events
from textual.app import ComposeResult
from textual.message import Message

from engine.figures.records import dataclass
from tui.app.screens.dialog import Built, Dialog, Entry, Keys
from tui.app.widgets.canvas import Canvas
from tui.app.widgets.edit import LineEdit
from tui.pages.doc import BLANK, Line, Span, line, shorten, shorten_name


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a list. search: what the filter looks in first; cells: one text for each column; note: shown below.

    figures: what the rows are sorted by, for each column; None stands last. Without them a list is not sorted.
    """

    value: Any
    cells: tuple[str, ...]
    search: str = ""
    note: str = ""
    style: str = ""
    figures: tuple[float | str | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its title, whether figures stand right, and from which list width it is shown."""

    title: str
    right: bool = False
    from_width: int = 0
    limit: int = 40


FEWEST_COLUMNS = 3
"""Columns that a list keeps beside each other before its names are cut."""


class ItemList(Canvas):
    """Rows in columns, one chosen."""

    class Picked(Message):
        """A row was clicked."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, columns: tuple[Column, ...], items: Sequence[Item], none: str) -> None:
        super().__init__(id="dialog-list")
        self.columns = columns
        self.items = items
        self.none = none
        self.at = 0
        self.sorted: int | None = None

    def get_lines(self, width: int) -> Sequence[Line]:
        """All rows; those out of view cost nothing."""
        glyphs = self.sizeup.glyphs
        if not self.items:
            return [line((f"  {self.none}", "warn"))]
        widths = self.widths(width)
        lines: list[Line] = []
        for number, item in enumerate(self.items):
            chosen = number == self.at
            text = self._row(item.cells, widths)
            pointer = f"{glyphs.pointer} " if chosen else "  "
            style = "selected" if chosen else item.style
            lines.append((Span(f"{pointer}{text}"[: width - 1].ljust(width - 1), style, str(number)),))
        return lines

    def widths(self, width: int) -> list[int]:
        """Cells of each column; 0 leaves it out."""
        shown = [width >= column.from_width for column in self.columns]
        widths = []
        for at, column in enumerate(self.columns):
            longest = max((len(item.cells[at]) for item in self.items), default=0)
            longest = max(longest, len(column.title) + (at == self.sorted))
            widths.append(min(column.limit, longest) if shown[at] else 0)

        def over_by() -> int:
            return sum(widths) + 2 * sum(1 for cells in widths if cells) - (width - 4)

        for at in range(len(widths) - 1, 1, -1):  # what tells rows apart stays whole; the last columns go first
            if over_by() > 0 and at != self.sorted and sum(1 for cells in widths if cells) > FEWEST_COLUMNS:
                widths[at] = 0
        over = over_by()
        if over > 0:
            widest = widths.index(max(widths))
            widths[widest] = max(10, widths[widest] - over)
        return widths

    def _row(self, cells: Sequence[str], widths: Sequence[int]) -> str:
        parts = []
        for at, (text, cells_wide, column) in enumerate(zip(cells, widths, self.columns, strict=True)):
            if cells_wide:
                cut = shorten if at or " " in text else shorten_name  # an id, no sentence
                text = cut(text, cells_wide, self.sizeup.glyphs.ellipsis)
                parts.append(f"{text:>{cells_wide}}" if column.right else f"{text:<{cells_wide}}")
        return "  ".join(parts)

    def laid_out(self) -> None:
        """Start with the chosen row in view."""
        self.keep_in_view(self.at)

    def head(self, width: int) -> Line:
        """The column titles, in line with the rows."""
        titles = [column.title for column in self.columns]
        if self.sorted is not None:
            titles[self.sorted] += self.sizeup.glyphs.opens
        return line(("  " + self._row(titles, self.widths(width)), "dim"))

    def on_click(self, event: events.Click) -> None:
        """Choose a row."""
        offset = event.get_content_offset(self)
        span = self.span_at(offset.x, offset.y)[1] if offset is not None else None
        if span is not None and span.action:
            self.post_message(self.Picked(int(span.action)))


SHORT = 10  # a list of so many rows is as high as its rows


@dataclass(frozen=True, slots=True)
class Deeper:
    """The value of a row that leads on: taken, its text stands in the filter. fresh: typing replaces it."""

    text: str
    fresh: bool = False


class ListDialog(Dialog[object]):
    """A list with a filter. Enter or a click takes a row; the answer is its value, or typed text if `free`.

    elsewhere: rows in place of the filtered ones for what is typed, None where the text is a filter. meant: the value
    that what is typed is the usual name of; its row comes first.
    """

    def __init__(
        self,
        heading: str,
        columns: tuple[Column, ...],
        items: Sequence[Item],
        *,
        seed: str = "",
        current: object = None,
        prompt: str = "Filter",
        free: Callable[[str], object] | None = None,
        elsewhere: Callable[[str], Sequence[Item] | None] = lambda typed: None,
        meant: Callable[[str], object] = lambda typed: None,
        large: bool = True,
    ) -> None:
        super().__init__()
        self.heading = heading
        self.short = not large and len(items) <= SHORT
        self.size_class = "large" if large else "" if self.short else "tall"
        self.columns = columns
        self.all_items = items
        self.edit = LineEdit.of(seed)
        self.prompt = prompt
        self.free = free
        self.elsewhere = elsewhere
        self.meant = meant
        self.current = current
        self.turned = False

    def parts(self) -> ComposeResult:
        """Filter, column titles, rows, keys."""
        none = "Enter takes what is typed." if self.free else "Nothing matches; Backspace widens the filter."
        self.entry = Entry(self.edit, self.prompt)
        self.list = ItemList(self.columns, self.all_items, none)
        if self.short:
            self.list.styles.height = max(1, len(self.all_items))
        self.head = Built(self._titles, id="dialog-head")
        yield self.entry
        yield self.head
        yield self.list
        sorts = (("F5", "sort", "sort"), ("F6", "turn round", "turn")) if self._sortable else ()
        yield Keys((("Enter", "take", "take"), ("Up Down", "choose", ""), *sorts, ("Esc", "back", "back")))

    @property
    def _sortable(self) -> bool:
        return any(item.figures for item in self.all_items)

    def _sort(self) -> None:
        """By the next column that is shown; after the last one in the list's own order again."""
        shown = [at for at, cells in enumerate(self.list.widths(self.list.inner_width)) if cells]
        now = self.list.sorted
        self.list.sorted = shown[0] if now is None else next((at for at in shown if at > now), None)
        self.turned = False
        self._filter()

    def _ordered(self, found: Sequence[Item]) -> Sequence[Item]:
        """Sorted by a column: figures from the largest, words from A; what is unknown last."""
        at = self.list.sorted
        if at is None:
            return found
        known = [item for item in found if item.figures and item.figures[at] is not None]
        numbers = any(isinstance(item.figures[at], int | float) for item in known)
        known.sort(key=lambda item: cast(Any, item.figures[at]), reverse=numbers != self.turned)
        return [*known, *(item for item in found if not item.figures or item.figures[at] is None)]

    def on_mount(self) -> None:
        """Start at the current value."""
        self.set_focus(self.entry)
        self.list.items = self._matching()
        self.list.at = next((n for n, item in enumerate(self.list.items) if item.value == self.current), 0)

    def _titles(self, width: int) -> Sequence[Line]:
        return [self.list.head(width)] if self.list.items else [BLANK]

    def _matching(self) -> Sequence[Item]:
        found = self.elsewhere(self.edit.text.strip())
        return self._ordered(matching(self.all_items, self.edit.text, self.meant)) if found is None else found

    def _filter(self) -> None:
        self.list.items = self._matching()
        self.list.at = 0
        self.list.scroll_lines(0)
        self._update()

    def _update(self) -> None:
        self.entry.update_lines()
        self.list.update_lines()
        self.head.update_lines()

    def _go(self, at: int) -> None:
        self.list.at = max(0, min(len(self.list.items) - 1, at))
        self._update()
        self.list.keep_in_view(self.list.at)

    def on_key(self, event: events.Key) -> None:
        """Type to filter; arrows choose."""
        key = event.key
        event.stop()
        event.prevent_default()
        page = max(1, self.list.size.height - 1)
        steps = {"up": -1, "down": 1, "pageup": -page, "pagedown": page, "shift+tab": -1, "tab": 1}
        if key == "escape":
            self.dismiss(None)
        elif key == "enter":
            self._take()
        elif key in steps:
            self._go(self.list.at + steps[key])
        elif key == "f5" and self._sortable:
            self._sort()
        elif key == "f6" and self.list.sorted is not None:
            self.turned = not self.turned
            self._filter()
        elif self.edit.key(key):
            self._filter()
        elif event.is_printable and event.character:
            self.edit.insert(event.character)
            self._filter()

    def on_paste(self, event: events.Paste) -> None:
        """Paste into the filter."""
        event.stop()
        self.edit.insert(event.text.strip())
        self._filter()

    def on_item_list_picked(self, event: ItemList.Picked) -> None:
        """A clicked row is taken."""
        if event.index < len(self.list.items):  # the filter may have taken the row away since the click
            self.list.at = event.index
            self._take()

    def on_keys_clicked(self, event: Keys.Clicked) -> None:
        """The keys by mouse."""
        if event.action == "take":
            self._take()
        elif event.action == "sort":
            self._sort()
        elif event.action == "turn" and self.list.sorted is not None:
            self.turned = not self.turned
            self._filter()
        elif event.action == "back":
            self.dismiss(None)

    def _take(self) -> None:
        typed = self.edit.text.strip()
        if self.free is not None and typed and (not self.list.items or "/" in typed or typed.startswith("~")):
            self.dismiss(self.free(typed))
        elif self.list.items:
            value = self.list.items[self.list.at].value
            if isinstance(value, Deeper):
                self.edit = self.entry.edit = LineEdit.of(value.text, fresh=value.fresh)
                self._filter()
            else:
                self.dismiss(value)


LETTERS_ONLY = 20
"""The score of a word whose letters only stand in order in the first cell: a last resort."""
MEASURES = ("gb", "gbe", "g", "b")
"""What may follow a number that is typed without its unit: 96 means 96 GB, 100 means 100 GbE, 70 means 70b."""


def matching(items: Sequence[Item], typed: str, meant: Callable[[str], object] = lambda typed: None) -> list[Item]:
    """Items that have every typed word, best first: what a row is called and how large it is before its other columns.

    The value that the words are the usual name of, the very id, ids that start or end so, whole words of id, name and memory, their beginnings, then the other columns; letters
    in order as a last resort.
    """
    words = typed.casefold().split()
    if not words:
        return list(items)
    ranked: list[tuple[int, int, Item]] = []
    for number, item in enumerate(items):
        scores = [_score(item, word) for word in words]
        if None not in scores:
            ranked.append((sum(score for score in scores if score is not None), number, item))
    named = meant(typed)
    ranked.sort(key=lambda entry: (named is None or entry[2].value != named, *entry[:2]))
    if any(score < LETTERS_ONLY for score, _, _ in ranked):
        ranked = [entry for entry in ranked if entry[0] < LETTERS_ONLY]
    return [item for _, _, item in ranked]


def _score(item: Item, word: str) -> int | None:
    """How well a typed word meets a row, 0 best; None where it does not."""
    other = " ".join(item.cells).casefold()
    named = item.search.casefold() or other
    first = named.split(" ", 1)[0]
    if first == word:
        return 0
    if first.startswith(word):
        return 1
    parts = named.replace("-", " ").replace("(", " ").replace("/", " ").split()
    if first.endswith(f"-{word}"):  # all that follows the maker: of `r1` the model itself before those made from it
        return 2
    if word in parts or any(f"{word}{unit}" in parts for unit in MEASURES):
        return 3
    if any(part.startswith(word) for part in parts):
        return 4
    if word in named or word.replace("-", "") in named.replace("-", "").replace(" ", "").replace(".", ""):
        return 5
    if any(part.startswith(word) for part in other.split()):
        return 6
    if word in other:
        return 7
    return LETTERS_ONLY if _in_order(word, first) else None


def _in_order(word: str, text: str) -> bool:
    at = -1
    for letter in word:
        at = text.find(letter, at + 1)
        if at < 0:
            return False
    return True
