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
    "collective_bytes": 0.5138,
    "collective_prefill": 1.46,
    "prefill_s": 0.007149,
    "prefill_layer_s": 0.0003,
    "prefill_moe_layer_s": 0.001,
    "queueing": 1.275,
    "in_step": 0.25,
    "expert_spread": 0.95,
    "expert_stream@llama.cpp": 1.35,
    "moe_layer_s@llama.cpp": 3,
    "products@trtllm": 1.376,
    "layer_s@llama.cpp": 2.939,
    "prefill_moe_layer_s@sglang": 2.995,
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
        "expert_spread",
        "expert_stream@llama.cpp",
        "moe_layer_s@llama.cpp",
    }
)
"""Constants that stand at their textbook value: fitted, each made sources left out worse."""
WIDTHS: Final[dict[str, dict[str, float]]] = {
    "inter_token": {
        "base": 0.116,
        "mixture": 1.801,
        "card": 0.853,
        "vllm-earlier": 2.130,
        "sglang": 0.952,
        "trtllm": 1.190,
        "llama.cpp": 1.087,
        "link": 1.127,
        "nodes": 1.592,
        "drafts": 2.240,
        "differ": 4.064,
        "prompts": 1.523,
    },
    "tokens_per_s": {
        "base": 0.192,
        "mixture": 1.562,
        "card": 1.251,
        "vllm-earlier": 1.562,
        "sglang": 1.356,
        "trtllm": 0.833,
        "link": 1.073,
        "nodes": 1.740,
        "drafts": 1.465,
        "differ": 1.313,
        "prompts": 1.015,
    },
    "ttft": {
        "base": 0.182,
        "mixture": 1.524,
        "card": 1.465,
        "vllm-earlier": 1.523,
        "sglang": 1.170,
        "trtllm": 1.209,
        "llama.cpp": 1.365,
        "link": 0.948,
        "nodes": 1.503,
        "drafts": 1.091,
        "differ": 1.477,
        "prompts": 1.166,
        "loaded": 1.688,
    },
}
CUTS: Final[dict[str, tuple[float, float]]] = {
    "inter_token": (-1.015, 1.982),
    "ttft": (-1.210, 1.746),
    "tokens_per_s": (-1.727, 1.228),
}
TABLES: Final = 350
SOURCES: Final = 26
"""Tables of how many sources the constants are fitted on."""
