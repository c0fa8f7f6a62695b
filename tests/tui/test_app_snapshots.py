"""What the screens look like: a dozen pictures, of real builds, pages, dialogs and themes over three sizes.

Each shows what text does not: colours, bars, columns, what stands over what. Words are asserted as text, elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.tui.builds import BUILDS
from tests.tui.driver import app_of, settle
from tui.pages.glyphs import ASCII

LOW, MIDDLE, WIDE = (80, 24), (120, 36), (160, 48)
Size = tuple[int, int]
Compare = Callable[..., bool]


def _shots(*shots: tuple[str, Size]) -> Any:
    """Parameters of so many pictures, each by what it shows and its size."""
    return [pytest.param(what, size, id=f"{what}-{size[0]}x{size[1]}") for what, size in shots]


def _keys(*keys: str) -> Callable[[Pilot[Any]], Any]:
    async def press(pilot: Pilot[Any]) -> None:
        await settle(pilot.app)  # flip points, builds and sweeps come in slices
        for key in keys:
            await pilot.press(key)
        await pilot.pause()
        await settle(pilot.app)
        await pilot.pause()

    return press


@pytest.mark.parametrize(("build", "size"), _shots(("llama70b", LOW), ("llama70b", MIDDLE), ("finetune", WIDE)))
def test_results(snap_compare: Compare, build: str, size: Size) -> None:
    """The results of a build; where they take turns with the inputs, the results page."""
    keys = ("ctrl+t",) if size[0] < 100 else ()
    assert snap_compare(app_of(BUILDS[build]()), terminal_size=size, run_before=_keys(*keys))


def test_inputs_at_80_columns(snap_compare: Compare) -> None:
    assert snap_compare(app_of(BUILDS["new"]()), terminal_size=LOW)


@pytest.mark.parametrize("size", [pytest.param(MIDDLE, id="120x36")])
def test_error(snap_compare: Compare, size: Size) -> None:
    """A layout without an answer: the reason at the field, the last valid result marked stale."""
    keys = ("ctrl+p", "g", "o", "space", "t", "o", "space", "t", "p", "enter", "7")
    assert snap_compare(app_of(BUILDS["llama70b"]()), terminal_size=size, run_before=_keys(*keys))


@pytest.mark.parametrize(("page", "size"), _shots(("3", LOW), ("5", MIDDLE), ("2", WIDE)))
def test_pages(snap_compare: Compare, page: str, size: Size) -> None:
    """Memory, Fabric and Verdict."""
    app = app_of(BUILDS["deepseek"]())
    assert snap_compare(app, terminal_size=size, run_before=_keys("ctrl+t", page))


DIALOGS = {"palette": ("ctrl+p",), "working": ("ctrl+t", "enter")}


@pytest.mark.parametrize("keys", DIALOGS.values(), ids=DIALOGS)
def test_dialogs(snap_compare: Compare, keys: tuple[str, ...]) -> None:
    assert snap_compare(app_of(BUILDS["llama70b"]()), terminal_size=MIDDLE, run_before=_keys(*keys))


@pytest.mark.parametrize("theme", ["light"])
def test_themes(snap_compare: Compare, theme: str) -> None:
    assert snap_compare(app_of(BUILDS["llama405b"](), theme=theme), terminal_size=MIDDLE)


def test_ascii(snap_compare: Compare) -> None:
    app = app_of(BUILDS["llama405b"](), theme="mono", glyphs=ASCII)
    assert snap_compare(app, terminal_size=MIDDLE)
