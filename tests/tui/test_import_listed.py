"""Nothing of a pasted text is lost without a word: each option, key and variable is understood, assumed, passed or not understood."""

from __future__ import annotations

import json
import re

import pytest

from tui.paste import listing, reading

COMMANDS = {
    "vllm in docker": """\
docker run --rm -it --gpus all --shm-size 16g -p 8000:8000 -v ~/.cache/huggingface:/models \\
  -e HF_TOKEN=hf_secret --env VLLM_ATTENTION_BACKEND=FLASHINFER --ulimit memlock=-1 vllm/vllm-openai:v0.11.2 \\
  --model meta-llama/Llama-3.3-70B-Instruct --tensor-parallel-size 4 --max-model-len 32768 --kv-cache-dtype fp8_e4m3 \\
  --enable-auto-tool-choice --tool-call-parser llama3_json --async-scheduling --no-such-option 3
""",
    "llama-server": "LLAMA_ARG_THREADS=8 llama-server -hf ggml-org/gpt-oss-120b-GGUF -c 0 -fa on -ngl 99 --n-cpu-moe 20 --jinja -ub 2048 -b 2048 --no-mmap",
    "sglang": "NCCL_DEBUG=INFO python3 -m sglang.launch_server --model-path deepseek-ai/DeepSeek-R1 --tp 16 --nnodes 2 --node-rank 0 --dist-init-addr 10.0.0.1:5000 --mem-fraction-static 0.9 --trust-remote-code --torch-compile-max-bs 8",
    "trtllm": "trtllm-serve serve openai/gpt-oss-120b --backend pytorch --tp_size 8 --ep_size 8 --max_batch_size 640 --max_num_tokens 8192 --kv_cache_free_gpu_memory_fraction 0.9 --extra_llm_api_options /tmp/extra.yml",
}
DEEPSPEED = {
    "bf16": {"enabled": "auto"},
    "optimizer": {"type": "AdamW", "params": {"lr": "auto"}},
    "scheduler": {"type": "WarmupLR"},
    "zero_optimization": {
        "stage": 3,
        "offload_optimizer": {"device": "cpu", "pin_memory": True},
        "overlap_comm": True,
        "sub_group_size": 1e9,
        "stage3_max_live_parameters": 1e9,
        "zero_quantized_weights": True,
    },
    "gradient_accumulation_steps": "auto",
    "train_batch_size": "auto",
    "train_micro_batch_size_per_gpu": 2,
    "steps_per_print": 2000,
    "aio": {"block_size": 1},
}
AXOLOTL = """\
base_model: NousResearch/Meta-Llama-3.1-8B
load_in_8bit: false
load_in_4bit: true
datasets: [{path: mhenrichsen/alpaca_2k_test, type: alpaca}]
adapter: qlora
sequence_len: 4096
sample_packing: true
lora_r: 32
lora_target_linear: true
gradient_accumulation_steps: 4
micro_batch_size: 2
num_epochs: 4
optimizer: paged_adamw_8bit
gradient_checkpointing: true
liger_fused_linear_cross_entropy: true
loraplus_lr_ratio: 16
fsdp: [full_shard, auto_wrap]
fsdp_config: {fsdp_offload_params: true}
"""
FACTORY = """\
model_name_or_path: Qwen/Qwen2.5-14B-Instruct
stage: sft
do_train: true
finetuning_type: lora
lora_rank: 8
lora_target: all
deepspeed: examples/deepspeed/ds_z3_config.json
dataset: identity
cutoff_len: 2048
per_device_train_batch_size: 1
gradient_accumulation_steps: 8
num_train_epochs: 3.0
flash_attn: fa2
enable_liger_kernel: true
use_badam: true
"""
COMPOSE = """\
services:
  llm:
    image: lmsysorg/sglang:v0.5.4
    restart: always
    network_mode: host
    environment: {HF_TOKEN: secret, SGLANG_USE_AITER: "1", CUDA_VISIBLE_DEVICES: "0,1"}
    entrypoint: python3 -m sglang.launch_server
    command: --model-path Qwen/Qwen3-30B-A3B-Instruct-2507-FP8 --tp 2 --context-length 65536
"""
POD = """\
apiVersion: v1
kind: Pod
spec:
  containers:
    - name: vllm
      image: vllm/vllm-openai:v0.11.0
      command: ["vllm", "serve", "Qwen/Qwen3-8B", "--max-model-len", "8192"]
      env: [{name: HF_TOKEN, value: secret}, {name: VLLM_USE_V1, value: "1"}]
      resources: {limits: {nvidia.com/gpu: "1"}}
"""


