"""Serving memory with each source left out: constants fitted on the logs of all others, errors on the logs of that one.

What is fitted on the rows that it is scored on is no accuracy. A source is a repository, an issue or a page; a constant
that nothing else was logged for falls back to what it is without logs (tests/calibration/serving_memory.py, PRIORS).
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import _lru_cache_wrapper

from engine.calibration import serving_memory as fitted
from tests.accuracy import engine_logs
from tests.accuracy.harness import REFERENCE, Evaluation, load_rows
from tests.calibration.serving_memory import Fit, all_fits, logs, source_of


def forget() -> None:
    """Empty every cache of the engine, which knows of no other constants than its own."""
    for held in gc.get_objects():
        if isinstance(held, _lru_cache_wrapper) and (held.__module__ or "").startswith("engine."):
            held.cache_clear()


@contextmanager
def constants(fits: list[Fit]) -> Iterator[None]:
    """The engine with these constants."""
    kept = {fit.name: getattr(fitted, fit.name) for fit in fits}
    for fit in fits:
        setattr(fitted, fit.name, fit.value)
    forget()
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(fitted, name, value)
        forget()


def evaluate() -> Evaluation:
    """Every row of the repository, each with its source left out of the fit."""
    rows = [*load_rows(REFERENCE / "engine_logs.jsonl"), *load_rows(REFERENCE / "engine_logs_public.jsonl")]
    known = logs()
    sources = dict.fromkeys(source_of(row) for row in rows)
    found = Evaluation(len(rows))
    for source in sources:
        others = [log for log in known if log.source != source]
        with constants(all_fits(others)):
            part = engine_logs.evaluate([row for row in rows if source_of(row) == source])
        for case in part.cases:
            case.groups["source"] = source
        found.cases += part.cases
        found.outcomes += part.outcomes
        found.set_aside += part.set_aside
    return found
