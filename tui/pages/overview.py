"""The Overview: what decides, each thing once, in about a dozen lines. The other pages have the rest."""

from __future__ import annotations

from collections.abc import Sequence

from engine.decide.layouts import layout_words
from engine.sizing import Sizing
from tui.pages import bars
from tui.pages.doc import Line, Span, flow, heading, line, width_of
from tui.pages.look import HEADROOM_STYLE, Look
from tui.pages.words import GIB, count, gib, percent, usd, usd_per_hour, users

SHORT = {
    "weights": "weights",
    "kv": "KV",
    "activations": "activations",
    "runtime": "runtime",
    "optimizer": "optimizer",
    "gradients": "gradients",
}
"""What a part of memory is called where the bar above shows it."""
LABEL = 8
"""Cells of the word that a line of its own begins with."""


def memory(sizing: Sizing, look: Look) -> list[Line]:
    """The fullest group as one bar, its parts, and what of the load it holds."""
    facts, glyphs = sizing.memory, look.glyphs
    group, parts = facts.worst, bars.parts_of(sizing)
    lines = [heading("MEMORY per GPU", look.width, glyphs.rule, facts.headroom, HEADROOM_STYLE[facts.headroom])]
    name = bars.group_name(group, len(facts.per_gpu))
    if len(facts.per_gpu) > 1:
        name = f"{name}, the fullest"
    over = group.over_bytes > 0
    tail = Span(
        f" over by {gib(group.over_bytes)} GiB" if over else f" {gib(group.available_bytes)} GiB free",
        "bad" if over else "dim",
        f"figure:memory.{'over_bytes' if over else 'available_bytes'}",
    )
    room = max(10, look.width - len(name) - len(tail.text) - 3)
    scale = max(group.total_bytes, group.used_bytes)
    lines.append(line(f" {name} ", *bars.cells(group, parts, room, scale, glyphs), tail))
    held = []
    for part in parts:
        amount = getattr(group, part.field)
        if amount:
            action = f"figure:memory.{part.field}"
            mark = Span(f"{getattr(glyphs, part.name)} ", part.name)
            held.append([mark, Span(f"{part.short or SHORT[part.name]} "), Span(gib(amount), "figure", action)])
    lines += _packed(held, look.width, "  ", " ")
    load = _load(sizing)
    changed = _changed(sizing, look.before)
    if changed and (load or not look.low) and width_of(load) + len(changed) <= look.width:
        load = [*load, Span(changed, "delta")]
    return [*lines, tuple(load)] if load else lines


def _load(sizing: Sizing) -> list[Span]:
    """What of the load the memory holds, in a line; empty where the bar or the answer has said it."""
    facts, work = sizing.memory, sizing.scenario.workload
    if sizing.answer.status in ("does-not-fit", "overloaded"):
        return []
    if work.embeds:
        return []  # nothing is kept of what is read
    if work.is_inference:
        short = facts.users_that_fit < work.concurrency  # a batch takes its sequences in turns
        return [
            Span(" Room for " if facts.users_that_fit else " No room for "),
            Span(
                users(max(facts.users_that_fit, 1)),
                "bad" if short else "figure",
                "figure:memory.users_that_fit",
            ),
            Span(", asked "),
            _figure(count(work.concurrency), "load.concurrency"),
        ]
    spans = [Span(" Fits micro-batches of "), _figure(count(facts.largest_micro_batch), "memory.largest_micro_batch")]
    if facts.longest_sequence_tokens:
        length = count(facts.longest_sequence_tokens)
        spans += [Span(", sequences of "), _figure(length, "memory.longest_sequence_tokens")]
    return [*spans, Span(" on this layout")] if sizing.layout.gpus > 1 else spans


def _figure(text: str, figure: str) -> Span:
    return Span(text, "figure", f"figure:{figure}")


