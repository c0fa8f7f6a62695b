"""Records are the dataclasses that the standard decorator makes, written at their first call."""

from __future__ import annotations

import ast
import copy
import dataclasses
import pickle
import typing
from dataclasses import field
from pathlib import Path
from typing import Any

import pytest

from engine.figures.records import NamedTuple, dataclass

FEW = 4
"""Instances that are filled before `__init__` is compiled."""


@dataclass(frozen=True, slots=True)
class Card:
    """A record with every kind of field that the house uses."""

    name: str
    memory: float = 80.0
    links: tuple[str, ...] = field(default_factory=lambda: ("pcie5",))
    label: str = field(init=False, repr=False)
    note: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", self.name.upper())


@dataclass(frozen=True, slots=True)
class Server(Card):
    """A record of a record: the fields of both, in order."""

    gpus: int = 8


@dataclass(slots=True)
class Tally:
    """A record that changes."""

    seen: list[int] = field(default_factory=list)
    last: int = 0


@dataclass(frozen=True, eq=False)
class Own:
    """A record that is only itself, with words of its own."""

    name: str

    def __repr__(self) -> str:
        return f"<{self.name}>"


def standard(kind: type) -> Any:
    """The same class by the standard decorator."""
    frozen, slots = kind is not Tally, kind is not Own
    bases = tuple(standard(base) if base is Card else base for base in kind.__bases__)
    body: dict[str, Any] = {key: value for key, value in PLAIN[kind].items() if key not in ("__dict__", "__weakref__")}
    made: type = type(kind.__name__, bases, body)
    return dataclasses.dataclass(frozen=frozen, slots=slots, eq=kind is not Own)(made)


def _plain(kind: type) -> dict[str, Any]:
    """What stands in the class as it was written: annotations, defaults and methods."""
    names = ("__module__", "__doc__", "__annotations__", "__post_init__")
    body = {name: vars(kind)[name] for name in names if name in vars(kind)}
    body["__qualname__"] = kind.__qualname__
    if kind is Own:
        body["__repr__"] = vars(kind)["__repr__"]
    for entry in dataclasses.fields(kind):
        if entry.name not in vars(kind)["__annotations__"]:
            continue
        if not entry.init or not entry.compare or entry.default_factory is not dataclasses.MISSING:
            options: dict[str, Any] = {"init": entry.init, "repr": entry.repr, "compare": entry.compare}
            if entry.default_factory is not dataclasses.MISSING:
                options["default_factory"] = entry.default_factory
            if entry.default is not dataclasses.MISSING:
                options["default"] = entry.default
            body[entry.name] = field(**options)
        elif entry.default is not dataclasses.MISSING:
            body[entry.name] = entry.default
    return body


PLAIN: dict[type, dict[str, Any]] = {kind: _plain(kind) for kind in (Card, Server, Tally, Own)}

CALLS: list[tuple[type, tuple[Any, ...], dict[str, Any]]] = [
    (Card, ("a",), {}),
    (Card, ("a", 48.0, ("nvlink4",)), {"note": "seen"}),
    (Card, (), {"name": "b", "links": ()}),
    (Server, ("s",), {"gpus": 4}),
    (Server, ("s", 1.0, (), "n", 2), {}),
    (Tally, (), {}),
    (Tally, ([1, 2],), {"last": 2}),
    (Own, ("x",), {}),
]


@pytest.mark.parametrize(("kind", "given", "options"), CALLS)
def test_a_record_is_what_the_standard_decorator_makes(
    kind: type, given: tuple[Any, ...], options: dict[str, Any]
) -> None:
    ours, theirs = kind(*given, **options), standard(kind)(*given, **options)
    assert repr(ours) == repr(theirs)
    assert dataclasses.asdict(ours) == dataclasses.asdict(theirs)
    assert ours == kind(*given, **options) or kind is Own
    assert ours != theirs  # of another class
    assert (type(ours).__hash__ is None) == (type(theirs).__hash__ is None)
    if kind in (Card, Server):
        assert hash(ours) == hash(theirs) == hash(kind(*given, **options))
    if kind is not Own:
        assert copy.deepcopy(ours) == ours
        assert pickle.loads(pickle.dumps(ours)) == ours


@pytest.mark.parametrize(
    ("kind", "given", "options"),
    [
        (Card, (), {}),
        (Card, ("a",), {"label": "x"}),
        (Card, ("a",) * 6, {}),
        (Own, (), {"nmae": 1}),
        (Tally, ("a",) * 3, {}),
    ],
)
def test_what_the_standard_one_refuses_is_refused(kind: type, given: tuple[Any, ...], options: dict[str, Any]) -> None:
    with pytest.raises(TypeError) as theirs:
        standard(kind)(*given, **options)
    with pytest.raises(TypeError) as ours:
        kind(*given, **options)
    assert str(ours.value) == str(theirs.value)


