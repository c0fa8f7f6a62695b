"""Entering and finding: headings that open, the jump, lists that sort, prompts whose text is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from catalog import load
from engine.scenario import KINDS
from tests.tui.builds import BUILDS
from tests.tui.driver import Driver, app_of, running
from tests.tui.test_app_builds import settle
from tests.tui.test_fields import every_kind
from tui.app.screens.list_dialog import Item, ListDialog
from tui.files import fields, folds, paths
from tui.files.fields import new_scenario

IN_SIGHT = 11
"""So many fields stand in sight, at most, before a heading is opened."""


@pytest.mark.parametrize("kind", KINDS)
def test_few_fields_are_in_sight_and_each_other_one_is_under_one_heading(kind: str) -> None:
    for scenario in every_kind(kind):
        shown = fields.shown(scenario)
        in_sight = [field for field in shown if folds.fold_of(field) is None]
        assert 6 <= len(in_sight) <= IN_SIGHT, [field.key for field in in_sight]
        assert sorted(field.key for field in folds.ordered(shown)) == sorted(field.key for field in shown)


def test_every_heading_has_a_field() -> None:
    assert {fold.name for fold in folds.FOLDS} == {
        fold.name for field in fields.FIELDS if (fold := folds.fold_of(field))
    }


async def test_a_heading_says_what_is_inside_and_opens_by_enter() -> None:
    async with running(app_of(BUILDS["llama70b"]()), 80, 24) as app:
        form = app.app.workbench.form
        assert "KV cache, MTP" in app.text("#form")
        assert "Utilization" not in app.text("#form")
        form.go_to("fold:Engine")
        await app.press("enter")
        assert "Utilization" in "".join(span.text for row in form.lines for span in row)
        await app.press("down")
        assert form.key == "runtime.engine"
        await app.press("up", "left")
        assert "fold:Engine" not in form.opened


async def test_a_field_under_a_heading_is_found_by_its_name_and_by_its_fault() -> None:
    async with running(app_of(BUILDS["llama70b"]())) as app:
        form = app.app.workbench.form
        await app.press("ctrl+p")
        await app.type("go to utilization")
        await app.press("enter")
        assert form.key == "runtime.memory_utilization"
        await app.type("0.8")
        form.go_to("model.id")
        assert "Utilization 0.8" in folds.told(
            folds.BY_KEY["fold:Engine"],
            [field for field in form.fields if field.section == "RUNTIME"],
            app.app.store.scenario,
            app.app.store.sizing,
        )
    async with running(app_of(BUILDS["llama70b"]())) as app:
        form = app.app.workbench.form
        app.app.store.reject("layout.tp", "x", "a number is needed")
        app.app.workbench.refresh_panels()
        assert "fold:Layout" in form.opened


def listed_in(app: Driver) -> Sequence[Item]:
    """The rows of the list that is open."""
    screen = app.app.screen
    assert isinstance(screen, ListDialog)
    return screen.list.items


async def jump(app: Driver, key: str) -> None:
    await app.press("f7", key)


async def test_a_jump_goes_to_a_field_a_heading_or_a_page() -> None:
    async with running(app_of(BUILDS["llama70b"]())) as app:
        form = app.app.workbench.form
        await app.press("f7")
        assert "u Users at once" in app.text("#form")
        await app.press("u")
        assert form.key == "workload.concurrency"
        assert "▸ Users at once" in app.text("#form")
        letter = next(key for key, target in folds.letters(form.stops, form.fields).items() if target == "fold:Layout")
        await jump(app, letter)
        assert "fold:Layout" in form.opened
        await jump(app, "5")
        assert app.app.workbench.results.page == "Fabric"
        assert app.app.workbench.on_results
        before = app.app.store.scenario
        await jump(app, "escape")
        assert not form.jumps
        assert app.app.store.scenario == before


async def test_a_long_list_sorts_by_any_column_and_turns_round() -> None:
    async with running(app_of(new_scenario(load())), 120, 36) as app:
        await app.go_to("hardware.accelerator")
        await app.press("enter")

        def memory() -> list[Any]:
            return [item.figures[2] for item in listed_in(app) if item.figures]

        await app.press("f5", "f5", "f5")
        assert memory() == sorted(memory(), reverse=True)
        await app.press("f6")
        assert memory() == sorted(memory())
        await app.type("nvidia")
        assert memory() == sorted(memory())
        await app.press("escape")


@pytest.mark.parametrize("kind", KINDS)
def test_each_letter_of_a_jump_leads_to_one_place(kind: str) -> None:
    for scenario in every_kind(kind):
        shown = folds.ordered(fields.shown(scenario))
        stops = [field.key for field in shown] + [fold.key for fold in folds.FOLDS]
        found = folds.letters(stops, shown)
        assert (
            list(found.values()) == stops[: len(found)]
        )  # where there are more stops than letters, the last have none
        assert len(found) == min(26, len(stops))


async def test_the_one_thing_to_do_is_done_from_the_inputs_too() -> None:
    async with running(app_of(new_scenario(load())), 80, 24) as app:
        await app.settle()
        assert " F8  " in app.text("#verdict")
        await app.press("ctrl+t")
        assert " a  " in app.text("#verdict")
        await app.press("escape", "f8")
        sizing = app.app.store.sizing
        assert sizing is not None
        assert sizing.memory.fits


@pytest.mark.parametrize(
    ("words", "first"),
    [("h100", "h100-sxm"), ("8x h100", "h100-sxm"), ("4090", "rtx-4090"), ("a100", "a100-sxm4-80gb")],
)
async def test_a_card_is_found_by_the_name_that_people_give_it(words: str, first: str) -> None:
    async with running(app_of(new_scenario(load())), 120, 36) as app:
        await app.go_to("hardware.accelerator")
        await app.press("enter")
        await app.type(words)
        value = listed_in(app)[0].value
        assert (dict(value.changes)["hardware.accelerator"] if "x" in words else value) == first


async def test_f3_and_f4_turn_pages() -> None:
    async with running(app_of(BUILDS["llama70b"]())) as app:
        await app.press("ctrl+t", "f4", "f4", "f3")
        assert app.app.workbench.results.page == "Verdict"


@pytest.mark.parametrize(("words", "first"), [("96", 96), ("48", 48), ("24", 24)])
async def test_a_number_finds_cards_of_that_memory_first(words: str, first: int) -> None:
    async with running(app_of(new_scenario(load())), 120, 36) as app:
        await app.go_to("hardware.accelerator")
        await app.type(words)
        found = listed_in(app)
        assert round(load().accelerator(found[0].value).memory_gb_marketed) == first


async def test_every_build_found_is_listed_and_opens() -> None:
    async with running(app_of(BUILDS["llama70b"]()), 120, 36) as app:
        await app.press("ctrl+t", "8")
        await settle(app)
        number = len(app.app.studies.search.found)
        await app.press("b")
        listed = listed_in(app)
        assert len(listed) == number > 20
        await app.press("f5", "f5", "f6")
        prices = [item.figures[1] for item in listed if item.figures[1] is not None]
        assert prices
        await app.type("h200")
        await app.press("enter")
        assert "h200" in app.app.store.scenario.hardware.accelerator.id


async def test_a_name_that_is_typed_replaces_the_offered_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with running(app_of(BUILDS["llama70b"]())) as app:
        await app.press("ctrl+s")
        assert app.text("#dialog-head").strip().startswith("in /")
        await app.type("mybuild")
        await app.press("enter")
        await app.settle()
        assert (tmp_path / "mybuild.toml").exists()


async def test_a_first_start_asks_what_for_and_fills_the_form() -> None:
    async with running(app_of(new_scenario(load()), first=True), 80, 24) as app:
        assert "What do you want to know?" in app.text()
        await app.press("f", "q")
        await app.type("llama-3.1-8b")
        await app.press("enter")
        await app.type("rtx-4090")
        await app.press("enter")
        await app.settle()
        scenario = app.app.store.scenario
        assert (scenario.workload.kind, scenario.model.id) == ("qlora", "llama-3.1-8b")
        assert scenario.hardware.accelerator.id == "rtx-4090"
        assert app.app.workbench.form.key == "hardware.gpus_per_node"


async def test_a_first_start_that_asks_what_to_buy_ends_at_the_builds() -> None:
    async with running(app_of(new_scenario(load()), first=True), 80, 24) as app:
        await app.press("b", "escape")
        await app.settle()
        assert app.app.workbench.results.page == "Builds"


def test_only_the_first_start_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    assert paths.first_start()
    assert not paths.first_start()


async def test_an_example_opens_as_a_session_without_a_file() -> None:
    async with running(app_of(new_scenario(load())), 100, 30) as app:
        await app.press("ctrl+o")
        assert "an example that comes along" in app.text("#dialog-list")
        await app.type("deepseek")
        await app.press("enter")
        await app.settle()
        assert app.app.store.scenario.model.id.startswith("deepseek")
        assert app.app.store.path is None


async def test_a_few_words_in_a_list_take_the_number_and_the_format_with_them() -> None:
    async with running(app_of(new_scenario(load())), 120, 36) as app:
        await app.go_to("hardware.accelerator")
        await app.press("enter")
        await app.type("2x8 h200-sxm")
        assert "2x8x h200-sxm" in app.text("#dialog-list")
        await app.press("enter")
        await app.settle()
        hardware = app.app.store.scenario.hardware
        assert (hardware.accelerator.id, hardware.gpus_per_node, hardware.nodes) == ("h200-sxm", 8, 2)
        await app.go_to("hardware.accelerator")
        await app.press("enter")
        await app.type("2x 4090")
        await app.press("enter")
        await app.settle()
        hardware = app.app.store.scenario.hardware
        assert (hardware.accelerator.id, hardware.gpus_per_node, hardware.nodes) == ("rtx-4090", 2, 2)
        app.app.workbench.form.go_to("model.id")
        await app.press("enter")
        await app.type("llama-3.1-8b q4")
        await app.press("enter")
        await app.settle()
        model = app.app.store.scenario.model
        assert (model.id, model.weights) == ("llama-3.1-8b", "gguf-q4_k_m")
