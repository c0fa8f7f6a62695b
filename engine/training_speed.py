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
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from engine.architecture import Architecture
from engine.calibration import training_speed as fit
from engine.collectives import Op, curve
from engine.flops import active_elements, attention_flops_per_token, forward_flops_per_token
from engine.hardware import Accelerator
from engine.scenario import Hardware, Layout, Scenario, Software, Workload
from engine.sizing import Interval, Memory, Training
from engine.traffic import ranks_per_node
from engine.units import GB, SECONDS_PER_DAY, SECONDS_PER_HOUR, TERA

ACTIVATION_BYTES = 2
OVERLAP_RANGE = (0.0, 0.86)
"""What in-node overlap measures from worst to best: reference/README.md, training speed."""


@dataclass(frozen=True, slots=True, eq=False)
class Constants:
    """The fitted constants, looked up by dotted name; compared by identity so that caches can key on them."""

    values: Mapping[str, float]
    interval: tuple[float, float]

    def __getitem__(self, name: str) -> float:
        return self.values[name]


FITTED = Constants(fit.CONSTANTS, fit.INTERVAL)


@dataclass(frozen=True, slots=True)
class Body:
    """Sums over a model at one sequence length. Elements are matrix elements that a token meets.

    narrow: mean width of the matrices that tensor parallelism splits. streams: element-wise elements a token and
    layer-set that every rank repeats (hidden) and that tensor parallelism splits (inner). held: all parameters
    of the blocks, experts: the routed ones of them, outer: embedding and head.
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
    inner: float
    head_dim: int
    expert_width: int
    vocabulary: int
    experts: int
    per_token: int
    held: int
    expert_parameters: int
    outer: int
    tied: bool

    @property
    def parameters(self) -> int:
        """All parameters, without vision towers and MTP layers."""
        return self.held + self.outer


@lru_cache(maxsize=4096)
def body(architecture: Architecture, sequence_length: int) -> Body:
    """The sums of a model at a sequence length. Cached."""
    active = active_elements(architecture)
    moe_layers = hidden_streams = inner_streams = held = experts = 0
    pairs = widths = 0.0
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
        widths += count * inner
        if layer.ffn == "moe":
            moe_layers += count
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
        inner=widths / max(1, layers) / 5,
        head_dim=architecture.head_dim,
        expert_width=architecture.expert_intermediate_size,
        vocabulary=architecture.vocab_size,
        experts=architecture.experts,
        per_token=max(1, architecture.experts_per_token),
        held=held,
        expert_parameters=experts,
        outer=outer,
        tied=architecture.tied,
    )


@dataclass(frozen=True, slots=True)
class Rates:
    """What one GPU does a second for one dtype and software tier: FLOPs by kind, bytes, seconds of a launch."""

    family: str
    dtype: str
    matrix: float
    matrix_16bit: float
    attention: float
    memory: float
    host: float
    peak: float


# Sustained matrix rate over the data sheet's, where nobody measured the part: MAMF sweeps of
# stas00/ml-engineering (compute/accelerator), as carried by measured_tflops_* in the catalog, give 0.75 to 0.9.
UNMEASURED_MATRIX_SHARE = 0.85
# Streams reach this share of peak memory bandwidth: babelstream-class figures of the parts lie at 0.85 to 0.93.
MEMORY_SHARE = 0.85
HOST_SHARE = 0.85
PCIE_GB_S_PER_LANE = {3: 0.985, 4: 1.969, 5: 3.938, 6: 7.563}


def gpu_family(accelerator: Accelerator) -> str:
    """The class of a GPU by its kernels: ampere, hopper, blackwell, volta, geforce (GDDR parts) or other."""
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
        return "geforce"
    if capability.startswith("10") or "blackwell" in name or "rubin" in name:
        return "blackwell"
    return "geforce"


_rates: dict[tuple[int, str, str, int], tuple[Accelerator, Constants, Rates]] = {}


def rates(
    accelerator: Accelerator, compute_dtype: str, software: Software, constants: Constants = FITTED
) -> Rates:
    """Rates of one GPU. A dtype that it has no matrix units for runs at its 16-bit rate."""
    key = (id(accelerator), compute_dtype, software, id(constants))
    known = _rates.get(key)
    if known is not None:
        return known[2]
    family = gpu_family(accelerator)
    sixteen = accelerator.tflops_bf16_dense or accelerator.tflops_fp16_dense or 1.0
    if not accelerator.supports_bf16 and accelerator.tflops_fp16_dense:
        sixteen = accelerator.tflops_fp16_dense
    best = accelerator.measured_tflops_bf16 or sixteen * UNMEASURED_MATRIX_SHARE
    tier = constants[f"tier.{software}"]
    sixteen_rate = best * tier * constants[f"matmul.{family}.bf16"] * TERA
    dtype, peak, matrix = "bf16", sixteen, sixteen_rate
    eight, four = accelerator.tflops_fp8_dense, accelerator.tflops_fp4_dense
    if compute_dtype == "nvfp4" and not (accelerator.supports_fp4 and four):
        compute_dtype = "fp8"
    if compute_dtype == "fp8" and accelerator.supports_fp8 and eight:
        dtype, peak = "fp8", eight
    elif compute_dtype == "nvfp4" and four:
        dtype, peak = "nvfp4", four
    if dtype != "bf16":
        share = constants.values.get(f"matmul.{family}.{dtype}")
        if share is None:
            share = constants[f"matmul.{family}.bf16"] * 0.75
        matrix = peak * UNMEASURED_MATRIX_SHARE * tier * share * TERA
    lanes = (accelerator.pcie_lanes or 16) * PCIE_GB_S_PER_LANE.get(accelerator.pcie_gen or 4, 1.969)
    made = Rates(
        family=family,
        dtype=dtype,
        matrix=matrix,
        matrix_16bit=sixteen_rate,
        attention=best * tier * constants[f"attention.{family}"] * TERA,
        memory=accelerator.bandwidth_gb_s * MEMORY_SHARE * GB,
        host=(accelerator.cpu_link_gb_s_unidir or lanes) * HOST_SHARE * GB,
        peak=peak * TERA,
    )
    _rates[key] = (accelerator, constants, made)
    return made


@dataclass(frozen=True, slots=True)
class Step:
    """One optimizer step in seconds. compute_s: kernels of the busiest GPU. exposed: what communication adds.

    communication_s counts every collective, hidden or not. bubble_s: idle pipeline time. tail_s: optimizer and
    offload.
    """

    seconds: float
    tokens: float
    compute_s: float
    communication_s: float
    exposed_s: float
    bubble_s: float
    tail_s: float
    micro_batches: int
    model_flops: float
    tp_s: float = 0.0
    dp_s: float = 0.0
    ep_s: float = 0.0
    pp_s: float = 0.0


def alignment(width: float) -> float:
    """Share of the matrix rate that a dimension allows: tensor cores want multiples of 64 elements.

    NVIDIA, Matrix Multiplication Background User's Guide, tile quantization; 0 loss at 64, most below 8.
    """
    whole = int(width)
    if whole % 64 == 0:
        return 0.0
    return 0.3 if whole % 32 == 0 else 0.6 if whole % 16 == 0 else 1.0


def step(
    architecture: Architecture,
    hardware: Hardware,
    workload: Workload,
    layout: Layout,
    constants: Constants = FITTED,
) -> Step:
    """Time of one optimizer step on a build in one layout, with the global batch that the workload asks.

    Where the batch has fewer micro-batches than replicas, every replica still runs one: the batch is then larger.
    """
    c = constants
    accelerator = hardware.accelerator
    software = workload.software
    s = workload.sequence_length
    b = body(architecture, s)
    r = rates(accelerator, workload.compute_dtype, software, c)
    tp, pp, dp, ep = layout.tp, layout.pp, layout.dp, layout.ep
    cp = max(1, min(workload.context_parallel, dp))
    tokens = workload.micro_batch * s / cp
    replicas = dp / cp
    if workload.gradient_accumulation is not None:
        micro_batches = max(1, workload.gradient_accumulation)
    else:
        micro_batches = max(1, round(workload.global_batch_tokens / (s * workload.micro_batch * replicas)))
    adapter = workload.kind in ("lora", "qlora")
    full = workload.recompute == "full"

    # kernels of one micro-batch over all layers, forward
    width = min(b.hidden, b.inner) / tp
    shape = 1.0 + c["narrow_width"] / max(1.0, width) + c["few_tokens"] / tokens
    shape *= 1.0 + c["misaligned"] * alignment(b.hidden / tp)
    products = 2.0 * tokens * b.projections / tp / r.matrix * shape
    if b.routed:
        visits = tokens * b.per_token * max(1, min(ep, b.experts)) / max(1, b.experts)
        grouped = (
            1.0
            + c["moe.tokens_half"] / visits
            + c["narrow_width"] / max(1, b.expert_width / (1 if ep > 1 else tp))
        )
        products += 2.0 * tokens * b.routed / tp / (r.matrix * c["moe.matmul"]) * grouped
    attention = tokens * b.attention_flops / tp / r.attention
    if b.head_dim % 8:
        attention *= 3.0
    moved = b.streams_hidden + b.streams_inner / tp
    moved *= c["elementwise.scale"] * c[f"elementwise.{software}"]
    if r.dtype != "bf16":
        moved += c["quantize"] * b.streams_inner / tp
    if b.moe_layers:
        moved += c["moe.permute"] * b.permuted / tp
    if not workload.flash_attention:
        moved += 6 * b.score_pairs * 2 / tp
    traffic = 2.0 * tokens * moved / r.memory
    head = 2.0 * tokens * b.head / tp / r.matrix_16bit * shape
    loss = tokens * b.vocabulary / tp * c[f"loss.{software}"] / r.memory
    if adapter:
        # frozen weights need no gradient: the backward pass is one product, not two
        back_products, back_attention, back_traffic = 1.0, 2.5, 2.0
        traffic += c["lora.elementwise"] * 2.0 * tokens * b.streams_inner / tp / r.memory
    else:
        back_products, back_attention, back_traffic = 2.0, 2.5, 2.0
    again = 1.0 if full else 0.0
    passes = 2.0 + again
    layers_s = (
        products * (1 + back_products + again)
        + attention * (1 + back_attention + again)
        + traffic * (1 + back_traffic + again)
    )
    if workload.kind == "qlora":
        layers_s += passes * (b.held / tp) * 4.5 * c["dequantize"] / r.memory
    launches = c[f"launch.{software}"] * b.layers * passes / 2
    if b.moe_layers:
        launches += c["moe.overhead"] * b.moe_layers * passes
    head_s = head * (1 + back_products) + loss

    # a stage: the busiest one sets the pace
    stage = -(-b.layers // pp) / b.layers if b.layers else 1.0
    chunks = 1
    if pp > 1 and workload.pipeline_schedule == "interleaved":
        chunks = max(1, min(workload.virtual_stages or 2, -(-b.layers // pp)))
    kernels = max(layers_s, launches) * stage
    if pp == 1:
        kernels += head_s
    else:
        # the last stage also runs the head: planners give it fewer layers where they can
        mean = (layers_s + head_s) / pp
        kernels = max(mean, kernels) if software == "tuned" else kernels + head_s / pp

    # collectives on the path of a micro-batch
    per_node = hardware.gpus_per_node
    tp_s = ep_s = pp_s = 0.0
    hidden_bytes = tokens * b.hidden * ACTIVATION_BYTES
    if tp > 1:
        one = _collective(hardware, layout, "all_reduce", hidden_bytes, tp, min(tp, per_node))
        tp_s = one * 2 * b.layers * stage * passes
    if ep > 1 and b.moe_layers:
        sent = hidden_bytes / tp * b.per_token
        one = _collective(
            hardware, layout, "all_to_all", sent, ep, ranks_per_node(layout, "ep", per_node, "training")
        )
        ep_s = one * 2 * b.moe_layers * stage * passes
    if cp > 1:
        # keys and values travel round the ring of context ranks, hidden behind attention but for the first hop
        one = _collective(
            hardware, layout, "all_gather", hidden_bytes * cp / 4, cp, min(cp, max(1, per_node // tp))
        )
        ep_s += one * b.layers * stage * passes
    if pp > 1:
        within = ranks_per_node(layout, "pp", per_node, "training")
        one = _collective(hardware, layout, "send_recv", hidden_bytes / tp, 2, 2 if within >= pp else 1)
        pp_s = one * 2 * chunks
    pinned = workload.overlap
    hide_tp = c[f"overlap.tp.{software}"] if pinned is None else pinned
    hide_ep = c[f"overlap.ep.{software}"] if pinned is None else pinned
    exposed_each = tp_s * (1 - hide_tp) + ep_s * (1 - hide_ep) + pp_s * (1 - c["overlap.pp"])
    each = kernels + exposed_each
    busy = each * micro_batches
    bubble = each * (pp - 1) / chunks if pp > 1 else 0.0

    # gradients and sharded parameters beside it
    hide = c[f"overlap.dp.{software}"] if pinned is None else pinned
    ranks = dp
    bytes_of_weight = 0.53 if workload.kind == "qlora" else 2.0
    dense_held = (b.held - b.expert_parameters) / tp / pp + b.outer / tp / pp
    expert_held = b.expert_parameters / max(tp, ep if ep > 1 else tp) / pp
    local = dense_held + expert_held
    trainable = adapter_parameters(b, workload.lora_rank) / tp / pp if adapter else local
    dp_s = 0.0
    within = ranks_per_node(layout, "dp", per_node, "training")
    window = busy
    if ranks > 1:
        expert_ranks = max(1, ranks // ep)
        if workload.sharding == "zero3":
            node_group = workload.sharding_group == "node" and ranks > within
            group = within if node_group else ranks
            gather = 0.0
            if group > 1:
                gather = _gather(
                    hardware, layout, "all_gather", dense_held * bytes_of_weight, group, within, b.layers / pp
                )
                if expert_held and expert_ranks > 1:
                    gather += _gather(
                        hardware,
                        layout,
                        "all_gather",
                        expert_held * bytes_of_weight,
                        min(group, expert_ranks),
                        min(within, expert_ranks),
                        b.layers / pp,
                    )
            scatter = gather * trainable / local * 2.0 / bytes_of_weight
            dp_s = (2.0 * gather + scatter) * micro_batches
            if node_group:
                share = trainable * 2.0 / group
                dp_s += _collective(hardware, layout, "all_reduce", share, ranks // within, 1)
        else:
            gradients = trainable * 2.0
            if workload.sharding == "ddp":
                dp_s = _collective(hardware, layout, "all_reduce", gradients, ranks, within)
            else:
                dp_s = _collective(hardware, layout, "reduce_scatter", gradients, ranks, within)
                dp_s += _collective(hardware, layout, "all_gather", gradients, ranks, within)
            window = each if workload.sharding != "zero2" else busy
    exposed_dp = max(dp_s * (1 - hide), dp_s - 0.9 * window)

    # the optimizer, and what offload moves over the host's link
    sharded = 1 if workload.sharding == "ddp" else ranks
    owned = trainable / sharded
    tail = owned * 28.0 * c["optimizer.passes"] / r.memory
    if workload.offload != "none":
        tail = owned * 16.0 / r.host
        if workload.offload == "parameters":
            exposed_dp += max(0.0, local * bytes_of_weight * passes * micro_batches / r.host - 0.5 * busy)
    total = busy + bubble + exposed_dp + tail
    return Step(
        seconds=total,
        tokens=micro_batches * workload.micro_batch * s * replicas,
        compute_s=kernels * micro_batches,
        communication_s=(tp_s + ep_s + pp_s) * micro_batches + dp_s,
        exposed_s=exposed_each * micro_batches + exposed_dp,
        bubble_s=bubble,
        tail_s=tail,
        micro_batches=micro_batches,
        model_flops=3.0 * forward_flops_per_token(architecture, s),
        tp_s=tp_s * micro_batches,
        dp_s=dp_s,
        ep_s=ep_s * micro_batches,
        pp_s=pp_s * micro_batches,
    )


def adapter_parameters(b: Body, rank: int) -> float:
    """Trainable parameters of LoRA adapters on every linear layer: rank times both widths of each."""
    return rank * (b.streams_inner / 2 + 5 * b.hidden * b.layers)


def _collective(
    hardware: Hardware, layout: Layout, op: Op, payload_bytes: float, ranks: int, within: int
) -> float:
    if ranks <= 1:
        return 0.0
    busy = min(hardware.gpus_per_node, layout.gpus)
    platform = hardware.platform
    return curve(
        op,
        ranks,
        max(1, within),
        hardware.intra_link,
        hardware.inter_link,
        peer_access=hardware.accelerator.peer_access,
        groups_per_node=max(1, busy // max(1, within)),
        nics_per_node=platform.nics if platform is not None and platform.nics else None,
    ).seconds(payload_bytes)


def _gather(
    hardware: Hardware, layout: Layout, op: Op, payload_bytes: float, ranks: int, within: int, pieces: float
) -> float:
    pieces = max(1.0, pieces)
    return pieces * _collective(hardware, layout, op, payload_bytes / pieces, ranks, min(within, ranks))


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


def training_speed(scenario: Scenario, layout: Layout, memory: Memory) -> Training:
    """Speed, length and efficiency of a training run on the scenario's build in one layout."""
    hardware, workload = scenario.hardware, scenario.workload
    architecture = scenario.model.architecture
    made = step(architecture, hardware, workload, layout)
    gpus = layout.gpus
    total = made.tokens / made.seconds
    per_gpu = total / gpus
    alone = single_gpu_tokens_per_s(architecture, hardware, workload)
    keep = goodput(hardware, body(architecture, workload.sequence_length).parameters)
    seconds = workload.total_tokens / total / keep
    days = seconds / SECONDS_PER_DAY
    r = rates(hardware.accelerator, workload.compute_dtype, workload.software)
    low, high = FITTED.interval
    hourly = scenario.money.usd_per_gpu_hour
    gpu_hours = days * 24 * hardware.gpus
    return Training(
        step_s=made.seconds,
        tokens_per_s_gpu=per_gpu,
        tokens_per_s_total=total,
        mfu=per_gpu * made.model_flops / r.peak,
        days=days,
        gpu_hours=gpu_hours,
        peak_bytes=memory.peak_bytes,
        efficiency=min(1.0, per_gpu / alone),
        interval=Interval(per_gpu * low, per_gpu * high),
        flops_per_token=made.model_flops,
        achieved_tflops=per_gpu * made.model_flops / TERA,
        compute_s=made.compute_s,
        communication_s=made.communication_s,
        exposed_communication_s=made.exposed_s,
        bubble_share=made.bubble_s / made.seconds,
        cost_usd=gpu_hours * hourly if hourly is not None else None,
        meets_deadline=None if workload.deadline_days is None else days <= workload.deadline_days,
        goodput=keep,
    )


ONE_GPU = Layout()


def single_gpu_tokens_per_s(architecture: Architecture, hardware: Hardware, workload: Workload) -> float:
    """Tokens a second of one GPU of the kind with memory enough for everything: the baseline of efficiency."""
    made = step(architecture, hardware, workload, ONE_GPU)
    return made.tokens / made.seconds
