"""The Fabric page: what each link takes of this layout's speed, what TP, PP and DP across it would, and the drop."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from engine.decide.fabric import article_links, fabric_drop
from engine.figures.records import NamedTuple
from engine.sizing import FabricQuality, FabricRow, Sizing
from tui.pages import overview
from tui.pages.doc import BLANK, Line, Span, flow, heading, line, paragraphs, shorten
from tui.pages.look import QUALITY_STYLE, Look
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
    pair = (("in the box", found.in_box), ("between boxes", found.between))
    word = max(len(row.quality) for _, row in pair)
    names = [shorten(row.link, 16, look.glyphs.ellipsis) for _, row in pair]
    name = max(len(text) for text in names)
    room = look.width - len(" between boxes ") - name - len(" 1,800 GB/s ") - len(" 100 % ") - word - 1
    if room < LEAST_DROP:
        pair = (("in box", found.in_box), ("boxes", found.between))
        room += len("between boxes") - len("in box")
    where_width = max(len(where) for where, _ in pair)
    room = room if room >= LEAST_DROP else 0
    top = max(row.bandwidth_gb_s for _, row in pair)
    lines = [heading("LEAVING THE BOX", look.width, look.glyphs.rule, "bandwidth one way, speed kept")]
    for (where, row), text in zip(pair, names, strict=True):
        cells = max(1, round(row.bandwidth_gb_s / top * room)) if room else 0
        style = QUALITY_STYLE[row.quality]
        lines.append(
            line(
                f" {where:<{where_width}} ",
                (f"{text:<{name}} ", "strong" if row.in_use else ""),
                Span(f"{digits(row.bandwidth_gb_s):>5} GB/s ", "figure", f"figure:fabric.{row.link}.bandwidth_gb_s"),
                (look.glyphs.bar * cells, style or "accent"),
                (look.glyphs.bar_rest * (room - cells), "rest"),
                Span(f" {percent(row.relative_speed):>5}", "figure", f"figure:fabric.{row.link}"),
                (f" {row.quality}", style),
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
            Span(" of the speed is kept, with PP "),
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
    """What the table of times has room for: the link's name, its start, prompt and bar; what is left out stands below."""

    link: int
    start: bool
    prompt: bool
    bar: int


LEAST_BAR = 10
WIDEST_BAR = 28
LATENCY, STARTUP, PROMPT = 9, 9, 8  # cells of those columns
PLACES = ("in the box", "between boxes")


def fit(width: int, rows: Sequence[FabricRow]) -> Fit:
    """The columns that fit beside link, GB/s, time, lost, kept and the quality."""
    fixed = 3 + 1 + 6 + 9 + 5 + 6 + 2 + max(len(row.quality) for row in rows)
    link = max(8, min(20, max(len(row.link) for row in rows), width - fixed))
    room = width - fixed - link
    start = room >= LATENCY + STARTUP
    room -= (LATENCY + STARTUP) * start
    prompt = any(row.prefill_seconds for row in rows) and room >= PROMPT
    room -= PROMPT * prompt
    return Fit(link, start, prompt, min(WIDEST_BAR, room - 1) if room > LEAST_BAR else 0)


def _placed(rows: Sequence[FabricRow], line_of: Callable[[FabricRow], Line]) -> list[Line]:
    """A line for each row, those in the box under that name and those between boxes under theirs."""
    lines: list[Line] = []
    for place in PLACES:
        here = [row for row in rows if row.place == place]
        if here:
            lines += [line((f" {place}", "title")), *map(line_of, here)]
    return lines


def times(sizing: Sizing, look: Look, rows: Sequence[FabricRow]) -> list[Line]:
    """What this layout's traffic takes with each link in its place, what is lost on it and kept of the speed."""
    inference = sizing.scenario.workload.is_inference
    unit, short = ("per token", "token") if inference else ("per step", "step")
    lines = [heading("FABRIC CLIFF", look.width, look.glyphs.rule, f"this layout on each link, {unit}")]
    has = fit(look.width, rows)
    head = f"   {'link':<{has.link}} {'GB/s':>5} "
    head += f"{_axis(has.bar)} " if has.bar else ""
    head += _start_head() if has.start else ""
    head += f"{short:>8} " + (f"{'prompt':>{PROMPT - 1}} " if has.prompt else "") + f"{'lost':>5} {'kept':>5}"
    lines.append(line((head, "dim")))

    def cells(row: FabricRow) -> Line:
        style, quality = "strong" if row.in_use else "", QUALITY_STYLE[row.quality]
        of = f"figure:fabric.{row.link}."
        spans = [*_named(row, has.link, look), *_log_bar(row, has.bar, look), *(_start(row) if has.start else ())]
        spans.append(Span(f"{seconds(row.seconds):>8} ", style, f"{of}seconds"))
        if has.prompt:
            spans.append(Span(f"{seconds(row.prefill_seconds):>{PROMPT - 1}} ", style, f"{of}prefill_seconds"))
        spans.append(Span(f"{percent(row.share):>5}", style, f"{of}share"))
        spans.append(Span(f" {percent(row.relative_speed):>5}", style, f"{of}relative_speed"))
        return (*spans, Span(f"  {row.quality}", quality))

    return lines + _placed(rows, cells)


