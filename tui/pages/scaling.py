"""The Scaling page: efficiency of each shape of build, time and money against GPUs, and what one more GPU is worth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from engine.decide.scaling import FLOOR
from engine.decide.training_scaling import ScalingPoint, StrongScaling
from engine.sizing import ScalingRow, Sizing
from tui.pages import charts, drawn
from tui.pages.charts import draw, joined
from tui.pages.doc import BLANK, Line, Span, flow, heading, line, paragraphs, shorten
from tui.pages.look import Look, sentence, spans_of
from tui.pages.serving_scaling import serving, shape_words
from tui.pages.words import count, digits, rate, seconds, short_usd, usd

if TYPE_CHECKING:
    from engine.decide.prospects import Prospects
    from tui.pages.scaling_study import ScalingStudy

DAY_S = 86400
CHART_HEIGHT = 9
ROOM_KEPT = 36
"""Lines kept free for the curve and what follows it until they are worked out."""


def scaling(sizing: Sizing, look: Look, study: ScalingStudy | None) -> list[Line]:
    """The page. study: what is worked out beside the sizing; None where nothing works it out."""
    if sizing.scenario.workload.is_inference:
        return serving(sizing, look, study)
    lines = [*this_build(sizing, look), BLANK]
    if study is not None and study.prospects is not None:
        stale = study.stale(sizing.scenario)
        found = study.prospects
        asked = found.smallest is not None
        lines += [*smallest(found, look, stale), BLANK] if asked else []
        lines += [*curve(found, sizing, look, stale), BLANK]
        lines += [*drawn.efficiency(found.curve.points, look), BLANK]
        lines += [] if asked else [*smallest(found, look, stale), BLANK]
        lines += [*long_or_short(found, look), BLANK]
    elif study is not None:
        lines += [heading("TIME AGAINST GPUS", look.width, look.glyphs.rule, "about to work it out", "dim")]
        lines += [BLANK] * ROOM_KEPT  # what stands below would be sent twice
    return [*lines, *table(sizing, look)]


def _per_gpu(value: float) -> str:
    return f"{value:.2f}"


def _bar(value: float, room: int, look: Look, fits: bool = True) -> list[Span]:
    """A share of `room` cells with the floor drawn in; hatched where the build does not hold the training."""
    glyphs = look.glyphs
    filled, floor = min(room, round(value * room)), round(FLOOR * room)
    full = glyphs.bar if fits else glyphs.runtime
    cells = full * filled + glyphs.bar_rest * (room - filled)
    style = "rest" if not fits else "warn" if value < FLOOR else "accent"
    spans = [Span(cells[: min(floor, filled)], style), Span(cells[min(floor, filled) : floor], "rest")]
    spans.append(Span(glyphs.edge, "mark"))
    return [*spans, Span(cells[floor : max(floor, filled)], style), Span(cells[max(floor, filled) :], "rest")]


# --- this build


def this_build(sizing: Sizing, look: Look) -> list[Line]:
    """The build as entered against one GPU, and what Amdahl's law makes of it."""
    run, hardware, glyphs = sizing.training, sizing.scenario.hardware, look.glyphs
    lines = [heading("THIS BUILD", look.width, glyphs.rule, "speed of a GPU against one alone")]
    if run is None or not sizing.memory.fits:
        return [*lines, line((" No speed: the build does not hold the training.", "bad"))]
    shape = f"{hardware.nodes} {glyphs.times} {hardware.gpus_per_node} GPU" if hardware.nodes > 1 else "1 node, "
    if hardware.nodes == 1:
        shape += f"{hardware.gpus_per_node} GPU"
    room = max(10, min(40, look.width - len(shape) - 10))
    lines.append(
        line(
            Span(f" {shape} ", "strong"),
            *_bar(run.efficiency, room, look),
            Span(f" {_per_gpu(run.efficiency)}", "figure", "figure:training.efficiency"),
        )
    )
    if hardware.gpus > 1 and run.serial_share > 0:
        lines += flow(
            [
                Span(" Amdahl's serial share is "),
                Span(_share(run.serial_share), "figure", "figure:training.serial_share"),
                Span(": "),
                Span(f"{count(hardware.gpus)} GPUs", "", "figure:build.gpus"),
                Span(" do the work of "),
                Span(digits(run.gpus_worth), "figure", "figure:training.gpus_worth"),
                Span(", and no number of them would do that of more than "),
                Span(count(run.most_gpus_worth or 0.0), "figure", "figure:training.most_gpus_worth"),
                Span("."),
            ],
            look.width,
        )
    elif hardware.gpus == 1:
        lines += paragraphs("One GPU shares nothing: it is the baseline.", look.width - 1, "dim", " ", " ")
    return lines


