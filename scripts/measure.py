"""Print the budgets that the program keeps: time of one sizing, first frame, imports of `report`, bytes on the wire.

Run from the checkout: python scripts/measure.py [--runs N]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from engine.decide.size import size  # noqa: E402 - the checkout must be importable first
from engine.figures.errors import ScenarioError  # noqa: E402 - the checkout must be importable first
from engine.scenario import Scenario  # noqa: E402 - the checkout must be importable first
from tests.tui.builds import BUILDS  # noqa: E402 - the checkout must be importable first

EMPTY_APP = """
from textual.app import App
from textual.widgets import Static
class Empty(App):
    def compose(self):
        yield Static("ready")
Empty().run()
"""
UP, DOWN, TAB, PALETTE = b"\x1b[A", b"\x1b[B", b"\t", b"\x10"
HELP, ESCAPE = b"\x1bOP", b"\x1b"


def edits(scenario: Scenario, number: int) -> Iterator[tuple[str, Scenario]]:
    """A new scenario for each number that people turn: none was sized before, only its parts are known."""
    work, hardware = scenario.workload, scenario.hardware
    if work.is_inference:
        loads = {
            "users": replace(work, concurrency=33 + number),
            "prompt": replace(work, input_tokens=1000 + 37 * number),
            "answer": replace(work, output_tokens=300 + 7 * number),
        }
    else:
        loads = {
            "length": replace(work, sequence_length=2048 + 16 * number),
            "batch": replace(work, global_batch_tokens=524288 + 4096 * number),
            "tokens": replace(work, total_tokens=(work.total_tokens or 0) + 1_000_000 * number),
        }
    for name, load in loads.items():
        yield name, replace(scenario, workload=load)
    # another count of GPUs comes back to counts seen before, under a load that does not
    load = replace(work, concurrency=500 + number)
    if not work.is_inference:
        load = replace(load, total_tokens=(work.total_tokens or 0) + 777 * number)
    if scenario.layout.tp is None:
        gpus = replace(hardware, gpus_per_node=(4, 8, 2)[number % 3])
        yield "GPUs", replace(scenario, hardware=gpus, workload=load)
    yield "nodes", replace(scenario, hardware=replace(hardware, nodes=1 + number % 4), workload=load)


def sizing_ms(runs: int) -> dict[str, dict[str, float]]:
    """Median milliseconds of one warm `size()` by build and by what was edited; `all` is over every edit."""
    found: dict[str, dict[str, float]] = {}
    for name, make in BUILDS.items():
        scenario = make()
        size(scenario)
        times: dict[str, list[float]] = {"all": []}
        for number in range(4 + runs * 10):
            for what, fresh in edits(scenario, number):
                started = time.thread_time()  # of the processor, so that a busy machine counts no one else's work
                try:
                    size(fresh)
                except ScenarioError:  # a count of GPUs that the pinned layout or the link does not take
                    continue
                spent = (time.thread_time() - started) * 1000
                if number >= 4:  # by then every count of GPUs and nodes has been seen
                    times["all"].append(spent)
                    times.setdefault(what, []).append(spent)
        found[name] = {what: statistics.median(values) for what, values in times.items()}
    return found


def first_frame_s(command: list[str], until: bytes) -> float:
    """Seconds from the start of a process to its first full frame."""
    from tests.tui.terminal import Terminal

    with tempfile.TemporaryDirectory() as state, Terminal(command, env={"XDG_STATE_HOME": state}) as terminal:
        terminal.read(quiet_s=0.01, until=until)
        return time.monotonic() - terminal.started


def wire_bytes() -> list[tuple[str, int, int]]:
    """Bytes at 120x36: what, how many, how many are allowed."""
    from tests.tui.terminal import Terminal, app_command

    with tempfile.TemporaryDirectory() as state, Terminal(app_command(), env={"XDG_STATE_HOME": state}) as terminal:
        start = len(terminal.read(quiet_s=1.2, until=b"Quit"))
        tab = max(len(terminal.send(TAB)) for _ in range(4))
        terminal.send(PALETTE + b"go to title\r", quiet_s=1.0)
        terminal.send(b"a")
        one = len(terminal.send(b"b"))
        terminal.send(PALETTE + b"go to users\r", quiet_s=1.0)
        everything = max(len(terminal.send(key)) for key in (UP, UP, UP, DOWN, DOWN))
        dialog = 0
        for key in (PALETTE, HELP):
            dialog = max(dialog, len(terminal.send(key, quiet_s=1.0)), len(terminal.send(ESCAPE, quiet_s=1.0)))
        idle = len(terminal.read(quiet_s=3.0))
    return [
        ("start", start, 40_000),
        ("an edit, one panel", one, 1_500),
        ("an edit, all panels", everything, 6_000),
        ("a Tab", tab, 3_000),
        ("a dialog", dialog, 10_000),
        ("idle, 3 s", idle, 0),
    ]


def imported_by_report() -> list[str]:
    """Names among textual and rich that `sizeup report` imports; it needs neither."""
    code = (
        "import sys, contextlib, io\n"
        "from tui.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        "    main(['report', sys.argv[1]])\n"
        "print(' '.join(name for name in ('textual', 'rich') if name in sys.modules))"
    )
    example = next((ROOT / "examples").glob("*.toml"))
    done = subprocess.run(
        [sys.executable, "-c", code, str(example)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="how often each start is timed")
    runs = parser.parse_args().runs
    print("one size() after an edit, median ms (budget 1), and by what was edited")
    for name, values in sizing_ms(runs).items():
        print(f"  {name:<22}{values.pop('all'):8.2f}   " + "  ".join(f"{what} {ms:.2f}" for what, ms in values.items()))
    from tests.tui.terminal import app_command

    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program has its bytecode
    first_frame_s(app_command(), b"Quit")
    empty, ours = [], []
    for _ in range(runs):  # in turn, so that a busy machine is busy for both
        empty.append(first_frame_s([sys.executable, "-c", EMPTY_APP], b"ready"))
        ours.append(first_frame_s(app_command(), b"Quit"))
    ratio = statistics.median(ours) / statistics.median(empty)
    print("first full frame, s (budget: twice an empty Textual app)")
    print(f"  {'empty Textual app':<22}{statistics.median(empty):8.2f}")
    print(f"  {'sizeup':<22}{statistics.median(ours):8.2f}   {ratio:.2f} times")
    print("bytes at 120x36 (budget)")
    for what, sent, allowed in wire_bytes():
        print(f"  {what:<22}{sent:8,}   {allowed:,}")
    print(f"report imports: {' '.join(imported_by_report()) or 'neither textual nor rich'}")


if __name__ == "__main__":
    main()
