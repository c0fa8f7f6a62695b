"""The program's folders (XDG) and the list of recently opened sessions."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from catalog.user import under_home

APP = "sizeup"
RECENT_LIMIT = 20


def _folder(variable: str, default: str) -> Path:
    return under_home(os.environ.get(variable, ""), default) / APP


def config_folder() -> Path:
    """Where the person's catalog and settings live; it need not exist."""
    return _folder("XDG_CONFIG_HOME", ".config")


def state_folder() -> Path:
    """Where recent files and recovery live; it need not exist."""
    return _folder("XDG_STATE_HOME", ".local/state")


def cache_folder() -> Path:
    """Where what can be made again lives; it need not exist."""
    return _folder("XDG_CACHE_HOME", ".cache")


def created(folder: Path) -> Path:
    """The folder, made for this person's eyes only when it is not there. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def recent() -> list[Path]:
    """Recently opened sessions that still exist, latest first. A damaged list is an empty one."""
    try:
        stored = json.loads((state_folder() / "recent.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    if not isinstance(stored, list):
        return []
    found = []
    for item in stored[:RECENT_LIMIT]:
        with contextlib.suppress(OSError, ValueError):  # a name that cannot be looked up is not there
            if isinstance(item, str) and Path(item).is_file():
                found.append(Path(item))
    return found


def remember(path: str | Path) -> None:
    """Put a session first in the recent list. A list that cannot be written is no reason to stop."""
    latest = Path(os.path.abspath(Path(os.path.expanduser(path))))
    paths = [latest, *(old for old in recent() if old != latest)][:RECENT_LIMIT]
    with contextlib.suppress(OSError):
        target = created(state_folder()) / "recent.json"
        temporary = target.with_name(f"recent.{os.getpid()}.tmp")
        temporary.write_text(json.dumps([str(item) for item in paths], indent=1) + "\n", encoding="utf-8")
        os.replace(temporary, target)
