"""The arithmetic that workings are written in, evaluated: what a person with a calculator would do."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Final

from engine.decide.opened import working
from engine.figures.working import Working
from engine.money.use import grown_build_months, grown_builds, grown_hours
from engine.sizing import Sizing

Number = int | float


def computed(made: Working) -> Number:
    """The expression of a working evaluated over its inputs. Raises ValueError for an unknown figure."""
    return evaluate(made.expression, {entry.name: entry.value for entry in made.inputs})


def _most(found: Number, held: Number, limit: Number) -> Number:
    """The result of a search, where it satisfies its equation: nothing was found, or held <= limit."""
    return found if held <= limit or not found else math.nan


def _beyond(found: Number, held: Number, limit: Number) -> Number:
    """The result of a search, where it satisfies its equation: held > limit."""
    return found if held > limit else math.nan


_BINARY: Final[dict[type[ast.operator], Callable[[Number, Number], Number]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_CALLS: Final[dict[str, Callable[..., Number]]] = {
    "max": max,
    "min": min,
    "ceil": math.ceil,
    "floor": math.floor,
    "round": round,
    "sqrt": math.sqrt,
    "log": math.log,
    "log2": math.log2,
    "abs": abs,
    "gcd": math.gcd,
    "isqrt": math.isqrt,
    "most": _most,
    "beyond": _beyond,
    **{made.__name__: made for made in (grown_hours, grown_builds, grown_build_months)},
}

FUNCTIONS: Final = frozenset(_CALLS)
"""What an expression may call."""


def evaluate(expression: str, values: Mapping[str, Number]) -> Number:
    """The value of an arithmetic expression over named numbers.

    Names, numbers, + - * / // % **, parentheses, and max, min, ceil, floor, round. Raises ValueError for anything
    else, KeyError for a name without a value.
    """
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except SyntaxError as error:
        raise ValueError(f"not arithmetic: {expression!r}") from error
    return _value(tree.body, values)


def _value(node: ast.expr, values: Mapping[str, Number]) -> Number:
    match node:
        case ast.Constant(value=bool()):
            pass
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name):
            return values[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, values)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _BINARY[type(op)](_value(left, values), _value(right, values))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _CALLS and args:
            return _CALLS[name](*(_value(arg, values) for arg in args))
        case _:
            pass
    raise ValueError(f"not arithmetic: {ast.unparse(node)}")


def close(one: float, other: float) -> bool:
    """Equal for whole numbers, else to a millionth."""
    if isinstance(one, int) and isinstance(other, int):
        return one == other
    return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-12)


WHOLE = ("model.weight_bytes#", "memory.peak_bytes#", "memory.max_concurrency#", "serving.ttft_s#", "training.days#")
"""Figures whose every step is opened: others rest on the same."""


def opened(sizing: Sizing, figure: str, done: dict[str, Working]) -> None:
    """Open a figure and every input that has a working of its own; check each one's arithmetic."""
    if figure in done:
        return
    made = done[figure] = working(sizing, figure)
    assert made.figure == figure
    assert made.title
    assert made.formula
    if made.value is None:
        assert made.expression == ""
        return
    assert close(made.value, computed(made)), (figure, made.value, computed(made), made)
    names = {node.id for node in ast.walk(ast.parse(made.expression)) if isinstance(node, ast.Name)}
    names -= FUNCTIONS
    assert names <= {entry.name for entry in made.inputs}, figure
    for entry in made.inputs:
        assert entry.source, (figure, entry)
        if entry.figure and ("#" not in entry.figure or entry.figure.startswith(WHOLE)):
            opened(sizing, entry.figure, done)
            assert close(entry.value, done[entry.figure].value or 0), (figure, entry)
