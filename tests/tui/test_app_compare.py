"""The Compare page: pinning, differences and winners, swapping, renaming, unpinning, and the way back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.scenario import LayoutChoice, Scenario
from tests.engine.builds import build
from tests.tui.builds import BUILDS
from tests.tui.driver import Driver, app_of, running
from tui.files import session, session_tables
from tui.files.pins import Pin
from tui.pages.doc import plain

pytestmark = pytest.mark.usefixtures("unsearched")


@pytest.fixture
def scenario() -> Scenario:
    chat = BUILDS["llama70b"]()  # with targets that half its GPUs meet too
    return replace(chat, workload=replace(chat.workload, ttft_target_s=4.0, tokens_per_s_user_target=10.0))


async def with_pin(app: Driver) -> None:
    """Pin the build as it is, then halve its GPUs and show the comparison."""
    await app.press("ctrl+t", "p", "escape")
    await app.go_to("hardware.gpus_per_node")
    await app.type("4")
    await app.press("ctrl+t", "9")


def row_of(app: Driver, label: str) -> str:
    return next(row for row in app.text("#results").splitlines() if row[1:].strip().startswith(label))


async def test_differing_rows_and_winners_are_marked(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        await with_pin(app)
        hardware = row_of(app, "hardware")
        assert hardware.startswith("≠")
        assert row_of(app, "weights").split() == ["weights", "fp8", "the", "same"]
        free = row_of(app, "free GiB")
        assert free.startswith("≠")
        assert free.count("✓") == 1
        assert free.rstrip().endswith("✓"), "the pinned build with 8 GPUs has more room"
        assert row_of(app, "power").index("✓") < row_of(app, "power").rindex("kW"), "4 GPUs draw less"


async def test_swap_and_back(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        await with_pin(app)
        smaller = app.app.store.scenario
        await app.press("s")
        assert app.app.store.scenario == scenario
        assert [pin.scenario for pin in app.app.store.pins] == [smaller]
        await app.press("ctrl+z")
        assert app.app.store.scenario == smaller
        assert [pin.scenario for pin in app.app.store.pins] == [scenario]
        await app.press("ctrl+y")
        assert app.app.store.scenario == scenario


async def test_rename_and_unpin(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        await with_pin(app)
        await app.press("r", "ctrl+u")
        await app.type("big box")
        await app.press("enter")
        assert "big box" in app.text("#results")
        await app.press("u")
        assert not app.app.store.pins
        assert "p pins the build at hand as A" in app.text("#results")
        assert "now" in app.text("#results"), "its column stands there already"
        await app.press("ctrl+z")
        assert [pin.name for pin in app.app.store.pins] == ["big box"]


async def test_enter_on_a_pin_offers_all(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        await with_pin(app)
        await app.press("enter")
        assert "Pinned build A" in app.text()
        await app.press("o")
        assert app.app.store.scenario == scenario
        assert len(app.app.store.pins) == 1


async def test_three_builds_and_no_more(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        for count in ("1", "2", "4"):
            await app.press("escape")
            await app.go_to("hardware.gpus_per_node")
            await app.type(count)
            await app.press("ctrl+t", "p")
        assert [pin.name for pin in app.app.store.pins] == ["A", "B", "C"]
        await app.press("p")
        assert "pinned already" in app.text("#footer")
        await app.press("escape")
        await app.go_to("hardware.gpus_per_node")
        await app.type("8")
        await app.press("ctrl+t", "p")
        assert "are taken" in app.text("#footer")


async def test_pinning_is_unsaved_work(scenario: Scenario) -> None:
    async with running(app_of(scenario)) as app:
        await app.press("ctrl+t", "p")
        assert app.app.store.dirty
        await app.press("ctrl+z")
        assert not app.app.store.dirty


@pytest.mark.parametrize("build", ["llama70b", "finetune"])
async def test_four_columns_fit(build: str) -> None:
    async with running(app_of(BUILDS[build]()), 60, 20) as app:
        for count in ("1", "2", "4"):
            await app.press("escape")
            await app.go_to("hardware.gpus_per_node")
            await app.type(count)
            await app.press("ctrl+t", "p")
        await app.press("escape")
        await app.go_to("hardware.gpus_per_node")
        await app.type("8")
        await app.press("ctrl+t")
        for size in ((60, 20), (80, 24), (120, 36), (160, 48), (200, 50)):
            await app.resize(*size)
            await app.press("9")
            bench = app.app.workbench
            panel = bench.detail if bench.detail.page == "Compare" and bench.detail.size.width else bench.results
            heads = plain(panel.lines[1])
            assert all(name in heads for name in ("now", "A", "B", "C"))
            for row in panel.lines:
                assert len(plain(row).rstrip()) <= panel.inner_width, (size, plain(row))


def test_pins_live_in_the_session_file(scenario: Scenario) -> None:
    pins = (Pin("A", replace(scenario, notes="the big one\nof two")), Pin("small box", BUILDS["mixtral"]()))
    text = session.dump(scenario, pinned=pins)
    assert session.parse(text) == scenario
    assert session.pins(text) == pins
    assert session.dump(session.parse(text), pinned=session.pins(text)) == text
    assert session.pins(session.dump(scenario)) == ()
    assert text.startswith(session.dump(scenario)), "the session itself stays as it was"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('name = "A"', "name = 3", "pin.name"),
        ('name = "A"', 'name = "B"', "twice"),
        ("[pin.layout]", "[pin.layuot]", "pin.layuot"),
        ("gpus_per_node = 2", "gpus_per_nod = 2", "nearest known one is hardware.gpus_per_node"),
        ("gpus_per_node = 2", 'gpus_per_node = "two"', "pin.hardware.gpus_per_node"),
        ('name = "A"', 'name = "A"\nschema = 1', "pin.schema"),
    ],
)
def test_a_bad_pin_refuses_the_file_and_names_the_line(scenario: Scenario, old: str, new: str, words: str) -> None:
    two = replace(scenario, hardware=replace(scenario.hardware, gpus_per_node=2), layout=LayoutChoice(tp=2))
    text = session.dump(scenario, pinned=(Pin("A", two), Pin("B", scenario)))
    assert text.count(old) == 1
    bad = text.replace(old, new)
    with pytest.raises(session_tables.SessionError) as caught:
        session.parse(bad)
    assert words in str(caught.value)
    if "gpus_per_nod" in new:
        row = next(number for number, line in enumerate(bad.splitlines(), 1) if line == new)
        assert caught.value.line == row


async def test_pins_are_saved_and_opened_again(scenario: Scenario, tmp_path: Path) -> None:
    target = tmp_path / "pinned.toml"
    session.save(scenario, target)
    async with running(app_of(scenario, target)) as app:
        await with_pin(app)
        await app.press("ctrl+s")
        assert not app.app.store.dirty
        pins = app.app.store.pins
        assert session.pins(target) == pins
        await app.press("ctrl+n")
        assert app.app.store.pins == ()
        await app.press("ctrl+o")
        await app.type(str(target))
        await app.press("enter")
        assert app.app.store.pins == pins
        assert not app.app.store.dirty


async def test_pins_survive_a_lost_terminal(scenario: Scenario) -> None:

    async with running(app_of(scenario)) as app:
        await with_pin(app)
        keeper = app.app.keeper
        assert keeper.keep(app.app.store)
        assert keeper.file is not None
        assert session.pins(keeper.file) == app.app.store.pins
        keeper.forget()


async def test_a_build_that_does_not_carry_the_load_wins_nothing(scenario: Scenario) -> None:
    patient = replace(scenario, workload=replace(scenario.workload, ttft_target_s=None))
    async with running(app_of(patient)) as app:
        await app.press("ctrl+t", "p", "escape")
        await app.go_to("hardware.gpus_per_node")
        await app.type("1")
        await app.press("ctrl+t", "9")
        assert row_of(app, "carries it").split() == ["≠carries", "it", "no", "yes", "✓"]
        assert "✓" not in row_of(app, "power"), "one GPU draws less, and carries nothing"


async def test_what_is_the_same_stands_under_the_first_pin_and_runs_into_no_value() -> None:
    """At 80 columns a value and the words behind it are two cells apart at least, and in line where there is room."""
    async with running(app_of(build()), 80, 24) as app:
        await app.press("ctrl+t", "p", "9")
        rows = [row for row in app.text("#results").splitlines() if row.rstrip().endswith("the same")]
        assert len(rows) > 5
        heads = next(row for row in app.text("#results").splitlines() if row.split() == ["now", "A"])
        assert all("  the same" in row for row in rows)
        assert {row.index("the same") for row in rows if len(row.split("  the same")[0].strip()) < 30} == {
            heads.index("A")
        }
