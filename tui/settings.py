"""What the app remembers of how a person likes it: the colour theme."""

from __future__ import annotations

import contextlib
import json

from tui import disk, paths

FILE = "settings.json"
SETTINGS_BYTES = 2**16


def theme(known: tuple[str, ...]) -> str:
    """The remembered theme; empty when there is none. A damaged file is no theme."""
    try:
        stored = json.loads(disk.read(paths.config_folder() / FILE, SETTINGS_BYTES, "settings file"))
    except (disk.WrongFile, ValueError, RecursionError):  # damaged: out of the way, so that the next choice is kept
        disk.set_aside(paths.config_folder() / FILE)
        return ""
    except disk.DiskError:
        return ""
    name = stored.get("theme") if isinstance(stored, dict) else None
    return name if isinstance(name, str) and name in known else ""


def remember_theme(name: str) -> None:
    """Remember a theme. A folder that cannot be written is no reason to stop."""
    with contextlib.suppress(OSError, disk.DiskError):
        disk.write(paths.created(paths.config_folder()) / FILE, (json.dumps({"theme": name}) + "\n").encode())
