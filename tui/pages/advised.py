"""What was found to do about a build: the same lines wherever a page shows them, each with the action that does it."""

from __future__ import annotations

from engine.decide.advice import Cure
from engine.decide.advice import line as line_of
from engine.figures.sentences import Sentence, about
from engine.sizing import Sizing
from tui.pages.doc import Line, Span, flow, line, shorten
from tui.pages.look import Look, cure_spans, spans_of


def cures(sizing: Sizing, look: Look, brief: bool = False) -> list[list[Line]]:
    """What was found to do about this build, each with the action that does exactly that; while it is looked for, that.

    brief: each on one line, cut where it must be.
    """
    if look.studies is None:
        return []
    found = look.studies.counsel.of(sizing.scenario)
    if found is None:
        return [[line((" Looking for what to do", "dim"))]]
    blocks = [_cure_lines(cure, number, look, brief) for number, cure in enumerate(found.offered)]
    if brief:
        return blocks
    savings = (cure.saving(sizing.memory) for cure in found.offered)
    return [[*block, *_saving(made, at, look)] for at, (block, made) in enumerate(zip(blocks, savings, strict=True))]


def _saving(made: Sentence, number: int, look: Look) -> list[Line]:
    """How a change comes to need less, below it: its figures open, those of the build at hand too."""
    if not made:
        return []
    words = [
        span._replace(text=look.glyphs.text(span.text)) for span in spans_of(about(made, f"cure:{number}@"), "dim")
    ]
    return flow([Span("   "), *words], look.width - 1, "   ")


def elsewhere(sizing: Sizing, look: Look) -> list[Line]:
    """What the same tokens cost over an API, where the build does not run; else nothing."""
    found = look.studies.counsel.of(sizing.scenario) if look.studies is not None else None
    if found is None or not found.api:
        return []
    return flow([Span("   "), *spans_of(("or ", *found.api), "dim")], look.width, "   ")


def _cure_lines(cure: Cure, number: int, look: Look, brief: bool) -> list[Line]:
    action = f"cure:{number}"
    tag = f"{look.glyphs.arrow} "
    room = look.width - 1 - len(tag) - len("  apply")
    told = line_of(cure, room) if brief else line_of(cure)
    words = [span._replace(action=span.action or action) for span in cure_spans(told, number, "link")]
    words = [span._replace(text=look.glyphs.text(span.text)) for span in words]
    if brief:
        text = "".join(span.text for span in words)
        if len(text) > room:
            words = [Span(shorten(text, room, look.glyphs.ellipsis), "link", action)]
        return [(Span(" "), Span(tag, "key", action), *words, Span("  apply", "key", action))]
    lines = flow([Span(" "), Span(tag, "key", action), *words], look.width - 8, " " * (1 + len(tag)))
    lines[-1] = (*lines[-1], Span("  apply", "key", action))
    return lines
