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
    "collective_bytes": 0.572,
    "collective_prefill": 1.651,
    "prefill_s": 0.006313,
    "prefill_layer_s": 0.0003,
    "prefill_moe_layer_s": 0.001,
    "queueing": 1.268,
    "in_step": 0.25,
    "expert_spread": 0.8649,
    "expert_stream@llama.cpp": 1.35,
    "moe_layer_s@llama.cpp": 3,
    "products@trtllm": 1.365,
    "layer_s@llama.cpp": 2.368,
    "prefill_moe_layer_s@sglang": 2.742,
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
        "base": 0.098,
        "mixture": 1.597,
        "card": 0.923,
        "maker": 1.036,
        "vllm-earlier": 2.565,
        "sglang": 0.983,
        "trtllm": 1.290,
        "llama.cpp": 0.764,
        "link": 1.366,
        "nodes": 1.878,
        "drafts": 1.469,
        "differ": 4.294,
        "prompts": 1.628,
    },
    "tokens_per_s": {
        "base": 0.171,
        "mixture": 1.519,
        "card": 0.866,
        "maker": 1.393,
        "vllm-earlier": 1.853,
        "sglang": 1.448,
        "trtllm": 0.909,
        "link": 1.269,
        "nodes": 1.825,
        "drafts": 1.715,
        "differ": 1.359,
        "prompts": 0.980,
        "best": 1.044,
    },
    "ttft": {
        "base": 0.190,
        "mixture": 1.365,
        "card": 1.167,
        "maker": 1.213,
        "vllm-earlier": 1.598,
        "sglang": 1.488,
        "trtllm": 1.303,
        "llama.cpp": 1.346,
        "link": 1.020,
        "nodes": 0.686,
        "drafts": 0.950,
        "differ": 1.556,
        "prompts": 1.018,
        "loaded": 1.626,
    },
}
CUTS: Final[dict[str, tuple[float, float]]] = {
    "inter_token": (-1.120, 2.048),
    "ttft": (-1.279, 2.013),
    "ttft loaded": (-1.115, 1.869),
    "tokens_per_s": (-1.689, 1.230),
    "tokens_per_s best": (-1.467, 1.037),
}
TABLES: Final = 337
SOURCES: Final = 26
"""Tables of how many sources the constants are fitted on."""
