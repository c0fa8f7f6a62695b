"""What serving engines add to kernels. Written by `python scripts/calibrate_serving_speed.py --write`.

`CONSTANTS` maps a name to a value; `name@engine` multiplies it for an engine. What each means:
engine/serving/passes.py. `SPREADS` are factors around a prediction that hold 80 % of what sources left out of the fit
and those fitted observed, by figure, kind of model and whether kernels of that card and a server's engine were measured.
"""

from typing import Final

CONSTANTS: Final[dict[str, float]] = {
    "stream": 1.025,
    "products": 0.7769,
    "products@trtllm": 1.561,
    "products@llama.cpp": 1.079,
    "experts": 0.805,
    "expert_stream": 0.6524,
    "expert_stream@llama.cpp": 1.058,
    "kv": 0.9719,
    "attention": 1.278,
    "latent_bandwidth": 0.6315,
    "latent_compute": 0.6651,
    "layer_s": 3.695e-05,
    "layer_s@trtllm": 0.6843,
    "layer_s@llama.cpp": 2.297,
    "moe_layer_s": 1.072,
    "latent_layer_s": 1.35e-05,
    "step_s": 0.0003398,
    "step_s@llama.cpp": 1.029,
    "sequence_s": 3.372e-06,
    "collective_latency": 0.9644,
    "collective_bytes": 0.9442,
    "collective_prefill": 1.159,
    "prefill_s": 0.006452,
    "prefill_s@llama.cpp": 1.143,
    "prefill_layer_s": 0.0002253,
    "prefill_moe_layer_s": 0.001489,
    "prefill_moe_layer_s@vllm": 0.5149,
    "prefill_moe_layer_s@sglang": 2.103,
    "prefill_moe_layer_s@trtllm": 1.213,
    "queueing": 1.371,
    "in_step": 0.08041,
    "expert_spread": 0.7435,
}
SPREADS: Final[dict[str, tuple[float, float]]] = {
    "inter_token, dense, measured": (0.726, 1.147),
    "inter_token, dense, new": (0.726, 1.483),
    "inter_token, moe, measured": (0.736, 1.783),
    "inter_token, moe, new": (0.638, 2.076),
    "tokens_per_s, dense, measured": (0.786, 1.175),
    "tokens_per_s, dense, new": (0.557, 1.570),
    "tokens_per_s, moe, measured": (0.691, 2.039),
    "tokens_per_s, moe, new": (0.384, 2.308),
    "ttft loaded, dense, measured": (0.487, 1.731),
    "ttft loaded, dense, new": (0.487, 6.101),
    "ttft loaded, moe, measured": (0.483, 2.192),
    "ttft loaded, moe, new": (0.050, 2.192),
    "ttft, dense, measured": (0.746, 1.176),
    "ttft, dense, new": (0.502, 1.638),
    "ttft, moe, measured": (0.633, 2.137),
    "ttft, moe, new": (0.633, 6.361),
}
TABLES: Final = 337
SOURCES: Final = 25
"""Tables of how many sources the constants are fitted on."""
