"""Fit the constants of the training-memory model to tests/reference/training_memory.jsonl.

python -m tests.calibration training_memory [--left-out] [--write]

Each constant starts at what the mechanics say and is moved by coordinate descent on the pooled errors, every source
weighted by the square root of its rows so that no large table decides alone, with a weak pull back to its start.
Printed: the fit and the errors; with --left-out also those of each source under constants fitted without it.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.calibration import training_memory as fitted
from engine.figures.units import GIB
from engine.scenario import Layout, Scenario
from engine.training.memory import core, training_memory
from engine.training.memory.recipe import method_of
from tests.accuracy import harness
from tests.accuracy import training_memory as accuracy
from tests.calibration import folds

TARGET = Path(fitted.__file__)


@dataclass(frozen=True, slots=True)
class Constant:
    """One constant: where the mechanics put it, how far it may go, and what it means (written beside it)."""

    name: str
    start: float
    low: float
    high: float
    comment: str


CONSTANTS = (
    Constant("LOGIT_EAGER", 12.0, 10.0, 16.0, "Bytes a logit, eager: fp32 copy, shifted copy and log-softmax."),
    Constant("LOGIT_EAGER_16BIT", 8.0, 6.0, 8.0, "The same without the upcast: four 16-bit copies at most."),
    Constant("LOGIT_COMPILED", 8.0, 6.0, 10.0, "One kernel over fp32 logits, gradient in place, shifted copy."),
    Constant("LOGIT_COMPILED_WHOLE", 4.0, 3.0, 8.0, "Upcast inside the kernel too: 16-bit logits and gradient."),
    Constant("LOGIT_CHUNKED_16BIT", 2.0, 1.0, 6.0, "16-bit logits whole, one chunk of the rest at a time."),
    Constant(
        "LOGIT_CHUNKED",
        1.25,
        1.25,
        1.25,
        "One chunk of eight at a time: its logits in 16 bits and fp32, and their gradient (not fitted).",
    ),
    Constant("LOGIT_FUSED", 0.05, 0.0, 0.5, "Logits never whole: the output matrix is inside the kernel."),
    Constant("LOSS_HIDDEN", 3.0, 1.0, 6.0, "Hidden states alive beside the logits."),
    Constant("SAVED_HIDDEN", 4.0, 2.0, 8.0, "Hidden sizes a layer keeps for its backward: norms' inputs and outputs."),
    Constant("SAVED_QKV", 1.6, 1.0, 2.5, "Widths of Q, K and V a layer keeps: before and after the rotation."),
    Constant("SAVED_MLP", 2.0, 1.2, 3.0, "Widths of the feed-forward's inner outputs a layer keeps."),
    Constant("BACKWARD_HIDDEN", 2.0, 0.5, 6.0, "Hidden sizes more while a layer's backward runs: gradients."),
    Constant("BACKWARD_MLP", 1.5, 0.7, 3.0, "Feed-forward widths more while a layer's backward runs."),
    Constant("UNFUSED_HIDDEN", 3.5, 1.0, 8.0, "Hidden sizes more with unfused norms and rotary embeddings."),
    Constant(
        "RESIDUAL_FP32", 1.75, 1.75, 1.75, "What an fp32 residual stream makes of a layer's activations (not fitted)."
    ),
    Constant("GATHERED_HIDDEN", 4.0, 2.0, 8.0, "Whole hidden states that tensor parallelism gathers in a layer."),
    Constant("QUANTIZED_INPUT", 3.0, 1.0, 5.0, "Bytes that 4-bit kernels of 2023 keep of a projection's input."),
    Constant("GPTQ_UNPACK", 24.0, 12.0, 36.0, "Bytes to unpack one element of the largest matrix, same era."),
    Constant("ADAPTER_INPUT", 2.0, 0.5, 5.0, "Bytes an adapter keeps of its input without recomputation: dropout."),
    Constant("DEEPSPEED_BUCKETS_GB", 1.2, 0.6, 3.0, "GB of DeepSpeed's flat communication buckets."),
    Constant("CACHE_SHARE", 0.12, 0.05, 0.25, "Allocator cache over what a step allocates and frees."),
    Constant("CACHE_SHARE_GATHERED", 0.18, 0.05, 0.25, "The same when layers are gathered (two streams)."),
    Constant("CACHE_OTHER_PHASE", 0.8, 0.2, 1.2, "Cache over the smaller of the loss and the layer's backward."),
    Constant("STUCK_SHARE", 0.5, 0.2, 1.0, "Part of the cache that cannot be given back under pressure."),
    Constant("CONTEXT_GB", 0.6, 0.4, 1.0, "GB of CUDA context and libraries."),
    Constant("COMMUNICATORS_GB", 1.0, 0.3, 2.0, "GB of communicators with more than one rank."),
    Constant("DRIVER_SHARE", 0.011, 0.011, 0.011, "Share of the reported memory that the driver keeps (not fitted)."),
)
PULL = 0.002  # of the squared log-distance to the start, against errors that average a few percent
ERROR_CAP = 0.30  # beyond this a row is wrong about its own settings and must not pull
SMALL_ERROR = 0.03  # below this the fit stops caring: the next release of a framework moves more
NVIDIA_SMI_WEIGHT = 0.25
OUTCOME_WEIGHT = 0.5
OUTCOME_MARGIN = 0.03

Prepared = list[tuple[harness.Row, Scenario, Layout]]


def prepare() -> Prepared:
    """The rows to fit on, written as scenarios."""
    prepared: Prepared = []
    for row in harness.load_rows(harness.REFERENCE / "training_memory.jsonl"):
        if row.get("in_fit"):
            try:
                prepared.append((row, *accuracy.scenario_of(row)))
            except accuracy.Unreadable as reason:
                print(f"set aside {row['id']}: {reason}")
    return prepared


def current() -> dict[str, float]:
    """The constants in force."""
    return {constant.name: float(getattr(fitted, constant.name)) for constant in CONSTANTS}


def put(values: dict[str, float]) -> None:
    """Make the engine use these constants."""
    for name, value in values.items():
        setattr(fitted, name, value)
    core.forget()


def errors(prepared: Prepared) -> dict[str, list[float]]:
    """Log errors of the peaks, by source."""
    found: dict[str, list[float]] = defaultdict(list)
    for row, scenario, layout in prepared:
        if not row["oom"] and row.get("observed_gib"):
            predicted = accuracy.predicted_bytes(
                training_memory(scenario, layout, suggest=False), str(row["observed_metric"])
            )
            found[row["source_group"]].append(math.log(predicted / GIB / row["observed_gib"]))
    return found


def soft(error: float) -> float:
    """Absolute error, quadratic below SMALL_ERROR and flat beyond ERROR_CAP."""
    return math.hypot(min(ERROR_CAP, abs(error)), SMALL_ERROR)


def loss(prepared: Prepared, weights: dict[str, float], values: dict[str, float]) -> float:
    """What the fit makes small."""
    put(values)
    total = 0.0
    for row, scenario, layout in prepared:
        memory = training_memory(scenario, layout, suggest=False)
        weight = weights[row["source_group"]]
        margin = math.log(memory.worst.used_bytes / memory.worst.usable_bytes)
        if row["oom"]:
            total += weight * OUTCOME_WEIGHT * min(ERROR_CAP, max(0.0, OUTCOME_MARGIN - margin))
            continue
        if row.get("gpu_mem_gb"):
            total += weight * 3.0 * OUTCOME_WEIGHT * min(ERROR_CAP, max(0.0, OUTCOME_MARGIN + margin))
        predicted = accuracy.predicted_bytes(memory, str(row["observed_metric"]))
        total += weight * soft(math.log(predicted / GIB / row["observed_gib"]))
        beside = (row.get("also_observed") or {}).get("nvidia_smi_peak_gib")
        if beside:
            total += weight * NVIDIA_SMI_WEIGHT * soft(math.log(memory.nvidia_smi_bytes / GIB / beside))
    for constant in CONSTANTS:
        if constant.start:
            total += PULL * math.log(max(values[constant.name], 1e-3) / constant.start) ** 2
    return total


def fit(prepared: Prepared, values: dict[str, float], sweeps: int) -> dict[str, float]:
    """Coordinate descent with steps that halve when a sweep finds nothing."""
    counts: dict[str, int] = defaultdict(int)
    for row, _, _ in prepared:
        counts[row["source_group"]] += 1
    norm = sum(math.sqrt(count) for count in counts.values())
    weights = {source: math.sqrt(count) / norm / count for source, count in counts.items()}
    best = dict(values)
    best_loss = loss(prepared, weights, best)
    step = 0.15
    for _ in range(sweeps):
        moved = False
        for constant in CONSTANTS:
            if constant.low == constant.high:
                continue
            for direction in (1.0 + step, 1.0 / (1.0 + step)):
                trial = dict(best)
                value = max(best[constant.name], 0.01) * direction
                trial[constant.name] = min(constant.high, max(constant.low, value))
                found = loss(prepared, weights, trial)
                if found < best_loss - 1e-7:
                    best, best_loss, moved = trial, found, True
                    break
        if not moved:
            step /= 2.0
            if step < 0.01:
                break
    put(best)
    return best


def publisher(row: harness.Row) -> str:
    """Who published a row: tables of one publisher are left out together."""
    return str(row["source_group"]).partition("_")[0]


def source_line(name: str, listed: list[float]) -> str:
    """One line of the table: rows, median and p90 of the absolute error, signed median, %."""
    median, p90 = harness.spread(math.expm1(error) for error in listed)
    bias = statistics.median(math.expm1(error) for error in listed)
    return f"{name:<24}{len(listed):>5}{100 * median:>9.1f}{100 * p90:>9.1f}{100 * bias:>+9.1f}"


def table(found: dict[str, list[float]]) -> str:
    """Errors by source and pooled, %."""
    lines = [f"{'source':<24}{'n':>5}{'median':>9}{'p90':>9}{'bias':>9}"]
    lines += [source_line(source, found[source]) for source in sorted(found)]
    lines.append(source_line("pooled", [error for listed in found.values() for error in listed]))
    medians = [statistics.median(abs(math.expm1(e)) for e in listed) for listed in found.values()]
    lines.append(f"average over sources: {100 * statistics.mean(medians):.1f} %")
    return "\n".join(lines)


def rounded(value: float) -> float:
    """Three significant digits: more would claim what the data do not hold."""
    return float(f"{value:.3g}")


def outward(end: float, to: Callable[[float], int]) -> float:
    """An end of an interval in three digits, on the side on which the run that it is cut at stays inside."""
    unit = 10.0 ** (math.floor(math.log10(end)) - 2)
    return float(f"{to(end / unit) * unit:.3g}")


def interval(left_out: dict[str, list[float]]) -> tuple[float, float]:
    """The 80 % interval of observed over predicted among sources that the fit had not seen, each weighing the same."""
    weighted = sorted((error, 1.0 / len(listed)) for listed in left_out.values() for error in listed)
    total, seen, quantiles = sum(weight for _, weight in weighted), 0.0, []
    for error, weight in weighted:
        for quantile in (0.1, 0.9):
            if seen < quantile * total <= seen + weight:
                quantiles.append(error)
        seen += weight
    low, high = quantiles
    return math.exp(-high), math.exp(-low)


TABLES = ("training_memory", "training_memory_public", "training_memory_wave2")


def told(values: dict[str, float], kept: folds.Folds) -> list[folds.Told]:
    """(interval, publisher, log error of the prediction) of every run that ran, under constants that never saw its publisher."""
    found: list[folds.Told] = []
    rows = [row for name in TABLES for row in harness.load_rows(harness.REFERENCE / f"{name}.jsonl")]
    rows = [row for row in rows if row.get("in_fit", True) and not row["oom"] and row.get("observed_gib")]
    for source in sorted({publisher(row) for row in rows}):
        put(folds.without(kept, values, source))
        for row in rows:
            if publisher(row) != source:
                continue
            try:
                scenario, layout = accuracy.scenario_of(row)
            except accuracy.Unreadable:
                continue
            memory = training_memory(scenario, layout, suggest=False)
            predicted = accuracy.predicted_bytes(memory, str(row["observed_metric"])) / GIB
            group = core.interval_group(method_of(scenario.workload), layout.gpus)
            found.append((group, source, math.log(predicted / row["observed_gib"])))
    put(values)
    return found


def write(values: dict[str, float], stated: tuple[float, float], counts: tuple[int, int]) -> None:
    """Rewrite the constants module. counts: runs, and the sources that they are of."""
    lines = [
        '"""Fitted constants of the training-memory model; engine/training/memory/peak.py says what each multiplies.',
        "",
        "Written by `python -m tests.calibration training_memory --left-out --write` from tests/reference/training_memory.jsonl.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        "from typing import Final",
        "",
    ]
    for constant in CONSTANTS:
        lines.append(f"# {constant.comment}")
        lines.append(f"{constant.name}: Final = {rounded(values[constant.name])!r}")
    lines.append("# 80 % interval of observed over predicted on sources that a fit had not seen.")
    lines += [f"INTERVAL_LOW: Final = {rounded(stated[0])!r}", f"INTERVAL_HIGH: Final = {rounded(stated[1])!r}"]
    lines += [
        "# The same by GPUs and what is trained, with rows of sources that nothing is fitted on.",
        "INTERVALS: Final = {",
    ]
    for group, (low, high) in folds.cut(told(values, folds.read("training_memory"))).items():
        lines.append(f'    "{group}": ({outward(low, math.floor)!r}, {outward(high, math.ceil)!r}),')
    lines.append("}")
    lines.append("# Measured peaks that the constants are fitted on, and of how many sources.")
    lines += [f"RUNS: Final = {counts[0]}", f"SOURCES: Final = {counts[1]}"]
    TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")


