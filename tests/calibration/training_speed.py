"""Fit the constants of engine/training/rates.py to tests/reference/training_perf.jsonl.

    python -m tests.calibration training_speed                       the fit and its errors
    python -m tests.calibration training_speed --left-out --write    also with each framework left out, and rewrite

The model is physics with a few dozen constants: rates of a GPU class, a software tier, shares of overlap, traffic of
kernels. Each constant has a prior from its mechanism and bounds outside which it would mean nothing; coordinate
descent on the logarithmic error moves it only where the rows insist. Rows of large families weigh less each, so that
one table of a hundred near-equal runs does not decide. Nothing is fitted to a single row.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import catalog
from engine.calibration import kernels as curves
from engine.calibration import training_speed as fitted
from engine.scenario import Layout, Scenario
from engine.scenario.frameworks import software_of
from engine.training import rates
from engine.training.speed import interval_group
from engine.training.step import step
from tests.accuracy.harness import REFERENCE, load_rows, spread
from tests.accuracy.training_perf import scenario_of
from tests.accuracy.training_words import limit_unstated
from tests.calibration import folds

MODULE = Path(fitted.__file__)
SPREAD = 0.015
"""By how much GPUs of one kind differ in speed, one standard deviation: those of five clusters lie within 8 % of each other
(Sinha et al. 2022, arXiv 2208.11035), from whisker to whisker 5.4 deviations."""
EIGHT_BIT_PER_JOULE = 1.75
"""TFLOP/s of 8-bit products that a watt makes over those of 16-bit ones: half the bits to move and to multiply, less the
accumulators, which stay as wide."""


def _watt(curve: str, card: str) -> float:
    """16-bit TFLOP/s a watt of a generation: what its kernels reach, measured alone, on the card of most watts that was tabled.

    The limit at which the rate of an unlimited card comes down to the measured one.
    """
    facts = catalog.load().accelerator(card)
    sheet, watts = facts.tflops_bf16_dense, facts.tdp_w
    assert sheet
    assert watts
    measured, free = sheet * curves.PRODUCTS[curve]["16-bit"]["peak"], sheet * rates.UNMEASURED_MATRIX_SHARE
    left = measured**-rates.POWER_SHARPNESS - free**-rates.POWER_SHARPNESS
    return float(left ** (-1 / rates.POWER_SHARPNESS) / watts)


ADA_WATT, BLACKWELL_WATT = _watt("ada", "l40s"), _watt("blackwell-gddr", "rtx-pro-6000-server")

# name: (prior, low, high). A constant whose bounds are equal is not fitted: no row can tell it.
PRIORS: dict[str, tuple[float, float, float]] = {
    "matmul.ampere.bf16": (0.90, 0.5, 1.0),
    "matmul.ampere.fp8": (0.60, 0.6, 0.6),
    "matmul.hopper.bf16": (0.85, 0.5, 1.0),
    "matmul.hopper.fp8": (0.80, 0.5, 1.0),
    "matmul.blackwell.bf16": (0.85, 0.65, 1.0),
    "matmul.blackwell.fp8": (0.75, 0.5, 1.0),
    "matmul.blackwell.nvfp4": (0.50, 0.3, 1.0),
    "matmul.volta.bf16": (0.90, 0.5, 1.15),
    "matmul.volta.fp8": (0.50, 0.5, 0.5),
    "matmul.gddr.bf16": (1.00, 0.7, 1.15),
    "matmul.gddr.fp8": (0.95, 0.6, 1.15),
    "matmul.other.bf16": (0.75, 0.75, 0.75),
    "matmul.other.fp8": (0.60, 0.60, 0.60),
    "watt.ada.bf16": (ADA_WATT, 0.3, 1.2),
    "watt.ada.fp8": (ADA_WATT * EIGHT_BIT_PER_JOULE, 0.5, 2.0),
    "watt.blackwell.bf16": (BLACKWELL_WATT, 0.3, 1.2),
    "watt.blackwell.fp8": (BLACKWELL_WATT * EIGHT_BIT_PER_JOULE, 0.5, 2.0),
    "tier.tuned": (1.0, 1.0, 1.0),
    "tier.standard": (0.90, 0.6, 1.0),
    "tier.eager": (0.80, 0.5, 1.0),
    "elementwise.scale": (0.8, 0.35, 2.0),
    "elementwise.tuned": (1.0, 1.0, 1.0),
    "elementwise.standard": (1.4, 1.0, 3.0),
    "elementwise.eager": (2.5, 1.0, 6.0),
    "loss.tuned": (8.0, 4.0, 20.0),
    "loss.standard": (14.0, 8.0, 30.0),
    "loss.eager": (24.0, 12.0, 48.0),
    "launch.tuned": (50e-6, 50e-6, 50e-6),
    "launch.standard": (150e-6, 50e-6, 400e-6),
    "launch.eager": (500e-6, 100e-6, 1500e-6),
    "narrow_width": (120.0, 20.0, 600.0),
    "few_tokens": (150.0, 10.0, 600.0),
    "misaligned": (0.5, 0.0, 1.5),
    "odd_head": (3.0, 1.0, 8.0),
    "recompute.selective": (0.3, 0.1, 1.0),
    "attention.ampere": (0.60, 0.3, 1.0),
    "attention.hopper": (0.55, 0.25, 1.0),
    "attention.blackwell": (0.60, 0.3, 1.0),
    "attention.volta": (0.35, 0.2, 1.0),
    "attention.gddr": (0.70, 0.3, 1.0),
    "attention.other": (0.45, 0.45, 0.45),
    "attention_long.ampere": (0.4634, 0.4634, 0.4634),
    "attention_long.hopper": (0.92, 0.92, 0.92),
    "attention_long.blackwell": (1.05, 1.05, 1.05),
    "attention_long.volta": (0.3573, 0.3573, 0.3573),
    "attention_long.gddr": (0.7867, 0.7867, 0.7867),
    "attention_long.other": (0.45, 0.45, 0.45),
    "unfused_attention": (12.0, 4.0, 60.0),
    "quantize": (0.6, 0.1, 3.0),
    "moe.matmul": (0.85, 0.75, 1.0),
    "moe.tokens_half": (200.0, 20.0, 1500.0),
    "moe.overhead": (2.5e-3, 2.5e-3, 2.5e-3),
    "moe.permute": (3.0, 0.5, 12.0),
    "overlap.tp.tuned": (0.60, 0.2, 0.86),
    "overlap.tp.standard": (
        0.02,
        0.02,
        0.02,
    ),  # DTensor multiplies what is gathered whole; its async TP must be asked for
    "overlap.tp.eager": (0.02, 0.02, 0.02),
    "overlap.dp.tuned": (0.75, 0.2, 0.92),
    "overlap.dp.standard": (0.80, 0.2, 0.92),
    "overlap.dp.eager": (0.40, 0.02, 0.92),
    "overlap.ep.tuned": (0.30, 0.02, 0.92),
    "overlap.ep.standard": (0.15, 0.15, 0.15),
    "overlap.ep.eager": (0.02, 0.02, 0.02),
    "overlap.pp": (0.80, 0.3, 0.95),
    "lora.elementwise": (0.6, 0.2, 4.0),
    "dequantize": (0.8, 0.4, 4.0),
    "optimizer.passes": (1.3, 1.0, 2.0),
    "offload.optimizer": (0.5, 0.2, 1.5),
    "offload.exposed": (0.5, 0.15, 1.0),
    "spread": (SPREAD, SPREAD, SPREAD),
}
HEADER = '''"""Constants of the training speed model, written by tests/calibration/training_speed.py: do not edit by hand.

