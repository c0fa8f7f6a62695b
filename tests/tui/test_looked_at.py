"""What was cut, said twice or unlabelled on some page at some size, and is not any more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from catalog import build_scenario
from engine.decide.size import size
from engine.scenario import LayoutChoice, Workload
from tests.tui.builds import BUILDS
from tests.tui.driver import app_of, running
from tui.app.screens.list_dialog import FEWEST_COLUMNS, Column, Item, ListDialog
from tui.pages import cost, memory
from tui.pages.doc import plain
from tui.pages.glyphs import UNICODE
from tui.pages.look import Look

LOOK = Look(78, UNICODE)


@pytest.mark.parametrize(("columns", "least"), [(80, 7), (120, 10), (200, 15)])
async def test_a_wide_terminal_names_more_keys_and_cuts_none(columns: int, least: int) -> None:
    async with running(app_of(BUILDS["llama70b"]()), columns, 36) as app:
        footer = app.app.workbench.footer
        for focus in ("inputs", "results"):
            named = [span.action for row in footer.lines for span in row if span.style == "bar-key"]
            assert len(named) == len(set(named)) >= least, focus
            assert len(app.text("#footer").rstrip()) <= columns
            await app.press("ctrl+t")


async def test_a_long_message_keeps_the_key_that_takes_it_back() -> None:
    async with running(app_of(BUILDS["llama70b"]()), 80, 24) as app:
        app.app.workbench.say("word " * 40, "Ctrl+Z takes it back.")
        assert app.text("#footer").rstrip().endswith("… Ctrl+Z takes it back.")
        app.app.workbench.complain("Not written", "a reason " * 20)  # too long for a line: in full
        await app.pilot.pause()
        assert app.text("#dialog-body").count("reason") == 20
        await app.press("escape")
        app.app.workbench.complain("Not written", "a short reason")
        assert "a short reason" in app.text("#footer")


async def test_a_choice_too_long_for_its_box_is_called_by_its_first_word() -> None:
    work = Workload(kind="batch", concurrency=64, input_tokens=1000, output_tokens=100)
    async with running(app_of(build_scenario("llama-3.1-8b", "fp8", "l40s", 1, workload=work)), 120, 36) as app:
        row = next(row for row in app.text("#form").splitlines() if "Kind" in row)
        assert "batch" in row
        assert "…" not in row


async def test_a_build_that_cannot_be_sized_opens_at_its_fault_and_says_it_once_on_top() -> None:
    broken = replace(BUILDS["llama70b"](), layout=LayoutChoice(tp=7))
    async with running(app_of(broken), 80, 24) as app:
        assert app.app.workbench.form.key == "layout.tp"
        assert "7 does not divide" in app.text("#verdict")
        await app.press("ctrl+t")
        assert "7 does not divide" not in app.text("#results")
        assert "Ctrl+T leads to the inputs" in app.text("#results")


async def test_names_that_tell_rows_apart_stay_whole_in_a_narrow_list() -> None:
    columns = (Column("build", limit=44), *(Column(f"figure {number}", right=True) for number in range(7)))
    names = [f"8 × rtx-pro-6000-server, fp8, KV {kind}" for kind in ("fp8", "bf16")]
    items = [Item(name, (name, *["1,234,567"] * 7)) for name in names]
    async with running(app_of(BUILDS["llama70b"]()), 80, 24) as app:
        app.app.push_screen(ListDialog("Builds", columns, items))
        await app.pilot.pause()
        shown = app.text("#dialog-list")
        assert all(name in shown for name in names)
        assert "figure 0" in app.text("#dialog-head")
        assert "figure 6" not in app.text("#dialog-head")
        screen = app.app.screen
        assert isinstance(screen, ListDialog)
        assert sum(1 for cells in screen.list.widths(40) if cells) == FEWEST_COLUMNS


def test_groups_that_have_a_column_each_are_told_once() -> None:
    assert memory.memory_table(size(BUILDS["deepseek"]()), LOOK) == []  # two stages, side by side in the legend
    four = replace(BUILDS["deepseek"](), layout=LayoutChoice(tp=2, pp=8))
    table = memory.memory_table(size(four), Look(58, UNICODE))
    assert len({plain(row) for row in table}) == len(table) > 4


def test_a_single_run_costs_the_same_whenever_it_ends_and_is_told_once() -> None:
    work = Workload(kind="qlora", sequence_length=4096)
    run = size(build_scenario("llama-3.1-8b", "bf16", "h100-sxm", 8, workload=work))
    rows = [plain(row) for row in cost.horizons(run, LOOK)]
    assert rows[1].split()[:2] == ["one", "run"]
    assert sum("$" in row for row in rows) == 1
    served = [plain(row) for row in cost.horizons(size(BUILDS["llama70b"]()), LOOK)]
    assert [row.split()[0] for row in served[2:5]] == ["12", "24", "36"]


async def test_neighbouring_flips_have_a_blank_between_their_numbers() -> None:
    work = Workload(kind="qlora", sequence_length=4096)
    async with running(app_of(build_scenario("llama-3.1-8b", "bf16", "rtx-4090", 1, workload=work)), 80, 24) as app:
        await app.press("ctrl+t", "0")
        await app.settle()
        lines = [plain(row) for row in app.app.workbench.results.lines]
        flips = next(row for row in lines if row.startswith("flips"))
        numbered = [row.split()[0] for row in lines if row.startswith((" 1 up to", " 2 up to", " 3 up to"))]
        assert flips.split()[1:] == numbered
