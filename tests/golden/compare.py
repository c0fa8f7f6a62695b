"""Golden figures as files, and what moved between two states of them, in words."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FIGURES = Path(__file__).parent / "figures"
KEYS = Path(__file__).parent / "report_keys.txt"
WIDTH = 140
RELATIVE = 1e-9
"""What two floats may differ by: they are kept at ten digits."""
NAMES = ("link", "configuration", "rank_group", "id", "rank", "number", "what", "months", "item", "provider", "gpus")
"""What names a row of a table, in the order of preference; a row is known by its place where names repeat."""
ABSENT = "(absent)"


@dataclass(frozen=True, slots=True)
class Moved:
    """One figure that is not what it was."""

    build: str
    path: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.path}: {_shown(self.before)} → {_shown(self.after)}{self._ratio()}"

    def _ratio(self) -> str:
        change = self.change
        return "" if change is None else f" ({100 * change:+.3g} %)"

    @property
    def change(self) -> float | None:
        """Relative change of a number; None for anything else."""
        pair = (self.before, self.after)
        if any(isinstance(value, bool) or not isinstance(value, int | float) for value in pair) or not self.before:
            return None
        return float(self.after / self.before - 1)


def _shown(value: Any) -> str:
    return value if value is ABSENT else json.dumps(value, ensure_ascii=False)


def dump(value: Any, indent: int = 0) -> str:
    """JSON with sorted keys, a short row on a line of its own."""
    short = json.dumps(value, ensure_ascii=False, sort_keys=True)
    flat_row = isinstance(value, list) and not _has_rows(value)
    if not isinstance(value, dict | list) or not value or (indent and (flat_row or len(short) + indent <= WIDTH)):
        return short
    pad = " " * (indent + 1)
    if isinstance(value, dict):
        parts = [f"{pad}{json.dumps(key)}: {dump(value[key], indent + 1)}" for key in sorted(value)]
        return "{\n" + ",\n".join(parts) + "\n" + " " * indent + "}"
    return "[\n" + ",\n".join(pad + dump(item, indent + 1) for item in value) + "\n" + " " * indent + "]"


def _has_rows(value: Any) -> bool:
    """Whether a list holds records, however deep: one that holds lists of figures alone stays on a line."""
    return any(isinstance(item, dict) or (isinstance(item, list) and _has_rows(item)) for item in value)


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each figure with its path, rows of a table by their name where they have one: `fabric[ib-ndr].seconds`."""
    if isinstance(value, dict) and value.keys() == {"columns", "rows"}:
        for row, cells in value["rows"].items():
            named = cells if isinstance(cells, str) else dict(zip(value["columns"], cells, strict=True))
            yield from flat(named, f"{path}[{row}]")
    elif isinstance(value, dict):
        for key in sorted(value):
            yield from flat(value[key], f"{path}.{key}" if path else key)
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        labels = _labels(value)
        yield f"{path}[]", ", ".join(labels)
        for label, item in zip(labels, value, strict=True):
            yield from flat(item, f"{path}[{label}]")
    else:
        yield path, value


def _labels(rows: list[Any]) -> list[str]:
    for name in NAMES:
        if all(isinstance(row, dict) and name in row for row in rows):
            labels = [str(row[name]) for row in rows]
            if len(set(labels)) == len(labels):
                return labels
    return [str(at) for at in range(len(rows))]


def _same(before: Any, after: Any) -> bool:
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(_same, before, after))
    if isinstance(before, float) or isinstance(after, float):
        numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (before, after))
        return numbers and math.isclose(before, after, rel_tol=RELATIVE)
    return type(before) is type(after) and bool(before == after)


def differences(build: str, before: Any, after: Any) -> list[Moved]:
    """What moved in one build, by path."""
    old, new = dict(flat(before)), dict(flat(after))
    paths = sorted(old.keys() | new.keys())
    pairs = [(path, old.get(path, ABSENT), new.get(path, ABSENT)) for path in paths]
    return [Moved(build, path, *pair) for path, *pair in pairs if not _same(*pair)]


def stored(build: str) -> Any:
    """The golden figures of a build; nothing where it has none yet."""
    path = FIGURES / f"{build}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def all_differences(figures: dict[str, Any]) -> list[Moved]:
    """What moved in all builds, those that are gone included."""
    found: list[Moved] = []
    for build in sorted({*figures, *(path.stem for path in FIGURES.glob("*.json"))}):
        found += differences(build, stored(build), figures.get(build, {}))
    return found


def told(moved: list[Moved], most: int | None = None) -> str:
    """What moved, first by figure over all builds, then build by build; at most so many lines of each build."""
    kinds: dict[str, list[Moved]] = {}
    builds: dict[str, list[Moved]] = {}
    for one in moved:
        kinds.setdefault(re.sub(r"\[[^\]]+\]", "[]", one.path), []).append(one)
        builds.setdefault(one.build, []).append(one)
    lines = [f"{len(moved)} figures moved in {len(builds)} builds:"]
    for path, group in sorted(kinds.items()):
        changes = [one.change for one in group if one.change is not None]
        span = f", {100 * min(changes):+.3g} % to {100 * max(changes):+.3g} %" if changes else ""
        lines.append(f"  {path}: {len({one.build for one in group})} builds, {len(group)} figures{span}")
    for build, group in sorted(builds.items()):
        lines.append(f"{build}:")
        lines += [f"  {one}" for one in group[:most]]
        if most is not None and len(group) > most:
            lines.append(f"  and {len(group) - most} more")
    return "\n".join(lines)


def write(figures: dict[str, Any]) -> None:
    """Write the figures of all builds, and nothing of builds that are gone."""
    FIGURES.mkdir(exist_ok=True)
    for path in FIGURES.glob("*.json"):
        if path.stem not in figures:
            path.unlink()
    for build, data in figures.items():
        (FIGURES / f"{build}.json").write_text(dump(data) + "\n", encoding="utf-8")


def stored_keys() -> dict[str, list[str]]:
    """The listed keys of the JSON reports, by command."""
    lists: dict[str, list[str]] = {}
    for line in KEYS.read_text(encoding="utf-8").splitlines() if KEYS.exists() else ():
        if line.startswith("["):
            name = line.strip("[]")
            lists[name] = []
        elif line and not line.startswith("#"):
            lists[name].append(line)
    return lists


def pairs(keys: list[str]) -> set[tuple[str, str]]:
    """Each listed key with each kind of value that it may hold, so that a kind can be added or lost by itself."""
    return {(path, kind) for path, kinds in (line.rsplit(" ", 1) for line in keys) for kind in kinds.split("|")}


def write_keys(found: dict[str, list[str]]) -> None:
    """Write the keys of the JSON reports."""
    lines = [
        "# Every key of the JSON reports and the kinds of value it has. A key that is here keeps name, place and",
        "# meaning; a new one is listed by python -m tests.golden --write.",
    ]
    for name, keys in found.items():
        lines += ["", f"[{name}]", *keys]
    KEYS.write_text("\n".join(lines) + "\n", encoding="utf-8")