def _named(row: FabricRow, link: int, look: Look) -> list[Span]:
    """The link's mark, name and bandwidth."""
    style, of = "strong" if row.in_use else "", f"figure:fabric.{row.link}."
    return [
        Span(f" {look.glyphs.pointer if row.in_use else ' '} ", "key"),
        Span(f"{shorten(row.link, link, look.glyphs.ellipsis):<{link}} ", style, f"{of}relative_speed"),
        Span(f"{_gb_s(row.bandwidth_gb_s):>5} ", style, f"{of}bandwidth_gb_s"),
    ]


def _start_head() -> str:
    return f"{'latency':>{LATENCY - 1}} {'start-up':>{STARTUP - 1}} "


def _start(row: FabricRow) -> list[Span]:
    """The link's own latency, where somebody states it, and what a message takes to start through the library."""
    style, of = "strong" if row.in_use else "", f"figure:fabric.{row.link}."
    stated = row.latency_us is not None
    latency = Span(f"{_us(row.latency_us):>{LATENCY - 1}} ", style if stated else "dim", f"{of}latency_us" * stated)
    return [latency, Span(f"{_us(row.startup_us):>{STARTUP - 1}} ", style, f"{of}startup_us")]


def _us(value: float | None) -> str:
    return "-" if value is None else f"{digits(value, 2)} µs"


def _log_bar(row: FabricRow, bar: int, look: Look) -> list[Span]:
    if not bar:
        return []
    cells = _log_cells(row.bandwidth_gb_s, bar)
    return [
        Span(look.glyphs.bar * cells, QUALITY_STYLE[row.quality] or "accent"),
        Span(look.glyphs.bar_rest * (bar - cells) + " ", "rest"),
    ]


def bandwidths(sizing: Sizing, look: Look, rows: Sequence[FabricRow]) -> list[Line]:
    """What the table of times had no room for: the bandwidths on a log scale, latency and start-up, time of a prompt."""
    has = fit(look.width, rows)
    if has.bar:
        return []
    prompt = not has.prompt and any(row.prefill_seconds for row in rows)
    after = (0 if has.start else LATENCY + STARTUP) + (PROMPT if prompt else 0)
    bar = max(4, min(2 * WIDEST_BAR, look.width - has.link - 11 - after))
    lines = [heading("BANDWIDTH ONE WAY", look.width, look.glyphs.rule, "log scale")]
    head = f"   {'link':<{has.link}} {'GB/s':>5} {_axis(bar)} "
    head += "" if has.start else _start_head()
    head += f"{'prompt':>{PROMPT - 1}}" if prompt else ""
    lines.append(line((head.rstrip(), "dim")))
    for row in rows:
        style, of = "strong" if row.in_use else "", f"figure:fabric.{row.link}."
        spans = [*_named(row, has.link, look), *_log_bar(row, bar, look), *(() if has.start else _start(row))]
        if prompt:
            spans.append(Span(f"{seconds(row.prefill_seconds):>{PROMPT - 1}}", style, f"{of}prefill_seconds"))
        lines.append(tuple(spans))
    return lines


def _gb_s(value: float) -> str:
    return digits(value, 2) if value < 10 else f"{value:,.0f}"


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


