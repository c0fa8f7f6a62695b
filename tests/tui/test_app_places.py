"""Names and folders that no file can be written to, or read from: said, never the end of the app."""

from __future__ import annotations

import io
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tui.builds import BUILDS
from tests.tui.driver import app_of, running
from tui.app import recovery
from tui.cli import main
from tui.files import paths, session, settings
from tui.files.session_tables import SessionError


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


NOWHERE = [
    "n" * 300,
    "circle",
    "circle/x",
    "/dev/null/x",
    "file/x",
    "gone/x",
    "pipe",
    "folder",
    "/proc/x",
    "a\u0300" * 200,
]


def _fill(folder: Path) -> None:
    """What is in the way of some of the names."""
    (folder / "circle").symlink_to("circle")
    (folder / "file").write_text("theirs")
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")


@pytest.mark.parametrize("what", ["text", "markdown", "json", "picture"])
async def test_a_report_that_cannot_be_written_is_said(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _fill(tmp_path)
    before = sorted(os.listdir(tmp_path))
    async with running(app_of(BUILDS["llama70b"]())) as driver:
        for name in NOWHERE:
            await driver.press("ctrl+e")
            await driver.type(f"write {what}")
            await driver.press("enter", "ctrl+u")
            await driver.type(name)
            await driver.press("enter")
            await driver.press("escape", "escape", "escape")
            assert sorted(os.listdir(tmp_path)) == before
        await driver.press("f1")
        assert "EVERYWHERE" in driver.text("#dialog-text")
    assert (tmp_path / "file").read_text() == "theirs"


@pytest.mark.parametrize("name", [*NOWHERE, "\ud800.toml", "a\0b"], ids=ascii)
def test_saving_raises_nothing_but_its_own_error(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _fill(tmp_path)
    with_config = replace(BUILDS["llama70b"](), model=replace(BUILDS["llama70b"]().model, config="config.json"))
    for scenario in (BUILDS["llama70b"](), with_config):
        with pytest.raises(SessionError) as caught:
            session.save(scenario, name, opened_from="mine.toml")
        assert len(str(caught.value)) < 500
        assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "arguments",
    [["report", "x.toml"], ["export", "x.toml", "--to", "vllm"], ["recommend", "x.toml"], ["x.toml"], ["report", "-"]],
    ids=" ".join,
)
def test_a_session_of_a_working_folder_that_is_gone_is_no_defect(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.chdir(folder)
        os.rmdir(folder)
        text = session.dump(BUILDS["llama70b"]()).replace('id = "llama-3.1-70b"', 'config = "config.json"')
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        assert main(arguments) == 2
        os.mkdir(folder)
    said = capsys.readouterr().err
    assert "internal error" not in said
    assert "cannot write" not in said


def test_a_config_that_no_session_can_name_is_refused_and_nothing_written(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    llama = BUILDS["llama70b"]()
    scenario = replace(llama, model=replace(llama.model, config="config.json"))
    assert session.save(scenario, folder / "a.toml", opened_from=folder / "b.toml") == scenario
    with pytest.raises(SessionError, match="UTF-8") as caught:
        session.save(scenario, tmp_path / "a.toml", opened_from=folder / "b.toml")
    assert str(caught.value).isprintable()
    assert not (tmp_path / "a.toml").exists()


async def test_a_folder_that_is_no_utf8_can_be_worked_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    monkeypatch.chdir(folder)
    saved = folder / "mine.toml"
    session.save(BUILDS["llama70b"](), saved)
    async with running(app_of(BUILDS["llama70b"](), saved)) as driver:
        await driver.go_to("workload.concurrency")
        await driver.type("9")
        assert driver.app.keeper.keep(driver.app.store)
        assert [kept.path for kept in recovery.left_behind() if kept.path == saved] == []  # its run lives
        for what in ("text", "markdown", "json", "picture"):
            await driver.press("ctrl+e")
            await driver.type(f"write {what}")
            await driver.press("enter", "enter")
            assert "Wrote" in driver.text("#footer")
        await driver.press("ctrl+s", "ctrl+o")
        assert "mine.toml" in driver.text("#dialog-list")
        await driver.press("escape")
        assert not driver.app.store.dirty
    assert len(list(folder.iterdir())) == 5
    assert session.opened(saved).scenario.workload.concurrency == 9


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
