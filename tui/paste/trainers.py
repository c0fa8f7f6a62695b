"""Configurations of trainers: DeepSpeed, Axolotl, LLaMA-Factory, Accelerate. Sources: each one's own reference."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from tui.paste.found import Found

OPTIMIZERS = {
    "adamw_torch": "adamw", "adamw_hf": "adamw", "adamw": "adamw", "adam": "adamw", "adamw_torch_fused": "adamw",
    "adamw_8bit": "adamw-8bit", "adamw_bnb_8bit": "adamw-8bit", "paged_adamw_8bit": "adamw-paged-8bit",
    "paged_adamw_32bit": "adamw-paged", "paged_adamw": "adamw-paged", "adamw_torch_4bit": "adamw-4bit", "adamw_torch_8bit": "adamw-8bit",
    "adafactor": "adafactor", "sgd": "sgd", "muon": "muon",
}  # fmt: skip
_ATTENTION = {"q_proj", "k_proj", "v_proj", "o_proj"}
_MLP = {"gate_proj", "up_proj", "down_proj"}
_TARGETS = {
    frozenset(_ATTENTION): "attention",
    frozenset({"q_proj", "v_proj"}): "attention-qv",
    frozenset(_MLP): "mlp",
    frozenset(_ATTENTION | _MLP): "all-linear",
    frozenset({"q_proj", "k_proj", "v_proj", *_MLP}): "attention-qkv-mlp",
    frozenset({"q_proj", "v_proj", "o_proj", *_MLP}): "attention-qvo-mlp",
}
_STAGES = ("ddp", "zero1", "zero2", "zero3")

Config = Mapping[str, Any]


class Keys:
    """The keys of one configuration: what is taken is struck off, what is left was not understood."""

    def __init__(self, config: Config, found: Found, ignored: tuple[str, ...]) -> None:
        self.config, self.found = config, found
        self.left = {str(key) for key in config} - set(ignored)
        found.passed += sorted({str(key) for key in config} & set(ignored))

    def get(self, key: str) -> Any:
        self.left.discard(key)
        return self.config.get(key)

    def number(self, key: str, target: str, largest: int = 10**12) -> int | None:
        value = self.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= largest:
            if value == "auto":
                self.found.assumed.append(f"{key}: auto is what the trainer's own arguments say")
            elif value in (None, 0, -1) and not isinstance(value, bool):
                self.found.passed += [key] if key in self.config else []
            else:
                self.found.unknown.append(f"{key}: {str(value)[:60]}")
            return None
        if target:
            self.found.say(f"{key}: {value:g}", target, int(value))
        return int(value)

    def choice(self, key: str, target: str, names: Mapping[Any, Any]) -> None:
        value = self.get(key)
        word = value.casefold() if isinstance(value, str) else value
        try:
            known = word in names
        except TypeError:
            known = False
        if known:
            self.found.say(f"{key}: {str(value).lower()}", target, names[word])
        elif value is not None:
            self.found.unknown.append(f"{key}: {str(value)[:60]}")

    def share(self, key: str, target: str) -> None:
        value = self.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1:
            self.found.say(f"{key}: {value:g}", target, float(value))
        elif value is not None:
            self.found.unknown.append(f"{key}: {str(value)[:60]}")

    def done(self, table: str = "") -> None:
        self.found.unknown += sorted(f"{table}{key}"[:60] for key in self.left)


def answers(keys: Keys) -> None:
    """The groups and the engine of GRPO by TRL's names."""
    keys.number("num_generations", "workload.group_size", 10**5)
    keys.number("max_completion_length", "workload.response_tokens", 2**24)
    keys.choice("vllm_mode", "workload.rollout", {"colocate": "colocated", "server": "apart"})
    keys.share("vllm_gpu_memory_utilization", "workload.rollout_share")
    keys.choice("vllm_enable_sleep_mode", "workload.rollout_sleeps", FLAG)
    engine_split(keys, "vllm_tensor_parallel_size")
    if keys.get("use_vllm") is False:
        keys.found.assumed.append("an engine of its own: use_vllm is off, and the trainer generates in slower steps")


