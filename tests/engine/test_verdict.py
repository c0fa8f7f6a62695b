"""The six steps on the cases that the market argues about."""

from __future__ import annotations

import pytest

from engine.flips import flip_points
from engine.size import size
from tests.engine.builds import build


def answer(**fields: object) -> str:
    """The verdict's answer for a build."""
    return size(build(**fields)).verdict.answer  # type: ignore[arg-type] # mixed keyword values, checked by build


def test_a_small_model_for_one_user_takes_one_gpu() -> None:
    assert (
        answer(model="llama-3.1-8b", weights="bf16", accelerator="rtx-4090", gpus_per_node=2, concurrency=1)
        == "one-gpu"
    )


def test_70b_at_fp8_for_32_users_takes_one_node_of_eight_96_gb_cards() -> None:
    sizing = size(build(concurrency=32, input_tokens=7000, output_tokens=1000))
    assert sizing.verdict.answer == "one-node"
    assert sizing.verdict.carried
    assert "One node" in sizing.verdict.headline


def test_405b_in_16_bit_on_eight_h100_fits_at_fp8_before_anyone_speaks_of_int4() -> None:
    verdict = size(build("llama-3.1-405b", "bf16", "h100-sxm", concurrency=8)).verdict
    assert not verdict.carried
    assert verdict.answer == "one-node"
    assert verdict.recommended is not None
    assert verdict.recommended.weights == "fp8"
    assert "at FP8" in verdict.headline


def test_a_model_that_fp8_does_not_shrink_enough_takes_int4() -> None:
    assert answer(model="deepseek-v3", weights="fp8", accelerator="h100-sxm", concurrency=8) == "one-node-int4"


def test_deepseek_v3_at_fp8_does_not_fit_one_node_of_h100() -> None:
    step = size(build("deepseek-v3", "fp8", "h100-sxm", nodes=2)).verdict.steps[1]
    assert not step.yes


def test_two_nodes_of_four_are_told_to_be_one_node_of_eight() -> None:
    sizing = size(build("llama-3.1-405b", "fp8", "rtx-pro-6000-server", 4, 2, concurrency=4))
    assert sizing.verdict.answer == "one-node"
    assert "8x" in sizing.verdict.build
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
        assert str(f"{inside:,}") in flip.words
        return
    pytest.fail(f"no flip point of {field}")