def across(look: Look, rows: Sequence[FabricRow]) -> list[Line]:
    """What is left of the speed with only TP, only PP or only DP across the link, each with its word."""
    lines = [heading("IF TP, PP OR DP CROSSED IT INSTEAD", look.width, look.glyphs.rule, "speed kept")]
    link = min(20, max(len(row.link) for row in rows))
    tight = look.width < 3 + link + 3 * 16
    margin = 1 if tight else 3
    bar = min(12, (look.width - margin - link - 1) // 3 - 17)
    bar = bar if bar >= 4 else 0
    cell = 13 if tight else 16 + (bar + 1 if bar else 0)
    heads = "".join(f"{f'{name} across':<{cell}}" for name in ("TP", "PP", "DP"))
    lines.append(line((f"{'':<{margin}}{'link':<{link}} {heads}".rstrip(), "dim")))

    def cells(row: FabricRow) -> Line:
        used = bool(row.in_use)
        mark = look.glyphs.pointer if used else " "
        name = shorten(row.link, link, look.glyphs.ellipsis)
        spans = [
            Span(mark if tight else f" {mark} ", "key"),
            Span(f"{name:<{link}} ", "strong" if used else "", f"figure:fabric.{row.link}"),
        ]
        for name, speed, quality in (
            ("tp", row.relative_speed_tp, row.quality_tp),
            ("pp", row.relative_speed_pp, row.quality_pp),
            ("dp", row.relative_speed_dp, row.quality_dp),
        ):
            action = f"figure:fabric.{row.link}.relative_speed_{name}"
            spans += _left(speed, quality, cell, bar, look, action)
        spans[-1] = spans[-1]._replace(text=spans[-1].text.rstrip())
        return tuple(spans)

    return lines + _placed(rows, cells)


def _left(
    speed: float | None, quality: FabricQuality | None, cell: int, bar: int, look: Look, action: str
) -> list[Span]:
    if speed is None or quality is None:
        return [Span(f"{look.glyphs.dash:<{cell}}", "dim")]
    style = QUALITY_STYLE[quality]
    amount = f"{percent(speed):>5} " if cell > 13 else f"{percent(speed).replace(' ', ''):>4} "
    spans = [Span(amount, "figure", action)]
    if bar:
        cells = max(1, round(min(1.0, speed) * bar))
        spans += [
            Span(look.glyphs.bar * cells, style or "accent"),
            Span(look.glyphs.bar_rest * (bar - cells) + " ", "rest"),
        ]
    used = sum(len(span.text) for span in spans)
    return [*spans, Span(f"{quality:<{cell - used}}", style)]


def notes(sizing: Sizing, look: Look, rows: Sequence[FabricRow]) -> list[Line]:
    """How to read the tables, and what stands behind the bandwidth of the links in use."""
    lines: list[Line] = []
    bullet = f" {look.glyphs.bullet} "
    for row in rows:
        if row.in_use:
            where = "in the box" if row.in_use == "intra" else "between boxes"
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
    told = [_meaning(sizing)]
    told.append(
        "fine: 85 % of the speed or more is kept; viable: 60 %; painful: 25 %; unusable: less. Kept is against the best "
        "link of the catalog."
    )
    told.append(
        "Latency is the link's own, where its maker or a measurement states it. Start-up is what the smallest message "
        "takes through the collectives library: launch and protocol too."
    )
    told.append("GB/s counts one way for each GPU: a figure printed for both ways is halved. The bar is a log scale.")
    if sizing.scenario.workload.is_inference:
        told.append("Replicas of a served model share no traffic: a router sends them text, so DP costs nothing.")
    for words in told:
        lines += paragraphs(words, look.width - 3, "dim", "   ", bullet)
    return lines


def _meaning(sizing: Sizing) -> str:
    """What the time, the share and the speed of a row count."""
    if sizing.scenario.workload.is_inference:
        counted = "Time: all collectives of a token. Lost and kept: with those of the prompts read between tokens."
    else:
        counted = "Time: all collectives of a step, hidden or not. Lost and kept: only what does not hide."
    if sizing.scenario.hardware.nodes > 1:
        return f"{counted} Each link stands in its place, in the boxes or between them."
    return f"{counted} A link between boxes is shown as if it joined two halves of this one."


def shown_links(sizing: Sizing, look: Look) -> tuple[FabricRow, ...]:
    """This hardware's links and the articles' six; all links of the catalog where the person asked for them."""
    every = look.studies is not None and look.studies.every_link
    return sizing.fabric if every else article_links(sizing.fabric)


def others(sizing: Sizing, look: Look) -> list[Line]:
    """The line that shows all links of the catalog, and puts those away again that are not usual."""
    more = len(sizing.fabric) - len(article_links(sizing.fabric))
    if look.studies is None or not more:
        return []
    opens = not look.studies.every_link
    words = f"{more} more links of the catalog" if opens else f"{more} links beside the usual ones"
    tail = "  show" if opens else "  hide"
    mark = look.glyphs.pointer if opens else look.glyphs.bullet
    return [line(f" {mark} ", Span(words, "link", "links:turn"), Span(tail, "key", "links:turn"), ("  m", "key"))]


def fabric(sizing: Sizing, look: Look) -> list[Line]:
    """The page: the layout in use and what is lost on each link with it, TP, PP and DP across, the drop, what is meant."""
    rows = shown_links(sizing, look)
    lines = overview.fabric(sizing, look, here=True)
    if not rows:
        return lines
    assumed = next((row.assumed for row in rows if row.assumed), "")
    if assumed:
        lines += paragraphs(f"{assumed[:1].upper()}{assumed[1:]}.", look.width - 1, "warn", " ", " ")
    lines += [BLANK, *times(sizing, look, rows), *others(sizing, look), BLANK]
    lines += [*across(look, rows), BLANK]
    fall = drop(sizing, look)
    lines += [*fall, BLANK] if fall else []
    picture = bandwidths(sizing, look, rows)
    lines += [*picture, BLANK] if picture else []
    return lines + notes(sizing, look, rows)
