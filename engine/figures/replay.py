"""The engine's own functions, run on numbers that remember.

A function of Python is code and the names around it. Here the same code stands among other names: `max`, `min`, `int`
and `math` that keep the memory (`operations`), constants that know what they are (`constants`), and no caches. So a
formula is written once, sizing on floats pays nothing, and what explains a figure is the code that computed it.

Results get the names that they have in the records that formulas fill: the field of a dataclass or named tuple.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from inspect import getmodule
from threading import local
from types import FunctionType, MappingProxyType, ModuleType, SimpleNamespace
from typing import Any, Final

from engine.figures.number import Choice, Number, choices, plain
from engine.figures.operations import BUILTINS, MATH

ROOT = "engine."
CALIBRATION = "engine.calibration."

SHARED = frozenset(
    {
        "engine.links.collectives.curve",
        "engine.serving.passes.rates",
        "engine.training.rates.rates",
        "engine.training.step.step",
    }
)
"""Functions that keep a cache of their own."""

CONSTANT_RECORDS = frozenset({"ByCard", "ByMemory", "Computed", "Constants", "Engine", "Link"})
"""Records that stand as constants in modules, by the name of their class."""

Constant = Callable[[str, str, Any], Any]
"""(module, name, number of a constant) to the number that remembers it."""
Name = Callable[[type, str], tuple[str, str]]
"""(record, field) to (label, unit)."""
Search = Callable[[Callable[..., Any], Callable[..., Any]], Callable[..., Any]]
"""(a function that searches, over numbers that remember; the plain one) to what takes its place."""
Hook = Callable[[Any, tuple[Any, ...]], Any]
"""(result of a function, its arguments) to the result with names."""


class Forgetful(dict[Any, Any]):
    """A cache that keeps nothing: no number that remembers enters one."""

    def get(self, key: Any, default: Any = None) -> Any:
        """Nothing is known."""
        return default

    def __setitem__(self, key: Any, value: Any) -> None:
        pass


class Table(dict[Any, Any]):
    """A table of constants, which is read by value."""

    def get(self, key: Any, default: Any = None) -> Any:
        """The constant under that key."""
        return super().get(plain(key), default)

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(plain(key))


class Run:
    """One run of formulas over one build: what its functions gave for which arguments, so that equal calls share nodes."""

    def __init__(self) -> None:
        self.memo: dict[Any, tuple[Any, Any]] = {}
        self.nodes: dict[Any, Number] = {}
        self._before: list[tuple[Run | None, list[Choice] | None, dict[Any, Number] | None]] = []

    def __enter__(self) -> Run:
        self._before.append((_here.run, choices.made, choices.nodes))
        _here.run, choices.made, choices.nodes = self, [], self.nodes
        return self

    def __exit__(self, *_: object) -> None:
        _here.run, choices.made, choices.nodes = self._before.pop()


class _Here(local):
    run: Run | None = None


_here: Final = _Here()


def _identity(value: Any) -> Any:
    """What two equal arguments share."""
    if value is None or isinstance(value, (str, int, float)):
        return type(value), value
    if type(value) is tuple:
        return tuple(map(_identity, value))
    return id(value)


def _because(made: list[Choice], found: list[Number]) -> None:
    """Give each number the choices that were made since the one before it was computed."""
    waiting = sorted((entry for entry in found if entry.operation), key=lambda entry: entry.serial)
    for choice in made:
        for entry in waiting:
            if entry.serial > choice.serial:
                entry.because += (choice,)
                break


def _numbers(result: Any) -> list[Number]:
    if isinstance(result, Number):
        return [result]
    if isinstance(result, tuple):
        return [entry for entry in result if isinstance(entry, Number)]
    if is_dataclass(result):
        found = (getattr(result, field.name) for field in fields(result))
        return [entry for entry in found if isinstance(entry, Number)]
    return []


class Replay:
    """The formula modules among names that remember. Built once; `Run` holds what belongs to one build.

    constant: of modules and calibrations. name: of a record's field. hooks: by qualified name of a function, what names
    its result. searches: likewise, what takes the place of a search. others: of things that stand in for others.
    """

    def __init__(
        self,
        constant: Constant,
        name: Name,
        hooks: Callable[[Replay], Mapping[str, Hook]],
        searches: Mapping[str, Search],
        others: Mapping[str, Any],
    ) -> None:
        self._constant, self.name = constant, name
        self._searches, self._others = searches, others
        self._modules: dict[str, dict[str, Any]] = {}
        self._functions: dict[Any, Any] = {}
        self._types: dict[type, type] = {}
        self._facts: dict[type, type] = {}
        self._values: dict[int, tuple[Any, Any]] = {}
        self._hooks = hooks(self)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function over numbers that remember."""
        made: Callable[..., Any] = self._function(function)
        return made

    # --- names ------------------------------------------------------------------------------------------------

    def names(self, module: str) -> dict[str, Any]:
        """What the names of a module stand for, where its functions remember."""
        known = self._modules.get(module)
        if known is not None:
            return known
        if not self._modules:  # what is fitted is known as such before a formula's module carries it by another name
            for calibration in [one for key, one in sys.modules.items() if key.startswith(CALIBRATION)]:
                self._calibration(calibration)
        source = vars(sys.modules[module])
        space = self._modules[module] = dict(source)
        space.update({key: value for key, value in BUILTINS.items() if key not in source})
        for key, value in source.items():
            if not key.startswith("__"):
                space[key] = self._others.get(key, None) or self._turned(module, key, value)
        return space

    def _turned(self, module: str, key: str, value: Any) -> Any:
        if isinstance(value, ModuleType):
            if value.__name__.startswith(CALIBRATION):
                return self._calibration(value)
            return MATH if value.__name__ == "math" else value
        if isinstance(value, type):
            return self.record(value)
        if callable(value):
            return self._function(value)
        if isinstance(value, dict) and key.startswith("_") and key.islower():
            return Forgetful()
        if key.isupper():
            return self._wrapped(module, key, value)
        return value

    def _wrapped(self, module: str, key: str, value: Any) -> Any:
        """A constant; one object everywhere, however many modules import it."""
        if isinstance(value, bool) or value is None or isinstance(value, str):
            return value
        if isinstance(value, (int, float)):
            return self._constant(module, key, value)
        known = self._values.get(id(value))
        if known is not None:
            return known[1]
        made = value
        if isinstance(value, (dict, MappingProxyType)):
            made = Table({name: self._wrapped(module, f"{key}.{name}", entry) for name, entry in value.items()})
        elif type(value) is tuple:
            made = tuple(self._wrapped(module, f"{key}.{index}", entry) for index, entry in enumerate(value))
        elif is_dataclass(value) and not isinstance(value, type) and type(value).__name__ in CONSTANT_RECORDS:
            of = "" if type(value).__name__ == "Constants" else f"{key}."
            made = self.copied(
                value,
                {
                    field.name: self._wrapped(module, f"{of}{field.name}", getattr(value, field.name))
                    for field in fields(value)
                },
            )
        self._values[id(value)] = (value, made)
        return made

    def _calibration(self, module: ModuleType) -> Any:
        known = self._values.get(id(module))
        if known is None:
            names = {
                key: self._wrapped(module.__name__, key, value) for key, value in vars(module).items() if key.isupper()
            }
            known = self._values[id(module)] = (module, SimpleNamespace(**names))
        return known[1]

    # --- functions --------------------------------------------------------------------------------------------

    def _function(self, function: Any) -> Any:
        known = self._functions.get(function)
        if known is not None:
            return known
        plainly = getattr(function, "__wrapped__", function)
        if not isinstance(plainly, FunctionType) or not plainly.__module__.startswith(ROOT) or plainly.__closure__:
            return function
        name = f"{plainly.__module__}.{plainly.__qualname__}"
        made = self._remembering(name, self._searched(name, plainly), plainly is not function)
        self._functions[function] = made
        return made

    def _searched(self, name: str, function: FunctionType) -> Callable[..., Any]:
        search, moved = self._searches.get(name), self._moved(function)
        return moved if search is None else search(moved, function)

    def _moved(self, function: FunctionType) -> FunctionType:
        space = self.names(function.__module__)
        defaults = function.__defaults__
        if defaults:
            defaults = tuple(self._values[id(value)][1] if id(value) in self._values else value for value in defaults)
        made = FunctionType(function.__code__, space, function.__name__, defaults, function.__closure__)
        made.__kwdefaults__ = function.__kwdefaults__
        return made

    def _remembering(self, name: str, function: Callable[..., Any], shared: bool) -> Callable[..., Any]:
        hook = self._hooks.get(name)
        shared = shared or name in SHARED

        def call(*args: Any, **options: Any) -> Any:
            run = _here.run
            key = None
            if shared and run is not None:
                key = (name, _identity(args), _identity(tuple(sorted(options.items()))))
                known = run.memo.get(key)
                if known is not None:
                    return known[1]
            before, choices.made = choices.made, []
            try:
                result = function(*args, **options)
                made = choices.made
            finally:
                choices.made = before
            if made:
                _because(made, _numbers(result))
            if hook is not None:
                result = hook(result, args)
            if key is not None and run is not None:
                run.memo[key] = ((args, options), result)
            return result

        return call

    # --- records ----------------------------------------------------------------------------------------------

    def record(self, record: type) -> type:
        """The class whose methods remember, and whose fields name what is put in them."""
        if not record.__module__.startswith(ROOT):
            return record
        named_tuple = issubclass(record, tuple) and hasattr(record, "_fields")
        if not (is_dataclass(record) or named_tuple):
            return record
        known = self._types.get(record)
        if known is not None:
            return known
        body: dict[str, Any] = {"__slots__": ()}
        source = getattr(getmodule(record), "__file__", "")
        for key, value in vars(record).items():
            if (isinstance(value, FunctionType) and value.__code__.co_filename == source and not value.__closure__) or (
                isinstance(value, property) and value.fget is not None
            ):
                body[key] = value
        if named_tuple:
            body["__new__"] = self._named_tuple(record)
        else:
            body["__init__"] = self._named_record(record)
        made: type = type(record.__name__, (record,), body)
        self._types[record] = made
        for key, value in body.items():
            if isinstance(value, property):
                assert isinstance(value.fget, FunctionType)
                setattr(made, key, property(self._method(record, value.fget)))
            elif isinstance(value, FunctionType) and key not in ("__init__", "__new__"):
                setattr(made, key, self._method(record, value))
        return made

    def _method(self, record: type, function: FunctionType) -> Any:
        name = f"{record.__module__}.{record.__name__}.{function.__name__}"
        return self._remembering(name, self._searched(name, function), False)

    def _labelled(self, record: type, made: Any, names: Any) -> Any:
        for name in names:
            value = getattr(made, name)
            if isinstance(value, Number) and not value.label and value.kind != "literal":
                value.named(*self.name(record, name))
        return made

    def _named_tuple(self, record: Any) -> Callable[..., Any]:
        replay = self

        def new(cls: type, *args: Any, **options: Any) -> Any:
            return replay._labelled(record, record.__new__(cls, *args, **options), record._fields)

        return new

    def _named_record(self, record: Any) -> Callable[..., None]:
        names = tuple(field.name for field in fields(record))
        replay = self

        def init(self: Any, *args: Any, **options: Any) -> None:
            record.__init__(self, *args, **options)
            replay._labelled(record, self, names)

        return init

    # --- facts ------------------------------------------------------------------------------------------------

    def copied(self, record: Any, changes: Mapping[str, Any]) -> Any:
        """A copy of a fact with numbers that remember. It refuses to be a key, so that no cache can know it."""
        made: Any = object.__new__(self._fact_type(type(record)))
        for field in fields(record):
            value = changes[field.name] if field.name in changes else getattr(record, field.name)
            object.__setattr__(made, field.name, value)
        return made

    def _fact_type(self, record: type) -> type:
        known = self._facts.get(record)
        if known is None:
            body = {"__slots__": (), "__hash__": _no_key}
            known = self._facts[record] = type(record.__name__, (self.record(record),), body)
        return known


def _no_key(fact: object) -> int:
    raise TypeError(f"{type(fact).__name__} with numbers that remember is no key of a cache")
