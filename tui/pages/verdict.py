"""The verdict: its questions in order, and what would flip it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.figures.sentences import text_of
from engine.sizing import Evidence, Flip, Sizing, Step
from tui.pages.doc import Line, Span, ends, flow, heading, line, paragraphs
from tui.pages.look import Look, sentence, spans_of

if TYPE_CHECKING:
    from tui.pages.studies import Studies


def flip_points(sizing: Sizing, studies: Studies | None) -> tuple[tuple[Flip, ...], bool]:
    """Where the verdict changes, and whether that belongs to this very sizing or to the one before the last edit."""
    return studies.flips.of(sizing) if studies is not None else (sizing.verdict.flips, True)


def flips(sizing: Sizing, look: Look) -> list[Line]:
    """What would flip the verdict, each with its working; while it is looked for, what held before the edit."""
    points, fresh = flip_points(sizing, look.studies)
    state = "" if fresh else "before this edit" if points else "looking for it"
    lines = [heading("WHAT WOULD FLIP IT", look.width, look.glyphs.rule, state)]
    for flip in points:
        lines += _flip_lines(look, flip, fresh)
    if not points and fresh:
        words = "Nothing within thousands of times of what was entered."
        lines += paragraphs(words, look.width - 1, "dim", " ", " ")
    return lines


def _flip_lines(look: Look, flip: Flip, fresh: bool) -> list[Line]:
    told = [span._replace(text=look.glyphs.text(span.text)) for span in spans_of(flip.words)]
    spans = told if fresh else [span._replace(style="dim") for span in told]
    return flow([Span(f" {look.glyphs.bullet} ", "dim"), *spans], look.width - 1, "   ")


def steps(sizing: Sizing, look: Look, evidence: bool) -> list[Line]:
    """The six questions in order with their answers; the deciding one marked, later ones greyed."""
    verdict = sizing.verdict
    lines = [heading("VERDICT, step by step", look.width, look.glyphs.rule)]
    told: dict[tuple[str, ...], int] = {}
    for step in verdict.steps:
        alike = tuple(text_of(item.figure) for item in step.evidence)
        same = told.setdefault(alike, step.number) if alike else step.number
        lines += _step_lines(step, step.number == verdict.step, look, same if evidence else None)
    return lines


def _step_lines(step: Step, decides: bool, look: Look, same: int | None) -> list[Line]:
    """A step. same: the first step with this evidence, which is told there; None for no evidence at all."""
    glyphs = look.glyphs
    if not step.reached:
        mark, mark_style, text = glyphs.skipped, "dim", "dim"
    elif step.yes:
        mark, mark_style, text = glyphs.yes, "good", "strong" if decides else ""
    else:
        mark, mark_style, text = glyphs.no, "bad" if decides else "dim", ""
    pointer = glyphs.pointer if decides else " "
    indent = " " * 6
    question = paragraphs(step.question, look.width - 1, text, indent, f"{pointer}{mark} {step.number}  ")
    if question:
        first = question[0]
        question[0] = (
            Span(pointer, "key"),
            Span(f"{mark} ", mark_style),
            Span(f"{step.number}  ", "dim"),
            *first[1:],
        )
    lines = question
    style = "" if step.reached else "dim"
    lines += sentence(step.answer, look.width - 1, style, indent, indent)
    if same == step.number:
        for item in step.evidence:
            lines += _evidence_lines(item, indent, look)
    elif same is not None and step.evidence:
        lines.append(line((f"{indent}{glyphs.bullet} the same build as in step {same}", "dim")))
    return lines


def _evidence_lines(item: Evidence, indent: str, look: Look) -> list[Line]:
    """A line of evidence, whose figures open, with its kind at the right edge."""
    told = spans_of((f"{item.what}: ", *item.figure), "dim")
    rows = flow([Span(f"{indent}{look.glyphs.bullet} ", "dim"), *told], look.width - KIND_WIDTH, indent + "  ")
    rows[0] = ends(rows[0], [Span(f"{item.kind:>{KIND_WIDTH - 1}}", "kind")], look.width)
    return rows


KIND_WIDTH = 15
"""Cells for the kind of a figure: the longest is `rule of thumb`."""


def verdict_more(sizing: Sizing, look: Look) -> list[Line]:
    """What to build, what would flip it, and what was assumed."""
    verdict, glyphs = sizing.verdict, look.glyphs
    lines: list[Line] = []
    if verdict.build:
        lines += [
            heading("THE BUILD", look.width, glyphs.rule),
            *sentence(verdict.build, look.width),
        ]
    lines += flips(sizing, look)
    if verdict.assumed:
        lines.append(heading("ASSUMED", look.width, glyphs.rule))
        for words in verdict.assumed:
            lines += sentence(words, look.width - 1, "dim", "   ", f" {glyphs.bullet} ")
    return lines
