"""How the fields of the table are shown and typed: which apply, as what text, and how a key press steps them. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from catalog import Catalog, build_scenario
from engine.scenario import Scenario
from engine.scenario.change import Changes, value_of
from engine.scenario.fields import FIELDS as TABLE
from engine.scenario.fields import UNSET, Field, StepRule, worded
from engine.serving.attention import known_kernels
from engine.serving.host import keeps_on_host
from engine.sizing import Sizing
from tui.files import numbers
from tui.files.numbers import NumberError

__all__ = ["BY_KEY", "FIELDS", "UNSET", "Field", "InvalidEntry"]

FIELDS: tuple[Field, ...] = tuple(field for field in TABLE if field.key != "model.config")
"""The fields of the form, in order: all of the table but the model's file, which the Model field shows."""
BY_KEY: dict[str, Field] = {field.key: field for field in FIELDS}


class InvalidEntry(ValueError):
    """Text that the field cannot take; the message says why and what is allowed."""


def _pipelined(scenario: Scenario) -> bool:
    return scenario.layout.pp != 1 and scenario.hardware.gpus > 1


def _drafts(scenario: Scenario) -> bool:
    return scenario.runtime.speculative is not None or scenario.model.mtp


def _recurrent(scenario: Scenario) -> bool:
    return any(
        cache.kind == "recurrent" for layer, _ in scenario.model.architecture.layer_runs() for cache in layer.caches
    )


_SHOWN_WHEN: dict[str, Callable[[Scenario], bool]] = {
    # a run trains in formats of its own: Base weights, Multiply in
    "model.weights": lambda scenario: scenario.workload.is_inference,
    "model.mtp": lambda scenario: bool(scenario.model.architecture.mtp),
    "hardware.second_accelerator": lambda scenario: scenario.hardware.gpus_per_node > 1,
    "hardware.second_gpus": lambda scenario: bool(scenario.hardware.mixed),
    # a corpus says how many requests there are
    "workload.requests": lambda scenario: (
        (scenario.workload.kind == "batch" and not scenario.workload.is_run) or scenario.workload.requests is not None
    ),
    "workload.output_spread": lambda scenario: scenario.workload.requests is not None,
    "workload.ttft_target_at": lambda scenario: scenario.workload.ttft_target_s is not None,
    "workload.tokens_per_s_user_target_at": lambda scenario: scenario.workload.tokens_per_s_user_target is not None,
    "workload.cached_by": lambda scenario: scenario.workload.cached_share is not None,
    "layout.ep": lambda scenario: scenario.model.architecture.experts > 0,
    "layout.dp_attention": lambda scenario: scenario.model.architecture.experts > 0,
    "layout.dcp": lambda scenario: scenario.hardware.gpus > 1,
    "runtime.speculative_tokens": _drafts,
    "runtime.speculative_accepted": _drafts,
    "runtime.attention_backend": lambda scenario: (
        len(known_kernels(scenario)) > 1 or scenario.runtime.attention_backend is not None
    ),
    "runtime.prefix_caching": lambda scenario: _recurrent(scenario) or scenario.workload.cached_share is not None,
    "runtime.max_lora_rank": lambda scenario: scenario.runtime.max_loras is not None,
    "runtime.n_cpu_moe": lambda scenario: (
        scenario.runtime.rules.host == "layers" and scenario.model.architecture.experts > 0
    ),
    "runtime.n_gpu_layers": lambda scenario: scenario.runtime.rules.host == "layers",
    "runtime.cpu_offload_gb": lambda scenario: scenario.runtime.rules.host == "copied",
    "runtime.text_only": lambda scenario: (
        scenario.runtime.rules.whole_items and bool(scenario.model.architecture.towers)
    ),
    "runtime.kt_gpu_experts": lambda scenario: (
        scenario.runtime.rules.host_experts and scenario.model.architecture.experts > 0
    ),
    "runtime.kv_cache_gib": lambda scenario: scenario.runtime.rules.kv_by_bytes,
    "runtime.state_dtype": _recurrent,
    "runtime.state_slots": lambda scenario: scenario.runtime.rules.state_slots and _recurrent(scenario),
    "runtime.skip_mm_profiling": lambda scenario: (
        scenario.runtime.rules.whole_items and scenario.model.architecture.vision_tokens_max > 0
    ),
    "runtime.host_gb_s": lambda scenario: keeps_on_host(scenario.runtime),
    "runtime.host_ram_gib": lambda scenario: (
        keeps_on_host(scenario.runtime) or scenario.runtime.host_ram_gib is not None
    ),
    "runtime.host_reserve_gib": lambda scenario: scenario.hardware.accelerator.unified_memory,
    "workload.pipeline_schedule": _pipelined,
    "workload.virtual_stages": lambda scenario: (
        _pipelined(scenario) and scenario.workload.pipeline_schedule == "interleaved"
    ),
    "workload.deadline_days": lambda scenario: scenario.workload.is_run or scenario.workload.deadline_days is not None,
    "money.runs_per_month": lambda scenario: scenario.workload.is_run,
    "money.network_price_usd": lambda scenario: scenario.hardware.nodes > 1,
}
"""Fields that the build has no use for at times, beside the kind of the workload."""


