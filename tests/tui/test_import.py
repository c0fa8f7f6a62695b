"""What `sizeup import` reads: commands, manifests, configs and machines; and each export comes back as it was sized."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from engine.decide.size import size
from engine.scenario import Runtime, Scenario
from engine.scenario.fields import Value
from engine.training.batch import batch_of
from tests.engine.builds import build
from tests.tui.test_export import NAMES, OTHER_RUNS, as_engine, golden, other_run
from tui.cli import main
from tui.files import session
from tui.paste import listing, reading
from tui.paste.found import CannotRead, Found
from tui.shell.exports import Target, export, fitting
from tui.shell.exports.build import Build
from tui.shell.exports.names import checkpoint, repository

SERVE: tuple[Target, ...] = (
    "vllm",
    "sglang",
    "mlx",
    "llama-server",
    "trtllm-serve",
    "compose",
    "k8s",
    "lws",
    "slurm",
    "nim",
    "ray",
)
TRAIN: tuple[Target, ...] = ("deepspeed", "axolotl", "llamafactory", "accelerate", "torchtitan")
LATER: tuple[Target, ...] = ("trl", "unsloth", "torchtune", "megatron", "nemo", "verl", "openrlhf")
"""Trainers whose files and commands say everything that was sized."""


def pairs(targets: tuple[Target, ...], kinds: tuple[str, ...]) -> list[tuple[str, Target]]:
    return [
        (name, target)
        for name in NAMES
        if golden(name).scenario.workload.kind in kinds and not golden(name).scenario.hardware.mixed
        for target in fitting(golden(name))
        if target in targets
    ]


def given(scenario: Scenario) -> dict[str, object]:
    """What no command says: cards, nodes, the load; and the model, whose file may be the person's own."""
    hardware, model = scenario.hardware, scenario.model
    named = {"model.config": model.config} if model.config else {"model.id": model.id}
    return {
        **named,
        "hardware.accelerator": hardware.accelerator.id,
        "hardware.gpus_per_node": hardware.gpus_per_node,
        "hardware.nodes": hardware.nodes,
    }


@pytest.mark.parametrize(("name", "target"), pairs(SERVE, ("serve", "batch")), ids=lambda part: part)
def test_an_exported_server_comes_back(name: str, target: Target) -> None:
    sizing = as_engine(golden(name), target)
    scenario = sizing.scenario
    found = reading.read(export(golden(name), target))
    apart = target != "trtllm-serve" and scenario.runtime.engine == "trtllm"
    assert not found.unknown or (apart and "paste it beside" in found.unknown[0]), found.unknown
    work = scenario.workload
    load = {"concurrency": work.concurrency, "input_tokens": work.input_tokens, "output_tokens": work.output_tokens}
    asked = {**given(scenario), "model.weights": scenario.model.weights, "workload.kind": work.kind}
    back = reading.scenario_of(found, asked | {f"workload.{key}": value for key, value in load.items()})
    servers = Build(sizing, checkpoint(scenario, repository(scenario))).servers
    layout, was = size(back).layout, sizing.layout
    engine = {"vllm-earlier": "vllm"}.get(scenario.runtime.engine, scenario.runtime.engine)
    assert back.runtime.engine == engine
    if target != "llama-server":  # whose command does not say how many cards there are
        ranks = (layout.tp * layout.dp, was.tp * was.dp) if was.dp_attention else (layout.tp, was.tp)
        assert (ranks[0], layout.pp) == (ranks[1], was.pp)
    if target in ("vllm", "sglang", "k8s", "lws", "compose") and engine in ("vllm", "sglang") and not was.dp_attention:
        every = servers.count if target in ("k8s", "lws", "ray") else 1
        assert layout.dp in (servers.dp * every, was.dp)
    if engine in ("vllm", "sglang"):
        assert layout.dp_attention == was.dp_attention
    unsaid = target == "llama-server" and scenario.model.kv_cache == "fp8"  # which llama.cpp's cache is not in
    if scenario.model.kv_cache in ("fp8", "q8_0", "q4_0") and not apart and not unsaid:
        assert back.model.kv_cache == scenario.model.kv_cache
    filled = sizing.resolved
    assert back.runtime.max_model_len == (filled.max_model_len or work.tokens_per_request)
    if engine == "vllm":
        assert back.runtime.max_num_seqs == filled.max_num_seqs
        assert back.runtime.max_num_batched_tokens == filled.max_num_batched_tokens
        assert back.runtime.memory_utilization == pytest.approx(filled.memory_utilization)
        assert back.runtime.cuda_graphs == scenario.runtime.cuda_graphs
        assert back.runtime.prefix_caching == scenario.runtime.prefix_caching