def told(text: str) -> str:
    found = reading.read(text)
    reading.scenario_of(found, {})
    found.passed = list(dict.fromkeys(found.passed))
    rows = listing.lines_of(found)
    listing_all = "\n".join([*rows, *found.passed])
    assert "secret" not in listing_all, "values of variables are nobody's business"
    return listing_all


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_of_a_command_is_listed(name: str) -> None:
    text = told(COMMANDS[name]).replace("_", "-")
    for flag in re.findall(r"(?<=\s)--?[a-z][\w-]*", COMMANDS[name].replace("\\\n", " ")):
        plain = flag.replace("_", "-")
        # a flag and its long name are one; what names the model is told as the model
        known = {
            "-c": "--ctx-size",
            "--model": "model ",
            "--model-path": "model ",
            "-hf": "model ",
            "--env": "variable",
        }
        known |= {
            "--extra_llm_api_options": "the options file",
            "-e": "variable",
            "--gpus": "docker",
            "-it": "docker -it",
        }
        assert known.get(flag, plain) in text, flag


def keys_of(document: object) -> list[str]:
    return list(document) if isinstance(document, dict) else []


def test_each_key_of_deepspeed_is_listed() -> None:
    text = told(json.dumps(DEEPSPEED))
    for key in (*keys_of(DEEPSPEED), *keys_of(DEEPSPEED["zero_optimization"])):
        word = {"offload_optimizer": "offload of the optimizer"}.get(key, key)
        assert word in text, key
    found = reading.read(json.dumps(DEEPSPEED))
    assert found.unknown == ["zero_optimization.zero_quantized_weights", "aio"]
    assert any(one.startswith("train_batch_size: auto") for one in found.assumed)


@pytest.mark.parametrize("text", [AXOLOTL, FACTORY], ids=["axolotl", "llamafactory"])
def test_each_key_of_a_trainer_is_listed(text: str) -> None:
    listed = told(text)
    for key in re.findall(r"^(\w+):", text, re.M):
        word = {"base_model": "model ", "model_name_or_path": "model ", "load_in_8bit": "load_in_4bit"}.get(key, key)
        word = {"num_epochs": "4 epochs", "num_train_epochs": "3.0 epochs", "stage": "finetuning_type: lora"}.get(
            key, word
        )
        assert word in listed, key


def test_shards_are_told_in_the_words_of_the_file() -> None:
    found = reading.read(AXOLOTL)
    said = {one.key: one.words for one in found.understood}
    assert said["workload.sharding"] == "fsdp: ['full_shard', 'auto_wrap']"
    assert found.value("workload.loss") == "fused"
    assert found.unknown == ["loraplus_lr_ratio"]
    part = reading.read(AXOLOTL.replace("full_shard", "shard_grad_op"))
    assert part.value("workload.sharding") == "zero2"


def test_services_and_pods_list_their_keys_and_variables() -> None:
    listed = told(COMPOSE)
    for word in ("service restart", "service network_mode", "variable HF_TOKEN", "variable SGLANG_USE_AITER"):
        assert word in listed
    assert reading.read(COMPOSE).unknown == ["variable SGLANG_USE_AITER"]
    assert reading.read(COMPOSE).gpus == 2
    assert reading.read(POD).unknown == ["variable VLLM_USE_V1"]
    assert "variable HF_TOKEN" in told(POD)


def test_gpt_oss_in_gguf_is_in_its_own_format() -> None:
    found = reading.read(COMMANDS["llama-server"])
    assert reading.scenario_of(found, {}).model.weights == "gguf-mxfp4"
