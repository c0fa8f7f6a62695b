"""How many bytes each element costs under a method, optimizer, precision and framework; nothing model-specific.

Sources: ZeRO (Rajbhandari et al. 2020, section 3.1: 2 + 2 + 12 bytes of mixed-precision Adam); Megatron-LM
docs/source/api-guide/dist_optimizer.md (18 bytes with fp32 gradients, 6 + 12/d with the distributed optimizer);
PyTorch FSDP `MixedPrecision` (fp32 shards, 16-bit gathered layers) and DDP `gradient_as_bucket_view` (its buckets
are a second copy of the gradients); bitsandbytes 8-bit optimizers (Dettmers et al. 2022: one byte a state and an
fp32 scale for 256 of them); QLoRA (Dettmers et al. 2023: NF4 with one fp32 scale for 64 weights, 0.127 bits a
weight after double quantization); PEFT (adapters in fp32 unless told otherwise).
"""

from __future__ import annotations

import math
from functools import lru_cache
from operator import attrgetter
from typing import Final

from engine.calibration import training_memory as fitted
from engine.figures.records import NamedTuple, dataclass
from engine.figures.units import GB
from engine.runtimes.frameworks import ACCOUNTS, Accounting, Family, Loss, Optimizer, Sharding, Software
from engine.scenario import (
    NARROW_BYTES,
    BaseFormat,
    ComputeDtype,
    LoraTargets,
    Offload,
    Precision,
    Recompute,
    RecomputeModules,
    ShardingGroup,
    Tuning,
    Workload,
)
from engine.scenario.frameworks import framework_of, loss_of, modules_of, software_of

HALF_BYTES: Final = 2.0
SINGLE_BYTES: Final = 4.0
"""Bytes of an element in 16 and in 32 bits."""
BASE_BITS: Final = {"nf4": 4.5, "nf4-double": 4.127, "gptq": 4.156, "int8": 8.0}
# Optimizer states, bytes a trained element, with fp32 states where the optimizer has a choice. Momentum for SGD.
STATE_BYTES: Final = {
    "adamw": 8.0,
    "adamw-bf16": 4.0,
    "adamw-8bit": 2.0 + 8.0 / 256.0,
    "adamw-4bit": 1.0 + 8.0 / 128.0,
    "adamw-paged-8bit": 0.0,
    "adamw-paged": 0.0,
    "adafactor": 0.02,
    "sgd": 4.0,
    "muon": 8.0,
}
# What Muon saves on matrices: one momentum instead of AdamW's two states, which embeddings and norms keep.
MUON_MATRIX_SAVING: Final = 4.0
PAGED_STATE_BYTES: Final = {"adamw-paged-8bit": STATE_BYTES["adamw-8bit"], "adamw-paged": 8.0}
# Optimizers that people take to do without an fp32 master copy.
STEP_GRADIENT: Final = 6.0
"""Bytes an element of the step under DeepSpeed: its 16-bit gradients flat, and those in the master copy's fp32
(deepspeed/runtime/zero/stage_1_and_2.py, stage3.py: single_grad_partition)."""
STEP_GROUP: Final = 1e9
"""Elements that ZeRO-3 steps at a time (sub_group_size, www.deepspeed.ai/docs/config-json)."""
IN_16_BITS: Final = frozenset({"adamw-bf16"})
"""Of these the one that says so by its name: under DeepSpeed it is bf16_master_weights_and_grads."""
WITHOUT_MASTER: Final = frozenset(
    {"adamw-bf16", "adamw-8bit", "adamw-paged-8bit", "adamw-paged", "adamw-4bit", "adafactor"}
)


