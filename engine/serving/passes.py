"""What a pass of a serving engine costs: the counted shape of a build, its rates, a decode step and a prompt.

One pass of a decode step streams the weights and the KV of its sequences, multiplies, launches and communicates:

    step = max(weights / bandwidth, FLOPs / compute) + max(KV / bandwidth, attention FLOPs / compute)
           + layers x layer overhead + step overhead + sequences x sequence overhead + collectives

(the roofline of Williams et al. 2009 per stream; Pope et al. 2022, arXiv 2211.05102, section 3 for the split of
weights, KV and collectives under tensor parallelism). A mixture of experts reads the experts that the batch
touches: of E experts, k a token, B tokens touch E (1 - (1 - k/E)^B) when routing is uniform; it is not, so B counts
with an exponent below one. Constants: engine.calibration.serving_speed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from engine.calibration import serving_speed as fit
from engine.figures.kept import keep
from engine.figures.units import GB, TERA
from engine.layout.sharding import attention_ranks, expert_group, kv_heads_on_rank, stage_weights
from engine.links.traffic import Message, communication_s, decode_traffic, prefill_traffic
from engine.model.architecture import Architecture
from engine.model.flops import layer_elements
from engine.model.formats import compute_type, kv_bytes_per_element, weight_format
from engine.parts.hardware import Accelerator
from engine.scenario import Hardware, Layout, Scenario
from engine.serving.draft import draft_s, drafting, tokens_a_step
from engine.serving.host import HostRates, chunks, host_key, host_rates
from engine.serving.settings import stored_weights

DECODE_POINTS = (1, 16, 128, 1024)
PREFILL_POINTS = (256, 2048, 16384)
# A smooth maximum: streaming and multiplying overlap well, but not perfectly near the ridge of the roofline.
OVERLAP_POWER = 4.0
# No kernel was seen to take more of a peak than this: STREAM-like copies reach 0.92 to 0.94 on HBM and GDDR.
MOST_OF_PEAK = 0.92
# Share of the answer's KV that an average running request holds: pages are taken as the answer grows.
GROWN_SHARE = 0.6
# Prompt tokens of one pass: vLLM's and TensorRT-LLM's max_num_batched_tokens; llama.cpp's n_ubatch.
CHUNK_TOKENS = 8192
MICRO_BATCH_TOKENS = 512


@dataclass(frozen=True, slots=True)
class Band:
    """Layers that see at most `limit` tokens (0: all): per GPU and token seen, bytes and FLOPs of a query."""

    limit: int
    kv_bytes: float
    decode_flops: float
    prefill_flops: float

    def seen(self, context: float) -> float:
        """Tokens that a query with that context reads."""
        return min(self.limit, context) if self.limit else context

    def mean_seen(self, tokens: float) -> float:
        """Tokens that an average query of a causal prompt reads."""
        if not self.limit or tokens <= self.limit:
            return tokens / 2
        return self.limit - self.limit * self.limit / (2 * tokens)


@dataclass(frozen=True, slots=True)
class Shape:
    """Counted facts of one engine: a replica, or the group that data-parallel attention forms.

    Bytes and FLOPs are those of one GPU, summed over the pipeline stages. attention_copies: how many ways the
    engine's sequences are split before attention. decode_wire, prefill_wire: seconds in collectives by tokens.
    """

    stages: int
    imbalance: float  # slowest stage against the mean
    layers: int
    moe_layers: int
    latent_layers: int
    attention_copies: int
    dense_bytes: float
    expert_bytes: float
    experts: int
    experts_per_token: int
    dense_flops: float
    head_flops: float
    expert_flops: float
    state_bytes: float
    latent: bool
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
        return "blackwell" if stacked else "blackwell-gddr"
    if "hopper" in name:
        return "hopper"
    if "ada" in name:
        return "ada"
    if "ampere" in name:
        return "ampere" if stacked else "ampere-gddr"
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


def _shape(arch: Architecture, weights: str, kv_cache: str, layout: Layout, hardware: Hardware) -> Shape:
    parts: dict[str, float] = {}
    heaviest = total = 0.0
    for stage in range(layout.pp):
        held = stage_weights(arch, weights, layout, stage)
        for part, size in held.parts.items():
            if part == "embedding" and (stage or not arch.tied):
                continue
            parts[part] = parts.get(part, 0.0) + size
        heaviest, total = max(heaviest, held.layers), total + held.layers
    expert_bytes = parts.get("routed_expert", 0.0)
    dense_bytes = sum(parts.values()) - expert_bytes - parts.get("vision", 0.0) - parts.get("audio", 0.0)
    ranks, group = attention_ranks(layout), expert_group(layout)
    element = kv_bytes_per_element(kv_cache)
    dense = routed = state = 0.0
    moe = latent = 0
    bands: dict[int, list[float]] = {}

    def band(limit: int, kv_bytes: float, decode: float, prefill: float) -> None:
        sums = bands.setdefault(limit, [0.0, 0.0, 0.0])
        for index, amount in enumerate((kv_bytes, decode, prefill)):
            sums[index] += amount

    for layer, count in arch.layer_runs():
        met = layer_elements(layer, arch.experts_per_token)
        dense += count * (met.attention / ranks + met.dense / layout.tp + met.router)
        routed += count * met.routed / group
        moe += count * (layer.ffn == "moe")
        latent += count * (layer.mixer == "mla")
        heads = layer.score_heads / ranks
        prefill = count * 2.0 * heads * (layer.qk_width + layer.v_width)
        width = layer.qk_width + layer.v_width
        if layer.mixer == "mla":
            width = 2 * max((cache.latent_width for cache in layer.caches), default=0) or width
        band(layer.span, 0.0, count * 2.0 * heads * width, prefill)
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
                band(0, scale * cache.index_width, 0.0, 0.0)
    head = arch.vocab_size * arch.hidden_size / layout.tp
    step_sent, prompt_sent = pass_messages(arch, layout)
    return Shape(
        stages=layout.pp,
        imbalance=heaviest * layout.pp / total,
        layers=len(arch.layers),
        moe_layers=moe,
        latent_layers=latent,
        attention_copies=engine_split(layout)[1],
        dense_bytes=dense_bytes,
        expert_bytes=expert_bytes,
        experts=arch.experts,
        experts_per_token=arch.experts_per_token,
        dense_flops=2 * dense,
        head_flops=2 * head,
        expert_flops=2 * routed,
        state_bytes=state,
        latent=latent > 0,
        fabric=hardware.intra_link.family,
        bands=tuple(Band(limit, *sums) for limit, sums in bands.items()),
        decode_wire=tuple(communication_s(sent, layout, hardware, in_engine=True) for sent in step_sent),
        prefill_wire=tuple(communication_s(sent, layout, hardware, in_engine=True) for sent in prompt_sent),
    )


@dataclass(frozen=True, slots=True)
class Rates:
    """A shape in seconds: what each thing that a pass does costs on one GPU with the fitted constants."""

    stages: int
    imbalance: float
    copies: int
    weight_rate: float  # bytes of weights a second
    dense_s: float
    expert_s: float
    untouched: float  # share of experts that one token leaves untouched
    expert_spread: float
    token_s: float  # per token of an attention copy, decode
    expert_token_s: float  # per token of the whole engine
    prefill_token_s: float
    prefill_expert_token_s: float
    state_s: float
    kv_s: tuple[tuple[int, float], ...]
    attention_s: tuple[tuple[int, float], ...]
    prefill_attention: tuple[tuple[Band, float], ...]
    pass_s: float
    sequence_s: float
    wire_s: float  # collectives of a step with one token
    wire_growth: float  # factor on what more tokens add to them
    decode_wire: tuple[float, ...]
    prefill_wire: tuple[float, ...]
    prefill_fixed_s: float
    prefill_beside_s: float  # what a prompt waits longer while others decode
    interference: float
    queueing: float
    grown: float
    chunk: int
    verified: float = 1.0  # tokens of a sequence that a step reads: its own and those drafted ahead
    given: float = 1.0  # tokens that a step gives a sequence
    draft_s: float = 0.0  # drafting for one step, whatever the batch
    host: HostRates | None = None


UNKNOWN_TFLOPS = 50.0
"""16-bit rate of a card that publishes none."""


def compute_class(weights: str, accelerator: Accelerator) -> tuple[str, float]:
    """(class of arithmetic, peak dense TFLOPS) in which matrix products of that format run."""
    form = weight_format(weights)
    kind = compute_type(form, accelerator)
    sixteen = accelerator.tflops_bf16_dense or accelerator.tflops_fp16_dense or UNKNOWN_TFLOPS
    if kind == "fp4" and accelerator.tflops_fp4_dense:
        return "fp4", accelerator.tflops_fp4_dense
    if kind == "fp8" and accelerator.tflops_fp8_dense:
        return "fp8", accelerator.tflops_fp8_dense
    if kind == "int8" and accelerator.tops_int8_dense:
        return "fp8", accelerator.tops_int8_dense
    if weights.startswith("gguf"):
        # llama.cpp multiplies blocks in INT8 (ggml-cuda/mmq.cu)
        return "gguf", accelerator.tops_int8_dense or 2 * sixteen
    return ("weight-only" if form.is_quantized else "16-bit"), sixteen


COLLECTIVES = ("collective_latency", "collective_bytes", "collective_prefill")
"""Fitted factors on the price of collectives: of a step's smallest, of what more tokens add, of a prompt's."""


@lru_cache(maxsize=64)
def link_factors(family: str) -> tuple[float, float, float]:
    """What the fit makes of `COLLECTIVES` over a family of in-node links, against the plain constant."""
    latency, growth, prompt = (fit.CONSTANTS.get(f"{name}@{family}", 1.0) for name in COLLECTIVES)
    return latency, growth, prompt


def rates_of(
    shape: Shape, weights: str, accelerator: Accelerator, engine: str, constants: Mapping[str, float]
) -> Rates:
    """A shape priced with given constants; the calibration varies them."""
    kind, tflops = compute_class(weights, accelerator)
    tags = (gpu_class(accelerator), engine, kind, shape.fabric, "moe" if shape.moe_layers else "dense")

    def c(name: str) -> float:
        value = constants[name]
        for tag in tags:
            value *= constants.get(f"{name}@{tag}", 1.0)
        return value

    def share(name: str) -> float:
        return min(c(name), MOST_OF_PEAK)

    def arithmetic(name: str) -> float:
        value = c(name)
        if kind == "weight-only":
            # 16-bit products behind a dequantization, which never makes them faster
            known = constants.get(f"{name}@{kind}", 1.0)
            value *= constants.get(f"{name}@16-bit", 1.0) * min(1.0, known) / known
        return tflops * TERA * min(value, MOST_OF_PEAK)

    peak = accelerator.bandwidth_gb_s * GB
    sixteen = accelerator.tflops_bf16_dense or accelerator.tflops_fp16_dense or tflops
    weight_rate = peak * share("weight_bandwidth")
    compute = arithmetic("compute")
    kv_rate = peak * share("latent_bandwidth" if shape.latent else "kv_bandwidth")
    attention_rate = sixteen * TERA * share("attention_compute")
    # every head of a latent cache scores the same keys: at many heads a GPU that is arithmetic, not streaming
    decode_rate = sixteen * TERA * (share("latent_compute") if shape.latent else 1.0)
    ratio = shape.experts_per_token / shape.experts if shape.experts else 0.0
    expert_compute = arithmetic("expert_compute")
    return Rates(
        stages=shape.stages,
        imbalance=shape.imbalance,
        copies=shape.attention_copies,
        weight_rate=weight_rate,
        dense_s=shape.dense_bytes / weight_rate,
        expert_s=shape.expert_bytes / (peak * share("expert_bandwidth")),
        untouched=1.0 - ratio,
        expert_spread=c("expert_spread"),
        token_s=(shape.dense_flops + shape.head_flops) / arithmetic("decode_compute"),
        expert_token_s=shape.expert_flops / expert_compute,
        prefill_token_s=shape.dense_flops / compute,
        prefill_expert_token_s=shape.expert_flops / expert_compute,
        state_s=shape.state_bytes / kv_rate,
        kv_s=tuple((b.limit, b.kv_bytes / kv_rate) for b in shape.bands if b.kv_bytes),
        attention_s=tuple((b.limit, b.decode_flops / decode_rate) for b in shape.bands if b.decode_flops),
        prefill_attention=tuple((b, b.prefill_flops / attention_rate) for b in shape.bands if b.prefill_flops),
        pass_s=(
            shape.layers * c("layer_s")
            + shape.moe_layers * c("moe_layer_s")
            + shape.latent_layers * c("latent_layer_s")
            + c("step_s")
        ),
        sequence_s=c("sequence_s"),
        wire_s=shape.decode_wire[0] * c("collective_latency"),
        wire_growth=c("collective_bytes"),
        decode_wire=shape.decode_wire,
        prefill_wire=tuple(seconds * c("collective_prefill") for seconds in shape.prefill_wire),
        prefill_fixed_s=c("prefill_s"),
        prefill_beside_s=shape.layers * c("prefill_layer_s") + shape.moe_layers * c("prefill_moe_layer_s"),
        interference=c("interference"),
        queueing=c("queueing"),
        grown=1.0 if engine == "trtllm" else GROWN_SHARE,
        chunk=MICRO_BATCH_TOKENS if engine == "llama.cpp" else CHUNK_TOKENS,
    )


_known: dict[tuple[object, ...], tuple[object, Rates]] = {}


def rates(scenario: Scenario, layout: Layout) -> Rates:
    """The costs of one engine of the layout, cached for the model, formats, layout, card and links."""
    hw, model, engine = scenario.hardware, scenario.model, scenario.runtime.engine
    key = (
        id(model.architecture), model.weights, model.kv_cache, layout.tp, layout.pp, layout.dp, layout.ep,
        layout.dp_attention, layout.dcp, id(hw.accelerator), id(hw.intra_link), id(hw.inter_link), id(hw.platform),
        hw.gpus_per_node, hw.nodes, engine, *drafting(model, scenario.runtime),
        *host_key(scenario.runtime),
    )  # fmt: skip
    found = _known.get(key)
    if found is not None:
        return found[1]
    made = rates_with(scenario, layout, fit.CONSTANTS)
    # what the key names by identity is kept beside the answer, so that the identities stay taken
    return keep(_known, key, ((model.architecture, hw), made), 512)[1]


def rates_with(scenario: Scenario, layout: Layout, constants: Mapping[str, float]) -> Rates:
    """The same with other constants than the calibrated ones: for the calibration."""
    model, hardware = scenario.model, scenario.hardware
    weights = stored_weights(model, scenario.runtime)
    shape = shape_of(model.architecture, weights, model.kv_cache, layout, hardware)
    engine = "vllm" if scenario.runtime.engine == "vllm-earlier" else scenario.runtime.engine
    made = rates_of(shape, weights, hardware.accelerator, engine, constants)
    held = shape.dense_bytes, shape.expert_bytes
    away = host_rates(model.architecture, weights, layout, scenario.runtime, hardware.accelerator, held)
    if away is not None:
        dense, experts = made.dense_s * (1.0 - away.others), made.expert_s * (1.0 - away.experts)
        made = replace(made, dense_s=dense, expert_s=experts, host=away)
    method, ahead, kept = drafting(model, scenario.runtime)
    if method is None:
        return made
    drafts = draft_s(scenario, layout, made.weight_rate, made.pass_s)
    return replace(made, verified=1.0 + ahead, given=tokens_a_step(ahead, kept), draft_s=drafts)


@lru_cache(maxsize=128)
def shape_of(arch: Architecture, weights: str, kv_cache: str, layout: Layout, hardware: Hardware) -> Shape:
    """The counted facts of one engine of the layout. Cached."""
    return _shape(arch, weights, kv_cache, layout, hardware)


def segment_of(points: tuple[int, ...], tokens: float) -> int:
    """Which of the lines between sampled sizes a number of tokens lies on; the last for all beyond."""
    at, last = 0, len(points) - 2
    while at < last and tokens > points[at + 1]:
        at += 1
    return at


def wire_s(points: tuple[int, ...], seconds: tuple[float, ...], tokens: float) -> float:
    """Seconds in collectives for that many tokens, straight between the sampled sizes and beyond them."""
    at = segment_of(points, tokens)
    low, high = points[at], points[at + 1]
    value = seconds[at] + (seconds[at + 1] - seconds[at]) * (tokens - low) / (high - low)
    return value if value > 0.0 else seconds[0] * tokens / points[0]


class DecodeStep(NamedTuple):
    """Parts of one decode step, over all stages, seconds. A named tuple: a search makes a hundred of them."""

    weight_s: float
    compute_s: float
    kv_s: float
    attention_s: float
    overhead_s: float
    communication_s: float
    seconds: float


def decode_step(r: Rates, batch: float, context: float) -> DecodeStep:
    """One step of `batch` sequences of one engine, each with `context` tokens."""
    return step_of(r, batch, *read_s(r, context))


def read_s(r: Rates, context: float) -> tuple[float, float]:
    """Seconds that one sequence of `context` tokens adds to a decode step: (reading its KV and state, attention)."""
    kv = r.state_s
    for limit, each in r.kv_s:
        kv += each * (limit if limit and limit < context else context)
    attention = 0.0
    for limit, each in r.attention_s:
        attention += each * (limit if limit and limit < context else context)
    return kv, attention


def step_of(r: Rates, batch: float, sequence_kv_s: float, sequence_attention_s: float) -> DecodeStep:
    # a pipeline takes its sequences in as many batches as it has stages
    flight = batch / r.stages if batch > r.stages else 1.0
    local = flight / r.copies if flight > r.copies else 1.0
    weight = r.dense_s
    host = r.host.others_s if r.host is not None else 0.0
    read = r.verified
    if r.untouched < 1.0:
        touched = 1.0 - r.untouched ** ((flight * read) ** r.expert_spread)
        weight += r.expert_s * touched
        host += r.host.experts_s * touched if r.host is not None else 0.0
    compute = read * (local * r.token_s + flight * r.expert_token_s)
    kv = sequence_kv_s * local
    attention = read * sequence_attention_s * local
    overhead = r.pass_s + flight * r.sequence_s + r.draft_s + host
    wire = r.wire_s
    if wire:
        wire += r.wire_growth * (wire_s(DECODE_POINTS, r.decode_wire, local * read) - r.decode_wire[0])
    linear = (weight**OVERLAP_POWER + compute**OVERLAP_POWER) ** (1 / OVERLAP_POWER)
    seconds = linear + max(kv, attention) + overhead + wire
    if batch > r.stages > 1:
        seconds *= r.imbalance
    return DecodeStep(weight, compute, kv, attention, overhead, wire, seconds)


def prompt_s(r: Rates, tokens: float) -> tuple[float, float, float]:
    """Seconds of reading one prompt, without the fixed part: (alone, taken from others when batched, of that in
    collectives)."""
    linear = tokens * (r.prefill_token_s / r.copies + r.prefill_expert_token_s)
    attention = 0.0
    for band, each in r.prefill_attention:
        attention += each * band.mean_seen(tokens)
    wire = wire_s(PREFILL_POINTS, r.prefill_wire, tokens / r.copies) if r.prefill_wire[0] else 0.0
    rest = attention * tokens / r.copies + wire
    if r.host is not None:
        rest += chunks(tokens, r.chunk) * r.host.chunk_s
    weight = r.dense_s + r.expert_s
    alone = (weight**OVERLAP_POWER + linear**OVERLAP_POWER) ** (1 / OVERLAP_POWER) + rest
    if r.stages > 1:
        # the stages work on successive pieces of the prompt at once
        pieces = math.ceil(tokens / r.chunk)
        alone *= (pieces + r.stages - 1) / (pieces * r.stages)
    return alone, linear + rest, wire
