"""A Sizing as a report without a terminal: text for people and pipes, markdown for documents, JSON for programs.

Every figure comes from the Sizing; nothing is computed here but its rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import catalog
from engine.decide.advice import CATALOG, Advice, advice
from engine.decide.advice import line as line_of
from engine.decide.whole import whole
from engine.figures.sentences import joined, text_of
from engine.figures.text import printable
from engine.model.formats import FORMATS as WEIGHT_FORMATS
from engine.sizing import Sizing
from tui.pages.doc import shorten
from tui.shell.blocks import WIDTH, Block, Bullets, Heading, Paragraph, as_markdown, as_text, json_line
from tui.shell.report_data import past_data, sizing_data, with_advice
from tui.shell.report_measured import measured_blocks
from tui.shell.report_money import cost_blocks, power_blocks
from tui.shell.report_tables import (
    embedding_blocks,
    fabric_blocks,
    memory_blocks,
    prospect_blocks,
    scaling_blocks,
    serving_blocks,
    training_blocks,
)
from tui.shell.report_words import (
    Past,
    answer_lines,
    build_line,
    change_words,
    drift_blocks,
    keys_words,
    layout_words,
    workload_line,
)

Format = Literal["text", "markdown", "json"]
FORMATS: tuple[Format, ...] = ("text", "markdown", "json")
NOTES_OF_PLAIN = 3


def render(sizing: Sizing, form: Format, past: Past | None = None, full: bool = True) -> str:
    """The report in one form, ending in a line end; JSON is a single line, and always full.

    past: of a file whose catalog drifted. full: else what fits one page of text.
    """
    sized = whole(sizing)
    found = advice(sizing.scenario, catalog.load())
    sized = with_advice(sized, found)
    if form == "json":
        data = sizing_data(sized, found) | ({"drift": past_data(past)} if past is not None else {})
        return json_line(data)
    blocks = list(_blocks(sized, past, found) if full else _plain(sized, past, found))
    return as_markdown(blocks) if form == "markdown" else as_text(blocks)


# Content


def _blocks(sizing: Sizing, past: Past | None, found: Advice) -> Iterator[Block]:
    scenario = sizing.scenario
    yield from answer_lines(sizing, found)
    yield Heading(printable(scenario.title) or "Untitled build", 1)
    yield Paragraph(build_line(scenario))
    yield Paragraph(workload_line(scenario, sizing.training if sizing.memory.fits else None))
    for line in scenario.notes.splitlines():
        if line.strip():
            yield Paragraph(printable(line))
    yield from _verdict(sizing)
    if past is not None and past.drifts:
        yield from drift_blocks(sizing, past)
    yield from _to_do(sizing, found)
    yield from _warnings(sizing)
    yield from memory_blocks(sizing)
    if sizing.serving is not None:
        load = sizing.scenario.workload
        yield from embedding_blocks(sizing.serving) if load.embeds else serving_blocks(sizing.serving, load.kind)
    if sizing.training is not None and sizing.memory.fits:
        yield from training_blocks(sizing.training)
    yield from measured_blocks(sizing)
    yield from cost_blocks(sizing)
    yield from power_blocks(sizing)
    yield from _steps(sizing)
    yield from fabric_blocks(sizing.fabric)
    yield from scaling_blocks(sizing)
    yield from prospect_blocks(sizing)


def _plain(sizing: Sizing, past: Past | None, found: Advice) -> Iterator[Block]:
    """The answer, the build and the load; what changed since it was saved; and a page of the rest."""
    from tui.shell.report_plain import plain

    scenario = sizing.scenario
    yield from answer_lines(sizing, found)
    yield Heading(printable(scenario.title) or "Untitled build", 1)
    yield Paragraph(build_line(scenario))
    yield Paragraph(workload_line(scenario, sizing.training if sizing.memory.fits else None))
    for line in [line for line in scenario.notes.splitlines() if line.strip()][:NOTES_OF_PLAIN]:
        yield Paragraph(shorten(printable(line), WIDTH))
    if past is not None and past.drifts:
        yield from drift_blocks(sizing, past)
    yield from plain(sizing, found)


def _verdict(sizing: Sizing) -> Iterator[Block]:
    verdict = sizing.verdict
    yield Heading("Verdict")
    yield Paragraph(f"{verdict.answer}: {text_of(verdict.headline)}", strong=True)
    if verdict.flips:
        yield Bullets(tuple((text_of(flip.words), ()) for flip in verdict.flips))
    if verdict.reason:
        yield Paragraph(text_of(verdict.reason))
    best = verdict.recommended
    if best is not None and best.nodes and sizing.scenario.workload.is_inference:
        yield Paragraph(f"Build: {text_of(verdict.build)}, {WEIGHT_FORMATS[best.weights].label} weights")
    elif verdict.build:
        yield Paragraph(f"Build: {text_of(verdict.build)}")
    carried = "yes" if verdict.carried else "no"
    yield Paragraph(f"Carries the workload as entered: {carried}")
    yield Paragraph(f"Layout: {layout_words(sizing.layout)}")
    if verdict.assumed:
        yield Paragraph(text_of(("Assumed: ", *joined(verdict.assumed, "; "))))


def _to_do(sizing: Sizing, found: Advice) -> Iterator[Block]:
    """Single changes that make the build carry the workload, other builds that do, and what gives room in memory."""
    verdict, changes = sizing.verdict, found.fixes
    room = [item for item in sizing.memory.suggestions if all(item.field != other.field for other in changes)]
    others = [cure for cure in found.found if verdict.carried or cure.kind in CATALOG]
    if verdict.carried and not room and not others:
        return
    yield Heading("What to do")
    if changes:
        yield Paragraph("Any one of these makes the build carry the workload:")
        savings = {cure.changes: cure.saving(sizing.memory) for cure in found.found}
        told = ((item, savings.get(item.changes, ())) for item in changes)
        yield Bullets(tuple((change_words(item), (text_of(made),) if made else ()) for item, made in told))
    elif not verdict.carried:
        yield Paragraph("No single change makes this build carry the workload; sizeup recommend looks for others.")
    if others:
        yield Paragraph("Other builds that do:" if not verdict.carried else "Any one of these makes it run:")
        yield Bullets(tuple((text_of(line_of(cure)), ()) for cure in others))
    if found.api:
        yield Paragraph(f"Or {text_of(found.api)}.")
    if room:
        yield Paragraph("Room in memory:")
        yield Bullets(tuple((change_words(item), ()) for item in room))


def _steps(sizing: Sizing) -> Iterator[Block]:
    yield Heading("Steps of the verdict")
    steps = []
    for step in sizing.verdict.steps:
        passed = "" if step.reached else " (not reached; it would have said)"
        evidence = tuple(f"{item.what}: {text_of(item.figure)} [{item.kind}]" for item in step.evidence)
        steps.append((f"Step {step.number}: {step.question}{passed} {text_of(step.answer)}", evidence))
    yield Bullets(tuple(steps))


def _warnings(sizing: Sizing) -> Iterator[Block]:
    if not sizing.warnings:
        return
    yield Heading("Warnings")
    items = []
    for notice in sizing.warnings:
        fix = notice.fix
        todo = (f"fix: {keys_words(fix)}" + (f" ({text_of(fix.effect)})" if fix.effect else ""),) if fix else ()
        items.append((f"{notice.severity}: {text_of(notice.message)} [{notice.id}]", todo))
    yield Bullets(tuple(items))
