"""The answer and the verdict of one build agree: over random builds of the catalog, and over those that once did not."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest

import catalog
from engine.decide.advice import CARRIES, advice
from engine.decide.size import size
from engine.figures.errors import ScenarioError
from engine.scenario import Scenario, Workload
from engine.scenario.change import change
from engine.sizing import Sizing
from tests.engine.builds import build

KNOWN = catalog.load()
LOADS = ((1, 2000, 300), (8, 8000, 1000), (50, 4000, 300), (200, 1000, 300), (1000, 200, 64))
SEEDS = range(4)


def drawn(seed: int) -> list[Scenario]:
    """Builds of several nodes at random, each of a model and a card of the catalog."""
    chance = random.Random(seed)
    found: list[Scenario] = []
    while len(found) < 30:
        card = chance.choice(KNOWN.facts.accelerators)
        users, prompt, answer = chance.choice(LOADS)
        work: dict[str, Any] = {"concurrency": users, "input_tokens": prompt, "output_tokens": answer}
        if chance.random() < 0.3:
            work = {"kind": chance.choice(("lora", "qlora", "full-finetune")), "total_tokens": 100_000_000}
        gpus = min(chance.choice((1, 2, 4, 8)), card.max_gpus_per_node or 8)
        try:
            scenario = catalog.build_scenario(
                chance.choice(KNOWN.models).id,
                chance.choice(("", "int4", "fp8")),
                card.id,
                gpus,
                chance.choice((2, 2, 4)),
                workload=replace(Workload(), **work),
            )
            size(scenario)
        except ScenarioError:
            continue
        found.append(scenario)
    return found


def gpus_named(sizing: Sizing) -> int:
    """GPUs of the build that the verdict names; 0 where it names none."""
    named = sizing.verdict.recommended
    return 0 if named is None else named.gpus_per_node * named.nodes


def crosses_nodes(sizing: Sizing) -> bool:
    """Whether a copy of the model spans nodes."""
    return sizing.layout.tp * sizing.layout.pp > sizing.scenario.hardware.gpus_per_node


@pytest.mark.parametrize("seed", SEEDS)
def test_the_answer_is_a_yes_where_the_verdict_says_carried(seed: int) -> None:
    for sizing in map(size, drawn(seed)):
        assert (sizing.answer.status in CARRIES) == sizing.verdict.carried, sizing.scenario


@pytest.mark.parametrize("seed", SEEDS)
def test_nodes_joined_that_carry_the_load_are_not_told_to_become_more_gpus(seed: int) -> None:
    for sizing in map(size, drawn(seed)):
        roomy = sizing.verdict.carried and sizing.memory.headroom != "marginal"
        if roomy and sizing.verdict.answer == "replicas" and crosses_nodes(sizing):
            assert gpus_named(sizing) <= sizing.scenario.hardware.gpus, sizing.scenario


@pytest.mark.parametrize(
    ("model", "weights", "card", "gpus", "nodes", "users", "prompt", "answer"),
    [
        ("llama-3-70b", "bf16", "rtx-2080-super", 8, 4, 200, 200, 64),
        ("llama-3.1-70b", "bf16", "rx-7900-xt", 8, 2, 50, 1000, 300),
        ("qwen3-14b", "bf16", "rtx-3050", 8, 2, 200, 200, 300),
        ("deepseek-coder-33b", "int4", "apple-m4-32gb", 1, 2, 50, 200, 300),
    ],
)
def test_what_carries_needs_no_more_cards(
    model: str, weights: str, card: str, gpus: int, nodes: int, users: int, prompt: int, answer: int
) -> None:
    load: dict[str, Any] = {"concurrency": users, "input_tokens": prompt, "output_tokens": answer}
    sizing = size(build(model, weights, card, gpus, nodes, **load))
    assert sizing.verdict.carried
    assert gpus_named(sizing) <= gpus * nodes


def test_replicas_are_counted_in_the_format_that_was_entered() -> None:
    load: dict[str, Any] = {"concurrency": 50, "input_tokens": 31_000, "output_tokens": 1000}
    verdict = size(build("exaone-4.0-32b", "int4", "rtx-a2000-12gb", 8, 4, **load)).verdict
    assert verdict.recommended is not None
    assert (verdict.answer, verdict.recommended.weights) == ("replicas", "int4")


NOTHING_TO_DO = {
    "one node would be slow": build(
        "llama-3.1-405b", "fp8", "a100-sxm4-80gb", 8, 2, concurrency=30, input_tokens=4000, output_tokens=500
    ),
    "one GPU would take longer": build(
        "qwen3-14b", "bf16", "mi300x", 2, 2, kind="qlora", recompute="none", total_tokens=10**8
    ),
}


@pytest.mark.parametrize("scenario", NOTHING_TO_DO.values(), ids=NOTHING_TO_DO)
def test_a_smaller_build_of_the_verdict_is_told_where_nothing_is_to_be_done(scenario: Scenario) -> None:
    sizing, found = size(scenario), advice(scenario, KNOWN)
    assert 0 < gpus_named(sizing) < scenario.hardware.gpus
    assert found.first is None
    assert found.lesser is not None
    assert found.lesser in found.offered
    after = size(change(scenario, dict(found.lesser.changes), KNOWN))
    assert (after.answer.status, after.verdict.carried) == (found.lesser.status, True)
    assert after.scenario.hardware.gpus == gpus_named(sizing)


def test_all_that_is_found_is_as_it_was_told() -> None:
    for scenario in islice(drawn(99), 6):
        for cure in advice(scenario, KNOWN).known:
            after = size(change(scenario, dict(cure.changes), KNOWN))
            assert (after.answer.status, after.serving) == (cure.status, cure.plan.serving), cure.what
            if cure.usd is not None:
                assert after.cost.whole_usd == pytest.approx(cure.usd)
