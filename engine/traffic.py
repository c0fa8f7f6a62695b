"""What a model's GPUs say to each other: the messages of one forward pass or one training step.

One place knows which collectives a layout needs; the speed models and the fabric table only price them.

Serving follows tensor parallelism as Shoeybi et al. 2019 (arXiv 1909.08053, section 3) defined it and engines
run it: one all-reduce behind every mixer and one behind every feed-forward, an all-reduce behind the
vocabulary-parallel embedding and an all-gather of the logits. Pipeline stages pass hidden states on, each
tensor-parallel rank its slice. Experts spread over the tensor-parallel group need no extra message (every rank
holds every token, so the all-reduce merges experts too); experts spread wider, or under data-parallel
attention, need an all-to-all before and one after the experts (Lepikhin et al. 2020, arXiv 2006.16668).

Training follows ZeRO (Rajbhandari et al. 2019, arXiv 1910.02054, section 7: 2 psi elements a step up to stage
2, 3 psi at stage 3) and Megatron's sequence parallelism (Korthikanti et al. 2022, arXiv 2205.05198, section
4.2: an all-reduce becomes a reduce-scatter and an all-gather of the same bytes).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from engine.architecture import Architecture
from engine.collectives import Op, collective_s
from engine.hardware import Link
from engine.parameters import count_parameters
from engine.scenario import Hardware, Layout, Sharding, Workload
from engine.training_memory.elements import adapter_widths

Span = Literal["tp", "pp", "ep", "dp"]
Order = Literal["serving", "training"]

ACTIVATION_BYTES = 2  # activations and gathered parameters travel in 16 bit
NF4_BYTES = 4.127 / 8  # QLoRA's frozen parameters travel quantized (Dettmers et al. 2023, arXiv 2305.14314)


@dataclass(frozen=True, slots=True)
class Message:
    """`count` equal collectives, one after the other, within groups of `ranks`.

    payload_bytes is what nccl-tests calls size: for all_reduce the buffer, for all_gather the gathered and for
    reduce_scatter the whole buffer, for all_to_all what one rank sends in all, for send_recv what is sent.
    span: which dimension of the layout the group lies along.
    """

    op: Op
    payload_bytes: float
    count: int
    ranks: int
    span: Span

    @property
    def total_bytes(self) -> float:
        """Payload of all `count` collectives."""
        return self.payload_bytes * self.count


@dataclass(frozen=True, slots=True)
class _Blocks:
    """How many mixers and feed-forwards of each kind a model has."""

    mixers: int
    dense: int
    moe: int


@lru_cache(maxsize=512)
def _blocks(arch: Architecture) -> _Blocks:
    mixers = dense = moe = 0
    for layer, count in arch.layer_runs():
        mixers += count * (layer.mixer != "none")
        dense += count * (layer.ffn == "dense")
        moe += count * (layer.ffn == "moe")
    return _Blocks(mixers, dense, moe)


@lru_cache(maxsize=4096)
def _forward(
    arch: Architecture, tp: int, pp: int, dp: int, ep: int, dp_attention: bool, tokens: int, sampled: int
) -> tuple[Message, ...]:
    blocks = _blocks(arch)
    hidden_bytes = float(tokens * arch.hidden_size * ACTIVATION_BYTES)
    messages: list[Message] = []
    # data-parallel attention: every rank (dp 1, SGLang's form) or every TP group (vLLM's) has its own tokens
    attention_tp = 1 if dp_attention and dp == 1 else tp
    group = tp * dp if dp_attention else tp
    spread = blocks.moe > 0 and group > attention_tp
    if tp > 1:
        reduced = blocks.dense + (0 if spread else blocks.moe) + (blocks.mixers + 1 if attention_tp > 1 else 0)
        if reduced:
            messages.append(Message("all_reduce", hidden_bytes, reduced, tp, "tp"))
        if attention_tp > 1:
            logits = float(sampled * arch.vocab_size * ACTIVATION_BYTES)
            messages.append(Message("all_gather", logits, 1, tp, "tp"))
    if spread and ep > 1:
        # each rank dispatches its part of the tokens to their experts' ranks, then gets them back
        sent = hidden_bytes / tp * max(1, arch.experts_per_token)
        messages.append(Message("all_to_all", sent, 2 * blocks.moe, group, "ep"))
    elif spread:
        gathered = hidden_bytes * (group / tp)
        messages.append(Message("all_gather", gathered, blocks.moe, group, "ep"))
        messages.append(Message("reduce_scatter", gathered, blocks.moe, group, "ep"))
    if pp > 1:
        # hidden state and residual travel together, each tensor-parallel rank its slice
        messages.append(Message("send_recv", 2 * hidden_bytes / tp, pp - 1, pp, "pp"))
        if attention_tp > 1:
            messages.append(Message("all_gather", 2 * hidden_bytes, pp - 1, tp, "tp"))
    return tuple(messages)


def decode_traffic(arch: Architecture, layout: Layout, batch_per_replica: int) -> tuple[Message, ...]:
    """Messages of one decode step of one replica, along the way of its tokens through all stages.

    batch_per_replica: sequences that take the step together in one of the layout's dp replicas (under
    pipeline parallelism: the sequences of one batch in flight, not of all of them).
    """
    batch = max(1, batch_per_replica)
    return _forward(arch, layout.tp, layout.pp, layout.dp, layout.ep, layout.dp_attention, batch, batch)


def prefill_traffic(
    arch: Architecture, layout: Layout, tokens_per_replica: int, sequences: int = 1
) -> tuple[Message, ...]:
    """Messages of one forward pass over `tokens_per_replica` prompt tokens of `sequences` prompts."""
    tokens = max(1, tokens_per_replica)
    sampled = max(1, sequences)
    return _forward(arch, layout.tp, layout.pp, layout.dp, layout.ep, layout.dp_attention, tokens, sampled)


def training_traffic(
    arch: Architecture,
    layout: Layout,
    tokens_per_micro_batch: int,
    *,
    micro_batches: int = 1,
    sharding: Sharding = "zero3",
    parameters: float,
    trainable_parameters: float | None = None,
    recompute: bool = True,
    gradient_bytes: int = 2,
    parameter_bytes: float = 2.0,
) -> tuple[Message, ...]:
    """Messages of one optimizer step of one model replica.

    tokens_per_micro_batch: tokens that one data-parallel rank takes through at once. parameters: of the whole
    model; each rank of tp x pp holds its part. trainable_parameters: what has gradients (adapters for LoRA),
    all of them when None. recompute: full activation recomputation repeats the forward messages.
    gradient_bytes, parameter_bytes: width in which gradients are reduced and parameters are gathered.

    Tensor parallelism: two all-reduces a layer forward, two backward, and two more when recomputed; with
    sequence parallelism they become reduce-scatter and all-gather pairs that take as long. Pipeline: each
    stage border once forward and once backward a micro-batch. Data parallel: ddp all-reduces the gradients;
    zero1 and zero2 reduce-scatter them and all-gather the parameters; zero3 gathers the parameters forward
    and backward in every micro-batch, layer by layer, and reduce-scatters the gradients in every one.
    """
    tp, pp, dp, ep = layout.tp, layout.pp, layout.dp, layout.ep
    trainable = parameters if trainable_parameters is None else trainable_parameters
    blocks = _blocks(arch)
    hidden_bytes = float(tokens_per_micro_batch * arch.hidden_size * ACTIVATION_BYTES)
    passes = 3 if recompute else 2
    messages: list[Message] = []
    stage_layers = max(1, -(-len(arch.layers) // pp))
    share = stage_layers / max(1, len(arch.layers))
    spread = blocks.moe > 0 and ep > 1
    if tp > 1:
        per_pass = blocks.mixers + blocks.dense + (0 if spread else blocks.moe)
        count = max(1, round(per_pass * share)) * passes * micro_batches
        messages.append(Message("all_reduce", hidden_bytes, count, tp, "tp"))
    if spread:
        sent = hidden_bytes / tp * max(1, arch.experts_per_token)
        count = 2 * max(1, round(blocks.moe * share)) * passes * micro_batches
        messages.append(Message("all_to_all", sent, count, ep, "ep"))
    if pp > 1:
        messages.append(Message("send_recv", hidden_bytes / tp, 2 * micro_batches, pp, "pp"))
    if dp > 1:
        held = parameters / (tp * pp)
        gradients = trainable / (tp * pp) * gradient_bytes
        if sharding == "ddp":
            # buckets of 25 MB, the default of PyTorch's DistributedDataParallel
            buckets = max(1, round(gradients / 25e6))
            messages.append(Message("all_reduce", gradients / buckets, buckets, dp, "dp"))
        elif sharding in ("zero1", "zero2"):
            messages.append(Message("reduce_scatter", gradients / stage_layers, stage_layers, dp, "dp"))
            moved = trainable / (tp * pp) * parameter_bytes
            messages.append(Message("all_gather", moved / stage_layers, stage_layers, dp, "dp"))
        else:
            gathered = held * parameter_bytes / stage_layers
            messages.append(Message("all_gather", gathered, 2 * stage_layers * micro_batches, dp, "dp"))
            messages.append(Message("reduce_scatter", gradients / stage_layers, stage_layers * micro_batches, dp, "dp"))
    return tuple(messages)


@lru_cache(maxsize=1024)
def workload_traffic(arch: Architecture, work: Workload, layout: Layout) -> tuple[Message, ...]:
    """Messages of one optimizer step of a training workload; see `training_traffic`."""
    parameters = float(count_parameters(arch).total)
    trainable = parameters
    if work.kind in ("lora", "qlora"):
        widths = adapter_widths(arch, work.lora_targets, layout.tp, layout.pp, layout.ep)
        trainable = float(max(widths) * work.lora_rank * layout.tp * layout.pp)
    tokens = work.micro_batch * work.sequence_length
    micro_batches = work.gradient_accumulation or max(1, round(work.global_batch_tokens / (tokens * max(1, layout.dp))))
    return training_traffic(
        arch,
        layout,
        tokens,
        micro_batches=micro_batches,
        sharding=work.sharding,
        parameters=parameters,
        trainable_parameters=trainable,
        recompute=work.recompute == "full",
        parameter_bytes=NF4_BYTES if work.kind == "qlora" else ACTIVATION_BYTES,
    )


def ranks_per_node(layout: Layout, span: Span, gpus_per_node: int, order: Order = "serving") -> int:
    """How many ranks of one group of that span share a node; 1 when every rank has its own.

    TP ranks are neighbours in both orders. Serving engines then count PP, then DP (vLLM's
    parallel_state: DP x PP x TP); Megatron counts DP before PP (tp-cp-ep-dp-pp).
    """
    tp, pp, dp = layout.tp, layout.pp, layout.dp
    if span == "tp":
        return max(1, min(tp, gpus_per_node))
    if span == "ep":
        within = gpus_per_node if order == "training" else max(1, gpus_per_node // pp)
        return max(1, min(tp * dp, within))
    if span == "pp":
        stride = tp if order == "serving" else tp * dp
        return max(1, min(pp, gpus_per_node // stride))
    stride = tp * pp if order == "serving" else tp
    return max(1, min(dp, gpus_per_node // stride))


def message_s(
    message: Message,
    layout: Layout,
    hardware: Hardware,
    *,
    order: Order = "serving",
    in_engine: bool = False,
    intra: Link | None = None,
    inter: Link | None = None,
) -> float:
    """Seconds that one collective of the message takes on that hardware (not times `count`).

    intra, inter: other links than the hardware's. Groups of a node that speak at the same time share its
    network cards. A point-to-point message along the pipeline crosses nodes when any neighbours do: the
    slowest border sets the pace.
    """
    accelerator = hardware.accelerator
    within = ranks_per_node(layout, message.span, hardware.gpus_per_node, order)
    ranks = message.ranks
    if message.op == "send_recv":
        crosses = within < ranks
        ranks, within = 2, (1 if crosses else 2)
    groups = _groups_per_node(layout, message, hardware.gpus_per_node, within, order)
    return collective_s(
        message.op,
        message.payload_bytes,
        ranks,
        within,
        intra or hardware.intra_link,
        inter or hardware.inter_link,
        in_engine=in_engine,
        accelerator_id=accelerator.id,
        peer_access=accelerator.peer_access,
        groups_per_node=groups,
        nics_per_node=_nics(hardware),
    )


def communication_s(
    messages: Iterable[Message],
    layout: Layout,
    hardware: Hardware,
    *,
    order: Order = "serving",
    in_engine: bool = False,
) -> float:
    """Seconds of all messages one after the other, nothing overlapped."""
    return sum(
        message.count * message_s(message, layout, hardware, order=order, in_engine=in_engine) for message in messages
    )


def _groups_per_node(layout: Layout, message: Message, gpus_per_node: int, within: int, order: Order) -> int:
    busy = min(gpus_per_node, layout.gpus)
    if message.op == "send_recv":
        # at a border between nodes the tensor-parallel ranks of one stage speak together
        return max(1, min(layout.tp if order == "serving" else layout.tp * layout.dp, busy))
    return max(1, busy // max(1, within))


def _nics(hardware: Hardware) -> int | None:
    platform = hardware.platform
    return platform.nics if platform is not None and platform.nics else None


__all__ = [
    "Message",
    "Order",
    "Span",
    "communication_s",
    "decode_traffic",
    "message_s",
    "prefill_traffic",
    "ranks_per_node",
    "training_traffic",
    "workload_traffic",
]
