"""A document as blocks, written as text for people and pipes or as markdown; data as a line of JSON.

What is written here never steers a terminal, whoever wrote the names, titles and notes in it.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable
from typing import Any

from engine.figures.records import dataclass
from engine.figures.text import harmless

WIDTH = 88


@dataclass(frozen=True, slots=True)
class Heading:
    """The title of the document (level 1), of a section (2) or of a part of one (3)."""

    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text; strong for what must not be overlooked."""

    text: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list; an item may have items of its own."""

    items: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a head; columns named in `left` are aligned left, the others right.

    markdown_only: columns that text has no room for. wrapped: a last column of prose, which text breaks to its width.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: tuple[int, ...] = (0,)
    markdown_only: tuple[int, ...] = ()
    wrapped: int | None = None


Block = Heading | Paragraph | Bullets | Table


# Text


def as_text(blocks: Iterable[Block], width: int = WIDTH) -> str:
    """Text whose prose keeps to `width` columns; a table is as wide as its cells."""
    lines: list[str] = []
    previous: Block | None = None
    for block in blocks:
        if isinstance(block, Heading) and previous is not None:
            lines.append("")
        if isinstance(block, Heading):
            lines.append(block.text)
            if block.level < 3:
                lines.append(("=" if block.level == 1 else "-") * min(width, len(block.text)))
        elif isinstance(block, Paragraph):
            lines += _wrapped(block.text, width, "", "")
        elif isinstance(block, Bullets):
            for item, below in block.items:
                lines += _wrapped(item, width, "- ", "  ")
                for line in below:
                    lines += _wrapped(line, width, "    - ", "      ")
        else:
            lines += _text_table(block, width)
        previous = block
    return harmless("\n".join(line.rstrip() for line in lines) + "\n")


def _wrapped(text: str, width: int, first: str, rest: str) -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    ) or [first.rstrip()]


def _text_table(table: Table, width: int) -> list[str]:
    rows = [table.head, *table.rows] if any(table.head) else list(table.rows)
    shown = [column for column in range(len(table.head)) if column not in table.markdown_only]
    widths = {column: max(len(row[column]) for row in rows) for column in shown}
    lines = []
    for row in rows:
        if table.wrapped is not None:
            before = [row[column].ljust(widths[column]) for column in shown if column != table.wrapped]
            first = "  ".join([*before, ""])
            lines += _wrapped(row[table.wrapped], width, first, " " * len(first))
            continue
        cells = [
            row[column].ljust(widths[column]) if column in table.left else row[column].rjust(widths[column])
            for column in shown
        ]
        lines.append("  ".join(cells))
    return lines


# Markdown


def as_markdown(blocks: Iterable[Block]) -> str:
    """Markdown in which nothing that a person or a catalog wrote is markup."""
    parts: list[str] = []
    for block in blocks:
        if isinstance(block, Heading):
            parts.append(f"{'#' * block.level} {_escaped(block.text)}")
        elif isinstance(block, Paragraph):
            parts.append(f"**{_escaped(block.text)}**" if block.strong else _escaped(block.text))
        elif isinstance(block, Bullets):
            lines = []
            for item, below in block.items:
                lines.append(f"- {_escaped(item)}")
                lines += [f"  - {_escaped(line)}" for line in below]
            parts.append("\n".join(lines))
        else:
            parts.append(_markdown_table(block))
    return harmless("\n\n".join(parts) + "\n")


def _markdown_table(table: Table) -> str:
    rule = [":---" if column in table.left else "---:" for column in range(len(table.head))]
    cells = [[_escaped(cell) for cell in row] for row in (table.head, *table.rows)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (cells[0], rule, *cells[1:]))


_MARKDOWN = str.maketrans({mark: "\\" + mark for mark in "\\`*_<>|[]#~"})


def _escaped(text: str) -> str:
    return text.translate(_MARKDOWN)


# JSON


def json_line(data: Any) -> str:
    """Data as JSON in one line, with its end. Raises ValueError for NaN and infinities, which JSON does not have."""
    return harmless(json.dumps(data, ensure_ascii=False, allow_nan=False)) + "\n"
