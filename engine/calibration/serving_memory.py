"""Constants of what an engine takes beside weights and KV cache, fitted on start-up logs.

Regenerate with `python scripts/calibrate_serving_memory.py --write`; it prints each fit with its
leave-one-out error.
"""

from typing import Final

SAMPLER_BYTES: Final = 38.0
"""Bytes for each sequence x vocabulary entry while the profile run samples. 7 logs, leave-one-out 1 %."""

HIDDEN_COPIES: Final = 1.8
"""Copies of the batch's hidden states alive while it samples. 7 logs, leave-one-out 27 %."""

LAYER_COPIES: Final = 3.41
"""Copies of the hidden states alive at the widest moment of a layer, beside its own buffers. 5 logs, leave-one-out 22 %."""

NON_TORCH_ONE_GIB: Final = 0.13
"""Context growth and library workspaces of one 80 GB card; smaller cards take less in proportion. 6 logs, leave-one-out 4 %."""

NON_TORCH_TOGETHER_GIB: Final = 0.8183
"""Communication buffers, for each doubling of the GPUs that work together. 3 logs, leave-one-out 52 %."""

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

GRAPH_BYTES: Final = 238_089.0
"""CUDA-graph memory for each captured batch size and layer. 9 logs, leave-one-out 52 %."""

ERRORS: Final[dict[str, str]] = {
    "SAMPLER_BYTES": "7 logs, leave-one-out 1 %",
    "HIDDEN_COPIES": "7 logs, leave-one-out 27 %",
    "LAYER_COPIES": "5 logs, leave-one-out 22 %",
    "NON_TORCH_ONE_GIB": "6 logs, leave-one-out 4 %",
    "NON_TORCH_TOGETHER_GIB": "3 logs, leave-one-out 52 %",
    "NON_TORCH_ROCM_GIB": "1 log",
    "SGLANG_START_GIB": "1 log",
    "SGLANG_NVLINK_GIB": "1 log",
    "SGLANG_LOAD_GIB": "1 log",
    "ROCM_WEIGHTS": "2 logs, leave-one-out 0 %",
    "GRAPH_BYTES": "9 logs, leave-one-out 52 %",
}
"""What each fit rests on, and its error."""
