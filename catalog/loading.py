"""The merged catalog: built-in facts, and a person's own over them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from functools import lru_cache
from pathlib import Path
from typing import Protocol, TypeVar

from catalog.errors import UnknownId
from catalog.hardware import read_built_in
from catalog.ids import nearest
from catalog.models import INDEX, ModelEntry, read_index
from catalog.own import with_own
from catalog.schema import read_shipped
from catalog.series import smaller_of
from catalog.user import overlay, user_folder
from engine.figures.records import dataclass
from engine.figures.text import printable
from engine.model.architecture import Architecture
from engine.parts.hardware import Accelerator, Facts, Link, Platform


class _Named(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...


_Entry = TypeVar("_Entry", bound=_Named)


def _by_id(entries: Iterable[_Entry]) -> dict[str, _Entry]:
    return {entry.id: entry for entry in entries}


OWN_CARDS = "~/.config/sizeup/catalog/cards.toml"
"""Where a person's own cards go, unless the environment names another folder for settings."""


def own_card(wanted: str, memory_mib: int | None = None) -> str:
    """How to write a card that nobody described into one's own catalog: one line of TOML with its figures to fill in, the
    memory that its driver reports where that is known."""
    plain = re.sub(r"[^a-z0-9.]+", "-", wanted.casefold()).strip("-.")[:40].strip("-.") or "my-card"
    known = {"memory_mib_reported": str(memory_mib or "?")}
    keys = ("memory_mib_reported", "bandwidth_gb_s", "tflops_bf16_dense", "tdp_w")
    figures = ", ".join(f"{key} = {known.get(key, '?')}" for key in keys)
    return f'or fill in and write to {OWN_CARDS}: accelerator = [{{ id = "{plain}", {figures} }}]'


OWN_MODEL = "or the path of its config.json or .gguf"
"""How to size a model that the catalog has not."""


def _find(what: str, wanted: str, entries: Mapping[str, _Entry]) -> _Entry:
    found = entries.get(wanted)
    if found is None:
        names = {key: entry.name for key, entry in entries.items()}
        entry = own_card(wanted) if what == "accelerator" else OWN_MODEL if what == "model" else ""
        raise UnknownId(what, wanted, nearest(wanted, names, names=names), entry)
    return found


@dataclass(frozen=True, slots=True)
class ModelFile:
    """The model of a file of one's own. name: as the file or its folder is called."""

    name: str
    architecture: Architecture
    id: str = ""
    family: str = "own"


@dataclass(frozen=True, slots=True, eq=False)
class Catalog:
    """Everything the program knows. problems: what is wrong with the person's own files, one line each."""

    facts: Facts
    models: tuple[ModelEntry, ...]
    problems: tuple[str, ...] = ()
    _models: Mapping[str, ModelEntry] = field(init=False, repr=False)
    _accelerators: Mapping[str, Accelerator] = field(init=False, repr=False)
    _links: Mapping[str, Link] = field(init=False, repr=False)
    _platforms: Mapping[str, Platform] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_models", _by_id(self.models))
        object.__setattr__(self, "_accelerators", _by_id(self.facts.accelerators))
        object.__setattr__(self, "_links", _by_id(self.facts.links))
        object.__setattr__(self, "_platforms", _by_id(self.facts.platforms))

    def model(self, model_id: str) -> ModelEntry:
        """The model of that id. Raises UnknownId."""
        return _find("model", model_id, self._models)

    def smaller(self, model_id: str) -> tuple[str, ...]:
        """Ids of smaller and distilled models of the same series, the largest first; none for an id that is unknown."""
        known = self._models.get(model_id)
        return smaller_of(known, self.models) if known is not None else ()

    def model_file(self, path: str) -> ModelFile:
        """The model of a config.json or .gguf file. Raises CatalogError when it cannot be read."""
        from catalog.model_files import model_file_in, model_name, read_model_file  # here: most sessions name none

        file = model_file_in(Path(os.path.expanduser(path)))
        return ModelFile(printable(model_name(file)), read_model_file(file))

    def accelerator(self, accelerator_id: str) -> Accelerator:
        """The accelerator of that id. Raises UnknownId."""
        return _find("accelerator", accelerator_id, self._accelerators)

    def link(self, link_id: str) -> Link:
        """The link of that id, inside a node or between nodes. Raises UnknownId."""
        return _find("link", link_id, self._links)

    def platform(self, platform_id: str) -> Platform:
        """The platform of that id. Raises UnknownId."""
        return _find("platform", platform_id, self._platforms)


def load() -> Catalog:
    """The built-in catalog with the person's own entries over it; read once for each folder of such entries.

    Raises CatalogError when a built-in file is wrong.
    """
    return _load(user_folder())


@lru_cache(maxsize=8)
def _load(folder: Path) -> Catalog:
    hardware = read_built_in()
    models = read_index(read_shipped(INDEX))
    problems = overlay(folder, hardware, models)
    facts, wrong = with_own(hardware.facts(), folder.parent / "measured")
    return Catalog(facts=facts, models=tuple(models.values()), problems=(*problems, *wrong))


def reload() -> Catalog:
    """The catalog read anew from its files."""
    _load.cache_clear()
    return load()
