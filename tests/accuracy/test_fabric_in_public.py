"""A fabric that carried a build in public is not said to be unusable for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from engine.decide.size import size
from engine.figures.errors import ScenarioError
from engine.scenario import LayoutChoice, Scenario
from tests.accuracy import inference_perf, training_perf
from tests.accuracy.harness import REFERENCE, load_rows

FEWEST = 20
"""So many builds over more than one node are looked at, at least, by links of three kinds."""


def _trained() -> Iterator[tuple[str, Scenario]]:
    for row in load_rows(REFERENCE / "training_perf.jsonl"):
        written = training_perf.scenario_of(row)
        if not isinstance(written, str) and written[0].hardware.nodes > 1:
            layout = written[1]
            pinned = LayoutChoice(tp=layout.tp, pp=layout.pp, dp=layout.dp, ep=layout.ep)
            yield row["id"], replace(written[0], layout=pinned)


def _served() -> Iterator[tuple[str, Scenario]]:
    for row in load_rows(REFERENCE / "inference_perf.jsonl"):
        if int(row.get("nodes") or 1) > 1:
            try:
                yield row["id"], inference_perf.prepare(row).scenario
            except inference_perf.Unusable:
                continue


def _one_each(builds: Iterator[tuple[str, Scenario]]) -> dict[tuple[object, ...], tuple[str, Scenario]]:
    """One build of each model, card, number of nodes, link and layout: rows of one table differ in their load."""
    kept: dict[tuple[object, ...], tuple[str, Scenario]] = {}
    for name, scenario in builds:
        hardware, layout = scenario.hardware, scenario.layout
        shape = (hardware.accelerator.id, hardware.nodes, hardware.inter_link.id, layout.tp, layout.pp)
        kept.setdefault((scenario.model.name, *shape), (name, scenario))
    return kept


def test_a_fabric_that_carried_a_build_in_public_is_usable() -> None:
    looked_at: list[str] = []
    kinds: set[str] = set()
    for name, scenario in (*_one_each(_trained()).values(), *_one_each(_served()).values()):
        try:
            used = [row for row in size(scenario).fabric if row.in_use]
        except ScenarioError:  # a layout that this model does not have is the business of the rows' own test
            continue
        kinds |= {row.in_use for row in used} | {scenario.hardware.inter_link.family}
        looked_at.append(name)
        assert [(name, row.link) for row in used if row.quality == "unusable"] == []
    assert len(looked_at) >= FEWEST
    assert {"intra", "inter", "infiniband"} < kinds
