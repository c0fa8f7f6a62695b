"""What the five accuracy sets share: cases, rows set aside, error statistics and their tables.

A set is a module of this package with `evaluate(rows) -> Evaluation`. It writes every usable row as a Scenario
and reads the figure from `engine.decide.size`; a row that it cannot write is set aside with the reason, never dropped.
"""

from __future__ import annotations

import json
import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.accuracy.rows import UnreadableRow, readable

REFERENCE = Path(__file__).parent.parent / "reference"
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """One compared figure. groups: how the tables split it, such as {"gpu": "h100-sxm", "family": "llama"}."""

    row_id: str
    metric: str
    observed: float
    predicted: float
    groups: dict[str, str]
    interval: tuple[float, float] | None = None

    @property
    def error(self) -> float:
        """Signed relative error of the prediction."""
        return self.predicted / self.observed - 1.0

    @property
    def inside(self) -> bool | None:
        """Whether the observation lies in the stated interval; None without one."""
        if self.interval is None:
            return None
        return self.interval[0] <= self.observed <= self.interval[1]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A yes-or-no row: did it start, did it run out of memory."""

    row_id: str
    metric: str
    observed: bool
    predicted: bool
    groups: dict[str, str]


@dataclass(slots=True)
class Evaluation:
    """Everything one run of a set produced."""

    rows_read: int = 0
    cases: list[Case] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    set_aside: list[tuple[str, str]] = field(default_factory=list)  # (row id, reason)

    def aside(self, row_id: str, reason: str) -> None:
        """Note a row that cannot be predicted."""
        self.set_aside.append((row_id, reason))


def each_row(rows: Iterable[Any], compare: Callable[[str, Row, Evaluation], None]) -> Evaluation:
    """`compare` called with the id and the readable fields of every row, and with where to note what it finds.

    A row that cannot be read, or that breaks the comparison, is set aside with the reason: it must not keep the
    others from being measured.
    """
    evaluation = Evaluation()
    for number, raw in enumerate(rows, start=1):
        row_id = str(raw["id"]) if isinstance(raw, dict) and raw.get("id") else f"row {number}"
        found = Evaluation(rows_read=1)
        try:
            compare(row_id, readable(raw), found)
        except UnreadableRow as reason:
            found = Evaluation(1, set_aside=[(row_id, str(reason))])
        except Exception as problem:
            said = f"cannot be compared: {type(problem).__name__}: {problem}"
            found = Evaluation(1, set_aside=[(row_id, said)])
        cases = [case for case in found.cases if case.observed > 0 and math.isfinite(case.predicted)]
        evaluation.rows_read += found.rows_read
        evaluation.cases += cases
        evaluation.outcomes += found.outcomes
        evaluation.set_aside += found.set_aside
        if found.rows_read and not (cases or found.outcomes or found.set_aside):
            evaluation.aside(row_id, "no figure of the row is measured")
    return evaluation


@dataclass(frozen=True, slots=True)
class Stats:
    """Error statistics of a list of cases: absolute median and p90, signed median as bias."""

    count: int
    median: float
    p90: float
    bias: float
    inside: float | None


def spread(errors: Iterable[float]) -> tuple[float, float]:
    """(median, what nine in ten stay below) of the sizes of errors. Raises StatisticsError for none."""
    ranked = sorted(map(abs, errors))
    return statistics.median(ranked), ranked[min(len(ranked) - 1, int(0.9 * len(ranked)))]


def stats(cases: Iterable[Case]) -> Stats:
    """Statistics of the relative errors. Raises ValueError for no case."""
    listed = list(cases)
    if not listed:
        raise ValueError("no case to measure")
    median, p90 = spread(case.error for case in listed)
    within = [case.inside for case in listed if case.inside is not None]
    return Stats(
        count=len(listed),
        median=median,
        p90=p90,
        bias=statistics.median(case.error for case in listed),
        inside=sum(within) / len(within) if within else None,
    )


def load_rows(path: Path) -> list[Row]:
    """The rows of a JSON-lines file, or of one JSON list. Raises ValueError naming the file and line of a bad row."""
    rows: list[Row] = []
    text = path.read_text(encoding="utf-8-sig")
    if text.lstrip().startswith("["):
        try:
            return list(json.loads(text))
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}: not JSON: {error}") from error
    for number, line in enumerate(text.split("\n"), start=1):  # a string may hold other line separators
        if not line.strip():
            continue
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}: line {number}: not JSON: {error}") from error
    return rows


def by_metric(cases: Iterable[Case]) -> dict[str, list[Case]]:
    """Cases split by metric, in order of first appearance."""
    split: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        split[case.metric].append(case)
    return dict(split)


def by_group(cases: Iterable[Case], group: str) -> dict[str, list[Case]]:
    """Cases split by one of their groups."""
    split: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        split[case.groups.get(group, "not stated")].append(case)
    return dict(sorted(split.items()))


def by_source(cases: Iterable[Case]) -> list[float]:
    """The median absolute error of each source, smallest first: one source, one vote."""
    return sorted(stats(part).median for part in by_group(cases, "source").values())


def one_vote(cases: Iterable[Case]) -> tuple[float, float]:
    """Median and p90 over sources of each source's median absolute error."""
    return spread(by_source(cases))


