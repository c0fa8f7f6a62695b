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
    "collective_bytes": 0.6514,
    "collective_prefill": 1.564,
    "prefill_s": 0.006691,
    "prefill_layer_s": 0.0003,
    "prefill_moe_layer_s": 0.001,
    "queueing": 1.242,
    "in_step": 0.25,
    "expert_spread": 0.8826,
    "expert_stream@llama.cpp": 1.35,
    "moe_layer_s@llama.cpp": 3,
    "products@trtllm": 1.359,
    "layer_s@llama.cpp": 2.369,
    "prefill_moe_layer_s@sglang": 2.874,
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
        "base": 0.110,
        "mixture": 1.664,
        "card": 0.983,
        "vllm-earlier": 2.274,
        "sglang": 0.973,
        "trtllm": 1.291,
        "llama.cpp": 0.835,
        "link": 1.245,
        "nodes": 1.540,
        "drafts": 1.592,
        "differ": 3.788,
        "prompts": 1.448,
    },
    "tokens_per_s": {
        "base": 0.183,
        "mixture": 1.538,
        "card": 1.143,
        "vllm-earlier": 1.665,
        "sglang": 1.337,
        "trtllm": 0.882,
        "link": 1.100,
        "nodes": 1.740,
        "drafts": 1.286,
        "differ": 1.372,
        "prompts": 1.001,
    },
    "ttft": {
        "base": 0.183,
        "mixture": 1.535,
        "card": 1.269,
        "vllm-earlier": 1.552,
        "sglang": 1.112,
        "trtllm": 1.241,
        "llama.cpp": 1.283,
        "link": 0.983,
        "nodes": 0.746,
        "drafts": 1.150,
        "differ": 1.759,
        "prompts": 1.127,
        "loaded": 1.670,
    },
}
CUTS: Final[dict[str, tuple[float, float]]] = {
    "inter_token": (-1.043, 2.030),
    "ttft": (-1.255, 1.790),
    "tokens_per_s": (-1.719, 1.271),
}
TABLES: Final = 355
SOURCES: Final = 26
"""Tables of how many sources the constants are fitted on."""
