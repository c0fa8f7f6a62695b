"""What the screens look like: real builds at three sizes, the detail pages, the dialogs and the themes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.tui.builds import BUILDS
from tests.tui.driver import app_of, settle
from tui.glyphs import ASCII

SIZES = [(80, 24), (120, 36), (160, 48)]
Compare = Callable[..., bool]


def _ids(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _keys(*keys: str) -> Callable[[Pilot[Any]], Any]:
    async def press(pilot: Pilot[Any]) -> None:
        await settle(pilot.app)  # flip points, builds and sweeps come in slices
        for key in keys:
            await pilot.press(key)
        await pilot.pause()
        await settle(pilot.app)
        await pilot.pause()

    return press


@pytest.mark.parametrize("size", SIZES, ids=_ids)
@pytest.mark.parametrize("build", BUILDS)
def test_results(snap_compare: Compare, build: str, size: tuple[int, int]) -> None:
    """The results of each build; where they take turns with the inputs, the results page."""
    keys = ("ctrl+t",) if size[0] < 100 else ()
    assert snap_compare(app_of(BUILDS[build]()), terminal_size=size, run_before=_keys(*keys))


def test_inputs_at_80_columns(snap_compare: Compare) -> None:
    assert snap_compare(app_of(BUILDS["new"]()), terminal_size=(80, 24))


@pytest.mark.parametrize("size", SIZES, ids=_ids)
def test_error(snap_compare: Compare, size: tuple[int, int]) -> None:
    """A layout without an answer: the reason at the field, the last valid result marked stale."""
    keys = ("ctrl+p", "g", "o", "space", "t", "o", "space", "t", "p", "enter", "7")
    assert snap_compare(app_of(BUILDS["llama70b"]()), terminal_size=size, run_before=_keys(*keys))


@pytest.mark.parametrize("size", SIZES, ids=_ids)
@pytest.mark.parametrize("page", [*range(2, 10), 0])
def test_pages(snap_compare: Compare, page: int, size: tuple[int, int]) -> None:
    app = app_of(BUILDS["deepseek"]())
    assert snap_compare(app, terminal_size=size, run_before=_keys("ctrl+t", str(page)))


DIALOGS = {
    "help": ("f1",),
    "palette": ("ctrl+p",),
    "models": ("enter",),
    "working": ("ctrl+t", "enter"),
    "report": ("ctrl+e",),
    "unsaved": ("tab", "up", "ctrl+q"),
}


@pytest.mark.parametrize("keys", DIALOGS.values(), ids=DIALOGS)
def test_dialogs(snap_compare: Compare, keys: tuple[str, ...]) -> None:
    assert snap_compare(app_of(BUILDS["llama70b"]()), terminal_size=(120, 36), run_before=_keys(*keys))


@pytest.mark.parametrize("theme", ["light", "sixteen", "mono"])
def test_themes(snap_compare: Compare, theme: str) -> None:
    assert snap_compare(app_of(BUILDS["llama405b"](), theme=theme), terminal_size=(120, 36))


def test_ascii(snap_compare: Compare) -> None:
    app = app_of(BUILDS["llama405b"](), theme="mono", glyphs=ASCII)
    assert snap_compare(app, terminal_size=(120, 36))


def test_too_small(snap_compare: Compare) -> None:
    assert snap_compare(app_of(BUILDS["new"]()), terminal_size=(50, 15))
