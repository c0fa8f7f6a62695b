"""What the pages show of a build with everything worked out beside it, and whether a shown number is what it opens to."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import islice

from engine.decide.builds import Limits
from engine.decide.opened import DEEPEST, Working, chain, working
from engine.decide.size import size
from engine.scenario import Scenario
from engine.sizing import Sizing
from tui.app.elsewhere import opened
from tui.files.pins import Pin
from tui.pages.contents import PAGES
from tui.pages.doc import Line
from tui.pages.glyphs import UNICODE
from tui.pages.look import Look
from tui.pages.studies import Studies


def studied(scenario: Scenario, *pinned: Scenario, vendors: tuple[str, ...] = ()) -> Studies:
    """The studies of a build, each run to its end. vendors: whose cards are searched; all by default."""
    pins = tuple(Pin(name, other) for name, other in zip("ABC", pinned, strict=False))
    studies = Studies(size, pinned=lambda: pins)
    studies.search.limits = Limits(vendors=vendors)
    for study in (studies.search, studies.sweep, studies.scaling, studies.load):
        for _ in study.steps(scenario):
            pass
    return studies


def page_lines(sizing: Sizing, studies: Studies | None, page: str, width: int) -> list[Line]:
    """One page."""
    return PAGES[page](sizing, Look(width, UNICODE, None, studies))


def opens(sizing: Sizing, studies: Studies, figure: str) -> tuple[Working, ...]:
    """The working that Enter on a figure shows, with those below it. Raises KeyError where there is none."""
    found = opened(figure, sizing, studies)
    if found is None:
        raise KeyError(figure)
    return chain(found.sizing, found.figure)


def opens_to(sizing: Sizing, studies: Studies, figure: str) -> Working:
    """The working that Enter on a figure shows. Raises KeyError where there is none."""
    found = opened(figure, sizing, studies)
    if found is None:
        raise KeyError(figure)
    return working(found.sizing, found.figure)


class Pages:
    """What opens on the pages of one build: figures rest on the same ones, each of which is opened once."""

    def __init__(self, sizing: Sizing, studies: Studies) -> None:
        self.sizing, self.studies = sizing, studies
        self.made: dict[tuple[int, str], tuple[Sizing, Working]] = {}

    def opened(self, figure: str) -> Working:
        """The working that Enter on a figure shows; those below it open too. Raises KeyError where one does not."""
        found = opened(figure, self.sizing, self.studies)
        if found is None:
            raise KeyError(figure)
        waiting, known = [found.figure], {found.figure}
        for below in islice(waiting, DEEPEST):  # it grows while it is read, as `chain` does
            new = [entry.figure for entry in self._made(found.sizing, below).inputs if entry.figure not in {"", *known}]
            known.update(new)
            waiting += dict.fromkeys(new)
        return self._made(found.sizing, found.figure)

    def _made(self, sizing: Sizing, figure: str) -> Working:
        key = (id(sizing), figure)
        if key not in self.made:
            # with the sizing, so that its identity stays taken
            self.made[key] = (sizing, working(sizing, figure))
        return self.made[key][1]


_SCALES: dict[str, tuple[float, ...]] = {
    "s": (1.0, 1e3, 1e6, 1 / 60, 1 / 3600, 1 / 86400),
    "days": (1.0, 24.0, 1440.0, 86400.0),
    "bytes": (1.0, 1 / 2**10, 1 / 2**20, 1 / 2**30, 1e-9, 1e-12),
    "": (1.0, 100.0),
    "W": (1.0, 1e-3),
    "FLOP/s": (1.0, 1e-12),
}
_NUMBER = re.compile(r"(?<![\w.])([\d,]*\.?\d+)([kMBT](?![a-zA-Z]))?")
_LETTERS = {"": 1.0, "k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}


def numbers(text: str) -> Iterator[tuple[float, float]]:
    """The numbers of a text, with half of what their last digit counts."""
    for match in _NUMBER.finditer(text):
        digits, letter = match.group(1).replace(",", ""), match.group(2) or ""
        places = len(digits.partition(".")[2])
        yield float(digits) * _LETTERS[letter], (0.5 * 10**-places) * _LETTERS[letter]


def shown_by(text: str, made: Working) -> bool:
    """Whether every number of the text is the working's figure, an end of its interval, or one of its inputs.

    Some inputs are told in words only: what a working says in its formula, note and source counts too.
    """
    known: list[tuple[float, str]] = [(entry.value, entry.unit) for entry in made.inputs]
    if made.value is not None:
        known.append((made.value, made.unit))
    if made.interval is not None:
        known += [(made.interval.low, made.unit), (made.interval.high, made.unit)]
    said = " ".join((made.title, made.formula, made.note, made.source, *(entry.source for entry in made.inputs)))
    spoken = [value for value, _ in numbers(said)]
    text = text.replace("<1 %", "0 %")
    return all(_among(value, half, known) or value in spoken for value, half in numbers(text))


def _among(value: float, half: float, known: list[tuple[float, str]]) -> bool:
    for exact, unit in known:
        for scale in _SCALES.get(unit, (1.0,)):
            # three figures are shown of most numbers, and a count of two as one
            slack = max(half * 1.02, 0.006 * abs(value) if half < 0.006 * abs(value) else 0.0)
            if abs(abs(exact) * scale - value) <= slack or (unit == "users" and math.floor(exact) == value):
                return True
    return False
