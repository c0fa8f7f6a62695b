"""What a terminal sends: any bytes, and the app hears the next key."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from textual import events
from textual.message import Message

from tests.tui.terminal import Terminal, app_command
from tui.app.driver import LARGEST_SCREEN, PASTE_LOST_S, Input
from tui.files import session


def heard(*reads: bytes, paused: bool = True) -> list[Message]:
    """The events of reads a fifth of a second apart; with a pause after each, as when no more comes."""
    found: list[Message] = []
    source, now = Input(), 1.0
    for data in reads:
        found += source.feed(data, now)
        now += 0.2
        found += source.pause(now) if paused else ()
    return found


def keys(found: list[Message]) -> str:
    return "".join(event.character or "" for event in found if isinstance(event, events.Key))


@pytest.mark.parametrize(
    ("reads", "text"),
    [
        ([b"a\xe9b"], "aéb"),
        ([b"\xe9"], "é"),
        ([b"\xc3", b"\xa9"], "Ã©"),  # a second between them: two characters of an old terminal
        ([b"\xff\xfe\x9bA"], "ÿþA"),
        ([b"\x1b[1114112u", b"x"], "x"),  # a code that is no character
        ([b"\x1b[97:1:2;5ux"], "x"),
        ([b"\x1b[9999999999999ux"], "x"),
    ],
)
def test_bytes_that_are_no_text_or_no_key_cost_no_other(reads: list[bytes], text: str) -> None:
    assert keys(heard(*reads)) == text


def test_a_character_in_two_reads_is_one() -> None:
    assert keys(heard(b"\xc3", b"\xa9", paused=False)) == "é"


def test_a_long_text_without_brackets_is_one_paste() -> None:
    found = heard(b"a" * 1024, paused=False)
    assert [event.text for event in found if isinstance(event, events.Paste)] == ["a" * 1024]
    assert len(keys(heard(b"go to users\r", paused=False))) == 12


def test_brackets_in_two_reads_hold_a_paste() -> None:
    found = heard(b"\x1b[20", b"0~" + b"x" * 500, b"y\x1b[20", b"1~z", paused=False)
    assert [event.text for event in found if isinstance(event, events.Paste)] == ["x" * 500 + "y"]
    assert keys(found) == "z"


def test_a_paste_whose_end_is_lost_does_not_swallow_the_keys() -> None:
    source = Input()
    found = list(source.feed(b"\x1b[200~half", 1.0))
    found += source.pause(1.0 + PASTE_LOST_S + 0.1)
    found += source.feed(b"x", 4.0)
    assert [event.text for event in found if isinstance(event, events.Paste)] == ["half"]
    assert keys(found) == "x"


def test_a_screen_that_no_terminal_has_is_not_drawn() -> None:
    wide = LARGEST_SCREEN[0] + 1
    found = heard(f"\x1b[48;10;{wide};1;1t\x1b[48;0;0;0;0t\x1b[48;30;100;1;1t".encode())
    assert [tuple(event.size) for event in found if isinstance(event, events.Resize)] == [(100, 30)]


PIECES = (
    *(b"\x1b", b"[", b"\x1b[<", b"\x1b[1114112u", b"u", b"~", b"M", b";", b"200~", b"\x1b[200~", b"\x1b[201~", b"\0"),
    *(b"\xe9", b"\xc3", b"\x1b[48;0;0;0;0t", b"\x1b[<0;99999999;1M", b"a", b"\x1b[97:1:2;5u", b"\x1b[55296u"),
)


def test_after_any_bytes_the_next_key_is_heard() -> None:
    for seed in range(400):
        draw = random.Random(seed)
        source, now = Input(), 1.0
        for _ in range(draw.randint(1, 4)):
            list(source.feed(b"".join(draw.choices(PIECES, k=draw.randint(1, 6))), now))
            now += draw.choice((0.01, 0.2))
            if draw.random() < 0.5:
                list(source.pause(now))
        for _ in range(3):
            now += PASTE_LOST_S
            source._parser._timeout_time = 0.0 if source._parser._timeout_time is not None else None
            list(source.pause(now))
        assert keys(list(source.feed(b"q", now))) == "q", seed


def test_a_byte_that_is_no_utf8_is_a_letter_of_the_title(tmp_path: Path) -> None:
    saved = tmp_path / "a.toml"
    env = {"XDG_STATE_HOME": str(tmp_path)}
    with Terminal(app_command("--title", "x"), env=env) as terminal:
        terminal.read(quiet_s=0.1, until=b"Quit")
        terminal.send(b"\x10go to title\r", quiet_s=0.1, until="▸ Title".encode())
        terminal.send(b"caf\xe9", quiet_s=0.1, until="é".encode())
        terminal.send(b"\x1b[24~", quiet_s=0.1, until=b"Save as")
        terminal.send(b"\x15" + str(saved).encode() + b"\r", quiet_s=0.1, until=b"Saved")
        assert session.load(saved).title == "café"
        terminal.send(b"\x11", quiet_s=0.2)
        assert terminal.process.wait(timeout=10) == 0


def test_a_paste_without_brackets_is_no_flood(tmp_path: Path) -> None:
    with Terminal(app_command(), env={"XDG_STATE_HOME": str(tmp_path)}) as terminal:
        terminal.read(quiet_s=0.1, until=b"Quit")
        terminal.send(b"\x10go to notes\r", quiet_s=0.1, until="▸ Notes".encode())
        before = resident(terminal.process.pid)
        for _ in range(100):
            terminal.send(b"lorem ipsum dolor sit amet, " * 146, quiet_s=0.0)
        terminal.read(quiet_s=0.3, limit_s=20)
        assert resident(terminal.process.pid) - before < 30
        terminal.send(b"\x1b", quiet_s=0.3)
        terminal.send(b"\x1bOP", quiet_s=0.1, until=b"Notes")


def resident(process: int) -> float:
    """The resident memory of a process, in MB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(row.split()[1]) for row in lines if row.startswith("VmRSS")) / 1000
