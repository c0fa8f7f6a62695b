"""Edits for minutes on end, and the memory of the app while they go on.

`python -m tests.fuzz.soak --minutes 10` makes 250 edits a minute in a process of its own, which searches for flip
points, builds and sweeps meanwhile as it does for a person, and prints a row a minute. A minute lasts until its edits are
made, so on a busy machine it is longer. It exits with 1 when the memory grows by 10 MB or more after the second minute, or
passes 90 MB.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from pathlib import Path

from tests.fuzz.keys import dealt_with, kept_alive, press, somewhere_else

A_MINUTE = 250
GROWTH_MB, MOST_MB = 10.0, 90.0
WARM_MINUTES = 2
PAGES = "1234567890"


def resident_mb() -> float:
    """The resident memory of this process, in MB of 10^6 bytes."""
    rows = Path("/proc/self/status").read_text().splitlines()
    return next(int(row.split()[1]) * 1024 for row in rows if row.startswith("VmRSS")) / 1e6


def edits(draw: random.Random) -> list[str]:
    """The keys of one edit: to a field and a step, a number typed, or a look at another page now and then."""
    chance = draw.random()
    if chance < 0.5:
        return ["tab"] * draw.randint(0, 4) + [draw.choice(("right", "left"))]
    if chance < 0.8:
        return ["tab"] * draw.randint(0, 4) + list(str(draw.randint(1, 64)))
    if chance < 0.9:
        return ["ctrl+z"] * draw.randint(1, 2)
    return ["ctrl+t", draw.choice(PAGES), "down", "ctrl+t"]


async def soak(minutes: float, a_minute: int, seed: int) -> list[float]:
    """Edit at an even pace; the memory at the start and after each minute, in MB."""
    from tests.tui.builds import BUILDS
    from tests.tui.driver import app_of

    draw = random.Random(seed)
    app = app_of(BUILDS["new"]())
    memory: list[float] = []
    print(f"{'minute':>6} {'edits':>7} {'sized':>7} {'MB':>7} {'s':>6}", flush=True)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        start, made, sized = time.monotonic(), 0, 0
        while True:
            if made >= a_minute * len(memory):
                memory.append(resident_mb())
                seconds = time.monotonic() - start
                print(f"{len(memory) - 1:>6} {made:>7,} {sized:>7,} {memory[-1]:>7.1f} {seconds:>6.0f}", flush=True)
            if made >= a_minute * minutes:
                return memory
            before = app.store.sizing
            # What cannot be sized is taken back, or the edits after it would size nothing either.
            keys = ["ctrl+z"] if app.store.problem is not None else edits(draw)
            for name in ("escape", *keys, "escape"):  # a step on a list of the catalog has opened it
                event = press(name)
                event.set_sender(app)
                app.post_message(event)
            await dealt_with(app)
            assert kept_alive(app), "an edit made the app leave"
            made += 1
            sized += app.store.sizing is not before
            await asyncio.sleep(max(0.0, start + made * 60.0 / a_minute - time.monotonic()))


def wrong_with(memory: list[float]) -> str:
    """What is wrong with the memory of a soak, empty when nothing is."""
    said = []
    if len(memory) > WARM_MINUTES + 1 and memory[-1] - memory[WARM_MINUTES] >= GROWTH_MB:
        said.append(f"it grew by {memory[-1] - memory[WARM_MINUTES]:.1f} MB after minute {WARM_MINUTES}")
    if max(memory) > MOST_MB:
        said.append(f"it came to {max(memory):.1f} MB")
    return " and ".join(said)


def main() -> int:
    """Soak, print, and judge."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--edits", type=int, default=A_MINUTE, metavar="N", help="a minute")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with somewhere_else():
        memory = asyncio.run(soak(options.minutes, options.edits, options.seed))
    wrong = wrong_with(memory)
    print(f"memory: {wrong}" if wrong else "memory: bounded")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
