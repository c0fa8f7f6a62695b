"""The frozen copies that golden figures rest on: calibration constants, and the catalog's facts.

Nothing here may import the engine at the top: `hold_constants` must come before any module that uses a constant.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import shutil
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from catalog import Catalog

HERE = Path(__file__).parent
BUILDS = HERE / "builds"
CONSTANTS = HERE / "constants"
CATALOG = HERE / "catalog"
HARDWARE = CATALOG / "hardware.toml"
PACKAGE = "engine.calibration"

BESIDE = {
    "accelerator": ("h100-pcie", "l4"),
    "link": (
        "nvlink-4", "nvlink-5", "pcie3-x16", "pcie4-x16", "pcie5-root", "pcie6-x16", "pcie-no-p2p", "pcie5-switch",
        "pcie5-x8", "pcie4-cross-socket", "pcie5-host", "ib-hdr", "ib-xdr", "roce-100", "roce-100-untuned", "roce-400", "efa-v3", "gcp-tcpxo",
        "eth-100-tcp", "eth-25-tcp", "eth-10-tcp", "eth-1-tcp",
    ),
}  # fmt: skip
"""What the frozen catalog holds beside what the builds name: links to compare with, cards that a search may find."""
MODELS_BESIDE = (
    "deepseek-v4-flash", "minimax-m2.7", "qwen3.5-35b-a3b", "gemma-2-9b", "gemma-4-26b-a4b", "llama-4-scout",
    "llama-4-maverick", "jamba-mini-1.5", "mamba-codestral-7b", "falcon-7b", "glm-5", "kimi-k2.5", "gpt-neox-20b",
)  # fmt: skip
"""Models of kinds that no build names: compressed and sliding caches, states beside attention, one KV head."""
MOST_RENTALS = 4
"""Rental offers that are kept of a card."""


# Constants


def _modules() -> list[ModuleType]:
    package = importlib.import_module(PACKAGE)
    found = pkgutil.walk_packages(package.__path__, f"{PACKAGE}.")
    return [importlib.import_module(item.name) for item in found if not item.ispkg]


def _others_loaded() -> list[str]:
    return [name for name in sys.modules if name.startswith("engine.") and not name.startswith(PACKAGE)]


def _constants(module: ModuleType) -> Iterator[tuple[str, Any]]:
    for name, value in vars(module).items():
        if name.isupper():
            yield name, value


def _file(module: ModuleType) -> Path:
    return CONSTANTS / f"{module.__name__.removeprefix(PACKAGE + '.')}.json"


def _plain(value: Any) -> Any:
    """A constant as JSON data. Raises TypeError for a kind of constant that has no place in a file."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, frozenset | set):
        return sorted(_plain(item) for item in value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a constant of type {type(value).__name__} cannot be frozen")


def _thawed(live: Any, frozen: Any) -> Any:
    """The frozen value in the type of the live one; keys of a table that are new keep their live value."""
    if isinstance(live, dict):
        return {key: _thawed(item, frozen[str(key)]) if str(key) in frozen else item for key, item in live.items()}
    if isinstance(live, tuple | list | frozenset | set):
        like = next(iter(live), None)
        return type(live)(_thawed(like, item) for item in frozen)
    return frozen


def _gaps(live: Any, frozen: Any) -> Iterator[str]:
    """Keys of a live table that the frozen one lacks, dotted."""
    if isinstance(live, dict):
        for key, item in live.items():
            if str(key) not in frozen:
                yield str(key)
            else:
                yield from (f"{key}.{inner}" for inner in _gaps(item, frozen[str(key)]))


def hold_constants() -> tuple[str, ...]:
    """Put the frozen constants in the place of the live ones; names that are not frozen yet are returned.

    Works whatever takes a constant by value or builds a table of it at import, since it comes before. Raises
    RuntimeError when a module that may have done so is loaded already.
    """
    if loaded := _others_loaded():
        raise RuntimeError(f"constants are held before the engine is imported; loaded: {', '.join(loaded)}")
    new: list[str] = []
    for module in _modules():
        path = _file(module)
        frozen = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        for name, live in list(_constants(module)):
            if name in frozen:
                new += [f"{path.stem}.{name}.{key}" for key in _gaps(live, frozen[name])]
                setattr(module, name, _thawed(live, frozen[name]))
            else:
                new.append(f"{path.stem}.{name}")
    if loaded := _others_loaded():
        raise RuntimeError(f"{PACKAGE} holds data only; it imports {', '.join(loaded)}")
    return tuple(new)


def freeze_constants() -> None:
    """Write the constants as they stand after `hold_constants`: what was frozen stays, what is new is added."""
    CONSTANTS.mkdir(exist_ok=True)
    kept = set()
    for module in _modules():
        data = {name: _plain(value) for name, value in _constants(module)}
        if data:
            kept.add(_file(module))
            text = json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False)
            _file(module).write_text(text + "\n", encoding="utf-8")
    for path in set(CONSTANTS.glob("*.json")) - kept:
        path.unlink()


