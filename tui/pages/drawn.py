"""Pictures of figures that people would rather look at: efficiency and speed over GPUs, money over months, KV over users.

Each draws what the engine gave and opens nothing: the figures themselves stand beside it, and open.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from engine.decide.scaling import FLOOR
from engine.sizing import Sizing
from tui.pages import words
from tui.pages.charts import Axis, Series, Wall, chart, nice_top
from tui.pages.doc import Line, heading
from tui.pages.look import Look
from tui.pages.words import count, rate, short_usd

if TYPE_CHECKING:
    from engine.decide.serving_scaling import ServingShape
    from engine.decide.training_scaling import ScalingPoint


def efficiency(points: Sequence[ScalingPoint], look: Look) -> list[Line]:
    """Strong scaling of a run: the speed of a GPU against one alone, over GPUs, with the floor."""
    held = [point for point in points if point.fits]
    if len(held) < 2:
        return []
    top = max(1.0, *(point.efficiency for point in held))
    x = _gpus([point.gpus for point in held])
    y = Axis("efficiency: speed of a GPU against one alone", 0.0, top, lambda value: f"{value:.2f}", (0.0, FLOOR, 1.0))
    curve = Series("the fastest layout", tuple((p.gpus, p.efficiency) for p in held), "accent", look.glyphs.unsaved)
    floor = Wall(f"the floor of {FLOOR:.2f}: below it another shape is better", FLOOR, False, "key")
    return [heading("EFFICIENCY AGAINST GPUS", look.width, look.glyphs.rule), *chart([curve], x, y, look, [floor])]


def served(shapes: Sequence[ServingShape], look: Look) -> list[Line]:
    """Tokens a second that a build serves, over GPUs: the best layout of each count."""
    best: dict[int, float] = {}
    for shape in shapes:
        if shape.fits and shape.best_concurrency:
            best[shape.gpus] = max(best.get(shape.gpus, 0.0), shape.best_tokens_per_s_total)
    if len(best) < 2:
        return []
    points = tuple(sorted(best.items()))
    top = nice_top(max(best.values()))
    x = _gpus([gpus for gpus, _ in points])
    y = Axis("output tokens/s in all", 0.0, top, rate, (0.0, top / 2, top))
    curve = Series("the best layout of each count", points, "accent", look.glyphs.unsaved)
    return [
        heading("SPEED AGAINST GPUS", look.width, look.glyphs.rule, "at the best load"),
        *chart([curve], x, y, look),
    ]


def _gpus(counts: Sequence[int]) -> Axis:
    low, high = min(counts), max(counts)
    ticks = tuple(float(gpus) for gpus in counts)
    return Axis("GPUs", float(low), float(high), lambda value: f"{value:,.0f}", ticks, log=low > 0 and high / low >= 4)


def months(sizing: Sizing, look: Look) -> list[Line]:
    """Money over months: owned, rented, and by a hosted API; a wall where buying begins to be cheaper."""
    money, glyphs = sizing.cost, look.glyphs
    rows = money.horizons
    if money.buy_usd is None or not rows or (sizing.training is not None and not sizing.memory.fits):
        return []
    if any(row.own_usd is None or row.rent_usd is None for row in rows) or rows[0].rent_usd == rows[-1].rent_usd:
        return []  # a price is unknown, or what is done a single time has no months
    start = money.buy_usd if sizing.scenario.money.resale_percent is None else None
    own = tuple((float(row.months), row.own_usd) for row in rows if row.own_usd is not None)
    own = own if start is None else ((0.0, start), *own)
    ways = [
        ("own", own, "accent", glyphs.unsaved),
        ("rent", _from_zero((row.months, row.rent_usd) for row in rows), "warn", glyphs.skipped),
        ("hosted API", _from_zero((row.months, row.api_usd) for row in rows), "info", glyphs.over),
    ]
    series = [Series(name, points, style, mark) for name, points, style, mark in ways if len(points) > 1]
    top = nice_top(max(usd for one in series for _, usd in one.points))
    last = float(rows[-1].months)
    x = Axis("months", 0.0, last, lambda value: f"{value:.0f}", (0.0, *(float(row.months) for row in rows)))
    y = Axis("USD spent", 0.0, top, short_usd, (0.0, top / 2, top))
    pays, walls = money.break_even_months, list[Wall]()
    if pays is not None and pays <= last:
        words = f"buying beats renting after {pays:.1f} months"
        walls.append(Wall(words, pays, True, "key", "figure:cost.break_even_months"))
    return [heading("MONEY OVER MONTHS", look.width, glyphs.rule), *chart(series, x, y, look, walls)]


def _from_zero(rows: Iterable[tuple[int, float | None]]) -> tuple[tuple[float, float], ...]:
    """A way that costs nothing before it is used; none where a price is unknown."""
    found = [(float(month), usd) for month, usd in rows]
    known = tuple((month, usd) for month, usd in found if usd is not None)
    return ((0.0, 0.0), *known) if len(known) == len(found) else ()


FIGURE = "figure:memory."


def users(sizing: Sizing, look: Look) -> list[Line]:
    """KV of the load over users at once, against the room for it."""
    facts, work, glyphs = sizing.memory, sizing.scenario.workload, look.glyphs
    if not work.is_inference or work.embeds or not facts.starts or not facts.users_that_fit:
        return []
    fit, asked = float(facts.users_that_fit), float(work.concurrency)
    holds, needs = float(facts.kv_capacity_tokens), float(facts.kv_needed_tokens)
    high = nice_top(max(fit, asked))
    top = nice_top(max(holds, needs))
    line = tuple(sorted({(0.0, 0.0), (asked, needs), (fit, holds)}))
    x = Axis("users at once", 0.0, high, count, (0.0, high / 2, high))
    y = Axis("tokens of KV cache", 0.0, top, count, (0.0, top / 2, top))
    load = Series("", line, "accent")
    marks = [
        Series(
            f"asked: {words.users(work.concurrency)}",
            ((asked, needs),),
            "strong" if needs <= holds else "bad",
            glyphs.unsaved,
            "figure:load.concurrency",
        ),
        Series(f"the last that fits: {count(fit)}", ((fit, holds),), "good", glyphs.skipped, f"{FIGURE}users_that_fit"),
    ]
    room = Wall(f"room: {count(holds)} tokens", holds, False, "key", f"{FIGURE}kv_capacity_tokens")
    return [heading("KV AGAINST USERS", look.width, glyphs.rule), *chart([load, *marks], x, y, look, [room])]
