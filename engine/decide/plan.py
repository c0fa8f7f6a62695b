"""One build evaluated: the layout, its memory and its speed. The verdict, the flips and the searches compare these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from engine.figures.records import dataclass
from engine.figures.sentences import Figure, Sentence, joined
from engine.layout.candidates import candidate_layouts, check_choice, splits_by_layer, works_alone
from engine.money.bill import buy_usd
from engine.money.prices import run_usd
from engine.scenario import Layout, LayoutChoice, Money, Scenario, Workload
from engine.scenario.change import recounted
from engine.serving.memory import Room, Rooms, serving_memory, serving_room, serving_rooms
from engine.serving.speed import Server, server_of, serving_speed
from engine.sizing import Memory, Serving, Training
from engine.training.batch import keeps_batch, useful_tokens
from engine.training.memory import training_memory, training_spare
from engine.training.speed import training_speed
from engine.training.step import Step, step, steps

# How many of the layouts that fit are timed: beyond the best few by memory the order no longer changes.
TIMED_LAYOUTS = 8
NO_ROOM = 0.1
"""What the speed of a layout counts for that fills its memory past the line where engines preempt: any other is better
unless that one is ten times slower or misses a target."""
_FREE = LayoutChoice()
_NO_MONEY = Money()
NOTABLE_GAIN = 1.05  # below this two layouts are said to be about as fast
KEEPS_BATCH = "keeps the global batch, which more replicas outgrow"
NOTHING_FITS = "no layout fits; this one is over by least"
MOST_USERS = "about the most users of those that start, on the fewest GPUs a replica"
ABOUT_THE_MOST = 0.8
"""Of the most users that any layout of an overloaded build holds: smaller replicas that hold so many answer more of them,
since a wider TP buys its last users with collectives."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A scenario with its layout decided and its memory and speed known.

    rivals: the layouts that the reason of the chosen one names, in its order.
    """

    scenario: Scenario
    layout: Layout
    memory: Memory
    serving: Serving | None
    training: Training | None
    rivals: tuple[Layout, ...] = ()

    @property
    def run_usd(self) -> float | None:
        """What a training run, or the corpus of a batch, costs at the hourly price of its GPUs; None for a use that goes
        on and without a price."""
        if self.serving is not None and self.serving.gpu_hours is not None:
            return run_usd(self.scenario, self.serving.gpu_hours)
        return None if self.training is None else self.training.cost_usd

    @property
    def spend_usd(self) -> float | None:
        """What a budget holds: the rent of a run, the purchase of a build that serves; None unknown."""
        if self.scenario.workload.is_run:
            return self.run_usd
        return buy_usd(self.scenario, works_alone(self.scenario, self.layout))

    @property
    def run_gpu_hours(self) -> float | None:
        """GPU-hours of a training run, or of the corpus of a batch; None for a use that goes on."""
        if self.training is not None:
            return self.training.gpu_hours
        return None if self.serving is None else self.serving.gpu_hours

    @property
    def run_days(self) -> float | None:
        """How long a training run, or the corpus of a batch, takes; None for a use that goes on."""
        if self.training is not None:
            return self.training.days
        return None if self.serving is None else self.serving.days

    @property
    def tokens_per_s_gpu(self) -> float:
        """Tokens/s of each GPU of the layout; 0 without a speed."""
        if self.serving is not None:
            return self.serving.tokens_per_s_total / self.layout.gpus
        return self.training.tokens_per_s_gpu if self.training is not None else 0.0

    @property
    def over_budget(self) -> bool:
        """Whether the run, or the build, is known to cost more than its budget."""
        budget = self.scenario.workload.budget_usd
        return budget is not None and (self.spend_usd or 0.0) > budget

    @property
    def meets_targets(self) -> bool:
        """Whether no target that the person set is missed; true when none was set."""
        if self.over_budget or (self.serving is not None and self.serving.meets_targets is False):
            return False
        return self.training is None or self.training.meets_deadline is not False

    @property
    def fits(self) -> bool:
        """Whether the workload fits the memory. Offline sequences may wait for room; people and gradients may not."""
        return fits(self.scenario, self.memory)

    @property
    def carries(self) -> bool:
        """Whether the build carries the workload: it fits, with no target missed."""
        return self.fits and self.meets_targets


def fits(scenario: Scenario, memory: Memory | Room) -> bool:
    """Whether a memory holds the workload; batch inference asks only that the engine starts, since nobody waits."""
    return memory.fits or (scenario.workload.kind == "batch" and memory.starts)


def memory_of(scenario: Scenario, layout: Layout) -> Memory:
    """Memory per GPU of a scenario in one layout, without the suggestions that `advised` adds."""
    if scenario.workload.is_inference:
        return serving_memory(scenario, layout)
    return training_memory(scenario, layout, suggest=False)


class Why(NamedTuple):
    """Why a layout is chosen, and the layouts that this names, in its order."""

    reason: Sentence
    rivals: tuple[Layout, ...] = ()


def _against(score: float, others: list[tuple[float, Layout]]) -> Why:
    """The chosen layout against the runner-up and against the widest TP, which is what most people would start."""
    runner_up = max(others, key=lambda pair: pair[0])
    widest = max(others, key=lambda pair: (pair[1].tp, pair[0]))
    named = (widest, runner_up) if widest[1] is not runner_up[1] else (runner_up,)
    parts: list[Sentence] = []
    for number, (value, other) in enumerate(named, 1):
        ratio, figure = score / value, f"layout.rival.{number}"
        if ratio >= 100:
            parts.append((Figure("inside the targets", figure), f", unlike {layout_words(other)}"))
        elif ratio >= NOTABLE_GAIN:
            parts.append((Figure(f"{ratio:.1f}x", figure), f" the tokens/s of {layout_words(other)}"))
        else:
            parts.append((Figure("about as fast", figure), f" as {layout_words(other)}"))
    return Why(joined(parts, ", "), tuple(other for _, other in named))


def layout_words(layout: Layout) -> str:
    """A layout in short, as reasons name it: TP 4 x 2 replicas."""
    parts = [f"TP {layout.tp}"]
    if layout.pp > 1:
        parts.append(f"PP {layout.pp}")
    if layout.dp_attention:
        parts.append(f"DP attention {layout.dp}")
    elif layout.dp > 1:
        parts.append(f"{layout.dp} replicas")
    if layout.ep > 1:
        parts.append(f"EP {layout.ep}")
    return " x ".join(parts)


_Roomy = list[tuple[Layout, Rooms]]


def _worth_trying(scenario: Scenario, layouts: tuple[Layout, ...]) -> tuple[list[Layout], list[Layout]]:
    """The layouts to try first, and those to try besides where none of the first carries the workload.

    A pipeline inside a node is as slow for one user as a GPU alone, so that a TP that fills the node wins wherever it
    fits. It does not always: KV heads fewer than TP are stored more than once, and PP never stores one twice.
    """
    nodes = scenario.hardware.nodes
    if scenario.layout.pp is not None or splits_by_layer(scenario):
        return list(layouts), []
    most = nodes if nodes > 1 else 1
    lean = [layout for layout in layouts if layout.pp <= most]
    return (lean, [layout for layout in layouts if layout.pp > most]) if lean else (list(layouts), [])


def _without_fabric(scenario: Scenario, fitting: _Roomy, wide: bool) -> _Roomy:
    """For serving, only layouts whose replicas stay inside a node, where there are any: they need no fabric to run.

    Those without a pipeline come alone where there are any, unless wide: a pipeline inside a node is tried only where
    none of them carries the workload.
    """
    if scenario.hardware.nodes == 1:
        return fitting
    inside = [pair for pair in fitting if works_alone(scenario, pair[0])]
    plain = [] if wide else [pair for pair in inside if pair[0].pp == 1]
    return plain or inside or fitting


def _held_back(scenario: Scenario, tiers: tuple[_Roomy, _Roomy], users: int) -> _Roomy:
    """Of the layouts that fit so many users, those that are not among the first to be tried."""
    besides = _fitting(scenario, tiers[1], users)
    if scenario.hardware.nodes == 1:
        return besides
    pipes = [pair for pair in tiers[0] if pair[0].pp > 1 and works_alone(scenario, pair[0])]
    return [*_fitting(scenario, pipes, users), *besides]


def _fitting(scenario: Scenario, roomy: _Roomy, users: int) -> _Roomy:
    """The layouts that hold so many users; for `batch`, as `fits`, those that start."""
    waits = scenario.workload.kind == "batch"
    return [pair for pair in roomy if pair[1].fits(users) or (waits and pair[1].starts)]


def _whatever_load(scenario: Scenario) -> Scenario:
    """The scenario without what no layout's memory of a request, and no step, depends on: users, targets and money."""
    return replace(scenario, workload=_unloaded(scenario.workload), money=_NO_MONEY, title="", notes="")


