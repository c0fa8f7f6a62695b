"""`sizeup measured`: every reader on a sample in its tool's form, the comparison, and what a person's own calibration does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import catalog
from catalog import loading
from catalog.scenarios import build_scenario
from engine.calibration.own import SCATTER
from engine.decide.opened.build import Build
from engine.decide.plan import plan
from engine.decide.size import size
from engine.figures.number import Number
from engine.figures.units import GB, TERA
from engine.model.flops import matmul_flops_per_token
from engine.parts.hardware import Accelerator
from engine.parts.own import OwnRatio
from engine.scenario import LayoutChoice, Scenario, Workload
from engine.serving.own import narrowed
from engine.sizing import Interval, Serving
from tui.cli import main
from tui.paste import logs
from tui.paste.found import CannotRead

VLLM = """\
INFO 07-01 10:00:00 [api_server.py:1] non-default args: {'model': 'meta-llama/Llama-3.1-8B-Instruct', 'max_model_len': 8192, 'gpu_memory_utilization': 0.9}
INFO 07-01 10:00:10 [gpu_model_runner.py:1] Model loading took 14.9889 GiB and 4.2 seconds
INFO 07-01 10:00:20 [gpu_worker.py:1] Available KV cache memory: 53.90 GiB
INFO 07-01 10:00:20 [kv_cache_utils.py:1] GPU KV cache size: 441,504 tokens
INFO 07-01 10:00:20 [kv_cache_utils.py:1] Maximum concurrency for 8,192 tokens per request: 53.89x
INFO 07-01 10:00:40 [gpu_model_runner.py:1] Graph capturing finished in 20 secs, took 0.51 GiB
"""
VLLM_EARLIER = """\
the current vLLM instance can use total_gpu_memory (79.11GiB) x gpu_memory_utilization (0.90) = 71.20GiB
model weights take 14.99GiB; non_torch_memory takes 0.14GiB; PyTorch activation peak memory takes 1.23GiB; the rest of the memory \
reserved for KV Cache is 54.85GiB.
INFO executor_base.py:1] # cuda blocks: 28082, # CPU blocks: 2048
"""
SGLANG = """\
[2026-05-01 10:00:00 TP0] Load weight end. type=LlamaForCausalLM, dtype=torch.bfloat16, avail mem=63.60 GB, mem usage=15.02 GB.
[2026-05-01 10:00:01 TP0] KV Cache is allocated. #tokens: 414000, K size: 25.27 GB, V size: 25.27 GB
[2026-05-01 10:00:09 TP0] Capture cuda graph end. Time elapsed: 6.1 s. mem usage=1.10 GB. avail mem=11.2 GB.
[2026-05-01 10:00:09 TP0] max_total_num_tokens=414000, chunked_prefill_size=8192, max_running_requests=2048, context_len=131072
"""
LLAMA = """\
load_tensors:        CUDA0 model buffer size =  4403.49 MiB
llama_kv_cache_unified:      CUDA0 KV buffer size =  1024.00 MiB
llama_context:      CUDA0 compute buffer size =   304.75 MiB
"""
BENCH = """\
============ Serving Benchmark Result ============
Successful requests:                     320
Maximum request concurrency:             32
Benchmark duration (s):                  54.2
Total input tokens:                      327680
Total generated tokens:                  81920
Request throughput (req/s):              5.90
Output token throughput (tok/s):         1,510.40
Total Token throughput (tok/s):          7552.00
---------------Time to First Token----------------
Mean TTFT (ms):                          210.50
Median TTFT (ms):                        190.00
P99 TTFT (ms):                           800.00
-----Time per Output Token (excl. 1st token)------
Mean TPOT (ms):                          14.20
==================================================
"""
GENAI = """\
                                  LLM Metrics
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━┳━━━━━━━━┳━━━━━━━━━━┓
┃                         Statistic ┃      avg ┃    min ┃      max ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━╇━━━━━━━━╇━━━━━━━━━━┩
│          Time To First Token (ms) │   130.25 │  80.10 │   201.00 │
│          Inter Token Latency (ms) │    11.50 │  10.00 │    13.00 │
│   Output Sequence Length (tokens) │   200.00 │ 198.00 │   202.00 │
│    Input Sequence Length (tokens) │ 1,000.00 │ 998.00 │ 1,001.00 │
│ Output Token Throughput (per sec) │   690.00 │    N/A │      N/A │
│      Request Throughput (per sec) │     3.45 │    N/A │      N/A │
└───────────────────────────────────┴──────────┴────────┴──────────┘
"""
LLAMA_BENCH = """\
| model                          |       size |     params | backend    | ngl |            test |                  t/s |
| ------------------------------ | ---------: | ---------: | ---------- | --: | --------------: | -------------------: |
| llama 8B Q4_K - Medium         |   4.58 GiB |     8.03 B | CUDA       |  99 |           pp512 |     11000.00 ± 50.00 |
| llama 8B Q4_K - Medium         |   4.58 GiB |     8.03 B | CUDA       |  99 |           tg128 |        135.00 ± 1.00 |
"""
NCCL = """\
# nThread 1 nGpus 4 minBytes 8 maxBytes 134217728 step: 2(factor) warmup iters: 5 iters: 20 agg iters: 1 validation: 1 graph: 0
#  Rank  0 Group  0 Pid   4312 on      host1 device  0 [0000:01:00] NVIDIA L40S
#  Rank  1 Group  0 Pid   4312 on      host1 device  1 [0000:41:00] NVIDIA L40S
#  Rank  2 Group  0 Pid   4312 on      host1 device  2 [0000:81:00] NVIDIA L40S
#  Rank  3 Group  0 Pid   4312 on      host1 device  3 [0000:c1:00] NVIDIA L40S
#       size         count      type   redop    root     time   algbw   busbw #wrong     time   algbw   busbw #wrong
        8192          2048     float     sum      -1    12.98    0.63    0.95      0    12.8    0.63    0.95      0
     1048576        262144     float     sum      -1    268.3    3.91    5.86      0    267.1    3.90    5.86      0
   134217728      33554432     float     sum      -1    39325    3.41    5.12      0    39320    3.41    5.12      0
