"""The program's folders and the recent list."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tui.files import paths


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of this test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "sizeup"


def test_folders_follow_xdg_and_ignore_relative_ones(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "c"))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert paths.config_folder() == tmp_path / "c" / "sizeup"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert paths.state_folder() == tmp_path / ".local" / "state" / "sizeup"


def test_recent_files_come_latest_first_once_and_only_while_they_exist(tmp_path: Path, state: Path) -> None:
    assert paths.recent() == []
    files = [tmp_path / f"{number}.toml" for number in range(3)]
    for path in files:
        path.write_text("")
        paths.remember(path)
    assert paths.recent() == files[::-1]
    paths.remember(files[0])
    assert paths.recent() == [files[0], files[2], files[1]]
    files[2].unlink()
    assert paths.recent() == [files[0], files[1]]
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert [item.name for item in state.iterdir()] == ["recent.json"]


def test_the_list_is_kept_short(tmp_path: Path) -> None:
    for number in range(paths.RECENT_LIMIT + 5):
        path = tmp_path / f"{number}.toml"
        path.write_text("")
        paths.remember(path)
    assert len(paths.recent()) == paths.RECENT_LIMIT


def test_relative_paths_are_remembered_as_absolute_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.toml").write_text("")
    paths.remember("a.toml")
    assert paths.recent() == [tmp_path / "a.toml"]


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"5", b'[5, null, "\\u0000"]', b"\xff", b"[" * 100_000])
def test_a_damaged_list_is_an_empty_one(state: Path, content: bytes) -> None:
    state.mkdir(parents=True)
    (state / "recent.json").write_bytes(content)
    assert paths.recent() == []
    assert [str(state / "recent.json") in words for words in paths.set_aside_damaged()] == [True]
    assert (state / "recent.json.damaged").read_bytes() == content
    assert paths.set_aside_damaged() == ()  # it is said once


def test_something_else_in_the_place_of_the_list_is_moved_out_of_the_way(tmp_path: Path, state: Path) -> None:
    state.mkdir(parents=True)
    (tmp_path / "a.toml").write_text("")
    os.mkfifo(state / "recent.json")  # reading it would wait for good
    assert paths.recent() == []
    assert len(paths.set_aside_damaged()) == 1
    paths.remember(tmp_path / "a.toml")
    assert paths.recent() == [tmp_path / "a.toml"]
    assert paths.set_aside_damaged() == ()


def test_a_list_that_cannot_be_written_is_no_reason_to_stop(tmp_path: Path, state: Path) -> None:
    state.parent.mkdir(parents=True)
    state.write_text("a file in the way")
    (tmp_path / "a.toml").write_text("")
    paths.remember(tmp_path / "a.toml")
    assert paths.recent() == []


def test_a_user_without_a_home_has_folders_where_nothing_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    for home in ("relative", "~"):  # expanduser leaves ~ as it is where the system knows no home
        monkeypatch.setenv("HOME", home)
        assert paths.state_folder().is_absolute()
        assert not paths.config_folder().exists()
        assert paths.recent() == []
        paths.remember(tmp_path / "a.toml")
    assert list(tmp_path.iterdir()) == []
