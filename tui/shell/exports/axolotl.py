"""A configuration of Axolotl, YAML. Source: its configuration reference."""

from __future__ import annotations

from typing import Any

from engine.scenario import Kind
from tui.shell.exports import training
from tui.shell.exports.build import Build
from tui.shell.exports.text import CannotExport, yaml

CHECKED = "Axolotl 0.13.2 and 0.19.0, keys of their schemas"
CARRIES: tuple[Kind, ...] = ("dpo", "reward", "grpo")
"""Training by preferences and rewards that a file of it starts."""


def config(build: Build) -> dict[str, Any]:
    """The configuration."""
    work, layout, batch = build.work, build.sizing.layout, training.batch(build)
    name, _ = training.optimizer(build)
    found: dict[str, Any] = {"base_model": build.checkpoint.name}
    if work.kind == "pretrain":
        found["pretraining_dataset"] = [{"path": training.DATASET}]
    else:
        pairs = work.kind == "dpo" and work.preference != "kto"
        found["datasets"] = [{"path": training.DATASET, "type": "chat_template.default" if pairs else "chat_template"}]
    packs = packed(build)
    found |= {
        "output_dir": "./out",
        "sequence_len": work.sequence_length,
        "sample_packing": packs,
        "pad_to_sequence_len": packs,
        "micro_batch_size": work.micro_batch,
        "gradient_accumulation_steps": batch.micro_batches,
        "max_steps": training.steps(build),
        "learning_rate": 0.0002 if training.adapters(build) else 0.00002,
        "optimizer": name,
        "bf16": build.scenario.hardware.accelerator.supports_bf16,
        "gradient_checkpointing": work.recompute != "none",
        "flash_attention": work.flash_attention,
        "torch_compile": work.compile,
    }
    if work.kind == "ppo":
        raise CannotExport("Axolotl has no PPO: use llamafactory, or grpo")
    if work.kind == "reward":
        found["reward_model"] = True
    elif work.kind in ("dpo", "grpo"):
        found["rl"] = work.preference if work.kind == "dpo" else "grpo"
        if found["rl"] == "kto":
            found["remove_unused_columns"] = False  # its validation asks for that
    if work.kind == "grpo":
        found["trl"] = {
            "num_generations": work.group_size,
            "max_completion_length": work.rolled_tokens,
            "use_vllm": True,
            "vllm_mode": "colocate" if work.rollout == "colocated" else "server",
        }
        if work.rollout == "colocated":
            found["vllm"] = {"gpu_memory_utilization": work.rollout_share}
    if training.adapters(build):
        found |= {"adapter": work.trains, "lora_r": work.lora_rank, "lora_alpha": 2 * work.lora_rank}
        modules = training.lora_modules(build)
        found |= {"lora_target_linear": True} if modules is None else {"lora_target_modules": modules}
    if work.trains == "qlora":
        found |= {"load_in_8bit": True} if work.base_format == "int8" else {"load_in_4bit": True}
    copies, shards = training.shards(build)
    if work.sharding != "ddp":
        found["fsdp_version"] = 2
        found["fsdp_config"] = {
            "reshard_after_forward": work.sharding == "zero3",
            "offload_params": work.offload == "parameters",
            "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
            "state_dict_type": "FULL_STATE_DICT",
        }
        if copies > 1 or layout.tp > 1 or batch.context > 1:
            found |= {"dp_shard_size": shards, "dp_replicate_size": copies}
    if layout.tp > 1:
        found["tensor_parallel_size"] = layout.tp
    if batch.context > 1:
        found["context_parallel_size"] = batch.context
    return found


def packed(build: Build) -> bool:
    """Whether it packs samples: not under `rl`, where its validation refuses that (check_sample_packing_w_rl)."""
    return build.work.packing and build.work.kind not in ("dpo", "grpo")


def write(build: Build) -> str:
    """The file. Raises CannotExport for a pipeline, spread experts, or a base that it does not read."""
    training.no_pipeline(build, "axolotl")
    work = build.work
    if work.trains == "qlora" and work.base_format == "gptq":
        raise CannotExport("axolotl's qlora makes its own 4 bits, and this is sized on a GPTQ base: use torchrun")
    notes = [
        *training.unsaid(build, CARRIES),
        *training.optimizer(build)[1],
        f"put your data in place of {training.DATASET}",
    ]
    if work.packing and not packed(build):
        notes.append(
            "Axolotl packs no samples under rl: each takes a sequence of its own, and more of them are padding"
        )
    if work.kind == "grpo":
        notes.append("name your rewards as trl.reward_funcs, and a dataset of prompts")
        if work.rollout == "apart":
            notes.append("start the engine first, on its own cards: axolotl vllm-serve this.yaml")
    if work.recompute == "selective":
        notes.append("not expressible: selective recompute; here full, which takes less memory and more time")
    if work.trains == "qlora" and work.base_format == "nf4":
        notes.append("Axolotl also quantizes the scales (double quantization), which takes less memory than was sized")
    if work.sharding == "zero1":
        notes.append("not expressible: ZeRO-1; FSDP without resharding keeps gradients in shards too, which takes less")
    if work.offload == "optimizer":
        notes.append("not expressible: the optimizer alone in host memory: add a file of `--to deepspeed`")
    hardware = build.scenario.hardware
    launch = (
        f"axolotl train this.yaml --launcher torchrun -- --nnodes {hardware.nodes} --nproc-per-node {build.in_node}"
    )
    return "\n".join([*build.head(CHECKED, *notes, f"start it with {launch}"), *yaml(config(build))]) + "\n"
