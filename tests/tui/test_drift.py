"""Catalog figures of a saved session: what counts, and the scenario as it was."""

from __future__ import annotations

import dataclasses
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import catalog
from engine.decide.size import size
from tui.files import drift

CLUSTER = catalog.build_scenario("llama-3.1-70b", "fp8", "h100-sxm", 8, 2)
KIT = catalog.build_scenario("llama-3.1-70b", "fp8", "b200-sxm", 8, 1, platform="dgx-b200")
NOW = drift.figures_of(CLUSTER)
FACTORS = st.floats(0.5, 2.0)


def scaled(key: str, factor: float) -> float:
    """A figure of today times a factor, as a table holds it."""
    value = round(getattr(NOW, key) * factor, drift.PLACES)
    return int(value) if key == "memory_mib_reported" else value


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(drift.FIGURES)), FACTORS))
def test_the_scenario_as_saved_has_the_saved_figures_and_nothing_else_is_told(factors: dict[str, float]) -> None:
    changed: dict[str, Any] = {key: scaled(key, factor) for key, factor in factors.items()}  # one int among floats
    saved = dataclasses.replace(NOW, **changed)
    told = drift.changes(saved, CLUSTER)
    assert {one.key: one.saved for one in told} == {k: v for k, v in changed.items() if v != getattr(NOW, k)}
    assert all(one.now == getattr(NOW, one.key) for one in told)
    then = drift.with_figures(saved, CLUSTER)
    prices = {"price_usd": then.money.gpu_price_usd, "usd_per_gpu_hour": then.money.usd_per_gpu_hour}
    for one in told:
        after = prices[one.key] if one.key in prices else getattr(drift.figures_of(then), one.key)
        assert after == one.saved
    assert (then is CLUSTER) == (told == ())
    if told:
        assert then != CLUSTER, "caches by scenario must tell the two apart"
    assert (then.model, then.workload, then.layout, then.runtime) == (
        CLUSTER.model,
        CLUSTER.workload,
        CLUSTER.layout,
        CLUSTER.runtime,
    )


def test_what_is_said_holds_both_values_with_their_unit() -> None:
    saved = dataclasses.replace(NOW, price_usd=31_000.0, intra_link_gb_s=300.0)
    words = [one.words for one in drift.changes(saved, CLUSTER)]
    assert words[0] == "saved when H100 SXM price was $31,000; now $30,000"
    assert words[1].endswith("was 300 GB/s one way; now 450 GB/s one way")


def test_the_price_of_a_card_does_not_count_where_the_platform_is_sold_whole() -> None:
    figures = drift.figures_of(KIT)
    assert figures.price_usd is None
    saved = dataclasses.replace(figures, price_usd=1.0, usd_per_gpu_hour=(figures.usd_per_gpu_hour or 0.0) + 1)
    assert [one.key for one in drift.changes(saved, KIT)] == ["usd_per_gpu_hour"]
    assert size(drift.with_figures(saved, KIT)).cost.buy_usd == size(KIT).cost.buy_usd


def test_links_that_join_nothing_are_not_kept() -> None:
    alone = drift.figures_of(catalog.build_scenario("llama-3.1-8b", "fp8", "h100-sxm", 1, 1))
    assert (alone.intra_link, alone.inter_link) == ("", "")
    assert (alone.intra_link_gb_s, alone.inter_link_gb_s) == (None, None)
