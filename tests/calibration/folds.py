"""Constants fitted without one source each, kept in a file beside the fits: what a new source would be told.

`python -m tests.calibration SET --left-out --write` writes them; `tests/accuracy/training_left_out.py` predicts each source with
the constants that never saw it, by the formulas as they are now.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from pathlib import Path

from tests.accuracy.harness import Row

Folds = dict[str, dict[str, float]]


def path_of(name: str) -> Path:
    """The file of a set's folds."""
    return Path(__file__).parent / "left_out" / f"{name}.json"


def read(name: str) -> Folds:
    """Constants by the source that they were fitted without. Raises OSError or ValueError where there are none."""
    found: Folds = json.loads(path_of(name).read_text(encoding="utf-8"))
    return found


def write(name: str, folds: Folds, fitted: dict[str, float]) -> None:
    """Keep the folds, of each only what differs from the constants that all sources are fitted with; four digits of it."""

    def shorter(values: dict[str, float]) -> dict[str, float]:
        return {key: float(f"{value:.4g}") for key, value in values.items() if f"{value:.4g}" != f"{fitted[key]:.4g}"}

    rows = [f"{json.dumps(source)}: {json.dumps(shorter(values))}" for source, values in sorted(folds.items())]
    path_of(name).parent.mkdir(exist_ok=True)
    path_of(name).write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")


def publisher(row: Row) -> str:
    """Who published a row of training speed: the repository, also where the row names one of its threads, or the page."""
    source = row.get("source") or {}
    words = source if isinstance(source, str) else source.get("repo") or source.get("url") or source.get("path")
    return re.sub(r"^https://github\.com/([^/]+/[^/]+)/.*", r"\1", str(words or "not stated"))


def without(folds: Folds, fitted: dict[str, float], source: str) -> dict[str, float]:
    """The constants for a source: fitted without it, or those in force where none of its rows was fitted on."""
    return fitted | folds.get(source, {})


Told = tuple[str, str, float]
"""Of one run: the group whose interval it is told, its publisher, the log error of an estimate that never saw the publisher."""
VOTES = 0.5
"""Power of a publisher's rows that it has votes by: a large table counts for more than one of a row, and decides nothing alone."""


LARGE, HELD = 10, 0.8
"""A publisher of so many runs of a group is a table of its own, and its rows are as much alike as those of the next new one will be:
an interval that is told to new sources holds this share of each."""


def cut(listed: list[Told]) -> dict[str, tuple[float, float]]:
    """The 80 % interval of observed over predicted of each group, a publisher of n runs with the square root of n votes.

    It is widened to where it holds as much of each large table: errors of one are alike, so that four fifths of all rows may be
    none of a new one.
    """
    found: dict[str, tuple[float, float]] = {}
    for group in sorted({group for group, _, _ in listed}):
        part = [(source, error) for name, source, error in listed if name == group]
        many = Counter(source for source, _ in part)
        weighted = sorted((error, many[source] ** (VOTES - 1.0)) for source, error in part)
        total, seen, ends = sum(weight for _, weight in weighted), 0.0, []
        for error, weight in weighted:
            ends += [error for end in (0.1, 0.9) if seen < end * total <= seen + weight]
            seen += weight
        low, high = ends
        for source in sorted(name for name, count in many.items() if count >= LARGE):
            low, high = _holding([error for name, error in part if name == source], low, high)
        found[group] = (math.exp(-high), math.exp(-low))
    return found


def _holding(errors: list[float], low: float, high: float) -> tuple[float, float]:
    """The narrowest interval around one that holds HELD of a table's errors."""
    need = math.ceil(HELD * len(errors))
    found: list[tuple[float, float]] = []
    for start in {low, *(error for error in errors if error < low)}:
        reached = sorted(error for error in errors if error >= start)
        if len(reached) >= need:
            found.append((start, max(high, reached[need - 1])))
    return min(found, key=lambda ends: (ends[1] - ends[0], ends))
