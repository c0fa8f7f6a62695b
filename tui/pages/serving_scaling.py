"""How serving scales: tokens a second and GPU on shapes of build, by the width of TP and by replicas."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from engine.decide.serving_scaling import best_shape, fabric_of, share_of, widest_shape
from engine.sizing import Sizing
from tui.pages import drawn
from tui.pages.doc import BLANK, Line, Span, flow, heading, line, paragraphs, shorten
from tui.pages.glyphs import Glyphs
from tui.pages.look import Look, sentence
from tui.pages.words import count, days, percent, rate, usd

if TYPE_CHECKING:
    from engine.decide.corpus import CorpusCurve
    from engine.decide.serving_scaling import ServingShape
    from tui.pages.scaling_study import ScalingStudy


def shape_words(nodes: int, gpus: int, glyphs: Glyphs) -> str:
    """A shape of build in short: 2 nodes × 8 GPU."""
    if nodes > 1:
        return f"{nodes} nodes {glyphs.times} {gpus // nodes} GPU"
    return f"{gpus} GPU"


def corpus(found: CorpusCurve, sizing: Sizing, look: Look, stale: bool) -> list[Line]:
    """The smallest build that is in time for a corpus, and its time and rent against GPUs."""
    glyphs, hardware = look.glyphs, sizing.scenario.hardware
    state = ("about to work it out anew", "warn") if stale else (f"in nodes of {found.per_node}", "dim")
    lines = [heading("TIME AGAINST GPUS", look.width, glyphs.rule, *state)]
    good = found.smallest is not None
    mark, style = (glyphs.yes, "good") if good else (glyphs.no, "bad")
    lead = "Smallest in time: " if good else ""
    text = "dim" if stale else style
    lines += sentence((lead, *found.words), look.width - 1, text, "   ", f" {mark} ", first_style=text)
    if found.points:
        lines.append(line((f"   {'GPUs':>6} {'time':>10} {'GPU-hours':>10} {'rent':>10}", "dim")))
    for point in found.points:
        here = (point.gpus, point.nodes) == (hardware.gpus, hardware.nodes)
        rent = glyphs.dash if point.usd is None else usd(point.usd)
        opens, style = f"figure:corpus.{point.gpus}.", "strong" if here else ""
        lines.append(
            (
                Span(f" {glyphs.here if here else ' '} {point.gpus:>6,} ", style),
                Span(f"{days(point.days):>10}", "figure", f"{opens}days"),
                Span(" "),
                Span(f"{count(point.gpu_hours):>10}", "figure", f"{opens}gpu_hours"),
                Span(" "),
                Span(f"{rent:>10}", "figure", f"{opens}usd"),
                Span("" if point.in_time else f"  {glyphs.no} late", "bad"),
            )
        )
    return lines


def serving(sizing: Sizing, look: Look, study: ScalingStudy | None) -> list[Line]:
    """Tokens a second and GPU on shapes of build, by the width of TP."""
    glyphs = look.glyphs
    shapes = study.shapes if study is not None else ()
    stale = study is not None and study.stale(sizing.scenario)
    first: list[Line] = []
    if study is not None and study.corpus is not None and sizing.scenario.workload.corpus_tokens is not None:
        first = [*corpus(study.corpus, sizing, look, stale), BLANK]
    state, style = ("about to work it out", "warn") if stale else ("output tokens a second and GPU", "dim")
    lines = [*first, heading("SCALING", look.width, glyphs.rule, state, style)]
    targets = sizing.scenario.workload
    asked = targets.ttft_target_s is not None or targets.tokens_per_s_user_target is not None
    words = (
        "What a GPU still serves as the build grows: by a wider TP, which answers each user sooner, or by replicas, which "
        "share nothing. Each shape at its best load"
        + (" inside the latency targets." if asked else ", its memory full of users.")
    )
    lines += paragraphs(words, look.width - 1, "", " ", " ")
    if not shapes:
        return lines
    lines += [*flow([Span(" "), *_conclusion(shapes)], look.width), BLANK]
    most = best_shape(shapes)
    best = most.tokens_per_s_gpu if most is not None else 1.0
    tail = 6 + 9 + 8
    name = min(max(len(shape.words) for shape in shapes), look.width - 3 - tail - 2 - LEAST_BAR)
    room = max(LEAST_BAR, min(40, look.width - 3 - name - tail - 2))
    lines.append(line((f"   {'':<{name}} {'':<{room}} {'a GPU':>5} {'in all':>8} {'users':>7}", "dim")))
    for (nodes, gpus), group in groupby(shapes, key=lambda shape: (shape.nodes, shape.gpus)):
        held = list(group)
        title = f" {shape_words(nodes, gpus, glyphs)}"
        if not any(shape.fits for shape in held):
            lines.append(line((title, "strong"), ("  ", ""), (f"{glyphs.no} does not hold the model", "dim")))
            continue
        fabric = fabric_of(sizing.scenario, held[0])
        over = shorten(f"  over {fabric}", look.width - len(title) - 1, glyphs.ellipsis) if fabric else ""
        lines.append(line((title, "strong"), (over, "dim")))
        for shape in sorted(held, key=lambda one: (one.layout.tp, one.layout.pp)):
            lines.append(_shape_line(shape, name, room, best, look))
    lines += [BLANK, *pictures] if (pictures := drawn.served(shapes, look)) else []
    words = (
        f"{glyphs.pointer} in use. What each link does to this traffic is on the Fabric page; other loads, on What if."
    )
    return lines + paragraphs(words, look.width - 1, "dim", " ", " ")


LEAST_BAR = 6
_EACH = "ratio(serving.best_tokens_per_s_total,build.gpus)"


def _place(shape: ServingShape) -> str:
    """What the ids of a shape's figures start with."""
    return "" if shape.in_use else f"if.shape.{shape.nodes}x{shape.per_node}x{shape.layout.tp}."


