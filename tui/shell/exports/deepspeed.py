"""A configuration of DeepSpeed, JSON. Source: its documentation of configuration."""

from __future__ import annotations

import json
from typing import Any

from tui.shell.exports import training
from tui.shell.exports.build import Build

CHECKED = "DeepSpeed 0.18.9 and 0.19.8, keys of their sources"
_STAGES = {"ddp": 0, "zero1": 1, "zero2": 2, "zero3": 3}


def config(build: Build) -> dict[str, Any]:
    """The configuration, without the comment."""
    work, batch = build.work, training.batch(build)
    zero: dict[str, Any] = {"stage": _STAGES[work.sharding]}
    if work.offload != "none" and work.sharding != "ddp":
        zero["offload_optimizer"] = {"device": "cpu", "pin_memory": True}
    if work.offload == "parameters" and work.sharding == "zero3":
        zero["offload_param"] = {"device": "cpu", "pin_memory": True}
    if work.sharding_group == "node" and build.scenario.hardware.nodes > 1 and work.sharding == "zero3":
        zero["zero_hpz_partition_size"] = build.in_node
    precision = "bf16" if build.scenario.hardware.accelerator.supports_bf16 else "fp16"
    found: dict[str, Any] = {
        "train_batch_size": work.micro_batch * batch.micro_batches * batch.replicas,
        "train_micro_batch_size_per_gpu": work.micro_batch,
        "gradient_accumulation_steps": batch.micro_batches,
        precision: {"enabled": True},
        "zero_optimization": zero,
    }
    if build.sizing.layout.tp > 1:
        found["tensor_parallel"] = {"autotp_size": build.sizing.layout.tp}
    if batch.context > 1:
        found["sequence_parallel_size"] = batch.context
    return found


def write(build: Build) -> str:
    """The file; JSON has no comments, so what a reader must know is a key that DeepSpeed does not read.

    Raises CannotExport for a pipeline or spread experts.
    """
    training.no_pipeline(build, "deepspeed")
    name, unsaid = training.optimizer(build)
    notes = [
        *training.unsaid(build),
        *unsaid,
        f"your script takes the rest: {build.checkpoint.name}, {build.work.sequence_length} tokens a sequence, "
        f"optimizer {name}, recompute {build.work.recompute}",
    ]
    if build.work.sharding_group == "node" and build.work.sharding != "zero3" and build.scenario.hardware.nodes > 1:
        notes.append("not expressible: shards inside a node; here over all GPUs")
    head = [line.removeprefix("# ") for line in build.head(CHECKED, *notes)]
    return json.dumps({"_comment": head, **config(build)}, indent=2) + "\n"
