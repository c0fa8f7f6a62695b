"""What a person thinks with beside the build itself: pinned builds, a sweep, and the builds found. Pure.

The long searches are generators that leave what they have found after each step, so that the app can run them a little
at a time, draw their progress and stop them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

from engine.figures.records import dataclass
from engine.scenario import Scenario
from engine.scenario.change import value_of
from engine.sizing import Flip, Sizing
from tui.files.pins import PIN_NAMES, Pin
from tui.pages.scaling_study import ScalingStudy

if TYPE_CHECKING:
    from engine.decide.advice import Advice
    from engine.decide.builds import Limits, Option, Recommendation
    from engine.decide.what_if import Figure, SweepFlip, SweepPoint, Value


def question(scenario: Scenario) -> Scenario:
    """The part of a scenario that the searches answer: titles and notes change nothing."""
    return dataclasses.replace(scenario, title="", notes="")


@dataclass(slots=True)
class Search:
    """The builds of the catalog that carry the workload.

    asked: what the findings belong to; None before the first search. stopped: by the person, part of the way.
    """

    asked: Scenario | None = None
    limits: Limits | None = None
    running: bool = False
    stopped: bool = False
    cards: int = 0
    done: int = 0
    found: list[Option] = dataclasses.field(default_factory=list)
    ranked: tuple[Recommendation, ...] = ()

    def stale(self, scenario: Scenario) -> bool:
        """Whether the findings belong to another workload or build than this."""
        return self.asked != question(scenario)

    def forget(self) -> None:
        """Make the next search start anew."""
        self.asked = None
        self.stopped = False

    def steps(self, scenario: Scenario) -> Generator[None]:
        """Search; the findings so far stand after each step."""
        from engine.decide.builds import option_steps, rank_options

        self.asked, self.running, self.stopped = question(scenario), True, False
        self.cards, self.done, self.found = len(scenario.facts.accelerators), 0, []
        try:
            for step in option_steps(scenario, self.limits):
                if step == "card":
                    self.done += 1
                elif step != "tried":
                    self.found.append(step)
                yield
            self.ranked = rank_options(self.found)
            self.cards, self.running = self.done, False
        finally:
            if self.running and not self.stopped:  # given up for another build: part of a search answers nothing
                self.running, self.asked = False, None


@dataclass(slots=True)
class Sweep:
    """One input swept. field, figure: empty for the first on offer.

    swept, now: the field and the entered value that the points are about. They stand until the next sweep is whole, so
    that a chart is drawn once.
    """

    field: str = ""
    figure: Figure | None = None
    asked: tuple[Scenario, str] | None = None
    running: bool = False
    done: int = 0
    expected: int = 0
    swept: str = ""
    now: Value = ""
    points: list[SweepPoint] = dataclasses.field(default_factory=list)
    flips: list[SweepFlip] = dataclasses.field(default_factory=list)

    def of(self, scenario: Scenario) -> str:
        """The field to sweep: the chosen one where this build has it, else the first."""
        from engine.decide.what_if import fields

        offered = fields(scenario)
        return self.field if self.field in offered else offered[0]

    def shown(self, scenario: Scenario) -> Figure:
        """The figure to draw: the chosen one where this kind of work has it, else the first."""
        from engine.decide.what_if import figures

        offered = figures(scenario)
        return self.figure if self.figure in offered else offered[0]

    def stale(self, scenario: Scenario) -> bool:
        """Whether the points belong to another build or field than this."""
        return self.asked != (question(scenario), self.of(scenario))

    def steps(self, scenario: Scenario) -> Generator[None]:
        """Sweep, point by point."""
        from engine.decide.what_if import entered, flips, point, values

        field = self.of(scenario)
        self.asked, self.running = (question(scenario), field), True
        over = values(scenario, field)
        points: list[SweepPoint] = []
        found: list[SweepFlip] = []
        self.done, self.expected = 0, len(over)
        try:
            for value in over:
                points.append(point(scenario, field, value))
                self.done += 1
                yield
            for flip in flips(scenario, field, points):
                found.append(flip)
                yield
            self.points, self.flips = points, found
            self.swept, self.now, self.running = field, entered(scenario, field), False
        finally:
            if self.running:
                self.running, self.asked = False, None


@dataclass(slots=True)
class Flips:
    """Where the verdict changes. points: the flip points of `told`, which stand until the next are known."""

    asked: Scenario | None = None
    told: Scenario | None = None
    points: tuple[Flip, ...] = ()

    def stale(self, scenario: Scenario) -> bool:
        """Whether nobody has begun to look for the flip points of this scenario."""
        return self.asked != question(scenario)

    def of(self, sizing: Sizing) -> tuple[tuple[Flip, ...], bool]:
        """The flip points of a sizing and whether they are its own; else those of the same build before the edit."""
        scenario = sizing.scenario
        if sizing.verdict.flips:
            return sizing.verdict.flips, True
        if self.told is None or self.told.workload.kind != scenario.workload.kind:
            return (), False
        if self.told == question(scenario):
            return self.points, True
        same = self.told.model == scenario.model and self.told.hardware == scenario.hardware
        # a target that the edit took away has no point above or below it
        stand = [flip for flip in self.points if value_of(scenario, flip.field) is not None]
        return (tuple(stand) if same else ()), False

    def steps(self, scenario: Scenario) -> Generator[None]:
        """Search, value by value."""
        from engine.decide.flips import flip_steps

        self.asked = asked = question(scenario)
        found: list[Flip] = []
        try:
            for flip in flip_steps(asked):
                if flip is not None:
                    found.append(flip)
                yield
            self.told, self.points = asked, tuple(found)
        finally:
            if self.told != asked:  # given up for another build
                self.asked = None


@dataclass(slots=True)
class Counsel:
    """The one thing to do. told: the scenario that `advice` is about; nothing of it is shown beside another."""

    asked: Scenario | None = None
    told: Scenario | None = None
    advice: Advice | None = None

    def stale(self, scenario: Scenario) -> bool:
        """Whether nobody has begun to look for what to do about this scenario."""
        return self.asked != question(scenario)

    def of(self, scenario: Scenario) -> Advice | None:
        """What to do about a scenario; None while it is looked for."""
        return self.advice if self.told is not None and self.told == question(scenario) else None

    def steps(self, scenario: Scenario) -> Generator[None]:
        """Search, build by build."""
        import catalog
        from engine.decide.advice import advise

        self.asked = asked = question(scenario)
        try:
            self.advice = yield from advise(asked, catalog.load())
            self.told = asked
        finally:
            if self.told != asked:  # given up for another build
                self.asked = None


@dataclass(slots=True)
class Load:
    """The build under fewer and more users, for the Speed page. asked: what the points belong to; None before the first."""

    asked: Scenario | None = None
    points: tuple[SweepPoint, ...] = ()

    def stale(self, scenario: Scenario) -> bool:
        """Whether the points belong to another build; work that nobody waits for has none."""
        return self.asked != question(scenario)

    def steps(self, scenario: Scenario) -> Generator[None]:
        """Point by point; those of an earlier build stand until all are there."""
        points: list[SweepPoint] = []
        if scenario.workload.kind == "serve":
            from engine.decide.what_if import point

            now = scenario.workload.concurrency
            for users in sorted({max(1, round(now * 2.0**step)) for step in LOAD_DOUBLINGS}):
                points.append(point(scenario, USERS, users))
                yield
        self.points, self.asked = tuple(points), question(scenario)


USERS = "workload.concurrency"
LOAD_DOUBLINGS = range(-2, 5)
"""From a quarter of the users asked to sixteen times as many."""


@dataclass(slots=True)
class Studies:
    """Everything beside the build. size: `engine.decide.size`; pinned: tells the pins of the open session."""

    size: Callable[[Scenario], Sizing]
    pinned: Callable[[], tuple[Pin, ...]] = tuple
    counsel: Counsel = dataclasses.field(default_factory=Counsel)
    flips: Flips = dataclasses.field(default_factory=Flips)
    search: Search = dataclasses.field(default_factory=Search)
    sweep: Sweep = dataclasses.field(default_factory=Sweep)
    scaling: ScalingStudy = dataclasses.field(default_factory=ScalingStudy)
    load: Load = dataclasses.field(default_factory=Load)
    every_link: bool = False  # whether the Fabric page shows all links of the catalog
    _sized: dict[Scenario, Sizing | None] = dataclasses.field(default_factory=dict)

    @property
    def pins(self) -> tuple[Pin, ...]:
        """The pinned builds of the open session."""
        return self.pinned()

    def sizing_of(self, pin: Pin) -> Sizing | None:
        """The Sizing of a pinned build; None when it is impossible."""
        return self.sizing_at(pin.scenario)

    def sizing_at(self, scenario: Scenario) -> Sizing | None:
        """The Sizing of a build that is not at hand; None when it is impossible."""
        from engine.figures.errors import ScenarioError

        if scenario not in self._sized:
            if len(self._sized) > 2 * len(PIN_NAMES):
                self._sized.clear()
            try:
                self._sized[scenario] = self.size(scenario)
            except ScenarioError:
                self._sized[scenario] = None
        return self._sized[scenario]
