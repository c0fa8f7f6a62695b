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
    "collective_bytes": 0.5566,
    "collective_prefill": 1.669,
    "prefill_s": 0.006354,
    "prefill_layer_s": 0.0003,
    "prefill_moe_layer_s": 0.001,
    "queueing": 1.241,
    "in_step": 0.25,
    "expert_spread": 0.8791,
    "expert_stream@llama.cpp": 1.35,
    "moe_layer_s@llama.cpp": 3,
    "products@trtllm": 1.374,
    "layer_s@llama.cpp": 2.366,
    "prefill_moe_layer_s@sglang": 2.8,
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
        "base": 0.107,
        "mixture": 1.595,
        "card": 0.982,
        "vllm-earlier": 2.301,
        "sglang": 0.926,
        "trtllm": 1.211,
        "llama.cpp": 0.729,
        "link": 1.294,
        "nodes": 1.643,
        "drafts": 1.384,
        "differ": 4.071,
        "prompts": 1.558,
    },
    "tokens_per_s": {
        "base": 0.186,
        "mixture": 1.533,
        "card": 1.109,
        "vllm-earlier": 1.667,
        "sglang": 1.327,
        "trtllm": 0.893,
        "link": 1.087,
        "nodes": 1.586,
        "drafts": 1.367,
        "differ": 1.343,
        "prompts": 0.970,
    },
    "ttft": {
        "base": 0.201,
        "mixture": 1.309,
        "card": 1.239,
        "vllm-earlier": 1.474,
        "sglang": 1.388,
        "trtllm": 1.260,
        "llama.cpp": 1.218,
        "link": 0.989,
        "nodes": 0.797,
        "drafts": 0.936,
        "differ": 1.646,
        "prompts": 1.058,
        "loaded": 1.658,
    },
}
CUTS: Final[dict[str, tuple[float, float]]] = {
    "inter_token": (-1.088, 2.101),
    "ttft": (-1.223, 1.954),
    "tokens_per_s": (-1.672, 1.296),
}
TABLES: Final = 343
SOURCES: Final = 26
"""Tables of how many sources the constants are fitted on."""
