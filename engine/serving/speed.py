"""How fast a build serves: first-token time, time per token, throughput, and the best load under the targets.

One pass of a decode step streams the weights and the KV of its sequences, multiplies, launches and communicates:

    step = max(weights / bandwidth, FLOPs / compute) + max(KV / bandwidth, attention FLOPs / compute)
           + layers x layer overhead + step overhead + sequences x sequence overhead + collectives

(the roofline of Williams et al. 2009 per stream; Pope et al. 2022, arXiv 2211.05102, section 3 for the split of
weights, KV and collectives under tensor parallelism). A mixture of experts reads the experts that the batch
touches: of E experts, k a token, B tokens touch E (1 - (1 - k/E)^B) when routing is uniform; it is not, so B counts
with an exponent below one. A prompt costs its FLOPs, attention and collectives; while others decode, each prompt read
delays them all, which is the prefill interference. The KV cache that fits caps how many requests run at once; the
rest wait, which is what the first-token time under load is made of. Constants: engine.calibration.serving_speed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, NamedTuple

from engine.calibration import serving_speed as fit
from engine.figures.kept import keep
from engine.figures.units import GB, HOURS_PER_DAY, TERA
from engine.layout.sharding import attention_ranks, expert_group, kv_heads_on_rank, stage_weights
from engine.links.traffic import Message, communication_s, decode_traffic, prefill_traffic
from engine.model.architecture import Architecture
from engine.model.flops import layer_elements
from engine.model.formats import compute_type, kv_bytes_per_element, weight_format
from engine.parts.hardware import Accelerator
from engine.scenario import Hardware, Layout, Scenario, Workload
from engine.serving.draft import draft_s, drafting, tokens_a_step
from engine.serving.host import HostRates, chunks, host_key, host_rates
from engine.serving.intervals import interval
from engine.serving.memory import Room
from engine.serving.settings import engine_settings, stored_weights
from engine.serving.targets import corpus_days, has_targets, missed, misses_of
from engine.sizing import Memory, Serving

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
# A queue of users who wait for their answers is never without a gap: what M/D/1 divides by at the least.
LEAST_IDLE = 0.02
MICRO_BATCH_TOKENS = 512
Bound = Literal["memory bandwidth", "compute", "communication", "overhead"]


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
    return _step(r, batch, *_read_s(r, context))


def _read_s(r: Rates, context: float) -> tuple[float, float]:
    """Seconds that one sequence of `context` tokens adds to a decode step: (reading its KV and state, attention)."""
    kv = r.state_s
    for limit, each in r.kv_s:
        kv += each * (limit if limit and limit < context else context)
    attention = 0.0
    for limit, each in r.attention_s:
        attention += each * (limit if limit and limit < context else context)
    return kv, attention


def _step(r: Rates, batch: float, sequence_kv_s: float, sequence_attention_s: float) -> DecodeStep:
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


class Request(NamedTuple):
    """What each request costs one engine whatever the load, seconds.

    kv_s, attention_s: of its sequence in a decode step, half of the answer written. alone_s, share_s, wire_s: of its
    prompt, as `prompt_s` gives them.
    """

    answer: int
    kv_s: float
    attention_s: float
    alone_s: float
    share_s: float
    wire_s: float


def request_of(r: Rates, prompt: int, answer: int) -> Request:
    """The costs of a request of so many prompt and answer tokens."""
    answer = max(1, answer)
    kv, attention = _read_s(r, prompt + answer / 2)
    return Request(answer, kv, attention, *prompt_s(r, max(1, prompt)))


class Load(NamedTuple):
    """One engine with `running` of its users served at once. Totals are of the engine."""

    ttft_s: float
    inter_token_s: float
    tokens_per_s: float
    running: float
    interference_s: float
    interference_wire_s: float
    step: DecodeStep
    busy: float  # share of time in prompts, as far as they queue
    wait_s: float  # for a turn, beside others
    served_s: float  # the first token of a request that has its place
    cycle_s: float  # a whole request that has its place


def load(
    r: Rates, users: float, cap: float, prompt: int, answer: int, requests: float = 0.0, gather_steps: int = 0
) -> Load:
    """One engine under `users` who each send the next request when the answer ends.

    cap: requests that run at once. requests: how many are sent in all, starting together; 0 is a steady state.
    gather_steps: decode steps for which the engine waits for more prompts before it reads any.

    A prompt waits for those before it as in an M/D/1 queue (wait = service x load / (2 (1 - load))), at most for
    half of all others. Only a part of the load counts, `queueing`: an engine reads several waiting prompts in one
    pass, and users who wait for answers do not arrive at random.
    """
    return _under(r, request_of(r, prompt, answer), users, cap, requests, gather_steps)


def _under(r: Rates, each: Request, users: float, cap: float, requests: float = 0.0, gather_steps: int = 0) -> Load:
    answer = each.answer
    running = max(1.0, min(users, cap))
    step = _step(r, running, each.kv_s, each.attention_s)
    talk = each.wire_s / each.share_s
    share = each.share_s / r.stages  # a pipeline reads the next prompt behind it
    once = 0.0 < requests <= users
    burst = 1.0 if once else running / requests if requests else 0.0
    others = max(0.0, running - 1.0) * share
    # in steady state each answer's time holds one prompt of every other user; a single burst reads them all first
    interference = others / answer * r.interference * (1.0 - burst / 2)
    token = step.seconds / r.given + interference
    first = r.prefill_fixed_s + each.alone_s + gather_steps * step.seconds
    busy = wait = 0.0
    if running > 1.0:
        # a lone prompt goes straight in; beside others it shares passes that no captured graph covers
        first += r.prefill_beside_s * (1.0 - 1.0 / running)
        busy = running * share / (running * share + answer * step.seconds / r.given)
        busy *= r.queueing
        alike = share * busy / (2.0 * max(LEAST_IDLE, 1.0 - busy))
        wait = alike * others / (2.0 * alike + others) + step.seconds / 2
        first += (1.0 - burst) * wait + burst * others / 2
    served = first
    cycle = first + token * (answer - 1)
    waves = users / running
    total = running * answer / cycle
    if waves > 1.0:
        first += cycle * (waves - 1.0) * (0.5 if once else 1.0)
    return Load(first, token, total, running, interference, interference * talk, step, busy, wait, served, cycle)


SERVER_SEQUENCES = 2048
"""max_batch_size of trtllm-bench and trtllm-serve; SGLang is bound by its token pool first."""
NEARLY = 1e-6
"""A whole user that rounding left so much short is whole."""


def _sequence_limit(scenario: Scenario, layout: Layout) -> int:
    runtime = scenario.runtime
    if runtime.max_num_seqs:
        return runtime.max_num_seqs
    if runtime.engine in ("trtllm", "sglang"):
        return SERVER_SEQUENCES
    return engine_settings(scenario, layout).max_num_seqs


class Server(NamedTuple):
    """One layout's engines with requests of one length, before its users are counted.

    limit: sequences that an engine runs at once whatever the memory. held: tokens that a running request holds.
    """

    work: Workload
    rates: Rates
    each: Request
    engines: int
    limit: float
    held: float
    gather_steps: int

    def cap(self, memory: Memory | Room) -> float:
        """Requests that one engine runs at once: by the KV that fits, and by the engine's sequence limit."""
        room = memory.max_concurrency / self.engines * self.work.tokens_per_request / max(1.0, self.held)
        return max(1.0, min(room, self.limit))

    def under(self, users: int, cap: float) -> Load:
        """One of the engines that so many users reach, with the requests that the workload names."""
        used = min(self.engines, users)
        requests = self.work.requests / used if self.work.requests else 0.0
        return _under(self.rates, self.each, users / used, cap, requests, self.gather_steps)

    def asked(self, users: int, memory: Memory | Room) -> tuple[Load, int]:
        """(one of the engines under the asked load, how many of them that load reaches).

        A corpus waits in a queue that never runs dry, so that it fills every engine up to its best load, whatever number
        of users was named beside it.
        """
        cap, requests = self.cap(memory), self.work.corpus_requests
        if requests is None:
            return self.under(users, cap), min(self.engines, users)
        used = engines_of_corpus(self.engines, requests)
        running = min(self.best(memory)[0] or cap, max(1.0, requests / used))
        return _under(self.rates, self.each, running, cap, 0.0, self.gather_steps), used

    def best(self, memory: Memory | Room) -> tuple[float, float]:
        """(users of one engine, its tokens/s) at the best load inside the targets, as `best_load`."""
        cap = self.cap(memory)
        work = self.work
        full = _under(self.rates, self.each, cap, cap)
        return _best(work.ttft_target_s, work.tokens_per_s_user_target, self.rates, self.each, full, self.engines)

    def score(self, users: int, memory: Memory | Room) -> tuple[float, bool]:
        """(tokens/s over all replicas that rank layouts, whether no target is missed).

        At so many users, or for `batch` with all that fits. A layout that misses a target scores a thousandth: of the
        most it can take where requests a second are asked for, so that the one that comes closest leads.
        """
        work, r, each, engines = self.work, self.rates, self.each, self.engines
        cap = self.cap(memory)
        if not has_targets(work):
            if work.kind == "batch":
                return engines * _under(r, each, cap, cap).tokens_per_s, True
            used = min(engines, users)
            return used * _under(r, each, users / used, cap).tokens_per_s, True
        now, used = self.asked(users, memory)
        batch, rate = work.kind == "batch", work.requests_per_s is not None
        full = _under(r, each, cap, cap) if batch or rate else now
        score = full.tokens_per_s * engines if batch else now.tokens_per_s * used
        best = _best(work.ttft_target_s, work.tokens_per_s_user_target, r, each, full, engines) if rate else (0.0, 0.0)
        most = best[1] * engines
        if misses_of(work, now.ttft_s, now.inter_token_s, most / each.answer, now.tokens_per_s * used / each.answer):
            return 1e-3 * (most if rate else score), False
        return score, True


