"""Which layout serves a load: of those that hold it the one with most tokens/s inside the targets."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, lru_cache

from engine.decide.layouts import NOTHING_FITS, Why, tiers, whatever_load, why
from engine.figures.records import NamedTuple, dataclass
from engine.layout.candidates import works_alone
from engine.money.bill import buy_usd
from engine.scenario import Layout, Scenario
from engine.serving.memory import Room, Rooms, serving_room, serving_rooms
from engine.serving.speed import Server, server_of
from engine.serving.targets import has_targets

# How many of the layouts that fit are timed: beyond the best few by memory the order no longer changes.
TIMED_LAYOUTS = 8
NO_ROOM = 0.1
"""What the speed of a layout counts for that fills its memory past the line where engines preempt: any other is better
unless that one is ten times slower or misses a target."""
MOST_USERS = "about the most users of those that start, on the fewest GPUs a replica"
ABOUT_THE_MOST = 0.8
"""Of the most users that any layout of an overloaded build holds: smaller replicas that hold so many answer more of them,
since a wider TP buys its last users with collectives."""


@dataclass(frozen=True)
class Able:
    """One layout of a build with requests of one length, whatever its users: its rooms, and its engines once it is timed.

    scenario: by `whatever_load`.
    """

    scenario: Scenario
    layout: Layout
    rooms: Rooms

    @cached_property
    def engines(self) -> Server:
        """Its engines, without a load."""
        return server_of(self.scenario, self.layout)


@lru_cache(maxsize=64)
def able_layouts(scenario: Scenario, besides: bool) -> list[Able]:
    """The layouts to try, or those besides, with their rooms: by `whatever_load`."""
    return [Able(scenario, layout, serving_rooms(scenario, layout)) for layout in tiers(scenario)[int(besides)]]


def room_for(scenario: Scenario, plain: Scenario) -> tuple[bool, bool]:
    """(whether some layout starts, whether one fits the load), as the one that is taken will. plain: by `whatever_load`."""
    started = False
    for besides in (False, True):
        able = able_layouts(plain, besides)
        if _fitting(scenario, able, scenario.workload.concurrency):
            return True, True
        started = started or any(one.rooms.starts for one in able)
    return started, False


class Served(NamedTuple):
    """The layout that serves a load, before its figures are worked out.

    server: its engines, where it starts. fits: for `batch`, as `engine.decide.plan.fits`, whether it starts. meets: whether
    it fits and misses no target of the load. of: how many layouts it was chosen from. ranked: those that were timed, best
    first, with their scores; empty where no layout fits.
    """

    layout: Layout
    rooms: Rooms
    room: Room
    server: Server | None
    fits: bool
    meets: bool
    of: int
    ranked: list[tuple[float, Layout]]

    def why(self, scenario: Scenario) -> Why:
        """Why it is this one."""
        if not self.ranked:
            return Why((MOST_USERS if self.room.starts else NOTHING_FITS,))
        return why(scenario, self.of, self.ranked)


class _Timed(NamedTuple):
    room: Room
    server: Server
    score: float
    meets: bool


class _Trial:
    """The layouts of a build under its load, each of them timed once."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario, self.users = scenario, scenario.workload.concurrency
        self._known: dict[int, _Timed] = {}

    def timed(self, able: Able) -> _Timed:
        """A layout's engines under the load."""
        found = self._known.get(id(able))
        if found is None:
            server, room = able.engines.under_load(self.scenario.workload), able.rooms.at(self.users)
            score, meets = server.score(self.users, room)
            found = self._known[id(able)] = _Timed(room, server, score * _haircut(self.scenario, room), meets)
        return found

    def best(self, able: list[Able], wide: bool = False) -> Served:
        """The layout with most tokens/s of those that fit; else one that starts with about the most users.

        wide: see `_without_fabric`.
        """
        scenario, users = self.scenario, self.users
        worth = _worth_timing(scenario, able, users, wide)
        if not worth:
            sized = [(one, one.rooms.at(users)) for one in able]
            most = max(sized, key=lambda pair: (pair[1].starts, pair[1].max_concurrency, pair[1].free_bytes))
            if most[1].starts:
                least = ABOUT_THE_MOST * most[1].max_concurrency
                near = [pair for pair in sized if pair[1].starts and pair[1].max_concurrency >= least]
                most = min(near, key=lambda pair: (pair[0].layout.pp, pair[0].layout.tp))
            one, room = most
            engines = one.engines.under_load(scenario.workload) if room.starts else None
            return Served(one.layout, one.rooms, room, engines, False, False, len(able), [])
        if len(worth) == 1 and not has_targets(scenario.workload):  # one that stands alone needs no score
            one = worth[0]
            server, alone = one.engines.under_load(scenario.workload), [(0.0, one.layout)]
            return Served(one.layout, one.rooms, one.rooms.at(users), server, True, True, len(able), alone)
        ranked = sorted([(self.timed(one), one) for one in worth], key=lambda pair: -pair[0].score)
        made, one = ranked[0]
        scores = [(timed.score, other.layout) for timed, other in ranked]
        return Served(one.layout, one.rooms, made.room, made.server, True, made.meets, len(able), scores)

    def widens(self, found: Served, lean: list[Able], besides: list[Able]) -> bool:
        """Whether a layout that was held back carries what the first ones do not, or fits, or starts, where none does."""
        if not found.room.starts and any(one.rooms.starts for one in besides):
            return True
        more = _held_back(self.scenario, (lean, besides), self.users)
        if not found.fits or not more:
            return bool(more)
        # it fits and misses a target: none that meets them all is cheaper to find out than to rank
        return not _over_budget(self.scenario, found.layout) and any(self.timed(one).meets for one in more)


