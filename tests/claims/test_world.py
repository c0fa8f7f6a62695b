"""The article's eight efficiencies from one set of assumptions."""

from __future__ import annotations

import pytest

from engine.sizing import ScalingRow
from tests.claims.world import ARTICLE_EXCEPTION, ARTICLE_TOLERANCE, ArticleWorld, article_scaling, by_default


def test_faster_kernels_make_the_cliff_steeper() -> None:
    # the article's own remark: what the fabric costs does not shrink with the compute
    slow, fast = (article_scaling(ArticleWorld(executed_tflops=rate)) for rate in (100.0, 300.0))
    for one, other in zip(slow[1:], fast[1:], strict=True):
        assert other.efficiency < one.efficiency


@pytest.mark.parametrize("row", article_scaling(), ids=lambda row: row.configuration)
def test_the_article_follows_from_one_world(row: ScalingRow) -> None:
    assert row.article_efficiency is not None
    assert row.efficiency == pytest.approx(row.article_efficiency, abs=ARTICLE_TOLERANCE)


def test_the_exception_stands_below_what_it_is_built_on() -> None:
    ours = {row.configuration: row for row in article_scaling()}
    one_node = ours["8 GPU, one node, PCIe Gen5 switched, TP"]
    across = ours[ARTICLE_EXCEPTION]
    assert across.efficiency < one_node.efficiency
    assert across.article_efficiency is not None
    assert one_node.article_efficiency is not None
    assert across.article_efficiency > one_node.article_efficiency


def test_the_app_by_default_stands_beside_the_articles_world() -> None:
    ours = {row.configuration: by_default(row.configuration) for row in article_scaling()}
    print(ours)
    assert ours["1 GPU"] == pytest.approx(1.0)
    assert all(0.0 < share <= 1.0 for share in ours.values())
    # the order of the links and of one node before two is the article's
    assert ours["8 GPU, one node, FSDP / data parallel"] > ours["2 nodes x 4 GPU, 200 Gb/s IB, cross-node TP"]
