"""Curves of kernels: what products, experts and attention take by shape, as share of a card's data sheet.

Read off the measured tables of aiconfigurator-core 0.12.0 (Apache-2.0, see NOTICE): products, context and generation
attention and mixtures of experts on A100, H100, H200, B200, B300, GB200, GB300, L40S, RTX PRO 6000 and B60, by vLLM, SGLang and
TensorRT-LLM. By class of card and of arithmetic:

    product    = ((bytes / (bandwidth x stream))^4 + ((tokens + rows) FLOPs / (peak rate x peak))^4)^(1/4)
    mixture    = start_s + the same with start_bytes more for each expert that is read, and rows for each expert
    attention  = FLOPs / (peak rate x peak) x (1 + keys / tokens); decoding, bytes / (bandwidth x stream)

A table is met within 4 to 16 % in the median and 11 to 45 % in nine of ten: products 5 to 16 and 11 to 45, attention of prompts 3 to 14 and
11 to 39, mixtures 8 to 28 and 20 to 68. Mixtures: between balanced routing and the tables' power law of 1.01. Classes
without tables take those of the class nearest to them: `ampere-gddr` and `other` of `ada` and `blackwell-gddr`, `amd` of
`hopper` at the 0.7 and 0.55 that its users report. Blocks of llama.cpp (`gguf`) are not in the tables: published speeds. INDEXER: DeepSeek's
fp8_mqa_logits over the FP8 peak, at causal FLOPs.
"""

from typing import Final

