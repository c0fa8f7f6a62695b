"""What to do instead: the smallest change that makes a build run, and the smallest of these cards that would do.

One search, for whoever asks: the banner, the report, the Builds page and `sizeup recommend`. Everything offered is a set
of changes of the entered scenario, made by `engine.scenario.change` and sized whole; nothing is offered that this very way of
applying it does not size to what it says. What is owned comes first: settings, another layout, formats that cost next to
no quality, more of these cards in the box; then formats that cost some, more boxes and other cards, the cheaper whole bill
first; then a smaller model of the series; asking for less comes last. A pinned layout stays where the change carries in
it; where only another one does, the pinned keys take its values, by name.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace

from engine.decide.answer import STATUS_WORDS, narrow, on_host, status_of
from engine.decide.builds import Limits, Option, option_steps
from engine.decide.host_notices import host_short
from engine.decide.layouts import layout_words
from engine.decide.measures import Try, quicker, roomier
from engine.decide.offers import offer_steps
from engine.decide.plan import Choice, Plan, plan
from engine.decide.suggestions import roomy, saving
from engine.decide.tries import (
    QUALITY_WORDS,
    QUICKER,
    as_the_verdict_names,
    asking_less,
    at_its_batch,
    fewer,
    in_the_box_in_fewer_bits,
    in_the_box_with_settings,
    more_boxes,
    more_boxes_with_settings,
    more_host_memory,
    owned,
    shown,
    smaller_as_named,
    smaller_models,
    sure_to_start,
)
from engine.figures.records import dataclass
from engine.figures.sentences import Figure, Part, Sentence, joined, said, text_of
from engine.figures.units import days, digits, duration, gib, thousands_usd, usd
from engine.model.formats import FORMATS
from engine.money.cost import cost
from engine.money.power import power
from engine.scenario import Layout, Scenario
from engine.scenario.change import LookUps
from engine.scenario.fields import Value
from engine.sizing import Cost, Memory, Notice, Sizing, Status, Suggestion
from engine.sizing.common import ChangeItems

OUT_OF_PROPORTION = 4.0
"""A purchase of more than so many times the entered build's bill comes after asking for less: a rule of thumb of ours."""
OTHERS = 3
CARRIES: tuple[Status, ...] = ("runs", "slow")
OWNED = (
    "runtime", "training", "layout", "framework", "engine", "fewer", "kv", "weights", "gpus", "few bits", "gpus and bits", "gpus and training",
)  # fmt: skip
"""Kinds of change that take no other box, what costs least first."""
CATALOG = ("card", "model")
"""Kinds of change that put another card or another model in the place of the entered one."""
LESS, ABSURD = 3, 4


