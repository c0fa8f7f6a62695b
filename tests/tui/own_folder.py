"""The folder in which a person's measurements are kept, for the tests of what they move."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog import loading


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A person's folder of measurements, empty; the catalog is read anew before and after."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    loading.reload()
    yield tmp_path / "sizeup" / "measured"
    monkeypatch.undo()
    loading.reload()
