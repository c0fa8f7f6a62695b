"""A configuration of TRL's command line, YAML (`trl sft --config this.yaml`). Source: its configurations' documentation."""

from __future__ import annotations

from typing import Any

from engine.scenario import Kind
from engine.scenario.frameworks import loss_of
from tui.shell.exports import training
from tui.shell.exports.build import Build
from tui.shell.exports.text import CannotExport, yaml

CHECKED = "TRL 1.16.0, its training arguments"
COMMANDS: dict[Kind, str] = {"dpo": "dpo", "reward": "reward", "grpo": "grpo"}
"""What it calls each kind of training; all others are supervised."""
CARRIES: tuple[Kind, ...] = ("dpo", "reward", "grpo")
"""Training by preferences and rewards that a file of it starts."""
LOSSES = {"dpo": "sigmoid", "ipo": "ipo"}
"""The losses of pairs that its `trl dpo` has a word for; KTO is a command of its own, and it has ORPO and SimPO no longer."""


def config(build: Build) -> dict[str, Any]:
    """The configuration."""
    work, batch = build.work, training.batch(build)
    name, _ = training.optimizer(build)
    found: dict[str, Any] = {
        "model_name_or_path": build.checkpoint.name,
        "dtype": "bfloat16" if build.scenario.hardware.accelerator.supports_bf16 else "float16",
        "dataset_name": training.DATASET,
        "output_dir": "out",
        "per_device_train_batch_size": work.micro_batch,
        "gradient_accumulation_steps": batch.micro_batches,
        "max_steps": training.steps(build),
        "optim": name,
        "bf16": build.scenario.hardware.accelerator.supports_bf16,
        "gradient_checkpointing": work.recompute != "none",
        "torch_compile": work.compile,
        "use_liger_kernel": loss_of(work) == "fused",
        "attn_implementation": "flash_attention_2" if work.flash_attention else "eager",
    }
    if work.kind == "grpo":
        found |= {
            "num_generations": work.group_size,
            "max_completion_length": work.rolled_tokens,
            "use_vllm": True,
            "vllm_mode": "colocate" if work.rollout == "colocated" else "server",
            "vllm_max_model_length": work.sequence_length,
        }
        if work.rollout == "colocated":
            found["vllm_tensor_parallel_size"] = training.engine_tp(build)
            found["vllm_gpu_memory_utilization"] = work.rollout_share
            found["vllm_enable_sleep_mode"] = work.rollout_sleeps
        if work.reference_model == "none":
            found["beta"] = 0.0
    else:
        found["max_length"] = work.sequence_length
        found["activation_offloading"] = work.activation_offload
    if work.kind == "dpo" and work.preference != "kto":
        found["loss_type"] = [LOSSES[work.preference]]
    if command(build) == "sft":
        found["packing"] = work.packing
    if training.adapters(build):
        modules = training.lora_modules(build)
        found |= {"use_peft": True, "lora_r": work.lora_rank, "lora_alpha": 2 * work.lora_rank}
        found["lora_target_modules"] = ["all-linear"] if modules is None else modules
    if work.trains == "qlora":
        found |= {"load_in_8bit": True} if work.base_format == "int8" else {"load_in_4bit": True}
        if work.base_format != "int8":
            found["use_bnb_nested_quant"] = work.base_format == "nf4-double"
    return found


def command(build: Build) -> str:
    """The command of `trl` that reads the file."""
    work = build.work
    return "kto" if work.kind == "dpo" and work.preference == "kto" else COMMANDS.get(work.kind, "sft")


def write(build: Build) -> str:
    """The file. Raises CannotExport for PPO, losses that it has no longer, a pipeline, spread experts, and a GPTQ base."""
    training.no_pipeline(build, "trl")
    work = build.work
    if work.kind == "ppo":
        raise CannotExport("TRL's command line has no PPO: use verl, openrlhf or llamafactory")
    if work.kind == "dpo" and work.preference not in (*LOSSES, "kto"):
        raise CannotExport(f"TRL's command line has no {work.preference} any more: use axolotl or llamafactory")
    if work.trains == "qlora" and work.base_format == "gptq":
        raise CannotExport("trl makes its own 4 bits, and this is sized on a GPTQ base: use torchrun")
    notes = [
        *training.unsaid(build, CARRIES),
        *training.optimizer(build)[1],
        f"put your data in place of {training.DATASET}",
    ]
    if work.kind == "grpo":
        notes.append("name your rewards as reward_funcs, and a dataset of prompts")
        if work.rollout == "apart":
            notes.append(
                "start the engine first, on its own cards: trl vllm-serve "
                f"--tensor-parallel-size {training.engine_tp(build)}"
            )
    if work.recompute == "selective":
        notes.append("not expressible: selective recompute; here full, which takes less memory and more time")
    launch = "" if build.scenario.hardware.gpus == 1 else " --accelerate_config accelerate.yaml"
    if launch:
        notes.append("write the file of `--to accelerate` beside it, as accelerate.yaml: it holds ranks and shards")
    return (
        "\n".join(
            [
                *build.head(CHECKED, *notes, f"start it with trl {command(build)} --config this.yaml{launch}"),
                *yaml(config(build)),
            ]
        )
        + "\n"
    )