@dataclass(frozen=True, slots=True)
class Cure:
    """One change that was sized as it will be applied.

    changes: what `engine.scenario.change` is given. scenario, plan: what that makes of the entered build. what: the change in
    words, does: what it does, clause by clause, its figures those of the changed build. usd: the whole bill of the changed build, None where a part of it is unknown. kind: what
    is changed, since two of one kind are not offered. asks_less: whether it is the load that gives way, not the build; far:
    whether next to nothing is left of it. layout: the one that the changes pin in place of the pinned one, else None; short: the
    change without its words, settings of a run by their keys.
    """

    changes: ChangeItems
    scenario: Scenario
    plan: Plan
    status: Status
    what: Sentence
    does: tuple[Sentence, ...]
    usd: float | None = None
    kind: str = ""
    asks_less: bool = False
    far: bool = False
    layout: Layout | None = None
    short: Sentence = ()

    @property
    def headline(self) -> Sentence:
        """The change and what it brings: `4 GPUs in the node: RUNS, 20.0 of 23.7 GiB`."""
        return self.told(self.does)

    def told(self, does: tuple[Sentence, ...], brief: bool = False) -> Sentence:
        """The change and some of what it brings. brief: without the layout that it takes."""
        what, word = self.short if brief else self.what, narrow(self.plan.memory)
        status = f"{STATUS_WORDS[self.status]}{f', {word}' if word else ''}"
        return joined(((*what, f": {status}"), *does), ", ")

    def saving(self, now: Memory) -> Sentence:
        """How it comes to need other bytes of a parameter than a run that trains the same; empty where it does not.

        now: the memory of the entered build.
        """
        return saving(now, self.plan, self.changes)

    @property
    def suggestion(self) -> Suggestion:
        """The same as a change on offer: what is changed, what that does, how full the memory is then, and that it asks for less
        where it does."""
        less = "asking for less: " if self.asks_less else ""
        effect = said(less, self.headline, f"; memory {self.plan.memory.headroom}")
        return Suggestion(self.changes, effect, self.what, self.layout)


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do about one scenario. found: every change that was found, the one thing to do first, each of another
    kind. smaller: of a build that runs, fewer of the entered cards that would do; api: what the same tokens cost over a
    hosted API, empty where the build runs or nobody asks a price for them. status: of the build as entered. quicker: of a run that works,
    another sharding or less recomputation that is faster; safer: of one that may not fit or start, or keeps more in host memory than there is, what mends it. lesser: of a build that carries the workload and
    that nothing better was found for, the smaller one that its verdict names, slower or not: to know, not to do."""

    scenario: Scenario
    found: tuple[Cure, ...] = ()
    smaller: Cure | None = None
    api: Sentence = ()
    status: Status = "runs"
    quicker: Cure | None = None
    safer: Cure | None = None
    lesser: Cure | None = None

    @property
    def cure(self) -> Cure | None:
        """The one thing to do about a build that does not run; None where it does, or nothing was found."""
        return self.found[0] if self.found else None

    @property
    def others(self) -> tuple[Cure, ...]:
        """Further cures, a few."""
        return self.found[1 : OTHERS + 1]

    @property
    def first(self) -> Cure | None:
        """The one thing to do."""
        return self.cure or self.safer or self.smaller or self.quicker

    @property
    def offered(self) -> tuple[Cure, ...]:
        """What is shown of it, the one thing to do first, where there is one."""
        shown = (self.cure, self.safer, self.smaller, self.quicker, *self.others, self.lesser)
        return tuple(cure for cure in shown if cure is not None)

    @property
    def known(self) -> tuple[Cure, ...]:
        """Every change, those on offer first: what a number of a cure counts in."""
        offered = self.offered
        return (*offered, *(cure for cure in self.found if not any(cure is one for one in offered)))

    @property
    def fixes(self) -> tuple[Suggestion, ...]:
        """Changes of the entered build after which it carries the workload, in the same order; none where it does so
        already. Other cards and other models are other builds, which `engine.decide.builds` ranks."""
        if self.status in CARRIES:
            return ()
        return tuple(cure.suggestion for cure in self.found if cure.kind not in CATALOG)


def advise(scenario: Scenario, facts: LookUps | None = None) -> Generator[None, None, Advice]:
    """Search, yielding after every build that was sized; the advice is what the generator returns.

    facts: where models are looked up; without, no other model is offered. Raises ScenarioError for a scenario that
    cannot be sized.
    """
    entered = plan(scenario)
    status = status_of(entered)
    if status in CARRIES and host_short(scenario, on_host(entered)):
        safer = yield from _tried(scenario, more_host_memory(entered), facts, CARRIES)
        return Advice(scenario, safer=_only(safer), status=status)
    if status == "runs" and (entered.memory.may_not_fit or entered.memory.may_not_start):
        options = sure_to_start(entered) if entered.memory.may_not_start else roomier(entered)
        safer = yield from _tried(scenario, options, facts, ("runs",), 1)
        if safer or entered.memory.may_not_fit:
            return Advice(scenario, safer=_only(safer), status=status)
    if status == "runs":
        smaller = yield from _tried(scenario, fewer(entered), facts, ("runs",), 1)
        faster = [] if smaller else (yield from _quicker(entered, facts))
        less = [] if smaller or faster else (yield from _tried(scenario, smaller_as_named(entered), facts, CARRIES))
        return Advice(scenario, smaller=_only(smaller), quicker=_only(faster), lesser=_only(less), status=status)
    good: tuple[Status, ...] = ("runs",) if status == "slow" else CARRIES
    found = yield from _tried(scenario, owned(entered), facts, good)
    if not found:
        found = yield from _tried(scenario, in_the_box_in_fewer_bits(entered), facts, good)
        found += yield from _tried(scenario, in_the_box_with_settings(entered), facts, good)
    boxes = yield from _tried(scenario, more_boxes(entered), facts, good, 1)
    if not found:
        below = min((one.scenario.hardware.gpus for one in boxes), default=math.inf)
        found += yield from _tried(scenario, more_boxes_with_settings(entered, below), facts, good, 1)
    found += boxes
    if not found:
        found = yield from _tried(scenario, as_the_verdict_names(entered), facts, good)
    bill = cost(entered, power(scenario, entered.memory.host_bytes))
    # nobody who named no speed buys several times the build for one
    most = OUT_OF_PROPORTION * bill.whole_usd if status == "slow" and bill.whole_usd is not None else math.inf
    found += yield from _other_cards(scenario, facts, most)
    if facts is not None:
        found += yield from _tried(scenario, smaller_models(entered, facts), facts, ("runs",), 1)
    found += yield from _tried(scenario, asking_less(entered), facts, good, 1)
    found.sort(key=lambda cure: _preference(cure, bill.whole_usd))
    if status == "slow":
        found = [cure for cure in found if _preference(cure, bill.whole_usd)[0] < ABSURD]
        found = [] if found and found[0].far else found  # a build that works is not given up for next to nothing
        if not found:
            less = yield from _tried(scenario, smaller_as_named(entered), facts, CARRIES)
            return Advice(scenario, api=_over_an_api(bill), lesser=_only(less), status=status)
    return Advice(scenario, tuple(found), None, _over_an_api(bill), status)


def _only(found: list[Cure]) -> Cure | None:
    return found[0] if found else None


def _quicker(entered: Plan, facts: LookUps | None) -> Generator[None, None, list[Cure]]:
    """The ways to run on the same cards which make it QUICKER than the one entered, the fastest first."""
    found: list[tuple[float, int, Cure]] = []
    for option in quicker(entered):
        cure = yield from _sized(entered.scenario, option, facts, ("runs",))
        now, then = entered.training, cure.plan.training if cure is not None else None
        if cure is not None and now is not None and then is not None and then.days * QUICKER <= now.days:
            found.append((then.days, len(found), cure))
    return [cure for _, _, cure in sorted(found)]


def _over_an_api(bill: Cost) -> Sentence:
    """What the tokens of the load cost from a hosted API."""
    price = bill.api_usd_per_million_tokens
    if price is None:
        return ()
    asked = Figure(usd(price), "cost.api_usd_per_million_tokens")
    return ("the same model over an API: ", asked, " a million answer tokens (", *bill.api_note, ")")


def _preference(cure: Cure, entered_usd: float | None) -> tuple[int, float]:
    """What comes first: what is owned and runs, then what is owned and slow, then purchases by their whole bill, then
    another model and a load made smaller; purchases that are slow or out of all proportion, and unknown bills, last."""
    if cure.asks_less:
        return (ABSURD + 1 if cure.far else LESS), 1.0
    if cure.kind == "model":
        return LESS, 2.0 if cure.far else 0.0
    if cure.kind in OWNED:
        return (0 if cure.status == "runs" else 1), OWNED.index(cure.kind)
    if cure.usd is None:
        return ABSURD, math.inf
    dear = entered_usd is not None and cure.usd > OUT_OF_PROPORTION * entered_usd
    return (ABSURD if dear or cure.status != "runs" else 2), cure.usd


def advice(scenario: Scenario, facts: LookUps | None = None) -> Advice:
    """`advise` to its end."""
    search = advise(scenario, facts)
    while True:
        try:
            next(search)
        except StopIteration as end:
            made: Advice = end.value
            return made


def _tried(
    scenario: Scenario,
    options: Iterator[Try],
    facts: LookUps | None,
    wanted: tuple[Status, ...],
    most: int | None = None,
) -> Generator[None, None, list[Cure]]:
    """Options that size to a wanted status: the first of each kind, a better status before a worse one of its kind.

    most: kinds that are enough, once each of them is as good as it gets.
    """
    found: dict[str, Cure] = {}
    for option in options:
        have = found.get(option.kind)
        if have is not None and have.status == wanted[0]:
            continue
        cure = yield from _sized(scenario, option, facts, wanted)
        if cure is not None and (have is None or cure.status == wanted[0]):
            found[option.kind] = cure
            if most is not None and sum(one.status == wanted[0] for one in found.values()) == most:
                break
    return list(found.values())


def _sized(
    scenario: Scenario, option: Try, facts: LookUps | None, wanted: tuple[Status, ...]
) -> Generator[None, None, Cure | None]:
    """An option as a person would apply it; None where that is no valid build, changes nothing, or is not wanted.

    wanted: of the statuses of builds that carry their workload.
    """

    def good(after: Choice) -> bool:
        return after.carries and status_of(after.plan) in wanted

    made = yield from offer_steps(scenario, at_its_batch(scenario, option.changes), good, facts)
    if made is None or made.plan.scenario == scenario:
        return None
    if option.keeps and not roomy(made.plan.memory):
        return None
    what = option.what
    if made.layout is not None:
        what = (*what, f", {layout_words(made.layout)}")
    relaid = made.layout is not None or any(key.startswith("layout.") for key in option.changes)
    return Cure(
        changes=tuple(made.changes.items()),
        scenario=made.plan.scenario,
        plan=made.plan,
        status=status_of(made.plan),
        what=what,
        does=_does(made.plan),
        usd=cost(made.plan, power(made.plan.scenario, made.plan.memory.host_bytes)).whole_usd,
        kind=option.kind,
        asks_less=option.asks_less,
        far=option.far,
        layout=replace(made.plan.layout, reason=()) if relaid and option.kind not in CATALOG else None,
        short=option.what if option.kind != "training" else _by_keys(option.changes),
    )


def _by_keys(changes: Mapping[str, Value]) -> Sentence:
    """Settings of a run by their keys: `optimizer adamw-8bit, loss fused`."""
    return (", ".join(shown(key, value) for key, value in changes.items()),)


def _does(made: Plan) -> tuple[Sentence, ...]:
    """What the changed build does, in its two or three figures."""
    rented = (Figure(usd(made.run_usd), "cost.run_usd"), " rented") if made.run_usd is not None else ()
    if made.training is not None:
        need = Figure(gib(made.memory.peak_bytes), "memory.peak_bytes")
        usable = Figure(f"{gib(made.memory.worst.usable_bytes)} GiB", "memory.usable_bytes")
        return ((need, " of ", usable), (Figure(days(made.training.days), "training.days"),), rented)
    if made.serving is None:
        return (("no speed",),)
    if made.serving.days is not None:
        return ((Figure(days(made.serving.days), "serving.days"), " for the corpus"), rented)
    user = Figure(f"{digits(made.serving.tokens_per_s_user)} tok/s a user", "serving.tokens_per_s_user")
    return ((user,), ("first token ", Figure(duration(made.serving.ttft_s), "serving.ttft_s")))


# ---------------------------------------------------------------- other cards


def _other_cards(scenario: Scenario, facts: LookUps | None, most: float) -> Generator[None, None, list[Cure]]:
    """The build of another card with the smallest whole bill, within the budget that was entered; none without a bill.

    most: dollars that it costs at most. Dearer builds than the cheapest that was found are not planned.
    """
    within = Limits(buy_usd=scenario.workload.budget_usd) if not scenario.workload.is_run else Limits()
    best: Cure | None = None
    rented = scenario.workload.is_run and scenario.workload.budget_usd is not None

    def ceiling() -> float:
        return math.nextafter(most, math.inf) if best is None or best.usd is None else best.usd

    for option in option_steps(scenario, within, ceiling):
        if isinstance(option, str):
            yield
            continue
        card = option.scenario.hardware.accelerator.id
        if option.whole_usd is None or card == scenario.hardware.accelerator.id:
            continue
        if rented and option.plan.run_usd is None:  # nobody rents it out, and the budget is one of rent
            continue
        if best is None or best.usd is None or option.whole_usd < best.usd:
            cure = yield from _sized(scenario, _as_try(scenario, option), facts, ("runs",))
            if cure is not None and cure.usd is not None:
                best = cure if best is None or best.usd is None or cure.usd < best.usd else best
    return [] if best is None else [best]


def _as_try(scenario: Scenario, option: Option) -> Try:
    """A build of the catalog as the search made it: the same changes of the entered scenario."""
    build = option.scenario
    hardware = build.hardware
    nodes = f"{hardware.nodes} nodes of " if hardware.nodes > 1 else ""
    words: list[Part] = [f"{nodes}{hardware.gpus_per_node}x {hardware.accelerator.label}"]
    if build.model.weights != scenario.model.weights:
        costs = QUALITY_WORDS.get(build.model.weights)
        words.append(f" at {FORMATS[build.model.weights].short}{f' ({costs})' if costs else ''}")
    return Try("card", tuple(words), dict(option.changes))


FEW_REPLICAS = 4
"""More replicas than that are held against one build of larger cards."""


def bigger_card(sizing: Sizing, advised: Advice) -> Notice | None:
    """What a verdict of many replicas must say beside them: a build of larger cards that carries the load, for less.

    None where the verdict names few replicas, where the notices name such a card already, or where none was found.
    """
    found, told = larger_cards(sizing, advised), second_sentence(sizing, advised)
    if found is None or any(notice.id == "bigger-card" for notice in sizing.warnings):
        return None
    return Notice("bigger-card", "warning", (*told, "."), found.suggestion)


def second_sentence(sizing: Sizing, advised: Advice) -> Sentence:
    """What follows a headline of many replicas: the build of larger cards and its bill; empty where there is none."""
    found, replicas = larger_cards(sizing, advised), _replicas_usd(sizing)
    if found is None or found.usd is None:
        return ()
    head = (*found.what, f" carries the load by itself for {thousands_usd(found.usd)}")
    if replicas is None:
        return head
    return (*head, " against ", Figure(thousands_usd(replicas), "cost.advised_usd"), " of the replicas")


def _replicas_usd(sizing: Sizing) -> float | None:
    return sizing.cost.advised.whole_usd if sizing.cost.advised is not None else None


def larger_cards(sizing: Sizing, advised: Advice) -> Cure | None:
    """The build of larger cards that takes the place of the many replicas of a verdict, for less; None where none does."""
    build = sizing.verdict.recommended
    if build is None or build.replicas <= FEW_REPLICAS:
        return None
    found = next((cure for cure in advised.found if cure.kind == "card"), None)
    replicas = _replicas_usd(sizing)
    if found is None or found.usd is None or (replicas is not None and found.usd >= replicas):
        return None
    return found


SHORT_OF_MEMORY = ("no-start", "over-memory")
"""Notices that say what the answer says: what to do about the build is what ends them."""


def ended(notice: Notice, found: Advice) -> Notice:
    """A notice that a build does not fit with the first change that makes it carry the workload; others as they are."""
    if notice.id not in SHORT_OF_MEMORY or not found.fixes:
        return notice
    return replace(notice, fix=found.fixes[0])


def line(cure: Cure, room: float = math.inf) -> Sentence:
    """A cure in one line with what the changed build costs.

    room: characters that it should fit; what is needed least of what the change brings goes where it does not: the wait
    for the first token beside the speed, the memory of a run beside its days; then the layout that is pinned with it.
    """
    money: Sentence = ()
    if cure.usd is not None and cure.kind in _BUYS:
        money = (Figure(thousands_usd(cure.usd), "cost.buy_usd"), " all-in")
    whole = joined((cure.told(cure.does), money), ", ")
    if len(text_of(whole)) <= room or len(cure.does) == 1:
        return whole
    by_keys = joined((cure.told(cure.does, brief=True), money), ", ")
    if cure.kind == "training" and len(text_of(by_keys)) <= room:
        return by_keys
    kept = cure.does[1:] if cure.plan.training is not None else cure.does[:1]
    told = joined((cure.told(kept), money), ", ")
    return told if len(text_of(told)) <= room else joined((cure.told(kept, brief=True), money), ", ")


_BUYS = ("gpus", "gpus and bits", "gpus and training", "nodes", "nodes and training", "card")


__all__ = [
    "Advice",
    "Cure",
    "advice",
    "advise",
    "bigger_card",
    "ended",
    "larger_cards",
    "line",
    "second_sentence",
    "shown",
]
