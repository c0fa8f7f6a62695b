"""The one way in which a scenario changes: `change(scenario, {key: value}, facts)`.

The form and its keys, the options of the command line, the cures, the sweep, the searches and the builds that a verdict
tries all come through here, so that what is offered is sized exactly as it will be when somebody takes it.

What follows what. A key that is named is as named; of the others

- a platform that is named brings its accelerator, its GPUs a node and its links; it goes when the node comes to hold
  another card or another number of them;
- a card of which a box takes fewer brings that many;
- a link that is the usual one of its card in its build stays the usual one; another one was chosen and stays, but for
  the link inside a node whose new card has no such link (another family, or a slower slot, or no peer access);
- a second kind of card keeps its count, half of the node at first, and goes when the node has no room for both;
- weights in the format that the old model is published in take the one of the new model, as do all where either is
  published in 4 bits alone; layers that predict several tokens go with the model that has them;
- a model of the catalog takes the place of a file, and a file that of a model;
- the sharding that is usual under its training framework stays the usual one, as does one that the new framework has not.

Everything else stays, the pinned layout above all. None for a key that follows (`Field.follows`) means the usual value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Protocol, TypeVar, cast

from engine.figures.errors import ScenarioError
from engine.model.architecture import Architecture
from engine.parts.hardware import Accelerator, Facts, Link, Platform
from engine.parts.mixed import weakest
from engine.runtimes.frameworks import AnyFramework, Sharding, entry_of
from engine.scenario import Hardware, Kind, Layout, LayoutChoice, Model, Scenario
from engine.scenario.fields import Field, Value, field_of
from engine.scenario.frameworks import usual_sharding

Changes = Mapping[str, Value]
SECOND = ("hardware.second_accelerator", "hardware.second_gpus")
"""Keys of a session that a Scenario holds as `mixed`."""
_CARDS = ("hardware.accelerator", *SECOND)
ONLY_IN_4_BITS = "mxfp4"  # gpt-oss: experts are published in it alone, and other models not at all
LAYOUT_KEYS = tuple(f"layout.{name}" for name in LayoutChoice.__dataclass_fields__)
FREE_LAYOUT: Changes = dict.fromkeys(LAYOUT_KEYS)
"""The layout left to choose, as changes."""

# What cards talk over when their bridge or switch does not join as many as the node holds, by PCIe generation.
PCIE_BY_GENERATION = {3: "pcie3-x16", 4: "pcie4-x16", 5: "pcie5-root", 6: "pcie6-x16"}
DEFAULT_INTRA_LINK = "pcie4-x16"
NO_PEER_ACCESS = "pcie-no-p2p"
DEFAULT_INTER_LINK = "roce-100"


class ModelRecord(Protocol):
    """A model as it is looked up. Reading the architecture may raise ValueError for a file that is none."""

    @property
    def id(self) -> str:
        """Of the catalog; empty for a file."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def family(self) -> str:
        """Of its makers."""

    @property
    def architecture(self) -> Architecture:
        """What it is built of."""


class LookUps(Protocol):
    """Where ids are looked up: the catalog, or a scenario's own facts. Each raises a LookupError for an unknown id."""

    def model(self, model_id: str) -> ModelRecord:
        """The model of an id."""

    def smaller(self, model_id: str) -> Sequence[str]:
        """Ids of smaller models of the same series, the largest first."""

    def model_file(self, path: str) -> ModelRecord:
        """The model of a config.json or .gguf. Raises ValueError for a file that cannot be read."""

    def accelerator(self, accelerator_id: str) -> Accelerator:
        """The accelerator of an id."""

    def link(self, link_id: str) -> Link:
        """The link of an id."""

    def platform(self, platform_id: str) -> Platform:
        """The platform of an id."""


class FactsOnly:
    """A scenario's own facts as look-ups: they know no models, whose files only a catalog reads."""

    def __init__(self, facts: Facts) -> None:
        self._accelerators = {card.id: card for card in facts.accelerators}
        self._links = {link.id: link for link in facts.links}
        self._platforms = {platform.id: platform for platform in facts.platforms}

    def model(self, model_id: str) -> ModelRecord:
        """No model. Raises KeyError."""
        raise KeyError(model_id)

    def smaller(self, model_id: str) -> tuple[str, ...]:
        """No model."""
        return ()

    def model_file(self, path: str) -> ModelRecord:
        """No file. Raises KeyError."""
        raise KeyError(path)

    def accelerator(self, accelerator_id: str) -> Accelerator:
        """The accelerator of that id. Raises KeyError."""
        return self._accelerators[accelerator_id]

    def link(self, link_id: str) -> Link:
        """The link of that id. Raises KeyError."""
        return self._links[link_id]

    def platform(self, platform_id: str) -> Platform:
        """The platform of that id. Raises KeyError."""
        return self._platforms[platform_id]


