"""Workings of serving speed: the decode step part by part, the prompt, and the load."""

from __future__ import annotations

from collections.abc import Callable

from engine.workings.case import Case
from engine.workings.record import Working
from engine.workings.serving_speed import prompt, request, step, throughput

FIGURES: dict[str, Callable[[Case], Working]] = request.FIGURES | throughput.FIGURES | step.FIGURES | prompt.FIGURES
"""By the name of the field of `Serving`, then the quantities that these are worked out from."""
SOMETIMES: dict[str, Callable[[Case], Working]] = throughput.SOMETIMES
"""Figures that a build has only under some workloads; None in `Serving` otherwise."""
