"""A job file of torchtitan, TOML. Source: torchtitan/config/job_config.py of its release."""

from __future__ import annotations

import re

from tui.shell.exports import training
from tui.shell.exports.build import Build
from tui.shell.exports.text import CannotExport, toml

CHECKED = "torchtitan 0.2.1, its job configuration (TOML, which 0.3 no longer reads)"
_MODELS = {"llama": "llama3", "llama4_text": "llama4", "llama4": "llama4", "qwen3": "qwen3", "qwen3_moe": "qwen3"}
_MODELS |= {"deepseek_v3": "deepseek_v3", "gpt_oss": "gpt_oss"}
_RECOMPUTE = {"none": "none", "selective": "selective", "full": "full"}
_OPTIMIZERS = {"adamw": "AdamW", "adamw-bf16": "AdamW"}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)B\b", re.IGNORECASE)

Table = dict[str, str | int | float | bool | list[str]]


def config(build: Build) -> dict[str, Table]:
    """The tables of the file."""
    work, layout, batch = build.work, build.sizing.layout, training.batch(build)
    copies, shards = training.shards(build)
    size = _SIZE.search(build.scenario.model.name)
    piped = layout.pp > 1
    parallelism: Table = {
        "data_parallel_replicate_degree": copies,
        "data_parallel_shard_degree": shards,
        "fsdp_reshard_after_forward": "always" if work.sharding == "zero3" else "never",
        "tensor_parallel_degree": layout.tp,
        "pipeline_parallel_degree": layout.pp,
        "context_parallel_degree": batch.context,
        "expert_parallel_degree": layout.ep,
    }
    if piped:
        parallelism["pipeline_parallel_microbatch_size"] = work.micro_batch
        parallelism["pipeline_parallel_schedule"] = "1F1B" if work.pipeline_schedule == "1f1b" else "Interleaved1F1B"
    return {
        "model": {
            "name": _MODELS[build.scenario.model.architecture.model_type],
            "flavor": f"{size[1]}B" if size else "YOUR_FLAVOR",
            "hf_assets_path": build.checkpoint.name,
        },
        "training": {
            "local_batch_size": work.micro_batch * (batch.micro_batches if piped else 1),
            "global_batch_size": work.micro_batch * batch.micro_batches * batch.replicas,
            "seq_len": work.sequence_length,
            "steps": training.steps(build),
            "enable_cpu_offload": work.offload == "parameters",
        },
        "parallelism": parallelism,
        "optimizer": {
            "name": _OPTIMIZERS.get(work.optimizer, "AdamW"),
            "implementation": "fused" if work.optimizer_fused else "foreach",
        },
        "activation_checkpoint": {"mode": _RECOMPUTE[work.recompute]},
        "compile": {"enable": work.compile},
    }


def notes(build: Build) -> list[str]:
    """What was sized and the file does not say."""
    work, found = build.work, list(training.unsaid(build))
    if work.sharding in ("zero1", "zero2"):
        found.append(
            "FSDP without resharding shards gradients and states: ZeRO-2"
            + (", not ZeRO-1" * (work.sharding == "zero1"))
        )
    if work.optimizer not in _OPTIMIZERS:
        found.append(f"not expressible: the optimizer {work.optimizer}; AdamW in its place, which takes other memory")
    if work.offload == "optimizer":
        found.append("not expressible: the optimizer alone in host memory")
    found.append("hf_assets_path is a folder: download the tokenizer there; the flavor is one that torchtitan lists")
    if work.kind == "full-finetune":
        found.append("to start from published weights, set checkpoint.initial_load_in_hf")
    return found


def write(build: Build) -> str:
    """The file. Raises CannotExport for adapters and for models that torchtitan has no definition of."""
    if training.adapters(build):
        raise CannotExport(
            "torchtitan trains whole models, and this is sized with adapters: use axolotl, llamafactory or torchrun"
        )
    if build.scenario.model.architecture.model_type not in _MODELS:
        kind = build.scenario.model.architecture.model_type
        raise CannotExport(f"torchtitan has no model of the type {kind}: use torchrun, accelerate or deepspeed")
    return "\n".join([*build.head(CHECKED, *notes(build)), *toml(config(build))]) + "\n"
