"""The lists: models, accelerators, links, platforms, and the command palette."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from catalog import Catalog, CatalogError, ModelEntry
from catalog.names import resolve_accelerator, resolve_name
from engine.decide.answer import STATUS_WORDS
from engine.figures.errors import ScenarioError
from engine.model.formats import FORMATS, KV_FORMATS, kv_bytes_per_element, model_weight_bytes
from engine.parts.hardware import Accelerator, Link, Platform
from engine.scenario.change import change
from engine.scenario.fields import Value
from tui.app import theme
from tui.app.screens.list_dialog import Column, Deeper, Item, ListDialog, matching
from tui.app.screens.picked import ModelFile, Several
from tui.files import browse, commands, fields, own_card, shorthand
from tui.files.fields import Field
from tui.files.own_card import OwnCard
from tui.pages.contents import PAGES
from tui.pages.words import count, digits, gib, size, users
from tui.shell import presets

if TYPE_CHECKING:
    from tui.app.base import SizeupBase

PAUSE_S = 0.02


def picker_for(app: SizeupBase, field: Field, seed: str = "") -> ListDialog:
    """The list of a picker field."""
    scenario = app.store.scenario
    current = fields.current(scenario, field)
    facts = app.catalog.facts
    if field.key == "model.id":
        columns, items = _models(app.catalog.models)
        items.append(Item(Deeper("./"), ("a config.json or .gguf of your own", *[""] * 6), "own file path json gguf"))
        return ListDialog(
            "Model: type to filter; 405b for 20, 8b qlora on 1x 4090; a path",
            columns,
            items,
            seed=seed,
            current=current,
            elsewhere=lambda typed: _published(typed, items) or _files(typed) or _asked(typed, items, app),
        )
    if field.choices:
        columns, items = _choices(app, field)
        return ListDialog(f"{field.label}: type to filter", columns, items, seed=seed, current=current)
    if field.key == "hardware.accelerator":
        columns, items = _accelerators(facts.accelerators)
        own = ("a GPU of your own", "by its figures", *[""] * 6)
        items.append(Item(Deeper(own_card.EXAMPLE, fresh=True), own, "own new other card gpu"))
        return ListDialog(
            f"GPU: type to filter, 2x 4090, or {own_card.EXAMPLE}",
            columns,
            items,
            seed=seed,
            current=current,
            elsewhere=lambda typed: _with_count(typed, items, app.catalog),
            meant=resolve_accelerator,
        )
    if field.key == "hardware.second_accelerator":
        columns, items = _accelerators(facts.accelerators)
        items.insert(0, Item(fields.UNSET, ("none", "one kind of card", "", "", "", "", "", ""), "none one"))
        heading = "Second GPU in the same node"
    elif field.key == "hardware.platform":
        columns, items = _platforms(facts.platforms)
        items.insert(0, Item(fields.UNSET, ("any", "no particular server", "", "", ""), "any none"))
        heading = "Platform: sets GPU, count and links"
    else:
        scope = "intra-node" if field.key == "hardware.intra_link" else "inter-node"
        columns, items = _links([link for link in facts.links if link.scope == scope])
        heading = field.label
    return ListDialog(f"{heading}: type to filter", columns, items, seed=seed, current=current)


def _asked(typed: str, items: Sequence[Item], app: SizeupBase) -> list[Item] | None:
    """The models of `70b q4` or `8b qlora on 1x 4090`, each taken with all that is said; None where only a model is."""
    said = shorthand.build(typed)
    if not said.says_more:
        return None
    changes: list[tuple[str, Value]] = []
    words = []
    for key, value, told in (
        ("model.weights", said.weights, f"as {said.weights}"),
        ("workload.kind", said.kind, str(said.kind)),
        ("workload.concurrency", said.users, users(said.users) if said.users else ""),
        ("runtime.engine", said.engine, f"with {said.engine}"),
    ):
        if value is not None:
            changes.append((key, value))
            words.append(told)
    if said.cards:
        nodes, rest = shorthand.boxes(said.cards)
        number, query = shorthand.cards(rest)
        cards = matching(_accelerators(app.catalog.facts.accelerators)[1], query, resolve_accelerator)
        if not cards:
            return [Item(Deeper(typed), (f"no GPU is called {query}"[:34], *[""] * 6), style="warn")]
        changes.append(("hardware.accelerator", cards[0].value))
        changes += shorthand.counts(number, nodes, _most(app.catalog, cards[0].value)).items()
        times = "x".join(str(count) for count in (nodes, number) if count is not None)
        words.append(f"{times}{'x ' if times else ''}{cards[0].value}")
    return [
        replace(
            item,
            value=Several((("model.id", item.value), *changes)),
            cells=(*item.cells[:-1], ", ".join(words)),
        )
        for item in matching(items, said.model)
        if isinstance(item.value, str)
    ]


def _published(typed: str, items: Sequence[Item]) -> list[Item] | None:
    """The model and the format of a repository's name, such as Qwen/Qwen3-32B-AWQ; None where it is none, or a path."""
    if "/" not in typed or resolve_name(typed) is None:
        return None
    try:
        keys = presets.changes_of({"model.id": typed}, ())
    except presets.WrongOption:
        return [Item(Deeper(typed), ("its format cannot be sized", *[""] * 6), style="warn")]
    told = f"as {keys['model.weights']}" if "model.weights" in keys else ""
    return [
        replace(item, value=Several(tuple(keys.items())), cells=(*item.cells[:-1], told)) if told else item
        for item in items
        if item.value == keys.get("model.id")
    ] or None


