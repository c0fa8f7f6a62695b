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
import random
import statistics
import sys
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from engine.calibration import serving_speed as fit
from engine.decide.plan import plan
from engine.scenario import Layout
from engine.serving.memory import serving_memory
from engine.serving.passes import Rates, Shape, compute_class, engine_split, gpu_class, rates_of, shape_of
from engine.serving.speed import Load, best_load, load, running_limit
from engine.sizing import Memory
from tests.accuracy import inference_perf as rows_of
from tests.accuracy.harness import REFERENCE, Row, load_rows

TARGET = Path(__file__).parent.parent / "engine" / "calibration" / "serving_speed.py"
# How far a constant may lie from its prior, as a standard deviation of its logarithm: base constants, multipliers of a
# class of GPUs, of an engine, and of any other class. Chosen on halves: of widths from 0.06 to 0.4 these predict best what
# a fit to half of the (source, GPU, model) groups says of the other half.
BASE_SIGMA, GPU_SIGMA, ENGINE_SIGMA, CLASS_SIGMA = 0.4, 0.06, 0.2, 0.08
ROW_SIGMA = 0.15
# Power of the number of its like by which a figure weighs less.
BALANCE = 0.4
# share of the left-out observations cut off at each end of an interval: a little less than a tenth, since the halves of
# the tables lie wider than single groups do
CUT = 0.085
FOLDS = 5
# steps of a fit to half of the tables
HALF_STEPS = 14
# figures from which on the fit counts as having seen a card under an engine, a model, or the two together
SEEN_FIGURES = 10

GPUS = ("ampere", "ampere-gddr", "ada", "hopper", "blackwell", "blackwell-gddr", "amd", "intel")
SERVERS = ("vllm", "sglang", "trtllm")
ENGINES = (*SERVERS, "llama.cpp")
KINDS = ("16-bit", "fp8", "fp4", "weight-only")

# constant: (textbook value, classes that may differ from it)
SHAPE: dict[str, tuple[float, tuple[str, ...]]] = {
    "weight_bandwidth": (0.85, (*GPUS, *KINDS, "gguf", "llama.cpp", "moe")),
    "expert_bandwidth": (0.45, (*GPUS, *SERVERS, *KINDS)),
    "kv_bandwidth": (0.6, (*GPUS, *SERVERS, "moe")),
    "latent_bandwidth": (0.4, SERVERS),
    "compute": (0.55, (*GPUS, *ENGINES, *KINDS, "gguf", "moe")),
    "decode_compute": (0.4, (*GPUS, *SERVERS, *KINDS, "moe")),
    "expert_compute": (0.3, (*GPUS, *SERVERS, *KINDS)),
    "attention_compute": (0.5, (*GPUS, *SERVERS, "moe")),
    "latent_compute": (0.4, SERVERS),
    "layer_s": (12e-6, (*GPUS, *ENGINES)),
    "moe_layer_s": (15e-6, (*GPUS, *SERVERS)),
    "latent_layer_s": (15e-6, SERVERS),
    "step_s": (1e-3, ENGINES),
    "sequence_s": (10e-6, SERVERS),
    "collective_latency": (1.0, (*SERVERS, "pcie", "moe")),
    "collective_bytes": (1.0, (*SERVERS, "pcie", "moe")),
    "collective_prefill": (1.0, (*SERVERS, "pcie", "moe")),
    "prefill_s": (15e-3, ENGINES),
    "prefill_layer_s": (3e-4, (*ENGINES, "moe")),
    "prefill_moe_layer_s": (5e-4, SERVERS),
    "interference": (1.0, (*SERVERS, "moe")),
    "queueing": (0.5, ()),
    "expert_spread": (0.9, ()),
}
# constants that other measurements already pin: collectives have their own fit, and a prompt read between tokens
# takes about what it takes alone
TIGHT = {"collective_latency": 0.1, "collective_bytes": 0.1, "collective_prefill": 0.05, "interference": 0.1}
# multipliers whose prior is not 1: what is known before any fit
KNOWN = {
    "compute@fp4": 0.75,
    "compute@weight-only": 0.8,
    "compute@gguf": 0.3,
    # plain 16- and 8-bit tensors stream alike; 4-bit blocks are unpacked on the way and reach less of the memory's rate
    "weight_bandwidth@fp4": 0.75,
    "weight_bandwidth@weight-only": 0.85,
    "weight_bandwidth@gguf": 0.85,
}
PRIORS: dict[str, float] = {}
for _name, (_value, _tags) in SHAPE.items():
    PRIORS[_name] = _value
    for _tag in _tags:
        PRIORS[f"{_name}@{_tag}"] = KNOWN.get(f"{_name}@{_tag}", 1.0)

