"""Figures on numbers that remember: the same digits, every leaf a fact with its source, arithmetic that gives the figure."""

from __future__ import annotations

import gc
import math
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from time import process_time
from typing import Any

import pytest

from engine.decide.corpus import corpus_curve
from engine.decide.flips import flip_points
from engine.decide.opened import Place, corpus, figure_ids, growth, money, placed, power, working
from engine.decide.opened.build import Build, build_of
from engine.decide.opened.compound import is_compound
from engine.decide.opened.constants import RULES
from engine.decide.opened.states import TITLES as STATES
from engine.decide.plan import Plan
from engine.decide.prospects import prospects
from engine.decide.replicas import node_capacity
from engine.decide.size import model_facts, size
from engine.figures.number import Number, choices
from engine.figures.opening import Opened, below, leaves
from engine.figures.operations import MATH, largest, smallest, whole
from engine.figures.replay import Run
from engine.figures.working import Working
from engine.serving.settings import engine_settings
from engine.sizing import Sizing
from engine.training.memory.states import planned_states
from tests.arithmetic import WHOLE, computed, evaluate, opened
from tests.engine.builds import SCENARIOS
from tests.golden.frozen import frozen_catalog, sessions
from tui.files import session

STRUCTURE = frozenset({-1, 0, 0.5, 1, 2, 3, 4, 8})
"""Literals that are the shape of a formula: a multiply and an add, both ways, three projections, bits of a byte."""
MOST_S = 0.05
UNLIKE = (
    "embedder",
    "LoRA, trained embeddings",
    "no recomputation",
    "checkpoints in host memory",
    "scores kept",
    "pipeline of four",
)
"""Builds with what no golden one has."""
DEEP = (*UNLIKE, "serve-deepseek-v3-tp8-pp2", "serve-nemotron-3-nano-ssm", "pretrain-mixtral-8x7b-ep8")
"""Builds of which figures are opened down to their last step."""


@lru_cache(maxsize=64)
def sized(name: str) -> Sizing:
    """A golden build, or one unlike all of them, sized once."""
    if name in SCENARIOS:
        return size(SCENARIOS[name]())
    return size(session.parse(sessions()[name], file=name, known=frozen_catalog()))


def planned(name: str) -> Plan:
    """The plan of a golden build."""
    return placed(sized(name), "model.params_total").plan


def nameless(root: Number, seen: set[int]) -> Iterator[str]:
    """What a figure rests on that is no fact with a source; what was seen before is not looked at again."""
    waiting = [root]
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        waiting += one.arguments
        if not one.is_leaf:
            continue
        if one.kind == "literal":
            if one is not root and one.value not in STRUCTURE:
                yield f"{one.value!r} has no name"
        elif one.kind == "computed" or not one.label or not one.source:
            yield f"{one!r} is no fact with a source"


def grown(sizing: Sizing) -> dict[str, Any]:
    """The figures of other shapes and counts of GPUs, as the plain tables have them."""
    scenario = sizing.scenario
    if scenario.workload.corpus_tokens is not None:
        curve = corpus_curve(scenario)
        points = {str(point.gpus): point for point in curve.points}
        points |= {} if curve.smallest is None else {"smallest": curve.smallest}
        return {f"corpus.{at}.{name}": getattr(one, name) for at, one in points.items() for name in corpus.FIELDS}
    if scenario.workload.is_inference:
        return {}
    rows, made = sizing.scaling, prospects(scenario)
    values: dict[str, Any] = {f"scaling.{place}": row.efficiency for place, row in enumerate(rows)}
    for point in made.curve.points:
        values |= {f"curve.{point.gpus}.{name}": getattr(point, field) for name, (field, *_) in growth.POINT.items()}
    values |= {f"curve.{name}": getattr(made.curve, name) for name in ("serial_share", "least_days")}
    values["curve.stops_paying"] = made.curve.stops_paying or made.curve.points[-1].gpus
    values["curve.usd_per_gpu_hour"] = made.usd_per_gpu_hour
    if made.choice is not None:
        for who, way in (("one", made.choice.one), ("many", made.choice.many)):
            values |= {f"choice.{who}.{name}": getattr(way, name) for name in growth.OF_OPTION}
        values |= {f"choice.{name}": getattr(made.choice, name) for name in growth.OF_CHOICE}
    if made.smallest is not None and made.smallest.plan is not None:
        values |= {f"smallest.{name}": getattr(made.smallest, name) for name in ("gpus", "days", "cost_usd")}
    return values


