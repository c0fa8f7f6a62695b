"""Curves of kernels: what products, experts and attention take by shape, as share of a card's data sheet.

Written by `python -m tests.calibration kernels DIRECTORY --write` from the measured tables of aiconfigurator-core 0.12.0
(Apache-2.0, see NOTICE): A100, H100, H200, B200, B300, GB200, GB300, L40S, RTX PRO 6000 and B60 under vLLM, SGLang and
TensorRT-LLM. By class of card and of arithmetic:

    product    = ((bytes / (bandwidth x stream))^4 + ((tokens + rows) FLOPs / (peak rate x peak))^4)^(1/4)
    mixture    = start_s + the same with start_bytes more for each expert that is read, and rows for each expert
    attention  = FLOPs / (peak rate x peak) x (1 + keys / tokens); decoding, bytes / (bandwidth x stream)

Errors of the tables by their own curves, median and nine in ten, lowest to highest: products 4 to 17 and 11 to 51 %; mixtures
6 to 30 and 21 to 86 %; attention 3 to 32 and 12 to 185 %. Classes without tables take the nearest one's. INDEXER:
DeepSeek's fp8_mqa_logits over the FP8 peak, at causal FLOPs; INDEXER_S: seconds of launches that an indexer adds to a layer's
attention, the median of its tables. What no table measures stands in the script, with where it is from.
"""

from typing import Final

