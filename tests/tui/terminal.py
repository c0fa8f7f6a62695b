"""A pseudo-terminal with the program in it: what goes over the wire, byte for byte."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).absolute().parents[2]


class Terminal:
    """Runs a command in a terminal of `columns` x `rows` and counts what it writes."""

    def __init__(
        self, command: list[str], columns: int = 120, rows: int = 36, env: dict[str, str] | None = None
    ) -> None:
        self.started = time.monotonic()
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        foreign = ("NO_COLOR", "TEXTUAL_THEME", "COLUMNS", "LINES")
        clean = {k: v for k, v in os.environ.items() if k not in foreign}
        clean |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
        clean |= {"PYTHONPATH": str(ROOT)} | (env or {})
        if state := clean.get("XDG_STATE_HOME"):  # not the first start of this person, who would be asked
            with contextlib.suppress(OSError):  # a test may have put something else in its place
                Path(state, "sizeup").mkdir(mode=0o700, parents=True, exist_ok=True)
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=clean, cwd=ROOT, start_new_session=True
        )
        os.close(slave)
        self.master = master
        self.output = b""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)

    def read(self, quiet_s: float = 0.4, limit_s: float = 30.0, until: bytes = b"", answered: bool = False) -> bytes:
        """What is written until nothing comes for `quiet_s`: after `until`, or the first byte when `answered`."""
        got = b""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            waiting = until not in got or (answered and not got)
            ready, _, _ = select.select([self.master], [], [], 0.2 if waiting else quiet_s)
            if ready:
                try:
                    chunk = os.read(self.master, 65536)
                except OSError:
                    break
                if not chunk:
                    break
                got += chunk
            elif not waiting or self.process.poll() is not None:
                break
        self.output += got
        return got

    def send(self, keys: bytes, quiet_s: float = 0.35, until: bytes = b"", answered: bool = False) -> bytes:
        """Press keys and return what the program writes in answer: at least up to `until`, or something."""
        os.write(self.master, keys)
        return self.read(quiet_s, until=until, answered=answered)


def app_command(*arguments: str) -> list[str]:
    """The app as a person starts it."""
    return [sys.executable, "-m", "tui", *arguments]
