"""What `sizeup export` writes: it parses, names only what its tool knows, and says the figures that were sized."""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import catalog
from engine.decide.size import size
from engine.figures.sentences import text_of
from engine.model.formats import FORMATS
from engine.scenario import LayoutChoice, Runtime
from engine.sizing import Sizing
from engine.training.batch import batch_of
from tests.engine.builds import build
from tests.tui import exported
from tests.tui.driver import app_of, running
from tui.files import session
from tui.shell.exports import TARGETS, CannotExport, Target, export, fitting, kind_of

BUILDS = Path(__file__).parent.parent / "golden" / "builds"
NAMES = sorted(path.stem for path in BUILDS.glob("*.toml"))
ENGINES: dict[Target, str] = {"vllm": "vllm", "sglang": "sglang", "llama-server": "llama.cpp", "trtllm-serve": "trtllm"}


def sized(**fields: Any) -> Sizing:
    """A sizing from build fields."""
    return size(build(**fields))


@functools.cache
def golden(name: str) -> Sizing:
    return size(session.load(BUILDS / f"{name}.toml"))


def as_engine(sizing: Sizing, target: Target) -> Sizing:
    """The sizing that a target's figures are of."""
    engines = kind_of(target).engines
    scenario = sizing.scenario
    if not engines or not scenario.workload.is_inference or scenario.runtime.engine in engines:
        return sizing
    return size(replace(scenario, runtime=replace(scenario.runtime, engine=engines[0])))


OTHER_RUNS: dict[str, dict[str, Any]] = {
    "GRPO by adapters": {"kind": "grpo", "tuning": "lora", "lora_rank": 32, "group_size": 16, "rollout_share": 0.4, "response_tokens": 3000},
    "GRPO in full": {"kind": "grpo", "group_size": 4, "offload": "optimizer"},
    "PPO": {"kind": "ppo", "sharding": "zero3", "response_tokens": 1000},
    "DPO": {"kind": "dpo", "tuning": "qlora", "lora_targets": "attention"},
    "IPO": {"kind": "dpo", "preference": "ipo"},
    "a reward model": {"kind": "reward", "sharding": "zero2"},
    "LoRA": {"kind": "lora", "lora_targets": "attention-qv", "packing": False, "recompute": "none"},
    "QLoRA": {"kind": "qlora", "sharding": "ddp", "lora_rank": 64},
    "in full, one sequence over four": {"kind": "full-finetune", "context_parallel": 4, "sequence_length": 32768},
    "in full, in its node": {"kind": "full-finetune", "sharding_group": "node", "activation_offload": True},
}  # fmt: skip
"""Runs by preferences and rewards beside the golden ones, of an 8B over two nodes."""


@functools.cache
def other_run(name: str) -> Sizing:
    return sized(
        model="llama-3.1-8b", weights="bf16", accelerator="h100-sxm", gpus_per_node=8, nodes=2, **OTHER_RUNS[name]
    )


EVERY = [(name, target) for name in NAMES for target in fitting(golden(name))]


# --- every golden build on every target that takes it -------------------------------------------------------------


@pytest.mark.parametrize(("name", "target"), EVERY, ids=lambda part: part)
def test_every_target_writes_what_its_reader_reads(name: str, target: Target) -> None:
    text = export(golden(name), target)
    ending = kind_of(target).ending
    assert text.endswith("\n")
    if ending == "sh":
        for command in filter(None, map(exported.starts, exported.commands(text))):
            tool, words = command
            if tool in ("openrlhf", "torchtune", "verl"):  # held in tests/tui/test_export_schemas.py
                continue
            if tool == "torchrun":
                inner, words, after = exported.of_script(words)
                if inner == "megatron":
                    assert not {word for word in after if word.startswith("--")} - set(exported.FLAGS[inner]["flags"])
            unknown = {word for word in words if word.startswith("--")} - set(exported.FLAGS[tool]["flags"])
            assert not unknown
    elif ending == "json":
        json.loads(text)
    elif ending == "toml":
        tomllib.loads(text)
    else:
        for document in exported.documents(text):
            assert isinstance(document, dict)
            if document.get("kind"):
                exported.fits(document, exported.SCHEMA[document["kind"]], document["kind"])


def test_every_script_is_one_for_bash() -> None:
    bash = shutil.which("bash")
    assert bash
    for name, target in EVERY:
        if kind_of(target).ending == "sh":
            text = export(golden(name), target)
            done = subprocess.run([bash, "-n"], input=text, text=True, capture_output=True, timeout=20, check=False)
            assert (done.returncode, done.stderr) == (0, ""), (name, target)