matmul.CLASS.DTYPE: share of the class's achievable matrix rate that a tuned step reaches. watt.GENERATION.DTYPE:
TFLOP/s that a watt sustains on cards with graphics memory. tier, elementwise, loss, launch: what the software tier
multiplies (kernel rate, element-wise traffic, bytes a logit, seconds a layer and pass). narrow_width, few_tokens,
misaligned, odd_head: loss of small or crooked matrices. attention.CLASS: share of the 16-bit rate on short sequences,
attention_long.CLASS on endless ones (of kernels measured alone, not fitted). overlap: hidden
share of collectives. The rest: bytes, shares and seconds that engine/training/rates.py, kernels.py and step.py name where they use them.
"""'''
# Chosen on halves: of 4e-4 to 4e-3 this predicts best what a fit to half of the (source, GPU, model) groups says of the
# other half.
PRIOR_WEIGHT = 4e-3
FAMILY_EXPONENT = 0.35
SWEEPS = 14
MODEL_FOLDS = 8


@dataclass(frozen=True, slots=True)
class Sample:
    """One usable row. stated: whether it says all that decides; a limited card's watts are left out by some."""

    row_id: str
    source: str
    framework: str
    group: str
    scenario: Scenario
    layout: Layout
    observed: float
    family: tuple[str, str, str, str]
    stated: bool = True


