"""The JSON twin of the shipped TOML files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from catalog import schema, twin
from catalog.hardware import DATA, FILES
from catalog.models import INDEX


def test_the_twin_holds_what_the_files_hold() -> None:
    stored = json.loads(twin.twin_text())
    for path in (*(DATA / name for name in FILES), INDEX):
        assert stored[path.name] == {"of": twin.fingerprint(path.read_bytes()), "data": schema.read_toml(path)}


def test_a_file_without_a_current_twin_is_read_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = tmp_path / "rules.toml"
    changed.write_text("schema = 1\n[[rule]]\nid = 'x'\n")
    stored = tmp_path / "parsed.json"
    stored.write_text(twin.twin_text())
    for parsed in (stored, tmp_path / "absent.json"):
        monkeypatch.setattr(schema, "PARSED", parsed)
        schema._parsed.cache_clear()
        assert schema.read_shipped(changed)["rule"] == [{"id": "x"}]
        assert schema.read_shipped(DATA / "rules.toml") == schema.read_toml(DATA / "rules.toml")
    schema._parsed.cache_clear()


def test_the_catalog_says_of_which_day_it_is(tmp_path: Path) -> None:
    assert twin.as_of() == max(schema.read_toml(DATA / name)["as_of"] for name in FILES)
    (tmp_path / "a.toml").write_text('as_of = "2026-01-02"\n[[price]]\nas_of = "2027-01-01"\n')
    (tmp_path / "b.toml").write_text("schema = 1\n")
    assert twin.as_of(tmp_path) == "2026-01-02"
    assert twin.as_of(tmp_path / "none") == ""