def _share(value: float) -> str:
    return f"{100 * value:.2g} %"


# --- the curve


def curve(found: Prospects, sizing: Sizing, look: Look, stale: bool) -> list[Line]:
    """Time to finish against GPUs, log-log, cost under each point, and where adding GPUs stops paying."""
    glyphs, points = look.glyphs, found.curve.points
    state = "about to work it out anew" if stale else f"log-log, in nodes of {found.per_node}"
    lines = [heading("TIME AGAINST GPUS", look.width, glyphs.rule, state, "warn" if stale else "dim")]
    if not points:
        return lines
    held = [point for point in points if point.fits]
    if not held:
        words = f"Up to {count(points[-1].gpus)} of these GPUs do not hold the training."
        return [*lines, *paragraphs(words, look.width - 1, "bad", " ", " ")]
    if len(held) > 1:
        lines += chart(held, found.curve.stops_paying, sizing.scenario.hardware.gpus, look)
        lines += legend(found.curve, look)
    lines += sentence(found.curve.words, look.width, "strong")
    last = points[-1]
    spans = [
        Span(" Amdahl's serial share up to "),
        Span(f"{count(last.gpus)} GPUs", "", f"figure:curve.{last.gpus}.efficiency"),
        Span(": "),
        Span(_share(found.curve.serial_share), "figure", "figure:curve.serial_share"),
        Span("."),
    ]
    if found.curve.serial_share > 0:
        least = Span(_time(found.curve.least_days), "figure", "figure:curve.least_days")
        spans += [Span(" The run cannot take less than "), least, Span(", however many.")]
    lines += flow(spans, look.width)
    return [*lines, *_points(found, sizing, look)]


def _time(days: float) -> str:
    return seconds(days * DAY_S)


def _short_time(days: float) -> str:
    return seconds(days * DAY_S, "m", "d")


def chart(points: Sequence[ScalingPoint], stop: int | None, own: int, look: Look) -> list[Line]:
    """The curve drawn: a mark at each count, a line through them, the ideal beneath it. stop: a wall where adding stops paying."""
    glyphs = look.glyphs
    labels = [_short_time(points[0].days), _short_time(points[-1].days)]
    axis = max(len(text) for text in labels) + 1
    across = max(12, look.width - axis - 6)
    low, high = _ends(points)
    span = max(1e-9, high - low)
    reach = max(1e-9, math.log2(points[-1].gpus / points[0].gpus))

    def column(gpus: float) -> float:
        return math.log2(gpus / points[0].gpus) / reach * (across - 1)

    def row(days: float) -> float:
        return (high - math.log10(days)) / span * (CHART_HEIGHT - 1)

    cells = [[(" ", "")] * across for _ in range(CHART_HEIGHT)]
    if stop is not None and points[0].gpus <= stop <= points[-1].gpus:
        at = round(column(stop))
        for cell in cells:
            cell[at] = (glyphs.column, "key")
    ideal = [(point.gpus, points[0].days / point.gpus * points[0].gpus) for point in points]
    draw(cells, [(column(gpus), row(days)) for gpus, days in ideal], "rest", glyphs)
    draw(cells, [(column(point.gpus), row(point.days)) for point in points], "accent", glyphs)
    for point in points:
        here = point.gpus == own
        mark = (glyphs.unsaved, "strong" if here else "good")
        cells[round(row(point.days))][round(column(point.gpus))] = mark
    lines: list[Line] = []
    named = {round(row(points[-1].days)): labels[1], 0: labels[0]}
    for at, row_cells in enumerate(cells):
        label = named.get(at, "")
        spans = [Span(char, style) for char, style in row_cells]
        lines.append(joined([Span(f"{label:>{axis}} ", "dim"), Span(glyphs.column, "rule"), *spans]))
    lines.append(line((" " * (axis + 1) + glyphs.column + glyphs.rule * across, "rule")))
    places = [round(column(point.gpus)) for point in points]
    gpus = [(str(point.gpus), "strong" if point.gpus == own else "") for point in points]
    lines.append(_under("GPUs", places, gpus, axis, across))
    if all(point.cost_usd is not None for point in points):
        costs = [(short_usd(point.cost_usd or 0.0), "figure") for point in points]
        lines.append(_under("cost", places, costs, axis, across))
    return lines


