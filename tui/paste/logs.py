"""What engines, benchmarks and trainers print, as measured figures. Sources: each tool's own output and documentation."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from statistics import median

from engine.figures.units import GIB, MIB
from tui.paste import results
from tui.paste.found import CannotRead
from tui.paste.run import Run

KINDS = (
    "start-ups of vLLM, SGLang and llama.cpp; results of vllm bench "
    "serve, sglang.bench_serving, genai-perf, aiperf, llama-bench, printed or as files, nccl-tests and rccl-tests; torch's memory summary; "
    "a Trainer's, torchtitan's or Megatron-LM's log"
)
LONGEST_BYTES = 2**23
"""Of a log: a day of an engine's requests."""


_NUMBER = r"([\d,]+(?:\.\d+)?(?:[eE][+-]?\d+)?)"


def _find(text: str, pattern: str) -> float | None:
    """The last number that a pattern finds; a log may hold several starts."""
    found = re.findall(pattern.replace("#", _NUMBER), text, re.I)
    if not found:
        return None
    last = found[-1] if isinstance(found[-1], str) else found[-1][-1]
    value = float(last.replace(",", ""))
    return value if 0 <= value < 1e15 else None


def _take(run: Run, text: str, patterns: dict[str, tuple[str, float]]) -> None:
    for key, (pattern, scale) in patterns.items():
        value = _find(text, pattern)
        if value:
            run.figures.setdefault(key, value * scale)


_VLLM = {
    "weights_gib": (r"(?:Loading model weights took|Model loading took|model weights take) #\s*(?:GB|GiB)", 1.0),
    "activation_gib": (r"(?:PyTorch activation peak memory takes|peak activation[^\n]{0,40}?) #\s*GiB", 1.0),
    "kv_gib": (r"(?:Available KV cache memory:|reserved for KV Cache is) #\s*GiB", 1.0),
    "kv_tokens": (r"GPU KV cache size: # tokens", 1.0),
    "concurrency": (r"Maximum concurrency for [\d,]+ tokens per request: #x", 1.0),
    "graphs_gib": (r"Graph capturing finished in [\d.]+ secs?, took # GiB", 1.0),
}


def vllm(text: str) -> Run | None:
    """vLLM's start-up."""
    if not re.search(r"GPU KV cache size|Available KV cache memory|reserved for KV Cache is|Model loading took", text):
        return None
    run = Run("vLLM's start", engine="vllm")
    _take(run, text, _VLLM)
    longest = _find(text, r"Maximum concurrency for # tokens per request")
    if longest:
        run.load["runtime.max_model_len"] = int(longest)
    blocks = _find(text, r"# GPU blocks: #") or _find(text, r"GPU blocks: #")
    if "kv_tokens" not in run.figures and blocks:
        run.figures["kv_tokens"] = blocks * 16
    said = re.findall(r"non-default args: (\{.*\})", text)
    if said:
        run.arguments = _as_flags(said[-1])
    return run


def _as_flags(text: str) -> list[str]:
    try:
        said = ast.literal_eval(text[:20_000])
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return []
    words: list[str] = []
    for key, value in said.items() if isinstance(said, dict) else ():
        if key in ("model", "model_tag"):
            words += ["--model", str(value)]
        elif value is True:
            words.append(f"--{key}")
        elif isinstance(value, str | int | float) and value is not False:
            words += [f"--{key}", str(value)]
        elif isinstance(value, dict):
            words += [f"--{key}", json.dumps(value, default=str)]
    return words


def sglang(text: str) -> Run | None:
    """SGLang's start-up."""
    if "max_total_num_tokens=" not in text and "KV Cache is allocated" not in text:
        return None
    run = Run("SGLang's start", engine="sglang")
    _take(
        run,
        text,
        {
            "weights_gib": (r"Load weight end\.[^\n]*mem usage=# GB", 1.0),
            "kv_tokens": (r"max_total_num_tokens=#", 1.0),
            "graphs_gib": (r"Capture cuda graph end\.[^\n]*mem usage=# GB", 1.0),
        },
    )
    halves = re.findall(r"KV Cache is allocated\.[^\n]*?K size: ([\d.]+) GB, V size: ([\d.]+) GB", text)
    whole = _find(text, r"KV Cache is allocated\.[^\n]*KV size: # GB")
    if halves:
        run.figures["kv_gib"] = sum(map(float, halves[-1]))
    elif whole:
        run.figures["kv_gib"] = whole
    return run


