"""The Compare page: pinned builds beside the one at hand, rows that differ marked, the best of each marked."""

from __future__ import annotations

from collections.abc import Callable

from engine.decide.answer import RUNGS
from engine.figures.records import NamedTuple
from engine.sizing import Sizing
from tui.files.pins import PIN_NAMES
from tui.pages.doc import BLANK, Line, Span, heading, line, paragraphs, shorten, wrap
from tui.pages.glyphs import Glyphs
from tui.pages.look import Look
from tui.pages.studies import Studies
from tui.pages.words import count, days, digits, gib, kilowatts, percent, rate, seconds, usd, usd_per_hour, users

ANSWERS = RUNGS | {"does-not-fit": "does not fit"}
"""Answers in the cell of a build."""
NONE = "unknown"
_OF_ONE_KIND: dict[str, Callable[[Sizing], bool]] = {
    "cost.run_usd": lambda sizing: sizing.scenario.workload.is_inference,
    "cost.usd_per_million_tokens": lambda sizing: not sizing.scenario.workload.is_inference,
}
"""Prices that one kind of work does not have at all: whether this is that kind."""
CARRIES = "carries it"
SAME = "the same"


class Row(NamedTuple):
    """One compared figure. number: what a winner is picked by; best: max or min, None where nothing wins.

    figure: the id of its working, empty for words.
    """

    label: str
    words: Callable[[Sizing, Glyphs], str]
    number: Callable[[Sizing], float | None] = lambda sizing: None
    best: Callable[[list[float]], float] | None = None
    figure: str = ""


def _of(figure: str) -> Callable[[Sizing], float | None]:
    """The figure of a sizing by its id, section.field."""
    part, _, name = figure.partition(".")

    def read(sizing: Sizing) -> float | None:
        record = getattr(sizing, part)
        value: float | None = getattr(record, name) if record is not None else None
        return value

    return read


class Column(NamedTuple):
    """A build. action: what chooses its pin, empty for the build at hand; sizing: None where it is impossible."""

    name: str
    action: str
    sizing: Sizing | None


def _row(
    label: str,
    figure: str,
    words: Callable[[float], str],
    best: Callable[[list[float]], float] | None,
    number: Callable[[Sizing], float | None] | None = None,
) -> Row:
    read = number if number is not None else _of(figure)

    price = figure.startswith(("cost.", "power."))  # which nobody may know; other figures a kind of work may lack

    def text(sizing: Sizing, glyphs: Glyphs) -> str:
        value = read(sizing)
        if value is None:
            return NONE if price and not (figure in _OF_ONE_KIND and _OF_ONE_KIND[figure](sizing)) else glyphs.dash
        return glyphs.text(words(value))

    return Row(label, text, read, best, figure)


def _verdict(sizing: Sizing, glyphs: Glyphs) -> str:
    answer = sizing.verdict.answer
    return f"{sizing.verdict.replicas} replicas" if answer == "replicas" else ANSWERS[answer]


def _work(sizing: Sizing, glyphs: Glyphs) -> str:
    load = sizing.scenario.workload
    if load.is_inference:
        lengths = f"{count(load.input_tokens)} + {count(load.output_tokens)}"
        if load.embeds:
            return f"{count(load.concurrency)} requests {glyphs.times} {count(load.input_tokens)}"
        cached = f", {percent(load.cached_share)} cached" if load.cached_share else ""
        return f"{users(load.concurrency)} {glyphs.times} {lengths}{cached}"
    return f"{load.kind}, {count(load.sequence_length)} tokens"


def _hardware(sizing: Sizing, glyphs: Glyphs) -> str:
    hardware = sizing.scenario.hardware
    nodes = f"{hardware.nodes} nodes of " if hardware.nodes > 1 else ""
    return f"{nodes}{hardware.gpus_per_node} {glyphs.times} {hardware.accelerator.id}"


