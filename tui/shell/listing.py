"""The catalog as aligned columns, as JSON or as TOML: models, accelerators, links and platforms."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import catalog
from catalog.ids import matches, nearest
from catalog.schema import keys_of
from engine.figures.records import NamedTuple
from engine.figures.text import harmless
from engine.figures.units import GIB
from engine.model.parameters import count_parameters
from engine.parts.hardware import Accelerator, Link, Platform
from tui.pages import words
from tui.shell.blocks import json_line

YOURS = "* yours"
NOT_IN_FILES = ("origin",)
"""Fields of a record that no file states."""
Entry = catalog.ModelEntry | Accelerator | Link | Platform


class Column(NamedTuple):
    """A column: its head, its JSON key, what it shows, and whether it is aligned left."""

    head: str
    key: str
    value: Callable[[Any], Any]
    shown: Callable[[Any], str] = str
    left: bool = False


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:,.4g}" if value < 10_000 else f"{value:,.0f}"


def _whole(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _tokens(value: int) -> str:
    return f"{value:,}" if value else "-"


def _id(entry: Any) -> str:
    return str(entry.id)


def _parameters(entry: catalog.ModelEntry) -> int:
    return count_parameters(entry.architecture).total


def _active(entry: catalog.ModelEntry) -> int:
    return count_parameters(entry.architecture).active


MODELS = (
    Column("id", "id", _id, left=True),
    Column("name", "name", lambda entry: entry.name, left=True),
    Column("parameters", "params_total", _parameters, words.count),
    Column("active", "params_active", _active, words.count),
    Column("context", "max_position", lambda entry: entry.architecture.max_position, _tokens),
    Column("published as", "formats", lambda entry: list(entry.formats), lambda v: ", ".join(v) or "-", left=True),
)
ACCELERATORS = (
    Column("id", "id", _id, left=True),
    Column("name", "name", lambda entry: entry.short_name or entry.name, left=True),
    Column("GiB", "memory_bytes", lambda entry: entry.memory_bytes, lambda v: f"{v / GIB:.1f}"),
    Column("GB/s", "bandwidth_gb_s", lambda entry: entry.bandwidth_gb_s, _whole),
    Column("BF16", "tflops_bf16_dense", lambda entry: entry.tflops_bf16_dense, _whole),
    Column("FP8", "tflops_fp8_dense", lambda entry: entry.tflops_fp8_dense, _whole),
    Column("W", "tdp_w", lambda entry: entry.tdp_w, _whole),
    Column("link", "default_intra_link", lambda entry: entry.default_intra_link, lambda v: v or "-", left=True),
    Column("USD", "price_usd", lambda entry: entry.price_usd, _whole),
    Column("as of", "price_as_of", lambda entry: entry.price_as_of if entry.price_usd is not None else "", left=True),
)
LINKS = (
    Column("id", "id", _id, left=True),
    Column("name", "name", lambda entry: entry.name, left=True),
    Column("where", "scope", lambda entry: entry.scope, left=True),
    Column("GB/s one way", "peak_gb_s_unidir", lambda entry: entry.peak_gb_s_unidir, _figure),
    Column("achieved", "achieved_gb_s_unidir", lambda entry: entry.achieved_gb_s_unidir, _figure),
    Column("latency us", "latency_us", lambda entry: entry.latency_us, _figure),
)
PLATFORMS = (
    Column("id", "id", _id, left=True),
    Column("name", "name", lambda entry: entry.name, left=True),
    Column("GPUs", "gpus", lambda entry: entry.gpus),
    Column("of", "accelerator", lambda entry: entry.accelerator, left=True),
    Column("nodes", "nodes", lambda entry: entry.nodes),
    Column("in the node", "intra_link", lambda entry: entry.intra_link, lambda v: v or "-", left=True),
    Column("between nodes", "inter_link", lambda entry: entry.inter_link, lambda v: v or "-", left=True),
    Column("W", "system_power_w", lambda entry: entry.system_power_w, _whole),
)


def _columns(what: str) -> tuple[Column, ...]:
    return {"models": MODELS, "accelerators": ACCELERATORS, "links": LINKS, "platforms": PLATFORMS}[what]


def _entries(what: str) -> Sequence[Entry]:
    known = catalog.load()
    if what == "models":
        return known.models
    if what == "platforms":
        return known.facts.platforms
    return known.facts.accelerators if what == "accelerators" else known.facts.links


def _texts(entry: Entry) -> tuple[str, ...]:
    if isinstance(entry, catalog.ModelEntry):
        return entry.id, entry.name, entry.family, entry.hf_id
    if isinstance(entry, Accelerator):
        return entry.id, entry.name, entry.vendor, entry.architecture, f" {entry.memory_gb_marketed:g} GB"
    if isinstance(entry, Platform):
        return entry.id, entry.name, entry.provider, entry.accelerator
    return entry.id, entry.name, entry.family


def nearest_ids(what: str, word: str) -> tuple[str, ...]:
    """The three ids most like a word that matched nothing."""
    names = {entry.id: entry.name for entry in _entries(what)}
    return nearest(word, names, names=names)


def render(what: str, word: str, form: str) -> str:
    """The entries that match `word`, one a line, in columns or as JSON objects; empty when none does.

    A model whose config.json cannot be read is listed with dashes. As TOML an entry is whole, each fact under its key, as a
    file of one's own takes it; a word that is an id gives that entry alone.
    """
    chosen = [entry for entry in _entries(what) if matches(word, *_texts(entry))]
    if form == "toml":
        return _as_toml(what, [entry for entry in chosen if entry.id == word] or chosen)
    columns = _columns(what)
    if form == "json":
        return "".join(json_line(_data(entry, columns)) for entry in chosen)
    if not chosen:
        return ""
    yours = any(entry.origin == "user" for entry in chosen)
    head = tuple(column.head for column in columns)
    rows = [(*(_cell(entry, column) for column in columns), "*" if entry.origin == "user" else "") for entry in chosen]
    lines = aligned([(*head, ""), *rows], [column.left for column in columns] + [True])
    return harmless("\n".join(lines + ([YOURS] if yours else [])) + "\n")


def _as_toml(what: str, entries: Sequence[Entry]) -> str:
    import tomli_w  # here: of use to this form alone

    whole = []
    for entry in entries:
        facts = {}
        for field in dataclasses.fields(entry):
            value = getattr(entry, field.name)
            default = field.default_factory() if callable(field.default_factory) else field.default
            if (
                field.name in NOT_IN_FILES
                or field.name not in keys_of(type(entry))
                or value is None
                or value == default
            ):
                continue
            facts[field.name] = (
                list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value
            )
        whole.append(facts)
    return harmless(tomli_w.dumps({what.removesuffix("s"): whole}, multiline_strings=False)) if whole else ""


def aligned(rows: Sequence[Sequence[str]], left: Sequence[bool]) -> list[str]:
    """Rows as lines of equal columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(left))]
    return [
        "  ".join(
            cell.ljust(width) if to_left else cell.rjust(width)
            for cell, width, to_left in zip(row, widths, left, strict=True)
        ).rstrip()
        for row in rows
    ]


def _cell(entry: Any, column: Column) -> str:
    try:
        return column.shown(column.value(entry))
    except catalog.CatalogError:
        return "-"


def _data(entry: Any, columns: Iterable[Column]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for column in columns:
        try:
            data[column.key] = column.value(entry)
        except catalog.CatalogError:
            data[column.key] = None
    return data | {"origin": entry.origin, "source": entry.source}
