"""What somebody who means harm writes into a name: shell, YAML, terminal and Unicode tricks."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from catalog.models import MODELS

SHELL = (
    "\n", "\r", "\r\n", "\ncanary\n", "; canary;", "$(canary)", "`canary`", "' canary '", '" canary "', "\\", " && canary ",
    "| canary", "& canary &", "# ", "$HOME", "${IFS}canary", "*", "~", "!!", "\\\ncanary\n", "’; canary; ’", "'", '"',
    ">canary.txt", "<", "--flag", "-x", "\t", " ", "\ncanary #", "$$", "$(LWS_GROUP_SIZE)", "$((1))", "\0", "=",
)  # fmt: skip
MARKUP = (
    ": ",
    "- ",
    "&a ",
    "*a",
    "]",
    "}",
    "{{",
    "%0a",
    "|",
    "---\n",
    "!!python/object:os.system",
    "[x](y)",
    "<b>",
    "\\",
)
TERMINAL = (
    "\x1b[31m", "\x1b]52;c;Y2FuYXJ5\x07", "\x1b]0;owned\x07", "\x9b2J", "\x07", "\x08", "\x7f", "\x85", "\u2028", "\u202e",
    "\u2066", "\u200b", "\u200f", "\ufeff", "\U000e0041", "\x1bPq\x1b\\", "\x9d52;c;Y2FuYXJ5\x9c",
)  # fmt: skip
PLAIN = ("llama", "70b", "模型", "é", "x/y", "Org/Name-7B", "v1.0", "_", "a" * 300, "🚀", "0", "A")


def name(chance: random.Random, most: int = 4) -> str:
    """A name of some pieces, most of them hostile."""
    pieces = [chance.choice(chance.choice((SHELL, MARKUP, TERMINAL, PLAIN))) for _ in range(chance.randint(1, most))]
    chance.shuffle(pieces)
    return "".join(pieces)


def toml(document: dict[str, Any]) -> str:
    """Tables of scalars as TOML, every string in JSON's escapes, which TOML reads too."""
    lines: list[str] = []
    for key, value in document.items():
        if isinstance(value, list):
            for table in value:
                lines += [f"[[{key}]]", *(f"{name} = {_scalar(item)}" for name, item in table.items())]
        elif isinstance(value, dict):
            lines += [f"[{key}]", *(f"{name} = {_scalar(item)}" for name, item in value.items())]
        else:
            lines.insert(0, f"{key} = {_scalar(value)}")
    return "\n".join(lines) + "\n"


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        # TOML takes no surrogate pairs, and DEL only as an escape
        text = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in text)
    return json.dumps(value)


def config_of(model_id: str) -> Path:
    """The config.json of a model that the program ships with."""
    return MODELS / f"{model_id}.config.json"
