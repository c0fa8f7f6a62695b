"""The hardware catalog: accelerators, links, platforms, prices and rules, read from TOML and validated.

Built-in files hold one kind of thing each; a person's file may hold several. An entry of a person's file that has
the id of a known one changes only the keys that it names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, TypeVar

from catalog import checked, twin
from catalog.checked import Check
from catalog.errors import CatalogError
from catalog.ids import nearest
from catalog.schema import build, read_shipped, unlimited
from engine.figures.records import dataclass
from engine.figures.text import shown
from engine.figures.units import GB, GIB, MIB
from engine.parts.hardware import Accelerator, ApiPrice, Facts, Link, Platform, Purchase, Rental, Rule

DATA = twin.DATA
FILES = ("accelerators.toml", "links.toml", "platforms.toml", "prices.toml", "rules.toml")
SCHEMA = 1
MOST_GIB = 2**30  # what another figure is worked out from; beyond it the entry is refused

Entry = Accelerator | Link | Platform | Rental | Purchase | ApiPrice | Rule
SECTIONS: Mapping[str, type[Entry]] = {
    "accelerator": Accelerator,
    "link": Link,
    "platform": Platform,
    "rental": Rental,
    "purchase": Purchase,
    "api": ApiPrice,
    "rule": Rule,
}
_Kind = TypeVar("_Kind", bound=Entry)


@dataclass(frozen=True, slots=True)
class RawEntry:
    """One entry as it stands in a file: where it came from, and its keys."""

    section: str
    entry_id: str
    file: str
    values: Mapping[str, Any]

    @property
    def where(self) -> str:
        """File and entry, for messages."""
        return f"{self.file}, {self.entry_id}"


def entry_id(section: str, values: Mapping[str, Any]) -> str:
    """What identifies an entry: its id, or for an API price the seller's model and provider."""
    if section == "api":
        return f"{values.get('model', '')} at {values.get('provider', '')}"
    return str(values.get("id", ""))


def raw_entries(path: Path, data: Mapping[str, Any], sections: Iterable[str]) -> Iterator[RawEntry]:
    """The entries of a parsed file in order. Raises CatalogError on a wrong schema or section."""
    file = str(path) if path.parent != DATA else path.name
    known = (*sections, "schema", "as_of")
    schema = data.get("schema", SCHEMA)
    if schema != SCHEMA:
        raise CatalogError(file, "schema", f"{shown(schema)} is not accepted; allowed: {SCHEMA}")
    for section, items in data.items():
        if section in ("schema", "as_of"):
            continue
        if section not in known:
            near = nearest(section, known, 1)[0]
            raise CatalogError(file, section, f"unknown section; the nearest known one is [[{near}]]")
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise CatalogError(file, section, f"must be written as [[{section}]]")
        for number, item in enumerate(items, 1):
            identity = entry_id(section, item)
            if section != "api" and (not isinstance(item.get("id"), str) or not identity.strip()):
                raise CatalogError(f"{file}, [[{section}]] number {number}", "id", "this key is required, as text")
            yield RawEntry(section, identity, file, item)


