"""Names and folders that no file can be written to, or read from: said, never the end of the app."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from tests.tui.builds import BUILDS
from tests.tui.driver import app_of, running
from tui import paths, settings


@pytest.mark.parametrize("name", ["n" * 300, "circle", "circle/x", "/dev/null/x"])
async def test_a_name_that_no_file_can_have_is_said(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("circle.toml").symlink_to("circle.toml")
    Path("circle").symlink_to("circle")
    async with running(app_of(BUILDS["llama70b"]())) as driver:
        await driver.press("f12", "ctrl+u")
        await driver.type(name)
        await driver.press("enter")
        assert driver.app.store.path is None
        await driver.press("escape", "f1")
        assert "EVERYWHERE" in driver.text("#dialog-text")


async def test_a_pipe_among_the_sessions_and_a_folder_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.chdir(folder)
        os.mkfifo("pipe.toml")
        async with running(app_of(BUILDS["llama70b"]())) as driver:
            await driver.press("ctrl+o")
            assert "pipe.toml" not in driver.text()
            await driver.press("escape")
            os.remove("pipe.toml")
            os.rmdir(folder)
            await driver.press("ctrl+o", "escape", "f12")
            await driver.type("x")
            await driver.press("enter", "escape")
            os.mkdir(folder)


@pytest.mark.parametrize("damaged", ["[" * 100_000, "{", '{"theme": ', "\x00"])
def test_damaged_settings_are_set_aside(damaged: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    file = paths.created(paths.config_folder()) / settings.FILE
    file.write_text(damaged)
    found = settings.read(("dark",))
    assert found.theme == ""
    assert str(file) in found.damaged
    assert not file.exists()
    settings.remember_theme("dark")
    assert settings.read(("dark",)) == settings.Settings("dark")
