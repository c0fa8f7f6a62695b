"""Every figure of a sizing opens, and the arithmetic that is shown gives the figure."""

from __future__ import annotations

from time import process_time

import pytest

from engine.decide.opened import Working, figure_ids, working, workings
from engine.decide.size import size
from tests.arithmetic import evaluate, opened
from tests.engine.builds import SCENARIOS, build, on_engine, priced, sizing_of


@pytest.mark.parametrize("name", ["one node, 70B", "full fine-tune", "MLA over two nodes"])
def test_prices_that_a_person_entered_open_too(name: str) -> None:
    sizing = size(priced(SCENARIOS[name]()))
    done: dict[str, Working] = {}
    for figure in figure_ids(sizing):
        if figure.startswith(("cost.", "power.", "training.cost")):
            opened(sizing, figure, done)
    assert {entry.kind for entry in done["cost.rent_usd_per_hour"].inputs} == {"entered"}


def test_figures_held_against_each_other_open_too() -> None:
    sizing = sizing_of("one node, 70B")
    share = working(sizing, "ratio(memory.weights_bytes,memory.total_bytes)")
    assert share.value == pytest.approx(sizing.memory.weights_share)
    assert share.unit == ""
    assert [entry.figure for entry in share.inputs] == ["memory.weights_bytes", "memory.total_bytes"]
    each = working(sizing, "verdict.1.ratio(serving.tokens_per_s_total,build.gpus)")
    assert each.unit == "tokens/s a GPU"
    nested = "ratio(ratio(memory.kv_bytes,memory.total_bytes),ratio(memory.weights_bytes,memory.total_bytes))"
    opened(sizing, nested, {})
    shape = "ratio(if.shape.1x8x8.ratio(serving.best_tokens_per_s_total,build.gpus),serving.best_tokens_per_s_total)"
    opened(sizing, shape, {})
    there = working(sizing, f"verdict.1.{nested}")
    first, second = (working(sizing, f"verdict.1.memory.{name}").value for name in ("kv_bytes", "weights_bytes"))
    assert first
    assert second
    assert there.value == pytest.approx(first / second)
    left = working(sizing, "difference(memory.usable_bytes,memory.used_bytes)")
    assert left.value == sizing.memory.worst.usable_bytes - sizing.memory.worst.used_bytes
    for figure in ("ratio(memory.weights_bytes)", "ratio(memory.weights_bytes,memory.gradient_bytes)", "ratio(a,b)"):
        with pytest.raises(KeyError):
            working(sizing, figure)


def test_the_mapping_makes_workings_when_asked() -> None:
    sizing = sizing_of("one node, 70B")
    found = workings(sizing)
    assert len(found) == len(set(found)) == len(figure_ids(sizing))
    assert found["memory.weights_bytes"] == working(sizing, "memory.weights_bytes")
    assert "memory.weights_bytes" in found
    assert "memory.nonsense" not in found
    for figure in ("", "memory", "nonsense.x", "training.days", "fabric.nonsense", "verdict.9.memory.peak_bytes"):
        with pytest.raises(KeyError):
            working(sizing, figure)


def test_kinds_say_how_a_figure_is_known() -> None:
    sizing = sizing_of("one node, 70B")
    assert working(sizing, "memory.weights_bytes").kind == "counted"
    assert working(sizing, "serving.inter_token_s").kind == "fitted"
    assert sizing.serving is not None
    assert working(sizing, "serving.inter_token_s").interval == sizing.serving.inter_token_interval
    inputs = {entry.name: entry for entry in working(sizing, "memory.kv_needed_tokens").inputs}
    assert inputs["users"].kind == "entered"
    card = sizing.scenario.hardware.accelerator
    assert card.source in working(sizing, "memory.total_bytes").inputs[0].source
    unknown = working(size(build("llama-3.1-70b", "fp8", "h100-nvl", 4)), "cost.item_1_usd")
    assert unknown.value is None


def test_an_engine_setting_says_whether_a_person_entered_it() -> None:
    scenario = build(concurrency=8)
    entered = size(on_engine(scenario, memory_utilization=0.8))
    for sizing, kind in ((size(scenario), "data sheet"), (entered, "entered")):
        inputs = working(sizing, "memory.usable_bytes").inputs
        assert next(entry for entry in inputs if "utilization" in entry.name).kind == kind


@pytest.mark.parametrize(
    ("text", "value"),
    [("1 + 2 * 3", 7), ("-(7 // 2) % 5", 2), ("max(a, b) ** 2", 9), ("ceil(a / b)", 1), ("floor(2.5) + round(2.6)", 5)],
)
def test_arithmetic(text: str, value: float) -> None:
    assert evaluate(text, {"a": 2, "b": 3}) == value


@pytest.mark.parametrize(
    "text",
    ["", "a.b", "a[0]", "__import__('os')", "open('x')", "a if b else 1", "'a'", "True", "lambda: 1", "a = 1", "max()"],
)
def test_nothing_but_arithmetic(text: str) -> None:
    with pytest.raises(ValueError, match="not arithmetic"):
        evaluate(text, {"a": 1, "b": 2})


@pytest.mark.clock
def test_sizing_pays_nothing_for_workings() -> None:
    """Workings are made on demand, each in a few milliseconds."""
    sizing = sizing_of("one node, 70B")
    figures = figure_ids(sizing)
    for figure in figures:
        working(sizing, figure)
    start = process_time()
    for figure in figures:
        working(sizing, figure)
    assert (process_time() - start) / len(figures) < 0.01
