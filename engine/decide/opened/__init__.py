"""Workings: every figure of a Sizing opened to its formula, its inputs with their origin, and arithmetic that gives it.

Nothing here is computed until a figure is opened. Ids are `section.field` of the Sizing: `memory.weights_bytes` (of
the worst group; `memory.1.weights_bytes` of the next), `serving.inter_token_s`, `fabric.ib-ndr.seconds`,
`scaling.3`, `cost.rent_usd_per_month`, `flip.concurrency.up`, and `verdict.2.memory.weights_share` for what step 2 of
the verdict looked at. `ratio(A,B)` and `difference(A,B)` hold two of them against each other. Inputs that were worked
out themselves carry the id of their own working.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from engine.decide.corpus import corpus_plan
from engine.decide.opened import corpus, fabric, growth, money, power
from engine.decide.opened.build import STEP, build_of
from engine.decide.opened.compound import compound, is_compound
from engine.decide.opened.titles import names_of
from engine.decide.plan import Plan
from engine.decide.prospects import growing
from engine.decide.serving_scaling import shape_plan
from engine.decide.training_choices import CHOICES, chosen
from engine.decide.training_scaling import planned_at
from engine.decide.verdict import step_plan
from engine.figures.records import NamedTuple, dataclass
from engine.figures.sentences import figures_of
from engine.figures.working import Input, Working
from engine.sizing import Sizing


def working(sizing: Sizing, figure: str) -> Working:
    """The working of one figure. Raises KeyError for an id that this sizing has no figure for."""
    made = _opened(sizing, placed(sizing, figure))
    return made if made.figure == figure else replace(made, figure=figure)


def plan_of(sizing: Sizing) -> Plan:
    """The plan of a sizing: its scenario, layout, memory and speed."""
    return Plan(sizing.scenario, sizing.layout, sizing.memory, sizing.serving, sizing.training)


DEEPEST = 60
"""Workings under one figure; a whole chain is shorter."""


def chain(sizing: Sizing, figure: str) -> tuple[Working, ...]:
    """The working of a figure and those of all that it was worked out from, nearest first, each once.

    Raises KeyError for an id that this sizing has no figure for.
    """
    waiting, known = [figure], {figure}
    made: list[Working] = []
    while waiting and len(made) < DEEPEST:
        made.append(working(sizing, waiting.pop(0)))
        new = [entry.figure for entry in made[-1].inputs if entry.figure and entry.figure not in known]
        known.update(new)
        waiting += dict.fromkeys(new)
    return tuple(made)


class Place(NamedTuple):
    """Where a figure is worked out: the plan, and its id there.

    prefix: what the ids of that plan's figures start with when they are told of the entered one; where: the plan in words.
    """

    plan: Plan
    figure: str
    prefix: str = ""
    where: str = ""


def placed(sizing: Sizing, figure: str) -> Place:
    """Where a figure of a sizing is worked out. Raises KeyError for an id of a build that was not looked at."""
    plan, (section, _, name) = plan_of(sizing), figure.partition(".")
    if is_compound(figure):
        return Place(plan, figure)
    if section == "verdict":
        return _of_step(plan, sizing.verdict.step, name)
    return _changed(plan, name) if section == "if" else Place(plan, figure)


def _opened(sizing: Sizing, place: Place) -> Working:
    """The working of a figure where it is worked out."""

    def part(name: str) -> Working:
        elsewhere = name.startswith(ELSEWHERE)
        return working(sizing, name) if elsewhere else _opened(sizing, Place(place.plan, name))

    own = place.figure
    made = compound(own, part) if is_compound(own) else build_of(place.plan).working(own)
    if not place.prefix:
        return made
    told = (replace(one, figure=place.prefix + one.figure) if one.figure else one for one in made.inputs)
    note = f"{place.where} {made.note}".strip()
    return replace(made, figure=place.prefix + place.figure, inputs=tuple(told), note=note)


ELSEWHERE = ("verdict.", "if.")
"""How ids of figures start that are of another plan than the entered one."""
FRONTIER_STEP = 5


def _of_step(plan: Plan, deciding: int, name: str) -> Place:
    """`verdict.N.FIGURE`: a figure of the build that step N looked at; `verdict.FIGURE`: of the deciding step."""
    number, _, figure = name.partition(".")
    if not number.isdigit():
        number, figure = str(deciding), name
    if "." not in figure and figure.partition(STEP)[0] != "replicas":  # what a figure rests on is FIGURE#N
        figure = f"memory.{figure}"
    found = step_plan(plan.scenario, plan, int(number))
    if found is None and int(number) == FRONTIER_STEP:
        found = plan
    if found is None:
        raise KeyError(f"verdict.{name}")
    hardware = found.scenario.hardware
    nodes = f"{hardware.nodes} nodes of " if hardware.nodes > 1 else ""
    build = f"On {nodes}{hardware.gpus_per_node}x {hardware.accelerator.label}, the build of step {number}."
    return Place(found, figure, f"verdict.{number}.", build)


def _changed(plan: Plan, name: str) -> Place:
    """`if.FIELD.VALUE.FIGURE`: a figure of the same training run and layout with one field of the workload changed.

    `if.gpus.COUNT.FIGURE`: of the run, or the corpus, planned on another count of its GPUs. `if.shape.NODESxGPUSxTP.FIGURE`: of the
    same load served by another shape of build.
    """
    field, _, rest = name.partition(".")
    value, _, figure = rest.partition(".")
    work, prefix = plan.scenario.workload, f"if.{field}.{value}."
    if not work.is_inference and value in CHOICES.get(field, ()):
        made = chosen(plan.scenario, replace(plan.layout, reason=()), field, value)
        return Place(made, figure, prefix, f"With {field} {value}, on the same layout.")
    other = None
    if field == "gpus" and value.isdigit() and work.is_run:
        other = _of_count(plan, int(value))
    elif field == "shape" and work.is_inference:
        other = _of_shape(plan, value)
    if other is None:
        raise KeyError(f"if.{name}")
    layout = other.layout
    where = f"On {other.scenario.hardware.gpus} GPUs as TP {layout.tp}, PP {layout.pp}, DP {layout.dp}."
    return Place(other, figure, prefix, where)


def _of_shape(plan: Plan, shape: str) -> Plan | None:
    parts = shape.split("x")
    if len(parts) != 3 or not all(part.isdigit() and int(part) for part in parts):
        return None
    return shape_plan(plan.scenario, *map(int, parts))


def _of_count(plan: Plan, count: int) -> Plan | None:
    if plan.scenario.workload.is_inference:
        return corpus_plan(plan.scenario, count)
    return planned_at(growing(plan.scenario), count)


@dataclass(frozen=True, slots=True, eq=False)
class Workings(Mapping[str, Working]):
    """The workings of all figures of a sizing by id, each made when it is asked for."""

    sizing: Sizing

    def __getitem__(self, figure: str) -> Working:
        return working(self.sizing, figure)

    def __iter__(self) -> Iterator[str]:
        return iter(figure_ids(self.sizing))

    def __len__(self) -> int:
        return len(figure_ids(self.sizing))


def workings(sizing: Sizing) -> Mapping[str, Working]:
    """All workings of a sizing, lazily. Iterating gives the ids of `figure_ids`."""
    return Workings(sizing)


_GROUP_FIELDS = (
    "weights_bytes",
    "kv_bytes",
    "activation_bytes",
    "runtime_bytes",
    "optimizer_bytes",
    "gradient_bytes",
    "free_bytes",
    "available_bytes",
    "over_bytes",
    "used_bytes",
    "usable_bytes",
    "reserved_bytes",
    "total_bytes",
)


def memory_id(index: int, name: str) -> str:
    """The id of a figure of the memory group of that place, worst first: the worst goes without its number."""
    return f"memory.{index}.{name}" if index else f"memory.{name}"


def _shares(sizing: Sizing) -> list[str]:
    """What each part takes of the card, and links of one another."""
    found = [
        f"ratio({memory_id(index, name)},{memory_id(index, 'total_bytes')})"
        for index in range(len(sizing.memory.per_gpu))
        for name in ("weights_bytes", "available_bytes")
    ]
    rows = sizing.fabric
    if len(rows) > 1 and rows[0].seconds:
        found.append(f"ratio(fabric.{rows[-1].link}.seconds,fabric.{rows[0].link}.seconds)")
    return found


def figure_ids(sizing: Sizing) -> tuple[str, ...]:
    """The ids of every figure that a screen or report may show of this sizing, in reading order."""
    inference = sizing.scenario.workload.is_inference
    plan = plan_of(sizing)
    found = names_of(plan, "model")
    for index in range(len(sizing.memory.per_gpu)):
        own = (*_GROUP_FIELDS, *(("kv_capacity_bytes",) if inference else ()))
        found += [memory_id(index, name) for name in own]
    found += names_of(plan, "memory")
    if sizing.memory.training is not None:
        found += [f"memory.phase_{number}_bytes" for number in range(1, len(sizing.memory.training.phases) + 1)]
    found += names_of(plan, "serving")
    if sizing.training is not None:
        found += [
            f"if.{field}.{value}.training.tokens_per_s_gpu" for field, values in CHOICES.items() for value in values
        ]
    found += names_of(plan, "training")
    found += [
        f"fabric.{row.link}.{name}"
        for row in sizing.fabric
        for name in fabric.TITLES
        if name != "latency_us" or row.latency_us is not None
    ]
    found += [f"scaling.{index}" for index in range(len(sizing.scaling))]
    found += _shares(sizing)
    if inference:
        found += ["load.tokens_per_request", "load.max_model_len"]
        found += corpus.figures(build_of(plan))
    else:
        found += [f"states.{name}" for name in ("16", "16.each", "held.8", "trainable", "room", "plan")]
        found += growth.figures(build_of(plan))
    found += [f"cost.{name}" for name in money.TITLES]
    found += [f"cost.{way}_{entry.months}_usd" for entry in sizing.cost.horizons for way in money.WAYS]
    found += [f"cost.item_{number}_usd" for number in range(1, len(sizing.cost.lines) + 1)]
    if sizing.cost.advised is not None:
        found += [f"cost.{name}" for name in money.ADVISED]
        found += [f"cost.advised_{number}_usd" for number in range(1, len(sizing.cost.advised.lines) + 1)]
    found += [f"cost.offer_{number}_usd_per_hour" for number in range(1, len(sizing.cost.offers) + 1)]
    found += [f"power.{name}" for name in power.TITLES]
    for step in sizing.verdict.steps:
        found += [figure for item in step.evidence for figure in figures_of(item.figure)]
    return tuple(found)


__all__ = ["Input", "Working", "chain", "figure_ids", "working", "workings"]
