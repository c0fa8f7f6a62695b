"""The articles' claims on training speed, printed with our figure and held where they can be held."""

from __future__ import annotations

import pytest

from engine.decide.scaling import ARTICLE_ROWS
from tests.accuracy.training_claims import TrainingClaim, training_claims
from tests.claims.world import ARTICLE_EXCEPTION, article_scaling


@pytest.fixture(scope="module")
def claims() -> list[TrainingClaim]:
    made = training_claims()
    print()
    for claim in made:
        print(claim.line)
    return made


def test_each_claim_outside_says_why(claims: list[TrainingClaim]) -> None:
    assert all(claim.inside or claim.why for claim in claims)
    sections = {claim.section for claim in claims}
    assert sections == {"efficiency", "sxm_penalty", "speedup", "lab_trap"}


def test_each_claim_of_speed_is_answered_by_the_apps_defaults_too(claims: list[TrainingClaim]) -> None:
    speed = [claim for claim in claims if claim.section in ("sxm_penalty", "speedup")]
    assert len(speed) == 11
    for claim in speed:
        assert claim.default is not None, claim.claim
        if "GPUs over" in claim.claim:
            assert 1 < claim.default < 4
            # one sequence of 4k a card by default, where the claim's own range has one to four of 2k
            assert min(claim.ours) <= claim.default <= max(claim.ours)


def test_the_article_rows_follow_from_one_world(claims: list[TrainingClaim]) -> None:
    rows = [claim for claim in claims if claim.section == "efficiency"]
    assert len(rows) == len(ARTICLE_ROWS)
    assert all(claim.inside for claim in rows)


def test_a_pipeline_never_gives_back_what_tensor_parallelism_costs() -> None:
    ours = {row.configuration: row.efficiency for row in article_scaling()}
    assert ours[ARTICLE_EXCEPTION] < ours["8 GPU, one node, PCIe Gen5 switched, TP"]


def test_a_month_on_one_gpu_is_four_to_five_days_on_eight(claims: list[TrainingClaim]) -> None:
    month = next(claim for claim in claims if claim.claim.startswith("30 days"))
    assert month.inside


def test_two_small_nodes_lose_to_one_big_one(claims: list[TrainingClaim]) -> None:
    trap = next(claim for claim in claims if claim.section == "lab_trap")
    assert min(trap.ours) > 0
