"""How fast a build trains: one optimizer step, taken apart into what every GPU computes, moves and waits for.

A micro-batch passes a stage's layers forward, backward and (recomputed) forward again. Each pass costs its matrix
products at the kernel rate of the GPU class, dtype and software tier, attention at its own rate, and the
element-wise traffic between them at memory bandwidth. Tensor- and expert-parallel collectives sit on that path;
pipelines add their bubble (Narayanan et al. 2021, arXiv 2104.04473, section 2.2: (p - 1) / (v m) of the work);
gradients and ZeRO's parameters travel beside it (Rajbhandari et al. 2019, arXiv 1910.02054) and hide in part. The
optimizer ends the step. FLOPs: `engine.flops`; collectives: `engine.collectives`; constants:
`engine.calibration.training_speed`, fitted by scripts/calibrate_training_speed.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from engine.architecture import Architecture
from engine.calibration import training_speed as fit
from engine.collectives import NOTHING, Curve, Op, curve
from engine.flops import active_elements, attention_flops_per_token, forward_flops_per_token
from engine.hardware import Accelerator, Link
from engine.prices import run_usd
from engine.scenario import Hardware, Layout, Scenario, Sharding, ShardingGroup, Software, Workload
from engine.sizing import Interval, Memory, Training
from engine.traffic import ranks_per_node
from engine.units import GB, SECONDS_PER_DAY, SECONDS_PER_HOUR, TERA

ACTIVATION_BYTES = 2
OVERLAP_RANGE = (0.0, 0.86)
"""In-node overlap that the measured runs of tests/reference/training_perf.jsonl imply, from worst to best."""


@dataclass(frozen=True, slots=True, eq=False)
class Constants:
    """The fitted constants, looked up by dotted name; compared by identity so that caches can key on them."""

    values: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]

    def __getitem__(self, name: str) -> float:
        return self.values[name]


FITTED = Constants(fit.CONSTANTS, fit.INTERVALS)


@dataclass(frozen=True, slots=True)
class Body:
    """Sums over a model at one sequence length. Elements are matrix elements that a token meets.

    attention_flops: forward, an average token, all layers. score_pairs: query-key pairs a token. streams: element-wise
    elements a token in all layers, of the hidden state (norms, residuals: every tensor-parallel rank may repeat
    them) and of what lies inside the blocks (which tensor parallelism splits). permuted: those that routing to
    experts and back moves. held: parameters of the blocks, expert_parameters: the routed ones of them, outer:
    embedding and head. kv_share: a layer's keys and values over the hidden size.
    """

    layers: int
    moe_layers: int
    projections: int
    routed: int
    head: int
    attention_flops: float
    score_pairs: float
    streams_hidden: int
    streams_inner: int
    permuted: int
    hidden: int
    head_dim: int
    expert_width: int
    vocabulary: int
    experts: int
    per_token: int
    held: int
    expert_parameters: int
    outer: int
    kv_share: float

    @property
    def parameters(self) -> int:
        """All parameters, without vision towers and MTP layers."""
        return self.held + self.outer


@lru_cache(maxsize=4096)
def body(architecture: Architecture, sequence_length: int) -> Body:
    """The sums of a model at a sequence length. Cached."""
    active = active_elements(architecture)
    moe_layers = hidden_streams = inner_streams = held = experts = 0
    pairs = 0.0
    kv_width = 0
    hidden = architecture.hidden_size
    for layer, count in architecture.layer_runs():
        inner = 0
        for tensor in layer.tensors:
            held += count * tensor.elements
            if tensor.part == "routed_expert":
                experts += count * tensor.elements
                copies = min(tensor.copies, architecture.experts_per_token)
            else:
                copies = tensor.copies
            if tensor.is_matrix and tensor.part != "router" and hidden in (tensor.rows, tensor.cols):
                inner += max(tensor.rows, tensor.cols) * copies if tensor.rows != tensor.cols else hidden
        # norms and residuals read and write the hidden state; every product writes and rereads its inner side
        hidden_streams += count * 8 * hidden
        inner_streams += count * 2 * inner
        if layer.ffn == "moe":
            moe_layers += count
        kv_width = max(kv_width, sum(cache.elements_per_token for cache in layer.caches))
        if layer.score_heads:
            pairs += count * layer.score_heads * (sequence_length + 1) / 2
    outer = sum(t.elements for t in architecture.embedding) + sum(t.elements for t in architecture.head)
    layers = len(architecture.layers)
    return Body(
        layers=layers,
        moe_layers=moe_layers,
        projections=active.attention + active.dense + active.router,
        routed=active.routed,
        head=active.head,
        attention_flops=attention_flops_per_token(architecture, sequence_length),
        score_pairs=pairs,
        streams_hidden=hidden_streams,
        streams_inner=inner_streams,
        permuted=moe_layers * 4 * hidden * max(1, architecture.experts_per_token),
        hidden=hidden,
        head_dim=architecture.head_dim,
        expert_width=architecture.expert_intermediate_size,
        vocabulary=architecture.vocab_size,
        experts=architecture.experts,
        per_token=max(1, architecture.experts_per_token),
        held=held,
        expert_parameters=experts,
        outer=outer,
        kv_share=kv_width / hidden if hidden else 0.0,
    )


@dataclass(frozen=True, slots=True)
class Tier:
    """The constants of one software tier, resolved once; names as in engine.calibration.training_speed."""

    elementwise: float
    loss_bytes: float
    launch_s: float
    overlap_tp: float
    overlap_dp: float
    overlap_ep: float
    overlap_pp: float
    narrow_width: float
    few_tokens: float
    misaligned: float
    odd_head: float
    selective: float
    unfused_attention: float
    quantize: float
    moe_matmul: float
    moe_tokens_half: float
    moe_overhead_s: float
    moe_permute: float
    lora: float
    dequantize: float
    optimizer_passes: float
    offload_optimizer: float
    offload_exposed: float


def _tier(software: Software, c: Constants) -> Tier:
    return Tier(
        elementwise=c["elementwise.scale"] * c[f"elementwise.{software}"],
        loss_bytes=c[f"loss.{software}"],
        launch_s=c[f"launch.{software}"],
        overlap_tp=c[f"overlap.tp.{software}"],
        overlap_dp=c[f"overlap.dp.{software}"],
        overlap_ep=c[f"overlap.ep.{software}"],
        overlap_pp=c["overlap.pp"],
        narrow_width=c["narrow_width"],
        few_tokens=c["few_tokens"],
        misaligned=c["misaligned"],
        odd_head=c["odd_head"],
        selective=c["recompute.selective"],
        unfused_attention=c["unfused_attention"],
        quantize=c["quantize"],
        moe_matmul=c["moe.matmul"],
        moe_tokens_half=c["moe.tokens_half"],
        moe_overhead_s=c["moe.overhead"],
        moe_permute=c["moe.permute"],
        lora=c["lora.elementwise"],
        dequantize=c["dequantize"],
        optimizer_passes=c["optimizer.passes"],
        offload_optimizer=c["offload.optimizer"],
        offload_exposed=c["offload.exposed"],
    )


@dataclass(frozen=True, slots=True)
class Rates:
    """What one GPU does a second for one dtype and software tier.

    matrix: FLOP/s of products in the compute dtype, matrix_16bit of those that stay 16-bit (head), attention: of
    attention kernels; memory and host: bytes/s of its memory and of its link to the host; peak: the data sheet's
    dense FLOP/s in the dtype, which MFU is counted against. tier: constants of the software tier.
    """

    family: str
    dtype: str
    matrix: float
    matrix_16bit: float
    attention: float
    memory: float
    host: float
    peak: float
    tier: Tier


ADAPTER_KINDS = frozenset({"lora", "qlora"})
"""Training whose base weights are frozen."""
# Sustained matrix rate over the data sheet's, where nobody measured the part: MAMF sweeps of
# stas00/ml-engineering (compute/accelerator), as carried by measured_tflops_* in the catalog, give 0.75 to 0.9.
UNMEASURED_MATRIX_SHARE = 0.85
# Streams reach this share of peak memory bandwidth: babelstream-class figures of the parts lie at 0.85 to 0.93.
MEMORY_SHARE = 0.85
HOST_SHARE = 0.85
PCIE_GB_S_PER_LANE = {3: 0.985, 4: 1.969, 5: 3.938, 6: 7.563}


def gpu_family(accelerator: Accelerator) -> str:
    """The class of a GPU by its kernels: ampere, hopper, blackwell, volta, gddr (graphics memory) or other."""
    capability = accelerator.compute_capability.replace("sm_", "")
    name = accelerator.architecture.lower()
    if accelerator.vendor.lower() != "nvidia":
        return "other"
    if capability.startswith("7") or "volta" in name or "turing" in name:
        return "volta"
    if capability == "8.0" or "ga100" in name:
        return "ampere"
    if capability.startswith("9") or "hopper" in name:
        return "hopper"
    if capability.startswith(("8.6", "8.9", "12")) or accelerator.memory_type.upper().startswith("GDDR"):
        return "gddr"
    if capability.startswith("10") or "blackwell" in name or "rubin" in name:
        return "blackwell"
    return "gddr"


def sixteen_bit_tflops(accelerator: Accelerator) -> float:
    """Dense 16-bit rate of a part; where nobody published it, half of its FP8 or a quarter of its FP4 rate.

    The last resort is a rule of thumb: parts with matrix units do about 100 FLOPs for each byte they stream.
    """
    published = (accelerator.tflops_bf16_dense if accelerator.supports_bf16 else None) or accelerator.tflops_fp16_dense
    if published:
        return published
    if accelerator.tflops_fp8_dense:
        return accelerator.tflops_fp8_dense / 2
    if accelerator.tflops_fp4_dense:
        return accelerator.tflops_fp4_dense / 4
    return 0.1 * accelerator.bandwidth_gb_s


def forget_rates() -> None:
    """Drop the cached rates, for a calibration that tries many constants."""
    _rates.clear()


_rates: dict[tuple[int, str, str, int], tuple[Accelerator, Constants, Rates]] = {}


def rates(accelerator: Accelerator, compute_dtype: str, software: Software, constants: Constants = FITTED) -> Rates:
    """Rates of one GPU. A dtype that it has no matrix units for runs at its 16-bit rate."""
    key = (id(accelerator), compute_dtype, software, id(constants))
    known = _rates.get(key)
    if known is not None:
        return known[2]
    family = gpu_family(accelerator)
    c = constants
    sixteen = sixteen_bit_tflops(accelerator)
    best = accelerator.measured_tflops_bf16 or sixteen * UNMEASURED_MATRIX_SHARE
    tier = c[f"tier.{software}"]
    base = best * c[f"matmul.{family}.bf16"]
    watts = accelerator.tdp_w if family == "gddr" else None
    if watts:
        base = _capped(base, watts * c["watt.bf16"])
    dtype, peak, matrix = "bf16", sixteen, base
    eight, four = accelerator.tflops_fp8_dense, accelerator.tflops_fp4_dense
    if compute_dtype == "nvfp4" and not (accelerator.supports_fp4 and four):
        compute_dtype = "fp8"
    if compute_dtype == "fp8" and accelerator.supports_fp8 and eight:
        dtype, peak = "fp8", eight
        # what keeps a part from its 16-bit peak (clocks, power, kernels) keeps it from the 8-bit one as well
        matrix = (accelerator.measured_tflops_fp8 or eight * best / sixteen) * c[f"matmul.{family}.fp8"]
    elif compute_dtype == "nvfp4" and four:
        dtype, peak = "nvfp4", four
        matrix = four * UNMEASURED_MATRIX_SHARE * c["matmul.blackwell.nvfp4"]
    if watts and dtype != "bf16":
        matrix = _capped(matrix, watts * c["watt.fp8"])
    # A fitted share above 1 stands for cards that boost past their data sheet's clock; none computes past its peak.
    sixteen_rate = min(base * tier, sixteen) * TERA
    matrix = min(matrix * tier, peak) * TERA
    lanes = (accelerator.pcie_lanes or 16) * PCIE_GB_S_PER_LANE.get(accelerator.pcie_gen or 4, 1.969)
    made = Rates(
        family=family,
        dtype=dtype,
        matrix=matrix,
        matrix_16bit=sixteen_rate,
        attention=min(base * tier * c[f"attention.{family}"], sixteen) * TERA,
        memory=accelerator.bandwidth_gb_s * MEMORY_SHARE * GB,
        host=(accelerator.cpu_link_gb_s_unidir or lanes) * HOST_SHARE * GB,
        peak=peak * TERA,
        tier=_tier(software, constants),
    )
    _rates[key] = (accelerator, constants, made)
    return made


def _capped(rate: float, limit: float) -> float:
    """A rate under a power limit: the two meet smoothly, since a card throttles before it is at its limit."""
    return float((rate**-POWER_SHARPNESS + limit**-POWER_SHARPNESS) ** (-1 / POWER_SHARPNESS))


POWER_SHARPNESS = 4


@dataclass(slots=True)
class Step:
    """One optimizer step, seconds. `*_each_s` are of one micro-batch on the busiest stage.

    compute: kernels. tp, ep, pp, dp: collectives along each dimension of the layout, hidden or not. window:
    micro-batches behind which dp can hide. bubble_slots: idle micro-batch times of the pipeline. tail_s: optimizer
    and offload. seconds: the whole step; exposed_s: what communication adds to it.
    """

    tokens: float
    micro_batches: int
    bubble_slots: float
    compute_each_s: float
    tp_each_s: float
    ep_each_s: float
    pp_each_s: float
    dp_s: float
    window: float
    tail_s: float
    hidden_pp: float
    seconds: float
    exposed_s: float

    def total(self, hidden_tp: float, hidden_ep: float, hidden_dp: float) -> tuple[float, float]:
        """Seconds of the step, and of them communication, when those shares of it hide behind compute."""
        exposed_each = (
            self.tp_each_s * (1 - hidden_tp) + self.ep_each_s * (1 - hidden_ep) + self.pp_each_s * (1 - self.hidden_pp)
        )
        each = self.compute_each_s + exposed_each
        slots = self.micro_batches + self.bubble_slots
        # no more can hide than there is to hide behind
        exposed_dp = max(self.dp_s * (1 - hidden_dp), self.dp_s - each * self.window)
        return each * slots + exposed_dp + self.tail_s, exposed_each * slots + exposed_dp

    @property
    def bubble_s(self) -> float:
        """Idle time of the pipeline, without the communication in it: seconds = compute + bubble + exposed + tail."""
        return self.bubble_slots * self.compute_each_s

    @property
    def communication_s(self) -> float:
        """All collectives of the step, hidden or not."""
        return (self.tp_each_s + self.ep_each_s + self.pp_each_s) * self.micro_batches + self.dp_s

    @property
    def compute_s(self) -> float:
        """Kernels of all micro-batches on the busiest stage."""
        return self.compute_each_s * self.micro_batches

    @property
    def tokens_per_s(self) -> float:
        """Tokens a second of the whole build."""
        return self.tokens / self.seconds


def alignment(width: float) -> float:
    """Share of the misalignment penalty that a dimension pays: tensor cores want multiples of 64 elements.

    NVIDIA, Matrix Multiplication Background User's Guide, tile quantization: 0 at multiples of 64, most below 16.
    """
    whole = int(width)
    if whole % 64 == 0:
        return 0.0
    return 0.3 if whole % 32 == 0 else 0.6 if whole % 16 == 0 else 1.0


TILE = {"hopper": 256, "blackwell": 256}
"""Widest side of an output tile, 128 elsewhere: 128 x 256 on Hopper, 256 x 256 by two SMs on Blackwell."""
SMALL_HEAD = {"hopper": 0.5, "blackwell": 0.5}
"""Power of 128 / head size that attention slows by, 0.2 elsewhere. The exponentials do not shrink with the head:
size 64 reaches about 0.7 of size 128 on H100 (Shah et al. 2024, arXiv 2407.08608) and 0.9 on A100 (Dao 2023)."""


def tiling(width: float, tile: int) -> float:
    """How much more a product computes than its output needs, since the last tile is computed whole."""
    return -(-int(width) // tile) * tile / width if width >= tile else 1.0


@dataclass(frozen=True, slots=True)
class Kernels:
    """Compute seconds of one micro-batch on one tensor-parallel rank, through all layers (no pipeline yet).

    layers_s: forward, backward and what is recomputed. head_s: output matrix and loss. launch_s: the least that
    launching the layers' kernels takes. passes: how often a layer's weights and collectives are needed.
    """

    layers_s: float
    head_s: float
    launch_s: float
    passes: float


def kernels(b: Body, r: Rates, workload: Workload, tokens: float, tp: int, ep: int) -> Kernels:
    """What one GPU computes for a micro-batch of `tokens` tokens when tp ranks share each layer."""
    t = r.tier
    adapter = workload.kind in ADAPTER_KINDS
    shape = 1.0 + t.narrow_width / max(1.0, b.hidden / tp) + t.few_tokens / tokens
    shape *= 1.0 + t.misaligned * alignment(b.hidden / tp)
    products = 2.0 * tokens * b.projections / tp / r.matrix * shape
    moved = (b.streams_hidden + b.streams_inner / tp) * t.elementwise
    if r.dtype != "bf16":
        moved += t.quantize * b.streams_inner / tp
    if b.routed:
        visits = tokens * b.per_token * max(1.0, ep / tp) / max(1, b.experts)
        width = b.expert_width / (1 if ep > 1 else tp)
        grouped = 1.0 + t.moe_tokens_half / visits + t.narrow_width / max(1.0, width)
        # experts are narrow: of three products two put out their own width, one the hidden size
        tile = TILE.get(r.family, 128)
        grouped *= (2.0 * tiling(width, tile) + tiling(b.hidden, tile)) / 3.0
        products += 2.0 * tokens * b.routed / tp / (r.matrix * t.moe_matmul) * grouped
        moved += t.moe_permute * b.permuted / tp
    if not workload.flash_attention:
        moved += t.unfused_attention * b.score_pairs / tp
    traffic = ACTIVATION_BYTES * tokens * moved / r.memory
    attention = tokens * b.attention_flops / tp / r.attention
    if b.head_dim % 8:
        attention *= t.odd_head
    elif 0 < b.head_dim < 128:
        attention *= (128 / b.head_dim) ** SMALL_HEAD.get(r.family, 0.2)
    again = 1.0 if workload.recompute == "full" else 0.0
    remade = again or (t.selective if workload.recompute == "selective" else 0.0)
    # frozen weights need no gradient of their own: the backward pass is one product, not two
    back = 1.0 if adapter else 2.0
    layers = (
        products * (1.0 + back + again)
        + attention * (1.0 + ATTENTION_BACKWARD + again)
        + traffic * (1.0 + TRAFFIC_BACKWARD + remade)
    )
    passes = 2.0 + again
    if adapter:
        layers += t.lora * passes * ACTIVATION_BYTES * tokens * b.streams_inner / tp / r.memory
    if workload.kind == "qlora":
        layers += t.dequantize * passes * DEQUANTIZED_BYTES * b.held / tp / r.memory
    launch = (t.launch_s * b.layers + t.moe_overhead_s * b.moe_layers) * passes
    head = 2.0 * tokens * b.head / tp / r.matrix_16bit * shape * (1.0 + back)
    head += tokens * b.vocabulary / tp * min(t.loss_bytes, LOSS_BYTES[workload.loss]) / r.memory
    return Kernels(layers, head, launch, passes)


def step(
    architecture: Architecture,
    hardware: Hardware,
    workload: Workload,
    layout: Layout,
    constants: Constants = FITTED,
) -> Step:
    """One optimizer step on a build in one layout, with the global batch that the workload asks.

    Where the batch has fewer micro-batches than replicas, every replica still runs one: the batch is then larger.
    """
    return next(steps(architecture, hardware, workload, (layout,), constants))


def steps(
    architecture: Architecture,
    hardware: Hardware,
    workload: Workload,
    layouts: Iterable[Layout],
    constants: Constants = FITTED,
) -> Iterator[Step]:
    """The step of each of some layouts; those that split a layer alike share its kernels."""
    b = body(architecture, workload.sequence_length)
    r = rates(hardware.accelerator, workload.compute_dtype, workload.software, constants)
    known: dict[tuple[int, int, int], Kernels] = {}
    for layout in layouts:
        split = (layout.tp, layout.ep, context_ranks(workload, layout))
        made = known.get(split)
        if made is None:
            tokens = workload.micro_batch * workload.sequence_length / split[2]
            made = known[split] = kernels(b, r, workload, tokens, layout.tp, layout.ep)
        yield assemble(b, r, made, hardware, workload, layout)


def context_ranks(workload: Workload, layout: Layout) -> int:
    """Data-parallel ranks that share one sequence."""
    shared = workload.context_parallel
    return 1 if shared == 1 else max(1, min(shared, layout.dp))


def micro_batch_count(workload: Workload, replicas: float) -> int:
    """Micro-batches that each replica runs a step."""
    if workload.gradient_accumulation is not None:
        return max(1, workload.gradient_accumulation)
    each = workload.sequence_length * workload.micro_batch
    return max(1, round(workload.global_batch_tokens / (each * replicas)))


def assemble(
    b: Body,
    r: Rates,
    made: Kernels,
    hardware: Hardware,
    workload: Workload,
    layout: Layout,
    how: tuple[Sharding, ShardingGroup] | None = None,
) -> Step:
    """A step from the kernels of a micro-batch: pipeline, collectives on its path and beside it, optimizer.

    how: a sharding and its reach other than the workload's.
    """
    sharding, reach = how or (workload.sharding, workload.sharding_group)
    t = r.tier
    tp, pp, dp, ep = layout.tp, layout.pp, layout.dp, layout.ep
    cp = context_ranks(workload, layout)
    tokens = workload.micro_batch * workload.sequence_length / cp
    micro_batches = micro_batch_count(workload, dp / cp)

    # a stage: the busiest one sets the pace
    chunks, share = 1, 1.0
    through = max(made.layers_s, made.launch_s)
    if pp == 1:
        compute = through + made.head_s
    else:
        if workload.pipeline_schedule == "interleaved":
            chunks = max(1, min(workload.virtual_stages or 2, b.layers // pp))
        share = -(-b.layers // pp) / max(1, b.layers)
        mean = (through + made.head_s) / pp
        # planners take layers off the last stage for the head where they can
        compute = max(through * share, mean if workload.software == "tuned" else mean + made.head_s / pp)

    wires = _wires(hardware, layout, cp, sharding, reach)
    # collectives that a micro-batch waits for
    tp_s = ep_s = pp_s = 0.0
    hidden_bytes = tokens * b.hidden * ACTIVATION_BYTES
    if tp > 1:
        tp_s = wires.tp.seconds(hidden_bytes) * 2 * b.layers * share * made.passes
    if ep > 1 and b.moe_layers:
        one = wires.ep.seconds(hidden_bytes / tp * b.per_token)
        ep_s = one * 2 * b.moe_layers * share * made.passes
    if cp > 1:
        # each context rank collects the keys and values of the others, layer by layer
        one = wires.context.seconds(hidden_bytes * cp * b.kv_share / tp)
        ep_s += one * b.layers * share * made.passes
    if pp > 1:
        pp_s = wires.border.seconds(hidden_bytes / tp) * 2 * chunks

    # gradients and sharded parameters travel beside it
    held = (b.held - b.expert_parameters + b.outer) / (tp * pp)
    experts_held = b.expert_parameters / (max(tp, ep) * pp)
    local = trainable = held + experts_held
    if workload.kind in ("lora", "qlora"):
        trainable = adapter_parameters(b, workload.lora_rank) / (tp * pp)
    # gradients of plain data parallelism hide behind the last backward pass; zero2 reduces in every micro-batch
    dp_s, window = 0.0, BACKWARD_SHARE * (micro_batches if sharding == "zero2" else 1)
    if dp > 1:
        if sharding == "zero3":
            weight_bytes = QUANTIZED_BYTES if workload.kind == "qlora" else 2.0
            # one collective for each layer of the stage
            pieces = max(1.0, b.layers / pp)
            gather = pieces * wires.gather.seconds(held * weight_bytes / pieces)
            if experts_held:
                gather += pieces * wires.experts.seconds(experts_held * weight_bytes / pieces)
            # weights forward and again backward, gradients as reduce-scatter of the trained share
            dp_s = gather * (2.0 + trainable / local * 2.0 / weight_bytes) * micro_batches
            window = float(micro_batches)
            dp_s += wires.reduce.seconds(trainable * 2.0 / wires.group)
        elif sharding == "ddp":
            dp_s = wires.reduce.seconds(trainable * 2.0)
        else:
            dp_s = wires.scatter.seconds(trainable * 2.0)
            dp_s += wires.gather.seconds(trainable * 2.0)

    pinned = workload.overlap
    made_step = Step(
        tokens=micro_batches * workload.micro_batch * workload.sequence_length * dp / cp,
        micro_batches=micro_batches,
        bubble_slots=(pp - 1) / chunks,
        compute_each_s=compute,
        tp_each_s=tp_s,
        ep_each_s=ep_s,
        pp_each_s=pp_s,
        dp_s=dp_s,
        window=window,
        tail_s=_ending(b, r, workload, sharding, trainable, local, dp, micro_batches),
        hidden_pp=t.overlap_pp,
        seconds=0.0,
        exposed_s=0.0,
    )
    if pinned is None:
        made_step.seconds, made_step.exposed_s = made_step.total(t.overlap_tp, t.overlap_ep, t.overlap_dp)
    else:
        made_step.seconds, made_step.exposed_s = made_step.total(pinned, pinned, pinned)
    return made_step


def _ending(
    b: Body,
    r: Rates,
    workload: Workload,
    sharding: Sharding,
    trainable: float,
    local: float,
    dp: int,
    micro_batches: int,
) -> float:
    """Seconds of the optimizer, and of what offload streams over the host's link and cannot hide."""
    t = r.tier
    owned = trainable / (1 if sharding == "ddp" else dp)
    volume = owned * OPTIMIZER_BYTES[workload.optimizer]
    if workload.offload == "none":
        tail = volume * t.optimizer_passes / r.memory
    else:
        tail = volume * t.offload_optimizer / r.host
    if workload.optimizer == "muon":
        tail += owned * MUON_FLOPS_PER_WIDTH * b.hidden / r.matrix_16bit
    streamed = 0.0
    if workload.offload == "parameters":
        weight_bytes = QUANTIZED_BYTES if workload.kind == "qlora" else 2.0
        share = dp if sharding == "zero3" else 1
        # weights come in forward and backward, gradients go out and are added to
        streamed = local / share * 2 * weight_bytes + trainable / share * 4.0
    if workload.activation_offload:
        tokens = workload.micro_batch * workload.sequence_length
        streamed += 2.0 * tokens * b.hidden * ACTIVATION_BYTES * b.layers
    return tail + streamed * micro_batches / r.host * t.offload_exposed


