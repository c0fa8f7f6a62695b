"""A person's own calibration, each figure held out: errors before, and after the other figures of the same person were kept.

A source of tests/reference plays a person with one card and one engine. Each of its rows is written as the log or result that its
tool prints, read back by the reader of that tool, compared, kept and laid over the catalog, as `sizeup measured --keep` does.
"""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import catalog
from catalog import own as kept_files
from engine.decide.beside import Row as Figure
from engine.decide.beside import row_of
from engine.decide.size import size
from engine.figures.errors import ScenarioError
from engine.links.evidence import interval
from engine.parts.own import OwnCurve, OwnRatio
from engine.scenario import Scenario
from tests.accuracy import collectives, inference_perf, training_memory, training_perf
from tests.accuracy.harness import REFERENCE, Row, load_rows
from tests.accuracy.speed_loads import Unusable
from tui.paste import logs, measured
from tui.paste.found import CannotRead

FILES = ("inference_perf", "inference_perf_public", "inference_perf_wave2")
TRAINED = ("training_perf", "training_perf_public", "training_perf_wave2")
HELD = ("training_memory", "training_memory_public", "training_memory_wave2")
BENCHED = ("closed", "burst", "static", "Poisson")
"""Modes of rows that a serving benchmark runs."""
FIGURES = {
    "ttft": (inference_perf.TTFT_LOW, inference_perf.TTFT_LOADED),
    "inter_token": (inference_perf.TPOT_DENSE, inference_perf.TPOT_MOE),
    "tokens_per_s": (inference_perf.LOADED,),
}


class Held(NamedTuple):
    """One figure held out: measured, and predicted before and after the person's other measurements, with the intervals."""

    reader: str
    figure: str
    person: str
    same_model: bool
    measured: float
    before: float
    after: float
    span_before: tuple[float, float]
    span_after: tuple[float, float]


@dataclass(slots=True)
class Kept:
    """One log: the build under its load, what it measured and what of it was kept."""

    person: str
    tool: str
    scenario: Scenario
    model: str
    rows: list[Figure]
    ratios: list[OwnRatio] = field(default_factory=list)


def vllm_bench(told: dict[str, float]) -> str:
    """What `vllm bench serve` and sglang's bench_serving print."""
    requests = told["requests"]
    lines = [
        "============ Serving Benchmark Result ============",
        f"Successful requests:                     {requests:.0f}",
        f"Maximum request concurrency:             {told['users']:.0f}",
        f"Total input tokens:                      {told['prompt'] * requests:.0f}",
        f"Total generated tokens:                  {told['answer'] * requests:.0f}",
    ]
    if "tokens_per_s" in told:
        lines.append(f"Output token throughput (tok/s):         {told['tokens_per_s']:.4f}")
    if "ttft" in told:
        lines += [
            "---------------Time to First Token----------------",
            f"Mean TTFT (ms):            {told['ttft'] * 1e3:.4f}",
        ]
    if "inter_token" in told:
        lines += [
            "-----Time per Output Token (excl. 1st token)------",
            f"Mean TPOT (ms):            {told['inter_token'] * 1e3:.4f}",
        ]
    return "\n".join([*lines, "=" * 50, ""])


def genai(told: dict[str, float]) -> str:
    """What genai-perf and aiperf print."""
    rows = [
        ("Time To First Token (ms)", told.get("ttft", 0.0) * 1e3),
        ("Inter Token Latency (ms)", told.get("inter_token", 0.0) * 1e3),
        ("Output Sequence Length (tokens)", told["answer"]),
        ("Input Sequence Length (tokens)", told["prompt"]),
        ("Output Token Throughput (per sec)", told.get("tokens_per_s", 0.0)),
    ]
    lines = [f"genai-perf profile --concurrency {told['users']:.0f}", "┃ Statistic ┃ avg ┃ min ┃ max ┃"]
    return "\n".join([*lines, *(f"│ {name} │ {value:,.4f} │ N/A │ N/A │" for name, value in rows), ""])


def llama_bench(told: dict[str, float]) -> str:
    """What llama-bench prints of one user."""
    lines = [
        "| model | size | params | backend | ngl | test | t/s |",
        "| --- | ---: | ---: | --- | --: | ---: | ---: |",
    ]
    if "ttft" in told:
        lines.append(
            f"| a model | 4 GiB | 8 B | CUDA | 99 | pp{told['prompt']:.0f} | {told['prompt'] / told['ttft']:.4f} ± 1.00 |"
        )
    if "inter_token" in told:
        lines.append(
            f"| a model | 4 GiB | 8 B | CUDA | 99 | tg{told['answer']:.0f} | {1 / told['inter_token']:.4f} ± 1.00 |"
        )
    return "\n".join([*lines, ""])


def writer_of(
    prepared: inference_perf.Prepared, figures: dict[str, float]
) -> tuple[str, Callable[[dict[str, float]], str]]:
    """The tool that would have measured a row, and what it prints."""
    engine, users = prepared.scenario.runtime.engine, prepared.scenario.workload.concurrency
    if engine == "llama.cpp" and users == 1 and {"ttft", "inter_token"} & figures.keys():
        return "llama-bench", llama_bench
    if engine == "trtllm" and {"ttft", "inter_token"} <= figures.keys():
        return "genai-perf, aiperf", genai
    return ("sglang.bench_serving" if engine == "sglang" else "vllm bench serve"), vllm_bench


