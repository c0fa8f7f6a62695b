"""What a serving engine runs with: the defaults that each fills in for a card, from its own sources."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

from engine.figures.records import dataclass
from engine.figures.units import GIB, MIB
from engine.model.architecture import Architecture
from engine.parts.hardware import Accelerator
from engine.runtimes import ENGINES
from engine.runtimes.engine import ByMemory, Engine, ServingEngine
from engine.scenario import Layout, Model, Runtime, Scenario

LARGE_CARD_BYTES = 70 * GIB
"""Cards from this size on get vLLM's large defaults, A100 excepted (vllm/engine/arg_utils.py, get_batch_defaults)."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What the engine runs with after its defaults are filled in. utilization: of the visible memory. item: see `largest_item`.
    kv_cache_bytes: of the KV cache on a GPU as it was asked for; 0: not so. pictures: whether the profiled pass encodes one."""

    engine: ServingEngine
    utilization: float
    max_num_seqs: int
    max_num_batched_tokens: int
    max_model_len: int
    cuda_graphs: bool
    block_size: int
    item: int = 0
    kv_cache_bytes: int = 0
    pictures: bool = True

    @property
    def rules(self) -> Engine:
        """What the engine does whatever it is told."""
        return ENGINES[self.engine]


DRIVER_FIXED_GIB = 0.33
DRIVER_PART = 0.002
"""What NVIDIA's driver keeps that nvidia-smi counts: so much, and so large a share of the card (`visible_bytes`)."""


METAL_SHARE = 0.75
METAL_SHARE_SMALL = 2 / 3
METAL_SMALL_BYTES = 32 * GIB
"""Metal's recommendedMaxWorkingSetSize, of machines up to the third and of larger ones: 10,922.67 of 16 GiB, 16,384 of 24 and
21,845.33 of 32; 49,152 of 64 and 73,728 MiB of 96 (llama.cpp's start-up lines)."""


def is_gaudi(card: Accelerator) -> bool:
    """Whether vLLM's Gaudi plugin runs it, which shares out what the weights leave."""
    return card.vendor.upper() == "INTEL" and "gaudi" in card.id


def visible_bytes(accelerator: Accelerator) -> int:
    """Memory that a process can allocate, bytes: what the driver reports less what it keeps for itself.

    NVIDIA drivers keep 0.3 to 0.8 GiB that nvidia-smi counts as total and CUDA does not: 79.65 against 79.18 GiB
    on H100, 140.4 against 139.8 on H200, 95.6 against 95.0 on RTX PRO 6000, 24.0 against 23.6 on RTX 3090.
    """
    total = accelerator.memory_bytes
    if accelerator.vendor.upper() == "APPLE":
        return int(total * (METAL_SHARE_SMALL if total <= METAL_SMALL_BYTES else METAL_SHARE))
    if accelerator.vendor.upper() != "NVIDIA" or accelerator.unified_memory:
        return total
    return total - int(DRIVER_FIXED_GIB * GIB + DRIVER_PART * total)


HOST_RESERVE_GIB = 10.7
"""What system and services hold of a memory that the CPU shares, before an engine starts: the median of three logs of DGX
Sparks of 121.7 GiB, which found 101.5, 111.0 and 112 GiB free; a desktop takes more."""


SHARED_UTILIZATION = 0.85
"""Utilization that is filled in where the host holds part of the memory: vLLM's own default would not start there, and
0.80 to 0.85 is what the starts of DGX Sparks were given."""


SHARED_STEPS = 20
"""Steps of a twentieth in which the share of a small memory is lowered to what the host leaves."""


def shares_memory(accelerator: Accelerator) -> bool:
    """Whether it shares its memory with the host, so that an engine finds part of it taken: DGX Spark, Thor, Strix Halo.

    Of a Mac, Metal hands out its part from the start (`visible_bytes`).
    """
    return accelerator.unified_memory and accelerator.vendor.upper() in ("NVIDIA", "AMD")


