"""What several parts of a sizing share: tables made when read, and changes on offer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

from engine.figures.records import dataclass
from engine.figures.sentences import Sentence
from engine.scenario import Layout

_Value = TypeVar("_Value")
_Row = TypeVar("_Row")


class Later(Generic[_Value]):
    """A value that a record takes as it is, or as a function that makes it when somebody first reads it.

    Most sizings are made to show a handful of figures, and what stands beside them costs as much as all of those.
    none: what it is where nothing is given.
    """

    def __init__(self, none: _Value) -> None:
        self._none = none

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, record: None, owner: type) -> _Value: ...
    @overload
    def __get__(self, record: Any, owner: type) -> _Value: ...
    def __get__(self, record: Any, owner: type) -> _Value:
        if record is None:
            return self._none
        given = record.__dict__[self._name]
        if callable(given):
            given = record.__dict__[self._name] = given()
        found: _Value = given
        return found

    def __set__(self, record: Any, given: _Value | Callable[[], _Value]) -> None:
        record.__dict__[self._name] = given


class Rows(Later[tuple[_Row, ...]]):
    """A table of a record, empty where nothing is given."""

    def __init__(self) -> None:
        super().__init__(())


ChangeItems = tuple[tuple[str, str | int | float | bool | None], ...]
"""Dotted session keys with their new values, applied together."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One change that would help: dotted session keys with their new values, and what they do in words.

    changes: applied together, by `engine.scenario.change.change`; the first names the suggestion. effect: the whole sentence,
    its figures those of the changed build; what: the part of it that says what is changed. layout: the one that the words were sized on, where it is told: for room
    in memory, and where the changes pin it in place of the pinned one.
    """

    changes: ChangeItems
    effect: Sentence
    what: Sentence = ()
    layout: Layout | None = None
    room: str = ""  # the word of the memory that it leads to, where that was told

    @property
    def field(self) -> str:
        """The key that comes first."""
        return self.changes[0][0]

    @property
    def value(self) -> str | int | float | bool | None:
        """Its new value."""
        return self.changes[0][1]

    @property
    def relays(self) -> bool:
        """Whether a pinned layout is among what it changes."""
        return any(key.startswith("layout.") for key, _ in self.changes)

    @property
    def also(self) -> tuple[tuple[str, str | int | float | bool | None], ...]:
        """The keys that belong to the same change, with their values."""
        return self.changes[1:]
