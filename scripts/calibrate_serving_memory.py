"""Fit what an engine takes beside weights and KV cache on start-up logs.

    python scripts/calibrate_serving_memory.py [--write]

Prints each constant with its leave-one-out error, and with --write regenerates
engine/calibration/serving_memory.py. Needs the repository only; reads tests/reference/engine_logs.jsonl.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from engine.architecture import Architecture  # noqa: E402 - the repository is not installed when this runs
from engine.scenario import Layout  # noqa: E402
from engine.serving_memory import (  # noqa: E402
    EngineSettings,
    buffer_terms,
    captured_sizes,
    engine_extra_bytes,
    engine_settings,
    expert_tile,
    visible_bytes,
)
from engine.sharding import rank_weight_bytes  # noqa: E402
from engine.units import GB, GIB  # noqa: E402
from tests.accuracy import harness  # noqa: E402
from tests.accuracy.engine_logs import Unreadable, write  # noqa: E402

MODULE = ROOT / "engine" / "calibration" / "serving_memory.py"


@dataclass(frozen=True, slots=True)
class Log:
    """A start-up log with what the fits need."""

    row_id: str
    arch: Architecture
    layout: Layout
    settings: EngineSettings
    observed: dict[str, Any]
    visible: int
    memory: int
    vendor: str
    nvlink: bool
    weights: int

    def seen(self, key: str) -> float | None:
        """An observed figure, bytes; None when the log does not print it."""
        value = self.observed.get(key)
        return None if value is None else float(value) * GIB

    @property
    def ranks(self) -> int:
        """GPUs that work together."""
        return self.layout.tp * self.layout.pp


def logs() -> list[Log]:
    """Every row that the accuracy test can write as a scenario."""
    found = []
    for row in harness.load_rows(harness.REFERENCE / "engine_logs.jsonl"):
        try:
            scenario = write(row).scenario
        except Unreadable:
            continue
        if not any(name in str(row["engine"]) for name in ("vllm", "sglang")):
            continue
        choice, model, card = scenario.layout, scenario.model, scenario.hardware.accelerator
        layout = Layout(choice.tp or 1, choice.pp or 1, choice.dp or 1, choice.ep or 1, bool(choice.dp_attention))
        arch = model.architecture
        weights = rank_weight_bytes(arch, model.weights, layout)
        weights += engine_extra_bytes(arch, model.weights, layout, len(arch.layers), expert_tile(card))
        found.append(
            Log(
                row_id=str(row["id"]),
                arch=arch,
                layout=layout,
                settings=engine_settings(scenario, layout),
                observed=row["observed"],
                visible=visible_bytes(card),
                memory=card.memory_bytes,
                vendor=card.vendor.upper(),
                nvlink=scenario.hardware.intra_link.family in ("nvlink", "xgmi"),
                weights=weights,
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


def _fit(name: str, samples: Sequence[float], centre: Callable[[Sequence[float]], float]) -> Fit:
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
        if 38 * _sampled(log) > _body(log) + 2 * _hidden(log):
            sampler.append((_sampled(log), _hidden(log), peak - _encoder(log)))
        else:
            layer.append((peak - _encoder(log) - _body(log)) / _hidden(log))
    each = _fit(
        "SAMPLER_BYTES", [(peak - 1.8 * hidden) / entries for entries, hidden, peak in sampler], statistics.median
    )
    copies = [(peak - each.value * entries) / hidden for entries, hidden, peak in sampler]
    return [each, _fit("HIDDEN_COPIES", copies, statistics.median), _fit("LAYER_COPIES", layer, statistics.median)]


def runtime_fits(rows: list[Log]) -> list[Fit]:
    """Non-torch memory alone and together, on ROCm, and of SGLang; weights as ROCm and SGLang report them; graphs."""
    vllm = [log for log in rows if log.settings.engine != "sglang"]
    alone = []
    together = []
    rocm = []
    rocm_weights = []
    for log in vllm:
        taken, weights = log.seen("non_torch_gib"), log.seen("weights_gib_per_gpu")
        if log.vendor == "AMD":
            if weights:
                rocm_weights.append(weights / log.weights)
            kv = log.seen("kv_gib_per_gpu")
            if kv and weights and log.ranks == 1:
                peak = 38 * _sampled(log) + 1.8 * _hidden(log) + _encoder(log)
                rocm.append((log.visible * log.settings.utilization - weights - kv - peak) / GIB)
        elif taken is not None and log.ranks == 1 and log.memory > 70 * GB:
            alone.append(taken / GIB / min(1.0, log.memory / (80 * GB)))
    one = _fit("NON_TORCH_ONE_GIB", alone, statistics.median)
    for log in vllm:
        taken = log.seen("non_torch_gib")
        if taken is not None and log.ranks > 1 and log.vendor != "AMD":
            together.append((taken / GIB - one.value) / math.log2(log.ranks))
    starts = []
    switched = []
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
    graphs = []
    for log in vllm:
        kept = log.seen("cudagraph_gib")
        if kept and kept > 0:
            graphs.append(kept / len(log.arch.layers) / captured_sizes(log.settings))
    return [
        one,
        _fit("NON_TORCH_TOGETHER_GIB", together, statistics.fmean),
        _fit("NON_TORCH_ROCM_GIB", rocm, statistics.fmean),
        start,
        _fit("SGLANG_NVLINK_GIB", fabric, statistics.fmean),
        _fit("SGLANG_LOAD_GIB", loads, statistics.fmean),
        _fit("ROCM_WEIGHTS", rocm_weights, statistics.fmean),
        _fit("GRAPH_BYTES", graphs, _geometric),
    ]


MEANINGS = {
    "SAMPLER_BYTES": "Bytes for each sequence x vocabulary entry while the profile run samples.",
    "HIDDEN_COPIES": "Copies of the batch's hidden states alive while it samples.",
    "LAYER_COPIES": "Copies of the hidden states alive at the widest moment of a layer, beside its own buffers.",
    "NON_TORCH_ONE_GIB": "Context growth and library workspaces of one 80 GB card; smaller cards take less in proportion.",
    "NON_TORCH_TOGETHER_GIB": "Communication buffers, for each doubling of the GPUs that work together.",
    "NON_TORCH_ROCM_GIB": "The same as NON_TORCH_ONE_GIB on ROCm, where hipBLASLt keeps large workspaces.",
    "SGLANG_START_GIB": "What SGLang's process takes before it looks at the free memory: CUDA context, libraries.",
    "SGLANG_NVLINK_GIB": "The same, more, where several GPUs talk over NVLink: NCCL and symmetric all-reduce buffers.",
    "SGLANG_LOAD_GIB": "What loading adds to the weights as SGLang measures them, by free memory.",
    "ROCM_WEIGHTS": "Weights on ROCm against their bytes: rows are padded against memory-channel conflicts.",
    "GRAPH_BYTES": "CUDA-graph memory for each captured batch size and layer.",
}


def module_text(fits: list[Fit]) -> str:
    """The calibration module that holds these fits."""
    lines = [
        '"""Constants of what an engine takes beside weights and KV cache, fitted on start-up logs.',
        "",
        "Regenerate with `python scripts/calibrate_serving_memory.py --write`; it prints each fit with its",
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
    lines += ["", "ERRORS: Final[dict[str, str]] = {", *errors, "}", '"""What each fit rests on, and its error."""']
    return "\n".join(lines) + "\n"


def main() -> None:
    """Fit, print, and write when asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="regenerate engine/calibration/serving_memory.py")
    options = parser.parse_args()
    rows = logs()
    fits = activation_fits(rows) + runtime_fits(rows)
    print(f"{len(rows)} logs")
    for fit in fits:
        print(f"{fit.name:<26} {fit.value:>12.4f}  from {fit.rows:>2}  leave-one-out {100 * fit.left_out:5.1f} %")
    if options.write:
        MODULE.write_text(module_text(fits), encoding="utf-8")
        print(f"wrote {MODULE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
