"""Curves of kernels from the measured tables of aiconfigurator-core 0.12.0: engine/calibration/kernels.py.

    pip download --no-deps aiconfigurator-core==0.12.0 && unzip aiconfigurator_core-*.whl -d DIRECTORY
    python -m tests.calibration kernels DIRECTORY            print each table's curve and its error
    python -m tests.calibration kernels DIRECTORY --write    and rewrite the module

Needs pyarrow, which the app does not. Each table (system, engine, format) is fitted by itself, least absolute logarithms, with
a weak prior; a class takes the geometric mean of its tables. Windowed and prefix rows are left out. Of mixtures, an engine's
newest table of a format counts that has gated experts (the last TensorRT-LLM one of Hopper has only plain ones, of two matrices
for three), balanced routing and the tables' power law of 1.01 alike, and FP8 in blocks is a class of its own. What no table
measures is in `ASSUMED`, with where it is from.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.calibration.serving_speed import solve

TARGET = Path(__file__).parents[2] / "engine" / "calibration" / "kernels.py"
SAMPLE = 500
"""Rows of a table that are fitted on, drawn with a fixed seed."""
POWER = 4.0
PRIOR = 0.005

# system of the tables: (class, GB/s, 16-bit TFLOPS, FP4 TFLOPS)
SYSTEMS = {
    "a100_sxm": ("ampere", 2039, 312, 0),
    "h100_sxm": ("hopper", 3350, 989, 0),
    "h200_sxm": ("hopper", 4800, 989, 0),
    "b200_sxm": ("blackwell", 8000, 2250, 9000),
    "gb200": ("blackwell", 8000, 2500, 10000),
    "b300_sxm": ("blackwell-ultra", 8000, 2250, 13500),
    "gb300": ("blackwell-ultra", 8000, 2500, 15000),
    "l40s": ("ada", 864, 362, 0),
    "rtx_pro_6000_server": ("blackwell-gddr", 1597, 503.8, 2015),
    "b60": ("intel", 456, 98, 0),
}
# format of the tables: (class of arithmetic, bytes of a weight)
FORMATS = {
    "bfloat16": ("16-bit", 2.0),
    "fp8": ("fp8", 1.0),
    "fp8_block": ("fp8", 1.0),
    "nvfp4": ("fp4", 0.5625),
    "int4_wo": ("weight-only", 0.53),
    "w4a16_mxfp4": ("weight-only", 0.53),
}
# tables that are not what runs: vLLM's block FP8 products were measured with their launches, its FP8 mixtures untuned
BROKEN = {("gemm", "vllm", "fp8_block"), ("moe", "vllm", "fp8")}
CLASSES = (
    "ampere",
    "ampere-gddr",
    "ada",
    "hopper",
    "blackwell",
    "blackwell-ultra",
    "blackwell-gddr",
    "amd",
    "intel",
    "gaudi",
    "other",
)
KINDS = ("16-bit", "fp8", "fp4", "weight-only", "gguf")
EXPERT_KINDS = (*KINDS, "fp8-block")
"""Of experts: products of FP8 in blocks cost as those of FP8 do, but mixtures of them run in other kernels."""
ROUTINGS = ("balanced", "power_law_1.01")
FEWEST_ROWS = 60
UNGATED = "nongated"
"""In the name of a kernel of experts of two matrices, which the models here do not have."""
NEAREST = {"ampere-gddr": "ada", "amd": "hopper", "gaudi": "hopper", "other": "blackwell-gddr"}
"""The class whose curves one without tables takes."""

Curve = dict[str, float]
Rows = list[dict[str, Any]]


def read(path: Path, columns: list[str], without: str = "") -> Rows:
    """The rows of a table, the fastest of each shape. without: a word in the names of kernels that are left out."""
    from pyarrow import parquet

    table = parquet.read_table(path)
    found = {name: table.column(name).to_pylist() for name in columns if name in table.column_names}
    kernels = table.column("kernel_source").to_pylist() if without else [""] * table.num_rows
    fastest: dict[tuple[Any, ...], dict[str, Any]] = {}
    for kernel, *values in zip(kernels, *found.values(), strict=True):
        if without and without in kernel:
            continue
        row = dict(zip(found, values, strict=True))
        key = tuple(value for name, value in row.items() if name != "latency")
        if row["latency"] > 0 and (key not in fastest or row["latency"] < fastest[key]["latency"]):
            fastest[key] = row
    return list(fastest.values())


def fitted(rows: Rows, start: Curve, seconds: Callable[[Curve, dict[str, Any]], float]) -> tuple[Curve, float, float]:
    """(curve, median error, error of nine in ten) of a table: Gauss-Newton in logarithms, weighted down as rows lie off."""
    random.Random(0).shuffle(rows)
    rows = rows[:SAMPLE]
    names, best = list(start), dict(start)

    def errors(curve: Curve) -> list[float]:
        return [math.log(seconds(curve, row) * 1e3 / row["latency"]) for row in rows]

    def loss(curve: Curve, found: list[float]) -> float:
        away = sum((math.log(curve[name] / start[name])) ** 2 for name in names)
        return sum(map(abs, found)) + PRIOR * len(rows) * away

    known = errors(best)
    for _ in range(12):
        slopes = []
        for name in names:
            moved = errors(best | {name: best[name] * math.exp(0.02)})
            slopes.append([(after - before) / 0.02 for after, before in zip(moved, known, strict=True)])
        weights = [1 / max(abs(error), 0.03) for error in known]
        matrix = [[sum(w * x * y for w, x, y in zip(weights, a, b, strict=True)) for b in slopes] for a in slopes]
        right = [-sum(w * x * e for w, x, e in zip(weights, a, known, strict=True)) for a in slopes]
        for index, name in enumerate(names):
            matrix[index][index] += 2 * PRIOR * len(rows) + 1e-9
            right[index] -= 2 * PRIOR * len(rows) * math.log(best[name] / start[name])
        step = solve(matrix, right)
        size = 1.0
        while size > 0.05:
            tried = {n: best[n] * math.exp(max(-0.7, min(0.7, size * d))) for n, d in zip(names, step, strict=True)}
            after = errors(tried)
            if loss(tried, after) < loss(best, known):
                best, known = tried, after
                break
            size /= 2
        else:
            break
    ranked = sorted(abs(math.exp(error) - 1) for error in known)
    return best, statistics.median(ranked), ranked[int(0.9 * (len(ranked) - 1))]


def smooth(one: float, other: float) -> float:
    """A smooth maximum."""
    return float((one**POWER + other**POWER) ** (1 / POWER))


def releases(directory: Path, system: str, kind: str, name: str) -> Iterator[tuple[str, Path]]:
    """(engine, table) of every release of the engines, the older first."""
    for path in sorted(directory.glob(f"**/systems/data/{system}/{kind}/*/*/{name}_perf.parquet")):
        yield path.parts[-3], path


def tables(directory: Path, system: str, kind: str, name: str) -> Iterator[tuple[str, Path]]:
    """(engine, newest table of an engine) of a kind on a system."""
    yield from dict(releases(directory, system, kind, name)).items()


def products(directory: Path, system: str) -> Iterator[tuple[str, str, Curve, float, float]]:
    """(class of arithmetic, table, curve, errors) of matrix products."""
    _, bandwidth, sixteen, four = SYSTEMS[system]
    for engine, path in tables(directory, system, "gemm", "gemm"):
        split: dict[str, Rows] = defaultdict(list)
        for row in read(path, ["gemm_dtype", "m", "n", "k", "latency"]):
            if row["m"] <= 16384 and all(1024 <= row[side] <= 30000 for side in ("n", "k")):
                split[row["gemm_dtype"]].append(row)
        for name, rows in split.items():
            if name not in FORMATS or ("gemm", engine, name) in BROKEN or len(rows) < 50 or name == "int4_wo":
                continue
            kind, size = FORMATS[name]
            peak = (four if kind == "fp4" else sixteen * (2 if kind == "fp8" else 1)) * 1e12

            def seconds(c: Curve, row: dict[str, Any], size: float = size, peak: float = peak) -> float:
                m, n, k = row["m"], row["n"], row["k"]
                streamed = (n * k * size + 2 * m * (n + k)) / (bandwidth * 1e9 * c["stream"])
                return c["start_s"] + smooth(streamed, 2 * n * k * (m + c["rows"]) / (peak * c["peak"]))

            start = {"start_s": 5e-6, "stream": 0.8, "peak": 0.6, "rows": 50.0}
            yield kind, f"{engine} {name}", *fitted(rows, start, seconds)


def mixtures(directory: Path, system: str) -> Iterator[tuple[str, str, Curve, float, float]]:
    """(class of arithmetic, table, curve, errors) of mixtures of experts."""
    _, bandwidth, sixteen, four = SYSTEMS[system]
    columns = [
        "moe_dtype",
        "num_tokens",
        "hidden_size",
        "inter_size",
        "topk",
        "num_experts",
        "moe_tp_size",
        "moe_ep_size",
    ]
    newest: dict[tuple[str, str], dict[str, Rows]] = {}
    for engine, path in releases(directory, system, "moe", "moe"):
        split: dict[str, dict[str, Rows]] = defaultdict(lambda: defaultdict(list))
        for row in read(path, [*columns, "distribution", "latency"], UNGATED):
            if row["topk"] > 1 and row["num_tokens"] <= 8192 and max(row["moe_tp_size"], row["moe_ep_size"]) <= 8:
                split[row["moe_dtype"]][row["distribution"]].append(row)
        newest |= {(engine, name): by_routing for name, by_routing in split.items()}
    for (engine, name), by_routing in newest.items():
        if name not in FORMATS or ("moe", engine, name) in BROKEN:
            continue
        kind, size = FORMATS[name]
        peak = (four if kind == "fp4" else sixteen * (2 if kind == "fp8" else 1)) * 1e12

        def seconds(c: Curve, row: dict[str, Any], size: float = size, peak: float = peak) -> float:
            elements = 3 * row["hidden_size"] * row["inter_size"] / row["moe_tp_size"]
            held, tokens = row["num_experts"] / row["moe_ep_size"], row["num_tokens"]
            touched = held * (1 - (1 - row["topk"] / row["num_experts"]) ** tokens)
            routed = tokens * row["topk"] / row["moe_ep_size"]
            streamed = touched * (elements * size + c["start_bytes"]) / (bandwidth * 1e9 * 0.9)
            multiplied = 2 * elements * (routed + touched * c["rows"]) / (peak * c["peak"])
            return c["start_s"] + smooth(streamed, multiplied)

        start = {"start_s": 30e-6, "start_bytes": 5e5, "peak": 0.3, "rows": 50.0}
        for routing in ROUTINGS:
            rows = by_routing.get(routing, [])
            if len(rows) >= FEWEST_ROWS:
                made = "fp8-block" if name == "fp8_block" else kind
                yield made, f"{engine} {name} {routing}", *fitted(rows, start, seconds)


def attention(directory: Path, system: str) -> Iterator[tuple[str, Curve, float, float]]:
    """(table, curve, errors) of attention over prompts and while decoding, in 16 bits with heads of 128."""
    _, bandwidth, sixteen, _ = SYSTEMS[system]
    columns = [
        "batch_size",
        "isl",
        "num_heads",
        "num_key_value_heads",
        "head_dim",
        "attn_dtype",
        "kv_cache_dtype",
        "step",
    ]
    for engine, path in tables(directory, system, "attention", "context_attention"):
        rows = [
            row
            for row in read(path, [*columns, "window_size", "latency"])
            if not row.get("window_size") and not row["step"] and row["head_dim"] == 128 and row["isl"] >= 64
            if row["attn_dtype"] == row["kv_cache_dtype"] == "bfloat16"
            and row["num_heads"] > row["num_key_value_heads"]
        ]

        def seconds(c: Curve, row: dict[str, Any]) -> float:
            flops: float = 2.0 * row["batch_size"] * row["isl"] * (row["isl"] + c["keys"]) * row["num_heads"] * 128
            return c["start_s"] + flops / (sixteen * 1e12 * c["peak"])

        yield f"{engine} prompt", *fitted(rows, {"start_s": 15e-6, "peak": 0.55, "keys": 800.0}, seconds)
    for engine, path in tables(directory, system, "attention", "generation_attention"):
        rows = [
            row
            for row in read(path, [*columns, "window_size", "latency"])
            if not row.get("window_size") and row["head_dim"] == 128 and row["kv_cache_dtype"] == "bfloat16"
        ]

        def decode(c: Curve, row: dict[str, Any]) -> float:
            held: float = 4.0 * row["batch_size"] * (row["step"] + row["isl"]) * row["num_key_value_heads"] * 128
            return c["start_s"] + held / (bandwidth * 1e9 * c["stream"])

        yield f"{engine} decode", *fitted(rows, {"start_s": 12e-6, "stream": 0.8}, decode)


def indexer(directory: Path) -> float:
    """Rate of DeepSeek's indexer over the FP8 peak, at causal FLOPs, of prompts of 4,096 tokens and more."""
    rates: list[float] = []
    for system, (_, _, sixteen, _) in SYSTEMS.items():
        for _, path in tables(directory, system, "sparse_attention", "glm5_mqa_logits_module"):
            for row in read(path, ["batch_size", "isl", "step", "latency"]):
                if row["batch_size"] == 1 and not row["step"] and row["isl"] >= 4096:
                    # GLM 5: 32 index heads of 128
                    rates.append(32 * 128 * row["isl"] ** 2 / (row["latency"] / 1e3) / (2e12 * sixteen))
    return statistics.median(rates)


