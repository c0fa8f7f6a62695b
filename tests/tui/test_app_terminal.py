"""The app in a real terminal: lost connections, monochrome and ASCII terminals, what is refused."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tui.builds import BUILDS
from tests.tui.terminal import Terminal, app_command
from tui.files import session

FOOTER = b"Quit"
USERS_CHOSEN = "▸ Users".encode()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT])
def test_a_lost_connection_keeps_the_work(tmp_path: Path, number: signal.Signals) -> None:
    env = {"XDG_STATE_HOME": str(tmp_path)}
    with Terminal(app_command("--concurrency", "77"), env=env) as terminal:
        terminal.read(quiet_s=0.1, until=FOOTER)
        terminal.send(b"\x10go to users\r", quiet_s=0.1, until=USERS_CHOSEN)
        terminal.send(b"78", quiet_s=0.5, until=b"unsaved")
        os.kill(terminal.process.pid, number)
        terminal.read(quiet_s=0.3, limit_s=5)
        assert terminal.process.wait(timeout=10) == 128 + number
    kept = list((tmp_path / "sizeup").glob("unsaved-*.toml"))
    assert len(kept) == 1
    assert session.load(kept[0]).workload.concurrency == 78
    with Terminal(app_command(), env=env) as terminal:
        terminal.read(quiet_s=0.1, until=b"Unsaved work was found")
        assert b"Unsaved work was found" in terminal.output
        before = len(terminal.output)
        terminal.send(b"o", quiet_s=0.5, until=b"unsaved")
        assert b"78" in re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", terminal.output[before:])


def test_edits_are_kept_while_one_works(tmp_path: Path) -> None:
    with Terminal(app_command(), env={"XDG_STATE_HOME": str(tmp_path)}) as terminal:
        terminal.read(until=FOOTER)
        terminal.send(b"\t\t\t\t8")
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("sizeup/unsaved-*.toml")) and time.monotonic() < deadline:
            time.sleep(0.02)
        terminal.process.kill()
    assert list(tmp_path.glob("sizeup/unsaved-*.toml"))


def test_no_color_sends_no_colour(tmp_path: Path) -> None:
    with Terminal(app_command(), env={"XDG_STATE_HOME": str(tmp_path), "NO_COLOR": "1"}) as terminal:
        sent = terminal.read(until=FOOTER).decode()
    assert "MEMORY" in sent
    for codes in re.findall(r"\x1b\[([0-9;]*)m", sent):
        numbers = [int(code or 0) for code in codes.split(";")]
        assert not any((30 <= n <= 48 and n != 39) or 90 <= n <= 107 for n in numbers), codes


def test_a_locale_without_utf8_gets_ascii(tmp_path: Path) -> None:
    env = {"XDG_STATE_HOME": str(tmp_path), "LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    with Terminal(app_command(), env=env) as terminal:
        sent = terminal.read(until=FOOTER)
    assert b"MEMORY" in sent
    assert sent.isascii()


def test_sixteen_colours_where_no_more_are_promised(tmp_path: Path) -> None:
    env = {"XDG_STATE_HOME": str(tmp_path), "TERM": "xterm", "COLORTERM": ""}
    with Terminal(app_command(), env=env) as terminal:
        sent = terminal.read(until=FOOTER)
    assert b"MEMORY" in sent
    assert b"38;5;" not in sent
    assert b"38;2;" not in sent


def test_a_session_cannot_steer_the_terminal(tmp_path: Path) -> None:
    hostile = tmp_path / "hostile.toml"
    text = session.dump(BUILDS["llama70b"]())
    hostile.write_text(text.replace("70B chat for support", "\\u001b]0;owned\\u0007\\u001b[31mred"))
    with Terminal(app_command(str(hostile)), env={"XDG_STATE_HOME": str(tmp_path)}) as terminal:
        sent = terminal.read(until=FOOTER)
    assert b"MEMORY" in sent
    assert b"\x1b]0;owned" not in sent
    assert b"\x1b[31m" not in sent


def test_a_long_title_in_wide_letters_keeps_its_line(tmp_path: Path) -> None:
    wide = tmp_path / "wide.toml"
    wide.write_text(session.dump(replace(BUILDS["llama70b"](), title="大規模言語モデルの構成" * 9)), encoding="utf-8")
    with Terminal(app_command(str(wide)), env={"XDG_STATE_HOME": str(tmp_path)}) as terminal:
        sent = terminal.read(until=FOOTER)
    assert "MEMORY" in sent.decode()


def test_a_defect_keeps_the_work_and_says_so_in_few_lines(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from tui.app.screens.workbench import Workbench\n"
        "def broken(self): raise ZeroDivisionError('on purpose')\n"
        "Workbench.action_theme = broken\n"
        "from tui.cli import main\n"
        "sys.exit(main([]))\n"
    )
    with Terminal([sys.executable, "-c", code], env={"XDG_STATE_HOME": str(tmp_path)}) as terminal:
        terminal.read(until=FOOTER)
        terminal.send(b"\t\t\t\t8")
        said = terminal.send(b"\x1b[20~", quiet_s=0.2, until=b"Unsaved work is kept")
        assert terminal.process.wait(timeout=10) == 1
    assert b"on purpose" in said
    assert b"Unsaved work is kept" in said
    assert len(said) < 6000
    assert list(tmp_path.glob("sizeup/unsaved-*.toml"))


def test_work_in_a_folder_that_is_no_utf8_is_kept_and_the_app_can_be_ended(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    state = folder / "state"
    command = ["sh", "-c", 'cd "$0" && exec "$@"', str(folder), *app_command("--concurrency", "77")]
    with Terminal(command, env={"XDG_STATE_HOME": str(state)}) as terminal:
        terminal.read(quiet_s=0.1, until=FOOTER)
        terminal.send(b"\x10go to users\r", quiet_s=0.1, until=USERS_CHOSEN)
        terminal.send(b"78", quiet_s=0.5, until=b"unsaved")
        deadline = time.monotonic() + 60
        while not list(state.glob("sizeup/unsaved-*.toml")) and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(terminal.process.pid, signal.SIGTERM)
        terminal.read(quiet_s=0.3, limit_s=5)
        assert terminal.process.wait(timeout=10) == 128 + signal.SIGTERM
    (kept,) = state.glob("sizeup/unsaved-*.toml")
    assert session.load(kept).workload.concurrency == 78
    assert b"caf%E9" in kept.read_bytes()
