"""Fitted constants of the training-memory model; engine/training/memory/peak.py says what each multiplies.

Written by `python -m tests.calibration training_memory --left-out --write` from tests/reference/training_memory.jsonl.
"""

from __future__ import annotations

from typing import Final

# Bytes a logit, eager: fp32 copy, shifted copy and log-softmax.
LOGIT_EAGER: Final = 12.2
# The same without the upcast: four 16-bit copies at most.
LOGIT_EAGER_16BIT: Final = 6.71
# One kernel over fp32 logits, gradient in place, shifted copy.
LOGIT_COMPILED: Final = 8.0
# Upcast inside the kernel too: 16-bit logits and gradient.
LOGIT_COMPILED_WHOLE: Final = 3.25
# 16-bit logits whole, one chunk of the rest at a time.
LOGIT_CHUNKED_16BIT: Final = 1.84
# One chunk of eight at a time: its logits in 16 bits and fp32, and their gradient (not fitted).
LOGIT_CHUNKED: Final = 1.25
# Logits never whole: the output matrix is inside the kernel.
LOGIT_FUSED: Final = 0.05
# Hidden states alive beside the logits.
LOSS_HIDDEN: Final = 3.06
# Hidden sizes a layer keeps for its backward: norms' inputs and outputs.
SAVED_HIDDEN: Final = 3.54
# Widths of Q, K and V a layer keeps: before and after the rotation.
SAVED_QKV: Final = 1.23
# Widths of the feed-forward's inner outputs a layer keeps.
SAVED_MLP: Final = 1.74
# Hidden sizes more while a layer's backward runs: gradients.
BACKWARD_HIDDEN: Final = 2.01
# Feed-forward widths more while a layer's backward runs.
BACKWARD_MLP: Final = 1.6
# Hidden sizes more with unfused norms and rotary embeddings.
UNFUSED_HIDDEN: Final = 3.61
# What an fp32 residual stream makes of a layer's activations (not fitted).
RESIDUAL_FP32: Final = 1.75
# Whole hidden states that tensor parallelism gathers in a layer.
GATHERED_HIDDEN: Final = 5.58
# Bytes that 4-bit kernels of 2023 keep of a projection's input.
QUANTIZED_INPUT: Final = 3.0
# Bytes to unpack one element of the largest matrix, same era.
GPTQ_UNPACK: Final = 19.2
# Bytes an adapter keeps of its input without recomputation: dropout.
ADAPTER_INPUT: Final = 2.37
# GB of DeepSpeed's flat communication buckets.
DEEPSPEED_BUCKETS_GB: Final = 1.46
# Allocator cache over what a step allocates and frees.
CACHE_SHARE: Final = 0.0975
# The same when layers are gathered (two streams).
CACHE_SHARE_GATHERED: Final = 0.25
# Cache over the smaller of the loss and the layer's backward.
CACHE_OTHER_PHASE: Final = 0.887
# Part of the cache that cannot be given back under pressure.
STUCK_SHARE: Final = 0.467
# GB of CUDA context and libraries.
CONTEXT_GB: Final = 0.716
# GB of communicators with more than one rank.
COMMUNICATORS_GB: Final = 0.87
# Share of the reported memory that the driver keeps (not fitted).
DRIVER_SHARE: Final = 0.011
# 80 % interval of observed over predicted on sources that a fit had not seen.
INTERVAL_LOW: Final = 0.954
INTERVAL_HIGH: Final = 1.1
# The same by GPUs and what is trained, with rows of sources that nothing is fitted on.
INTERVALS: Final = {
    "alone.full": (0.951, 1.12),
    "alone.lora": (0.925, 1.11),
    "alone.qlora": (0.926, 1.16),
    "spread.full.fsdp": (0.918, 1.15),
    "spread.full.other": (0.883, 1.52),
    "spread.lora": (0.923, 1.08),
    "spread.qlora": (0.864, 1.09),
}
# Measured peaks that the constants are fitted on, and of how many sources.
RUNS: Final = 272
SOURCES: Final = 17