def indexed(directory: Path) -> float:
    """Seconds of a layer's attention with an indexer beyond the same without, of one token: DeepSeek-V3.2's over V3's, 16 heads.

    Short contexts, so that they are launches: of the tables of systems and engines the median.
    """
    columns = ["model", "mla_dtype", "kv_cache_dtype", "gemm_type", "num_heads", "batch_size", "isl", "step", "latency"]

    def single(path: Path, model: str) -> dict[tuple[Any, ...], float]:
        """Milliseconds of one sequence by formats and context."""
        return {
            (row["mla_dtype"], row["kv_cache_dtype"], row["gemm_type"], row["step"]): row["latency"]
            for row in read(path, columns)
            if row["model"] == model and row["batch_size"] == 1 and row["num_heads"] == 16 and row["step"] <= 2048
        }

    found: list[float] = []
    for system in SYSTEMS:
        plain = dict(tables(directory, system, "mla", "mla_generation_module"))
        for engine, path in tables(directory, system, "sparse_attention", "dsa_generation_module"):
            if engine in plain:
                without = single(plain[engine], "deepseek-ai/DeepSeek-V3")
                both = [
                    seconds - without[key]
                    for key, seconds in single(path, "deepseek-ai/DeepSeek-V3.2").items()
                    if key in without
                ]
                found.append(statistics.median(both) / 1e3)
    return statistics.median(found)