# which figures share a spread: the part of Serving that answers them
SPREADS = {
    rows_of.TTFT_LOW: "ttft",
    rows_of.TTFT_LOADED: "ttft",
    rows_of.TPOT_DENSE: "inter_token",
    rows_of.TPOT_MOE: "inter_token",
    rows_of.MAXIMUM: "tokens_per_s",
    rows_of.LIMITED: "tokens_per_s",
    rows_of.LOADED: "tokens_per_s",
}


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
    """Weigh a figure down by how many of its like there are: large groups stay ahead, not alone."""
    counts = Counter(_like(point) for point in points)
    for point in points:
        point.weight = counts[_like(point)] ** -BALANCE
    scale = len(points) / sum(point.weight for point in points)
    for point in points:
        point.weight *= scale


def _like(point: Point) -> tuple[str, ...]:
    groups = point.prepared.groups
    return (point.metric, groups["gpu"], groups["model"], groups["engine"])


def tags_of(point: Point) -> frozenset[str]:
    """The classes whose multipliers touch a figure."""
    model, hardware = point.prepared.scenario.model, point.prepared.scenario.hardware
    kind = compute_class(model.weights, hardware.accelerator)[0]
    engine = point.prepared.scenario.runtime.engine
    mixture = "moe" if point.shape.moe_layers else "dense"
    plain = "16-bit" if kind == "weight-only" else kind
    return frozenset((gpu_class(hardware.accelerator), engine, kind, plain, point.shape.fabric, mixture))


Known = dict[tuple[object, ...], Rates | Load]


def predict(point: Point, constants: Mapping[str, float], known: Known | None = None) -> float:
    """The model's figure with those constants. known: what other figures of the same constants share."""
    known = {} if known is None else known
    scenario = point.prepared.scenario
    work, model = scenario.workload, scenario.model
    accelerator, engine = scenario.hardware.accelerator, scenario.runtime.engine
    key = (id(point.shape), model.weights, accelerator.id, engine)
    r = known.get(key)
    if not isinstance(r, Rates):
        r = known[key] = rates_of(point.shape, model.weights, accelerator, engine, constants)
    engines = engine_split(point.layout)[0]
    cap = running_limit(scenario, point.layout, point.memory, r)
    prompt, answer = work.input_tokens, max(1, work.output_tokens)
    if point.metric == rows_of.MAXIMUM:
        return engines * load(r, cap, cap, prompt, answer).tokens_per_s
    if point.metric == rows_of.LIMITED:
        best = best_load(work.ttft_target_s, work.tokens_per_s_user_target, r, cap, prompt, answer)
        return max(1e-9, engines * best[1])
    used = min(engines, work.concurrency)
    state = known.get((point.row_id,))
    if not isinstance(state, Load):
        requests = work.requests / used if work.requests else 0.0
        wait = scenario.runtime.admission_wait_steps
        state = load(r, work.concurrency / used, cap, prompt, answer, requests, wait)
        known[(point.row_id,)] = state
    if point.metric in (rows_of.TTFT_LOW, rows_of.TTFT_LOADED):
        return state.ttft_s
    if point.metric == rows_of.LOADED:
        return state.tokens_per_s * used
    if point.prepared.cached_prompt:
        return state.step.seconds
    return state.inter_token_s


def residuals(points: list[Point], constants: Mapping[str, float]) -> list[float]:
    """ln(predicted / observed) of each figure, bounded: a figure that is decades off says nothing more."""
    known: Known = {}
    return [max(-3.0, min(3.0, math.log(predict(point, constants, known) / point.observed))) for point in points]


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


Sparse = list[tuple[int, float]]


def jacobian(points: list[Point], constants: dict[str, float], names: list[str]) -> list[Sparse]:
    """d residual / d ln constant of each figure, by differences: (constant, slope) where there is one."""
    step = 0.02
    base = residuals(points, constants)
    tags = [tags_of(point) for point in points]
    lines: list[Sparse] = [[] for _ in points]
    for index, name in enumerate(names):
        kept = constants[name]
        constants[name] = kept * math.exp(step)
        tag = name.partition("@")[2]
        touched = [i for i, known in enumerate(tags) if not tag or tag in known]
        for i, up in zip(touched, residuals([points[i] for i in touched], constants), strict=True):
            if up != base[i]:
                lines[i].append((index, (up - base[i]) / step))
        constants[name] = kept
    return lines


