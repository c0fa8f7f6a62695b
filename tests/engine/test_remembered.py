"""Figures of the golden builds on numbers that remember: the same digits, and every leaf a fact with its source."""

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
from engine.decide.fabric import fabric_table
from engine.decide.opened import corpus, fabric, growth, money, power
from engine.decide.opened.build import Build
from engine.decide.opened.constants import RULES
from engine.decide.opened.titles import TITLES
from engine.decide.plan import Plan, plan
from engine.decide.prospects import prospects
from engine.decide.scaling import scaling_table
from engine.decide.size import model_facts, size
from engine.figures.number import Number, choices
from engine.figures.opening import Opened, below, leaves
from engine.figures.operations import MATH, largest, smallest, whole
from engine.figures.replay import Run
from engine.sizing import FabricRow
from tests.arithmetic import computed, evaluate
from tests.golden.frozen import frozen_catalog, sessions
from tui.files import session

STRUCTURE = frozenset({-1, 0, 0.5, 1, 2, 3, 4, 8})
"""Literals that are the shape of a formula: a multiply and an add, both ways, three projections, bits of a byte."""
MOST_S = 0.05


@lru_cache(maxsize=64)
def planned(name: str) -> Plan:
    """A golden build with its layout, memory and speed."""
    return plan(session.parse(sessions()[name], file=name, known=frozen_catalog()))


def roots(build: Build) -> Iterator[tuple[str, Number]]:
    """Every figure that the build has."""
    groups = range(len(build.plan.memory.per_gpu))
    links = [f"fabric.{row.link}.{name}" for row in rows_of(build.plan) for name in fabric.TITLES]
    names = {*TITLES, *links, *(f"memory.{index}.{name}" for index in groups for name in ("weights_bytes", "kv_bytes"))}
    for figure in sorted(names):
        try:
            yield figure, build.number(figure)
        except KeyError:
            continue


def nameless(figure: str, root: Number) -> list[str]:
    """What a figure rests on that is no fact with a source."""
    wrong = []
    for leaf in leaves(root):
        if leaf.kind == "literal":
            if leaf is not root and leaf.value not in STRUCTURE:
                wrong.append(f"{figure}: {leaf.value!r} has no name")
        elif leaf.kind == "computed" or not leaf.label or not leaf.source:
            wrong.append(f"{figure}: {leaf!r} is no fact with a source")
    return wrong


def rows_of(found: Plan) -> tuple[FabricRow, ...]:
    """The fabric table of a plan."""
    return fabric_table(found.scenario, found.layout, found.serving, found.training, found.memory)


def held(found: Plan, figure: str) -> Any:
    """The figure as the plan has it; None where no field holds it."""
    section, _, name = figure.partition(".")
    if section == "fabric":
        link, _, name = name.rpartition(".")
        return getattr(next(row for row in rows_of(found) if row.link == link), name, None)
    if section == "memory":
        index, _, rest = name.partition(".")
        if index.isdigit():
            return getattr(found.memory.per_gpu[int(index)], rest)
        own = getattr(found.memory.worst, name, None)
        return own if own is not None else getattr(found.memory, name, None)
    return getattr(model_facts(found.scenario) if section == "model" else getattr(found, section), name, None)


def grown(found: Plan) -> dict[str, Any]:
    """The figures of other shapes and counts of GPUs, as the plain tables have them."""
    scenario = found.scenario
    if scenario.workload.corpus_tokens is not None:
        curve = corpus_curve(scenario)
        points = {str(point.gpus): point for point in curve.points}
        points |= {} if curve.smallest is None else {"smallest": curve.smallest}
        return {f"corpus.{at}.{name}": getattr(one, name) for at, one in points.items() for name in corpus.FIELDS}
    if scenario.workload.is_inference:
        return {}
    rows, made = scaling_table(scenario, found.layout), prospects(scenario)
    values: dict[str, Any] = {f"scaling.{place}": row.efficiency for place, row in enumerate(rows)}
    for point in made.curve.points:
        values |= {f"curve.{point.gpus}.{name}": getattr(point, field) for name, (field, *_) in growth.POINT.items()}
    values["curve.serial_share"] = made.curve.serial_share
    values["curve.stops_paying"] = made.curve.stops_paying or made.curve.points[-1].gpus
    values["curve.usd_per_gpu_hour"] = made.usd_per_gpu_hour
    if made.choice is not None:
        for who, way in (("one", made.choice.one), ("many", made.choice.many)):
            values |= {f"choice.{who}.{name}": getattr(way, name) for name in growth.OF_OPTION}
        values |= {f"choice.{name}": getattr(made.choice, name) for name in ("times_faster", "premium")}
    if made.smallest is not None and made.smallest.plan is not None:
        values |= {f"smallest.{name}": getattr(made.smallest, name) for name in ("gpus", "days", "cost_usd")}
    return values


