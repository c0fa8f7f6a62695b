"""Configurations of TRL's and Unsloth's command lines, and of torchtitan. Sources: each one's own arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tui.paste.found import Found
from tui.paste.trainers import FLAG, OPTIMIZERS, PREFERENCES, Config, Keys, answers, length, modules, ones, preference

_IGNORED = (
    "output_dir", "dataset_name", "dataset_config", "dataset_train_split", "dataset_test_split", "datasets", "learning_rate", "lora_alpha",
    "lora_dropout", "bf16", "fp16", "logging_steps", "eval_strategy", "eval_steps", "save_steps", "save_strategy", "report_to", "run_name",
    "warmup_steps", "warmup_ratio", "lr_scheduler_type", "weight_decay", "seed", "push_to_hub", "hub_model_id", "reward_funcs",
    "trust_remote_code", "model_revision", "dataset_num_proc", "bnb_4bit_quant_type", "max_grad_norm", "per_device_eval_batch_size",
    "gradient_checkpointing_kwargs", "vllm_max_model_length", "dataset_text_field", "accelerate_config", "log_completions", "remove_unused_columns",
)  # fmt: skip
_LOSSES = {"sigmoid": "dpo"}
_OF_RUNS = {"per_device_train_batch_size", "gradient_accumulation_steps", "max_steps", "max_length", "use_peft"}


def trl(config: Config, found: Found) -> bool:
    """TRL's YAML. Which of its commands reads it is told by what stands in it."""
    if "model_name_or_path" not in config or "finetuning_type" in config or not config.keys() & _OF_RUNS:
        return False
    keys = Keys(config, found, _IGNORED)
    found.kinds.append("TRL")
    found.model = str(keys.get("model_name_or_path"))
    found.say("a configuration of TRL", "workload.framework", "trl")
    adapts = keys.get("use_peft")
    eight, four, double = keys.get("load_in_8bit"), keys.get("load_in_4bit"), keys.get("use_bnb_nested_quant")
    tuned = "qlora" if eight or four else "lora" if adapts else "full-finetune"
    found.say(f"use_peft: {str(bool(adapts)).lower()}", "workload.kind", tuned)
    if tuned == "qlora":
        base = "int8" if eight else "nf4-double" if double else "nf4"
        found.say("load_in_8bit" if eight else "load_in_4bit", "workload.base_format", base)
    _loaded(keys, found)
    _kind(keys, found)
    keys.number("max_length", "workload.sequence_length", 2**24)
    keys.number("per_device_train_batch_size", "workload.micro_batch", 10**6)
    keys.number("gradient_accumulation_steps", "workload.gradient_accumulation", 10**6)
    keys.number("lora_r", "workload.lora_rank", 4096)
    named = keys.get("lora_target_modules")
    if named is not None:
        modules(Keys({"lora_target_modules": named}, found, ()), "lora_target_modules", found)
    keys.choice("optim", "workload.optimizer", OPTIMIZERS)
    keys.choice("use_liger_kernel", "workload.loss", {True: "fused", False: "auto"})
    keys.choice("packing", "workload.packing", FLAG)
    keys.choice("torch_compile", "workload.compile", FLAG)
    keys.choice("gradient_checkpointing", "workload.recompute", {True: "full", False: "none"})
    keys.choice("activation_offloading", "workload.activation_offload", FLAG)
    kernels = {"flash_attention_2": True, "flash_attention_3": True, "sdpa": True, "eager": False}
    keys.choice("attn_implementation", "workload.flash_attention", kernels)
    length(keys, found)
    ones(found)
    keys.done()
    return True


def _loaded(keys: Keys, found: Found) -> None:
    """The type that weights are loaded in, and of a 4-bit base that products are in: sized is one of 16 bits."""
    dtype = keys.get("dtype")
    if dtype is None:  # trl/trainer/model_config.py: ModelConfig.dtype
        found.assumed.append("weights loaded in 16 bits: the file names no dtype, and TRL's own is float32")
    elif str(dtype).removeprefix("torch.") in ("float32", "fp32"):
        found.unknown.append(f"dtype: {dtype}: not modelled, sized with weights loaded in 16 bits")
    else:
        found.passed.append("dtype")


