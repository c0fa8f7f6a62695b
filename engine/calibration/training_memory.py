"""Fitted constants of the training-memory model.

`python scripts/calibrate_training_memory.py` prints how they were fitted on tests/reference/training_memory.jsonl
and their leave-one-source-out errors; `--write` rewrites the values here.

Widths are in elements a token, in units that the docstring of `engine.training_memory.activations` defines.
"""

from __future__ import annotations

from typing import Final

# Bytes kept a logit (vocabulary element of a token) at the loss, by loss implementation.
LOGIT_BYTES: Final[dict[str, float]] = {
    "eager": 14.0,
    "eager-16bit": 8.0,
    "compiled": 9.0,
    "chunked": 4.0,
    "fused": 0.0,
}
# Hidden states (tokens x hidden x 2 bytes) alive beside the logits at the loss.
LOSS_HIDDEN_STATES: Final = 3.0
# Widths that one decoder layer keeps for its backward without recomputation, in multiples of each width.
SAVED_HIDDEN: Final = 5.0
SAVED_QKV: Final = 1.6
SAVED_ATTENTION: Final = 1.0
SAVED_MLP: Final = 2.0
# Extra widths while the backward of a recomputed layer runs (gradients of the widest tensors).
BACKWARD_HIDDEN: Final = 2.0
BACKWARD_MLP: Final = 1.5
# Share of the allocated peak that the allocator holds beyond it, by what causes it.
RESERVED_SHARE: Final = 0.09
RESERVED_SHARE_SHARDED: Final = 0.17
# The share of that cache that cannot be given back under pressure.
STUCK_SHARE: Final = 0.35
# CUDA context and libraries, and NCCL buffers with more than one rank, bytes.
CONTEXT_BYTES: Final = 550_000_000
NCCL_BYTES: Final = 400_000_000