def server_of(scenario: Scenario, layout: Layout, r: Rates | None = None) -> Server:
    """The engines of a layout. r: other rates than the calibrated ones."""
    work = scenario.workload
    r = r or rates(scenario, layout)
    return Server(
        work=work,
        rates=r,
        each=request_of(r, work.input_tokens, work.output_tokens),
        engines=engine_split(layout)[0],
        limit=_sequence_limit(scenario, layout) * r.copies * r.stages,
        held=work.input_tokens + r.grown * work.output_tokens,
        gather_steps=scenario.runtime.admission_wait_steps,
    )


def running_limit(scenario: Scenario, layout: Layout, memory: Memory | Room, r: Rates) -> float:
    """Requests that one engine runs at once: by the KV that fits, and by the engine's sequence limit."""
    return server_of(scenario, layout, r).cap(memory)


def engines_of_corpus(engines: int, requests: float) -> int:
    """Of so many engines those that a corpus of so many requests keeps busy."""
    return min(engines, max(1, math.ceil(requests)))


def throughput_score(scenario: Scenario, layout: Layout, memory: Memory | Room) -> float:
    """Tokens/s over all replicas that rank layouts, at the asked load: `Server.score`."""
    return server_of(scenario, layout).score(scenario.workload.concurrency, memory)[0]