def _most(catalog: Catalog, card: object) -> int | None:
    """Cards that a box takes of a card; None where any number goes."""
    return next((one.max_gpus_per_node for one in catalog.facts.accelerators if one.id == card), None)


def _with_count(typed: str, items: Sequence[Item], catalog: Catalog) -> list[Item] | None:
    """The cards of `2x 4090` or `2x8 h100`, each taken as so many, or a card of one's own by its figures.

    None where the words name neither.
    """
    nodes, rest = shorthand.boxes(typed)
    count, query = shorthand.cards(rest)
    times = "x".join(str(number) for number in (nodes, count) if number is not None)
    times = f"{times}x " if times else ""
    card = own_card.read(query)
    if card is not None:
        return [_own_row(card, times, tuple(shorthand.counts(count, nodes, None).items()), typed, catalog)]
    if count is None:
        return None
    return [
        replace(
            item,
            value=Several(
                (
                    ("hardware.accelerator", item.value),
                    *shorthand.counts(count, nodes, _most(catalog, item.value)).items(),
                )
            ),
            cells=(f"{times}{item.cells[0]}", *item.cells[1:]),
        )
        for item in matching(items, query, resolve_accelerator)
        if isinstance(item.value, str)
    ]


def _own_row(card: OwnCard, times: str, said: tuple[tuple[str, Value], ...], typed: str, catalog: Catalog) -> Item:
    """A card that is described as it is typed; where its name is taken, a row that says so and leads nowhere."""
    if any(known.id == card.id for known in catalog.facts.accelerators):
        words = f"{card.id} is in the catalog already: another name"
        return Item(Deeper(typed), (words, *[""] * 7), style="warn")
    figures = dict(card.figures)
    shown = [figures.get(key) for key in ("bandwidth_gb_s", "tflops_bf16_dense")]
    watts = figures.get("tdp_w")
    cells = (
        f"{times}{card.id}",
        "a GPU of your own",
        f"{card.memory_gib:,.1f}",
        *("" if value is None else f"{value:,.0f}" for value in shown),
        "",
        "",
        "" if watts is None else f"{watts:,.0f}",
    )
    return Item(Several((("hardware.accelerator", card.id), *said), card), cells)


def _files(typed: str) -> list[Item] | None:
    """Folders and model files where a path is typed; the path itself where it is one that no list can show."""
    if not browse.is_path(typed):
        return None
    found = browse.places(typed)
    items = [
        Item(
            Deeper(place.path) if place.folder else ModelFile(browse.whole(place.path)),
            (place.name, *[""] * 5, "folder" if place.folder else f"{size(place.bytes)}"),
        )
        for place in found
    ]
    return items or [Item(ModelFile(browse.whole(typed)), (typed, *[""] * 5, "read this file"))]