def engine_split(keys: Keys, key: str) -> None:
    """Tensor parallelism of the engine that answers: it is sized over the fewest cards that hold the weights."""
    count = keys.number(key, "", 1024)
    if count:
        keys.found.assumed.append(f"{key}: {count}; the engine is sized on the fewest cards that hold the weights")


FLAG = {True: True, False: False}
FUSED = {True: "fused", False: "auto"}
"""Losses that never hold all logits: Liger's fused linear cross-entropy, and Apple's cut cross-entropy."""


def _targets(modules: Any) -> str | None:
    if isinstance(modules, str):
        modules = [one.strip() for one in modules.split(",")]
    if modules in (["all"], ["all-linear"], "all-linear"):
        return "all-linear"
    if not isinstance(modules, list) or not all(isinstance(one, str) for one in modules):
        return None
    return _TARGETS.get(frozenset(modules))


def ones(found: Found) -> None:
    for key in ("layout.tp", "layout.pp"):
        if found.value(key) is None:
            found.say("the trainer's default", key, 1)


def deepspeed(config: Config, found: Found) -> bool:
    """DeepSpeed's JSON. Its batch gives the ranks, its stage the shards."""
    if not isinstance(config.get("zero_optimization"), Mapping) and "train_micro_batch_size_per_gpu" not in config:
        return False
    keys = Keys(config, found, ("_comment", "gradient_clipping", "steps_per_print", "wall_clock_breakdown", "scheduler",
                                 "zero_allow_untested_optimizer", "communication_data_type", "flops_profiler"))  # fmt: skip
    found.kinds.append("DeepSpeed")
    if found.value("workload.kind") is None:
        found.say("a configuration of DeepSpeed", "workload.kind", "full-finetune")
        found.assumed.append("a full fine-tune: the file does not say what is trained")
    if found.value("workload.framework") is None:
        found.say("a configuration of DeepSpeed", "workload.framework", "deepspeed")
    micro = keys.number("train_micro_batch_size_per_gpu", "workload.micro_batch", 10**6)
    steps = keys.number("gradient_accumulation_steps", "workload.gradient_accumulation", 10**6)
    batch = keys.number("train_batch_size", "")
    context = keys.number("sequence_parallel_size", "workload.context_parallel", 4096) or 1
    zero = keys.get("zero_optimization")
    zero = zero if isinstance(zero, Mapping) else {}
    stage = zero.get("stage", 0)
    if stage in (0, 1, 2, 3):
        found.say(f"zero_optimization.stage {stage}", "workload.sharding", _STAGES[stage])
    offload = "none"
    if _device(zero.get("offload_optimizer")):
        offload = "optimizer"
    if _device(zero.get("offload_param")):
        offload = "parameters"
    if offload != "none":
        found.say(f"offload of the {offload}", "workload.offload", offload)
    found.passed += sorted(f"zero_optimization.{key}" for key in zero if key in _ZERO_TUNING)
    found.unknown += sorted(f"zero_optimization.{key}"[:60] for key in zero if key not in (*_ZERO_TUNING, *_ZERO))
    if isinstance(zero.get("zero_hpz_partition_size"), int) and zero["zero_hpz_partition_size"] > 1:
        found.say("zero_hpz_partition_size", "workload.sharding_group", "node")
    parallel = keys.get("tensor_parallel")
    if isinstance(parallel, Mapping) and isinstance(parallel.get("autotp_size"), int):
        found.say(f"autotp_size {parallel['autotp_size']}", "layout.tp", parallel["autotp_size"])
    optimizer = keys.get("optimizer")
    if isinstance(optimizer, Mapping):
        name = OPTIMIZERS.get(str(optimizer.get("type", "")).casefold())
        if name:
            found.say(f"optimizer {optimizer.get('type')}", "workload.optimizer", name)
        else:
            found.unknown.append(f"optimizer {str(optimizer.get('type'))[:40]}")
    for key in ("bf16", "fp16"):
        if keys.get(key) is not None:
            found.passed.append(key)
    if micro and steps and batch and batch % (micro * steps) == 0:
        ranks = batch // (micro * steps) * context
        found.say(f"train_batch_size {batch} over {micro} x {steps}", "layout.dp", ranks)
    ones(found)
    keys.done()
    return True


