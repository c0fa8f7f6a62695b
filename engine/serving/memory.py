"""Memory of a serving build, per GPU and worst rank first: what vLLM or SGLang will report at start-up.

vLLM: KV = visible memory x utilization - weights - activation peak - non-torch (- CUDA graphs, current builds).
SGLang: KV = free memory before loading x static fraction - weights; the rest serves activations and graphs.
`HEADROOM_WORDS` defines the words for how much room is left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, NamedTuple

from engine.calibration import serving_memory as fitted
from engine.figures.units import GB, GIB, MIB
from engine.layout.sharding import (
    attention_ranks,
    expert_group,
    expert_split,
    kv_copies,
    split,
    stage_kinds,
    stage_weights,
)
from engine.model.architecture import Architecture, Layer
from engine.model.formats import weight_format
from engine.parts.hardware import Accelerator
from engine.scenario import Layout, Runtime, Scenario, ServingEngine
from engine.serving.kv_pool import KvPool, kv_pool
from engine.sizing import Headroom, Memory, MemoryGroup

COMFORTABLE_WEIGHTS = 0.60
"""Weights share up to which the rule of thumb is at ease: weights take 60-70 % of VRAM, the rest is for the load."""
RULE_WEIGHTS = 0.70
"""Weights share above which the rule of thumb fails."""
COMFORTABLE_KV = 0.70
"""Share of the KV that fits which the load may need and still grow by four tenths."""
FITS_KV = 0.85
"""Share of the KV that fits which leaves room for uneven lengths."""
NOTED_WEIGHTS = 0.45
"""Weights share from which the rule of thumb is quoted even where the bytes agree: it is then what people argue by."""
PREEMPTION_LINE = 0.95
"""Share of the usable memory above which engines begin to preempt requests."""

HEADROOM_WORDS: tuple[tuple[Headroom, str], ...] = (
    ("comfortable", "weights up to 60 % of the card and the load needs up to 70 % of the KV that fits"),
    ("fits", "weights up to 70 % of the card and the load needs up to 85 % of the KV that fits"),
    ("tight", "weights above 70 % of the card, or the load needs above 85 % of the KV that fits"),
    ("marginal", "the load fits, but fills the usable memory past the 95 % line, where engines preempt"),
    ("does not fit", "the engine does not start, or the load needs more KV than fits"),
)
"""Each headroom word and its meaning, most room first; the worst GPU decides."""

DEFAULT_UTILIZATION: dict[ServingEngine, float] = {
    "vllm": 0.92,
    "vllm-earlier": 0.90,
    "trtllm": 0.93,
    "llama.cpp": 0.95,
}
"""vLLM's gpu_memory_utilization (vllm/config/cache.py): 0.92 since the builds of 2026, 0.90 before. SGLang computes
its fraction: `sglang_static_fraction`. TensorRT-LLM takes 0.9 of what the weights leave free
(KvCacheConfig.free_gpu_memory_fraction), about 0.93 of the card; llama.cpp fills the card up to a margin."""

LARGE_CARD_BYTES = 70 * GIB
"""Cards from this size on get vLLM's large defaults, A100 excepted (vllm/engine/arg_utils.py, get_batch_defaults)."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What the engine runs with after its defaults are filled in. utilization: of the visible memory."""

    engine: ServingEngine
    utilization: float
    max_num_seqs: int
    max_num_batched_tokens: int
    max_model_len: int
    cuda_graphs: bool
    block_size: int


DRIVER_FIXED_GIB = 0.33
DRIVER_PART = 0.002
"""What NVIDIA's driver keeps that nvidia-smi counts: so much, and so large a share of the card (`visible_bytes`)."""


def visible_bytes(accelerator: Accelerator) -> int:
    """Memory that a process can allocate, bytes: what the driver reports less what it keeps for itself.

    NVIDIA drivers keep 0.3 to 0.8 GiB that nvidia-smi counts as total and CUDA does not: 79.65 against 79.18 GiB
    on H100, 140.4 against 139.8 on H200, 95.6 against 95.0 on RTX PRO 6000, 24.0 against 23.6 on RTX 3090.
    """
    total = accelerator.memory_bytes
    if accelerator.vendor.upper() == "APPLE":
        # Metal's recommendedMaxWorkingSetSize: three quarters of the unified memory on large machines.
        return total * 3 // 4
    if accelerator.vendor.upper() != "NVIDIA" or accelerator.unified_memory:
        return total
    return total - int(DRIVER_FIXED_GIB * GIB + DRIVER_PART * total)