def _completed(section: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The entry with what follows from its other keys filled in."""
    full = dict(values)
    if section == "accelerator":
        full.setdefault("memory_mib_reported", None)
    elif section == "platform":
        gib = full.get("host_memory_gib")
        if "host_memory_gb" not in full and isinstance(gib, int | float) and 0 < gib < MOST_GIB:
            full["host_memory_gb"] = round(gib * GIB / GB, 1)
    return full


def _relaxed(section: str, values: dict[str, Any], file: str) -> dict[str, Any]:
    """A person's entry with the keys that only the built-in catalog must have filled in."""
    values.setdefault("source", f"entered in {file}")
    if section == "accelerator":
        values.setdefault("name", values.get("id"))
        for key in ("vendor", "architecture", "segment", "form_factor"):
            values.setdefault(key, "")
        mib = values.get("memory_mib_reported")
        if "memory_gb_marketed" not in values and isinstance(mib, int) and 0 < mib < MOST_GIB:
            values["memory_gb_marketed"] = round(mib * MIB / GB, 1)
    elif section in ("link", "platform"):
        values.setdefault("name", values.get("id"))
        if section == "platform":
            values.setdefault("kind", "server")
    elif section == "rental":
        values.setdefault("instance", values.get("id"))
        values.setdefault("provider", "entered")
        values.setdefault("billing", "on-demand")
        values.setdefault("gpus", 1)
    elif section == "purchase":
        values.setdefault("item", values.get("id"))
    return values


_NOT_NEGATIVE = frozenset({"usd", "usd_per_hour", "price_usd", "tdp_w", "latency_us"})
_POSITIVE = frozenset(
    {"memory_gb_marketed", "memory_mib_reported", "bandwidth_gb_s", "peak_gb_s_unidir", "gpus", "nics_per_node"}
)


def _possible(key: str, kind: type) -> Check:
    """A figure that a part can have."""
    if kind not in (int, float):
        return unlimited(key, kind)
    make: Callable[..., Check] = checked.whole if kind is int else checked.number
    return make(low=0 if key in _NOT_NEGATIVE else None, above=0 if key in _POSITIVE else None)


@dataclass(slots=True)
class HardwareTables:
    """Entries by section and id, in file order, while the catalog is put together."""

    raw: dict[str, dict[str, Mapping[str, Any]]] = field(default_factory=lambda: {section: {} for section in SECTIONS})
    records: dict[str, dict[str, Entry]] = field(default_factory=lambda: {section: {} for section in SECTIONS})
    as_of: str = ""

    def add(self, raw: RawEntry, user: bool = False) -> None:
        """Validate an entry and keep it. Raises CatalogError; then nothing is changed."""
        values = dict(raw.values)
        if "origin" in values:
            raise CatalogError(raw.where, "origin", "unknown key; the program sets it")
        known = self.raw[raw.section].get(raw.entry_id)
        if known is not None and not user:
            raise CatalogError(raw.where, "id", f"a second [[{raw.section}]] of this id")
        if user:
            values = dict(known) | values if known is not None else _relaxed(raw.section, values, raw.file)
            if known is not None and "source" not in raw.values:
                values["source"] = f"{known.get('source', '')}; changed in {raw.file}"
        full = _completed(raw.section, values)
        record_type = SECTIONS[raw.section]
        if user:
            from catalog.boundary import entry  # here: 90 ms that only a person's own file pays

            if raw.section != "rule":
                full["origin"] = "user"
            record: Entry = entry(record_type, full, raw.file, raw.entry_id)
        else:
            record = build(record_type, full, raw.file, raw.entry_id, _possible)
        self.raw[raw.section][raw.entry_id] = values
        self.records[raw.section][raw.entry_id] = record

    def tuple_of(self, section: str, kind: type[_Kind]) -> tuple[_Kind, ...]:
        """All records of a section."""
        return tuple(record for record in self.records[section].values() if isinstance(record, kind))

    def facts(self) -> Facts:
        """The tables as the engine takes them."""
        links = self.tuple_of("link", Link)
        return Facts(
            accelerators=self.tuple_of("accelerator", Accelerator),
            links=tuple(link for link in links if link.scope != "host"),
            platforms=self.tuple_of("platform", Platform),
            rentals=self.tuple_of("rental", Rental),
            purchases=self.tuple_of("purchase", Purchase),
            api_prices=self.tuple_of("api", ApiPrice),
            rules=self.tuple_of("rule", Rule),
            host_links=tuple(link for link in links if link.scope == "host"),
            as_of=self.as_of,
        )

    def dangling_of(self, section: str, identity: str) -> str:
        """What is wrong with the first reference of an entry to something unknown; empty when all hold."""
        record = self.records[section].get(identity)
        for key, target in _REFERENCES.get(section, {}).items():
            named = getattr(record, key, "")
            if named and named not in self.records[target]:
                near = ", ".join(nearest(named, self.records[target]))
                return f"{key}: no {target} {shown(named, 80)}; nearest: {near}"
        return ""

    def restore(self, raw: RawEntry, before: Mapping[str, Any] | None) -> None:
        """Take back a person's entry: what it changed stands again as it was."""
        del self.raw[raw.section][raw.entry_id], self.records[raw.section][raw.entry_id]
        if before is not None:
            self.add(RawEntry(raw.section, raw.entry_id, raw.file, before))


_REFERENCES: Mapping[str, Mapping[str, str]] = {
    "accelerator": {"default_intra_link": "link", "default_inter_link": "link"},
    "platform": {
        "accelerator": "accelerator",
        "intra_link": "link",
        "intra_link_cross": "link",
        "inter_link": "link",
        "intra_link_patched_driver": "link",
        "host_link": "link",
    },
    "rental": {"accelerator": "accelerator", "platform": "platform"},
    "purchase": {"accelerator": "accelerator", "platform": "platform", "link": "link"},
}


def read_built_in() -> HardwareTables:
    """The hardware that the program ships with. Raises CatalogError."""
    tables = HardwareTables()
    for name in FILES:
        data = read_shipped(DATA / name)
        tables.as_of = max(tables.as_of, str(data.get("as_of", "")))
        for raw in raw_entries(DATA / name, data, SECTIONS):
            tables.add(raw)
    return tables
