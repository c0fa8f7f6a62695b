"""The counted shape of a build: bytes and FLOPs of one engine's GPU, what it sends, and the class of its card."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from engine.figures.records import NamedTuple, dataclass
from engine.layout.sharding import attention_ranks, expert_group, kv_heads_on_rank, stage_weights
from engine.links.traffic import Message, communication_s, decode_traffic, prefill_traffic
from engine.model.architecture import Architecture, Tensor
from engine.model.flops import layer_elements
from engine.model.formats import (
    compute_type,
    is_gguf,
    kv_bytes_per_element,
    layer_kinds,
    stored_in_blocks,
    tensor_bytes,
    tensor_scheme,
    weight_format,
)
from engine.parts.hardware import Accelerator
from engine.scenario import Hardware, Layout

DECODE_POINTS = (1, 16, 128, 1024)
PREFILL_POINTS = (256, 2048, 16384)
# Heads of a tile of the kernels that score a shared latent: fewer on a GPU are padded to it (FlashMLA's block of rows).
LATENT_HEADS = 64


@dataclass(frozen=True, slots=True)
class Band:
    """Layers that see at most `limit` tokens (0: all): per GPU and token seen, bytes and FLOPs of a query.

    prefill_flops: of a prompt; latent_flops: of a prompt whose heads share one latent; index_flops: of an indexer.
    """

    limit: int
    kv_bytes: float
    decode_flops: float
    prefill_flops: float
    latent_flops: float = 0.0
    index_flops: float = 0.0

    def seen(self, context: float) -> float:
        """Tokens that a query with that context reads."""
        return min(self.limit, context) if self.limit else context

    def mean_seen(self, tokens: float, cached: float = 0.0) -> float:
        """Tokens that an average query of a causal prompt reads; the first `cached` of them ask nothing."""
        if cached:
            read = tokens * self.mean_seen(tokens) - cached * self.mean_seen(cached)
            return read / (tokens - cached)
        if not self.limit or tokens <= self.limit:
            return tokens / 2
        return self.limit - self.limit * self.limit / (2 * tokens)


@dataclass(frozen=True, slots=True)
class Wider:
    """Of the dense weights, matrices that a format leaves in 16 bits, or in 8 where its own are fewer; their FLOPs a token."""

    bits: int
    dense_bytes: float
    dense_flops: float
    head_flops: float


@dataclass(frozen=True, slots=True)
class Shape:
    """Counted facts of one engine: a replica, or the group that data-parallel attention forms.

    Bytes and FLOPs are those of one GPU, summed over the pipeline stages. attention_copies: how many ways the
    engine's sequences are split before attention. wider: of the dense bytes and FLOPs and the head's, those of matrices that the
    format leaves wider. blocks: whether FP8 weights are scaled in blocks. decode_wire, prefill_wire:
    seconds in collectives by tokens.
    """

    stages: int
    crossings: int  # stages that lie on another host than the one before
    imbalance: float  # slowest stage against the mean
    layers: int
    moe_layers: int
    latent_layers: int
    indexed_layers: int  # whose own indexer picks what is attended to
    attention_copies: int
    dense_bytes: float
    expert_bytes: float
    experts_held: float
    experts: int
    experts_per_token: int
    dense_flops: float
    head_flops: float
    wider: tuple[Wider, ...]
    expert_flops: float
    state_bytes: float
    latent: bool
    blocks: bool
    fabric: str
    bands: tuple[Band, ...]
    decode_wire: tuple[float, ...]
    prefill_wire: tuple[float, ...]


def gpu_class(accelerator: Accelerator) -> str:
    """The class of GPUs whose measured efficiency an accelerator takes: its architecture and kind of memory."""
    name = accelerator.architecture.lower()
    kind = accelerator.memory_type.upper()
    stacked = kind.startswith("HBM") if kind else accelerator.bandwidth_gb_s >= 1900
    if "blackwell" in name:
        four, sixteen = accelerator.tflops_fp4_dense or 0.0, accelerator.tflops_bf16_dense or 1.0
        return "blackwell-gddr" if not stacked else "blackwell-ultra" if four > 5 * sixteen else "blackwell"
    if "hopper" in name:
        return "hopper"
    if "ada" in name:
        return "ada"
    if "ampere" in name:
        return "ampere" if stacked else "ampere-gddr"
    if "gaudi" in name:
        return "gaudi"
    return accelerator.vendor.lower() or "other"


def engine_split(layout: Layout) -> tuple[int, int]:
    """(independent engines of the layout, attention copies inside one)."""
    if layout.dp_attention:
        return 1, max(1, layout.tp * layout.dp // attention_ranks(layout))
    return layout.dp, 1


@lru_cache(maxsize=1024)
def pass_messages(
    arch: Architecture, layout: Layout
) -> tuple[tuple[tuple[Message, ...], ...], tuple[tuple[Message, ...], ...]]:
    """The messages of decode steps of DECODE_POINTS tokens of an attention copy, and of prompts of PREFILL_POINTS."""
    copies = engine_split(layout)[1] if layout.dp == 1 else 1
    return (
        tuple(decode_traffic(arch, layout, tokens * copies) for tokens in DECODE_POINTS),
        tuple(prefill_traffic(arch, layout, tokens * copies) for tokens in PREFILL_POINTS),
    )


MIXERS, LINEARS = ("attention", "indexer", "recurrent"), ("mlp", "shared_expert")
"""Parts of a layer whose products attention's ranks share, and those of its dense products."""
OUTSIDE = ("routed_expert", "vision", "audio")
"""Parts that are no dense weights of a pass."""


