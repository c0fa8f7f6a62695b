"""The VRAM bars: one per group of GPUs that hold the same, in glyphs that differ without colour."""

from __future__ import annotations

from engine.figures.records import NamedTuple
from engine.serving.memory import RULE_WEIGHTS
from engine.sizing import Memory, MemoryGroup, Sizing
from engine.training.memory.peak import ANSWERS
from tui.pages.doc import Line, Span, line
from tui.pages.glyphs import Glyphs
from tui.pages.words import GIB, gib, percent


class Part(NamedTuple):
    """One kind of memory: field of MemoryGroup, words, style and glyph names. short: in a word, where the name is not it."""

    field: str
    words: str
    name: str
    short: str = ""


SERVING_PARTS = (
    Part("weights_bytes", "weights", "weights"),
    Part("kv_bytes", "KV cache for the load", "kv"),
    Part("activation_bytes", "activations, peak", "activations"),
    Part("runtime_bytes", "runtime: CUDA, NCCL, graphs", "runtime"),
)
TRAINING_PARTS = (
    Part("weights_bytes", "weights", "weights"),
    Part("gradient_bytes", "gradients", "gradients"),
    Part("optimizer_bytes", "optimizer states", "optimizer"),
    Part("activation_bytes", "activations and loss, peak", "activations"),
    Part("runtime_bytes", "runtime: CUDA, NCCL, buffers", "runtime"),
)


ANSWERING_PARTS = tuple(
    Part(part.field, "engine that answers, with its KV", part.name, "engine") if part.name == "activations" else part
    for part in TRAINING_PARTS
)
"""Where the peak of a run is at the generation of answers: nothing of the trainer runs then."""


def parts_of(sizing: Sizing) -> tuple[Part, ...]:
    """The kinds of memory that the workload has."""
    if sizing.scenario.workload.is_inference:
        return SERVING_PARTS
    detail = sizing.memory.training
    return ANSWERING_PARTS if detail is not None and detail.phase == ANSWERS else TRAINING_PARTS


def group_name(group: MemoryGroup, groups: int) -> str:
    """What to call the group beside its bar."""
    if groups == 1:
        return "the GPU" if group.gpus == 1 else f"each of {group.gpus} GPUs"
    return group.rank_group


def cells(group: MemoryGroup, parts: tuple[Part, ...], width: int, scale_bytes: int, glyphs: Glyphs) -> list[Span]:
    """One bar of `width` cells over `scale_bytes`; the card's edge and what is past its limit are drawn in.

    Every part that holds anything gets at least one cell. Cells past the usable memory are drawn as over.
    """
    edge = min(width, round(group.total_bytes / scale_bytes * width))
    usable = min(width, round(group.usable_bytes / scale_bytes * width))
    row: list[tuple[str, str]] = []
    filled = 0
    for part in parts:
        amount = getattr(group, part.field)
        if amount <= 0:
            continue
        filled += amount
        end = round(filled / scale_bytes * width)
        grow = max(1 if amount / group.total_bytes > 0.002 else 0, end - len(row))
        row += [(getattr(glyphs, part.name), part.name)] * grow
    row = row[:width]
    if group.over_bytes > 0:
        start = min(usable, len(row) - 1, width - 1)
        row = [cell if at < start else (glyphs.over, "over") for at, cell in enumerate(row)]
    while len(row) < edge:
        row.append((glyphs.reserved, "reserved") if len(row) >= usable else (glyphs.free, "free"))
    while len(row) < width:
        row.append((" ", ""))
    if edge < width:
        row[edge] = (glyphs.edge, "mark")
    spans: list[Span] = []
    for char, style in row:
        if spans and spans[-1].style == style:
            spans[-1] = Span(spans[-1].text + char, style)
        else:
            spans.append(Span(char, style))
    return spans


def shown_groups(memory: Memory, limit: int = 6) -> tuple[MemoryGroup, ...]:
    """The groups to draw: all, or the worst and best of many."""
    groups = memory.per_gpu
    shown = groups if len(groups) <= limit else (*groups[: limit - 1], groups[-1])
    return tuple(sorted(shown, key=lambda group: group.stage))


def bars(sizing: Sizing, width: int, glyphs: Glyphs) -> list[Line]:
    """All bars on one scale, with the mark for weights under them."""
    memory = sizing.memory
    groups = shown_groups(memory)
    parts = parts_of(sizing)
    names = [group_name(group, len(memory.per_gpu)) for group in groups]
    label = min(22, max(len(name) for name in names))
    tails = [_tail(group) for group in groups]
    opens = [
        f"figure:{figure_of(sizing, group, 'over_bytes' if group.over_bytes else 'available_bytes')}"
        for group in groups
    ]
    tail = max(len(text) for text, _ in tails)
    room = max(10, width - label - tail - 5)
    scale = max(max(group.total_bytes, group.used_bytes) for group in groups)
    lines: list[Line] = []
    for group, name, (text, style), opened in zip(groups, names, tails, opens, strict=True):
        bar = cells(group, parts, room, scale, glyphs)
        gap = f" {' ' * (tail - len(text))}"
        lines.append(line(f" {name[:label]:<{label}} ", *bar, gap, Span(text, style, opened)))
    if len(groups) < len(memory.per_gpu):
        lines.append(line((f" {len(memory.per_gpu) - len(groups)} more groups lie between these", "dim")))
    lines.append(_axis(sizing, label + 2, room, scale, width, glyphs))
    return lines


