"""Session files, schema 1: TOML in, a Scenario out, and back to the same bytes.

What decides a sizing is a Scenario. Beside it a file may hold a [catalog] table: what the catalog said when the file
was saved. `save` writes one into a new file and keeps the one of a file that has it up to date; a file without one
stays without. Nothing else writes it, and loading passes it by: `drift` and `as_saved` read it. And it may hold up to
three [[pin]] tables: builds put aside for comparing, each with a name and the tables of a session. Loading checks them
and passes them by too: `pins` reads them. [[measured]] tables are what logs measured of the build (`tui.files.session_measured`).

`load` and `parse` raise SessionError and never half-load; `dump` writes keys in a human order, leaving out what is
at its default; `save` replaces the file as a whole or not at all. The schema is the engine's own records: a key of a
table is a field of `Workload`, `LayoutChoice`, `Runtime` or `Money`.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_type_hints

import tomli_w

import catalog
from catalog.bounded import NoFile, Unusable, check_size, read_file, toml_of
from catalog.schema import check, keys_of
from engine.figures.records import NamedTuple
from engine.scenario import Model, Scenario
from engine.scenario.frameworks import usual_sharding
from tui.files import disk
from tui.files.drift import CatalogTable, Drift, changes, figures_of, with_figures
from tui.files.pins import Pin
from tui.files.session_measured import tables_of
from tui.files.session_reader import Reader
from tui.files.session_tables import ALWAYS, MEASURED, SCHEMA, SessionError, folder_of

MAX_BYTES = 2**20
OF_A_MODEL = "; a model's own file goes with --model"


def read_bytes(path: Path, limit: int = MAX_BYTES, what: str = "session file") -> bytes:
    """The whole of a regular file of at most `limit` bytes. Raises SessionError."""
    try:
        return read_file(path, limit, what)
    except Unusable as problem:
        raise SessionError(str(path), problem.reason, allowed=problem.allowed) from None


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
    kept = Reader(file, text, folder, None).pins(document)
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
    if b"\0" in raw or raw.startswith(b"GGUF"):
        raise SessionError(file, f"this is a binary file, not a session{OF_A_MODEL}")
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
        if text.lstrip().startswith("{"):
            raise SessionError(file, f"this is JSON, not a session, which is TOML{OF_A_MODEL}") from None
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
    return Reader(file, text, folder or folder_of(), known).scenario(document)


def pins(source: Path | str, known: catalog.Catalog | None = None, *, folder: Path | None = None) -> tuple[Pin, ...]:
    """The builds that a session keeps for comparing, its [[pin]] tables in order; empty without any.

    source: a Path, or the text of a session. Raises SessionError.
    """
    file = str(source) if isinstance(source, Path) else "session"
    text = read_text(source) if isinstance(source, Path) else source
    if isinstance(source, Path):
        folder = folder or folder_of(source)
    return Reader(file, text, folder or folder_of(), known).pins(document_of(text, file))


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
    if hardware.power_limit_w is not None:
        document["hardware"]["power_limit_w"] = hardware.power_limit_w
    workload = scenario.workload
    always = ("kind", *ALWAYS[workload.kind])
    if workload.sharding != usual_sharding(workload.framework):
        always = (*always, "sharding")
    document["workload"] = _changed(workload, always)
    for name, part in (("layout", scenario.layout), ("runtime", scenario.runtime), ("money", scenario.money)):
        table = _changed(part)
        if table:
            document[name] = table
    if scenario.measured:
        document[MEASURED] = tables_of(scenario.measured)
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
        raise SessionError(str(target), f"cannot be written: {disk.reason_of(problem)}") from None
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
    """The fields to write: those of `always` first, then what is not at its default. What a record finds itself is no key."""
    record = type(part)
    hints = get_type_hints(record)
    defaults = {field.name: field.default for field in dataclasses.fields(record) if field.name in keys_of(record)}
    kept = [key for key in always if key in defaults]
    kept += [key for key in defaults if key not in kept and getattr(part, key) != defaults[key]]
    table = {}
    for key in kept:
        value = getattr(part, key)
        if value is not None:
            is_float = float in (hints[key], *get_args(hints[key]))
            table[key] = float(value) if is_float else value
    return table
