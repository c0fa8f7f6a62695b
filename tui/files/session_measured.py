"""The [[measured]] tables of a session: what logs measured of the build, to stand beside what is predicted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from catalog.ids import nearest
from engine.figures.text import shown
from engine.parts.own import Measurement
from tui.files.session_tables import MEASURED, SessionError

MOST = 32
LONGEST = 200
LARGEST = 1e15
_TEXTS = ("tool", "source", "build")
LOAD = (
    "concurrency", "input_tokens", "output_tokens", "requests", "requests_per_s", "cached_share", "max_model_len",
)  # fmt: skip
FIGURES = (
    "weights_gib", "kv_gib", "activation_gib", "kv_tokens", "concurrency", "ttft_s", "inter_token_s", "ttft_p50_s", "ttft_p95_s",
    "ttft_p99_s", "inter_token_p50_s", "inter_token_p95_s", "inter_token_p99_s", "tokens_per_s", "requests_per_s", "step_s",
    "train_tokens_per_s", "tokens_per_s_gpu", "peak_gib", "reserved_gib", "request_s", "read_tokens_per_s",
)  # fmt: skip
"""Keys of [measured.load] and [measured.figures]; tests hold them against `engine.decide.beside`, which a start does not load."""
_NUMBERS = {"load": LOAD, "figures": FIGURES}

Fail = Callable[[str, str, str], SessionError]
"""(key, what is wrong, what is allowed) to the error."""


def tables_of(measured: tuple[Measurement, ...]) -> list[dict[str, Any]]:
    """The measurements as tables to write."""
    found = []
    for one in measured:
        table: dict[str, Any] = {name: getattr(one, name) for name in _TEXTS if getattr(one, name)}
        if one.load:
            table["load"] = dict(one.load)
        found.append({**table, "figures": dict(one.figures)})
    return found


def measured_of(document: Mapping[str, Any], fail: Fail) -> tuple[Measurement, ...]:
    """The measurements of a session's tables. Raises SessionError."""
    tables = document.get(MEASURED, [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise fail(MEASURED, f"{shown(tables)} is not accepted", f"tables, each written [[{MEASURED}]]")
    if len(tables) > MOST:
        raise fail(MEASURED, f"{len(tables)} measurements are too many", f"up to {MOST}")
    return tuple(_one(table, fail) for table in tables)


def _one(table: Mapping[str, Any], fail: Fail) -> Measurement:
    for key in table:
        if key not in (*_TEXTS, *_NUMBERS):
            near = nearest(key, (*_TEXTS, *_NUMBERS), 1)[0]
            raise fail(f"{MEASURED}.{key}", f"unknown key; the nearest known one is {near}", "")
    texts = {}
    for name in _TEXTS:
        value = texts[name] = table.get(name, "")
        if not isinstance(value, str) or len(value) > LONGEST or not value.isprintable():
            raise fail(f"{MEASURED}.{name}", f"{shown(value)} is not accepted", f"up to {LONGEST} printable letters")
    load, figures = (_numbers(table.get(name, {}), name, fail) for name in ("load", "figures"))
    if not figures:
        raise fail(f"{MEASURED}.figures", "this key is required", "a table of figures, such as ttft_s = 0.2")
    return Measurement(texts["tool"], texts["build"], figures, load, texts["source"])


def _numbers(table: Any, name: str, fail: Fail) -> tuple[tuple[str, float], ...]:
    if not isinstance(table, dict):
        raise fail(f"{MEASURED}.{name}", f"{shown(table)} is not accepted", "a table of numbers")
    known = _NUMBERS[name]
    for key, value in table.items():
        if key not in known:
            near = nearest(key, known, 1)[0]
            raise fail(f"{MEASURED}.{name}.{key}", f"unknown key; the nearest known one is {near}", ", ".join(known))
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if (
            not number
            or not 0 < value < LARGEST
            or (name == "load" and key != "requests_per_s" and value != int(value))
        ):
            allowed = "a number above 0" if name == "figures" or key == "requests_per_s" else "a whole number above 0"
            raise fail(f"{MEASURED}.{name}.{key}", f"{shown(value)} is not accepted", allowed)
    return tuple(table.items())