def _source(row: Row) -> str:
    said = row["source"]
    return (
        json.dumps([said.get(key) for key in ("repo", "url", "origin", "path")])
        if isinstance(said, dict)
        else str(said)
    )


def benches(files: Sequence[str] = FILES) -> list[Kept]:
    """Every row of files that a benchmark could have printed, written so, read and compared."""
    found = []
    for name in files:
        for row in load_rows(REFERENCE / f"{name}.jsonl"):
            try:
                found += _bench(row)
            except (Unusable, ScenarioError, CannotRead, ValueError, KeyError, TypeError):
                continue  # set aside, and counted, by the set of these rows
    return found


def _bench(row: Row) -> list[Kept]:
    from tests.accuracy.rows import readable

    row = readable(row)
    prepared = inference_perf.prepare(row)
    work = prepared.scenario.workload
    lone = prepared.scenario.runtime.engine == "llama.cpp" and work.concurrency == 1
    if not (lone or str(row["mode"]).startswith(BENCHED)) or work.kind != "serve":
        return []
    metrics = dict(prepared.observed)
    figures = {key: metrics[name] for key, names in FIGURES.items() for name in names if name in metrics}
    tool, text = writer_of(prepared, figures)
    told = {
        **figures,
        "users": work.concurrency,
        "prompt": work.input_tokens,
        "answer": work.output_tokens,
        "requests": work.requests or 10 * work.concurrency,
    }
    (run,) = logs.read(text(told))
    scenario = prepared.scenario
    person = f"{_source(row)} {scenario.hardware.accelerator.id} {scenario.runtime.engine}"
    rows = [one for one in measured.rows_of(run, scenario) if one.own]
    document = measured.kept([(run, scenario, rows)], str(row["id"]))
    ratios = kept_files.of_document(document, "kept")[1] if document else []
    if not ratios:
        return []
    return [Kept(person, tool, measured.loaded(scenario, run), ratios[0].model, rows, ratios)]


def trainer(step_s: float) -> str:
    """What Hugging Face's Trainer prints at its end."""
    steps = 1000
    told = {"train_runtime": step_s * steps, "train_steps_per_second": 1 / step_s, "train_loss": 1.5, "epoch": 1.0}
    return f"100%|##########| {steps}/{steps}\n{told}\n"


def memory_summary(gib: float) -> str:
    """What `torch.cuda.memory_summary` prints of what was allocated, to a tenth of a MiB."""
    row = f"| Allocated memory      | {gib * 1024:.1f} MiB | {gib * 1024:.1f} MiB |  99.9 GiB |  99.9 GiB |"
    return f"|{'=' * 70}|\n|        Metric         | Cur Usage  | Peak Usage | Tot Alloc  | Tot Freed  |\n{row}\n"


def trained(files: Sequence[str] = TRAINED, held: Sequence[str] = HELD) -> list[Kept]:
    """Every training row that a Trainer or torch's memory summary could have printed, written so, read and compared."""
    found = []
    for names, read in ((files, _trained), (held, _held)):
        for name in names:
            for row in load_rows(REFERENCE / f"{name}.jsonl"):
                try:
                    found += read(row)
                except (ScenarioError, CannotRead, ValueError, KeyError, TypeError):
                    continue  # set aside, and counted, by the set of these rows
    return found


def _trained(row: Row) -> list[Kept]:
    made = training_perf.scenario_of(row)
    if isinstance(made, str):
        return []
    scenario, layout, tokens_per_s_gpu = made
    run = size(scenario).training
    if run is None:
        return []
    step_s = run.step_tokens / (tokens_per_s_gpu * layout.gpus)
    return _one_run(row, scenario, "a Trainer's log", trainer(step_s), _source(row))


def _held(row: Row) -> list[Kept]:
    if row.get("in_fit") is False or row.get("oom") or not row.get("observed_gib"):
        return []
    metric = str(row.get("observed_metric") or "")
    if "reserved" in metric or "nvidia" in metric or "unstated" in metric:
        return []
    scenario, _ = training_memory.scenario_of(row)
    person = str(row.get("source_group") or row["source"])
    return _one_run(row, scenario, "torch's memory summary", memory_summary(row["observed_gib"]), person)


def _one_run(row: Row, scenario: Scenario, tool: str, text: str, person: str) -> list[Kept]:
    (run,) = logs.read(text)
    rows = [one for one in measured.rows_of(run, scenario) if one.own]
    document = measured.kept([(run, scenario, rows)], str(row["id"]))
    ratios = kept_files.of_document(document, "kept")[1] if document else []
    if not ratios:
        return []
    name = f"{person} {scenario.hardware.accelerator.id} {scenario.workload.framework} {rows[0].sharing}"
    return [Kept(name, tool, scenario, ratios[0].model, rows, ratios)]


