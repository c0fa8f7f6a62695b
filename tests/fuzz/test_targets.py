"""A short round of each target in the suite, with a seed of its own; `python -m tests.fuzz` makes long ones."""

from __future__ import annotations

import pytest

from tests.fuzz import after, target

CASES = {"catalogs": 15, "configs": 250, "detect": 60, "ggufs": 250, "scenarios": 25, "sessions": 40}


@pytest.mark.parametrize("name", CASES)
def test_a_round_breaks_no_promise(name: str) -> None:
    counts = target(name).run(11, after(CASES[name]))
    assert counts["cases"] == CASES[name]
    assert counts["refused"] > 0
    assert counts["sized"] > 0