def applies(scenario: Scenario, field: Field) -> bool:
    """Whether a field counts for this workload and build."""
    if scenario.workload.kind not in field.kinds:
        return False
    rule = _SHOWN_WHEN.get(field.key)
    return rule is None or rule(scenario)


def shown(scenario: Scenario) -> list[Field]:
    """The fields that apply to a scenario, in order."""
    return [worded(field, scenario.workload.kind) for field in FIELDS if applies(scenario, field)]


FEW = 5
"""So many choices are stepped through; more are chosen from a list with a filter."""


def has_list(field: Field) -> bool:
    """Whether a field is chosen from a list: records of the catalog, and choices too many to step through."""
    return field.kind == "id" or len(field.choices) > FEW


def current(scenario: Scenario, field: Field) -> Any:
    """The field's value; for records of the catalog their id."""
    return value_of(scenario, field.key)


def text_of(scenario: Scenario, field: Field) -> str:
    """The value as the form shows it while nobody types."""
    value = current(scenario, field)
    if field.key == "model.id" and scenario.model.config:
        return scenario.model.config
    if field.choices:
        return next((label for choice, label in field.choices if choice == value), str(value))
    if value is None or value == "":
        return field.empty
    return numbers.typed(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def value_words(key: str, value: Any) -> str:
    """A value of a field in words: its label, or the word for an open field."""
    field = BY_KEY[key]
    label = next((label for choice, label in field.choices if choice is value or choice == value), None)
    if label is not None:
        return label
    return (field.empty or "usual") if value is None else str(value)


def auto_value(sizing: Sizing | None, field: Field) -> Any:
    """What a field that was left open came to in a Sizing: a number, a word or a yes; None where it does not say so."""
    if sizing is None:
        return None
    section, _, name = field.key.partition(".")
    return getattr(sizing.layout if section == "layout" else sizing.resolved, name, None)


def chosen_by_auto(sizing: Sizing | None, field: Field) -> str:
    """The same in words, for the form; empty where the Sizing does not say so."""
    value = auto_value(sizing, field)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or isinstance(value, str):
        return value or ""
    if field.key.startswith("money."):
        return f"${value:,.2f}" if value < 1000 else f"${value:,.0f}" if value < 100_000 else f"${value / 1000:,.0f}k"
    return numbers.typed(round(value, 3))


def is_auto(scenario: Scenario, field: Field) -> bool:
    """Whether the field is left to be filled in."""
    return current(scenario, field) in (None, "auto")


def range_words(field: Field) -> str:
    """What the field accepts, in words."""
    if field.kind != "number":
        return ""
    low = numbers.typed(field.low)
    words = f"from {low}" if math.isinf(field.high) else f"{low} to {numbers.typed(field.high)}"
    return f"{words}, or empty" if field.optional else words


def default_words(field: Field) -> str:
    """The default in words; empty when the field has none."""
    value = field.default()
    if value == UNSET or value == "":
        return ""
    if value is None and field.optional:
        return field.empty
    if field.choices:
        return next((label for choice, label in field.choices if choice == value), "")
    return numbers.typed(value)


def is_default(scenario: Scenario, field: Field) -> bool:
    """Whether the value is the one of a new session (False for fields that have no default)."""
    default = field.default()
    return bool(default != UNSET and current(scenario, field) == default)


def _reader(field: Field) -> Callable[[str], float]:
    if field.whole:
        return numbers.whole
    return _READERS.get(field.key, numbers.decimal)


_READERS: dict[str, Callable[[str], float]] = {
    "workload.ttft_target_s": numbers.seconds,
    "workload.deadline_days": numbers.days,
    "runtime.memory_utilization": numbers.share,
    "workload.overlap": numbers.share,
    "workload.cached_share": numbers.share,
}


def parse(field: Field, text: str) -> Any:
    """The value that typed text means. Raises InvalidEntry."""
    text = text.strip()
    if field.kind == "text":
        if len(text) > field.longest:
            raise InvalidEntry(f"{len(text):,} characters are too many; allowed: up to {field.longest:,}")
        return text
    if field.optional and (not text or text.casefold() in (field.empty, "auto", "none", "-")):
        return None
    if not text:
        raise InvalidEntry(f"a number is needed: {range_words(field)}")
    try:
        value = _reader(field)(text)
    except NumberError as error:
        raise InvalidEntry(str(error)) from None
    if not field.low <= value <= field.high:
        raise InvalidEntry(f"{text} is out of range; allowed: {range_words(field)}")
    return value


_STEPS: dict[StepRule, float] = {"one": 1, "hundredth": 0.01, "half": 0.5, "five": 5}


def stepped(scenario: Scenario, sizing: Sizing | None, field: Field, up: bool) -> Any:
    """The next value up or down: powers of two for counts, the next choice for choices, or the same at an end."""
    value = current(scenario, field)
    if field.choices:
        values = [choice for choice, _ in field.choices]
        at = values.index(value) if value in values else 0
        return values[max(0, min(len(values) - 1, at + (-1 if up else 1)))]
    if field.kind != "number":
        return value
    if value is None:
        value = auto_value(sizing, field)
        if value is None:
            value = _FIRST.get(field.key)
            return value if value is not None else field.low if not math.isinf(field.high) else 1
    if field.step == "double":
        power = math.log2(max(value, 1))
        new = 2.0 ** (math.floor(power + 1e-9) + 1) if up else 2.0 ** (math.ceil(power - 1e-9) - 1)
        if not up and value <= 1:
            new = value
    elif field.step == "tenth":
        new = _nice(value, up)
    else:
        size = _STEPS[field.step]
        count = value / size
        new = (math.floor(count + 1e-6) + 1) * size if up else (math.ceil(count - 1e-6) - 1) * size
        new = round(new, 6)
    most = scenario.hardware.gpus_per_node - 1 if field.key == "hardware.second_gpus" else field.high
    new = min(max(field.low, most), max(field.low, new))
    return int(new) if field.whole else new


_FIRST: dict[str, float] = {
    "workload.ttft_target_s": 2.0,
    "workload.tokens_per_s_user_target": 20.0,
    "workload.requests_per_s": 1.0,
    "workload.requests": 1024,
    "workload.output_spread": 1.0,
    "workload.cached_share": 0.5,
    "workload.overlap": 0.5,
    "workload.gradient_accumulation": 1,
    "workload.deadline_days": 7.0,
    "workload.total_tokens": 1_000_000_000,
    "workload.budget_usd": 100_000.0,
    "money.gpu_price_usd": 10_000.0,
    "money.host_price_usd": 10_000.0,
    "money.network_price_usd": 5_000.0,
    "money.usd_per_gpu_hour": 2.0,
    "money.electricity_usd_per_kwh": 0.15,
    "money.pue": 1.2,
    "money.rack_kw": 15.0,
    "money.hours_per_day": 8.0,
    "money.days_per_month": 20.0,
    "money.runs_per_month": 1.0,
    "money.growth_percent_per_month": 5.0,
    "money.capital_percent_per_year": 8.0,
    "money.resale_percent": 20.0,
    "money.support_percent_per_year": 5.0,
    "money.storage_tb": 10.0,
    "money.engineer_share": 0.2,
    "money.engineer_usd_per_year": 150_000.0,
    "workload.virtual_stages": 2,
    "runtime.max_model_len": 8192,
    "runtime.max_num_seqs": 256,
    "runtime.max_num_batched_tokens": 8192,
}


def _nice(value: float, up: bool) -> float:
    """The next price up or down in steps of about a tenth, with two figures."""
    if value <= 0:
        return 1.0 if up else 0.0
    size = 10.0 ** (math.floor(math.log10(value)) - 1)
    size *= 5 if value / size >= 50 else 2 if value / size >= 20 else 1
    count = value / size
    return round((math.floor(count + 1e-6) + 1 if up else math.ceil(count - 1e-6) - 1) * size, 6)


NEW_MODEL, NEW_WEIGHTS = "llama-3.1-70b", "fp8"
NEW_CARD, NEW_GPUS = "rtx-pro-6000-server", 4
"""What a new session starts with, beside the defaults of the fields."""


def new_scenario(catalog: Catalog) -> Scenario:
    """What a new session starts with, by every door."""
    return build_scenario(NEW_MODEL, NEW_WEIGHTS, NEW_CARD, NEW_GPUS, catalog=catalog)


def named(scenario: Scenario, changes: Changes, new: bool) -> Changes:
    """Changes with the format that a model brings which is named: the one it is published in.

    A format that is named beside it stays, and one that somebody chose follows by `change`'s own rule. new: the
    scenario is of no file, and its format was chosen by nobody while model and format are those of a new session.
    """
    names_one = bool(changes.keys() & {"model.id", "model.config"}) and "model.weights" not in changes
    now = scenario.model
    if names_one and new and not now.config and (now.id, now.weights) == (NEW_MODEL, NEW_WEIGHTS):
        return {**changes, "model.weights": None}
    return changes
