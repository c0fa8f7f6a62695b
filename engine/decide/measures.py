"""What a training run may change of itself where the build at hand does not carry it as entered: settings, then another framework.

One search for the verdict, which asks it before it takes more cards, and for the advice, which offers what it finds: the two
name the same change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Final

from engine.decide.host_notices import host_ram_gb
from engine.decide.offers import Offer, carries, offer, sized
from engine.decide.plan import Plan, plan
from engine.decide.scaling import FLOOR
from engine.decide.suggestions import roomy
from engine.figures.records import NamedTuple, dataclass
from engine.figures.sentences import Sentence
from engine.figures.units import GB
from engine.money.bill import BOARD_GPUS
from engine.money.power import Host, host_of
from engine.parts.hardware import Facts
from engine.runtimes.frameworks import FRAMEWORKS, STAND_INS, TrainingFramework
from engine.scenario import TUNED_KINDS, Hardware, Recompute, Scenario
from engine.scenario.fields import Value
from engine.scenario.frameworks import framework_of, framework_words, splits_of
from engine.training.memory import training_settings

ASKS_FOR_LESS = frozenset(
    f"workload.{name}"
    for name in (
        "concurrency", "input_tokens", "output_tokens", "sequence_length", "kind", "tuning", "lora_rank", "total_tokens",
    )
)  # fmt: skip
"""Keys whose change makes the work another one, or less of it."""


@dataclass(frozen=True, slots=True)
class Try:
    """A change to try. kind: of two that work, one of each kind is offered. asks_less: whether it is the load that
    gives way, not the build; far: whether next to nothing is left of it. keeps: whether it takes memory that is free, and so is
    worth an offer only where enough stays so."""

    kind: str
    what: Sentence
    changes: Mapping[str, Value]
    asks_less: bool = False
    far: bool = False
    keeps: bool = False


class Measure(NamedTuple):
    """A change of a run, and what was made of it on the cards of the entered build."""

    option: Try
    made: Offer


def measured(entered: Plan) -> Measure | None:
    """The change of a run, costing least in quality and speed, after which the cards at hand carry it; None where none does, where
    they carry it as it is, and of what is no run.

    One that leaves room comes before one that fits marginally, settings before another framework, one change before two. What
    the host is known to have no memory for is none.
    """
    if entered.scenario.workload.is_inference or entered.carries:
        return None
    return _measured(entered.scenario, entered.scenario.facts)


@lru_cache(maxsize=64)
def _measured(scenario: Scenario, facts: Facts) -> Measure | None:
    """`measured` of a scenario, whose facts are not part of what makes two scenarios equal."""
    entered, said = plan(scenario), host_ram_gb(scenario)
    ram_gb = _most_ram_gb(scenario.hardware) if said is None else said
    for options in (_options(entered), other_framework(entered)):
        first: Measure | None = None
        for option in options:
            made = offer(scenario, option.changes, carries)
            if made is None or (option.keeps and not roomy(made.plan.memory)):
                continue
            if made.plan.memory.host_bytes > ram_gb * GB:
                continue
            if made.plan.memory.headroom != "marginal":
                return Measure(option, made)
            first = first or Measure(option, made)
        if first is not None:
            return first
    return None


def _most_ram_gb(hardware: Hardware) -> float:
    """Memory of a node that is taken for granted where nobody says; of a part of a board its part."""
    kind = host_of(hardware)
    share = min(1.0, hardware.gpus_per_node / BOARD_GPUS) if kind == "board" else 1.0
    return MOST_RAM_GB[kind] * share


MOST_RAM_GB: Final[dict[Host, float]] = {
    "pc": 256.0,
    "workstation": 1024.0,
    "small server": 768.0,
    "server": 2304.0,
    "board": 4096.0,
    "rack": 960.0,
    "own": 128.0,
}
"""GB, by kind of node: what boards of its kind take in modules of 64 GB, four of a PC, eight of a
workstation with 128, twelve a socket; of a board of modules twice what makers ship; two Grace; the one memory of a small computer."""


def _options(entered: Plan) -> Iterator[Try]:
    """What to try, in order; changes of a run that is late or dear may ask for memory, which another change gives."""
    if not entered.fits:
        yield from settings(entered)
    elif _near(entered):
        quick = list(quicker(entered))
        yield from quick
        for option in quick:
            after = sized(entered.scenario, option.changes, lambda _: True)
            if after is not None and not after.fits:
                for more in settings(after):
                    if not option.changes.keys() & more.changes.keys():
                        both = {**option.changes, **more.changes}
                        yield Try("training", (*option.what, " and ", *more.what), both, keeps=True)


LEAST_SHARE: Final[dict[Recompute, float]] = {"full": 0.7, "selective": 0.8, "none": 1.0}
"""What is left at least of a step's time where nothing is computed again: of four parts, forward, forward again and a backward
of two, three; and a little for what goes with it."""


def _near(entered: Plan) -> bool:
    """Whether a run that misses its deadline or its budget may keep them by being done otherwise; False is all but certain."""
    run, work = entered.training, entered.scenario.workload
    if run is None:
        return False
    share = LEAST_SHARE[work.recompute] * (run.efficiency if run.efficiency < FLOOR else 1.0)
    in_time = work.deadline_days is None or share * run.days <= work.deadline_days
    return in_time and (work.budget_usd is None or share * (entered.run_usd or 0.0) <= work.budget_usd)


def settings(entered: Plan) -> Iterator[Try]:
    """Changes of how a run is done that make it fit: those that its memory names, two at once among them."""
    for one in training_settings(entered.scenario, entered.layout):
        yield Try("training", one.what, dict(one.changes))


def roomier(entered: Plan) -> Iterator[Try]:
    """Changes of how a run is done that give room to one which fits, and may not."""
    return (replace(one, keeps=True) for one in settings(entered))


SHARDS: Final[TrainingFramework] = "axolotl"
"""Who is named to someone whose framework copies a model to each GPU: it shards adapters and packed bases too (FSDP2)."""


NEMO_RL: Final = f"{STAND_INS['nemo-rl'].label} on its Megatron backend"
"""Which of NeMo's programs trains by preferences and rewards, and splits layers; it is sized as NeMo is."""


