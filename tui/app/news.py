"""What a person should know that is no property of the build: a drifted catalog, and problems of catalog files. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.figures.records import NamedTuple
from engine.figures.sentences import text_of
from engine.sizing import Sizing
from tui.files import own_keys
from tui.pages.doc import BLANK, Line, heading, line, paragraphs
from tui.pages.glyphs import Glyphs

if TYPE_CHECKING:
    from tui.shell.report_words import Past


class News(NamedTuple):
    """One thing to know. words: on one line. title, items: with all it holds, and what follows from it.

    past: of a drifted catalog.
    """

    words: str
    title: str
    items: tuple[str, ...]
    past: Past | None = None
    follows: str = ""


def news_of(
    problems: Sequence[str],
    past: Past | None,
    unkept: str = "",
    set_aside: Sequence[str] = (),
    keys: Sequence[str] = (),
) -> tuple[News, ...]:
    """The news: why unsaved work is not kept, what was damaged, what is wrong with the person's own keys and catalog files,
    then what the catalog says otherwise now.
    """
    found: list[News] = []
    if unkept:
        words = f"Unsaved work cannot be kept: {unkept}"
        follows = "A crash or a lost connection would take it. Save often."
        found.append(News(words, "UNSAVED WORK IS NOT KEPT", (unkept,), follows=follows))
    if set_aside:
        more = f" (and {len(set_aside) - 1} more)" if len(set_aside) > 1 else ""
        words = f"Damaged and set aside{more}: {set_aside[0]}"
        found.append(News(words, "DAMAGED AND SET ASIDE", tuple(set_aside), follows="All else is in use."))
    if keys:
        more = f" (and {len(keys) - 1} more)" if len(keys) > 1 else ""
        words = f"Left out of your keys{more}: {keys[0]}"
        follows = f"All other keys are in use. Correct {own_keys.file()} and start again."
        found.append(News(words, "LEFT OUT OF YOUR KEYS", tuple(keys), follows=follows))
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        words = f"Left out of your catalog{more}: {problems[0]}"
        follows = "Everything else is in use. Correct the file and start again."
        found.append(News(words, "LEFT OUT OF YOUR CATALOG", tuple(problems), follows=follows))
    if past is not None and past.drifts:
        told = tuple(drift.words[:1].upper() + drift.words[1:] for drift in past.drifts)
        more = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
        first = past.drifts[0].change  # what it was and what it is must fit a narrow line
        found.append(News(f"{first}{more}", "THE CATALOG HAS CHANGED SINCE THIS WAS SAVED", told, past))
    return tuple(found)


def news_lines(news: Sequence[News], sizing: Sizing | None, width: int, glyphs: Glyphs) -> list[Line]:
    """The news in full; of a drifted catalog the answer as saved and the answer now."""
    lines: list[Line] = []
    for item in news:
        lines += [BLANK, heading(item.title, width, glyphs.rule)]
        for words in item.items:
            lines += paragraphs(glyphs.text(words), width, "", "   ", f" {glyphs.bullet} ")
        if item.past is not None and sizing is not None:
            lines += [BLANK, *_both(item.past, sizing, width, glyphs)]
        elif item.follows:
            lines += paragraphs(item.follows, width, "dim", " ", " ")
    return lines


def _both(past: Past, sizing: Sizing, width: int, glyphs: Glyphs) -> list[Line]:
    from tui.shell.blocks import as_text
    from tui.shell.report_words import then_and_now

    lines = [
        line((f" {glyphs.text(row)}"[:width], "dim" if number == 0 else ""))
        for number, row in enumerate(as_text([then_and_now(past, sizing)], width).splitlines())
    ]
    same = past.sizing.verdict.headline == sizing.verdict.headline
    words = "The verdict is the same." if same else f"Then: {text_of(past.sizing.verdict.headline)}."
    lines += paragraphs(glyphs.text(words), width, "" if same else "warn", " ", " ")
    words = "What stands on screen is the answer now. Saving keeps the figures of today."
    return lines + paragraphs(words, width, "dim", " ", " ")
