"""The example sessions that come with the program."""

from __future__ import annotations

import tomllib
from pathlib import Path

from engine.figures.records import NamedTuple

FOLDER = Path(__file__).parent.parent / "examples"


class Example(NamedTuple):
    """A session to start from: its name, its title, and its file."""

    name: str
    title: str
    path: Path


def examples() -> tuple[Example, ...]:
    """All of them, by name."""
    found = []
    for path in sorted(FOLDER.glob("*.toml")):
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        found.append(Example(path.stem, str(table.get("title", "")), path))
    return tuple(found)
