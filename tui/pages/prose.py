"""Figures inside sentences: what a number of a sentence is, so that it opens like any other.

The engine writes sentences; each phrase of theirs that holds figures stands here with the ids of their workings. A test
walks all pages and fails on a figure that no phrase knows, and on one whose working does not hold the number shown.
"""

from __future__ import annotations

import re
from functools import lru_cache

from engine.figures.sentences import Sentence, about
from tui.pages.doc import Line, Span, flow
from tui.pages.look import spans_of

_N = r"(\$?[\d,]*\.?\d+(?:[kMBT]\b)?"  # an amount, up to its unit
_S = r"(?:µs|ms|s|min|h|days)"  # units of engine.figures.units.duration

PHRASES: tuple[tuple[str, tuple[str, ...]], ...] = (
    # changes on offer
    (rf"needs {_N} GiB) instead of {_N})", ("fix@memory.peak_bytes", "memory.peak_bytes")),
    (rf"{_N} GiB) of host RAM a node", ("fix@memory.host_bytes",)),
    (rf"needs {_N} GiB) a GPU", ("fix@memory.peak_bytes",)),
    (rf"room for {_N}) users at {_N}) tokens", ("fix@memory.users_that_fit", "fix@load.tokens_per_request")),
    # why a build is passed over
    (rf"first token after {_N} {_S})", ("serving.ttft_s",)),
)


def linked(text: str | Sentence, style: str = "", of: str = "", fix: str = "") -> list[Span]:
    """A sentence as spans whose figures open.

    of: what the ids start with when the sentence is about another build of the same sizing, `verdict.1.`. fix: the
    change that figures of the build after it are about, `model.weights=int4`.
    """
    if not isinstance(text, str):
        return spans_of(about(text, of) if of else text, style)
    spans: list[Span] = []
    end = 0
    for start, stop, figure in _figures(text):
        if start < end:
            continue
        if figure.startswith("fix@"):
            if not fix:
                continue
            figure = f"fix:{fix}@{figure.removeprefix('fix@')}"
        else:
            figure = f"{of}{figure}" if of else figure
        spans += [Span(text[end:start], style)] if start > end else []
        spans.append(Span(text[start:stop], "figure" if style in ("", "dim") else style, f"figure:{figure}"))
        end = stop
    return [*spans, Span(text[end:], style)] if end < len(text) or not spans else spans


@lru_cache(maxsize=1)
def _keyed() -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    """The phrases, each with words that a sentence holding it has: patterns are compiled when first needed."""
    return tuple((_keyword(pattern), pattern, figures) for pattern, figures in PHRASES)


def _keyword(pattern: str) -> str:
    """The longest run of plain letters outside of groups and classes; empty where the pattern has alternatives."""
    flat, depth, skip = "", 0, False
    for char in pattern:
        if skip:
            skip, char = False, "\0"  # an escaped character
        elif char == "\\":
            skip, char = True, "\0"
        depth += (char in "([") - (char in ")]")
        flat += "\0" if depth or char in ")].*^$" else char
    if "|" in flat:
        return ""
    runs = re.split(r"[^A-Za-z /']|.\?", flat)
    return max(runs, key=len)


@lru_cache(maxsize=256)
def _figures(text: str) -> tuple[tuple[int, int, str], ...]:
    """(start, end, id) of every figure that a phrase names, in reading order."""
    found: list[tuple[int, int, str]] = []
    for keyword, pattern, figures in _keyed():
        if keyword not in text:
            continue
        for match in re.finditer(pattern, text):
            groups = [group or "" for group in match.groups()]
            for number, figure in enumerate(figures, 1):
                if match.group(number) is not None:
                    found.append((*match.span(number), figure.format(*groups)))
    return tuple(sorted(found))


def sentence(
    text: str | Sentence,
    width: int,
    style: str = "",
    indent: str = " ",
    first: str = " ",
    of: str = "",
    first_style: str = "",
) -> list[Line]:
    """A sentence wrapped between words, its figures open. first starts the first line, indent the others."""
    if not text or text == " ":
        return []
    told = " ".join(text.split()) if isinstance(text, str) else text
    return flow([Span(first, first_style), *linked(told, style, of)], width, indent)
