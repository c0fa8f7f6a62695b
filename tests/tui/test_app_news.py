"""What the app tells beside the build: a catalog that has changed since a save, and problems of catalog files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog import Catalog
from catalog.loading import reload
from engine.decide.size import size
from tests.tui.builds import BUILDS
from tests.tui.driver import app_of, running
from tests.tui.terminal import Terminal, app_command
from tui.app import SizeupApp
from tui.files import session
from tui.pages.glyphs import UNICODE


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A session saved on a day when an H100 cost $2.50 an hour and had less bandwidth."""
    path = tmp_path / "old.toml"
    session.save(BUILDS["llama405b"](), path)
    figures = {"usd_per_gpu_hour": "2.5", "bandwidth_gb_s": "1000.0"}
    rows = [row.partition(" = ") for row in path.read_text().splitlines()]
    path.write_text("\n".join(f"{key}{mark}{figures.get(key, value)}" for key, mark, value in rows) + "\n")
    return path


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalog]:
    """The catalog of a person one of whose files has a wrong entry."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = tmp_path / "sizeup" / "catalog"
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text('[[accelerator]]\nid = "moonshot-1"\nmemory_mib_reported = -5\n')
    yield reload()
    monkeypatch.undo()
    reload()


async def test_a_drifted_catalog_is_told_on_load_with_both_results(saved: Path) -> None:
    async with running(app_of(BUILDS["llama70b"]())) as app:
        assert not app.app.workbench.has_class("news")
        await app.press("ctrl+o")
        await app.type(str(saved))
        await app.press("enter")
        assert app.app.workbench.has_class("news")
        told = app.text("#news")
        assert "bandwidth was 1,000 GB/s; now 3,350 GB/s" in told
        assert "(and 1 more)" in told
        users = app.app.store.scenario.workload.concurrency
        await app.go_to("workload.concurrency")
        await app.press("right")  # nothing is in the way of an edit
        assert app.app.store.scenario.workload.concurrency > users
        await app.press("ctrl+z", "ctrl+g")
        read = app.text("#dialog-text")
        assert "rental was $2.50 a GPU-hour" in read
        assert "as saved" in read
        assert "\n now" in read
        await app.press("escape")
        assert app.app.workbench.has_class("news")
        await app.press("ctrl+g", "d")
        assert not app.app.workbench.has_class("news")
        await app.press("ctrl+g")
        assert "as saved" in app.text("#dialog-text")


async def test_saving_takes_the_figures_of_today(saved: Path) -> None:
    async with running(app_of(BUILDS["llama70b"]())) as app:
        await app.press("ctrl+o")
        await app.type(str(saved))
        await app.press("enter")
        await app.press("ctrl+s")
        assert not app.app.workbench.has_class("news")
        assert session.drift(saved) == ()
        await app.press("ctrl+g")
        assert "Nothing in the catalog has changed" in app.text("#footer")


async def test_the_line_is_dismissed_by_mouse(saved: Path) -> None:
    async with running(app_of(BUILDS["llama70b"]())) as app:
        await app.press("ctrl+o")
        await app.type(str(saved))
        await app.press("enter")
        at = app.text("#news").index("Show")
        await app.pilot.click("#news", offset=(at, 0))
        assert "as saved" in app.text("#dialog-text")
        await app.press("escape")
        await app.pilot.click("#news", offset=(app.text("#news").index("Dismiss"), 0))
        assert not app.app.workbench.has_class("news")


async def test_a_drifted_file_opened_from_the_command_line_says_so(saved: Path, tmp_path: Path) -> None:
    state = {"XDG_STATE_HOME": str(tmp_path / "state")}
    with Terminal([*app_command(), str(saved)], env=state) as running_app:
        first = running_app.read(quiet_s=0.5, until=b"Quit")
    assert b"bandwidth was 1,000 GB/s; now 3,350 GB/s" in first


async def test_a_wrong_catalog_file_is_named_with_entry_and_key(own: Catalog) -> None:
    app = SizeupApp(BUILDS["llama70b"](), None, catalog=own, size=size, theme="dark", glyphs=UNICODE)
    async with running(app, 160, 48) as driver:
        assert "mine.toml" in driver.text("#news")
        await driver.press("ctrl+g")
        read = " ".join(driver.text("#dialog-text").split())
        assert "mine.toml" in read
        assert "moonshot-1" in read
        assert "memory_mib_reported" in read
        await driver.press("d")
        assert not driver.app.workbench.has_class("news")
