"""Figures of single functions over grids, of what a GPU holds and does: states of training, cards that lack facts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from itertools import chain, product
from typing import Any

from catalog import Catalog
from engine.decide import tries
from engine.decide.plan import plan
from engine.decide.training_scaling import smallest_build
from engine.figures.errors import ScenarioError
from engine.figures.sentences import text_of
from engine.model.formats import FORMATS, compute_type, is_native
from engine.money.bill import sold_words
from engine.money.power import power
from engine.parts.hardware import Accelerator
from engine.runtimes.frameworks import Sharding, Software
from engine.scenario import (
    ComputeDtype,
    Kind,
    Layout,
    Recompute,
    Scenario,
    ShardingGroup,
    Workload,
)
from engine.scenario.change import change, value_of
from engine.scenario.fields import FIELDS, Value, field_of
from engine.serving.buffers import expert_tile
from engine.serving.settings import visible_bytes
from engine.serving.shapes import compute_class, gpu_class
from engine.training.memory.core import Card, check, stage_costs
from engine.training.peak import sixteen_bit_tflops
from engine.training.rates import gpu_family, rates

BASE = Workload(kind="pretrain", sequence_length=2048, micro_batch=2)
MODELS = ("llama-3.1-8b", "mixtral-8x7b", "deepseek-v3", "qwen2.5-vl-7b", "nemotron-3-nano-30b-a3b", "gemma-3-27b")
SPLITS = (Layout(dp=8), Layout(2, 2, 2), Layout(4, 1, 4, 8))
WIDEST = ("llama-3.1-8b", "mixtral-8x7b")
"""Models that are trained in every way; the others only in a few."""


def _ways() -> Iterator[tuple[str, Workload]]:
    """How a run can hold its state: each choice by itself, and those together that share a formula."""
    kinds: tuple[Kind, ...] = ("pretrain", "qlora")
    recomputed: tuple[Recompute, ...] = ("none", "selective", "full")
    tuned: tuple[Software, ...] = ("eager", "tuned")
    dtypes: tuple[ComputeDtype, ...] = ("fp8", "nvfp4")
    sharded: tuple[Sharding, ...] = ("zero1", "zero2", "zero3")
    reaches: tuple[ShardingGroup, ...] = ("all", "node")
    for kind, kept, software in product(kinds, recomputed, tuned):
        way = dataclasses.replace(BASE, kind=kind, recompute=kept, software=software)
        yield f"{kind} {kept} {software}", way
    for dtype, kept in product(dtypes, recomputed[:2]):
        way = dataclasses.replace(BASE, compute_dtype=dtype, recompute=kept, software="eager")
        yield f"{dtype} {kept}", way
    for spread, reach, steps in product(sharded, reaches, (1, 4)):
        way = dataclasses.replace(BASE, sharding=spread, sharding_group=reach, gradient_accumulation=steps)
        yield f"{spread} {reach} {steps}", way
    for kept in recomputed:
        yield f"scores {kept}", dataclasses.replace(BASE, flash_attention=False, recompute=kept)
    for field in FIELDS:
        if field.table != "workload" or field.kind != "choice" or field.key == "workload.kind":
            continue
        for kind in ("lora", "qlora", "full-finetune"):
            if kind in field.kinds and (kind != "qlora" or field.key == "workload.base_format"):
                for choice in field.choices:
                    name = field.key.removeprefix("workload.")
                    changes: dict[str, Any] = {name: choice[0], "kind": kind}
                    yield f"{kind} {name} {choice[0]}", dataclasses.replace(BASE, **changes)


def states(known: Catalog) -> dict[str, Any]:
    """What one rank of the first and of the last stage holds, and at its peak, by model, layout and way."""
    found: dict[str, Any] = {}
    card = Card(80 * 2**30, 8)
    for number, (model, layout) in enumerate(product(MODELS, SPLITS)):
        arch = known.model(model).architecture
        for at, (label, way) in enumerate(_ways()):
            if model not in WIDEST and at % 6 != number % 6:
                continue
            try:
                check(way)
            except ScenarioError as refused:
                found[label] = str(refused)
                continue
            costs = stage_costs(arch, way, layout, card).stages
            tokens = float(way.micro_batch * way.sequence_length)
            found[f"{model} {layout.tp} {layout.pp} {layout.dp} {layout.ep} {label}"] = [
                [dataclasses.astuple(cost), held, cost.peak(tokens, held, card.usable_bytes).needs_bytes]
                for cost, held in (costs[0], *costs[-1:][: len(costs) - 1])
            ]
    return found


def tried(bases: dict[str, Scenario], known: Catalog) -> dict[str, Any]:
    """What the advisor tries on some builds, in its order, before any of it is sized."""
    found: dict[str, Any] = {}
    for name, base in bases.items():
        made = plan(base)
        ways = (tries.owned, tries.in_the_box_in_fewer_bits, tries.more_boxes, tries.as_the_verdict_names)
        asked = chain(
            *(way(made) for way in (*ways, tries.asking_less, tries.fewer)), tries.smaller_models(made, known)
        )
        found[name] = [
            [option.kind, text_of(option.what), dict(option.changes), option.asks_less, option.far] for option in asked
        ]
    return found


def entered(bases: dict[str, Scenario]) -> dict[str, Any]:
    """What each field of some builds holds, and how people say in what numbers a card is sold."""
    found: dict[str, Any] = {
        name: {field.key: value_of(base, field.key) for field in FIELDS} for name, base in bases.items()
    }
    counts = ((1,), (2,), (3,), (4,), (8,), (72,), (2, 4), (4, 8, 72))
    return found | {"sold": {" ".join(map(str, sold)): sold_words(sold) for sold in counts}}


def sites(base: Scenario, known: Catalog) -> dict[str, Any]:
    """Power, circuits and racks of small and large builds in each region."""
    regions = [choice[0] for choice in field_of("money.region").choices]
    found: dict[str, Any] = {}
    for region, rack, (card, gpus, nodes) in product(regions, (None, 5.0, 40.0), HOUSED):
        shape: dict[str, Value] = {
            "hardware.accelerator": card,
            "hardware.gpus_per_node": gpus,
            "hardware.nodes": nodes,
        }
        built = change(base, shape | {"money.region": region, "money.rack_kw": rack}, known)
        found[f"{region} {rack} {nodes}x{gpus} {card}"] = power(built, 10**11)
    return found


HOUSED = (("rtx-4090", 1, 1), ("rtx-4090", 3, 1), ("rtx-4090", 8, 2), ("l4", 4, 1), ("h100-sxm", 8, 5), ("gb10", 1, 2))
CARDS = ("rtx-4090", "a100-sxm4-80gb", "h100-sxm", "gb200", "mi300x", "v100-sxm2-32gb", "gb10")
LACKING = ("fp16", "bf16", "fp8", "nvfp4", "int4", "int8", "q4_k_m")


def lacking(known: Catalog) -> dict[str, Any]:
    """What the engine makes of cards of which one fact is not known, as a person's own entry may leave it out."""
    found: dict[str, Any] = {}
    for name in CARDS:
        card = known.accelerator(name)
        whole = found[name] = _abilities(card)
        for field in dataclasses.fields(Accelerator):
            value = getattr(card, field.name)
            empty = (
                None
                if isinstance(value, int | float) and field.default is None
                else ""
                if field.default == ""
                else value
            )
            if empty != value:
                lacks: dict[str, Any] = {field.name: empty}
                made = _abilities(dataclasses.replace(card, **lacks))
                found[f"{name} without {field.name}"] = "the same" if made == whole else made
        for other in ("memory_type", "architecture"):
            two: dict[str, Any] = {"compute_capability": "", other: ""}
            found[f"{name} {' '.join(two)}"] = _abilities(dataclasses.replace(card, **two))
    return found