# llama.cpp's kernels of one row keep too few reads under way for stacked memory: of a model of 70B, A100 and H100 read 0.5 to
# 0.64 of their bandwidth, cards with GDDR6 0.75 to 0.85 (XiongjieDai/GPU-Benchmarks-on-LLM-Inference)
STACKED = ("ampere", "hopper", "blackwell", "blackwell-ultra")
ASSUMED_PRODUCTS: dict[tuple[str, str], Curve] = {
    # what users of MI300X report of BF16 and FP8 products: hipBLASLt far under the sheet
    ("amd", "16-bit"): {"stream": 0.7, "peak": 0.55, "rows": 80.0},
    ("amd", "fp8"): {"stream": 0.7, "peak": 0.45, "rows": 80.0},
    ("amd", "fp4"): {"stream": 0.7, "peak": 0.35, "rows": 80.0},
    # rates of big products that were measured beside the sheets (catalog, measured_tflops_*): 1,243 and 1,290 of 1,677 on Gaudi 3;
    # its engines hold more of their rate for few rows than an H100 does (arXiv 2502.01070, thin products)
    ("gaudi", "16-bit"): {"stream": 0.8, "peak": 0.74, "rows": 40.0},
    ("gaudi", "fp8"): {"stream": 0.8, "peak": 0.77, "rows": 40.0},
    **{(card, "gguf"): {"stream": 0.58} for card in STACKED},
    # prompts of llama.cpp on a Radeon 8060S reach 4.5 TFLOP/s of 118 in INT8, dense models and mixtures (lhl/strix-halo-testing)
    ("amd", "gguf"): {"peak": 0.04},
}
ASSUMED_MIXTURES: dict[tuple[str, str], Curve] = {
    **{(card, "gguf"): {"stream": 0.67} for card in STACKED},
    ("amd", "gguf"): {"peak": 0.04},
    # measured kernel by kernel at 45 to 58 us, which graphs of an engine hide: published speeds of one user on RTX PRO 6000
    ("blackwell-gddr", "fp4"): {"start_s": 28e-6},
}
BLOCKS = {"stream": 0.87, "peak": 0.15, "rows": 40.0}
BLOCK_MIXTURES = {"start_s": 25e-6, "stream": 1.0, "start_bytes": 1e5, "peak": 0.1, "rows": 30.0}
"""llama.cpp, which the tables do not hold: published speeds of llama-bench on GeForce, A100 and DGX Spark."""
MIXTURE_STREAM = 0.9
"""Bandwidth of experts beside a start of bytes for each: a table does not tell the two apart."""
WEIGHTS_ALONE = (0.75, 0.85, 40.0)
"""Products behind a dequantization: most of the bandwidth, of the rate of 16-bit products, and rows (Marlin; the tables hold two)."""


