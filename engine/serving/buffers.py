"""What a serving engine takes on a GPU beside weights of the checkpoint and KV: padding, activations, buffers, graphs."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal

from engine.calibration import serving_memory as fitted
from engine.figures.units import GB, GIB
from engine.layout.sharding import attention_ranks, expert_group, expert_split, split
from engine.model.architecture import Architecture, Layer
from engine.model.formats import weight_format
from engine.parts.hardware import Accelerator
from engine.runtimes import ENGINES
from engine.runtimes.engine import Computed, ServingEngine
from engine.scenario import Layout
from engine.serving.settings import EngineSettings, is_gaudi, shares_memory

Tile = Literal["inputs", "both", "marlin", "inner"]

HOST_STAGED_SHARE = 0.4
"""Communication buffers of cards without peer access against those of others, a rule: the engine's own all-reduce and
its symmetric buffers are off (vllm/distributed/device_communicators/custom_all_reduce.py), NCCL's remain."""

MXFP4_BITS = 4.25
"""Bits of an MXFP4 weight with its share of the scale."""
WIDE_TILE = 256
NARROW_TILE = 128
INNER_TILE = 64
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
    ungated = form in ("fp8", "fp8-dynamic") and not arch.gated_mlp
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


def expert_tile(accelerator: Accelerator, marlin: bool = True) -> Tile:
    """What the MXFP4 kernels of a card pad experts to (layers/quantization/mxfp4.py of vLLM and of SGLang).

    Triton on Hopper: inputs to 256. FlashInfer on B200 and its kin, and ROCm: both sides to 256. Elsewhere Marlin pads the
    hidden side to 256, the expert's to 128; without it (marlin False: SGLang) Triton's plain layout the expert's to 64.
    """
    if accelerator.compute_capability.startswith("9."):
        return "inputs"
    if accelerator.compute_capability.startswith("10.") or accelerator.vendor.upper() == "AMD":
        return "both"
    return "marlin" if marlin else "inner"


def plain_latent(accelerator: Accelerator, engine: ServingEngine) -> bool:
    """Whether FP8 latents of sparse attention take a byte an element, nothing beside: B200's kernels of 2026.

    Elsewhere vLLM stores fp8_ds_mla (vllm/v1/attention/backends/mla: flashinfer_mla_sparse.py, flashmla_sparse.py).
    """
    return accelerator.compute_capability.startswith("10.") and ENGINES[engine].plain_latents


