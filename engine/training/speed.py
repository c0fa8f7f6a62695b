"""How fast a build trains: one optimizer step, taken apart into what every GPU computes, moves and waits for.

A micro-batch passes a stage's layers forward, backward and (recomputed) forward again. Each pass costs its matrix
products at the kernel rate of the GPU class, dtype and software tier, attention at its own rate, and the
element-wise traffic between them at memory bandwidth. Tensor- and expert-parallel collectives sit on that path;
pipelines add their bubble (Narayanan et al. 2021, arXiv 2104.04473, section 2.2: (p - 1) / (v m) of the work);
gradients and ZeRO's parameters travel beside it (Rajbhandari et al. 2019, arXiv 1910.02054) and hide in part. The
optimizer ends the step. FLOPs: `engine.model.flops`; collectives: `engine.links.collectives`; constants:
`engine.calibration.training_speed`, fitted by scripts/calibrate_training_speed.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from engine.calibration import training_speed as fit
from engine.figures.kept import keep
from engine.figures.units import GB, HOURS_PER_DAY, SECONDS_PER_DAY, TERA
from engine.links.collectives import Segments, slot_gb_s
from engine.links.traffic import Span, curve_of
from engine.model.architecture import Architecture
from engine.model.flops import active_elements, attention_flops_per_token, forward_flops_per_token
from engine.money.prices import run_usd
from engine.parts.hardware import Accelerator
from engine.scenario import Hardware, Layout, Scenario, Sharding, ShardingGroup, Software, Workload
from engine.scenario.frameworks import attention_of, framework_of, loss_of, software_of
from engine.sizing import Interval, Memory, Training
from engine.training.batch import Batch, asked_tokens, batch_of, context_ranks, stage_chunks
from engine.training.goodput import goodput
from engine.training.peak import sixteen_bit_tflops
from engine.training.rollout import rollout_seconds
from engine.training.traffic import NF4_BYTES, ONE_FORWARD, Held, parts_of, traffic_of

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
    experts and back moves. held: parameters of the blocks, outer: of embedding and head.
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
    outer: int

    @property
    def parameters(self) -> int:
        """All parameters, without vision towers and MTP layers."""
        return self.held + self.outer


@lru_cache(maxsize=1024)
def body(architecture: Architecture, sequence_length: int) -> Body:
    """The sums of a model at a sequence length. Cached."""
    active = active_elements(architecture)
    parts = parts_of(architecture)
    hidden_streams = inner_streams = 0
    pairs = 0.0
    hidden = architecture.hidden_size
    for layer, count in architecture.layer_runs():
        inner = 0
        for tensor in layer.tensors:
            if tensor.part == "routed_expert":
                copies = min(tensor.copies, architecture.experts_per_token)
            else:
                copies = tensor.copies
            if tensor.is_matrix and tensor.part != "router" and hidden in (tensor.rows, tensor.cols):
                inner += max(tensor.rows, tensor.cols) * copies if tensor.rows != tensor.cols else hidden
        # norms and residuals read and write the hidden state; every product writes and rereads its inner side
        hidden_streams += count * 8 * hidden
        inner_streams += count * 2 * inner
        if layer.score_heads:
            pairs += count * layer.score_heads * (sequence_length + 1) / 2
    return Body(
        layers=parts.layers,
        moe_layers=parts.moe,
        projections=active.attention + active.dense + active.router,
        routed=active.routed,
        head=active.head,
        attention_flops=attention_flops_per_token(architecture, sequence_length),
        score_pairs=pairs,
        streams_hidden=hidden_streams,
        streams_inner=inner_streams,
        permuted=parts.moe * 4 * hidden * max(1, architecture.experts_per_token),
        hidden=hidden,
        head_dim=architecture.head_dim,
        expert_width=architecture.expert_intermediate_size,
        vocabulary=architecture.vocab_size,
        experts=architecture.experts,
        per_token=max(1, architecture.experts_per_token),
        held=parts.held,
        outer=parts.outer,
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
    attention kernels on short sequences, attention_long: of their newest generation on endless ones; memory and host: bytes/s of its memory and of its link to the host; peak: the data sheet's
    dense FLOP/s in the dtype, which MFU is counted against. tier: constants of the software tier.
    """

    family: str
    dtype: str
    matrix: float
    matrix_16bit: float
    attention: float
    attention_long: float
    memory: float
    host: float
    peak: float
    tier: Tier


