"""The Fabric page: what leaving the box costs, each link's times, and what TP, PP and DP across it leave of the speed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from engine.fabric import fabric_drop, headline_links
from engine.sizing import FabricRow, FabricWord, Sizing
from tui.doc import BLANK, Line, Span, flow, heading, line, paragraphs, shorten
from tui.pages import brief
from tui.pages.look import FABRIC_STYLE, Look
from tui.pages.sections import fabric
from tui.pages.words import digits, percent, seconds

DECADES = (-1.0, 3.0)  # the log scale of bandwidths: 0.1 to 1,000 GB/s, from 1 GbE to NVLink 5

LEAST_DROP = 5
"""Cells that a bar of the drop has at the least; with fewer there is none."""


def drop(sizing: Sizing, look: Look) -> list[Line]:
    """The cliff as a picture: the in-node link above the one between nodes, on one linear scale."""
    hardware = sizing.scenario.hardware
    found = fabric_drop(sizing.fabric, hardware.intra_link.id, hardware.inter_link.id)
    if found is None:
        return []
    pair = (("in the box", found.in_box), ("between nodes", found.between))
    word = max(len(row.word) for _, row in pair)
    names = [shorten(row.link, 16, look.glyphs.ellipsis) for _, row in pair]
    name = max(len(text) for text in names)
    room = look.width - len(" between nodes ") - name - len(" 1,800 GB/s ") - len(" 100 % ") - word - 1
    if room < LEAST_DROP:
        pair = (("in box", found.in_box), ("nodes", found.between))
        room += len("between nodes") - len("in box")
    where_width = max(len(where) for where, _ in pair)
    room = room if room >= LEAST_DROP else 0
    top = max(row.bandwidth_gb_s for _, row in pair)
    lines = [heading("LEAVING THE BOX", look.width, look.glyphs.rule, "bandwidth one way, speed left")]
    for (where, row), text in zip(pair, names, strict=True):
        cells = max(1, round(row.bandwidth_gb_s / top * room)) if room else 0
        style = FABRIC_STYLE[row.word]
        lines.append(
            line(
                f" {where:<{where_width}} ",
                (f"{text:<{name}} ", "strong" if row.in_use else ""),
                Span(f"{digits(row.bandwidth_gb_s):>5} GB/s ", "figure", f"figure:fabric.{row.link}.bandwidth_gb_s"),
                (look.glyphs.bar * cells, style or "accent"),
                (look.glyphs.bar_rest * (room - cells), "rest"),
                Span(f" {percent(row.relative_speed):>5}", "figure", f"figure:fabric.{row.link}"),
                (f" {row.word}", style),
            )
        )
    inside, outside = (f"fabric.{row.link}." for row in (found.in_box, found.between))
    kept = percent(1 / found.speed_ratio if found.speed_ratio else 1.0)
    spans = [
        Span(" "),
        Span(_ratio(found.bandwidth_ratio), "figure", f"figure:ratio({inside}bandwidth_gb_s,{outside}bandwidth_gb_s)"),
        Span(" less bandwidth, "),
    ]
    if hardware.nodes > 1:
        spans += [
            Span("with TP across "),
            Span(
                percent(found.between.relative_speed_tp or 0.0), "figure", f"{_opens(found.between)}relative_speed_tp"
            ),
            Span(" of the speed, with PP "),
            Span(
                percent(found.between.relative_speed_pp or 0.0), "figure", f"{_opens(found.between)}relative_speed_pp"
            ),
        ]
        return lines + flow(spans, look.width)
    spans += [
        Span(
            _ratio(found.seconds_ratio),
            "figure",
            f"figure:ratio({outside}seconds,{inside}seconds)" if found.in_box.seconds else "",
        ),
        Span(" the time in links, "),
        Span(kept, "figure", f"figure:ratio({outside}relative_speed,{inside}relative_speed)"),
        Span(" of the speed in the box"),
    ]
    return lines + flow(spans, look.width)


def _opens(row: FabricRow) -> str:
    return f"figure:fabric.{row.link}."


def _ratio(value: float) -> str:
    return f"{digits(value, 2)}x" if math.isfinite(value) else "many times"


class Fit(NamedTuple):
    """What the table of times has room for: the link's name, latency, prompt and bar; what is left out stands below."""

    link: int
    latency: bool
    prompt: bool
    bar: int


