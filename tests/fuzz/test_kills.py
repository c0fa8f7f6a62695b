"""A short round of kills and full disks, and one of signals to the app."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from tests.fuzz import Failure, after, kills
from tui.files import disk


def test_kills_and_full_disks_tear_and_lose_nothing() -> None:
    counts = kills.run(1, after(50))
    assert counts["killed"] > 10
    assert counts["full disks"] > 10
    assert counts["swept"] > 0


def test_a_signal_at_a_random_moment_of_typing_loses_nothing() -> None:
    counts: Counter[str] = Counter()
    kills.app_case("seed 6", random.Random(6), counts)
    assert sum(counts.values()) == 1
    assert not counts["SIGKILL"]  # that case takes its seconds in the long run


def test_a_write_in_place_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def in_place(path: Path, data: bytes, *, private: bool = False) -> None:
        import os

        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.write(handle, data)
        os.close(handle)

    monkeypatch.setattr(disk, "write", in_place)
    with pytest.raises(Failure):
        kills.run(1, after(50))
