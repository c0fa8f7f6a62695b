"""The What if page: sweeping an input, the chart, its flip points, and taking a value."""

from __future__ import annotations

import pytest

from engine.scenario import Scenario
from tests.tui.builds import BUILDS
from tests.tui.driver import app_of, running
from tests.tui.test_app_builds import choose, settle
from tui.pages.doc import plain


@pytest.fixture
def scenario() -> Scenario:
    return BUILDS["llama70b"]()


async def test_a_sweep_is_drawn_with_its_flip_points(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        await app.press("ctrl+t", "0")
        await settle(app)
        shown = app.text("#results")
        assert "█" in shown
        assert "▲ now 32" in shown
        flips = app.app.studies.sweep.flips
        assert flips
        assert f"up to {flips[0].last:,}" in shown


async def test_a_flip_point_is_where_the_verdict_changes(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        await app.press("ctrl+t", "0")
        await settle(app)
        flip = app.app.studies.sweep.flips[-1]
        await choose(app, f"take:{flip.first}")
        await app.press("enter")
        after = app.app.store.sizing
        assert after is not None
        assert app.app.store.scenario.workload.concurrency == flip.first
        await app.press("ctrl+z")
        await settle(app)
        await choose(app, f"take:{flip.last}")
        await app.press("enter")
        before = app.app.store.sizing
        assert before is not None
        now, then = after.verdict, before.verdict
        assert (now.answer, now.carried) != (then.answer, then.carried)
        await app.press("ctrl+z")
        assert app.app.store.scenario == scenario


async def test_another_input_and_another_figure(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        await app.press("ctrl+t", "0")
        await settle(app)
        await choose(app, "sweep:hardware.intra_link")
        await app.press("enter")
        await settle(app)
        assert "nvlink-4" in app.text("#results")
        await choose(app, "show:ttft_s")
        await app.press("enter")
        assert app.app.studies.sweep.shown(scenario) == "ttft_s"
        await choose(app, "take:nvlink-4")
        await app.press("enter")
        assert app.app.store.scenario.hardware.intra_link.id == app.app.workbench.results.chosen.removeprefix("take:")


@pytest.mark.parametrize("build", ["llama70b", "deepseek", "finetune"])
async def test_every_sweep_fits_its_panel(build: str) -> None:
    from engine.decide.what_if import fields

    scenario = BUILDS[build]()
    async with running(app_of(scenario), 60, 20) as app:
        await app.press("ctrl+t", "0")
        bench = app.app.workbench
        for field in fields(scenario):
            app.app.studies.sweep.field = field
            bench.refresh_panels()
            await settle(app)
            assert app.app.studies.sweep.of(scenario) == field
            assert not app.app.studies.sweep.running
            for size in ((60, 20), (80, 24), (120, 36), (160, 48), (200, 50)):
                await app.resize(*size)
                await app.press("0")
                panel = bench.detail if bench.detail.page == "What if" and bench.detail.size.width else bench.results
                assert panel.page == "What if"
                for row in panel.lines:
                    assert len(plain(row).rstrip()) <= panel.inner_width, (size, plain(row))