@lru_cache(maxsize=64)
def _unloaded(work: Workload) -> Workload:
    return replace(
        work,
        concurrency=1,
        requests=None,
        ttft_target_s=None,
        tokens_per_s_user_target=None,
        requests_per_s=None,
        total_tokens=None,
        deadline_days=None,
        budget_usd=None,
    )


@lru_cache(maxsize=64)
def _tiers(scenario: Scenario) -> tuple[list[Layout], list[Layout]]:
    """The layouts to try first, and those besides: by `_whatever_load`, since users come and go."""
    return _worth_trying(scenario, candidate_layouts(scenario))


@lru_cache(maxsize=64)
def _served_layouts(scenario: Scenario, besides: bool) -> _Roomy:
    """The layouts to try, or those besides, with their rooms; likewise."""
    return [(layout, serving_rooms(scenario, layout)) for layout in _tiers(scenario)[int(besides)]]


@lru_cache(maxsize=64)
def _trained_layouts(scenario: Scenario, besides: bool) -> list[tuple[Step, Layout]]:
    """The layouts to try, or those besides, with their steps, as `_ranked` orders them; likewise."""
    layouts = _tiers(scenario)[int(besides)]
    made = steps(scenario.model.architecture, scenario.hardware, scenario.workload, layouts)
    return _ranked(scenario.workload, list(zip(made, layouts, strict=True)))


