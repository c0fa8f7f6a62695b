"""One line of help on the current field, under the inputs."""

from __future__ import annotations

from collections.abc import Sequence

from tui.app.widgets.canvas import Canvas
from tui.app.widgets.form import Form
from tui.files import fields, folds
from tui.pages.doc import Line, heading, line, shorten, wrap


class Hint(Canvas):
    """One-line help of the current field: what it is, its range and its default."""

    SCROLLS = False

    def get_lines(self, width: int) -> Sequence[Line]:
        """A rule with range and default, and two lines of help."""
        form = self.screen.query_one(Form)
        glyphs = self.sizeup.glyphs
        if (fold := form.fold) is not None:
            inside = ", ".join(field.label for field in form.fields if folds.fold_of(field) is fold)
            does = "Enter closes" if fold.key in form.opened else "Enter opens"
            words = wrap(
                glyphs.text(f"{inside}. {self.sizeup.keymap.shown('palette')} finds any by its name."), width - 1
            )
            shown = words[: max(1, self.size.height - 1)]
            return [heading(fold.name, width, glyphs.rule, does), *[line((f" {text}", "")) for text in shown]]
        field = form.field
        limits = [text for text in (fields.range_words(field),) if text]
        default = fields.default_words(field)
        if default:
            same = fields.is_default(self.sizeup.store.scenario, field)
            limits.append(
                "at its default" if same else f"{self.sizeup.keymap.shown('reset')} brings its default, {default}"
            )
        right = glyphs.text("; ".join(limits))
        room = width - len(field.label) - 6
        words = wrap(glyphs.text(field.help), width - 1)
        shown = words[: max(1, self.size.height - 1)]
        return [
            heading(field.label, width, glyphs.rule, shorten(right, room, glyphs.ellipsis)),
            *[line((f" {text}", "")) for text in shown],
        ]
