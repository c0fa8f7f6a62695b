"""The six steps on the cases that the market argues about."""

from __future__ import annotations

import re
from typing import Any

import pytest

from engine.decide.flips import flip_points
from engine.decide.replicas import left_of
from engine.decide.size import size
from engine.figures.sentences import text_of
from engine.scenario.change import change
from tests.engine.builds import build


def answer(**fields: Any) -> str:
    """The verdict's answer for a build."""
    return size(build(**fields)).verdict.answer


def test_a_small_model_for_one_user_takes_one_gpu() -> None:
    assert (
        answer(model="llama-3.1-8b", weights="bf16", accelerator="rtx-4090", gpus_per_node=2, concurrency=1)
        == "one-gpu"
    )


def test_70b_at_fp8_for_32_users_takes_one_node_of_eight_96_gb_cards() -> None:
    sizing = size(build(concurrency=32, input_tokens=7000, output_tokens=1000))
    assert sizing.verdict.answer == "one-node"
    assert sizing.verdict.carried
    assert "One node" in text_of(sizing.verdict.headline)


def test_405b_in_16_bit_on_eight_h100_fits_at_fp8_before_anyone_speaks_of_int4() -> None:
    verdict = size(build("llama-3.1-405b", "bf16", "h100-sxm", concurrency=8)).verdict
    assert not verdict.carried
    assert verdict.answer == "one-node"
    assert verdict.recommended is not None
    assert verdict.recommended.weights == "fp8"
    assert "at FP8" in text_of(verdict.headline)


def test_a_model_that_fp8_does_not_shrink_enough_takes_int4() -> None:
    assert answer(model="deepseek-v3", weights="fp8", accelerator="h100-sxm", concurrency=8) == "one-node-int4"


def test_deepseek_v3_at_fp8_does_not_fit_one_node_of_h100() -> None:
    step = size(build("deepseek-v3", "fp8", "h100-sxm", nodes=2)).verdict.steps[1]
    assert not step.yes


def test_two_nodes_of_four_are_told_to_be_one_node_of_eight() -> None:
    sizing = size(build("llama-3.1-405b", "fp8", "rtx-pro-6000-server", 4, 2, concurrency=4))
    assert sizing.verdict.answer == "one-node"
    assert "8x" in text_of(sizing.verdict.build)
    assert "two-small-nodes" in {notice.id for notice in sizing.warnings}


def test_a_load_beyond_one_node_takes_replicas() -> None:
    sizing = size(build("llama-3.1-70b", "fp8", concurrency=4000))
    assert sizing.verdict.answer == "replicas"
    assert sizing.verdict.replicas >= 2


def test_a_70b_full_finetune_goes_across_nodes() -> None:
    sizing = size(build(kind="full-finetune", weights="bf16", nodes=2))
    assert sizing.verdict.answer == "multi-node"
    assert not sizing.verdict.steps[2].yes, "INT4 carries no gradients"


def test_a_70b_pretrain_is_the_frontier() -> None:
    assert (
        answer(kind="pretrain", weights="bf16", accelerator="h100-sxm", nodes=4, total_tokens=1_500_000_000_000)
        == "frontier"
    )


def test_a_671b_full_finetune_on_32_gb_cards_does_not_fit() -> None:
    sizing = size(build("deepseek-v3", "bf16", "rtx-5090", 1, kind="full-finetune"))
    assert not sizing.verdict.carried


def test_int4_that_was_asked_for_is_not_answered_with_more_cards_at_fp8() -> None:
    verdict = size(
        build(weights="int4", accelerator="rtx-3090", gpus_per_node=2, concurrency=1, input_tokens=4000)
    ).verdict
    assert verdict.answer == "one-node-int4"
    assert verdict.recommended is not None
    assert verdict.recommended.gpus_per_node == 2
    assert verdict.carried


