"""Session files, schema 1: TOML in, a Scenario out, and back to the same bytes.

What decides a sizing is a Scenario. Beside it a file may hold a [catalog] table: what the catalog said when the file
was saved. `save` writes one into a new file and keeps the one of a file that has it up to date; a file without one
stays without. Nothing else writes it, and loading passes it by: `drift` and `as_saved` read it. And it may hold up to
three [[pin]] tables: builds put aside for comparing, each with a name and the tables of a session. Loading checks them
and passes them by too: `pins` reads them.

`load` and `parse` raise SessionError and never half-load; `dump` writes keys in a human order, leaving out what is
at its default; `save` replaces the file as a whole or not at all. The schema is the engine's own records: a key of a
table is a field of `Workload`, `LayoutChoice`, `Runtime` or `Money`.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

import tomli_w
from pydantic_core import ValidationError

import catalog
from catalog.bounded import NoFile, Unusable, check_size, read_file, toml_of
from catalog.ids import nearest
from catalog.model_files import read_model_file
from catalog.schema import check, explain, first_error, keys_of
from engine.figures.text import LONGEST_NAME, NAME_ALLOWED, clipped, nameable, printable, shown
from engine.model.architecture import Architecture
from engine.model.formats import FORMATS, KV_FORMATS
from engine.scenario import LayoutChoice, Model, Money, Runtime, Scenario, Workload
from engine.scenario.fields import BY_KEY, LONGEST_ID
from tui.files import disk
from tui.files.drift import FIGURES, LEAST, CatalogTable, Drift, changes, figures_of, with_figures
from tui.files.pins import PIN_LENGTH, PIN_NAMES, Pin

SCHEMA = 1
_OUT_OF_RANGE = ("greater_than_equal", "less_than_equal", "greater_than", "less_than")
MAX_BYTES = 2**20
LONGEST_PATH = 1024  # characters; a system's own limit is some 4,096 bytes
PATH_ALLOWED = f"a path of printable characters, up to {LONGEST_PATH:,}"
LARGEST_INTEGER = 2**63 - 1  # what a TOML integer must be able to hold


@dataclasses.dataclass(frozen=True, slots=True)
class ModelTable:
    """The [model] table. One of id and config is needed."""

    id: str = ""
    config: str = ""
    weights: str = ""
    kv_cache: str = "bf16"
    mtp: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class HardwareTable:
    """The [hardware] table: catalog ids and counts. Links that are absent are the accelerator's usual ones.

    second_accelerator: of the gpus_per_node, second_gpus are of this other kind.
    """

    accelerator: str
    gpus_per_node: int = 1
    nodes: int = 1
    intra_link: str = ""
    inter_link: str = ""
    platform: str = ""
    second_accelerator: str = ""
    second_gpus: int = 0


TABLES: Mapping[str, type] = {
    "model": ModelTable,
    "hardware": HardwareTable,
    "workload": Workload,
    "layout": LayoutChoice,
    "runtime": Runtime,
    "money": Money,
    "catalog": CatalogTable,
}
TOP_LEVEL = ("schema", "title", "notes")
PINS = "pin"
_SERVING = ("concurrency", "input_tokens", "output_tokens")
_TRAINING = (
    "sequence_length",
    "micro_batch",
    "global_batch_tokens",
    "total_tokens",
    "optimizer",
    "recompute",
    "sharding",
)
_LORA = (*_TRAINING, "lora_rank", "lora_targets")
ALWAYS: Mapping[str, tuple[str, ...]] = {
    "serve": _SERVING,
    "batch": _SERVING,
    "lora": _LORA,
    "qlora": (*_LORA, "base_format"),
    "full-finetune": _TRAINING,
    "pretrain": _TRAINING,
}
"""The keys of [workload] that are written even at their default, by kind."""


def _words_of(hint: Any) -> tuple[str, ...]:
    """The words that a key takes: those of its Literal, which may stand beside None."""
    inner = [part for part in get_args(hint) if get_origin(part) is Literal]
    return tuple(get_args(inner[0] if inner else hint))


class SessionError(ValueError):
    """A session file that cannot be used. The text is one line: file, line, key, what is wrong, what is allowed.

    key: dotted, empty when the whole file is at fault. line: 0 when no line is at fault.
    """

    def __init__(self, file: str, reason: str, *, key: str = "", line: int = 0, allowed: str = "") -> None:
        self.file = file
        self.reason = reason
        self.key = key
        self.line = line
        self.allowed = allowed
        where = clipped(printable(file), LONGEST_NAME) + (f":{line}" if line else "")
        text = f"{where}: {clipped(key, LONGEST_NAME // 2)}: {reason}" if key else f"{where}: {reason}"
        super().__init__(clipped(printable(f"{text}; allowed: {allowed}" if allowed else text)))


def read_bytes(path: Path, limit: int = MAX_BYTES, what: str = "session file") -> bytes:
    """The whole of a regular file of at most `limit` bytes. Raises SessionError."""
    try:
        return read_file(path, limit, what)
    except Unusable as problem:
        raise SessionError(str(path), problem.reason, allowed=problem.allowed) from None


def folder_of(file: str | Path = "") -> Path:
    """The folder that a file is in, absolute; without one, the working folder. Where that is gone, as it was stated."""
    where = Path(os.path.expanduser(file) or "session.toml")
    try:
        return where.absolute().parent
    except OSError:
        return where.parent


def load(path: str | Path) -> Scenario:
    """The Scenario of a session file. Raises SessionError. Types and ranges are checked here, what goes together by
    `engine.decide.size`."""
    return parse(read_text(path), file=str(path), folder=folder_of(path))


class Opened(NamedTuple):
    """What one reading of a session file gave. table: its catalog figures; stamp: of the very bytes."""

    scenario: Scenario
    pins: tuple[Pin, ...]
    table: CatalogTable | None
    stamp: str
    text: str


def opened(path: str | Path) -> Opened:
    """All that a session file holds, read once. Raises SessionError."""
    where = Path(os.path.expanduser(path))
    file, folder = str(path), folder_of(path)
    raw = read_bytes(where)
    text = text_of(raw, file)
    document = document_of(text, file)
    scenario = from_document(document, file=file, folder=folder, text=text)
    kept = _Reader(file, text, folder, None).pins(document)
    return Opened(scenario, kept, table_of(document), disk.stamp_of(raw), text)


def read_text(path: str | Path) -> str:
    """The text of a session file. Raises SessionError."""
    return text_of(read_bytes(Path(os.path.expanduser(path))), str(path))


def text_of(raw: bytes, file: str) -> str:
    """The text of a session's bytes. Raises SessionError."""
    try:
        check_size(len(raw), MAX_BYTES, "session file")
    except Unusable as problem:
        raise SessionError(file, problem.reason, allowed=problem.allowed) from None
    if b"\0" in raw:
        raise SessionError(file, "this is a binary file, not a session")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = raw.count(b"\n", 0, problem.start) + 1
        raise SessionError(file, "not UTF-8 text", line=line) from None


