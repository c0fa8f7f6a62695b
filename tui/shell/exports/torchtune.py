"""A command of torchtune: a recipe and its configuration, with what was sized in place of its own. Source: its recipes."""

from __future__ import annotations

import re

from engine.scenario import Kind
from tui.shell.exports import training
from tui.shell.exports.build import FIRST_NODE, MASTER_PORT, Build
from tui.shell.exports.text import CannotExport, Word, command

CHECKED = "torchtune 0.6.1, its recipes and their configurations"
CARRIES: tuple[Kind, ...] = ("dpo",)
CONFIGURATIONS = frozenset(
    [
        "gemma/2B_full",
        "gemma/2B_lora",
        "gemma/2B_lora_single_device",
        "gemma/2B_qlora_single_device",
        "gemma/7B_full",
        "gemma/7B_lora",
        "gemma/7B_lora_single_device",
        "gemma/7B_qlora_single_device",
        "gemma2/27B_full",
        "gemma2/27B_lora",
        "gemma2/27B_lora_single_device",
        "gemma2/27B_qlora_single_device",
        "gemma2/2B_full",
        "gemma2/2B_lora",
        "gemma2/2B_lora_single_device",
        "gemma2/2B_qlora_single_device",
        "gemma2/9B_full",
        "gemma2/9B_lora",
        "gemma2/9B_lora_single_device",
        "gemma2/9B_qlora_single_device",
        "llama2/13B_full",
        "llama2/13B_lora",
        "llama2/13B_qlora_single_device",
        "llama2/70B_lora",
        "llama2/70B_qlora",
        "llama2/7B_full",
        "llama2/7B_lora",
        "llama2/7B_lora_dpo",
        "llama2/7B_lora_dpo_single_device",
        "llama2/7B_lora_single_device",
        "llama2/7B_qat_full",
        "llama2/7B_qlora",
        "llama2/7B_qlora_single_device",
        "llama3/70B_full",
        "llama3/70B_lora",
        "llama3/8B_full",
        "llama3/8B_full_single_device",
        "llama3/8B_lora",
        "llama3/8B_lora_single_device",
        "llama3/8B_qat_full",
        "llama3/8B_qat_lora",
        "llama3/8B_qlora_single_device",
        "llama3_1/405B_qlora",
        "llama3_1/70B_full",
        "llama3_1/70B_lora",
        "llama3_1/8B_full",
        "llama3_1/8B_full_dpo",
        "llama3_1/8B_full_single_device",
        "llama3_1/8B_lora",
        "llama3_1/8B_lora_dpo",
        "llama3_1/8B_lora_dpo_single_device",
        "llama3_1/8B_lora_single_device",
        "llama3_1/8B_qat_lora",
        "llama3_1/8B_qlora_single_device",
        "llama3_2/1B_full",
        "llama3_2/1B_full_single_device",
        "llama3_2/1B_lora",
        "llama3_2/1B_lora_single_device",
        "llama3_2/1B_qat_lora",
        "llama3_2/1B_qlora_single_device",
        "llama3_2/3B_full",
        "llama3_2/3B_full_single_device",
        "llama3_2/3B_lora",
        "llama3_2/3B_lora_single_device",
        "llama3_2/3B_qat_lora",
        "llama3_2/3B_qlora_single_device",
        "llama3_2/8B_to_1B_KD_lora_single_device",
        "llama3_3/70B_full",
        "llama3_3/70B_lora",
        "llama3_3/70B_qlora",
        "mistral/7B_full",
        "mistral/7B_lora",
        "mistral/7B_lora_single_device",
        "mistral/7B_qlora_single_device",
        "phi4/14B_full",
        "phi4/14B_lora",
        "phi4/14B_lora_single_device",
        "phi4/14B_qlora_single_device",
        "qwen2/0.5B_full",
        "qwen2/0.5B_full_single_device",
        "qwen2/0.5B_lora",
        "qwen2/0.5B_lora_single_device",
        "qwen2/1.5B_full",
        "qwen2/1.5B_full_single_device",
        "qwen2/1.5B_lora",
        "qwen2/1.5B_lora_single_device",
        "qwen2/1.5_to_0.5B_KD_lora_single_device",
        "qwen2/7B_full",
        "qwen2/7B_full_single_device",
        "qwen2/7B_lora",
        "qwen2/7B_lora_single_device",
        "qwen2_5/0.5B_full",
        "qwen2_5/0.5B_full_single_device",
        "qwen2_5/0.5B_lora",
        "qwen2_5/0.5B_lora_single_device",
        "qwen2_5/1.5B_full",
        "qwen2_5/1.5B_full_single_device",
        "qwen2_5/1.5B_lora",
        "qwen2_5/1.5B_lora_single_device",
        "qwen2_5/14B_lora_single_device",
        "qwen2_5/32B_lora",
        "qwen2_5/3B_full",
        "qwen2_5/3B_full_single_device",
        "qwen2_5/3B_lora",
        "qwen2_5/3B_lora_single_device",
        "qwen2_5/72B_lora",
        "qwen2_5/7B_full",
        "qwen2_5/7B_full_single_device",
        "qwen2_5/7B_lora",
        "qwen2_5/7B_lora_single_device",
    ]
)
"""Its configurations for whole models and adapters (recipes/configs)."""
_NAMES = {"q_proj": "q_proj", "k_proj": "k_proj", "v_proj": "v_proj", "o_proj": "output_proj"}
OPTIMIZERS = {
    "adamw": "torch.optim.AdamW",
    "adamw-bf16": "torch.optim.AdamW",
    "sgd": "torch.optim.SGD",
    "adamw-8bit": "bitsandbytes.optim.AdamW8bit",
    "adamw-paged-8bit": "bitsandbytes.optim.PagedAdamW8bit",
    "adamw-paged": "bitsandbytes.optim.PagedAdamW",
}
"""The optimizers as the class that its configuration names."""


