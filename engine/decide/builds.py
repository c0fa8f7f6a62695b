"""Builds of the catalog that carry a workload, ranked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Literal

from engine.decide.offers import carries, sized
from engine.decide.plan import Plan
from engine.figures.errors import ScenarioError
from engine.figures.records import dataclass
from engine.figures.sentences import Figure, Sentence, joined, said, text_of
from engine.figures.units import duration
from engine.model.formats import FORMATS, model_weight_bytes
from engine.money.bill import bill, card_price, sold_in, sold_words, whole_usd
from engine.money.cost import cost, tokens_per_usd
from engine.money.power import power
from engine.parts.hardware import NOT_OFFERED, Accelerator, Facts
from engine.scenario import Scenario
from engine.scenario.change import FREE_LAYOUT, Changes, change, value_of
from engine.scenario.fields import Value

Rank = Literal["cheapest to buy", "cheapest to rent", "most tokens per dollar", "least power", "fewest GPUs"]
RANKS: tuple[Rank, ...] = (
    "cheapest to buy",
    "cheapest to rent",
    "most tokens per dollar",
    "least power",
    "fewest GPUs",
)
# Shapes that are sold: one to eight cards in a box, then boxes of eight.
SHAPES = ((1, 1), (2, 1), (4, 1), (8, 1), (8, 2), (8, 3), (8, 4))
# With no speed asked for, a build that writes slower than people read is not recommended: 238 words a minute
# (Brysbaert 2019, How many words do we read per minute?) at 0.75 words a token (OpenAI's rule of thumb for English).
READING_TOKENS_PER_S = 238 / 60 / 0.75
# What "fits with headroom" means for a build that nobody asked for by name: the memory's own two upper words.
HEADROOM = ("comfortable", "fits")
# With no first-token target, how long people are taken to wait: MLPerf Inference gives Llama 3.1 405B 6,000 ms in its
# server scenario (MLCommons inference rules), for prompts of 9.4k tokens on average; longer prompts take longer.
PATIENCE_S, PATIENCE_TOKENS = 6.0, 9400
# Superchips of a rack are rented and sold by the compute tray, four to a node.
RACK_NODE_GPUS = 4
# At INT4 a build is only offered when the person's own format is at most this many bits: nobody asks for BF16 and
# means INT4.
INT4_FROM_BITS = 8.5


NO_CARD_PRICES: Changes = {"money.gpu_price_usd": None, "money.usd_per_gpu_hour": None}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a build must stay within; None or empty is no limit. owned: accelerator ids that cost nothing to buy."""

    buy_usd: float | None = None
    rent_usd_per_month: float | None = None
    power_w: float | None = None
    vendors: tuple[str, ...] = ()
    form_factors: tuple[str, ...] = ()
    owned: tuple[str, ...] = ()
    max_gpus: int | None = None


