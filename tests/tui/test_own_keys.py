"""Keys of one's own: read from a file with errors for people, in force, and shown wherever keys are shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tui.builds import BUILDS
from tests.tui.commands import Run
from tests.tui.driver import app_of, running
from tui.app.widgets.canvas import Canvas
from tui.files import own_keys
from tui.files.commands import BY_ID, COMMANDS, Command, Keymap, key_name, key_of
from tui.files.commands import own_keys as changeable
from tui.pages.doc import plain


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a person's settings."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "sizeup").mkdir()
    return tmp_path / "sizeup"


@pytest.mark.parametrize("command", [command for command in COMMANDS if changeable(command)], ids=lambda one: one.id)
def test_every_command_but_those_of_all_terminals_takes_a_key(command: Command) -> None:
    name = command.id
    keymap, problems = own_keys.keymap_of({name: "Alt+Y"})
    assert not problems
    assert keymap.keys(name)[0] == "alt+y"
    assert not set(keymap.keys(name)) & set(changeable(BY_ID[name]))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: one.id)
def test_a_key_is_read_as_it_is_shown(command: Command) -> None:
    for key in command.keys:
        assert key_of(key_name(key)) == key
        assert key_of(key_name(key, short=True)) == key


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ({"sav": "ctrl+w"}, "sav: no such command; the nearest is save"),
        ({"working": "ctrl+w"}, "working: its keys are fixed: Enter"),
        ({"save": "ctrl+o"}, "save: Ctrl+O is the key of open; give open another key too"),
        ({"save": "ctrl+w", "undo": "ctrl+w"}, "undo: Ctrl+W is the key of save; one of them needs another"),
        ({"pin": "a"}, "pin: a is the key of apply; give apply another key too"),
        ({"pin": "f9"}, "pin: F9 is the key of theme; give theme another key too"),
        ({"save": "s"}, "save: s is typed into fields; allowed: ctrl+ or alt+ and a letter, or f1 to f12"),
        ({"save": "ctrl+m"}, "save: Ctrl+M reaches a program as Enter; another is needed"),
        ({"pin": "Tab"}, "pin: Tab moves, types or opens everywhere and stays as it is; another is needed"),
        ({"save": "hyper+s"}, "save: 'hyper+s' is no key; allowed: ctrl+ or alt+ and a letter, f1 to f12"),
        ({"save": 5}, 'save: 5 is no key; allowed: "ctrl+w", or a list of up to 4 of them'),
        ({"save": []}, 'save: [] is no key; allowed: "ctrl+w", or a list of up to 4 of them'),
    ],
)
def test_a_wrong_line_is_left_out_with_the_reason(stated: dict[str, object], said: str) -> None:
    keymap, problems = own_keys.keymap_of({"redraw": "f11", **stated})
    assert problems == [said]
    assert keymap.keys("redraw") == ("f11",)
    assert all(keymap.keys(name) == BY_ID[name].keys for name in stated if name in BY_ID and name != "save")


def test_two_commands_may_swap_their_keys_and_none_is_left_with_anothers() -> None:
    keymap, problems = own_keys.keymap_of({"save": "ctrl+o", "open": "ctrl+s"})
    assert not problems
    assert (keymap.keys("save"), keymap.keys("open")) == (("ctrl+o",), ("ctrl+s",))
    keymap, problems = own_keys.keymap_of({"save": "ctrl+o", "open": "nothing"})  # the second stays where it was
    assert len(problems) == 2
    assert not keymap.own


async def test_own_keys_are_in_force_and_shown(config: Path) -> None:
    (config / "keys.toml").write_text('undo = "ctrl+w"\npin = ["z"]\nnext_page = "n"\nquit = "f11"\nopenn = "f10"\n')
    async with running(app_of(BUILDS["llama70b"]())) as app:
        assert "^W Undo" in app.text("#footer")
        assert "F11 Quit" in app.text("#footer")
        assert "openn: no such command; the nearest is open" in app.text("#news")
        await app.go_to("hardware.nodes")
        await app.press("right")
        assert app.app.store.scenario.hardware.nodes == 2
        await app.press("ctrl+z")
        assert app.app.store.scenario.hardware.nodes == 2
        await app.press("ctrl+w")
        assert app.app.store.scenario.hardware.nodes == 1
        await app.press("ctrl+t", "n", "right", "p", "z")
        assert app.app.workbench.results.page == "Memory"
        assert [pin.name for pin in app.app.store.pins] == ["A"]
        await app.press("f1")
        shown = [plain(row) for row in app.app.screen.query_one("#dialog-text", Canvas).lines]
        assert any(row.startswith(" Ctrl+W") and "Take back" in row for row in shown)
        await app.press("escape", "f11")
        assert "unsaved" in app.text().casefold()


@pytest.mark.parametrize("content", [b"save = ", b"\xff", b'save = "ctrl+w"\n' * 2])
async def test_a_file_that_is_no_toml_leaves_all_keys_as_they_are(config: Path, content: bytes) -> None:
    (config / "keys.toml").write_bytes(content)
    keymap, problems = own_keys.read()
    assert not keymap.own
    assert len(problems) == 1
    assert str(config / "keys.toml") in problems[0]


def test_without_a_file_the_keys_are_the_registrys(config: Path) -> None:
    keymap, problems = own_keys.read()
    assert not problems
    assert all(keymap.keys(command.id) == command.keys == Keymap().keys(command.id) for command in COMMANDS)


def test_the_command_line_lists_the_keys_in_use(run: Run, config: Path) -> None:
    (config / "keys.toml").write_text('save = "ctrl+w"\nsav = "f11"\n')
    said = run("help", "keys").out
    assert "save" in said
    assert "Ctrl+W" in said
    assert "left out" in said
    assert "the nearest is save" in said
