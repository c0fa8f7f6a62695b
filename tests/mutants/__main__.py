"""`python -m tests.mutants --seed N`: do the tests catch a wrong formula?"""

from __future__ import annotations

import argparse
import ast
import compileall
import hashlib
import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

from tests.mutants.forked import QUICK
from tests.mutants.sites import ROOT, Mutant, all_places, mutated, readers

COUNT = 60
ENOUGH = 57 / 60
TREE = ("engine", "catalog", "tui", "tests", "examples", "docs", "scripts", "pyproject.toml", "README.md")
STAGES: dict[str, tuple[str, ...]] = {"golden": (), "tests": ("tests/properties", "tests/engine")}
"""What a mutant goes through, cheapest first, and the folders of tests in it. No pictures, no measured rows."""
TIMES = 4
"""How many times the processor time of the right code a wrong one may take: an endless loop is caught."""
GOLDEN_S, TESTS_S, FILE_S = 150, 900, 300
"""Processor time of all golden figures, of all tests and of one file of tests in a fresh process, at most."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a mutant. stage, killed_by: which failed, and the build or file in it; empty when it survived."""

    mutant: Mutant
    stage: str
    killed_by: str
    seconds: float

    @property
    def change(self) -> str:
        """Where it is, and what was changed."""
        one = self.mutant
        return f"{one.file}:{one.line} {one.place}: {_short(one.before)}  ->  {_short(one.after)}"

    def __str__(self) -> str:
        fate = f"killed by {self.killed_by}" if self.stage else "SURVIVED"
        return f"{fate:44} {self.change} ({self.seconds:.0f} s)"


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

    def run(self, *arguments: str, limit: int = resource.RLIM_INFINITY) -> subprocess.CompletedProcess[str]:
        """Python in the copy, within so many seconds of processor time: one that does not end in them has failed."""
        # no bytecode is written: its check by time and size would miss a change within one second
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(self.folder)}
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit, limit)),
            check=False,
        )

    @contextmanager
    def wrong(self, mutant: Mutant) -> Iterator[None]:
        """With the mutant on disk; afterwards the module is right again."""
        path = self.folder / mutant.file
        right = path.read_text(encoding="utf-8")
        Path(cache_from_source(str(path))).unlink(missing_ok=True)
        path.write_text(mutated(right, mutant), encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(right, encoding="utf-8")

    def killer(self, mutant: Mutant, names: Sequence[str]) -> str:
        """Which of these files of tests, or golden builds, a fresh process fails for a mutant alone; empty: none."""
        with self.wrong(mutant):
            found = self._first_failing(names)
            if found not in names or not self._first_failing([found]):
                return ""  # none, or one that fails among others only
        return found if not self._first_failing([found]) else ""

    def _first_failing(self, names: Sequence[str]) -> str:
        """The first of some files of tests, or golden builds, that fails or does not end in its time; empty: none."""
        files = bool(names) and names[0].endswith(".py")
        command = (
            ("-m", "pytest", *QUICK, "-rfE", *names) if files else ("-m", "tests.mutants.forked", "golden", *names)
        )
        done = self.run(*command, limit=(TESTS_S if len(names) > 1 else FILE_S) if files else GOLDEN_S)
        if not done.returncode or not names:
            return ""
        told = re.search(
            r"^(?:FAILED|ERROR) (tests/[\w/]+\.py)" if files else r"^FAILED (.+)$", done.stdout, re.MULTILINE
        )
        if told is not None:
            return told[1]
        # nothing could be imported, or it did not end: what fails, the first one does
        return names[0]


class Forked:
    """A stage in a process that has everything imported; see `tests.mutants.forked`.

    already: what fails with the right code. parts: its builds, or files of tests, the quickest first, and what each enters.
    """

    def __init__(self, tree: Copy, stage: str) -> None:
        environment = os.environ | {"PYTHONPATH": str(tree.folder)}
        self.tree = tree
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.mutants.forked", *(STAGES[stage] or ["golden"])],
            cwd=tree.folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        told = self._answer()
        self.already: list[str] = told["already"]
        self.parts = {
            name: {(str(Path(file).relative_to(tree.folder)), function) for file, function in entered}
            for name, entered in told["parts"]
        }

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def kills(self, mutant: Mutant) -> str | None:
        """What fails for a mutant alone; None for one that only a fresh process can hold."""
        assert self.process.stdin is not None
        path = self.tree.folder / mutant.file
        right = path.read_text(encoding="utf-8")
        same = ast.unparse(ast.parse(right)) + "\n"
        wanted = {"path": str(path), "right": same, "wrong": mutated(right, mutant), "limit": float(TIMES)}
        self.process.stdin.write(json.dumps(wanted) + "\n")
        self.process.stdin.flush()
        answer: str | None = self._answer()
        return answer

    def related(self, mutant: Mutant) -> list[str]:
        """What enters a function that reads what a mutant outside of functions changed; where none is known, all."""
        reading = readers(mutant)
        if reading is None:
            return list(self.parts)
        names, functions = reading
        return [name for name, entered in self.parts.items() if entered & functions or self._tells(name, names)]

    def _tells(self, part: str, names: set[str]) -> bool:
        """Whether a file of tests, or the golden tables, read constants of those names themselves."""
        path = self.tree.folder / (part if part.endswith(".py") else "tests/golden/tables.py")
        if not part.endswith(".py") and not part.startswith("tables"):
            return False
        text = path.read_text(encoding="utf-8")
        return any(re.search(rf"\b{name}\b", text) for name in names)

    def end(self) -> None:
        """Let the process go."""
        self.process.communicate()


def added_since(revision: str) -> set[tuple[str, int]]:
    """File and line of what was written in the engine since a revision, uncommitted work too. Raises CalledProcessError."""
    told = subprocess.run(
        ["git", "diff", "--unified=0", "--no-ext-diff", "--no-prefix", revision, "--", "engine"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    lines, file = set(), ""
    for row in told.splitlines():
        if row.startswith("+++ "):
            file = row.removeprefix("+++ ")
        elif hunk := re.match(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@", row):
            start, length = int(hunk[1]), int(hunk[2] or 1)
            lines |= {(file, line) for line in range(start, start + length)}
    return lines


def drawn(seed: int, count: int, of: Callable[[Mutant], bool] = lambda _: True) -> list[Mutant]:
    """So many mutants, each place of the formula modules as likely as any other; of: which places there are to draw from.

    A place is drawn by the hash of what it is, and so is its change: where one module changes, the rest of a draw stands.
    """
    alike: Counter[tuple[str, ...]] = Counter()
    hashed = []
    for place in all_places():
        what = (place[0].file, place[0].place, place[0].before)
        alike[what] += 1
        text = "|".join((str(seed), *what, str(alike[what])))
        hashed.append((hashlib.sha256(text.encode()).hexdigest(), place))
    hashed.sort(key=lambda pair: pair[0])
    return [random.Random(text).choice(place) for text, place in hashed if of(place[0])][:count]


def main() -> int:
    """Draw, run and print; 1 when more survive of a seed than may."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--seed", type=int, nargs="+", default=[1], help="several share what is found out beforehand")
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--only", default="", help="only places whose file holds this text")
    parser.add_argument("--since", default="", metavar="REVISION", help="only places on lines written since it")
    parser.add_argument("--skip", action="append", default=[], choices=sorted(STAGES), help="leave a stage out")
    parser.add_argument("--list", action="store_true", help="print what would be drawn, and run nothing")
    parser.add_argument(
        "--check", type=int, default=6, help="so many kills of a stage are done again in a fresh process"
    )
    chosen = parser.parse_args()
    places = all_places()
    added = added_since(chosen.since) if chosen.since else None

    def wanted(one: Mutant) -> bool:
        return chosen.only in one.file and (added is None or (one.file, one.line) in added)

    draws = {seed: drawn(seed, chosen.count, wanted) for seed in chosen.seed}
    for seed, mutants in draws.items():
        print(f"seed {seed}: {len(mutants)} of {len(places):,} places in {len({p[0].file for p in places})} modules")
        if chosen.list:
            for one in mutants:
                print(f"{one.file}:{one.line} {one.place}: {_short(one.before)} -> {_short(one.after)}")
    if chosen.list:
        return 0
    stages = [stage for stage in STAGES if stage not in chosen.skip]
    results = {one: Result(one, "", "", 0.0) for mutants in draws.values() for one in mutants}
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        tree = Copy(Path(folder).resolve())
        for stage in stages:
            _through(stage, tree, results)
            _check(stage, tree, results, chosen.check)
    enough = [_enough(seed, [results[one] for one in draws[seed]]) for seed in draws]
    return 0 if all(enough) else 1


def _through(stage: str, tree: Copy, results: dict[Mutant, Result]) -> None:
    """Put what is alive through a stage, and print each that dies. What fails with the right code kills nothing."""
    forked = Forked(tree, stage)
    if forked.already and stage == "golden":  # figures that are behind the code at hand
        print("golden: figures moved already; those of the copy are made anew")
        forked.end()
        tree.run("-m", "tests.golden", "--write")
        forked = Forked(tree, stage)
    for name in forked.already:
        print(f"{stage}: {name} fails without a mutant, and kills none")
    try:
        for mutant, before in results.items():
            if before.stage:
                continue
            start = time.monotonic()
            by = forked.kills(mutant)
            if by is None:
                by = tree.killer(mutant, forked.related(mutant))
            seconds = before.seconds + time.monotonic() - start
            results[mutant] = Result(mutant, stage if by else "", by, seconds)
            print(results[mutant] if by else f"{'alive':44} {results[mutant].change}", flush=True)
    finally:
        forked.end()


def _check(stage: str, tree: Copy, results: dict[Mutant, Result], count: int) -> None:
    """Kill a sample of a stage's dead again, each in a fresh process that runs what killed it; one that lives is alive."""
    dead = [one for one, result in results.items() if result.stage == stage]
    again = random.Random(count).sample(dead, min(count, len(dead)))
    lived = 0
    for mutant in again:
        by = results[mutant].killed_by
        if not tree.killer(mutant, [by]):
            lived += 1
            results[mutant] = Result(mutant, "", "", results[mutant].seconds)
            print(f"{stage}: {by} kills only in a fork: {results[mutant].change}")
    print(f"{stage}: {len(again) - lived} of {len(again)} kills done again in a fresh process", flush=True)


def _enough(seed: int, results: list[Result]) -> bool:
    """Whether enough of a draw died; prints how many, and those that survive."""
    dead = Counter(result.stage for result in results if result.stage)
    told = ", ".join(f"{dead[stage]} by {stage}" for stage in STAGES)
    print(f"\nseed {seed}: {dead.total()} of {len(results)} die ({told})")
    for result in results:
        if not result.stage:
            print(result)
    return dead.total() >= ENOUGH * len(results)


if __name__ == "__main__":
    sys.exit(main())
