"""A configuration of Unsloth's command line, YAML (`unsloth train --config`). Source: unsloth_cli/config.py of its release."""

from __future__ import annotations

from typing import Any

from engine.scenario import TUNED_KINDS
from tui.shell.exports import training
from tui.shell.exports.build import Build
from tui.shell.exports.text import CannotExport, yaml

CHECKED = "Unsloth 2026.10.9, its command line's configuration"
_EVERY = "q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj"
_CHECKPOINTS = {"none": "none", "selective": "true", "full": "true"}


def config(build: Build) -> dict[str, Any]:
    """The configuration."""
    work, batch = build.work, training.batch(build)
    found: dict[str, Any] = {
        "model": build.checkpoint.name,
        "data": {"dataset": training.DATASET},
        "training": {
            "training_type": "lora" if training.adapters(build) else "full",
            "max_seq_length": work.sequence_length,
            "load_in_4bit": work.trains == "qlora",
            "batch_size": work.micro_batch,
            "gradient_accumulation_steps": batch.micro_batches,
            "max_steps": training.steps(build),
            "packing": work.packing,
            "gradient_checkpointing": "unsloth" if work.activation_offload else _CHECKPOINTS[work.recompute],
            "output_dir": "./outputs",
        },
    }
    if training.adapters(build):
        modules = training.lora_modules(build)
        found["lora"] = {
            "lora_r": work.lora_rank,
            "lora_alpha": 2 * work.lora_rank,
            "target_modules": _EVERY if modules is None else ",".join(modules),
        }
    return found


def write(build: Build) -> str:
    """The file. Raises CannotExport for what it does not start: preferences, rewards, shards, splits, other bases than NF4."""
    training.no_pipeline(build, "unsloth", tensor=False)
    work = build.work
    if work.kind in TUNED_KINDS:
        raise CannotExport(f"Unsloth's command line trains supervised, and this is sized as {work.kind}: use trl")
    if training.batch(build).context > 1:
        raise CannotExport(
            "unsloth shares no sequence between GPUs, and this is sized with CP: use axolotl or torchtitan"
        )
    if work.sharding != "ddp" and build.scenario.hardware.gpus > 1:
        raise CannotExport(
            f"unsloth copies the model to each GPU, and this is sized under {work.sharding}: use axolotl"
        )
    if work.trains == "qlora" and work.base_format in ("gptq", "int8"):
        raise CannotExport("unsloth's 4 bits are bitsandbytes' NF4, and this is sized on another base: use torchrun")
    notes = [*training.unsaid(build), f"put your data in place of {training.DATASET}"]
    if work.optimizer != "adamw-8bit":
        notes.append(f"not expressible: the optimizer {work.optimizer}; its command line takes adamw_8bit")
    if work.trains == "qlora" and work.base_format == "nf4":
        notes.append("Unsloth also quantizes the scales (double quantization), which takes less memory than was sized")
    gpus = build.scenario.hardware.gpus
    start = "unsloth train --config this.yaml"
    if gpus > 1:
        notes.append(f"on {gpus} GPUs it runs a copy on each: start it by torchrun, {build.in_node} processes a node")
    return "\n".join([*build.head(CHECKED, *notes, f"start it with {start}"), *yaml(config(build))]) + "\n"
