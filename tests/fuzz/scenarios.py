"""Random scenarios under the laws: what is sized is finite and not negative, and nothing is faster than the card."""

from __future__ import annotations

import dataclasses
import json
import math
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import catalog
from engine.decide.size import size
from engine.figures.errors import ScenarioError
from engine.figures.text import shown
from engine.model.formats import FORMATS, KV_FORMATS
from engine.parts.hardware import Link
from engine.scenario import KINDS, LayoutChoice, Money, Runtime, Workload
from engine.scenario.fields import FIELDS, Field
from engine.sizing import Sizing
from tests.fuzz import Failure, Stop, within
from tui.files import session
from tui.shell.report_data import as_data

NEGATIVE = frozenset({"free_bytes", "available_bytes", "at", "last", "value"})
"""Figures that a minus belongs to: what a card is short of."""
ROUNDING = 1 + 1e-6
SLOWEST_S = 20.0
LARGEST_FIGURE = 10**30


def run(seed: int, stop: Stop) -> Counter[str]:
    """Size scenarios of random fields, at and beyond their ends too. Counts: refused, sized, carried."""
    chance = random.Random(f"scenarios {seed}")
    counts: Counter[str] = Counter()
    number = 0
    while not stop():
        number += 1
        arguments, words = fields_of(chance)
        case = f"scenarios, seed {seed}, case {number}: {words}"
        counts["cases"] += 1
        try:
            with within(SLOWEST_S, case):
                sizing = size(catalog.build_scenario(**arguments))
        except ScenarioError as problem:
            if len(str(problem)) >= 500:
                raise Failure(f"{case}: a refusal of {len(str(problem))} characters") from None
            counts["refused"] += 1
            continue
        except Failure:
            raise
        except Exception as problem:  # whatever it is, no scenario may end in it
            raise Failure(f"{case}: {type(problem).__name__}: {problem}") from problem
        check(sizing, case)
        if number % 5 == 0:
            check_written(sizing, case)
        counts["sized"] += 1
        counts["carried"] += sizing.verdict.carried
    return counts


