"""The bars of accuracy: the error of each figure on measured rows may not grow past the one of today and a tenth.

The table is `bars.toml`. It is a ratchet::

    python -m tests.accuracy.bars            # the errors of today beside their bars
    python -m tests.accuracy.bars --lower    # lower each bar that an improvement has made slack, add those of new figures

Nothing raises a bar.
"""

from __future__ import annotations

import argparse
import importlib
import math
import sys
import tomllib
from functools import cache
from pathlib import Path

import tomli_w

from tests.accuracy import engine_logs
from tests.accuracy.harness import REFERENCE, Evaluation, by_metric, load_rows, stats

TABLE = Path(__file__).parent / "bars.toml"
SLACK = 1.1
FEWEST = 10
"""A figure with fewer rows has no bar: one row would decide."""
SETS = ("engine_logs", "training_memory", "collectives", "inference_perf", "training_perf")
WAVE = ("training_memory_wave2", "training_perf_wave2", "inference_perf_wave2")
"""Rows of other sources; of serving alone, constants are fitted on them."""
FILES = (*(name + end for name in SETS for end in ("", "_public")), *WAVE)

Bars = dict[str, dict[str, dict[str, float]]]
"""By file of rows and figure: median and p90 of the absolute relative error, or how many yes-or-no rows are wrong."""


@cache
def evaluation(file: str) -> Evaluation:
    """The evaluation of one file of reference rows, once for all tests."""
    module = importlib.import_module(f"tests.accuracy.{file.removesuffix('_public').removesuffix('_wave2')}")
    rows = engine_logs.check_rows() if file == "engine_logs_public" else load_rows(REFERENCE / f"{file}.jsonl")
    made: Evaluation = module.evaluate(rows)
    return made


def errors(file: str) -> dict[str, dict[str, float]]:
    """Today's errors of each figure of a file with rows enough, and how many rows are set aside."""
    made = evaluation(file)
    found: dict[str, dict[str, float]] = {"rows set aside": {"count": len(made.set_aside)}}
    for metric, cases in by_metric(made.cases).items():
        if len(cases) >= FEWEST and not metric.endswith("(no bar)"):
            one = stats(cases)
            found[metric] = {"median": one.median, "p90": one.p90}
    for metric in {outcome.metric for outcome in made.outcomes}:
        wrong = sum(one.observed != one.predicted for one in made.outcomes if one.metric == metric)
        found[metric] = found.get(metric, {}) | {"wrong": wrong}
    return found


def bar_of(name: str, error: float) -> float:
    """The bar of an error: a tenth more, counts in whole rows, shares up to four digits."""
    if name in ("wrong", "count"):
        return math.floor(error * SLACK)
    return 0.0 if error == 0.0 else math.ceil(error * SLACK * 1e5 - 1e-6) / 1e5


def stored() -> Bars:
    """The table."""
    table: Bars = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return table


def lowered(table: Bars, today: Bars) -> Bars:
    """The table with each bar at the lower of itself and today's, and with bars for what has none."""
    made: Bars = {}
    for file, figures in today.items():
        made[file] = {}
        for figure, values in sorted(figures.items()):
            old = table.get(file, {}).get(figure, {})
            made[file][figure] = {
                name: min(old.get(name, math.inf), bar_of(name, error)) for name, error in sorted(values.items())
            }
    return made


def main(arguments: list[str] | None = None) -> int:
    """Print errors and bars; with --lower, lower the bars. 1 when an error is over its bar."""
    parser = argparse.ArgumentParser(prog="python -m tests.accuracy.bars", description=__doc__)
    parser.add_argument("--lower", action="store_true", help="lower bars that are slack, and add those of new figures")
    chosen = parser.parse_args(arguments)
    table = stored() if TABLE.exists() else {}
    today = {file: errors(file) for file in FILES}
    over = False
    for file, figures in today.items():
        for figure, values in sorted(figures.items()):
            for name, error in values.items():
                bar = table.get(file, {}).get(figure, {}).get(name, math.inf)
                over |= error > bar
                print(f"{file:24} {figure:34} {name:7} {error:8.5g}  bar {bar:.5g}{' OVER' if error > bar else ''}")
    if chosen.lower:
        TABLE.write_text(tomli_w.dumps(lowered(table, today)), encoding="utf-8")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
