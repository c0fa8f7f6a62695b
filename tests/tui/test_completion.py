"""Completion knows what the commands take, and the examples come with the program."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

import catalog
from engine.decide.size import size
from tests.tui.commands import Run
from tui.files import session
from tui.files.examples import FOLDER, examples
from tui.shell import completion

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("command", ["", *completion.OWN])
def test_completion_knows_the_options_of_every_command(run: Run, command: str) -> None:
    told = run(*([command] if command else []), "--help").out
    assert told
    if command in ("help", "completion"):
        return
    options = set(re.findall(r"(?<![\w-])--[a-z-]+", told.partition("\ncommands:")[0]))
    assert options == set(completion.options_of(command))


def test_every_command_of_the_help_is_completed(run: Run) -> None:
    told = run("help").out.partition("\nEvery preset")[0]
    named = {word for words in re.findall(r"^  sizeup (\S+)", told, re.M) for word in words.split("|")}
    assert named == set(completion.OWN)


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_a_script_holds_ids_and_is_read_by_its_shell(run: Run, shell: str) -> None:
    script = run("completion", shell).out
    known = catalog.load()
    for one in (known.models[0].id, known.models[-1].id, known.facts.accelerators[-1].id, "layout.dcp", "report"):
        assert one in script
    if shutil.which(shell) is not None:
        subprocess.run([shell, "-n", "/dev/stdin"], input=script, text=True, check=True, timeout=20)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("re",), ["report", "recommend"]),
        (("report", "--model", "llama-3.1-4"), ["llama-3.1-405b"]),
        (("--accelerator", "h200"), ["h200-sxm", "h200-nvl"]),
        (("export", "--to", "vl"), ["vllm"]),
        (("help", "layout.d"), ["layout.dp", "layout.dp_attention", "layout.dcp"]),
        (("completion", "f"), ["fish"]),
    ],
)
def test_bash_completes(words: tuple[str, ...], found: list[str]) -> None:
    line = " ".join(("sizeup", *words))
    asks = f"compopt() {{ :; }}; COMP_WORDS=({line}); COMP_CWORD={len(words)}; _sizeup; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    done = subprocess.run(
        ["bash", "-c", f"{completion.script('bash')}\n{asks}"], text=True, capture_output=True, check=True, timeout=20
    )
    assert sorted(done.stdout.split()) == sorted(found)


def test_a_shell_that_nobody_knows(run: Run) -> None:
    ran = run("completion", "tcsh")
    assert (ran.code, ran.err) == (2, "sizeup: completion tcsh: allowed: bash, zsh or fish\n")


def test_examples_are_listed_printed_and_written(run: Run, tmp_path: Path) -> None:
    listed = run("examples").out
    assert [line.split()[0] for line in listed.splitlines()] == [example.name for example in examples()]
    one = examples()[0]
    assert one.title in listed
    assert run("examples", one.name).out == one.path.read_text(encoding="utf-8")
    ran = run("examples", "--save", str(tmp_path / "new"))
    assert ran.code == 0
    for example in examples():
        written = tmp_path / "new" / example.path.name
        assert str(written) in ran.out
        assert size(session.load(written)).answer.status
    again = run("examples", one.name, "--save", str(tmp_path / "new"))
    assert (again.code, "is there already" in again.err) == (2, True)
    assert "the nearest is" in run("examples", "deepseek").err


def test_examples_are_in_the_wheel() -> None:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = table["tool"]["setuptools"]["package-data"]["tui"]
    kept = {path for pattern in patterns for path in (ROOT / "tui").glob(pattern)}
    assert {example.path for example in examples()} <= kept
    assert FOLDER.parent.name == "tui"
