"""A short round of each target in the suite, with a seed of its own; `python -m tests.fuzz` makes long ones."""

from __future__ import annotations

import pytest

from engine.size import size
from tests.engine.builds import build
from tests.fuzz import after, scenarios, target

CASES = {"catalogs": 15, "configs": 250, "detect": 60, "ggufs": 250, "scenarios": 25, "sessions": 40}


@pytest.mark.parametrize("name", CASES)
def test_a_round_breaks_no_promise(name: str) -> None:
    counts = target(name).run(11, after(CASES[name]))
    assert counts["cases"] == CASES[name]
    assert counts["refused"] > 0
    assert counts["sized"] > 0


def test_a_build_without_room_for_any_kv_keeps_the_laws() -> None:
    """No share of nothing: what the load needs over no room at all is unknown, not infinite."""
    sizing = size(build("kimi-k2.5", "bf16", "a10", 2))
    scenarios.check(sizing, "a model of a terabyte on two small cards")
    assert sizing.memory.kv_share is None
