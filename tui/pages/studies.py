"""The pages that look beyond the build at hand: builds found, pinned builds compared, and what-if sweeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from engine.scenario import Scenario
from engine.sizing import Sizing
from tui import numbers
from tui.doc import BLANK, Line, Span, heading, line, paragraphs, shorten
from tui.pages.sections import HEADROOM_STYLE, Look
from tui.pages.words import count, digits, gib, percent, rate, seconds, usd
from tui.store import with_value
from tui.studies import Point, Studies

ANSWERS = {
    "one-gpu": "one GPU",
    "one-node": "one node",
    "one-node-int4": "one node at INT4",
    "replicas": "replicas",
    "multi-node": "cluster",
    "frontier": "frontier",
    "does-not-fit": "does not fit",
}


def build_words(scenario: Scenario) -> str:
    """The hardware in short: 2x8 h100-sxm."""
    hardware = scenario.hardware
    nodes = f"{hardware.nodes}x" if hardware.nodes > 1 else ""
    return f"{nodes}{hardware.gpus_per_node} {hardware.accelerator.id}"


# --- builds ---------------------------------------------------------------------------------------


def builds(sizing: Sizing, look: Look, studies: Studies) -> list[Line]:
    """Builds of the whole catalog that carry this workload, the first of each kind, each to be opened."""
    glyphs = look.glyphs
    state = f"searching, {studies.tried} tried" if studies.searching else ""
    lines = [heading("BUILDS THAT CARRY THIS WORKLOAD", look.width, glyphs.rule, state)]
    if studies.builds_for != sizing.scenario and not studies.builds:
        return [*lines, line((" Searching the catalog.", "dim"))]
    if not studies.builds:
        return [
            *lines,
            *paragraphs("No build of the catalog carries it within the limits.", look.width - 1, "warn", " ", " "),
        ]
    groups: dict[Scenario, list[int]] = {}
    for number, found in enumerate(studies.builds):
        groups.setdefault(found.option.plan.scenario, []).append(number)
    for scenario, numbers_ in groups.items():
        found = studies.builds[numbers_[0]]
        option, layout = found.option, found.option.plan.layout
        action = f"build:{numbers_[0]}"
        ranks = ", ".join(studies.builds[number].rank for number in numbers_)
        lines += paragraphs(ranks, look.width - 1, "title", " ", " ")
        name = f"{build_words(scenario)}, {scenario.model.weights}"
        shape = f"   TP {layout.tp} PP {layout.pp} DP {layout.dp}   "
        lines.append(line("   ", Span(name, "link", action), (shape, "dim"), Span("open", "key", action)))
        figures = [
            f"buy {usd(option.buy_usd)}" if option.buy_usd is not None else "price to buy unknown",
            f"rent {usd(option.rent_usd_per_month)} a month"
            if option.rent_usd_per_month is not None
            else "rent unknown",
        ]
        if option.power_w is not None:
            figures.append(f"{digits(option.power_w / 1000)} kW")
        if option.tokens_per_usd is not None:
            figures.append(f"{count(option.tokens_per_usd)} tokens a $")
        lines += paragraphs(", ".join(figures), look.width - 3, "figure", "   ", "   ")
        lines.append(BLANK)
    lines += paragraphs("Enter or a click opens a build here; Ctrl+Z comes back.", look.width - 1, "dim", " ", " ")
    return lines


# --- compare --------------------------------------------------------------------------------------


class Row(NamedTuple):
    """One compared figure. best: picks the winner among numbers; None where nothing wins."""

    label: str
    words: Callable[[Sizing], str]
    number: Callable[[Sizing], float | None] = lambda sizing: None
    best: Callable[[list[float]], float] | None = None


def _serving(name: str) -> Callable[[Sizing], float | None]:
    return lambda sizing: getattr(sizing.serving, name) if sizing.serving is not None else None


def _training(name: str) -> Callable[[Sizing], float | None]:
    return lambda sizing: getattr(sizing.training, name) if sizing.training is not None else None


def _cost(name: str) -> Callable[[Sizing], float | None]:
    return lambda sizing: getattr(sizing.cost, name)


def _figure(label: str, number: Callable[[Sizing], float | None], words: Callable[[float], str], high: bool) -> Row:
    def text(sizing: Sizing) -> str:
        value = number(sizing)
        return "unknown" if value is None else words(value)

    return Row(label, text, number, max if high else min)


ROWS: tuple[Row, ...] = (
    Row("verdict", lambda sizing: ANSWERS.get(sizing.verdict.answer, sizing.verdict.answer)),
    Row("model", lambda sizing: sizing.scenario.model.id),
    Row("weights", lambda sizing: sizing.scenario.model.weights),
    Row("hardware", lambda sizing: build_words(sizing.scenario)),
    Row("layout", lambda sizing: f"TP{sizing.layout.tp} PP{sizing.layout.pp} DP{sizing.layout.dp}"),
    Row("headroom", lambda sizing: sizing.memory.headroom),
    _figure("GiB a GPU, used", lambda sizing: sizing.memory.worst.used_bytes, gib, False),
    _figure("share used", lambda s: s.memory.worst.used_bytes / s.memory.worst.total_bytes, percent, False),
    _figure("users that fit", lambda s: s.memory.max_concurrency or None, lambda v: count(int(v)), True),
    _figure("first token", _serving("ttft_s"), seconds, False),
    _figure("per token", _serving("inter_token_s"), seconds, False),
    _figure("tok/s a user", _serving("tokens_per_s_user"), rate, True),
    _figure("tok/s in all", _serving("tokens_per_s_total"), rate, True),
    _figure("run", _training("days"), lambda days: seconds(days * 86400), False),
    _figure("tok/s a GPU", _training("tokens_per_s_gpu"), rate, True),
    _figure("MFU", _training("mfu"), percent, True),
    _figure("GPU-hours", _training("gpu_hours"), rate, False),
    _figure("buy", _cost("buy_usd"), usd, False),
    _figure("rent an hour", _cost("rent_usd_per_hour"), usd, False),
    _figure("$ a M tokens", _cost("usd_per_million_tokens"), usd, False),
    _figure("power, W", lambda sizing: sizing.power.total_w, rate, False),
)


def compare(sizing: Sizing, look: Look, studies: Studies) -> list[Line]:
    """Pinned builds and the one at hand, side by side; the best of each row is marked."""
    glyphs = look.glyphs
    lines = [heading("COMPARE", look.width, glyphs.rule, "the best of a row is marked")]
    if not studies.pins:
        words = "Nothing is pinned. Press p in the results to pin this build, change the inputs, and compare here."
        return [*lines, *paragraphs(words, look.width - 1, "dim", " ", " ")]
    columns = [("now", sizing), *((pin.name, pin.sizing) for pin in studies.pins)]
    label = 16
    wide = max(9, (look.width - label - 1) // len(columns))
    shown = columns[: max(1, (look.width - label - 1) // wide)]
    spans = [Span(f" {'':<{label}}")]
    for name, _ in shown:
        spans.append(Span(f"{name:<{wide}}", "title"))
    lines.append(tuple(spans))
    for row in ROWS:
        texts = [row.words(entry) for _, entry in shown]
        if all(text == "unknown" for text in texts):
            continue
        values = [row.number(entry) for _, entry in shown]
        known = [value for value in values if value is not None]
        best = row.best(known) if row.best is not None and len(set(known)) > 1 else None
        spans = [Span(f" {row.label:<{label}}", "dim" if len(set(texts)) == 1 else "")]
        for text, value in zip(texts, values, strict=True):
            wins = best is not None and value == best
            mark = f" {glyphs.yes}" if wins else ""
            style = "good" if wins else "dim" if len(set(texts)) == 1 else "figure"
            short = shorten(text, wide - 1 - len(mark), glyphs.ellipsis)
            spans.append(Span(f"{short + mark:<{wide}}", style))
        lines.append(tuple(spans))
    lines.append(BLANK)
    for pin in studies.pins:
        title = pin.scenario.title or pin.sizing.verdict.headline
        lines.append(
            line(
                Span(f" {pin.name} ", "title"),
                Span("open", "key", f"pin:{pin.name}"),
                "  ",
                Span("forget", "key", f"unpin:{pin.name}"),
                (f"  {shorten(glyphs.text(title), look.width - 20, glyphs.ellipsis)}", "dim"),
            )
        )
    return lines


# --- what if --------------------------------------------------------------------------------------

SWEEPS: tuple[tuple[str, str], ...] = (
    ("workload.concurrency", "users at once"),
    ("workload.input_tokens", "prompt tokens"),
    ("workload.output_tokens", "answer tokens"),
    ("hardware.gpus_per_node", "GPUs per node"),
    ("hardware.nodes", "nodes"),
    ("workload.sequence_length", "sequence tokens"),
    ("workload.micro_batch", "micro-batch"),
)


def sweeps(scenario: Scenario) -> list[tuple[str, str]]:
    """The inputs that can be swept for this kind of work."""
    training = ("workload.sequence_length", "workload.micro_batch")
    serving = ("workload.concurrency", "workload.input_tokens", "workload.output_tokens")
    left_out = training if scenario.workload.is_inference else serving
    return [entry for entry in SWEEPS if entry[0] not in left_out]


def sweep_values(scenario: Scenario, key: str) -> list[float]:
    """Powers of two around the entered value, that value among them."""
    section, _, name = key.partition(".")
    entered = getattr(getattr(scenario, section), name)
    limit = 16 if section == "hardware" else scenario.model.architecture.max_position
    if key == "workload.concurrency":
        limit = max(4096, entered * 8)
    start = 1 if section == "hardware" or key == "workload.micro_batch" else max(1, entered // 32)
    values = {entered}
    value = 1
    while value <= limit:
        if value >= start:
            values.add(value)
        value *= 2
    return sorted(values)[:16]


def what_if(sizing: Sizing, look: Look, studies: Studies) -> list[Line]:
    """One input swept: speed and room at each value, and where the verdict changes."""
    glyphs = look.glyphs
    scenario = sizing.scenario
    offered = sweeps(scenario)
    key, words = next((entry for entry in offered if entry[0] == studies.sweep_key), offered[0])
    lines = [heading("WHAT IF", look.width, glyphs.rule, f"{words} changes, all else stays")]
    picks: list[Span] = [Span(" ")]
    for other, name in offered:
        picks += [Span(name, "tab-on" if other == key else "tab", f"sweep:{other}"), Span("  ")]
    lines += _wrapped(picks, look.width)
    points = studies.points(
        scenario, key, sweep_values(scenario, key), lambda value: with_value(scenario, key, int(value))
    )
    serving = scenario.workload.is_inference
    section, _, name = key.partition(".")
    entered = getattr(getattr(scenario, section), name)
    head = f"   {'value':>9} {'tok/s':>8} {'a user' if serving else 'a GPU':>7}  "
    lines.append(line((head + "verdict", "dim")))
    best = max((_total(point.sizing) for point in points if point.sizing is not None), default=0.0) or 1.0
    room = max(0, look.width - 31 - 17 - 14)
    before = ""
    for point in points:
        lines += _point_lines(point, point.value == entered, before, best, room, look)
        before = point.sizing.verdict.answer if point.sizing is not None else "none"
    lines.append(BLANK)
    note = f"{glyphs.pointer} is the entered value; where the verdict changes, it stands out. Enter on a row takes it."
    return [*lines, *paragraphs(note, look.width - 1, "dim", " ", " ")]


def _wrapped(spans: Sequence[Span], width: int) -> list[Line]:
    lines: list[Line] = []
    row: list[Span] = []
    used = 0
    for span in spans:
        if used + len(span.text) > width and span.text.strip():
            lines.append(tuple(row))
            row, used = [Span(" ")], 1
        row.append(span)
        used += len(span.text)
    return [*lines, tuple(row)]


def _total(sizing: Sizing) -> float:
    if sizing.serving is not None:
        return sizing.serving.tokens_per_s_total
    return sizing.training.tokens_per_s_total if sizing.training is not None else 0.0


def _each(sizing: Sizing) -> float:
    if sizing.serving is not None:
        return sizing.serving.tokens_per_s_user
    return sizing.training.tokens_per_s_gpu if sizing.training is not None else 0.0


def _point_lines(point: Point, here: bool, before: str, best: float, room: int, look: Look) -> list[Line]:
    glyphs = look.glyphs
    action = f"take:{point.value:g}"
    mark = Span(f" {glyphs.pointer if here else ' '} ", "key")
    value = Span(f"{numbers.typed(point.value):>9} ", "strong" if here else "", action)
    if point.sizing is None:
        text = shorten(point.reason, look.width - 14, glyphs.ellipsis)
        return [line(mark, value, (text, "bad"))]
    sizing = point.sizing
    answer = ANSWERS.get(sizing.verdict.answer, sizing.verdict.answer)
    flips = bool(before) and before != sizing.verdict.answer
    cells = round(_total(sizing) / best * room) if room >= 6 else 0
    return [
        line(
            mark,
            value,
            Span(f"{rate(_total(sizing)):>8} {rate(_each(sizing)):>7}  ", "figure", action),
            (glyphs.bar * cells, "accent"),
            (glyphs.bar_rest * (room - cells) + " " if room >= 6 else "", "rest"),
            (f"{answer:<17}", "warn" if flips else ""),
            (sizing.memory.headroom, HEADROOM_STYLE[sizing.memory.headroom]),
        )
    ]
