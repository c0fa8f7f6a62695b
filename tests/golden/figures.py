"""Every figure of the golden builds, as plain data; import it only where the constants are held."""

from __future__ import annotations

import dataclasses
import json
import math
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from catalog import Catalog
from engine.decide.advice import Advice, advice
from engine.decide.answer import holds
from engine.decide.builds import Limits
from engine.decide.flips import flip_points
from engine.decide.prospects import prospects
from engine.decide.size import size
from engine.decide.whole import with_changes
from engine.figures.sentences import text_of
from engine.parts.hardware import Accelerator, Link, Platform
from engine.scenario import Scenario
from engine.scenario.change import change
from engine.sizing import Sizing
from tests.golden import grids, held, tables, variants
from tests.golden.frozen import frozen_catalog, sessions
from tui.files import drift, session
from tui.shell import builds, report, report_data, report_words

DIGITS = 10
STRIDE = 5
"""Names of builds say their kind first: each fifth name comes first."""
FLIPPED = (
    "serve-8b-bf16-one-4090",
    "serve-70b-nvfp4-trtllm",
    "serve-qwen3-next-burst",
    "full-qwen2.5-zero2-8bit",
    "full-8b-zero1-offload",
    "lora-8b-one-4090",
    "pretrain-8b-64k-cp4",
)
"""Builds whose flip points are held too: a search of their own, too slow to do for all."""
SEARCHED = ("serve-70b-fp8-8x-rtxpro6000", "full-qwen2.5-zero2-8bit", "batch-72b-awq-own-prices")
"""Builds whose `recommend` is held too."""


def plain(value: Any) -> Any:
    """Records, rows and tuples as JSON data, floats at ten digits; the scenario is what was asked, not a figure."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else str(value)
    if isinstance(value, Accelerator | Link | Platform):
        return value.id
    names = getattr(value, "_fields", None)
    if names is None and dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
    if names is not None:
        parts = {name: getattr(value, name) for name in names}
        return {name: plain(part) for name, part in parts.items() if not isinstance(part, Scenario)}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    raise TypeError(f"{type(value).__name__} has no place among figures")


def figures_of(name: str, scenario: Scenario, sizing: Sizing, found: Advice) -> dict[str, Any]:
    """What one build is sized at: the Sizing, the changes on offer, and the curve of a training run."""
    data: dict[str, Any] = plain(sizing)
    parts = {name: getattr(sizing, name) for name in ("memory", "serving", "training", "answer")}
    parts["worst"] = sizing.memory.worst
    data["derived"] = {name: _properties(part) for name, part in parts.items() if part is not None}
    data["derived"]["bill"] = [line.usd for line in sizing.cost.lines]
    data["fixes"] = plain(found.fixes)
    if not scenario.workload.is_inference:
        data["prospects"] = plain(prospects(scenario))
    if name in FLIPPED:
        points = flip_points(scenario)
        data["flips"] = plain(points)
        data["holds"] = [text_of(words) for words in holds(points)]
    return data


def _properties(record: Any) -> dict[str, Any]:
    """What a record derives from its fields."""
    names = [name for name, part in vars(type(record)).items() if isinstance(part, property)]
    return {name: plain(getattr(record, name)) for name in names}


def everything() -> dict[str, Any]:
    """The figures of each build by name, and the keys of the JSON reports over all of them."""
    names = build_names()
    found = in_forks([*each_part(), *(partial(of_build, name) for name in names)])
    sized: dict[str, tuple[dict[str, Any], dict[str, Any]]] = dict(zip(names, found[-len(names) :], strict=True))
    tables: dict[str, dict[str, Any]] = {}
    for (name, part), made in zip(part_names(), found, strict=False):
        tables.setdefault(name, {})[part] = made
    known, first = frozen_catalog(), sessions()
    searches = [figures["recommend"] for figures, _ in sized.values() if "recommend" in figures]
    return {
        "figures": dict(
            sorted(
                [
                    *((name, figures) for name, (figures, _) in sized.items()),
                    *((name, made.get("", made)) for name, made in tables.items()),
                ]
            )
        ),
        "report": list(key_paths([*(data for _, data in sized.values()), _drifted(known, first[FLIPPED[0]])])),
        "recommend": list(key_paths([*searches, _within_limits(known, first[SEARCHED[0]])])),
    }


def in_forks(work: list[Callable[[], Any]]) -> list[Any]:
    """What each piece of work returns, as many at a time as there are processors."""
    global _work
    _work = work
    with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
        return pool.map(_done, range(len(work)), chunksize=1)


_work: list[Callable[[], Any]] = []
"""What the forks work on: they find it where it is, and only its number is sent to them."""


def _done(number: int) -> Any:
    return _work[number]()


def part_names() -> list[tuple[str, str]]:
    """(table, part) of each part of each table."""
    return [(name, part) for name, makers in table_makers().items() for part in makers]


def each_part() -> Iterator[Callable[[], Any]]:
    """What makes each part of each table as plain data."""
    for makers in table_makers().values():
        yield from (partial(_plainly, maker) for maker in makers.values())


def _plainly(maker: Callable[[], Any]) -> Any:
    return plain(maker())


def build_names() -> list[str]:
    """Every build, unlike ones early."""
    texts = list(sessions())
    return [name for start in range(STRIDE) for name in texts[start::STRIDE]]


def of_build(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(figures, JSON report) of one build."""
    scenario = session.parse(sessions()[name], file=name, known=frozen_catalog())
    sizing = with_changes(size(scenario))
    found = advice(scenario)
    figures = figures_of(name, scenario, sizing, found)
    # the flip points are a search of their own: a report without them has all other keys
    data = report_data.as_data(sizing) if name in FLIPPED else report_data.sizing_data(sizing, found)
    if name in SEARCHED:
        figures["recommend"] = builds.as_data(builds.search(scenario, Limits()))
    return figures, data