def row_weights(points: list[Point], errors: list[float]) -> list[float]:
    """Weights that turn the squares into absolute values."""
    return [
        point.weight / (ROW_SIGMA * max(abs(error), ROW_SIGMA / 2)) for point, error in zip(points, errors, strict=True)
    ]


def add_squares(
    matrix: list[list[float]], lines: list[Sparse], weights: list[float], picked: list[int], sign: float
) -> None:
    """Add (or take away) the figures' share of the normal matrix, its upper triangle."""
    for i in picked:
        line, weight = lines[i], sign * weights[i]
        for position, (a, x) in enumerate(line):
            target, scaled = matrix[a], x * weight
            for b, y in line[position:]:
                target[b] += scaled * y


def step_of(
    matrix: list[list[float]],
    lines: list[Sparse],
    weights: list[float],
    errors: Mapping[int, float],
    constants: Mapping[str, float],
    names: list[str],
) -> dict[str, float]:
    """The constants after one bounded Gauss-Newton step with that normal matrix."""
    size = len(names)
    full = [[matrix[min(a, b)][max(a, b)] for b in range(size)] for a in range(size)]
    right = [0.0] * size
    for i, error in errors.items():
        for a, x in lines[i]:
            right[a] -= x * weights[i] * error
    for a, name in enumerate(names):
        full[a][a] += 1 / sigma_of(name) ** 2
        right[a] -= math.log(constants[name] / PRIORS[name]) / sigma_of(name) ** 2
    moved = solve(full, right)
    return {n: constants[n] * math.exp(max(-0.5, min(0.5, d))) for n, d in zip(names, moved, strict=True)}


def sigma_of(name: str) -> float:
    """How far a constant may lie from its prior."""
    base, _, tag = name.partition("@")
    widest = TIGHT.get(base, BASE_SIGMA)
    if tag in GPUS:
        return min(widest, GPU_SIGMA)
    if tag in ENGINES:
        return min(widest, ENGINE_SIGMA)
    return min(widest, CLASS_SIGMA) if tag else widest


def objective(points: list[Point], constants: Mapping[str, float]) -> float:
    """What the fit minimises: weighted absolute errors and the distance from the priors."""
    errors = residuals(points, constants)
    loss = sum(p.weight * abs(e) / ROW_SIGMA for p, e in zip(points, errors, strict=True))
    return loss + sum(0.5 * (math.log(constants[n] / prior) / sigma_of(n)) ** 2 for n, prior in PRIORS.items())


@dataclass(slots=True)
class Fit:
    """Constants with what the leave-one-out steps need of the last full step."""

    constants: dict[str, float]
    lines: list[Sparse]
    weights: list[float]
    matrix: list[list[float]]


def fit_all(points: list[Point], start: Mapping[str, float], steps: int) -> Fit:
    """The constants that fit all figures best."""
    names = list(PRIORS)
    everything = list(range(len(points)))
    best = dict(start)
    best_loss = objective(points, best)
    for step in range(steps):
        lines = jacobian(points, dict(best), names)
        errors = residuals(points, best)
        weights = row_weights(points, errors)
        matrix = [[0.0] * len(names) for _ in names]
        add_squares(matrix, lines, weights, everything, 1.0)
        moved = step_of(matrix, lines, weights, dict(enumerate(errors)), best, names)
        for _ in range(5):
            loss = objective(points, moved)
            if loss < best_loss:
                break
            moved = {name: math.sqrt(moved[name] * best[name]) for name in names}
        else:
            break
        gain, best, best_loss = best_loss - loss, moved, loss
        print(f"step {step + 1}: loss {best_loss:.1f}", flush=True)
        if gain < 0.0005 * best_loss:
            break
    return Fit(best, lines, weights, matrix)


