"""What saving, reporting and coming back ask before anything of anybody's is overwritten or deleted."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from catalog import load
from engine.scenario import Scenario
from tests.tui.builds import BUILDS
from tests.tui.driver import Driver, app_of, running
from tests.tui.terminal import Terminal, app_command
from tui.app.recovery import Keeper, left_behind
from tui.app.screens import bench
from tui.app.store import Store
from tui.files import disk, paths, session
from tui.files.fields import new_scenario

pytestmark = pytest.mark.usefixtures("unsearched")


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of this test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "sizeup"


@pytest.fixture
def scenario() -> Scenario:
    """A build to edit."""
    return BUILDS["llama70b"]()


def leave_behind(scenario: Scenario, path: Path | None = None, stamp: str = "") -> None:
    """What a killed run leaves: kept work without a lock, of a process that is over."""
    keeper = Keeper()
    keeper._run = replace(keeper._run, started=1)
    store = Store(replace(scenario, title="before"), lambda _: None, path, stamp)  # type: ignore[arg-type, return-value] # nothing reads the sizing
    store.edit(scenario)
    assert keeper.keep(store)
    keeper._release()


async def edit(app: Driver, users: str = "9") -> None:
    """Unsaved work."""
    await app.go_to("workload.concurrency")
    await app.type(users)
    await app.press("tab")


async def report_to(app: Driver, target: Path, words: str = "json") -> None:
    """Write a report under a name."""
    await app.press("ctrl+e")
    await app.press(*"write", "space", *words, "enter", "ctrl+u")
    await app.type(str(target))
    await app.press("enter")


@pytest.mark.parametrize("words", ["json", "picture"])
async def test_no_report_takes_the_place_of_a_file_unasked(scenario: Scenario, tmp_path: Path, words: str) -> None:
    target = tmp_path / "theirs.json"
    target.write_text("theirs")
    async with running(app_of(scenario)) as app:
        await report_to(app, target, words)
        assert "The file exists" in app.text()
        await app.press("enter")  # what Enter takes is Cancel
        assert target.read_text() == "theirs"
        await report_to(app, target, words)
        await app.press("r")
        assert target.stat().st_size > 1000
        assert "Wrote" in app.text("#footer")


@pytest.mark.parametrize("words", ["json", "picture"])
async def test_no_report_is_offered_under_the_name_of_a_config(
    scenario: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    files = [Path(name) for name in ("config.json", "config.toml", "config.gguf")]
    for path in files:
        path.write_text(session.dump(scenario))
    async with running(app_of(scenario, Path("config.toml"))) as app:
        await app.press("ctrl+e")
        await app.press(*"write", "space", *words, "enter", "enter")
        assert "Wrote" in app.text("#footer")
    assert all(path.read_text() == session.dump(scenario) for path in files)


async def test_a_report_over_the_session_itself_says_so(scenario: Scenario, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    session.save(scenario, path)
    async with running(app_of(scenario, path)) as app:
        await report_to(app, path)
        assert "the session itself" in " ".join(app.text("#dialog-body").split())
        await app.press("escape")
    assert session.load(path) == scenario


async def test_what_somebody_saved_before_an_edit_was_kept_is_not_overwritten(
    scenario: Scenario, tmp_path: Path
) -> None:
    """Their save falls between the reading and any later look at the file, and has its very time and size."""
    path = tmp_path / "shared.toml"
    session.save(replace(scenario, title="ours"), path)
    read = session.opened(path)
    found = path.stat()
    session.save(replace(scenario, title="hers"), path)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    async with running(app_of(read.scenario, path, stamp=read.stamp)) as app:
        await edit(app)
        await app.press("ctrl+s")
        assert "The file was changed" in app.text()
        await app.press("escape")
        assert session.load(path).title == "hers"


async def test_what_changes_while_one_is_asked_is_asked_about_again(scenario: Scenario, tmp_path: Path) -> None:
    path = tmp_path / "shared.toml"
    session.save(scenario, path)
    async with running(app_of(scenario, path)) as app:
        await edit(app)
        session.save(replace(scenario, title="once"), path)
        await app.press("ctrl+s")
        session.save(replace(scenario, title="twice"), path)
        await app.press("r")
        assert "The file was changed" in app.text()
        assert session.load(path).title == "twice"
        await app.press("r")
        assert session.load(path).workload.concurrency == 9
        await edit(app, "10")
        await app.press("ctrl+s")  # nobody wrote since
        assert session.load(path).workload.concurrency == 10


async def test_a_file_that_was_deleted_does_not_come_back_unasked(scenario: Scenario, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    session.save(scenario, path)
    async with running(app_of(scenario, path)) as app:
        await edit(app)
        path.unlink()
        await app.press("ctrl+s")
        assert "The file is gone" in app.text()
        await app.press("c")
        assert not path.exists()
        assert app.app.store.dirty
        await app.press("ctrl+s", "w")
        assert session.load(path).workload.concurrency == 9


async def test_work_goes_on_in_the_file_that_it_came_from(scenario: Scenario, tmp_path: Path, state: Path) -> None:
    path = tmp_path / "mine.toml"
    session.save(scenario, path)
    leave_behind(replace(scenario, title="kept"), path, disk.stamp_now(path))
    async with running(app_of(new_scenario(load()))) as app:
        assert str(path) in "".join(app.text("#dialog-body").split())
        await app.press("o")
        assert app.app.store.path == path
        assert app.app.store.dirty
        (kept,) = state.glob("unsaved-*.toml")  # of this run now
        assert kept == app.app.keeper.file
        await app.press("ctrl+s")
        assert session.load(path).title == "kept"
        assert not list(state.glob("unsaved-*.toml"))


async def test_a_file_that_changed_since_the_crash_is_asked_about(scenario: Scenario, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    session.save(scenario, path)
    leave_behind(replace(scenario, title="kept"), path, disk.stamp_now(path))
    session.save(replace(scenario, title="theirs"), path)
    async with running(app_of(new_scenario(load()))) as app:
        await app.press("o", "ctrl+s")
        assert "The file was changed" in app.text()
        await app.press("escape")
        assert session.load(path).title == "theirs"


async def test_opened_work_is_still_there_when_it_cannot_be_kept_again(
    scenario: Scenario, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_behind(replace(scenario, title="kept"))

    def full(path: Path, data: bytes, *, private: bool = False) -> int:
        raise disk.DiskError("cannot be written: No space left on device")

    monkeypatch.setattr(disk, "write_locked", full)
    async with running(app_of(new_scenario(load()))) as app:
        await app.press("o")
        assert app.app.store.scenario.title == "kept"
        assert "No space left on device" in app.text("#news")
    assert [kept.content()[0].title for kept in left_behind()] == ["kept"]


async def test_the_work_of_another_host_says_so_and_stays(scenario: Scenario, state: Path) -> None:
    leave_behind(replace(scenario, title="kept there"))
    (path,) = state.glob("unsaved-*.toml")
    here = f'"host": "{os.uname().nodename}"'
    text = path.read_text()
    boot = left_behind()[0].header
    assert boot is not None
    path.write_text(text.replace(here, '"host": "login7"').replace(f'"boot": "{boot.boot}"', '"boot": ""'))
    os.utime(path, (1, path.stat().st_mtime - 3 * 3600))
    async with running(app_of(new_scenario(load()))) as app:
        asked = " ".join(app.text("#dialog-body").split())
        assert "login7" in asked
        assert "3 hours ago" in asked
        await app.press("o")
        assert app.app.store.scenario.title == "kept there"
        await app.press("ctrl+q", "d")
    assert path.exists()


async def test_damaged_work_is_said_once(state: Path) -> None:
    paths.created(state)
    (state / "unsaved-²-1.toml").write_bytes(b"\xff")
    for told in (True, False):
        async with running(app_of(new_scenario(load()))) as app:
            assert ("Unsaved work is damaged" in app.text()) == told
            await app.press(*(("enter",) if told else ()))
    assert (state / "unsaved-²-1.toml.damaged").exists()


async def test_work_that_cannot_be_opened_now_stays(scenario: Scenario, state: Path) -> None:
    paths.created(state)
    text = session.dump(scenario).replace(f'id = "{scenario.model.id}"', 'config = "/nowhere/config.json"')
    (state / "unsaved-of-a-config.toml").write_text(text)
    async with running(app_of(new_scenario(load()))) as app:
        assert "cannot be opened" in app.text()
        await app.press("l")
    assert (state / "unsaved-of-a-config.toml").exists()


async def test_that_nothing_can_be_kept_is_said(scenario: Scenario, state: Path) -> None:
    state.parent.mkdir(parents=True)
    state.write_text("a file in the way")
    async with running(app_of(scenario)) as app:
        await edit(app)
        app.app.workbench.keep_work()
        await app.pilot.pause()
        assert "cannot be kept" in app.text("#news")
        await app.press("ctrl+g")
        assert "Save often" in app.text()
        await app.press("escape")
        state.unlink()
        app.app.workbench.keep_work()
        await app.pilot.pause()
        assert not app.app.workbench.news


@pytest.mark.parametrize("pace_s", [0.1, 1.0, 2.5])
async def test_steady_edits_put_the_keeping_off_no_longer_than_a_few_seconds(
    scenario: Scenario, state: Path, monkeypatch: pytest.MonkeyPatch, pace_s: float
) -> None:
    """By the clock that the timers are set by: no edit is ever older than UNKEPT_S, also where no timer gets a turn."""
    now = [1000.0]
    due: list[float] = []
    monkeypatch.setattr(bench, "time", SimpleNamespace(monotonic=lambda: now[0]))
    async with running(app_of(scenario)) as app:
        workbench = app.app.workbench
        monkeypatch.setattr(workbench, "set_timer", lambda wait, call: due.append(now[0] + wait))
        for may_fire in (True, False):
            made: list[float] = []
            for number in range(int(10 / pace_s)):
                made.append(now[0])
                app.app.store.edit(replace(scenario, title=f"{may_fire} {number}"))
                now[0] += pace_s
                if may_fire and due and due[-1] <= now[0]:
                    workbench.keep_work()
                    due.clear()
                titles = [session.load(path).title for path in state.glob("unsaved-*.toml")]
                kept = int(titles[0].split()[1]) + 1 if titles and titles[0].startswith(str(may_fire)) else 0
                oldest = made[kept] if kept < len(made) else now[0]
                assert now[0] - oldest <= bench.UNKEPT_S + pace_s
        assert bench.AUTOSAVE_S <= bench.UNKEPT_S <= 3.0


async def test_what_killed_runs_left_is_swept_at_the_start_and_at_a_save(
    scenario: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def abandoned(folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        left = folder / ".sizeup-0123456789ab.tmp"
        left.write_text("half")
        os.utime(left, (1, 1))
        return left

    program, beside = [abandoned(paths.state_folder()), abandoned(paths.config_folder())], abandoned(tmp_path)
    path = tmp_path / "mine.toml"
    async with running(app_of(scenario, path)) as app:
        assert not any(left.exists() for left in program)
        assert beside.exists()  # a folder of the person is looked at when something is saved there
        await edit(app)
        await app.press("ctrl+s")
        assert path.exists()
        assert not beside.exists()


@pytest.mark.parametrize("file", [True, False])
async def test_presets_can_be_left_without_a_question(scenario: Scenario, tmp_path: Path, file: bool) -> None:
    path = tmp_path / "mine.toml"
    session.save(scenario, path)
    arguments = (str(path),) if file else ()
    env = {"XDG_STATE_HOME": str(tmp_path / "state")}
    with Terminal(app_command(*arguments, "--concurrency", "77"), env=env) as terminal:
        terminal.read(quiet_s=0.1, until=b"Quit")
        terminal.send(b"\x11", quiet_s=0.1)
        assert terminal.process.wait(timeout=10) == 0
    assert session.load(path) == scenario
    assert not list((tmp_path / "state" / "sizeup").glob("unsaved-*"))


def test_a_signal_that_finds_no_room_says_so(tmp_path: Path) -> None:
    (tmp_path / "sizeup").write_text("a file in the way")
    with Terminal(app_command(), env={"XDG_STATE_HOME": str(tmp_path)}) as terminal:
        terminal.read(until=b"Quit")
        terminal.send(b"\t\t\t\t8", quiet_s=0.1, until=b"unsaved")
        os.kill(terminal.process.pid, signal.SIGTERM)
        said = terminal.read(until=b"could not be kept", limit_s=10)
        assert terminal.process.wait(timeout=10) == 128 + signal.SIGTERM
    assert b"could not be kept" in said