def table_makers() -> dict[str, dict[str, Callable[[], Any]]]:
    """What makes each part of each table that is kept beside the builds; a part without a name is the whole table."""
    known = frozen_catalog()
    bases = {name: session.parse(text, file=name, known=known) for name, text in sessions().items()}
    found: dict[str, dict[str, Callable[[], Any]]] = {"grids": _grids(bases, known), "tables": _tables(bases, known)}
    for name in (*variants.SERVED, *variants.TRAINED):
        found[name + variants.SUFFIX] = {"": partial(variants.table_of, name, bases[name], known)}
    found["advice"] = {name: partial(grids.advised, one) for name, one in _asked(bases, known)}
    return found


def _tables(bases: dict[str, Scenario], known: Catalog) -> dict[str, Callable[[], Any]]:
    return {
        "models": lambda: tables.models(known),
        "formats": tables.formats,
        "sweeps": lambda: {name: tables.sweeps(name, bases[name]) for name in tables.SWEPT},
        "articles": tables.articles,
    }


SERVED = ("serve-8b-bf16-one-4090", "serve-deepseek-v3-tp8-pp2", "serve-70b-over-the-card", "serve-8b-replicas")
TRAINED = ("full-8b-zero1-offload", "lora-qwen2.5-vl-ddp", "qlora-70b-nf4-two-cards", "pretrain-mixtral-8x7b-ep8")
LINKED = (
    "serve-8b-replicas",
    "serve-deepseek-v3-tp8-pp2",
    "serve-mixtral-int4-no-p2p",
    "serve-qwen3-235b-mi300x-ep",
    "serve-spark-pair",
    "serve-kimi-nvl72",
)
CHANGED = ("serve-8b-bf16-one-4090", "serve-mixed-cards", "serve-gpt-oss-mxfp4-trtllm", "pretrain-mixtral-8x7b-ep8")
ADVISED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("serve-405b-fp8-8x-h100", {}),
    ("serve-70b-over-the-card", {}),
    ("serve-8b-replicas", {}),
    ("serve-gguf-mac", {}),
    ("serve-8b-bf16-one-4090", {"workload.input_tokens": 60_000}),
    ("serve-8b-bf16-one-4090", {"workload.tokens_per_s_user_target": 90.0, "layout.tp": 1}),
    ("serve-8b-bf16-one-4090", {"workload.concurrency": 60, "runtime.memory_utilization": None}),
    ("serve-qwen3-vl-8b", {"workload.concurrency": 3000}),
    ("serve-gpt-oss-mxfp4-trtllm", {"hardware.gpus_per_node": 8}),
    ("serve-opt-66b-volta", {"workload.concurrency": 1}),
    ("lora-8b-one-4090", {"workload.sequence_length": 32_768}),
    ("full-8b-zero1-offload", {"workload.micro_batch": 64}),
    ("full-qwen2.5-zero2-8bit", {"workload.deadline_days": 0.2}),
    ("full-70b-zero3-deadline", {"workload.deadline_days": 300.0}),
    ("pretrain-1b-ddp", {"workload.budget_usd": 5000.0}),
)
"""Builds that are asked what to do about them, each as it stands or with something that goes wrong."""


