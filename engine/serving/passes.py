"""What a pass of a serving engine costs: the rates of a build, a decode step and a prompt.

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
from dataclasses import replace
from functools import lru_cache

from engine.calibration import kernels
from engine.calibration import serving_speed as fit
from engine.figures.kept import keep
from engine.figures.records import NamedTuple, dataclass
from engine.figures.units import GB, TERA
from engine.parts.hardware import Accelerator
from engine.runtimes import ENGINES
from engine.runtimes.engine import ServingEngine
from engine.scenario import Layout, Scenario
from engine.serving.attention import kernel_of
from engine.serving.draft import draft_s, drafting, tokens_a_step
from engine.serving.host import HostRates, host_key, host_rates
from engine.serving.own import OwnFactors, own_factors
from engine.serving.settings import stored_weights
from engine.serving.shapes import (
    DECODE_POINTS,
    PREFILL_POINTS,
    Band,
    Shape,
    block_class,
    compute_class,
    gpu_class,
    shape_of,
    sixteen_tflops,
)

# A smooth maximum: streaming and multiplying overlap well, but not perfectly near the ridge of the roofline.
OVERLAP_POWER = 4.0
# No kernel was seen to take more of a peak than this: STREAM-like copies reach 0.92 to 0.94 on HBM and GDDR.
MOST_OF_PEAK = 0.92
# ... and none more of the arithmetic: the best tables of products reach 0.82.
MOST_OF_COMPUTE = 0.85
# Products of few rows take at most this share of the time in which their weights are read: kernels for them read, and little else.
FEW_ROWS = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """A shape in seconds: what each thing that a pass does costs on one GPU with the fitted constants.

    Compared by identity: `rates` gives the same for the same build.
    """

    stages: int
    imbalance: float
    copies: int
    weight_rate: float  # bytes of weights a second
    dense_s: float
    expert_s: float
    untouched: float  # share of experts that one token leaves untouched
    expert_spread: float
    token_s: float  # per token of an attention copy, decode
    start_s: float  # dense products of a pass, whatever its batch
    expert_token_s: float  # per token of the whole engine
    expert_start_s: float  # products of a pass whose tokens touch every expert, whatever their number
    prefill_token_s: float
    prefill_expert_token_s: float
    state_s: float
    kv_s: tuple[tuple[int, float], ...]
    attention_s: tuple[tuple[int, float], ...]
    prefill_attention: tuple[tuple[Band, float], ...]
    prefill_keys: float  # keys that attention costs a query of a prompt whatever the context
    pass_s: float
    sequence_s: float
    wire_s: float  # collectives of a step with one token
    wire_growth: float  # factor on what more tokens add to them
    decode_wire: tuple[float, ...]
    prefill_wire: tuple[float, ...]
    prefill_fixed_s: float
    prefill_beside_s: float  # what a prompt waits longer while others decode
    mixed: float  # 1 where a pass reads a piece of a prompt and decodes: its weights are read once for both
    queueing: float
    in_step: float  # share of users whose answers end together
    grown: float
    chunk: int
    verified: float = 1.0  # tokens of a sequence that a step reads: its own and those drafted ahead
    given: float = 1.0  # tokens that a step gives a sequence
    draft_s: float = 0.0  # drafting for one step, whatever the batch
    host: HostRates | None = None
    own: OwnFactors | None = None  # what the person's own measurements make of its figures


COLLECTIVES = ("collective_latency", "collective_bytes", "collective_prefill")
"""Fitted factors on the price of collectives: of a step's smallest, of what more tokens add, of a prompt's."""


@lru_cache(maxsize=64)
def link_factors(family: str) -> tuple[float, float, float]:
    """What the fit makes of `COLLECTIVES` over a family of in-node links, against the plain constant."""
    latency, growth, prompt = (fit.CONSTANTS.get(f"{name}@{family}", 1.0) for name in COLLECTIVES)
    return latency, growth, prompt


def _dense_s(
    shape: Shape, accelerator: Accelerator, kind: str, tflops: float, curve: str, stream: float, products: float
) -> tuple[float, float, float]:
    """Seconds of the dense weights: (reading them, their products of a token, those of the output matrix).

    What a format leaves wider runs as such: attention of an MXFP4 checkpoint, a mixer of an NVFP4 one, the output matrix. Eight bits
    on a card without such products are weights alone, as the format's own are. stream, products: fitted factors.
    """
    found = [0.0, 0.0, 0.0]
    left = [shape.dense_bytes, shape.dense_flops, shape.head_flops]

    def add(amounts: list[float], name: str, peak_tflops: float) -> None:
        product = kernels.PRODUCTS[curve][name]
        rate = accelerator.bandwidth_gb_s * GB * min(product["stream"] * stream, MOST_OF_PEAK)
        compute = peak_tflops * TERA * min(product["peak"] * products, MOST_OF_COMPUTE)
        for at, (amount, each) in enumerate(zip(amounts, (rate, compute, compute), strict=True)):
            found[at] += amount / each

    eight = accelerator.tflops_fp8_dense
    for part in shape.wider:
        if part.bits == 8 and not eight:
            continue
        amounts = [part.dense_bytes, part.dense_flops, part.head_flops]
        left = [whole - amount for whole, amount in zip(left, amounts, strict=True)]
        if part.bits == 8 and eight:
            add(amounts, "fp8", eight)
        else:
            add(amounts, "16-bit", sixteen_tflops(accelerator))
    add(left, kind, tflops)
    return found[0], found[1], found[2]


def rates_of(
    shape: Shape, weights: str, accelerator: Accelerator, engine: ServingEngine, constants: Mapping[str, float]
) -> Rates:
    """A shape priced with given constants; the calibration varies them."""
    rules = ENGINES[engine]
    kind, tflops = compute_class(weights, accelerator)
    if rules.int8_blocks and kind != "16-bit":
        # whatever the format
        kind, tflops = block_class(accelerator)
    curve = gpu_class(accelerator)
    curve = curve if curve in kernels.ATTENTION else "other"
    product, attends = kernels.PRODUCTS[curve][kind], kernels.ATTENTION[curve]
    # MXFP4 experts run as weights alone on cards whose kernels have no such products: vLLM's Marlin
    marlin = weights == "mxfp4" and kind == "fp4" and curve == "blackwell-gddr"
    # ... and FP8 experts in blocks have kernels of their own
    experts_kind = "weight-only" if marlin else "fp8-block" if shape.blocks and kind == "fp8" else kind
    mixture = kernels.MIXTURES[curve][experts_kind]

    def c(name: str) -> float:
        return constants[name] * constants.get(f"{name}@{rules.speed}", 1.0)

    peak = accelerator.bandwidth_gb_s * GB
    sixteen = sixteen_tflops(accelerator)
    eight = accelerator.tflops_fp8_dense or sixteen
    weight_rate = peak * min(product["stream"] * c("stream"), MOST_OF_PEAK)
    kv_rate = peak * min(c("latent_bandwidth") if shape.latent else attends["stream"] * c("kv"), MOST_OF_PEAK)
    scores = sixteen * TERA * min(attends["peak"] * c("attention"), MOST_OF_COMPUTE)
    # every head of a latent cache scores the same keys: at many heads a GPU that is arithmetic, not streaming
    latents = sixteen * TERA * c("latent_compute")
    indexes = eight * TERA * kernels.INDEXER
    ratio = shape.experts_per_token / shape.experts if shape.experts else 0.0
    expert_compute = tflops * TERA * min(mixture["peak"] * c("experts"), MOST_OF_COMPUTE)
    dense, read, head = _dense_s(shape, accelerator, kind, tflops, curve, c("stream"), c("products"))
    token = read + head
    experts = shape.expert_bytes + shape.experts_held * mixture["start_bytes"]
    experts /= peak * min(mixture["stream"] * c("expert_stream"), MOST_OF_PEAK)
    expert_token = shape.expert_flops / expert_compute
    return Rates(
        stages=shape.stages,
        imbalance=shape.imbalance,
        copies=shape.attention_copies,
        weight_rate=weight_rate,
        dense_s=dense,
        expert_s=experts,
        untouched=1.0 - ratio,
        expert_spread=c("expert_spread"),
        token_s=token,
        start_s=min(product["rows"] * token, FEW_ROWS * dense),
        expert_token_s=expert_token,
        expert_start_s=min(mixture["rows"] / ratio * expert_token, FEW_ROWS * experts) if ratio else 0.0,
        prefill_token_s=read,
        prefill_expert_token_s=expert_token,
        state_s=shape.state_bytes / kv_rate,
        kv_s=tuple((b.limit, b.kv_bytes / kv_rate) for b in shape.bands if b.kv_bytes),
        attention_s=tuple(
            (b.limit, b.decode_flops / (latents if shape.latent else sixteen * TERA) + b.index_flops / indexes)
            for b in shape.bands
            if b.decode_flops or b.index_flops
        ),
        prefill_attention=tuple(
            (b, b.prefill_flops / scores + b.latent_flops / latents + b.index_flops / indexes)
            for b in shape.bands
            if b.prefill_flops or b.latent_flops or b.index_flops
        ),
        prefill_keys=attends["keys"] / 2,
        pass_s=(
            shape.layers * c("layer_s")
            + shape.moe_layers * c("moe_layer_s") * mixture["start_s"]
            + shape.latent_layers * c("latent_layer_s")
            + shape.indexed_layers * kernels.INDEXER_S
            + shape.crossings * rules.hop_s
            + c("step_s")
        ),
        sequence_s=c("sequence_s"),
        wire_s=shape.decode_wire[0] * c("collective_latency"),
        wire_growth=c("collective_bytes"),
        decode_wire=shape.decode_wire,
        prefill_wire=tuple(seconds * c("collective_prefill") for seconds in shape.prefill_wire),
        prefill_fixed_s=c("prefill_s"),
        prefill_beside_s=shape.layers * c("prefill_layer_s") + shape.moe_layers * c("prefill_moe_layer_s"),
        mixed=1.0 if rules.mixed_passes else 0.0,
        queueing=c("queueing"),
        in_step=c("in_step"),
        grown=rules.held_share,
        chunk=rules.chunk_tokens,
    )


_known: dict[tuple[object, ...], tuple[object, Rates]] = {}


def rates(scenario: Scenario, layout: Layout) -> Rates:
    """The costs of one engine of the layout, cached for the model, formats, layout, card and links."""
    hw, model, engine = scenario.hardware, scenario.model, scenario.runtime.engine
    key = (
        id(model.architecture), model.weights, model.kv_cache, layout.tp, layout.pp, layout.dp, layout.ep,
        layout.dp_attention, layout.dcp, id(hw.accelerator), id(hw.intra_link), id(hw.inter_link), id(hw.platform),
        hw.gpus_per_node, hw.nodes, hw.power_limit_w, engine, scenario.runtime.attention_backend, *drafting(model, scenario.runtime),
        *host_key(scenario.runtime),
    )  # fmt: skip
    if hw.accelerator.own:
        key += (model.id, model.name, scenario.workload.kind)
    found = _known.get(key)
    if found is not None:
        return found[1]
    made = rates_with(scenario, layout, fit.CONSTANTS)
    if hw.accelerator.own:
        made = replace(made, own=own_factors(scenario))
    # what the key names by identity is kept beside the answer, so that the identities stay taken
    return keep(_known, key, ((model.architecture, hw), made), 512)[1]


def rates_with(scenario: Scenario, layout: Layout, constants: Mapping[str, float], shape: Shape | None = None) -> Rates:
    """The same with other constants than the calibrated ones: for the calibration. shape: of the build, where it is known."""
    model, hardware = scenario.model, scenario.hardware
    weights = stored_weights(model, scenario.runtime)
    shape = shape or shape_of(model.architecture, weights, model.kv_cache, layout, hardware)
    made = rates_of(shape, weights, hardware.working, scenario.runtime.engine, constants)
    held = shape.dense_bytes, shape.expert_bytes
    away = host_rates(model.architecture, weights, layout, scenario.runtime, hardware.accelerator, held)
    if away is not None:
        dense, experts = made.dense_s * (1.0 - away.others), made.expert_s * (1.0 - away.experts)
        made = replace(made, dense_s=dense, expert_s=experts, host=away)
    kernel = kernel_of(scenario)
    if kernel is not None:
        read = tuple((limit, each / kernel.tokens) for limit, each in made.kv_s)
        prompts = tuple((band, each / kernel.prompts) for band, each in made.prefill_attention)
        made = replace(made, kv_s=read, prefill_attention=prompts)
    method, ahead, kept = drafting(model, scenario.runtime)
    if method is None:
        return made
    drafts = draft_s(scenario, layout, made.weight_rate, made.pass_s)
    return replace(made, verified=1.0 + ahead, given=tokens_a_step(ahead, kept), draft_s=drafts)


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


def overlapped(streaming: float, arithmetic: float) -> float:
    """Seconds of products that stream for so long and multiply for so long at once."""
    seconds: float = (streaming**OVERLAP_POWER + arithmetic**OVERLAP_POWER) ** (1 / OVERLAP_POWER)
    return seconds


def step_of(r: Rates, batch: float, sequence_kv_s: float, sequence_attention_s: float) -> DecodeStep:
    # a pipeline takes its sequences in as many batches as it has stages
    flight = batch / r.stages if batch > r.stages else 1.0
    local = flight / r.copies if flight > r.copies else 1.0
    host = r.host.others_s if r.host is not None else 0.0
    read = r.verified
    touched = experts = 0.0
    if r.untouched < 1.0:
        touched = 1.0 - r.untouched ** ((flight * read) ** r.expert_spread)
        experts = r.expert_s * touched
        host += r.host.experts_s * touched if r.host is not None else 0.0
    dense_compute = read * local * r.token_s + r.start_s
    expert_compute = read * flight * r.expert_token_s + touched * r.expert_start_s
    kv = sequence_kv_s * local
    attention = read * sequence_attention_s * local
    overhead = r.pass_s + flight * r.sequence_s + r.draft_s + host
    wire = r.wire_s
    if wire:
        wire += r.wire_growth * (wire_s(DECODE_POINTS, r.decode_wire, local * read) - r.decode_wire[0])
    linear = overlapped(r.dense_s, dense_compute) + overlapped(experts, expert_compute)
    weight, compute = r.dense_s + experts, dense_compute + expert_compute
    seconds = linear + max(kv, attention) + overhead + wire
    if batch > r.stages > 1:
        seconds *= r.imbalance
    return DecodeStep(weight, compute, kv, attention, overhead, wire, seconds)


def pieces_of(r: Rates, tokens: float) -> int:
    """Passes that read a prompt."""
    return max(1, math.ceil(tokens / r.chunk))


class Prompt(NamedTuple):
    """What reading a prompt costs, seconds, without the fixed part.

    alone_s: by itself. products_s, rest_s: of its products, and of attention, collectives and the host, where passes are
    full of prompts. share_s: both with the launches of such passes. wire_s: of it in collectives. pieces: passes that read it.
    """

    alone_s: float
    products_s: float
    rest_s: float
    share_s: float
    wire_s: float
    pieces: int


def prompt_of(r: Rates, prompt: float, cached: float = 0.0) -> Prompt:
    """The costs of a prompt. Under data-parallel attention one rank reads a prompt; many share all of them.

    cached: of its tokens, those that a prefix cache holds: nothing is computed of them, and the others attend to them.
    """
    tokens = prompt - cached if cached else prompt
    pieces = pieces_of(r, tokens)
    keys = 0.0
    for band, each in r.prefill_attention:
        keys += each * (band.mean_seen(prompt, cached) + r.prefill_keys)
    attention = keys * tokens
    experts = tokens * r.prefill_expert_token_s
    dense = tokens * r.prefill_token_s
    wire = alone_wire = 0.0
    if r.prefill_wire[0]:
        wire = wire_s(PREFILL_POINTS, r.prefill_wire, tokens / r.copies)
        alone_wire = wire_s(PREFILL_POINTS, r.prefill_wire, tokens)
    host = pieces * r.host.chunk_s if r.host is not None else 0.0
    alone = (
        overlapped(pieces * r.dense_s, dense + pieces * r.start_s)
        + overlapped(pieces * r.expert_s, experts + pieces * r.expert_start_s)
        + attention
        + alone_wire
        + host
        + pieces * r.pass_s
    )
    if r.stages > 1:
        # the stages work on successive pieces of the prompt at once
        alone *= (pieces + r.stages - 1) / (pieces * r.stages)
    part = tokens / r.chunk
    products = dense / r.copies + experts + part * r.expert_start_s
    rest = attention / r.copies + wire + host
    return Prompt(alone, products, rest, products + rest + part * r.pass_s, wire, pieces)


def prompt_s(r: Rates, tokens: float) -> float:
    """Seconds of reading one prompt alone, without the fixed part."""
    return prompt_of(r, tokens).alone_s


def riding_s(r: Rates, step: DecodeStep, prompt: Prompt) -> float:
    """What a prompt adds to passes that decode as well: their weights are streamed and their launches are paid already."""
    piece = prompt.products_s / prompt.pieces
    added = overlapped(step.weight_s, step.compute_s + piece) - overlapped(step.weight_s, step.compute_s)
    return prompt.pieces * added + prompt.rest_s
