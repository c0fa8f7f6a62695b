"""What each training framework has: the layouts it can run, how it shards, and what it does unless it is told otherwise.

A layout that is chosen automatically is one that the named framework has; a pinned one that it has not is sized as pinned,
and a notice says so. `family` is the accounting of state that a framework shares with others
(`engine.training.memory.recipe`): Trainers of Hugging Face shard by accelerate's FSDP, LLaMA-Factory by DeepSpeed's
configurations, Axolotl, torchtune and torchtitan by FSDP2, NeMo by Megatron-LM. Others that people name are `STAND_INS`:
each is sized as the one of these that it trains by.
"""

from __future__ import annotations

from typing import Final, Literal

from engine.figures.records import dataclass

Sharding = Literal["ddp", "zero1", "zero2", "zero3"]
Software = Literal["auto", "tuned", "standard", "eager"]
Loss = Literal["auto", "eager", "eager-16bit", "chunked", "chunked-16bit", "fused", "compiled"]
AttentionKernel = Literal["auto", "flash2", "flash3"]
TrainingFramework = Literal[
    "fsdp1",
    "fsdp2",
    "deepspeed",
    "megatron",
    "hf-trainer",
    "unsloth",
    "llama-factory",
    "axolotl",
    "torchtitan",
    "torchtune",
    "nemo",
    "internevo",
]
OtherFramework = Literal[
    "transformers",
    "accelerate",
    "peft",
    "trl",
    "ms-swift",
    "megatron-swift",
    "lightning",
    "litgpt",
    "llm-foundry",
    "megatron-bridge",
    "nemo-automodel",
    "nemo-rl",
    "gpt-neox",
    "openrlhf",
    "prime-rl",
    "slime",
    "verl",
]
AnyFramework = TrainingFramework | OtherFramework
Offloading = Literal["optimizer", "parameters"]
Optimizer = Literal[
    "adamw",
    "adamw-bf16",
    "adamw-8bit",
    "adamw-paged-8bit",
    "adamw-paged",
    "adamw-4bit",
    "adafactor",
    "sgd",
    "muon",
]
Family = Literal["fsdp1", "fsdp2", "deepspeed", "megatron", "internevo"]


