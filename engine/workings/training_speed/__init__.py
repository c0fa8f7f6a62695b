"""Workings of training speed: one optimizer step taken apart, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable

from engine.workings.case import Case
from engine.workings.record import Working
from engine.workings.training_speed import efficiency, kernels, run, step

FIGURES: dict[str, Callable[[Case], Working]] = step.FIGURES | run.FIGURES | efficiency.FIGURES | kernels.FIGURES
"""By the name of the field of `Training`, then the quantities that these are worked out from."""
SOMETIMES = efficiency.SOMETIMES
"""Figures that a run may lack."""
