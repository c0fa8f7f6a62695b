"""What a field of a scenario is: its key, what it holds, and the value that it accepts."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import field as dataclass_field
from typing import Any, Literal, get_args

from engine.figures.errors import ScenarioError
from engine.figures.records import dataclass
from engine.figures.text import shown
from engine.scenario import KINDS, TUNED_KINDS, Kind, LayoutChoice, Money, Runtime, Workload

FieldKind = Literal["number", "choice", "id", "text"]
StepRule = Literal["double", "one", "hundredth", "half", "five", "tenth"]
Value = str | int | float | bool | None

SERVING: tuple[Kind, ...] = ("serve", "batch", "embed")
WRITING: tuple[Kind, ...] = ("serve", "batch")
ADAPTERS: tuple[Kind, ...] = ("lora", "qlora", *TUNED_KINDS)
"""Kinds that train adapters, or may."""
TRAINING: tuple[Kind, ...] = tuple(kind for kind in KINDS if kind not in SERVING)
YES_NO: tuple[tuple[Value, str], ...] = ((True, "yes"), (False, "no"))
UNSET = "unset"  # what `Field.default` says where a new session has no value of its own

LONGEST_ID = 200
LONGEST_PATH = 4096
LONGEST_TITLE = 500
LONGEST_NOTES = 50_000


def plain(literal: Any) -> tuple[tuple[Value, str], ...]:
    """Choices that are shown by their own names: those of a Literal."""
    return tuple((value, value) for value in get_args(literal))


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that a person can enter. `key` is the dotted key of a session.

    help: what it means, one or two sentences. low, high, whole: the range of a number. longest: of a text, characters.
    choices: (value, label) pairs; accepted: values that are taken beside them and offered to nobody. empty: where None
    is a value, the word for it, such as "auto". follows: None means what is usual beside the other fields, and the field
    always has a value. step: how one key press changes it. kinds: the workloads in which it counts.
    table, name: the parts of the key; the keys above all tables have no table.
    """

    key: str
    label: str
    section: str
    kind: FieldKind
    help: str
    unit: str = ""
    low: float = 1
    high: float = math.inf
    whole: bool = True
    longest: int = LONGEST_ID
    empty: str = ""
    follows: bool = False
    choices: tuple[tuple[Value, str], ...] = ()
    accepted: tuple[Value, ...] = ()
    step: StepRule = "double"
    kinds: tuple[Kind, ...] = KINDS

    table: str = dataclass_field(init=False)
    name: str = dataclass_field(init=False)

    def __post_init__(self) -> None:
        table, _, name = self.key.rpartition(".")
        object.__setattr__(self, "table", table)
        object.__setattr__(self, "name", name)

    @property
    def optional(self) -> bool:
        """Whether the field may be left empty."""
        return bool(self.empty)

    @property
    def values(self) -> tuple[Value, ...]:
        """The values of a choice."""
        return (*(value for value, _ in self.choices), *self.accepted)

    def default(self) -> Any:
        """The value of a new session; UNSET when the field has none of its own."""
        record = _DEFAULTS.get(self.table)
        return getattr(record, self.name) if record is not None else _OTHER_DEFAULTS.get(self.key, UNSET)

    @property
    def range_words(self) -> str:
        """What a number accepts, in words and figures: `1 to 72`."""
        low, high = _figure(self.low), _figure(self.high)
        return f"{low} or more" if math.isinf(self.high) else f"{low} to {high}"

    def checked(self, value: Any) -> Value:
        """The value as the scenario keeps it. Raises ScenarioError naming the field, and what it accepts."""
        if self.whole and type(value) is int and self.kind == "number" and self.low <= value <= self.high:
            return value  # the searches come here thousands of times
        if value is None:
            if self.kind == "text" or self.key == "model.config":
                return ""
            if self.optional or self.follows or None in self.values:
                return None
            raise ScenarioError(self.key, "a value is needed", self.allowed)
        if self.kind == "choice":
            return self._choice(value)
        if self.kind == "number":
            return self._number(value)
        if not isinstance(value, str):
            raise ScenarioError(self.key, f"{shown(value)} is not accepted", "text")
        if len(value) > self.longest:
            raise ScenarioError(self.key, f"{len(value):,} characters are too many", f"up to {self.longest:,}")
        if self.kind == "id" and not value.isprintable():
            raise ScenarioError(self.key, f"{shown(value)} has characters that do not print", "printable characters")
        return value

    def _choice(self, value: Any) -> Value:
        for known in self.values:
            if known == value and isinstance(known, bool) == isinstance(value, bool):
                return known
        near = None
        if isinstance(value, str):
            near = nearest_of(value, [known for known in self.values if isinstance(known, str)])
        raise ScenarioError(self.key, f"{shown(value)} is not accepted", self.allowed, near)

    def _number(self, value: Any) -> Value:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ScenarioError(self.key, f"{shown(value)} is not accepted", self.allowed)
        if isinstance(value, float):
            if not math.isfinite(value):
                raise ScenarioError(self.key, f"{value} is not a finite number", self.allowed)
            if self.whole:
                if not value.is_integer():
                    raise ScenarioError(self.key, f"{value:g} is not whole", f"a whole number, {self.range_words}")
                value = int(value)
        if not self.low <= value <= self.high:
            raise self.out_of_range(value)
        return value if self.whole else float(value)

    def out_of_range(self, value: float) -> ScenarioError:
        """The error for a number below or above what the field accepts."""
        few, many = ("few", "many") if self.whole else ("little", "much")
        end: float = self.low if value < self.low else self.high
        nearest = int(end) if float(end).is_integer() else end
        return ScenarioError(
            self.key, f"{_figure(value)} is too {few if value < self.low else many}", self.range_words, nearest
        )

    @property
    def allowed(self) -> str:
        """What is accepted, as a session file or an option writes it."""
        if self.kind == "choice":
            words = [word_of(value) for value in self.values]
            return " or ".join(words) if len(words) == 2 else ", ".join(words)
        if self.kind == "number":
            return f"{'a whole number' if self.whole else 'a number'}, {self.range_words}"
        return "text"


_DEFAULTS: dict[str, Any] = {
    "workload": Workload(),
    "layout": LayoutChoice(),
    "runtime": Runtime(),
    "money": Money(),
}
_OTHER_DEFAULTS: dict[str, Any] = {
    "model.kv_cache": "bf16",
    "model.mtp": False,
    "model.config": "",
    "hardware.nodes": 1,
    "hardware.second_accelerator": None,
    "title": "",
    "notes": "",
}


def nearest_of(wrong: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant; None where none is alike."""
    import difflib  # only a mistake needs it

    found = difflib.get_close_matches(wrong[:LONGEST_ID].casefold(), list(known), 1, 0.3)
    return found[0] if found else None


def _figure(value: float) -> str:
    """A bound as people read it."""
    if isinstance(value, int) or value.is_integer():
        whole = int(value)
        return f"{whole:,}" if abs(whole) < 10**19 else "so large a number"
    return f"{value:g}"


def word_of(value: Value) -> str:
    """A choice as a session file or an option writes it."""
    if value is None:
        return "auto"
    return str(value).lower() if isinstance(value, bool) else str(value)
