"""Scenarios that several engine tests share, made from the shipped catalog."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import catalog
from engine.scenario import LayoutChoice, Scenario, Workload


def build(
    model: str = "llama-3.1-70b",
    weights: str = "fp8",
    accelerator: str = "rtx-pro-6000-server",
    gpus_per_node: int = 8,
    nodes: int = 1,
    layout: LayoutChoice | None = None,
    **workload: Any,
) -> Scenario:
    """A scenario from ids; workload keys as in a session file."""
    return catalog.build_scenario(
        model,
        weights,
        accelerator,
        gpus_per_node,
        nodes,
        workload=replace(Workload(), **workload),
        layout=layout,
    )