@pytest.mark.parametrize(("name", "target"), [pair for pair in EVERY if pair[1] in ENGINES], ids=lambda part: part)
def test_a_command_says_what_the_report_says(name: str, target: Target) -> None:
    sizing = as_engine(golden(name), target)
    layout, filled, work = sizing.layout, sizing.resolved, sizing.scenario.workload
    (said,) = exported.of_tool(export(golden(name), target), target)
    longest = filled.max_model_len or work.tokens_per_request
    across = layout.tp * layout.dp if layout.dp_attention else layout.tp
    if target == "vllm":
        assert int(said["--tensor-parallel-size"]) == layout.tp
        assert int(said.get("--pipeline-parallel-size", 1)) == layout.pp
        assert ("--enable-expert-parallel" in said) == (layout.ep > 1)
        assert int(said["--max-model-len"]) == longest
        assert int(said["--max-num-seqs"]) == filled.max_num_seqs
        assert int(said["--max-num-batched-tokens"]) == filled.max_num_batched_tokens
        assert float(said["--gpu-memory-utilization"]) == pytest.approx(filled.memory_utilization)
        assert (said.get("--kv-cache-dtype") == "fp8") == (sizing.scenario.model.kv_cache == "fp8")
    elif target == "sglang":
        assert int(said["--tp-size"]) == across
        assert int(said.get("--pp-size", 1)) == layout.pp
        assert int(said["--context-length"]) == longest
        assert float(said["--mem-fraction-static"]) == pytest.approx(filled.memory_utilization)
        assert int(said["--chunked-prefill-size"]) == filled.max_num_batched_tokens
    elif target == "trtllm-serve":
        assert int(said["--tp_size"]) == across
        assert int(said["--max_seq_len"]) == longest
        assert int(said["--max_num_tokens"]) == filled.max_num_batched_tokens
    else:
        assert int(said["--ctx-size"]) == int(said["--parallel"]) * longest
        assert int(said["--parallel"]) * layout.dp >= work.concurrency


SAYS: dict[str, dict[str, str]] = {
    "megatron": {"batch": "--global-batch-size", "micro": "--micro-batch-size", "length": "--seq-length",
                 "tp": "--tensor-model-parallel-size", "steps": "--train-iters"},
    "nemo": {"batch": "train.global_batch_size", "micro": "train.micro_batch_size", "length": "dataset.seq_length",
             "tp": "model.tensor_model_parallel_size", "steps": "train.train_iters"},
    "openrlhf": {"batch": "--train.batch_size", "micro": "--train.micro_batch_size", "length": "--data.max_len",
                 "stage": "--ds.zero_stage"},
    "torchtune": {"micro": "batch_size", "accumulation": "gradient_accumulation_steps", "length": "tokenizer.max_seq_len"},
}  # fmt: skip
"""By which words a command says the batch."""