def _is_large(accelerator: Accelerator) -> bool:
    return visible_bytes(accelerator) >= LARGE_CARD_BYTES and "a100" not in accelerator.id.lower()


def sglang_batch_defaults(memory_mib: float, tp: int) -> tuple[int, int]:
    """SGLang's (chunked prefill size, largest CUDA-graph batch) for a card (server_args.py, by memory)."""
    gib = memory_mib / 1024
    if gib < 20:
        return 2048, 8
    if gib < 35:
        return 2048, 24 if tp < 4 else 80
    if gib < 60:
        return 4096, 32 if tp < 4 else 160
    if gib < 160:
        return 8192, 256 if tp < 4 else 512
    return 16384, 512


SGLANG_RESERVE_MIB = 512
SGLANG_LEAST_CHUNK = 2048
SGLANG_CHUNK_MIB = 1.5
SGLANG_GRAPH_MIB = 2
SGLANG_PARALLEL_MIB = 1024
SGLANG_RANK_MIB = 3
SGLANG_RANK_LARGE_MIB = 4.5
SGLANG_RESERVE_LARGE_MIB = 10 * 1024
SGLANG_LEAST_FRACTION = 0.1
"""What SGLang keeps back: so many MiB, more a token of a chunk (of so many at least), a captured batch entry and eight
GPUs of a group; so many at least on cards of over 60 GiB; and the least that is left as a fraction."""


def sglang_static_fraction(memory_mib: float, layout: Layout, chunk: int, graph_batch: int) -> float:
    """SGLang's default mem_fraction_static: the card less a reserve for activations, graphs and parallelism.

    Source: sglang/srt/server_args.py, `_handle_gpu_memory_settings`; MiB throughout.
    """
    reserved = SGLANG_RESERVE_MIB + max(chunk, SGLANG_LEAST_CHUNK) * SGLANG_CHUNK_MIB + graph_batch * SGLANG_GRAPH_MIB
    reserved += layout.tp * layout.pp / 8 * SGLANG_PARALLEL_MIB
    if layout.dp_attention:
        ranks = max(layout.dp, layout.tp)
        reserved += graph_batch * ranks * (SGLANG_RANK_LARGE_MIB if graph_batch > 300 else SGLANG_RANK_MIB)
    if memory_mib > 60 * 1024:
        reserved = max(reserved, SGLANG_RESERVE_LARGE_MIB)
    return round(max(SGLANG_LEAST_FRACTION, (memory_mib - reserved) / memory_mib), 3)


@lru_cache(maxsize=128)
def sglang_vision_factor(arch: Architecture) -> float:
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


def engine_settings(scenario: Scenario, layout: Layout) -> EngineSettings:
    """The person's engine settings with the engine's defaults for this card filled in.

    max_model_len defaults to the asked prompt and answer, as one would launch it, not to the model's maximum.
    """
    return _settings(
        scenario.runtime,
        scenario.hardware.accelerator,
        plain_layout(layout),
        scenario.model.architecture,
        min(scenario.workload.tokens_per_request, scenario.model.architecture.max_position),
    )


@lru_cache(maxsize=256)
def _settings(runtime: Runtime, card: Accelerator, layout: Layout, arch: Architecture, tokens: int) -> EngineSettings:
    engine = runtime.engine
    if engine == "sglang":
        memory_mib = card.memory_bytes / MIB
        chunk, graph_batch = sglang_batch_defaults(memory_mib, layout.tp)
        batched = runtime.max_num_batched_tokens or chunk
        seqs = runtime.max_num_seqs or graph_batch
        default = sglang_static_fraction(memory_mib, layout, batched, graph_batch) * sglang_vision_factor(arch)
    else:
        large = _is_large(card)
        batched = runtime.max_num_batched_tokens or (8192 if large else 2048)
        seqs = runtime.max_num_seqs or (1024 if large else 256)
        default = DEFAULT_UTILIZATION[engine]
    return EngineSettings(
        engine,
        default if runtime.memory_utilization is None else runtime.memory_utilization,
        seqs,
        batched,
        runtime.max_model_len or tokens,
        runtime.cuda_graphs,
        runtime.block_size,
    )


Tile = Literal["inputs", "both", "marlin"]

HOST_STAGED_SHARE = 0.4
"""Communication buffers of cards without peer access against those of others, a rule: the engine's own all-reduce and
its symmetric buffers are off (vllm/distributed/device_communicators/custom_all_reduce.py), NCCL's remain."""

# --- what a rank holds beside weights and KV ------------------------------------------------------------------


