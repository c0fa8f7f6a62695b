"""The model catalog: an index of config.json files, each read when its architecture is asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from catalog.errors import CatalogError
from catalog.hardware import DATA, RawEntry, raw_entries
from catalog.schema import build
from engine.figures.records import dataclass
from engine.figures.text import shown
from engine.model.architecture import Architecture
from engine.parts.hardware import Origin

MODELS = DATA / "models"
INDEX = MODELS / "index.toml"


@dataclass(frozen=True, slots=True)
class Indexed:
    """An entry of an index file."""

    id: str
    config: str
    name: str = ""
    family: str = ""
    hf_id: str = ""
    formats: tuple[str, ...] = ()
    notes: str = ""
    source: str = ""
    embeds: bool = False


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model of the catalog. formats: weight formats that somebody publishes; empty when nobody looked. embeds: it is
    published to embed or to rank, whatever its class writes."""

    id: str
    name: str
    family: str
    hf_id: str
    config: Path
    formats: tuple[str, ...] = ()
    notes: str = ""
    source: str = ""
    origin: Origin = "built-in"
    embeds: bool = False

    @property
    def architecture(self) -> Architecture:
        """The architecture of its config.json, read at first use. Raises CatalogError when that cannot be read."""
        from catalog.model_files import read_model_file  # here, since listing models needs no config reader

        read = read_model_file(self.config)
        return replace(read, embeds=True) if self.embeds else read


def model_entry(raw: RawEntry, folder: Path, user: bool = False, known: ModelEntry | None = None) -> ModelEntry:
    """A catalog entry from one entry of an index; `config` is relative to `folder`.

    known: the entry that a person's one changes. Raises CatalogError.
    """
    values: dict[str, Any] = dict(raw.values)
    if known is not None:
        kept = {key: getattr(known, key) for key in ("name", "family", "hf_id", "formats", "notes", "source", "embeds")}
        kept["formats"] = list(known.formats)
        values = kept | {"config": str(known.config)} | values
    if user:
        from catalog.boundary import entry  # here: 90 ms that only a person's own file pays

        indexed = entry(Indexed, values, raw.file, raw.entry_id)
    else:
        indexed = build(Indexed, values, raw.file, raw.entry_id)
    config = folder / (os.path.expanduser(indexed.config) if user else indexed.config)
    try:
        found = not user or config.is_file()
    except (OSError, ValueError):  # a name that no file can have
        found = False
    if not found:
        raise CatalogError(raw.where, "config", f"no file {shown(str(config), 160)}")
    return ModelEntry(
        id=indexed.id,
        name=indexed.name or indexed.id,
        family=indexed.family or "other",
        hf_id=indexed.hf_id,
        config=config,
        formats=indexed.formats,
        notes=indexed.notes,
        source=indexed.source or (f"entered in {raw.file}" if user else ""),
        origin="user" if user else "built-in",
        embeds=indexed.embeds,
    )


def read_index(data: Mapping[str, Any]) -> dict[str, ModelEntry]:
    """The built-in models by id. Raises CatalogError."""
    entries: dict[str, ModelEntry] = {}
    for raw in raw_entries(INDEX, data, ("model",)):
        if raw.entry_id in entries:
            raise CatalogError(raw.where, "id", "a second [[model]] of this id")
        entries[raw.entry_id] = model_entry(raw, MODELS)
    return entries
