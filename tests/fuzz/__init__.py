"""Seeded attacks on every boundary of the program: what it must refuse it refuses, and what it takes it answers.

A target is a module of this package with `run(seed, stop)`: it makes cases from the seed until `stop()` says so and
returns their counts ("cases", and among them "refused", "sized" or words of its own). A case that breaks a promise
raises Failure. The same seed makes the same cases in the same order.

`python -m tests.fuzz --minutes 10` runs them all in turn; `test_*.py` runs a short round of each in the suite.
"""

from __future__ import annotations

import importlib
import pkgutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn, Protocol

Stop = Callable[[], bool]


WAITING = 10


class Failure(AssertionError):
    """A case that broke a promise. The text says which case and what came of it."""


class Target(Protocol):
    """A module of this package that makes cases."""

    def run(self, seed: int, stop: Stop) -> Counter[str]:
        """Make cases from `seed` until `stop()`. Raises Failure at the first that breaks a promise."""


def names() -> list[str]:
    """The targets, in the order of the alphabet: the modules of this package that have a `run`."""
    found = [module.name for module in pkgutil.iter_modules(__path__)]
    return sorted(name for name in found if not name.startswith(("_", "test_")) and hasattr(target(name), "run"))


def target(name: str) -> Target:
    """The target of that name."""
    module: Target = importlib.import_module(f"{__name__}.{name}")
    return module


def after(cases: int) -> Stop:
    """A `stop` that lets so many cases be made."""
    left = iter(range(cases))
    return lambda: next(left, None) is None


def until(seconds: float) -> Stop:
    """A `stop` that lets cases be made for so long."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


@contextmanager
def within(seconds: float, case: str) -> Iterator[None]:
    """Fail a case that takes more of the processor than any may, or waits without an end. Main thread only.

    By the processor's time, so that a busy machine breaks no promise; a case that waits is cut off after WAITING times
    as long.
    """

    def over(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise Failure(f"{case}: no answer within {seconds:g} s")

    timers = ((signal.SIGPROF, signal.ITIMER_PROF, seconds), (signal.SIGALRM, signal.ITIMER_REAL, WAITING * seconds))
    before = [signal.signal(number, over) for number, _, _ in timers]
    for _, timer, after_s in timers:
        signal.setitimer(timer, after_s)
    try:
        yield
    finally:
        for (number, timer, _), handler in zip(timers, before, strict=True):
            signal.setitimer(timer, 0)
            signal.signal(number, handler)
