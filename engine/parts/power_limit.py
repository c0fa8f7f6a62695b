"""A card under a power limit below its board's: how much of its arithmetic and of its bandwidth is left.

Of a board's power a share goes to memory, leakage and fans whatever the clock; the rest drives it. Power grows with frequency
times the square of the voltage, and the voltage with the frequency, so that the clock falls with the cube root of what is left
(Horowitz et al. 1994, "Low-power digital design"; the usual law of voltage and frequency scaling); below the lowest voltage it
falls in proportion. Products fall with the clock. Reading memory needs a third of it: decode draws 137 to 300 W of an H200's 700,
so that no usual cap touches it (Ma et al. 2026, arXiv 2605.11999).

The three constants are a rule, after one sweep of six RTX 3090 from 350 down to 100 W under llama.cpp (llmgarage.ai, February 2026):
prompts at 0.94, 0.85, 0.60, 0.26 and 0.14 of the full rate at 300, 250, 200, 150 and 100 W, where the rule says 0.93, 0.85,
0.60, 0.33 and 0.07; tokens at 0.99, 0.97, 0.94, 0.86 and 0.17, where it says 1, 1, 1, 0.86 and 0.17. An RTX 3090 at 280 W keeps over 95 % in
training (Puget Systems 2020; the rule says 90), a GLM-4.5 Air on RTX PRO 6000 99, 95 and 84 % of its mixed load at 360, 300 and 250 of 600 W.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from engine.parts.hardware import Accelerator

FIXED_SHARE = 0.25
"""Of a board's power, what memory, leakage and fans take whatever the clock."""
LEAST_LEFT = 0.02
"""Share of the rest that is left to the clock at the least: a card cannot be limited to less."""
FLOOR_SLOPE = 1.4
"""Clock over the share of power that is left, at the lowest voltage."""
STREAM_SLOPE = 3.6
"""Bandwidth over the share of power that is left: memory is read at full rate from little more than a quarter of it on."""


def left_share(limit_w: float, board_w: float) -> float:
    """Of the power that drives the clock, the share that a limit leaves."""
    return max(LEAST_LEFT, (limit_w / board_w - FIXED_SHARE) / (1.0 - FIXED_SHARE))


def compute_share(left: float) -> float:
    """Of the arithmetic, what is left."""
    by_voltage: float = left ** (1 / 3)
    return min(1.0, by_voltage, FLOOR_SLOPE * left)


def stream_share(left: float) -> float:
    """Of the memory bandwidth, what is left."""
    return min(1.0, STREAM_SLOPE * left)


def _part(rate: float | None, share: float) -> float | None:
    return None if rate is None else rate * share


@lru_cache(maxsize=64)
def limited(card: Accelerator, limit_w: float) -> Accelerator:
    """The card as it computes, reads and draws under a limit; as it is where its board draws no more."""
    if card.tdp_w is None or limit_w >= card.tdp_w:
        return card
    left = left_share(limit_w, card.tdp_w)
    computes, reads = compute_share(left), stream_share(left)
    return replace(
        card,
        tdp_w=limit_w,
        bandwidth_gb_s=card.bandwidth_gb_s * reads,
        bandwidth_gb_s_under_load=_part(card.bandwidth_gb_s_under_load, reads),
        tflops_bf16_dense=_part(card.tflops_bf16_dense, computes),
        tflops_fp16_dense=_part(card.tflops_fp16_dense, computes),
        tflops_fp8_dense=_part(card.tflops_fp8_dense, computes),
        tflops_fp4_dense=_part(card.tflops_fp4_dense, computes),
        tops_int8_dense=_part(card.tops_int8_dense, computes),
        measured_tflops_bf16=_part(card.measured_tflops_bf16, computes),
        measured_tflops_fp8=_part(card.measured_tflops_fp8, computes),
    )
