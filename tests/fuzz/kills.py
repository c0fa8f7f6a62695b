"""Kills, signals and full disks at random steps of saves and autosaves: no torn file, no work lost, the next start offers it.

A child process writes one numbered edit after another and says which are written. At a random one of its system calls
it is killed, or the disk is full from then on. Some cases run the app itself in a terminal and end it by a signal.
"""

from __future__ import annotations

import errno
import os
import random
import signal
import stat
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from engine.decide.size import size
from tests.fuzz import Failure, Stop
from tests.tui.builds import BUILDS
from tests.tui.terminal import Terminal, app_command
from tui.app import recovery
from tui.app.store import Store
from tui.files import disk, session, session_tables

START = BUILDS["llama70b"]()
STEPS = ("open", "fchown", "fchmod", "write", "fsync", "replace", "unlink", "close")
"""What a write consists of: a case ends before, in or after one of these calls."""
EDITS = 12
WAYS = ("kill", "kill", "full", "limit")
APP_EVERY = 4
"""The turn of every so many seeds begins with the app itself, which takes seconds."""
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
OLDEST_S = 5.0
"""No work may be lost that is older."""
SLOW_S = 2.0
"""A keystroke may take so long to arrive on a busy machine."""


def run(seed: int, stop: Stop) -> Counter[str]:
    """Cases of writers that are killed or find the disk full, from `seed`. Raises Failure."""
    counts: Counter[str] = Counter()
    rng = random.Random(seed)
    while not stop():
        number = counts["cases"]
        if number == 0 and seed % APP_EVERY == 0:
            app_case(f"kills seed {seed} case {number}", rng, counts)
        else:
            writer_case(f"kills seed {seed} case {number}", rng, counts)
        counts["cases"] += 1
    return counts


def writer_case(case: str, rng: random.Random, counts: Counter[str]) -> None:
    """A writer of sessions or of kept work that comes to its end in the middle of something."""
    what = rng.choice((_save, _autosave))
    way = rng.choice(WAYS)
    at, share = rng.randrange(1, 90), rng.random()
    case = f"{case}: {way} at step {at} of {what.__name__.strip('_')}s"
    with tempfile.TemporaryDirectory() as name, _state(Path(name) / "state"):
        home = Path(name)
        target = home / "mine.toml"
        target.write_bytes(session.dump(replace(START, title="0")).encode())
        target.chmod(0o600)
        said, code = _in_child(lambda tell: what(target, tell, _Ending(way, at, share)))
        counts["killed" if code == -signal.SIGKILL else "full disks" if way != "kill" else "ran through"] += 1
        if code not in (0, -signal.SIGKILL):
            raise Failure(f"{case}: the writer ended with {code}")
        written = said[-1] if said else 0
        if what is _save:
            found = _number(case, target)
            _expect(case, found in (written, written + 1), f"edit {written} was saved, the file has {found}")
            _expect(case, stat.S_IMODE(target.stat().st_mode) == 0o600, "the file's mode changed")
        elif written or code == 0:
            offered = recovery.left_behind()
            numbers = [int(kept.content()[0].title) for kept in offered if not kept.damaged]
            _expect(case, len(numbers) == len(offered), "torn work was left")
            kept = max(numbers, default=0)
            _expect(case, kept in (written, written + 1), f"edit {written} was kept, the next start offers {numbers}")
            _expect(case, all(one.fate == "gone" for one in offered), "an ended run counts as a live one")
        left = [path for folder in (home, home / "state" / "sizeup") for path in folder.glob(".sizeup-*")]
        _expect(case, len(left) <= (code == -signal.SIGKILL), f"{len(left)} temporary files were left")
        _expect(case, all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in left), "others may read what was left")
        for path in left:
            os.utime(path, (1, 1))
            disk.sweep(path.parent)
            _expect(case, not path.exists(), "an old temporary file was not swept")
            counts["swept"] += 1


