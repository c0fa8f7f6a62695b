"""The tables of a session file: their keys, limits and records, and the error of a file that cannot be used."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from engine.figures.records import dataclass
from engine.figures.text import LONGEST_NAME, clipped, printable
from engine.scenario import LayoutChoice, Money, Runtime, Workload
from tui.files.drift import CatalogTable

SCHEMA = 1
OUT_OF_RANGE = ("greater_than_equal", "less_than_equal", "greater_than", "less_than")
LONGEST_PATH = 1024  # characters; a system's own limit is some 4,096 bytes
PATH_ALLOWED = f"a path of printable characters, up to {LONGEST_PATH:,}"
LARGEST_INTEGER = 2**63 - 1  # what a TOML integer must be able to hold


@dataclass(frozen=True, slots=True)
class ModelTable:
    """The [model] table. One of id and config is needed."""

    id: str = ""
    config: str = ""
    weights: str = ""
    kv_cache: str = ""
    mtp: bool = False


@dataclass(frozen=True, slots=True)
class HardwareTable:
    """The [hardware] table: catalog ids and counts. Links that are absent are the accelerator's usual ones.

    second_accelerator: of the gpus_per_node, second_gpus are of this other kind.
    """

    accelerator: str
    gpus_per_node: int = 1
    nodes: int = 1
    intra_link: str = ""
    inter_link: str = ""
    platform: str = ""
    second_accelerator: str = ""
    second_gpus: int = 0
    power_limit_w: float | None = None


TABLES: Mapping[str, type] = {
    "model": ModelTable,
    "hardware": HardwareTable,
    "workload": Workload,
    "layout": LayoutChoice,
    "runtime": Runtime,
    "money": Money,
    "catalog": CatalogTable,
}
TOP_LEVEL = ("schema", "title", "notes")
PINS = "pin"
MEASURED = "measured"
_SERVING = ("concurrency", "input_tokens", "output_tokens")
_TRAINING = (
    "sequence_length",
    "micro_batch",
    "global_batch_tokens",
    "total_tokens",
    "optimizer",
    "recompute",
    "sharding",
)
_LORA = (*_TRAINING, "lora_rank", "lora_targets")
ALWAYS: Mapping[str, tuple[str, ...]] = {
    "serve": _SERVING,
    "batch": _SERVING,
    "embed": ("concurrency", "input_tokens"),
    "lora": _LORA,
    "qlora": (*_LORA, "base_format"),
    "full-finetune": _TRAINING,
    "pretrain": _TRAINING,
    "dpo": (*_TRAINING, "tuning", "preference"),
    "reward": (*_TRAINING, "tuning"),
    "grpo": (*_TRAINING, "tuning", "group_size"),
    "ppo": (*_TRAINING, "tuning"),
}
"""The keys of [workload] that are written even at their default, by kind."""


def words_of(hint: Any) -> tuple[str, ...]:
    """The words that a key takes: those of its Literal, which may stand beside None."""
    inner = [part for part in get_args(hint) if get_origin(part) is Literal]
    return tuple(get_args(inner[0] if inner else hint))


class SessionError(ValueError):
    """A session file that cannot be used. The text is one line: file, line, key, what is wrong, what is allowed.

    key: dotted, empty when the whole file is at fault. line: 0 when no line is at fault.
    """

    def __init__(self, file: str, reason: str, *, key: str = "", line: int = 0, allowed: str = "") -> None:
        self.file = file
        self.reason = reason
        self.key = key
        self.line = line
        self.allowed = allowed
        where = clipped(printable(file), LONGEST_NAME) + (f":{line}" if line else "")
        text = f"{where}: {clipped(key, LONGEST_NAME // 2)}: {reason}" if key else f"{where}: {reason}"
        super().__init__(clipped(printable(f"{text}; allowed: {allowed}" if allowed else text)))


def folder_of(file: str | Path = "") -> Path:
    """The folder that a file is in, absolute; without one, the working folder. Where that is gone, as it was stated."""
    where = Path(os.path.expanduser(file) or "session.toml")
    try:
        return where.absolute().parent
    except OSError:
        return where.parent


def line_of(text: str, key: str) -> int:
    """The line on which a dotted key, or the table itself, is written; 0 when it is nowhere."""
    table, _, name = key.rpartition(".")
    section, header, multiline = "", 0, ""
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if multiline:
            multiline = "" if multiline in line else multiline
            continue
        if line.startswith("["):
            section = line.strip("[]").split("#")[0].strip("[] \t\"'")
            header = number if section in (table, key) else header
        elif "=" in line:
            written = line.partition("=")[0].strip().strip("\"'")
            if (section == table and written == name) or (not section and written == key):
                return number
            value = line.partition("=")[2].strip()
            for quotes in ('"""', "'''"):
                if value.startswith(quotes) and quotes not in value[3:]:
                    multiline = quotes
    return header
