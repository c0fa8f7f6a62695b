"""A verdict asks for no more than the cards at hand where a change that is offered runs on these: one search, applied by both."""

from __future__ import annotations

import re
from functools import cache
from itertools import product
from typing import Any

import pytest

from engine.decide.advice import CATALOG, Advice, advice
from engine.decide.answer import holds, narrow
from engine.decide.flips import flip_points
from engine.decide.size import size
from engine.figures.sentences import text_of
from engine.scenario import Scenario
from engine.scenario.change import change
from tests.engine.builds import build

MODELS = ("llama-3.1-8b", "qwen3-30b-a3b", "qwen3-32b", "llama-3.1-70b")
KINDS: tuple[dict[str, Any], ...] = (
    {"kind": "full-finetune"},
    {"kind": "lora", "sequence_length": 8192, "micro_batch": 4},
    {"kind": "qlora", "recompute": "none"},
    {"kind": "grpo", "sequence_length": 8192},
    {"kind": "full-finetune", "deadline_days": 0.5, "total_tokens": 2_000_000_000},
    {"kind": "dpo", "tuning": "full", "framework": "deepspeed", "sharding": "zero2"},
)
CARDS = (("rtx-a6000", 1, 1), ("rtx-4090", 2, 1), ("h20", 8, 1), ("h100-sxm", 8, 2), ("l40s", 4, 3))
EVERY = 7
"""Of all builds every so many are tried; no factor of the counts above, so that each value meets others."""
NAMED: dict[str, Scenario] = {
    "32B GRPO on 8x H20": build("qwen3-32b", "bf16", "h20", 8, kind="grpo"),
    "70B QLoRA on an A6000": build("llama-3.1-70b", "bf16", "rtx-a6000", 1, kind="qlora"),
    "a deadline that less recomputation meets": build(
        "llama-3.1-8b", "bf16", "h100-sxm", 8, 2, kind="full-finetune", total_tokens=12_000_000_000, deadline_days=1.15
    ),
}


def spread() -> dict[str, Scenario]:
    """Builds that carry their run and that do not, of one card to several nodes."""
    found = dict(NAMED)
    for number, (model, work, (card, gpus, nodes)) in enumerate(product(MODELS, KINDS, CARDS)):
        if number % EVERY == 1:
            told = " ".join(f"{value}" for value in work.values())
            found[f"{model} {told} on {nodes} of {gpus}x {card}"] = build(model, "bf16", card, gpus, nodes, **work)
    return found


BUILDS = spread()


@cache
def advised(name: str) -> Advice:
    """The advice on a build, searched once."""
    return advice(BUILDS[name])


@pytest.mark.parametrize("name", BUILDS)
def test_a_verdict_asks_for_no_more_than_what_an_offered_change_runs_on(name: str) -> None:
    scenario, verdict = BUILDS[name], size(BUILDS[name]).verdict
    named = verdict.recommended
    assert named is not None
    for cure in advised(name).found:
        if cure.asks_less or cure.kind in CATALOG or verdict.answer == "frontier":
            continue
        here = cure.scenario.hardware
        if here.gpus <= scenario.hardware.gpus and here.nodes <= scenario.hardware.nodes:
            assert verdict.answer != "does-not-fit", text_of(cure.headline)
            assert named.gpus_per_node * named.nodes <= scenario.hardware.gpus, text_of(cure.headline)


@pytest.mark.parametrize("name", BUILDS)
def test_the_change_that_a_verdict_names_is_the_one_thing_to_do(name: str) -> None:
    scenario, verdict = BUILDS[name], size(BUILDS[name]).verdict
    named, first = verdict.recommended, advised(name).cure
    assert named is not None
    if not named.changes:
        assert first is None or first.kind not in ("training", "framework"), text_of(first.headline)
        return
    assert not verdict.carried
    assert text_of(named.measure) in text_of(verdict.headline)
    changes = dict(named.changes) | {
        "hardware.gpus_per_node": named.gpus_per_node,
        "hardware.nodes": named.nodes,
    }
    assert size(change(scenario, changes)).verdict.carried
    if (named.gpus_per_node, named.nodes) == (scenario.hardware.gpus_per_node, scenario.hardware.nodes):
        assert first is not None
        assert dict(named.changes).items() <= dict(first.changes).items()


def test_the_spread_has_builds_of_every_way_out() -> None:
    """What the laws say nothing about must not be all there is."""
    answers = [size(scenario).verdict for scenario in BUILDS.values()]
    changed = [verdict for verdict in answers if verdict.recommended is not None and verdict.recommended.changes]
    assert {verdict.answer for verdict in changed} >= {"one-gpu", "one-node", "multi-node"}
    assert sum(verdict.carried for verdict in answers) >= 3
    assert any(len(verdict.recommended.changes) == 2 for verdict in changed if verdict.recommended is not None)
    assert any("recomputation" in text_of(verdict.headline) for verdict in changed)


@pytest.mark.parametrize("name", BUILDS)
def test_what_is_offered_is_judged_by_the_margin_of_the_entered_build(name: str) -> None:
    for cure in advised(name).offered:
        words = narrow(cure.plan.memory)
        assert words == narrow(size(cure.scenario).memory)
        assert (f"RUNS, {words}, " if words else "RUNS, ") in text_of(cure.headline)


@pytest.mark.parametrize("name", BUILDS)
def test_the_first_line_says_that_a_run_may_not_fit_where_its_interval_reaches_over_the_card(name: str) -> None:
    sizing = size(BUILDS[name])
    memory = sizing.memory
    assert memory.training is not None
    over = memory.fits and memory.training.interval.high > memory.worst.usable_bytes
    assert ("may not fit" in text_of(sizing.answer.why)) == (over and sizing.answer.status == "runs")
    safer = advised(name).safer
    if safer is not None:
        assert over
        assert not size(safer.scenario).memory.may_not_fit


def test_a_run_that_may_not_fit_is_told_what_gives_it_room() -> None:
    scenario = build("qwen2.5-32b", "bf16", "h100-sxm", 8, kind="full-finetune")
    sizing, found = size(scenario), advice(scenario)
    assert text_of(sizing.answer.why).startswith("tight, may not fit: ")
    assert found.first is found.safer is not None
    flips = flip_points(scenario)
    edges = {flip.field: flip for flip in flips if flip.at > flip.last}
    batch = edges["workload.micro_batch"]
    assert batch.last > sizing.memory.largest_micro_batch
    assert batch.layout
    assert any(f" as {batch.layout}" in text_of(words) for words in holds(flips))


@pytest.mark.parametrize(
    ("days", "words"),
    [(0.95, "may be late: 19.3 h ("), (0.75, ", and may be in time"), (3.0, ""), (0.2, "")],
)
def test_a_deadline_inside_the_interval_of_a_run_is_said_to_be_so(days: float, words: str) -> None:
    why = text_of(
        size(build("qwen2.5-32b", "bf16", "h200-sxm", 8, kind="full-finetune", deadline_days=days)).answer.why
    )
    assert (words in why) if words else not re.search("may be", why)
