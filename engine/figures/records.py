"""Records: dataclasses whose methods are written when they are needed.

`dataclasses.dataclass` gathers fields, and writes and compiles five or six functions, for each class while its module is
imported. A start makes about 200 such classes and uses half of them, many once: that was a fourth of all that `sizeup
report` did. Here a class has its slots at once and its fields when somebody asks for them. The first few instances are
filled by a loop; then `__init__` is compiled, and `__eq__` and `__hash__` are at their first call. `fields`, `replace`,
`is_dataclass` and `asdict` know the classes as any dataclass, and to a type checker the decorator is the standard one. So is
`NamedTuple`, which here makes its class for a third of the time.
"""

from __future__ import annotations

import collections
import dataclasses
import inspect
import typing
from collections.abc import Callable
from functools import cached_property
from types import FunctionType
from typing import TYPE_CHECKING, Any

_DEFAULT = "_default_of_"
"""Before the name of a field: its default, or what makes it, among the names of the code that is written here."""
_PLACES = ("__dict__", "__weakref__")
"""What a class without slots has for its attributes."""

_put = object.__setattr__


class _Given(typing.NamedTuple):
    """A field as it was written. default, factory: MISSING where there is none."""

    name: str
    default: Any = dataclasses.MISSING
    factory: Any = dataclasses.MISSING
    asked: bool = True
    compared: bool = True


class _Made:
    """A class as it was written, and the one in use: with slots it is another."""

    FEW = 4
    """Instances that are filled by a loop: compiling takes as long as some twenty of them."""

    def __init__(self, plain: type) -> None:
        self.plain = self.kind = plain
        own = vars(plain)
        self.written = {
            name: getattr(plain, name) if name in own else dataclasses.MISSING
            for name in inspect.get_annotations(plain)
        }
        self.filled = 0

    def __get__(self, record: object, owner: type) -> dict[str, Any]:
        """`__dataclass_fields__`, asked of the standard decorator when somebody asks for it."""
        dataclasses.dataclass(init=False, repr=False, eq=False, match_args=False)(self.plain)
        for name in ("__dataclass_fields__", "__dataclass_params__"):
            setattr(self.kind, name, vars(self.plain)[name])
        found: dict[str, Any] = vars(self.kind)["__dataclass_fields__"]
        return found

    @cached_property
    def given(self) -> list[_Given]:
        """The fields in order, those of the classes below it first."""
        written: dict[str, Any] = {}
        for base in reversed(self.kind.__mro__):
            if (made := vars(base).get("__made__")) is not None:
                written |= made.written
        return [
            _Given(name, value.default, value.default_factory, value.init, bool(value.compare))
            if isinstance(value, dataclasses.Field)
            else _Given(name, value)
            for name, value in written.items()
        ]

    # --- methods ------------------------------------------------------------------------------------------------

    def compiled(self, name: str, lines: list[str], names: dict[str, Any]) -> FunctionType:
        """The function `name` of these lines, from now on the method of the class. names: what its globals are."""
        exec("\n".join(lines), names)
        made: FunctionType = names[name]
        made.__qualname__, made.__module__ = f"{self.kind.__qualname__}.{name}", self.kind.__module__
        setattr(self.kind, name, made)
        return made

    def init(self) -> FunctionType:
        """`__init__`: the fields in their order, defaults as they stand in the class, then `__post_init__` if there is one."""
        names: dict[str, Any] = {"put": _put}
        asked, body = [], []
        for name, default, factory, is_asked, _ in self.given:
            held = _DEFAULT + name
            if factory is not dataclasses.MISSING:
                names[held] = factory
                value = f"{held}() if {name} is {held} else {name}" if is_asked else f"{held}()"
            elif default is not dataclasses.MISSING:
                names[held] = default
                value = name if is_asked else held
            elif is_asked:
                value = name
            else:
                continue
            if is_asked:
                asked.append(f"{name}={held}" if held in names else name)
            body.append(f" put(self, {name!r}, {value})")
        if hasattr(self.kind, "__post_init__"):
            body.append(" self.__post_init__()")
        return self.compiled("__init__", [f"def __init__(self, {', '.join(asked)}):", *body, " pass"], names)

    def first_init(self) -> Callable[..., None]:
        """`__init__` of the first few instances."""
        made, after = self, hasattr(self.plain, "__post_init__")

        def init(self: Any, *args: Any, **options: Any) -> None:
            values = dict(zip([field.name for field in made.given if field.asked], args, strict=False))
            made.filled += 1
            if made.filled > made.FEW or len(values) < len(args) or not options.keys().isdisjoint(values):
                made.init()(self, *args, **options)  # or says what is wrong
                return
            values |= options
            for name, default, factory, is_asked, _ in made.given:
                if is_asked and name in values:
                    _put(self, name, values.pop(name))
                elif factory is not dataclasses.MISSING:
                    _put(self, name, factory())
                elif default is not dataclasses.MISSING:
                    _put(self, name, default)
                elif is_asked:
                    made.init()(self, *args, **options)
                    return
            if values:
                made.init()(self, *args, **options)
            elif after:
                self.__post_init__()

        return init

    def compared(self, of: str) -> str:
        """The values that make two records the same, as a tuple: (of.first, of.second,)."""
        return "(" + "".join(f"{of}.{field.name}," for field in self.given if field.compared) + ")"

    def first_eq(self) -> Callable[[Any, object], bool]:
        """`__eq__`, which is compiled when it is called."""

        def eq(one: Any, other: object) -> bool:
            same = f"{self.compared('self')} == {self.compared('other')}"
            lines = [
                "def __eq__(self, other):",
                f" return {same} if other.__class__ is self.__class__ else NotImplemented",
            ]
            alike: bool = self.compiled("__eq__", lines, {})(one, other)
            return alike

        return eq

    def first_hash(self) -> Callable[[Any], int]:
        """`__hash__`, likewise."""

        def hashed(one: Any) -> int:
            lines = ["def __hash__(self):", f" return hash({self.compared('self')})"]
            number: int = self.compiled("__hash__", lines, {})(one)
            return number

        return hashed

    def guard(self, do: Callable[..., None], said: str) -> Callable[..., None]:
        """Refuse to set or delete what belongs to the record; a subclass may have attributes of its own."""
        made = self

        def refuse(self: Any, name: str, *value: object) -> None:
            if type(self) is made.kind or any(name == field.name for field in made.given):
                raise dataclasses.FrozenInstanceError(f"cannot {said} field {name!r}")
            do(self, name, *value)

        return refuse

    def slotted(self, added: dict[str, Any]) -> type:
        """The class with a slot for each field of its own, and without a dictionary."""
        plain = self.plain
        above = {slot for base in plain.__mro__[1:-1] for slot in vars(base).get("__slots__", ())}
        body = {name: value for name, value in vars(plain).items() if name not in self.written and name not in _PLACES}
        body["__slots__"] = tuple(name for name in self.written if name not in above)
        return type(plain)(plain.__name__, plain.__bases__, {**body, **added})


