"""Memory of fine-tuning and pretraining, per GPU: `training_memory(scenario, layout)`.

What it needs (decides fit) and what nvidia-smi will show are two figures: PyTorch's allocator keeps freed blocks
and gives most of them back under pressure.
"""

from engine.training.memory.assumptions import assumption_lines
from engine.training.memory.memory import (
    detailed_memory,
    may_fit,
    training_memory,
    training_settings,
    training_spare,
)

__all__ = ["assumption_lines", "detailed_memory", "may_fit", "training_memory", "training_settings", "training_spare"]
