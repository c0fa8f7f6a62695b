"""Beside the best peer: aiconfigurator's predictions of the same measured rows, beside ours.

    python -m tests.accuracy peer                     the table, from the stored answers
    python -m tests.accuracy peer --ask PYTHON        ask an aiconfigurator that PYTHON can import, and store its answers
    python -m tests.accuracy peer --left-out          fit ours without each row's source, and store those predictions

Nothing of the program needs it: an environment of its own holds it (`pip install aiconfigurator`). A row is asked as we read it
(`inference_perf.prepare`): model by its config, card, formats, layout, lengths, and users of an engine as the batch. For a
maximum, of batches from 32 to 1,024 the one that writes most is taken. It answers from its measured tables, where those have a gap from them and its
own estimates (its mode HYBRID). Rows of the table that it ships are apart.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import re
import statistics
import subprocess
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import catalog
from engine.decide.plan import plan
from engine.decide.size import size
from engine.layout.sharding import attention_ranks
from engine.scenario import Layout, Scenario
from engine.serving.draft import drafting, tokens_a_step
from engine.serving.shapes import engine_split
from tests.accuracy import inference_perf
from tests.accuracy.harness import REFERENCE, Row, load_rows, spread
from tests.accuracy.rows import UnreadableRow, readable
from tests.accuracy.speed_loads import Unusable

STORED = REFERENCE / "peer.toml"
WORKER = Path(__file__).parent / "peer_worker.py"
FILES = ("inference_perf.jsonl", "inference_perf_wave2.jsonl", "inference_perf_public.jsonl")
SYSTEMS = {
    "a100-pcie-80gb": "a100_pcie",
    "a100-sxm4-80gb": "a100_sxm",
    "a30": "a30",
    "b200-sxm": "b200_sxm",
    "b300-sxm": "b300_sxm",
    "arc-pro-b60": "b60",
    "gb200": "gb200",
    "gb300": "gb300",
    "h100-pcie": "h100_pcie",
    "h100-sxm": "h100_sxm",
    "h200-sxm": "h200_sxm",
    "l4": "l4",
    "l40s": "l40s",
    "rtx-pro-6000-server": "rtx_pro_6000_server",
}
ENGINES = {"vllm": "vllm", "vllm-earlier": "vllm", "sglang": "sglang", "trtllm": "trtllm"}
GEMM = {
    "bf16": "bfloat16",
    "fp16": "bfloat16",
    "fp8": "fp8",
    "int8": "sq",
    "int4-awq": "int4_wo",
    "int4-gptq": "int4_wo",
    "nvfp4": "nvfp4",
    "mxfp4": "bfloat16",
}
EXPERTS = {**GEMM, "int8": "", "mxfp4": "w4a16_mxfp4"}
BLOCKS = ("deepseek-v3", "deepseek-r1", "deepseek-v3.1", "deepseek-v3.2", "qwen3-235b-a22b", "qwen3-30b-a3b")
"""Models whose FP8 checkpoints are scaled by blocks."""
KV = {"bf16": "bfloat16", "fp16": "bfloat16", "fp8": "fp8"}
BATCHES = (1024, 512, 256, 128, 64, 32)
TIMED = 12

MAXIMUM = inference_perf.MAXIMUM
FIRSTS = (inference_perf.TTFT_LOW, inference_perf.TTFT_LOADED)
FIGURES = (inference_perf.TPOT_DENSE, inference_perf.TPOT_MOE, *FIRSTS, MAXIMUM, inference_perf.LOADED)
"""The figures of the table; the best load inside limits is a search, which is not asked."""


class Asked(NamedTuple):
    """One row's question: what the peer is told, and the independent engines that share its load."""

    arguments: dict[str, Any]
    batches: tuple[int, ...]
    best: bool
    engines: int


def config_of(model_id: str) -> Path:
    """The config of a model of the catalog. Raises Unusable."""
    path = Path(catalog.__file__).parent / "data" / "models" / f"{model_id}.config.json"
    if not path.is_file():
        raise Unusable("the model's config is not in the catalog")
    return path


