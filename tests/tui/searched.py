"""What is searched for beside a sizing is searched once for each build that tests ask about, not once for each test."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Generator, Iterable
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


def once(search: Search, kept: int) -> Search:
    """A search that goes through the same steps again, to the same end, for what it was asked before: a page draws, stops and
    is interrupted as in a new one. kept: how many are."""
    made: OrderedDict[tuple[Any, ...], tuple[list[Any], Any, tuple[Any, ...]]] = OrderedDict()

    def again(*asked: Any) -> Generator[Any, None, Any]:
        key = tuple(id(one) if one is not None and one.__hash__ is None else one for one in asked)
        if key in made:
            made.move_to_end(key)
            steps, end, _ = made[key]
            yield from steps
            return end
        steps, found = [], iter(search(*asked))
        while True:
            try:
                step = next(found)
            except StopIteration as over:
                end = over.value
                break
            steps.append(step)
            yield step
        made[key] = steps, end, asked  # what was asked lives as long: its id is then no other's
        if len(made) > kept:
            made.popitem(last=False)
        return end

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