RATES = ("family", "dtype", "matrix", "matrix_16bit", "attention", "memory", "peak", "host")


def _abilities(card: Accelerator) -> list[Any]:
    formats = [name for name in LACKING if name in FORMATS]
    rated: tuple[tuple[str, Software], ...] = (("bf16", "tuned"), ("fp8", "eager"), ("nvfp4", "tuned"))
    return [
        gpu_family(card),
        gpu_class(card),
        sixteen_bit_tflops(card),
        visible_bytes(card),
        expert_tile(card),
        [[*compute_class(name, card), compute_type(FORMATS[name], card), is_native(name, card)] for name in formats],
        [[getattr(rates(card, dtype, software), part) for part in RATES] for dtype, software in rated],
    ]


def smallest_or_refused(bases: dict[str, Scenario]) -> dict[str, Any]:
    """The smallest build of runs with limits that are met, nearly met and out of reach."""
    found: dict[str, Any] = {}
    limits = ((30.0, None), (None, 5000.0), (1e-4, 1e9), (1e4, 1.0), (1e-4, 1.0))
    for (name, base), (days, usd), most in product(bases.items(), limits, (1, 32)):
        made = smallest_build(base, days, usd, 2.5, most)
        figures = [getattr(made, part) for part in ("found", "gpus", "nodes", "days", "cost_usd")]
        found[f"{name} {days} {usd} {most}"] = [*figures, text_of(made.words)]
    return found
