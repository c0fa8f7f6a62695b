"""`python -m tests.mutants --seed N`: do the tests catch a wrong formula?"""

from __future__ import annotations

import argparse
import ast
import compileall
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path

from tests.mutants.forked import QUICK
from tests.mutants.sites import ROOT, Mutant, all_places, mutated

COUNT = 60
ENOUGH = 57 / 60
TREE = ("engine", "catalog", "tui", "tests", "examples", "docs", "scripts", "pyproject.toml", "README.md")
FOLDERS = ("tests/properties", "tests/engine")
STAGES: dict[str, tuple[str, ...]] = {
    "golden": ("-m", "tests.golden", "--first"),
    "tests": ("-m", "pytest", *QUICK, *FOLDERS),
}
"""Tests by what they cost, cheapest first. No pictures, no measured rows."""
FORKED: dict[str, tuple[str, ...]] = {"golden": ("golden",), "tests": FOLDERS}
"""The same in forks of one process; see `tests.mutants.forked`."""
TIMES = 4
"""How many times the processor time of the right code a wrong one may take: an endless loop is caught."""
LIMITS_S = {"golden": 150, "tests": 900}
"""Processor time of a whole stage in a fresh process: several times what the right code takes."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a mutant. killed_by: the stage that failed; empty when it survived."""

    mutant: Mutant
    killed_by: str
    seconds: float

    @property
    def change(self) -> str:
        """Where it is, and what was changed."""
        one = self.mutant
        return f"{one.file}:{one.line} {one.place}: {_short(one.before)}  ->  {_short(one.after)}"

    def __str__(self) -> str:
        fate = f"killed by {self.killed_by}" if self.killed_by else "SURVIVED"
        return f"{fate:22} {self.change} ({self.seconds:.0f} s)"


def _short(text: str, most: int = 110) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 3]}..."


class Copy:
    """A copy of the tree in which one module at a time is wrong."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in TREE:
            source = ROOT / name
            if source.is_dir():
                skipped = shutil.ignore_patterns("__pycache__", "__snapshots__", "pictures")
                shutil.copytree(source, folder / name, ignore=skipped)
            elif source.exists():
                shutil.copy(source, folder / name)
        compileall.compile_dir(folder, quiet=2)

    def fails(self, stage: str) -> bool:
        """Whether the tests of a stage fail; one that does not end in its processor time has failed."""
        return self.run(*STAGES[stage], limit=LIMITS_S[stage]) != 0

    def run(self, *arguments: str, limit: int = resource.RLIM_INFINITY) -> int:
        """The exit status of Python in the copy, within so many seconds of processor time."""
        # no bytecode is written: its check by time and size would miss a change within one second
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(self.folder)}
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit, limit)),
            check=False,
        )
        return done.returncode

    def killed(self, mutant: Mutant, stage: str, forked: Forked | None = None) -> bool:
        """Whether a stage catches a mutant."""
        path = self.folder / mutant.file
        right = path.read_text(encoding="utf-8")
        known = forked.fails(path, right, mutant) if forked is not None else None
        if known is not None:
            return known
        Path(cache_from_source(str(path))).unlink(missing_ok=True)
        path.write_text(mutated(right, mutant), encoding="utf-8")
        try:
            return self.fails(stage)
        finally:
            path.write_text(right, encoding="utf-8")


class Forked:
    """A stage in a process that has everything imported; see `tests.mutants.forked`.

    fail_already: something fails with the right code.
    """

    def __init__(self, tree: Copy, stage: str) -> None:
        environment = os.environ | {"PYTHONPATH": str(tree.folder)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.mutants.forked", *FORKED[stage]],
            cwd=tree.folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.fail_already = self._answer()

    def _answer(self) -> bool | None:
        assert self.process.stdout is not None
        answer: bool | None = json.loads(self.process.stdout.readline())
        return answer

    def fails(self, path: Path, right: str, mutant: Mutant) -> bool | None:
        """Whether something fails; None for a mutant that only a fresh process can hold."""
        assert self.process.stdin is not None
        same = ast.unparse(ast.parse(right)) + "\n"
        wanted = {"path": str(path), "right": same, "wrong": mutated(right, mutant), "limit": float(TIMES)}
        self.process.stdin.write(json.dumps(wanted) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def end(self) -> None:
        """Let the process go."""
        self.process.communicate()


def drawn(seed: int, count: int) -> list[Mutant]:
    """So many mutants, each place of the formula modules as likely as any other."""
    chance = random.Random(seed)
    places = all_places()
    return [chance.choice(place) for place in chance.sample(places, min(count, len(places)))]


def main() -> int:
    """Draw, run and print; 1 when more survive of a seed than may."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--seed", type=int, nargs="+", default=[1], help="several share what is found out beforehand")
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--only", default="", help="only places whose file holds this text")
    parser.add_argument("--skip", action="append", default=[], choices=sorted(STAGES), help="leave a stage out")
    parser.add_argument("--list", action="store_true", help="print what would be drawn, and run nothing")
    chosen = parser.parse_args()
    places = all_places()
    draws = {seed: [one for one in drawn(seed, chosen.count) if chosen.only in one.file] for seed in chosen.seed}
    for seed, mutants in draws.items():
        print(f"seed {seed}: {len(mutants)} of {len(places):,} places in {len({p[0].file for p in places})} modules")
        if chosen.list:
            for one in mutants:
                print(f"{one.file}:{one.line} {one.place}: {_short(one.before)} -> {_short(one.after)}")
    if chosen.list:
        return 0
    stages = [stage for stage in STAGES if stage not in chosen.skip]
    results = {one: Result(one, "", 0.0) for mutants in draws.values() for one in mutants}
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        tree = Copy(Path(folder))
        for stage in stages:
            if not _through(stage, tree, results):
                print(f"{stage}: fails without a mutant", file=sys.stderr)
                return 2
    enough = [_enough(seed, [results[one] for one in draws[seed]], stages) for seed in draws]
    return 0 if all(enough) else 1


def _through(stage: str, tree: Copy, results: dict[Mutant, Result]) -> bool:
    """Put what is alive through a stage, and print each that dies; False when the stage fails with the right code."""
    forked = Forked(tree, stage)
    if forked.fail_already and stage == "golden":  # figures that are behind the code at hand
        print("golden: figures moved already; those of the copy are made anew")
        forked.end()
        tree.run("-m", "tests.golden", "--write")
        forked = Forked(tree, stage)
    try:
        if forked.fail_already:
            return False
        for mutant, before in results.items():
            if before.killed_by:
                continue
            start = time.monotonic()
            killed = tree.killed(mutant, stage, forked)
            seconds = before.seconds + time.monotonic() - start
            results[mutant] = Result(mutant, stage if killed else "", seconds)
            print(results[mutant] if killed else f"{'alive':22} {results[mutant].change}", flush=True)
    finally:
        forked.end()
    return True


def _enough(seed: int, results: list[Result], stages: Sequence[str]) -> bool:
    """Whether enough of a draw died; prints how many, and those that survive."""
    dead = sum(1 for result in results if result.killed_by)
    by = ", ".join(f"{sum(r.killed_by == stage for r in results)} by {stage}" for stage in stages)
    print(f"seed {seed}: {dead} of {len(results)} killed ({by})")
    for result in results:
        if not result.killed_by:
            print(result)
    return dead >= ENOUGH * len(results)


if __name__ == "__main__":
    sys.exit(main())
