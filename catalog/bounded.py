"""Files that other people wrote, read within limits: no devices, no endless or huge ones, nothing nested without end."""

from __future__ import annotations

import json
import os
import re
import stat
import tomllib
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


def regular(path: Path) -> os.stat_result:
    """What a regular file is like. Raises Unusable for anything else, FIFOs and devices too, and for none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        raise Unusable("no such file") from None
    except PermissionError:
        raise Unusable("no permission to read it") from None
    except OSError as problem:
        raise Unusable(f"cannot be read: {problem.strerror or 'the system refuses it'}") from None
    except ValueError:  # a name that no file can have
        raise Unusable("cannot be read: no file can have this name") from None
    if stat.S_ISDIR(found.st_mode):
        raise Unusable("this is a directory")
    if not stat.S_ISREG(found.st_mode):
        raise Unusable("this is not a regular file")
    return found


def read_file(path: Path, limit: int) -> bytes:
    """The whole of a regular file of at most `limit` bytes. Raises Unusable; never waits for a FIFO."""
    regular(path)  # before it is opened: opening some devices does something
    too_large = f"larger than {limit // 2**20} MiB"
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
            found = os.fstat(stream.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise Unusable("this is not a regular file")
            if found.st_size > limit:
                raise Unusable(too_large)
            data = stream.read(limit + 1)  # some files of the system say 0 bytes and have more
    except PermissionError:
        raise Unusable("no permission to read it") from None
    except OSError as problem:
        raise Unusable(f"cannot be read: {problem.strerror or 'the system refuses it'}") from None
    if len(data) > limit:
        raise Unusable(too_large)
    return data


# What TOML's depth hangs on: strings and comments are passed by whole, then parts of keys, blanks, and single characters.
_TOKEN = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*+"{3,5}'
    r"|'''(?:[^']|'(?!''))*+'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*+"'
    r"|'[^'\n]*+'"
    r"|\#[^\n]*+|[\w+-]++|[ \t]++|.",
    re.DOTALL,
)


def toml_of(text: str) -> dict[str, Any]:
    """TOML text as plain data. Raises Unusable when it is not TOML, or nested deeper than any file of this program."""
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
    for found in _TOKEN.finditer(text):
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


def _located(message: str, text: str) -> tuple[str, int]:
    """tomllib's message without its place, and the line of that place."""
    reason, found, place = message.rpartition(" (at ")
    if not found:
        return message, 0
    words = place.rstrip(")").replace(",", "").split()
    if words[:1] == ["line"] and len(words) > 1 and words[1].isdigit():
        return reason, int(words[1])
    return reason, text.count("\n") + 1


def json_of(text: str) -> Any:
    """JSON text as plain data; the literals Infinity and NaN are taken. Raises Unusable."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as problem:
        raise Unusable(f"is not JSON: {problem.msg}", line=problem.lineno) from None
    except RecursionError:
        raise Unusable("is nested too deeply") from None
    except ValueError:
        raise Unusable("holds a number of thousands of digits") from None
