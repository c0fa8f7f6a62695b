"""The Builds page: what makes this build carry the workload, and the builds that are better."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from engine.figures.sentences import about, joined
from engine.scenario import Scenario
from engine.sizing import Sizing
from tui.pages.advised import cures, elsewhere
from tui.pages.doc import BLANK, Line, Span, ends, flow, heading, line, paragraphs, shorten, width_of
from tui.pages.look import HEADROOM_STYLE, Look, spans_of
from tui.pages.studies import Search
from tui.pages.words import count, days, kilowatts, percent, rate, seconds, usd

if TYPE_CHECKING:
    from engine.decide.builds import Limits, Option, Recommendation

UNKNOWN = "unknown"
NO_ROOM = ("tight", "marginal")


def build_words(scenario: Scenario, times: str = "×") -> str:
    """The hardware in short: 2 nodes × 8 h100-sxm."""
    hardware = scenario.hardware
    nodes = f"{hardware.nodes} nodes {times} " if hardware.nodes > 1 else ""
    return f"{nodes}{hardware.gpus_per_node} {'' if nodes else times + ' '}{hardware.accelerator.id}"


def builds(sizing: Sizing, look: Look, search: Search) -> list[Line]:
    """The page."""
    return [*_smallest(sizing, look), BLANK, *_better(sizing, look, search), BLANK, *_limits(look, search)]


def _smallest(sizing: Sizing, look: Look) -> list[Line]:
    word = sizing.memory.headroom
    if sizing.verdict.carried:
        need = "no change is needed"
        need += f", but its memory is {word}: the Memory page says what gives room." if word in NO_ROOM else "."
        name = f"{build_words(sizing.scenario, look.glyphs.times)}, {sizing.scenario.format_held}"
        return [
            heading("THIS BUILD CARRIES IT", look.width, look.glyphs.rule, word, HEADROOM_STYLE[word]),
            *paragraphs(f"{name}: {need}", look.width - 1, "", " ", " "),
        ]
    lines = [heading("WHAT MAKES IT CARRY THE LOAD", look.width, look.glyphs.rule, word, HEADROOM_STYLE[word])]
    counsel = look.studies.counsel.of(sizing.scenario) if look.studies is not None else None
    if counsel is None:
        return [*lines, line((" looking for it", "dim"))]
    if not counsel.offered:
        words = "No change that was tried is enough: see the builds below."
        return [*lines, *paragraphs(words, look.width - 1, "warn", " ", " ")]
    return [*lines, *(row for block in cures(sizing, look) for row in block), *elsewhere(sizing, look)]


LIMIT_LABELS: tuple[tuple[str, str], ...] = (
    ("buy_usd", "to buy"),
    ("rent_usd_per_month", "rent a month"),
    ("power_w", "power"),
    ("max_gpus", "GPUs"),
    ("vendors", "vendor"),
    ("form_factors", "form factor"),
    ("owned", "cards"),
)


def limit_words(limits: Limits | None, name: str) -> str:
    """One limit as the page and the dialogs say it."""
    value = getattr(limits, name) if limits is not None else None
    if not value:
        return "all" if name == "owned" else "any"
    if name in ("buy_usd", "rent_usd_per_month"):
        return f"{usd(value)} at most"
    if name == "power_w":
        return f"{kilowatts(value)} at most"
    if name == "max_gpus":
        return f"{value} at most"
    return f"only owned {', '.join(value)}" if name == "owned" else ", ".join(value)


def _set(search: Search, name: str) -> bool:
    return bool(search.limits is not None and getattr(search.limits, name))


def _limits(look: Look, search: Search) -> list[Line]:
    lines = [heading("WITHIN THESE LIMITS", look.width, look.glyphs.rule, f"{look.keymap.shown('limits')} changes one")]
    row: list[Span] = [Span(" ")]
    for name, label in LIMIT_LABELS:
        words = limit_words(search.limits, name)
        action, style = f"limit:{name}", "figure" if words not in ("any", "all") else "dim"
        entry = [Span(f"{label} ", "link", action), Span(words, style, action), Span("   ")]
        if width_of([*row, *entry]) - 3 > look.width and len(row) > 1:
            lines.append(tuple(row))
            row = [Span(" ")]
        row += entry
    return [*lines, tuple(row)]


def _better(sizing: Sizing, look: Look, search: Search) -> list[Line]:
    stale = search.stale(sizing.scenario)
    glyphs = look.glyphs
    if stale:
        state, style = "about to search", "dim"
    elif search.running:
        state, style = f"searching: {search.done} of {search.cards} cards, {len(search.found)} found", "warn"
    elif search.stopped:
        state, style = f"stopped after {search.done} cards", "warn"
    else:
        state, style = f"{len(search.found)} found on {search.done} cards", "dim"
    title = "BUILDS THAT CARRY IT" if look.width >= len(state) + 24 else "BUILDS"
    lines = [heading(title, look.width, glyphs.rule, state, style)]
    if search.running and not stale:
        lines.append(line(" ", Span("Stop the search", "link", "stop:"), ("  x", "key")))
    elif search.stopped and not stale:
        lines.append(line(" ", Span("Search again", "link", "again:"), ("  x", "key")))
    if not search.ranked:
        if not stale and not search.running and not search.stopped:
            words = "No build of the catalog carries this workload within the limits."
            lines += paragraphs(words, look.width - 1, "warn", " ", " ")
        return lines
    outdated = stale or search.running
    kept = [f"{label} {limit_words(search.limits, name)}" for name, label in LIMIT_LABELS if _set(search, name)]
    if kept:
        lines += paragraphs(f"Within: {', '.join(kept)}", look.width - 1, "", " ", " ")
    options = found_builds(search)
    here = _at_hand(sizing)
    columns = _columns([*options, here], look)
    lines.append(_joined_cells([head for head, _, _ in columns], "dim"))
    name = f" the build at hand: {build_words(sizing.scenario, glyphs.times)}, {sizing.scenario.format_held}"
    word = sizing.memory.headroom if sizing.verdict.carried else "does not carry it"
    style = HEADROOM_STYLE[sizing.memory.headroom] if sizing.verdict.carried else "bad"
    lines.append(
        ends([Span(shorten(name, look.width - len(word) - 1, glyphs.ellipsis))], [Span(word, style)], look.width)
    )
    lines.append(_joined_cells([(texts[-1], figure) for _, texts, figure in columns], "figure"))
    for number, option in enumerate(options):
        lines += _build_lines(number, option, search, columns, look, outdated, sizing.scenario)
    return [*lines, *_notes(options, look)]


def _at_hand(sizing: Sizing) -> Option:
    """The build at hand as one of the builds found."""
    from engine.decide.builds import priced
    from engine.decide.plan import Plan

    return priced(Plan(sizing.scenario, sizing.layout, sizing.memory, sizing.serving, sizing.training))


def _notes(options: Sequence[Option], look: Look) -> list[Line]:
    undo, pin = look.keymap.shown("undo"), look.keymap.shown("pin")
    words = f"A build opens in place of this one; {undo} comes back, {pin} pins it for comparing. all in: with hosts and network."
    if any(option.rent_usd_per_month is None or option.whole_usd is None for option in options):
        words += " unknown: the catalog has no price; one of your own goes under Money and limits."
    return paragraphs(words, look.width - 1, "dim", " ", " ")


def _build_lines(
    number: int,
    option: Option,
    search: Search,
    columns: Sequence[Column],
    look: Look,
    outdated: bool,
    here: Scenario,
) -> list[Line]:
    """A build: what it is first in, its name with how it is split, how full it is, and its figures in columns."""
    glyphs, action = look.glyphs, f"build:{number}"
    ranks = [(place, entry) for place, entry in enumerate(search.ranked) if entry.option is option]
    title = Span(" " + ", ".join(entry.rank for _, entry in ranks), "dim" if outdated else "title")
    margin = joined(option.caveats, ", ")
    said = [Span(option.plan.memory.headroom, "dim" if outdated else "good")]
    if margin:
        said = [Span("! ", "warn"), *spans_of(about(margin, f"{action}@"), "warn")]
    lines = [ends([title], said, look.width)]
    layout = option.plan.layout
    shape = f"TP {layout.tp}" + (f" PP {layout.pp}" if layout.pp > 1 else "")
    shape += f" DP {layout.dp}" if layout.dp > 1 else ""
    shape += f", {option.sold}" if option.sold else ""
    name = f"{build_words(option.scenario, glyphs.times)}, {option.scenario.format_held}"
    at_hand = _same_build(option.scenario, here)
    hint = "  the build at hand" if at_hand else "" if number else "  Enter opens it"
    if 3 + len(name) + 3 + len(shape) + len(hint) <= look.width:
        shape += hint
    lines += flow(
        [Span("   "), Span(name, "dim" if outdated else "link", action), Span("   "), Span(shape, "dim")],
        look.width,
        "   ",
    )
    cells = [(cell, figure) for _, texts, figure in columns for cell in [texts[number]]]
    lines.append(_joined_cells(cells, "dim" if outdated else "figure", f"{action}@"))
    for place, entry in ranks:
        if entry.passed is not None and not outdated:
            lines += _passed_lines(place, entry, look)
    return lines


def _same_build(one: Scenario, other: Scenario) -> bool:
    """Whether two scenarios are the same cards, as many, with the same weights."""
    return (one.model.weights, one.hardware.accelerator.id, one.hardware.gpus_per_node, one.hardware.nodes) == (
        other.model.weights,
        other.hardware.accelerator.id,
        other.hardware.gpus_per_node,
        other.hardware.nodes,
    )


def _passed_lines(place: int, entry: Recommendation, look: Look) -> list[Line]:
    """The build that would have led but for its margin."""
    passed = entry.passed
    if passed is None:
        return []
    name = build_words(passed.scenario, look.glyphs.times)
    text, figure = _ranked_by(entry.rank, passed)
    spans = [Span("   would be ", "dim"), Span(name, "dim"), Span(" at ", "dim")]
    spans += [Span(text, "figure", f"figure:passed:{place}@{figure}"), Span(", but ", "dim")]
    spans += spans_of(about(joined(passed.caveats, ", "), f"passed:{place}@"), "warn")
    return flow(spans, look.width, "   ")


def _ranked_by(rank: str, option: Option) -> tuple[str, str]:
    """What a build is ranked by in words, and the id of that figure."""
    if rank == "cheapest to buy":
        return f"{usd(option.whole_usd or 0.0)} all in", "cost.buy_usd"
    if rank == "cheapest to rent":
        return f"{usd(option.rent_usd_per_month or 0.0)} a month", "cost.rent_usd_per_month"
    if rank == "most tokens per dollar":
        return f"{count(option.tokens_per_usd or 0.0)} tokens a dollar", "cost.tokens_per_usd"
    if rank == "least power":
        return kilowatts(option.power_w or 0.0), "power.total_w"
    return f"{option.gpus} GPU{'s' * (option.gpus != 1)}", "build.gpus"


Cell = tuple[str, str]
"""A text and the id of the figure that it is; empty where it is none."""
Column = tuple[Cell, Sequence[str], str]
"""The head, the text of each build, and the id of the figure."""


def found_table(
    options: Sequence[Option], times: str
) -> tuple[list[str], list[tuple[tuple[str, ...], tuple[float | str | None, ...]]]]:
    """All builds as a table: the heads after the build's name; of each its texts, and what each column sorts by."""
    serving = any(option.plan.serving is not None for option in options)
    heads = ["all in", "rent/month", "power", "tok/s" if serving else "the run", "free", "tokens/$"]
    rows: list[tuple[tuple[str, ...], tuple[float | str | None, ...]]] = []
    for option in options:
        held = option.plan.memory.worst
        made, run = option.plan.serving, option.plan.training
        free = held.share_of_card(held.available_bytes)
        work = made.tokens_per_s_total if made is not None else run.days if run is not None else None
        name = f"{build_words(option.scenario, times)}, {option.scenario.format_held}"
        said = (
            "" if option.whole_usd is None else usd(option.whole_usd),
            "" if option.rent_usd_per_month is None else usd(option.rent_usd_per_month),
            "" if option.power_w is None else kilowatts(option.power_w),
            "" if work is None else rate(work) if serving else days(work),
            percent(free),
            "" if option.tokens_per_usd is None else count(option.tokens_per_usd),
        )
        by = (option.whole_usd, option.rent_usd_per_month, option.power_w, work, free, option.tokens_per_usd)
        rows.append(((name, *said), (name, *by)))
    return heads, rows


