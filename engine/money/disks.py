"""What the disks of a node hold: weights, and the checkpoints of a run."""

from __future__ import annotations

from engine.model.formats import model_weight_bytes
from engine.model.parameters import count_parameters
from engine.scenario import Scenario

# A resumable checkpoint: 16-bit weights, fp32 master copy and two Adam moments (ZeRO, Rajbhandari et al. 2020, 3.1).
CHECKPOINT_BYTES_PER_PARAMETER = 14
COPIES = 2
"""Of weights, the one that runs and the next one; of checkpoints, the last whole one and the one being written."""


def checkpoint_bytes(scenario: Scenario) -> int:
    """Size of one checkpoint that a run of all parameters resumes from; 0 of other work."""
    if scenario.workload.is_inference or scenario.workload.trains != "full":
        return 0
    return CHECKPOINT_BYTES_PER_PARAMETER * count_parameters(scenario.model.architecture).total


def nvme_bytes(scenario: Scenario) -> int:
    """What a node's disks hold at least, bytes: two copies of the weights, and of the checkpoints of a run."""
    weights = model_weight_bytes(scenario.model.architecture, scenario.model.weights)
    return COPIES * (weights + checkpoint_bytes(scenario))