class Share(NamedTuple):
    """Of a part's matrices, those that a format stores in so many bits: their share of its bytes, and of its elements."""

    bytes: float
    elements: float


NONE = Share(0.0, 0.0)


@lru_cache(maxsize=256)
def wider_shares(arch: Architecture, format_id: str) -> Mapping[tuple[int, tuple[str, ...]], Share]:
    """What a format leaves in 16 bits, or in 8 where its own are fewer, by (bits, part): each part, the mixers, the dense products.

    Nothing of a 16-bit model, and nothing of a GGUF file: llama.cpp has one kind of kernel for all of its formats.
    """
    weights = weight_format(format_id)
    if is_gguf(format_id) or not weights.is_quantized:
        return MappingProxyType({})
    kinds = layer_kinds(arch, format_id)
    tensors: list[tuple[Tensor, int | None, int]] = [(tensor, None, 1) for tensor in (*arch.embedding, *arch.head)]
    tensors += [(one, at, kinds.count(at)) for at in dict.fromkeys(kinds) for one in arch.layers[at].tensors]
    whole: dict[tuple[str, ...], list[float]] = {}
    found: dict[tuple[int, tuple[str, ...]], list[float]] = {}
    for tensor, at, count in tensors:
        if tensor.part in OUTSIDE:
            continue
        scheme = tensor_scheme(tensor, weights, arch, at)
        size, elements = count * tensor_bytes(tensor, scheme), count * tensor.elements if tensor.is_matrix else 0
        bits = 16 if scheme.bits >= 16 else 8 if scheme.bits == 8 > weights.scheme.bits else 0
        for group in ((tensor.part,), *(parts for parts in (MIXERS, LINEARS) if tensor.part in parts)):
            for sums in (whole.setdefault(group, [0.0, 0.0]), found.setdefault((bits, group), [0.0, 0.0])):
                sums[0] += size
                sums[1] += elements
    return MappingProxyType(
        {
            (bits, group): Share(size / max(1.0, whole[group][0]), elements / max(1.0, whole[group][1]))
            for (bits, group), (size, elements) in found.items()
            if bits
        }
    )


