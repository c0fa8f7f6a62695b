"""Constants of the training speed model, written by scripts/calibrate_training_speed.py: do not edit by hand.

Efficiencies are shares of the achievable rate of a GPU class; bytes are counted a token; seconds are seconds.
"""

CONSTANTS: dict[str, float] = {
    # share of the achievable matrix rate that a training step's products reach, by GPU class and dtype
    "matmul.ampere.bf16": 0.86,
    "matmul.hopper.bf16": 0.80,
    "matmul.hopper.fp8": 0.62,
    "matmul.blackwell.bf16": 0.80,
    "matmul.blackwell.fp8": 0.62,
    "matmul.blackwell.nvfp4": 0.45,
    "matmul.volta.bf16": 0.75,
    "matmul.geforce.bf16": 0.85,
    "matmul.geforce.fp8": 0.70,
    "matmul.other.bf16": 0.65,
    "matmul.other.fp8": 0.50,
    # software tier: share of the kernel rate above, and how many times the fused element-wise traffic it moves
    "tier.tuned": 1.0,
    "tier.standard": 0.92,
    "tier.eager": 0.75,
    "elementwise.tuned": 1.0,
    "elementwise.standard": 1.5,
    "elementwise.eager": 3.0,
    "loss.tuned": 8.0,
    "loss.standard": 14.0,
    "loss.eager": 24.0,
    "launch.tuned": 60e-6,
    "launch.standard": 200e-6,
    "launch.eager": 600e-6,
    # loss of efficiency with narrow matrices and few rows
    "narrow_width": 150.0,
    "few_tokens": 150.0,
    "misaligned": 0.75,
    # attention kernels, share of the achievable 16-bit rate
    "attention.ampere": 0.60,
    "attention.hopper": 0.55,
    "attention.blackwell": 0.55,
    "attention.volta": 0.30,
    "attention.geforce": 0.60,
    "attention.other": 0.45,
    # element-wise traffic of a fused layer, in units of hidden size
    "elementwise.scale": 1.0,
    "quantize": 1.0,
    # mixtures of experts
    "moe.matmul": 0.75,
    "moe.tokens_half": 200.0,
    "moe.overhead": 150e-6,
    "moe.permute": 1.0,
    # share of communication that hides behind compute
    "overlap.tp.tuned": 0.40,
    "overlap.tp.standard": 0.10,
    "overlap.tp.eager": 0.0,
    "overlap.dp.tuned": 0.85,
    "overlap.dp.standard": 0.80,
    "overlap.dp.eager": 0.50,
    "overlap.ep.tuned": 0.30,
    "overlap.ep.standard": 0.10,
    "overlap.ep.eager": 0.0,
    "overlap.pp": 0.70,
    # adapters and quantized bases
    "lora.elementwise": 2.0,
    "dequantize": 1.5,
    "optimizer.passes": 1.3,
}

# 80 % interval of tokens/s as factors of the estimate, from the errors on frameworks left out of the fit
INTERVAL: tuple[float, float] = (0.75, 1.30)