def parse(
    text: str, *, file: str = "session", folder: Path | None = None, known: catalog.Catalog | None = None
) -> Scenario:
    """The Scenario of a session's text. folder: what a relative `config` path starts from. Raises SessionError."""
    return from_document(document_of(text, file), file=file, folder=folder, text=text, known=known)


def drift(source: Path | str, known: catalog.Catalog | None = None, *, folder: Path | None = None) -> tuple[Drift, ...]:
    """What the catalog says otherwise now than when the session was saved; empty without a [catalog] table.

    source: a Path, or the text of a session. Raises SessionError.
    """
    table, scenario = _with_table(source, known, folder)
    return changes(table, scenario) if table is not None else ()


def as_saved(source: Path | str, known: catalog.Catalog | None = None, *, folder: Path | None = None) -> Scenario:
    """The Scenario of a session with the catalog figures of its saving; the same as `load` when nothing changed.

    source: a Path, or the text of a session. Raises SessionError.
    """
    table, scenario = _with_table(source, known, folder)
    return with_figures(table, scenario) if table is not None else scenario


def _with_table(
    source: Path | str, known: catalog.Catalog | None, folder: Path | None
) -> tuple[CatalogTable | None, Scenario]:
    file = str(source) if isinstance(source, Path) else "session"
    text = read_text(source) if isinstance(source, Path) else source
    if isinstance(source, Path):
        folder = folder or folder_of(source)
    document = document_of(text, file)
    scenario = from_document(document, file=file, folder=folder, text=text, known=known)
    return table_of(document), scenario