_ZERO = ("stage", "offload_optimizer", "offload_param", "zero_hpz_partition_size")
_ZERO_TUNING = (
    "overlap_comm", "contiguous_gradients", "sub_group_size", "reduce_bucket_size", "allgather_bucket_size", "reduce_scatter",
    "allgather_partitions", "stage3_prefetch_bucket_size", "stage3_param_persistence_threshold", "stage3_max_live_parameters",
    "stage3_max_reuse_distance", "stage3_gather_16bit_weights_on_model_save", "round_robin_gradients", "load_from_fp32_weights",
    "ignore_unused_parameters", "elastic_checkpoint", "use_multi_rank_bucket_allreduce",
)  # fmt: skip
"""Keys of DeepSpeed's zero_optimization that are read, and those that tune what its buckets and prefetches are known to be."""


def _device(part: Any) -> bool:
    return isinstance(part, Mapping) and part.get("device") in ("cpu", "nvme")


def _sharding_named(name: str) -> str | None:
    match = re.search(r"z(?:ero)?[_-]?(\d)", name.casefold())
    return _STAGES[int(match[1])] if match and int(match[1]) < 4 else None


def axolotl(config: Config, found: Found) -> bool:
    """Axolotl's YAML."""
    if "base_model" not in config or not config.keys() & {"micro_batch_size", "sequence_len", "adapter", "datasets"}:
        return False
    keys = Keys(config, found, ("output_dir", "datasets", "learning_rate", "pretraining_dataset", "lora_alpha", "lora_dropout",
                                 "warmup_steps", "lr_scheduler", "val_set_size", "logging_steps", "saves_per_epoch", "evals_per_epoch",
                                 "weight_decay", "special_tokens", "dataset_prepared_path", "wandb_project", "wandb_entity", "wandb_name",
                                 "wandb_log_model", "wandb_watch", "tf32", "warmup_ratio", "pad_to_sequence_len", "chat_template",
                                 "save_safetensors", "strict", "group_by_length", "bf16", "fp16", "early_stopping_patience", "plugins",
                                 "fsdp_version", "save_first_step", "eval_sample_packing", "model_type", "tokenizer_type", "hub_model_id",
                                 "gradient_checkpointing_kwargs", "train_on_inputs", "liger_rope", "liger_rms_norm", "liger_glu_activation",
                                 "liger_layer_norm", "resume_from_checkpoint", "xformers_attention", "remove_unused_columns"))  # fmt: skip
    found.kinds.append("Axolotl")
    found.model = str(keys.get("base_model"))
    found.say("a configuration of Axolotl", "workload.framework", "axolotl")
    adapter = keys.get("adapter")
    if adapter in ("lora", "qlora"):
        found.say(f"adapter: {adapter}", "workload.kind", adapter)
    elif adapter:
        found.unknown.append(f"adapter: {str(adapter)[:40]}")
    else:
        kind = "pretrain" if config.get("pretraining_dataset") else "full-finetune"
        found.say("no adapter", "workload.kind", kind)
    rl = keys.get("rl")
    if rl in (*PREFERENCES, "grpo"):
        preference(found, f"rl: {rl}", "grpo" if rl == "grpo" else "dpo", str(rl))
    elif rl:
        found.unknown.append(f"rl: {str(rl)[:40]}")
    if keys.get("reward_model"):
        preference(found, "reward_model: true", "reward", "")
    _engine(keys, found)
    eight, four = keys.get("load_in_8bit"), keys.get("load_in_4bit")
    if adapter == "qlora" or four:
        found.say(
            "load_in_8bit" if eight else "load_in_4bit", "workload.base_format", "int8" if eight else "nf4-double"
        )
    keys.number("sequence_len", "workload.sequence_length", 2**24)
    keys.number("micro_batch_size", "workload.micro_batch", 10**6)
    keys.number("gradient_accumulation_steps", "workload.gradient_accumulation", 10**6)
    keys.number("lora_r", "workload.lora_rank", 4096)
    if keys.get("lora_target_linear"):
        found.say("lora_target_linear", "workload.lora_targets", "all-linear")
    modules(keys, "lora_target_modules", found)
    keys.choice("optimizer", "workload.optimizer", OPTIMIZERS)
    for fused in ("liger_fused_linear_cross_entropy", "cut_cross_entropy"):
        keys.choice(fused, "workload.loss", FUSED)
    keys.choice("sample_packing", "workload.packing", FLAG)
    keys.choice("flash_attention", "workload.flash_attention", FLAG)
    keys.choice("torch_compile", "workload.compile", FLAG)
    keys.choice("gradient_checkpointing", "workload.recompute", {True: "full", False: "none", "offload": "full"})
    keys.number("tensor_parallel_size", "layout.tp", 1024)
    context = keys.number("context_parallel_size", "workload.context_parallel", 4096) or 1
    shard, copies = keys.number("dp_shard_size", ""), keys.number("dp_replicate_size", "")
    if shard or (copies and config.get("dp_shard_size") != -1):
        found.say(f"{copies or 1} copies of {shard or 1} shards", "layout.dp", (shard or 1) * (copies or 1) * context)
    if copies and copies > 1 and (shard or config.get("dp_shard_size") == -1):
        found.say(f"dp_replicate_size: {copies}", "workload.sharding_group", "node")
    _sharded(keys, found, "fsdp_config", "reshard_after_forward", "offload_params")
    length(keys, found)
    ones(found)
    keys.done()
    return True


