"""Fitted constants of the training-memory model.

`python scripts/calibrate_training_memory.py` fits them on tests/reference/training_memory.jsonl and prints the errors
with each source left out; `--write` rewrites this module. What each one multiplies: engine/training_memory/peak.py.
"""

from __future__ import annotations

from typing import Final

# Bytes a logit (one vocabulary entry of one token) at the loss, by how the loss is computed.
LOGIT_EAGER: Final = 12.5
LOGIT_EAGER_16BIT: Final = 8.5
LOGIT_COMPILED: Final = 8.5
LOGIT_COMPILED_WHOLE: Final = 4.5
LOGIT_CHUNKED: Final = 2.0
LOGIT_FUSED: Final = 0.0
# Hidden states alive beside the logits.
LOSS_HIDDEN: Final = 3.0
# Elements a layer keeps for its backward, in multiples of the hidden size, the width of Q, K and V, and of the
# feed-forward's inner outputs.
SAVED_HIDDEN: Final = 5.0
SAVED_QKV: Final = 1.6
SAVED_MLP: Final = 2.0
# More of the same while the backward of a layer runs.
BACKWARD_HIDDEN: Final = 2.0
BACKWARD_MLP: Final = 1.5
# Hidden states that unfused norms and rotary embeddings add to the backward of a layer.
UNFUSED_HIDDEN: Final = 3.5
# Whole hidden states that tensor parallelism gathers in a layer.
GATHERED_HIDDEN: Final = 4.0
# Bytes that 4-bit kernels of 2023 keep of each projection's input, and use to unpack one GPTQ element.
QUANTIZED_INPUT: Final = 3.0
GPTQ_UNPACK: Final = 27.0
# Bytes of DeepSpeed's flat communication buckets.
DEEPSPEED_BUCKETS: Final = 1.2e9
# Cache that the allocator holds beyond the peak: shares of what a step allocates and frees, and of the smaller of the
# loss and the layer's backward.
CACHE_SHARE: Final = 0.12
CACHE_SHARE_GATHERED: Final = 0.16
CACHE_OTHER_PHASE: Final = 0.8
# The part of that cache that cannot be given back when memory runs short.
STUCK_SHARE: Final = 0.5
# CUDA context with libraries; communicators when there is more than one rank. Bytes.
CONTEXT: Final = 0.6e9
COMMUNICATORS: Final = 1.0e9