PRODUCTS: Final[dict[str, dict[str, dict[str, float]]]] = {
    "ampere": {
        "16-bit": {"stream": 0.776, "peak": 0.803, "rows": 75.3},
        "fp8": {"stream": 0.776, "peak": 0.803, "rows": 75.3},
        "fp4": {"stream": 0.776, "peak": 0.803, "rows": 75.3},
        "weight-only": {"stream": 0.75, "peak": 0.682, "rows": 40},
        "gguf": {"stream": 0.58, "peak": 0.15, "rows": 40},
    },
    "ampere-gddr": {
        "16-bit": {"stream": 0.792, "peak": 0.597, "rows": 63.5},
        "fp8": {"stream": 0.781, "peak": 0.407, "rows": 52.9},
        "fp4": {"stream": 0.792, "peak": 0.597, "rows": 63.5},
        "weight-only": {"stream": 0.75, "peak": 0.507, "rows": 40},
        "gguf": {"stream": 0.87, "peak": 0.15, "rows": 40},
    },
    "ada": {
        "16-bit": {"stream": 0.792, "peak": 0.597, "rows": 63.5},
        "fp8": {"stream": 0.781, "peak": 0.407, "rows": 52.9},
        "fp4": {"stream": 0.792, "peak": 0.597, "rows": 63.5},
        "weight-only": {"stream": 0.75, "peak": 0.507, "rows": 40},
        "gguf": {"stream": 0.87, "peak": 0.15, "rows": 40},
    },
    "hopper": {
        "16-bit": {"stream": 0.852, "peak": 0.806, "rows": 42.5},
        "fp8": {"stream": 0.867, "peak": 0.531, "rows": 62.8},
        "fp4": {"stream": 0.852, "peak": 0.806, "rows": 42.5},
        "weight-only": {"stream": 0.75, "peak": 0.685, "rows": 40},
        "gguf": {"stream": 0.58, "peak": 0.15, "rows": 40},
    },
    "blackwell": {
        "16-bit": {"stream": 0.777, "peak": 0.704, "rows": 62.6},
        "fp8": {"stream": 0.757, "peak": 0.497, "rows": 59.7},
        "fp4": {"stream": 0.567, "peak": 0.394, "rows": 53.2},
        "weight-only": {"stream": 0.75, "peak": 0.599, "rows": 40},
        "gguf": {"stream": 0.58, "peak": 0.15, "rows": 40},
    },
    "blackwell-ultra": {
        "16-bit": {"stream": 0.748, "peak": 0.769, "rows": 60.5},
        "fp8": {"stream": 0.727, "peak": 0.532, "rows": 60.5},
        "fp4": {"stream": 0.536, "peak": 0.289, "rows": 54.6},
        "weight-only": {"stream": 0.748, "peak": 0.654, "rows": 40},
        "gguf": {"stream": 0.58, "peak": 0.15, "rows": 40},
    },
    "blackwell-gddr": {
        "16-bit": {"stream": 0.935, "peak": 0.758, "rows": 95.2},
        "fp8": {"stream": 0.9, "peak": 0.586, "rows": 71},
        "fp4": {"stream": 0.713, "peak": 0.607, "rows": 50.1},
        "weight-only": {"stream": 0.75, "peak": 0.645, "rows": 40},
        "gguf": {"stream": 0.87, "peak": 0.15, "rows": 40},
    },
    "amd": {
        "16-bit": {"stream": 0.7, "peak": 0.55, "rows": 80},
        "fp8": {"stream": 0.7, "peak": 0.45, "rows": 80},
        "fp4": {"stream": 0.7, "peak": 0.35, "rows": 80},
        "weight-only": {"stream": 0.7, "peak": 0.468, "rows": 40},
        "gguf": {"stream": 0.87, "peak": 0.04, "rows": 40},
    },
    "intel": {
        "16-bit": {"stream": 1.02, "peak": 0.954, "rows": 63.9},
        "fp8": {"stream": 1.16, "peak": 0.478, "rows": 80.2},
        "fp4": {"stream": 0.567, "peak": 0.394, "rows": 53.2},
        "weight-only": {"stream": 0.75, "peak": 0.811, "rows": 40},
        "gguf": {"stream": 0.87, "peak": 0.15, "rows": 40},
    },
    "gaudi": {
        "16-bit": {"stream": 0.8, "peak": 0.74, "rows": 40},
        "fp8": {"stream": 0.8, "peak": 0.77, "rows": 40},
        "fp4": {"stream": 0.852, "peak": 0.806, "rows": 42.5},
        "weight-only": {"stream": 0.75, "peak": 0.629, "rows": 40},
        "gguf": {"stream": 0.87, "peak": 0.15, "rows": 40},
    },
    "other": {
        "16-bit": {"stream": 0.935, "peak": 0.758, "rows": 95.2},
        "fp8": {"stream": 0.9, "peak": 0.586, "rows": 71},
        "fp4": {"stream": 0.713, "peak": 0.607, "rows": 50.1},
        "weight-only": {"stream": 0.75, "peak": 0.645, "rows": 40},
        "gguf": {"stream": 0.87, "peak": 0.15, "rows": 40},
    },
}
MIXTURES: Final[dict[str, dict[str, dict[str, float]]]] = {
    "ampere": {
        "16-bit": {"start_s": 4.36e-05, "stream": 0.9, "start_bytes": 4.13e05, "peak": 0.245, "rows": 38.6},
        "fp8": {"start_s": 4.36e-05, "stream": 0.9, "start_bytes": 4.13e05, "peak": 0.245, "rows": 38.6},
        "fp4": {"start_s": 4.36e-05, "stream": 0.9, "start_bytes": 4.13e05, "peak": 0.245, "rows": 38.6},
        "weight-only": {"start_s": 4.63e-05, "stream": 0.9, "start_bytes": 4.35e05, "peak": 0.207, "rows": 9.13},
        "gguf": {"start_s": 2.5e-05, "stream": 0.67, "start_bytes": 1e05, "peak": 0.1, "rows": 30},
        "fp8-block": {"start_s": 4.36e-05, "stream": 0.9, "start_bytes": 4.13e05, "peak": 0.245, "rows": 38.6},
    },
    "ampere-gddr": {
        "16-bit": {"start_s": 1.3e-05, "stream": 0.9, "start_bytes": 3.14e05, "peak": 0.261, "rows": 104},
        "fp8": {"start_s": 1.31e-05, "stream": 0.9, "start_bytes": 2.32e05, "peak": 0.279, "rows": 99.9},
        "fp4": {"start_s": 1.3e-05, "stream": 0.9, "start_bytes": 3.14e05, "peak": 0.261, "rows": 104},
        "weight-only": {"start_s": 1.47e-05, "stream": 0.9, "start_bytes": 3.81e05, "peak": 0.331, "rows": 50.1},
        "gguf": {"start_s": 2.5e-05, "stream": 1, "start_bytes": 1e05, "peak": 0.1, "rows": 30},
        "fp8-block": {"start_s": 1.45e-05, "stream": 0.9, "start_bytes": 3.03e05, "peak": 0.32, "rows": 128},
    },
    "ada": {
        "16-bit": {"start_s": 1.3e-05, "stream": 0.9, "start_bytes": 3.14e05, "peak": 0.261, "rows": 104},
        "fp8": {"start_s": 1.31e-05, "stream": 0.9, "start_bytes": 2.32e05, "peak": 0.279, "rows": 99.9},
        "fp4": {"start_s": 1.3e-05, "stream": 0.9, "start_bytes": 3.14e05, "peak": 0.261, "rows": 104},
        "weight-only": {"start_s": 1.47e-05, "stream": 0.9, "start_bytes": 3.81e05, "peak": 0.331, "rows": 50.1},
        "gguf": {"start_s": 2.5e-05, "stream": 1, "start_bytes": 1e05, "peak": 0.1, "rows": 30},
        "fp8-block": {"start_s": 1.45e-05, "stream": 0.9, "start_bytes": 3.03e05, "peak": 0.32, "rows": 128},
    },
    "hopper": {
        "16-bit": {"start_s": 3.21e-05, "stream": 0.9, "start_bytes": 4.17e05, "peak": 0.285, "rows": 52.6},
        "fp8": {"start_s": 2.95e-05, "stream": 0.9, "start_bytes": 6.11e05, "peak": 0.312, "rows": 55.3},
        "fp4": {"start_s": 3.21e-05, "stream": 0.9, "start_bytes": 4.17e05, "peak": 0.285, "rows": 52.6},
        "weight-only": {"start_s": 4.58e-05, "stream": 0.9, "start_bytes": 4.88e05, "peak": 0.247, "rows": 26.5},
        "gguf": {"start_s": 2.5e-05, "stream": 0.67, "start_bytes": 1e05, "peak": 0.1, "rows": 30},
        "fp8-block": {"start_s": 3.59e-05, "stream": 0.9, "start_bytes": 6.77e05, "peak": 0.215, "rows": 37.9},
    },
    "blackwell": {
        "16-bit": {"start_s": 2.25e-05, "stream": 0.9, "start_bytes": 5.08e05, "peak": 0.3, "rows": 45.3},
        "fp8": {"start_s": 3.14e-05, "stream": 0.9, "start_bytes": 9.65e05, "peak": 0.221, "rows": 47.5},
        "fp4": {"start_s": 1.87e-05, "stream": 0.9, "start_bytes": 4.78e05, "peak": 0.213, "rows": 52.9},
        "weight-only": {"start_s": 2.94e-05, "stream": 0.9, "start_bytes": 5.72e05, "peak": 0.183, "rows": 32.9},
        "gguf": {"start_s": 2.5e-05, "stream": 0.67, "start_bytes": 1e05, "peak": 0.1, "rows": 30},
        "fp8-block": {"start_s": 3.3e-05, "stream": 0.9, "start_bytes": 8.03e05, "peak": 0.175, "rows": 46.5},
    },
    "blackwell-ultra": {
        "16-bit": {"start_s": 2.22e-05, "stream": 0.9, "start_bytes": 5.27e05, "peak": 0.302, "rows": 47.9},
        "fp8": {"start_s": 3.03e-05, "stream": 0.9, "start_bytes": 9.94e05, "peak": 0.232, "rows": 54},
        "fp4": {"start_s": 2.15e-05, "stream": 0.9, "start_bytes": 8.71e05, "peak": 0.146, "rows": 58.7},
        "weight-only": {"start_s": 2.86e-05, "stream": 0.9, "start_bytes": 5.65e05, "peak": 0.186, "rows": 33.1},
        "gguf": {"start_s": 2.5e-05, "stream": 0.67, "start_bytes": 1e05, "peak": 0.1, "rows": 30},
        "fp8-block": {"start_s": 3.2e-05, "stream": 0.9, "start_bytes": 8.19e05, "peak": 0.182, "rows": 49.5},
    },
    "blackwell-gddr": {
        "16-bit": {"start_s": 1.79e-05, "stream": 0.9, "start_bytes": 2.7e05, "peak": 0.313, "rows": 49.2},
        "fp8": {"start_s": 1.69e-05, "stream": 0.9, "start_bytes": 1.89e05, "peak": 0.35, "rows": 54.5},
        "fp4": {"start_s": 2.8e-05, "stream": 0.9, "start_bytes": 3.49e05, "peak": 0.303, "rows": 57},
        "weight-only": {"start_s": 2.13e-05, "stream": 0.9, "start_bytes": 3.44e05, "peak": 0.388, "rows": 22.2},
        "gguf": {"start_s": 2.5e-05, "stream": 1, "start_bytes": 1e05, "peak": 0.1, "rows": 30},
        "fp8-block": {"start_s": 3.4e-05, "stream": 0.9, "start_bytes": 2.83e05, "peak": 0.16, "rows": 39.9},
    },
    "amd": {
        "16-bit": {"start_s": 3.21e-05, "stream": 0.9, "start_bytes": 4.17e05, "peak": 0.285, "rows": 52.6},
        "fp8": {"start_s": 2.95e-05, "stream": 0.9, "start_bytes": 6.11e05, "peak": 0.312, "rows": 55.3},
        "fp4": {"start_s": 3.21e-05, "stream": 0.9, "start_bytes": 4.17e05, "peak": 0.285, "rows": 52.6},
        "weight-only": {"start_s": 4.58e-05, "stream": 0.9, "start_bytes": 4.88e05, "peak": 0.247, "rows": 26.5},
        "gguf": {"start_s": 2.5e-05, "stream": 1, "start_bytes": 1e05, "peak": 0.04, "rows": 30},
        "fp8-block": {"start_s": 3.59e-05, "stream": 0.9, "start_bytes": 6.77e05, "peak": 0.215, "rows": 37.9},
    },
    "intel": {
        "16-bit": {"start_s": 7.58e-05, "stream": 0.9, "start_bytes": 2.79e05, "peak": 0.324, "rows": 57.4},
        "fp8": {"start_s": 7.58e-05, "stream": 0.9, "start_bytes": 2.79e05, "peak": 0.324, "rows": 57.4},
        "fp4": {"start_s": 1.87e-05, "stream": 0.9, "start_bytes": 4.78e05, "peak": 0.213, "rows": 52.9},
        "weight-only": {"start_s": 0.000127, "stream": 0.9, "start_bytes": 4.34e05, "peak": 0.309, "rows": 23.9},
        "gguf": {"start_s": 2.5e-05, "stream": 1, "start_bytes": 1e05, "peak": 0.1, "rows": 30},
        "fp8-block": {"start_s": 7.58e-05, "stream": 0.9, "start_bytes": 2.79e05, "peak": 0.324, "rows": 57.4},
    },
    "gaudi": {
        "16-bit": {"start_s": 3.21e-05, "stream": 0.9, "start_bytes": 4.17e05, "peak": 0.285, "rows": 52.6},
        "fp8": {"start_s": 2.95e-05, "stream": 0.9, "start_bytes": 6.11e05, "peak": 0.312, "rows": 55.3},
        "fp4": {"start_s": 3.21e-05, "stream": 0.9, "start_bytes": 4.17e05, "peak": 0.285, "rows": 52.6},
        "weight-only": {"start_s": 4.58e-05, "stream": 0.9, "start_bytes": 4.88e05, "peak": 0.247, "rows": 26.5},
        "gguf": {"start_s": 2.5e-05, "stream": 1, "start_bytes": 1e05, "peak": 0.1, "rows": 30},
        "fp8-block": {"start_s": 3.59e-05, "stream": 0.9, "start_bytes": 6.77e05, "peak": 0.215, "rows": 37.9},
    },
    "other": {
        "16-bit": {"start_s": 1.79e-05, "stream": 0.9, "start_bytes": 2.7e05, "peak": 0.313, "rows": 49.2},
        "fp8": {"start_s": 1.69e-05, "stream": 0.9, "start_bytes": 1.89e05, "peak": 0.35, "rows": 54.5},
        "fp4": {"start_s": 2.8e-05, "stream": 0.9, "start_bytes": 3.49e05, "peak": 0.303, "rows": 57},
        "weight-only": {"start_s": 2.13e-05, "stream": 0.9, "start_bytes": 3.44e05, "peak": 0.388, "rows": 22.2},
        "gguf": {"start_s": 2.5e-05, "stream": 1, "start_bytes": 1e05, "peak": 0.1, "rows": 30},
        "fp8-block": {"start_s": 3.4e-05, "stream": 0.9, "start_bytes": 2.83e05, "peak": 0.16, "rows": 39.9},
    },
}
ATTENTION: Final[dict[str, dict[str, float]]] = {
    "ampere": {"peak": 0.573, "keys": 441, "stream": 0.605},
    "ampere-gddr": {"peak": 0.496, "keys": 416, "stream": 0.834},
    "ada": {"peak": 0.496, "keys": 416, "stream": 0.834},
    "hopper": {"peak": 0.619, "keys": 905, "stream": 0.779},
    "blackwell": {"peak": 0.564, "keys": 1.35e03, "stream": 0.892},
    "blackwell-ultra": {"peak": 0.714, "keys": 1.51e03, "stream": 0.869},
    "blackwell-gddr": {"peak": 0.569, "keys": 435, "stream": 0.92},
    "amd": {"peak": 0.4, "keys": 1.5e03, "stream": 0.6},
    "intel": {"peak": 0.728, "keys": 540, "stream": 0.92},
    "gaudi": {"peak": 0.619, "keys": 905, "stream": 0.779},
    "other": {"peak": 0.569, "keys": 435, "stream": 0.92},
}
INDEXER: Final = 0.431
INDEXER_S: Final = 6.17e-05
ERRORS: Final = {
    "PRODUCTS": "4 to 17 and 11 to 51 %",
    "MIXTURES": "6 to 30 and 21 to 86 %",
    "ATTENTION": "3 to 32 and 12 to 185 %",
}
