"""Constants of the training speed model, written by tests/calibration/training_speed.py: do not edit by hand.

matmul.CLASS.DTYPE: share of the class's achievable matrix rate that a tuned step reaches. watt.DTYPE: TFLOP/s
that a watt sustains on cards with graphics memory. tier, elementwise, loss, launch: what the software tier
multiplies (kernel rate, element-wise traffic, bytes a logit, seconds a layer and pass). narrow_width, few_tokens,
misaligned, odd_head: loss of small or crooked matrices. attention.CLASS: share of the 16-bit rate on short sequences,
attention_long.CLASS on endless ones (of kernels measured alone, not fitted). overlap: hidden
share of collectives. The rest: bytes, shares and seconds that engine/training/rates.py, kernels.py and step.py name where they use them.
"""

CONSTANTS: dict[str, float] = {
    "matmul.ampere.bf16": 0.9673,
    "matmul.ampere.fp8": 0.6,
    "matmul.hopper.bf16": 0.8236,
    "matmul.hopper.fp8": 0.918,
    "matmul.blackwell.bf16": 0.65,
    "matmul.blackwell.fp8": 0.7604,
    "matmul.blackwell.nvfp4": 0.4837,
    "matmul.volta.bf16": 1.002,
    "matmul.volta.fp8": 0.5,
    "matmul.gddr.bf16": 1.15,
    "matmul.gddr.fp8": 1.15,
    "matmul.other.bf16": 0.75,
    "matmul.other.fp8": 0.6,
    "watt.bf16": 0.7285,
    "watt.fp8": 1.248,
    "tier.tuned": 1,
    "tier.standard": 0.9116,
    "tier.eager": 0.7745,
    "elementwise.scale": 0.4459,
    "elementwise.tuned": 1,
    "elementwise.standard": 1.43,
    "elementwise.eager": 2.504,
    "loss.tuned": 7.602,
    "loss.standard": 14.15,
    "loss.eager": 24,
    "launch.tuned": 5e-05,
    "launch.standard": 0.00015,
    "launch.eager": 0.0005,
    "narrow_width": 120.2,
    "few_tokens": 171.8,
    "misaligned": 0.4883,
    "odd_head": 3.078,
    "recompute.selective": 0.3034,
    "attention.ampere": 0.4654,
    "attention.hopper": 0.3217,
    "attention.blackwell": 0.5441,
    "attention.volta": 0.3573,
    "attention.gddr": 0.7891,
    "attention.other": 0.45,
    "attention_long.ampere": 0.4634,
    "attention_long.hopper": 0.92,
    "attention_long.blackwell": 1.05,
    "attention_long.volta": 0.3573,
    "attention_long.gddr": 0.7867,
    "attention_long.other": 0.45,
    "unfused_attention": 13.35,
    "quantize": 0.4117,
    "moe.matmul": 0.8527,
    "moe.tokens_half": 199,
    "moe.overhead": 0.0025,
    "moe.permute": 2.841,
    "overlap.tp.tuned": 0.6366,
    "overlap.tp.standard": 0.3,
    "overlap.tp.eager": 0.02,
    "overlap.dp.tuned": 0.6188,
    "overlap.dp.standard": 0.5994,
    "overlap.dp.eager": 0.3341,
    "overlap.ep.tuned": 0.3164,
    "overlap.ep.standard": 0.15,
    "overlap.ep.eager": 0.02,
    "overlap.pp": 0.8592,
    "lora.elementwise": 0.5163,
    "dequantize": 0.7117,
    "optimizer.passes": 1.341,
    "offload.optimizer": 0.4728,
    "offload.exposed": 0.4153,
}

# 80 % interval of tokens/s as factors of the estimate, by kind of run: the spread of the errors on
# frameworks, cards and models that the fit had not seen, half way to that on sources it had nothing of
INTERVALS: dict[str, tuple[float, float]] = {
    "adapters": (0.617, 1.294),
    "dense": (0.666, 1.192),
    "experts": (0.529, 1.394),
    "offload": (0.912, 1.293),
}

# Published runs that the constants are fitted on, and of how many frameworks.
RUNS = 496
FRAMEWORKS = 21
