"""What a model's GPUs say to each other: messages, their prices, and those of one forward pass of a serving engine.

One place knows which collectives a layout needs; the speed models and the fabric table only price them.

Serving follows tensor parallelism as Shoeybi et al. 2019 (arXiv 1909.08053, section 3) defined it and engines
run it: one all-reduce behind every mixer and one behind every feed-forward, an all-reduce behind the
vocabulary-parallel embedding and an all-gather of the logits. Pipeline stages pass hidden states on, each
tensor-parallel rank its slice. Experts spread over the tensor-parallel group need no extra message (every rank
holds every token, so the all-reduce merges experts too); experts spread wider, or under data-parallel
attention, need an all-to-all before and one after the experts (Lepikhin et al. 2020, arXiv 2006.16668).

TP ranks are neighbours. Serving engines then count PP, then DP (vLLM's parallel_state: DP x PP x TP); Megatron counts
DP before PP (tp-cp-ep-dp-pp). A message knows how far apart the ranks of its group are, so a price needs no order.
Training: `engine.training.traffic`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

from engine.figures.records import dataclass
from engine.links.collectives import Op, curve, slot_gb_s
from engine.links.curves import Curve
from engine.model.architecture import Architecture, routed_width
from engine.parts.hardware import Link
from engine.scenario import Hardware, Layout

Span = Literal["tp", "pp", "ep", "cp", "dp"]

ACTIVATION_BYTES = 2  # activations and gathered parameters travel in 16 bit


@dataclass(frozen=True, slots=True)
class Message:
    """`count` equal collectives, one after the other, within groups of `ranks`.

    payload_bytes is what nccl-tests calls size: for all_reduce the buffer, for all_gather the gathered and for
    reduce_scatter the whole buffer, for all_to_all what one rank sends in all, for send_recv what is sent. count: a
    mean over pipeline stages where their layers differ. span: which dimension of the layout the group lies along.
    stride: GPUs from one rank of the group to its next. abreast: groups of a node that speak at once; 0: all it has.
    """

    op: Op
    payload_bytes: float
    count: float
    ranks: int
    span: Span
    stride: int = 1
    abreast: int = 0

    @property
    def total_bytes(self) -> float:
        """Payload of all `count` collectives."""
        return self.payload_bytes * self.count

    def within(self, gpus_per_node: int) -> int:
        """How many ranks of one group share a node; 1 when every rank has its own."""
        return max(1, min(self.ranks, gpus_per_node // self.stride))


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


@lru_cache(maxsize=64)
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
        sent = float(tokens * routed_width(arch) * ACTIVATION_BYTES) / tp * max(1, arch.experts_per_token)
        messages.append(Message("all_to_all", sent, 2 * blocks.moe, group, "ep", pp))
    elif spread:
        gathered = hidden_bytes * (group / tp)
        messages.append(Message("all_gather", gathered, blocks.moe, group, "ep", pp))
        messages.append(Message("reduce_scatter", gathered, blocks.moe, group, "ep", pp))
    if pp > 1:
        # hidden state and residual travel together, each tensor-parallel rank its slice; those of one stage speak at once
        messages.append(Message("send_recv", 2 * hidden_bytes / tp, pp - 1, pp, "pp", tp, tp))
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


def curve_of(
    message: Message,
    hardware: Hardware,
    gpus: int,
    *,
    in_engine: bool = False,
    intra: Link | None = None,
    inter: Link | None = None,
) -> Curve:
    """Time of one collective of a message's group by its payload, on a layout of so many GPUs of the hardware.

    intra, inter: other links than the hardware's. Groups of a node that speak at the same time share its network
    cards. A point-to-point message along the pipeline crosses nodes when any neighbours do: the slowest border sets
    the pace.
    """
    per_node = hardware.gpus_per_node
    ranks, within = message.ranks, message.within(per_node)
    if message.op == "send_recv":
        within = 2 if within >= ranks else 1
        ranks = 2
    busy = min(per_node, gpus)
    platform = hardware.platform
    return curve(
        message.op,
        ranks,
        within,
        intra or hardware.intra_link,
        inter or hardware.inter_link,
        in_engine=in_engine,
        peer_access=hardware.accelerator.peer_access,
        groups_per_node=min(message.abreast, busy) if message.abreast else max(1, busy // within),
        nics_per_node=platform.nics if platform is not None and platform.nics else None,
        slot_gb_s=slot_gb_s(hardware.accelerator),
    )


def message_s(
    message: Message,
    layout: Layout,
    hardware: Hardware,
    *,
    in_engine: bool = False,
    intra: Link | None = None,
    inter: Link | None = None,
) -> float:
    """Seconds that one collective of the message takes on that hardware (not times `count`); links as `curve_of`."""
    priced = curve_of(message, hardware, layout.gpus, in_engine=in_engine, intra=intra, inter=inter)
    return priced.seconds(message.payload_bytes)


def communication_s(
    messages: Iterable[Message],
    layout: Layout,
    hardware: Hardware,
    *,
    in_engine: bool = False,
) -> float:
    """Seconds of all messages one after the other, nothing overlapped."""
    return sum(message.count * message_s(message, layout, hardware, in_engine=in_engine) for message in messages)


__all__ = [
    "Message",
    "Span",
    "communication_s",
    "curve_of",
    "decode_traffic",
    "message_s",
    "prefill_traffic",
]
