"""Nothing in the catalog breaks the engine: every card, link and model is sized, or refused with a reason."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

import catalog
from engine.decide.size import size
from engine.figures.errors import ScenarioError
from engine.parts.hardware import Accelerator
from engine.scenario import KINDS, Kind, Scenario, Workload

KNOWN = catalog.load()
# The least that every model's context allows.
LOAD = Workload(concurrency=4, input_tokens=900, output_tokens=100, sequence_length=1024)


def sized_or_refused(scenario: Scenario) -> bool:
    """Whether the scenario has a sizing; a refusal says why."""
    try:
        sizing = size(scenario)
    except ScenarioError as refused:
        print(scenario.model.id, scenario.hardware, refused)
        return False
    group = sizing.memory.worst
    parts = group.weights_bytes + group.kv_bytes + group.activation_bytes + group.runtime_bytes
    parts += group.optimizer_bytes + group.gradient_bytes + group.free_bytes
    assert parts == group.total_bytes
    return True


@pytest.mark.parametrize("accelerator", KNOWN.facts.accelerators, ids=lambda accelerator: accelerator.id)
def test_every_accelerator(accelerator: Accelerator) -> None:
    for gpus in (1, 8):
        if accelerator.max_gpus_per_node is not None and gpus > accelerator.max_gpus_per_node:
            continue
        assert sized_or_refused(catalog.build_scenario("llama-3.1-8b", "bf16", accelerator.id, gpus, workload=LOAD))


def test_a_box_holds_no_more_than_it_is_built_with() -> None:
    with pytest.raises(ScenarioError) as caught:
        size(catalog.build_scenario("llama-3.1-8b", "bf16", "gb10", 2, workload=LOAD))
    assert (caught.value.field, caught.value.nearest) == ("hardware.gpus_per_node", 1)


def test_a_platform_holds_its_own_accelerator() -> None:
    with pytest.raises(ScenarioError, match="dgx-h100 holds h100-sxm, not l4"):
        size(catalog.build_scenario("llama-3.1-8b", "bf16", "l4", 8, platform="dgx-h100", workload=LOAD))


@pytest.mark.parametrize("kind", KINDS)
def test_every_model(kind: Kind) -> None:
    load = dataclasses.replace(LOAD, kind=kind)
    for entry in KNOWN.models:
        scenario = catalog.build_scenario(entry.id, "", "h100-sxm", 8, workload=load)
        writes = not entry.architecture.embeds
        assert sized_or_refused(scenario) or kind not in ("serve", "batch") or not writes, entry.id


def test_every_link() -> None:
    for link in KNOWN.facts.links:
        names: dict[str, Any] = {"intra_link" if link.scope == "intra-node" else "inter_link": link.id}
        scenario = catalog.build_scenario("llama-3.1-70b", "fp8", "h100-sxm", 2, 2, workload=LOAD, **names)
        assert sized_or_refused(scenario), link.id


def test_every_platform() -> None:
    for platform in KNOWN.facts.platforms:
        scenario = catalog.build_scenario(
            "llama-3.1-8b",
            "bf16",
            platform.accelerator,
            platform.gpus,
            platform.nodes,
            platform=platform.id,
            workload=LOAD,
        )
        assert sized_or_refused(scenario), platform.id
