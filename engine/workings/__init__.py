"""Workings: every figure of a Sizing opened to its formula, its inputs with their origin, and arithmetic that gives it.

Nothing here is computed until a figure is opened. Ids are `section.field` of the Sizing: `memory.weights_bytes` (of
the worst group; `memory.1.weights_bytes` of the next), `serving.inter_token_s`, `fabric.ib-ndr.seconds`,
`scaling.3`, `cost.rent_usd_per_month`, `flip.concurrency.up`, and `verdict.2.memory.weights_share` for what step 2 of
the verdict looked at. `ratio(A,B)` and `difference(A,B)` hold two of them against each other. Inputs that were worked
out themselves carry the id of their own working.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from engine.decide.corpus import corpus_plan
from engine.decide.plan import Plan
from engine.decide.prospects import growing
from engine.decide.serving_scaling import shape_plan
from engine.decide.training_choices import CHOICES, chosen
from engine.decide.training_scaling import planned_at
from engine.decide.verdict import step_plan
from engine.figures.sentences import figures_of
from engine.sizing import Sizing
from engine.workings import (
    corpus,
    fabric,
    flips,
    growth,
    money,
    power,
    replicas,
)
from engine.workings.build import build_of
from engine.workings.case import Case, case_of
from engine.workings.compound import compound, is_compound
from engine.workings.groups import memory_id
from engine.workings.record import Input, Working, evaluate
from engine.workings.titles import names_of


def working(sizing: Sizing, figure: str) -> Working:
    """The working of one figure. Raises KeyError for an id that this sizing has no figure for."""
    return _of(case_of(sizing), figure)


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


REMEMBERED = (
    "model",
    "memory",
    "serving",
    "training",
    "fabric",
    "scaling",
    "curve",
    "choice",
    "smallest",
    "corpus",
    "power",
    "cost",
    "load",
    "build",
    "layout",
    "states",
)
"""Sections whose figures are opened by the functions that compute them, run on numbers that remember."""


def _of(case: Case, figure: str) -> Working:
    if is_compound(figure):
        return compound(figure, lambda name: _of(case, name))
    section, _, name = figure.partition(".")
    if section in REMEMBERED:
        made = build_of(case.plan).working(figure)
    elif section == "if" and case.sizing is not None:
        made = _changed(case, name)
    elif section == "verdict" and case.sizing is not None:
        made = _verdict(case, name)
    elif section in _SECTIONS and case.sizing is not None:
        made = _SECTIONS[section](case, name)
    else:
        raise KeyError(figure)
    return made


FRONTIER_STEP = 5


def _verdict(case: Case, name: str) -> Working:
    """`verdict.N.FIGURE`: a figure of the build that step N looked at; `verdict.FIGURE`: of the deciding step."""
    assert case.sizing is not None
    number, _, figure = name.partition(".")
    if not number.isdigit():
        number, figure = str(case.sizing.verdict.step), name
    if figure == "replicas":
        return replace(replicas.replicas(case.sizing), figure=f"verdict.{name}")
    short = f"memory.{figure}" if "." not in figure else figure
    found = step_plan(case.scenario, case.plan, int(number))
    if found is None and int(number) == FRONTIER_STEP:
        found = case.plan
    if found is None:
        raise KeyError(f"verdict.{name}")
    prefix = f"verdict.{number}."
    if figure.startswith("node."):
        made = replicas.node(case.sizing, found, figure.removeprefix("node."))
        prefix = ""
    else:
        made = _of(Case(found), short)
    inputs = tuple(replace(entry, figure=prefix + entry.figure) if entry.figure else entry for entry in made.inputs)
    hardware = found.scenario.hardware
    nodes = f"{hardware.nodes} nodes of " if hardware.nodes > 1 else ""
    build = f"On {nodes}{hardware.gpus_per_node}x {hardware.accelerator.label}, the build of step {number}."
    return replace(made, figure=f"verdict.{name}", inputs=inputs, note=f"{build} {made.note}".strip())


def _changed(case: Case, name: str) -> Working:
    """`if.FIELD.VALUE.FIGURE`: a figure of the same training run and layout with one field of the workload changed.

    `if.gpus.COUNT.FIGURE`: of the run, or the corpus, planned on another count of its GPUs. `if.shape.NODESxGPUSxTP.FIGURE`: of the
    same load served by another shape of build.
    """
    field, _, rest = name.partition(".")
    value, _, figure = rest.partition(".")
    scenario = case.scenario
    if field == "gpus" and value.isdigit() and scenario.workload.is_run:
        return _of_count(case, int(value), figure)
    if field == "shape" and scenario.workload.is_inference:
        return _of_shape(case, value, figure)
    if scenario.workload.is_inference or field not in CHOICES or value not in CHOICES[field]:
        raise KeyError(f"if.{name}")
    made = _of(Case(chosen(scenario, case.layout, field, value)), figure)
    prefix = f"if.{field}.{value}."
    inputs = tuple(replace(entry, figure=prefix + entry.figure) if entry.figure else entry for entry in made.inputs)
    note = f"With {field} {value}, on the same layout. {made.note}".strip()
    return replace(made, figure=f"if.{name}", inputs=inputs, note=note)


def _of_shape(case: Case, shape: str, figure: str) -> Working:
    parts = shape.split("x")
    if len(parts) != 3 or not all(part.isdigit() and int(part) for part in parts):
        raise KeyError(f"if.shape.{shape}.{figure}")
    nodes, per_node, tp = map(int, parts)
    planned = shape_plan(case.scenario, nodes, per_node, tp)
    if planned is None:
        raise KeyError(f"if.shape.{shape}.{figure}")
    return _elsewhere(planned, figure, f"if.shape.{shape}.", nodes * per_node)


def _of_count(case: Case, count: int, figure: str) -> Working:
    if case.scenario.workload.is_inference:
        planned = corpus_plan(case.scenario, count)
        if planned is None:
            raise KeyError(f"if.gpus.{count}.{figure}")
        return _elsewhere(planned, figure, f"if.gpus.{count}.", count)
    return _elsewhere(planned_at(growing(case.scenario), count), figure, f"if.gpus.{count}.", count)


def _elsewhere(planned: Plan, figure: str, prefix: str, count: int) -> Working:
    """A figure of the same work on other GPUs than the entered ones."""
    made = _of(Case(planned), figure)
    inputs = tuple(replace(entry, figure=prefix + entry.figure) if entry.figure else entry for entry in made.inputs)
    layout = planned.layout
    note = f"On {count} GPUs as TP {layout.tp}, PP {layout.pp}, DP {layout.dp}. {made.note}".strip()
    return replace(made, figure=prefix + figure, inputs=inputs, note=note)


_SECTIONS: dict[str, Callable[[Case, str], Working]] = {
    "flip": flips.found,
}


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
    found = names_of(case_of(sizing).plan, "model")
    for index in range(len(sizing.memory.per_gpu)):
        own = (*_GROUP_FIELDS, *(("kv_capacity_bytes",) if inference else ()))
        found += [memory_id(index, name) for name in own]
    plan = case_of(sizing).plan
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


__all__ = ["Input", "Working", "chain", "evaluate", "figure_ids", "working", "workings"]
