"""Sweeps say what `size` says at each value, and their flip points are exact."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.decide import what_if
from engine.decide.size import size
from engine.figures.errors import ScenarioError
from engine.scenario import LayoutChoice, Scenario
from tests.tui.builds import BUILDS

CHAT, TRAIN = BUILDS["llama70b"](), BUILDS["finetune"]()


@pytest.mark.parametrize("scenario", [CHAT, TRAIN], ids=["serve", "train"])
def test_every_field_offers_the_entered_value_in_order(scenario: Scenario) -> None:
    for field in what_if.fields(scenario):
        found = what_if.values(scenario, field)
        assert what_if.entered(scenario, field) in found
        assert len(set(found)) == len(found)
        if field not in what_if.LINK_FIELDS:
            assert list(found) == sorted(found)


def test_doublings_of_the_entered_value_are_swept() -> None:
    found = what_if.values(CHAT, "workload.concurrency")
    assert {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024} <= set(found)


def test_a_prompt_is_not_swept_past_the_model() -> None:
    assert what_if.values(CHAT, "workload.input_tokens")[-1] == 131072 - CHAT.workload.output_tokens


def test_a_point_is_what_size_says() -> None:
    for field, value in (
        ("workload.concurrency", 64),
        ("hardware.gpus_per_node", 4),
        ("hardware.intra_link", "nvlink-4"),
    ):
        point = what_if.point(CHAT, field, value)
        sizing = size(what_if.at(CHAT, field, value))
        assert sizing.serving is not None
        assert point.answer == sizing.verdict.answer
        assert point.carries == sizing.verdict.carried
        assert point.tokens_per_s_total == sizing.serving.tokens_per_s_total
        assert point.ttft_s == sizing.serving.ttft_s
        assert point.usd_per_million_tokens == sizing.cost.usd_per_million_tokens


def test_a_training_point_is_what_size_says() -> None:
    point = what_if.point(TRAIN, "hardware.nodes", 4)
    sizing = size(what_if.at(TRAIN, "hardware.nodes", 4))
    assert sizing.training is not None
    assert (point.days, point.mfu) == (sizing.training.days, sizing.training.mfu)


def test_flips_are_exact_to_one() -> None:
    points = list(what_if.sweep(CHAT, "workload.concurrency"))
    flips = list(what_if.flips(CHAT, "workload.concurrency", points))
    assert flips
    for flip in flips:
        assert isinstance(flip.last, int)
        assert isinstance(flip.first, int)
        assert flip.first == flip.last + 1
        left = what_if.point(CHAT, "workload.concurrency", flip.last)
        right = what_if.point(CHAT, "workload.concurrency", flip.first)
        assert (left.answer, left.carries) != (right.answer, right.carries)


def test_counts_of_gpus_are_not_halved_into_boxes_that_nobody_builds() -> None:
    field = "hardware.gpus_per_node"
    counts = set(what_if.values(CHAT, field))
    for flip in what_if.flips(CHAT, field, list(what_if.sweep(CHAT, field))):
        assert {flip.last, flip.first} <= counts


def test_an_impossible_value_says_why() -> None:
    pinned = replace(CHAT, layout=LayoutChoice(tp=8))
    assert what_if.point(pinned, "hardware.gpus_per_node", 4).answer is not None, "the layout is chosen anew"
    point = what_if.point(CHAT, "workload.concurrency", 0)
    assert point.answer is None
    assert point.verdict
    with pytest.raises(ScenarioError, match="no link"):
        what_if.at(CHAT, "hardware.intra_link", "carrier-pigeon")


def test_a_single_gpu_has_no_link_to_sweep() -> None:
    single = what_if.at(CHAT, "hardware.gpus_per_node", 1)
    assert "hardware.intra_link" not in what_if.fields(single)
    assert "hardware.inter_link" not in what_if.fields(single)
    assert "hardware.inter_link" in what_if.fields(TRAIN)