def _shape(arch: Architecture, weights: str, kv_cache: str, layout: Layout, hardware: Hardware) -> Shape:
    parts: dict[str, float] = {}
    heaviest = total = 0.0
    for stage in range(layout.pp):
        held = stage_weights(arch, weights, layout, stage)
        for part, size in held.parts.items():
            if part == "table" or (
                part == "embedding" and (stage or not arch.tied)
            ):  # rows are looked up, not streamed
                continue
            parts[part] = parts.get(part, 0.0) + size
        heaviest, total = max(heaviest, held.layers), total + held.layers
    expert_bytes = parts.get("routed_expert", 0.0)
    dense_bytes = sum(parts.values()) - expert_bytes - parts.get("vision", 0.0) - parts.get("audio", 0.0)
    ranks, group = attention_ranks(layout), expert_group(layout)
    element = kv_bytes_per_element(kv_cache)
    mixers = linears = routers = routed = state = 0.0
    moe = latent = indexed = 0
    bands: dict[int, list[float]] = {}

    def band(limit: int, *amounts: float) -> None:
        sums = bands.setdefault(limit, [0.0] * 5)
        for index, amount in enumerate(amounts):
            sums[index] += amount

    for layer, count in arch.layer_runs():
        met = layer_elements(layer, arch.experts_per_token)
        mixers, linears, routers = (
            mixers + count * met.attention / ranks,
            linears + count * met.dense / layout.tp,
            routers + count * met.router,
        )
        routed += count * met.routed / group
        moe += count * (layer.ffn == "moe")
        latent += count * (layer.mixer == "mla")
        heads = layer.score_heads / ranks
        width = layer.qk_width + layer.v_width
        prefill, latents = count * 2.0 * heads * width, 0.0
        if layer.mixer == "mla":
            width = 2 * max((cache.latent_width for cache in layer.caches), default=0) or width
            heads = max(heads, LATENT_HEADS)
            if layer.span:
                # what an indexer picked, or a compressed history, is read where it lies, by every head
                prefill, latents = 0.0, count * 2.0 * heads * width
        band(layer.span, 0.0, count * 2.0 * heads * width, prefill, latents)
        indexers = sum(tensor.rows for tensor in layer.tensors if tensor.name == "indexer.q_b_proj")
        indexed += count * (indexers > 0)
        for cache in layer.caches:
            if cache.kind == "recurrent":
                split = min(ranks, cache.state_heads or ranks)
                # read and written back each step
                state += count * 2.0 * (cache.conv_elements * 2 + cache.recurrent_elements * 4) / split
                continue
            held_width = cache.latent_width
            if cache.kind != "latent":
                held_width = kv_heads_on_rank(cache, ranks) * (cache.k_width + cache.v_width)
            scale = count * element / max(1, cache.compression) / layout.dcp
            band(cache.window or layer.span, scale * held_width, 0.0, 0.0)
            if cache.index_width:
                # every key before a query, on every rank: the indexer is not split (vLLM and SGLang replicate it)
                flops = count * 2.0 * indexers / max(1, cache.compression)
                band(0, scale * cache.index_width, 0.0, 0.0, 0.0, flops)
            elif cache.compression > 1:
                # a history without an indexer is read whole
                band(0, 0.0, *[count * 2.0 * heads * width / cache.compression * part for part in (1.0, 0.0, 1.0)])
    head = arch.vocab_size * arch.hidden_size / layout.tp
    shares = wider_shares(arch, weights)
    output = ("embedding",) if arch.tied else ("lm_head",)
    multiplied = ((MIXERS, mixers), (LINEARS, linears), (("router",), routers))
    wider = tuple(
        Wider(
            bits,
            sum(size * shares.get((bits, (part,)), NONE).bytes for part, size in parts.items() if part not in OUTSIDE),
            2 * sum(elements * shares.get((bits, group), NONE).elements for group, elements in multiplied),
            2 * head * shares.get((bits, output), NONE).elements,
        )
        for bits in (16, 8)
        if any(bits == one for one, _ in shares)
    )
    step_sent, prompt_sent = pass_messages(arch, layout)
    return Shape(
        stages=layout.pp,
        crossings=min(layout.pp, hardware.nodes) - 1,
        imbalance=heaviest * layout.pp / total,
        layers=len(arch.layers),
        moe_layers=moe,
        latent_layers=latent,
        indexed_layers=indexed,
        attention_copies=engine_split(layout)[1],
        dense_bytes=dense_bytes,
        expert_bytes=expert_bytes,
        experts_held=moe * arch.experts / layout.ep if moe else 0.0,
        experts=arch.experts,
        experts_per_token=arch.experts_per_token,
        dense_flops=2 * (mixers + linears + routers),
        head_flops=2 * head,
        wider=wider,
        expert_flops=2 * routed,
        state_bytes=state,
        latent=latent > 0,
        blocks=stored_in_blocks(arch, weight_format(weights)),
        fabric=hardware.intra_link.family,
        bands=tuple(Band(limit, *sums) for limit, sums in bands.items()),
        decode_wire=tuple(communication_s(sent, layout, hardware, in_engine=True) for sent in step_sent),
        prefill_wire=tuple(communication_s(sent, layout, hardware, in_engine=True) for sent in prompt_sent),
    )


UNKNOWN_TFLOPS = 50.0
"""16-bit rate of a card that publishes none."""


def sixteen_tflops(accelerator: Accelerator) -> float:
    """Peak dense TFLOPS in 16 bits."""
    return accelerator.tflops_bf16_dense or accelerator.tflops_fp16_dense or UNKNOWN_TFLOPS


def block_class(accelerator: Accelerator) -> tuple[str, float]:
    """(class of arithmetic, peak dense TFLOPS) in which llama.cpp multiplies blocks: INT8 (ggml-cuda/mmq.cu).

    Apple's GPUs have no such product: Metal widens blocks to 16 bits first (kernel_mul_mm of ggml-metal.metal).
    """
    sixteen = sixteen_tflops(accelerator)
    if accelerator.vendor.lower() == "apple":
        return "weight-only", sixteen
    return "gguf", accelerator.tops_int8_dense or 2 * sixteen


def compute_class(weights: str, accelerator: Accelerator) -> tuple[str, float]:
    """(class of arithmetic, peak dense TFLOPS) in which matrix products of that format run."""
    form = weight_format(weights)
    kind = compute_type(form, accelerator)
    sixteen = sixteen_tflops(accelerator)
    if kind == "fp4" and accelerator.tflops_fp4_dense:
        return "fp4", accelerator.tflops_fp4_dense
    if kind == "fp8" and accelerator.tflops_fp8_dense:
        return "fp8", accelerator.tflops_fp8_dense
    if kind == "int8" and accelerator.tops_int8_dense:
        return "fp8", accelerator.tops_int8_dense
    if weights.startswith("gguf"):
        return block_class(accelerator)
    return ("weight-only" if form.is_quantized else "16-bit"), sixteen


@lru_cache(maxsize=128)
def shape_of(arch: Architecture, weights: str, kv_cache: str, layout: Layout, hardware: Hardware) -> Shape:
    """The counted facts of one engine of the layout. Cached."""
    return _shape(arch, weights, kv_cache, layout, hardware)