def _changed(sizing: Sizing, before: Sizing | None) -> str:
    """What the last edit did to the memory of a GPU and to the users that fit; empty where it rounds to nothing."""
    if before is None:
        return ""
    told = []
    grown = (sizing.memory.worst.used_bytes - before.memory.worst.used_bytes) / GIB
    if abs(grown) >= 0.05:
        told.append(f"memory {grown:+,.1f} GiB")
    more = sizing.memory.users_that_fit - before.memory.users_that_fit
    if more:
        told.append(f"{'+' if more > 0 else '-'}{count(abs(more))} user{'s' * (abs(more) != 1)}")
    return f"  by this edit: {', '.join(told)}" if told else ""


def _packed(units: Sequence[list[Span]], width: int, gap: str, indent: str, first: Sequence[Span] = ()) -> list[Line]:
    """Units of spans in as few lines as hold them, none broken where it fits a line of its own. first: starts them."""
    lines: list[Line] = []
    row, empty = [*(first or [Span(indent)])], True
    for unit in units:
        if not empty and width_of(row) + len(gap) + width_of(unit) > width:
            lines.append(tuple(row))
            row, empty = [Span(indent)], True
        row += [*([] if empty else [Span(gap)]), *unit]
        empty = False
    return [*lines, *flow(row, width, indent)]


def _labelled(label: str, units: Sequence[list[Span]], look: Look, gap: str = " ") -> list[Line]:
    """Lines that begin with their own heading."""
    return _packed(units, look.width, gap, " " * LABEL, [Span(f"{label:<{LABEL}}", "title")])


def price(sizing: Sizing, look: Look) -> list[Line]:
    """What the answer's line above does not say of money: rent, owning, and what it makes of a million tokens."""
    money = sizing.cost
    told: list[list[Span]] = []
    if money.rent_usd_per_hour is not None:
        hour = _figure(usd_per_hour(money.rent_usd_per_hour), "cost.rent_usd_per_hour")
        told.append([hour, Span(" an hour rented")])
    if money.own_usd_per_month is not None and not look.low:
        told.append([_figure(usd(money.own_usd_per_month), "cost.own_usd_per_month"), Span(" a month owned")])
    if money.usd_per_million_tokens is not None:
        each = _figure(usd(money.usd_per_million_tokens), "cost.usd_per_million_tokens")
        told.append([each, Span(" a million tokens")])
        if money.api_usd_per_million_tokens is not None and not look.low:
            api = _figure(usd(money.api_usd_per_million_tokens), "cost.api_usd_per_million_tokens")
            told.append([api, Span(" by API")])
    if not told:
        told = [[Span("to rent: unknown", "dim")]]
    return _labelled("PRICE", told, look, f" {look.glyphs.dot} ")


def fabric(sizing: Sizing, look: Look, here: bool = False) -> list[Line]:
    """The layout in use, its links, and what is lost on them. here: on its page, which need not be named."""
    hardware, layout = sizing.scenario.hardware, sizing.layout
    if hardware.gpus == 1:
        return _labelled("FABRIC", [[Span("nothing crosses a link", "dim")]], look)
    links = [hardware.intra_link.id] if hardware.gpus_per_node > 1 else []
    links += [hardware.inter_link.id] if hardware.nodes > 1 else []
    units = [[Span(layout_words(layout))], [Span(" + ".join(links))]]
    if sizing.answer.status == "does-not-fit":
        if not here and not look.low:
            units.append([Span("each link: Fabric page", "dim")])
    elif sizing.serving is not None:
        share = _figure(percent(sizing.serving.communication_share), "serving.communication_share")
        units.append([share, Span(" of time lost")])
    elif sizing.training is not None:
        ratio = "ratio(training.exposed_communication_s,training.step_s)"
        units.append([_figure(percent(sizing.training.exposed_share), ratio), Span(" of time lost")])
    return _labelled("FABRIC", units, look, f" {look.glyphs.dot} ")
