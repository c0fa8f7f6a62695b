"""The thinned frames draw the same pictures."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from tui.app.wire import PLAIN, Pen, Wire, _after, _blank

_CODES = st.sampled_from(
    ["0", "1", "3", "4", "7", "38;5;252", "38;5;9", "48;5;233", "48;2;1;2;3", "31", "97", "44", "39", "49"]
)
_SGR = st.lists(_CODES, min_size=0, max_size=4).map(lambda codes: f"\x1b[{';'.join(codes)}m")
_MOVE = st.tuples(st.integers(1, 3), st.integers(1, 12)).map(lambda at: f"\x1b[{at[0]};{at[1]}H")
_PIECES = st.one_of(
    _SGR, _MOVE, st.sampled_from(["a", "bc", "  ", "─", "abc  def", "漢", "\x1b[?25l", "\x1b]22;x\x07"])
)
_FRAME = st.lists(_PIECES, max_size=20).map("".join)
WIDE = "漢"


class Emulator:
    """As much of a terminal as the frames use."""

    def __init__(self) -> None:
        self.cells: dict[tuple[int, int], tuple[str, Pen]] = {}
        self.pen = PLAIN
        self.at = (0, 0)

    def write(self, data: str) -> None:
        """Draw."""
        for piece in re.findall(r"\x1b\][^\x07]*\x07|\x1b\[[0-9;?]*[A-Za-z]|[\s\S]", data):
            move = re.fullmatch(r"\x1b\[(\d+);(\d+)H", piece)
            ahead = re.fullmatch(r"\x1b\[(\d+)C", piece)
            if re.fullmatch(r"\x1b\[[0-9;]*m", piece):
                self.pen = _after(self.pen, piece)
            elif move:
                self.at = (int(move[1]), int(move[2]))
            elif ahead:
                self.at = (self.at[0], self.at[1] + int(ahead[1]))
            elif piece[0] == "\x1b":
                continue
            elif piece == "\x0c":
                self.cells.clear()
            else:
                pen = _blank(self.pen) if piece == " " else self.pen
                row, column = self.at
                # half of a wide character that is written over leaves a gap
                for cell, half in (((row, column - 1), WIDE), ((row, column), "")):
                    if self.cells.get(cell, (" ",))[0] == half:
                        self.cells[cell] = (" ", PLAIN)
                self.cells[row, column] = (piece, pen)
                if piece == WIDE:
                    self.cells[row, column + 1] = ("", pen)
                self.at = (row, column + (2 if piece == WIDE else 1))


@given(st.lists(_FRAME.filter(lambda frame: WIDE not in frame), min_size=1, max_size=5))
def test_the_same_pictures(frames: list[str]) -> None:
    wire, plain, thin = Wire(), Emulator(), Emulator()
    for frame in frames:
        whole = f"\x1b[m\x1b[1;1H{frame}\x1b[m"
        plain.write(whole)
        thin.write(wire.thrifty(whole))
        assert thin.cells == plain.cells
        assert thin.pen == PLAIN


@given(_FRAME)
def test_wide_characters_are_always_sent(frame: str) -> None:
    whole = f"\x1b[1;1H{frame}\x1b[m"
    wire = Wire()
    wire.thrifty(whole)
    assert wire.thrifty(whole).count(WIDE) == whole.count(WIDE)


def test_colours_that_hold_are_not_sent_again() -> None:
    row = "\x1b[1;1H\x1b[38;5;252;48;5;233mone\x1b[0m\x1b[1;38;5;231;48;5;233mtwo\x1b[0m"
    assert Wire().thrifty(row) == "\x1b[1;1H\x1b[38;5;252;48;5;233mone\x1b[1;38;5;231mtwo\x1b[m"


def test_cells_that_hold_are_not_sent_again() -> None:
    wire = Wire()
    wire.thrifty("\x1b[2;1H\x1b[1mone two three four\x1b[m\n\x1b[3;1Hrest")
    assert wire.thrifty("\x1b[2;1H\x1b[1mone two three four\x1b[m\n\x1b[3;1Hrest") == ""
    assert wire.thrifty("\x1b[2;1H\x1b[1mone two three five\x1b[m\n\x1b[3;1Hrest") == "\x1b[2;16H\x1b[1mive\x1b[m"


def test_after_a_resize_everything_is_sent() -> None:
    wire = Wire()
    frame = "\x1b[1;1Hone\x1b[m"
    wire.thrifty(frame)
    wire.forget()
    assert "one" in wire.thrifty(frame)


def test_an_erased_screen_is_unknown() -> None:
    wire = Wire()
    wire.thrifty("\x1b[1;1Hone")
    assert wire.thrifty("\x1b[2J\x1b[1;1Hone") == "\x1b[2J\x1b[1;1Hone"