def samples(path: Path) -> list[Sample]:
    """The usable rows of a file."""
    made: list[Sample] = []
    for row in load_rows(path):
        written = scenario_of(row)
        if isinstance(written, str):
            continue
        scenario, layout, observed = written
        framework = str(row["framework"]).split(" 2")[0]
        family = (framework, str(row["gpu"]), str(row["dtype"]), str(row["task"]))
        group = interval_group(scenario.model.architecture, scenario.workload)
        publisher, stated = folds.publisher(row), not limit_unstated(row)
        made.append(Sample(str(row["id"]), publisher, framework, group, scenario, layout, observed, family, stated))
    return made


def log_errors(values: dict[str, float], rows: Iterable[Sample]) -> list[float]:
    """ln(predicted / observed) of each row."""
    rates.forget_rates()
    constants = rates.Constants(values, {})
    errors: list[float] = []
    for row in rows:
        s = row.scenario
        made = step(s.model.architecture, s.hardware, s.workload, row.layout, constants)
        errors.append(math.log(made.tokens / made.seconds / row.layout.gpus / row.observed))
    return errors


def loss(values: dict[str, float], errors: list[float], weights: list[float]) -> float:
    """Weighted smooth absolute log error, and what leaving the priors costs."""
    fit = sum(w * (math.sqrt(e * e + 0.0025) - 0.05) for w, e in zip(weights, errors, strict=True))
    moved = sum(math.log(value / PRIORS[name][0]) ** 2 for name, value in values.items() if value > 0 < PRIORS[name][0])
    return fit / sum(weights) + PRIOR_WEIGHT * moved


def ordered(values: dict[str, float]) -> bool:
    """A tier never beats the one above it."""
    return (
        values["tier.eager"] <= values["tier.standard"] <= values["tier.tuned"]
        and values["elementwise.eager"] >= values["elementwise.standard"] >= values["elementwise.tuned"]
    )


OF_DTYPE = {"bf16": ("bf16", "fp8", "nvfp4"), "fp8": ("fp8", "nvfp4"), "nvfp4": ("nvfp4",)}
"""Compute dtypes that a rate in a dtype may play a part in: heads stay 16-bit, and cards without 4-bit units fall back."""