def host_reserve_bytes(accelerator: Accelerator, runtime: Runtime) -> int:
    """What the host holds of a memory that is shared with it, bytes: as entered, or as logs show it; 0 for cards.

    A Mac's is what was entered past the part that Metal keeps.
    """
    if accelerator.vendor.upper() == "APPLE" and accelerator.unified_memory and runtime.host_reserve_gib is not None:
        return max(0, int(runtime.host_reserve_gib * GIB) - (accelerator.memory_bytes - visible_bytes(accelerator)))
    if not shares_memory(accelerator):
        return 0
    reserve = HOST_RESERVE_GIB if runtime.host_reserve_gib is None else runtime.host_reserve_gib
    return int(reserve * GIB)


def largest_item(arch: Architecture, runtime: Runtime) -> int:
    """Tokens of a picture or video that one step must take whole; 0 where an engine cuts them, or loads no tower."""
    whole = runtime.rules.whole_items and arch.whole_items and not runtime.text_only
    return arch.vision_tokens_max if whole else 0


def whole_step(arch: Architecture, runtime: Runtime) -> int:
    """Tokens of a step that takes the largest item whole, a power of two as people enter it; 0 where none is asked for.

    vLLM refuses to start below the item (vllm/v1/core/encoder_cache_manager.py), also at its own default on small cards.
    """
    item = largest_item(arch, runtime)
    return 2 ** math.ceil(math.log2(item)) if item else 0


def _is_large(accelerator: Accelerator) -> bool:
    return visible_bytes(accelerator) >= LARGE_CARD_BYTES and "a100" not in accelerator.id.lower()


def batch_by_memory(rules: ByMemory, memory_mib: float, tp: int) -> tuple[int, int]:
    """(chunked prefill size, largest CUDA-graph batch) of an engine that goes by the card's memory."""
    for below, chunk, few, many in rules.batches[:-1]:
        if memory_mib < below:
            return chunk, few if tp < rules.wide_tp else many
    _, chunk, few, many = rules.batches[-1]
    return chunk, few if tp < rules.wide_tp else many


def static_fraction(
    rules: ByMemory, memory_mib: float, layout: Layout, chunk: int, graph_batch: int, prefill: float = 0.0
) -> float:
    """Default static fraction: the card less a reserve for activations, graphs and parallelism, MiB throughout.

    graph_batch: 0 where nothing is captured. prefill: see `prefill_reserve`.
    Source: sglang/srt/arg_groups, `handle_gpu_memory_settings` (mem_fraction_static).
    """
    reserved = rules.fixed + max(chunk, rules.least_chunk) * rules.chunk_token + graph_batch * rules.graph_entry
    reserved += layout.tp * layout.pp * rules.group_of_eight / 8 + prefill
    if layout.dp_attention:
        ranks = max(layout.dp, layout.tp)
        reserved += graph_batch * ranks * (rules.rank_large if graph_batch > rules.large_batch else rules.rank)
    if memory_mib > rules.large_card:
        reserved = max(reserved, rules.large)
    return round(max(rules.least_fraction, (memory_mib - reserved) / memory_mib), 3)


def prefill_sizes(rules: ByMemory, chunk: int) -> int:
    """Lengths of prompt up to `chunk` that an engine captures."""
    count = low = 0
    for high, step in rules.prefill_sizes:
        if low < chunk:
            count += (min(high, chunk) - low) // step
        low = high
    return count


def prefill_reserve(rules: ByMemory, arch: Architecture, card: Accelerator, layout: Layout, chunk: int) -> float:
    """What is kept for captured prompts, MiB: none over pipelines, on other vendors' cards, beside towers, for compressed caches
    and under TensorRT-LLM's latent attention, which captures none (sglang/srt/arg_groups/cuda_graph_hook.py)."""
    kept = {cache.kind for layer, _ in arch.layer_runs() for cache in layer.caches}
    compressed = any(cache.compression > 1 for layer, _ in arch.layer_runs() for cache in layer.caches)
    if layout.pp > 1 or layout.dcp > 1 or card.vendor.upper() != "NVIDIA" or compressed or vision_factor(arch) != 1.0:
        return 0.0
    if "latent" in kept:
        return 0.0 if card.compute_capability.startswith("10.") else rules.prefill_latent
    return prefill_sizes(rules, chunk) * rules.prefill_entry