def _padded(rows: int, cols: int, tile: Tile, down: bool) -> tuple[int, int]:
    """Rows and columns of an MXFP4 expert matrix after the kernel's padding."""

    def up(value: int, step: int) -> int:
        return -(-value // step) * step

    if tile == "inputs":
        return rows, up(cols, WIDE_TILE)
    if tile == "both":
        return up(rows, WIDE_TILE), up(cols, WIDE_TILE)
    if tile == "inner":
        return (rows, up(cols, INNER_TILE)) if down else (up(rows, INNER_TILE), cols)
    return (up(rows, WIDE_TILE), up(cols, NARROW_TILE)) if down else (up(rows, NARROW_TILE), up(cols, WIDE_TILE))


RECURRENT_COPIES = 7.0
"""Copies of what a recurrent mixer projects its input to, in 16 bits, that its kernels over chunks of a prompt hold at once:
a start of a 27B hybrid that profiles 65,536 tokens takes 265 kB each beside weights and graphs; two of a 35B with a
drafter 275 and 288."""


def _mixer_buffers(layer: Layer, layout: Layout) -> float:
    """Buffers of a recurrent mixer, bytes for each token of the batch (16-bit); 0 of others."""
    rows = 0
    for tensor in layer.tensors:
        if tensor.part == "recurrent" and tensor.is_matrix and tensor.shard == "column" and tensor.cols >= LEAST_INPUT:
            rows += split(tensor.rows, layout.tp)
    return 2 * RECURRENT_COPIES * rows


LEAST_INPUT = 64
"""Matrices of a mixer that read fewer features are convolutions and gates."""


def _layer_buffers(layer: Layer, arch: Architecture, layout: Layout) -> float:
    """Widest buffers of one layer, bytes for each token of the batch (16-bit): of its mixer or its feed-forward."""
    return max(_mixer_buffers(layer, layout), _feed_forward_buffers(layer, arch, layout))


def _feed_forward_buffers(layer: Layer, arch: Architecture, layout: Layout) -> float:
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
    """Bytes for each sequence x vocabulary entry while the profile run samples."""
    each: float = getattr(fitted, ENGINES[engine].sampler)
    return each


def activation_bytes(
    arch: Architecture, layout: Layout, settings: EngineSettings, last: bool, drafts: bool = False, kept: int = 0
) -> int:
    """Peak of the engine's profile run on one rank, bytes.

    The sampler and its logits take max_num_seqs x vocabulary, not sharded by TP, on the last stage; a layer's
    buffers take max_num_batched_tokens x width; a vision tower sees the largest item (or as many as fill a step).
    They never coincide, so the largest counts. Coefficients are fitted, the tower's are its own widths.
    kept: hidden states that the layers hand on to a drafter, held through the whole pass (vllm/v1/worker/gpu_model_runner.py,
    aux_hidden_states).
    """
    batched = settings.max_num_batched_tokens
    hidden = 2 * batched * arch.hidden_size
    widest, workspace = buffer_terms(arch, layout)
    body = batched * widest + (fitted.LAYER_COPIES + kept) * hidden + workspace
    sampler = 0.0
    if last:
        seqs = min(settings.max_num_seqs, batched)
        if drafts:
            seqs *= settings.rules.drafted_rows
        sampler = sampler_bytes(settings.engine) * seqs * arch.vocab_size + fitted.HIDDEN_COPIES * hidden
    encoder = tower = 0
    if arch.vision_tokens_max and settings.pictures:
        tokens = max(batched, arch.vision_tokens_max)
        tower = arch.patches_per_token * tokens * _tower_bytes_per_patch(arch)
        # The encoder's output stays cached through the whole run.
        encoder = 2 * tokens * arch.hidden_size
    return int(max(body, sampler, tower) + encoder)


def compute_buffer_bytes(arch: Architecture, settings: EngineSettings, buffers: Computed) -> int:
    """An engine's compute buffer on one card: the widest moment of a pass, the mask over all cells, logits of the sequences."""
    wide = max(
        arch.intermediate_size * 2, arch.experts_per_token * (2 * arch.expert_intermediate_size + arch.hidden_size)
    )
    per_token = buffers.copies * 4 * (arch.hidden_size + wide) + buffers.mask_bytes * settings.max_model_len
    return int(settings.max_num_batched_tokens * per_token + 4 * arch.vocab_size)


NON_TORCH_XPU_GIB = 0.34
"""The same on Intel's graphics cards, alone or together, as a start of vLLM on an Arc Pro B70 prints it: five of two cards leave no
room for communication buffers such as NCCL's."""
NON_TORCH_CARD_BYTES = 80 * GB
"""The cards that the growth of the context was measured on."""


def non_torch_bytes(accelerator: Accelerator, layout: Layout, engine: ServingEngine, nvlink: bool) -> int:
    """CUDA context growth, library workspaces and communication buffers on one GPU, bytes. Fitted.

    Of an engine with a static fraction it is what its process takes before it looks at the free memory, the CUDA context included.
    """
    rules, together = ENGINES[engine], expert_group(layout) * layout.pp
    if rules.budget == "static":
        fabric = fitted.SGLANG_NVLINK_GIB if together > 1 and nvlink else 0.0
        return int((fitted.SGLANG_START_GIB + fabric) * GIB)
    if accelerator.vendor.upper() == "INTEL" and not is_gaudi(accelerator):
        return int(NON_TORCH_XPU_GIB * GIB)
    alone = fitted.NON_TORCH_ROCM_GIB
    if accelerator.vendor.upper() != "AMD":
        alone = fitted.NON_TORCH_ONE_GIB * min(1.0, accelerator.memory_bytes / NON_TORCH_CARD_BYTES)
    # Beyond eight ranks NCCL adds channels between nodes only.
    each: float = getattr(fitted, rules.together)
    buffers = each * min(math.log2(together), 3.0)
    return int((alone + buffers * (1.0 if accelerator.peer_access else HOST_STAGED_SHARE)) * GIB)


PACKED_HOPPER_GIB = 8.0
"""What vLLM takes more for the compressed caches of DeepSeek-V4 on Hopper, whose kernels of sparse attention gather and unpack
what B200's read in place: 7.9 and 8.2 GiB beside all else in two start-up logs (V4 Pro on H200, V4 Flash on GH200)."""


@lru_cache(maxsize=256)
def packed_bytes(arch: Architecture, accelerator: Accelerator) -> int:
    """`PACKED_HOPPER_GIB` of a model and a card that it is of; else 0."""
    packed = any(cache.compression > 1 for layer, _ in arch.layer_runs() for cache in layer.caches)
    return int(PACKED_HOPPER_GIB * GIB) if packed and accelerator.compute_capability.startswith("9.") else 0


UNIFIED_EXPERTS_GIB = 3.75
"""What vLLM takes more for a mixture of experts where GPU and host share a memory: 2.6, 3.5, 4.0 and 5.6 GiB beside all else in
four start-up logs of DGX Sparks of one repository; two dense models take 0.2 and 0.4. A rule: what of it is the host's own growth
while experts are loaded and profiled, no log tells."""
UNIFIED_HOSTS_GIB = 10.0
"""What it takes beyond that on each of hosts that are joined by a network, whose buffers are in the same memory: one start-up log
of two DGX Sparks, half of it in what vLLM takes out for CUDA graphs (0.80 of the memory is 0.758 without, as it prints)."""


def unified_bytes(arch: Architecture, accelerator: Accelerator, layout: Layout, engine: ServingEngine) -> int:
    """`UNIFIED_EXPERTS_GIB` and `UNIFIED_HOSTS_GIB` of a model, a card and a layout that they are of; else 0."""
    if not (shares_memory(accelerator) and ENGINES[engine].refuses_held_memory):
        return 0
    joined = expert_group(layout) * layout.pp > (accelerator.max_gpus_per_node or 1)
    return int(((UNIFIED_EXPERTS_GIB if arch.experts else 0.0) + (UNIFIED_HOSTS_GIB if joined else 0.0)) * GIB)


CAPTURE_MOST = 512
CAPTURE_FINE = 256
CAPTURE_STEP = 8
"""Batch sizes are captured up to the first, in steps of the third up to the second and of the engine's above."""


def captured_sizes(settings: EngineSettings) -> int:
    """Batch sizes that the engine captures: 1, 2, 4, every 8 up to 256, and on to twice max_num_seqs or 512.

    Above 256 the step is 16 in current vLLM and 8 before (vllm/config, `_set_cudagraph_sizes`).
    """
    top = min(2 * settings.max_num_seqs, CAPTURE_MOST, settings.max_num_batched_tokens)
    fine = sum(1 for size in (1, 2, 4) if size <= top) + min(top, CAPTURE_FINE) // CAPTURE_STEP
    return fine + max(0, top - CAPTURE_FINE) // settings.rules.capture_step


def graph_bytes(layers: int, settings: EngineSettings) -> int:
    """Memory that captured CUDA graphs keep on a rank of `layers` layers, bytes. Fitted, to a factor of two."""
    if not settings.cuda_graphs:
        return 0
    return int(fitted.GRAPH_POOL_GIB * GIB + fitted.GRAPH_BYTES * layers * captured_sizes(settings))