def persons(every: Iterable[Kept]) -> dict[str, list[Kept]]:
    """The logs of each person who has more than one."""
    found: dict[str, list[Kept]] = defaultdict(list)
    for one in every:
        found[one.person].append(one)
    return {name: those for name, those in found.items() if len(those) > 1}


def held_out(those: Sequence[Kept], most: int = 0) -> list[Held]:
    """Each log of a person predicted after all others of theirs were kept. most: logs that are held out; 0 is all."""
    found = []
    step = max(1, len(those) // most) if most else 1
    for number in range(0, len(those), step):
        one = those[number]
        ratios = tuple(ratio for other in those if other is not one for ratio in other.ratios)
        hardware = one.scenario.hardware
        card = replace(hardware.accelerator, own=ratios)
        after = size(replace(one.scenario, hardware=replace(hardware, accelerator=card)))
        for row in one.rows:
            again = row_of(row.key, row.measured, after)
            if again is None or None in (row.low, row.high, again.low, again.high):
                continue
            same = any(ratio.model == one.model for ratio in ratios)
            span, later = (row.low, row.high), (again.low, again.high)
            found.append(
                Held(one.tool, row.own, one.person, same, row.measured, row.predicted, again.predicted, span, later)  # type: ignore[arg-type] # not None, as looked at above
            )
    return found


def links_held_out() -> list[Held]:
    """Each size of a collective predicted after the other sizes of the same person's run of nccl-tests were kept."""
    groups: dict[str, list[tuple[float, float, collectives.Call]]] = defaultdict(list)
    for row in load_rows(REFERENCE / "collectives.jsonl"):
        try:
            call = collectives.call_of(row)
        except (collectives.UnknownLink, catalog.UnknownId, ValueError, KeyError, TypeError):
            continue
        if call.inter is None and call.kernel == "nccl" and row.get("time_us") and not call.added_s:
            key = json.dumps([_source(row), call.intra.id, call.op, call.ranks, str(row.get("gpu"))])
            groups[key].append((float(call.payload_bytes), row["time_us"] * 1e-6, call))
    return [
        one
        for person, points in groups.items()
        if len({size for size, *_ in points}) > 3
        for one in _link(person, points)
    ]


def _link(person: str, points: Sequence[tuple[float, float, collectives.Call]]) -> list[Held]:
    found = []
    for number, (payload, seconds, call) in enumerate(points):
        others = [(one, time) for at, (one, time, _) in enumerate(points) if at != number]
        curve = OwnCurve(call.intra.id, call.op, call.ranks, kept_files.rising(others), "held out")
        before = call.seconds()
        after = replace(call, intra=replace(call.intra, own_curves=(curve,))).seconds()
        low, high = interval(payload, call.intra, None, "nccl", call.peer_access, call.generation)
        found.append(
            Held(
                "nccl-tests",
                "collective",
                person,
                True,
                seconds,
                before,
                after,
                (before * low, before * high),
                (after * low, after * high),
            )
        )
    return found


def medians(held: Iterable[Held]) -> dict[tuple[str, str], tuple[int, int, float, float, float, float]]:
    """By reader and figure: persons, figures, the median error of a person's median before and after, and the shares inside."""
    groups: dict[tuple[str, str], list[Held]] = defaultdict(list)
    for one in held:
        groups[one.reader, one.figure].append(one)
    made = {}
    for key, those in sorted(groups.items()):
        of_person: dict[str, list[Held]] = defaultdict(list)
        for one in those:
            of_person[one.person].append(one)
        parts: tuple[Callable[[Held], float], ...] = (lambda one: one.before, lambda one: one.after)
        before, after = (
            statistics.median(
                statistics.median(abs(part(one) / one.measured - 1) for one in each) for each in of_person.values()
            )
            for part in parts
        )
        spans: tuple[Callable[[Held], tuple[float, float]], ...] = (
            lambda one: one.span_before,
            lambda one: one.span_after,
        )
        inside = [sum(span(one)[0] <= one.measured <= span(one)[1] for one in those) / len(those) for span in spans]
        made[key] = (len(of_person), len(those), before, after, inside[0], inside[1])
    return made


MOST = 8
"""Runs of one person that are held out: a table of a hundred near-equal runs says no more."""


def evaluate(files: Sequence[str] = FILES) -> list[Held]:
    """Every figure held out, of rows of files, and of the collectives."""
    held = [one for those in persons([*benches(files), *trained()]).values() for one in held_out(those, MOST)]
    return held + links_held_out()


def render(held: Sequence[Held]) -> str:
    """The table of docs/imports.md."""
    lines = [
        "| reader | figure | sources | held out | error before | after | inside before | after |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (reader, figure), (people, count, *shares) in medians(held).items():
        before, after, was, now = (f"{100 * share:.0f} %" for share in shares)
        lines.append(f"| {reader} | {WORDS[figure]} | {people} | {count} | {before} | {after} | {was} | {now} |")
    return "\n".join(lines)


WORDS = {
    "ttft": "first token",
    "inter_token": "time per token",
    "tokens_per_s": "tokens/s",
    "collective": "time of a size",
    "train_step": "step",
    "train_peak": "peak allocated",
}
