"""Constants of the training speed model, written by tests/calibration/training_speed.py: do not edit by hand.

matmul.CLASS.DTYPE: share of the class's achievable matrix rate that a tuned step reaches. watt.GENERATION.DTYPE:
TFLOP/s that a watt sustains on cards with graphics memory. tier, elementwise, loss, launch: what the software tier
multiplies (kernel rate, element-wise traffic, bytes a logit, seconds a layer and pass). narrow_width, few_tokens,
misaligned, odd_head: loss of small or crooked matrices. attention.CLASS: share of the 16-bit rate on short sequences,
attention_long.CLASS on endless ones (of kernels measured alone, not fitted). overlap: hidden
share of collectives. The rest: bytes, shares and seconds that engine/training/rates.py, kernels.py and step.py name where they use them.
"""

CONSTANTS: dict[str, float] = {
    "matmul.ampere.bf16": 0.9806,
    "matmul.ampere.fp8": 0.6,
    "matmul.hopper.bf16": 0.8031,
    "matmul.hopper.fp8": 0.9006,
    "matmul.blackwell.bf16": 0.65,
    "matmul.blackwell.fp8": 0.78,
    "matmul.blackwell.nvfp4": 0.493,
    "matmul.volta.bf16": 1.04,
    "matmul.volta.fp8": 0.5,
    "matmul.gddr.bf16": 1.15,
    "matmul.gddr.fp8": 1.15,
    "matmul.other.bf16": 0.75,
    "matmul.other.fp8": 0.6,
    "watt.ada.bf16": 0.6339,
    "watt.ada.fp8": 1.004,
    "watt.blackwell.bf16": 0.8832,
    "watt.blackwell.fp8": 1.459,
    "tier.tuned": 1,
    "tier.standard": 0.8945,
    "tier.eager": 0.7784,
    "elementwise.scale": 0.4627,
    "elementwise.tuned": 1,
    "elementwise.standard": 1.263,
    "elementwise.eager": 2.631,
    "loss.tuned": 7.565,
    "loss.standard": 14.22,
    "loss.eager": 24,
    "launch.tuned": 5e-05,
    "launch.standard": 0.00015,
    "launch.eager": 0.0005,
    "narrow_width": 113.1,
    "few_tokens": 182.4,
    "misaligned": 0.4648,
    "odd_head": 3.063,
    "recompute.selective": 0.2984,
    "attention.ampere": 0.4651,
    "attention.hopper": 0.4565,
    "attention.blackwell": 0.5889,
    "attention.volta": 0.3609,
    "attention.gddr": 0.7798,
    "attention.other": 0.45,
    "attention_long.ampere": 0.4634,
    "attention_long.hopper": 0.92,
    "attention_long.blackwell": 1.05,
    "attention_long.volta": 0.3573,
    "attention_long.gddr": 0.7867,
    "attention_long.other": 0.45,
    "unfused_attention": 12.15,
    "quantize": 0.3967,
    "moe.matmul": 0.7685,
    "moe.tokens_half": 197.1,
    "moe.overhead": 0.0025,
    "moe.permute": 2.574,
    "overlap.tp.tuned": 0.6665,
    "overlap.tp.standard": 0.02,
    "overlap.tp.eager": 0.02,
    "overlap.dp.tuned": 0.6799,
    "overlap.dp.standard": 0.6882,
    "overlap.dp.eager": 0.333,
    "overlap.ep.tuned": 0.3227,
    "overlap.ep.standard": 0.15,
    "overlap.ep.eager": 0.02,
    "overlap.pp": 0.8973,
    "lora.elementwise": 0.5203,
    "dequantize": 0.7241,
    "optimizer.passes": 1.354,
    "offload.optimizer": 0.4754,
    "offload.exposed": 0.3908,
    "spread": 0.015,
}

# 80 % interval of tokens/s as factors of the estimate, by kind of run: the spread of the errors on every published
# run whose source the constants had not seen, a source of n rows with the square root of n votes
INTERVALS: dict[str, tuple[float, float]] = {
    "adapters": (0.804, 1.176),
    "dense": (0.764, 1.296),
    "experts": (0.66, 1.359),
    "offload": (0.952, 1.37),
}

# Published runs that the constants are fitted on, and of how many frameworks.
RUNS = 496
FRAMEWORKS = 21