def _tail(group: MemoryGroup) -> tuple[str, str]:
    if group.over_bytes > 0:
        return f"over by {gib(group.over_bytes)} GiB", "bad"
    return f"{gib(group.available_bytes)} GiB free", "dim"


def figure_of(sizing: Sizing, group: MemoryGroup, field: str) -> str:
    """The id of one figure of a group."""
    place = sizing.memory.per_gpu.index(group)
    return f"memory.{f'{place}.' if place else ''}{field}"


def _axis(sizing: Sizing, start: int, room: int, scale: int, width: int, glyphs: Glyphs) -> Line:
    """The line under the bars: where 70 % of the card lies, and the size of the card."""
    total = sizing.memory.per_gpu[0].total_bytes
    at = min(room - 1, round(RULE_WEIGHTS * total / scale * room))
    edge = min(room, round(total / scale * room))
    note = f"{gib(total)} GiB"
    size = Span(note, "dim", "figure:memory.total_bytes")
    if not sizing.scenario.workload.is_inference:
        return line(" " * max(0, start + edge - len(note)), size)
    rule, mark = "weights at most ", f"{glyphs.mark} {percent(RULE_WEIGHTS)}"
    words = rule + mark if at > len(rule) + 1 else mark
    left = start + at - len(words) + len(mark)
    gap = start + edge - left - len(words) - len(note)
    gap = gap if gap >= 1 else 2
    fits = left + len(words) + gap + len(note) <= width
    spans = [Span(" " * left), Span(words, "dim", "figure:memory.weights_share")]
    return (*spans, Span(" " * gap), size) if fits else tuple(spans)


def columns_of(width: int) -> int:
    """How many groups have a column of their own in the legend."""
    return 4 if width >= 74 else 3 if width >= 60 else 2


def legend(sizing: Sizing, width: int, glyphs: Glyphs, before: Sizing | None = None) -> list[Line]:
    """What each glyph is and how much it holds: a row per part, a column per group (the first four).

    before: the Sizing of the build before the last edit; what changed since is shown beside each figure.
    """
    memory = sizing.memory
    groups = shown_groups(memory, columns_of(width))
    several = len(groups) > 1
    places = [memory.per_gpu.index(group) for group in groups]
    label = 30 if width >= 64 else 2 + max(len(part.words) for part in parts_of(sizing))
    of_card = " of the card" if width >= 64 else ""
    lines: list[Line] = []
    names = [group_name(group, len(memory.per_gpu)) for group in groups]
    column = max(11, max(len(name) for name in names) + 2) if several else 11 if width >= 64 else 8
    column = min(column, max(8, (width - label - 3) // len(groups)))
    if several:
        heads = "".join(f"{name[: column - 1]:>{column}}" for name in names)
        lines.append(line((f"   {'GiB':<{label - 1}}" + heads, "dim")))

    def share_of(field: str) -> str:
        if field == "weights_bytes":
            return "figure:memory.weights_share"
        of = f"memory.{f'{places[0]}.' if places[0] else ''}"
        return f"figure:ratio({of}{field},{of}total_bytes)"

    def share(values: list[int]) -> str:
        return "" if several else f"{percent(groups[0].share_of_card(values[0])):>5}{of_card}"

    def row(glyph: str, style: str, words: str, field: str, values: list[int], note: str = "") -> Line:
        unit = "" if several else " GiB"
        actions = [f"figure:memory.{f'{place}.' if place else ''}{field}" for place in places]
        return line(
            " ",
            (glyph, style),
            Span(f" {words:<{label - 1}}", "", actions[0]),
            *(
                Span(f"{gib(value):>{column}}{unit}", "figure", action)
                for value, action in zip(values, actions, strict=True)
            ),
            Span(f"  {note:<17}" if of_card else f" {note}", "dim", share_of(field) if note else ""),
            ("" if several else _delta(field, values[0], before), "delta"),
        )

    for part in parts_of(sizing):
        values = [getattr(group, part.field) for group in groups]
        if not any(values):
            continue
        lines.append(row(getattr(glyphs, part.name), part.name, part.words, part.field, values, share(values)))
    over = [group.over_bytes for group in groups]
    if any(over):
        lines.append(row(glyphs.over, "over", "over the limit", "over_bytes", over))
    free = [group.available_bytes for group in groups]
    kept = [group.reserved_bytes for group in groups]
    lines.append(row(glyphs.free, "free", "free", "available_bytes", free, share(free)))
    if any(kept):
        lines.append(row(glyphs.reserved, "reserved", "kept back", "reserved_bytes", kept, share(kept)))
    if any(span.style == "delta" and span.text for made in lines for span in made):
        lines.append(
            line((f" + and - are GiB of {'the GPU' if memory.worst.gpus == 1 else 'a GPU'} by this edit", "delta"))
        )
    return lines


def _delta(field: str, value: int, before: Sizing | None) -> str:
    """How much the last edit changed a figure of the fullest group, GiB with a sign."""
    if before is None:
        return ""
    was: int = getattr(before.memory.worst, field)
    change = value - was
    return f" {change / GIB:+,.1f}" if abs(change) >= 0.05 * GIB else ""