LEAST_BAR = 10
WIDEST_BAR = 28


def fit(sizing: Sizing, width: int, rows: Sequence[FabricRow]) -> Fit:
    """The columns that fit beside link, GB/s, time, share, speed left and its word."""
    wanted = max(len(row.link) for row in rows)
    fixed = 3 + 1 + 6 + 9 + 5 + 6 + 2 + PLACE + 1 + max(len(row.quality) for row in rows)
    link = max(8, min(16, wanted, width - fixed))
    room = width - fixed - link
    prefill = any(row.prefill_seconds for row in rows)
    latency = room >= LATENCY + (PROMPT if prefill else 0)
    room -= LATENCY * latency
    prompt = prefill and room >= PROMPT
    room -= PROMPT * prompt
    return Fit(link, latency, prompt, min(WIDEST_BAR, room - 1) if room > LEAST_BAR else 0)


LATENCY, PROMPT, PLACE = 9, 8, 6  # cells of those columns
PLACES = {"intra-node": "in box", "inter-node": "boxes"}


def times(sizing: Sizing, look: Look, rows: Sequence[FabricRow]) -> list[Line]:
    """What this layout's traffic takes with each link in its place, its share, the speed left and its word; the rest as it fits."""
    inference = sizing.scenario.workload.is_inference
    unit, short = ("per token", "token") if inference else ("per step", "step")
    lines = [heading("FABRIC CLIFF", look.width, look.glyphs.rule, f"this layout on each link, {unit}")]
    has = fit(sizing, look.width, rows)
    head = f"   {'link':<{has.link}} {'GB/s':>5} "
    head += f"{_axis(has.bar)} " if has.bar else ""
    head += f"{'latency':>{LATENCY - 1}} " if has.latency else ""
    head += f"{short:>8} " + (f"{'prompt':>{PROMPT - 1}} " if has.prompt else "") + f"{'share':>5} {'speed':>5}  place"
    lines.append(line((head, "dim")))
    for row in rows:
        style, word = "strong" if row.in_use else "", FABRIC_STYLE[row.word]
        of = f"figure:fabric.{row.link}."
        spans = _start(row, has.link, look)
        spans += _log_bar(row, has.bar, look)
        spans.append(Span(f"{_latency(sizing, row):>{LATENCY - 1}} " if has.latency else "", style, f"{of}latency_us"))
        spans.append(Span(f"{seconds(row.seconds):>8} ", style, f"{of}seconds"))
        if has.prompt:
            spans.append(Span(f"{seconds(row.prefill_seconds):>{PROMPT - 1}} ", style, f"{of}prefill_seconds"))
        spans.append(Span(f"{percent(row.share):>5}", style, f"{of}share"))
        spans.append(Span(f" {percent(row.relative_speed):>5}", style, f"{of}relative_speed"))
        lines.append((*spans, Span(f"  {PLACES[row.scope]:<{PLACE}} "), Span(row.quality, word)))
    return lines


def _start(row: FabricRow, link: int, look: Look) -> list[Span]:
    """The link's mark, name and bandwidth."""
    style, of = "strong" if row.in_use else "", f"figure:fabric.{row.link}."
    return [
        Span(f" {look.glyphs.pointer if row.in_use else ' '} ", "key"),
        Span(f"{shorten(row.link, link, look.glyphs.ellipsis):<{link}} ", style, f"{of}relative_speed"),
        Span(f"{_gb_s(row.bandwidth_gb_s):>5} ", style, f"{of}bandwidth_gb_s"),
    ]


def _log_bar(row: FabricRow, bar: int, look: Look) -> list[Span]:
    if not bar:
        return []
    cells = _log_cells(row.bandwidth_gb_s, bar)
    return [
        Span(look.glyphs.bar * cells, FABRIC_STYLE[row.word] or "accent"),
        Span(look.glyphs.bar_rest * (bar - cells) + " ", "rest"),
    ]