def _layout(sizing: Sizing, glyphs: Glyphs) -> str:
    layout = sizing.layout
    return f"TP{layout.tp} PP{layout.pp} DP{layout.dp}" + (f" EP{layout.ep}" if layout.ep > 1 else "")


ROWS: tuple[Row, ...] = (
    Row("verdict", _verdict),
    Row(
        CARRIES,
        lambda sizing, glyphs: "yes" if sizing.verdict.carried else "no",
        lambda sizing: float(sizing.verdict.carried),
        max,
    ),
    Row("model", lambda sizing, glyphs: sizing.scenario.model.id or sizing.scenario.model.name),
    Row("weights", lambda sizing, glyphs: sizing.scenario.format_held),
    Row("hardware", _hardware),
    Row("workload", _work),
    Row("layout", _layout),
    Row("headroom", lambda sizing, glyphs: sizing.memory.headroom),
    _row("free GiB/GPU", "memory.available_bytes", gib, max, lambda s: float(s.memory.worst.available_bytes)),
    _row("over GiB/GPU", "memory.over_bytes", gib, min, lambda s: float(s.memory.worst.over_bytes) or None),
    _row(
        "users fit",
        "memory.users_that_fit",
        count,
        max,
        lambda s: float(s.memory.users_that_fit) if s.scenario.workload.is_inference else None,
    ),
    _row("first token", "serving.ttft_s", seconds, min),
    _row("per token", "serving.inter_token_s", seconds, min),
    _row("tok/s a user", "serving.tokens_per_s_user", rate, max),
    _row("tok/s in all", "serving.tokens_per_s_total", rate, max),
    _row("run", "training.days", days, min),
    _row("tok/s a GPU", "training.tokens_per_s_gpu", rate, max),
    _row("MFU", "training.mfu", percent, max),
    _row("GPU-hours", "training.gpu_hours", rate, min),
    _row("buy", "cost.buy_usd", usd, min),
    _row("rent an hour", "cost.rent_usd_per_hour", usd_per_hour, min),
    _row("$/M tokens", "cost.usd_per_million_tokens", usd, min),
    _row("run, rented", "cost.run_usd", usd, min),
    _row("power", "power.total_w", kilowatts, min),
    _row("operations", "cost.operations_factor", lambda value: f"{digits(value, 2)}x", min),
)


def compare(sizing: Sizing, look: Look, studies: Studies) -> list[Line]:
    """The page."""
    glyphs = look.glyphs
    lines = [heading("COMPARE", look.width, glyphs.rule, "the build at hand against the pinned ones")]
    columns: list[Column] = [Column("now", "", sizing)]
    columns += [Column(pin.name, f"pin:{pin.name}", studies.sizing_of(pin)) for pin in studies.pins]
    if not studies.pins:
        words = (
            f"{look.keymap.shown('pin')} pins the build at hand as {PIN_NAMES[0]}: change it, and the two stand side by side, what differs and which "
            f"is better marked. Up to {len(PIN_NAMES)} can be pinned; they are saved with the session."
        )
        lines += [*paragraphs(words, look.width - 1, "", " ", " "), *_pin_it(), BLANK]
    differ = "≠" if glyphs.unicode else "!"
    label = 3 + max(len(row.label) for row in ROWS)
    wide = (look.width - label - 2) // len(columns)
    carrying = [column.sizing is not None and column.sizing.verdict.carried for column in columns]
    carrying = carrying if any(carrying) else []
    apart = wide < 12  # labels on lines of their own
    if apart:
        label, wide = 2, (look.width - 4) // len(columns)
    lines += _heads(columns, label, wide)
    for row in ROWS:
        texts = [row.words(c.sizing, glyphs) if c.sizing is not None else "impossible" for c in columns]
        if all(text in (NONE, glyphs.dash) for text in texts):
            continue
        rated = carrying if carrying and row.label != CARRIES else [c.sizing is not None for c in columns]
        values = [
            row.number(c.sizing) if fit and c.sizing is not None else None
            for c, fit in zip(columns, rated, strict=True)
        ]
        lines += _row_lines(row, columns, texts, values, label, wide, apart, differ, look)
    if studies.pins:
        lines += [BLANK, *_key(look, differ), *_pin_it(len(studies.pins) < len(PIN_NAMES))]
    return lines


