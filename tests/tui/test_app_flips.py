"""Flip points in the app: under the headline, on the pages, of the build on screen and no other."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from engine.decide.answer import holds
from engine.decide.flips import flip_points
from engine.decide.opened import working
from engine.decide.size import size
from engine.figures.sentences import text_of
from engine.scenario import Scenario
from tests.arithmetic import computed
from tests.tui.builds import BUILDS
from tests.tui.driver import app_of, running
from tui.pages.doc import plain
from tui.pages.studies import Studies

HOLDS = r"\b(Holds|verdict holds) to"
"""How the banner says what a verdict holds to: of a build that is short it is the verdict, not the build."""


@pytest.fixture
def scenario() -> Scenario:
    """A node that carries its load."""
    return BUILDS["llama70b"]()


@pytest.mark.parametrize(("build", "columns", "rows"), [("deepseek", 80, 24), ("llama70b", 120, 36)])
async def test_the_nearest_flip_stands_under_the_reason(build: str, columns: int, rows: int) -> None:
    scenario = BUILDS[build]()
    async with running(app_of(scenario), columns, rows) as app:
        await app.settle()
        flips = flip_points(scenario)
        assert flips
        nearest = text_of(holds(flips)[0])
        assert re.search(rf"{HOLDS} {re.escape(nearest)}", app.text("#verdict"))


async def test_every_flip_opens_to_a_working_that_adds_up(scenario: Scenario) -> None:
    sizing = size(scenario)
    for flip in flip_points(scenario):
        made = working(sizing, flip.figure)
        assert made.value == pytest.approx(flip.at)
        assert computed(made) == pytest.approx(made.value)


async def test_flips_are_opened_by_key_and_by_mouse(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        await app.settle()
        at = app.text("#verdict").splitlines()
        row = next(number for number, text in enumerate(at) if re.search(HOLDS, text))
        await app.pilot.click("#verdict", offset=(at[row].index("olds to ") + len("olds to "), row))
        assert "Where the verdict changes" in app.text("#dialog-text")
        await app.press("escape", "ctrl+t", "2")
        panel = app.app.workbench.results
        for _ in range(60):
            if panel.chosen.startswith("figure:flip."):
                break
            await app.press("down")
        await app.press("enter")
        assert "Where the verdict changes" in app.text("#dialog-text")


async def test_an_edit_marks_what_was_found_before_it(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    from tui.app.screens import study

    async with running(app_of(scenario)) as app:
        await app.settle()
        monkeypatch.setattr(study, "PAUSE_S", 30.0)  # the edits never rest
        before = app.text("#verdict").splitlines()[3]
        await app.go_to("workload.output_tokens")
        await app.press("right")
        assert app.text("#verdict").splitlines()[3] == before.replace("Holds", "Held").replace("holds", "held")
        await app.go_to("model.weights")
        await app.press("right")  # another model: what was found says nothing about it
        assert "Held" not in app.text("#verdict")
        assert not re.search(HOLDS, app.text("#verdict"))


async def test_a_build_that_nobody_edited_waits_for_no_rest(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tui.app.screens import study

    monkeypatch.setattr(study, "PAUSE_S", 1e6)
    monkeypatch.setattr(study, "UNEDITED", 0.0)
    async with running(app_of(scenario)) as app:
        await app.settle()
        assert re.search(HOLDS, app.text("#verdict"))
        await app.go_to("workload.output_tokens")
        await app.press("right")
        assert not re.search(HOLDS, app.text("#verdict"))


async def test_what_was_found_is_the_same_that_the_engine_says(scenario: Scenario) -> None:
    async with running(app_of(scenario), 160, 48) as app:
        await app.go_to("workload.concurrency")
        await app.press("right")
        await app.settle()
        now = app.app.store.scenario
        points, fresh = app.app.studies.flips.of(size(now))
        assert fresh
        assert points == flip_points(replace(now, title="", notes=""))
        shown = " ".join(plain(row) for row in app.app.workbench.detail.lines)
        for flip in points:
            assert text_of(flip.words).partition(";")[0] in " ".join(shown.split())


def test_a_search_given_up_leaves_no_flips(scenario: Scenario) -> None:
    flips = Studies(size).flips
    job = flips.steps(scenario)
    next(job)
    job.close()
    assert flips.stale(scenario)
    assert flips.of(size(scenario)) == ((), False)