def table_of(document: Mapping[str, Any]) -> CatalogTable | None:
    """The [catalog] table of a session's data that `from_document` has taken; None without one."""
    return check(CatalogTable, document["catalog"]) if "catalog" in document else None


def document_of(text: str, file: str = "session") -> dict[str, Any]:
    """A session's text as plain data, unchecked. Raises SessionError when it is not TOML."""
    try:
        return toml_of(text)
    except Unusable as problem:
        raise SessionError(file, problem.reason, line=problem.line, allowed=problem.allowed) from None


def from_document(
    document: Mapping[str, Any],
    *,
    file: str = "session",
    folder: Path | None = None,
    text: str = "",
    known: catalog.Catalog | None = None,
) -> Scenario:
    """The Scenario of a session as plain data. text: where errors look up their line. Raises SessionError."""
    return _Reader(file, text, folder or folder_of(), known).scenario(document)


def pins(source: Path | str, known: catalog.Catalog | None = None, *, folder: Path | None = None) -> tuple[Pin, ...]:
    """The builds that a session keeps for comparing, its [[pin]] tables in order; empty without any.

    source: a Path, or the text of a session. Raises SessionError.
    """
    file = str(source) if isinstance(source, Path) else "session"
    text = read_text(source) if isinstance(source, Path) else source
    if isinstance(source, Path):
        folder = folder or folder_of(source)
    return _Reader(file, text, folder or folder_of(), known).pins(document_of(text, file))


def dump(scenario: Scenario, figures: CatalogTable | None = None, pinned: Sequence[Pin] = ()) -> str:
    """The session text of a Scenario: parsed again it gives the same Scenario, and that the same text.

    figures: what to write as the [catalog] table; None leaves it out. pinned: what to write as [[pin]] tables.
    """
    document: dict[str, Any] = {"schema": SCHEMA, **_document(scenario)}
    if figures is not None:
        document["catalog"] = _changed(figures)
    if pinned:
        document["pin"] = [{"name": entry.name, **_document(entry.scenario)} for entry in pinned]
    # Written over several lines, a carriage return would come back as a plain line end.
    texts = [entry.notes + entry.title for entry in (scenario, *(pin.scenario for pin in pinned))]
    return tomli_w.dumps(document, multiline_strings=not any("\r" in text for text in texts))


def _document(scenario: Scenario) -> dict[str, Any]:
    document: dict[str, Any] = {"title": scenario.title}
    if scenario.notes:
        document["notes"] = scenario.notes
    document["model"] = _model_table(scenario.model)
    hardware = scenario.hardware
    document["hardware"] = {
        "accelerator": hardware.accelerator.id,
        "gpus_per_node": hardware.gpus_per_node,
        "nodes": hardware.nodes,
        "intra_link": hardware.intra_link.id,
        "inter_link": hardware.inter_link.id,
    }
    if hardware.platform is not None:
        document["hardware"]["platform"] = hardware.platform.id
    if hardware.mixed:
        (first, _), (second, count) = hardware.mixed
        document["hardware"] |= {"accelerator": first.id, "second_accelerator": second.id, "second_gpus": count}
    workload = scenario.workload
    always = ("kind", *ALWAYS[workload.kind])
    document["workload"] = _changed(workload, always)
    for name, part in (("layout", scenario.layout), ("runtime", scenario.runtime), ("money", scenario.money)):
        table = _changed(part)
        if table:
            document[name] = table
    return document