def bandwidths(sizing: Sizing, look: Look, rows: Sequence[FabricRow]) -> list[Line]:
    """What the table of times had no room for: the bandwidths on a log scale, latency, time of a prompt."""
    has = fit(sizing, look.width, rows)
    if has.bar:
        return []
    prompt = not has.prompt and any(row.prefill_seconds for row in rows)
    after = (0 if has.latency else LATENCY) + (PROMPT if prompt else 0)
    bar = max(4, min(2 * WIDEST_BAR, look.width - has.link - 11 - after))
    lines = [heading("BANDWIDTH ONE WAY", look.width, look.glyphs.rule, "log scale")]
    head = f"   {'link':<{has.link}} {'GB/s':>5} {_axis(bar)} "
    head += "" if has.latency else f"{'latency':>{LATENCY - 1}} "
    head += f"{'prompt':>{PROMPT - 1}}" if prompt else ""
    lines.append(line((head.rstrip(), "dim")))
    for row in rows:
        style, of = "strong" if row.in_use else "", f"figure:fabric.{row.link}."
        spans = [*_start(row, has.link, look), *_log_bar(row, bar, look)]
        if not has.latency:
            spans.append(Span(f"{_latency(sizing, row):>{LATENCY - 1}} ", style, f"{of}latency_us"))
        if prompt:
            spans.append(Span(f"{seconds(row.prefill_seconds):>{PROMPT - 1}}", style, f"{of}prefill_seconds"))
        lines.append(tuple(spans))
    return lines


def _gb_s(value: float) -> str:
    return digits(value, 2) if value < 10 else f"{value:,.0f}"


def _latency(sizing: Sizing, row: FabricRow) -> str:
    """The link's own latency as stated; after ~ the start-up of its smallest message, where nobody states one."""
    hardware = sizing.scenario.hardware
    links = (hardware.intra_link, hardware.inter_link, *sizing.scenario.facts.links)
    stated = any(link.id == row.link and link.latency_us is not None for link in links)
    return f"{'' if stated else '~'}{digits(row.latency_us, 2)} µs"


def _log_cells(gb_s: float, bar: int) -> int:
    low, high = DECADES
    return max(1, min(bar, round((math.log10(max(gb_s, 1e-6)) - low) / (high - low) * bar)))


def _axis(bar: int) -> str:
    """Where 1, 10 and 100 GB/s lie on the log scale."""
    text = [" "] * bar
    low, high = DECADES
    for power, label in ((0, "1"), (1, "10"), (2, "100")):
        at = round((power - low) / (high - low) * bar) - 1
        for number, char in enumerate(label):
            if at + number < bar:
                text[at + number] = char
    return "".join(text)


