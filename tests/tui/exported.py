"""Reads an export back: the words of its commands, its documents, and a schema's word on a manifest."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FACTS = Path(__file__).parent / "export_facts"
FLAGS = tomllib.loads((FACTS / "flags.toml").read_text())
SCHEMA = json.loads((FACTS / "kubernetes.json").read_text())
LABEL = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
RESOURCES = {"nvidia.com/gpu", "amd.com/gpu", "habana.ai/gaudi", "gpu.intel.com/xe"}
STARTS: tuple[tuple[str, ...], ...] = (
    ("vllm", "serve"),
    ("python3", "-m", "sglang.launch_server"),
    ("llama-server",),
    ("/app/llama-server",),
    ("trtllm-serve",),
    ("torchrun",),
    ("tune", "run"),
    ("python3", "-m", "verl.trainer.main_ppo"),
    ("python3", "-m", "openrlhf.cli.train_ppo_ray"),
    ("deepspeed",),
)
TOOL = {"/app/llama-server": "llama-server", "tune": "torchtune", "deepspeed": "openrlhf"}
MODULES = {"sglang.launch_server": "sglang", "verl.trainer.main_ppo": "verl", "openrlhf.cli.train_ppo_ray": "openrlhf"}
SCRIPTS = {"train.py": "torchrun", "pretrain_gpt.py": "megatron", "run_recipe.py": "nemo"}
"""What torchrun starts, by the tool whose arguments follow."""


def commands(text: str) -> Iterator[list[str]]:
    """The words of each command of a script, continued lines joined, comments left out."""
    joined = text.replace("\\\n", " ")
    for line in joined.splitlines():
        if line.strip() and not line.startswith("#"):
            yield shlex.split(line, comments=True)


def starts(words: list[str]) -> tuple[str, list[str]] | None:
    """The tool that a command starts and the words after it; None where it starts another."""
    for place in range(len(words)):
        for start in STARTS:
            if tuple(words[place : place + len(start)]) == start:
                tool = MODULES[start[2]] if start[0] == "python3" else TOOL.get(start[0], start[0])
                return tool, words[place + len(start) :]
    return None


def of_script(words: list[str]) -> tuple[str, list[str], list[str]]:
    """Of torchrun's words: the tool that it starts, torchrun's own words, and those after the script."""
    place = next(place for place, word in enumerate(words) if word.rsplit("/", 1)[-1] in SCRIPTS)
    return SCRIPTS[words[place].rsplit("/", 1)[-1]], words[:place], words[place + 1 :]


def settings(text: str) -> dict[str, object]:
    """What the one command of a trainer sets: flags and keys, with their values as words, True for one that stands alone."""
    (words,) = [words for words in commands(text) if starts(words)]
    begun = starts(words)
    assert begun is not None
    tool, rest = begun
    if tool == "torchrun":
        _, _, rest = of_script(rest)
    found: dict[str, object] = {}
    flag = ""
    for word in rest:
        if word.startswith("--"):
            flag = word
            found[flag] = True
        elif re.match(r"[\w.]+=", word):
            key, _, value = word.partition("=")
            found[key], flag = value, ""
        elif flag:
            found[flag] = word if found[flag] is True else f"{found[flag]} {word}"
    return found


def options(words: list[str]) -> dict[str, str]:
    """Flags with their values; "" for one that stands alone."""
    found: dict[str, str] = {}
    for place, word in enumerate(words):
        if word.startswith("--"):
            after = words[place + 1] if place + 1 < len(words) else "--"
            found[word] = "" if after.startswith(("--", "$HEADLESS")) else after
    return found


def of_tool(text: str, tool: str) -> list[dict[str, str]]:
    """The options of each start of a tool in a script."""
    begun = filter(None, map(starts, commands(text)))
    return [options(words) for name, words in begun if name == tool]


def documents(text: str) -> list[Any]:
    """The documents of a YAML file, by a reader of others."""
    yaml = pytest.importorskip("yaml")
    return list(yaml.safe_load_all(text))


def fits(value: Any, kind: Any, where: str) -> None:
    """Asserts that a part of a manifest has just the fields of its schema."""
    if isinstance(kind, dict):
        assert isinstance(value, dict), where
        known = {key.removesuffix("?"): inner for key, inner in kind.items()}
        assert set(value) <= set(known), f"{where}: {sorted(set(value) - set(known))}"
        assert {key for key in kind if not key.endswith("?")} <= set(value), where
        for key, item in value.items():
            fits(item, known[key], f"{where}.{key}")
    elif isinstance(kind, list):
        assert isinstance(value, list), where
        assert value, where
        for number, item in enumerate(value):
            fits(item, kind[0], f"{where}[{number}]")
    elif kind in SCHEMA:
        fits(value, SCHEMA[kind], where)
    else:
        _scalar(value, kind, where)


def _scalar(value: Any, kind: str, where: str) -> None:
    if kind.startswith("="):
        assert value == kind[1:], where
    elif kind == "label":
        assert LABEL.fullmatch(value), where
    elif kind == "labels":
        assert value, where
        assert all(LABEL.fullmatch(part) for pair in value.items() for part in pair), where
    elif kind == "quantities":
        assert set(value) <= RESOURCES, where
        assert all(isinstance(amount, str) and int(amount) > 0 for amount in value.values()), where
    elif kind == "image":
        assert re.fullmatch(r"[a-z0-9./-]+:[\w.-]+", value), where
        assert not value.endswith(":latest"), where
    else:
        types: dict[str, type] = {"int": int, "str": str, "bool": bool}
        assert type(value) is types[kind], where