def _engine(keys: Keys, found: Found) -> None:
    """Axolotl's tables of TRL's GRPO and of its engine."""
    told, engine = keys.get("trl"), keys.get("vllm")
    if isinstance(told, Mapping):
        inner = Keys(told, found, ("reward_funcs", "reward_weights", "log_completions", "scale_rewards", "loss_type", "epsilon",
                                   "epsilon_high", "temperature", "top_p", "top_k", "num_iterations", "vllm_server_host",
                                   "vllm_server_port", "vllm_server_timeout", "mask_truncated_completions"))  # fmt: skip
        answers(inner)
        if inner.get("beta") == 0:
            found.say("trl.beta: 0", "workload.reference_model", "none")
        inner.done("trl.")
    if isinstance(engine, Mapping):
        inner = Keys(
            engine, found, ("host", "port", "dtype", "enable_prefix_caching", "max_model_len", "enable_reasoning")
        )
        inner.share("gpu_memory_utilization", "workload.rollout_share")
        inner.done("vllm.")


_STAGE_KINDS = {"dpo": "dpo", "kto": "dpo", "rm": "reward", "ppo": "ppo"}
_LOSSES = {"sigmoid": "dpo"}
PREFERENCES = ("dpo", "ipo", "kto", "orpo", "simpo")


def preference(found: Found, words: str, kind: str, loss: str) -> None:
    """A run on preferences or rewards: what was read as its adapters or all weights is how it is tuned."""
    tuned = found.value("workload.kind")
    found.say(words, "workload.kind", kind)
    found.say(words, "workload.tuning", tuned if tuned in ("lora", "qlora") else "full")
    if kind == "dpo" and loss in PREFERENCES:
        found.say(words, "workload.preference", loss)
    elif kind == "dpo":
        found.unknown.append(f"the loss {loss[:40]}: sized as DPO's")


def modules(keys: Keys, key: str, found: Found) -> None:
    """The matrices that get adapters."""
    names = keys.get(key)
    if names is None:
        return
    meant = _targets(names)
    if meant is None:
        found.unknown.append(f"{key}: {str(names)[:60]}")
    else:
        found.say(key, "workload.lora_targets", meant)


