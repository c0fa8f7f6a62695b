"""Broken GGUF headers: cut, flipped, with lengths that no file has, and whole ones whose metadata says what no model is."""

from __future__ import annotations

import random
import struct
import tempfile
from collections import Counter
from pathlib import Path

from catalog.errors import CatalogError
from catalog.gguf import read_gguf
from engine.model.parameters import count_parameters
from tests.catalog.gguf_files import Q4_K, llama_metadata, llama_tensors, write_gguf
from tests.fuzz import Failure, Stop, within

SLOWEST_S = 10.0
_NUMBERS = (0, 1, 255, 2**16, 2**31 - 1, 2**32 - 1, 2**40, 2**62, 2**63, 2**64 - 1)


def run(seed: int, stop: Stop) -> Counter[str]:
    """Read headers that are broken in a few places. Counts: refused, sized."""
    chance = random.Random(f"ggufs {seed}")
    counts: Counter[str] = Counter()
    number = 0
    with tempfile.TemporaryDirectory() as name:
        whole = write_gguf(Path(name) / "whole.gguf", llama_metadata(), llama_tensors(kind=Q4_K)).read_bytes()
        while not stop():
            number += 1
            path = Path(name) / f"{number}.gguf"
            with path.open("wb") as stream:
                stream.write(_broken(whole, chance) if chance.random() < 0.5 else _odd(Path(name) / "odd.gguf", chance))
                if chance.random() < 0.1:
                    stream.truncate(1 << 34)  # zeros that take no place
            case = f"ggufs, seed {seed}, case {number}"
            counts["cases"] += 1
            try:
                with within(SLOWEST_S, case):
                    total = count_parameters(read_gguf(path).architecture).total
            except CatalogError as problem:
                if len(str(problem)) >= 500 or not str(problem).isprintable():
                    raise Failure(f"{case}: {str(problem)[:600]!r}") from None
                counts["refused"] += 1
            except Failure:
                raise
            except Exception as problem:  # whatever it is, no file may end in it
                raise Failure(f"{case}: {type(problem).__name__}: {problem}") from problem
            else:
                if total <= 0:
                    raise Failure(f"{case}: {total} parameters")
                counts["sized"] += 1
            path.unlink()
    return counts


_SAID: tuple[object, ...] = (
    0,
    1,
    -1,
    3,
    7,
    2**31 - 1,
    0.0,
    -1.0,
    float("nan"),
    float("inf"),
    True,
    "",
    "x",
    "llama",
    "qwen3moe",
    "\x00\x1b[2J",
    "é" * 300,
    [],
    [0],
    [1, 2],
    ["a"],
)
"""Values of metadata that are of another kind, out of range, or of another model."""


def _odd(path: Path, chance: random.Random) -> bytes:
    """A whole header some of whose metadata is changed, missing or another architecture's."""
    said: dict[str, object] = dict(llama_metadata())
    for _ in range(chance.randint(1, 4)):
        key, way = chance.choice(sorted(said)), chance.randrange(4)
        if way == 0:
            del said[key]
        elif way == 1:
            said[chance.choice(sorted(said) or [key]) + chance.choice(("", ".x", "s"))] = chance.choice(_SAID)
        else:
            said[key] = chance.choice(_SAID)
        if not said:
            break
    tensors = llama_tensors(kind=chance.choice((0, 1, 2, 8, Q4_K, 14, 30, 255)))
    chance.shuffle(tensors)
    return write_gguf(path, said, tensors[: chance.randint(1, len(tensors))]).read_bytes()


def _broken(whole: bytes, chance: random.Random) -> bytes:
    data = bytearray(whole)
    for _ in range(chance.randint(0, 3)):
        at = chance.randrange(4, len(data))
        way = chance.randrange(5)
        if way == 0:
            del data[at:]
        elif way == 1:
            data[at] = chance.randrange(256)
        elif way == 2:
            data[at : at + 8] = struct.pack("<Q", chance.choice(_NUMBERS))
        elif way == 3:
            data[at : at + 4] = struct.pack("<I", chance.choice(_NUMBERS) % 2**32)
        else:
            data[at:at] = chance.randbytes(chance.randint(1, 16))
        if len(data) < 6:
            break
    return bytes(data)