def llama_cpp(text: str) -> Run | None:
    """llama.cpp's start-up: buffers of each device; the fullest one counts, as everywhere."""
    if not re.search(r"(?:model|KV|compute) buffer size\s*=", text):
        return None
    run = Run("llama.cpp's start", engine="llama.cpp")
    for key, word in (("weights_gib", "model"), ("kv_gib", "KV"), ("activation_gib", "compute")):
        sizes = re.findall(rf"(?:CUDA|ROCm|Metal|SYCL|Vulkan)\w*\s+{word} buffer size\s*=\s*([\d.]+) MiB", text)
        if sizes:
            run.figures[key] = max(map(float, sizes)) * MIB / GIB
    return run


_BENCH = {
    "ttft_s": (r"Mean TTFT \(ms\):\s*#", 1e-3),
    "inter_token_s": (r"Mean TPOT \(ms\):\s*#", 1e-3),
    "tokens_per_s": (r"Output token throughput \(tok/s\):\s*#", 1.0),
    "requests_per_s": (r"Request throughput \(req/s\):\s*#", 1.0),
    **{
        f"{key}_{at}_s": (rf"{word} {name} \(ms\):\s*#", 1e-3)
        for key, name in (("ttft", "TTFT"), ("inter_token", "TPOT"))
        for at, word in (("p50", "Median"), ("p95", "P95"), ("p99", "P99"))
    },
}


def bench(text: str) -> Run | None:
    """`vllm bench serve` and `sglang.bench_serving`, which print one table."""
    if "Serving Benchmark Result" not in text and not re.search(r"(?:Mean|Median) TTFT \(ms\):", text):
        return None
    if _find(text, r"Total generated tokens:\s*#") is None and re.search(r"Mean E2EL \(ms\):", text):
        return _embedded(text)
    run = Run("a serving benchmark")
    _take(run, text, _BENCH)
    if "inter_token_s" not in run.figures and "inter_token_p50_s" not in run.figures:
        _take(run, text, {"inter_token_s": (r"Mean ITL \(ms\):\s*#", 1e-3)})
    requests = _find(text, r"Successful requests:\s*#")
    read, written = _find(text, r"Total input tokens:\s*#"), _find(text, r"Total generated tokens:\s*#")
    if requests and read and written:
        run.load |= {
            "workload.input_tokens": max(1, round(read / requests)),
            "workload.output_tokens": max(1, round(written / requests)),
        }
    users = _find(text, r"Max(?:imum)? request concurrency:\s*#") or _find(text, r"Max concurrency:\s*#")
    users = users or _find(text, r"\nConcurrency:\s*#")
    run.served(requests, users, _find(text, r"(?:Request rate configured \(RPS\)|Traffic request rate):\s*#"))
    return run


def _embedded(text: str) -> Run:
    """What `vllm bench serve` prints of an embedder: nothing is written, so that there is a time of a request alone."""
    run = Run("an embedding benchmark")
    _take(
        run,
        text,
        {
            "request_s": (r"Mean E2EL \(ms\):\s*#", 1e-3),
            "read_tokens_per_s": (r"Total token throughput \(tok/s\):\s*#", 1.0),
            "requests_per_s": (r"Request throughput \(req/s\):\s*#", 1.0),
        },
    )
    requests, read = _find(text, r"Successful requests:\s*#"), _find(text, r"Total input tokens:\s*#")
    if requests and read:
        run.load["workload.input_tokens"] = max(1, round(read / requests))
    users = _find(text, r"Maximum request concurrency:\s*#")
    run.served(requests, users, _find(text, r"Request rate configured \(RPS\):\s*#"))
    return run


