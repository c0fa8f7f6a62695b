"""Constants of the serving-speed model. Written by `python scripts/calibrate_serving_speed.py --write`.

`CONSTANTS` maps a name to a value; `name@class` multiplies it for a class of GPU, engine or arithmetic. What each
means: engine/serving_speed.py.
"""

from typing import Final

CONSTANTS: Final[dict[str, float]] = {
    "weight_bandwidth": 0.78,
    "weight_bandwidth@llama.cpp": 0.85,
    "expert_bandwidth": 0.45,
    "kv_bandwidth": 0.6,
    "latent_bandwidth": 0.4,
    "compute": 0.55,
    "compute@fp4": 0.75,
    "compute@weight-only": 0.7,
    "compute@gguf": 0.3,
    "expert_compute": 0.5,
    "attention_compute": 0.4,
    "layer_s": 1.2e-05,
    "moe_layer_s": 1.5e-05,
    "latent_layer_s": 1.5e-05,
    "step_s": 1.0e-03,
    "sequence_s": 1.0e-05,
    "collectives": 1.0,
    "prefill_s": 1.5e-02,
    "prefill_layer_s": 2.0e-04,
    "interference": 1.0,
    "bunching": 3.0,
    "balance": 1.15,
}
SPREAD_TTFT: Final = (0.6, 1.7)
SPREAD_INTER_TOKEN: Final = (0.75, 1.35)
SPREAD_TOKENS_PER_S: Final = (0.7, 1.35)
