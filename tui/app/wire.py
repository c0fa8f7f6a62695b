"""Fewer bytes for the same picture: neither cells nor colours that already hold are sent again.

Textual paints the whole screen, twice or three times, when a dialog opens, and Rich writes every run of text as "set
all, text, reset all". Over a slow link that is most of what is sent. `Wire` keeps what the terminal shows, cell by cell,
and rewrites each frame so that only cells that differ are written, and only what changes between two runs is set. Pure.
"""

from __future__ import annotations

import re
from functools import lru_cache

from rich.cells import cell_len

from engine.figures.records import NamedTuple

_TOKEN = re.compile(
    r"(?P<colours>\x1b\[[0-9;]*m)"
    r"|\x1b\[(?P<row>\d+);(?P<column>\d+)H"
    r"|(?P<line>[\r\n]+)"
    r"|(?P<other>\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1bP[^\x1b]*\x1b\\|\x1b\[[0-9;:<=>?]*[ -/]*[@-~]|\x1b[^\[\]P])"
)
# Modes (but not the alternate screen), titles, queries and cursor shapes leave every cell as it is.
_HARMLESS = re.compile(r"\x1b\]|\x1bP|\x1b\[\?(?!1049|1047|47)[0-9;]*[hl]$|\x1b\[[0-9;:<=>?$]*[ -/]*[cnpqtu]$")
NEAR = 5
"""Cells that hold already are written again where there are at most so many of them: a jump costs as much."""


class Pen(NamedTuple):
    """How the terminal draws now: attribute numbers, and colours as the parameters that set them."""

    attributes: frozenset[str] = frozenset()
    foreground: str = ""
    background: str = ""


PLAIN = Pen()


@lru_cache(maxsize=1024)
def _after(pen: Pen, sequence: str) -> Pen:
    """The pen after one SGR sequence."""
    attributes, foreground, background = set(pen.attributes), pen.foreground, pen.background
    codes = sequence[2:-1].split(";")
    at = 0
    while at < len(codes):
        code = codes[at]
        if code in ("", "0"):
            attributes, foreground, background = set(), "", ""
        elif code in ("38", "48"):
            length = 3 if codes[at + 1 : at + 2] == ["5"] else 5
            colour = ";".join(codes[at : at + length])
            at += length - 1
            foreground, background = (colour, background) if code == "38" else (foreground, colour)
        elif code == "39":
            foreground = ""
        elif code == "49":
            background = ""
        elif 30 <= int(code) <= 37 or 90 <= int(code) <= 97:
            foreground = code
        elif 40 <= int(code) <= 47 or 100 <= int(code) <= 107:
            background = code
        elif int(code) < 20:
            attributes.add(code)
        else:  # something switched off: rare, so only what is certain is kept
            attributes = set()
        at += 1
    return Pen(frozenset(attributes), foreground, background)


@lru_cache(maxsize=1024)
def _change(have: Pen, want: Pen) -> str:
    """The shortest sequence from one pen to another."""
    if have == want:
        return ""
    anew = ["0", *sorted(want.attributes), want.foreground, want.background]
    whole = "\x1b[" + ";".join(code for code in anew if code) + "m"
    if whole == "\x1b[0m":
        whole = "\x1b[m"
    if have.attributes - want.attributes:
        return whole
    codes = sorted(want.attributes - have.attributes)
    if want.foreground != have.foreground:
        codes.append(want.foreground or "39")
    if want.background != have.background:
        codes.append(want.background or "49")
    part = "\x1b[" + ";".join(codes) + "m"
    return min(part, whole, key=len)


@lru_cache(maxsize=1024)
def _narrow(text: str) -> bool:
    """Whether every character takes one cell."""
    return (text.isascii() and text.isprintable()) or all(cell_len(char) == 1 for char in text)


def _blank(pen: Pen) -> Pen:
    """What of a pen shows in a space: its background, and the attributes that draw something."""
    return Pen(pen.attributes & {"4", "7", "9", "21"}, pen.foreground if "7" in pen.attributes else "", pen.background)