def genai_perf(text: str) -> Run | None:
    """The table of genai-perf and aiperf, by its columns of averages."""
    rows: dict[str, float] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in re.split(r"[│┃|]", line) if cell.strip()]
        if len(cells) >= 2:
            number = re.fullmatch(_NUMBER, cells[1])
            if number:
                rows[cells[0].casefold()] = float(number[1].replace(",", ""))
    if not any(name.startswith("time to first token") for name in rows):
        return None
    run = Run("genai-perf or aiperf")
    for key, name, scale in (
        ("ttft_s", "time to first token (ms)", 1e-3),
        ("inter_token_s", "inter token latency (ms)", 1e-3),
        ("tokens_per_s", "output token throughput (", 1.0),
        ("requests_per_s", "request throughput (", 1.0),
    ):
        value = next((value for row, value in rows.items() if row.startswith(name)), None)
        if value:
            run.figures[key] = value * scale
    for key, name in (("input_tokens", "input sequence length"), ("output_tokens", "output sequence length")):
        value = next((value for row, value in rows.items() if row.startswith(name)), None)
        if value:
            run.load[f"workload.{key}"] = max(1, round(value))
    users = _find(text, r"--concurrency[= ]#")
    if users:
        run.load["workload.concurrency"] = int(users)
    return run


def llama_bench(text: str) -> Run | None:
    """llama-bench's table: prompts read (pp) and tokens written (tg) by one user."""
    rows = re.findall(r"\|\s*(pp|tg)(\d+)(?: @ d(\d+))?\s*\|\s*([\d.]+)\s*(?:±|\|)", text)
    if not rows:
        return None
    run = Run("llama-bench", engine="llama.cpp")
    run.load["workload.concurrency"] = 1
    for kind, tokens, depth, rate in rows:
        if depth or not float(rate):
            continue
        if kind == "pp":
            run.figures["ttft_s"] = int(tokens) / float(rate)
            run.load["workload.input_tokens"] = int(tokens)
        else:
            run.figures["inter_token_s"] = 1.0 / float(rate)
            run.load["workload.output_tokens"] = int(tokens)
    return run if run.figures else None


_OPS = ("all_reduce", "all_gather", "reduce_scatter", "alltoall", "sendrecv")


def nccl_tests(text: str) -> Run | None:
    """nccl-tests and rccl-tests: time out of place by size, over the cards of one node."""
    rows = re.findall(
        r"^\s*(\d+)\s+\d+\s+(?:float|half|bfloat16|int8|uint8|double|int32)\s+(?:(\w+)\s+)?-?\d+\s+([\d.]+)\s+[\d.]+\s+[\d.]+",
        text,
        re.M,
    )
    if not rows:
        return None
    run = Run("nccl-tests or rccl-tests")
    named = next((op for op in _OPS if f"{op}_perf" in text), "")
    run.op = {"alltoall": "all_to_all", "sendrecv": "send_recv"}.get(named, named)
    if not run.op:
        run.op = "all_reduce" if rows[0][1] in ("sum", "prod", "min", "max", "avg") else ""
        run.notes.append("the text names no operation: taken for an all-reduce")
    ranks = re.findall(r"#\s+Rank\s+\d+\s+(?:Group\s+\d+\s+)?Pid\s+\d+ on\s+(\S+)", text)
    threads = _find(text, r"nGpus #")
    run.gpus = len(ranks) or int(threads or 0)
    if len(set(ranks)) > 1:
        run.notes.append(f"{len(set(ranks))} hosts: times across nodes are compared and not kept")
    run.load["nodes"] = max(1, len(set(ranks)))
    for size, _, microseconds in rows:
        if int(size) and float(microseconds):
            run.points.append((float(size), float(microseconds) * 1e-6))
    return run if run.points and run.op else None


def torch_memory(text: str) -> Run | None:
    """`torch.cuda.memory_summary`: the peak that was allocated, and reserved."""
    rows = dict(re.findall(r"\|\s*(Allocated memory|GPU reserved memory)\s*\|[^|]*\|\s*([\d.]+ [KMG]iB)\s*\|", text))
    if "Allocated memory" not in rows:
        return None
    scale = {"KiB": 2**-20, "MiB": 2**-10, "GiB": 1.0}
    run = Run("a summary of torch's memory")
    for key, name in (("peak_gib", "Allocated memory"), ("reserved_gib", "GPU reserved memory")):
        if name in rows:
            number, unit = rows[name].split()
            run.figures[key] = float(number) * scale[unit]
    return run