def test_marginal_is_said_in_the_headline_and_room_is_not() -> None:
    tight = size(build("llama-3.1-8b", "bf16", "rtx-4090", 1, kind="lora")).verdict
    assert text_of(tight.headline).startswith("One GPU (marginal):")
    assert text_of(tight.reason).endswith("; 2x RTX 4090 has room")
    few = size(build(weights="bf16", accelerator="h100-sxm", nodes=2, kind="full-finetune")).verdict
    assert text_of(few.headline).startswith("A cluster (marginal):")
    assert text_of(few.reason).endswith("; 3 nodes of 8x H100 SXM have room")
    assert "marginal" not in text_of(size(build("llama-3.1-8b", "bf16", "rtx-4090", 1, concurrency=1)).verdict.headline)


def test_a_cluster_says_how_many_nodes_are_needed_and_how_many_were_entered() -> None:
    more = size(build(weights="bf16", accelerator="h100-sxm", nodes=4, kind="full-finetune")).verdict
    assert "2 nodes of 8x H100 SXM suffice, 4 were entered" in text_of(more.reason).replace("2 nodes", "2 nodes")
    fewer = size(build("llama-3.1-405b", "bf16", "h100-sxm", nodes=1, kind="full-finetune")).verdict
    assert "are needed, 1 was entered" in text_of(fewer.reason)


@pytest.mark.parametrize(
    ("card", "framework", "nodes", "cluster", "words"),
    [
        ("rtx-pro-6000-server", "nemo", 8, "3 nodes", ""),
        ("rtx-pro-6000-server", "nemo", 2, "2 nodes", "under the 60 % floor: 3 nodes of 8x RTX PRO 6000 are above it"),
        ("l40s", "fsdp2", 4, "4 nodes", "under the 60 % floor: no larger cluster of these is above it"),
        ("rtx-a6000", "fsdp2", 4, "4 nodes", "under the 60 % floor: no larger cluster of these is above it"),
    ],
)
def test_the_shape_of_the_headline_is_above_the_floor_or_says_why_none_is(
    card: str, framework: str, nodes: int, cluster: str, words: str
) -> None:
    sizing = size(build("llama-3.1-70b", "bf16", card, nodes=nodes, kind="full-finetune", framework=framework))
    headline = text_of(sizing.verdict.headline)
    assert sizing.verdict.answer == "multi-node"
    assert f"A cluster: {cluster} of" in headline.replace(" (marginal)", "")
    assert words in headline
    assert ("floor" in headline) == bool(words)
    assert ("under the 60 % floor" in text_of(sizing.verdict.steps[4].answer)) == bool(words)


@pytest.mark.parametrize(
    ("model", "kind", "more", "told", "measure"),
    [
        ("llama-3.1-8b", "full-finetune", {}, "an 8-bit optimizer", {"workload.optimizer": "adamw-8bit"}),
        ("qwen3-14b", "full-finetune", {}, "a paged 8-bit optimizer", {"workload.optimizer": "adamw-paged-8bit"}),
        ("qwen3-32b", "lora", {"micro_batch": 4}, "a micro-batch of 1", {"workload.micro_batch": 1}),
        ("llama-3.1-70b", "full-finetune", {}, "", {}),
    ],
)
def test_what_one_gpu_would_do_with_is_told_before_more_of_them(
    model: str, kind: Any, more: dict[str, Any], told: str, measure: dict[str, Any]
) -> None:
    sizing = size(build(model, "bf16", "h100-sxm", 2, kind=kind, **more))
    answer_of_one = text_of(sizing.verdict.steps[0].answer)
    assert answer_of_one.startswith("no: ")
    assert ("; one would do with" in answer_of_one) == bool(told)
    assert f"one would do with {told}" in answer_of_one or not told
    if measure:
        one = change(sizing.scenario, {"hardware.gpus_per_node": 1, **measure})
        assert size(one).memory.fits


def test_a_shape_under_the_floor_is_told_with_a_better_one_and_its_efficiency() -> None:
    verdict = size(build(weights="bf16", kind="full-finetune", nodes=2)).verdict
    assert "under the 60 % floor; better:" in text_of(verdict.reason)
    assert re.search(r"better: .*: 0\.\d\d", text_of(verdict.reason)), "the better shape comes with its efficiency"