def _repr(self: Any) -> str:
    shown = (f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self) if field.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _restored(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        _put(self, field.name, value)


def _record(*, frozen: bool = False, slots: bool = False, eq: bool = True) -> Callable[[type], type]:
    """As `dataclasses.dataclass` with these options; the class's own `__eq__`, `__hash__` and `__repr__` stay its own."""

    def decorated(plain: type) -> type:
        own, made = vars(plain), _Made(plain)
        added: dict[str, Any] = {"__made__": made, "__dataclass_fields__": made, "__init__": made.first_init()}
        if "__repr__" not in own:
            added["__repr__"] = _repr
        if eq and "__eq__" not in own:
            added["__eq__"] = made.first_eq()
        if eq and own.get("__hash__") is None:
            added["__hash__"] = made.first_hash() if frozen else None
        if frozen:
            added["__setattr__"] = made.guard(object.__setattr__, "assign to")
            added["__delattr__"] = made.guard(object.__delattr__, "delete")
            if slots:
                added |= {"__getstate__": _state, "__setstate__": _restored}
        if slots:
            made.kind = made.slotted(added)
        else:
            for name, value in added.items():
                setattr(plain, name, value)
        return made.kind

    return decorated


named: Callable[..., type] = collections.namedtuple


class _Tuples(type):
    """Makes a class statement a named tuple. `typing.NamedTuple` compiles each annotation, too, which nobody asks for."""

    def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> Any:
        """The named tuple of the annotations, with the methods that stand beside them."""
        if not bases:
            return super().__new__(cls, name, bases, body)
        written = body.get("__annotations__", {})
        defaults = [body[field] for field in written if field in body]
        made: type = named(name, written, defaults=defaults, module=body["__module__"])
        for key, value in body.items():
            if key not in written and key != "__module__":
                setattr(made, key, value)
        return made


class _Tuple(metaclass=_Tuples):
    """What stands in the place of `typing.NamedTuple`."""


if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
    from typing import NamedTuple as NamedTuple
else:
    dataclass, NamedTuple = _record, _Tuple