def trainer(text: str) -> Run | None:
    """Hugging Face's Trainer, and what builds on it: its last dictionaries of a run."""
    found: dict[str, float] = {}
    for piece in re.findall(r"\{['\"][^{}\n]{1,4000}\}", text):
        for key, value in re.findall(r"['\"]([\w./() -]+)['\"]:\s*['\"]?([\d.eE+-]+)['\"]?", piece):
            try:
                found[key] = float(value)
            except ValueError:
                continue
    if "train_runtime" not in found:
        return None
    run = Run("a Trainer's log")
    if found.get("train_steps_per_second"):
        run.figures["step_s"] = 1.0 / found["train_steps_per_second"]
    for key in ("train_tokens_per_second", "train_tokens_per_sec"):
        if found.get(key):
            run.figures["train_tokens_per_s"] = found[key]
    for key in ("memory/max_allocated (GiB)", "memory/max_mem_allocated(gib)", "memory/max_active (GiB)"):
        if found.get(key):
            run.figures["peak_gib"] = found[key]
    return run


def cached_share(text: str) -> float | None:
    """Share of the prompts' tokens that an engine found in its prefix cache, as its log says; None where it does not.

    vLLM prints a running rate, of which the last line counts; SGLang what each pass of prompts read and found.
    """
    passes = re.findall(r"#new-token: (\d{1,12}), #cached-token: (\d{1,12})", text)
    if passes:
        new, found = (sum(int(one[place]) for one in passes) for place in (0, 1))
        return found / (new + found) if new + found else None
    rate = _find(text, r"(?<!External )Prefix cache hit rate: #%")
    return None if rate is None else min(1.0, rate / 100)


_UNCOLOURED = re.compile(r"\x1b\[[0-9;]*m")


def torchtitan(text: str) -> Run | None:
    """torchtitan's lines of steps: tokens a second of each GPU and what it reserves at most; the median of steps after the first."""
    bare = _UNCOLOURED.sub("", text)
    found = re.findall(r"step:\s*\d+\s+loss:[^\n]*?memory:\s*([\d.]+)GiB[^\n]*?tps:\s*([\d,]+)", bare)
    if not found:
        return None
    run = Run("torchtitan's log")
    rates = [float(rate.replace(",", "")) for _, rate in found[1:] or found]
    run.figures["tokens_per_s_gpu"] = median(rates)
    run.figures["reserved_gib"] = max(float(held) for held, _ in found)
    return run


def megatron(text: str) -> Run | None:
    """Megatron-LM's lines of iterations, the median of those after the first, and its report of memory."""
    found = re.findall(r"elapsed time per iteration \(ms\):\s*([\d.]+)", text)
    if not found:
        return None
    run = Run("Megatron-LM's log")
    run.figures["step_s"] = median([float(one) for one in found[1:] or found]) * 1e-3
    held = [float(one) for one in re.findall(r"max allocated:\s*([\d.]+)", text)]
    if held:
        run.figures["peak_gib"] = max(held) * MIB / GIB
    return run


READERS: tuple[Callable[[str], Run | None], ...] = (
    bench, genai_perf, nccl_tests, llama_bench, vllm, sglang, llama_cpp, torch_memory, trainer, torchtitan, megatron,
)  # fmt: skip


def read(text: str) -> list[Run]:
    """Every part of a text that a reader knows. Raises CannotRead where none does."""
    runs = [run for run in (reader(text) for reader in READERS) if run is not None and (run.figures or run.points)]
    runs = runs or results.read(text)
    cached = cached_share(text)
    for run in runs:
        if cached and "ttft_s" in run.figures and "workload.input_tokens" in run.load:
            run.load["workload.cached_share"] = cached
            run.notes.append(f"{100 * cached:.0f} % of the prompts' tokens were found in the prefix cache")
    if not runs:
        raise CannotRead(f"nothing measured is understood; what can be read: {KINDS}")
    return runs