# Sustained matrix rate over the data sheet's, where nobody measured the part: MAMF sweeps of
# stas00/ml-engineering (compute/accelerator), as carried by measured_tflops_* in the catalog, give 0.75 to 0.9.
UNMEASURED_MATRIX_SHARE = 0.85
# Streams reach this share of peak memory bandwidth: babelstream-class figures of the parts lie at 0.85 to 0.93.
MEMORY_SHARE = 0.85
HOST_SHARE = 0.85
SLOT_LANES = 16
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
    short = c[f"attention.{family}"]
    lanes = (accelerator.pcie_lanes or SLOT_LANES) * PCIE_GB_S_PER_LANE.get(accelerator.pcie_gen or 4, 1.969)
    made = Rates(
        family=family,
        dtype=dtype,
        matrix=matrix,
        matrix_16bit=sixteen_rate,
        attention=min(base * tier * short, sixteen) * TERA,
        attention_long=min(base * tier * max(short, c[f"attention_long.{family}"]), sixteen) * TERA,
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
    """One optimizer step, seconds; tokens: of all replicas. `*_each_s` are of one micro-batch on the busiest stage.

    compute: kernels. tp, ep, pp, dp: collectives along each dimension of the layout, hidden or not. window:
    micro-batches behind which dp can hide. bubble_slots: idle micro-batch times of the pipeline. tail_s: optimizer,
    offload and rollout_s, which answers take. seconds: the whole step; exposed_s: what communication adds to it.
    """

    tokens: int
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
    held: Held
    seconds: float
    exposed_s: float
    rollout_s: float = 0.0

    def total(self, hidden_tp: float, hidden_ep: float, hidden_dp: float) -> tuple[float, float]:
        """Seconds of the step, and of them communication, when those shares of it hide behind compute."""
        each = self.compute_each_s
        path = (
            self.tp_each_s * (1 - hidden_tp) + self.ep_each_s * (1 - hidden_ep) + self.pp_each_s * (1 - self.hidden_pp)
        )
        slots = self.micro_batches + self.bubble_slots
        # no more can hide than there is to hide behind
        waited = path * slots + max(self.dp_s * (1 - hidden_dp), self.dp_s - (each + path) * self.window)
        return each * slots + waited + self.tail_s, waited

    def exposed(
        self, hidden_tp: float, hidden_ep: float, hidden_dp: float
    ) -> Callable[[float, float, float, float], float]:
        """What collectives add to the step by their seconds along tp, ep and cp, pp, dp, as any links take them.

        The second figure of `total`, for the many links of a table.
        """
        count, compute, window = self.micro_batches, self.compute_each_s, self.window
        slots = (count + self.bubble_slots) / count
        tp, ep, pp, dp = 1 - hidden_tp, 1 - hidden_ep, 1 - self.hidden_pp, 1 - hidden_dp

        def waited(tp_s: float, ep_s: float, pp_s: float, dp_s: float) -> float:
            path = tp_s * tp + ep_s * ep + pp_s * pp
            shown = dp_s * dp
            least = dp_s - (compute + path / count) * window
            return path * slots + (least if least > shown else shown)

        return waited

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
TILE_ELSEWHERE = 128
"""Widest side of an output tile, 128 elsewhere: 128 x 256 on Hopper, 256 x 256 by two SMs on Blackwell."""
SMALL_HEAD = {"hopper": 0.5, "blackwell": 0.5}
SMALL_HEAD_ELSEWHERE = 0.2
WHOLE_HEAD = 128
"""Power of 128 / head size that attention slows by, 0.2 elsewhere. The exponentials do not shrink with the head:
size 64 reaches about 0.7 of size 128 on H100 (Shah et al. 2024, arXiv 2407.08608) and 0.9 on A100 (Dao 2023)."""


UNFUSED_CASTS = 5.0
"""Passes of casts that no other kernel does on the way, over one that it does: for the largest element, then both orders of a
tensor. torchao's FP8 gains 1.1 to 1.25 over BF16 on H100 (torchtitan's own runs), Transformer Engine's 1.5 and more."""
LONG_ATTENTION = 65536
"""Length at which the newest attention kernels are half way from what steps of short sequences show to their own rate. What
stands around them (rotations, transposes, launches) is as long for a token of a short sequence as of a long one. Steps of
4k to 8k show 0.3 of the matrix rate on Hopper, kernels alone 0.9, two runs of a million tokens 0.86."""


def tiling(width: float, tile: int) -> float:
    """How much more a product computes than its output needs, since the last tile is computed whole."""
    return -(-int(width) // tile) * tile / width if width >= tile else 1.0


@dataclass(frozen=True, slots=True)
class Kernels:
    """Compute seconds of one micro-batch on one tensor-parallel rank, through all layers (no pipeline yet).

    layers_s: forward, backward and what is recomputed. head_s: output matrix and loss. launch_s: the least that
    launching the layers' kernels takes. passes: how often a layer's weights and collectives are needed. products_s,
    attention_s, traffic_s: of one forward pass over the layers, of which layers_s is made.
    """

    layers_s: float
    head_s: float
    launch_s: float
    passes: float
    products_s: float = 0.0
    attention_s: float = 0.0
    traffic_s: float = 0.0


def kernels(b: Body, r: Rates, workload: Workload, tokens: float, tp: int, ep: int) -> Kernels:
    """What one GPU computes for a micro-batch of `tokens` tokens when tp ranks share each layer."""
    t = r.tier
    adapter = workload.trains != "full"
    shape = 1.0 + t.narrow_width / max(1.0, b.hidden / tp) + t.few_tokens / tokens
    shape *= 1.0 + t.misaligned * alignment(b.hidden / tp)
    products = 2.0 * tokens * b.projections / tp / r.matrix * shape
    moved = (b.streams_hidden + b.streams_inner / tp) * t.elementwise
    if r.dtype != "bf16":
        casts = t.quantize if framework_of(workload).fuses_casts else t.quantize * UNFUSED_CASTS
        moved += casts * b.streams_inner / tp
    if b.routed:
        visits = tokens * b.per_token * max(1.0, ep / tp) / max(1, b.experts)
        width = b.expert_width / (1 if ep > 1 else tp)
        grouped = 1.0 + t.moe_tokens_half / visits + t.narrow_width / max(1.0, width)
        # experts are narrow: of three products two put out their own width, one the hidden size
        tile = TILE.get(r.family, TILE_ELSEWHERE)
        grouped *= (2.0 * tiling(width, tile) + tiling(b.hidden, tile)) / 3.0
        routed = 2.0 * tokens * b.routed / tp / (r.matrix * t.moe_matmul) * grouped
        products += routed
        moved += t.moe_permute * b.permuted / tp
    if not workload.flash_attention:
        moved += t.unfused_attention * b.score_pairs / tp
    traffic = ACTIVATION_BYTES * tokens * moved / r.memory
    rate = r.attention
    if attention_of(workload) == "flash3":
        length = workload.sequence_length
        rate += (r.attention_long - rate) * length / (length + LONG_ATTENTION)
    attention = tokens * b.attention_flops / tp / rate
    if b.head_dim % 8:
        attention *= t.odd_head
    elif 0 < b.head_dim < WHOLE_HEAD:
        attention *= (WHOLE_HEAD / b.head_dim) ** SMALL_HEAD.get(r.family, SMALL_HEAD_ELSEWHERE)
    again = 1.0 if workload.recompute == "full" else 0.0
    remade = again or (t.selective if workload.recompute == "selective" else 0.0)
    # frozen weights need no gradient of their own: the backward pass is one product, not two
    back = 1.0 if adapter else 2.0
    layers = 0.0
    if b.routed and workload.recompute == "selective" and "moe" in workload.recompute_modules.split("+"):
        layers = routed  # the experts once more
    layers += (
        products * _often(1.0 + back + again, workload)
        + attention * _often(1.0 + ATTENTION_BACKWARD + again, workload)
        + traffic * _often(1.0 + TRAFFIC_BACKWARD + remade, workload)
    )
    passes = _often(2.0 + again, workload)
    if adapter:
        layers += t.lora * passes * ACTIVATION_BYTES * tokens * b.streams_inner / tp / r.memory
    if workload.trains == "qlora":
        layers += t.dequantize * passes * DEQUANTIZED_BYTES * b.held / tp / r.memory
    launch = (t.launch_s * b.layers + t.moe_overhead_s * b.moe_layers) * passes
    if workload.kind == "reward":  # a score in the place of the vocabulary
        return Kernels(layers, 0.0, launch, passes, products, attention, traffic)
    head = 2.0 * tokens * b.head / tp / r.matrix_16bit * shape * _scored(1.0 + back, workload)
    head += tokens * b.vocabulary / tp * min(t.loss_bytes, LOSS_BYTES[loss_of(workload)]) / r.memory
    return Kernels(layers, head, launch, passes, products, attention, traffic)


def _often(each: float, workload: Workload) -> float:
    """Passes of a micro-batch in units of one forward: each of every model that learns, one of every score."""
    models = workload.trained_models
    return _scored(each if models == 1 else each * (models * ONE_FORWARD), workload)


def _scored(each: float, workload: Workload) -> float:
    passes = workload.scoring_passes
    return each if not passes else each + passes * ONE_FORWARD


def step(
    architecture: Architecture,
    hardware: Hardware,
    workload: Workload,
    layout: Layout,
    constants: Constants = FITTED,
) -> Step:
    """One optimizer step on a build in one layout, with the global batch that the workload asks.

    Every replica runs whole micro-batches, at least one: the batch may be larger than asked (`engine.training.batch`).
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
    r = rates(hardware.accelerator, workload.compute_dtype, software_of(workload), constants)
    known: dict[tuple[int, int, int], Kernels] = {}
    for layout in layouts:
        split = (layout.tp, layout.ep, context_ranks(workload, layout.dp))
        made = known.get(split)
        if made is None:
            tokens = workload.micro_tokens / split[2]
            made = known[split] = kernels(b, r, workload, tokens, layout.tp, layout.ep)
        yield assemble(architecture, b, r, made, hardware, workload, layout)


def assemble(
    architecture: Architecture,
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
    t, pp = r.tier, layout.pp
    batch = batch_of(workload, layout.dp)

    # a stage: the busiest one sets the pace
    chunks = stage_chunks(workload, b.layers, pp)
    through = max(made.layers_s, made.launch_s)
    if pp == 1:
        compute = through + made.head_s
    else:
        share = -(-b.layers // pp) / max(1, b.layers)
        mean = (through + made.head_s) / pp
        # planners take layers off the last stage for the head where they can
        compute = max(through * share, mean if software_of(workload) == "tuned" else mean + made.head_s / pp)

    _, held, patterns = _priced_traffic(architecture, hardware, workload, layout, sharding, reach)
    spent, count, tokens = [0.0, 0.0, 0.0, 0.0], batch.micro_batches, batch.rank_tokens
    for kind, each_token, fixed, each, once, segments in patterns:
        payload = each_token * tokens + fixed
        for limit, alpha, beta in segments:  # `Curve.seconds`, without a call for each of a search's messages
            if payload <= limit:
                spent[kind] += (alpha + payload * beta) * (each * count + once)
                break
    made_step = Step(
        tokens=batch.tokens,
        micro_batches=count,
        bubble_slots=(pp - 1) / chunks,
        compute_each_s=compute,
        tp_each_s=spent[0] / count,
        ep_each_s=spent[1] / count,
        pp_each_s=spent[2] / count,
        dp_s=spent[3],
        window=hiding_window(sharding, count),
        tail_s=_ending(b, r, workload, sharding, held, layout.dp, count),
        hidden_pp=t.overlap_pp,
        held=held,
        seconds=0.0,
        exposed_s=0.0,
    )
    if workload.rolls_out:
        made_step.rollout_s = rollout_seconds(architecture, hardware, workload, layout.gpus, float(batch.tokens))
        made_step.tail_s += made_step.rollout_s
    made_step.seconds, made_step.exposed_s = made_step.total(*hidden_shares(r, workload))
    return made_step


PATH_SPANS: tuple[tuple[Span, ...], ...] = (("tp",), ("ep", "cp"), ("pp",), ("dp",))
"""The spans of a step's messages as `Step` sums them: tensor, expert and context, pipeline, data parallel."""
_PLACE: dict[Span, int] = {span: place for place, spans in enumerate(PATH_SPANS) for span in spans}
_Priced = tuple[tuple[int, float, float, float, float, Segments], ...]
_known_prices: dict[tuple[object, ...], tuple[object, Held, _Priced]] = {}
MOST_PRICES = 1024
"""How many priced layouts are kept, 1 kB each: those of the last edits and of the searches around them."""


def _priced_traffic(
    architecture: Architecture,
    hardware: Hardware,
    workload: Workload,
    layout: Layout,
    sharding: Sharding,
    reach: ShardingGroup,
) -> tuple[object, Held, _Priced]:
    """(keeper, what a rank holds, each pattern of the layout's traffic with its time curve on the build). Cached.

    A pattern: (place in PATH_SPANS, bytes a token, fixed bytes, collectives of a micro-batch, of a step, segments).
    """
    intra, inter, platform, per_node = (
        hardware.intra_link, hardware.inter_link, hardware.platform, hardware.gpus_per_node,
    )  # fmt: skip
    tp, pp, dp, ep, w = layout.tp, layout.pp, layout.dp, layout.ep, workload
    key = (
        id(architecture), tp, pp, dp, ep, per_node, sharding, reach, id(intra), id(inter), id(platform),
        hardware.accelerator.peer_access, slot_gb_s(hardware.accelerator), w.kind, w.trains, w.trained_models, w.scoring_passes, w.recompute, w.context_parallel, w.pipeline_schedule,
        w.virtual_stages, w.lora_targets, w.lora_rank,
    )  # fmt: skip
    known = _known_prices.get(key)
    if known is not None:
        return known
    traffic = traffic_of(architecture, workload, layout, per_node, sharding, reach)
    batch = Batch(1, 1, 1, 1.0, 1)
    made = tuple(
        (
            _PLACE[one.span],
            one.bytes_a_token,
            one.fixed_bytes,
            one.each,
            one.once,
            curve_of(one.message(batch), hardware, layout.gpus).segments,
        )
        for one in traffic.patterns
    )
    # what the key names by identity is kept beside the answer, so that the identities stay taken
    found = ((architecture, intra, inter, platform), traffic.held, made)
    return keep(_known_prices, key, found, MOST_PRICES)


def hidden_shares(r: Rates, workload: Workload) -> tuple[float, float, float]:
    """(tensor, expert and context, data parallel) shares of communication that hide: as entered, else the tier's."""
    pinned, t = workload.overlap, r.tier
    return (t.overlap_tp, t.overlap_ep, t.overlap_dp) if pinned is None else (pinned, pinned, pinned)


def hiding_window(sharding: Sharding, micro_batches: int) -> float:
    """Micro-batches behind which data-parallel collectives can hide.

    zero3: all of them. Else gradients hide behind backward passes: of the last micro-batch, under zero2 of every one.
    """
    if sharding == "zero3":
        return float(micro_batches)
    return BACKWARD_SHARE * (micro_batches if sharding == "zero2" else 1)


def _ending(
    b: Body,
    r: Rates,
    workload: Workload,
    sharding: Sharding,
    held: Held,
    dp: int,
    micro_batches: int,
) -> float:
    """Seconds of the optimizer, and of what offload streams over the host's link and cannot hide."""
    t, trainable, local = r.tier, held.all_trained, held.all
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
        weight_bytes = NF4_BYTES if workload.trains == "qlora" else 2.0
        share = dp if sharding == "zero3" else 1
        # weights come in forward and backward, gradients go out and are added to
        streamed = local / share * 2 * weight_bytes + trainable / share * 4.0
    if workload.activation_offload:
        tokens = workload.micro_tokens
        streamed += 2.0 * tokens * b.hidden * ACTIVATION_BYTES * b.layers
    return tail + streamed * micro_batches / r.host * t.offload_exposed


ATTENTION_BACKWARD = 2.5
"""Backward over forward FLOPs of flash attention: five products against two (Dao 2023, section 3.1)."""
TRAFFIC_BACKWARD = 2.0
BACKWARD_SHARE = 0.67
"""Share of a pass over the layers in which gradients appear: the backward two of three forwards."""
DEQUANTIZED_BYTES = 4.5
"""NF4 read (0.5) and 16-bit written and read back (4), for each parameter of a dequantized weight."""
LOSS_BYTES = {"eager": 1e9, "eager-16bit": 1e9, "compiled": 12.0, "chunked": 10.0, "chunked-16bit": 10.0, "fused": 6.0}
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


def interval_group(architecture: Architecture, workload: Workload) -> str:
    """Which spread of errors an estimate carries: mixtures of experts, adapters, offload, or plain dense training."""
    if workload.offload != "none":
        return "offload"
    if workload.trains != "full":
        return "adapters"
    return "experts" if architecture.experts else "dense"


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
    days = workload.run_tokens / made.tokens_per_s / keep / SECONDS_PER_DAY
    gpu_hours = days * HOURS_PER_DAY * hardware.gpus
    r = rates(hardware.accelerator, workload.compute_dtype, software_of(workload))
    low, high = FITTED.intervals[interval_group(architecture, workload)]
    model_flops = training_flops_per_token(architecture, workload)
    efficiency = efficiency_of(per_gpu, alone)
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
        optimizer_s=made.tail_s - made.rollout_s,
        generation_s=made.rollout_s,
        micro_batches=made.micro_batches,
        one_gpu_tokens_per_s=alone,
        overlap_range=Interval(worst, best),
        serial_share=serial_share(efficiency, gpus),
        step_tokens=made.tokens,
        asked_step_tokens=asked_tokens(workload, layout.dp),
    )


def training_flops_per_token(architecture: Architecture, workload: Workload) -> float:
    """FLOPs that training on one token takes, nothing recomputed: what MFU counts.

    One forward and two backward passes; adapters leave the weights frozen, which need no gradient of their own: of a
    product with them the backward pass is one product. Their own products, under 1 %, are not counted.
    """
    forward = forward_flops_per_token(architecture, workload.sequence_length)
    if workload.trains == "full":
        return 3.0 * forward
    return 3.0 * forward - 2.0 * active_elements(architecture).total


def least_days(scenario: Scenario, gpus: int) -> float:
    """Days that a run takes on so many GPUs of the scenario's kind at their data sheet's rate: none is faster."""
    workload = scenario.workload
    r = rates(scenario.hardware.accelerator, workload.compute_dtype, software_of(workload))
    flops = workload.run_tokens * training_flops_per_token(scenario.model.architecture, workload)
    return flops / (r.peak * gpus) / SECONDS_PER_DAY


def efficiency_of(tokens_per_s_gpu: float, alone_tokens_per_s: float) -> float:
    """Per-GPU efficiency: tokens a second of each GPU over those of one of the kind with memory enough, at most 1.

    The baseline is `single_gpu_tokens_per_s`: the same workload, micro-batch and global batch on one GPU, no
    collectives. Whoever shows an efficiency of training shows this.
    """
    return min(1.0, tokens_per_s_gpu / alone_tokens_per_s)


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
    speed = step(architecture, hardware, workload, ONE_GPU).tokens_per_s
    return keep(_alone, key, (workload, accelerator, speed), 256)[2]