@dataclass(frozen=True, slots=True)
class Accounting:
    """How a family of frameworks keeps and moves the state of a step. Constants stand where the formulas use them.

    fp32_shards: weights are kept in fp32 and copied to 16 bits on their way (PyTorch's FSDP, alone or as ZeRO-3 shards).
    fp32_gradients: 16-bit weights with gradients in fp32. half_adapters: adapters in 16 bits unless told otherwise.
    sums_beside: fp32 sums stand beside 16-bit gradients, and a step copies them. steps_in_groups: ZeRO-3 steps a group of
    elements at a time. own_buckets: it keeps buckets of a size of its own. copies_buckets: an unsharded copy reduces its
    gradients by buckets as large as they are. keeps_gradients: they are whole from one micro-batch to the next.
    pins_host: what is offloaded is pinned and copied. offloads_gradients: where states are in host memory, gradients go there as
    they come (ZeRO-Offload, arXiv 2101.06840, section 3; deepspeed/runtime/zero/stage_1_and_2.py: accumulated_grads_in_cpu,
    stage3.py: grad_partitions_flat_buffer on the optimizer's device). reads_ahead: parameters come from the host ahead of their use, and
    leave late. lingers: hidden states stay until the backward of frozen weights is over. gathers_ends_apart: embedding and
    output are gathered as layers of their own. gathers_ahead: the next layer while one computes. casts: fp32 shards have
    16-bit copies beside them. lean_experts, fp32_experts: under tuned kernels grouped products keep their inputs alone, and
    what experts return is weighted in fp32. broadcasts: what is gathered and scattered passes every rank. own_modules: the
    parts of a layer that its selective recomputation computes again, by Megatron-LM's names (its own set is attention alone,
    megatron/core/transformer/transformer_config.py: recompute_modules); framework: every second product, and the experts
    (torchtitan/distributed/activation_checkpoint.py). keeps_8bit_inputs: products in 8 or 4 bits keep their inputs so for the backward
    pass (Transformer Engine, pytorch/module/linear.py: the saved input is the quantized one); elsewhere the 16-bit input is kept and cast
    again (torchao, float8/float8_linear.py: torchtitan's published runs of float8 peak where their bf16 twins do). hides_stepped: what a rank stepped reaches the others behind the next
    forward pass (Megatron-LM's overlap_param_gather), elsewhere when the step is over (DeepSpeed, runtime/zero/stage_1_and_2.py:
    all_gather_dp_groups; PyTorch, ZeroRedundancyOptimizer; InternEvo, overlap_sync_param of its configurations).
    steps_master: partitions in fp32 are stepped whatever the optimizer, one of 8-bit states too (DeepSpeed, runtime/config.py:
    bf16_master_weights_and_grads is off; Megatron-LM, core/optimizer/optimizer_config.py: main_params_dtype is fp32; InternEvo,
    solver/optimizer/hybrid_zero_optim.py: flat fp32 copies). gathers_modules: fully sharded weights come module by module, and what no earlier step tells of, as experts in turn, when
    it is there (DeepSpeed, runtime/zero/partitioned_param_coordinator.py: fetch_sub_module, invalidate_trace); else by layers.
    steps_on_host: what is offloaded is stepped by the CPU (DeepSpeed, ops/adam/cpu_adam.py; PyTorch, CPUOffloadPolicy: the optimizer
    step runs on the CPU); elsewhere its bytes cross the link, and how long that takes is fitted.
    """

    fp32_shards: bool = False
    fp32_gradients: bool = False
    half_adapters: bool = False
    sums_beside: bool = False
    steps_in_groups: bool = False
    own_buckets: bool = False
    copies_buckets: bool = True
    keeps_gradients: bool = False
    pins_host: bool = False
    offloads_gradients: bool = False
    reads_ahead: bool = False
    lingers: bool = False
    gathers_ends_apart: bool = False
    gathers_ahead: bool = False
    casts: bool = False
    lean_experts: bool = False
    fp32_experts: bool = False
    broadcasts: bool = False
    own_modules: Literal["framework", "core_attn"] = "framework"
    keeps_8bit_inputs: bool = False
    hides_stepped: bool = False
    gathers_modules: bool = False
    steps_master: bool = False
    steps_on_host: bool = False


ACCOUNTS: Final[dict[Family, Accounting]] = {
    "fsdp1": Accounting(fp32_shards=True, lingers=True, broadcasts=True, steps_on_host=True),
    "fsdp2": Accounting(
        fp32_shards=True,
        gathers_ends_apart=True,
        gathers_ahead=True,
        casts=True,
        fp32_experts=True,
        broadcasts=True,
        steps_on_host=True,
    ),
    "deepspeed": Accounting(
        sums_beside=True,
        steps_in_groups=True,
        own_buckets=True,
        copies_buckets=False,
        keeps_gradients=True,
        pins_host=True,
        offloads_gradients=True,
        reads_ahead=True,
        gathers_modules=True,
        steps_master=True,
        steps_on_host=True,
    ),
    "megatron": Accounting(
        fp32_gradients=True,
        half_adapters=True,
        copies_buckets=False,
        keeps_gradients=True,
        lean_experts=True,
        own_modules="core_attn",
        keeps_8bit_inputs=True,
        hides_stepped=True,
        steps_master=True,
    ),
    "internevo": Accounting(
        sums_beside=True,
        own_buckets=True,
        copies_buckets=False,
        keeps_gradients=True,
        broadcasts=True,
        steps_master=True,
    ),
}
"""By family; the sources stand beside the constants (`engine.training.memory`)."""


