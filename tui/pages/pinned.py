"""The Compare page: pinned builds beside the one at hand, rows that differ marked, the best of each marked."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from engine.sizing import Sizing
from tui.doc import BLANK, Line, Span, heading, line, paragraphs, shorten, wrap
from tui.glyphs import Glyphs
from tui.pages.sections import Look
from tui.pages.words import count, digits, gib, percent, rate, seconds, usd
from tui.pins import PIN_NAMES
from tui.studies import Studies

ANSWERS = {
    "one-gpu": "one GPU",
    "one-node": "one node",
    "one-node-int4": "one node at INT4",
    "replicas": "replicas",
    "multi-node": "a cluster",
    "frontier": "the frontier",
    "does-not-fit": "does not fit",
}
NONE = "unknown"
CARRIES = "carries it"


class Row(NamedTuple):
    """One compared figure. number: what a winner is picked by; best: max or min, None where nothing wins."""

    label: str
    words: Callable[[Sizing, Glyphs], str]
    number: Callable[[Sizing], float | None] = lambda sizing: None
    best: Callable[[list[float]], float] | None = None


def _of(part: str, name: str) -> Callable[[Sizing], float | None]:
    def read(sizing: Sizing) -> float | None:
        record = getattr(sizing, part)
        value: float | None = getattr(record, name) if record is not None else None
        return value

    return read


def _row(
    label: str,
    number: Callable[[Sizing], float | None],
    words: Callable[[float], str],
    best: Callable[[list[float]], float] | None,
) -> Row:
    def text(sizing: Sizing, glyphs: Glyphs) -> str:
        value = number(sizing)
        return NONE if value is None else glyphs.text(words(value))

    return Row(label, text, number, best)


def _verdict(sizing: Sizing, glyphs: Glyphs) -> str:
    answer = sizing.verdict.answer
    return f"{sizing.verdict.replicas} replicas" if answer == "replicas" else ANSWERS.get(answer, answer)


def _work(sizing: Sizing, glyphs: Glyphs) -> str:
    load = sizing.scenario.workload
    if load.is_inference:
        lengths = f"{count(load.input_tokens)} + {count(load.output_tokens)}"
        return f"{count(load.concurrency)} users {glyphs.times} {lengths}"
    return f"{load.kind}, {count(load.sequence_length)} tokens"


def _hardware(sizing: Sizing, glyphs: Glyphs) -> str:
    hardware = sizing.scenario.hardware
    nodes = f"{hardware.nodes} nodes of " if hardware.nodes > 1 else ""
    return f"{nodes}{hardware.gpus_per_node} {glyphs.times} {hardware.accelerator.id}"


def _layout(sizing: Sizing, glyphs: Glyphs) -> str:
    layout = sizing.layout
    return f"TP{layout.tp} PP{layout.pp} DP{layout.dp}" + (f" EP{layout.ep}" if layout.ep > 1 else "")


def _free(sizing: Sizing) -> float | None:
    worst = sizing.memory.worst
    return float(worst.usable_bytes - worst.used_bytes)


ROWS: tuple[Row, ...] = (
    Row("verdict", _verdict),
    Row(
        CARRIES,
        lambda sizing, glyphs: "yes" if sizing.verdict.carried else "no",
        lambda sizing: float(sizing.verdict.carried),
        max,
    ),
    Row("model", lambda sizing, glyphs: sizing.scenario.model.id or sizing.scenario.model.name),
    Row("weights", lambda sizing, glyphs: sizing.scenario.model.weights),
    Row("hardware", _hardware),
    Row("workload", _work),
    Row("layout", _layout),
    Row("headroom", lambda sizing, glyphs: sizing.memory.headroom),
    _row("free GiB/GPU", _free, gib, max),
    _row(
        "users fit",
        lambda s: s.memory.max_concurrency if s.scenario.workload.is_inference else None,
        lambda v: count(int(v)),
        max,
    ),
    _row("first token", _of("serving", "ttft_s"), seconds, min),
    _row("per token", _of("serving", "inter_token_s"), seconds, min),
    _row("tok/s a user", _of("serving", "tokens_per_s_user"), rate, max),
    _row("tok/s in all", _of("serving", "tokens_per_s_total"), rate, max),
    _row("run", _of("training", "days"), lambda days: seconds(days * 86400), min),
    _row("tok/s a GPU", _of("training", "tokens_per_s_gpu"), rate, max),
    _row("MFU", _of("training", "mfu"), percent, max),
    _row("GPU-hours", _of("training", "gpu_hours"), rate, min),
    _row("buy", _of("cost", "buy_usd"), usd, min),
    _row("rent an hour", _of("cost", "rent_usd_per_hour"), lambda v: f"${v:,.2f}", min),
    _row("$ per M", _of("cost", "usd_per_million_tokens"), usd, min),
    _row("run, rented", _of("cost", "run_usd"), usd, min),
    _row("power", _of("power", "total_w"), lambda watts: f"{digits(watts / 1000)} kW", min),
    _row("people", _of("cost", "operations_factor"), lambda value: f"{digits(value, 2)}x", min),
)


def compare(sizing: Sizing, look: Look, studies: Studies) -> list[Line]:
    """The page."""
    glyphs = look.glyphs
    lines = [heading("COMPARE", look.width, glyphs.rule, "the build at hand against the pinned ones")]
    if not studies.pins:
        words = (
            "Nothing is pinned yet. p pins the build at hand (any page of the results); then change it, or pin up to "
            f"{len(PIN_NAMES)}, and see here which is better at what."
        )
        return [*lines, *paragraphs(words, look.width - 1, "dim", " ", " "), *_pin_it(look)]
    columns: list[tuple[str, str, Sizing | None]] = [("now", "", sizing)]
    columns += [(pin.name, f"pin:{pin.name}", studies.sizing_of(pin)) for pin in studies.pins]
    differ = "≠" if glyphs.unicode else "!"
    label = 2 + max(len(row.label) for row in ROWS)
    wide = (look.width - label - 2) // len(columns)
    carrying = [entry is not None and entry.verdict.carried for _, _, entry in columns]
    carrying = carrying if any(carrying) else []
    apart = wide < 12  # labels on lines of their own
    if apart:
        label, wide = 2, (look.width - 4) // len(columns)
    lines += _heads(columns, label, wide)
    for row in ROWS:
        texts = [row.words(entry, glyphs) if entry is not None else "impossible" for _, _, entry in columns]
        if all(text == NONE for text in texts):
            continue
        rated = carrying if carrying and row.label != CARRIES else [entry is not None for _, _, entry in columns]
        values = [row.number(c[2]) if fit and c[2] is not None else None for c, fit in zip(columns, rated, strict=True)]
        lines += _row_lines(row, texts, values, label, wide, apart, differ, look)
    lines += [BLANK, *_key(look, differ), *_pin_it(look, len(studies.pins) < len(PIN_NAMES))]
    return lines


def _pin_it(look: Look, more: bool = True) -> list[Line]:
    return [line(" ", Span("Pin the build at hand", "link", "pin-now:"), ("  p", "key"))] if more else []


def _heads(columns: list[tuple[str, str, Sizing | None]], label: int, wide: int) -> list[Line]:
    wrapped = [wrap(name, wide - 2) or [name] for name, _, _ in columns]
    lines: list[Line] = []
    for number in range(max(len(rows) for rows in wrapped)):
        spans = [Span(" " * label)]
        for (_, action, _), rows in zip(columns, wrapped, strict=True):
            text = rows[number] if number < len(rows) else ""
            spans += [Span(text, "title", action if text else ""), Span(" " * (wide - len(text)))]
        lines.append(tuple(spans))
    return lines


def _row_lines(
    row: Row,
    texts: list[str],
    values: list[float | None],
    label: int,
    wide: int,
    apart: bool,
    differ: str,
    look: Look,
) -> list[Line]:
    same = len(set(texts)) == 1
    known = [value for value in values if value is not None]
    best = row.best(known) if row.best is not None and len(known) > 1 and not same else None
    room = wide - 3 if best is not None else wide - 1
    cells = [wrap(text, room) or [text] for text in texts]
    mark = " " if same else differ
    lines: list[Line] = []
    if same:
        name = f" {row.label:<{max(label - 1, len(row.label) + 1)}}"
        return [
            line(
                (name, "dim"),
                (shorten(texts[0], look.width - len(name) - 8, look.glyphs.ellipsis), ""),
                ("  in all", "dim"),
            )
        ]
    if apart:
        lines.append(line((mark, "key"), (row.label, "dim")))
    for number in range(max(len(cell) for cell in cells)):
        name = "" if apart or number else row.label
        lead = " " if apart or number else mark
        spans = [Span(lead, "key"), Span(f"{name:<{label - 1}}", "dim" if same else "")]
        for cell, value in zip(cells, values, strict=True):
            text = cell[number] if number < len(cell) else ""
            wins = best is not None and value == best
            style = "good" if wins else "dim" if same else "figure"
            tail = f" {look.glyphs.yes}" if wins and number == len(cell) - 1 else ""
            text = shorten(text, wide - 1 - len(tail), look.glyphs.ellipsis) + tail
            spans += [Span(text, style), Span(" " * (wide - len(text)))]
        lines.append(tuple(spans))
    return lines


def _key(look: Look, differ: str) -> list[Line]:
    words = (
        f"{differ} differs, {look.glyphs.yes} best of the builds that carry it. Up and Down choose a pinned build: Enter offers all, "
        "s swaps it with the build at hand, r renames it, u unpins it. Ctrl+Z takes each back."
    )
    return paragraphs(words, look.width - 1, "dim", " ", " ")
