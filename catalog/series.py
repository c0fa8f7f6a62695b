"""Models of one series: an id is the series, then the size, such as `llama-3.1-70b` or `qwen3-235b-a22b`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from catalog.models import ModelEntry

_SIZE = r"(\d+(?:\.\d+)?)b(?:-a\d+(?:\.\d+)?b)?"
_SIZED = re.compile(rf"(.+?)-?{_SIZE}")
_REST = re.compile(rf"-?(?:distill-.*?)?{_SIZE}")
"""What follows the series in the id of another model of it; a distillation names what it was poured into."""


def smaller_of(known: ModelEntry, models: Iterable[ModelEntry]) -> tuple[str, ...]:
    """Ids of the models of the same family and series with fewer parameters by their name, the largest first.

    A model whose id has no size (`deepseek-r1`) is larger than all that have one: those are its distillations.
    """
    sized = _SIZED.fullmatch(known.id)
    series, most = (sized[1], float(sized[2])) if sized is not None else (known.id, float("inf"))
    found: list[tuple[float, str]] = []
    for model in models:
        rest = _REST.fullmatch(model.id.removeprefix(series)) if model.id.startswith(series) else None
        if rest is not None and model.family == known.family and float(rest[1]) < most:
            found.append((-float(rest[1]), model.id))
    return tuple(model_id for _, model_id in sorted(found))