def configuration(build: Build) -> str:
    """The configuration of the model for its recipe; raises CannotExport for one that it has not."""
    found = re.fullmatch(
        r"([a-z]+)-?(\d)?(?:\.(\d))?-(\d+(?:\.\d+)?)b(?:-it|-instruct)?", build.scenario.model.id or ""
    )
    name = ""
    if found:
        family = "".join((found[1], found[2] or "", f"_{found[3]}" if found[3] else ""))
        name = f"{family}/{found[4]}B_{recipe(build)[1]}"
    if name not in CONFIGURATIONS:
        raise CannotExport(
            "torchtune has no configuration of this model for this training: use trl, axolotl or torchrun"
        )
    return name


def recipe(build: Build) -> tuple[str, str]:
    """The recipe, and the ending of the configuration that is its."""
    work = build.work
    alone = build.scenario.hardware.gpus == 1
    what = "lora" if training.adapters(build) else "full"
    if work.kind == "dpo":
        return (
            f"{what}_dpo_{'single_device' if alone else 'distributed'}",
            f"{what}_dpo{'_single_device' if alone else ''}",
        )
    ending = "qlora" if work.trains == "qlora" else what
    where = "single_device" if alone else "distributed"
    return f"{what}_finetune_{where}", f"{ending}{'_single_device' if alone else ''}"