@lru_cache(maxsize=128)
def vision_factor(arch: Architecture) -> float:
    """What SGLang multiplies its default fraction by for a model with a vision tower (`adjust_mem_fraction_for_vlm`).

    0.95, and a tenth less for each multiple of CLIP ViT-L's layers x width squared, within 0.8 to 1.05.
    """
    layers = width = 0
    for tensor in arch.towers:
        if tensor.part == "vision" and tensor.name.endswith("q_proj") and tensor.copies > layers:
            layers, width = tensor.copies, tensor.cols
    if not layers:
        return 1.0
    complexity = layers * width**2 / (24 * 1024**2)
    return 0.95 * min(1.05, max(0.8, 1.0 - 0.1 * (complexity - 1.0)))


def plain_layout(layout: Layout) -> Layout:
    """The layout without its reason, so that equal shapes share cached sums."""
    return replace(layout, reason=()) if layout.reason else layout


def stored_weights(model: Model, runtime: Runtime) -> str:
    """The format that an engine's files are in."""
    return runtime.rules.stored.get(model.weights, model.weights)


def engine_settings(scenario: Scenario, layout: Layout) -> EngineSettings:
    """The person's engine settings with the engine's defaults for this card, and its longest sequence, filled in."""
    found = settings_of(scenario, layout)
    return found if found.max_model_len else replace(found, max_model_len=longest_taken(scenario))


def longest_taken(scenario: Scenario) -> int:
    """The longest sequence that the engine takes: the asked prompt and answer, as one would launch it, not the model's most."""
    asked = scenario.workload.tokens_per_request
    return scenario.runtime.max_model_len or min(asked, scenario.model.architecture.max_position)


def settings_of(scenario: Scenario, layout: Layout) -> EngineSettings:
    """The settings whatever is asked of the engine: 0 for the longest sequence where the person names none."""
    hardware, model = scenario.hardware, scenario.model
    return resolved_settings(scenario.runtime, hardware.accelerator, plain_layout(layout), model.architecture)


@lru_cache(maxsize=256)
def resolved_settings(runtime: Runtime, card: Accelerator, layout: Layout, arch: Architecture) -> EngineSettings:
    """`settings_of` a runtime on a card."""
    rules = runtime.rules
    if isinstance(rules.defaults, ByMemory):
        memory_mib = card.memory_bytes / MIB
        chunk, graph_batch = batch_by_memory(rules.defaults, memory_mib, layout.tp)
        batched = runtime.max_num_batched_tokens or chunk
        seqs = runtime.max_num_seqs or graph_batch
        captured, prompts = 0, 0.0
        if runtime.cuda_graphs:
            captured = graph_batch
            prompts = prefill_reserve(rules.defaults, arch, card, layout, batched)
        default = static_fraction(rules.defaults, memory_mib, layout, batched, captured, prompts) * vision_factor(arch)
    else:
        usual, large = rules.defaults, _is_large(card)
        batched = runtime.max_num_batched_tokens or (usual.tokens_large if large else usual.tokens)
        seqs = runtime.max_num_seqs or (usual.sequences_large if large else usual.sequences)
        if runtime.max_num_batched_tokens is None:
            batched = max(batched, whole_step(arch, runtime))
        default = usual.utilization
        if shares_memory(card) and rules.refuses_held_memory:
            free = 1 - host_reserve_bytes(card, runtime) / visible_bytes(card)
            default = min(default, SHARED_UTILIZATION, math.floor(max(0.0, free) * SHARED_STEPS) / SHARED_STEPS)
    return EngineSettings(
        runtime.engine,
        default if runtime.memory_utilization is None else runtime.memory_utilization,
        seqs,
        batched,
        runtime.max_model_len or 0,
        runtime.cuda_graphs,
        runtime.block_size,
        largest_item(arch, runtime),
        int((runtime.kv_cache_gib or 0.0) * GIB) if rules.kv_by_bytes else 0,
        not (runtime.text_only or runtime.skip_mm_profiling) or not rules.whole_items,
    )
