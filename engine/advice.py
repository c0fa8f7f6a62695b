"""What to do instead: the smallest change that makes a build run, and the smallest of these cards that would do.

One search, for whoever asks. Everything offered is a set of changes of the entered scenario, made by `engine.change` and
sized whole; nothing is offered that this very way of applying it does not size to what it says. What is owned comes
first: settings, another layout, formats that cost next to no quality, more of these cards in the box; then formats that
cost some, more boxes and other cards, the cheaper whole bill first; asking for less comes last.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, replace

from engine.answer import STATUS_WORDS, status_of
from engine.attempts import CLUSTER_NODES, largest_node
from engine.change import FREE_LAYOUT, LookUps, change
from engine.cost import cost
from engine.errors import ScenarioError
from engine.fields import Value, field_of
from engine.formats import FORMATS, KV_FORMATS
from engine.plan import Plan, layout_words, plan
from engine.power import power
from engine.recommend import ASKS_FOR_LESS, Limits, Option, options
from engine.scenario import LayoutChoice, Scenario
from engine.sentences import Part, Sentence, joined, text_of
from engine.serving_memory import engine_settings
from engine.sizing import Notice, Sizing, Status, Suggestion
from engine.suggestions import advised
from engine.units import FLEET, count, days, digits, duration, gib, thousands_usd, usd
from engine.verdict import decide

Changes = tuple[tuple[str, Value], ...]

NEAR_LOSSLESS, COSTS_QUALITY = "fp8", "int4"
"""FP8 weights score as the 16-bit model does, INT4 ones measurably less on hard tasks: Kurtic et al. 2024, "Give Me
BF16 or Give Me Death"? (arXiv 2411.02355), sections 4 and 5."""
QUALITY_WORDS = {NEAR_LOSSLESS: "near lossless", COSTS_QUALITY: "costs some quality"}
FULLER = 0.95
"""The utilization that people raise vLLM to where a build is short: above it engines preempt and drivers fail."""
OUT_OF_PROPORTION = 4.0
"""A purchase of more than so many times the entered build's bill comes after asking for less: a rule of thumb of ours."""
OTHERS = 3
CARRIES: tuple[Status, ...] = ("runs", "slow")
OWNED = ("runtime", "training", "layout", "kv", "weights", "gpus", "few bits")
"""Kinds of change that take no other box, what costs least first."""
ABSURD = 4
FAR = 4
"""A load cut to less than a quarter is another question."""


