"""What a person thinks with beside the build itself: pinned builds, a sweep, and the builds found. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.errors import ScenarioError
from engine.scenario import Scenario
from engine.sizing import Sizing

if TYPE_CHECKING:
    from engine.recommend import Recommendation

PIN_LIMIT = 4
LETTERS = "ABCD"


@dataclass(frozen=True, slots=True)
class Pin:
    """A build put aside for comparing."""

    name: str
    scenario: Scenario
    sizing: Sizing


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a sweep: its Sizing, or why there is none."""

    value: float
    sizing: Sizing | None
    reason: str = ""


@dataclass(slots=True)
class Studies:
    """Pins, the swept field and the builds that were found for a scenario."""

    size: Callable[[Scenario], Sizing]
    pins: list[Pin] = field(default_factory=list)
    sweep_key: str = ""
    builds: tuple[Recommendation, ...] = ()
    builds_for: Scenario | None = None
    searching: bool = False
    tried: int = 0
    _points: tuple[tuple[Scenario, str], tuple[Point, ...]] | None = None

    def pin(self, sizing: Sizing) -> str:
        """Put a build aside; its letter. The oldest makes room when all letters are taken."""
        if len(self.pins) >= PIN_LIMIT:
            del self.pins[0]
        taken = {pin.name for pin in self.pins}
        name = next(letter for letter in LETTERS if letter not in taken)
        self.pins.append(Pin(name, sizing.scenario, sizing))
        return name

    def unpin(self, name: str) -> None:
        """Forget a pinned build."""
        self.pins = [pin for pin in self.pins if pin.name != name]

    def points(
        self, scenario: Scenario, key: str, values: list[float], at: Callable[[float], Scenario]
    ) -> tuple[Point, ...]:
        """The sizings along a sweep, kept until the scenario or the field changes."""
        if self._points is not None and self._points[0] == (scenario, key):
            return self._points[1]
        found: list[Point] = []
        for value in values:
            try:
                found.append(Point(value, self.size(at(value))))
            except ScenarioError as error:
                found.append(Point(value, None, error.reason))
        self._points = ((scenario, key), tuple(found))
        return self._points[1]