def useful_tokens_per_s(workload: Workload, made: Step) -> float:
    """Tokens a second that rank training layouts: of the batch that was asked, over the seconds of a step."""
    return useful_tokens(workload, made.tokens) / made.seconds


def _ranked(workload: Workload, timed: list[tuple[Step, Layout]]) -> list[tuple[Step, Layout]]:
    """Layouts that keep the global batch before those that outgrow it, the fastest first."""

    def key(pair: tuple[Step, Layout]) -> tuple[bool, float]:
        made, layout = pair
        return not keeps_batch(workload, layout.dp), -useful_tokens_per_s(workload, made)

    return sorted(timed, key=key)


@lru_cache(maxsize=192)
def _choose(scenario: Scenario) -> Plan:
    plain = _whatever_load(scenario)
    if scenario.workload.is_inference:
        lean = _served_layouts(plain, False)
        found = _served(scenario, lean)
        if found.carries or (found.fits and scenario.workload.corpus_requests is not None):
            return found  # a corpus is cut into replicas of one layout, whatever its date
        besides = _served_layouts(plain, True)
        if not _worth_widening(scenario, found, lean, besides):
            return found
        wider = _served(scenario, lean + besides, wide=True)
    else:
        timed = _trained_layouts(plain, False)
        found = _trained(scenario, timed)
        kept = keeps_batch(scenario.workload, found.layout.dp)
        if (found.carries and kept) or not (rest := _trained_layouts(plain, True)):
            return found
        wider = _trained(scenario, _ranked(scenario.workload, timed + rest))
        if not kept and wider.fits and keeps_batch(scenario.workload, wider.layout.dp):
            return wider
    return wider if wider.carries or (wider.fits, wider.memory.starts) > (found.fits, found.memory.starts) else found


def _worth_widening(scenario: Scenario, found: Plan, lean: _Roomy, besides: _Roomy) -> bool:
    """Whether a layout that was held back carries what the first ones do not, or fits, or starts, where none does."""
    users = scenario.workload.concurrency
    if not found.memory.starts and any(rooms.starts for _, rooms in besides):
        return True
    more = _held_back(scenario, (lean, besides), users)
    if not found.fits or not more:
        return bool(more)
    # it fits and misses a target: none that meets them all is cheaper to find out than to rank
    return not found.over_budget and any(
        server_of(scenario, layout).score(users, rooms.at(users))[1] for layout, rooms in more
    )


