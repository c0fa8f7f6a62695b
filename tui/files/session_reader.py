"""A session's tables on their way to a Scenario: each key checked, each error with its line."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import catalog
from catalog.checked import Refused
from catalog.ids import nearest
from catalog.model_files import read_model_file
from catalog.schema import explained, keys_of
from engine.figures.text import NAME_ALLOWED, nameable, shown
from engine.model.architecture import Architecture
from engine.model.formats import FORMATS, KV_FORMATS
from engine.scenario import LayoutChoice, Money, Runtime, Scenario, Workload
from engine.scenario.fields import BY_KEY, LONGEST_ID
from engine.scenario.fields.options import told
from engine.scenario.frameworks import usual_sharding
from tui.files.drift import FIGURES, LEAST, CatalogTable
from tui.files.pins import PIN_LENGTH, PIN_NAMES, Pin
from tui.files.session_measured import measured_of
from tui.files.session_schema import Texts, table_check
from tui.files.session_tables import (
    LARGEST_INTEGER,
    LONGEST_PATH,
    MEASURED,
    OUT_OF_RANGE,
    PATH_ALLOWED,
    PINS,
    SCHEMA,
    TABLES,
    TOP_LEVEL,
    HardwareTable,
    ModelTable,
    SessionError,
    folder_of,
    line_of,
    words_of,
)

_Part = TypeVar("_Part")


class Reader:
    """One session text on its way to a Scenario."""

    def __init__(self, file: str, text: str, folder: Path, known: catalog.Catalog | None) -> None:
        self.file = file
        self.text = text
        self.folder = folder
        self.known = known

    def fail(self, key: str, reason: str, allowed: str = "") -> SessionError:
        """An error at a key, with the line it stands on."""
        return SessionError(self.file, reason, key=key, line=line_of(self.text, key), allowed=allowed)

    def scenario(self, document: Mapping[str, Any]) -> Scenario:
        """The Scenario. Raises SessionError."""
        self.check_schema(document)
        for key, value in document.items():
            if key in (PINS, MEASURED):
                continue
            if key not in TOP_LEVEL and key not in TABLES:
                raise self.unknown(key)
            if key in TABLES and not isinstance(value, dict):
                raise self.fail(key, f"{shown(value)} is not accepted", f"a table, written [{key}]")
        for key in ("model", "hardware"):
            if key not in document:
                raise SessionError(self.file, f"the [{key}] table is missing", key=key)
        texts = self.texts(document)
        model = self.table("model", ModelTable, document)
        hardware = self.table("hardware", HardwareTable, document)
        workload = self.table("workload", Workload, document)
        if "sharding" not in document.get("workload", {}):
            workload = dataclasses.replace(workload, sharding=usual_sharding(workload.framework))
        layout = self.table("layout", LayoutChoice, document)
        runtime = self.table("runtime", Runtime, document)
        money = self.table("money", Money, document)
        self.check_figures(self.table("catalog", CatalogTable, document))
        self.check_names(model, hardware)
        self.check_formats(model)
        known = self.known or catalog.load()
        self.check_ids(model, hardware, known)
        self.check_second(hardware)
        self.pins(document)
        measured = measured_of(document, self.fail)
        config = self.config_path(model)
        try:
            made = catalog.build_scenario(
                model.id,
                model.weights,
                hardware.accelerator,
                hardware.gpus_per_node,
                hardware.nodes,
                kv_cache=model.kv_cache,
                intra_link=hardware.intra_link,
                inter_link=hardware.inter_link,
                platform=hardware.platform,
                second_accelerator=hardware.second_accelerator,
                second_gpus=hardware.second_gpus,
                power_limit_w=hardware.power_limit_w,
                architecture=self.own_architecture(config) if config is not None else None,
                config=model.config,
                name=model.id or (config.resolve().parent.name if config is not None else ""),
                mtp=model.mtp,
                workload=workload,
                layout=layout,
                runtime=runtime,
                money=money,
                title=texts["title"],
                notes=texts["notes"],
                catalog=known,
            )
        except catalog.CatalogError as problem:
            raise self.fail("model.id", str(problem)) from None
        return dataclasses.replace(made, measured=measured) if measured else made

    def pins(self, document: Mapping[str, Any]) -> tuple[Pin, ...]:
        """The [[pin]] tables, each a whole session but for schema, catalog figures and pins of its own."""
        tables = document.get(PINS, [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            raise self.fail(PINS, f"{shown(tables)} is not accepted", f"tables, each written [[{PINS}]]")
        if len(tables) > len(PIN_NAMES):
            raise self.fail(PINS, f"{len(tables)} pinned builds are too many", f"up to {len(PIN_NAMES)}")
        found: list[Pin] = []
        for number, table in enumerate(tables, 1):
            name = table.get("name")
            if not isinstance(name, str) or not name.strip() or len(name) > PIN_LENGTH or not name.isprintable():
                raise self.fail(f"{PINS}.name", f"{shown(name)} is not accepted", f"1 to {PIN_LENGTH} letters")
            if name in [pin.name for pin in found]:
                raise self.fail(f"{PINS}.name", f"{name!r} is there twice", "a name of its own for each pin")
            for key in table:
                if key in ("schema", "catalog", PINS):
                    raise self.fail(f"{PINS}.{key}", "a pinned build has none of its own")
            inside = {"schema": SCHEMA, **{key: value for key, value in table.items() if key != "name"}}
            reader = Reader(self.file, _pin_text(self.text, number), self.folder, self.known)
            try:
                found.append(Pin(name, reader.scenario(inside)))
            except SessionError as problem:
                key = f"{PINS}.{problem.key}" if problem.key else PINS
                raise SessionError(
                    self.file, problem.reason, key=key, line=problem.line, allowed=problem.allowed
                ) from None
        return tuple(found)

    def check_schema(self, document: Mapping[str, Any]) -> None:
        """Refuse what another version wrote."""
        found = document.get("schema")
        if found is None:
            raise SessionError(self.file, "this key is required", key="schema", allowed=f"schema = {SCHEMA}")
        if isinstance(found, bool) or not isinstance(found, int):
            raise self.fail("schema", f"{shown(found)} is not accepted", str(SCHEMA))
        if found > SCHEMA:
            raise self.fail("schema", f"written by a newer sizeup (schema {found})", f"schema {SCHEMA}")
        if found < SCHEMA:
            raise self.fail("schema", f"{found} is not accepted", str(SCHEMA))

    def unknown(self, key: str) -> SessionError:
        """The error for a key that nothing has, naming the nearest known one."""
        if len(key) > LONGEST_ID:
            return self.fail(shown(key), "unknown key", f"keys of up to {LONGEST_ID} characters")
        name = key.rpartition(".")[2]
        for table, record in TABLES.items():
            if table != "catalog" and name in keys_of(record):  # nobody writes that one by hand
                return self.fail(key, f"unknown key; {name} belongs in [{table}]")
        if option := told(name):
            return self.fail(key, option)
        table = key.rpartition(".")[0]
        if table in TABLES:
            near = f"{table}.{nearest(name, keys_of(TABLES[table]), 1)[0]}"
        else:
            near = nearest(key, (*TOP_LEVEL, *TABLES, PINS, MEASURED), 1)[0]
        return self.fail(key, f"unknown key; the nearest known one is {near}")

    def table(self, name: str, record: type[_Part], document: Mapping[str, Any]) -> _Part:
        """One table as its record."""
        values = document.get(name, {})
        for key, value in values.items():
            if key not in keys_of(record):
                raise self.unknown(f"{name}.{key}")
            if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
                raise self.fail(f"{name}.{key}", "the number is too large", f"up to {LARGEST_INTEGER:,}")
        try:
            return record(**table_check(name, record)(values))
        except Refused as problem:
            first = problem.fault
            key, reason, allowed = explained(first, keys_of(record))
            field = BY_KEY.get(f"{name}.{key}")
            if first["type"] == "literal_error":
                choices = words_of(get_type_hints(record)[key])
                near = nearest(str(first["input"]), choices, 1)[0]
                reason, allowed = f"{reason} (nearest: {near})", ", ".join(choices)
            elif first["type"] in OUT_OF_RANGE and field is not None:
                wrong = field.out_of_range(first["input"])
                reason, allowed = f"{wrong.reason} (nearest: {wrong.nearest})", wrong.allowed
            raise self.fail(f"{name}.{key}", reason, allowed) from None

    def check_figures(self, figures: CatalogTable) -> None:
        """Refuse saved catalog figures that nothing has: a sizing divides by them."""
        for name, figure in FIGURES.items():
            value = getattr(figures, name)
            if value is not None and not LEAST <= value <= figure.most:
                raise self.fail(
                    f"catalog.{name}", f"{value:g} is not accepted", f"a number above 0, up to {figure.most:,.15g}"
                )
        for name in ("as_of", "accelerator", "intra_link", "inter_link"):
            if not nameable(getattr(figures, name)):
                raise self.fail(f"catalog.{name}", f"{shown(getattr(figures, name))} is not accepted", NAME_ALLOWED)

    def texts(self, document: Mapping[str, Any]) -> dict[str, str]:
        """The title and the notes."""
        given = {key: document[key] for key in ("title", "notes") if key in document}
        try:
            found = Texts(**table_check("", Texts)(given))
            return {"title": found.title, "notes": found.notes}
        except Refused as problem:
            key, reason, allowed = explained(problem.fault, given)
            raise self.fail(key, reason, allowed) from None

    def check_names(self, model: ModelTable, hardware: HardwareTable) -> None:
        """Refuse ids and paths with what no name has: they go into commands, manifests and terminals."""
        if len(model.config) > LONGEST_PATH or not model.config.isprintable():
            raise self.fail("model.config", f"{shown(model.config)} is not accepted", PATH_ALLOWED)
        for table, part in (("model", model), ("hardware", hardware)):
            for field in dataclasses.fields(part):
                value = getattr(part, field.name)
                if isinstance(value, str) and field.name != "config" and not nameable(value):
                    raise self.fail(f"{table}.{field.name}", f"{shown(value)} is not accepted", NAME_ALLOWED)

    def check_formats(self, model: ModelTable) -> None:
        """Refuse formats that nobody knows."""
        for key, value, known in (("weights", model.weights, FORMATS), ("kv_cache", model.kv_cache, KV_FORMATS)):
            if value and value not in known:
                near = ", ".join(nearest(value, known))
                raise self.fail(f"model.{key}", f"no format {value!r}; nearest: {near}", ", ".join(known))

    def check_ids(self, model: ModelTable, hardware: HardwareTable, known: catalog.Catalog) -> None:
        """Refuse ids that the catalog does not have, with the nearest three."""
        checks = [
            ("hardware.accelerator", hardware.accelerator, known.accelerator),
            ("hardware.intra_link", hardware.intra_link, known.link),
            ("hardware.inter_link", hardware.inter_link, known.link),
            ("hardware.platform", hardware.platform, known.platform),
            ("hardware.second_accelerator", hardware.second_accelerator, known.accelerator),
        ]
        if not model.config:
            if not model.id:
                raise self.fail("model.id", "this key is required", "a catalog id, or config = a path to a config.json")
            checks.insert(0, ("model.id", model.id, known.model))
        for key, value, find in checks:
            if value or key == "hardware.accelerator":
                try:
                    find(value)
                except catalog.UnknownId as problem:
                    raise self.fail(key, str(problem)) from None

    def check_second(self, hardware: HardwareTable) -> None:
        """Refuse a second kind of card without a number, or with one that leaves none of the first."""
        most = hardware.gpus_per_node - 1
        if hardware.second_accelerator and not 0 < hardware.second_gpus <= most:
            allowed = f"1 to {most}" if most > 0 else "none: the node holds one GPU"
            raise self.fail("hardware.second_gpus", f"{hardware.second_gpus} is not accepted", allowed)
        if hardware.second_gpus and not hardware.second_accelerator:
            raise self.fail("hardware.second_gpus", "needs second_accelerator beside it", "an accelerator id there")

    def config_path(self, model: ModelTable) -> Path | None:
        """Where the session's own config.json lies; None when the model is the catalog's."""
        if not model.config:
            return None
        return folder_of(self.folder / "session.toml") / Path(os.path.expanduser(model.config))

    def own_architecture(self, path: Path) -> Architecture:
        """The architecture of the session's own config.json."""
        try:
            return read_model_file(path)
        except catalog.CatalogError as problem:
            raise self.fail("model.config", str(problem)) from None


def _pin_text(text: str, number: int) -> str:
    """The text of the pin of that number as a session of its own, on the lines where it stands."""
    lines = text.splitlines()
    starts = [at for at, row in enumerate(lines) if row.strip().startswith(f"[[{PINS}]]")]
    if number > len(starts):
        return ""  # written in another way, inline say: its errors have no line
    start = starts[number - 1]
    end = starts[number] if number < len(starts) else len(lines)
    own = [
        row.replace(f"[{PINS}.", "[", 1) if row.strip().startswith(f"[{PINS}.") else row
        for row in lines[start + 1 : end]
    ]
    return "\n".join([""] * (start + 1) + own)
