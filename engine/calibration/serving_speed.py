"""What serving engines add to kernels. Written by `python scripts/calibrate_serving_speed.py --write`.

`CONSTANTS` maps a name to a value; `name@engine` multiplies it for an engine. What each means:
engine/serving/passes.py. `SPREADS` are factors around a prediction that hold 80 % of what sources left out of the fit
and those fitted observed, by figure, kind of model and whether kernels of that card and a server's engine were measured.
"""

from typing import Final

CONSTANTS: Final[dict[str, float]] = {
    "stream": 1.123,
    "products": 0.7892,
    "products@trtllm": 1.523,
    "products@llama.cpp": 1.07,
    "experts": 0.9271,
    "expert_stream": 0.6895,
    "expert_stream@llama.cpp": 1.158,
    "kv": 0.9669,
    "attention": 1.09,
    "latent_bandwidth": 0.4781,
    "latent_compute": 0.4387,
    "layer_s": 5.069e-05,
    "layer_s@trtllm": 0.6504,
    "layer_s@llama.cpp": 1.799,
    "moe_layer_s": 0.8951,
    "latent_layer_s": 1.14e-05,
    "step_s": 0.0002722,
    "step_s@llama.cpp": 1.033,
    "sequence_s": 3.862e-06,
    "collective_latency": 0.8507,
    "collective_bytes": 0.9349,
    "collective_prefill": 1.18,
    "prefill_s": 0.00778,
    "prefill_s@llama.cpp": 1.048,
    "prefill_layer_s": 0.0002461,
    "prefill_moe_layer_s": 0.001517,
    "prefill_moe_layer_s@vllm": 0.552,
    "prefill_moe_layer_s@sglang": 1.96,
    "prefill_moe_layer_s@trtllm": 1.074,
    "queueing": 1.275,
    "in_step": 0.0881,
    "expert_spread": 0.7733,
}
SPREADS: Final[dict[str, tuple[float, float]]] = {
    "inter_token, dense, measured": (0.741, 1.134),
    "inter_token, dense, new": (0.741, 1.606),
    "inter_token, moe, measured": (0.722, 1.771),
    "inter_token, moe, new": (0.708, 1.943),
    "tokens_per_s, dense, measured": (0.775, 1.223),
    "tokens_per_s, dense, new": (0.553, 2.123),
    "tokens_per_s, moe, measured": (0.697, 1.951),
    "tokens_per_s, moe, new": (0.412, 1.951),
    "ttft loaded, dense, measured": (0.483, 1.682),
    "ttft loaded, dense, new": (0.483, 7.974),
    "ttft loaded, moe, measured": (0.447, 1.976),
    "ttft loaded, moe, new": (0.447, 3.260),
    "ttft, dense, measured": (0.732, 1.126),
    "ttft, dense, new": (0.559, 1.752),
    "ttft, moe, measured": (0.643, 1.853),
    "ttft, moe, new": (0.643, 5.372),
}
TABLES: Final = 352
SOURCES: Final = 25
"""Tables of how many sources the constants are fitted on."""
