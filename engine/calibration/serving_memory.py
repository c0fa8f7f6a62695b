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

NON_TORCH_ONE_GIB: Final = 0.14
"""CUDA context growth and library workspaces of one GPU alone."""

NON_TORCH_PER_DOUBLING_GIB: Final = 0.7
"""Communication buffers, for each doubling of the GPUs that work together."""

NON_TORCH_ROCM_GIB: Final = 1.5
"""The same as NON_TORCH_ONE_GIB on ROCm, where hipBLASLt keeps large workspaces."""

GRAPH_BYTES: Final = 320_000.0
"""CUDA-graph memory for each captured batch size and layer."""
