"""Reading within limits, replacing in one step, and what killed runs leave behind."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from tui.files import disk

OLD = time.time() - 2 * disk.ABANDONED_S


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o400])
def test_a_private_file_is_never_readable_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"old")
    path.chmod(mode | stat.S_IWUSR)
    seen: list[int] = []
    write = os.write

    def watched(handle: int, data: bytes) -> int:
        seen.append(stat.S_IMODE(os.fstat(handle).st_mode))
        return write(handle, data[:1])  # a disk may take less than it is given

    opened: list[int] = []
    real_open = os.open

    def watched_open(name: str | Path, flags: int, made: int = 0o777) -> int:
        if flags & os.O_CREAT:
            opened.append(made)
        return real_open(name, flags, made)

    monkeypatch.setattr(os, "write", watched)
    monkeypatch.setattr(os, "open", watched_open)
    disk.write(path, b"new")
    assert path.read_bytes() == b"new"
    assert opened == [0o600]
    assert set(seen) == {mode | stat.S_IWUSR} == {stat.S_IMODE(path.stat().st_mode)}


def test_what_is_private_is_so_under_any_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        disk.write(tmp_path / "kept", b"x", private=True)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o600


def test_a_group_that_cannot_be_kept_gives_its_rights_to_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"old")
    path.chmod(0o664)

    def forbidden(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", forbidden)
    disk.write(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_names_that_nothing_can_be_written_to(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(tmp_path / "back")
    (tmp_path / "back").symlink_to(loop)
    before = sorted(tmp_path.iterdir())
    for path in (loop, tmp_path / ("x" * 300), tmp_path / "nul\0.toml", tmp_path, tmp_path / "no" / "where"):
        with pytest.raises(disk.DiskError) as caught:
            disk.write(path, b"x")
        assert "\n" not in str(caught.value)
        assert str(caught.value)
    assert sorted(tmp_path.iterdir()) == before
    assert loop.is_symlink()


def test_a_stamp_is_of_the_content(tmp_path: Path) -> None:
    path = tmp_path / "a"
    assert disk.stamp_now(path) == disk.MISSING
    path.write_bytes(b"one")
    found = path.stat()
    assert disk.stamp_now(path) == disk.stamp_of(b"one")
    path.write_bytes(b"two")
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert disk.stamp_now(path) != disk.stamp_of(b"one")  # of the same size and time
    path.unlink()
    path.mkdir()
    assert disk.stamp_now(path) not in (disk.MISSING, disk.stamp_of(b""))


def test_only_what_killed_runs_left_is_swept(tmp_path: Path) -> None:
    held = tmp_path / "held"
    handle = disk.write_locked(held, b"x")
    assert disk.is_locked(held)
    names = {
        "old": ".sizeup-0123456789ab.tmp",
        "young": ".sizeup-0123456789ac.tmp",
        "held": ".sizeup-0123456789ad.tmp",
        "other": ".sizeup-notes.tmp",
        "folder": ".sizeup-0123456789ae.tmp",
        "pipe": ".sizeup-0123456789af.tmp",
        "link": ".sizeup-0123456789a0.tmp",
    }
    held.rename(tmp_path / names["held"])
    for name in ("old", "young", "other"):
        (tmp_path / names[name]).write_bytes(b"half")
    (tmp_path / names["folder"]).mkdir()
    os.mkfifo(tmp_path / names["pipe"])
    (tmp_path / names["link"]).symlink_to(tmp_path / names["other"])
    for name in ("old", "held", "other", "folder", "pipe", "link"):
        os.utime(tmp_path / names[name], (OLD, OLD), follow_symlinks=False)
    disk.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {n for key, n in names.items() if key != "old"}
    os.close(handle)
    assert disk.is_locked(tmp_path / names["held"]) is False
    disk.sweep(tmp_path)
    assert not (tmp_path / names["held"]).exists()
    disk.sweep(tmp_path / "nowhere")


def test_what_is_set_aside_takes_the_place_of_nothing(tmp_path: Path) -> None:
    for text in ("one", "two"):
        (tmp_path / "recent.json").write_text(text)
        assert disk.set_aside(tmp_path / "recent.json") is not None
    assert (tmp_path / "recent.json.damaged").read_text() == "one"
    assert (tmp_path / "recent.json.damaged-2").read_text() == "two"
    assert disk.set_aside(tmp_path / "recent.json") is None