def served(scenario: Scenario, plain: Scenario) -> Served:
    """The layout that serves the load of a scenario. Raises ScenarioError where no layout fills the build.

    plain: by `whatever_load`.
    """
    trial = _Trial(scenario)
    lean = able_layouts(plain, False)
    found = trial.best(lean)
    if found.fits and (carries(scenario, found) or scenario.workload.corpus_requests is not None):
        return found  # a corpus is cut into replicas of one layout, whatever its date
    besides = able_layouts(plain, True)
    if not trial.widens(found, lean, besides):
        return found
    wider = trial.best(lean + besides, wide=True)
    better = (wider.fits, wider.room.starts) > (found.fits, found.room.starts)
    return wider if better or carries(scenario, wider) else found


def carries(scenario: Scenario, found: Served) -> bool:
    """Whether a layout fits with no target missed, and what is bought is within its budget."""
    return found.fits and found.meets and not _over_budget(scenario, found.layout)


def _over_budget(scenario: Scenario, layout: Layout) -> bool:
    """Whether the purchase of a build is over its budget. The rent of a corpus is known with its plan."""
    budget = scenario.workload.budget_usd
    if budget is None or scenario.workload.is_run:
        return False
    return (buy_usd(scenario, works_alone(scenario, layout)) or 0.0) > budget


def _without_fabric(scenario: Scenario, fitting: list[Able], wide: bool) -> list[Able]:
    """Only layouts whose replicas stay inside a node, where there are any: they need no fabric to run.

    Those without a pipeline come alone where there are any, unless wide: a pipeline inside a node is tried only where
    none of them carries the workload.
    """
    if scenario.hardware.nodes == 1:
        return fitting
    inside = [one for one in fitting if works_alone(scenario, one.layout)]
    plain = [] if wide else [one for one in inside if one.layout.pp == 1]
    return plain or inside or fitting


def _held_back(scenario: Scenario, tried: tuple[list[Able], list[Able]], users: int) -> list[Able]:
    """Of the layouts that fit so many users, those that are not among the first to be tried."""
    besides = _fitting(scenario, tried[1], users)
    if scenario.hardware.nodes == 1:
        return besides
    pipes = [one for one in tried[0] if one.layout.pp > 1 and works_alone(scenario, one.layout)]
    return [*_fitting(scenario, pipes, users), *besides]


def _fitting(scenario: Scenario, able: list[Able], users: int) -> list[Able]:
    """The layouts that hold so many users; for `batch`, as `engine.decide.plan.fits`, those that start."""
    waits = scenario.workload.kind == "batch"
    return [one for one in able if one.rooms.fits(users) or (waits and one.rooms.starts)]


def _worth_timing(scenario: Scenario, able: list[Able], users: int, wide: bool) -> list[Able]:
    """Of the layouts that fit so many users, the first few by memory. wide: see `_without_fabric`."""
    fitting = _without_fabric(scenario, _fitting(scenario, able, users), wide)
    # fewest GPUs a replica first: the larger TP of two equals only adds collectives
    fitting.sort(key=lambda one: (one.layout.pp, one.layout.tp))
    return fitting[: 2 * TIMED_LAYOUTS if wide else TIMED_LAYOUTS]


class Taken(NamedTuple):
    """The layout that is taken under some number of users, without the figures of a plan."""

    room: Room
    server: Server
    carries: bool

    @property
    def with_room(self) -> bool:
        """Whether it carries them below the line where engines preempt."""
        return self.carries and self.room.fits and not self.room.preempts

    @property
    def best_tokens_per_s_total(self) -> float:
        """Of all replicas under the best load inside the targets."""
        return self.server.best(self.room)[1] * self.server.engines


def taken_by_users(scenario: Scenario) -> Callable[[int], Taken | None]:
    """By the number of users, the layout that `served` takes; None where no layout fits.

    For searches over the users of one build: whatever does not depend on them is worked out once. Raises
    ScenarioError for a build without a layout.
    """
    plain = whatever_load(scenario)
    tried = (able_layouts(plain, False), able_layouts(plain, True))
    servers: dict[int, Server] = {}

    def taken(users: int) -> Taken | None:
        best = best_of(users, _worth_timing(scenario, tried[0], users, wide=False))
        if best is None or not best.carries:
            more = _held_back(scenario, tried, users)
            wider = best_of(users, more) if more else None
            best = wider if best is None or (wider is not None and wider.carries) else best
        return best

    def best_of(users: int, worth: list[Able]) -> Taken | None:
        leads, chosen = -1.0, None
        for one in worth:
            server = servers.get(id(one))  # the same objects in every call, and cheaper to find than equal ones
            if server is None:
                server = servers[id(one)] = one.engines.under_load(scenario.workload)
            room = one.rooms.at(users)
            score, meets = server.score(users, room)
            score *= _haircut(scenario, room)
            if score > leads:
                leads, chosen = score, Taken(room, server, meets)
        return chosen

    return taken


def _haircut(scenario: Scenario, room: Room) -> float:
    """What is left of the score of a layout without room to spare."""
    return NO_ROOM if room.preempts and scenario.workload.kind != "batch" else 1.0


def ranked_by(scenario: Scenario, layout: Layout) -> float:
    """The tokens a second that rank a layout among those that fit: see `Server.score`."""
    room = serving_room(scenario, layout)
    return server_of(scenario, layout).score(scenario.workload.concurrency, room)[0] * _haircut(scenario, room)