def fields_of(chance: random.Random) -> tuple[dict[str, Any], str]:
    """The arguments of `build_scenario` for a random scenario, and its fields in words."""
    known = catalog.load()
    kind = chance.choice(KINDS)
    parts: dict[str, dict[str, Any]] = {"workload": {"kind": kind}, "layout": {}, "runtime": {}, "money": {}}
    several = chance.choice((0.02, 0.1, 0.4))
    for field in FIELDS:
        if field.table in parts and field.key != "workload.kind" and chance.random() < several:
            parts[field.table][field.name] = _value(field, chance)
    model = chance.choice(known.models)
    weights = chance.choice((*FORMATS, "", ""))
    accelerator = chance.choice(known.facts.accelerators)
    gpus = chance.choice((1, 1, 2, 4, 8, 8, chance.randint(1, 80)))
    nodes = chance.choice((1, 1, 1, 1, 2, 4, chance.randint(1, 5000)))
    links = known.facts.links
    strict = chance.random() < 0.9  # links where they belong, and the card's own limit of a box
    intra = _link([link for link in links if link.scope == "intra-node" or not strict], chance)
    inter = _link([link for link in links if link.scope == "inter-node" or not strict], chance)
    if strict:
        gpus = min(gpus, accelerator.max_gpus_per_node or gpus, (intra.max_gpus if intra else None) or gpus)
    second = chance.choice(known.facts.accelerators).id if chance.random() < 0.1 and gpus > 1 else ""
    platforms = [one.id for one in known.facts.platforms if one.accelerator == accelerator.id]
    if chance.random() < 0.3 and gpus <= 72:
        tp = chance.choice([one for one in (1, 2, 4, 8, 16) if gpus % one == 0])
        pp = chance.choice([one for one in (1, 2, 4) if gpus * nodes // tp % one == 0])
        parts["layout"] = {"tp": tp, "pp": pp, "dp": gpus * nodes // tp // pp}
    told = {table: {name: shown(value) for name, value in values.items()} for table, values in parts.items()}
    words = (
        f"{model.id} {weights} on {nodes} x {gpus} {accelerator.id} {second} "
        f"{intra.id if intra else '-'} {inter.id if inter else '-'} {told}"
    )
    arguments = {
        "model_id": model.id,
        "weights": weights,
        "accelerator_id": accelerator.id,
        "gpus_per_node": gpus,
        "nodes": nodes,
        "kv_cache": chance.choice(("bf16", *KV_FORMATS)),
        "intra_link": intra.id if intra else "",
        "inter_link": inter.id if inter else "",
        "platform": chance.choice(platforms) if platforms and not second and chance.random() < 0.2 else "",
        "second_accelerator": second,
        "second_gpus": chance.randint(1, gpus - 1) if second else 0,
        "mtp": chance.random() < 0.1,
        "workload": dataclasses.replace(Workload(), **parts["workload"]),
        "layout": dataclasses.replace(LayoutChoice(), **parts["layout"]),
        "runtime": dataclasses.replace(Runtime(), **parts["runtime"]),
        "money": dataclasses.replace(Money(), **parts["money"]),
        "title": "π \x1b[31m",
    }
    return arguments, words


def _link(links: list[Link], chance: random.Random) -> Link | None:
    return chance.choice(links) if chance.random() < 0.5 else None


def _value(field: Field, chance: random.Random) -> Any:
    """A value of a field: any in its range, its ends, and now and then what it must refuse."""
    if field.kind != "number":
        return chance.choice(field.values) if field.values else field.default()
    if chance.random() < 0.01:
        beyond: tuple[Any, ...] = (
            field.low - 1,
            field.high * 2,
            -(10**30),
            10**30,
            math.nan,
            math.inf,
            -math.inf,
            10**5000,
        )
        return chance.choice(beyond)
    low, high = max(field.low, 1e-6), min(field.high, 1e15)
    value: float = chance.choice((field.low, high, math.exp(chance.uniform(math.log(low), math.log(max(low, high))))))
    usual = field.default()
    if isinstance(usual, int | float) and not isinstance(usual, bool) and chance.random() < 0.85:
        value = min(high, max(field.low, usual * 2.0 ** chance.randint(-4, 4)))
    return round(value) if field.whole else value


def check(sizing: Sizing, case: str) -> None:
    """Raise Failure for the first law that a sizing breaks."""
    for place, value in figures(sizing):
        name = place.rpartition(".")[2]
        if isinstance(value, complex) or not math.isfinite(value) or abs(value) > LARGEST_FIGURE:
            raise Failure(f"{case}: {place} is {str(value)[:40]}")
        if value < 0 and name not in NEGATIVE:
            raise Failure(f"{case}: {place} is {value}")
    scenario, memory = sizing.scenario, sizing.memory
    for group in memory.per_gpu:
        parts = (
            group.weights_bytes + group.kv_bytes + group.activation_bytes + group.runtime_bytes + group.optimizer_bytes
        ) + (group.gradient_bytes + group.free_bytes)
        if parts != group.total_bytes:
            raise Failure(f"{case}: the parts of {group.rank_group} make {parts} of {group.total_bytes} bytes")
    if memory.fits and any(group.free_bytes < 0 for group in memory.per_gpu):
        raise Failure(f"{case}: it fits with {min(group.free_bytes for group in memory.per_gpu)} bytes free")
    if not memory.fits and not scenario.workload.is_inference and all(g.over_bytes == 0 for g in memory.per_gpu):
        raise Failure(f"{case}: it does not fit with room in every group")
    card = scenario.hardware.accelerator
    peak = max(filter(None, (card.tflops_bf16_dense, card.tflops_fp16_dense, card.tflops_fp8_dense,
                             card.tflops_fp4_dense, card.tops_int8_dense)), default=math.inf)  # fmt: skip
    training, serving = sizing.training, sizing.serving
    if training is not None:
        if training.mfu > ROUNDING:
            raise Failure(f"{case}: an MFU of {training.mfu:.3f}")
        if training.achieved_tflops > peak * ROUNDING:
            raise Failure(f"{case}: {training.achieved_tflops:,.0f} TFLOPS of {peak:,.0f}")
        for name in ("efficiency", "bubble_share", "serial_share", "goodput"):
            if not 0 <= getattr(training, name) <= (ROUNDING if name != "efficiency" else 1.5):
                raise Failure(f"{case}: {name} {getattr(training, name)}")
    if serving is not None:
        gpus = sizing.layout.gpus
        flops = 2.0 * sizing.model.params_active * serving.tokens_per_s_total
        if flops > peak * 1e12 * gpus * ROUNDING and scenario.workload.output_tokens >= 1:
            raise Failure(f"{case}: {flops / 1e12:,.0f} TFLOPS from {gpus} x {peak:,.0f}")
        if not 0 <= serving.communication_share <= ROUNDING:
            raise Failure(f"{case}: communication takes {serving.communication_share}")


def check_written(sizing: Sizing, case: str) -> None:
    """The report as JSON reads back, and the session as TOML gives the same scenario."""
    data = as_data(sizing)
    if json.loads(json.dumps(data, allow_nan=False)) != data:
        raise Failure(f"{case}: the JSON report reads back as something else")
    text = session.dump(sizing.scenario)
    if session.parse(text) != sizing.scenario:
        raise Failure(f"{case}: the session reads back as something else")


def figures(value: Any, place: str = "") -> Iterator[tuple[str, float]]:
    """Every number of a sizing with its place; what was entered, and the catalog's facts, are not its own."""
    if isinstance(value, bool | str) or value is None or place in (".scenario", ".resolved"):
        return
    if isinstance(value, int | float | complex):
        yield place, value  # type: ignore[misc] # complex is what must not come
    elif hasattr(value, "_fields"):
        for name in value._fields:
            yield from figures(getattr(value, name), f"{place}.{name}")
    elif isinstance(value, tuple | list):
        for number, item in enumerate(value):
            yield from figures(item, f"{place}.{number}" if not place.endswith(".") else place)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from figures(getattr(value, field.name), f"{place}.{field.name}")
