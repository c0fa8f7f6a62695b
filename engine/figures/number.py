"""A number that remembers: its value, what it is, where it comes from, and the expression it was computed by.

Formulas of the engine are plain Python over floats. Run on these instead, the same code gives the same digits and a
graph of shared nodes: each node is a leaf (a fact with its source) or an operation on other nodes. `float()` and `int()`
of one raise, since they would lose the memory without a word; `operations` has what takes their place.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from itertools import count
from threading import local
from typing import Any, Final, Literal

from engine.figures.records import NamedTuple

Kind = Literal[
    "counted", "entered", "data sheet", "rule of thumb", "fitted", "measured", "computed", "literal", "sought"
]
"""How a number is known. literal: stands in a formula without a name. computed: from others, by its
expression. sought: what a search looks for, inside the equation that its result satisfies."""

Plain = int | float


class Choice(NamedTuple):
    """A comparison that decided which way a formula took: left, sign, right, and whether it held."""

    left: Any
    sign: str
    right: Any
    held: bool
    serial: int


class _Choices(local):
    """Of one thread, while it remembers: the comparisons made since a formula function was entered, and every expression
    by what it is made of, so that equal ones are one node."""

    made: list[Choice] | None = None
    nodes: dict[Any, Number] | None = None


_serial: Final = count(1)
"""Tells which of two numbers, or of a number and a choice, came first."""


choices: Final = _Choices()


class Number:
    """A value that remembers.

    value: what the float run has, bit for bit. operation and arguments: the expression; empty and () for a leaf. label,
    unit, kind, source: what a person reads; an expression inside a formula has no label of its own. equation: what a
    search's result satisfies, in words. because: comparisons on the way to it. kinds: of the leaves that it rests on, a bit
    each; 0 until somebody asks.
    """

    __slots__ = (
        "arguments",
        "because",
        "equation",
        "kind",
        "kinds",
        "label",
        "operation",
        "serial",
        "source",
        "unit",
        "value",
    )

    def __init__(
        self,
        value: Plain,
        operation: str = "",
        arguments: tuple[Number, ...] = (),
        label: str = "",
        unit: str = "",
        kind: Kind = "computed",
        source: str = "",
    ) -> None:
        self.value = value
        self.serial = next(_serial)
        self.operation = operation
        self.arguments = arguments
        self.label = label
        self.unit = unit
        self.kind: Kind = kind
        self.source = source
        self.equation = ""
        self.kinds = 0
        self.because: tuple[Choice, ...] = ()

    # --- arithmetic -------------------------------------------------------------------------------------------

    def __add__(self, other: Any) -> Any:
        return _sum(self, other)

    def __radd__(self, other: Any) -> Any:
        return _sum(other, self)

    def __sub__(self, other: Any) -> Any:
        if _is_plain(other) and other == 0 and _same(self.value - other, self.value):
            return self
        return _binary("-", self, other)

    def __rsub__(self, other: Any) -> Any:
        return _binary("-", other, self)

    def __mul__(self, other: Any) -> Any:
        return _product(self, other)

    def __rmul__(self, other: Any) -> Any:
        return _product(other, self)

    def __truediv__(self, other: Any) -> Any:
        if _is_plain(other) and other == 1 and _same(self.value / other, self.value):
            return self
        return _binary("/", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        if _is_plain(other) and other == 0:
            return other / self.value
        return _binary("/", other, self)

    def __floordiv__(self, other: Any) -> Any:
        if _is_plain(other) and other == 1 and _same(self.value // other, self.value):
            return self
        return _binary("//", self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        if _is_plain(other) and other == 0:
            return other // self.value
        return _binary("//", other, self)

    def __mod__(self, other: Any) -> Any:
        return _binary("%", self, other)

    def __rmod__(self, other: Any) -> Any:
        return _binary("%", other, self)

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __pow__(self, other: Any) -> Any:
        return _binary("**", self, other)

    def __rpow__(self, other: Any) -> Any:
        return _binary("**", other, self)

    def __neg__(self) -> Number:
        if self.operation == "neg":
            return self.arguments[0]
        return expression("neg", -self.value, self)

    def __pos__(self) -> Number:
        return self

    def __abs__(self) -> Number:
        return expression("abs", abs(self.value), self)

    # --- comparison: by value, and remembered -----------------------------------------------------------------

    def _compared(self, sign: str, other: Any, held: bool) -> bool:
        if choices.made is not None:
            choices.made.append(Choice(self, sign, other, held, next(_serial)))
        return held

    def __lt__(self, other: Any) -> bool:
        return self._compared("<", other, self.value < plain(other))

    def __le__(self, other: Any) -> bool:
        return self._compared("<=", other, self.value <= plain(other))

    def __gt__(self, other: Any) -> bool:
        return self._compared(">", other, self.value > plain(other))

    def __ge__(self, other: Any) -> bool:
        return self._compared(">=", other, self.value >= plain(other))

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, (Number, int, float)):
            return NotImplemented
        return self._compared("=", other, bool(self.value == plain(other)))

    def __ne__(self, other: object) -> bool:
        if self is other:
            return False
        if not isinstance(other, (Number, int, float)):
            return NotImplemented
        return not self._compared("=", other, bool(self.value == plain(other)))

    def __hash__(self) -> int:
        """For the groups that a formula makes; never that of the plain number, which a cache might know."""
        return hash((Number, self.value))

    def __bool__(self) -> bool:
        return self._compared("!=", 0, self.value != 0)

    # --- what would lose the memory ---------------------------------------------------------------------------

    def __float__(self) -> float:
        raise TypeError(f"float() of a number that remembers: {self!r}")

    def __int__(self) -> int:
        raise TypeError(f"int() of a number that remembers: {self!r}")

    __complex__ = __float__

    def __index__(self) -> int:
        """How often a loop runs and which element is taken: the shape of a formula, not its arithmetic."""
        if isinstance(self.value, int):
            return self.value
        raise TypeError(f"no whole number: {self!r}")

    # --- rounding and words -----------------------------------------------------------------------------------

    def __round__(self, places: int | None = None) -> Number:
        if places is None:
            return expression("round", round(self.value), self)
        return expression("round", round(self.value, places), self, node(places))

    def __ceil__(self) -> Number:
        return expression("ceil", self.value.__ceil__(), self)

    def __floor__(self) -> Number:
        return expression("floor", self.value.__floor__(), self)

    def __format__(self, how: str) -> str:
        return format(self.value, how)

    def __str__(self) -> str:
        return str(self.value)

    def __repr__(self) -> str:
        return f"<{self.label or self.operation or self.kind} {self.value!r} {self.unit}>"

    def is_integer(self) -> bool:
        """Whether the value is whole."""
        return float(self.value).is_integer()

    @property
    def is_leaf(self) -> bool:
        """Whether it is a fact, not an expression."""
        return not self.operation

    def named(self, label: str, unit: str = "") -> Number:
        """The same number with a name; one that has a name keeps it."""
        if not self.label and self.kind != "literal":
            self.label, self.unit = label, unit or self.unit
        return self


def plain(value: Any) -> Any:
    """The plain number in a number; anything else as it is."""
    return value.value if isinstance(value, Number) else value


def node(value: Any) -> Number:
    """The number itself, or a plain one as a literal."""
    if isinstance(value, Number):
        return value
    known = choices.nodes
    if known is None:
        return Number(value, kind="literal")
    key = (type(value), value)
    found = known.get(key)
    if found is None:
        found = known[key] = Number(value, kind="literal")
    return found


def _is_plain(value: Any) -> bool:
    return isinstance(value, (int, float))


def _same(one: Plain, other: Plain) -> bool:
    """Whether two values are the same to the bit, type and sign of zero included."""
    return type(one) is type(other) and repr(one) == repr(other)


_OPERATORS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}


def expression(operation: str, value: Plain, *arguments: Number) -> Number:
    """The node of an operation on other nodes: the one that is known, or a new one."""
    known = choices.nodes
    if known is None:
        return Number(value, operation, arguments)
    key = (operation, *map(id, arguments))
    found = known.get(key)
    if found is None:
        found = known[key] = Number(value, operation, arguments)
    return found


def _binary(sign: str, left: Any, right: Any) -> Any:
    if not (isinstance(left, (Number, int, float)) and isinstance(right, (Number, int, float))):
        return NotImplemented
    return expression(sign, _OPERATORS[sign](plain(left), plain(right)), node(left), node(right))


def _sum(left: Any, right: Any) -> Any:
    """A sum; one with nothing is the other term, as a float where the nothing was one."""
    for one, other in ((left, right), (right, left)):
        if _is_plain(one) and one == 0 and isinstance(other, Number):
            value = one + other.value
            if _same(value, other.value):
                return other
            return expression("float", value, other)
    return _binary("+", left, right)


def _product(left: Any, right: Any) -> Any:
    """A product; with one it is the other factor, with nothing it is nothing."""
    for one, other in ((left, right), (right, left)):
        if _is_plain(one) and isinstance(other, Number):
            value = one * other.value
            if one == 0:
                return value
            if one == 1:
                return other if _same(value, other.value) else expression("float", value, other)
    return _binary("*", left, right)