def question_of(prepared: inference_perf.Prepared) -> Asked:
    """What the peer is asked about a row. Raises Unusable with what it has no word for."""
    scenario = prepared.scenario
    work, hardware, model = scenario.workload, scenario.hardware, scenario.model
    engine = ENGINES.get(scenario.runtime.engine)
    if engine is None:
        raise Unusable("no tables of llama.cpp")
    system = SYSTEMS.get(hardware.accelerator.id)
    if system is None:
        raise Unusable("no tables of the card")
    layout = _layout(scenario)
    copies, ranks = engine_split(layout)[1], attention_ranks(layout)
    gemm = GEMM.get(model.weights)
    if gemm is None or model.kv_cache not in KV:
        raise Unusable("a format that it does not know")
    experts = EXPERTS[model.weights] if model.architecture.experts else ""
    if model.architecture.experts and not experts:
        raise Unusable("a format that it does not know")
    if model.weights == "fp8" and model.id in BLOCKS:
        gemm = experts = "fp8_block"
    said: dict[str, Any] = {
        "model_path": str(config_of(model.id)),
        "system_name": system,
        "backend_name": engine,
        "isl": work.input_tokens,
        "osl": max(2, work.output_tokens),
        "tp_size": ranks,
        "pp_size": layout.pp,
        "attention_dp_size": copies,
        "gemm_quant_mode": gemm,
        "kvcache_quant_mode": KV[model.kv_cache],
        # what was read before the clock started
        "prefix": work.input_tokens - 1 if prepared.cached_prompt else work.cached_tokens,
    }
    if model.architecture.experts:
        spread = max(1, layout.ep)
        said |= {"moe_quant_mode": experts, "moe_ep_size": spread, "moe_tp_size": max(1, ranks * copies // spread)}
    method, ahead, kept = drafting(model, scenario.runtime)
    if method == "mtp":
        said |= {"nextn": ahead, "nextn_accepted": tokens_a_step(ahead, kept) - 1}
    elif method is not None:
        raise Unusable("drafts other than MTP")
    engines = 1 if layout.dp_attention else layout.dp
    best = any(metric == MAXIMUM for metric, _ in prepared.observed)
    users = max(1, math.ceil(work.concurrency / engines / copies))
    batches = BATCHES if best else tuple(dict.fromkeys((users, max(1, users // 2), max(1, users // 4))))
    return Asked(said, batches, best, engines)


def _layout(scenario: Scenario) -> Layout:
    choice = scenario.layout
    if choice.tp is None:
        return plan(scenario).layout
    return Layout(choice.tp, choice.pp or 1, choice.dp or 1, choice.ep or 1, bool(choice.dp_attention))


def prepared_rows() -> Iterable[tuple[Row, inference_perf.Prepared]]:
    """Every row of the repository that can be written as a Scenario, with the file that it stands in as `_file`."""
    for name in FILES:
        for raw in load_rows(REFERENCE / name):
            try:
                row = readable(raw)
                yield {**row, "_file": name}, inference_perf.prepare(row)
            except (Unusable, UnreadableRow):
                continue


def has_figure(prepared: inference_perf.Prepared) -> bool:
    """Whether a row has a figure of the table."""
    return any(metric in FIGURES for metric, _ in prepared.observed)


def reason_of(prepared: inference_perf.Prepared) -> str:
    """Why the peer is not asked about a row; empty where it is."""
    try:
        question_of(prepared)
    except Unusable as reason:
        return str(reason)
    return ""


def of_its_own(row: Mapping[str, Any]) -> bool:
    """Whether a row is of the table that aiconfigurator ships."""
    return "aiconfigurator" in str(row["source"])


def ask(python: str, root: str) -> dict[str, Any]:
    """Ask the peer about every row and give back the document to store. root: a folder for the models' configs."""
    asked: dict[str, Asked] = {}
    refused: dict[str, str] = {}
    for row, prepared in prepared_rows():
        if has_figure(prepared) and not reason_of(prepared):
            asked[row["id"]] = question_of(prepared)
    by_system = sorted(
        asked, key=lambda one: (asked[one].arguments["system_name"], asked[one].arguments["backend_name"])
    )
    lines = [
        json.dumps(
            {
                "id": one,
                "arguments": _by_folder(asked[one].arguments, root),
                "batches": asked[one].batches,
                "best": asked[one].best,
            }
        )
        for one in by_system
    ]
    ran = subprocess.run(
        [python, str(WORKER), str(TIMED)], input="\n".join(lines) + "\n", stdout=subprocess.PIPE, text=True, check=True
    )
    answers: dict[str, list[float]] = {}
    seconds, version = [], ""
    for line in filter(lambda text: text.startswith("{"), ran.stdout.splitlines()):
        said = json.loads(line)
        version = said["version"]
        if "problem" in said:
            refused[said["id"]] = _reason(said["problem"])
            continue
        if said["seconds"] is not None:
            seconds.append(said["seconds"])
        rate = said["rate"] * asked[said["id"]].engines
        answers[said["id"]] = [float(f"{value:.5g}") for value in (said["ttft"], said["tpot"], rate)]
    where = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    files = (one for one in Path(where.stdout.strip()).rglob("*") if one.is_file() and not one.is_symlink())
    return {
        "version": version,
        "day": datetime.date.today().isoformat(),
        "install_mb": round(sum(one.stat().st_size for one in files) / 1e6),
        "answer_s": round(statistics.median(seconds), 2) if seconds else 0.0,
        "refused": refused,
        "answers": answers,
    }


def _by_folder(arguments: dict[str, Any], root: str) -> dict[str, Any]:
    """The arguments with a folder below `root` that holds the config under the name that the peer looks for."""
    config = Path(arguments["model_path"])
    folder = Path(root) / config.name.removesuffix(".config.json")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_bytes(config.read_bytes())
    return {**arguments, "model_path": str(folder)}


REASONS = (
    ("OutOfMemory|does not fit|KV cache|out of memory|exceeds", "it finds no room for the load"),
    ("not supported|unsupported|Unsupported|not in|architecture", "a model, format or layout that it does not support"),
    ("database|data|table|missing|No ", "no measurements for the combination"),
)


def _reason(problem: str) -> str:
    return next((words for pattern, words in REASONS if re.search(pattern, problem)), "it fails")


class Pair(NamedTuple):
    """One figure of a row: measured, theirs, ours as shipped, and ours fitted without the row's source (None: not stored)."""

    figure: str
    own: bool
    measured: float
    theirs: float
    ours: float
    unseen: float | None


def pairs(stored: Mapping[str, Any]) -> list[Pair]:
    """Every figure that the peer answered, with ours beside it."""
    found, unseen = [], stored.get("ours_left_out", {})
    for row, prepared in prepared_rows():
        answer = stored["answers"].get(row["id"])
        if answer is None:
            continue
        serving = size(prepared.scenario).serving
        if serving is None:
            continue
        ttft, tpot, rate = answer
        for metric, value in prepared.observed:
            if metric not in FIGURES:
                continue
            theirs = ttft / 1e3 if metric in FIRSTS else tpot / 1e3
            if metric in (MAXIMUM, inference_perf.LOADED):
                theirs = rate
            ours = inference_perf.predicted(metric, serving, prepared)[0]
            kept = unseen.get(f"{row['id']} {metric}")
            if kept is None and row["_file"] == FILES[2]:
                kept = ours  # nothing was ever fitted on it
            found.append(Pair(metric, of_its_own(row), value, theirs, ours, kept))
    return found


def left_out() -> dict[str, float]:
    """Our predictions of every fitted row's figures by constants fitted without its source."""
    from engine.calibration import serving_speed as shipped
    from tests.calibration import serving_speed as fit

    points = fit.points_of([row for name in fit.FILES for row in load_rows(REFERENCE / name)])
    errors = fit.left_out(points, shipped.CONSTANTS)
    return {
        f"{point.row_id} {point.metric}": float(f"{point.observed * math.exp(error):.5g}")
        for point, error in zip(points, errors, strict=True)
    }


def errors(measured: Iterable[float], predicted: Iterable[float]) -> str:
    """Median and p90 of the absolute relative errors, %."""
    median, p90 = spread(ours / value - 1 for value, ours in zip(measured, predicted, strict=True))
    return f"{100 * median:.1f} / {100 * p90:.1f}"


def nearer(every: Sequence[Pair]) -> str:
    """On which figures of other sources each is nearer in the median, in words."""
    ours: list[str] = []
    theirs: list[str] = []
    for figure in FIGURES:
        listed = [one for one in every if one.figure == figure and not one.own and one.unseen is not None]
        if listed:
            mine = statistics.median(abs((one.unseen or 0.0) / one.measured - 1) for one in listed)
            other = statistics.median(abs(one.theirs / one.measured - 1) for one in listed)
            (ours if mine <= other else theirs).append(figure)
    told = "; ".join(theirs) or "none"
    return f"Of other sources it is nearer in the median on: {told}. We are on: {'; '.join(ours) or 'none'}."


def table(stored: Mapping[str, Any], every: Sequence[Pair]) -> list[str]:
    """The table in Markdown: theirs, ours left out and ours as shipped, its own table apart; and what it cannot answer."""
    lines = [
        "| figure | rows | n | aiconfigurator | sizeup, source left out | sizeup, as fitted |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for figure in FIGURES:
        for own in (False, True):
            listed = [one for one in every if one.figure == figure and one.own is own and one.unseen is not None]
            if not listed:
                continue
            measured = [one.measured for one in listed]
            cells = (
                errors(measured, values)
                for values in (
                    [one.theirs for one in listed],
                    [one.unseen or 0.0 for one in listed],
                    [one.ours for one in listed],
                )
            )
            lines.append(f"| {figure} | {'its own table' if own else 'others'} | {len(listed)} | {' | '.join(cells)} |")
    rows = {row["id"]: prepared for row, prepared in prepared_rows() if has_figure(prepared)}
    refused = Counter(
        stored["refused"].get(name) or reason_of(prepared) or "not asked yet"
        for name, prepared in rows.items()
        if name not in stored["answers"]
    )
    answered = len(rows) - sum(refused.values())
    lines += ["", f"Of {len(rows):,} rows it answers {answered:,}; of the others:", ""]
    lines += [f"- {count}: {words}" for words, count in refused.most_common()]
    return lines


OURS_MB = "about 45 MB with Textual and pydantic"


def page() -> str:
    """docs/peer.md: the table and how it came about."""
    stored = read()
    every = pairs(stored)
    return "\n".join(
        [
            "# Beside the best peer",
            "",
            "Written by `scripts/write_docs.py` from `tests/reference/peer.toml`. [aiconfigurator](https://github.com/ai-dynamo/aiconfigurator) "
            f"{stored['version']} predicts serving from measured kernels, as we do; it was asked on {stored['day']} about every row of",
            "`tests/reference/inference_perf*.jsonl` that it has words for, as we read the row: model by its config, card, formats, layout, lengths,",
            "and users of an engine as its batch; for a maximum, of batches from 32 to 1,024 the one that writes most. It answers from its measured",
            "tables and, where those have a gap, from its own estimates beside them. Errors are median / p90 in %, of the figures that both predict.",
            "*Its own table* are the InferenceX figures that it ships (`silicon_sample.csv`); *others* are of other sources. *Source left out*: our",
            "constants fitted again without the row's source, in eight parts of the sources (rows that nothing was ever fitted on are as they are).",
            "",
            *table(stored, every),
            "",
            nearer(every),
            "Its first token under load has no queue and no start of a run in it. Of the best load inside latency limits, which takes",
            "a search, it was not asked. It says nothing of llama.cpp, of cards without its tables (RTX 3090 to 5090, A6000, MI300X, Gaudi, unified",
            "memory), of the memory of a start beyond room for KV, of links other than its systems', and states no interval.",
            "",
            f"An answer takes it {stored['answer_s']:.2g} s of processor time, warm, and us 2 to 3 ms; installed with what it needs it takes {stored['install_mb']} MB, "
            f"and sizeup {OURS_MB}.",
            "",
            "To ask again: `python -m tests.accuracy peer --ask PYTHON`, a Python of an environment of its own with `pip install aiconfigurator`;",
            "`--left-out` fits ours without each source. Nothing of the program needs it.",
            "",
        ]
    )


def read() -> dict[str, Any]:
    """The stored answers."""
    return tomllib.loads(STORED.read_text(encoding="utf-8"))


def write(stored: Mapping[str, Any]) -> None:
    """Store them."""
    import tomli_w

    STORED.write_text(tomli_w.dumps(dict(stored)), encoding="utf-8")


def ours_s(rows: int = 40) -> float:
    """Seconds of processor time that one of our sizings takes, the median of some rows not asked before."""
    seconds = []
    for number, (_, prepared) in enumerate(prepared_rows()):
        if number % 40:
            continue
        begun = time.process_time()
        size(prepared.scenario)
        seconds.append(time.process_time() - begun)
        if len(seconds) == rows:
            break
    return statistics.median(seconds)


def main(arguments: list[str]) -> int:
    """Print the table, after asking anew where that is wanted."""
    parser = argparse.ArgumentParser(prog="python -m tests.accuracy peer", description=__doc__)
    parser.add_argument("--ask", metavar="PYTHON", help="the Python of an environment that has aiconfigurator")
    parser.add_argument("--left-out", action="store_true", help="fit ours without each row's source")
    options = parser.parse_args(arguments)
    stored = read() if STORED.is_file() else {}
    if options.ask:
        with tempfile.TemporaryDirectory() as root:
            stored = {**stored, **ask(options.ask, root)}
    if options.left_out:
        stored["ours_left_out"] = left_out()
    if options.ask or options.left_out:
        rows = {row["id"] for row, _ in prepared_rows()}  # an answer about a row that was set aside since is none
        kept = {
            part: {name: told for name, told in stored[part].items() if name in rows} for part in ("answers", "refused")
        }
        write({**stored, **kept})
    every = pairs(stored)
    print("\n".join([*table(stored, every), "", nearer(every)]))
    print(f"\naiconfigurator {stored['version']}, asked {stored['day']}; errors median / p90, %.")
    print(
        f"An answer: theirs {stored['answer_s']:.2g} s, ours {ours_s():.2g} s. Installed: theirs {stored['install_mb']} MB."
    )
    return 0
