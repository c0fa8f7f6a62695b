"""A person's own catalog entries: `$XDG_CONFIG_HOME/sizeup/catalog/*.toml`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from catalog.errors import CatalogError
from catalog.hardware import SECTIONS, HardwareTables, RawEntry, raw_entries
from catalog.models import ModelEntry, model_entry
from catalog.schema import read_toml

MOST_FILES = 256
MOST_ENTRIES = 10_000


def user_folder() -> Path:
    """Where a person's catalog files live; it need not exist."""
    return under_home(os.environ.get("XDG_CONFIG_HOME", ""), ".config") / "sizeup" / "catalog"


def under_home(stated: str, default: str) -> Path:
    """The folder that the environment states, else `default` in the home folder.

    A relative one is to be ignored (the XDG specification). For a user without a home, as containers run them, it is
    a place where nothing is and nothing can be written.
    """
    if os.path.isabs(stated):
        return Path(stated)
    home = os.path.expanduser("~")
    return Path(home if os.path.isabs(home) else os.devnull) / default


def _files(folder: Path, problems: list[str]) -> list[Path]:
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix == ".toml")
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as problem:
        problems.append(f"{folder}: {problem.strerror or 'cannot be read'}")
        return []
    if len(found) > MOST_FILES:
        problems.append(f"{folder}: {len(found):,} files; allowed: {MOST_FILES}, the others are left out")
    return found[:MOST_FILES]


def overlay(folder: Path, hardware: HardwareTables, models: dict[str, ModelEntry]) -> tuple[str, ...]:
    """Merge a person's files over the built-in tables, in name order.

    An entry that cannot be used is left out and told of; the others stand. Returns the problems, one line each,
    naming file, entry and key.
    """
    problems: list[str] = []
    added: list[tuple[RawEntry, Mapping[str, Any] | None]] = []
    for path in _files(folder, problems):
        try:
            entries = list(raw_entries(path, read_toml(path), (*SECTIONS, "model")))
            if len(entries) > MOST_ENTRIES:
                raise CatalogError(str(path), "", f"{len(entries):,} entries; allowed: up to {MOST_ENTRIES:,}")
        except CatalogError as problem:
            problems.append(str(problem))
            continue
        seen: set[tuple[str, str]] = set()
        for raw in entries:
            try:
                if (raw.section, raw.entry_id) in seen:
                    raise CatalogError(raw.where, "id", f"a second [[{raw.section}]] of this id in one file")
                seen.add((raw.section, raw.entry_id))
                if raw.section == "model":
                    models[raw.entry_id] = model_entry(raw, path.parent, True, models.get(raw.entry_id))
                else:
                    before = hardware.raw[raw.section].get(raw.entry_id)
                    hardware.add(raw, user=True)
                    added.append((raw, before))
            except CatalogError as problem:
                problems.append(str(problem))
    for raw, before in reversed(added):
        wrong = hardware.dangling_of(raw.section, raw.entry_id)
        if wrong:
            problems.append(f"{raw.where}: {wrong}")
            hardware.restore(raw, before)
    return tuple(problems)
