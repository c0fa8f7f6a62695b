"""Commands as people keep them: scripts with variables, pipes, redirections, shells inside others, Windows' paths."""

from __future__ import annotations

import time

import pytest

from tui.paste import reading
from tui.paste.found import CannotRead, Found

SCRIPT = """\
#!/usr/bin/env bash
set -euo pipefail
export MODEL="Qwen/Qwen3-32B"
TP=${TP:-4}
PORT=8000 # the usual
DRAFT='$MODEL'
nohup vllm serve "$MODEL" --tensor-parallel-size ${TP} --port $PORT --max-num-seqs "${SEQS:-128}" > serve.log 2>&1 &
"""
PIPED = """\
$ vllm serve Qwen/Qwen3-8B --tensor-parallel-size=2 --numa-bind --seed 1 2>err.txt | tee log.txt && echo --max-model-len 5
"""
SBATCH = """\
#!/bin/bash
#SBATCH --job-name=r1 --nodes=2 --gres=gpu:h100:8
#SBATCH --time=04:00:00
srun --nodes=1 bash -c "vllm serve deepseek-ai/DeepSeek-R1 --tensor-parallel-size 8 --pipeline-parallel-size 2"
"""
WINDOWS = r"""
.\bin\llama-server.exe -m "C:\models\Qwen3-30B-A3B-Q4_K_M.gguf" `
  -c 65536 -np 4 -ngl 99 -ctk q8_0
"""


def read(text: str) -> tuple[Found, object]:
    found = reading.read(text)
    return found, reading.scenario_of(found, {"hardware.accelerator": "h100-sxm"})


def test_variables_of_a_script_are_put_in() -> None:
    found = reading.read(SCRIPT)
    assert found.model == "Qwen/Qwen3-32B"
    assert found.value("layout.tp") == 4
    assert found.value("runtime.max_num_seqs") == 128
    assert not found.unknown


def test_a_variable_that_nothing_sets_is_told() -> None:
    found = reading.read("LEN=$((32*1024))\nvllm serve Qwen/Qwen3-8B --max-model-len $LEN --max-num-seqs ${SEATS}")
    assert found.value("runtime.max_model_len") is None
    assert [one.partition(":")[0] for one in found.unknown] == [
        "--max-model-len $((32*1024))",
        "--max-num-seqs ${SEATS}",
    ]


def test_what_follows_a_pipe_is_another_command() -> None:
    found = reading.read(PIPED)
    assert found.value("layout.tp") == 2
    assert found.value("runtime.max_model_len") is None
    assert found.unknown == ["--numa-bind"]


def test_a_batch_script_asks_on_one_line_and_starts_a_shell() -> None:
    found = reading.read(SBATCH)
    assert (found.nodes, found.gpus) == (2, 8)
    assert (found.value("layout.tp"), found.value("layout.pp")) == (8, 2)
    assert found.model == "deepseek-ai/DeepSeek-R1"
    assert reading.read("#SBATCH -N 4 --gpus-per-node 8\nsrun vllm serve Qwen/Qwen3-8B").nodes == 4


def test_windows_names_programs_and_files_its_own_way() -> None:
    found, scenario = read(WINDOWS)
    assert scenario.model.id == "qwen3-30b-a3b"  # type: ignore[attr-defined] # a Scenario
    assert scenario.model.weights == "gguf-q4_k_m"  # type: ignore[attr-defined] # likewise
    assert found.value("runtime.max_model_len") == 16384
    assert not found.unknown


@pytest.mark.parametrize(
    "text",
    [
        "A=x\n" + "\n".join(f"V{one}=$V{one - 1}$V{one - 1}" for one in range(1, 60)) + "\nvllm serve $V59$V59$V59",
        "A=$A$A\nvllm serve $A",
        "=" * 50_000 + "\nvllm serve Qwen/Qwen3-8B",
        'bash -c "' + "bash -c '" * 2_000 + "\nvllm serve Qwen/Qwen3-8B",
        'X="' * 20_000 + "\nvllm serve Qwen/Qwen3-8B",
        "${" * 30_000 + "vllm serve Qwen/Qwen3-8B",
        'vllm serve $(rm -rf ~) --tensor-parallel-size `reboot` --max-model-len -1 \x1b[31m --x "unclosed',
    ],
)
def test_hostile_scripts_are_short_work(text: str) -> None:
    start, told = time.perf_counter(), [""]
    try:
        told = read(text)[0].unknown
    except CannotRead as problem:
        told = [str(problem)]
    assert all(len(one) < 2_000 and "\x1b" not in one for one in told)
    assert time.perf_counter() - start < 3
