"""Fit what an engine takes beside weights and KV cache on start-up logs.

    python -m tests.calibration serving_memory [--left-out] [--write]

Prints each constant with its leave-one-out error, and with --write regenerates
engine/calibration/serving_memory.py. Needs the repository only; reads tests/reference/engine_logs.jsonl and the
rows of tests/reference/engine_logs_public.jsonl that are marked for fitting.
"""

from __future__ import annotations

import argparse
import math
import re
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.calibration import serving_memory as fitted
from engine.figures.units import GB, GIB
from engine.layout.sharding import stage_weights
from engine.model.architecture import Architecture
from engine.runtimes.engine import ServingEngine
from engine.scenario import Layout
from engine.serving.buffers import buffer_terms, captured_sizes, engine_extra_bytes, expert_tile
from engine.serving.settings import EngineSettings, engine_settings, visible_bytes
from tests.accuracy import harness
from tests.accuracy.engine_logs import Unreadable, engine_of, version_of, write

MODULE = Path(fitted.__file__)


@dataclass(frozen=True, slots=True)
class Log:
    """A start-up log with what the fits need."""

    row_id: str
    source: str
    arch: Architecture
    layout: Layout
    settings: EngineSettings
    observed: dict[str, Any]
    visible: int
    memory: int
    vendor: str
    nvlink: bool
    weights: int
    engine: ServingEngine
    version: tuple[int, int]

    def seen(self, key: str) -> float | None:
        """An observed figure, bytes; None when the log does not print it."""
        value = self.observed.get(key)
        return None if value is None else float(value) * GIB

    @property
    def ranks(self) -> int:
        """GPUs that work together."""
        return self.layout.tp * self.layout.pp


def source_of(row: harness.Row) -> str:
    """Who published a row: a repository, an issue or a page, whatever file of it the row was read in."""
    return re.sub(r"/(blob|tree|raw)/.*", "", str(row["source"]))


def all_fits(rows: list[Log]) -> list[Fit]:
    """Every constant, fitted on these logs."""
    return activation_fits(rows) + runtime_fits(rows) + graph_fits(rows)


