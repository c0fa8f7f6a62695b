"""Text of files, ids and tools on its way to a terminal, a message or another program: harmless, and never long."""

from __future__ import annotations

from datetime import date, time
from typing import Any, Final

LONGEST_NAME: Final = 200
"""Characters of an id or a name: the longest published one has some 90."""
LONGEST_MESSAGE: Final = 480
"""Characters of one line that tells a person what is wrong."""
MOST_BROKEN: Final = 20
"""One character in so many that was not UTF-8 makes a file no text: an accent of an old encoding now and then does not."""


def harmless(text: str) -> str:
    """The text with everything that a terminal would obey or hide as an escape; only line ends stay.

    Control characters (C0 and C1), line and paragraph separators, direction overrides, isolates and marks, zero-width
    and unassigned characters and lone surrogates become \\uXXXX, which JSON and people both read. Text that is
    harmless already comes back as it is.
    """
    if text.isprintable():
        return text
    return "".join(char if char == "\n" or char.isprintable() else _escape(char) for char in text)


def printable(text: str) -> str:
    """The same in one line: a line end is an escape too."""
    return harmless(text).replace("\n", "\\n")


def _escape(char: str) -> str:
    """JSON's escape of a character; two of them, a surrogate pair, beyond the first 65,536."""
    code = ord(char)
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def clipped(text: str, limit: int = LONGEST_MESSAGE) -> str:
    """The text in at most `limit` characters: the beginning and the end of what is longer."""
    if len(text) <= limit:
        return text
    end = limit // 3
    return f"{text[: limit - end - 1]}…{text[-end:]}"


def shown(value: Any, limit: int = 40) -> str:
    """A value of a file or an option as a message shows it: in words of such files, one line, short."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > 128:
        return "a number of more than 38 digits"  # Python refuses to write one of 4,300
    if isinstance(value, str):
        text = repr(value[: limit + 1])  # of a megabyte nobody sees more
        return printable(text if len(text) <= limit else f"{text[: limit - 4]}...{text[-1]}")
    if isinstance(value, date | time):
        text = value.isoformat()
    elif isinstance(value, list | tuple | dict):
        kind = "table" if isinstance(value, dict) else "list"
        text = repr(value) if not value else f"a {kind} of {len(value):,}"
    else:
        text = repr(value)
    return printable(text if len(text) <= limit else text[: limit - 3] + "...")


def says_nothing(text: str) -> str:
    """Why nobody can read a file's text, decoded with replacements, in a person's words; empty where somebody may."""
    if not text.strip():
        return "it is empty"
    return "it is no text" if "\0" in text or text.count("\ufffd") > len(text) // MOST_BROKEN else ""


def nameable(text: str) -> bool:
    """Whether text can be an id or a name: short, and nothing in it that a terminal would obey or hide."""
    return len(text) <= LONGEST_NAME and text.isprintable()


NAME_ALLOWED: Final = f"printable characters, up to {LONGEST_NAME}"
