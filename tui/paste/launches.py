"""Commands of trainers: verl, OpenRLHF, Megatron-LM, Megatron-Bridge and torchtune. Sources: each one's own arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tui.paste.found import Found
from tui.paste.trainers import FLAG, Keys, engine_split, modules, preference

_SHARDS = {"no_shard": "ddp", "optim": "zero1", "optim_grads": "zero2", "optim_grads_params": "zero3"}
_STAGES = {0: "ddp", 1: "zero1", 2: "zero2", 3: "zero3"}


def scalar(word: str) -> Any:
    """A value of a command: a number, a switch, a list in brackets, or the word."""
    lowered = word.casefold()
    if lowered in ("true", "false"):
        return lowered == "true"
    if word.startswith("[") and word.endswith("]"):
        return [one.strip(" '\"") for one in word[1:-1].split(",") if one.strip()]
    try:
        return int(word)
    except ValueError:
        try:
            return float(word)
        except ValueError:
            return word


def options(words: Sequence[str]) -> dict[str, Any]:
    """What a command sets: flags with their values, lists of them, switches as True, and `key=value`."""
    found: dict[str, Any] = {}
    flag = ""
    for word in words:
        if word.startswith("--"):
            flag, equals, value = word[2:].partition("=")
            found[flag] = scalar(value) if equals else True
            flag = "" if equals else flag
        elif re.match(r"\+*[A-Za-z_][\w.]*=", word):
            key, _, value = word.lstrip("+").partition("=")
            found[key], flag = scalar(value), ""
        elif flag:
            held = found[flag]
            found[flag] = (
                scalar(word) if held is True else [*(held if isinstance(held, list) else [held]), scalar(word)]
            )
    return found


def _ranks(before: Sequence[str], found: Found) -> int:
    """The processes that torchrun starts. before: its own words, which stand before the script."""
    said = options(before)
    nodes = next((said[key] for key in ("nnodes", "nodes") if isinstance(said.get(key), int)), 1)
    each = next((said[key] for key in ("nproc-per-node", "nproc_per_node") if isinstance(said.get(key), int)), 0)
    if not each:
        return 0
    found.nodes, found.gpus = max(1, min(nodes, 10**5)), max(1, min(each, 1024))
    return int(found.nodes * found.gpus)


def _steps(found: Found, batch: Any, steps: int | None, length: Any) -> None:
    """The length of a run from its steps; its batch in samples."""
    if not all(isinstance(one, int) and not isinstance(one, bool) and one > 0 for one in (batch, length)):
        return
    found.say(f"{batch} sequences a step", "workload.global_batch_tokens", batch * length)
    if steps:
        found.say(f"{steps} steps", "workload.total_tokens", batch * length * steps)


def _split(found: Found, ranks: int) -> None:
    """The replicas: what is left of the processes when the splits have taken theirs."""
    if ranks:
        across = (found.value("layout.tp") or 1) * (found.value("layout.pp") or 1)
        found.say(f"{ranks} processes", "layout.dp", max(1, ranks // across))


def _micro_batch(keys: Keys, found: Found, actor: str) -> None:
    """verl's micro-batch: so many sequences, or with use_dynamic_bsz as many as so many tokens of each GPU hold."""
    across = keys.number(f"{actor}ulysses_sequence_parallel_size", "workload.context_parallel", 4096) or 1
    dynamic, length = keys.get(f"{actor}use_dynamic_bsz"), found.value("workload.sequence_length")
    tokens = keys.number(f"{actor}ppo_max_token_len_per_gpu", "")
    if dynamic is True and tokens and length:
        keys.left.discard(f"{actor}ppo_micro_batch_size_per_gpu")
        held = max(1, tokens * across // length)
        found.say(f"ppo_max_token_len_per_gpu: {tokens}, in sequences of {length}", "workload.micro_batch", held)
        return
    micro = keys.number(f"{actor}ppo_micro_batch_size_per_gpu", "workload.micro_batch", 10**6)
    if micro and micro > 1 and length and keys.config.get("actor_rollout_ref.model.use_remove_padding") is True:
        found.assumed.append(
            f"micro-batches of {micro} sequences of {length:,} tokens, the longest that they can be: how long answers are is not "
            "said; use_dynamic_bsz with ppo_max_token_len_per_gpu bounds the tokens"
        )
    elif dynamic is True:
        found.assumed.append(
            "the tokens of a micro-batch: use_dynamic_bsz is on, and ppo_max_token_len_per_gpu is not said"
        )


def verl(said: Mapping[str, Any], before: Sequence[str], found: Found) -> None:
    """verl: keys of Hydra."""
    actor, rollout, model = "actor_rollout_ref.actor.", "actor_rollout_ref.rollout.", "actor_rollout_ref.model."
    keys = Keys(
        said, found, tuple(key for key in said if key.startswith(("trainer.", "reward", "ray_", "critic.", "custom_")))
    )
    found.say("a command of verl", "workload.framework", "verl")
    found.model = str(keys.get(f"{model}path") or "")
    rank = keys.get(f"{model}lora_rank")
    found.say("lora_rank" if rank else "no lora_rank", "workload.kind", "lora" if rank else "full-finetune")
    kind = "grpo" if keys.get("algorithm.adv_estimator") == "grpo" else "ppo"
    preference(found, f"adv_estimator: {said.get('algorithm.adv_estimator', 'gae')}", kind, "")
    if rank:
        keys.number(f"{model}lora_rank", "workload.lora_rank", 4096)
        modules(keys, f"{model}target_modules", found)
    prompt, answer = (
        keys.number("data.max_prompt_length", ""),
        keys.number("data.max_response_length", "workload.response_tokens"),
    )
    if prompt and answer:
        found.say(f"prompts of {prompt} and answers of {answer}", "workload.sequence_length", prompt + answer)
    _micro_batch(keys, found, actor)
    group = keys.number(f"{rollout}n", "workload.group_size", 10**5) or 1
    keys.choice(f"{model}enable_gradient_checkpointing", "workload.recompute", {True: "full", False: "none"})
    keys.choice(f"{model}enable_activation_offload", "workload.activation_offload", FLAG)
    keys.choice(f"{model}use_remove_padding", "workload.packing", FLAG)
    keys.share(f"{rollout}gpu_memory_utilization", "workload.rollout_share")
    keys.choice(f"{rollout}free_cache_engine", "workload.rollout_sleeps", FLAG)
    engine_split(keys, f"{rollout}tensor_model_parallel_size")
    fsdp = f"{actor}fsdp_config."
    full = keys.get(f"{fsdp}reshard_after_forward")
    found.say("reshard_after_forward", "workload.sharding", "zero2" if full is False else "zero3")
    size = keys.get(f"{fsdp}fsdp_size")
    if isinstance(size, int) and size > 0:
        found.say(f"fsdp_size: {size}", "workload.sharding_group", "node")
    parameters, states = keys.get(f"{fsdp}param_offload"), keys.get(f"{fsdp}optimizer_offload")
    if parameters or states:
        found.say(
            "param_offload" if parameters else "optimizer_offload",
            "workload.offload",
            "parameters" if parameters else "optimizer",
        )
    if keys.get(f"{actor}use_kl_loss") is False and kind == "grpo":
        found.say("use_kl_loss: false", "workload.reference_model", "none")
    nodes, each = said.get("trainer.nnodes", 1), said.get("trainer.n_gpus_per_node")
    if isinstance(each, int) and isinstance(nodes, int) and 0 < each <= 1024 and 0 < nodes <= 10**5:
        found.nodes, found.gpus = nodes, each
        found.say("layout of FSDP", "layout.dp", nodes * each)
    prompts = keys.number("data.train_batch_size", "")
    steps = said.get("trainer.total_training_steps")
    _steps(
        found,
        (prompts or 0) * group,
        steps if isinstance(steps, int) else None,
        found.value("workload.sequence_length"),
    )
    aside = (
        "data.",
        f"{rollout}name",
        f"{actor}ppo_mini",
        f"{rollout}log_prob",
        "actor_rollout_ref.ref.",
        f"{model}lora_alpha",
        "algorithm.",
    )
    found.passed += sorted(key for key in keys.left if key.startswith(aside))
    keys.left -= {key for key in keys.left if key.startswith(aside)}
    keys.done()


def openrlhf(said: Mapping[str, Any], before: Sequence[str], found: Found) -> None:
    """OpenRLHF: flags with a dot, one of four trainers."""
    trainer = next(word for word in before if word.startswith("openrlhf.cli.")).removeprefix("openrlhf.cli.")
    who = "actor" if trainer == "train_ppo_ray" else "model"
    keys = Keys(said, found, tuple(key for key in said if key.startswith(("data.p", "data.d", "data.a", "data.i", "logger.", "ckpt.", "eval.",
                                                                          "adam.", "algo.kl", "reward.", "critic.", "ref.", "vllm."))))  # fmt: skip
    found.say("a command of OpenRLHF", "workload.framework", "openrlhf")
    found.model = str(keys.get(f"{who}.model_name_or_path") or "")
    rank, four = keys.get("ds.lora.rank"), keys.get("ds.load_in_4bit")
    tuned = (
        "qlora"
        if rank and four
        else "lora"
        if rank
        else "pretrain"
        if keys.get("model.pretrain_mode_enable")
        else "full-finetune"
    )
    found.say("ds.lora.rank" if rank else "no adapters", "workload.kind", tuned)
    if tuned == "qlora":
        found.say("ds.load_in_4bit", "workload.base_format", "nf4-double")
    if rank:
        keys.number("ds.lora.rank", "workload.lora_rank", 4096)
        named = keys.get("ds.lora.target_modules")
        if named is not None:
            listed = named if isinstance(named, list) else [named]
            modules(Keys({"ds.lora.target_modules": listed}, found, ()), "ds.lora.target_modules", found)
    estimator = keys.get("algo.advantage.estimator")
    if trainer == "train_ppo_ray":
        preference(found, f"advantage.estimator: {estimator}", "ppo" if estimator in (None, "gae") else "grpo", "")
    elif trainer in ("train_dpo", "train_rm"):
        loss = "ipo" if keys.get("model.ipo_enable") else "dpo"
        preference(found, trainer, "dpo" if trainer == "train_dpo" else "reward", loss)
    keys.number("data.max_len", "workload.sequence_length", 2**24)
    keys.number("train.micro_batch_size", "workload.micro_batch", 10**6)
    keys.choice("ds.zero_stage", "workload.sharding", _STAGES)
    found.say("ds.packing_samples", "workload.packing", bool(keys.get("ds.packing_samples")))
    keys.choice("ds.use_liger_kernel", "workload.loss", {True: "fused"})
    checkpoints = keys.get(f"{who}.gradient_checkpointing_enable")
    found.say("gradient_checkpointing_enable", "workload.recompute", "full" if checkpoints else "none")
    if keys.get("ds.adam_offload"):
        found.say("ds.adam_offload", "workload.offload", "optimizer")
    if keys.number("ds.zpg", "", 10**5) not in (None, 1):
        found.say("ds.zpg", "workload.sharding_group", "node")
    keys.number("ds.tensor_parallel_size", "layout.tp", 1024)
    keys.number("ds.ring_attn_size", "workload.context_parallel", 4096)
    if trainer == "train_ppo_ray":
        keys.number("rollout.n_samples_per_prompt", "workload.group_size", 10**5)
        keys.number("rollout.max_new_tokens", "workload.response_tokens", 2**24)
        split = {key: said[key] for key in ("vllm.tensor_parallel_size",) if key in said}
        engine_split(Keys(split, found, ()), "vllm.tensor_parallel_size")
        together = bool(keys.get("train.colocate_all"))
        found.say("train.colocate_all", "workload.rollout", "colocated" if together else "apart")
        if together:
            Keys({"vllm.gpu_memory_utilization": said.get("vllm.gpu_memory_utilization")}, found, ()).share(
                "vllm.gpu_memory_utilization", "workload.rollout_share"
            )
            found.say("vllm.enable_sleep", "workload.rollout_sleeps", bool(said.get("vllm.enable_sleep")))
        nodes, each = keys.get("actor.num_nodes"), keys.get("actor.num_gpus_per_node")
        if isinstance(nodes, int) and isinstance(each, int) and 0 < nodes <= 10**5 and 0 < each <= 1024:
            found.nodes, found.gpus = nodes, each
            _split(found, nodes * each)
    batch, pairs = keys.get("train.batch_size"), 2 if trainer in ("train_dpo", "train_rm") else 1
    _steps(found, batch * pairs if isinstance(batch, int) else None, None, found.value("workload.sequence_length"))
    aside = ("ds.", "rollout.", "train.", f"{who}.", "module")
    found.passed += sorted(key for key in keys.left if key.startswith(aside))
    keys.left -= {key for key in keys.left if key.startswith(aside)}
    keys.done()


_MEGATRON_ASIDE = (
    "num-layers", "hidden-size", "num-attention-heads", "kv-channels", "max-position-embeddings", "position-embedding-type", "normalization",
    "disable-bias-linear", "ffn-hidden-size", "swiglu", "group-query-attention", "num-query-groups", "untie-embeddings-and-output-weights",
    "num-experts", "moe-router-topk", "moe-ffn-hidden-size", "moe-grouped-gemm", "moe-token-dispatcher-type", "tokenizer-type", "data-path",
    "bf16", "fp16", "sequence-parallel", "lr", "min-lr", "save", "load", "recompute-method", "recompute-num-layers", "use-mcore-models",
    "attention-dropout", "hidden-dropout", "rotary-base", "rotary-percent", "weight-decay", "clip-grad", "log-interval", "save-interval",
    "eval-interval", "eval-iters", "adam-beta1", "adam-beta2", "lr-decay-style", "lr-warmup-iters", "init-method-std", "overlap-grad-reduce",
    "overlap-param-gather", "lr-warmup-fraction", "ckpt-format", "transformer-impl", "norm-epsilon", "split", "distributed-backend", "no-load-optim", "no-load-rng", "seed",
)  # fmt: skip


def megatron(said: Mapping[str, Any], before: Sequence[str], found: Found) -> None:
    """Megatron-LM: the arguments of its script."""
    keys = Keys(said, found, _MEGATRON_ASIDE)
    found.say("a command of Megatron-LM", "workload.framework", "megatron")
    found.say("a command of Megatron-LM", "workload.kind", "pretrain")
    found.model = str(keys.get("tokenizer-model") or "")
    keys.number("tensor-model-parallel-size", "layout.tp", 1024)
    keys.number("pipeline-model-parallel-size", "layout.pp", 1024)
    keys.number("expert-model-parallel-size", "layout.ep", 1024)
    keys.number("context-parallel-size", "workload.context_parallel", 4096)
    keys.number("micro-batch-size", "workload.micro_batch", 10**6)
    keys.number("seq-length", "workload.sequence_length", 2**24)
    keys.choice("optimizer", "workload.optimizer", {"adam": "adamw", "sgd": "sgd", "muon": "muon"})
    if keys.number("num-virtual-stages-per-pipeline-rank", "workload.virtual_stages", 1024):
        found.say("virtual stages", "workload.pipeline_schedule", "interleaved")
    shards = keys.get("data-parallel-sharding-strategy") if keys.get("use-megatron-fsdp") else None
    states = keys.get("use-distributed-optimizer")
    found.say(
        str(shards or "use-distributed-optimizer"),
        "workload.sharding",
        _SHARDS.get(str(shards), "zero1" if states else "ddp"),
    )
    if keys.get("optimizer-cpu-offload"):
        found.say("optimizer-cpu-offload", "workload.offload", "optimizer")
    if keys.get("fp8-format"):
        found.say("fp8-format", "workload.compute_dtype", "fp8")
    if keys.get("fp4-format"):
        found.say("fp4-format", "workload.compute_dtype", "nvfp4")
    how, parts = keys.get("recompute-granularity"), keys.get("recompute-modules")
    listed = (parts if isinstance(parts, list) else [parts]) if parts else None
    _recomputed(found, "-", how, listed)
    _split(found, _ranks(before[:-1], found))
    _steps(
        found, keys.get("global-batch-size"), keys.number("train-iters", ""), found.value("workload.sequence_length")
    )
    keys.done()


def _recomputed(found: Found, mark: str, how: object, parts: list[Any] | None) -> None:
    """What is computed again, in Megatron-Core's words. mark: what joins the words of a name where it is told."""
    granularity = how if how in ("full", "selective") else "none"
    found.say(f"recompute{mark}granularity: {how}", "workload.recompute", granularity)
    if how == "selective" and parts is not None:
        found.say(f"recompute{mark}modules", "workload.recompute_modules", "+".join(map(str, sorted(parts))))


def nemo(said: Mapping[str, Any], before: Sequence[str], found: Found) -> None:
    """Megatron-Bridge: a recipe, and keys in place of its own."""
    keys = Keys(said, found, ("dataset", "model.sequence_parallel", "model.seq_length", "model.recompute_method", "model.recompute_num_layers",
                              "peft.alpha", "checkpoint.pretrained_checkpoint", "checkpoint.ckpt_format", "dataset.blend", "dataset.dataset_root", "step_func"))  # fmt: skip
    recipe = str(keys.get("recipe") or "")
    found.say("a command of Megatron-Bridge", "workload.framework", "nemo")
    found.model = str(keys.get("hf_path") or "")
    kind = "pretrain" if "pretrain" in recipe or "pretrain" in str(said.get("dataset")) else "full-finetune"
    rank = keys.number("peft.dim", "workload.lora_rank", 4096)
    found.say(f"recipe {recipe}", "workload.kind", "lora" if rank or "_peft_" in recipe else kind)
    if rank:
        names = {"linear_qkv": ("q_proj", "k_proj", "v_proj"), "linear_proj": ("o_proj",), "linear_fc1": ("gate_proj", "up_proj"),
                 "linear_fc2": ("down_proj",)}  # fmt: skip
        listed = [part for one in keys.get("peft.target_modules") or names for part in names.get(one, (str(one),))]
        modules(Keys({"peft.target_modules": listed}, found, ()), "peft.target_modules", found)
    keys.number("model.tensor_model_parallel_size", "layout.tp", 1024)
    keys.number("model.pipeline_model_parallel_size", "layout.pp", 1024)
    keys.number("model.expert_model_parallel_size", "layout.ep", 1024)
    keys.number("model.context_parallel_size", "workload.context_parallel", 4096)
    keys.number("train.micro_batch_size", "workload.micro_batch", 10**6)
    keys.number("dataset.seq_length", "workload.sequence_length", 2**24)
    if keys.number("model.virtual_pipeline_model_parallel_size", "workload.virtual_stages", 1024):
        found.say("virtual stages", "workload.pipeline_schedule", "interleaved")
    shards = keys.get("ddp.data_parallel_sharding_strategy") if keys.get("ddp.use_megatron_fsdp") else None
    states = keys.get("ddp.use_distributed_optimizer")
    found.say(
        str(shards or "use_distributed_optimizer"),
        "workload.sharding",
        _SHARDS.get(str(shards), "ddp" if states is False else "zero1"),
    )
    if keys.get("optimizer.optimizer_cpu_offload"):
        found.say("optimizer_cpu_offload", "workload.offload", "optimizer")
    how, parts = keys.get("model.recompute_granularity"), keys.get("model.recompute_modules")
    _recomputed(found, "_", how, parts if isinstance(parts, list) else None)
    if kind != "pretrain":
        found.say("packed_sequence", "workload.packing", bool(keys.get("packed_sequence")))
    _split(found, _ranks(before[:-1], found))
    _steps(
        found,
        keys.get("train.global_batch_size"),
        keys.number("train.train_iters", ""),
        found.value("workload.sequence_length"),
    )
    keys.done()


def torchtune(said: Mapping[str, Any], before: Sequence[str], found: Found) -> None:
    """torchtune: a recipe of `tune run`, and keys in place of its configuration's own."""
    keys = Keys(said, found, ("epochs", "dtype", "model.lora_alpha", "checkpointer.checkpoint_dir", "ref_checkpointer.checkpoint_dir", "output_dir", "seed", "rdzv-backend",
                              "rdzv-endpoint", "nnodes", "nproc-per-node", "nproc_per_node"))  # fmt: skip
    config = str(keys.get("config") or "")
    found.say("a command of torchtune", "workload.framework", "torchtune")
    family, _, rest = config.rpartition("/")
    found.model = f"{family.replace('_', '.')}-{rest.partition('_')[0].lower()}".replace("llama", "llama-")
    found.say(
        f"config {config}",
        "workload.kind",
        "qlora" if "qlora" in rest else "lora" if "lora" in rest else "full-finetune",
    )
    if "qlora" in rest:
        found.say(f"config {config}", "workload.base_format", "nf4-double")
    if "dpo" in rest:
        preference(found, f"config {config}", "dpo", "dpo")
    keys.number("tokenizer.max_seq_len", "workload.sequence_length", 2**24)
    keys.number("batch_size", "workload.micro_batch", 10**6)
    keys.number("gradient_accumulation_steps", "workload.gradient_accumulation", 10**6)
    steps = keys.number("max_steps_per_epoch", "", 10**9)
    keys.choice("enable_activation_checkpointing", "workload.recompute", {True: "full", False: "none"})
    keys.choice("enable_activation_offloading", "workload.activation_offload", FLAG)
    keys.choice("compile", "workload.compile", FLAG)
    keys.choice("dataset.packed", "workload.packing", FLAG)
    keys.number("tensor_parallel_dim", "layout.tp", 1024)
    keys.number("model.lora_rank", "workload.lora_rank", 4096)
    attention, mlp = keys.get("model.lora_attn_modules"), keys.get("model.apply_lora_to_mlp")
    if isinstance(attention, list):
        listed = ["o_proj" if one == "output_proj" else str(one) for one in attention]
        every = [*listed, *(("gate_proj", "up_proj", "down_proj") if mlp else ())]
        modules(Keys({"model.lora_attn_modules": every}, found, ()), "model.lora_attn_modules", found)
    kind = str(keys.get("optimizer._component_") or "torch.optim.AdamW").rpartition(".")[2]
    named = {
        "AdamW": "adamw",
        "SGD": "sgd",
        "AdamW8bit": "adamw-8bit",
        "PagedAdamW8bit": "adamw-paged-8bit",
        "PagedAdamW": "adamw-paged",
    }
    if kind in named:
        found.say(f"optimizer {kind}", "workload.optimizer", named[kind])
    ranks = _ranks(_of_tune(said), found)
    if keys.get("fsdp_reshard_after_forward") is not None or ranks > 1:
        found.say(
            "fsdp_reshard_after_forward",
            "workload.sharding",
            "zero2" if said.get("fsdp_reshard_after_forward") is False else "zero3",
        )
    if keys.get("fsdp_cpu_offload"):
        found.say("fsdp_cpu_offload", "workload.offload", "parameters")
    if ranks or "single_device" in config:
        _split(found, ranks or 1)
    each = [found.value(f"workload.{key}") for key in ("micro_batch", "gradient_accumulation", "sequence_length")]
    if steps and all(each) and found.value("layout.dp") is None:
        found.assumed.append(f"the length of the run: {steps} steps of a batch whose ranks the command does not say")
    elif steps and all(each):
        found.say(
            f"{steps} steps",
            "workload.total_tokens",
            steps * each[0] * each[1] * each[2] * (found.value("layout.dp") or 1),
        )
    keys.done()


_RECIPE = re.compile(r"[a-z_]+_(?:distributed|single_device)(?:\.py)?")


def _of_tune(said: Mapping[str, Any]) -> list[str]:
    """`tune run` takes torchrun's options before the recipe."""
    return [f"--{key}={value}" for key, value in said.items() if key in ("nnodes", "nproc-per-node", "nproc_per_node")]


_READERS: tuple[tuple[str, str, Callable[[Mapping[str, Any], Sequence[str], Found], None]], ...] = (
    ("verl", "verl.trainer.main_ppo", verl),
    ("OpenRLHF", "openrlhf.cli.train_", openrlhf),
    ("Megatron-LM", "pretrain_gpt.py", megatron),
    ("Megatron-Bridge", "run_recipe.py", nemo),
)


def read_launch(words: Sequence[str], found: Found) -> bool:
    """Read one command of a trainer into what was found; whether it is one."""
    for place, word in enumerate(words):
        for name, start, reader in _READERS:
            tail = word.replace("\\", "/").rsplit("/", 1)[-1]
            if tail == start or (start.endswith("_") and tail.startswith(start)):
                found.kinds.append(name)
                reader(options(words[place + 1 :]), words[: place + 1], found)
                for key in ("layout.tp", "layout.pp"):
                    if found.value(key) is None:
                        found.say("the trainer's default", key, 1)
                return True
        if word == "tune" and list(words[place + 1 : place + 2]) == ["run"]:
            found.kinds.append("torchtune")
            torchtune(options([one for one in words[place + 2 :] if not _RECIPE.fullmatch(one)]), (), found)
            for key in ("layout.tp", "layout.pp"):
                if found.value(key) is None:
                    found.say("the trainer's default", key, 1)
            return True
    return False