"""
GATHER = """\
# all_gather_perf -b 1M -e 16M -g 2
#       size         count      type   redop    root     time   algbw   busbw #wrong     time   algbw   busbw #wrong
     1048576        131072     float    none      -1    60.10   17.45    8.72      0    60.0    17.5     8.7      0
    16777216       2097152     float    none      -1    801.0   20.95   10.47      0   800.0    21.0    10.5      0
"""
TORCH = """\
|        Metric         | Cur Usage  | Peak Usage | Tot Alloc  | Tot Freed  |
|---------------------------------------------------------------------------|
| Allocated memory      |  17.5 GiB  |  41.2 GiB  | 900.1 GiB  | 880.0 GiB  |
| GPU reserved memory   |  44.0 GiB  |  44.0 GiB  |  44.0 GiB  |   0 B      |
"""
TITAN = """\
[rank0]:[titan] 2026-11-01 10:00:01,000 - root - INFO - \x1b[31mstep:  1  \x1b[32mloss: 12.2718  \x1b[33mmemory: 60.11GiB(75.98%)  \x1b[34mtps: 1,240  \x1b[36mtflops: 71.95  \x1b[35mmfu: 7.28%\x1b[39m
[rank0]:[titan] 2026-11-01 10:00:15,000 - root - INFO - \x1b[31mstep: 10  \x1b[32mloss: 10.1223  \x1b[33mmemory: 61.04GiB(77.16%)  \x1b[34mtps: 5,812  \x1b[36mtflops: 337.2  \x1b[35mmfu: 34.10%\x1b[39m
[rank0]:[titan] 2026-11-01 10:00:29,000 - root - INFO - \x1b[31mstep: 20  \x1b[32mloss:  9.2117  \x1b[33mmemory: 61.04GiB(77.16%)  \x1b[34mtps: 5,828  \x1b[36mtflops: 338.1  \x1b[35mmfu: 34.19%\x1b[39m
"""
MEGATRON = """\
 [2026-11-01 10:00:01] iteration       10/     100 | consumed samples:         5120 | elapsed time per iteration (ms): 9120.4 | throughput per GPU (TFLOP/s/GPU): 180.1 | learning rate: 1.5E-05 | global batch size:   512 |
[Rank 0] (after 10 iterations) memory (MB) | allocated: 20480.00 | max allocated: 61440.00 | reserved: 65000.0 | max reserved: 65000.0
 [2026-11-01 10:00:40] iteration       20/     100 | consumed samples:        10240 | elapsed time per iteration (ms): 3804.0 | throughput per GPU (TFLOP/s/GPU): 431.8 | learning rate: 3.0E-05 | global batch size:   512 |
 [2026-11-01 10:01:18] iteration       30/     100 | consumed samples:        15360 | elapsed time per iteration (ms): 3820.0 | throughput per GPU (TFLOP/s/GPU): 430.0 | learning rate: 4.5E-05 | global batch size:   512 |
"""
TRAINER = "{'loss': 1.2, 'learning_rate': 1e-05, 'epoch': 1.0}\n{'train_runtime': 1234.5, 'train_samples_per_second': 3.2, 'train_steps_per_second': 0.4, 'train_loss': 1.1}\n"

SAMPLES = {
    "vllm": (
        VLLM,
        {"weights_gib": 14.9889, "kv_gib": 53.9, "kv_tokens": 441504, "concurrency": 53.89, "graphs_gib": 0.51},
    ),
    "an earlier vllm": (VLLM_EARLIER, {"weights_gib": 14.99, "activation_gib": 1.23, "kv_gib": 54.85}),
    "sglang": (SGLANG, {"weights_gib": 15.02, "kv_gib": 50.54, "kv_tokens": 414000, "graphs_gib": 1.1}),
    "llama.cpp": (LLAMA, {"weights_gib": 4.3003, "kv_gib": 1.0, "activation_gib": 0.2976}),
    "bench": (
        BENCH,
        {"ttft_s": 0.2105, "ttft_p50_s": 0.19, "ttft_p99_s": 0.8}
        | {"inter_token_s": 0.0142, "tokens_per_s": 1510.4, "requests_per_s": 5.9},
    ),
    "genai-perf": (GENAI, {"ttft_s": 0.13025, "inter_token_s": 0.0115, "tokens_per_s": 690.0, "requests_per_s": 3.45}),
    "llama-bench": (LLAMA_BENCH, {"ttft_s": 512 / 11000, "inter_token_s": 1 / 135}),
    "torch": (TORCH, {"peak_gib": 41.2, "reserved_gib": 44.0}),
    "trainer": (TRAINER, {"step_s": 2.5}),
    "torchtitan": (TITAN, {"tokens_per_s_gpu": 5_820.0, "reserved_gib": 61.04}),
    "megatron": (MEGATRON, {"step_s": 3.812, "peak_gib": 60.0}),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_each_reader_reads_its_tool(name: str) -> None:
    text, figures = SAMPLES[name]
    (run,) = logs.read(text)
    assert run.figures == pytest.approx(figures, rel=1e-3)


def test_a_benchmark_says_its_load() -> None:
    (run,) = logs.read(BENCH)
    assert run.load == {
        "workload.input_tokens": 1024,
        "workload.output_tokens": 256,
        "workload.concurrency": 32,
        "workload.requests": 320,
    }
    (run,) = logs.read(GENAI)
    assert run.load == {"workload.input_tokens": 1000, "workload.output_tokens": 200}


RESULT = {
    "backend": "openai-chat", "model_id": "meta-llama/Llama-3.1-8B-Instruct", "num_prompts": 320, "request_rate": "inf",
    "max_concurrency": 32, "duration": 54.2, "completed": 320, "total_input_tokens": 327680, "total_output_tokens": 81920,
    "request_throughput": 5.9, "output_throughput": 1510.4, "total_token_throughput": 7552.0, "mean_ttft_ms": 210.5,
    "median_ttft_ms": 190.0, "p99_ttft_ms": 800.0, "mean_tpot_ms": 14.2, "mean_itl_ms": 14.2,
}  # fmt: skip
AIPERF = {
    "time_to_first_token": {"unit": "ms", "avg": 130.25, "p99": 200.0}, "inter_token_latency": {"unit": "ms", "avg": 11.5},
    "output_sequence_length": {"unit": "tokens", "avg": 200.0}, "input_sequence_length": {"unit": "tokens", "avg": 1000.0},
    "output_token_throughput": {"unit": "tokens/sec", "avg": 690.0}, "request_throughput": {"unit": "requests/sec", "avg": 3.45},
    "input_config": {"loadgen": {"concurrency": 8}},
}  # fmt: skip
AIPERF_CSV = """\
Metric,avg,min,max,p99
Time To First Token (ms),130.25,80.10,201.00,200.00
Inter Token Latency (ms),11.50,10.00,13.00,13.00
Output Sequence Length (tokens),200.00,198.00,202.00,202.00
Input Sequence Length (tokens),1000.00,998.00,1001.00,1001.00

Metric,Value
Output Token Throughput (tokens/sec),690.00
Request Throughput (requests/sec),3.45
"""
LLAMA_ROWS = [
    {"model_filename": "models/Qwen3-8B-Q4_K_M.gguf", "n_prompt": 512, "n_gen": 0, "n_depth": 0, "avg_ts": 11000.0},
    {"model_filename": "models/Qwen3-8B-Q4_K_M.gguf", "n_prompt": 0, "n_gen": 128, "n_depth": 0, "avg_ts": 135.0},
    {"model_filename": "models/Qwen3-8B-Q4_K_M.gguf", "n_prompt": 0, "n_gen": 128, "n_depth": 4096, "avg_ts": 99.0},
    {"model_filename": "models/Qwen3-8B-Q4_K_M.gguf", "n_prompt": 512, "n_gen": 128, "n_depth": 0, "avg_ts": 700.0},
]


def as_csv(rows: list[dict[str, object]]) -> str:
    lines = [",".join(rows[0]), *(",".join(f'"{value}"' for value in row.values()) for row in rows)]
    return "\n".join(lines)


@pytest.mark.parametrize("indent", [None, 2])
def test_a_result_file_says_what_its_table_says(indent: int | None) -> None:
    (table,), (file,) = logs.read(BENCH), logs.read(json.dumps(RESULT, indent=indent))
    assert (file.figures, file.load) == (table.figures, table.load)
    assert file.model == "meta-llama/Llama-3.1-8B-Instruct"
    sweep = "\n".join(json.dumps(RESULT | {"max_concurrency": users}) for users in (8, 16))
    assert [run.load["workload.concurrency"] for run in logs.read(sweep)] == [8, 16]


def test_aiperfs_exports_say_what_its_table_says() -> None:
    (table,) = logs.read(GENAI)
    for text, users in ((json.dumps(AIPERF), 8), (AIPERF_CSV, None)):
        (run,) = logs.read(text)
        assert run.load.pop("workload.concurrency", None) == users
        assert run.load == table.load
        means = {key: value for key, value in run.figures.items() if "_p" not in key or key.endswith("_per_s")}
        assert means == pytest.approx(table.figures)


@pytest.mark.parametrize(
    "text",
    [json.dumps(LLAMA_ROWS), "\n".join(map(json.dumps, LLAMA_ROWS)), as_csv(LLAMA_ROWS)],
    ids=["json", "jsonl", "csv"],
)
def test_llama_benchs_files_are_read_at_depth_0(text: str) -> None:
    (run,) = logs.read(text)
    assert run.figures == pytest.approx({"ttft_s": 512 / 11000, "inter_token_s": 1 / 135})
    assert (run.model, run.engine) == ("Qwen3-8B-Q4_K_M.gguf", "llama.cpp")


def test_a_result_file_names_its_model(own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["measured", *written(tmp_path, result=json.dumps(RESULT)), "--accelerator", "h100-sxm", "--gpus", "1"])
        == 0
    )
    text = capsys.readouterr().out
    assert "model.id = llama-3.1-8b" in text
    assert "1,510 tokens/s" in text


def test_at_a_rate_users_follow_from_the_times_and_throughput_is_what_was_asked() -> None:
    (kept_up,) = logs.read(json.dumps(RESULT | {"request_rate": 6.0, "max_concurrency": None}))
    # Little's law: 5.9 a second, each 0.21 s and 255 tokens of 14.2 ms
    assert kept_up.load["workload.concurrency"] == round(5.9 * (0.2105 + 255 * 0.0142)) == 23
    assert {key.replace("_p50", "").replace("_p99", "") for key in kept_up.figures} == {"ttft_s", "inter_token_s"}
    assert any("asked for" in note for note in kept_up.notes)
    (behind,) = logs.read(json.dumps(RESULT | {"request_rate": 9.0, "max_concurrency": None}))
    assert behind.figures["tokens_per_s"] == 1510.4


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(
            RESULT
            | {"mean_ttft_ms": "nan", "mean_tpot_ms": None, "output_throughput": -1, "request_throughput": True}
            | {"median_ttft_ms": None, "p99_ttft_ms": "x"}
        ),
        json.dumps({"mean_ttft_ms": 1}),
        "[" * 100_000,
        '{"time_to_first_token": 3}',
        "a,b\n" + "1,2\n" * 10_000,
        json.dumps([1, "x", None]),
    ],
)
def test_what_is_no_result_is_refused(text: str) -> None:
    with pytest.raises(CannotRead, match="nothing measured"):
        logs.read(text)


def test_collectives_are_read_with_their_operation_and_cards() -> None:
    (run,) = logs.read(NCCL)
    assert (run.op, run.gpus, len(run.points)) == ("all_reduce", 4, 3)
    assert run.points[1][0] == 1048576.0
    assert run.points[1][1] == pytest.approx(268.3e-6)
    (run,) = logs.read(GATHER)
    assert run.op == "all_gather"
    assert run.points[0][1] == pytest.approx(60.1e-6)


@pytest.mark.parametrize(
    "text", ["", "nothing", "{" * 10_000, "non-default args: {'a': " + "[" * 5_000, "|" * 100_000, VLLM[:80]]
)
def test_what_no_tool_prints_is_refused(text: str) -> None:
    with pytest.raises(CannotRead, match="nothing measured"):
        logs.read(text)


def written(folder: Path, **texts: str) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for name, text in texts.items():
        (folder / f"{name}.log").write_text(text)
        found.append(str(folder / f"{name}.log"))
    return found


def test_a_start_is_compared_with_the_build_that_it_names(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["measured", *written(tmp_path, start=VLLM, bench=BENCH), "--accelerator", "h100-sxm"]) == 0
    text = capsys.readouterr().out
    assert "weights" in text
    assert "14.99 GiB" in text
    assert "# understood:" in text
    assert not own.exists()


def test_a_log_without_a_build_asks_for_one(own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["measured", *written(tmp_path, bench=BENCH)]) == 2
    assert "which build is it" in capsys.readouterr().err


L40S = ["--model", "llama-3.1-8b", "--accelerator", "l40s", "--gpus", "4"]


def pair() -> Scenario:
    return build_scenario(
        "llama-3.1-8b", "bf16", "l40s", 4, intra_link="pcie4-x16", layout=LayoutChoice(tp=4, pp=1, dp=1)
    )


def test_a_measured_link_replaces_the_catalogs_and_taking_it_out_restores_it(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = size(pair())
    wide = "note: The interval of a collective is wider: nobody measured PCIe Gen4 x16"
    assert main(["measured", *written(tmp_path, nccl=NCCL), *L40S, "--keep", "box"]) == 0
    told = capsys.readouterr().out
    assert "+263" in told
    assert wide in told
    assert "between Ada cards" in told
    loading.reload()
    link = catalog.load().link("pcie4-x16")
    assert [(one.op, one.gpus, one.source) for one in link.own_curves] == [("all_reduce", 4, "nccl.log")]
    after = size(pair())
    assert before.serving is not None
    assert after.serving is not None
    assert after.serving.ttft_s > before.serving.ttft_s
    row = next(row for row in after.fabric if row.in_use)
    assert row.kind == "measured"
    assert "measured by you on 4 GPUs" in row.bandwidth_note
    # whoever measures the same again is inside
    assert main(["measured", *written(tmp_path, nccl=NCCL), *L40S]) == 0
    told = capsys.readouterr().out
    assert "outside" not in told
    assert wide not in told
    (own / "box.toml").unlink()
    loading.reload()
    again = size(pair())
    assert again.serving is not None
    assert again.serving.ttft_s == before.serving.ttft_s


def leaves_of(number: Number) -> list[Number]:
    seen, leaves, rest = set(), [], [number]
    while rest:
        one = rest.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        leaves += [one] if one.is_leaf else []
        rest += one.arguments
    return leaves


def test_a_working_opens_down_to_the_persons_own_times(own: Path, tmp_path: Path) -> None:
    assert main(["measured", *written(tmp_path, nccl=NCCL), *L40S, "--keep", "box"]) == 0
    loading.reload()
    assert any(leaf.source == "nccl.log" for leaf in leaves_of(Build(plan(pair())).number("serving.ttft_s")))


def h100(model: str = "llama-3.1-8b") -> Scenario:
    return build_scenario(
        model, "bf16", "h100-sxm", 1, workload=Workload(concurrency=32, input_tokens=1024, output_tokens=256)
    )


def kept(own: Path, tmp_path: Path, **texts: str) -> None:
    """Keep logs of Llama 3.1 8B on one H100."""
    build = ["--model", "llama-3.1-8b", "--accelerator", "h100-sxm", "--gpus", "1"]
    assert main(["measured", *written(tmp_path, **texts), *build, "--keep"]) == 0
    loading.reload()


def speeds(scenario: Scenario) -> Serving:
    sizing = size(scenario)
    assert sizing.serving is not None
    return sizing.serving


def width(span: Interval) -> float:
    return span.high / span.low


def test_own_speeds_shift_figures_and_narrow_intervals_of_like_builds_and_leave_no_trace(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, other, elsewhere = speeds(h100()), speeds(h100("qwen3-8b")), speeds(pair())
    kept(own, tmp_path, bench=BENCH)
    # measured: 14.2 ms a token; the same model goes most of the way, another one less, another card none
    after, like = speeds(h100()), speeds(h100("qwen3-8b"))
    assert before.inter_token_s < after.inter_token_s < 0.0142
    assert after.inter_token_s > (before.inter_token_s + 0.0142) / 2
    moved = after.inter_token_s / before.inter_token_s
    assert 1.0 < like.inter_token_s / other.inter_token_s < moved
    assert before.tokens_per_s_total > after.tokens_per_s_total > 1510.4
    assert before.ttft_s < after.ttft_s < 0.2105
    assert speeds(pair()) == elsewhere
    for span in ("ttft_interval", "inter_token_interval", "tokens_per_s_interval"):
        assert width(getattr(after, span)) < width(getattr(like, span)) < width(getattr(before, span))
    # money and searches read the same figure
    assert size(h100()).cost != size(replace(h100(), hardware=replace(h100().hardware, accelerator=bare()))).cost
    # a second log counts against the catalog, not against what the first one made of it, and goes further
    capsys.readouterr()
    kept(own, tmp_path, again=BENCH)
    ratios = {one.ratio for one in catalog.load().accelerator("h100-sxm").own if one.figure == "inter_token"}
    assert len(ratios) == 1
    assert after.inter_token_s < speeds(h100()).inter_token_s < 0.0142
    for file in own.iterdir():
        file.unlink()
    loading.reload()
    assert (speeds(h100()), speeds(h100("qwen3-8b")), speeds(pair())) == (before, other, elsewhere)


def bare() -> Accelerator:
    return replace(catalog.load().accelerator("h100-sxm"), own=())


def test_every_working_of_a_speed_says_what_is_the_persons(own: Path, tmp_path: Path) -> None:
    kept(own, tmp_path, bench=BENCH)
    build = Build(plan(h100()))
    for figure, name in (
        ("ttft_s", "first token"),
        ("inter_token_s", "time per token"),
        ("tokens_per_s_total", "tokens"),
        ("best_requests_per_s", "tokens"),
        ("tokens_per_s_user", "time per token"),
    ):
        working = build.working(f"serving.{figure}")
        assert "A measurement of yours on this card and engine" in working.note
        assert name in working.note
        assert any(leaf.source == "bench.log" for leaf in leaves_of(build.number(f"serving.{figure}")))
    assert "yours" not in Build(plan(pair())).working("serving.ttft_s").note


def with_ratios(scenario: Scenario, ratio: float, count: int = 1) -> Scenario:
    """The build with so many measurements of each figure, so many times as fast as the catalog's."""
    hardware = scenario.hardware
    faster = {"ttft": 1 / ratio, "inter_token": 1 / ratio, "tokens_per_s": ratio}
    ratios = tuple(
        OwnRatio(hardware.accelerator.id, scenario.runtime.engine, scenario.model.id, name, value)
        for name, value in faster.items()
    )
    return replace(scenario, hardware=replace(hardware, accelerator=replace(hardware.accelerator, own=ratios * count)))


@pytest.mark.parametrize("users", [1, 32, 2000])
@pytest.mark.parametrize("prompt", [16, 8192])
@pytest.mark.parametrize("model", ["llama-3.1-8b", "qwen3-30b-a3b"])
def test_no_measurement_beats_the_card(users: int, prompt: int, model: str) -> None:
    work = Workload(concurrency=users, input_tokens=prompt, output_tokens=256)
    scenario = build_scenario(model, "bf16", "h100-sxm", 1, workload=work)
    sizing = size(with_ratios(scenario, 90.0, 20))
    speed, card = sizing.serving, scenario.hardware.accelerator
    assert speed is not None
    assert speed.ttft_s < speeds(scenario).ttft_s
    arch = scenario.model.architecture
    assert card.tflops_bf16_dense is not None
    flops = card.tflops_bf16_dense * TERA
    of_token, of_prompt = matmul_flops_per_token(arch, True), (prompt - 1) * matmul_flops_per_token(arch, False)
    read = sizing.model.kv_bytes_per_token * prompt
    if not arch.experts:
        read += sizing.model.weight_bytes - arch.embedding[0].elements * 2
    assert speed.inter_token_s >= read / (card.bandwidth_gb_s * GB)
    assert speed.ttft_s >= of_prompt / flops
    assert speed.requests_per_s * (of_prompt + 255 * of_token) <= flops
    for load in (speed.offline_tokens_per_s, speed.best_tokens_per_s_total):
        assert load / 256 * (of_prompt + 255 * of_token) <= flops


def test_many_measurements_are_believed_whole_and_those_of_other_models_never() -> None:
    scenario = h100()
    before = speeds(scenario)
    slower = [speeds(with_ratios(scenario, 0.8, count)).inter_token_s / before.inter_token_s for count in (1, 3, 200)]
    assert 1.0 < slower[0] < slower[1] < slower[2] < 1.25
    assert slower[2] == pytest.approx(1.25, abs=0.001)
    card = with_ratios(scenario, 0.8, 200).hardware.accelerator
    qwen = h100("qwen3-8b")
    known = replace(qwen, hardware=replace(qwen.hardware, accelerator=card))
    factor = speeds(known).inter_token_s / speeds(qwen).inter_token_s
    # of one other model, however often: build over build and model, by their variances
    build, model, _ = SCATTER["inter_token"]
    assert factor == pytest.approx(1.25 ** (build**2 / (build**2 + model**2)), rel=1e-3)
    assert narrowed((0.5, 1.6), "ttft", scenario) == (0.5, 1.6)


def test_tokens_a_second_alone_speak_of_a_token() -> None:
    scenario = h100()
    card = scenario.hardware.accelerator
    one = OwnRatio(card.id, "vllm", "llama-3.1-8b", "tokens_per_s", 0.5)
    known = replace(scenario, hardware=replace(scenario.hardware, accelerator=replace(card, own=(one,))))
    other = OwnRatio(card.id, "vllm", "llama-3.1-8b", "inter_token", 2.0)
    timed = replace(scenario, hardware=replace(scenario.hardware, accelerator=replace(card, own=(other,))))
    assert speeds(known).inter_token_s == speeds(timed).inter_token_s > speeds(scenario).inter_token_s
    assert speeds(known).ttft_s == speeds(scenario).ttft_s
    elsewhere = replace(one, engine="sglang")
    apart = replace(scenario, hardware=replace(scenario.hardware, accelerator=replace(card, own=(elsewhere,))))
    assert speeds(apart) == speeds(scenario)


def test_a_bad_file_is_told_of_and_left_out(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own.mkdir(parents=True)
    (own / "a.toml").write_text(
        "schema = 1\n[[curve]]\nlink = 'nowhere'\nop = 'all_reduce'\ngpus = 2\npoints = [[1, 1], [2, 2]]\n"
    )
    (own / "b.toml").write_text("schema = 2\n")
    (own / "c.toml").write_text(
        "schema = 1\n[[ratio]]\naccelerator = 'h100-sxm'\nengine = 'vllm'\nfigure = 'ttft'\nratio = -1\n"
    )
    problems = loading.reload().problems
    assert len(problems) == 3
    assert main(["report", "--model", "llama-3.1-8b"]) in (0, 3)
    assert "left out of the catalog" in capsys.readouterr().err
