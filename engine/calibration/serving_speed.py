"""What serving engines add to kernels. Written by `python -m tests.calibration serving_speed --left-out --write`.

`CONSTANTS` maps a name to a value; `name@engine` multiplies it for an engine. What each means:
engine/serving/passes.py. `WIDTHS` are the mean error of a figure's logarithm, of a plain build and as a factor of each mark
(engine/serving/intervals.py); `CUTS`, in such widths, hold 80 % of what sources left out of the fit and those fitted observed.
"""

from typing import Final

CONSTANTS: Final[dict[str, float]] = {
    "stream": 1,
    "products": 0.9,
    "experts": 1,
    "expert_stream": 0.8,
    "kv": 1,
    "attention": 1,
    "latent_bandwidth": 0.5,
    "latent_compute": 0.42,
    "layer_s": 3e-05,
    "moe_layer_s": 1,
    "latent_layer_s": 1.5e-05,
    "step_s": 0.0003,
    "sequence_s": 5e-06,
    "collective_latency": 1,
    "collective_bytes": 0.4908,
    "collective_prefill": 1.68,
    "prefill_s": 0.006238,
    "prefill_layer_s": 0.0003,
    "prefill_moe_layer_s": 0.001,
    "queueing": 1.237,
    "in_step": 0.25,
    "expert_spread": 0.8798,
    "expert_stream@llama.cpp": 1.35,
    "moe_layer_s@llama.cpp": 3,
    "products@trtllm": 1.365,
    "layer_s@llama.cpp": 2.366,
    "prefill_moe_layer_s@sglang": 2.786,
}
ASSUMED: Final = frozenset(
    {
        "stream",
        "products",
        "experts",
        "expert_stream",
        "kv",
        "attention",
        "latent_bandwidth",
        "latent_compute",
        "layer_s",
        "moe_layer_s",
        "latent_layer_s",
        "step_s",
        "sequence_s",
        "collective_latency",
        "prefill_layer_s",
        "prefill_moe_layer_s",
        "in_step",
        "expert_stream@llama.cpp",
        "moe_layer_s@llama.cpp",
    }
)
"""Constants that stand at their textbook value: fitted, each made sources left out worse."""
WIDTHS: Final[dict[str, dict[str, float]]] = {
    "inter_token": {
        "base": 0.102,
        "mixture": 1.631,
        "card": 0.977,
        "vllm-earlier": 2.448,
        "sglang": 0.908,
        "trtllm": 1.232,
        "llama.cpp": 0.736,
        "link": 1.320,
        "nodes": 1.812,
        "drafts": 1.454,
        "differ": 4.432,
        "prompts": 1.592,
    },
    "tokens_per_s": {
        "base": 0.183,
        "mixture": 1.561,
        "card": 1.082,
        "vllm-earlier": 1.710,
        "sglang": 1.360,
        "trtllm": 0.882,
        "link": 1.158,
        "nodes": 1.727,
        "drafts": 1.517,
        "differ": 1.333,
        "prompts": 0.956,
    },
    "ttft": {
        "base": 0.196,
        "mixture": 1.336,
        "card": 1.261,
        "vllm-earlier": 1.523,
        "sglang": 1.412,
        "trtllm": 1.289,
        "llama.cpp": 1.265,
        "link": 0.978,
        "nodes": 0.729,
        "drafts": 0.919,
        "differ": 1.681,
        "prompts": 1.057,
        "loaded": 1.664,
    },
}
CUTS: Final[dict[str, tuple[float, float]]] = {
    "inter_token": (-1.123, 2.019),
    "ttft": (-1.211, 1.918),
    "tokens_per_s": (-1.723, 1.246),
}
TABLES: Final = 343
SOURCES: Final = 26
"""Tables of how many sources the constants are fitted on."""