def other_framework(entered: Plan) -> Iterator[Try]:
    """A framework that shards where the entered one copies, or splits weights where it only shards them: it is another
    program, and said so."""
    scenario = entered.scenario
    workload = scenario.workload
    if workload.is_inference or scenario.hardware.gpus == 1:
        return
    if "zero3" not in framework_of(workload).shardings and FRAMEWORKS[SHARDS].steps_by(workload.optimizer):
        words = f"{FRAMEWORKS[SHARDS].name} in the place of {framework_words(workload)}, since it shards over GPUs"
        yield Try("framework", (words,), {"workload.framework": SHARDS})
    if workload.trains == "qlora" or "tp" in splits_of(workload):
        return
    # torchtitan splits no adapters, and its trainer knows neither preferences nor rewards, which of NeMo's NeMo RL trains
    by_nemo = workload.trains == "lora" or workload.kind in TUNED_KINDS
    for name in ("nemo",) if by_nemo else ("torchtitan", "nemo"):
        if not FRAMEWORKS[name].steps_by(workload.optimizer):
            continue
        label = NEMO_RL if workload.kind in TUNED_KINDS else FRAMEWORKS[name].name
        words = f"{label} in the place of {framework_words(workload)}, since it splits layers over GPUs"
        yield Try("framework", (words,), {"workload.framework": name})


def quicker(entered: Plan) -> Iterator[Try]:
    """What makes a run that works sooner done on the same cards: activations that are kept instead of computed again, and
    over nodes whose GPUs wait for each other more than the floor allows, shards that stay inside a node, or of the optimizer's
    states alone."""
    scenario, run = entered.scenario, entered.training
    work = scenario.workload
    if run is None:
        return
    if run.efficiency < FLOOR and scenario.hardware.nodes > 1:
        if work.sharding != "ddp" and work.sharding_group == "all":
            yield Try("training", ("shards inside a node, copies across",), {"workload.sharding_group": "node"})
        if work.sharding in ("zero2", "zero3") and "zero1" in framework_of(work).shardings:
            yield Try("training", ("optimizer states sharded alone (ZeRO-1)",), {"workload.sharding": "zero1"})
    for kept, words in KEPT[work.recompute]:
        yield Try("training", (words,), {"workload.recompute": kept}, keeps=True)


KEPT: Final[dict[Recompute, tuple[tuple[Recompute, str], ...]]] = {
    "full": (("none", "no recomputation"), ("selective", "selective recomputation")),
    "selective": (("none", "no recomputation"),),
    "none": (),
}
"""Less recomputation than a run has, and in words."""
