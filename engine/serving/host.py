"""Weights that stay in host memory: what of each GPU's share they are, and what reading them costs a step.

llama.cpp multiplies them on the CPU (`--n-cpu-moe`, `--n-gpu-layers`): the host's own bandwidth bounds a step. vLLM and SGLang
copy them over the slot in every step (`--cpu-offload-gb`). KTransformers' kernels under SGLang multiply routed experts on the CPU, but
for so many of each layer (`--kt-num-gpu-experts`): their bytes are taken in the model's format, whatever the CPU's files are in.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from typing import Final

from engine.figures.records import NamedTuple
from engine.figures.units import GB, GIB
from engine.layout.sharding import layer_weights, stage_weights
from engine.model.architecture import Architecture
from engine.parts.hardware import Accelerator
from engine.scenario import Layout, Runtime

HOST_GB_S: Final = 60.0
"""What a CPU reads weights at where nobody said it: two channels of DDR5-5600 have 89.6 GB/s, of which copies reach two
thirds. A rule: servers with eight or twelve channels have several times that."""
SLOT_GB_S: Final = {3: 0.985, 4: 1.969, 5: 3.938, 6: 7.563}
"""Rate of a PCIe lane by generation, one way, after encoding (PCI-SIG)."""
SLOT_SHARE: Final = 0.85
"""Share of the slot's peak that copies reach."""
LANES: Final = 16


class HostWeights(NamedTuple):
    """Bytes of one GPU's weights that stay in host memory: routed experts, and others."""

    experts: int
    others: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.experts + self.others


def experts_on_host(arch: Architecture, runtime: Runtime) -> float:
    """Share of each layer's routed experts that KTransformers' kernels multiply on the CPU; 0 where all are on cards."""
    if not runtime.rules.host_experts or runtime.kt_gpu_experts is None or not arch.experts:
        return 0.0
    return max(0, arch.experts - runtime.kt_gpu_experts) / arch.experts


def first_on_gpu(arch: Architecture, runtime: Runtime) -> int:
    """The first layer that a card holds: those before it, and their KV, are the CPU's."""
    if runtime.rules.host != "layers" or runtime.n_gpu_layers is None:
        return 0
    return max(0, len(arch.layers) - runtime.n_gpu_layers)


@lru_cache(maxsize=1024)
def host_weights(arch: Architecture, weights: str, layout: Layout, stage: int, runtime: Runtime) -> HostWeights:
    """What of the weights of a GPU of that stage stays in host memory. stage: of engines that copy; llama.cpp's cards are spared alike."""
    experts = others = 0
    if runtime.rules.host == "layers":
        first, sparse = first_on_gpu(arch, runtime), runtime.n_cpu_moe or 0
        for index in range(min(len(arch.layers), max(first, sparse))):
            if index >= first and index >= sparse:
                continue
            for part, size in layer_weights(arch, weights, index, layout).items():
                if part == "routed_expert":
                    experts += size
                elif index < first:
                    others += size
        # people split the rest by what each card then has room for (--tensor-split): every stage is spared alike
        experts, others = experts // layout.pp, others // layout.pp
    elif runtime.rules.host == "copied":
        held = stage_weights(arch, weights, layout, stage)
        experts = int(experts_on_host(arch, runtime) * held.parts.get("routed_expert", 0))
        others = min(int((runtime.cpu_offload_gb or 0.0) * GIB), held.total_bytes - experts)
    return HostWeights(experts, others)


def more_experts_on_host(
    arch: Architecture, weights: str, layout: Layout, runtime: Runtime, over: int
) -> tuple[str, int, int] | None:
    """The least more of the routed experts in host memory that spares each card so many bytes.

    Returns the key of the runtime, its value, and the bytes of one GPU's weights that then stay there; None where the engine
    multiplies none on the CPU, KTransformers' is not in use, or all of them are too few.
    """
    if not arch.experts:
        return None
    if runtime.rules.host == "layers":
        tries = [("n_cpu_moe", layers) for layers in range((runtime.n_cpu_moe or 0) + 1, len(arch.layers) + 1)]
    elif runtime.rules.host_experts and runtime.kt_gpu_experts is not None:
        tries = [("kt_gpu_experts", experts) for experts in range(runtime.kt_gpu_experts - 1, -1, -1)]
    else:
        return None
    stages = range(layout.pp)
    now = [host_weights(arch, weights, layout, stage, runtime).total for stage in stages]
    for key, value in tries:
        by_layers = key == "n_cpu_moe"
        changed = replace(runtime, n_cpu_moe=value) if by_layers else replace(runtime, kt_gpu_experts=value)
        kept = [host_weights(arch, weights, layout, stage, changed).total for stage in stages]
        if all(then - before >= over for then, before in zip(kept, now, strict=True)):
            return key, value, max(kept)
    return None


class HostRates(NamedTuple):
    """Seconds that weights in host memory cost: a step, by what every token reads and by experts; and each chunk of a prompt.

    experts: share of the model's experts that are there; others: of its other weights.
    """

    others_s: float = 0.0
    experts_s: float = 0.0
    chunk_s: float = 0.0
    experts: float = 0.0
    others: float = 0.0


def slot_bytes_s(card: Accelerator) -> float:
    """What a card copies from host memory, bytes a second: over its link to the CPU, or its slot."""
    lanes = (card.pcie_lanes or LANES) * SLOT_GB_S.get(card.pcie_gen or 4, SLOT_GB_S[4])
    return (card.cpu_link_gb_s_unidir or lanes) * SLOT_SHARE * GB


def keeps_on_host(runtime: Runtime) -> bool:
    """Whether any of the weights stay in host memory."""
    if runtime.rules.host == "layers":
        return bool(runtime.n_cpu_moe) or runtime.n_gpu_layers is not None
    by_cpu = runtime.rules.host_experts and runtime.kt_gpu_experts is not None
    return (bool(runtime.cpu_offload_gb) or by_cpu) and runtime.rules.host == "copied"


def host_key(runtime: Runtime) -> tuple[float | None, ...]:
    """What of a runtime decides `host_rates`, to keep them by."""
    return runtime.n_cpu_moe, runtime.n_gpu_layers, runtime.cpu_offload_gb, runtime.kt_gpu_experts, runtime.host_gb_s


def host_rates(
    arch: Architecture, weights: str, layout: Layout, runtime: Runtime, card: Accelerator, held: tuple[float, float]
) -> HostRates | None:
    """What the host's part costs an engine's step. held: bytes of one GPU over all stages, (others, experts). None: nothing is there."""
    if not keeps_on_host(runtime):
        return None
    experts = others = 0
    for stage in range(layout.pp):
        kept = host_weights(arch, weights, layout, stage, runtime)
        experts, others = experts + kept.experts, others + kept.others
    slot = slot_bytes_s(card)
    by_cpu = (HOST_GB_S if runtime.host_gb_s is None else runtime.host_gb_s) * GB / layout.tp
    return HostRates(
        others_s=others / (by_cpu if runtime.rules.host == "layers" else slot),
        experts_s=experts / by_cpu,
        chunk_s=(experts + others) / slot,
        experts=experts / held[1] if held[1] else 0.0,
        others=min(1.0, others / held[0]) if held[0] else 0.0,
    )


def chunks(tokens: float, chunk: int) -> int:
    """Passes that read a prompt."""
    return max(1, math.ceil(tokens / chunk))
