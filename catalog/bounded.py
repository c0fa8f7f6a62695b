"""Files that other people wrote, read within limits: no devices, no endless or huge ones, nothing nested without end."""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

DEEPEST: Final = 16
"""Parts of a dotted key, and brackets inside each other: what a person writes has up to four."""


class Unusable(ValueError):
    """A file, or its text, that is not taken: why, what would be, and the line, 0 where none is at fault."""

    def __init__(self, reason: str, allowed: str = "", line: int = 0) -> None:
        self.reason = reason
        self.allowed = allowed
        self.line = line
        super().__init__(f"{reason}; allowed: {allowed}" if allowed else reason)


class Unreadable(Unusable):
    """A file that is not to be had now: nobody's mistake in it."""


class NoFile(Unreadable):
    """There is no file of this name."""


class WrongFile(Unusable):
    """There is something else of this name: no regular file, or one too large to be meant."""


@contextlib.contextmanager
def _in_words() -> Iterator[None]:
    """What the system refuses, as Unusable."""
    try:
        yield
    except FileNotFoundError:
        raise NoFile("no such file") from None
    except NotADirectoryError as problem:
        raise NoFile(f"cannot be read: {problem.strerror}") from None
    except PermissionError:
        raise Unreadable("no permission to read it") from None
    except OSError as problem:
        raise Unreadable(f"cannot be read: {problem.strerror or 'the system refuses it'}") from None


def _check_kind(found: os.stat_result, what: str) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise WrongFile(f"this is a directory, not a {what}")
    if not stat.S_ISREG(found.st_mode):
        raise WrongFile("this is not a regular file")


def regular(path: Path, what: str = "file") -> os.stat_result:
    """What a regular file is like. Raises Unusable for anything else, FIFOs and devices too, and for none."""
    try:
        with _in_words():
            found = path.stat()
    except Unusable:
        raise
    except ValueError:  # a name that no file can have
        raise Unreadable("cannot be read: no file can have this name") from None
    _check_kind(found, what)
    return found


def read_file(path: Path, limit: int, what: str = "file") -> bytes:
    """The whole of a regular file of at most `limit` bytes; `what` is meant to be in it. Never waits for a FIFO.

    Raises Unusable: NoFile, WrongFile, or Unreadable for what is not to be had.
    """
    regular(path, what)  # before it is opened: opening some devices does something
    with _in_words():
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as stream:
            found = os.fstat(handle)
            _check_kind(found, what)
            # Some files of the system say 0 bytes and have more.
            data = stream.read(limit + 1) if found.st_size <= limit else b""
    check_size(max(found.st_size, len(data)), limit, what)
    return data


def check_size(size: int, limit: int, what: str = "file") -> None:
    """Refuse what has more bytes than a `what` may: WrongFile, with its size where that, rounded, tells more."""
    if size > limit:
        allowed = f"up to {limit // 2**20} MiB" if limit >= 2**20 else f"up to {limit // 2**10} KiB"
        told = f"{size / 2**20:,.0f} MiB is" if round(size / 2**20) > limit / 2**20 else "it is"
        raise WrongFile(f"{told} too large for a {what}", allowed)


# What TOML's depth hangs on: strings and comments are passed by whole, then parts of keys, blanks, and single characters.
_TOKEN = (
    r'"""(?:[^"\\]|\\.|"(?!""))*+"{3,5}'
    r"|'''(?:[^']|'(?!''))*+'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*+"'
    r"|'[^'\n]*+'"
    r"|\#[^\n]*+|[\w+-]++|[ \t]++|."
)


def toml_of(text: str) -> dict[str, Any]:
    """TOML text as plain data. Raises Unusable when it is not TOML, or nested deeper than any file of this program."""
    import tomllib  # here: 2 ms that a start without a file does not pay

    _check_depth(text)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        reason, line = _located(str(problem), text)
        raise Unusable(f"not TOML: {reason}", line=line) from None
    except RecursionError:
        raise Unusable("not TOML: nested too deeply", _deepest()) from None
    except (ValueError, OverflowError):  # a number of thousands of digits, a date that no calendar has
        raise Unusable("not TOML: it holds a number that is too long") from None


def _deepest() -> str:
    return f"{DEEPEST} levels"


def _check_depth(text: str) -> None:
    """Refuse keys of many parts and brackets in brackets before the parser pays for them, which is their square."""
    if text.count(".") <= DEEPEST and text.count("[") + text.count("{") <= DEEPEST:
        return
    parts = depth = 0
    after_dot = False
    for found in re.finditer(_TOKEN, text, re.DOTALL):
        token = found.group()
        first = token[0]
        if first == ".":
            after_dot = True
            continue
        if first in " \t":
            continue
        if first in "\"'" or first.isalnum() or first in "_+-":
            parts = parts + 1 if after_dot else 1
        elif first in "[{":
            depth += 1
        elif first in "]}":
            depth = max(0, depth - 1)
        after_dot = False
        if max(parts, depth) > DEEPEST:
            line = text.count("\n", 0, found.start()) + 1
            raise Unusable("nested too deeply", _deepest(), line)


_QUOTED = r"['\"](.*?)['\"]"


def _located(message: str, text: str) -> tuple[str, int]:
    """What tomllib says without its place, a thing that stands twice in words of the file, and the line of that place."""
    reason, found, place = message.rpartition(" (at ")
    if not found:
        return message, 0
    twice = re.fullmatch(r"Cannot declare \((.+?),?\) twice", reason)
    if twice is not None:
        reason = f"the table [{'.'.join(re.findall(_QUOTED, twice[1]))}] stands there twice"
    elif reason == "Cannot overwrite a value":
        reason = "this key stands there twice"
    words = place.rstrip(")").replace(",", "").split()
    if words[:1] == ["line"] and len(words) > 1 and words[1].isdigit():
        return reason, int(words[1])
    return reason, text.count("\n") + 1


def json_of(text: str | bytes) -> Any:
    """JSON text as plain data, of bytes where they are UTF-8; the literals Infinity and NaN are taken. Raises Unusable."""
    try:
        return json.loads(text)
    except UnicodeDecodeError:
        raise Unusable("not JSON: not UTF-8 text") from None
    except json.JSONDecodeError as problem:
        raise Unusable(f"not JSON: line {problem.lineno}: {problem.msg}") from None
    except RecursionError:
        raise Unusable("not JSON: nested too deeply") from None
    except ValueError:  # Python reads no number of more than 4,300 digits
        raise Unusable("not JSON: it holds a number that is too long") from None
