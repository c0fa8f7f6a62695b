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
    "collective_bytes": 0.6087,
    "collective_prefill": 1.561,
    "prefill_s": 0.006638,
    "prefill_layer_s": 0.0003,
    "prefill_moe_layer_s": 0.001,
    "queueing": 1.234,
    "in_step": 0.25,
    "expert_spread": 0.8683,
    "expert_stream@llama.cpp": 1.35,
    "moe_layer_s@llama.cpp": 3,
    "products@trtllm": 1.361,
    "layer_s@llama.cpp": 2.371,
    "prefill_moe_layer_s@sglang": 2.981,
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
        "base": 0.106,
        "mixture": 1.696,
        "card": 0.934,
        "vllm-earlier": 2.337,
        "sglang": 0.984,
        "trtllm": 1.290,
        "llama.cpp": 0.778,
        "link": 1.255,
        "nodes": 1.579,
        "drafts": 1.622,
        "differ": 3.859,
        "prompts": 1.493,
    },
    "tokens_per_s": {
        "base": 0.185,
        "mixture": 1.550,
        "card": 1.123,
        "vllm-earlier": 1.656,
        "sglang": 1.459,
        "trtllm": 0.864,
        "link": 1.100,
        "nodes": 1.719,
        "drafts": 1.234,
        "differ": 1.328,
        "prompts": 1.028,
    },
    "ttft": {
        "base": 0.182,
        "mixture": 1.539,
        "card": 1.272,
        "vllm-earlier": 1.565,
        "sglang": 1.129,
        "trtllm": 1.243,
        "llama.cpp": 1.272,
        "link": 0.984,
        "nodes": 0.748,
        "drafts": 1.141,
        "differ": 1.770,
        "prompts": 1.139,
        "loaded": 1.661,
    },
}
CUTS: Final[dict[str, tuple[float, float]]] = {
    "inter_token": (-1.029, 1.993),
    "ttft": (-1.224, 1.759),
    "tokens_per_s": (-1.687, 1.269),
}
TABLES: Final = 351
SOURCES: Final = 26
"""Tables of how many sources the constants are fitted on."""
