"""What is wrong and what was found to do about it, the warnings and their fixes."""

from __future__ import annotations

from engine.decide.advice import OTHERS, SHORT_OF_MEMORY
from engine.figures.sentences import about
from engine.sizing import Notice, Severity, Sizing, Suggestion
from tui.pages.advised import cures, elsewhere
from tui.pages.builds import build_words, found_builds
from tui.pages.doc import BLANK, Line, Span, flow, heading, line, paragraphs, shorten_name
from tui.pages.look import SEVERITY_STYLE, Look, sentence, spans_of
from tui.pages.words import usd

CHEAPER = 0.95  # of the price of this build: what is named as cheaper


def fixes(sizing: Sizing) -> list[Suggestion]:
    """The changes that the warnings offer, most severe first, each of them applied with one key."""
    unique: dict[tuple[str, object], Suggestion] = {}
    for notice in sizing.warnings:
        if notice.fix is not None:
            unique.setdefault((notice.fix.field, notice.fix.value), notice.fix)
    return list(unique.values())


def apply_action(suggestion: Suggestion) -> str:
    """The action text that applies a suggestion."""
    return f"apply:{suggestion.field}={suggestion.value}"


def todo(sizing: Sizing, look: Look) -> list[Line]:
    """What is wrong, what was found to do about it, then warnings and remarks, each with what ends it."""
    rows = [row for block in _todo_blocks(sizing, look) for row in block]
    return [_todo_heading(sizing, look), *(rows or _nothing_to_do(sizing, look))]


def _nothing_to_do(sizing: Sizing, look: Look, brief: bool = False) -> list[Line]:
    """That no notice asks for anything, in words that fit the answer. brief: the one thing to do stands above."""
    found = look.studies.counsel.of(sizing.scenario) if look.studies is not None else None
    if found is not None and found.first is not None and brief:
        words = "Nothing else."
    elif sizing.answer.carries:
        words = "Nothing: no trap applies to this build."
    else:
        words = "No single change that was tried makes it run: Builds searches the catalog."
    return paragraphs(words, look.width - 1, "dim", " ", " ")


def todo_brief(sizing: Sizing, look: Look, least: int, most: int) -> list[Line]:
    """What matters most of the same in as many lines as it will take, found or not yet: what stands below does not jump.

    least, most: lines that it has at all events, and at the most.
    """
    lines = [_todo_heading(sizing, look)]
    blocks = _todo_blocks(sizing, look, remarks=False)
    told = sum(len(block) for severe in _notices(sizing, look, remarks=False).values() for block in severe)
    height = min(most, max(least, len(lines) + told + (0 if sizing.answer.status == "runs" else OTHERS)))
    for number, block in enumerate(blocks):
        last = number == len(blocks) - 1
        if len(lines) + len(block) > height - (0 if last else 1):
            more = len(blocks) - number
            lines.append(line((f" {more} more on Verdict", "dim")))
            break
        lines += block
    if not blocks:
        lines += _nothing_to_do(sizing, look, brief=True)
    lines += best_found(sizing, look)[: max(0, height - len(lines))]
    return lines[:height] + [BLANK] * (height - len(lines))


def best_found(sizing: Sizing, look: Look) -> list[Line]:
    """A build that a search for this very load has found cheaper, on one line; none when nobody searched."""
    search = look.studies.search if look.studies is not None else None
    if search is None or not search.ranked or search.running or search.stale(sizing.scenario):
        return []
    for number, option in enumerate(found_builds(search)):
        for now, then, what, figure in (
            (sizing.cost.rent_usd_per_month, option.rent_usd_per_month, "a month rented", "rent_usd_per_month"),
            (sizing.cost.whole_usd, option.whole_usd, "to buy", "buy_usd"),
        ):
            if now is not None and then is not None and then < CHEAPER * now:
                name = f"{build_words(option.scenario, look.glyphs.times)}, {option.scenario.format_held}"
                action, tail = f"build:{number}", f": {usd(then)} {what}, not {usd(now)}  open"
                return [
                    line(
                        (f" {look.glyphs.arrow} ", "key"),
                        Span(shorten_name(name, look.width - 4 - len(tail), look.glyphs.ellipsis), "link", action),
                        Span(": "),
                        Span(usd(then), "figure", f"figure:{action}@cost.{figure}"),
                        Span(f" {what}, not "),
                        Span(usd(now), "figure", f"figure:cost.{figure}"),
                        Span("  open", "key", action),
                    )
                ]
    return []


def _todo_heading(sizing: Sizing, look: Look) -> Line:
    errors = sum(notice.severity == "error" for notice in sizing.warnings)
    warnings = sum(notice.severity == "warning" for notice in sizing.warnings)
    tally = [f"{errors} error{'s' * (errors != 1)}"] if errors else []
    tally += [f"{warnings} warning{'s' * (warnings != 1)}"] if warnings else []
    style = "bad" if errors else "warn" if tally else "dim"
    return heading("WHAT TO DO", look.width, look.glyphs.rule, ", ".join(tally), style)


def _todo_blocks(sizing: Sizing, look: Look, remarks: bool = True) -> list[list[Line]]:
    notices, found = _notices(sizing, look, remarks), cures(sizing, look, brief=not remarks)
    if not remarks:  # the band on top has the first of them already
        return [*notices["error"], *found[1:], *notices["warning"]]
    api = elsewhere(sizing, look)
    return [*notices["error"], *found, *([api] if api else []), *notices["warning"], *notices["info"]]


def _notices(sizing: Sizing, look: Look, remarks: bool) -> dict[Severity, list[list[Line]]]:
    """Errors, warnings and remarks, each with its fix. remarks: whether they are wanted, and what the answer says too."""
    told: set[tuple[str, object]] = set()
    severities: tuple[Severity, ...] = ("error", "warning", "info") if remarks else ("error", "warning")
    wanted = [notice for notice in sizing.warnings if remarks or notice.id not in SHORT_OF_MEMORY]
    return {
        severity: [_notice_lines(notice, look, told) for notice in wanted if notice.severity == severity]
        for severity in severities
    }


def _notice_lines(notice: Notice, look: Look, told: set[tuple[str, object]]) -> list[Line]:
    """A notice and its fix, unless that fix was told before."""
    mark = {"error": look.glyphs.no, "warning": "!", "info": look.glyphs.bullet}[notice.severity]
    style = SEVERITY_STYLE[notice.severity]
    text = style if notice.severity == "error" else ""
    lines = sentence(notice.message, look.width - 1, text, "   ", f" {mark} ", first_style=style)
    if notice.id in SHORT_OF_MEMORY:  # what to do about the build stands below it
        return lines
    if notice.fix is not None and (notice.fix.field, notice.fix.value) not in told:
        told.add((notice.fix.field, notice.fix.value))
        lines += _fix_lines(notice.fix, look, "   ")
    return lines


def _fix_lines(suggestion: Suggestion, look: Look, indent: str) -> list[Line]:
    action = apply_action(suggestion)
    tag = f"{look.glyphs.arrow} "
    told = about(suggestion.effect, f"fix:{suggestion.field}={suggestion.value}@")
    words = [span._replace(action=span.action or action) for span in spans_of(told, "link")]
    start = [Span(indent), Span(tag, "key", action)]
    lines = flow([*start, *words], look.width - 8, indent + " " * len(tag))
    lines[-1] = (*lines[-1], Span("  apply", "key", action))
    return lines
