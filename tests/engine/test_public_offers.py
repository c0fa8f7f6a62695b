"""Bills beside public offers for the same builds, and what the articles say of money, each answered by a sizing."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.decide.size import size
from engine.money.bill import whole_usd
from engine.scenario import Money
from tests.engine.builds import build

ROOT = Path(__file__).parents[2]
OFFERS: list[dict[str, Any]] = tomllib.loads((ROOT / "tests/reference/offers.toml").read_text(encoding="utf-8"))[
    "offer"
]
PAGE = (ROOT / "docs/money.md").read_text(encoding="utf-8")
WITHIN = 0.15


def billed(offer: dict[str, Any]) -> float:
    """The bill of an offer's build, its card at the price that the offer counted."""
    scenario = build("llama-3.1-8b", accelerator=offer["accelerator"], gpus_per_node=offer["gpus"])
    whole = whole_usd(size(replace(scenario, money=Money(gpu_price_usd=offer.get("card_usd")))).cost.lines)
    assert whole is not None
    return whole


@pytest.mark.parametrize("offer", OFFERS, ids=lambda offer: offer["what"][:40])
def test_a_bill_is_within_fifteen_percent_of_the_offer_or_the_page_says_why_not(offer: dict[str, Any]) -> None:
    ours = billed(offer)
    off = ours / offer["usd"] - 1.0
    assert (abs(off) <= WITHIN) is ("outside" not in offer)
    row = f"| {offer['what']} | {offer['as_of']} | ${offer['usd']:,.0f} | ${ours:,.0f} | {100 * off:+.0f} % |"
    assert row in PAGE
    assert offer["source"] in " ".join(PAGE.split())


def test_enough_offers_are_kept() -> None:
    held = [offer for offer in OFFERS if "outside" not in offer]
    assert len(held) >= 4
    assert len({offer["source"] for offer in held}) >= 4
    assert [offer for offer in held if not offer.get("used_for")]


SUSTAINED = [
    ("h100-sxm", 8), ("b200-sxm", 8), ("rtx-pro-6000-server", 8), ("rtx-5090", 8), ("mi300x", 8), ("gb200", 72),
]  # fmt: skip


@pytest.mark.parametrize(("accelerator", "gpus"), SUSTAINED)
def test_buying_pays_after_six_to_fourteen_months_of_steady_use(accelerator: str, gpus: int) -> None:
    months = size(build("llama-3.1-70b", accelerator=accelerator, gpus_per_node=gpus)).cost.break_even_months
    assert months is not None
    assert 6 <= months <= 14


def test_the_same_node_is_rented_at_several_times_its_cheapest_price() -> None:
    cost = size(build(accelerator="h100-sxm")).cost
    asked = [offer.usd_per_hour for offer in cost.offers if offer.billing == "on-demand"]
    assert max(asked) / min(asked) > 4.0  # the article: 4.5x, 14.96 to 67.68 an hour


def test_rent_suits_a_burst_and_owning_a_steady_year() -> None:
    scenario = build(accelerator="h100-sxm")
    steady = size(scenario).cost.horizons[1]
    burst = size(replace(scenario, money=Money(hours_per_day=2.0, days_per_month=20.0))).cost.horizons[1]
    assert (steady.own_usd or 0.0) < (steady.rent_usd or 0.0)
    assert (burst.rent_usd or 0.0) < (burst.own_usd or 0.0)