def spent(sizing: Sizing) -> dict[str, Any]:
    """The figures of money and power, as the plain sizing has them."""
    cost = sizing.cost
    values = {f"power.{field}": getattr(sizing.power, field) for field in power.TITLES}
    values |= {f"cost.{field}": getattr(cost, field) for field in money.TITLES if field != "tokens_per_usd"}
    for entry in cost.horizons:
        values |= {f"cost.{way}_{entry.months}_usd": getattr(entry, f"{way}_usd") for way in money.WAYS}
    values |= {f"cost.item_{number}_usd": line.usd for number, line in enumerate(cost.lines, 1)}
    values |= {f"cost.offer_{number}_usd_per_hour": offer.usd_per_hour for number, offer in enumerate(cost.offers, 1)}
    if cost.advised is not None:
        values |= {f"cost.{known}": getattr(cost.advised, field) for known, (field, *_) in money.ADVISED.items()}
        values |= {f"cost.advised_{number}_usd": line.usd for number, line in enumerate(cost.advised.lines, 1)}
    return values


def linked(sizing: Sizing) -> dict[str, Any]:
    """The figures of the fabric table."""
    names = ("seconds", "prefill_seconds", "share", "relative_speed", "bandwidth_gb_s", "latency_us", "startup_us")
    parts = tuple(f"relative_speed_{part}" for part in ("tp", "pp", "dp"))
    return {f"fabric.{row.link}.{name}": getattr(row, name) for row in sizing.fabric for name in (*names, *parts)}


def of_memory(plan: Plan, name: str) -> Any:
    """A figure of memory, of a group by its number, or of a phase of a training step."""
    memory, (index, _, rest) = plan.memory, name.partition(".")
    if index.isdigit():
        return getattr(memory.per_gpu[int(index)], rest)
    if name.startswith("phase_"):
        assert memory.training is not None
        return memory.training.phases[int(name.split("_")[1]) - 1].allocated_bytes
    own = getattr(memory.worst, name, None)
    return own if own is not None else getattr(memory, name, None)


def of_node(plan: Plan, name: str) -> Any:
    """What a node serves."""
    users, rate = node_capacity(plan.scenario)
    return {"users": users, "requests_per_s": rate}.get(name)


def of_states(plan: Plan, name: str) -> Any:
    """What claims about training memory rest on."""
    found, field = planned_states(plan.scenario, plan.layout), STATES.get(name, ("",))[0]
    if field:
        return getattr(found, field)
    if name == "trainable":
        return None if plan.memory.training is None else plan.memory.training.trainable_parameters
    held, _, each = name.rpartition(".")
    if held == "held":
        return found.held(float(each))
    return found.on_a_gpu(float(held)) if each == "each" else found.at(float(name))


def of_load(plan: Plan, name: str) -> Any:
    """What was entered."""
    if name == "max_model_len":
        return engine_settings(plan.scenario, plan.layout).max_model_len
    work = plan.scenario.workload
    return work.run_tokens if name == "total_tokens" and not work.is_inference else getattr(work, name)