_EVERY: Final[tuple[Sharding, ...]] = ("ddp", "zero1", "zero2", "zero3")
_NAMED: Final[tuple[Optimizer, ...]] = (
    "adamw", "adamw-bf16", "adamw-8bit", "adamw-paged-8bit", "adamw-paged", "adamw-4bit", "adafactor", "sgd",
)  # fmt: skip
"""The optimizers that transformers' TrainingArguments have a word for (training_args.py: OptimizerNames), of PyTorch, bitsandbytes and torchao."""


@dataclass(frozen=True, slots=True)
class Framework:
    """One framework. splits: of "tp", "pp", "ep" and "cp" those that it has for training every weight; adapters_split:
    whether it has them for adapters too (context parallelism never splits a weight). loss: how logits and loss are
    computed, software: how well its kernels are tuned, unless it is told otherwise. attention: generation of
    its attention kernels on cards that have a newer one (flash3: FlashAttention-3 or cuDNN). fuses_casts:
    whether other kernels make the 8- and 4-bit inputs of products on their way. source: where that stands. experts_in_turn:
    whether its models are Hugging Face's modules, which loop over experts before transformers 5. offloads: what of the state
    it keeps in host memory when told to. usual: how it shards unless it is told otherwise. reduces_fp32: gradients are summed
    over ranks in fp32, not in the 16 bits of the weights. stops_early: a layer that is computed again for its backward pass is computed
    up to the last tensor that this pass reads, and not its last product (torch/utils/checkpoint.py: set_checkpoint_early_stop, on for
    the non-reentrant kind that PyTorch's checkpoint_wrapper is; Hugging Face's Trainer, DeepSpeed and Megatron-LM repeat all of it).
    copies_8bit: under 8- or 4-bit products quantized weights and their transposes stand beside the 16-bit ones (Megatron-LM without
    --fp8-param-gather; NeMo's recipes have it: megatron/bridge/training/mixed_precision.py).
    short: its name in a sentence, where label lists more than that. optimizers: those that it steps by: of PyTorch's own loops any class
    does, PyTorch's, bitsandbytes' or torchao's (None); Megatron-Core has Adam, SGD and Muon (megatron/core/optimizer/__init__.py),
    whose Adam keeps states in fewer bits by another name than 8-bit AdamW (--exp-avg-dtype); InternEvo has AdamW
    (internlm/train/pipeline.py: initialize_optimizer), torchtitan Adam and AdamW (torchtitan/components/optimizer.py)."""

    id: TrainingFramework
    label: str
    family: Family
    splits: tuple[str, ...]
    shardings: tuple[Sharding, ...]
    adapters_split: bool
    loss: Loss
    software: Software
    attention: AttentionKernel
    fuses_casts: bool
    source: str
    experts_in_turn: bool = False
    offloads: tuple[Offloading, ...] = ("optimizer", "parameters")
    usual: Sharding = "zero3"
    reduces_fp32: bool = False
    stops_early: bool = False
    short: str = ""
    optimizers: tuple[Optimizer, ...] | None = None
    copies_8bit: bool = False

    def steps_by(self, optimizer: Optimizer) -> bool:
        """Whether it has this optimizer."""
        return self.optimizers is None or optimizer in self.optimizers

    @property
    def name(self) -> str:
        """What it is called in a sentence."""
        return self.short or self.label


@dataclass(frozen=True, slots=True)
class StandIn:
    """A framework without an entry. by: the entry that it is sized as, since it trains by that one; source: where that stands."""

    id: OtherFramework
    label: str
    by: TrainingFramework
    source: str


def _all(*frameworks: Framework) -> dict[str, Framework]:
    return {one.id: one for one in frameworks}