class _Row:
    """What one row of the terminal shows; a character of "" is unknown."""

    __slots__ = ("chars", "pens")

    def __init__(self) -> None:
        self.chars: list[str] = []
        self.pens: list[Pen] = []

    def reach(self, end: int) -> None:
        """Have cells up to `end`."""
        missing = end - len(self.chars)
        if missing > 0:
            self.chars += [""] * missing
            self.pens += [PLAIN] * missing

    def differing(self, start: int, text: str, pen: Pen) -> list[tuple[int, int]]:
        """Ranges of `text`, put at `start`, that are not there yet; near ones joined."""
        end = start + len(text)
        self.reach(end)
        if "".join(self.chars[start:end]) == text and self.pens[start:end] == [pen] * len(text):
            return []
        ranges: list[tuple[int, int]] = []
        for at, char in enumerate(text):
            cell = start + at
            if self.chars[cell] == char and (
                self.pens[cell] == pen or (char == " " and _blank(self.pens[cell]) == _blank(pen))
            ):
                continue
            if ranges and at - ranges[-1][1] <= NEAR:
                ranges[-1] = (ranges[-1][0], at + 1)
            else:
                ranges.append((at, at + 1))
        return ranges


class Wire:
    """The terminal as the frames so far have left it."""

    def __init__(self) -> None:
        self._rows: dict[int, _Row] = {}

    def forget(self) -> None:
        """Nothing is known any more: the terminal was resized, or something else wrote to it."""
        self._rows.clear()

    def thrifty(self, frame: str) -> str:
        """The same picture in fewer bytes; the frame starts and ends with a plain pen."""
        writer = _Writer(self)
        at = 0
        for found in _TOKEN.finditer(frame):
            if found.start() > at:
                writer.text(frame[at : found.start()])
            writer.token(found)
            at = found.end()
        if at < len(frame):
            writer.text(frame[at:])
        return writer.done()


class _Writer:
    """Rewrites one frame. have: the pen and place of the terminal; want: those of the frame."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.out: list[str] = []
        self.have = self.want = PLAIN
        self.have_at: tuple[int, int] | None = None
        self.want_at: tuple[int, int] | None = None
        self.line = ""  # a line end that only counts when no place is given after it

    def token(self, found: re.Match[str]) -> None:
        """A sequence of the frame."""
        colours, row, line, other = found.group("colours", "row", "line", "other")
        if colours:
            self.want = _after(self.want, colours)
        elif row:
            self.want_at, self.line = (int(row) - 1, int(found.group("column")) - 1), ""
        elif line:
            self.want_at, self.line = None, self.line + line
        else:
            self._plainly(other)

    def text(self, text: str) -> None:
        """Characters: those that are not there already are written."""
        if self.want_at is None:
            self._plainly(text)
            return
        row, column = self.want_at
        cells = self.wire._rows.setdefault(row, _Row())
        if not _narrow(text):
            end = column + cell_len(text)
            cells.reach(end + 1)
            cells.chars[column : end + 1] = [""] * (end + 1 - column)
            self._put(row, column, text)
            self.have_at = None
            self.want_at = row, end
            return
        for start, end in cells.differing(column, text, self.want):
            self._put(row, column + start, text[start:end])
        stop = column + len(text)
        cells.chars[column:stop] = text
        cells.pens[column:stop] = [self.want] * len(text)
        self.want_at = row, stop

    def _put(self, row: int, column: int, text: str) -> None:
        if self.have_at != (row, column):
            ahead = column - self.have_at[1] if self.have_at is not None and self.have_at[0] == row else 0
            self.out.append(f"\x1b[{ahead}C" if ahead > 0 else f"\x1b[{row + 1};{column + 1}H")
        self.out += [_change(self.have, self.want), text]
        self.have = self.want
        self.have_at = row, column + len(text)

    def _plainly(self, text: str) -> None:
        """What is no text in a known place goes as it is; what it does to the screen is unknown."""
        if text.startswith("\x1b") and _HARMLESS.match(text):
            self.out.append(text)
            return
        if self.want_at is not None and self.want_at != self.have_at:
            self.out.append(f"\x1b[{self.want_at[0] + 1};{self.want_at[1] + 1}H")
        self.out += [self.line, _change(self.have, self.want), text]
        self.have, self.line = self.want, ""
        self.have_at = self.want_at = None
        self.wire.forget()

    def done(self) -> str:
        """The rewritten frame."""
        self.out += [self.line, _change(self.have, PLAIN)]
        return "".join(self.out)