def _kind(keys: Keys, found: Found) -> None:
    """Preferences and rewards, by the keys that only their commands take."""
    loss = keys.get("loss_type")
    loss = loss[0] if isinstance(loss, list) and loss else loss
    if keys.config.keys() & {"num_generations", "max_completion_length", "vllm_mode"}:
        preference(found, "num_generations", "grpo", "")
        longest = keys.config.get("vllm_max_model_length")
        if isinstance(longest, int) and not isinstance(longest, bool) and longest > 0:
            found.say(f"vllm_max_model_length: {longest}", "workload.sequence_length", longest)
        answers(keys)
        if keys.get("beta") == 0:
            found.say("beta: 0", "workload.reference_model", "none")
    elif isinstance(loss, str) and (_LOSSES.get(loss, loss) in PREFERENCES):
        preference(found, f"loss_type: {loss}", "dpo", _LOSSES.get(loss, loss))
    elif keys.get("beta") is not None or keys.config.keys() & {"precompute_ref_log_probs", "ref_model_mixup_alpha"}:
        preference(found, "beta", "dpo", "dpo")
    elif keys.get("center_rewards_coefficient") is not None:
        preference(found, "center_rewards_coefficient", "reward", "")
    elif "packing" not in keys.config:
        found.assumed.append("supervised fine-tuning: the file does not say which command of trl reads it")


def unsloth(config: Config, found: Found) -> bool:
    """Unsloth's YAML: a table for the run and one for its adapters."""
    table = config.get("training")
    if not isinstance(table, Mapping) or "training_type" not in table:
        return False
    keys = Keys(table, found, ("output_dir", "num_epochs", "learning_rate", "warmup_steps", "save_steps", "weight_decay", "random_seed",
                               "train_on_completions"))  # fmt: skip
    found.kinds.append("Unsloth")
    found.model = str(config.get("model"))
    found.say("a configuration of Unsloth", "workload.framework", "unsloth")
    found.say("a configuration of Unsloth", "workload.optimizer", "adamw-8bit")
    found.say("a configuration of Unsloth", "workload.sharding", "ddp")
    kind, four = keys.get("training_type"), keys.get("load_in_4bit")
    tuned = "full-finetune" if kind == "full" else "lora" if four is False else "qlora"
    found.say(f"training_type: {kind}", "workload.kind", tuned)
    if tuned == "qlora":
        found.say("load_in_4bit", "workload.base_format", "nf4-double")
    keys.number("max_seq_length", "workload.sequence_length", 2**24)
    keys.number("batch_size", "workload.micro_batch", 10**6)
    keys.number("gradient_accumulation_steps", "workload.gradient_accumulation", 10**6)
    keys.choice("packing", "workload.packing", FLAG)
    how = keys.get("gradient_checkpointing")
    if how in ("unsloth", "true", True, "none", False, None):
        found.say(f"gradient_checkpointing: {how}", "workload.recompute", "none" if how in ("none", False) else "full")
        if how in ("unsloth", None):
            found.say("gradient_checkpointing: unsloth", "workload.activation_offload", True)
    else:
        found.unknown.append(f"gradient_checkpointing: {str(how)[:40]}")
    adapters = config.get("lora")
    if isinstance(adapters, Mapping):
        inner = Keys(
            adapters, found, ("lora_alpha", "lora_dropout", "use_rslora", "use_loftq", "use_dora", "vision_all_linear")
        )
        inner.number("lora_r", "workload.lora_rank", 4096)
        modules(inner, "target_modules", found)
        inner.done("lora.")
    length(keys, found)
    ones(found)
    keys.done("training.")
    return True


