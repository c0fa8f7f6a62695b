"""Unsaved work that outlives a crash, a kill or a lost connection: one file for each run, offered at the next start.

Such a file is a session, and its first line is a comment that says whose it is and where it came from: host, kernel,
process and its start, the file that was open and the stamp of what it held. While its run lives, the file is locked;
the lock tells best whether it does, also where process numbers mean nothing, as between containers.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import re
import time
from pathlib import Path
from typing import Literal
from urllib.parse import unquote_to_bytes

from catalog.bounded import NoFile, Unusable, WrongFile, json_of, read_file
from engine.figures.records import NamedTuple, dataclass
from engine.scenario import Scenario
from tui.app.store import Store
from tui.files import disk, paths
from tui.files.pins import Pin

NAME = "unsaved-{}.toml"
FIRST_LINE = "# Unsaved work of sizeup. "
HEADER_BYTES = 2**16
LOOKED_AT = 100
"""So many files are offered; more are no accident of a few runs."""
MOST_BYTES = 4096  # of a path: PATH_MAX
_NUMBERED = re.compile(r"unsaved-([1-9][0-9]{0,9})\.toml")  # before files said whose they are
_STAMP = re.compile(rf"(?:[0-9a-f]{{64}}|{disk.MISSING})?")

Fate = Literal["alive", "gone", "unknown"]


@dataclass(frozen=True, slots=True)
class Header:
    """Whose work it is and where it came from; empty or 0 where a system does not tell.

    boot: the running kernel. space: the namespace of its process numbers. started: clock ticks after the boot.
    path: the session file that was open. folder: what a relative `config` path starts from; both as file URIs, which
    hold any name. stamp: of what the file held when it was read or written.
    """

    host: str
    pid: int
    boot: str = ""
    space: str = ""
    started: int = 0
    path: str = ""
    folder: str = ""
    stamp: str = ""


def this_run() -> Header:
    """Who is running here, without any session."""
    return Header(os.uname().nodename[:255], os.getpid(), _boot(), _space(), _started(os.getpid()))


def _boot() -> str:
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()[:64]
    return ""


def _space() -> str:
    with contextlib.suppress(OSError):
        return os.readlink("/proc/self/ns/pid")[:64]
    return ""


def _started(pid: int) -> int:
    """When a process started, in clock ticks after the boot (proc(5), field 22 of stat); 0 where nothing tells."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        # The second field is the program's name in brackets, and may hold anything.
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19])
    return 0


class Kept(NamedTuple):
    """A file of unsaved work. header: None where it does not say whose it is; damaged: why it is no session at all."""

    file: Path
    header: Header | None
    fate: Fate
    age_s: float
    text: str
    damaged: str = ""

    @property
    def path(self) -> Path | None:
        """The session file that was open."""
        return _from_uri(self.header.path) if self.header is not None else None

    @property
    def stamp(self) -> str:
        """The stamp of what it held."""
        return self.header.stamp if self.header is not None else ""

    def content(self) -> tuple[Scenario, tuple[Pin, ...]]:
        """The work itself. Raises SessionError."""
        from tui.files import session  # here, as below: a start that finds nothing to offer needs no sessions

        folder = _from_uri(self.header.folder) if self.header is not None else None
        scenario = session.parse(self.text, file=str(self.file), folder=folder)
        pins = session.pins(self.text, folder=folder)
        if self.path is None and folder is not None:  # it will be saved somewhere else
            beside = folder / "session.toml"
            scenario = session.anchored(scenario, beside)
            pins = tuple(Pin(pin.name, session.anchored(pin.scenario, beside)) for pin in pins)
        return scenario, pins

    def discard(self) -> None:
        """Remove it, as the person has said."""
        with contextlib.suppress(OSError):
            self.file.unlink()

    def set_aside(self) -> str:
        """Move what is damaged out of the way; where it is now, in words."""
        return disk.moved_words(disk.set_aside(self.file))


def left_behind() -> list[Kept]:
    """Unsaved work of runs that are not known to live, latest first."""
    found: list[Kept] = []
    here = this_run()
    with contextlib.suppress(OSError):
        for path in itertools.islice(paths.state_folder().glob(NAME.format("*")), LOOKED_AT):
            kept = _looked_at(path, here)
            if kept is not None and kept.fate != "alive":
                found.append(kept)
    return sorted(found, key=lambda kept: kept.age_s)


def _looked_at(path: Path, here: Header) -> Kept | None:
    """What a file keeps; None for one that is gone by now."""
    from tui.files import session
    from tui.files.session_tables import SessionError

    try:
        age_s = max(0.0, time.time() - path.lstat().st_mtime)
        raw = read_file(path, session.MAX_BYTES + HEADER_BYTES, "session file")
    except (OSError, NoFile):
        return Kept(path, None, "gone", 0.0, "", "it leads nowhere") if path.is_symlink() else None
    except WrongFile as problem:
        return Kept(path, None, "gone", age_s, "", problem.reason)
    except Unusable:  # of another person, say: nothing that could be offered
        return None
    first, _, rest = raw.partition(b"\n")
    header = _header(first)
    fate = _fate(path, header, here)
    try:
        text = session.text_of(rest if first.startswith(FIRST_LINE.encode()) else raw, str(path))
        damaged = "" if "schema" in session.document_of(text, str(path)) else "there is nothing in it"
    except SessionError as problem:
        return Kept(path, header, fate, age_s, "", problem.reason)
    return Kept(path, header, fate, age_s, text, damaged)


