"""The verdict with its steps and flip points, what is said beside it, and the answer to a person's first question."""

from __future__ import annotations

from typing import Literal

from engine.figures.kinds import FigureKind
from engine.figures.records import dataclass
from engine.figures.sentences import Sentence
from engine.scenario import Layout
from engine.sizing.common import ChangeItems, Later, Rows, Suggestion
from engine.sizing.speed import Miss

Answer = Literal["one-gpu", "one-node", "one-node-int4", "replicas", "multi-node", "frontier", "does-not-fit"]
Severity = Literal["error", "warning", "info"]
Status = Literal["runs", "slow", "misses", "overloaded", "does-not-fit"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One line a step rests on: what, the figure in words with unit, and its kind."""

    what: str
    figure: Sentence
    kind: FigureKind = "fitted"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the verdict. reached False: what it would have said had the flow come here.

    answer: "yes" or "no", then the reason in one clause. Figures of a step are of the build that it looked at.
    """

    number: int
    question: str
    answer: Sentence
    yes: bool
    reached: bool
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Flip:
    """The nearest value of an entered number at which the verdict changes, and to what.

    last: the last value, on the way there, under which the verdict of now still holds. layout: in which the entered build holds
    that, in words, where it is another one than now.
    """

    field: str
    at: float
    to: Answer
    words: Sentence
    last: float = 0.0
    layout: str = ""

    @property
    def figure(self) -> str:
        """The id of its working."""
        return flip_id(self.field, self.at, self.last)


def flip_id(field: str, at: float, last: float) -> str:
    """The id of a flip's working: `flip.concurrency.up`."""
    return f"flip.{field.partition('.')[2]}.{'up' if at > last else 'down'}"


@dataclass(frozen=True, slots=True)
class Build:
    """A build that a verdict names: nodes of gpus_per_node of the entered card, in a weight format.

    layout: where the person pinned one and this build is in another, or where the run is changed; None where it is the pinned or
    the automatic one of the run as entered. changes: keys of a run and their values, where only these carry it there; measure:
    the same in words.
    """

    words: Sentence
    gpus_per_node: int
    nodes: int
    weights: str
    replicas: int = 1
    layout: Layout | None = None
    changes: ChangeItems = ()
    measure: Sentence = ()


@dataclass(frozen=True)  # without slots, as `Sizing`
class Verdict:
    """The stepwise decision. headline: one line; reason: why, one line; build: what to buy or run.

    carried: whether the build as entered carries the workload. recommended: the build of the deciding step. reason and
    steps are made when they are first read.
    """

    step: int
    answer: Answer
    headline: Sentence
    reason: Later[Sentence] = Later(())
    build: Sentence = ()
    assumed: tuple[Sentence, ...] = ()  # what was assumed because no target was given
    replicas: int = 1
    carried: bool = True
    flips: tuple[Flip, ...] = ()
    recommended: Build | None = None
    steps: Rows[Step] = Rows()


@dataclass(frozen=True)  # without slots, as `Sizing`
class Notice:
    """A trap that applies, most severe first. fix: a single change that removes it, sized when it is first read."""

    id: str
    severity: Severity
    message: Sentence
    fix: Later[Suggestion | None] = Later(None)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to a person's first question, of the build as entered, its pinned layout included.

    status: `runs`; `slow` (no target given, and people would call it slow); `misses` (a target, a deadline or a budget
    is not met); `overloaded` (the engine starts, the load's KV does not fit); `does-not-fit`. why: what decides, in
    figures. speed, price: how fast and for how much, each in a few clauses. rung: which rung of the verdict.
    """

    status: Status
    why: Sentence
    speed: tuple[Sentence, ...]
    price: tuple[Sentence, ...]
    rung: Sentence
    misses: tuple[Miss, ...] = ()

    @property
    def carries(self) -> bool:
        """Whether the build does what was asked of it, however slowly where nobody asked for a speed."""
        return self.status in ("runs", "slow")
