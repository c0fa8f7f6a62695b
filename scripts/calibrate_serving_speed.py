"""Fit the constants of the serving-speed model to tests/reference/inference_perf.jsonl.

    python scripts/calibrate_serving_speed.py            print the fit and its leave-one-out errors
    python scripts/calibrate_serving_speed.py --write    and rewrite engine/calibration/serving_speed.py

The residual is the logarithm of predicted over observed. Gauss-Newton steps with a Jacobian by differences, rows weighted
down as they lie off (an L1 loss), and each constant held to its prior: base constants loosely to a textbook value, the
multipliers of a class (`name@class`) to 1, so that a class with few rows, or none, takes what all classes share.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from engine.calibration import serving_speed as fit
from engine.plan import plan
from engine.scenario import Layout
from engine.serving_memory import serving_memory
from engine.serving_speed import (
    Shape, best_load, engine_split, load, rates_of, running_limit, shape_of,
)  # fmt: skip
from engine.sizing import Memory
from tests.accuracy import inference_perf as rows_of
from tests.accuracy.harness import REFERENCE, Row, load_rows

TARGET = Path(__file__).parent.parent / "engine" / "calibration" / "serving_speed.py"
# How far a constant may lie from its prior, as a standard deviation of its logarithm.
BASE_SIGMA, CLASS_SIGMA = 1.0, 0.25
ROW_SIGMA = 0.15


@dataclass(slots=True)
class Point:
    """One measured figure with everything that its prediction needs but the constants."""

    row_id: str
    metric: str
    observed: float
    prepared: rows_of.Prepared
    layout: Layout
    memory: Memory
    shape: Shape
    weight: float = 1.0


def points_of(rows: list[Row]) -> list[Point]:
    """The measured figures of all usable rows."""
    found: list[Point] = []
    for row in rows:
        try:
            prepared = rows_of.prepare(row)
        except rows_of.Unusable:
            continue
        scenario = prepared.scenario
        choice = scenario.layout
        if choice.tp is not None:
            layout = Layout(choice.tp, choice.pp or 1, choice.dp or 1, choice.ep or 1, bool(choice.dp_attention))
        else:
            layout = plan(scenario).layout
        memory = serving_memory(scenario, layout)
        if not memory.starts:
            continue
        model = scenario.model
        shape = shape_of(model.architecture, model.weights, model.kv_cache, layout, scenario.hardware)
        for metric, value in prepared.observed:
            found.append(Point(row["id"], metric, value, prepared, layout, memory, shape))
    balance(found)
    return found


def balance(points: list[Point]) -> None:
    """Weigh a figure down by how many of its like there are: the square root keeps large groups ahead, not alone."""
    counts = Counter(_like(point) for point in points)
    for point in points:
        point.weight = counts[_like(point)] ** -0.5
    scale = len(points) / sum(point.weight for point in points)
    for point in points:
        point.weight *= scale


def _like(point: Point) -> tuple[str, ...]:
    groups = point.prepared.groups
    return (point.metric, groups["gpu"], groups["model"], groups["engine"])


def predict(point: Point, constants: Mapping[str, float]) -> float:
    """The model's figure with those constants."""
    scenario = point.prepared.scenario
    work, model = scenario.workload, scenario.model
    r = rates_of(
        point.shape, model.weights, scenario.hardware.accelerator, scenario.runtime.engine, constants
    )
    engines = engine_split(point.layout)[0]
    cap = running_limit(scenario, point.layout, point.memory, r)
    prompt, answer = work.input_tokens, max(1, work.output_tokens)
    if point.metric == rows_of.MAXIMUM:
        return engines * load(r, cap, cap, prompt, answer).tokens_per_s
    if point.metric == rows_of.LIMITED:
        best = best_load(work.ttft_target_s, work.tokens_per_s_user_target, r, cap, prompt, answer)
        return max(1e-9, engines * best[1])
    used = min(engines, work.concurrency)
    requests = work.requests / used if work.requests else 0.0
    wait = scenario.runtime.admission_wait_steps
    state = load(r, work.concurrency / used, cap, prompt, answer, requests, wait)
    if point.metric in (rows_of.TTFT_LOW, rows_of.TTFT_LOADED):
        return state.ttft_s
    if point.metric == rows_of.LOADED:
        return state.tokens_per_s * used
    if point.prepared.cached_prompt:
        return state.step.seconds
    return state.inter_token_s


def residuals(points: list[Point], constants: Mapping[str, float]) -> list[float]:
    """ln(predicted / observed) of each figure, bounded: a figure that is decades off says nothing more."""
    return [
        max(-3.0, min(3.0, math.log(predict(point, constants) / point.observed))) for point in points
    ]


