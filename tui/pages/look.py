"""How pages look: what a page is drawn with, the styles of words that judge, and figures in columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.figures.records import NamedTuple
from engine.figures.sentences import Figure as Told
from engine.figures.sentences import Sentence
from engine.sizing import Sizing
from tui.files.commands import Keymap
from tui.pages.doc import Line, Span, flow, line, shorten, wrap
from tui.pages.glyphs import Glyphs

if TYPE_CHECKING:
    from tui.pages.studies import Studies

HEADROOM_STYLE = {
    "comfortable": "good",
    "fits": "good",
    "tight": "warn",
    "marginal": "warn",
    "does not fit": "bad",
}
SEVERITY_STYLE = {"error": "bad", "warning": "warn", "info": "info"}
QUALITY_STYLE = {"fine": "good", "viable": "", "painful": "warn", "unusable": "bad"}


LOW = 22


class Look(NamedTuple):
    """How to draw: cells across, the glyph set, the Sizing before the last edit (for deltas), and what is studied.

    beside: the page in the next column, which need not be told twice. rows: lines in sight, 0 where there is no end. keymap: the keys that pages name.
    """

    width: int
    glyphs: Glyphs
    before: Sizing | None = None
    studies: Studies | None = None
    beside: str = ""
    rows: int = 0
    keymap: Keymap = Keymap()

    @property
    def low(self) -> bool:
        """Whether the screen is low: what can wait goes to the other pages."""
        return 0 < self.rows < LOW


def spans_of(sentence: Sentence, style: str = "") -> list[Span]:
    """A sentence of the engine as spans whose figures open. style: of the words; a figure of plain ones has its own."""
    spans: list[Span] = []
    words = ""
    for part in (*sentence, Told("")):
        if isinstance(part, str):
            words += part
            continue
        if words:
            spans.append(Span(words, style))
            words = ""
        if part.text:
            shown = "figure" if style in ("", "dim") else style
            spans.append(
                Span(part.text, shown if part.figure else style, f"figure:{part.figure}" if part.figure else "")
            )
    return spans


def sentence(
    told: Sentence, width: int, style: str = "", indent: str = " ", first: str = " ", first_style: str = ""
) -> list[Line]:
    """A sentence wrapped between words; none where there is none. first starts the first line, indent the others."""
    return flow([Span(first, first_style), *spans_of(told, style)], width, indent) if told else []


def cure_spans(sentence: Sentence, number: int, style: str = "") -> list[Span]:
    """A sentence about a change on offer as spans whose figures open as those of the changed build."""
    return [
        span._replace(action=f"figure:cure:{number}@{span.action.removeprefix('figure:')}") if span.action else span
        for span in spans_of(sentence, style)
    ]


class Figure(NamedTuple):
    """A labelled figure of a two-column block. note: interval or remark, dim; note_action: where it opens to itself."""

    label: str
    value: str
    note: str = ""
    action: str = ""
    style: str = "figure"
    note_action: str = ""


def figures(items: Sequence[Figure], look: Look) -> list[Line]:
    """Figures in two columns where they fit beside each other, otherwise in one."""
    if not items:
        return []
    label = max(len(item.label) for item in items) + 1
    value = max(len(item.value) for item in items)
    note = max(len(item.note) for item in items)
    half = (look.width - 2) // 2
    two = label + value + note + 3 <= half

    def cell(item: Figure, wide: int) -> tuple[Span, ...]:
        body = (
            Span(f" {item.label:<{label}}", "", item.action),
            Span(f"{item.value:<{value}}", item.style, item.action),
        )
        room = wide - label - 1 - value - 2
        tail = f"  {shorten(item.note, room)}" if item.note and room > 6 else ""
        opens = item.note_action or (item.action if any(char.isdigit() for char in tail) else "")
        return (*body, Span(tail, "dim", opens), Span(" " * max(0, wide - label - 1 - value - len(tail))))

    def alone(item: Figure) -> list[Line]:
        room = look.width - label - value - 4
        rest = wrap(item.note, room) if 6 < room < len(item.note) else []
        more = [line(" " * (label + value + 3), (row, "dim")) for row in rest[1:]]
        return [cell(item._replace(note=rest[0]) if rest else item, look.width), *more]

    if not two:
        return [row for item in items for row in alone(item)]
    rows = (len(items) + 1) // 2
    lines: list[Line] = []
    for at in range(rows):
        spans = cell(items[at], half)
        if at + rows < len(items):
            spans += cell(items[at + rows], half)
        lines.append(spans)
    return lines
