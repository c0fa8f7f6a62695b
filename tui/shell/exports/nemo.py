"""A command of NeMo's Megatron-Bridge: a recipe with what was sized in place of its own. Source: its training configuration."""

from __future__ import annotations

import re

from engine.scenario import TUNED_KINDS
from tui.shell.exports import fabric, megatron, training
from tui.shell.exports.build import Build
from tui.shell.exports.text import CannotExport, Word, command

CHECKED = "Megatron-Bridge 0.3.1, scripts/training/run_recipe.py and its configuration"
RECIPES = frozenset(
    [
        "deepseek_v2",
        "deepseek_v2_lite",
        "deepseek_v3",
        "gemma2_27b",
        "gemma2_2b",
        "gemma2_9b",
        "gemma3_1b",
        "glm45_355b",
        "glm45_air_106b",
        "gpt_oss_120b",
        "gpt_oss_20b",
        "kimi_k2",
        "llama2_7b",
        "llama31_405b",
        "llama31_70b",
        "llama31_8b",
        "llama32_1b",
        "llama32_3b",
        "llama3_70b",
        "llama3_8b",
        "ministral3_14b",
        "ministral3_3b",
        "ministral3_8b",
        "moonlight_16b",
        "nemotronh_47b",
        "nemotronh_4b",
        "nemotronh_56b",
        "nemotronh_8b",
        "olmoe_7b",
        "qwen25_14b",
        "qwen25_1p5b",
        "qwen25_32b",
        "qwen25_500m",
        "qwen25_72b",
        "qwen25_7b",
        "qwen2_1p5b",
        "qwen2_500m",
        "qwen2_72b",
        "qwen2_7b",
        "qwen3_14b",
        "qwen3_1p7b",
        "qwen3_235b_a22b",
        "qwen3_30b_a3b",
        "qwen3_32b",
        "qwen3_4b",
        "qwen3_600m",
        "qwen3_8b",
        "qwen3_next_80b_a3b",
    ]
)
"""The models that its recipes are named after (megatron/bridge/recipes)."""
CONVERTED = "YOUR_MEGATRON_CHECKPOINT"
"""What stands for the folder of the weights that a run starts from: recipes for adapters refuse to start without, others start
untrained (megatron/bridge/training/config.py: CheckpointConfig.pretrained_checkpoint)."""
_MODULES = {"q_proj": "linear_qkv", "k_proj": "linear_qkv", "v_proj": "linear_qkv", "o_proj": "linear_proj"}
_MODULES |= {"gate_proj": "linear_fc1", "up_proj": "linear_fc1", "down_proj": "linear_fc2"}


def recipe(build: Build) -> str:
    """The name of the recipe for the model; a word to replace where it has none."""
    name = re.sub(r"^([a-z]+)-?(\d)\.?(\d?)-", r"\1\2\3_", build.scenario.model.id or "").replace("-", "_")
    stem = name.replace(".", "p")
    kind = "pretrain" if build.work.kind == "pretrain" else "peft" if training.adapters(build) else "sft"
    return f"{stem}_{kind}_config" if stem in RECIPES else "YOUR_RECIPE"