@pytest.mark.parametrize(
    ("name", "target"),
    pairs(TRAIN, ("lora", "qlora", "full-finetune", "pretrain", "dpo", "grpo")),
    ids=lambda part: part,
)
def test_an_exported_run_comes_back(name: str, target: Target) -> None:
    sizing = golden(name)
    scenario, work = sizing.scenario, sizing.scenario.workload
    found = reading.read(export(sizing, target))
    asked = given(scenario) | {"layout.dp": sizing.layout.dp}
    if target == "torchtitan":
        asked |= {"workload.kind": work.kind}
    if target in ("deepspeed", "accelerate"):
        asked |= {"workload.kind": work.kind, "workload.sequence_length": work.sequence_length}
    back = reading.scenario_of(found, asked)
    if work.base_format != "gptq" or work.kind != "qlora":  # which only the name of the base says
        assert back.workload.kind == work.kind
    if target == "torchtitan":
        steps = back.workload
        assert (steps.micro_batch, steps.sequence_length) == (work.micro_batch, work.sequence_length)
        assert batch_of(steps, sizing.layout.dp) == batch_of(work, sizing.layout.dp)
        assert (back.layout.pp, back.layout.ep) == (sizing.layout.pp, sizing.layout.ep)
    elif target != "accelerate":
        assert back.workload.micro_batch == work.micro_batch
        assert back.workload.gradient_accumulation == batch_of(work, sizing.layout.dp).micro_batches
    if target == "deepspeed" or work.sharding in ("ddp", "zero3"):
        assert back.workload.sharding == work.sharding
    if target in ("axolotl", "llamafactory"):
        assert not found.unknown
        assert back.workload.sequence_length == work.sequence_length
        if work.base_format != "gptq":
            assert (back.workload.trains, back.workload.preference) == (work.trains, work.preference)
        if work.trains in ("lora", "qlora"):
            assert back.workload.lora_rank == work.lora_rank
            assert back.workload.lora_targets == work.lora_targets
        # Axolotl refuses packed samples under RL (its validation), so its file has none
        packs = target != "axolotl" or work.kind not in ("dpo", "grpo")
        assert back.workload.packing == (work.packing and packs)
    assert size(back).layout.tp == sizing.layout.tp


SAID: dict[Target, tuple[str, ...]] = {
    "trl": (
        "kind",
        "trains",
        "micro_batch",
        "sequence_length",
        "lora_rank",
        "lora_targets",
        "packing",
        "group_size",
        "rollout",
    ),
    "unsloth": ("kind", "micro_batch", "sequence_length", "lora_rank", "lora_targets", "packing", "sharding"),
    "torchtune": ("kind", "trains", "micro_batch", "sequence_length", "lora_rank", "lora_targets"),
    "megatron": ("micro_batch", "sequence_length", "sharding", "recompute", "compute_dtype", "pipeline_schedule"),
    "nemo": (
        "kind",
        "micro_batch",
        "sequence_length",
        "sharding",
        "recompute",
        "lora_rank",
        "lora_targets",
        "pipeline_schedule",
    ),
    "verl": (
        "kind",
        "trains",
        "micro_batch",
        "sequence_length",
        "sharding",
        "group_size",
        "rolled_tokens",
        "rollout_share",
    ),
    "openrlhf": (
        "kind",
        "trains",
        "micro_batch",
        "sequence_length",
        "sharding",
        "lora_rank",
        "lora_targets",
        "packing",
        "group_size",
    ),
}
"""What each of them says of a run."""


RUNS = [
    (name, target)
    for name in NAMES
    if not golden(name).scenario.workload.is_inference
    for target in fitting(golden(name))
    if target in LATER
]
TUNES = [(name, target) for name in OTHER_RUNS for target in fitting(other_run(name)) if target in LATER]


