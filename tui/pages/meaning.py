"""What things mean, as lines: terms, the current field, the chosen figure, and the words that stand on a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.decide.opened import working
from engine.scenario.fields import Field
from engine.sizing import Sizing
from tui.files import fields
from tui.pages import glossary
from tui.pages.doc import BLANK, Line, Span, heading, line, paragraphs
from tui.pages.glossary import Term
from tui.pages.glyphs import Glyphs

FROM = "From: "


def term_lines(term: Term, width: int, glyphs: Glyphs) -> list[Line]:
    """A term: its word and the others for it, what it means, where that comes from."""
    word = line((f" {term.word}", "strong"))
    others = f"  also {', '.join(term.also)}" if term.also else ""
    if others and len(term.word) + 1 + len(others) <= width:
        word = (*word, Span(glyphs.text(others), "dim"))
    return [
        word,
        *paragraphs(glyphs.text(term.means), width, "", "   ", "   "),
        *paragraphs(glyphs.text(FROM + term.source), width, "dim", "   ", "   "),
    ]


def field_lines(field: Field, width: int, glyphs: Glyphs) -> list[Line]:
    """The current field: what it is, what it takes, its default, its key in a session file, and the terms in that."""
    takes = fields.range_words(field)
    choices = ", ".join(label for _, label in field.choices[:MOST_CHOICES])
    if len(field.choices) > MOST_CHOICES:
        choices += f" and {len(field.choices) - MOST_CHOICES} more"
    default = fields.default_words(field)
    facts = [
        f"Takes {takes or choices}." if takes or choices else "",
        f"Default: {default}." if default else "",
        f"Unit: {field.unit}." if field.unit else "",
    ]
    lines = [
        heading(f"THIS FIELD: {field.label}", width, glyphs.rule),
        *paragraphs(glyphs.text(field.help), width, "", " ", " "),
        *paragraphs(glyphs.text(" ".join(fact for fact in facts if fact)), width, "", " ", " "),
        line((f" In a session file and for --set: {field.key}", "dim")),
    ]
    own = glossary.of_figure(field.key)
    told = [own] if own is not None else []
    told += [term for term in glossary.standing_in([field.label, field.help]) if term is not own]
    return [*lines, BLANK, *_terms(told[:MOST_TERMS], width, glyphs)]


MOST_CHOICES, MOST_TERMS = 12, 3


def figure_lines(sizing: Sizing, figure: str, row: str, width: int, glyphs: Glyphs) -> list[Line]:
    """The chosen figure: what it is, how it comes about, of what kind and from where, and the terms of its row."""
    try:
        opened = working(sizing, figure)
    except KeyError:
        opened = None
    lines: list[Line] = []
    if opened is not None:
        lines = [
            heading("THIS FIGURE", width, glyphs.rule, opened.kind, "kind"),
            *paragraphs(glyphs.text(opened.title), width, "strong", " ", " "),
            *(paragraphs(glyphs.text(f"It is {opened.formula}"), width, "", "   ", " ") if opened.formula else []),
            *paragraphs(glyphs.text(FROM + opened.source), width, "dim", "   ", " "),
            *paragraphs("Enter at the figure opens all of it.", width, "dim", " ", " "),
        ]
    own = glossary.of_figure(figure)
    told = [own] if own is not None else []
    told += [term for term in glossary.standing_in([row]) if term is not own]
    if not lines and told:
        lines = [heading("HERE", width, glyphs.rule)]
    return [*lines, BLANK, *_terms(told[:MOST_TERMS], width, glyphs)]


def page_lines(page: str, texts: Iterable[str], above: Iterable[Line], width: int, glyphs: Glyphs) -> list[Line]:
    """The terms that stand on a page, each in two lines. above: lines that told some of them already."""
    known = {span.text.strip() for row in above for span in row if span.style == "strong"}
    told = [term for term in glossary.standing_in(texts) if term.word not in known]
    if not told:
        return []
    return [heading(f"WORDS ON THIS PAGE: {page}", width, glyphs.rule), *_terms(told, width, glyphs)]


def _terms(told: Sequence[Term], width: int, glyphs: Glyphs) -> list[Line]:
    lines: list[Line] = []
    for term in told:
        lines += [BLANK, *term_lines(term, width, glyphs)] if lines else term_lines(term, width, glyphs)
    return lines