def test_a_model_that_fits_one_node_takes_no_cluster_for_its_speed() -> None:
    verdict = size(build("llama-3.1-405b", concurrency=8, tokens_per_s_user_target=200.0)).verdict
    assert verdict.answer == "does-not-fit"
    assert text_of(verdict.headline).startswith("Misses its targets")
    assert "for one user alone" in text_of(verdict.reason)
    assert not verdict.steps[4].yes
    assert "fits one node" in text_of(verdict.steps[4].answer)


def test_a_node_that_holds_the_model_and_next_to_nobody_is_joined_to_others_not_copied() -> None:
    verdict = size(build("kimi-k2", "fp8", "h100-sxm", nodes=2, concurrency=32)).verdict
    assert verdict.answer == "multi-node"
    assert verdict.recommended is not None
    assert verdict.recommended.nodes < 8
    load = verdict.steps[3]
    assert not load.yes
    copies = re.search(r"(\d+) replicas would take it", text_of(load.answer))
    assert copies is not None
    assert int(copies[1]) > 2 * verdict.recommended.nodes


def test_replicas_say_what_a_lost_node_leaves_and_how_many_keep_all() -> None:
    sizing = size(build(concurrency=1000))
    verdict = sizing.verdict
    assert f"{verdict.replicas + 1} nodes keep all of it" in text_of(verdict.reason)
    assert "router" in text_of(verdict.headline)
    held = int(text_of(verdict.reason).split(" serves ")[1].split(" of ")[0].replace(",", ""))
    assert verdict.replicas == -(-1000 // held)
    room = size(build(concurrency=held))
    assert room.verdict.carried
    assert room.memory.headroom != "marginal"


@pytest.mark.parametrize("gpus", [3, 5, 6, 7])
@pytest.mark.parametrize("kind", ["serve", "qlora"])
def test_a_build_that_carries_the_workload_never_has_the_verdict_none(gpus: int, kind: str) -> None:
    for nodes in (1, 2, 3):
        sizing = size(build("llama-3.1-70b", "bf16", "l40s", gpus, nodes, kind=kind, concurrency=4))
        assert not (sizing.verdict.carried and sizing.verdict.answer == "does-not-fit")


def test_offline_work_waits_for_room_and_people_do_not() -> None:
    fields: dict[str, Any] = {"accelerator": "l40s", "gpus_per_node": 4, "concurrency": 256}
    assert answer(**fields, kind="batch") == "one-node"
    assert answer(**fields, kind="serve") == "replicas"


def test_requests_a_second_are_held_against_what_the_build_can_take() -> None:
    fields: dict[str, Any] = {"accelerator": "h100-sxm", "concurrency": 64, "input_tokens": 1000, "output_tokens": 300}
    sizing = size(build(**fields, requests_per_s=20.0))
    assert sizing.serving is not None
    assert sizing.serving.requests_per_s < 20.0 <= sizing.serving.best_tokens_per_s_total / 300
    assert sizing.verdict.carried
    many = size(build(**fields, requests_per_s=50.0)).verdict
    assert many.answer == "replicas"
    assert "requests/s" in text_of(many.reason)


@pytest.mark.parametrize("field", ["workload.concurrency", "workload.input_tokens"])
def test_flip_points_are_where_the_verdict_changes(field: str) -> None:
    base = build(concurrency=32)
    here = size(base).verdict
    for flip in flip_points(base):
        if flip.field != field:
            continue
        name = field.split(".")[1]
        up = flip.at > getattr(base.workload, name)
        inside = int(flip.at) - 1 if up else int(flip.at) + 1
        assert answer(**{name: int(flip.at)}) == flip.to
        assert answer(**{name: inside}) == here.answer
        assert str(f"{inside:,}") in text_of(flip.words)
        return
    pytest.fail(f"no flip point of {field}")


def test_a_lost_node_leaves_what_the_others_serve_and_never_more_than_all() -> None:
    assert left_of(3, 11.0, 44.0) == 0.5
    assert left_of(3, 30.0, 44.0) == 1.0