FRAMEWORKS: Final[dict[str, Framework]] = _all(
    Framework(
        "fsdp2", "PyTorch FSDP2", "fsdp2", ("tp", "pp", "ep", "cp"), _EVERY, False, "eager", "standard", "flash3", False,
        "docs.pytorch.org, torch.distributed.fsdp.fully_shard: composes with DTensor's TP and pipelines; ZeroRedundancyOptimizer; "
        "pytorch/examples, distributed/FSDP2/example.py: reduce_dtype is float32",
        reduces_fp32=True, stops_early=True, short="FSDP2",
    ),
    Framework(
        "fsdp1", "FSDP1", "fsdp1", (), ("ddp", "zero2", "zero3"), False, "eager", "standard", "flash3", False,
        "docs.pytorch.org, FullyShardedDataParallel: flat parameters, which no other split divides", stops_early=True,
    ),
    Framework(
        "deepspeed", "DeepSpeed", "deepspeed", ("cp",), _EVERY, False, "eager", "standard", "flash3", False,
        "deepspeed.ai, ZeRO and Ulysses; its pipelines take models written as PipelineModule, and no ZeRO-3", True,
    ),
    Framework(
        "megatron", "Megatron-LM", "megatron", ("tp", "pp", "ep", "cp"), _EVERY, True, "compiled", "tuned", "flash3", True,
        "NVIDIA/Megatron-LM, megatron/training/arguments.py (--use-distributed-optimizer, --optimizer-cpu-offload), core/tensor_parallel/cross_entropy.py: fp32 logits in place; "
        "accumulate_allreduce_grads_in_fp32 is on with bf16", offloads=("optimizer",), usual="zero1", reduces_fp32=True,
        optimizers=("adamw", "sgd", "muon"), copies_8bit=True,
    ),
    Framework(
        "nemo", "NeMo, Megatron-Bridge", "megatron", ("tp", "pp", "ep", "cp"), _EVERY, True, "compiled", "tuned", "flash3", True,
        "NVIDIA-NeMo/Megatron-Bridge, docs: parallelisms, peft, cross_entropy_loss_fusion on and grad_reduce_in_fp32 off in its recipes",
        offloads=("optimizer",), usual="zero1", short="NeMo", optimizers=("adamw", "sgd", "muon"),
    ),
    Framework(
        "internevo", "InternEvo", "internevo", ("tp", "pp", "ep", "cp"), ("zero1", "zero3"), False, "eager", "standard", "flash2", False,
        "InternLM/InternEvo, internlm/solver/optimizer/hybrid_zero_optim.py: flat 16-bit gradients and their fp32 copy at the step, "
        "parameters broadcast by the rank that stepped them", usual="zero1", optimizers=("adamw",),
    ),
    Framework(
        "torchtitan", "torchtitan", "fsdp2", ("tp", "pp", "ep", "cp"), ("ddp", "zero2", "zero3"), False, "compiled", "standard", "flash2", False,
        "pytorch/torchtitan, docs: FSDP2 (training.enable_cpu_offload), TP, PP, CP, EP; its loss is compiled; "
        "training.mixed_precision_reduce has float32 alone", offloads=("parameters",), reduces_fp32=True, stops_early=True,
        optimizers=("adamw", "adamw-bf16"),
    ),
    Framework(
        "torchtune", "torchtune", "fsdp2", ("tp", "cp"), ("ddp", "zero2", "zero3"), False, "chunked-16bit", "standard", "flash2", False,
        "meta-pytorch/torchtune, recipes/full_finetune_distributed.py; its adapter recipes have FSDP2 alone", stops_early=True,
    ),
    Framework(
        "hf-trainer", "HF Trainer, PEFT, TRL", "fsdp1", ("cp",), _EVERY, False, "eager", "standard", "flash3", False,
        "huggingface.co/docs/accelerate: FSDP or DeepSpeed; parameters in 4 or 8 bits by bitsandbytes", True, short="HF Trainer",
        optimizers=_NAMED,
    ),
    Framework(
        "llama-factory", "LLaMA-Factory", "deepspeed", ("cp",), _EVERY, False, "eager", "standard", "flash3", False,
        "hiyouga/LLaMA-Factory, examples/deepspeed; finetuning_args.py: use_muon", True, optimizers=(*_NAMED, "muon"),
    ),
    Framework(
        "axolotl", "Axolotl", "fsdp2", ("tp", "cp"), _EVERY, False, "eager", "standard", "flash3", False,
        "docs.axolotl.ai, N-D parallelism: FSDP2 with TP and CP for training every weight; optimizers: transformers' and muon",
        optimizers=(*_NAMED, "muon"),
    ),
    Framework(
        "unsloth", "Unsloth", "fsdp2", (), ("ddp",), False, "fused", "tuned", "flash2", False,
        "docs.unsloth.ai: one GPU, or a copy on each; its cross-entropy never holds the logits; states are paged, by bitsandbytes",
        offloads=(), usual="ddp", optimizers=_NAMED,
    ),
)  # fmt: skip