def app_case(case: str, rng: random.Random, counts: Counter[str]) -> None:
    """The app under steady typing, ended by a signal: all that was seen on screen is kept, after a kill -9 all but 5 s."""
    number = rng.choice((*SIGNALS, signal.SIGKILL))
    letters = rng.randrange(4, 12) if number != signal.SIGKILL else rng.randrange(26, 40)
    case = f"{case}: {number.name} after {letters} letters"
    typed: list[float] = []
    with tempfile.TemporaryDirectory() as name, _state(Path(name)):
        with Terminal(app_command(), env={"XDG_STATE_HOME": name}) as terminal:
            terminal.read(quiet_s=0.1, until=b"Quit")
            terminal.send(b"\x10go to title\r", quiet_s=0.1, until="▸ Title".encode())
            for _ in range(letters):
                typed.append(time.monotonic())
                terminal.send(b"x", quiet_s=0.2)
            if number != signal.SIGKILL:
                terminal.read(quiet_s=1.0)
            ended = time.monotonic()
            os.kill(terminal.process.pid, number)
            terminal.read(quiet_s=0.1, limit_s=10)
            code = terminal.process.wait(timeout=20)
        _expect(case, code in (-number, 128 + number), f"it ended with {code}")
        kept = [len(one.content()[0].title) for one in recovery.left_behind()]
    counts[number.name] += 1
    due = letters
    if number == signal.SIGKILL:
        due = sum(at < ended - OLDEST_S - SLOW_S for at in typed)
    if due:
        _expect(case, len(kept) == 1 and kept[0] >= due, f"{due} letters were to be kept, the next start offers {kept}")


class _Ending:
    """What happens to a writer at its n-th step: it is killed, the disk is full from then on, or files may not grow."""

    def __init__(self, way: str, at: int, share: float) -> None:
        self.way = way
        self.left = at
        self.share = share
        self.over = False

    def take_effect(self) -> None:
        """Count the steps of this process from now on."""
        for name in STEPS:
            setattr(os, name, self._counted(name, getattr(os, name)))

    def _counted(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                self._strike(name, call, arguments)
            if self.over and name == "write":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return call(*arguments, **named)

        return counted

    def _strike(self, name: str, call: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        if name == "write":  # a part of it is done
            call(arguments[0], arguments[1][: int(self.share * len(arguments[1]))])
        if self.way == "kill":
            if self.share > 0.5 and name != "write":
                call(*arguments)
            os.kill(os.getpid(), signal.SIGKILL)
        self.over = self.way == "full"
        if self.way == "limit":  # the kernel's own refusal, in the middle of a file
            import resource

            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(self.share * 400), resource.RLIM_INFINITY))


def _save(target: Path, tell: Callable[[int], None], ending: _Ending) -> None:
    """Save edits one after another."""
    ending.take_effect()
    for number in range(1, EDITS + 1):
        try:
            session.write(replace(START, title=str(number)), target)
        except session_tables.SessionError:
            return
        tell(number)


def _autosave(target: Path, tell: Callable[[int], None], ending: _Ending) -> None:
    """Keep edits one after another; a disk that is full at one has room for none after."""
    store = Store(replace(START, title="0"), lambda _: SIZING, target, disk.stamp_now(target))
    keeper = recovery.Keeper()
    ending.take_effect()
    for number in range(1, EDITS + 1):
        store.edit(replace(START, title=str(number)))
        if not keeper.keep(store):
            return
        tell(number)


SIZING = size(START)


def _in_child(work: Callable[[Callable[[int], None]], None]) -> tuple[list[int], int]:
    """Run in a process of its own; the numbers that it told, and how it ended (minus the signal)."""
    reading, writing = os.pipe()
    write = os.write
    child = os.fork()
    if child == 0:
        _be_child(lambda: work(lambda number: _told(write, writing, number)))
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        said = list(stream.read())
    return said, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _told(write: Callable[[int, bytes], int], pipe: int, number: int) -> None:
    write(pipe, bytes([number]))


def _be_child(work: Callable[[], None]) -> NoReturn:
    try:
        work()
        os._exit(0)
    finally:
        os._exit(70)


@contextmanager
def _state(folder: Path) -> Iterator[None]:
    """Kept work in a folder of its own."""
    before = os.environ.get("XDG_STATE_HOME")
    os.environ["XDG_STATE_HOME"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["XDG_STATE_HOME"]
        else:
            os.environ["XDG_STATE_HOME"] = before


def _number(case: str, path: Path) -> int:
    try:
        return int(session.load(path).title)
    except session_tables.SessionError as problem:
        raise Failure(f"{case}: torn: {problem}") from None


def _expect(case: str, holds: bool, otherwise: str) -> None:
    if not holds:
        raise Failure(f"{case}: {otherwise}")
