"""`python -m tests.mutants --seed N`: do the tests catch a wrong formula?"""

from __future__ import annotations

import argparse
import ast
import compileall
import json
import math
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path

from tests.mutants.sites import ROOT, Mutant, all_places, mutated

COUNT = 60
ENOUGH = 57 / 60
TREE = ("engine", "catalog", "tui", "tests", "examples", "docs", "scripts", "pyproject.toml", "README.md")
PYTEST = ("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--no-header", "--tb=line")
STAGES: dict[str, tuple[str, ...]] = {
    "golden": ("-m", "tests.golden", "--first"),
    "properties": (*PYTEST, "tests/properties"),
    "engine": (*PYTEST, "tests/engine"),
}
"""Tests by what they cost, cheapest first. No pictures, no measured rows."""
TIMES = 4
"""How many times the processor time of the right code a wrong one may take: an endless loop is caught."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a mutant. killed_by: the stage that failed; empty when it survived."""

    mutant: Mutant
    killed_by: str
    seconds: float

    def __str__(self) -> str:
        one = self.mutant
        fate = f"killed by {self.killed_by}" if self.killed_by else "SURVIVED"
        change = f"{_short(one.before)}  ->  {_short(one.after)}"
        return f"{fate:22} {one.file}:{one.line} {one.place}: {change} ({self.seconds:.0f} s)"


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
        self.limits: dict[str, int] = {}

    def start(self, stage: str) -> bool:
        """Whether a stage passes on the right code; what it takes becomes the limit of the wrong ones."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        passes = not self.fails(stage)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.limits[stage] = math.ceil(
            5 + TIMES * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        )
        return passes

    def fails(self, stage: str) -> bool:
        """Whether the tests of a stage fail; one that does not end in its processor time has failed."""
        return self.run(*STAGES[stage], limit=self.limits.get(stage, resource.RLIM_INFINITY)) != 0

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

    def killer(self, mutant: Mutant, stages: list[str], forked: Forked | None = None) -> str:
        """The first stage that catches a mutant; empty when none does."""
        path = self.folder / mutant.file
        right = path.read_text(encoding="utf-8")
        known = forked.fails(path, right, mutant) if forked is not None else None
        if known:
            return "golden"
        if known is not None:
            stages = [stage for stage in stages if stage != "golden"]
        Path(cache_from_source(str(path))).unlink(missing_ok=True)
        path.write_text(mutated(right, mutant), encoding="utf-8")
        try:
            return next((stage for stage in stages if self.fails(stage)), "")
        finally:
            path.write_text(right, encoding="utf-8")


class Forked:
    """The golden stage in a process that has everything imported; see `tests.mutants.forked`."""

    def __init__(self, tree: Copy) -> None:
        environment = os.environ | {"PYTHONPATH": str(tree.folder)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.mutants.forked"],
            cwd=tree.folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.moved = self._answer()

    def _answer(self) -> bool | None:
        assert self.process.stdout is not None
        answer: bool | None = json.loads(self.process.stdout.readline())
        return answer

    def fails(self, path: Path, right: str, mutant: Mutant) -> bool | None:
        """Whether a figure moves; None for a mutant that only a fresh process can hold."""
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
    """Draw, run and print; 1 when more survive than may."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--only", default="", help="only places whose file holds this text")
    parser.add_argument("--skip", action="append", default=[], choices=sorted(STAGES), help="leave a stage out")
    parser.add_argument("--list", action="store_true", help="print what would be drawn, and run nothing")
    chosen = parser.parse_args()
    places = all_places()
    mutants = drawn(chosen.seed, chosen.count)
    mutants = [mutant for mutant in mutants if chosen.only in mutant.file]
    print(f"seed {chosen.seed}: {len(mutants)} of {len(places):,} places in {len({p[0].file for p in places})} modules")
    if chosen.list:
        print(
            *(f"{one.file}:{one.line} {one.place}: {_short(one.before)} -> {_short(one.after)}" for one in mutants),
            sep="\n",
        )
        return 0
    stages = [stage for stage in STAGES if stage not in chosen.skip and _there(stage)]
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        tree = Copy(Path(folder))
        forked = Forked(tree) if "golden" in stages else None
        if forked is not None and forked.moved:  # figures that are behind the code at hand
            print("golden: figures moved already; those of the copy are made anew")
            forked.end()
            tree.run("-m", "tests.golden", "--write")
            forked = Forked(tree)
        for stage in stages:
            if not tree.start(stage):
                print(f"{stage}: fails without a mutant", file=sys.stderr)
                return 2
        results = []
        for mutant in mutants:
            start = time.monotonic()
            killer = tree.killer(mutant, stages, forked)
            results.append(Result(mutant, killer, time.monotonic() - start))
            print(results[-1], flush=True)
        if forked is not None:
            forked.end()
    dead = sum(1 for result in results if result.killed_by)
    by = ", ".join(f"{sum(r.killed_by == stage for r in results)} by {stage}" for stage in stages)
    print(f"seed {chosen.seed}: {dead} of {len(results)} killed ({by})")
    for result in results:
        if not result.killed_by:
            print(result)
    return 0 if dead >= ENOUGH * len(results) else 1


def _there(stage: str) -> bool:
    return stage == "golden" or (ROOT / STAGES[stage][-1]).is_dir()


if __name__ == "__main__":
    sys.exit(main())
