"""Golden figures hold to the last digit, and so do the keys of the JSON reports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.golden import compare, frozen

ROOT = Path(__file__).parent.parent.parent
NAMES = sorted(path.stem for path in frozen.BUILDS.glob("*.toml"))
FILES = sorted(path.stem for path in compare.FIGURES.glob("*.json"))
SUFFIX = ".variants"
MOST = 40
REMAKE = "\nIf that is meant: python -m tests.golden --write, and what it prints belongs into the commit's message."


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """Figures and keys of today's code, from a process of its own: the frozen constants come before every import."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.golden", "--json"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    data: dict[str, Any] = json.loads(done.stdout)
    return data


@pytest.mark.parametrize("name", FILES)
def test_no_figure_moved(found: dict[str, Any], name: str) -> None:
    moved = compare.differences(name, compare.stored(name), found["figures"].get(name, {}))
    assert not moved, "\n" + compare.told(moved, MOST) + REMAKE


def test_every_figure_belongs_to_a_build() -> None:
    assert {name.removesuffix(SUFFIX) for name in FILES} == {*NAMES, "tables", "grids", "advice"}


def test_every_constant_is_frozen(found: dict[str, Any]) -> None:
    assert not found["unfrozen"], "new constants would move golden figures at their next fit" + REMAKE


@pytest.mark.parametrize("command", ["report", "recommend"])
def test_no_key_of_the_json_reports_is_lost(found: dict[str, Any], command: str) -> None:
    lost = compare.pairs(compare.stored_keys()[command]) - compare.pairs(found[command])
    lost = {(path, kind) for path, kind in lost if kind != "null" or not has(found[command], path)}
    assert not lost, f"keys that programs read are gone or hold another kind of value: {sorted(lost)}"


def has(keys: list[str], path: str) -> bool:
    return any(path == known for known, _ in compare.pairs(keys))


@pytest.mark.parametrize("command", ["report", "recommend"])
def test_every_key_of_the_json_reports_is_listed(found: dict[str, Any], command: str) -> None:
    added = compare.pairs(found[command]) - compare.pairs(compare.stored_keys()[command])
    assert not added, f"new keys need listing (python -m tests.golden --write): {sorted(added)}"


def test_rows_of_a_table_of_variants_are_told_by_their_columns() -> None:
    before = {"columns": ["layout", "step_s"], "rows": {"layout.tp = 8": ["8 1", 2.0], "layout.tp = 3": "refused"}}
    after = {"columns": ["layout", "step_s"], "rows": {"layout.tp = 8": ["8 1", 3.0], "layout.tp = 3": "refused"}}
    moved = compare.differences("one", before, after)
    assert [str(one) for one in moved] == ["[layout.tp = 8].step_s: 2.0 → 3.0 (+50 %)"]


def test_a_figure_that_moves_is_named_with_both_values() -> None:
    before = {"fabric": [{"link": "ib-ndr", "seconds": 2.0}, {"link": "ib-hdr", "seconds": 4.0}], "fits": True}
    after = {"fabric": [{"link": "ib-ndr", "seconds": 2.5}, {"link": "ib-hdr", "seconds": 4.0 + 1e-12}], "fits": False}
    text = compare.told(compare.differences("one", before, after))
    assert "fabric[ib-ndr].seconds: 2.0 → 2.5 (+25 %)" in text
    assert "fits: true → false" in text
    assert "2 figures moved in 1 builds" in text


def test_rows_of_a_table_that_change_places_are_a_difference() -> None:
    rows = [{"id": "b"}, {"id": "a"}]
    moved = compare.differences("one", {"warnings": rows}, {"warnings": rows[::-1]})
    assert [str(one) for one in moved] == ['warnings[]: "b, a" → "a, b"']