def _sharded(keys: Keys, found: Found, name: str, reshard: str, offload: str) -> None:
    """FSDP's table, or the name of a file of DeepSpeed's."""
    file, shards, old = keys.get("deepspeed"), keys.get(name), keys.get("fsdp")
    if isinstance(file, str):
        stage = _sharding_named(file)
        if stage:
            found.say(f"deepspeed: {file}", "workload.sharding", stage)
        elif found.value("workload.sharding") is None:
            found.say(f"deepspeed: {file}", "workload.sharding", "zero3")
            found.assumed.append(f"ZeRO-3: {file} is not pasted beside it, and its name says no stage")
    elif isinstance(shards, Mapping):
        word = next((key for key in (reshard, f"fsdp_{reshard}") if key in shards), "")
        full = shards[word] if word else not (isinstance(old, list | str) and "shard_grad_op" in old)
        said = f"{name}.{word}: {str(full).lower()}" if word else f"fsdp: {old}" if old else name
        found.say(said, "workload.sharding", "zero3" if full else "zero2")
        if shards.get(offload) or shards.get(f"fsdp_{offload}"):
            found.say(f"{name}.{offload}", "workload.offload", "parameters")
    elif old:
        part = isinstance(old, list | str) and "shard_grad_op" in old
        found.say(f"fsdp: {old}", "workload.sharding", "zero2" if part else "zero3")
    elif found.value("workload.sharding") is None:
        found.say("no shards named", "workload.sharding", "ddp")


