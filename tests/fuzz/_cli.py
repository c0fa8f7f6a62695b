"""The command line run in this process, with a home of its own."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.fuzz import Failure
from tui import cli


class Ran(NamedTuple):
    """What a command line gave."""

    code: int
    out: str
    err: str


def run(*arguments: str, encoding: str = "utf-8") -> Ran:
    """Run the command line and capture what it prints, as its bytes read back."""
    out, err = io.BytesIO(), io.BytesIO()
    streams = [io.TextIOWrapper(stream, encoding=encoding, newline="") for stream in (out, err)]
    with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
        try:
            code = cli.main(arguments)
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        for stream in streams:
            stream.flush()
    return Ran(code, out.getvalue().decode(encoding), err.getvalue().decode(encoding))


def expect_harmless(ran: Ran, case: str) -> None:
    """Fail when anything printed would steer a terminal, or a complaint is not one short line."""
    for name, text in (("output", ran.out), ("complaint", ran.err)):
        raw = sorted({char for char in text if char != "\n" and not char.isprintable()})
        if raw:
            raise Failure(f"{case}: raw {raw!r} in the {name}")
    if "internal error" in ran.err or "Traceback" in ran.err:
        raise Failure(f"{case}: {ran.err}")
    long = [line for line in ran.err.splitlines() if len(line) >= 500]
    if long:
        raise Failure(f"{case}: a complaint of {len(long[0])} characters: {long[0][:200]}")
    if ran.code == 2 and not ran.err:
        raise Failure(f"{case}: refused without a word")


@contextlib.contextmanager
def home(folder: Path) -> Iterator[Path]:
    """A person's folders inside `folder`; the catalog is read from there."""
    changed = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / ".config")}
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        yield folder
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
