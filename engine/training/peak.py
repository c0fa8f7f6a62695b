"""The 16-bit rate of a card, where its data sheet says nothing."""

from __future__ import annotations

from engine.parts.hardware import Accelerator

TFLOPS_PER_GB_S = 0.1


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
    return TFLOPS_PER_GB_S * accelerator.bandwidth_gb_s
