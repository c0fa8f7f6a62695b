"""Unsaved work: whose it is, when it is offered, and when its file goes."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from engine.decide.size import size
from engine.scenario import Scenario
from engine.sizing import Sizing
from tests.tui.builds import BUILDS
from tests.tui.terminal import ROOT
from tui.app import recovery
from tui.app.recovery import FIRST_LINE, Keeper, left_behind
from tui.app.store import Store
from tui.files import disk, session
from tui.files.pins import Pin

START = BUILDS["llama70b"]()
SIZING: Sizing = size(START)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of this test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "sizeup"


def store_of(title: str = "edited", path: Path | None = None, stamp: str = "") -> Store:
    """A store with unsaved work."""
    store = Store(START, lambda scenario: SIZING, path, stamp)
    store.edit(replace(START, title=title))
    return store


def kept_by(state: Path, **said: object) -> Path:
    """A file that another run keeps, with what its first line says otherwise than one of this run would."""
    store = store_of()
    keeper = Keeper()
    assert keeper.keep(store)
    assert keeper.file is not None
    first, _, rest = keeper.file.read_bytes().partition(b"\n")
    header = json.loads(first.removeprefix(FIRST_LINE.encode())) | said
    keeper.forget()
    path = state / f"unsaved-{len(list(state.glob('*.toml')))}.toml"
    path.write_bytes(f"{FIRST_LINE}{json.dumps(header)}\n".encode() + rest)
    return path


def ended() -> tuple[int, int]:
    """The number and the start of a process that is over."""
    code = "from tui.app import recovery; run = recovery.this_run(); print(run.pid, run.started)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    pid, started = done.stdout.split()
    return int(pid), int(started)


def test_kept_work_is_a_session_for_this_person_only(state: Path) -> None:
    keeper = Keeper()
    assert keeper.keep(store_of())
    assert keeper.file is not None
    assert stat.S_IMODE(keeper.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert session.load(keeper.file).title == "edited"


def test_the_work_of_a_live_run_is_left_alone_and_that_of_an_ended_one_offered(state: Path) -> None:
    code = (
        "import sys\n"
        "from tests.tui.test_recovery import store_of\n"
        "from tui.app.recovery import Keeper\n"
        "keeper = Keeper()\n"
        "keeper.keep(store_of('theirs'))\n"
        "keeper.keep(store_of('theirs again'))\n"
        "print('kept', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"kept\n"
        assert [path.name for path in state.iterdir()] != []
        assert left_behind() == []
        other.kill()
    (kept,) = left_behind()
    assert kept.fate == "gone"
    assert kept.content()[0].title == "theirs again"


def test_two_containers_with_one_process_number_keep_their_own(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 1)
    mine, theirs = Keeper(), Keeper()
    assert mine.keep(store_of("mine"))
    assert theirs.keep(store_of("theirs"))
    assert mine.file != theirs.file
    assert left_behind() == []
    theirs.forget()
    assert mine.file is not None
    assert session.load(mine.file).title == "mine"


@pytest.mark.parametrize(
    ("said", "fate"),
    [
        ({"host": "login1", "boot": "another"}, "unknown"),  # a shared home: nothing tells from here
        ({"host": "login1", "boot": ""}, "unknown"),
        ({"boot": "before the last start of this machine"}, "gone"),
        ({"space": "pid:[1]", "pid": 1}, "gone"),  # a container of this machine that is gone: its lock is
        ({"host": "a container", "space": "pid:[1]"}, "gone"),
        ({"started": 1}, "gone"),  # its number was given to another process
    ],
)
def test_whether_a_run_still_lives(state: Path, said: dict[str, object], fate: str) -> None:
    kept_by(state, **said)
    assert [kept.fate for kept in left_behind()] == [fate]


def test_without_locks_the_process_tells(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "is_locked", lambda path: None)
    kept_by(state)
    assert left_behind() == []  # this very process
    pid, started = ended()
    path = kept_by(state, pid=pid, started=started)
    assert [kept.file for kept in left_behind()] == [path]
    kept_by(state, space="pid:[1]")  # numbers of another container mean nothing here
    assert sorted(kept.fate for kept in left_behind()) == ["gone", "unknown"]


@pytest.mark.parametrize(
    "said",
    [
        {"pid": 0},
        {"pid": -1},
        {"pid": 10**40},
        {"pid": "1"},
        {"started": -1},
        {"host": 5},
        {"host": "x" * 10_000},
        {"path": "file:///" + "x" * 9000},
        {"path": "file:///a%00b"},
        {"path": "relative.toml"},
        {"path": "https://example.org/a.toml"},
        {"folder": ["/"]},
        {"stamp": "\u001b[31m"},
        {"more": 1},
    ],
    ids=str,
)
def test_a_first_line_that_cannot_be_so_says_nothing(state: Path, said: dict[str, object]) -> None:
    kept_by(state, **said)
    (kept,) = left_behind()
    assert kept.header is None
    assert kept.fate == "unknown"
    assert kept.path is None
    assert kept.content()[0].title == "edited"  # the work itself is there


def test_what_is_no_session_at_all_is_set_aside(state: Path, tmp_path: Path) -> None:
    state.mkdir(parents=True)
    (state / "unsaved-²-1.toml").write_bytes(b"\xff\xfe")
    (state / "unsaved-1-2.toml").write_text(FIRST_LINE + "[" * 5000)
    (state / f"unsaved-{'1' * 242}.toml").write_text("title = ")
    with (state / "unsaved-large.toml").open("wb") as stream:
        stream.truncate(2**33)
    os.mkfifo(state / "unsaved-pipe.toml")
    (state / "unsaved-folder.toml").mkdir()
    (state / "unsaved-link.toml").symlink_to(tmp_path / "nowhere")
    found = left_behind()
    assert len(found) == 7
    for kept in found:
        assert kept.damaged
        assert kept.file.name[:200] in kept.set_aside()
    assert left_behind() == []
    assert len(list(state.iterdir())) == 7  # nothing is lost


def test_a_file_of_an_earlier_version_is_offered_once_its_process_is_over(state: Path) -> None:
    state.mkdir(parents=True)
    text = session.dump(replace(START, title="earlier"))
    (state / f"unsaved-{os.getpid()}.toml").write_text(text)
    assert left_behind() == []
    (state / f"unsaved-{ended()[0]}.toml").write_text(text)
    assert [kept.content()[0].title for kept in left_behind()] == ["earlier"]


@pytest.mark.parametrize(
    "name", ["plain.toml", "mit leer zeichen # und %.toml", os.fsdecode(b"caf\xe9.toml"), "\x7f.toml"]
)
def test_the_file_that_was_open_is_remembered(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(session.dump(START).encode())
    stamp = disk.stamp_now(path)
    keeper = Keeper()
    assert keeper.keep(store_of("edited", path, stamp))
    monkeypatch.setattr(recovery, "_runs", lambda pid, started: False)
    keeper._release()  # as the end of the process does
    (kept,) = left_behind()
    assert kept.path == path
    assert kept.stamp == stamp
    assert kept.content()[0].title == "edited"


def test_a_config_of_ones_own_is_found_again(state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from catalog import load

    home = tmp_path / "home"
    home.mkdir()
    (home / "config.json").write_text(load().model("llama-3.1-8b").config.read_text())
    path = home / "own.toml"
    text = session.dump(START).replace(f'id = "{START.model.id}"', 'config = "config.json"')
    path.write_text(text)
    for opened, config in ((path, "config.json"), (None, str(home / "config.json"))):
        monkeypatch.chdir(home)
        scenario = session.load(path)
        store = Store(scenario, lambda scenario: SIZING, opened)
        store.edit(replace(scenario, title="edited"), pins=(Pin("A", scenario),))
        keeper = Keeper()
        assert keeper.keep(store)
        keeper._release()
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(recovery, "_runs", lambda pid, started: False)
        (kept,) = left_behind()
        restored, pins = kept.content()
        assert restored.model.config == pins[0].scenario.model.config == config
        assert restored.model.architecture == scenario.model.architecture
        keeper.forget()


def test_work_that_was_taken_over_goes_only_when_it_is_safe_again(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept_by(state, started=1)
    (kept,) = left_behind()
    keeper = Keeper()
    store = store_of("taken over")
    keeper.take(kept)
    assert kept.file.exists()

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    assert not keeper.keep(store)
    assert "No space left on device" in keeper.problem
    assert kept.file.exists()
    monkeypatch.undo()
    monkeypatch.setenv("XDG_STATE_HOME", str(state.parent))
    assert keeper.keep(store)
    assert not keeper.problem
    assert not kept.file.exists()
    assert [path.name for path in state.iterdir()] == [keeper.file.name if keeper.file else ""]


def test_the_work_of_another_host_is_never_removed_by_opening_it(state: Path) -> None:
    path = kept_by(state, host="login1", boot="")
    (kept,) = left_behind()
    keeper = Keeper()
    keeper.take(kept)
    assert keeper.keep(store_of())
    keeper.close()
    assert path.exists()
    kept.discard()
    assert not path.exists()


def test_after_leaving_nothing_is_kept(state: Path) -> None:
    keeper = Keeper()
    store = store_of()
    assert keeper.keep(store)
    keeper.close()
    assert keeper.keep(store)  # a signal on the way out
    assert list(state.iterdir()) == []


def test_that_nothing_can_be_kept_is_known(tmp_path: Path, state: Path) -> None:
    state.parent.mkdir(parents=True)
    state.write_text("a file in the way")
    keeper = Keeper()
    assert not keeper.keep(store_of())
    assert str(state) in keeper.problem
    assert keeper.file is None
    state.unlink()
    assert keeper.keep(store_of())
    assert not keeper.problem


def test_an_edit_that_was_taken_back_is_not_kept(state: Path) -> None:
    keeper = Keeper()
    store = store_of()
    assert keeper.keep(store)
    store.undo()
    assert keeper.keep(store)
    assert list(state.iterdir()) == []


def opened_with(presets: Scenario) -> Store:
    """A store whose file holds START, opened with something else."""
    store = Store(presets, lambda scenario: SIZING, Path("a.toml"))
    store.holds(START, (), "")
    return store


def test_presets_are_no_unsaved_work(state: Path) -> None:
    store = opened_with(replace(START, title="preset"))
    assert not store.dirty
    store.edit(replace(START, title="edited"))
    assert store.dirty
    store.undo()
    assert not store.dirty
    store.edit(START)  # what the file holds
    assert not store.dirty
    store.undo()
    store.edit(replace(START, title="saved"))
    store.mark_saved(Path("a.toml"))
    store.undo()
    assert store.dirty  # the file holds what was saved, not the presets
