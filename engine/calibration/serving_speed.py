"""What serving engines add to kernels. Written by `python -m tests.calibration serving_speed --left-out --write`.

`CONSTANTS` maps a name to a value; `name@engine` multiplies it for an engine. What each means:
engine/serving/passes.py. `WIDTHS` are the mean error of a figure's logarithm, of a plain build and as a factor of each mark
(engine/serving/intervals.py); `CUTS`, in such widths, hold 80 % of what sources left out of the fit and those fitted observed.
"""

from typing import Final

CONSTANTS: Final[dict[str, float]] = {
    "stream": 1.034,
    "products": 0.8667,
    "products@trtllm": 1.34,
    "products@llama.cpp": 0.9448,
    "experts": 0.8846,
    "expert_stream": 0.7772,
    "expert_stream@llama.cpp": 1.35,
    "kv": 0.9947,
    "attention": 0.9917,
    "latent_bandwidth": 0.4964,
    "latent_compute": 0.4235,
    "layer_s": 4.059e-05,
    "layer_s@trtllm": 0.6506,
    "layer_s@llama.cpp": 1.874,
    "moe_layer_s": 1.013,
    "moe_layer_s@llama.cpp": 3.013,
    "latent_layer_s": 1.112e-05,
    "step_s": 0.0002524,
    "step_s@llama.cpp": 1.049,
    "sequence_s": 3.555e-06,
    "collective_latency": 0.9588,
    "collective_bytes": 0.8983,
    "collective_prefill": 1.328,
    "prefill_s": 0.00734,
    "prefill_s@llama.cpp": 1.065,
    "prefill_layer_s": 0.0002393,
    "prefill_moe_layer_s": 0.001575,
    "prefill_moe_layer_s@vllm": 0.5987,
    "prefill_moe_layer_s@sglang": 1.893,
    "prefill_moe_layer_s@trtllm": 1.039,
    "queueing": 1.252,
    "in_step": 0.1863,
    "expert_spread": 0.8275,
}
WIDTHS: Final[dict[str, dict[str, float]]] = {
    "inter_token": {
        "base": 0.136,
        "mixture": 1.593,
        "card": 0.827,
        "vllm-earlier": 1.797,
        "sglang": 0.925,
        "trtllm": 1.178,
        "llama.cpp": 1.186,
        "link": 1.061,
        "nodes": 1.566,
        "drafts": 2.135,
        "differ": 3.576,
        "prompts": 1.492,
    },
    "tokens_per_s": {
        "base": 0.187,
        "mixture": 1.591,
        "card": 1.344,
        "vllm-earlier": 1.616,
        "sglang": 1.239,
        "trtllm": 0.884,
        "link": 1.032,
        "nodes": 1.830,
        "drafts": 1.503,
        "differ": 1.348,
        "prompts": 1.024,
    },
    "ttft": {
        "base": 0.185,
        "mixture": 1.499,
        "card": 1.431,
        "vllm-earlier": 1.467,
        "sglang": 1.150,
        "trtllm": 1.187,
        "llama.cpp": 1.295,
        "link": 0.950,
        "nodes": 1.470,
        "drafts": 1.094,
        "differ": 1.406,
        "prompts": 1.193,
        "loaded": 1.681,
    },
}
CUTS: Final[dict[str, tuple[float, float]]] = {
    "inter_token": (-1.054, 1.993),
    "ttft": (-1.231, 1.684),
    "tokens_per_s": (-1.559, 1.332),
}
TABLES: Final = 350
SOURCES: Final = 26
"""Tables of how many sources the constants are fitted on."""