def _choices(app: SizeupBase, field: Field) -> tuple[tuple[Column, ...], list[Item]]:
    """The values of a choice; of a format also its bits, what the weights or a token's KV take, and what comes of it."""
    if field.key not in ("model.weights", "model.kv_cache"):
        names = {value: "" if value == label else str(value) for value, label in field.choices}
        told = ("as in a file",) if any(names.values()) else ()
        return tuple(Column(title) for title in (field.label, *told)), [
            Item(value, (label, names[value]) if told else (label,)) for value, label in field.choices
        ]
    weights = field.key == "model.weights"
    columns = (
        Column("format", limit=20),
        Column("called", from_width=60, limit=28),
        Column("bits", right=True),
        Column("GiB in all" if weights else "tokens fit", right=True),
        Column("with it", limit=16),
    )
    items = []
    for value, label in field.choices:
        name = str(value)
        called = FORMATS[name].label if weights else KV_FORMATS[name].label
        cells = (label, called if called != label else "", *_format_figures(app, field, name))
        items.append(Item(value, cells, f"{label} {called}"))
    return columns, items


def _format_figures(app: SizeupBase, field: Field, name: str) -> tuple[str, str, str]:
    """Bits a weight or element; GiB of the weights, or tokens whose KV fits; and how the build stands with it."""
    scenario = app.store.scenario
    weights = field.key == "model.weights"
    bits = digits(FORMATS[name].bits_per_weight if weights else 8 * kv_bytes_per_element(name), 3)
    takes = gib(model_weight_bytes(scenario.model.architecture, name)) if weights else ""
    try:
        sizing = app.store.size(change(scenario, {field.key: name}, app.catalog))
    except ScenarioError:
        return bits, takes, "not possible"
    fit = sizing.memory.kv_capacity_tokens
    return bits, takes if weights else "" if fit is None else count(fit), STATUS_WORDS[sizing.answer.status]


def _own(origin: str) -> str:
    return " (yours)" if origin == "user" else ""


async def warm(catalog: Catalog) -> None:
    """Count every model of the catalog a little at a time, so that their list opens at once."""
    for entry in catalog.models:
        with contextlib.suppress(CatalogError):  # the list says which cannot be read
            _counted(entry)
        await asyncio.sleep(PAUSE_S)


def _counted(entry: ModelEntry) -> tuple[int, int, int]:
    """Parameters, active ones, and KV bytes a token at 16 bits. Raises CatalogError."""
    from engine.model.kv_cache import cache_profile
    from engine.model.parameters import count_parameters

    counts = count_parameters(entry.architecture)
    return counts.total, counts.active, cache_profile(entry.architecture).kv_bytes_per_token_bf16


def _models(entries: tuple[ModelEntry, ...]) -> tuple[tuple[Column, ...], list[Item]]:
    columns = (
        Column("id", limit=34),
        Column("family", from_width=84),
        Column("params", right=True),
        Column("active", right=True),
        Column("KV/token", right=True),
        Column("context", right=True),
        Column("published", from_width=70),
    )
    items: list[Item] = []
    for entry in entries:
        try:
            total, active_count, kv = _counted(entry)
            architecture = entry.architecture
        except CatalogError:
            figures = ("?", "?", "?", "?", "cannot be read")
            sorts: tuple[float | str | None, ...] = (entry.id, entry.family, None, None, None, None, None)
        else:
            active = count(active_count) if active_count < 0.95 * total else ""
            figures = (
                count(total),
                active,
                f"{kv / 1024:,.0f} KiB",
                count(architecture.max_position),
                architecture.checkpoint_format,
            )
            size_of = (total, active_count, kv, architecture.max_position)
            sorts = (entry.id, entry.family, *size_of, architecture.checkpoint_format)
        cells = (entry.id + _own(entry.origin), entry.family, *figures)
        items.append(Item(entry.id, cells, f"{entry.id} {entry.name} {entry.family} {figures[0]}", figures=sorts))
    return columns, items