def _served(scenario: Scenario, roomy: _Roomy, wide: bool = False) -> Plan:
    """The layout with most tokens/s of those that fit; else one that starts with about the most users.

    wide: see `_without_fabric`.
    """
    rooms = dict(roomy)
    layouts = list(rooms)
    best = _worth_timing(scenario, roomy, scenario.workload.concurrency, wide)
    if not best:
        sized = [(layout, room.at(scenario.workload.concurrency)) for layout, room in roomy]
        most = max(sized, key=lambda pair: (pair[1].starts, pair[1].max_concurrency, pair[1].free_bytes))
        if not most[1].starts:
            return _planned_serving(scenario, most[0], Why((NOTHING_FITS,)), rooms[most[0]], most[1])
        users = ABOUT_THE_MOST * most[1].max_concurrency
        near = [(layout, room) for layout, room in sized if room.starts and room.max_concurrency >= users]
        layout, room = min(near, key=lambda pair: (pair[0].pp, pair[0].tp))
        return _planned_serving(scenario, layout, Why((MOST_USERS,)), rooms[layout], room)
    servers = {layout: server_of(scenario, layout) for layout, _ in best}
    # one that stands alone needs no score
    ranked = [(_score(scenario, servers[pair[0]], pair[1]) if len(best) > 1 else 0.0, pair[0]) for pair in best]
    ranked.sort(key=lambda pair: -pair[0])
    layout = ranked[0][1]
    room = next(room for other, room in best if other is layout)
    return _planned_serving(scenario, layout, _why(scenario, layouts, ranked), rooms[layout], room, servers[layout])


def _worth_timing(scenario: Scenario, roomy: _Roomy, users: int, wide: bool) -> list[tuple[Layout, Room]]:
    """Of the layouts that fit so many users, the first few by memory. wide: see `_without_fabric`."""
    fitting = _without_fabric(scenario, _fitting(scenario, roomy, users), wide)
    # fewest GPUs a replica first: the larger TP of two equals only adds collectives
    fitting.sort(key=lambda pair: (pair[0].pp, pair[0].tp))
    return [(layout, rooms.at(users)) for layout, rooms in fitting[: 2 * TIMED_LAYOUTS if wide else TIMED_LAYOUTS]]


class Taken(NamedTuple):
    """The layout that `plan` takes under some number of users, without the figures of a plan."""

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
    """By the number of users, the layout that `plan` takes; None where no layout fits.

    For searches over the users of one build: whatever does not depend on them is worked out once. Raises
    ScenarioError for a build without a layout.
    """
    plain = _whatever_load(scenario)
    tiers = (_served_layouts(plain, False), _served_layouts(plain, True))
    servers: dict[int, Server] = {}

    def taken(users: int) -> Taken | None:
        best = best_of(users, _worth_timing(scenario, tiers[0], users, wide=False))
        if best is None or not best.carries:
            more = [(layout, rooms.at(users)) for layout, rooms in _held_back(scenario, tiers, users)]
            wider = best_of(users, more) if more else None
            best = wider if best is None or (wider is not None and wider.carries) else best
        return best

    def best_of(users: int, sized: list[tuple[Layout, Room]]) -> Taken | None:
        leads, chosen = -1.0, None
        for layout, room in sized:
            server = servers.get(id(layout))  # the same objects in every call, and cheaper to find than equal ones
            if server is None:
                server = servers[id(layout)] = server_of(scenario, layout)
            score, meets = server.score(users, room)
            score *= _haircut(scenario, room)
            if score > leads:
                leads, chosen = score, Taken(room, server, meets)
        return chosen

    return taken


def _haircut(scenario: Scenario, room: Room) -> float:
    """What is left of the score of a layout without room to spare."""
    return NO_ROOM if room.preempts and scenario.workload.kind != "batch" else 1.0


def _score(scenario: Scenario, server: Server, room: Room) -> float:
    return server.score(scenario.workload.concurrency, room)[0] * _haircut(scenario, room)