def _grids(bases: dict[str, Scenario], known: Catalog) -> dict[str, Callable[[], Any]]:
    served = {name: bases[name] for name in SERVED}
    trained = {name: bases[name] for name in TRAINED}
    alone, run = served[SERVED[0]], trained[TRAINED[0]]
    return {
        "money": lambda: list(grids.money_over_months()),
        "ages": lambda: grids.ages(),
        "bills": lambda: grids.bills(alone, known),
        "costs": lambda: grids.costs({**served, **trained}),
        "batches": lambda: list(grids.batches()),
        "messages": lambda: grids.step_messages(trained),
        "served messages": lambda: grids.served_messages({name: bases[name] for name in LINKED}, known),
        "loads on links": lambda: grids.loads_on_links({name: bases[name] for name in LINKED}, known),
        "collectives": lambda: grids.collectives(known),
        "states": lambda: held.states(known),
        "tried": lambda: held.tried({**bases, **dict(_asked(bases, known)), **_wide(bases, known)}, known),
        "entered": lambda: held.entered({name: bases[name] for name in (*CHANGED, "serve-spark-pair")}),
        "sites": lambda: held.sites(alone, known),
        "cards that lack": lambda: held.lacking(known),
        "smallest or refused": lambda: held.smallest_or_refused({name: trained[name] for name in TRAINED[::2]}),
        "defaults": lambda: list(grids.engine_defaults()),
        "cards": lambda: grids.cards(known),
        "layouts": lambda: grids.layouts(alone, run, known),
        "serving": lambda: grids.serving_tables(served),
        "swept": lambda: grids.sweep_values({**served, **trained}),
        "verdicts": lambda: grids.verdict_steps({**served, **trained, **_wide(bases, known)}),
        "smallest": lambda: grids.smallest({name: trained[name] for name in TRAINED[::2]}),
        "replicas": lambda: grids.replicas({**served, **trained}),
        "choices": lambda: grids.choices(trained),
        "changed": lambda: grids.changed({name: bases[name] for name in CHANGED}, known),
        "fields": lambda: grids.fields(),
        "words": lambda: grids.words(),
    }


def _wide(bases: dict[str, Scenario], known: Catalog) -> dict[str, Scenario]:
    """Builds that more bits or a larger load are too much for."""
    tried: tuple[tuple[str, dict[str, Any]], ...] = (
        ("serve-405b-fp8-8x-h100", {"model.weights": "bf16"}),
        ("serve-qwen3-235b-mi300x-ep", {"model.weights": "bf16"}),
        ("serve-8b-bf16-one-4090", {"workload.concurrency": 300}),
        ("pretrain-1b-ddp", {"workload.deadline_days": 0.5}),
        ("pretrain-405b-2048-nodes", {"hardware.accelerator": "l4", "hardware.nodes": 4, "layout.tp": None}),
    )
    return {" ".join([name, *changes]): change(bases[name], changes, known) for name, changes in tried}


def _asked(bases: dict[str, Scenario], known: Catalog) -> Iterator[tuple[str, Scenario]]:
    for name, changes in ADVISED:
        yield " ".join([name, *changes]), change(bases[name], changes, known)


def _drifted(known: Catalog, text: str) -> dict[str, Any]:
    """The report of a session that was saved when the catalog knew less of the card."""
    scenario = session.parse(text, known=known)
    table = dataclasses.replace(drift.figures_of(scenario), bandwidth_gb_s=1000.0)
    past = report_words.past_of(table, scenario, size)
    data: dict[str, Any] = json.loads(report.render(size(scenario), "json", past))
    return data


def _within_limits(known: Catalog, text: str) -> dict[str, Any]:
    scenario = session.parse(text, known=known)
    limits = Limits(buy_usd=1e6, rent_usd_per_month=1e6, power_w=1e6, vendors=("NVIDIA",), owned=("h100-sxm",))
    return builds.as_data(builds.search(scenario, limits))


def key_paths(documents: Iterable[Any]) -> Iterator[str]:
    """Every path of keys in some JSON documents with the kinds of value found there, sorted: `memory.fits boolean`."""
    kinds: dict[str, set[str]] = {}
    for document in documents:
        _collect(document, "", kinds)
    for path in sorted(kinds):
        yield f"{path} {'|'.join(sorted(kinds[path]))}"


def _collect(value: Any, path: str, kinds: dict[str, set[str]]) -> None:
    if path:
        kinds.setdefault(path, set()).add(_kind(value))
    if isinstance(value, dict):
        for key, item in value.items():
            _collect(item, f"{path}.{key}" if path else key, kinds)
    elif isinstance(value, list):
        for item in value:
            _collect(item, f"{path}[]", kinds)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return {str: "text", dict: "object", list: "list", type(None): "null"}[type(value)]