def across(sizing: Sizing, look: Look, rows: Sequence[FabricRow]) -> list[Line]:
    """What is left of the speed with only TP, only PP or only DP across the link, each with its word."""
    lines = [heading("IF TP, PP OR DP CROSSED IT INSTEAD", look.width, look.glyphs.rule, "speed left")]
    link = min(16, max(len(row.link) for row in rows))
    tight = look.width < 3 + link + 3 * 16
    margin = 1 if tight else 3
    bar = min(12, (look.width - margin - link - 1) // 3 - 17)
    bar = bar if bar >= 4 else 0
    cell = 13 if tight else 16 + (bar + 1 if bar else 0)
    heads = "".join(f"{f'{name} across':<{cell}}" for name in ("TP", "PP", "DP"))
    lines.append(line((f"{'':<{margin}}{'link':<{link}} {heads}".rstrip(), "dim")))
    for row in rows:
        used = bool(row.in_use)
        mark = look.glyphs.pointer if used else " "
        name = shorten(row.link, link, look.glyphs.ellipsis)
        spans = [
            Span(mark if tight else f" {mark} ", "key"),
            Span(f"{name:<{link}} ", "strong" if used else "", f"figure:fabric.{row.link}"),
        ]
        for name, speed, word in (
            ("tp", row.relative_speed_tp, row.word_tp),
            ("pp", row.relative_speed_pp, row.word_pp),
            ("dp", row.relative_speed_dp, row.word_dp),
        ):
            action = f"figure:fabric.{row.link}.relative_speed_{name}"
            spans += _left(speed, word, cell, bar, look, action)
        spans[-1] = spans[-1]._replace(text=spans[-1].text.rstrip())
        lines.append(tuple(spans))
    return lines


def _left(speed: float | None, word: FabricWord | None, cell: int, bar: int, look: Look, action: str) -> list[Span]:
    if speed is None or word is None:
        return [Span(f"{look.glyphs.dash:<{cell}}", "dim")]
    style = FABRIC_STYLE[word]
    amount = f"{percent(speed):>5} " if cell > 13 else f"{percent(speed).replace(' ', ''):>4} "
    spans = [Span(amount, "figure", action)]
    if bar:
        cells = max(1, round(min(1.0, speed) * bar))
        spans += [
            Span(look.glyphs.bar * cells, style or "accent"),
            Span(look.glyphs.bar_rest * (bar - cells) + " ", "rest"),
        ]
    used = sum(len(span.text) for span in spans)
    return [*spans, Span(f"{word:<{cell - used}}", style)]


def notes(sizing: Sizing, look: Look, rows: Sequence[FabricRow]) -> list[Line]:
    """How to read the tables, and what stands behind the bandwidth of the links in use."""
    lines: list[Line] = []
    bullet = f" {look.glyphs.bullet} "
    for row in rows:
        if row.in_use:
            where = "inside a node" if row.in_use == "intra" else "between nodes"
            note = f": {row.bandwidth_note}" if row.bandwidth_note else ""
            wide = f"{digits(row.bandwidth_gb_s)} GB/s one way{note}"
            lines += flow(
                [
                    Span(f" {look.glyphs.pointer} ", "key"),
                    Span(f"In use {where}: {row.name}, "),
                    Span(wide, "", f"figure:fabric.{row.link}.bandwidth_gb_s"),
                ],
                look.width - 1,
                "   ",
            )
    told = ["GB/s counts one way for each GPU: a figure printed for both ways is halved. The bar is a log scale."]
    told.append(
        "Latency is the link's own, as stated; ~ is the start-up of its smallest message, where none is stated."
    )
    told.append(_meaning(sizing))
    if sizing.scenario.workload.is_inference:
        told.append("Replicas of a served model share no traffic: a router sends them text, so DP costs nothing.")
    told.append(
        "fine: from 85 % is left. Else viable from 60 %, painful from 25 %; boxes: between them. Across: in-box from 60 %."
    )
    for words in told:
        lines += paragraphs(words, look.width - 3, "dim", "   ", bullet)
    return lines


def _meaning(sizing: Sizing) -> str:
    """What the time, the share and the speed of a row count."""
    if sizing.scenario.workload.is_inference:
        counted = "Time: all collectives of a token. Share and speed: with those of the prompts read between tokens."
    else:
        counted = "Time: all collectives of a step, hidden or not. Share and speed: only what does not hide."
    if sizing.scenario.hardware.nodes > 1:
        return f"{counted} Each link stands in its place, inside the nodes or between them."
    return f"{counted} A link between nodes is shown as if it joined two halves of the node."


def cliff(sizing: Sizing, look: Look) -> list[Line]:
    """The page: the drop, one link of each kind, the words for each parallelism, then all other links."""
    rows = headline_links(sizing.fabric)
    if not rows:
        return fabric(sizing, look)
    assumed = next((row.assumed for row in rows if row.assumed), "")
    lines = paragraphs(f"Note: {assumed}.", look.width - 1, "warn", " ", " ") if assumed else []
    lines += [*brief.fabric(sizing, look), BLANK, *times(sizing, look, rows), BLANK]
    lines += [*across(sizing, look, rows), BLANK]
    fall = drop(sizing, look)
    lines += [*fall, BLANK] if fall else []
    picture = bandwidths(sizing, look, rows)
    lines += [*picture, BLANK] if picture else []
    lines += notes(sizing, look, rows)
    others = [row for row in sizing.fabric if row not in rows]
    if others:
        lines += [BLANK, heading("THE OTHER LINKS OF THE CATALOG", look.width, look.glyphs.rule)]
        lines += fabric(sizing, look, others)[1:]
    return lines