def _trained(scenario: Scenario, timed: list[tuple[Step, Layout]]) -> Plan:
    """The first of the ranked layouts that fits, sized in order until two do; else the one least over the card.

    Layouts whose replicas have no work in every step come only where none of the others fits: the batch that a person
    enters is kept. A step's time does not depend on its memory.
    """
    workload = scenario.workload
    layouts = [layout for _, layout in timed]
    spare: list[tuple[float, Step, Layout]] = []
    fitting: list[tuple[Step, Layout]] = []
    left_by = training_spare(scenario)
    for made, layout in timed:
        if fitting and not keeps_batch(workload, layout.dp):
            break
        left = left_by(layout)
        spare.append((left, made, layout))
        if left >= 0.0:
            fitting.append((made, layout))
            if len(fitting) == 2:
                break
    if not fitting:
        _, made, layout = max(spare, key=lambda entry: entry[0])
        return _planned(scenario, layout, Why((NOTHING_FITS,)), made)
    made, layout = fitting[0]
    ranked = [(useful_tokens_per_s(workload, one), other) for one, other in fitting]
    why = _why(scenario, layouts, ranked)
    if keeps_batch(workload, layout.dp) and not keeps_batch(workload, timed[-1][1].dp):
        why = why._replace(reason=(*why.reason, f", {KEEPS_BATCH}"))
    return _planned(scenario, layout, why, made)


def _planned(scenario: Scenario, layout: Layout, why: Why, made: Step | None = None) -> Plan:
    """The plan in one layout, which says why it is this one. A serving engine that does not start has no speed.

    made: the training step of the layout, where it is known already.
    """
    memory = memory_of(scenario, layout)
    serving = training = None
    if not scenario.workload.is_inference:
        # a run that is over the card is still timed: what it would do with room is a figure people compare
        training = training_speed(scenario, layout, memory, made)
    elif memory.starts:
        serving = serving_speed(scenario, layout, memory)
    return Plan(scenario, replace(layout, reason=why.reason), memory, serving, training, why.rivals)


def _planned_serving(
    scenario: Scenario, layout: Layout, why: Why, rooms: Rooms, room: Room, server: Server | None = None
) -> Plan:
    """`_planned` for serving, where the rooms of the layout, that under the load, and perhaps its engines are known already."""
    memory = serving_memory(scenario, layout, rooms, room)
    serving = serving_speed(scenario, layout, memory, server) if memory.starts else None
    return Plan(scenario, replace(layout, reason=why.reason), memory, serving, None, why.rivals)


def _why(scenario: Scenario, layouts: list[Layout], ranked: list[tuple[float, Layout]]) -> Why:
    """Why the first of the ranked layouts was chosen among those that could be."""
    if len(layouts) == 1:
        return Why(("the only layout of this build" if scenario.hardware.gpus > 1 else "one GPU",))
    others = [(value, other) for value, other in ranked[1:] if value > 0]
    return _against(ranked[0][0], others) if others else Why(("the only layout that fits",))


def ranked_by(scenario: Scenario, layout: Layout) -> float:
    """The tokens a second that rank a layout among those that fit: see `Server.score` and `useful_tokens_per_s`."""
    if scenario.workload.is_inference:
        return _score(scenario, server_of(scenario, layout), serving_room(scenario, layout))
    made = step(scenario.model.architecture, scenario.hardware, scenario.workload, layout)
    return useful_tokens_per_s(scenario.workload, made)


def plan(scenario: Scenario) -> Plan:
    """The scenario with the best valid layout. Raises ScenarioError for an impossible scenario or layout."""
    choice = scenario.layout
    if choice.tp is not None and choice.pp is not None and choice.dp is not None:
        check_choice(scenario)
        layout = Layout(choice.tp, choice.pp, choice.dp, choice.ep or 1, bool(choice.dp_attention), dcp=choice.dcp or 1)
        return _planned(scenario, layout, Why(("pinned",)))
    found = _choose(scenario)
    # facts are not part of what makes two scenarios equal, and newer prices must not find an older plan
    return found if found.scenario.facts is scenario.facts else replace(found, scenario=scenario)


def resized(scenario: Scenario, gpus_per_node: int, nodes: int = 1) -> Scenario:
    """The same workload on another count of the same card, with the layout left to choose.

    Raises ScenarioError for a count that no node has.
    """
    hardware = recounted(scenario.hardware, gpus_per_node, nodes, scenario.facts)
    if hardware is scenario.hardware and scenario.layout == _FREE:
        return scenario
    return replace(scenario, hardware=hardware, layout=_FREE)
