"""What all dialogs share: a titled box, a list that filters as one types, a question, a text to read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.containers import Vertical
from textual.geometry import Size
from textual.message import Message
from textual.reactive import Reactive
from textual.screen import ModalScreen
from textual.widget import Widget

from tui.app.base import SizeupBase, sizeup_of
from tui.app.widgets.canvas import Canvas, Transient
from tui.app.widgets.edit import LineEdit
from tui.pages.doc import BLANK, Line, Span, line, shorten, width_of, wrap

_Answer = TypeVar("_Answer")


class Box(Transient, Vertical):
    """The frame of a dialog. It does not scroll, so a layout of it asks for no other."""

    def _size_updated(self, size: Size, virtual_size: Size, container_size: Size, layout: bool = True) -> bool:
        return super()._size_updated(size, virtual_size, container_size, layout=False)


class Dialog(Transient, ModalScreen[_Answer]):
    """A box over the workbench. Escape closes it without an answer.

    It is answered once. Keys and clicks that were on their way when the first answer came change nothing: over a slow
    line two of them arrive in one turn of the loop, and the second would close a screen that is gone.
    """

    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    AUTO_FOCUS = ""
    heading = ""
    size_class = ""
    _resumed = False
    _answered = False

    def dismiss(self, result: _Answer | None = None) -> AwaitComplete:
        """Close with an answer. Nothing happens where it was answered, or while another dialog stands above it."""
        if self._answered or self.app.screen is not self:
            return AwaitComplete()
        self._answered = True
        return super().dismiss(result)

    async def on_event(self, event: events.Event) -> None:
        """Keys and clicks count until the answer."""
        if not (self._answered and isinstance(event, events.InputEvent | events.Paste)):
            await super().on_event(event)

    def _size_updated(self, size: Size, virtual_size: Size, container_size: Size, layout: bool = True) -> bool:
        return super()._size_updated(size, virtual_size, container_size, layout=False)

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        """The first layout paints the dialog; Textual would paint everything once more."""
        if not self._resumed:
            event.prevent_default()
            self.stack_updates += 1
            self._refresh_layout(self.app.size)
        self._resumed = True

    @property
    def sizeup(self) -> SizeupBase:
        """The app, typed."""
        return sizeup_of(self)

    def compose(self) -> ComposeResult:
        """The box with its title, then the parts."""
        with Box(id="dialog", classes=self.size_class):
            yield Label([line((self.heading, "title"))], id="dialog-title")
            yield from self.parts()

    def parts(self) -> ComposeResult:
        """What is inside the box."""
        yield from ()

    def on_key(self, event: events.Key) -> None:
        """Escape goes back."""
        if event.key == "escape":
            event.stop()
            self.dismiss(None)

    def on_click(self, event: events.Click) -> None:
        """A click beside the box goes back."""
        if event.widget is self:
            self.dismiss(None)


class Text(Canvas):
    """Lines that are given from outside."""

    def __init__(self, lines: Sequence[Line], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines = lines


class Built(Canvas):
    """Lines that are built for the width there is."""

    def __init__(self, build: Callable[[int], Sequence[Line]], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._build = build

    def get_lines(self, width: int) -> Sequence[Line]:
        """What the given function builds."""
        return self._build(width)


class Label(Text):
    """A text that never scrolls."""

    SCROLLS = False


class Keys(Canvas):
    """The keys of a dialog as clickable words: (key name, label, action)."""

    SCROLLS = False

    class Clicked(Message):
        """One of them was clicked."""

        def __init__(self, action: str) -> None:
            super().__init__()
            self.action = action

    def __init__(self, keys: Sequence[tuple[str, str, str]]) -> None:
        super().__init__(id="dialog-keys")
        self.keys = keys

    def get_lines(self, width: int) -> Sequence[Line]:
        """One line."""
        spans: list[Span] = []
        for key, label, action in self.keys:
            spans += [Span(key, "key", action), Span(f" {label}  ", "dim", action)]
        return [tuple(spans)]

    def on_click(self, event: events.Click) -> None:
        """Tell which."""
        offset = event.get_content_offset(self)
        span = self.span_at(offset.x, offset.y)[1] if offset is not None else None
        if span is not None and span.action:
            self.post_message(self.Clicked(span.action))


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a list. search: what the filter looks in; cells: one text for each column; note: shown below."""

    value: Any
    cells: tuple[str, ...]
    search: str = ""
    note: str = ""
    style: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its title, whether figures stand right, and from which list width it is shown."""

    title: str
    right: bool = False
    from_width: int = 0
    limit: int = 40


class Entry(Canvas, can_focus=True):
    """The line that is typed into."""

    SCROLLS = False

    def __init__(self, edit: LineEdit, prompt: str) -> None:
        super().__init__(id="dialog-entry")
        self.edit = edit
        self.prompt = prompt

    def get_lines(self, width: int) -> Sequence[Line]:
        """Prompt, text and cursor."""
        room = max(4, width - len(self.prompt) - 2)
        shown, cursor = self.edit.window(room)
        shown = f"{shown:<{room}} "
        return [
            line(
                (self.prompt, "dim"),
                " ",
                (shown[:cursor], "field"),
                (shown[cursor], "entry-cursor"),
                (shown[cursor + 1 :], "field"),
            )
        ]


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
            widths.append(min(column.limit, max(longest, len(column.title))) if shown[at] else 0)
        over = sum(widths) + 2 * sum(1 for cells in widths if cells) - (width - 4)
        if over > 0:
            widest = widths.index(max(widths))
            widths[widest] = max(10, widths[widest] - over)
        return widths

    def _row(self, cells: Sequence[str], widths: Sequence[int]) -> str:
        parts = []
        for text, cells_wide, column in zip(cells, widths, self.columns, strict=True):
            if cells_wide:
                text = shorten(text, cells_wide, self.sizeup.glyphs.ellipsis)
                parts.append(f"{text:>{cells_wide}}" if column.right else f"{text:<{cells_wide}}")
        return "  ".join(parts)

    def laid_out(self) -> None:
        """Start with the chosen row in view."""
        self.keep_in_view(self.at)

    def head(self, width: int) -> Line:
        """The column titles, in line with the rows."""
        return line(("  " + self._row([column.title for column in self.columns], self.widths(width)), "dim"))

    def on_click(self, event: events.Click) -> None:
        """Choose a row."""
        offset = event.get_content_offset(self)
        span = self.span_at(offset.x, offset.y)[1] if offset is not None else None
        if span is not None and span.action:
            self.post_message(self.Picked(int(span.action)))


SHORT = 10  # a list of so many rows is as high as its rows


class ListDialog(Dialog[object]):
    """A list with a filter. Enter or a click takes a row; the answer is its value, or typed text if `free`."""

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
        self.current = current

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
        yield Keys((("Enter", "take", "take"), ("Up Down", "choose", ""), ("Esc", "back", "back")))

    def on_mount(self) -> None:
        """Start at the current value."""
        self.set_focus(self.entry)
        self.list.items = matching(self.all_items, self.edit.text)
        self.list.at = next((n for n, item in enumerate(self.list.items) if item.value == self.current), 0)

    def _titles(self, width: int) -> Sequence[Line]:
        return [self.list.head(width)] if self.list.items else [BLANK]

    def _filter(self) -> None:
        self.list.items = matching(self.all_items, self.edit.text)
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
        elif event.action == "back":
            self.dismiss(None)

    def _take(self) -> None:
        typed = self.edit.text.strip()
        if self.free is not None and typed and (not self.list.items or "/" in typed or typed.startswith("~")):
            self.dismiss(self.free(typed))
        elif self.list.items:
            self.dismiss(self.list.items[self.list.at].value)


MISSES = -1000  # the score of what a typed word does not occur in


def matching(items: Sequence[Item], typed: str) -> list[Item]:
    """Items that have every typed word, the one of that very id first, then those whose words start with it; letters in
    order as a last resort."""
    words = typed.casefold().split()
    if not words:
        return list(items)
    ranked: list[tuple[int, int, Item]] = []
    for number, item in enumerate(items):
        text = f"{item.search} {' '.join(item.cells)}".strip().casefold()
        squeezed = text.replace("-", "").replace(" ", "").replace(".", "")
        score = 0
        for word in words:
            if f"{text} ".startswith(f"{word} "):
                score -= 1  # the very id
            elif text.startswith(word):
                score += 0
            elif f" {word}" in text or f"-{word}" in text:
                score += 1
            elif word in text or word.replace("-", "") in squeezed:
                score += 2
            elif _in_order(word, text.split(" ", 1)[0]):
                score += 8
            else:
                score = MISSES
                break
        if score > MISSES:
            ranked.append((score, number, item))
    ranked.sort(key=lambda entry: entry[:2])
    if any(score < 8 for score, _, _ in ranked):
        ranked = [entry for entry in ranked if entry[0] < 8]
    return [item for _, _, item in ranked]


def _in_order(word: str, text: str) -> bool:
    at = -1
    for letter in word:
        at = text.find(letter, at + 1)
        if at < 0:
            return False
    return True


class Question(Dialog[str]):
    """A question with a few answers, each with its letter."""

    def __init__(self, heading: str, words: str, answers: Sequence[tuple[str, str, str]]) -> None:
        super().__init__()
        self.heading = heading
        self.words = words
        self.answers = answers  # letter, label, value
        self.at = 0

    def parts(self) -> ComposeResult:
        """The words and the answers."""
        lines = wrap(self.sizeup.glyphs.text(self.words), min(70, self.app.size.width - 6))
        self.words_lines: list[Line] = [BLANK, *[line(text) for text in lines], BLANK]
        self.body = Built(self._body, id="dialog-body")
        self.body.can_focus = True
        self.body.styles.height = len(self.words_lines) + 1
        yield self.body
        yield Keys((("Enter", "choose", "take"), ("Left Right", "move", ""), ("Esc", "back", "back")))

    def on_mount(self) -> None:
        """Take the keys."""
        self.set_focus(self.body)

    def _body(self, width: int) -> Sequence[Line]:
        spans: list[Span] = []
        for number, (letter, label, value) in enumerate(self.answers):
            style = "selected" if number == self.at else "field"
            spans += [Span(f" {letter.upper()}  {label} ", style, value), Span("  ")]
        return [*self.words_lines, tuple(spans)]

    def on_key(self, event: events.Key) -> None:
        """A letter answers; arrows and Enter do too."""
        event.stop()
        event.prevent_default()
        key = event.key
        if key == "escape":
            self.dismiss(None)
        elif key in ("left", "shift+tab", "up", "right", "tab", "down"):
            step = -1 if key in ("left", "shift+tab", "up") else 1
            self.at = (self.at + step) % len(self.answers)
            self.body.update_lines()
        elif key == "enter":
            self.dismiss(self.answers[self.at][2])
        else:
            for letter, _, value in self.answers:
                if (event.character or "").casefold() == letter.casefold():
                    self.dismiss(value)

    def on_click(self, event: events.Click) -> None:
        """Click an answer."""
        event.prevent_default()
        if event.widget is self:
            self.dismiss(None)
        elif event.widget is self.body:
            offset = event.get_content_offset(self.body)
            span = self.body.span_at(offset.x, offset.y)[1] if offset is not None else None
            if span is not None and span.action:
                self.dismiss(span.action)

    def on_keys_clicked(self, event: Keys.Clicked) -> None:
        """The keys by mouse."""
        if event.action == "take":
            self.dismiss(self.answers[self.at][2])
        elif event.action == "back":
            self.dismiss(None)


class AskText(Dialog[str]):
    """One line of text, with a check that says what is wrong with it."""

    def __init__(self, heading: str, prompt: str, text: str, check: Callable[[str], str] | None = None) -> None:
        super().__init__()
        self.heading = heading
        self.edit = LineEdit.of(text)
        self.prompt = prompt
        self.check = check

    def parts(self) -> ComposeResult:
        """The entry, room for a complaint, keys."""
        self.entry = Entry(self.edit, self.prompt)
        self.complaint = Label([BLANK], id="dialog-head")
        self.complaint.styles.height = 2
        yield self.entry
        yield self.complaint
        yield Keys((("Enter", "take", "take"), ("Esc", "back", "back")))

    def on_mount(self) -> None:
        """Take the keys."""
        self.set_focus(self.entry)

    def on_key(self, event: events.Key) -> None:
        """Type; Enter takes it."""
        event.stop()
        event.prevent_default()
        if event.key == "escape":
            self.dismiss(None)
        elif event.key == "enter":
            self._take()
        elif self.edit.key(event.key):
            self._changed()
        elif event.is_printable and event.character:
            self.edit.insert(event.character)
            self._changed()

    def on_paste(self, event: events.Paste) -> None:
        """Paste into the entry."""
        event.stop()
        self.edit.insert(event.text.strip())
        self._changed()

    def _changed(self) -> None:
        self.entry.update_lines()
        self.complaint.show([BLANK])

    def _take(self) -> None:
        text = self.edit.text.strip()
        wrong = self.check(text) if self.check is not None else ""
        if not text:
            wrong = "a name is needed"
        if wrong:
            self.complaint.show([line((row, "bad")) for row in wrap(wrong, self.complaint.inner_width - 1)][:2])
        else:
            self.dismiss(text)

    def on_keys_clicked(self, event: Keys.Clicked) -> None:
        """The keys by mouse."""
        if event.action == "take":
            self._take()
        else:
            self.dismiss(None)


class Reader(Dialog[bool]):
    """A text to read and scroll. The answer is True where the letter of `extra` was pressed."""

    size_class = "large"
    KEYS: tuple[tuple[str, str, str], ...] = ()
    """The keys at its foot, where they are others than those of a text."""

    def __init__(
        self, heading: str, build: Callable[[int], Sequence[Line]], extra: tuple[str, str] | None = None
    ) -> None:
        super().__init__()
        self.heading = heading
        self.build = build
        self.extra = extra  # letter and label

    def parts(self) -> ComposeResult:
        """The text and the keys."""
        self.body = Built(lambda width: self.build(width - 1), id="dialog-text")
        self.body.can_focus = True
        yield self.body
        extra = ((self.extra[0].upper(), self.extra[1], "extra"),) if self.extra is not None else ()
        yield Keys(self.KEYS or (("Up Down", "scroll", ""), *extra, ("Esc", "back", "back")))

    def on_mount(self) -> None:
        """Take the keys."""
        self.set_focus(self.body)

    def on_key(self, event: events.Key) -> None:
        """Scroll, answer, or go back."""
        event.prevent_default()
        page = max(1, self.body.size.height - 1)
        steps = {"up": -1, "down": 1, "pageup": -page, "pagedown": page, "space": page, "home": -9999, "end": 9999}
        if event.key in ("escape", "enter", "q"):
            self.dismiss(None)
        elif event.key in steps:
            self.body.scroll_lines(self.body.top + steps[event.key])
        elif self.extra is not None and (event.character or "").casefold() == self.extra[0]:
            self.dismiss(True)
        event.stop()

    def on_keys_clicked(self, event: Keys.Clicked) -> None:
        """The keys by mouse."""
        if event.action == "back":
            self.dismiss(None)
        elif event.action == "extra":
            self.dismiss(True)


def ruled(spans: Sequence[Span], width: int) -> Line:
    """Spans padded to the width."""
    return (*spans, Span(" " * max(0, width - width_of(spans))))
