"""What the engine keeps of one edit for the next is bounded, however many edits come."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import engine
from engine.decide.size import size
from engine.figures.kept import keep
from tests.tui.builds import BUILDS

MOST = 2048
"""Answers in one cache of the engine. They have up to some kB each, and there are a hundred caches."""


def _named() -> Iterator[tuple[str, Any]]:
    for module in pkgutil.walk_packages(engine.__path__, "engine."):
        for name, value in vars(importlib.import_module(module.name)).items():
            yield f"{module.name}.{name}", value


def test_a_full_store_gives_up_its_older_half() -> None:
    kept: dict[int, str] = {}
    for number in range(10):
        assert keep(kept, number, f"answer {number}", 4) == f"answer {number}"
        assert len(kept) <= 4
    assert list(kept) == [6, 7, 8, 9]
    assert keep({}, 1, "alone", 1) == "alone"


def test_a_store_of_one_keeps_the_last() -> None:
    kept: dict[int, int] = {}
    for number in range(3):
        keep(kept, number, number, 1)
    assert kept == {2: 2}


def test_every_cache_of_the_engine_has_an_end() -> None:
    ends = {name: value.cache_info().maxsize for name, value in _named() if isinstance(value, _CACHE)}
    assert len(ends) > 80
    assert not {name: most for name, most in ends.items() if most is None or most > MOST}


def test_what_is_kept_by_identity_does_not_grow_with_the_edits() -> None:
    scenario = BUILDS["finetune"]()
    before = {name: set(value) for name, value in _named() if isinstance(value, dict)}
    for rank in range(1, 151):  # each rank brings messages that no other has
        size(replace(scenario, workload=replace(scenario.workload, lora_rank=rank)))
    # By key: a store that earlier tests left nearly full is emptied by half, and ends shorter than it began.
    stores = {name: value for name, value in _named() if isinstance(value, dict) and set(value) - before[name]}
    assert "engine.training.step._known_prices" in stores, "the edits keep nothing, and so show nothing"
    assert not {name: len(value) for name, value in stores.items() if len(value) > MOST}


_CACHE = type(functools.lru_cache(len))
