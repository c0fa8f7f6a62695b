"""A configuration of LLaMA-Factory, YAML (`llamafactory-cli train`). Source: its arguments and examples' documentation."""

from __future__ import annotations

from typing import Any

from engine.scenario import Kind
from tui.shell.exports import training
from tui.shell.exports.build import Build
from tui.shell.exports.text import CannotExport, yaml

CHECKED = "LLaMA-Factory 0.9.4 and 0.9.5, their training arguments"
STAGES = {"pretrain": "pt", "dpo": "dpo", "reward": "rm", "ppo": "ppo"}
"""What it calls each kind of training; all others are supervised."""
CARRIES: tuple[Kind, ...] = ("dpo", "reward", "ppo")
"""Training by preferences and rewards that a file of it starts."""
DEEPSPEED_FILE = "deepspeed.json"


def config(build: Build) -> dict[str, Any]:
    """The configuration."""
    work, batch = build.work, training.batch(build)
    name, _ = training.optimizer(build)
    found: dict[str, Any] = {
        "model_name_or_path": build.checkpoint.name,
        "stage": STAGES.get(work.kind, "sft"),
        "do_train": True,
        "finetuning_type": "lora" if training.adapters(build) else "full",
        "dataset": training.DATASET,
        "template": "default",
        "output_dir": "out",
        "cutoff_len": work.sequence_length,
        "packing": work.packing,
        "per_device_train_batch_size": work.micro_batch,
        "gradient_accumulation_steps": batch.micro_batches,
        "max_steps": training.steps(build),
        "optim": name,
        "bf16": build.scenario.hardware.accelerator.supports_bf16,
        "flash_attn": "fa2" if work.flash_attention else "disabled",
        "disable_gradient_checkpointing": work.recompute == "none",
        "torch_compile": work.compile,
    }
    if work.kind == "grpo":
        raise CannotExport("LLaMA-Factory has no GRPO: use axolotl")
    if work.kind == "dpo":
        if work.preference == "kto":
            found["stage"] = "kto"
        else:
            found["pref_loss"] = "sigmoid" if work.preference == "dpo" else work.preference
    if work.kind == "ppo":
        found["reward_model"] = "YOUR_REWARD_MODEL"
    if training.adapters(build):
        modules = training.lora_modules(build)
        found |= {"lora_rank": work.lora_rank, "lora_target": "all" if modules is None else ",".join(modules)}
    if work.trains == "qlora" and work.base_format != "gptq":
        found |= {"quantization_bit": 8 if work.base_format == "int8" else 4, "quantization_method": "bnb"}
        if work.base_format != "int8":
            found["double_quantization"] = work.base_format == "nf4-double"
    if work.sharding != "ddp":
        found["deepspeed"] = DEEPSPEED_FILE
    return found


def write(build: Build) -> str:
    """The file. Raises CannotExport for TP, a pipeline, spread experts or shared sequences."""
    training.no_pipeline(build, "llamafactory", tensor=False)
    work = build.work
    if training.batch(build).context > 1:
        raise CannotExport(
            "llamafactory shares no sequence between GPUs, and this is sized with CP: use torchtitan or axolotl"
        )
    notes = [
        *training.unsaid(build, CARRIES),
        *training.optimizer(build)[1],
        f"put your data in place of {training.DATASET}",
    ]
    if work.trains == "qlora" and work.base_format == "gptq":
        notes.append("sized on a GPTQ base: name a repository that holds the model in it")
    if work.kind == "ppo":
        notes.append("put your reward model in place of YOUR_REWARD_MODEL")
        notes.append(
            "sized with an engine for the answers: LLaMA-Factory generates them in the trainer itself, which takes longer"
        )
    if work.recompute == "selective":
        notes.append("not expressible: selective recompute; here full, which takes less memory and more time")
    if work.sharding != "ddp":
        notes.append(f"write the file of `--to deepspeed` beside it, as {DEEPSPEED_FILE}")
    hardware = build.scenario.hardware
    notes.append(f"start it on each node with FORCE_TORCHRUN=1 NNODES={hardware.nodes} NPROC_PER_NODE={build.in_node}")
    return "\n".join([*build.head(CHECKED, *notes), *yaml(config(build))]) + "\n"
