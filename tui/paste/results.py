"""Result files that benchmarks write: JSON, JSON lines and CSV, as measured figures. Sources: each tool's documentation."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tui.paste.run import Run

MOST = 64
"""Records of one file that are read: a sweep of loads."""
Record = Mapping[str, Any]


def records(text: str) -> Sequence[Record]:
    """The objects of a JSON file, of JSON lines, or of a table with a head; none where it is neither."""
    bare = text.lstrip("\ufeff \n")
    if bare[:1] in "[{":
        try:
            whole = json.loads(bare)
        except (ValueError, RecursionError):
            whole = [_line(row) for row in bare.splitlines()[:MOST]]
        found = whole if isinstance(whole, list) else [whole]
        return [one for one in found if isinstance(one, Mapping)][:MOST]
    if "," in bare.partition("\n")[0]:
        return [dict(row) for row in csv.DictReader(io.StringIO(bare))][:MOST]
    return []


def _line(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def number(value: Any) -> float | None:
    """A finite number above 0, also written as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        made = float(value)
    except ValueError:
        return None
    return made if math.isfinite(made) and 0 < made < 1e15 else None


def _figures(run: Run, read: Callable[[str], Any], names: Iterable[tuple[str, str, float]]) -> None:
    for key, name, scale in names:
        value = number(read(name))
        if value is not None:
            run.figures[key] = value * scale


_SERVED = (
    ("ttft_s", "mean_ttft_ms", 1e-3),
    ("inter_token_s", "mean_tpot_ms", 1e-3),
    ("ttft_p50_s", "median_ttft_ms", 1e-3),
    ("ttft_p95_s", "p95_ttft_ms", 1e-3),
    ("ttft_p99_s", "p99_ttft_ms", 1e-3),
    ("inter_token_p50_s", "median_tpot_ms", 1e-3),
    ("inter_token_p95_s", "p95_tpot_ms", 1e-3),
    ("inter_token_p99_s", "p99_tpot_ms", 1e-3),
    ("tokens_per_s", "output_throughput", 1.0),
    ("requests_per_s", "request_throughput", 1.0),
)


def served(record: Record) -> Run | None:
    """What `vllm bench serve --save-result` and `sglang.bench_serving --output-file` write."""
    if "mean_ttft_ms" not in record or "completed" not in record:
        return None
    run = Run("a serving benchmark's result", model=str(record.get("model_id") or ""))
    _figures(run, record.get, _SERVED)
    requests = number(record["completed"])
    if requests:
        for key, name in (("input_tokens", "total_input_tokens"), ("output_tokens", "total_output_tokens")):
            tokens = number(record.get(name))
            if tokens:
                run.load[f"workload.{key}"] = max(1, round(tokens / requests))
    run.served(requests, number(record.get("max_concurrency")), number(record.get("request_rate")))
    return run


_EMBEDDED = (
    ("request_s", "mean_e2el_ms", 1e-3),
    ("read_tokens_per_s", "total_token_throughput", 1.0),
    ("requests_per_s", "request_throughput", 1.0),
)


def embedded(record: Record) -> Run | None:
    """What `vllm bench serve --save-result` writes of an embedder."""
    if "mean_e2el_ms" not in record or "completed" not in record or "mean_ttft_ms" in record:
        return None
    run = Run("an embedding benchmark's result", model=str(record.get("model_id") or ""))
    _figures(run, record.get, _EMBEDDED)
    requests, tokens = number(record["completed"]), number(record.get("total_input_tokens"))
    if requests and tokens:
        run.load["workload.input_tokens"] = max(1, round(tokens / requests))
    run.served(requests, number(record.get("max_concurrency")), number(record.get("request_rate")))
    return run


_AIPERF = (
    ("ttft_s", "time_to_first_token", 1e-3),
    ("inter_token_s", "inter_token_latency", 1e-3),
    ("tokens_per_s", "output_token_throughput", 1.0),
    ("requests_per_s", "request_throughput", 1.0),
)
_LENGTHS = (("input_tokens", "input_sequence_length"), ("output_tokens", "output_sequence_length"))


def aiperf(record: Record) -> Run | None:
    """What genai-perf and aiperf export as JSON: averages of each metric, times in ms."""

    def average(name: str) -> Any:
        part = record.get(name)
        return part.get("avg") if isinstance(part, Mapping) else None

    if average("time_to_first_token") is None:
        return None
    run = Run("genai-perf or aiperf")
    _figures(run, average, _AIPERF)
    for key, name, scale in _AIPERF[:2]:
        for at in ("p50", "p95", "p99"):
            part = record.get(name)
            value = number(part.get(at)) if isinstance(part, Mapping) else None
            if value is not None:
                run.figures[key.replace("_s", f"_{at}_s")] = value * scale
    for key, name in _LENGTHS:
        tokens = number(average(name))
        if tokens:
            run.load[f"workload.{key}"] = max(1, round(tokens))
    users = number(_deep(record.get("input_config"), "concurrency"))
    if users:
        run.load["workload.concurrency"] = int(users)
    return run


def _deep(value: Any, key: str, depth: int = 6) -> Any:
    """The first value of a key within tables of tables."""
    if not isinstance(value, Mapping) or not depth:
        return None
    if key in value:
        return value[key]
    return next((found for one in value.values() if (found := _deep(one, key, depth - 1)) is not None), None)


def aiperf_table(rows: Sequence[Record]) -> Run | None:
    """The same as CSV: a metric a row, its average first, or alone under `Value`."""
    told = {str(row.get("Metric") or "").casefold(): row.get("avg") for row in rows}
    averages = {name.partition(" (")[0].replace(" ", "_"): value for name, value in told.items()}
    if "time_to_first_token" not in averages:
        return None
    return aiperf({name: {"avg": value} for name, value in averages.items()})


def llama_bench(rows: Sequence[Record]) -> Run | None:
    """llama-bench's JSON, JSON lines and CSV: a row each for prompts read and tokens written, tokens/s."""
    run = Run("llama-bench", engine="llama.cpp")
    for row in rows:
        rate, prompt, answer = number(row.get("avg_ts")), number(row.get("n_prompt")), number(row.get("n_gen"))
        if rate is None or number(row.get("n_depth")) or bool(prompt) == bool(answer):
            continue
        run.model = str(row.get("model_filename") or "").rsplit("/", 1)[-1]
        if prompt:
            run.figures["ttft_s"] = prompt / rate
            run.load["workload.input_tokens"] = int(prompt)
        elif answer:
            run.figures["inter_token_s"] = 1 / rate
            run.load["workload.output_tokens"] = int(answer)
    run.load["workload.concurrency"] = 1
    return run if run.figures else None


def read(text: str) -> list[Run]:
    """The runs of a result file; none where it is not one."""
    found = records(text)
    if not found:
        return []
    runs = [run for one in found for run in (served(one), embedded(one), aiperf(one)) if run is not None]
    runs += [run for run in (aiperf_table(found), llama_bench(found)) if run is not None]
    return [run for run in runs if run.figures]
