"""The JSON twin of the shipped TOML files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from catalog import schema
from catalog.hardware import DATA, FILES
from catalog.models import INDEX


def test_the_twin_is_current() -> None:
    """When this fails, run scripts/parse_catalog.py."""
    stored = json.loads(schema.PARSED.read_text(encoding="utf-8"))
    for path in (*(DATA / name for name in FILES), INDEX):
        assert stored[path.name] == {"of": schema.fingerprint(path.read_bytes()), "data": schema.read_toml(path)}


def test_a_changed_file_is_read_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = tmp_path / "rules.toml"
    changed.write_text("schema = 1\n[[rule]]\nid = 'x'\n")
    assert schema.read_shipped(changed)["rule"] == [{"id": "x"}]
    monkeypatch.setattr(schema, "PARSED", tmp_path / "absent.json")
    schema._parsed.cache_clear()
    assert schema.read_shipped(DATA / "rules.toml") == schema.read_toml(DATA / "rules.toml")
    schema._parsed.cache_clear()
