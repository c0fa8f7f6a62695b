"""Files as a whole: told from one another by their content, and replaced in one step or not.

Every file that the program writes goes through `write`: sessions, reports, settings, the recent list, kept work.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import re
import stat
import time
from pathlib import Path

from catalog.bounded import NoFile, Unusable, read_file

MISSING = "missing"
"""The stamp of a name that no file has."""
STAMPED_BYTES = 64 * 2**20
TEMPORARY = re.compile(r"\.sizeup-[0-9a-f]{12}\.tmp")
ABANDONED_S = 3600.0
"""A temporary file is swept at this age: a write takes seconds, and locks do not reach every file system."""
LOOKED_AT = 10_000


class DiskError(Exception):
    """A file that cannot be written. reason: why, in one line, without its name."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def reason_of(problem: Exception) -> str:
    """Why a file could not be read or written, in one line: of the system's errors without number and name."""
    return str(getattr(problem, "strerror", None) or problem)


def stamp_of(data: bytes) -> str:
    """What tells the content of a file from any other."""
    import hashlib  # here: 2 ms that a start without files of its own does not pay

    return hashlib.sha256(data).hexdigest()


def stamp_now(path: Path) -> str:
    """The stamp of what a name holds now; MISSING without a file.

    What cannot be read, or is too large to be one of ours, has a stamp that no content has.
    """
    try:
        return stamp_of(read_file(path, STAMPED_BYTES))
    except NoFile:
        return MISSING
    except Unusable as problem:
        return f"unread: {problem.reason}"


def write(path: Path, data: bytes, *, private: bool = False) -> None:
    """Replace a file by `data` through a temporary file beside it, synced before it takes the name.

    The mode and, where that is allowed, the owner of a file that is replaced are kept; a new one has the mode of the
    umask, or is for this person's eyes only if `private`. A symbolic link stays one: what it points to is replaced.
    Raises DiskError; then the old file stands.
    """
    os.close(write_locked(path, data, private=private))


def write_locked(path: Path, data: bytes, *, private: bool = False) -> int:
    """The same, and the descriptor of the new file, locked: as long as it is open, `is_locked` says so elsewhere.

    The lock ends with the process, however that ends. Raises DiskError.
    """
    temporary: Path | None = None
    handle = -1
    try:
        target = Path(os.path.realpath(path)) if path.is_symlink() else path
        before = _replaceable(target)
        name = target.with_name(f".sizeup-{os.urandom(6).hex()}.tmp")
        # What is replaced may be readable for few: until the mode is its own, the new file is for the owner alone.
        mode = 0o666 if before is None and not private else 0o600
        handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        temporary = name
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if before is not None:
            _take_over(handle, before)
        left = memoryview(data)
        while left:
            left = left[os.write(handle, left) :]
        os.fsync(handle)
        os.replace(temporary, target)
        temporary = None
        _sync_folder(target.parent)
        handle, kept = -1, handle
    except FileNotFoundError:
        raise DiskError("its folder does not exist") from None
    except PermissionError:
        raise DiskError("no permission to write in this folder") from None
    except OSError as problem:
        raise DiskError(f"cannot be written: {problem.strerror or problem}") from None
    except ValueError as problem:  # a name that no file can have
        raise DiskError(f"cannot be written: {problem}") from None
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):  # the first error is the one to tell
                temporary.unlink()
        if handle >= 0:
            with contextlib.suppress(OSError):
                os.close(handle)
    return kept


def _replaceable(target: Path) -> os.stat_result | None:
    """What is to be replaced; None for nothing. Raises OSError, and DiskError for what is not to be replaced."""
    try:
        before = os.stat(target)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(before.st_mode):
        raise DiskError("this is a directory")
    if not stat.S_ISREG(before.st_mode):
        raise DiskError("this is not a regular file")
    if not os.access(target, os.W_OK):
        raise DiskError("no permission to write it")
    return before


def _take_over(handle: int, before: os.stat_result) -> None:
    """Owner and mode of the file before. Where its group cannot be kept, this one's group may do no more than others."""
    mode = stat.S_IMODE(before.st_mode)
    try:
        os.fchown(handle, before.st_uid, before.st_gid)
    except OSError:  # only root may hand a file to its former owner
        try:
            os.fchown(handle, -1, before.st_gid)
        except OSError:
            mode = mode & ~0o070 | (mode & 0o007) << 3
    os.fchmod(handle, mode)


def _sync_folder(folder: Path) -> None:
    """Make the new name durable; some file systems cannot sync a folder, and the file itself is synced already."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def is_locked(path: Path) -> bool | None:
    """Whether a process holds the lock of `write_locked` on a file; None where nobody can tell."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(handle)
    return False


def sweep(folder: Path) -> None:
    """Remove temporary files that killed runs have left: this person's own, old, and held by nobody."""
    oldest = time.time() - ABANDONED_S
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in itertools.islice(entries, LOOKED_AT):
            if not TEMPORARY.fullmatch(entry.name):
                continue
            with contextlib.suppress(OSError):  # another run may sweep as well
                found = entry.stat(follow_symlinks=False)
                own = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
                if own and found.st_mtime < oldest and not is_locked(Path(entry.path)):
                    os.unlink(entry.path)


def set_aside(path: Path) -> Path | None:
    """Give something damaged another name, where it is in nobody's way and nothing is lost; None where that fails."""
    name = os.fsdecode(os.fsencode(path.name)[:200])  # of 255 bytes that a name may have
    for number in range(1, 100):
        other = path.with_name(f"{name}.damaged" + (f"-{number}" if number > 1 else ""))
        if not os.path.lexists(other):
            try:
                os.rename(path, other)
            except OSError:
                return None
            return other
    return None


def set_aside_said(path: Path, reason: str) -> str:
    """Set something damaged aside; in one line what was wrong and where it is now."""
    return f"{path}: {reason}; {moved_words(set_aside(path))}"


def moved_words(moved: Path | None) -> str:
    """Where something is that was set aside."""
    return f"it is {moved.name} now" if moved is not None else "it could not be moved"