def _shape_line(shape: ServingShape, name: int, room: int, best: float, look: Look) -> Line:
    glyphs = look.glyphs
    mark = Span(f" {glyphs.pointer if shape.in_use else ' '} ", "key")
    words = shorten(shape.words, name, glyphs.ellipsis)
    label = Span(f"{words:<{name}} ", "strong" if shape.in_use else "" if shape.fits else "dim")
    if not shape.fits:
        return (mark, label, Span(f"{glyphs.no} does not hold the model", "dim"))
    if not shape.best_concurrency:
        return (mark, label, Span(f"{glyphs.no} misses a target with one user", "warn"))
    cells = max(1, round(shape.tokens_per_s_gpu / best * room))
    place = _place(shape)
    opens = f"figure:{place}serving."
    return (
        mark,
        label,
        Span(glyphs.bar * cells, "accent"),
        Span(glyphs.bar_rest * (room - cells), "rest"),
        Span(f" {rate(shape.tokens_per_s_gpu):>5}", "figure", f"figure:{place}{_EACH}"),
        Span(" "),
        Span(f"{rate(shape.best_tokens_per_s_total):>8}", "figure", f"{opens}best_tokens_per_s_total"),
        Span(" "),
        Span(f"{count(shape.best_concurrency):>7}", "dim", f"{opens}best_concurrency"),
    )


def _conclusion(shapes: Sequence[ServingShape]) -> list[Span]:
    """The best shape for a GPU's money, and what the widest TP leaves of it."""
    best, widest = best_shape(shapes), widest_shape(shapes)
    if best is None or widest is None:
        return [Span("None of these shapes serves the load: more memory a GPU, or smaller weights.", "strong")]
    words = f"Most for a GPU: {best.gpus} GPU{'s' * (best.gpus != 1)}, {best.words}"
    words += " and replicas of it" if best.gpus < max(shape.gpus for shape in shapes) else ""
    spans = [Span(words, "strong", f"figure:{_place(best)}{_EACH}"), Span(".", "strong")]
    if widest.layout.tp > best.layout.tp:
        left = share_of(widest, best)
        action = f"figure:ratio({_place(widest)}{_EACH},{_place(best)}{_EACH})"
        spans += [
            Span(f" TP {widest.layout.tp} over {widest.gpus} GPUs leaves ", "strong"),
            Span(percent(left), "figure", action),
            Span(" of that.", "strong"),
        ]
    return spans
