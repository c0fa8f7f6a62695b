"""Print the budgets that the program keeps: time of one sizing, first frame, `report`, bytes on the wire, weight.

Run from the checkout, on a machine that does nothing else: python scripts/measure.py [--runs N] [--write]
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
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


LARGE = ("--model", "llama-3.1-405b", "--weights", "bf16", "--accelerator", "rtx-pro-6000-server", "--gpus", "8")
"""A build that does not fit: something else is to do, and it has flips."""


def found_s() -> float:
    """Seconds from the first full frame to the one thing to do and the flips, on the build that takes the longest."""
    from tests.tui.terminal import Terminal, app_command

    with (
        tempfile.TemporaryDirectory() as state,
        Terminal(app_command(*LARGE), env={"XDG_STATE_HOME": state}) as terminal,
    ):
        terminal.read(quiet_s=0.001, until=b"Quit")
        drawn = time.monotonic()
        terminal.read(quiet_s=0.001, until=b"olds to")
        return time.monotonic() - drawn


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


def worst_sizing_ms() -> tuple[str, float]:
    """The build of the goldens whose warm `size()` after an edit takes longest, and its median in ms."""
    from tests.golden.frozen import frozen_catalog, sessions
    from tui.files import session

    known = frozen_catalog()
    worst = ("", 0.0)
    for name, text in sessions().items():
        scenario = session.parse(text, file=name, known=known)
        times = []
        for number in range(7):
            for _, fresh in edits(scenario, number):
                started = time.thread_time()
                try:
                    size(fresh)
                except ScenarioError:
                    continue
                if number >= 2:
                    times.append((time.thread_time() - started) * 1000)
        if times and statistics.median(times) > worst[1]:
            worst = (name, statistics.median(times))
    return worst


def report_s(runs: int) -> float:
    """Median seconds of `sizeup report` as a whole process."""
    command = [sys.executable, "-m", "tui", "report", str(ROOT / "examples" / "70b-fp8-one-node.toml")]
    times = []
    for _ in range(runs + 1):
        started = time.monotonic()
        subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
        times.append(time.monotonic() - started)
    return statistics.median(times[1:])


def installed_mb() -> float:
    """MB (10^6 bytes) of what an install of sizeup brings, bytecode included: its dependencies, and theirs, as they lie here."""
    from importlib.metadata import distribution

    waiting, seen, total = ["sizeup"], set(), 0
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        found = distribution(name)
        for needed in found.requires or ():
            requirement, _, condition = needed.partition(";")
            if "extra" not in condition and "python_version <" not in condition and "sys_platform" not in condition:
                waiting.append(re.split(r"[^A-Za-z0-9_.-]", requirement.strip(), maxsplit=1)[0].lower())
        if name != "sizeup":  # installed editable here: its own weight is that of the packages
            files = (Path(file.locate()) for file in found.files or ())
            total += sum(path.stat().st_size for path in files if path.is_file())
    own = (path for package in ("engine", "catalog", "tui") for path in (ROOT / package).rglob("*") if path.is_file())
    return (total + sum(path.stat().st_size for path in own)) / 1e6


def wheel_mb() -> float:
    """MB (10^6 bytes) of the wheel."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [str(ROOT / "scripts" / "build_wheel"), scratch]
        subprocess.run(command, env=os.environ | {"PYTHON": sys.executable}, check=True, capture_output=True)
        return next(Path(scratch).glob("*.whl")).stat().st_size / 1e6


Row = tuple[str, str, str]
"""What is measured, what was found, and the budget."""


def rows_of(runs: int) -> Iterator[Row]:
    """Every budget, measured."""
    found = sizing_ms(runs)
    for name, values in found.items():
        parts = ", ".join(f"{what} {ms:.2f}" for what, ms in values.items() if what != "all")
        yield f"`size()` after an edit, {name} ({parts})", f"{values['all']:.2f} ms", "0.5 ms"
    name, worst = worst_sizing_ms()
    yield f"the same, the worst of the golden builds ({name})", f"{worst:.1f} ms", "5 ms"
    from tests.tui.terminal import app_command

    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program has its bytecode
    first_frame_s(app_command(), b"Quit")
    empty, ours = [], []
    for _ in range(runs):  # in turn, so that a busy machine is busy for both
        empty.append(first_frame_s([sys.executable, "-c", EMPTY_APP], b"ready"))
        ours.append(first_frame_s(app_command(), b"Quit"))
    own, theirs = statistics.median(ours), statistics.median(empty)
    yield (
        f"first full frame ({own:.2f} s), times that of an empty Textual app ({theirs:.2f} s)",
        f"{own / theirs:.2f}",
        "1.6",
    )
    found_s()
    found_after = statistics.median(found_s() for _ in range(runs))
    yield "the one thing to do and the flips, after that frame (405B)", f"{found_after:.2f} s", "0.3 s"
    yield "`sizeup report`, whole process", f"{report_s(runs):.2f} s", "0.25 s"
    yield "what `report` imports of textual and rich", " ".join(imported_by_report()) or "nothing", "nothing"
    for what, sent, allowed in wire_bytes():
        yield f"bytes to a terminal of 120x36: {what}", f"{sent:,}", f"{allowed:,}"
    yield "an install, with all it needs", f"{installed_mb():.0f} MB", "60 MB"
    yield "the wheel", f"{wheel_mb():.2f} MB", "2 MB"


def page_of(rows: Iterable[Row]) -> str:
    """docs/budgets.md."""
    lines = [
        "# Budgets",
        "",
        "How fast and how light the program is held to be, and what was measured last: written by `python scripts/measure.py --write`",
        "on two cores that did nothing else. Times of `size()` are of the processor, medians over edits that were never sized before.",
        "",
        "| what | measured | budget |",
        "|---|---:|---:|",
        *(f"| {what} | {found} | {budget} |" for what, found, budget in rows),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and print, and with --write also keep the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="how often each start is timed")
    parser.add_argument("--write", action="store_true", help="write docs/budgets.md too")
    options = parser.parse_args()
    rows = []
    for row in rows_of(options.runs):
        print(f"{row[0]}: {row[1]} (budget {row[2]})", flush=True)
        rows.append(row)
    if options.write:
        (ROOT / "docs" / "budgets.md").write_text(page_of(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