def mean(curves: list[Curve]) -> Curve:
    """The geometric mean of curves."""
    return {name: statistics.geometric_mean(curve[name] for curve in curves) for name in curves[0]}


Table = dict[str, dict[str, Curve]]
EITHER = {"fp8": "fp8-block", "fp8-block": "fp8"}
"""What stands for a kind that a class has no tables of."""


def classed(
    found: dict[tuple[str, str], list[Curve]],
    assumed: dict[tuple[str, str], Curve],
    blocks: Curve,
    alone: bool,
    wanted: tuple[str, ...] = KINDS,
) -> Table:
    """Curves of every class and arithmetic: of tables, else of the class nearest, else of FP8 with blocks or without, or of 16 bits."""
    made: Table = {}
    for name in (*(one for one in CLASSES if one not in NEAREST), *NEAREST):
        made[name] = {}
        for kind in wanted:
            near = made.get(NEAREST.get(name, ""), {}).get(kind)
            curve = mean(found[name, kind]) if (name, kind) in found else near
            if curve is None and kind in EITHER:
                other = EITHER[kind]
                curve = mean(found[name, other]) if (name, other) in found else None
            if curve is None:
                curve = (
                    made["blackwell"][kind]
                    if kind == "fp4" and "blackwell" in made
                    else made[name].get("16-bit", blocks)
                )
            if kind == "weight-only" and alone:
                plain = made[name]["16-bit"]
                most, share, rows = WEIGHTS_ALONE
                curve = {"stream": min(most, plain["stream"]), "peak": share * plain["peak"], "rows": rows}
            if kind == "gguf":
                curve = blocks
            made[name][kind] = {**curve, **assumed.get((name, kind), {})}
    return {name: made[name] for name in CLASSES}


