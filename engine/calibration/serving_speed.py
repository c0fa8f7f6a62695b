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
    "collective_bytes": 0.6365,
    "collective_prefill": 1.506,
    "prefill_s": 0.00691,
    "prefill_layer_s": 0.0003,
    "prefill_moe_layer_s": 0.001,
    "queueing": 1.235,
    "in_step": 0.25,
    "expert_spread": 0.8691,
    "expert_stream@llama.cpp": 1.35,
    "moe_layer_s@llama.cpp": 3,
    "products@trtllm": 1.354,
    "layer_s@llama.cpp": 2.926,
    "prefill_moe_layer_s@sglang": 2.941,
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
        "base": 0.112,
        "mixture": 1.690,
        "card": 0.870,
        "vllm-earlier": 2.248,
        "sglang": 0.951,
        "trtllm": 1.236,
        "llama.cpp": 1.073,
        "link": 1.223,
        "nodes": 1.756,
        "drafts": 1.666,
        "differ": 3.743,
        "prompts": 1.455,
    },
    "tokens_per_s": {
        "base": 0.183,
        "mixture": 1.595,
        "card": 1.168,
        "vllm-earlier": 1.630,
        "sglang": 1.421,
        "trtllm": 0.854,
        "link": 1.123,
        "nodes": 1.761,
        "drafts": 1.210,
        "differ": 1.337,
        "prompts": 1.070,
    },
    "ttft": {
        "base": 0.179,
        "mixture": 1.576,
        "card": 1.464,
        "vllm-earlier": 1.557,
        "sglang": 1.126,
        "trtllm": 1.246,
        "llama.cpp": 1.397,
        "link": 0.953,
        "nodes": 1.502,
        "drafts": 1.119,
        "differ": 1.805,
        "prompts": 1.149,
        "loaded": 1.638,
    },
}
CUTS: Final[dict[str, tuple[float, float]]] = {
    "inter_token": (-0.939, 2.038),
    "ttft": (-1.176, 1.727),
    "tokens_per_s": (-1.700, 1.217),
}
TABLES: Final = 350
SOURCES: Final = 26
"""Tables of how many sources the constants are fitted on."""