@lru_cache(maxsize=16)
def _facts_only(facts: Facts) -> FactsOnly:
    return FactsOnly(facts)


def usual_intra_link(
    accelerator: Accelerator, gpus_per_node: int, platform: Platform | None, facts: LookUps, present: Link | None = None
) -> Link:
    """What joins `gpus_per_node` of a card inside a node: the platform's own link, or the one between its islands where
    that does not reach, or the card's, or its PCIe slots.

    present: taken where the facts have none of these links. Raises a LookupError without it.
    """
    names = [platform.intra_link, platform.intra_link_cross] if platform is not None else []
    for name in (*names, accelerator.default_intra_link):
        if name:
            link = _link(facts, name, present)
            if link.max_gpus is None or gpus_per_node <= link.max_gpus:
                return link
    if not accelerator.peer_access:
        return _link(facts, NO_PEER_ACCESS, present)
    return _link(facts, PCIE_BY_GENERATION.get(accelerator.pcie_gen or 0, DEFAULT_INTRA_LINK), present)


def usual_inter_link(
    accelerator: Accelerator, platform: Platform | None, facts: LookUps, present: Link | None = None
) -> Link:
    """What joins nodes of a card: the platform's network, or the card's usual one. Raises likewise."""
    own = platform.inter_link if platform is not None else ""
    return _link(facts, own or accelerator.default_inter_link or DEFAULT_INTER_LINK, present)


def _link(facts: LookUps, link_id: str, present: Link | None) -> Link:
    try:
        return facts.link(link_id)
    except LookupError:
        if present is None:
            raise
        return present


_Found = TypeVar("_Found")
_THINGS = {
    "model.id": "model",
    "model.config": "model file",
    "hardware.accelerator": "accelerator",
    "hardware.second_accelerator": "accelerator",
    "hardware.intra_link": "link",
    "hardware.inter_link": "link",
    "hardware.platform": "platform",
}


def _found(key: str, find: Callable[[str], _Found], wanted: Any) -> _Found:
    """A record by its id. Raises ScenarioError naming the key."""
    try:
        return find(wanted)
    except LookupError as problem:
        words = f"no {_THINGS[key]} {wanted!r}" if type(problem) is KeyError else str(problem)
        raise ScenarioError(key, words) from None
    except ValueError as problem:
        raise ScenarioError(key, str(problem)) from None


def value_of(scenario: Scenario, key: str) -> Any:
    """The value of a dotted key, ids for records: what `change` would have to be given. Raises ScenarioError."""
    return _value(scenario, field_of(key))


def _value(scenario: Scenario, field: Field) -> Any:
    if not field.table:
        return getattr(scenario, field.name)
    if field.key in _CARDS:
        first, second, count = _kinds(scenario.hardware)
        if field.key == "hardware.accelerator":
            return first.id
        if second is None:
            return None
        return second.id if field.key == "hardware.second_accelerator" else count
    value = getattr(getattr(scenario, field.table), field.name)
    return getattr(value, "id", value) if field.kind == "id" else value


def change(scenario: Scenario, changes: Changes, facts: LookUps | None = None) -> Scenario:
    """The scenario with the named keys changed and what follows them, as this module says; else as it was.

    All or nothing, whatever the order of the keys; the same changes twice are the same as once. facts: where ids are
    looked up, the scenario's own facts when left out. Raises ScenarioError naming the key for one that does not exist,
    a value out of its range and an id that nobody knows; whether the values go together, `engine.decide.size` says.
    """
    wanted: dict[str, Value] = {}
    tables: dict[str, dict[str, Value]] = {}
    for key, given in changes.items():
        field = field_of(key)
        value = wanted[key] = field.checked(given)
        if value != _value(scenario, field):
            tables.setdefault(field.table, {})[field.name] = value
    if not tables:
        return scenario
    known = facts if facts is not None else cast(LookUps, _facts_only(scenario.facts))
    parts: dict[str, Any] = dict(tables.pop("", {}))
    if "model" in tables:
        parts["model"] = _model(scenario.model, tables.pop("model"), wanted, known)
    if "hardware" in tables:
        parts["hardware"] = _hardware(scenario.hardware, tables.pop("hardware"), wanted, known)
    if "framework" in tables.get("workload", {}) and "workload.sharding" not in wanted:
        tables["workload"]["sharding"] = _sharding(scenario, cast(AnyFramework, wanted["workload.framework"]))
    kind = _kind(scenario, parts.get("model", scenario.model))
    if "workload.kind" not in wanted and kind != scenario.workload.kind:
        tables.setdefault("workload", {})["kind"] = kind
    for table, values in tables.items():
        parts[table] = replace(getattr(scenario, table), **cast(dict[str, Any], values))
    return replace(scenario, **parts)


