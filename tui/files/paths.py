"""The program's folders (XDG) and the list of recently opened sessions."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from catalog.bounded import Unreadable, json_of, read_file
from catalog.user import under_home
from tui.files import disk

APP = "sizeup"
RECENT = "recent.json"
RECENT_LIMIT = 20
RECENT_BYTES = 2**18  # twenty of the longest names that a file can have


def _folder(variable: str, default: str) -> Path:
    return under_home(os.environ.get(variable, ""), default) / APP


def config_folder() -> Path:
    """Where the person's catalog and settings live; it need not exist."""
    return _folder("XDG_CONFIG_HOME", ".config")


def state_folder() -> Path:
    """Where recent files and recovery live; it need not exist."""
    return _folder("XDG_STATE_HOME", ".local/state")


def first_start() -> bool:
    """Whether nothing of this person's is there yet. From now on it is: the folder of the state is made."""
    if config_folder().exists() or state_folder().exists():
        return False
    with contextlib.suppress(OSError):  # where nothing can be kept, the next start is a first one again
        created(state_folder())
    return True


def created(folder: Path) -> Path:
    """The folder, made for this person's eyes only when it is not there. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def recent() -> list[Path]:
    """Recently opened sessions that still exist, latest first. A damaged list is an empty one."""
    try:
        stored = _stored()
    except ValueError:
        return []
    found = []
    for item in stored:
        with contextlib.suppress(OSError, ValueError):  # a name that cannot be looked up is not there
            if Path(item).is_file():
                found.append(Path(item))
    return found


def _stored() -> list[str]:
    """The names in the recent list; none without a list. Raises ValueError for what is no such list."""
    try:
        stored = json_of(read_file(state_folder() / RECENT, RECENT_BYTES, "recent list"))
    except Unreadable:  # not there, or not to be had
        return []
    from tui.files import state_schema

    return state_schema.checked(state_schema.RecentList, stored).root[:RECENT_LIMIT]


def set_aside_damaged() -> tuple[str, ...]:
    """Move a damaged recent list out of the way, before the first `remember`; what to say about it."""
    target = state_folder() / RECENT
    try:
        _stored()
    except ValueError as problem:
        return (disk.set_aside_said(target, str(problem)),)
    return ()


def remember(path: str | Path) -> None:
    """Put a session first in the recent list. A list that cannot be written is no reason to stop."""
    with contextlib.suppress(OSError, disk.DiskError, ValueError):
        latest = Path(os.path.abspath(Path(os.path.expanduser(path))))
        paths = [latest, *(old for old in recent() if old != latest)][:RECENT_LIMIT]
        text = json.dumps([str(item) for item in paths], indent=1) + "\n"
        disk.write(created(state_folder()) / RECENT, text.encode(), private=True)
