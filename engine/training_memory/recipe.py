"""How many bytes each element costs under a method, optimizer, precision and framework; nothing model-specific.

Sources: ZeRO (Rajbhandari et al. 2020, section 3.1: 2 + 2 + 12 bytes of mixed-precision Adam); Megatron-LM
docs/source/api-guide/dist_optimizer.md (18 bytes with fp32 gradients, 6 + 12/d with the distributed optimizer);
PyTorch FSDP `MixedPrecision` (fp32 shards, 16-bit gathered layers); bitsandbytes 8-bit optimizers (Dettmers et
al. 2022: one byte a state and one fp32 scale for 2048 or 256 of them); QLoRA (Dettmers et al. 2023: NF4 with one
fp32 scale for 64 weights, 0.127 bits a weight after double quantization).
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.errors import ScenarioError
from engine.scenario import Workload

BITS_OF_BASE: dict[str, float] = {"nf4": 4.5, "nf4-double": 4.127, "gptq": 4.156}
PEFT_KINDS = frozenset({"lora", "qlora"})
STATE_BYTES: dict[str, float] = {
    "adamw": 8.0,
    "adamw-bf16": 4.0,
    "adamw-8bit": 2.0 + 8.0 / 256.0,
    "adamw-4bit": 1.0 + 8.0 / 128.0,
    "adamw-paged-8bit": 0.0,
    "adamw-paged": 0.0,
    "adafactor": 0.02,
    "sgd": 4.0,
    "muon": 4.0,
}
PAGED_STATE_BYTES: dict[str, float] = {"adamw-paged-8bit": 2.0 + 8.0 / 256.0, "adamw-paged": 8.0}
LOW_MEMORY_OPTIMIZERS = frozenset(
    {"adamw-bf16", "adamw-8bit", "adamw-paged-8bit", "adamw-4bit", "adafactor", "sgd"}
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Bytes an element, before sharding.

    frozen_linear: the base model's projections under (Q)LoRA. weight: a trained element (or all of them when not
    quantized). compute: what a gathered or working copy of a 16-bit element takes. *_shard: ranks that share it.
    """

    peft: bool
    quantized: bool
    frozen_linear: float
    frozen_other: float
    weight: float
    adapter: float
    gradient: float
    state: float
    host_state: float
    step_temporary: float
    residual: float
    weight_shard: int
    gradient_shard: int
    state_shard: int
    gathers: bool
    keeps_gradients: bool


def recipe(workload: Workload, dp: int) -> Recipe:
    """The recipe of a training workload over `dp` data-parallel ranks. Raises ScenarioError for a mixture that
    does not exist."""
    peft = workload.kind in PEFT_KINDS
    quantized = workload.kind == "qlora"
    if workload.optimizer_in_backward and (workload.gradient_accumulation or 1) > 1:
        raise ScenarioError(
            "workload.optimizer_in_backward",
            "the step runs inside the backward pass, so gradients cannot be accumulated",
            "gradient_accumulation = 1",
            "false",
        )
    zero = {"ddp": 0, "zero1": 1, "zero2": 2, "zero3": 3}[workload.sharding] if dp > 1 else 0
    accumulates = (workload.gradient_accumulation or 1) > 1
    fsdp = workload.framework in ("fsdp1", "fsdp2")
    optimizer = workload.optimizer
    low = optimizer in LOW_MEMORY_OPTIMIZERS
    master = workload.master_weights and not low and not peft
    adapter = 2.0
    if peft:
        fp32 = workload.lora_precision == "fp32" or (
            workload.lora_precision == "auto" and workload.framework in ("fsdp1", "deepspeed", "fsdp2")
        )
        adapter = 4.0 if fp32 else 2.0
        weight, gradient = 2.0, adapter
        state = STATE_BYTES[optimizer]
        if optimizer == "adamw" and not fp32:
            state = 4.0
    elif not master:
        weight, gradient = 2.0, 2.0
        state = STATE_BYTES[optimizer]
    elif workload.framework == "megatron":
        weight, gradient, state = 2.0, 4.0, STATE_BYTES[optimizer] + 4.0
    elif fsdp and zero in (0, 3):
        weight, gradient, state = 4.0, 4.0, STATE_BYTES[optimizer]
    else:
        weight, gradient, state = 2.0, 2.0, STATE_BYTES[optimizer] + 4.0
    if workload.gradient_precision == "bf16":
        gradient = 2.0
    elif workload.gradient_precision == "fp32":
        gradient = max(gradient, 4.0)
        if workload.framework == "deepspeed" and not peft:
            gradient = 6.0  # 16-bit gradients of the backward pass and their fp32 sum
    temporary = 0.0
    if not workload.optimizer_fused and optimizer in ("adamw", "adamw-bf16"):
        temporary = 2.0 if (weight == 2.0 and state < 8.0) else 4.0
        if peft:
            temporary = adapter
    host = PAGED_STATE_BYTES.get(optimizer, 0.0)
    residual = 2.0
    if workload.residual_precision == "fp32" or (
        workload.residual_precision == "auto" and peft and workload.framework == "fsdp1" and dp > 1
    ):
        residual = 4.0
    return Recipe(
        peft=peft,
        quantized=quantized,
        frozen_linear=BITS_OF_BASE[workload.base_format] / 8.0 if quantized else 2.0,
        frozen_other=2.0,
        weight=weight,
        adapter=adapter,
        gradient=gradient,
        state=state,
        host_state=host,
        step_temporary=temporary,
        residual=residual,
        weight_shard=dp if zero == 3 else 1,
        gradient_shard=dp if zero >= 2 else 1,
        state_shard=dp if zero >= 1 else 1,
        gathers=zero == 3,
        keeps_gradients=accumulates or workload.framework in ("deepspeed", "megatron"),
    )