class Method(NamedTuple):
    """What of a training workload decides the bytes of an element and of a token, under the workload's own names.

    scores_only: a score in the place of the vocabulary. engine_share: of each card, what generates answers takes.
    framework: the family whose accounting its framework shares; loss, software and recompute_modules as that
    framework has them where they are not entered. Lengths, durations and targets do not: plans that differ in those alone share their costs.
    """

    trains: Tuning
    scores_only: bool
    frozen_models: int
    trained_models: int
    engine_share: float
    rollout_sleeps: bool
    optimizer: Optimizer
    optimizer_fused: bool
    optimizer_in_backward: bool
    master_weights: bool
    recompute: Recompute
    recompute_modules: RecomputeModules
    sharding: Sharding
    sharding_group: ShardingGroup
    framework: Family
    lora_rank: int
    lora_targets: LoraTargets
    trainable_embeddings: bool
    base_format: BaseFormat
    loss: Loss
    offload: Offload
    software: Software
    lora_precision: Precision
    base_precision: Precision
    gradient_precision: Precision
    residual_precision: Precision
    compute_dtype: ComputeDtype
    copied_bytes: float
    flash_attention: bool
    tiled_mlp: bool
    compile: bool
    activation_offload: bool

    @property
    def input_bytes(self) -> float:
        """Bytes an element in which the inputs of products are kept for the backward pass."""
        return NARROW_BYTES.get(self.compute_dtype, HALF_BYTES) if self.rules.keeps_8bit_inputs else HALF_BYTES

    @property
    def rules(self) -> Accounting:
        """How the family keeps and moves the state of a step."""
        return ACCOUNTS[self.framework]


_method = attrgetter(*Method._fields)


@lru_cache(maxsize=64)
def method_of(workload: Workload) -> Method:
    """The method of a training workload."""
    return Method._make(_method(workload))._replace(
        framework=framework_of(workload).family,
        loss=loss_of(workload),
        software=software_of(workload),
        recompute_modules=modules_of(workload),
    )


@dataclass(frozen=True, slots=True)
class Recipe:
    """Bytes an element, before sharding, and over how many ranks each kind of state is sharded.

    weight, gradient, state: of a trained element (under PEFT, of an adapter's). frozen_linear: of the frozen
    projections, frozen_loose: of the rest of a frozen base. unpacks: AutoGPTQ without its Triton kernels unpacks whole matrices. keeps_quantized_inputs:
    bitsandbytes before its pull request 1270 (July 2024) kept the input of each 4-bit product. state_16bit: of a
    trained copy of the embeddings. residual: the residual stream. lingering: hidden states that FSDP1 keeps of each
    layer until the backward of a model with frozen weights is over.
    """

    peft: bool
    quantized: bool
    unpacks: bool
    keeps_quantized_inputs: bool
    frozen_linear: float
    frozen_loose: float
    weight: float
    gradient: float
    state: float
    state_16bit: float
    state_matrix_saving: float
    host_state: float
    step_temporary: float
    step_elements: float
    residual: float
    lingering: float
    weight_shard: int
    gradient_shard: int
    state_shard: int
    gathers: bool
    casts: bool
    keeps_gradients: bool
    bucket_gradients: bool
    bucket_bytes: float

    @property
    def bytes_per_parameter(self) -> float:
        """Weights, gradients and states of one trained element."""
        return self.weight + self.gradient + self.state


def kept_bytes(workload: Workload) -> float:
    """States and fp32 master copy of a fully trained element of a matrix, bytes: what ZeRO-1 shards (Rajbhandari et al. 2019)."""
    state = STATE_BYTES[workload.optimizer] - _matrix_saving(workload)
    return state + (SINGLE_BYTES if keeps_master(method_of(workload)) else 0.0)


def keeps_master(method: Method) -> bool:
    """Whether an fp32 copy of the weights is stepped in the place of those that compute."""
    without = IN_16_BITS if method.rules.steps_master else WITHOUT_MASTER
    return method.master_weights and method.optimizer not in without


def _matrix_saving(workload: Workload | Method) -> float:
    return MUON_MATRIX_SAVING if workload.optimizer == "muon" else 0.0


def _trained_bytes(workload: Method, zero: int, single: bool) -> tuple[float, float, float]:
    """(weight, gradient, state) of a fully trained element."""
    state = STATE_BYTES[workload.optimizer]
    if not keeps_master(workload):
        return HALF_BYTES, HALF_BYTES, state
    if workload.rules.fp32_gradients:
        return HALF_BYTES, SINGLE_BYTES, state + SINGLE_BYTES
    if workload.rules.fp32_shards and (single or zero in (0, 3)):
        return SINGLE_BYTES, SINGLE_BYTES, state
    return HALF_BYTES, HALF_BYTES, state + SINGLE_BYTES


