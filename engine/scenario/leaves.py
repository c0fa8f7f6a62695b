"""The leaves: the facts of a build as numbers that remember, each with its unit and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final, Protocol

from engine.figures.number import Kind, Number
from engine.figures.words import field_words
from engine.model.architecture import Architecture, Cache, Layer, Tensor
from engine.parts.hardware import Accelerator, Link, Rule
from engine.parts.own import WORDS, OwnCurve, OwnRatio
from engine.scenario import Hardware, Layout, LayoutChoice, Scenario, Workload

USUAL: Final = "8,192 tokens a GPU, from half a million to 16 million: published runs"


class Copier(Protocol):
    """Makes a copy of a record with some of its fields changed."""

    def __call__(self, record: Any, changes: Mapping[str, Any]) -> Any: ...


class Counted(tuple[Any, ...]):
    """Things whose number is a fact. length: that number."""

    length: Number


class Alike(tuple[int, ...]):
    """The layers of a stage, each by the first one that is the same; how many are alike is counted, and remembered."""

    source: str

    def count(self, value: Any) -> Any:
        """How many are the same as that one."""
        number = super().count(value)
        return _count(number, f"layers like layer {value + 1}", "layers", self.source)


class Tally(dict[Any, Any]):
    """Counts things; the counts remember what they count."""

    def update(self, things: Any = (), /, **_: Any) -> None:
        """Count each of these once more."""
        for thing in things:
            self[thing] = self.get(thing, 0) + 1

    def items(self) -> Any:
        """Each with its count."""
        return [
            (thing, _count(number, "layers that keep the same", "layers", "the config"))
            for thing, number in super().items()
        ]

    def values(self) -> Any:
        """The counts."""
        return [number for _, number in self.items()]


def _count(number: int, label: str, unit: str, source: str) -> Any:
    return Number(number, label=label, unit=unit, kind="counted", source=source) if number > 1 else number


def fact(copied: Copier, record: Any, kind: Kind, source: str, of: str = "", skip: tuple[str, ...] = ()) -> Any:
    """A record whose numbers remember. of: whose they are, where the label alone does not say it."""
    changes = {}
    for entry in fields(record):
        value = getattr(record, entry.name)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and entry.name not in skip:
            label, unit = field_words(type(record), entry.name)
            changes[entry.name] = Number(value, label=f"{label} {of}".rstrip(), unit=unit, kind=kind, source=source)
    return copied(record, changes)


def model(copied: Copier, arch: Architecture, source: str) -> Any:
    """The architecture: shapes of tensors, caches and layers as counted facts of its config."""

    def number(value: int, label: str, unit: str = "") -> Any:
        return Number(value, label=label, unit=unit, kind="counted", source=source) if value > 1 else value

    def tensor(one: Tensor) -> Any:
        name = one.name
        return copied(
            one,
            {
                "rows": number(one.rows, f"outputs of {name}" if one.cols > 1 else f"elements of {name}"),
                "cols": number(one.cols, f"inputs of {name}"),
                "copies": number(one.copies, f"copies of {name}"),
                "units": number(one.units, f"heads of {name}"),
            },
        )

    def cache(one: Cache) -> Any:
        changes = {}
        for entry in fields(one):
            value = getattr(one, entry.name)
            if isinstance(value, int) and not isinstance(value, bool):
                changes[entry.name] = number(value, *field_words(Cache, entry.name))
        return copied(one, changes)

    known: dict[int, Any] = {}

    def layer(one: Layer) -> Any:
        made = known.get(id(one))
        if made is None:
            changes: dict[str, Any] = {
                "tensors": tuple(map(tensor, one.tensors)),
                "caches": tuple(map(cache, one.caches)),
            }
            for name in ("score_heads", "qk_width", "v_width", "span"):
                changes[name] = number(getattr(one, name), *field_words(Layer, name))
            made = known[id(one)] = copied(one, changes)
        return made

    layers = Counted(map(layer, arch.layers))
    layers.length = Number(len(layers), label="layers", unit="layers", kind="counted", source=source)
    often: dict[Any, Any] = {}

    def run(one: Layer, count: int) -> tuple[Any, Any]:
        key = (id(one), count)
        if key not in often:
            words = "layers" if len(arch.runs) == 1 else f"layers alike in a row, {what(one)}"
            often[key] = Number(count, label=words, unit="layers", kind="counted", source=source)
        return layer(one), often[key]

    runs = tuple(run(one, count) for one, count in arch.runs)
    changes = {
        "layers": layers,
        "runs": runs,
        "digest": NoDigest(arch),
        **{name: tuple(map(tensor, getattr(arch, name))) for name in ("embedding", "head", "towers", "mtp")},
    }
    for entry in fields(arch):
        value = getattr(arch, entry.name)
        if isinstance(value, int) and not isinstance(value, bool):
            changes[entry.name] = number(value, *field_words(Architecture, entry.name))
    return copied(arch, changes)


def what(layer: Layer) -> str:
    """What a layer is made of, in short."""
    mixer = "a window" if layer.span else {"attention": "attention", "mla": "MLA"}.get(layer.mixer, layer.mixer)
    return f"{mixer} and {'experts' if layer.ffn == 'moe' else layer.ffn}"


class NoDigest:
    """The digest of a model whose numbers remember: none, so that no cache knows it. counted: the plain model."""

    __hash__ = None  # type: ignore[assignment] # how Python refuses to hash; the type of object has a method there

    def __init__(self, counted: Architecture) -> None:
        self.counted = counted


def _card(copied: Copier, card: Accelerator) -> Any:
    """An accelerator of the catalog."""
    made = fact(copied, card, "data sheet", f"{card.name}: {card.source or _catalog(card)}", f"of {card.label}")
    return copied(made, {"own": tuple(_ratio(copied, one) for one in card.own)}) if card.own else made


def _ratio(copied: Copier, own: OwnRatio) -> Any:
    """A figure as a person measured it over the predicted."""
    words = f"your {WORDS[own.figure]} of {own.model or 'a model'} over the catalog's"
    source = own.source or "your measurements"
    return copied(own, {"ratio": Number(own.ratio, label=words, unit="", kind="measured", source=source)})


def link(copied: Copier, one: Link) -> Any:
    """A link of the catalog, with what a person measured on it."""
    made = fact(copied, one, "data sheet", f"{one.name}: {one.source or _catalog(one)}", f"of {one.name}")
    if not one.own_curves:
        return made

    def measured(own: OwnCurve) -> Any:
        words, source = f"your {own.op.replace('_', '-')} on {own.gpus} GPUs", own.source or "your measurements"
        points = tuple(
            (
                Number(size, label=f"size of {words}", unit="bytes", kind="entered", source=source),
                Number(seconds, label=f"{words}, {size:g} bytes", unit="s", kind="measured", source=source),
            )
            for size, seconds in own.points
        )
        return copied(own, {"points": points})

    return copied(made, {"own_curves": tuple(map(measured, one.own_curves))})


def counted(
    copied: Copier, hardware: Any, nodes: int, gpus_per_node: int, source: str, inter: Link | None = None
) -> Any:
    """The same hardware in another count. source: where the count comes from. inter: another link between nodes."""
    kind: Kind = "entered" if source == "entered" else "counted"
    changes: dict[str, Any] = {}
    for name, value in (("gpus_per_node", gpus_per_node), ("nodes", nodes)):
        label, unit = field_words(Hardware, name)
        changes[name] = Number(value, label=label, unit=unit, kind=kind, source=source)
    if inter is not None:
        changes["inter_link"] = link(copied, inter)
    return copied(hardware, changes)


SOUGHT: Final = "the value that is looked for"


def _work(copied: Copier, work: Workload, sought: str) -> Any:
    """The workload as entered; sought: the field that a search looked for."""
    made = fact(copied, work, "entered", "entered")
    label, unit = field_words(Workload, "usual_batch_tokens")
    usual = Number(work.usual_batch_tokens, label=label, unit=unit, kind="rule of thumb", source=USUAL)
    made = copied(made, {"usual_batch_tokens": usual})
    if not sought:
        return made
    label, unit = field_words(Workload, sought)
    number = Number(getattr(work, sought), label=label, unit=unit, kind="sought", source=SOUGHT)
    return copied(made, {sought: number})


def scenario(copied: Copier, asked: Scenario, count: str = "entered", sought: str = "") -> Any:
    """The scenario with every fact as a leaf. count: where the number of its GPUs comes from. sought: a field of the workload."""
    card, work = asked.hardware.accelerator, asked.workload
    hardware = asked.hardware
    changes: dict[str, Any] = {
        "accelerator": _card(copied, card),
        "mixed": tuple(
            (
                _card(copied, one),
                Number(count, label=f"cards of {one.label}", unit="GPUs", kind="entered", source="entered"),
            )
            for one, count in hardware.mixed
        ),
    }
    for name in ("intra_link", "inter_link"):
        changes[name] = link(copied, getattr(hardware, name))
    if hardware.platform is not None:
        box = hardware.platform
        changes["platform"] = fact(
            copied, box, "data sheet", f"{box.name}: {box.source or _catalog(box)}", f"of {box.name}"
        )
    if hardware.power_limit_w is not None:
        label, unit = field_words(Hardware, "power_limit_w")
        watts = Number(hardware.power_limit_w, label=label, unit=unit, kind="entered", source="entered")
        changes["power_limit_w"] = watts
    runtime = fact(copied, asked.runtime, "entered", "entered")
    config = f"{asked.model.config or 'config.json'} of {asked.model.name}"
    return copied(
        asked,
        {
            "model": copied(asked.model, {"architecture": model(copied, asked.model.architecture, config)}),
            "hardware": counted(copied, copied(hardware, changes), hardware.nodes, hardware.gpus_per_node, count),
            "workload": _work(copied, work, sought),
            "runtime": runtime,
            "money": fact(copied, asked.money, "entered", "entered"),
            "facts": catalog(copied, asked),
        },
    )


def catalog(copied: Copier, asked: Scenario) -> Any:
    """What the catalog says that may be asked for: of prices, those of this card."""
    known, card = asked.facts, asked.hardware.accelerator.id
    return copied(
        known,
        {
            "rentals": tuple(
                fact(
                    copied,
                    one,
                    "data sheet",
                    f"{one.provider}, {one.billing}, {one.as_of}. {one.source}",
                )
                for one in known.rentals
                if one.accelerator == card
            ),
            "purchases": tuple(
                fact(copied, one, "data sheet", f"{one.item}, {one.as_of}. {one.source}", f"of {one.item}")
                for one in known.purchases
                if one.accelerator in ("", card)
                or any(one.accelerator == other.id for other, _ in asked.hardware.mixed)
            ),
            "api_prices": tuple(
                fact(copied, one, "data sheet", f"{one.provider}, {one.as_of}. {one.source}", f"of {one.provider}")
                for one in known.api_prices
                if one.model_id == asked.model.id
            ),
            "rules": tuple(_rule(copied, one) for one in known.rules),
            "platforms": tuple(
                fact(copied, one, "data sheet", f"{one.name}: {one.source or _catalog(one)}", f"of {one.name}")
                if one.accelerator == card
                else one
                for one in known.platforms
            ),
        },
    )


def _rule(copied: Copier, one: Rule) -> Any:
    """A rule with its value, which is what its text says."""
    if one.value is None:
        return one
    value = Number(one.value, label=one.text, unit=one.unit, kind="rule of thumb", source=one.source or "the catalog")
    return copied(one, {"value": value})


def layout(
    copied: Copier, made: Layout, pinned: LayoutChoice, chosen: str = "chosen: the fastest of the layouts that fit"
) -> Any:
    """The layout: what the person pinned, and what was chosen, and how."""
    changes: dict[str, Any] = {"reason": ()}
    for name in ("tp", "pp", "dp", "ep", "dcp"):
        value = getattr(made, name)
        if value > 1:
            entered = getattr(pinned, name) is not None
            label, unit = field_words(type(made), name)
            source = "entered" if entered else chosen
            kind: Kind = "entered" if entered else "counted"
            changes[name] = Number(value, label=label, unit=unit, kind=kind, source=source)
    return copied(made, changes)


def _catalog(record: Any) -> str:
    return "your catalog" if getattr(record, "origin", "") == "user" else "the catalog"
