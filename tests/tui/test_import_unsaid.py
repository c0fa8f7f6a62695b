"""What a pasted text leaves open is left to choose or listed as assumed: counts of GPUs, quantizations, contexts."""

from __future__ import annotations

import pytest

from engine.decide.size import size
from engine.scenario import Scenario
from tui.paste import reading
from tui.paste.found import CannotRead, Found

TITAN = """\
[model]
name = "llama3"
flavor = "8B"
hf_assets_path = "./assets/hf/Llama-3.1-8B"
converters = ["quantize.linear.float8"]
[training]
local_batch_size = 1
seq_len = 8192
steps = 1000
[parallelism]
data_parallel_replicate_degree = 1
data_parallel_shard_degree = -1
tensor_parallel_degree = 1
[activation_checkpoint]
mode = "selective"
[metrics]
log_freq = 10
[surprise]
a = 1
"""
TRL = """\
model_name_or_path: Qwen/Qwen3-8B
use_peft: true
lora_r: 16
lora_target_modules: all-linear
max_length: 4096
per_device_train_batch_size: 2
packing: true
"""
H100S = {"hardware.accelerator": "h100-sxm", "hardware.gpus_per_node": 8}


def read(text: str, **more: object) -> tuple[Found, Scenario]:
    found = reading.read(text)
    return found, reading.scenario_of(found, {key.replace("__", "."): value for key, value in more.items()})


@pytest.mark.parametrize("text", [TITAN, TRL], ids=["torchtitan", "trl"])
def test_ranks_that_a_trainer_s_file_does_not_say_are_those_of_the_command_line(text: str) -> None:
    found = reading.read(text)
    scenario = reading.scenario_of(found, H100S)
    assert scenario.layout.dp is None
    sizing = size(scenario)
    assert sizing.layout.gpus == 8
    assert sizing.memory.fits
    assert not any("GPU" in one for one in found.assumed)
    alone, _ = read(text, hardware__accelerator="h100-sxm")
    assert any(one.startswith("one GPU: ") for one in alone.assumed)


def test_all_ranks_of_torchtitan_are_sharded_and_those_that_it_counts_are_its() -> None:
    for text in (TITAN, TITAN.replace("data_parallel_shard_degree = -1\n", "")):
        found, _ = read(text)
        assert (found.value("layout.dp"), found.value("workload.sharding")) == (None, "zero3")
    counted, _ = read(TITAN.replace("shard_degree = -1", "shard_degree = 4"))
    assert counted.value("layout.dp") == 4
    nodes, _ = read(TITAN.replace("replicate_degree = 1", "replicate_degree = 2"))
    assert (nodes.value("layout.dp"), nodes.value("workload.sharding_group")) == (None, "node")


def test_torchtitan_s_converters_are_read_and_its_other_tables_listed() -> None:
    found, scenario = read(TITAN)
    assert scenario.workload.compute_dtype == "fp8"
    assert found.unknown == ["surprise"]
    assert "metrics" in found.passed
    other, scenario = read(TITAN.replace("linear.float8", "linear.mx"))
    assert scenario.workload.compute_dtype == "bf16"
    assert "converters: quantize.linear.mx" in other.unknown


def test_ranks_that_accelerate_axolotl_and_torchtune_leave_open() -> None:
    found, _ = read("mixed_precision: bf16\ndistributed_type: FSDP\nnum_machines: 1\n")
    assert found.value("layout.dp") is None
    axolotl = (
        "base_model: NousResearch/Meta-Llama-3.1-8B\nmicro_batch_size: 1\nsequence_len: 4096\ndp_replicate_size: 2\n"
    )
    assert read(f"{axolotl}dp_shard_size: -1\n")[0].value("layout.dp") is None
    assert read(f"{axolotl}dp_shard_size: 4\n")[0].value("layout.dp") == 8
    tune = "tune run {0} --config llama3_1/8B_{1} max_steps_per_epoch=10 batch_size=1 gradient_accumulation_steps=1 tokenizer.max_seq_len=4096"
    many, _ = read(tune.format("full_finetune_distributed", "full"))
    assert many.value("layout.dp") is None
    assert any("10 steps" in one for one in many.assumed)
    assert read(tune.format("lora_finetune_single_device", "lora_single_device"))[0].value("layout.dp") == 1


LLAMA = "llama-server -m gpt-oss-120b-mxfp4.gguf --n-cpu-moe 24 -ngl 99 -c 16384"