def touches(name: str, row: Sample) -> bool:
    """Whether a constant can move the estimate of a row: it says by its name of which rows it is."""
    first, _, rest = name.partition(".")
    workload = row.scenario.workload
    if first in ("matmul", "attention", "attention_long"):
        family, _, dtype = rest.partition(".")
        if dtype == "nvfp4":
            return workload.compute_dtype == dtype
        wanted = OF_DTYPE[dtype] if dtype else OF_DTYPE["bf16"]
        return family == rates.gpu_family(row.scenario.hardware.accelerator) and workload.compute_dtype in wanted
    if first == "watt":
        card, (of, _, dtype) = row.scenario.hardware.accelerator, rest.partition(".")
        limited = rates.gpu_family(card) == "gddr" and rates.generation(card) == of
        return limited and workload.compute_dtype in OF_DTYPE[dtype]
    if first == "moe":
        return row.scenario.model.architecture.experts > 0
    if name == "overlap.pp":
        return row.layout.pp > 1
    last = name.rpartition(".")[2]
    if last in ("tuned", "standard", "eager"):
        return software_of(workload) == last
    return {
        "recompute.selective": workload.recompute == "selective",
        "unfused_attention": not workload.flash_attention,
        "quantize": workload.compute_dtype != "bf16",
        "lora.elementwise": workload.trains != "full",
        "dequantize": workload.trains == "qlora",
        "offload.optimizer": workload.offload != "none",
        "offload.exposed": workload.offload != "none" or workload.activation_offload,
    }.get(name, True)


def fit(rows: list[Sample], start: dict[str, float] | None = None, sweeps: int = SWEEPS) -> dict[str, float]:
    """Coordinate descent with shrinking multiplicative steps, from the priors or from `start`."""
    values = dict(start or {name: prior for name, (prior, _, _) in PRIORS.items()})
    sizes = Counter(row.family for row in rows)
    weights = [sizes[row.family] ** -FAMILY_EXPONENT for row in rows]
    errors = log_errors(values, rows)
    best = loss(values, errors, weights)
    strides = {name: 0.25 for name, (_, low, high) in PRIORS.items() if low < high}
    moved = {name: [index for index, row in enumerate(rows) if touches(name, row)] for name in strides}
    for _ in range(sweeps):
        for name, stride in strides.items():
            _, low, high = PRIORS[name]
            for factor in (1 + stride, 1 / (1 + stride)):
                trial = values | {name: min(high, max(low, values[name] * factor))}
                if trial[name] == values[name] or not ordered(trial):
                    continue
                tried = list(errors)
                for index, error in zip(moved[name], log_errors(trial, [rows[i] for i in moved[name]]), strict=True):
                    tried[index] = error
                score = loss(trial, tried, weights)
                if score < best - 1e-7:
                    best, values, errors = score, trial, tried
                    strides[name] = stride * 1.3
                    break
            else:
                strides[name] = stride * 0.5
        if max(strides.values()) < 0.004:
            break
    return values


def summary(name: str, errors: list[float]) -> str:
    """One line: count, median, p90 and bias of relative errors."""
    relative = [math.exp(e) - 1 for e in errors]
    median, p90 = spread(relative)
    return (
        f"{name:<48} {len(relative):>4} {100 * median:>7.1f} {100 * p90:>7.1f} "
        f"{100 * statistics.median(relative):>+7.1f}"
    )


def table(title: str, rows: list[Sample], errors: list[float]) -> None:
    """Errors in all and by framework."""
    split: dict[str, list[float]] = defaultdict(list)
    for row, error in zip(rows, errors, strict=True):
        split[row.framework].append(error)
    print(f"\n{title:<48} {'n':>4} {'median':>7} {'p90':>7} {'bias':>7}   (percent)")
    print(summary("all", errors))
    for framework in sorted(split):
        print(summary(f"  {framework}", split[framework]))


def left_out(rows: list[Sample], fold: Callable[[Sample], str]) -> tuple[list[float], folds.Folds]:
    """Log error of each row from a fit that saw no row of its fold, and the constants of these fits."""
    errors: dict[str, float] = {}
    constants: folds.Folds = {}
    for name in sorted({fold(row) for row in rows}):
        rest = [row for row in rows if fold(row) != name]
        own = [row for row in rows if fold(row) == name]
        constants[name] = fit(rest, sweeps=SWEEPS - 4)
        errors.update({row.row_id: e for row, e in zip(own, log_errors(constants[name], own), strict=True)})
    return [errors[row.row_id] for row in rows], constants


