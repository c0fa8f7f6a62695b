"""What the app sends at 120x36: a slow link must not make typing wait."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.tui.terminal import Terminal, app_command

START, ONE_PANEL, ALL_PANELS, TAB, DIALOG = 40_000, 1_500, 6_000, 3_000, 10_000
FOOTER_END = b"Quit"


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Terminal, bytes]]:
    state = tmp_path_factory.mktemp("state")
    with Terminal(app_command(), env={"XDG_STATE_HOME": str(state)}) as running:
        first = running.read(quiet_s=1.2, until=FOOTER_END)
        assert b"MEMORY" in first, first[-2000:]
        yield running, first


def test_start(terminal: tuple[Terminal, bytes]) -> None:
    assert len(terminal[1]) <= START, len(terminal[1])


def test_idle_sends_nothing(terminal: tuple[Terminal, bytes]) -> None:
    assert terminal[0].read(quiet_s=3.0) == b""


def test_tab(terminal: tuple[Terminal, bytes]) -> None:
    for _ in range(4):
        sent = terminal[0].send(b"\t", answered=True)
        assert 0 < len(sent) <= TAB, len(sent)


def test_an_edit_of_one_panel(terminal: tuple[Terminal, bytes]) -> None:
    running = terminal[0]
    running.send(b"\x10" + b"go to title\r", until="▸ Title".encode())  # the palette leads to the title field
    running.send(b"a")
    sent = running.send(b"b", answered=True)
    assert b"unsaved" in running.output
    assert 0 < len(sent) <= ONE_PANEL, len(sent)


def test_an_edit_of_all_panels(terminal: tuple[Terminal, bytes]) -> None:
    running = terminal[0]
    running.send(b"\x10" + b"go to users\r", until="▸ Users".encode())
    sizes = [len(running.send(key, answered=True)) for key in (b"\x1b[C", b"\x1b[C", b"\x1b[C", b"\x1b[D", b"4", b"8")]
    assert all(0 < size <= ALL_PANELS for size in sizes), sizes


def test_a_dialog_sends_its_own_cells(terminal: tuple[Terminal, bytes]) -> None:
    """Textual paints the whole screen two or three times for one: only what differs may be sent."""
    running = terminal[0]
    for key in (b"\x10", b"\x0f", b"\x1bOP"):  # palette, open, help
        for sent in (running.send(key, quiet_s=1.0, answered=True), running.send(b"\x1b", quiet_s=1.0, answered=True)):
            assert 0 < len(sent) <= DIALOG, len(sent)