def solve(matrix: list[list[float]], right: list[float]) -> list[float]:
    """x of matrix x = right, by Gaussian elimination with pivoting."""
    size = len(right)
    rows = [[*line, value] for line, value in zip(matrix, right, strict=True)]
    for column in range(size):
        pivot = max(range(column, size), key=lambda index: abs(rows[index][column]))
        rows[column], rows[pivot] = rows[pivot], rows[column]
        head = rows[column]
        for index in range(column + 1, size):
            factor = rows[index][column] / head[column]
            if factor:
                line = rows[index]
                for k in range(column, size + 1):
                    line[k] -= factor * head[k]
    answer = [0.0] * size
    for column in range(size - 1, -1, -1):
        line = rows[column]
        answer[column] = (line[size] - sum(line[k] * answer[k] for k in range(column + 1, size))) / line[column]
    return answer


def jacobian(points: list[Point], constants: dict[str, float], names: list[str]) -> list[list[float]]:
    """d residual / d ln constant, by central differences, one list a constant."""
    columns = []
    step = 0.02
    for name in names:
        kept = constants[name]
        constants[name] = kept * math.exp(step)
        up = residuals(points, constants)
        constants[name] = kept * math.exp(-step)
        down = residuals(points, constants)
        constants[name] = kept
        columns.append([(a - b) / (2 * step) for a, b in zip(up, down, strict=True)])
    return columns


def gauss_newton(
    points: list[Point],
    constants: dict[str, float],
    priors: Mapping[str, float],
    names: list[str],
    columns: list[list[float]],
    keep: list[int],
) -> dict[str, float]:
    """One damped step on the figures `keep`, with a given Jacobian."""
    errors = residuals([points[i] for i in keep], constants)
    weights = [
        points[i].weight / (ROW_SIGMA * max(abs(error), ROW_SIGMA / 2)) for i, error in zip(keep, errors, strict=True)
    ]
    size = len(names)
    picked = [[column[i] for i in keep] for column in columns]
    scaled = [[value * weight for value, weight in zip(column, weights, strict=True)] for column in picked]
    matrix = [[0.0] * size for _ in range(size)]
    right = [0.0] * size
    for a in range(size):
        left = scaled[a]
        for b in range(a, size):
            matrix[a][b] = matrix[b][a] = sum(x * y for x, y in zip(left, picked[b], strict=True))
        right[a] = -sum(x * y for x, y in zip(left, errors, strict=True))
    for a, name in enumerate(names):
        sigma = CLASS_SIGMA if "@" in name else BASE_SIGMA
        matrix[a][a] += 1 / sigma**2
        right[a] -= math.log(constants[name] / priors[name]) / sigma**2
    moved = solve(matrix, right)
    longest = max(abs(value) for value in moved)
    scale = min(1.0, 0.4 / longest) if longest else 1.0
    return {**constants, **{n: constants[n] * math.exp(scale * d) for n, d in zip(names, moved, strict=True)}}


def objective(points: list[Point], constants: Mapping[str, float], priors: Mapping[str, float]) -> float:
    """What the fit minimises: weighted absolute errors and the distance from the priors."""
    errors = residuals(points, constants)
    loss = sum(p.weight * abs(e) / ROW_SIGMA for p, e in zip(points, errors, strict=True))
    for name, prior in priors.items():
        sigma = CLASS_SIGMA if "@" in name else BASE_SIGMA
        loss += 0.5 * (math.log(constants[name] / prior) / sigma) ** 2
    return loss


def fit_all(
    points: list[Point], start: dict[str, float], priors: Mapping[str, float], steps: int, say: bool = True
) -> tuple[dict[str, float], list[list[float]], list[str]]:
    """The constants that fit all figures, with the last Jacobian."""
    names = list(priors)
    everything = list(range(len(points)))
    best, best_loss = dict(start), objective(points, start, priors)
    columns: list[list[float]] = []
    for step in range(steps):
        columns = jacobian(points, dict(best), names)
        moved = gauss_newton(points, dict(best), priors, names, columns, everything)
        for _ in range(5):
            loss = objective(points, moved, priors)
            if loss < best_loss:
                break
            moved = {name: math.sqrt(moved[name] * best[name]) for name in names}
        else:
            break
        gain, best, best_loss = best_loss - loss, moved, loss
        if say:
            print(f"step {step + 1}: loss {best_loss:.1f}", flush=True)
        if gain < 0.0005 * best_loss:
            break
    return best, columns, names


def table(title: str, points: list[Point], errors: list[float]) -> None:
    """Errors by metric."""
    print(f"\n{title}\n{'':44}{'n':>6}{'median':>9}{'p90':>9}{'bias':>9}   (%)")
    split: dict[str, list[float]] = defaultdict(list)
    for point, error in zip(points, errors, strict=True):
        split[point.metric].append(math.exp(error) - 1)
    for metric, values in split.items():
        print(f"{metric:44}{_line(values)}")


def _line(values: list[float]) -> str:
    ranked = sorted(abs(value) for value in values)
    p90 = ranked[min(len(ranked) - 1, int(0.9 * len(ranked)))]
    return (
        f"{len(values):6}{100 * statistics.median(ranked):9.1f}{100 * p90:9.1f}"
        f"{100 * statistics.median(values):+9.1f}"
    )