def _accelerators(entries: tuple[Accelerator, ...]) -> tuple[tuple[Column, ...], list[Item]]:
    columns = (
        Column("id", limit=30),
        Column("name", from_width=100, limit=32),
        Column("GiB", right=True),
        Column("GB/s", right=True),
        Column("BF16 TF/s", right=True),
        Column("FP8", right=True),
        Column("FP4", right=True, from_width=84),
        Column("W", right=True, from_width=70),
    )

    def figure(value: float | None) -> str:
        return "" if value is None else f"{value:,.0f}"

    items = [
        Item(
            card.id,
            (
                card.id + _own(card.origin),
                card.name,
                f"{card.memory_bytes / 2**30:,.0f}",
                figure(card.bandwidth_gb_s),
                figure(card.tflops_bf16_dense),
                figure(card.tflops_fp8_dense if card.supports_fp8 else None),
                figure(card.tflops_fp4_dense if card.supports_fp4 else None),
                figure(card.tdp_w),
            ),
            f"{card.id} {card.name} {card.vendor} {card.architecture} {card.memory_gb_marketed:.0f}gb",
            figures=(
                card.id,
                card.name,
                card.memory_bytes,
                card.bandwidth_gb_s,
                card.tflops_bf16_dense,
                card.tflops_fp8_dense if card.supports_fp8 else None,
                card.tflops_fp4_dense if card.supports_fp4 else None,
                card.tdp_w,
            ),
        )
        for card in entries
    ]
    return columns, items


def _links(entries: list[Link]) -> tuple[tuple[Column, ...], list[Item]]:
    columns = (
        Column("id", limit=26),
        Column("name", from_width=80, limit=40),
        Column("GB/s one way", right=True),
        Column("measured", right=True),
        Column("latency", right=True),
        Column("GPUs", right=True, from_width=70),
    )
    items = [
        Item(
            link.id,
            (
                link.id + _own(link.origin),
                link.name,
                digits(link.peak_gb_s_unidir),
                "" if link.achieved_gb_s_unidir is None else digits(link.achieved_gb_s_unidir),
                "" if link.latency_us is None else f"{digits(link.latency_us, 2)} µs",
                "" if link.max_gpus is None else str(link.max_gpus),
            ),
            f"{link.id} {link.name} {link.family}",
            figures=(
                link.id,
                link.name,
                link.peak_gb_s_unidir,
                link.achieved_gb_s_unidir,
                link.latency_us,
                link.max_gpus,
            ),
        )
        for link in entries
    ]
    return columns, items


def _platforms(entries: tuple[Platform, ...]) -> tuple[tuple[Column, ...], list[Item]]:
    columns = (
        Column("id", limit=34),
        Column("name", from_width=90, limit=36),
        Column("GPUs", right=True),
        Column("GPU", limit=24),
        Column("kind", from_width=84, limit=12),
    )
    items = [
        Item(
            platform.id,
            (
                platform.id + _own(platform.origin),
                platform.name,
                str(platform.gpus),
                platform.accelerator,
                platform.kind,
            ),
            f"{platform.id} {platform.name} {platform.provider} {platform.accelerator}",
        )
        for platform in entries
    ]
    return columns, items


def palette(app: SizeupBase) -> ListDialog:
    """Every command, page, field and theme by its words."""
    columns = (Column("do", limit=60), Column("key", limit=16))
    items = [
        Item(command.id, (command.help, app.keymap.words(command.id)), f"{command.label} {command.help}")
        for command in commands.COMMANDS
        if command.palette
    ]
    items += [
        Item(f"page:{name}", (f"Show the {name} page", str(number % 10)), f"page {name}")
        for number, name in enumerate(PAGES, 1)
    ]
    items += [
        Item(f"field:{field.key}", (f"Go to {field.label}: {field.section.lower()}", ""), f"go to {field.label}")
        for field in fields.shown(app.store.scenario)
    ]
    items += [
        Item(f"theme:{name}", (f"Theme: {words}", ""), f"theme colours {words}") for name, words in theme.WORDS.items()
    ]
    return ListDialog("Commands: type to filter", columns, items, prompt="Find", large=False)
