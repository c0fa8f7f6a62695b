"""The catalog is searched once for each build that tests ask about, not once for each test."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import pytest

from engine.decide import builds

SEARCH = builds.option_steps
"""The search itself, for tests that catch one under way."""
KEPT = 12
"""So many searches are kept; one is 1,400 builds."""


@pytest.fixture(autouse=True, scope="session")
def searched() -> Iterator[None]:
    """What a search found is found again in the same steps: a page draws, stops and is interrupted as in a new one."""
    made: OrderedDict[tuple[Any, ...], list[builds.Option | str]] = OrderedDict()

    def again(*asked: Any) -> Iterator[builds.Option | str]:
        if asked in made:
            made.move_to_end(asked)
            yield from made[asked]
            return
        steps: list[builds.Option | str] = []
        for step in SEARCH(*asked):
            steps.append(step)
            yield step
        made[asked] = steps
        if len(made) > KEPT:
            made.popitem(last=False)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builds, "option_steps", again)
        yield
