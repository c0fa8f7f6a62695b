"""Embedders in and out: commands that start one, exports that come back as one, benchmarks of one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from engine.decide import beside
from engine.decide.size import size
from engine.runtimes.engine import ServingEngine
from engine.scenario import Scenario, Workload
from tests.engine.builds import build
from tui.cli import main
from tui.paste import logs, reading
from tui.shell.exports import CannotExport, Target, export

TEXT = """\
============ Serving Benchmark Result ============
Successful requests:                     1000
Failed requests:                         0
Maximum request concurrency:             32
Benchmark duration (s):                  40.00
Total input tokens:                      512000
Request throughput (req/s):              25.00
Total token throughput (tok/s):          12800.00
----------------End-to-end Latency----------------
Mean E2EL (ms):                          1270.00
Median E2EL (ms):                        1265.00
==================================================
"""
RECORD = {
    "model_id": "Qwen/Qwen3-Embedding-8B", "completed": 1000, "total_input_tokens": 512000, "request_throughput": 25.0,
    "total_token_throughput": 12800.0, "mean_e2el_ms": 1270.0, "max_concurrency": 32, "request_rate": "inf",
}  # fmt: skip


@pytest.mark.parametrize(
    ("command", "engine"),
    [
        ("vllm serve Qwen/Qwen3-Embedding-8B --runner pooling --max-model-len 4096", "vllm"),
        ("vllm serve Qwen/Qwen3-Embedding-8B --task=embed --max-model-len 4096", "vllm"),
        ("vllm serve Qwen/Qwen3-8B --convert embed --max-model-len 4096", "vllm"),
        ("python3 -m sglang.launch_server --model-path Qwen/Qwen3-8B --is-embedding --context-length 4096", "sglang"),
        ("llama-server -hf Qwen/Qwen3-8B-GGUF:Q8_0 --embeddings --pooling last -c 4096", "llama.cpp"),
    ],
)
def test_a_command_that_starts_an_embedder_is_one(command: str, engine: str) -> None:
    found = reading.read(command)
    scenario = reading.scenario_of(found, {"hardware.accelerator": "l40s"})
    assert (scenario.workload.kind, scenario.runtime.engine) == ("embed", engine)
    assert scenario.workload.input_tokens <= 4096
    assert not found.unknown
    assert size(scenario).serving is not None


def test_a_command_that_generates_is_no_embedder() -> None:
    for words in ("--runner generate", "--task auto", "--runner auto --convert none"):
        found = reading.read(f"vllm serve Qwen/Qwen3-8B {words}")
        assert reading.scenario_of(found, {"hardware.accelerator": "l40s"}).workload.kind == "serve"
        assert not found.unknown
    assert reading.read("vllm serve Qwen/Qwen3-8B --task transcription").unknown == ["--task transcription"]


def embedder(weights: str = "bf16", engine: ServingEngine = "vllm") -> Scenario:
    made = build(model="qwen3-8b", weights=weights, accelerator="l40s", gpus_per_node=1)
    work = Workload(kind="embed", concurrency=32, input_tokens=512)
    return replace(made, workload=work, runtime=replace(made.runtime, engine=engine))


@pytest.mark.parametrize(
    ("target", "weights", "engine"),
    [("vllm", "bf16", "vllm"), ("sglang", "bf16", "sglang"), ("llama-server", "gguf-q8_0", "llama.cpp")],
)
def test_an_export_comes_back_as_an_embedder(target: Target, weights: str, engine: ServingEngine) -> None:
    text = export(size(embedder(weights, engine)), target)
    given = {"hardware.accelerator": "l40s", **({"model.id": "qwen3-8b"} if target == "llama-server" else {})}
    scenario = reading.scenario_of(reading.read(text), given)
    assert scenario.workload.kind == "embed"
    assert scenario.runtime.engine == engine
    if target == "llama-server":
        assert "--ubatch-size 512 " in text


def test_trtllm_serve_is_refused() -> None:
    with pytest.raises(CannotExport, match="no endpoint for embeddings"):
        export(size(embedder(engine="trtllm")), "trtllm-serve")


@pytest.mark.parametrize("text", [TEXT, json.dumps(RECORD)], ids=["printed", "file"])
def test_a_benchmark_of_an_embedder_stands_beside_its_passes(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run,) = logs.read(text)
    assert run.figures == {"request_s": 1.27, "read_tokens_per_s": 12800.0, "requests_per_s": 25.0}
    load = {"workload.concurrency": 32, "workload.input_tokens": 512, "workload.requests": 1000}
    assert run.load == load
    scenario = embedder()
    rows = {row.key: row for row in beside.rows_of(run.figures, load, scenario)}
    serving = size(beside.under(scenario, load)).serving
    assert serving is not None
    assert rows["request_s"].predicted == serving.ttft_s
    assert rows["read_tokens_per_s"].predicted == serving.tokens_per_s_total
    assert rows["requests_per_s"].predicted == pytest.approx(serving.tokens_per_s_total / 512)
    assert not {"request_s", "read_tokens_per_s"} & {
        row.key for row in beside.rows_of(run.figures, {}, replace(scenario, workload=Workload()))
    }
    (tmp_path / "bench.txt").write_text(text)
    options = ["--model", "qwen3-8b", "--kind", "embed", "--accelerator", "l40s", "--gpus", "1"]
    assert main(["measured", str(tmp_path / "bench.txt"), *options]) == 0
    assert "tokens/s read" in capsys.readouterr().out