def _kind(now: Scenario, model: Model) -> Kind:
    """The kind of work under another model: an embedder embeds, and what follows one serves again."""
    kind = now.workload.kind
    if model.architecture.embeds:
        return "embed" if kind == "serve" else kind
    return "serve" if kind == "embed" and now.model.architecture.embeds else kind


def _sharding(now: Scenario, framework: AnyFramework) -> Sharding:
    """How a run shards under another framework."""
    kept = now.workload.sharding
    usual = usual_sharding(framework)
    if kept == usual_sharding(now.workload.framework) or kept not in entry_of(framework).shardings:
        return usual
    return kept


def _model(now: Model, named: dict[str, Any], wanted: Changes, facts: LookUps) -> Model:
    """The model after its named keys; a key of `wanted` that is no news keeps its value, too."""
    record: ModelRecord | None = None
    config = str(named.get("config", ""))
    if config:
        record = _found("model.config", facts.model_file, config)
        key, model_id = "model.config", str(wanted.get("model.id", ""))
    elif "id" in named:
        record = _found("model.id", facts.model, named["id"])
        key, model_id = "model.id", record.id
    elif "config" in named and now.config:  # the file goes, and nothing takes its place
        raise ScenarioError("model.config", "a model is needed", "a file, or model.id with it")
    made = now
    weights = named.get("weights", now.weights)
    if record is not None:
        source = record
        architecture: Architecture = _found(key, lambda _: source.architecture, key)
        made = replace(
            now,
            id=model_id,
            name=record.name,
            family=record.family,
            architecture=architecture,
            config=config,
            mtp=now.mtp and bool(architecture.mtp),
        )
        if "model.weights" not in wanted:
            before, after = now.architecture.checkpoint_format, architecture.checkpoint_format
            if now.weights == before or ONLY_IN_4_BITS in (now.weights, after):
                weights = after
        if "model.kv_cache" not in wanted and now.kv_cache == now.architecture.cache_format:
            made = replace(made, kv_cache=architecture.cache_format)
    if weights is None:
        weights = made.architecture.checkpoint_format
    rest = {name: value for name, value in named.items() if name not in ("id", "config", "weights")}
    return replace(made, weights=weights, **rest)


def _hardware(now: Hardware, named: dict[str, Any], wanted: Changes, facts: LookUps) -> Hardware:
    """The hardware after its named keys; a key of `wanted` that is no news keeps its value against what follows."""
    platform = now.platform
    brought = named.get("platform")
    if "platform" in named:
        platform = _found("hardware.platform", facts.platform, brought) if brought is not None else None
    gpus: int = named.get("gpus_per_node", now.gpus_per_node)
    first, second, count = _kinds(now)
    if brought is not None and platform is not None:
        if "hardware.gpus_per_node" not in wanted:
            gpus = platform.gpus or gpus
        if platform.accelerator and "hardware.accelerator" not in wanted:
            first = _found("hardware.platform", facts.accelerator, platform.accelerator)
            second = None
    if "accelerator" in named:
        first = _found("hardware.accelerator", facts.accelerator, named["accelerator"])
        most = first.max_gpus_per_node
        if most is not None and "hardware.gpus_per_node" not in wanted:
            gpus = min(gpus, most)
    if "second_accelerator" in named:
        second = named["second_accelerator"]
        second = _found("hardware.second_accelerator", facts.accelerator, second) if second is not None else None
    mixed = _mixed(first, second, named.get("second_gpus") or count, gpus, named)
    card = now.accelerator
    if mixed != now.mixed:
        card = weakest(mixed) if mixed else first
    elif not mixed and first.id != card.id:
        card = first
    if platform is not None and "hardware.platform" not in wanted:
        moved = (card.id, gpus) != (now.accelerator.id, now.gpus_per_node)
        if moved and ((platform.accelerator, platform.gpus) != (card.id, gpus) or mixed):
            platform = None
    made = replace(
        now,
        accelerator=card,
        gpus_per_node=gpus,
        nodes=named.get("nodes", now.nodes),
        platform=platform,
        mixed=mixed,
    )
    limit = named.get("power_limit_w", now.power_limit_w)
    if (
        "power_limit_w" not in named
        and made.accelerator.id != now.accelerator.id
        and "hardware.power_limit_w" not in wanted
    ):
        limit = None  # it was another card's
    if limit != made.power_limit_w:
        made = replace(made, power_limit_w=limit)
    anew = brought is not None
    intra, inter = _intra_link(now, made, anew, facts), _inter_link(now, made, anew, facts)
    if "intra_link" in named:
        link = named["intra_link"]
        usual = usual_intra_link(card, gpus, platform, facts, now.intra_link)
        intra = _found("hardware.intra_link", facts.link, link) if link is not None else usual
    elif "hardware.intra_link" in wanted:
        intra = now.intra_link
    if "inter_link" in named:
        link = named["inter_link"]
        usual = usual_inter_link(card, platform, facts, now.inter_link)
        inter = _found("hardware.inter_link", facts.link, link) if link is not None else usual
    elif "hardware.inter_link" in wanted:
        inter = now.inter_link
    return replace(made, intra_link=intra, inter_link=inter)


