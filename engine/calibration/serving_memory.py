"""Constants of what an engine takes beside weights and KV cache, fitted on start-up logs.

Written by `python -m tests.calibration serving_memory --left-out --write`, which prints each fit with its
leave-one-out error.
"""

from typing import Final

SAMPLER_SORTED_BYTES: Final = 38.0
"""Bytes for each sequence x vocabulary entry while the profile run samples and sorts. 7 logs, leave-one-out 1 %."""

HIDDEN_COPIES: Final = 1.8
"""Copies of the batch's hidden states alive while it samples. 7 logs, leave-one-out 27 %."""

LAYER_COPIES: Final = 3.41
"""Copies of the hidden states alive at the widest moment of a layer, beside its own buffers. 5 logs, leave-one-out 22 %."""

SAMPLER_BYTES: Final = 15.49
"""The same of current vLLM, which samples without sorting. 2 logs, leave-one-out 3 %."""

NON_TORCH_ONE_GIB: Final = 0.13
"""Context growth and library workspaces of one 80 GB card; smaller cards take less in proportion. 6 logs, leave-one-out 4 %."""

NON_TORCH_TOGETHER_EARLIER_GIB: Final = 0.3331
"""The same as NON_TORCH_TOGETHER_GIB in earlier vLLM. 4 logs, leave-one-out 75 %."""

NON_TORCH_TOGETHER_GIB: Final = 0.862
"""Communication buffers, for each doubling of the GPUs that work together. 2 logs, leave-one-out 18 %."""

NON_TORCH_ROCM_GIB: Final = 1.405
"""The same as NON_TORCH_ONE_GIB on ROCm, where hipBLASLt keeps large workspaces. 1 log."""

SGLANG_START_GIB: Final = 0.5353
"""What SGLang's process takes before it looks at the free memory: CUDA context, libraries. 1 log."""

SGLANG_NVLINK_GIB: Final = 1.42
"""The same, more, where several GPUs talk over NVLink: NCCL and symmetric all-reduce buffers. 1 log."""

SGLANG_LOAD_GIB: Final = 0.1926
"""What loading adds to the weights as SGLang measures them, by free memory. 1 log."""

ROCM_WEIGHTS: Final = 1.014
"""Weights on ROCm against their bytes: rows are padded against memory-channel conflicts. 2 logs, leave-one-out 0 %."""

GRAPH_POOL_GIB: Final = 0.13
"""CUDA-graph memory that any number of captured batch sizes shares. 4 logs, leave-one-out 9 %."""

GRAPH_BYTES: Final = 200_585.0
"""CUDA-graph memory for each captured batch size and layer, beside the pool. 4 logs, leave-one-out 9 %."""

KV_SPREAD: Final = (0.960, 1.038)
"""Factors around the KV tokens that fit which hold 80 % of what engines printed. 79 logs, each predicted without its source: docs/memory.md."""

ERRORS: Final[dict[str, str]] = {
    "SAMPLER_SORTED_BYTES": "7 logs, leave-one-out 1 %",
    "HIDDEN_COPIES": "7 logs, leave-one-out 27 %",
    "LAYER_COPIES": "5 logs, leave-one-out 22 %",
    "SAMPLER_BYTES": "2 logs, leave-one-out 3 %",
    "NON_TORCH_ONE_GIB": "6 logs, leave-one-out 4 %",
    "NON_TORCH_TOGETHER_EARLIER_GIB": "4 logs, leave-one-out 75 %",
    "NON_TORCH_TOGETHER_GIB": "2 logs, leave-one-out 18 %",
    "NON_TORCH_ROCM_GIB": "1 log",
    "SGLANG_START_GIB": "1 log",
    "SGLANG_NVLINK_GIB": "1 log",
    "SGLANG_LOAD_GIB": "1 log",
    "ROCM_WEIGHTS": "2 logs, leave-one-out 0 %",
    "GRAPH_POOL_GIB": "4 logs, leave-one-out 9 %",
    "GRAPH_BYTES": "4 logs, leave-one-out 9 %",
}
"""What each fit rests on, and its error."""