def left_out(points: list[Point], found: Fit, group: str) -> list[float]:
    """Residual of each figure under constants fitted without any of its group (its GPU, model, engine, fold).

    Two steps from the full fit with the group taken out of the normal matrix.
    """
    names = list(PRIORS)
    members: dict[str, list[int]] = defaultdict(list)
    for index, point in enumerate(points):
        members[point.prepared.groups[group]].append(index)
    errors = [0.0] * len(points)
    for inside in members.values():
        out = set(inside)
        kept = [index for index in range(len(points)) if index not in out]
        matrix = [list(line) for line in found.matrix]
        add_squares(matrix, found.lines, found.weights, inside, -1.0)
        constants = found.constants
        for _ in range(2):
            remaining = dict(zip(kept, residuals([points[i] for i in kept], constants), strict=True))
            constants = step_of(matrix, found.lines, found.weights, remaining, constants, names)
        for index, error in zip(inside, residuals([points[i] for i in inside], constants), strict=True):
            errors[index] = error
    return errors


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
        f"{len(values):6}{100 * statistics.median(ranked):9.1f}{100 * p90:9.1f}{100 * statistics.median(values):+9.1f}"
    )


def place_of(point: Point) -> str:
    """Engine and card of a figure."""
    return "{engine} on {gpu}".format(**point.prepared.groups)


def model_of(point: Point) -> str:
    """Catalog id of a figure's model."""
    return point.prepared.scenario.model.id


def pair_of(point: Point) -> str:
    """Model, engine and card of a figure."""
    return f"{model_of(point)}: {place_of(point)}"


def known_levels(points: list[Point], group: str) -> list[str]:
    """What the fit still knows of each figure when its group is left out: `measured`, `seen` or `new`."""
    names = (pair_of, place_of, model_of)
    totals = [Counter(name(point) for point in points) for name in names]
    inside = [Counter((point.prepared.groups[group], name(point)) for point in points) for name in names]
    levels = []
    for point in points:
        own = point.prepared.groups[group]
        pair, place, model = (
            total[name(point)] - held[own, name(point)] >= SEEN_FIGURES
            for name, total, held in zip(names, totals, inside, strict=True)
        )
        levels.append("measured" if pair else "seen" if place and model else "new")
    return levels


def spreads(points: list[Point], columns: Mapping[str, list[float]]) -> dict[str, tuple[float, float]]:
    """Factors around a prediction that hold the middle 80 % of left-out observations.

    By figure, kind of model and what the fit still knew of it (`known_levels`).
    """
    ratios: dict[str, list[float]] = defaultdict(list)
    for group, column in columns.items():
        for point, error, known in zip(points, column, known_levels(points, group), strict=True):
            ratios[spread_name(point, known)].append(math.exp(-error))
    found = {}
    for name, values in sorted(ratios.items()):
        values.sort()
        found[name] = (values[int(CUT * len(values))], values[min(len(values) - 1, int((1 - CUT) * len(values)))])
    # what is known better is never told more widely
    for better, lesser in (("seen", "new"), ("measured", "seen")):
        for name in [known for known in found if known.endswith(better)]:
            (low, high), wide = found[name], found.get(name.removesuffix(better) + lesser, (0.0, math.inf))
            found[name] = (max(low, wide[0]), min(high, wide[1]))
    return found


def spread_name(point: Point, known: str) -> str:
    """The spread that a figure takes when the fit knows that much of it."""
    mixture = "moe" if point.prepared.moe else "dense"
    return f"{SPREADS[point.metric]}, {mixture}, {known}"


def coverage(points: list[Point], errors: list[float], found: Mapping[str, tuple[float, float]], group: str) -> str:
    """Share of observations inside the spreads, in words."""
    split: dict[str, list[bool]] = defaultdict(list)
    for point, error, known in zip(points, errors, known_levels(points, group), strict=True):
        low, high = found[spread_name(point, known)]
        split[spread_name(point, known)].append(low <= math.exp(-error) <= high)
    everything = [value for values in split.values() for value in values]
    parts = [f"{name} {100 * sum(values) / len(values):.0f}" for name, values in sorted(split.items())]
    return f"inside the 80 % interval: all {100 * sum(everything) / len(everything):.0f} % ({', '.join(parts)})"


