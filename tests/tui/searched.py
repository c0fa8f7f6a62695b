"""What is searched for beside a sizing is searched once for each build that tests ask about, not once for each test."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

import pytest

from engine.decide import advice, builds, flips

SEARCH = builds.option_steps
"""The search of the catalog itself, for tests that catch one under way."""
KEPT = 12
"""So many searches of the catalog are kept; one is 1,400 builds."""
TOLD = 60
"""So many answers to what to do, and of flip points, are kept."""

Search = Callable[..., Iterable[Any]]


class _Kept:
    """One search, as far as anybody has followed it: its steps so far, and its end."""

    def __init__(self, found: Iterator[Any], asked: tuple[Any, ...]) -> None:
        self.found, self.steps, self.over, self.end = found, list[Any](), False, None
        self.asked = asked  # what was asked lives as long: its id is then no other's

    def go_on(self) -> None:
        """Take one step more."""
        try:
            self.steps.append(next(self.found))
        except StopIteration as over:
            self.over, self.end = True, over.value


def once(search: Search, kept: int) -> Search:
    """A search that goes through the same steps again, to the same end, for what it was asked before: a page draws, stops and
    is interrupted as in a new one, and one that was given up goes on where it was left. kept: how many are."""
    made: OrderedDict[tuple[Any, ...], _Kept] = OrderedDict()

    def again(*asked: Any) -> Generator[Any, None, Any]:
        key = tuple(id(one) if one is not None and one.__hash__ is None else one for one in asked)
        if key not in made:
            made[key] = _Kept(iter(search(*asked)), asked)
        made.move_to_end(key)
        if len(made) > kept:
            made.popitem(last=False)
        one, told = made[key], 0
        while True:
            if told == len(one.steps) and not one.over:
                one.go_on()
            if told == len(one.steps):
                return one.end
            told += 1
            yield one.steps[told - 1]

    return again


KEPT_SEARCHES = (
    (builds, "option_steps", once(SEARCH, KEPT)),
    (advice, "advise", once(advice.advise, TOLD)),
    (flips, "flip_steps", once(flips.flip_steps, TOLD)),
)


@pytest.fixture(autouse=True, scope="package")
def searched() -> Generator[None]:
    """Searches of the catalog, of what to do and of flip points, each made once; tests elsewhere get the searches themselves."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name, kept in KEPT_SEARCHES:
            patch.setattr(module, name, kept)
        yield


@pytest.fixture
def unsearched(monkeypatch: pytest.MonkeyPatch) -> None:
    """No search beside the sizing, for tests of what has nothing to do with one."""
    monkeypatch.setattr("tui.app.screens.study.look_ahead", lambda bench: None)
