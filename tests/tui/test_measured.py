"""`sizeup measured`: every reader on a sample in its tool's form, the comparison, and what a person's own calibration does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import catalog
from catalog import loading
from catalog.scenarios import build_scenario
from engine.decide.plan import plan
from engine.decide.size import size
from engine.scenario import LayoutChoice, Scenario, Workload
from engine.serving.own import narrowed, told
from engine.workings.build import Build
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
TRAINER = "{'loss': 1.2, 'learning_rate': 1e-05, 'epoch': 1.0}\n{'train_runtime': 1234.5, 'train_samples_per_second': 3.2, 'train_steps_per_second': 0.4, 'train_loss': 1.1}\n"

SAMPLES = {
    "vllm": (
        VLLM,
        {"weights_gib": 14.9889, "kv_gib": 53.9, "kv_tokens": 441504, "concurrency": 53.89, "graphs_gib": 0.51},
    ),
    "an earlier vllm": (VLLM_EARLIER, {"weights_gib": 14.99, "activation_gib": 1.23, "kv_gib": 54.85}),
    "sglang": (SGLANG, {"weights_gib": 15.02, "kv_gib": 50.54, "kv_tokens": 414000, "graphs_gib": 1.1}),
    "llama.cpp": (LLAMA, {"weights_gib": 4.3003, "kv_gib": 1.0, "activation_gib": 0.2976}),
    "bench": (BENCH, {"ttft_s": 0.2105, "inter_token_s": 0.0142, "tokens_per_s": 1510.4, "requests_per_s": 5.9}),
    "genai-perf": (GENAI, {"ttft_s": 0.13025, "inter_token_s": 0.0115, "tokens_per_s": 690.0, "requests_per_s": 3.45}),
    "llama-bench": (LLAMA_BENCH, {"ttft_s": 512 / 11000, "inter_token_s": 1 / 135}),
    "torch": (TORCH, {"peak_gib": 41.2, "reserved_gib": 44.0}),
    "trainer": (TRAINER, {"step_s": 2.5}),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_each_reader_reads_its_tool(name: str) -> None:
    text, figures = SAMPLES[name]
    (run,) = logs.read(text)
    assert run.figures == pytest.approx(figures, rel=1e-3)


def test_a_benchmark_says_its_load() -> None:
    (run,) = logs.read(BENCH)
    assert run.load == {"workload.input_tokens": 1024, "workload.output_tokens": 256, "workload.concurrency": 32}
    (run,) = logs.read(GENAI)
    assert run.load == {"workload.input_tokens": 1000, "workload.output_tokens": 200}


def test_collectives_are_read_with_their_operation_and_cards() -> None:
    (run,) = logs.read(NCCL)
    assert (run.op, run.gpus, len(run.points)) == ("all_reduce", 4, 3)
    assert run.points[1] == (1048576.0, pytest.approx(268.3e-6))
    (run,) = logs.read(GATHER)
    assert (run.op, run.points[0][1]) == ("all_gather", pytest.approx(60.1e-6))


@pytest.mark.parametrize(
    "text", ["", "nothing", "{" * 10_000, "non-default args: {'a': " + "[" * 5_000, "|" * 100_000, VLLM[:80]]
)
def test_what_no_tool_prints_is_refused(text: str) -> None:
    with pytest.raises(CannotRead, match="nothing measured"):
        logs.read(text)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A person's folder of measurements, empty; the catalog is read anew before and after."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    loading.reload()
    yield tmp_path / "sizeup" / "measured"
    monkeypatch.undo()
    loading.reload()


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
    assert main(["measured", *written(tmp_path, nccl=NCCL), *L40S, "--keep", "box"]) == 0
    assert "+263" in capsys.readouterr().out
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
    assert "outside" not in capsys.readouterr().out
    (own / "box.toml").unlink()
    loading.reload()
    again = size(pair())
    assert again.serving is not None
    assert again.serving.ttft_s == before.serving.ttft_s


def test_a_working_opens_down_to_the_persons_own_times(own: Path, tmp_path: Path) -> None:
    assert main(["measured", *written(tmp_path, nccl=NCCL), *L40S, "--keep", "box"]) == 0
    loading.reload()
    number = Build(plan(pair())).number("serving.ttft_s")
    seen, leaves, rest = set(), [], [number]
    while rest:
        one = rest.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        leaves += [one] if one.is_leaf else []
        rest += one.arguments
    assert any(leaf.source == "nccl.log" for leaf in leaves)


def h100(model: str = "llama-3.1-8b") -> Scenario:
    return build_scenario(
        model, "bf16", "h100-sxm", 1, workload=Workload(concurrency=32, input_tokens=1024, output_tokens=256)
    )


def test_own_speeds_shift_and_narrow_the_interval_of_like_builds(own: Path, tmp_path: Path) -> None:
    before = size(h100()).serving
    other = size(h100("qwen3-8b")).serving
    elsewhere = size(build_scenario("llama-3.1-8b", "bf16", "l40s", 1)).serving
    assert before is not None
    assert other is not None
    command = [
        "measured",
        *written(tmp_path, bench=BENCH),
        "--model",
        "llama-3.1-8b",
        "--accelerator",
        "h100-sxm",
        "--gpus",
        "1",
    ]
    assert main([*command, "--keep"]) == 0
    loading.reload()
    after, like = size(h100()).serving, size(h100("qwen3-8b")).serving
    assert after is not None
    assert like is not None
    assert after.inter_token_s == before.inter_token_s

    def width(span: object) -> float:
        return span.high / span.low  # type: ignore[attr-defined, no-any-return] # an interval

    assert width(after.tokens_per_s_interval) < width(before.tokens_per_s_interval)
    assert width(like.tokens_per_s_interval) <= width(other.tokens_per_s_interval) * 1.0001
    # measured at 0.6 of the predicted: the same model goes most of the way, another one part of it
    assert after.tokens_per_s_interval.high < before.tokens_per_s_interval.low * 1.15
    assert like.tokens_per_s_interval.low < other.tokens_per_s_interval.low
    again = size(build_scenario("llama-3.1-8b", "bf16", "l40s", 1)).serving
    assert again == elsewhere
    assert "yours" in told("tokens_per_s", h100())


def test_many_measurements_leave_their_own_scatter() -> None:
    from dataclasses import replace

    from engine.parts.own import OwnRatio

    scenario = h100()
    one = OwnRatio("h100-sxm", "vllm", "llama-3.1-8b", "ttft", 1.2)
    spread = (0.5, 1.6)
    card = replace(scenario.hardware.accelerator, own=(one,) * 50)
    many = replace(scenario, hardware=replace(scenario.hardware, accelerator=card))
    low, high = narrowed(spread, "ttft loaded", many)
    assert 0.9 < low < 1.2 < high < 1.4
    assert narrowed(spread, "ttft", scenario) == spread


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