@lru_cache(maxsize=256)
def recounted(now: Hardware, gpus_per_node: int, nodes: int, facts: Facts) -> Hardware:
    """The hardware at another count of its cards and nodes, as `change` makes it by a scenario's own facts.

    Raises ScenarioError for a count out of its range.
    """
    wanted: dict[str, Value] = {
        key: field_of(key).checked(given)
        for key, given in (("hardware.gpus_per_node", gpus_per_node), ("hardware.nodes", nodes))
    }
    named = {"gpus_per_node": wanted["hardware.gpus_per_node"], "nodes": wanted["hardware.nodes"]}
    if (now.gpus_per_node, now.nodes) == (named["gpus_per_node"], named["nodes"]):
        return now
    return _hardware(now, named, wanted, cast(LookUps, _facts_only(facts)))


def _kinds(now: Hardware) -> tuple[Accelerator, Accelerator | None, int]:
    """The first and the second kind of card of a node, and the number of the second; 0 where there is none."""
    if not now.mixed:
        return now.accelerator, None, 0
    (first, _), (second, count) = now.mixed
    return first, second, count


def _mixed(
    first: Accelerator, second: Accelerator | None, count: int, gpus: int, named: dict[str, Any]
) -> tuple[tuple[Accelerator, int], ...]:
    """Both kinds with their counts; empty where the node holds one kind. Raises ScenarioError for counts without room."""
    if second is None or second.id == first.id:
        if named.get("second_gpus") is not None and "second_accelerator" not in named:
            raise ScenarioError(
                "hardware.second_gpus", "the node holds one kind of card", "hardware.second_accelerator too"
            )
        return ()
    count = count or max(1, gpus // 2)
    if count < gpus:
        return ((first, gpus - count), (second, count))
    if "second_gpus" not in named and "second_accelerator" not in named:
        return ()  # the cards of the second kind no longer leave room for the first
    allowed = f"1 to {gpus - 1}" if gpus > 1 else "none: the node holds one GPU"
    raise ScenarioError("hardware.second_gpus", f"{count} of {gpus} GPUs a node", allowed, max(1, gpus - 1))


def _intra_link(now: Hardware, made: Hardware, anew: bool, facts: LookUps) -> Link:
    """The link inside a node that follows from the build. anew: a platform was chosen, with its links."""
    link = now.intra_link
    same_card = made.accelerator.id == now.accelerator.id
    if same_card and made.gpus_per_node == now.gpus_per_node and made.platform is now.platform:
        return link
    usual = usual_intra_link(made.accelerator, made.gpus_per_node, made.platform, facts, link)
    if anew or link.id == usual_intra_link(now.accelerator, now.gpus_per_node, now.platform, facts, link).id:
        return usual
    goes = (link.family, link.peer_access) == (usual.family, usual.peer_access)
    return link if same_card or (goes and link.peak_gb_s_unidir <= usual.peak_gb_s_unidir) else usual


def _inter_link(now: Hardware, made: Hardware, anew: bool, facts: LookUps) -> Link:
    """The link between nodes that follows from the build."""
    link = now.inter_link
    if made.accelerator.id == now.accelerator.id and made.platform is now.platform:
        return link
    if anew or link.id == usual_inter_link(now.accelerator, now.platform, facts, link).id:
        return usual_inter_link(made.accelerator, made.platform, facts, link)
    return link


def pinned_as(scenario: Scenario, layout: Layout) -> Changes:
    """Changes that put a layout in the place of the pinned one: of the keys that the person pinned, and no other."""
    values = {
        "layout.tp": layout.tp,
        "layout.pp": layout.pp,
        "layout.dp": layout.dp,
        "layout.ep": layout.ep,
        "layout.dp_attention": layout.dp_attention,
        "layout.dcp": layout.dcp,
    }
    return {key: value for key, value in values.items() if value_of(scenario, key) is not None}
