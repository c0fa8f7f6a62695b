"""Fit what serving engines add to kernels, to published speeds: tests/reference/inference_perf.jsonl and _wave2.jsonl.

    python -m tests.calibration serving_speed                       the fit and its errors
    python -m tests.calibration serving_speed --left-out --write    also with each source left out, and rewrite

What a product, an attention or an expert costs is measured kernel by kernel (engine/calibration/kernels.py); this fits the
rest. The residual is the logarithm of predicted over observed. Gauss-Newton steps with a Jacobian by differences, rows weighted
down as they lie off (an L1 loss), and each constant held to its prior. A table (one source's figures of one model on one
card under one engine) has one vote, nearly: a figure weighs the number of its like to the power -0.75. Sources are left
out for real: the fit is made again without them. Figures that `inference_perf.doubt_of` names are not fitted on.
"""

from __future__ import annotations

import argparse
import importlib
import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.calibration import serving_speed as shipped
from engine.decide.plan import plan
from engine.scenario import Layout
from engine.serving import intervals
from engine.serving.draft import drafting
from engine.serving.memory import serving_memory
from engine.serving.passes import Rates, rates_with
from engine.serving.prefix import cached_tokens
from engine.serving.settings import stored_weights
from engine.serving.shapes import Shape, engine_split, shape_of
from engine.serving.speed import Load, best_load, load, running_limit
from engine.sizing import Memory
from tests.accuracy import inference_perf as rows_of
from tests.accuracy.harness import REFERENCE, Row, load_rows, spread
from tests.accuracy.rows import readable
from tests.accuracy.speed_loads import Unusable, benchmark_of, run_of

TARGET = Path(shipped.__file__)
# How far a constant may lie from its textbook value, as a standard deviation of its logarithm.
SIGMA = 0.4
ROW_SIGMA = 0.15
# Power of the number of its like by which a figure weighs less: a table has one vote, nearly.
BALANCE = 0.75
# share of the left-out observations cut off at each end of an interval
CUT = 0.095
# ... where a figure weighs the number of its like to this power: half way between one vote a table and one a figure
VOTE = 0.5
# parts that the sources are left out in
FOLDS = 8
# How much a mark's part of an interval's width is held to none, in votes; rounds of its fit
MARK_RIDGE, WIDTH_ROUNDS = 1.0, 60
# steps of a fit without some sources, from the fit with all
LEFT_OUT_STEPS = 4

FILES = ("inference_perf.jsonl", "inference_perf_wave2.jsonl")
# constant: textbook value, before any fit
SHAPE: dict[str, float] = {
    "stream": 1.0,
    # norms, activations and casts stand between products, 5 to 10 % of a pass, and no pass is quite full
    "products": 0.9,
    "experts": 1.0,
    "expert_stream": 0.8,
    "kv": 1.0,
    "attention": 1.0,
    "latent_bandwidth": 0.5,
    "latent_compute": 0.42,
    "layer_s": 30e-6,
    "moe_layer_s": 1.0,
    "latent_layer_s": 15e-6,
    "step_s": 3e-4,
    "sequence_s": 5e-6,
    "collective_latency": 1.0,
    "collective_bytes": 1.0,
    "collective_prefill": 1.0,
    "prefill_s": 10e-3,
    "prefill_layer_s": 3e-4,
    "prefill_moe_layer_s": 1e-3,
    "queueing": 1.0,
    "in_step": 0.25,
    "expert_spread": 0.95,
    # one token's experts are one product in llama.cpp, read like any other, behind a dozen small kernels that choose and sum
    # them, where servers have two or three fused ones
    "expert_stream@llama.cpp": 1.35,
    "moe_layer_s@llama.cpp": 3.0,
}
# constants that rows move, factors of an engine among them: each makes the error of sources left out smaller than its textbook
# value does, and no other does (`--each` prints both); `expert_spread` that of mixtures' tokens alone
FREE = (
    "products@trtllm",
    "layer_s@llama.cpp",
    "collective_bytes",
    "collective_prefill",
    "prefill_s",
    "prefill_moe_layer_s@sglang",
    "queueing",
    "expert_spread",
)
PRIORS: dict[str, float] = SHAPE | {name: SHAPE.get(name, 1.0) for name in FREE}