class Saved(NamedTuple):
    """What a session file holds now: the Scenario and the pins as written, and the stamp of its bytes."""

    scenario: Scenario
    pins: tuple[Pin, ...]
    stamp: str


def save(
    scenario: Scenario, path: str | Path, opened_from: str | Path | None = None, pinned: Sequence[Pin] = ()
) -> Scenario:
    """The same as `write`; the Scenario as written is returned. Raises SessionError."""
    return write(scenario, path, opened_from, pinned).scenario


def write(
    scenario: Scenario, path: str | Path, opened_from: str | Path | None = None, pinned: Sequence[Pin] = ()
) -> Saved:
    """Write a session file as a whole or not at all; the mode of a file that is replaced is kept.

    opened_from: the file that the Scenario came from. A relative `config` path is rewritten when the new file lies
    in another folder. pinned: the builds that it keeps for comparing. The [catalog] table goes into a new file, and
    into one that has it already. Raises SessionError.
    """
    target = Path(os.path.expanduser(path))
    source = Path(os.path.expanduser(opened_from)) if opened_from is not None else None
    written = _moved(scenario, target, source)
    beside = tuple(Pin(entry.name, _moved(entry.scenario, target, source)) for entry in pinned)
    if any(_no_text(build.model.config) for build in (written, *(pin.scenario for pin in beside))):
        reason = "the way to its config.json has a name that is not UTF-8, which no session file can hold"
        raise SessionError(str(target), reason, key="model.config", allowed="a session beside it")
    figures = figures_of(written) if _keeps_figures(target) else None
    data = dump(written, figures, beside).encode("utf-8", "replace")
    try:
        disk.write(target, data)
    except disk.DiskError as problem:
        raise SessionError(str(target), problem.reason) from None
    disk.sweep(target.parent)
    return Saved(written, beside, disk.stamp_of(data))


def _no_text(name: str) -> bool:
    """Whether a name has bytes that are no UTF-8, for which Python has lone surrogates."""
    return any("\ud800" <= letter <= "\udfff" for letter in name)


def _keeps_figures(target: Path) -> bool:
    """Whether a file is to hold the [catalog] table: a new one, or one that has it."""
    try:
        return "catalog" in document_of(text_of(read_file(target, MAX_BYTES), str(target)))
    except NoFile:
        return True
    except (Unusable, SessionError):
        return False


def anchored(scenario: Scenario, opened_from: str | Path | None) -> Scenario:
    """The Scenario with its `config` path made absolute, for a place that is not its own, such as a recovery file."""
    config = Path(os.path.expanduser(scenario.model.config))
    if not scenario.model.config or config.is_absolute():
        return scenario
    folder = folder_of(opened_from or "")
    return dataclasses.replace(scenario, model=dataclasses.replace(scenario.model, config=str(folder / config)))


def _moved(scenario: Scenario, target: Path, opened_from: Path | None) -> Scenario:
    config = scenario.model.config
    if not config or opened_from is None or Path(os.path.expanduser(config)).is_absolute():
        return scenario
    try:
        # Not by Path.resolve, which raises RuntimeError for a circle of links.
        old, new = (os.path.realpath(os.path.abspath(file.parent)) for file in (opened_from, target))
    except (OSError, ValueError) as problem:  # the working folder is gone; a name that no file can have
        raise SessionError(str(target), f"cannot be written: {getattr(problem, 'strerror', None) or problem}") from None
    if old == new:
        return scenario
    relative = os.path.relpath(os.path.realpath(os.path.join(old, config)), new)
    return dataclasses.replace(scenario, model=dataclasses.replace(scenario.model, config=relative))