def logs() -> list[Log]:
    """Every row that the accuracy test can write as a scenario."""
    found = []
    rows = harness.load_rows(harness.REFERENCE / "engine_logs.jsonl")
    public = harness.load_rows(harness.REFERENCE / "engine_logs_public.jsonl")
    for row in [*rows, *(row for row in public if row["used_for"] == "fit")]:
        try:
            scenario = write(row).scenario
        except Unreadable:
            continue
        if not any(name in str(row["engine"]) for name in ("vllm", "sglang")):
            continue
        choice, model, card = scenario.layout, scenario.model, scenario.hardware.accelerator
        layout = Layout(choice.tp or 1, choice.pp or 1, choice.dp or 1, choice.ep or 1, bool(choice.dp_attention))
        arch = model.architecture
        weights = stage_weights(arch, model.weights, layout).total_bytes
        weights += engine_extra_bytes(arch, model.weights, layout, len(arch.layers), expert_tile(card))
        found.append(
            Log(
                row_id=str(row["id"]),
                source=source_of(row),
                arch=arch,
                layout=layout,
                settings=engine_settings(scenario, layout),
                observed=row["observed"],
                visible=visible_bytes(card),
                memory=card.memory_bytes,
                vendor=card.vendor.upper(),
                nvlink=scenario.hardware.intra_link.family in ("nvlink", "xgmi"),
                weights=weights,
                engine=engine_of(row),
                version=version_of(row),
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class Fit:
    """One constant: its value, and the median relative error of each row when the others fit it."""

    name: str
    value: float
    rows: int
    left_out: float


PRIORS: dict[str, float] = {
    "NON_TORCH_ROCM_GIB": 0.13,
    "SGLANG_START_GIB": 0.5,
    "SGLANG_NVLINK_GIB": 0.0,
    "SGLANG_LOAD_GIB": 0.0,
    "ROCM_WEIGHTS": 1.0,
    "NON_TORCH_TOGETHER_GIB": 0.33,
    "SAMPLER_BYTES": 16.0,
}
"""What a constant is without any log of its kind: nothing beside what other cards and engines take, or what the code allocates."""


def _fit(name: str, samples: Sequence[float], centre: Callable[[Sequence[float]], float]) -> Fit:
    if not samples and name in PRIORS:
        return Fit(name, PRIORS[name], 0, 0.0)
    if not samples:
        raise SystemExit(f"no row to fit {name}")
    errors = [
        abs(centre([*samples[:i], *samples[i + 1 :]]) / sample - 1) if len(samples) > 1 and sample else 0.0
        for i, sample in enumerate(samples)
    ]
    return Fit(name, centre(samples), len(samples), statistics.median(errors))


def _geometric(samples: Sequence[float]) -> float:
    return math.exp(statistics.fmean(math.log(sample) for sample in samples))


def _hidden(log: Log) -> int:
    return 2 * log.settings.max_num_batched_tokens * log.arch.hidden_size


def _encoder(log: Log) -> int:
    tokens = log.arch.vision_tokens_max
    return 2 * max(log.settings.max_num_batched_tokens, tokens) * log.arch.hidden_size if tokens else 0


def _sampled(log: Log) -> int:
    return min(log.settings.max_num_seqs, log.settings.max_num_batched_tokens) * log.arch.vocab_size


def _body(log: Log) -> float:
    widest, workspace = buffer_terms(log.arch, log.layout)
    return log.settings.max_num_batched_tokens * widest + workspace


def _left_over(log: Log) -> float | None:
    """Bytes of the budget that went neither to weights nor to the KV cache; None when the log does not print both."""
    weights, kv = log.seen("weights_gib_per_gpu"), log.seen("kv_gib_per_gpu")
    return None if not weights or not kv else log.visible * log.settings.utilization - weights - kv


def activation_fits(rows: list[Log]) -> list[Fit]:
    """Sampler bytes and copies of the hidden states. A row belongs to the term that is larger for it.

    Logs whose peak is below half of what the sampler alone must take ran with fewer sequences than they state.
    """
    sampler: list[tuple[float, float, float]] = []
    layer: list[float] = []
    for log in rows:
        peak = log.seen("activation_peak_gib")
        if peak is None or log.settings.engine == "sglang" or peak < 0.8 * 38 * _sampled(log):
            continue
        if log.engine == "vllm-earlier" and 38 * _sampled(log) > _body(log) + 2 * _hidden(log):
            sampler.append((_sampled(log), _hidden(log), peak - _encoder(log)))
        else:
            layer.append((peak - _encoder(log) - _body(log)) / _hidden(log))
    each = _fit(
        "SAMPLER_SORTED_BYTES",
        [(peak - 1.8 * hidden) / entries for entries, hidden, peak in sampler],
        statistics.median,
    )
    copies = [(peak - each.value * entries) / hidden for entries, hidden, peak in sampler]
    return [each, _fit("HIDDEN_COPIES", copies, statistics.median), _fit("LAYER_COPIES", layer, statistics.median)]


def _plain(log: Log) -> bool:
    """Whether a log is of current vLLM on NVIDIA cards, its graphs not charged: what is left over has few causes."""
    return log.engine == "vllm" and not log.settings.cuda_graphs and log.vendor != "AMD"


def _peak(log: Log, sampler: float) -> float:
    return sampler * _sampled(log) + 1.8 * _hidden(log) + _encoder(log)


def _graph_samples(rows: list[Log]) -> list[tuple[float, int]]:
    """(bytes that graphs take from the budget, layers x captured sizes) of current vLLM on NVIDIA cards.

    Printed figures, and pairs of logs of one model and layout of which only the later build charges for graphs.
    """
    samples = []
    for log in rows:
        if log.engine != "vllm" or log.vendor == "AMD":
            continue
        units = len(log.arch.layers) * captured_sizes(log.settings)
        kept, after = log.seen("cudagraph_gib"), log.seen("kv_gib_per_gpu")
        before = next(
            (
                other.seen("kv_gib_per_gpu")
                for other in rows
                if _plain(other) and (other.arch, other.layout, other.visible) == (log.arch, log.layout, log.visible)
            ),
            None,
        )
        if _plain(log) or not after:
            continue
        if before:
            samples.append((before - after, units))
        elif kept:
            samples.append((kept, units))
    return samples


def _graph_line(samples: Sequence[tuple[float, int]]) -> tuple[float, float]:
    """(a pool, bytes for each layer and size) with the least squares of relative errors."""
    best = (math.inf, 0.0, 0.0)
    for step in range(41):
        pool = step * 0.01 * GIB
        top = sum((kept - pool) * units / kept**2 for kept, units in samples)
        slope = top / sum((units / kept) ** 2 for kept, units in samples)
        error = sum(((pool + slope * units) / kept - 1) ** 2 for kept, units in samples)
        best = min(best, (error, pool, slope))
    return best[1], best[2]


def graph_fits(rows: list[Log]) -> list[Fit]:
    """The pool that graphs share, and bytes for each layer and captured size."""
    samples = _graph_samples(rows)
    pool, slope = _graph_line(samples)
    errors = []
    for index, (kept, units) in enumerate(samples if len(samples) > 1 else ()):
        other_pool, other_slope = _graph_line([*samples[:index], *samples[index + 1 :]])
        errors.append(abs((other_pool + other_slope * units) / kept - 1))
    left_out = statistics.median(errors) if errors else 0.0
    return [
        Fit("GRAPH_POOL_GIB", pool / GIB, len(samples), left_out),
        Fit("GRAPH_BYTES", slope, len(samples), left_out),
    ]


def runtime_fits(rows: list[Log]) -> list[Fit]:
    """Non-torch memory alone and together, on ROCm, and of SGLang; the sampler; weights as ROCm and SGLang report them."""
    vllm = [log for log in rows if log.settings.engine != "sglang"]
    alone = []
    rocm = []
    rocm_weights = []
    for log in vllm:
        taken, weights = log.seen("non_torch_gib"), log.seen("weights_gib_per_gpu")
        if log.vendor == "AMD":
            if weights:
                rocm_weights.append(weights / log.weights)
            kv = log.seen("kv_gib_per_gpu")
            if kv and weights and log.ranks == 1:
                peak = _peak(log, 38)
                rocm.append((log.visible * log.settings.utilization - weights - kv - peak) / GIB)
        elif taken is not None and log.ranks == 1 and log.memory > 70 * GB:
            alone.append(taken / GIB / min(1.0, log.memory / (80 * GB)))
    one = _fit("NON_TORCH_ONE_GIB", alone, statistics.median)
    unsorted = []
    for log in vllm:
        left = _left_over(log)
        if _plain(log) and log.ranks == 1 and left is not None:
            unsorted.append((left - one.value * GIB - _peak(log, 0)) / _sampled(log))
    sampler = _fit("SAMPLER_BYTES", unsorted, statistics.fmean)
    earlier: list[float] = []
    together: list[float] = []
    for log in vllm:
        taken = log.seen("non_torch_gib")
        left = _left_over(log)
        if log.ranks == 1 or log.vendor == "AMD":
            continue
        if taken is None and left is not None and (log.engine == "vllm-earlier" or _plain(log)):
            taken = left - _peak(log, 38 if log.engine == "vllm-earlier" else sampler.value)
        if taken is not None:
            into = earlier if log.engine == "vllm-earlier" else together
            into.append((taken / GIB - one.value) / math.log2(log.ranks))
    starts: list[float] = []
    switched: list[float] = []
    loads = []
    for log in rows:
        kv, weights = log.seen("kv_gib_per_gpu"), log.seen("weights_gib_per_gpu")
        if log.settings.engine != "sglang" or not kv:
            continue
        if weights:
            loads.append((weights - log.weights) / GIB)
        before = (kv + (weights or log.weights)) / log.settings.utilization
        (switched if log.nvlink else starts).append((log.visible - before) / GIB)
    start = _fit("SGLANG_START_GIB", starts, statistics.fmean)
    fabric = [sample - start.value for sample in switched]
    return [
        sampler,
        one,
        _fit("NON_TORCH_TOGETHER_EARLIER_GIB", earlier, statistics.median),
        _fit("NON_TORCH_TOGETHER_GIB", together, statistics.fmean),
        _fit("NON_TORCH_ROCM_GIB", rocm, statistics.fmean),
        start,
        _fit("SGLANG_NVLINK_GIB", fabric, statistics.fmean),
        _fit("SGLANG_LOAD_GIB", loads, statistics.fmean),
        _fit("ROCM_WEIGHTS", rocm_weights, statistics.fmean),
    ]


MEANINGS = {
    "SAMPLER_SORTED_BYTES": "Bytes for each sequence x vocabulary entry while the profile run samples and sorts.",
    "SAMPLER_BYTES": "The same of current vLLM, which samples without sorting.",
    "HIDDEN_COPIES": "Copies of the batch's hidden states alive while it samples.",
    "LAYER_COPIES": "Copies of the hidden states alive at the widest moment of a layer, beside its own buffers.",
    "NON_TORCH_ONE_GIB": "Context growth and library workspaces of one 80 GB card; smaller cards take less in proportion.",
    "NON_TORCH_TOGETHER_EARLIER_GIB": "The same as NON_TORCH_TOGETHER_GIB in earlier vLLM.",
    "NON_TORCH_TOGETHER_GIB": "Communication buffers, for each doubling of the GPUs that work together.",
    "NON_TORCH_ROCM_GIB": "The same as NON_TORCH_ONE_GIB on ROCm, where hipBLASLt keeps large workspaces.",
    "SGLANG_START_GIB": "What SGLang's process takes before it looks at the free memory: CUDA context, libraries.",
    "SGLANG_NVLINK_GIB": "The same, more, where several GPUs talk over NVLink: NCCL and symmetric all-reduce buffers.",
    "SGLANG_LOAD_GIB": "What loading adds to the weights as SGLang measures them, by free memory.",
    "ROCM_WEIGHTS": "Weights on ROCm against their bytes: rows are padded against memory-channel conflicts.",
    "GRAPH_POOL_GIB": "CUDA-graph memory that any number of captured batch sizes shares.",
    "GRAPH_BYTES": "CUDA-graph memory for each captured batch size and layer, beside the pool.",
}


def left_out_spread() -> tuple[float, float, int]:
    """(low, high, logs): factors around the KV tokens said that hold 80 % of what was logged, each source left out."""
    from tests.accuracy import left_out
    from tests.accuracy.engine_logs import KV_TOKENS

    ratios = sorted(case.observed / case.predicted for case in left_out.evaluate().cases if case.metric == KV_TOKENS)
    return ratios[len(ratios) // 10], ratios[-1 - len(ratios) // 10], len(ratios)


def module_text(fits: list[Fit], spread: tuple[float, float], told: str) -> str:
    """The calibration module that holds these fits. spread: of KV tokens; told: what it rests on."""
    lines = [
        '"""Constants of what an engine takes beside weights and KV cache, fitted on start-up logs.',
        "",
        "Written by `python -m tests.calibration serving_memory --left-out --write`, which prints each fit with its",
        "leave-one-out error.",
        '"""',
        "",
        "from typing import Final",
    ]
    errors: list[str] = []
    for fit in fits:
        value = f"{fit.value:_.0f}.0" if abs(fit.value) > 1000 else repr(float(f"{fit.value:.4g}"))
        basis = f"{fit.rows} log{'s' if fit.rows > 1 else ''}"
        error = f", leave-one-out {100 * fit.left_out:.0f} %" if fit.rows > 1 else ""
        lines += ["", f"{fit.name}: Final = {value}", f'"""{MEANINGS[fit.name]} {basis}{error}."""']
        errors.append(f'    "{fit.name}": "{basis}{error}",')
    lines += ["", f"KV_SPREAD: Final = ({spread[0]:.3f}, {spread[1]:.3f})"]
    lines += [f'"""Factors around the KV tokens that fit which hold 80 % of what engines printed. {told}."""']
    lines += ["", "ERRORS: Final[dict[str, str]] = {", *errors, "}", '"""What each fit rests on, and its error."""']
    return "\n".join(lines) + "\n"


def calibrate(options: argparse.Namespace) -> None:
    """Fit, print, and write when asked."""
    rows = logs()
    fits = all_fits(rows)
    print(f"{len(rows)} logs")
    for fit in fits:
        print(f"{fit.name:<32} {fit.value:>12.4f}  from {fit.rows:>2}  leave-one-out {100 * fit.left_out:5.1f} %")
    if not (options.left_out or options.write):
        return
    low, high, count = left_out_spread()
    print(f"KV tokens of sources left out: 80 % at {low:.3f} to {high:.3f} of the prediction, {count} logs")
    if options.write:
        told = f"{count} logs, each predicted without its source: docs/memory.md"
        MODULE.write_text(module_text(fits, (low, high), told), encoding="utf-8")
        print(f"wrote {MODULE.name}")
