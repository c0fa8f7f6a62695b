"""Damaged files of the program's own, and of the person's catalog: set aside or left out, said once, and no start fails."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tui.builds import BUILDS
from tests.tui.driver import app_of, running
from tests.tui.terminal import ROOT
from tui.cli import main
from tui.files import paths, session, settings, state_schema


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Fresh folders of a person: `config/sizeup` and `state/sizeup` in it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("config", "state"):
        (tmp_path / name / "sizeup").mkdir(parents=True)
    return tmp_path


def _of(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def _huge(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(2**33)


pytestmark = pytest.mark.usefixtures("unsearched")

NO_JSON = {
    "nested": _of(b"[" * 100_000),
    "nested values": _of(b'{"theme": ' + b"[" * 500 + b"]" * 500 + b"}"),
    "cut off": _of(b'{"theme": '),
    "empty": _of(b""),
    "zeros": _of(b"\0" * 300),
    "no text": _of(b"\xff\xfe{}"),
    "long number": _of(b'{"theme": ' + b"9" * 5000 + b"}"),
    "number": _of(b"7"),
    "pipe": os.mkfifo,
    "huge": _huge,
    "folder": Path.mkdir,
}
NO_SETTINGS = NO_JSON | {
    "list": _of(b"[]"),
    "typed wrong": _of(b'{"theme": 5}'),
    "long": _of(b'{"theme": "%b"}' % (b"x" * 999)),
}
NO_LIST = NO_JSON | {
    "table": _of(b"{}"),
    "other things": _of(b'[5, null, "\\u0000"]'),
    "long name": _of(b'["%b"]' % (b"x" * 5000)),
    "many": _of(b"[" + b'"a",' * 2000 + b'"a"]'),
}


async def _said_once(file: Path) -> None:
    for told in (True, False):
        async with running(app_of(BUILDS["llama70b"]())) as driver:
            assert ("set aside" in driver.text("#news")) == told
            if told:
                await driver.press("ctrl+g")
                assert file.name in "".join(driver.text("#dialog-text").split())
    assert not os.path.lexists(file)
    assert os.path.lexists(f"{file}.damaged")


@pytest.mark.parametrize("damage", NO_SETTINGS.values(), ids=NO_SETTINGS)
async def test_damaged_settings_are_set_aside_and_said_once(folders: Path, damage: Callable[[Path], object]) -> None:
    file = folders / "config" / "sizeup" / settings.FILE
    damage(file)
    await _said_once(file)
    settings.remember_theme("light")
    assert app_of(BUILDS["llama70b"](), theme="").theme_name == "light"


@pytest.mark.parametrize("damage", NO_LIST.values(), ids=NO_LIST)
async def test_a_damaged_recent_list_is_set_aside_and_said_once(
    folders: Path, damage: Callable[[Path], object]
) -> None:
    file = folders / "state" / "sizeup" / paths.RECENT
    damage(file)
    await _said_once(file)
    saved = folders / "a.toml"
    session.save(BUILDS["llama70b"](), saved)
    paths.remember(saved)
    assert paths.recent() == [saved]


def test_settings_of_a_later_version_are_no_damage(folders: Path) -> None:
    (folders / "config" / "sizeup" / settings.FILE).write_text('{"theme": "dark", "units": "GB"}')
    assert settings.read(("dark",)) == settings.Settings("dark")
    assert settings.read(("light",)) == settings.Settings()


def test_a_name_that_is_no_utf8_is_remembered(folders: Path) -> None:
    saved = folders / os.fsdecode(b"caf\xe9.toml")
    session.save(BUILDS["llama70b"](), saved)
    paths.remember(saved)
    assert paths.recent() == [saved]
    assert paths.set_aside_damaged() == ()


@pytest.mark.parametrize(
    "name", ["unsaved-²-1.toml", "unsaved-²³.toml", f"unsaved-1{'0' * 200}.toml", "unsaved-0.toml"]
)
async def test_kept_work_of_an_odd_name_is_offered(folders: Path, name: str) -> None:
    file = folders / "state" / "sizeup" / name
    file.write_text(session.dump(BUILDS["llama70b"]()))
    async with running(app_of(BUILDS["new"]())) as driver:
        assert "Unsaved work was found" in driver.text()
        await driver.press("o")
        assert driver.app.store.scenario == BUILDS["llama70b"]()


@pytest.mark.parametrize(
    "damage",
    {
        "long number": _of(b'[[accelerator]]\nid = "mine"\nmemory_mib = ' + b"9" * 5000),
        "pipe": os.mkfifo,
        "huge": _huge,
        "nested": _of(b"a = " + b"[" * 5000),
        "no text": _of(b"\xff\xfe"),
        "folder": Path.mkdir,
        "zeros": _of(b"\0" * 300),
    }.items(),
    ids=lambda item: item[0],
)
async def test_a_damaged_catalog_file_is_left_out_and_said(
    folders: Path,
    damage: tuple[str, Callable[[Path], object]],
    capfd: pytest.CaptureFixture[str],
) -> None:
    folder = folders / "config" / "sizeup" / "catalog"
    folder.mkdir()
    damage[1](folder / "mine.toml")
    assert main(["models"]) == 0
    said = capfd.readouterr()
    assert "llama-3.1-70b" in said.out
    assert "mine.toml" in said.err
    assert "Traceback" not in said.err
    async with running(app_of(BUILDS["llama70b"]())) as driver:
        assert "Left out of your catalog" in driver.text("#news")


def test_a_start_without_such_files_loads_no_pydantic(tmp_path: Path) -> None:
    code = """
import sys
from tests.tui.builds import BUILDS
from tests.tui.driver import app_of
from tui.files import paths
from tui.app import recovery
app_of(BUILDS["new"](), theme="")
assert paths.set_aside_damaged() == () and recovery.left_behind() == []
assert "pydantic" not in sys.modules
"""
    env = os.environ | {"XDG_CONFIG_HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], env=env, cwd=ROOT, check=True, timeout=60)


def test_what_is_wrong_is_said_in_one_line() -> None:
    with pytest.raises(ValueError, match="theme") as caught:
        state_schema.checked(state_schema.SettingsFile, {"theme": "x" * 10_000})
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)
