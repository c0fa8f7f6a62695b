"""How far one field may go: the largest or smallest value with which a build still runs, and what stops it beyond."""

from __future__ import annotations

import math

from engine.decide.answer import status_of
from engine.decide.plan import plan
from engine.decide.size import size
from engine.figures.errors import ScenarioError
from engine.figures.records import dataclass
from engine.figures.sentences import Sentence
from engine.scenario import Scenario
from engine.scenario.change import LookUps, change, value_of
from engine.scenario.checks import check_scenario
from engine.scenario.fields import BY_KEY, Field
from engine.scenario.fields.field import Value
from engine.sizing import Status

FARTHEST = 4096
"""How many times the entered value is looked at; past it the question is another one."""
CLOSE = 0.005
"""How near the edge of a field with decimals is found, as a share of it."""
RUNS = ("runs", "slow")
MOST_SHAPES = 64
"""The largest layout size that is tried one by one."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A value and what came of it: the status, or impossible (status None); why: what decides, where it does not run."""

    value: Value
    status: Status | None
    why: Sentence = ()

    @property
    def runs(self) -> bool:
        """Whether the build runs with it."""
        return self.status in RUNS


@dataclass(frozen=True, slots=True)
class Edge:
    """One end of what runs. up: the larger end. last: the outermost value that runs; beyond: the next that does not, None
    where nothing stopped it as far as was looked."""

    up: bool
    last: Value
    beyond: Tried | None


@dataclass(frozen=True, slots=True)
class Solved:
    """What a field may be. here: the value as entered. edges: of a number, from the entered value outwards, or of the
    nearest range that runs where the entered one does not. tried: each value of a choice, or of a size of the layout."""

    field: Field
    here: Tried
    edges: tuple[Edge, ...] = ()
    tried: tuple[Tried, ...] = ()

    @property
    def found(self) -> bool:
        """Whether any value runs."""
        return bool(self.edges) or any(one.runs for one in self.tried)


def solve(scenario: Scenario, key: str, facts: LookUps) -> Solved:
    """How far a field may go. Raises ScenarioError for a field that nothing can be solved for."""
    field = BY_KEY.get(key)
    if field is None:
        raise ScenarioError(
            key, "no field of this name", ", ".join(("workload.concurrency", "hardware.gpus_per_node", "…"))
        )
    found = _Search(scenario, field, facts)
    if field.kind == "choice":
        return Solved(
            field, found.told(value_of(scenario, key)), tried=tuple(map(found.told, dict.fromkeys(field.values)))
        )
    if field.kind != "number":
        raise ScenarioError(key, "not a number or a choice", "a field with numbers or choices")
    if field.section == "layout" or key.startswith("layout."):
        shapes = [found.told(value) for value in range(1, min(MOST_SHAPES, scenario.hardware.gpus) + 1)]
        return Solved(
            field, found.told(value_of(scenario, key)), tried=tuple(one for one in shapes if one.status is not None)
        )
    here = value_of(scenario, key)
    if not isinstance(here, int | float):
        raise ScenarioError(key, "left open in this build", "a value to start from: --set")
    return Solved(field, found.told(here), found.edges(float(here)))


class _Search:
    def __init__(self, scenario: Scenario, field: Field, facts: LookUps) -> None:
        self.scenario, self.field, self.facts = scenario, field, facts
        self.known: dict[Value, Tried] = {}

    def at(self, value: Value) -> Tried:
        """What comes of a value, without why."""
        if value not in self.known:
            try:
                made = change(self.scenario, {self.field.key: value}, self.facts)
                check_scenario(made)
                self.known[value] = Tried(value, status_of(plan(made)))
            except ScenarioError as problem:
                self.known[value] = Tried(value, None, (str(problem),))
        return self.known[value]

    def told(self, value: Value) -> Tried:
        """The same with why it does not run."""
        one = self.at(value)
        if one.runs or one.status is None:
            return one
        answer = size(change(self.scenario, {self.field.key: value}, self.facts)).answer
        return Tried(value, answer.status, answer.why)

    def edges(self, here: float) -> tuple[Edge, ...]:
        """Both ends of the range that runs, around the value or nearest to it."""
        start = self._number(here)
        if not self.at(start).runs:
            outside = self._nearest(here)
            if outside is None:
                return ()
            runs, stopped = outside
            inner = self._between(runs, stopped)
            return (Edge(runs < stopped, inner[0], self.told(inner[1])),)
        found = []
        for up in (True, False):
            last, first = self._outwards(here, up)
            if first is None:
                found.append(Edge(up, last, None))
            else:
                last, stopped = self._between(last, first)
                found.append(Edge(up, last, self.told(stopped)))
        return tuple(found)

    def _limits(self, here: float) -> tuple[float, float]:
        low, high = self.field.low, self.field.high
        base = max(abs(here), 1.0 if self.field.whole else 1e-6)
        return max(low, base / FARTHEST if not self.field.whole else low), min(high, base * FARTHEST)

    def _number(self, value: float) -> int | float:
        return round(value) if self.field.whole else float(f"{value:.4g}")

    def _outwards(self, here: float, up: bool) -> tuple[int | float, int | float | None]:
        low, high = self._limits(here)
        last, value = self._number(here), here
        while True:
            value = value * 2 if up else value / 2
            clipped = self._number(min(high, value) if up else max(low, value))
            if clipped == last:
                return last, None
            if not self.at(clipped).runs:
                return last, clipped
            last = clipped

    def _nearest(self, here: float) -> tuple[int | float, int | float] | None:
        """The nearest value that runs, by doublings either way, and the one before it that does not."""
        low, high = self._limits(here)
        before = {True: self._number(here), False: self._number(here)}
        for step in range(1, 13):
            for up in (True, False):
                value = here * 2**step if up else here / 2**step
                clipped = self._number(min(high, value) if up else max(low, value))
                if clipped == before[up]:
                    continue
                if self.at(clipped).runs:
                    return clipped, before[up]
                before[up] = clipped
        return None

    def _between(self, runs: int | float, stopped: int | float) -> tuple[int | float, int | float]:
        while (abs(stopped - runs) > 1) if self.field.whole else (abs(stopped - runs) > CLOSE * abs(runs or 1.0)):
            middle = self._number(math.sqrt(runs * stopped) if min(runs, stopped) > 8 else (runs + stopped) / 2)
            if middle in (runs, stopped):
                middle = self._number((runs + stopped) / 2)
            if middle in (runs, stopped):
                break
            if self.at(middle).runs:
                runs = middle
            else:
                stopped = middle
        return runs, stopped
