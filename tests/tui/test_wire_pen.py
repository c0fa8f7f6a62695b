"""The thinned frame draws the same picture."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from tui.wire import PLAIN, Pen, _after, thrifty

_CODES = st.sampled_from(
    ["0", "1", "3", "4", "7", "38;5;252", "38;5;9", "48;5;233", "48;2;1;2;3", "31", "97", "44", "39", "49"]
)
_SGR = st.lists(_CODES, min_size=0, max_size=4).map(lambda codes: f"\x1b[{';'.join(codes)}m")
_PIECES = st.one_of(_SGR, st.sampled_from(["\x1b[4;7H", "\n", "a", "bc", "  ", "─"]))


def drawn(frame: str) -> list[tuple[str, Pen | None]]:
    """Every character with the pen it is drawn with, and every other sequence."""
    seen: list[tuple[str, Pen | None]] = []
    pen = PLAIN
    for piece in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|[\s\S]", frame):
        if re.fullmatch(r"\x1b\[[0-9;]*m", piece):
            pen = _after(pen, piece)
        else:
            seen.append((piece, None if piece[0] in "\x1b\r\n" else pen))
    return seen


@given(st.lists(_PIECES, max_size=30).map("".join))
def test_the_same_picture(frame: str) -> None:
    thin = thrifty(frame)
    assert drawn(thin) == drawn(frame)
    last = PLAIN
    for sequence in re.findall(r"\x1b\[[0-9;]*m", thin):
        last = _after(last, sequence)
    assert last == PLAIN


def test_colours_that_hold_are_not_sent_again() -> None:
    row = "\x1b[38;5;252;48;5;233mone\x1b[0m\x1b[1;38;5;231;48;5;233mtwo\x1b[0m"
    assert thrifty(row) == "\x1b[38;5;252;48;5;233mone\x1b[1;38;5;231mtwo\x1b[m"
