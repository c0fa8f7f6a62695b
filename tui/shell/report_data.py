"""The report as plain data: its JSON, under stable names."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, get_type_hints

import catalog
from engine.decide.advice import Advice, Cure, advice, bigger_card, ended, second_sentence
from engine.decide.answer import STATUS_WORDS
from engine.decide.corpus import CorpusPoint, corpus_curve
from engine.decide.whole import whole
from engine.figures.sentences import Sentence, joined, text_of
from engine.scenario import Scenario
from engine.sizing import FabricRow, MemoryGroup, PriceLine, Sizing, Suggestion, Training, Verdict
from engine.sizing.common import Later, Rows
from tui.shell.report_measured import measured_data
from tui.shell.report_words import Past, tokens_per_s

SCHEMA = 1


# JSON


def as_data(sizing: Sizing) -> dict[str, Any]:
    """The report as plain data under its stable names. Floats have six significant digits, unknowns are null."""
    found = advice(sizing.scenario, catalog.load())
    return sizing_data(with_advice(whole(sizing), found), found)


def with_advice(sizing: Sizing, found: Advice) -> Sizing:
    """The sizing with what the advice adds to its notices: what ends the first of them, and a build of larger cards."""
    larger = bigger_card(sizing, found)
    told = () if larger is None else (larger,)
    warnings = (*told, *(ended(notice, found) for notice in sizing.warnings))
    verdict, second = sizing.verdict, second_sentence(sizing, found)
    if second:
        verdict = dataclasses.replace(verdict, headline=(*verdict.headline, ". ", *second))
    return dataclasses.replace(sizing, warnings=warnings, verdict=verdict)


def past_data(past: Past) -> dict[str, Any]:
    verdict, cost = past.sizing.verdict, past.sizing.cost
    return {
        "figures": [_fields(drift) for drift in past.drifts],
        "as_saved": {
            "answer": verdict.answer,
            "headline": text_of(verdict.headline),
            "carried": verdict.carried,
            "tokens_per_s_total": data_of(tokens_per_s(past.sizing)),
            "rent_usd_per_month": data_of(cost.rent_usd_per_month),
            "buy_usd": data_of(cost.buy_usd),
        },
    }


def sizing_data(sizing: Sizing, found: Advice) -> dict[str, Any]:
    scenario, memory, verdict = sizing.scenario, sizing.memory, sizing.verdict
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "title": scenario.title,
        "notes": scenario.notes,
        "model": {
            **_fields(sizing.model),
            "name": scenario.model.name,
            "weights": scenario.model.weights,
            "kv_cache": scenario.model.kv_cache,
            "config": scenario.model.config,
        },
        "hardware": _hardware_data(scenario),
        "workload": _workload_data(sizing),
        "layout": _fields(sizing.layout),
        "memory": _fields(memory),
        "serving": None,
        "training": None,
        "fabric": [_fields(row) for row in sizing.fabric],
        "scaling": [_fields(row) for row in sizing.scaling],
        "verdict": _verdict_data(verdict),
        "fixes": [suggestion_data(change) for change in found.fixes],
        "warnings": [_fields(notice) for notice in sizing.warnings],
        "cost": _fields(sizing.cost),
        "power": _fields(sizing.power),
        "answer": _answer_data(sizing, found),
    }
    if sizing.serving is not None:
        data["serving"] = _fields(sizing.serving) | {"interval": data_of(sizing.serving.tokens_per_s_interval)}
        if sizing.serving.days is not None:
            data["serving"] |= _corpus_data(scenario)
    if sizing.training is not None:
        data["training"] = _fields(sizing.training) | {"supposed": not memory.fits}
        if not memory.fits:  # its step is that of cards with the memory, but no run comes of it
            data["training"] |= dict.fromkeys(("days", "days_interval", "gpu_hours", "cost_usd", "meets_deadline"))
            data["memory"]["nvidia_smi_bytes"] = data["cost"]["run_usd"] = None
    if scenario.measured:
        data["measured"] = measured_data(sizing, data_of)
    return data


def _corpus_data(scenario: Scenario) -> dict[str, Any]:
    """The corpus of a batch against GPUs, and the smallest build that is in time."""
    found = corpus_curve(scenario)

    def of(point: CorpusPoint) -> dict[str, Any]:
        return {"gpus": point.gpus} | {name: data_of(value) for name, value in point._asdict().items()}

    smallest = found.smallest
    return {
        "by_gpus": [of(point) for point in found.points],
        "smallest": of(smallest) if smallest is not None else None,
        "smallest_words": text_of(found.words),
    }


def _answer_data(sizing: Sizing, advised: Advice) -> dict[str, Any]:
    found = sizing.answer
    return {
        "status": found.status,
        "headline": f"{STATUS_WORDS[found.status]}: {text_of(found.why)}",
        "why": text_of(found.why),
        "speed": text_of(joined(found.speed, ", ")),
        "price": text_of(joined(found.price, ", ")),
        "rung": text_of(found.rung),
        "misses": [_fields(miss) for miss in found.misses],
        "cure": _cure_data(advised.cure),
        "smaller": _cure_data(advised.smaller),
        "quicker": _cure_data(advised.quicker),
        "safer": _cure_data(advised.safer),
        "lesser": _cure_data(advised.lesser),
        "others": [_cure_data(cure) for cure in advised.others],
        "api": text_of(advised.api),
    }


def _cure_data(cure: Cure | None) -> dict[str, Any] | None:
    """A change on offer: the keys that a session takes, and what the changed build does."""
    if cure is None:
        return None
    return {
        "changes": _named(cure.changes),
        "status": cure.status,
        "headline": text_of(cure.headline),
        "usd": data_of(cure.usd),
    }


def _workload_data(sizing: Sizing) -> dict[str, Any]:
    data, run = _fields(sizing.scenario.workload), sizing.training
    # accumulation steps, where entered, are the batch: the tokens beside them are not what was asked
    return data if run is None else data | {"global_batch_tokens": run.asked_step_tokens}


def _hardware_data(scenario: Scenario) -> dict[str, Any]:
    hardware = scenario.hardware
    return {
        "accelerator": hardware.accelerator.id,
        "gpus_per_node": hardware.gpus_per_node,
        "nodes": hardware.nodes,
        "gpus": hardware.gpus,
        "intra_link": hardware.intra_link.id,
        "inter_link": hardware.inter_link.id,
        "platform": hardware.platform.id if hardware.platform is not None else None,
    }


def _fields(record: Any) -> dict[str, Any]:
    # a row of a table is a named tuple
    names = getattr(record, "_fields", None) or [field.name for field in dataclasses.fields(record)]
    told = _sentences(record.__class__)
    return {
        name: told[name](getattr(record, name)) if name in told else data_of(getattr(record, name))
        for name in (*names, *_WORKED_OUT.get(type(record), ()))
    }


@lru_cache(maxsize=64)
def _sentences(kind: type) -> dict[str, Callable[[Any], Any]]:
    """The fields of a record that are sentences, or several of them, each with what writes its words."""

    def texts_of(sentences: Iterable[Sentence]) -> list[str]:
        return [text_of(one) for one in sentences]

    writes: dict[Any, Callable[[Any], Any]] = {
        Sentence: text_of,
        Later[Sentence]: text_of,
        tuple[Sentence, ...]: texts_of,
        Rows[Sentence]: texts_of,
    }
    return {name: writes[hint] for name, hint in get_type_hints(kind).items() if hint in writes}


_WORKED_OUT: dict[type, tuple[str, ...]] = {
    FabricRow: ("place", "quality", "quality_tp", "quality_pp", "quality_dp"),
    MemoryGroup: ("used_bytes", "over_bytes", "available_bytes"),
    PriceLine: ("usd",),
    Training: ("bubble_s", "hidden_communication_s", "exposed_share", "tokens_per_day", "days_interval"),
}
"""What a record of the report says beside its fields: quantities that the engine works out of them."""


def _named(changes: Iterable[tuple[str, Any]]) -> list[dict[str, Any]]:
    """Keys and their new values as named pairs."""
    return [{"field": key, "to": data_of(value)} for key, value in changes]


def _verdict_data(verdict: Verdict) -> dict[str, Any]:
    """The verdict as JSON data."""
    data = _fields(verdict)
    if verdict.recommended is not None:
        data["recommended"]["changes"] = _named(verdict.recommended.changes)
    return data


def suggestion_data(offered: Suggestion) -> dict[str, Any]:
    """A change on offer as JSON data: its first key and value, the others, and all of them as named pairs."""
    return {
        "field": offered.field,
        "value": data_of(offered.value),
        "effect": text_of(offered.effect),
        "also": data_of(offered.also),
        "layout": data_of(offered.layout),
        "changes": _named(offered.changes),
    }


def data_of(value: Any) -> Any:
    """A record, tuple or figure as JSON data."""
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, tuple | list):
        return [data_of(item) for item in value]
    if isinstance(value, Suggestion):
        return suggestion_data(value)
    if dataclasses.is_dataclass(value):
        return _fields(value)
    raise TypeError(f"{type(value).__name__} has no place in a report")
