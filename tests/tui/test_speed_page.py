"""The Speed page: whether a speed is enough, and what each user gets as they become more."""

from __future__ import annotations

from engine.decide.size import size
from tests.engine.builds import build
from tests.tui.driver import app_of, running
from tests.tui.figures import opens_to, page_lines, studied
from tui.pages.doc import plain, width_of


def test_more_users_are_sized_as_taking_that_many_would_make_them() -> None:
    scenario = build()
    sizing, studies = size(scenario), studied(scenario, vendors=("none",))
    lines = page_lines(sizing, studies, "Speed", 76)
    start = next(at for at, row in enumerate(lines) if plain(row).startswith("WITH MORE USERS"))
    rows = [row for row in lines[start + 2 :] if row]
    assert max(width_of(row) for row in rows) <= 76
    for point, row in zip(studies.load.points, rows, strict=True):
        there = size(build(concurrency=int(point.value)))
        assert there.serving is not None
        assert point.tokens_per_s_user == there.serving.tokens_per_s_user
        assert ("full" in plain(row)) is (there.memory.users_that_fit < int(point.value))
        speed = next(span for span in row if span.action.endswith("serving.tokens_per_s_user"))
        assert opens_to(sizing, studies, speed.action.removeprefix("figure:")).value == point.tokens_per_s_user


def test_a_batch_has_no_users_to_add() -> None:
    scenario = build(kind="batch")
    lines = page_lines(size(scenario), studied(scenario, vendors=("none",)), "Speed", 76)
    assert not any(plain(row).startswith("WITH MORE USERS") for row in lines)


async def test_it_is_worked_out_once_the_page_is_in_sight_and_again_after_an_edit() -> None:
    async with running(app_of(build()), 200, 50) as app:
        await app.press("ctrl+t", "4")
        await app.settle()
        assert "WITH MORE USERS" in app.text()
        first = app.app.studies.load.points
        app.app.workbench.make({"workload.input_tokens": 2000})
        assert "WITH MORE USERS" not in app.text()
        await app.settle()
        assert app.app.studies.load.points != first
        assert "WITH MORE USERS" in app.text()