PRODUCTS: Final[dict[str, dict[str, dict[str, float]]]] = {
    "ampere": {
        "16-bit": {"stream": 0.79, "peak": 0.81, "rows": 84},
        "fp8": {"stream": 0.79, "peak": 0.7, "rows": 84},
        "fp4": {"stream": 0.75, "peak": 0.39, "rows": 60},
        "weight-only": {"stream": 0.75, "peak": 0.689, "rows": 40},
        "gguf": {"stream": 0.87, "peak": 0.15, "rows": 40},
    },
    "ampere-gddr": {
        "16-bit": {"stream": 0.8, "peak": 0.61, "rows": 110},
        "fp8": {"stream": 0.8, "peak": 0.44, "rows": 100},
        "fp4": {"stream": 0.75, "peak": 0.39, "rows": 60},
        "weight-only": {"stream": 0.75, "peak": 0.518, "rows": 40},
        "gguf": {"stream": 0.87, "peak": 0.15, "rows": 40},
    },
    "ada": {
        "16-bit": {"stream": 0.8, "peak": 0.61, "rows": 110},
        "fp8": {"stream": 0.8, "peak": 0.44, "rows": 100},
        "fp4": {"stream": 0.75, "peak": 0.39, "rows": 60},
        "weight-only": {"stream": 0.75, "peak": 0.518, "rows": 40},
        "gguf": {"stream": 0.87, "peak": 0.15, "rows": 40},
    },
    "hopper": {
        "16-bit": {"stream": 0.84, "peak": 0.79, "rows": 25},
        "fp8": {"stream": 0.85, "peak": 0.53, "rows": 80},
        "fp4": {"stream": 0.75, "peak": 0.39, "rows": 60},
        "weight-only": {"stream": 0.75, "peak": 0.671, "rows": 40},
        "gguf": {"stream": 0.87, "peak": 0.15, "rows": 40},
    },
    "blackwell": {
        "16-bit": {"stream": 0.79, "peak": 0.71, "rows": 80},
        "fp8": {"stream": 0.72, "peak": 0.46, "rows": 75},
        "fp4": {"stream": 0.75, "peak": 0.39, "rows": 60},
        "weight-only": {"stream": 0.75, "peak": 0.603, "rows": 40},
        "gguf": {"stream": 0.87, "peak": 0.15, "rows": 40},
    },
    "blackwell-ultra": {
        "16-bit": {"stream": 0.77, "peak": 0.77, "rows": 90},
        "fp8": {"stream": 0.71, "peak": 0.48, "rows": 85},
        "fp4": {"stream": 0.7, "peak": 0.28, "rows": 70},
        "weight-only": {"stream": 0.75, "peak": 0.654, "rows": 40},
        "gguf": {"stream": 0.87, "peak": 0.15, "rows": 40},
    },
    "blackwell-gddr": {
        "16-bit": {"stream": 0.95, "peak": 0.765, "rows": 138},
        "fp8": {"stream": 0.92, "peak": 0.65, "rows": 100},
        "fp4": {"stream": 0.75, "peak": 0.6, "rows": 10},
        "weight-only": {"stream": 0.75, "peak": 0.65, "rows": 40},
        "gguf": {"stream": 0.87, "peak": 0.15, "rows": 40},
    },
    "amd": {
        "16-bit": {"stream": 0.7, "peak": 0.55, "rows": 80},
        "fp8": {"stream": 0.7, "peak": 0.45, "rows": 80},
        "fp4": {"stream": 0.75, "peak": 0.39, "rows": 60},
        "weight-only": {"stream": 0.7, "peak": 0.468, "rows": 40},
        "gguf": {"stream": 0.87, "peak": 0.15, "rows": 40},
    },
    "intel": {
        "16-bit": {"stream": 0.92, "peak": 0.95, "rows": 80},
        "fp8": {"stream": 1.0, "peak": 0.48, "rows": 75},
        "fp4": {"stream": 0.75, "peak": 0.39, "rows": 60},
        "weight-only": {"stream": 0.75, "peak": 0.807, "rows": 40},
        "gguf": {"stream": 0.87, "peak": 0.15, "rows": 40},
    },
    "other": {
        "16-bit": {"stream": 0.8, "peak": 0.61, "rows": 110},
        "fp8": {"stream": 0.8, "peak": 0.44, "rows": 100},
        "fp4": {"stream": 0.75, "peak": 0.39, "rows": 60},
        "weight-only": {"stream": 0.75, "peak": 0.518, "rows": 40},
        "gguf": {"stream": 0.87, "peak": 0.15, "rows": 40},
    },
}
MIXTURES: Final[dict[str, dict[str, dict[str, float]]]] = {
    "ampere": {
        "16-bit": {"start_s": 6e-05, "stream": 0.9, "start_bytes": 5e05, "peak": 0.4, "rows": 45},
        "fp8": {"start_s": 6e-05, "stream": 0.9, "start_bytes": 5e05, "peak": 0.4, "rows": 45},
        "fp4": {"start_s": 6e-05, "stream": 0.9, "start_bytes": 5e05, "peak": 0.4, "rows": 45},
        "weight-only": {"start_s": 5.2e-05, "stream": 0.85, "start_bytes": 8e05, "peak": 0.2, "rows": 6},
        "gguf": {"start_s": 4e-05, "stream": 1.0, "start_bytes": 1e05, "peak": 0.1, "rows": 30},
    },
    "ampere-gddr": {
        "16-bit": {"start_s": 1.2e-05, "stream": 0.9, "start_bytes": 3e05, "peak": 0.35, "rows": 110},
        "fp8": {"start_s": 1.2e-05, "stream": 0.9, "start_bytes": 3e05, "peak": 0.33, "rows": 110},
        "fp4": {"start_s": 1.2e-05, "stream": 0.9, "start_bytes": 3e05, "peak": 0.33, "rows": 110},
        "weight-only": {"start_s": 1e-05, "stream": 0.9, "start_bytes": 3e05, "peak": 0.45, "rows": 45},
        "gguf": {"start_s": 4e-05, "stream": 1.0, "start_bytes": 1e05, "peak": 0.1, "rows": 30},
    },
    "ada": {
        "16-bit": {"start_s": 1.2e-05, "stream": 0.9, "start_bytes": 3e05, "peak": 0.35, "rows": 110},
        "fp8": {"start_s": 1.2e-05, "stream": 0.9, "start_bytes": 3e05, "peak": 0.33, "rows": 110},
        "fp4": {"start_s": 1.2e-05, "stream": 0.9, "start_bytes": 3e05, "peak": 0.33, "rows": 110},
        "weight-only": {"start_s": 1e-05, "stream": 0.9, "start_bytes": 3e05, "peak": 0.45, "rows": 45},
        "gguf": {"start_s": 4e-05, "stream": 1.0, "start_bytes": 1e05, "peak": 0.1, "rows": 30},
    },
    "hopper": {
        "16-bit": {"start_s": 3.6e-05, "stream": 0.9, "start_bytes": 5e05, "peak": 0.45, "rows": 60},
        "fp8": {"start_s": 3.8e-05, "stream": 0.9, "start_bytes": 1e06, "peak": 0.28, "rows": 45},
        "fp4": {"start_s": 4.5e-05, "stream": 0.9, "start_bytes": 6e05, "peak": 0.33, "rows": 35},
        "weight-only": {"start_s": 4.8e-05, "stream": 0.9, "start_bytes": 6e05, "peak": 0.33, "rows": 35},
        "gguf": {"start_s": 4e-05, "stream": 1.0, "start_bytes": 1e05, "peak": 0.1, "rows": 30},
    },
    "blackwell": {
        "16-bit": {"start_s": 2.4e-05, "stream": 0.9, "start_bytes": 5e05, "peak": 0.38, "rows": 50},
        "fp8": {"start_s": 2.9e-05, "stream": 0.9, "start_bytes": 1e06, "peak": 0.26, "rows": 50},
        "fp4": {"start_s": 2e-05, "stream": 0.9, "start_bytes": 1e06, "peak": 0.23, "rows": 50},
        "weight-only": {"start_s": 2e-05, "stream": 0.85, "start_bytes": 1.2e06, "peak": 0.2, "rows": 25},
        "gguf": {"start_s": 4e-05, "stream": 1.0, "start_bytes": 1e05, "peak": 0.1, "rows": 30},
    },
    "blackwell-ultra": {
        "16-bit": {"start_s": 2.4e-05, "stream": 0.9, "start_bytes": 5e05, "peak": 0.38, "rows": 50},
        "fp8": {"start_s": 2.9e-05, "stream": 0.9, "start_bytes": 1e06, "peak": 0.26, "rows": 50},
        "fp4": {"start_s": 1.9e-05, "stream": 0.9, "start_bytes": 1e06, "peak": 0.17, "rows": 55},
        "weight-only": {"start_s": 2e-05, "stream": 0.85, "start_bytes": 1.2e06, "peak": 0.2, "rows": 25},
        "gguf": {"start_s": 4e-05, "stream": 1.0, "start_bytes": 1e05, "peak": 0.1, "rows": 30},
    },
    "blackwell-gddr": {
        "16-bit": {"start_s": 2e-05, "stream": 0.9, "start_bytes": 5e04, "peak": 0.37, "rows": 60},
        "fp8": {"start_s": 2.7e-05, "stream": 0.9, "start_bytes": 1e05, "peak": 0.33, "rows": 55},
        "fp4": {"start_s": 2.8e-05, "stream": 0.9, "start_bytes": 3e05, "peak": 0.36, "rows": 60},
        "weight-only": {"start_s": 2.2e-05, "stream": 0.9, "start_bytes": 1e05, "peak": 0.4, "rows": 25},
        "gguf": {"start_s": 4e-05, "stream": 1.0, "start_bytes": 1e05, "peak": 0.1, "rows": 30},
    },
    "amd": {
        "16-bit": {"start_s": 3.6e-05, "stream": 0.9, "start_bytes": 5e05, "peak": 0.45, "rows": 60},
        "fp8": {"start_s": 3.8e-05, "stream": 0.9, "start_bytes": 1e06, "peak": 0.28, "rows": 45},
        "fp4": {"start_s": 4.5e-05, "stream": 0.9, "start_bytes": 6e05, "peak": 0.33, "rows": 35},
        "weight-only": {"start_s": 4.8e-05, "stream": 0.9, "start_bytes": 6e05, "peak": 0.33, "rows": 35},
        "gguf": {"start_s": 4e-05, "stream": 1.0, "start_bytes": 1e05, "peak": 0.1, "rows": 30},
    },
    "intel": {
        "16-bit": {"start_s": 6e-05, "stream": 0.9, "start_bytes": 5e05, "peak": 0.4, "rows": 45},
        "fp8": {"start_s": 6e-05, "stream": 0.9, "start_bytes": 5e05, "peak": 0.4, "rows": 45},
        "fp4": {"start_s": 6e-05, "stream": 0.9, "start_bytes": 5e05, "peak": 0.4, "rows": 45},
        "weight-only": {"start_s": 5.2e-05, "stream": 0.85, "start_bytes": 8e05, "peak": 0.2, "rows": 6},
        "gguf": {"start_s": 4e-05, "stream": 1.0, "start_bytes": 1e05, "peak": 0.1, "rows": 30},
    },
    "other": {
        "16-bit": {"start_s": 2e-05, "stream": 0.9, "start_bytes": 5e04, "peak": 0.37, "rows": 60},
        "fp8": {"start_s": 2.7e-05, "stream": 0.9, "start_bytes": 1e05, "peak": 0.33, "rows": 55},
        "fp4": {"start_s": 2.8e-05, "stream": 0.9, "start_bytes": 3e05, "peak": 0.36, "rows": 60},
        "weight-only": {"start_s": 2.2e-05, "stream": 0.9, "start_bytes": 1e05, "peak": 0.4, "rows": 25},
        "gguf": {"start_s": 4e-05, "stream": 1.0, "start_bytes": 1e05, "peak": 0.1, "rows": 30},
    },
}
ATTENTION: Final[dict[str, dict[str, float]]] = {
    "ampere": {"peak": 0.55, "keys": 450, "stream": 0.65},
    "ampere-gddr": {"peak": 0.5, "keys": 450, "stream": 0.8},
    "ada": {"peak": 0.5, "keys": 450, "stream": 0.86},
    "hopper": {"peak": 0.62, "keys": 950, "stream": 0.76},
    "blackwell": {"peak": 0.57, "keys": 1500, "stream": 0.86},
    "blackwell-ultra": {"peak": 0.72, "keys": 1600, "stream": 0.85},
    "blackwell-gddr": {"peak": 0.58, "keys": 450, "stream": 0.92},
    "amd": {"peak": 0.4, "keys": 1500, "stream": 0.6},
    "intel": {"peak": 0.6, "keys": 450, "stream": 0.92},
    "other": {"peak": 0.4, "keys": 450, "stream": 0.8},
}
INDEXER: Final = 0.44
