"""What a start may cost, told by what it imports and does: the same on every machine, idle or busy."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from catalog import twin

ROOT = Path(__file__).parents[2]
EXAMPLE = "examples/70b-fp8-one-node.toml"


@pytest.fixture(scope="module", autouse=True)
def current() -> None:
    """The catalog's twin as an install makes it: where a TOML file was edited since, a start reads that file itself."""
    stored, text = twin.DATA / twin.NAME, twin.twin_text()
    if not stored.is_file() or stored.read_text(encoding="utf-8") != text:
        stored.write_text(text, encoding="utf-8")


def told(code: str) -> list[str]:
    """The words that a fresh interpreter prints on standard error, for somebody who keeps nothing of their own."""
    with tempfile.TemporaryDirectory() as home:
        nothing = {f"XDG_{kind}_HOME": home for kind in ("CONFIG", "STATE", "CACHE")}
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=os.environ | nothing,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    return done.stderr.split()


@pytest.mark.parametrize("arguments", [["report", EXAMPLE], ["report", "--full", EXAMPLE], ["models", "qwen"]])
def test_a_command_hardly_collects_garbage(arguments: list[str]) -> None:
    code = (
        "import gc, runpy, sys\n"
        "gc.disable()\n"  # the interpreter's own start
        "seen = []\n"
        "gc.callbacks.append(lambda phase, info: seen.append(phase))\n"
        f"sys.argv = ['sizeup', *{arguments!r}]\n"
        "gc.collect()\n"
        "seen.clear()\n"
        "gc.enable()\n"
        "try:\n"
        "    runpy.run_module('tui', run_name='__main__')\n"
        "except SystemExit as left:\n"
        "    assert left.code == 0, left.code\n"
        "print(seen.count('start'), file=sys.stderr)\n"
    )
    assert int(told(code)[0]) <= 2  # none where bytecode is at hand; with the usual settings some 90


BEGUN = (
    "import sys\n"
    "import textual.app, textual.widgets\n"
    "from textual.widgets import Static\n"
    "import cProfile, pstats\n"
    "profile = cProfile.Profile()\n"
    "profile.enable()\n"
    "import catalog, tui.cli\n"
    "from tui.shell.command import built\n"
    "scenario = built(None, {})\n"
    "from engine.decide.size import size\n"
    "from tui.app import SizeupApp\n"
    "app = SizeupApp(scenario, catalog=catalog.load(), size=size)\n"
    "profile.disable()\n"
)
"""All that the program does before Textual runs it."""
UNSEEN = (
    "pydantic", "pydantic_core", "tomllib", "tomli_w", "hashlib", "calendar", "yaml",
    "catalog.boundary", "catalog.names", "catalog.gguf", "catalog.nvidia_smi",
    "engine.decide.flips", "engine.decide.opened", "engine.decide.what_if", "engine.decide.whole", "engine.figures.replay",
    "tui.files.session", "tui.files.examples", "tui.shell.report", "tui.shell.exports", "tui.paste", "tui.pages.glossary",
    "tui.app.screens.study", "tui.app.screens.pickers", "tui.app.screens.files", "tui.app.screens.help",
)  # fmt: skip
"""What a first frame does not show."""
MOST_CALLS, MOST_MODULES = 260_000, 250
"""Of Python, and modules of the house: 229,000 and 226 where these were set."""


def test_a_start_imports_nothing_that_it_does_not_show() -> None:
    loaded = set(told(BEGUN + "print(*sys.modules, file=sys.stderr)"))
    assert "tui.app.screens.workbench" in loaded
    assert loaded & set(UNSEEN) == set()
    assert len([name for name in loaded if name.partition(".")[0] in ("engine", "catalog", "tui")]) <= MOST_MODULES


def test_a_start_makes_no_more_calls_than_it_did() -> None:
    calls = int(told(BEGUN + "print(pstats.Stats(profile).total_calls, file=sys.stderr)")[0])
    assert calls <= MOST_CALLS


def test_a_report_imports_nothing_that_it_does_not_print() -> None:
    code = f"import runpy, sys\nsys.argv = ['sizeup', 'report', {EXAMPLE!r}]\nfrom tui.cli import main\nmain()\n"
    loaded = set(told(code + "print(*sys.modules, file=sys.stderr)"))
    assert "tui.shell.report" in loaded
    unseen = {
        "textual",
        "rich",
        "pydantic",
        "pydantic_core",
        "hashlib",
        "yaml",
        "tui.app",
        "tui.paste",
        "tui.shell.exports",
    }
    assert loaded & unseen == set()
