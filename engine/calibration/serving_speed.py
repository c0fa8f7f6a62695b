"""What serving engines add to kernels. Written by `python -m tests.calibration serving_speed --left-out --write`.

`CONSTANTS` maps a name to a value; `name@engine` multiplies it for an engine. What each means:
engine/serving/passes.py. `SPREADS` are factors around a prediction that hold 80 % of what sources left out of the fit
and those fitted observed, by figure, kind of model and whether kernels of that card and a server's engine were measured.
"""

from typing import Final

CONSTANTS: Final[dict[str, float]] = {
    "stream": 1.13,
    "products": 0.7925,
    "products@trtllm": 1.513,
    "products@llama.cpp": 1.057,
    "experts": 0.9102,
    "expert_stream": 0.6731,
    "expert_stream@llama.cpp": 1.246,
    "kv": 0.9747,
    "attention": 1.053,
    "latent_bandwidth": 0.4744,
    "latent_compute": 0.4407,
    "layer_s": 5.154e-05,
    "layer_s@trtllm": 0.6513,
    "layer_s@llama.cpp": 1.889,
    "moe_layer_s": 0.9339,
    "latent_layer_s": 1.143e-05,
    "step_s": 0.0002691,
    "step_s@llama.cpp": 1.032,
    "sequence_s": 3.799e-06,
    "collective_latency": 0.8222,
    "collective_bytes": 0.9261,
    "collective_prefill": 1.218,
    "prefill_s": 0.007834,
    "prefill_s@llama.cpp": 1.045,
    "prefill_layer_s": 0.0003393,
    "prefill_moe_layer_s": 0.001574,
    "prefill_moe_layer_s@vllm": 0.5666,
    "prefill_moe_layer_s@sglang": 1.957,
    "prefill_moe_layer_s@trtllm": 1.062,
    "queueing": 1.271,
    "in_step": 0.1055,
    "expert_spread": 0.755,
}
SPREADS: Final[dict[str, tuple[float, float]]] = {
    "inter_token, dense, measured": (0.751, 1.129),
    "inter_token, dense, new": (0.751, 1.610),
    "inter_token, moe, measured": (0.722, 1.686),
    "inter_token, moe, new": (0.706, 2.013),
    "tokens_per_s, dense, measured": (0.800, 1.212),
    "tokens_per_s, dense, new": (0.553, 2.139),
    "tokens_per_s, moe, measured": (0.715, 1.920),
    "tokens_per_s, moe, new": (0.422, 1.920),
    "ttft loaded, dense, measured": (0.480, 1.641),
    "ttft loaded, dense, new": (0.480, 7.643),
    "ttft loaded, moe, measured": (0.454, 2.019),
    "ttft loaded, moe, new": (0.454, 3.085),
    "ttft, dense, measured": (0.743, 1.135),
    "ttft, dense, new": (0.572, 1.720),
    "ttft, moe, measured": (0.633, 1.828),
    "ttft, moe, new": (0.633, 5.116),
}
TABLES: Final = 354
SOURCES: Final = 26
"""Tables of how many sources the constants are fitted on."""
