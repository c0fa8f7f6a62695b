"""What the app remembers of how a person likes it: the colour theme."""

from __future__ import annotations

import contextlib
import json

from catalog.bounded import Unreadable, json_of, read_file
from engine.figures.records import NamedTuple
from tui.files import disk, paths

FILE = "settings.json"
SETTINGS_BYTES = 2**16


class Settings(NamedTuple):
    """What is remembered. theme: empty when none is. damaged: what was wrong with the file and where it is now."""

    theme: str = ""
    damaged: str = ""


def read(known: tuple[str, ...]) -> Settings:
    """The remembered settings. A damaged file is moved out of the way, so that the next choice is kept."""
    target = paths.config_folder() / FILE
    try:
        stored = json_of(read_file(target, SETTINGS_BYTES, "settings file"))
        from tui.files import state_schema

        name = state_schema.checked(state_schema.SettingsFile, stored).theme
    except Unreadable:  # not there, or not to be had
        return Settings()
    except ValueError as problem:
        return Settings(damaged=disk.set_aside_said(target, str(problem)))
    return Settings(name if name in known else "")


def remember_theme(name: str) -> None:
    """Remember a theme. A folder that cannot be written is no reason to stop."""
    with contextlib.suppress(OSError, disk.DiskError):
        disk.write(paths.created(paths.config_folder()) / FILE, (json.dumps({"theme": name}) + "\n").encode())