@dataclass(frozen=True, slots=True)
class Cure:
    """One change that was sized as it will be applied.

    changes: what `engine.change` is given. scenario, plan: what that makes of the entered build. what: the change in
    words, brings: what it does. usd: the whole bill of the changed build, None where a part of it is unknown. kind: what
    is changed, since two of one kind are not offered. asks_less: whether it is the load that gives way, not the build; far: whether next to nothing is left of it.
    """

    changes: Changes
    scenario: Scenario
    plan: Plan
    status: Status
    what: Sentence
    brings: Sentence
    usd: float | None = None
    kind: str = ""
    asks_less: bool = False
    far: bool = False

    @property
    def headline(self) -> Sentence:
        """The change and what it brings: `4 GPUs in the node: RUNS, 20.0 of 23.7 GiB`."""
        return (*self.what, f": {STATUS_WORDS[self.status]}, ", *self.brings)


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do about one scenario. cure: None where it runs, or where nothing was found. smaller: fewer of the
    entered cards that would do; others: further cures, each of another kind."""

    scenario: Scenario
    cure: Cure | None = None
    smaller: Cure | None = None
    others: tuple[Cure, ...] = ()

    @property
    def first(self) -> Cure | None:
        """The one thing to do."""
        return self.cure or self.smaller

    @property
    def offered(self) -> tuple[Cure, ...]:
        """Everything on offer, the one thing to do first."""
        return tuple(cure for cure in (self.cure, self.smaller, *self.others) if cure is not None)


@dataclass(frozen=True, slots=True)
class _Option:
    """A change to try. kind: of two that work, one of each kind is offered."""

    kind: str
    what: Sentence
    changes: Mapping[str, Value]
    asks_less: bool = False
    far: bool = False


def advise(scenario: Scenario, facts: LookUps | None = None) -> Generator[None, None, Advice]:
    """Search, yielding after every build that was sized; the advice is what the generator returns.

    Raises ScenarioError for a scenario that cannot be sized.
    """
    entered = plan(scenario)
    status = status_of(entered)
    if status == "runs":
        smaller = yield from _tried(scenario, _fewer(entered), facts, ("runs",), 1)
        return Advice(scenario, smaller=smaller[0] if smaller else None)
    good: tuple[Status, ...] = ("runs",) if status == "slow" else CARRIES
    owned = yield from _tried(scenario, _owned(entered), facts, good)
    bought = yield from _tried(scenario, _more_boxes(entered), facts, ("runs",), 1)
    bill = cost(entered, power(scenario, entered.memory.host_bytes)).whole_usd
    # nobody who named no speed buys several times the build for one
    most = OUT_OF_PROPORTION * bill if status == "slow" and bill is not None else math.inf
    bought += yield from _other_cards(scenario, facts, most)
    less = yield from _tried(scenario, _asking_less(entered), facts, ("runs",), 1)
    found = sorted([*owned, *bought, *less], key=lambda cure: _preference(cure, bill))
    if status == "slow":
        found = [cure for cure in found if _preference(cure, bill)[0] < ABSURD]
    return Advice(scenario, found[0] if found else None, None, tuple(found[1 : OTHERS + 1]))


def _preference(cure: Cure, entered_usd: float | None) -> tuple[int, float]:
    """What comes first: what is owned and runs, then what is owned and slow, then purchases by their whole bill, a load
    made smaller before a purchase that is out of all proportion, and unknown bills after known ones."""
    if cure.asks_less:
        return (ABSURD + 1 if cure.far else 3), 0.0
    if cure.kind in OWNED:
        return (0 if cure.status == "runs" else 1), OWNED.index(cure.kind)
    if cure.usd is None:
        return ABSURD, 0.0
    return (ABSURD if entered_usd is not None and cure.usd > OUT_OF_PROPORTION * entered_usd else 2), cure.usd


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
    options: Iterator[_Option],
    facts: LookUps | None,
    wanted: tuple[Status, ...],
    most: int | None = None,
) -> Generator[None, None, list[Cure]]:
    """Options that size to a wanted status: the first of each kind, a better status before a worse one of its kind.

    most: kinds that are enough.
    """
    found: dict[str, Cure] = {}
    for option in options:
        have = found.get(option.kind)
        if have is not None and have.status == wanted[0]:
            continue
        cure = _sized(scenario, option, facts)
        yield
        if cure is not None and cure.status in wanted and (have is None or cure.status == wanted[0]):
            found[option.kind] = cure
            if most is not None and len(found) == most:
                break
    return list(found.values())


def _sized(scenario: Scenario, option: _Option, facts: LookUps | None) -> Cure | None:
    """An option as a person would apply it; None where that is no valid build, or changes nothing."""
    try:
        changed = change(scenario, option.changes, facts)
        if changed == scenario:
            return None
        made = plan(changed)
    except ScenarioError:
        return None
    bill = cost(made, power(changed, made.memory.host_bytes))
    return Cure(
        changes=tuple(option.changes.items()),
        scenario=changed,
        plan=made,
        status=status_of(made),
        what=option.what,
        brings=_brings(made),
        usd=bill.whole_usd,
        kind=option.kind,
        asks_less=option.asks_less,
        far=option.far,
    )


def _brings(made: Plan) -> Sentence:
    """What the changed build does, in its two or three figures."""
    if made.training is not None:
        need, usable = gib(made.memory.peak_bytes), gib(made.memory.worst.usable_bytes)
        parts: list[Sentence] = [(f"{need} of {usable} GiB",), (days(made.training.days),)]
        if made.run_usd is not None:
            parts.append((f"{usd(made.run_usd)} rented",))
        return joined(parts, ", ")
    if made.serving is None:
        return ("no speed",)
    if made.serving.days is not None:
        rent = "" if made.run_usd is None else f", {usd(made.run_usd)} rented"
        return (f"{days(made.serving.days)} for the corpus{rent}",)
    user = f"{digits(made.serving.tokens_per_s_user)} tok/s a user"
    return (f"{user}, first token {duration(made.serving.ttft_s)}",)


# ---------------------------------------------------------------- what is tried, in this order


def _owned(entered: Plan) -> Iterator[_Option]:
    """What takes no other box: settings, layout, formats and more of these cards in the node; one kind after the other.

    The order is OWNED's: a format that costs quality comes after more cards in the box.
    """
    yield from _settings(entered)
    yield from _other_layout(entered)
    yield from _formats(entered, NEAR_LOSSLESS)
    yield from _more_in_the_box(entered)
    yield from _formats(entered, COSTS_QUALITY)


def _settings(entered: Plan) -> Iterator[_Option]:
    """What costs nothing: settings of the engine, and of a training run those that its memory names."""
    scenario = entered.scenario
    if not scenario.workload.is_inference:
        for suggestion in advised(entered).memory.suggestions:
            if suggestion.field.startswith("workload.") and suggestion.field not in ASKS_FOR_LESS:
                yield _Option("training", (shown(suggestion.field, suggestion.value),), dict(suggestion.changes))
        return
    runtime, limit = engine_settings(scenario, entered.layout), scenario.model.architecture.max_position
    length = -(-scenario.workload.tokens_per_request // 1024) * 1024
    shorter: dict[str, Value] = {"runtime.max_model_len": min(limit, length) if limit else length}
    fuller: dict[str, Value] = {"runtime.memory_utilization": FULLER}
    too_long = not entered.memory.starts and runtime.max_model_len > length
    too_empty = not entered.fits and (scenario.runtime.memory_utilization or 0.0) < FULLER
    if too_long:
        yield _Option("runtime", (f"sequences of at most {count(length)} tokens",), shorter)
    if too_empty:
        yield _Option("runtime", (f"utilization {FULLER:g}",), fuller)
    if too_long and too_empty:
        words = f"sequences of at most {count(length)} tokens at utilization {FULLER:g}"
        yield _Option("runtime", (words,), shorter | fuller)


def _other_layout(entered: Plan) -> Iterator[_Option]:
    """The layout left to choose, where a person pinned one."""
    if entered.scenario.layout == LayoutChoice():
        return
    free = replace(entered.scenario, layout=LayoutChoice())
    try:
        words = layout_words(plan(free).layout)
    except ScenarioError:
        return
    yield _Option("layout", (f"{words} instead of the pinned layout",), FREE_LAYOUT)


def _formats(entered: Plan, smaller: str) -> Iterator[_Option]:
    """Fewer bits: of the cache beside FP8 weights, of the weights, of both."""
    model = entered.scenario.model
    if not entered.scenario.workload.is_inference:
        return
    cache = {"model.kv_cache": "fp8"} if KV_FORMATS[model.kv_cache].bits > 8 else {}
    if cache and smaller == NEAR_LOSSLESS:
        yield _Option("kv", ("FP8 KV cache",), cache)
    if FORMATS[model.weights].bits_per_weight <= FORMATS[smaller].bits_per_weight + 0.5:
        return
    words, cost_of = FORMATS[smaller].label.partition(" ")[0], QUALITY_WORDS[smaller]
    weights: dict[str, Value] = {"model.weights": smaller}
    kind = "weights" if smaller == NEAR_LOSSLESS else "few bits"
    yield _Option(kind, (f"{words} weights ({cost_of})",), weights)
    if cache:
        yield _Option(kind, (f"{words} weights ({cost_of}) and FP8 KV cache",), weights | cache)


def _more_in_the_box(entered: Plan) -> Iterator[_Option]:
    hardware = entered.scenario.hardware
    if hardware.mixed:
        return
    for gpus in (2, 4, 8):
        if hardware.gpus_per_node < gpus <= largest_node(hardware):
            words = f"{gpus} GPUs in {'the' if hardware.nodes == 1 else 'each'} node"
            yield _Option("gpus", (words,), {"hardware.gpus_per_node": gpus, **_free(entered)})
    if hardware.nodes > 1:
        one = {"hardware.gpus_per_node": largest_node(hardware), "hardware.nodes": 1, **_free(entered)}
        if one["hardware.gpus_per_node"] != hardware.gpus_per_node:
            yield _Option("gpus", (f"one node of {largest_node(hardware)} GPUs",), one)


def _more_boxes(entered: Plan) -> Iterator[_Option]:
    """More nodes of the entered size, then of the largest box; for a date also the number that the verdict counts."""
    hardware = entered.scenario.hardware
    largest = max(hardware.gpus_per_node, largest_node(hardware))
    build = decide(entered.scenario, entered).recommended if entered.scenario.workload.is_run else None
    counted = (build.gpus_per_node, build.nodes) if build is not None and 1 < build.nodes < FLEET else None
    for per_node in dict.fromkeys((hardware.gpus_per_node, largest)):
        more = {counted[1]} if counted is not None and counted[0] == per_node else set()
        for nodes in sorted({*CLUSTER_NODES, *more}):
            if nodes > hardware.nodes or (per_node > hardware.gpus_per_node and nodes >= hardware.nodes):
                changes: dict[str, Value] = {"hardware.nodes": nodes, **_free(entered)}
                words = f"{nodes} nodes"
                if per_node != hardware.gpus_per_node:
                    changes["hardware.gpus_per_node"] = per_node
                    words += f" of {per_node} GPUs"
                yield _Option("nodes", (words,), changes)


def _free(entered: Plan) -> Mapping[str, Value]:
    """The layout left to choose where one is pinned: other GPUs take another."""
    return {} if entered.scenario.layout == LayoutChoice() else FREE_LAYOUT


def _asking_less(entered: Plan) -> Iterator[_Option]:
    """A smaller load, the last resort: fewer users, shorter prompts, adapters instead of all weights."""
    scenario = entered.scenario
    for suggestion in advised(entered).memory.suggestions:
        if suggestion.field in ASKS_FOR_LESS:
            smaller = shown(suggestion.field, suggestion.value)
            yield _Option("less", (smaller,), dict(suggestion.changes), asks_less=True)
    if scenario.workload.is_inference and not scenario.workload.is_run and entered.serving is not None:
        for users in _halved(scenario.workload.concurrency):
            words = shown("workload.concurrency", users)
            far = FAR * users < scenario.workload.concurrency
            yield _Option("less", (words,), {"workload.concurrency": users}, asks_less=True, far=far)


def _halved(users: int) -> Iterator[int]:
    while users > 1:
        users //= 2
        yield users


def _fewer(entered: Plan) -> Iterator[_Option]:
    """Fewer of the cards of a build that runs, the fewest first. A run without a deadline has no use for fewer."""
    hardware, work = entered.scenario.hardware, entered.scenario.workload
    if hardware.mixed or (work.is_run and work.deadline_days is None):
        return
    tried = [
        (gpus, 1) for gpus in (1, 2, 4, 8) if gpus < hardware.gpus or (hardware.nodes > 1 and gpus <= hardware.gpus)
    ]
    tried += [(hardware.gpus_per_node, nodes) for nodes in range(2, min(hardware.nodes, 9))]
    for gpus, nodes in tried:
        if gpus > max(hardware.gpus_per_node, largest_node(hardware)) or gpus * nodes > hardware.gpus:
            continue
        changes: dict[str, Value] = {"hardware.gpus_per_node": gpus, "hardware.nodes": nodes, **_free(entered)}
        same = gpus * nodes == hardware.gpus
        if nodes > 1:
            words = f"{nodes} of these {hardware.nodes} nodes would do"
        elif same:
            words = f"one node of {gpus} GPUs would do"
        else:
            words = f"{gpus} of these {hardware.gpus:,} GPUs would do"
        yield _Option("fewer", (words,), changes)


# ---------------------------------------------------------------- other cards


def _other_cards(scenario: Scenario, facts: LookUps | None, most: float) -> Generator[None, None, list[Cure]]:
    """The build of another card with the smallest whole bill, within the budget that was entered; none without a bill.

    most: dollars that it costs at most. Dearer builds than the cheapest that was found are not planned.
    """
    within = Limits(buy_usd=scenario.workload.budget_usd) if not scenario.workload.is_run else Limits()
    best: Cure | None = None

    def ceiling() -> float:
        return math.nextafter(most, math.inf) if best is None or best.usd is None else best.usd

    for option in options(scenario, within, ceiling):
        yield
        card = option.scenario.hardware.accelerator.id if option is not None else ""
        if option is None or option.whole_usd is None or card == scenario.hardware.accelerator.id:
            continue
        if best is None or best.usd is None or option.whole_usd < best.usd:
            cure = _sized(scenario, _as_option(scenario, option), facts)
            if cure is not None and cure.status == "runs" and cure.usd is not None:
                best = cure if best is None or best.usd is None or cure.usd < best.usd else best
    return [] if best is None else [best]


def _as_option(scenario: Scenario, option: Option) -> _Option:
    """A build of the catalog as the search made it: the same changes of the entered scenario."""
    build = option.scenario
    hardware = build.hardware
    nodes = f"{hardware.nodes} nodes of " if hardware.nodes > 1 else ""
    words: list[Part] = [f"{nodes}{hardware.gpus_per_node}x {hardware.accelerator.label}"]
    if build.model.weights != scenario.model.weights:
        words.append(f" at {FORMATS[build.model.weights].label.partition(' ')[0]}")
    return _Option("card", tuple(words), dict(option.changes))


_PHRASES = {
    "workload.concurrency": "{} users at once",
    "workload.input_tokens": "prompts of {} tokens",
    "workload.output_tokens": "answers of {} tokens",
    "workload.sequence_length": "sequences of {} tokens",
    "workload.micro_batch": "micro-batches of {}",
    "workload.lora_rank": "rank {}",
}


def shown(key: str, value: Value) -> str:
    """A change of one key in words: `prompts of 8k tokens`, `optimizer adamw-8bit`."""
    amount = count(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
    if isinstance(value, bool):
        amount = "on" if value else "off"
    if (key, value) == ("workload.concurrency", 1):
        return "one user at a time"
    phrase = _PHRASES.get(key)
    return phrase.format(amount) if phrase else f"{field_of(key).label.lower()} {amount}"


FEW_REPLICAS = 4
"""More replicas than that are held against one build of larger cards."""


def bigger_card(sizing: Sizing, advised: Advice) -> Notice | None:
    """What a verdict of many replicas must say beside them: a build of larger cards that carries the load, for less.

    None where the verdict names few replicas, where the notices name such a card already, or where none was found.
    """
    build = sizing.verdict.recommended
    named = any(notice.id == "bigger-card" for notice in sizing.warnings)
    if build is None or build.replicas <= FEW_REPLICAS or named:
        return None
    larger = (cure for cure in (advised.cure, *advised.others) if cure is not None and cure.kind == "card")
    found = next(larger, None)
    replicas = sizing.cost.advised.whole_usd if sizing.cost.advised is not None else None
    if found is None or found.usd is None or (replicas is not None and found.usd >= replicas):
        return None
    against = f" against {thousands_usd(replicas)} of the replicas" if replicas is not None else ""
    return Notice(
        "bigger-card",
        "warning",
        f"{text_of(found.what)} carries the load by itself for {thousands_usd(found.usd)}{against}.",
        Suggestion(found.changes, text_of(found.headline), text_of(found.what)),
    )


def line(cure: Cure) -> Sentence:
    """A cure in one line with what the changed build costs."""
    money: Sentence = (f", {thousands_usd(cure.usd)} all-in",) if cure.usd is not None and cure.kind in _BUYS else ()
    return (*cure.headline, *money)


_BUYS = ("gpus", "nodes", "card")


__all__ = ["Advice", "Cure", "advice", "advise", "bigger_card", "line", "shown"]