def length(keys: Keys, found: Found) -> None:
    steps, epochs = keys.number("max_steps", ""), keys.get("num_epochs") or keys.get("num_train_epochs")
    keys.left -= {"num_epochs", "num_train_epochs"}
    if steps:
        each = [found.value(f"workload.{key}") for key in ("micro_batch", "gradient_accumulation", "sequence_length")]
        ranks = found.value("layout.dp")
        if all(each) and ranks:
            shared = found.value("workload.context_parallel") or 1
            total = steps * each[0] * each[1] * each[2] * max(1, ranks // shared)
            found.say(f"max_steps: {steps}", "workload.total_tokens", total)
        else:
            found.assumed.append(f"the length of the run: {steps} steps of a batch whose ranks the file does not say")
    elif epochs:
        found.assumed.append(f"the length of the run: {epochs} epochs of data that the file does not count")


def llamafactory(config: Config, found: Found) -> bool:
    """LLaMA-Factory's YAML."""
    if "model_name_or_path" not in config or not config.keys() & {"finetuning_type", "cutoff_len", "stage"}:
        return False
    keys = Keys(config, found, ("do_train", "dataset", "dataset_dir", "template", "output_dir", "learning_rate", "lora_alpha", "lora_dropout",
                                 "logging_steps", "save_steps", "plot_loss", "overwrite_output_dir", "warmup_ratio", "warmup_steps",
                                 "lr_scheduler_type", "max_samples", "overwrite_cache", "preprocessing_num_workers", "bf16", "fp16",
                                 "ddp_timeout", "val_size", "per_device_eval_batch_size", "eval_strategy", "eval_steps", "report_to",
                                 "save_only_model", "dataloader_num_workers", "trust_remote_code", "resume_from_checkpoint", "neat_packing",
                                 "quantization_method", "save_strategy", "run_name", "weight_decay", "max_grad_norm", "seed"))  # fmt: skip
    found.kinds.append("LLaMA-Factory")
    found.model = str(keys.get("model_name_or_path"))
    found.say("a configuration of LLaMA-Factory", "workload.framework", "llama-factory")
    bits, kind, stage = keys.get("quantization_bit"), keys.get("finetuning_type"), keys.get("stage")
    double = keys.get("double_quantization")
    if kind == "lora" or kind is None:
        found.say(f"finetuning_type: {kind}", "workload.kind", "qlora" if bits in (4, 8) else "lora")
    elif kind == "full":
        found.say("finetuning_type: full", "workload.kind", "pretrain" if stage == "pt" else "full-finetune")
    else:
        found.unknown.append(f"finetuning_type: {str(kind)[:40]}")
    if stage in _STAGE_KINDS:
        loss = str(keys.get("pref_loss") or "sigmoid")
        preference(found, f"stage: {stage}", _STAGE_KINDS[stage], "kto" if stage == "kto" else _LOSSES.get(loss, loss))
    elif stage not in (None, "sft", "pt"):
        found.unknown.append(f"stage: {str(stage)[:40]}: sized as supervised fine-tuning")
    if bits in (4, 8):
        base = "int8" if bits == 8 else "nf4" if double is False else "nf4-double"
        found.say(f"quantization_bit: {bits}", "workload.base_format", base)
    keys.number("cutoff_len", "workload.sequence_length", 2**24)
    keys.number("per_device_train_batch_size", "workload.micro_batch", 10**6)
    keys.number("gradient_accumulation_steps", "workload.gradient_accumulation", 10**6)
    keys.number("lora_rank", "workload.lora_rank", 4096)
    modules(keys, "lora_target", found)
    keys.choice("optim", "workload.optimizer", OPTIMIZERS)
    keys.choice("enable_liger_kernel", "workload.loss", FUSED)
    keys.choice("packing", "workload.packing", FLAG)
    keys.choice("torch_compile", "workload.compile", FLAG)
    keys.choice("disable_gradient_checkpointing", "workload.recompute", {True: "none", False: "full"})
    keys.choice(
        "flash_attn",
        "workload.flash_attention",
        {"fa2": True, "auto": True, "sdpa": True, "fa3": True, "disabled": False},
    )
    _sharded(keys, found, "fsdp_config", "reshard_after_forward", "offload_params")
    length(keys, found)
    ones(found)
    keys.done()
    return True


def accelerate(config: Config, found: Found) -> bool:
    """Accelerate's YAML: ranks, and FSDP's shards."""
    if not config.keys() & {"distributed_type", "num_processes"} or "mixed_precision" not in config:
        return False
    keys = Keys(config, found, ("compute_environment", "machine_rank", "main_process_ip", "main_process_port", "mixed_precision",
                                 "debug", "downcast_bf16", "main_training_function", "rdzv_backend", "same_network", "use_cpu",
                                 "tpu_env", "tpu_use_cluster", "tpu_use_sudo", "enable_cpu_affinity", "gpu_ids", "distributed_type"))  # fmt: skip
    found.kinds.append("Accelerate")
    if found.value("workload.kind") is None:
        found.say("a configuration of Accelerate", "workload.kind", "full-finetune")
        found.assumed.append("a full fine-tune: the file does not say what is trained")
    ranks = keys.number("num_processes", "", 10**6)
    nodes = keys.number("num_machines", "", 10**5) or 1
    if ranks:
        found.nodes, found.gpus = nodes, max(1, ranks // nodes)
    parallel = keys.get("parallelism_config")
    parallel = parallel if isinstance(parallel, Mapping) else {}
    tp = parallel.get("parallelism_config_tp_size", 1)
    context = parallel.get("parallelism_config_cp_size", 1)
    if isinstance(tp, int) and tp > 1:
        found.say(f"parallelism_config_tp_size: {tp}", "layout.tp", tp)
    if isinstance(context, int) and context > 1:
        found.say(f"parallelism_config_cp_size: {context}", "workload.context_parallel", context)
    copies = parallel.get("parallelism_config_dp_replicate_size", 1)
    if isinstance(copies, int) and copies > 1 and nodes > 1:
        found.say(f"parallelism_config_dp_replicate_size: {copies}", "workload.sharding_group", "node")
    if ranks:
        across = tp if isinstance(tp, int) and tp > 0 else 1
        found.say(f"num_processes: {ranks}", "layout.dp", max(1, ranks // across))
    shards = config.get("fsdp_config")
    if isinstance(shards, Mapping) and shards.get("fsdp_activation_checkpointing") is not None:
        full = bool(shards["fsdp_activation_checkpointing"])
        found.say("fsdp_activation_checkpointing", "workload.recompute", "full" if full else "none")
    _sharded(keys, found, "fsdp_config", "fsdp_reshard_after_forward", "fsdp_offload_params")
    ones(found)
    keys.done()
    return True


TRAINERS: tuple[Callable[[Config, Found], bool], ...] = (axolotl, llamafactory, deepspeed, accelerate)
