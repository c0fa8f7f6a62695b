"""Lines of styled text: what the pages build and the canvas paints. Pure: no terminal, no widget."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.figures.records import NamedTuple


class Span(NamedTuple):
    """A run of text in one named style. action: what a click or Enter on it does, empty for nothing."""

    text: str
    style: str = ""
    action: str = ""


Line = tuple[Span, ...]
BLANK: Line = ()
NBSP = "\u00a0"
_UNITS = frozenset(
    [
        "%",
        "KB",
        "MB",
        "GB",
        "TB",
        "KiB",
        "MiB",
        "GiB",
        "TiB",
        "W",
        "kW",
        "s",
        "ms",
        "µs",
        "tok",
        "tokens",
        "user",
        "users",
        "GPU",
        "GPUs",
        "node",
        "nodes",
        "day",
        "days",
        "month",
        "months",
    ]
)
"""A figure and its unit stay on one line."""
_ENDS = "/-.,:;)"
"""What may follow a unit without a blank: the rest of a rate, or of a sentence."""


def line(*parts: Span | str | tuple[str, str]) -> Line:
    """A line from spans, plain strings and (text, style) pairs."""
    return tuple(
        part if isinstance(part, Span) else Span(part) if isinstance(part, str) else Span(*part) for part in parts
    )


def width_of(spans: Iterable[Span]) -> int:
    """Cells that the spans take, counting every character as one cell."""
    return sum(len(span.text) for span in spans)


def plain(spans: Iterable[Span]) -> str:
    """The text alone."""
    return "".join(span.text for span in spans)


def ends(left: Sequence[Span], right: Sequence[Span], width: int) -> Line:
    """Left and right parts pushed to the ends of `width` cells; at least one space between them."""
    gap = max(1, width - width_of(left) - width_of(right))
    return (*left, Span(" " * gap), *right)


def heading(
    title: str, width: int, rule: str, right: str = "", right_style: str = "dim", right_action: str = ""
) -> Line:
    """A section heading: the title, a rule, and words at the right end, which may open."""
    tail = f" {right}" if right else ""
    dashes = max(1, width - len(title) - 1 - len(tail))
    return (Span(title, "title"), Span(" " + rule * dashes, "rule"), Span(tail, right_style, right_action))


def _glued(text: str) -> str:
    """The text with a blank that does not break between each figure and its unit."""
    words = text.split(" ")
    for at in range(len(words) - 1, 0, -1):
        if _ends_in_figure(words[at - 1]) and _starts_with_unit(words[at]):
            words[at - 1 : at + 1] = [words[at - 1] + NBSP + words[at]]
    return " ".join(words)


def _ends_in_figure(word: str) -> bool:
    plain = word[:-1] if word[-1:] in ("k", "M", "B", "T") else word
    return plain[-1:].isdecimal()


def _starts_with_unit(word: str) -> bool:
    end = next((at for at, char in enumerate(word) if char in _ENDS), len(word))
    return word[:end] in _UNITS or word[:1] == "%"


def _words(text: str) -> list[str]:
    """The words, each with the blanks behind it; those before the first go with it."""
    found, current, begun = [], "", False
    for number, piece in enumerate(text.split(" ")):
        current += " " if number else ""
        if piece and begun:
            found.append(current)
            current = ""
        current, begun = current + piece, begun or bool(piece)
    return [*found, current] if current else found


def wrap(text: str, width: int, indent: str = "") -> list[str]:
    """Text broken between words into lines of at most `width`; later lines start with `indent`.

    A word longer than a line is broken after one of - / , . where there is one.
    """
    lines: list[str] = []
    current = ""
    for word in _glued(" ".join(text.split())).split(" "):
        while True:
            candidate = f"{current} {word}" if current.strip() else current + word
            if len(candidate) <= width:
                current = candidate
                break
            if current.strip():
                lines.append(current)
                current = indent
                continue
            room = max(1, width - len(current))
            cut = max((word.rfind(mark, 0, room) + 1 for mark in "-/,."), default=0) or room
            lines.append(current + word[:cut])
            current, word = indent, word[cut:]
            if not word:
                break
    if current.strip():
        lines.append(current)
    return [row.replace(NBSP, " ") for row in lines]


def balanced(text: str, width: int) -> list[str]:
    """Text wrapped into as few lines as `wrap` makes, of about equal length: no word is left alone on the last."""
    lines = wrap(text, width)
    if len(lines) < 2:
        return lines
    for narrower in range(width - 1, len(max(text.split(), key=len)) - 1, -1):
        tried = wrap(text, narrower)
        if len(tried) > len(lines):
            break
        lines = tried
    return lines


def paragraphs(text: str, width: int, style: str = "", indent: str = "", first: str = "") -> list[Line]:
    """Wrapped text as lines; `first` starts the first line and `indent` the rest."""
    wrapped = wrap(text, max(8, width - len(first)))
    rest = wrap(text, max(8, width - len(indent)))
    if len(first) == len(indent):
        return [line(first if number == 0 else indent, (words, style)) for number, words in enumerate(wrapped)]
    if not wrapped:
        return []
    head = wrapped[0]
    tail = " ".join(text.split())[len(head) :].strip()
    rest = wrap(tail, max(8, width - len(indent))) if tail else []
    return [line(first, (head, style)), *(line(indent, (words, style)) for words in rest)]


def flow(spans: Iterable[Span], width: int, indent: str = " ") -> list[Line]:
    """Spans wrapped between words into lines of at most `width`; later lines start with `indent`."""
    lines: list[Line] = []
    row: list[Span] = []
    used = 0
    for span in spans:
        for word in _words(_glued(span.text)):
            word = word.replace(NBSP, " ")
            room = width - used
            if len(word.rstrip()) > room and used > len(indent):
                lines.append(_without_tail(row))
                row, used = [Span(indent)], len(indent)
                word = word.lstrip()
            if row and row[-1].style == span.style and row[-1].action == span.action:
                row[-1] = row[-1]._replace(text=row[-1].text + word)
            else:
                row.append(span._replace(text=word))
            used += len(word)
    if row:
        lines.append(tuple(row))
    return lines


def _without_tail(row: list[Span]) -> Line:
    """A full row without the blank before its break, which would be a cell more than it was given."""
    *head, last = row
    kept = last.text.rstrip(" ")
    return (*head, last._replace(text=kept)) if kept else tuple(head)


def shorten(text: str, width: int, ellipsis: str = "…") -> str:
    """Text that fits `width`, cut between words (or after - / ,) and marked where it was cut."""
    if len(text) <= width:
        return text
    room = width - len(ellipsis)
    if room <= 0:
        return text[:width]
    cut = max(text.rfind(mark, 0, room + 1) for mark in " -/,·(")
    return (text[:cut].rstrip(" -/,·(") if cut > room // 3 else text[:room]) + ellipsis


def shorten_name(text: str, width: int, ellipsis: str = "…") -> str:
    """A name that fits `width`: without who published it, else cut in its middle, since size and format stand at its end."""
    if len(text) <= width:
        return text
    text = text.rpartition("/")[2]
    room = width - len(ellipsis)
    if len(text) <= width or room < LEAST_ENDS:
        return shorten(text, width, ellipsis)
    starts = [at for at, mark in enumerate(text) if mark in " -_" and len(text) - at - 1 <= room // 2]
    end = text[starts[0] + 1 :] if starts else text[len(text) - room // 2 :]
    left = room - len(end)
    cut = max(text.rfind(mark, 0, left + 1) for mark in " -_")
    return text[: cut if cut > left // 2 else left].rstrip(" -_.") + ellipsis + end


LEAST_ENDS = 8
"""Cells below which a name has no room for both of its ends."""


def shortened(spans: Sequence[Span], width: int, ellipsis: str = "…") -> list[Span]:
    """Spans that fit `width`, cut as `shorten` cuts their text; a figure that is cut opens no more."""
    text = plain(spans)
    kept = shorten(text, width, ellipsis)
    if kept == text:
        return list(spans)
    found: list[Span] = []
    left = len(kept) - len(ellipsis)
    for span in spans:
        if len(span.text) <= left:
            found.append(span)
            left -= len(span.text)
        else:
            found.append(Span(span.text[:left] + ellipsis, span.style))
            break
    return found


def changed_cells(old: Line, new: Line, gap: int = 10) -> list[tuple[int, int]]:
    """Ranges [start, end) of characters that differ, near ones joined: what must be sent again."""
    if old == new:
        return []
    before = [(char, span.style) for span in old for char in span.text]
    after = [(char, span.style) for span in new for char in span.text]
    space = (" ", "")
    length = max(len(before), len(after))
    before += [space] * (length - len(before))
    after += [space] * (length - len(after))
    ranges: list[tuple[int, int]] = []
    for at, (was, now) in enumerate(zip(before, after, strict=True)):
        if was == now:
            continue
        if ranges and at - ranges[-1][1] <= gap:
            ranges[-1] = (ranges[-1][0], at + 1)
        else:
            ranges.append((at, at + 1))
    return ranges


def spaced(*sections: list[Line]) -> list[Line]:
    """Sections one after another with a blank line between, empty ones left out."""
    lines: list[Line] = []
    for section in sections:
        if section:
            if lines:
                lines.append(BLANK)
            lines += section
    return lines
