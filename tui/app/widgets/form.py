"""The inputs: every field of the scenario as one line, edited in place."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.message import Message

from tui.app.widgets.canvas import Canvas
from tui.app.widgets.edit import LineEdit
from tui.files import fields, folds
from tui.files.fields import Field, InvalidEntry, has_list
from tui.pages.doc import BLANK, Line, Span, heading, paragraphs, shorten, shorten_name, wrap

LABEL = 15
FOLDED = "MORE"


class Form(Canvas, can_focus=True):
    """The fields in one column, those that decide in sight and the rest under headings that open.

    Up, Down and Tab walk them; typing edits at once; left and right step.

    Posts `Changed` with a value that the field accepts, `Rejected` with text that it does not, and `PickerWanted`
    when a list is to be opened.
    """

    class Changed(Message):
        """A field has a new value."""

        def __init__(self, field: Field, value: object, typed: bool) -> None:
            super().__init__()
            self.field, self.value, self.typed = field, value, typed

    class Rejected(Message):
        """A field was given text that it cannot take."""

        def __init__(self, field: Field, text: str, reason: str) -> None:
            super().__init__()
            self.field, self.text, self.reason = field, text, reason

    class Reverted(Message):
        """Rejected text of a field was given up."""

        def __init__(self, field: Field) -> None:
            super().__init__()
            self.field = field

    class PickerWanted(Message):
        """The list of a field is to be opened; `seed` starts its filter."""

        def __init__(self, field: Field, seed: str = "") -> None:
            super().__init__()
            self.field, self.seed = field, seed

    class Moved(Message):
        """Another field is current."""

    class Left(Message):
        """Tab went past the last field, or shift+tab before the first."""

        def __init__(self, forward: bool) -> None:
            super().__init__()
            self.forward = forward

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.key = fields.FIELDS[0].key
        self.edit: LineEdit | None = None
        self.on_the_way = 0
        """Typed texts that the store has not had yet: keys that come in one go are ahead of it."""
        self._rows: dict[str, int] = {}
        self.opened: set[str] = set()
        """The headings that are open, by their keys."""
        self.jumps: dict[str, str] = {}
        """While a jump is chosen: letters, and where each leads."""

    # --- state

    @property
    def fields(self) -> list[Field]:
        """The fields that apply now, in the order of the screen."""
        return folds.ordered(fields.shown(self.sizeup.store.scenario))

    @property
    def stops(self) -> list[str]:
        """What can be current, top to bottom: fields in sight and headings, by their keys."""
        keys: list[str] = []
        for field in self.fields:
            fold = folds.fold_of(field)
            if fold is not None and fold.key not in keys:
                keys.append(fold.key)
            if fold is None or fold.key in self.opened:
                keys.append(field.key)
        return keys

    @property
    def fold(self) -> folds.Fold | None:
        """The heading that is current; None where a field is."""
        return folds.BY_KEY.get(self.key)

    @property
    def field(self) -> Field:
        """The current field; at a heading the first one under it."""
        found = self.fields
        if (fold := self.fold) is not None:
            return next((field for field in found if folds.fold_of(field) is fold), found[0])
        return next((field for field in found if field.key == self.key), found[0])

    def _mark(self, key: str, here: bool, bad: bool, action: str) -> Span:
        """What stands before a name: the letter that a jump to it takes, a pointer where it is current, or a fault."""
        letter = next((letter for letter, target in self.jumps.items() if target == key), "")
        if letter:
            return Span(letter, "bar-key", action)
        glyphs, style = self.sizeup.glyphs, "strong" if here else "bad" if bad else ""
        return Span(glyphs.pointer if here else glyphs.no if bad else " ", style, action)

    def turn(self, fold: folds.Fold) -> None:
        """Open a heading, or close it."""
        self._finish()
        self.key = fold.key
        self.opened ^= {fold.key}
        self.update_lines()
        self._show_row()
        self.post_message(self.Moved())

    def go_to(self, key: str) -> None:
        """Make a field current, opening the heading that it stands under; or a heading."""
        if key not in self.stops:
            field = next((field for field in self.fields if field.key == key), None)
            fold = folds.fold_of(field) if field is not None else None
            if fold is None:
                return
            self.opened.add(fold.key)
        self._finish()
        self.key = key
        self.sizeup.store.seal()
        self.update_lines()
        self._show_row()
        self.post_message(self.Moved())

    def _show_row(self) -> None:
        row = self._rows.get(self.key)
        if row is not None:
            below = len(wrap(self.reason(self.field), self.inner_width - 6)) if self.fold is None else 0
            if (fold := self.fold) is not None and fold.key in self.opened:
                below = sum(folds.fold_of(field) is fold for field in self.fields)
            self.keep_in_view(row + max(1, below))
            self.keep_in_view(0 if self.fields[0].key == self.key else max(0, row - 1))

    def step_to(self, forward: bool) -> None:
        """The next or previous field; past the ends `Left` is posted."""
        keys = self.stops
        at = keys.index(self.key) + (1 if forward else -1)
        if 0 <= at < len(keys):
            self.go_to(keys[at])
        else:
            self._finish()
            self.update_lines()
            self.post_message(self.Left(forward))

    def section(self, forward: bool) -> None:
        """The first field of the next or previous section, or the next or previous heading."""
        shown = self.fields
        firsts = list(dict.fromkeys(folds.head_of(key, shown) for key in self.stops))
        at = firsts.index(folds.head_of(self.key, shown)) + (1 if forward else -1)
        self.go_to(firsts[max(0, min(len(firsts) - 1, at))])

    def _finish(self) -> None:
        """Stop typing; text that was refused stays with its message."""
        self.edit = None

    def refill(self) -> None:
        """Show the store's scenario again: after undo, open, or a list."""
        if self.edit is not None and not self.on_the_way and self.key not in self.sizeup.store.rejected:
            try:
                typed = fields.parse(self.field, self.edit.text)
            except InvalidEntry:
                typed = None
            if typed != fields.current(self.sizeup.store.scenario, self.field):
                self.edit = None
        self.update_lines()
        if self.has_focus:
            self._show_row()

    # --- keys

    def on_key(self, event: events.Key) -> None:
        """Edit the current field, or move between fields."""
        self.screen.post_message(Canvas.Struck())
        if self._handle(event):
            event.stop()
            event.prevent_default()

    def _handle(self, event: events.Key) -> bool:
        key, field = event.key, self.field
        if self.jumps:  # the workbench chooses
            return False
        if (fold := self.fold) is not None and key in ("enter", "space", "left", "right"):
            if (fold.key in self.opened) != (key == "right") or key in ("enter", "space"):
                self.turn(fold)
        elif key in ("tab", "shift+tab"):
            self.step_to(key == "tab")
        elif key in ("pagedown", "pageup"):
            self.section(key == "pagedown")
        elif key in ("up", "down"):
            self._move(key == "down")
        elif key == "enter":
            if has_list(field):
                self.post_message(self.PickerWanted(field))
            else:
                self.step_to(True)
        elif key == "escape":
            return self._revert(field)
        elif self.fold is not None:
            return False
        elif key == "ctrl+r":
            self.reset_field()
        elif field.kind == "id":
            return self._picker_key(event, field)
        elif field.kind == "choice":
            return self._choice_key(event, field)
        else:
            return self._text_key(event, field)
        return True

    def _move(self, down: bool) -> None:
        """The field below or above; the first and the last stay, where Tab leads on."""
        keys = self.stops
        at = keys.index(self.key) + (1 if down else -1)
        if 0 <= at < len(keys):
            self.go_to(keys[at])

    def _picker_key(self, event: events.Key, field: Field) -> bool:
        if event.key in ("space", "right"):
            self.post_message(self.PickerWanted(field))
            return True
        if event.key in ("delete", "backspace") and field.optional:
            self.post_message(self.Changed(field, None, False))
            return True
        if event.character and (event.character.isalnum() or (field.key == "model.id" and event.character in "/~.")):
            self.post_message(self.PickerWanted(field, event.character))
            return True
        return False

    def _choice_key(self, event: events.Key, field: Field) -> bool:
        if event.key in ("left", "right", "space"):
            self.step(field, event.key == "left")
            return True
        letter = (event.character or "").casefold()
        if not letter.isalnum():
            return False
        if has_list(field):
            self.post_message(self.PickerWanted(field, letter))
            return True
        values = [value for value, _ in field.choices]
        now = fields.current(self.sizeup.store.scenario, field)
        start = values.index(now) + 1 if now in values else 0
        order = field.choices[start:] + field.choices[:start]
        for value, label in order:
            if label.casefold().startswith(letter):
                self.post_message(self.Changed(field, value, False))
                break
        return True

    def _text_key(self, event: events.Key, field: Field) -> bool:
        char = event.character
        printable = bool(char) and event.is_printable and event.key not in ("tab", "enter")
        if field.kind == "number" and char in ("?",):
            return False
        if field.kind == "number" and self.edit is None and event.key in ("left", "right"):
            self.step(field, event.key == "right")
            return True
        edit = self.edit or LineEdit.of(self._typed_text(field), fresh=True)
        if edit.key(event.key):
            pass
        elif printable and char:
            edit.insert(char)
        else:
            return False
        self.edit = edit
        self._typed(field)
        return True

    def on_paste(self, event: events.Paste) -> None:
        """Paste into the current field; several lines are for the workbench."""
        if len(event.text.strip().splitlines()) > 1:
            return
        event.stop()
        field, kind = self.field, self.field.kind if self.fold is None else ""
        if kind == "id":
            self.post_message(self.PickerWanted(field, event.text.strip()[:60]))
        elif kind not in ("", "choice"):
            self.edit = self.edit or LineEdit.of(self._typed_text(field), fresh=True)
            self.edit.insert(event.text)
            self._typed(field)

    def _typed_text(self, field: Field) -> str:
        rejected = self.sizeup.store.rejected.get(field.key)
        if rejected:
            return rejected[0]
        text = fields.text_of(self.sizeup.store.scenario, field)
        return "" if field.optional and text == field.empty else text

    def _typed(self, field: Field) -> None:
        assert self.edit is not None
        self.on_the_way += 1
        try:
            value = fields.parse(field, self.edit.text)
        except InvalidEntry as error:
            self.post_message(self.Rejected(field, self.edit.text, str(error)))
        else:
            self.post_message(self.Changed(field, value, True))
        self.update_lines()

    def _revert(self, field: Field) -> bool:
        typing, refused = self.edit is not None, field.key in self.sizeup.store.rejected
        self.edit = None
        if refused:
            self.post_message(self.Reverted(field))
        if typing:
            self.update_lines()
        return typing or refused

    def step(self, field: Field, up: bool) -> None:
        """One sensible step up or down."""
        self.edit = None
        store = self.sizeup.store
        value = fields.stepped(store.scenario, store.sizing, field, up)
        self.post_message(self.Changed(field, value, False))

    def reset_field(self) -> None:
        """Back to the default."""
        field = self.field
        default = field.default()
        if default != fields.UNSET:
            self.edit = None
            self.post_message(self.Changed(field, default, False))

    # --- mouse

    def on_click(self, event: events.Click) -> None:
        """Click a field to make it current; click it again, or its arrow, to open or step it."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        at, span = self.span_at(offset.x, offset.y)
        if span is not None and span.action:
            verb, _, rest = span.action.partition(":")
            if (fold := folds.BY_KEY.get(span.action)) is not None:
                self.turn(fold)
                return
            field = fields.BY_KEY[rest]
            was = self.key
            self.go_to(rest)
            if verb in ("up", "down"):
                self.step(field, verb == "up")
            elif has_list(field):
                self.post_message(self.PickerWanted(field))
            elif field.kind == "choice" and was == rest and verb == "box":
                self.step(field, False)
        else:
            key = next((key for key, row in self._rows.items() if row == at), None)
            if key is not None:
                self.go_to(key)

    def laid_out(self) -> None:
        """A new size keeps the current field in view."""
        self._show_row()

    def focus_changed(self) -> None:
        """The marker comes with the focus; typing ends without it."""
        if not self.has_focus:
            self._finish()
        self.update_lines()
        if self.has_focus:
            self._show_row()

    # --- lines

    def get_lines(self, width: int) -> Sequence[Line]:
        """Sections, fields, and under a field what is wrong with it."""
        store, glyphs = self.sizeup.store, self.sizeup.glyphs
        lines: list[Line] = []
        section = ""
        self._rows = {}
        found = self.fields
        for field in found:
            if (fold := folds.fold_of(field)) is not None and self.reason(field):
                self.opened.add(fold.key)  # what is wrong is never out of sight
        inside = folds.grouped(found)
        stops = self.stops
        if self.key not in stops:
            self.key = stops[0]
        for field in found:
            if (fold := folds.fold_of(field)) is not None:
                if fold.key not in self._rows:
                    if section != FOLDED:
                        section = FOLDED
                        lines += [BLANK, heading(section, width, glyphs.rule)]
                    self._rows[fold.key] = len(lines)
                    lines.append(self._fold_line(fold, inside[fold.key], width))
                if fold.key not in self.opened:
                    continue
            elif field.section != section:
                section = field.section
                if lines:
                    lines.append(BLANK)
                lines.append(heading(section, width, glyphs.rule))
            self._rows[field.key] = len(lines)
            lines.append(self._field_line(field, width))
            reason = self.reason(field)
            if reason:
                lines += paragraphs(reason, width - 2, "bad", "    ", f"  {glyphs.no} ")
        if store.problem is not None and store.problem.field not in self._rows:
            words = store.problem.words
            lines[:0] = [*paragraphs(words, width - 2, "bad", "  ", f"{glyphs.no} "), BLANK]
            shift = len(wrap(words, width - 4)) + 1
            self._rows = {key: row + shift for key, row in self._rows.items()}
        return lines

    def _fold_line(self, fold: folds.Fold, inside: Sequence[Field], width: int) -> Line:
        """A heading: whether it is open, its name, and what is inside."""
        store, glyphs = self.sizeup.store, self.sizeup.glyphs
        here = fold is self.fold and self.has_focus
        words = glyphs.text(folds.told(fold, inside, store.scenario, store.sizing))
        mark = glyphs.opens if fold.key in self.opened else glyphs.right
        label = Span(f" {fold.name:<{LABEL}}", "strong" if here else "", fold.key)
        short = shorten(words, width - LABEL - 5, glyphs.ellipsis)
        return (
            self._mark(fold.key, here, False, fold.key),
            label,
            Span(f" {mark} ", "key", fold.key),
            Span(short, "strong" if here else "dim", fold.key),
        )

    def reason(self, field: Field) -> str:
        """What is wrong with a field now; empty when nothing is."""
        store = self.sizeup.store
        if field.key in store.rejected:
            return store.rejected[field.key][1]
        if store.problem is not None and store.problem.field == field.key:
            return store.problem.words
        return ""

    def _field_line(self, field: Field, width: int) -> Line:
        store, glyphs = self.sizeup.store, self.sizeup.glyphs
        scenario = store.scenario
        here = field.key == self.key and self.has_focus
        text = fields.text_of(scenario, field)
        entered = not fields.is_default(scenario, field)
        refused = store.rejected.get(field.key)
        if refused:
            text = refused[0]
        bad = bool(refused) or (store.problem is not None and store.problem.field == field.key)
        style = "field-bad" if bad else "field-on" if here else "field" if entered else "field-dim"
        tail, room = self._tail(field, width)
        box: tuple[Span, ...]
        action = f"box:{field.key}"
        if here and self.edit is not None:
            shown, cursor = self.edit.window(room - 2)
            shown = f"{shown:<{room - 2}} "
            box = (
                Span(" " + shown[:cursor], style, action),
                Span(shown[cursor], "text-cursor", action),
                Span(shown[cursor + 1 :], style, action),
            )
        else:
            if len(text) > room - 2 and field.choices:  # the word before the colon names it; the list has the rest
                text = text.partition(":")[0]
            cut = shorten_name if field.kind == "id" else shorten
            short = cut(text, room - 2, glyphs.ellipsis)
            box = (Span(f" {short:<{room - 2}} ", style, action),)
        name = f"go:{field.key}"
        label = Span(f" {field.label:<{LABEL}}", "strong" if here else "bad" if bad else "", name)
        return (self._mark(field.key, here, bad, name), label, *box, *tail)

    def _tail(self, field: Field, width: int) -> tuple[tuple[Span, ...], int]:
        """What stands right of the box, and the cells left for the box."""
        store, glyphs = self.sizeup.store, self.sizeup.glyphs
        room = width - LABEL - 2
        if field.kind == "id":
            return (Span(f" {glyphs.opens}", "key", f"box:{field.key}"),), min(34, room - 2)
        if field.kind == "text":
            return (), room
        arrows = (
            Span(f" {glyphs.left}", "key", f"down:{field.key}" if field.kind == "number" else f"up:{field.key}"),
            Span(f" {glyphs.right}", "key", f"up:{field.key}" if field.kind == "number" else f"down:{field.key}"),
        )
        auto = ""
        if fields.is_auto(store.scenario, field):
            auto = fields.chosen_by_auto(store.sizing, field)
        if has_list(field):
            return (*arrows, Span(f" {glyphs.opens}", "key", f"box:{field.key}")), min(30, room - 6)
        if field.kind == "choice" and not auto:
            return arrows, min(30, room - 4)
        words = f" {glyphs.arrow} {auto}" if auto else f" {field.unit}" if field.unit else ""
        return (*arrows, Span(words, "accent" if auto else "dim")), max(6, min(12, room - 4 - max(10, len(words))))
