"""Charts: marks stand where their figures are, axes read, and nothing is wider than the page."""

from __future__ import annotations

import pytest

from engine.decide.scaling import FLOOR
from engine.decide.size import size
from engine.sizing import Sizing
from tests.tui.builds import BUILDS
from tui.pages import drawn
from tui.pages.charts import Axis, Series, Wall, chart, nice_top
from tui.pages.doc import Line, plain
from tui.pages.glyphs import ASCII, UNICODE
from tui.pages.look import Look
from tui.pages.scaling_study import ScalingStudy

X = Axis("months", 0.0, 36.0, lambda value: f"{value:.0f}", (0.0, 12.0, 36.0))
Y = Axis("USD", 0.0, 100.0, lambda value: f"${value:.0f}", (0.0, 50.0, 100.0))


def _rows(lines: list[Line]) -> list[str]:
    return [plain(row) for row in lines]


def _area(rows: list[str], edge: str = "│") -> list[str]:
    """What is drawn right of the upright axis, top first."""
    start = next(row.index(edge) for row in rows if edge in row) + 1
    return [row[start:] for row in rows if len(row) >= start and row[start - 1] == edge]


@pytest.mark.parametrize("width", [58, 78, 120])
@pytest.mark.parametrize(
    ("point", "where"), [((0.0, 0.0), (0.0, 1.0)), ((36.0, 100.0), (1.0, 0.0)), ((18.0, 50.0), (0.5, 0.5))]
)
def test_a_mark_stands_at_its_figure(width: int, point: tuple[float, float], where: tuple[float, float]) -> None:
    rows = _rows(chart([Series("one", (point,), "accent", "●")], X, Y, Look(width, UNICODE)))
    area = _area(rows)
    height, across = len(area), width - len("$100") - 4
    at = [(row.index("●"), number) for number, row in enumerate(area) if "●" in row]
    assert at == [(round(where[0] * (across - 1)), round(where[1] * (height - 1)))]
    assert all(len(row) <= width for row in rows)


def test_an_axis_of_doublings_has_them_at_equal_steps() -> None:
    axis = Axis("GPUs", 1.0, 16.0, str, (1.0, 2.0, 4.0, 8.0, 16.0), log=True)
    places = [axis.at(value, 101) for value in axis.ticks]
    assert places == pytest.approx([0, 25, 50, 75, 100])


def test_walls_cross_the_whole_chart_and_are_told() -> None:
    walls = [Wall("crossing", 12.0, True, "key"), Wall("room", 50.0, False, "key")]
    rows = _rows(chart([Series("one", ((0.0, 1.0),), "accent", "●")], X, Y, Look(60, UNICODE), walls))
    area = _area(rows)
    column = round(12 / 36 * (60 - 8 - 1))
    assert sum(row[column : column + 1] == "│" for row in area) == len(area) - 1  # all but where the other wall lies
    assert "│ crossing" in rows[-1].replace("\u00a0", " ")
    assert "─ room" in rows[-1].replace("\u00a0", " ")


def test_a_terminal_without_unicode_gets_plain_ascii() -> None:
    rows = _rows(chart([Series("a", ((0.0, 0.0), (36.0, 100.0)), "accent", "*")], X, Y, Look(60, ASCII)))
    assert all(row.replace("\u00a0", " ").isascii() for row in rows)
    assert any("..." in row for row in rows)


@pytest.mark.parametrize(
    ("value", "top"), [(0.0, 1.0), (1.0, 1.0), (1.01, 2.0), (2.4, 2.5), (4.0, 5.0), (51.0, 100.0), (1e6, 1e6)]
)
def test_an_axis_ends_at_a_round_number(value: float, top: float) -> None:
    assert nice_top(value) == pytest.approx(top)


@pytest.fixture(scope="module")
def chat() -> Sizing:
    return size(BUILDS["llama70b"]())


@pytest.mark.parametrize("width", [78, 60])
def test_money_over_months_ends_where_the_engine_says_and_crosses_there(chat: Sizing, width: int) -> None:
    rows = _rows(drawn.months(chat, Look(width, UNICODE)))
    last = chat.cost.horizons[-1]
    assert last.own_usd is not None
    assert last.rent_usd is not None
    assert last.rent_usd > last.own_usd
    area = _area(rows)
    ends = {row[-1]: number for number, row in enumerate(area) if row and row[-1] in "●○"}
    assert ends["○"] < ends["●"]  # dearer is higher
    assert f"buying beats renting after {chat.cost.break_even_months:.1f} months" in rows[-1].replace("\u00a0", " ")
    assert any(row.rstrip().endswith("36") for row in rows)


def test_kv_over_users_marks_the_load_and_the_last_that_fits(chat: Sizing) -> None:
    rows = _rows(drawn.users(chat, Look(78, UNICODE)))
    area = _area(rows)
    room = next(number for number, row in enumerate(area) if "───" in row)
    fits = next(number for number, row in enumerate(area) if "○" in row)
    asked = next(number for number, row in enumerate(area) if "●" in row)
    assert fits == room < asked
    told = rows[-1].replace("\u00a0", " ")
    assert "asked: 32 users" in told
    assert f"the last that fits: {chat.memory.users_that_fit}" in told


def test_strong_scaling_has_a_mark_for_each_count_that_holds_the_training() -> None:
    scenario = BUILDS["finetune"]()
    growth = ScalingStudy()
    for _ in growth.steps(scenario):
        pass
    assert growth.prospects is not None
    held = [point for point in growth.prospects.curve.points if point.fits]
    rows = _rows(drawn.efficiency(growth.prospects.curve.points, Look(78, UNICODE)))
    assert sum(row.count("●") for row in _area(rows)) == len(held) > 2
    assert f"{FLOOR:.2f} │──" in "\n".join(rows)
    assert all(str(point.gpus) in rows[-2] for point in held)


def test_serving_scaling_has_a_mark_for_each_count_that_serves(chat: Sizing) -> None:
    growth = ScalingStudy()
    for _ in growth.steps(chat.scenario):
        pass
    counts = {shape.gpus for shape in growth.shapes if shape.fits and shape.best_concurrency}
    rows = _rows(drawn.served(growth.shapes, Look(78, UNICODE)))
    assert sum(row.count("●") for row in _area(rows)) == len(counts) > 2


def test_what_has_no_picture_has_none() -> None:
    tuned, look = size(BUILDS["finetune"]()), Look(78, UNICODE)
    assert drawn.users(tuned, look) == []
    assert drawn.efficiency((), look) == drawn.served((), look) == []