def serving_speed(scenario: Scenario, layout: Layout, memory: Memory, server: Server | None = None) -> Serving:
    """Speed of the build under the asked load, and at the best load under the targets.

    server: the layout's engines, where they are known already.
    """
    server = server or server_of(scenario, layout)
    work, r, each, engines = scenario.workload, server.rates, server.each, server.engines
    cap = server.cap(memory)
    now, used = server.asked(work.concurrency, memory)
    full = _under(r, each, cap, cap)
    best, best_total = _best(work.ttft_target_s, work.tokens_per_s_user_target, r, each, full, engines)
    token, first = now.inter_token_s, now.ttft_s
    total = now.tokens_per_s * used
    # requests that arrive fill the build up to its best load, whatever number of users was named beside them
    misses = misses_of(work, now.ttft_s, now.inter_token_s, best_total * engines / each.answer, total / each.answer)
    length = corpus_days(work, total / each.answer)
    step = now.step
    best_users = int(best * engines + NEARLY)  # whole users, of which each engine has its part
    latency = not (work.ttft_target_s is work.tokens_per_s_user_target is None)
    return Serving(
        ttft_s=first,
        inter_token_s=token,
        tokens_per_s_user=1 / token,
        tokens_per_s_total=total,
        requests_per_s=total / each.answer,
        communication_share=(step.communication_s / r.given + now.interference_wire_s) / token,
        prefill_tokens_per_s=max(1, work.input_tokens) * r.stages / each.share_s * engines,
        served_concurrency=int(now.running * used),
        single_stream_tokens_per_s=r.given / _step(r, 1, each.kv_s, each.attention_s).seconds,
        offline_tokens_per_s=full.tokens_per_s * engines,
        best_concurrency=best_users,
        best_tokens_per_s_total=best_total * engines,
        best_requests_per_s=best_total * engines / each.answer,
        most_at_once=int(full.running * engines),
        users_within_targets=min(best_users, memory.users_that_fit) if latency else None,
        corpus_requests=work.corpus_requests,
        days=length,
        gpu_hours=None if length is None else length * HOURS_PER_DAY * scenario.hardware.gpus,
        ttft_interval=interval(first, "ttft", scenario),
        inter_token_interval=interval(token, "inter_token", scenario),
        tokens_per_s_interval=interval(total, "tokens_per_s", scenario),
        bound_by=_bound(step),
        meets_targets=not misses if has_targets(work) else None,
        missed=tuple(map(missed, misses)),
        misses=misses,
        weight_stream_s=step.weight_s,
        kv_stream_s=step.kv_s,
        compute_s=step.compute_s + step.attention_s,
        overhead_s=step.overhead_s,
        communication_s=step.communication_s,
        prefill_interference_s=now.interference_s,
    )