def test_a_default_that_is_a_descriptor_gives_and_takes_the_value() -> None:
    class Doubled:
        def __get__(self, record: Any, owner: type) -> int:
            return 1 if record is None else int(record.__dict__["value"])

        def __set__(self, record: Any, given: int) -> None:
            record.__dict__["value"] = 2 * given

    def body() -> dict[str, Any]:
        return {"__module__": __name__, "__annotations__": {"value": "int"}, "value": Doubled()}

    ours: Any = dataclass(frozen=True)(type("Twice", (), body()))
    theirs: Any = dataclasses.dataclass(frozen=True)(type("Twice", (), body()))
    for _ in range(2 * FEW):
        assert (ours().value, ours(5).value) == (theirs().value, theirs(5).value) == (2, 10)


def test_every_record_has_a_list_of_its_own() -> None:
    one, other = Tally(), Tally()
    one.seen.append(1)
    assert other.seen == []


def test_a_comparison_is_of_fields_that_compare() -> None:
    assert Card("a", note="seen") == Card("a")
    assert Card("a") != Card("b")
    other: object = "a"
    assert Card("a") != other
    assert Own("a") != Own("a")
    assert dataclasses.replace(Card("a"), memory=48.0) == Card("a", 48.0)
    assert len({Card("a"), Card("a", note="seen"), Card("a", 1.0)}) == 2


def test_a_frozen_record_stays_as_it_was_made() -> None:
    card: Any = Card("a")
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'name'"):
        card.name = "b"
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'name'"):
        del card.name
    assert card == Card("a")
    tally = Tally()
    tally.last = 3
    assert tally.last == 3


def test_a_subclass_may_have_attributes_of_its_own() -> None:
    class Kept(Card):
        pass

    kept: Any = Kept("a")
    kept.place = 3
    assert kept.place == 3
    with pytest.raises(dataclasses.FrozenInstanceError):
        kept.name = "b"
    del kept.place
    assert not hasattr(kept, "place")


def test_methods_are_written_when_they_are_needed_and_stay() -> None:
    @dataclass(frozen=True, slots=True)
    class Late:
        value: int
        other: tuple[int, ...] = field(default_factory=tuple)

    names = ("__init__", "__eq__", "__hash__")
    waiting: Any = [vars(Late)[name] for name in names]
    made = {Late(number % 3) for number in range(FEW + 1)}
    written: Any = [vars(Late)[name] for name in names]
    assert len(made) == 3
    assert {function.__code__.co_filename for function in written} == {"<string>"}
    assert all(function is not before for function, before in zip(written, waiting, strict=True))
    assert hash(Late(2)) == hash((2, ()))
    assert [vars(Late)[name] for name in names] == written
    assert written[0].__qualname__ == f"{Late.__qualname__}.__init__"


@pytest.mark.parametrize(("kind", "given", "options"), CALLS)
def test_the_first_of_a_kind_are_as_the_later_ones(kind: type, given: tuple[Any, ...], options: dict[str, Any]) -> None:
    fresh: Any = dataclass(frozen=kind is not Tally, slots=kind is not Own, eq=kind is not Own)(
        type(kind.__name__, tuple(base for base in kind.__bases__), dict(PLAIN[kind]))
    )
    made = [fresh(*given, **options) for _ in range(2 * FEW)]
    assert len({repr(one) for one in made}) == 1
    assert repr(made[0]) == repr(kind(*given, **options))


def test_the_house_makes_its_records_here() -> None:
    """No module asks the standard ones, which compile methods while they are imported: a fifth of a start."""
    root = Path(__file__).parents[2]
    asked = []
    for path in (path for package in ("engine", "catalog", "tui") for path in (root / package).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            imported = (
                isinstance(node, ast.ImportFrom) and node.module in ("dataclasses", "typing") and node.names
            ) or []
            whole = isinstance(node, ast.Attribute) and ast.unparse(node) == "dataclasses.dataclass"
            if whole or any(alias.name in ("dataclass", "NamedTuple") for alias in imported):
                asked.append(path.relative_to(root).as_posix())
    assert set(asked) == {"engine/figures/records.py"}


def test_a_named_tuple_is_what_the_standard_one_is() -> None:
    class Ours(NamedTuple):
        """A pair with a method."""

        name: str
        size: float = 1.0

        @property
        def doubled(self) -> float:
            return 2 * self.size

    class Theirs(typing.NamedTuple):
        """A pair with a method."""

        name: str
        size: float = 1.0

    ours: Any = Ours("a")
    theirs: Any = Theirs("a")
    assert ours == theirs == ("a", 1.0)
    assert repr(ours) == repr(theirs).replace("Theirs", "Ours")
    assert (Ours._fields, Ours._field_defaults, Ours.__doc__) == (
        Theirs._fields,
        Theirs._field_defaults,
        Theirs.__doc__,
    )
    assert Ours.__annotations__ == {"name": "str", "size": "float"}
    assert (Ours.__qualname__, Ours.__module__) == (Theirs.__qualname__.replace("Theirs", "Ours"), __name__)
    assert ours._replace(size=3).doubled == 6
    with pytest.raises(TypeError, match="required positional argument: 'name'"):
        Ours()  # type: ignore[call-arg] # what is refused
