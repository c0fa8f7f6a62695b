"""The What if page: one input swept, the chosen figure as a chart, and where the verdict changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.decide.what_if import LINK_FIELDS, Figure, SweepPoint, Value, fields, figures
from engine.scenario import Scenario
from engine.sizing import Sizing
from tui.pages.charts import joined
from tui.pages.doc import BLANK, Line, Span, flow, heading, line, paragraphs, shorten, shorten_name, width_of
from tui.pages.glyphs import Glyphs
from tui.pages.look import Look
from tui.pages.studies import Sweep
from tui.pages.words import count, days, percent, rate, seconds, usd

FIELD_WORDS = {
    "workload.concurrency": ("users", "users at once"),
    "workload.input_tokens": ("prompt", "tokens of the prompt"),
    "workload.output_tokens": ("answer", "tokens of the answer"),
    "workload.sequence_length": ("sequence", "tokens of a sequence"),
    "workload.micro_batch": ("micro-batch", "sequences of a micro-batch"),
    "hardware.gpus_per_node": ("GPUs", "GPUs in a node"),
    "hardware.nodes": ("nodes", "nodes"),
    "hardware.intra_link": ("link in node", "the link in a node"),
    "hardware.inter_link": ("link of nodes", "the link between nodes"),
}
FIGURE_WORDS: dict[Figure, tuple[str, Callable[[float], str]]] = {
    "tokens_per_s_total": ("tok/s in all", rate),
    "tokens_per_s_user": ("tok/s a user", rate),
    "ttft_s": ("first token", seconds),
    "max_users": ("users fit", count),
    "memory_share": ("memory", percent),
    "usd_per_million_tokens": ("$/M tokens", usd),
    "tokens_per_s_gpu": ("tok/s a GPU", rate),
    "days": ("run", days),
    "mfu": ("MFU", percent),
    "run_usd": ("run, rented", usd),
}
FIGURE_IDS: dict[Figure, str] = {
    "tokens_per_s_user": "serving.tokens_per_s_user",
    "ttft_s": "serving.ttft_s",
    "max_users": "memory.users_that_fit",
    "memory_share": "ratio(memory.used_bytes,memory.usable_bytes)",
    "usd_per_million_tokens": "cost.usd_per_million_tokens",
    "tokens_per_s_gpu": "training.tokens_per_s_gpu",
    "mfu": "training.mfu",
    "run_usd": "cost.run_usd",
}
"""The ids of their workings; tokens_per_s_total and days are of whichever the work is."""
HEIGHT = 8
EIGHTHS = " ▁▂▃▄▅▆▇█"
ASCII_PARTS = " ...::::#"


def what_if(sizing: Sizing, look: Look, sweep: Sweep) -> list[Line]:
    """The page."""
    scenario = sizing.scenario
    field, figure = sweep.of(scenario), sweep.shown(scenario)
    stale = sweep.stale(scenario)
    points = sweep.points if sweep.swept == field else []
    state = _legend(look.glyphs)
    if stale or sweep.running:
        state = f"sweeping, {sweep.done} of {sweep.expected}" if sweep.running and not stale else "about to sweep"
    lines = [heading("WHAT IF", look.width, look.glyphs.rule, state, "warn" if stale or sweep.running else "dim")]
    lines += _choices("change", [(key, FIELD_WORDS[key][0]) for key in fields(scenario)], field, "sweep", look)
    offered = figures(scenario)
    lines += _choices("show", [(name, FIGURE_WORDS[name][0]) for name in offered], figure, "show", look)
    if not points:
        return lines
    now = sweep.now
    if field in LINK_FIELDS:
        return [*lines, BLANK, *_bars(scenario, points, figure, now, field, look)]
    lines += _chart(points, figure, now, sweep, look)
    return [*lines, *_flips(sweep, field, look), BLANK, *_table(scenario, points, figure, now, field, look)]


def _opens(field: str, point: SweepPoint, name: Figure, now: Value, scenario: Scenario) -> str:
    """What opens a figure of a point: the working of the build at that value."""
    section = "serving" if scenario.workload.is_inference else "training"
    figure = f"{section}.{name}" if name in ("days", "tokens_per_s_total") else FIGURE_IDS[name]
    return f"figure:{figure}" if point.value == now else f"figure:at:{field}={point.value}@{figure}"


def _legend(glyphs: Glyphs) -> str:
    carried, not_carried = (EIGHTHS[-1], glyphs.activations) if glyphs.unicode else (ASCII_PARTS[-1], glyphs.over)
    return f"all else kept; {carried} carries it, {not_carried} does not"


def _choices(label: str, offered: Sequence[tuple[str, str]], current: str, verb: str, look: Look) -> list[Line]:
    spans = [Span(f" {label:<7}", "dim")]
    for key, words in offered:
        style = "tab-on" if key == current else "link"
        spans += [Span(words.replace(" ", "\u00a0"), style, f"{verb}:{key}"), Span("  ")]
    return flow(spans, look.width, " " * 8)


# --- chart


def _chart(points: Sequence[SweepPoint], figure: Figure, now: Value, sweep: Sweep, look: Look) -> list[Line]:
    glyphs = look.glyphs
    words = FIGURE_WORDS[figure][1]
    amounts = [point.figure(figure) for point in points]
    known = [value for value in amounts if value is not None]
    top = max(known, default=0.0) or 1.0
    axis = 1 + max(len(words(top)), len(words(top / 2)))
    across = max(len(points), look.width - axis - 3)
    cells = [at * len(points) // across for at in range(across)]  # which point each column of cells shows
    first_cell = {index: cells.index(index) for index in set(cells)}
    edges = _edges(points, sweep, first_cell)
    edge_glyph = glyphs.column
    lines: list[Line] = []
    for row in range(HEIGHT, 0, -1):
        label = words(top) if row == HEIGHT else words(top / 2) if row == HEIGHT // 2 else ""
        spans = [Span(f"{label:>{axis}} ", "dim"), Span(edge_glyph, "rule")]
        for at, index in enumerate(cells):
            value = amounts[index]
            eighths = 0 if value is None else round(value / top * HEIGHT * 8) - (row - 1) * 8
            if row == 1 and value:
                eighths = max(1, eighths)
            part = max(0, min(8, eighths))
            if at in edges and not part:
                spans.append(Span(edge_glyph, "key"))
            else:
                style = "accent" if points[index].carries else "over"
                spans.append(Span(_part(part, points[index].carries, glyphs), style))
        lines.append(joined(spans))
    lines.append(line((" " * (axis + 1) + ("└" if glyphs.unicode else "+") + glyphs.rule * across, "rule")))
    lines += _scale(points, first_cell, edges, across, axis + 2, now, glyphs)
    return lines


def _part(eighths: int, carries: bool, glyphs: Glyphs) -> str:
    """A cell of a column: solid where the build carries the workload, hatched where it does not."""
    if not glyphs.unicode:
        return ASCII_PARTS[eighths] if carries or eighths < 8 else glyphs.over
    return EIGHTHS[eighths] if carries or eighths < 8 else glyphs.activations


def _edges(points: Sequence[SweepPoint], sweep: Sweep, first_cell: dict[int, int]) -> dict[int, list[int]]:
    """The cells where flip points lie, and the numbers of those in each."""
    found: dict[int, list[int]] = {}
    for number, flip in enumerate(sweep.flips, 1):
        index = next((at for at, point in enumerate(points) if _reached(point.value, flip.first)), None)
        if index is not None and index in first_cell:
            found.setdefault(first_cell[index], []).append(number)
    return found


def _reached(value: Value, first: Value) -> bool:
    return value >= first if isinstance(value, int) and isinstance(first, int) else value == first


def _scale(
    points: Sequence[SweepPoint],
    first_cell: dict[int, int],
    edges: dict[int, list[int]],
    across: int,
    indent: int,
    now: Value,
    glyphs: Glyphs,
) -> list[Line]:
    """Values along the axis, where the entered one stands, and the numbers of the flip points."""
    ends_with = _value(points[-1].value)
    text = [" "] * across
    free = 0
    for index in _landmarks(points, now):
        if index == len(points) - 1:
            continue
        label, at = _value(points[index].value), first_cell[index]
        if at >= free and at + len(label) + 2 <= across - len(ends_with):
            text[at : at + len(label)] = label
            free = at + len(label) + 2
    if len(points) > 1:
        text[across - len(ends_with) :] = ends_with
    row = [(" ", "")] * across
    here = next((first_cell[at] for at, point in enumerate(points) if point.value == now), None)
    if here is not None:
        words = f"{glyphs.up} now {_value(now)}"
        start = here if here + len(words) <= across else here - len(words) + 1
        if start < here:
            words = f"now {_value(now)} {glyphs.up}"
        for offset, char in enumerate(words):
            row[start + offset] = (char, "strong")
    lines = [line((" " * indent + "".join(text).rstrip(), "dim")), joined([Span(" " * indent), *_spans(row)])]
    if edges:
        marks, free = [(" ", "")] * across, 0
        for at in sorted(edges):
            for number in edges[at]:  # one blank between neighbours: 1 2, not 12
                start = min(max(at, free), across - len(str(number)))
                marks[start : start + len(str(number))] = [(digit, "key") for digit in str(number)]
                free = start + len(str(number)) + 1
        lines.append(joined([Span(f"{'flips':<{indent}}", "dim"), *_spans(marks)]))
    return lines


def _spans(cells: Sequence[tuple[str, str]]) -> list[Span]:
    return [Span(char, style) for char, style in cells]


def _landmarks(points: Sequence[SweepPoint], now: Value) -> list[int]:
    """The points to write out: the entered value and its doublings and halvings, or all where they are few."""
    if len(points) <= 12 or not isinstance(now, int):
        return list(range(len(points)))
    doublings = {round(now * 2.0**step) for step in range(-12, 13)}
    return [at for at, point in enumerate(points) if point.value in doublings]


def _value(value: Value) -> str:
    return value if isinstance(value, str) else f"{value:,}" if value < 10_000 else count(value)


# --- flips and points


def _flips(sweep: Sweep, field: str, look: Look) -> list[Line]:
    unit = FIELD_WORDS[field][1]
    lines = [heading("FLIP POINTS", look.width, look.glyphs.rule, unit)]
    if not sweep.flips:
        return [*lines, line((" None: the verdict is the same over the whole range.", "dim"))]
    for number, flip in enumerate(sweep.flips, 1):
        spans = [
            Span(f" {number} ", "key"),
            Span("up to ", ""),
            Span(_exact(flip.last), "link", f"take:{flip.last}"),
            Span(f": {flip.before}; from ", ""),
            Span(_exact(flip.first), "link", f"take:{flip.first}"),
            Span(f": {flip.after}", ""),
        ]
        lines += flow(spans, look.width, "   ")
    return lines


def _exact(value: Value) -> str:
    return value if isinstance(value, str) else f"{value:,}"


def _table(
    scenario: Scenario, points: Sequence[SweepPoint], figure: Figure, now: Value, field: str, look: Look
) -> list[Line]:
    """The figures behind the chart, at a few values; Enter takes one."""
    glyphs = look.glyphs
    lines = [heading("THE FIGURES", look.width, glyphs.rule, "Enter takes a value")]
    offered = figures(scenario)
    shown = [points[at] for at in sorted({*_landmarks(points, now), len(points) - 1}) if at >= 0]

    def text(point: SweepPoint, name: Figure) -> str:
        amount = point.figure(name)
        return glyphs.dash if amount is None else FIGURE_WORDS[name][1](amount)

    columns: list[tuple[Figure, int]] = []
    room = look.width - 3 - 8 - 4 - min(16, max(len(point.verdict) for point in shown))
    for name in [figure, *(name for name in offered if name != figure)]:
        wide = 2 + max(len(FIGURE_WORDS[name][0]), *(len(text(point, name)) for point in shown))
        if wide > room and columns:
            break
        columns.append((name, wide))
        room -= wide
    heads = "".join(f"{FIGURE_WORDS[name][0]:>{wide}}" for name, wide in columns)
    lines.append(line((f"   {'value':>7} {heads}", "dim")))
    for point in shown:
        here = point.value == now
        spans = [
            Span(f" {glyphs.pointer if here else ' '} ", "key"),
            Span(f"{_value(point.value):>7} ", "strong" if here else "link", f"take:{point.value}"),
        ]
        for name, wide in columns:
            known = point.figure(name) is not None
            opens = _opens(field, point, name, now, scenario) if known else ""
            spans.append(Span(f"{text(point, name):>{wide}}", "figure" if known else "dim", opens))
        mark = glyphs.yes if point.carries else glyphs.no
        words = shorten(point.verdict, max(4, look.width - width_of(spans) - 4), glyphs.ellipsis)
        lines.append((*spans, Span(f"  {mark} ", "good" if point.carries else "bad"), Span(words, "dim")))
    return lines


def _bars(
    scenario: Scenario, points: Sequence[SweepPoint], figure: Figure, now: Value, field: str, look: Look
) -> list[Line]:
    """A sweep over links: a bar each, widest link first."""
    glyphs = look.glyphs
    title, words = FIGURE_WORDS[figure]
    name = min(20, max(len(str(point.value)) for point in points))
    known = [value for value in (point.figure(figure) for point in points) if value is not None]
    top = max(known, default=0.0) or 1.0
    figures = max([len(title), *(len(words(value)) for value in known)])
    room = max(4, look.width - 3 - name - figures - 3 - 22)
    lines = [line((f"   {'link':<{name}} {title:>{figures}}", "dim"))]
    before = ""
    for point in points:
        here = point.value == now
        amount = point.figure(figure)
        text = glyphs.dash if amount is None else words(amount)
        cells = 0 if amount is None else max(1, round(amount / top * room))
        verdict = point.verdict
        tail = shorten(verdict, 20, glyphs.ellipsis) if verdict != before else ""
        before = verdict
        lines.append(
            line(
                (f" {glyphs.pointer if here else ' '} ", "key"),
                Span(
                    f"{shorten_name(str(point.value), name, glyphs.ellipsis):<{name}} ",
                    "strong" if here else "link",
                    f"take:{point.value}",
                ),
                Span(f"{text:>{figures}} ", "figure", _opens(field, point, figure, now, scenario) if amount else ""),
                (glyphs.bar * cells, "accent" if point.carries else "over"),
                (" " * (room - cells) + " ", ""),
                (glyphs.yes if point.carries else glyphs.no, "good" if point.carries else "bad"),
                (f" {tail}", "dim"),
            )
        )
    note = "Enter takes a link. A verdict is written where it changes."
    return [*lines, BLANK, *paragraphs(note, look.width - 1, "dim", " ", " ")]
