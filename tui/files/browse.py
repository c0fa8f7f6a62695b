"""Folders and model files that a typed path may go on with. Pure, but for reading the names in one folder."""

from __future__ import annotations

import os
from pathlib import Path

from engine.figures.records import dataclass

MODEL_FILES = (".json", ".gguf")
LOOKED_AT = 10_000
"""Names of one folder that are read: a folder of more is no place to look for a model by hand."""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder or a model file. path: as one would have typed it, a folder with its slash."""

    path: str
    folder: bool
    bytes: int = 0

    @property
    def name(self) -> str:
        """The last part of the path."""
        return os.path.basename(self.path.rstrip("/")) + ("/" if self.folder else "")


def is_path(text: str) -> bool:
    """Whether typed text is meant as a path: the ids of a catalog have no slash, and start with a letter."""
    return "/" in text or text.startswith(("~", ".")) or text.lower().endswith(MODEL_FILES)


def places(text: str) -> list[Place]:
    """What the path may go on with, folders first: names that start with its last part, hidden ones only if asked for.

    Empty for a folder that is not there or may not be read.
    """
    typed = "~/" if text == "~" else text
    start, base = os.path.split(typed)
    found: list[Place] = []
    try:
        with os.scandir(os.path.expanduser(start) or ".") as entries:
            for _, entry in zip(range(LOOKED_AT), entries, strict=False):
                place = _place(os.path.join(start, entry.name), entry)
                hidden = entry.name.startswith(".") and not base.startswith(".")
                if place is not None and not hidden and entry.name.casefold().startswith(base.casefold()):
                    found.append(place)
    except OSError:
        return []
    return sorted(found, key=lambda place: (not place.folder, place.path.casefold()))


def _place(path: str, entry: os.DirEntry[str]) -> Place | None:
    """A folder or a model file; None for anything else, or where it went or cannot be looked at."""
    if not entry.name.isprintable():  # nobody can type it
        return None
    try:
        if entry.is_dir():
            return Place(f"{path}/", True)
        if entry.name.lower().endswith(MODEL_FILES) and entry.is_file():
            return Place(path, False, entry.stat().st_size)
    except OSError:
        return None
    return None


def whole(path: str) -> str:
    """A typed path from the root on, so that it means the same from any folder."""
    return str(Path(os.path.expanduser(path)).absolute())
