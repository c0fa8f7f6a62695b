"""FLOPs of training: what MFU counts, and what no card does faster than its data sheet."""

from __future__ import annotations

from engine.model.architecture import Architecture
from engine.model.flops import active_elements, forward_flops_per_token
from engine.scenario import Workload


def training_flops_per_token(architecture: Architecture, workload: Workload) -> float:
    """FLOPs that training on one token takes, nothing recomputed: what MFU counts.

    One forward and two backward passes; adapters leave the weights frozen, which need no gradient of their own: of a
    product with them the backward pass is one product. Their own products, under 1 %, are not counted.
    """
    forward = forward_flops_per_token(architecture, workload.sequence_length)
    if workload.trains == "full":
        return 3.0 * forward
    return 3.0 * forward - 2.0 * active_elements(architecture).total