def values(build: Build) -> dict[str, Word | bool]:
    """The keys of the configuration that stand in place of its own."""
    work, batch = build.work, training.batch(build)
    found: dict[str, Word | bool] = {
        "checkpointer.checkpoint_dir": "YOUR_CHECKPOINT",
        "tokenizer.max_seq_len": work.sequence_length,
        "batch_size": work.micro_batch,
        "gradient_accumulation_steps": batch.micro_batches,
        "max_steps_per_epoch": training.steps(build),
        "epochs": 1,
        "dtype": "bf16" if build.scenario.hardware.accelerator.supports_bf16 else "fp32",
        "enable_activation_checkpointing": work.recompute == "full",
        "enable_activation_offloading": work.activation_offload,
        "compile": work.compile,
        "optimizer._component_": OPTIMIZERS.get(work.optimizer, OPTIMIZERS["adamw"]),
    }
    if work.kind != "dpo":
        found["dataset.packed"] = work.packing
    elif not training.adapters(build):  # adapters are compared with their own base
        found["ref_checkpointer.checkpoint_dir"] = "YOUR_CHECKPOINT"
    if build.scenario.hardware.gpus > 1:
        found["fsdp_reshard_after_forward"] = work.sharding == "zero3"
        found["fsdp_cpu_offload"] = work.offload == "parameters"
    if build.sizing.layout.tp > 1:
        found["tensor_parallel_dim"] = build.sizing.layout.tp
    if training.adapters(build):
        modules = training.lora_modules(build)
        attention = list(_NAMES.values()) if modules is None else [_NAMES[one] for one in modules if one in _NAMES]
        found |= {
            "model.lora_rank": work.lora_rank,
            "model.lora_alpha": 2 * work.lora_rank,
            "model.lora_attn_modules": f"[{','.join(attention)}]",
            "model.apply_lora_to_mlp": modules is None or any(one not in _NAMES for one in modules),
        }
    return found


def _notes(build: Build) -> list[str]:
    work = build.work
    notes = [
        *training.unsaid(build, CARRIES),
        "download the model (tune download) and name its folder as YOUR_CHECKPOINT",
    ]
    notes.append("tokenizer.path and checkpointer.checkpoint_files are the configuration's own: set them to your files")
    if work.optimizer not in OPTIMIZERS:
        notes.append(f"not expressible: the optimizer {work.optimizer}; AdamW in its place, which takes other memory")
    if work.recompute == "selective":
        notes.append("not expressible: selective recompute; here none")
    if work.offload == "optimizer":
        notes.append("not expressible: the optimizer alone in host memory")
    if work.sharding in ("ddp", "zero1") and build.scenario.hardware.gpus > 1:
        notes.append(f"not expressible: {work.sharding}; torchtune shards by FSDP2, which takes less")
    return notes


def write(build: Build) -> str:
    """The command. Raises CannotExport for models and kinds that it has no recipe of, a pipeline, and spread experts."""
    training.no_pipeline(build, "torchtune")
    work, hardware = build.work, build.scenario.hardware
    if work.kind in ("grpo", "ppo", "reward") or (work.kind == "dpo" and work.preference != "dpo"):
        raise CannotExport(
            f"torchtune has no recipe for {work.preference if work.kind == 'dpo' else work.kind}: use trl"
        )
    if work.trains == "qlora" and work.kind == "dpo":
        raise CannotExport("torchtune's DPO takes no 4-bit base, and this is sized with one: use trl or axolotl")
    if work.trains == "qlora" and work.base_format != "nf4-double":
        raise CannotExport(
            "torchtune's 4 bits are NF4 with scales in 8 bits, and this is sized on another base: use trl"
        )
    if training.batch(build).context > 1:
        raise CannotExport("torchtune 0.6 shares no sequence between GPUs, and this is sized with CP: use axolotl")
    name, _ = recipe(build)
    flags: list[tuple[Word, ...]] = []
    if hardware.gpus > 1:
        flags += [("--nnodes", hardware.nodes), ("--nproc-per-node", hardware.gpus_per_node)]
    if hardware.nodes > 1:
        flags += [("--rdzv-backend", "c10d"), ("--rdzv-endpoint", f"{FIRST_NODE}:{MASTER_PORT}")]
    flags += [
        (name,),
        ("--config", configuration(build)),
        *(((f"{key}={value}"),) for key, value in values(build).items()),
    ]
    return "\n".join([*build.head(CHECKED, *_notes(build)), "", command(["tune", "run"], flags)]) + "\n"
