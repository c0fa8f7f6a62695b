"""Serving on shapes of build: what a GPU still does as TP widens or replicas join."""

from __future__ import annotations

import pytest

from engine.decide.serving_scaling import ServingShape, serving_rows, serving_scaling
from engine.decide.size import size
from engine.figures.errors import ScenarioError
from tests.engine.builds import build


def shapes(model: str = "llama-3.1-70b", card: str = "rtx-pro-6000-server", gpus: int = 8) -> list[ServingShape]:
    """The shapes of a chat build."""
    made = build(model, "fp8", card, gpus, kind="serve")
    return list(serving_scaling(made, size(made).layout))


def test_nodes_of_one_to_eight_and_two_of_them() -> None:
    found = shapes()
    assert {(shape.nodes, shape.gpus) for shape in found} == {(1, 1), (1, 2), (1, 4), (1, 8), (2, 16)}
    assert len({(shape.nodes, shape.gpus, shape.layout) for shape in found}) == len(found)


def test_the_layout_in_use_is_marked_once_and_agrees_with_the_sizing() -> None:
    made = build("llama-3.1-70b", "fp8", "rtx-pro-6000-server", 4, kind="serve")
    sizing = size(made)
    own = [shape for shape in serving_scaling(made, sizing.layout) if shape.in_use]
    assert len(own) == 1
    assert sizing.serving is not None
    assert own[0].best_tokens_per_s_total == pytest.approx(sizing.serving.best_tokens_per_s_total)


def test_replicas_keep_what_a_gpu_serves_and_a_wide_tp_over_pcie_does_not() -> None:
    found = [shape for shape in shapes() if shape.fits]
    of_two = {shape.gpus: shape.tokens_per_s_gpu for shape in found if shape.layout.tp == 2}
    assert of_two[16] == pytest.approx(of_two[2], rel=0.05)
    wide = next(shape for shape in found if shape.layout.tp == 16)
    assert wide.tokens_per_s_gpu < 0.5 * of_two[2]


def test_a_shape_that_does_not_hold_the_model_says_so() -> None:
    found = shapes("deepseek-v3", "h200-sxm")
    alone = next(shape for shape in found if shape.gpus == 1)
    assert not alone.fits
    assert alone.best_tokens_per_s_total == 0
    assert any(shape.fits for shape in found)


def test_training_has_its_own_table() -> None:
    made = build("llama-3.1-8b", "bf16", "h100-sxm", 8, kind="pretrain")
    with pytest.raises(ScenarioError):
        next(serving_scaling(made, size(made).layout))


def test_the_rows_of_the_report_are_the_shapes_of_the_page() -> None:
    made = build("llama-3.1-70b", "fp8", "rtx-pro-6000-server", 8, kind="serve")
    sizing = size(made)
    rows = serving_rows(made, sizing.layout)
    found = {(shape.nodes, shape.gpus, shape.words): shape for shape in serving_scaling(made, sizing.layout)}
    assert {(row.nodes, row.gpus, row.parallelism) for row in rows} == set(found)
    assert len({row.configuration for row in rows}) == len(rows)
    assert max(row.efficiency for row in rows) == 1
    assert sizing.serving is not None
    for row in rows:
        shape = found[row.nodes, row.gpus, row.parallelism]
        assert (row.tokens_per_s_total, row.users) == (shape.best_tokens_per_s_total, shape.best_concurrency)
        if row.in_use:
            assert (row.tokens_per_s_total, row.users) == (
                sizing.serving.best_tokens_per_s_total,
                sizing.serving.best_concurrency,
            )
    assert sum(row.in_use for row in rows) == 1
    assert not sizing.scaling, "a sizing for the screen does not wait for other shapes"