def spent(name: str) -> dict[str, Any]:
    """The figures of money and power, as the plain sizing has them."""
    sized = size(session.parse(sessions()[name], file=name, known=frozen_catalog()))
    cost = sized.cost
    values = {f"power.{field}": getattr(sized.power, field) for field in power.TITLES}
    values |= {f"cost.{field}": getattr(cost, field) for field in money.TITLES if field != "tokens_per_usd"}
    for entry in cost.horizons:
        values |= {f"cost.{way}_{entry.months}_usd": getattr(entry, f"{way}_usd") for way in money.WAYS}
    values |= {f"cost.item_{number}_usd": line.usd for number, line in enumerate(cost.lines, 1)}
    values |= {f"cost.offer_{number}_usd_per_hour": offer.usd_per_hour for number, offer in enumerate(cost.offers, 1)}
    if cost.advised is not None:
        values |= {f"cost.{known}": getattr(cost.advised, field) for known, (field, *_) in money.ADVISED.items()}
        values |= {f"cost.advised_{number}_usd": line.usd for number, line in enumerate(cost.advised.lines, 1)}
    return values


@pytest.mark.parametrize("name", sorted(sessions()))
@pytest.mark.parametrize("room", ["money and power", "other builds"])
def test_figures_of_tables_are_the_floats_and_rest_on_named_facts(name: str, room: str) -> None:
    build, wrong = Build(planned(name)), []
    for figure, value in (spent(name) if room == "money and power" else grown(build.plan)).items():
        made = build.working(figure)
        if value is None:
            assert made.value is None
            continue
        root = build.number(figure)
        wrong += [f"{figure}: {root.value!r} is not {value!r}"] if repr(root.value) != repr(value) else []
        wrong += nameless(figure, root)
        if made.value is not None and not math.isclose(computed(made), made.value, rel_tol=1e-9):
            wrong.append(f"{figure}: the arithmetic gives {computed(made)!r}")
    assert not wrong, "\n".join(sorted(set(wrong))[:20])


SEARCHED = ("memory.largest_micro_batch", "memory.longest_sequence_tokens")
"""A plan leaves these out: `tests.engine.test_workings` holds them."""


@pytest.mark.parametrize("name", sorted(sessions()))
def test_every_figure_is_the_float_and_rests_on_named_facts(name: str) -> None:
    found = planned(name)
    build = Build(found)
    wrong = []
    for figure, root in roots(build):
        value = held(found, figure)
        if value is not None and figure not in SEARCHED and repr(root.value) != repr(value):
            wrong.append(f"{figure}: {root.value!r} is not {value!r}")
        wrong += nameless(figure, root)
    assert not wrong, "\n".join(sorted(set(wrong))[:20])


@pytest.mark.clock
@pytest.mark.parametrize(
    "name", ["serve-70b-fp8-8x-rtxpro6000", "serve-deepseek-v3-tp8-pp2", "pretrain-mixtral-8x7b-ep8"]
)
def test_a_figure_opens_in_its_time(name: str) -> None:
    found = planned(name)
    Build(found).working("memory.weights_bytes")  # the formulas stand among other names from here on
    build = Build(found)
    slow = []
    gc.disable()  # a sweep over what other tests of this process left behind is no part of an opening
    try:
        links = [f"fabric.{row.link}.relative_speed" for row in rows_of(found)]
        for figure in (*sorted(TITLES), *links):
            start = process_time()
            try:
                build.working(figure)
            except KeyError:
                continue
            taken = process_time() - start
            if taken > MOST_S:
                slow.append((figure, taken))
    finally:
        gc.enable()
    # the first one runs the formulas; on a machine that is busy it may be counted twice over
    assert len(slow) <= 1
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


def test_no_number_that_remembers_enters_a_cache() -> None:
    found = planned("serve-gpt-oss-mxfp4-trtllm")
    for figure, _ in roots(Build(found)):
        assert figure  # the plain table and the plain searches keep what they find
    before = caches()
    build = Build(found)
    for figure, root in roots(build):
        Opened(root)
        assert figure
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
