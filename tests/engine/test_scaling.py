"""The scaling table, and time and money against GPUs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import catalog
from engine.decide.scaling import ARTICLE_ROWS, FLOOR, SHAPES, scaling_table
from engine.decide.training_scaling import hourly_usd, long_or_short, smallest_build, strong_scaling_curve
from engine.figures.errors import ScenarioError
from engine.figures.sentences import text_of
from engine.scenario import Layout, Scenario
from engine.sizing import ScalingRow
from tests.engine.builds import build

RUN: dict[str, Any] = {
    "kind": "full-finetune",
    "sequence_length": 4096,
    "global_batch_tokens": 1 << 20,
    "total_tokens": 2_000_000_000,
}


def scenario(model: str = "llama-3.1-70b", card: str = "rtx-pro-6000-server", **change: Any) -> Scenario:
    """A full fine-tune on two nodes of eight."""
    return build(model, "bf16", card, 8, 2, **(RUN | change))


def table(made: Scenario, layout: Layout | None = None) -> tuple[ScalingRow, ...]:
    """Its scaling table."""
    return scaling_table(made, layout or Layout(tp=8, dp=2))


# ---------------------------------------------------------------- the table


def test_every_shape_is_shown_under_several_parallelisms() -> None:
    rows = table(scenario())
    for nodes, per_node in SHAPES:
        names = {row.parallelism for row in rows if row.nodes == nodes and row.gpus == nodes * per_node}
        assert len(names) >= (1 if nodes * per_node == 1 else 3)
    assert rows[0].efficiency == 1.0
    assert len({row.configuration for row in rows}) == len(rows)
    assert all(0 < row.efficiency <= 1 for row in rows)


def test_inference_has_no_training_table() -> None:
    assert scaling_table(build(), Layout(tp=8)) == ()


def test_rows_under_the_floor_name_a_better_shape() -> None:
    slow = scenario()
    slow = replace(slow, hardware=replace(slow.hardware, inter_link=catalog.load().link("eth-10-tcp")))
    rows = table(slow)
    below = [row for row in rows if row.below_floor]
    assert below
    for row in rows:
        assert row.below_floor == (row.efficiency < FLOOR)
        assert bool(row.better) == row.below_floor


def test_the_article_stands_beside_our_rows() -> None:
    beside = {(row.nodes, row.gpus, row.parallelism): row.article_efficiency for row in table(scenario())}
    for _, nodes, per_node, name, figure in ARTICLE_ROWS:
        assert beside[nodes, nodes * per_node, name] == figure


def test_the_own_shape_is_marked() -> None:
    own = [row for row in table(scenario(), Layout(tp=8, dp=2)) if row.in_use]
    assert [row.parallelism for row in own] == ["TP inside, DP across"]


@pytest.mark.parametrize(
    ("sharding", "group", "name"),
    [("zero3", "all", "FSDP"), ("zero3", "node", "hybrid FSDP"), ("ddp", "all", "DDP"), ("zero1", "all", "DDP")],
)
def test_of_replicas_the_own_sharding_is_marked(sharding: str, group: str, name: str) -> None:
    made = scenario("llama-3.1-8b", sharding=sharding, sharding_group=group)
    assert [row.parallelism for row in table(made, Layout(dp=16)) if row.in_use] == [name]


def test_rows_say_where_the_state_does_not_fit() -> None:
    rows = {row.configuration: row.fits for row in table(scenario())}
    assert rows["1 GPU"] is False
    assert rows["4 nodes x 8 GPU, FSDP"] is True
    small = {row.configuration: row.fits for row in table(scenario("llama-3.2-1b"))}
    assert all(small.values())


def test_faster_fabric_never_scales_worse() -> None:
    slow = scenario()
    fast = replace(slow, hardware=replace(slow.hardware, inter_link=catalog.load().link("ib-xdr")))
    slower = replace(slow, hardware=replace(slow.hardware, inter_link=catalog.load().link("eth-25-tcp")))
    for one, other in zip(table(fast), table(slower), strict=True):
        if one.fabric == fast.hardware.inter_link.name:
            assert one.efficiency >= other.efficiency


# ---------------------------------------------------------------- time and money


def test_the_curve_falls_and_then_stops_paying() -> None:
    made = scenario("llama-3.1-8b", "h100-sxm", global_batch_tokens=1 << 18, sharding="zero3")
    curve = strong_scaling_curve(made, (1, 2, 4, 8, 16, 32, 64, 128, 256))
    days = [point.days for point in curve.points]
    assert days[0] > days[3] > days[4]
    assert curve.stops_paying is not None
    assert 8 <= curve.stops_paying <= 128
    assert str(curve.stops_paying) in text_of(curve.words)
    assert 0 < curve.serial_share < 1
    first, last = curve.points[0], curve.points[-1]
    assert last.gpu_hours > first.gpu_hours
    assert first.speedup == 1.0
    assert all(point.cost_usd is not None and point.cost_usd > 0 for point in curve.points)


def test_gpus_beyond_the_batch_work_less() -> None:
    made = scenario("llama-3.1-8b", "h100-sxm", global_batch_tokens=16 * 4096)
    curve = strong_scaling_curve(made, (16, 32, 64))
    assert curve.points[2].efficiency < 0.8 * curve.points[0].efficiency


def test_a_price_that_is_given_is_taken() -> None:
    made = scenario("llama-3.1-8b", "h100-sxm")
    point = strong_scaling_curve(made, (8,), 2.0).points[0]
    assert point.cost_usd == pytest.approx(2.0 * point.gpu_hours)
    entered = replace(made, money=replace(made.money, usd_per_gpu_hour=3.5))
    assert hourly_usd(entered) == 3.5
    offers = [
        rental.usd_per_gpu_hour
        for rental in made.facts.rentals
        if rental.accelerator == "h100-sxm" and rental.billing == "on-demand"
    ]
    median = hourly_usd(made)
    assert median is not None
    assert min(offers) <= median <= max(offers)


def test_a_long_run_on_one_gpu_against_a_short_one() -> None:
    made = scenario("llama-3.1-8b", "h100-sxm", kind="lora", sharding="ddp")
    same = long_or_short(made, 8, 2.5, 2.5)
    assert 6 < same.times_faster <= 8
    assert 1 <= same.premium < 1.4
    assert same.many.cost_usd == pytest.approx(same.premium * same.one.cost_usd)
    cheaper = long_or_short(made, 8, 5.0, 2.5)
    assert cheaper.premium < 1
    assert "save" in text_of(cheaper.words)


def test_the_smallest_build_in_time() -> None:
    made = scenario("llama-3.1-8b", "h100-sxm", sharding="zero3")
    alone = strong_scaling_curve(made, (8,)).points[0].days
    found = smallest_build(made, deadline_days=alone * 0.6)
    assert found.found
    assert found.plan is not None
    assert found.gpus > 8
    assert found.days <= alone * 0.6
    relaxed = smallest_build(made, deadline_days=alone * 10)
    assert relaxed.gpus <= found.gpus


def test_a_clear_no() -> None:
    made = scenario("llama-3.1-8b", "h100-sxm", sharding="zero3")
    impossible = smallest_build(made, deadline_days=0.0005, max_gpus=64)
    assert not impossible.found
    assert text_of(impossible.words).startswith("No:")
    poor = smallest_build(made, deadline_days=3.0, budget_usd=1.0)
    assert not poor.found
    assert "over the 1" in text_of(poor.words)


def test_questions_without_an_answer_name_the_field() -> None:
    with pytest.raises(ScenarioError, match=r"workload\.kind"):
        strong_scaling_curve(build())
    with pytest.raises(ScenarioError, match="deadline_days"):
        smallest_build(scenario())
    with pytest.raises(ScenarioError, match="multiples of 8"):
        strong_scaling_curve(scenario(), (12,))
