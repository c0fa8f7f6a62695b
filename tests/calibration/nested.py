"""What the choice of fitted constants costs: chosen again without the sources that they are judged on.

    python -m tests.calibration serving_speed --nested --write      six minutes; keeps the constants of each part

`serving_speed.FREE` was chosen by the errors of sources left out, so those errors flatter it. Here each part of the sources is left
out once more, and of the others alone it is decided which constants move: those that, moved by themselves, lower the error
of the sources that an inner fit leaves out. They are then fitted together and meet the part that nobody had seen.
"""

from __future__ import annotations

import os
from multiprocessing import get_context

from tests.calibration import folds
from tests.calibration import serving_speed as fit

NAME = "serving_speed_nested"
FACTORED = ("products", "layer_s", "prefill_s", "prefill_moe_layer_s")
ENGINES = ("trtllm", "sglang", "llama.cpp")
CANDIDATES = tuple(dict.fromkeys((*fit.PRIORS, *(f"{name}@{engine}" for name in FACTORED for engine in ENGINES))))
"""Everything that may move: each constant, and what an engine may make of its products, launches and prompts."""
START: dict[str, float] = {name: fit.PRIORS.get(name, 1.0) for name in CANDIDATES}
OUTER, INNER = 4, 3
"""Parts that the sources are left out in, and those of an inner fit."""
TRIED = 8
"""Constants that are tried beside each other: as many as are fitted."""
STEPS = 1
"""Steps of an inner fit of one constant: enough to tell which way it goes."""

Points = list[fit.Point]


def chosen(points: Points) -> tuple[str, ...]:
    """The constants that lower the error of sources left out among these figures, each beside those before it."""
    parts = fit.folds_of(points, INNER)

    def error(free: tuple[str, ...]) -> float:
        found = [0.0] * len(points)
        for part in range(INNER):
            inside = [index for index, point in enumerate(points) if parts[point.source] == part]
            seen = [point for point in points if parts[point.source] != part]
            constants = fit.fit_all(seen, START, STEPS, free) if free else START
            told = fit.residuals([points[i] for i in inside], constants)
            for index, one in zip(inside, told, strict=True):
                found[index] = one
        return fit.judged(points, found)

    alone = {name: error((name,)) for name in CANDIDATES}
    kept: tuple[str, ...] = ()
    least = error(())
    for name in sorted(CANDIDATES, key=alone.__getitem__)[:TRIED]:
        told = error((*kept, name)) if kept else alone[name]
        if told < least:
            kept, least = (*kept, name), told
    return kept


_points: Points = []


def _without(part: int) -> tuple[int, tuple[str, ...], dict[str, float]]:
    parts = fit.folds_of(_points, OUTER)
    seen = [point for point in _points if parts[point.source] != part]
    free = chosen(seen)
    return part, free, fit.fit_all(seen, START, fit.LEFT_OUT_STEPS, free)


def kept(points: Points) -> list[float]:
    """Residual of each figure under the kept constants, chosen and fitted without any figure of its source."""
    stored = folds.read(NAME)
    split: dict[str, list[int]] = {}
    for index, point in enumerate(points):
        split.setdefault(point.source, []).append(index)
    errors = [0.0] * len(points)
    for source, inside in split.items():
        constants = folds.without(stored, START, source)
        for index, one in zip(inside, fit.residuals([points[i] for i in inside], constants), strict=True):
            errors[index] = one
    return errors


def report(points: Points, write: bool) -> None:
    """Choose and fit without each part of the sources, print its errors, and keep the constants when asked."""
    global _points
    _points = [point for point in points if not point.doubt]
    parts = fit.folds_of(_points, OUTER)
    found: folds.Folds = {}
    errors = [0.0] * len(_points)
    with get_context("fork").Pool(min(2, os.cpu_count() or 1)) as pool:
        for part, free, constants in pool.imap(_without, range(OUTER)):
            print(f"without part {part}: {', '.join(free)}", flush=True)
            inside = [index for index, point in enumerate(_points) if parts[point.source] == part]
            found |= dict.fromkeys((_points[i].source for i in inside), constants)
            for index, one in zip(inside, fit.residuals([_points[i] for i in inside], constants), strict=True):
                errors[index] = one
    fit.table("sources left out, constants chosen without them", _points, errors)
    if write:
        folds.write(NAME, found, START)
