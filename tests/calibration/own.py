"""Fit the constants of a person's own calibration (engine/parts/own.py) to the sources of tests/reference.

    python -m tests.calibration own            # the fit, and the errors of held-out figures
    python -m tests.calibration own --write    # and rewrite engine/calibration/own.py

Each source with several runs on one card and engine plays one person (tests/accuracy/own.py). Of the three scatters of a figure
only their proportions move a figure: those are taken that bring held-out runs nearest, in the mean of absolute logarithms, one
source one vote, after one, after four and after all other runs of the source, of the same model, of other models and of both. Their
size is the scatter of runs of one model: median over sources of the median absolute difference. NARROWS is, of serving, of a
step and of a peak, the largest power at which as many held-out figures lie inside as inside the catalog's own intervals, or nine in
ten.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from engine.calibration import own as fit
from engine.parts.own import OwnRatio, Scatter, residual
from engine.scenario import Scenario
from engine.serving.intervals import LOADED_USERS, spread_of
from engine.serving.own import own_of
from engine.training import own as training
from tests.accuracy import own

TARGET = Path(fit.__file__)
PROPORTIONS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
KEPT = (1, 4, 10**6)
MOST = 16
"""Runs of a source that are held out: large tables have no more votes for it, only more time."""
NORMAL_MEDIAN = 0.6745
"""Median absolute deviation of a normal distribution, in standard deviations."""


class Try(NamedTuple):
    """A run held out: its person, its model, the logarithm of its ratio, what is kept of the others, and which those are."""

    person: str
    model: str
    log: float
    kept: tuple[OwnRatio, ...]
    which: str
    span: tuple[float, float]


def tries(figure: str, persons: dict[str, list[own.Kept]]) -> list[Try]:
    """Every way in which runs are held out."""
    found = []
    rng = random.Random(20)
    for person, those in persons.items():
        own_logs = [one for one in those if any(ratio.figure in (figure, TURNED.get(figure)) for ratio in one.ratios)]
        for one in rng.sample(own_logs, min(MOST, len(own_logs))):
            log = _log(one, figure)
            others = tuple(ratio for other in those if other is not one for ratio in other.ratios)
            hardware = one.scenario.hardware
            card = replace(hardware.accelerator, own=others)
            known = _known(figure, replace(one.scenario, hardware=replace(hardware, accelerator=card)), one)
            same = [ratio for ratio in known if ratio.model == one.model]
            apart = [ratio for ratio in known if ratio.model != one.model]
            span = _span(figure, one)
            for which, part in (("same", same), ("others", apart), ("all", [*same, *apart])):
                for most in KEPT:
                    if part:
                        kept = tuple(rng.sample(part, most) if len(part) > most else part)
                        found.append(Try(person, one.model, log, kept, f"{which} {most}", span))
    return found


TURNED = {"train_tokens_per_s": "train_step"}
"""The figure that a log keeps of training, whose inverse is fitted."""
GROUPS = {
    "serving": ("inter_token", "ttft", "tokens_per_s"),
    "train_tokens_per_s": ("train_tokens_per_s",),
    "train_peak": ("train_peak",),
}
"""Figures whose intervals narrow by one power."""


ENOUGH = 0.9
"""Share inside that is enough: intervals promise 80 % of sources that the fit never saw, and it saw all of these."""


def _log(one: own.Kept, figure: str) -> float:
    """The logarithm of a log's measured over predicted."""
    for ratio in one.ratios:
        if ratio.figure == figure:
            return math.log(ratio.ratio)
    return -next(math.log(ratio.ratio) for ratio in one.ratios if ratio.figure == TURNED[figure])


def _known(figure: str, scenario: Scenario, one: own.Kept) -> tuple[OwnRatio, ...]:
    if not figure.startswith("train"):
        return own_of(figure, scenario)
    every = scenario.hardware.accelerator.own
    return training.own_of(figure, every, scenario.workload.framework, one.ratios[0].sharing)


def _span(figure: str, one: own.Kept) -> tuple[float, float]:
    """The catalog's interval of a figure, over it."""
    if figure.startswith("train"):
        (row,) = one.rows
        assert row.low is not None
        assert row.high is not None
        low, high = row.low / row.predicted, row.high / row.predicted
        return (low, high) if figure == "train_peak" else (1 / high, 1 / low)  # the rows of a step are seconds
    loaded = " loaded" if figure == "ttft" and one.scenario.workload.concurrency > LOADED_USERS else ""
    return spread_of(figure + loaded, one.scenario)