def _model_table(model: Model) -> dict[str, Any]:
    table: dict[str, Any] = {}
    if model.id:
        table["id"] = model.id
    if model.config:
        table["config"] = model.config
    table["weights"] = model.weights
    table["kv_cache"] = model.kv_cache
    if model.mtp:
        table["mtp"] = True
    return table


def _changed(part: Any, always: Iterable[str] = ()) -> dict[str, Any]:
    """The fields to write: those of `always` first, then what is not at its default."""
    record = type(part)
    hints = get_type_hints(record)
    defaults = {field.name: field.default for field in dataclasses.fields(record)}
    kept = [key for key in always if key in defaults]
    kept += [key for key in defaults if key not in kept and getattr(part, key) != defaults[key]]
    table = {}
    for key in kept:
        value = getattr(part, key)
        if value is not None:
            is_float = float in (hints[key], *get_args(hints[key]))
            table[key] = float(value) if is_float else value
    return table


_Part = TypeVar("_Part")


class _Reader:
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
            if key == PINS:
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
        config = self.config_path(model)
        try:
            return catalog.build_scenario(
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
            reader = _Reader(self.file, _pin_text(self.text, number), self.folder, self.known)
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
        table = key.rpartition(".")[0]
        if table in TABLES:
            near = f"{table}.{nearest(name, keys_of(TABLES[table]), 1)[0]}"
        else:
            near = nearest(key, (*TOP_LEVEL, *TABLES), 1)[0]
        return self.fail(key, f"unknown key; the nearest known one is {near}")

    def table(self, name: str, record: type[_Part], document: Mapping[str, Any]) -> _Part:
        """One table as its record."""
        values = document.get(name, {})
        for key, value in values.items():
            if key not in keys_of(record):
                raise self.unknown(f"{name}.{key}")
            if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
                raise self.fail(f"{name}.{key}", "the number is too large", f"up to {LARGEST_INTEGER:,}")
        from tui.files.session_schema import table_model  # here: pydantic is of use to a person's file alone

        try:
            return record(**dict(table_model(name, record).model_validate(values)))
        except ValidationError as problem:
            first = first_error(problem)
            key, reason = explain(first, keys_of(record))
            reason, _, allowed = reason.partition("; allowed: ")
            field = BY_KEY.get(f"{name}.{key}")
            if first["type"] == "literal_error":
                choices = _words_of(get_type_hints(record)[key])
                near = nearest(str(first["input"]), choices, 1)[0]
                reason, allowed = f"{reason} (nearest: {near})", ", ".join(choices)
            elif first["type"] in _OUT_OF_RANGE and field is not None:
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
        from tui.files.session_schema import Texts

        given = {key: document[key] for key in ("title", "notes") if key in document}
        try:
            return dict(Texts.model_validate(given))
        except ValidationError as problem:
            key, reason = explain(first_error(problem), given)
            reason, _, allowed = reason.partition("; allowed: ")
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
            if value not in known and not (key == "weights" and value == ""):
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


def line_of(text: str, key: str) -> int:
    """The line on which a dotted key, or the table itself, is written; 0 when it is nowhere."""
    table, _, name = key.rpartition(".")
    section, header, multiline = "", 0, ""
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if multiline:
            multiline = "" if multiline in line else multiline
            continue
        if line.startswith("["):
            section = line.strip("[]").split("#")[0].strip("[] \t\"'")
            header = number if section in (table, key) else header
        elif "=" in line:
            written = line.partition("=")[0].strip().strip("\"'")
            if (section == table and written == name) or (not section and written == key):
                return number
            value = line.partition("=")[2].strip()
            for quotes in ('"""', "'''"):
                if value.startswith(quotes) and quotes not in value[3:]:
                    multiline = quotes
    return header