# which figures share a spread: the part of Serving that answers them
SPREADS = {
    rows_of.TTFT_LOW: "ttft",
    rows_of.TTFT_LOADED: "ttft loaded",
    rows_of.TPOT_DENSE: "inter_token",
    rows_of.TPOT_MOE: "inter_token",
    rows_of.MAXIMUM: "tokens_per_s",
    rows_of.LIMITED: "tokens_per_s best",
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
    source: str
    doubt: str
    weight: float = 1.0


def points_of(rows: list[Row]) -> list[Point]:
    """The measured figures of all usable rows; runs that stand in two tables are one."""
    found: list[Point] = []
    runs: set[tuple[object, ...]] = set()
    for row in rows:
        run = run_of(readable(row))
        if run in runs:
            continue
        try:
            prepared = rows_of.prepare(readable(row))
        except Unusable:
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
        if run:
            runs.add(run)
        model = scenario.model
        weights = stored_weights(model, scenario.runtime)
        shape = shape_of(model.architecture, weights, model.kv_cache, layout, scenario.hardware)
        for metric, value in prepared.observed:
            doubt = rows_of.doubt_of(row, prepared)
            found.append(Point(row["id"], metric, value, prepared, layout, memory, shape, origin_of(row), doubt))
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
    return (point.source, point.metric, groups["gpu"], groups["model"], groups["engine"])


def tags_of(point: Point) -> frozenset[str]:
    """The classes whose factors touch a figure."""
    return frozenset((point.prepared.scenario.runtime.engine,))


Known = dict[tuple[object, ...], Rates | Load]


def predict(point: Point, constants: Mapping[str, float], known: Known | None = None) -> float:
    """The model's figure with those constants. known: what other figures of the same constants share."""
    known = {} if known is None else known
    scenario = point.prepared.scenario
    work, runtime, hardware = scenario.workload, scenario.runtime, scenario.hardware
    card = hardware.accelerator.id, hardware.power_limit_w
    key = (id(point.shape), *card, runtime.engine, *drafting(scenario.model, runtime))
    r = known.get(key)
    if not isinstance(r, Rates):
        r = known[key] = rates_with(scenario, point.layout, constants, point.shape)
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
        wait = runtime.admission_wait_steps
        state = load(
            r,
            work.concurrency / used,
            cap,
            prompt,
            answer,
            requests,
            wait,
            work.output_spread or 0.0,
            work.requests_per_s is not None,
            cached_tokens(scenario),
        )
        known[(point.row_id,)] = state
    if point.metric in (rows_of.TTFT_LOW, rows_of.TTFT_LOADED):
        return state.ttft_s
    if point.metric == rows_of.LOADED:
        return state.tokens_per_s * used
    return rows_of.printed_token_s(point.prepared, state.inter_token_s, state.interference_s)


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


def add_squares(matrix: list[list[float]], lines: list[Sparse], weights: list[float], picked: list[int]) -> None:
    """Add the figures' share of the normal matrix, its upper triangle."""
    for i in picked:
        line, weight = lines[i], weights[i]
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
        full[a][a] += 1 / SIGMA**2
        right[a] -= math.log(constants[name] / PRIORS.get(name, 1.0)) / SIGMA**2
    moved = solve(full, right)
    return {n: constants[n] * math.exp(max(-0.5, min(0.5, d))) for n, d in zip(names, moved, strict=True)}


def objective(points: list[Point], constants: Mapping[str, float]) -> float:
    """What the fit minimises: weighted absolute errors and the distance from the priors."""
    errors = residuals(points, constants)
    loss = sum(p.weight * abs(e) / ROW_SIGMA for p, e in zip(points, errors, strict=True))
    return loss + sum(0.5 * (math.log(c / PRIORS.get(n, 1.0)) / SIGMA) ** 2 for n, c in constants.items())


def fit_all(
    points: list[Point], start: Mapping[str, float], steps: int, free: Sequence[str] = FREE
) -> dict[str, float]:
    """The constants that fit the figures best. free: those that may move."""
    names = list(free)
    balance(points)
    everything = list(range(len(points)))
    best = dict(start)
    best_loss = objective(points, best)
    for _ in range(steps):
        lines = jacobian(points, dict(best), names)
        errors = residuals(points, best)
        weights = row_weights(points, errors)
        matrix = [[0.0] * len(names) for _ in names]
        add_squares(matrix, lines, weights, everything)
        moved = best | step_of(matrix, lines, weights, dict(enumerate(errors)), best, names)
        for _ in range(5):
            loss = objective(points, moved)
            if loss < best_loss:
                break
            moved = {name: math.sqrt(moved[name] * best[name]) for name in moved}
        else:
            break
        gain, best, best_loss = best_loss - loss, moved, loss
        if gain < 0.0005 * best_loss:
            break
    return best


def folds_of(points: list[Point], parts: int = FOLDS) -> dict[str, int]:
    """The part in which each source is left out: the source of most tables goes first, to the part with the fewest."""
    tables: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for point in points:
        tables[point.source].add(_like(point))
    held, found = [0] * parts, {}
    for source in sorted(tables, key=lambda one: (-len(tables[one]), one)):
        fold = held.index(min(held))
        held[fold] += len(tables[source])
        found[source] = fold
    return found


def left_out(points: list[Point], found: Mapping[str, float], free: Sequence[str] = FREE) -> list[float]:
    """Residual of each figure under constants fitted without any figure of its source."""
    folds = folds_of(points)
    errors = [0.0] * len(points)
    for fold in range(FOLDS):
        inside = [index for index, point in enumerate(points) if folds[point.source] == fold]
        fitted = [point for point in points if folds[point.source] != fold and not point.doubt]
        constants = fit_all(fitted, found, LEFT_OUT_STEPS, free)
        for index, error in zip(inside, residuals([points[i] for i in inside], constants), strict=True):
            errors[index] = error
    return errors


# an error that is beyond this, as a logarithm, says no more
MOST_JUDGED = 1.5


def judged(points: list[Point], errors: list[float]) -> float:
    """The mean error over the figures, each by its rows and by its tables alike, as a logarithm: what constants are kept by."""
    counts = Counter(map(_like, points))
    split: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for point, error in zip(points, errors, strict=True):
        split[point.metric].append((min(abs(error), MOST_JUDGED), counts[_like(point)] ** -VOTE))
    means = [
        statistics.mean(error for error, _ in told) / 2 + sum(e * w for e, w in told) / sum(w for _, w in told) / 2
        for told in split.values()
    ]
    return statistics.mean(means)


def each_alone(fitted: list[Point], found: Mapping[str, float]) -> None:
    """Print what the error of sources left out gains by each constant that moves, and would lose or gain by each other one."""
    whole = judged(fitted, left_out(fitted, found))
    print(
        f"\nmean error, sources left out: {whole:.4f}; nothing fitted: {judged(fitted, residuals(fitted, PRIORS)):.4f}"
    )
    for name in PRIORS:
        free = [one for one in FREE if one != name] if name in FREE else [*FREE, name]
        start = {**found, name: PRIORS[name]} if name in FREE else found
        error = judged(fitted, left_out(fitted, fit_all(fitted, start, LEFT_OUT_STEPS, free), free))
        print(f"{'held' if name in FREE else 'moved'} {name}: {error - whole:+.4f}", flush=True)


def by_figure(points: list[Point], errors: list[float]) -> dict[str, tuple[list[float], list[float]]]:
    """Of each metric, the signed relative errors of its figures and the median size of each table's."""
    split: dict[str, list[float]] = defaultdict(list)
    tables: dict[str, dict[tuple[str, ...], list[float]]] = defaultdict(lambda: defaultdict(list))
    for point, error in zip(points, errors, strict=True):
        split[point.metric].append(math.exp(error) - 1)
        tables[point.metric][_like(point)].append(abs(math.exp(error) - 1))
    return {
        metric: (values, [statistics.median(one) for one in tables[metric].values()])
        for metric, values in split.items()
    }


def table(title: str, points: list[Point], errors: list[float]) -> None:
    """Errors by metric: of the figures, and of tables with one vote each."""
    print(f"\n{title}\n{'':38}{'n':>6}{'median':>9}{'p90':>9}{'bias':>9}{'tables':>9}{'median':>9}{'p90':>9}   (%)")
    for metric, (values, voted) in by_figure(points, errors).items():
        (median, p90), (vote, vote_p90) = spread(values), spread(voted)
        told = f"{len(values):6}{100 * median:9.1f}{100 * p90:9.1f}{100 * statistics.median(values):+9.1f}"
        print(f"{metric:38}{told}{len(voted):9}{100 * vote:9.1f}{100 * vote_p90:9.1f}")


Widths = dict[str, dict[str, float]]
Cuts = dict[str, tuple[float, float]]


def mean_errors(points: list[Point], errors: list[float]) -> Widths:
    """Of each figure, the mean error of a plain build and what each mark multiplies it by: those that make the errors likeliest.

    Errors are taken as Laplace's: each weighs log width + error / width. A mark that few tables bear stays near 1.
    """
    counts = Counter(map(_like, points))
    found: Widths = {}
    for figure in sorted({SPREADS[point.metric].partition(" ")[0] for point in points}):
        rows = [
            (abs(error), counts[_like(point)] ** -VOTE, marks(point))
            for point, error in zip(points, errors, strict=True)
            if SPREADS[point.metric].startswith(figure)
        ]
        names = ["base", *(mark for mark in intervals.MARKS if any(mark in row[2] for row in rows))]
        picked = {name: [i for i, row in enumerate(rows) if name == "base" or name in row[2]] for name in names}
        logs, widths = dict.fromkeys(names, 0.0), [0.0] * len(rows)
        for _ in range(WIDTH_ROUNDS):
            for name in names:
                pull = 0.0 if name == "base" else MARK_RIDGE
                held = sum(rows[i][1] for i in picked[name])
                told = sum(rows[i][1] * rows[i][0] * math.exp(-widths[i]) for i in picked[name])
                step = (held - told + pull * logs[name]) / (told + pull)
                step = max(-0.5, min(0.5, step))
                logs[name] -= step
                for i in picked[name]:
                    widths[i] -= step
        found[figure] = {name: math.exp(value) for name, value in logs.items()}
    return found


def marks(point: Point) -> tuple[str, ...]:
    """The marks that a figure's build bears."""
    return intervals.marks_of(SPREADS[point.metric], point.prepared.scenario)


def width(point: Point, widths: Widths) -> float:
    """The mean error that is expected of a figure."""
    known = widths[SPREADS[point.metric].partition(" ")[0]]
    return known["base"] * math.prod(known.get(mark, 1.0) for mark in marks(point))


def cuts(points: list[Point], errors: list[float], widths: Widths) -> Cuts:
    """Of each class of figure, the errors over their width between which the middle 80 % of observations lie, a table with one vote."""
    ratios: dict[str, list[tuple[float, float]]] = defaultdict(list)
    counts = Counter(map(_like, points))
    for point, error in zip(points, errors, strict=True):
        ratios[SPREADS[point.metric]].append((-error / width(point, widths), counts[_like(point)] ** -VOTE))
    return {
        figure: (_quantile(sorted(values), CUT), _quantile(sorted(values), 1 - CUT))
        for figure, values in ratios.items()
    }


def _quantile(values: list[tuple[float, float]], share: float) -> float:
    wanted, passed = share * sum(weight for _, weight in values), 0.0
    for value, weight in values:
        passed += weight
        if passed >= wanted:
            return value
    return values[-1][0]


def groups_of(point: Point) -> tuple[str, ...]:
    """The groups in which intervals are checked."""
    known = point.prepared.groups
    newer = "newer" if point.row_id.startswith("gt2") else "first file"
    return (f"figure: {point.metric}", f"rows: {newer}", *(f"{name}: {known[name]}" for name in CHECKED))


CHECKED = ("kind", "engine", "link", "prompts")
FEWEST_IN_GROUP = 20


def coverage(title: str, points: list[Point], errors: list[float], widths: Widths, found: Cuts) -> None:
    """Print the share of observations inside the interval, in all and by group of rows enough."""
    split: dict[str, list[bool]] = defaultdict(list)
    for point, error in zip(points, errors, strict=True):
        low, high = found[SPREADS[point.metric]]
        inside = low <= -error / width(point, widths) <= high
        for group in ("all", *groups_of(point)):
            split[group].append(inside)
    parts = [
        f"{name} {100 * sum(v) / len(v):.0f} of {len(v)}"
        for name, v in sorted(split.items())
        if len(v) >= FEWEST_IN_GROUP
    ]
    print(f"inside the 80 % interval, {title}: {'; '.join(parts)}")


def write(constants: Mapping[str, float], widths: Widths, found: Cuts, points: list[Point]) -> None:
    """Rewrite the calibration module."""
    tables, sources = len(set(map(_like, points))), len({point.source for point in points})
    lines = [
        '"""What serving engines add to kernels. Written by `python -m tests.calibration serving_speed --left-out --write`.',
        "",
        "`CONSTANTS` maps a name to a value; `name@engine` multiplies it for an engine. What each means:",
        "engine/serving/passes.py. `WIDTHS` are the mean error of a figure's logarithm, of a plain build and as a factor of each mark",
        "(engine/serving/intervals.py); `CUTS`, in such widths, hold 80 % of what sources left out of the fit and those fitted observed.",
        '"""',
        "",
        "from typing import Final",
        "",
        "CONSTANTS: Final[dict[str, float]] = {",
        *(f'    "{name}": {value:.4g},' for name, value in constants.items()),
        "}",
        "ASSUMED: Final = frozenset(",
        "    {",
        *(f'        "{name}",' for name in constants if name not in FREE),
        "    }",
        ")",
        '"""Constants that stand at their textbook value: fitted, each made sources left out worse."""',
        "WIDTHS: Final[dict[str, dict[str, float]]] = {",
        *(
            line
            for figure, parts in widths.items()
            for line in (f'    "{figure}": {{', *(f'        "{name}": {v:.3f},' for name, v in parts.items()), "    },")
        ),
        "}",
        "CUTS: Final[dict[str, tuple[float, float]]] = {",
        *(f'    "{figure}": ({low:.3f}, {high:.3f}),' for figure, (low, high) in found.items()),
        "}",
        f"TABLES: Final = {tables}",
        f"SOURCES: Final = {sources}",
        '"""Tables of how many sources the constants are fitted on."""',
        "",
    ]
    TARGET.write_text("\n".join(lines), encoding="utf-8")


def origin_of(row: Row) -> str:
    """Who published a row."""
    source = row["source"]
    if not isinstance(source, dict):
        return str(source)
    if benchmark_of(row) == "InferenceX":
        return "InferenceX"
    return str(source.get("origin") or source.get("repo") or source.get("url"))


def options(parser: argparse.ArgumentParser) -> None:
    """What this fit alone can be told."""
    parser.add_argument("--steps", type=int, default=15, help="most Gauss-Newton steps (default 15)")
    parser.add_argument("--base", action="store_true", help="also fit without factors of engines")
    parser.add_argument(
        "--nested", action="store_true", help="choose the constants again without each part, nothing else"
    )
    parser.add_argument("--each", action="store_true", help="also what each constant gains where sources are left out")


def calibrate(options: argparse.Namespace) -> None:
    """Fit, print, and write when asked."""
    points = points_of([row for name in FILES for row in load_rows(REFERENCE / name)])
    fitted = [point for point in points if not point.doubt]
    print(f"{len(points)} figures, {len(fitted)} fitted on")
    if options.nested:
        importlib.import_module("tests.calibration.nested").report(points, options.write)
        return
    table("nothing fitted", fitted, residuals(fitted, PRIORS))
    found = fit_all(fitted, PRIORS, options.steps)
    table("fit on all", fitted, residuals(fitted, found))
    if options.base:
        free = [name for name in FREE if "@" not in name]
        plain = fit_all(fitted, PRIORS, options.steps, free)
        table("sources left out, no factors of engines", fitted, left_out(fitted, plain, free))
    if options.each:
        each_alone(fitted, found)
    widths, ranges = dict(shipped.WIDTHS), dict(shipped.CUTS)
    if options.left_out:
        errors = left_out(points, found)
        kept = [index for index, point in enumerate(points) if not point.doubt]
        table("sources left out", fitted, [errors[index] for index in kept])
        table("sources left out, with the figures in doubt", points, errors)
        # half of those who ask have a build like one of the tables, half have one that nobody published
        seen = residuals(points, found)
        widths = mean_errors(points + points, seen + errors)
        ranges = cuts(points + points, seen + errors, widths)
        coverage("sources left out", points, errors, widths, ranges)
        coverage("fit on all", points, seen, widths, ranges)
    for figure, parts in widths.items():
        told = {name: cut for name, cut in ranges.items() if name.startswith(figure)}
        print(f"{figure}: {told} widths of {parts}")
    for name, value in found.items():
        print(f"{name}: {value:.4g} (before the fit {PRIORS[name]:.4g})")
    if options.write:
        write(found, widths, ranges, fitted)
        print(f"wrote {TARGET.name}")