def _header(line: bytes) -> Header | None:
    """What the first line of a file says; None for one that says nothing, or nothing that can be so."""
    said = line.removeprefix(FIRST_LINE.encode())
    if said == line or len(said) > HEADER_BYTES:
        return None
    try:
        raw = json_of(said)
        from tui.files import state_schema

        header = Header(**state_schema.checked(state_schema.HeaderLine, raw).model_dump())
    except ValueError:
        return None
    return None if any(place and _from_uri(place) is None for place in (header.path, header.folder)) else header


def _uri(path: str) -> str:
    """An absolute path as a file URI; empty for any other."""
    return Path(path).as_uri() if os.path.isabs(path) else ""


def _from_uri(uri: str) -> Path | None:
    """The path of a file URI; None for anything else."""
    name = unquote_to_bytes(uri.removeprefix("file://"))
    if not uri.startswith("file:///") or b"\0" in name or len(name) > MOST_BYTES:
        return None
    return Path(os.fsdecode(name))


def _fate(path: Path, header: Header | None, here: Header) -> Fate:
    """Whether the run that keeps a file lives; unknown where nothing tells, as on another host."""
    locked = disk.is_locked(path)
    if locked:
        return "alive"
    if header is None:
        numbered = _NUMBERED.fullmatch(path.name)
        if numbered is None or int(numbered[1]) >= 2**31:
            return "unknown"
        return "alive" if _runs(int(numbered[1]), 0) else "gone"
    if header.host != here.host and not (header.boot and header.boot == here.boot):
        return "unknown"
    same_kernel = header.boot == here.boot
    if same_kernel and header.space == here.space:
        return "alive" if _runs(header.pid, header.started) else "gone"
    # In another container on this machine, or before it was started anew: only the lock can tell.
    return "gone" if locked is False else "unknown"


def _runs(pid: int, started: int) -> bool:
    """Whether a process of that number runs, and is the one that started then."""
    now = _started(pid)
    if now and started:
        return now == started
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's process
        return True
    return True


class Keeper:
    """Keeps this run's unsaved work in a file of its own, and the file locked while the run lives."""

    def __init__(self) -> None:
        self.problem = ""
        """Why the latest work could not be kept; empty when it was."""
        self._run = this_run()
        host = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in self._run.host)
        self._name = NAME.format(f"{host[:60]}-{self._run.pid}-{os.urandom(4).hex()}")
        self._file: Path | None = None
        self._handle = -1
        self._taken: list[Kept] = []
        self._closed = False

    @property
    def file(self) -> Path | None:
        """Where the work is kept; None while there is none."""
        return self._file

    def keep(self, store: Store) -> bool:
        """Write unsaved work to this run's file; without any, remove the file. False, and `problem`, when it failed."""
        if self._closed:
            return True
        if not store.dirty:
            self.forget()
            return True
        folder = self._file.parent if self._file is not None else paths.state_folder()
        try:
            target = paths.created(folder) / self._name
            handle = disk.write_locked(target, self._content(store), private=True)
        except disk.DiskError as problem:
            self.problem = f"{problem.reason} ({folder})"
            return False
        except OSError as problem:
            self.problem = f"{problem.strerror or problem} ({folder})"
            return False
        self._release()
        self._file, self._handle, self.problem = target, handle, ""
        self._drop_taken()
        return True

    def take(self, kept: Kept) -> None:
        """This run goes on with the work of another: the file of that is removed once the work is kept or saved here.

        A run that may live, on another host, keeps its own.
        """
        if kept.fate == "gone":
            self._taken.append(kept)

    def forget(self) -> None:
        """Nothing is unsaved any more: remove the file, and those that this run took over."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.unlink()
        self._release()
        self._file, self.problem = None, ""
        self._drop_taken()

    def close(self) -> None:
        """The person leaves, and has decided about the work: keep nothing from now on."""
        self.forget()
        self._closed = True

    def _content(self, store: Store) -> bytes:
        from tui.files import session

        path = os.path.join(_here(), store.path) if store.path is not None else ""
        folder = os.path.dirname(path) if path else _here()
        stamp = store.stamp if _STAMP.fullmatch(store.stamp) else ""
        header = dataclasses.replace(self._run, path=_uri(path), folder=_uri(folder), stamp=stamp)
        # A comment of TOML holds no control characters; JSON writes them all as escapes but one.
        said = json.dumps(dataclasses.asdict(header)).replace("\x7f", "\\u007f")
        text = session.dump(store.scenario, pinned=store.pins)
        return f"{FIRST_LINE}{said}\n{text}".encode("utf-8", "replace")

    def _release(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
        self._handle = -1

    def _drop_taken(self) -> None:
        while self._taken:
            self._taken.pop().discard()


def _here() -> str:
    """The working folder; empty where it was removed."""
    try:
        return os.getcwd()
    except OSError:
        return ""