@pytest.mark.parametrize("name", [name for name in NAMES if not golden(name).scenario.workload.is_inference])
def test_a_training_file_says_the_batch_that_was_sized(name: str) -> None:
    sizing = golden(name)
    work, batch = sizing.scenario.workload, batch_of(sizing.scenario.workload, sizing.layout.dp)
    samples = work.micro_batch * batch.micro_batches * batch.replicas
    assert sizing.training is not None
    assert samples * work.sample_sequences * work.sequence_length == sizing.training.step_tokens
    for target in fitting(sizing):
        text = export(sizing, target)
        if target == "deepspeed":
            read = json.loads(text)
            assert read["train_batch_size"] == samples
            assert read["train_micro_batch_size_per_gpu"] == work.micro_batch
            assert read["gradient_accumulation_steps"] == batch.micro_batches
            assert read["zero_optimization"]["stage"] == ("ddp", "zero1", "zero2", "zero3").index(work.sharding)
        elif target == "torchtitan":
            read = tomllib.loads(text)
            degrees = [value for key, value in read["parallelism"].items() if key.endswith("_degree")]
            assert read["training"]["global_batch_size"] == samples
            assert read["training"]["seq_len"] == work.sequence_length
            product = 1
            for degree, key in zip(degrees, [k for k in read["parallelism"] if k.endswith("_degree")], strict=True):
                product *= 1 if key.startswith("expert") else degree
            assert product == sizing.layout.gpus
        elif target in SAYS:
            stage = ("ddp", "zero1", "zero2", "zero3").index(work.sharding)
            meant = {
                "batch": samples,
                "micro": work.micro_batch,
                "length": work.sequence_length,
                "tp": sizing.layout.tp,
            }
            meant |= {"steps": -(-work.run_tokens // batch.tokens), "stage": stage, "accumulation": batch.micro_batches}
            said_here = exported.settings(text)
            assert {name: int(str(said_here[key])) for name, key in SAYS[target].items()} == {
                one: meant[one] for one in SAYS[target]
            }
        elif target == "verl":
            here = exported.settings(text)
            groups = int(str(here["data.train_batch_size"])) * int(str(here["actor_rollout_ref.rollout.n"]))
            assert samples <= groups < samples + work.group_size
            lengths = (here["data.max_prompt_length"], here["data.max_response_length"])
            assert sum(int(str(one)) for one in lengths) == work.sequence_length
        elif target == "unsloth":
            (read,) = exported.documents(text)
            run = read["training"]
            expected = (work.micro_batch, batch.micro_batches, work.sequence_length)
            assert (run["batch_size"], run["gradient_accumulation_steps"], run["max_seq_length"]) == expected
        elif target == "trl":
            (read,) = exported.documents(text)
            assert read["per_device_train_batch_size"] == work.micro_batch
            assert read["gradient_accumulation_steps"] == batch.micro_batches
            assert read.get("max_length", read.get("vllm_max_model_length")) == work.sequence_length
        elif target == "torchrun":
            (said,) = exported.of_tool(text, "torchrun")
            assert int(said["--gradient-accumulation"]) == batch.micro_batches
            assert int(said["--tensor-parallel"]) == sizing.layout.tp
            assert int(said["--nnodes"]) * int(said["--nproc-per-node"]) == sizing.scenario.hardware.gpus
        elif target in ("axolotl", "llamafactory"):
            (read,) = exported.documents(text)
            assert read.get("sequence_len", read.get("cutoff_len")) == work.sequence_length
            assert read["gradient_accumulation_steps"] == batch.micro_batches
            assert read.get("micro_batch_size", read.get("per_device_train_batch_size")) == work.micro_batch
            assert (read.get("lora_r", read.get("lora_rank")) == work.lora_rank) == (work.trains in ("lora", "qlora"))
            assert read.get("adapter", work.trains) == work.trains
            kinds = {"pretrain": "pt", "dpo": "dpo", "grpo": "grpo", "reward": "rm"}
            said = read.get("stage", read.get("rl", kinds.get(work.kind, "sft")))
            assert said == kinds.get(work.kind, "sft")
        elif target == "accelerate":
            (read,) = exported.documents(text)
            assert read["num_processes"] == sizing.scenario.hardware.gpus


# --- serving ------------------------------------------------------------------------------------------------------


def test_vllm_gets_the_layout_and_the_load() -> None:
    sizing = sized(concurrency=32)
    text = export(sizing, "vllm", "meta-llama/Llama-3.1-70B-Instruct")
    assert ("--data-parallel-size" in text) == (sizing.layout.dp > 1)
    assert "--max-model-len 8000" in text
    assert "--quantization fp8" in text
    assert text_of(sizing.verdict.headline) in text
    assert not text.rstrip().endswith("\\")


def test_a_replica_over_two_nodes_starts_ray_in_the_environment_it_needs() -> None:
    sizing = sized(model="deepseek-v3", accelerator="h100-sxm", nodes=2, layout=LayoutChoice(8, 2, 1))
    text = export(sizing, "vllm", "deepseek-ai/DeepSeek-V3")
    assert "--pipeline-parallel-size 2" in text
    assert text.index("export NCCL_IB_DISABLE=0") < text.index("ray start --head") < text.index("vllm serve")
    assert "--quantization" not in text, "the checkpoint is FP8 itself"


def test_replicas_on_other_nodes_are_servers_of_their_own() -> None:
    sizing = sized(accelerator="h100-sxm", nodes=2, layout=LayoutChoice(4, 1, 4))
    vllm, lws = export(sizing, "vllm", "x/y"), export(sizing, "lws", "x/y")
    assert "2 servers of this, each on its own node" in vllm
    assert "--data-parallel-size 2 " in vllm
    assert "ray start" not in vllm
    assert "  replicas: 2\n" in lws
    assert '"--data-parallel-size", "2", ' in lws
    assert 'nvidia.com/gpu: "8"' in lws
    assert "  replicas: 2\n" in export(sizing, "k8s", "x/y")


def test_attention_replicas_over_nodes_share_one_server() -> None:
    layout = LayoutChoice(1, 1, 16, 16, dp_attention=True)
    sizing = sized(model="deepseek-v3", accelerator="h100-sxm", nodes=2, layout=layout)
    for target in ("vllm", "lws"):
        text = export(sizing, target, "deepseek-ai/DeepSeek-V3")
        text = text.replace('", "', " ")
        for flag in ("--data-parallel-size 16", "--data-parallel-size-local 8", "--data-parallel-backend ray"):
            assert flag in text, target
        assert "--distributed-executor-backend" not in text
    (said,) = exported.of_tool(export(sizing, "slurm", "deepseek-ai/DeepSeek-V3"), "vllm")
    assert said["--data-parallel-size"] == "16"
    assert {"--data-parallel-start-rank", "--data-parallel-address"} <= set(said)
    assert "--data-parallel-backend" not in said
    with pytest.raises(CannotExport, match="data-parallel attention"):
        export(sizing, "ray", "x/y")


def test_a_group_of_nodes_calls_the_script_that_the_image_holds() -> None:
    sizing = sized(model="deepseek-v3", accelerator="h100-sxm", nodes=4, layout=LayoutChoice(8, 2, 2))
    text = export(sizing, "lws", "deepseek-ai/DeepSeek-V3")
    group, service = exported.documents(text)
    spec = group["spec"]
    assert (spec["replicas"], spec["leaderWorkerTemplate"]["size"]) == (2, 2)
    leader = spec["leaderWorkerTemplate"]["leaderTemplate"]["spec"]
    command = leader["containers"][0]["command"]
    assert "/vllm-workspace/examples/ray_serving/multi-node-serving.sh leader" in command[2]
    assert "online_serving" not in text
    assert command[4:7] == ["vllm", "serve", "deepseek-ai/DeepSeek-V3"]
    names = {entry["name"] for entry in leader["containers"][0]["env"]}
    assert ("NCCL_SOCKET_IFNAME" in names) == leader["hostNetwork"]
    assert service["spec"]["selector"]["app"] == group["metadata"]["name"]


def test_a_pod_without_the_hosts_network_names_no_interface() -> None:
    sizing = sized(model="deepseek-v3", accelerator="h100-sxm", nodes=2, layout=LayoutChoice(8, 2, 1))
    tcp = next(link for link in catalog.load().facts.links if link.family == "tcp" and link.scope == "inter-node")
    sizing = size(replace(sizing.scenario, hardware=replace(sizing.scenario.hardware, inter_link=tcp)))
    text = export(sizing, "lws", "x/y")
    assert "NCCL_SOCKET_IFNAME" not in text
    assert "hostNetwork" not in text


@pytest.mark.parametrize(
    ("card", "resource", "image"),
    [
        ("h100-sxm", "nvidia.com/gpu", "vllm/vllm-openai:v"),
        ("mi300x", "amd.com/gpu", "vllm/vllm-openai-rocm:v"),
        ("gaudi-3", "habana.ai/gaudi", "vllm-gaudi"),
        ("arc-pro-b60", "gpu.intel.com/xe", "intel/vllm:"),
    ],
)
def test_each_makers_cards_get_their_own_resource_and_image(card: str, resource: str, image: str) -> None:
    sizing = sized(model="llama-3.1-8b", weights="bf16", accelerator=card)
    for target in ("k8s", "lws"):
        text = export(sizing, target, "x/y")
        assert f'{resource}: "' in text
        assert image in text
        assert resource == "nvidia.com/gpu" or "nvidia.com" not in text
    assert ("driver: nvidia" in export(sizing, "compose", "x/y")) == (card == "h100-sxm")
    assert ("nim" in fitting(sizing)) == (card == "h100-sxm")
    if card != "h100-sxm":
        with pytest.raises(CannotExport, match="nim does not run on"):
            export(sizing, "nim", "x/y")


@pytest.mark.parametrize("card", ["apple-m3-ultra", "tpu-v6e"])
@pytest.mark.parametrize("target", ["vllm", "nim", "lws", "compose"])
def test_macs_and_tpus_get_no_server_that_does_not_run_there(card: str, target: Target) -> None:
    sizing = sized(model="llama-3.1-8b", weights="bf16", accelerator=card, gpus_per_node=1)
    with pytest.raises(CannotExport, match="does not run on"):
        export(sizing, target, "x/y")
    assert fitting(sizing) == (("llama-server", "mlx") if card.startswith("apple") else ())


def test_nim_is_of_this_time_and_each_replica_has_cards_and_port_of_its_own() -> None:
    text = export(sized(accelerator="h100-sxm", layout=LayoutChoice(4, 1, 2)), "nim", "meta-llama/Llama-3.1-70B")
    assert "device=0,1,2,3" in text
    assert "device=4,5,6,7" in text
    assert "NIM_SERVER_PORT=8001" in text
    assert text.count("nvcr.io/nim/meta/llama-3.1-70b-instruct:latest") == 2
    assert not re.search(r"-e NIM_(TENSOR|PIPELINE|NUM_COMPUTE|MULTI_NODE|LEADER)", text)
    assert "--quantization" not in text, "the image brings its weights"
    two = sized(model="deepseek-r1", accelerator="h100-sxm", nodes=2, layout=LayoutChoice(8, 2, 1))
    with pytest.raises(CannotExport, match="Helm chart"):
        export(two, "nim", "deepseek-ai/DeepSeek-R1")


@pytest.mark.parametrize("weights", [key for key, found in FORMATS.items() if found.is_quantized])
@pytest.mark.parametrize("target", ["vllm", "sglang", "k8s", "ray"])
def test_no_16_bit_repository_is_served_for_fewer_bits_but_those_made_on_load(weights: str, target: Target) -> None:
    sizing = sized(model="llama-3.1-70b", weights=weights, accelerator="h100-sxm", concurrency=4)
    if weights.startswith("gguf"):
        with pytest.raises(CannotExport, match="does not read weights"):
            export(sizing, target)
        return
    text = export(sizing, target)
    body = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    on_load = weights in ("fp8", "nf4")
    served = re.search(
        r"meta-llama/Llama-3\.1-70B[\w-]*", body.replace("model_id: meta-llama/Llama-3.1-70B-Instruct", "")
    )
    assert bool(served) == on_load
    assert ("quantization" in body) == on_load
    if not on_load and "_CHECKPOINT" in body:
        assert "put a repository that holds meta-llama/Llama-3.1-70B-Instruct" in text


def test_chat_serves_the_model_that_was_taught_to_and_a_batch_the_base() -> None:
    assert "vllm serve meta-llama/Llama-3.1-8B-Instruct " in export(sized(model="llama-3.1-8b", weights="bf16"), "vllm")
    batch = export(sized(model="llama-3.1-8b", weights="bf16", kind="batch"), "vllm")
    assert "vllm serve meta-llama/Llama-3.1-8B " in batch
    text = export(sized(model="opt-66b", weights="bf16", input_tokens=900), "vllm")
    assert "vllm serve facebook/opt-66b " in text
    assert "only completes text" in text


def test_a_folder_with_weights_is_served_by_its_path_and_one_without_by_a_word_to_replace(tmp_path: Path) -> None:
    folder = tmp_path / "my awq"
    folder.mkdir()
    config = folder / "config.json"
    shutil.copy(catalog.load().model("llama-3.1-8b").config, config)
    document = f'schema = 1\n[model]\nconfig = "{config}"\nweights = "bf16"\n[hardware]\naccelerator = "l40s"\n'
    path = tmp_path / "own.toml"
    path.write_text(document)
    sizing = size(session.load(path))
    assert "vllm serve YOUR_MODEL " in export(sizing, "vllm")
    (folder / "model.safetensors").write_bytes(b"")
    assert f"vllm serve '{folder}' " in export(sizing, "vllm")


def test_a_figure_that_a_target_cannot_say_stands_on_top() -> None:
    sizing = sized(model="llama-3.1-8b", weights="bf16")
    model = replace(sizing.scenario.model, kv_cache="int8")
    text = export(size(replace(sizing.scenario, model=model)), "vllm", "x/y")
    assert "# note: not expressible: a KV cache in int8" in text
    assert "--kv-cache-dtype" not in text


def test_a_build_sized_for_another_engine_is_sized_anew_and_says_so() -> None:
    sizing = sized(model="llama-3.1-8b", weights="bf16")
    assert "sized anew for sglang; the session's own figures are of vllm" in export(sizing, "sglang", "x/y")
    own = size(replace(sizing.scenario, runtime=Runtime(engine="sglang")))
    assert "sized anew" not in export(own, "sglang", "x/y")


def test_cards_without_peer_access_disable_it_after_a_look_at_the_host() -> None:
    text = export(sized(accelerator="rtx-5090"), "nccl", "")
    assert text.index("nvidia-smi topo -m") < text.index("export NCCL_P2P_DISABLE=1")
    assert "NCCL_P2P_DISABLE" not in export(sized(accelerator="h100-sxm"), "nccl", "")
    assert "rocm-smi --showtopo" in export(sized(accelerator="mi300x"), "nccl", "")


# --- training -----------------------------------------------------------------------------------------------------


def test_torchrun_says_all_that_was_sized_in_options() -> None:
    sizing = sized(kind="full-finetune", weights="bf16", nodes=2, micro_batch=1, global_batch_tokens=524288)
    text = export(sizing, "torchrun", "meta-llama/Llama-3.1-70B")
    (said,) = exported.of_tool(text, "torchrun")
    assert (said["--nnodes"], said["--nproc-per-node"]) == ("2", "8")
    per_step = 4096 * sizing.layout.dp
    assert int(said["--gradient-accumulation"]) == round(524288 / per_step)
    work = sizing.scenario.workload
    assert (said["--optimizer"], said["--recompute"], said["--sharding"]) == (
        work.optimizer,
        work.recompute,
        work.sharding,
    )


@pytest.mark.parametrize("target", [target for target in TARGETS if kind_of(target).does != "both"])
def test_a_target_of_the_other_kind_says_what_can(target: Target) -> None:
    trains = kind_of(target).does == "trains"
    sizing = sized(model="llama-3.1-8b", kind="serve" if trains else "lora", weights="bf16", accelerator="h100-sxm")
    with pytest.raises(CannotExport, match="use ") as refused:
        export(sizing, target, "x/y")
    named = str(refused.value).partition("use ")[2].split(", ")
    assert set(named) >= set(fitting(sizing)) - {target}
    assert set(named) <= set(TARGETS)
    assert all(kind_of(other).does != kind_of(target).does for other in TARGETS if other in named)


@pytest.mark.parametrize(
    "target", ["accelerate", "deepspeed", "axolotl", "llamafactory", "trl", "unsloth", "openrlhf", "torchtune"]
)
def test_a_trainer_without_stages_refuses_a_pipeline(target: Target) -> None:
    sizing = golden("pretrain-70b-interleaved-fp8")
    assert sizing.layout.pp > 1
    with pytest.raises(CannotExport, match="pipeline stages"):
        export(sizing, target)


@pytest.mark.parametrize("name", ["-rf", "a\nb", "模型"])
def test_a_name_that_no_repository_has_is_refused(name: str) -> None:
    with pytest.raises(CannotExport, match="is no name of a repository"):
        export(sized(), "vllm", name)


def test_every_model_of_the_catalog_has_a_name_to_serve() -> None:
    assert [entry.id for entry in catalog.load().models if not entry.hf_id] == []


# --- from the app -------------------------------------------------------------------------------------------------


async def test_the_app_lists_what_fits_shows_it_and_writes_it(tmp_path: Path) -> None:
    scenario = golden("serve-70b-fp8-8x-rtxpro6000").scenario
    target = tmp_path / "run.sh"
    async with running(app_of(scenario)) as app:
        await app.press("ctrl+e", *"vllm", "enter")
        listed = app.text()
        assert "k8s" in listed
        assert "torchtitan" not in listed
        await app.press(*"vllm", "enter")
        assert "vllm serve meta-llama/Llama-3.1-70B-Instruct" in app.text()
        await app.press("t", "w", "ctrl+u")
        await app.type(str(target))
        await app.press("enter")
        assert "Wrote" in app.text("#footer")
    assert target.read_text(encoding="utf-8") == export(size(scenario), "vllm")


# --- preferences, rewards, frameworks -----------------------------------------------------------------------------


def tuned(kind: str, target: Target, **fields: Any) -> dict[str, Any]:
    """The file of a run by preferences or rewards of an 8B on eight cards, as its reader reads it."""
    made: dict[str, Any]
    (made,) = exported.documents(export(sized(**_tuned(kind, **fields)), target))
    return made


def _tuned(kind: str, **fields: Any) -> dict[str, Any]:
    build = {"model": "qwen3-8b", "weights": "bf16", "accelerator": "h100-sxm", "kind": kind}
    return build | {"framework": "axolotl", "gpus_per_node": 8} | fields


def test_grpo_starts_with_the_groups_answers_and_engine_that_were_sized() -> None:
    made = tuned("grpo", "axolotl", group_size=16, response_tokens=3000, rollout_share=0.4)
    assert made["rl"] == "grpo"
    assert made["trl"] == {
        "num_generations": 16,
        "max_completion_length": 3000,
        "use_vllm": True,
        "vllm_mode": "colocate",
    }
    assert made["vllm"] == {"gpu_memory_utilization": 0.4}
    apart = tuned("grpo", "axolotl", rollout="apart")
    assert apart["trl"]["vllm_mode"] == "server"
    assert "vllm" not in apart


@pytest.mark.parametrize("kind", ["dpo", "grpo"])
def test_axolotl_packs_no_samples_under_rl_and_says_so(kind: str) -> None:
    text = export(sized(**_tuned(kind)), "axolotl")
    (made,) = exported.documents(text)
    assert (made["sample_packing"], made["pad_to_sequence_len"]) == (False, False)
    assert "Axolotl packs no samples under rl" in text
    assert tuned("lora", "axolotl")["sample_packing"] is True


def test_kto_keeps_the_columns_that_it_reads() -> None:
    made = tuned("dpo", "axolotl", preference="kto")
    assert (made["rl"], made["remove_unused_columns"]) == ("kto", False)


YOURS = "its reward and engine are yours to add"


@pytest.mark.parametrize(
    ("kind", "target", "starts"),
    [
        ("dpo", "axolotl", True),
        ("grpo", "axolotl", True),
        ("reward", "axolotl", True),
        ("dpo", "llamafactory", True),
        ("ppo", "llamafactory", True),
        ("dpo", "accelerate", False),
        ("grpo", "deepspeed", False),
        ("ppo", "torchtitan", False),
    ],
)
def test_a_file_that_starts_the_kind_does_not_say_that_it_does_not(kind: str, target: Target, starts: bool) -> None:
    assert (YOURS not in export(sized(**_tuned(kind)), target)) == starts


def test_torchrun_names_what_a_rollout_was_sized_with() -> None:
    text = export(sized(**_tuned("grpo", group_size=4, response_tokens=512, tuning="lora")), "torchrun")
    for words in (
        "--group-size 4",
        "--response-tokens 512",
        "--rollout colocated",
        "--rollout-share 0.5",
        "--learns lora",
    ):
        assert words in text
    assert "--preference-loss simpo" in export(sized(**_tuned("dpo", preference="simpo")), "torchrun")


@pytest.mark.parametrize(
    ("framework", "target", "told"),
    [
        ("megatron", "axolotl", "axolotl"),
        ("deepspeed", "torchtitan", "torchtitan"),
        ("hf-trainer", "deepspeed", "deepspeed"),
        ("verl", "llamafactory", "llama-factory"),
        ("hf-trainer", "accelerate", ""),
        ("fsdp2", "accelerate", ""),
        ("fsdp2", "axolotl", ""),
        ("openrlhf", "deepspeed", ""),
        ("torchtitan", "torchtitan", ""),
        ("megatron", "torchrun", ""),
    ],
)
def test_figures_of_another_framework_are_told_on_top(framework: str, target: Target, told: str) -> None:
    layout = LayoutChoice(tp=1, pp=1, dp=8, ep=1)
    text = export(sized(**_tuned("full-finetune", framework=framework, layout=layout)), target)
    assert (f"with workload.framework = {told} it is sized as this runs" in text) == bool(told)


@pytest.mark.parametrize(("card", "named"), [("h100-sxm", "bfloat16"), ("v100-sxm2-32gb", "float16")])
def test_trl_loads_weights_in_the_16_bits_that_were_sized(card: str, named: str) -> None:
    for kind in ("lora", "dpo", "qlora"):
        assert tuned(kind, "trl", framework="trl", accelerator=card)["dtype"] == named


SPLITS: dict[Target, str] = {
    "verl": "actor_rollout_ref.rollout.tensor_model_parallel_size",
    "openrlhf": "--vllm.tensor_parallel_size",
    "trl": "vllm_tensor_parallel_size",
}


@pytest.mark.parametrize("target", SPLITS)
def test_the_engine_that_answers_is_split_over_the_fewest_cards_that_hold_it(target: Target) -> None:
    def split(**fields: Any) -> int:
        gpus = fields.get("gpus_per_node", 8)
        text = export(sized(**_tuned("grpo", layout=LayoutChoice(tp=1, pp=1, dp=gpus, ep=1), **fields)), target)
        read = exported.documents(text)[0] if target == "trl" else exported.settings(text)
        if target == "openrlhf":
            assert int(str(read["--vllm.num_engines"])) * int(str(read[SPLITS[target]])) == gpus
        return int(str(read[SPLITS[target]]))

    assert split() == split(gpus_per_node=1, tuning="lora") == 1
    large = split(model="qwen3-32b", rollout_share=0.5)
    assert large == 2, "61 GiB of weights in 0.8 of half of a card of 80"
    assert split(model="qwen3-32b", rollout_share=0.2) > large


def test_megatron_is_told_what_it_asserts() -> None:
    sharded = exported.settings(export(sized(**_tuned("pretrain", framework="megatron", sharding="zero3")), "megatron"))
    assert sharded["--ckpt-format"] == "fsdp_dtensor"
    assert float(str(sharded["--lr"])) >= float(str(sharded["--min-lr"])) > 0
    assert (sharded["--attention-dropout"], sharded["--hidden-dropout"]) == ("0.0", "0.0")
    layout = LayoutChoice(tp=2, pp=1, dp=4, ep=1)
    for sharding, split in (("zero1", True), ("zero3", True), ("zero1", False)):
        choice = layout if split else LayoutChoice(tp=1, pp=1, dp=8, ep=1)
        text = export(sized(**_tuned("pretrain", framework="megatron", sharding=sharding, layout=choice)), "megatron")
        assert ("--ckpt-format" in text) == (sharding == "zero3")
        # asserted of TP and CP on cards before Blackwell, and refused under its FSDP
        assert ("export CUDA_DEVICE_MAX_CONNECTIONS=1\n" in text) == (split and sharding == "zero1")


@pytest.mark.parametrize(("kind", "starts"), [("lora", True), ("full-finetune", True), ("pretrain", False)])
def test_nemo_starts_from_converted_weights_where_it_tunes(kind: str, starts: bool) -> None:
    text = export(sized(**_tuned(kind, framework="nemo", sharding="zero3")), "nemo")
    read = exported.settings(text)
    assert read["checkpoint.ckpt_format"] == "fsdp_dtensor"
    assert ("checkpoint.pretrained_checkpoint" in read) == ("AutoBridge.import_ckpt" in text) == starts


def test_the_refusal_of_nemo_names_the_program_that_is_offered() -> None:
    sizing = sized(**_tuned("dpo", framework="nemo"))
    with pytest.raises(CannotExport, match="NeMo RL"):
        export(sizing, "nemo")


def test_llama_server_gets_the_file_of_a_model_in_mxfp4() -> None:
    sizing = sized(model="gpt-oss-20b", weights="mxfp4", accelerator="rtx-4090", gpus_per_node=1, concurrency=2)
    text = export(sizing, "llama-server")
    assert "--model YOUR_MODEL-MXFP4.gguf " in text
    assert "ggml-org/gpt-oss-20b-GGUF" in text


def test_torchtune_compares_with_the_base_that_it_starts_from() -> None:
    build = _tuned("dpo", model="llama-3.1-8b", framework="torchtune")
    full = exported.settings(export(sized(**build), "torchtune"))
    assert full["ref_checkpointer.checkpoint_dir"] == full["checkpointer.checkpoint_dir"]
    adapters = exported.settings(export(sized(**build, tuning="lora"), "torchtune"))
    assert "ref_checkpointer.checkpoint_dir" not in adapters


def test_one_gpu_shares_with_nobody_and_unsloth_takes_it() -> None:
    alone = {"model": "llama-3.1-8b", "sharding": "zero3", "framework": "fsdp2", "gpus_per_node": 1}
    (read,) = exported.documents(export(sized(**_tuned("qlora", **alone)), "unsloth"))
    assert read["training"]["load_in_4bit"] is True
    with pytest.raises(CannotExport, match="copies the model to each GPU"):
        export(sized(**_tuned("qlora", **alone | {"gpus_per_node": 2})), "unsloth")


def test_mlx_is_told_what_its_server_takes_and_refuses_the_rest() -> None:
    mac = {"model": "llama-3.1-8b", "accelerator": "apple-m3-ultra", "gpus_per_node": 1}
    text = export(sized(**mac, weights="mlx-4bit"), "mlx")
    words = next(words for words in exported.commands(text) if words[0] == "mlx_lm.server")
    said = exported.options(words)
    assert said.keys() <= set(exported.FLAGS["mlx"]["flags"])
    assert said["--max-tokens"] == str(sized(**mac, weights="mlx-4bit").scenario.workload.answer_tokens)
    with pytest.raises(CannotExport, match="does not read weights in gguf"):
        export(sized(**mac, weights="gguf-q4_k_m"), "mlx")
    with pytest.raises(CannotExport, match="embeddings"):
        export(sized(**mac | {"model": "bge-m3"}, weights="fp16", kind="embed"), "mlx")
