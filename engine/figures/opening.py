"""A number that remembers, opened one step: its short formula, and what that rests on, which opens in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from engine.figures.kinds import FigureKind, Interval
from engine.figures.number import Choice, Number
from engine.figures.working import Input, Working

Identify = Callable[[Number], str]
"""A computed number to the id of its own working."""

MOST_REASONS = 3
_MARK: Final = "\0"
"""Around each name while an arithmetic is written: it is then cut at its names, and nothing looks for them."""
_WEAKEST: Final[tuple[FigureKind, ...]] = ("fitted", "rule of thumb", "measured", "data sheet", "counted")
"""A computed figure is as sure as the least sure of what it rests on; what was entered is as sure as what is counted."""

_RANK: Final = {"+": 1, "-": 1, "*": 2, "/": 2, "//": 2, "%": 2, "neg": 3, "**": 4}
_SIGNS: Final = {"*": "x", "//": "//"}
_EQUATIONS: Final = {"most": "<=", "beyond": ">"}
"""What the result of a search satisfies, by its operation."""


class Opened:
    """The expression of a number down to the numbers in it that have names.

    expression: as Python's arithmetic. arithmetic: the same as people write it, words and names by turns. formula: that with
    labels for names.
    """

    def __init__(self, root: Number) -> None:
        self.root = root
        self.parts: dict[int, tuple[Number, str, str]] = {}
        self.reasons: list[Choice] = []
        self._names: set[str] = set()
        self._labels: set[str] = set()
        self._seen: set[int] = set()
        self.expression, words = self._outside(root)
        self.arithmetic = tuple(words.split(_MARK))
        labels = {name: label for _, name, label in self.parts.values()}
        self.formula = "".join(labels[term] if place % 2 else term for place, term in enumerate(self.arithmetic))

    def _outside(self, root: Number) -> tuple[str, str]:
        if root.is_leaf:
            return (repr(root.value), "none in this build") if root.kind == "literal" else self._named(root)
        return self._inside(root, 0)

    def _named(self, part: Number) -> tuple[str, str]:
        known = self.parts.get(id(part))
        if known is None:
            plainly = "".join(char if char.isascii() and char.isalnum() else " " for char in part.label)
            base = "_".join(plainly.split()) or "part"
            base = base if not base[0].isdigit() else f"n_{base}"
            name, label, number = base, part.label, 1
            while name in self._names or label in self._labels:
                number += 1
                name, label = f"{base}_{number}", f"{part.label} ({number})"
            self._names.add(name)
            self._labels.add(label)
            known = self.parts[id(part)] = (part, name, label)
        return known[1], f"{_MARK}{known[1]}{_MARK}"

    def _text(self, part: Number, outer: int) -> tuple[str, str]:
        if part.kind == "literal":
            return repr(part.value), f"{part.value:g}" if isinstance(part.value, float) else f"{part.value:,}"
        if part.label:
            return self._named(part)
        return self._inside(part, outer)

    def _inside(self, part: Number, outer: int) -> tuple[str, str]:
        if id(part) not in self._seen:
            self._seen.add(id(part))
            self.reasons += part.because
        operation, arguments = part.operation, part.arguments
        rank = _RANK.get(operation, 9)
        if operation == "+":
            expression, words = self._sum(part)
        elif operation == "float":
            return self._text(arguments[0], outer)
        elif operation == "neg":
            rounded = self._rounded_up(part)
            if rounded is not None:
                return rounded
            inner = self._text(arguments[0], 3)
            expression, words = f"-{inner[0]}", f"-{inner[1]}"
        elif rank < 9:
            left, right = self._text(arguments[0], rank), self._text(arguments[1], rank + 1)
            expression = f"{left[0]} {operation} {right[0]}"
            words = f"{left[1]} {_SIGNS.get(operation, operation)} {right[1]}"
        elif operation in _EQUATIONS:
            left, right = self._text(arguments[0], 0), self._text(arguments[1], 0)
            expression = f"{operation}({part.value!r}, {left[0]}, {right[0]})"
            words = f"{part.equation}: {left[1]} {_EQUATIONS[operation]} {right[1]}"
        else:
            apart = {id(argument): argument for argument in arguments}.values()  # equal ones are not the same
            inner_texts = [self._text(argument, 0) for argument in apart]
            if len(inner_texts) == 1 and operation in ("max", "min"):
                return self._text(arguments[0], outer)
            name = {"int": "floor"}.get(operation, operation)
            expression = f"{name}({', '.join(text for text, _ in inner_texts)})"
            words = f"{_CALLS.get(operation, operation)}({', '.join(text for _, text in inner_texts)})"
        if rank < outer:
            return f"({expression})", f"({words})"
        return expression, words

    def _sum(self, part: Number) -> tuple[str, str]:
        """The terms of a sum in order; equal ones counted."""
        terms: list[Number] = []
        waiting = [part]
        while waiting:
            one = waiting.pop()
            if one.operation == "+" and (one is part or not one.label):
                self.reasons += one.because if one is not part else ()
                waiting += reversed(one.arguments)
            elif one.operation == "float" and not one.label:
                waiting.append(one.arguments[0])
            else:
                terms.append(one)
        often: dict[int, int] = {}
        for one in terms:
            often[id(one)] = often.get(id(one), 0) + 1
        texts = []
        for one in {id(one): one for one in terms}.values():
            count = often[id(one)]
            text = self._text(one, 2 if count > 1 else 1)
            texts.append((f"{count} * {text[0]}", f"{count} x {text[1]}") if count > 1 else text)
        return " + ".join(text for text, _ in texts), " + ".join(words for _, words in texts)

    def _rounded_up(self, part: Number) -> tuple[str, str] | None:
        """-(-a // b): a / b, rounded up."""
        inner = part.arguments[0]
        if inner.operation != "//" or inner.label:
            return None
        top, bottom = inner.arguments
        if top.operation != "neg" and not (top.operation == "*" and _negative(top)):
            return None
        whole, below_it = self._text(top, 2), self._text(bottom, 3)
        return f"-({whole[0]} // {below_it[0]})", f"up({_without_minus(whole[1])} / {below_it[1]})"


def _without_minus(text: str) -> str:
    """A product without the minus that its first factor starts with."""
    return text.replace("-", "", 1)


_CALLS: Final = {
    "ceil": "up",
    "int": "down",
    "floor": "down",
    "round": "round",
    "gcd": "common divisor of",
    "grown_hours": "sum over months",
    "grown_builds": "most builds over months",
    "grown_build_months": "months of all builds over months",
}


def _negative(part: Number) -> bool:
    while part.operation == "*" and not part.label:
        part = part.arguments[0]
    return part.operation == "neg"


def below(root: Number) -> Iterator[Number]:
    """Every computed number that a number rests on, nearest first, each once; itself not.

    Also those without a name: one may get its name when another figure is opened, and the order stays.
    """
    waiting, seen = [root], {id(root)}
    while waiting:
        following: list[Number] = []
        for one in waiting:
            for argument in one.arguments:
                if id(argument) in seen:
                    continue
                seen.add(id(argument))
                following.append(argument)
                if not argument.is_leaf:
                    yield argument
        waiting = following


class Below:
    """What a number rests on, each by its place in `below`, counted as far as somebody asks."""

    def __init__(self, root: Number) -> None:
        self._walk = below(root)
        self._found: list[Number] = []
        self._places: dict[int, int] = {}

    def _further(self) -> bool:
        one = next(self._walk, None)
        if one is None:
            return False
        self._places[id(one)] = len(self._found)
        self._found.append(one)
        return True

    def place(self, part: Number) -> int:
        """The place of one of them."""
        while id(part) not in self._places and self._further():
            pass
        return self._places[id(part)]

    def at(self, place: int) -> Number | None:
        """The one at a place; None past the last."""
        while place >= len(self._found) and self._further():
            pass
        return self._found[place] if place < len(self._found) else None


def leaves(root: Number) -> Iterator[Number]:
    """Every leaf that a number rests on, each once; itself where it is one."""
    waiting, seen = [root], {id(root)}
    while waiting:
        one = waiting.pop()
        if one.is_leaf:
            yield one
        for argument in one.arguments:
            if id(argument) not in seen:
                seen.add(id(argument))
                waiting.append(argument)


_BITS: Final = {kind: 1 << place for place, kind in enumerate((*_WEAKEST, "entered", "literal", "sought", "computed"))}


def _kinds(root: Number) -> int:
    """The kinds of all leaves that a number rests on, a bit each; kept, since figures share most of what they rest on."""
    waiting = [root]
    while waiting:
        one = waiting[-1]
        unknown = [] if one.kinds else [argument for argument in one.arguments if not argument.kinds]
        if unknown:
            waiting += unknown
            continue
        waiting.pop()
        if one.is_leaf:
            one.kinds = _BITS[one.kind]
        else:
            for argument in one.arguments:
                one.kinds |= argument.kinds
    return root.kinds


def kind_of(root: Number) -> FigureKind:
    """How a figure is known: as the least sure of its leaves."""
    found = _kinds(root)
    weakest = next((kind for kind in _WEAKEST if found & _BITS[kind]), None)
    return weakest or ("entered" if found == _BITS["entered"] else "counted")


def reason_words(choices: list[Choice]) -> str:
    """The comparisons that decided which way a formula took, in words; those between numbers that have names."""
    said: dict[str, None] = {}
    for choice in choices:
        if choice.sign in ("=", "!=") or not isinstance(choice.left, Number) or not choice.left.label:
            continue
        sign = choice.sign if choice.held else _OPPOSITE[choice.sign]
        right = choice.right
        if isinstance(right, Number):
            if not right.label and right.kind != "literal":
                continue
            other = f"{right.label} {_short(right.value)}".strip()
        else:
            other = _short(right)
        said[f"{choice.left.label} {_short(choice.left.value)} {sign} {other}"] = None
    return f"Since {', '.join(list(said)[:MOST_REASONS])}." if said else ""


_OPPOSITE: Final = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


def _short(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def opening(
    figure: str,
    root: Number,
    title: str,
    unit: str,
    identify: Identify,
    source: str,
    interval: Interval | None = None,
    note: str = "",
) -> Working:
    """The working of a number. identify: ids of what it rests on."""
    made = Opened(root)
    inputs = tuple(
        Input(
            name,
            part.value,
            part.unit,
            part.source if part.is_leaf else "worked out below",
            kind_of(part),
            "" if part.is_leaf else identify(part),
            label,
        )
        for part, name, label in made.parts.values()
    )
    reasons = reason_words(made.reasons)
    return Working(
        figure,
        title or root.label,
        root.value,
        unit or root.unit,
        made.formula,
        made.expression,
        inputs,
        kind_of(root),
        source,
        interval,
        f"{reasons} {note}".strip(),
        made.arithmetic,
    )
