"""What a workload has of its training framework: the ways to split weights, and what `auto` is there."""

from __future__ import annotations

from typing import Final

from engine.runtimes.frameworks import (
    ACCOUNTS,
    STAND_INS,
    AnyFramework,
    AttentionKernel,
    Framework,
    Loss,
    Sharding,
    Software,
    entry_of,
)
from engine.scenario import Layout, RecomputeModules, Workload

SPLIT_WORDS: Final = {"tp": "tensor parallelism", "pp": "pipeline stages", "ep": "expert parallelism"}


def framework_of(workload: Workload) -> Framework:
    """The entry of the workload's framework, or of the one that it is sized as."""
    return entry_of(workload.framework)


def framework_words(workload: Workload) -> str:
    """The framework in a sentence, and which one it is sized as where it has no entry: `verl (as FSDP1)`."""
    entry, other = framework_of(workload), STAND_INS.get(workload.framework)
    return entry.name if other is None else f"{other.label} (as {entry.name})"


def usual_sharding(framework: AnyFramework) -> Sharding:
    """How a framework shards where nobody says."""
    return entry_of(framework).usual


def splits_of(workload: Workload) -> tuple[str, ...]:
    """Of "tp", "pp" and "ep" those by which the framework divides weights under this kind of training.

    A 4- or 8-bit base of bitsandbytes or GPTQ is packed and is divided by none.
    """
    framework = framework_of(workload)
    if workload.trains == "qlora" or (workload.trains == "lora" and not framework.adapters_split):
        return ()
    return tuple(one for one in framework.splits if one in SPLIT_WORDS)


def missing_splits(workload: Workload) -> tuple[str, ...]:
    """Of "tp", "pp" and "ep" those that it has not; none of serving, whose engines have them all."""
    has: tuple[str, ...] = tuple(SPLIT_WORDS) if workload.is_inference else splits_of(workload)
    return () if len(has) == len(SPLIT_WORDS) else tuple(one for one in SPLIT_WORDS if one not in has)


def unsupported(workload: Workload, layout: Layout) -> tuple[str, ...]:
    """The ways in which a layout divides weights that the framework has not under this kind of training."""
    return tuple(one for one in missing_splits(workload) if getattr(layout, one) > 1)


def loss_of(workload: Workload) -> Loss:
    """How logits and loss are computed: as entered, else as the framework does it."""
    return framework_of(workload).loss if workload.loss == "auto" else workload.loss


def software_of(workload: Workload) -> Software:
    """How well its kernels are tuned: as entered, else as the framework comes."""
    return framework_of(workload).software if workload.software == "auto" else workload.software


def loops_experts(workload: Workload) -> bool:
    """Whether experts run one after another: modules of Hugging Face as they are, before transformers 5 or with its
    experts_implementation "eager" (integrations/moe.py); its releases since multiply those of a layer at once."""
    return framework_of(workload).experts_in_turn and software_of(workload) == "eager"


def attention_of(workload: Workload) -> AttentionKernel:
    """The generation of its attention kernels: as entered, else the framework's."""
    return framework_of(workload).attention if workload.attention_kernel == "auto" else workload.attention_kernel


def modules_of(workload: Workload) -> RecomputeModules:
    """What selective recomputation computes again: the parts entered, else the framework's own set."""
    own = workload.recompute_modules == "framework"
    return ACCOUNTS[framework_of(workload).family].own_modules if own else workload.recompute_modules


def stops_early(workload: Workload) -> bool:
    """Whether a layer that is computed again stops at the last tensor that its backward pass reads, before its last product.

    A frozen product runs before its adapter's, whose inner width is read.
    """
    return workload.trains == "full" and framework_of(workload).stops_early
