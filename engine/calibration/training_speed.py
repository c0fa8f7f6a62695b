"""Constants of the training speed model, written by tests/calibration/training_speed.py: do not edit by hand.

matmul.CLASS.DTYPE: share of the class's achievable matrix rate that a tuned step reaches. watt.GENERATION.DTYPE:
TFLOP/s that a watt sustains on cards with graphics memory. tier, elementwise, loss, launch: what the software tier
multiplies (kernel rate, element-wise traffic, bytes a logit, seconds a layer and pass). narrow_width, few_tokens,
misaligned, odd_head: loss of small or crooked matrices. attention.CLASS: share of the 16-bit rate on short sequences,
attention_long.CLASS on endless ones (of kernels measured alone, not fitted). overlap: hidden
share of collectives. The rest: bytes, shares and seconds that engine/training/rates.py, kernels.py and step.py name where they use them.
"""

CONSTANTS: dict[str, float] = {
    "matmul.ampere.bf16": 0.9867,
    "matmul.ampere.fp8": 0.6,
    "matmul.hopper.bf16": 0.8117,
    "matmul.hopper.fp8": 0.9022,
    "matmul.blackwell.bf16": 0.65,
    "matmul.blackwell.fp8": 0.783,
    "matmul.blackwell.nvfp4": 0.4961,
    "matmul.volta.bf16": 1.04,
    "matmul.volta.fp8": 0.5,
    "matmul.gddr.bf16": 1.15,
    "matmul.gddr.fp8": 1.15,
    "matmul.other.bf16": 0.75,
    "matmul.other.fp8": 0.6,
    "watt.ada.bf16": 0.6371,
    "watt.ada.fp8": 1.008,
    "watt.blackwell.bf16": 0.8918,
    "watt.blackwell.fp8": 1.467,
    "tier.tuned": 1,
    "tier.standard": 0.8988,
    "tier.eager": 0.7784,
    "elementwise.scale": 0.4714,
    "elementwise.tuned": 1,
    "elementwise.standard": 1.283,
    "elementwise.eager": 2.659,
    "loss.tuned": 7.523,
    "loss.standard": 14.15,
    "loss.eager": 24,
    "launch.tuned": 5e-05,
    "launch.standard": 0.00015,
    "launch.eager": 0.0005,
    "narrow_width": 114.4,
    "few_tokens": 183,
    "misaligned": 0.4686,
    "odd_head": 3.052,
    "recompute.selective": 0.2977,
    "attention.ampere": 0.4621,
    "attention.hopper": 0.4498,
    "attention.blackwell": 0.588,
    "attention.volta": 0.3609,
    "attention.gddr": 0.7918,
    "attention.other": 0.45,
    "attention_long.ampere": 0.4634,
    "attention_long.hopper": 0.92,
    "attention_long.blackwell": 1.05,
    "attention_long.volta": 0.3573,
    "attention_long.gddr": 0.7867,
    "attention_long.other": 0.45,
    "unfused_attention": 12.22,
    "quantize": 0.3941,
    "moe.matmul": 0.7614,
    "moe.tokens_half": 196.9,
    "moe.overhead": 0.0025,
    "moe.permute": 2.564,
    "overlap.tp.tuned": 0.6631,
    "overlap.tp.standard": 0.02,
    "overlap.tp.eager": 0.02,
    "overlap.dp.tuned": 0.6791,
    "overlap.dp.standard": 0.7092,
    "overlap.dp.eager": 0.333,
    "overlap.ep.tuned": 0.3241,
    "overlap.ep.standard": 0.15,
    "overlap.ep.eager": 0.02,
    "overlap.pp": 0.8933,
    "lora.elementwise": 0.5238,
    "dequantize": 0.7256,
    "optimizer.passes": 1.354,
    "offload.optimizer": 0.4763,
    "offload.exposed": 0.3912,
    "spread": 0.015,
}

# 80 % interval of tokens/s as factors of the estimate, by kind of run: the spread of the errors on every published
# run whose source the constants had not seen, a source of n rows with the square root of n votes
INTERVALS: dict[str, tuple[float, float]] = {
    "adapters": (0.806, 1.164),
    "dense": (0.75, 1.299),
    "experts": (0.665, 1.36),
    "offload": (0.951, 1.371),
}

# Published runs that the constants are fitted on, and of how many frameworks.
RUNS = 496
FRAMEWORKS = 21
