"""The workbench by keyboard and by mouse: what a person does, and what then stands on screen."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from catalog import load
from engine.scenario import LayoutChoice, Scenario
from tests.tui.builds import BUILDS
from tests.tui.driver import app_of, running
from tui.app import recovery
from tui.app.screens import study
from tui.app.widgets.canvas import Canvas
from tui.app.widgets.frame import Footer
from tui.files import commands, paths, session, settings
from tui.files.fields import new_scenario
from tui.pages.glyphs import ASCII

SIZES = [(60, 20), (80, 24), (100, 30), (120, 36), (160, 48), (200, 60)]


@pytest.fixture
def scenario() -> Scenario:
    return BUILDS["llama70b"]()


async def test_an_edit_sizes_at_once(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        before = app.text("#results")
        await app.go_to("workload.concurrency")
        await app.type("64")
        assert app.app.store.scenario.workload.concurrency == 64
        assert "asked 64" in app.text("#results")
        assert app.text("#results") != before
        assert "unsaved" in app.text("#title")


async def test_short_forms_of_numbers(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        await app.go_to("workload.input_tokens")
        await app.type("8.5k")
        assert app.app.store.scenario.workload.input_tokens == 8500


async def test_left_and_right_step_by_powers_of_two_and_up_and_down_only_move(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        await app.go_to("hardware.gpus_per_node")
        await app.press("left")
        assert app.app.store.scenario.hardware.gpus_per_node == 4
        await app.press("right", "right")
        assert app.app.store.scenario.hardware.gpus_per_node == 16
        stepped = app.app.store.scenario
        form = app.app.workbench.form
        keys = form.stops
        at = keys.index(form.key)
        await app.press("down")
        assert form.key == keys[at + 1]
        await app.press(*["up"] * (at + 3))
        assert form.key == keys[0]
        assert app.app.store.scenario == stepped
        form.go_to(keys[-1])
        await app.press("down")
        assert form.key == keys[-1]
        assert not app.app.workbench.on_results


async def test_a_format_is_chosen_from_a_list_with_bits_size_and_what_comes_of_it(scenario: Scenario) -> None:
    async with running(app_of(scenario), 120, 36) as app:
        await app.go_to("model.weights")
        await app.type("int4")
        rows = [row.split() for row in app.text("#dialog-list").splitlines() if row.strip()]
        assert rows[0][:2] == ["▸", "int4"]
        assert rows[0][-1] in ("RUNS", "MISSES")
        await app.press("enter")
        assert app.app.store.scenario.model.weights == "int4"
        await app.press("enter")
        words = app.text("#dialog-list") + app.text("#dialog-head")
        for word in ("bits", "GiB in all", "with it", "bf16", "131.4"):
            assert word in words
        await app.press("escape")
        assert app.app.store.scenario.model.weights == "int4"


async def test_text_a_field_cannot_take_stays_with_its_reason(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        held = app.app.store.scenario
        await app.go_to("workload.concurrency")
        await app.type("3x")
        assert app.app.store.scenario.workload.concurrency == 3
        assert "STALE" in app.text("#verdict")
        assert "3x" in app.text("#form")
        await app.press("tab")
        assert "3x" in app.text("#form"), "it stays when the field is left"
        await app.press("shift+tab", "escape")
        assert "STALE" not in app.text("#verdict")
        await app.press("ctrl+z")
        assert app.app.store.scenario == held


async def test_a_layout_without_an_answer_keeps_the_last_result(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        await app.settle()
        results = app.text("#results")
        await app.go_to("layout.tp")
        await app.type("7")
        assert "STALE" in app.text("#verdict")
        assert "64 attention heads" in app.text("#form").replace("\n    ", " ")
        assert app.text("#results") == results
        await app.press("backspace")
        await app.type("8")
        assert "STALE" not in app.text("#verdict")


async def test_a_session_that_opens_in_error_says_so(scenario: Scenario) -> None:
    async with running(app_of(replace(scenario, layout=LayoutChoice(tp=7)))) as app:
        assert "NOT SIZED" in app.text("#verdict")
        assert app.text("#verdict").count("attention heads") == 1
        await app.go_to("layout.tp")
        await app.press("ctrl+r")
        assert "NOT SIZED" not in app.text("#verdict")


async def test_undo_and_redo_take_typing_in_one_field_as_one_step(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        await app.go_to("workload.concurrency")
        await app.type("128")
        await app.press("tab")
        await app.type("2k")
        await app.press("ctrl+z")
        assert app.app.store.scenario.workload.input_tokens == 7000
        assert app.app.store.scenario.workload.concurrency == 128
        await app.press("ctrl+z")
        assert app.app.store.scenario == scenario
        assert "unsaved" not in app.text("#title")
        await app.press("ctrl+y", "ctrl+y")
        assert app.app.store.scenario.workload.input_tokens == 2000


async def test_the_model_list_filters_as_one_types(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        await app.press("enter")
        assert "type to filter" in app.text()
        await app.type("mixtral 8x22")
        await app.press("enter")
        assert app.app.store.scenario.model.id == "mixtral-8x22b"
        assert "mixtral-8x22b" in app.text("#title")


async def test_a_new_card_brings_its_links(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        await app.go_to("hardware.accelerator")
        await app.type("h100-sxm")
        await app.press("enter")
        hardware = app.app.store.scenario.hardware
        assert hardware.accelerator.id == "h100-sxm"
        assert hardware.intra_link.id == hardware.accelerator.default_intra_link


async def test_fields_follow_the_kind_of_work(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        app.app.workbench.form.opened |= {"fold:Batch, adapters"}
        assert "LoRA rank" not in app.text("#form")
        await app.go_to("workload.kind")
        await app.type("q")
        await app.press("enter")
        assert app.app.store.scenario.workload.kind == "qlora"
        form = app.text("#form")
        assert "LoRA rank" in form
        assert "Users at once" not in form
        assert "optimizer" in app.text("#results") or "gradients" in app.text("#results")


async def test_auto_fields_show_what_was_chosen(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        sizing = app.app.store.sizing
        assert sizing is not None
        await app.go_to("layout.tp")
        line = next(row for row in app.text("#form").splitlines() if row.strip(" ▸").startswith("TP"))
        assert f"→ {sizing.layout.tp}" in line


async def test_a_change_on_offer_is_applied_by_one_key() -> None:
    tight = BUILDS["llama405b"]()
    tight = dataclasses.replace(tight, workload=dataclasses.replace(tight.workload, concurrency=64))
    async with running(app_of(tight)) as app:
        await app.press("ctrl+t")
        await app.settle()
        await app.press("a")
        assert app.app.store.scenario != tight
        await app.press("ctrl+z")
        assert app.app.store.scenario == tight


async def test_enter_opens_the_working_of_a_figure(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        await app.press("ctrl+t", "enter")
        assert "HOW IT COMES ABOUT" in app.text()
        await app.press("escape")
        assert "HOW IT COMES ABOUT" not in app.text()


async def test_pages_by_arrow_and_number(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        await app.press("ctrl+t", "2")
        assert "step by step" in app.text("#results")
        await app.press("right", "right")
        assert "ONE DECODE STEP" in app.text("#results")


async def test_help_and_palette_come_from_the_registry(scenario: Scenario) -> None:
    async with running(app_of(scenario), 120, 60) as app:
        await app.press("f1")
        shown = app.text("#dialog-text")
        for command in commands.COMMANDS:
            assert commands.Keymap().words(command.id) in shown, command.id
        await app.press("escape", "question_mark")
        assert "EVERYWHERE" in app.text("#dialog-text")
        await app.press("escape", "ctrl+p")
        await app.type("cost page")
        await app.press("enter")
        assert "COST" in app.text("#results")


async def test_escape_never_quits(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        await app.press(*["escape"] * 4, "ctrl+t", *["escape"] * 4)
        assert app.app.is_running
        assert app.app.workbench.focused is app.app.workbench.form


async def test_save_and_open(scenario: Scenario, tmp_path: Path) -> None:
    async with running(app_of(scenario)) as app:
        await app.press("ctrl+s")
        await app.press("ctrl+u")
        await app.type(str(tmp_path / "build"))
        await app.press("enter")
        await app.pilot.pause()
        target = tmp_path / "build.toml"
        assert session.load(target) == scenario
        assert app.app.store.path == target
        await app.go_to("workload.concurrency")
        await app.type("9")
        await app.press("ctrl+s")
        assert session.load(target).workload.concurrency == 9
        assert not app.app.store.dirty
        await app.press("ctrl+n", "ctrl+o", "enter")
        assert app.app.store.scenario.workload.concurrency == 9


async def test_a_file_that_somebody_else_changed_is_not_overwritten_unasked(scenario: Scenario, tmp_path: Path) -> None:
    target = tmp_path / "shared.toml"
    session.save(scenario, target)
    async with running(app_of(session.load(target), target)) as app:
        await app.go_to("workload.concurrency")
        await app.type("9")
        session.save(replace(scenario, title="theirs, and longer"), target)
        await app.press("ctrl+s")
        assert "The file was changed" in app.text()
        await app.press("c")
        assert session.load(target).title == "theirs, and longer"
        await app.press("ctrl+s", "r")
        assert session.load(target).workload.concurrency == 9


async def test_the_theme_is_remembered(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        await app.press("f9")
        assert "light" in app.text("#footer")
    assert app_of(scenario, theme="").theme_name == "light"
    settings.remember_theme("dark")


async def test_a_bad_file_leaves_the_session_alone(scenario: Scenario, tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text(session.dump(scenario).replace("[model]\n", "[model]\ncolour = 3\n"))
    async with running(app_of(scenario)) as app:
        await app.press("ctrl+o")
        await app.type(str(bad))
        await app.press("enter")
        assert "Not opened" in app.text()
        assert "colour" in app.text()
        await app.press("enter")
        assert app.app.store.scenario == scenario


async def test_quit_asks_when_there_is_unsaved_work(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        await app.go_to("workload.concurrency")
        await app.type("9")
        await app.press("ctrl+q")
        assert "Unsaved changes" in app.text()
        await app.press("c")
        assert app.app.is_running
        assert app.app.store.dirty
        await app.press("ctrl+q", "d")
        assert app.app.return_value == 0


async def test_quit_without_changes_just_quits(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        await app.press("ctrl+q")
        assert app.app.return_value == 0


async def test_unsaved_work_is_offered_again(scenario: Scenario) -> None:

    edited = replace(scenario, title="left behind")
    paths.created(paths.state_folder())
    (paths.state_folder() / recovery.NAME.format(2**22 + 1)).write_text(session.dump(edited))
    async with running(app_of(new_scenario(load()))) as app:
        assert "left behind" in app.text()
        await app.press("o")
        assert app.app.store.scenario == edited
        assert app.app.store.dirty
    assert not recovery.left_behind()


@pytest.mark.parametrize("build", BUILDS)
async def test_nothing_is_cut_or_wider_than_its_panel(build: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "PAUSE_S", 3600.0)  # what is searched for has widths tested of its own
    async with running(app_of(BUILDS[build]()), *SIZES[0]) as app:
        await app.press("ctrl+t", "p")
        for size, page in product(SIZES, "1234567890"):
            if app.app.size != size:
                await app.resize(*size)
            await app.press(page)
            bench = app.app.workbench
            assert bench.on_results
            for panel in (bench.form, bench.results, bench.detail, bench.footer):
                for row in panel.lines:
                    text = "".join(span.text for span in row).rstrip()
                    assert len(text) <= max(panel.inner_width, 1) or not panel.size.width, (page, text)


@pytest.mark.parametrize(
    "names",
    [
        commands.FOOTER_INPUTS,
        commands.FOOTER_RESULTS,
        commands.FOOTER_PICKER,
        *(names for names, _ in commands.FOOTER_PAGES.values()),
    ],
)
def test_the_footer_fits_80_columns(names: tuple[str, ...]) -> None:
    assert len(names) <= 7
    words = [f"{commands.key_name(commands.BY_ID[n].keys[0], True)} {commands.BY_ID[n].label}" for n in names]
    assert sum(len(word) + 2 for word in words) + 1 <= 80


async def test_a_terminal_too_small_says_so(scenario: Scenario) -> None:
    async with running(app_of(scenario), 50, 15) as app:
        assert "at least 60 x 20" in re.sub(r"\s+", " ", app.text())
        await app.pilot.resize_terminal(80, 24)
        await app.pilot.pause()
        assert "at least" not in app.text()
        assert "Model" in app.text()


async def test_resizing_keeps_focus_and_field(scenario: Scenario) -> None:
    async with running(app_of(scenario), 120, 36) as app:
        await app.go_to("layout.pp")
        for size in ((80, 24), (200, 60), (120, 36)):
            await app.pilot.resize_terminal(*size)
            await app.pilot.pause()
            assert app.app.workbench.form.field.key == "layout.pp"
            assert app.app.workbench.focused is app.app.workbench.form
            assert "▸ PP" in app.text()


async def test_narrow_shows_inputs_and_results_in_turn(scenario: Scenario) -> None:
    async with running(app_of(scenario), 80, 24) as app:
        assert "MEMORY per GPU" not in app.text()
        verdict = app.text("#verdict").splitlines()[0]
        await app.press("ctrl+t")
        assert "MEMORY per GPU" in app.text()
        assert app.text("#verdict").splitlines()[0] == verdict
        await app.press("escape")
        assert "▸ Model" in app.text()


async def test_ascii_only(scenario: Scenario) -> None:
    async with running(app_of(scenario, glyphs=ASCII, theme="mono"), 120, 36) as app:
        shown = app.text()
        assert shown.isascii(), sorted({char for char in shown if ord(char) > 127})
        await app.press("f1")
        assert app.text().replace("│", "").replace("─", "") is not None


async def test_by_mouse_alone(scenario: Scenario, tmp_path: Path) -> None:
    async with running(app_of(scenario)) as app:
        form = app.app.workbench.form

        async def click(widget: Canvas | str, text: str, nth: int = 0) -> None:
            canvas = app.app.screen.query_one(widget, Canvas) if isinstance(widget, str) else widget
            rows = [(y, row) for y, row in enumerate(canvas.lines) if text in "".join(s.text for s in row)]
            y, row = rows[nth]
            x = "".join(span.text for span in row).index(text) + 1
            await app.pilot.click(canvas, offset=(x, y - canvas.top))
            await app.pilot.pause()

        await click(form, "GPUs per node")
        assert form.field.key == "hardware.gpus_per_node"
        row = form._rows["hardware.gpus_per_node"]
        line = "".join(span.text for span in form.lines[row])
        await app.pilot.click(form, offset=(line.index("◂"), row - form.top))
        await app.pilot.pause()
        assert app.app.store.scenario.hardware.gpus_per_node == 4
        await click("#tabs", "Fabric")
        assert "FABRIC CLIFF" in app.text("#results")
        await click("#footer", "Undo")
        assert app.app.store.scenario == scenario
        await click(form, "llama-3.1-70b")
        await click("#dialog-list", "llama-3.1-8b")
        assert app.app.store.scenario.model.id == "llama-3.1-8b"
        footer = app.app.screen.query_one("#footer", Footer)
        footer.say("")
        await click("#footer", "Quit")
        await click("#dialog-body", "Discard")
        assert app.app.return_value == 0


async def test_results_that_were_hidden_show_the_edit(scenario: Scenario) -> None:
    async with running(app_of(scenario), 80, 24) as app:
        await app.press("ctrl+t", "escape")
        await app.go_to("hardware.gpus_per_node")
        await app.type("4")
        await app.press("ctrl+t")
        results = app.app.workbench.results
        shown = [row[: results.inner_width].rstrip() for row in app.text().splitlines()]
        for row in results.lines[results.top : results.top + results.size.height]:
            assert "".join(span.text for span in row).rstrip() in shown
