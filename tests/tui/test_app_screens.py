"""Whole screens: no bullet without words, nothing told twice side by side, keys that come back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog import load
from engine.decide.answer import STATUS_WORDS
from engine.decide.size import size
from engine.figures.sentences import text_of
from engine.scenario import Scenario
from engine.scenario.change import change
from tests.tui.builds import BUILDS
from tests.tui.driver import app_of, running
from tests.tui.figures import page_lines
from tui.files import session
from tui.pages.contents import PAGES
from tui.pages.doc import plain, width_of
from tui.pages.fabric import drop
from tui.pages.glyphs import UNICODE
from tui.pages.look import Look

WIDTHS = (38, 45, 55, 58, 61, 72, 77, 96, 130)
ALONE = re.compile(r"\s*[▸✓✗○]?\s*[•!✗→]\s*")


def _builds() -> Iterator[tuple[str, Scenario]]:
    for name, build in BUILDS.items():
        yield name, build()
    tune = BUILDS["finetune"]()
    for kind in ("lora", "qlora", "pretrain"):
        yield kind, change(tune, {"workload.kind": kind})
    yield "two cards", change(BUILDS["llama70b"](), {"hardware.second_accelerator": "l40s"}, load())


@pytest.mark.parametrize(("name", "scenario"), _builds(), ids=[name for name, _ in _builds()])
def test_every_bullet_has_words(name: str, scenario: Scenario) -> None:
    sizing = size(scenario)
    for notice in sizing.warnings:
        assert text_of(notice.message).strip(), notice.id
    for page in PAGES:
        for width in WIDTHS:
            for row in page_lines(sizing, None, page, width):
                assert not ALONE.fullmatch(plain(row)), (page, width)


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("width", [50, 52, 58, 72, 110])
def test_a_row_of_the_drop_keeps_to_one_line(build: str, width: int) -> None:
    rows = drop(size(BUILDS[build]()), Look(width, UNICODE))
    assert len(rows) in (0, 4, 5)
    assert all(width_of(row) <= width for row in rows)


async def test_columns_side_by_side_do_not_tell_the_same() -> None:
    async with running(app_of(BUILDS["llama70b"]()), 200, 50) as app:
        assert "Does one GPU carry it?" in app.text("#detail")
        assert "Does one GPU carry it?" not in app.text("#results")
        await app.press("ctrl+t", "right")
        assert (app.app.workbench.results.page, app.app.workbench.detail.page) == ("Memory", "Verdict")


async def test_an_edit_that_cannot_be_sized_ends_a_search_that_was_about_to_begin() -> None:
    async with running(app_of(BUILDS["llama70b"]()), 80, 24) as app:
        await app.settle()
        await app.go_to("workload.output_tokens")
        await app.type("999k")
        await app.settle()
        assert "exceed the context of 131,072" in app.text("#form")
        assert "STALE" in app.text("#verdict")


async def test_an_answer_gives_way_to_the_keys_on_the_next_key() -> None:
    async with running(app_of(BUILDS["llama70b"]()), 80, 24) as app:
        await app.press("ctrl+t", "f9")
        assert "Theme" in app.text("#footer")
        await app.press("down")
        assert "F1 Help" in app.text("#footer")
        await app.press("ctrl+z")
        assert "Nothing to undo" in app.text("#footer"), "what the key itself does is still said"


async def test_a_second_kind_of_card_is_chosen_in_the_form() -> None:
    async with running(app_of(BUILDS["llama70b"]()), 120, 36) as app:
        await app.go_to("hardware.second_accelerator")
        await app.press(*"l40s", "enter")
        assert [count for _, count in app.app.store.scenario.hardware.mixed] == [4, 4]
        assert "4× rtx-pro-6000-server + 4× l40s" in app.text("#title")
        await app.go_to("hardware.second_gpus")
        await app.type("8")
        assert "allowed: 1 to 7" in app.text("#form")
        assert [count for _, count in app.app.store.scenario.hardware.mixed] == [4, 4]
        await app.go_to("hardware.second_accelerator")
        await app.press("delete")
        assert app.app.store.scenario.hardware.mixed == ()


@pytest.mark.parametrize(
    ("words", "suffix"),
    [("text", "report.txt"), ("markdown", "report.md"), ("json", "report.json"), ("picture", "screen.svg")],
)
async def test_a_report_is_offered_beside_its_session(tmp_path: Path, words: str, suffix: str) -> None:
    path = tmp_path / "one.toml"
    path.write_text(session.dump(BUILDS["llama70b"]()))
    async with running(app_of(session.load(path), path), 80, 24) as app:
        await app.press("ctrl+e")
        await app.press(*"write", "space", *words, "enter", "enter")
        assert "Wrote" in app.text("#footer")
    assert (tmp_path / f"one-{suffix}").stat().st_size > 5000


async def test_keys_typed_ahead_wait_for_the_first_frame() -> None:
    app = app_of(BUILDS["llama70b"]())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+t", "5")
        await pilot.pause()
        assert app.workbench.on_results
        assert app.workbench.results.page == "Fabric"
        assert "CLIFF" in app.export_screenshot()


FIRST_WORDS = {
    "1": ("Overview", "MEMORY per GPU"),
    "2": ("Verdict", "VERDICT, step by step"),
    "3": ("Memory", "weights at most"),
    "4": ("Speed", "Limited by"),
    "5": ("Fabric", "FABRIC CLIFF"),
    "6": ("Scaling", "output tokens a second and GPU"),
    "7": ("Cost", "Buy          $568,320"),
    "8": ("Builds", "BUILDS THAT CARRY IT"),
    "9": ("Compare", "Pin the build at hand"),
    "0": ("What if", "WHAT IF"),
}


@pytest.mark.parametrize("terminal", [(80, 24), (120, 36), (160, 48)])
async def test_every_page_is_a_key_away_on_every_screen(terminal: tuple[int, int]) -> None:
    async with running(app_of(BUILDS["deepseek"]()), *terminal) as app:
        await app.press("ctrl+t")
        bench = app.app.workbench
        side = "#detail" if terminal[0] == 160 else "#results"  # a wide screen has the page beside the Overview
        for key, (page, words) in FIRST_WORDS.items():
            await app.press(key)
            await app.settle()
            if side == "#detail" and page == "Overview":
                continue
            assert (bench.detail if side == "#detail" else bench.results).page == page
            assert words in app.text(side), page
            assert words in app.text(), "the page's beginning is in sight"
            assert "8 of these 16 GPUs at INT4" in app.text("#verdict"), "the answer stays on every page"


@pytest.mark.parametrize("build", BUILDS)
async def test_a_wide_screen_has_inputs_answer_overview_and_verdict_side_by_side(build: str) -> None:
    async with running(app_of(BUILDS[build]()), 160, 48) as app:
        shown = app.text()
        assert STATUS_WORDS[size(BUILDS[build]()).answer.status] in app.text("#verdict")
        for words in ("WHAT TO DO", "PRICE", "VERDICT, step by step", "Model"):
            assert words in shown
