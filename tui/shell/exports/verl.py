"""A command of verl, whose keys are Hydra's. Source: verl/trainer/config of its release."""

from __future__ import annotations

from engine.scenario import Workload
from tui.shell.exports import training
from tui.shell.exports.build import Build
from tui.shell.exports.text import CannotExport, Word, command

CHECKED = "verl 0.9.1, keys of its ppo_trainer.yaml"
_ACTOR, _ROLLOUT, _MODEL = "actor_rollout_ref.actor", "actor_rollout_ref.rollout", "actor_rollout_ref.model"


def prompts(build: Build) -> int:
    """Prompts of a step: its sequences in groups that answer one."""
    work, batch = build.work, training.batch(build)
    sequences = work.micro_batch * batch.micro_batches * batch.replicas
    return max(1, -(-sequences // (work.group_size if work.kind == "grpo" else 1)))


def values(build: Build) -> dict[str, Word | bool]:
    """The keys that the command sets."""
    work, hardware = build.work, build.scenario.hardware
    per_step, context = prompts(build), training.batch(build).context
    fsdp = f"{_ACTOR}.fsdp_config"
    node = work.sharding_group == "node" and hardware.nodes > 1
    found: dict[str, Word | bool] = {
        "algorithm.adv_estimator": "grpo" if work.kind == "grpo" else "gae",
        "data.train_files": training.DATASET,
        "data.val_files": training.DATASET,
        "data.train_batch_size": per_step,
        "data.max_prompt_length": work.sequence_length - work.rolled_tokens,
        "data.max_response_length": work.rolled_tokens,
        f"{_MODEL}.path": build.checkpoint.name,
        f"{_MODEL}.enable_gradient_checkpointing": work.recompute != "none",
        f"{_MODEL}.enable_activation_offload": work.activation_offload,
        f"{_MODEL}.use_remove_padding": work.packing,
        f"{_ACTOR}.ppo_mini_batch_size": per_step,
        f"{_ACTOR}.ppo_micro_batch_size_per_gpu": work.micro_batch,
        f"{_ACTOR}.use_kl_loss": work.kind == "grpo" and work.compares,
        f"{_ACTOR}.ulysses_sequence_parallel_size": context,
        f"{fsdp}.reshard_after_forward": work.sharding == "zero3",
        f"{fsdp}.fsdp_size": build.in_node if node else -1,
        f"{fsdp}.param_offload": work.offload == "parameters",
        f"{fsdp}.optimizer_offload": work.offload != "none",
        f"{_ROLLOUT}.name": "vllm",
        f"{_ROLLOUT}.tensor_model_parallel_size": training.engine_tp(build),
        f"{_ROLLOUT}.n": work.group_size if work.kind == "grpo" else 1,
        f"{_ROLLOUT}.log_prob_micro_batch_size_per_gpu": work.micro_batch,
        "actor_rollout_ref.ref.log_prob_micro_batch_size_per_gpu": work.micro_batch,
        f"{_ROLLOUT}.gpu_memory_utilization": work.rollout_share,
        f"{_ROLLOUT}.free_cache_engine": work.rollout_sleeps,
        "trainer.nnodes": hardware.nodes,
        "trainer.n_gpus_per_node": build.in_node,
        "trainer.total_training_steps": training.steps(build),
    }
    if work.trains == "lora":
        modules = training.lora_modules(build)
        found[f"{_MODEL}.lora_rank"] = work.lora_rank
        found[f"{_MODEL}.lora_alpha"] = 2 * work.lora_rank
        found[f"{_MODEL}.target_modules"] = "all-linear" if modules is None else f"[{','.join(modules)}]"
    if work.kind == "ppo":
        found["critic.model.path"] = build.checkpoint.name
        found["critic.ppo_micro_batch_size_per_gpu"] = work.micro_batch
    return found


def _notes(build: Build) -> list[str]:
    work = build.work
    notes = [
        *training.unsaid(build, ("grpo", "ppo")),
        f"put your data in place of {training.DATASET}, parquet of prompts",
    ]
    notes.append("your reward is a function: reward.custom_reward_function.path and its name")
    if work.optimizer != "adamw":
        notes.append(f"not expressible: the optimizer {work.optimizer}; verl steps AdamW with 32-bit states")
    if work.rollout == "apart":
        notes.append("sized with an engine on cards of its own: verl's trainer shares its cards with the engine")
    if work.recompute == "selective":
        notes.append("not expressible: selective recompute; here full, which takes less memory and more time")
    if work.kind == "ppo":
        notes.append("your reward model: reward.reward_model.enable and its path")
    notes += _batch_notes(build, work)
    return notes


def _batch_notes(build: Build, work: Workload) -> list[str]:
    batch = training.batch(build)
    sequences = work.micro_batch * batch.micro_batches * batch.replicas
    if work.kind == "grpo" and sequences % work.group_size:
        return [f"{sequences} sequences a step are no whole groups of {work.group_size}: here {prompts(build)} groups"]
    return []


def write(build: Build) -> str:
    """The command. Raises CannotExport for what its trainer of rewards does not run: other kinds, TP, stages, packed bases."""
    training.no_pipeline(build, "verl", tensor=False)
    work = build.work
    if work.kind not in ("grpo", "ppo"):
        raise CannotExport(
            f"verl is written here for GRPO and PPO, and this is sized as {work.kind}: use trl or openrlhf"
        )
    if work.trains == "qlora":
        raise CannotExport("verl trains on no 4-bit base, and this is sized with one: use trl or openrlhf")
    if work.sharding in ("ddp", "zero1"):
        raise CannotExport(f"verl's actors are FSDP's, and this is sized under {work.sharding}: use openrlhf")
    flags: list[tuple[Word, ...]] = [(f"{key}={_word(value)}",) for key, value in values(build).items()]
    head = build.head(CHECKED, *_notes(build))
    return "\n".join([*head, "", command(["python3", "-m", "verl.trainer.main_ppo"], flags)]) + "\n"


def _word(value: Word | bool) -> str:
    return str(value)
