"""What a tool in the place of nvidia-smi may say: a table of GPUs, or one sentence of refusal."""

from __future__ import annotations

import json
import math
import random
import tempfile
from collections import Counter
from pathlib import Path

from tests.fuzz import Failure, Stop, _cli, _hostile, within

SLOWEST_S = 20.0
_HEAD = "name, memory.total [MiB], power.limit [W], pcie.link.gen.max, pcie.link.width.max, compute_cap, driver_version"
_NAMES = ("NVIDIA H100 80GB HBM3", "NVIDIA GeForce RTX 5090", "Tesla T4", "")
_NUMBERS = (
    "81559 MiB", "81559", "700.00 W", "[N/A]", "", "-1", "9" * 400, "9" * 5000, "0", "1e999", "nan", "0x10", "5", "16", "9.0", "²",
    "9999999999999", ",", '"', "\x1b[2J",
)  # fmt: skip


def run(seed: int, stop: Stop) -> Counter[str]:
    """Read saved answers of the tool. Counts: refused, sized (taken)."""
    chance = random.Random(f"detect {seed}")
    counts: Counter[str] = Counter()
    number = 0
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "gpus.csv"
        while not stop():
            number += 1
            text = _answer(chance)
            file.write_bytes(text.encode("utf-8", "surrogatepass"))
            case = f"detect, seed {seed}, case {number}: {text[:300]!r}"
            form = chance.choice(("text", "json"))
            with within(SLOWEST_S, case):
                ran = _cli.run("detect", "--from", str(file), "--format", form)
            _cli.expect_harmless(ran, case)
            counts["cases"] += 1
            if ran.code == 2:
                counts["refused"] += 1
                continue
            if ran.code != 0:
                raise Failure(f"{case}: exit {ran.code}: {ran.err}")
            if form == "json":
                for line in ran.out.splitlines():
                    values = json.loads(line, parse_constant=lambda word: math.nan)
                    if any(isinstance(value, float) and not math.isfinite(value) for value in values.values()):
                        raise Failure(f"{case}: {line}")
            counts["sized"] += 1
    return counts


def _answer(chance: random.Random) -> str:
    rows = []
    for _ in range(chance.choice((0, 1, 1, 2, 8, 8, 2000))):
        name = chance.choice(_NAMES) if chance.random() < 0.8 else _hostile.name(chance)
        cells = ["81559 MiB", "700.00 W", "5", "16", "9.0", "550.1"]
        if chance.random() < 0.4:
            cells[chance.randrange(6)] = chance.choice(_NUMBERS)
        rows.append(", ".join((name, *cells[: chance.choice((6, 6, 6, 6, 1, 3))])))
        if chance.random() < 0.5:
            rows = [rows[0]] * len(rows)
    if chance.random() < 0.1:
        return "\n".join(f"GPU {number}: {row[:50]} (UUID: x)" for number, row in enumerate(rows))
    head = _HEAD if chance.random() < 0.8 else _hostile.name(chance, 6)
    return "\n".join((head, *rows)) + chance.choice(("\n", "", "\r\n", "x" * 200_000))
