"""What failures and checkpoints leave of the time of a training run."""

from __future__ import annotations

import math

from engine.figures.units import GB, SECONDS_PER_HOUR
from engine.scenario import Hardware

# 419 unexpected interruptions of 16,384 H100 in 54 days: Llama Team 2024 (arXiv 2407.21783, section 3.3.4).
GPU_HOURS_BETWEEN_FAILURES = 16384 * 54 * 24 / 419
RESTART_S = 900.0
CHECKPOINT_BYTES = 14
"""Bytes of a parameter in a checkpoint: 16-bit weights, fp32 master copy and AdamW states."""
LEAST_GOODPUT = 0.05
CHECKPOINT_WRITE_GB_S_PER_NODE = 2.0


def goodput(hardware: Hardware, parameters: float) -> float:
    """Share of wall time that makes progress: what checkpoints and failures leave at this size.

    Checkpoints of 14 bytes a parameter at Young's interval sqrt(2 c M) (Young 1974) cost c / interval, and each
    failure half an interval and a restart.
    """
    write = parameters * CHECKPOINT_BYTES / (CHECKPOINT_WRITE_GB_S_PER_NODE * hardware.nodes * GB)
    between = GPU_HOURS_BETWEEN_FAILURES / hardware.gpus * SECONDS_PER_HOUR
    interval = math.sqrt(2 * max(write, 1.0) * between)
    lost = write / interval + (interval / 2 + RESTART_S) / between
    return max(LEAST_GOODPUT, 1.0 - lost)