def half_left_out(points: list[Point], seed: int) -> list[float]:
    """Residual of each figure under a fit to the other half of the (source, GPU, model) groups, from the priors."""
    groups = sorted({point.prepared.groups["table"] for point in points})
    random.Random(seed).shuffle(groups)
    first = frozenset(groups[: len(groups) // 2])
    errors = [0.0] * len(points)
    for side in (False, True):
        fitted = [point for point in points if (point.prepared.groups["table"] in first) == side]
        for point in points:
            point.prepared.groups["half"] = str(point.prepared.groups["table"] in first)
        balance(fitted)
        constants = fit_all(fitted, PRIORS, HALF_STEPS).constants
        others = [index for index, point in enumerate(points) if (point.prepared.groups["table"] in first) != side]
        for index, error in zip(others, residuals([points[i] for i in others], constants), strict=True):
            errors[index] = error
    balance(points)
    return errors


def write(constants: Mapping[str, float], found: Mapping[str, tuple[float, float]], points: list[Point]) -> None:
    """Rewrite the calibration module."""
    lines = [
        '"""Constants of the serving-speed model. Written by `python scripts/calibrate_serving_speed.py --write`.',
        "",
        "`CONSTANTS` maps a name to a value; `name@class` multiplies it for a class of GPU, engine or arithmetic. What each",
        "means: engine/serving/speed.py. `SPREADS` are factors around a prediction that hold 80 % of what the fit had not",
        "seen: other rows of a model on a card under an engine (`measured`), that model there while both were seen apart",
        "(`seen`), or a card, model or engine that is new to it (`new`).",
        '"""',
        "",
        "from typing import Final",
        "",
        "CONSTANTS: Final[dict[str, float]] = {",
        *(f'    "{name}": {value:.4g},' for name, value in constants.items()),
        "}",
        "SPREADS: Final[dict[str, tuple[float, float]]] = {",
        *(f'    "{name}": ({low:.3f}, {high:.3f}),' for name, (low, high) in found.items()),
        "}",
        "SEEN_PLACES: Final[frozenset[str]] = frozenset(",
        *_often(place_of(point) for point in points),
        ")",
        "SEEN_MODELS: Final[frozenset[str]] = frozenset(",
        *_often(model_of(point) for point in points),
        ")",
        "SEEN_PAIRS: Final[frozenset[str]] = frozenset(",
        *_often(pair_of(point) for point in points),
        ")",
        "",
    ]
    TARGET.write_text("\n".join(lines), encoding="utf-8")


def _often(names: Iterable[str]) -> list[str]:
    kept = sorted(name for name, count in Counter(names).items() if count >= SEEN_FIGURES)
    return ["    {", *(f'        "{name}",' for name in kept), "    }"]


def _origin(row: Row) -> str:
    """Who published a row."""
    source = row["source"]
    if not isinstance(source, dict):
        return str(source)
    return str(source.get("origin") or source.get("repo") or source.get("url"))


def main() -> int:
    """Fit, print, and write when asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="rewrite engine/calibration/serving_speed.py")
    parser.add_argument("--steps", type=int, default=40, help="most Gauss-Newton steps (default 40)")
    parser.add_argument("--cold", action="store_true", help="start from the textbook values, not from the last fit")
    parser.add_argument("--halves", type=int, default=0, help="also fit to random halves of the groups, so many times")
    options = parser.parse_args()
    rows = load_rows(REFERENCE / "inference_perf.jsonl")
    points = points_of(rows)
    origins = {row["id"]: _origin(row) for row in rows}
    last = {} if options.cold else dict(fit.CONSTANTS)
    found = fit_all(points, {name: last.get(name, prior) for name, prior in PRIORS.items()}, options.steps)
    errors = residuals(points, found.constants)
    table("fit on all rows", points, errors)
    for point in points:
        point.prepared.groups["fold"] = str(zlib.crc32(point.row_id.encode()) % FOLDS)
        point.prepared.groups["pair"] = "{gpu} {model}".format(**point.prepared.groups)
        point.prepared.groups["table"] = f"{origins[point.row_id]} {point.prepared.groups['pair']}"
    columns = {}
    ways = {"gpu": "each GPU", "model": "each model", "engine": "each engine", "pair": "each model on each GPU"}
    for group, what in (*ways.items(), ("fold", "a fifth")):
        columns[group] = left_out(points, found, group)
        table(f"{what} left out", points, columns[group])
    ranges = spreads(points, columns)
    print()
    for group, column in columns.items():
        print(f"{group} left out: {coverage(points, column, ranges, group)}")
    for seed in range(options.halves):
        errors = half_left_out(points, seed)
        table(f"half of the tables left out, draw {seed}", points, errors)
        print(coverage(points, errors, ranges, "half"))
    for name, (low, high) in ranges.items():
        print(f"{name}: {low:.2f} to {high:.2f} times the prediction")
    if options.write:
        write(found.constants, ranges, points)
        print(f"wrote {TARGET.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