ATTENTION_BACKWARD = 2.5
"""Backward over forward FLOPs of flash attention: five products against two (Dao 2023, section 3.1)."""
TRAFFIC_BACKWARD = 2.0
BACKWARD_SHARE = 0.67
"""Share of a pass over the layers in which gradients appear: the backward two of three forwards."""
DEQUANTIZED_BYTES = 4.5
"""NF4 read (0.5) and 16-bit written and read back (4), for each parameter of a dequantized weight."""
QUANTIZED_BYTES = 0.53
"""NF4 with double quantization: 4.127 bits a parameter and its unquantized norms."""
LOSS_BYTES = {"eager": 1e9, "eager-16bit": 1e9, "compiled": 12.0, "chunked": 10.0, "fused": 6.0}
"""Traffic a logit of the loss kernels: fp32 logits and gradients written and read once each, or kept on chip."""
OPTIMIZER_BYTES = {
    "adamw": 28.0,
    "adamw-paged": 28.0,
    "adamw-bf16": 14.0,
    "adamw-8bit": 16.0,
    "adamw-paged-8bit": 16.0,
    "adamw-4bit": 14.0,
    "adafactor": 14.0,
    "sgd": 12.0,
    "muon": 20.0,
}
"""Memory traffic of an update for each parameter: gradient, states and master copy read, states and weights written."""
OPTIMIZER_STATE_BYTES = {
    "adamw": 12.0,
    "adamw-paged": 12.0,
    "adamw-bf16": 4.0,
    "adamw-8bit": 6.0,
    "adamw-paged-8bit": 6.0,
    "adamw-4bit": 5.0,
    "adafactor": 4.0,
    "sgd": 4.0,
    "muon": 8.0,
}
"""States and master copy kept for each trained parameter."""
MUON_FLOPS_PER_WIDTH = 30.0
"""Five Newton-Schulz steps of three products, 2 FLOPs each, a parameter and unit of width (Jordan et al. 2024)."""