OF_PLANS: dict[str, Callable[[Plan, str], Any]] = {
    "model": lambda plan, name: getattr(model_facts(plan.scenario), name),
    "memory": of_memory,
    "serving": lambda plan, name: getattr(plan.serving, name, None),
    "training": lambda plan, name: getattr(plan.training, name, None),
    "build": lambda plan, name: plan.scenario.hardware.gpus if name == "gpus" else plan.tokens_per_s_gpu,
    "load": of_load,
    "node": of_node,
    "states": of_states,
}
"""The plain figures of a plan by section."""
NOWHERE = frozenset(
    [
        "memory.marginal_users",
        "memory.stage_spread_bytes",
        "memory.allocated_bytes",
        "memory.torch_reserved_bytes",
        "training.gpus_worth",
        "training.most_gpus_worth",
        "training.frontier_gpus",
        "training.none_hidden_tokens_per_s",
        "training.most_hidden_tokens_per_s",
        "memory.largest_micro_batch",
        "memory.longest_sequence_tokens",
        "cost.tokens_per_usd",
        "node.left",
        "node.keep_all",
        "replicas",
        "curve.least_days",
        "choice.days_saved",
        "choice.usd_saved",
        "choice.usd_per_day_saved",
    ]
)
"""Figures that no plan has a field for, and results of searches that plans leave out."""


def broken(sizing: Sizing, figure: str, place: Place, tables: dict[str, Any], seen: set[int]) -> Iterator[str]:
    """What is wrong with a figure."""
    made = working(sizing, figure)
    if not (made.figure == figure and made.title and made.formula):
        yield "it has no title or formula"
    if made.value is None:
        if made.expression or tables.get(figure) is not None:
            yield "it is known"
        return
    if not math.isclose(computed(made), made.value, rel_tol=1e-9):
        yield f"the arithmetic gives {computed(made)!r}"
    yield from (f"{entry.name} has no source" for entry in made.inputs if not entry.source)
    if is_compound(place.figure):
        return
    section, _, name = place.figure.partition(".")
    find = OF_PLANS.get(section)
    value = tables[figure] if figure in tables else None if find is None else find(place.plan, name)
    if value is None:
        if place.figure not in NOWHERE and not place.figure.endswith(".wait_s"):
            yield "no plain figure is held against it"
    elif repr(made.value) != repr(value):
        yield f"{made.value!r} is not {value!r}"
    yield from nameless(build_of(place.plan).number(place.figure), seen)


@pytest.mark.parametrize("name", [*sorted(sessions()), *UNLIKE])
def test_every_figure_is_the_float_and_rests_on_named_facts(name: str) -> None:
    sizing = sized(name)
    tables = spent(sizing) | grown(sizing) | linked(sizing)
    seen: set[int] = set()
    wrong = []
    for figure in dict.fromkeys(figure_ids(sizing)):
        wrong += [f"{figure}: {what}" for what in broken(sizing, figure, placed(sizing, figure), tables, seen)]
    assert not wrong, "\n".join(wrong[:20])
    if name in DEEP:
        done: dict[str, Working] = {}
        for figure in WHOLE:
            if figure[:-1] in figure_ids(sizing):
                opened(sizing, figure[:-1], done)


@pytest.mark.parametrize("name", ["serve-70b-fp8-8x-rtxpro6000", "serve-opt-66b-volta", "full-70b-zero3-deadline"])
def test_a_flip_is_where_a_condition_starts_or_ends_to_hold(name: str) -> None:
    sizing = sized(name)
    flips = flip_points(sizing.scenario)
    assert flips
    for flip in flips:
        made = working(sizing, flip.figure)
        assert made.value == computed(made) == flip.at
        assert " <= " in made.formula or " > " in made.formula
        place = placed(sizing, flip.figure)
        root = build_of(place.plan).number(place.figure)
        assert root.operation in ("most", "beyond")
        assert not list(nameless(root, set()))


