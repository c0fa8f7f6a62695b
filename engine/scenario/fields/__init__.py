"""The one table of what a person can enter: key, label, unit, range, default, help, workloads, step and choices.

The form, the tab of a field, `--set`, the reader of sessions, `engine.scenario.change` and `engine.scenario.checks` read it; a range
stands nowhere else. Pure data: how a field is shown and typed is the business of who shows it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from engine.figures.errors import ScenarioError
from engine.figures.text import shown
from engine.scenario import Kind, Scenario
from engine.scenario.fields.build import HARDWARE_FIELDS, LAYOUT_FIELDS, MAX_GPUS_PER_NODE, MAX_NODES, MODEL_FIELDS
from engine.scenario.fields.detail import DETAIL_FIELDS
from engine.scenario.fields.field import LONGEST_ID, UNSET, Field, FieldKind, StepRule, Value, nearest_of, word_of
from engine.scenario.fields.options import told
from engine.scenario.fields.rest import MONEY_FIELDS, SESSION_FIELDS
from engine.scenario.fields.rewards import REWARD_FIELDS
from engine.scenario.fields.runtime import RUNTIME_FIELDS
from engine.scenario.fields.work import KIND_WORDS, WORKLOAD_FIELDS

__all__ = [
    "BY_KEY",
    "FIELDS",
    "KIND_WORDS",
    "LONGEST_ID",
    "MAX_GPUS_PER_NODE",
    "MAX_NODES",
    "UNSET",
    "Field",
    "FieldKind",
    "StepRule",
    "Value",
    "brief",
    "check_ranges",
    "checked",
    "field_of",
    "nearest_of",
    "word_of",
    "worded",
]

FIELDS: tuple[Field, ...] = (
    *MODEL_FIELDS,
    *HARDWARE_FIELDS,
    *WORKLOAD_FIELDS,
    *REWARD_FIELDS,
    *LAYOUT_FIELDS,
    *DETAIL_FIELDS,
    *RUNTIME_FIELDS,
    *MONEY_FIELDS,
    *SESSION_FIELDS,
)
BY_KEY: dict[str, Field] = {field.key: field for field in FIELDS}
_OF_A_BATCH: dict[str, Field] = {
    "workload.total_tokens": replace(
        BY_KEY["workload.total_tokens"],
        label="Corpus",
        help="Tokens of the whole corpus, prompts and answers together: 5B is 5B / (prompt + answer) requests. Empty: no end.",
        empty="none",
    ),
    "workload.deadline_days": replace(
        BY_KEY["workload.deadline_days"], help="Days in which the corpus must be done. Leave empty for none."
    ),
}


def worded(field: Field, kind: Kind) -> Field:
    """The field as it is called in one kind of workload: what training calls its run is a corpus to a batch."""
    return _OF_A_BATCH.get(field.key, field) if kind == "batch" else field


def field_of(key: str) -> Field:
    """The field of a dotted key. Raises ScenarioError for a key that nothing has, with the nearest one."""
    found = BY_KEY.get(key)
    if found is not None:
        return found
    word = key if len(key) <= LONGEST_ID and key.isprintable() else shown(key)
    name = key[:LONGEST_ID].rpartition(".")[2]
    elsewhere = next((field for field in FIELDS if field.name == name and field.table), None)
    if elsewhere is not None:
        raise ScenarioError(word, f"unknown key; {name} belongs in [{elsewhere.table}]")
    if option := told(name):
        raise ScenarioError(word, option)
    near = nearest_of(key, BY_KEY)
    raise ScenarioError(word, f"unknown key; {f'the nearest known one is {near}' if near else 'none is like it'}")


def checked(key: str, value: Any) -> Value:
    """The value of a key as the scenario keeps it. Raises ScenarioError for no such key, or a value out of range."""
    return field_of(key).checked(value)


# second_gpus has no place of its own in a Scenario, and its range depends on the node
_RANGED: tuple[tuple[Field, str, str], ...] = tuple(
    (field, field.table, field.name)
    for field in FIELDS
    if field.kind == "number" and field.key != "hardware.second_gpus"
)


def check_ranges(scenario: Scenario) -> None:
    """Raise ScenarioError for the first number that is out of its range."""
    parts = {name: getattr(scenario, name) for name in ("hardware", "workload", "layout", "runtime", "money")}
    for field, table, name in _RANGED:
        value = getattr(parts[table], name)
        # written so that NaN is refused, too
        if value is not None and not field.low <= value <= field.high:
            raise field.out_of_range(value)