@pytest.mark.parametrize(
    "command", [LLAMA, "mlx_lm.server --model mlx-community/Qwen3-8B-4bit", "ollama run llama3.1:8b"]
)
def test_a_server_of_one_process_has_one_gpu_and_says_so(command: str) -> None:
    found, scenario = read(command)
    assert (scenario.hardware.gpus_per_node, scenario.hardware.nodes) == (1, 1)
    assert any(one.startswith("one GPU: ") for one in found.assumed)
    found, scenario = read(command, hardware__gpus_per_node=2)
    assert scenario.hardware.gpus_per_node == 2
    assert not any(one.startswith("one GPU: ") for one in found.assumed)


def test_cards_that_a_llama_server_names_are_its() -> None:
    for command in (f"{LLAMA} --tensor-split 3,1", f"CUDA_VISIBLE_DEVICES=0,1 {LLAMA}"):
        found, scenario = read(command)
        assert scenario.hardware.gpus_per_node == 2
        assert not any(one.startswith("one GPU: ") for one in found.assumed)


@pytest.mark.parametrize(
    ("command", "model", "weights"),
    [
        ("ollama run llama3.1:8b", "llama-3.1-8b", "gguf-q4_k_m"),
        ("ollama run qwen3:32b-q8_0 --verbose", "qwen3-32b", "gguf-q8_0"),
        ("ollama run llama3.3:70b-instruct-q5_K_M 'why is the sky blue?'", "llama-3.3-70b", "gguf-q5_k_m"),
        ("ollama run llama3.2", "llama-3.2-3b", "gguf-q4_k_m"),
        ("docker exec -it ollama ollama run gemma3:27b", "gemma-3-27b", "gguf-q4_k_m"),
        ("ollama run hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF:Q8_0", "llama-3.2-3b", "gguf-q8_0"),
    ],
)
def test_a_model_that_ollama_runs(command: str, model: str, weights: str) -> None:
    found, scenario = read(command)
    assert (scenario.model.id, scenario.model.weights, scenario.runtime.engine) == (model, weights, "llama.cpp")
    assert scenario.runtime.max_model_len == 4096
    assert scenario.workload.concurrency == 1
    assert any("4,096" in one for one in found.assumed)
    assert any("no quantization" in one for one in found.assumed) == ("q" not in command.split(":")[-1].casefold())
    assert not found.unknown


def test_what_ollama_s_server_is_told_is_taken() -> None:
    said = "OLLAMA_CONTEXT_LENGTH=32768 OLLAMA_NUM_PARALLEL=4 OLLAMA_KV_CACHE_TYPE=q8_0 OLLAMA_NEW=1 OLLAMA_HOST=x"
    found, scenario = read(f"{said} ollama run qwen3:8b --keepalive 1h")
    assert (scenario.runtime.max_model_len, scenario.workload.concurrency, scenario.model.kv_cache) == (
        32768,
        4,
        "q8_0",
    )
    assert found.unknown == ["variable OLLAMA_NEW"]
    assert "a prompt" not in found.passed
    with pytest.raises(CannotRead, match="without the name"):
        reading.read("ollama run --verbose")


VERL = (
    "python3 -m verl.trainer.main_ppo algorithm.adv_estimator=grpo data.train_batch_size=1024 data.max_prompt_length=512 "
    "data.max_response_length=1024 actor_rollout_ref.model.path=Qwen/Qwen2-7B-Instruct actor_rollout_ref.model.use_remove_padding=True "
    "actor_rollout_ref.actor.ppo_mini_batch_size=256 trainer.n_gpus_per_node=8 trainer.nnodes=1 actor_rollout_ref.rollout.n=5 "
)


def test_a_micro_batch_of_verl_is_of_its_tokens_where_it_says_them() -> None:
    actor = "actor_rollout_ref.actor."
    dynamic = f"{VERL}{actor}ppo_micro_batch_size_per_gpu=40 {actor}use_dynamic_bsz=True {actor}ppo_max_token_len_per_gpu=12288"
    found, scenario = read(dynamic)
    assert scenario.workload.micro_batch == 12288 // 1536
    assert not any("micro-batch" in one for one in found.assumed)
    found, scenario = read(f"{dynamic} {actor}ulysses_sequence_parallel_size=2")
    assert scenario.workload.micro_batch == 2 * 12288 // 1536
    found, scenario = read(f"{VERL}{actor}ppo_micro_batch_size_per_gpu=40")
    assert scenario.workload.micro_batch == 40
    assert any("40 sequences of 1,536 tokens" in one for one in found.assumed)
    assert not found.unknown