MXFP4_BITS = 4.25
"""Bits of an MXFP4 weight with its share of the scale."""
WIDE_TILE = 256
NARROW_TILE = 128
"""Sides of MXFP4 experts are padded to multiples of these: see `expert_tile`."""
UNGATED_TILE = 128
"""FlashInfer's FP8 kernels want experts without a gate in multiples of this (vllm fused_moe, Nemotron-3's relu2)."""


@lru_cache(maxsize=256)
def rotary_width(arch: Architecture) -> int:
    """Widths of a position in the rotary table: the head's, or the rotary part alone of latent attention."""
    for layer, _ in arch.layer_runs():
        for cache in layer.caches:
            if cache.kind == "latent":
                ranks = [tensor.cols for tensor in layer.tensors if tensor.name.endswith("kv_b_proj")]
                return cache.latent_width - ranks[0] if ranks else arch.head_dim
            if cache.kv_heads and not cache.v_width:
                return SHARED_ROTARY_WIDTH
    return arch.head_dim if arch.heads else 0


SHARED_ROTARY_WIDTH = 2 * 64
"""DeepSeek-V4 keeps two tables, one for compressed entries; 64 of the 512 values of a head rotate."""


@lru_cache(maxsize=1024)
def engine_extra_bytes(arch: Architecture, format_id: str, layout: Layout, layers: int, tile: Tile) -> int:
    """Bytes that the engine adds to the checkpoint's weights on one rank that holds `layers` layers.

    - the rotary table: max_position x rotary width in 16 bits (vllm rotary_embedding/base.py);
    - MLA: the absorbed copies of the KV up-projection, 16-bit beside the stored one
      (vllm/v1/attention/backends/mla/common.py, process_weights_after_loading);
    - MXFP4 experts: sides padded to the kernel's tile, see `expert_tile`;
    - FP8 experts without a gate: the inner side padded to 128 (vllm fused_moe, `align_fp8_moe_weights_for_fi`).
    """
    extra = arch.max_position * rotary_width(arch) * 2
    share = layers / max(1, len(arch.layers))
    ranks = attention_ranks(layout)
    whole, inner = expert_split(layout)
    form = weight_format(format_id).id
    if tile == "inputs" and arch.fp8_blocks:
        # DeepSeek-V4's FP4 experts take other kernels than gpt-oss's on Hopper.
        tile = "marlin"
    pad_wanted = form == "mxfp4"
    ungated = form == "fp8" and not arch.gated_mlp
    total = 0
    for layer, count in arch.layer_runs():
        for tensor in layer.tensors:
            if layer.mixer == "mla" and tensor.name.endswith("kv_b_proj"):
                total += count * split(tensor.rows, ranks, tensor.units) * tensor.cols * 2
            if pad_wanted and tensor.part == "routed_expert" and tensor.is_matrix:
                rows, cols = tensor.rows, tensor.cols
                if "down" in tensor.name:
                    cols = split(cols, inner)
                else:
                    rows = split(rows, inner)
                copies = -(-tensor.copies // whole)
                long_side, short_side = _padded(rows, cols, tile, "down" in tensor.name)
                total += int(count * copies * (long_side * short_side - rows * cols) * MXFP4_BITS / 8)
            elif ungated and tensor.part == "routed_expert" and tensor.is_matrix:
                down = "down" in tensor.name
                width, other = (tensor.cols, tensor.rows) if down else (tensor.rows, tensor.cols)
                width = split(width, inner)
                total += count * -(-tensor.copies // whole) * (-width % UNGATED_TILE) * other
    return extra + int(total * share)


def expert_tile(accelerator: Accelerator) -> Tile:
    """What the MXFP4 kernels of a card pad experts to (vllm/model_executor/layers/quantization/mxfp4.py).

    Triton on Hopper: inputs to 256. FlashInfer on B200 and its kin, and ROCm: both sides to 256. Marlin elsewhere:
    the hidden side to 256, the expert's to 128.
    """
    if accelerator.compute_capability.startswith("9."):
        return "inputs"
    if accelerator.compute_capability.startswith("10.") or accelerator.vendor.upper() == "AMD":
        return "both"
    return "marlin"


def plain_latent(accelerator: Accelerator, engine: ServingEngine) -> bool:
    """Whether FP8 latents of sparse attention take a byte an element, nothing beside: B200's kernels of 2026.

    Elsewhere vLLM stores fp8_ds_mla (vllm/v1/attention/backends/mla: flashinfer_mla_sparse.py, flashmla_sparse.py).
    """
    return accelerator.compute_capability.startswith("10.") and engine != "vllm-earlier"


def _padded(rows: int, cols: int, tile: Tile, down: bool) -> tuple[int, int]:
    """Rows and columns of an MXFP4 expert matrix after the kernel's padding."""

    def up(value: int, step: int) -> int:
        return -(-value // step) * step

    if tile == "inputs":
        return rows, up(cols, WIDE_TILE)
    if tile == "both":
        return up(rows, WIDE_TILE), up(cols, WIDE_TILE)
    return (up(rows, WIDE_TILE), up(cols, NARROW_TILE)) if down else (up(rows, NARROW_TILE), up(cols, WIDE_TILE))


def _layer_buffers(layer: Layer, arch: Architecture, layout: Layout) -> float:
    """Widest feed-forward buffers of one layer, bytes for each token of the batch (16-bit)."""
    inner = expert_split(layout)[1]
    if layer.ffn == "moe" and arch.experts:
        # The fused kernel writes every (token, expert) pair: gate and up, their product, and the way back.
        width = split(arch.expert_intermediate_size, inner)
        return 2 * arch.experts_per_token * (max(2 * width, arch.hidden_size) + width)
    if layer.ffn == "dense":
        width = split(arch.intermediate_size, layout.tp)
        return 2 * width * (3 if arch.gated_mlp else 2)
    return 0.0


CONTEXT_CHUNK_TOKENS = 65536
"""Tokens of a context chunk whose keys and values MLA up-projects at once (vllm/v1/attention mla/common.py)."""


@lru_cache(maxsize=1024)
def buffer_terms(arch: Architecture, layout: Layout) -> tuple[float, int]:
    """(widest feed-forward buffers of any layer, bytes a token of the batch; bytes of MLA's prefill workspace)."""
    widest = max((_layer_buffers(layer, arch, layout) for layer, _ in arch.layer_runs()), default=0.0)
    workspace = 0
    for layer, _ in arch.layer_runs():
        if layer.mixer == "mla":
            for tensor in layer.tensors:
                if tensor.name.endswith("kv_b_proj"):
                    rows = split(tensor.rows, attention_ranks(layout), tensor.units)
                    workspace = max(workspace, CONTEXT_CHUNK_TOKENS * rows * 2)
    return widest, workspace


PATCHES_PER_TOKEN = 4
"""Image patches that a vision tower sees for one token it hands on: most towers merge 2 x 2."""


@lru_cache(maxsize=512)
def _tower_bytes_per_patch(arch: Architecture) -> int:
    """Widest buffers of a vision block, 16-bit bytes a patch: residual, queries, keys, values, and the feed-forward."""
    hidden = inner = 0
    for tensor in arch.towers:
        if tensor.part == "vision" and tensor.copies > 1 and tensor.is_matrix:
            if tensor.name.endswith("q_proj"):
                hidden = max(hidden, tensor.cols)
            elif tensor.name.endswith(("gate_proj", "up_proj")):
                inner += tensor.rows
    return 2 * (4 * hidden + inner + inner // 2) if hidden else 0


def sampler_bytes(engine: ServingEngine) -> float:
    """Bytes for each sequence x vocabulary entry while the profile run samples: earlier vLLM sorts the logits."""
    return fitted.SAMPLER_SORTED_BYTES if engine == "vllm-earlier" else fitted.SAMPLER_BYTES


def activation_bytes(arch: Architecture, layout: Layout, settings: EngineSettings, last: bool) -> int:
    """Peak of the engine's profile run on one rank, bytes.

    The sampler and its logits take max_num_seqs x vocabulary, not sharded by TP, on the last stage; a layer's
    buffers take max_num_batched_tokens x width; a vision tower sees the largest item (or as many as fill a step).
    They never coincide, so the largest counts. Coefficients are fitted, the tower's are its own widths.
    """
    batched = settings.max_num_batched_tokens
    hidden = 2 * batched * arch.hidden_size
    widest, workspace = buffer_terms(arch, layout)
    body = batched * widest + fitted.LAYER_COPIES * hidden + workspace
    sampler = 0.0
    if last:
        seqs = min(settings.max_num_seqs, batched)
        sampler = sampler_bytes(settings.engine) * seqs * arch.vocab_size + fitted.HIDDEN_COPIES * hidden
    encoder = tower = 0
    if arch.vision_tokens_max:
        tokens = max(batched, arch.vision_tokens_max)
        tower = PATCHES_PER_TOKEN * tokens * _tower_bytes_per_patch(arch)
        # The encoder's output stays cached through the whole run.
        encoder = 2 * tokens * arch.hidden_size
    return int(max(body, sampler, tower) + encoder)


NON_TORCH_CARD_BYTES = 80 * GB
"""The cards that the growth of the context was measured on."""


def non_torch_bytes(accelerator: Accelerator, layout: Layout, engine: ServingEngine, nvlink: bool) -> int:
    """CUDA context growth, library workspaces and communication buffers on one GPU, bytes. Fitted.

    SGLang's figure is what its process takes before it looks at the free memory, the CUDA context included.
    """
    together = expert_group(layout) * layout.pp
    if engine == "sglang":
        fabric = fitted.SGLANG_NVLINK_GIB if together > 1 and nvlink else 0.0
        return int((fitted.SGLANG_START_GIB + fabric) * GIB)
    alone = fitted.NON_TORCH_ROCM_GIB
    if accelerator.vendor.upper() != "AMD":
        alone = fitted.NON_TORCH_ONE_GIB * min(1.0, accelerator.memory_bytes / NON_TORCH_CARD_BYTES)
    # Beyond eight ranks NCCL adds channels between nodes only.
    each = fitted.NON_TORCH_TOGETHER_EARLIER_GIB if engine == "vllm-earlier" else fitted.NON_TORCH_TOGETHER_GIB
    buffers = each * min(math.log2(together), 3.0)
    return int((alone + buffers * (1.0 if accelerator.peer_access else HOST_STAGED_SHARE)) * GIB)


CAPTURE_MOST = 512
CAPTURE_FINE = 256
CAPTURE_STEP = 8
CAPTURE_STEP_COARSE = 16
"""Batch sizes are captured up to the first, in steps of the third up to the second and of the fourth above."""


def captured_sizes(settings: EngineSettings) -> int:
    """Batch sizes that the engine captures: 1, 2, 4, every 8 up to 256, and on to twice max_num_seqs or 512.

    Above 256 the step is 16 in current vLLM and 8 before (vllm/config, `_set_cudagraph_sizes`).
    """
    top = min(2 * settings.max_num_seqs, CAPTURE_MOST, settings.max_num_batched_tokens)
    step = CAPTURE_STEP if settings.engine == "vllm-earlier" else CAPTURE_STEP_COARSE
    fine = sum(1 for size in (1, 2, 4) if size <= top) + min(top, CAPTURE_FINE) // CAPTURE_STEP
    return fine + max(0, top - CAPTURE_FINE) // step


def graph_bytes(layers: int, settings: EngineSettings) -> int:
    """Memory that captured CUDA graphs keep on a rank of `layers` layers, bytes. Fitted, to a factor of two."""
    if not settings.cuda_graphs:
        return 0
    return int(fitted.GRAPH_POOL_GIB * GIB + fitted.GRAPH_BYTES * layers * captured_sizes(settings))


# --- stages ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Stage:
    """Pipeline stages that hold the same. first: number from 1."""

    first: int
    stages: int
    weights: int
    layers: int
    pool: KvPool
    last: bool


@lru_cache(maxsize=128)
def _stages(
    arch: Architecture,
    weights: str,
    kv: str,
    layout: Layout,
    mtp: bool,
    engine: ServingEngine,
    block: int,
    tile: Tile,
    rocm: bool,
    plain: bool,
) -> tuple[_Stage, ...]:
    ranks = attention_ranks(layout)
    found: list[_Stage] = []
    kinds: tuple[int, ...] = ()
    for stage in range(layout.pp):
        before, kinds = kinds, stage_kinds(arch, weights, layout.pp, stage)
        if kinds == before and 1 < stage < layout.pp - 1:  # neither an embedding nor a head tells them apart
            found[-1] = replace(found[-1], stages=found[-1].stages + 1)
            continue
        held = stage_weights(arch, weights, layout, stage, mtp)
        loaded = held.total_bytes + engine_extra_bytes(arch, weights, layout, held.layers, tile)
        if rocm and engine != "sglang":
            loaded = int(loaded * fitted.ROCM_WEIGHTS)
        if engine == "sglang":
            loaded += int(fitted.SGLANG_LOAD_GIB * GIB)
        entry = _Stage(
            stage + 1,
            1,
            loaded,
            held.layers,
            kv_pool(arch, kv, ranks, layout.pp, stage, engine, block, plain),
            stage == layout.pp - 1,
        )
        if found:
            last = found[-1]
            if replace(entry, first=last.first, stages=last.stages) == last:
                found[-1] = replace(last, stages=last.stages + 1)
                continue
        found.append(entry)
    return tuple(found)


def _label(stage: _Stage, pp: int, gpus: int) -> str:
    if pp == 1:
        return f"all {gpus} GPUs" if gpus > 1 else "the GPU"
    if stage.stages == 1:
        return f"stage {stage.first}"
    return f"stages {stage.first}-{stage.first + stage.stages - 1}"


@dataclass(frozen=True, slots=True)
class _Rank:
    """What one GPU of some equal stages holds before any load. room: left for KV, negative when over."""

    label: str
    gpus: int
    weights: int
    activation: int
    runtime: int
    usable: int
    room: int
    layers: int
    longest: int  # tokens of the longest single sequence that fits
    pool: KvPool

    @property
    def kv_room(self) -> int:
        """Bytes that the KV cache gets."""
        return max(0, self.room)


@lru_cache(maxsize=256)
def _ranks(
    arch: Architecture,
    weights: str,
    kv: str,
    mtp: bool,
    card: Accelerator,
    nvlink: bool,
    layout: Layout,
    runtime: Runtime,
) -> tuple[_Rank, ...]:
    """One rank of each kind of stage. No load is among the arguments: an edit of the load finds them here."""
    settings = _settings(runtime, card, layout, arch, 0)
    visible = visible_bytes(card)
    rocm = card.vendor.upper() == "AMD"
    plain = plain_latent(card, settings.engine)
    stages = _stages(
        arch, weights, kv, layout, mtp, settings.engine, settings.block_size, expert_tile(card), rocm, plain
    )
    non_torch = non_torch_bytes(card, layout, settings.engine, nvlink)
    ranks: list[_Rank] = []
    for stage in stages:
        activation = activation_bytes(arch, layout, settings, stage.last)
        graphs = graph_bytes(stage.layers, settings)
        runtime_bytes = non_torch + graphs
        if settings.engine == "sglang":
            # The static fraction holds weights and KV; everything else lives in the rest of the card.
            budget = int((visible - non_torch) * settings.utilization)
            spare = visible - non_torch - budget
            activation = min(activation, max(0, spare - graphs))
            usable = budget + non_torch + graphs + activation
            room = budget - stage.weights
        elif settings.engine == "vllm-earlier":
            # Graphs are captured after the KV cache took its share: they come out of what utilization leaves.
            budget = int(visible * settings.utilization)
            usable = budget + min(graphs, visible - budget)
            room = budget - stage.weights - activation - non_torch
        else:
            usable = int(visible * settings.utilization)
            room = usable - stage.weights - activation - runtime_bytes
        ranks.append(
            _Rank(
                label=_label(stage, layout.pp, layout.gpus),
                gpus=layout.tp * layout.dp * stage.stages,
                weights=stage.weights,
                activation=activation,
                runtime=runtime_bytes,
                usable=usable,
                room=room,
                layers=stage.layers,
                longest=stage.pool.longest(max(0, room), arch.max_position, settings.max_num_batched_tokens),
                pool=stage.pool,
            )
        )
    return tuple(ranks)


# --- the sizing -----------------------------------------------------------------------------------------------


def plain_layout(layout: Layout) -> Layout:
    """The layout without its reason, so that equal shapes share cached sums."""
    return replace(layout, reason="") if layout.reason else layout


class Room(NamedTuple):
    """What a layout's memory leaves for the load: enough to choose among layouts by, `serving_memory` tells the rest.

    short: what is missing where the engine does not start, `weights` or `kv`. kv_needed: bytes on a rank of each kind
    of stage. free_bytes: of the worst rank. fill: of the memory that may be used, on the fullest rank. copies:
    independent KV caches, on one of which a user is whole.
    """

    starts: bool
    short: str
    fits: bool
    max_concurrency: float
    reported: float
    kv_needed: tuple[int, ...]
    free_bytes: int
    fill: float = 0.0
    copies: int = 1

    @property
    def users_that_fit(self) -> int:
        """As of `Memory`: a fraction of a user past the last whole one of a copy of the cache is room for nobody."""
        return self.copies * math.floor(self.max_concurrency / self.copies)

    @property
    def preempts(self) -> bool:
        """Whether the load fills the memory past the line where engines preempt."""
        return self.fill > PREEMPTION_LINE


class Rooms(NamedTuple):
    """The memory of one layout with requests of one length, before its users are counted.

    users: that one copy of the KV cache holds. reported: see `Memory`. starts, short: see `Room`.
    """

    ranks: tuple[_Rank, ...]
    settings: EngineSettings
    total: int
    copies: int
    tokens: int
    starts: bool
    short: str
    users: float
    reported: float

    def fits(self, concurrency: int) -> bool:
        """Whether so many users fit: a fraction of a user past the last whole block is not room for that user."""
        return self.starts and self.users >= -(-concurrency // self.copies)

    def at(self, concurrency: int) -> Room:
        """The room under so many users."""
        per_copy = -(-concurrency // self.copies)
        batched = self.settings.max_num_batched_tokens
        needed: list[int] = []
        free = self.total
        fill = 0.0
        for rank in self.ranks:
            kv_needed = rank.pool.needed_bytes(per_copy, self.tokens, batched)
            needed.append(kv_needed)
            used = rank.weights + kv_needed + rank.activation + rank.runtime
            free = min(free, self.total - used)
            fill = max(fill, used / rank.usable)
        max_users = self.users * self.copies
        return Room(
            starts=self.starts,
            short=self.short,
            fits=self.fits(concurrency),
            max_concurrency=float(concurrency) if math.isinf(max_users) else max_users,
            reported=self.reported,
            kv_needed=tuple(needed),
            free_bytes=free,
            fill=fill,
            # a model that keeps nothing holds as many as asked, on however many copies
            copies=1 if math.isinf(max_users) else self.copies,
        )


def headroom_of(rooms: Rooms, room: Room) -> tuple[Headroom, float, float]:
    """(headroom word, share of the card that weights take, share of the KV that fits which is needed), worst rank."""
    share = max(rank.weights for rank in rooms.ranks) / rooms.total
    needed = 0.0
    for rank, kv_needed in zip(rooms.ranks, room.kv_needed, strict=True):
        needed = max(needed, kv_needed / rank.kv_room if rank.room > 0 else math.inf)
    return _word(room.fits, share, needed, room.fill), share, needed


def serving_rooms(scenario: Scenario, layout: Layout) -> Rooms:
    """The memory of a serving scenario in one layout whatever its users. Raises what `serving_memory` does."""
    layout = plain_layout(layout)
    ranks, settings = _ranks_of(scenario, layout), engine_settings(scenario, layout)
    tokens, batched = scenario.workload.tokens_per_request, settings.max_num_batched_tokens
    users = reported = math.inf
    starts = True
    short = ""
    for rank in ranks:
        pool = rank.pool
        users = min(users, pool.concurrency(rank.kv_room, tokens, batched))
        sequences = pool.reported_concurrency(rank.kv_room, settings.max_model_len, batched)
        reported = min(reported, sequences)
        if rank.room < 0:
            starts, short = False, "weights"
        elif sequences < 1 and (settings.engine != "sglang" or rank.kv_room < pool.block_bytes):
            # SGLang starts with any KV pool and refuses what is longer; vLLM wants room for one whole sequence.
            starts, short = False, short or "kv"
    total, copies = scenario.hardware.accelerator.memory_bytes, kv_copies(layout)
    return Rooms(ranks, settings, total, copies, tokens, starts, short, users, reported)


def serving_room(scenario: Scenario, layout: Layout) -> Room:
    """The room for the load of a serving scenario in one layout. Raises what `serving_memory` does."""
    return serving_rooms(scenario, layout).at(scenario.workload.concurrency)


def _ranks_of(scenario: Scenario, layout: Layout) -> tuple[_Rank, ...]:
    model, hardware = scenario.model, scenario.hardware
    nvlink = hardware.intra_link.family in ("nvlink", "xgmi")
    return _ranks(
        model.architecture,
        model.weights,
        model.kv_cache,
        model.mtp,
        hardware.accelerator,
        nvlink,
        layout,
        scenario.runtime,
    )


def serving_memory(scenario: Scenario, layout: Layout, rooms: Rooms | None = None, room: Room | None = None) -> Memory:
    """Memory per GPU of a serving scenario in one layout, worst group first.

    weights + kv + activation + runtime + free is the card's total in every group, exactly; kv_bytes is what the asked
    load needs, kv_capacity_bytes what fits. Capacity, users and longest context are the poorest stage's, over all
    replicas. Suggestions are left empty: `engine.serving.advice` adds them to the one build that is shown. rooms: of the
    layout, where they are known already; room: that of the load. Raises ScenarioError for unknown formats and layouts that cannot be cut.
    """
    rooms = rooms or serving_rooms(scenario, layout)
    ranks, settings, total, tokens = rooms.ranks, rooms.settings, rooms.total, rooms.tokens
    found = room or rooms.at(scenario.workload.concurrency)
    groups = [
        MemoryGroup(
            rank_group=rank.label,
            gpus=rank.gpus,
            weights_bytes=rank.weights,
            kv_bytes=kv_needed,
            activation_bytes=rank.activation,
            runtime_bytes=rank.runtime,
            optimizer_bytes=0,
            gradient_bytes=0,
            free_bytes=total - rank.weights - kv_needed - rank.activation - rank.runtime,
            usable_bytes=rank.usable,
            total_bytes=total,
            reserved_bytes=total - rank.usable,
            kv_capacity_bytes=rank.kv_room,
            layers=rank.layers,
        )
        for rank, kv_needed in zip(ranks, found.kv_needed, strict=True)
    ]
    groups.sort(key=lambda group: group.free_bytes)
    capacity: float = min(
        (
            rank.kv_room // rank.pool.block_bytes * rank.pool.block_tokens
            for rank in ranks
            if rank.pool.uniform and rank.pool.groups
        ),
        default=math.inf,
    )
    max_users = found.max_concurrency
    kv_capacity = int(max_users * tokens) if math.isinf(capacity) else int(capacity) * rooms.copies
    word, share, needed_share = headroom_of(rooms, found)
    return Memory(
        per_gpu=tuple(groups),
        weights_share=share,
        kv_needed_tokens=scenario.workload.concurrency * tokens,
        kv_capacity_tokens=kv_capacity,
        max_concurrency=max_users,
        users_that_fit=found.users_that_fit,
        kv_share=needed_share if math.isfinite(needed_share) else None,
        reported_concurrency=0.0 if math.isinf(found.reported) else found.reported,
        longest_context_tokens=min(rank.longest for rank in ranks),
        fits=found.fits,
        starts=found.starts,
        headroom=word,
        headroom_reason=_reason(word, found.starts, found.short, share, needed_share, found.fill, settings),
        peak_bytes=max(group.used_bytes for group in groups),
        rule_note=_rule_note(word, share, needed_share, found.users_that_fit, found.starts),
    )


def _word(fits: bool, share: float, needed_share: float, fill: float) -> Headroom:
    """The headroom word by the definitions of `HEADROOM_WORDS`."""
    if not fits:
        return "does not fit"
    if fill > PREEMPTION_LINE:
        return "marginal"
    if share > RULE_WEIGHTS or needed_share > FITS_KV:
        return "tight"
    if share > COMFORTABLE_WEIGHTS or needed_share > COMFORTABLE_KV:
        return "fits"
    return "comfortable"


def _times(share: float) -> str:
    return f"{100 * share:.0f} % of" if share < 2 else f"{share:.1f} times"


def _reason(
    word: Headroom, starts: bool, short: str, share: float, needed: float, fill: float, settings: EngineSettings
) -> str:
    if not starts and short == "weights":
        return "weights and activations alone exceed the usable memory"
    if not starts:
        return f"no room for the KV of one sequence of {settings.max_model_len:,} tokens"
    kv = f"the load needs {_times(needed)} the KV that fits"
    if word == "does not fit":
        return kv
    if word == "marginal":
        return f"the load fills {100 * fill:.0f} % of the usable memory; engines preempt above 95 %"
    return f"weights take {100 * share:.0f} % of the card and {kv}"


def marginal_users(users_that_fit: int) -> int:
    """From how many users on the memory is so full that engines preempt."""
    return max(1, int(users_that_fit * PREEMPTION_LINE))


def _rule_note(word: Headroom, share: float, needed: float, users: int, starts: bool) -> str:
    """Both verdicts where the rule of thumb and the bytes disagree, or where the rule alone decides little."""
    percent = f"{100 * share:.0f} %"
    if share > RULE_WEIGHTS:
        if word == "does not fit":
            return ""
        return (
            f"Rule of thumb: no, weights take {percent} of VRAM, above 60-70 %. Bytes: yes, {users:,} users fit. "
            "The bytes decide: they count this load's KV, the rule assumes one."
        )
    if word in ("tight", "marginal", "does not fit"):
        why = f"the load needs {_times(needed)} the KV that fits" if starts else "the engine does not start"
        return (
            f"Rule of thumb: yes, weights take {percent} of VRAM. Bytes: {word}, {why}. "
            "The bytes decide: the rule does not look at context and concurrency."
        )
    if share >= NOTED_WEIGHTS:
        return (
            f"Rule of thumb and bytes agree here: weights take {percent} of VRAM, {users:,} users fit. Under more "
            f"load only the bytes change: marginal from about {marginal_users(users):,} users at this length."
        )
    return ""
