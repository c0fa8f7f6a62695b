"""A command of OpenRLHF. Source: the arguments of openrlhf/cli of its release."""

from __future__ import annotations

from engine.scenario import Kind
from engine.scenario.frameworks import loss_of
from tui.shell.exports import training, verl
from tui.shell.exports.build import Build
from tui.shell.exports.text import CannotExport, Word, command

CHECKED = "OpenRLHF 0.11.2, its parsers"
_MODULES: dict[Kind, str] = {"dpo": "train_dpo", "reward": "train_rm", "grpo": "train_ppo_ray", "ppo": "train_ppo_ray"}
"""What it starts for each kind of training; all others are supervised."""
_STAGES = {"ddp": 0, "zero1": 1, "zero2": 2, "zero3": 3}


def _switches(build: Build, model: str) -> list[tuple[Word, ...]]:
    """The switches that stand alone. model: whose, by OpenRLHF's names."""
    work = build.work
    on = {
        f"--{model}.gradient_checkpointing_enable": work.recompute != "none",
        "--ds.adam_offload": work.offload != "none",
        "--ds.packing_samples": work.packing,
        "--ds.load_in_4bit": work.trains == "qlora",
        "--ds.use_liger_kernel": loss_of(work) == "fused" and work.kind != "reward",
        "--model.pretrain_mode_enable": work.kind == "pretrain",
        "--model.ipo_enable": work.kind == "dpo" and work.preference == "ipo",
    }
    return [(flag,) for flag, wanted in on.items() if wanted]


def _generating(build: Build) -> list[tuple[Word, ...]]:
    """The engine, the groups and where each model stands."""
    work, hardware = build.work, build.scenario.hardware
    together, split = work.rollout == "colocated", training.engine_tp(build)
    flags: list[tuple[Word, ...]] = []
    for model in ("actor", "ref", *(("critic", "reward") if work.kind == "ppo" else ())):
        flags += [(f"--{model}.num_nodes", hardware.nodes), (f"--{model}.num_gpus_per_node", build.in_node)]
    flags += [
        ("--vllm.num_engines", max(1, hardware.gpus // split)),
        ("--vllm.tensor_parallel_size", split),
        ("--vllm.gpu_memory_utilization", work.rollout_share if together else 0.9),
        ("--rollout.batch_size", verl.prompts(build)),
        ("--rollout.micro_batch_size", work.micro_batch),
        ("--rollout.n_samples_per_prompt", work.group_size if work.kind == "grpo" else 1),
        ("--rollout.max_new_tokens", work.rolled_tokens),
        ("--algo.advantage.estimator", "group_norm" if work.kind == "grpo" else "gae"),
        ("--data.prompt_dataset", training.DATASET),
    ]
    if together:
        flags.append(("--train.colocate_all",))
        if work.rollout_sleeps:
            flags += [("--vllm.enable_sleep",), ("--ds.enable_sleep",)]
    if work.kind == "grpo" and work.compares:
        flags.append(("--algo.kl.use_loss",))
    if work.kind == "ppo":
        flags.append(("--reward.model_name_or_path", "YOUR_REWARD_MODEL"))
        flags.append(("--critic.model_name_or_path", build.checkpoint.name))
    return flags


def arguments(build: Build) -> list[tuple[Word, ...]]:
    """The arguments of the trainer."""
    work, batch = build.work, training.batch(build)
    model = "actor" if work.rolls_out else "model"
    flags: list[tuple[Word, ...]] = [
        (f"--{model}.model_name_or_path", build.checkpoint.name),
        ("--train.micro_batch_size", work.micro_batch),
        ("--train.batch_size", work.micro_batch * batch.micro_batches * batch.replicas),
        ("--train.max_epochs", 1),
        ("--data.max_len", work.sequence_length),
        ("--ds.zero_stage", _STAGES[work.sharding]),
        ("--ds.param_dtype", "bf16" if build.scenario.hardware.accelerator.supports_bf16 else "fp16"),
        ("--ds.attn_implementation", "flash_attention_2" if work.flash_attention else "eager"),
        ("--ckpt.output_dir", "out"),
    ]
    if not work.rolls_out:
        flags.append(("--data.dataset", training.DATASET))
    if work.sharding_group == "node" and build.scenario.hardware.nodes > 1:
        flags.append(("--ds.zpg", build.in_node))
    if build.sizing.layout.tp > 1:
        flags.append(("--ds.tensor_parallel_size", build.sizing.layout.tp))
    if batch.context > 1:
        flags.append(("--ds.ring_attn_size", batch.context))
    if training.adapters(build):
        modules = training.lora_modules(build)
        flags += [("--ds.lora.rank", work.lora_rank), ("--ds.lora.alpha", 2 * work.lora_rank)]
        flags.append(("--ds.lora.target_modules", *(["all-linear"] if modules is None else modules)))
    return flags + (_generating(build) if work.rolls_out else []) + _switches(build, model)


def write(build: Build) -> str:
    """The command. Raises CannotExport for a pipeline, spread experts, other bases than NF4, and losses that it has not."""
    training.no_pipeline(build, "openrlhf")
    work, hardware = build.work, build.scenario.hardware
    if work.kind == "dpo" and work.preference not in ("dpo", "ipo"):
        raise CannotExport(f"openrlhf has no {work.preference}: use axolotl or llamafactory")
    if work.trains == "qlora" and work.base_format in ("gptq", "int8"):
        raise CannotExport("openrlhf's 4 bits are bitsandbytes' NF4, and this is sized on another base: use torchrun")
    notes = [
        *training.unsaid(build, ("dpo", "reward", "grpo", "ppo")),
        f"put your data in place of {training.DATASET}",
        f"the run was sized as {training.steps(build)} steps: OpenRLHF counts epochs and samples (--data.max_samples)",
    ]
    if work.optimizer != "adamw":
        notes.append(
            f"not expressible: the optimizer {work.optimizer}; OpenRLHF steps AdamW with 32-bit states, or Muon"
        )
    if work.offload == "parameters":
        notes.append("not expressible: parameters in host memory; here the optimizer alone")
    if work.recompute == "selective":
        notes.append("not expressible: selective recompute; here full, which takes less memory and more time")
    if work.kind == "grpo":
        notes.append("your reward is a function or a server: --reward.remote_url")
    module = f"openrlhf.cli.{_MODULES.get(work.kind, 'train_sft')}"
    start = ["deepspeed", "--module", module]
    if work.rolls_out:
        start = ["python3", "-m", module]
        notes.append("start Ray on each node first, and this on one of them")
    elif hardware.nodes > 1:
        start = ["deepspeed", "--hostfile", "YOUR_HOSTFILE", "--module", module]
        notes.append(f"name {hardware.nodes} nodes of {build.in_node} slots in YOUR_HOSTFILE")
    return "\n".join([*build.head(CHECKED, *notes), "", command(start, arguments(build))]) + "\n"