def values(build: Build) -> dict[str, Word | bool]:
    """The keys of the configuration that stand in place of the recipe's."""
    work, layout, batch = build.work, build.sizing.layout, training.batch(build)
    found: dict[str, Word | bool] = {
        "model.tensor_model_parallel_size": layout.tp,
        "model.pipeline_model_parallel_size": layout.pp,
        "model.context_parallel_size": batch.context,
        "model.expert_model_parallel_size": layout.ep,
        "model.sequence_parallel": layout.tp > 1,
        "model.seq_length": work.sequence_length,
        "dataset.seq_length": work.sequence_length,
        "train.micro_batch_size": work.micro_batch,
        "train.global_batch_size": work.micro_batch * batch.micro_batches * batch.replicas,
        "train.train_iters": training.steps(build),
        "ddp.use_distributed_optimizer": work.sharding != "ddp",
    }
    if layout.pp > 1 and work.pipeline_schedule == "interleaved":
        found["model.virtual_pipeline_model_parallel_size"] = work.virtual_stages or megatron.STAGES_OF_A_RANK
    if work.sharding in ("zero2", "zero3"):
        found["ddp.use_megatron_fsdp"] = True
        found["ddp.data_parallel_sharding_strategy"] = megatron.SHARDS[work.sharding]
        found["checkpoint.ckpt_format"] = megatron.SHARDED_CHECKPOINTS
    if work.kind != "pretrain":
        found["checkpoint.pretrained_checkpoint"] = CONVERTED
    if work.offload == "optimizer":
        found["optimizer.optimizer_cpu_offload"] = True
    if work.recompute == "full":
        found |= {
            "model.recompute_granularity": "full",
            "model.recompute_method": "uniform",
            "model.recompute_num_layers": 1,
        }
    elif work.recompute == "selective":
        found["model.recompute_granularity"] = "selective"
        if work.recompute_modules != "framework":
            found["model.recompute_modules"] = f"[{','.join(work.recompute_modules.split('+'))}]"
    if training.adapters(build):
        modules = training.lora_modules(build) or list(_MODULES)
        targets = ",".join(dict.fromkeys(_MODULES[one] for one in modules))
        found |= {"peft.dim": work.lora_rank, "peft.alpha": 2 * work.lora_rank, "peft.target_modules": f"[{targets}]"}
    return found


def write(build: Build) -> str:
    """The environment and the command. Raises CannotExport for preferences, rewards and packed bases."""
    work = build.work
    if work.kind in TUNED_KINDS:
        raise CannotExport(
            f"nemo's recipes train on text, and this is sized as {work.kind}, which NeMo RL trains: use verl, trl or openrlhf"
        )
    if work.trains == "qlora":
        raise CannotExport("nemo trains on no 4-bit base, and this is sized with one: use axolotl or trl")
    notes = [one for one in training.unsaid(build) if not one.startswith("not expressible: matrix products")]
    if recipe(build) == "YOUR_RECIPE":
        notes.append("no recipe of this model is known: name one in place of YOUR_RECIPE")
    if training.adapters(build) and work.lora_targets in ("attention-qv", "attention-qvo-mlp"):
        notes.append("Megatron's projections of q, k and v are one: adapters on all three, which take a little more")
    if work.compute_dtype != "bf16":
        notes.append(f"sized with products in {work.compute_dtype}: take a recipe or a mixed_precision of that")
    if work.optimizer not in megatron.OPTIMIZERS:
        notes.append(f"not expressible: the optimizer {work.optimizer}; the recipe's Adam takes other memory")
    if work.offload == "parameters":
        notes.append("not expressible: parameters in host memory")
    if work.kind != "pretrain":
        source = build.checkpoint.name
        notes.append(f"convert {source} first (AutoBridge.import_ckpt), and name that folder in place of {CONVERTED}")
    data = "llm-pretrain" if work.kind == "pretrain" else "llm-finetune-preloaded"
    notes.append(f"put your data in place of {training.DATASET}")
    where = "dataset.blend" if work.kind == "pretrain" else "dataset.dataset_root"
    said = f"[[{training.DATASET}],null]" if work.kind == "pretrain" else training.DATASET
    more = (fabric.NAMES_ARE_YOURS,) if build.scenario.hardware.nodes > 1 else ()
    flags: list[tuple[Word, ...]] = [
        ("--recipe", recipe(build)),
        ("--dataset", data),
        ("--hf_path", build.checkpoint.name),
        *(((f"{key}={value}"),) for key, value in values(build).items()),
        (f"{where}={said}",),
    ]
    if work.packing and work.kind != "pretrain":
        flags.insert(3, ("--packed_sequence",))
    start = [str(word) for word in megatron.started(build, "scripts/training/run_recipe.py")]
    head = build.head(CHECKED, *notes, *more)
    return "\n".join([*head, "", *fabric.exports(build.sizing), "", command(start, flags)]) + "\n"
