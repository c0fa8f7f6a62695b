"""What a start may cost, told by what it imports and does: the same on every machine, idle or busy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = "examples/70b-fp8-one-node.toml"


def told(code: str) -> list[str]:
    """The words that a fresh interpreter prints on standard error."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
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