@pytest.mark.clock
@pytest.mark.parametrize(
    "name", ["serve-70b-fp8-8x-rtxpro6000", "serve-deepseek-v3-tp8-pp2", "pretrain-mixtral-8x7b-ep8"]
)
def test_a_figure_opens_in_its_time(name: str) -> None:
    working(sized(name), "memory.weights_bytes")  # the formulas stand among other names from here on
    sizing = size(session.parse(sessions()[name], file=name, known=frozen_catalog()))  # nothing of it is opened yet
    slow = []
    gc.disable()  # a sweep over what other tests of this process left behind is no part of an opening
    try:
        for figure in figure_ids(sizing):
            start = process_time()
            working(sizing, figure)
            taken = process_time() - start
            if taken > MOST_S:
                slow.append((figure, taken))
    finally:
        gc.enable()
    # the first one runs the formulas; on a machine that is busy it may be counted twice over
    assert len(slow) <= 1, slow
    assert all(taken < 3 * MOST_S for _, taken in slow)


def caches() -> dict[str, int]:
    """The entries of every cache of the engine."""
    found = {}
    for name, module in sys.modules.items():
        if name.startswith("engine."):
            for key, value in vars(module).items():
                if hasattr(value, "cache_info"):
                    found[f"{name}.{key}"] = value.cache_info().currsize
                elif isinstance(value, dict) and key.startswith("_") and key.islower():
                    found[f"{name}.{key}"] = len(value)
    return found


OPENED = ("model", "memory", "serving", "fabric", "load", "cost", "power")


def test_no_number_that_remembers_enters_a_cache() -> None:
    sizing = sized("serve-gpt-oss-mxfp4-trtllm")
    figures = [one for one in figure_ids(sizing) if one.partition(".")[0] in OPENED]
    plan = planned("serve-gpt-oss-mxfp4-trtllm")
    for build in (Build(plan), Build(plan)):
        before = caches()  # the plain table and the plain searches keep what they find at first
        for figure in figures:
            build.working(figure)
    assert caches() == before
    gc.collect()


def test_alpha_and_beta_of_a_collective_open() -> None:
    build = Build(planned("serve-70b-fp8-8x-rtxpro6000"))
    made = build.working("serving.communication_s")
    names = {one.label for one in below(build.number("serving.communication_s"))}
    assert made.value
    assert {"alpha of all-reduce", "beta of all-reduce"} <= names


def test_every_rule_says_where_it_comes_from() -> None:
    assert not [name for name, (label, _, source) in RULES.items() if not (label and source)]
    assert not [name for name, words in RULES.items() if any("engine." in word for word in words)]


def two(value: float = 2.0) -> Number:
    """A fact."""
    return Number(value, label="two", kind="entered", source="entered")


@pytest.mark.parametrize("lose", [float, int, complex, math.sqrt, math.log])
def test_what_would_lose_the_memory_raises(lose: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError):
        lose(two())


def test_arithmetic_is_that_of_floats_and_keeps_its_branches() -> None:
    seven, pair = Number(7.5, label="seven", kind="entered"), two()
    made = largest(seven / pair, pair) + smallest(pair, seven) - MATH.sqrt(seven) + whole(seven)
    assert made.value == max(7.5 / 2.0, 2.0) + min(2.0, 7.5) - math.sqrt(7.5) + int(7.5)
    opened = Opened(made)
    assert "max(seven / two, two)" in opened.expression
    assert evaluate(opened.expression, {"seven": 7.5, "two": 2.0}) == made.value
    assert {leaf.label for leaf in leaves(made)} == {"seven", "two"}


def test_a_comparison_is_by_value_and_is_remembered() -> None:
    with Run():
        assert two() < Number(3.0, label="three")
        assert choices.made is not None
        assert [(choice.sign, choice.held) for choice in choices.made] == [("<", True)]
    assert hash(two()) != hash(2.0)


def test_equal_expressions_are_one_node() -> None:
    pair = two()
    with Run():
        assert pair * 3.0 + 1.0 is pair * 3.0 + 1.0