@pytest.mark.parametrize(("name", "target"), [*RUNS, *TUNES], ids=lambda part: part)
def test_what_a_trainer_is_told_comes_back(name: str, target: Target) -> None:
    sizing = other_run(name) if name in OTHER_RUNS else golden(name)
    work, text = sizing.scenario.workload, export(sizing, target)
    found = reading.read(text)
    back = reading.scenario_of(found, given(sizing.scenario) | {"layout.dp": sizing.layout.dp})
    fused = (
        target == "nemo" and work.trains == "lora" and work.lora_targets == "attention-qv"
    )  # q, k and v are one there
    assert not found.unknown or fused
    if target == "megatron":
        assert back.workload.kind == "pretrain"  # its script is one for both
    for key in SAID[target]:
        if key.startswith("lora_") and (work.trains == "full" or work.lora_targets not in HAS_WORDS or fused):
            continue
        if key in ("group_size", "rollout", "rolled_tokens", "rollout_share") and work.kind not in (
            ("grpo",) if key == "group_size" else ("grpo", "ppo")
        ):
            continue
        if key == "packing" and (work.kind in ("pretrain", "dpo", "reward", "grpo", "ppo") and target == "trl"):
            continue
        if key == "recompute" and work.recompute == "selective":
            continue
        if key == "sharding" and sizing.scenario.hardware.gpus == 1:
            continue  # one GPU has nobody to share with
        if key == "kind" and work.kind in ("pretrain", "reward", "dpo") and target in ("trl", "unsloth", "torchtune"):
            continue  # whose file does not say which command reads it, or which text
        assert getattr(back.workload, key) == getattr(work, key), key
    if target not in ("trl", "unsloth"):
        assert (back.layout.tp or 1, back.layout.pp or 1) == (sizing.layout.tp, sizing.layout.pp)
    if target in ("megatron", "nemo", "openrlhf"):
        assert batch_of(back.workload, sizing.layout.dp).tokens == pytest.approx(
            batch_of(work, sizing.layout.dp).tokens, rel=1e-6
        )


@pytest.mark.parametrize("target", ["megatron", "nemo", "torchtune", "verl"])
def test_the_processes_that_a_launcher_starts_come_back(target: Target) -> None:
    kind = "grpo" if target == "verl" else "full-finetune"
    named = target if target != "verl" else "fsdp2"
    sizing = size(
        build(model="llama-3.1-8b", weights="bf16", accelerator="h100-sxm", gpus_per_node=8, kind=kind, framework=named)
    )
    back = reading.scenario_of(reading.read(export(sizing, target)), {"hardware.accelerator": "h100-sxm"})
    assert (back.hardware.nodes, back.hardware.gpus_per_node) == (1, 8)
    assert back.layout.dp == 8 // (sizing.layout.tp * sizing.layout.pp)
    assert size(back).verdict.carried == sizing.verdict.carried


def test_a_server_of_mlx_comes_back() -> None:
    entered = build(model="llama-3.1-8b", weights="bf16", accelerator="apple-m3-ultra", gpus_per_node=1, concurrency=4)
    sizing = size(replace(entered, runtime=Runtime(engine="mlx"), model=replace(entered.model, kv_cache="q8_0")))
    found, back = read(export(sizing, "mlx"), hardware__accelerator="apple-m3-ultra")
    assert not found.unknown
    assert (back.runtime.engine, back.model.id, back.model.kv_cache) == ("mlx", "llama-3.1-8b", "q8_0")
    assert back.runtime.max_num_seqs == sizing.resolved.max_num_seqs
    assert back.runtime.max_num_batched_tokens == sizing.resolved.max_num_batched_tokens


@pytest.mark.parametrize(
    ("said", "unknown", "assumed"), [("dtype: float32\n", 1, 0), ("dtype: bfloat16\n", 0, 0), ("", 0, 1)]
)
def test_weights_that_trl_loads_in_32_bits_are_told(said: str, unknown: int, assumed: int) -> None:
    text = f"model_name_or_path: Qwen/Qwen3-8B\n{said}max_length: 2048\nper_device_train_batch_size: 1\npacking: true\n"
    found = reading.read(text)
    assert (len([one for one in found.unknown if "16 bits" in one]), len(found.unknown)) == (unknown, unknown)
    assert len([one for one in found.assumed if "names no dtype" in one]) == assumed
    assert ("dtype" in found.passed) == (said == "dtype: bfloat16\n")


def test_the_split_of_the_engine_that_answers_is_told_and_not_unknown() -> None:
    for target in ("verl", "openrlhf", "trl"):
        found = reading.read(export(other_run("GRPO in full"), target))
        assert not found.unknown
        assert [one for one in found.assumed if "tensor_" in one and "fewest cards" in one], target