def _columns(options: Sequence[Option], look: Look) -> list[Column]:
    """The figures of the builds in aligned columns, as many as fit; what matters least goes first."""
    serving = any(option.plan.serving is not None for option in options)

    def known(value: float | None, words: Callable[[float], str]) -> str:
        return UNKNOWN if value is None else words(value)

    def speed(option: Option) -> str:
        made = option.plan.serving
        return UNKNOWN if made is None else rate(made.tokens_per_s_total)

    def wait(option: Option) -> str:
        made = option.plan.serving
        return UNKNOWN if made is None else seconds(made.inter_token_s)

    def run(option: Option) -> str:
        made = option.plan.training
        return UNKNOWN if made is None else days(made.days)

    def free(option: Option) -> str:
        held = option.plan.memory.worst
        return percent(held.share_of_card(held.available_bytes))

    def buy(option: Option) -> str:
        return "owned" if option.buy_usd == 0 else known(option.whole_usd, usd)

    wanted: list[tuple[str, Callable[[Option], str], str]] = [
        ("all in", buy, "cost.buy_usd"),
        ("rent/month", lambda option: known(option.rent_usd_per_month, usd), "cost.rent_usd_per_month"),
        ("power", lambda option: known(option.power_w, kilowatts), "power.total_w"),
    ]
    if serving:
        wanted += [("tok/s", speed, "serving.tokens_per_s_total"), ("a token", wait, "serving.inter_token_s")]
    else:
        wanted.append(("the run", run, "training.days"))
    wanted.append(("free", free, "ratio(memory.available_bytes,memory.total_bytes)"))
    wanted.append(("tokens/$", lambda option: known(option.tokens_per_usd, count), "cost.tokens_per_usd"))
    columns: list[Column] = []
    used = 2
    for head, read, figure in wanted:
        texts = [read(option) for option in options]
        width = max(len(head), *(len(text) for text in texts))
        if used + width + 2 > look.width:
            continue
        used += width + 2
        columns.append(((f"{head:>{width}}", ""), [f"{text:>{width}}" for text in texts], figure))
    return columns


def _joined_cells(cells: Sequence[Cell], style: str, of: str = "") -> Line:
    """The cells of a row. of: which build their figures are of; empty for the one at hand."""
    spans = [Span("  ")]
    for text, figure in cells:
        unknown = text.strip() in (UNKNOWN, "owned")
        opens = f"figure:{of}{figure}" if figure and not unknown else ""
        spans += [Span("  "), Span(text, "dim" if unknown else style, opens)]
    return tuple(spans)


def found_builds(search: Search) -> list[Option]:
    """The first build of each ranking, each build once."""
    found: list[Option] = []
    for entry in search.ranked:
        if not any(entry.option is option for option in found):
            found.append(entry.option)
    return found


def option_at(search: Search, number: int) -> Option | None:
    """The build behind an action of the page."""
    found = found_builds(search)
    return found[number] if 0 <= number < len(found) else None