def _stats_line(name: str, s: Stats) -> str:
    inside = "" if s.inside is None else f"{100 * s.inside:6.1f}"
    percent = f"{100 * s.median:>8.1f} {100 * s.p90:>8.1f} {100 * s.bias:>+8.1f}"
    return f"{name[:44]:<44} {s.count:>5} {percent} {inside:>7}"


def render(name: str, evaluation: Evaluation) -> str:
    """The tables as text: in all, by group, outcomes, rows set aside, the ten worst of each metric."""
    used = {case.row_id for case in evaluation.cases} | {o.row_id for o in evaluation.outcomes}
    lines = [f"{name}: {evaluation.rows_read} rows read, {len(used)} used, {len(evaluation.set_aside)} set aside"]
    header = f"{'errors in %':<44} {'n':>5} {'median':>8} {'p90':>8} {'bias':>8} {'inside':>7}"
    for metric, cases in by_metric(evaluation.cases).items():
        lines += ["", f"== {metric}", header, _stats_line("all", stats(cases))]
        for group in sorted({key for case in cases for key in case.groups}):
            lines.append(f"-- by {group}")
            lines += [_stats_line(f"  {value}", stats(part)) for value, part in by_group(cases, group).items()]
        lines.append("-- ten worst")
        for case in sorted(cases, key=lambda c: -abs(c.error))[:10]:
            lines.append(
                f"  {case.row_id}: observed {case.observed:.5g}, predicted {case.predicted:.5g} "
                f"({100 * case.error:+.1f} %) {case.groups}"
            )
    for metric in sorted({outcome.metric for outcome in evaluation.outcomes}):
        part = [outcome for outcome in evaluation.outcomes if outcome.metric == metric]
        right = sum(outcome.observed == outcome.predicted for outcome in part)
        lines += ["", f"== {metric}: {right} of {len(part)} right"]
        lines += [
            f"  wrong: {o.row_id}: observed {o.observed}, predicted {o.predicted} {o.groups}"
            for o in part
            if o.observed != o.predicted
        ]
    if evaluation.set_aside:
        lines += ["", "== set aside"]
        for reason, count in Counter(reason for _, reason in evaluation.set_aside).most_common():
            ids = [row_id for row_id, why in evaluation.set_aside if why == reason]
            lines.append(f"  {count} x {reason}: {', '.join(ids[:6])}{' …' if count > 6 else ''}")
    return "\n".join(lines)


def render_rows(evaluation: Evaluation) -> str:
    """Every row by itself: what was observed, what was said and the error, in the order of the file."""
    lines = []
    for row_id in dict.fromkeys(case.row_id for case in evaluation.cases):
        parts = [
            f"{case.metric} {case.observed:.5g} -> {case.predicted:.5g} ({100 * case.error:+.1f} %)"
            for case in evaluation.cases
            if case.row_id == row_id
        ]
        parts += [
            f"{o.metric} {o.observed} -> {o.predicted}"
            for o in evaluation.outcomes
            if o.row_id == row_id and o.observed != o.predicted
        ]
        lines.append(f"{row_id}: {'; '.join(parts)}")
    return "\n".join([*lines, *(f"{row_id}: set aside, {why}" for row_id, why in evaluation.set_aside)])


def as_json(name: str, evaluation: Evaluation) -> dict[str, Any]:
    """The same as one JSON object."""

    def flat(s: Stats) -> dict[str, float | int | None]:
        return {"n": s.count, "median": s.median, "p90": s.p90, "bias": s.bias, "inside": s.inside}

    metrics: dict[str, Any] = {}
    for metric, cases in by_metric(evaluation.cases).items():
        groups = sorted({key for case in cases for key in case.groups})
        metrics[metric] = {
            "all": flat(stats(cases)),
            "by": {g: {v: flat(stats(part)) for v, part in by_group(cases, g).items()} for g in groups},
            "worst": [
                {"id": c.row_id, "observed": c.observed, "predicted": c.predicted, "error": c.error}
                for c in sorted(cases, key=lambda c: -abs(c.error))[:10]
            ],
        }
    outcomes = {
        metric: {
            "n": len(part),
            "right": sum(o.observed == o.predicted for o in part),
            "caught": sum(o.observed and o.predicted for o in part),
            "observed_true": sum(o.observed for o in part),
            "false_alarms": sum(o.predicted and not o.observed for o in part),
        }
        for metric in sorted({o.metric for o in evaluation.outcomes})
        for part in [[o for o in evaluation.outcomes if o.metric == metric]]
    }
    used = {case.row_id for case in evaluation.cases} | {o.row_id for o in evaluation.outcomes}
    return {
        "set": name,
        "rows_read": evaluation.rows_read,
        "rows_used": len(used),
        "rows_set_aside": len(evaluation.set_aside),
        "set_aside": [{"id": row_id, "reason": reason} for row_id, reason in evaluation.set_aside],
        "metrics": metrics,
        "outcomes": outcomes,
        "cases": [
            {
                "id": c.row_id,
                "metric": c.metric,
                "observed": c.observed,
                "predicted": c.predicted,
                "interval": c.interval,
            }
            for c in evaluation.cases
        ],
    }
