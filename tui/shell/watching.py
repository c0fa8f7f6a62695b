"""A report that is printed anew each time its file is saved."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

INTERVAL_S = 0.3
CLEAR = "\x1b[2J\x1b[3J\x1b[H"
"""Clears a terminal and its scroll-back, and goes to its first cell."""


def stamp(file: str) -> tuple[int, int] | None:
    """What changes when a file is saved; None while it cannot be read, as between the two steps of some editors."""
    try:
        found = os.stat(os.path.expanduser(file))
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def watch(file: str, show: Callable[[], None], wait: Callable[[float], None] = time.sleep) -> None:
    """Call `show` now and after each change of the file, until the wait is interrupted."""
    seen = stamp(file)
    show()
    while True:
        wait(INTERVAL_S)
        now = stamp(file)
        if now is not None and now != seen:
            seen = now
            show()