# Facts


def sessions() -> dict[str, str]:
    """The text of each build, by name."""
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(BUILDS.glob("*.toml"))}


def frozen_catalog() -> Catalog:
    """The catalog as it was frozen: no file of the person and none that is shipped is read."""
    from catalog.hardware import SECTIONS, HardwareTables, raw_entries
    from catalog.loading import Catalog
    from catalog.models import model_entry

    data = tomllib.loads(HARDWARE.read_text(encoding="utf-8"))
    tables = HardwareTables(as_of=str(data["as_of"]))
    for raw in raw_entries(HARDWARE, data, SECTIONS):
        tables.add(raw)
    index = CATALOG / "models.toml"
    listed = raw_entries(index, tomllib.loads(index.read_text(encoding="utf-8")), ("model",))
    return Catalog(facts=tables.facts(), models=tuple(model_entry(raw, CATALOG) for raw in listed))


def _wanted() -> tuple[dict[str, set[str]], set[str]]:
    """Ids that the builds name, by section, and their models."""
    wanted: dict[str, set[str]] = {section: set(ids) for section, ids in BESIDE.items()} | {"platform": set()}
    models = set(MODELS_BESIDE)
    for text in sessions().values():
        document = tomllib.loads(text)
        models.add(document["model"]["id"])
        keys = {"accelerator": "accelerator", "second_accelerator": "accelerator", "platform": "platform"}
        keys |= {"intra_link": "link", "inter_link": "link"}
        for key, section in keys.items():
            if key in document["hardware"]:
                wanted[section].add(document["hardware"][key])
    return wanted, models


def freeze_catalog() -> list[str]:
    """Add what the builds name and the frozen catalog lacks, as the shipped catalog has it; what was added is named.

    Nothing that is frozen already is changed.
    """
    import tomli_w

    from catalog.hardware import _REFERENCES, DATA, FILES
    from catalog.models import INDEX, MODELS
    from catalog.schema import read_toml

    shipped: dict[str, list[dict[str, Any]]] = {}
    as_of = ""
    for name in FILES:
        for section, items in read_toml(DATA / name).items():
            if isinstance(items, list):
                shipped.setdefault(section, []).extend(items)
            elif section == "as_of":
                as_of = max(as_of, str(items))
    wanted, models = _wanted()
    for section in ("platform", "accelerator"):
        for item in shipped[section]:
            if item["id"] in wanted[section]:
                for key, target in _REFERENCES[section].items():
                    if item.get(key):
                        wanted[target].add(item[key])
    kept: dict[str, Any] = tomllib.loads(HARDWARE.read_text(encoding="utf-8")) if HARDWARE.exists() else {}
    data: dict[str, Any] = {"schema": 1, "as_of": kept.get("as_of", as_of)}
    added: list[str] = []
    for section, items in shipped.items():
        have = list(kept.get(section, []))
        known = {_identity(item) for item in have}
        new = [item for item in items if _identity(item) not in known and _belongs(section, item, wanted, models, have)]
        if section == "rental":
            new = _few(new, have)
        data[section] = have + new
        added += [f"{section} {' '.join(_identity(item))}" for item in new]
    CATALOG.mkdir(exist_ok=True)
    HARDWARE.write_text(tomli_w.dumps(data), encoding="utf-8")
    index = CATALOG / "models.toml"
    listed = tomllib.loads(index.read_text(encoding="utf-8"))["model"] if index.exists() else []
    for item in read_toml(INDEX)["model"]:
        if item["id"] in models - {old["id"] for old in listed}:
            file = Path(item["config"]).name
            shutil.copy(MODELS / item["config"], CATALOG / file)
            listed.append(item | {"config": file})
            added.append(f"model {item['id']}")
    index.write_text(tomli_w.dumps({"schema": 1, "model": listed}), encoding="utf-8")
    return added


def _identity(item: Mapping[str, Any]) -> tuple[str, ...]:
    return (item["id"],) if "id" in item else (item["model"], item["provider"])


def _belongs(
    section: str, item: Mapping[str, Any], wanted: Mapping[str, set[str]], models: set[str], have: list[Any]
) -> bool:
    """Whether an entry of the shipped catalog belongs into the frozen one. Prices and rules come once, at first."""
    if section in wanted:
        return item["id"] in wanted[section]
    if section == "api":
        return item.get("model_id") in models
    if section == "rule":
        return not have
    references = {"accelerator": "accelerator", "platform": "platform", "link": "link"}
    return all(item.get(key, "") in wanted[target] | {""} for key, target in references.items())


def _few(offers: list[dict[str, Any]], have: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """So many offers of each card, in the order of the file."""
    counts: dict[str, int] = {}
    kept = []
    for offer in have + offers:
        counts[offer["accelerator"]] = counts.get(offer["accelerator"], 0) + 1
        if offer not in have and counts[offer["accelerator"]] <= MOST_RENTALS:
            kept.append(offer)
    return kept
