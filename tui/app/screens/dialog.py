"""What all dialogs share: a titled box, a list that filters as one types, a question, a text to read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from textual import events
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.containers import Vertical
from textual.message import Message
from textual.reactive import Reactive
from textual.screen import ModalScreen
from textual.widget import Widget

from tui.app.base import SizeupBase, sizeup_of
from tui.app.textual_privates import Still, lay_out
from tui.app.widgets.canvas import Canvas, Transient
from tui.app.widgets.edit import LineEdit
from tui.pages.doc import BLANK, Line, Span, line, shorten, width_of, wrap

_Answer = TypeVar("_Answer")


class Box(Transient, Still, Vertical):
    """The frame of a dialog. It does not scroll, so a layout of it asks for no other."""


class Dialog(Transient, Still, ModalScreen[_Answer]):
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

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        """The first layout paints the dialog; Textual would paint everything once more."""
        if not self._resumed:
            event.prevent_default()
            self.stack_updates += 1
            lay_out(self, self.app.size)
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
        if self.edit.fresh and shown:  # all of it goes with the first letter typed
            rest = " " * (room - len(shown))
            return [line((self.prompt, "dim"), " ", (shown, "selected"), (" ", "entry-cursor"), (rest, "field"))]
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


OK = (("o", "OK", "ok"),)
"""The one answer to what is only to be read."""


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


class Typing(Dialog[str]):
    """Takes what is typed: Enter takes it, Escape goes back, by mouse likewise."""

    def typed(self, event: events.Key) -> bool:
        """Take a key into the text; whether that changed it."""
        raise NotImplementedError

    def changed(self) -> None:
        """Show the text as it is now."""
        raise NotImplementedError

    def take(self) -> None:
        """Answer with the text, or say what is wrong with it."""
        raise NotImplementedError

    def on_key(self, event: events.Key) -> None:
        """Type; Enter takes it."""
        event.stop()
        event.prevent_default()
        if event.key == "escape":
            self.dismiss(None)
        elif event.key == "enter":
            self.take()
        elif self.typed(event):
            self.changed()

    def on_keys_clicked(self, event: Keys.Clicked) -> None:
        """The keys by mouse."""
        if event.action == "take":
            self.take()
        else:
            self.dismiss(None)


class AskText(Typing):
    """One line of text, with a check that says what is wrong with it. What stands there is chosen: typing replaces it.

    note: what is said below until there is a complaint, such as the folder that a name is taken in.
    """

    def __init__(
        self, heading: str, prompt: str, text: str, check: Callable[[str], str] | None = None, note: str = ""
    ) -> None:
        super().__init__()
        self.heading = heading
        self.edit = LineEdit.of(text, fresh=True)
        self.note = note
        self.prompt = prompt
        self.check = check

    def parts(self) -> ComposeResult:
        """The entry, room for a complaint, keys."""
        self.entry = Entry(self.edit, self.prompt)
        self.complaint = Label(self._noted(), id="dialog-head")
        self.complaint.styles.height = 2
        yield self.entry
        yield self.complaint
        yield Keys((("Enter", "take", "take"), ("Esc", "back", "back")))

    def on_mount(self) -> None:
        """Take the keys."""
        self.set_focus(self.entry)

    def typed(self, event: events.Key) -> bool:
        """Take a key into the line."""
        if self.edit.key(event.key):
            return True
        if event.is_printable and event.character:
            self.edit.insert(event.character)
            return True
        return False

    def on_paste(self, event: events.Paste) -> None:
        """Paste into the entry."""
        event.stop()
        self.edit.insert(event.text.strip())
        self.changed()

    def changed(self) -> None:
        """Show the line."""
        self.entry.update_lines()
        self.complaint.show(self._noted())

    def _noted(self) -> Sequence[Line]:
        return [line((shorten(self.note, min(66, self.app.size.width - 8), self.sizeup.glyphs.ellipsis), "dim"))]

    def take(self) -> None:
        """Answer with the line, or say what is wrong with it."""
        text = self.edit.text.strip()
        wrong = self.check(text) if self.check is not None else ""
        if not text:
            wrong = "a name is needed"
        if wrong:
            self.complaint.show([line((row, "bad")) for row in wrap(wrong, self.complaint.inner_width - 1)][:2])
        else:
            self.dismiss(text)


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