def _ends(points: Sequence[ScalingPoint]) -> tuple[float, float]:
    """log10 of the fewest and the most days, the ideal's end included."""
    days = [point.days for point in points] + [points[0].days * points[0].gpus / points[-1].gpus]
    return math.log10(min(days)), math.log10(max(days))


def _under(label: str, places: Sequence[int], texts: Sequence[tuple[str, str]], axis: int, across: int) -> Line:
    """Words under the places of the points, those left out that would touch their neighbour."""
    width = across + 4
    row: list[tuple[str, str]] = [(" ", "")] * width
    taken = -2
    for number, (at, (text, style)) in enumerate(zip(places, texts, strict=True)):
        start = max(0, min(at - len(text) // 2, width - len(text)))
        last = number == len(places) - 1
        if start <= taken + 1:
            if not last:
                continue
            row[start - 2 :] = [(" ", "")] * (width - start + 2)
            while start >= 3 and row[start - 3][0] != " ":  # the rest of a word that was cut
                start_of_word = start - 3
                while start_of_word >= 0 and row[start_of_word][0] != " ":
                    row[start_of_word] = (" ", "")
                    start_of_word -= 1
        for offset, char in enumerate(text):
            row[start + offset] = (char, style)
        taken = start + len(text) - 1
    return joined([Span(f"{label:>{axis}}  ", "dim"), *(Span(char, style) for char, style in row)])


def legend(found: StrongScaling, look: Look) -> list[Line]:
    """What the marks of the chart mean."""
    glyphs = look.glyphs
    marks = [(glyphs.unsaved, "good", "holds the training", "")]
    if found.stops_paying is not None:
        marks.append((glyphs.column, "key", "adding GPUs stops paying", ""))
    return charts.legend([*marks, ("", "", "faint: no GPU loses anything", "")], look)


def _points(found: Prospects, sizing: Sizing, look: Look) -> list[Line]:
    """The figures behind the curve."""
    glyphs, own = look.glyphs, sizing.scenario.hardware.gpus
    wide = look.width >= 74
    head = f"   {'GPUs':>5} {'time':>9} {'cost':>10} {'each':>5} {'added':>6}"
    lines: list[Line] = [line((head + (f" {'GPU-hours':>10}  layout" if wide else "  layout"), "dim"))]
    for point in found.curve.points:
        here, layout = point.gpus == own, point.layout
        style = "strong" if here else "" if point.fits else "dim"
        if not point.fits:
            dashes = f"{glyphs.dash:>9} {glyphs.dash:>10} {glyphs.dash:>5} {glyphs.dash:>6}"
            lines.append(
                line(
                    (f" {glyphs.pointer if here else ' '} ", "key"),
                    (f"{point.gpus:>5} ", style),
                    (f"{dashes}{f' {glyphs.dash:>10}' if wide else ''}  too small", "dim"),
                )
            )
            continue
        figure, opens = "figure", f"figure:curve.{point.gpus}."
        cost = glyphs.dash if point.cost_usd is None else usd(point.cost_usd)
        added = "" if point.gpus == 1 else _per_gpu(point.marginal)
        layout = point.layout
        parts = [
            f"{name}{size}" for name, size in (("TP", layout.tp), ("PP", layout.pp), ("DP", layout.dp)) if size > 1
        ]
        shape = " ".join(parts) or "alone"
        spans = [
            Span(f" {glyphs.pointer if here else ' '} ", "key"),
            Span(f"{point.gpus:>5} ", style),
            Span(f"{_time(point.days):>9}", figure, f"{opens}days"),
            Span(f" {cost:>10} ", figure, f"{opens}cost_usd" if point.cost_usd is not None else ""),
            Span(f"{_per_gpu(point.efficiency):>5}", figure, f"{opens}efficiency"),
            Span(" ", style),
            Span(f"{added:>6}", "warn" if point.marginal < FLOOR else figure, f"{opens}marginal"),
            Span(f" {rate(point.gpu_hours):>10}" if wide else "", figure, f"{opens}gpu_hours"),
            Span(f"  {shape}", style),
        ]
        lines.append(tuple(spans))
    words = " each: speed of a GPU against one alone; added: what the last added GPUs do of their full work"
    spans = [Span(words, "dim")]
    if found.usd_per_gpu_hour is not None:
        entered = sizing.scenario.money.usd_per_gpu_hour is not None
        spans += [
            Span(". Costs at ", "dim"),
            Span(f"${found.usd_per_gpu_hour:,.2f}", "figure", "figure:curve.usd_per_gpu_hour"),
            Span(f" a GPU-hour, {'entered' if entered else 'the median on-demand offer'}.", "dim"),
        ]
    else:
        spans.append(Span(". No rental price is known for this GPU: a price of your own gives costs.", "dim"))
    return lines + flow(spans, look.width)


# --- time and money


def smallest(found: Prospects, look: Look, stale: bool) -> list[Line]:
    """The smallest build that is in time and within the budget, or a clear no."""
    glyphs = look.glyphs
    lines = [heading("SMALLEST BUILD IN TIME", look.width, glyphs.rule, "about to look anew" if stale else "", "warn")]
    if found.smallest is None:
        lines += paragraphs(found.no_smallest, look.width - 1, "dim", " ", " ")
    else:
        mark, style = (glyphs.yes, "good") if found.smallest.found else (glyphs.no, "bad")
        text = "dim" if stale else style
        lines += sentence(found.smallest.words, look.width - 1, text, "   ", f" {mark} ", first_style=style)
        made = found.smallest.plan
        if found.smallest.found and made is not None:
            hardware = made.scenario.hardware
            spans = [Span("   "), Span(glyphs.arrow + " ", "dim")]
            layout = made.layout
            parts = [
                f"{name} {size}" for name, size in (("TP", layout.tp), ("PP", layout.pp), ("DP", layout.dp)) if size > 1
            ]
            words = f"{hardware.nodes} {glyphs.times} {hardware.gpus_per_node} {hardware.accelerator.id}"
            spans += [Span(words, "figure"), Span(f", {' '.join(parts) or 'one GPU'}, {made.memory.headroom}", "dim")]
            lines += flow(spans, look.width, "     ")
    return lines


def long_or_short(found: Prospects, look: Look) -> list[Line]:
    """A long run on one GPU against a short one on many."""
    glyphs = look.glyphs
    lines = [heading("LONG OR SHORT", look.width, glyphs.rule, "one GPU or many, at hourly prices")]
    choice = found.choice
    if choice is None:
        return [*lines, *paragraphs("Neither price nor offer is known for this GPU.", look.width - 1, "dim", " ", " ")]
    for who, option in (("one", choice.one), ("many", choice.many)):
        name = f"{option.gpus} GPU{'s' * (option.gpus != 1)}"
        tail = "" if option.fits else f"  {glyphs.no} too small"
        lines += flow(
            line(
                f" {name:<9} ",
                Span(f"{_time(option.days):>9}  ", "figure" if option.fits else "dim", f"figure:choice.{who}.days"),
                Span(f"{usd(option.cost_usd):>9}", "figure" if option.fits else "dim", f"figure:choice.{who}.cost_usd"),
                Span(
                    f"  at ${option.usd_per_gpu_hour:,.2f} a GPU-hour", "dim", f"figure:choice.{who}.usd_per_gpu_hour"
                ),
                (tail, "bad"),
            ),
            look.width,
            " " * 11,
        )
    lines += sentence(choice.words, look.width)
    held = next((point for point in found.curve.points if point.fits), None)
    if not choice.one.fits and held is not None:
        of = f"figure:curve.{held.gpus}."
        spans = [
            Span(" The fewest of the curve that hold it are "),
            Span(f"{held.gpus} GPUs", "", f"{of}gpu_hours"),
            Span(": "),
            Span(_time(held.days), "figure", f"{of}days"),
        ]
        if held.cost_usd is not None:
            spans += [Span(", "), Span(usd(held.cost_usd), "figure", f"{of}cost_usd")]
        lines += flow([*spans, Span(".")], look.width)
    return lines


# --- the table


def table(sizing: Sizing, look: Look) -> list[Line]:
    """Every shape under each parallelism: efficiency with the floor drawn in, the article's figure, what is better."""
    glyphs = look.glyphs
    lines = [heading("SHAPES OF BUILD", look.width, glyphs.rule, "speed of a GPU against one alone")]
    rows = sizing.scaling
    if not rows:
        return [*lines, line((" No shape to compare for this workload.", "dim"))]
    name = max(len(row.parallelism) for row in rows)
    room = max(8, min(40, look.width - name - 3 - 6 - 15))
    placed = list(enumerate(rows))
    for (nodes, gpus, fabric), group in groupby(placed, key=lambda one: (one[1].nodes, one[1].gpus, one[1].fabric)):
        lines += _group(list(group), shape_words(nodes, gpus, glyphs), fabric, name, room, look)
    words = (
        f"{glyphs.edge} is the floor of {FLOOR:.2f}: below it another shape is better. {glyphs.runtime * 3} the weights, "
        f"gradients and optimizer states alone are over the card. {glyphs.pointer} in use."
    )
    return lines + paragraphs(words, look.width - 1, "dim", " ", " ")


def _group(rows: list[tuple[int, ScalingRow]], shape: str, fabric: str, name: int, room: int, look: Look) -> list[Line]:
    glyphs = look.glyphs
    lines: list[Line] = []
    title = f" {shape}"
    if fabric:
        over = shorten(f"  over {fabric}", look.width - len(title) - 1, glyphs.ellipsis)
        lines.append(line((title, "strong"), (over, "dim")))
    for place, row in rows:
        style = "strong" if row.in_use else "" if row.fits else "dim"
        said = "" if row.article_efficiency is None else f"  article {row.article_efficiency:.2f}"
        lines.append(
            line(
                (f" {glyphs.pointer if row.in_use else ' '} ", "key"),
                (f"{row.parallelism:<{name}} ", style),
                *_bar(row.efficiency, room, look, row.fits),
                Span(
                    f" {_per_gpu(row.efficiency)}",
                    "figure" if row.fits else "dim",
                    f"figure:scaling.{place}",
                ),
                Span(said, "dim", f"figure:scaling.{place}.article" if said else ""),
            )
        )
    for better, under in groupby((row for _, row in rows if row.better), key=lambda row: row.better):
        names = " and ".join(row.parallelism for row in under)
        told = spans_of((f"under the floor: {names}; better: ", *better), "warn")
        lines += flow([Span("   ! ", "warn"), *told], look.width - 1, "     ")
    return lines