def _bound(step: DecodeStep) -> Bound:
    """What most of a decode step goes to."""
    memory = (step.weight_s if step.weight_s >= step.compute_s else 0.0) + (
        step.kv_s if step.kv_s >= step.attention_s else 0.0
    )
    compute = (step.compute_s if step.compute_s > step.weight_s else 0.0) + (
        step.attention_s if step.attention_s > step.kv_s else 0.0
    )
    parts: tuple[tuple[float, Bound], ...] = (
        (memory, "memory bandwidth"),
        (compute, "compute"),
        (step.communication_s, "communication"),
        (step.overhead_s, "overhead"),
    )
    return max(parts)[1]


def best_load(
    ttft_target_s: float | None,
    user_target: float | None,
    r: Rates,
    cap: float,
    prompt: int,
    answer: int,
    engines: int = 1,
) -> tuple[float, float]:
    """(users of one engine, tokens/s) at the best load inside the targets; (0, 0) when one user already misses.

    engines: over which the users are spread; a target that binds allows so many whole users of all, and one more
    misses it.
    """
    each = request_of(r, prompt, answer)
    return _best(ttft_target_s, user_target, r, each, _under(r, each, cap, cap), engines)


def _best(
    ttft_target_s: float | None, user_target: float | None, r: Rates, each: Request, full: Load, engines: int
) -> tuple[float, float]:
    """`best_load` from the costs of a request; full: the load of all that runs at once."""

    def inside(state: Load) -> bool:
        if ttft_target_s is not None and state.ttft_s > ttft_target_s:
            return False
        return user_target is None or state.inter_token_s * user_target <= 1.0

    cap = full.running
    if ttft_target_s is None and user_target is None:
        return cap, full.tokens_per_s
    state = _under(r, each, 1.0, cap)
    if not inside(state):
        return 0.0, 0.0
    if inside(full):
        return cap, full.tokens_per_s
    # both figures worsen with each user, so the edge is found by halving, to the whole user of all engines
    low, high = engines, math.ceil(cap * engines)
    while high - low > 1:
        middle = (low + high) // 2 if high < 4 * low else math.isqrt(low * high)
        tried = _under(r, each, middle / engines, cap)
        if inside(tried):
            low, state = middle, tried
        else:
            high = middle
    return low / engines, state.tokens_per_s
