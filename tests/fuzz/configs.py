"""Broken config.json files: an architecture within limits, or one sentence of refusal."""

from __future__ import annotations

import json
import random
import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import catalog
from catalog.errors import CatalogError
from catalog.hf_config import read_architecture
from engine.model.architecture import Architecture
from engine.model.kv_cache import cache_profile
from engine.model.parameters import count_parameters
from tests.fuzz import Failure, Stop, within

SLOWEST_S = 10.0
_ODD: tuple[Any, ...] = (
    None, True, -1, 0, 1, 3, 0.5, 2**31, 2**63, 10**25, float("inf"), float("nan"), "", "a\x1b[31m", "x" * 3000, [], {}, [1] * 5000,
    {"a": {"b": {"c": 1}}}, ["full_attention"] * 3, "MEMEM*EME", 4096, 1e300, [[]], "\ud800", ["sliding_attention"] * 62,
    ["linear_attention"] * 64, [8] * 3, [0] * 100, [10**9] * 100, "M" * 52, 42,
)  # fmt: skip


def run(seed: int, stop: Stop) -> Counter[str]:
    """Read configs of the catalog with values, keys or bytes broken. Counts: refused, sized."""
    chance = random.Random(f"configs {seed}")
    counts: Counter[str] = Counter()
    shipped = [entry.config for entry in catalog.load().models]
    number = 0
    with tempfile.TemporaryDirectory() as name:
        while not stop():
            number += 1
            source = chance.choice(shipped)
            text = _broken(json.loads(source.read_text(encoding="utf-8")), chance)
            path = Path(name) / f"{number}.json"
            path.write_bytes(text)
            case = f"configs, seed {seed}, case {number}, {source.name}: {text[:200]!r}"
            counts["cases"] += 1
            try:
                with within(SLOWEST_S, case):
                    architecture = read_architecture(path)
                    total = count_parameters(architecture).total
                    kept = cache_profile(architecture).kv_bytes_per_token_bf16
            except CatalogError as problem:
                if len(str(problem)) >= 500 or not str(problem).isprintable():
                    raise Failure(f"{case}: {str(problem)[:600]!r}") from None
                counts["refused"] += 1
            except Failure:
                raise
            except Exception as problem:  # whatever it is, no file may end in it
                raise Failure(f"{case}: {type(problem).__name__}: {problem}") from problem
            else:
                if total <= 0 or not 0 <= kept < 2**63:
                    raise Failure(f"{case}: {total} parameters, {kept} bytes a token")
                if not kept and _attends_in_silence(architecture, text):
                    raise Failure(f"{case}: attends, and keeps no token; nothing is said of it")
                counts["sized"] += 1
            path.unlink()
    return counts


_PATTERN = re.compile(
    rb'"(?:layer_types|compress_ratios|num_kv_shared_layers|hybrid_layer_pattern|sliding_window_pattern)": (?!null)'
)


def _attends_in_silence(architecture: Architecture, text: bytes) -> bool:
    """Whether a pattern of layers leaves none that keeps every token, and neither states nor unread keys account for it."""
    kinds = {cache.kind for layer in architecture.layers for cache in layer.caches}
    return bool(_PATTERN.search(text) and architecture.heads and not architecture.unread and "recurrent" not in kinds)


def _broken(config: dict[str, Any], chance: random.Random) -> bytes:
    for _ in range(chance.randint(0, 4)):
        holder = config
        sections = [value for value in config.values() if isinstance(value, dict) and value]
        if sections and chance.random() < 0.5:
            holder = chance.choice(sections)
        if not holder:
            continue
        key = chance.choice(list(holder))
        way = chance.random()
        if way < 0.2:
            del holder[key]
        elif way < 0.5 and isinstance(holder[key], int | float) and not isinstance(holder[key], bool):
            scaled = holder[key] * chance.choice((2, 0.5, 1000, 10**6, -1))
            holder[key] = round(scaled) if isinstance(holder[key], int) else scaled
        else:
            holder[key] = chance.choice(_ODD)
    data = json.dumps(config).encode()
    if chance.random() < 0.2:
        at = chance.randrange(len(data))
        junk = (b"\0", b"\xff", b"[" * 3000, b'{"a":' * 100, b"9" * 5000, b'"', b"}", b",", b"\xef\xbb\xbf")
        data = data[:at] + chance.choice(junk) + data[at + chance.randint(0, 9) :]
    return data
