"""Two kinds of card in one node: what a group of them amounts to.

Tensor, data and expert parallel ranks hold equal shares and wait for each other, so each card counts as the poorest in
every figure (vLLM sizes its KV blocks by the least over its workers: vllm/v1/core/kv_cache_utils.py).
"""

from __future__ import annotations

from dataclasses import replace

from engine.figures.units import MIB
from engine.parts.hardware import Accelerator

_LEAST = (
    "memory_gb_marketed",
    "bandwidth_gb_s",
    "tflops_bf16_dense",
    "tflops_fp16_dense",
    "tflops_fp8_dense",
    "tflops_fp4_dense",
    "tops_int8_dense",
    "measured_tflops_bf16",
    "measured_tflops_fp8",
    "bandwidth_gb_s_under_load",
    "pcie_gen",
    "pcie_lanes",
    "max_gpus_per_node",
)
_BOTH = ("supports_bf16", "supports_fp8", "supports_fp4", "peer_access")


def weakest(cards: tuple[tuple[Accelerator, int], ...]) -> Accelerator:
    """The card that every rank of a mixed node counts as: the least of each figure, and the mean power.

    It carries the id of the card with least bandwidth, whose measured rates then apply, and no price of its own.
    """
    kinds = [card for card, _ in cards]
    base = min(kinds, key=lambda card: card.bandwidth_gb_s)
    change: dict[str, object] = {name: _least([getattr(card, name) for card in kinds]) for name in _LEAST}
    change |= {name: all(getattr(card, name) for card in kinds) for name in _BOTH}
    watts = [card.tdp_w for card in kinds]
    count = sum(number for _, number in cards)
    total = sum((watt or 0.0) * number for watt, (_, number) in zip(watts, cards, strict=True))
    change |= {
        "name": " and ".join(card.name for card in kinds),
        "short_name": " + ".join(card.label for card in kinds),
        "memory_mib_reported": min(card.memory_bytes for card in kinds) // MIB,
        "tdp_w": None if None in watts else total / count,
        "price_usd": None,
        "notes": "every figure is that of the poorer card",
    }
    return replace(base, **change)  # type: ignore[arg-type] # the names are fields, held by the tests


def _least(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return min(known) if len(known) == len(values) else None


def pooled_bytes(cards: tuple[tuple[Accelerator, int], ...]) -> int:
    """Memory of all cards of a mixed node, bytes."""
    return sum(card.memory_bytes * count for card, count in cards)


def pooled_bytes_lost(cards: tuple[tuple[Accelerator, int], ...]) -> int:
    """Memory of a node's larger cards that no equal share reaches, bytes."""
    least = min(card.memory_bytes for card, _ in cards)
    return sum((card.memory_bytes - least) * number for card, number in cards)
