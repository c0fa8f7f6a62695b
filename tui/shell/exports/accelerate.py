"""A configuration of Hugging Face Accelerate (`accelerate launch --config_file`). Source: its documentation."""

from __future__ import annotations

from typing import Any

from tui.shell.exports import training
from tui.shell.exports.build import FIRST_NODE, MASTER_PORT, Build
from tui.shell.exports.text import yaml

CHECKED = "Accelerate 1.12 and 1.15, keys of their sources"


def config(build: Build) -> dict[str, Any]:
    """The configuration."""
    hardware, work, layout = build.scenario.hardware, build.work, build.sizing.layout
    sharded = work.sharding != "ddp"
    found: dict[str, Any] = {
        "compute_environment": "LOCAL_MACHINE",
        "distributed_type": "FSDP" if sharded else "MULTI_GPU" if hardware.gpus > 1 else "NO",
        "mixed_precision": "bf16" if hardware.accelerator.supports_bf16 else "fp16",
        "num_machines": hardware.nodes,
        "num_processes": hardware.gpus,
        "machine_rank": 0,
    }
    if hardware.nodes > 1:
        found |= {"main_process_ip": FIRST_NODE, "main_process_port": MASTER_PORT}
    copies, shards = training.shards(build)
    context = training.batch(build).context
    if layout.tp > 1 or context > 1 or (sharded and copies > 1):
        found["parallelism_config"] = {
            "parallelism_config_dp_replicate_size": copies,
            "parallelism_config_dp_shard_size": shards,
            "parallelism_config_tp_size": layout.tp,
            "parallelism_config_cp_size": context,
        }
    if sharded:
        found["fsdp_config"] = {
            "fsdp_version": 2,
            "fsdp_reshard_after_forward": work.sharding == "zero3",
            "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
            "fsdp_state_dict_type": "SHARDED_STATE_DICT",
            "fsdp_cpu_ram_efficient_loading": True,
            "fsdp_offload_params": work.offload == "parameters",
            "fsdp_activation_checkpointing": work.recompute == "full",
        }
    return found


def notes(build: Build) -> list[str]:
    """What was sized and the file does not say."""
    work = build.work
    found = list(training.unsaid(build))
    if work.sharding == "zero1":
        found.append("not expressible: ZeRO-1; FSDP without resharding keeps gradients in shards too, which takes less")
    if work.recompute == "selective":
        found.append("not expressible: selective recompute; here none")
    if work.offload == "optimizer":
        found.append("not expressible: the optimizer alone in host memory: use deepspeed")
    found.append(
        f"your script takes the rest: micro-batch {work.micro_batch}, {training.batch(build).micro_batches} steps of "
        f"accumulation, {work.sequence_length} tokens a sequence"
    )
    if build.scenario.hardware.nodes > 1:
        found.append("machine_rank is each node's own: 0 on the first")
    return found


def write(build: Build) -> str:
    """The file. Raises CannotExport for a pipeline or spread experts."""
    training.no_pipeline(build, "accelerate")
    return "\n".join([*build.head(CHECKED, *notes(build)), *yaml(config(build))]) + "\n"