def text_of_table(name: str, table: Table, fields: tuple[str, ...]) -> list[str]:
    """A table as Python."""
    lines = [f"{name}: Final[dict[str, dict[str, dict[str, float]]]] = {{"]
    for one, kinds in table.items():
        lines.append(f'    "{one}": {{')
        for kind, curve in kinds.items():
            inner = ", ".join(f'"{field}": {curve[field]:.3g}' for field in fields)
            lines.append(f'        "{kind}": {{{inner}}},')
        lines.append("    },")
    return [*lines, "}"]


def write(
    dense: Table, sparse: Table, scores: dict[str, Curve], index: tuple[float, float], errors: dict[str, str]
) -> None:
    """Rewrite the module."""
    head = f'''"""Curves of kernels: what products, experts and attention take by shape, as share of a card's data sheet.

Written by `python -m tests.calibration kernels DIRECTORY --write` from the measured tables of aiconfigurator-core 0.12.0
(Apache-2.0, see NOTICE): A100, H100, H200, B200, B300, GB200, GB300, L40S, RTX PRO 6000 and B60 under vLLM, SGLang and
TensorRT-LLM. By class of card and of arithmetic:

    product    = ((bytes / (bandwidth x stream))^4 + ((tokens + rows) FLOPs / (peak rate x peak))^4)^(1/4)
    mixture    = start_s + the same with start_bytes more for each expert that is read, and rows for each expert
    attention  = FLOPs / (peak rate x peak) x (1 + keys / tokens); decoding, bytes / (bandwidth x stream)

Errors of the tables by their own curves, median and nine in ten, lowest to highest: products {errors["products"]}; mixtures
{errors["mixtures"]}; attention {errors["attention"]}. Classes without tables take the nearest one's. INDEXER:
DeepSeek's fp8_mqa_logits over the FP8 peak, at causal FLOPs; INDEXER_S: seconds of launches that an indexer adds to a layer's
attention, the median of its tables. What no table measures stands in the script, with where it is from.
"""

from typing import Final

'''
    lines = [
        *text_of_table("PRODUCTS", dense, ("stream", "peak", "rows")),
        *text_of_table("MIXTURES", sparse, ("start_s", "stream", "start_bytes", "peak", "rows")),
        "ATTENTION: Final[dict[str, dict[str, float]]] = {",
        *(
            f'    "{one}": {{"peak": {c["peak"]:.3g}, "keys": {c["keys"]:.3g}, "stream": {c["stream"]:.3g}}},'
            for one, c in scores.items()
        ),
        "}",
        f"INDEXER: Final = {index[0]:.3g}",
        f"INDEXER_S: Final = {index[1]:.3g}",
        "ERRORS: Final = {",
        *(f'    "{name.upper()}": "{said}",' for name, said in errors.items()),
        "}",
        "",
    ]
    TARGET.write_text(head + "\n".join(lines), encoding="utf-8")


