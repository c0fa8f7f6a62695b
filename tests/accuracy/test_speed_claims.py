"""The articles' claims on speed: each beside our figure, and a reason for each that we do not reproduce."""

from __future__ import annotations

from tests.claims.table import all_claims

SECTIONS = ("speedup", "cliff", "multinode_performance", "concurrency", "capacity")


def test_claims_on_speed_agree_or_say_why() -> None:
    claims = [claim for claim in all_claims() if claim.key.split("[")[0].split(".")[0].split(" ")[0] in SECTIONS]
    assert len({claim.key for claim in claims}) >= 15
    for claim in claims:
        print(
            f"{'inside ' if claim.agrees else 'OUTSIDE'} {claim.key}: {claim.claim} | ours: {claim.ours} | {claim.why}"
        )
        assert claim.agrees or claim.why, claim.key