def ways(rows: list[Sample]) -> dict[str, Callable[[Sample], str]]:
    """The ways to leave rows out: by source, framework, GPU, and model in MODEL_FOLDS groups of whole models."""
    models = sorted({row.scenario.model.id for row in rows})
    group = {name: str(index % MODEL_FOLDS) for index, name in enumerate(models)}
    return {
        "source": lambda row: row.source,
        "framework": lambda row: row.framework,
        "GPU": lambda row: row.scenario.hardware.accelerator.id,
        "model": lambda row: group[row.scenario.model.id],
    }


TABLES = ("training_perf", "training_perf_public", "training_perf_wave2")


def told(values: dict[str, float], kept: folds.Folds) -> list[folds.Told]:
    """(interval, publisher, log error) of every published run that is stated, under constants that never saw its publisher."""
    rows = [row for name in TABLES for row in samples(REFERENCE / f"{name}.jsonl") if row.stated]
    found: list[folds.Told] = []
    for source in sorted({row.source for row in rows}):
        own = [row for row in rows if row.source == source]
        errors = log_errors(folds.without(kept, values, source), own)
        found += [(row.group, source, error) for row, error in zip(own, errors, strict=True)]
    return found


def intervals(values: dict[str, float]) -> dict[str, tuple[float, float]]:
    """Factors of the estimate between which 80 % of the observations lie, by kind of run, where the source is new."""
    cut = folds.cut(told(values, folds.read("training_speed")))
    return {group: (round(low, 3), round(high, 3)) for group, (low, high) in cut.items()}


def inside(rows: list[Sample], errors: list[float], found: dict[str, tuple[float, float]]) -> float:
    """Share of rows whose observation lies in the interval."""
    return statistics.mean(
        math.log(found[row.group][0]) <= -e <= math.log(found[row.group][1])
        for row, e in zip(rows, errors, strict=True)
    )


def write(values: dict[str, float], found: dict[str, tuple[float, float]], rows: list[Sample]) -> None:
    """Rewrite the calibration module."""
    lines = [HEADER, "", "CONSTANTS: dict[str, float] = {"]
    lines += [f'    "{name}": {value:.4g},' for name, value in values.items()]
    lines += [
        "}",
        "",
        "# 80 % interval of tokens/s as factors of the estimate, by kind of run: the spread of the errors on every published",
        "# run whose source the constants had not seen, a source of n rows with the square root of n votes",
        "INTERVALS: dict[str, tuple[float, float]] = {",
        *[f'    "{group}": ({low}, {high}),' for group, (low, high) in found.items()],
        "}",
        "",
        "# Published runs that the constants are fitted on, and of how many frameworks.",
        f"RUNS = {len(rows)}",
        f"FRAMEWORKS = {len({row.framework for row in rows})}",
        "",
    ]
    MODULE.write_text("\n".join(lines), encoding="utf-8")


def options(parser: argparse.ArgumentParser) -> None:
    """What this fit alone can be told."""
    parser.add_argument("file", nargs="?", type=Path, default=REFERENCE / "training_perf.jsonl")


def calibrate(options: argparse.Namespace) -> None:
    """Fit, print, and write when asked."""
    rows = samples(options.file)
    values = fit(rows)
    for name, value in values.items():
        prior, low, high = PRIORS[name]
        if low < high:
            print(f"{name:<28} {value:>10.4g}   prior {prior:<8.4g} bounds {low:.4g} to {high:.4g}")
    table("fit", rows, log_errors(values, rows))
    unseen: dict[str, list[float]] = {}
    if options.left_out:
        for name, fold in ways(rows).items():
            unseen[name], constants = left_out(rows, fold)
            table(f"each {name} left out", rows, unseen[name])
            if name == "source" and options.write:
                folds.write("training_speed", constants, values)
    found = intervals(values)
    for name, errors in unseen.items():
        print(f"{100 * inside(rows, errors, found):.0f} % of the rows with the {name} left out inside")
    print(f"\nintervals {found}; {100 * inside(rows, log_errors(values, rows), found):.0f} % of the fitted rows inside")
    if options.write:
        write(values, found, rows)
        print(f"wrote {MODULE.name}")