def options(parser: argparse.ArgumentParser) -> None:
    """What this fit alone can be told."""
    parser.add_argument("directory", type=Path, help="where the wheel was unpacked")


def calibrate(options: argparse.Namespace) -> None:
    """Fit, print, and write when asked. Raises ValueError where sources are to be left out: every table is its own fit."""
    if options.left_out:
        raise ValueError("kernels: each table is fitted by itself, so there is nothing to leave out")
    dense: dict[tuple[str, str], list[Curve]] = defaultdict(list)
    sparse: dict[tuple[str, str], list[Curve]] = defaultdict(list)
    scores: dict[str, list[Curve]] = defaultdict(list)
    decodes: dict[str, list[Curve]] = defaultdict(list)
    errors: dict[str, list[tuple[float, float]]] = defaultdict(list)

    def note(what: str, system: str, table: str, curve: Curve, error: tuple[float, float]) -> None:
        errors[what].append(error)
        shown = " ".join(f"{name} {value:.3g}" for name, value in curve.items())
        print(f"{what:10}{system:20}{table:34}{shown:64} {100 * error[0]:.0f} / {100 * error[1]:.0f} %", flush=True)

    for system, (card, *_) in SYSTEMS.items():
        for kind, table, curve, *error in products(options.directory, system):
            dense[card, kind].append(curve)
            note("products", system, table, curve, (error[0], error[1]))
        for kind, table, curve, *error in mixtures(options.directory, system):
            sparse[card, kind].append(curve | {"stream": MIXTURE_STREAM})
            note("mixtures", system, table, curve, (error[0], error[1]))
        for table, curve, *error in attention(options.directory, system):
            (decodes if "decode" in table else scores)[card].append(curve)
            note("attention", system, table, curve, (error[0], error[1]))
    if not (dense and sparse and scores and decodes):
        raise ValueError(f"{options.directory}: no measured tables of aiconfigurator-core 0.12.0 there")
    made = {
        one: mean(scores[one]) | {"stream": min(0.92, mean(decodes[one])["stream"])} for one in CLASSES if one in scores
    }
    made |= {one: made[near] for one, near in NEAREST.items()}
    made["amd"] = {"peak": 0.4, "keys": 1500.0, "stream": 0.6}
    ranges = {}
    for what, found in errors.items():
        medians, most = sorted(one for one, _ in found), sorted(one for _, one in found)
        ranges[what] = (
            f"{100 * medians[0]:.0f} to {100 * medians[-1]:.0f} and {100 * most[0]:.0f} to {100 * most[-1]:.0f} %"
        )
    index = indexer(options.directory), indexed(options.directory)
    print(ranges, f"indexer {index[0]:.3g}, {1e6 * index[1]:.1f} us a layer")
    if options.write:
        write(
            classed(dense, ASSUMED_PRODUCTS, BLOCKS, True),
            classed(sparse, ASSUMED_MIXTURES, BLOCK_MIXTURES, False, EXPERT_KINDS),
            {one: made[one] for one in CLASSES},
            index,
            ranges,
        )
        print(f"wrote {TARGET.name}")