@lru_cache(maxsize=64)
def least_resident_bytes(workload: Method) -> float:
    """Weight, gradient and states of a fully trained element, bytes, under the sharding that keeps least of them."""
    kept = [_trained_bytes(workload, zero, single) for zero in (0, 3) for single in (False, True)]
    gradient = 0.0 if workload.optimizer_in_backward else HALF_BYTES
    return min(weight + state for weight, _, state in kept) + gradient - _matrix_saving(workload)


@lru_cache(maxsize=256)
def recipe(workload: Method, dp: int, shards: int, accumulates: bool) -> Recipe:
    """The recipe of a training workload over `dp` data-parallel ranks, `shards` of which ZeRO shards over."""
    peft = workload.trains != "full"
    quantized = workload.trains == "qlora"
    zero = {"ddp": 0, "zero1": 1, "zero2": 2, "zero3": 3}[workload.sharding] if shards > 1 else 0
    rules = workload.rules
    optimizer = workload.optimizer
    if peft:
        weight = HALF_BYTES if workload.lora_precision == "bf16" else SINGLE_BYTES
        if workload.lora_precision == "auto" and rules.half_adapters:
            weight = HALF_BYTES
        gradient = weight
        state = STATE_BYTES[optimizer]
        if optimizer == "adamw" and weight == HALF_BYTES:
            state = 2.0 * HALF_BYTES  # torch keeps the states in the parameter's type
    else:
        weight, gradient, state = _trained_bytes(workload, zero, dp == 1)
    if workload.gradient_precision == "bf16":
        gradient = HALF_BYTES
    elif workload.gradient_precision == "fp32":
        gradient = SINGLE_BYTES
        if rules.sums_beside and not peft:
            gradient = HALF_BYTES + SINGLE_BYTES  # DeepSpeed sums 16-bit gradients in fp32 beside them
    temporary, steps_fp32 = 0.0, keeps_master(workload) or optimizer not in WITHOUT_MASTER
    if not workload.optimizer_fused and optimizer in ("adamw", "adamw-bf16"):
        half = optimizer == "adamw-bf16" or (peft and weight == HALF_BYTES)
        temporary = HALF_BYTES if half else SINGLE_BYTES  # the root of one moment
    if rules.sums_beside and not peft and weight == gradient == HALF_BYTES and steps_fp32:
        temporary = max(STEP_GRADIENT, SINGLE_BYTES + temporary)
    residual = SINGLE_BYTES if workload.residual_precision == "fp32" else HALF_BYTES
    frozen = SINGLE_BYTES if workload.base_precision == "fp32" and workload.trains == "lora" else HALF_BYTES
    return Recipe(
        peft=peft,
        quantized=quantized,
        unpacks=quantized and workload.base_format == "gptq" and workload.software == "eager",
        keeps_quantized_inputs=quantized and workload.software == "eager",
        frozen_linear=BASE_BITS[workload.base_format] / 8.0 if quantized else frozen,
        frozen_loose=max(frozen, residual),
        weight=weight,
        gradient=gradient,
        state=state,
        state_16bit=min(state, 2.0 * HALF_BYTES),
        state_matrix_saving=_matrix_saving(workload),
        host_state=PAGED_STATE_BYTES.get(optimizer, 0.0),
        step_temporary=temporary,
        step_elements=STEP_GROUP if rules.steps_in_groups and zero == 3 else math.inf,
        residual=residual,
        lingering=HALF_BYTES if peft and rules.lingers and zero == 3 else 0.0,
        weight_shard=shards if zero == 3 else 1,
        gradient_shard=shards if zero >= 2 else 1,
        state_shard=shards if zero >= 1 else 1,
        gathers=zero == 3,
        casts=workload.sharding == "zero3" and rules.casts and (frozen if peft else weight) > 2.0,
        keeps_gradients=accumulates or rules.keeps_gradients,
        bucket_gradients=zero == 0 and dp > 1 and rules.copies_buckets,
        bucket_bytes=fitted.DEEPSPEED_BUCKETS_GB * GB if rules.own_buckets else 0.0,
    )
