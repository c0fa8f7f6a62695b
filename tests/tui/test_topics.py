"""`sizeup help` stands in for a man page: it lists every command and topic, and each that it lists has help of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.scenario.fields import BY_KEY, FIELDS, Field, word_of
from tests.tui.commands import Run
from tui.shell import completion, presets, topics
from tui.shell.command import BAD_INPUT, CARRIED, FAILED, NOT_CARRIED
from tui.shell.topics import TOPICS

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = tuple(command for command in completion.OWN if command != "help")


def test_help_alone_lists_every_command_and_topic(run: Run) -> None:
    said = run("help").out
    for command in completion.OWN:
        assert re.search(rf"^  sizeup (?:\S*\|)?{command}\b", said, re.MULTILINE), command
    for name, topic in TOPICS.items():
        assert re.search(rf"^  {name} +{re.escape(topic.about)}$", said, re.MULTILINE), name


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_that_it_lists_has_help(run: Run, command: str) -> None:
    said = run("help", command)
    assert said.code == 0
    assert f"sizeup {command}" in said.out


LISTED = tuple(preset for preset in presets.PRESETS if "VALUES" in preset.help)


@pytest.mark.parametrize("command", [command for command in COMMANDS if command in completion.SETS_KEYS])
def test_help_of_an_option_lists_every_word_that_its_key_takes(run: Run, command: str) -> None:
    assert {"workload.kind", "workload.framework", "workload.sharding"} <= {preset.key for preset in LISTED}
    said = run(command, "--help").out
    for preset in LISTED:
        told = re.search(rf"^  {preset.option} X((?:.*\n)+?)  -", said, re.MULTILINE)
        assert told is not None
        words = re.findall(r"[^\s,]+", told[1])
        assert [word_of(value) for value in BY_KEY[preset.key].values] == words[-len(BY_KEY[preset.key].values) :]


@pytest.mark.parametrize("field", [field for field in FIELDS if field.choices], ids=lambda field: str(field.key))
def test_help_of_a_field_gives_each_choice_as_a_session_takes_it(run: Run, field: Field) -> None:
    said = " ".join(run("help", field.key).out.split())
    for value, _ in field.choices:
        assert re.search(rf"(?:Takes|[,)]) {re.escape(word_of(value))}[ ,.(]", said), value


def test_the_readme_lists_every_kind() -> None:
    told = re.search(r'^kind = "serve" +# (.+)$', (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert told is not None
    assert told[1].split(", ") == [str(value) for value in BY_KEY["workload.kind"].values]


@pytest.mark.parametrize("name", TOPICS)
def test_each_topic_is_told_within_the_width_of_a_terminal(run: Run, name: str) -> None:
    said = run("help", name)
    assert said.code == 0
    assert said.out.startswith(f"{name}: {TOPICS[name].about}\n")
    assert name in completion.words()["help"]
    for width in (58, 88):
        rows = topics.told(name, width).splitlines()
        assert all(len(row) <= width or "/" in row for row in rows)  # a path is not broken
        assert len(rows) > 4


def test_every_variable_that_is_read_is_told() -> None:
    read: set[str] = set()
    for path in (path for package in ("tui", "catalog", "engine") for path in (ROOT / package).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        read |= set(re.findall(r'environ(?:\.get\(|\[)"([A-Z_]+)"', text)) | set(
            re.findall(r'_folder\("([A-Z_]+)"', text)
        )
    told = {name for title, _ in TOPICS["environment"].rows() for name in title.split(", ")}
    assert {"NO_COLOR", "TERM", "XDG_STATE_HOME"} <= read
    assert read == told


def test_exit_codes_are_those_of_the_command_line() -> None:
    told = [title for title, _ in TOPICS["exits"].rows()]
    assert sorted(told) == sorted(str(code) for code in (CARRIED, FAILED, BAD_INPUT, NOT_CARRIED))


def test_a_topic_that_is_nearly_meant_is_named(run: Run) -> None:
    said = run("help", "enviroment")
    assert said.code == BAD_INPUT
    assert "'environment'" in said.err


def test_the_words_of_shorthand_are_read_as_told() -> None:
    from tui.files import own_card, shorthand

    assert shorthand.build("70b q4").weights == "gguf-q4_k_m"
    titles = {title for title, _ in TOPICS["shorthand"].rows() if title}
    for title in titles - {"2x 4090, 8 h100", "2x8 h100", "4090 48, a100-40", "x1 96GB 1800GB/s 500TF"}:
        assert shorthand.build(title).says_more, title
    for title in ["2x 4090", "8 h100"]:
        assert shorthand.cards(title)[0] is not None
    assert shorthand.boxes("2x8 h100")[0] == 2
    assert shorthand.card_ids("4090 48") == ("rtx-4090-48gb",)
    assert own_card.read("x1 96GB 1800GB/s 500TF") is not None
