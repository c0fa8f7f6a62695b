"""Unsaved work that outlives a crash or a lost connection: one file for each run, offered at the next start."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from tui import disk, paths, session
from tui.pins import Pin
from tui.store import Store

KEPT = "unsaved-{}.toml"


def kept_file() -> Path:
    """Where this run's unsaved work waits in case the terminal goes away."""
    return paths.state_folder() / KEPT.format(os.getpid())


def left_behind() -> list[Path]:
    """Unsaved work of runs that ended without asking, latest first."""
    found: list[tuple[float, Path]] = []
    with contextlib.suppress(OSError):
        for path in paths.state_folder().glob(KEPT.format("*")):
            number = path.stem.rpartition("-")[2]
            if number.isdigit() and not _runs(int(number)):
                found.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(found, reverse=True)]


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's process
        return True
    return True


def keep(store: Store) -> None:
    """Write unsaved work to the recovery file; without any, remove the file."""
    target = kept_file()
    if not store.dirty:
        forget()
        return
    with contextlib.suppress(OSError, disk.DiskError):  # the terminal may be gone: nobody is there to be told
        paths.created(target.parent)
        pins = [Pin(pin.name, session.anchored(pin.scenario, store.path)) for pin in store.pins]
        text = session.dump(session.anchored(store.scenario, store.path), pinned=pins)
        disk.write(target, text.encode(), private=True)


def forget() -> None:
    """Remove this run's recovery file."""
    with contextlib.suppress(OSError):
        kept_file().unlink()
