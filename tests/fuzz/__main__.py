"""`python -m tests.fuzz --minutes 10 [--seed N] [--only NAME ...]`: every target in turn, and a table of counts.

Exits with 1 when a case failed, and says with which command it comes back.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections import Counter

from tests.fuzz import names, target, until

ROUND_S = 5.0
COLUMNS = ("cases", "refused", "sized", "failures")


def main(arguments: list[str] | None = None) -> int:
    """Run the targets by turns of a few seconds until the time is over; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="how long, over all targets")
    parser.add_argument("--seed", type=int, default=0, help="of the first turn; each turn takes the next")
    parser.add_argument("--only", action="append", choices=names(), metavar="NAME", help="this target")
    options = parser.parse_args(arguments)
    chosen = options.only or names()
    counts: dict[str, Counter[str]] = {name: Counter() for name in chosen}
    broken: list[str] = []
    end = time.monotonic() + 60 * options.minutes
    seed = options.seed
    while time.monotonic() < end:
        for name in chosen:
            left = end - time.monotonic()
            if left <= 0:
                break
            try:
                counts[name] += target(name).run(seed, until(min(ROUND_S, left)))
            except Exception as problem:  # whatever a case raises is its failure, and the others still get their turn
                counts[name]["failures"] += 1
                again = f"python -m tests.fuzz --minutes 1 --seed {seed} --only {name}"
                if not isinstance(problem, AssertionError):
                    traceback.print_exc()
                broken.append(f"{name}: {type(problem).__name__}: {problem}\n  again: {again}")
                print(broken[-1], file=sys.stderr, flush=True)
        seed += 1
    print_table(counts)
    if broken:
        print(f"\n{len(broken)} failed:\n" + "\n".join(broken))
    return 1 if broken else 0


def print_table(counts: dict[str, Counter[str]]) -> None:
    """A row for each target, with the counts that only it has after the common ones."""
    print(f"{'target':<12}" + "".join(f"{column:>10}" for column in COLUMNS))
    for name, count in counts.items():
        others = ", ".join(f"{value} {key}" for key, value in sorted(count.items()) if key not in COLUMNS)
        print(
            f"{name:<12}" + "".join(f"{count[column]:>10,}" for column in COLUMNS) + (f"  {others}" if others else "")
        )


if __name__ == "__main__":
    raise SystemExit(main())
