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
    "collective_bytes": 0.5353,
    "collective_prefill": 1.67,
    "prefill_s": 0.00635,
    "prefill_layer_s": 0.0003,
    "prefill_moe_layer_s": 0.001,
    "queueing": 1.239,
    "in_step": 0.25,
    "expert_spread": 0.8786,
    "expert_stream@llama.cpp": 1.35,
    "moe_layer_s@llama.cpp": 3,
    "products@trtllm": 1.365,
    "layer_s@llama.cpp": 2.366,
    "prefill_moe_layer_s@sglang": 2.79,
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
        "card": 0.984,
        "vllm-earlier": 2.302,
        "sglang": 0.917,
        "trtllm": 1.203,
        "llama.cpp": 0.733,
        "link": 1.279,
        "nodes": 1.643,
        "drafts": 1.397,
        "differ": 4.096,
        "prompts": 1.562,
    },
    "tokens_per_s": {
        "base": 0.187,
        "mixture": 1.547,
        "card": 1.080,
        "vllm-earlier": 1.663,
        "sglang": 1.335,
        "trtllm": 0.874,
        "link": 1.146,
        "nodes": 1.594,
        "drafts": 1.375,
        "differ": 1.325,
        "prompts": 0.953,
    },
    "ttft": {
        "base": 0.202,
        "mixture": 1.319,
        "card": 1.238,
        "vllm-earlier": 1.469,
        "sglang": 1.388,
        "trtllm": 1.266,
        "llama.cpp": 1.222,
        "link": 0.981,
        "nodes": 0.795,
        "drafts": 0.933,
        "differ": 1.644,
        "prompts": 1.053,
        "loaded": 1.647,
    },
}
CUTS: Final[dict[str, tuple[float, float]]] = {
    "inter_token": (-1.097, 2.099),
    "ttft": (-1.202, 1.975),
    "tokens_per_s": (-1.729, 1.270),
}
TABLES: Final = 343
SOURCES: Final = 26
"""Tables of how many sources the constants are fitted on."""