HAS_WORDS = ("all-linear", "attention", "attention-qv", "mlp", "attention-qkv-mlp", "attention-qvo-mlp")


def test_every_later_trainer_is_read_back() -> None:
    assert {target for _, target in (*RUNS, *TUNES)} == set(LATER)


def read(text: str, **more: object) -> tuple[Found, Scenario]:
    found = reading.read(text)
    return found, reading.scenario_of(found, {key.replace("__", "."): value for key, value in more.items()})


COMMANDS: dict[str, tuple[str, dict[str, Value]]] = {
    "vllm": (
        "CUDA_VISIBLE_DEVICES=0,1 nohup vllm serve Qwen/Qwen3-32B -tp 2 --max-model-len=16K --max_num_seqs 64 --port 9000 &",
        {"model.id": "qwen3-32b", "layout.tp": 2, "runtime.max_model_len": 16384, "runtime.max_num_seqs": 64},
    ),
    "module": (
        "$ python3 -m vllm.entrypoints.openai.api_server --model meta-llama/Llama-3.1-8B-Instruct --quantization fp8 \\\n"
        "    --kv-cache-dtype fp8 --enforce-eager",
        {"model.id": "llama-3.1-8b", "model.weights": "fp8", "model.kv_cache": "fp8", "runtime.cuda_graphs": False},
    ),
    "dflash2": (
        """vllm serve Qwen/Qwen3-8B --speculative-config '{"method": "dflash", "model": "x/Y-DFlash2", "num_speculative_tokens": 7}'""",
        {"runtime.speculative": "dflash2", "runtime.speculative_tokens": 7},
    ),
    "speculative": (
        """vllm serve deepseek-ai/DeepSeek-V3.2 -tp 8 --speculative-config '{"method": "deepseek_mtp", "num_speculative_tokens": 2}'""",
        {"runtime.speculative": "mtp", "runtime.speculative_tokens": 2, "model.mtp": True},
    ),
    "experts": (
        "vllm serve deepseek-ai/DeepSeek-R1 --data-parallel-size 8 --enable-expert-parallel",
        {"layout.tp": 1, "layout.dp": 8, "layout.ep": 8, "layout.dp_attention": True},
    ),
    "sglang": (
        "python -m sglang.launch_server --model-path deepseek-ai/DeepSeek-R1 --tp 16 --dp 8 --enable-dp-attention --nnodes 2 "
        "--node-rank 0 --dist-init-addr 10.0.0.1:5000 --mem-fraction-static 0.85",
        {"layout.tp": 2, "layout.dp": 8, "layout.dp_attention": True, "runtime.memory_utilization": 0.85},
    ),
    "llama-server": (
        "./build/bin/llama-server -m /models/Qwen3-32B-Q4_K_M.gguf -c 65536 -np 4 -ngl 99 -ctk q8_0 -ctv q8_0 -fa on -ts 1,1",
        {"model.id": "qwen3-32b", "model.weights": "gguf-q4_k_m", "runtime.max_model_len": 16384, "workload.concurrency": 4,
         "layout.pp": 2, "model.kv_cache": "q8_0"},
    ),
    "trtllm": (
        "trtllm-serve meta-llama/Llama-3.3-70B-Instruct --tp_size 4 --max_batch_size 128 --max_num_tokens 8192 --max_seq_len 9000",
        {"model.id": "llama-3.3-70b", "layout.tp": 4, "runtime.max_num_seqs": 128, "runtime.max_model_len": 9000},
    ),
    "docker": (
        "sudo docker run -d --gpus '\"device=0,1,2,3\"' --ipc=host -v ~/.cache:/cache -p 8000:8000 --env HF_TOKEN=x "
        "vllm/vllm-openai:latest --model Qwen/Qwen2.5-72B-Instruct-AWQ --tensor-parallel-size 4",
        {"model.id": "qwen2.5-72b", "model.weights": "int4-awq", "layout.tp": 4, "hardware.gpus_per_node": 4},
    ),
    "docker of another engine": (
        "docker run --gpus all --shm-size 32g -p 30000:30000 lmsysorg/sglang:latest python3 -m sglang.launch_server "
        "--model-path Qwen/Qwen3-8B --host 0.0.0.0",
        {"runtime.engine": "sglang", "model.id": "qwen3-8b"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_read(name: str) -> None:
    from engine.scenario.change import value_of

    text, keys = COMMANDS[name]
    found, scenario = read(text)
    assert not found.unknown
    for key, value in keys.items():
        assert value_of(scenario, key) == value, key


def test_what_is_not_understood_is_listed() -> None:
    found, _ = read("vllm serve Qwen/Qwen3-8B --max-num-seqs many --frobnicate 7 --host 0.0.0.0")
    assert found.unknown == ["--max-num-seqs many: not a whole number", "--frobnicate 7"]
    assert found.passed == ["--host 0.0.0.0"]
    assert any("cards of a new session" in one for one in found.assumed)


def test_a_model_that_nobody_knows_is_asked_for() -> None:
    found = reading.read("vllm serve acme/very-own-7b -tp 2")
    with pytest.raises(CannotRead, match="--model: an id, or the path of its config"):
        reading.scenario_of(found, {})
    scenario = reading.scenario_of(found, {"model.id": "llama-2-7b"})
    assert scenario.model.id == "llama-2-7b"


SMI = """\
+-----------------------------------------------------------------------------------------+
| NVIDIA-SMI 570.86.15              Driver Version: 570.86.15      CUDA Version: 12.8     |
|-----------------------------------------+------------------------+----------------------+
| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |
| Fan  Temp   Perf          Pwr:Usage/Cap |           Memory-Usage | GPU-Util  Compute M. |
|=========================================+========================+======================|
|   0  NVIDIA L40S                    Off |   00000000:01:00.0 Off |                    0 |
| N/A   34C    P0             72W /  350W |       1MiB /  46068MiB |      0%      Default |
|   1  NVIDIA L40S                    Off |   00000000:41:00.0 Off |                    0 |
| N/A   34C    P0             72W /  350W |       1MiB /  46068MiB |      0%      Default |
|   2  NVIDIA L40S                    Off |   00000000:81:00.0 Off |                    0 |
| N/A   34C    P0             72W /  350W |       1MiB /  46068MiB |      0%      Default |
|   3  NVIDIA L40S                    Off |   00000000:C1:00.0 Off |                    0 |
| N/A   34C    P0             72W /  350W |       1MiB /  46068MiB |      0%      Default |
+-----------------------------------------------------------------------------------------+
"""
TOPOLOGY = """\
\tGPU0\tGPU1\tGPU2\tGPU3\tNIC0\tCPU Affinity\tNUMA Affinity\tGPU NUMA ID
GPU0\t X \tNODE\tSYS\tSYS\tNODE\t0-31\t0\t\tN/A
GPU1\tNODE\t X \tSYS\tSYS\tPHB\t0-31\t0\t\tN/A
GPU2\tSYS\tSYS\t X \tNODE\tSYS\t32-63\t1\t\tN/A
GPU3\tSYS\tSYS\tNODE\t X \tSYS\t32-63\t1\t\tN/A
NIC0\tNODE\tPHB\tSYS\tSYS\t X

NIC Legend:

  NIC0: mlx5_0
"""
LSPCI = """\
00:02.0 VGA compatible controller: ASPEED Technology, Inc. ASPEED Graphics Family (rev 52)
01:00.0 VGA compatible controller: NVIDIA Corporation AD102 [GeForce RTX 4090] (rev a1)
01:00.1 Audio device: NVIDIA Corporation AD102 High Definition Audio Controller (rev a1)
41:00.0 VGA compatible controller: NVIDIA Corporation AD102 [GeForce RTX 4090] (rev a1)
"""


def test_a_table_of_nvidia_smi_and_its_topology_are_a_machine() -> None:
    found, scenario = read(SMI + TOPOLOGY)
    hardware = scenario.hardware
    assert (hardware.accelerator.id, hardware.gpus_per_node) == ("l40s", 4)
    assert hardware.intra_link.id == "pcie4-cross-socket"
    assert found.kinds == ["nvidia-smi", "nvidia-smi topo -m"]


def test_a_machine_and_a_command_are_read_together() -> None:
    found = reading.read(SMI, "vllm serve Qwen/Qwen3-32B-FP8 -tp 2")
    scenario = reading.scenario_of(found, {})
    assert (scenario.hardware.accelerator.id, scenario.hardware.gpus_per_node) == ("l40s", 4)
    assert (scenario.layout.tp, scenario.layout.dp) == (2, 1)
    assert scenario.model.weights == "fp8"


def test_lspci_names_cards_and_leaves_the_host_out() -> None:
    _, scenario = read(LSPCI)
    assert (scenario.hardware.accelerator.id, scenario.hardware.gpus_per_node) == ("rtx-4090", 2)
    assert scenario.hardware.intra_link.id == "pcie-no-p2p"


def test_rocm_smi_is_read_as_detect_reads_it() -> None:
    text = "".join(
        f"GPU[{n}]\t\t: Card Series: \t\tAMD Instinct MI300X OAM\nGPU[{n}]\t\t: VRAM Total Memory (B): 206141652992\n"
        for n in range(8)
    )
    _, scenario = read(text)
    assert (scenario.hardware.accelerator.id, scenario.hardware.gpus_per_node) == ("mi300x", 8)


def test_cards_that_nobody_knows_are_named_and_no_other_stands_for_them() -> None:
    with pytest.raises(CannotRead, match="2 x 'NVIDIA Q99': not in the catalog; name a card beside it"):
        read("name, memory.total [MiB]\nNVIDIA Q99, 77000 MiB\nNVIDIA Q99, 77000 MiB\n")
    found = reading.read("name, memory.total [MiB]\nNVIDIA Q99, 77000 MiB\n")
    scenario = reading.scenario_of(found, {"hardware.accelerator": "h100-sxm"})
    assert scenario.hardware.gpus_per_node == 1
    assert any("NVIDIA Q99" in line for line in listing.lines_of(found))


def test_detect_reads_the_table_and_lspci_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text, card in ((SMI, "l40s"), (LSPCI, "rtx-4090")):
        saved = tmp_path / "said.txt"
        saved.write_text(text)
        assert main(["detect", "--from", str(saved), "--format", "json"]) == 0
        assert json.loads(capsys.readouterr().out)["accelerator"] == card


def test_a_compose_file_with_a_shared_part() -> None:
    text = """
x-gpu: &gpu
  deploy:
    resources:
      reservations:
        devices: [{driver: nvidia, device_ids: ["0", "1"], capabilities: [gpu]}]
services:
  web: {image: "nginx:1"}
  llm:
    image: vllm/vllm-openai:v0.11.0
    <<: *gpu
    command: >
      --model Qwen/Qwen3-30B-A3B --tensor-parallel-size 2 --enable-expert-parallel --max-model-len 32768
"""
    found, scenario = read(text)
    assert not found.unknown
    assert (scenario.model.id, scenario.layout.tp, scenario.layout.ep) == ("qwen3-30b-a3b", 2, 2)
    assert scenario.hardware.gpus_per_node == 2


def test_the_command_prints_a_session_with_its_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(b"vllm serve Qwen/Qwen3-8B --wrong 1\n"))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert main(["import", "-", "--accelerator", "rtx-4090"]) == 0
    text = capsys.readouterr().out
    assert "# not understood:\n#   --wrong 1\n" in text
    assert session.parse(text).model.id == "qwen3-8b"


@pytest.mark.parametrize(
    "text",
    ["hello", "{", "- [", "a: 1", "vllm", "docker run", "services: 3", "kind: Pod\napiVersion: v1"],
)
def test_what_says_nothing_is_one_line_and_code_2(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "said.txt"
    file.write_text(text)
    assert main(["import", str(file)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "nothing here is understood" in captured.err


def test_hostile_texts_end(tmp_path: Path) -> None:
    deep = "a: " + "[" * 20_000
    bomb = "a: &a [x, x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(20)
    )
    long = "vllm serve " + "--a " * 60_000
    for text in (deep, bomb, long, "\\\n" * 50_000, "'" * 100_000, "GPU0 " * 50_000):
        try:
            found = reading.read(text)
            reading.scenario_of(found, {})
        except CannotRead:
            pass
    with pytest.raises(CannotRead, match="allowed"):
        reading.read("x" * 2**19)


def test_yaml_is_loaded_by_nothing_but_a_document() -> None:
    import subprocess

    for argument in ("['report']", "['import', '--help']"):
        code = f"import sys\nfrom tui.cli import main\ntry:\n    main({argument})\nexcept SystemExit:\n    pass\nassert 'yaml' not in sys.modules"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr


def test_a_model_file_or_folder_is_the_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from catalog.hardware import DATA

    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "config.json").write_bytes((DATA / "models" / "qwen3-8b.config.json").read_bytes())
    for name in (folder, folder / "config.json"):
        assert main(["import", str(name), "--accelerator", "rtx-4090"]) == 0
        scenario = session.parse(capsys.readouterr().out)
        assert scenario.model.config == str(folder / "config.json")
