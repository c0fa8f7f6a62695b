"""Records: dataclasses whose methods are written when they are first called.

`dataclasses.dataclass` writes and compiles five or six functions for each class while its module is imported. A start
makes about 200 such classes and uses half of them, so that this was a fourth of all that `sizeup report` did. Here the
class has its fields at once, and `__init__`, `__eq__` and `__hash__` are compiled at their first call: the same code, in
one step more. `fields`, `replace`, `is_dataclass` and `asdict` know the classes as any dataclass, and to a type checker
the decorator is the standard one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any

_DEFAULT = "_default_of_"
"""Before the name of a field: its default, or what makes it, among the names of the code that is written here."""


def _compiled(kind: type, name: str, lines: list[str], names: dict[str, Any]) -> FunctionType:
    """The function `name` of these lines. It reads its globals from `names`, and says that it is a method of `kind`."""
    exec("\n".join(lines), names)
    made: FunctionType = names[name]
    made.__qualname__, made.__module__ = f"{kind.__qualname__}.{name}", kind.__module__
    return made


def _init(kind: type) -> FunctionType:
    """`__init__`: the fields in their order, defaults as they stand in the class, then `__post_init__` if there is one."""
    names: dict[str, Any] = {"put": object.__setattr__}
    asked, body = [], []
    for field in dataclasses.fields(kind):
        name, value = field.name, field.name
        default = _DEFAULT + name
        if field.default_factory is not dataclasses.MISSING:
            names[default] = field.default_factory
            value = f"{default}() if {name} is {default} else {name}" if field.init else f"{default}()"
        elif field.default is not dataclasses.MISSING:
            names[default] = field.default
            value = name if field.init else default
        elif not field.init:
            continue
        if field.init:
            asked.append(f"{name}={default}" if default in names else name)
        body.append(f" put(self, {name!r}, {value})")
    if hasattr(kind, "__post_init__"):
        body.append(" self.__post_init__()")
    return _compiled(kind, "__init__", [f"def __init__(self, {', '.join(asked)}):", *body, " pass"], names)


def _compared(kind: type, of: str) -> str:
    """The values that make two records the same, as a tuple: (of.first, of.second,)."""
    return "(" + "".join(f"{of}.{field.name}," for field in dataclasses.fields(kind) if field.compare) + ")"


def _eq(kind: type) -> FunctionType:
    same = f"{_compared(kind, 'self')} == {_compared(kind, 'other')}"
    lines = ["def __eq__(self, other):", f" return {same} if other.__class__ is self.__class__ else NotImplemented"]
    return _compiled(kind, "__eq__", lines, {})


def _hash(kind: type) -> FunctionType:
    return _compiled(kind, "__hash__", ["def __hash__(self):", f" return hash({_compared(kind, 'self')})"], {})


def _at_first_call(kind: type, name: str, write: Callable[[type], FunctionType]) -> None:
    """Give `kind` a method that writes itself when it is called: from then on the written one stands in its place."""

    def method(*args: Any, **options: Any) -> Any:
        written = write(kind)
        setattr(kind, name, written)
        return written(*args, **options)

    setattr(kind, name, method)


def _repr(self: Any) -> str:
    shown = (f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self) if field.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _guarded(kind: type) -> None:
    """Refuse to set or delete what belongs to the record; a subclass may have attributes of its own."""
    own = frozenset(field.name for field in dataclasses.fields(kind))

    def put(self: Any, name: str, value: object) -> None:
        if type(self) is kind or name in own:
            raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
        object.__setattr__(self, name, value)

    def drop(self: Any, name: str) -> None:
        if type(self) is kind or name in own:
            raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
        object.__delattr__(self, name)

    kind.__setattr__, kind.__delattr__ = put, drop  # type: ignore[method-assign, assignment]


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _restored(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


def _record(*, frozen: bool = False, slots: bool = False, eq: bool = True) -> Callable[[type], type]:
    """As `dataclasses.dataclass` with these options; the class's own `__eq__`, `__hash__` and `__repr__` stay its own."""

    def decorated(plain: type) -> type:
        own = vars(plain)
        kind: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(plain)
        _at_first_call(kind, "__init__", _init)
        if "__repr__" not in own:
            kind.__repr__ = _repr
        if eq and "__eq__" not in own:
            _at_first_call(kind, "__eq__", _eq)
        if eq and own.get("__hash__") is None:
            if frozen:
                _at_first_call(kind, "__hash__", _hash)
            else:
                kind.__hash__ = None
        if frozen:
            _guarded(kind)
            if slots:
                kind.__getstate__, kind.__setstate__ = _state, _restored
        made: type = kind
        return made

    return decorated


if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:
    dataclass = _record
