"""How an export is written: words of a shell, YAML, TOML and comments. Names come by mail, so each is one quoted word."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from engine.figures.text import printable

_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./:-]*[A-Za-z0-9_/]|[A-Za-z]")
_RESERVED = {"true", "false", "yes", "no", "on", "off", "null", "none", "y", "n"}
_LABEL_LENGTH = 50  # Kubernetes takes 63, and a set's pods have numbers after its name

Word = str | int | float


class CannotExport(ValueError):
    """A sizing that this target cannot run; the message says why and what to use."""


def comment(text: str) -> str:
    """A comment of a shell script, YAML or TOML; it stays one line, whatever is in the text."""
    return f"# {printable(text)}"


def number(value: float) -> str:
    """A number as every parser here reads it: no exponent, up to ten decimals."""
    if isinstance(value, int):
        return str(value)
    text = f"{value:.10f}".rstrip("0")
    return f"{text}0" if text.endswith(".") else text


def words(flags: Iterable[tuple[Word, ...]]) -> list[str]:
    """Flags with their values as the words of a command, none quoted."""
    return [item if isinstance(item, str) else number(item).removesuffix(".0") for flag in flags for item in flag]


def command(start: Iterable[str], flags: Iterable[tuple[Word, ...]], literal: frozenset[str] = frozenset()) -> str:
    """A command over several lines, a flag with its value on each; every word is quoted but those in `literal`."""

    def quoted(items: Iterable[str]) -> str:
        return " ".join(item if item in literal else shlex.quote(item) for item in items)

    return " \\\n  ".join([quoted(start), *(quoted(words([flag])) for flag in flags)])


def scalar(value: object) -> str:
    """A scalar of YAML: text is quoted unless nothing could take it for anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, int | float):
        return number(value)
    text = str(value)
    if _PLAIN.fullmatch(text) and text.lower() not in _RESERVED:
        return text
    return json.dumps(text)


def yaml(value: Mapping[str, Any], indent: int = 0) -> list[str]:
    """Lines of YAML: mappings and lists of mappings as blocks, lists of scalars as JSON."""
    lines = []
    pad = " " * indent
    for key, item in value.items():
        if isinstance(item, Mapping):
            lines += [f"{pad}{key}:", *yaml(item, indent + 2)]
        elif isinstance(item, list) and item and isinstance(item[0], Mapping):
            lines.append(f"{pad}{key}:")
            for row in item:
                first, *rest = yaml(row, indent + 2)
                lines += [f"{pad}- {first[indent + 2 :]}", *rest]
        elif isinstance(item, list):
            lines.append(f"{pad}{key}: {json.dumps(item)}")
        else:
            lines.append(f"{pad}{key}: {scalar(item)}")
    return lines


def toml(tables: Mapping[str, Mapping[str, str | int | float | bool | list[str]]]) -> list[str]:
    """Lines of TOML: one table after the other."""
    lines: list[str] = []
    for name, table in tables.items():
        lines += ["", f"[{name}]"]
        for key, item in table.items():
            lines.append(f"{key} = {json.dumps(item) if isinstance(item, str | list) else scalar(item)}")
    return lines


def label(text: str) -> str:
    """A name as Kubernetes takes it (RFC 1035): small letters, digits and dashes, a letter first."""
    letters = "".join(char if char.isascii() and char.isalnum() else "-" for char in text.lower())
    found = "-".join(filter(None, letters.split("-")))
    if not found[:1].isalpha():
        found = f"model-{found}"
    return found[:_LABEL_LENGTH].strip("-")


def in_kubernetes(items: Iterable[str]) -> list[str]:
    """Words of a container's command, in which Kubernetes would put variables in place of $(NAME)."""
    return [item.replace("$", "$$") for item in items]
