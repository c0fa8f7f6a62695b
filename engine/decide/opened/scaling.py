"""The scaling table on numbers that remember: the run on other shapes of build."""

from __future__ import annotations

from typing import Final

from engine.decide.opened.base import REPLAY, Base, Found
from engine.decide.scaling import common_of, rate, shapes_of
from engine.figures.number import Number
from engine.scenario import LayoutChoice, leaves

SOURCE: Final = "the same step on other shapes of build, against one GPU: docs/training-speed.md"
CLAIM: Final = "the article's table, for one model on cards of its own: docs/claims.md"
SHAPE: Final = "a shape of the table"


def found(build: Base, name: str) -> Found:
    """`scaling.N`, by row number from 0; `scaling.N.article`: what the article says of it. Raises KeyError."""
    plan, place = build.plan, name.removesuffix(".article")
    if plan.scenario.workload.is_inference:
        raise KeyError(f"scaling.{name}")
    shapes = build.keep("scaling", lambda: shapes_of(plan.scenario, plan.layout))
    if not place.isdecimal() or int(place) >= len(shapes):
        raise KeyError(f"scaling.{name}")
    shape = shapes[int(place)]
    if place != name:
        if shape.article is None:
            raise KeyError(f"scaling.{name}")
        title = f"The article's efficiency: {shape.words}"
        claim = Number(shape.article, label="efficiency in the article", kind="rule of thumb", source=CLAIM)
        return Found(claim, title, "", CLAIM)
    scenario, layout = build.scenario, build.layout
    hardware = scenario.hardware
    if not shape.in_use:
        layout = leaves.layout(REPLAY.copied, shape.layout, LayoutChoice(), SHAPE)
        inter = shape.build.inter_link if shape.other_fabric else None
        hardware = leaves.counted(REPLAY.copied, hardware, shape.nodes, shape.per_node, SHAPE, inter)
    common = build.keep("scaling.common", lambda: build.run(common_of, scenario))
    rated = build.run(rate, scenario, common, shape._replace(layout=layout, build=hardware), {})
    note = "" if shape.article is None else f"The article's figure for this shape: {shape.article:.2f}."
    return Found(rated.efficiency, f"Efficiency: {shape.words}", "", SOURCE, note)