def votes(errors: Iterable[tuple[str, float]]) -> float:
    """The mean over persons of the mean of each."""
    groups: dict[str, list[float]] = defaultdict(list)
    for person, error in errors:
        groups[person].append(error)
    return statistics.mean(map(statistics.mean, groups.values()))


def error_of(found: Sequence[Try], scatter: Scatter) -> float:
    """The sum over the ways of holding out of the mean absolute logarithm that is left."""
    ways: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for one in found:
        left = abs(one.log - math.log(residual(one.kept, one.model, scatter).factor))
        ways[one.which].append((one.person, left))
    return sum(map(votes, ways.values()))


def run_scatter(figure: str, persons: dict[str, list[own.Kept]]) -> float:
    """How far runs of one model differ: median over persons of the scatter of pairs."""
    found = []
    for those in persons.values():
        names = (figure, TURNED.get(figure))
        logs = [(one.model, _log(one, figure)) for one in those if any(each.figure in names for each in one.ratios)]
        pairs = [abs(one - other) for (name, one), (also, other) in combinations(logs[:60], 2) if name == also]
        if len(pairs) >= 3:
            found.append(statistics.median(pairs) / NORMAL_MEDIAN / math.sqrt(2))
    return statistics.median(found)


def fitted(found: Sequence[Try], run: float) -> Scatter:
    """The scatters whose proportions leave the least."""
    every = [Scatter(build * run, model * run, run) for build in PROPORTIONS for model in PROPORTIONS]
    return min(every, key=lambda scatter: error_of(found, scatter))


def inside(found: Iterable[tuple[Try, Scatter]], power: float | None) -> float:
    """Share of held-out figures inside their interval; without a power, inside the catalog's."""
    held = []
    for one, scatter in found:
        factor, left = residual(one.kept, one.model, scatter)
        low, high = one.span
        if power is not None:
            low, high = low ** (left**power) * factor, high ** (left**power) * factor
        held.append(low <= math.exp(one.log) <= high)
    return statistics.mean(held)


def calibrate(options: argparse.Namespace) -> None:
    """Fit, print, and write when asked."""
    persons = own.persons([*own.benches(), *own.trained()])
    found = {figure: tries(figure, persons) for figure in fit.SCATTER}
    scatters = {}
    for figure, those in found.items():
        best = scatters[figure] = fitted(those, run_scatter(figure, persons))
        before = votes((one.person, abs(one.log)) for one in those)
        print(
            f"{figure:<14} {len({one.person for one in those}):>3} sources  scatter {', '.join(f'{one:.3f}' for one in best)}"
        )
        for way in dict.fromkeys(one.which for one in those):
            part = [one for one in those if one.which == way]
            before = votes((one.person, abs(one.log)) for one in part)
            print(f"    {way:<16} {len({one.person for one in part}):>3} {before:.3f} -> {error_of(part, best):.3f}")
    narrowed = {
        group: _narrowed(group, [(one, scatters[name]) for name in names for one in found[name]])
        for group, names in GROUPS.items()
    }
    if options.write:
        TARGET.write_text(rendered(scatters, narrowed, len(persons)), encoding="utf-8")


def _narrowed(group: str, every: Sequence[tuple[Try, Scatter]]) -> float:
    """The largest power at which as many held-out figures lie inside as inside the catalog's own intervals, or nine in ten."""
    now = inside(every, None)
    powers = [step / 20 for step in range(21)]
    print(group)
    for power in powers:
        print(f"power {power:.2f}: {100 * inside(every, power):.1f} % inside, of the catalog's {100 * now:.1f}")
    return max((power for power in powers if inside(every, power) >= min(now, ENOUGH)), default=0.0)


def rendered(scatters: dict[str, Scatter], narrowed: dict[str, float], sources: int) -> str:
    """The module of constants."""
    head = TARGET.read_text(encoding="utf-8").partition("SCATTER: Final")[0]
    rows = (f'    "{name}": ({", ".join(f"{value:.3g}" for value in part)}),' for name, part in scatters.items())
    table = "\n".join(("SCATTER: Final[dict[str, tuple[float, float, float]]] = {", *rows, "}"))
    powers = ", ".join(f'"{group}": {power:g}' for group, power in narrowed.items())
    return f"{head}{table}\nNARROWS: Final[dict[str, float]] = {{{powers}}}\nSOURCES: Final = {sources}\n"
