"""Fewer bytes for the same picture: colours that already hold are not sent again.

Rich writes every run of text as "set all, text, reset all". Over a slow link that is most of an update. `thrifty`
rewrites a frame so that only what changes between two runs is set. Pure.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_SEQUENCE = re.compile(r"(\x1b\[[0-9;]*m)|(\x1b\[[0-9;?]*[A-Za-ln-z]|[\r\n])")


class Pen(NamedTuple):
    """How the terminal draws now: attribute numbers, and colours as the parameters that set them."""

    attributes: frozenset[str] = frozenset()
    foreground: str = ""
    background: str = ""


PLAIN = Pen()


@lru_cache(maxsize=4096)
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


@lru_cache(maxsize=4096)
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


def thrifty(frame: str) -> str:
    """The same frame in fewer bytes; it starts and ends with a plain pen."""
    if "\x1b[" not in frame:
        return frame
    out: list[str] = []
    have = want = PLAIN
    at = 0
    for found in _SEQUENCE.finditer(frame):
        text = frame[at : found.start()]
        if text:
            out.append(_change(have, want))
            out.append(text)
            have = want
        colours, other = found.groups()
        if colours:
            want = _after(want, colours)
        else:
            out.append(other)
        at = found.end()
    text = frame[at:]
    if text:
        out.append(_change(have, want))
        out.append(text)
        have = want
    out.append(_change(have, PLAIN))
    return "".join(out)
