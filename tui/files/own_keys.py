"""A person's own keys: `$XDG_CONFIG_HOME/sizeup/keys.toml`, a line a command such as `save = "ctrl+w"`.

A wrong line is left out and told of; the others are in use. Names of commands and keys are those of docs/keys.md.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from engine.figures.text import printable, shown
from tui.files import paths
from tui.files.commands import BY_ID, COMMANDS, HANDS, Command, Keymap, key_name, key_of, own_keys

FILE = "keys.toml"
MOST_KEYS = 4
"""Keys of one command."""
_CHORD = re.compile(r"(?:(?:ctrl|alt)\+[a-z0-9_]|(?:(?:ctrl|alt|shift)\+)?f(?:[1-9]|1[0-2]))")
_AS_OTHERS = {"ctrl+h": "Backspace", "ctrl+i": "Tab", "ctrl+j": "Enter", "ctrl+m": "Enter"}
"""Chords that a terminal sends as another key."""


def file() -> Path:
    """Where the keys stand; it need not exist."""
    return paths.config_folder() / FILE


def read() -> tuple[Keymap, tuple[str, ...]]:
    """The keys to use, and what is wrong with the file, a line each: file, command, what is wrong, what is allowed."""
    path = file()
    if not os.path.lexists(path):
        return Keymap(), ()
    from catalog.errors import CatalogError
    from catalog.schema import read_toml

    try:
        stated = read_toml(path)
    except CatalogError as problem:
        return Keymap(), (str(problem),)
    keymap, problems = keymap_of(stated)
    return keymap, tuple(f"{FILE}: {problem}" for problem in problems)


def keymap_of(stated: Mapping[str, object]) -> tuple[Keymap, list[str]]:
    """The keys that a table of commands states, and what is wrong with it."""
    own: dict[str, tuple[str, ...]] = {}
    problems: list[str] = []
    for name, value in stated.items():
        try:
            own[name] = _keys(name, value)
        except ValueError as problem:
            problems.append(f"{printable(name[:60])}: {problem}")
    while (clash := next(_clashes(own), None)) is not None:
        name, key, other = clash
        del own[name]
        way = f"give {other} another key too" if other not in own else "one of them needs another"
        problems.append(f"{name}: {key_name(key)} is the key of {other}; {way}")
    return Keymap(own), problems


def _keys(name: str, value: object) -> tuple[str, ...]:
    """The keys of one line, as the app names them. Raises ValueError saying what is wrong and what is allowed."""
    command = BY_ID.get(name)
    if command is None:
        from catalog.ids import nearest

        raise ValueError(f"no such command; the nearest is {nearest(name, BY_ID, 1)[0]}")
    if not own_keys(command):
        raise ValueError(f"its keys are fixed: {Keymap().words(name)}")
    texts: Sequence[object] = value if isinstance(value, list) else [value]
    if not texts or len(texts) > MOST_KEYS or not all(isinstance(text, str) for text in texts):
        raise ValueError(f'{shown(value)} is no key; allowed: "ctrl+w", or a list of up to {MOST_KEYS} of them')
    return tuple(dict.fromkeys(_key(command, str(text)) for text in texts))


def _key(command: Command, text: str) -> str:
    key = key_of(text)
    if key in _AS_OTHERS:
        raise ValueError(f"{key_name(key)} reaches a program as {_AS_OTHERS[key]}; another is needed")
    if key in HANDS:
        raise ValueError(f"{key_name(key)} moves, types or opens everywhere and stays as it is; another is needed")
    letter = len(key) == 1 and key.isprintable()
    if _CHORD.fullmatch(key) or (letter and command.where == "results"):
        return key
    if letter:
        raise ValueError(f"{printable(key)} is typed into fields; allowed: ctrl+ or alt+ and a letter, or f1 to f12")
    also = ", or one letter" if command.where == "results" else ""
    raise ValueError(f"{shown(text)} is no key; allowed: ctrl+ or alt+ and a letter, f1 to f12{also}")


def _clashes(own: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, str, str]]:
    """A command with a key of its own, the key, and another command that has the same one where both work."""
    keymap = Keymap(own)
    for name in reversed(list(own)):  # of two own ones the later line gives way
        for other in COMMANDS:
            together = "everywhere" in (BY_ID[name].where, other.where) or BY_ID[name].where == other.where
            if other.id == name or not together:
                continue
            for key in own[name]:
                if key in keymap.keys(other.id):
                    yield name, key, other.id
