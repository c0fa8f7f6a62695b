"""What is offered was sized as it will be applied: a set of changes, and the plan of the scenario that they make."""

from __future__ import annotations

from collections.abc import Callable, Generator

from engine.decide.plan import Choice, Plan, choice
from engine.figures.errors import ScenarioError
from engine.figures.records import NamedTuple
from engine.figures.sentences import Part, Sentence
from engine.scenario import Layout, Scenario
from engine.scenario.change import LAYOUT_KEYS, Changes, LookUps, change, pinned_as, value_of
from engine.scenario.checks import check_scenario
from engine.sizing import Suggestion


class Offer(NamedTuple):
    """Changes and what they make. layout: the one that they pin anew, where they only hold in it; else None."""

    changes: Changes
    plan: Plan
    layout: Layout | None = None

    def suggestion(self, what: Sentence, effect: Sentence) -> Suggestion:
        """The offer in words: what is changed, and what that does."""
        return Suggestion(tuple(self.changes.items()), effect, what, self.layout)


Good = Callable[[Choice], bool]
"""Whether what changes make is worth an offer. What asks for room alone plans nothing."""


def sized(scenario: Scenario, changes: Changes, good: Good, facts: LookUps | None = None) -> Plan | None:
    """The plan of a scenario after changes, where that is good; None also where it cannot be sized."""
    try:
        after = change(scenario, changes, facts)
        check_scenario(after)
        found = choice(after)
        return found.plan if good(found) else None
    except ScenarioError:
        return None


def offer(scenario: Scenario, changes: Changes, good: Good) -> Offer | None:
    """`offer_steps` to its end."""
    steps = offer_steps(scenario, changes, good)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            made: Offer | None = end.value
            return made


def offer_steps(
    scenario: Scenario, changes: Changes, good: Good, facts: LookUps | None = None
) -> Generator[None, None, Offer | None]:
    """The changes, sized, where what they make is good; None where it is not. Yields after every build that was sized.

    A pinned layout stays where it is good; where only another one is, the pinned keys take its values as part of the
    changes.
    """
    found = sized(scenario, changes, good, facts)
    yield
    if found is not None:
        return Offer(changes, found)
    pinned = [key for key in LAYOUT_KEYS if key not in changes and value_of(scenario, key) is not None]
    if not pinned:
        return None
    freed = sized(scenario, {**changes, **dict.fromkeys(pinned)}, good, facts)
    yield
    if freed is None:
        return None
    values = pinned_as(scenario, freed.layout)
    repinned = {**changes, **{key: values[key] for key in pinned}}
    found = sized(scenario, repinned, good, facts)
    yield
    return Offer(repinned, found, found.layout) if found is not None else None


def carries(after: Choice) -> bool:
    """Whether a build carries its workload."""
    return after.carries


def no_worse(before: Plan) -> Good:
    """Whether another build starts, fits and carries the workload wherever this one does."""
    least = (before.memory.starts, before.fits, before.carries)
    return lambda after: all(
        now or not was for was, now in zip(least, (after.starts, after.fits, after.carries), strict=True)
    )


def fix_of(plan: Plan, changes: Changes, *effect: Part) -> Suggestion | None:
    """A change on offer; None where the build that it makes is worse off than the one at hand."""
    made = offer(plan.scenario, changes, no_worse(plan))
    return None if made is None else made.suggestion(effect, effect)


def taken_up(plan: Plan, made: Offer, *effect: Part) -> Suggestion | None:
    """`fix_of` where what the changes make is planned already."""
    return made.suggestion(effect, effect) if no_worse(plan)(Choice(made.plan.scenario, made.plan)) else None