@dataclass(frozen=True, slots=True)
class Option:
    """One build that carries the workload, with what ranks it. None is an unknown price, and ranks last.

    buy_usd: of the cards, or of the kit, the boards or the rack that they are sold as; sold says how, where more are bought
    than are used. whole_usd: with hosts and network, None where any of it is unknown; it ranks, and it is what a limit
    holds. caveats: why a build without them is preferred, such as "marginal". changes: of the entered build, that make this one.
    """

    plan: Plan
    buy_usd: float | None
    rent_usd_per_month: float | None
    tokens_per_usd: float | None
    power_w: float | None
    caveats: tuple[Sentence, ...] = ()
    sold: str = ""
    whole_usd: float | None = None
    changes: tuple[tuple[str, Value], ...] = ()

    @property
    def scenario(self) -> Scenario:
        """The build as a scenario that can be opened as a session."""
        return self.plan.scenario

    @property
    def gpus(self) -> int:
        """GPUs over all nodes."""
        return self.plan.scenario.hardware.gpus


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The first build of one ranking and why it is first, in its figures. passed: one without headroom that it would have
    lost to."""

    rank: Rank
    option: Option
    reason: Sentence
    passed: Option | None = None


def _accelerators(scenario: Scenario, limits: Limits) -> Iterator[Accelerator]:
    """Cards within the limits: those on offer, and whatever is owned or entered."""
    have = (*limits.owned, scenario.hardware.accelerator.id)
    for accelerator in scenario.facts.accelerators:
        if limits.vendors and accelerator.vendor not in limits.vendors:
            continue
        if limits.form_factors and accelerator.form_factor not in limits.form_factors:
            continue
        if limits.owned and accelerator.id not in limits.owned:
            continue
        offered = not accelerator.status and accelerator.segment not in NOT_OFFERED
        if not offered and accelerator.id not in have:
            continue
        yield accelerator


def _speed_unknown(accelerator: Accelerator, scenario: Scenario, limits: Limits) -> bool:
    """Whether a card has no 16-bit rate, and nobody has one: who has is told what a report says; nobody is sent to buy one."""
    rated = accelerator.tflops_bf16_dense is not None or accelerator.tflops_fp16_dense is not None
    return not rated and accelerator.id not in (*limits.owned, scenario.hardware.accelerator.id)


def left_out(scenario: Scenario, limits: Limits | None = None) -> tuple[Accelerator, ...]:
    """Cards within the limits that no search tries, since no 16-bit rate of theirs is known."""
    within = limits or Limits()
    return tuple(card for card in _accelerators(scenario, within) if _speed_unknown(card, scenario, within))


def _formats(scenario: Scenario) -> tuple[str, ...]:
    chosen = scenario.model.weights
    if scenario.workload.is_inference and 5 < FORMATS[chosen].bits_per_weight <= INT4_FROM_BITS:
        return chosen, "int4"
    return (chosen,)


def _within(option: Option, limits: Limits) -> bool:
    pairs = (
        (option.whole_usd, limits.buy_usd),
        (option.rent_usd_per_month, limits.rent_usd_per_month),
        (option.power_w, limits.power_w),
    )
    return all(limit is None or (value is not None and value <= limit) for value, limit in pairs)


def priced(found: Plan, limits: Limits | None = None, changes: Changes | None = None) -> Option:
    """A plan with its money and power. changes: of the entered build, that make it."""
    draw = power(found.scenario)
    money = cost(found, draw)
    hardware = found.scenario.hardware
    owned = limits is not None and hardware.accelerator.id in limits.owned
    buy = money.lines[0].usd
    whole = sold_in(found.scenario.facts, hardware.accelerator)
    sold = sold_words(whole) if whole and not any(hardware.gpus_per_node % count == 0 for count in whole) else ""
    per_usd = None
    if money.rent_usd_per_hour and found.serving is not None:
        per_usd = tokens_per_usd(found.serving.tokens_per_s_total, money.rent_usd_per_hour)
    elif money.rent_usd_per_hour and found.training is not None:
        per_usd = tokens_per_usd(found.training.tokens_per_s_total, money.rent_usd_per_hour)
    return Option(
        plan=found,
        buy_usd=0.0 if owned else buy,
        rent_usd_per_month=money.rent_usd_per_month,
        tokens_per_usd=per_usd,
        power_w=draw.total_w,
        caveats=caveats_of(found),
        sold="" if owned else sold,
        whole_usd=0.0 if owned else money.whole_usd,
        changes=tuple((changes or {}).items()),
    )


def caveats_of(found: Plan) -> tuple[Sentence, ...]:
    """What a build is short of that one with headroom is not: memory, or the wait for the first token."""
    caveats: list[Sentence] = [] if found.memory.headroom in HEADROOM else [(found.memory.headroom,)]
    work, serving = found.scenario.workload, found.serving
    if serving is None or work.kind == "batch" or work.ttft_target_s is not None:
        return tuple(caveats)
    patience = PATIENCE_S * max(1.0, work.input_tokens / PATIENCE_TOKENS)
    if serving.ttft_s > patience:
        caveats.append(("first token after ", Figure(duration(serving.ttft_s), "serving.ttft_s")))
    return tuple(caveats)


def readable(found: Plan) -> bool:
    """Whether people can read along, where they did not say how fast it must be."""
    if found.serving is None or found.scenario.workload.kind == "batch":
        return True
    if found.scenario.workload.tokens_per_s_user_target is not None:
        return True
    return found.serving.tokens_per_s_user >= READING_TOKENS_PER_S


def options(
    scenario: Scenario, limits: Limits | None = None, ceiling: Callable[[], float] | None = None
) -> Iterator[Option | None]:
    """`option_steps` without the builds that were only tried: each that carries the workload, None after each card."""
    return (None if step == "card" else step for step in option_steps(scenario, limits, ceiling) if step != "tried")


def option_steps(
    scenario: Scenario, limits: Limits | None = None, ceiling: Callable[[], float] | None = None
) -> Iterator[Option | Literal["card", "tried"]]:
    """Every build of the catalog that carries the workload; "tried" after one that was sized, "card" after all of one card.

    A generator, so that a caller can show progress, let a key through and stop. Once a card carries the workload with headroom in some
    shape, its larger shapes are not tried: they only cost more. ceiling: for who wants only a cheaper whole bill than
    that, which may fall while the search goes on: others, and those whose bill is unknown, are not planned, and cards
    that come cheap are tried first.
    """
    limits = limits or Limits()
    architecture = scenario.model.architecture
    inference = scenario.workload.is_inference
    cards = list(_accelerators(scenario, limits))
    if ceiling is not None:
        need = model_weight_bytes(architecture, _formats(scenario)[-1])
        cards.sort(key=lambda card: _cards_usd(scenario.facts, card, need))
    for accelerator in cards:
        if _speed_unknown(accelerator, scenario, limits):
            continue
        same_card = accelerator.id == value_of(scenario, "hardware.accelerator") and not scenario.hardware.mixed
        # prices that a person entered are those of their own card
        prices = {} if same_card else NO_CARD_PRICES
        for weights in _formats(scenario):
            smallest = model_weight_bytes(architecture, weights) if inference else 0
            for gpus_per_node, nodes in SHAPES:
                if gpus_per_node > (accelerator.max_gpus_per_node or gpus_per_node):
                    break
                if "rack" in accelerator.segment and gpus_per_node < RACK_NODE_GPUS:
                    continue
                if limits.max_gpus is not None and gpus_per_node * nodes > limits.max_gpus:
                    break
                if smallest > accelerator.memory_bytes * gpus_per_node * nodes:
                    continue
                build: Changes = {
                    "hardware.accelerator": accelerator.id,
                    "hardware.second_accelerator": None,
                    "hardware.gpus_per_node": gpus_per_node,
                    "hardware.nodes": nodes,
                    "hardware.platform": None,
                    "hardware.inter_link": scenario.hardware.inter_link.id,  # the network that is there
                    "model.weights": weights,
                    **prices,
                    **FREE_LAYOUT,
                }
                if ceiling is not None and not _cheaper(scenario, build, ceiling()):
                    continue
                found = sized(scenario, build, carries)
                yield "tried"
                if found is not None and readable(found):
                    option = priced(found, limits, build)
                    if _within(option, limits):
                        yield option
                    roomy = found.memory.headroom in HEADROOM
                    if not option.caveats or (roomy and gpus_per_node == SHAPES[-1][0]):
                        break  # more boxes give room, and no earlier first token
        yield "card"


def _cards_usd(facts: Facts, card: Accelerator, need: int) -> float:
    """About what the fewest cards cost that hold so many bytes: an order to search in, no bill."""
    each = card_price(facts, card).usd_each
    return math.inf if each is None else each * -(-need // card.memory_bytes)


def _cheaper(scenario: Scenario, build: Changes, usd: float) -> bool:
    """Whether the whole bill of a build is known and may be below so many dollars: without a fabric, if it can do so."""
    try:
        whole = whole_usd(bill(change(scenario, build), alone=scenario.workload.is_inference))
    except ScenarioError:
        return False
    return whole is not None and whole < usd


def _score(rank: Rank, option: Option) -> tuple[bool, bool, float, int]:
    """Known before unknown, with headroom before without, then the figure, then fewer GPUs."""
    value: float | None
    if rank == "cheapest to buy":
        value = option.whole_usd
    elif rank == "cheapest to rent":
        value = option.rent_usd_per_month
    elif rank == "most tokens per dollar":
        value = -option.tokens_per_usd if option.tokens_per_usd is not None else None
    elif rank == "least power":
        value = option.power_w
    else:
        value = float(option.gpus)
    return value is None, bool(option.caveats), value if value is not None else 0.0, option.gpus


def _figure(rank: Rank, option: Option) -> Sentence:
    if rank == "cheapest to buy" and option.buy_usd is not None:
        cards = f"${option.buy_usd:,.0f} of cards"
        if option.whole_usd is None:
            return (cards,)
        return (Figure(f"${option.whole_usd:,.0f}", "cost.buy_usd"), f" all in, {cards}")
    if rank == "cheapest to rent" and option.rent_usd_per_month is not None:
        return (Figure(f"${option.rent_usd_per_month:,.0f}", "cost.rent_usd_per_month"), " a month")
    if rank == "most tokens per dollar" and option.tokens_per_usd is not None:
        return (Figure(f"{option.tokens_per_usd / 1e6:,.2f}M", "cost.tokens_per_usd"), " tokens a dollar")
    if rank == "least power" and option.power_w is not None:
        return (Figure(f"{option.power_w / 1000:,.1f} kW", "power.total_w"),)
    return (Figure(f"{option.gpus}", "build.gpus"), f" GPU{'s' if option.gpus > 1 else ''}")


def _reason(rank: Rank, option: Option, passed: Option | None) -> Sentence:
    """Why it leads: its figure, its margin, and the build without headroom that would have led."""
    margin = joined(option.caveats, ", ") or (option.plan.memory.headroom,)
    told = said(_figure(rank, option), ", ", margin)
    if passed is None:
        return told
    hardware = passed.scenario.hardware
    beaten = said(
        _figure(rank, passed), f" for {hardware.gpus}x {hardware.accelerator.label}, but ", joined(passed.caveats, ", ")
    )
    return (*told, f"; {text_of(beaten)}")


def rank_options(found: list[Option]) -> tuple[Recommendation, ...]:
    """The first build of each ranking, rankings in which nothing is known left out.

    A build without headroom never leads one that has it: it is named beside the leader that it would have beaten.
    """
    ranked: list[Recommendation] = []
    for rank in RANKS:
        ordered = sorted(found, key=lambda option: _score(rank, option))
        if not ordered or _score(rank, ordered[0])[0]:
            continue
        first = ordered[0]
        beaten = [
            o for o in ordered if o.caveats and not _score(rank, o)[0] and _score(rank, o)[2:] < _score(rank, first)[2:]
        ]
        passed = None if first.caveats else min(beaten, key=lambda o: _score(rank, o), default=None)
        ranked.append(Recommendation(rank, first, _reason(rank, first, passed), passed))
    return tuple(ranked)


def recommend(scenario: Scenario, limits: Limits | None = None) -> tuple[Recommendation, ...]:
    """The best builds of the catalog for a workload within the limits; empty when none carries it."""
    return rank_options([option for option in options(scenario, limits) if option is not None])