def adapter_parameters(b: Body, rank: int) -> float:
    """Trainable parameters of LoRA adapters on every linear layer: rank times both widths of each."""
    return rank * (b.streams_inner / 2 + 5 * b.hidden * b.layers)


@dataclass(frozen=True, slots=True)
class Wires:
    """How long the collectives of a layout on a build take, by their payload.

    tp, ep, context, border: on the path of a micro-batch. gather, experts: of parameters, over the `group` ranks that
    share them and the ranks that hold the same experts. scatter: of gradients to their shards; reduce: of whole
    gradients, under hybrid sharding those of a shard between the nodes.
    """

    tp: Curve
    ep: Curve
    context: Curve
    border: Curve
    group: int
    gather: Curve
    experts: Curve
    scatter: Curve
    reduce: Curve


def _wires(hardware: Hardware, layout: Layout, cp: int, sharding: Sharding, reach: ShardingGroup) -> Wires:
    platform = hardware.platform
    nics = platform.nics if platform is not None and platform.nics else None
    return _wires_of(
        hardware.intra_link,
        hardware.inter_link,
        hardware.accelerator.peer_access,
        nics,
        hardware.gpus_per_node,
        layout,
        cp,
        sharding,
        reach,
    )


@lru_cache(maxsize=8192)
def _wires_of(
    intra: Link,
    inter: Link,
    peer_access: bool,
    nics: int | None,
    per_node: int,
    layout: Layout,
    cp: int,
    sharding: Sharding,
    reach: ShardingGroup,
) -> Wires:
    busy = min(per_node, layout.gpus)

    def wire(op: Op, ranks: int, within: int) -> Curve:
        if ranks <= 1:
            return NOTHING
        return curve(
            op,
            ranks,
            within,
            intra,
            inter,
            peer_access=peer_access,
            groups_per_node=max(1, busy // within),
            nics_per_node=nics,
        )

    tp, pp, dp, ep = layout.tp, layout.pp, layout.dp, layout.ep
    inside = ranks_per_node(layout, "dp", per_node, "training")
    stages_inside = ranks_per_node(layout, "pp", per_node, "training")
    hybrid = sharding == "zero3" and reach == "node" and inside < dp
    group = inside if hybrid else dp
    others = min(group, max(1, dp // ep))
    scatter = reduce = NOTHING
    if sharding == "ddp":
        reduce = wire("all_reduce", dp, inside)
    elif sharding != "zero3":
        scatter = wire("reduce_scatter", dp, inside)
    elif hybrid:
        reduce = wire("all_reduce", dp // inside, 1)
    return Wires(
        tp=wire("all_reduce", tp, min(tp, per_node)),
        ep=wire("all_to_all", ep, ranks_per_node(layout, "ep", per_node, "training")),
        context=wire("all_gather", cp, min(cp, max(1, per_node // tp))),
        border=wire("send_recv", 2, 2 if stages_inside >= pp else 1) if pp > 1 else NOTHING,
        group=group,
        gather=wire("all_gather", group, min(inside, group)),
        experts=wire("all_gather", others, min(inside, others)),
        scatter=scatter,
        reduce=reduce,
    )


def interval_group(architecture: Architecture, workload: Workload) -> str:
    """Which spread of errors an estimate carries: mixtures of experts, adapters, offload, or plain dense training."""
    if workload.offload != "none":
        return "offload"
    if workload.kind in ("lora", "qlora"):
        return "adapters"
    return "experts" if architecture.experts else "dense"


# 419 unexpected interruptions of 16,384 H100 in 54 days: Llama Team 2024 (arXiv 2407.21783, section 3.3.4).
GPU_HOURS_BETWEEN_FAILURES = 16384 * 54 * 24 / 419
RESTART_S = 900.0
CHECKPOINT_WRITE_GB_S_PER_NODE = 2.0


def goodput(hardware: Hardware, parameters: float) -> float:
    """Share of wall time that makes progress: what checkpoints and failures leave at this size.

    Checkpoints of 14 bytes a parameter at Young's interval sqrt(2 c M) (Young 1974) cost c / interval, and each
    failure half an interval and a restart.
    """
    write = parameters * 14 / (CHECKPOINT_WRITE_GB_S_PER_NODE * hardware.nodes * GB)
    between = GPU_HOURS_BETWEEN_FAILURES / hardware.gpus * SECONDS_PER_HOUR
    interval = math.sqrt(2 * max(write, 1.0) * between)
    lost = write / interval + (interval / 2 + RESTART_S) / between
    return max(0.05, 1.0 - lost)


def training_speed(scenario: Scenario, layout: Layout, memory: Memory, made: Step | None = None) -> Training:
    """Speed, length and efficiency of a training run on the scenario's build in one layout.

    days and gpu_hours count failures and checkpoints (goodput); tokens/s and MFU are of an undisturbed step. MFU
    counts the FLOPs of `training_flops_per_token`, causal attention by the pairs it scores, against the dense data
    sheet rate of the compute dtype. The interval is an 80 % one, from the errors on frameworks left out of the fit.
    made: the layout's step, where it is known already.
    """
    hardware, workload = scenario.hardware, scenario.workload
    architecture = scenario.model.architecture
    made = made or step(architecture, hardware, workload, layout)
    gpus = layout.gpus
    per_gpu = made.tokens_per_s / gpus
    alone = single_gpu_tokens_per_s(architecture, hardware, workload)
    keep = goodput(hardware, body(architecture, workload.sequence_length).parameters)
    days = workload.total_tokens / made.tokens_per_s / keep / SECONDS_PER_DAY
    gpu_hours = days * 24 * hardware.gpus
    r = rates(hardware.accelerator, workload.compute_dtype, workload.software)
    low, high = FITTED.intervals[interval_group(architecture, workload)]
    model_flops = training_flops_per_token(architecture, workload)
    efficiency = min(1.0, per_gpu / alone)
    worst, best = (made.tokens / made.total(x, x, x)[0] / gpus for x in OVERLAP_RANGE)
    return Training(
        step_s=made.seconds,
        tokens_per_s_gpu=per_gpu,
        tokens_per_s_total=made.tokens_per_s,
        mfu=per_gpu * model_flops / r.peak,
        days=days,
        gpu_hours=gpu_hours,
        peak_bytes=memory.peak_bytes,
        efficiency=efficiency,
        interval=Interval(per_gpu * low, per_gpu * high),
        flops_per_token=model_flops,
        achieved_tflops=per_gpu * model_flops / TERA,
        compute_s=made.compute_s,
        communication_s=made.communication_s,
        exposed_communication_s=made.exposed_s,
        bubble_share=made.bubble_s / made.seconds,
        cost_usd=run_usd(scenario, gpu_hours),
        meets_deadline=None if workload.deadline_days is None else days <= workload.deadline_days,
        goodput=keep,
        tp_communication_s=made.tp_each_s * made.micro_batches,
        ep_communication_s=made.ep_each_s * made.micro_batches,
        pp_communication_s=made.pp_each_s * made.micro_batches,
        dp_communication_s=made.dp_s,
        optimizer_s=made.tail_s,
        micro_batches=made.micro_batches,
        one_gpu_tokens_per_s=alone,
        overlap_range=Interval(worst, best),
        serial_share=serial_share(efficiency, gpus),
    )


def training_flops_per_token(architecture: Architecture, workload: Workload) -> float:
    """FLOPs that training on one token takes, nothing recomputed: what MFU counts.

    One forward and two backward passes; adapters leave the weights frozen, which need no gradient of their own: of a
    product with them the backward pass is one product. Their own products, under 1 %, are not counted.
    """
    forward = forward_flops_per_token(architecture, workload.sequence_length)
    if workload.kind not in ADAPTER_KINDS:
        return 3.0 * forward
    return 3.0 * forward - 2.0 * active_elements(architecture).total


def serial_share(efficiency: float, gpus: int) -> float:
    """Amdahl's serial share: speed-up = 1 / (s + (1 - s) / n) solved for s, where speed-up = efficiency * n.

    1 where more GPUs are no faster than one.
    """
    if gpus <= 1 or efficiency <= 0:
        return 0.0
    return min(1.0, max(0.0, (1.0 / efficiency - 1.0) / (gpus - 1)))


ONE_GPU = Layout()
_alone: dict[tuple[int, int, str], tuple[Workload, Accelerator, float]] = {}


def single_gpu_tokens_per_s(architecture: Architecture, hardware: Hardware, workload: Workload) -> float:
    """Tokens a second of one GPU of the kind with memory enough for everything: the baseline of efficiency."""
    accelerator = hardware.accelerator
    key = (id(workload), id(accelerator), architecture.digest)
    known = _alone.get(key)
    # kept beside the figure, so that their identities stay taken
    if known is not None and known[0] is workload and known[1] is accelerator:
        return known[2]
    if len(_alone) > 2000:
        _alone.clear()
    speed = step(architecture, hardware, workload, ONE_GPU).tokens_per_s
    _alone[key] = (workload, accelerator, speed)
    return speed