def _pin_it(more: bool = True) -> list[Line]:
    return [line(" ", Span("Pin the build at hand", "link", "pin-now:"), ("  p", "key"))] if more else []


def _heads(columns: list[Column], label: int, wide: int) -> list[Line]:
    wrapped = [wrap(column.name, wide - 2) or [column.name] for column in columns]
    lines: list[Line] = []
    for number in range(max(len(rows) for rows in wrapped)):
        spans = [Span(" " * label)]
        for column, rows in zip(columns, wrapped, strict=True):
            text = rows[number] if number < len(rows) else ""
            spans += [Span(text, "title", column.action if text else ""), Span(" " * (wide - len(text)))]
        lines.append(tuple(spans))
    return lines


def _row_lines(
    row: Row,
    columns: list[Column],
    texts: list[str],
    values: list[float | None],
    label: int,
    wide: int,
    apart: bool,
    differ: str,
    look: Look,
) -> list[Line]:
    same = len(set(texts)) == 1 and len(texts) > 1
    actions = [_opens(row, column, text) for column, text in zip(columns, texts, strict=True)]
    known = [value for value in values if value is not None]
    best = row.best(known) if row.best is not None and len(known) > 1 and not same else None
    room = wide - 3 if best is not None else wide - 1
    cells = [wrap(text, room) or [text] for text in texts]
    mark = " " if same or len(texts) == 1 else differ
    lines: list[Line] = []
    if same:
        name = f" {row.label:<{max(label - 1, len(row.label) + 1)}}"
        held = shorten(texts[0], look.width - len(name) - len(SAME) - 2, look.glyphs.ellipsis)
        rest = max(2, wide - len(held))  # under the first pinned build, where the value leaves room
        return [line((name, "dim"), Span(held, "", actions[0]), (" " * rest + SAME, "dim"))]
    if apart:
        lines.append(line((mark, "key"), (row.label, "dim")))
    for number in range(max(len(cell) for cell in cells)):
        name = "" if apart or number else row.label
        lead = " " if apart or number else mark
        spans = [Span(lead, "key"), Span(f"{name:<{label - 1}}", "dim" if same else "")]
        for cell, value, action in zip(cells, values, actions, strict=True):
            text = cell[number] if number < len(cell) else ""
            wins = best is not None and value == best
            style = "good" if wins else "dim" if same else "figure"
            tail = f" {look.glyphs.yes}" if wins and number == len(cell) - 1 else ""
            text = shorten(text, wide - 1 - len(tail), look.glyphs.ellipsis) + tail
            spans += [Span(text, style, action if text else ""), Span(" " * (wide - len(text)))]
        lines.append(tuple(spans))
    return lines


def _opens(row: Row, column: Column, text: str) -> str:
    """What a cell opens: the working of that build's figure."""
    if not row.figure or not any(char.isdigit() for char in text):
        return ""
    return f"figure:{column.action}@{row.figure}" if column.action else f"figure:{row.figure}"


def _key(look: Look, differ: str) -> list[Line]:
    keys = look.keymap
    words = (
        f"{differ} differs, {look.glyphs.yes} best of the builds that carry it. Up and Down choose a pinned build: Enter offers all, "
        f"{keys.shown('swap_pin')} swaps it with the build at hand, {keys.shown('rename_pin')} renames it, "
        f"{keys.shown('unpin')} unpins it. {keys.shown('undo')} takes each back."
    )
    return paragraphs(words, look.width - 1, "dim", " ", " ")