def torchtitan(config: Config, found: Found) -> bool:
    """torchtitan's TOML: table by table."""
    training, parallel = config.get("training"), config.get("parallelism")
    if not isinstance(training, Mapping) or "local_batch_size" not in training:
        return False
    found.kinds.append("torchtitan")
    found.say("a configuration of torchtitan", "workload.framework", "torchtitan")
    found.say("a configuration of torchtitan", "workload.kind", "pretrain")
    model = config.get("model")
    if isinstance(model, Mapping):
        named = model.get("hf_assets_path") or f"{model.get('name', '')}-{model.get('flavor', '')}"
        found.model = str(named).removeprefix("./assets/hf/")
        _converters(model.get("converters"), found)
        found.passed += sorted(
            f"model.{key}" for key in model.keys() - {"converters", "hf_assets_path", "name", "flavor"}
        )
    keys = Keys(
        training,
        found,
        ("dataset", "max_norm", "dtype", "mixed_precision_param", "mixed_precision_reduce", "seed", "deterministic"),
    )
    sequence = keys.number("seq_len", "workload.sequence_length", 2**24)
    keys.number("local_batch_size", "workload.micro_batch", 10**6)
    batch, steps = keys.number("global_batch_size", "") or 0, keys.number("steps", "") or 0
    if keys.get("enable_cpu_offload"):
        found.say("enable_cpu_offload", "workload.offload", "parameters")
    keys.done()
    if batch and sequence:
        found.say(f"global_batch_size: {batch}", "workload.global_batch_tokens", batch * sequence)
        if steps:
            found.say(f"steps: {steps}", "workload.total_tokens", batch * sequence * steps)
    elif steps:
        found.assumed.append(f"the length of the run: {steps} steps of a batch whose ranks the file does not say")
    apart = Keys(
        parallel if isinstance(parallel, Mapping) else {},
        found,
        ("enable_async_tensor_parallel", "disable_loss_parallel"),
    )
    for key, target in (("tensor_parallel_degree", "layout.tp"), ("pipeline_parallel_degree", "layout.pp"),
                        ("expert_parallel_degree", "layout.ep"), ("context_parallel_degree", "workload.context_parallel")):  # fmt: skip
        apart.number(key, target, 10**5)
    # with stages the local batch is cut into micro-batches of this size
    apart.number("pipeline_parallel_microbatch_size", "workload.micro_batch", 10**6)
    copies = apart.number("data_parallel_replicate_degree", "", 10**6) or 1
    shards = apart.number("data_parallel_shard_degree", "", 10**6)
    if shards:  # -1, its default, is all ranks that there are
        context = found.value("workload.context_parallel") or 1
        found.say(f"{copies} copies of {shards} shards", "layout.dp", copies * shards * context)
    full = apart.get("fsdp_reshard_after_forward") != "never"
    found.say("data_parallel_shard_degree", "workload.sharding", "ddp" if shards == 1 else "zero3" if full else "zero2")
    if copies > 1 and shards != 1:
        found.say(f"data_parallel_replicate_degree: {copies}", "workload.sharding_group", "node")
    apart.choice(
        "pipeline_parallel_schedule", "workload.pipeline_schedule", {"1f1b": "1f1b", "interleaved1f1b": "interleaved"}
    )
    apart.done()
    for table, key, target, names in (
        (
            "activation_checkpoint",
            "mode",
            "workload.recompute",
            {"full": "full", "selective": "selective", "none": "none"},
        ),
        ("optimizer", "name", "workload.optimizer", {"adamw": "adamw", "adam": "adamw"}),
        ("compile", "enable", "workload.compile", FLAG),
    ):
        part = config.get(table)
        if isinstance(part, Mapping):
            Keys(part, found, ()).choice(key, target, names)
    found.passed += sorted(key for key in config if key in _TITAN_ASIDE)
    found.unknown += sorted(str(key)[:60] for key in config if key not in (*_TITAN_ASIDE, *_TITAN_READ))
    ones(found)
    return True


_TITAN_READ = ("model", "training", "parallelism", "activation_checkpoint", "optimizer", "compile")
_TITAN_ASIDE = (
    "job",
    "profiling",
    "metrics",
    "lr_scheduler",
    "checkpoint",
    "comm",
    "debug",
    "validation",
    "experimental",
    "quantize",
)
_CONVERTED = {"float8": "fp8"}


def _converters(named: object, found: Found) -> None:
    """torchtitan's model.converters: what computes the matrix products, such as `quantize.linear.float8`."""
    for one in named if isinstance(named, list) else [named] if named else []:
        kind, _, how = str(one).rpartition(".")
        if kind == "quantize.linear" and how in _CONVERTED:
            found.say(f"converters: {one}", "workload.compute_dtype", _CONVERTED[how])
        else:
            found.unknown.append(f"converters: {str(one)[:60]}")


TUNINGS: tuple[Callable[[Config, Found], bool], ...] = (trl, unsloth, torchtitan)
