"""Curves of kernels: what products, experts and attention take by shape, as share of a card's data sheet.

Written by `python -m tests.calibration kernels DIRECTORY --write` from the measured tables of aiconfigurator-core 0.12.0
(Apache-2.0, see NOTICE): A100, H100, H200, B200, B300, GB200, GB300, L40S, RTX PRO 6000 and B60 under vLLM, SGLang and
TensorRT-LLM. By class of card and of arithmetic:

    product    = ((bytes / (bandwidth x stream))^4 + ((tokens + rows) FLOPs / (peak rate x peak))^4)^(1/4)
    mixture    = start_s + the same with start_bytes more for each expert that is read, and rows for each expert
    attention  = FLOPs / (peak rate x peak) x (1 + keys / tokens); decoding, bytes / (bandwidth x stream)

Errors of the tables by their own curves, median and nine in ten, lowest to highest: products 4 to 17 and 11 to 51 %; mixtures
6 to 33 and 23 to 100 %; attention 3 to 32 and 12 to 185 %. Classes without tables take the nearest one's. INDEXER:
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
    },
    "ampere-gddr": {
        "16-bit": {"start_s": 1.4e-05, "stream": 0.9, "start_bytes": 3.16e05, "peak": 0.268, "rows": 102},
        "fp8": {"start_s": 1.54e-05, "stream": 0.9, "start_bytes": 2.69e05, "peak": 0.301, "rows": 111},
        "fp4": {"start_s": 1.4e-05, "stream": 0.9, "start_bytes": 3.16e05, "peak": 0.268, "rows": 102},
        "weight-only": {"start_s": 1.47e-05, "stream": 0.9, "start_bytes": 3.81e05, "peak": 0.331, "rows": 50.1},
        "gguf": {"start_s": 2.5e-05, "stream": 1, "start_bytes": 1e05, "peak": 0.1, "rows": 30},
    },
    "ada": {
        "16-bit": {"start_s": 1.4e-05, "stream": 0.9, "start_bytes": 3.16e05, "peak": 0.268, "rows": 102},
        "fp8": {"start_s": 1.54e-05, "stream": 0.9, "start_bytes": 2.69e05, "peak": 0.301, "rows": 111},
        "fp4": {"start_s": 1.4e-05, "stream": 0.9, "start_bytes": 3.16e05, "peak": 0.268, "rows": 102},
        "weight-only": {"start_s": 1.47e-05, "stream": 0.9, "start_bytes": 3.81e05, "peak": 0.331, "rows": 50.1},
        "gguf": {"start_s": 2.5e-05, "stream": 1, "start_bytes": 1e05, "peak": 0.1, "rows": 30},
    },
    "hopper": {
        "16-bit": {"start_s": 3.38e-05, "stream": 0.9, "start_bytes": 3.07e05, "peak": 0.285, "rows": 42.6},
        "fp8": {"start_s": 3.62e-05, "stream": 0.9, "start_bytes": 3.98e05, "peak": 0.272, "rows": 36},
        "fp4": {"start_s": 3.38e-05, "stream": 0.9, "start_bytes": 3.07e05, "peak": 0.285, "rows": 42.6},
        "weight-only": {"start_s": 3.98e-05, "stream": 0.9, "start_bytes": 4.9e05, "peak": 0.244, "rows": 28},
        "gguf": {"start_s": 2.5e-05, "stream": 0.67, "start_bytes": 1e05, "peak": 0.1, "rows": 30},
    },
    "blackwell": {
        "16-bit": {"start_s": 1.94e-05, "stream": 0.9, "start_bytes": 4.32e05, "peak": 0.279, "rows": 37.1},
        "fp8": {"start_s": 3.08e-05, "stream": 0.9, "start_bytes": 3.97e05, "peak": 0.133, "rows": 38},
        "fp4": {"start_s": 1.82e-05, "stream": 0.9, "start_bytes": 4.8e05, "peak": 0.23, "rows": 52.2},
        "weight-only": {"start_s": 2.65e-05, "stream": 0.9, "start_bytes": 5.92e05, "peak": 0.194, "rows": 29},
        "gguf": {"start_s": 2.5e-05, "stream": 0.67, "start_bytes": 1e05, "peak": 0.1, "rows": 30},
    },
    "blackwell-ultra": {
        "16-bit": {"start_s": 1.94e-05, "stream": 0.9, "start_bytes": 4.52e05, "peak": 0.294, "rows": 41.1},
        "fp8": {"start_s": 3.01e-05, "stream": 0.9, "start_bytes": 4.06e05, "peak": 0.141, "rows": 40.3},
        "fp4": {"start_s": 1.67e-05, "stream": 0.9, "start_bytes": 4.84e05, "peak": 0.164, "rows": 62},
        "weight-only": {"start_s": 2.57e-05, "stream": 0.9, "start_bytes": 5.83e05, "peak": 0.199, "rows": 29.4},
        "gguf": {"start_s": 2.5e-05, "stream": 0.67, "start_bytes": 1e05, "peak": 0.1, "rows": 30},
    },
    "blackwell-gddr": {
        "16-bit": {"start_s": 1.76e-05, "stream": 0.9, "start_bytes": 2.78e05, "peak": 0.322, "rows": 46.6},
        "fp8": {"start_s": 2.68e-05, "stream": 0.9, "start_bytes": 2.51e05, "peak": 0.206, "rows": 42.1},
        "fp4": {"start_s": 2.8e-05, "stream": 0.9, "start_bytes": 3.41e05, "peak": 0.298, "rows": 52.1},
        "weight-only": {"start_s": 2.13e-05, "stream": 0.9, "start_bytes": 3.44e05, "peak": 0.388, "rows": 22.2},
        "gguf": {"start_s": 2.5e-05, "stream": 1, "start_bytes": 1e05, "peak": 0.1, "rows": 30},
    },
    "amd": {
        "16-bit": {"start_s": 3.38e-05, "stream": 0.9, "start_bytes": 3.07e05, "peak": 0.285, "rows": 42.6},
        "fp8": {"start_s": 3.62e-05, "stream": 0.9, "start_bytes": 3.98e05, "peak": 0.272, "rows": 36},
        "fp4": {"start_s": 3.38e-05, "stream": 0.9, "start_bytes": 3.07e05, "peak": 0.285, "rows": 42.6},
        "weight-only": {"start_s": 3.98e-05, "stream": 0.9, "start_bytes": 4.9e05, "peak": 0.244, "rows": 28},
        "gguf": {"start_s": 2.5e-05, "stream": 1, "start_bytes": 1e05, "peak": 0.04, "rows": 30},
    },
    "intel": {
        "16-bit": {"start_s": 7.58e-05, "stream": 0.9, "start_bytes": 2.79e05, "peak": 0.324, "rows": 57.4},
        "fp8": {"start_s": 7.58e-05, "stream": 0.9, "start_bytes": 2.79e05, "peak": 0.324, "rows": 57.4},
        "fp4": {"start_s": 1.82e-05, "stream": 0.9, "start_bytes": 4.8e05, "peak": 0.23, "rows": 52.2},
        "weight-only": {"start_s": 0.000127, "stream": 0.9, "start_bytes": 4.34e05, "peak": 0.309, "rows": 23.9},
        "gguf": {"start_s": 2.5e-05, "stream": 1, "start_bytes": 1e05, "peak": 0.1, "rows": 30},
    },
    "other": {
        "16-bit": {"start_s": 1.76e-05, "stream": 0.9, "start_bytes": 2.78e05, "peak": 0.322, "rows": 46.6},
        "fp8": {"start_s": 2.68e-05, "stream": 0.9, "start_bytes": 2.51e05, "peak": 0.206, "rows": 42.1},
        "fp4": {"start_s": 2.8e-05, "stream": 0.9, "start_bytes": 3.41e05, "peak": 0.298, "rows": 52.1},
        "weight-only": {"start_s": 2.13e-05, "stream": 0.9, "start_bytes": 3.44e05, "peak": 0.388, "rows": 22.2},
        "gguf": {"start_s": 2.5e-05, "stream": 1, "start_bytes": 1e05, "peak": 0.1, "rows": 30},
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
    "other": {"peak": 0.569, "keys": 435, "stream": 0.92},
}
INDEXER: Final = 0.431
INDEXER_S: Final = 6.17e-05
ERRORS: Final = {
    "PRODUCTS": "4 to 17 and 11 to 51 %",
    "MIXTURES": "6 to 33 and 23 to 100 %",
    "ATTENTION": "3 to 32 and 12 to 185 %",
}
