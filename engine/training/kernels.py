"""Compute seconds of a micro-batch: its layers forward, backward and forward again, the output matrix and the loss.

Each pass costs its matrix products at the kernel rate of the GPU class, dtype and software tier, attention at its own
rate, and the element-wise traffic between them at memory bandwidth. FLOPs: `engine.model.flops`.
"""

from __future__ import annotations

from engine.figures.records import dataclass
from engine.links.traffic import ACTIVATION_BYTES
from engine.runtimes.frameworks import ACCOUNTS
from engine.scenario import Workload
from engine.scenario.frameworks import attention_of, framework_of, loops_experts, loss_of, modules_of, stops_early
from engine.training.body import Body
from engine.training.rates import Rates, Tier
from engine.training.traffic import ONE_FORWARD

ATTENTION_BACKWARD = 2.5
"""Backward over forward FLOPs of flash attention: five products against two (Dao 2023, section 3.1)."""
TRAFFIC_BACKWARD = 2.0
DEQUANTIZED_BYTES = 4.5
"""NF4 read (0.5) and 16-bit written and read back (4), for each parameter of a dequantized weight."""
LOSS_BYTES = {"eager": 1e9, "eager-16bit": 1e9, "compiled": 12.0, "chunked": 10.0, "chunked-16bit": 10.0, "fused": 6.0}
"""Traffic a logit of the loss kernels: fp32 logits and gradients written and read once each, or kept on chip."""


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
TURN_SHARE = 0.28
"""Launches of one expert's turn over those of a layer: 14 (find, take, two or three products, activation, weight, add) of some 50."""
FETCH_S = 1.5e-3
"""Seconds that fully sharded weights of one module take to be fetched and released where nothing was ordered ahead: hooks in Python,
a gather that is waited for. What is left of the one published step (Qwen3 30B-A3B, 16 A800, 91.2 s; modelscope/ms-swift,
docs/source_en/Megatron-SWIFT/Quick-start.md): 18,432 matrices of experts, three times each."""
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
    routed = 0.0
    if b.routed:
        visits = tokens * b.per_token * max(1.0, ep / tp) / max(1, b.experts)
        width = b.expert_width / (1 if ep > 1 else tp)
        grouped = 1.0 + t.moe_tokens_half / visits + t.narrow_width / max(1.0, width)
        # experts are narrow: of three products two put out their own width, one the hidden size
        tile = TILE.get(r.family, TILE_ELSEWHERE)
        grouped *= (2.0 * tiling(width, tile) + tiling(b.hidden, tile)) / 3.0
        if loops_experts(workload):  # a plain product of one expert's tokens at a time
            grouped = t.moe_matmul * (1.0 + t.narrow_width / max(1.0, width) + t.few_tokens / visits)
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
    share, experts, scores, remade = remakes(b, r, workload)
    # frozen weights need no gradient of their own: the backward pass is one product, not two
    back = 1.0 if adapter else 2.0
    layers = (
        (products - routed) * _often(1.0 + back + share, workload)
        + routed * _often(1.0 + back + experts, workload)
        + attention * _often(1.0 + ATTENTION_BACKWARD + scores, workload)
        + traffic * _often(1.0 + TRAFFIC_BACKWARD + remade, workload)
    )
    passes = _often(2.0 + again, workload)
    if adapter:
        layers += t.lora * passes * ACTIVATION_BYTES * tokens * b.streams_inner / tp / r.memory
    if workload.trains == "qlora":
        layers += t.dequantize * passes * DEQUANTIZED_BYTES * b.held / tp / r.memory
    launch = (t.launch_s * b.layers + _routing_s(b, t, workload) * b.moe_layers) * passes
    if workload.kind == "reward":  # a score in the place of the vocabulary
        return Kernels(layers, 0.0, launch, passes, products, attention, traffic)
    head = 2.0 * tokens * b.head / tp / r.matrix_16bit * shape * _scored(1.0 + back, workload)
    head += tokens * b.vocabulary / tp * min(t.loss_bytes, LOSS_BYTES[loss_of(workload)]) / r.memory
    return Kernels(layers, head, launch, passes, products, attention, traffic)


def _routing_s(b: Body, t: Tier, workload: Workload) -> float:
    """The least that a pass over the experts of a layer takes the host: launches, and under full sharding fetches."""
    if not (b.routed and loops_experts(workload)):
        return t.moe_overhead_s
    fetches = workload.sharding == "zero3" and ACCOUNTS[framework_of(workload).family].gathers_modules
    matrices = b.routed / (b.moe_layers * b.per_token * b.hidden * b.expert_width)
    return b.experts * (t.launch_s * TURN_SHARE + (matrices * FETCH_S if fetches else 0.0))


def remakes(b: Body, r: Rates, workload: Workload) -> tuple[float, float, float, float]:
    """Of a forward pass, what the backward pass computes again: shares of projections, experts, attention, traffic."""
    if workload.recompute != "selective":
        again = 1.0 if workload.recompute == "full" else 0.0
        last = again * b.last / max(1, b.projections) if stops_early(workload) else 0.0
        return again - last, again, again, again
    modules, projections = modules_of(workload), max(1, b.projections)
    if modules == "framework":
        return b.alternate / projections, 1.0, 0.0, r.tier.selective
    names = modules.split("+")
    share = (b.dense * ("mlp" in names) + b.unpacked * ("mla_up_proj" in names)) / projections
    moved = 0.0 if names == ["core_attn"] else r.tier.selective
    return share, float("moe" in names), float("core_attn" in names), moved


def _often(each: float, workload: Workload) -> float:
    """Passes of a micro-batch in units of one forward: each of every model that learns, one of every score."""
    models = workload.trained_models
    return _scored(each if models == 1 else each * (models * ONE_FORWARD), workload)


def _scored(each: float, workload: Workload) -> float:
    passes = workload.scoring_passes
    return each if not passes else each + passes * ONE_FORWARD