STAND_INS: Final[dict[str, StandIn]] = {
    one.id: one
    for one in (
        StandIn("transformers", "Transformers", "hf-trainer", "huggingface.co/docs/transformers: its Trainer"),
        StandIn("accelerate", "Accelerate", "hf-trainer", "huggingface.co/docs/accelerate: FSDP or DeepSpeed"),
        StandIn("peft", "PEFT", "hf-trainer", "huggingface.co/docs/peft: adapters under Transformers' Trainer"),
        StandIn("trl", "TRL", "hf-trainer", "huggingface.co/docs/trl: its trainers are Transformers' Trainer"),
        StandIn("ms-swift", "ms-swift", "hf-trainer", "modelscope/ms-swift, swift/trainers: Transformers' Trainer"),
        StandIn(
            "megatron-swift", "Megatron-SWIFT", "megatron", "modelscope/ms-swift, docs, Megatron-SWIFT: Megatron-Core"
        ),
        StandIn("lightning", "Lightning", "fsdp1", "lightning.ai/docs, FSDPStrategy: FullyShardedDataParallel"),
        StandIn(
            "litgpt", "LitGPT", "fsdp1", "Lightning-AI/litgpt: Fabric's FSDPStrategy where there are several devices"
        ),
        StandIn("llm-foundry", "LLM Foundry", "fsdp1", "mosaicml/llm-foundry: Composer, on FullyShardedDataParallel"),
        StandIn(
            "megatron-bridge", "Megatron-Bridge", "nemo", "NVIDIA-NeMo/Megatron-Bridge: Megatron-Core, NeMo's recipes"
        ),
        StandIn("nemo-automodel", "NeMo AutoModel", "fsdp2", "NVIDIA-NeMo/Automodel: DTensor and FSDP2"),
        StandIn(
            "nemo-rl", "NeMo RL", "fsdp2", "NVIDIA-NeMo/RL: DTensor and FSDP2 unless its Megatron backend is chosen"
        ),
        StandIn("gpt-neox", "GPT-NeoX", "megatron", "EleutherAI/gpt-neox: Megatron-LM's layers and splits"),
        StandIn("openrlhf", "OpenRLHF", "deepspeed", "OpenRLHF/OpenRLHF: ZeRO-3 of DeepSpeed, engines of vLLM"),
        StandIn("prime-rl", "prime-rl", "fsdp2", "PrimeIntellect-ai/prime-rl: a trainer on FSDP2"),
        StandIn("slime", "slime", "megatron", "THUDM/slime: a trainer on Megatron-LM, engines of SGLang"),
        StandIn(
            "verl",
            "verl",
            "fsdp1",
            "verl.readthedocs.io, config: actor strategy fsdp unless fsdp2 or megatron is chosen",
        ),
    )
}
"""By name; a person who chose another backend in one of them enters that backend itself."""


def entry_of(framework: AnyFramework) -> Framework:
    """The entry that a framework is sized as: its own, or that of the one it trains by."""
    other = STAND_INS.get(framework)
    return FRAMEWORKS[other.by if other is not None else framework]
