"""Constants of what an engine takes beside weights and KV cache, fitted on start-up logs.

Regenerate with `python scripts/calibrate_serving_memory.py --write`; it prints each fit with its leave-one-out error.
"""

from __future__ import annotations

from typing import Final

SAMPLER_BYTES: Final = 38.0
"""Bytes for each sequence x vocabulary entry while the profile run samples."""

HIDDEN_COPIES: Final = 1.8
"""Copies of the batch's hidden states alive at the same moment."""

LAYER_COPIES: Final = 3.2
"""Copies of the hidden states alive at the widest moment of a feed-forward layer, beside its own buffers."""

NON_TORCH_ONE_GIB: Final = 0.13
"""CUDA context growth and library workspaces of one 80 GB card alone; smaller cards take less in proportion."""

NON_TORCH_TOGETHER_GIB: Final = 0.7
"""Communication buffers, for each doubling of the GPUs that work together."""

NON_TORCH_ROCM_GIB: Final = 1.5
"""The same as NON_TORCH_ONE_GIB on ROCm, where hipBLASLt keeps large workspaces."""

SGLANG_START_GIB: Final = 0.45
"""What SGLang's process takes before it looks at the free memory: CUDA context, libraries."""

SGLANG_NVLINK_GIB: Final = 1.6
"""The same, more, where several GPUs talk over NVLink: NCCL and symmetric all-reduce buffers."""

SGLANG_LOAD_GIB: Final = 0.17
"""What loading adds to the weights as SGLang measures them, by free memory."""

ROCM_WEIGHTS: Final = 1.0138
"""Weights on ROCm against their bytes: rows are padded against memory-channel conflicts."""

GRAPH_BYTES: Final = 261_000.0
"""CUDA-graph memory for each captured batch size and layer."""
