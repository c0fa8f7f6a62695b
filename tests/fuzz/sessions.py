"""Broken and hostile session files, given to every command that reads one."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from engine.scenario.fields import FIELDS
from tests.fuzz import Failure, Stop, _cli, _hostile, within
from tui.files.drift import FIGURES

SLOWEST_S = 20.0
COMMANDS = (
    ("report",), ("report", "--format", "json"), ("report", "--format", "markdown"), ("export", "--to", "vllm"),
    ("export", "--to", "lws"), ("export", "--to", "torchrun"),
)  # fmt: skip
_ODD = (
    "nan", "inf", "-inf", "1e400", "-1", "0", "1.5", "true", "[]", "{}", "[1, [2]]", "9" * 5000, "0x" + "f" * 400, "1979-05-27",
    "9223372036854775807", "9223372036854775808", '""', '"auto"', "'\\'", '"\\u202e"', '"' + "a" * 5000 + '"', "1e308",
)  # fmt: skip
_OWNERS = ('"h100-sxm"', '"nvlink-4"', '"rtx-5090"', '"pcie5-root"', '"a\\u001b"')
_GARBAGE = (
    b"\0", b"\xff\xfe", b"\x1b]52;c;AAAA\x07", b"\r\n", b"[[", b"]]", b'"""', b"'''", b"a." * 2000 + b"a = 1\n", b"=", b"\xe9",
    b"[" * 3000, b"{" * 3000, "\u202e".encode(), b"# " + b"x" * 5000, b"[model]\n", b"[[pin]]\nname = 1\n", b"schema = 2\n",
)  # fmt: skip


def run(seed: int, stop: Stop) -> Counter[str]:
    """Run commands on broken sessions. Counts: refused, sized."""
    chance = random.Random(f"sessions {seed}")
    counts: Counter[str] = Counter()
    number = 0
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "s.toml"
        while not stop():
            number += 1
            data = _session(chance)
            command = chance.choice(COMMANDS)
            case = f"sessions, seed {seed}, case {number}, {' '.join(command)}: {data[:300]!r}"
            file.write_bytes(data)
            with within(SLOWEST_S, case):
                ran = _cli.run(command[0], str(file), *command[1:], encoding=chance.choice(("utf-8", "utf-8", "ascii")))
            _cli.expect_harmless(ran, case)
            if ran.code not in (0, 2, 3):
                raise Failure(f"{case}: exit {ran.code}: {ran.err}")
            if ran.code == 2 and (ran.out or ran.err.count("\n") != 1):
                raise Failure(f"{case}: {ran.err!r} and {ran.out[:80]!r}")
            counts["cases"] += 1
            counts["refused" if ran.code == 2 else "sized"] += 1
    return counts


def document_of(chance: random.Random) -> dict[str, Any]:
    """A session that can be sized, small so that it is sized quickly."""
    kind = chance.choice(("serve", "batch", "lora", "full-finetune"))
    return {
        "schema": 1,
        "title": _hostile.name(chance) if chance.random() < 0.3 else "a build",
        "notes": _hostile.name(chance, 8) if chance.random() < 0.3 else "",
        "model": {"id": chance.choice(("llama-3.1-8b", "qwen3-0.6b", "deepseek-v2-lite")), "weights": "bf16"},
        "hardware": {"accelerator": chance.choice(("h100-sxm", "rtx-5090")), "gpus_per_node": chance.choice((1, 2, 4))},
        "workload": {"kind": kind, "input_tokens": 500, "output_tokens": 100, "sequence_length": 1024},
    }


def _session(chance: random.Random) -> bytes:
    """The bytes of a session that is broken in a place or two."""
    document = document_of(chance)
    lines = _hostile.toml(document).splitlines()
    for _ in range(chance.randint(0, 3)):
        way = chance.randrange(5)
        at = chance.randrange(len(lines))
        if way == 0:
            field = chance.choice(FIELDS)
            lines += [f"[{field.table}]", f"{field.name} = {chance.choice(_ODD)}"] if field.table else []
            if chance.random() < 0.3:
                saved = chance.choice(list(FIGURES))
                lines += ["[catalog]", f"{FIGURES[saved].owner} = {chance.choice(_OWNERS)}"]
                lines.append(f"{saved} = {chance.choice((*_ODD, '80000', '1.0', '1e-5', '900000.0'))}")
        elif way == 1 and "=" in lines[at]:
            lines[at] = f"{lines[at].partition('=')[0]}= {chance.choice(_ODD)}"
        elif way == 2 and "=" in lines[at]:
            lines[at] = f"{lines[at].partition('=')[0]}= {_hostile.toml({'x': _hostile.name(chance)})[4:].strip()}"
        elif way == 3:
            del lines[at]
        else:
            lines.insert(
                at, f"{chance.choice(('x', 'a.b.c', 'modle', _hostile.toml({'k': 'a'})[:1]))} = {chance.choice(_ODD)}"
            )
        lines = lines or ["schema = 1"]
    data = "\n".join(lines).encode("utf-8", "surrogatepass")
    if chance.random() < 0.3:
        at = chance.randrange(len(data) + 1)
        data = data[:at] + chance.choice(_GARBAGE) + data[at + chance.randint(0, 20) :]
    return data