def counted(prepared: Prepared) -> tuple[int, int]:
    """Runs that are fitted on, and the sources that they are of."""
    return len(prepared), len({row["source_group"] for row, _, _ in prepared})


def calibrate(options: argparse.Namespace) -> None:
    """Fit, print, and write when asked."""
    prepared = prepare()
    start = {constant.name: constant.start for constant in CONSTANTS}
    put(start)
    print("mechanics alone\n" + table(errors(prepared)))
    values = {name: rounded(value) for name, value in fit(prepared, start, sweeps=40).items()}
    put(values)
    print("\nfitted\n" + table(errors(prepared)))
    for constant in CONSTANTS:
        print(f"  {constant.name:<24}{values[constant.name]:>9.3g}  from {constant.start:g}")
    stated = (fitted.INTERVAL_LOW, fitted.INTERVAL_HIGH)
    if options.left_out:
        left_out: dict[str, list[float]] = {}
        constants: folds.Folds = {}
        for source in sorted({publisher(row) for row, _, _ in prepared}):
            constants[source] = fit([item for item in prepared if publisher(item[0]) != source], values, sweeps=8)
            left_out |= errors([item for item in prepared if publisher(item[0]) == source])
        put(values)
        if options.write:
            folds.write("training_memory", constants, values)
        print("\neach source under constants fitted without it\n" + table(left_out))
        stated = interval(left_out)
        print(f"80 % interval of observed over predicted: {stated[0]:.3g} to {stated[1]:.3g}")
    if options.write:
        write(values, stated, counted(prepared))
