"""The README's five minutes, followed word for word in a terminal of 80x24."""

from __future__ import annotations

import io
import re
import shlex
import sys
from pathlib import Path

import pytest

from engine.scenario import Scenario
from tests.tui.driver import Driver, app_of, running
from tui import cli
from tui.app import SizeupApp

ROOT = Path(__file__).parents[2]
KEYS = {
    "Tab": "tab",
    "Enter": "enter",
    "Escape": "escape",
    "Down": "down",
    "?": "question_mark",
    **{f"Ctrl+{letter}": f"ctrl+{letter.lower()}" for letter in "TYZS"},
}
UNTIL = re.compile(r"until \*([^*]+)\*")
PART = re.compile(r"`([^`]+)`(?: until \*([^*]+)\*)?|(?<!\*)\*([^*]+)\*(?!\*)")


class ATerminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def tour() -> tuple[str, list[str]]:
    """The command that the tour begins with, and its numbered steps, each on one line."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.split("## Five minutes with it")[1].split("\n## ")[0]
    command = re.search(r"```sh\n(.*?)\n```", section, flags=re.DOTALL)
    assert command is not None
    steps = re.findall(r"^\d+\. (.*?)(?=^\d+\. |^!\[)", section, flags=re.MULTILINE | re.DOTALL)
    return command[1], [" ".join(step.split()) for step in steps]


async def follow(app: Driver, step: str) -> None:
    """Press what is in boxes, in order, and look for what is slanted."""
    for pressed, goal, seen in PART.findall(step):
        if seen:
            await app.settle()
            assert seen in app.text(), f"after {step!r}"
        elif goal:
            for _ in range(30):
                if _chosen(app, goal):
                    break
                await app.press(KEYS[pressed])
            assert _chosen(app, goal), f"no {goal} by {pressed}"
        elif pressed in KEYS or len(pressed) == 1:
            await app.press(KEYS.get(pressed, pressed))
        else:
            await app.type(pressed)


def _chosen(app: Driver, label: str) -> bool:
    return any(row.startswith("▸") and label in row for row in app.text().splitlines())


async def test_the_tour_shows_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command, steps = tour()
    assert len(steps) == 9
    opened: list[SizeupApp] = []

    def open_here(scenario: Scenario, path: Path | None, _: object) -> int:
        opened.append(app_of(scenario, path))
        return 0

    monkeypatch.setattr(cli, "_run_app", open_here)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("stdin", "stdout"):
        monkeypatch.setattr(sys, name, ATerminal())
    assert cli.main(shlex.split(command)[1:]) == 0
    async with running(opened[0], 80, 24) as app:
        for step in steps:
            await follow(app, step)
    assert (tmp_path / "mybuild.toml").exists()
    assert cli.main(["report", "mybuild.toml"]) == 0


def test_every_command_of_the_readme_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    used = set(re.findall(r"^\.venv/bin/sizeup ([a-z]+) ", text, flags=re.MULTILINE))
    assert len(used) > 8
    for command in used:
        assert _left_with(command, "--help") == 0
    assert "usage: sizeup report" in capsys.readouterr().out


def _left_with(*arguments: str) -> object:
    try:
        return cli.main(arguments)
    except SystemExit as left:
        return left.code
